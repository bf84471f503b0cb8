//! Documents in texts: senders do put JSON into strings. Where something stands in one that a rule closes, it would be
//! published with the text, so no such text is given out. Knows no vendor.

use super::node::Doc;
use super::rules::Rules;
use super::tape::{Kind, Slot, Tape};
use super::tokenize::unescape;
use crate::reject::Code;
use std::borrow::Cow;

/// How deep JSON in strings in JSON is followed before it is taken for a hiding place.
const MAX_DEPTH: usize = 64;

impl Doc<'_> {
    /// Whether a text is itself a document in which, at any depth, something stands that a rule closes. `key` is the one
    /// that the text stands under.
    pub(super) fn hides_secret(&self, slot: &Slot, key: &str) -> bool {
        let text = self.text(slot);
        begins_like_json(text)
            && match slot.kind {
                Kind::Escaped => holds_secret(&unescape(text), key, self.rules),
                _ => holds_secret(text, key, self.rules),
            }
    }
}

/// What may stand around a document: space, and what some programs begin or part texts with, which shows as little.
fn is_around(char: char) -> bool {
    char.is_whitespace() || char.is_control() || char == '\u{feff}'
}

/// Whether this may be a document, its escapes not yet undone: one in quotes begins with an escaped one.
pub(super) fn begins_like_json(text: &str) -> bool {
    opens_document(text) || text.trim_start_matches(is_around).starts_with('\\')
}

/// Whether a text begins as documents do. Nearly every text begins with a letter or a digit, and is let go at that.
#[inline(always)]
pub(super) fn opens_document(text: &str) -> bool {
    match text.as_bytes().first() {
        Some(b'{' | b'[' | b'"') => true,
        Some(..=b' ' | 0x7f..) => text.trim_start_matches(is_around).starts_with(['{', '[', '"']),
        _ => false,
    }
}

/// Whether something stands in a text that a rule closes, if it is a document.
#[cold]
pub(super) fn holds_secret(text: &str, key: &str, rules: &Rules) -> bool {
    // What has a name stands behind one of these, and where an escape stands, that may be one of them.
    if !opens_document(text) || memchr::memchr3(b':', b'=', b'\\', text.as_bytes()).is_none() {
        return false;
    }
    let text = text.trim_matches(is_around);
    if !text.contains('"') {
        return names_secret(text, key, rules);
    }
    let mut tape = Tape::forgetful();
    let text = match tape.read(text.as_bytes(), MAX_DEPTH) {
        Ok(text) => text,
        Err(reject) if reject.code == Code::JsonSyntax => return names_secret(text, key, rules),
        // JSON too deep, with a key twice or with half a letter can be read by others.
        Err(_) => return true,
    };
    let doc = Doc::new(&tape, text, rules, None);
    fn any(doc: &Doc<'_>, slot: &Slot, key: &str) -> bool {
        let children = match slot.kind.is_container() {
            true => &doc.slots[slot.at as usize..][..slot.len as usize],
            false => return slot.kind.is_text() && doc.hides_secret(slot, key),
        };
        children.iter().any(|child| match slot.kind {
            Kind::Object => {
                let name = doc.key(child);
                doc.rules.closes(child.tag, name, key) || any(doc, child, name)
            }
            _ => any(doc, child, key),
        })
    }
    any(&doc, &doc.slots[doc.slots.len() - 1], key)
}

/// Whether a text that begins like a document and is none has, as far as signs tell, a member that a rule closes: lines of
/// JSON, a comma too many, a document that was cut off, and what other languages print. What lies under what cannot be told.
fn names_secret(text: &str, key: &str, rules: &Rules) -> bool {
    // Of what stands in quotes only a document is one.
    let is_open = |char: char| is_around(char) || matches!(char, '"' | '\\');
    if !text.trim_start_matches(is_open).starts_with(['{', '[']) {
        return false;
    }
    let unders = rules.iter().filter_map(|rule| rule.under);
    let may_be_under: Vec<&str> = unders.filter(|under| *under == key || text.contains(under)).collect();
    text.match_indices([':', '=']).any(|(at, _)| {
        let name = name_before(&text[..at]);
        !name.is_empty() && rules.may_close(&name, &may_be_under)
    })
}

/// The name that ends a text, in quotes or bare; empty if none does. Quotes may be escaped, and letters in them too.
fn name_before(text: &str) -> Cow<'_, str> {
    let text = text.trim_end_matches(is_around);
    let Some(quoted) = text.strip_suffix(['"', '\'']) else {
        let is_letter = |char: char| char.is_alphanumeric() || matches!(char, '_' | '-' | '.');
        return Cow::Borrowed(&text[text.trim_end_matches(is_letter).len()..]);
    };
    let name = quoted.trim_end_matches('\\').rsplit(['"', '\'']).next().unwrap_or_default();
    if name.contains('\\') { Cow::Owned(unescape(name)) } else { Cow::Borrowed(name) }
}
