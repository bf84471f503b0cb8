//! Decimals of scale 4 and times, from text, without allocation.
use crate::Bad;

const SCALE: u32 = 4;

/// The unscaled value.
pub fn dec4(s: &str) -> Result<i64, Bad> {
    let b = s.as_bytes();
    let (neg, mut i) = match b.first() {
        Some(b'-') => (true, 1),
        Some(_) => (false, 0),
        None => return Err(Bad("empty decimal")),
    };
    if b.len() - i == 0 || b.len() > 19 {
        return Err(Bad("decimal length"));
    }
    let (mut v, mut frac, mut seen_dot) = (0i64, 0u32, false);
    while i < b.len() {
        match b[i] {
            c @ b'0'..=b'9' => {
                if seen_dot {
                    frac += 1;
                    if frac > SCALE {
                        if c != b'0' {
                            return Err(Bad("decimal scale"));
                        }
                        i += 1;
                        continue;
                    }
                }
                v = v.checked_mul(10).and_then(|v| v.checked_add((c - b'0') as i64)).ok_or(Bad("decimal overflow"))?;
            }
            b'.' if !seen_dot => seen_dot = true,
            _ => return Err(Bad("decimal syntax")),
        }
        i += 1;
    }
    for _ in frac.min(SCALE)..SCALE {
        v = v.checked_mul(10).ok_or(Bad("decimal overflow"))?;
    }
    Ok(if neg { -v } else { v })
}

/// Minimal big-endian two's complement, as (buffer, first used byte).
#[inline]
pub fn min_be(v: i64) -> ([u8; 8], usize) {
    let sig = if v < 0 { (!v).leading_zeros() } else { v.leading_zeros() }; // >= 1
    let bits = 64 - sig + 1;
    let n = bits.div_ceil(8).max(1) as usize;
    (v.to_be_bytes(), 8 - n)
}

#[inline]
fn two(b: &[u8], i: usize) -> Result<i64, Bad> {
    let (a, c) = (b[i].wrapping_sub(b'0'), b[i + 1].wrapping_sub(b'0'));
    if a > 9 || c > 9 { Err(Bad("timestamp digit")) } else { Ok((a * 10 + c) as i64) }
}

#[inline]
pub fn rfc3339_ms(s: &str) -> Result<i64, Bad> {
    let b = s.as_bytes();
    if b.len() < 20 || b[4] != b'-' || b[7] != b'-' || (b[10] | 32) != b't' || b[13] != b':' || b[16] != b':' {
        return Err(Bad("timestamp syntax"));
    }
    let (y, mo, d) = (two(b, 0)? * 100 + two(b, 2)?, two(b, 5)?, two(b, 8)?);
    let (h, mi, se) = (two(b, 11)?, two(b, 14)?, two(b, 17)?);
    if !(1..=12).contains(&mo) || !(1..=31).contains(&d) || h > 23 || mi > 59 || se > 60 {
        return Err(Bad("timestamp range"));
    }
    let (mut i, mut ms) = (19, 0i64);
    if b[i] == b'.' {
        i += 1;
        let (mut mul, st) = (100, i);
        while i < b.len() && b[i].is_ascii_digit() {
            ms += (b[i] - b'0') as i64 * mul;
            mul /= 10;
            i += 1;
        }
        if i == st {
            return Err(Bad("timestamp fraction"));
        }
    }
    let off = match b.get(i) {
        Some(b'Z' | b'z') if i + 1 == b.len() => 0,
        Some(c @ (b'+' | b'-')) if b.len() == i + 6 && b[i + 3] == b':' => {
            let o = two(b, i + 1)? * 60 + two(b, i + 4)?;
            if *c == b'-' { -o } else { o }
        }
        _ => return Err(Bad("timestamp zone")),
    };
    // Days of the proleptic Gregorian calendar.
    let yy = if mo <= 2 { y - 1 } else { y };
    let era = yy.div_euclid(400);
    let yoe = yy - era * 400;
    let doy = (153 * (if mo > 2 { mo - 3 } else { mo + 9 }) + 2) / 5 + d - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    let days = era * 146_097 + doe - 719_468;
    Ok((days * 86_400 + h * 3600 + mi * 60 + se - off * 60) * 1000 + ms)
}

pub const STATES: [&str; 9] =
    ["UNKNOWN", "CART", "ADDRESS", "DELIVERY", "PAYMENT", "CONFIRM", "COMPLETE", "CANCELED", "RETURNED"];

#[inline]
pub fn state_ix(s: &str) -> usize {
    match s {
        "cart" => 1,
        "address" => 2,
        "delivery" => 3,
        "payment" => 4,
        "confirm" => 5,
        "complete" => 6,
        "canceled" => 7,
        "returned" => 8,
        _ => 0,
    }
}
