//! Variants, prices, pictures, stock and downloads: one part of a [`Product`]. A variant names its product, a picture
//! may; of the others some name a variant, some nobody. Knows no whole product.

use super::shared::{inventory_tracking, option, part, price_of, prices};
use super::{Envelope, Mapped};
use crate::canonical::{
    Action, Attributes, Entity, Image, PriceKind, Product, StockLevel, StockMovement, Text, Variant,
};
use crate::reject::Reject;
use crate::vendors::cursor::Node;

pub(super) fn variant<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let data = envelope.data;
    let variant = Variant {
        id: data.id("id")?,
        sku: data.id("sku")?,
        barcode: None,
        name: None,
        localized_names: Attributes::default(),
        is_master: data.boolean("is_master")?,
        options: data.list("option_values", option)?,
        options_text: data.text("options_text")?,
        prices: prices(data)?,
        cost: None,
        stock_levels: Vec::new(),
        stock_movements: Vec::new(),
        inventory_quantity: None,
        inventory_tracking: inventory_tracking(data)?,
        vendor_inventory_tracking: None,
        inventory_tracking_service: None,
        in_stock: data.boolean("in_stock")?,
        purchasable: data.boolean("purchasable")?,
        backorderable: data.boolean("backorderable")?,
        requires_shipping: None,
        tax_code: None,
        tax_exempt: None,
        weight: data.decimal("weight")?,
        // Its unit is the store's and in no payload.
        weight_unit: None,
        grams: None,
        width: data.decimal("width")?,
        height: data.decimal("height")?,
        depth: data.decimal("depth")?,
        images: thumbnail(data)?.into_iter().collect(),
        created_at: data.time("created_at")?,
        updated_at: data.time("updated_at")?,
    };
    with_variant(data, action, "variant", data.id("product_id")?, variant)
}

/// All that a variant says of its pictures is where the first one is.
fn thumbnail<'a>(variant: Node<'a>) -> Result<Option<Image<'a>>, Reject> {
    let url = variant.id(["thumbnail", "thumbnail_url"])?;
    Ok(url.map(|url| Image { url: Some(url), ..Image::default() }))
}

pub(super) fn price<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let data = envelope.data;
    // A list's price is neither the catalog's, nor what everybody pays.
    let kind = data.is_null("price_list_id").then_some(PriceKind::Base);
    let variant = Variant { prices: vec![price_of(data, kind)?], ..Variant::default() };
    with_variant(data, action, "price", None, variant)
}

const OF_PRODUCT: &str = "Spree::Product";
const OF_VARIANT: &str = "Spree::Variant";

/// `image.*`, which released Spree calls `media.*`. Whose picture it is, a class name says; one that we do not know stays
/// unread, with the id of whatever it is.
pub(super) fn image<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let data = envelope.data;
    let image = Image {
        id: data.id("id")?,
        url: data.id("original_url")?,
        renditions: renditions(data)?,
        alt: data.text("alt")?,
        position: data.long("position")?,
        kind: data.id("type")?,
        created_at: data.time("created_at")?,
    };
    let owner = data.form("viewable_type", known_owner)?;
    if owner.as_deref() == Some(OF_VARIANT) {
        let variant = Variant { id: data.id("viewable_id")?, images: vec![image], ..Variant::default() };
        return with_variant(data, action, "image", None, variant);
    }
    let id = if owner.is_some() { data.id("viewable_id")? } else { None };
    let product = Product { id, images: vec![image], ..Product::default() };
    part(data, action, "image", Entity::Product(Box::new(product)), &["images"])
}

/// The vendor's key, and the name of the size in it.
const RENDITIONS: &[(&str, &str)] = &[
    ("mini_url", "mini"),
    ("small_url", "small"),
    ("medium_url", "medium"),
    ("large_url", "large"),
    ("xlarge_url", "xlarge"),
    ("og_image_url", "og_image"),
];

fn renditions<'a>(image: Node<'a>) -> Result<Attributes<'a>, Reject> {
    let mut renditions = Attributes::default();
    for &(key, size) in RENDITIONS {
        if let Some(url) = image.id(key)? {
            let _is_new = renditions.insert(Text::Borrowed(size), url);
        }
    }
    Ok(renditions)
}

fn known_owner(class: &str) -> Option<Text<'_>> {
    matches!(class, OF_PRODUCT | OF_VARIANT).then_some(Text::Borrowed(class))
}

pub(super) fn stock_item<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let data = envelope.data;
    let level = StockLevel {
        id: data.id("id")?,
        location_id: data.id("stock_location_id")?,
        quantity: data.long("count_on_hand")?,
        backorderable: data.boolean("backorderable")?,
        created_at: data.time("created_at")?,
    };
    let variant = Variant { id: data.id("variant_id")?, stock_levels: vec![level], ..Variant::default() };
    with_variant(data, action, "stock_item", None, variant)
}

pub(super) fn stock_movement<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let data = envelope.data;
    let movement = StockMovement {
        id: data.id("id")?,
        stock_item_id: data.id("stock_item_id")?,
        delta: data.long("quantity")?,
        reason: data.id("action")?,
        originator_type: data.id("originator_type")?,
        originator_id: data.id("originator_id")?,
        created_at: data.time("created_at")?,
    };
    let variant = Variant { stock_movements: vec![movement], ..Variant::default() };
    with_variant(data, action, "stock_movement", None, variant)
}

/// A file that buyers of the variant may download: it has an id, and nothing else.
pub(super) fn digital<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let data = envelope.data;
    match data.id("variant_id")? {
        id @ Some(_) => with_variant(data, action, "digital", None, Variant { id, ..Variant::default() }),
        None => part(data, action, "digital", Entity::Product(Box::default()), &[]),
    }
}

fn with_variant<'a>(
    data: Node<'a>,
    action: Action,
    kind: &'static str,
    product_id: Option<Text<'a>>,
    variant: Variant<'a>,
) -> Result<Mapped<'a>, Reject> {
    let product = Product { id: product_id, variants: vec![variant], ..Product::default() };
    part(data, action, kind, Entity::Product(Box::new(product)), &["variants"])
}
