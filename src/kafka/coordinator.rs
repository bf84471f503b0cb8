//! Asks a group's coordinator what the group has committed, and finds out whether it is the client who has lost the coordinator.
//!
//! librdkafka keeps in mind which broker coordinates a group. It lets go of brokers that the others do not name any more, of one that
//! restarts as well, and goes on waiting for that one (its issue 5511): a question to the coordinator is never answered, and offsets are
//! never sent in a transaction, until a connection to some other broker comes or goes. A client that is new asks anew.

use super::settings::Connection;
use super::topics::Topics;
use super::trouble::Trouble;
use super::{TopicPartition, native};
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::RDKafkaErrorCode as Code;
use std::cell::Cell;
use std::ffi::CString;
use std::time::{Duration, Instant};

/// A coordinator that is there has answered by then. Who has no answer looks whether others have.
const LONG: Duration = Duration::from_secs(3);
/// How long the client that is new may take, with its connections.
const FIND: Duration = Duration::from_secs(3);
/// A client that has not been answered for so long is made anew in any case: it must not be there when its question is over, see
/// [`native::QUESTION`].
const SILENCE: Duration = Duration::from_secs(native::QUESTION.as_secs() / 2);

/// The coordinator, as one client has known it.
#[derive(Default)]
pub struct Coordinator {
    silent_since: Cell<Option<Instant>>,
}

/// What a group has committed in some partitions.
pub struct Question {
    group: CString,
    partitions: Vec<(CString, i32)>,
}

/// There is no answer.
pub enum Unanswered {
    Error(Code),
    /// For this client: it has to be made anew.
    Lost(Trouble),
}

impl Question {
    pub fn new<'p>(group: &str, partitions: impl IntoIterator<Item = &'p TopicPartition>) -> Result<Question, Trouble> {
        let text = |text: &str| CString::new(text).map_err(|error| Trouble::Fatal(error.to_string()));
        let partitions = partitions.into_iter().map(|one| Ok((text(&one.topic)?, one.partition)));
        Ok(Question { group: text(group)?, partitions: partitions.collect::<Result<_, Trouble>>()? })
    }

    fn ask<C: ClientContext>(&self, client: &Client<C>, within: Duration) -> Result<native::Committed, Code> {
        native::committed(client, &self.group, &self.partitions, within)
    }

    fn is_answered_to_others(&self, connection: &Connection) -> bool {
        let Ok(topics) = Topics::open(connection) else { return false };
        let is_answered = self.ask(topics.admin.inner(), FIND).is_ok();
        topics.leave();
        is_answered
    }
}

impl Coordinator {
    /// Asks. A client that was not answered for [`LONG`] is not asked again: others are, and where they are answered it is lost.
    pub fn ask<C: ClientContext>(
        &self,
        client: &Client<C>,
        connection: &Connection,
        question: &Question,
        within: Duration,
    ) -> Result<native::Committed, Unanswered> {
        let since = match self.silent_since.get() {
            Some(since) => since,
            None => match question.ask(client, within.min(LONG)) {
                Err(Code::OperationTimedOut) if within >= LONG => Instant::now(),
                answer => return answer.map_err(Unanswered::Error),
            },
        };
        self.silent_since.set(Some(since));
        if question.is_answered_to_others(connection) {
            let why = "it does not find its group's coordinator, and another client does";
            return Err(Unanswered::Lost(Trouble::Fatal(why.to_owned())));
        }
        if since.elapsed() > SILENCE {
            let why = "its group's coordinator has not answered it for too long";
            return Err(Unanswered::Lost(Trouble::Fatal(why.to_owned())));
        }
        Err(Unanswered::Error(Code::OperationTimedOut))
    }
}
