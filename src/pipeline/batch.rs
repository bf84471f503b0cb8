//! The batch at hand: raw records, and what became of each webhook in them, ready to be sent.
//!
//! Keys, values and headers of canonical records lie in one buffer that is used again from batch to batch. The raw
//! records stay until the batch is done: dead letters are made of them, and so is everything when it has to be done
//! again.

use super::dead_letter::{self, Form};
use super::only::Selection;
use crate::canonical::{Action, ClockBasis, EntityKind};
use crate::codec::{self, SchemaIds};
use crate::kafka::{NextOffset, Offsets, Record, Refusal, TopicPartition};
use crate::reject::Code;
use crate::telemetry::Spent;
use crate::translate::{
    DeadLetter, Drift, Header, Ignored, Outcome, RawRecord, SourceSettings, Translated, Translator,
};
use std::ops::Range;
use std::time::{Duration, Instant};

/// Raw records, and what became of their webhooks.
pub struct Batch<'c> {
    records: Vec<Record<'c>>,
    /// How long each record took.
    spent: Vec<Spent>,
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
    /// It is none of those that this run is about.
    PassedOver,
}

/// A canonical record, in the batch's buffer.
#[derive(Debug)]
pub struct Event {
    pub vendor: &'static str,
    pub event_type: &'static str,
    pub entity: EntityKind,
    pub action: Action,
    /// When it happened, in milliseconds since 1970, if the webhook says so.
    pub happened_ms: Option<i64>,
    /// How many of its leaves have no canonical field.
    pub unmapped: usize,
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

/// Keys, values and headers of canonical records.
#[derive(Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    headers: Vec<(&'static str, Range<usize>)>,
}

/// The records of one partition.
struct Span {
    partition: TopicPartition,
    last: i64,
    records: usize,
    timestamp_ms: Option<i64>,
}

impl<'c> Batch<'c> {
    pub fn new() -> Batch<'c> {
        Batch {
            records: Vec::new(),
            spent: Vec::new(),
            units: Vec::new(),
            spans: Vec::new(),
            buffer: Buffer::default(),
            bytes: 0,
            since: None,
        }
    }

    pub fn clear(&mut self) {
        self.records.clear();
        self.spent.clear();
        self.units.clear();
        self.spans.clear();
        self.buffer.clear();
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

    /// Translates a record and takes it in, or only what is selected of it. How many webhooks the record holds.
    pub fn add(
        &mut self,
        record: Record<'c>,
        translator: &mut Translator,
        settings: &SourceSettings,
        schemas: &SchemaIds,
        selection: Option<&Selection>,
    ) -> usize {
        let start = Instant::now();
        let mut spent = Spent { begun: Some(start), ..Spent::default() };
        self.since.get_or_insert(start);
        self.bytes += record.len();
        self.note(record.topic(), record.partition(), record.offset(), record.timestamp_ms(), 1);
        let place = self.records.len();
        let first = self.units.len();
        let Batch { units, buffer, .. } = self;
        let webhooks = with_raw(&record, |raw| {
            let Spent { parse, encode, .. } = &mut spent;
            translator.translate_timed(raw, settings, &mut || *parse = start.elapsed(), &mut |index, outcome| {
                let is_wanted = selection.is_none_or(|selection| selection.wants(&outcome));
                let kind = match outcome {
                    _ if !is_wanted => UnitKind::PassedOver,
                    Outcome::Event(translated) => {
                        let mapped = Instant::now();
                        let event = buffer.event(&translated, schemas);
                        *encode += mapped.elapsed();
                        event
                    }
                    Outcome::Ignored(ignored) => UnitKind::Ignored(ignored),
                    Outcome::DeadLetter(letter) => UnitKind::letter(letter),
                };
                units.push(Unit { record: place, index, kind });
            })
        });
        debug_assert!(self.units.len() == first + webhooks, "every webhook has an outcome");
        number(self.units.get_mut(first..).unwrap_or_default());
        self.records.push(record);
        spent.map = start.elapsed().saturating_sub(spent.parse + spent.encode);
        self.spent.push(spent);
        webhooks
    }

    /// Says that a partition is done with up to an offset although no record is there any more: what is left is Kafka's
    /// own.
    pub fn reach(&mut self, partition: &TopicPartition, next: i64) {
        self.since.get_or_insert_with(Instant::now);
        self.note(&partition.topic, partition.partition, next - 1, None, 0);
    }

    fn note(&mut self, topic: &str, partition: i32, offset: i64, timestamp_ms: Option<i64>, records: usize) {
        let nth = match self.spans.iter().rposition(|span| span.partition.is(topic, partition)) {
            Some(nth) => nth,
            None => {
                let partition = TopicPartition::new(topic, partition);
                self.spans.push(Span { partition, last: -1, records: 0, timestamp_ms: None });
                self.spans.len() - 1
            }
        };
        if let Some(span) = self.spans.get_mut(nth) {
            span.last = offset;
            span.records += records;
            span.timestamp_ms = timestamp_ms.or(span.timestamp_ms);
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
        let mut spent = std::mem::take(&mut self.spent).into_iter();
        self.records.retain(|record| {
            let is_gone = gone.iter().any(|one| one.is(record.topic(), record.partition()));
            places.push((!is_gone).then_some(kept));
            kept += usize::from(!is_gone);
            self.spent.extend(spent.next().filter(|_| !is_gone));
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

    /// Each record with what its first webhook became, and how long that took.
    pub fn records_with_first(&self) -> impl Iterator<Item = (&Record<'c>, Option<&UnitKind>, Spent)> {
        let mut units = self.units.iter().peekable();
        self.records.iter().zip(&self.spent).enumerate().map(move |(place, (record, spent))| {
            while units.peek().is_some_and(|unit| unit.record < place) {
                units.next();
            }
            (record, units.peek().filter(|unit| unit.record == place).map(|unit| &unit.kind), *spent)
        })
    }

    /// How many webhooks of each partition there are.
    pub fn webhooks(&self) -> Vec<(TopicPartition, u64)> {
        let mut counts: Vec<(TopicPartition, u64)> = Vec::new();
        for unit in &self.units {
            let Some(record) = self.records.get(unit.record) else { continue };
            match counts.iter_mut().rfind(|(partition, _)| partition.is(record.topic(), record.partition())) {
                Some((_, count)) => *count += 1,
                None => counts.push((TopicPartition::new(record.topic(), record.partition()), 1)),
            }
        }
        counts
    }

    /// How many records of a partition there are.
    pub fn records_of(&self, partition: &TopicPartition) -> usize {
        self.spans.iter().find(|span| span.partition == *partition).map_or(0, |span| span.records)
    }

    /// When the raw record of a webhook was written. It is asked for each, so no header is looked at for it.
    pub fn timestamp_ms(&self, unit: &Unit) -> Option<i64> {
        self.records.get(unit.record)?.timestamp_ms()
    }

    /// The raw record of a webhook.
    pub fn with_raw<T>(&self, unit: &Unit, f: impl FnOnce(&RawRecord<'_>) -> T) -> Option<T> {
        self.records.get(unit.record).map(|record| with_raw(record, f))
    }

    pub fn key(&self, event: &Event) -> &[u8] {
        self.buffer.key(event)
    }

    pub fn value(&self, event: &Event) -> &[u8] {
        self.buffer.value(event)
    }

    pub fn headers<'b>(
        &'b self,
        event: &Event,
    ) -> impl ExactSizeIterator<Item = (&'b str, Option<&'b [u8]>)> + use<'b, 'c> {
        self.buffer.headers(event)
    }

    /// Takes a refusal of a topic for what it is: a canonical record becomes a dead letter, a dead letter becomes
    /// smaller. `false`: there is nothing smaller, so it is not the record's fault.
    pub fn refuse(&mut self, nth: usize, refusal: Refusal) -> bool {
        let siblings = self.units.iter().filter(|unit| self.units.get(nth).is_some_and(|n| n.record == unit.record));
        let is_list = siblings.count() > 1;
        let Some(unit) = self.units.get_mut(nth) else { return false };
        unit.kind.refuse(is_list.then_some(unit.index), refusal)
    }
}

/// A dead letter of a list says which element it stands for, whoever found the fault: a redrive would take it for the
/// whole list otherwise, and do its siblings again.
fn number(units: &mut [Unit]) {
    let is_list = units.len() > 1;
    for Unit { index, kind, .. } in units.iter_mut().filter(|_| is_list) {
        if let UnitKind::DeadLetter(letter) = kind {
            letter.letter.index.get_or_insert(*index);
        }
    }
}

impl Buffer {
    pub fn event(&mut self, translated: &Translated<'_>, schemas: &SchemaIds) -> UnitKind {
        let Translated { vendor, event_type, event, key, headers, drift, unmapped } = *translated;
        let (entity, action) = (event.entity.kind(), event.meta.action);
        let is_told = event.meta.occurred_at_basis != ClockBasis::Broker;
        let key = self.append(key.as_bytes());
        let start = self.bytes.len();
        self.bytes.push(0);
        self.bytes.extend_from_slice(&schemas.of(entity).to_be_bytes());
        if let Err(error) = codec::append_datum(event, &mut self.bytes) {
            // A fault of this build. The webhook is kept where it can be sent again from, once it is mended.
            tracing::error!(vendor, event_type, %error, "a canonical event cannot be written");
            self.bytes.truncate(key.start);
            return UnitKind::letter(dead_letter::refused(vendor, event_type, None, Code::RecordRefused));
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
            happened_ms: is_told.then_some(event.meta.occurred_at.0 / 1000),
            unmapped,
            drift: drift.to_vec(),
            key,
            value,
            headers: first..self.headers.len(),
        })
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
        self.headers.clear();
    }

    pub fn key(&self, event: &Event) -> &[u8] {
        self.bytes.get(event.key.clone()).unwrap_or_default()
    }

    pub fn value(&self, event: &Event) -> &[u8] {
        self.bytes.get(event.value.clone()).unwrap_or_default()
    }

    pub fn headers<'b>(
        &'b self,
        event: &Event,
    ) -> impl ExactSizeIterator<Item = (&'b str, Option<&'b [u8]>)> + use<'b> {
        let headers = self.headers.get(event.headers.clone()).unwrap_or_default();
        headers.iter().map(|(name, value)| (*name, self.bytes.get(value.clone())))
    }

    fn append(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }
}

impl UnitKind {
    /// Takes a refusal of a topic for what it is. `false`: there is nothing smaller.
    pub fn refuse(&mut self, index: Option<i32>, refusal: Refusal) -> bool {
        match self {
            UnitKind::Event(event) => {
                let code = match refusal {
                    Refusal::TooLarge => Code::RecordTooLarge,
                    Refusal::Invalid => Code::RecordRefused,
                };
                *self = UnitKind::letter(dead_letter::refused(event.vendor, event.event_type, index, code));
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
            UnitKind::Ignored(_) | UnitKind::PassedOver => false,
        }
    }

    pub fn letter(letter: DeadLetter) -> UnitKind {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(index: i32, known: Option<i32>) -> Unit {
        let letter = dead_letter::refused("spree", "order.paid", known, Code::RecordRefused);
        Unit { record: 0, index, kind: UnitKind::letter(letter) }
    }

    fn indexes(mut units: Vec<Unit>) -> Vec<Option<i32>> {
        number(&mut units);
        let index = |unit: &Unit| match &unit.kind {
            UnitKind::DeadLetter(letter) => letter.letter.index,
            _ => Some(-1),
        };
        units.iter().map(index).collect()
    }

    #[test]
    fn a_dead_letter_of_a_list_names_its_element() {
        let ignored = Ignored { vendor: "spree", event_type: "post.created", rule: crate::vendors::Ignore::BackOffice };
        let other = || Unit { record: 0, index: 2, kind: UnitKind::Ignored(ignored) };
        assert_eq!(indexes(vec![refused(0, None), refused(1, Some(1)), other()]), [Some(0), Some(1), Some(-1)]);
        assert_eq!(indexes(vec![refused(0, None)]), [None], "the record is no list");
        assert_eq!(indexes(vec![refused(0, Some(0))]), [Some(0)], "it is one, of one element");
    }
}
