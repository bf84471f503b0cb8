//! `customer.saved`, `customer.deleted` → [`Customer`]. Knows neither Kafka, nor Avro, nor metrics, nor the clock, nor
//! any other vendor.

use super::super::{Envelope, Mapped};
use super::shared;
use crate::canonical::{Action, Attributes, Customer, Entity};
use crate::reject::Reject;

pub(super) fn saved<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let body = envelope.data;
    let customer = Customer {
        id: Some(body.require_id("platform_id")?),
        external_id: None,
        r#type: None,
        vendor_type: None,
        status: None,
        vendor_status: None,
        email: body.text("email")?,
        phone: body.text("phone")?,
        other_phone: None,
        fax: None,
        title: None,
        first_name: body.text("first_name")?,
        last_name: body.text("last_name")?,
        alternate_first_name: None,
        alternate_last_name: None,
        company: None,
        business_number: None,
        tax_exemption_id: None,
        birth_date: None,
        gender: None,
        vendor_gender: None,
        nationality: None,
        government_id: None,
        locale: None,
        currency: None,
        addresses: body.list("addresses", shared::address)?,
        default_billing_address: None,
        default_shipping_address: None,
        preferred_channel: None,
        opted_out: None,
        consent_given: None,
        consents: Vec::new(),
        store: None,
        sales_associate: None,
        segments: Vec::new(),
        interests: Vec::new(),
        preferences: Vec::new(),
        journey: None,
        attributes: Attributes::default(),
        first_time_buyer: None,
        store_credits: Vec::new(),
        store_credit_total: None,
        payment_setups: Vec::new(),
        referred_by_id: None,
        referred_at: None,
        last_contacted_at: None,
        created_at: body.time("platform_created_at")?,
        updated_at: body.time("platform_updated_at")?,
        deleted_at: body.time("platform_deleted_at")?,
    };
    let clock = customer.updated_at;
    Ok(shared::saved(Entity::Customer(Box::new(customer)), action, clock, body, SAID))
}

/// Bold's key, and the canonical field that it says something of.
const SAID: &[(&str, &str)] = &[
    ("email", "email"),
    ("phone", "phone"),
    ("first_name", "first_name"),
    ("last_name", "last_name"),
    ("addresses", "addresses"),
    ("platform_created_at", "created_at"),
    ("platform_updated_at", "updated_at"),
    ("platform_deleted_at", "deleted_at"),
];

pub(super) fn deleted<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let id = Some(envelope.data.require_id("platform_id")?);
    let deleted_at = envelope.data.time("platform_deleted_at")?;
    let customer = Customer { id, deleted_at, ..Customer::default() };
    Ok(shared::deleted(Entity::Customer(Box::new(customer)), action, deleted_at))
}

#[cfg(test)]
mod tests {
    use super::super::BOLD;
    use crate::vendors::testing::translate;
    use serde_json::{Value, json};

    fn customer(said: Value) -> Value {
        let mut body = json!({"platform_id": 7, "platform_updated_at": "2024-01-01T00:00:00Z"});
        for (key, value) in said.as_object().expect("an object") {
            body[key] = value.clone();
        }
        translate(&BOLD, &json!({"data": {"customer": body}}))
    }

    #[test]
    fn only_what_is_there_is_present_be_it_null_or_empty() {
        assert_eq!(customer(json!({}))["meta"]["present"], json!(["updated_at"]));
        let out = customer(json!({"email": null, "phone": "", "addresses": [], "loyalty": 3}));
        assert_eq!(out["meta"]["present"], json!(["email", "phone", "addresses", "updated_at"]));
        assert_eq!(out["customer"]["email"], json!(null));
        assert_eq!(out["customer"]["phone"], "");
        assert_eq!(out["extensions"], json!({"/data/customer/loyalty": "3"}));
    }

    #[test]
    fn an_address_is_the_default_of_what_it_is_used_for() {
        for (r#type, r#use, told) in [
            (json!("commercial"), json!("shipping"), json!(["commercial", "shipping", null, true])),
            (json!("residential"), json!("billing"), json!(["residential", "billing", true, null])),
            (json!("billing"), json!(null), json!([null, "billing", true, null])),
            (json!("shipping"), json!("shipping"), json!([null, "shipping", null, true])),
            (json!("billing"), json!("shipping"), json!(["billing", "shipping", null, true])),
            (json!(""), json!(""), json!([null, null, true, true])),
        ] {
            let address = json!({"address_type": r#type, "address_use": r#use, "is_default": true});
            let out = &customer(json!({"addresses": [address]}))["customer"]["addresses"][0];
            let got = json!([out["kind"], out["use"], out["is_default_billing"], out["is_default_shipping"]]);
            assert_eq!(got, told, "{address}");
        }
    }

    #[test]
    fn a_deletion_names_the_id_and_keeps_the_rest_aside() {
        let out = customer(json!({"platform_deleted_at": "2024-01-02T00:00:00Z", "email": "a@example.com"}));
        assert_eq!(out["meta"]["coverage"], "KEY_ONLY");
        assert_eq!(out["meta"]["present"], json!([]));
        assert_eq!(out["meta"]["occurred_at"], "2024-01-02T00:00:00Z");
        assert_eq!(out["customer"]["id"], "7");
        assert_eq!(out["customer"]["email"], json!(null));
        assert_eq!(out["extensions"]["/data/customer/email"], "\"a@example.com\"");
    }
}
