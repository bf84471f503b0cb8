//! What the samples of `tests/fixtures` do not reach: where an order goes, the other shape's keys, thin bodies, what a
//! patch says, and odd money.

use super::EVENTS;
use super::part_tests::PARTS;
use crate::translate::{Outcome, RawRecord, SourceSettings, Translator};
use crate::vendors::spree::SPREE;
use crate::vendors::{Ignore, Route};
use serde_json::{Value, json};

const ORDER: &str = include_str!("../../../tests/fixtures/bodies/spree/order.completed.json");
const CART: &str = include_str!("../../../tests/fixtures/bodies/spree/order.created.cart_state.json");
const RELEASED: &str = include_str!("../../../tests/fixtures/bodies/spree/order.completed.release_5_4_0.json");
const CUSTOMER: &str = include_str!("../../../tests/fixtures/bodies/spree/customer.updated.json");
const PRODUCT: &str = include_str!("../../../tests/fixtures/bodies/spree/product.updated.json");
const WISHLIST: &str = include_str!("../../../tests/fixtures/bodies/spree/wishlist.updated.json");

/// Of every entity and of every part of one.
fn samples() -> impl Iterator<Item = &'static str> {
    let parts = PARTS.iter().map(|(sample, _)| *sample);
    [ORDER, CART, RELEASED, CUSTOMER, PRODUCT, WISHLIST].into_iter().chain(parts)
}

fn translated(body: &Value, settings: &SourceSettings) -> Value {
    let text = body.to_string();
    let raw = RawRecord {
        topic: "raw.spree",
        partition: 0,
        offset: 0,
        timestamp_ms: Some(0),
        key: None,
        value: Some(text.as_bytes()),
        headers: &[],
    };
    let mut outcomes = Vec::new();
    Translator::new().translate(&raw, settings, &mut |_, outcome| {
        outcomes.push(match outcome {
            Outcome::Event(translated) => serde_json::to_value(translated.event).expect("an event is JSON"),
            Outcome::Ignored(ignored) => json!({"ignored": ignored.rule.as_str()}),
            Outcome::DeadLetter(letter) => json!({"code": letter.code.as_str(), "pointer": letter.pointer}),
        });
    });
    assert_eq!(outcomes.len(), 1);
    outcomes.remove(0)
}

pub(super) fn event(body: &Value) -> Value {
    translated(body, &SourceSettings { vendor: Some(&SPREE), ..SourceSettings::default() })
}

/// `sample`, with `change` made to it.
pub(super) fn changed(sample: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut body = serde_json::from_str(sample).expect("a sample is JSON");
    change(&mut body);
    event(&body)
}

/// A webhook of that name and data, as short as can be.
pub(super) fn bare(name: &str, data: Value) -> Value {
    event(&json!({"name": name, "created_at": "2026-01-01T00:00:00Z", "data": data}))
}

/// The page of the vendor: family, actions.
const DOCUMENTED: &[(&str, &str)] = &[
    ("order", "created updated completed canceled resumed paid shipped"),
    ("line_item", "created updated deleted"),
    ("payment", "created updated paid"),
    ("payment_session", "created updated deleted"),
    ("payment_setup_session", "created updated deleted"),
    ("shipment", "created updated shipped canceled resumed"),
    ("product", "created updated deleted activate archive out_of_stock back_in_stock"),
    ("variant", "created updated deleted"),
    ("price", "created updated deleted"),
    ("image", "created updated deleted"),
    ("stock_item", "created updated deleted"),
    ("stock_movement", "created updated deleted"),
    ("stock_transfer", "created updated deleted"),
    ("customer", "created updated deleted"),
    ("promotion", "created updated deleted"),
    ("gift_card", "created updated deleted"),
    ("gift_card_batch", "created updated deleted"),
    ("store_credit", "created updated deleted"),
    ("refund", "created updated deleted"),
    ("reimbursement", "created updated deleted"),
    ("return_authorization", "created updated deleted"),
    ("return_item", "created updated deleted"),
    ("customer_return", "created updated deleted"),
    ("wishlist", "created updated deleted"),
    ("wished_item", "created updated deleted"),
    ("post", "created updated deleted"),
    ("post_category", "created updated deleted"),
    ("newsletter_subscriber", "created updated deleted"),
    ("digital", "created updated deleted"),
    ("digital_link", "created updated deleted"),
    ("import", "created updated deleted"),
    ("import_row", "created updated deleted"),
    ("export", "created updated deleted"),
    ("report", "created updated deleted"),
    ("invitation", "created updated deleted"),
];

/// What released Spree publishes beside them.
const RELEASED_NAMES: &[(&str, &str)] = &[
    ("user", "created updated deleted password_reset password_reset_requested"),
    ("customer", "password_reset password_reset_requested"),
    ("admin", "created updated deleted password_reset password_reset_requested"),
    ("media", "created updated deleted"),
    ("product", "activated archived drafted"),
    ("order", "approved deleted"),
    ("payment", "completed voided deleted"),
    ("shipment", "deleted"),
    ("gift_card", "redeemed partially_redeemed"),
    ("payment_session", "processing completed failed canceled expired"),
    ("payment_setup_session", "processing completed failed canceled expired"),
    ("return_authorization", "canceled"),
    ("return_item", "received canceled given"),
    ("reimbursement", "reimbursed"),
    ("newsletter_subscriber", "subscribed verified"),
    ("import", "completed"),
    ("import_row", "completed failed"),
    ("invitation", "accepted resent"),
];

fn names(families: &[(&str, &str)]) -> Vec<String> {
    let names =
        families.iter().flat_map(|(family, actions)| actions.split(' ').map(move |to| format!("{family}.{to}")));
    names.collect()
}

#[test]
fn the_table_has_every_name_once_and_in_order() {
    assert!(EVENTS.is_sorted_by(|a, b| a.name < b.name));
    let documented = names(DOCUMENTED);
    assert_eq!(documented.len(), 115);
    let mut known = documented;
    known.extend(names(RELEASED_NAMES));
    known.sort();
    let table: Vec<&str> = EVENTS.iter().map(|event| event.name).collect();
    assert_eq!(table, known);
}

#[test]
fn what_carries_a_live_credential_is_written_nowhere() {
    for event in EVENTS {
        let is_ignored_so = matches!(event.route, Route::Ignore(Ignore::Credential));
        assert_eq!(is_ignored_so, event.name.contains("password_reset"), "{}", event.name);
    }
    let data = json!({"reset_token": "abc", "email": "a@example.com"});
    assert_eq!(bare("customer.password_reset_requested", data), json!({"ignored": "credential"}));
}

#[test]
fn an_order_is_a_cart_until_it_is_complete() {
    for (name, completed_at, entity) in [
        ("order.created", json!("2026-01-01T00:00:00Z"), "order"),
        ("order.deleted", json!("2026-01-01T00:00:00Z"), "order"),
        ("order.updated", Value::Null, "cart"),
        // The body is believed, whatever the name promises.
        ("order.canceled", Value::Null, "cart"),
        ("order.completed", Value::Null, "cart"),
    ] {
        let record = bare(name, json!({"id": "or_1", "number": "R1", "completed_at": completed_at}));
        assert!(record[entity].is_object(), "{name}: {record}");
        assert_eq!(record["meta"]["coverage"], "SNAPSHOT");
    }
    for name in ["completed", "paid", "shipped", "canceled", "resumed", "approved"] {
        assert_eq!(bare(&format!("order.{name}"), json!({"id": "or_1"}))["meta"]["entity"], "ORDER", "{name}");
    }
    for name in ["created", "updated", "deleted"] {
        assert_eq!(bare(&format!("order.{name}"), json!({"id": "or_1"}))["meta"]["entity"], "CART", "{name}");
    }
}

#[test]
fn a_cart_and_its_order_name_each_other() {
    assert_eq!(changed(CART, |_| ())["cart"]["order_id"], "or_m3Rp9wXz");
    assert_eq!(changed(ORDER, |_| ())["order"]["cart_id"], "or_m3Rp9wXz");
}

#[test]
fn an_order_names_no_customer() {
    let record = changed(ORDER, |_| ());
    assert_eq!(record["order"]["email"], "customer@example.com");
    assert_eq!(record["order"]["customer"], Value::Null);
}

/// Documented key, released key, as far as both are there.
const ALIASES: &[(&str, &str)] = &[
    ("special_instructions", "customer_note"),
    ("item_count", "total_quantity"),
    ("shipment_state", "fulfillment_status"),
    ("payment_state", "payment_status"),
    ("ship_total", "delivery_total"),
    ("promo_total", "discount_total"),
    ("promotions", "discounts"),
    ("shipments", "fulfillments"),
    ("bill_address", "billing_address"),
    ("ship_address", "shipping_address"),
    ("presentation", "label"),
    ("cc_type", "brand"),
    ("last_digits", "last4"),
    ("shipped_at", "fulfilled_at"),
    ("shipping_method", "delivery_method"),
    ("firstname", "first_name"),
    ("lastname", "last_name"),
    ("zipcode", "postal_code"),
];

/// The same in released words. An order's own `state` is gone; those of its parts are called `status`.
fn in_released_words(value: &Value, is_part: bool) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| in_released_words(item, true)).collect(),
        Value::Object(entries) => {
            let renamed = entries.iter().map(|(key, value)| {
                let alias = ALIASES.iter().find(|(documented, _)| documented == key).map(|(_, released)| *released);
                let key = if is_part && key == "state" { "status" } else { alias.unwrap_or(key) };
                (key.to_owned(), in_released_words(value, true))
            });
            Value::Object(renamed.collect())
        }
        other => other.clone(),
    }
}

#[test]
fn both_shapes_say_the_same() {
    let full = |body: &mut Value| {
        let data = &mut body["data"];
        data["special_instructions"] = json!("Leave it at the door");
        data["promo_total"] = json!("-5.00");
        data["promotions"] = json!([{"id": "op_1", "promotion_id": "promo_1", "code": "SAVE", "amount": "-5.00"}]);
        data["items"][0]["promo_total"] = json!("-2.50");
        data["items"][0]["option_values"] = json!([
            {"id": "ov_1", "name": "m", "presentation": "Medium", "option_type_name": "size"},
        ]);
    };
    for (sample, entity) in [(ORDER, "order"), (CART, "cart")] {
        let documented = changed(sample, full);
        let released = changed(sample, |body| {
            full(body);
            body["data"] = in_released_words(&body["data"], false);
        });
        assert_eq!(documented[entity]["note"], "Leave it at the door");
        assert_eq!(documented[entity]["discounts"][0]["amount"], "5");
        assert_eq!(documented[entity]["line_items"][0]["options"][0]["label"], "Medium");
        assert_eq!(documented[entity], released[entity]);
    }
}

#[test]
fn a_thin_body_is_a_patch_or_names_what_is_gone() {
    let times = json!({"id": "x_1", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-02T00:00:00Z"});
    for (name, entity, coverage, present) in [
        ("order.updated", "cart", "PATCH", "kind vendor_kind order_id created_at updated_at"),
        ("order.paid", "order", "PATCH", "cart_id created_at updated_at"),
        ("order.deleted", "cart", "KEY_ONLY", ""),
        ("customer.updated", "customer", "PATCH", "created_at updated_at"),
        ("user.deleted", "customer", "KEY_ONLY", ""),
        ("product.updated", "product", "PATCH", "created_at updated_at"),
        ("product.archived", "product", "PATCH", "created_at updated_at status vendor_status"),
        ("product.deleted", "product", "KEY_ONLY", ""),
        ("wishlist.created", "cart", "PATCH", "kind vendor_kind created_at updated_at"),
        ("wishlist.deleted", "cart", "KEY_ONLY", ""),
    ] {
        let record = bare(name, times.clone());
        assert_eq!(record["meta"]["coverage"], coverage, "{name}");
        assert_eq!(record["meta"]["present"], json!(present.split_whitespace().collect::<Vec<_>>()), "{name}");
        assert_eq!(record["meta"]["version_basis"], "ENTITY", "{name}");
        assert_eq!(record[entity]["id"], "x_1", "{name}");
        assert_eq!(record[entity]["updated_at"], "2026-01-02T00:00:00Z", "{name}");
    }
    let completed = json!({"id": "or_1", "completed_at": "2026-01-01T00:00:00Z"});
    assert_eq!(bare("order.created", completed)["meta"]["present"], json!(["cart_id", "placed_at", "completed_at"]));
}

#[test]
fn a_deletion_carries_the_whole_object() {
    for (name, sample, coverage) in [
        ("order.deleted", ORDER, "SNAPSHOT"),
        ("order.deleted", CART, "SNAPSHOT"),
        ("customer.deleted", CUSTOMER, "SNAPSHOT"),
        ("product.deleted", PRODUCT, "PATCH"),
        ("wishlist.deleted", WISHLIST, "PATCH"),
    ] {
        let meta = changed(sample, |body| body["name"] = json!(name))["meta"].take();
        assert_eq!((&meta["action"], &meta["coverage"]), (&json!("DELETED"), &json!(coverage)), "{name}");
    }
}

#[test]
fn a_patch_names_what_it_says() {
    let present = |record: Value| record["meta"]["present"].clone();
    assert_eq!(
        present(changed(PRODUCT, |_| ())),
        json!([
            "name",
            "slug",
            "description",
            "meta_description",
            "tags",
            "default_variant_id",
            "variant_count",
            "prices",
            "image_url",
            "in_stock",
            "purchasable",
            "backorderable",
            "published",
            "available_at",
            "created_at",
            "updated_at"
        ])
    );
    assert_eq!(
        present(changed(WISHLIST, |_| ())),
        json!(["kind", "vendor_kind", "name", "is_default", "is_private", "created_at", "updated_at"])
    );
    // Absent is not null, and null is said.
    let short = json!({"id": "prod_1", "description_html": null, "tags": []});
    assert_eq!(present(bare("product.updated", short)), json!(["description_html", "tags"]));
    // What is whole names nothing.
    assert_eq!(present(changed(ORDER, |_| ())), json!([]));
}

#[test]
fn a_products_prices_are_those_of_its_default_variant() {
    let record = changed(PRODUCT, |body| {
        body["data"]["original_price"] = json!({"id": "pri_0", "amount": "39.99", "currency": "EUR"});
    });
    let prices = &record["product"]["prices"];
    let told = |nth: usize| [&prices[nth]["kind"], &prices[nth]["amount"], &prices[nth]["currency"]];
    assert_eq!(told(0), ["RESOLVED", "29.99", "USD"]);
    assert_eq!(told(1), ["BASE", "39.99", "EUR"]);
    assert_eq!(record["product"]["variants"], json!([]));
    // One of the two is enough to say what there is: an empty list clears it.
    let without = bare("product.updated", json!({"id": "prod_1", "name": "Tote", "price": null}));
    assert_eq!((&without["product"]["prices"], &without["meta"]["present"]), (&json!([]), &json!(["name", "prices"])));
}

#[test]
fn some_events_stand_for_a_products_status() {
    for (name, action, status) in [
        ("product.activate", "ACTIVATED", json!("ACTIVE")),
        ("product.activated", "ACTIVATED", json!("ACTIVE")),
        ("product.archive", "ARCHIVED", json!("ARCHIVED")),
        ("product.archived", "ARCHIVED", json!("ARCHIVED")),
        ("product.drafted", "UPDATED", json!("DRAFT")),
        ("product.updated", "UPDATED", Value::Null),
    ] {
        let record = changed(PRODUCT, |body| body["name"] = json!(name));
        assert_eq!((&record["meta"]["action"], &record["product"]["status"]), (&json!(action), &status), "{name}");
        let says_status = record["meta"]["present"].as_array().is_some_and(|paths| paths.contains(&json!("status")));
        assert_eq!(says_status, !status.is_null(), "{name}");
    }
}

#[test]
fn tags_are_texts_or_have_a_name() {
    let record = bare("product.updated", json!({"id": "p", "tags": ["a", {"id": 7, "name": "b"}, {"id": 8}, null]}));
    assert_eq!(record["product"]["tags"], json!(["a", "b"]));
    assert_eq!(record["extensions"], json!({"/data/tags/1/id": "7", "/data/tags/2": r#"{"id":8}"#}));
}

#[test]
fn a_part_has_its_own_currency_or_none() {
    let record = changed(ORDER, |body| {
        body["data"]["items"][0]["currency"] = json!("EUR");
        body["data"]["payments"][0]["currency"] = json!("eur");
    });
    assert_eq!(record["order"]["currency"], "USD");
    assert_eq!(record["order"]["line_items"][0]["currency"], "EUR");
    assert_eq!(record["order"]["payments"][0]["currency"], "EUR");
    // A payment that names none is in the order's.
    assert_eq!(changed(ORDER, |_| ())["order"]["payments"][0]["currency"], "USD");
    // One that names no currency at all is in none, and not in the order's.
    let record = changed(ORDER, |body| body["data"]["payments"][0]["currency"] = json!("points"));
    assert_eq!(record["order"]["payments"][0]["currency"], Value::Null);
    assert_eq!(record["extensions"]["/data/payments/0/currency"], r#""points""#);
    // The model has no place for a second currency in a shipment or a discount.
    for (sample, list) in [(ORDER, "shipments"), (RELEASED, "fulfillments"), (RELEASED, "discounts")] {
        let refused = changed(sample, |body| body["data"][list][0]["currency"] = json!("EUR"));
        assert_eq!(refused["code"], "money.mixed_currency");
        assert_eq!(refused["pointer"], format!("/data/{list}/0/currency"));
        let same = changed(sample, |body| body["data"][list][0]["currency"] = json!("USD"));
        assert!(same["order"].is_object(), "{same}");
        let kept = changed(sample, |body| {
            body["data"]["currency"] = Value::Null;
            body["data"][list][0]["currency"] = json!("EUR");
        });
        assert_eq!(kept["extensions"][format!("/data/{list}/0/currency")], r#""EUR""#);
    }
}

#[test]
fn discounts_are_positive_and_an_odd_sign_is_kept() {
    for (text, amount, is_odd) in [("-5.00", "5", false), ("5.00", "5", true), ("0.00", "0", false)] {
        let record = changed(RELEASED, |body| {
            body["data"]["discount_total"] = json!(text);
            body["data"]["discounts"][0]["amount"] = json!(text);
            body["data"]["items"][0]["discount_total"] = json!(text);
        });
        let order = &record["order"];
        for found in
            [&order["discount_total"], &order["discounts"][0]["amount"], &order["line_items"][0]["discount_total"]]
        {
            assert_eq!(found, amount, "{text}");
        }
        let kept = if is_odd { json!(format!("\"{text}\"")) } else { Value::Null };
        for pointer in ["/data/discount_total", "/data/discounts/0/amount", "/data/items/0/discount_total"] {
            assert_eq!(record["extensions"][pointer], kept, "{text} at {pointer}");
        }
    }
    // Taxes and promotions in one sum: its sign means something.
    let record = changed(ORDER, |body| body["data"]["adjustment_total"] = json!("-3.10"));
    assert_eq!(record["order"]["adjustment_total"], "-3.1");
}

#[test]
fn words_are_the_pages() {
    let order = |key: &str, word: &str| {
        let mut data = json!({"id": "or_1", "number": "R1"});
        data[key] = json!(word);
        bare("order.completed", data)["order"].take()
    };
    for (word, symbol) in [
        ("complete", "PLACED"),
        ("resumed", "PLACED"),
        ("canceled", "CANCELED"),
        ("awaiting_return", "RETURN_PENDING"),
        ("returned", "RETURNED"),
        ("teleported", "UNKNOWN"),
    ] {
        let order = order("state", word);
        assert_eq!((&order["status"], &order["vendor_status"]), (&json!(symbol), &json!(word)));
    }
    for (word, symbol) in [
        ("balance_due", "PENDING"),
        ("credit_owed", "OVERPAID"),
        ("failed", "FAILED"),
        ("paid", "PAID"),
        ("void", "VOIDED"),
        ("bartered", "UNKNOWN"),
    ] {
        assert_eq!(order("payment_state", word)["payment_status"], symbol, "{word}");
        assert_eq!(order("payment_status", word)["vendor_payment_status"], word);
    }
    for (word, symbol) in [
        ("backorder", "BACKORDERED"),
        ("canceled", "CANCELED"),
        ("partial", "PARTIAL"),
        ("pending", "PENDING"),
        ("ready", "READY"),
        ("shipped", "SHIPPED"),
        ("teleported", "UNKNOWN"),
    ] {
        assert_eq!(order("shipment_state", word)["fulfillment_status"], symbol, "{word}");
        assert_eq!(order("fulfillment_status", word)["vendor_fulfillment_status"], word);
    }
    for (word, symbol) in [
        ("checkout", "CREATED"),
        ("processing", "PROCESSING"),
        ("pending", "AUTHORIZED"),
        ("failed", "FAILED"),
        ("completed", "CAPTURED"),
        ("void", "VOIDED"),
        ("invalid", "INVALID"),
        ("bartered", "UNKNOWN"),
    ] {
        let record = changed(ORDER, |body| body["data"]["payments"][0]["state"] = json!(word));
        assert_eq!(record["order"]["payments"][0]["status"], symbol, "{word}");
    }
}

#[test]
fn a_region_without_a_code_is_in_the_text_for_people() {
    let address = |address: Value| {
        let record = bare("customer.updated", json!({"id": "usr_1", "addresses": [address]}));
        let region = record["customer"]["addresses"][0]["region"].clone();
        (region, record["extensions"]["/data/addresses/0/state_text"].clone())
    };
    assert_eq!(address(json!({"state_text": "Bavaria", "state_abbr": null})), (json!("Bavaria"), Value::Null));
    assert_eq!(address(json!({"state_text": "BY", "state_abbr": "BY"})), (Value::Null, Value::Null));
    let named = json!({"state_text": "Bavaria", "state_abbr": "BY", "state_name": "Bavaria"});
    assert_eq!(address(named), (json!("Bavaria"), Value::Null));
    // It says something else, so it is kept.
    let other = json!({"state_text": "Bayern", "state_abbr": "BY", "state_name": "Bavaria"});
    assert_eq!(address(other), (json!("Bavaria"), json!(r#""Bayern""#)));
}

#[test]
fn an_id_is_that_of_the_object_beside_it() {
    let record = changed(RELEASED, |body| {
        let data = body["data"].as_object_mut().expect("an object");
        data.remove("market_id");
        let payment = data["payments"][0].as_object_mut().expect("an object");
        payment.remove("payment_method_id");
        payment.insert("source_id".into(), json!("card_other"));
    });
    assert_eq!(record["order"]["market_id"], "mkt_UkLWZg9DAJ");
    assert_eq!(record["order"]["payments"][0]["method_id"], "pm_UkLWZg9DAJ");
    assert_eq!(record["order"]["payments"][0]["source_id"], "card_other");
    assert_eq!(record["extensions"]["/data/payments/0/source/id"], r#""card_UkLWZg9DAJ""#);
}

#[test]
fn a_released_customer_says_more() {
    let record = changed(CUSTOMER, |body| {
        body["name"] = json!("user.updated");
        let data = &mut body["data"];
        data["phone"] = json!("555-555-0199");
        data["accepts_email_marketing"] = json!(false);
        data["available_store_credit_total"] = json!("12.50");
        data["display_available_store_credit_total"] = json!("$12.50");
        data["default_billing_address"] = json!({"id": "addr_1", "is_default_billing": true, "country_iso": "US"});
    });
    let customer = &record["customer"];
    assert_eq!(customer["phone"], "555-555-0199");
    assert_eq!(
        customer["consents"],
        json!([{"channel": "email", "granted": false, "purpose": null, "verified_at": null, "created_at": null}])
    );
    assert_eq!(customer["store_credit_total"], "12.5");
    assert_eq!(customer["default_billing_address"]["is_default_billing"], true);
    assert_eq!(record["extensions"], json!({}));
}

#[test]
fn secrets_are_in_no_record() {
    let record = changed(RELEASED, |body| {
        let data = &mut body["data"];
        data["token"] = json!("opens-1");
        data["gift_card"] = json!({"id": "gc_1", "code": "opens-2", "amount": "50.0", "status": "active"});
        data["items"][0]["digital_links"] =
            json!([{"id": "dl_1", "filename": "a.pdf", "access_counter": 2, "download_url": "/digitals/opens-3"}]);
        data["payments"][0]["source"]["gateway_payment_profile_id"] = json!("opens-4");
    });
    assert!(!record.to_string().contains("opens-"), "{record}");
    assert_eq!(record["extensions"]["/data/gift_card"], r#"{"id":"gc_1","amount":"50.0","status":"active"}"#);
    let link = &record["order"]["line_items"][0]["digital_links"][0];
    assert_eq!((&link["id"], &link["filename"], &link["access_counter"]), (&json!("dl_1"), &json!("a.pdf"), &json!(2)));
}

#[test]
fn an_envelope_needs_a_name_and_data() {
    let record = event(&json!({"name": "customer.updated", "data": {"id": "usr_1"}}));
    assert_eq!(record["meta"]["event_id_basis"], "POSITION");
    assert_eq!(record["meta"]["occurred_at_basis"], "BROKER");
    assert_eq!(record["meta"]["source"]["api_version"], Value::Null);
    for body in [json!({"name": "order.paid", "id": "1"}), json!({"name": "order.paid", "data": null})] {
        assert_eq!(event(&body), json!({"code": "envelope.missing", "pointer": "/data"}));
    }
    let more = changed(CUSTOMER, |body| body["metadata"]["user_id"] = json!("usr_9"));
    assert_eq!(more["extensions"], json!({"/metadata/user_id": r#""usr_9""#}));
}

#[test]
fn is_told_from_other_bodies() {
    let told = |body: Value| translated(&body, &SourceSettings::default());
    let data = json!({"id": "usr_1"});
    for body in [
        json!({"name": "customer.updated", "id": "1", "data": data}),
        json!({"name": "customer.updated", "metadata": {}, "data": data}),
        json!({"name": "customer.updated", "created_at": "2026-01-01T00:00:00Z", "data": data}),
    ] {
        assert_eq!(told(body.clone())["customer"]["id"], "usr_1", "{body}");
    }
    let own = json!({"name": "shop.teleported", "id": "1", "data": data});
    assert_eq!(told(own), json!({"code": "event.unknown", "pointer": "/name"}));
    for body in [
        json!({"name": "customer.updated", "data": data}),
        json!({"name": "customer.updated", "id": "1", "data": "usr_1"}),
        json!({"name": "Ann", "id": "1", "data": data}),
        json!({"name": 7, "id": "1", "data": data}),
        json!({"id": "1", "data": data}),
    ] {
        assert_eq!(told(body.clone())["code"], "envelope.unknown_vendor", "{body}");
    }
}

/// Every place of a body, as JSON Pointers, below `pointer`.
fn places(value: &Value, pointer: &str, out: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(entries) => entries.iter().map(|(key, value)| (format!("{pointer}/{key}"), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(nth, it)| (format!("{pointer}/{nth}"), it)).collect(),
        _ => Vec::new(),
    };
    for (pointer, value) in children {
        places(value, &pointer, out);
        out.push(pointer);
    }
}

#[test]
fn only_name_and_id_have_to_be_there() {
    for sample in samples() {
        let body: Value = serde_json::from_str(sample).expect("a sample is JSON");
        let mut pointers = Vec::new();
        places(&body, "", &mut pointers);
        for pointer in pointers {
            let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
            if body.pointer(parent).is_some_and(Value::is_array) {
                continue;
            }
            let null = changed(sample, |body| *body.pointer_mut(&pointer).expect("a place") = Value::Null);
            let absent = changed(sample, |body| {
                body.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object").remove(key);
            });
            let wanted = match pointer.as_str() {
                "/name" | "/data" => json!("envelope.missing"),
                "/data/id" => json!("field.missing"),
                _ => Value::Null,
            };
            assert_eq!((&null["code"], &absent["code"]), (&wanted, &wanted), "{pointer}");
        }
    }
}

/// The samples' amounts are mostly 0 and would not tell one field from another.
#[test]
fn every_amount_has_its_place() {
    for (key, place) in [
        ("/item_total", "/item_total"),
        ("/ship_total", "/shipping_total"),
        ("/adjustment_total", "/adjustment_total"),
        ("/promo_total", "/discount_total"),
        ("/tax_total", "/tax_total"),
        ("/included_tax_total", "/tax_included_total"),
        ("/additional_tax_total", "/tax_additional_total"),
        ("/total", "/total"),
        ("/amount_due", "/amount_due"),
        ("/gift_card_total", "/gift_card_total"),
        ("/store_credit_total", "/store_credit_total"),
        ("/items/0/price", "/line_items/0/unit_price"),
        ("/items/0/compare_at_amount", "/line_items/0/compare_at_price"),
        ("/items/0/promo_total", "/line_items/0/discount_total"),
        ("/items/0/discounted_amount", "/line_items/0/discounted_subtotal"),
        ("/items/0/pre_tax_amount", "/line_items/0/pre_tax_total"),
        ("/items/0/included_tax_total", "/line_items/0/tax_included_total"),
        ("/items/0/additional_tax_total", "/line_items/0/tax_additional_total"),
        ("/items/0/adjustment_total", "/line_items/0/adjustment_total"),
        ("/items/0/total", "/line_items/0/total"),
        ("/shipments/0/cost", "/shipments/0/cost"),
        ("/payments/0/amount", "/payments/0/amount"),
    ] {
        for (sample, entity) in [(ORDER, "order"), (CART, "cart")] {
            let set = |body: &mut Value| {
                let (parent, key) = key.rsplit_once('/').expect("a pointer");
                if let Some(parent) = body["data"].pointer_mut(parent) {
                    parent[key] = json!("-4711.50");
                }
            };
            let record = changed(sample, set);
            // What a cart has no field for is kept.
            if let Some(amount) = record[entity].pointer(place) {
                let is_discount = place.ends_with("discount_total");
                assert_eq!(amount, if is_discount { "4711.5" } else { "-4711.5" }, "{entity}{place}");
                assert_eq!(record.to_string().matches("4711").count(), 1, "{entity}{place}: {record}");
            } else if !key.contains("/0/") {
                assert_eq!(record["extensions"][format!("/data{key}")], r#""-4711.50""#, "{entity}{key}");
            }
        }
    }
}

const SECRETS: &[&str] = &[
    "token",
    "gateway_payment_profile_id",
    "external_data",
    "external_client_secret",
    "customer_external_id",
    "download_url",
];

#[test]
fn what_is_read_is_used() {
    for sample in samples() {
        let body: Value = serde_json::from_str(sample).expect("a sample is JSON");
        let before = event(&body);
        let mut pointers = Vec::new();
        places(&body, "", &mut pointers);
        for pointer in pointers {
            let other = match body.pointer(&pointer).expect("a place") {
                Value::String(text) if text.ends_with('Z') && text.contains(':') => json!("2031-01-01T00:00:00Z"),
                Value::String(text) if text.parse::<f64>().is_ok() => json!(format!("1{text}")),
                Value::String(text) => json!(format!("{text}x")),
                Value::Number(number) => json!(number.as_i64().map(|number| number + 1)),
                Value::Bool(it) => json!(!it),
                _ => continue,
            };
            let key = pointer.rsplit('/').next().expect("a key");
            let is_dropped = key.starts_with("display_")
                || key.ends_with("_in_cents")
                || SECRETS.iter().any(|secret| pointer.split('/').any(|step| step == *secret));
            let after = changed(sample, |body| *body.pointer_mut(&pointer).expect("a place") = other);
            assert_eq!(after == before, is_dropped, "{pointer}");
        }
    }
}

/// Nothing of a sample is left over but what the model has no field for.
#[test]
fn what_is_left_over_is_known() {
    let order: &[&str] = &[
        "/data/bill_address/quick_checkout",
        "/data/ship_address/quick_checkout",
        // On offer, not used.
        "/data/payment_methods",
    ];
    let released: &[&str] = &[
        "/data/covered_by_store_credit",
        "/data/items/0/option_values/0/position",
        // Quotes.
        "/data/fulfillments/0/delivery_rates",
        "/data/billing_address/quick_checkout",
        "/data/shipping_address/quick_checkout",
        // How the market is set up, not how the order was.
        "/data/market/name",
        "/data/market/currency",
        "/data/market/default_locale",
        "/data/market/default",
        "/data/market/supported_locales",
    ];
    let entities =
        [(ORDER, order), (CART, &[]), (RELEASED, released), (PRODUCT, &[]), (CUSTOMER, &[]), (WISHLIST, &[])];
    for (sample, expected) in entities.into_iter().chain(PARTS.iter().copied()) {
        let record = changed(sample, |_| ());
        let mut left: Vec<&str> =
            record["extensions"].as_object().into_iter().flatten().map(|(pointer, _)| pointer.as_str()).collect();
        let mut expected = expected.to_vec();
        left.sort_unstable();
        expected.sort_unstable();
        assert_eq!(left, expected);
    }
}
