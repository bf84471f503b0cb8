//! Those that koine talks to: brokers, by consumer and producer, and the schema registry.

use super::catalog;
use super::{Maker, Metrics, OTHER, PerWord, Tables, combinations, now_ms, of, words};
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionEnd {
    Committed,
    Aborted,
    /// A newer producer has our transactional id.
    Fenced,
    /// The producer cannot go on.
    Fatal,
}

/// Why a worker made its clients anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rebuild {
    /// The producer met a fatal error.
    ProducerFatal,
    /// The producer was fenced.
    ProducerFenced,
    /// A transaction could be neither committed nor aborted.
    TransactionStuck,
    /// The consumer met a fatal error.
    ConsumerFatal,
    /// A secret or a certificate has changed.
    Credentials,
    /// The consumer gave nothing although there was something.
    ConsumerStuck,
    /// The consumer or the producer did not find the group's coordinator, and another did; or a question was open for half an hour.
    CoordinatorLost,
    /// Anything else, such as a client that could not be made.
    Other,
}

/// What became of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanEnd {
    Exported,
    /// The collector did not take it.
    Failed,
    /// Too many waited.
    Dropped,
}

/// How partitions came or went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rebalance {
    Assign,
    Revoke,
    /// Gone without being asked: the group believed this member dead.
    Lost,
}

/// What is known of the schema registry, which is asked beside the records only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistryState {
    /// Not asked yet, or asking again after trouble, and nothing is translated meanwhile.
    Waiting,
    /// Every schema id is known, and was so when the registry was asked last.
    Pinned,
    /// The ids are those of a bundle, and the registry has not been there to confirm them.
    Bundle,
    /// The ids were confirmed, and the registry does not answer now.
    Away,
    /// The ids were confirmed, and the registry does not know them any more.
    Missing,
    /// It answered that a schema is not registered, or that an id is another schema's.
    Refused,
}

words! {
    TransactionEnd: Committed = "committed", Aborted = "aborted", Fenced = "fenced", Fatal = "fatal";
    Rebuild: ProducerFatal = "producer_fatal", ProducerFenced = "producer_fenced", TransactionStuck = "transaction_stuck",
        ConsumerFatal = "consumer_fatal", ConsumerStuck = "consumer_stuck", CoordinatorLost = "coordinator_lost",
        Credentials = "credentials", Other = "other";
    SpanEnd: Exported = "exported", Failed = "failed", Dropped = "dropped";
    Rebalance: Assign = "assign", Revoke = "revoke", Lost = "lost";
    RegistryState: Waiting = "waiting", Pinned = "pinned", Bundle = "bundle", Away = "away", Missing = "missing",
        Refused = "refused";
}

/// The client whose statistics are read.
const PRODUCER: &str = "producer";

pub(super) struct Clients {
    transactions: PerWord<TransactionEnd, (IntCounter, Histogram)>,
    commits: IntCounterVec,
    producer_fatal: IntCounterVec,
    rebuilds: PerWord<Rebuild, IntCounter>,
    rebalances: PerWord<Rebalance, (IntCounter, Histogram)>,
    /// What is in the queue of each worker's producer: records, bytes.
    queues: Mutex<BTreeMap<usize, (i64, i64)>>,
    queue_messages: IntGauge,
    queue_bytes: IntGauge,
    statistics_failures: IntCounter,
    spans: PerWord<SpanEnd, IntCounter>,
    reloads: IntCounterVec,
    last_reload: IntGauge,
    last_reload_successful: IntGauge,
    certificates: IntGaugeVec,
    brokers: IntGaugeVec,
    workers: IntGauge,
    ready: IntGauge,
}

impl Clients {
    pub fn new(make: &Maker, tables: &Tables) -> Result<Clients, prometheus::Error> {
        let transactions = make.counters(&catalog::TRANSACTIONS)?;
        let transaction_times = make.histograms(&catalog::TRANSACTION_DURATION)?;
        let rebalances = make.counters(&catalog::REBALANCES)?;
        let rebalance_times = make.histograms(&catalog::REBALANCE_DURATION)?;
        let rebuilds = make.counters(&catalog::REBUILDS)?;
        let reloads = make.counters(&catalog::RELOADS)?;
        for result in ["ok", "failed"] {
            reloads.with_label_values(&[result]);
        }
        let last_reload = make.gauge(&catalog::RELOAD_SUCCESS)?;
        last_reload.set(now_ms() / 1000);
        let last_reload_successful = make.gauge(&catalog::RELOAD_SUCCESSFUL)?;
        last_reload_successful.set(1);
        let producer_fatal = make.counters(&catalog::PRODUCER_FATAL)?;
        for code in tables.fatal_codes.iter().copied().chain([OTHER]) {
            producer_fatal.with_label_values(&[code]);
        }
        let spans = make.counters(&catalog::SPANS)?;
        let commits = make.counters(&catalog::COMMITS)?;
        for result in ["ok", "failed"] {
            commits.with_label_values(&[result]);
        }
        let both = |counters: &IntCounterVec, times: &HistogramVec, word: &str| {
            (counters.with_label_values(&[word]), times.with_label_values(&[word]))
        };
        Ok(Clients {
            transactions: PerWord::new(|word| both(&transactions, &transaction_times, word)),
            commits,
            producer_fatal,
            rebuilds: PerWord::new(|word| rebuilds.with_label_values(&[word])),
            rebalances: PerWord::new(|word| both(&rebalances, &rebalance_times, word)),
            queues: Mutex::default(),
            queue_messages: make.gauge(&catalog::PRODUCER_MESSAGES)?,
            queue_bytes: make.gauge(&catalog::PRODUCER_BYTES)?,
            statistics_failures: make.counters(&catalog::STATISTICS_FAILURES)?.with_label_values(&[PRODUCER]),
            reloads,
            last_reload,
            last_reload_successful,
            certificates: make.gauges(&catalog::CERTIFICATES)?,
            spans: PerWord::new(|word| spans.with_label_values(&[word])),
            brokers: make.gauges(&catalog::BROKERS)?,
            workers: make.gauge(&catalog::WORKERS)?,
            ready: make.gauge(&catalog::READY)?,
        })
    }
}

/// Of librdkafka's statistics, what is asked for.
#[derive(serde::Deserialize)]
struct Statistics {
    msg_cnt: i64,
    msg_size: i64,
}

impl Metrics {
    /// A transaction ended, after so long.
    pub fn transaction(&self, end: TransactionEnd, took: Duration) {
        if let Some((counter, times)) = self.clients.transactions.of(end) {
            counter.inc();
            times.observe(took.as_secs_f64());
        }
    }

    /// Offsets were committed outside of a transaction, or that failed.
    pub fn offset_commit(&self, ok: bool) {
        self.clients.commits.with_label_values(&[if ok { "ok" } else { "failed" }]).inc();
    }

    /// A producer cannot go on, for what librdkafka has this name for, if it has one.
    pub fn producer_fatal(&self, code: Option<&str>) {
        let code = of(self.tables.fatal_codes, code.unwrap_or(OTHER), OTHER);
        self.clients.producer_fatal.with_label_values(&[code]).inc();
    }

    pub fn rebuild(&self, reason: Rebuild) {
        if let Some(counter) = self.clients.rebuilds.of(reason) {
            counter.inc();
        }
    }

    /// Partitions came or went, which took so long.
    pub fn rebalance(&self, kind: Rebalance, took: Duration) {
        if let Some((counter, times)) = self.clients.rebalances.of(kind) {
            counter.inc();
            times.observe(took.as_secs_f64());
        }
    }

    /// The configuration was read again, or could not be.
    pub fn reload(&self, ok: bool) {
        self.clients.reloads.with_label_values(&[if ok { "ok" } else { "failed" }]).inc();
        self.clients.last_reload_successful.set(i64::from(ok));
        if ok {
            self.clients.last_reload.set(now_ms() / 1000);
        }
    }

    /// When the certificates that a setting names end, in seconds since 1970; `None`: that is not known.
    pub fn certificate_ends(&self, setting: &str, end: Option<i64>) {
        match end {
            Some(end) => self.clients.certificates.with_label_values(&[setting]).set(end),
            // There may be none, which is as well.
            None => drop(self.clients.certificates.remove_label_values(&[setting])),
        }
    }

    /// So many spans were sent, or were not.
    pub fn spans(&self, end: SpanEnd, count: u64) {
        if let Some(counter) = self.clients.spans.of(end) {
            counter.inc_by(count);
        }
    }

    /// Whether a broker has answered this worker when it was asked last.
    pub fn brokers_reachable(&self, worker: usize, are_they: bool) {
        self.clients.brokers.with_label_values(&[&worker.to_string()]).set(i64::from(are_they));
    }

    pub fn workers(&self, count: usize) {
        self.clients.workers.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Whether the process is ready, as it is when somebody asks.
    pub fn ready(&self, is_it: bool) {
        self.clients.ready.set(i64::from(is_it));
    }

    /// What librdkafka tells of a worker's producer: JSON, if nothing has cut it off. Nothing else depends on it.
    pub fn producer_statistics(&self, worker: usize, statistics: &[u8]) {
        match serde_json::from_slice(statistics) {
            Ok(Statistics { msg_cnt, msg_size }) => self.producer_queue(worker, msg_cnt, msg_size),
            Err(_) => self.clients.statistics_failures.inc(),
        }
    }

    /// A worker's producer is no more, and its queue with it.
    pub fn producer_gone(&self, worker: usize) {
        self.producer_queue(worker, 0, 0);
    }

    fn producer_queue(&self, worker: usize, messages: i64, bytes: i64) {
        let Ok(mut queues) = self.clients.queues.lock() else { return };
        queues.insert(worker, (messages, bytes));
        self.clients.queue_messages.set(queues.values().map(|(messages, _)| messages).sum());
        self.clients.queue_bytes.set(queues.values().map(|(_, bytes)| bytes).sum());
    }
}

/// How requests to a registry end: what has a series of its own.
const CODES: [&str; 15] = [
    "200",
    "400",
    "401",
    "403",
    "404",
    "408",
    "409",
    "422",
    "429",
    "500",
    "502",
    "503",
    "504",
    "timeout",
    "unreachable",
];
/// What `koine run` asks a registry.
const OPERATIONS: [&str; 4] = ["lookup", "list_versions", "read_version", "read_schema"];
/// The reasons for which a request to a registry is made again.
const REASONS: [&str; 6] = ["unreachable", "timeout", "throttled", "denied", "unavailable", "not_a_registry"];

pub(super) struct SchemaRegistry {
    state: PerWord<RegistryState, IntGauge>,
    requests: IntCounterVec,
    times: HistogramVec,
    retries: IntCounterVec,
    last_success: IntGauge,
    schemas: IntGaugeVec,
}

impl SchemaRegistry {
    pub fn new(make: &Maker) -> Result<SchemaRegistry, prometheus::Error> {
        let requests = make.counters(&catalog::REGISTRY_REQUESTS)?;
        for labels in combinations(&[&[&OPERATIONS[..], &[OTHER]].concat(), &[&CODES[..], &[OTHER]].concat()]) {
            requests.with_label_values(&labels);
        }
        let times = make.histograms(&catalog::REGISTRY_DURATION)?;
        for operation in OPERATIONS.into_iter().chain([OTHER]) {
            times.with_label_values(&[operation]);
        }
        let retries = make.counters(&catalog::REGISTRY_RETRIES)?;
        for reason in REASONS.into_iter().chain([OTHER]) {
            retries.with_label_values(&[reason]);
        }
        let state = make.gauges(&catalog::REGISTRY_STATE)?;
        Ok(SchemaRegistry {
            state: PerWord::new(|word| state.with_label_values(&[word])),
            requests,
            times,
            retries,
            last_success: make.gauge(&catalog::REGISTRY_SUCCESS)?,
            schemas: make.gauges(&catalog::SCHEMAS)?,
        })
    }
}

impl Metrics {
    pub fn registry_state(&self, now: RegistryState) {
        for (state, gauge) in &self.schema_registry.state.0 {
            gauge.set(i64::from(*state == now));
        }
        if now == RegistryState::Pinned {
            self.schema_registry.last_success.set(now_ms() / 1000);
        }
    }

    /// A request ended after so long: with a status, in a `timeout`, or `unreachable`.
    pub fn registry_request(&self, operation: &str, code: &str, took: Duration) {
        let operation = of(&OPERATIONS, operation, OTHER);
        self.schema_registry.requests.with_label_values(&[operation, of(&CODES, code, OTHER)]).inc();
        self.schema_registry.times.with_label_values(&[operation]).observe(took.as_secs_f64());
    }

    /// A request has to be made again.
    pub fn registry_retry(&self, reason: &str) {
        self.schema_registry.retries.with_label_values(&[of(&REASONS, reason, OTHER)]).inc();
    }

    pub fn schema_pinned(&self, subject: &str, version: Option<u32>, id: u32, fingerprint: &str) {
        let version = version.map(|version| version.to_string()).unwrap_or_default();
        let labels = [subject, &version, &id.to_string(), fingerprint];
        self.schema_registry.schemas.with_label_values(&labels).set(1);
    }
}
