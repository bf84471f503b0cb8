//! `product.saved`, `product.deleted` → [`Product`]. Prices have no currency. A product without variants repeats itself
//! as its only one. Knows neither Kafka, nor Avro, nor metrics, nor the clock, nor any other vendor.

use super::super::cursor::Node;
use super::super::{Envelope, Mapped};
use super::shared;
use crate::canonical::{
    Action, Attributes, Category, ChosenOption, Entity, Image, InventoryTracking, Price, PriceKind, Product,
    ProductOption, Text, Variant,
};
use crate::reject::Reject;
use std::collections::HashMap;

pub(super) fn saved<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let body = envelope.data;
    let id = body.require_id("platform_id")?;
    let (inventory_tracking, vendor_inventory_tracking) =
        body.word("inventory_tracking_entity", inventory_tracking, InventoryTracking::Unknown)?;
    let options = body.list("options", option)?;
    let names = OptionNames::of(&options);
    let product = Product {
        id: Some(id),
        external_id: None,
        name: body.text("name")?,
        slug: body.id("handle")?,
        description: body.text("description")?,
        description_html: None,
        meta_description: None,
        status: None,
        vendor_status: None,
        r#type: body.id("type")?,
        brand: body.id("vendor")?,
        url: body.id("url")?,
        tags: tags(body)?,
        categories: body.list("categories", category)?,
        variants: body.list("variants", |it| variant(it, &names))?,
        default_variant_id: None,
        variant_count: None,
        prices: Vec::new(),
        options,
        images: body.list("images", image)?,
        image_url: None,
        inventory_quantity: body.long("inventory_quantity")?,
        inventory_tracking,
        vendor_inventory_tracking,
        inventory_tracking_service: body.id("inventory_tracking_service")?,
        in_stock: None,
        purchasable: None,
        backorderable: None,
        published: body.boolean("published")?,
        tax_code: body.id("tax_code")?,
        localized_names: shared::localized(body, "localized_names")?,
        localized_descriptions: shared::localized(body, "localized_descriptions")?,
        attributes: Attributes::default(),
        available_at: None,
        created_at: body.time("platform_created_at")?,
        updated_at: body.time("platform_updated_at")?,
        deleted_at: body.time("platform_deleted_at")?,
    };
    let clock = product.updated_at;
    Ok(shared::saved(Entity::Product(Box::new(product)), action, clock, body, SAID))
}

/// Bold's key, and the canonical field that it says something of.
const SAID: &[(&str, &str)] = &[
    ("name", "name"),
    ("handle", "slug"),
    ("description", "description"),
    ("type", "type"),
    ("vendor", "brand"),
    ("url", "url"),
    ("tags", "tags"),
    ("categories", "categories"),
    ("variants", "variants"),
    ("options", "options"),
    ("images", "images"),
    ("inventory_quantity", "inventory_quantity"),
    ("inventory_tracking_entity", "inventory_tracking"),
    ("inventory_tracking_entity", "vendor_inventory_tracking"),
    ("inventory_tracking_service", "inventory_tracking_service"),
    ("published", "published"),
    ("tax_code", "tax_code"),
    ("localized_names", "localized_names"),
    ("localized_descriptions", "localized_descriptions"),
    ("platform_created_at", "created_at"),
    ("platform_updated_at", "updated_at"),
    ("platform_deleted_at", "deleted_at"),
];

pub(super) fn deleted<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let id = Some(envelope.data.require_id("platform_id")?);
    let deleted_at = envelope.data.time("platform_deleted_at")?;
    let product = Product { id, deleted_at, ..Product::default() };
    Ok(shared::deleted(Entity::Product(Box::new(product)), action, deleted_at))
}

fn inventory_tracking(word: &str) -> Option<InventoryTracking> {
    match word {
        "variant" => Some(InventoryTracking::Variant),
        "product" => Some(InventoryTracking::Product),
        "none" => Some(InventoryTracking::None),
        _ => None,
    }
}

/// One text, with commas between the tags.
fn tags(product: Node<'_>) -> Result<Vec<Text<'_>>, Reject> {
    fn split(tags: &str) -> impl Iterator<Item = &str> {
        tags.split(',').map(str::trim).filter(|tag| !tag.is_empty())
    }
    Ok(match product.text("tags")? {
        None => Vec::new(),
        Some(Text::Borrowed(tags)) => split(tags).map(Text::Borrowed).collect(),
        Some(Text::Owned(tags)) => split(&tags).map(|tag| Text::Owned(tag.to_owned())).collect(),
    })
}

pub(super) fn category(category: Node<'_>) -> Result<Category<'_>, Reject> {
    Ok(Category {
        id: category.id("platform_id")?,
        name: category.text("name")?,
        image_url: category.id("image_url")?,
        created_at: category.time("platform_created_at")?,
        updated_at: category.time("platform_updated_at")?,
        deleted_at: category.time("platform_deleted_at")?,
    })
}

fn option(option: Node<'_>) -> Result<ProductOption<'_>, Reject> {
    Ok(ProductOption {
        id: option.id("platform_id")?,
        name: option.text("name")?,
        position: option.long("position")?,
        values: Vec::new(),
    })
}

fn image(image: Node<'_>) -> Result<Image<'_>, Reject> {
    Ok(Image {
        id: image.id("platform_id")?,
        url: image.id("src")?,
        renditions: Attributes::default(),
        alt: image.text("name")?,
        position: image.long("position")?,
        kind: None,
        created_at: None,
    })
}

fn variant<'a>(variant: Node<'a>, names: &OptionNames<'a>) -> Result<Variant<'a>, Reject> {
    let (inventory_tracking, vendor_inventory_tracking) =
        variant.word("inventory_tracking_entity", inventory_tracking, InventoryTracking::Unknown)?;
    let (weight, weight_unit) = shared::weight(variant)?;
    Ok(Variant {
        id: variant.id("platform_id")?,
        sku: variant.id("sku")?,
        barcode: None,
        name: variant.text("name")?,
        localized_names: shared::localized(variant, "localized_names")?,
        is_master: None,
        options: variant.list("option_values", |value| chosen_option(value, names))?,
        options_text: None,
        prices: price(variant)?.into_iter().collect(),
        cost: variant.money("cost")?,
        stock_levels: Vec::new(),
        stock_movements: Vec::new(),
        inventory_quantity: variant.long("inventory_quantity")?,
        inventory_tracking,
        vendor_inventory_tracking,
        inventory_tracking_service: variant.id("inventory_tracking_service")?,
        in_stock: None,
        purchasable: None,
        backorderable: variant.boolean("allow_backorder")?,
        // Without the last letter of the line's.
        requires_shipping: variant.boolean("require_shipping")?,
        tax_code: variant.id("tax_code")?,
        tax_exempt: variant.boolean("tax_exempt")?,
        weight,
        weight_unit,
        grams: variant.decimal("grams")?,
        width: None,
        height: None,
        depth: None,
        images: variant_image(variant)?.into_iter().collect(),
        created_at: None,
        updated_at: None,
    })
}

/// The names of a product's options by their ids, to be found again by every choice of every variant.
struct OptionNames<'a>(HashMap<Text<'a>, Text<'a>>);

impl<'a> OptionNames<'a> {
    /// Of two options with one id, the first counts.
    fn of(options: &[ProductOption<'a>]) -> OptionNames<'a> {
        let named = options.iter().rev().filter_map(|option| option.id.clone().zip(option.name.clone()));
        OptionNames(named.collect())
    }
}

fn chosen_option<'a>(value: Node<'a>, names: &OptionNames<'a>) -> Result<ChosenOption<'a>, Reject> {
    let option_id = value.id("platform_option_id")?;
    // The option is named by its id.
    let name = option_id.as_ref().and_then(|id| names.0.get(id).cloned());
    value.spend(name.as_deref().map_or(0, str::len))?;
    Ok(ChosenOption {
        name,
        value: value.text("name")?,
        label: None,
        option_id,
        value_id: value.id("platform_id")?,
        name_label: None,
    })
}

/// In the shop's own currency, which no webhook names.
fn price(variant: Node<'_>) -> Result<Option<Price<'_>>, Reject> {
    let (amount, compare_at_amount) = (variant.money("price")?, variant.money("compare_at_price")?);
    if amount.is_none() && compare_at_amount.is_none() {
        return Ok(None);
    }
    Ok(Some(Price {
        id: None,
        kind: Some(PriceKind::Base),
        amount,
        compare_at_amount,
        currency: None,
        price_list_id: None,
    }))
}

fn variant_image(variant: Node<'_>) -> Result<Option<Image<'_>>, Reject> {
    let url = variant.id("image_url")?;
    Ok(url.map(|url| Image { url: Some(url), ..Image::default() }))
}

#[cfg(test)]
mod tests {
    use super::super::BOLD;
    use crate::vendors::testing::translate;
    use serde_json::{Value, json};

    fn product(said: Value) -> Value {
        let mut body = json!({"platform_id": "1", "platform_updated_at": "2024-01-01T00:00:00Z"});
        for (key, value) in said.as_object().expect("an object") {
            body[key] = value.clone();
        }
        translate(&BOLD, &json!({"data": {"product": body}}))
    }

    #[test]
    fn tags_are_one_text_with_commas() {
        for (tags, told) in [
            (json!("kitchen, oak,,handmade "), json!(["kitchen", "oak", "handmade"])),
            (json!("caf\u{e9}\"s,\"x\""), json!(["café\"s", "\"x\""])),
            (json!(""), json!([])),
            (json!(null), json!([])),
        ] {
            let out = product(json!({"tags": tags}));
            assert_eq!(out["product"]["tags"], told);
            assert_eq!(out["meta"]["present"], json!(["tags", "updated_at"]));
            assert_eq!(out["extensions"], json!({}));
        }
    }

    #[test]
    fn a_choice_has_the_name_of_its_option() {
        let values = json!([
            {"platform_id": "V1", "platform_option_id": "O1", "name": "Small"},
            {"platform_option_id": "O2", "name": "Red"},
        ]);
        let out = product(json!({
            "variants": [{"platform_id": "1", "option_values": values}],
            "options": [{"platform_id": "O1", "name": "Size", "position": 1}, {"platform_id": "O1", "name": "Again"}],
        }));
        let options = &out["product"]["variants"][0]["options"];
        let told =
            |nth: usize| ["name", "value", "label", "option_id", "value_id"].map(|key| options[nth][key].clone());
        assert_eq!(told(0), [json!("Size"), json!("Small"), json!(null), json!("O1"), json!("V1")]);
        // The product does not list it.
        assert_eq!(told(1), [json!(null), json!("Red"), json!(null), json!("O2"), json!(null)]);
        assert_eq!(out["extensions"], json!({}));
    }

    #[test]
    fn a_variant_without_a_price_has_none() {
        let variants = json!([
            {"platform_id": "1", "price": "", "compare_at_price": null, "image_url": ""},
            {"platform_id": "2", "price": "0", "image_url": "https://x.example/2.jpg", "allow_backorder": true},
        ]);
        let out = product(json!({"variants": variants}));
        assert_eq!(out["product"]["variants"][0]["prices"], json!([]));
        assert_eq!(out["product"]["variants"][0]["images"], json!([]));
        assert_eq!(out["product"]["variants"][1]["prices"][0]["amount"], "0");
        assert_eq!(out["product"]["variants"][1]["prices"][0]["currency"], json!(null));
        assert_eq!(out["product"]["variants"][1]["images"][0]["url"], "https://x.example/2.jpg");
        assert_eq!(out["product"]["variants"][1]["backorderable"], true);
        assert_eq!(out["extensions"], json!({}));
    }

    #[test]
    fn an_empty_map_may_be_an_empty_list() {
        let out = product(json!({"localized_names": [], "localized_descriptions": {"en": "Mug", "fr": null}}));
        assert_eq!(out["product"]["localized_names"], json!({}));
        assert_eq!(out["product"]["localized_descriptions"], json!({"en": "Mug"}));
        assert_eq!(out["meta"]["present"], json!(["localized_names", "localized_descriptions", "updated_at"]));
    }
}
