//! `order.saved`, `order.deleted` → [`Order`]. Amounts are decimal texts, of Magento with four decimals or `""`; the
//! currency may be left out. Knows neither Kafka, nor Avro, nor metrics, nor the clock, nor any other vendor.

use super::super::cursor::Node;
use super::super::{Envelope, Mapped};
use super::shared;
use crate::canonical::{
    Action, Address, Entity, FulfillmentStatus, LineItem, Order, OrderPaymentStatus, OrderStatus, Party, Payment,
    PaymentKind, PaymentStatus, Tax, Transaction, forms,
};
use crate::reject::Reject;

pub(super) fn saved<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let body = envelope.data;
    let id = body.require_id("platform_id")?;
    let (status, vendor_status) = body.word("order_status", order_status, OrderStatus::Unknown)?;
    let (payment_status, vendor_payment_status) =
        body.word("financial_status", financial_status, OrderPaymentStatus::Unknown)?;
    let (fulfillment_status, vendor_fulfillment_status) =
        body.word("fulfillment_status", fulfillment_status, FulfillmentStatus::Unknown)?;
    let billing_address = billing_address(body)?;
    let order = Order {
        id: Some(id),
        external_id: None,
        number: body.id("order_number")?,
        display_number: body.id("platform_friendly_id")?,
        cart_id: None,
        status,
        vendor_status,
        payment_status,
        vendor_payment_status,
        fulfillment_status,
        vendor_fulfillment_status,
        currency: body.form("currency", forms::currency)?,
        locale: body.form("locale", forms::locale)?,
        test: body.boolean("test")?,
        channel: body.id("source")?,
        created_via: body.id("created_via")?,
        client_ip: body.id("browser_ip")?,
        customer: customer(body)?,
        account: None,
        // The only one of a guest. That of a shipping address may be the recipient's.
        email: billing_address.as_ref().and_then(|address| address.email.clone()).filter(|email| !email.is_empty()),
        billing_address,
        shipping_addresses: body.list("shipping_addresses", shared::address)?,
        line_items: body.list("line_items", line_item)?,
        shipments: Vec::new(),
        payments: body.list("payments", payment)?,
        payment_sessions: Vec::new(),
        refunds: Vec::new(),
        returns: Vec::new(),
        // `discounts` has a shape that no source confirms: it stays unread.
        discounts: Vec::new(),
        // Those of the lines are with the lines.
        taxes: body.list("shipping_taxes", tax)?,
        shipping_method: body.text("shipping_method")?,
        shipping_method_code: body.id("shipping_code")?,
        item_count: None,
        subtotal: body.money("subtotal")?,
        item_total: None,
        item_tax_total: body.money("subtotal_tax")?,
        shipping_total: body.money("shipping_subtotal")?,
        shipping_tax: body.money("shipping_tax")?,
        // Documented as positive; Magento's is negative.
        discount_total: body.positive_discount("discount")?,
        has_subtotal_discount: None,
        adjustment_total: None,
        tax_total: body.money("total_tax")?,
        tax_included_total: None,
        tax_additional_total: None,
        tax_inclusive: None,
        total: body.money("total")?,
        amount_due: None,
        gift_card_total: None,
        store_credit_total: None,
        refunded_total: body.money("refunded_amount")?,
        note: body.text("notes")?,
        public_note: body.text("public_notes")?,
        store: None,
        market_id: None,
        tax_exemption_id: None,
        attributes: shared::custom_attributes(body)?,
        placed_at: body.time("placed_at")?,
        completed_at: None,
        canceled_at: None,
        created_at: None,
        updated_at: body.time("platform_updated_at")?,
        deleted_at: body.time("platform_deleted_at")?,
    };
    let (clock, has_email) = (order.updated_at, order.email.is_some());
    let mut mapped = shared::saved(Entity::Order(Box::new(order)), action, clock, body, SAID);
    if has_email {
        mapped.present.to_mut().push("email");
    }
    Ok(mapped)
}

/// Bold's key, and the canonical field that it says something of. `email` comes with the billing address.
const SAID: &[(&str, &str)] = &[
    ("order_number", "number"),
    ("platform_friendly_id", "display_number"),
    ("order_status", "status"),
    ("order_status", "vendor_status"),
    ("financial_status", "payment_status"),
    ("financial_status", "vendor_payment_status"),
    ("fulfillment_status", "fulfillment_status"),
    ("fulfillment_status", "vendor_fulfillment_status"),
    ("currency", "currency"),
    ("locale", "locale"),
    ("test", "test"),
    ("source", "channel"),
    ("created_via", "created_via"),
    ("browser_ip", "client_ip"),
    ("platform_customer_id", "customer.id"),
    ("billing_address", "billing_address"),
    ("billing_addresses", "billing_address"),
    ("shipping_addresses", "shipping_addresses"),
    ("line_items", "line_items"),
    ("payments", "payments"),
    ("shipping_method", "shipping_method"),
    ("shipping_code", "shipping_method_code"),
    ("subtotal", "subtotal"),
    ("subtotal_tax", "item_tax_total"),
    ("shipping_subtotal", "shipping_total"),
    ("shipping_tax", "shipping_tax"),
    ("shipping_taxes", "taxes"),
    ("discount", "discount_total"),
    ("total_tax", "tax_total"),
    ("total", "total"),
    ("refunded_amount", "refunded_total"),
    ("notes", "note"),
    ("public_notes", "public_note"),
    ("custom_attributes", "attributes"),
    ("placed_at", "placed_at"),
    ("platform_updated_at", "updated_at"),
    ("platform_deleted_at", "deleted_at"),
];

pub(super) fn deleted<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let id = Some(envelope.data.require_id("platform_id")?);
    let deleted_at = envelope.data.time("platform_deleted_at")?;
    let order = Order { id, deleted_at, ..Order::default() };
    Ok(shared::deleted(Entity::Order(Box::new(order)), action, deleted_at))
}

fn order_status(word: &str) -> Option<OrderStatus> {
    match word {
        "active" => Some(OrderStatus::Placed),
        "cancelled" => Some(OrderStatus::Canceled),
        _ => None,
    }
}

/// Only the first save says it: later on it may be out of date.
fn financial_status(word: &str) -> Option<OrderPaymentStatus> {
    match word {
        "held_for_review" => Some(OrderPaymentStatus::Held),
        "disputed" => Some(OrderPaymentStatus::Disputed),
        "cancelled" => Some(OrderPaymentStatus::Canceled),
        "pending" => Some(OrderPaymentStatus::Pending),
        "preauthed" => Some(OrderPaymentStatus::Authorized),
        "refunded" => Some(OrderPaymentStatus::Refunded),
        "partially_paid" => Some(OrderPaymentStatus::PartiallyPaid),
        "partially_refunded" => Some(OrderPaymentStatus::PartiallyRefunded),
        "paid" => Some(OrderPaymentStatus::Paid),
        _ => None,
    }
}

fn fulfillment_status(word: &str) -> Option<FulfillmentStatus> {
    match word {
        "pending" => Some(FulfillmentStatus::Pending),
        "partial" => Some(FulfillmentStatus::Partial),
        "delivered" => Some(FulfillmentStatus::Delivered),
        "fulfilled" => Some(FulfillmentStatus::Shipped),
        _ => None,
    }
}

/// A guest's id is `""`.
fn customer(order: Node<'_>) -> Result<Option<Party<'_>>, Reject> {
    let id = order.id("platform_customer_id")?;
    Ok(id.map(|id| Party {
        id: Some(id),
        external_id: None,
        r#type: None,
        vendor_type: None,
        status: None,
        vendor_status: None,
        email: None,
        first_name: None,
        last_name: None,
        phone: None,
        locale: None,
        segments: Vec::new(),
        first_time_buyer: None,
        consents: Vec::new(),
    }))
}

/// One object under the key that is read, one object under the key that Magento writes; a list is taken in good part
/// too, and what comes after its first stays unread.
fn billing_address(order: Node<'_>) -> Result<Option<Address<'_>>, Reject> {
    const KEYS: [&str; 2] = ["billing_address", "billing_addresses"];
    let given = order.value(KEYS)?;
    if given.is_list() {
        return given.items()?.next().map(shared::address).transpose();
    }
    order.object(KEYS, shared::address)
}

fn line_item(line: Node<'_>) -> Result<LineItem<'_>, Reject> {
    let (weight, weight_unit) = shared::weight(line)?;
    Ok(LineItem {
        id: line.id("platform_id")?,
        parent_id: None,
        cart_line_item_id: line.id("cart_line_item_platform_id")?,
        product_id: line.id("platform_product_id")?,
        variant_id: line.id("platform_variant_id")?,
        sku: line.id("sku")?,
        name: line.text("title")?,
        slug: None,
        url: line.id("url")?,
        image_url: line.id("image")?,
        options_text: None,
        options: Vec::new(),
        quantity: line.long("quantity")?,
        unit_price: line.money("price_per_item")?,
        list_price: None,
        sale_price: None,
        promo_price: None,
        compare_at_price: None,
        subtotal: line.money("subtotal")?,
        unit_discount: line.positive_discount("discount_per_item")?,
        discount_total: None,
        discounted_subtotal: line.money("discounted_subtotal")?,
        savings: None,
        pre_tax_total: None,
        tax_total: line.money("total_tax")?,
        tax_included_total: None,
        tax_additional_total: None,
        adjustment_total: None,
        total: line.money("total")?,
        currency: None,
        taxes: line.list("taxes", tax)?,
        requires_shipping: line.boolean("requires_shipping")?,
        taxable: line.boolean("taxable")?,
        weight,
        weight_unit,
        grams: line.decimal("grams")?,
        inventory_allocated: None,
        available_at: None,
        available_until: None,
        digital_links: Vec::new(),
        attributes: shared::custom_attributes(line)?,
        created_at: None,
        updated_at: None,
        price_list_id: None,
        is_master: None,
        inventory_tracking: None,
        vendor_inventory_tracking: None,
        in_stock: None,
        purchasable: None,
        backorderable: None,
        width: None,
        height: None,
        depth: None,
    })
}

fn tax(tax: Node<'_>) -> Result<Tax<'_>, Reject> {
    Ok(Tax {
        name: tax.text("name")?,
        code: None,
        rate: None,
        // A fraction, or percent from Magento: nothing says which.
        vendor_rate: tax.id("rate")?,
        amount: tax.money("amount")?,
        jurisdiction: None,
        region: None,
        tag: tax.text("tag")?,
        calculated_at: None,
    })
}

fn payment(payment: Node<'_>) -> Result<Payment<'_>, Reject> {
    let (status, vendor_status) = payment.word("status", payment_status, PaymentStatus::Unknown)?;
    Ok(Payment {
        id: payment.id("platform_id")?,
        number: None,
        kind: None,
        vendor_kind: None,
        status,
        vendor_status,
        amount: payment.money("amount_planned")?,
        currency: payment.form("currency", forms::currency)?,
        method_id: None,
        method_name: payment.text("payment_method")?,
        provider: payment.id("provider")?,
        source_type: None,
        source_id: None,
        source_name: None,
        single_reserve: None,
        supports_multiple_charges: None,
        card_brand: None,
        card_last4: None,
        card_exp_month: None,
        card_exp_year: None,
        card_holder_name: None,
        description: payment.text("description")?,
        transaction_id: None,
        transactions: payment.list("transactions", transaction)?,
        processed_at: None,
        created_at: None,
        updated_at: None,
        method_description: None,
        session_required: None,
        is_default_source: None,
        store_credit: None,
    })
}

/// An open list, of which one word was seen.
fn payment_status(word: &str) -> Option<PaymentStatus> {
    (word == "paid").then_some(PaymentStatus::Paid)
}

fn transaction(transaction: Node<'_>) -> Result<Transaction<'_>, Reject> {
    let (kind, vendor_kind) = transaction.word("type", transaction_kind, PaymentKind::Unknown)?;
    let (status, vendor_status) = transaction.word("status", transaction_status, PaymentStatus::Unknown)?;
    Ok(Transaction {
        id: transaction.id("platform_id")?,
        kind,
        vendor_kind,
        status,
        vendor_status,
        amount: transaction.money("amount")?,
        currency: transaction.form("currency", forms::currency)?,
        transaction_id: transaction.id("provider_transaction_id")?,
    })
}

/// A void shows as an authorization.
fn transaction_kind(word: &str) -> Option<PaymentKind> {
    match word {
        "authorization" => Some(PaymentKind::Reserve),
        "charge" => Some(PaymentKind::Charge),
        "refund" => Some(PaymentKind::Refund),
        _ => None,
    }
}

/// Bold's own reader knows one word of failure and takes every other for success.
fn transaction_status(word: &str) -> Option<PaymentStatus> {
    Some(if word == "failure" { PaymentStatus::Failed } else { PaymentStatus::Succeeded })
}

#[cfg(test)]
mod tests {
    use super::super::BOLD;
    use crate::vendors::testing::translate;
    use serde_json::{Value, json};

    fn order(said: Value) -> Value {
        let mut body = json!({"platform_id": "1", "platform_updated_at": "2024-01-01T00:00:00Z"});
        for (key, value) in said.as_object().expect("an object") {
            body[key] = value.clone();
        }
        translate(&BOLD, &json!({"data": {"order": body}}))
    }

    #[test]
    fn a_negative_discount_is_turned_and_kept() {
        let line = json!({"platform_id": "1", "discount_per_item": "-0.5"});
        let out = order(json!({"discount": "-5.00", "line_items": [line]}));
        assert_eq!(out["order"]["discount_total"], "5");
        assert_eq!(out["order"]["line_items"][0]["unit_discount"], "0.5");
        assert_eq!(
            out["extensions"],
            json!({"/data/order/discount": "\"-5.00\"", "/data/order/line_items/0/discount_per_item": "\"-0.5\""})
        );
        let out = order(json!({"discount": "5.00"}));
        assert_eq!(out["order"]["discount_total"], "5");
        assert_eq!(out["extensions"], json!({}));
    }

    #[test]
    fn an_empty_map_may_be_an_empty_list() {
        let line = json!({"platform_id": "1", "custom_attributes": []});
        let out = order(json!({"custom_attributes": [], "discounts": [], "billing_address": [], "line_items": [line]}));
        assert_eq!(out["order"]["attributes"], json!({}));
        assert_eq!(out["order"]["billing_address"], json!(null));
        assert_eq!(out["meta"]["present"], json!(["billing_address", "line_items", "attributes", "updated_at"]));
        assert_eq!(out["extensions"], json!({}));
        assert_eq!(
            order(json!({"custom_attributes": ["x"]})),
            json!({"refused": "field.type", "at": "/data/order/custom_attributes"})
        );
    }

    #[test]
    fn attributes_are_the_values_and_never_secrets() {
        let out = order(json!({
            "custom_attributes": {
                "gift": {"description": "Is it a gift?", "value": true},
                "plain": "text",
                "other": {"kind": "x", "session_token": "SESAME"},
                "bold_cashier_public_order_id": {"description": "handle", "value": "SESAME"},
                "checkout_token": {"description": "handle", "value": "SESAME"},
            },
            "payments": [{"platform_id": "1", "custom_attributes": {"raw": {"description": "", "value": "SESAME"}}}],
        }));
        assert_eq!(out["order"]["attributes"], json!({"gift": "true", "plain": "text", "other": "{\"kind\":\"x\"}"}));
        assert_eq!(out["extensions"], json!({"/data/order/custom_attributes/gift/description": "\"Is it a gift?\""}));
        assert!(!out.to_string().contains("SESAME"), "{out}");
    }

    #[test]
    fn a_guest_is_no_customer_but_something_was_said_of_it() {
        let out = order(json!({"platform_customer_id": "", "refunded_amount": ""}));
        assert_eq!(out["order"]["customer"], json!(null));
        assert_eq!(out["order"]["refunded_total"], json!(null));
        assert_eq!(out["meta"]["present"], json!(["customer.id", "refunded_total", "updated_at"]));
    }

    #[test]
    fn the_email_of_an_order_is_its_billing_address_s() {
        let (a, b) = (json!({"email": "a@example.com"}), json!({"email": "b@example.com"}));
        for billing in [json!({"billing_address": a}), json!({"billing_addresses": [a]})] {
            let out = order(billing);
            assert_eq!(out["order"]["email"], "a@example.com");
            assert_eq!(out["meta"]["present"], json!(["billing_address", "updated_at", "email"]));
        }
        let out = order(json!({"shipping_addresses": [b], "billing_address": {"email": ""}}));
        assert_eq!(out["order"]["email"], json!(null));
        assert_eq!(out["order"]["billing_address"]["email"], "");
        assert_eq!(out["meta"]["present"], json!(["billing_address", "shipping_addresses", "updated_at"]));
        let out = order(json!({"billing_addresses": [a, b]}));
        assert_eq!(out["extensions"], json!({"/data/order/billing_addresses/1": "{\"email\":\"b@example.com\"}"}));
    }

    #[test]
    fn grams_count_where_no_weight_has_a_unit() {
        for (line, weight, unit, left_over) in [
            (json!({"weight": 1.50, "weight_unit": "kg", "grams": 1500}), json!("1.5"), json!("kg"), json!([])),
            (json!({"grams": 0.5}), json!("0.5"), json!("g"), json!([])),
            (json!({"grams": 2, "weight": 7}), json!("2"), json!("g"), json!(["weight"])),
            (json!({"grams": 2, "weight_unit": "kg"}), json!("2"), json!("g"), json!(["weight_unit"])),
            (json!({"grams": 2, "weight": "", "weight_unit": "kg"}), json!("2"), json!("g"), json!(["weight_unit"])),
            (json!({"weight": "", "weight_unit": "kg"}), json!(null), json!("kg"), json!([])),
            (json!({"weight": 7}), json!("7"), json!(null), json!([])),
        ] {
            let mut given = line.clone();
            given["platform_id"] = json!("1");
            let out = order(json!({"line_items": [given]}));
            assert_eq!(out["order"]["line_items"][0]["weight"], weight, "{line}");
            assert_eq!(out["order"]["line_items"][0]["weight_unit"], unit, "{line}");
            let grams = line.get("grams").map_or(json!(null), |grams| json!(grams.to_string()));
            assert_eq!(out["order"]["line_items"][0]["grams"], grams, "{line}");
            let kept: Vec<&str> = out["extensions"].as_object().expect("a map").keys().map(String::as_str).collect();
            let kept: Vec<&str> = kept.iter().filter_map(|pointer| pointer.rsplit('/').next()).collect();
            assert_eq!(json!(kept), left_over, "{line}");
        }
    }

    #[test]
    fn every_word_of_the_page_is_known() {
        let status = |key: &str, field: &str, word: &str| order(json!({key: word}))["order"][field].clone();
        for (word, symbol) in [
            ("held_for_review", "HELD"),
            ("disputed", "DISPUTED"),
            ("cancelled", "CANCELED"),
            ("pending", "PENDING"),
            ("preauthed", "AUTHORIZED"),
            ("refunded", "REFUNDED"),
            ("partially_paid", "PARTIALLY_PAID"),
            ("partially_refunded", "PARTIALLY_REFUNDED"),
            ("paid", "PAID"),
            ("settled", "UNKNOWN"),
        ] {
            assert_eq!(status("financial_status", "payment_status", word), symbol);
        }
        for (word, symbol) in
            [("pending", "PENDING"), ("partial", "PARTIAL"), ("delivered", "DELIVERED"), ("fulfilled", "SHIPPED")]
        {
            assert_eq!(status("fulfillment_status", "fulfillment_status", word), symbol);
        }
        for (word, symbol) in [("active", json!("PLACED")), ("cancelled", json!("CANCELED")), ("", json!(null))] {
            assert_eq!(status("order_status", "status", word), symbol);
        }
    }
}
