//! Small maps of text that keep the order they were filled in.

use super::Text;
use serde::{Serialize, Serializer};

/// A map of strings, `namespace.key` → text. A list, because it is short, and so that the same bytes come out each time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attributes<'a>(Vec<(Text<'a>, Text<'a>)>);

impl<'a> Attributes<'a> {
    /// Adds an entry; false if there is one of that key, and nothing changes.
    #[must_use = "a key that is there already keeps its value: the new one has to go elsewhere"]
    pub fn insert(&mut self, key: Text<'a>, value: Text<'a>) -> bool {
        let is_new = self.get(&key).is_none();
        if is_new {
            self.0.push((key, value));
        }
        is_new
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, value)| &**value)
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

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
        Ok(Attributes(map.into_iter().map(|(key, value)| (key.into(), value.into())).collect()))
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
}
