//! The data dictionary: every record and enum of the canonical schemas as a page for people. All that it says stands in
//! `avro/`.

use super::{TYPES, parse, source};
use crate::canonical::EntityKind;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;

/// The names of all fields that are maps: what they hold is named by data.
pub fn maps() -> BTreeSet<String> {
    let all = EntityKind::ALL.into_iter().map(source).chain(TYPES.iter().map(|(_, text)| *text));
    let mut names = BTreeSet::new();
    for record in all.map(parse) {
        let is_map = |field: &&Value| without_null(&field["type"])["type"] == "map";
        names.extend(fields(&record).filter(is_map).map(|field| text(&field["name"]).to_owned()));
    }
    names
}

/// The page. A type stands behind the first that names it.
pub fn dictionary() -> String {
    let mut page = String::from(INTRODUCTION);
    for kind in EntityKind::ALL {
        let _ =
            writeln!(page, "* `{}`: [{2}](#{1})", kind.topic_name(), anchor(kind.record_name()), kind.record_name());
    }
    let mut seen = BTreeSet::new();
    for kind in EntityKind::ALL {
        describe(&parse(source(kind)), &mut seen, &mut page);
    }
    page
}

const INTRODUCTION: &str = "\
# The canonical model

Generated from the schemas in `avro/`; do not edit: `BLESS=1 cargo test --test docs` writes it. What of each vendor's webhooks goes where is
in [mapping.md](mapping.md).

Every field that may be null says so: null is what the webhook did not say. Amounts are exact decimals, times UTC in microseconds. The
column *personal* names the class of the field's personal data (`koine.pii` in the schema).

A record a topic:

";

fn describe(definition: &Value, seen: &mut BTreeSet<String>, page: &mut String) {
    let name = text(&definition["name"]);
    if !seen.insert(name.to_owned()) {
        return;
    }
    let _ = write!(page, "\n## {name}\n\n{}\n", text(&definition["doc"]));
    if let Some(symbols) = definition["symbols"].as_array() {
        let symbols: Vec<String> = symbols.iter().map(|symbol| format!("`{}`", text(symbol))).collect();
        let _ = write!(page, "\nSymbols: {}.\n", symbols.join(", "));
        return;
    }
    page.push_str("\n| field | type | personal | meaning |\n|---|---|---|---|\n");
    for field in fields(definition) {
        let class = field["koine.pii"].as_str().unwrap_or_default();
        let doc = text(&field["doc"]).replace('|', "\\|");
        let _ = writeln!(page, "| `{}` | {} | {class} | {doc} |", text(&field["name"]), in_words(&field["type"]));
    }
    for field in fields(definition) {
        if let Some(named) = named(&field["type"]) {
            describe(&named, seen, page);
        }
    }
}

fn fields(record: &Value) -> impl Iterator<Item = &Value> {
    record["fields"].as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What a type is beside null.
fn without_null(of: &Value) -> &Value {
    of.as_array().and_then(|branches| branches.iter().find(|branch| *branch != "null")).unwrap_or(of)
}

/// The definition that a type names, be it a list's.
fn named(of: &Value) -> Option<Value> {
    match without_null(of) {
        Value::String(name) => TYPES.iter().find(|(known, _)| known == name).map(|(_, text)| parse(text)),
        Value::Object(object) => object.get("items").or(object.get("values")).and_then(named),
        _ => None,
    }
}

fn in_words(of: &Value) -> String {
    match of {
        Value::Array(_) => format!("{} or null", in_words(without_null(of))),
        Value::String(name) if TYPES.iter().any(|(known, _)| known == name) => format!("[{name}](#{})", anchor(name)),
        Value::String(name) => name.clone(),
        _ => match (text(&of["type"]), text(&of["logicalType"])) {
            ("array", _) => format!("list of {}", in_words(&of["items"])),
            ("map", _) => format!("map of {}", in_words(&of["values"])),
            (_, "decimal") => format!("decimal({},{})", of["precision"], of["scale"]),
            (plain, "") => plain.to_owned(),
            (_, logical) => logical.to_owned(),
        },
    }
}

/// As pages are linked within: in lower case.
fn anchor(name: &str) -> String {
    name.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_and_field_has_its_place_once() {
        let page = dictionary();
        for (name, text) in TYPES.iter().copied().chain(EntityKind::ALL.map(|kind| (kind.record_name(), source(kind))))
        {
            assert_eq!(page.matches(&format!("\n## {name}\n")).count(), 1, "{name}");
            let section = page.split(&format!("\n## {name}\n")).nth(1).and_then(|rest| rest.split("\n## ").next());
            let section = section.unwrap();
            let definition = parse(text);
            for field in fields(&definition) {
                assert!(section.contains(&format!("| `{}` | ", field["name"].as_str().unwrap())), "{name}.{field}");
            }
            for symbol in definition["symbols"].as_array().into_iter().flatten() {
                assert!(section.contains(&format!("`{}`", symbol.as_str().unwrap())), "{name}: {symbol}");
            }
        }
        assert!(page.contains("| `unit_price` | decimal(38,9) or null |"));
        assert!(page.contains("| `line_items` | list of [LineItem](#lineitem) |"));
        assert!(page.contains("| `email` | string or null | contact |"));
        assert_eq!(
            maps().iter().collect::<Vec<_>>(),
            ["attributes", "cart_types", "extensions", "localized_descriptions", "localized_names", "renditions"]
        );
    }
}
