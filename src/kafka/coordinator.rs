//! Asks a group's coordinator what the group has committed, and finds out whether it is the client who has lost the coordinator.
//!
//! librdkafka keeps in mind which broker coordinates a group, and does not look again: it goes on waiting for a broker that it has let go
//! of (its issue 5511). It lets go of those that the others do not name any more, such as one that restarts, and of all when it has lost
//! all. Such a client is never answered, and never comes back from sending offsets in a transaction, until some connection comes or goes.
//! A client that is new is answered.

use super::settings::Connection;
use super::topics::Topics;
use super::trouble::Trouble;
use super::{TopicPartition, native};
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::RDKafkaErrorCode as Code;
use std::cell::RefCell;
use std::ffi::CString;
use std::time::{Duration, Instant};

/// A client that has no answer for so long looks whether others have.
const LONG: Duration = Duration::from_secs(3);
/// How long a client that is new may take for its connections and its answer.
const FIND: Duration = Duration::from_secs(3);
/// So long after another was answered a client that only waited, as everybody did, has its answer too: librdkafka waits up to 12.5 s until
/// it connects again.
const GRACE: Duration = Duration::from_secs(15);
/// No client lives so long with a question, see [`native::QUESTION`].
const OVERDUE: Duration = Duration::from_secs(native::QUESTION.as_secs() / 2);

/// A group's coordinator, as one client knows it, and what it was asked. It has to go before the client does.
#[derive(Default)]
pub struct Coordinator(RefCell<State>);

#[derive(Default)]
struct State {
    asked: Option<Asked>,
    /// Questions that nobody wants to be answered any more, and librdkafka keeps.
    left: Vec<Asked>,
    /// Since when there was no answer of use.
    silent_since: Option<Instant>,
    /// When another client was answered meanwhile.
    others_at: Option<Instant>,
}

struct Asked {
    question: Question,
    answer: native::Awaited,
    at: Instant,
}

/// What a group has committed in some partitions.
#[derive(Clone, PartialEq, Eq)]
pub struct Question {
    group: CString,
    partitions: Vec<(CString, i32)>,
}

/// There is no answer.
#[derive(Debug)]
pub enum Unanswered {
    /// Not yet, or no better one.
    Error(Code),
    /// For this client: it has to be made anew.
    Lost,
}

impl Question {
    pub fn new<'p>(group: &str, partitions: impl IntoIterator<Item = &'p TopicPartition>) -> Result<Question, Trouble> {
        let text = |text: &str| CString::new(text).map_err(|error| Trouble::Fatal(error.to_string()));
        let partitions = partitions.into_iter().map(|one| Ok((text(&one.topic)?, one.partition)));
        Ok(Question { group: text(group)?, partitions: partitions.collect::<Result<_, Trouble>>()? })
    }

    fn pose<C: ClientContext>(&self, client: &Client<C>) -> Result<native::Awaited, Code> {
        native::ask_committed(client, &self.group, &self.partitions)
    }

    fn is_answered_to_others(&self, connection: &Connection, within: Duration) -> bool {
        let Ok(topics) = Topics::open(connection) else { return false };
        let answer = self.pose(topics.admin.inner()).and_then(|awaited| awaited.committed(within));
        topics.leave();
        // Whoever is not told has at least been heard.
        !matches!(answer, Err(code) if is_silence(code))
    }
}

/// An answer that says nothing of what was asked, and nothing of whether there is a coordinator.
pub fn is_silence(code: Code) -> bool {
    matches!(
        code,
        Code::OperationTimedOut
            | Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::NotCoordinator
            | Code::CoordinatorNotAvailable
            | Code::CoordinatorLoadInProgress
    )
}

impl Coordinator {
    /// Asks, and does not wait for the answer.
    pub fn pose<C: ClientContext>(&self, client: &Client<C>, question: &Question) -> Result<(), Code> {
        let state = &mut *self.0.borrow_mut();
        if state.asked.as_ref().is_some_and(|asked| asked.question == *question && asked.answer.is_open()) {
            return Ok(());
        }
        let answer = question.pose(client)?;
        let asked = Asked { question: question.clone(), answer, at: Instant::now() };
        state.left.extend(state.asked.replace(asked));
        state.left.retain(|asked| asked.answer.is_open());
        Ok(())
    }

    /// Asks, or waits on for the answer to the same question, for about so long.
    pub fn ask<C: ClientContext>(
        &self,
        client: &Client<C>,
        connection: &Connection,
        question: &Question,
        within: Duration,
    ) -> Result<native::Committed, Unanswered> {
        let is_asked = |asked: &Asked| asked.question == *question;
        if !self.0.borrow().asked.as_ref().is_some_and(is_asked) {
            self.pose(client, question).map_err(Unanswered::Error)?;
        }
        let state = &mut *self.0.borrow_mut();
        let Some(asked) = &state.asked else { return Err(Unanswered::Error(Code::Fail)) };
        let since = *state.silent_since.get_or_insert(asked.at);
        let until = Instant::now() + within;
        let mut answer = asked.answer.committed(Duration::ZERO);
        if matches!(answer, Err(Code::OperationTimedOut)) {
            let is_time = since.elapsed() >= LONG && state.others_at.is_none();
            if is_time && question.is_answered_to_others(connection, within.min(FIND)) {
                state.others_at = Some(Instant::now());
            }
            answer = asked.answer.committed(until.saturating_duration_since(Instant::now()));
        }
        let code = match answer {
            Ok(committed) => {
                *state = State { left: std::mem::take(&mut state.left), ..State::default() };
                return Ok(committed);
            }
            Err(code) => code,
        };
        if code != Code::OperationTimedOut {
            state.asked = None;
        }
        if !is_silence(code) {
            (state.silent_since, state.others_at) = (None, None);
        }
        match state.others_at {
            Some(at) if at.elapsed() >= GRACE => Err(Unanswered::Lost),
            _ => Err(Unanswered::Error(code)),
        }
    }

    /// Whether the client has to go because of a question that was not answered for too long.
    pub fn is_overdue(&self) -> bool {
        let state = self.0.borrow();
        state.asked.iter().chain(&state.left).any(|asked| asked.at.elapsed() > OVERDUE && asked.answer.is_open())
    }
}

/// What there is to say of [`Unanswered::Lost`].
pub fn lost() -> Trouble {
    Trouble::Lost("its group's coordinator does not answer it, and answers another client".to_owned())
}
