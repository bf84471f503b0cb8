//! Spree Commerce: one envelope a webhook, `{id, name, created_at, data, metadata}`, where `name` is
//! `<resource>.<action>` and `data` the resource as Spree's API writes it.
//!
//! What surprises people:
//! * Two shapes are about, both called 5.4.0: the documented one and the released one, with other keys. Every mapping
//!   reads both, by the keys that are there, the documented one first.
//! * A cart is an order that is not complete, so `order.*` is a cart or an order by what is in it ([`order`]).
//! * A deletion carries the whole object as it was: only its name says that it is gone.
//! * A resource without a serializer is sent as `{id, created_at, updated_at}`, which is thin and not malformed.
//! * Most events are about a part of something, and many of those do not say of what: no payment names its order.
//!
//! Knows neither Kafka, nor Avro, nor metrics, nor the clock, nor another vendor.

mod cart;
mod cart_parts;
mod customer;
mod customer_parts;
mod history;
mod order;
mod order_parts;
#[cfg(test)]
mod part_tests;
mod product;
mod product_parts;
mod shared;
#[cfg(test)]
mod tests;
mod wishlist;

use super::cursor::{Node, Rule, Why};
use super::documents::Documents;
use super::{Envelope, EventType, Ignore, Mapped, Mapping, Route, Unit, Vendor, event_type};
use crate::canonical::Action;
use crate::reject::{Code, Reject};
use std::sync::LazyLock;

pub static SPREE: Vendor = Vendor {
    name: "spree",
    recognises,
    open,
    events: EVENTS,
    released: RELEASED,
    documents: &DOCUMENTS,
    drops: DROPS,
    once_ignored: history::ONCE_IGNORED,
};

static DOCUMENTS: LazyLock<Documents> = LazyLock::new(|| Documents::of(include_str!("documents.txt")));

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

/// What released Spree publishes and no page names: read as its family, and counted as drift.
#[rustfmt::skip]
const RELEASED: &[&str] = &[
    "admin.created",
    "admin.deleted",
    "admin.password_reset",
    "admin.password_reset_requested",
    "admin.updated",
    "customer.password_reset",
    "customer.password_reset_requested",
    "gift_card.partially_redeemed",
    "gift_card.redeemed",
    "import.completed",
    "import_row.completed",
    "import_row.failed",
    "invitation.accepted",
    "invitation.resent",
    "media.created",
    "media.deleted",
    "media.updated",
    "newsletter_subscriber.subscribed",
    "newsletter_subscriber.verified",
    "order.approved",
    "order.deleted",
    "payment.completed",
    "payment.deleted",
    "payment.voided",
    "payment_session.canceled",
    "payment_session.completed",
    "payment_session.expired",
    "payment_session.failed",
    "payment_session.processing",
    "payment_setup_session.canceled",
    "payment_setup_session.completed",
    "payment_setup_session.expired",
    "payment_setup_session.failed",
    "payment_setup_session.processing",
    "product.activated",
    "product.archived",
    "product.drafted",
    "reimbursement.reimbursed",
    "return_authorization.canceled",
    "return_item.canceled",
    "return_item.given",
    "return_item.received",
    "shipment.deleted",
    "user.created",
    "user.deleted",
    "user.password_reset",
    "user.password_reset_requested",
    "user.updated",
];

/// The 115 documented event types, and those of [`RELEASED`]. Sorted by name.
#[rustfmt::skip]
const EVENTS: &[EventType] = {
    use Ignore::{BackOffice, Credential, NoCanonicalEntity};
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
        map("customer_return.created", Action::Created, order_parts::customer_return),
        map("customer_return.deleted", Action::Deleted, order_parts::customer_return),
        map("customer_return.updated", Action::Updated, order_parts::customer_return),
        map("digital.created", Action::Created, product_parts::digital),
        map("digital.deleted", Action::Deleted, product_parts::digital),
        map("digital.updated", Action::Updated, product_parts::digital),
        map("digital_link.created", Action::Created, order_parts::digital_link),
        map("digital_link.deleted", Action::Deleted, order_parts::digital_link),
        map("digital_link.updated", Action::Updated, order_parts::digital_link),
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
        map("image.created", Action::Created, product_parts::image),
        map("image.deleted", Action::Deleted, product_parts::image),
        map("image.updated", Action::Updated, product_parts::image),
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
        map("line_item.created", Action::Created, cart_parts::line_item),
        map("line_item.deleted", Action::Deleted, cart_parts::line_item),
        map("line_item.updated", Action::Updated, cart_parts::line_item),
        map("media.created", Action::Created, product_parts::image),
        map("media.deleted", Action::Deleted, product_parts::image),
        map("media.updated", Action::Updated, product_parts::image),
        map("newsletter_subscriber.created", Action::Created, customer_parts::newsletter_subscriber),
        map("newsletter_subscriber.deleted", Action::Deleted, customer_parts::newsletter_subscriber),
        map("newsletter_subscriber.subscribed", Action::Updated, customer_parts::newsletter_subscriber),
        map("newsletter_subscriber.updated", Action::Updated, customer_parts::newsletter_subscriber),
        map("newsletter_subscriber.verified", Action::Updated, customer_parts::newsletter_subscriber),
        map("order.approved", Action::Updated, order::order_unless_said),
        map("order.canceled", Action::Canceled, order::order_unless_said),
        map("order.completed", Action::Completed, order::order_unless_said),
        map("order.created", Action::Created, order::cart_unless_said),
        map("order.deleted", Action::Deleted, order::cart_unless_said),
        map("order.paid", Action::Paid, order::order_unless_said),
        map("order.resumed", Action::Resumed, order::order_unless_said),
        map("order.shipped", Action::Shipped, order::order_unless_said),
        map("order.updated", Action::Updated, order::cart_unless_said),
        map("payment.completed", Action::Completed, order_parts::payment),
        map("payment.created", Action::Created, order_parts::payment),
        map("payment.deleted", Action::Deleted, order_parts::payment),
        map("payment.paid", Action::Paid, order_parts::payment),
        map("payment.updated", Action::Updated, order_parts::payment),
        map("payment.voided", Action::Updated, order_parts::payment),
        map("payment_session.canceled", Action::Canceled, order_parts::payment_session),
        map("payment_session.completed", Action::Completed, order_parts::payment_session),
        map("payment_session.created", Action::Created, order_parts::payment_session),
        map("payment_session.deleted", Action::Deleted, order_parts::payment_session),
        map("payment_session.expired", Action::Updated, order_parts::payment_session),
        map("payment_session.failed", Action::Updated, order_parts::payment_session),
        map("payment_session.processing", Action::Updated, order_parts::payment_session),
        map("payment_session.updated", Action::Updated, order_parts::payment_session),
        map("payment_setup_session.canceled", Action::Canceled, customer_parts::payment_setup_session),
        map("payment_setup_session.completed", Action::Completed, customer_parts::payment_setup_session),
        map("payment_setup_session.created", Action::Created, customer_parts::payment_setup_session),
        map("payment_setup_session.deleted", Action::Deleted, customer_parts::payment_setup_session),
        map("payment_setup_session.expired", Action::Updated, customer_parts::payment_setup_session),
        map("payment_setup_session.failed", Action::Updated, customer_parts::payment_setup_session),
        map("payment_setup_session.processing", Action::Updated, customer_parts::payment_setup_session),
        map("payment_setup_session.updated", Action::Updated, customer_parts::payment_setup_session),
        ignore("post.created", BackOffice),
        ignore("post.deleted", BackOffice),
        ignore("post.updated", BackOffice),
        ignore("post_category.created", BackOffice),
        ignore("post_category.deleted", BackOffice),
        ignore("post_category.updated", BackOffice),
        map("price.created", Action::Created, product_parts::price),
        map("price.deleted", Action::Deleted, product_parts::price),
        map("price.updated", Action::Updated, product_parts::price),
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
        map("refund.created", Action::Created, order_parts::refund),
        map("refund.deleted", Action::Deleted, order_parts::refund),
        map("refund.updated", Action::Updated, order_parts::refund),
        map("reimbursement.created", Action::Created, order_parts::reimbursement),
        map("reimbursement.deleted", Action::Deleted, order_parts::reimbursement),
        map("reimbursement.reimbursed", Action::Updated, order_parts::reimbursement),
        map("reimbursement.updated", Action::Updated, order_parts::reimbursement),
        ignore("report.created", BackOffice),
        ignore("report.deleted", BackOffice),
        ignore("report.updated", BackOffice),
        map("return_authorization.canceled", Action::Canceled, order_parts::return_authorization),
        map("return_authorization.created", Action::Created, order_parts::return_authorization),
        map("return_authorization.deleted", Action::Deleted, order_parts::return_authorization),
        map("return_authorization.updated", Action::Updated, order_parts::return_authorization),
        map("return_item.canceled", Action::Canceled, order_parts::return_item),
        map("return_item.created", Action::Created, order_parts::return_item),
        map("return_item.deleted", Action::Deleted, order_parts::return_item),
        map("return_item.given", Action::Updated, order_parts::return_item),
        map("return_item.received", Action::Updated, order_parts::return_item),
        map("return_item.updated", Action::Updated, order_parts::return_item),
        map("shipment.canceled", Action::Canceled, order_parts::shipment),
        map("shipment.created", Action::Created, order_parts::shipment),
        map("shipment.deleted", Action::Deleted, order_parts::shipment),
        map("shipment.resumed", Action::Resumed, order_parts::shipment),
        map("shipment.shipped", Action::Shipped, order_parts::shipment),
        map("shipment.updated", Action::Updated, order_parts::shipment),
        map("stock_item.created", Action::Created, product_parts::stock_item),
        map("stock_item.deleted", Action::Deleted, product_parts::stock_item),
        map("stock_item.updated", Action::Updated, product_parts::stock_item),
        map("stock_movement.created", Action::Created, product_parts::stock_movement),
        map("stock_movement.deleted", Action::Deleted, product_parts::stock_movement),
        map("stock_movement.updated", Action::Updated, product_parts::stock_movement),
        ignore("stock_transfer.created", NoCanonicalEntity),
        ignore("stock_transfer.deleted", NoCanonicalEntity),
        ignore("stock_transfer.updated", NoCanonicalEntity),
        map("store_credit.created", Action::Created, customer_parts::store_credit),
        map("store_credit.deleted", Action::Deleted, customer_parts::store_credit),
        map("store_credit.updated", Action::Updated, customer_parts::store_credit),
        map("user.created", Action::Created, customer::customer),
        map("user.deleted", Action::Deleted, customer::customer),
        ignore("user.password_reset", Credential),
        ignore("user.password_reset_requested", Credential),
        map("user.updated", Action::Updated, customer::customer),
        map("variant.created", Action::Created, product_parts::variant),
        map("variant.deleted", Action::Deleted, product_parts::variant),
        map("variant.updated", Action::Updated, product_parts::variant),
        map("wished_item.created", Action::Created, cart_parts::wished_item),
        map("wished_item.deleted", Action::Deleted, cart_parts::wished_item),
        map("wished_item.updated", Action::Updated, cart_parts::wished_item),
        map("wishlist.created", Action::Created, wishlist::wishlist),
        map("wishlist.deleted", Action::Deleted, wishlist::wishlist),
        map("wishlist.updated", Action::Updated, wishlist::wishlist),
    ]
};
