//! What a customer means to buy: a shopping cart or a wish list.

use super::{Account, Address, Attributes, Decimal, Discount, LineItem, Micros, Party, Store, Text, words};

words! {
    /// What a cart is for.
    pub enum CartKind {
        Unknown = "UNKNOWN",
        Shopping = "SHOPPING",
        Wishlist = "WISHLIST",
    }
}

/// A cart. In what currency its amounts are, `currency` says.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct Cart<'a> {
    pub id: Option<Text<'a>>,
    pub external_id: Option<Text<'a>>,
    pub number: Option<Text<'a>>,
    pub kind: Option<CartKind>,
    pub vendor_kind: Option<Text<'a>>,
    /// The step of the checkout, in the vendor's words.
    pub vendor_status: Option<Text<'a>>,
    pub name: Option<Text<'a>>,
    pub checkout_id: Option<Text<'a>>,
    /// The order that this cart becomes.
    pub order_id: Option<Text<'a>>,
    pub channel: Option<Text<'a>>,
    pub customer: Option<Party<'a>>,
    pub account: Option<Account<'a>>,
    pub email: Option<Text<'a>>,
    pub currency: Option<Text<'a>>,
    pub locale: Option<Text<'a>>,
    pub store: Option<Store<'a>>,
    pub market_id: Option<Text<'a>>,
    pub line_items: Vec<LineItem<'a>>,
    /// The line that the event is about, where it is no longer among `line_items`.
    pub component_item: Option<LineItem<'a>>,
    pub item_count: Option<i64>,
    pub subtotal: Option<Decimal>,
    pub item_total: Option<Decimal>,
    pub discount_total: Option<Decimal>,
    pub shipping_total: Option<Decimal>,
    pub tax_total: Option<Decimal>,
    pub tax_included_total: Option<Decimal>,
    pub tax_additional_total: Option<Decimal>,
    pub tax_inclusive: Option<bool>,
    pub adjustment_total: Option<Decimal>,
    pub total: Option<Decimal>,
    pub amount_due: Option<Decimal>,
    pub gift_card_total: Option<Decimal>,
    pub store_credit_total: Option<Decimal>,
    pub discounts: Vec<Discount<'a>>,
    pub requires_shipping: Option<bool>,
    pub billing_address: Option<Address<'a>>,
    pub shipping_address: Option<Address<'a>>,
    pub note: Option<Text<'a>>,
    pub is_default: Option<bool>,
    pub is_private: Option<bool>,
    pub attributes: Attributes<'a>,
    pub session_started_at: Option<Micros>,
    pub created_at: Option<Micros>,
    pub updated_at: Option<Micros>,
    pub deleted_at: Option<Micros>,
}
