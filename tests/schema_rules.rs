//! Our own rules for schemas, over the table `tests/fixtures/schema_mutations.json`: what is done to a canonical schema, and
//! by hand beside it what our rules and Java's `SchemaCompatibility` must say. The schemas that come of it are left for
//! Java and for a real registry to read (`KOINE_SCHEMA_MUTATIONS`), so that there is one table and one that applies it.

use koine::canonical::EntityKind;
use koine::schemas::rules::{Rule, findings};
use koine::schemas::{evolves, history, json};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// A row of the table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    /// Whose schema it is done to.
    #[serde(default = "order")]
    topic: String,
    /// Done to the older of the two too.
    #[serde(default)]
    old: Vec<Change>,
    new: Vec<Change>,
    /// Rule and path of each finding.
    ours: Vec<(String, String)>,
    java: Java,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
enum Java {
    Compatible,
    Incompatible,
    /// Its parser refuses the text.
    Invalid,
}

/// A path leads from the name of a type over the keys and elements of its definition, as `avro/types/` has it. An element
/// is named by its place, by its name (a field), by itself (a symbol), or `-`: behind the last one.
#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Change {
    Add { add: String, value: Value },
    Set { set: String, value: Value },
    Remove { remove: String },
    Move { r#move: String, to: String },
}

fn order() -> String {
    EntityKind::Order.topic_name().to_owned()
}

fn table() -> Vec<Row> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/schema_mutations.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

impl Row {
    fn kind(&self) -> EntityKind {
        EntityKind::ALL.into_iter().find(|kind| kind.topic_name() == self.topic).unwrap()
    }

    /// Today's schema with the changes made, whole.
    fn schema(&self, changes: &[Change]) -> String {
        let mut types = Map::new();
        let root = part(serde_json::from_str(json(self.kind())).unwrap(), &mut types);
        let mut types = Value::Object(types);
        for change in changes {
            match change {
                Change::Add { add, value } => put(&mut types, add, value.clone(), true),
                Change::Set { set, value } => put(&mut types, set, value.clone(), false),
                Change::Remove { remove } => drop(take(&mut types, remove)),
                Change::Move { r#move, to } => {
                    let value = take(&mut types, r#move);
                    put(&mut types, to, value, true);
                }
            }
        }
        whole(&root, &types, &mut BTreeSet::new()).to_string()
    }

    fn schemas(&self) -> (String, String) {
        (self.schema(&self.old), self.schema(&self.new))
    }
}

/// A schema with each definition taken out into `types`, and its name left.
fn part(schema: Value, types: &mut Map<String, Value>) -> Value {
    match schema {
        Value::Array(union) => union.into_iter().map(|branch| part(branch, types)).collect(),
        Value::Object(mut schema) => {
            for key in ["items", "values"] {
                if let Some(inner) = schema.get_mut(key) {
                    *inner = part(inner.take(), types);
                }
            }
            for field in schema.get_mut("fields").and_then(Value::as_array_mut).into_iter().flatten() {
                field["type"] = part(field["type"].take(), types);
            }
            match schema.get("name").cloned() {
                Some(name) => {
                    types.insert(name.as_str().unwrap().to_owned(), Value::Object(schema));
                    name
                }
                None => Value::Object(schema),
            }
        }
        other => other,
    }
}

/// The reverse: each type written out where it is first named.
fn whole(schema: &Value, types: &Value, seen: &mut BTreeSet<String>) -> Value {
    match schema {
        Value::String(name) => match types.get(name) {
            Some(_) if seen.insert(name.clone()) => whole(&types[name], types, seen),
            Some(other) => match other.get("namespace") {
                Some(namespace) => {
                    format!("{}.{}", namespace.as_str().unwrap(), other["name"].as_str().unwrap()).into()
                }
                None => other["name"].clone(),
            },
            None => schema.clone(),
        },
        Value::Array(union) => union.iter().map(|branch| whole(branch, types, seen)).collect(),
        Value::Object(object) => {
            let mut object = object.clone();
            for key in ["items", "values"] {
                if let Some(inner) = object.get_mut(key) {
                    *inner = whole(&inner.take(), types, seen);
                }
            }
            for field in object.get_mut("fields").and_then(Value::as_array_mut).into_iter().flatten() {
                field["type"] = whole(&field["type"].take(), types, seen);
            }
            Value::Object(object)
        }
        other => other.clone(),
    }
}

fn place(list: &[Value], step: &str) -> Option<usize> {
    let named = |element: &Value| element == step || element.get("name").is_some_and(|name| name == step);
    step.parse().ok().filter(|at| *at <= list.len()).or_else(|| list.iter().position(named))
}

/// What holds the last step of a path, and that step.
fn holder<'v, 'p>(types: &'v mut Value, path: &'p str) -> (&'v mut Value, &'p str) {
    let (above, last) = path[1..].rsplit_once('/').unwrap_or_else(|| panic!("{path} names no part of a type"));
    let node = above.split('/').fold(types, |node, step| {
        match node {
            Value::Array(list) => place(list, step).and_then(|at| list.get_mut(at)),
            node => node.get_mut(step),
        }
        .unwrap_or_else(|| panic!("{path}: there is no {step}"))
    });
    (node, last)
}

fn put(types: &mut Value, path: &str, value: Value, insert: bool) {
    match holder(types, path) {
        (Value::Array(list), "-") => list.push(value),
        (Value::Array(list), step) => {
            let at = place(list, step).unwrap_or_else(|| panic!("{path} is not there"));
            if insert { list.insert(at, value) } else { list[at] = value }
        }
        (node, key) => node[key] = value,
    }
}

fn take(types: &mut Value, path: &str) -> Value {
    match holder(types, path) {
        (Value::Array(list), step) => {
            let at = place(list, step).unwrap_or_else(|| panic!("{path} is not there"));
            list.remove(at)
        }
        (node, key) => node.as_object_mut().unwrap().shift_remove(key).unwrap_or_else(|| panic!("{path} is not there")),
    }
}

#[test]
fn the_rules_say_what_the_table_says() {
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for row in table() {
        let (old, new) = row.schemas();
        let found = findings(&old, &new);
        let told: BTreeSet<_> = found.iter().map(|f| (f.rule.as_str().to_owned(), f.path.clone())).collect();
        assert_eq!(told.len(), found.len(), "{}: told twice: {found:?}", row.name);
        used.extend(found.iter().map(|finding| finding.rule));
        if told != row.ours.iter().cloned().collect() {
            wrong.push(format!("{}: {found:?}", row.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let unused: Vec<_> =
        Rule::ALL.iter().filter(|rule| !used.contains(rule) && **rule != Rule::AvroIncompatible).collect();
    assert!(unused.is_empty(), "no row breaks {unused:?}");
}

#[test]
fn the_table_is_large_and_its_rows_differ() {
    let rows = table();
    let count = |ours: bool, java: Java| rows.iter().filter(|r| r.ours.is_empty() == ours && r.java == java).count();
    assert!(count(true, Java::Compatible) >= 20, "what may be done");
    assert!(count(false, Java::Incompatible) >= 20, "what Avro forbids");
    assert!(count(false, Java::Compatible) >= 30, "what only we forbid");
    let names: BTreeSet<_> = rows.iter().map(|row| &row.name).collect();
    assert_eq!(names.len(), rows.len());
    let schemas: BTreeSet<_> = rows.iter().map(Row::schemas).collect();
    assert_eq!(schemas.len(), rows.len(), "two rows do the same");
}

/// Taken apart and put together again, with nothing changed, a schema is what is registered.
#[test]
fn a_row_without_changes_is_todays_schema() {
    for kind in EntityKind::ALL {
        let topic = kind.topic_name().to_owned();
        let row = Row { name: topic.clone(), topic, old: vec![], new: vec![], ours: vec![], java: Java::Compatible };
        assert_eq!(row.schema(&[]), json(kind));
    }
}

/// What Java refuses we refuse too: the table cannot say otherwise.
#[test]
fn we_are_never_laxer_than_java() {
    for row in table() {
        assert!(row.java == Java::Compatible || !row.ours.is_empty(), "{}", row.name);
    }
}

/// The demo's registry judges by Avro alone; it lets through what our rules let through.
#[test]
fn avro_sees_nothing_in_what_our_rules_allow() {
    for row in table().iter().filter(|row| row.ours.is_empty()) {
        let (old, new) = row.schemas();
        assert_eq!(evolves(&old, &new), Ok(()), "{}", row.name);
    }
}

#[test]
fn what_was_released_keeps_the_rules() {
    for kind in EntityKind::ALL {
        let versions: Vec<_> = history(kind).iter().copied().chain([json(kind)]).collect();
        for (n, old) in versions.iter().enumerate() {
            for new in &versions[n..] {
                assert_eq!(findings(old, new), [], "{kind:?} after version {}", n + 1);
            }
        }
    }
}

/// A finding is a sentence: what, and why.
#[test]
fn a_finding_says_what_happened() {
    let row = table().into_iter().find(|row| row.name == "an amount with other decimals").unwrap();
    let (old, new) = row.schemas();
    let found = findings(&old, &new);
    assert_eq!(found[0].what, "decimal(38,9) became decimal(38,2)");
    assert_eq!(found[0].rule.why(), "the same bytes would be another amount, and Avro does not compare it");
    let found = findings(&old, r#"{"type":"recrod"}"#);
    assert!(found[0].what.starts_with("the newer of the two is no Avro schema"), "{found:?}");
    assert_eq!(found[0].path, "");
}

/// For Java and the registry: each row with its two schemas.
#[test]
fn the_rows_are_left_for_others() {
    let Some(path) = std::env::var_os("KOINE_SCHEMA_MUTATIONS") else { return };
    let rows: Vec<Value> = table()
        .iter()
        .map(|row| {
            let (old, new) = row.schemas();
            let ours: Vec<_> = row.ours.iter().map(|(rule, path)| json!([rule, path])).collect();
            let java = format!("{:?}", row.java).to_lowercase();
            json!({ "name": row.name, "topic": row.topic, "old": old, "new": new, "ours": ours, "java": java })
        })
        .collect();
    std::fs::write(path, Value::Array(rows).to_string()).unwrap();
}
