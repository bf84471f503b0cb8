//! `koine generate`: plays the four vendors. It writes the samples into the raw topics of a configuration, lap after lap,
//! each lap with ids and times of its own, for whoever wants to see a deployment at work that nobody sends webhooks to yet.

mod fresh;

use super::demo::samples::{BROKEN, GOOD, nth};
use super::{Failure, configuration, demo, run};
use crate::config::Config;
use crate::kafka::{Outgoing, Producer, ProducerSettings, SendError};
use crate::vendors::VENDORS;
use fresh::fresh;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::sync::watch;

#[derive(clap::Args)]
pub struct Arguments {
    /// The configuration file, which says where the brokers are and what the raw topics are called
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Webhooks a second
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// Ends after so many; without it, when it is told to
    #[arg(long, value_name = "N")]
    count: Option<usize>,
}

/// How long what is under way may take to arrive once nothing more is sent.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let config = configuration(arguments.config.as_deref(), &["kafka.bootstrap_servers"])?;
    let topics = VENDORS.iter().map(|vendor| raw_topic(&config, vendor.name));
    let topics: Vec<(&str, &str)> = topics.collect::<Result<_, _>>()?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(internal)?;
    let (stop, stopped) = watch::channel(false);
    runtime.spawn(async move {
        run::signal().await;
        let _ = stop.send(true);
    });
    let settings = ProducerSettings {
        connection: run::connection(&config),
        transactional_id: None,
        transaction_timeout: config.transaction_timeout,
        batch_bytes: None,
    };
    let producer = Producer::open(&settings).map_err(internal)?;
    eprintln!(
        "{} webhooks a second to {}",
        arguments.rate,
        topics.iter().map(|(_, topic)| *topic).collect::<Vec<_>>().join(", ")
    );
    let written = feed(&producer, &topics, &arguments, &stopped)?;
    producer.flush(PATIENCE).map_err(internal)?;
    arrived(&producer)?;
    eprintln!("{written} webhooks were written");
    Ok(())
}

/// Vendor and raw topic: the first that the configuration has by name for that vendor's webhooks as they are sent, else for
/// anybody's.
fn raw_topic<'c>(config: &'c Config, vendor: &'static str) -> Result<(&'static str, &'c str), Failure> {
    let first_of = |whose: Option<&str>| {
        let sources = config.sources.iter().filter(|source| source.vendor.as_deref() == whose);
        let mut plain = sources.filter(|source| source.payload_pointer.is_none() && source.event_type.is_none());
        plain.find_map(|source| source.topics.iter().find(|topic| !topic.is_pattern()))
    };
    match first_of(Some(vendor)).or_else(|| first_of(None)) {
        Some(topic) => Ok((vendor, topic.as_str())),
        None => {
            Err(Failure::Usage(format!("sources: no topic stands there by name for webhooks as {vendor} sends them")))
        }
    }
}

/// Sends until it is enough; how many.
fn feed(
    producer: &Producer,
    topics: &[(&str, &str)],
    arguments: &Arguments,
    stopped: &watch::Receiver<bool>,
) -> Result<usize, Failure> {
    let begun = Instant::now();
    let first_lap = u64::try_from(demo::now() / 1_000).unwrap_or_default() * fresh::LAPS_A_SECOND;
    let mut sent = 0;
    while !*stopped.borrow() {
        let due = (begun.elapsed().as_secs_f64() * f64::from(arguments.rate)) as usize;
        let due = due.min(arguments.count.unwrap_or(usize::MAX));
        while sent < due && !*stopped.borrow() {
            let sample = nth(sent);
            let Some((_, topic)) = topics.iter().find(|(vendor, _)| *vendor == sample.vendor) else { break };
            let time = demo::now();
            let is_broken = BROKEN.iter().any(|broken| std::ptr::eq(broken, sample));
            let body = match is_broken {
                true => sample.body.to_vec(),
                false => fresh(sample.body, first_lap + (sent / GOOD.len()) as u64, time),
            };
            let key = format!("{}-{sent}", sample.name);
            let (key, value) = (Some(key.as_bytes()), Some(body.as_slice()));
            let record = Outgoing { topic, partition: None, key, value, timestamp_ms: Some(time) };
            match producer.send(&record, std::iter::empty::<(&str, Option<&[u8]>)>(), sent) {
                Ok(()) => sent += 1,
                Err(SendError::QueueFull) => producer.serve(Duration::from_millis(20)),
                Err(SendError::Trouble(trouble)) => return Err(internal(trouble)),
            }
        }
        producer.serve(Duration::from_millis(10));
        arrived(producer)?;
        if arguments.count.is_some_and(|count| sent >= count) {
            break;
        }
    }
    Ok(sent)
}

/// That no record came back.
fn arrived(producer: &Producer) -> Result<(), Failure> {
    match producer.take_failures().into_iter().next() {
        Some(failure) => Err(internal(failure.trouble)),
        None => Ok(()),
    }
}

fn internal(error: impl std::fmt::Display) -> Failure {
    Failure::Internal(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::configuration_of;
    use super::*;

    fn topics(yaml: &str) -> Result<Vec<String>, String> {
        let config = configuration_of(yaml).expect("a configuration");
        let all = VENDORS.iter().map(|vendor| raw_topic(&config, vendor.name).map(|(_, topic)| topic.to_owned()));
        all.collect::<Result<_, _>>().map_err(|failure| failure.to_string())
    }

    #[test]
    fn each_vendors_samples_go_where_that_vendors_webhooks_are_read() {
        assert_eq!(topics("{}").unwrap(), ["raw.spree", "raw.bspk", "raw.composer", "raw.bold"]);
        let some = "sources:
  - {topics: ['^in\\.'], vendor: spree}
  - {topics: [gateway], vendor: spree, payload_pointer: /body}
  - {topics: [paid], vendor: spree, event_type: order.paid}
  - {topics: ['^other', plain], vendor: spree}
  - {topics: [anybody]}
  - {topics: [shop], vendor: bold}";
        assert_eq!(topics(some).unwrap(), ["plain", "anybody", "anybody", "shop"]);
        let none = topics("sources: [{topics: ['^in'], vendor: auto}, {topics: [shop], vendor: bold}]").unwrap_err();
        assert!(none.contains("spree"), "{none}");
    }
}
