//! Every metric, and where log lines go. Knows names of vendors, rules and codes only as the tables it is given, and
//! never sees a payload: no label and no line here can hold one's value.
//!
//! Counting a record touches no lock and no shared memory: a worker adds to its own [`Tally`] and puts that into the
//! shared [`Metrics`] once a batch, when the batch is committed. So an aborted batch that is read again counts once.

mod drift;
mod render;

use drift::DriftBook;
pub use drift::{OTHER_EVENT_TYPE, SeenDrift, Sighting};
pub use render::{Exposition, negotiate};

use prometheus::core::Collector;
use prometheus::{
    GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};
use std::time::Duration;

/// The label of a record whose vendor could not be told.
pub const UNKNOWN_VENDOR: &str = "unknown";

/// The closed sets of label values. A place in one of these lists is what a [`Tally`] counts by.
#[derive(Debug, Clone, Copy)]
pub struct Tables {
    pub vendors: &'static [&'static str],
    pub entities: &'static [&'static str],
    pub actions: &'static [&'static str],
    /// Names of the rules by which events are ignored.
    pub rules: &'static [&'static str],
    /// Codes of dead letters.
    pub codes: &'static [&'static str],
    /// Vendors and their event types.
    pub event_types: &'static [(&'static str, &'static str)],
    /// Kinds of drift.
    pub drift: &'static [&'static str],
}

/// What is running.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct BuildInfo {
    pub version: &'static str,
    /// Version and mapping digest, as in the header `koine.build`.
    pub build: String,
    /// Version of librdkafka.
    pub librdkafka: String,
}

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
    /// Anything else, such as a client that could not be made.
    Other,
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

/// How requests to a registry end: what has a series of its own.
const REGISTRY_CODES: [&str; 15] = [
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
/// The reasons for which a request to a registry is made again.
const REGISTRY_REASONS: [&str; 6] = ["unreachable", "timeout", "throttled", "denied", "unavailable", "not_a_registry"];
/// For a label's value that is on no list.
const OTHER: &str = "other";

/// A word of a closed set, in the order of the metric's series.
trait Word: Copy + 'static {
    const ALL: &'static [(Self, &'static str)];
    fn is(self, other: Self) -> bool;
}

macro_rules! words {
    ($($type:ty: $($variant:ident = $word:literal),+;)+) => {$(
        impl Word for $type {
            const ALL: &'static [(Self, &'static str)] = &[$((Self::$variant, $word)),+];
            fn is(self, other: Self) -> bool {
                self == other
            }
        }
    )+};
}

words! {
    TransactionEnd: Committed = "committed", Aborted = "aborted", Fenced = "fenced", Fatal = "fatal";
    Rebuild: ProducerFatal = "producer_fatal", ProducerFenced = "producer_fenced", TransactionStuck = "transaction_stuck",
        ConsumerFatal = "consumer_fatal", ConsumerStuck = "consumer_stuck", Credentials = "credentials", Other = "other";
    Rebalance: Assign = "assign", Revoke = "revoke", Lost = "lost";
    RegistryState: Waiting = "waiting", Pinned = "pinned", Bundle = "bundle", Away = "away", Missing = "missing",
        Refused = "refused";
}

/// One series for each word of a closed set, there from the start.
struct PerWord<T: Word, S>(Vec<(T, S)>);

impl<T: Word, S> PerWord<T, S> {
    fn new(make: impl Fn(&'static str) -> S) -> PerWord<T, S> {
        PerWord(T::ALL.iter().map(|(word, name)| (*word, make(name))).collect())
    }

    fn of(&self, word: T) -> Option<&S> {
        self.0.iter().find(|(other, _)| other.is(word)).map(|(_, series)| series)
    }
}

/// Outcomes in the order of a tally.
const OUTCOMES: [&str; 3] = ["event", "ignored", "dead_letter"];
const EVENT: usize = 0;
const IGNORED: usize = 1;
const DEAD_LETTER: usize = 2;

/// Seconds. A batch takes from well below a millisecond to a whole transaction.
const SECONDS: &[f64] =
    &[0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// Seconds from the oldest record of a batch to its commit; a backlog is hours old.
const LATENCY: &[f64] =
    &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0];
const BATCH_RECORDS: &[f64] = &[1.0, 10.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10000.0];

/// Every metric, in a registry of its own: two of these in one process (tests, `koine demo`) share nothing.
pub struct Metrics {
    registry: Registry,
    tables: Tables,
    // Flat, in the layout of `Tally`.
    records: Vec<IntCounter>,
    events: Vec<IntCounter>,
    ignored: Vec<IntCounter>,
    dead_letters: Vec<IntCounter>,
    passed_over: IntCounter,
    drift: DriftBook,
    consumed: IntCounterVec,
    consumed_bytes: IntCounterVec,
    produced_bytes: IntCounter,
    batch_records: Histogram,
    translate: Histogram,
    transaction: Histogram,
    ingest: Histogram,
    transactions: PerWord<TransactionEnd, IntCounter>,
    commits: IntCounterVec,
    producer_fatal: IntCounter,
    offset_regressions: IntCounter,
    consumer_stuck: IntCounter,
    rebuilds: PerWord<Rebuild, IntCounter>,
    rebalances: PerWord<Rebalance, IntCounter>,
    registry_state: PerWord<RegistryState, IntGauge>,
    registry_requests: IntCounterVec,
    registry_retries: IntCounterVec,
    schemas: IntGaugeVec,
    assigned: IntGaugeVec,
    lag: IntGaugeVec,
    last_record: GaugeVec,
    stopped: IntGaugeVec,
    breaker: IntGaugeVec,
    paused: IntGaugeVec,
    workers: IntGauge,
}

impl Metrics {
    /// Makes and registers everything; closed label sets start at 0. Fails only where two metrics have one name or a
    /// name is no name, which a test of any kind would show.
    pub fn new(tables: Tables, build: &BuildInfo) -> Result<Metrics, prometheus::Error> {
        let make = Maker { registry: Registry::new() };
        let vendors: Vec<&'static str> = tables.vendors.iter().copied().chain([UNKNOWN_VENDOR]).collect();
        let info =
            make.gauges("koine_build_info", "What is running; always 1.", &["version", "build", "librdkafka"])?;
        info.with_label_values(&[build.version, &build.build, &build.librdkafka]).set(1);

        let records = make.counters("koine_records_total", "Webhooks that have their outcome, by outcome. A raw record is one webhook, or as many as the JSON array it is has elements.", &["vendor", "outcome"])?;
        let events =
            make.counters("koine_events_total", "Canonical records written.", &["vendor", "entity", "action"])?;
        let ignored = make.counters(
            "koine_ignored_total",
            "Documented events without a place in the model, by the rule that says so.",
            &["vendor", "rule"],
        )?;
        let dead_letters =
            make.counters("koine_dead_letters_total", "Dead letters written, by code.", &["vendor", "code"])?;
        let state = make.gauges("koine_registry_state", "1 for the state of the schema registry: waiting (asking, or asking again), pinned (all ids known and confirmed), bundle (ids from a bundle, not confirmed yet), away (confirmed, and it does not answer now), missing (confirmed, and forgotten by it), refused (a schema is not registered, or an id is another schema's).", &["state"])?;
        let registry_requests = make.counters(
            "koine_registry_requests_total",
            "Requests to the schema registry by how they ended: a status, timeout, or unreachable.",
            &["code"],
        )?;
        let registry_retries = make.counters(
            "koine_registry_retries_total",
            "Requests to the schema registry that have to be made again, by reason.",
            &["reason"],
        )?;
        for code in REGISTRY_CODES.into_iter().chain([OTHER]) {
            registry_requests.with_label_values(&[code]);
        }
        for reason in REGISTRY_REASONS.into_iter().chain([OTHER]) {
            registry_retries.with_label_values(&[reason]);
        }
        let transactions = make.counters("koine_transactions_total", "Transactions by how they ended.", &["result"])?;
        let rebuilds =
            make.counters("koine_rebuilds_total", "Times a worker made its consumer and producer anew.", &["reason"])?;
        let rebalances = make.counters("koine_rebalances_total", "Rebalances seen by this process.", &["kind"])?;
        let commits = make.counters(
            "koine_commits_total",
            "Commits of offsets outside of transactions (at_least_once).",
            &["result"],
        )?;
        for result in ["ok", "failed"] {
            commits.with_label_values(&[result]);
        }
        Ok(Metrics {
            records: all(&records, &[&vendors, &OUTCOMES]),
            events: all(&events, &[tables.vendors, tables.entities, tables.actions]),
            ignored: all(&ignored, &[tables.vendors, tables.rules]),
            dead_letters: all(&dead_letters, &[&vendors, tables.codes]),
            passed_over: make.counter(
                "koine_passed_over_total",
                "Webhooks that a run with --only was not asked for. Consumed are events, ignored, dead letters and these.",
            )?,
            drift: DriftBook::new(
                make.counters(
                    "koine_schema_drift_total",
                    "Ways in which webhooks are not as their vendor's pages say, by webhook: a place that no page knows, another JSON type, an unknown word or form, an event type that no page names. /drift says where.",
                    &["vendor", "event_type", "kind"],
                )?,
                &tables,
            ),
            consumed: make.counters(
                "koine_records_consumed_total",
                "Raw records whose batch is committed.",
                &["topic"],
            )?,
            consumed_bytes: make.counters(
                "koine_consumed_bytes_total",
                "Bytes of raw values whose batch is committed.",
                &["topic"],
            )?,
            produced_bytes: make.counter(
                "koine_produced_bytes_total",
                "Bytes of canonical values and dead letters whose batch is committed.",
            )?,
            batch_records: make.histogram("koine_batch_records", "Raw records in a batch.", BATCH_RECORDS)?,
            translate: make.histogram(
                "koine_batch_translate_duration_seconds",
                "Translation of one batch: parsing, mapping, encoding; no waiting.",
                SECONDS,
            )?,
            transaction: make.histogram(
                "koine_transaction_duration_seconds",
                "One transaction, from begin to commit.",
                SECONDS,
            )?,
            ingest: make.histogram(
                "koine_ingest_latency_seconds",
                "From the timestamp of a batch's oldest raw record to its commit.",
                LATENCY,
            )?,
            transactions: PerWord::new(|word| transactions.with_label_values(&[word])),
            commits,
            producer_fatal: make.counter(
                "koine_producer_fatal_errors_total",
                "Fatal errors of producers; each has a line in the log.",
            )?,
            offset_regressions: make.counter(
                "koine_offset_regressions_total",
                "Times a partition was handed out at an offset before what this process had committed.",
            )?,
            consumer_stuck: make.counter(
                "koine_consumer_stuck_total",
                "Times a consumer gave nothing of a partition in which another reader found a record, and was made anew.",
            )?,
            rebuilds: PerWord::new(|word| rebuilds.with_label_values(&[word])),
            rebalances: PerWord::new(|word| rebalances.with_label_values(&[word])),
            registry_state: PerWord::new(|word| state.with_label_values(&[word])),
            registry_requests,
            registry_retries,
            schemas: make.gauges(
                "koine_schema_info",
                "The schema id in use for a subject; always 1.",
                &["subject", "schema_id"],
            )?,
            assigned: make.gauges(
                "koine_consumer_assigned_partitions",
                "Partitions this process reads.",
                &["topic"],
            )?,
            lag: make.gauges(
                "koine_consumer_lag_records",
                "Records behind the end of the partition, as far as committed readers may read.",
                &["topic", "partition"],
            )?,
            last_record: make.float_gauges(
                "koine_last_record_processed_timestamp_seconds",
                "Timestamp of the last raw record whose batch is committed.",
                &["topic", "partition"],
            )?,
            stopped: make.gauges(
                "koine_partition_stopped",
                "Records that are gone before they were read, where that stopped the partition (see --accept-loss).",
                &["topic", "partition"],
            )?,
            breaker: make.gauges(
                "koine_breaker_state",
                "The partition's breaker: 0 closed, 1 probing, 2 open.",
                &["topic", "partition"],
            )?,
            paused: make.gauges(
                "koine_partition_paused",
                "1 while the partition is not read, though it could be, for this reason.",
                &["topic", "partition", "reason"],
            )?,
            workers: make.gauge("koine_workers", "Workers of this process.")?,
            registry: make.registry,
            tables,
        })
    }

    /// The page of all metrics.
    pub fn render(&self, exposition: Exposition) -> String {
        render::render(&self.registry.gather(), exposition)
    }

    /// How many webhooks of a vendor ended so: `event`, `ignored` or `dead_letter`. A word that is none: none did.
    pub fn records(&self, vendor: &str, outcome: &str) -> u64 {
        let vendors = self.tables.vendors.iter().copied().chain([UNKNOWN_VENDOR]);
        let vendor = vendors.into_iter().position(|name| name == vendor);
        let outcome = OUTCOMES.iter().position(|name| *name == outcome);
        let place = vendor.zip(outcome).map(|(vendor, outcome)| vendor * OUTCOMES.len() + outcome);
        place.and_then(|place| self.records.get(place)).map_or(0, IntCounter::get)
    }

    /// How many webhooks of all vendors ended so.
    pub fn outcomes(&self, outcome: &str) -> u64 {
        let vendors = self.tables.vendors.iter().copied().chain([UNKNOWN_VENDOR]);
        vendors.map(|vendor| self.records(vendor, outcome)).sum()
    }

    /// How many webhooks have their outcome.
    pub fn units(&self) -> u64 {
        self.records.iter().map(IntCounter::get).sum()
    }

    /// How many webhooks a run with `--only` was not asked for.
    pub fn passed_over(&self) -> u64 {
        self.passed_over.get()
    }

    /// Counts drift, and keeps in mind where it was.
    pub fn drift(&self, seen: &[Sighting<'_>]) {
        self.drift.note(seen);
    }

    /// Where drift was seen, most often first.
    pub fn seen_drift(&self) -> SeenDrift {
        self.drift.seen()
    }

    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    pub fn batch(&self, records: usize, translate: Duration) {
        self.batch_records.observe(records as f64);
        self.translate.observe(translate.as_secs_f64());
    }

    /// A transaction ended, after so long.
    pub fn transaction(&self, end: TransactionEnd, took: Duration) {
        if let Some(counter) = self.transactions.of(end) {
            counter.inc();
        }
        if end == TransactionEnd::Committed {
            self.transaction.observe(took.as_secs_f64());
        }
    }

    /// A batch is committed whose oldest raw record is so old.
    pub fn committed(&self, oldest: Duration) {
        self.ingest.observe(oldest.as_secs_f64());
    }

    /// Offsets were committed outside of a transaction, or that failed.
    pub fn offset_commit(&self, ok: bool) {
        self.commits.with_label_values(&[if ok { "ok" } else { "failed" }]).inc();
    }

    pub fn producer_fatal(&self) {
        self.producer_fatal.inc();
    }

    pub fn offset_regression(&self) {
        self.offset_regressions.inc();
    }

    pub fn consumer_stuck(&self) {
        self.consumer_stuck.inc();
    }

    pub fn rebuild(&self, reason: Rebuild) {
        if let Some(counter) = self.rebuilds.of(reason) {
            counter.inc();
        }
    }

    pub fn rebalance(&self, kind: Rebalance) {
        if let Some(counter) = self.rebalances.of(kind) {
            counter.inc();
        }
    }

    pub fn registry_state(&self, now: RegistryState) {
        for (state, gauge) in &self.registry_state.0 {
            gauge.set(i64::from(*state == now));
        }
    }

    /// A request ended: with a status, in a `timeout`, or `unreachable`.
    pub fn registry_request(&self, code: &str) {
        let code = if REGISTRY_CODES.contains(&code) { code } else { OTHER };
        self.registry_requests.with_label_values(&[code]).inc();
    }

    /// A request has to be made again.
    pub fn registry_retry(&self, reason: &str) {
        let reason = if REGISTRY_REASONS.contains(&reason) { reason } else { OTHER };
        self.registry_retries.with_label_values(&[reason]).inc();
    }

    pub fn schema_pinned(&self, subject: &str, id: u32) {
        self.schemas.with_label_values(&[subject, id.to_string().as_str()]).set(1);
    }

    pub fn workers(&self, count: usize) {
        self.workers.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// The gauges of a partition that was just assigned; call [`PartitionGauges::release`] when it goes.
    pub fn partition(&self, topic: &str, partition: i32) -> PartitionGauges {
        let assigned = self.assigned.with_label_values(&[topic]);
        assigned.inc();
        let gauges = PartitionGauges {
            assigned,
            lag: self.lag.clone(),
            last_record: self.last_record.clone(),
            stopped: self.stopped.clone(),
            breaker: self.breaker.clone(),
            paused: self.paused.clone(),
            labels: [topic.to_owned(), partition.to_string()],
        };
        gauges.breaker(BreakerLevel::Closed, false);
        gauges
    }
}

/// The gauges of one assigned partition. Its series are looked up at each call, some times a second: where a partition
/// moves between two workers of this process, the one may let go after the other took it, and a kept series would be
/// one that nobody renders any more.
pub struct PartitionGauges {
    assigned: IntGauge,
    lag: IntGaugeVec,
    last_record: GaugeVec,
    stopped: IntGaugeVec,
    breaker: IntGaugeVec,
    paused: IntGaugeVec,
    labels: [String; 2],
}

/// What a partition's breaker is like, as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerLevel {
    Closed = 0,
    Probing = 1,
    Open = 2,
}

/// The reason of `koine_partition_paused` that is a breaker.
const BY_BREAKER: &str = "breaker";

impl PartitionGauges {
    pub fn lag(&self, records: i64) {
        self.lag.with_label_values(&self.labels).set(records);
    }

    /// The timestamp, in milliseconds since 1970, of the last record of a committed batch.
    pub fn processed(&self, timestamp_millis: i64) {
        self.last_record.with_label_values(&self.labels).set(timestamp_millis as f64 / 1000.0);
    }

    /// The partition is stopped: so many records from the committed offset on are gone.
    pub fn stopped(&self, records_gone: i64) {
        self.stopped.with_label_values(&self.labels).set(records_gone);
    }

    /// The partition's breaker has turned, and the partition is paused for it or not.
    pub fn breaker(&self, level: BreakerLevel, is_paused: bool) {
        self.breaker.with_label_values(&self.labels).set(level as i64);
        self.paused.with_label_values(&self.paused_labels()).set(i64::from(is_paused));
    }

    fn paused_labels(&self) -> [&str; 3] {
        let [topic, partition] = &self.labels;
        [topic, partition, BY_BREAKER]
    }

    /// The partition belongs to another now: its series end here, or two processes would tell of one partition.
    pub fn release(self) {
        // A series that was never set is not there to be removed.
        let _ = self.lag.remove_label_values(&self.labels);
        let _ = self.last_record.remove_label_values(&self.labels);
        let _ = self.stopped.remove_label_values(&self.labels);
        let _ = self.breaker.remove_label_values(&self.labels);
        let _ = self.paused.remove_label_values(&self.paused_labels());
        self.assigned.dec();
    }
}

/// One worker's counts since its last commit: plain numbers, no lock, no shared memory.
#[derive(Debug)]
pub struct Tally {
    entities: usize,
    actions: usize,
    rules: usize,
    codes: usize,
    vendors: usize,
    records: Vec<u64>,
    events: Vec<u64>,
    ignored: Vec<u64>,
    dead_letters: Vec<u64>,
    passed_over: u64,
    produced_bytes: u64,
    topics: Vec<TopicTally>,
}

#[derive(Debug)]
struct TopicTally {
    name: String,
    records: u64,
    bytes: u64,
    counters: (IntCounter, IntCounter),
}

/// A topic's place in a [`Tally`]; of no meaning for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicSlot(usize);

impl Tally {
    pub fn new(tables: &Tables) -> Tally {
        let vendors = tables.vendors.len();
        let [entities, actions] = [tables.entities.len(), tables.actions.len()];
        let [rules, codes] = [tables.rules.len(), tables.codes.len()];
        Tally {
            entities,
            actions,
            rules,
            codes,
            vendors,
            records: vec![0; (vendors + 1) * OUTCOMES.len()],
            events: vec![0; vendors * entities * actions],
            ignored: vec![0; vendors * rules],
            dead_letters: vec![0; (vendors + 1) * codes],
            passed_over: 0,
            produced_bytes: 0,
            topics: Vec::new(),
        }
    }

    /// The place of a topic. Not for every record: once when a partition is assigned.
    pub fn topic(&mut self, metrics: &Metrics, name: &str) -> TopicSlot {
        if let Some(known) = self.topics.iter().position(|topic| topic.name == name) {
            return TopicSlot(known);
        }
        let counters = (metrics.consumed.with_label_values(&[name]), metrics.consumed_bytes.with_label_values(&[name]));
        self.topics.push(TopicTally { name: name.to_owned(), records: 0, bytes: 0, counters });
        TopicSlot(self.topics.len() - 1)
    }

    /// A raw record with a value of so many bytes.
    #[inline]
    pub fn consumed(&mut self, topic: TopicSlot, bytes: usize) {
        if let Some(topic) = self.topics.get_mut(topic.0) {
            topic.records += 1;
            topic.bytes += bytes as u64;
        }
    }

    /// A canonical record. Each argument is a place in its table.
    #[inline]
    pub fn event(&mut self, vendor: usize, entity: usize, action: usize) {
        debug_assert!(vendor < self.vendors && entity < self.entities && action < self.actions);
        count(&mut self.records, vendor * OUTCOMES.len() + EVENT);
        count(&mut self.events, (vendor * self.entities + entity) * self.actions + action);
    }

    /// An ignored webhook.
    #[inline]
    pub fn ignored(&mut self, vendor: usize, rule: usize) {
        debug_assert!(vendor < self.vendors && rule < self.rules);
        count(&mut self.records, vendor * OUTCOMES.len() + IGNORED);
        count(&mut self.ignored, vendor * self.rules + rule);
    }

    /// A dead letter; `None`: whose it was could not be told.
    #[inline]
    pub fn dead_letter(&mut self, vendor: Option<usize>, code: usize) {
        let vendor = vendor.unwrap_or(self.vendors);
        debug_assert!(vendor <= self.vendors && code < self.codes);
        count(&mut self.records, vendor * OUTCOMES.len() + DEAD_LETTER);
        count(&mut self.dead_letters, vendor * self.codes + code);
    }

    /// A webhook that was not asked for.
    #[inline]
    pub fn passed_over(&mut self) {
        self.passed_over += 1;
    }

    /// Bytes of values handed to the producer.
    #[inline]
    pub fn produced(&mut self, bytes: usize) {
        self.produced_bytes += bytes as u64;
    }

    /// Events, ignored and dead letters so far: what the ledger compares with the units consumed.
    pub fn outcomes(&self) -> u64 {
        self.records.iter().sum()
    }

    /// Puts everything into the shared counters and starts at 0 again. Once a batch, after its commit.
    pub fn add_to(&mut self, metrics: &Metrics) {
        drain(&mut self.records, &metrics.records);
        drain(&mut self.events, &metrics.events);
        drain(&mut self.ignored, &metrics.ignored);
        drain(&mut self.dead_letters, &metrics.dead_letters);
        metrics.passed_over.inc_by(std::mem::take(&mut self.passed_over));
        metrics.produced_bytes.inc_by(std::mem::take(&mut self.produced_bytes));
        for topic in &mut self.topics {
            topic.counters.0.inc_by(std::mem::take(&mut topic.records));
            topic.counters.1.inc_by(std::mem::take(&mut topic.bytes));
        }
    }

    /// Forgets everything since the last commit: the batch was aborted and will be read again.
    pub fn clear(&mut self) {
        for counts in [&mut self.records, &mut self.events, &mut self.ignored, &mut self.dead_letters] {
            counts.fill(0);
        }
        (self.passed_over, self.produced_bytes) = (0, 0);
        for topic in &mut self.topics {
            (topic.records, topic.bytes) = (0, 0);
        }
    }
}

#[inline]
fn count(counts: &mut [u64], place: usize) {
    if let Some(slot) = counts.get_mut(place) {
        *slot += 1;
    }
}

fn drain(counts: &mut [u64], shared: &[IntCounter]) {
    for (count, counter) in counts.iter_mut().zip(shared) {
        if *count > 0 {
            counter.inc_by(std::mem::take(count));
        }
    }
}

/// One counter for each combination of label values, the last label running fastest.
fn all(family: &IntCounterVec, sets: &[&[&'static str]]) -> Vec<IntCounter> {
    let mut combinations: Vec<Vec<&str>> = vec![Vec::new()];
    for set in sets {
        combinations = combinations
            .iter()
            .flat_map(|head| set.iter().map(move |word| [head, [*word].as_slice()].concat()))
            .collect();
    }
    combinations.iter().map(|labels| family.with_label_values(labels)).collect()
}

struct Maker {
    registry: Registry,
}

impl Maker {
    fn register<M: Collector + Clone + 'static>(&self, metric: M) -> Result<M, prometheus::Error> {
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.register(IntCounter::new(name, help)?)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
        self.register(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        self.register(IntGauge::new(name, help)?)
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    fn float_gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec, prometheus::Error> {
        self.register(GaugeVec::new(Opts::new(name, help), labels)?)
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, prometheus::Error> {
        self.register(Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?)
    }
}

/// Whether `log.level` can be read: a level, or directives such as `info,koine::kafka=debug`. The error says why not.
pub fn check_level(text: &str) -> Result<(), String> {
    filter(text).map(|_| ())
}

fn filter(text: &str) -> Result<tracing_subscriber::EnvFilter, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    // A bare word that is no level would be read as a module's name and switch everything else off.
    if let Some(word) = text.split(',').find(|part| !part.contains(['=', '[']) && !LEVELS.contains(&part.trim())) {
        return Err(format!("`{word}` is no level; there are {}", LEVELS.join(", ")));
    }
    tracing_subscriber::EnvFilter::builder().parse(text).map_err(|error| error.to_string())
}

/// Sends log lines to stderr: text (coloured on a terminal only) or one JSON object a line. Once a process; the error
/// says what is wrong with `level`, or that there is a subscriber already.
pub fn init(json: bool, level: &str) -> Result<(), String> {
    use std::io::IsTerminal;
    let builder = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter(level)?);
    let done = match json {
        true => builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
        false => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
    done.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLES: Tables = Tables {
        vendors: &["bspk", "spree"],
        entities: &["customer", "order"],
        actions: &["created", "paid", "canceled"],
        rules: &["back_office", "credential"],
        codes: &["body.empty", "json.syntax"],
        event_types: &[("spree", "order.paid")],
        drift: &["new_path", "new_event_type"],
    };

    fn metrics() -> Metrics {
        let build = BuildInfo { version: "0.1.0", build: "0.1.0+abc".to_owned(), librdkafka: "2.12.1".to_owned() };
        Metrics::new(TABLES, &build).unwrap()
    }

    fn has(page: &str, line: &str) {
        assert!(page.lines().any(|found| found == line), "no `{line}` in\n{page}");
    }

    #[test]
    fn closed_sets_start_at_zero() {
        let page = metrics().render(Exposition::Prometheus);
        for line in [
            r#"koine_records_total{outcome="event",vendor="bspk"} 0"#,
            r#"koine_records_total{outcome="dead_letter",vendor="unknown"} 0"#,
            r#"koine_events_total{action="paid",entity="order",vendor="spree"} 0"#,
            r#"koine_ignored_total{rule="credential",vendor="spree"} 0"#,
            r#"koine_dead_letters_total{code="json.syntax",vendor="unknown"} 0"#,
            r#"koine_transactions_total{result="committed"} 0"#,
            r#"koine_transactions_total{result="aborted"} 0"#,
            r#"koine_transactions_total{result="fenced"} 0"#,
            r#"koine_transactions_total{result="fatal"} 0"#,
            r#"koine_rebuilds_total{reason="producer_fenced"} 0"#,
            r#"koine_rebalances_total{kind="lost"} 0"#,
            r#"koine_commits_total{result="failed"} 0"#,
            r#"koine_registry_state{state="waiting"} 0"#,
            r#"koine_registry_requests_total{code="504"} 0"#,
            r#"koine_registry_retries_total{reason="throttled"} 0"#,
            "koine_producer_fatal_errors_total 0",
            "koine_offset_regressions_total 0",
            "koine_consumer_stuck_total 0",
            r#"koine_rebuilds_total{reason="consumer_stuck"} 0"#,
            r#"koine_build_info{build="0.1.0+abc",librdkafka="2.12.1",version="0.1.0"} 1"#,
        ] {
            has(&page, line);
        }
    }

    #[test]
    fn a_tally_lands_in_the_series_it_names() {
        let metrics = metrics();
        let mut tally = Tally::new(&TABLES);
        let topic = tally.topic(&metrics, "raw.spree");
        assert_eq!(tally.topic(&metrics, "raw.spree"), topic);
        for _ in 0..5 {
            tally.consumed(topic, 100);
        }
        tally.event(1, 1, 1);
        tally.event(1, 1, 1);
        tally.event(0, 0, 2);
        tally.ignored(1, 1);
        tally.dead_letter(Some(0), 0);
        tally.dead_letter(None, 1);
        tally.produced(70);
        assert_eq!(tally.outcomes(), 6);
        let before = metrics.render(Exposition::Prometheus);
        has(&before, r#"koine_events_total{action="paid",entity="order",vendor="spree"} 0"#);
        tally.add_to(&metrics);
        tally.add_to(&metrics);
        let page = metrics.render(Exposition::Prometheus);
        for line in [
            r#"koine_records_consumed_total{topic="raw.spree"} 5"#,
            r#"koine_consumed_bytes_total{topic="raw.spree"} 500"#,
            "koine_produced_bytes_total 70",
            r#"koine_records_total{outcome="event",vendor="spree"} 2"#,
            r#"koine_records_total{outcome="event",vendor="bspk"} 1"#,
            r#"koine_records_total{outcome="ignored",vendor="spree"} 1"#,
            r#"koine_records_total{outcome="dead_letter",vendor="bspk"} 1"#,
            r#"koine_records_total{outcome="dead_letter",vendor="unknown"} 1"#,
            r#"koine_events_total{action="paid",entity="order",vendor="spree"} 2"#,
            r#"koine_events_total{action="canceled",entity="customer",vendor="bspk"} 1"#,
            r#"koine_ignored_total{rule="credential",vendor="spree"} 1"#,
            r#"koine_dead_letters_total{code="body.empty",vendor="bspk"} 1"#,
            r#"koine_dead_letters_total{code="json.syntax",vendor="unknown"} 1"#,
        ] {
            has(&page, line);
        }
        assert_eq!(tally.outcomes(), 0);
    }

    #[test]
    fn an_aborted_batch_counts_nothing() {
        let metrics = metrics();
        let mut tally = Tally::new(&TABLES);
        let topic = tally.topic(&metrics, "raw.bspk");
        tally.consumed(topic, 1);
        tally.event(0, 0, 0);
        tally.produced(9);
        tally.clear();
        tally.add_to(&metrics);
        let page = metrics.render(Exposition::Prometheus);
        has(&page, r#"koine_records_consumed_total{topic="raw.bspk"} 0"#);
        has(&page, r#"koine_records_total{outcome="event",vendor="bspk"} 0"#);
        has(&page, "koine_produced_bytes_total 0");
    }

    #[test]
    fn every_place_of_a_tally_has_its_own_series() {
        let metrics = metrics();
        let mut tally = Tally::new(&TABLES);
        for vendor in 0..TABLES.vendors.len() {
            for entity in 0..TABLES.entities.len() {
                for action in 0..TABLES.actions.len() {
                    tally.event(vendor, entity, action);
                }
            }
        }
        tally.add_to(&metrics);
        let page = metrics.render(Exposition::Prometheus);
        let events: Vec<&str> = page.lines().filter(|line| line.starts_with("koine_events_total{")).collect();
        assert_eq!(events.len(), 12);
        assert!(events.iter().all(|line| line.ends_with(" 1")), "{events:#?}");
    }

    #[test]
    fn a_partition_that_goes_takes_its_series_along() {
        let metrics = metrics();
        let partition = metrics.partition("raw.bold", 3);
        partition.lag(12);
        partition.processed(1_700_000_000_500);
        partition.stopped(7);
        has(
            &metrics.render(Exposition::Prometheus),
            r#"koine_partition_paused{partition="3",reason="breaker",topic="raw.bold"} 0"#,
        );
        partition.breaker(BreakerLevel::Open, true);
        let page = metrics.render(Exposition::Prometheus);
        has(&page, r#"koine_consumer_lag_records{partition="3",topic="raw.bold"} 12"#);
        has(&page, r#"koine_last_record_processed_timestamp_seconds{partition="3",topic="raw.bold"} 1700000000.5"#);
        has(&page, r#"koine_partition_stopped{partition="3",topic="raw.bold"} 7"#);
        has(&page, r#"koine_consumer_assigned_partitions{topic="raw.bold"} 1"#);
        has(&page, r#"koine_breaker_state{partition="3",topic="raw.bold"} 2"#);
        has(&page, r#"koine_partition_paused{partition="3",reason="breaker",topic="raw.bold"} 1"#);
        partition.release();
        let page = metrics.render(Exposition::Prometheus);
        assert!(!page.contains(r#"partition="3""#), "{page}");
        has(&page, r#"koine_consumer_assigned_partitions{topic="raw.bold"} 0"#);
    }

    #[test]
    fn the_registry_has_one_state() {
        let metrics = metrics();
        metrics.registry_state(RegistryState::Waiting);
        metrics.registry_state(RegistryState::Pinned);
        metrics.schema_pinned("commerce.order.v1-value", 42);
        metrics.registry_request("429");
        metrics.registry_request("418");
        metrics.registry_retry("throttled");
        let page = metrics.render(Exposition::Prometheus);
        has(&page, r#"koine_registry_requests_total{code="429"} 1"#);
        has(&page, r#"koine_registry_requests_total{code="other"} 1"#);
        has(&page, r#"koine_registry_retries_total{reason="throttled"} 1"#);
        has(&page, r#"koine_registry_state{state="waiting"} 0"#);
        has(&page, r#"koine_registry_state{state="pinned"} 1"#);
        has(&page, r#"koine_schema_info{schema_id="42",subject="commerce.order.v1-value"} 1"#);
    }

    #[test]
    fn durations_are_seconds() {
        let metrics = metrics();
        metrics.batch(500, Duration::from_micros(700));
        metrics.transaction(TransactionEnd::Committed, Duration::from_millis(20));
        metrics.transaction(TransactionEnd::Fenced, Duration::from_secs(900));
        metrics.committed(Duration::from_millis(90));
        metrics.rebuild(Rebuild::ProducerFenced);
        metrics.offset_commit(true);
        let page = metrics.render(Exposition::Prometheus);
        has(&page, r#"koine_batch_translate_duration_seconds_bucket{le="0.0005"} 0"#);
        has(&page, r#"koine_batch_translate_duration_seconds_bucket{le="0.001"} 1"#);
        has(&page, "koine_transaction_duration_seconds_count 1");
        has(&page, "koine_ingest_latency_seconds_sum 0.09");
        has(&page, r#"koine_transactions_total{result="fenced"} 1"#);
        has(&page, r#"koine_rebuilds_total{reason="producer_fenced"} 1"#);
        has(&page, r#"koine_commits_total{result="ok"} 1"#);
    }

    #[test]
    fn names_follow_the_rules() {
        let metrics = metrics();
        metrics.partition("t", 0).stopped(1);
        metrics.schema_pinned("s", 1);
        let mut tally = Tally::new(&TABLES);
        tally.topic(&metrics, "t");
        for family in metrics.registry.gather() {
            let counter = family.get_field_type() == prometheus::proto::MetricType::COUNTER;
            assert!(family.name().starts_with("koine_"), "{}", family.name());
            assert_eq!(counter, family.name().ends_with("_total"), "{}", family.name());
            assert!(family.help().ends_with('.'), "{}", family.help());
        }
    }

    #[test]
    fn levels_are_checked() {
        for good in ["info", "off", "warn,koine::kafka=debug", "koine=trace"] {
            assert_eq!(check_level(good), Ok(()), "{good}");
        }
        for wrong in ["loud", "", "info,loud", "koine=loud", "a=b=c"] {
            assert!(check_level(wrong).is_err(), "{wrong}");
        }
    }
}
