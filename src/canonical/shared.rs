//! What carts, orders and customers have in common: people, places and lines.

use super::{Attributes, Consent, CustomerStatus, Decimal, InventoryTracking, Micros, Text, words};

words! {
    /// What a customer is.
    pub enum CustomerType {
        Unknown = "UNKNOWN",
        Person = "PERSON",
        Organization = "ORGANIZATION",
        Guest = "GUEST",
        Account = "ACCOUNT",
    }
}

/// A place and whom to find there. Composer's contact and address make one.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct Address<'a> {
    pub id: Option<Text<'a>>,
    pub kind: Option<Text<'a>>,
    pub r#use: Option<Text<'a>>,
    pub first_name: Option<Text<'a>>,
    pub last_name: Option<Text<'a>>,
    pub full_name: Option<Text<'a>>,
    pub company: Option<Text<'a>>,
    pub line1: Option<Text<'a>>,
    pub line2: Option<Text<'a>>,
    pub line3: Option<Text<'a>>,
    pub line4: Option<Text<'a>>,
    pub city: Option<Text<'a>>,
    /// The region's name, in the vendor's words.
    pub region: Option<Text<'a>>,
    pub region_code: Option<Text<'a>>,
    pub postal_code: Option<Text<'a>>,
    /// The country's name, in the vendor's words.
    pub country: Option<Text<'a>>,
    /// ISO 3166-1 alpha-2.
    pub country_code: Option<Text<'a>>,
    pub phone: Option<Text<'a>>,
    pub fax: Option<Text<'a>>,
    pub email: Option<Text<'a>>,
    pub is_default_billing: Option<bool>,
    pub is_default_shipping: Option<bool>,
}

/// A store or shop of the merchant.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct Store<'a> {
    pub id: Option<Text<'a>>,
    pub external_id_2: Option<Text<'a>>,
    pub name: Option<Text<'a>>,
    /// ISO 3166-1 alpha-2.
    pub country_code: Option<Text<'a>>,
    /// A name of the IANA time zone database.
    pub time_zone: Option<Text<'a>>,
    pub catalog: Option<Text<'a>>,
    pub default_currency: Option<Text<'a>>,
    pub default_locale: Option<Text<'a>>,
    pub supported_currencies: Vec<Text<'a>>,
    pub supported_locales: Vec<Text<'a>>,
    pub cart_types: Attributes<'a>,
}

/// The customer of a cart or an order, as far as the cart or order says.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct Party<'a> {
    pub id: Option<Text<'a>>,
    pub external_id: Option<Text<'a>>,
    pub r#type: Option<CustomerType>,
    pub vendor_type: Option<Text<'a>>,
    pub status: Option<CustomerStatus>,
    pub vendor_status: Option<Text<'a>>,
    pub email: Option<Text<'a>>,
    pub first_name: Option<Text<'a>>,
    pub last_name: Option<Text<'a>>,
    pub phone: Option<Text<'a>>,
    pub locale: Option<Text<'a>>,
    pub segments: Vec<Text<'a>>,
    pub first_time_buyer: Option<bool>,
    pub consents: Vec<Consent<'a>>,
}

/// The organization that a customer buys for.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct Account<'a> {
    pub id: Option<Text<'a>>,
    pub external_id: Option<Text<'a>>,
    pub name: Option<Text<'a>>,
    pub r#type: Option<CustomerType>,
    pub vendor_type: Option<Text<'a>>,
    pub status: Option<CustomerStatus>,
    pub vendor_status: Option<Text<'a>>,
    pub email: Option<Text<'a>>,
    pub phone: Option<Text<'a>>,
    pub segments: Vec<Text<'a>>,
    pub first_time_buyer: Option<bool>,
}

/// A line of a cart or an order.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct LineItem<'a> {
    pub id: Option<Text<'a>>,
    /// The line of the bundle that this one is a part of.
    pub parent_id: Option<Text<'a>>,
    pub cart_line_item_id: Option<Text<'a>>,
    pub product_id: Option<Text<'a>>,
    pub variant_id: Option<Text<'a>>,
    pub sku: Option<Text<'a>>,
    pub name: Option<Text<'a>>,
    pub slug: Option<Text<'a>>,
    pub url: Option<Text<'a>>,
    pub image_url: Option<Text<'a>>,
    /// The chosen options as one text for people.
    pub options_text: Option<Text<'a>>,
    pub options: Vec<ChosenOption<'a>>,
    pub quantity: Option<i64>,
    pub unit_price: Option<Decimal>,
    pub list_price: Option<Decimal>,
    pub sale_price: Option<Decimal>,
    pub promo_price: Option<Decimal>,
    pub compare_at_price: Option<Decimal>,
    pub subtotal: Option<Decimal>,
    pub unit_discount: Option<Decimal>,
    pub discount_total: Option<Decimal>,
    pub discounted_subtotal: Option<Decimal>,
    pub savings: Option<Decimal>,
    pub pre_tax_total: Option<Decimal>,
    pub tax_total: Option<Decimal>,
    pub tax_included_total: Option<Decimal>,
    pub tax_additional_total: Option<Decimal>,
    pub adjustment_total: Option<Decimal>,
    pub total: Option<Decimal>,
    pub currency: Option<Text<'a>>,
    pub taxes: Vec<Tax<'a>>,
    pub requires_shipping: Option<bool>,
    pub taxable: Option<bool>,
    pub weight: Option<Decimal>,
    pub weight_unit: Option<Text<'a>>,
    pub grams: Option<Decimal>,
    pub inventory_allocated: Option<bool>,
    pub available_at: Option<Micros>,
    pub available_until: Option<Micros>,
    pub digital_links: Vec<DigitalLink<'a>>,
    pub attributes: Attributes<'a>,
    pub created_at: Option<Micros>,
    pub updated_at: Option<Micros>,
    pub price_list_id: Option<Text<'a>>,
    pub is_master: Option<bool>,
    pub inventory_tracking: Option<InventoryTracking>,
    pub vendor_inventory_tracking: Option<Text<'a>>,
    pub in_stock: Option<bool>,
    pub purchasable: Option<bool>,
    pub backorderable: Option<bool>,
    pub width: Option<Decimal>,
    pub height: Option<Decimal>,
    pub depth: Option<Decimal>,
}

/// What was chosen for one option: of a line, or of a variant.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct ChosenOption<'a> {
    /// The option, such as `size`.
    pub name: Option<Text<'a>>,
    /// What was chosen, such as `m`.
    pub value: Option<Text<'a>>,
    /// The same for people, such as `Medium`.
    pub label: Option<Text<'a>>,
    pub option_id: Option<Text<'a>>,
    pub value_id: Option<Text<'a>>,
    /// The option for people, such as `Size`.
    pub name_label: Option<Text<'a>>,
}

/// A download that belongs to a line.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct DigitalLink<'a> {
    pub id: Option<Text<'a>>,
    pub filename: Option<Text<'a>>,
    pub content_type: Option<Text<'a>>,
    pub access_counter: Option<i64>,
    pub expired: Option<bool>,
    pub access_limit_exceeded: Option<bool>,
    pub created_at: Option<Micros>,
}

/// One tax of a line or of an order.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct Tax<'a> {
    pub name: Option<Text<'a>>,
    pub code: Option<Text<'a>>,
    /// A fraction: 0.2 is a fifth.
    pub rate: Option<Decimal>,
    /// The rate as the vendor writes it, where the vendor does not state its unit.
    pub vendor_rate: Option<Text<'a>>,
    pub amount: Option<Decimal>,
    pub jurisdiction: Option<Text<'a>>,
    pub region: Option<Text<'a>>,
    pub tag: Option<Text<'a>>,
    pub calculated_at: Option<Micros>,
}

/// One discount of a cart or an order. Its amount is positive.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct Discount<'a> {
    pub id: Option<Text<'a>>,
    pub promotion_id: Option<Text<'a>>,
    pub code: Option<Text<'a>>,
    pub name: Option<Text<'a>>,
    pub amount: Option<Decimal>,
}
