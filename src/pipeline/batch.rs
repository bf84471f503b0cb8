//! The batch at hand: raw records, and what became of each webhook in them, ready to be sent.
//!
//! Keys, values and headers of canonical records lie in one buffer that is used again from batch to batch. The raw
//! records stay until the batch is done: dead letters are made of them, and so is everything when it has to be done
//! again.

use super::dead_letter::{self, Form};
use super::observer::{Outcomes, Progress, UnitOutcome};
use crate::canonical::EntityKind;
use crate::codec::{self, SchemaIds};
use crate::kafka::{NextOffset, Offsets, Record, Refusal, TopicPartition};
use crate::reject::Code;
use crate::translate::{DeadLetter, Header, Ignored, Outcome, RawRecord, SourceSettings, Translated, Translator};
use crate::vendors;
use std::collections::HashMap;
use std::ops::Range;
use std::time::{Duration, Instant};

/// Raw records, and what became of their webhooks.
pub struct Batch<'c> {
    records: Vec<Record<'c>>,
    pub units: Vec<Unit>,
    spans: Vec<Span>,
    buffer: Buffer,
    bytes: usize,
    since: Option<Instant>,
}

/// One webhook.
#[derive(Debug)]
pub struct Unit {
    /// The place of its record in the batch.
    record: usize,
    /// Its place in the record.
    index: i32,
    pub kind: UnitKind,
}

#[derive(Debug)]
pub enum UnitKind {
    Event(Event),
    DeadLetter(Box<Letter>),
    Ignored(Ignored),
}

/// A canonical record, in the batch's buffer.
#[derive(Debug)]
pub struct Event {
    pub vendor: &'static str,
    pub event_type: &'static str,
    pub entity: EntityKind,
    key: Range<usize>,
    value: Range<usize>,
    headers: Range<usize>,
}

#[derive(Debug)]
pub struct Letter {
    pub letter: DeadLetter,
    pub failed_at: String,
    pub form: Form,
}

#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    headers: Vec<(&'static str, Range<usize>)>,
}

/// The records of one partition.
struct Span {
    partition: TopicPartition,
    records: u64,
    last: i64,
    timestamp_ms: Option<i64>,
}

impl<'c> Batch<'c> {
    pub fn new() -> Batch<'c> {
        Batch {
            records: Vec::new(),
            units: Vec::new(),
            spans: Vec::new(),
            buffer: Buffer::default(),
            bytes: 0,
            since: None,
        }
    }

    pub fn clear(&mut self) {
        self.records.clear();
        self.units.clear();
        self.spans.clear();
        self.buffer.bytes.clear();
        self.buffer.headers.clear();
        self.bytes = 0;
        self.since = None;
    }

    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Of raw keys and values.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Since its first record.
    pub fn age(&self) -> Duration {
        self.since.map(|since| since.elapsed()).unwrap_or_default()
    }

    /// Translates a record and takes it in.
    pub fn add(
        &mut self,
        record: Record<'c>,
        translator: &mut Translator,
        settings: &SourceSettings,
        schemas: &SchemaIds,
    ) {
        self.since.get_or_insert_with(Instant::now);
        self.bytes += record.len();
        self.note(&record);
        let place = self.records.len();
        let first = self.units.len();
        let Batch { units, buffer, .. } = self;
        with_raw(&record, |raw| {
            translator.translate(raw, settings, &mut |index, outcome| {
                let kind = match outcome {
                    Outcome::Event(translated) => buffer.event(&translated, index, schemas),
                    Outcome::Ignored(ignored) => UnitKind::Ignored(ignored),
                    Outcome::DeadLetter(letter) => UnitKind::letter(letter),
                };
                units.push(Unit { record: place, index, kind });
            });
        });
        debug_assert!(self.units.len() > first, "every record has an outcome");
        self.records.push(record);
    }

    fn note(&mut self, record: &Record<'_>) {
        let (topic, partition) = (record.topic(), record.partition());
        let nth = match self.spans.iter().rposition(|span| span.partition.is(topic, partition)) {
            Some(nth) => nth,
            None => {
                let partition = TopicPartition::new(topic, partition);
                self.spans.push(Span { partition, records: 0, last: -1, timestamp_ms: None });
                self.spans.len() - 1
            }
        };
        if let Some(span) = self.spans.get_mut(nth) {
            span.records += 1;
            span.last = record.offset();
            span.timestamp_ms = record.timestamp_ms();
        }
    }

    /// Lets go of all that is from these partitions: it is somebody else's now.
    pub fn drop_partitions(&mut self, gone: &[TopicPartition]) {
        if !self.spans.iter().any(|span| gone.contains(&span.partition)) {
            return;
        }
        self.spans.retain(|span| !gone.contains(&span.partition));
        let records = &self.records;
        let is_gone = |unit: &Unit| {
            records
                .get(unit.record)
                .is_some_and(|record| gone.iter().any(|one| one.is(record.topic(), record.partition())))
        };
        self.units.retain(|unit| !is_gone(unit));
    }

    pub fn has_any_of(&self, partitions: &[TopicPartition]) -> bool {
        self.spans.iter().any(|span| partitions.contains(&span.partition))
    }

    /// What to commit once everything in here has arrived.
    pub fn offsets(&self) -> Offsets {
        self.spans.iter().map(|span| (span.partition.clone(), NextOffset::after(span.last))).collect()
    }

    pub fn progress(&self) -> Vec<Progress> {
        let of = |span: &Span| Progress {
            partition: span.partition.clone(),
            records: span.records,
            next: NextOffset::after(span.last),
            timestamp_ms: span.timestamp_ms,
        };
        self.spans.iter().map(of).collect()
    }

    /// How the webhooks ended, by partition.
    pub fn outcomes(&self) -> HashMap<TopicPartition, Outcomes> {
        let mut all: HashMap<TopicPartition, Outcomes> = HashMap::with_capacity(self.spans.len());
        // Webhooks come in runs of a partition.
        let mut run: Option<(&Span, Outcomes)> = None;
        let mut merge = |span: &Span, outcomes: Outcomes| {
            let into = all.entry(span.partition.clone()).or_default();
            for (outcome, count) in outcomes {
                *into.entry(outcome).or_default() += count;
            }
        };
        for unit in &self.units {
            let Some(record) = self.records.get(unit.record) else { continue };
            let (topic, partition) = (record.topic(), record.partition());
            if !run.as_ref().is_some_and(|(span, _)| span.partition.is(topic, partition)) {
                if let Some((span, outcomes)) = run.take() {
                    merge(span, outcomes);
                }
                let span = self.spans.iter().find(|span| span.partition.is(topic, partition));
                run = span.map(|span| (span, Outcomes::new()));
            }
            if let Some((_, outcomes)) = &mut run {
                *outcomes.entry(unit.kind.outcome()).or_default() += 1;
            }
        }
        if let Some((span, outcomes)) = run.take() {
            merge(span, outcomes);
        }
        all
    }

    /// The raw record of a webhook.
    pub fn with_raw<T>(&self, unit: &Unit, f: impl FnOnce(&RawRecord<'_>) -> T) -> Option<T> {
        self.records.get(unit.record).map(|record| with_raw(record, f))
    }

    pub fn key(&self, event: &Event) -> &[u8] {
        self.buffer.bytes.get(event.key.clone()).unwrap_or_default()
    }

    pub fn value(&self, event: &Event) -> &[u8] {
        self.buffer.bytes.get(event.value.clone()).unwrap_or_default()
    }

    pub fn headers<'b>(
        &'b self,
        event: &Event,
    ) -> impl ExactSizeIterator<Item = (&'b str, Option<&'b [u8]>)> + use<'b, 'c> {
        let headers = self.buffer.headers.get(event.headers.clone()).unwrap_or_default();
        headers.iter().map(|(name, value)| (*name, self.buffer.bytes.get(value.clone())))
    }

    /// Takes a refusal of a topic for what it is: a canonical record becomes a dead letter, a dead letter becomes
    /// smaller. `false`: there is nothing smaller, so it is not the record's fault.
    pub fn refuse(&mut self, nth: usize, refusal: Refusal) -> bool {
        let siblings = self.units.iter().filter(|unit| self.units.get(nth).is_some_and(|n| n.record == unit.record));
        let is_list = siblings.count() > 1;
        let Some(unit) = self.units.get_mut(nth) else { return false };
        match &mut unit.kind {
            UnitKind::Event(event) => {
                let code = match refusal {
                    Refusal::TooLarge => Code::RecordTooLarge,
                    Refusal::Invalid => Code::RecordRefused,
                };
                let index = is_list.then_some(unit.index);
                unit.kind = UnitKind::letter(dead_letter::refused(event.vendor, event.event_type, index, code));
                true
            }
            UnitKind::DeadLetter(letter) => {
                let next = match refusal {
                    Refusal::TooLarge => letter.form.smaller(),
                    Refusal::Invalid => letter.form.plainer(),
                };
                match next {
                    Some(form) => letter.form = form,
                    None => return false,
                }
                true
            }
            UnitKind::Ignored(_) => false,
        }
    }
}

impl Buffer {
    fn event(&mut self, translated: &Translated<'_>, index: i32, schemas: &SchemaIds) -> UnitKind {
        let Translated { vendor, event_type, event, key, headers } = *translated;
        let entity = event.entity.kind();
        let key = self.append(key.as_bytes());
        let start = self.bytes.len();
        self.bytes.push(0);
        self.bytes.extend_from_slice(&schemas.of(entity).to_be_bytes());
        if let Err(error) = codec::append_datum(event, &mut self.bytes) {
            // A fault of this build. The webhook is kept where it can be sent again from, once it is mended.
            tracing::error!(vendor, event_type, %error, "a canonical event cannot be written");
            self.bytes.truncate(key.start);
            let index = (index > 0).then_some(index);
            return UnitKind::letter(dead_letter::refused(vendor, event_type, index, Code::RecordRefused));
        }
        let value = start..self.bytes.len();
        let first = self.headers.len();
        for (name, value) in headers {
            let value = self.append(value.as_bytes());
            self.headers.push((name, value));
        }
        UnitKind::Event(Event { vendor, event_type, entity, key, value, headers: first..self.headers.len() })
    }

    fn append(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }
}

impl UnitKind {
    fn letter(letter: DeadLetter) -> UnitKind {
        UnitKind::DeadLetter(Box::new(Letter { letter, failed_at: dead_letter::now(), form: Form::WHOLE }))
    }

    /// What became of the webhook. The one place that says it, for whoever counts.
    fn outcome(&self) -> UnitOutcome {
        match self {
            UnitKind::Event(Event { vendor, event_type, entity, .. }) => {
                UnitOutcome::Event { vendor, event_type, entity: *entity }
            }
            UnitKind::Ignored(Ignored { vendor, event_type, rule }) => {
                UnitOutcome::Ignored { vendor, event_type, rule: *rule }
            }
            UnitKind::DeadLetter(letter) => {
                let DeadLetter { vendor, event_type, code, .. } = &letter.letter;
                // A label is a documented name or nothing that a sender can choose.
                let documented = |name: &str| {
                    let known = vendor.and_then(vendors::vendor).and_then(|vendor| vendor.event(name));
                    known.map_or("_other", |event| event.name)
                };
                let event_type = event_type.as_deref().map(documented);
                UnitOutcome::DeadLetter { vendor: *vendor, event_type, code: *code }
            }
        }
    }
}

/// A raw record as the translator reads it.
fn with_raw<T>(record: &Record<'_>, f: impl FnOnce(&RawRecord<'_>) -> T) -> T {
    let mut headers = Vec::new();
    record.each_header(|name, value| headers.push(Header { name, value }));
    f(&RawRecord {
        topic: record.topic(),
        partition: record.partition(),
        offset: record.offset(),
        timestamp_ms: record.timestamp_ms(),
        key: record.key(),
        value: record.value(),
        headers: &headers,
    })
}
