//! `shopper.*` and its old name `client.*` → [`Customer`].
//!
//! Knows neither Kafka, nor Avro, nor metrics, nor the clock, nor any other vendor.

use super::super::cursor::Node;
use super::super::{Envelope, Mapped};
use super::{coverage, metafield};
use crate::canonical::{
    Action, Address, Attributes, Consent, ConsentPurpose, Customer, CustomerType, Entity, Gender, Preference,
    SalesAssociate, Store, Text, forms,
};
use crate::reject::{Code, Reject};

pub(super) fn map<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let shopper = envelope.data.require_child("object")?;
    let id = shopper.require_id("id")?;
    let (r#type, vendor_type) = shopper.word("profile_type", customer_type, CustomerType::Unknown)?;
    let (gender, vendor_gender) = gender(shopper)?;
    let contact = shopper.child("communication_preferences")?;
    let opted_out = contact.boolean("opt_out")?;
    let customer = Customer {
        id: Some(id),
        external_id: shopper.id(["ref", "external_id"])?,
        r#type,
        vendor_type,
        status: None,
        vendor_status: None,
        email: shopper.text("email")?,
        phone: shopper.text("mobile_phone")?,
        other_phone: shopper.text("other_phone")?,
        fax: None,
        title: shopper.text("title")?,
        first_name: shopper.text("first_name")?,
        last_name: shopper.text("last_name")?,
        alternate_first_name: shopper.text("alternate_first_name")?,
        alternate_last_name: shopper.text("alternate_last_name")?,
        company: None,
        business_number: None,
        tax_exemption_id: None,
        birth_date: shopper.date("birthday")?,
        gender,
        vendor_gender,
        nationality: shopper.text("nationality")?,
        // Not published unless the configuration says so: see `Privacy`.
        government_id: shopper.text("passport_number")?,
        locale: shopper.form("language", forms::locale)?,
        currency: None,
        addresses: shopper.list("addresses", address)?,
        default_billing_address: None,
        default_shipping_address: None,
        preferred_channel: shopper.id("preferred_contact_channel")?,
        opted_out,
        consent_given: shopper.boolean("consent")?,
        consents: consents(shopper, contact, opted_out == Some(true))?,
        store: shopper.object("current_store", store)?,
        sales_associate: shopper.object("current_sales_associate", sales_associate)?,
        segments: shopper.id("segment")?.into_iter().collect(),
        interests: shopper.texts("interests")?,
        preferences: shopper.list("preferences", preference)?,
        journey: shopper.id("preferred_journey")?,
        attributes: metafields(shopper)?,
        first_time_buyer: None,
        store_credits: Vec::new(),
        store_credit_total: None,
        payment_setups: Vec::new(),
        // The merchant's id of the referring customer, not BSPK's.
        referred_by_id: shopper.id("referred_by_client_id")?,
        referred_at: shopper.time("referred_at")?,
        last_contacted_at: shopper.time("last_contacted_at")?,
        created_at: shopper.time("created_at")?,
        updated_at: shopper.time("updated_at")?,
        deleted_at: None,
    };
    let (coverage, present) = coverage(shopper, FIELDS, IDS_AND_TIMES, action)?;
    Ok(Mapped {
        clock: customer.updated_at,
        entity: Entity::Customer(Box::new(customer)),
        action,
        coverage,
        present,
        component: None,
        is_identified_by_body: true,
    })
}

const IDS_AND_TIMES: &[(&str, &str)] = &[
    ("ref", "external_id"),
    ("external_id", "external_id"),
    ("created_at", "created_at"),
    ("updated_at", "updated_at"),
];

/// Every documented field that is neither an id nor a time of the record itself.
const FIELDS: &[&str] = &[
    "first_name",
    "last_name",
    "alternate_first_name",
    "alternate_last_name",
    "title",
    "current_store",
    "current_sales_associate",
    "email",
    "mobile_phone",
    "other_phone",
    "birthday",
    "gender",
    "nationality",
    "passport_number",
    "language",
    "addresses",
    "preferred_contact_channel",
    "communication_preferences",
    "consent",
    "notify_of_new_collection",
    "preferences",
    "interests",
    "preferred_journey",
    "segment",
    "referred_by_client_id",
    "referred_at",
    "last_contacted_at",
    "profile_type",
    "metafields",
];

fn customer_type(word: &str) -> Option<CustomerType> {
    match word {
        "person" => Some(CustomerType::Person),
        "organization" => Some(CustomerType::Organization),
        _ => None,
    }
}

/// The page lists a bare NULL among the words: it is nothing, and so is the text `"NULL"`.
fn gender(shopper: Node<'_>) -> Result<(Option<Gender>, Option<Text<'_>>), Reject> {
    let known = |word: &str| match word {
        "F" => Some(Gender::Female),
        "M" => Some(Gender::Male),
        "NB" => Some(Gender::NonBinary),
        _ => None,
    };
    let (gender, word) = shopper.word("gender", known, Gender::Unknown)?;
    match word {
        Some(word) if word.eq_ignore_ascii_case("null") => Ok((None, None)),
        word => Ok((gender, word)),
    }
}

fn address(address: Node<'_>) -> Result<Address<'_>, Reject> {
    Ok(Address {
        id: None,
        kind: None,
        r#use: None,
        first_name: None,
        last_name: None,
        full_name: None,
        company: None,
        line1: address.text("address")?,
        line2: address.text("address_2")?,
        line3: address.text("address_3")?,
        line4: address.text("address_4")?,
        city: address.text("city")?,
        region: address.text("state")?,
        region_code: None,
        postal_code: address.text("zip")?,
        country: None,
        country_code: address.form("country_code", forms::country_code)?,
        phone: None,
        fax: None,
        email: None,
        is_default_billing: None,
        is_default_shipping: None,
    })
}

const CHANNELS: [(&str, &str); 6] = [
    ("chat_opt_in", "chat"),
    ("email_opt_in", "email"),
    ("phone_opt_in", "phone"),
    ("whatsapp_opt_in", "whatsapp"),
    ("wechat_opt_in", "wechat"),
    ("line_opt_in", "line"),
];

/// One for each flag that is there.
fn consents<'a>(shopper: Node<'a>, contact: Node<'a>, opted_out: bool) -> Result<Vec<Consent<'a>>, Reject> {
    let mut consents = Vec::new();
    for (key, channel) in CHANNELS {
        if let granted @ Some(_) = flag(contact, key, opted_out)? {
            consents.push(Consent { channel: Some(Text::Borrowed(channel)), granted, ..Consent::default() });
        }
    }
    if let granted @ Some(_) = flag(shopper, "notify_of_new_collection", opted_out)? {
        let purpose = Some(ConsentPurpose::NewCollection);
        consents.push(Consent { granted, purpose, ..Consent::default() });
    }
    Ok(consents)
}

/// Whoever opted out may not be contacted, whatever the flag says. It then stays unread, so that it is kept.
fn flag(node: Node<'_>, key: &'static str, opted_out: bool) -> Result<Option<bool>, Reject> {
    if !opted_out {
        return node.boolean(key);
    }
    let flag = node.value(key)?;
    if flag.is_nowhere() {
        return Ok(None);
    }
    if flag.is_boolean() { Ok(Some(false)) } else { Err(flag.refuse(Code::FieldType)) }
}

fn store(store: Node<'_>) -> Result<Store<'_>, Reject> {
    Ok(Store {
        id: store.id("external_id")?,
        external_id_2: store.id("external_id_2")?,
        name: store.text("name")?,
        country_code: store.form("country_code", forms::country_code)?,
        time_zone: None,
        catalog: None,
        default_currency: None,
        default_locale: None,
        supported_currencies: Vec::new(),
        supported_locales: Vec::new(),
        cart_types: Attributes::default(),
    })
}

fn sales_associate(associate: Node<'_>) -> Result<SalesAssociate<'_>, Reject> {
    Ok(SalesAssociate {
        id: associate.id("external_id")?,
        external_id_2: associate.id("external_id_2")?,
        full_name: associate.text("full_name")?,
        email: associate.text("email")?,
    })
}

fn preference(preference: Node<'_>) -> Result<Preference<'_>, Reject> {
    Ok(Preference { name: preference.text("name")?, values: preference.texts("value")? })
}

fn metafields(shopper: Node<'_>) -> Result<Attributes<'_>, Reject> {
    let mut attributes = Attributes::default();
    shopper.list("metafields", |field| metafield::add_to(&mut attributes, field))?;
    Ok(attributes)
}

#[cfg(test)]
mod tests {
    use super::super::BSPK;
    use crate::vendors::testing::translate;
    use serde_json::{Value, json};

    fn shopper(event_name: &str, object: Value) -> Value {
        translate(&BSPK, &json!({"event_name": event_name, "object": object}))
    }

    #[test]
    fn who_opted_out_has_granted_nothing_and_the_flags_are_kept() {
        let flags = |opt_out: Value| {
            json!({"id": 1, "updated_at": "2024-01-01T00:00:00Z", "notify_of_new_collection": true,
                "communication_preferences": {"email_opt_in": true, "line_opt_in": false, "chat_opt_in": null, "opt_out": opt_out}})
        };
        let out = shopper("shopper.updated", flags(json!(true)));
        assert_eq!(
            out["customer"]["consents"],
            json!([
                {"channel": "email", "granted": false, "purpose": null, "verified_at": null, "created_at": null},
                {"channel": "line", "granted": false, "purpose": null, "verified_at": null, "created_at": null},
                {"channel": null, "granted": false, "purpose": "NEW_COLLECTION", "verified_at": null, "created_at": null},
            ])
        );
        assert_eq!(out["customer"]["opted_out"], true);
        assert_eq!(
            out["extensions"],
            json!({
                "/object/communication_preferences/email_opt_in": "true",
                "/object/communication_preferences/line_opt_in": "false",
                "/object/notify_of_new_collection": "true",
            })
        );
        for stays in [json!(false), json!(null)] {
            let out = shopper("shopper.updated", flags(stays));
            let granted: Vec<&Value> =
                out["customer"]["consents"].as_array().expect("a list").iter().map(|it| &it["granted"]).collect();
            assert_eq!(granted, [&json!(true), &json!(false), &json!(true)]);
            assert_eq!(out["extensions"], json!({}));
        }
        let refused = json!({"refused": "field.type", "at": "/object/communication_preferences/email_opt_in"});
        for opt_out in [true, false] {
            let contact = json!({"email_opt_in": "yes", "opt_out": opt_out});
            assert_eq!(shopper("shopper.updated", json!({"id": 1, "communication_preferences": contact})), refused);
        }
    }

    #[test]
    fn a_gender_that_is_null_in_any_spelling_is_nothing() {
        for (word, gender, vendor_gender) in [
            (json!("F"), json!("FEMALE"), json!("F")),
            (json!("M"), json!("MALE"), json!("M")),
            (json!("NB"), json!("NON_BINARY"), json!("NB")),
            (json!("X"), json!("UNKNOWN"), json!("X")),
            (json!("NULL"), json!(null), json!(null)),
            (json!("null"), json!(null), json!(null)),
            (json!(""), json!(null), json!(null)),
            (json!(null), json!(null), json!(null)),
        ] {
            let out = shopper("client.updated", json!({"id": 1, "gender": word}));
            assert_eq!(out["customer"]["gender"], gender, "{word}");
            assert_eq!(out["customer"]["vendor_gender"], vendor_gender, "{word}");
            assert_eq!(out["extensions"], json!({}), "{word}");
        }
    }

    #[test]
    fn a_body_with_nothing_but_ids_and_times_clears_nothing() {
        let thin = json!({"id": 1, "ref": "C-1", "updated_at": "2024-01-01T00:00:00Z"});
        let out = shopper("shopper.updated", thin.clone());
        assert_eq!(out["meta"]["coverage"], "PATCH");
        assert_eq!(out["meta"]["present"], json!(["external_id", "updated_at"]));
        let out = shopper("shopper.deleted", thin.clone());
        assert_eq!(out["meta"]["coverage"], "KEY_ONLY");
        assert_eq!(out["meta"]["present"], json!([]));
        assert_eq!(out["customer"]["external_id"], "C-1");
        // A field that no page describes is no reason to empty the rest.
        let mut drifted = thin.clone();
        drifted["company_id"] = json!(7);
        let out = shopper("client.updated", drifted);
        assert_eq!(out["meta"]["coverage"], "PATCH");
        assert_eq!(out["extensions"], json!({"/object/company_id": "7"}));
        let mut whole = thin;
        whole["email"] = json!(null);
        let out = shopper("shopper.updated", whole);
        assert_eq!(out["meta"]["coverage"], "SNAPSHOT");
        assert_eq!(out["meta"]["present"], json!([]));
    }

    #[test]
    fn a_passport_is_in_no_record() {
        let out = shopper(
            "shopper.updated",
            json!({"id": 1, "email": "", "passport_number": "WT0010002098",
            "metafields": [{"namespace": "papers", "key": "passport_number", "value": "WT0010002098"}]}),
        );
        assert_eq!(out["customer"]["government_id"], json!(null));
        assert!(!out.to_string().contains("WT0010002098"), "{out}");
    }

    #[test]
    fn a_metafield_is_named_by_namespace_and_key() {
        let out = shopper(
            "shopper.updated",
            json!({"id": 1, "metafields": [
                {"namespace": "loyalty", "key": "tier", "value": "gold", "json_value": null},
                {"namespace": "sizing", "key": "shoe", "value": null, "json_value": {"eu": 42, "us": null}},
                {"key": "vip", "json_value": true},
                {"namespace": "both", "key": "said", "value": "text", "json_value": ["json"]},
                {"namespace": "loyalty", "key": "tier", "value": "silver"},
                {"namespace": "nameless", "value": "x"},
                {"namespace": "loyalty", "key": "gone", "value": null},
            ]}),
        );
        assert_eq!(
            out["customer"]["attributes"],
            json!({"loyalty.tier": "gold", "sizing.shoe": "{\"eu\":42}", "vip": "true", "both.said": "text"})
        );
        assert_eq!(
            out["extensions"],
            json!({
                "/object/metafields/3/json_value": "[\"json\"]",
                "/object/metafields/4": "{\"namespace\":\"loyalty\",\"key\":\"tier\",\"value\":\"silver\"}",
                "/object/metafields/5": "{\"namespace\":\"nameless\",\"value\":\"x\"}",
                "/object/metafields/6/namespace": "\"loyalty\"",
                "/object/metafields/6/key": "\"gone\"",
            })
        );
    }

    #[test]
    fn a_metafield_whose_key_tells_of_a_secret_is_nowhere() {
        let out = shopper(
            "shopper.updated",
            json!({"id": 1, "metafields": [
                {"namespace": "erp", "key": "api_token", "value": "SESAME", "json_value": {"open": "SESAME"}},
                {"namespace": "erp", "key": "external_data", "value": "SESAME"},
            {"namespace": "api", "key": "key", "value": null, "json_value": "SESAME"},
                {"namespace": "erp", "key": "settings", "json_value": {"apiKey": "SESAME", "on": true}},
                {"namespace": "erp", "key": "packed", "value": "{\"login\":{\"password\":\"SESAME\"}}"},
            ]}),
        );
        assert!(!out.to_string().contains("SESAME"), "{out}");
        assert_eq!(out["customer"]["attributes"], json!({"erp.settings": "{\"on\":true}"}));
        // A name is no secret.
        assert_eq!(out["extensions"]["/object/metafields/0/key"], "\"api_token\"");
    }

    #[test]
    fn what_cannot_be_converted_is_null_and_kept() {
        let out = shopper(
            "shopper.updated",
            json!({"id": 1, "language": "en;fr", "addresses": [{"city": "Oz", "country_code": "XXL"}],
            "current_store": {"country_code": "usa"}}),
        );
        assert_eq!(out["customer"]["locale"], json!(null));
        assert_eq!(out["customer"]["store"]["country_code"], "US");
        assert_eq!(
            out["extensions"],
            json!({"/object/language": "\"en;fr\"", "/object/addresses/0/country_code": "\"XXL\""})
        );
    }
}
