//! What the samples of `tests/fixtures` do not reach of the parts of entities: whose each is, thin bodies, the other
//! shape's keys, what an event's name stands for, and that no secret gets through.

use super::tests::{bare, changed, event};
use serde_json::{Value, json};

macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!("../../../tests/fixtures/bodies/spree/", $name, ".json"))
    };
}

const CARD: &str = sample!("payment.completed");
const CREDIT: &str = sample!("payment.updated.store_credit");
const SESSION: &str = sample!("payment_session.completed");
const SETUP: &str = sample!("payment_setup_session.failed");
const SHIPMENT: &str = sample!("shipment.shipped");
const VARIANT: &str = sample!("variant.updated");
const LINE: &str = sample!("line_item.created");
const RELEASED_LINE: &str = sample!("line_item.created.release_5_4_0");
const LINK: &str = sample!("digital_link.created");
const WISHED: &str = sample!("wished_item.created");

/// A body of each family, in both shapes where there are two, and what the model has no field for in it.
#[rustfmt::skip]
pub(super) const PARTS: &[(&str, &[&str])] = &[
    (LINE, &[]),
    (RELEASED_LINE, &["/data/option_values/0/position", "/data/digital_links/0/authorizable"]),
    (WISHED, &[
        // Of its place in the catalog and not of the wish.
        "/data/variant/image_count",
        "/data/variant/price/id",
        "/data/variant/created_at",
        "/data/variant/updated_at",
    ]),
    (sample!("payment.paid"), &[]),
    (CARD, &[]),
    (CREDIT, &[]),
    (sample!("payment_session.updated"), &[]),
    (SESSION, &[]),
    (SHIPMENT, &[]),
    (sample!("shipment.shipped.thin"), &[]),
    (sample!("refund.created"), &[]),
    (sample!("reimbursement.updated"), &[]),
    (sample!("return_authorization.created"), &[]),
    (sample!("return_item.created"), &["/data/inventory_unit_id"]),
    (sample!("customer_return.created"), &[]),
    (LINK, &["/data/authorizable"]),
    (VARIANT, &["/data/image_count"]),
    (sample!("variant.updated.release_5_4_0"), &["/data/media_count", "/data/option_values/0/position"]),
    (sample!("price.updated"), &[]),
    (sample!("price.updated.price_list"), &[]),
    (sample!("image.updated"), &[]),
    (sample!("media.created"), &[]),
    (sample!("stock_item.updated"), &[]),
    (sample!("stock_movement.created"), &[]),
    (sample!("digital.created"), &["/data/created_at"]),
    (sample!("newsletter_subscriber.updated"), &[]),
    (sample!("newsletter_subscriber.created.guest"), &[]),
    (sample!("store_credit.updated"), &[]),
    (sample!("payment_setup_session.updated"), &[]),
    (SETUP, &[]),
];

/// Family, entity, the list that the part stands in, and what else a body with nothing but times says.
const FAMILIES: &[(&str, &str, &str, &str)] = &[
    ("line_item", "cart", "line_items", "kind vendor_kind "),
    ("wished_item", "cart", "line_items", "kind vendor_kind "),
    ("payment", "order", "payments", ""),
    ("payment_session", "order", "payment_sessions", ""),
    ("shipment", "order", "shipments", ""),
    ("refund", "order", "refunds", ""),
    ("reimbursement", "order", "returns", ""),
    ("return_authorization", "order", "returns", ""),
    ("return_item", "order", "returns", ""),
    ("customer_return", "order", "returns", ""),
    ("digital_link", "order", "line_items", ""),
    ("variant", "product", "variants", ""),
    ("price", "product", "variants", ""),
    ("image", "product", "images", ""),
    ("media", "product", "images", ""),
    ("stock_item", "product", "variants", ""),
    ("stock_movement", "product", "variants", ""),
    ("newsletter_subscriber", "customer", "consents", ""),
    ("store_credit", "customer", "store_credits", ""),
    ("payment_setup_session", "customer", "payment_setups", ""),
];

#[test]
fn a_thin_body_is_a_part_of_nobody_knows_what() {
    let times = json!({"id": "x_1", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-02T00:00:00Z"});
    for (family, entity, list, beside) in FAMILIES {
        for (suffix, action) in [("created", "CREATED"), ("updated", "UPDATED"), ("deleted", "DELETED")] {
            let name = format!("{family}.{suffix}");
            let record = bare(&name, times.clone());
            let meta = &record["meta"];
            assert_eq!((&meta["coverage"], &meta["action"]), (&json!("COMPONENT"), &json!(action)), "{name}");
            let kind = if *family == "media" { "image" } else { family };
            assert_eq!(meta["component"], json!({"kind": kind, "id": "x_1"}), "{name}");
            let present: Vec<&str> = beside.split_whitespace().chain([*list]).collect();
            assert_eq!(meta["present"], json!(present), "{name}");
            assert_eq!(meta["version_basis"], "ENTITY", "{name}");
            assert_eq!(meta["version"], 1_767_312_000_000_000_i64, "{name}");
            let entity = &record[entity];
            assert_eq!(entity[list].as_array().map(Vec::len), Some(1), "{name}");
            // The times are the part's.
            for key in ["id", "created_at", "updated_at"] {
                assert_eq!(entity[key], Value::Null, "{name} {key}");
            }
        }
    }
}

#[test]
fn a_download_without_a_variant_says_nothing_but_its_id() {
    let record = bare("digital.updated", json!({"id": "dig_1", "variant_id": null}));
    assert_eq!(record["meta"]["component"], json!({"kind": "digital", "id": "dig_1"}));
    assert_eq!((&record["product"]["variants"], &record["meta"]["present"]), (&json!([]), &json!([])));
    let record = bare("digital.updated", json!({"id": "dig_1", "variant_id": "var_1"}));
    assert_eq!(record["product"]["variants"][0]["id"], "var_1");
    assert_eq!((&record["product"]["id"], &record["meta"]["present"]), (&Value::Null, &json!(["variants"])));
}

#[test]
fn a_part_has_an_id_of_its_own() {
    for (family, ..) in FAMILIES.iter().chain(&[("digital", "", "", "")]) {
        for data in [json!({"order_id": "or_1"}), json!({"id": null}), json!({"id": ""})] {
            let refused = json!({"code": "field.missing", "pointer": "/data/id"});
            assert_eq!(bare(&format!("{family}.updated"), data), refused, "{family}");
        }
    }
}

#[test]
fn only_who_is_named_is_the_parent() {
    for (name, key, entity) in [
        ("wished_item.created", "wishlist_id", "cart"),
        ("payment_session.created", "order_id", "order"),
        ("reimbursement.created", "order_id", "order"),
        ("return_authorization.created", "order_id", "order"),
        ("variant.created", "product_id", "product"),
        ("newsletter_subscriber.created", "user_id", "customer"),
        ("payment_setup_session.created", "customer_id", "customer"),
    ] {
        for (id, expected) in [(json!("x_9"), json!("x_9")), (json!(null), Value::Null), (json!(""), Value::Null)] {
            let mut data = json!({"id": "x_1"});
            data[key] = id;
            let record = bare(name, data);
            assert_eq!(record[entity]["id"], expected, "{name}");
            assert_eq!(record["extensions"], json!({}), "{name}");
        }
    }
    // A relative is no parent.
    for (name, key, entity, place) in [
        ("refund.created", "payment_id", "order", "/refunds/0/payment_id"),
        ("refund.created", "reimbursement_id", "order", "/refunds/0/reimbursement_id"),
        ("return_item.created", "return_authorization_id", "order", "/returns/0/id"),
        ("stock_item.created", "variant_id", "product", "/variants/0/id"),
        ("stock_movement.created", "stock_item_id", "product", "/variants/0/stock_movements/0/stock_item_id"),
    ] {
        let mut data = json!({"id": "x_1"});
        data[key] = json!("x_9");
        let record = bare(name, data);
        assert_eq!(record[entity]["id"], Value::Null, "{name}");
        assert_eq!(record[entity].pointer(place), Some(&json!("x_9")), "{name}");
    }
}

#[test]
fn a_picture_is_a_products_or_a_variants() {
    let picture = |class: Value| {
        bare("media.updated", json!({"id": "media_1", "alt": "Front", "viewable_type": class, "viewable_id": "x_9"}))
    };
    let of_product = picture(json!("Spree::Product"));
    assert_eq!(of_product["product"]["id"], "x_9");
    assert_eq!(of_product["product"]["images"][0]["alt"], "Front");
    assert_eq!(of_product["product"]["variants"], json!([]));
    assert_eq!(of_product["meta"]["present"], json!(["images"]));
    let of_variant = picture(json!("Spree::Variant"));
    assert_eq!(of_variant["product"]["id"], Value::Null);
    assert_eq!(of_variant["product"]["images"], json!([]));
    assert_eq!(of_variant["product"]["variants"][0]["id"], "x_9");
    assert_eq!(of_variant["product"]["variants"][0]["images"][0]["alt"], "Front");
    assert_eq!(of_variant["meta"]["present"], json!(["variants"]));
    for record in [&of_product, &of_variant] {
        assert_eq!(record["extensions"], json!({}));
    }
    let of_taxon = picture(json!("Spree::Taxon"));
    assert_eq!(of_taxon["product"]["id"], Value::Null);
    assert_eq!(
        of_taxon["extensions"],
        json!({"/data/viewable_type": r#""Spree::Taxon""#, "/data/viewable_id": r#""x_9""#})
    );
    assert_eq!(picture(Value::Null)["extensions"], json!({"/data/viewable_id": r#""x_9""#}));
}

#[test]
fn a_price_is_the_catalogs_unless_a_list_has_it() {
    let kind = |data: Value| bare("price.updated", data)["product"]["variants"][0]["prices"][0]["kind"].take();
    assert_eq!(kind(json!({"id": "price_1", "price_list_id": null})), "BASE");
    assert_eq!(kind(json!({"id": "price_1", "price_list_id": "pl_1"})), Value::Null);
    assert_eq!(kind(json!({"id": "price_1"})), Value::Null);
    let record = changed(VARIANT, |body| {
        let data = &mut body["data"];
        data["original_price"] = json!({"id": "pri_0", "amount": "39.99", "currency": "EUR"});
    });
    let prices = &record["product"]["variants"][0]["prices"];
    let told = |nth: usize| (prices[nth]["kind"].clone(), prices[nth]["currency"].clone());
    assert_eq!((told(0), told(1)), ((json!("RESOLVED"), json!("USD")), (json!("BASE"), json!("EUR"))));
}

#[test]
fn both_shapes_of_a_part_say_the_same() {
    let rename = |sample: &str, pairs: &[(&str, &str, &str)]| {
        changed(sample, |body| {
            for (place, documented, released) in pairs {
                let object = body["data"].pointer_mut(place).and_then(Value::as_object_mut).expect("an object");
                let value = object.remove(*documented).expect(documented);
                object.insert((*released).into(), value);
            }
        })
    };
    let card = sample!("payment.paid");
    let option = ("/option_values/0", "presentation", "label");
    for (sample, entity, pairs) in [
        (LINE, "cart", &[("", "promo_total", "discount_total"), option][..]),
        (VARIANT, "product", &[("", "thumbnail", "thumbnail_url"), option]),
        (WISHED, "cart", &[("/variant", "thumbnail", "thumbnail_url")]),
        (
            card,
            "order",
            &[("", "state", "status"), ("/source", "cc_type", "brand"), ("/source", "last_digits", "last4")],
        ),
        (
            SHIPMENT,
            "order",
            &[("", "state", "status"), ("", "shipped_at", "fulfilled_at"), ("", "shipping_method", "delivery_method")],
        ),
    ] {
        let (documented, released) = (changed(sample, |_| ()), rename(sample, pairs));
        assert_eq!(documented[entity], released[entity]);
    }
    assert_eq!(changed(VARIANT, |_| ())["product"]["variants"][0]["images"].as_array().map(Vec::len), Some(1));
}

/// Suffixes beside created, updated and deleted.
#[test]
fn an_action_is_the_parts() {
    for (name, action) in [
        ("payment.paid", "PAID"),
        ("payment.completed", "COMPLETED"),
        ("payment.voided", "UPDATED"),
        ("shipment.shipped", "SHIPPED"),
        ("shipment.canceled", "CANCELED"),
        ("shipment.resumed", "RESUMED"),
        ("payment_session.completed", "COMPLETED"),
        ("payment_session.canceled", "CANCELED"),
        ("payment_session.processing", "UPDATED"),
        ("payment_session.failed", "UPDATED"),
        ("payment_session.expired", "UPDATED"),
        ("payment_setup_session.completed", "COMPLETED"),
        ("payment_setup_session.canceled", "CANCELED"),
        ("payment_setup_session.expired", "UPDATED"),
        ("return_authorization.canceled", "CANCELED"),
        ("return_item.canceled", "CANCELED"),
        ("return_item.received", "UPDATED"),
        ("return_item.given", "UPDATED"),
        ("reimbursement.reimbursed", "UPDATED"),
        ("newsletter_subscriber.subscribed", "UPDATED"),
        ("newsletter_subscriber.verified", "UPDATED"),
    ] {
        let meta = bare(name, json!({"id": "x_1"}))["meta"].take();
        assert_eq!((&meta["action"], &meta["coverage"]), (&json!(action), &json!("COMPONENT")), "{name}");
    }
}

#[test]
fn what_happened_to_a_shipment_the_name_says_where_the_body_does_not() {
    for (name, state, status) in [
        ("shipment.shipped", Value::Null, json!("SHIPPED")),
        ("shipment.canceled", Value::Null, json!("CANCELED")),
        ("shipment.resumed", Value::Null, Value::Null),
        ("shipment.deleted", Value::Null, Value::Null),
        // The body is believed, whatever the name promises.
        ("shipment.shipped", json!("ready"), json!("READY")),
        ("shipment.canceled", json!("teleported"), json!("UNKNOWN")),
    ] {
        let shipment = bare(name, json!({"id": "shp_1", "state": state}))["order"]["shipments"][0].take();
        assert_eq!((&shipment["status"], &shipment["vendor_status"]), (&status, &state), "{name}");
    }
}

#[test]
fn words_of_parts_are_the_pages() {
    for (word, symbol) in [
        ("pending", "PENDING"),
        ("processing", "PROCESSING"),
        ("completed", "COMPLETED"),
        ("failed", "FAILED"),
        ("canceled", "CANCELED"),
        ("expired", "EXPIRED"),
        ("bartered", "UNKNOWN"),
    ] {
        let session =
            changed(SESSION, |body| body["data"]["status"] = json!(word))["order"]["payment_sessions"][0].take();
        assert_eq!((&session["status"], &session["vendor_status"]), (&json!(symbol), &json!(word)));
        let setup = changed(SETUP, |body| body["data"]["status"] = json!(word))["customer"]["payment_setups"][0].take();
        assert_eq!(setup["status"], word);
    }
    for (name, key, word, symbol) in [
        ("return_authorization.updated", "state", "authorized", "AUTHORIZED"),
        ("return_authorization.updated", "state", "canceled", "CANCELED"),
        ("return_authorization.updated", "status", "lost", "UNKNOWN"),
        ("reimbursement.updated", "reimbursement_status", "pending", "PENDING"),
        ("reimbursement.updated", "reimbursement_status", "errored", "ERRORED"),
        ("reimbursement.updated", "reimbursement_status", "reimbursed", "REIMBURSED"),
        ("reimbursement.updated", "reimbursement_status", "lost", "UNKNOWN"),
    ] {
        let mut data = json!({"id": "x_1"});
        data[key] = json!(word);
        let entry = bare(name, data)["order"]["returns"][0].take();
        assert_eq!((&entry["status"], &entry["vendor_status"]), (&json!(symbol), &json!(word)), "{name}");
    }
}

#[test]
fn a_return_item_stands_in_the_return_that_it_names() {
    let around = |ids: Value| {
        let mut data = json!({"id": "ri_1", "reception_status": "awaiting"});
        data.as_object_mut().expect("an object").extend(ids.as_object().cloned().expect("an object"));
        bare("return_item.updated", data)["order"]["returns"][0].take()
    };
    for (ids, id, kind, customer_return_id) in [
        (json!({"return_authorization_id": "ra_1", "customer_return_id": "cr_1"}), "ra_1", "AUTHORIZATION", "cr_1"),
        (json!({"return_authorization_id": "ra_1", "customer_return_id": null}), "ra_1", "AUTHORIZATION", ""),
        (json!({"return_authorization_id": null, "customer_return_id": "cr_1"}), "cr_1", "RETURN", "cr_1"),
        (json!({}), "", "", ""),
    ] {
        let text = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
        let entry = around(ids.clone());
        assert_eq!(entry["id"], text(id), "{ids}");
        assert_eq!(entry["kind"], text(kind), "{ids}");
        assert_eq!(entry["customer_return_id"], text(customer_return_id), "{ids}");
        assert_eq!(entry["items"][0]["id"], "ri_1", "{ids}");
    }
}

#[test]
fn what_a_wish_is_for_the_variant_says() {
    let line = |record: &Value| record["cart"]["line_items"][0].clone();
    let whole = line(&changed(WISHED, |_| ()));
    assert_eq!(whole["product_id"], "prod_86Rf07xd4z");
    assert_eq!(whole["options"][0]["label"], "Medium");
    assert_eq!((&whole["currency"], &whole["weight"]), (&json!("USD"), &json!("0.5")));
    let bodiless = changed(WISHED, |body| body["data"]["variant"] = Value::Null);
    assert_eq!(line(&bodiless)["variant_id"], "var_k5nR8xLq");
    assert_eq!((&line(&bodiless)["sku"], &line(&bodiless)["currency"]), (&Value::Null, &Value::Null));
    // The id is the variant's, unless it names another one.
    let nameless = changed(WISHED, |body| body["data"]["variant_id"] = Value::Null);
    assert_eq!(line(&nameless)["variant_id"], "var_k5nR8xLq");
    let other = changed(WISHED, |body| body["data"]["variant_id"] = json!("var_other"));
    assert_eq!(line(&other)["variant_id"], "var_other");
    assert_eq!(other["extensions"]["/data/variant/id"], r#""var_k5nR8xLq""#);
}

/// What a price list makes cheaper has a price in the catalog too. It is a line's `list_price`, in the line's currency.
#[test]
fn a_wish_by_a_price_list_has_the_catalogs_price_too() {
    let wish = |original: Value| {
        changed(WISHED, |body| {
            body["data"]["variant"]["price"]["price_list_id"] = json!("pl_1");
            body["data"]["variant"]["original_price"] = original;
        })
    };
    let record = wish(json!({"id": "pri_0", "amount": "35.50", "currency": "USD", "price_list_id": null}));
    let line = &record["cart"]["line_items"][0];
    assert_eq!((&line["unit_price"], &line["list_price"]), (&json!("29.99"), &json!("35.5")));
    assert_eq!((&line["price_list_id"], &line["currency"]), (&json!("pl_1"), &json!("USD")));
    assert_eq!(record["extensions"]["/data/variant/original_price/id"], r#""pri_0""#);
    assert_eq!(record["extensions"].get("/data/variant/original_price/currency"), None);
    let refused = wish(json!({"amount": "35.50", "currency": "EUR"}));
    assert_eq!(refused["code"], "money.mixed_currency");
    assert_eq!(refused["pointer"], "/data/variant/original_price/currency");
}

#[test]
fn whether_the_quantity_of_a_wished_variant_counts_is_the_variants_word() {
    for (said, told) in [(json!(true), json!("VARIANT")), (json!(false), json!("NONE")), (json!(null), Value::Null)] {
        let record = changed(WISHED, |body| body["data"]["variant"]["track_inventory"] = said);
        assert_eq!(record["cart"]["line_items"][0]["inventory_tracking"], told);
    }
}

/// It says of its payment what the payment's own event says, but for the id, which is the session's `payment_id`.
#[test]
fn a_sessions_payment_is_a_payment() {
    let card: Value = serde_json::from_str(CARD).expect("JSON");
    let mut alone = event(&card)["order"]["payments"][0].take();
    let id = alone["id"].take();
    let mut record = changed(SESSION, |body| body["data"]["payment"] = card["data"].clone());
    assert_eq!(record["order"]["payments"], json!([]), "it would be a second component");
    assert_eq!(record["order"]["payment_sessions"][0]["payment_id"], id);
    assert_eq!(record["order"]["payment_sessions"][0]["payment"].take(), alone);
    for nobody in [json!(null), json!({}), json!({"id": "py_1"})] {
        let record = changed(SESSION, |body| body["data"]["payment"] = nobody.clone());
        let session = &record["order"]["payment_sessions"][0];
        assert_eq!((&session["payment"], &record["extensions"]), (&Value::Null, &json!({})), "{nobody}");
        assert_eq!(session["payment_id"], nobody.get("id").cloned().unwrap_or_default(), "{nobody}");
    }
}

/// A store credit says of itself what a card does not.
#[test]
fn a_payment_says_how_much_is_left_of_a_store_credit() {
    let credit = |sample| changed(sample, |_| ())["order"]["payments"][0]["store_credit"].take();
    assert_eq!(
        credit(CREDIT),
        json!({"id": null, "amount": "100", "amount_used": "25", "amount_remaining": "75", "currency": "USD"})
    );
    assert_eq!(credit(CARD), Value::Null);
}

#[test]
fn a_payment_method_says_what_the_shop_tells_of_it() {
    for (sample, list) in
        [(CARD, "/order/payments/0"), (SESSION, "/order/payment_sessions/0"), (SETUP, "/customer/payment_setups/0")]
    {
        let record = changed(sample, |body| {
            body["data"]["payment_method"]["description"] = json!("By card");
            body["data"]["payment_method"]["session_required"] = json!(true);
        });
        let it = record.pointer(list).expect(list);
        assert_eq!((&it["method_description"], &it["session_required"]), (&json!("By card"), &json!(true)), "{list}");
    }
}

#[test]
fn a_payment_alone_is_in_no_currency_but_its_own() {
    let payment = |record: &Value| record["order"]["payments"][0]["currency"].clone();
    assert_eq!(payment(&changed(CARD, |_| ())), Value::Null);
    assert_eq!(payment(&changed(CARD, |body| body["data"]["currency"] = json!("eur"))), "EUR");
    // A shipment has no place for one, and no order to be compared with.
    let shipment = changed(SHIPMENT, |body| body["data"]["currency"] = json!("EUR"));
    assert_eq!(shipment["extensions"]["/data/currency"], r#""EUR""#);
}

#[test]
fn a_subscription_is_a_consent() {
    let subscriber = |data: Value| bare("newsletter_subscriber.updated", data);
    for verified in [json!(true), json!(false), json!(null)] {
        let record = subscriber(json!({"id": "sub_1", "verified": verified}));
        assert_eq!(
            record["customer"]["consents"],
            json!([{"channel": "email", "granted": verified, "purpose": "NEWSLETTER", "verified_at": null, "created_at": null}])
        );
        assert_eq!(record["meta"]["present"], json!(["consents"]));
    }
    let record = subscriber(json!({"id": "sub_1", "email": "a@example.com", "user_id": null}));
    assert_eq!(record["customer"]["email"], "a@example.com");
    assert_eq!(record["meta"]["present"], json!(["email", "consents"]));
}

#[test]
fn a_shipment_comes_from_somewhere_only_if_its_location_has_an_address() {
    let shipment = |location: Value| {
        changed(SHIPMENT, |body| body["data"]["stock_location"] = location)["order"]["shipments"][0].clone()
    };
    let nowhere = shipment(json!({"id": "sl_1", "name": "Store", "address1": null, "city": null, "country_iso": null}));
    assert_eq!(nowhere["stock_location_id"], "sl_1");
    assert_eq!((&nowhere["stock_location_name"], &nowhere["origin_address"]), (&json!("Store"), &Value::Null));
    assert_eq!(shipment(Value::Null)["origin_address"], Value::Null);
    // The code of the region says what the text repeats; a region without a code is in the text.
    let abroad = shipment(json!({"id": "sl_1", "city": "Bergamo", "country_iso": "ITA", "state_text": "Lombardia"}));
    let origin = &abroad["origin_address"];
    assert_eq!((&origin["region"], &origin["country_code"]), (&json!("Lombardia"), &json!("IT")));
    assert_eq!(origin["id"], Value::Null);
}

#[test]
fn a_picture_has_the_sizes_that_it_says() {
    let picture = |size: Value| {
        changed(sample!("image.updated"), |body| {
            for key in ["mini_url", "medium_url", "large_url", "xlarge_url", "og_image_url"] {
                body["data"][key] = Value::Null;
            }
            body["data"]["small_url"] = size;
        })
    };
    let renditions =
        picture(json!("https://cdn.example.com/s.jpg"))["product"]["variants"][0]["images"][0]["renditions"].take();
    assert_eq!(renditions, json!({"small": "https://cdn.example.com/s.jpg"}));
    let refused = picture(json!({"url": "https://cdn.example.com/s.jpg"}));
    assert_eq!((&refused["code"], &refused["pointer"]), (&json!("field.type"), &json!("/data/small_url")));
}

/// The samples' amounts are alike and would not tell one field from another.
#[test]
fn every_amount_of_a_part_has_its_place() {
    for (sample, key, place) in [
        (LINE, "/price", "/cart/line_items/0/unit_price"),
        (LINE, "/compare_at_amount", "/cart/line_items/0/compare_at_price"),
        (LINE, "/discounted_amount", "/cart/line_items/0/discounted_subtotal"),
        (LINE, "/pre_tax_amount", "/cart/line_items/0/pre_tax_total"),
        (LINE, "/included_tax_total", "/cart/line_items/0/tax_included_total"),
        (LINE, "/additional_tax_total", "/cart/line_items/0/tax_additional_total"),
        (LINE, "/adjustment_total", "/cart/line_items/0/adjustment_total"),
        (LINE, "/total", "/cart/line_items/0/total"),
        (WISHED, "/variant/price/amount", "/cart/line_items/0/unit_price"),
        (WISHED, "/variant/price/compare_at_amount", "/cart/line_items/0/compare_at_price"),
        (WISHED, "/variant/weight", "/cart/line_items/0/weight"),
        (WISHED, "/variant/width", "/cart/line_items/0/width"),
        (WISHED, "/variant/height", "/cart/line_items/0/height"),
        (WISHED, "/variant/depth", "/cart/line_items/0/depth"),
        (CARD, "/amount", "/order/payments/0/amount"),
        (CREDIT, "/source/amount", "/order/payments/0/store_credit/amount"),
        (CREDIT, "/source/amount_used", "/order/payments/0/store_credit/amount_used"),
        (CREDIT, "/source/amount_remaining", "/order/payments/0/store_credit/amount_remaining"),
        (SESSION, "/amount", "/order/payment_sessions/0/amount"),
        (SESSION, "/payment/amount", "/order/payment_sessions/0/payment/amount"),
        (SHIPMENT, "/cost", "/order/shipments/0/cost"),
        (sample!("refund.created"), "/amount", "/order/refunds/0/amount"),
        (sample!("reimbursement.updated"), "/total", "/order/returns/0/total"),
        (sample!("return_item.created"), "/pre_tax_amount", "/order/returns/0/items/0/pre_tax_amount"),
        (sample!("return_item.created"), "/included_tax_total", "/order/returns/0/items/0/tax_included_total"),
        (sample!("return_item.created"), "/additional_tax_total", "/order/returns/0/items/0/tax_additional_total"),
        (VARIANT, "/price/amount", "/product/variants/0/prices/0/amount"),
        (VARIANT, "/price/compare_at_amount", "/product/variants/0/prices/0/compare_at_amount"),
        (VARIANT, "/weight", "/product/variants/0/weight"),
        (VARIANT, "/width", "/product/variants/0/width"),
        (VARIANT, "/height", "/product/variants/0/height"),
        (VARIANT, "/depth", "/product/variants/0/depth"),
        (sample!("price.updated"), "/amount", "/product/variants/0/prices/0/amount"),
        (sample!("price.updated"), "/compare_at_amount", "/product/variants/0/prices/0/compare_at_amount"),
        (sample!("store_credit.updated"), "/amount", "/customer/store_credits/0/amount"),
        (sample!("store_credit.updated"), "/amount_used", "/customer/store_credits/0/amount_used"),
        (sample!("store_credit.updated"), "/amount_remaining", "/customer/store_credits/0/amount_remaining"),
    ] {
        let record = changed(sample, |body| *body["data"].pointer_mut(key).expect(key) = json!("-4711.50"));
        assert_eq!(record.pointer(place), Some(&json!("-4711.5")), "{place}");
        assert_eq!(record.to_string().matches("4711").count(), 1, "{place}: {record}");
        let refused = changed(sample, |body| *body["data"].pointer_mut(key).expect(key) = json!("ten"));
        assert_eq!(refused["pointer"], format!("/data{key}"), "{place}");
    }
    let (times, delta) = (sample!("stock_item.updated"), sample!("stock_movement.created"));
    assert_eq!(
        event(&serde_json::from_str(times).expect("JSON"))["product"]["variants"][0]["stock_levels"][0]["quantity"],
        25
    );
    assert_eq!(
        event(&serde_json::from_str(delta).expect("JSON"))["product"]["variants"][0]["stock_movements"][0]["delta"],
        -1
    );
}

#[test]
fn secrets_of_parts_are_in_no_record() {
    for (sample, place) in [
        (CARD, "/source/gateway_payment_profile_id"),
        (SESSION, "/external_data/client_secret"),
        (SESSION, "/external_data/charge"),
        (SESSION, "/customer_external_id"),
        (SESSION, "/payment/source/gateway_payment_profile_id"),
        (SETUP, "/external_client_secret"),
        (SETUP, "/external_data/note"),
        (LINK, "/download_url"),
        (RELEASED_LINE, "/digital_links/0/download_url"),
    ] {
        let record = changed(sample, |body| {
            *body["data"].pointer_mut(place).expect(place) = json!("opens-1");
        });
        assert_eq!(record["meta"]["coverage"], "COMPONENT", "{place}");
        assert!(!record.to_string().contains("opens-"), "{place}: {record}");
    }
}
