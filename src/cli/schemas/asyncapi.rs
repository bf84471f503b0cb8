//! The topics as AsyncAPI 3: which there are, what koine reads and writes, and what is in a message. The names of headers
//! are those that the program writes, which a test holds.

use crate::canonical::EntityKind;
use crate::config::Config;
use crate::schemas;
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// What a header of a canonical record says. The first six are always there.
const CANONICAL: [(&str, &str); 10] = [
    ("ce_id", "`meta.event_id`: a repeated one may be dropped."),
    ("ce_source", "`/koine/<vendor>/<shop>`."),
    ("ce_specversion", "Of CloudEvents: 1.0."),
    ("ce_type", "`koine.<entity>.<action>`, such as `koine.order.completed`."),
    ("ce_subject", "The entity's id; absent where the webhook does not name the entity."),
    ("ce_time", "When it happened: `meta.occurred_at`, RFC 3339."),
    ("content-type", "`application/avro`."),
    ("koine.build", "Version and mapping digest of the koine that wrote it."),
    ("traceparent", "The raw record's, if it had one."),
    ("tracestate", "The raw record's, if it had one."),
];

/// What a raw record may say beside its body.
const RAW: [(&str, &str); 5] = [
    ("koine-vendor", "Whose webhook it is: `bspk`, `spree`, `composer`, `bold`."),
    ("koine-shop", "The shop, where the configuration does not say it."),
    ("koine-event-type", "The event type, where the body does not say it; may not say another."),
    ("koine-event-id", "The vendor's id of the event, where the body has none."),
    (
        "koine-path",
        "The path of the URL that the webhook was sent to: Bold says the shop and the operation only there.",
    ),
];

/// What koine says of a dead letter, beside the raw record's own headers.
const DEAD_LETTER: [(&str, &str); 20] = [
    ("__dlq.errors.topic", "The raw record's topic."),
    ("__dlq.errors.partition", "The raw record's partition."),
    ("__dlq.errors.offset", "The raw record's offset."),
    ("__dlq.errors.group", "The consumer group."),
    ("__dlq.errors.message", "Code, place and what is wrong, for people."),
    ("koine.error.code", "One of the closed list in errors.md."),
    ("koine.error.class", "`data`, `contract` or `limit`."),
    ("koine.error.pointer", "Where in the webhook, RFC 6901; empty for the whole."),
    ("koine.error.detail", "What is wrong; never a value of the payload."),
    ("koine.error.fingerprint", "The same for refusals that one mended cause would heal."),
    ("koine.vendor", "Whose webhook it is, if that is known."),
    ("koine.event.type", "The event type, if it is known; `_other` for one that is no plain name."),
    ("koine.event.index", "The webhook's place, if the record is a list of them."),
    ("koine.build", "Version and mapping digest of the koine that refused it."),
    ("koine.failed.at", "When, RFC 3339."),
    ("koine.redrive.count", "How often it was sent again."),
    ("koine.value.sha256", "Digest of the raw value, where that was too large for this topic and is left out."),
    ("koine.value.bytes", "Length of the raw value, where that is left out."),
    (
        "koine.raw.timestamp",
        "Timestamp of the raw record in milliseconds since 1970, where the letter's own is another.",
    ),
    ("koine.seal", "Scheme and key of a sealed value; see dlq.seal."),
];

/// Headers that not every record has.
const OPTIONAL: [&str; 10] = [
    "ce_subject",
    "traceparent",
    "tracestate",
    "koine.vendor",
    "koine.event.type",
    "koine.event.index",
    "koine.value.sha256",
    "koine.value.bytes",
    "koine.raw.timestamp",
    "koine.seal",
];

/// Of the Kafka bindings that this is written for.
const BINDING: &str = "0.5.0";

/// The document for a configuration; what that does not say is as it is by default.
pub fn document(config: &Config) -> Value {
    let raw: Vec<(String, Option<&str>)> = config
        .sources
        .iter()
        .flat_map(|source| &source.topics)
        .map(|topic| (topic.as_str().to_owned(), (!topic.is_pattern()).then(|| topic.as_str())))
        .collect();
    let mut channels = Map::new();
    let mut operations = Map::new();
    for (name, topic) in &raw {
        let id = id("raw", name);
        let of =
            topic.map_or_else(|| format!("Raw topics that match {name}"), |topic| format!("The raw topic {topic}"));
        channels.insert(
            id.clone(),
            channel(*topic, &format!("{of}: webhooks as the vendor sent them."), "Webhook", json!({})),
        );
        operations
            .insert(format!("receive_{id}"), operation("receive", &id, "Webhook", &format!("{of} is translated.")));
    }
    for (kind, topic) in EntityKind::ALL.into_iter().zip(config.topics.canonical()) {
        let (id, message) = (kind.as_lower().to_owned(), kind.record_name());
        let about = format!(
            "Canonical {} events. Never to be compacted: a patch and a part of an entity have the entity's key. Readers set \
             isolation.level=read_committed.",
            kind.as_lower()
        );
        let settings = json!({"topicConfiguration": {"cleanup.policy": ["delete"]}});
        channels.insert(id.clone(), channel(Some(topic), &about, message, settings));
        operations.insert(
            format!("send_{id}"),
            operation("send", &id, message, "One record for each webhook that becomes an event."),
        );
    }
    for (name, topic) in &raw {
        let id = id("dead_letters", name);
        let about = format!("What was refused of {name}, as it came. Holds personal data and secrets by design.");
        let letters = topic.map(|topic| config.topics.dead_letter(topic));
        channels.insert(id.clone(), channel(letters.as_deref(), &about, "DeadLetter", json!({})));
        operations.insert(
            format!("send_{id}"),
            operation("send", &id, "DeadLetter", "One record for each webhook that is refused."),
        );
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "koine",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Commerce webhooks of several vendors in, canonical customer, cart, order and product events out, exactly once.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/avro",
        "servers": {"kafka": server(config)},
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages()},
    })
}

fn server(config: &Config) -> Value {
    let mut server = json!({
        "host": config.kafka.bootstrap_servers.join(","),
        "protocol": "kafka",
        "description": "The Kafka cluster.",
    });
    if let Some(url) = &config.registry.url {
        server["bindings"] = json!({"kafka": {"schemaRegistryUrl": url, "schemaRegistryVendor": "confluent", "bindingVersion": BINDING}});
    }
    server
}

/// Letters, digits and `_` of a topic, which is all that may name a channel.
fn id(before: &str, topic: &str) -> String {
    let rest = topic.strip_prefix("raw.").unwrap_or(topic);
    let rest: String = rest.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    format!("{before}_{rest}")
}

/// A topic that only a pattern names has no address of its own.
fn channel(topic: Option<&str>, about: &str, message: &str, settings: Value) -> Value {
    let mut kafka = settings;
    if let Some(topic) = topic {
        kafka["topic"] = topic.into();
    }
    kafka["bindingVersion"] = BINDING.into();
    json!({
        "address": topic,
        "description": about,
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {message: {"$ref": format!("#/components/messages/{message}")}},
        "bindings": {"kafka": kafka},
    })
}

fn operation(action: &str, channel: &str, message: &str, summary: &str) -> Value {
    json!({
        "action": action,
        "channel": {"$ref": format!("#/channels/{channel}")},
        "summary": summary,
        "messages": [{"$ref": format!("#/channels/{channel}/messages/{message}")}],
    })
}

fn messages() -> Value {
    let mut messages = Map::new();
    messages.insert(
        "Webhook".to_owned(),
        json!({
            "title": "A webhook",
            "summary": "One webhook, or a JSON list of them.",
            "contentType": "application/json",
            "headers": headers(&RAW, |_| false),
            "payload": {"type": ["object", "array"]},
            "bindings": {"kafka": {"key": {"description": "Any."}, "bindingVersion": BINDING}},
        }),
    );
    for kind in EntityKind::ALL {
        let key = format!(
            "vendor:shop:{0}:id, UTF-8; a part that does not say what it belongs to has its own kind and id.",
            kind.as_lower()
        );
        let schema: Value = serde_json::from_str(schemas::json(kind)).unwrap_or_default();
        messages.insert(
            kind.record_name().to_owned(),
            json!({
                "title": format!("A canonical {} event", kind.as_lower()),
                "summary": "Confluent wire format: 0x00, the schema's id in 4 bytes, Avro.",
                "contentType": "application/avro",
                "headers": headers(&CANONICAL, |name| !OPTIONAL.contains(&name)),
                "payload": {"schemaFormat": "application/vnd.apache.avro;version=1.9.0", "schema": schema},
                "bindings": {"kafka": {
                    "key": {"type": "string", "description": key},
                    "schemaIdLocation": "payload",
                    "schemaIdPayloadEncoding": "confluent",
                    "schemaLookupStrategy": "TopicIdStrategy",
                    "bindingVersion": BINDING,
                }},
            }),
        );
    }
    messages.insert(
        "DeadLetter".to_owned(),
        json!({
            "title": "A dead letter",
            "summary": "Key, value, headers and time of the raw record as they came, and headers that say what is wrong.",
            "contentType": "application/octet-stream",
            "headers": headers(&DEAD_LETTER, |name| !OPTIONAL.contains(&name)),
            "payload": {"description": "The raw value, byte for byte; it need not be JSON."},
            "bindings": {"kafka": {"key": {"description": "The raw key."}, "bindingVersion": BINDING}},
        }),
    );
    Value::Object(messages)
}

fn headers(said: &[(&str, &str)], is_required: impl Fn(&str) -> bool) -> Value {
    let properties: Map<String, Value> = said
        .iter()
        .map(|(name, about)| ((*name).to_owned(), json!({"type": "string", "description": about})))
        .collect();
    let required: Vec<&str> = said.iter().map(|(name, _)| *name).filter(|name| is_required(name)).collect();
    let mut headers = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        headers["required"] = required.into();
    }
    headers
}

/// The same as YAML.
pub fn yaml(document: &Value) -> String {
    let mut out = String::new();
    block(document, 0, &mut out);
    out
}

/// Writes a value that begins on a line of its own.
fn block(value: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let _ = write!(out, "{indent}{}:", scalar(key));
                after_key(value, depth, out);
            }
        }
        Value::Array(items) => {
            for item in items {
                if is_plain(item) {
                    let _ = writeln!(out, "{indent}- {}", inline(item));
                } else {
                    // The first line of what is in the item stands behind its dash.
                    let mut inner = String::new();
                    block(item, depth + 1, &mut inner);
                    let _ = write!(out, "{indent}- {}", inner.trim_start());
                }
            }
        }
        other => {
            let _ = writeln!(out, "{indent}{}", inline(other));
        }
    }
}

fn after_key(value: &Value, depth: usize, out: &mut String) {
    if is_plain(value) {
        let _ = writeln!(out, " {}", inline(value));
    } else {
        out.push('\n');
        block(value, depth + 1, out);
    }
}

/// Whether it stands on one line.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.iter().all(|item| !item.is_object() && !item.is_array()),
        _ => true,
    }
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// A text in quotes, unless it is a plain word that YAML takes for nothing else. JSON's quotes are YAML's.
fn scalar(text: &str) -> String {
    let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/'));
    let is_other =
        ["null", "true", "false", "yes", "no", "on", "off", "y", "n"].contains(&text.to_lowercase().as_str());
    if is_word && !is_other { text.to_owned() } else { Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::dead_letter;
    use crate::samples::SAMPLES;
    use crate::translate::{Header, Outcome, RawRecord, SourceSettings, Translator};

    #[test]
    fn the_headers_are_those_that_are_written() {
        let ours: Vec<&str> = DEAD_LETTER.iter().map(|(name, _)| *name).collect();
        assert_eq!(ours, dead_letter::OURS);
        let trace = [
            Header { name: "traceparent", value: Some(b"00-1-2-01") },
            Header { name: "tracestate", value: Some(b"a=b") },
        ];
        let raw = RawRecord {
            topic: "raw",
            partition: 0,
            offset: 0,
            timestamp_ms: None,
            key: None,
            value: SAMPLES.iter().find(|sample| sample.name == "order.completed").map(|sample| sample.body),
            headers: &trace,
        };
        let mut written = Vec::new();
        Translator::new().translate(&raw, &SourceSettings::default(), &mut |_, outcome| match outcome {
            Outcome::Event(translated) => written.extend(translated.headers.iter().map(|(name, _)| *name)),
            other => panic!("{other:?}"),
        });
        assert_eq!(written, CANONICAL.map(|(name, _)| name));
    }

    #[test]
    fn what_yaml_would_take_for_something_else_is_quoted() {
        let value = json!({"a": {"b": [], "c": {}, "on": "no"}, "$ref": "#/x: y", "list": [{"d": 1, "e": {"f": null}}, [1]], "1": "a b"});
        let expected = "\
a:
  b: []
  c: {}
  \"on\": \"no\"
\"$ref\": \"#/x: y\"
list:
  - d: 1
    e:
      f: null
  - [1]
\"1\": \"a b\"
";
        assert_eq!(yaml(&value), expected);
    }
}
