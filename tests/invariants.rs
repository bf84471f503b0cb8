//! What holds of every canonical record, whatever the webhook; and what each fixture becomes, written down.
//!
//! The records are in `tests/fixtures/golden/<vendor>.txt`, a line a value that is there. `BLESS=1 cargo test --test invariants`
//! writes them anew; a commit that changes them says why.

use koine::codec;
use koine::samples::SAMPLES;
use koine::schemas;
use koine::translate::{Outcome, RawRecord, SourceSettings, Translator};
use koine::vendors::{VENDORS, Vendor};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// ISO 4217, the codes in use.
const CURRENCIES: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD \
    CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD \
    HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA \
    MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF \
    SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW \
    UZS VED VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG";

/// Enums that have no vendor's word, since they are told from something else.
const WITHOUT_A_WORD: &[&str] = &["purpose", "kind"];

/// Enums that a vendor's word feeds, but not each time: an event's name or a boolean may say it too.
const SOMETIMES_WITHOUT: &[&str] = &[
    "cart.kind",
    "product.status",
    "order.shipments.*.status",
    "product.variants.*.inventory_tracking",
    "cart.line_items.*.inventory_tracking",
];

fn bodies(vendor: &Vendor) -> impl Iterator<Item = (&'static str, &'static [u8])> {
    SAMPLES.iter().filter(|sample| sample.vendor == vendor.name).map(|sample| (sample.name, sample.body))
}

fn each_outcome(vendor: &'static Vendor, body: &[u8], mut each: impl FnMut(&Outcome<'_>)) {
    let settings = SourceSettings { vendor: Some(vendor), ..SourceSettings::default() };
    let topic = format!("raw.{}", vendor.name);
    let raw = RawRecord {
        topic: &topic,
        partition: 0,
        offset: 7,
        timestamp_ms: Some(1_767_225_600_000),
        key: None,
        value: Some(body),
        headers: &[],
    };
    Translator::new().translate(&raw, &settings, &mut |_, outcome| each(&outcome));
}

/// The definitions of a schema by their names.
fn definitions<'s>(schema: &'s Value, out: &mut BTreeMap<&'s str, &'s Value>) {
    match schema {
        Value::Object(map) => {
            let is_definition = map.contains_key("fields") || map.contains_key("symbols");
            if let Some(name) = map.get("name").and_then(Value::as_str).filter(|_| is_definition) {
                out.insert(name, schema);
            }
            map.values().for_each(|value| definitions(value, out));
        }
        Value::Array(items) => items.iter().for_each(|item| definitions(item, out)),
        _ => {}
    }
}

/// Checks one record of the schema, and all below it.
fn check(of: &Value, named: &BTreeMap<&str, &Value>, value: &Value, path: &str, wrong: &mut Vec<String>) {
    let of = of.as_array().map_or(of, |union| &union[1]);
    let of = of.as_str().and_then(|name| named.get(name).copied()).unwrap_or(of);
    match (of["type"].as_str(), value) {
        (Some("array"), Value::Array(items)) => {
            items
                .iter()
                .enumerate()
                .for_each(|(nth, item)| check(&of["items"], named, item, &format!("{path}.{nth}"), wrong));
        }
        (Some("record"), Value::Object(fields)) => {
            for field in of["fields"].as_array().expect("fields") {
                let name = field["name"].as_str().expect("a name");
                let (path, value) = (format!("{path}.{name}"), &fields[name]);
                if let Some(why) = wrong_with(&path, name, field, named, value, fields) {
                    wrong.push(format!("{path}: {why}: {value}"));
                }
                check(&field["type"], named, value, &path, wrong);
            }
        }
        _ => {}
    }
}

fn wrong_with(
    path: &str,
    name: &str,
    field: &Value,
    named: &BTreeMap<&str, &Value>,
    value: &Value,
    beside: &serde_json::Map<String, Value>,
) -> Option<&'static str> {
    let plain = field["type"].as_array().map_or(&field["type"], |union| &union[1]);
    let is_enum = plain.as_str().and_then(|name| named.get(name)).unwrap_or(&plain)["type"] == "enum";
    let years = |from: i32, to: i32| {
        let year = value.as_str().and_then(|text| text.get(..4)?.parse::<i32>().ok());
        value.is_null() || year.is_some_and(|year| (from..=to).contains(&year))
    };
    match value {
        Value::String(text) if (name == "id" || name.ends_with("_id")) && text.trim().is_empty() => Some("an empty id"),
        Value::String(code) if name == "currency" && !CURRENCIES.split_whitespace().any(|it| it == code) => {
            Some("no ISO 4217 code")
        }
        Value::String(amount) if name.contains("discount") && amount.starts_with('-') => Some("a negative discount"),
        Value::String(symbol) if is_enum && beside.contains_key(&format!("vendor_{name}")) => {
            let is_index = |step: &str| step.bytes().all(|byte| byte.is_ascii_digit());
            let steps = path.split('/').next_back().unwrap_or_default().split('.');
            let pattern: Vec<&str> = steps.map(|step| if is_index(step) { "*" } else { step }).collect();
            let may_lack = symbol != "UNKNOWN" && SOMETIMES_WITHOUT.iter().any(|it| pattern.join(".").ends_with(it));
            let lacks = beside[&format!("vendor_{name}")].is_null();
            (lacks && !may_lack).then_some("a symbol without the vendor's word")
        }
        Value::String(_)
            if name != "vendor_rate"
                && name.strip_prefix("vendor_").is_some_and(|it| beside.get(it).is_some_and(Value::is_null)) =>
        {
            Some("a vendor's word without a symbol")
        }
        Value::String(_) if is_enum && !WITHOUT_A_WORD.contains(&name) && !beside.contains_key("event_id") => {
            Some("an enum without a place for the vendor's word")
        }
        _ => match plain["logicalType"].as_str() {
            Some("timestamp-micros") if !years(1970, 2100) => Some("no plausible time"),
            Some("date") if !years(1900, 2100) => Some("no plausible day"),
            _ => None,
        },
    }
}

#[test]
fn what_holds_of_every_record() {
    let (mut wrong, mut events) = (Vec::new(), 0);
    for vendor in VENDORS {
        for (name, body) in bodies(vendor) {
            each_outcome(vendor, body, |outcome| {
                let Outcome::Event(translated) = outcome else { return };
                events += 1;
                let schema: Value =
                    serde_json::from_str(schemas::json(translated.event.entity.kind())).expect("a schema");
                let mut named = BTreeMap::new();
                definitions(&schema, &mut named);
                let event = serde_json::to_value(translated.event).expect("JSON");
                check(&schema, &named, &event, &format!("{}/{name}", vendor.name), &mut wrong);
                // Discounts in lists have their amount under another name.
                for entity in ["cart", "order"] {
                    for discount in event[entity]["discounts"].as_array().into_iter().flatten() {
                        if discount["amount"].as_str().is_some_and(|amount| amount.starts_with('-')) {
                            wrong.push(format!("{}/{name}: a negative discount", vendor.name));
                        }
                    }
                }
                let key: Vec<&str> = translated.key.splitn(4, ':').collect();
                if key.len() != 4 || key.iter().any(|part| part.is_empty()) {
                    wrong.push(format!("{}/{name}: the key has an empty part", vendor.name));
                }
            });
        }
    }
    assert!(events > 150, "{events} events are too few");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every value that is there, a line each.
fn lines(value: &Value, path: &str, out: &mut String) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            lines(value, &if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, out);
        }),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(nth, value)| lines(value, &format!("{path}.{nth}"), out));
        }
        Value::Null => {}
        leaf => drop(writeln!(out, "{path} = {leaf}")),
    }
}

fn golden(vendor: &'static Vendor) -> String {
    let mut out = format!("# What the bodies of {} become: see tests/invariants.rs.\n", vendor.name);
    for (name, body) in bodies(vendor) {
        each_outcome(vendor, body, |outcome| {
            let _ = writeln!(out, "\n== {name}");
            match outcome {
                Outcome::Event(translated) => {
                    let headers: serde_json::Map<String, Value> = translated
                        .headers
                        .iter()
                        // It names the build, and so it is another one each time.
                        .filter(|(name, _)| *name != "koine.build")
                        .map(|(name, value)| ((*name).to_owned(), json!(value)))
                        .collect();
                    let mut avro = Vec::new();
                    codec::append_datum(translated.event, &mut avro).expect("Avro");
                    let digest: String = Sha256::digest(&avro)[..8].iter().map(|byte| format!("{byte:02x}")).collect();
                    let _ = writeln!(out, "key = {}\navro = {digest}, {} bytes", translated.key, avro.len());
                    lines(&Value::Object(headers), "header", &mut out);
                    lines(&serde_json::to_value(translated.event).expect("JSON"), "", &mut out);
                }
                Outcome::Ignored(ignored) => drop(writeln!(out, "ignored = {}", ignored.rule.as_str())),
                Outcome::DeadLetter(letter) => drop(writeln!(out, "{} at {}", letter.code.as_str(), letter.pointer)),
            }
        });
    }
    out
}

#[test]
fn what_each_body_becomes_is_what_is_written_down() {
    let bless = std::env::var_os("BLESS").is_some();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/golden");
    for vendor in VENDORS {
        let (file, today) = (folder.join(format!("{}.txt", vendor.name)), golden(vendor));
        if bless {
            fs::create_dir_all(&folder).expect("a folder");
            fs::write(&file, &today).expect("written");
        }
        let written = fs::read_to_string(&file).unwrap_or_default();
        let different = written.lines().zip(today.lines()).position(|(old, new)| old != new);
        if let Some(nth) = different {
            let (old, new) = (written.lines().nth(nth), today.lines().nth(nth));
            panic!(
                "{}, line {}:\n- {}\n+ {}",
                file.display(),
                nth + 1,
                old.unwrap_or_default(),
                new.unwrap_or_default()
            );
        }
        assert_eq!(written.lines().count(), today.lines().count(), "{}", file.display());
    }
}
