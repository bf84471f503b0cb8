//! `order.*`: an [`Order`] once it is complete; until then it is a cart, and none of this file's business but to say so.
//! Knows no other event.

use super::shared::{address, coverage, currency_or, discount, id_or_of, in_currency_of, line_item, store_credit};
use super::{Envelope, Mapped, cart};
use crate::canonical::{
    Action, Address, Attributes, Coverage, Entity, FulfillmentStatus, Order, OrderPaymentStatus, OrderStatus, Payment,
    PaymentStatus, Shipment, ShipmentItem, StoreCredit, Text, forms,
};
use crate::reject::Reject;
use crate::vendors::cursor::Node;
use crate::vendors::present;
use std::borrow::Cow;

/// An event that only an order can have, should its body not say whether it is complete.
pub(super) fn order_unless_said<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    match is_complete(envelope.data).unwrap_or(true) {
        true => order(envelope, action),
        false => cart::cart(envelope, action),
    }
}

/// An event that a cart can have too, should its body not say whether it is complete.
pub(super) fn cart_unless_said<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    match is_complete(envelope.data).unwrap_or(false) {
        true => order(envelope, action),
        false => cart::cart(envelope, action),
    }
}

fn is_complete(data: Node<'_>) -> Option<bool> {
    data.has("completed_at").then(|| !data.is_null("completed_at"))
}

/// What a body with nothing but times says. `id` is always there.
const SAID: &[(&str, &str)] = &[
    ("id", "cart_id"),
    ("completed_at", "placed_at"),
    ("completed_at", "completed_at"),
    ("canceled_at", "canceled_at"),
    ("created_at", "created_at"),
    ("updated_at", "updated_at"),
];

fn order<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let data = envelope.data;
    let id = data.require_id("id")?;
    let (status, vendor_status) = data.word("state", status, OrderStatus::Unknown)?;
    let (payment_status, vendor_payment_status) =
        data.word(["payment_state", "payment_status"], payment_state, OrderPaymentStatus::Unknown)?;
    let (fulfillment_status, vendor_fulfillment_status) =
        data.word(["shipment_state", "fulfillment_status"], shipment_state, FulfillmentStatus::Unknown)?;
    let currency = data.form("currency", forms::currency)?;
    let market = data.child("market")?;
    let completed_at = data.time("completed_at")?;
    let updated_at = data.time("updated_at")?;
    let order = Order {
        id: Some(id.clone()),
        external_id: None,
        number: data.text("number")?,
        display_number: None,
        // It was a cart under the same id.
        cart_id: Some(id),
        status,
        vendor_status,
        payment_status,
        vendor_payment_status,
        fulfillment_status,
        vendor_fulfillment_status,
        currency: currency.clone(),
        locale: data.form("locale", forms::locale)?,
        test: None,
        channel: None,
        created_via: None,
        client_ip: None,
        // An order names no customer, only an e-mail address.
        customer: None,
        account: None,
        email: data.text("email")?,
        billing_address: data.object(["bill_address", "billing_address"], address)?,
        shipping_addresses: data.object(["ship_address", "shipping_address"], address)?.into_iter().collect(),
        line_items: data.list("items", |item| line_item(item, currency.as_ref()))?,
        shipments: data.list(["shipments", "fulfillments"], |item| shipment(item, currency.as_ref()))?,
        payments: data.list("payments", |item| payment(item, currency.as_ref()))?,
        payment_sessions: Vec::new(),
        refunds: Vec::new(),
        returns: Vec::new(),
        discounts: data.list(["promotions", "discounts"], |item| discount(item, currency.as_ref()))?,
        taxes: Vec::new(),
        shipping_method: None,
        shipping_method_code: None,
        item_count: data.long(["item_count", "total_quantity"])?,
        subtotal: None,
        item_total: data.money("item_total")?,
        item_tax_total: None,
        shipping_total: data.money(["ship_total", "delivery_total"])?,
        shipping_tax: None,
        discount_total: data.negative_discount(["promo_total", "discount_total"])?,
        has_subtotal_discount: None,
        adjustment_total: data.money("adjustment_total")?,
        tax_total: data.money("tax_total")?,
        tax_included_total: data.money("included_tax_total")?,
        tax_additional_total: data.money("additional_tax_total")?,
        tax_inclusive: market.boolean("tax_inclusive")?,
        total: data.money("total")?,
        amount_due: data.money("amount_due")?,
        gift_card_total: data.money("gift_card_total")?,
        store_credit_total: data.money("store_credit_total")?,
        refunded_total: None,
        note: data.text(["special_instructions", "customer_note"])?,
        public_note: None,
        store: None,
        market_id: id_or_of(data, "market_id", market)?,
        tax_exemption_id: None,
        attributes: Attributes::default(),
        placed_at: completed_at,
        completed_at,
        canceled_at: data.time("canceled_at")?,
        created_at: data.time("created_at")?,
        updated_at,
        deleted_at: None,
    };
    let coverage = coverage(data, action, Coverage::Snapshot)?;
    Ok(Mapped {
        entity: Entity::Order(Box::new(order)),
        action,
        coverage,
        present: if coverage == Coverage::Patch { present(data, SAID) } else { Cow::Borrowed(&[]) },
        component: None,
        clock: updated_at,
        is_identified_by_body: false,
    })
}

fn status(state: &str) -> Option<OrderStatus> {
    Some(match state {
        "complete" | "resumed" => OrderStatus::Placed,
        "canceled" => OrderStatus::Canceled,
        "awaiting_return" => OrderStatus::ReturnPending,
        "returned" => OrderStatus::Returned,
        _ => return None,
    })
}

fn payment_state(state: &str) -> Option<OrderPaymentStatus> {
    Some(match state {
        "balance_due" => OrderPaymentStatus::Pending,
        "credit_owed" => OrderPaymentStatus::Overpaid,
        "failed" => OrderPaymentStatus::Failed,
        "paid" => OrderPaymentStatus::Paid,
        "void" => OrderPaymentStatus::Voided,
        _ => return None,
    })
}

/// Of an order; a shipment has some of the same words.
fn shipment_state(state: &str) -> Option<FulfillmentStatus> {
    Some(match state {
        "backorder" => FulfillmentStatus::Backordered,
        "canceled" => FulfillmentStatus::Canceled,
        "partial" => FulfillmentStatus::Partial,
        "pending" => FulfillmentStatus::Pending,
        "ready" => FulfillmentStatus::Ready,
        "shipped" => FulfillmentStatus::Shipped,
        _ => return None,
    })
}

pub(super) fn shipment<'a>(shipment: Node<'a>, of_order: Option<&Text<'a>>) -> Result<Shipment<'a>, Reject> {
    in_currency_of(shipment, of_order)?;
    let (status, vendor_status) = shipment.word(["state", "status"], shipment_state, FulfillmentStatus::Unknown)?;
    let method = shipment.child(["shipping_method", "delivery_method"])?;
    let location = shipment.child("stock_location")?;
    Ok(Shipment {
        id: shipment.id("id")?,
        number: shipment.text("number")?,
        r#type: shipment.text("fulfillment_type")?,
        status,
        vendor_status,
        method_id: method.id("id")?,
        method: method.text("name")?,
        method_code: method.text("code")?,
        carrier_code: None,
        tracking_number: shipment.text("tracking")?,
        tracking_url: shipment.text("tracking_url")?,
        cost: shipment.money("cost")?,
        item_total: None,
        discount_total: None,
        pre_tax_total: None,
        tax_total: None,
        shipping_tax: None,
        tax_inclusive: None,
        tax_calculation_method: None,
        tax_document_id: None,
        total: None,
        taxes: Vec::new(),
        stock_location_id: location.id("id")?,
        stock_location_name: location.text("name")?,
        origin_address: origin(location)?,
        line_items: shipment.list("items", shipment_item)?,
        shipped_at: shipment.time(["shipped_at", "fulfilled_at"])?,
        created_at: shipment.time("created_at")?,
        updated_at: shipment.time("updated_at")?,
    })
}

/// Where a stock location is, if it says so. Its id and its name are the shipment's.
fn origin<'a>(location: Node<'a>) -> Result<Option<Address<'a>>, Reject> {
    let origin = Address { id: None, ..address(location)? };
    Ok(Some(origin).filter(|origin| *origin != Address::default()))
}

fn shipment_item<'a>(item: Node<'a>) -> Result<ShipmentItem<'a>, Reject> {
    Ok(ShipmentItem { id: item.id("item_id")?, variant_id: item.id("variant_id")?, quantity: item.long("quantity")? })
}

pub(super) fn payment<'a>(payment: Node<'a>, of_order: Option<&Text<'a>>) -> Result<Payment<'a>, Reject> {
    let (status, vendor_status) = payment.word(["state", "status"], payment_status, PaymentStatus::Unknown)?;
    let method = payment.child("payment_method")?;
    let source = payment.child("source")?;
    Ok(Payment {
        id: payment.id("id")?,
        number: payment.text("number")?,
        // One payment goes through all of it.
        kind: None,
        vendor_kind: None,
        status,
        vendor_status,
        amount: payment.money("amount")?,
        currency: currency_or(payment, of_order)?,
        method_id: id_or_of(payment, "payment_method_id", method)?,
        method_name: method.text("name")?,
        provider: method.text("type")?,
        source_type: payment.text("source_type")?,
        source_id: id_or_of(payment, "source_id", source)?,
        source_name: None,
        single_reserve: None,
        supports_multiple_charges: None,
        card_brand: source.text(["cc_type", "brand"])?,
        card_last4: source.text(["last_digits", "last4"])?,
        card_exp_month: source.long("month")?,
        card_exp_year: source.long("year")?,
        card_holder_name: source.text("name")?,
        description: None,
        transaction_id: payment.id("response_code")?,
        transactions: Vec::new(),
        processed_at: None,
        created_at: payment.time("created_at")?,
        updated_at: payment.time("updated_at")?,
        method_description: method.text("description")?,
        session_required: method.boolean("session_required")?,
        is_default_source: source.boolean("default")?,
        store_credit: credit(source)?,
    })
}

/// What the source of a payment says of itself, if it is a store credit. Its id is the payment's `source_id`.
fn credit<'a>(source: Node<'a>) -> Result<Option<StoreCredit<'a>>, Reject> {
    let credit = store_credit(source, None)?;
    Ok(Some(credit).filter(|credit| *credit != StoreCredit::default()))
}

fn payment_status(state: &str) -> Option<PaymentStatus> {
    Some(match state {
        "checkout" => PaymentStatus::Created,
        "processing" => PaymentStatus::Processing,
        "pending" => PaymentStatus::Authorized,
        "failed" => PaymentStatus::Failed,
        "completed" => PaymentStatus::Captured,
        "void" => PaymentStatus::Voided,
        "invalid" => PaymentStatus::Invalid,
        _ => return None,
    })
}
