//! Newsletter subscriptions, store credits and saved means of payment: one part of a [`Customer`], who need not be named.
//! Knows no whole customer.

use super::shared::{id_or_of, part, store_credit as credit};
use super::{Envelope, Mapped};
use crate::canonical::{Action, Consent, ConsentPurpose, Customer, Entity, PaymentSetup, Text};
use crate::reject::Reject;

/// Who has not confirmed it has not granted it. A guest who subscribes has an e-mail address and no id.
pub(super) fn newsletter_subscriber<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let data = envelope.data;
    let consent = Consent {
        channel: Some(Text::Borrowed("email")),
        granted: data.boolean("verified")?,
        purpose: Some(ConsentPurpose::Newsletter),
        verified_at: data.time("verified_at")?,
        created_at: data.time("created_at")?,
    };
    let customer = Customer {
        id: data.id("user_id")?,
        email: data.text("email")?,
        consents: vec![consent],
        ..Customer::default()
    };
    let present: &[&str] = if data.says("email") { &["email", "consents"] } else { &["consents"] };
    part(data, action, "newsletter_subscriber", Entity::Customer(Box::new(customer)), present)
}

pub(super) fn store_credit<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let data = envelope.data;
    let customer = Customer { store_credits: vec![credit(data, data.id("id")?)?], ..Customer::default() };
    part(data, action, "store_credit", Entity::Customer(Box::new(customer)), &["store_credits"])
}

pub(super) fn payment_setup_session<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let data = envelope.data;
    let method = data.child("payment_method")?;
    let setup = PaymentSetup {
        id: data.id("id")?,
        status: data.id("status")?,
        external_id: data.id("external_id")?,
        method_id: id_or_of(data, "payment_method_id", method)?,
        method_name: method.text("name")?,
        provider: method.text("type")?,
        source_type: data.id("payment_source_type")?,
        source_id: data.id("payment_source_id")?,
        created_at: data.time("created_at")?,
        method_description: method.text("description")?,
        session_required: method.boolean("session_required")?,
    };
    let customer = Customer { id: data.id("customer_id")?, payment_setups: vec![setup], ..Customer::default() };
    part(data, action, "payment_setup_session", Entity::Customer(Box::new(customer)), &["payment_setups"])
}
