//! What nobody read: by its topmost node, as compact JSON, less what the rules drop. Knows no vendor.

use super::node::{Doc, Node, push_escaped};
use super::rules::{Rules, Why};
use super::tape::{Kind, Slot, Tape, tag};
use super::tokenize::unescape;
use crate::canonical::ExtensionsBuffer;
use crate::reject::{Code, Reject};
use std::fmt::Write;

impl Node<'_> {
    /// Puts into `out` every node below this one of which nothing was read, by its pointer from here on. Refuses where
    /// the pointers would become far larger than the body.
    pub fn leftovers(self, pointer: &mut String, out: &mut ExtensionsBuffer) -> Result<(), Reject> {
        pointer.clear();
        let slot = self.slot();
        if slot.kind.is_container() && slot.len > 0 {
            self.doc().walk(self, self.doc().run_start(self), "", pointer, out)?;
        }
        Ok(())
    }

    /// Whether a rule drops what stands under `name`, whichever object that is in: for names that are data. Of `a.b` it
    /// is also asked what `b` would be under `a`.
    pub fn is_dropped_as(self, name: &str) -> bool {
        let is_closed = |key: &str, under: &str| self.doc().is_closed(tag(key.as_bytes()), key, under);
        is_closed(name, "") || name.rsplit_once('.').is_some_and(|(under, key)| is_closed(key, last_step(under)))
    }

    /// Whether this value of such a name is a text that is itself JSON in which something stands that a rule closes.
    pub fn hides_secret(self, name: &str) -> bool {
        self.is_text() && self.doc().hides_secret(self.slot(), last_step(name))
    }

    /// This value of such a name as compact JSON text, less what the rules drop; all of it counts as read. `None` if
    /// nothing is left.
    pub fn read_json(self, name: &str) -> Option<String> {
        let mut out = String::new();
        let written = self.doc().write_json(self.slot(), last_step(name), &mut out);
        self.skip();
        written.then_some(out)
    }
}

/// `b` of `a.b`.
fn last_step(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, last)| last)
}

impl Doc<'_> {
    /// Where the run of the tape begins that holds all that lies below this node.
    fn run_start(&self, unit: Node<'_>) -> usize {
        let root = &self.slots[self.slots.len() - 1];
        if unit.index() + 1 == self.slots.len() {
            return 0;
        }
        // An element of the root's list: its run follows on the runs of the elements before it.
        let before = &self.slots[root.at as usize..unit.index()];
        before
            .iter()
            .rev()
            .find(|slot| slot.kind.is_container() && slot.len > 0)
            .map_or(0, |slot| (slot.at + slot.len) as usize)
    }

    /// `start` is where the parent's run begins. The runs of its children follow each other, and then come the
    /// children themselves.
    fn walk(
        &self,
        node: Node<'_>,
        mut start: usize,
        parent_key: &str,
        pointer: &mut String,
        out: &mut ExtensionsBuffer,
    ) -> Result<(), Reject> {
        let parent = node.slot();
        let first = parent.at as usize;
        for (nth, child) in self.slots[first..][..parent.len as usize].iter().enumerate() {
            if !child.kind.is_container() {
                if child.kind == Kind::Null || self.is_marked(first + nth) || self.is_dropped(parent, child, parent_key)
                {
                    continue;
                }
                let before = self.step(parent.kind, child, nth, pointer);
                node.spend(pointer.len())?;
                // That it hides nothing was asked already.
                out.push_if(|to| to.push_str(pointer), |text| self.write_scalar(child, text));
                pointer.truncate(before);
            } else if child.len > 0 {
                let end = (child.at + child.len) as usize;
                if !self.is_dropped(parent, child, parent_key) {
                    let before = self.step(parent.kind, child, nth, pointer);
                    let key = if parent.kind == Kind::Object { self.key(child) } else { parent_key };
                    if self.is_any_marked(start, end) {
                        self.walk(node.nth(nth), start, key, pointer, out)?;
                    } else {
                        node.spend(pointer.len())?;
                        out.push_if(|to| to.push_str(pointer), |text| self.write_json(child, key, text));
                    }
                    pointer.truncate(before);
                }
                start = end;
            }
        }
        Ok(())
    }

    fn step(&self, parent: Kind, child: &Slot, nth: usize, pointer: &mut String) -> usize {
        let before = pointer.len();
        pointer.push('/');
        if parent == Kind::Object {
            push_escaped(pointer, self.key(child));
        } else if nth < 10 {
            pointer.push((b'0' + nth as u8) as char);
        } else {
            let _ = write!(pointer, "{nth}");
        }
        before
    }

    fn is_dropped(&self, parent: &Slot, child: &Slot, parent_key: &str) -> bool {
        let is_named = parent.kind == Kind::Object;
        let key = if is_named { self.key(child) } else { parent_key };
        is_named && self.rules.cover(child.tag, key, parent_key).is_some()
            || child.kind.is_text() && self.hides_secret(child, key)
    }

    /// Whether a rule keeps what stands under such a key out of every record, wherever it stands.
    fn is_closed(&self, key_tag: u32, key: &str, under: &str) -> bool {
        matches!(self.rules.cover(key_tag, key, under), Some(Why::Secret | Why::Privacy))
    }

    /// As it stands in the body, a text with its quotes; true.
    fn write_scalar(&self, slot: &Slot, out: &mut String) -> bool {
        out.push_str(match slot.kind {
            Kind::Null => "null",
            Kind::True => "true",
            Kind::False => "false",
            Kind::Plain | Kind::Escaped => &self.body[slot.at as usize - 1..][..slot.len as usize + 2],
            _ => self.text(slot),
        });
        true
    }

    /// Writes a value that stands under `key` as compact JSON, less what the rules drop, and says whether anything was
    /// left to write. In an object, nulls and what is empty are left out; in a list they hold the place of the others.
    pub(super) fn write_json(&self, slot: &Slot, key: &str, out: &mut String) -> bool {
        match slot.kind {
            Kind::Plain | Kind::Escaped if self.hides_secret(slot, key) => false,
            Kind::Array => {
                let before = out.len();
                out.push('[');
                let mut kept = false;
                for (nth, child) in self.slots[slot.at as usize..][..slot.len as usize].iter().enumerate() {
                    if nth > 0 {
                        out.push(',');
                    }
                    if self.write_json(child, key, out) {
                        kept |= child.kind != Kind::Null;
                    } else {
                        out.push_str("null");
                    }
                }
                out.push(']');
                if !kept {
                    out.truncate(before);
                }
                kept
            }
            Kind::Object => {
                let before = out.len();
                out.push('{');
                for child in &self.slots[slot.at as usize..][..slot.len as usize] {
                    let name = self.key(child);
                    if child.kind == Kind::Null || self.rules.cover(child.tag, name, key).is_some() {
                        continue;
                    }
                    let here = out.len();
                    if here > before + 1 {
                        out.push(',');
                    }
                    write_key(name, child.key_in_arena, out);
                    if !self.write_json(child, name, out) {
                        out.truncate(here);
                    }
                }
                if out.len() == before + 1 {
                    out.truncate(before);
                    return false;
                }
                out.push('}');
                true
            }
            _ => self.write_scalar(slot, out),
        }
    }

    /// Whether a text is itself JSON in which, at any depth, something stands that a rule closes: senders do put
    /// documents into strings. `key` is the one that the text stands under.
    fn hides_secret(&self, slot: &Slot, key: &str) -> bool {
        let text = self.text(slot);
        // A document in quotes begins with an escaped one.
        matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'[' | b'\\'))
            && if slot.kind == Kind::Escaped {
                holds_secret(&unescape(text), key, self.rules)
            } else {
                holds_secret(text, key, self.rules)
            }
    }
}

/// How deep JSON in strings in JSON is followed before it is taken for a hiding place.
const MAX_DEPTH: usize = 64;

#[cold]
fn holds_secret(text: &str, key: &str, rules: &Rules) -> bool {
    if !matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'[' | b'"')) {
        return false;
    }
    let mut tape = Tape::default();
    let text = match tape.read(text.as_bytes(), MAX_DEPTH) {
        Ok(text) => text,
        // A text that is not JSON after all hides nothing that has a name. JSON too deep, with a key twice or with half a
        // letter can be read by others.
        Err(reject) => return reject.code != Code::JsonSyntax,
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
                doc.is_closed(child.tag, name, key) || any(doc, child, name)
            }
            _ => any(doc, child, key),
        })
    }
    any(&doc, &doc.slots[doc.slots.len() - 1], key)
}

/// A key with its quotes. One without escapes stands as in the body; one whose escapes were undone gets its own.
fn write_key(key: &str, was_escaped: bool, out: &mut String) {
    out.push('"');
    if !was_escaped {
        out.push_str(key);
    } else {
        for char in key.chars() {
            match char {
                '"' | '\\' => out.extend(['\\', char]),
                c if (c as u32) < 0x20 => drop(write!(out, "\\u{:04x}", c as u32)),
                c => out.push(c),
            }
        }
    }
    out.push_str("\":");
}
