//! `customer.*`, which released Spree calls `user.*`: a [`Customer`]. Knows no other event.

use super::shared::{address, coverage};
use super::{Envelope, Mapped};
use crate::canonical::{Action, Attributes, Consent, Coverage, Customer, Entity};
use crate::reject::Reject;
use crate::vendors::cursor::Node;
use crate::vendors::present;
use std::borrow::Cow;

/// What a body with nothing but times says.
const SAID: &[(&str, &str)] = &[("created_at", "created_at"), ("updated_at", "updated_at")];

pub(super) fn customer<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let data = envelope.data;
    let updated_at = data.time("updated_at")?;
    let customer = Customer {
        id: Some(data.require_id("id")?),
        external_id: None,
        r#type: None,
        vendor_type: None,
        status: None,
        vendor_status: None,
        email: data.text("email")?,
        phone: data.text("phone")?,
        other_phone: None,
        fax: None,
        title: None,
        first_name: data.text("first_name")?,
        last_name: data.text("last_name")?,
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
        addresses: data.list("addresses", address)?,
        default_billing_address: data.object("default_billing_address", address)?,
        default_shipping_address: data.object("default_shipping_address", address)?,
        preferred_channel: None,
        opted_out: None,
        consent_given: None,
        consents: consents(data)?,
        store: None,
        sales_associate: None,
        segments: Vec::new(),
        interests: Vec::new(),
        preferences: Vec::new(),
        journey: None,
        attributes: Attributes::default(),
        first_time_buyer: None,
        store_credits: Vec::new(),
        store_credit_total: data.money("available_store_credit_total")?,
        payment_setups: Vec::new(),
        referred_by_id: None,
        referred_at: None,
        last_contacted_at: None,
        created_at: data.time("created_at")?,
        updated_at,
        deleted_at: None,
    };
    let coverage = coverage(data, action, Coverage::Snapshot)?;
    Ok(Mapped {
        entity: Entity::Customer(Box::new(customer)),
        action,
        coverage,
        present: if coverage == Coverage::Patch { present(data, SAID) } else { Cow::Borrowed(&[]) },
        component: None,
        clock: updated_at,
        is_identified_by_body: false,
    })
}

fn consents<'a>(customer: Node<'a>) -> Result<Vec<Consent<'a>>, Reject> {
    let by_email = customer.boolean("accepts_email_marketing")?.map(|granted| Consent {
        channel: Some("email".into()),
        granted: Some(granted),
        ..Consent::default()
    });
    Ok(by_email.into_iter().collect())
}
