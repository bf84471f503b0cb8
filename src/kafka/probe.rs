//! Tells a consumer that is stuck from one that has nothing to read: another consumer, in no group, reads at the same place.
//!
//! Offsets alone cannot: the markers of transactions have some and are no records.

use super::consumer::Lag;
use super::login::Quiet;
use super::settings::ConsumerSettings;
use super::trouble::{self, Trouble};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use std::time::{Duration, Instant};

/// How long all of it may take.
const ANSWER: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_millis(100);

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
    let quiet = Quiet { login: settings.connection.login() };
    let reader: BaseConsumer<Quiet> =
        config.create_with_context(quiet).map_err(|error| trouble::of_consumer(&error))?;
    reader.context().login.start(reader.client());
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
