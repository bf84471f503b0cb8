//! One place in a body, and how to read what stands there.
//!
//! Every way to read refuses with the place of the value, so a mapping never writes a pointer down and a dead letter
//! always has one. Every value that was read is marked. Absent and null read alike, as nothing; whoever must tell them
//! apart asks [`Node::has`]. Knows no vendor's field names.

use super::hidden::{holds_secret, opens_document};
use super::leftovers::Spot;
use super::plans::Plans;
use super::rules::Rules;
use super::tape::{ANSWERS, Answer, Kind, Slot, Tape, is_same, room_of, tag};
use super::tokenize::unescape;
use crate::canonical::{Date, Decimal, Micros, Text};
use crate::reject::{Code, Place, Reject};
use std::cell::{Cell, RefCell};
use std::fmt::Write;

/// A parsed body: the tape, and the text it points into.
#[derive(Clone, Copy)]
pub struct Doc<'a> {
    pub(super) body: &'a str,
    arena: &'a str,
    pub(super) slots: &'a [Slot],
    elements: &'a [[u32; 2]],
    marks: &'a [Cell<u64>],
    room: &'a Cell<usize>,
    pub(super) odd: &'a RefCell<Vec<u32>>,
    answers: &'a [Cell<Answer>],
    pub(super) plans: &'a RefCell<Plans>,
    pub(super) rules: &'a Rules,
    /// For times that name no zone, where the configuration names one.
    zone: Option<&'a jiff::tz::TimeZone>,
}

/// One place in a body, or nowhere: a child that is absent or null, of which all reads give nothing.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    doc: &'a Doc<'a>,
    index: u32,
    /// Whose key it stands under: its own, or of an element that of the list.
    named: u32,
}

/// What a list can be read into.
pub trait Element: Sized {
    /// The bytes that each takes of a webhook's room, see [`Node::spend`]. How long a list may be follows from it (`record.too_large`), so
    /// it is a figure of its own, and not how the compiler lays the type out: that may get smaller, and never larger than this.
    const ROOM: usize;
}

const NOWHERE: u32 = u32::MAX;

/// How many keys ahead [`Node::echoes`] looks for the one that is repeated.
const ECHO_WINDOW: usize = 16;

/// How many odd words of one webhook are told of.
const MOST_ODD: usize = 32;

/// Only the place: a payload's values do not get into messages by way of `{:?}`.
impl std::fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({})", self.index)
    }
}

/// The names under which a field may stand, the documented one first. Where several are there, the first counts, and
/// the others are left unread.
pub trait Keys: Copy {
    /// Calls `f` with each name until it returns something.
    fn first<T>(self, f: impl FnMut(&'static str) -> Option<T>) -> Option<T>;

    /// Where on the tape the first of them stands that is there.
    fn position(self, doc: &Doc<'_>, object: &Slot) -> Option<u32>;
}

impl Keys for &'static str {
    #[inline(always)]
    fn first<T>(self, mut f: impl FnMut(&'static str) -> Option<T>) -> Option<T> {
        f(self)
    }

    #[inline(always)]
    fn position(self, doc: &Doc<'_>, object: &Slot) -> Option<u32> {
        doc.position(object, self, tag(self.as_bytes()))
    }
}

impl<const N: usize> Keys for [&'static str; N] {
    #[inline(always)]
    fn first<T>(self, f: impl FnMut(&'static str) -> Option<T>) -> Option<T> {
        self.into_iter().find_map(f)
    }

    #[inline(always)]
    fn position(self, doc: &Doc<'_>, object: &Slot) -> Option<u32> {
        for key in self {
            if let Some(position) = key.position(doc, object) {
                return Some(position);
            }
        }
        None
    }
}

impl<'a> Doc<'a> {
    /// A view of what is on the tape. `body` must be what [`Tape::read`] gave back.
    pub fn new(tape: &'a Tape, body: &'a str, rules: &'a Rules, zone: Option<&'a jiff::tz::TimeZone>) -> Doc<'a> {
        Doc {
            body,
            arena: &tape.arena,
            slots: &tape.slots,
            elements: &tape.elements,
            marks: &tape.marks,
            room: &tape.room,
            odd: &tape.odd,
            answers: &tape.answers,
            plans: &tape.plans,
            rules,
            zone,
        }
    }

    /// The same view under other rules.
    pub fn with_rules(self, rules: &'a Rules) -> Doc<'a> {
        Doc { rules, ..self }
    }

    /// Lets so much be made of what is read from here on as befits `text`, the webhook's. A text that every element of a
    /// list repeats, and a key that stands in the pointer to each of many, make of a small body a huge record.
    pub fn allow(&self, text: &str) {
        self.room.set(room_of(text));
        self.odd.borrow_mut().clear();
    }

    pub fn root(&'a self) -> Node<'a> {
        Node::new(self, self.slots.len() as u32 - 1)
    }

    /// If the body is a list: how many webhooks are in it.
    pub fn list_len(&self) -> Option<usize> {
        let root = self.slots.last()?;
        (root.kind == Kind::Array).then_some(root.len as usize)
    }

    /// The n-th element of the root's list, with its text.
    pub fn element(&'a self, nth: usize) -> Option<(Node<'a>, &'a str)> {
        let &[start, end] = self.elements.get(nth)?;
        let index = self.slots.last()?.at + nth as u32;
        Some((Node::new(self, index), &self.body[start as usize..end as usize]))
    }

    /// RFC 6901 pointer, from `unit` on, of where a refusal took place; empty for the webhook as a whole.
    pub fn pointer(&self, unit: Node<'_>, reject: &Reject) -> String {
        let mut pointer = String::new();
        match reject.place {
            Place::Whole | Place::Offset(_) => {}
            Place::Node(node) => {
                self.descend(unit.index, node, Steps::Public, &mut pointer);
            }
            Place::Absent(parent, key) => {
                self.descend(unit.index, parent, Steps::Public, &mut pointer);
                pointer.push('/');
                push_escaped(&mut pointer, key);
            }
        }
        pointer
    }

    /// The way from `unit` to the node at a place on the tape.
    pub fn way_to(&self, unit: Node<'_>, node: u32, steps: Steps) -> String {
        let mut way = String::new();
        self.descend(unit.index, node, steps, &mut way);
        way
    }

    /// The same with [`Steps::Pattern`], written once for every spot.
    pub fn pattern(&self, unit: Node<'_>, node: u32, spot: Option<Spot>) -> String {
        let way = || self.way_to(unit, node, Steps::Pattern);
        match spot {
            Some(spot) => self.plans.borrow_mut().pattern(spot, way),
            None => way(),
        }
    }

    /// Goes straight down, so nodes need not know their parents: what lies below the children of a container is on the tape
    /// before them, in their order.
    fn descend(&self, from: u32, wanted: u32, steps: Steps, pointer: &mut String) -> bool {
        if from == wanted {
            return true;
        }
        let slot = self.slots[from as usize];
        if !slot.kind.is_container() {
            return false;
        }
        let mut children = slot.at..slot.at + slot.len;
        let may_hold = |child: &Slot| child.kind.is_container() && child.len > 0 && wanted < child.at + child.len;
        let found = match children.contains(&wanted) {
            true => Some(wanted),
            false => children.find(|&child| may_hold(&self.slots[child as usize])),
        };
        let Some(child) = found else { return false };
        let (nth, before) = ((child - slot.at) as usize, pointer.len());
        pointer.push('/');
        match (slot.kind, steps) {
            (Kind::Object, Steps::Exact) => push_escaped(pointer, self.key(&self.slots[child as usize])),
            (Kind::Object, _) => push_public(pointer, self.key(&self.slots[child as usize]), nth),
            (_, Steps::Pattern) => pointer.push('*'),
            _ => drop(write!(pointer, "{nth}")),
        }
        let is_there = self.descend(child, wanted, steps, pointer);
        if !is_there {
            pointer.truncate(before);
        }
        is_there
    }

    #[inline(always)]
    pub(super) fn text(&self, slot: &Slot) -> &'a str {
        &self.body[slot.at as usize..slot.at as usize + slot.len as usize]
    }

    #[inline(always)]
    pub(super) fn key(&self, slot: &Slot) -> &'a str {
        let text = if slot.key_in_arena { self.arena } else { self.body };
        &text[slot.key_at as usize..slot.key_at as usize + slot.key_len as usize]
    }

    #[inline(always)]
    pub(super) fn key_bytes(&self, slot: &Slot) -> &'a [u8] {
        let text = if slot.key_in_arena { self.arena } else { self.body };
        &text.as_bytes()[slot.key_at as usize..][..slot.key_len as usize]
    }

    #[inline(always)]
    fn mark(&self, index: u32) {
        let word = &self.marks[index as usize / 64];
        word.set(word.get() | 1 << (index % 64));
    }

    #[inline(always)]
    pub(super) fn is_marked(&self, index: usize) -> bool {
        self.marks[index / 64].get() >> (index % 64) & 1 == 1
    }

    /// Which of the 64 nodes beginning with this one were read: one bit each, the first in the lowest. Where there are fewer, the
    /// rest are 0.
    #[inline(always)]
    pub(super) fn marks_from(&self, index: usize) -> u64 {
        let word = |nth: usize| self.marks.get(nth).map_or(0, Cell::get);
        let (nth, shift) = (index / 64, index % 64);
        // In two steps, since to shift by all 64 bits at once is an overflow.
        word(nth) >> shift | word(nth + 1) << 1 << (63 - shift)
    }

    /// Where on the tape the child under `key` lies. `object` is one.
    ///
    /// All objects of one shape have a key at the same place, or all have it not; so the answer is remembered by shape and key,
    /// and of an object without a shape all keys are looked at.
    ///
    /// Never inlined: there are a thousand callers. `tag` is the key's, which each of them knows when it is compiled.
    #[inline(never)]
    fn position(&self, object: &Slot, key: &'static str, tag: u32) -> Option<u32> {
        let shape = object.shape;
        let place = (tag ^ u32::from(shape.number()).wrapping_mul(0x9e37_79b1) >> 16) as usize % ANSWERS;
        let known = self.answers.get(place).map(Cell::get).unwrap_or_default();
        if known.shape == shape && std::ptr::eq(known.key, key) && shape.is_known() {
            return (known.nth != Answer::NOT_THERE).then(|| object.at + u32::from(known.nth));
        }
        self.seek(object, key, tag, place)
    }

    #[cold]
    #[inline(never)]
    fn seek(&self, object: &Slot, key: &'static str, tag: u32, place: usize) -> Option<u32> {
        let children = &self.slots[object.at as usize..][..object.len as usize];
        let is_it = |child: &Slot| child.tag == tag && is_same(self.key_bytes(child), key.as_bytes());
        let nth = children.iter().position(is_it);
        if let Some(answer) = self.answers.get(place).filter(|_| object.shape.is_known()) {
            // An object with a shape has no more keys than a byte can count.
            let nth = nth.map_or(Answer::NOT_THERE, |nth| nth as u16);
            answer.set(Answer { shape: object.shape, nth, key });
        }
        nth.map(|nth| object.at + nth as u32)
    }

    /// Whether it was told of as a word or form that is not known.
    #[cold]
    pub(super) fn is_odd(&self, index: u32) -> bool {
        self.odd.borrow().contains(&index)
    }

    /// Whether anything of a run of the tape was read.
    pub(super) fn is_any_marked(&self, from: usize, to: usize) -> bool {
        let (first, last) = (from / 64, to.saturating_sub(1) / 64);
        if from >= to {
            return false;
        }
        let head = u64::MAX << (from % 64);
        let tail = u64::MAX >> (63 - (to - 1) % 64);
        if first == last {
            return self.marks[first].get() & head & tail != 0;
        }
        self.marks[first].get() & head != 0
            || self.marks[last].get() & tail != 0
            || self.marks[first + 1..last].iter().any(|word| word.get() != 0)
    }
}

/// How the steps of a way are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steps {
    /// As an RFC 6901 pointer.
    Exact,
    /// As a pointer that may leave the house: no key in it can be anybody's name.
    Public,
    /// Like that, and with `*` for the place in a list.
    Pattern,
}

/// One step of a pointer that may leave the house: keys can be anything, even somebody's name, so only what looks
/// like a field's name stands as it is.
fn push_public(pointer: &mut String, key: &str, nth: usize) {
    let is_plain = key.len() <= 64 && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    if is_plain {
        pointer.push_str(key);
    } else {
        let _ = write!(pointer, "~#{nth}");
    }
}

/// A key as a step of an RFC 6901 pointer.
#[inline(always)]
pub(super) fn push_escaped(pointer: &mut String, key: &str) {
    if !key.bytes().fold(false, |found, b| found | (b == b'~') | (b == b'/')) {
        pointer.push_str(key);
    } else {
        pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
    }
}

// ---- where to go ----

impl<'a> Node<'a> {
    /// The object under a key; nowhere if it is absent or null.
    #[inline(always)]
    pub fn child(self, keys: impl Keys) -> Result<Node<'a>, Reject> {
        match self.find(keys)? {
            Some(node) if node.slot().kind != Kind::Object => Err(node.refuse(Code::FieldType)),
            Some(node) => Ok(node),
            None => Ok(self.nowhere()),
        }
    }

    /// The same for what some senders (PHP) write as `[]` when it is empty: an empty list is an empty object.
    pub fn child_or_empty_list(self, keys: impl Keys) -> Result<Node<'a>, Reject> {
        match self.find(keys)? {
            Some(node) if node.slot().kind == Kind::Array && node.slot().len == 0 => Ok(self.nowhere()),
            _ => self.child(keys),
        }
    }

    /// The object under a key that must be there.
    #[inline(always)]
    pub fn require_child(self, key: &'static str) -> Result<Node<'a>, Reject> {
        let node = self.child(key)?;
        if node.is_nowhere() { Err(self.missing(key, Code::FieldMissing)) } else { Ok(node) }
    }

    /// Reads the object under a key; nothing if it is absent or null.
    #[inline(always)]
    pub fn object<T>(
        self,
        keys: impl Keys,
        read: impl FnOnce(Node<'a>) -> Result<T, Reject>,
    ) -> Result<Option<T>, Reject> {
        let node = self.child(keys)?;
        if node.is_nowhere() { Ok(None) } else { read(node).map(Some) }
    }

    /// Reads the objects of a list, in order; none where it is absent or null. The first that cannot be read refuses
    /// the list.
    #[inline(always)]
    pub fn list<T: Element>(
        self,
        keys: impl Keys,
        mut read: impl FnMut(Node<'a>) -> Result<T, Reject>,
    ) -> Result<Vec<T>, Reject> {
        let Some(list) = self.find(keys)? else { return Ok(Vec::new()) };
        let items = list.items()?;
        list.spend_elements::<T>(items.len(), 0)?;
        let mut all = Vec::with_capacity(items.len());
        for item in items {
            all.push(read(item.must_be_object()?)?);
        }
        Ok(all)
    }

    /// Takes so many bytes for what is made of this value beyond its own text: for each element of a list, or for a text
    /// that stands elsewhere and is said again. Refuses once a webhook has taken more than befits its size.
    #[inline]
    pub fn spend(self, bytes: usize) -> Result<(), Reject> {
        match self.doc.room.get().checked_sub(bytes) {
            Some(left) => {
                self.doc.room.set(left);
                Ok(())
            }
            None => Err(self.refuse(Code::RecordTooLarge)),
        }
    }

    /// Takes what so many elements need, of which each says texts of so many bytes again.
    #[inline]
    pub fn spend_elements<T: Element>(self, elements: usize, repeated: usize) -> Result<(), Reject> {
        const { assert!(size_of::<T>() <= T::ROOM) }
        self.spend(elements * (T::ROOM + repeated))
    }

    /// Reads the texts of a list, in order; nulls in it are passed over.
    pub fn texts(self, keys: impl Keys) -> Result<Vec<Text<'a>>, Reject> {
        match self.find(keys)? {
            Some(list) => list.items()?.filter_map(|item| item.read_text().transpose()).collect(),
            None => Ok(Vec::new()),
        }
    }

    /// The values of this list.
    pub fn items(self) -> Result<impl ExactSizeIterator<Item = Node<'a>>, Reject> {
        let slot = self.slot();
        if slot.kind != Kind::Array {
            return Err(self.refuse(Code::FieldType));
        }
        Ok((slot.at..slot.at + slot.len).map(move |index| Node { index, ..self }))
    }

    /// The keys and values of this object, in the order of the body; none if this is nowhere.
    pub fn entries(self) -> Result<impl Iterator<Item = (&'a str, Node<'a>)>, Reject> {
        let doc = self.doc;
        let range = match self.is_nowhere() {
            true => 0..0,
            false if self.slot().kind != Kind::Object => return Err(self.refuse(Code::FieldType)),
            false => self.slot().at..self.slot().at + self.slot().len,
        };
        Ok(range.map(move |index| (doc.key(&doc.slots[index as usize]), Node::new(doc, index))))
    }

    /// Whether a key is there, be it null.
    #[inline]
    pub fn has(self, key: &'static str) -> bool {
        self.is_object() && key.position(self.doc, self.slot()).is_some()
    }

    /// Whether a key is there, be it null, and not with what is not given out.
    pub fn says(self, key: &'static str) -> bool {
        self.has(key) && !self.value(key).is_ok_and(Node::is_hidden)
    }

    /// Whether a key is there and null.
    pub fn is_null(self, key: &'static str) -> bool {
        let is_null = |index: u32| self.doc.slots[index as usize].kind == Kind::Null;
        self.is_object() && key.position(self.doc, self.slot()).is_some_and(is_null)
    }

    #[inline(always)]
    pub fn is_nowhere(self) -> bool {
        self.index == NOWHERE
    }

    pub fn is_object(self) -> bool {
        !self.is_nowhere() && self.slot().kind == Kind::Object
    }

    pub fn is_list(self) -> bool {
        !self.is_nowhere() && self.slot().kind == Kind::Array
    }

    pub fn is_text(self) -> bool {
        !self.is_nowhere() && self.slot().kind.is_text()
    }

    pub fn is_boolean(self) -> bool {
        !self.is_nowhere() && matches!(self.slot().kind, Kind::True | Kind::False)
    }

    /// The value under a key, whatever it is; nowhere if it is absent or null.
    #[inline(always)]
    pub fn value(self, keys: impl Keys) -> Result<Node<'a>, Reject> {
        Ok(self.find(keys)?.unwrap_or(self.nowhere()))
    }

    fn must_be_object(self) -> Result<Node<'a>, Reject> {
        if self.slot().kind == Kind::Object { Ok(self) } else { Err(self.refuse(Code::FieldType)) }
    }
}

// ---- fields ----

impl<'a> Node<'a> {
    /// Text; a number stands for its own text.
    #[inline(always)]
    pub fn text(self, keys: impl Keys) -> Result<Option<Text<'a>>, Reject> {
        self.read(keys, Node::read_text)
    }

    /// An id: text whatever JSON type it had; an empty one is none.
    #[inline(always)]
    pub fn id(self, keys: impl Keys) -> Result<Option<Text<'a>>, Reject> {
        Ok(self.read(keys, Node::read_text)?.filter(|id| !id.is_empty()))
    }

    /// An id that must be there.
    #[inline(always)]
    pub fn require_id(self, key: &'static str) -> Result<Text<'a>, Reject> {
        self.id(key)?.ok_or_else(|| self.missing(key, Code::FieldMissing))
    }

    #[inline(always)]
    pub fn boolean(self, keys: impl Keys) -> Result<Option<bool>, Reject> {
        self.read(keys, Node::read_boolean)
    }

    /// A whole number, as a JSON number or as text; an empty text is none.
    #[inline(always)]
    pub fn long(self, keys: impl Keys) -> Result<Option<i64>, Reject> {
        self.read(keys, Node::read_long)
    }

    /// An exact amount, as a JSON number or as text; an empty text is none.
    #[inline(always)]
    pub fn money(self, keys: impl Keys) -> Result<Option<Decimal>, Reject> {
        self.read(keys, Node::read_decimal)
    }

    /// An exact number that is no amount: a weight, a size, a rate. One that is too fine or too large to be kept exactly
    /// (a binary float's `0.30000000000000004`) is nothing, and stays unread, so that it is kept.
    #[inline(always)]
    pub fn decimal(self, keys: impl Keys) -> Result<Option<Decimal>, Reject> {
        self.read(keys, |node| {
            let was_marked = node.is_marked();
            match node.read_decimal() {
                Err(Reject { code: Code::MoneyPrecision, .. }) => {
                    if !was_marked {
                        node.unmark();
                    }
                    Ok(None)
                }
                Err(Reject { code: Code::MoneyInvalid, .. }) => Err(node.refuse(Code::NumberRange)),
                other => other,
            }
        })
    }

    /// A discount of a vendor who writes discounts as positive amounts. If it is negative all the same, the amount is
    /// turned, and the vendor's text stays unread, so that it is kept.
    pub fn positive_discount(self, keys: impl Keys) -> Result<Option<Decimal>, Reject> {
        self.discount(keys, false)
    }

    /// A discount of a vendor who writes discounts as negative amounts.
    pub fn negative_discount(self, keys: impl Keys) -> Result<Option<Decimal>, Reject> {
        self.discount(keys, true)
    }

    fn discount(self, keys: impl Keys, usually_negative: bool) -> Result<Option<Decimal>, Reject> {
        self.read(keys, |node| {
            let was_marked = node.is_marked();
            let amount = node.read_decimal()?;
            let is_unusual =
                amount.is_some_and(|amount| amount != Decimal::ZERO && amount.is_negative() != usually_negative);
            if is_unusual && !was_marked {
                node.unmark();
            }
            Ok(amount.map(Decimal::abs))
        })
    }

    /// An instant: RFC 3339 with an offset, or without one if the configuration names the zone. Digits finer than a
    /// microsecond are cut; the text then stays unread, so that it is kept.
    #[inline(always)]
    pub fn time(self, keys: impl Keys) -> Result<Option<Micros>, Reject> {
        self.read(keys, Node::read_time)
    }

    /// Milliseconds since 1970.
    pub fn millis(self, keys: impl Keys) -> Result<Option<Micros>, Reject> {
        self.read(keys, |node| node.read_epoch(1_000))
    }

    /// Seconds since 1970, maybe with a fraction.
    pub fn seconds(self, keys: impl Keys) -> Result<Option<Micros>, Reject> {
        self.read(keys, |node| node.read_epoch(1_000_000))
    }

    /// A calendar day, `YYYY-MM-DD`; an empty text is none.
    pub fn date(self, keys: impl Keys) -> Result<Option<Date>, Reject> {
        self.read(keys, |node| match node.read_text()? {
            Some(text) if text.is_empty() => Ok(None),
            Some(text) => Date::parse(&text).map(Some).ok_or_else(|| node.refuse(Code::TimeInvalid)),
            None => Ok(None),
        })
    }

    /// A vendor's word, and what it means in a closed list: nothing was said (absent, null, empty), or a word that is
    /// known, or one that is `unknown`.
    #[inline]
    pub fn word<E>(
        self,
        keys: impl Keys,
        known: impl FnOnce(&str) -> Option<E>,
        unknown: E,
    ) -> Result<(Option<E>, Option<Text<'a>>), Reject> {
        let node = self.value(keys)?;
        if node.is_nowhere() {
            return Ok((None, None));
        }
        let word = node.read_text()?;
        if word.as_deref() == Some("") {
            return Ok((None, None));
        }
        // One that may not be said is none that is known.
        let meaning = word.as_deref().and_then(known).unwrap_or_else(|| {
            node.tell_odd();
            unknown
        });
        Ok((Some(meaning), word))
    }

    /// Text in a form that people group by. What cannot be converted is nothing, and stays unread, so that it is kept.
    pub fn form(
        self,
        keys: impl Keys,
        convert: impl FnOnce(&str) -> Option<Text<'_>>,
    ) -> Result<Option<Text<'a>>, Reject> {
        self.read(keys, |node| node.read_form(convert))
    }

    /// The texts of a list in such a form, in order; what cannot be converted is left out, and stays unread.
    pub fn forms(self, keys: impl Keys, convert: impl Fn(&str) -> Option<Text<'_>>) -> Result<Vec<Text<'a>>, Reject> {
        match self.find(keys)? {
            Some(list) => list.items()?.filter_map(|item| item.read_form(&convert).transpose()).collect(),
            None => Ok(Vec::new()),
        }
    }

    /// Refuses a second currency where the model has a place for one only. `wanted` is the record's.
    pub fn same_currency(self, keys: impl Keys, wanted: Option<&str>) -> Result<(), Reject> {
        self.read(keys, |node| {
            let was_marked = node.is_marked();
            let currency = node.read_text()?.filter(|text| !text.is_empty());
            match (currency, wanted) {
                (Some(currency), Some(wanted)) if !currency.eq_ignore_ascii_case(wanted) => {
                    Err(node.refuse(Code::MoneyMixedCurrency))
                }
                // There is nothing that it repeats, so it is kept.
                (Some(_), None) if !was_marked => {
                    node.unmark();
                    Ok(Some(()))
                }
                _ => Ok(Some(())),
            }
        })
        .map(|_| ())
    }

    /// Reads a leaf that only repeats a value already mapped; if it differs it stays unread, so that it is kept.
    pub fn repeats(self, keys: impl Keys, mapped: Option<&str>) -> Result<(), Reject> {
        let node = self.value(keys)?;
        if !node.is_nowhere() && !node.slot().kind.is_container() {
            let was_marked = node.is_marked();
            let same = node.read_leaf_text()?.as_deref() == mapped;
            if !same && !was_marked {
                node.unmark();
            }
        }
        Ok(())
    }

    /// Passes over every leaf below this node that only repeats, at the same place and with the same text, a leaf below
    /// `original` that was read. What differs stays unread, so that it is kept, and so does what was not read there.
    pub fn echoes(self, original: Node<'a>) {
        if self.is_nowhere() || original.is_nowhere() || self.slot().kind != original.slot().kind {
            return;
        }
        let (echo, source) = (self.slot(), original.slot());
        let child = |nth: u32| Node::new(self.doc, echo.at + nth);
        match echo.kind {
            Kind::Null => {}
            Kind::Object => {
                let sources = &original.doc.slots[source.at as usize..][..source.len as usize];
                let mut next = 0;
                for nth in 0..echo.len {
                    // Who prints a thing twice prints its keys in one order. Looking farther would cost the square of
                    // what a body may hold.
                    let slot = child(nth).slot();
                    let key = self.doc.key(slot);
                    let ahead = sources[next..].iter().take(ECHO_WINDOW);
                    let found = ahead.enumerate().find(|(_, it)| it.tag == slot.tag && original.doc.key(it) == key);
                    if let Some((skipped, _)) = found {
                        let twin = source.at + (next + skipped) as u32;
                        child(nth).echoes(Node::new(original.doc, twin));
                        next += skipped + 1;
                    }
                }
            }
            Kind::Array => {
                for nth in 0..echo.len.min(source.len) {
                    child(nth).echoes(Node::new(original.doc, source.at + nth));
                }
            }
            _ => {
                let is_word = matches!(echo.kind, Kind::True | Kind::False);
                if original.is_marked() && (is_word || self.doc.text(echo) == original.doc.text(source)) {
                    self.mark();
                }
            }
        }
    }

    #[inline(always)]
    fn read<T>(
        self,
        keys: impl Keys,
        read: impl FnOnce(Node<'a>) -> Result<Option<T>, Reject>,
    ) -> Result<Option<T>, Reject> {
        match self.find(keys)? {
            Some(node) => read(node),
            None => Ok(None),
        }
    }
}

// ---- values ----

impl<'a> Node<'a> {
    /// The text of this value; nothing if it is null, or a document in which a secret stands. That one stays unread, so
    /// that it is dropped by its rule.
    #[inline(always)]
    pub fn read_text(self) -> Result<Option<Text<'a>>, Reject> {
        match self.read_any_text()? {
            Some(text) if opens_document(&text) && holds_secret(&text, self.name(), self.doc.rules) => {
                self.unmark();
                Ok(None)
            }
            text => Ok(text),
        }
    }

    /// The same, whatever stands in it: for what is no text in the end, but a number or a time, or is refused.
    #[inline(always)]
    fn read_any_text(self) -> Result<Option<Text<'a>>, Reject> {
        let slot = self.slot();
        match slot.kind {
            Kind::Plain | Kind::Number => {
                self.mark();
                Ok(Some(Text::Borrowed(self.doc.text(slot))))
            }
            Kind::Escaped => {
                self.mark();
                Ok(Some(Text::Owned(unescape(self.doc.text(slot)))))
            }
            Kind::Null => {
                self.mark();
                Ok(None)
            }
            _ => Err(self.refuse(Code::FieldType)),
        }
    }

    fn read_form(self, convert: impl FnOnce(&str) -> Option<Text<'_>>) -> Result<Option<Text<'a>>, Reject> {
        let was_marked = self.is_marked();
        let Some(text) = self.read_text()? else { return Ok(None) };
        let converted = match convert(&text) {
            // Nearly always the text was right as it stood.
            Some(Text::Borrowed(same)) if same == text => return Ok(Some(text)),
            Some(other) => Some(Text::Owned(other.into_owned())),
            None => None,
        };
        if converted.is_none() && !text.is_empty() {
            self.tell_odd();
            if !was_marked {
                self.unmark();
            }
        }
        Ok(converted)
    }

    fn read_boolean(self) -> Result<Option<bool>, Reject> {
        self.mark();
        match self.slot().kind {
            Kind::True => Ok(Some(true)),
            Kind::False => Ok(Some(false)),
            _ => Err(self.refuse(Code::FieldType)),
        }
    }

    fn read_long(self) -> Result<Option<i64>, Reject> {
        let Some(text) = self.read_any_text()? else { return Ok(None) };
        if text.is_empty() {
            return Ok(None);
        }
        match text.parse() {
            Ok(number) => Ok(Some(number)),
            // 2.0 and 2e3 are whole numbers too.
            Err(_) => whole(&text).map(Some).ok_or_else(|| self.refuse(Code::NumberRange)),
        }
    }

    #[inline(always)]
    fn read_decimal(self) -> Result<Option<Decimal>, Reject> {
        let slot = self.slot();
        let text = match slot.kind {
            Kind::Plain | Kind::Number => {
                self.mark();
                Text::Borrowed(self.doc.text(slot))
            }
            _ => match self.read_any_text()? {
                Some(text) => text,
                None => return Ok(None),
            },
        };
        if text.is_empty() {
            return Ok(None);
        }
        Decimal::parse(&text).map(Some).map_err(|error| self.refuse(Code::from(error)))
    }

    #[inline(always)]
    fn read_time(self) -> Result<Option<Micros>, Reject> {
        let slot = self.slot();
        if slot.kind == Kind::Number {
            return Err(self.refuse(Code::TimeInvalid));
        }
        let was_marked = self.is_marked();
        let Some(text) = self.read_any_text()? else { return Ok(None) };
        let (time, was_cut) = match Micros::parse(&text) {
            Some(read) => read,
            None => self.in_configured_zone(&text).ok_or_else(|| self.refuse(Code::TimeInvalid))?,
        };
        if was_cut && !was_marked {
            self.unmark();
        }
        Ok(Some(time))
    }

    #[cold]
    fn in_configured_zone(self, text: &str) -> Option<(Micros, bool)> {
        let zone = self.doc.zone?;
        let local = Micros::parse_naive(text)?;
        Micros::cut(zone.to_ambiguous_timestamp(local).compatible().ok()?)
    }

    /// A number of units since 1970, a unit being so many microseconds.
    fn read_epoch(self, unit: i64) -> Result<Option<Micros>, Reject> {
        let was_marked = self.is_marked();
        let Some(text) = self.read_any_text()? else { return Ok(None) };
        let micros = Decimal::parse(&text).ok().and_then(|number| number.units().checked_mul(unit.into()));
        let Some(billionths) = micros else { return Err(self.refuse(Code::TimeInvalid)) };
        let (micros, rest) = (billionths.div_euclid(1_000_000_000), billionths.rem_euclid(1_000_000_000));
        if rest != 0 && !was_marked {
            self.unmark();
        }
        let time = i64::try_from(micros).ok().and_then(Micros::in_range);
        time.map(Some).ok_or_else(|| self.refuse(Code::TimeInvalid))
    }

    /// The text under a key as [`Node::text`] gives it, without reading it.
    pub fn look(self, key: &'static str) -> Result<Option<Text<'a>>, Reject> {
        let node = self.value(key)?;
        if node.is_nowhere() {
            return Ok(None);
        }
        let was_marked = node.is_marked();
        let text = node.read_text()?;
        if !was_marked {
            node.unmark();
        }
        Ok(text)
    }

    /// The text or number under a key, without reading it: to know what kind of body this is, or what an id stands for.
    /// What is neither is no text.
    pub fn peek(self, key: &'static str) -> Option<Text<'a>> {
        self.look(key).ok().flatten()
    }

    /// The text of a scalar: of a string its text, of a number or boolean its JSON text; nothing if it is null.
    pub fn read_leaf_text(self) -> Result<Option<Text<'a>>, Reject> {
        match self.slot().kind {
            Kind::True | Kind::False => {
                Ok(self.read_boolean()?.map(|value| Text::Borrowed(if value { "true" } else { "false" })))
            }
            _ => self.read_text(),
        }
    }

    /// Whether this is a text that is not given out: see [`Node::read_text`].
    pub fn is_hidden(self) -> bool {
        self.is_text() && self.doc.hides_secret(self.slot(), self.name())
    }

    /// The key that it stands under.
    #[cold]
    fn name(self) -> &'a str {
        self.doc.key(&self.doc.slots[self.named as usize])
    }

    /// Tells of a word that is not in its list, or a form that cannot be read: it is drift.
    #[cold]
    pub fn tell_odd(self) {
        let mut odd = self.doc.odd.borrow_mut();
        if odd.len() < MOST_ODD && !odd.contains(&self.index) {
            odd.push(self.index);
        }
    }

    /// Passes over this value: a rule that the caller names drops it.
    pub fn skip(self) {
        if !self.is_nowhere() {
            self.mark_all();
        }
    }

    /// Marks this value and all that lies below it.
    fn mark_all(self) {
        self.mark();
        let slot = self.slot();
        if slot.kind.is_container() {
            for index in slot.at..slot.at + slot.len {
                Node::new(self.doc, index).mark_all();
            }
        }
    }

    #[inline(always)]
    fn mark(self) {
        self.doc.mark(self.index);
    }

    fn is_marked(self) -> bool {
        self.doc.is_marked(self.index as usize)
    }

    fn unmark(self) {
        let word = &self.doc.marks[self.index as usize / 64];
        word.set(word.get() & !(1 << (self.index % 64)));
    }

    #[cold]
    #[inline(never)]
    pub fn refuse(self, code: Code) -> Reject {
        Reject { code, place: if self.is_nowhere() { Place::Whole } else { Place::Node(self.index) } }
    }

    /// Refuses for a key that is not there, or has what is not given out, which no required field can be.
    #[cold]
    #[inline(never)]
    pub fn missing(self, key: &'static str, code: Code) -> Reject {
        match self.value(key) {
            Ok(node) if node.is_hidden() => return node.refuse(Code::FieldType),
            _ => {}
        }
        Reject { code, place: if self.is_nowhere() { Place::Whole } else { Place::Absent(self.index, key) } }
    }

    /// The n-th child of this container.
    pub(super) fn nth(self, nth: usize) -> Node<'a> {
        Node::new(self.doc, self.slot().at + nth as u32)
    }

    /// A place that stands under its own key.
    #[inline(always)]
    fn new(doc: &'a Doc<'a>, index: u32) -> Node<'a> {
        Node { doc, index, named: index }
    }

    pub(super) fn doc(self) -> &'a Doc<'a> {
        self.doc
    }

    pub(super) fn index(self) -> usize {
        self.index as usize
    }

    #[inline(always)]
    pub(super) fn slot(self) -> &'a Slot {
        &self.doc.slots[self.index as usize]
    }

    #[inline(always)]
    fn nowhere(self) -> Node<'a> {
        Node::new(self.doc, NOWHERE)
    }

    /// The child under the first of `keys` that is there, unless it is null. A null counts as read.
    #[inline(always)]
    fn find(self, keys: impl Keys) -> Result<Option<Node<'a>>, Reject> {
        if self.is_nowhere() {
            return Ok(None);
        }
        let object = self.slot();
        if object.kind != Kind::Object {
            return Err(self.refuse(Code::FieldType));
        }
        let Some(index) = keys.position(self.doc, object) else { return Ok(None) };
        if self.doc.slots[index as usize].kind == Kind::Null {
            self.doc.mark(index);
            return Ok(None);
        }
        Ok(Some(Node::new(self.doc, index)))
    }
}

/// A decimal text that is a whole number.
#[cold]
fn whole(text: &str) -> Option<i64> {
    const ONE: i128 = 1_000_000_000;
    let units = Decimal::parse(text).ok()?.units();
    (units % ONE == 0).then(|| i64::try_from(units / ONE).ok()).flatten()
}
