//! A sample as if it had been sent just now, of entities that nobody has seen before. It knows no vendor: an id is what is
//! called one, a time what is written as one. A broken sample is not for it: what it is broken by would be mended.

use crate::canonical::Micros;
use serde_json::{Map, Number, Value};

/// The names of laps of one run do not meet those of the next, which begins at least a second later, if one takes longer than
/// this part of a second.
pub const LAPS_A_SECOND: u64 = 1_000;
/// Above the numbers of the samples, so that an id and its lap can be told apart.
const STEP: u64 = 1_000_000;

/// The body with each id marked by the lap, the same id alike wherever it stands, and its times moved together so that the
/// latest is `now_ms`.
pub fn fresh(body: &[u8], lap: u64, now_ms: i64) -> Vec<u8> {
    let Ok(mut document) = serde_json::from_slice::<Value>(body) else { return body.to_vec() };
    let mut latest = None;
    each_time(&mut document, &mut |time| {
        latest = latest.max(Some(time.0));
        None
    });
    if let Some(latest) = latest {
        let later = now_ms.saturating_mul(1_000).saturating_sub(latest);
        each_time(&mut document, &mut |time| Micros::in_range(time.0.checked_add(later)?));
    }
    if let Value::Object(fields) = &mut document {
        mark(fields, lap);
    }
    document.to_string().into_bytes()
}

/// Shows every time, which becomes what is answered. One that is finer than can be told is left alone: what is too fine is
/// kept in `extensions`, and a sample for that has to stay one.
fn each_time(value: &mut Value, change: &mut impl FnMut(Micros) -> Option<Micros>) {
    match value {
        Value::String(text) => {
            let time = Micros::parse(text).filter(|(_, was_cut)| !was_cut);
            if let Some(changed) = time.and_then(|(time, _)| change(time)) {
                *text = changed.to_string();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each_time(item, change)),
        Value::Object(fields) => fields.iter_mut().for_each(|(_, field)| each_time(field, change)),
        _ => {}
    }
}

fn mark(fields: &mut Map<String, Value>, lap: u64) {
    for (name, field) in fields {
        match field {
            Value::String(text) if is_id(name) && !text.is_empty() => text.push_str(&format!("-{lap}")),
            Value::Number(number) if is_id(name) => {
                let marked = lap.checked_mul(STEP).and_then(|step| number.as_u64()?.checked_add(step));
                *number = marked.map_or_else(|| number.clone(), Number::from);
            }
            Value::Object(inner) => mark(inner, lap),
            Value::Array(items) => items.iter_mut().filter_map(Value::as_object_mut).for_each(|inner| mark(inner, lap)),
            _ => {}
        }
    }
}

fn is_id(name: &str) -> bool {
    ["id", "ref", "guid", "orderNumber"].contains(&name) || ["_id", "Guid"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::super::super::demo::samples::{GOOD, Sample};
    use super::*;
    use crate::translate::{Outcome, RawRecord, SourceSettings, Translator};
    use crate::vendors::vendor;
    use serde_json::json;

    const NOW: i64 = 1_790_000_000_000;
    const LAP: u64 = 1_790_000_000_007;

    /// What becomes of a body, without what ids and times decide; and the keys of its events.
    fn outcomes(sample: &Sample, body: &[u8]) -> (Vec<Value>, Vec<String>) {
        let raw = RawRecord {
            topic: "raw",
            partition: 0,
            offset: 0,
            timestamp_ms: Some(NOW),
            key: None,
            value: Some(body),
            headers: &[],
        };
        let settings = SourceSettings { vendor: vendor(sample.vendor), ..SourceSettings::default() };
        let (mut told, mut keys) = (Vec::new(), Vec::new());
        Translator::new().translate(&raw, &settings, &mut |_, outcome| match outcome {
            Outcome::Event(event) => {
                let kind = event.headers.iter().find(|(name, _)| *name == "ce_type");
                told.push(json!(["event", event.event_type, kind, event.event.extensions.len()]));
                keys.push(event.key.to_owned());
            }
            Outcome::Ignored(ignored) => told.push(json!(["ignored", ignored.event_type, ignored.rule.as_str()])),
            Outcome::DeadLetter(letter) => told.push(json!(["dead letter", letter.code.as_str(), letter.pointer])),
        });
        (told, keys)
    }

    #[test]
    fn a_fresh_sample_becomes_what_the_sample_becomes_under_a_key_of_its_own() {
        let mut events = 0;
        for sample in GOOD {
            let place = format!("{}/{}", sample.vendor, sample.name);
            let (was, old_keys) = outcomes(sample, sample.body);
            let (is, keys) = outcomes(sample, &fresh(sample.body, LAP, NOW));
            assert_eq!(is, was, "{place}");
            for (key, old) in keys.iter().zip(&old_keys) {
                assert_ne!(key, old, "{place}");
            }
            events += keys.len();
        }
        assert!(events > 100, "{events} events");
    }

    #[test]
    fn ids_are_marked_alike_wherever_they_stand_and_times_keep_their_distances() {
        let body = br#"{"id":"a","at":"2024-01-15T10:30:00Z","order":{"customer_id":7,"parent_id":null,"lines":[{"id":7,"of":[{"ref":"a"}]}],
            "made":"2024-01-15T12:29:58.5+02:00","paid":"2024-01-15","note":"id"},"void":"x","valid":12.5,"empty_id":""}"#;
        let fresh = |lap| serde_json::from_slice::<Value>(&fresh(body, lap, 1_700_000_000_250)).unwrap();
        assert_eq!(
            fresh(3),
            json!({"id": "a-3", "at": "2023-11-14T22:13:20.25Z", "order": {"customer_id": 3_000_007, "parent_id": null,
                "lines": [{"id": 3_000_007, "of": [{"ref": "a-3"}]}], "made": "2023-11-14T22:13:18.75Z", "paid": "2024-01-15",
                "note": "id"}, "void": "x", "valid": 12.5, "empty_id": ""})
        );
        // A number that has no room for the lap stays.
        assert_eq!(fresh(u64::MAX)["order"]["customer_id"], json!(7));
    }

    #[test]
    fn what_is_no_json_stays() {
        assert_eq!(fresh(b"{\"id\":1,", 5, NOW), b"{\"id\":1,");
        assert_eq!(fresh(b"", 5, NOW), b"");
    }
}
