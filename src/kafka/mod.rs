//! The only place that knows rdkafka: a consumer, a producer and what is asked of a broker about topics.
//!
//! Everything outside sees bytes, positions and [`Trouble`]. Knows neither JSON, nor Avro, nor vendors, nor why a record
//! is refused.

mod assignment;
mod consumer;
mod coordinator;
mod embedded;
mod errand;
mod inspect;
mod login;
mod native;
mod partitioner;
mod positions;
mod probe;
mod producer;
mod reader;
mod record;
mod settings;
mod topics;
mod trouble;

pub use assignment::{Gone, Side};
pub use consumer::{Commit, Consumer, Lag, Membership, Polled};
pub use embedded::{EmbeddedBroker, Writer};
pub use inspect::{Cluster, NoTransactions, Right, Rights, Settings, Topic, try_transactions};
pub use login::{Credentials, NoToken, Token};
pub use partitioner::partition_of;
pub use positions::{At, Places, Positions};
pub use probe::{Probed, probe};
pub use producer::{Failure, Outgoing, Producer, SendError};
pub use reader::{Bounds, Next, PartitionReader, Read, Reader, Stretch, bounds};
pub use record::Record;
pub use settings::{Connection, ConsumerSettings, ProducerSettings};
pub use topics::{NewOne, Topics};
pub use trouble::{Refusal, Trouble, fatal_codes};

use std::fmt;
use std::sync::Arc;

/// One partition of one topic. Cheap to copy around: the name is shared.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    pub topic: Arc<str>,
    pub partition: i32,
}

impl TopicPartition {
    pub fn new(topic: &str, partition: i32) -> TopicPartition {
        TopicPartition { topic: topic.into(), partition }
    }

    pub fn is(&self, topic: &str, partition: i32) -> bool {
        self.partition == partition && &*self.topic == topic
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.topic, self.partition)
    }
}

/// The offset of the record that is due next: what Kafka calls a committed offset.
///
/// Kafka wants the offset *after* the last one that is done, and every client has calls that add the one and calls that
/// do not. Offsets can only be handed to Kafka as this type, and it can only be made from the last one that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NextOffset(i64);

impl NextOffset {
    /// What is due once the record at this offset is done.
    pub const fn after(done: i64) -> NextOffset {
        NextOffset(done.saturating_add(1))
    }

    pub const fn get(self) -> i64 {
        self.0
    }
}

/// Offsets to commit, one a partition.
pub type Offsets = Vec<(TopicPartition, NextOffset)>;

/// The oldest librdkafka whose cooperative rebalances do not lose the assignment during a commit (its issue 4059).
const OLDEST: i32 = 0x020a_00ff;
/// The oldest whose KIP-848 members survive a slow batch (its issue 5541).
const OLDEST_KIP_848: i32 = 0x020f_00ff;

/// The librdkafka at run time (it may be linked dynamically), or why it will not do.
pub fn check_version(group_protocol: &str) -> Result<String, String> {
    let (number, name) = rdkafka::util::get_rdkafka_version();
    if number < OLDEST {
        return Err(format!(
            "librdkafka {name} is too old: below 2.10.0 a commit during a cooperative rebalance loses the assignment"
        ));
    }
    if group_protocol == "consumer" && number < OLDEST_KIP_848 {
        return Err(format!(
            "kafka.group_protocol: consumer needs librdkafka 2.15.0 or newer, this is {name}: \
             older ones are expelled for good after a slow batch; use classic"
        ));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_offset_is_the_one_after() {
        assert_eq!(NextOffset::after(4711).get(), 4712);
        assert_eq!(NextOffset::after(0).get(), 1);
    }

    #[test]
    fn the_librdkafka_we_build_with_is_new_enough_for_the_classic_protocol_only() {
        assert!(check_version("classic").is_ok());
        let why = check_version("consumer").unwrap_err();
        assert!(why.contains("2.15.0"), "{why}");
    }
}
