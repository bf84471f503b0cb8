//! What the vendors' own tests have in common. Knows no vendor.

use super::Vendor;
use crate::translate::{Header, Outcome, RawRecord, SourceSettings, Translator};
use serde_json::{Value, json};

/// What a body of that vendor becomes: the canonical record, or `{"ignored": rule}`, or `{"refused": code, "at": pointer}`.
pub fn translate(vendor: &'static Vendor, body: &Value) -> Value {
    translate_with(vendor, &[], body)
}

/// The same for a raw record with headers.
pub fn translate_with(vendor: &'static Vendor, headers: &[(&str, &str)], body: &Value) -> Value {
    let settings = SourceSettings { vendor: Some(vendor), ..SourceSettings::default() };
    let headers: Vec<Header<'_>> =
        headers.iter().map(|(name, value)| Header { name, value: Some(value.as_bytes()) }).collect();
    let body = body.to_string();
    let raw = RawRecord {
        topic: "raw",
        partition: 0,
        offset: 7,
        timestamp_ms: Some(0),
        key: None,
        value: Some(body.as_bytes()),
        headers: &headers,
    };
    let mut told = Value::Null;
    Translator::new().translate(&raw, &settings, &mut |_, outcome| {
        told = match outcome {
            Outcome::Event(translated) => serde_json::to_value(translated.event).expect("an event is JSON"),
            Outcome::Ignored(ignored) => json!({"ignored": ignored.rule.as_str()}),
            Outcome::DeadLetter(letter) => json!({"refused": letter.code.as_str(), "at": letter.pointer}),
        };
    });
    told
}
