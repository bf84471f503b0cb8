//! What senders do over and over: their programs write the keys of their objects in one order. So every object that was seen is
//! remembered by its keys, in their order, as a way through a tree: a key that came after these keys before is compared with
//! what stands there, and only what is different is read letter by letter. The end of the way is the object's shape. Two
//! objects of one shape have the same keys in the same order and lie at the same place in their bodies, so that whatever
//! follows from that alone can be remembered by the shape. It can change how long the reading takes and never what is
//! read. Knows no vendor.

use super::tape::is_same;

/// How many keys are remembered, each behind those before it. Once there are so many, all are forgotten at the next body.
const KEYS: usize = 8192;

/// Of the table in which keys are looked up.
const PLACES: usize = 4 * KEYS;

/// The keys that an object has so far, in their order, and where it lies: the end of a way through the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shape(u16);

impl Shape {
    /// Nothing is known of it.
    pub const NONE: Shape = Shape(0);
    /// Of a body that is an object, and of an element of one that is a list: with no key yet.
    pub const BODY: Shape = Shape(1);
    pub const ELEMENT: Shape = Shape(2);

    #[inline(always)]
    pub fn is_known(self) -> bool {
        self.0 != 0
    }

    /// Less than [`KEYS`].
    #[inline(always)]
    pub fn number(self) -> u16 {
        self.0
    }
}

/// A key as it stood in a body, from its first quote to where its value began, behind the keys that stood before it.
#[derive(Clone, Copy, Default)]
struct Known {
    /// Where in `texts`.
    at: u32,
    /// The key's own, not that of the way to it.
    tag: u32,
    /// Of the text; 0: this is a beginning and no key.
    text_len: u8,
    key_len: u8,
    /// How many keys it makes.
    width: u8,
    before: Shape,
    /// What came after it last time, and what came last that was different.
    next: [Due; 2],
    /// The beginnings of what may stand under it: of an object, and of an element of a list.
    object: Shape,
    element: Shape,
}

/// A key that is due, and the shape with it.
#[derive(Clone, Copy, Default)]
pub struct Due {
    pub shape: Shape,
    /// Of the text; 0: there is none.
    pub text_len: u8,
    pub key_len: u8,
    pub tag: u32,
    /// Where in `texts`.
    at: u32,
}

pub struct Shapes {
    known: Vec<Known>,
    /// The texts of the keys, one behind the other.
    texts: Vec<u8>,
    /// Where in `known` the keys are, by their tags and what they come after: one that finds its place taken has the next
    /// free one.
    by_key: Box<[Shape; PLACES]>,
    /// How often all was forgotten.
    generation: u32,
}

impl Default for Shapes {
    fn default() -> Self {
        let mut shapes =
            Shapes { known: Vec::new(), texts: Vec::new(), by_key: Box::new([Shape::NONE; PLACES]), generation: 0 };
        shapes.forget();
        shapes
    }
}

impl Shapes {
    fn forget(&mut self) {
        self.known.clear();
        // Nothing, and the two beginnings.
        self.known.resize(3, Known::default());
        self.texts.clear();
        self.by_key.fill(Shape::NONE);
        self.generation = self.generation.wrapping_add(1);
    }

    /// A new body. Shapes that were given out before may be forgotten by now: then the generation is another.
    pub fn begin(&mut self) {
        if self.known.len() >= KEYS {
            self.forget();
        }
    }

    pub fn generation(&self) -> u32 {
        self.generation
    }

    #[inline(always)]
    fn get(&self, shape: Shape) -> Option<&Known> {
        self.known.get(usize::from(shape.0))
    }

    /// The key that is due, if it is what `rest` begins with.
    #[inline(always)]
    pub fn next(&self, before: Shape, rest: &[u8]) -> Option<Due> {
        let [first, second] = &self.get(before)?.next;
        [first, second].into_iter().find(|due| self.is_at(due, rest)).copied()
    }

    #[inline(always)]
    fn is_at(&self, due: &Due, rest: &[u8]) -> bool {
        let (start, len) = (due.at as usize, usize::from(due.text_len));
        let text = self.texts.get(start..start + len);
        len > 0 && text.zip(rest.get(..len)).is_some_and(|(text, rest)| is_same(text, rest))
    }

    /// Another key came: `text` from its first quote to its value, the key's own length and tag. The shape with it, if that was
    /// there before; it becomes what is due.
    pub fn find(&mut self, before: Shape, text: &[u8], key_len: usize, tag: u32) -> Option<Shape> {
        if !before.is_known() || text.len() > usize::from(u8::MAX) {
            return None;
        }
        let mut place = place(before, tag);
        loop {
            let shape = *self.by_key.get(place)?;
            let known = *self.get(shape).filter(|_| shape.is_known())?;
            let is_here = known.before == before && known.tag == tag && usize::from(known.key_len) == key_len;
            let its_text = self.texts.get(known.at as usize..)?.get(..usize::from(known.text_len))?;
            if is_here && its_text == text {
                self.expect(before, shape);
                return Some(shape);
            }
            place = (place + 1) % PLACES;
        }
    }

    /// The same for a key that was not there before. It must be none of those that the object has. `NONE` where there is no
    /// room to remember it, or nothing is known of what it comes after.
    pub fn add(&mut self, before: Shape, text: &[u8], key_len: usize, tag: u32) -> Shape {
        let lens = (u8::try_from(text.len()), u8::try_from(key_len));
        let (Ok(text_len), Ok(key_len)) = lens else { return Shape::NONE };
        let width = self.get(before).and_then(|known| known.width.checked_add(1));
        let Some(width) = width.filter(|_| before.is_known() && self.known.len() < KEYS) else { return Shape::NONE };
        let shape = Shape(self.known.len() as u16);
        let at = self.texts.len() as u32;
        self.texts.extend_from_slice(text);
        self.known.push(Known { at, tag, text_len, key_len, width, before, ..Known::default() });
        let mut place = place(before, tag);
        while self.by_key[place].is_known() {
            place = (place + 1) % PLACES;
        }
        self.by_key[place] = shape;
        self.expect(before, shape);
        shape
    }

    fn expect(&mut self, before: Shape, shape: Shape) {
        let Known { at, tag, text_len, key_len, .. } = self.known[usize::from(shape.0)];
        let next = &mut self.known[usize::from(before.0)].next;
        if next[0].shape != shape {
            *next = [Due { shape, text_len, key_len, tag, at }, next[0]];
        }
    }

    /// An object under the key that comes last in this shape.
    #[inline(always)]
    pub fn object(&mut self, under: Shape) -> Shape {
        match self.get(under) {
            Some(known) if known.object.is_known() => known.object,
            _ => self.begin_below(under, |known| &mut known.object),
        }
    }

    /// An object in a list under that key.
    #[inline(always)]
    pub fn element(&mut self, under: Shape) -> Shape {
        match self.get(under) {
            Some(known) if known.element.is_known() => known.element,
            _ => self.begin_below(under, |known| &mut known.element),
        }
    }

    #[cold]
    #[inline(never)]
    fn begin_below(&mut self, under: Shape, slot: fn(&mut Known) -> &mut Shape) -> Shape {
        if !under.is_known() || self.known.len() >= KEYS {
            return Shape::NONE;
        }
        let shape = Shape(self.known.len() as u16);
        self.known.push(Known { before: under, ..Known::default() });
        *slot(&mut self.known[usize::from(under.0)]) = shape;
        shape
    }
}

/// Where in the table a key is looked for first.
fn place(before: Shape, tag: u32) -> usize {
    (u32::from(before.0).wrapping_mul(0x9e37_79b1) ^ tag.wrapping_mul(0x85eb_ca6b)) as usize >> 7 & (PLACES - 1)
}
