//! The order that all peers make, as serde structs that borrow from Spree's event. They must have the fields of order.avsc,
//! in its order.
use crate::{Bad, scalar::*, spree};
use serde::{Serialize, Serializer};
use std::ops::Deref;

/// serde_avro_fast parses the text itself. (Its integer path scales by 10^scale and drops the sign byte of positive numbers
/// whose top bit is set, so the unscaled integer cannot be handed over.)
pub struct Decimal<'a>(&'a str);
impl Serialize for Decimal<'_> {
    #[inline]
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.0)
    }
}
pub struct State(usize);
impl Serialize for State {
    #[inline]
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_unit_variant("OrderState", self.0 as u32, STATES[self.0])
    }
}

#[derive(Serialize)]
pub struct OrderEvent<'a> {
    pub event_id: &'a str,
    pub event_name: &'a str,
    pub source_system: &'a str,
    pub source_version: Option<&'a str>,
    pub occurred_at: i64,
    pub order_id: &'a str,
    pub order_number: &'a str,
    pub state: State,
    pub shipment_state: Option<&'a str>,
    pub payment_state: Option<&'a str>,
    pub currency: &'a str,
    pub item_count: i32,
    pub items_total: Decimal<'a>,
    pub shipping_total: Decimal<'a>,
    pub adjustment_total: Decimal<'a>,
    pub discount_total: Decimal<'a>,
    pub tax_total: Decimal<'a>,
    pub grand_total: Decimal<'a>,
    pub created_at: i64,
    pub updated_at: i64,
    pub completed_at: Option<i64>,
    pub customer_note: Option<&'a str>,
    pub promotion_codes: Vec<&'a str>,
    pub customer: Customer<'a>,
    pub billing_address: Option<Address<'a>>,
    pub shipping_address: Option<Address<'a>>,
    pub line_items: Vec<LineItem<'a>>,
    pub shipments: Vec<Shipment<'a>>,
    pub payments: Vec<Payment<'a>>,
}
#[derive(Serialize)]
pub struct Customer<'a> {
    pub email: Option<&'a str>,
    pub first_name: Option<&'a str>,
    pub last_name: Option<&'a str>,
    pub phone: Option<&'a str>,
}
#[derive(Serialize)]
pub struct Address<'a> {
    pub id: &'a str,
    pub first_name: Option<&'a str>,
    pub last_name: Option<&'a str>,
    pub company: Option<&'a str>,
    pub address1: Option<&'a str>,
    pub address2: Option<&'a str>,
    pub city: Option<&'a str>,
    pub region: Option<&'a str>,
    pub postal_code: Option<&'a str>,
    pub country_code: &'a str,
    pub phone: Option<&'a str>,
}
#[derive(Serialize)]
pub struct LineItem<'a> {
    pub id: &'a str,
    pub variant_id: &'a str,
    pub name: &'a str,
    pub slug: Option<&'a str>,
    pub options_text: Option<&'a str>,
    pub quantity: i32,
    pub unit_price: Decimal<'a>,
    pub line_total: Decimal<'a>,
    pub discount_total: Decimal<'a>,
    pub tax_total: Decimal<'a>,
    pub compare_at_price: Option<Decimal<'a>>,
    pub image_url: Option<&'a str>,
    pub options: Vec<OptionValue<'a>>,
}
#[derive(Serialize)]
pub struct OptionValue<'a> {
    pub name: &'a str,
    pub presentation: &'a str,
}
#[derive(Serialize)]
pub struct Shipment<'a> {
    pub id: &'a str,
    pub number: &'a str,
    pub state: &'a str,
    pub tracking: Option<&'a str>,
    pub tracking_url: Option<&'a str>,
    pub cost: Decimal<'a>,
    pub shipped_at: Option<i64>,
    pub method_name: Option<&'a str>,
    pub stock_location_id: Option<&'a str>,
}
#[derive(Serialize)]
pub struct Payment<'a> {
    pub id: &'a str,
    pub number: &'a str,
    pub state: &'a str,
    pub amount: Decimal<'a>,
    pub response_code: Option<&'a str>,
    pub method_id: &'a str,
    pub method_name: Option<&'a str>,
    pub source_type: Option<&'a str>,
    pub card_brand: Option<&'a str>,
    pub card_last4: Option<&'a str>,
    pub created_at: i64,
}

#[inline]
fn o<T: Deref<Target = str>>(v: &Option<T>) -> Option<&str> {
    v.as_deref()
}
impl<'a> Address<'a> {
    fn from<T: Deref<Target = str>>(a: &'a spree::Address<T>) -> Self {
        Address {
            id: &a.id,
            first_name: o(&a.first_name),
            last_name: o(&a.last_name),
            company: o(&a.company),
            address1: o(&a.address1),
            address2: o(&a.address2),
            city: o(&a.city),
            region: o(&a.state_abbr),
            postal_code: o(&a.postal_code),
            country_code: &a.country_iso,
            phone: o(&a.phone),
        }
    }
}

pub fn order<'a, T: Deref<Target = str>>(e: &'a spree::Envelope<T>) -> Result<OrderEvent<'a>, Bad> {
    let r = &e.data;
    let b = r.bill_address.as_ref();
    Ok(OrderEvent {
        event_id: &e.id,
        event_name: &e.name,
        source_system: "spree",
        source_version: e.metadata.as_ref().and_then(|m| m.spree_version.as_deref()),
        occurred_at: rfc3339_ms(&e.created_at)?,
        order_id: &r.id,
        order_number: &r.number,
        state: State(state_ix(&r.state)),
        shipment_state: o(&r.shipment_state),
        payment_state: o(&r.payment_state),
        currency: &r.currency,
        item_count: r.item_count,
        items_total: Decimal(&r.item_total),
        shipping_total: Decimal(&r.ship_total),
        adjustment_total: Decimal(&r.adjustment_total),
        discount_total: Decimal(&r.promo_total),
        tax_total: Decimal(&r.tax_total),
        grand_total: Decimal(&r.total),
        created_at: rfc3339_ms(&r.created_at)?,
        updated_at: rfc3339_ms(&r.updated_at)?,
        completed_at: r.completed_at.as_deref().map(rfc3339_ms).transpose()?,
        customer_note: o(&r.special_instructions),
        promotion_codes: r.promotions.iter().filter_map(|p| p.code.as_deref()).collect(),
        customer: Customer {
            email: o(&r.email),
            first_name: b.and_then(|b| o(&b.first_name)),
            last_name: b.and_then(|b| o(&b.last_name)),
            phone: b.and_then(|b| o(&b.phone)),
        },
        billing_address: b.map(Address::from),
        shipping_address: r.ship_address.as_ref().map(Address::from),
        line_items: r
            .items
            .iter()
            .map(|i| {
                Ok(LineItem {
                    id: &i.id,
                    variant_id: &i.variant_id,
                    name: &i.name,
                    slug: o(&i.slug),
                    options_text: o(&i.options_text),
                    quantity: i.quantity,
                    unit_price: Decimal(&i.price),
                    line_total: Decimal(&i.total),
                    discount_total: Decimal(&i.promo_total),
                    tax_total: Decimal(&i.additional_tax_total),
                    compare_at_price: i.compare_at_amount.as_deref().map(Decimal),
                    image_url: o(&i.thumbnail_url),
                    options: i
                        .option_values
                        .iter()
                        .map(|v| OptionValue { name: &v.name, presentation: &v.presentation })
                        .collect(),
                })
            })
            .collect::<Result<_, Bad>>()?,
        shipments: r
            .shipments
            .iter()
            .map(|s| {
                Ok(Shipment {
                    id: &s.id,
                    number: &s.number,
                    state: &s.state,
                    tracking: o(&s.tracking),
                    tracking_url: o(&s.tracking_url),
                    cost: Decimal(&s.cost),
                    shipped_at: s.shipped_at.as_deref().map(rfc3339_ms).transpose()?,
                    method_name: s.shipping_method.as_ref().and_then(|m| o(&m.name)),
                    stock_location_id: s.stock_location.as_ref().map(|l| &*l.id),
                })
            })
            .collect::<Result<_, Bad>>()?,
        payments: r
            .payments
            .iter()
            .map(|p| {
                Ok(Payment {
                    id: &p.id,
                    number: &p.number,
                    state: &p.state,
                    amount: Decimal(&p.amount),
                    response_code: o(&p.response_code),
                    method_id: &p.payment_method_id,
                    method_name: p.payment_method.as_ref().and_then(|m| o(&m.name)),
                    source_type: o(&p.source_type),
                    card_brand: p.source.as_ref().and_then(|s| o(&s.brand)),
                    card_last4: p.source.as_ref().and_then(|s| o(&s.last4)),
                    created_at: rfc3339_ms(&p.created_at)?,
                })
            })
            .collect::<Result<_, Bad>>()?,
    })
}
