//! What is asked of the brokers about topics: which there are, how they are kept, and to make them.

use super::TopicPartition;
use super::login::Quiet;
use super::settings::Connection;
use super::trouble::Trouble;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, Producer as _};
use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// How long one question may take.
const ANSWER: Duration = Duration::from_secs(10);

/// How long, and how often, is tried to find out why there was none.
const KNOCK: Duration = Duration::from_secs(1);
const KNOCKS: u32 = 5;
const EVENTS: u32 = 100;

/// Asks about topics. Not for the path of a record.
pub struct Topics {
    pub(super) admin: AdminClient<Quiet>,
    connection: Connection,
}

/// One topic to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOne {
    pub name: String,
    pub partitions: i32,
}

impl Topics {
    pub fn open(connection: &Connection) -> Result<Topics, Trouble> {
        let quiet = Quiet { login: connection.login() };
        let admin = AdminClient::from_config_and_context(&connection.admin_config(), quiet);
        let admin = admin.map_err(|error| Trouble::Fatal(error.to_string()))?;
        admin.inner().context().login.start(admin.inner());
        Ok(Topics { admin, connection: connection.clone() })
    }

    /// Whether a client that is new finds brokers, for one that does not and may itself be the reason.
    pub fn find_brokers(connection: &Connection, within: Duration) -> bool {
        let Ok(topics) = Topics::open(connection) else { return false };
        let found = topics.admin.inner().fetch_metadata(None, within).is_ok();
        topics.leave();
        found
    }

    /// Ends it without waiting: its thread looks ten times a second whether it is to end.
    pub fn leave(self) {
        // Without another thread it is waited for after all.
        let _ = std::thread::Builder::new().name("koine-leave".to_owned()).spawn(move || drop(self));
    }

    /// Every topic there is, with the number of its partitions. (Asking for one topic could create it.)
    pub fn all(&self) -> Result<HashMap<String, i32>, Trouble> {
        let metadata = self.metadata()?;
        let there = metadata.topics().iter().filter(|topic| topic.error().is_none() && !topic.partitions().is_empty());
        Ok(there.map(|topic| (topic.name().to_owned(), topic.partitions().len() as i32)).collect())
    }

    /// Every partition of every topic, sorted.
    pub fn partitions(&self) -> Result<Vec<TopicPartition>, Trouble> {
        let metadata = self.metadata()?;
        let there = metadata.topics().iter().filter(|topic| topic.error().is_none());
        let partitions = there.flat_map(|topic| {
            topic.partitions().iter().map(|partition| TopicPartition::new(topic.name(), partition.id()))
        });
        let mut partitions: Vec<TopicPartition> = partitions.collect();
        partitions.sort();
        Ok(partitions)
    }

    pub(super) fn metadata(&self) -> Result<rdkafka::metadata::Metadata, Trouble> {
        self.admin.inner().fetch_metadata(None, ANSWER).map_err(|error| match self.refusal() {
            Some(why) => Trouble::Denied(why),
            None => Trouble::Retriable(error.to_string()),
        })
    }

    /// What the brokers have against us. An admin client hears only that there was no answer, so another client knocks.
    fn refusal(&self) -> Option<String> {
        let config = self.connection.admin_config();
        let quiet = Quiet { login: self.connection.login() };
        let knocking: BaseProducer<Quiet> = config.create_with_context(quiet).ok()?;
        knocking.context().login.start(knocking.client());
        for _ in 0..KNOCKS {
            if knocking.client().fetch_metadata(None, KNOCK).is_ok() {
                return None;
            }
            // Errors are heard here, one thing a call, and log lines are among them.
            (0..EVENTS).for_each(|_| knocking.poll(Duration::ZERO));
            if let Some(why) = knocking.context().login.refusal(&config) {
                return Some(why);
            }
        }
        None
    }

    /// The `cleanup.policy` of each of these topics, as far as we may know it.
    pub fn cleanup_policies(&self, topics: &[&str]) -> Result<HashMap<String, String>, Trouble> {
        let resources: Vec<_> = topics.iter().map(|topic| ResourceSpecifier::Topic(topic)).collect();
        // Any broker can tell; asking one of them is answered even where there is no controller to ask.
        let metadata = self.metadata()?;
        let broker = metadata.brokers().first().map(rdkafka::metadata::MetadataBroker::id);
        let options = AdminOptions::new().request_timeout(Some(ANSWER)).broker_id(broker);
        let answers = match wait(self.admin.describe_configs(&resources, &options)) {
            Ok(answers) => answers,
            // An old broker, or a stand-in for one.
            Err(error) if error.rdkafka_error_code() == Some(Code::UnsupportedFeature) => return Ok(HashMap::new()),
            Err(KafkaError::AdminOp(Code::UnsupportedFeature | Code::UnsupportedVersion)) => return Ok(HashMap::new()),
            Err(error) => return Err(Trouble::Retriable(error.to_string())),
        };
        let mut policies = HashMap::new();
        for answer in answers {
            let resource = match answer {
                Ok(resource) => resource,
                Err(code) => {
                    tracing::warn!(%code, "the settings of a topic cannot be read, so nobody checks that it is not compacted");
                    continue;
                }
            };
            let rdkafka::admin::OwnedResourceSpecifier::Topic(topic) = &resource.specifier else { continue };
            if let Some(policy) = resource.get("cleanup.policy").and_then(|entry| entry.value.clone()) {
                policies.insert(topic.clone(), policy);
            }
        }
        Ok(policies)
    }

    /// Makes topics that are deleted by age and never compacted. One that is there already is left as it is.
    pub fn create(&self, topics: &[NewOne]) -> Result<(), Trouble> {
        self.create_with(topics, "delete")
    }

    /// Makes topics that keep the last record of each key for ever. One that is there already is left as it is.
    pub fn create_compacted(&self, topics: &[NewOne]) -> Result<(), Trouble> {
        self.create_with(topics, "compact")
    }

    fn create_with(&self, topics: &[NewOne], cleanup_policy: &str) -> Result<(), Trouble> {
        let mut wanted = Vec::with_capacity(topics.len());
        for NewOne { name, partitions } in topics {
            let topic = NewTopic::new(name, *partitions, TopicReplication::Fixed(-1));
            wanted.push(topic.set("cleanup.policy", cleanup_policy));
        }
        let options = AdminOptions::new().request_timeout(Some(ANSWER)).operation_timeout(Some(ANSWER));
        let answers = wait(self.admin.create_topics(&wanted, &options));
        for answer in answers.map_err(|error| Trouble::Retriable(error.to_string()))? {
            match answer {
                Ok(name) => tracing::info!(topic = name, "topic created"),
                Err((_, Code::TopicAlreadyExists)) => {}
                Err((name, code)) => return Err(Trouble::Retriable(format!("{name} cannot be created: {code}"))),
            }
        }
        Ok(())
    }
}

/// Waits for an answer on this thread. The admin client has a thread of its own that wakes us.
pub(super) fn wait<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}
