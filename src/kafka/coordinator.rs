//! Asks a group's coordinator what the group has committed, and finds out whether it is the client who has lost the coordinator.
//!
//! librdkafka keeps in mind which broker coordinates a group, and does not look again: it goes on waiting for a broker that it has let go
//! of (its issue 5511). It lets go of those that the others do not name any more, such as one that restarts, and of all when it has lost
//! all. Such a consumer is never answered until some connection comes or goes. One that is new is answered.

use super::positions::Positions;
use super::settings::Connection;
use super::trouble::Trouble;
use super::{TopicPartition, native};
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::RDKafkaErrorCode as Code;
use std::cell::RefCell;
use std::ffi::CString;
use std::time::{Duration, Instant};

/// A consumer that has no answer for so long looks whether others have, as often.
const LONG: Duration = Duration::from_secs(3);
/// How long one that is new may take for its connections and its answer.
const FIND: Duration = Duration::from_secs(3);
/// So long after another was answered one that only waited, as everybody did, has its answer too: librdkafka waits up to 12.5 s until it
/// connects again.
const GRACE: Duration = Duration::from_secs(15);
/// A silence that nobody has listened to for so long says nothing.
const FORGOTTEN: Duration = Duration::from_secs(60);
/// No consumer keeps a question for so long, see [`native::QUESTION`].
const OVERDUE: Duration = Duration::from_secs(native::QUESTION.as_secs() / 2);

/// A group's coordinator, as one consumer knows it, and what it was asked. It has to go before the consumer does.
#[derive(Default)]
pub struct Coordinator(RefCell<State>);

#[derive(Default)]
struct State {
    asked: Option<Asked>,
    /// Questions that nobody wants to be answered any more, and librdkafka keeps.
    left: Vec<Asked>,
    silence: Option<Silence>,
}

struct Asked {
    question: Question,
    answer: native::Awaited,
    at: Instant,
}

/// That there was no answer of use.
pub struct Silence {
    since: Instant,
    /// When it was waited for one last.
    last: Instant,
    /// When others were asked last.
    asked_others: Option<Instant>,
    /// When another was answered first.
    others_at: Option<Instant>,
    /// Another was answered once more, long after that.
    is_lost: bool,
}

/// What a group has committed in some partitions.
#[derive(Clone, PartialEq, Eq)]
pub struct Question {
    group: String,
    partitions: Vec<(CString, i32)>,
}

/// There is no answer.
#[derive(Debug)]
pub enum Unanswered {
    /// Not yet, or no better one.
    Error(Code),
    /// For this consumer: it has to be made anew.
    Lost,
}

impl Question {
    pub fn new<'p>(group: &str, partitions: impl IntoIterator<Item = &'p TopicPartition>) -> Result<Question, Trouble> {
        let text = |text: &str| CString::new(text).map_err(|error| Trouble::Fatal(error.to_string()));
        let partitions = partitions.into_iter().map(|one| Ok((text(&one.topic)?, one.partition)));
        Ok(Question { group: group.to_owned(), partitions: partitions.collect::<Result<_, Trouble>>()? })
    }

    fn pose<C: ClientContext>(&self, client: &Client<C>) -> Result<native::Awaited, Code> {
        let group = CString::new(self.group.as_str()).map_err(|_| Code::InvalidArgument)?;
        native::ask_committed(client, &group, &self.partitions)
    }

    fn is_answered_to_others(&self, connection: &Connection) -> bool {
        let Ok(other) = Positions::open(connection, &self.group) else { return false };
        let answer = self.pose(other.client()).map(|awaited| awaited.committed(FIND));
        other.leave();
        // Whoever is not told has at least been heard.
        answer.is_ok_and(|answer| is_heard(&answer))
    }
}

/// An answer that says nothing of what was asked, and nothing of whether there is a coordinator.
fn is_silence(code: Code) -> bool {
    matches!(
        code,
        Code::OperationTimedOut
            | Code::TimedOutQueue
            | Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::DestroyBroker
            | Code::NotCoordinator
            | Code::CoordinatorNotAvailable
            | Code::CoordinatorLoadInProgress
    )
}

impl Default for Silence {
    fn default() -> Silence {
        Silence::since(Instant::now())
    }
}

impl Silence {
    fn since(since: Instant) -> Silence {
        Silence { since, last: since, asked_others: None, others_at: None, is_lost: false }
    }

    /// Looks whether another client has an answer, if it is time for that. It is asked twice: in between the brokers may have gone.
    pub fn ask_others(&mut self, question: &Question, connection: &Connection) {
        let is_long = |at: Instant| at.elapsed() >= LONG;
        let is_due = match self.others_at {
            None => is_long(self.since) && self.asked_others.is_none_or(is_long),
            Some(at) => at.elapsed() >= GRACE,
        };
        if !is_due || self.is_lost {
            return;
        }
        let is_answered = question.is_answered_to_others(connection);
        self.asked_others = Some(Instant::now());
        self.is_lost = is_answered && self.others_at.is_some();
        self.others_at = is_answered.then(|| self.others_at.unwrap_or_else(Instant::now));
    }

    /// Whether another was answered so long ago that whoever has no answer yet will have none.
    pub fn is_lost(&self) -> bool {
        self.is_lost
    }
}

impl State {
    /// Asks, unless it has just that question. An answer that came while nobody waited is of then, and not of now: it is only heard.
    fn pose<C: ClientContext>(&mut self, client: &Client<C>, question: &Question) -> Result<(), Code> {
        if self.silence.as_ref().is_some_and(|silence| silence.last.elapsed() >= FORGOTTEN) {
            self.silence = None;
        }
        if let Some(asked) = &self.asked {
            let late = asked.answer.committed(Duration::ZERO);
            if late.is_none() && asked.question == *question {
                return Ok(());
            }
            if is_heard(&late) || asked.question != *question {
                self.silence = None;
            }
            if late.is_some() {
                self.asked = None;
            }
        }
        let answer = question.pose(client)?;
        let asked = Asked { question: question.clone(), answer, at: Instant::now() };
        self.left.extend(self.asked.replace(asked));
        Ok(())
    }
}

/// Whether the coordinator has answered, whatever it said.
fn is_heard(answer: &Option<Result<native::Committed, Code>>) -> bool {
    match answer {
        Some(Ok(_)) => true,
        Some(Err(code)) => !is_silence(*code),
        None => false,
    }
}

impl Coordinator {
    /// Asks, or waits on for the answer to the same question, for so long. Now and then another consumer is made and asks, too.
    pub fn ask<C: ClientContext>(
        &self,
        client: &Client<C>,
        connection: &Connection,
        question: &Question,
        within: Duration,
    ) -> Result<native::Committed, Unanswered> {
        let state = &mut *self.0.borrow_mut();
        state.pose(client, question).map_err(Unanswered::Error)?;
        let Some(asked) = &state.asked else { return Err(Unanswered::Error(Code::Fail)) };
        let silence = state.silence.get_or_insert_with(|| Silence::since(asked.at));
        let mut answer = asked.answer.committed(within);
        if !is_heard(&answer) {
            silence.ask_others(question, connection);
            answer = answer.or_else(|| asked.answer.committed(Duration::ZERO));
        }
        silence.last = Instant::now();
        let is_lost = silence.is_lost();
        let code = match answer {
            Some(Ok(committed)) => {
                (state.asked, state.silence) = (None, None);
                return Ok(committed);
            }
            Some(Err(code)) => {
                state.asked = None;
                if !is_silence(code) {
                    state.silence = None;
                    return Err(Unanswered::Error(code));
                }
                code
            }
            None => Code::OperationTimedOut,
        };
        Err(if is_lost { Unanswered::Lost } else { Unanswered::Error(code) })
    }

    /// Nobody waits for the answer any more: what was asked about has changed hands, or may have moved on.
    pub fn forget(&self) {
        let state = &mut *self.0.borrow_mut();
        state.left.extend(state.asked.take());
        state.silence = None;
    }

    /// Whether the consumer has to go because of a question that was not answered for too long.
    pub fn is_overdue(&self) -> bool {
        let state = &mut *self.0.borrow_mut();
        // What came too late is thrown away here.
        state.left.retain(|asked| asked.answer.committed(Duration::ZERO).is_none());
        state.asked.iter().chain(&state.left).any(|asked| asked.at.elapsed() > OVERDUE)
    }
}

/// What there is to say of [`Unanswered::Lost`].
pub fn lost() -> Trouble {
    Trouble::Lost("its group's coordinator does not answer it, and answers another client".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::ClientConfig;
    use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
    use rdkafka::mocking::MockCluster;
    use rdkafka::{Offset, TopicPartitionList};

    const AMPLE: Duration = Duration::from_secs(20);

    fn consumer(brokers: &str) -> BaseConsumer {
        ClientConfig::new().set("bootstrap.servers", brokers).set("group.id", "g").create().expect("a consumer")
    }

    fn commit(brokers: &str, next: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset("t", 0, Offset::Offset(next)).expect("an offset");
        consumer(brokers).commit(&list, CommitMode::Sync).expect("committed");
    }

    /// Another may have committed meanwhile.
    #[test]
    fn an_answer_that_came_while_nobody_waited_is_not_believed() {
        let cluster = MockCluster::new(1).expect("a broker");
        cluster.create_topic("t", 1, 1).expect("a topic");
        let brokers = cluster.bootstrap_servers();
        let connection = Connection { bootstrap_servers: brokers.clone(), properties: Vec::new(), credentials: None };
        let asking = consumer(&brokers);
        let question = Question::new("g", &[TopicPartition::new("t", 0)]).expect("a question");
        let coordinator = Coordinator::default();
        let ask = |within| coordinator.ask(asking.client(), &connection, &question, within);
        let told = |committed: native::Committed| committed[0].1;
        commit(&brokers, 5);
        assert_eq!(ask(AMPLE).map(told).expect("told"), Ok(Some(5)));
        cluster.broker_round_trip_time(1, Duration::from_millis(500)).expect("slow");
        assert!(matches!(ask(Duration::from_millis(50)), Err(Unanswered::Error(Code::OperationTimedOut))));
        cluster.broker_round_trip_time(1, Duration::ZERO).expect("fast");
        // The answer is in its queue before the other commits, and long before it is asked for again.
        std::thread::sleep(Duration::from_secs(1));
        commit(&brokers, 9);
        assert_eq!(ask(AMPLE).map(told).expect("told"), Ok(Some(9)));
        assert!(!coordinator.is_overdue());
    }
}
