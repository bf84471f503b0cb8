//! A webhook in the envelope of a gateway: where in a raw record's value it lies, and with what text.
//!
//! An envelope is `structural`: what is outside of the webhook is the gateway's own, and is neither read nor kept (dead
//! letters have all of it). It is opened once; what looks like another one inside is the vendor's body. Knows the members
//! of a CloudEvent, which are no vendor's, and no Kafka.

use super::{RawRecord, SourceSettings};
use crate::pointer::Pointer;
use crate::reject::Code;
use crate::vendors::cursor::{Node, text_at, unquoted};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;

/// What is known beforehand of how a record is wrapped.
#[derive(Clone, Copy)]
pub enum Envelope<'s> {
    /// Nothing, so it is not, unless a body that no vendor knows turns out to be a CloudEvent.
    Unsaid,
    /// The configuration names the place of the webhook.
    At(&'s Pointer),
    /// CloudEvents in structured mode: the value is one, or a list of them.
    CloudEvents,
}

impl<'s> Envelope<'s> {
    pub fn of(raw: &RawRecord<'_>, settings: &'s SourceSettings) -> Envelope<'s> {
        match &settings.payload_pointer {
            Some(pointer) => Envelope::At(pointer),
            None if has_cloud_events(raw) => Envelope::CloudEvents,
            None => Envelope::Unsaid,
        }
    }
}

/// Whether the header `content-type` says so, in any case: it may be the HTTP header that a bridge has handed on.
fn has_cloud_events(raw: &RawRecord<'_>) -> bool {
    let last = raw.headers.iter().rev().find(|header| header.name.eq_ignore_ascii_case("content-type"));
    let value = last.and_then(|header| header.value).unwrap_or_default();
    let media_type = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    media_type.eq_ignore_ascii_case(b"application/cloudevents+json")
        || media_type.eq_ignore_ascii_case(b"application/cloudevents-batch+json")
}

/// What was in an envelope: a webhook, or a list of them, if it is JSON at all.
pub struct Payload<'a> {
    pub bytes: Cow<'a, [u8]>,
    /// Where in the record it lies.
    pub at: String,
    pub event_id: Option<CloudEventId<'a>>,
}

/// What tells a CloudEvent from others: only both together do.
#[derive(Clone)]
pub struct CloudEventId<'a> {
    pub source: Cow<'a, str>,
    pub id: Cow<'a, str>,
}

/// Why there is nothing in an envelope, and where in the record.
pub struct Trouble {
    pub code: Code,
    pub at: String,
}

/// What a record has at the pointer of its source.
pub fn at_pointer<'a>(record: &'a str, pointer: &Pointer) -> Result<Payload<'a>, Trouble> {
    let at = pointer.as_str().to_owned();
    match text_at(record, pointer.steps()).ok_or(Code::EnvelopeMissing).and_then(content) {
        Ok(bytes) => Ok(Payload { bytes, at, event_id: None }),
        Err(code) => Err(Trouble { code, at }),
    }
}

/// Whether it has what every CloudEvent has, and data. For a body that no vendor knows.
pub fn is_cloud_event(body: Node<'_>) -> bool {
    let is_text = |key| body.value(key).is_ok_and(Node::is_text);
    ["specversion", "id", "source", "type"].into_iter().all(is_text) && (body.has("data") || body.has("data_base64"))
}

/// What a CloudEvent has as its data. `text` is the event's own, and `at` says where in the record it stands.
pub fn of_cloud_event<'a>(event: Node<'_>, text: &'a str, at: &str) -> Result<Payload<'a>, Trouble> {
    let trouble = |code, key: &str| Trouble { code, at: format!("{at}{key}") };
    if !event.is_object() {
        return Err(trouble(Code::FieldType, ""));
    }
    if event.peek("specversion").is_none() {
        return Err(trouble(Code::EnvelopeMissing, "/specversion"));
    }
    let member = |key| text_at(text, [key]).filter(|json| *json != "null");
    let (key, bytes) = match (member("data"), member("data_base64")) {
        (Some(_), Some(_)) => return Err(trouble(Code::EnvelopeConflict, "/data_base64")),
        (data, None) => ("/data", data.ok_or(Code::EnvelopeMissing).and_then(content)),
        (None, Some(data)) => ("/data_base64", decoded(data).map(Cow::Owned)),
    };
    let is_open = |key| !event.value(key).is_ok_and(Node::is_hidden);
    let said = |key| member(key).filter(|_| is_open(key)).and_then(unquoted).filter(|text| !text.is_empty());
    let event_id = said("source").zip(said("id")).map(|(source, id)| CloudEventId { source, id });
    match bytes {
        Ok(bytes) => Ok(Payload { bytes, at: format!("{at}{key}"), event_id }),
        Err(code) => Err(trouble(code, key)),
    }
}

/// An object or a list as it stands; of a string what it says.
fn content(json: &str) -> Result<Cow<'_, [u8]>, Code> {
    match unquoted(json) {
        Some(Cow::Borrowed(text)) => Ok(Cow::Borrowed(text.as_bytes())),
        Some(Cow::Owned(text)) => Ok(Cow::Owned(text.into_bytes())),
        None if json.starts_with(['{', '[']) => Ok(Cow::Borrowed(json.as_bytes())),
        None if json == "null" => Err(Code::EnvelopeMissing),
        None => Err(Code::FieldType),
    }
}

/// What a string of Base64 (RFC 4648, section 4) stands for.
fn decoded(json: &str) -> Result<Vec<u8>, Code> {
    let text = unquoted(json).ok_or(Code::FieldType)?;
    STANDARD.decode(text.as_bytes()).map_err(|_| Code::JsonEncoding)
}
