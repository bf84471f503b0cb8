//! `line_item.*` and `wished_item.*`: one line of a [`Cart`]. A line names no cart, a wished item its list. Knows no whole
//! cart.

use super::shared::{id_or_of, in_currency_of, inventory_tracking, line_item as line, option, part};
use super::{Envelope, Mapped};
use crate::canonical::{Action, Attributes, Cart, CartKind, Entity, LineItem, forms};
use crate::reject::Reject;
use crate::vendors::cursor::Node;

/// What kind of cart it is, the event says.
const SAID: &[&str] = &["kind", "vendor_kind", "line_items"];

/// Lines of orders too; but nearly all are put into a cart.
pub(super) fn line_item<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let data = envelope.data;
    let line_items = vec![line(data, None)?];
    let cart = Cart { kind: Some(CartKind::Shopping), line_items, ..Cart::default() };
    part(data, action, "line_item", Entity::Cart(Box::new(cart)), SAID)
}

pub(super) fn wished_item<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let data = envelope.data;
    let cart = Cart {
        id: data.id("wishlist_id")?,
        kind: Some(CartKind::Wishlist),
        line_items: vec![wished_line(data)?],
        ..Cart::default()
    };
    part(data, action, "wished_item", Entity::Cart(Box::new(cart)), SAID)
}

/// What is wished for, as the whole variant in it says. What is only about the catalog, such as since when the variant is
/// in it, the events of the variant have.
fn wished_line<'a>(item: Node<'a>) -> Result<LineItem<'a>, Reject> {
    let variant = item.child("variant")?;
    let price = variant.child("price")?;
    let currency = price.form("currency", forms::currency)?;
    // Only where a price list makes another one of it.
    let original_price = variant.child("original_price")?;
    in_currency_of(original_price, currency.as_ref())?;
    Ok(LineItem {
        id: item.id("id")?,
        parent_id: None,
        cart_line_item_id: None,
        product_id: variant.id("product_id")?,
        variant_id: id_or_of(item, "variant_id", variant)?,
        sku: variant.id("sku")?,
        name: None,
        slug: None,
        url: None,
        image_url: variant.text(["thumbnail", "thumbnail_url"])?,
        options_text: variant.text("options_text")?,
        options: variant.list("option_values", option)?,
        quantity: item.long("quantity")?,
        unit_price: price.money("amount")?,
        list_price: original_price.money("amount")?,
        sale_price: None,
        promo_price: None,
        compare_at_price: price.money("compare_at_amount")?,
        subtotal: None,
        unit_discount: None,
        discount_total: None,
        discounted_subtotal: None,
        savings: None,
        pre_tax_total: None,
        tax_total: None,
        tax_included_total: None,
        tax_additional_total: None,
        adjustment_total: None,
        total: None,
        currency,
        taxes: Vec::new(),
        requires_shipping: None,
        taxable: None,
        weight: variant.decimal("weight")?,
        weight_unit: None,
        grams: None,
        inventory_allocated: None,
        available_at: None,
        available_until: None,
        digital_links: Vec::new(),
        attributes: Attributes::default(),
        created_at: item.time("created_at")?,
        updated_at: item.time("updated_at")?,
        price_list_id: price.id("price_list_id")?,
        is_master: variant.boolean("is_master")?,
        inventory_tracking: inventory_tracking(variant)?,
        vendor_inventory_tracking: None,
        in_stock: variant.boolean("in_stock")?,
        purchasable: variant.boolean("purchasable")?,
        backorderable: variant.boolean("backorderable")?,
        width: variant.decimal("width")?,
        height: variant.decimal("height")?,
        depth: variant.decimal("depth")?,
    })
}
