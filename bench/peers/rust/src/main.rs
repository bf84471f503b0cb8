//! The Rust peers of bench/run: reads BENCH_COUNT records of one topic, sends what becomes of each to another, and exits.
//!
//!     peers LOOP TRANSFORM DELIVERY
//!
//! LOOP is base (one record a call), batch (librdkafka's batches) or stream (futures, as rust-rdkafka's examples have it);
//! TRANSFORM that of translate.rs; DELIVERY none, at_least_once or exactly_once. Brokers, topics and so on come in BENCH_*.
//! It knows neither dead letters nor metrics, and panics at the first trouble: it is here to be measured.

mod loops;
mod offsets;

use peers::translate::Transform;
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use std::time::Duration;

#[derive(Clone, Copy, PartialEq)]
pub enum Delivery {
    /// Nothing is committed.
    None,
    AtLeastOnce,
    ExactlyOnce,
}

pub struct Job {
    pub brokers: String,
    pub input: String,
    pub output: String,
    pub group: String,
    pub count: u64,
    pub schema_id: u32,
    pub linger_ms: String,
    pub commit_every: Duration,
    pub transform: Transform,
    pub delivery: Delivery,
}

impl Job {
    pub fn consumer(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("group.id", &self.group)
            .set("auto.offset.reset", "earliest")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("isolation.level", "read_committed")
            .set("fetch.message.max.bytes", "1048576")
            .set("queued.min.messages", "100000")
            .set("queued.max.messages.kbytes", "65536")
            // Its default of 1000 ms starves any consumer that empties a full queue in less than a second.
            .set("fetch.queue.backoff.ms", "5")
            .set_log_level(RDKafkaLogLevel::Error);
        config
    }

    pub fn producer(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("compression.type", "lz4")
            .set("linger.ms", &self.linger_ms)
            .set("batch.size", "262144")
            .set("queue.buffering.max.messages", "200000")
            .set("queue.buffering.max.kbytes", "131072")
            .set("partitioner", "murmur2_random")
            .set_log_level(RDKafkaLogLevel::Error);
        if self.delivery == Delivery::ExactlyOnce {
            config.set("transactional.id", &self.group);
        }
        config
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [shape, transform, delivery] = arguments.as_slice() else { panic!("peers LOOP TRANSFORM DELIVERY") };
    let (delivery, commit_every) = match delivery.as_str() {
        "none" => (Delivery::None, Duration::MAX),
        "at_least_once" => (Delivery::AtLeastOnce, Duration::from_secs(1)),
        // Kafka Streams' default.
        "exactly_once" => (Delivery::ExactlyOnce, Duration::from_millis(100)),
        other => panic!("no delivery {other}"),
    };
    let job = Job {
        brokers: variable("BENCH_BROKERS"),
        input: variable("BENCH_IN"),
        output: variable("BENCH_OUT"),
        group: variable("BENCH_GROUP"),
        count: variable("BENCH_COUNT").parse().expect("BENCH_COUNT is a number"),
        schema_id: variable("BENCH_SCHEMA_ID").parse().expect("BENCH_SCHEMA_ID is a number"),
        linger_ms: variable("BENCH_LINGER_MS"),
        commit_every,
        transform: Transform::parse(transform).expect("a transform"),
        delivery,
    };
    match shape.as_str() {
        "base" => loops::base(&job),
        "batch" => loops::batch(&job),
        "stream" => loops::stream(&job),
        other => panic!("no loop {other}"),
    }
    // Not by returning: to leave the group and close the clients is no part of the work, and after `batch` may not end.
    // SAFETY: everything is delivered and committed; nobody else is to run.
    unsafe { libc::_exit(0) }
}
