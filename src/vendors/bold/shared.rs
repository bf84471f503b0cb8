//! What Bold's customers, orders and products have in common. Knows neither Kafka, nor Avro, nor metrics, nor the clock,
//! nor any other vendor.

use super::super::cursor::Node;
use super::super::{Mapped, add_attribute, present};
use crate::canonical::{Action, Address, Attributes, Coverage, Decimal, Entity, Micros, Text, forms};
use crate::reject::Reject;
use std::borrow::Cow;

/// An entity of which `body` says something: what, `said` tells, by Bold's key and canonical path.
pub(super) fn saved<'a>(
    entity: Entity<'a>,
    action: Action,
    clock: Option<Micros>,
    body: Node<'_>,
    said: &[(&'static str, &'static str)],
) -> Mapped<'a> {
    Mapped {
        entity,
        action,
        coverage: Coverage::Patch,
        present: present(body, said),
        component: None,
        clock,
        is_identified_by_body: true,
    }
}

pub(super) fn deleted(entity: Entity<'_>, action: Action, clock: Option<Micros>) -> Mapped<'_> {
    Mapped {
        entity,
        action,
        coverage: Coverage::KeyOnly,
        present: Cow::Borrowed(&[]),
        component: None,
        clock,
        is_identified_by_body: true,
    }
}

/// An address of a customer or an order. Only customers have default ones, only orders have e-mail addresses.
pub(super) fn address(address: Node<'_>) -> Result<Address<'_>, Reject> {
    let (kind, r#use) = kind_and_use(address)?;
    // The default of what it is used for; where nothing says for what, of both.
    let is_default = address.boolean("is_default")?;
    let is_default_billing = is_default.filter(|_| r#use.as_deref() != Some(SHIPPING));
    let is_default_shipping = is_default.filter(|_| r#use.as_deref() != Some(BILLING));
    Ok(Address {
        id: address.id("platform_id")?,
        kind,
        r#use,
        first_name: address.text("first_name")?,
        last_name: address.text("last_name")?,
        full_name: None,
        company: address.text("company")?,
        line1: address.text("street_1")?,
        line2: address.text("street_2")?,
        line3: None,
        line4: None,
        city: address.text("city")?,
        region: address.text("province")?,
        region_code: address.id("province_code")?,
        postal_code: address.text("postal_code")?,
        country: address.text("country")?,
        country_code: address.form("country_code", forms::country_code)?,
        phone: address.text("phone")?,
        fax: None,
        email: address.text("email")?,
        is_default_billing,
        is_default_shipping,
    })
}

const SHIPPING: &str = "shipping";
const BILLING: &str = "billing";

/// `address_type` is what stands there; but Magento writes into it what the address is for.
fn kind_and_use(address: Node<'_>) -> Result<(Option<Text<'_>>, Option<Text<'_>>), Reject> {
    let (kind, r#use) = (address.id("address_type")?, address.id("address_use")?);
    Ok(match kind {
        Some(kind) if matches!(&*kind, SHIPPING | BILLING) && r#use.as_ref().is_none_or(|it| *it == kind) => {
            (None, Some(kind))
        }
        kind => (kind, r#use),
    })
}

/// `grams` counts where there is no weight with a unit.
pub(super) fn weight(node: Node<'_>) -> Result<(Option<Decimal>, Option<Text<'_>>), Reject> {
    let has_unit = node.value("weight_unit")?.is_text();
    if has_unit && let weight @ Some(_) = node.decimal("weight")? {
        return Ok((weight, node.id("weight_unit")?));
    }
    if let grams @ Some(_) = node.decimal("grams")? {
        return Ok((grams, Some(Text::Borrowed("g"))));
    }
    Ok((node.decimal("weight")?, node.id("weight_unit")?))
}

/// A map of name to `{description, value}`. What has another shape is kept as its JSON text.
pub(super) fn custom_attributes(node: Node<'_>) -> Result<Attributes<'_>, Reject> {
    let mut attributes = Attributes::default();
    for (name, entry) in node.child_or_empty_list("custom_attributes")?.entries()? {
        let value = if entry.has("value") { entry.value("value")? } else { entry };
        add_attribute(&mut attributes, Text::Borrowed(name), value)?;
    }
    Ok(attributes)
}

/// A map of language to text.
pub(super) fn localized<'a>(node: Node<'a>, key: &'static str) -> Result<Attributes<'a>, Reject> {
    let mut texts = Attributes::default();
    for (language, text) in node.child_or_empty_list(key)?.entries()? {
        add_attribute(&mut texts, Text::Borrowed(language), text)?;
    }
    Ok(texts)
}
