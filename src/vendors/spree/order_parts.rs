//! Payments, payment sessions, shipments, refunds, returns and downloads: one part of an [`Order`]. Few of them name the
//! order; one that does not has none, whatever else it names. Knows no whole order.

use super::order::{payment as of_payment, shipment as of_shipment};
use super::shared::{digital_link as link, id_or_of, part};
use super::{Envelope, Mapped};
use crate::canonical::{
    Action, Entity, FulfillmentStatus, LineItem, Order, Payment, PaymentSession, PaymentSessionStatus, Refund, Return,
    ReturnItem, ReturnKind, ReturnStatus, Text, forms,
};
use crate::reject::Reject;
use crate::vendors::cursor::Node;

pub(super) fn payment<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let data = envelope.data;
    let order = Order { payments: vec![of_payment(data, None)?], ..Order::default() };
    part(data, action, "payment", Entity::Order(Box::new(order)), &["payments"])
}

/// The payment that came of it is the session's: in `payments` it would be a second component.
pub(super) fn payment_session<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let data = envelope.data;
    let (status, vendor_status) = data.word("status", session_status, PaymentSessionStatus::Unknown)?;
    let method = data.child("payment_method")?;
    let session = PaymentSession {
        id: data.id("id")?,
        status,
        vendor_status,
        amount: data.money("amount")?,
        currency: data.form("currency", forms::currency)?,
        external_id: data.id("external_id")?,
        method_id: id_or_of(data, "payment_method_id", method)?,
        method_name: method.text("name")?,
        provider: method.text("type")?,
        payment_id: data.child("payment")?.id("id")?,
        expires_at: data.time("expires_at")?,
        created_at: data.time("created_at")?,
        method_description: method.text("description")?,
        session_required: method.boolean("session_required")?,
        payment: paid_with(data)?,
    };
    let order = Order { id: data.id("order_id")?, payment_sessions: vec![session], ..Order::default() };
    part(data, action, "payment_session", Entity::Order(Box::new(order)), &["payment_sessions"])
}

/// The payment of a session as its own events map it. Its id is the session's `payment_id`.
fn paid_with<'a>(session: Node<'a>) -> Result<Option<Payment<'a>>, Reject> {
    let payment = session.object("payment", |payment| Ok(Payment { id: None, ..of_payment(payment, None)? }))?;
    Ok(payment.filter(|payment| *payment != Payment::default()))
}

fn session_status(status: &str) -> Option<PaymentSessionStatus> {
    Some(match status {
        "pending" => PaymentSessionStatus::Pending,
        "processing" => PaymentSessionStatus::Processing,
        "completed" => PaymentSessionStatus::Completed,
        "failed" => PaymentSessionStatus::Failed,
        "canceled" => PaymentSessionStatus::Canceled,
        "expired" => PaymentSessionStatus::Expired,
        _ => return None,
    })
}

/// Released Spree sends nothing but the id and times: what happened to a shipment, only the event's name says.
pub(super) fn shipment<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let data = envelope.data;
    let mut shipment = of_shipment(data, None)?;
    shipment.status = shipment.status.or(match action {
        Action::Shipped => Some(FulfillmentStatus::Shipped),
        Action::Canceled => Some(FulfillmentStatus::Canceled),
        _ => None,
    });
    let order = Order { shipments: vec![shipment], ..Order::default() };
    part(data, action, "shipment", Entity::Order(Box::new(order)), &["shipments"])
}

pub(super) fn refund<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let data = envelope.data;
    let refund = Refund {
        id: data.id("id")?,
        payment_id: data.id("payment_id")?,
        amount: data.money("amount")?,
        transaction_id: data.id("transaction_id")?,
        reason_id: data.id("refund_reason_id")?,
        reimbursement_id: data.id("reimbursement_id")?,
        created_at: data.time("created_at")?,
    };
    let order = Order { refunds: vec![refund], ..Order::default() };
    part(data, action, "refund", Entity::Order(Box::new(order)), &["refunds"])
}

pub(super) fn reimbursement<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let data = envelope.data;
    let (status, vendor_status) = data.word("reimbursement_status", return_status, ReturnStatus::Unknown)?;
    let reimbursement = Return {
        id: data.id("id")?,
        kind: Some(ReturnKind::Reimbursement),
        number: data.text("number")?,
        status,
        vendor_status,
        total: data.money("total")?,
        stock_location_id: None,
        reason_id: None,
        customer_return_id: data.id("customer_return_id")?,
        items: Vec::new(),
        created_at: data.time("created_at")?,
    };
    returned(data, action, "reimbursement", data.id("order_id")?, reimbursement)
}

pub(super) fn return_authorization<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let data = envelope.data;
    let (status, vendor_status) = data.word(["state", "status"], return_status, ReturnStatus::Unknown)?;
    let authorization = Return {
        id: data.id("id")?,
        kind: Some(ReturnKind::Authorization),
        number: data.text("number")?,
        status,
        vendor_status,
        total: None,
        stock_location_id: data.id("stock_location_id")?,
        reason_id: data.id("return_authorization_reason_id")?,
        customer_return_id: None,
        items: Vec::new(),
        created_at: data.time("created_at")?,
    };
    returned(data, action, "return_authorization", data.id("order_id")?, authorization)
}

pub(super) fn customer_return<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let data = envelope.data;
    let customer_return = Return {
        id: data.id("id")?,
        kind: Some(ReturnKind::Return),
        number: data.text("number")?,
        status: None,
        vendor_status: None,
        total: None,
        stock_location_id: data.id("stock_location_id")?,
        reason_id: None,
        customer_return_id: None,
        items: Vec::new(),
        created_at: data.time("created_at")?,
    };
    returned(data, action, "customer_return", None, customer_return)
}

/// A piece of an authorization; of the goods that came back, where nobody had authorized it.
pub(super) fn return_item<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let data = envelope.data;
    let authorization_id = data.id("return_authorization_id")?;
    let customer_return_id = data.id("customer_return_id")?;
    let kind = match (&authorization_id, &customer_return_id) {
        (Some(_), _) => Some(ReturnKind::Authorization),
        (None, Some(_)) => Some(ReturnKind::Return),
        (None, None) => None,
    };
    let around = Return {
        id: authorization_id.or_else(|| customer_return_id.clone()),
        kind,
        number: None,
        status: None,
        vendor_status: None,
        total: None,
        stock_location_id: None,
        reason_id: None,
        customer_return_id,
        items: vec![item(data)?],
        created_at: None,
    };
    returned(data, action, "return_item", None, around)
}

fn item(item: Node<'_>) -> Result<ReturnItem<'_>, Reject> {
    Ok(ReturnItem {
        id: item.id("id")?,
        reception_status: item.id("reception_status")?,
        acceptance_status: item.id("acceptance_status")?,
        pre_tax_amount: item.money("pre_tax_amount")?,
        tax_included_total: item.money("included_tax_total")?,
        tax_additional_total: item.money("additional_tax_total")?,
        exchange_variant_id: item.id("exchange_variant_id")?,
        reimbursement_id: item.id("reimbursement_id")?,
        created_at: item.time("created_at")?,
    })
}

fn returned<'a>(
    data: Node<'a>,
    action: Action,
    kind: &'static str,
    order_id: Option<Text<'a>>,
    part_of_it: Return<'a>,
) -> Result<Mapped<'a>, Reject> {
    let order = Order { id: order_id, returns: vec![part_of_it], ..Order::default() };
    part(data, action, kind, Entity::Order(Box::new(order)), &["returns"])
}

/// Of authorizations and of reimbursements: they have no word in common.
fn return_status(status: &str) -> Option<ReturnStatus> {
    Some(match status {
        "authorized" => ReturnStatus::Authorized,
        "canceled" => ReturnStatus::Canceled,
        "pending" => ReturnStatus::Pending,
        "reimbursed" => ReturnStatus::Reimbursed,
        "errored" => ReturnStatus::Errored,
        _ => return None,
    })
}

/// Of a line that it does not name.
pub(super) fn digital_link<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let data = envelope.data;
    let line = LineItem { digital_links: vec![link(data)?], ..LineItem::default() };
    let order = Order { line_items: vec![line], ..Order::default() };
    part(data, action, "digital_link", Entity::Order(Box::new(order)), &["line_items"])
}
