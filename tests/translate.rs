//! The rules that hold for every vendor: units and their outcomes, keys, ids and headers, what comes from where, and
//! that the same bytes always give the same outcome.

use koine::translate::{BUILD, EVENT_ID_NAMESPACE, Extensions, Header, Outcome, RawRecord, SourceSettings, Translator};
use koine::vendors::{VENDORS, vendor};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;

fn body(vendor: &str, name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/bodies/{vendor}/{name}.json"));
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn compact(vendor: &str, name: &str) -> Value {
    serde_json::from_slice(&body(vendor, name)).expect("JSON")
}

fn raw<'a>(value: &'a [u8], headers: &'a [Header<'a>]) -> RawRecord<'a> {
    RawRecord {
        topic: "raw.any",
        partition: 3,
        offset: 11,
        timestamp_ms: Some(1_767_225_600_123),
        key: None,
        value: Some(value),
        headers,
    }
}

fn header<'a>(name: &'a str, value: &'a str) -> Header<'a> {
    Header { name, value: Some(value.as_bytes()) }
}

fn run_with(translator: &mut Translator, raw: &RawRecord<'_>, settings: &SourceSettings) -> Vec<Value> {
    let mut outcomes = Vec::new();
    translator.translate(raw, settings, &mut |index, outcome| {
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

fn run(raw: &RawRecord<'_>, settings: &SourceSettings) -> Vec<Value> {
    run_with(&mut Translator::new(), raw, settings)
}

fn one(value: &[u8], headers: &[Header<'_>], settings: &SourceSettings) -> Value {
    let mut outcomes = run(&raw(value, headers), settings);
    assert_eq!(outcomes.len(), 1);
    outcomes.remove(0)
}

fn of(name: &str) -> SourceSettings {
    SourceSettings { vendor: vendor(name), ..SourceSettings::default() }
}

#[test]
fn a_list_is_as_many_webhooks_as_it_has_elements() {
    let good = compact("spree", "order.completed");
    let ignored = compact("spree", "promotion.created");
    let mut broken = good.clone();
    broken["data"]["total"] = json!("ten");
    let list = json!([good, broken, ignored, [good], 7, {"name": "order.exploded", "data": {}}]);
    let outcomes = run(&raw(list.to_string().as_bytes(), &[]), &of("spree"));
    assert_eq!(outcomes.len(), 6);
    assert_eq!(outcomes[0]["event"]["meta"]["source"]["index"], 0);
    assert_eq!(outcomes[0]["index"], 0);
    assert_eq!((&outcomes[1]["code"], &outcomes[1]["pointer"]), (&json!("money.invalid"), &json!("/data/total")));
    assert_eq!((&outcomes[1]["index"], &outcomes[1]["element"]), (&json!(1), &json!(1)));
    assert_eq!(outcomes[2]["rule"], "no_canonical_entity");
    assert_eq!(outcomes[3]["code"], "field.type", "lists are not nested");
    assert_eq!(outcomes[4]["code"], "field.type");
    assert_eq!(outcomes[5]["code"], "event.unknown");
    // Each element keeps to itself: what is left over of one is as if it had come alone.
    let alone = one(good.to_string().as_bytes(), &[], &of("spree"));
    assert_eq!(outcomes[0]["event"]["order"], alone["event"]["order"]);
    assert_eq!(outcomes[0]["event"]["extensions"], alone["event"]["extensions"]);
    assert_eq!(alone["event"]["meta"]["source"]["index"], 0);
}

#[test]
fn every_element_of_a_list_has_its_own_leftovers() {
    let vendors = ["spree", "bspk", "bold", "composer"];
    let names = ["product.created", "shopper.updated", "order.saved", "ORDER_RELEASED"];
    let bodies: Vec<Value> = vendors.iter().zip(names).map(|(vendor, name)| compact(vendor, name)).collect();
    let list = Value::from(bodies.clone()).to_string();
    let together = run(&raw(list.as_bytes(), &[]), &SourceSettings::default());
    for (nth, body) in bodies.iter().enumerate() {
        let alone = one(body.to_string().as_bytes(), &[], &SourceSettings::default());
        assert_eq!(together[nth]["event"]["extensions"], alone["event"]["extensions"], "{}", names[nth]);
        assert_eq!(together[nth]["key"], alone["key"]);
    }
}

#[test]
fn the_shop_is_the_configurations_then_the_headers_then_the_bodys() {
    let cart = body("composer", "SHOPPING_CART_CREATED");
    let customer = body("composer", "CUSTOMER_UPDATED");
    let shop = |outcome: Value| outcome["event"]["meta"]["source"]["shop"].as_str().map(str::to_owned);
    let fixed = SourceSettings { shop: Some("fixed".into()), ..of("composer") };
    let said = [header("koine-shop", "said")];
    let of_body = shop(one(&cart, &[], &of("composer"))).expect("a shop");
    assert_ne!(of_body, "default");
    assert_eq!(shop(one(&cart, &said, &fixed)).as_deref(), Some("fixed"));
    assert_eq!(shop(one(&cart, &said, &of("composer"))).as_deref(), Some("said"));
    assert_eq!(shop(one(&customer, &[], &of("composer"))).as_deref(), Some("default"));
}

#[test]
fn a_shop_with_a_colon_does_not_break_the_key() {
    let settings = SourceSettings { shop: Some("eu:west/50%".into()), ..of("spree") };
    let outcome = one(&body("spree", "customer.created"), &[], &settings);
    let key = outcome["key"].as_str().expect("key");
    assert!(key.starts_with("spree:eu%3Awest/50%25:customer:"), "{key}");
    let headers = outcome["headers"].to_string();
    assert!(headers.contains(r#"["ce_source","/koine/spree/eu%3Awest%2F50%25"]"#), "{headers}");
    assert_eq!(outcome["event"]["meta"]["source"]["shop"], "eu:west/50%");
}

#[test]
fn headers_are_those_of_the_cloudevents_binding_and_ours() {
    let sent = [
        header("x-bspk-secret", "S3CRET"),
        header("authorization", "S3CRET"),
        header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        header("tracestate", "congo=t61rcWkgMzE"),
        header("other", "x"),
    ];
    let outcome = one(&body("spree", "order.completed"), &sent, &of("spree"));
    let meta = &outcome["event"]["meta"];
    let expected = json!([
        ["ce_id", meta["event_id"]],
        ["ce_source", "/koine/spree/default"],
        ["ce_specversion", "1.0"],
        ["ce_type", "koine.order.completed"],
        ["ce_subject", outcome["event"]["order"]["id"]],
        ["ce_time", meta["occurred_at"]],
        ["content-type", "application/avro"],
        ["koine.build", BUILD],
        ["traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
        ["tracestate", "congo=t61rcWkgMzE"],
    ]);
    assert_eq!(outcome["headers"], expected);
}

fn uuid5(parts: &[&str]) -> Value {
    json!(uuid::Uuid::new_v5(&EVENT_ID_NAMESPACE, parts.join("\n").as_bytes()).to_string())
}

#[test]
fn the_event_id_is_made_of_what_its_basis_says() {
    assert_eq!(EVENT_ID_NAMESPACE, uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_DNS, b"koine.commerce.v1"));
    let order = body("spree", "order.completed");
    let own: Value = compact("spree", "order.completed")["id"].clone();
    let meta = one(&order, &[], &of("spree"))["event"]["meta"].clone();
    assert_eq!(meta["event_id_basis"], "VENDOR");
    assert_eq!(meta["event_id"], uuid5(&["spree", "default", "VENDOR", own.as_str().expect("id")]));

    let saved = body("bold", "order.saved");
    let meta = one(&saved, &[], &of("bold"))["event"]["meta"].clone();
    let digest: String = Sha256::digest(&saved).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(meta["event_id_basis"], "BODY");
    assert_eq!(meta["event_id"], uuid5(&["bold", "default", "BODY", &digest]));

    let customer = body("composer", "CUSTOMER_UPDATED");
    let meta = one(&customer, &[], &of("composer"))["event"]["meta"].clone();
    assert_eq!(meta["event_id_basis"], "POSITION");
    assert_eq!(meta["event_id"], uuid5(&["composer", "default", "POSITION", "raw.any\n3\n11\n0"]));

    let meta = one(&customer, &[header("koine-event-id", "e-7")], &of("composer"))["event"]["meta"].clone();
    assert_eq!(meta["event_id_basis"], "VENDOR");
    assert_eq!(meta["event_id"], uuid5(&["composer", "default", "VENDOR", "e-7"]));
    assert_eq!(meta["source"]["event_id"], "e-7");
}

/// Two events with one id would be one event to whoever drops ids that he has seen.
#[test]
fn a_records_event_id_is_not_that_of_each_webhook_in_a_list() {
    let (customer, saved) = (compact("composer", "CUSTOMER_UPDATED"), compact("bold", "order.saved"));
    let list = json!([customer, customer, saved, compact("spree", "order.completed")]).to_string();
    let sent = [header("koine-event-id", "e-7")];
    let outcomes = run(&raw(list.as_bytes(), &sent), &SourceSettings::default());
    assert_eq!(outcomes, run(&raw(list.as_bytes(), &[]), &SourceSettings::default()));
    let metas: Vec<&Value> = outcomes.iter().map(|outcome| &outcome["event"]["meta"]).collect();
    assert_eq!(metas[0]["event_id"], uuid5(&["composer", "default", "POSITION", "raw.any\n3\n11\n0"]));
    assert_eq!(metas[1]["event_id"], uuid5(&["composer", "default", "POSITION", "raw.any\n3\n11\n1"]));
    assert_eq!((&metas[2]["event_id_basis"], &metas[3]["event_id_basis"]), (&json!("BODY"), &json!("VENDOR")));
    assert_eq!(metas[0]["source"]["event_id"], Value::Null);
}

#[test]
fn times_come_from_the_envelope_the_entity_or_the_broker_and_say_so() {
    let meta = |vendor: &str, name: &str| one(&body(vendor, name), &[], &of(vendor))["event"]["meta"].clone();
    let spree = meta("spree", "order.completed");
    assert_eq!((&spree["occurred_at_basis"], &spree["version_basis"]), (&json!("ENVELOPE"), &json!("ENTITY")));
    let released = meta("spree", "order.completed.release_5_4_0");
    assert_eq!((&released["occurred_at_basis"], &released["version_basis"]), (&json!("ENVELOPE"), &json!("ENVELOPE")));
    let bold = meta("bold", "order.saved");
    assert_eq!((&bold["occurred_at_basis"], &bold["version_basis"]), (&json!("ENTITY"), &json!("ENTITY")));
    let composer = meta("composer", "CUSTOMER_UPDATED");
    assert_eq!((&composer["occurred_at_basis"], &composer["version_basis"]), (&json!("BROKER"), &json!("BROKER")));
    assert_eq!(composer["version"], 1_767_225_600_123_000i64);
    assert_eq!(composer["received_at"], "2026-01-01T00:00:00.123Z");
    for meta in [spree, released, bold, composer] {
        assert!(meta["version"].is_i64());
    }
}

#[test]
fn headers_and_configuration_that_disagree_are_a_conflict() {
    let order = body("spree", "order.completed");
    let conflict = |headers: &[Header<'_>], settings: &SourceSettings| one(&order, headers, settings)["code"].clone();
    assert_eq!(conflict(&[header("koine-event-type", "order.paid")], &of("spree")), "envelope.conflict");
    assert_eq!(conflict(&[header("koine-vendor", "bold")], &of("spree")), "envelope.conflict");
    assert_eq!(conflict(&[header("koine-vendor", "acme")], &SourceSettings::default()), "envelope.unknown_vendor");
    let fixed = SourceSettings { event_type: Some("order.paid".into()), ..of("spree") };
    assert_eq!(conflict(&[], &fixed), "envelope.conflict");
    assert_eq!(
        conflict(&[header("koine-event-type", "order.completed"), header("koine-vendor", "spree")], &of("spree")),
        Value::Null
    );
}

#[test]
fn a_header_names_the_event_where_the_body_does_not() {
    let mut order = compact("spree", "order.completed");
    order.as_object_mut().expect("object").remove("name");
    let sent = [header("koine-event-type", "order.completed")];
    let outcome = one(order.to_string().as_bytes(), &sent, &of("spree"));
    assert_eq!(outcome["event"]["meta"]["source"]["event_type"], "order.completed");
}

#[test]
fn limits_are_settings() {
    let order = body("spree", "order.completed");
    let small = SourceSettings { max_body: order.len() - 1, ..of("spree") };
    assert_eq!(one(&order, &[], &small)["code"], "body.too_large");
    let exact = SourceSettings { max_body: order.len(), ..of("spree") };
    assert_eq!(one(&order, &[], &exact)["code"], Value::Null);
    let flat = SourceSettings { max_depth: 2, ..of("spree") };
    assert_eq!(one(&order, &[], &flat)["code"], "json.depth");
    let bare = SourceSettings { extensions: Extensions::Off, ..of("spree") };
    assert_eq!(one(&order, &[], &bare)["event"]["extensions"], json!({}));
}

#[test]
fn an_event_type_is_told_only_if_it_looks_like_one() {
    let told = |name: &str| {
        let body =
            json!({"id": "e", "name": name, "created_at": "2026-01-15T10:00:00Z", "data": {"id": "x"}, "metadata": {}});
        one(body.to_string().as_bytes(), &[], &of("spree"))["event_type"].clone()
    };
    assert_eq!(told("order.exploded"), "order.exploded");
    assert_eq!(told("jane@example.com"), "_other");
    assert_eq!(told(&"x".repeat(65)), "_other");
}

#[test]
fn a_fingerprint_is_of_the_cause_and_not_of_the_record() {
    let mut first = compact("spree", "order.completed");
    first["data"]["items"] = json!([{"id": "a", "price": "1"}, {"id": "b", "price": "ten"}]);
    let mut second = first.clone();
    second["data"]["items"] = json!([{"id": "z", "price": "eleven"}]);
    second["id"] = json!("another");
    let mut third = first.clone();
    third["data"]["items"] = json!([{"id": "z", "quantity": "ten"}]);
    let print = |body: &Value| one(body.to_string().as_bytes(), &[], &of("spree"))["fingerprint"].clone();
    assert_eq!(print(&first), print(&second));
    assert_ne!(print(&first), print(&third));
}

/// What a translator has seen before never changes an outcome: hints and reused buffers are invisible.
#[test]
fn the_same_bytes_give_the_same_outcome_whatever_came_before() {
    let mut all = Vec::new();
    for vendor in VENDORS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bodies").join(vendor.name);
        for entry in fs::read_dir(folder).expect("bodies") {
            all.push(fs::read(entry.expect("entry").path()).expect("body"));
        }
    }
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/malformed")).expect("bodies") {
        all.push(fs::read(entry.expect("entry").path()).expect("body"));
    }
    let fresh: Vec<Vec<Value>> = all.iter().map(|body| run(&raw(body, &[]), &SourceSettings::default())).collect();
    let mut translator = Translator::new();
    for round in 0..3 {
        for nth in 0..all.len() {
            // Another order each round.
            let nth = (nth * [1, 7, 13][round]) % all.len();
            let again = run_with(&mut translator, &raw(&all[nth], &[]), &SourceSettings::default());
            assert_eq!(again, fresh[nth]);
        }
    }
}

/// Unique texts in every secret place of every body: none of them comes out, in whatever outcome.
#[test]
fn no_secret_is_ever_published() {
    const SECRET_KEYS: &[&str] = &[
        "token",
        "external_client_secret",
        "external_data",
        "customer_external_id",
        "gateway_payment_profile_id",
        "download_url",
        "reset_token",
        "passport_number",
        "sessionToken",
        "api_key",
        "client_secret",
        "Authorization",
    ];
    fn plant(value: &mut Value, count: &mut usize) {
        match value {
            Value::Object(map) => {
                for key in SECRET_KEYS {
                    *count += 1;
                    let canary = format!("CANARY{count}");
                    let planted = match *count % 4 {
                        0 => json!({"deep": [canary]}),
                        1 => json!(format!("{{\"x\":{{\"token\":\"{canary}\"}}}}")),
                        _ => json!(canary),
                    };
                    // passport_number is text where it is documented.
                    let planted = if *key == "passport_number" { json!(canary) } else { planted };
                    map.insert((*key).to_owned(), planted);
                }
                *count += 1;
                map.insert("note_x".to_owned(), json!(format!("[{{\"my_password\":\"CANARY{count}\"}}]")));
                map.iter_mut()
                    .filter(|(key, _)| !SECRET_KEYS.contains(&key.as_str()) && *key != "note_x")
                    .for_each(|(_, child)| plant(child, count));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| plant(item, count)),
            _ => {}
        }
    }
    let mut events = 0;
    for vendor in VENDORS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bodies").join(vendor.name);
        for entry in fs::read_dir(folder).expect("bodies") {
            let path = entry.expect("entry").path();
            let mut body: Value = serde_json::from_slice(&fs::read(&path).expect("body")).expect("JSON");
            let mut count = 0;
            plant(&mut body, &mut count);
            let outcome = one(body.to_string().as_bytes(), &[], &of(vendor.name));
            events += outcome["event"].is_object() as usize;
            let text = outcome.to_string();
            assert!(
                !text.contains("CANARY"),
                "{}: {}",
                path.display(),
                &text[text.find("CANARY").unwrap_or(0).saturating_sub(80)..][..160]
            );
        }
    }
    assert!(events > 150, "{events} events are too few to prove anything");
}
