//! What the entities have in common: addresses, lines, discounts, currencies, and how much of an entity a body says.
//! Knows no event.

use crate::canonical::{
    Action, Address, Attributes, ChosenOption, Component, Coverage, DigitalLink, Discount, Entity, InventoryTracking,
    LineItem, Price, PriceKind, StoreCredit, Text, forms,
};
use crate::reject::Reject;
use crate::vendors::Mapped;
use crate::vendors::cursor::Node;
use std::borrow::Cow;

/// `whole`, unless the body has nothing but the id and times.
pub(super) fn coverage(data: Node<'_>, action: Action, whole: Coverage) -> Result<Coverage, Reject> {
    let is_thin = data.entries()?.all(|(key, _)| key == "id" || key.ends_with("_at"));
    Ok(match (is_thin, action) {
        (false, _) => whole,
        (true, Action::Deleted) => Coverage::KeyOnly,
        (true, _) => Coverage::Patch,
    })
}

/// A part of an entity. The entity has an id only if the body names it; what `present` lists is what the body says of it.
pub(super) fn part<'a>(
    data: Node<'a>,
    action: Action,
    kind: &'static str,
    entity: Entity<'a>,
    present: &'static [&'static str],
) -> Result<Mapped<'a>, Reject> {
    Ok(Mapped {
        entity,
        action,
        coverage: Coverage::Component,
        present: Cow::Borrowed(present),
        component: Some(Component { kind: Text::Borrowed(kind), id: Some(data.require_id("id")?), name: None }),
        // The part's own: the entity may have changed after it.
        clock: data.time("updated_at")?,
        is_identified_by_body: false,
    })
}

/// The id under `key`, or of the object that `key` is the id of and that may stand beside it.
pub(super) fn id_or_of<'a>(node: Node<'a>, key: &'static str, object: Node<'a>) -> Result<Option<Text<'a>>, Reject> {
    let id = match node.id(key)? {
        Some(id) => Some(id),
        None => object.id("id")?,
    };
    object.repeats("id", id.as_deref())?;
    Ok(id)
}

/// The currency of a part: its own if it names one, else the order's.
pub(super) fn currency_or<'a>(node: Node<'a>, of_order: Option<&Text<'a>>) -> Result<Option<Text<'a>>, Reject> {
    match node.has("currency") && !node.is_null("currency") {
        true => node.form("currency", forms::currency),
        false => Ok(of_order.cloned()),
    }
}

/// Refuses a part in another currency than the order's, where the model has no place for a second one. Where the order's
/// is not known, the part's stays unread and is kept.
pub(super) fn in_currency_of(node: Node<'_>, of_order: Option<&Text<'_>>) -> Result<(), Reject> {
    match of_order {
        Some(currency) => node.same_currency("currency", Some(currency)),
        None => Ok(()),
    }
}

pub(super) fn address<'a>(address: Node<'a>) -> Result<Address<'a>, Reject> {
    let region_code = address.text("state_abbr")?;
    // `state_text` is the abbreviation, or the name where there is none.
    let region = match (address.text("state_name")?, &region_code) {
        (None, None) => address.text("state_text")?,
        (name, _) => name,
    };
    address.repeats("state_text", region_code.as_deref())?;
    address.repeats("state_text", region.as_deref())?;
    Ok(Address {
        id: address.id("id")?,
        kind: None,
        r#use: None,
        first_name: address.text(["firstname", "first_name"])?,
        last_name: address.text(["lastname", "last_name"])?,
        full_name: address.text("full_name")?,
        company: address.text("company")?,
        line1: address.text("address1")?,
        line2: address.text("address2")?,
        line3: None,
        line4: None,
        city: address.text("city")?,
        region,
        region_code,
        postal_code: address.text(["zipcode", "postal_code"])?,
        country: address.text("country_name")?,
        country_code: address.form("country_iso", forms::country_code)?,
        phone: address.text("phone")?,
        fax: None,
        email: None,
        is_default_billing: address.boolean("is_default_billing")?,
        is_default_shipping: address.boolean("is_default_shipping")?,
    })
}

pub(super) fn line_item<'a>(item: Node<'a>, of_order: Option<&Text<'a>>) -> Result<LineItem<'a>, Reject> {
    Ok(LineItem {
        id: item.id("id")?,
        parent_id: None,
        cart_line_item_id: None,
        product_id: None,
        variant_id: item.id("variant_id")?,
        sku: None,
        name: item.text("name")?,
        slug: item.text("slug")?,
        url: None,
        image_url: item.text("thumbnail_url")?,
        options_text: item.text("options_text")?,
        options: item.list("option_values", option)?,
        quantity: item.long("quantity")?,
        unit_price: item.money("price")?,
        list_price: None,
        sale_price: None,
        promo_price: None,
        compare_at_price: item.money("compare_at_amount")?,
        subtotal: None,
        unit_discount: None,
        discount_total: item.negative_discount(["promo_total", "discount_total"])?,
        discounted_subtotal: item.money("discounted_amount")?,
        savings: None,
        pre_tax_total: item.money("pre_tax_amount")?,
        tax_total: None,
        tax_included_total: item.money("included_tax_total")?,
        tax_additional_total: item.money("additional_tax_total")?,
        adjustment_total: item.money("adjustment_total")?,
        total: item.money("total")?,
        currency: currency_or(item, of_order)?,
        taxes: Vec::new(),
        requires_shipping: None,
        taxable: None,
        weight: None,
        weight_unit: None,
        grams: None,
        inventory_allocated: None,
        available_at: None,
        available_until: None,
        digital_links: item.list("digital_links", digital_link)?,
        attributes: Attributes::default(),
        created_at: item.time("created_at")?,
        updated_at: item.time("updated_at")?,
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

/// The vendor's option value is what was chosen: its `name` is our `value`.
pub(super) fn option<'a>(value: Node<'a>) -> Result<ChosenOption<'a>, Reject> {
    Ok(ChosenOption {
        name: value.text("option_type_name")?,
        value: value.text("name")?,
        label: value.text(["presentation", "label"])?,
        option_id: value.id("option_type_id")?,
        value_id: value.id("id")?,
        name_label: value.text(["option_type_presentation", "option_type_label"])?,
    })
}

pub(super) fn digital_link<'a>(link: Node<'a>) -> Result<DigitalLink<'a>, Reject> {
    Ok(DigitalLink {
        id: link.id("id")?,
        filename: link.text("filename")?,
        content_type: link.id("content_type")?,
        access_counter: link.long("access_counter")?,
        expired: link.boolean("expired")?,
        access_limit_exceeded: link.boolean("access_limit_exceeded")?,
        created_at: link.time("created_at")?,
    })
}

/// An order's use of a promotion.
pub(super) fn discount<'a>(discount: Node<'a>, of_order: Option<&Text<'a>>) -> Result<Discount<'a>, Reject> {
    in_currency_of(discount, of_order)?;
    Ok(Discount {
        id: discount.id("id")?,
        promotion_id: discount.id("promotion_id")?,
        code: discount.text("code")?,
        name: discount.text("name")?,
        amount: discount.negative_discount("amount")?,
    })
}

/// A customer's own, or what a payment is paid from.
pub(super) fn store_credit<'a>(credit: Node<'a>, id: Option<Text<'a>>) -> Result<StoreCredit<'a>, Reject> {
    Ok(StoreCredit {
        id,
        amount: credit.money("amount")?,
        amount_used: credit.money("amount_used")?,
        amount_remaining: credit.money("amount_remaining")?,
        currency: credit.form("currency", forms::currency)?,
    })
}

/// Of a variant, or of the default one of a product: what a customer pays, and what it is in the catalog where a price
/// list makes that another.
pub(super) fn prices<'a>(node: Node<'a>) -> Result<Vec<Price<'a>>, Reject> {
    let prices = [
        node.object("price", |price| price_of(price, Some(PriceKind::Resolved)))?,
        node.object("original_price", |price| price_of(price, Some(PriceKind::Base)))?,
    ];
    Ok(prices.into_iter().flatten().collect())
}

/// Of a variant: its own quantity counts, or nobody's.
pub(super) fn inventory_tracking(variant: Node<'_>) -> Result<Option<InventoryTracking>, Reject> {
    Ok(variant.boolean("track_inventory")?.map(|is_tracked| match is_tracked {
        true => InventoryTracking::Variant,
        false => InventoryTracking::None,
    }))
}

pub(super) fn price_of<'a>(price: Node<'a>, kind: Option<PriceKind>) -> Result<Price<'a>, Reject> {
    Ok(Price {
        id: price.id("id")?,
        kind,
        amount: price.money("amount")?,
        compare_at_amount: price.money("compare_at_amount")?,
        currency: price.form("currency", forms::currency)?,
        price_list_id: price.id("price_list_id")?,
    })
}
