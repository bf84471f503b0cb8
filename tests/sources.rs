//! Webhooks in envelopes: a gateway's own, opened at the source's pointer, and CloudEvents in structured mode. What comes
//! out is what the webhook becomes alone; what is outside of it comes out nowhere.

use koine::pointer::Pointer;
use koine::translate::{EVENT_ID_NAMESPACE, Extensions, Header, Outcome, RawRecord, SourceSettings, Translator};
use koine::vendors::{VENDORS, vendor};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;

const ONE: &str = "application/cloudevents+json; charset=UTF-8";
const BATCH: &str = "application/cloudevents-batch+json";
const CART: &str = r#"{"event_name":"cart.created","object":{"id":7,"updated_at":"2026-01-15T10:00:00Z"}}"#;

fn folder(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    let mut files: Vec<_> = fs::read_dir(folder).expect("folder").map(|entry| entry.expect("entry").path()).collect();
    files.sort();
    files.iter().map(|path| (path.display().to_string(), fs::read(path).expect("body"))).collect()
}

fn body(vendor: &str, name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/bodies/{vendor}/{name}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.trim().to_owned()
}

fn header<'a>(name: &'a str, value: &'a str) -> Header<'a> {
    Header { name, value: Some(value.as_bytes()) }
}

fn run_with(
    translator: &mut Translator,
    value: &[u8],
    headers: &[Header<'_>],
    settings: &SourceSettings,
) -> Vec<Value> {
    let raw = RawRecord {
        topic: "raw.any",
        partition: 3,
        offset: 11,
        timestamp_ms: Some(1_767_225_600_123),
        key: None,
        value: Some(value),
        headers,
    };
    let mut outcomes = Vec::new();
    translator.translate(&raw, settings, &mut |index, outcome| {
        outcomes.push(match outcome {
            Outcome::Event(t) => json!({
                "index": index,
                "key": t.key,
                "headers": t.headers.iter().map(|(k, v)| json!([k, v])).collect::<Vec<_>>(),
                "event": serde_json::to_value(t.event).expect("JSON"),
            }),
            Outcome::Ignored(i) => json!({"index": index, "rule": i.rule.as_str(), "event_type": i.event_type}),
            Outcome::DeadLetter(d) => json!({
                "index": index, "code": d.code.as_str(), "pointer": d.pointer, "vendor": d.vendor,
                "event_type": d.event_type, "element": d.index, "fingerprint": d.fingerprint, "detail": d.detail,
            }),
        });
    });
    outcomes
}

fn run(value: impl AsRef<[u8]>, headers: &[Header<'_>], settings: &SourceSettings) -> Vec<Value> {
    run_with(&mut Translator::new(), value.as_ref(), headers, settings)
}

fn one(value: impl AsRef<[u8]>, headers: &[Header<'_>], settings: &SourceSettings) -> Value {
    let mut outcomes = run(value, headers, settings);
    assert_eq!(outcomes.len(), 1, "{outcomes:#?}");
    outcomes.remove(0)
}

fn of(name: &str) -> SourceSettings {
    SourceSettings { vendor: vendor(name), ..SourceSettings::default() }
}

fn at(pointer: &str, settings: SourceSettings) -> SourceSettings {
    SourceSettings { payload_pointer: Some(Pointer::parse(pointer).expect("a pointer")), ..settings }
}

/// Code and pointer of a refusal.
fn refused(outcome: &Value) -> (&str, &str) {
    let text = |key: &str| outcome[key].as_str().unwrap_or_else(|| panic!("no dead letter: {outcome}"));
    (text("code"), text("pointer"))
}

const OUTSIDE: &str = "; the pointer is into the record, not into a webhook";

fn is_outside(outcome: &Value) -> bool {
    outcome["detail"].as_str().expect("a dead letter").ends_with(OUTSIDE)
}

fn string(text: &str) -> String {
    Value::from(text).to_string()
}

/// JSON text with every character of its strings escaped that can be.
fn string_of_escapes(text: &str) -> String {
    let units = text.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
    format!("\"{}\"", units.collect::<String>())
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let word = three.iter().fold(0_u32, |word, &byte| word << 8 | u32::from(byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let digit = ALPHABET[(word >> (18 - 6 * place)) as usize % 64] as char;
            out.push(if place > three.len() { '=' } else { digit });
        }
    }
    out
}

fn cloud_event(data: &str) -> String {
    format!(
        r#"{{"specversion": "1.0", "type": "com.example.hook", "source": "/gate/1", "id": "A-1", "time": "2020-02-10T18:10:23Z", "subject": null, {data}}}"#
    )
}

fn uuid5(parts: &[&str]) -> Value {
    json!(uuid::Uuid::new_v5(&EVENT_ID_NAMESPACE, parts.join("\n").as_bytes()).to_string())
}

fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The outcome less what says which event it is.
fn but_its_id(mut outcome: Value) -> Value {
    if outcome["event"].is_object() {
        let meta = &mut outcome["event"]["meta"];
        (meta["event_id"], meta["event_id_basis"], meta["source"]["event_id"]) = Default::default();
        outcome["headers"][0] = Value::Null;
    }
    outcome
}

// ---- the pointer ----

#[test]
fn a_webhook_in_an_envelope_becomes_what_it_becomes_alone() {
    let mut events = 0;
    for vendor in VENDORS {
        for (name, bytes) in folder(&format!("bodies/{}", vendor.name)) {
            let text = std::str::from_utf8(&bytes).expect("UTF-8").trim();
            for settings in [of(vendor.name), SourceSettings::default()] {
                let alone = one(text, &[], &settings);
                events += usize::from(alone["event"].is_object());
                for (pointer, value) in [
                    ("", text.to_owned()),
                    ("", string(text)),
                    ("/body", format!(r#"{{"path":"/x","body":{text},"isBase64Encoded":false}}"#)),
                    ("/body", format!(r#" {{"body" : {text} }} "#)),
                    ("/body", format!(r#"{{"data":{{"order":{{}}}},"body":{}}}"#, string(text))),
                    ("/b~1o/1/d~0y", format!(r#"{{"a":1,"\u0062\/o":[{{}}, {{"d~y": {text}}}]}}"#)),
                    ("/0", format!("[{},7]", string_of_escapes(text))),
                ] {
                    assert_eq!(one(&value, &[], &at(pointer, settings.clone())), alone, "{name}: {pointer} in {value}");
                }
            }
        }
    }
    assert!(events > 100, "{events} events are too few to prove anything");
}

/// Trouble inside of the webhook has its pointer in the webhook; a text that is no JSON has its own in the record.
#[test]
fn a_malformed_webhook_in_a_string_is_refused_as_it_is_alone() {
    let mut compared = 0;
    for (name, bytes) in folder("malformed") {
        let Ok(text) = std::str::from_utf8(&bytes) else { continue };
        for vendor in VENDORS {
            let alone = run(&bytes, &[], &of(vendor.name));
            let wrapped = run(format!(r#"{{"body":{}}}"#, string(text)), &[], &at("/body", of(vendor.name)));
            assert_eq!(alone.len(), wrapped.len(), "{name}");
            for (alone, wrapped) in alone.iter().zip(&wrapped) {
                let code = alone["code"].as_str().unwrap_or_default();
                let is_read = !code.starts_with("json.") && code != "body.empty";
                let is_webhook = text.trim().starts_with(['{', '[']) && text.trim() != "[]";
                if is_read && is_webhook {
                    assert_eq!(wrapped, alone, "{name}");
                } else {
                    assert_eq!(refused(wrapped), (code, "/body"), "{name}");
                    let detail = format!("{}{OUTSIDE}", alone["detail"].as_str().expect("detail"));
                    assert_eq!(wrapped["detail"], detail.as_str(), "{name}");
                }
                compared += 1;
            }
        }
    }
    assert!(compared > 300, "{compared} are too few to prove anything");
}

#[test]
fn what_is_not_where_it_should_be_is_refused_with_its_place() {
    let cart = string(CART);
    for (pointer, value, code, place) in [
        ("/body", "{}", "envelope.missing", "/body"),
        ("/body", r#"{"Body":{}}"#, "envelope.missing", "/body"),
        ("/body", r#"{"body":null}"#, "envelope.missing", "/body"),
        ("/body", r#"{"body":[]}"#, "envelope.missing", "/body"),
        ("/body", r#"{"body":"[]"}"#, "envelope.missing", "/body"),
        ("/body", r#"[{"body":{}}]"#, "envelope.missing", "/body"),
        ("/body", "[]", "envelope.missing", "/body"),
        ("/body", r#""{\"body\":{}}""#, "envelope.missing", "/body"),
        ("/body", "7", "envelope.missing", "/body"),
        ("/a/b", r#"{"a":{"c":{}}}"#, "envelope.missing", "/a/b"),
        ("/a/b", &format!(r#"{{"a":{}}}"#, string(r#"{"b":{}}"#)), "envelope.missing", "/a/b"),
        ("/a/1", r#"{"a":[{}]}"#, "envelope.missing", "/a/1"),
        ("/a/-", r#"{"a":[{}]}"#, "envelope.missing", "/a/-"),
        ("/a/00", r#"{"a":[{}]}"#, "envelope.missing", "/a/00"),
        ("/body", r#"{"body":""}"#, "body.empty", "/body"),
        ("/body", r#"{"body":7}"#, "field.type", "/body"),
        ("/body", r#"{"body":true}"#, "field.type", "/body"),
        ("/body", r#"{"body":"7"}"#, "field.type", "/body"),
        ("/body", r#"{"body":"null"}"#, "field.type", "/body"),
        ("/body", &format!(r#"{{"body":{}}}"#, string(&cart)), "field.type", "/body"),
        ("/body", r#"{"body":"name=x&total=7"}"#, "json.syntax", "/body"),
        ("/body", r#"{"body":" "}"#, "json.syntax", "/body"),
        ("/body", r#"{"body":"{\"a\":1,\"\\u0061\":2}"}"#, "json.duplicate_key", "/body"),
        ("/body", r#"{"body":"{\"a\":\"\u0000\"}"}"#, "json.syntax", "/body"),
        ("/body", r#"{"body":"\uFEFF{}"}"#, "json.syntax", "/body"),
    ] {
        for settings in [of("spree"), SourceSettings::default()] {
            let known = settings.vendor.map(|vendor| vendor.name);
            let outcome = one(value, &[], &at(pointer, settings));
            assert_eq!(refused(&outcome), (code, place), "{pointer} in {value}");
            assert!(is_outside(&outcome), "{outcome}");
            assert_eq!((outcome["vendor"].as_str(), &outcome["element"]), (known, &Value::Null));
        }
    }
}

#[test]
fn an_envelope_that_is_no_json_is_refused_as_a_whole() {
    for (value, code) in [
        (&b""[..], "body.empty"),
        (b"{\"body\":{}", "json.syntax"),
        (b"{\"body\":{}} x", "json.syntax"),
        (b"{\"body\":{},\"body\":{}}", "json.duplicate_key"),
        (b"{\"body\":{},\"note\":\"\xff\"}", "json.encoding"),
        (b"{\"body\":{},\"note\":{\"a\":1,\"a\":1}}", "json.duplicate_key"),
    ] {
        let outcome = one(value, &[], &at("/body", of("spree")));
        assert_eq!(refused(&outcome), (code, ""));
        assert!(!is_outside(&outcome), "{outcome}");
    }
    let raw = RawRecord {
        topic: "raw",
        partition: 0,
        offset: 0,
        timestamp_ms: None,
        key: None,
        value: None,
        headers: &[header("content-type", ONE)],
    };
    Translator::new().translate(&raw, &at("/body", of("spree")), &mut |_, outcome| match outcome {
        Outcome::DeadLetter(letter) => assert_eq!((letter.code.as_str(), &*letter.pointer), ("body.empty", "")),
        other => panic!("{other:?}"),
    });
}

#[test]
fn half_a_surrogate_pair_is_refused_wherever_it_stands() {
    let settings = at("/body", of("bspk"));
    let body = |name: &str| {
        format!(
            r#"{{"event_name":"cart.created","object":{{"id":7,"updated_at":"2026-01-15T10:00:00Z","note":"{name}"}}}}"#
        )
    };
    // In the outer string it is the record's trouble, in the inner one the webhook's.
    for lone in [r"\ud83e", r"\udd80", r"\ud83e\ud83e", r"\ud83ex"] {
        let outer = format!(r#"{{"body":{}}}"#, string(&body("NAME")).replace("NAME", lone));
        assert_eq!(refused(&one(outer, &[], &settings)), ("json.encoding", ""), "{lone}");
        let inner = format!(r#"{{"body":{}}}"#, string(&body(lone)));
        assert_eq!(refused(&one(inner, &[], &settings)), ("json.encoding", "/body"), "{lone}");
        let beside = format!(r#"{{"body":{},"note":"{lone}"}}"#, string(&body("")));
        assert_eq!(refused(&one(beside, &[], &settings)), ("json.encoding", ""), "{lone}");
    }
    // A pair that is whole once the outer escapes are undone, half of it inside and half of it outside, is none.
    let halves = format!(r#"{{"body":{}}}"#, string(&body(r"\ud83eNAME")).replace("NAME", r"\udd80"));
    assert_eq!(refused(&one(halves, &[], &settings)), ("json.encoding", ""));
    for whole in
        [string(&body("🦀")).replace('🦀', r"\ud83e\udd80"), string(&body(r"\ud83e\udd80")), string(&body("🦀"))]
    {
        let outcome = one(format!(r#"{{"body":{whole}}}"#), &[], &settings);
        let kept = outcome["event"]["extensions"]["/object/note"].as_str().expect("kept");
        assert_eq!(serde_json::from_str::<Value>(kept).expect("JSON"), "🦀");
    }
}

#[test]
fn the_depth_limit_holds_for_both_levels() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let code = |value: &str, depth: usize| {
        let settings = SourceSettings { max_depth: depth, ..at("/body", of("spree")) };
        let outcome = one(value, &[], &settings);
        let (code, pointer) = refused(&outcome);
        (code.to_owned(), pointer.to_owned())
    };
    let told = |code: &str, pointer: &str| (code.to_owned(), pointer.to_owned());
    // The envelope's own levels.
    let deep = format!(r#"{{"other":{},"body":{{}}}}"#, nested(7));
    assert_eq!(code(&deep, 8), told("envelope.missing", "/name"));
    assert_eq!(code(&deep, 7), told("json.depth", ""));
    // What stands in it has them above it.
    let object = format!(r#"{{"body":{{"x":{}}}}}"#, nested(6));
    assert_eq!(code(&object, 8), told("envelope.missing", "/name"));
    assert_eq!(code(&object, 7), told("json.depth", ""));
    // A string has levels of its own.
    let text = format!(r#"{{"body":{}}}"#, string(&format!(r#"{{"x":{}}}"#, nested(7))));
    assert_eq!(code(&text, 8), told("envelope.missing", "/name"));
    assert_eq!(code(&text, 7), told("json.depth", "/body"));
    let both = format!(r#"{{"other":{},"body":{}}}"#, nested(7), string(&format!(r#"{{"x":{}}}"#, nested(7))));
    assert_eq!(code(&both, 8), told("envelope.missing", "/name"));
    // However deep it is, it is an answer and no crash.
    for hostile in ["[".repeat(1_000_000), r#"{"a":"#.repeat(300_000), nested(500_000), r#"[{"a":"#.repeat(200_000)] {
        assert_eq!(code(&format!(r#"{{"body":{}}}"#, string(&hostile)), 128), told("json.depth", "/body"));
        assert_eq!(code(&format!(r#"{{"body":{hostile}}}"#), 128), told("json.depth", ""));
    }
}

#[test]
fn the_size_limit_is_the_records() {
    let value = format!(r#"{{"body":{CART}}}"#);
    let settings = |max_body| SourceSettings { max_body, ..at("/body", of("bspk")) };
    assert_eq!(refused(&one(&value, &[], &settings(value.len() - 1))), ("body.too_large", ""));
    assert_eq!(one(&value, &[], &settings(value.len())), one(CART, &[], &of("bspk")));
}

#[test]
fn a_list_in_an_envelope_is_as_many_webhooks() {
    let good = body("spree", "order.completed");
    let ignored = body("spree", "promotion.created");
    let mut broken: Value = serde_json::from_str(&good).expect("JSON");
    broken["data"]["total"] = json!("ten");
    let list = format!("[{good}, {broken},{ignored} , [{good}], {}, null]", string(&good));
    let alone = run(&list, &[], &of("spree"));
    assert_eq!(alone.len(), 6);
    for value in [format!(r#"{{"n":6,"body":{list}}}"#), format!(r#"{{"n":6,"body":{}}}"#, string(&list))] {
        let outcomes = run(&value, &[], &at("/body", of("spree")));
        assert_eq!(outcomes, alone, "as if the list had come alone");
        assert_eq!(outcomes[0]["event"]["meta"]["source"]["index"], 0);
        assert_eq!((&outcomes[1]["element"], refused(&outcomes[1])), (&json!(1), ("money.invalid", "/data/total")));
        assert_eq!((&outcomes[2]["index"], &outcomes[2]["rule"]), (&json!(2), &json!("no_canonical_entity")));
        assert_eq!(refused(&outcomes[3]), ("field.type", ""), "lists are not nested");
        assert_eq!(refused(&outcomes[4]), ("field.type", ""), "a text in a list is not looked into");
        assert_eq!(refused(&outcomes[5]), ("field.type", ""));
    }
}

#[test]
fn the_event_id_is_of_the_webhook_and_not_of_the_envelope() {
    let saved = body("bold", "order.saved");
    let pretty = serde_json::to_string_pretty(&serde_json::from_str::<Value>(&saved).expect("JSON")).expect("JSON");
    for text in [&saved, &pretty] {
        let id = uuid5(&["bold", "default", "BODY", &sha256(text)]);
        for value in [
            format!(r#"{{"body":{text}}}"#),
            format!("{{\"attempt\":2,\"body\" :\n{text} }}"),
            format!(r#"{{"body":{}}}"#, string(text)),
            format!(r#"{{"body":{}}}"#, string_of_escapes(text)),
        ] {
            let meta = one(&value, &[], &at("/body", of("bold")))["event"]["meta"].clone();
            assert_eq!((&meta["event_id"], &meta["event_id_basis"]), (&id, &json!("BODY")));
        }
        let list = format!(r#"{{"body":[ {text} ,{text}]}}"#);
        for outcome in run(&list, &[], &at("/body", of("bold"))) {
            assert_eq!(outcome["event"]["meta"]["event_id"], id);
        }
    }
    // Of a string, all that it says.
    let meta =
        one(json!({"body": format!(" {saved}\n")}).to_string(), &[], &at("/body", of("bold")))["event"]["meta"].clone();
    assert_eq!(meta["event_id"], uuid5(&["bold", "default", "BODY", &sha256(&format!(" {saved}\n"))]));
}

#[test]
fn an_envelope_is_opened_once() {
    let order = body("spree", "order.completed");
    let inner = format!(r#"{{"body":{order}}}"#);
    let settings = at("/body", SourceSettings::default());
    for value in [format!(r#"{{"body":{inner}}}"#), format!(r#"{{"body":{}}}"#, string(&inner))] {
        assert_eq!(refused(&one(&value, &[], &settings)), ("envelope.unknown_vendor", ""));
    }
    // The configuration has said where the webhook is: what else could be one is not looked for.
    let event = cloud_event(&format!(r#""data":{order}"#));
    for headers in [&[][..], &[header("content-type", ONE)]] {
        let value = format!(r#"{{"body":{event}}}"#);
        assert_eq!(refused(&one(&value, headers, &settings)), ("envelope.unknown_vendor", ""));
        let value = cloud_event(&format!(r#""data":{{"body":{order}}}"#));
        let outcome = one(&value, headers, &at("/data/body", of("spree")));
        assert_eq!(outcome, one(&order, &[], &of("spree")));
        assert_eq!(refused(&one(&value, headers, &settings)), ("envelope.missing", "/body"));
    }
}

/// The envelope's headers, query, secrets and personal data are the gateway's: not one of them comes out.
#[test]
fn nothing_of_an_envelope_is_ever_published() {
    let around = r#""headers":{"Authorization":"CANARY1","cookie":"CANARY2","x-bspk-secret":["CANARY3"]},"CANARY4":{"CANARY5":1},
        "requestContext":{"identity":{"sourceIp":"CANARY6"},"note":"{\"token\":\"CANARY7\"}"},"total":"CANARY8","dataref":"CANARY9""#;
    let credentials = r#""source":"https://user:CANARY10@gate/?key=CANARY11""#;
    let broken = ["CANARY12", r#"{"CANARY13":"#, "[7]", "7", r#"{"data":{"order":{"total":"x"}}}"#].map(string);
    let mut events = 0;
    for vendor in VENDORS {
        let mut insides = broken.to_vec();
        for (_, bytes) in folder(&format!("bodies/{}", vendor.name)) {
            let text = std::str::from_utf8(&bytes).expect("UTF-8").trim();
            insides.extend([string(text), text.to_owned()]);
        }
        for inside in insides {
            let wrapped = format!(r#"{{{around},"body":{inside}}}"#);
            let event = cloud_event(&format!(r#""data":{inside},{around}"#));
            let event = event.replace(r#""source": "/gate/1""#, credentials);
            for (value, headers, settings) in [
                (&wrapped, &[][..], at("/body", of(vendor.name))),
                (&wrapped, &[][..], at("/nowhere", of(vendor.name))),
                (&wrapped, &[][..], SourceSettings::default()),
                (&event, &[header("content-type", ONE)], of(vendor.name)),
                (&event, &[][..], SourceSettings::default()),
                (&format!("[{event},{event}]"), &[header("content-type", BATCH)], of(vendor.name)),
            ] {
                for outcome in run(value, headers, &settings) {
                    events += usize::from(outcome["event"].is_object());
                    let text = outcome.to_string();
                    assert!(!text.contains("CANARY"), "{text}");
                }
            }
        }
    }
    assert!(events > 500, "{events} events are too few to prove anything");
}

#[test]
fn what_a_source_fixes_holds_in_envelopes_too() {
    let mut order: Value = serde_json::from_str(&body("spree", "order.completed")).expect("JSON");
    order.as_object_mut().expect("object").remove("name");
    order["data"]["completed_at"] = json!("2026-01-15T10:00:00");
    let zone = koine::translate::time_zone("Europe/Zurich");
    let settings = SourceSettings {
        shop: Some("eu".into()),
        event_type: Some("order.completed".into()),
        time_zone: zone,
        extensions: Extensions::Off,
        ..of("spree")
    };
    let alone = one(order.to_string(), &[], &settings);
    assert_eq!(alone["event"]["order"]["completed_at"], "2026-01-15T09:00:00Z");
    assert_eq!(one(json!({"body": order}).to_string(), &[], &at("/body", settings.clone())), alone);
    assert_eq!(one(json!({"body": order.to_string()}).to_string(), &[], &at("/body", settings.clone())), alone);
    let header = [header("content-type", ONE)];
    assert_eq!(one(cloud_event(&format!(r#""data":{order}"#)), &header, &settings), alone);
    // And so do the raw record's headers.
    let beside = [
        self::header("koine-shop", "us"),
        self::header("koine-vendor", "spree"),
        self::header("koine-event-type", "order.completed"),
    ];
    let settings = SourceSettings { shop: None, event_type: None, vendor: None, ..settings };
    let outcome = one(json!({"body": order}).to_string(), &beside, &at("/body", settings));
    assert!(outcome["key"].as_str().expect("an event").starts_with("spree:us:order:"));
}

// ---- CloudEvents ----

#[test]
fn a_webhook_in_a_cloud_event_becomes_what_it_becomes_alone() {
    for vendor in VENDORS {
        for (name, bytes) in folder(&format!("bodies/{}", vendor.name)) {
            let text = std::str::from_utf8(&bytes).expect("UTF-8").trim();
            for settings in [of(vendor.name), SourceSettings::default()] {
                let alone = one(text, &[], &settings);
                for data in [
                    format!(r#""data": {text}"#),
                    format!(r#""data":{},"datacontenttype":"text/plain""#, string(text)),
                    format!(r#""data_base64":"{}""#, base64(text.as_bytes())),
                    format!(r#""data":null,"data_base64":{}"#, string_of_escapes(&base64(text.as_bytes()))),
                    format!(r#""data_base64":null,"data":{text}"#),
                ] {
                    let event = cloud_event(&data);
                    let by_header = one(&event, &[header("content-type", ONE)], &settings);
                    assert_eq!(but_its_id(by_header.clone()), but_its_id(alone.clone()), "{name}");
                    if vendor.name == "spree" {
                        assert_eq!(by_header, alone, "the webhook's own id goes before the CloudEvent's");
                    }
                    if settings.vendor.is_none() {
                        assert_eq!(one(&event, &[], &settings), by_header, "{name}: by its shape");
                    }
                }
            }
        }
    }
}

#[test]
fn the_header_that_says_cloud_events_is_read_as_http_reads_it() {
    let order = body("spree", "order.completed");
    let event = cloud_event(&format!(r#""data":{order}"#));
    let alone = one(&order, &[], &of("spree"));
    for (name, value) in [
        ("content-type", "application/cloudevents+json"),
        ("content-type", ONE),
        ("Content-Type", "Application/CloudEvents+JSON ;charset=utf-8"),
        ("content-type", BATCH),
    ] {
        assert_eq!(one(&event, &[header(name, value)], &of("spree")), alone, "{name}: {value}");
        assert_eq!(
            one(&event, &[header("content-type", "text/plain"), header(name, value)], &of("spree")),
            alone,
            "the last counts"
        );
    }
    // With a fixed vendor nothing else says that there is an envelope.
    for headers in [
        &[][..],
        &[header("content-type", "application/json")],
        &[header("content-type", "application/cloudevents+avro")],
        &[header("content-type", "application/cloudevents")],
        &[header("content-type", "application/cloudevents+jsonx")],
        &[header("content-type", "x; application/cloudevents+json")],
        &[header("ce_type", "x"), header("type", ONE)],
        &[Header { name: "content-type", value: None }],
        &[header("content-type", ONE), header("content-type", "application/json")],
    ] {
        assert_eq!(refused(&one(&event, headers, &of("spree"))), ("envelope.missing", "/name"), "{headers:?}");
    }
}

#[test]
fn a_cloud_event_without_a_webhook_is_refused_with_its_place() {
    let header = [header("content-type", ONE)];
    for (value, code, place) in [
        (cloud_event(r#""datacontenttype":"application/json""#), "envelope.missing", "/data"),
        (cloud_event(r#""data":null"#), "envelope.missing", "/data"),
        (cloud_event(r#""data":null,"data_base64":null"#), "envelope.missing", "/data"),
        (cloud_event(r#""data":[]"#), "envelope.missing", "/data"),
        (cloud_event(r#""data":7"#), "field.type", "/data"),
        (cloud_event(r#""data":"\"{}\"""#), "field.type", "/data"),
        (cloud_event(r#""data":"<much wow=\"xml\"/>""#), "json.syntax", "/data"),
        (cloud_event(r#""data":"""#), "body.empty", "/data"),
        (cloud_event(r#""data_base64":"""#), "body.empty", "/data_base64"),
        (cloud_event(r#""data_base64":{}"#), "field.type", "/data_base64"),
        (cloud_event(r#""data_base64":"e30""#), "json.encoding", "/data_base64"),
        (cloud_event(r#""data_base64":"e 30=""#), "json.encoding", "/data_base64"),
        (cloud_event(r#""data_base64":"e3\n0=""#), "json.encoding", "/data_base64"),
        (cloud_event(r#""data_base64":"-_8=""#), "json.encoding", "/data_base64"),
        (cloud_event(r#""data_base64":"é===""#), "json.encoding", "/data_base64"),
        (cloud_event(&format!(r#""data_base64":"{}""#, base64(b"\"\xff\""))), "json.encoding", "/data_base64"),
        (cloud_event(&format!(r#""data_base64":"{}""#, base64(b"{"))), "json.syntax", "/data_base64"),
        (cloud_event(r#""data":{},"data_base64":"e30=""#), "envelope.conflict", "/data_base64"),
        (r#"{"data":{}}"#.to_owned(), "envelope.missing", "/specversion"),
        (r#"{"specversion":null,"data":{}}"#.to_owned(), "envelope.missing", "/specversion"),
        (body("spree", "order.completed"), "envelope.missing", "/specversion"),
        ("7".to_owned(), "field.type", ""),
        (r#""{}""#.to_owned(), "field.type", ""),
    ] {
        for settings in [of("spree"), SourceSettings::default()] {
            let outcome = one(&value, &header, &settings);
            assert_eq!(refused(&outcome), (code, place), "{value}");
            assert!(is_outside(&outcome), "{outcome}");
        }
    }
    // Nobody's batch: as any list without a webhook.
    assert_eq!(refused(&one("[]", &header, &of("spree"))), ("envelope.missing", ""));
    // Trouble with the webhook is the webhook's.
    let mut broken: Value = serde_json::from_str(&body("spree", "order.completed")).expect("JSON");
    broken["data"]["total"] = json!("ten");
    let outcome = one(cloud_event(&format!(r#""data":{broken}"#)), &header, &of("spree"));
    assert_eq!(refused(&outcome), ("money.invalid", "/data/total"));
    assert!(!is_outside(&outcome));
    assert_eq!(outcome, one(broken.to_string(), &[], &of("spree")));
}

#[test]
fn a_batch_is_as_many_cloud_events() {
    let (order, cart) = (body("spree", "order.completed"), body("spree", "promotion.created"));
    let batch = format!(
        "[{}, {},{} , {}, 7, {}, {}]",
        cloud_event(&format!(r#""data":{order}"#)),
        cloud_event(&format!(r#""data":{}"#, string(&cart))),
        cloud_event(&format!(r#""data":[{order}]"#)),
        cloud_event(r#""datacontenttype":"application/json""#),
        cloud_event(r#""data":"[{}]""#),
        cloud_event(r#""data_base64":"e30x""#),
    );
    for content_type in [BATCH, ONE] {
        let outcomes = run(&batch, &[header("content-type", content_type)], &of("spree"));
        assert_eq!(outcomes.len(), 7);
        assert_eq!(outcomes[0], one(&order, &[], &of("spree")));
        assert_eq!((&outcomes[1]["rule"], &outcomes[1]["index"]), (&json!("no_canonical_entity"), &json!(1)));
        for (nth, expected) in [
            (2, ("field.type", "/2/data")),
            (3, ("envelope.missing", "/3/data")),
            (4, ("field.type", "/4")),
            (5, ("field.type", "/5/data")),
            (6, ("json.syntax", "/6/data_base64")),
        ] {
            assert_eq!(refused(&outcomes[nth]), expected);
            assert_eq!((&outcomes[nth]["element"], &outcomes[nth]["index"]), (&json!(nth), &json!(nth)));
            assert!(is_outside(&outcomes[nth]));
        }
        // One cause, whichever place it is at.
        assert_eq!(outcomes[2]["fingerprint"], outcomes[5]["fingerprint"]);
        assert_ne!(outcomes[2]["fingerprint"], outcomes[4]["fingerprint"]);
    }
}

#[test]
fn what_no_vendor_knows_may_be_a_cloud_event_by_its_shape() {
    let (order, cart) = (body("spree", "order.completed"), body("bspk", "cart.created"));
    let auto = SourceSettings::default();
    let event = cloud_event(&format!(r#""data":{order}"#));
    let alone = one(&order, &[], &of("spree"));
    assert_eq!(one(&event, &[], &auto), alone);
    // One among others in a list.
    let list = format!("[{cart},{event},{}]", cloud_event(r#""data":7"#));
    let outcomes = run(&list, &[], &auto);
    assert_eq!(outcomes[0]["event"]["meta"]["source"]["vendor"], "bspk");
    assert_eq!(outcomes[1]["event"]["order"], alone["event"]["order"]);
    assert_eq!(outcomes[1]["event"]["extensions"], alone["event"]["extensions"]);
    assert_eq!(outcomes[1]["event"]["meta"]["source"]["index"], 1);
    assert_eq!((refused(&outcomes[2]), &outcomes[2]["element"]), (("field.type", "/2/data"), &json!(2)));
    // Not one inside of another, nor with a member missing or of another kind, nor where the vendor is said.
    let nobodys = ("envelope.unknown_vendor", "");
    assert_eq!(refused(&one(cloud_event(&format!(r#""data":{event}"#)), &[], &auto)), nobodys);
    assert_eq!(refused(&one(cloud_event(&format!(r#""data":{}"#, string(&event))), &[], &auto)), nobodys);
    for key in ["specversion", "id", "source", "type", "data"] {
        let mut less: Value = serde_json::from_str(&event).expect("JSON");
        less.as_object_mut().expect("object").remove(key);
        assert_eq!(refused(&one(less.to_string(), &[], &auto)), nobodys, "without {key}");
        less[key] = json!(7);
        let expected = if key == "data" { ("field.type", "/data") } else { nobodys };
        assert_eq!(refused(&one(less.to_string(), &[], &auto)), expected, "{key} is a number");
    }
    assert_eq!(refused(&one(&event, &[header("koine-vendor", "spree")], &auto)), ("envelope.missing", "/name"));
    assert_eq!(refused(&one(&event, &[header("koine-vendor", "acme")], &auto)), nobodys);
    assert_eq!(refused(&one(&event, &[], &of("spree"))), ("envelope.missing", "/name"));
    // A vendor's own body is the vendor's, whatever else is in it.
    let mut both: Value = serde_json::from_str(&order).expect("JSON");
    for (key, value) in [("specversion", "1.0"), ("source", "/x"), ("type", "y")] {
        both[key] = json!(value);
    }
    let outcome = one(both.to_string(), &[], &auto);
    assert_eq!(outcome["event"]["order"], alone["event"]["order"]);
    assert_eq!(outcome["event"]["extensions"]["/specversion"], r#""1.0""#);
}

#[test]
fn a_cloud_events_id_stands_in_for_the_events_id() {
    let cart = body("composer", "CUSTOMER_UPDATED");
    let ce = [header("content-type", ONE)];
    let meta =
        |value: &str, headers: &[Header<'_>], vendor: &str| one(value, headers, &of(vendor))["event"]["meta"].clone();
    let told =
        |meta: &Value| (meta["event_id"].clone(), meta["event_id_basis"].clone(), meta["source"]["event_id"].clone());
    let due = |id: Value, basis: &str, own: Value| (id, json!(basis), own);

    let event = cloud_event(&format!(r#""data":{cart}"#));
    let by_event = due(uuid5(&["composer", "default", "VENDOR", "A-1", "/gate/1"]), "VENDOR", json!("A-1"));
    assert_eq!(told(&meta(&event, &ce, "composer")), by_event);
    // Only within its source: those of two topics may number their events alike.
    let other = event.replace("/gate/1", "/gate/2");
    assert_eq!(meta(&other, &ce, "composer")["event_id"], uuid5(&["composer", "default", "VENDOR", "A-1", "/gate/2"]));
    // The webhook's own id, and the header, go before it.
    let order = body("spree", "order.completed");
    let own = serde_json::from_str::<Value>(&order).expect("JSON")["id"].clone();
    let by_vendor = due(uuid5(&["spree", "default", "VENDOR", own.as_str().expect("id")]), "VENDOR", own);
    assert_eq!(told(&meta(&cloud_event(&format!(r#""data":{order}"#)), &ce, "spree")), by_vendor);
    let said = [header("content-type", ONE), header("koine-event-id", "e-7")];
    let by_header = due(uuid5(&["composer", "default", "VENDOR", "e-7"]), "VENDOR", json!("e-7"));
    assert_eq!(told(&meta(&event, &said, "composer")), by_header);
    // It is no clock.
    let meta_of_event = meta(&event, &ce, "composer");
    assert_eq!(
        (&meta_of_event["occurred_at_basis"], &meta_of_event["version_basis"]),
        (&json!("BROKER"), &json!("BROKER"))
    );

    // What names no event of its own does not stand in: an empty or absent id or source, or an event of many webhooks.
    let by_place = |nth: usize| {
        due(uuid5(&["composer", "default", "POSITION", &format!("raw.any\n3\n11\n{nth}")]), "POSITION", Value::Null)
    };
    for (from, to) in [
        (r#""id": "A-1""#, r#""id": """#),
        (r#""id": "A-1""#, r#""id": 7"#),
        (r#""id": "A-1""#, r#""x": 7"#),
        (r#""source": "/gate/1""#, r#""source": null"#),
    ] {
        assert_eq!(told(&meta(&event.replace(from, to), &ce, "composer")), by_place(0), "{to}");
    }
    let many = cloud_event(&format!(r#""data":[{cart},{cart}]"#));
    for (nth, outcome) in run(&many, &ce, &of("composer")).iter().enumerate() {
        assert_eq!(told(&outcome["event"]["meta"]), by_place(nth));
    }
    let saved = body("bold", "order.saved");
    let many = cloud_event(&format!(r#""data":[{saved}]"#));
    let by_body = due(uuid5(&["bold", "default", "BODY", &sha256(&saved)]), "BODY", Value::Null);
    assert_eq!(told(&run(&many, &ce, &of("bold"))[0]["event"]["meta"]), by_body);
    // In a batch each has its own, whatever the record's header says.
    let batch = format!("[{event},{}]", event.replace("A-1", "A-2"));
    let outcomes = run(&batch, &[header("content-type", BATCH), header("koine-event-id", "e-7")], &of("composer"));
    assert_eq!(told(&outcomes[0]["event"]["meta"]), by_event);
    assert_eq!(outcomes[1]["event"]["meta"]["event_id"], uuid5(&["composer", "default", "VENDOR", "A-2", "/gate/1"]));
    assert_eq!(outcomes[1]["event"]["meta"]["source"]["event_id"], "A-2");
}

/// What a translator has seen before, wrapped or not, never changes an outcome.
#[test]
fn the_same_bytes_give_the_same_outcome_whatever_came_before() {
    let mut all: Vec<(Vec<u8>, &str, SourceSettings)> = Vec::new();
    for (vendor, name) in [
        ("spree", "order.completed"),
        ("bspk", "shopper.updated"),
        ("bold", "order.saved"),
        ("composer", "ORDER_RELEASED"),
    ] {
        let text = body(vendor, name);
        let auto = SourceSettings::default;
        all.push((text.clone().into(), "", auto()));
        all.push((format!(r#"{{"body":{}}}"#, string(&text)).into(), "", at("/body", auto())));
        all.push((format!(r#"{{"body":[{text},{text},7]}}"#).into(), "", at("/body", of(vendor))));
        all.push((cloud_event(&format!(r#""data":{text}"#)).into(), "", auto()));
        all.push((format!("[{text},{},7]", cloud_event(&format!(r#""data":{text}"#))).into(), "", auto()));
        all.push((format!("[{},7]", cloud_event(&format!(r#""data":{}"#, string(&text)))).into(), BATCH, auto()));
        all.push((cloud_event(r#""data":"{""#).into(), ONE, auto()));
    }
    let headers = |content_type: &'static str| [header("content-type", content_type)];
    let fresh: Vec<_> = all.iter().map(|(value, kind, settings)| run(value, &headers(kind), settings)).collect();
    let mut translator = Translator::new();
    for round in 0..4 {
        for nth in 0..all.len() {
            // Another order each round.
            let nth = (nth * [1, 9, 13, 27][round]) % all.len();
            let (value, kind, settings) = &all[nth];
            assert_eq!(run_with(&mut translator, value, &headers(kind), settings), fresh[nth]);
        }
    }
}
