//! `CUSTOMER_*` → a whole customer. Knows neither carts nor orders.

use super::shared::{Profile, consents, customer_status, customer_type, email};
use super::{mapped, subject};
use crate::canonical::{Action, Customer, CustomerStatus, CustomerType, Entity, Gender, forms};
use crate::reject::Reject;
use crate::vendors::{Envelope, Mapped};

/// What a body with nothing but the id says.
const BARE: &[(&str, &str)] = &[("guid", "id")];

pub fn customer<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let customer = subject(envelope, "customer")?;
    let profile = Profile::of(customer)?;
    let (r#type, vendor_type) = customer.word("type", customer_type, CustomerType::Unknown)?;
    let (status, vendor_status) = customer.word("status", customer_status, CustomerStatus::Unknown)?;
    let vendor_gender = profile.text("CP_GENDER")?.filter(|word| !word.is_empty());
    let entity = Customer {
        id: Some(customer.require_id("guid")?),
        external_id: customer.id("sharedId")?,
        r#type,
        vendor_type,
        status,
        vendor_status,
        email: email(customer, profile)?,
        phone: profile.text(["CP_PHONE", "AP_PHONE"])?,
        other_phone: None,
        fax: profile.text(["CP_FAX", "AP_FAX"])?,
        title: None,
        first_name: profile.text("CP_FIRST_NAME")?,
        last_name: profile.text("CP_LAST_NAME")?,
        alternate_first_name: None,
        alternate_last_name: None,
        company: profile.text(["CP_COMPANY", "AP_NAME"])?,
        business_number: profile.text(["CP_BUSINESS_NUMBER", "AP_BUSINESS_NUMBER"])?,
        tax_exemption_id: profile.text(["CP_TAX_EXEMPTION_ID", "AP_TAX_EXEMPTION_ID"])?,
        birth_date: profile.date("CP_DOB")?,
        gender: vendor_gender.as_deref().map(|word| gender(word).unwrap_or(Gender::Unknown)),
        vendor_gender,
        nationality: None,
        government_id: None,
        locale: profile.form("CP_PREF_LOCALE", forms::locale)?,
        currency: profile.form("CP_PREF_CURR", forms::currency)?,
        addresses: Vec::new(),
        default_billing_address: None,
        default_shipping_address: None,
        preferred_channel: None,
        opted_out: None,
        consent_given: None,
        consents: consents(profile)?,
        store: None,
        sales_associate: None,
        segments: customer.texts("segments")?,
        interests: Vec::new(),
        preferences: Vec::new(),
        journey: None,
        attributes: profile.others(has_a_place)?,
        first_time_buyer: customer.boolean("firstTimeBuyer")?,
        store_credits: Vec::new(),
        store_credit_total: None,
        payment_setups: Vec::new(),
        referred_by_id: None,
        referred_at: None,
        last_contacted_at: None,
        created_at: None,
        updated_at: None,
        deleted_at: None,
    };
    mapped(Entity::Customer(Box::new(entity)), customer, BARE, action, None)
}

fn gender(word: &str) -> Option<Gender> {
    let is = |known: &str| word.eq_ignore_ascii_case(known);
    match () {
        () if is("F") || is("FEMALE") => Some(Gender::Female),
        () if is("M") || is("MALE") => Some(Gender::Male),
        () => None,
    }
}

/// The documented attributes that have a field of their own: the second of two that share one is left to `extensions`,
/// and not mixed with what is nobody's secret.
fn has_a_place(key: &str) -> bool {
    matches!(
        key,
        "CP_FIRST_NAME"
            | "CP_LAST_NAME"
            | "CP_EMAIL"
            | "CP_PHONE"
            | "CP_PREF_LOCALE"
            | "CP_BE_NOTIFIED"
            | "CP_PREF_CURR"
            | "CP_FAX"
            | "CP_GENDER"
            | "CP_DOB"
            | "CP_COMPANY"
            | "CP_BUSINESS_NUMBER"
            | "CP_TAX_EXEMPTION_ID"
            | "AP_NAME"
            | "AP_PHONE"
            | "AP_FAX"
            | "AP_BUSINESS_NUMBER"
            | "AP_TAX_EXEMPTION_ID"
    )
}
