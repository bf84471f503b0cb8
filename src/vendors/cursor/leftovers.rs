//! What nobody read: by its topmost node, as compact JSON, less what the rules drop. Knows no vendor.

use super::hidden::{begins_like_json, opens_document};
use super::node::{Doc, Node, push_escaped};
use super::plans::{Case, Plans, Step};
use super::rules::Why;
use super::shapes::Shape;
use super::tape::{Kind, Slot, tag};
use super::tokenize::unescape;
use crate::canonical::{ExtensionsBuffer, PiiClass, Privacy, Treatment};
use crate::reject::Reject;
use crate::vendors::documents::{Below, Body, Documents, Here, Types};
use std::fmt::Write;
use std::sync::LazyLock;

/// What becomes of that which has no canonical field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Extensions {
    /// It is all kept.
    #[default]
    Full,
    /// Only what no page documents, or documents otherwise.
    Drift,
    /// Nothing is kept.
    Off,
}

/// How that is kept which nobody read.
#[derive(Clone, Copy)]
pub struct Keeping<'k> {
    /// What the vendor documents of such a body. Without it nothing is known, and nothing is drift.
    pub body: Option<Body<'static>>,
    pub extensions: Extensions,
    /// Without it everything passes.
    pub privacy: Option<&'k Privacy>,
}

/// What became of a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The mapping read it.
    Read,
    /// It is in `extensions`, in the entry of the node at this place on the tape.
    Kept(u32),
    Dropped(Why),
}

/// In which way a body is not as its page says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Oddity {
    /// A place that no page knows.
    NewPath,
    /// A place that is known, with a JSON type that is not.
    TypeChange,
    /// A word that is not in the list, or a form that cannot be read.
    NewValue,
}

/// A place among the children of a shape. Whatever stands at one spot has one pointer, but for the places in lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Spot {
    shape: Shape,
    nth: u32,
}

/// Somebody who wants to know what is found on the way. The places are those on the tape.
pub trait Watch {
    /// Whether each leaf is to be told of. It costs more than the rest of the way.
    const EACH_LEAF: bool = false;

    fn leaf(&mut self, _leaf: u32, _fate: Fate) {}

    fn odd(&mut self, _oddity: Oddity, _node: u32, _spot: Option<Spot>) {}
}

/// Nobody.
pub struct Nobody;

impl Watch for Nobody {}

impl Node<'_> {
    /// Puts into `out` every node below this one of which nothing was read, by its pointer from here on. Refuses where
    /// the pointers would become far larger than the body.
    pub fn leftovers(
        self,
        keeping: Keeping<'_>,
        pointer: &mut String,
        out: &mut ExtensionsBuffer,
        watch: &mut impl Watch,
    ) -> Result<(), Reject> {
        let (doc, slot) = (self.doc(), self.slot());
        if slot.kind.is_container() && slot.len > 0 {
            let known = keeping.body.map_or(ANYTHING, |body| Known { here: body.here(), is_said: false });
            let place = Place { index: self.index() as u32, name: "", known };
            let plans = &mut *doc.plans.borrow_mut();
            let start = doc.run_start(self);
            let mut walk = Walk { doc, keeping, plans, pointer, pointed: None, watch: &mut *watch };
            walk.part(self, start, place, None, out)?;
        }
        doc.odd.borrow().iter().for_each(|&node| watch.odd(Oddity::NewValue, node, None));
        Ok(())
    }

    /// Whether a rule drops what stands under `name`, whichever object that is in: for names that are data. Of `a.b` it
    /// is also asked what `b` would be under `a`.
    pub fn is_dropped_as(self, name: &str) -> bool {
        let is_closed = |key: &str, under: &str| self.doc().rules.closes(tag(key.as_bytes()), key, under);
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
        let (doc, keeping, plans) = (self.doc(), Keeping::EVERYTHING, &mut Plans::default());
        let pointer = &mut String::new();
        let mut walk = Walk { doc, keeping, plans, pointer, pointed: None, watch: &mut Nobody };
        let place = Place { index: self.index() as u32, name: last_step(name), known: ANYTHING };
        let written = walk.json(self.slot(), place, place.index, &mut out);
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

    /// As it stands in the body, a text with its quotes.
    fn write_scalar(&self, slot: &Slot, out: &mut String) {
        out.push_str(match slot.kind {
            Kind::Null => "null",
            Kind::True => "true",
            Kind::False => "false",
            Kind::Plain | Kind::Escaped => &self.body[slot.at as usize - 1..][..slot.len as usize + 2],
            _ => self.text(slot),
        });
    }

    /// Whether a text is a document, as far as its beginning tells. Some senders escape every letter that is not ASCII,
    /// which makes no document of a text.
    fn is_document(&self, slot: &Slot) -> bool {
        let text = self.text(slot);
        begins_like_json(text) && (slot.kind != Kind::Escaped || opens_document(&unescape(text)))
    }
}

/// What is known of a place from its page.
#[derive(Clone, Copy)]
struct Known {
    here: Here<'static>,
    /// Whether it was told of as drift, or what it lies in was.
    is_said: bool,
}

/// Where no page says anything.
const ANYTHING: Known = Known { here: Here::Open(None), is_said: false };

/// A place in the body.
#[derive(Clone, Copy)]
struct Place<'b> {
    /// Its place on the tape.
    index: u32,
    /// The key that it stands under, or of an element the list.
    name: &'b str,
    known: Known,
}

/// The way to a container, for what is kept of it: few are, so that no pointer is written before it is needed.
struct Trail<'t> {
    up: Option<&'t Trail<'t>>,
    parent: Kind,
    child: &'t Slot,
    nth: usize,
}

impl Trail<'_> {
    fn write(&self, doc: &Doc<'_>, pointer: &mut String) {
        if let Some(up) = self.up {
            up.write(doc, pointer);
        }
        self.write_step(doc, pointer);
    }

    fn write_step(&self, doc: &Doc<'_>, pointer: &mut String) {
        pointer.push('/');
        if self.parent == Kind::Object {
            push_escaped(pointer, doc.key(self.child));
        } else if self.nth < 10 {
            pointer.push((b'0' + self.nth as u8) as char);
        } else {
            let _ = write!(pointer, "{}", self.nth);
        }
    }
}

/// On the way through what was left over.
struct Walk<'w, 'a, W> {
    doc: &'w Doc<'a>,
    keeping: Keeping<'w>,
    plans: &'w mut Plans,
    pointer: &'w mut String,
    /// Whose child `pointer` leads to, by its place on the tape, and how much of it is the way there. Children that are kept
    /// often stand side by side.
    pointed: Option<(usize, usize)>,
    watch: &'w mut W,
}

impl<'w, 'a, W: Watch> Walk<'w, 'a, W> {
    /// Through a container of which something may have been read. `start` is where its run begins: the runs of its children
    /// follow each other, and then come the children themselves.
    fn part(
        &mut self,
        node: Node<'_>,
        mut start: usize,
        place: Place<'_>,
        up: Option<&Trail<'_>>,
        out: &mut ExtensionsBuffer,
    ) -> Result<(), Reject> {
        let (parent, doc) = (node.slot(), self.doc);
        let first = parent.at as usize;
        let mut way = self.way(parent, place);
        let children = &doc.slots[first..][..parent.len as usize];
        let mut next = 0;
        loop {
            let nth = next + self.count_over(&way, &children[next..], first + next);
            let Some(child) = children.get(nth) else { return Ok(()) };
            next = nth + 1;
            let index = (first + nth) as u32;
            if !child.kind.is_container() {
                let is_read = doc.is_marked(first + nth);
                let step = self.step(&mut way, child, nth, is_read);
                let known = self.known(&way, step, child, index, is_read);
                if is_read && !W::EACH_LEAF {
                    continue;
                }
                let here = Place { index, name: way.name_of(doc, child), known };
                match self.fate(child, here, is_read, step.why) {
                    Ok(treatment) => {
                        self.point(node, Trail { up, parent: parent.kind, child, nth })?;
                        let pointer = &*self.pointer;
                        let text =
                            |text: &mut String| self.keeping.write_scalar(doc, child, here.name, treatment, text);
                        out.push_if(|to| to.push_str(pointer), text);
                        self.watch.leaf(index, Fate::Kept(index));
                    }
                    Err(fate) => self.watch.leaf(index, fate),
                }
            } else if child.len > 0 {
                let end = (child.at + child.len) as usize;
                let is_read = doc.is_any_marked(start, end);
                let step = self.step(&mut way, child, nth, false);
                let known = self.known(&way, step, child, index, is_read);
                let here = Place { index, name: way.name_of(doc, child), known };
                let trail = Trail { up, parent: parent.kind, child, nth };
                match step.why {
                    Some(why) => self.dropped(child, why),
                    None if is_read => self.part(node.nth(nth), start, here, Some(&trail), out)?,
                    None => {
                        self.point(node, trail)?;
                        // The pointer comes first in the buffer, and is not needed below.
                        let pointer = std::mem::take(self.pointer);
                        out.push_if(|to| to.push_str(&pointer), |text| self.json(child, here, index, text));
                        *self.pointer = pointer;
                    }
                }
                start = end;
            }
        }
    }

    /// How many of these children come before the next that needs a look: a leaf that is as its page says and is not kept needs
    /// none. The first is at `index` on the tape.
    #[inline(always)]
    fn count_over(&self, way: &Way<'_>, children: &[Slot], index: usize) -> usize {
        let Ahead::Plan(start) = way.below else { return 0 };
        if W::EACH_LEAF {
            return 0;
        }
        let over = self.plans.over(start + index - way.first);
        let mut marks = 0;
        for (nth, (child, over)) in children.iter().zip(over).enumerate() {
            if nth % 64 == 0 {
                marks = self.doc.marks_from(index + nth);
            }
            if !over.is(child.kind, marks & 1 == 1) {
                return nth;
            }
            marks >>= 1;
        }
        children.len().min(over.len())
    }

    /// Writes the pointer to what is kept below `node`.
    fn point(&mut self, node: Node<'_>, trail: Trail<'_>) -> Result<(), Reject> {
        match self.pointed {
            Some((parent, way)) if parent == node.index() => self.pointer.truncate(way),
            _ => {
                self.pointer.clear();
                trail.up.iter().for_each(|up| up.write(self.doc, self.pointer));
                self.pointed = Some((node.index(), self.pointer.len()));
            }
        }
        trail.write_step(self.doc, self.pointer);
        node.spend(self.pointer.len())
    }

    /// Writes a value of which nothing was read as compact JSON, less what is dropped, and says whether anything was left
    /// to write. In an object, nulls and what is empty are left out; in a list they hold the place of the others.
    fn json(&mut self, slot: &Slot, place: Place<'_>, top: u32, out: &mut String) -> bool {
        let doc = self.doc;
        let before = out.len();
        let children = match slot.kind.is_container() {
            true => &doc.slots[slot.at as usize..][..slot.len as usize],
            false => {
                let fate = self.fate(slot, place, false, None);
                self.watch.leaf(place.index, fate.map_or_else(|fate| fate, |_| Fate::Kept(top)));
                return match fate {
                    Ok(treatment) => self.keeping.write_scalar(doc, slot, place.name, treatment, out),
                    Err(_) => false,
                };
            }
        };
        let mut way = self.way(slot, place);
        let mut is_kept = false;
        out.push(if slot.kind == Kind::Object { '{' } else { '[' });
        for (nth, child) in children.iter().enumerate() {
            let index = slot.at + nth as u32;
            let step = self.step(&mut way, child, nth, false);
            let known = self.known(&way, step, child, index, false);
            let here = Place { index, name: way.name_of(doc, child), known };
            let separator = out.len();
            if separator > before + 1 {
                out.push(',');
            }
            if slot.kind == Kind::Array {
                match self.json(child, here, top, out) {
                    true => is_kept = true,
                    false => out.push_str("null"),
                }
                continue;
            }
            if let Some(why) = step.why {
                self.dropped_at(child, index, why);
                out.truncate(separator);
                continue;
            }
            write_key(here.name, child.key_in_arena, out);
            match self.json(child, here, top, out) {
                true => is_kept = true,
                false => out.truncate(separator),
            }
        }
        out.push(if slot.kind == Kind::Object { '}' } else { ']' });
        if !is_kept {
            out.truncate(before);
        }
        is_kept
    }

    /// The way down from a container.
    fn way<'b>(&mut self, parent: &Slot, place: Place<'b>) -> Way<'b> {
        let is_list = parent.kind == Kind::Array;
        let documents = self.keeping.documents();
        let below = || documents.below(place.known.here, is_list);
        // The names of what lies under a name are the same wherever that is a shape.
        let case = Case::of(self.keeping.body, self.doc.rules.number, parent.shape);
        let plan = case.and_then(|case| match self.plans.find(case) {
            None => self.plan(case, below(), parent, place.name),
            found => found,
        });
        let below = plan.map_or_else(|| Ahead::Page(below()), Ahead::Plan);
        Way { place, is_list, shape: parent.shape, below, first: parent.at as usize }
    }

    #[cold]
    #[inline(never)]
    fn plan(&mut self, case: Case, mut below: Below<'static>, parent: &Slot, name: &str) -> Option<usize> {
        let doc = self.doc;
        let children = &doc.slots[parent.at as usize..][..parent.len as usize];
        let steps = children.iter().map(|child| {
            let here = below.next(child.tag, doc.key_bytes(child));
            let usual = Kind::ALL.into_iter().fold(0, |bits, kind| bits | usual(here, kind));
            Step { here, why: doc.rules.cover(child.tag, doc.key(child), name), usual }
        });
        self.plans.add(case, steps)
    }

    /// What is known of the next child by its key. Of one that is read no rule is sought unless it must be.
    #[inline(always)]
    fn step(&self, way: &mut Way<'_>, child: &Slot, nth: usize, is_read: bool) -> Step {
        match &mut way.below {
            Ahead::Plan(start) => self.plans.step(*start + nth).unwrap_or(NO_STEP),
            Ahead::Page(below) => {
                let here = below.next(child.tag, self.doc.key_bytes(child));
                let is_ruled = !way.is_list && (!is_read || W::EACH_LEAF);
                let why = match is_ruled {
                    true => self.doc.rules.cover(child.tag, self.doc.key(child), way.place.name),
                    false => None,
                };
                Step { here, why, usual: usual(here, child.kind) }
            }
        }
    }

    /// What is known of the next child, which is told of if its page does not know it so.
    #[inline(always)]
    fn known(&mut self, way: &Way<'_>, step: Step, child: &Slot, index: u32, is_read: bool) -> Known {
        let (here, is_said) = (step.here, way.place.known.is_said);
        let says_nothing = child.kind == Kind::Null || child.kind.is_container() && child.len == 0;
        match here {
            _ if says_nothing || is_usual(step, child.kind) => Known { here, is_said },
            Here::At(_, class) => {
                self.watch.odd(Oddity::TypeChange, index, way.spot(index));
                Known { here: Here::Open(class.or(Some(PiiClass::Undocumented))), is_said: true }
            }
            Here::Undocumented if !is_read => {
                if !is_said {
                    self.watch.odd(Oddity::NewPath, index, way.spot(index));
                }
                Known { here, is_said: true }
            }
            here => Known { here, is_said },
        }
    }

    /// What becomes of a leaf: how it is to be written, or why it is not. `why` is the rule that drops it.
    #[inline]
    fn fate(&self, leaf: &Slot, place: Place<'_>, is_read: bool, why: Option<Why>) -> Result<Treatment, Fate> {
        if is_read {
            // What the mapping read goes by its field's class, which is that of its place.
            return Err(match self.keeping.treatment(place.known.here.class()) {
                Treatment::Drop => Fate::Dropped(Why::Privacy),
                _ if self.is_passed_over(leaf, place.name) => Fate::Dropped(Why::Secret),
                _ => Fate::Read,
            });
        }
        if leaf.kind == Kind::Null {
            return Err(Fate::Dropped(Why::Structural));
        }
        if let Some(why) = why {
            return Err(Fate::Dropped(why));
        }
        if leaf.kind.is_text() && self.doc.hides_secret(leaf, place.name) {
            return Err(Fate::Dropped(Why::Secret));
        }
        let is_kept = match self.keeping.extensions {
            Extensions::Full => true,
            Extensions::Drift => {
                place.known.is_said || place.known.here.is_undocumented() || self.doc.is_odd(place.index)
            }
            Extensions::Off => false,
        };
        if !is_kept {
            return Err(Fate::Dropped(Why::Configured));
        }
        let by_page = self.keeping.treatment(place.known.here.class());
        // A document in a text is no page's, nor is what stands where a page has another type: the stricter rule holds.
        let undocumented = self.keeping.treatment(Some(PiiClass::Undocumented));
        let is_nobodys = || place.known.is_said || leaf.kind.is_text() && self.doc.is_document(leaf);
        match if undocumented > by_page && is_nobodys() { undocumented } else { by_page } {
            Treatment::Drop => Err(Fate::Dropped(Why::Privacy)),
            Treatment::Hash if !leaf.kind.is_text() => Err(Fate::Dropped(Why::Privacy)),
            treatment => Ok(treatment),
        }
    }

    /// Whether a leaf that counts as read was not: of a text that hides a secret nobody is given anything.
    fn is_passed_over(&self, leaf: &Slot, name: &str) -> bool {
        leaf.kind.is_text() && self.doc.hides_secret(leaf, name)
    }

    /// Tells of all that lies below a container that a rule drops.
    fn dropped(&mut self, slot: &Slot, why: Why) {
        if !W::EACH_LEAF {
            return;
        }
        for index in slot.at..slot.at + slot.len {
            self.dropped_at(&self.doc.slots[index as usize], index, why);
        }
    }

    fn dropped_at(&mut self, slot: &Slot, index: u32, why: Why) {
        match slot.kind {
            _ if !W::EACH_LEAF => {}
            kind if kind.is_container() => self.dropped(slot, why),
            _ if self.doc.is_marked(index as usize) && !self.is_passed_over(slot, self.doc.key(slot)) => {
                self.watch.leaf(index, Fate::Read);
            }
            _ => self.watch.leaf(index, Fate::Dropped(why)),
        }
    }
}

/// The way from a container to its children, one after the other.
struct Way<'b> {
    place: Place<'b>,
    is_list: bool,
    shape: Shape,
    /// The place of the first child on the tape.
    first: usize,
    below: Ahead,
}

/// Where is said what is known of the children.
enum Ahead {
    Page(Below<'static>),
    /// A plan, which begins there.
    Plan(usize),
}

/// Of a child that no plan has, which cannot be.
const NO_STEP: Step = Step { here: Here::Open(None), why: None, usual: 0 };

/// One bit for a kind if it is as the page says. Null may stand everywhere.
#[inline(always)]
fn usual(here: Here<'_>, kind: Kind) -> u8 {
    let is_usual = match here {
        _ if kind == Kind::Null => true,
        Here::At(place, _) => place.types.holds(types(kind)),
        Here::Open(_) => true,
        Here::Undocumented => false,
    };
    u8::from(is_usual) << kind as u8
}

#[inline(always)]
fn is_usual(step: Step, kind: Kind) -> bool {
    step.usual >> kind as u8 & 1 == 1
}

impl<'b> Way<'b> {
    /// The key that a child stands under: an element has that of its list.
    #[inline(always)]
    fn name_of<'a: 'b>(&self, doc: &Doc<'a>, child: &Slot) -> &'b str {
        if self.is_list { self.place.name } else { doc.key(child) }
    }

    /// Of the child at this place on the tape; none where what it stands in has no shape.
    fn spot(&self, index: u32) -> Option<Spot> {
        self.shape.is_known().then(|| Spot { shape: self.shape, nth: index - self.first as u32 })
    }
}

impl Keeping<'_> {
    /// All of a body of which no page says anything.
    pub const EVERYTHING: Keeping<'static> = Keeping { body: None, extensions: Extensions::Full, privacy: None };

    fn documents(&self) -> &'static Documents {
        static NOTHING: LazyLock<Documents> = LazyLock::new(Documents::default);
        self.body.map_or(&NOTHING, |body| body.documents)
    }

    fn treatment(&self, class: Option<PiiClass>) -> Treatment {
        match (self.privacy, class) {
            (Some(privacy), Some(class)) => privacy.of(class),
            _ => Treatment::Pass,
        }
    }

    /// As it stands in the body, a text with its quotes; or its hash. True.
    fn write_scalar(&self, doc: &Doc<'_>, slot: &Slot, name: &str, treatment: Treatment, out: &mut String) -> bool {
        match (treatment, self.privacy) {
            (Treatment::Hash, Some(privacy)) => {
                let text = doc.text(slot);
                let is_email = name.to_ascii_lowercase().ends_with("email");
                let hash = match slot.kind {
                    Kind::Escaped => privacy.hash(&unescape(text), is_email),
                    _ => privacy.hash(text, is_email),
                };
                out.extend(["\"", &hash, "\""]);
            }
            _ => doc.write_scalar(slot, out),
        }
        true
    }
}

#[inline(always)]
fn types(kind: Kind) -> Types {
    /// In the order of [`Kind`].
    const OF: [Types; 8] = [
        Types::NOTHING,
        Types::BOOLEAN,
        Types::BOOLEAN,
        Types::NUMBER,
        Types::TEXT,
        Types::TEXT,
        Types::LIST,
        Types::OBJECT,
    ];
    OF[kind as usize]
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
