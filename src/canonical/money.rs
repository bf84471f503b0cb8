//! Exact decimals (amounts, weights, rates): Avro `decimal(38,9)`. Never through a binary float. Knows no vendor and no format of the outside.

use serde::{Serialize, Serializer};
use std::fmt;
use std::num::NonZeroU128;

/// A number of billionths, at most 38 digits in all.
///
/// It is kept as the billionths plus 10^38, which are never zero: so an amount that may be absent takes no more room than one
/// that may not, and records have dozens of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal(NonZeroU128);

/// Why a text is no such number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecimalError {
    /// Not a decimal number.
    Invalid,
    /// More than 9 decimals or 29 integer digits: it could not be kept exactly.
    Precision,
}

/// Decimal places kept.
pub const SCALE: usize = 9;
const MAX: i128 = 10i128.pow(38) - 1;
/// What is added to every number, to make it one above zero.
const FAR: i128 = MAX + 1;
/// 10^(SCALE - n): what n decimals have to be multiplied with.
const POWERS: [i128; SCALE + 1] =
    [1_000_000_000, 100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];

impl Decimal {
    pub const ZERO: Decimal = Decimal::of(0);

    /// Of at most [`MAX`], above zero or below.
    #[inline(always)]
    const fn of(units: i128) -> Decimal {
        match NonZeroU128::new(units.wrapping_add(FAR).cast_unsigned()) {
            Some(distance) => Decimal(distance),
            // Nobody asks for -10^38, or for less.
            None => Decimal(NonZeroU128::MIN),
        }
    }

    /// From billionths; `None` where they have more than 38 digits.
    pub fn from_units(units: i128) -> Option<Decimal> {
        (units.unsigned_abs() <= MAX.unsigned_abs()).then(|| Decimal::of(units))
    }

    /// The number in billionths.
    #[inline(always)]
    pub fn units(self) -> i128 {
        self.0.get().cast_signed().wrapping_sub(FAR)
    }

    pub fn abs(self) -> Decimal {
        Decimal::of(self.units().abs())
    }

    pub fn is_negative(self) -> bool {
        self < Decimal::ZERO
    }

    /// Reads a decimal text exactly: a sign, leading zeros, a fraction and an exponent are understood. Zeros behind
    /// the ninth decimal are no loss and pass; `-0` is 0.
    #[inline]
    pub fn parse(text: &str) -> Result<Decimal, DecimalError> {
        let bytes = text.as_bytes();
        let (negative, digits) = match bytes {
            [b'-', rest @ ..] => (true, rest),
            _ => (false, bytes),
        };
        if digits.len() > 18 {
            return Decimal::parse_slowly(text);
        }
        let (mut value, mut decimals, mut dot) = (0u64, 0, false);
        for &byte in digits {
            let digit = byte.wrapping_sub(b'0');
            if digit < 10 {
                value = value * 10 + digit as u64;
                decimals += dot as usize;
            } else if byte == b'.' && !dot {
                dot = true;
            } else {
                return Decimal::parse_slowly(text);
            }
        }
        let whole = digits.len() - decimals - dot as usize;
        if whole == 0 || (dot && decimals == 0) || decimals > SCALE {
            return Decimal::parse_slowly(text);
        }
        let value = value as i128 * POWERS[decimals];
        Ok(Decimal::of(if negative { -value } else { value }))
    }

    /// Long numbers, a plus, exponents, and everything that is wrong.
    #[cold]
    #[inline(never)]
    fn parse_slowly(text: &str) -> Result<Decimal, DecimalError> {
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            None => (unsigned, 0),
            Some((mantissa, exponent)) => {
                let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
                if !all_digits(digits) {
                    return Err(DecimalError::Invalid);
                }
                // An exponent too long for an i64 is out of range, unless the number is zero.
                let far = if exponent.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 };
                (mantissa, exponent.parse::<i64>().map_or(far, |e| e.clamp(i64::MIN / 2, i64::MAX / 2)))
            }
        };
        let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(w, f)| (w, Some(f)));
        if !all_digits(whole) || !fraction.is_none_or(all_digits) {
            return Err(DecimalError::Invalid);
        }
        // digits * 10^power, without zeros on either side
        let digits = format!("{whole}{}", fraction.unwrap_or_default());
        let power = exponent + SCALE as i64 - fraction.map_or(0, str::len) as i64;
        let trimmed = digits.trim_end_matches('0');
        let power = power.saturating_add((digits.len() - trimmed.len()) as i64);
        let trimmed = trimmed.trim_start_matches('0');
        if trimmed.is_empty() {
            return Ok(Decimal::ZERO);
        }
        let power = u32::try_from(power).map_err(|_| DecimalError::Precision)?;
        let value = (trimmed.len() <= 38).then(|| trimmed.parse::<i128>().ok()).flatten();
        let value = value.and_then(|v| v.checked_mul(10i128.checked_pow(power)?)).filter(|v| *v <= MAX);
        value.map(|v| Decimal::of(if negative { -v } else { v })).ok_or(DecimalError::Precision)
    }
}

fn all_digits(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit())
}

impl Default for Decimal {
    fn default() -> Self {
        Decimal::ZERO
    }
}

/// By its billionths.
impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decimal({})", self.units())
    }
}

/// The shortest exact decimal: `99.99`, `110`, `-0.5`.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = self.units().unsigned_abs();
        let (whole, fraction) = (units / POWERS[0] as u128, units % POWERS[0] as u128);
        let sign = if self.is_negative() { "-" } else { "" };
        if fraction == 0 {
            return write!(f, "{sign}{whole}");
        }
        let fraction = format!("{fraction:09}");
        write!(f, "{sign}{whole}.{}", fraction.trim_end_matches('0'))
    }
}

/// Text for people, else 16 bytes, big-endian and sign-extended, as the schema's decimal on `bytes`.
impl Serialize for Decimal {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_bytes(&self.units().to_be_bytes())
        }
    }
}

#[cfg(test)]
impl<'de> serde::Deserialize<'de> for Decimal {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        i64::deserialize(deserializer).map(|units| Decimal::of(units.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, DecimalError> {
        Decimal::parse(text).map(|m| m.to_string())
    }

    #[test]
    fn reads_what_vendors_write_and_keeps_it_exactly() {
        for (text, exact) in [
            ("0", "0"),
            ("-0", "0"),
            ("-0.00", "0"),
            ("25.99", "25.99"),
            ("110.0", "110"),
            ("47.0000", "47"),
            ("-5.00", "-5"),
            ("+5", "5"),
            ("007.50", "7.5"),
            ("1e2", "100"),
            ("1.5E-3", "0.0015"),
            ("0.123456789", "0.123456789"),
            ("0.1234567890000", "0.123456789"),
            ("99999999999999999999999999999.999999999", "99999999999999999999999999999.999999999"),
            ("-99999999999999999999999999999", "-99999999999999999999999999999"),
            ("0e999999999999999999999", "0"),
            ("1000e-3", "1"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(exact), "{text}");
        }
    }

    #[test]
    fn numbers_are_in_order_and_keep_their_units() {
        let units = [-MAX, -MAX + 1, -10i128.pow(20), -1, 0, 1, 10i128.pow(20), MAX - 1, MAX];
        let numbers = units.map(|units| Decimal::from_units(units).expect("a number"));
        assert_eq!(numbers.map(Decimal::units), units);
        assert_eq!(numbers.map(Decimal::is_negative), units.map(|units| units < 0));
        assert_eq!(numbers.map(|number| number.abs().units()), units.map(i128::abs));
        assert!(numbers.is_sorted_by(|one, other| one < other));
        assert_eq!((Decimal::default(), format!("{:?}", numbers[3])), (Decimal::ZERO, "Decimal(-1)".to_owned()));
        for beyond in [MAX + 1, -MAX - 1, i128::MAX, i128::MIN] {
            assert_eq!(Decimal::from_units(beyond), None);
        }
        assert_eq!(size_of::<Option<Decimal>>(), size_of::<Decimal>());
    }

    #[test]
    fn refuses_what_cannot_be_kept_exactly() {
        for text in ["0.1234567891", "1e-10", "100000000000000000000000000000", "1e29", "1e999999999999999999999"] {
            assert_eq!(shown(text), Err(DecimalError::Precision), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_number() {
        for text in [
            "", "ten", "1,000", ".5", "5.", "1.2.3", "-", "+", "--1", "+-1", " 1", "1 ", "1e", "1e+", "0x10", "NaN",
            "١",
        ] {
            assert_eq!(shown(text), Err(DecimalError::Invalid), "{text:?}");
        }
    }
}
