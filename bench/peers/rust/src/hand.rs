//! Avro by hand: straight from Spree's event into the caller's buffer, field by field as order.avsc has them.
use crate::{Bad, scalar::*, spree};
use std::ops::Deref;

#[inline]
fn long(b: &mut Vec<u8>, v: i64) {
    let mut z = ((v << 1) ^ (v >> 63)) as u64;
    let mut t = [0u8; 10];
    let mut n = 0;
    while z >= 0x80 {
        t[n] = z as u8 | 0x80;
        z >>= 7;
        n += 1;
    }
    t[n] = z as u8;
    b.extend_from_slice(&t[..n + 1]);
}
#[inline]
fn str(b: &mut Vec<u8>, s: &str) {
    long(b, s.len() as i64);
    b.extend_from_slice(s.as_bytes());
}
#[inline]
fn opt<T: Deref<Target = str>>(b: &mut Vec<u8>, s: &Option<T>) {
    opt_str(b, s.as_deref())
}
#[inline]
fn opt_str(b: &mut Vec<u8>, s: Option<&str>) {
    match s {
        None => b.push(0),
        Some(s) => {
            b.push(2);
            str(b, s)
        }
    }
}
#[inline]
fn dec(b: &mut Vec<u8>, s: &str) -> Result<(), Bad> {
    let (x, i) = min_be(dec4(s)?);
    b.push(((8 - i) as u8) << 1);
    b.extend_from_slice(&x[i..]);
    Ok(())
}
#[inline]
fn ts(b: &mut Vec<u8>, s: &str) -> Result<(), Bad> {
    long(b, rfc3339_ms(s)?);
    Ok(())
}
#[inline]
fn opt_ts<T: Deref<Target = str>>(b: &mut Vec<u8>, s: &Option<T>) -> Result<(), Bad> {
    match s {
        None => b.push(0),
        Some(s) => {
            b.push(2);
            ts(b, s)?
        }
    }
    Ok(())
}
#[inline]
fn block<I>(b: &mut Vec<u8>, v: &[I], mut f: impl FnMut(&mut Vec<u8>, &I) -> Result<(), Bad>) -> Result<(), Bad> {
    if !v.is_empty() {
        long(b, v.len() as i64);
        for i in v {
            f(b, i)?;
        }
    }
    b.push(0);
    Ok(())
}
fn addr<T: Deref<Target = str>>(b: &mut Vec<u8>, a: &Option<spree::Address<T>>) {
    let Some(a) = a else {
        b.push(0);
        return;
    };
    b.push(2);
    str(b, &a.id);
    opt(b, &a.first_name);
    opt(b, &a.last_name);
    opt(b, &a.company);
    opt(b, &a.address1);
    opt(b, &a.address2);
    opt(b, &a.city);
    opt(b, &a.state_abbr);
    opt(b, &a.postal_code);
    str(b, &a.country_iso);
    opt(b, &a.phone);
}

pub fn order<T: Deref<Target = str>>(b: &mut Vec<u8>, e: &spree::Envelope<T>) -> Result<(), Bad> {
    let r = &e.data;
    str(b, &e.id);
    str(b, &e.name);
    str(b, "spree");
    opt_str(b, e.metadata.as_ref().and_then(|m| m.spree_version.as_deref()));
    ts(b, &e.created_at)?;
    str(b, &r.id);
    str(b, &r.number);
    long(b, state_ix(&r.state) as i64);
    opt(b, &r.shipment_state);
    opt(b, &r.payment_state);
    str(b, &r.currency);
    long(b, r.item_count as i64);
    dec(b, &r.item_total)?;
    dec(b, &r.ship_total)?;
    dec(b, &r.adjustment_total)?;
    dec(b, &r.promo_total)?;
    dec(b, &r.tax_total)?;
    dec(b, &r.total)?;
    ts(b, &r.created_at)?;
    ts(b, &r.updated_at)?;
    opt_ts(b, &r.completed_at)?;
    opt(b, &r.special_instructions);
    let n = r.promotions.iter().filter(|p| p.code.is_some()).count();
    if n > 0 {
        long(b, n as i64);
        for p in &r.promotions {
            if let Some(c) = &p.code {
                str(b, c)
            }
        }
    }
    b.push(0);
    opt(b, &r.email);
    let ba = r.bill_address.as_ref();
    opt_str(b, ba.and_then(|a| a.first_name.as_deref()));
    opt_str(b, ba.and_then(|a| a.last_name.as_deref()));
    opt_str(b, ba.and_then(|a| a.phone.as_deref()));
    addr(b, &r.bill_address);
    addr(b, &r.ship_address);
    block(b, &r.items, |b, i| {
        str(b, &i.id);
        str(b, &i.variant_id);
        str(b, &i.name);
        opt(b, &i.slug);
        opt(b, &i.options_text);
        long(b, i.quantity as i64);
        dec(b, &i.price)?;
        dec(b, &i.total)?;
        dec(b, &i.promo_total)?;
        dec(b, &i.additional_tax_total)?;
        match &i.compare_at_amount {
            None => b.push(0),
            Some(s) => {
                b.push(2);
                dec(b, s)?
            }
        }
        opt(b, &i.thumbnail_url);
        block(b, &i.option_values, |b, v| {
            str(b, &v.name);
            str(b, &v.presentation);
            Ok(())
        })
    })?;
    block(b, &r.shipments, |b, s| {
        str(b, &s.id);
        str(b, &s.number);
        str(b, &s.state);
        opt(b, &s.tracking);
        opt(b, &s.tracking_url);
        dec(b, &s.cost)?;
        opt_ts(b, &s.shipped_at)?;
        opt_str(b, s.shipping_method.as_ref().and_then(|m| m.name.as_deref()));
        opt_str(b, s.stock_location.as_ref().map(|l| &*l.id));
        Ok(())
    })?;
    block(b, &r.payments, |b, p| {
        str(b, &p.id);
        str(b, &p.number);
        str(b, &p.state);
        dec(b, &p.amount)?;
        opt(b, &p.response_code);
        str(b, &p.payment_method_id);
        opt_str(b, p.payment_method.as_ref().and_then(|m| m.name.as_deref()));
        opt(b, &p.source_type);
        opt_str(b, p.source.as_ref().and_then(|s| s.brand.as_deref()));
        opt_str(b, p.source.as_ref().and_then(|s| s.last4.as_deref()));
        ts(b, &p.created_at)
    })
}
