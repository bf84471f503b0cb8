//! Reads topics from their beginning, or a stretch of them, outside any group and without a trace on the broker. For whoever looks at what
//! was written; never for the records that are translated.

use super::TopicPartition;
use super::login::Quiet;
use super::record::Record;
use super::settings::Connection;
use super::trouble::Trouble;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::Offset;
use std::collections::HashMap;
use std::time::Duration;

/// How long one question may take.
const ANSWER: Duration = Duration::from_secs(10);

/// A consumer of committed records.
pub struct Reader {
    consumer: BaseConsumer<Quiet>,
    /// Where each partition ended when it was opened, and where we are.
    ends: HashMap<(String, i32), (i64, i64)>,
}

/// What a poll gave.
pub enum Read<'r> {
    Record(Record<'r>),
    /// Nothing now.
    Nothing,
}

fn consumer(connection: &Connection) -> Result<BaseConsumer<Quiet>, Trouble> {
    let mut config = connection.admin_config();
    // librdkafka wants a name even where no group is joined.
    config.set("group.id", "koine-reader").set("enable.auto.commit", "false");
    config.set("isolation.level", "read_committed").set("auto.offset.reset", "earliest");
    config.set("fetch.wait.max.ms", "50").set("fetch.queue.backoff.ms", "5");
    let quiet = Quiet { login: connection.login() };
    let consumer: BaseConsumer<Quiet> =
        config.create_with_context(quiet).map_err(|error| Trouble::Fatal(error.to_string()))?;
    consumer.context().login.start(consumer.client());
    Ok(consumer)
}

impl Reader {
    /// Starts at the beginning of every partition of these topics. A topic that is not there has none.
    pub fn open(connection: &Connection, topics: &[&str]) -> Result<Reader, Trouble> {
        let fatal = |error: KafkaError| Trouble::Fatal(error.to_string());
        let retriable = |error: KafkaError| Trouble::Retriable(error.to_string());
        let consumer = consumer(connection)?;
        let mut list = TopicPartitionList::new();
        let mut ends = HashMap::new();
        let metadata = consumer.fetch_metadata(None, ANSWER).map_err(retriable)?;
        for topic in metadata.topics().iter().filter(|topic| topics.contains(&topic.name())) {
            for partition in topic.partitions() {
                let (low, high) = consumer.fetch_watermarks(topic.name(), partition.id(), ANSWER).map_err(retriable)?;
                list.add_partition_offset(topic.name(), partition.id(), Offset::Offset(low)).map_err(fatal)?;
                ends.insert((topic.name().to_owned(), partition.id()), (high, low));
            }
        }
        consumer.assign(&list).map_err(fatal)?;
        Ok(Reader { consumer, ends })
    }

    /// Reads of each partition what lies between two offsets; beyond the second one there may come more.
    pub fn between(
        connection: &Connection,
        stretches: impl IntoIterator<Item = (TopicPartition, i64, i64)>,
    ) -> Result<Reader, Trouble> {
        let fatal = |error: KafkaError| Trouble::Fatal(error.to_string());
        let consumer = consumer(connection)?;
        let mut list = TopicPartitionList::new();
        let mut ends = HashMap::new();
        for (TopicPartition { topic, partition }, from, until) in stretches {
            list.add_partition_offset(&topic, partition, Offset::Offset(from)).map_err(fatal)?;
            ends.insert((topic.as_ref().to_owned(), partition), (until, from));
        }
        consumer.assign(&list).map_err(fatal)?;
        Ok(Reader { consumer, ends })
    }

    /// The next record, waiting for it at most so long.
    pub fn poll(&mut self, wait: Duration) -> Result<Read<'_>, Trouble> {
        match self.consumer.poll(wait) {
            None => Ok(Read::Nothing),
            Some(Ok(message)) => {
                let record = Record::new(message);
                if let Some((_, at)) = self.ends.get_mut(&(record.topic().to_owned(), record.partition())) {
                    *at = record.offset() + 1;
                }
                Ok(Read::Record(record))
            }
            Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::PartitionEOF))) => Ok(Read::Nothing),
            Some(Err(error)) => Err(Trouble::Retriable(error.to_string())),
        }
    }

    /// Whether every partition was read up to where it ended when the reader was opened. Markers of transactions are
    /// never handed out, so the position counts and not the last record.
    pub fn is_at_end(&self) -> bool {
        let positions = self.consumer.position().ok();
        self.ends.iter().all(|((topic, partition), (end, at))| {
            let position = positions.as_ref().and_then(|list| list.find_partition(topic, *partition));
            let position = match position.map(|element| element.offset()) {
                Some(Offset::Offset(position)) => position,
                _ => *at,
            };
            position.max(*at) >= *end
        })
    }

    /// How many records, markers included, the partitions held when the reader was opened.
    pub fn end_offsets(&self) -> i64 {
        self.ends.values().map(|(end, _)| *end).sum()
    }
}
