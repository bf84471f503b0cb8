//! `ORDER_RELEASED` → a whole order. Knows no carts.

use super::shared::{Locale, Places, account, address, display_name, flatten, locale, modifiers, party, store};
use super::{mapped, subject};
use crate::canonical::{
    Action, Entity, FulfillmentStatus, LineItem, Order, OrderStatus, Payment, PaymentKind, PaymentStatus, Shipment,
    ShipmentItem, Tax, Text, forms,
};
use crate::reject::Reject;
use crate::vendors::cursor::Node;
use crate::vendors::{Envelope, Mapped};

/// What a body with nothing but id and time says.
const BARE: &[(&str, &str)] =
    &[("orderNumber", "id"), ("orderNumber", "number"), ("createdDate", "placed_at"), ("createdDate", "created_at")];

pub fn order<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let order = subject(envelope, "order")?;
    let id = order.require_id("orderNumber")?;
    let created_at = order.millis("createdDate")?;
    let (status, vendor_status) = order.word("status", order_status, OrderStatus::Unknown)?;
    let locale = locale(order)?;
    let (line_items, places) = lines(order, &locale)?;
    let billing = [order.child("billingAddress")?, order.child("billingContact")?];
    let entity = Order {
        id: Some(id.clone()),
        external_id: None,
        number: Some(id),
        display_number: None,
        cart_id: None,
        status,
        vendor_status,
        // Not derived from `payments`: their sums are no status.
        payment_status: None,
        vendor_payment_status: None,
        fulfillment_status: None,
        vendor_fulfillment_status: None,
        currency: order.form("currency", forms::currency)?,
        locale: locale.bcp_47,
        test: None,
        channel: None,
        created_via: None,
        client_ip: None,
        customer: order.object("customer", party)?,
        account: order.object("account", account)?,
        // The order's own; Composer has the customer's only.
        email: None,
        billing_address: address(billing[0], billing[1])?,
        shipping_addresses: Vec::new(),
        line_items,
        shipments: order.list("shipments", |it| shipment(it, &places))?,
        payments: order.list("payments", |it| payment(it, &billing))?,
        payment_sessions: Vec::new(),
        refunds: Vec::new(),
        returns: Vec::new(),
        discounts: Vec::new(),
        taxes: Vec::new(),
        shipping_method: None,
        shipping_method_code: None,
        item_count: None,
        subtotal: order.money("subtotal")?,
        item_total: None,
        item_tax_total: None,
        shipping_total: order.money("shipping")?,
        shipping_tax: None,
        discount_total: None,
        has_subtotal_discount: order.boolean("hasSubtotalDiscount")?,
        adjustment_total: None,
        tax_total: order.money("taxes")?,
        tax_included_total: None,
        tax_additional_total: None,
        tax_inclusive: None,
        total: order.money("total")?,
        amount_due: None,
        gift_card_total: None,
        store_credit_total: None,
        refunded_total: None,
        note: None,
        public_note: None,
        store: order.object("store", store)?,
        market_id: None,
        tax_exemption_id: order.id("taxExemptionId")?,
        attributes: modifiers(order, None)?,
        placed_at: created_at,
        completed_at: None,
        canceled_at: None,
        created_at,
        updated_at: None,
        deleted_at: None,
    };
    mapped(Entity::Order(Box::new(entity)), order, BARE, action, None)
}

/// The lines, bundles flattened, and where they stand.
fn lines<'a>(order: Node<'a>, locale: &Locale<'a>) -> Result<(Vec<LineItem<'a>>, Places<'a>), Reject> {
    let (mut lines, mut places) = (Vec::new(), Vec::new());
    let mut read = |line: Node<'a>, id: Option<Text<'a>>, parent_id| {
        places.extend(id.clone().map(|id| (id, line)));
        line_item(line, id, parent_id, locale)
    };
    flatten(order, "lineItems", None, &mut read, &mut lines)?;
    Ok((lines, Places::new(places)))
}

fn line_item<'a>(
    line: Node<'a>,
    id: Option<Text<'a>>,
    parent_id: Option<Text<'a>>,
    locale: &Locale<'a>,
) -> Result<LineItem<'a>, Reject> {
    let sku = line.child("productSku")?;
    Ok(LineItem {
        id,
        parent_id,
        cart_line_item_id: None,
        product_id: None,
        variant_id: None,
        sku: sku.id("code")?,
        name: match line.text("displayName")? {
            None => display_name(sku, locale)?,
            name => name,
        },
        slug: None,
        url: None,
        image_url: None,
        options_text: None,
        options: Vec::new(),
        quantity: line.long("quantity")?,
        unit_price: line.money("unitPrice")?,
        list_price: line.money("listUnitPrice")?,
        sale_price: line.money("saleUnitPrice")?,
        promo_price: line.money("promoUnitPrice")?,
        compare_at_price: None,
        subtotal: line.money("amount")?,
        unit_discount: None,
        discount_total: line.positive_discount("discountAmount")?,
        discounted_subtotal: None,
        savings: line.money("savings")?,
        pre_tax_total: None,
        tax_total: line.money("taxAmount")?,
        tax_included_total: None,
        tax_additional_total: None,
        adjustment_total: None,
        total: None,
        currency: None,
        taxes: line.list("taxLines", tax)?,
        requires_shipping: sku.boolean("shippable")?,
        taxable: None,
        weight: None,
        weight_unit: None,
        grams: None,
        inventory_allocated: line.boolean("inventoryAllocated")?,
        available_at: sku.seconds("effectiveStartDate")?,
        available_until: sku.seconds("effectiveEndDate")?,
        digital_links: Vec::new(),
        attributes: modifiers(line, None)?,
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

fn tax<'a>(tax: Node<'a>) -> Result<Tax<'a>, Reject> {
    Ok(Tax {
        name: tax.text("taxName")?,
        code: tax.text("taxCode")?,
        rate: tax.decimal("taxRate")?,
        vendor_rate: None,
        amount: tax.money("taxAmount")?,
        jurisdiction: tax.text("jurisdictionId")?,
        region: tax.text("regionId")?,
        tag: None,
        calculated_at: tax.millis("taxCalculationDate")?,
    })
}

/// All taxes of one category.
fn total_tax<'a>(tax: Node<'a>) -> Result<Tax<'a>, Reject> {
    let name = tax.text("taxCategoryName")?;
    tax.repeats("taxCategoryDisplayName", name.as_deref())?;
    Ok(Tax {
        name,
        code: None,
        rate: None,
        vendor_rate: None,
        amount: tax.money("amount")?,
        jurisdiction: None,
        region: None,
        tag: None,
        calculated_at: None,
    })
}

fn shipment<'a>(shipment: Node<'a>, places: &Places<'a>) -> Result<Shipment<'a>, Reject> {
    let (status, vendor_status) = shipment.word("status", shipment_status, FulfillmentStatus::Unknown)?;
    let number = shipment.id("shipmentNumber")?;
    let mut line_items = Vec::new();
    let mut read = |line, id, _| shipment_item(line, id, places);
    flatten(shipment, "lineItems", None, &mut read, &mut line_items)?;
    Ok(Shipment {
        id: number.clone(),
        number,
        r#type: shipment.text("shipmentType")?,
        status,
        vendor_status,
        method_id: None,
        method: None,
        method_code: None,
        carrier_code: None,
        tracking_number: None,
        tracking_url: None,
        cost: shipment.money("shippingCost")?,
        item_total: shipment.money("itemSubtotal")?,
        discount_total: shipment.positive_discount("subtotalDiscount")?,
        pre_tax_total: shipment.money("totalBeforeTax")?,
        // On what is in it; the tax on shipping is `shippingTax`.
        tax_total: shipment.money("itemTax")?,
        shipping_tax: shipment.money("shippingTax")?,
        tax_inclusive: shipment.boolean("taxInclusive")?,
        tax_calculation_method: shipment.id("taxCalculationMethod")?,
        tax_document_id: shipment.id("taxDocumentId")?,
        total: shipment.money("total")?,
        taxes: shipment.list("totalTaxLines", total_tax)?,
        stock_location_id: None,
        stock_location_name: None,
        origin_address: None,
        line_items,
        shipped_at: None,
        created_at: None,
        updated_at: None,
    })
}

/// A line of the order again, whole. It counts once: here only how many of it; what it says otherwise than there is kept.
fn shipment_item<'a>(line: Node<'a>, id: Option<Text<'a>>, places: &Places<'a>) -> Result<ShipmentItem<'a>, Reject> {
    if let Some(original) = id.as_deref().and_then(|id| places.find(id)) {
        line.echoes(original);
    }
    Ok(ShipmentItem { id, variant_id: None, quantity: line.long("quantity")? })
}

/// One entry of the ledger, which is in the vendor's order. `billing` are the order's address and contact.
fn payment<'a>(payment: Node<'a>, billing: &[Node<'a>; 2]) -> Result<Payment<'a>, Reject> {
    let (kind, vendor_kind) = payment.word("paymentTransactionType", payment_kind, PaymentKind::Unknown)?;
    let (status, vendor_status) = payment.word("status", payment_status, PaymentStatus::Unknown)?;
    let instrument = payment.child("paymentInstrument")?;
    let provider = instrument.child("paymentProviderConfiguration")?;
    // An instrument repeats the order's billing address.
    for (key, original) in ["billingAddress", "billingContact"].into_iter().zip(billing) {
        instrument.value(key)?.echoes(*original);
    }
    Ok(Payment {
        id: payment.id("guid")?,
        number: None,
        kind,
        vendor_kind,
        status,
        vendor_status,
        amount: payment.money("amount")?,
        currency: payment.form("currency", forms::currency)?,
        method_id: provider.id("guid")?,
        method_name: provider.text("configurationName")?,
        provider: provider.text("paymentProviderPluginId")?,
        source_type: None,
        source_id: None,
        source_name: instrument.text("name")?,
        single_reserve: instrument.boolean("singleReservePerPI")?,
        supports_multiple_charges: instrument.boolean("supportingMultiCharges")?,
        card_brand: None,
        card_last4: None,
        card_exp_month: None,
        card_exp_year: None,
        card_holder_name: None,
        description: None,
        transaction_id: None,
        transactions: Vec::new(),
        processed_at: payment.millis("transactionDate")?,
        created_at: None,
        updated_at: None,
        method_description: None,
        session_required: None,
        is_default_source: None,
        store_credit: None,
    })
}

fn order_status(word: &str) -> Option<OrderStatus> {
    Some(match word {
        "CREATED" => OrderStatus::Placed,
        "IN_PROGRESS" => OrderStatus::InProgress,
        "PARTIALLY_SHIPPED" => OrderStatus::PartiallyShipped,
        "ONHOLD" => OrderStatus::OnHold,
        "COMPLETED" => OrderStatus::Completed,
        "CANCELLED" => OrderStatus::Canceled,
        "FAILED" => OrderStatus::Failed,
        "AWAITING_EXCHANGE" => OrderStatus::ReturnPending,
        _ => return None,
    })
}

fn shipment_status(word: &str) -> Option<FulfillmentStatus> {
    Some(match word {
        "AWAITING_INVENTORY" => FulfillmentStatus::Backordered,
        "INVENTORY_ASSIGNED" | "RELEASED" => FulfillmentStatus::Ready,
        "SHIPPED" => FulfillmentStatus::Shipped,
        "ONHOLD" => FulfillmentStatus::OnHold,
        "CANCELLED" => FulfillmentStatus::Canceled,
        "FAILED_ORDER" => FulfillmentStatus::Failed,
        _ => return None,
    })
}

/// A RESERVE and its CHARGE are stages of the same money.
fn payment_kind(word: &str) -> Option<PaymentKind> {
    Some(match word {
        "RESERVE" | "MODIFY_RESERVE" => PaymentKind::Reserve,
        "CHARGE" => PaymentKind::Charge,
        "CANCEL_RESERVE" => PaymentKind::Void,
        "CREDIT" | "MANUAL_CREDIT" => PaymentKind::Refund,
        "REVERSE_CHARGE" => PaymentKind::Reverse,
        _ => return None,
    })
}

fn payment_status(word: &str) -> Option<PaymentStatus> {
    Some(match word {
        "APPROVED" => PaymentStatus::Succeeded,
        "FAILED" => PaymentStatus::Failed,
        _ => return None,
    })
}
