//! Reads topics outside any group and without a trace on the broker: from their beginning, or stretches of them. For
//! whoever looks at what was written; never for the records that are translated.

use super::consumer::forget_positions;
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
    /// By topic and partition.
    stretches: HashMap<String, HashMap<i32, Progress>>,
    /// How many are not read to their end.
    open: usize,
    /// Whether it goes on beyond the ends, to what is written meanwhile.
    is_endless: bool,
}

/// A stretch of a partition: from this offset to before that one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    pub topic: String,
    pub partition: i32,
    pub from: i64,
    pub to: i64,
}

struct Progress {
    at: i64,
    to: i64,
}

/// What a poll gave.
pub enum Read<'r> {
    Record(Record<'r>),
    /// Nothing now.
    Nothing,
}

/// What a partition holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    pub topic: String,
    pub partition: i32,
    /// The first record that is still there.
    pub low: i64,
    /// Where the next one will stand; open transactions are before it.
    pub high: i64,
    /// What the group has done, if it has ever said so.
    pub committed: Option<i64>,
}

impl Reader {
    /// Starts at the beginning of every partition of these topics, and goes on beyond their ends as long as it is polled.
    /// A topic that is not there has none.
    pub fn open(connection: &Connection, topics: &[&str]) -> Result<Reader, Trouble> {
        let bounds = bounds(connection, None, |topic| topics.contains(&topic))?;
        let stretch = |it: Bounds| Stretch { topic: it.topic, partition: it.partition, from: it.low, to: it.high };
        let mut reader = Reader { is_endless: true, ..Reader::idle(connection)? };
        reader.turn_to(bounds.into_iter().map(stretch))?;
        Ok(reader)
    }

    /// Reads nothing until it is turned to something.
    pub fn idle(connection: &Connection) -> Result<Reader, Trouble> {
        let mut config = config(connection);
        // The memory it takes, whatever there is to read. A fetch is unpacked as a whole, and similar records are packed to a
        // small part of their size.
        config.set("queued.max.messages.kbytes", "8192").set("queued.min.messages", "10000");
        config.set("fetch.message.max.bytes", "131072").set("fetch.max.bytes", "8388608");
        let consumer = consumer(connection, &config)?;
        Ok(Reader { consumer, stretches: HashMap::new(), open: 0, is_endless: false })
    }

    /// Leaves what it read and reads these stretches, several at a time and each in its order.
    pub fn turn_to(&mut self, stretches: impl IntoIterator<Item = Stretch>) -> Result<(), Trouble> {
        // Before anything is started: librdkafka drops a resumption that meets the start of the partition (its issue 5591), and
        // then nothing comes of it any more.
        self.consumer.resume(&self.closed()).map_err(fatal)?;
        let mut list = TopicPartitionList::new();
        self.stretches.clear();
        self.open = 0;
        for Stretch { topic, partition, from, to } in stretches {
            if from >= to && !self.is_endless {
                continue;
            }
            list.add_partition_offset(&topic, partition, Offset::Offset(from)).map_err(fatal)?;
            self.stretches.entry(topic).or_default().insert(partition, Progress { at: from, to });
            self.open += usize::from(from < to);
        }
        self.consumer.assign(&list).map_err(fatal)?;
        // Else what is turned back would be at its end before it is read.
        forget_positions(&self.consumer, &list)
    }

    /// Those that were read to the end of their stretch, of which no more is fetched.
    fn closed(&self) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for (topic, partitions) in &self.stretches {
            for (partition, _) in partitions.iter().filter(|(_, progress)| progress.at >= progress.to) {
                list.add_partition(topic, *partition);
            }
        }
        list
    }

    /// The next record, waiting for it at most so long.
    pub fn poll(&mut self, wait: Duration) -> Result<Read<'_>, Trouble> {
        let Reader { consumer, stretches, open, is_endless } = self;
        match consumer.poll(wait) {
            None => Ok(Read::Nothing),
            Some(Ok(message)) => {
                let record = Record::new(message);
                let progress = stretches.get_mut(record.topic()).and_then(|it| it.get_mut(&record.partition()));
                let Some(progress) = progress else { return Ok(Read::Nothing) };
                let is_wanted = *is_endless || record.offset() < progress.to;
                if progress.advance(record.offset() + 1) {
                    *open -= 1;
                    if !*is_endless {
                        close(consumer, record.topic(), record.partition());
                    }
                }
                Ok(if is_wanted { Read::Record(record) } else { Read::Nothing })
            }
            Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::PartitionEOF))) => Ok(Read::Nothing),
            Some(Err(error)) => Err(Trouble::Retriable(error.to_string())),
        }
    }

    /// Whether every stretch was read. Markers of transactions are never handed out, so the position counts and not the
    /// last record.
    pub fn is_at_end(&mut self) -> bool {
        let Reader { consumer, stretches, open, is_endless } = self;
        if *open > 0
            && let Ok(positions) = consumer.position()
        {
            for element in positions.elements() {
                let Offset::Offset(position) = element.offset() else { continue };
                let progress = stretches.get_mut(element.topic()).and_then(|it| it.get_mut(&element.partition()));
                if progress.is_some_and(|progress| progress.advance(position)) {
                    *open -= 1;
                    if !*is_endless {
                        close(consumer, element.topic(), element.partition());
                    }
                }
            }
        }
        *open == 0
    }

    /// The partitions that are not read to the end of their stretch.
    pub fn unfinished(&self) -> Vec<String> {
        let all = self.stretches.iter().flat_map(|(topic, it)| it.iter().map(move |(nth, at)| (topic, *nth, at)));
        let mut names: Vec<String> = all
            .filter(|(_, _, progress)| progress.at < progress.to)
            .map(|(topic, nth, progress)| format!("{topic} [{nth}] at {} of {}", progress.at, progress.to))
            .collect();
        names.sort();
        names
    }

    /// How many records, markers included, the partitions held when the reader was opened.
    pub fn end_offsets(&self) -> i64 {
        self.stretches.values().flat_map(HashMap::values).map(|progress| progress.to).sum()
    }
}

impl Progress {
    /// Whether this brought it to its end.
    fn advance(&mut self, at: i64) -> bool {
        let was_open = self.at < self.to;
        self.at = self.at.max(at);
        was_open && self.at >= self.to
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
        let mut config = config(connection);
        // Where a partition ends is a place that no record may have: markers of transactions and what was compacted
        // away count, too. Only the end itself tells.
        config.set("enable.partition.eof", "true");
        // What is read ahead is held in memory.
        config.set("queued.max.messages.kbytes", "16384");
        let consumer = consumer(connection, &config)?;
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

/// No more is fetched of what was read. If that fails it costs fetches and no more.
fn close(consumer: &BaseConsumer<Quiet>, topic: &str, partition: i32) {
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, partition);
    if let Err(error) = consumer.pause(&list) {
        tracing::debug!(topic, partition, %error, "a partition that is read cannot be closed");
    }
}

/// What the partitions of these topics hold, and what a group has done of them. The group is asked first: whatever it
/// had done then, its outputs are before the ends that are asked for after.
pub fn bounds(
    connection: &Connection,
    group: Option<&str>,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<Vec<Bounds>, Trouble> {
    let mut config = connection.admin_config();
    config
        .set("group.id", group.unwrap_or("koine-reader"))
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_uncommitted");
    let consumer = consumer(connection, &config)?;
    let metadata = consumer.fetch_metadata(None, ANSWER).map_err(retriable)?;
    let mut list = TopicPartitionList::new();
    for topic in metadata.topics().iter().filter(|topic| is_wanted(topic.name())) {
        for partition in topic.partitions() {
            list.add_partition(topic.name(), partition.id());
        }
    }
    if list.count() == 0 {
        return Ok(Vec::new());
    }
    if group.is_some() {
        list = consumer.committed_offsets(list, ANSWER).map_err(retriable)?;
    }
    let mut bounds = Vec::with_capacity(list.count());
    for element in list.elements() {
        let (topic, partition) = (element.topic().to_owned(), element.partition());
        let (low, high) = consumer.fetch_watermarks(&topic, partition, ANSWER).map_err(retriable)?;
        let committed = match element.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        bounds.push(Bounds { topic, partition, low, high, committed });
    }
    bounds.sort_by(|one, other| (&one.topic, one.partition).cmp(&(&other.topic, other.partition)));
    Ok(bounds)
}

/// What is wrong with it comes back from the poll.
fn consumer(connection: &Connection, config: &ClientConfig) -> Result<BaseConsumer<Quiet>, Trouble> {
    let quiet = Quiet { login: connection.login() };
    let consumer: BaseConsumer<Quiet> = config.create_with_context(quiet).map_err(fatal)?;
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

fn fatal(error: KafkaError) -> Trouble {
    Trouble::Fatal(error.to_string())
}

fn retriable(error: KafkaError) -> Trouble {
    Trouble::Retriable(error.to_string())
}
