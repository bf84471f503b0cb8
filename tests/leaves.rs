//! Nothing of the input disappears in silence, held from outside: every leaf of every fixture is changed, and the outcome
//! has to change with it, unless a named rule drops the leaf; and whatever is broken, the refusal points at or into it.

use koine::samples::{SAMPLES, Sample};
use koine::translate::{Outcome, RawRecord, SourceSettings, Translator};
use koine::vendors::cursor::{Rule, Why};
use koine::vendors::{Vendor, vendor};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

struct Fixture {
    name: String,
    vendor: &'static Vendor,
    body: Value,
}

/// Every body, but of several with the same family and the same places only the first.
fn fixtures() -> Vec<Fixture> {
    let mut seen = BTreeSet::new();
    let mut all = bodies();
    all.retain(|Fixture { name, vendor, body }| {
        let mut places = Vec::new();
        nodes(body, "", &mut places);
        let places: Vec<String> = places.into_iter().map(|(place, node)| format!("{place} {}", kind(node))).collect();
        let file = name.split('/').next_back().unwrap_or_default();
        seen.insert((vendor.name, file.split(['.', '_']).next().map(str::to_owned), places))
    });
    all
}

fn bodies() -> Vec<Fixture> {
    let fixture = |sample: &Sample| Fixture {
        name: format!("{}/{}", sample.vendor, sample.name),
        vendor: vendor(sample.vendor).expect("a vendor"),
        body: serde_json::from_slice(sample.body).expect("JSON"),
    };
    SAMPLES.iter().map(fixture).collect()
}

fn kind(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

/// Every place below the root, with what stands there.
fn nodes<'v>(value: &'v Value, pointer: &str, out: &mut Vec<(String, &'v Value)>) {
    let mut child = |step: &str, child: &'v Value| {
        let pointer = format!("{pointer}/{}", step.replace('~', "~0").replace('/', "~1"));
        out.push((pointer.clone(), child));
        nodes(child, &pointer, out);
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| child(key, value)),
        Value::Array(items) => items.iter().enumerate().for_each(|(nth, value)| child(&nth.to_string(), value)),
        _ => {}
    }
}

fn raw(body: &str) -> RawRecord<'_> {
    RawRecord {
        topic: "raw.any",
        partition: 0,
        offset: 7,
        timestamp_ms: Some(1_767_225_600_000),
        key: None,
        value: Some(body.as_bytes()),
        headers: &[],
    }
}

fn translate(translator: &mut Translator, vendor: &'static Vendor, body: &Value) -> Value {
    let settings = SourceSettings { vendor: Some(vendor), ..SourceSettings::default() };
    let text = body.to_string();
    let mut told = Vec::new();
    translator.translate(&raw(&text), &settings, &mut |_, outcome| {
        told.push(match outcome {
            Outcome::Event(translated) => {
                let mut event = serde_json::to_value(translated.event).expect("an event is JSON");
                // It may be the digest of the bytes: whatever changes, it does.
                event["meta"]["event_id"] = Value::Null;
                event
            }
            Outcome::Ignored(ignored) => json!({"ignored": ignored.rule.as_str()}),
            Outcome::DeadLetter(letter) => json!({"refused": letter.code.as_str(), "at": letter.pointer}),
        });
    });
    assert_eq!(told.len(), 1, "one webhook in, one outcome out");
    told.remove(0)
}

/// Whether a rule drops what stands at `pointer`, by a reading of the table that is not the translator's.
fn is_dropped(vendor: &Vendor, body: &Value, pointer: &str) -> bool {
    let rules = vendor.rules(false);
    let (mut at, mut under) = (body, "");
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        match at {
            Value::Object(map) => {
                let (key, value) = map.get_key_value(&step).expect("a place");
                if rules.iter().any(|rule| covers(rule, key, under)) || is_secret(key) {
                    return true;
                }
                (at, under) = (value, key);
            }
            Value::Array(items) => at = &items[step.parse::<usize>().expect("an index")],
            _ => unreachable!("a leaf has no places"),
        }
    }
    false
}

fn covers(rule: &Rule, key: &str, under: &str) -> bool {
    let fits = match (rule.key.strip_prefix('*'), rule.key.strip_suffix('*')) {
        (Some(tail), _) => key.ends_with(tail),
        (_, Some(head)) => key.starts_with(head),
        _ => key == rule.key,
    };
    assert!(matches!(rule.why, Why::Secret | Why::Derived | Why::Privacy));
    fits && rule.under.is_none_or(|it| it == under)
}

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["secret", "token", "password", "authorization", "api_key", "apikey"].into_iter().any(|word| key.ends_with(word))
}

/// Another value of the same kind, as good as this one where that can be told.
fn other(value: &Value) -> Value {
    match value {
        Value::String(text) if text.ends_with('Z') && text.contains(':') => json!("2031-01-01T00:00:00Z"),
        Value::String(text) if text.parse::<f64>().is_ok() => json!(format!("1{text}")),
        Value::String(text) => json!(format!("{text}x")),
        Value::Number(number) => {
            let text = number.to_string();
            let (sign, digits) = text.strip_prefix('-').map_or(("", &*text), |digits| ("-", digits));
            serde_json::from_str(&format!("{sign}1{digits}")).expect("a number")
        }
        Value::Bool(it) => json!(!it),
        _ => unreachable!("no leaf"),
    }
}

fn is_leaf(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Object(_) | Value::Array(_))
}

fn with(body: &Value, pointer: &str, other: Value) -> Value {
    let mut body = body.clone();
    *body.pointer_mut(pointer).expect("a place") = other;
    body
}

fn without(body: &Value, pointer: &str) -> Value {
    let mut body = body.clone();
    let (parent, step) = pointer.rsplit_once('/').expect("a place");
    match body.pointer_mut(parent) {
        Some(Value::Object(map)) => drop(map.shift_remove(&step.replace("~1", "/").replace("~0", "~"))),
        Some(Value::Array(items)) => drop(items.remove(step.parse().expect("an index"))),
        _ => unreachable!("a parent is a container"),
    }
    body
}

#[test]
fn whatever_leaf_is_changed_the_outcome_changes_unless_a_rule_drops_it() {
    let mut translator = Translator::new();
    let (mut wrong, mut changed) = (Vec::new(), 0);
    for Fixture { name, vendor, body } in fixtures() {
        let before = translate(&mut translator, vendor, &body);
        if !before["ignored"].is_null() {
            continue;
        }
        let mut places = Vec::new();
        nodes(&body, "", &mut places);
        for (pointer, leaf) in places {
            if !is_leaf(leaf) {
                continue;
            }
            let is_dropped = is_dropped(vendor, &body, &pointer);
            let mut same = |what: &str, other: &Value| {
                changed += 1;
                let after = translate(&mut translator, vendor, other);
                if (after == before) != is_dropped {
                    wrong.push(format!("{name}: {pointer}: {what}: nothing changes: {}", after == before));
                }
                after
            };
            let after = same("changed", &with(&body, &pointer, other(leaf)));
            // Of two leaves that say the same, one can go; and what says nothing, by whatever word, can go too.
            let left_over =
                |of: &Value| of["extensions"].as_object().map(|map| map.keys().cloned().collect::<Vec<_>>());
            let is_said_twice = after["refused"].is_null() && left_over(&before) != left_over(&after);
            if is_said_twice || matches!(leaf.as_str(), Some("" | "NULL")) {
                continue;
            }
            same("null", &with(&body, &pointer, Value::Null));
            same("empty", &with(&body, &pointer, json!("")));
            same("absent", &without(&body, &pointer));
        }
    }
    assert!(changed > 5_000, "{changed} changes are too few to prove anything");
    assert!(wrong.is_empty(), "{} of {changed}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_key_that_no_page_knows_is_kept_wherever_it_stands() {
    let mut translator = Translator::new();
    let mut wrong = Vec::new();
    for Fixture { name, vendor, body } in fixtures() {
        if !translate(&mut translator, vendor, &body)["ignored"].is_null() {
            continue;
        }
        let mut places = vec![(String::new(), &body)];
        nodes(&body, "", &mut places);
        for (pointer, node) in places {
            let Value::Object(map) = node else { continue };
            for (key, value) in [("zz_new", json!("CANARY")), ("~new/", json!({"a": ["CANARY"], "b": null, "c": {}}))] {
                let mut map: Map<String, Value> = map.clone();
                map.insert(key.to_owned(), value);
                let changed = with(&body, &pointer, Value::Object(map));
                let out = translate(&mut translator, vendor, &changed);
                if out.to_string().contains("CANARY") == is_dropped(vendor, &body, &pointer) {
                    wrong.push(format!(
                        "{name}: {pointer}/{key}: {}",
                        out.to_string().chars().take(100).collect::<String>()
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Whatever else is null, absent, empty or there twice, no leaf beside it is lost for that: every so-many-th pair.
#[test]
fn a_leaf_is_not_lost_for_what_its_neighbours_lack() {
    const STEP: usize = 67;
    let mut translator = Translator::new();
    let (mut wrong, mut nth, mut changed) = (Vec::new(), 0, 0);
    for Fixture { name, vendor, body } in fixtures() {
        let mut places = Vec::new();
        nodes(&body, "", &mut places);
        for (pointer, node) in places {
            for (what, varied) in varied(&body, &pointer, node) {
                let scope = if what == "twice" { &*pointer } else { pointer.rsplit_once('/').expect("a place").0 };
                let mut neighbours = Vec::new();
                nodes(varied.pointer(scope).expect("a place"), scope, &mut neighbours);
                neighbours.retain(|(at, leaf)| is_leaf(leaf) && at[scope.len()..].matches('/').count() <= 3);
                let mut before = None;
                for (at, leaf) in neighbours {
                    nth += 1;
                    if nth % STEP != 0 {
                        continue;
                    }
                    let before = before.get_or_insert_with(|| translate(&mut translator, vendor, &varied)).clone();
                    if before["meta"].is_null() {
                        break;
                    }
                    changed += 1;
                    let after = translate(&mut translator, vendor, &with(&varied, &at, other(leaf)));
                    if (after == before) != is_dropped(vendor, &varied, &at) {
                        wrong.push(format!("{name}: {pointer} {what}: {at}: nothing changes: {}", after == before));
                    }
                }
            }
        }
    }
    assert!(changed > 2_000, "{changed} changes are too few to prove anything");
    assert!(wrong.is_empty(), "{} of {changed}:\n{}", wrong.len(), wrong.join("\n"));
}

/// What can stand where something else is due.
fn broken() -> Vec<Value> {
    let number = |text: &str| serde_json::from_str(text).expect("a number");
    vec![
        Value::Null,
        json!(true),
        json!([]),
        json!({}),
        json!(""),
        json!("a\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}"),
        json!("2026-01-15T10:00:00"),
        json!("-0.1234567891"),
        json!("{\"a\":[\"{\\\"token\\\":1}\"]}"),
        json!("\u{0}\n\\\"~1/%:"),
        number("1e400"),
        number("-9223372036854775809"),
        number("0.30000000000000004"),
        json!([[1], {"id": {}}, null, "x"]),
        json!({"": [{"": {"id": "1", "guid": 1, "value": [], "name": {}}}]}),
    ]
}

/// One thing is broken at a time, everywhere, in each of these ways: nothing panics, and what is refused is refused for
/// that, at its place or within.
#[test]
fn what_is_broken_is_pointed_at() {
    const MARK: &str = "here it is broken";
    let broken: Vec<String> = broken().iter().map(Value::to_string).collect();
    let (mut translator, mut wrong, mut refused) = (Translator::new(), Vec::new(), 0);
    for Fixture { name, vendor, mut body } in bodies() {
        if translate(&mut translator, vendor, &body)["meta"].is_null() {
            continue;
        }
        let mut places = Vec::new();
        nodes(&body, "", &mut places);
        let places: Vec<String> = places.into_iter().map(|(pointer, _)| pointer).collect();
        for pointer in places {
            let own = std::mem::replace(body.pointer_mut(&pointer).expect("a place"), json!(MARK));
            let text = body.to_string();
            *body.pointer_mut(&pointer).expect("a place") = own;
            let (before, after) = text.split_once(&json!(MARK).to_string()).expect("it was put there");
            for broken in &broken {
                let Some((code, at)) = refusal(&mut translator, vendor, &[before, broken, after].concat()) else {
                    continue;
                };
                refused += 1;
                // A key that nobody knows has its place for a name.
                let at = at.split("/~#").next().unwrap_or_default();
                let is_at = at == pointer || at.starts_with(&format!("{pointer}/"));
                if !is_at {
                    wrong.push(format!("{name}: {pointer}: {broken}: {code} at {at}"));
                }
            }
        }
    }
    assert!(refused > 10_000, "{refused} refusals are too few to prove anything");
    assert!(wrong.is_empty(), "{} of {refused}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Code and pointer, if the body is refused.
fn refusal(translator: &mut Translator, vendor: &'static Vendor, body: &str) -> Option<(&'static str, String)> {
    let settings = SourceSettings { vendor: Some(vendor), ..SourceSettings::default() };
    let (mut told, mut outcomes) = (None, 0);
    translator.translate(&raw(body), &settings, &mut |_, outcome| {
        outcomes += 1;
        if let Outcome::DeadLetter(letter) = outcome {
            told = Some((letter.code.as_str(), letter.pointer));
        }
    });
    assert_eq!(outcomes, 1, "one webhook in, one outcome out");
    told
}

/// The body without what stands at `pointer`, in the ways in which senders leave things out; or with more of it.
fn varied(body: &Value, pointer: &str, node: &Value) -> Vec<(&'static str, Value)> {
    let mut varied = vec![("null", with(body, pointer, Value::Null)), ("absent", without(body, pointer))];
    match node {
        Value::String(_) => varied.push(("empty", with(body, pointer, json!("")))),
        Value::Object(_) => varied.push(("empty", with(body, pointer, json!({})))),
        Value::Array(items) => {
            varied.push(("empty", with(body, pointer, json!([]))));
            let twice = items.iter().chain(items.first()).cloned().collect();
            varied.push(("twice", with(body, pointer, twice)));
        }
        _ => {}
    }
    varied
}

/// Whoever applies a part of an entity has to be told of all that it says: no field stands in a PATCH or COMPONENT that
/// `present` does not name, and nothing is named that is no field. All else names nothing.
#[test]
fn present_names_what_is_said_and_nothing_else() {
    let mut translator = Translator::new();
    let (mut wrong, mut parts) = (BTreeSet::new(), 0);
    for Fixture { name, vendor, body } in fixtures() {
        let (entity, event) = match vendor.name {
            "spree" => ("/data".to_owned(), "/name"),
            "bspk" => ("/object".to_owned(), "/event_name"),
            "composer" => {
                let context = body["contextObject"].as_object().expect("an object");
                let key = context.keys().find(|key| !["customData", "shoppingItem"].contains(&key.as_str()));
                (format!("/contextObject/{}", key.expect("an entity")), "/eventType")
            }
            _ => (
                format!("/data/{}", body["data"].as_object().expect("an object").keys().next().expect("an entity")),
                "",
            ),
        };
        let whole = body.pointer(&entity).expect("an entity").as_object().expect("an object").clone();
        let is_kept = |key: &str| ["id", "guid", "orderNumber", "platform_id"].contains(&key) || key.ends_with("_at");
        let thin: Map<String, Value> =
            whole.iter().filter(|(key, _)| is_kept(key)).map(|(k, v)| (k.clone(), v.clone())).collect();
        let mut bodies = vec![whole.clone(), thin.clone()];
        bodies.extend(whole.iter().map(|(key, value)| {
            let mut body = thin.clone();
            body.insert(key.clone(), value.clone());
            body
        }));
        for said in bodies {
            let body = with(&body, &entity, Value::Object(said));
            // The events of its family, which share a mapping.
            let family = |name: &str| name.split('.').next().map(str::to_owned);
            let said = body.pointer(event).and_then(Value::as_str);
            let alike = |name: &str| said.is_some_and(|said| family(said) == family(name) || !said.contains('.'));
            let mut names: Vec<Option<&str>> = vec![None];
            names.extend(vendor.events.iter().map(|event| event.name).filter(|name| alike(name)).map(Some));
            for event_type in names {
                let body = event_type.map_or(body.clone(), |name| with(&body, event, json!(name)));
                let out = translate(&mut translator, vendor, &body);
                if out["meta"].is_null() {
                    continue;
                }
                parts += 1;
                wrong.extend(unsaid(&out).into_iter().map(|what| format!("{name} as {event_type:?}: {what}")));
            }
        }
    }
    assert!(parts > 1_000, "{parts} records are too few to prove anything");
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.into_iter().collect::<Vec<_>>().join("\n"));
}

fn unsaid(record: &Value) -> Vec<String> {
    let meta = &record["meta"];
    let entity = &record[meta["entity"].as_str().expect("an entity").to_lowercase()];
    let present: Vec<&str> = meta["present"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    let mut wrong = Vec::new();
    if matches!(meta["coverage"].as_str(), Some("SNAPSHOT" | "KEY_ONLY")) {
        wrong.extend(present.iter().map(|path| format!("{} names {path}", meta["coverage"])));
        return wrong;
    }
    for path in &present {
        let found = path.split('.').try_fold(entity, |at, step| if at.is_null() { Some(at) } else { at.get(step) });
        if found.is_none() || present.iter().filter(|other| other == &path).count() > 1 {
            wrong.push(format!("{path} is no field, or named twice"));
        }
    }
    fn walk(value: &Value, path: &str, present: &[&str], wrong: &mut Vec<String>) {
        match value {
            _ if path == "id" || present.contains(&path) => {}
            Value::Object(fields) => {
                for (name, field) in fields {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    walk(field, &path, present, wrong);
                }
            }
            Value::Array(items) if items.is_empty() => {}
            Value::Null => {}
            _ => wrong.push(format!("{path} is said and not named")),
        }
    }
    walk(entity, "", &present, &mut wrong);
    wrong
}
