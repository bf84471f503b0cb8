//! What becomes of webhooks, how many and how fast: a worker's own counts, and the shared ones that it puts them into.

use super::catalog;
use super::{Maker, Metrics, OTHER_EVENT_TYPE, Tables, all, combinations};
use prometheus::local::LocalHistogram;
use prometheus::{GaugeVec, Histogram, HistogramVec, IntCounter, IntCounterVec};
use std::ops::Range;
use std::time::{Duration, Instant};

/// Outcomes in the order of a tally.
const OUTCOMES: [&str; 3] = ["event", "ignored", "dead_letter"];
const EVENT: usize = 0;
const IGNORED: usize = 1;
const DEAD_LETTER: usize = 2;

/// What a record's translation consists of, in the order of [`Spent`].
const STAGES: [&str; 3] = ["parse", "map", "encode"];

/// The shared counts. Lists are flat, in the layout of [`Tally`].
pub(super) struct Flow {
    outcomes: Vec<IntCounter>,
    events: Vec<IntCounter>,
    unmapped: Vec<IntCounter>,
    ignored: Vec<IntCounter>,
    dead_letters: Vec<IntCounter>,
    dead_letter_failures: IntCounterVec,
    passed_over: IntCounter,
    consumed: IntCounterVec,
    consumed_bytes: IntCounterVec,
    produced_bytes: IntCounter,
    batch_records: Histogram,
    translate: Vec<Histogram>,
    ingest: Vec<Histogram>,
    end_to_end: Vec<Histogram>,
    last_event: GaugeVec,
}

impl Flow {
    pub fn new(make: &Maker, tables: &Tables, topics: &[&str]) -> Result<Flow, prometheus::Error> {
        let vendors = tables.all_vendors();
        let per_vendor = |family: &HistogramVec| -> Vec<Histogram> {
            vendors.iter().map(|vendor| family.with_label_values(&[*vendor])).collect()
        };
        let outcomes = make.counters(&catalog::OUTCOMES)?;
        let event_types = event_type_slots(tables);
        let outcome = |(vendor, event_type): &(&str, &str)| {
            OUTCOMES.map(|outcome| outcomes.with_label_values(&[*vendor, *event_type, outcome]))
        };
        let events = make.counters(&catalog::EVENTS)?;
        let event = |labels: &Vec<&str>| match labels.as_slice() {
            [vendor, entity, action] => {
                let place = tables.entities.iter().position(|name| name == entity);
                let topic = place.and_then(|place| topics.get(place)).copied().unwrap_or_default();
                events.with_label_values(&[*vendor, *entity, *action, topic])
            }
            _ => events.with_label_values(&[""; 4]),
        };
        let unmapped = make.counters(&catalog::UNMAPPED)?;
        let dead_letters = make.counters(&catalog::DEAD_LETTERS)?;
        let translate = make.histograms(&catalog::TRANSLATE)?;
        Ok(Flow {
            outcomes: event_types.iter().flat_map(outcome).collect(),
            events: combinations(&[tables.vendors, tables.entities, tables.actions]).iter().map(event).collect(),
            unmapped: tables
                .event_types
                .iter()
                .map(|(vendor, event_type)| unmapped.with_label_values(&[*vendor, *event_type]))
                .collect(),
            ignored: all(&make.counters(&catalog::IGNORED)?, &[tables.vendors, tables.rules]),
            dead_letters: vendors
                .iter()
                .flat_map(|vendor| tables.codes.iter().map(move |(code, class)| [*vendor, *code, *class]))
                .map(|labels| dead_letters.with_label_values(&labels))
                .collect(),
            dead_letter_failures: make.counters(&catalog::DEAD_LETTER_FAILURES)?,
            passed_over: make.counter(&catalog::PASSED_OVER)?,
            consumed: make.counters(&catalog::CONSUMED)?,
            consumed_bytes: make.counters(&catalog::CONSUMED_BYTES)?,
            produced_bytes: make.counter(&catalog::PRODUCED_BYTES)?,
            batch_records: make.histogram(&catalog::BATCH_RECORDS)?,
            translate: combinations(&[&vendors, &STAGES])
                .iter()
                .map(|labels| translate.with_label_values(labels))
                .collect(),
            ingest: per_vendor(&make.histograms(&catalog::INGEST)?),
            end_to_end: per_vendor(&make.histograms(&catalog::END_TO_END)?),
            last_event: make.float_gauges(&catalog::LAST_EVENT)?,
        })
    }
}

/// Vendor and event type of each slot: the documented ones, an other one of each vendor, and that of nobody.
fn event_type_slots(tables: &Tables) -> Vec<(&'static str, &'static str)> {
    let others = tables.all_vendors().into_iter().map(|vendor| (vendor, OTHER_EVENT_TYPE));
    tables.event_types.iter().copied().chain(others).collect()
}

impl Metrics {
    /// How many webhooks of a vendor ended so: `event`, `ignored` or `dead_letter`. A word that is none: none did.
    pub fn records(&self, vendor: &str, outcome: &str) -> u64 {
        let slots = event_type_slots(&self.tables);
        let of = |place: usize| self.flow.outcomes.get(place).map_or(0, IntCounter::get);
        let Some(outcome) = OUTCOMES.iter().position(|name| *name == outcome) else { return 0 };
        let slots = slots.iter().enumerate().filter(|(_, (owner, _))| *owner == vendor);
        slots.map(|(slot, _)| of(slot * OUTCOMES.len() + outcome)).sum()
    }

    /// How many webhooks of all vendors ended so.
    pub fn outcomes(&self, outcome: &str) -> u64 {
        self.tables.all_vendors().into_iter().map(|vendor| self.records(vendor, outcome)).sum()
    }

    /// How many webhooks have their outcome.
    pub fn units(&self) -> u64 {
        self.flow.outcomes.iter().map(IntCounter::get).sum()
    }

    /// How many webhooks a run with `--only` was not asked for.
    pub fn passed_over(&self) -> u64 {
        self.flow.passed_over.get()
    }

    /// A batch of so many raw records is committed.
    pub fn batch(&self, records: usize) {
        self.flow.batch_records.observe(records as f64);
    }

    /// Dead letters may be written to this topic from now on.
    pub fn dead_letter_topic(&self, topic: &str) {
        self.flow.dead_letter_failures.with_label_values(&[topic]);
    }

    /// A dead letter did not arrive in this topic.
    pub fn dead_letter_failed(&self, topic: &str) {
        self.flow.dead_letter_failures.with_label_values(&[topic]).inc();
    }
}

/// How long the parts of a record's translation took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// When it began.
    pub begun: Option<Instant>,
    pub parse: Duration,
    pub map: Duration,
    pub encode: Duration,
}

impl Spent {
    fn stages(self) -> [Duration; 3] {
        [self.parse, self.map, self.encode]
    }

    pub fn whole(self) -> Duration {
        self.parse + self.map + self.encode
    }
}

/// A canonical record that was written. Numbers are places in the tables.
#[derive(Debug, Clone, Copy)]
pub struct Emitted<'e> {
    pub vendor: usize,
    pub event_type: &'e str,
    pub entity: usize,
    pub action: usize,
    /// Leaves that have no canonical field.
    pub unmapped: usize,
    /// When it happened, in milliseconds since 1970, if the webhook says so, and how long ago that is.
    pub happened: Option<(i64, Duration)>,
}

/// One worker's counts since its last commit: plain numbers, no lock, no shared memory.
#[derive(Debug)]
pub struct Tally {
    tables: Tables,
    /// Where each vendor's event types stand in the table.
    event_types: Vec<Range<usize>>,
    outcomes: Vec<u64>,
    events: Vec<u64>,
    unmapped: Vec<u64>,
    ignored: Vec<u64>,
    dead_letters: Vec<u64>,
    passed_over: u64,
    produced_bytes: u64,
    translate: Vec<LocalHistogram>,
    ingest: Vec<LocalHistogram>,
    end_to_end: Vec<LocalHistogram>,
    last_events: Vec<Option<i64>>,
    topics: Vec<TopicTally>,
}

#[derive(Debug)]
struct TopicTally {
    name: String,
    /// By vendor, the unknown one last. Series come to be with their first record.
    records: Vec<u64>,
    bytes: u64,
}

/// A topic's place in a [`Tally`]; of no meaning for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicSlot(usize);

impl Tally {
    pub fn new(metrics: &Metrics) -> Tally {
        let (tables, flow) = (metrics.tables, &metrics.flow);
        let range = |vendor: &&str| {
            let is_theirs = |(owner, _): &(&str, &str)| owner == vendor;
            let first = tables.event_types.iter().position(is_theirs).unwrap_or_default();
            first..first + tables.event_types.iter().filter(|one| is_theirs(one)).count()
        };
        let local = |histograms: &[Histogram]| histograms.iter().map(Histogram::local).collect();
        Tally {
            tables,
            event_types: tables.vendors.iter().map(range).collect(),
            outcomes: vec![0; flow.outcomes.len()],
            events: vec![0; flow.events.len()],
            unmapped: vec![0; flow.unmapped.len()],
            ignored: vec![0; flow.ignored.len()],
            dead_letters: vec![0; flow.dead_letters.len()],
            passed_over: 0,
            produced_bytes: 0,
            translate: local(&flow.translate),
            ingest: local(&flow.ingest),
            end_to_end: local(&flow.end_to_end),
            last_events: vec![None; tables.vendors.len() * tables.entities.len()],
            topics: Vec::new(),
        }
    }

    /// The place of a topic. Not for every record: once for each run of a topic's records.
    pub fn topic(&mut self, name: &str) -> TopicSlot {
        if let Some(known) = self.topics.iter().position(|topic| topic.name == name) {
            return TopicSlot(known);
        }
        let records = vec![0; self.tables.vendors.len() + 1];
        self.topics.push(TopicTally { name: name.to_owned(), records, bytes: 0 });
        TopicSlot(self.topics.len() - 1)
    }

    /// A raw record with a value of so many bytes; `None`: whose it is could not be told. It is so old, if it has a time.
    #[inline]
    pub fn consumed(
        &mut self,
        topic: TopicSlot,
        vendor: Option<usize>,
        bytes: usize,
        age: Option<Duration>,
        spent: Spent,
    ) {
        let vendor = vendor.unwrap_or(self.tables.vendors.len());
        if let Some(topic) = self.topics.get_mut(topic.0) {
            count(&mut topic.records, vendor);
            topic.bytes += bytes as u64;
        }
        if let (Some(histogram), Some(age)) = (self.ingest.get(vendor), age) {
            histogram.observe(age.as_secs_f64());
        }
        for (nth, took) in spent.stages().into_iter().enumerate() {
            if let Some(histogram) = self.translate.get(vendor * STAGES.len() + nth) {
                histogram.observe(took.as_secs_f64());
            }
        }
    }

    /// The slot of an event type: its place in the table, or that of the vendor's other ones.
    fn slot(&self, vendor: Option<usize>, event_type: &str) -> usize {
        let others = self.tables.event_types.len();
        let Some(vendor) = vendor else { return others + self.tables.vendors.len() };
        let theirs = self.event_types.get(vendor).cloned().unwrap_or_default();
        let known = self.tables.event_types.get(theirs.clone()).unwrap_or_default();
        known.binary_search_by(|(_, name)| (*name).cmp(event_type)).map_or(others + vendor, |nth| theirs.start + nth)
    }

    /// A canonical record.
    #[inline]
    pub fn event(&mut self, event: &Emitted<'_>) {
        let Emitted { vendor, entity, action, .. } = *event;
        let [entities, actions] = [self.tables.entities.len(), self.tables.actions.len()];
        debug_assert!(vendor < self.tables.vendors.len() && entity < entities && action < actions);
        let slot = self.slot(Some(vendor), event.event_type);
        count(&mut self.outcomes, slot * OUTCOMES.len() + EVENT);
        count(&mut self.events, (vendor * entities + entity) * actions + action);
        if let Some(leaves) = self.unmapped.get_mut(slot) {
            *leaves += event.unmapped as u64;
        }
        if let Some((at, age)) = event.happened {
            if let Some(histogram) = self.end_to_end.get(vendor) {
                histogram.observe(age.as_secs_f64());
            }
            if let Some(last) = self.last_events.get_mut(vendor * entities + entity) {
                *last = Some(at);
            }
        }
    }

    /// An ignored webhook.
    #[inline]
    pub fn ignored(&mut self, vendor: usize, event_type: &str, rule: usize) {
        debug_assert!(vendor < self.tables.vendors.len() && rule < self.tables.rules.len());
        let slot = self.slot(Some(vendor), event_type);
        count(&mut self.outcomes, slot * OUTCOMES.len() + IGNORED);
        count(&mut self.ignored, vendor * self.tables.rules.len() + rule);
    }

    /// A dead letter; `None`: whose it was could not be told.
    #[inline]
    pub fn dead_letter(&mut self, vendor: Option<usize>, event_type: &str, code: usize) {
        let slot = self.slot(vendor, event_type);
        count(&mut self.outcomes, slot * OUTCOMES.len() + DEAD_LETTER);
        let vendor = vendor.unwrap_or(self.tables.vendors.len());
        debug_assert!(vendor <= self.tables.vendors.len() && code < self.tables.codes.len());
        count(&mut self.dead_letters, vendor * self.tables.codes.len() + code);
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

    /// Puts everything into the shared counters and starts at 0 again. Once a batch, after its commit.
    pub fn add_to(&mut self, metrics: &Metrics) {
        let flow = &metrics.flow;
        drain(&mut self.outcomes, &flow.outcomes);
        drain(&mut self.events, &flow.events);
        drain(&mut self.unmapped, &flow.unmapped);
        drain(&mut self.ignored, &flow.ignored);
        drain(&mut self.dead_letters, &flow.dead_letters);
        flow.passed_over.inc_by(std::mem::take(&mut self.passed_over));
        flow.produced_bytes.inc_by(std::mem::take(&mut self.produced_bytes));
        for histogram in self.translate.iter().chain(&self.ingest).chain(&self.end_to_end) {
            histogram.flush();
        }
        let vendors = metrics.tables.all_vendors();
        for topic in &mut self.topics {
            for (records, vendor) in topic.records.iter_mut().zip(&vendors).filter(|(records, _)| **records > 0) {
                let counter = flow.consumed.with_label_values(&[*vendor, topic.name.as_str()]);
                counter.inc_by(std::mem::take(records));
            }
            flow.consumed_bytes.with_label_values(&[&topic.name]).inc_by(std::mem::take(&mut topic.bytes));
        }
        let entities = self.tables.entities;
        for (place, last) in self.last_events.iter_mut().enumerate() {
            let labels = vendors.get(place / entities.len()).zip(entities.get(place % entities.len()));
            if let (Some(at), Some((vendor, entity))) = (last.take(), labels) {
                flow.last_event.with_label_values(&[*vendor, *entity]).set(at as f64 / 1000.0);
            }
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
