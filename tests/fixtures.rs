//! Every body of `tests/fixtures` becomes what was written down by hand from the vendor's page, and every malformed one
//! is refused with the code and pointer that were written down. See `tests/fixtures/README.md`.

use koine::config::settings::parse_size;
use koine::pointer::Pointer;
use koine::reject::Code;
use koine::translate::{Header, Outcome, RawRecord, SourceSettings, Translator};
use koine::vendors::{VENDORS, vendor};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn bodies(vendor: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(fixtures().join("bodies").join(vendor)).expect("bodies of the vendor");
    let paths = entries.map(|entry| entry.expect("entry").path());
    let named = paths.map(|path| {
        let name = path.file_stem().expect("name").to_string_lossy().into_owned();
        (name, fs::read(&path).expect("body"))
    });
    named.collect()
}

/// What became of a webhook, as plain JSON.
fn outcome(outcome: Outcome<'_>) -> Value {
    match outcome {
        Outcome::Event(translated) => serde_json::json!({
            "outcome": "event",
            "topic": translated.event.entity.kind().topic_name(),
            "key": translated.key,
            "event": serde_json::to_value(translated.event).expect("an event is JSON"),
        }),
        Outcome::Ignored(ignored) => serde_json::json!({"outcome": "ignored", "rule": ignored.rule.as_str()}),
        Outcome::DeadLetter(letter) => serde_json::json!({
            "outcome": "dead_letter",
            "code": letter.code.as_str(),
            "class": letter.code.class().as_str(),
            "pointer": letter.pointer,
            "detail": letter.detail,
            "index": letter.index,
        }),
    }
}

fn translate(topic: &str, vendor_name: Option<&str>, value: Option<&[u8]>) -> Vec<Value> {
    let settings = SourceSettings { vendor: vendor_name.and_then(vendor), ..SourceSettings::default() };
    let mut outcomes = Vec::new();
    Translator::new().translate(&raw(topic, value), &settings, &mut |_, it| outcomes.push(outcome(it)));
    outcomes
}

fn raw<'a>(topic: &'a str, value: Option<&'a [u8]>) -> RawRecord<'a> {
    RawRecord { topic, partition: 0, offset: 7, timestamp_ms: Some(1_767_225_600_000), key: None, value, headers: &[] }
}

/// The value at a dotted path; what follows `extensions.` is one key.
fn at<'v>(record: &'v Value, path: &str) -> Option<&'v Value> {
    if let Some(pointer) = path.strip_prefix("extensions.") {
        return record["extensions"].get(pointer);
    }
    path.split('.').try_fold(record, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        other => other.get(step),
    })
}

/// Numbers by their text, lists and maps by their members.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.to_string() == b.to_string(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| same(v, w)))
        }
        _ => a == b,
    }
}

fn differences(name: &str, expected: &Value, got: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut check = |what: &str, wanted: &Value, found: Option<&Value>| {
        if !found.is_some_and(|found| same(wanted, found)) {
            let found = found.map_or("nothing".to_owned(), Value::to_string);
            wrong.push(format!("{name}: {what} should be {wanted}, is {found}"));
        }
    };
    for key in ["outcome", "topic", "key", "rule"] {
        if let Some(wanted) = expected.get(key) {
            check(key, wanted, got.get(key));
        }
    }
    if got["outcome"] == "dead_letter" {
        wrong.push(format!("{name}: refused: {got}"));
        return wrong;
    }
    let record = &got["event"];
    for (path, wanted) in expected["fields"].as_object().into_iter().flatten() {
        let found = at(record, path);
        if path == "meta.present" {
            let sorted = |value: &Value| {
                let mut items: Vec<String> =
                    value.as_array().into_iter().flatten().map(|item| item.to_string()).collect();
                items.sort();
                items
            };
            if found.map(sorted) != Some(sorted(wanted)) {
                wrong.push(format!("{name}: meta.present should be {wanted}, is {found:?}"));
            }
            continue;
        }
        if !found.is_some_and(|found| same(wanted, found)) {
            let found = found.map_or("nothing".to_owned(), Value::to_string);
            wrong.push(format!("{name}: {path} should be {wanted}, is {found}"));
        }
    }
    let texts = |key: &str| {
        let list = expected.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
        list.into_iter().map(|item| item.as_str().expect("text").to_owned()).collect::<Vec<String>>()
    };
    let all = got.to_string();
    for text in texts("absent").into_iter().chain(texts("absent_extensions")) {
        if all.contains(&text) {
            wrong.push(format!("{name}: {text:?} must occur nowhere"));
        }
    }
    let present: Vec<&str> =
        record["meta"]["present"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for path in texts("present_has") {
        if !present.contains(&path.as_str()) {
            wrong.push(format!("{name}: meta.present lacks {path}: {present:?}"));
        }
    }
    for path in texts("present_lacks") {
        if present.contains(&path.as_str()) {
            wrong.push(format!("{name}: meta.present names {path}"));
        }
    }
    wrong
}

fn every_body_becomes_what_the_page_says(vendor: &str) {
    let expected = json(&fixtures().join("expected").join(format!("{vendor}.json")));
    let expected = expected.as_object().expect("an object");
    let bodies = bodies(vendor);
    let names: Vec<&String> = bodies.keys().collect();
    let mut expected_names: Vec<&String> = expected.keys().collect();
    expected_names.sort();
    assert_eq!(names, expected_names, "every body has an expectation, and the reverse");
    let mut wrong = Vec::new();
    for (name, body) in &bodies {
        let got = translate(&format!("raw.{vendor}"), Some(vendor), Some(body));
        assert_eq!(got.len(), 1, "{name}: one webhook in, one outcome out");
        wrong.extend(differences(name, &expected[name], &got[0]));
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn bspk_bodies_become_what_the_page_says() {
    every_body_becomes_what_the_page_says("bspk");
}

#[test]
fn spree_bodies_become_what_the_page_says() {
    every_body_becomes_what_the_page_says("spree");
}

#[test]
fn composer_bodies_become_what_the_page_says() {
    every_body_becomes_what_the_page_says("composer");
}

#[test]
fn bold_bodies_become_what_the_page_says() {
    every_body_becomes_what_the_page_says("bold");
}

/// `vendor: auto`: each body is told to be its vendor's, with the same outcome, and nobody else's.
#[test]
fn every_body_is_recognised_as_its_vendors() {
    let mut wrong = Vec::new();
    for vendor in VENDORS {
        for (name, body) in bodies(vendor.name) {
            let topic = "raw.all";
            let told = translate(topic, Some(vendor.name), Some(&body));
            let found = translate(topic, None, Some(&body));
            if told != found {
                wrong.push(format!("{}/{name}: {}", vendor.name, found[0]));
            }
        }
    }
    assert!(wrong.is_empty(), "{} not recognised:\n{}", wrong.len(), wrong.join("\n"));
}

/// The vendors document 145 event types: 115, 11, 11, and Bold's four entities saved and deleted.
const DOCUMENTED: [(&str, usize); 4] = [("spree", 115), ("bspk", 11), ("composer", 11), ("bold", 8)];

/// The list that decides what becomes of a webhook is the list that is walked here: what is in it and has no body, and so
/// no expectation, fails. Those that are sent and not documented have theirs where the vendor's own tests are.
#[test]
fn every_documented_event_type_has_a_body() {
    let mut lacking = Vec::new();
    for vendor in VENDORS {
        let settings = SourceSettings { vendor: Some(vendor), ..SourceSettings::default() };
        let (mut translator, mut found) = (Translator::new(), BTreeSet::new());
        for body in bodies(vendor.name).values() {
            translator.translate(&raw("raw", Some(body)), &settings, &mut |_, outcome| match outcome {
                Outcome::Event(translated) => drop(found.insert(translated.event_type)),
                Outcome::Ignored(ignored) => drop(found.insert(ignored.event_type)),
                Outcome::DeadLetter(_) => {}
            });
        }
        let documented = vendor.events.iter().map(|event| event.name).filter(|name| !vendor.released.contains(name));
        let documented: BTreeSet<&str> = documented.collect();
        assert!(DOCUMENTED.contains(&(vendor.name, documented.len())), "{}: {}", vendor.name, documented.len());
        lacking.extend(documented.difference(&found).map(|name| format!("{} {name}", vendor.name)));
    }
    assert!(lacking.is_empty(), "no body of {}", lacking.join(", "));
}

/// The value of a malformed record: a file, null, or pieces of text, some of them many times.
fn malformed_value(case: &Value) -> Option<Vec<u8>> {
    if let Some(file) = case.get("file").and_then(Value::as_str) {
        return Some(fs::read(fixtures().join("malformed").join(file)).expect("body"));
    }
    let pieces = case.get("fill")?.as_array().expect("pieces");
    let filled = pieces.iter().map(|piece| match piece {
        Value::String(text) => text.clone(),
        piece => {
            let (part, times) = (piece[0].as_str().expect("a text"), piece[1].as_u64().expect("a number"));
            (0..times).map(|nth| part.replace("<n>", &nth.to_string())).collect()
        }
    });
    Some(filled.collect::<String>().into_bytes())
}

/// The headers of a malformed record.
fn malformed_headers(case: &Value) -> Vec<Header<'_>> {
    let listed = case.get("headers").and_then(Value::as_array).into_iter().flatten();
    listed
        .map(|pair| Header { name: pair[0].as_str().expect("a name"), value: pair[1].as_str().map(str::as_bytes) })
        .collect()
}

/// What is known of the source of a malformed record, and the limits that it is held against.
fn malformed_settings(case: &Value) -> SourceSettings {
    let known = case["topic"].as_str().and_then(|topic| vendor(topic.strip_prefix("raw.")?));
    let mut settings = SourceSettings { vendor: known, ..SourceSettings::default() };
    if let Some(pointer) = case["source"]["payload_pointer"].as_str() {
        settings.payload_pointer = Some(Pointer::parse(pointer).expect("a pointer"));
    }
    if let Some(size) = case["settings"]["limits.body_bytes"].as_str() {
        settings.max_body = parse_size(size).expect("a size") as usize;
    }
    if let Some(depth) = case["settings"]["limits.depth"].as_str() {
        settings.max_depth = depth.parse().expect("a number");
    }
    settings
}

/// How a refusal differs from what was written down.
fn misjudged(case: &Value, got: &Value) -> Vec<String> {
    let pointer = got["pointer"].as_str().unwrap_or("nowhere");
    let is_within = case["within"]
        .as_str()
        .is_none_or(|place| pointer.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
    let wanted = ["code", "class", "pointer"].into_iter().filter_map(|key| Some((key, case.get(key)?)));
    let differs = wanted.filter(|(key, value)| got[key] != **value);
    let told = differs.map(|(key, value)| format!("{}: {key} should be {value}, is {got}", case["name"]));
    let outside =
        (!is_within).then(|| format!("{}: pointer should be within {}, is {got}", case["name"], case["within"]));
    told.chain(outside).collect()
}

#[test]
fn every_malformed_body_is_refused_with_its_code_and_pointer() {
    let cases = json(&fixtures().join("malformed.json"));
    let (mut wrong, mut translator) = (Vec::new(), Translator::new());
    for case in cases.as_array().expect("a list") {
        let (value, headers) = (malformed_value(case), malformed_headers(case));
        let raw = RawRecord { headers: &headers, ..raw(case["topic"].as_str().expect("topic"), value.as_deref()) };
        let mut got = Vec::new();
        translator.translate(&raw, &malformed_settings(case), &mut |_, it| got.push(outcome(it)));
        // Of a list one webhook is malformed, and the others are none the worse.
        assert_eq!(got.len(), case["of"].as_u64().unwrap_or(1) as usize, "{}: {got:?}", case["name"]);
        let refused = got.remove(case["index"].as_u64().unwrap_or(0) as usize);
        wrong.extend(misjudged(case, &refused));
        if refused["index"] != case["index"] {
            wrong.push(format!("{}: index should be {}, is {refused}", case["name"], case["index"]));
        }
        let others = got.iter().filter(|other| other["outcome"] != "event");
        wrong.extend(others.map(|other| format!("{}: a good neighbour is {other}", case["name"])));
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// Each code has its cases: enough that it is no accident when they are all right.
#[test]
fn every_code_that_a_body_can_earn_has_twenty_malformed_bodies() {
    let cases = json(&fixtures().join("malformed.json"));
    let mut count: BTreeMap<&str, usize> = Code::ALL.iter().map(|code| (code.as_str(), 0)).collect();
    for case in cases.as_array().expect("a list") {
        *count.get_mut(case["code"].as_str().expect("a code")).expect("a code that there is") += 1;
    }
    // Only a broker can say it, and it does not matter of what: see the README beside the list.
    assert_eq!(count.remove(Code::RecordRefused.as_str()), Some(0));
    assert!(count.values().all(|&bodies| bodies >= 20), "{count:?}");
}
