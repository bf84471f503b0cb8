//! What is known of the children of an object by its shape and its page alone: what the page says of each, and which rule
//! drops it; and by its shape alone: the pointers to them. It is worked out once and looked up from then on. Knows no vendor,
//! and nothing of what is read.

use super::leftovers::Spot;
use super::rules::Why;
use super::shapes::Shape;
use super::tape::Kind;
use crate::vendors::documents::{Body, Here};
use std::collections::HashMap;

/// What follows from the key of a child and where its object lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub here: Here<'static>,
    /// The rule that drops it.
    pub why: Option<Why>,
    /// One bit for each [`Kind`] that it has by its page, so that there is nothing to tell.
    pub usual: u8,
}

/// Of which kinds a child has nothing to be told or kept, one bit each: if it is not read, and eight bits
/// further up if it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Over(u16);

impl Over {
    /// Of leaves alone: what lies in a container is another matter.
    const LEAVES: u8 = !(1 << Kind::Array as u8 | 1 << Kind::Object as u8);

    fn of(step: &Step) -> Over {
        let is_dropped = step.why.is_some();
        let unread = if is_dropped { step.usual } else { step.usual & 1 << Kind::Null as u8 };
        Over(u16::from_le_bytes([unread & Over::LEAVES, step.usual & Over::LEAVES]))
    }

    #[inline(always)]
    pub fn is(self, kind: Kind, is_read: bool) -> bool {
        self.0 >> (kind as u32 + 8 * u32::from(is_read)) & 1 == 1
    }
}

/// For which objects a plan is: those of this shape in webhooks of this page, under these rules. The page and the rules are as
/// [`Body::number`] and [`super::Rules`] number them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Case {
    page: u64,
    rules: u32,
    shape: Shape,
}

impl Case {
    /// None where there is nothing to go by.
    #[inline(always)]
    pub fn of(body: Option<Body<'static>>, rules: u32, shape: Shape) -> Option<Case> {
        body.filter(|_| shape.is_known()).map(|body| Case { page: body.number(), rules, shape })
    }

    /// Where in the table it may be, in the order in which to look.
    #[inline(always)]
    fn places(self) -> impl Iterator<Item = usize> {
        let mixed = self.page ^ u64::from(self.rules) << 16 ^ u64::from(self.shape.number()) << 32;
        let first = (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52) as usize;
        (first..first + PROBES).map(|place| place % CASES)
    }
}

/// Of the table of cases: half of them are used at most.
const CASES: usize = 4096;

/// How many places a case is looked for in.
const PROBES: usize = 16;

/// How many steps there are in all plans together.
const STEPS: usize = 1 << 15;

/// How many bytes all patterns have together.
const PATTERNS: usize = 1 << 18;

/// The plans that were made, of one generation of shapes. Once there is no room for more, none is made until all are forgotten at
/// the next webhook.
#[derive(Default)]
pub(super) struct Plans {
    generation: u32,
    /// With where in `steps` the plan begins.
    cases: Vec<Option<(Case, u32)>>,
    /// How many cases there are.
    count: usize,
    steps: Vec<Step>,
    /// Of each of the steps.
    over: Vec<Over>,
    /// The ways that were asked for, with `*` for the places in lists; and how many bytes they would have together.
    patterns: HashMap<Spot, Box<str>>,
    patterns_len: usize,
}

impl Plans {
    /// A new webhook.
    pub fn begin(&mut self, generation: u32) {
        if self.generation != generation || !self.has_room() {
            self.cases.fill(None);
            self.count = 0;
            self.steps.clear();
            self.over.clear();
            self.patterns.clear();
            self.patterns_len = 0;
            self.generation = generation;
        }
    }

    fn has_room(&self) -> bool {
        self.steps.len() <= STEPS && self.count <= CASES / 2
    }

    /// Where the steps of a case begin. They are as many as the object has children.
    #[inline(always)]
    pub fn find(&self, case: Case) -> Option<usize> {
        for place in case.places() {
            let (known, start) = (*self.cases.get(place)?)?;
            if known == case {
                return Some(start as usize);
            }
        }
        None
    }

    /// The same for a case that has no plan yet, of these steps, if there is room.
    pub fn add(&mut self, case: Case, steps: impl Iterator<Item = Step>) -> Option<usize> {
        if !self.has_room() {
            return None;
        }
        self.cases.resize(CASES, None);
        let mut free = case.places().filter(|place| self.cases.get(*place).is_some_and(Option::is_none));
        let place = free.next()?;
        let start = self.steps.len();
        self.steps.extend(steps);
        self.over.extend(self.steps[start..].iter().map(Over::of));
        self.cases[place] = Some((case, start as u32));
        self.count += 1;
        Some(start)
    }

    /// The way to a spot as `way` writes it, if nobody asked for it before.
    pub fn pattern(&mut self, spot: Spot, way: impl FnOnce() -> String) -> String {
        if let Some(pattern) = self.patterns.get(&spot) {
            return pattern.to_string();
        }
        let pattern = way();
        self.patterns_len += pattern.len();
        if self.patterns_len <= PATTERNS {
            self.patterns.insert(spot, pattern.as_str().into());
        }
        pattern
    }

    /// Of the step there and those that follow.
    #[inline(always)]
    pub fn over(&self, place: usize) -> &[Over] {
        self.over.get(place..).unwrap_or_default()
    }

    #[inline(always)]
    pub fn step(&self, place: usize) -> Option<Step> {
        self.steps.get(place).copied()
    }
}
