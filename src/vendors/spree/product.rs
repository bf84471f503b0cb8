//! `product.*`: a [`Product`], always in part: variants, images and categories are never in the payload. Knows no other
//! event.
//!
//! `price`, `original_price` and `thumbnail_url` are those of the default variant, and stand in fields of the product's
//! own: in a patch a list that is there is the whole list, and one variant of several would clear the others.

use super::shared::{coverage, prices};
use super::{Envelope, Mapped};
use crate::canonical::{Action, Attributes, Coverage, Entity, Product, ProductStatus, Text};
use crate::reject::Reject;
use crate::vendors::cursor::Node;
use crate::vendors::present;
use std::borrow::Cow;

const SAID: &[(&str, &str)] = &[
    ("name", "name"),
    ("slug", "slug"),
    ("description", "description"),
    ("description_html", "description_html"),
    ("meta_description", "meta_description"),
    ("tags", "tags"),
    ("default_variant_id", "default_variant_id"),
    ("variant_count", "variant_count"),
    ("price", "prices"),
    ("original_price", "prices"),
    ("thumbnail_url", "image_url"),
    ("in_stock", "in_stock"),
    ("purchasable", "purchasable"),
    ("backorderable", "backorderable"),
    ("available", "published"),
    ("available_on", "available_at"),
    ("created_at", "created_at"),
    ("updated_at", "updated_at"),
];

pub(super) fn product<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    with_status(
        envelope,
        action,
        match action {
            Action::Activated => Some(ProductStatus::Active),
            Action::Archived => Some(ProductStatus::Archived),
            _ => None,
        },
    )
}

pub(super) fn drafted<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    with_status(envelope, action, Some(ProductStatus::Draft))
}

/// The status is in no payload; some events stand for it.
fn with_status<'a>(
    envelope: &Envelope<'a>,
    action: Action,
    status: Option<ProductStatus>,
) -> Result<Mapped<'a>, Reject> {
    let data = envelope.data;
    let updated_at = data.time("updated_at")?;
    let product = Product {
        id: Some(data.require_id("id")?),
        external_id: None,
        name: data.text("name")?,
        slug: data.text("slug")?,
        description: data.text("description")?,
        description_html: data.text("description_html")?,
        meta_description: data.text("meta_description")?,
        status,
        vendor_status: None,
        r#type: None,
        brand: None,
        url: None,
        tags: tags(data)?,
        categories: Vec::new(),
        variants: Vec::new(),
        default_variant_id: data.id("default_variant_id")?,
        variant_count: data.long("variant_count")?,
        prices: prices(data)?,
        options: Vec::new(),
        images: Vec::new(),
        image_url: data.id("thumbnail_url")?,
        inventory_quantity: None,
        inventory_tracking: None,
        vendor_inventory_tracking: None,
        inventory_tracking_service: None,
        in_stock: data.boolean("in_stock")?,
        purchasable: data.boolean("purchasable")?,
        backorderable: data.boolean("backorderable")?,
        published: data.boolean("available")?,
        tax_code: None,
        localized_names: Attributes::default(),
        localized_descriptions: Attributes::default(),
        attributes: Attributes::default(),
        available_at: data.time("available_on")?,
        created_at: data.time("created_at")?,
        updated_at,
        deleted_at: None,
    };
    let coverage = coverage(data, action, Coverage::Patch)?;
    Ok(Mapped {
        entity: Entity::Product(Box::new(product)),
        action,
        coverage,
        present: if coverage == Coverage::Patch { said(data, status) } else { Cow::Borrowed(&[]) },
        component: None,
        clock: updated_at,
        is_identified_by_body: false,
    })
}

fn said(data: Node<'_>, status: Option<ProductStatus>) -> Cow<'static, [&'static str]> {
    let mut paths = present(data, SAID);
    if status.is_some() {
        paths.to_mut().extend(["status", "vendor_status"]);
    }
    paths
}

/// Texts by the vendor's page; released Spree may send objects that have a name.
fn tags<'a>(product: Node<'a>) -> Result<Vec<Text<'a>>, Reject> {
    let list = product.value("tags")?;
    if list.is_nowhere() {
        return Ok(Vec::new());
    }
    let mut tags = Vec::new();
    for tag in list.items()? {
        tags.extend(if tag.is_object() { tag.text("name")? } else { tag.read_text()? });
    }
    Ok(tags)
}
