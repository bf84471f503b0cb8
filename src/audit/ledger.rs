//! The first look: what was due and what is there, added up by lots of neighbouring raw offsets. Lots that come to the
//! same on both sides are right and need no second look; of the others the ledger knows where their records stand.
//!
//! Takes the same room for a thousand records and for a thousand million: the lots grow instead of becoming more.

use super::found::Found;
use super::print::{Kind, Place, Prints, weight};
use super::world::World;
use std::collections::HashMap;

/// About so many lots there are at most, and one for each raw partition.
const LOTS: i64 = 2048;
/// Smaller ones are not worth the room.
const SMALLEST: i64 = 4096;
/// So many records out of their order are kept to be judged.
const LATE: usize = 1 << 18;

/// What was due, by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcomes {
    pub events: u64,
    pub ignored: u64,
    pub dead_letters: u64,
}

impl Outcomes {
    pub fn add(&mut self, kind: Kind) {
        match kind {
            Kind::Event(_) => self.events += 1,
            Kind::Ignored => self.ignored += 1,
            Kind::DeadLetter => self.dead_letters += 1,
        }
    }

    pub fn all(&self) -> u64 {
        self.events + self.ignored + self.dead_letters
    }
}

/// Offsets of an output partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub output: u32,
    pub first: i64,
    pub last: i64,
}

/// Neighbouring offsets of a raw partition.
#[derive(Debug, Default)]
pub struct Lot {
    due: u128,
    found: u128,
    pub outcomes: Outcomes,
    pub records: u64,
    pub windows: Vec<Window>,
    is_suspect: bool,
}

impl Lot {
    pub fn is_right(&self) -> bool {
        self.due == self.found && !self.is_suspect
    }
}

/// What is seen of a raw partition in an output partition.
#[derive(Debug, Clone, Copy)]
struct Lane {
    first: (i64, i32),
    last: (i64, i32),
    last_at: i64,
    last_build: u16,
}

/// An event that stands right behind one that is from later in its raw partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Late {
    pub place: Place,
    pub output: u32,
    pub at: i64,
    /// The raw offset of the other, and where that stands.
    pub after: i64,
    pub after_at: i64,
}

pub struct Ledger {
    lots: Vec<Lot>,
    /// Where the lots of each raw partition begin, and the raw offset they begin at.
    begins: Vec<(usize, i64)>,
    size: i64,
    lanes: HashMap<(u32, u32), Lane>,
    /// By where they stand, once nothing more comes.
    late: Vec<Late>,
    /// How many there was no room for.
    pub late_unlisted: u64,
}

impl Ledger {
    pub fn new(world: &World) -> Ledger {
        let all: i64 = world.raws.iter().map(|raw| raw.due - raw.low).sum();
        let size = (all / LOTS).max(SMALLEST);
        let mut begins = Vec::with_capacity(world.raws.len());
        let mut count = 0;
        for raw in &world.raws {
            begins.push((count, raw.low));
            count += ((raw.due - raw.low) as u64).div_ceil(size as u64) as usize;
        }
        let lots = std::iter::repeat_with(Lot::default).take(count).collect();
        Ledger { lots, begins, size, lanes: HashMap::new(), late: Vec::new(), late_unlisted: 0 }
    }

    /// The lot of a place that is due.
    fn lot(&mut self, place: Place) -> Option<&mut Lot> {
        let (begin, low) = *self.begins.get(place.raw as usize)?;
        let nth = usize::try_from((place.offset - low) / self.size).ok()?;
        self.lots.get_mut(begin + nth)
    }

    pub fn record(&mut self, raw: u32, offset: i64) {
        if let Some(lot) = self.lot(Place { raw, offset, index: 0 }) {
            lot.records += 1;
        }
    }

    pub fn due(&mut self, place: Place, kind: Kind, prints: Prints) {
        let Some(lot) = self.lot(place) else { return };
        lot.outcomes.add(kind);
        if kind != Kind::Ignored {
            lot.due = lot.due.wrapping_add(weight(place, kind, prints));
        }
    }

    /// Takes in a record of an output; its place is one that is due.
    pub fn found(&mut self, found: &Found, output: u32, at: i64) {
        let Found { place, kind, prints, .. } = *found;
        let is_late = self.follow(found, output, at);
        let Some(lot) = self.lot(place) else { return };
        lot.found = lot.found.wrapping_add(weight(place, kind, prints));
        lot.is_suspect |= is_late;
        match lot.windows.iter_mut().find(|window| window.output == output) {
            Some(window) => {
                window.first = window.first.min(at);
                window.last = window.last.max(at);
            }
            None => lot.windows.push(Window { output, first: at, last: at }),
        }
    }

    /// Whether the record stands right behind one from later in its raw partition, or from the same place.
    fn follow(&mut self, found: &Found, output: u32, at: i64) -> bool {
        let Place { raw, offset, index } = found.place;
        let place = (offset, index);
        let new = Lane { first: place, last: place, last_at: at, last_build: found.build };
        let lane = match self.lanes.entry((output, raw)) {
            std::collections::hash_map::Entry::Vacant(vacant) => {
                vacant.insert(new);
                return false;
            }
            std::collections::hash_map::Entry::Occupied(lane) => lane.into_mut(),
        };
        let before = std::mem::replace(lane, Lane { first: lane.first, ..new });
        // What a later build brings in, it brings in behind what the earlier one wrote.
        if place > before.last || found.build != before.last_build {
            return false;
        }
        // Dead letters are no history that is to be kept in order.
        if found.kind == Kind::DeadLetter {
            return false;
        }
        let late = Late { place: found.place, output, at, after: before.last.0, after_at: before.last_at };
        if self.late.len() < LATE {
            self.late.push(late);
        } else {
            self.late_unlisted += 1;
        }
        true
    }

    /// Nothing more comes.
    pub fn close(&mut self) {
        self.late.sort_unstable_by_key(|late| (late.output, late.at));
    }

    /// Whether, and behind what, the record that stands there came late.
    pub fn late_at(&self, output: u32, at: i64) -> Option<&Late> {
        let nth = self.late.binary_search_by_key(&(output, at), |late| (late.output, late.at)).ok()?;
        self.late.get(nth)
    }

    /// Whether a record that is not there may have been in what retention has deleted of the partition where it belongs:
    /// what is left of that raw partition there is from later.
    pub fn may_be_gone(&self, world: &World, output: u32, place: Place) -> bool {
        let Some(partition) = world.outputs.get(output as usize) else { return false };
        let first = self.lanes.get(&(output, place.raw)).map(|lane| lane.first);
        partition.low > 0 && first.is_none_or(|first| (place.offset, place.index) < first)
    }

    /// The lots of a raw partition, with the offsets each is about.
    pub fn lots_of<'l>(&'l self, world: &'l World, nth: usize) -> impl Iterator<Item = (&'l Lot, i64, i64)> {
        let (begin, low) = self.begins.get(nth).copied().unwrap_or_default();
        let end = self.begins.get(nth + 1).map_or(self.lots.len(), |(begin, _)| *begin);
        let due = world.raws.get(nth).map_or(low, |raw| raw.due);
        let lots = self.lots.get(begin..end).unwrap_or_default();
        (0..).zip(lots).map(move |(nth, lot)| {
            let from = low + nth * self.size;
            (lot, from, (from + self.size).min(due))
        })
    }
}

/// How a record stands to the raw records.
pub fn standing(found: &Found, world: &World) -> Standing {
    let Some(raw) = world.raws.get(found.place.raw as usize) else { return Standing::Nowhere };
    match found.place.offset {
        offset if offset < 0 || found.place.index < 0 => Standing::Nowhere,
        offset if offset < raw.low => Standing::Gone,
        offset if offset < raw.due => Standing::Due,
        offset if offset < raw.high => Standing::Early,
        _ => Standing::Nowhere,
    }
}

/// How a record that was found stands to the raw records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Due,
    /// Its raw record was deleted.
    Gone,
    /// Its raw record is not done, as far as the group has said.
    Early,
    /// There has never been such a raw record.
    Nowhere,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::testing::{event, letter, world};

    #[test]
    fn a_lot_is_right_if_both_sides_come_to_the_same_in_any_order() {
        let world = world(&[(0, 10_000)], &[(0, 100)]);
        let mut ledger = Ledger::new(&world);
        let all = [event(0, 5, 0), event(0, 5, 1), letter(0, 6, 0), event(0, 5000, 0)];
        for found in &all {
            ledger.due(found.place, found.kind, found.prints);
        }
        ledger.due(Place { raw: 0, offset: 7, index: 0 }, Kind::Ignored, all[0].prints);
        assert_eq!(
            ledger.lots_of(&world, 0).map(|(lot, _, _)| lot.is_right()).collect::<Vec<_>>(),
            [false, false, true]
        );
        for (at, nth) in [(10, 0), (11, 2), (12, 1), (13, 3)] {
            ledger.found(&all[nth], u32::from(nth == 2), at);
        }
        let lots: Vec<_> = ledger.lots_of(&world, 0).collect();
        assert!(lots.iter().all(|(lot, _, _)| lot.is_right()));
        assert_eq!(
            lots.iter().map(|(_, from, to)| (*from, *to)).collect::<Vec<_>>(),
            [(0, 4096), (4096, 8192), (8192, 10_000)]
        );
        assert_eq!(lots[0].0.outcomes, Outcomes { events: 2, ignored: 1, dead_letters: 1 });
        let windows = [Window { output: 0, first: 10, last: 12 }, Window { output: 1, first: 11, last: 11 }];
        assert_eq!(lots[0].0.windows, windows);
    }

    #[test]
    fn one_missing_and_one_doubled_do_not_cancel_out() {
        let world = world(&[(0, 10)], &[(0, 100)]);
        let mut ledger = Ledger::new(&world);
        let (one, two) = (event(0, 1, 0), event(0, 2, 0));
        ledger.due(one.place, one.kind, one.prints);
        ledger.due(two.place, two.kind, two.prints);
        ledger.found(&one, 0, 0);
        ledger.found(&one, 0, 1);
        assert!(ledger.lots_of(&world, 0).all(|(lot, _, _)| !lot.is_right()));
    }

    #[test]
    fn an_event_behind_a_later_one_is_late_and_a_dead_letter_never_is() {
        let world = world(&[(0, 10), (0, 10)], &[(0, 100)]);
        let mut ledger = Ledger::new(&world);
        for (at, found) in
            [event(0, 3, 0), event(1, 2, 0), event(0, 3, 1), event(0, 2, 0), letter(0, 1, 0), event(0, 4, 0)]
                .iter()
                .enumerate()
        {
            ledger.due(found.place, found.kind, found.prints);
            ledger.found(found, 0, at as i64);
        }
        assert_eq!(
            ledger.late,
            [Late { place: Place { raw: 0, offset: 2, index: 0 }, output: 0, at: 3, after: 3, after_at: 2 }]
        );
        assert!(!ledger.lots_of(&world, 0).all(|(lot, _, _)| lot.is_right()), "although the sums are the same");
        assert!(ledger.lots_of(&world, 1).all(|(lot, _, _)| lot.is_right()));
    }

    #[test]
    fn what_may_be_gone_stood_before_all_that_is_left() {
        let world = world(&[(0, 10), (0, 10)], &[(7, 100), (0, 100)]);
        let mut ledger = Ledger::new(&world);
        ledger.found(&event(0, 5, 0), 0, 7);
        ledger.found(&event(0, 5, 0), 1, 0);
        let gone = |output, raw, offset| ledger.may_be_gone(&world, output, Place { raw, offset, index: 0 });
        assert!(gone(0, 0, 4));
        assert!(!gone(0, 0, 6), "it would stand behind one that is there");
        assert!(gone(0, 1, 6), "nothing of this raw partition is left");
        assert!(!gone(1, 0, 4), "nothing was deleted there");
    }

    #[test]
    fn the_room_it_takes_does_not_grow_with_the_records() {
        let ledger = Ledger::new(&world(&[(0, 4_000_000_000), (17, 17)], &[]));
        assert!(ledger.lots.len() <= LOTS as usize + 1, "{}", ledger.lots.len());
    }
}
