//! Instants in UTC and calendar days. No clock is read here, and no zone is guessed.

use serde::{Serialize, Serializer};
use std::fmt;

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub i64);

impl Micros {
    /// Milliseconds since 1970, if the year has four digits.
    pub fn from_millis(millis: i64) -> Option<Micros> {
        Micros::in_range(millis.checked_mul(1_000)?)
    }

    /// An instant of a year that RFC 3339 can write.
    pub fn in_range(micros: i64) -> Option<Micros> {
        (FIRST..=LAST).contains(&micros).then_some(Micros(micros))
    }

    /// The instant, and whether digits finer than a microsecond were cut. Towards the past, before 1970 too: cutting must
    /// not move an instant across a microsecond in either direction.
    pub fn cut(time: jiff::Timestamp) -> Option<(Micros, bool)> {
        let nanos = time.as_nanosecond();
        let micros = i64::try_from(nanos.div_euclid(1_000)).ok()?;
        Micros::in_range(micros).map(|micros| (micros, nanos.rem_euclid(1_000) != 0))
    }

    /// RFC 3339 with an offset, and whether something of it was cut: digits finer than a microsecond, or a leap second.
    #[inline]
    pub fn parse(text: &str) -> Option<(Micros, bool)> {
        match usual_form(text.as_bytes()) {
            Some((local, Zone::Offset(seconds))) => {
                Micros::in_range(local - seconds * 1_000_000).map(|micros| (micros, false))
            }
            _ => other_form(text),
        }
    }

    /// The `Date` of an HTTP answer (RFC 9110).
    pub fn parse_http(text: &str) -> Option<Micros> {
        let time = jiff::fmt::rfc2822::parse(text).ok()?;
        Micros::in_range(time.timestamp().as_microsecond())
    }

    /// A date and time without a zone, of whatever local clock.
    pub fn parse_naive(text: &str) -> Option<jiff::civil::DateTime> {
        let (_, rest) = text.split_at_checked(10).filter(|_| text.is_ascii())?;
        let looks_naive = text.len() >= 16 && !rest.ends_with(['Z', 'z']) && !rest.contains(['+', '-', '[']);
        looks_naive.then(|| text.parse().ok()).flatten()
    }
}

const FIRST: i64 = -62_135_596_800_000_000; // 0001-01-01T00:00:00Z
const LAST: i64 = 253_402_300_799_999_999; // 9999-12-31T23:59:59.999999Z

enum Zone {
    Offset(i64),
    None,
}

/// `2026-08-08T20:54:19[.123456](Z|+02:00)`: what webhooks send, read without a detour.
#[inline]
fn usual_form(b: &[u8]) -> Option<(i64, Zone)> {
    let (date_time, mut rest) = b.split_at_checked(19)?;
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2] = *date_time else {
        return None;
    };
    let mut bad = false;
    let mut two = |tens: u8, ones: u8| {
        let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
        bad |= tens > 9 || ones > 9;
        tens as i64 * 10 + ones as i64
    };
    let (year, month, day) = (two(y1, y2) * 100 + two(y3, y4), two(m1, m2), two(d1, d2));
    let (hour, minute, second) = (two(h1, h2), two(n1, n2), two(s1, s2));
    let mut micros = 0;
    if let [b'.', fraction @ ..] = rest {
        let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 || digits > 6 {
            return None;
        }
        for &digit in &fraction[..digits] {
            micros = micros * 10 + (digit - b'0') as i64;
        }
        micros *= [0, 100_000, 10_000, 1_000, 100, 10, 1][digits];
        rest = &fraction[digits..];
    }
    let zone = match *rest {
        [] => Zone::None,
        [b'Z'] => Zone::Offset(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (two(h1, h2), two(m1, m2));
            if hours > 23 || minutes > 59 {
                return None;
            }
            Zone::Offset((hours * 60 + minutes) * if sign == b'-' { -60 } else { 60 })
        }
        _ => return None,
    };
    if bad || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = days_of(year, month, day)? * 86_400 + hour * 3_600 + minute * 60 + second;
    Some((seconds * 1_000_000 + micros, zone))
}

/// Days since 1970 of a date of the years 1 to 9999, if there is such a day. (Howard Hinnant's `days_from_civil`:
/// years begin in March, so that the leap day comes last.)
#[inline]
fn days_of(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        2 => 28 + leap as i64,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if year < 1 || day < 1 || day > days_in_month {
        return None;
    }
    let march_year = year - (month <= 2) as i64;
    let (era, year_of_era) = (march_year / 400, march_year % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468)
}

/// Leap seconds, lower case, a blank for the T, nanoseconds: whatever else is an RFC 3339 time, jiff decides.
#[cold]
#[inline(never)]
fn other_form(text: &str) -> Option<(Micros, bool)> {
    // jiff reads more than RFC 3339: zone names in brackets, hours without minutes, offsets of a day.
    let offset_starts = text.len().checked_sub(6)?;
    let is_rfc_3339 = text.is_ascii()
        && text.as_bytes().get(16) == Some(&b':')
        && (text.ends_with(['Z', 'z'])
            || matches!(
                &text.as_bytes()[offset_starts..],
                [b'+' | b'-', b'0'..=b'1', _, b':', _, _] | [b'+' | b'-', b'2', b'0'..=b'3', b':', _, _]
            ));
    if !is_rfc_3339 {
        return None;
    }
    // jiff stops at nanoseconds, RFC 3339 nowhere.
    let digits = text.get(19..).and_then(|rest| rest.strip_prefix('.')).unwrap_or_default();
    let digits = &digits[..digits.bytes().take_while(u8::is_ascii_digit).count()];
    let (nanos, finer) = digits.split_at(digits.len().min(9));
    let time: jiff::Timestamp = match finer {
        "" => text.parse().ok()?,
        finer => format!("{}{nanos}{}", &text[..20], &text[20 + nanos.len() + finer.len()..]).parse().ok()?,
    };
    // jiff takes a leap second for the second before it.
    let is_leap_second = text.get(17..19) == Some("60");
    let (micros, was_cut) = Micros::cut(time)?;
    Some((micros, was_cut || is_leap_second || finer.bytes().any(|digit| digit != b'0')))
}

/// RFC 3339 in UTC, with as many digits of the fraction as it needs.
impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.div_euclid(1_000_000);
        let micros = self.0.rem_euclid(1_000_000);
        let second = seconds.rem_euclid(86_400);
        Date(seconds.div_euclid(86_400) as i32).fmt(f)?;
        let mut text = *b"T00:00:00.000000Z";
        put(&mut text[1..3], second / 3_600);
        put(&mut text[4..6], second / 60 % 60);
        put(&mut text[7..9], second % 60);
        put(&mut text[10..16], micros);
        let zeros = text[10..16].iter().rev().take_while(|digit| **digit == b'0').count();
        let end = if micros == 0 { 9 } else { 16 - zeros };
        text[end] = b'Z';
        f.write_str(std::str::from_utf8(&text[..=end]).unwrap_or_default())
    }
}

/// The last digits of a number that is not negative, as many as there is room for. Every record has a time in its headers, and
/// `write!` takes several times as long.
fn put(digits: &mut [u8], mut number: i64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

impl Serialize for Micros {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_i64(self.0) }
    }
}

/// A calendar day: days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(pub i32);

impl Date {
    /// `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Option<Date> {
        let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text.as_bytes() else { return None };
        let digits = [y1, y2, y3, y4, m1, m2, d1, d2];
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let number = |part: &[u8]| part.iter().fold(0, |n, digit| n * 10 + (digit - b'0') as i64);
        days_of(number(&digits[..4]), number(&digits[4..6]), number(&digits[6..])).map(|days| Date(days as i32))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `civil_from_days`, the way back.
        let days = self.0 as i64 + 719_468;
        let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * march_month + 2) / 5 + 1;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        let year = era * 400 + year_of_era + (month <= 2) as i64;
        if !(0..=9999).contains(&year) {
            return write!(f, "{year:04}-{month:02}-{day:02}");
        }
        let mut text = *b"0000-00-00";
        put(&mut text[..4], year);
        put(&mut text[5..7], month);
        put(&mut text[8..], day);
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl Serialize for Date {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_i32(self.0) }
    }
}

#[cfg(test)]
impl<'de> serde::Deserialize<'de> for Micros {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        i64::deserialize(deserializer).map(Micros)
    }
}

#[cfg(test)]
impl<'de> serde::Deserialize<'de> for Date {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        i32::deserialize(deserializer).map(Date)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        Micros::parse(text).map(|(time, cut)| format!("{time}{}", if cut { " cut" } else { "" }))
    }

    #[test]
    fn the_date_of_an_http_answer_is_read() {
        assert_eq!(Micros::parse_http("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Micros(784_111_777_000_000)));
        for wrong in ["", "06 Nov", "Sunday, 06-Nov-94 08:49:37 GMT", "1994-11-06T08:49:37Z"] {
            assert_eq!(Micros::parse_http(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn reads_rfc_3339_and_writes_it_in_utc() {
        for (text, utc) in [
            ("2026-01-15T10:00:00Z", "2026-01-15T10:00:00Z"),
            ("2026-01-15T10:00:00+02:00", "2026-01-15T08:00:00Z"),
            ("2026-01-15T10:00:00.5-05:30", "2026-01-15T15:30:00.5Z"),
            ("2024-02-29T23:59:59.123456Z", "2024-02-29T23:59:59.123456Z"),
            ("2026-01-15t10:00:00z", "2026-01-15T10:00:00Z"),
            ("2026-01-15T10:00:00.123456789Z", "2026-01-15T10:00:00.123456Z cut"),
            ("2026-01-15T10:00:00.123456000Z", "2026-01-15T10:00:00.123456Z"),
            ("2026-01-15T10:00:00.10203Z", "2026-01-15T10:00:00.10203Z"),
            ("2026-01-15T10:00:00.000001Z", "2026-01-15T10:00:00.000001Z"),
            ("1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999999Z cut"),
            // RFC 3339 sets no limit to the digits.
            ("2026-01-15T10:00:00.1234567891Z", "2026-01-15T10:00:00.123456Z cut"),
            ("2026-01-15T10:00:00.123456000000000+02:00", "2026-01-15T08:00:00.123456Z"),
            // A leap second cannot be kept: it becomes the second before, and the text is kept.
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z cut"),
            ("2016-12-31T23:59:60.5Z", "2016-12-31T23:59:59.5Z cut"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(utc), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_instant() {
        for text in [
            "",
            "2026-02-30T10:00:00Z",
            "2026-13-01T10:00:00Z",
            "2026-01-15T24:00:00Z",
            "2026-01-15T10:00:00",
            "2026-01-15",
            "0000-01-01T00:00:00Z",
            "yesterday",
            "2026-01-15T10:00:00+24:00",
            "2026-01-15T10:00:00Z[UTC]",
            "2026-01-15T10:00:00+02",
            "2026-01-15T10:00Z",
            "2026-01-15T10:00:00.Z",
            "1700000000",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
    }

    /// Bytes are not letters: byte 10, where a blank or a T is due, may lie in the middle of one.
    #[test]
    fn a_text_that_is_no_local_time_either_is_refused_and_breaks_nothing() {
        for text in [
            "a\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}",
            "\u{1f600}\u{1f600}\u{1f600}\u{1f600}\u{1f600}",
            "2026-01-15T10:00:00\u{660}",
        ] {
            assert_eq!((Micros::parse(text), Micros::parse_naive(text)), (None, None), "{text}");
        }
    }

    /// No webhook has them.
    #[test]
    fn years_of_more_or_less_than_four_digits_are_not_cut() {
        for (date, text) in
            [(Date(-719_529), "-001-12-31"), (Date(-719_528), "0000-01-01"), (Date(2_932_897), "10000-01-01")]
        {
            assert_eq!(date.to_string(), text);
        }
    }

    #[test]
    fn days_come_and_go_unchanged() {
        for text in ["1970-01-01", "2000-02-29", "1900-03-01", "0001-01-01", "9999-12-31"] {
            assert_eq!(Date::parse(text).map(|d| d.to_string()).as_deref(), Some(text));
        }
        for text in ["1900-02-29", "2026-2-3", "2026-00-10", "26-01-01", "2026-01-01T00:00:00Z"] {
            assert_eq!(Date::parse(text), None, "{text}");
        }
    }
}
