//! `wishlist.*`: a [`Cart`] of the kind WISHLIST, always in part: its items are never in the payload. Knows no order.

use super::shared::coverage;
use super::{Envelope, Mapped};
use crate::canonical::{Action, Attributes, Cart, CartKind, Coverage, Entity};
use crate::reject::Reject;
use crate::vendors::present;
use std::borrow::Cow;

/// `id` is always there; what kind of cart it is, the event says.
const SAID: &[(&str, &str)] = &[
    ("id", "kind"),
    ("id", "vendor_kind"),
    ("name", "name"),
    ("is_default", "is_default"),
    ("is_private", "is_private"),
    ("created_at", "created_at"),
    ("updated_at", "updated_at"),
];

pub(super) fn wishlist<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let data = envelope.data;
    let updated_at = data.time("updated_at")?;
    let cart = Cart {
        id: Some(data.require_id("id")?),
        external_id: None,
        number: None,
        kind: Some(CartKind::Wishlist),
        vendor_kind: None,
        vendor_status: None,
        name: data.text("name")?,
        checkout_id: None,
        order_id: None,
        channel: None,
        customer: None,
        account: None,
        email: None,
        currency: None,
        locale: None,
        store: None,
        market_id: None,
        line_items: Vec::new(),
        component_item: None,
        item_count: None,
        subtotal: None,
        item_total: None,
        discount_total: None,
        shipping_total: None,
        tax_total: None,
        tax_included_total: None,
        tax_additional_total: None,
        tax_inclusive: None,
        adjustment_total: None,
        total: None,
        amount_due: None,
        gift_card_total: None,
        store_credit_total: None,
        discounts: Vec::new(),
        requires_shipping: None,
        billing_address: None,
        shipping_address: None,
        note: None,
        is_default: data.boolean("is_default")?,
        is_private: data.boolean("is_private")?,
        attributes: Attributes::default(),
        session_started_at: None,
        created_at: data.time("created_at")?,
        updated_at,
        deleted_at: None,
    };
    let coverage = coverage(data, action, Coverage::Patch)?;
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
