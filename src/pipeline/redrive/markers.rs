//! What of a dead-letter partition has been redriven: the markers in its compacted topic, read back into a small set.
//!
//! A marker's key is the raw webhook's place, its value how often the dead letter had been redriven before and what
//! became of it. Both name the raw webhook, for that is what must not be done twice. But a dead letter that fails again
//! is written again, and names the same place: it has to stay redrivable, while the old one has not. So the count
//! decides: a letter is done if a marker of its place says as high a count as its own, or a higher one. The old letter
//! (count 0) is done once the marker says 0; the renewed one (count 1) is not. A second dead letter of the same place
//! with count 0, say from a consumer group that has read the raw topic anew, is done as well: what came of the first one
//! stands in the canonical topic, or as the renewed letter.
//!
//! 20 bytes a marker, however many there are; the markers of one partition at a time.

use super::super::letter::Position;
use std::collections::HashMap;

/// What became of a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// Canonical records, or the whole of it is known by now and ignored.
    Event,
    Ignored,
    /// It was refused again: the dead letter is renewed.
    DeadLetter,
}

impl Became {
    pub const fn as_str(self) -> &'static str {
        match self {
            Became::Event => "event",
            Became::Ignored => "ignored",
            Became::DeadLetter => "dead_letter",
        }
    }
}

/// The key of a marker: `<raw topic>/<partition>/<offset>/<index>`, `-` for a record as a whole. No topic's name has a
/// slash.
pub fn key(raw_topic: &str, position: Position) -> String {
    format!("{raw_topic}/{position}")
}

/// The value of a marker: `<redrive count> <outcome>`.
pub fn value(redrive_count: u32, became: Became) -> String {
    format!("{redrive_count} {}", became.as_str())
}

/// Reads a marker. `None`: it is none, or one of another raw topic.
pub fn read(raw_topic: &str, key: Option<&[u8]>, value: Option<&[u8]>) -> Option<(Position, u32)> {
    let key = std::str::from_utf8(key?).ok()?.strip_prefix(raw_topic)?.strip_prefix('/')?;
    let mut parts = key.split('/');
    let partition = parts.next()?.parse().ok()?;
    let offset = parts.next()?.parse().ok()?;
    let index = match parts.next()? {
        "-" => None,
        index => Some(index.parse().ok()?),
    };
    if parts.next().is_some() {
        return None;
    }
    let count = std::str::from_utf8(value?).ok()?.split(' ').next()?.parse().ok()?;
    Some((Position { partition, offset, index }, count))
}

/// A marker in the set. Of small numbers, so that no byte is for alignment; ordered by place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Mark {
    partition: u32,
    /// The high half first.
    offset: [u32; 2],
    /// 0: the record as a whole; else the element's index, plus one.
    index: u32,
    count: u32,
}

const _: () = assert!(size_of::<Mark>() == 20);

impl Mark {
    fn new(position: Position, count: u32) -> Mark {
        let offset = position.offset as u64;
        Mark {
            partition: position.partition as u32,
            offset: [(offset >> 32) as u32, offset as u32],
            index: position.index.map_or(0, |index| (index as u32).wrapping_add(1)),
            count,
        }
    }

    fn place(&self) -> (u32, [u32; 2], u32) {
        (self.partition, self.offset, self.index)
    }
}

/// New marks are sorted in when so many have come.
const RECENT: usize = 1 << 16;

/// The places that are done.
#[derive(Debug, Default)]
pub struct Markers {
    /// By place, each once.
    sorted: Vec<Mark>,
    recent: HashMap<Position, u32>,
}

impl Markers {
    pub fn add(&mut self, position: Position, count: u32) {
        let known = self.recent.entry(position).or_insert(count);
        *known = count.max(*known);
        if self.recent.len() >= RECENT {
            self.sort_in();
        }
    }

    /// Whether a letter of this place, redriven so often before, has been dealt with.
    pub fn is_done(&self, position: Position, count: u32) -> bool {
        let known = [self.recent.get(&position).copied(), self.find(position).map(|mark| mark.count)];
        known.into_iter().flatten().any(|known| known >= count)
    }

    fn find(&self, position: Position) -> Option<&Mark> {
        let place = Mark::new(position, 0).place();
        let nth = self.sorted.binary_search_by(|mark| mark.place().cmp(&place)).ok()?;
        self.sorted.get(nth)
    }

    fn sort_in(&mut self) {
        self.sorted.reserve_exact(self.recent.len());
        self.sorted.extend(self.recent.drain().map(|(position, count)| Mark::new(position, count)));
        // The highest count of a place comes first, and stays.
        self.sorted.sort_unstable_by(|one, other| one.place().cmp(&other.place()).then(other.count.cmp(&one.count)));
        self.sorted.dedup_by(|later, first| later.place() == first.place());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(partition: i32, offset: i64, index: Option<i32>) -> Position {
        Position { partition, offset, index }
    }

    #[test]
    fn a_marker_is_text_and_comes_back() {
        assert_eq!(key("raw.spree", at(3, 4711, None)), "raw.spree/3/4711/-");
        assert_eq!(key("raw.spree", at(3, 4711, Some(0))), "raw.spree/3/4711/0");
        assert_eq!(value(2, Became::DeadLetter), "2 dead_letter");
        for position in [at(0, 0, None), at(3, i64::MAX, Some(0)), at(i32::MAX, 1, Some(i32::MAX))] {
            let (key, value) = (key("raw.a", position), value(7, Became::Ignored));
            assert_eq!(read("raw.a", Some(key.as_bytes()), Some(value.as_bytes())), Some((position, 7)));
            assert_eq!(read("raw.ab", Some(key.as_bytes()), Some(value.as_bytes())), None);
        }
        let broken: [(&str, &str); 5] = [
            ("raw.a/1/2", "0 event"),
            ("raw.a/1/2/x", "0 event"),
            ("raw.a/1/2/-/3", "0"),
            ("raw.a/1/2/-", ""),
            ("x", "0"),
        ];
        for (key, value) in broken {
            assert_eq!(read("raw.a", Some(key.as_bytes()), Some(value.as_bytes())), None, "{key} {value}");
        }
        assert_eq!(read("raw.a", Some(b"raw.a/1/2/-"), None), None, "a tombstone is no marker");
    }

    #[test]
    fn a_letter_is_done_up_to_its_markers_count() {
        let mut markers = Markers::default();
        markers.add(at(0, 7, None), 0);
        assert!(markers.is_done(at(0, 7, None), 0));
        assert!(!markers.is_done(at(0, 7, None), 1), "the renewed letter is not");
        assert!(!markers.is_done(at(0, 7, Some(0)), 0), "nor an element of the record");
        assert!(!markers.is_done(at(1, 7, None), 0));
        markers.add(at(0, 7, None), 1);
        assert!(markers.is_done(at(0, 7, None), 0) && markers.is_done(at(0, 7, None), 1));
    }

    #[test]
    fn many_markers_are_twenty_bytes_each_and_none_is_forgotten() {
        let count = 3 * RECENT as i64 + 17;
        let mut markers = Markers::default();
        for nth in 0..count {
            // In a mixed order, over two partitions, some offsets beyond 32 bits.
            let nth = nth * 7919 % count;
            markers.add(at((nth % 2) as i32, nth << 20, (nth % 3 == 0).then_some(1)), 0);
            markers.add(at((nth % 2) as i32, nth << 20, (nth % 3 == 0).then_some(1)), (nth % 5) as u32);
        }
        for nth in 0..count {
            let place = at((nth % 2) as i32, nth << 20, (nth % 3 == 0).then_some(1));
            assert!(markers.is_done(place, (nth % 5) as u32), "{nth}");
            assert!(!markers.is_done(place, (nth % 5) as u32 + 1), "{nth}");
            assert!(!markers.is_done(at(2, nth << 20, None), 0));
        }
        assert!(markers.recent.len() < RECENT);
        assert!(markers.sorted.len() + markers.recent.len() <= count as usize + RECENT);
    }
}
