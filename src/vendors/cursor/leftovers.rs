//! What nobody read: by its topmost node, as compact JSON, less what the rules drop. Knows no vendor.

use super::node::{Doc, Node, push_escaped};
use super::rules::{Rules, Why};
use super::tape::{Kind, Slot, Tape, tag};
use super::tokenize::unescape;
use crate::canonical::ExtensionsBuffer;
use crate::reject::Reject;
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

    /// Whether a rule drops what stands under `name`, whichever object that is in: for names that are data.
    pub fn is_dropped_as(self, name: &str) -> bool {
        matches!(self.doc().rules.cover(tag(name.as_bytes()), name, ""), Some(Why::Secret | Why::Privacy))
    }

    /// Whether this is a text that is itself JSON in which a secret stands.
    pub fn hides_secret(self) -> bool {
        self.is_text() && self.doc().hides_secret(self.slot())
    }
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
                out.push_if(|to| to.push_str(pointer), |text| self.write_json(child, "", text));
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
        parent.kind == Kind::Object && self.rules.cover(child.tag, self.key(child), parent_key).is_some()
            || child.kind.is_text() && self.hides_secret(child)
    }

    /// Writes a value that stands under `key` as compact JSON, less what the rules drop, and says whether anything was
    /// left to write. In an object, nulls and what is empty are left out; in a list they hold the place of the others.
    pub(super) fn write_json(&self, slot: &Slot, key: &str, out: &mut String) -> bool {
        match slot.kind {
            Kind::Null => out.push_str("null"),
            Kind::True => out.push_str("true"),
            Kind::False => out.push_str("false"),
            Kind::Number => out.push_str(self.text(slot)),
            Kind::Plain | Kind::Escaped => {
                if self.hides_secret(slot) {
                    return false;
                }
                // With its quotes, as it stands in the body.
                out.push_str(&self.body[slot.at as usize - 1..][..slot.len as usize + 2]);
            }
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
                return kept;
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
            }
        }
        true
    }

    /// Whether a text is itself JSON in which, at any depth, a secret stands: senders do put documents into strings.
    fn hides_secret(&self, slot: &Slot) -> bool {
        let text = self.text(slot);
        matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'['))
            && if slot.kind == Kind::Escaped {
                holds_secret(&unescape(text), self.rules)
            } else {
                holds_secret(text, self.rules)
            }
    }
}

/// How deep JSON in strings in JSON is followed before it is taken for a hiding place.
const MAX_DEPTH: usize = 64;

#[cold]
fn holds_secret(text: &str, rules: &Rules) -> bool {
    let mut tape = Tape::default();
    // A text that is not JSON after all hides nothing that has a name.
    let Ok(text) = tape.read(text.as_bytes(), MAX_DEPTH) else { return false };
    let doc = Doc::new(&tape, text, rules, None);
    fn any(doc: &Doc<'_>, slot: &Slot, key: &str) -> bool {
        let children = match slot.kind.is_container() {
            true => &doc.slots[slot.at as usize..][..slot.len as usize],
            false => return slot.kind.is_text() && doc.hides_secret(slot),
        };
        children.iter().any(|child| match slot.kind {
            Kind::Object => {
                let name = doc.key(child);
                doc.rules.cover(child.tag, name, key) == Some(Why::Secret) || any(doc, child, name)
            }
            _ => any(doc, child, key),
        })
    }
    any(&doc, &doc.slots[doc.slots.len() - 1], "")
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
