//! Every metric, and where log lines go. Knows names of vendors, rules and codes only as the tables it is given, and
//! never sees a payload: no label and no line here can hold one's value.
//!
//! Counting a record touches no lock and no shared memory: a worker adds to its own [`Tally`] and puts that into the
//! shared [`Metrics`] once a batch, when the batch is committed. So an aborted batch that is read again counts once.

pub mod catalog;
mod clients;
mod drift;
mod flow;
mod log;
mod messaging;
pub mod otlp;
mod partitions;
mod render;
mod traces;

use catalog::{Kind, Metric};
use clients::{Clients, SchemaRegistry};
pub use clients::{Rebalance, Rebuild, RegistryState, SpanEnd, TransactionEnd};
use drift::DriftBook;
pub use drift::{OTHER_EVENT_TYPE, SeenDrift, Sighting};
use flow::Flow;
pub use flow::{Emitted, Spent, Tally, TopicSlot};
pub use log::{check_level, init, set_level};
use messaging::Messaging;
pub use messaging::Operation;
use partitions::Partitions;
pub use partitions::{BreakerLevel, PartitionGauges};
pub use prometheus::Error as MetricsError;
use prometheus::core::Collector;
use prometheus::{
    GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};
pub use render::{Exposition, negotiate};
use std::time::{SystemTime, UNIX_EPOCH};
pub use traces::{Link, Span, Traces, Value};

/// The label of a record whose vendor could not be told.
pub const UNKNOWN_VENDOR: &str = "unknown";
/// For a label's value that is on no list.
const OTHER: &str = "other";

/// The closed sets of label values. A place in one of these lists is what a [`Tally`] counts by.
#[derive(Debug, Clone, Copy)]
pub struct Tables {
    pub vendors: &'static [&'static str],
    pub entities: &'static [&'static str],
    pub actions: &'static [&'static str],
    /// Names of the rules by which events are ignored.
    pub rules: &'static [&'static str],
    /// Codes of dead letters, and their classes.
    pub codes: &'static [(&'static str, &'static str)],
    /// Vendors, in their order, and their event types, sorted.
    pub event_types: &'static [(&'static str, &'static str)],
    /// Kinds of drift.
    pub drift: &'static [&'static str],
    /// What librdkafka calls the errors that a producer does not survive.
    pub fatal_codes: &'static [&'static str],
    /// Why a batch was not sent, or not committed.
    pub troubles: &'static [&'static str],
}

impl Tables {
    /// The vendors, and the one who could not be told.
    fn all_vendors(&self) -> Vec<&'static str> {
        self.vendors.iter().copied().chain([UNKNOWN_VENDOR]).collect()
    }
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

impl BuildInfo {
    /// What of the build's name tells what webhooks become.
    fn mapping_digest(&self) -> &str {
        self.build.rsplit_once('+').map_or("", |(_, digest)| digest)
    }
}

/// The commit that this was built from, if whoever built it said so.
const COMMIT: &str = match option_env!("KOINE_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

/// Every metric, in a registry of its own: two of these in one process (tests, `koine demo`) share nothing.
pub struct Metrics {
    registry: Registry,
    tables: Tables,
    flow: Flow,
    drift: DriftBook,
    partitions: Partitions,
    clients: Clients,
    schema_registry: SchemaRegistry,
    messaging: Option<Messaging>,
}

impl Metrics {
    /// Makes and registers everything; closed label sets start at 0. `topics` are the canonical ones, in the order of the
    /// entities. Fails only where two metrics have one name or a name is no name, which a test of any kind would show.
    pub fn new(tables: Tables, topics: &[&str], build: &BuildInfo) -> Result<Metrics, prometheus::Error> {
        let make = Maker { registry: Registry::new() };
        let info = make.gauges(&catalog::BUILD_INFO)?;
        info.with_label_values(&[build.version, COMMIT, &build.librdkafka, build.mapping_digest()]).set(1);
        Ok(Metrics {
            flow: Flow::new(&make, &tables, topics)?,
            drift: DriftBook::new(make.counters(&catalog::DRIFT)?, &tables),
            partitions: Partitions::new(&make)?,
            clients: Clients::new(&make, &tables)?,
            schema_registry: SchemaRegistry::new(&make)?,
            messaging: None,
            registry: make.registry,
            tables,
        })
    }

    /// Also under the names that OpenTelemetry has for messaging, for this consumer group.
    pub fn with_messaging(self, group: &str) -> Result<Metrics, prometheus::Error> {
        let messaging = Messaging::new(&Maker { registry: self.registry.clone() }, &self.tables, group)?;
        Ok(Metrics { messaging: Some(messaging), ..self })
    }

    /// The page of all metrics.
    pub fn render(&self, exposition: Exposition) -> String {
        render::render(&self.registry.gather(), exposition)
    }

    /// Counts drift, and keeps in mind where it was.
    pub fn drift(&self, seen: &[Sighting<'_>]) {
        self.drift.note(seen);
    }

    /// Where drift was seen, most often first.
    pub fn seen_drift(&self) -> SeenDrift {
        self.drift.seen()
    }
}

/// The time, in milliseconds since 1970.
#[allow(clippy::disallowed_methods, reason = "ages are told by the clock")]
fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as i64)
}

/// A word of a closed set, in the order of the metric's series.
trait Word: Copy + PartialEq + 'static {
    const ALL: &'static [(Self, &'static str)];
}

macro_rules! words {
    ($($type:ty: $($variant:ident = $word:literal),+;)+) => {$(
        impl $crate::telemetry::Word for $type {
            const ALL: &'static [(Self, &'static str)] = &[$((Self::$variant, $word)),+];
        }
    )+};
}
use words;

/// One series for each word of a closed set, there from the start.
struct PerWord<T: Word, S>(Vec<(T, S)>);

impl<T: Word, S> PerWord<T, S> {
    fn new(make: impl Fn(&'static str) -> S) -> PerWord<T, S> {
        PerWord(T::ALL.iter().map(|(word, name)| (*word, make(name))).collect())
    }

    fn of(&self, word: T) -> Option<&S> {
        self.0.iter().find(|(other, _)| *other == word).map(|(_, series)| series)
    }
}

/// The word, if it is one of these, else the one for all others.
fn of<'w>(words: &[&str], word: &'w str, other: &'w str) -> &'w str {
    if words.contains(&word) { word } else { other }
}

/// Every combination of label values, the last label running fastest.
fn combinations(sets: &[&[&'static str]]) -> Vec<Vec<&'static str>> {
    let mut combinations: Vec<Vec<&str>> = vec![Vec::new()];
    for set in sets {
        combinations = combinations
            .iter()
            .flat_map(|head| set.iter().map(move |word| [head, [*word].as_slice()].concat()))
            .collect();
    }
    combinations
}

/// One counter for each combination of label values.
fn all(family: &IntCounterVec, sets: &[&[&'static str]]) -> Vec<IntCounter> {
    combinations(sets).iter().map(|labels| family.with_label_values(labels)).collect()
}

/// Makes what the catalog says, and registers it.
struct Maker {
    registry: Registry,
}

impl Maker {
    fn register<M: Collector + Clone + 'static>(&self, metric: M) -> Result<M, prometheus::Error> {
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn counter(&self, metric: &Metric) -> Result<IntCounter, prometheus::Error> {
        self.register(IntCounter::new(metric.name, metric.help)?)
    }

    fn counters(&self, metric: &Metric) -> Result<IntCounterVec, prometheus::Error> {
        self.register(IntCounterVec::new(Opts::new(metric.name, metric.help), metric.labels)?)
    }

    fn gauge(&self, metric: &Metric) -> Result<IntGauge, prometheus::Error> {
        self.register(IntGauge::new(metric.name, metric.help)?)
    }

    fn gauges(&self, metric: &Metric) -> Result<IntGaugeVec, prometheus::Error> {
        self.register(IntGaugeVec::new(Opts::new(metric.name, metric.help), metric.labels)?)
    }

    fn float_gauges(&self, metric: &Metric) -> Result<GaugeVec, prometheus::Error> {
        self.register(GaugeVec::new(Opts::new(metric.name, metric.help), metric.labels)?)
    }

    fn histogram(&self, metric: &Metric) -> Result<Histogram, prometheus::Error> {
        self.register(Histogram::with_opts(ladder(metric))?)
    }

    fn histograms(&self, metric: &Metric) -> Result<HistogramVec, prometheus::Error> {
        self.register(HistogramVec::new(ladder(metric), metric.labels)?)
    }
}

fn ladder(metric: &Metric) -> HistogramOpts {
    let buckets = match metric.kind {
        Kind::Histogram(buckets) => buckets.to_vec(),
        Kind::Counter | Kind::Gauge => Vec::new(),
    };
    HistogramOpts::new(metric.name, metric.help).buckets(buckets)
}

#[cfg(test)]
mod tests;
