//! A bug capsule: one dead letter as one file, with all that its translation depends on, so that it can be reproduced
//! anywhere, with no Kafka and no registry.
//!
//! JSON; bytes are Base64. The settings are those of the source when it was exported, not when it was refused: what
//! depends on them is why the two can differ.

use super::{Failure, translate};
use crate::canonical::{PiiClass, Privacy, Treatment};
use crate::codec::SchemaIds;
use crate::pipeline::letter::{Letter, Position};
use crate::pointer::Pointer;
use crate::reject::{Class, Code};
use crate::translate::{BUILD, Extensions, Header, Outcome, RawRecord, SourceSettings, Translator, time_zone};
use crate::vendors::vendor;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// The form of the file.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Capsule {
    koine_capsule: u32,
    refused: Refused,
    raw: Raw,
    settings: Settings,
    schema_ids: Option<Ids>,
    dead_letter: Place,
}

/// What the dead letter says was wrong.
#[derive(Serialize, Deserialize)]
struct Refused {
    code: String,
    pointer: String,
    detail: String,
    fingerprint: String,
    vendor: Option<String>,
    event_type: Option<String>,
    failed_at: String,
    build: String,
    redrive_count: u32,
}

/// The raw record, less the headers that were dropped.
#[derive(Serialize, Deserialize)]
struct Raw {
    topic: String,
    partition: i32,
    offset: i64,
    /// The element of the record that was refused, if the record is a list.
    index: Option<i32>,
    timestamp_ms: Option<i64>,
    key: Option<String>,
    value: Option<String>,
    headers: Vec<(String, Option<String>)>,
}

#[derive(Serialize, Deserialize)]
struct Settings {
    vendor: Option<String>,
    shop: Option<String>,
    event_type: Option<String>,
    payload_pointer: Option<String>,
    time_zone: Option<String>,
    extensions: String,
    /// What is done with each class of personal data. The key of hashes is not here.
    privacy: BTreeMap<String, String>,
    body_bytes: usize,
    depth: usize,
}

const EXTENSIONS: &[(&str, Extensions)] =
    &[("full", Extensions::Full), ("drift", Extensions::Drift), ("off", Extensions::Off)];
const TREATMENTS: &[(&str, Treatment)] =
    &[("pass", Treatment::Pass), ("hash", Treatment::Hash), ("drop", Treatment::Drop)];

fn word<T: PartialEq>(words: &'static [(&'static str, T)], meaning: T) -> &'static str {
    words.iter().find(|(_, known)| *known == meaning).map_or("", |(word, _)| word)
}

fn meant<T: Copy>(words: &[(&str, T)], wanted: &str) -> Option<T> {
    words.iter().find(|(word, _)| *word == wanted).map(|(_, meaning)| *meaning)
}

#[derive(Serialize, Deserialize)]
struct Ids {
    customer: u32,
    cart: u32,
    order: u32,
    product: u32,
}

#[derive(Serialize, Deserialize)]
struct Place {
    topic: String,
    partition: i32,
    offset: i64,
}

/// A dead letter as a capsule.
pub fn write(
    letter: &Letter<'_>,
    value: Option<&[u8]>,
    settings: &SourceSettings,
    schemas: Option<&SchemaIds>,
) -> String {
    let base64 = |bytes: &[u8]| BASE64.encode(bytes);
    let text = |text: &str| text.to_owned();
    let capsule = Capsule {
        koine_capsule: VERSION,
        refused: Refused {
            code: text(letter.code),
            pointer: text(letter.pointer),
            detail: text(letter.detail),
            fingerprint: text(letter.fingerprint),
            vendor: letter.vendor.map(text),
            event_type: letter.event_type.map(text),
            failed_at: text(letter.failed_at),
            build: text(letter.build),
            redrive_count: letter.redrive_count,
        },
        raw: Raw {
            topic: text(letter.raw_topic),
            partition: letter.position.partition,
            offset: letter.position.offset,
            index: letter.position.index,
            timestamp_ms: letter.timestamp_ms,
            key: letter.key.map(base64),
            value: value.map(base64),
            headers: letter.headers.iter().map(|header| (text(header.name), header.value.map(base64))).collect(),
        },
        settings: Settings {
            vendor: settings.vendor.map(|vendor| text(vendor.name)),
            shop: settings.shop.clone(),
            event_type: settings.event_type.clone(),
            payload_pointer: settings.payload_pointer.as_ref().map(|it| text(it.as_str())),
            time_zone: settings.time_zone.as_ref().and_then(|zone| zone.iana_name()).map(text),
            extensions: text(word(EXTENSIONS, settings.extensions)),
            privacy: PiiClass::ALL
                .map(|class| (text(class.as_str()), text(word(TREATMENTS, settings.privacy.of(class)))))
                .into(),
            body_bytes: settings.max_body,
            depth: settings.max_depth,
        },
        schema_ids: schemas.map(|ids| Ids {
            customer: ids.customer,
            cart: ids.cart,
            order: ids.order,
            product: ids.product,
        }),
        dead_letter: Place { topic: text(letter.topic), partition: letter.partition, offset: letter.offset },
    };
    // A struct of texts and numbers always has a JSON form.
    serde_json::to_string_pretty(&capsule).unwrap_or_default() + "\n"
}

/// `koine translate --capsule`: translates what the capsule holds, prints what becomes of it, and says whether that is
/// what it was refused for.
pub fn reproduce(path: &Path, strict: bool) -> Result<(), Failure> {
    let wrong = |why: String| Failure::Usage(format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let capsule: Capsule = serde_json::from_str(&text).map_err(|error| wrong(format!("no capsule: {error}")))?;
    if capsule.koine_capsule != VERSION {
        return Err(wrong(format!("a capsule of form {}, and this build reads {VERSION}", capsule.koine_capsule)));
    }
    let settings = capsule.settings.read().map_err(wrong)?;
    let Raw { topic, partition, offset, index, timestamp_ms, key, value, headers } = &capsule.raw;
    let bytes = |name: &str, text: &Option<String>| match text.as_ref().map(|text| BASE64.decode(text)) {
        None => Ok(None),
        Some(Ok(bytes)) => Ok(Some(bytes)),
        Some(Err(error)) => Err(wrong(format!("raw.{name} is no Base64: {error}"))),
    };
    let (key, value) = (bytes("key", key)?, bytes("value", value)?);
    let mut decoded = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        decoded.push((name, bytes("headers", value)?));
    }
    let headers: Vec<Header<'_>> =
        decoded.iter().map(|(name, value)| Header { name, value: value.as_deref() }).collect();
    let raw = RawRecord {
        topic,
        partition: *partition,
        offset: *offset,
        timestamp_ms: *timestamp_ms,
        key: key.as_deref(),
        value: value.as_deref(),
        headers: &headers,
    };
    let position = Position { partition: *partition, offset: *offset, index: *index };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut done = Ok(());
    let mut is_same = false;
    let mut refused = 0;
    Translator::new().translate(&raw, &settings, &mut |index, outcome| {
        if !position.is_meant(index, &outcome) {
            return;
        }
        if let Outcome::DeadLetter(letter) = &outcome {
            refused += 1;
            is_same |= letter.code.as_str() == capsule.refused.code && letter.pointer == capsule.refused.pointer;
        }
        if done.is_ok() {
            done = translate::write_line(&mut out, 1, index, &outcome);
        }
    });
    done.and_then(|()| out.flush()).map_err(|error| Failure::Internal(format!("cannot write: {error}")))?;
    capsule.refused.compare(is_same);
    match refused {
        refused if strict && refused > 0 => Err(Failure::Found(format!("{refused} dead-lettered"))),
        _ => Ok(()),
    }
}

impl Refused {
    /// Says how today's outcome compares.
    fn compare(&self, is_same: bool) {
        let Refused { code, pointer, build, .. } = self;
        let by_broker = Code::ALL.iter().any(|known| known.as_str() == code && known.class() == Class::Limit);
        match is_same {
            true => eprintln!("reproduced: {code} at `{pointer}`"),
            false => eprintln!("not reproduced: it was {code} at `{pointer}`"),
        }
        if build != BUILD {
            eprintln!("it was refused by build {build}; this is {BUILD}");
        }
        if !is_same && by_broker {
            eprintln!("a limit may be the broker's, or another one than today's configuration has");
        }
    }
}

impl Settings {
    fn read(&self) -> Result<SourceSettings, String> {
        let vendor = match self.vendor.as_deref() {
            None => None,
            Some(name) => Some(vendor(name).ok_or_else(|| format!("settings.vendor: there is no vendor {name}"))?),
        };
        let time_zone = match self.time_zone.as_deref() {
            None => None,
            Some(name) => Some(time_zone(name).ok_or_else(|| format!("settings.time_zone: there is no zone {name}"))?),
        };
        let payload_pointer = match self.payload_pointer.as_deref() {
            None => None,
            Some(text) => Some(Pointer::parse(text).map_err(|error| format!("settings.payload_pointer: {error}"))?),
        };
        let mut privacy = Privacy::new(b"");
        for (class, treatment) in &self.privacy {
            let known = PiiClass::named(class).zip(meant(TREATMENTS, treatment));
            let (class, treatment) =
                known.ok_or_else(|| format!("settings.privacy: there is no {class}: {treatment}"))?;
            privacy = privacy.with(class, treatment);
        }
        Ok(SourceSettings {
            vendor,
            shop: self.shop.clone(),
            event_type: self.event_type.clone(),
            payload_pointer,
            time_zone,
            extensions: meant(EXTENSIONS, &self.extensions)
                .ok_or_else(|| format!("settings.extensions: there is no {}", self.extensions))?,
            privacy: Arc::new(privacy),
            max_body: self.body_bytes,
            max_depth: self.depth,
        })
    }
}
