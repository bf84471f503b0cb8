//! What the fixtures do not show: attributes in all their shapes, every word, bundles, echoes, secrets, thin bodies.

use super::*;
use crate::canonical::{
    Cart, Customer, CustomerStatus, CustomerType, Date, Decimal, ExtensionsBuffer, FulfillmentStatus, Gender, Micros,
    Order, OrderStatus, PaymentKind, PaymentStatus,
};
use crate::reject::Code;
use crate::vendors::cursor::{Doc, Keeping, Nobody, Tape};
use crate::vendors::{Unit, VENDORS};

type Leftovers = Vec<(String, String)>;

/// Maps a webhook and hands on what came of it: the shop, the event, and what is left over.
fn map<T>(body: &str, check: impl FnOnce(Option<&str>, &Mapped<'_>, Leftovers) -> T) -> Result<T, (Code, String)> {
    let rules = COMPOSER.rules(false);
    let mut tape = Tape::default();
    let text = tape.read(body.as_bytes(), 128).expect("JSON");
    let doc = Doc::new(&tape, text, &rules, None);
    let root = doc.root();
    let mapped = || {
        let envelope = open(&Unit { body: root, path: None, event_type: None })?;
        let Some(event) = COMPOSER.event(&envelope.event_type) else {
            return Err(envelope.event_type_at.refuse(Code::EventUnknown));
        };
        let Route::Map(mapping) = event.route else { panic!("all are mapped") };
        Ok(((mapping.map)(&envelope, mapping.action)?, envelope.shop))
    };
    let (mapped, shop) = mapped().map_err(|reject: Reject| (reject.code, doc.pointer(root, &reject)))?;
    let mut left = ExtensionsBuffer::default();
    root.leftovers(Keeping::EVERYTHING, &mut String::new(), &mut left, &mut Nobody).expect("room");
    let left = left.view().iter().map(|(at, json)| (at.to_owned(), json.to_owned())).collect();
    Ok(check(shop.as_deref(), &mapped, left))
}

fn customer<T>(fields: &str, check: impl FnOnce(&Customer<'_>, Leftovers) -> T) -> T {
    let body = format!(
        r#"{{"eventType":"CUSTOMER_UPDATED","contextObject":{{"customer":{{"guid":"C","status":"x",{fields}}}}}}}"#
    );
    let check = |_: Option<&str>, mapped: &Mapped<'_>, left| match &mapped.entity {
        Entity::Customer(customer) => check(customer, left),
        other => panic!("{other:?}"),
    };
    map(&body, check).expect("readable")
}

/// A customer with these attributes, in JSON without the outermost braces, under the locale that has no name.
fn with_attributes<T>(attributes: &str, check: impl FnOnce(&Customer<'_>, Leftovers) -> T) -> T {
    customer(&format!(r#""attributeValues":{{"":{{{attributes}}}}}"#), check)
}

fn cart<T>(event_type: &str, context: &str, check: impl FnOnce(&Mapped<'_>, &Cart<'_>, Leftovers) -> T) -> T {
    let body = format!(r#"{{"eventType":"{event_type}","contextObject":{{{context}}}}}"#);
    let check = |_: Option<&str>, mapped: &Mapped<'_>, left| match &mapped.entity {
        Entity::Cart(cart) => check(mapped, cart, left),
        other => panic!("{other:?}"),
    };
    map(&body, check).expect("readable")
}

fn try_order<T>(fields: &str, check: impl FnOnce(&Order<'_>, Leftovers) -> T) -> Result<T, (Code, String)> {
    let body =
        format!(r#"{{"eventType":"ORDER_RELEASED","contextObject":{{"order":{{"orderNumber":"20001",{fields}}}}}}}"#);
    let check = |_: Option<&str>, mapped: &Mapped<'_>, left| match &mapped.entity {
        Entity::Order(order) => check(order, left),
        other => panic!("{other:?}"),
    };
    map(&body, check)
}

fn order<T>(fields: &str, check: impl FnOnce(&Order<'_>, Leftovers) -> T) -> T {
    try_order(fields, check).expect("readable")
}

fn keys(left: &Leftovers) -> Vec<&str> {
    left.iter().map(|(at, _)| &**at).collect()
}

fn decimal(text: &str) -> Option<Decimal> {
    Some(Decimal::parse(text).expect("a decimal"))
}

#[test]
fn the_events_are_sorted_and_eleven() {
    assert!(EVENTS.is_sorted_by(|a, b| a.name < b.name));
    assert_eq!(EVENTS.len(), 11);
    for event in EVENTS {
        assert!(COMPOSER.event(event.name).is_some(), "{}", event.name);
    }
}

#[test]
fn a_body_is_told_by_both_its_keys() {
    for (body, is_ours) in [
        (r#"{"eventType":"ORDER_RELEASED","contextObject":{}}"#, true),
        (r#"{"eventType":"ORDER_RELEASED"}"#, false),
        // The platform's own messages, which are another format.
        (r#"{"eventType":{"@class":"OrderEvent","name":"ORDER_RELEASED"},"guid":"20000","data":{}}"#, false),
        (r#"{"contextObject":{}}"#, false),
        (r#"{"name":"order.paid","data":{}}"#, false),
    ] {
        let rules = COMPOSER.rules(false);
        let mut tape = Tape::default();
        let text = tape.read(body.as_bytes(), 128).expect("JSON");
        let root = Doc::new(&tape, text, &rules, None);
        assert_eq!(recognises(root.root()), is_ours, "{body}");
    }
    assert!(VENDORS.iter().any(|vendor| vendor.name == "composer"));
}

#[test]
fn a_body_that_cannot_be_read_is_refused_where_it_is_wrong() {
    let refused = |body: &str| map(body, |_, _, _| ()).expect_err(body);
    for (body, code, at) in [
        (r#"{"eventType":"ORDER_RELEASED"}"#, Code::FieldMissing, "/contextObject"),
        (r#"{"eventType":"ORDER_RELEASED","contextObject":[]}"#, Code::FieldType, "/contextObject"),
        (r#"{"eventType":"ORDER_RELEASED","contextObject":{}}"#, Code::FieldMissing, "/contextObject/order"),
        // Of a name that nobody knows nothing else is looked at.
        (r#"{"eventType":"ORDER_LOST","contextObject":{"order":"20001"}}"#, Code::EventUnknown, "/eventType"),
        (
            r#"{"eventType":"SHOPPING_CART_UPDATED","contextObject":{"shoppingCart":{"guid":"G","lineItems":[null]}}}"#,
            Code::FieldType,
            "/contextObject/shoppingCart/lineItems/0",
        ),
    ] {
        assert_eq!(refused(body), (code, at.to_owned()), "{body}");
    }
}

#[test]
fn the_shop_is_the_stores_code_as_it_stands() {
    let shop = |body: &str| map(body, |shop, _, _| shop.map(str::to_owned)).expect("readable");
    let cart = r#"{"eventType":"SHOPPING_CART_CREATED","contextObject":{"shoppingCart":{"guid":"G","shopper":{"store":{"code":"EU:WEST%1"}}}}}"#;
    assert_eq!(shop(cart).as_deref(), Some("EU:WEST%1"));
    let order =
        r#"{"eventType":"ORDER_RELEASED","contextObject":{"order":{"orderNumber":"1","store":{"code":"MOBEE"}}}}"#;
    assert_eq!(shop(order).as_deref(), Some("MOBEE"));
    let customer = r#"{"eventType":"CUSTOMER_UPDATED","contextObject":{"customer":{"guid":"C","sharedId":"MOBEE:A"}}}"#;
    assert_eq!(shop(customer), None, "the prefix of sharedId is only a hint");
}

#[test]
fn attributes_are_read_by_their_key() {
    let attributes = r#"
        "CP_FIRST_NAME":{"stringValue":"Pat","value":"Pat","attribute":{"key":"CP_FIRST_NAME"}},
        "CP_LAST_NAME":{"stringValue":"","value":""},
        "CP_PHONE":{"stringValue":"555-0188","value":null},
        "CP_GENDER":{"stringValue":"female","value":"female"},
        "CP_DOB":{"stringValue":"1980-02-29","value":"1980-02-29"},
        "CP_COMPANY":{"stringValue":"P & Co","value":"P & Co"},
        "CP_PREF_LOCALE":{"stringValue":"fr_CA","value":"fr_CA"},
        "CP_PREF_CURR":{"stringValue":"cad","value":"cad"},
        "CP_BE_NOTIFIED":{"stringValue":"true","value":true}"#;
    with_attributes(attributes, |customer, left| {
        assert_eq!(customer.first_name.as_deref(), Some("Pat"));
        assert_eq!(customer.last_name.as_deref(), Some(""), "an empty text is what the vendor said");
        assert_eq!(customer.phone.as_deref(), Some("555-0188"), "stringValue where value is no scalar");
        assert_eq!((customer.gender, customer.vendor_gender.as_deref()), (Some(Gender::Female), Some("female")));
        assert_eq!(customer.birth_date, Date::parse("1980-02-29"));
        assert_eq!(customer.company.as_deref(), Some("P & Co"));
        assert_eq!(customer.locale.as_deref(), Some("fr-CA"));
        assert_eq!(customer.currency.as_deref(), Some("CAD"));
        assert_eq!(customer.consents[0].granted, Some(true));
        assert_eq!(customer.consents[0].channel.as_deref(), Some("email"));
        assert!(customer.attributes.is_empty());
        // What says the same twice is kept once, and a definition that says nothing of its own not at all.
        assert!(left.is_empty(), "{left:?}");
    });
}

#[test]
fn a_definition_is_kept_where_it_says_something_of_its_own() {
    let values = r#""attributeValues":{
        "":{"CP_PHONE":{"value":"5","attribute":{"customData":{"x":1},"key":"CP_PHONE","localized":true,"displayNames":{"en":"Phone"}}},
            "MOTTO":{"value":"hello","attribute":{"key":"OTHER","localized":false}},
            "SHOE":{"value":null,"attribute":{"key":"SHOE","localized":false,"displayNames":{"en":"Shoe"}}}},
        "fr":{"CP_COMPANY":{"value":"Pat","attribute":{"key":"CP_COMPANY","localized":true,"displayNames":{}}}}}"#;
    customer(values, |customer, left| {
        assert_eq!((customer.phone.as_deref(), customer.company.as_deref()), (Some("5"), Some("Pat")));
        let at = |key: &str| format!("/contextObject/customer/attributeValues//{key}");
        let kept = [
            (at("CP_PHONE/attribute/customData"), r#"{"x":1}"#),
            (at("CP_PHONE/attribute/localized"), "true"),
            (at("MOTTO/attribute/key"), r#""OTHER""#),
            // Without a value it says nothing but what there might be.
            (at("SHOE/attribute"), r#"{"key":"SHOE","localized":false}"#),
        ];
        let left: Vec<(&str, &str)> = left.iter().map(|(at, json)| (&**at, &**json)).collect();
        assert_eq!(left, kept.iter().map(|(at, json)| (&**at, *json)).collect::<Vec<_>>());
    });
}

#[test]
fn a_list_of_forms_keeps_aside_what_has_no_form() {
    let body = r#""store":{"code":"S","defaultCurrency":"cad","defaultLocale":"fr_CA",
        "supportedCurrencies":["EUR","doubloons",null,"cad"],"supportedLocales":["fr_CA","pirate","en"]}"#;
    order(body, |order, left| {
        let store = order.store.as_ref().expect("a store");
        assert_eq!(store.default_currency.as_deref(), Some("CAD"));
        assert_eq!(store.default_locale.as_deref(), Some("fr-CA"));
        assert_eq!(store.supported_currencies, ["EUR", "CAD"]);
        assert_eq!(store.supported_locales, ["fr-CA", "en"]);
        let at = |rest: &str| format!("/contextObject/order/store/{rest}");
        assert_eq!(keys(&left), [at("supportedCurrencies/1"), at("supportedLocales/1")].iter().collect::<Vec<_>>());
    });
}

#[test]
fn an_attribute_that_cannot_be_read_as_its_field_is_kept() {
    let attributes = r#"
        "CP_PREF_LOCALE":{"stringValue":"english","value":"english"},
        "CP_PREF_CURR":{"stringValue":"dollars","value":"dollars"},
        "CP_DOB":{"stringValue":"29 Feb 1980","value":{"epochSecond":320630400}},
        "CP_GENDER":{"stringValue":"diverse","value":"diverse"},
        "CP_BE_NOTIFIED":{"stringValue":"perhaps","value":"perhaps"}"#;
    with_attributes(attributes, |customer, left| {
        assert_eq!((&customer.locale, &customer.currency, customer.birth_date), (&None, &None, None));
        assert_eq!((customer.gender, customer.vendor_gender.as_deref()), (Some(Gender::Unknown), Some("diverse")));
        assert!(customer.consents.is_empty());
        let at = |key: &str| format!("/contextObject/customer/attributeValues//{key}");
        assert_eq!(
            keys(&left),
            [at("CP_PREF_LOCALE"), at("CP_PREF_CURR"), at("CP_DOB"), at("CP_BE_NOTIFIED")].iter().collect::<Vec<_>>()
        );
    });
}

#[test]
fn a_day_is_read_where_either_value_is_one() {
    let day = r#""CP_DOB":{"stringValue":"1980-02-29","value":{"epochSecond":320630400}}"#;
    with_attributes(day, |customer, left| {
        assert_eq!(customer.birth_date, Date::parse("1980-02-29"));
        assert_eq!(keys(&left), ["/contextObject/customer/attributeValues//CP_DOB/value"]);
    });
    with_attributes(r#""CP_DOB":{"stringValue":"1980-02-29","value":320630400000}"#, |customer, left| {
        assert_eq!(customer.birth_date, Date::parse("1980-02-29"));
        assert_eq!(keys(&left), ["/contextObject/customer/attributeValues//CP_DOB/value"]);
    });
}

#[test]
fn a_flag_is_a_boolean_or_its_word() {
    for (attribute, granted) in [
        (r#"{"stringValue":"false","value":false}"#, Some(false)),
        (r#"{"stringValue":"true","value":null}"#, Some(true)),
        (r#"{"stringValue":"true","value":"true"}"#, Some(true)),
        (r#"{"stringValue":"1","value":1}"#, None),
        ("null", None),
    ] {
        with_attributes(&format!(r#""CP_BE_NOTIFIED":{attribute}"#), |customer, left| {
            assert_eq!(customer.consents.first().map(|it| it.granted), granted.map(Some), "{attribute}");
            assert_eq!(left.is_empty(), granted.is_some() || attribute == "null", "{left:?}");
        });
    }
}

#[test]
fn other_attributes_go_by_their_key() {
    let attributes = r#"
        "CP_HTML_EMAIL":{"stringValue":"false","value":false},
        "LOYALTY":{"stringValue":"12.50","value":12.50},
        "SHAPE":{"stringValue":"round","value":{"r":1}},
        "BARE":{"value":[1,2]},
        "NOTHING":{"stringValue":null,"value":null},
        "ACCESS_TOKEN":{"stringValue":"tok_1","value":"tok_1"},
        "CP_FAX":{"stringValue":"555","value":"555"},
        "AP_FAX":{"stringValue":"556","value":"556"},
        "CP_BUSINESS_NUMBER":{"stringValue":"BN1","value":"BN1"},
        "AP_TAX_EXEMPTION_ID":{"stringValue":"TX1","value":"TX1"}"#;
    with_attributes(attributes, |customer, left| {
        let attributes: Vec<(&str, &str)> = customer.attributes.iter().collect();
        let wanted = [("CP_HTML_EMAIL", "false"), ("LOYALTY", "12.50"), ("SHAPE", "round"), ("BARE", "[1,2]")];
        assert_eq!(attributes, wanted);
        let at = |key: &str| format!("/contextObject/customer/attributeValues//{key}");
        let kept = [at("SHAPE/value"), at("AP_FAX")];
        assert_eq!(keys(&left), kept.iter().collect::<Vec<_>>());
        assert!(!format!("{customer:?}{left:?}").contains("tok_1"));
        assert_eq!(customer.fax.as_deref(), Some("555"), "the second of two that share a field is kept aside");
        assert_eq!(customer.business_number.as_deref(), Some("BN1"));
        assert_eq!(customer.tax_exemption_id.as_deref(), Some("TX1"));
    });
}

/// The last step of a dotted name tells of a secret as a key of its own would, and both values say it.
#[test]
fn a_secret_attribute_is_in_neither_of_its_values() {
    let attributes = r#"
        "gift_card.code":{"stringValue":"s3cret","value":"s3cret"},
        "erp.external_data":{"stringValue":"s3cret","value":{"n":"s3cret"},"attribute":{"key":"erp.external_data"}},
        "erp.code":{"stringValue":"kept","value":"kept"}"#;
    with_attributes(attributes, |customer, left| {
        assert_eq!(customer.attributes.iter().collect::<Vec<_>>(), [("erp.code", "kept")]);
        assert!(left.is_empty(), "{left:?}");
    });
}

#[test]
fn what_has_no_locale_comes_before_what_has_one() {
    let values = r#""attributeValues":{
        "fr":{"CP_COMPANY":{"value":"Pat et Cie"},"MOTTO":{"value":"bonjour"},"SIZE":{"value":"M"},"CP_LAST_NAME":{"value":"Roy"}},
        "":{"CP_COMPANY":{"value":"Pat & Co"},"MOTTO":{"value":"hello"}},
        "en":{"SIZE":{"value":"M"}},
        "de":null}"#;
    customer(values, |customer, left| {
        assert_eq!(customer.company.as_deref(), Some("Pat & Co"));
        assert_eq!(customer.last_name.as_deref(), Some("Roy"));
        assert_eq!((customer.attributes.get("MOTTO"), customer.attributes.get("SIZE")), (Some("hello"), Some("M")));
        let at = |key: &str| format!("/contextObject/customer/attributeValues/{key}");
        assert_eq!(keys(&left), [at("fr/CP_COMPANY"), at("fr/MOTTO"), at("en")].iter().collect::<Vec<_>>());
    });
}

#[test]
fn the_email_is_the_fields_else_the_attributes() {
    let body = |email: &str| {
        format!(
            r#""email":{email},"attributeValues":{{"":{{"CP_EMAIL":{{"stringValue":"a@b.example","value":"a@b.example"}}}}}}"#
        )
    };
    customer(&body("null"), |customer, left| {
        assert_eq!(customer.email.as_deref(), Some("a@b.example"));
        assert!(left.is_empty(), "{left:?}");
    });
    customer(&body(r#""a@b.example""#), |customer, left| {
        assert_eq!(customer.email.as_deref(), Some("a@b.example"));
        assert!(left.is_empty(), "{left:?}");
    });
    customer(&body(r#""c@d.example""#), |customer, left| {
        assert_eq!(customer.email.as_deref(), Some("c@d.example"));
        assert_eq!(keys(&left), ["/contextObject/customer/attributeValues"]);
    });
}

#[test]
fn an_account_is_a_customer_too() {
    let fields = r#""type":"ACCOUNT","attributeValues":{"":{"AP_NAME":{"value":"Acme"},"AP_PHONE":{"value":"1"}}}"#;
    customer(fields, |customer, _| {
        assert_eq!((customer.r#type, customer.vendor_type.as_deref()), (Some(CustomerType::Account), Some("ACCOUNT")));
        assert_eq!((customer.company.as_deref(), customer.phone.as_deref()), (Some("Acme"), Some("1")));
        assert_eq!((customer.status, customer.vendor_status.as_deref()), (Some(CustomerStatus::Unknown), Some("x")));
    });
}

/// The shape of a customer; what only a person has is left over.
#[test]
fn who_is_bought_for_says_what_the_page_says_of_a_customer() {
    let account = r#""shoppingCart":{"guid":"G","shopper":{"account":{"guid":"A","sharedId":"ACME","email":"a@b.example",
        "status":"STATUS_ACTIVE","type":"ACCOUNT","segments":["B2B","VIP"],"firstTimeBuyer":true,
        "attributeValues":{"":{"AP_NAME":{"value":"Acme"},"AP_PHONE":{"value":"1"},"AP_FAX":{"value":"2"}}}}}}"#;
    cart("SHOPPING_CART_UPDATED", account, |_, cart, left| {
        let account = cart.account.as_ref().expect("an account");
        assert_eq!((account.id.as_deref(), account.external_id.as_deref()), (Some("A"), Some("ACME")));
        assert_eq!((account.r#type, account.vendor_type.as_deref()), (Some(CustomerType::Account), Some("ACCOUNT")));
        assert_eq!(account.status, Some(CustomerStatus::Active));
        assert_eq!(account.vendor_status.as_deref(), Some("STATUS_ACTIVE"));
        assert_eq!((account.email.as_deref(), account.phone.as_deref()), (Some("a@b.example"), Some("1")));
        assert_eq!((&account.segments[..], account.first_time_buyer), (&["B2B".into(), "VIP".into()][..], Some(true)));
        assert_eq!(keys(&left), ["/contextObject/shoppingCart/shopper/account/attributeValues//AP_FAX"]);
    });
    let locked = r#""account":{"guid":"A","status":"LOCKED","type":"CLUB"}"#;
    order(locked, |order, _| {
        let account = order.account.as_ref().expect("an account");
        assert_eq!((account.r#type, account.status), (Some(CustomerType::Unknown), Some(CustomerStatus::Unknown)));
        assert_eq!((account.vendor_type.as_deref(), account.vendor_status.as_deref()), (Some("CLUB"), Some("LOCKED")));
    });
}

/// With nothing but an id a deletion deletes, and any other event is no snapshot: it would clear the whole entity.
#[test]
fn a_body_with_nothing_but_an_id_is_no_snapshot() {
    let says = |body: &str| {
        map(body, |_, mapped, _| (mapped.coverage, mapped.present.to_vec(), mapped.clock, mapped.is_identified_by_body))
            .expect("readable")
    };
    let cart = |event: &str, cart: &str| {
        says(&format!(r#"{{"eventType":"SHOPPING_CART_{event}","contextObject":{{"shoppingCart":{cart}}}}}"#))
    };
    let bare = r#"{"customData":{},"guid":"G"}"#;
    assert_eq!(cart("DELETED", bare), (Coverage::KeyOnly, vec![], None, false));
    assert_eq!(cart("UPDATED", bare), (Coverage::Patch, vec!["id", "kind", "vendor_kind"], None, false));
    assert_eq!(cart("DELETED", r#"{"guid":"G","quantity":null}"#), (Coverage::Snapshot, vec![], None, false));
    assert_eq!(
        says(r#"{"eventType":"ORDER_RELEASED","contextObject":{"order":{"orderNumber":"1","createdDate":0}}}"#),
        (Coverage::Patch, vec!["id", "number", "placed_at", "created_at"], None, false)
    );
    assert_eq!(
        says(r#"{"eventType":"CUSTOMER_REGISTERED","contextObject":{"customer":{"guid":"C"}}}"#),
        (Coverage::Patch, vec!["id"], None, false)
    );
}

#[test]
fn bundles_are_flattened_depth_first() {
    let lines = r#""shoppingCart":{"guid":"G","shopper":{"session":{"locale":"fr_CA"}},"lineItems":[
        {"guid":"a","quantity":1,"productSku":{"code":"A","displayNames":{"fr":"Trousse","en":"Kit"},"shippable":true},"children":[
            {"guid":"a1","quantity":2,"children":[{"guid":"a1x","quantity":8,"children":[]}]},
            {"quantity":3,"children":[{"guid":"a2x"}]}]},
        {"guid":"b","quantity":4,"modifierFields":{"engraving":"R+J","api_key":"k1"},"children":null}]}"#;
    cart("SHOPPING_CART_UPDATED", lines, |_, cart, left| {
        let found: Vec<_> =
            cart.line_items.iter().map(|it| (it.id.as_deref(), it.parent_id.as_deref(), it.quantity)).collect();
        let wanted = [
            (Some("a"), None, Some(1)),
            (Some("a1"), Some("a"), Some(2)),
            (Some("a1x"), Some("a1"), Some(8)),
            (None, Some("a"), Some(3)),
            (Some("a2x"), None, None),
            (Some("b"), None, Some(4)),
        ];
        assert_eq!(found, wanted);
        assert_eq!(cart.line_items[0].name.as_deref(), Some("Trousse"), "in the language of the session");
        assert_eq!(cart.line_items[5].attributes.iter().collect::<Vec<_>>(), [("engraving", "R+J")]);
        assert_eq!(keys(&left), ["/contextObject/shoppingCart/lineItems/0/productSku/displayNames/en"]);
    });
}

#[test]
fn a_locale_that_is_none_is_kept_and_names_nothing() {
    let body = r#""shoppingCart":{"guid":"G","shopper":{"session":{"locale":"no_such_place","currency":"EUR"}},
        "lineItems":[{"guid":"a","productSku":{"code":"A","displayNames":{"en":"Kit"}}}]}"#;
    cart("SHOPPING_CART_UPDATED", body, |_, cart, left| {
        assert_eq!((&cart.locale, &cart.line_items[0].name), (&None, &None));
        assert_eq!(
            keys(&left),
            [
                "/contextObject/shoppingCart/shopper/session/locale",
                "/contextObject/shoppingCart/lineItems/0/productSku/displayNames"
            ]
        );
    });
}

#[test]
fn the_item_of_an_event_is_named_and_kept_where_the_cart_has_it_no_more() {
    let item =
        r#"{"guid":"a","quantity":1,"productSku":{"code":"A","shippable":false},"children":[],"modifierFields":{}}"#;
    let body = |line: &str| format!(r#""shoppingItem":{item},"shoppingCart":{{"guid":"G","lineItems":[{line}]}}"#);
    let component = |mapped: &Mapped<'_>| {
        mapped.component.as_ref().map(|it| (it.kind.to_string(), it.id.as_deref().map(str::to_owned)))
    };
    let named = Some(("line_item".to_owned(), Some("a".to_owned())));
    cart("SHOPPING_CART_ITEM_ADDED", &body(item), |mapped, cart, left| {
        assert_eq!(component(mapped), named);
        assert_eq!((mapped.action, mapped.coverage), (Action::ItemAdded, Coverage::Snapshot));
        assert_eq!((cart.line_items.len(), &cart.component_item), (1, &None));
        assert!(left.is_empty(), "{left:?}");
    });
    cart("SHOPPING_CART_ITEM_REMOVED", &body(""), |mapped, cart, left| {
        assert_eq!(component(mapped), named);
        assert_eq!(cart.component_item.as_ref().and_then(|it| it.sku.as_deref()), Some("A"));
        assert!(left.is_empty(), "{left:?}");
    });
    // Nothing is lost where the cart's list has it otherwise, or not at all.
    cart("SHOPPING_CART_ITEM_UPDATED", &body(&item.replace("\"quantity\":1", "\"quantity\":2")), |_, cart, left| {
        assert_eq!(cart.component_item, None);
        assert_eq!(keys(&left), ["/contextObject/shoppingItem/quantity"]);
    });
    cart("SHOPPING_CART_ITEM_ADDED", &body(""), |mapped, cart, left| {
        assert_eq!((component(mapped), &cart.component_item), (named, &None));
        assert_eq!(keys(&left), ["/contextObject/shoppingItem/quantity", "/contextObject/shoppingItem/productSku"]);
    });
    // A cart's own event has no item.
    cart("SHOPPING_CART_UPDATED", &body(item), |mapped, _, left| {
        assert_eq!(component(mapped), None);
        assert_eq!(keys(&left), ["/contextObject/shoppingItem"]);
    });
}

#[test]
fn contact_and_address_make_one() {
    let body = r#""shoppingCart":{"guid":"G","billingAddress":{"street1":"1 Way","country":"USA","subCountry":"NY"},
        "billingContact":{"firstName":"Lou","phoneNumber":""},"shippingContact":{"lastName":"Roy"},"shippingAddress":null}"#;
    cart("SHOPPING_CART_UPDATED", body, |_, cart, left| {
        let billing = cart.billing_address.as_ref().expect("an address");
        assert_eq!((billing.first_name.as_deref(), billing.line1.as_deref()), (Some("Lou"), Some("1 Way")));
        assert_eq!((billing.country_code.as_deref(), billing.region_code.as_deref()), (Some("US"), Some("NY")));
        assert_eq!(billing.phone.as_deref(), Some(""));
        assert_eq!(cart.shipping_address.as_ref().and_then(|it| it.last_name.as_deref()), Some("Roy"));
        assert!(left.is_empty(), "{left:?}");
    });
}

#[test]
fn money_is_the_numbers_own_text() {
    let body = r#""shoppingCart":{"guid":"G","shoppingCartPricing":{"subtotal":20.10,"total":"","taxes":1e1,
        "cartSubtotalDiscounts":-2.5,"shipping":null}}"#;
    cart("SHOPPING_CART_UPDATED", body, |_, cart, left| {
        assert_eq!(cart.subtotal, decimal("20.1"));
        assert_eq!((cart.total, cart.shipping_total), (None, None));
        assert_eq!(cart.tax_total, decimal("10"));
        assert_eq!(cart.discount_total, decimal("2.5"), "positive, and the unusual sign is kept");
        assert_eq!(keys(&left), ["/contextObject/shoppingCart/shoppingCartPricing/cartSubtotalDiscounts"]);
    });
}

#[test]
fn a_time_has_the_unit_of_its_field() {
    let body = r#""createdDate":1723587437760,"payments":[{"transactionDate":1395431340,"status":"APPROVED"}],
        "lineItems":[{"guid":"a","productSku":{"effectiveStartDate":1395431340.123},"taxLines":[{"taxCalculationDate":1}]}]"#;
    order(body, |order, left| {
        let created = Some(Micros(1_723_587_437_760_000));
        assert_eq!((order.created_at, order.placed_at, order.updated_at), (created, created, None));
        // Milliseconds, though as seconds it would be a likelier day.
        assert_eq!(order.payments[0].processed_at, Some(Micros(1_395_431_340_000)));
        let line = &order.line_items[0];
        // Seconds, with a fraction.
        assert_eq!(line.available_at, Some(Micros(1_395_431_340_123_000)));
        assert_eq!(line.available_until, None);
        assert_eq!(line.taxes[0].calculated_at, Some(Micros(1_000)));
        assert!(left.is_empty(), "{left:?}");
    });
    let refused = try_order(r#""createdDate":"2024-08-13T22:17:17Z""#, |_, _| ());
    assert_eq!(refused, Err((Code::TimeInvalid, "/contextObject/order/createdDate".to_owned())));
}

#[test]
fn every_word_of_the_page_is_known() {
    let statuses = |word: &str| order(&format!(r#""status":"{word}""#), |order, _| order.status);
    for (word, status) in [
        ("CREATED", OrderStatus::Placed),
        ("IN_PROGRESS", OrderStatus::InProgress),
        ("PARTIALLY_SHIPPED", OrderStatus::PartiallyShipped),
        ("ONHOLD", OrderStatus::OnHold),
        ("COMPLETED", OrderStatus::Completed),
        ("CANCELLED", OrderStatus::Canceled),
        ("FAILED", OrderStatus::Failed),
        ("AWAITING_EXCHANGE", OrderStatus::ReturnPending),
        ("MELTED", OrderStatus::Unknown),
    ] {
        assert_eq!(statuses(word), Some(status), "{word}");
    }
    assert_eq!(statuses(""), None);
    for (word, status) in [
        ("AWAITING_INVENTORY", FulfillmentStatus::Backordered),
        ("INVENTORY_ASSIGNED", FulfillmentStatus::Ready),
        ("RELEASED", FulfillmentStatus::Ready),
        ("SHIPPED", FulfillmentStatus::Shipped),
        ("ONHOLD", FulfillmentStatus::OnHold),
        ("CANCELLED", FulfillmentStatus::Canceled),
        ("FAILED_ORDER", FulfillmentStatus::Failed),
        ("MELTED", FulfillmentStatus::Unknown),
    ] {
        let body = format!(r#""shipments":[{{"status":"{word}"}}]"#);
        assert_eq!(order(&body, |order, _| order.shipments[0].status), Some(status), "{word}");
    }
}

#[test]
fn payments_are_a_ledger_in_the_vendors_order() {
    let kinds = [
        ("CHARGE", PaymentKind::Charge),
        ("RESERVE", PaymentKind::Reserve),
        ("MODIFY_RESERVE", PaymentKind::Reserve),
        ("CANCEL_RESERVE", PaymentKind::Void),
        ("CREDIT", PaymentKind::Refund),
        ("MANUAL_CREDIT", PaymentKind::Refund),
        ("REVERSE_CHARGE", PaymentKind::Reverse),
        ("BARTER", PaymentKind::Unknown),
    ];
    let payments: Vec<String> = kinds
        .iter()
        .enumerate()
        .map(|(nth, (word, _))| {
            format!(
                r#"{{"guid":"{nth}","paymentTransactionType":"{word}","status":"APPROVED","amount":20.80,"currency":"USD",
                "paymentInstrument":{{"paymentProviderConfiguration":{{"guid":"cfg","paymentProviderPluginId":"plugin","configurationName":"Cards"}}}}}}"#
            )
        })
        .collect();
    order(&format!(r#""currency":"CAD","payments":[{}]"#, payments.join(",")), |order, left| {
        for (nth, (word, kind)) in kinds.into_iter().enumerate() {
            let payment = &order.payments[nth];
            assert_eq!((payment.kind, payment.vendor_kind.as_deref()), (Some(kind), Some(word)));
            assert_eq!(payment.id.as_deref(), Some(&*nth.to_string()));
            assert_eq!((payment.status, payment.amount), (Some(PaymentStatus::Succeeded), decimal("20.8")));
            assert_eq!(payment.currency.as_deref(), Some("USD"), "each has its own");
            assert_eq!((payment.method_id.as_deref(), payment.method_name.as_deref()), (Some("cfg"), Some("Cards")));
            assert_eq!(payment.provider.as_deref(), Some("plugin"));
        }
        assert_eq!((order.payment_status, &order.vendor_payment_status), (None, &None), "never derived");
        assert!(left.is_empty(), "{left:?}");
    });
}

#[test]
fn a_line_that_comes_again_in_a_shipment_counts_once() {
    let line = |guid: &str, price: &str| {
        format!(
            r#"{{"guid":"{guid}","quantity":2,"unitPrice":{price},"inventoryAllocated":true,"productSku":{{"code":"A"}},"modifierFields":{{"gift":"yes"}},
            "taxLines":[{{"taxName":"GST","taxAmount":1}}],"children":[]}}"#
        )
    };
    let (a, b) = (line("a", "5.50"), line("b", "7"));
    let body = format!(
        r#""lineItems":[{a},{b}],"shipments":[{{"shipmentNumber":"1-1","itemTax":2,"lineItems":[{},{a}]}},{{"lineItems":[{}]}}]"#,
        line("b", "8"),
        line("nowhere", "1")
    );
    order(&body, |order, left| {
        assert_eq!(order.line_items.len(), 2);
        let shipped: Vec<Vec<_>> = order
            .shipments
            .iter()
            .map(|it| it.line_items.iter().map(|line| (line.id.as_deref(), line.quantity)).collect())
            .collect();
        assert_eq!(shipped, [vec![(Some("b"), Some(2)), (Some("a"), Some(2))], vec![(Some("nowhere"), Some(2))]]);
        assert_eq!(order.shipments[0].tax_total, decimal("2"));
        let at = |rest: &str| format!("/contextObject/order/{rest}");
        let kept = [
            // Another price than the order's own line has.
            at("shipments/0/lineItems/0/unitPrice"),
            // No line of the order.
            at("shipments/1/lineItems/0/unitPrice"),
            at("shipments/1/lineItems/0/inventoryAllocated"),
            at("shipments/1/lineItems/0/productSku"),
            at("shipments/1/lineItems/0/modifierFields"),
            at("shipments/1/lineItems/0/taxLines"),
        ];
        assert_eq!(keys(&left), kept.iter().collect::<Vec<_>>());
    });
}

#[test]
fn free_maps_are_kept_and_secrets_are_not() {
    let body = r#""customData":{"crm":"X-1","sessionToken":"s3cret"},
        "billingAddress":{"street1":"1 Way"},
        "payments":[{"guid":"p","paymentData":{"chargeRef":"s3cret"},"paymentInstrument":{
            "name":"my card","paymentInstrumentData":{"display":"s3cret"},"billingAddress":{"street1":"1 Way","city":"X"}}}],
        "orderPaymentInstruments":[{"guid":"i","paymentInstrument":{"paymentInstrumentData":{"display":"s3cret"}}}],
        "customer":{"guid":"C","attributeValues":{"":{"PORTAL_PASSWORD":{"stringValue":"s3cret","value":"s3cret"}}}},
        "modifierFields":{"gift":"yes","api_key":"s3cret"}"#;
    order(body, |order, left| {
        assert!(!format!("{order:?}{left:?}").contains("s3cret"), "{left:?}");
        assert_eq!(order.attributes.iter().collect::<Vec<_>>(), [("gift", "yes")]);
        let left: Vec<(&str, &str)> = left.iter().map(|(at, json)| (&**at, &**json)).collect();
        let kept = [
            ("/contextObject/order/customData", r#"{"crm":"X-1"}"#),
            ("/contextObject/order/payments/0/paymentInstrument/billingAddress/city", r#""X""#),
            ("/contextObject/order/orderPaymentInstruments", r#"[{"guid":"i"}]"#),
        ];
        assert_eq!(left, kept);
    });
}
