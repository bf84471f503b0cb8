//! What earlier builds did not do with Spree's events. It is what happened, so nothing here ever changes; new chapters are
//! added. Knows no body.

use crate::vendors::OnceIgnored;

pub const ONCE_IGNORED: &[OnceIgnored] = &[OnceIgnored { rule: "component_pending", events: COMPONENTS }];

/// Events about a part of something, which the first build knew by name only.
#[rustfmt::skip]
const COMPONENTS: &[&str] = &[
    "customer_return.created", "customer_return.deleted", "customer_return.updated", "digital.created",
    "digital.deleted", "digital.updated", "digital_link.created", "digital_link.deleted", "digital_link.updated",
    "image.created", "image.deleted", "image.updated", "line_item.created", "line_item.deleted", "line_item.updated",
    "media.created", "media.deleted", "media.updated", "newsletter_subscriber.created",
    "newsletter_subscriber.deleted", "newsletter_subscriber.subscribed", "newsletter_subscriber.updated",
    "newsletter_subscriber.verified", "payment.completed", "payment.created", "payment.deleted", "payment.paid",
    "payment.updated", "payment.voided", "payment_session.canceled", "payment_session.completed",
    "payment_session.created", "payment_session.deleted", "payment_session.expired", "payment_session.failed",
    "payment_session.processing", "payment_session.updated", "payment_setup_session.canceled",
    "payment_setup_session.completed", "payment_setup_session.created", "payment_setup_session.deleted",
    "payment_setup_session.expired", "payment_setup_session.failed", "payment_setup_session.processing",
    "payment_setup_session.updated", "price.created", "price.deleted", "price.updated", "refund.created",
    "refund.deleted", "refund.updated", "reimbursement.created", "reimbursement.deleted", "reimbursement.reimbursed",
    "reimbursement.updated", "return_authorization.canceled", "return_authorization.created",
    "return_authorization.deleted", "return_authorization.updated", "return_item.canceled", "return_item.created",
    "return_item.deleted", "return_item.given", "return_item.received", "return_item.updated", "shipment.canceled",
    "shipment.created", "shipment.deleted", "shipment.resumed", "shipment.shipped", "shipment.updated",
    "stock_item.created", "stock_item.deleted", "stock_item.updated", "stock_movement.created",
    "stock_movement.deleted", "stock_movement.updated", "store_credit.created", "store_credit.deleted",
    "store_credit.updated", "variant.created", "variant.deleted", "variant.updated", "wished_item.created",
    "wished_item.deleted", "wished_item.updated",
];
