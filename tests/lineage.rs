//! Where each leaf goes, held from three sides: what `docs/mapping.md` says is what changing a leaf does, by a reading that
//! is not the generator's; rows that were written by hand from the vendors' pages hold; and how much has a field of its
//! own may only rise.

use koine::lineage::{Effect, Found, Mapping, Shares, Tracer, mappings};
use koine::samples::SAMPLES;
use koine::translate::{Outcome, RawRecord, SourceSettings, Translator};
use koine::vendors::{Route, VENDORS, Vendor, vendor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

static MAPPINGS: LazyLock<Vec<Mapping>> = LazyLock::new(mappings);

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(root(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

// ---- the page, and what a change does ----

/// What the page says of one place.
#[derive(Default, Debug)]
struct Said {
    always: BTreeSet<String>,
    sometimes: BTreeSet<String>,
    is_extension: bool,
    is_dropped: bool,
}

/// The page's tables by vendor, entity and event type.
type Page = BTreeMap<(String, String, String), BTreeMap<String, Said>>;

fn codes(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn page() -> Page {
    let text = read("docs/mapping.md");
    let mut page = Page::new();
    for chapter in text.split("\n## ").skip(1) {
        let vendor = chapter.lines().next().expect("a name").to_owned();
        for section in chapter.split("\n### ").skip(1) {
            let entity = section.lines().next().expect("a heading").rsplit(' ').next().expect("a word").to_owned();
            let Some(types) = section.lines().find_map(|line| line.strip_prefix("Of ")) else { continue };
            for event_type in codes(types) {
                let table = page.entry((vendor.clone(), entity.clone(), event_type.to_owned())).or_default();
                for row in section.lines().filter(|line| line.starts_with("| `/")) {
                    let (from, ways) = row.trim_matches('|').split_once(" | ").expect("two columns");
                    table.insert(codes(from)[0].to_owned(), said(ways));
                }
            }
        }
    }
    page
}

fn said(ways: &str) -> Said {
    let mut said = Said::default();
    for way in ways.trim().split("; ") {
        match way {
            _ if way.starts_with("*extensions*") => {
                said.is_extension = true;
                // What follows is the reason.
                break;
            }
            _ if way.starts_with("*dropped*") => said.is_dropped = true,
            _ if way.starts_with("*has to fit*") => {}
            _ if way.contains("` (") => drop(said.sometimes.insert(codes(way)[0].to_owned())),
            _ => said.always.extend(codes(way).into_iter().map(str::to_owned)),
        }
    }
    said
}

/// A record as path → what stands there, over all items of a list; without what changes whatever is changed.
type Flat = BTreeMap<String, Vec<String>>;

fn flat(value: &Value, path: &str, out: &mut Flat) {
    match value {
        Value::Null => {}
        _ if path == "meta.event_id" || path == "extensions" => {}
        Value::Object(map) => {
            let is_map = ["attributes", "localized_names", "localized_descriptions", "renditions", "cart_types"]
                .iter()
                .any(|name| path.ends_with(name));
            for (key, value) in map {
                let key = if is_map { "*" } else { key };
                flat(value, &if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }, out);
                if is_map {
                    out.entry(format!("{path}.*")).or_default().push(map.keys().cloned().collect());
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| flat(item, &format!("{path}.*"), out)),
        _ => out.entry(path.to_owned()).or_default().push(value.to_string()),
    }
}

struct Record {
    event_type: String,
    entity: String,
    extensions: Value,
    flat: Flat,
}

fn translate(translator: &mut Translator, vendor: &'static Vendor, body: &Value) -> Option<Record> {
    let settings = SourceSettings { vendor: Some(vendor), ..SourceSettings::default() };
    let text = body.to_string();
    let value = Some(text.as_bytes());
    let raw = RawRecord {
        topic: "raw",
        partition: 0,
        offset: 0,
        timestamp_ms: Some(1_767_225_600_000),
        key: None,
        value,
        headers: &[],
    };
    let mut record = None;
    translator.translate(&raw, &settings, &mut |_, outcome| {
        if let Outcome::Event(translated) = outcome {
            let event = serde_json::to_value(translated.event).expect("an event is JSON");
            let mut all = Flat::new();
            flat(&event, "", &mut all);
            let entity = translated.event.entity.kind().as_lower().to_owned();
            let event_type = translated.event_type.to_owned();
            record = Some(Record { event_type, entity, extensions: event["extensions"].clone(), flat: all });
        }
    });
    record
}

/// Places of scalars that say something, each with its pattern.
fn leaves(value: &Value, pointer: &str, from: &str, out: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let key = key.replace('~', "~0").replace('/', "~1");
                leaves(value, &format!("{pointer}/{key}"), &format!("{from}/{key}"), out);
            }
        }
        Value::Array(items) => {
            for (nth, value) in items.iter().enumerate() {
                leaves(value, &format!("{pointer}/{nth}"), &format!("{from}/*"), out);
            }
        }
        Value::Null => {}
        Value::String(text) if text.is_empty() || text == "NULL" => {}
        _ => out.push((pointer.to_owned(), from.to_owned())),
    }
}

/// Another value of the same kind.
fn other(value: &Value) -> Value {
    match value {
        Value::String(text) if text.contains('T') && text.contains(':') && text.starts_with('2') => {
            "2030-06-01T00:00:00Z".into()
        }
        Value::String(text) if text.parse::<f64>().is_ok() => format!("2{text}").into(),
        Value::String(text) => format!("{text}y").into(),
        Value::Number(number) if number.to_string().len() > 9 => {
            let text = number.to_string();
            let digit = if &text[4..5] == "5" { "6" } else { "5" };
            serde_json::from_str(&format!("{}{digit}{}", &text[..4], &text[5..])).expect("a number")
        }
        Value::Number(number) => serde_json::from_str(&format!("2{number}").replace("2-", "-2")).expect("a number"),
        Value::Bool(it) => (!it).into(),
        _ => unreachable!("no leaf"),
    }
}

fn bodies() -> impl Iterator<Item = (&'static Vendor, &'static str, Value)> {
    let json = |body| serde_json::from_slice(body).expect("JSON");
    SAMPLES.iter().map(move |sample| (vendor(sample.vendor).expect("a vendor"), sample.name, json(sample.body)))
}

/// One change a leaf shows no more than the page says; all of them together show all that it says, of what can be changed
/// alone.
#[test]
fn what_changes_is_what_the_page_says() {
    let (page, mut translator) = (page(), Translator::new());
    let (mut wrong, mut seen, mut changed) = (BTreeSet::new(), BTreeMap::new(), 0);
    for (vendor, name, mut body) in bodies() {
        let Some(before) = translate(&mut translator, vendor, &body) else { continue };
        let key = (vendor.name.to_owned(), before.entity.clone(), before.event_type.clone());
        let table = page.get(&key).unwrap_or_else(|| panic!("{key:?} is not on the page"));
        let mut places = Vec::new();
        leaves(&body, "", "", &mut places);
        for (pointer, from) in places {
            let Some(said) = table.get(&from) else {
                wrong.insert(format!("{}/{name}: {from} is not on the page", vendor.name));
                continue;
            };
            let own = body.pointer(&pointer).expect("a place").clone();
            *body.pointer_mut(&pointer).expect("a place") = other(&own);
            let after = translate(&mut translator, vendor, &body);
            *body.pointer_mut(&pointer).expect("a place") = own;
            // What is refused, or about something else then, shows nothing of the leaf.
            let Some(after) = after.filter(|after| after.entity == before.entity) else { continue };
            changed += 1;
            let paths: BTreeSet<&String> = before.flat.keys().chain(after.flat.keys()).collect();
            let observed: Vec<&String> =
                paths.into_iter().filter(|path| before.flat.get(*path) != after.flat.get(*path)).collect();
            let on_page = |path: &str| said.always.iter().chain(&said.sometimes).any(|it| is_within(path, it));
            for path in &observed {
                if !on_page(path) {
                    wrong
                        .insert(format!("{}/{name}: {from} changes {path}, and the page does not say so", vendor.name));
                }
            }
            let is_extension = before.extensions != after.extensions;
            let is_nothing = observed.is_empty() && !is_extension;
            if is_nothing && !said.is_dropped {
                wrong.insert(format!("{}/{name}: {from} changes nothing", vendor.name));
            }
            if observed.is_empty() && is_extension && !said.is_extension && !said.is_dropped {
                wrong.insert(format!("{}/{name}: {from} is in extensions, and the page does not say so", vendor.name));
            }
            seen.entry((key.clone(), from)).or_insert_with(BTreeSet::new).extend(observed.into_iter().cloned());
        }
    }
    for ((key, from), observed) in &seen {
        for path in &page[key][from].always {
            if !observed.iter().any(|it| is_within(it, path)) {
                wrong.insert(format!("{key:?}: {from} does not change {path}"));
            }
        }
    }
    assert!(changed > 3_000, "{changed} changes are too few to prove anything");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.into_iter().collect::<Vec<_>>().join("\n"));
}

/// The page names a list where items came or went.
fn is_within(path: &str, on_page: &str) -> bool {
    path.strip_prefix(on_page).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

// ---- rows written by hand ----

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HandRow {
    body: String,
    from: String,
    #[serde(default)]
    to: BTreeSet<String>,
    #[serde(default)]
    extensions: bool,
    dropped: Option<String>,
    /// Where the row was read.
    #[serde(default, rename = "note")]
    _note: String,
}

#[test]
fn the_rows_written_by_hand_hold() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for vendor in VENDORS {
        let file = format!("tests/fixtures/lineage/{}.json", vendor.name);
        let rows: Vec<HandRow> = serde_json::from_str(&read(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let places: BTreeSet<&str> = rows.iter().map(|row| &*row.from).collect();
        assert!(places.len() >= 20, "{file}: {} places are too few to prove anything", places.len());
        let mut tracer = Tracer::new(vendor);
        for row in rows {
            count += 1;
            let body = read(&format!("tests/fixtures/bodies/{}/{}.json", vendor.name, row.body));
            let trace =
                tracer.trace(body.as_bytes()).unwrap_or_else(|| panic!("{}/{} is refused", vendor.name, row.body));
            assert!(matches!(trace.found, Found::Event(_)), "{}/{} is no event", vendor.name, row.body);
            let here: Vec<&Effect> =
                trace.leaves.iter().filter(|(from, _)| fits(from, &row.from)).map(|(_, effect)| effect).collect();
            let place = format!("{}/{} {}", vendor.name, row.body, row.from);
            if here.is_empty() {
                wrong.push(format!("{place}: no leaf stands there"));
                continue;
            }
            let to: BTreeSet<String> = here.iter().flat_map(|effect| &effect.fields).cloned().collect();
            let extensions = here.iter().any(|effect| effect.extensions);
            let dropped = here.iter().find_map(|effect| effect.dropped).map(|why| why.as_str().to_owned());
            if (&to, extensions, &dropped) != (&row.to, row.extensions, &row.dropped) {
                let refused = here.iter().find_map(|effect| effect.refused).unwrap_or_default();
                wrong.push(format!(
                    "{place}:\n  due  {:?} extensions {} dropped {:?}\n  is   {to:?} extensions {extensions} dropped {dropped:?} {refused}",
                    row.to, row.extensions, row.dropped
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Whether a place is the one that was written by hand, where `*` may also stand for a key.
fn fits(from: &str, written: &str) -> bool {
    let (from, written): (Vec<_>, Vec<_>) = (from.split('/').collect(), written.split('/').collect());
    from.len() == written.len() && from.iter().zip(written).all(|(step, due)| due == "*" || *step == due)
}

// ---- shares ----

/// The least of the leaves of an event type that are in fields, in a thousand.
fn minimum(vendor: &str, event_type: &str) -> usize {
    let family = event_type.split('.').next().unwrap_or_default();
    match vendor {
        "bspk" => 950,
        "bold" => 900,
        "spree" if ["order", "customer", "product", "variant"].contains(&family) => 850,
        "composer" => 700,
        _ => 0,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Floor {
    fields_per_mille: usize,
    extensions_per_mille: usize,
}

type Floors = BTreeMap<String, BTreeMap<String, Floor>>;

fn shares() -> impl Iterator<Item = (&'static str, &'static str, &'static Shares)> {
    let events = MAPPINGS.iter().flat_map(|mapping| mapping.events.iter().map(|event| (mapping.vendor, event)));
    events.filter_map(|(vendor, event)| Some((vendor, event.event_type, event.shares.as_ref()?)))
}

#[test]
fn enough_has_a_field_of_its_own() {
    let mut short = Vec::new();
    for (vendor, event_type, shares) in shares() {
        let (is, due) = (shares.fields_per_mille(), minimum(vendor, event_type));
        if is < due {
            let (fields, leaves) = (shares.in_fields, shares.leaves);
            short.push(format!("{vendor} {event_type}: {fields} of {leaves} in fields, {is} per mille; {due} are due"));
        }
    }
    assert!(short.is_empty(), "{}", short.join("\n"));
}

/// Half of an event type's records and more have three quarters and more of their bytes in fields.
#[test]
fn extensions_are_the_smaller_part() {
    let heavy: Vec<_> = shares()
        .filter(|(.., shares)| shares.extensions_per_mille >= 250)
        .map(|(vendor, event_type, shares)| format!("{vendor} {event_type}: {} per mille", shares.extensions_per_mille))
        .collect();
    assert!(heavy.is_empty(), "{}", heavy.join("\n"));
}

/// Where it is more, the floor has to be raised, so that it cannot fall back unseen.
#[test]
fn what_has_a_field_only_becomes_more() {
    let path = root("tests/fixtures/lineage/floors.json");
    let floors: Floors = serde_json::from_str(&read("tests/fixtures/lineage/floors.json")).expect("floors");
    let mut today = Floors::new();
    let mut fallen = Vec::new();
    for (vendor, event_type, shares) in shares() {
        let is =
            Floor { fields_per_mille: shares.fields_per_mille(), extensions_per_mille: shares.extensions_per_mille };
        let floor = floors.get(vendor).and_then(|of| of.get(event_type));
        if floor.is_some_and(|floor| is.fields_per_mille < floor.fields_per_mille) {
            fallen.push(format!("{vendor} {event_type}: {} per mille in fields, {floor:?}", is.fields_per_mille));
        }
        today.entry(vendor.to_owned()).or_default().insert(event_type.to_owned(), is);
    }
    let is_there = |vendor: &str, event: &str| today.get(vendor).is_some_and(|of| of.contains_key(event));
    let gone = floors.iter().flat_map(|(vendor, of)| of.keys().map(move |event| (vendor, event)));
    fallen.extend(gone.filter(|(vendor, event)| !is_there(vendor, event)).map(|(v, e)| format!("{v} {e} is gone")));
    assert!(fallen.is_empty(), "{}", fallen.join("\n"));
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, serde_json::to_string_pretty(&today).expect("JSON") + "\n").expect("floors.json");
    } else {
        assert!(today == floors, "the shares have changed; renew the floors: BLESS=1 cargo test --test lineage");
    }
}

// ---- the mapping itself ----

/// What has no field of its own is nowhere without a reason: in a vendor's `documents.txt`, behind ` -- `.
#[test]
fn what_has_no_field_says_why() {
    let mut silent = BTreeSet::new();
    for mapping in MAPPINGS.iter() {
        for family in &mapping.families {
            let rows = family
                .rows
                .iter()
                .filter(|row| row.extensions.is_some() && row.to.is_empty() && row.sometimes.is_empty());
            let names = family.names.join(" ");
            silent.extend(
                rows.filter(|row| row.why.is_none())
                    .map(|row| format!("{} {names} {}: {}", mapping.vendor, family.entity, row.from)),
            );
        }
    }
    assert!(silent.is_empty(), "{}:\n{}", silent.len(), silent.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn every_event_type_is_in_the_mapping_and_every_place_goes_somewhere() {
    for mapping in MAPPINGS.iter() {
        let known = vendor(mapping.vendor).expect("a vendor");
        for event in known.events {
            let is_ignored = mapping.ignored.iter().any(|it| it.event_type == event.name && !it.sometimes);
            let is_mapped = mapping.events.iter().any(|it| it.event_type == event.name);
            assert_eq!(is_ignored, matches!(event.route, Route::Ignore(_)), "{}", event.name);
            assert!(is_ignored != is_mapped, "{} {}", mapping.vendor, event.name);
        }
        for family in &mapping.families {
            for row in &family.rows {
                let is_somewhere = !row.to.is_empty() || !row.sometimes.is_empty() || row.extensions.is_some();
                let place = format!("{} {:?} {}", mapping.vendor, family.names, row.from);
                assert!(is_somewhere || row.dropped.is_some() || row.refused.is_some(), "{place} goes nowhere");
            }
        }
    }
}
