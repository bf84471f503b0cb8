//! Drift: counted, and a bounded list of where it was seen. Paths are such as may be shown (`translate::Drift`): no value of
//! a payload is among them.

use super::Tables;
use prometheus::{IntCounter, IntCounterVec};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// The label of an event type that nobody documents.
pub const OTHER_EVENT_TYPE: &str = "_other";

/// The most places that are kept in mind.
const MOST_PLACES: usize = 1000;

/// One way in which one webhook is not as its page says.
#[derive(Debug, Clone, Copy)]
pub struct Sighting<'s> {
    pub vendor: &'static str,
    pub event_type: &'s str,
    pub kind: &'static str,
    pub path: &'s str,
    /// Timestamp of the raw record, in milliseconds since 1970.
    pub at_ms: Option<i64>,
}

/// The list.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct SeenDrift {
    /// Most often first.
    pub seen: Vec<Place>,
    /// Webhooks with drift in places that the list had no room for.
    pub beyond: u64,
}

/// A place where drift was seen.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Place {
    pub vendor: &'static str,
    pub event_type: String,
    pub kind: &'static str,
    /// RFC 6901, with `*` for the place in a list.
    pub path: String,
    pub webhooks: u64,
    /// Timestamps of the first and the last raw record, in milliseconds since 1970.
    pub first_ms: Option<i64>,
    pub last_ms: Option<i64>,
}

pub(super) struct DriftBook {
    counter: IntCounterVec,
    event_types: &'static [(&'static str, &'static str)],
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    /// By vendor and kind.
    kinds: BTreeMap<(&'static str, &'static str), Types>,
    /// How many places are in it.
    places: usize,
    beyond: u64,
}

/// By event type, and then by path: what was seen before is found without a copy of either.
type Types = BTreeMap<String, OfType>;

struct OfType {
    counter: IntCounter,
    places: BTreeMap<String, Seen>,
}

#[derive(Default)]
struct Seen {
    webhooks: u64,
    first_ms: Option<i64>,
    last_ms: Option<i64>,
}

impl DriftBook {
    pub fn new(counter: IntCounterVec, tables: &Tables) -> DriftBook {
        let others = tables.vendors.iter().map(|vendor| (*vendor, OTHER_EVENT_TYPE));
        for (vendor, event_type) in tables.event_types.iter().copied().chain(others) {
            for kind in tables.drift {
                counter.with_label_values(&[vendor, event_type, kind]);
            }
        }
        DriftBook { counter, event_types: tables.event_types, book: Mutex::default() }
    }

    pub fn note(&self, seen: &[Sighting<'_>]) {
        // Nearly always; then nothing is locked.
        if seen.is_empty() {
            return;
        }
        let Ok(mut book) = self.book.lock() else { return };
        for one in seen {
            let types = book.kinds.entry((one.vendor, one.kind)).or_default();
            let known = types.get_mut(one.event_type);
            match known.and_then(|of_type| Some((&of_type.counter, of_type.places.get_mut(one.path)?))) {
                Some((counter, seen)) => {
                    counter.inc();
                    seen.note(one.at_ms);
                }
                None => self.note_new(&mut book, one),
            }
        }
    }

    fn note_new(&self, book: &mut Book, one: &Sighting<'_>) {
        let is_known = self.event_types.contains(&(one.vendor, one.event_type));
        let label = if is_known { one.event_type } else { OTHER_EVENT_TYPE };
        let counter = self.counter.with_label_values(&[one.vendor, label, one.kind]);
        counter.inc();
        if book.places >= MOST_PLACES {
            book.beyond += 1;
            return;
        }
        book.places += 1;
        let types = book.kinds.entry((one.vendor, one.kind)).or_default();
        let of_type = types.entry(one.event_type.to_owned());
        let of_type = of_type.or_insert_with(|| OfType { counter, places: BTreeMap::new() });
        of_type.places.entry(one.path.to_owned()).or_default().note(one.at_ms);
    }

    pub fn seen(&self) -> SeenDrift {
        let Ok(book) = self.book.lock() else { return SeenDrift::default() };
        let mut seen = Vec::new();
        for (&(vendor, kind), types) in &book.kinds {
            for (event_type, of_type) in types {
                seen.extend(of_type.places.iter().map(|(path, seen)| Place {
                    vendor,
                    event_type: event_type.clone(),
                    kind,
                    path: path.clone(),
                    webhooks: seen.webhooks,
                    first_ms: seen.first_ms,
                    last_ms: seen.last_ms,
                }));
            }
        }
        // What is seen alike stands in the order of its name.
        fn rank(place: &Place) -> (std::cmp::Reverse<u64>, &str, &str, &str, &str) {
            let webhooks = std::cmp::Reverse(place.webhooks);
            (webhooks, place.vendor, &place.event_type, place.kind, &place.path)
        }
        seen.sort_by(|one, other| rank(one).cmp(&rank(other)));
        SeenDrift { seen, beyond: book.beyond }
    }
}

impl Seen {
    fn note(&mut self, at_ms: Option<i64>) {
        self.webhooks += 1;
        self.first_ms = self.first_ms.into_iter().chain(at_ms).min();
        self.last_ms = self.last_ms.into_iter().chain(at_ms).max();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::Opts;

    fn book() -> DriftBook {
        let tables = Tables {
            vendors: &["bold"],
            entities: &[],
            actions: &[],
            rules: &[],
            codes: &[],
            event_types: &[("bold", "order.saved")],
            drift: &["new_path", "new_event_type"],
            fatal_codes: &[],
            troubles: &[],
        };
        let counter = IntCounterVec::new(Opts::new("drift", "drift"), &["vendor", "event_type", "kind"]);
        DriftBook::new(counter.expect("a counter"), &tables)
    }

    fn new_path<'s>(event_type: &'s str, path: &'s str, at_ms: i64) -> Sighting<'s> {
        Sighting { vendor: "bold", event_type, kind: "new_path", path, at_ms: Some(at_ms) }
    }

    #[test]
    fn a_place_is_listed_once_with_its_first_and_last_time() {
        let book = book();
        book.note(&[new_path("order.saved", "/data/x", 20), new_path("order.saved", "/data/y", 30)]);
        book.note(&[new_path("order.saved", "/data/y", 10)]);
        let SeenDrift { seen, beyond } = book.seen();
        assert_eq!((seen.len(), beyond), (2, 0));
        assert_eq!(
            (&*seen[0].path, seen[0].webhooks, seen[0].first_ms, seen[0].last_ms),
            ("/data/y", 2, Some(10), Some(30))
        );
        assert_eq!(book.counter.with_label_values(&["bold", "order.saved", "new_path"]).get(), 3);
    }

    #[test]
    fn neither_the_list_nor_the_labels_grow_without_bound() {
        let book = book();
        for nth in 0..MOST_PLACES + 5 {
            let name = format!("own.{nth}");
            book.note(&[new_path(&name, "", 1)]);
        }
        assert_eq!((book.seen().seen.len(), book.seen().beyond), (MOST_PLACES, 5));
        assert_eq!(
            book.counter.with_label_values(&["bold", OTHER_EVENT_TYPE, "new_path"]).get(),
            MOST_PLACES as u64 + 5
        );
    }
}
