//! What a customer bought, and what became of it: money, parcels, returns.

use super::{
    Account, Address, Attributes, Decimal, Discount, LineItem, Micros, Party, Store, StoreCredit, Tax, Text, words,
};

words! {
    /// Where an order stands.
    pub enum OrderStatus {
        Unknown = "UNKNOWN",
        Placed = "PLACED",
        InProgress = "IN_PROGRESS",
        PartiallyShipped = "PARTIALLY_SHIPPED",
        OnHold = "ON_HOLD",
        Completed = "COMPLETED",
        Canceled = "CANCELED",
        Failed = "FAILED",
        ReturnPending = "RETURN_PENDING",
        Returned = "RETURNED",
    }

    /// How far a whole order is paid.
    pub enum OrderPaymentStatus {
        Unknown = "UNKNOWN",
        Pending = "PENDING",
        Authorized = "AUTHORIZED",
        PartiallyPaid = "PARTIALLY_PAID",
        Paid = "PAID",
        Overpaid = "OVERPAID",
        PartiallyRefunded = "PARTIALLY_REFUNDED",
        Refunded = "REFUNDED",
        Voided = "VOIDED",
        Failed = "FAILED",
        Held = "HELD",
        Disputed = "DISPUTED",
        Canceled = "CANCELED",
    }

    /// How far an order or a shipment is on its way.
    pub enum FulfillmentStatus {
        Unknown = "UNKNOWN",
        Pending = "PENDING",
        Ready = "READY",
        Partial = "PARTIAL",
        Shipped = "SHIPPED",
        Delivered = "DELIVERED",
        Backordered = "BACKORDERED",
        OnHold = "ON_HOLD",
        Canceled = "CANCELED",
        Failed = "FAILED",
    }

    /// What became of one payment, or of one transaction of it.
    pub enum PaymentStatus {
        Unknown = "UNKNOWN",
        Created = "CREATED",
        Processing = "PROCESSING",
        Authorized = "AUTHORIZED",
        Captured = "CAPTURED",
        Paid = "PAID",
        Succeeded = "SUCCEEDED",
        Failed = "FAILED",
        Voided = "VOIDED",
        Invalid = "INVALID",
    }

    /// What one payment, or one transaction of it, does with the money.
    pub enum PaymentKind {
        Unknown = "UNKNOWN",
        Reserve = "RESERVE",
        Charge = "CHARGE",
        Refund = "REFUND",
        Void = "VOID",
        Reverse = "REVERSE",
    }

    /// Where a customer's attempt to pay stands.
    pub enum PaymentSessionStatus {
        Unknown = "UNKNOWN",
        Pending = "PENDING",
        Processing = "PROCESSING",
        Completed = "COMPLETED",
        Failed = "FAILED",
        Canceled = "CANCELED",
        Expired = "EXPIRED",
    }

    /// What an entry of `returns` is.
    pub enum ReturnKind {
        Unknown = "UNKNOWN",
        Authorization = "AUTHORIZATION",
        Return = "RETURN",
        Reimbursement = "REIMBURSEMENT",
    }

    /// Where a return authorization or a reimbursement stands.
    pub enum ReturnStatus {
        Unknown = "UNKNOWN",
        Authorized = "AUTHORIZED",
        Canceled = "CANCELED",
        Pending = "PENDING",
        Reimbursed = "REIMBURSED",
        Errored = "ERRORED",
    }
}

/// An order. In what currency its amounts are, `currency` says, unless a part has one of its own.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct Order<'a> {
    pub id: Option<Text<'a>>,
    pub external_id: Option<Text<'a>>,
    pub number: Option<Text<'a>>,
    /// The number as customers see it, with its `#`.
    pub display_number: Option<Text<'a>>,
    pub cart_id: Option<Text<'a>>,
    pub status: Option<OrderStatus>,
    pub vendor_status: Option<Text<'a>>,
    pub payment_status: Option<OrderPaymentStatus>,
    pub vendor_payment_status: Option<Text<'a>>,
    pub fulfillment_status: Option<FulfillmentStatus>,
    pub vendor_fulfillment_status: Option<Text<'a>>,
    pub currency: Option<Text<'a>>,
    pub locale: Option<Text<'a>>,
    pub test: Option<bool>,
    pub channel: Option<Text<'a>>,
    pub created_via: Option<Text<'a>>,
    pub client_ip: Option<Text<'a>>,
    pub customer: Option<Party<'a>>,
    pub account: Option<Account<'a>>,
    pub email: Option<Text<'a>>,
    pub billing_address: Option<Address<'a>>,
    pub shipping_addresses: Vec<Address<'a>>,
    pub line_items: Vec<LineItem<'a>>,
    pub shipments: Vec<Shipment<'a>>,
    pub payments: Vec<Payment<'a>>,
    pub payment_sessions: Vec<PaymentSession<'a>>,
    pub refunds: Vec<Refund<'a>>,
    pub returns: Vec<Return<'a>>,
    pub discounts: Vec<Discount<'a>>,
    pub taxes: Vec<Tax<'a>>,
    pub shipping_method: Option<Text<'a>>,
    pub shipping_method_code: Option<Text<'a>>,
    pub item_count: Option<i64>,
    pub subtotal: Option<Decimal>,
    pub item_total: Option<Decimal>,
    pub item_tax_total: Option<Decimal>,
    pub shipping_total: Option<Decimal>,
    pub shipping_tax: Option<Decimal>,
    /// Positive.
    pub discount_total: Option<Decimal>,
    pub has_subtotal_discount: Option<bool>,
    pub adjustment_total: Option<Decimal>,
    pub tax_total: Option<Decimal>,
    pub tax_included_total: Option<Decimal>,
    pub tax_additional_total: Option<Decimal>,
    pub tax_inclusive: Option<bool>,
    pub total: Option<Decimal>,
    pub amount_due: Option<Decimal>,
    pub gift_card_total: Option<Decimal>,
    pub store_credit_total: Option<Decimal>,
    pub refunded_total: Option<Decimal>,
    /// What the customer wrote, or the merchant for the merchant's own eyes.
    pub note: Option<Text<'a>>,
    /// What the merchant wrote for the customer.
    pub public_note: Option<Text<'a>>,
    pub store: Option<Store<'a>>,
    pub market_id: Option<Text<'a>>,
    pub tax_exemption_id: Option<Text<'a>>,
    pub attributes: Attributes<'a>,
    pub placed_at: Option<Micros>,
    pub completed_at: Option<Micros>,
    pub canceled_at: Option<Micros>,
    pub created_at: Option<Micros>,
    pub updated_at: Option<Micros>,
    pub deleted_at: Option<Micros>,
}

/// A parcel, or what is delivered in another way.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct Shipment<'a> {
    pub id: Option<Text<'a>>,
    pub number: Option<Text<'a>>,
    pub r#type: Option<Text<'a>>,
    pub status: Option<FulfillmentStatus>,
    pub vendor_status: Option<Text<'a>>,
    pub method_id: Option<Text<'a>>,
    pub method: Option<Text<'a>>,
    pub method_code: Option<Text<'a>>,
    pub carrier_code: Option<Text<'a>>,
    pub tracking_number: Option<Text<'a>>,
    pub tracking_url: Option<Text<'a>>,
    pub cost: Option<Decimal>,
    pub item_total: Option<Decimal>,
    pub discount_total: Option<Decimal>,
    pub pre_tax_total: Option<Decimal>,
    pub tax_total: Option<Decimal>,
    pub shipping_tax: Option<Decimal>,
    pub tax_inclusive: Option<bool>,
    pub tax_calculation_method: Option<Text<'a>>,
    pub tax_document_id: Option<Text<'a>>,
    pub total: Option<Decimal>,
    pub taxes: Vec<Tax<'a>>,
    pub stock_location_id: Option<Text<'a>>,
    pub stock_location_name: Option<Text<'a>>,
    /// Where it is sent from.
    pub origin_address: Option<Address<'a>>,
    pub line_items: Vec<ShipmentItem<'a>>,
    pub shipped_at: Option<Micros>,
    pub created_at: Option<Micros>,
    pub updated_at: Option<Micros>,
}

/// How many of one line are in a shipment.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct ShipmentItem<'a> {
    /// The line's id.
    pub id: Option<Text<'a>>,
    pub variant_id: Option<Text<'a>>,
    pub quantity: Option<i64>,
}

/// Money that moved, or was to move.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct Payment<'a> {
    pub id: Option<Text<'a>>,
    pub number: Option<Text<'a>>,
    pub kind: Option<PaymentKind>,
    pub vendor_kind: Option<Text<'a>>,
    pub status: Option<PaymentStatus>,
    pub vendor_status: Option<Text<'a>>,
    pub amount: Option<Decimal>,
    pub currency: Option<Text<'a>>,
    pub method_id: Option<Text<'a>>,
    pub method_name: Option<Text<'a>>,
    pub provider: Option<Text<'a>>,
    pub source_type: Option<Text<'a>>,
    pub source_id: Option<Text<'a>>,
    pub source_name: Option<Text<'a>>,
    pub single_reserve: Option<bool>,
    pub supports_multiple_charges: Option<bool>,
    pub card_brand: Option<Text<'a>>,
    pub card_last4: Option<Text<'a>>,
    pub card_exp_month: Option<i64>,
    pub card_exp_year: Option<i64>,
    pub card_holder_name: Option<Text<'a>>,
    pub description: Option<Text<'a>>,
    /// The provider's id of the movement.
    pub transaction_id: Option<Text<'a>>,
    pub transactions: Vec<Transaction<'a>>,
    pub processed_at: Option<Micros>,
    pub created_at: Option<Micros>,
    pub updated_at: Option<Micros>,
    pub method_description: Option<Text<'a>>,
    pub session_required: Option<bool>,
    pub is_default_source: Option<bool>,
    /// Its id is the payment's `source_id`.
    pub store_credit: Option<StoreCredit<'a>>,
}

/// One step of a payment.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct Transaction<'a> {
    pub id: Option<Text<'a>>,
    pub kind: Option<PaymentKind>,
    pub vendor_kind: Option<Text<'a>>,
    pub status: Option<PaymentStatus>,
    pub vendor_status: Option<Text<'a>>,
    pub amount: Option<Decimal>,
    pub currency: Option<Text<'a>>,
    pub transaction_id: Option<Text<'a>>,
}

/// A customer's attempt to pay.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct PaymentSession<'a> {
    pub id: Option<Text<'a>>,
    pub status: Option<PaymentSessionStatus>,
    pub vendor_status: Option<Text<'a>>,
    pub amount: Option<Decimal>,
    pub currency: Option<Text<'a>>,
    pub external_id: Option<Text<'a>>,
    pub method_id: Option<Text<'a>>,
    pub method_name: Option<Text<'a>>,
    pub provider: Option<Text<'a>>,
    pub payment_id: Option<Text<'a>>,
    pub expires_at: Option<Micros>,
    pub created_at: Option<Micros>,
    pub method_description: Option<Text<'a>>,
    pub session_required: Option<bool>,
    /// What came of it. Its id is the session's `payment_id`.
    pub payment: Option<Payment<'a>>,
}

/// Money given back.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct Refund<'a> {
    pub id: Option<Text<'a>>,
    pub payment_id: Option<Text<'a>>,
    pub amount: Option<Decimal>,
    pub transaction_id: Option<Text<'a>>,
    pub reason_id: Option<Text<'a>>,
    pub reimbursement_id: Option<Text<'a>>,
    pub created_at: Option<Micros>,
}

/// The permission to send goods back, their arrival, or the money for them.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct Return<'a> {
    pub id: Option<Text<'a>>,
    pub kind: Option<ReturnKind>,
    pub number: Option<Text<'a>>,
    pub status: Option<ReturnStatus>,
    pub vendor_status: Option<Text<'a>>,
    pub total: Option<Decimal>,
    pub stock_location_id: Option<Text<'a>>,
    pub reason_id: Option<Text<'a>>,
    pub customer_return_id: Option<Text<'a>>,
    pub items: Vec<ReturnItem<'a>>,
    pub created_at: Option<Micros>,
}

/// One piece of goods sent back.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct ReturnItem<'a> {
    pub id: Option<Text<'a>>,
    pub reception_status: Option<Text<'a>>,
    pub acceptance_status: Option<Text<'a>>,
    pub pre_tax_amount: Option<Decimal>,
    pub tax_included_total: Option<Decimal>,
    pub tax_additional_total: Option<Decimal>,
    pub exchange_variant_id: Option<Text<'a>>,
    pub reimbursement_id: Option<Text<'a>>,
    pub created_at: Option<Micros>,
}
