//! Fingerprints: what is compared instead of bytes, so that what is compared has one size. Knows no topic.

use crate::canonical::EntityKind;
use sha2::{Digest, Sha256};

/// What a webhook became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Event(EntityKind),
    Ignored,
    DeadLetter,
}

/// The parts of a record that two of the same outcome have alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prints {
    pub key: u64,
    /// Of an event without its frame: the schema's id is the registry's.
    pub value: u64,
    /// Of an event its headers but `koine.build`; of a dead letter its code and pointer.
    pub rest: u64,
}

/// The place of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Which raw partition, by its place in a list.
    pub raw: u32,
    pub offset: i64,
    pub index: i32,
}

/// Null has a print of its own.
pub fn of(bytes: Option<&[u8]>) -> u64 {
    bytes.map_or(0, |bytes| first(&Sha256::digest(bytes)))
}

/// Of a list of names and texts, in their order.
#[derive(Default)]
pub struct Pairs(Sha256);

impl Pairs {
    pub fn add(&mut self, name: &str, value: Option<&[u8]>) {
        let value = value.unwrap_or_default();
        for part in [name.as_bytes(), value] {
            self.0.update((part.len() as u64).to_be_bytes());
            self.0.update(part);
        }
    }

    pub fn print(self) -> u64 {
        first(&self.0.finalize())
    }
}

/// The print that a SHA-256 in hexadecimal digits stands for.
pub fn of_hex(digits: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(digits.get(..16)?).ok()?;
    u64::from_str_radix(digits, 16).ok()
}

fn first(digest: &[u8]) -> u64 {
    digest.iter().take(8).fold(0, |print, byte| print << 8 | u64::from(*byte))
}

/// Two piles of outcomes are the same exactly if these add up to the same, in whatever order they came: an outcome that is
/// missing and another that is doubled do not cancel out.
pub fn weight(place: Place, kind: Kind, prints: Prints) -> u128 {
    let kind = match kind {
        Kind::Event(entity) => entity as u64,
        Kind::Ignored => 0,
        Kind::DeadLetter => u64::MAX,
    };
    let mut hash = Sha256::new();
    for number in
        [u64::from(place.raw), place.offset as u64, place.index as u64, kind, prints.key, prints.value, prints.rest]
    {
        hash.update(number.to_be_bytes());
    }
    hash.finalize().iter().take(16).fold(0, |weight, byte| weight << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_tell_apart_what_differs() {
        assert_ne!(of(None), of(Some(b"")));
        assert_ne!(of(Some(b"a")), of(Some(b"b")));
        let pairs = |list: &[(&str, &[u8])]| {
            let mut pairs = Pairs::default();
            list.iter().for_each(|(name, value)| pairs.add(name, Some(value)));
            pairs.print()
        };
        assert_ne!(pairs(&[("a", b"bc")]), pairs(&[("ab", b"c")]));
        assert_ne!(pairs(&[("a", b"1"), ("b", b"2")]), pairs(&[("b", b"2"), ("a", b"1")]));
        // SHA-256 of nothing.
        assert_eq!(of(Some(b"")), 0xe3b0_c442_98fc_1c14);
        assert_eq!(of_hex(b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"), Some(of(Some(b""))));
        assert_eq!(of_hex(b"e3b0"), None);
        assert_eq!(of_hex(b"not hexadecimal!"), None);
    }

    #[test]
    fn every_part_has_a_weight() {
        let place = Place { raw: 1, offset: 2, index: 3 };
        let (kind, prints) = (Kind::Event(EntityKind::Order), Prints { key: 4, value: 5, rest: 6 });
        let weights = [
            weight(place, kind, prints),
            weight(Place { raw: 2, ..place }, kind, prints),
            weight(Place { offset: 3, ..place }, kind, prints),
            weight(Place { index: 2, ..place }, kind, prints),
            weight(place, Kind::Event(EntityKind::Cart), prints),
            weight(place, Kind::DeadLetter, prints),
            weight(place, kind, Prints { key: 5, ..prints }),
            weight(place, kind, Prints { value: 4, ..prints }),
            weight(place, kind, Prints { rest: 7, ..prints }),
        ];
        let distinct: std::collections::HashSet<u128> = weights.into_iter().collect();
        assert_eq!(distinct.len(), weights.len());
    }
}
