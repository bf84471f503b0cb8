//! A parsed body as one flat list. The children of a container lie side by side, so the n-th child is found by
//! adding n, and whatever lies below a container is one run of the list. Nothing is copied out of the body except keys
//! that hold escapes. One tape serves record after record, and remembers beside the list what follows from the shapes of
//! the objects that it has held. Knows no vendor.

use super::plans::Plans;
use super::shapes::{Shape, Shapes};
use super::tokenize::{self, Key};
use crate::reject::{Code, Reject};
use std::cell::{Cell, RefCell};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
#[repr(u8)]
pub enum Kind {
    Null,
    True,
    False,
    Number,
    /// Text without escapes.
    Plain,
    /// Text with escapes, not yet undone.
    Escaped,
    Array,
    Object,
}

impl Kind {
    pub const ALL: [Kind; 8] =
        [Kind::Null, Kind::True, Kind::False, Kind::Number, Kind::Plain, Kind::Escaped, Kind::Array, Kind::Object];

    #[inline(always)]
    pub fn is_container(self) -> bool {
        self >= Kind::Array
    }

    #[inline(always)]
    pub fn is_text(self) -> bool {
        matches!(self, Kind::Plain | Kind::Escaped)
    }
}

/// One value with its key. For a scalar `(at, len)` is its text in the body, of a string what is between the quotes;
/// for a container it is its first child on the tape and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    pub kind: Kind,
    /// Whether the key lies in the arena, its escapes undone, and not in the body.
    pub key_in_arena: bool,
    /// Of an object with something in it: which keys it has, in their order, and where it lies.
    pub shape: Shape,
    /// A hash of the key, to compare before comparing.
    pub tag: u32,
    pub key_at: u32,
    pub key_len: u32,
    pub at: u32,
    pub len: u32,
}

impl Slot {
    #[inline(always)]
    pub fn new(kind: Kind, at: usize, len: usize) -> Slot {
        Slot {
            kind,
            key_in_arena: false,
            shape: Shape::NONE,
            tag: 0,
            key_at: 0,
            key_len: 0,
            at: at as u32,
            len: len as u32,
        }
    }
}

/// Where objects of one shape have a key. It always stands beside the question that it answers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Answer {
    pub shape: Shape,
    /// Which child it is, or [`Answer::NOT_THERE`].
    pub nth: u16,
    pub key: &'static str,
}

impl Answer {
    pub const NOT_THERE: u16 = u16::MAX;
}

/// How many answers [`Tape`] remembers.
pub(super) const ANSWERS: usize = 8192;

pub struct Tape {
    /// Finished nodes; the root is the last.
    pub(super) slots: Vec<Slot>,
    /// Children of containers that are still open.
    pub(super) open: Vec<Slot>,
    /// Keys whose escapes were undone.
    pub(super) arena: String,
    /// Where the elements of a root list stand in the body.
    pub(super) elements: Vec<[u32; 2]>,
    /// One bit a node: was it read?
    pub(super) marks: Vec<Cell<u64>>,
    /// How many bytes may still be made of the body: see [`super::Doc::allow`].
    pub(super) room: Cell<usize>,
    /// What is not in a list of words, or not in a form that can be read.
    pub(super) odd: RefCell<Vec<u32>>,
    /// The keys of the objects that were read before.
    pub(super) shapes: Shapes,
    /// Where objects of such shapes have keys that were asked for, by shape and key.
    pub(super) answers: Vec<Cell<Answer>>,
    /// Of which generation of shapes the answers are.
    answered: u32,
    /// What is known of the children of such objects.
    pub(super) plans: RefCell<Plans>,
}

impl Default for Tape {
    fn default() -> Self {
        Tape { shapes: Shapes::default(), answers: vec![Cell::default(); ANSWERS], ..Tape::forgetful() }
    }
}

impl Tape {
    /// Reads like any other, and is made in no time: for what is read once.
    pub(super) fn forgetful() -> Tape {
        Tape {
            slots: Vec::new(),
            open: Vec::new(),
            arena: String::new(),
            elements: Vec::new(),
            marks: Vec::new(),
            room: Cell::new(0),
            odd: RefCell::default(),
            shapes: Shapes::forgetful(),
            answers: Vec::new(),
            answered: 0,
            plans: RefCell::default(),
        }
    }

    /// Parses a body of at most `max_depth` levels and gives it back as text. Whatever was on the tape is gone.
    pub fn read<'b>(&mut self, body: &'b [u8], max_depth: usize) -> Result<&'b str, Reject> {
        if body.is_empty() {
            return Err(Reject::whole(Code::BodyEmpty));
        }
        // Places in the body are kept in 32 bits, with room for both ends of every value.
        if body.len() >= 1 << 30 {
            return Err(Reject::whole(Code::BodyTooLarge));
        }
        let body = utf8(body)?;
        self.slots.clear();
        self.open.clear();
        self.arena.clear();
        self.elements.clear();
        self.shapes.begin();
        if self.answered != self.shapes.generation() {
            self.answered = self.shapes.generation();
            self.answers.fill(Cell::default());
        }
        self.plans.get_mut().begin(self.answered);
        tokenize::fill(self, body, max_depth)?;
        self.marks.clear();
        self.marks.resize(self.slots.len().div_ceil(64), Cell::new(0));
        self.room.set(room_of(body));
        self.odd.get_mut().clear();
        Ok(body)
    }

    /// Whether the same is on both. What a shape is called depends on what came before.
    #[cfg(test)]
    pub(super) fn is_like(&self, other: &Tape) -> bool {
        let slots =
            |tape: &Tape| -> Vec<Slot> { tape.slots.iter().map(|slot| Slot { shape: Shape::NONE, ..*slot }).collect() };
        (slots(self), &self.arena, &self.elements) == (slots(other), &other.arena, &other.elements)
    }

    /// Moves the children above `base` from the open list to the tape.
    #[inline]
    pub(super) fn close(&mut self, kind: Kind, base: usize) -> Slot {
        let first = self.slots.len();
        self.slots.extend_from_slice(&self.open[base..]);
        self.open.truncate(base);
        Slot::new(kind, first, self.slots.len() - first)
    }

    fn key<'a>(&'a self, body: &'a str, at: u32, len: u32, in_arena: bool) -> &'a str {
        let text = if in_arena { &self.arena } else { body };
        &text[at as usize..][..len as usize]
    }

    fn key_of<'a>(&'a self, body: &'a str, slot: &Slot) -> &'a str {
        self.key(body, slot.key_at, slot.key_len, slot.key_in_arena)
    }

    /// Is there already such a key above `base`?
    #[cold]
    #[inline(never)]
    pub(super) fn has(&self, body: &str, base: usize, key: &Key) -> bool {
        let name = self.key(body, key.at, key.len, key.in_arena);
        self.open[base..].iter().any(|slot| slot.tag == key.tag && self.key_of(body, slot) == name)
    }

    /// Whether two of the keys above `base` are equal, for objects so wide that comparing all pairs would be an attack.
    #[cold]
    pub(super) fn has_duplicate(&self, body: &str, base: usize) -> bool {
        let mut keys: Vec<&str> = self.open[base..].iter().map(|slot| self.key_of(body, slot)).collect();
        keys.sort_unstable();
        keys.windows(2).any(|pair| pair[0] == pair[1])
    }
}

/// How large what is made of `body` may become beyond its own texts: many times what any vendor's bodies need, and never
/// the square of their size.
pub(super) fn room_of(body: &str) -> usize {
    (16 << 20) + 64 * body.len()
}

/// A cheap hash of a key: its length and its first and last bytes, up to eight of each. Folded at compile time for a literal.
#[inline(always)]
pub fn tag(key: &[u8]) -> u32 {
    let n = key.len();
    let (head, tail) = match (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
        _ => match (key.first_chunk::<4>(), key.last_chunk::<4>()) {
            (Some(head), Some(tail)) => (u32::from_le_bytes(*head).into(), u32::from_le_bytes(*tail).into()),
            _ => match key {
                [first, .., last] => (u64::from(*first) | u64::from(key[n / 2]) << 8, u64::from(*last)),
                [only] => (u64::from(*only), 0),
                [] => (0, 0),
            },
        },
    };
    let mixed = (head ^ tail.rotate_left(23) ^ (n as u64) << 59).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as u32 ^ n as u32
}

/// Whether two keys are the same. Two words that may overlap tell it of nearly all, without a call.
#[inline(always)]
pub fn is_same(a: &[u8], b: &[u8]) -> bool {
    let n = a.len();
    if n != b.len() {
        return false;
    }
    if n <= 16
        && let (Some(a_head), Some(a_tail), Some(b_head), Some(b_tail)) =
            (a.first_chunk::<8>(), a.last_chunk::<8>(), b.first_chunk::<8>(), b.last_chunk::<8>())
    {
        return a_head == b_head && a_tail == b_tail;
    }
    if let (Some(a_head), Some(a_tail), Some(b_head), Some(b_tail)) =
        (a.first_chunk::<16>(), a.last_chunk::<16>(), b.first_chunk::<16>(), b.last_chunk::<16>())
    {
        return a_head == b_head && a_tail == b_tail && (n <= 32 || a == b);
    }
    if let (Some(a_head), Some(a_tail), Some(b_head), Some(b_tail)) =
        (a.first_chunk::<4>(), a.last_chunk::<4>(), b.first_chunk::<4>(), b.last_chunk::<4>())
    {
        return a_head == b_head && a_tail == b_tail;
    }
    match (a, b) {
        ([a_first, .., a_last], [b_first, .., b_last]) => {
            a_first == b_first && a_last == b_last && a[n / 2] == b[n / 2]
        }
        _ => a == b,
    }
}

/// The body as text. simdutf8 says yes quickly; std says where it went wrong.
fn utf8(body: &[u8]) -> Result<&str, Reject> {
    simdutf8::basic::from_utf8(body)
        .or_else(|_| std::str::from_utf8(body).map_err(|error| Reject::at(Code::JsonEncoding, error.valid_up_to())))
}
