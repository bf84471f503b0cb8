//! Records: bodies, and what envelopes hold.

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use koine::canonical::{EntityKind, PiiClass, Privacy, Treatment};
use koine::pointer::Pointer;
use koine::translate::{DeadLetter, Header, LeafFate, Outcome, RawRecord, SourceSettings, Translated, Translator};
use koine::vendors::vendor;
use koine::{codec, schemas};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

thread_local! {
    static JUDGE: RefCell<Judge> = RefCell::new(Judge::new());
}

/// A record of a source that has this vendor fixed.
pub fn body(name: &str, bytes: &[u8]) {
    let settings = SourceSettings { vendor: vendor(name), ..SourceSettings::default() };
    judge(&raw(bytes, &[]), &settings, Wrapped::Not);
}

/// A record in an envelope: the first byte says whose source it is, and how the envelope is known.
pub fn envelope(bytes: &[u8]) {
    let Some((&choice, bytes)) = bytes.split_first() else { return };
    let vendors = [None, Some("bspk"), Some("spree"), Some("composer"), Some("bold")];
    let (way, whose) = (choice as usize % 5, choice as usize / 5 % vendors.len());
    let pointer = ["/body", "/detail/payload/0", ""].get(way).map(|text| Pointer::parse(text).expect("a pointer"));
    let settings = SourceSettings {
        vendor: vendors[whose].and_then(vendor),
        payload_pointer: pointer,
        ..SourceSettings::default()
    };
    let said = [Header { name: "content-type", value: Some(b"application/cloudevents+json") }];
    judge(&raw(bytes, if way == 3 { &said } else { &[] }), &settings, Wrapped::Maybe);
}

pub(crate) fn raw<'a>(bytes: &'a [u8], headers: &'a [Header<'a>]) -> RawRecord<'a> {
    RawRecord {
        topic: "raw.any",
        partition: 3,
        offset: 11,
        timestamp_ms: Some(1_767_225_600_123),
        key: None,
        value: Some(bytes),
        headers,
    }
}

/// Whether the webhook may be in an envelope: then what is known of the record says nothing of the webhook.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrapped {
    Not,
    Maybe,
}

/// Holds a record against everything that must hold of it; gives the dead letters.
pub(crate) fn judge(raw: &RawRecord<'_>, settings: &SourceSettings, wrapped: Wrapped) -> Vec<DeadLetter> {
    JUDGE.with_borrow_mut(|judge| judge.judge(raw, settings, wrapped))
}

struct Judge {
    /// Its buffers have seen everything before, and it must not matter.
    translator: Translator,
    accountant: Translator,
    readers: Vec<(EntityKind, GenericDatumReader<'static>)>,
}

/// What became of one webhook.
struct Told {
    index: i32,
    said: Said,
    letter: Option<DeadLetter>,
    /// Of an event.
    extensions: Option<Value>,
    leaves: Vec<(String, LeafFate)>,
}

/// All that an outcome says, in words and, of an event, as the bytes that are written.
#[derive(Debug, PartialEq)]
struct Said(String, Vec<u8>);

impl Said {
    fn of(outcome: &Outcome<'_>) -> Said {
        let mut frame = Vec::new();
        let words = match outcome {
            Outcome::Event(Translated { vendor, event_type, event, key, headers, drift, unmapped: _ }) => {
                codec::encode(event, 7, &mut frame).expect("every event can be written");
                format!("{vendor} {event_type} {key} {headers:?} {drift:?}")
            }
            other => format!("{other:?}"),
        };
        Said(words, frame)
    }
}

impl Judge {
    fn new() -> Judge {
        let parsed = |kind: EntityKind| {
            // Once a process.
            let schema = Box::leak(Box::new(Schema::parse_str(schemas::json(kind)).expect("our own schema")));
            (kind, GenericDatumReader::builder(schema).build().expect("a reader"))
        };
        Judge {
            translator: Translator::new(),
            accountant: Translator::new(),
            readers: EntityKind::ALL.map(parsed).into(),
        }
    }

    fn judge(&mut self, raw: &RawRecord<'_>, settings: &SourceSettings, wrapped: Wrapped) -> Vec<DeadLetter> {
        let told = self.account(raw, settings);
        let mut again = Vec::new();
        self.translator.translate(raw, settings, &mut |index, outcome| again.push((index, Said::of(&outcome))));
        let first: Vec<_> = told.iter().map(|told| (told.index, &told.said)).collect();
        let second: Vec<_> = again.iter().map(|(index, said)| (*index, said)).collect();
        assert_eq!(first, second, "the same bytes twice");
        assert!(!told.is_empty(), "no outcome");
        let value: Result<Value, _> = serde_json::from_slice(raw.value.unwrap_or_default());
        for one in &told {
            one.letter.iter().for_each(letter_is_sound);
            if one.extensions.is_some() && value.is_err() {
                // serde_json counts levels otherwise.
                let is_depth = value.as_ref().is_err_and(|error| error.to_string().starts_with("recursion limit"));
                assert!(is_depth, "an event out of what is no JSON: {value:?}");
            }
        }
        if let (Ok(value), Wrapped::Not) = (&value, wrapped) {
            against(value, &told);
        }
        self.keep_to_ourselves(raw, settings, &told);
        told.into_iter().filter_map(|told| told.letter).collect()
    }

    /// Where all personal data is hashed or dropped, a webhook becomes what it becomes elsewhere, with less in it.
    fn keep_to_ourselves(&mut self, raw: &RawRecord<'_>, settings: &SourceSettings, told: &[Told]) {
        let value = raw.value.unwrap_or_default();
        let treatment = match value.len() % 8 {
            0 => Treatment::Hash,
            1 => Treatment::Drop,
            _ => return,
        };
        let privacy = PiiClass::ALL.into_iter().fold(Privacy::new(b"key"), |all, class| all.with(class, treatment));
        let hidden = self.account(raw, &SourceSettings { privacy: Arc::new(privacy), ..settings.clone() });
        let became = |told: &Told| (told.index, told.letter.clone(), told.extensions.is_some());
        assert!(told.iter().map(became).eq(hidden.iter().map(became)), "privacy changes what becomes of a webhook");
    }

    fn account(&mut self, raw: &RawRecord<'_>, settings: &SourceSettings) -> Vec<Told> {
        let Judge { accountant, readers, .. } = self;
        let leaves = RefCell::new(Vec::new());
        let mut told: Vec<Told> = Vec::new();
        accountant.account(
            raw,
            settings,
            &mut |leaf| leaves.borrow_mut().push((leaf.pointer.to_owned(), leaf.fate)),
            &mut |index, outcome| {
                let said = Said::of(&outcome);
                let mut one = Told { index, said, letter: None, extensions: None, leaves: leaves.take() };
                match outcome {
                    Outcome::Event(translated) => {
                        let kind = translated.event.entity.kind();
                        let (_, reader) = readers.iter().find(|(of, _)| *of == kind).expect("a schema");
                        let mut rest = &one.said.1[5..];
                        let read = reader.read_value(&mut rest);
                        assert!(read.is_ok() && rest.is_empty(), "not what the schema says: {:?}", read.err());
                        one.extensions = Some(serde_json::to_value(translated.event.extensions).expect("a map"));
                    }
                    Outcome::DeadLetter(letter) => one.letter = Some(letter),
                    Outcome::Ignored(_) => {}
                }
                told.push(one);
            },
        );
        told
    }
}

/// What can be said of a refusal whatever the record is.
fn letter_is_sound(letter: &DeadLetter) {
    assert!(letter.detail.starts_with(letter.code.detail()), "{}: {}", letter.code, letter.detail);
    assert!(Pointer::parse(&letter.pointer).is_ok(), "{:?}", letter.pointer);
    assert_eq!(letter.fingerprint.len(), 16);
    let is_plain = |name: &str| {
        (1..=64).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-'))
    };
    assert!(letter.event_type.as_deref().is_none_or(is_plain), "{:?}", letter.event_type);
}

/// Holds what was told of a record without an envelope against the record as another parser reads it.
fn against(value: &Value, told: &[Told]) {
    let units: Vec<&Value> = match value {
        Value::Array(items) if !items.is_empty() => items.iter().collect(),
        whole => vec![whole],
    };
    let is_whole = told.len() == 1 && told[0].letter.as_ref().is_some_and(|it| it.code.as_str().starts_with("json."));
    if is_whole {
        let code = told[0].letter.as_ref().map(|letter| letter.code.as_str());
        assert_ne!(code, Some("json.syntax"), "it is JSON");
        return;
    }
    assert_eq!(told.len(), units.len(), "one outcome for each webhook");
    for (nth, (one, unit)) in told.iter().zip(units).enumerate() {
        assert_eq!(one.index as usize, nth);
        if let Some(extensions) = &one.extensions {
            every_leaf_is_accounted_for(unit, &one.leaves, extensions);
        }
        if let Some(letter) = &one.letter {
            assert_eq!(letter.index, value.is_array().then_some(nth as i32).filter(|_| !is_empty(value)));
            assert!(leads_somewhere(unit, &letter.pointer), "{} in no place: {}", letter.code, letter.pointer);
        }
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}

/// Whether there is such a place, or an object that might have had it. A key that may be a name is not told.
fn leads_somewhere(unit: &Value, pointer: &str) -> bool {
    let parent = pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
    pointer.contains("~#") || unit.pointer(pointer).is_some() || unit.pointer(parent).is_some_and(Value::is_object)
}

fn every_leaf_is_accounted_for(unit: &Value, fates: &[(String, LeafFate)], extensions: &Value) {
    let mut expected = BTreeMap::new();
    leaves(unit, &mut String::new(), &mut expected);
    let entries: BTreeMap<&str, Value> = extensions.as_object().map_or_else(BTreeMap::new, |map| {
        let parsed = |text: &Value| serde_json::from_str(text.as_str().expect("a text")).expect("compact JSON");
        map.iter().map(|(top, text)| (top.as_str(), parsed(text))).collect()
    });
    let mut named = BTreeSet::new();
    for (pointer, fate) in fates {
        let leaf = expected.remove(pointer);
        assert!(leaf.is_some(), "{pointer} is no leaf, or told of twice");
        if let LeafFate::Kept(top) = fate {
            let found = entries.get(top.as_str()).and_then(|entry| entry.pointer(&pointer[top.len()..]));
            assert_eq!(found, leaf, "{pointer} should be in the extension {top}");
            named.insert(top.as_str());
        }
    }
    assert!(expected.is_empty(), "not accounted for: {:?}", expected.keys());
    assert!(entries.keys().all(|top| named.contains(top)), "an extension out of nothing: {:?}", entries.keys());
}

/// Every value that is no container, by its pointer.
fn leaves<'v>(value: &'v Value, at: &mut String, out: &mut BTreeMap<String, &'v Value>) {
    let before = at.len();
    let mut below = |step: &str, child: &'v Value| {
        at.push('/');
        at.push_str(step);
        leaves(child, at, out);
        at.truncate(before);
    };
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, child)| below(&key.replace('~', "~0").replace('/', "~1"), child))
        }
        Value::Array(items) => items.iter().enumerate().for_each(|(nth, child)| below(&nth.to_string(), child)),
        leaf => drop(out.insert(at.clone(), leaf)),
    }
}
