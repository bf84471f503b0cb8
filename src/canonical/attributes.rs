//! Small maps of text that keep the order they were filled in.

use super::Text;
use serde::{Serialize, Serializer};
use std::collections::HashMap;

/// A map of strings, `namespace.key` → text. A list, because it is short, and so that the same bytes come out each time.
#[derive(Debug, Clone, Default)]
pub struct Attributes<'a> {
    entries: Vec<(Text<'a>, Text<'a>)>,
    /// The keys again, and where they stand, once there are so many that looking through the list for each would be an
    /// attack.
    index: HashMap<Text<'a>, usize>,
}

/// Up to how many entries the list is looked through.
const SHORT: usize = 32;

impl<'a> Attributes<'a> {
    /// Adds an entry; false if there is one of that key, and nothing changes.
    #[must_use = "a key that is there already keeps its value: the new one has to go elsewhere"]
    pub fn insert(&mut self, key: Text<'a>, value: Text<'a>) -> bool {
        if self.contains(&key) {
            return false;
        }
        let place = self.entries.len();
        if place == SHORT {
            self.index = self.entries.iter().enumerate().map(|(at, (key, _))| (key.clone(), at)).collect();
        }
        if place >= SHORT {
            self.index.insert(key.clone(), place);
        }
        self.entries.push((key, value));
        true
    }

    pub fn contains(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        let at = match self.entries.len() > SHORT {
            true => self.index.get(key).copied(),
            false => self.entries.iter().position(|(known, _)| known == key),
        };
        at.map(|at| &*self.entries[at].1)
    }

    /// Replaces each value by another; keys and order stay.
    pub fn replace_values(&mut self, other: impl Fn(&str) -> Text<'a>) {
        self.entries.iter_mut().for_each(|(_, value)| *value = other(value));
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.entries.iter().map(|(key, value)| (&**key, &**value))
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl PartialEq for Attributes<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl Eq for Attributes<'_> {}

impl Serialize for Attributes<'_> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

#[cfg(test)]
impl<'de> serde::Deserialize<'de> for Attributes<'_> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = std::collections::BTreeMap::<String, String>::deserialize(deserializer)?;
        let mut attributes = Attributes::default();
        for (key, value) in map {
            assert!(attributes.insert(key.into(), value.into()));
        }
        Ok(attributes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_there_keeps_its_value() {
        let mut attributes = Attributes::default();
        assert!(attributes.insert("b".into(), "1".into()));
        assert!(attributes.insert("a".into(), "2".into()));
        assert!(!attributes.insert("b".into(), "3".into()));
        assert_eq!(attributes.iter().collect::<Vec<_>>(), [("b", "1"), ("a", "2")]);
        assert_eq!(attributes.get("b"), Some("1"));
    }

    #[test]
    fn a_key_is_unique_however_many_there_are() {
        let mut attributes = Attributes::default();
        for n in 0..10_000 {
            assert!(attributes.insert(format!("k{n}").into(), "1".into()), "{n}");
        }
        for n in 0..10_000 {
            assert!(!attributes.insert(format!("k{n}").into(), "2".into()), "{n}");
            assert_eq!(attributes.get(&format!("k{n}")), Some("1"), "{n}");
        }
        assert_eq!(attributes.get("k"), None);
        assert_eq!(attributes.len(), 10_000);
    }
}
