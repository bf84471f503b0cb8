//! What a cluster looks like to us: brokers, topics, their settings, and what we may do. Only asks, and changes nothing.

use super::native;
use super::producer::Producer;
use super::settings::ProducerSettings;
use super::topics::{Topics, wait};
use super::trouble::Trouble;
use rdkafka::admin::{AdminOptions, OwnedResourceSpecifier, ResourceSpecifier};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use std::collections::{HashMap, HashSet};
use std::ffi::CString;
use std::time::Duration;

/// How long one question may take.
const ANSWER: Duration = Duration::from_secs(10);
/// How often a group's coordinator is asked for, half a second apart.
const COORDINATOR_ATTEMPTS: usize = 20;

/// Names and values, as Kafka has them.
pub type Settings = HashMap<String, String>;

/// A cluster, as far as we may see it.
#[derive(Debug, Clone, Default)]
pub struct Cluster {
    pub brokers: usize,
    /// Of one of them; `None`: we may not know.
    pub settings: Option<Settings>,
    pub topics: HashMap<String, Topic>,
}

/// A topic that is there.
#[derive(Debug, Clone, Default)]
pub struct Topic {
    pub partitions: usize,
    /// Of the partition that has fewest.
    pub replicas: usize,
    /// Of the partition that has fewest.
    pub in_sync: usize,
    /// `None`: we may not know.
    pub settings: Option<Settings>,
}

/// What can be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Right {
    Read,
    Write,
    Create,
    Describe,
    DescribeConfigs,
}

impl Right {
    /// As `kafka-acls.sh` has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Right::Read => "Read",
            Right::Write => "Write",
            Right::Create => "Create",
            Right::Describe => "Describe",
            Right::DescribeConfigs => "DescribeConfigs",
        }
    }

    /// By librdkafka's number (`rd_kafka_AclOperation_t`).
    fn of(number: u32) -> Option<Right> {
        match number {
            3 => Some(Right::Read),
            4 => Some(Right::Write),
            5 => Some(Right::Create),
            8 => Some(Right::Describe),
            10 => Some(Right::DescribeConfigs),
            _ => None,
        }
    }
}

/// What we may do with something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rights {
    Known(HashSet<Right>),
    /// Not even to know whether it is there.
    None,
    /// It is not there.
    Missing,
    /// The brokers do not say, for this reason.
    Unknown(String),
}

impl Rights {
    /// Whether it is certain that we may not.
    pub fn lack(&self, right: Right) -> bool {
        match self {
            Rights::Known(rights) => !rights.contains(&right),
            Rights::None => true,
            Rights::Missing | Rights::Unknown(_) => false,
        }
    }

    fn new(answer: Result<Vec<u32>, Code>) -> Rights {
        match answer {
            // A broker that says nothing of rights allows nothing, not even what has just been asked.
            Ok(numbers) if numbers.is_empty() => Rights::Unknown("the answer says nothing of rights".to_owned()),
            Ok(numbers) => Rights::Known(numbers.into_iter().filter_map(Right::of).collect()),
            Err(Code::TopicAuthorizationFailed | Code::GroupAuthorizationFailed) => Rights::None,
            Err(Code::UnknownTopicOrPartition | Code::UnknownTopic) => Rights::Missing,
            Err(code) => Rights::Unknown(code.to_string()),
        }
    }
}

/// Why a transactional producer cannot begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoTransactions {
    /// The transactional id is not allowed.
    Denied,
    /// The timeout is longer than the brokers allow.
    TimeoutTooLong,
    Other(String),
}

impl Topics {
    /// What is there of these topics.
    pub fn cluster(&self, is_wanted: impl Fn(&str) -> bool) -> Result<Cluster, Trouble> {
        let metadata = self.metadata()?;
        let mut cluster = Cluster { brokers: metadata.brokers().len(), ..Cluster::default() };
        let there = metadata.topics().iter().filter(|topic| is_wanted(topic.name()) && topic.error().is_none());
        for topic in there {
            let least = |count: fn(&rdkafka::metadata::MetadataPartition) -> usize| {
                topic.partitions().iter().map(count).min().unwrap_or(0)
            };
            let (replicas, in_sync) = (least(|it| it.replicas().len()), least(|it| it.isr().len()));
            let partitions = topic.partitions().len();
            cluster.topics.insert(topic.name().to_owned(), Topic { partitions, replicas, in_sync, settings: None });
        }
        let broker = metadata.brokers().first().map(rdkafka::metadata::MetadataBroker::id);
        let names: Vec<String> = cluster.topics.keys().cloned().collect();
        let topics = names.iter().map(|name| ResourceSpecifier::Topic(name));
        let options = AdminOptions::new().request_timeout(Some(ANSWER)).broker_id(broker);
        let mut resources: Vec<_> = topics.collect();
        resources.extend(broker.map(ResourceSpecifier::Broker));
        let answers = wait(self.admin.describe_configs(&resources, &options))
            .map_err(|error| Trouble::Retriable(error.to_string()))?;
        for resource in answers.into_iter().flatten() {
            let entries = resource.entries.into_iter();
            let settings: Settings = entries.filter_map(|entry| Some((entry.name, entry.value?))).collect();
            // What may not be read is not always told as an error: there are no settings then.
            if settings.is_empty() {
                continue;
            }
            match resource.specifier {
                OwnedResourceSpecifier::Topic(name) => {
                    if let Some(topic) = cluster.topics.get_mut(&name) {
                        topic.settings = Some(settings);
                    }
                }
                OwnedResourceSpecifier::Broker(_) => cluster.settings = Some(settings),
                OwnedResourceSpecifier::Group(_) => {}
            }
        }
        Ok(cluster)
    }

    /// What we may do with topics.
    pub fn topic_rights(&self, names: &[String]) -> Result<HashMap<String, Rights>, Trouble> {
        let names: Vec<CString> = names.iter().filter_map(|name| CString::new(name.as_str()).ok()).collect();
        if names.is_empty() {
            return Ok(HashMap::new());
        }
        let described = native::topic_operations(self.admin.inner(), &names, ANSWER);
        let described = described.map_err(|code| Trouble::Retriable(code.to_string()))?;
        Ok(described.into_iter().map(|(name, answer)| (name, Rights::new(answer))).collect())
    }

    /// What we may do with a consumer group.
    pub fn group_rights(&self, name: &str) -> Rights {
        let Ok(name) = CString::new(name) else { return Rights::Unknown("no name of a group".to_owned()) };
        for _ in 0..COORDINATOR_ATTEMPTS {
            match native::group_operations(self.admin.inner(), &name, ANSWER) {
                // A cluster that has never had a group is only now making the topic for them.
                Err(Code::CoordinatorNotAvailable | Code::CoordinatorLoadInProgress | Code::NotCoordinator) => {
                    std::thread::sleep(Duration::from_millis(500));
                }
                answer => return Rights::new(answer),
            }
        }
        Rights::Unknown("the group has no coordinator".to_owned())
    }
}

/// Whether a producer of these settings could begin a transaction. It takes its transactional id and begins none.
pub fn try_transactions(settings: &ProducerSettings) -> Result<(), NoTransactions> {
    let other = |trouble: Trouble| NoTransactions::Other(trouble.to_string());
    Producer::open(settings).map_err(other)?.try_transactions(ANSWER).map_err(|error| match error {
        KafkaError::Transaction(inner) if inner.code() == Code::TransactionalIdAuthorizationFailed => {
            NoTransactions::Denied
        }
        KafkaError::Transaction(inner) if inner.code() == Code::InvalidTransactionTimeout => {
            NoTransactions::TimeoutTooLong
        }
        error => NoTransactions::Other(error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::bindings::rd_kafka_AclOperation_t as Operation;

    #[test]
    fn rights_are_known_by_librdkafkas_numbers() {
        for (number, right) in [
            (Operation::RD_KAFKA_ACL_OPERATION_READ, Right::Read),
            (Operation::RD_KAFKA_ACL_OPERATION_WRITE, Right::Write),
            (Operation::RD_KAFKA_ACL_OPERATION_CREATE, Right::Create),
            (Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE, Right::Describe),
            (Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS, Right::DescribeConfigs),
        ] {
            assert_eq!(Right::of(number as u32), Some(right));
        }
        assert_eq!(Right::of(99), None);
    }

    #[test]
    fn what_is_not_said_is_not_taken_for_denied() {
        assert!(matches!(Rights::new(Ok(vec![])), Rights::Unknown(_)));
        assert!(!Rights::new(Err(Code::RequestTimedOut)).lack(Right::Read));
        assert!(!Rights::new(Err(Code::UnknownTopicOrPartition)).lack(Right::Read));
        assert!(Rights::new(Err(Code::TopicAuthorizationFailed)).lack(Right::Read));
        let rights = Rights::new(Ok(vec![8, 3, 99]));
        assert!(!rights.lack(Right::Read) && rights.lack(Right::Write));
    }
}
