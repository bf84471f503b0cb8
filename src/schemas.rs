//! The canonical schemas: the files in `avro/`, put together into one self-contained schema a topic.
//!
//! A type that several records share is written once, in `avro/types/`, and named where it is used. A consumer should
//! need no references, so what is registered has each type inlined where it is first named. Nothing else is changed:
//! keys and fields keep the order they are written in, and the same files give the same bytes.
//!
//! This module knows no registry; and no record passes through it.

mod dictionary;
mod plain;
mod resolution;
pub mod rules;
mod shape;

use crate::canonical::EntityKind;
pub use dictionary::{dictionary, maps};
pub use plain::Plain;
pub use resolution::evolves;
use serde_json::Value;
use std::sync::LazyLock;

macro_rules! types {
    ($($name:ident),* $(,)?) => {
        [$((stringify!($name), include_str!(concat!("../avro/types/", stringify!($name), ".avsc")))),*]
    };
}

/// Name and text of every type in `avro/types/`.
const TYPES: &[(&str, &str)] = &types![
    Account,
    Action,
    Address,
    Cart,
    CartKind,
    Category,
    ChosenOption,
    ClockBasis,
    Component,
    Consent,
    ConsentPurpose,
    Coverage,
    Customer,
    CustomerStatus,
    CustomerType,
    DigitalLink,
    Discount,
    EntityKind,
    EventIdBasis,
    EventMeta,
    FulfillmentStatus,
    Gender,
    Image,
    InventoryTracking,
    LineItem,
    Order,
    OrderPaymentStatus,
    OrderStatus,
    Party,
    Payment,
    PaymentKind,
    PaymentSession,
    PaymentSessionStatus,
    PaymentSetup,
    PaymentStatus,
    Preference,
    Price,
    PriceKind,
    Product,
    ProductOption,
    ProductStatus,
    Refund,
    Return,
    ReturnItem,
    ReturnKind,
    ReturnStatus,
    SalesAssociate,
    Shipment,
    ShipmentItem,
    Source,
    StockLevel,
    StockMovement,
    Store,
    StoreCredit,
    Tax,
    Transaction,
    Variant,
];

/// What is written by hand for one topic.
const fn source(kind: EntityKind) -> &'static str {
    match kind {
        EntityKind::Customer => include_str!("../avro/CustomerEvent.avsc"),
        EntityKind::Cart => include_str!("../avro/CartEvent.avsc"),
        EntityKind::Order => include_str!("../avro/OrderEvent.avsc"),
        EntityKind::Product => include_str!("../avro/ProductEvent.avsc"),
    }
}

/// Every version of a topic's schema that was ever released, the oldest first.
pub const fn history(kind: EntityKind) -> &'static [&'static str] {
    match kind {
        EntityKind::Customer => &[
            include_str!("../avro/history/commerce.customer.v1/1.avsc"),
            include_str!("../avro/history/commerce.customer.v1/2.avsc"),
        ],
        EntityKind::Cart => &[
            include_str!("../avro/history/commerce.cart.v1/1.avsc"),
            include_str!("../avro/history/commerce.cart.v1/2.avsc"),
        ],
        EntityKind::Order => &[
            include_str!("../avro/history/commerce.order.v1/1.avsc"),
            include_str!("../avro/history/commerce.order.v1/2.avsc"),
        ],
        EntityKind::Product => &[
            include_str!("../avro/history/commerce.product.v1/1.avsc"),
            include_str!("../avro/history/commerce.product.v1/2.avsc"),
        ],
    }
}

/// One topic's schema, whole.
struct Assembled {
    json: String,
    pretty: String,
}

static SCHEMAS: LazyLock<[Assembled; 4]> = LazyLock::new(|| EntityKind::ALL.map(assemble));

fn assembled(kind: EntityKind) -> &'static Assembled {
    let [customer, cart, order, product] = &*SCHEMAS;
    match kind {
        EntityKind::Customer => customer,
        EntityKind::Cart => cart,
        EntityKind::Order => order,
        EntityKind::Product => product,
    }
}

/// The schema as it is registered: on one line.
pub fn json(kind: EntityKind) -> &'static str {
    &assembled(kind).json
}

/// The same schema for people and files: indented, with a last line break.
pub fn pretty(kind: EntityKind) -> &'static str {
    &assembled(kind).pretty
}

/// Whether two texts are one schema: the same JSON, or the same to Avro, since a registry may keep it in a spelling of
/// its own.
pub fn is_same(one: &str, other: &str) -> bool {
    let json = |text| serde_json::from_str::<serde_json::Value>(text).ok();
    let canonical = |text| apache_avro::Schema::parse_str(text).ok().map(|schema| schema.canonical_form());
    let both = |one: Option<String>, other: Option<String>| one.is_some() && one == other;
    json(one).is_some() && json(one) == json(other) || both(canonical(one), canonical(other))
}

/// The subject that a topic's values are registered under.
pub fn subject(topic: &str) -> String {
    format!("{topic}-value")
}

fn assemble(kind: EntityKind) -> Assembled {
    let schema = inline(parse(source(kind)), &mut Vec::new());
    Assembled { json: schema.to_string(), pretty: format!("{schema:#}\n") }
}

#[allow(clippy::expect_used, reason = "these texts are compiled in, and a test reads every one of them")]
fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("files in avro/ are JSON")
}

/// A type with every name in it that occurs for the first time replaced by what it names.
fn inline(schema: Value, seen: &mut Vec<&'static str>) -> Value {
    match schema {
        Value::String(name) => match TYPES.iter().find(|(known, _)| *known == name) {
            Some(&(known, text)) if !seen.contains(&known) => {
                seen.push(known);
                inline(parse(text), seen)
            }
            _ => Value::String(name),
        },
        Value::Array(union) => union.into_iter().map(|branch| inline(branch, seen)).collect(),
        Value::Object(mut schema) => {
            for part in ["items", "values"] {
                if let Some(inner) = schema.get_mut(part) {
                    *inner = inline(inner.take(), seen);
                }
            }
            for field in schema.get_mut("fields").and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(inner) = field.get_mut("type") {
                    *inner = inline(inner.take(), seen);
                }
            }
            Value::Object(schema)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filler::Filler;
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::{Path, PathBuf};

    fn avro(path: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("avro").join(path)
    }

    /// Every record and enum that a schema defines, in order.
    fn definitions<'s>(schema: &'s Value, found: &mut Vec<&'s Value>) {
        match schema {
            Value::Array(union) => union.iter().for_each(|branch| definitions(branch, found)),
            Value::Object(object) => {
                if object.contains_key("name") {
                    found.push(schema);
                }
                ["items", "values"].iter().filter_map(|part| object.get(*part)).for_each(|t| definitions(t, found));
                fields(schema).for_each(|field| definitions(&field["type"], found));
            }
            _ => {}
        }
    }

    fn fields(record: &Value) -> impl Iterator<Item = &Value> {
        record.get("fields").and_then(Value::as_array).into_iter().flatten()
    }

    fn name(definition: &Value) -> &str {
        definition["name"].as_str().unwrap()
    }

    /// `["null", T]` → T.
    fn optional(of: &Value) -> Option<&Value> {
        of.as_array().map(|union| {
            assert!(union.len() == 2 && union[0] == "null", "{of} is no [\"null\", T]");
            &union[1]
        })
    }

    fn each_definition(mut check: impl FnMut(EntityKind, &Value)) {
        for kind in EntityKind::ALL {
            let schema = parse(json(kind));
            let mut found = Vec::new();
            definitions(&schema, &mut found);
            found.into_iter().for_each(|definition| check(kind, definition));
        }
    }

    #[test]
    fn each_type_is_defined_once_and_used_somewhere() {
        let mut used = BTreeMap::new();
        for kind in EntityKind::ALL {
            apache_avro::Schema::parse_str(json(kind)).unwrap();
            apache_avro::Schema::parse_str(pretty(kind)).unwrap();
            assert_eq!(parse(json(kind)), parse(pretty(kind)));
            let schema = parse(json(kind));
            let mut found = Vec::new();
            definitions(&schema, &mut found);
            let mut names: Vec<_> = found.iter().map(|definition| name(definition).to_owned()).collect();
            assert_eq!(names.remove(0), kind.record_name());
            for name in names {
                assert!(used.insert((kind.as_str(), name.clone()), ()).is_none(), "{name} is defined twice");
            }
        }
        for (known, text) in TYPES {
            assert_eq!(name(&parse(text)), *known, "a file is named after its type");
            assert!(used.keys().any(|(_, name)| name == known), "{known} is used nowhere");
        }
        assert_eq!(fs::read_dir(avro("types")).unwrap().count(), TYPES.len(), "a file in avro/types is not in TYPES");
    }

    #[test]
    fn the_structs_have_the_fields_of_the_schemas_in_their_order() {
        let mut filler = Filler::new(0);
        for kind in EntityKind::ALL {
            filler.event(kind);
        }
        let mut records: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut enums: BTreeMap<String, Vec<String>> = BTreeMap::new();
        each_definition(|kind, definition| {
            if let Some(symbols) = definition.get("symbols") {
                enums.insert(name(definition).to_owned(), serde_json::from_value(symbols.clone()).unwrap());
            } else if name(definition) == kind.record_name() {
                let names: Vec<_> = fields(definition).map(name).collect();
                assert_eq!(names, ["meta", kind.as_lower(), "extensions"]);
            } else {
                records.insert(name(definition).to_owned(), fields(definition).map(|f| name(f).to_owned()).collect());
            }
        });
        // The one enum that the structs spell without its UNKNOWN.
        let kinds = enums.remove("EntityKind").unwrap();
        assert_eq!(kinds[0], "UNKNOWN");
        for kind in EntityKind::ALL {
            assert_eq!(kinds[kind as usize], kind.as_str());
        }
        let owned = |list: &BTreeMap<&str, &[&str]>| -> BTreeMap<String, Vec<String>> {
            list.iter().map(|(name, words)| (name.to_string(), words.iter().map(|w| w.to_string()).collect())).collect()
        };
        assert_eq!(owned(&filler.records), records);
        assert_eq!(owned(&filler.enums), enums);
    }

    /// Analysts read the docs; they are the product.
    #[test]
    fn everything_is_explained() {
        each_definition(|_, definition| {
            for explained in fields(definition).chain([definition]) {
                let doc = explained["doc"].as_str().unwrap_or_default();
                let place = format!("{}.{}", name(definition), name(explained));
                assert!(doc.ends_with('.') && doc.len() > 4, "{place} has no doc");
                assert!(!doc.contains("  ") && doc.trim() == doc, "{place}: blanks");
            }
        });
    }

    /// Each field of an entity says who fills it; the head's are everybody's.
    #[test]
    fn docs_name_the_vendors() {
        let everybodys = ["EventMeta", "Component", "Source"];
        each_definition(|kind, definition| {
            if everybodys.contains(&name(definition)) || name(definition) == kind.record_name() {
                return;
            }
            for field in fields(definition) {
                let doc = field["doc"].as_str().unwrap();
                let named =
                    ["BSPK", "Spree", "Composer", "Bold", "No vendor"].iter().any(|vendor| doc.contains(vendor));
                assert!(named, "{}.{}: who fills it?", name(definition), name(field));
            }
        });
    }

    /// Decimal defaults break several readers, and a default elsewhere would hide what a webhook did not say.
    #[test]
    fn optional_is_null_and_nothing_else_has_a_default() {
        each_definition(|_, definition| {
            for field in fields(definition) {
                let place = format!("{}.{}", name(definition), name(field));
                let default = field.get("default").map(Value::to_string);
                let expected = match field["type"]["type"].as_str() {
                    _ if optional(&field["type"]).is_some() => Some("null"),
                    Some("array") => Some("[]"),
                    Some("map") => Some("{}"),
                    _ => None,
                };
                assert_eq!(default.as_deref(), expected, "{place}");
                let plain = optional(&field["type"]).unwrap_or(&field["type"]);
                match plain.get("logicalType").and_then(Value::as_str) {
                    Some("decimal") => {
                        assert_eq!(
                            plain,
                            &parse(r#"{"type":"bytes","logicalType":"decimal","precision":38,"scale":9}"#)
                        );
                    }
                    Some("timestamp-micros") => assert_eq!(plain["type"], "long", "{place}"),
                    Some("date") => assert_eq!(plain["type"], "int", "{place}"),
                    Some(other) => panic!("{place}: {other}"),
                    None => assert!(!["bytes", "double", "float"].iter().any(|t| plain == t), "{place}"),
                }
            }
        });
    }

    #[test]
    fn enums_are_closed_and_keep_the_vendors_word() {
        // Told from something else than a word of the vendor's.
        let without_word = ["Consent.purpose", "Price.kind", "Return.kind"];
        let enums: Vec<_> = TYPES.iter().map(|(_, text)| parse(text)).filter(|t| t["type"] == "enum").collect();
        for words in &enums {
            assert_eq!(words["symbols"][0], "UNKNOWN", "{}", name(words));
            assert_eq!(words["default"], "UNKNOWN", "{}", name(words));
        }
        for (record, text) in TYPES.iter().filter(|(record, _)| *record != "EventMeta") {
            let record_schema = parse(text);
            for field in fields(&record_schema) {
                let Some(of) = optional(&field["type"]) else { continue };
                let place = format!("{record}.{}", name(field));
                if enums.iter().any(|words| of == name(words)) && !without_word.contains(&&*place) {
                    let word = format!("vendor_{}", name(field));
                    let beside = fields(&record_schema).skip_while(|f| name(f) != name(field)).nth(1);
                    assert_eq!(beside.map(name), Some(&*word), "{place}");
                }
            }
        }
    }

    #[test]
    fn what_is_sensitive_is_tagged() {
        let classes =
            ["contact", "birth", "government_id", "business_id", "network", "free_text", "payment", "undocumented"];
        let contact = [
            "email",
            "phone",
            "other_phone",
            "fax",
            "first_name",
            "last_name",
            "full_name",
            "card_holder_name",
            "alternate_first_name",
            "alternate_last_name",
            "line1",
            "line2",
            "line3",
            "line4",
            "postal_code",
        ];
        each_definition(|_, definition| {
            for field in fields(definition) {
                let class = field.get("koine.pii").map(|class| class.as_str().unwrap());
                assert!(class.is_none_or(|class| classes.contains(&class)), "{class:?}");
                let due = match name(field) {
                    name if contact.contains(&name) => Some("contact"),
                    "birth_date" | "gender" | "vendor_gender" | "nationality" => Some("birth"),
                    "government_id" => Some("government_id"),
                    "tax_exemption_id" => Some("business_id"),
                    "client_ip" => Some("network"),
                    "note" | "public_note" => Some("free_text"),
                    "card_brand" | "card_last4" | "card_exp_month" | "card_exp_year" => Some("payment"),
                    "extensions" | "attributes" => Some("undocumented"),
                    _ => class,
                };
                assert_eq!(class, due, "{}.{}", name(definition), name(field));
            }
        });
    }

    /// What is done with a class is done with every field that has its tag, and with no other.
    #[test]
    fn what_is_tagged_is_protected() {
        use crate::canonical::{Personal, PiiClass, Privacy, Treatment};
        for kind in EntityKind::ALL {
            let mut definitions_by_name = BTreeMap::new();
            let schema = parse(json(kind));
            let mut found = Vec::new();
            definitions(&schema, &mut found);
            definitions_by_name.extend(found.into_iter().map(|definition| (name(definition), definition)));
            let before = crate::filler::filled(kind, 1);
            for (class, treatment) in PiiClass::ALL
                .into_iter()
                .flat_map(|class| [Treatment::Hash, Treatment::Drop].map(|treatment| (class, treatment)))
            {
                let mut after = before.clone();
                let privacy = Privacy::new(b"key").with(class, treatment);
                after.entity.protect(&privacy);
                // As the translator does: the name is the component's until it is written.
                let component = after.meta.component.as_mut().unwrap();
                component.name = after.meta.component_name.take();
                component.protect(&privacy);
                after.meta.component_name = component.name.take();
                let [before, after] = [&before, &after].map(|event| serde_json::to_value(event).unwrap());
                let mut wrong = Vec::new();
                compare(&schema, &definitions_by_name, class.as_str(), treatment, [&before, &after], &mut wrong);
                assert!(wrong.is_empty(), "{kind:?} {class:?} {treatment:?}: {wrong:?}");
            }
        }

        fn compare(
            of: &Value,
            named: &BTreeMap<&str, &Value>,
            class: &str,
            treatment: Treatment,
            [before, after]: [&Value; 2],
            wrong: &mut Vec<String>,
        ) {
            let of = optional_or_itself(of);
            let of = of.as_str().and_then(|name| named.get(name).copied()).unwrap_or(of);
            match of["type"].as_str() {
                Some("array") => {
                    let items = before.as_array().unwrap().iter().zip(after.as_array().unwrap());
                    items.for_each(|(b, a)| compare(&of["items"], named, class, treatment, [b, a], wrong));
                }
                Some("record") => {
                    for field in fields(of).filter(|field| name(field) != "extensions") {
                        let values = [&before[name(field)], &after[name(field)]];
                        if field.get("koine.pii").is_none_or(|tag| tag != class) {
                            compare(&field["type"], named, class, treatment, values, wrong);
                            continue;
                        }
                        let is_hash = |value: &Value| value.as_str().is_some_and(|text| text.len() == 64);
                        let is_done = match (treatment, values) {
                            (Treatment::Hash, [Value::Object(b), Value::Object(a)]) => {
                                b.keys().eq(a.keys()) && a.values().all(is_hash)
                            }
                            // A name stays, as the keys of attributes do.
                            (Treatment::Hash, [b, a]) if name(field) == "component_name" => b == a,
                            (Treatment::Hash, [_, a]) if optional_or_itself(&field["type"]) == "string" => is_hash(a),
                            (_, [_, a]) => a.is_null() || a.as_object().is_some_and(serde_json::Map::is_empty),
                        };
                        if !is_done {
                            wrong.push(format!("{}.{}", name(of), name(field)));
                        }
                    }
                }
                _ if before != after => wrong.push(format!("{of} changed")),
                _ => {}
            }
        }

        fn optional_or_itself(of: &Value) -> &Value {
            if of.is_array() { optional(of).unwrap() } else { of }
        }
    }

    /// `BLESS=1 cargo test --lib schemas` writes today's schemas over the newest of the history, so that `git diff` shows
    /// what changed. If that one was released already, make the next one first: `avro/README.md`.
    #[test]
    fn the_newest_in_the_history_is_todays() {
        for kind in EntityKind::ALL {
            let folder = avro("history").join(kind.topic_name());
            let count = fs::read_dir(&folder).unwrap().count();
            assert_eq!(count, history(kind).len(), "{}: a version is not named in `history`", folder.display());
            let newest = folder.join(format!("{count}.avsc"));
            if std::env::var_os("BLESS").is_some() {
                fs::write(&newest, pretty(kind)).unwrap();
            }
            assert!(fs::read_to_string(&newest).unwrap() == pretty(kind), "{} is not today's schema", newest.display());
        }
    }
}
