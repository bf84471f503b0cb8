//! The obvious way: from `serde_json::Value` to apache-avro's `Value`, names, boxes and copies included.
use crate::{Bad, scalar::*};
use apache_avro::{Decimal, types::Value as A};
use serde_json::Value as J;

fn s(v: &J, k: &str) -> Result<A, Bad> {
    v[k].as_str().map(|s| A::String(s.to_owned())).ok_or(Bad("string expected"))
}
fn o(v: &J, k: &str) -> A {
    match v[k].as_str() {
        None => A::Union(0, Box::new(A::Null)),
        Some(s) => A::Union(1, Box::new(A::String(s.to_owned()))),
    }
}
fn dec(s: &str) -> Result<A, Bad> {
    let (b, i) = min_be(dec4(s)?);
    Ok(A::Decimal(Decimal::from(&b[i..])))
}
fn d(v: &J, k: &str) -> Result<A, Bad> {
    dec(v[k].as_str().ok_or(Bad("decimal expected"))?)
}
fn od(v: &J, k: &str) -> Result<A, Bad> {
    Ok(match v[k].as_str() {
        None => A::Union(0, Box::new(A::Null)),
        Some(s) => A::Union(1, Box::new(dec(s)?)),
    })
}
fn t(v: &J, k: &str) -> Result<A, Bad> {
    Ok(A::TimestampMillis(rfc3339_ms(v[k].as_str().ok_or(Bad("timestamp expected"))?)?))
}
fn ot(v: &J, k: &str) -> Result<A, Bad> {
    Ok(match v[k].as_str() {
        None => A::Union(0, Box::new(A::Null)),
        Some(s) => A::Union(1, Box::new(A::TimestampMillis(rfc3339_ms(s)?))),
    })
}
fn int(v: &J, k: &str) -> Result<A, Bad> {
    v[k].as_i64().map(|i| A::Int(i as i32)).ok_or(Bad("int expected"))
}
fn rec(f: Vec<(&str, A)>) -> A {
    A::Record(f.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
}
fn arr(v: &J, k: &str, f: impl Fn(&J) -> Result<A, Bad>) -> Result<A, Bad> {
    Ok(A::Array(v[k].as_array().ok_or(Bad("array expected"))?.iter().map(f).collect::<Result<_, _>>()?))
}
fn addr(a: &J) -> Result<A, Bad> {
    if !a.is_object() {
        return Ok(A::Union(0, Box::new(A::Null)));
    }
    Ok(A::Union(
        1,
        Box::new(rec(vec![
            ("id", s(a, "id")?),
            ("first_name", o(a, "first_name")),
            ("last_name", o(a, "last_name")),
            ("company", o(a, "company")),
            ("address1", o(a, "address1")),
            ("address2", o(a, "address2")),
            ("city", o(a, "city")),
            ("region", o(a, "state_abbr")),
            ("postal_code", o(a, "postal_code")),
            ("country_code", s(a, "country_iso")?),
            ("phone", o(a, "phone")),
        ])),
    ))
}

pub fn order(e: &J) -> Result<A, Bad> {
    let r = &e["data"];
    let b = &r["bill_address"];
    let st = state_ix(r["state"].as_str().ok_or(Bad("state"))?);
    Ok(rec(vec![
        ("event_id", s(e, "id")?),
        ("event_name", s(e, "name")?),
        ("source_system", A::String("spree".into())),
        ("source_version", o(&e["metadata"], "spree_version")),
        ("occurred_at", t(e, "created_at")?),
        ("order_id", s(r, "id")?),
        ("order_number", s(r, "number")?),
        ("state", A::Enum(st as u32, STATES[st].to_owned())),
        ("shipment_state", o(r, "shipment_state")),
        ("payment_state", o(r, "payment_state")),
        ("currency", s(r, "currency")?),
        ("item_count", int(r, "item_count")?),
        ("items_total", d(r, "item_total")?),
        ("shipping_total", d(r, "ship_total")?),
        ("adjustment_total", d(r, "adjustment_total")?),
        ("discount_total", d(r, "promo_total")?),
        ("tax_total", d(r, "tax_total")?),
        ("grand_total", d(r, "total")?),
        ("created_at", t(r, "created_at")?),
        ("updated_at", t(r, "updated_at")?),
        ("completed_at", ot(r, "completed_at")?),
        ("customer_note", o(r, "special_instructions")),
        (
            "promotion_codes",
            A::Array(
                r["promotions"]
                    .as_array()
                    .ok_or(Bad("promotions"))?
                    .iter()
                    .filter_map(|p| p["code"].as_str().map(|c| A::String(c.to_owned())))
                    .collect(),
            ),
        ),
        (
            "customer",
            rec(vec![
                ("email", o(r, "email")),
                ("first_name", o(b, "first_name")),
                ("last_name", o(b, "last_name")),
                ("phone", o(b, "phone")),
            ]),
        ),
        ("billing_address", addr(b)?),
        ("shipping_address", addr(&r["ship_address"])?),
        (
            "line_items",
            arr(r, "items", |i| {
                Ok(rec(vec![
                    ("id", s(i, "id")?),
                    ("variant_id", s(i, "variant_id")?),
                    ("name", s(i, "name")?),
                    ("slug", o(i, "slug")),
                    ("options_text", o(i, "options_text")),
                    ("quantity", int(i, "quantity")?),
                    ("unit_price", d(i, "price")?),
                    ("line_total", d(i, "total")?),
                    ("discount_total", d(i, "promo_total")?),
                    ("tax_total", d(i, "additional_tax_total")?),
                    ("compare_at_price", od(i, "compare_at_amount")?),
                    ("image_url", o(i, "thumbnail_url")),
                    (
                        "options",
                        arr(i, "option_values", |v| {
                            Ok(rec(vec![("name", s(v, "name")?), ("presentation", s(v, "presentation")?)]))
                        })?,
                    ),
                ]))
            })?,
        ),
        (
            "shipments",
            arr(r, "shipments", |x| {
                Ok(rec(vec![
                    ("id", s(x, "id")?),
                    ("number", s(x, "number")?),
                    ("state", s(x, "state")?),
                    ("tracking", o(x, "tracking")),
                    ("tracking_url", o(x, "tracking_url")),
                    ("cost", d(x, "cost")?),
                    ("shipped_at", ot(x, "shipped_at")?),
                    ("method_name", o(&x["shipping_method"], "name")),
                    ("stock_location_id", o(&x["stock_location"], "id")),
                ]))
            })?,
        ),
        (
            "payments",
            arr(r, "payments", |p| {
                Ok(rec(vec![
                    ("id", s(p, "id")?),
                    ("number", s(p, "number")?),
                    ("state", s(p, "state")?),
                    ("amount", d(p, "amount")?),
                    ("response_code", o(p, "response_code")),
                    ("method_id", s(p, "payment_method_id")?),
                    ("method_name", o(&p["payment_method"], "name")),
                    ("source_type", o(p, "source_type")),
                    ("card_brand", o(&p["source"], "brand")),
                    ("card_last4", o(&p["source"], "last4")),
                    ("created_at", t(p, "created_at")?),
                ]))
            })?,
        ),
    ]))
}
