//! A dead letter as it is read back: what it says of itself, and the raw record that it was made of.
//!
//! The reverse of `dead_letter`. The raw record has the place, the time, the key and the headers that it had in its raw
//! topic, so that whoever translates it again gets the `meta.source` and the `event_id` of the raw record.

use super::dead_letter::{self, REDRIVE_COUNT};
use crate::canonical::Micros;
use crate::seal::PrivateKey;
use crate::translate::{Header, Outcome, RawRecord};
use std::borrow::Cow;
use std::fmt;

/// Where a raw webhook lies in its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    pub partition: i32,
    pub offset: i64,
    /// Its place in the record, if the record is a list of webhooks; `None`: the record as a whole.
    pub index: Option<i32>,
}

impl Position {
    /// Whether what became of a record's webhook at this place is meant: of this element, or of the record as a whole,
    /// which then is what became of the element, too.
    pub fn is_meant(&self, index: i32, outcome: &Outcome<'_>) -> bool {
        let is_whole = matches!(outcome, Outcome::DeadLetter(refused) if refused.index.is_none());
        self.index.is_none_or(|own| own == index) || is_whole
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.partition, self.offset)?;
        match self.index {
            Some(index) => write!(f, "/{index}"),
            None => f.write_str("/-"),
        }
    }
}

/// A dead letter. Everything is borrowed from its record.
#[derive(Debug, Clone)]
pub struct Letter<'a> {
    /// Its own topic and place there.
    pub topic: &'a str,
    pub partition: i32,
    pub offset: i64,
    pub raw_topic: &'a str,
    /// Of the raw webhook.
    pub position: Position,
    /// The raw record's.
    pub timestamp_ms: Option<i64>,
    pub key: Option<&'a [u8]>,
    /// As it lies there, maybe sealed: see [`Letter::open`].
    pub value: Option<&'a [u8]>,
    /// The raw record's, less what was dropped.
    pub headers: Vec<Header<'a>>,
    pub code: &'a str,
    pub class: &'a str,
    pub pointer: &'a str,
    pub detail: &'a str,
    pub fingerprint: &'a str,
    pub vendor: Option<&'a str>,
    pub event_type: Option<&'a str>,
    pub build: &'a str,
    pub failed_at: &'a str,
    /// How often it has been redriven in vain.
    pub redrive_count: u32,
    /// How the value is sealed, if it is.
    pub seal: Option<&'a str>,
    /// The raw value was too large to be kept: only its size and digest are here.
    pub is_pointer: bool,
}

impl<'a> Letter<'a> {
    /// Reads a record of a dead-letter topic. `None`: koine did not write it.
    pub fn read(record: &RawRecord<'a>) -> Option<Letter<'a>> {
        let find = |name: &str| record.headers.iter().rev().find(|header| header.name == name);
        let text = |name: &str| std::str::from_utf8(find(name)?.value?).ok();
        let said = |name: &str| text(name).unwrap_or_default();
        let index = match text("koine.event.index") {
            Some(index) => Some(index.parse().ok()?),
            None => None,
        };
        let position = Position {
            partition: text("__dlq.errors.partition")?.parse().ok()?,
            offset: text("__dlq.errors.offset")?.parse().ok()?,
            index,
        };
        let code = text("koine.error.code")?;
        Some(Letter {
            topic: record.topic,
            partition: record.partition,
            offset: record.offset,
            raw_topic: text("__dlq.errors.topic")?,
            position,
            timestamp_ms: match text(dead_letter::RAW_TIMESTAMP) {
                Some(own) => own.parse().ok(),
                None => record.timestamp_ms,
            },
            key: record.key,
            value: record.value,
            headers: record.headers.iter().filter(|it| !dead_letter::is_ours(it.name, find)).copied().collect(),
            code,
            class: said("koine.error.class"),
            pointer: said("koine.error.pointer"),
            detail: said("koine.error.detail"),
            fingerprint: said("koine.error.fingerprint"),
            vendor: text("koine.vendor"),
            event_type: text("koine.event.type"),
            build: said("koine.build"),
            failed_at: said("koine.failed.at"),
            redrive_count: text(REDRIVE_COUNT).and_then(|count| count.parse().ok()).unwrap_or(0),
            seal: text(dead_letter::SEAL),
            is_pointer: record.value.is_none() && find(dead_letter::VALUE_SHA256).is_some(),
        })
    }

    /// The raw value: as it lies there, or opened with the key. The error says why it cannot be read.
    pub fn open(&self, key: Option<&PrivateKey>) -> Result<Option<Cow<'a, [u8]>>, String> {
        match (self.seal, self.value, key) {
            (None, value, _) => Ok(value.map(Cow::Borrowed)),
            (Some(_), None, _) => Ok(None),
            (Some(seal), Some(_), None) => Err(format!("is sealed as {seal}, and no key is given")),
            (Some(seal), Some(sealed), Some(key)) => {
                let place = dead_letter::seal_place(&self.raw(None, &[]));
                key.open(seal, sealed, place.as_bytes()).map(|value| Some(Cow::Owned(value)))
            }
        }
    }

    /// The raw record, with these as its headers: the letter's, or fewer.
    pub fn raw<'s>(&'s self, value: Option<&'s [u8]>, headers: &'s [Header<'s>]) -> RawRecord<'s> {
        RawRecord {
            topic: self.raw_topic,
            partition: self.position.partition,
            offset: self.position.offset,
            timestamp_ms: self.timestamp_ms,
            key: self.key,
            value,
            headers,
        }
    }

    /// When the webhook was refused, if the header can be read.
    pub fn failed_at(&self) -> Option<Micros> {
        Micros::parse(self.failed_at).map(|(time, _)| time)
    }
}

#[cfg(test)]
mod tests {
    use super::super::dead_letter::{Form, HeaderSets, Policy};
    use super::*;
    use crate::reject::Code;
    use crate::translate::DeadLetter;

    const RAW_HEADERS: &[Header<'static>] = &[
        Header { name: "b", value: Some(b"1") },
        Header { name: "a", value: None },
        Header { name: "b", value: Some(b"\xff") },
        Header { name: "koine-shop", value: Some(b"eu") },
        Header { name: "koine-event-type", value: Some(b"order.paid") },
        Header { name: "kafka_dlt-exception-message", value: Some(b"of another program") },
    ];

    /// Writes a raw record's dead letter and reads it back.
    fn there_and_back<T>(
        raw: &RawRecord<'_>,
        index: Option<i32>,
        form: Form,
        sets: HeaderSets,
        see: impl FnOnce(&Letter<'_>) -> T,
    ) -> T {
        let refused = DeadLetter {
            vendor: Some("spree"),
            event_type: Some("order.paid".to_owned()),
            code: Code::MoneyInvalid,
            pointer: "/data/total".to_owned(),
            detail: "an amount has to be a decimal number".to_owned(),
            index,
            fingerprint: "0123456789abcdef".to_owned(),
        };
        let policy = Policy { group: "koine".to_owned(), sets, ..Policy::default() };
        let written = dead_letter::headers(raw, &refused, "2026-11-22T10:00:00.5Z", &policy, form);
        let headers: Vec<Header<'_>> =
            written.iter().map(|(name, value)| Header { name, value: value.as_deref() }).collect();
        let record = RawRecord {
            topic: "dlq.raw.spree",
            partition: 3,
            offset: 17,
            timestamp_ms: raw.timestamp_ms.filter(|_| form.timestamp).or(Some(1_800_000_000_000)),
            key: raw.key.filter(|_| form.key),
            value: raw.value.filter(|_| form.value),
            headers: &headers,
        };
        see(&Letter::read(&record).expect("a letter"))
    }

    fn raw() -> RawRecord<'static> {
        RawRecord {
            topic: "raw.spree",
            partition: 7,
            offset: 4711,
            timestamp_ms: Some(1_700_000_000_000),
            key: Some(b"k"),
            value: Some(b"{}"),
            headers: RAW_HEADERS,
        }
    }

    fn same(one: &RawRecord<'_>, other: &RawRecord<'_>) {
        assert_eq!((one.topic, one.partition, one.offset), (other.topic, other.partition, other.offset));
        assert_eq!((one.timestamp_ms, one.key, one.value), (other.timestamp_ms, other.key, other.value));
        assert_eq!(one.headers, other.headers);
    }

    #[test]
    fn the_raw_record_comes_back_as_it_was() {
        let all = HeaderSets { connect: true, streams: true, spring: true };
        for value in [Some(&b"{}"[..]), Some(b""), None] {
            let raw = RawRecord { value, ..raw() };
            there_and_back(&raw, Some(0), Form::WHOLE, HeaderSets::default(), |letter| {
                same(&letter.raw(letter.value, &letter.headers), &raw);
                assert_eq!(letter.position, Position { partition: 7, offset: 4711, index: Some(0) });
                assert_eq!((letter.partition, letter.offset, letter.redrive_count), (3, 17, 0));
                assert!(!letter.is_pointer);
            });
        }
        // With every set on, what of them was the raw record's own is replaced, as it is when the letter is written.
        there_and_back(&raw(), None, Form::WHOLE, all, |letter| {
            same(&letter.raw(letter.value, &letter.headers), &RawRecord { headers: &RAW_HEADERS[..5], ..raw() });
            assert_eq!(letter.position.index, None);
        });
    }

    #[test]
    fn a_letter_says_what_was_wrong() {
        there_and_back(&raw(), None, Form::WHOLE, HeaderSets::default(), |letter| {
            assert_eq!((letter.code, letter.class, letter.pointer), ("money.invalid", "data", "/data/total"));
            assert_eq!((letter.vendor, letter.event_type), (Some("spree"), Some("order.paid")));
            assert_eq!(letter.fingerprint, "0123456789abcdef");
            assert_eq!(letter.failed_at().map(|time| time.to_string()).as_deref(), Some("2026-11-22T10:00:00.5Z"));
        });
    }

    #[test]
    fn what_a_topic_did_not_admit_is_told_from_what_was_not_there() {
        let form = Form { value: false, ..Form::WHOLE };
        there_and_back(&raw(), None, form, HeaderSets::default(), |letter| assert!(letter.is_pointer));
        let form = Form { timestamp: false, ..Form::WHOLE };
        there_and_back(&raw(), None, form, HeaderSets::default(), |letter| {
            assert_eq!(letter.timestamp_ms, Some(1_700_000_000_000));
        });
        let raw = RawRecord { timestamp_ms: None, ..raw() };
        there_and_back(&raw, None, Form::WHOLE, HeaderSets::default(), |letter| assert_eq!(letter.timestamp_ms, None));
    }

    #[test]
    fn a_record_of_somebody_else_is_no_letter() {
        let headers = [Header { name: "__dlq.errors.topic", value: Some(b"raw.spree") }];
        assert!(Letter::read(&RawRecord { headers: &headers, ..raw() }).is_none());
        assert!(Letter::read(&RawRecord { headers: &[], ..raw() }).is_none());
    }
}
