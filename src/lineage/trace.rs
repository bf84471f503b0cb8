//! One webhook, each of its leaves changed, and what changes in the record for it. Knows no field of a vendor's.

use super::change;
use super::diff::differences;
use crate::canonical::{self, EntityKind, Extensions};
use crate::codec;
use crate::samples::SAMPLES;
use crate::schemas;
use crate::translate::{Outcome, RawRecord, SourceSettings, Translated, Translator};
use crate::vendors::cursor::{Rules, Why, is_secret_name};
use crate::vendors::{Ignore, Vendor};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What one webhook becomes, and where each of its leaves goes.
#[derive(Debug)]
pub struct Trace {
    pub found: Found,
    /// By the leaf's place: a JSON Pointer with `*` for the indexes of lists. A list's leaves share one.
    pub leaves: Vec<(String, Effect)>,
    pub extensions_per_mille: usize,
    body: Value,
}

#[derive(Debug)]
pub enum Found {
    Event(Event),
    Ignored(&'static str, Ignore),
}

impl Found {
    pub fn event(&self) -> Option<&Event> {
        match self {
            Found::Event(event) => Some(event),
            Found::Ignored(..) => None,
        }
    }
}

/// What a record says of itself.
#[derive(Debug, Clone)]
pub struct Event {
    pub event_type: &'static str,
    pub entity: &'static str,
    pub action: &'static str,
    pub coverage: &'static str,
    pub component: Option<String>,
}

/// What becomes of one leaf.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// Whether the webhook said anything there; if not, this is what would become of it if it did.
    pub is_said: bool,
    pub fields: BTreeSet<String>,
    pub extensions: bool,
    pub dropped: Option<Why>,
    pub refused: Option<&'static str>,
}

impl Effect {
    /// Whether it ought to be in a field.
    pub fn counts(&self) -> bool {
        self.is_said && (self.dropped.is_none() || !self.fields.is_empty())
    }

    /// What has to agree with a field was read for it.
    pub fn is_in_field(&self) -> bool {
        !self.fields.is_empty() || self.refused.is_some()
    }
}

/// How many other words are tried beside one that nobody knows.
const WORDS: usize = 3;

/// Traces webhooks of one vendor.
pub struct Tracer {
    vendor: &'static Vendor,
    translator: Translator,
    settings: SourceSettings,
    rules: Rules,
    /// Names of the fields that are maps.
    maps: BTreeSet<String>,
    /// Words that stand in this vendor's samples, by place.
    words: BTreeMap<String, BTreeSet<String>>,
}

struct Record {
    event: Event,
    kind: EntityKind,
    /// Without its id, which may be the digest of the bytes, and without `extensions`.
    json: Value,
    extensions: Vec<(String, String)>,
}

enum Told {
    Event(Box<Record>),
    Ignored(&'static str, Ignore),
    Refused(&'static str),
}

/// A place in a body where a scalar stands.
struct Leaf {
    pointer: String,
    from: String,
    /// The keys on the way; a list's index is none.
    keys: Vec<String>,
}

impl Tracer {
    pub fn new(vendor: &'static Vendor) -> Tracer {
        let mut words: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for sample in SAMPLES.iter().filter(|sample| sample.vendor == vendor.name) {
            let Ok(body) = serde_json::from_slice::<Value>(sample.body) else { continue };
            for leaf in leaves(&body) {
                if let Some(word) =
                    body.pointer(&leaf.pointer).filter(|leaf| change::is_word(leaf)).and_then(Value::as_str)
                {
                    words.entry(leaf.from).or_default().insert(word.to_owned());
                }
            }
        }
        Tracer {
            vendor,
            translator: Translator::new(),
            settings: SourceSettings { vendor: Some(vendor), ..SourceSettings::default() },
            rules: vendor.rules(false),
            maps: schemas::maps(),
            words,
        }
    }

    /// Changes each leaf of a webhook. Nothing is told of one that is refused as it stands.
    pub fn trace(&mut self, body: &[u8]) -> Option<Trace> {
        let mut body: Value = serde_json::from_slice(body).ok()?;
        let before = match self.translate(&body) {
            Told::Event(record) => record,
            Told::Ignored(event_type, rule) => {
                let found = Found::Ignored(event_type, rule);
                return Some(Trace { found, leaves: Vec::new(), extensions_per_mille: 0, body });
            }
            Told::Refused(_) => return None,
        };
        let leaves = leaves(&body);
        let mut traced = Vec::with_capacity(leaves.len());
        for leaf in leaves {
            if let Some(effect) = self.effect(&mut body, &leaf, &before) {
                traced.push((leaf.from, effect));
            }
        }
        let extensions_per_mille = self.extensions_per_mille(&body);
        Some(Trace { found: Found::Event(before.event), leaves: traced, extensions_per_mille, body })
    }

    /// What the same webhook becomes under another event type's name.
    pub(super) fn under_another_name(&mut self, trace: &Trace, name: &str) -> Option<Event> {
        let own = trace.found.event()?.event_type;
        let mut body = trace.body.clone();
        for leaf in leaves(&trace.body) {
            let place = body.pointer_mut(&leaf.pointer)?;
            if place == own {
                *place = Value::from(name);
                break;
            }
        }
        match self.translate(&body) {
            Told::Event(record) if record.event.event_type == name => Some(record.event),
            _ => None,
        }
    }

    fn effect(&mut self, body: &mut Value, leaf: &Leaf, before: &Record) -> Option<Effect> {
        let own = body.pointer(&leaf.pointer)?.clone();
        let is_said = !own.is_null() && own != "" && own != "NULL";
        let mut effect = Effect { is_said, ..Effect::default() };
        let was_extension = is_said && before.keeps(&leaf.pointer);
        // What came of changing it: nothing so far; nothing that shows; something.
        let (mut is_accepted, mut is_moved) = (false, false);
        let others = if is_said { self.others(&own, &leaf.from) } else { change::for_nothing() };
        let is_word = is_said && change::is_word(&own);
        let mut refused = None;
        for other in others.into_iter().map(Some).chain([None]) {
            // Nothing at all is tried only where every other value was refused.
            if other.is_none() && (is_accepted || !is_said) {
                break;
            }
            let after = self.with(body, leaf, other.unwrap_or_default());
            let after = match after {
                Told::Event(after) => after,
                Told::Refused(code) => {
                    refused.get_or_insert(code);
                    continue;
                }
                Told::Ignored(..) => continue,
            };
            is_accepted = true;
            let changed = self.changed(before, &after);
            let is_other = before.extensions != after.extensions;
            is_moved |= is_other;
            effect.extensions |= is_other && if is_said { was_extension } else { after.keeps(&leaf.pointer) };
            let is_found = !changed.is_empty();
            effect.fields.extend(changed);
            // A word that nobody knows shows less than one that somebody does; but what is kept unread is no word.
            if is_found && !is_word || is_said && effect.extensions {
                break;
            }
        }
        if !is_accepted || (effect.fields.is_empty() && !effect.extensions && refused.is_some() && is_said) {
            effect.refused = refused;
            return is_said.then_some(effect).filter(|effect| effect.refused.is_some());
        }
        if !is_said && !effect.fields.is_empty() {
            effect.extensions = false;
        }
        if effect.fields.is_empty() && !effect.extensions {
            effect.dropped = self.rule(body, leaf).or(is_moved.then_some(Why::Derived));
        }
        Some(effect).filter(|effect| {
            effect.is_said || !effect.fields.is_empty() || effect.extensions || effect.dropped.is_some()
        })
    }

    /// Other values for what stands there; first the likeliest.
    fn others(&self, own: &Value, from: &str) -> Vec<Value> {
        let mut out = change::for_value(own);
        if !change::is_word(own) {
            return out;
        }
        let text = own.as_str().unwrap_or_default();
        if self.vendor.event(text).is_some() {
            // Another event of the same family; one of another is another body.
            let sign = if text.contains('.') { '.' } else { '_' };
            let is_kin = |name: &str| name != text && name.split(sign).next() == text.split(sign).next();
            let names = self.vendor.events.iter().map(|event| event.name);
            out.extend(names.filter(|name| is_kin(name)).map(Value::from));
        } else {
            let words = self.words.get(from).into_iter().flatten();
            out.extend(words.filter(|word| *word != text).take(WORDS).map(|word| Value::from(word.as_str())));
        }
        out
    }

    fn with(&mut self, body: &mut Value, leaf: &Leaf, other: Value) -> Told {
        let Some(place) = body.pointer_mut(&leaf.pointer) else { return Told::Refused("") };
        let own = std::mem::replace(place, other);
        let told = self.translate(body);
        if let Some(place) = body.pointer_mut(&leaf.pointer) {
            *place = own;
        }
        told
    }

    /// The paths at which two records differ; of records about different things, only what they say of themselves.
    fn changed(&self, before: &Record, after: &Record) -> BTreeSet<String> {
        let mut out = BTreeSet::new();
        match before.kind == after.kind {
            true => differences(&before.json, &after.json, "", &self.maps, &mut out),
            false => differences(&before.json["meta"], &after.json["meta"], "meta", &self.maps, &mut out),
        }
        out
    }

    /// The rule that drops what stands there: by its keys, or, of a value whose name is data beside it, by that name.
    fn rule(&self, body: &Value, leaf: &Leaf) -> Option<Why> {
        let by_key = self.rules.why(leaf.keys.iter().map(String::as_str));
        by_key.or_else(|| {
            let (parent, _) = leaf.pointer.rsplit_once('/')?;
            let beside = body.pointer(parent)?.as_object()?;
            beside.values().filter_map(Value::as_str).any(is_secret_name).then_some(Why::Secret)
        })
    }

    fn translate(&mut self, body: &Value) -> Told {
        let mut told = Told::Refused("");
        self.outcome(body, &mut |outcome| {
            told = match outcome {
                Outcome::Event(translated) => Told::Event(Box::new(Record::read(&translated))),
                Outcome::Ignored(ignored) => Told::Ignored(ignored.event_type, ignored.rule),
                Outcome::DeadLetter(letter) => Told::Refused(letter.code.as_str()),
            };
        });
        told
    }

    /// How many of a thousand bytes of the Avro record `extensions` take.
    fn extensions_per_mille(&mut self, body: &Value) -> usize {
        let mut share = 0;
        self.outcome(body, &mut |outcome| {
            if let Outcome::Event(Translated { event, .. }) = outcome {
                let length = |event: &canonical::Event<'_>| {
                    let mut record = Vec::new();
                    // That every event can be written is held by the codec's tests.
                    let _ = codec::append_datum(event, &mut record);
                    record.len()
                };
                let bare = canonical::Event { extensions: Extensions::default(), ..event.clone() };
                let (whole, bare) = (length(event), length(&bare));
                share = (whole.saturating_sub(bare) * 1_000).checked_div(whole).unwrap_or_default();
            }
        });
        share
    }

    fn outcome(&mut self, body: &Value, each: &mut impl FnMut(Outcome<'_>)) {
        let text = body.to_string();
        let raw = RawRecord {
            topic: "raw",
            partition: 0,
            offset: 0,
            timestamp_ms: Some(1_767_225_600_000),
            key: None,
            value: Some(text.as_bytes()),
            headers: &[],
        };
        self.translator.translate(&raw, &self.settings, &mut |_, outcome| each(outcome));
    }
}

impl Record {
    fn read(translated: &Translated<'_>) -> Record {
        let event = translated.event;
        let mut json = serde_json::to_value(event).unwrap_or_default();
        if let Some(record) = json.as_object_mut() {
            record.shift_remove("extensions");
        }
        if let Some(meta) = json["meta"].as_object_mut() {
            meta.shift_remove("event_id");
        }
        Record {
            event: Event {
                event_type: translated.event_type,
                entity: event.entity.kind().as_lower(),
                action: event.meta.action.as_str(),
                coverage: event.meta.coverage.as_str(),
                component: event.meta.component.as_ref().map(|component| component.kind.to_string()),
            },
            kind: event.entity.kind(),
            json,
            extensions: event.extensions.iter().map(|(at, text)| (at.to_owned(), text.to_owned())).collect(),
        }
    }

    /// Whether what stands at `pointer` is in `extensions`, by itself or in something that is.
    fn keeps(&self, pointer: &str) -> bool {
        let holds = |at: &str| pointer.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        self.extensions.iter().any(|(at, _)| holds(at))
    }
}

fn leaves(body: &Value) -> Vec<Leaf> {
    fn walk(value: &Value, at: Leaf, out: &mut Vec<Leaf>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let step = key.replace('~', "~0").replace('/', "~1");
                    let keys = at.keys.iter().chain([key]).cloned().collect();
                    let (pointer, from) = (format!("{}/{step}", at.pointer), format!("{}/{step}", at.from));
                    walk(value, Leaf { pointer, from, keys }, out);
                }
            }
            Value::Array(items) => {
                for (nth, value) in items.iter().enumerate() {
                    let (pointer, from) = (format!("{}/{nth}", at.pointer), format!("{}/*", at.from));
                    walk(value, Leaf { pointer, from, keys: at.keys.clone() }, out);
                }
            }
            _ => out.push(at),
        }
    }
    let mut out = Vec::new();
    walk(body, Leaf { pointer: String::new(), from: String::new(), keys: Vec::new() }, &mut out);
    out
}
