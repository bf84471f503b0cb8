//! `order.*` of an order that is not complete: a [`Cart`]. Knows nothing of how that was decided.

use super::shared::{address, coverage, discount, id_or_of, line_item};
use super::{Envelope, Mapped};
use crate::canonical::{Action, Attributes, Cart, CartKind, Coverage, Entity, forms};
use crate::reject::Reject;
use crate::vendors::present;
use std::borrow::Cow;

/// What a body with nothing but times says. `id` is always there; what kind of cart it is, the event says.
const SAID: &[(&str, &str)] = &[
    ("id", "kind"),
    ("id", "vendor_kind"),
    ("id", "order_id"),
    ("created_at", "created_at"),
    ("updated_at", "updated_at"),
];

pub(super) fn cart<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let data = envelope.data;
    let id = data.require_id("id")?;
    let currency = data.form("currency", forms::currency)?;
    let market = data.child("market")?;
    let updated_at = data.time("updated_at")?;
    let cart = Cart {
        id: Some(id.clone()),
        external_id: None,
        number: data.text("number")?,
        kind: Some(CartKind::Shopping),
        vendor_kind: None,
        vendor_status: data.text("state")?.filter(|state| !state.is_empty()),
        name: None,
        checkout_id: None,
        // It becomes the order of the same id.
        order_id: Some(id),
        channel: None,
        customer: None,
        account: None,
        email: data.text("email")?,
        currency: currency.clone(),
        locale: data.form("locale", forms::locale)?,
        store: None,
        market_id: id_or_of(data, "market_id", market)?,
        line_items: data.list("items", |item| line_item(item, currency.as_ref()))?,
        component_item: None,
        item_count: data.long(["item_count", "total_quantity"])?,
        subtotal: None,
        item_total: data.money("item_total")?,
        discount_total: data.negative_discount(["promo_total", "discount_total"])?,
        shipping_total: data.money(["ship_total", "delivery_total"])?,
        tax_total: data.money("tax_total")?,
        tax_included_total: data.money("included_tax_total")?,
        tax_additional_total: data.money("additional_tax_total")?,
        tax_inclusive: market.boolean("tax_inclusive")?,
        adjustment_total: data.money("adjustment_total")?,
        total: data.money("total")?,
        amount_due: data.money("amount_due")?,
        gift_card_total: data.money("gift_card_total")?,
        store_credit_total: data.money("store_credit_total")?,
        discounts: data.list(["promotions", "discounts"], |item| discount(item, currency.as_ref()))?,
        requires_shipping: None,
        billing_address: data.object(["bill_address", "billing_address"], address)?,
        shipping_address: data.object(["ship_address", "shipping_address"], address)?,
        note: data.text(["special_instructions", "customer_note"])?,
        is_default: None,
        is_private: None,
        attributes: Attributes::default(),
        session_started_at: None,
        created_at: data.time("created_at")?,
        updated_at,
        deleted_at: None,
    };
    let coverage = coverage(data, action, Coverage::Snapshot)?;
    Ok(Mapped {
        entity: Entity::Cart(Box::new(cart)),
        action,
        coverage,
        present: if coverage == Coverage::Patch { present(data, SAID) } else { Cow::Borrowed(&[]) },
        component: None,
        clock: updated_at,
        is_identified_by_body: false,
    })
}
