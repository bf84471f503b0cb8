//! The batch at hand: raw records, and what became of each webhook in them, ready to be sent.
//!
//! Keys, values and headers of canonical records lie in one buffer that is used again from batch to batch. The raw
//! records stay until the batch is done: dead letters are made of them, and so is everything when it has to be done
//! again.

use super::dead_letter::{self, Form};
use crate::canonical::{Action, EntityKind};
use crate::codec::{self, SchemaIds};
use crate::kafka::{NextOffset, Offsets, Record, Refusal, TopicPartition};
use crate::reject::Code;
use crate::translate::{
    DeadLetter, Drift, Header, Ignored, Outcome, RawRecord, SourceSettings, Translated, Translator,
};
use std::ops::Range;
use std::time::{Duration, Instant};

/// Raw records, and what became of their webhooks.
pub struct Batch<'c> {
    records: Vec<Record<'c>>,
    pub units: Vec<Unit>,
    spans: Vec<Span>,
    buffer: Buffer,
    bytes: usize,
    translating: Duration,
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
    pub action: Action,
    /// In what the webhook is not as its page says.
    pub drift: Vec<Drift>,
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
            translating: Duration::ZERO,
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
        self.translating = Duration::ZERO;
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
        let start = Instant::now();
        self.since.get_or_insert(start);
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
        self.translating += start.elapsed();
    }

    fn note(&mut self, record: &Record<'_>) {
        let (topic, partition) = (record.topic(), record.partition());
        let nth = match self.spans.iter().rposition(|span| span.partition.is(topic, partition)) {
            Some(nth) => nth,
            None => {
                let partition = TopicPartition::new(topic, partition);
                self.spans.push(Span { partition, last: -1, timestamp_ms: None });
                self.spans.len() - 1
            }
        };
        if let Some(span) = self.spans.get_mut(nth) {
            span.last = record.offset();
            span.timestamp_ms = record.timestamp_ms();
        }
    }

    /// Lets go of all that is from these partitions: it is somebody else's now.
    pub fn drop_partitions(&mut self, gone: &[TopicPartition]) {
        if !self.has_any_of(gone) {
            return;
        }
        self.spans.retain(|span| !gone.contains(&span.partition));
        let mut places = Vec::with_capacity(self.records.len());
        let mut kept = 0;
        self.records.retain(|record| {
            let is_gone = gone.iter().any(|one| one.is(record.topic(), record.partition()));
            places.push((!is_gone).then_some(kept));
            kept += usize::from(!is_gone);
            !is_gone
        });
        self.units.retain_mut(|unit| match places.get(unit.record) {
            Some(Some(place)) => {
                unit.record = *place;
                true
            }
            _ => false,
        });
    }

    pub fn has_any_of(&self, partitions: &[TopicPartition]) -> bool {
        self.spans.iter().any(|span| partitions.contains(&span.partition))
    }

    /// What to commit once everything in here has arrived.
    pub fn offsets(&self) -> Offsets {
        self.spans.iter().map(|span| (span.partition.clone(), NextOffset::after(span.last))).collect()
    }

    /// The time of each partition's last record, in milliseconds since 1970.
    pub fn last_times(&self) -> impl Iterator<Item = (&TopicPartition, i64)> {
        self.spans.iter().filter_map(|span| Some((&span.partition, span.timestamp_ms?)))
    }

    /// The time of the oldest record.
    pub fn oldest_ms(&self) -> Option<i64> {
        self.records.iter().filter_map(Record::timestamp_ms).min()
    }

    pub fn records(&self) -> &[Record<'c>] {
        &self.records
    }

    /// How long its translation took.
    pub fn translating(&self) -> Duration {
        self.translating
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
        let Translated { vendor, event_type, event, key, headers, drift } = *translated;
        let (entity, action) = (event.entity.kind(), event.meta.action);
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
        UnitKind::Event(Event {
            vendor,
            event_type,
            entity,
            action,
            drift: drift.to_vec(),
            key,
            value,
            headers: first..self.headers.len(),
        })
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
}

/// A raw record as the translator reads it.
pub fn with_raw<T>(record: &Record<'_>, f: impl FnOnce(&RawRecord<'_>) -> T) -> T {
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
