//! `cart.created` → [`Cart`]: a wish list more often than not, without prices and without a currency.
//!
//! Knows neither Kafka, nor Avro, nor metrics, nor the clock, nor any other vendor.

use super::super::cursor::Node;
use super::super::{Envelope, Mapped};
use super::coverage;
use crate::canonical::{Action, Attributes, Cart, CartKind, Entity, LineItem, Party};
use crate::reject::Reject;

pub(super) fn map<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let object = envelope.data.require_child("object")?;
    let id = object.require_id("id")?;
    let (kind, vendor_kind) = object.word("cart_type", cart_kind, CartKind::Unknown)?;
    let cart = Cart {
        id: Some(id),
        external_id: None,
        number: None,
        kind,
        vendor_kind,
        vendor_status: None,
        name: None,
        checkout_id: None,
        order_id: None,
        channel: None,
        customer: object.object("shopper", customer)?,
        account: None,
        email: None,
        currency: None,
        locale: None,
        store: None,
        market_id: None,
        line_items: object.list("line_items", line_item)?,
        component_item: None,
        item_count: None,
        subtotal: None,
        item_total: None,
        discount_total: None,
        shipping_total: None,
        tax_total: None,
        tax_included_total: None,
        tax_additional_total: None,
        tax_inclusive: None,
        adjustment_total: None,
        total: None,
        amount_due: None,
        gift_card_total: None,
        store_credit_total: None,
        discounts: Vec::new(),
        requires_shipping: None,
        billing_address: None,
        shipping_address: None,
        note: None,
        is_default: None,
        is_private: None,
        attributes: Attributes::default(),
        session_started_at: None,
        created_at: object.time("created_at")?,
        updated_at: object.time("updated_at")?,
        deleted_at: None,
    };
    let (coverage, present) = coverage(object, FIELDS, TIMES, action)?;
    Ok(Mapped {
        clock: cart.updated_at,
        entity: Entity::Cart(Box::new(cart)),
        action,
        coverage,
        present,
        component: None,
        is_identified_by_body: true,
    })
}

const TIMES: &[(&str, &str)] = &[("created_at", "created_at"), ("updated_at", "updated_at")];

/// Every documented field that is neither the id nor a time.
const FIELDS: &[&str] = &["cart_type", "shopper", "line_items"];

/// The only word that the page shows.
fn cart_kind(word: &str) -> Option<CartKind> {
    (word == "wishlist").then_some(CartKind::Wishlist)
}

/// `ref` is the only link to the customer: a cart's shopper has no BSPK id.
fn customer(shopper: Node<'_>) -> Result<Party<'_>, Reject> {
    Ok(Party {
        id: None,
        external_id: shopper.id("ref")?,
        r#type: None,
        vendor_type: None,
        status: None,
        vendor_status: None,
        email: shopper.text("email")?,
        first_name: shopper.text("first_name")?,
        last_name: shopper.text("last_name")?,
        phone: shopper.text("mobile_phone")?,
        locale: None,
        segments: Vec::new(),
        first_time_buyer: None,
        consents: Vec::new(),
    })
}

fn line_item(line: Node<'_>) -> Result<LineItem<'_>, Reject> {
    let variant = line.child("product_variant")?;
    Ok(LineItem {
        id: line.id("id")?,
        parent_id: None,
        cart_line_item_id: None,
        product_id: None,
        variant_id: None,
        sku: variant.id("sku")?,
        name: variant.text("name")?,
        slug: None,
        url: None,
        image_url: None,
        options_text: None,
        options: Vec::new(),
        quantity: line.long("quantity")?,
        unit_price: None,
        list_price: None,
        sale_price: None,
        promo_price: None,
        compare_at_price: None,
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
        currency: None,
        taxes: Vec::new(),
        requires_shipping: None,
        taxable: None,
        weight: None,
        weight_unit: None,
        grams: None,
        inventory_allocated: None,
        available_at: None,
        available_until: None,
        digital_links: Vec::new(),
        attributes: Attributes::default(),
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

#[cfg(test)]
mod tests {
    use super::super::BSPK;
    use crate::vendors::testing::translate;
    use serde_json::json;

    #[test]
    fn a_thin_cart_clears_nothing() {
        let out = translate(
            &BSPK,
            &json!({"event_name": "cart.created", "object": {"id": 1, "created_at": "2024-01-01T00:00:00Z"}}),
        );
        assert_eq!(out["meta"]["coverage"], "PATCH");
        assert_eq!(out["meta"]["present"], json!(["created_at"]));
        // Without its own clock it is known by its place.
        assert_eq!(out["meta"]["event_id_basis"], "POSITION");
    }

    #[test]
    fn a_cart_without_a_shopper_has_no_customer() {
        let out = translate(
            &BSPK,
            &json!({"event_name": "cart.created", "object": {"id": 1, "shopper": null, "line_items": []}}),
        );
        assert_eq!(out["meta"]["coverage"], "SNAPSHOT");
        assert_eq!(out["cart"]["customer"], json!(null));
        assert_eq!(out["cart"]["total"], json!(null));
    }
}
