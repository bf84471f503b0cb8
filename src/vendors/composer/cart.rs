//! `SHOPPING_CART_*` and `SHOPPING_CART_ITEM_*` → a whole cart. Knows no orders.

use super::shared::{Locale, Places, account, address, display_name, flatten, locale, modifiers, party, store};
use super::{mapped, subject};
use crate::canonical::{Action, Cart, CartKind, Component, Coverage, Entity, LineItem, Text, forms};
use crate::reject::Reject;
use crate::vendors::cursor::Node;
use crate::vendors::{Envelope, Mapped};

/// What a body with nothing but the id says; what kind of cart it is, the event says.
const BARE: &[(&str, &str)] = &[("guid", "id"), ("guid", "kind"), ("guid", "vendor_kind")];

pub fn cart<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let cart = subject(envelope, "shoppingCart")?;
    let id = cart.require_id("guid")?;
    let shopper = cart.child("shopper")?;
    let session = shopper.child("session")?;
    let tags = session.child("tagSet")?;
    let locale = locale(session)?;
    let pricing = cart.child("shoppingCartPricing")?;
    let (line_items, places) = lines(cart, &locale)?;
    let is_about_item = matches!(action, Action::ItemAdded | Action::ItemUpdated | Action::ItemRemoved);
    let (component, component_item) = match is_about_item {
        true => component(envelope.data.child("contextObject")?.child("shoppingItem")?, action, &locale, &places)?,
        false => (None, None),
    };
    let entity = Cart {
        id: Some(id),
        external_id: None,
        number: None,
        kind: Some(CartKind::Shopping),
        vendor_kind: None,
        vendor_status: None,
        name: cart.child("modifierFields")?.text("name")?,
        checkout_id: cart.id("cartOrderGuid")?,
        order_id: None,
        channel: tags.text("SELLING_CHANNEL")?,
        customer: shopper.object("user", party)?,
        account: shopper.object("account", account)?,
        // The checkout's own; Composer has the customer's only.
        email: None,
        // Of the session: the store's `defaultCurrency` is another thing.
        currency: session.form("currency", forms::currency)?,
        locale: locale.bcp_47,
        store: shopper.object("store", store)?,
        market_id: None,
        line_items,
        component_item,
        item_count: cart.long("quantity")?,
        subtotal: pricing.money("subtotal")?,
        item_total: pricing.money("beforeCartDiscountsSubtotal")?,
        discount_total: pricing.positive_discount("cartSubtotalDiscounts")?,
        shipping_total: pricing.money("shipping")?,
        tax_total: pricing.money("taxes")?,
        tax_included_total: None,
        tax_additional_total: None,
        tax_inclusive: None,
        adjustment_total: None,
        total: pricing.money("total")?,
        amount_due: None,
        gift_card_total: None,
        store_credit_total: None,
        discounts: Vec::new(),
        requires_shipping: cart.boolean("requiresShipping")?,
        billing_address: address(cart.child("billingAddress")?, cart.child("billingContact")?)?,
        shipping_address: address(cart.child("shippingAddress")?, cart.child("shippingContact")?)?,
        note: None,
        is_default: None,
        is_private: None,
        attributes: modifiers(cart, Some("name"))?,
        session_started_at: tags.millis("SHOPPING_START_TIME")?,
        created_at: None,
        updated_at: None,
        deleted_at: None,
    };
    let is_gone = entity.component_item.is_some();
    let mut mapped = mapped(Entity::Cart(Box::new(entity)), cart, BARE, action, component)?;
    if is_gone && mapped.coverage == Coverage::Patch {
        mapped.present.to_mut().push("component_item");
    }
    Ok(mapped)
}

/// The lines, bundles flattened, and where they stand.
fn lines<'a>(cart: Node<'a>, locale: &Locale<'a>) -> Result<(Vec<LineItem<'a>>, Places<'a>), Reject> {
    let (mut lines, mut places) = (Vec::new(), Vec::new());
    let mut read = |line: Node<'a>, id: Option<Text<'a>>, parent_id| {
        places.extend(id.clone().map(|id| (id, line)));
        line_item(line, id, parent_id, locale)
    };
    flatten(cart, "lineItems", None, &mut read, &mut lines)?;
    Ok((lines, Places::new(places)))
}

/// The item that an event is about. One that was removed is no longer in the cart's list; any other stands there too,
/// and what it says otherwise than there is kept.
fn component<'a>(
    item: Node<'a>,
    action: Action,
    locale: &Locale<'a>,
    places: &Places<'a>,
) -> Result<(Option<Component<'a>>, Option<LineItem<'a>>), Reject> {
    let id = item.id("guid")?;
    let component = Component { kind: Text::Borrowed("line_item"), id: id.clone(), name: None };
    if action == Action::ItemRemoved && !item.is_nowhere() {
        return Ok((Some(component), Some(line_item(item, id, None, locale)?)));
    }
    if let Some(line) = id.and_then(|id| places.find(&id)) {
        item.echoes(line);
    }
    Ok((Some(component), None))
}

fn line_item<'a>(
    line: Node<'a>,
    id: Option<Text<'a>>,
    parent_id: Option<Text<'a>>,
    locale: &Locale<'a>,
) -> Result<LineItem<'a>, Reject> {
    let sku = line.child("productSku")?;
    Ok(LineItem {
        id,
        parent_id,
        cart_line_item_id: None,
        product_id: None,
        variant_id: None,
        sku: sku.id("code")?,
        name: display_name(sku, locale)?,
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
        requires_shipping: sku.boolean("shippable")?,
        taxable: None,
        weight: None,
        weight_unit: None,
        grams: None,
        inventory_allocated: None,
        available_at: sku.seconds("effectiveStartDate")?,
        available_until: sku.seconds("effectiveEndDate")?,
        digital_links: Vec::new(),
        attributes: modifiers(line, None)?,
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
