//! Tells a consumer that is stuck from one that has nothing to read: another consumer, in no group, reads at the same place.
//!
//! Offsets alone cannot: the markers of transactions have some and are no records.

use super::consumer::Lag;
use super::settings::ConsumerSettings;
use super::trouble::{self, Trouble};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use std::time::{Duration, Instant};

/// How long all of it may take.
const ANSWER: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_millis(100);

struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        super::consumer::log(level, fac, message);
    }

    fn stats_raw(&self, _: &[u8]) {}

    fn error(&self, error: KafkaError, reason: &str) {
        // The poll hands it out too. That a partition ends is one of them.
        tracing::debug!(%error, reason, "probe");
    }
}

impl ConsumerContext for Quiet {}

/// What was found at the places of partitions.
#[derive(Debug, Default)]
pub struct Probed {
    /// Here lies a record.
    pub stuck: Option<Lag>,
    /// Here none does.
    pub empty: Vec<Lag>,
}

/// Reads at these places until a record is found. Trouble says nothing about the one who is suspected.
pub fn probe(settings: &ConsumerSettings, suspects: &[Lag]) -> Result<Probed, Trouble> {
    let mut config = settings.config();
    config.set("enable.partition.eof", "true").remove("group.instance.id");
    let reader: BaseConsumer<Quiet> =
        config.create_with_context(Quiet).map_err(|error| trouble::of_consumer(&error))?;
    let until = Instant::now() + ANSWER;
    let mut probed = Probed::default();
    for lag in suspects {
        match reads(&reader, lag, until)? {
            Some(true) => {
                probed.stuck = Some(lag.clone());
                break;
            }
            Some(false) => probed.empty.push(lag.clone()),
            None => break,
        }
    }
    Ok(probed)
}

/// Whether a record lies there. `None`: no answer in time.
fn reads(reader: &BaseConsumer<Quiet>, lag: &Lag, until: Instant) -> Result<Option<bool>, Trouble> {
    let mut list = TopicPartitionList::new();
    let partition = &lag.partition;
    list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(lag.next))
        .and_then(|()| reader.assign(&list))
        .map_err(|error| trouble::of_consumer(&error))?;
    while Instant::now() < until {
        match reader.poll(TICK) {
            None => {}
            Some(Ok(_)) => return Ok(Some(true)),
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(Some(false)),
            Some(Err(error)) => return Err(trouble::of_consumer(&error)),
        }
    }
    Ok(None)
}
