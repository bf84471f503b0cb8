//! What the merchant sells.

use super::{Attributes, ChosenOption, Decimal, Micros, Text, words};

words! {
    /// Whether a product is on sale.
    pub enum ProductStatus {
        Unknown = "UNKNOWN",
        Active = "ACTIVE",
        Archived = "ARCHIVED",
        Draft = "DRAFT",
    }

    /// Whose quantity counts.
    pub enum InventoryTracking {
        Unknown = "UNKNOWN",
        Variant = "VARIANT",
        Product = "PRODUCT",
        None = "NONE",
    }

    /// What a price is.
    pub enum PriceKind {
        Unknown = "UNKNOWN",
        /// As it stands in the catalog.
        Base = "BASE",
        /// What a customer pays, price lists applied.
        Resolved = "RESOLVED",
    }
}

/// A product with its variants.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct Product<'a> {
    pub id: Option<Text<'a>>,
    pub external_id: Option<Text<'a>>,
    pub name: Option<Text<'a>>,
    pub slug: Option<Text<'a>>,
    /// Plain text, or HTML from vendors that have nothing else.
    pub description: Option<Text<'a>>,
    pub description_html: Option<Text<'a>>,
    pub meta_description: Option<Text<'a>>,
    pub status: Option<ProductStatus>,
    pub vendor_status: Option<Text<'a>>,
    pub r#type: Option<Text<'a>>,
    pub brand: Option<Text<'a>>,
    pub url: Option<Text<'a>>,
    pub tags: Vec<Text<'a>>,
    pub categories: Vec<Category<'a>>,
    pub variants: Vec<Variant<'a>>,
    pub default_variant_id: Option<Text<'a>>,
    pub variant_count: Option<i64>,
    /// Of the default variant.
    pub prices: Vec<Price<'a>>,
    pub options: Vec<ProductOption<'a>>,
    pub images: Vec<Image<'a>>,
    pub image_url: Option<Text<'a>>,
    /// May be negative: sold, and not there.
    pub inventory_quantity: Option<i64>,
    pub inventory_tracking: Option<InventoryTracking>,
    pub vendor_inventory_tracking: Option<Text<'a>>,
    pub inventory_tracking_service: Option<Text<'a>>,
    pub in_stock: Option<bool>,
    pub purchasable: Option<bool>,
    pub backorderable: Option<bool>,
    pub published: Option<bool>,
    pub tax_code: Option<Text<'a>>,
    pub localized_names: Attributes<'a>,
    pub localized_descriptions: Attributes<'a>,
    pub attributes: Attributes<'a>,
    pub available_at: Option<Micros>,
    pub created_at: Option<Micros>,
    pub updated_at: Option<Micros>,
    pub deleted_at: Option<Micros>,
}

/// A category that a product is in.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct Category<'a> {
    pub id: Option<Text<'a>>,
    pub name: Option<Text<'a>>,
    pub image_url: Option<Text<'a>>,
    pub created_at: Option<Micros>,
    pub updated_at: Option<Micros>,
    pub deleted_at: Option<Micros>,
}

/// What can be chosen, such as the size, and from what.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct ProductOption<'a> {
    pub id: Option<Text<'a>>,
    pub name: Option<Text<'a>>,
    pub position: Option<i64>,
    pub values: Vec<Text<'a>>,
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct Image<'a> {
    pub id: Option<Text<'a>>,
    pub url: Option<Text<'a>>,
    /// The same in other sizes, by the vendor's name of the size.
    pub renditions: Attributes<'a>,
    /// What to say to those who cannot see it.
    pub alt: Option<Text<'a>>,
    pub position: Option<i64>,
    pub kind: Option<Text<'a>>,
    pub created_at: Option<Micros>,
}

/// A product in one choice of its options.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct Variant<'a> {
    pub id: Option<Text<'a>>,
    pub sku: Option<Text<'a>>,
    pub barcode: Option<Text<'a>>,
    pub name: Option<Text<'a>>,
    pub localized_names: Attributes<'a>,
    pub is_master: Option<bool>,
    pub options: Vec<ChosenOption<'a>>,
    /// The choice as one text for people.
    pub options_text: Option<Text<'a>>,
    pub prices: Vec<Price<'a>>,
    /// What it costs the merchant.
    pub cost: Option<Decimal>,
    pub stock_levels: Vec<StockLevel<'a>>,
    pub stock_movements: Vec<StockMovement<'a>>,
    pub inventory_quantity: Option<i64>,
    pub inventory_tracking: Option<InventoryTracking>,
    pub vendor_inventory_tracking: Option<Text<'a>>,
    pub inventory_tracking_service: Option<Text<'a>>,
    pub in_stock: Option<bool>,
    pub purchasable: Option<bool>,
    /// Can it be bought when none is left?
    pub backorderable: Option<bool>,
    pub requires_shipping: Option<bool>,
    pub tax_code: Option<Text<'a>>,
    pub tax_exempt: Option<bool>,
    pub weight: Option<Decimal>,
    pub weight_unit: Option<Text<'a>>,
    pub grams: Option<Decimal>,
    pub width: Option<Decimal>,
    pub height: Option<Decimal>,
    pub depth: Option<Decimal>,
    pub images: Vec<Image<'a>>,
    pub created_at: Option<Micros>,
    pub updated_at: Option<Micros>,
}

/// A price of a variant.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct Price<'a> {
    pub id: Option<Text<'a>>,
    pub kind: Option<PriceKind>,
    pub amount: Option<Decimal>,
    pub compare_at_amount: Option<Decimal>,
    pub currency: Option<Text<'a>>,
    pub price_list_id: Option<Text<'a>>,
}

/// How many of a variant one place has.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct StockLevel<'a> {
    pub id: Option<Text<'a>>,
    pub location_id: Option<Text<'a>>,
    pub quantity: Option<i64>,
    pub backorderable: Option<bool>,
    pub created_at: Option<Micros>,
}

/// A change of a stock level.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct StockMovement<'a> {
    pub id: Option<Text<'a>>,
    pub stock_item_id: Option<Text<'a>>,
    /// Positive: came in.
    pub delta: Option<i64>,
    pub reason: Option<Text<'a>>,
    pub originator_type: Option<Text<'a>>,
    pub originator_id: Option<Text<'a>>,
    pub created_at: Option<Micros>,
}
