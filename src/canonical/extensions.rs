//! What a webhook said and the model has no field for: JSON Pointer → JSON text. Neither is understood here; both are
//! text that somebody wrote into one buffer, which is used again from record to record.

use serde::{Serialize, Serializer};

/// Where an entry stands in the buffer: the pointer, and the JSON behind it.
#[derive(Debug, Clone, Copy)]
pub struct ExtensionEntry {
    start: usize,
    middle: usize,
    end: usize,
}

/// The buffer. Filled while a record is translated, lent to its event, cleared for the next.
#[derive(Debug, Default)]
pub struct ExtensionsBuffer {
    text: String,
    entries: Vec<ExtensionEntry>,
}

impl ExtensionsBuffer {
    /// Forgets the entries and keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.entries.clear();
    }

    /// Adds an entry. Both closures append to the buffer and must not change what is there. The pointer has to be a new
    /// one: it is a place in the webhook, and no place is left over twice.
    pub fn push(&mut self, pointer: impl FnOnce(&mut String), json: impl FnOnce(&mut String)) {
        self.push_if(pointer, |out| {
            json(out);
            true
        });
    }

    /// Adds an entry, unless the second closure says that nothing worth keeping was there.
    pub fn push_if(&mut self, pointer: impl FnOnce(&mut String), json: impl FnOnce(&mut String) -> bool) {
        let start = self.text.len();
        pointer(&mut self.text);
        let middle = self.text.len();
        if json(&mut self.text) {
            self.entries.push(ExtensionEntry { start, middle, end: self.text.len() });
        } else {
            self.text.truncate(start);
        }
    }

    pub fn view(&self) -> Extensions<'_> {
        Extensions { text: &self.text, entries: &self.entries }
    }
}

/// The entries of one record, in the order they were left over.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extensions<'a> {
    text: &'a str,
    entries: &'a [ExtensionEntry],
}

impl<'a> Extensions<'a> {
    /// Pointer and JSON text of every entry.
    pub fn iter(self) -> impl ExactSizeIterator<Item = (&'a str, &'a str)> {
        // The ranges were made with the text, so there is always a part to get.
        let part = move |from, to| self.text.get(from..to).unwrap_or_default();
        self.entries.iter().map(move |e| (part(e.start, e.middle), part(e.middle, e.end)))
    }

    pub fn len(self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(self) -> bool {
        self.entries.is_empty()
    }
}

impl PartialEq for Extensions<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Serialize for Extensions<'_> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_was_pushed_and_forgets_what_was_taken_back() {
        let mut buffer = ExtensionsBuffer::default();
        buffer.push(|out| out.push_str("/gone"), |out| out.push('0'));
        buffer.clear();
        buffer.push(|out| out.push_str("/a"), |out| out.push_str("[1]"));
        buffer.push_if(
            |out| out.push_str("/b"),
            |out| {
                out.push_str("{}");
                false
            },
        );
        buffer.push(|_| {}, |out| out.push_str("\"é\""));
        let view = buffer.view();
        assert_eq!(view.iter().collect::<Vec<_>>(), [("/a", "[1]"), ("", "\"é\"")]);
        assert_eq!((view.len(), view.is_empty()), (2, false));
        assert_eq!(serde_json::to_string(&view).unwrap(), r#"{"/a":"[1]","":"\"é\""}"#);
    }
}
