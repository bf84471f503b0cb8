//! Spree Commerce: one envelope a webhook, `{id, name, created_at, data, metadata}`, where `name` is
//! `<resource>.<action>` and `data` the resource as Spree's API writes it.
//!
//! What surprises people:
//! * Two shapes are about, both called 5.4.0: the documented one and the released one, with other keys. Every mapping
//!   reads both, by the keys that are there, the documented one first.
//! * A cart is an order that is not complete, so `order.*` is a cart or an order by what is in it ([`order`]).
//! * A deletion carries the whole object as it was: only its name says that it is gone.
//! * A resource without a serializer is sent as `{id, created_at, updated_at}`, which is thin and not malformed.
//!
//! Knows neither Kafka, nor Avro, nor metrics, nor the clock, nor another vendor.

mod cart;
mod customer;
mod order;
mod product;
mod shared;
#[cfg(test)]
mod tests;
mod wishlist;

use super::cursor::{Node, Rule, Why};
use super::{Envelope, EventType, Ignore, Mapped, Mapping, Route, Unit, Vendor, event_type};
use crate::canonical::Action;
use crate::reject::{Code, Reject};

pub static SPREE: Vendor = Vendor { name: "spree", recognises, open, events: EVENTS, drops: DROPS };

/// Amounts said again: for people, and times 100 (in yen too, so they are no minor units).
const DROPS: &[Rule] = &[Rule::new("display_*", Why::Derived), Rule::new("*_in_cents", Why::Derived)];

fn recognises(body: Node<'_>) -> bool {
    let has_data = body.value("data").is_ok_and(Node::is_object);
    let has_envelope = body.has("id") || body.has("metadata") || body.has("created_at");
    has_data && has_envelope && body.peek("name").is_some_and(|name| name.contains('.'))
}

fn open<'a>(unit: &Unit<'a>) -> Result<Envelope<'a>, Reject> {
    let body = unit.body;
    let (event_type, event_type_at) = event_type(unit, "name")?;
    let data = body.child("data")?;
    if data.is_nowhere() {
        return Err(body.missing("data", Code::EnvelopeMissing));
    }
    Ok(Envelope {
        event_type,
        event_type_at,
        event_id: body.id("id")?,
        occurred_at: body.time("created_at")?,
        // The event knows its store; the body does not say it.
        shop: None,
        api_version: body.child("metadata")?.text("spree_version")?,
        data,
    })
}

type Map = for<'a> fn(&Envelope<'a>, Action) -> Result<Mapped<'a>, Reject>;

const fn map(name: &'static str, action: Action, map: Map) -> EventType {
    EventType { name, route: Route::Map(Mapping { action, map }) }
}

const fn ignore(name: &'static str, rule: Ignore) -> EventType {
    EventType { name, route: Route::Ignore(rule) }
}

/// The 115 documented event types, and those that released Spree publishes beside them. Sorted by name.
#[rustfmt::skip]
const EVENTS: &[EventType] = {
    use Ignore::{BackOffice, ComponentPending, Credential, NoCanonicalEntity};
    &[
        ignore("admin.created", BackOffice),
        ignore("admin.deleted", BackOffice),
        ignore("admin.password_reset", Credential),
        ignore("admin.password_reset_requested", Credential),
        ignore("admin.updated", BackOffice),
        map("customer.created", Action::Created, customer::customer),
        map("customer.deleted", Action::Deleted, customer::customer),
        ignore("customer.password_reset", Credential),
        ignore("customer.password_reset_requested", Credential),
        map("customer.updated", Action::Updated, customer::customer),
        ignore("customer_return.created", ComponentPending),
        ignore("customer_return.deleted", ComponentPending),
        ignore("customer_return.updated", ComponentPending),
        ignore("digital.created", ComponentPending),
        ignore("digital.deleted", ComponentPending),
        ignore("digital.updated", ComponentPending),
        ignore("digital_link.created", ComponentPending),
        ignore("digital_link.deleted", ComponentPending),
        ignore("digital_link.updated", ComponentPending),
        ignore("export.created", BackOffice),
        ignore("export.deleted", BackOffice),
        ignore("export.updated", BackOffice),
        ignore("gift_card.created", NoCanonicalEntity),
        ignore("gift_card.deleted", NoCanonicalEntity),
        ignore("gift_card.partially_redeemed", NoCanonicalEntity),
        ignore("gift_card.redeemed", NoCanonicalEntity),
        ignore("gift_card.updated", NoCanonicalEntity),
        ignore("gift_card_batch.created", NoCanonicalEntity),
        ignore("gift_card_batch.deleted", NoCanonicalEntity),
        ignore("gift_card_batch.updated", NoCanonicalEntity),
        ignore("image.created", ComponentPending),
        ignore("image.deleted", ComponentPending),
        ignore("image.updated", ComponentPending),
        ignore("import.completed", BackOffice),
        ignore("import.created", BackOffice),
        ignore("import.deleted", BackOffice),
        ignore("import.updated", BackOffice),
        ignore("import_row.completed", BackOffice),
        ignore("import_row.created", BackOffice),
        ignore("import_row.deleted", BackOffice),
        ignore("import_row.failed", BackOffice),
        ignore("import_row.updated", BackOffice),
        ignore("invitation.accepted", BackOffice),
        ignore("invitation.created", BackOffice),
        ignore("invitation.deleted", BackOffice),
        ignore("invitation.resent", BackOffice),
        ignore("invitation.updated", BackOffice),
        ignore("line_item.created", ComponentPending),
        ignore("line_item.deleted", ComponentPending),
        ignore("line_item.updated", ComponentPending),
        ignore("media.created", ComponentPending),
        ignore("media.deleted", ComponentPending),
        ignore("media.updated", ComponentPending),
        ignore("newsletter_subscriber.created", ComponentPending),
        ignore("newsletter_subscriber.deleted", ComponentPending),
        ignore("newsletter_subscriber.subscribed", ComponentPending),
        ignore("newsletter_subscriber.updated", ComponentPending),
        ignore("newsletter_subscriber.verified", ComponentPending),
        map("order.approved", Action::Updated, order::order_unless_said),
        map("order.canceled", Action::Canceled, order::order_unless_said),
        map("order.completed", Action::Completed, order::order_unless_said),
        map("order.created", Action::Created, order::cart_unless_said),
        map("order.deleted", Action::Deleted, order::cart_unless_said),
        map("order.paid", Action::Paid, order::order_unless_said),
        map("order.resumed", Action::Resumed, order::order_unless_said),
        map("order.shipped", Action::Shipped, order::order_unless_said),
        map("order.updated", Action::Updated, order::cart_unless_said),
        ignore("payment.completed", ComponentPending),
        ignore("payment.created", ComponentPending),
        ignore("payment.deleted", ComponentPending),
        ignore("payment.paid", ComponentPending),
        ignore("payment.updated", ComponentPending),
        ignore("payment.voided", ComponentPending),
        ignore("payment_session.canceled", ComponentPending),
        ignore("payment_session.completed", ComponentPending),
        ignore("payment_session.created", ComponentPending),
        ignore("payment_session.deleted", ComponentPending),
        ignore("payment_session.expired", ComponentPending),
        ignore("payment_session.failed", ComponentPending),
        ignore("payment_session.processing", ComponentPending),
        ignore("payment_session.updated", ComponentPending),
        ignore("payment_setup_session.canceled", ComponentPending),
        ignore("payment_setup_session.completed", ComponentPending),
        ignore("payment_setup_session.created", ComponentPending),
        ignore("payment_setup_session.deleted", ComponentPending),
        ignore("payment_setup_session.expired", ComponentPending),
        ignore("payment_setup_session.failed", ComponentPending),
        ignore("payment_setup_session.processing", ComponentPending),
        ignore("payment_setup_session.updated", ComponentPending),
        ignore("post.created", BackOffice),
        ignore("post.deleted", BackOffice),
        ignore("post.updated", BackOffice),
        ignore("post_category.created", BackOffice),
        ignore("post_category.deleted", BackOffice),
        ignore("post_category.updated", BackOffice),
        ignore("price.created", ComponentPending),
        ignore("price.deleted", ComponentPending),
        ignore("price.updated", ComponentPending),
        map("product.activate", Action::Activated, product::product),
        map("product.activated", Action::Activated, product::product),
        map("product.archive", Action::Archived, product::product),
        map("product.archived", Action::Archived, product::product),
        map("product.back_in_stock", Action::BackInStock, product::product),
        map("product.created", Action::Created, product::product),
        map("product.deleted", Action::Deleted, product::product),
        map("product.drafted", Action::Updated, product::drafted),
        map("product.out_of_stock", Action::OutOfStock, product::product),
        map("product.updated", Action::Updated, product::product),
        ignore("promotion.created", NoCanonicalEntity),
        ignore("promotion.deleted", NoCanonicalEntity),
        ignore("promotion.updated", NoCanonicalEntity),
        ignore("refund.created", ComponentPending),
        ignore("refund.deleted", ComponentPending),
        ignore("refund.updated", ComponentPending),
        ignore("reimbursement.created", ComponentPending),
        ignore("reimbursement.deleted", ComponentPending),
        ignore("reimbursement.reimbursed", ComponentPending),
        ignore("reimbursement.updated", ComponentPending),
        ignore("report.created", BackOffice),
        ignore("report.deleted", BackOffice),
        ignore("report.updated", BackOffice),
        ignore("return_authorization.canceled", ComponentPending),
        ignore("return_authorization.created", ComponentPending),
        ignore("return_authorization.deleted", ComponentPending),
        ignore("return_authorization.updated", ComponentPending),
        ignore("return_item.canceled", ComponentPending),
        ignore("return_item.created", ComponentPending),
        ignore("return_item.deleted", ComponentPending),
        ignore("return_item.given", ComponentPending),
        ignore("return_item.received", ComponentPending),
        ignore("return_item.updated", ComponentPending),
        ignore("shipment.canceled", ComponentPending),
        ignore("shipment.created", ComponentPending),
        ignore("shipment.deleted", ComponentPending),
        ignore("shipment.resumed", ComponentPending),
        ignore("shipment.shipped", ComponentPending),
        ignore("shipment.updated", ComponentPending),
        ignore("stock_item.created", ComponentPending),
        ignore("stock_item.deleted", ComponentPending),
        ignore("stock_item.updated", ComponentPending),
        ignore("stock_movement.created", ComponentPending),
        ignore("stock_movement.deleted", ComponentPending),
        ignore("stock_movement.updated", ComponentPending),
        ignore("stock_transfer.created", NoCanonicalEntity),
        ignore("stock_transfer.deleted", NoCanonicalEntity),
        ignore("stock_transfer.updated", NoCanonicalEntity),
        ignore("store_credit.created", ComponentPending),
        ignore("store_credit.deleted", ComponentPending),
        ignore("store_credit.updated", ComponentPending),
        map("user.created", Action::Created, customer::customer),
        map("user.deleted", Action::Deleted, customer::customer),
        ignore("user.password_reset", Credential),
        ignore("user.password_reset_requested", Credential),
        map("user.updated", Action::Updated, customer::customer),
        ignore("variant.created", ComponentPending),
        ignore("variant.deleted", ComponentPending),
        ignore("variant.updated", ComponentPending),
        ignore("wished_item.created", ComponentPending),
        ignore("wished_item.deleted", ComponentPending),
        ignore("wished_item.updated", ComponentPending),
        map("wishlist.created", Action::Created, wishlist::wishlist),
        map("wishlist.deleted", Action::Deleted, wishlist::wishlist),
        map("wishlist.updated", Action::Updated, wishlist::wishlist),
    ]
};
