//! Every leaf of a webhook is accounted for: it is read, or it stands in `extensions`, or a named rule drops it; one of the
//! three, and never none. Held for every body, and for 10,000 bodies that somebody has been at.

use koine::samples::SAMPLES;
use koine::translate::{LeafFate, Outcome, RawRecord, SourceSettings, Translator};
use koine::vendors::{Route, VENDORS, Vendor, vendor};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const MUTATIONS: usize = 10_000;

/// Numbers that are the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % end
    }

    fn of<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.below(all.len())]
    }
}

fn bodies() -> Vec<(&'static Vendor, Value)> {
    let json = |body| serde_json::from_slice(body).expect("JSON");
    SAMPLES.iter().map(|sample| (vendor(sample.vendor).expect("a vendor"), json(sample.body))).collect()
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Every value that is no container, by its pointer.
fn leaves(value: &Value, pointer: &str, out: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, value)| leaves(value, &format!("{pointer}/{}", escaped(key)), out));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(nth, value)| leaves(value, &format!("{pointer}/{nth}"), out));
        }
        leaf => drop(out.insert(pointer.to_owned(), leaf.clone())),
    }
}

/// How many leaves went which way.
#[derive(Default, Clone, Copy)]
struct Count {
    events: usize,
    read: usize,
    kept: usize,
    dropped: usize,
}

/// Translates a body and holds the account of its leaves against the body, and against the record.
fn audit(
    translator: &mut Translator,
    vendor: &'static Vendor,
    body: &Value,
    counts: &mut BTreeMap<(&'static str, &'static str), Count>,
) -> Result<bool, String> {
    let settings = SourceSettings { vendor: Some(vendor), ..SourceSettings::default() };
    let text = body.to_string();
    let raw = RawRecord {
        topic: "raw",
        partition: 0,
        offset: 0,
        timestamp_ms: Some(0),
        key: None,
        value: Some(text.as_bytes()),
        headers: &[],
    };
    let mut fates: Vec<(String, LeafFate)> = Vec::new();
    let mut event = None;
    translator.account(
        &raw,
        &settings,
        &mut |leaf| fates.push((leaf.pointer.to_owned(), leaf.fate)),
        &mut |_, outcome| {
            if let Outcome::Event(translated) = outcome {
                event = Some((translated.event_type, serde_json::to_value(translated.event.extensions).expect("JSON")));
            }
        },
    );
    let Some((event_type, extensions)) = event else { return Ok(false) };
    let extensions: BTreeMap<String, Value> = extensions
        .as_object()
        .expect("a map")
        .iter()
        .map(|(pointer, text)| (pointer.clone(), serde_json::from_str(text.as_str().expect("text")).expect("JSON")))
        .collect();
    let mut expected = BTreeMap::new();
    leaves(body, "", &mut expected);
    let count = counts.entry((vendor.name, event_type)).or_default();
    count.events += 1;
    let mut entries = BTreeSet::new();
    for (pointer, fate) in &fates {
        let Some(leaf) = expected.remove(pointer) else {
            return Err(format!("{pointer} is no leaf, or told of twice"));
        };
        match fate {
            LeafFate::Read => {
                count.read += 1;
                if leaf.as_str() == Some(WITH_SECRET) {
                    return Err(format!("{pointer} has a secret and is read"));
                }
                if is_kept(&extensions, pointer) {
                    return Err(format!("{pointer} is read and kept"));
                }
            }
            LeafFate::Kept(top) => {
                count.kept += 1;
                entries.insert(top.clone());
                let found = extensions.get(top).and_then(|entry| entry.pointer(&pointer[top.len()..]));
                if found != Some(&leaf) {
                    return Err(format!("{pointer} is not in the extension {top}: {found:?}"));
                }
            }
            LeafFate::Dropped(why) => {
                count.dropped += 1;
                if is_kept(&extensions, pointer) {
                    return Err(format!("{pointer} is dropped ({}) and kept", why.as_str()));
                }
            }
        }
    }
    if let Some((pointer, _)) = expected.first_key_value() {
        return Err(format!("{pointer} is not accounted for"));
    }
    match extensions.keys().find(|top| !entries.contains(*top)) {
        Some(top) => Err(format!("nothing is told to be in the extension {top}")),
        None => Ok(true),
    }
}

/// Whether something stands at `pointer` in one of the extensions.
fn is_kept(extensions: &BTreeMap<String, Value>, pointer: &str) -> bool {
    extensions.iter().any(|(top, entry)| {
        pointer.strip_prefix(top.as_str()).is_some_and(|rest| {
            (rest.is_empty() || rest.starts_with('/')) && entry.pointer(rest).is_some_and(|it| !it.is_null())
        })
    })
}

/// A text that is read nowhere, whatever field it stands in.
const WITH_SECRET: &str = "{\"a\":{\"api_key\":\"x\"}}";

/// What can stand anywhere.
fn anything(random: &mut Random) -> Value {
    let all = [
        json!(null),
        json!(true),
        json!(7),
        json!("text"),
        json!(WITH_SECRET),
        json!("{\"a\":1}"),
        json!([]),
        json!({}),
        json!([1, null, {"x": []}, "y"]),
        json!({"a": {"b": null, "token": "t"}, "display_x": "1", "c": [{"d": 1}], "e~/": 2}),
        serde_json::from_str("0.1000000000000000055").expect("a number"),
    ];
    random.of(&all).clone()
}

fn containers(value: &Value, pointer: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            out.push(pointer.to_owned());
            map.iter().for_each(|(key, value)| containers(value, &format!("{pointer}/{}", escaped(key)), out));
        }
        Value::Array(items) => {
            out.push(pointer.to_owned());
            items.iter().enumerate().for_each(|(nth, value)| containers(value, &format!("{pointer}/{nth}"), out));
        }
        _ => {}
    }
}

/// Adds, removes, renames, retypes or nests something somewhere.
fn mutate(body: &mut Value, random: &mut Random) {
    let mut places = Vec::new();
    containers(body, "", &mut places);
    let place = random.of(&places).clone();
    let value = anything(random);
    match body.pointer_mut(&place).expect("a place") {
        Value::Object(map) => {
            let keys: Vec<String> = map.keys().cloned().collect();
            let names = ["zz_new", "new_token", "display_new", "a/b~c", "", "é", "id", "note"];
            match random.below(5) {
                0 => drop(map.insert((*random.of(&names)).to_owned(), value)),
                _ if keys.is_empty() => {}
                1 => drop(map.shift_remove(random.of(&keys))),
                2 => {
                    let moved = map.shift_remove(random.of(&keys)).expect("it is there");
                    map.insert((*random.of(&names)).to_owned(), moved);
                }
                3 => drop(map.insert(random.of(&keys).clone(), value)),
                _ => {
                    let key = random.of(&keys).clone();
                    let old = map[&key].clone();
                    map.insert(key.clone(), if random.below(2) == 0 { json!([old]) } else { json!({key: old}) });
                }
            }
        }
        Value::Array(items) => match random.below(3) {
            0 => items.push(value),
            1 => drop(items.pop()),
            _ if items.is_empty() => items.push(value),
            _ => {
                let nth = random.below(items.len());
                items[nth] = value;
            }
        },
        _ => unreachable!("a container"),
    }
}

#[test]
fn every_leaf_of_every_body_is_accounted_for() {
    let mut translator = Translator::new();
    let mut counts = BTreeMap::new();
    let mut wrong = Vec::new();
    for (vendor, body) in bodies() {
        if let Err(why) = audit(&mut translator, vendor, &body, &mut counts) {
            wrong.push(format!("{}: {why}", vendor.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{:10} {:32} {:>6} {:>6} {:>6} {:>6}", "vendor", "event type", "bodies", "read", "kept", "dropped");
    for ((vendor, event_type), count) in &counts {
        let Count { events, read, kept, dropped } = count;
        println!("{vendor:10} {event_type:32} {events:6} {read:6} {kept:6} {dropped:6}");
        assert!(*read > 0, "{vendor} {event_type}: nothing is read");
    }
    // Every event type that has events has a body here.
    let mapped = |vendor: &&Vendor| {
        let mapped = vendor.events.iter().filter(|event| !matches!(event.route, Route::Ignore(_)));
        mapped.filter(|event| !vendor.released.contains(&event.name)).count()
    };
    let found = counts
        .keys()
        .filter(|(vendor, name)| !koine::vendors::vendor(vendor).expect("a vendor").released.contains(name));
    assert_eq!(found.count(), VENDORS.iter().map(mapped).sum::<usize>());
}

#[test]
fn every_leaf_of_ten_thousand_mutations_is_accounted_for() {
    let mut translator = Translator::new();
    let mut counts = BTreeMap::new();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let bodies = bodies();
    let mut wrong = BTreeMap::new();
    let mut events = 0;
    for nth in 0..MUTATIONS {
        let (vendor, body) = &bodies[nth % bodies.len()];
        let mut body = body.clone();
        for _ in 0..=random.below(3) {
            mutate(&mut body, &mut random);
        }
        match audit(&mut translator, vendor, &body, &mut counts) {
            Ok(is_event) => events += usize::from(is_event),
            Err(why) => drop(wrong.insert(format!("{} {why}", vendor.name), body)),
        }
    }
    for (why, body) in wrong.iter().take(5) {
        println!("{why}\n{body}");
    }
    assert!(wrong.is_empty(), "{} of {MUTATIONS}", wrong.len());
    assert!(events > MUTATIONS / 4, "{events} events are too few to prove anything");
    println!("{events} of {MUTATIONS} mutated bodies are events still, and every leaf of theirs is accounted for");
}
