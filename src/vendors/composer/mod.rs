//! Elastic Path Self-Managed Commerce, Composer plugin: `{"eventType": …, "contextObject": {…}}`, the platform's Java
//! objects as a serializer prints them.
//!
//! What surprises people here:
//!
//! * No event has an id or a time, and no entity a clock: an order has only its `createdDate`, which never changes.
//! * `attributeValues` is a map by locale, and the empty string is the locale of what has none: nearly all of it.
//! * A number that is a time is in milliseconds or in seconds. The field says which, never the size.
//! * Amounts are JSON numbers without a fixed scale.
//! * Lines stand in an order twice, the second time in their shipment; the customer stands whole in every cart and order.
//! * Locales are Java's (`fr_CA`), also where they are keys.
//!
//! Knows neither Kafka, nor Avro, nor metrics, nor the clock, nor another vendor.

mod cart;
mod customer;
mod order;
mod shared;
#[cfg(test)]
mod tests;

use super::cursor::{Node, Rule, Why};
use super::documents::Documents;
use super::{Envelope, EventType, Mapped, Mapping, Route, Unit, Vendor, event_type, present};
use crate::canonical::{Action, Component, Coverage, Entity, Text};
use crate::reject::{Code, Reject};
use std::borrow::Cow;
use std::sync::LazyLock;

pub static COMPOSER: Vendor = Vendor {
    name: "composer",
    recognises,
    open,
    events: EVENTS,
    released: &[],
    documents: &DOCUMENTS,
    drops: DROPS,
    once_ignored: &[],
};

static DOCUMENTS: LazyLock<Documents> = LazyLock::new(|| Documents::of(include_str!("documents.txt")));

/// The page names four of them and describes the other seven.
const EVENTS: &[EventType] = &[
    event("CUSTOMER_AUTHENTICATED", Action::Authenticated, customer::customer),
    event("CUSTOMER_REGISTERED", Action::Registered, customer::customer),
    event("CUSTOMER_UPDATED", Action::Updated, customer::customer),
    event("ORDER_RELEASED", Action::Released, order::order),
    event("SHOPPING_CART_ABANDONED", Action::Abandoned, cart::cart),
    event("SHOPPING_CART_CREATED", Action::Created, cart::cart),
    event("SHOPPING_CART_DELETED", Action::Deleted, cart::cart),
    event("SHOPPING_CART_ITEM_ADDED", Action::ItemAdded, cart::cart),
    event("SHOPPING_CART_ITEM_REMOVED", Action::ItemRemoved, cart::cart),
    event("SHOPPING_CART_ITEM_UPDATED", Action::ItemUpdated, cart::cart),
    event("SHOPPING_CART_UPDATED", Action::Updated, cart::cart),
];

const DROPS: &[Rule] = &[
    // Free maps of the payment provider: tokens, in practice.
    Rule::new("paymentData", Why::Secret),
    Rule::new("paymentInstrumentData", Why::Secret),
    // An attribute's key again, for people.
    Rule::under("attribute", "displayNames", Why::Derived),
];

const fn event(
    name: &'static str,
    action: Action,
    map: for<'a> fn(&Envelope<'a>, Action) -> Result<Mapped<'a>, Reject>,
) -> EventType {
    EventType { name, route: Route::Map(Mapping { action, map }) }
}

fn recognises(body: Node<'_>) -> bool {
    body.has("eventType") && body.has("contextObject")
}

/// The data is the whole body, so that a mapping that misses the context can say so.
fn open<'a>(unit: &Unit<'a>) -> Result<Envelope<'a>, Reject> {
    let (event_type, event_type_at) = event_type(unit, "eventType")?;
    let is_known = COMPOSER.event(&event_type).is_some();
    Ok(Envelope {
        event_type_at,
        event_id: None,
        occurred_at: None,
        shop: if is_known { shop(unit.body)? } else { None },
        api_version: None,
        data: unit.body,
        event_type,
    })
}

/// The code of the store. Events of customers have none.
fn shop<'a>(body: Node<'a>) -> Result<Option<Text<'a>>, Reject> {
    let context = body.child("contextObject")?;
    let cart = context.child("shoppingCart")?;
    let owner = if cart.is_nowhere() { context.child("order")? } else { cart.child("shopper")? };
    let store = owner.child("store")?;
    let code = store.value("code")?;
    if code.is_hidden() {
        // Whose it is, is not known, and it is not that of whoever has no shop.
        return Err(code.refuse(Code::FieldType));
    }
    store.id("code")
}

/// The entity that an event is about.
fn subject<'a>(envelope: &Envelope<'a>, key: &'static str) -> Result<Node<'a>, Reject> {
    envelope.data.require_child("contextObject")?.require_child(key)
}

/// The event, given the canonical entity and the node it was read from. `bare` are the vendor's keys of id and times,
/// with their canonical paths: a body that has no others says nothing but that there is such an entity, or that there
/// no longer is.
fn mapped<'a>(
    entity: Entity<'a>,
    subject: Node<'a>,
    bare: &[(&'static str, &'static str)],
    action: Action,
    component: Option<Component<'a>>,
) -> Result<Mapped<'a>, Reject> {
    let is_bare = subject.entries()?.all(|(key, _)| key == "customData" || bare.iter().any(|(known, _)| *known == key));
    let (coverage, present) = match (is_bare, action) {
        (false, _) => (Coverage::Snapshot, Cow::Borrowed(&[][..])),
        (true, Action::Deleted) => (Coverage::KeyOnly, Cow::Borrowed(&[][..])),
        (true, _) => (Coverage::Patch, present(subject, bare)),
    };
    Ok(Mapped { entity, action, coverage, present, component, clock: None, is_identified_by_body: false })
}
