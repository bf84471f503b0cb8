//! Reads topics from their beginning, or a stretch of them, outside any group and without a trace on the broker. For whoever looks at what
//! was written; never for the records that are translated.

use super::TopicPartition;
use super::login::Quiet;
use super::record::Record;
use super::settings::Connection;
use super::trouble::Trouble;
use rdkafka::TopicPartitionList;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::Offset;
use std::cell::Cell;
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

impl Reader {
    /// Starts at the beginning of every partition of these topics. A topic that is not there has none.
    pub fn open(connection: &Connection, topics: &[&str]) -> Result<Reader, Trouble> {
        let fatal = |error: KafkaError| Trouble::Fatal(error.to_string());
        let retriable = |error: KafkaError| Trouble::Retriable(error.to_string());
        let consumer = consumer(connection, config(connection))?;
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
        let consumer = consumer(connection, config(connection))?;
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

/// Reads one partition from its beginning to where it ended when the reader was opened, and not one record further.
/// Records may be held while others are read.
pub struct PartitionReader {
    consumer: BaseConsumer<Quiet>,
    /// The last offset that is committed for good, plus one.
    end: i64,
    is_at_end: Cell<bool>,
}

/// What the next look at a partition gave.
pub enum Next<'r> {
    Record(Record<'r>),
    /// Nothing now.
    Nothing,
    /// There is no more.
    End,
}

impl PartitionReader {
    /// `from`: the first offset wanted; what is no longer there is passed over.
    pub fn open(
        connection: &Connection,
        topic: &str,
        partition: i32,
        from: Option<i64>,
    ) -> Result<PartitionReader, Trouble> {
        let fatal = |error: KafkaError| Trouble::Fatal(error.to_string());
        let mut config = config(connection);
        // Where a partition ends is a place that no record may have: markers of transactions and what was compacted
        // away count, too. Only the end itself tells.
        config.set("enable.partition.eof", "true");
        // What is read ahead is held in memory.
        config.set("queued.max.messages.kbytes", "16384");
        let consumer = consumer(connection, config)?;
        // Asked by a read_committed client, the end is that of what is committed.
        let (low, end) = consumer
            .fetch_watermarks(topic, partition, ANSWER)
            .map_err(|error| Trouble::Retriable(format!("{topic} [{partition}]: {error}")))?;
        let from = from.map_or(low, |from| from.max(low));
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(from)).map_err(fatal)?;
        consumer.assign(&list).map_err(fatal)?;
        Ok(PartitionReader { consumer, end, is_at_end: Cell::new(from >= end) })
    }

    /// How many offsets there are to read, at most.
    pub fn end(&self) -> i64 {
        self.end
    }

    /// The next record, waiting for it at most so long.
    pub fn next(&self, wait: Duration) -> Result<Next<'_>, Trouble> {
        if self.is_at_end.get() {
            return Ok(Next::End);
        }
        match self.consumer.poll(wait) {
            None => Ok(Next::Nothing),
            Some(Ok(message)) => {
                let record = Record::new(message);
                self.is_at_end.set(record.offset() + 1 >= self.end);
                // Written after the opening, behind markers that nobody is told of.
                Ok(if record.offset() >= self.end { Next::End } else { Next::Record(record) })
            }
            Some(Err(KafkaError::PartitionEOF(_))) => {
                self.is_at_end.set(true);
                Ok(Next::End)
            }
            Some(Err(error)) => Err(Trouble::Retriable(error.to_string())),
        }
    }
}

/// The end of a partition is no error, and what is one comes back from the poll.
fn consumer(connection: &Connection, config: ClientConfig) -> Result<BaseConsumer<Quiet>, Trouble> {
    let quiet = Quiet { login: connection.login() };
    let consumer: BaseConsumer<Quiet> =
        config.create_with_context(quiet).map_err(|error| Trouble::Fatal(error.to_string()))?;
    consumer.context().login.start(consumer.client());
    Ok(consumer)
}

fn config(connection: &Connection) -> ClientConfig {
    let mut config = connection.admin_config();
    // librdkafka wants a name even where no group is joined.
    config.set("group.id", "koine-reader").set("enable.auto.commit", "false");
    config.set("isolation.level", "read_committed").set("auto.offset.reset", "earliest");
    config.set("fetch.wait.max.ms", "50").set("fetch.queue.backoff.ms", "5");
    config
}
