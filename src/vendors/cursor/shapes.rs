//! What senders do over and over: their programs write the keys of their objects in one order. So every object that was seen is
//! remembered by its keys, in their order, as a way through a tree: a key that came after these keys before is compared with
//! what stands there, and only what is different is read letter by letter. The end of the way is the object's shape. Two
//! objects of one shape have the same keys in the same order and lie at the same place in their bodies, so that whatever
//! follows from that alone can be remembered by the shape. It can change how long the reading takes and never what is
//! read. Knows no vendor.

use super::tape::is_same;
use wide::u8x16;

/// How many keys are remembered, each behind those before it. Once there are so many, all are forgotten at the next body.
const KEYS: usize = 8192;

/// Of the table in which keys are looked up.
const PLACES: usize = 4 * KEYS;

/// How many places a key is looked for in. Who writes keys that all want the same place gets no further: more of them are not
/// remembered.
const PROBES: usize = 16;

/// The keys that an object has so far, in their order, and where it lies: the end of a way through the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
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
    /// What came after it last that was not what is [`Ahead`].
    other: Guess,
}

/// What comes after a key, and what lies under it.
#[derive(Clone, Copy, Default)]
struct Ahead {
    /// What came last.
    next: Guess,
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
}

/// How many bytes of its text stand beside a key that may be due: nearly all have no more.
const HEAD: usize = 32;

/// What may be due, and by what to know it.
#[derive(Clone, Copy, Default)]
struct Guess {
    due: Due,
    /// Where in `texts`.
    at: u32,
    /// How the text begins.
    head: [u8; HEAD],
}

/// How many of their first bytes two texts have in common.
#[inline(always)]
fn alike(one: &[u8; HEAD], other: &[u8; HEAD]) -> usize {
    let same = |at: usize| {
        let half = |text: &[u8; HEAD]| text[at..].first_chunk::<16>().copied().map(u8x16::new).unwrap_or_default();
        half(one).simd_eq(half(other)).to_bitmask()
    };
    (!(u64::from(same(0)) | u64::from(same(16)) << 16)).trailing_zeros() as usize
}

pub struct Shapes {
    known: Vec<Known>,
    /// Beside each, so that what nearly every key needs lies close together.
    ahead: Vec<Ahead>,
    /// The texts of the keys, one behind the other.
    texts: Vec<u8>,
    /// Where in `known` the keys are, by their tags and what they come after: one that finds its place taken has the next
    /// free one. It is empty where nothing is remembered.
    by_key: Vec<Shape>,
    /// How often all was forgotten.
    generation: u32,
}

impl Default for Shapes {
    fn default() -> Self {
        let mut shapes = Shapes { by_key: vec![Shape::NONE; PLACES], ..Shapes::forgetful() };
        shapes.forget();
        shapes
    }
}

impl Shapes {
    /// Remembers nothing: for what is read once.
    pub fn forgetful() -> Shapes {
        Shapes { known: Vec::new(), ahead: Vec::new(), texts: Vec::new(), by_key: Vec::new(), generation: 0 }
    }

    fn forget(&mut self) {
        self.known.clear();
        // Nothing, and the two beginnings.
        self.known.resize(3, Known::default());
        self.ahead.clear();
        self.ahead.resize(3, Ahead::default());
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

    #[inline(always)]
    fn ahead(&self, shape: Shape) -> Option<&Ahead> {
        self.ahead.get(usize::from(shape.0))
    }

    /// The key that is due, if it is what `rest` begins with.
    #[inline(always)]
    pub fn next(&self, before: Shape, rest: &[u8]) -> Option<Due> {
        let next = &self.ahead(before)?.next;
        if self.is_at(next, rest) {
            return Some(next.due);
        }
        let other = &self.get(before)?.other;
        self.is_at(other, rest).then_some(other.due)
    }

    #[inline(always)]
    fn is_at(&self, guess: &Guess, rest: &[u8]) -> bool {
        let len = usize::from(guess.due.text_len);
        match rest.first_chunk() {
            Some(here) if len <= HEAD => len > 0 && alike(&guess.head, here) >= len,
            _ => self.is_far(guess, rest),
        }
    }

    /// The same of a long text, or near the end of the body.
    #[inline(never)]
    fn is_far(&self, guess: &Guess, rest: &[u8]) -> bool {
        let (start, len) = (guess.at as usize, usize::from(guess.due.text_len));
        let text = self.texts.get(start..start + len);
        len > 0 && text.zip(rest.get(..len)).is_some_and(|(text, rest)| is_same(text, rest))
    }

    /// Another key came: `text` from its first quote to its value, the key's own length and tag. The shape with it, if that was
    /// there before; it becomes what is due.
    pub fn find(&mut self, before: Shape, text: &[u8], key_len: usize, tag: u32) -> Option<Shape> {
        if !before.is_known() || text.len() > usize::from(u8::MAX) {
            return None;
        }
        for place in places(before, tag) {
            let shape = *self.by_key.get(place).filter(|shape| shape.is_known())?;
            let known = *self.get(shape)?;
            let is_here = known.before == before && known.tag == tag && usize::from(known.key_len) == key_len;
            let its_text = self.texts.get(known.at as usize..)?.get(..usize::from(known.text_len))?;
            if is_here && its_text == text {
                self.make_due(before, shape);
                return Some(shape);
            }
        }
        None
    }

    /// The same for a key that was not there before. It must be none of those that the object has. `NONE` where there is no
    /// room to remember it, or nothing is known of what it comes after.
    pub fn add(&mut self, before: Shape, text: &[u8], key_len: usize, tag: u32) -> Shape {
        let lens = (u8::try_from(text.len()), u8::try_from(key_len));
        let (Ok(text_len), Ok(key_len)) = lens else { return Shape::NONE };
        let width = self.get(before).and_then(|known| known.width.checked_add(1));
        let Some(width) = width.filter(|_| before.is_known() && self.known.len() < KEYS) else { return Shape::NONE };
        let is_free = |place: &usize| self.by_key.get(*place).is_some_and(|shape| !shape.is_known());
        let Some(place) = places(before, tag).find(is_free) else { return Shape::NONE };
        let shape = Shape(self.known.len() as u16);
        let at = self.texts.len() as u32;
        self.texts.extend_from_slice(text);
        self.known.push(Known { at, tag, text_len, key_len, width, before, ..Known::default() });
        self.ahead.push(Ahead::default());
        self.by_key[place] = shape;
        self.make_due(before, shape);
        shape
    }

    fn make_due(&mut self, before: Shape, shape: Shape) {
        let Known { at, tag, text_len, key_len, .. } = self.known[usize::from(shape.0)];
        let next = &mut self.ahead[usize::from(before.0)].next;
        if next.due.shape != shape {
            let mut head = [0; HEAD];
            let text = self.texts.iter().skip(at as usize).take(text_len.into());
            head.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
            let guess = Guess { due: Due { shape, text_len, key_len, tag }, at, head };
            self.known[usize::from(before.0)].other = std::mem::replace(next, guess);
        }
    }

    /// An object under the key that comes last in this shape.
    #[inline(always)]
    pub fn object(&mut self, under: Shape) -> Shape {
        match self.ahead(under) {
            Some(ahead) if ahead.object.is_known() => ahead.object,
            _ => self.begin_below(under, |ahead| &mut ahead.object),
        }
    }

    /// An object in a list under that key.
    #[inline(always)]
    pub fn element(&mut self, under: Shape) -> Shape {
        match self.ahead(under) {
            Some(ahead) if ahead.element.is_known() => ahead.element,
            _ => self.begin_below(under, |ahead| &mut ahead.element),
        }
    }

    #[cold]
    #[inline(never)]
    fn begin_below(&mut self, under: Shape, slot: fn(&mut Ahead) -> &mut Shape) -> Shape {
        if !under.is_known() || self.known.len() >= KEYS {
            return Shape::NONE;
        }
        let shape = Shape(self.known.len() as u16);
        self.known.push(Known { before: under, ..Known::default() });
        self.ahead.push(Ahead::default());
        *slot(&mut self.ahead[usize::from(under.0)]) = shape;
        shape
    }
}

/// Where in the table a key may be, in the order in which to look.
fn places(before: Shape, tag: u32) -> impl Iterator<Item = usize> {
    let first = (u32::from(before.0).wrapping_mul(0x9e37_79b1) ^ tag.wrapping_mul(0x85eb_ca6b)) as usize >> 7;
    (first..first + PROBES).map(|place| place % PLACES)
}

#[cfg(test)]
mod tests {
    use super::super::tape::tag;
    use super::*;

    /// A key of twenty letters whose tag is that of all others.
    fn key(nth: usize) -> String {
        format!("beginnin{nth:04}theending")
    }

    fn text(key: &str) -> String {
        format!("\"{key}\":")
    }

    #[test]
    fn a_way_is_found_again_and_is_due() {
        let mut shapes = Shapes::default();
        let keys: Vec<String> = ["id", "name", "id_of_another", &"long".repeat(40)].map(text).to_vec();
        let mut way = vec![Shape::BODY];
        for text in &keys {
            let (before, len, tag) =
                (*way.last().expect("one"), text.len() - 3, tag(&text.as_bytes()[1..text.len() - 2]));
            assert_eq!(shapes.find(before, text.as_bytes(), len, tag), None);
            let shape = shapes.add(before, text.as_bytes(), len, tag);
            assert!(shape.is_known() && !way.contains(&shape));
            assert_eq!(shapes.find(before, text.as_bytes(), len, tag), Some(shape));
            assert_eq!(shapes.next(before, format!("{text}1}}").as_bytes()).map(|due| due.shape), Some(shape));
            assert!(shapes.next(before, b"\"other\":1").is_none());
            way.push(shape);
        }
        // Behind other keys, or in another place, it is another.
        assert_eq!(shapes.find(way[2], keys[0].as_bytes(), 2, tag(b"id")), None);
        assert_eq!(shapes.find(Shape::ELEMENT, keys[0].as_bytes(), 2, tag(b"id")), None);
        assert_eq!(shapes.object(way[1]), shapes.object(way[1]));
        assert_ne!(shapes.object(way[1]), shapes.element(way[1]));
        assert_eq!(shapes.object(Shape::NONE), Shape::NONE);
    }

    /// Short ones and long ones, with much behind them and with nothing.
    #[test]
    fn a_key_is_due_if_all_of_its_text_is_there() {
        for len in 0..3 * HEAD {
            let text = text(&"a".repeat(len));
            let mut shapes = Shapes::default();
            let shape = shapes.add(Shape::BODY, text.as_bytes(), len, 1);
            let due = |rest: &[u8]| shapes.next(Shape::BODY, rest).map(|due| due.shape);
            for behind in ["", "1}", &"\"a\":".repeat(HEAD)] {
                let rest = format!("{text}{behind}").into_bytes();
                assert_eq!(due(&rest), Some(shape), "{len}");
                for at in 0..text.len() {
                    let mut other = rest.clone();
                    other[at] = b'#';
                    assert_eq!(due(&other), None, "{at} of {len}");
                }
                assert_eq!(due(&rest[1..]), None, "{len}");
            }
            assert_eq!(due(&text.as_bytes()[..text.len() - 1]), None, "{len}");
        }
    }

    /// Keys that are made to want one place cost no more than others: those that find none are not remembered.
    #[test]
    fn keys_that_want_one_place_are_not_sought_far() {
        let mut shapes = Shapes::default();
        let (len, tag) = (key(0).len(), tag(key(0).as_bytes()));
        let added: Vec<Shape> =
            (0..100).map(|nth| shapes.add(Shape::BODY, text(&key(nth)).as_bytes(), len, tag)).collect();
        assert_eq!(added.iter().filter(|shape| shape.is_known()).count(), PROBES);
        for (nth, shape) in added.into_iter().enumerate() {
            let found = shapes.find(Shape::BODY, text(&key(nth)).as_bytes(), len, tag);
            assert_eq!(found, Some(shape).filter(|shape| shape.is_known()), "{nth}");
        }
    }

    #[test]
    fn all_is_forgotten_once_there_is_no_room() {
        let mut shapes = Shapes::default();
        let generation = shapes.generation();
        let add = |shapes: &mut Shapes, nth: usize| {
            let key = format!("k{nth}");
            shapes.add(Shape::BODY, text(&key).as_bytes(), key.len(), tag(key.as_bytes()))
        };
        assert!((0..2 * KEYS).any(|nth| !add(&mut shapes, nth).is_known()), "there is always room");
        shapes.begin();
        assert_eq!(shapes.generation(), generation + 1);
        assert!(add(&mut shapes, 0).is_known());
    }

    #[test]
    fn who_is_forgetful_knows_nothing() {
        let mut shapes = Shapes::forgetful();
        assert_eq!(shapes.add(Shape::BODY, b"\"id\":", 2, tag(b"id")), Shape::NONE);
        assert!(shapes.next(Shape::BODY, b"\"id\":1").is_none());
        assert_eq!(shapes.find(Shape::BODY, b"\"id\":", 2, tag(b"id")), None);
    }
}
