//! Counts what became of a batch, once it is committed. The one place that turns an outcome into numbers.

use super::batch::{Batch, UnitKind};
use crate::canonical::{Action, EntityKind};
use crate::reject::Code;
use crate::telemetry::{Metrics, OTHER_EVENT_TYPE, Sighting, Tables, Tally, TopicSlot, UNKNOWN_VENDOR};
use crate::translate::DriftKind;
use crate::vendors::{Ignore, VENDORS};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The closed sets of label values, in the orders that the counting goes by.
pub fn tables() -> Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    fn lent(words: impl IntoIterator<Item = String>) -> &'static [&'static str] {
        // Once in a process; labels live as long as it does.
        let words: Vec<&'static str> = words.into_iter().map(|word| &*word.leak()).collect();
        words.leak()
    }
    let event_types = VENDORS.iter().flat_map(|vendor| vendor.events.iter().map(|event| (vendor.name, event.name)));
    *TABLES.get_or_init(|| Tables {
        event_types: event_types.collect::<Vec<_>>().leak(),
        drift: lent(DriftKind::ALL.iter().map(|kind| kind.as_str().to_owned())),
        vendors: lent(VENDORS.iter().map(|vendor| vendor.name.to_owned())),
        entities: lent(EntityKind::ALL.iter().map(|kind| kind.as_lower().to_owned())),
        actions: lent(Action::ALL.iter().map(|action| action.as_str().to_ascii_lowercase())),
        rules: lent(Ignore::ALL.iter().map(|rule| rule.as_str().to_owned())),
        codes: lent(Code::ALL.iter().map(|code| code.as_str().to_owned())),
    })
}

/// Counts a batch that is committed.
pub fn count(batch: &Batch<'_>, tally: &mut Tally, metrics: &Metrics) {
    let mut slot: Option<(&str, TopicSlot)> = None;
    for record in batch.records() {
        let topic = record.topic();
        let (_, place) = match slot {
            Some(known) if known.0 == topic => known,
            _ => *slot.insert((topic, tally.topic(metrics, topic))),
        };
        tally.consumed(place, record.value().map_or(0, <[u8]>::len));
    }
    for unit in &batch.units {
        match &unit.kind {
            UnitKind::Event(event) => {
                if let (Some(vendor), Some(entity), Some(action)) =
                    (vendor(event.vendor), place(&EntityKind::ALL, event.entity), place(Action::ALL, event.action))
                {
                    tally.event(vendor, entity, action);
                }
                tally.produced(batch.value(event).len());
            }
            UnitKind::Ignored(ignored) => {
                if let (Some(vendor), Some(rule)) = (vendor(ignored.vendor), place(Ignore::ALL, ignored.rule)) {
                    tally.ignored(vendor, rule);
                }
            }
            UnitKind::PassedOver => tally.passed_over(),
            UnitKind::DeadLetter(letter) => {
                if let Some(code) = place(Code::ALL, letter.letter.code) {
                    tally.dead_letter(letter.letter.vendor.and_then(vendor), code);
                }
                let value = batch.with_raw(unit, |raw| raw.value.map_or(0, <[u8]>::len));
                tally.produced(value.filter(|_| letter.form.value).unwrap_or(0));
            }
        }
    }
    metrics.drift(&drift(batch));
    tally.add_to(metrics);
    metrics.batch(batch.len(), batch.translating());
    if let Some(oldest) = batch.oldest_ms() {
        metrics.committed(since(oldest));
    }
}

/// What is not as its page says, each of it once for each webhook.
fn drift<'b>(batch: &'b Batch<'_>) -> Vec<Sighting<'b>> {
    let mut seen = Vec::new();
    for unit in &batch.units {
        let (vendor, event_type, drift) = match &unit.kind {
            UnitKind::Event(event) => (event.vendor, event.event_type, event.drift.as_slice()),
            UnitKind::DeadLetter(letter) if letter.letter.code == Code::EventUnknown => {
                let vendor = letter.letter.vendor.unwrap_or(UNKNOWN_VENDOR);
                let name = letter.letter.event_type.as_deref().unwrap_or(OTHER_EVENT_TYPE);
                let at_ms = batch.with_raw(unit, |raw| raw.timestamp_ms).flatten();
                seen.push(Sighting {
                    vendor,
                    event_type: name,
                    kind: DriftKind::NewEventType.as_str(),
                    path: "",
                    at_ms,
                });
                continue;
            }
            _ => continue,
        };
        if !drift.is_empty() {
            let at_ms = batch.with_raw(unit, |raw| raw.timestamp_ms).flatten();
            let sighting = |kind: DriftKind, path| Sighting { vendor, event_type, kind: kind.as_str(), path, at_ms };
            seen.extend(drift.iter().map(|drift| sighting(drift.kind, &*drift.path)));
        }
    }
    seen
}

/// How long ago a time is; 0 for one that is yet to come.
#[allow(clippy::disallowed_methods, reason = "latency is told by the clock")]
fn since(millis: i64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(Duration::from_millis(u64::try_from(millis).unwrap_or_default()))
}

fn vendor(name: &str) -> Option<usize> {
    VENDORS.iter().position(|vendor| vendor.name == name)
}

fn place<T: PartialEq + Copy>(all: &[T], one: T) -> Option<usize> {
    all.iter().position(|other| *other == one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_a_label() {
        let tables = tables();
        assert_eq!(tables.vendors, ["spree", "bspk", "composer", "bold"]);
        assert_eq!(tables.entities, ["customer", "cart", "order", "product"]);
        assert_eq!(tables.codes.len(), Code::ALL.len());
        assert!(tables.actions.iter().all(|action| action.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
        assert_eq!(place(Code::ALL, Code::RecordRefused).map(|nth| tables.codes[nth]), Some("record.refused"));
    }
}
