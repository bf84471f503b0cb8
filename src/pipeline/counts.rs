//! Counts what became of a batch, once it is committed. The one place that turns an outcome into numbers.

use super::batch::{Batch, UnitKind};
use super::courier::GIVEN_UP;
use super::service::Plan;
use crate::canonical::{Action, EntityKind};
use crate::kafka::{self, Trouble};
use crate::reject::Code;
use crate::telemetry::{
    Emitted, Link, Metrics, OTHER_EVENT_TYPE, Sighting, Span, Tables, Tally, TopicSlot, Traces, UNKNOWN_VENDOR, Value,
};
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
        fatal_codes: lent(kafka::fatal_codes().map(str::to_owned)),
        troubles: lent(Trouble::KINDS.into_iter().chain([GIVEN_UP]).map(str::to_owned)),
        drift: lent(DriftKind::ALL.iter().map(|kind| kind.as_str().to_owned())),
        vendors: lent(VENDORS.iter().map(|vendor| vendor.name.to_owned())),
        entities: lent(EntityKind::ALL.iter().map(|kind| kind.as_lower().to_owned())),
        actions: lent(Action::ALL.iter().map(|action| action.as_str().to_ascii_lowercase())),
        rules: lent(Ignore::ALL.iter().map(|rule| rule.as_str().to_owned())),
        codes: Code::ALL.iter().map(|code| (code.as_str(), code.class().as_str())).collect::<Vec<_>>().leak(),
    })
}

/// Counts a batch that is committed.
pub fn count(batch: &Batch<'_>, tally: &mut Tally, plan: &Plan) {
    let Plan { metrics, outputs, .. } = plan;
    let now = now();
    count_records(batch, tally, metrics, now);
    for unit in &batch.units {
        match &unit.kind {
            UnitKind::Event(event) => {
                if let (Some(vendor), Some(entity), Some(action)) =
                    (vendor(event.vendor), place(&EntityKind::ALL, event.entity), place(Action::ALL, event.action))
                {
                    tally.event(&Emitted {
                        vendor,
                        event_type: event.event_type,
                        entity,
                        action,
                        unmapped: event.unmapped,
                        happened: event.happened_ms.map(|at| (at, between(at, now))),
                    });
                }
                tally.produced(batch.value(event).len());
                metrics.message_sent(outputs.canonical(event.entity));
            }
            UnitKind::Ignored(ignored) => {
                if let (Some(vendor), Some(rule)) = (vendor(ignored.vendor), place(Ignore::ALL, ignored.rule)) {
                    tally.ignored(vendor, ignored.event_type, rule);
                }
            }
            UnitKind::PassedOver => tally.passed_over(),
            UnitKind::DeadLetter(letter) => {
                let event_type = letter.letter.event_type.as_deref().unwrap_or(OTHER_EVENT_TYPE);
                if let Some(code) = place(Code::ALL, letter.letter.code) {
                    tally.dead_letter(letter.letter.vendor.and_then(vendor), event_type, code);
                }
                batch.with_raw(unit, |raw| {
                    tally.produced(raw.value.filter(|_| letter.form.value).map_or(0, <[u8]>::len));
                    if metrics.has_messaging() {
                        metrics.message_sent(&outputs.dead_letter(raw.topic));
                    }
                });
            }
        }
    }
    metrics.drift(&drift(batch));
    if let Some(traces) = &plan.traces {
        trace(batch, traces, &plan.group, now);
    }
    tally.add_to(metrics);
    metrics.batch(batch.len());
}

/// The raw records, each with the vendor of its first webhook.
fn count_records(batch: &Batch<'_>, tally: &mut Tally, metrics: &Metrics, now: i64) {
    let mut slot: Option<(&str, TopicSlot)> = None;
    for (record, first, spent) in batch.records_with_first() {
        let topic = record.topic();
        let (_, place) = match slot {
            Some(known) if known.0 == topic => known,
            _ => *slot.insert((topic, tally.topic(topic))),
        };
        let vendor = match first {
            Some(UnitKind::Event(event)) => vendor(event.vendor),
            Some(UnitKind::Ignored(ignored)) => vendor(ignored.vendor),
            Some(UnitKind::DeadLetter(letter)) => letter.letter.vendor.and_then(vendor),
            Some(UnitKind::PassedOver) | None => None,
        };
        let age = record.timestamp_ms().map(|at| between(at, now));
        tally.consumed(place, vendor, record.value().map_or(0, <[u8]>::len), age, spent);
        let error = match first {
            Some(UnitKind::DeadLetter(letter)) => Some(letter.letter.code.as_str()),
            _ => None,
        };
        metrics.message_consumed(topic, record.partition(), spent.whole(), error);
    }
}

/// A span for those records that have one: from when its translation began to the commit. Each is the first of a trace of its own,
/// since a batch is many producers'; to that of its producer it is linked.
fn trace(batch: &Batch<'_>, traces: &Traces, group: &str, now: i64) {
    let end_nanos = u64::try_from(now).unwrap_or_default().saturating_mul(1_000_000);
    for (record, first, spent) in batch.records_with_first() {
        let mut link = None;
        record.each_header(|name, value| {
            if name == "traceparent" {
                link = value.and_then(Link::parse);
            }
        });
        if !traces.takes(link, record.offset()) {
            continue;
        }
        let (vendor, event_type, outcome, error) = match first {
            Some(UnitKind::Event(event)) => (event.vendor, event.event_type, "event", None),
            Some(UnitKind::Ignored(ignored)) => (ignored.vendor, ignored.event_type, "ignored", None),
            Some(UnitKind::DeadLetter(letter)) => {
                let letter = &letter.letter;
                let event_type = letter.event_type.as_deref().unwrap_or(OTHER_EVENT_TYPE);
                (letter.vendor.unwrap_or(UNKNOWN_VENDOR), event_type, "dead_letter", Some(letter.code.as_str()))
            }
            Some(UnitKind::PassedOver) | None => continue,
        };
        let text = |text: &str| Value::Text(text.to_owned());
        let took = spent.begun.map(|begun| begun.elapsed()).unwrap_or_default();
        let (trace_id, span_id) = traces.ids();
        traces.push(Span {
            trace_id,
            span_id,
            name: format!("process {}", record.topic()),
            start_nanos: end_nanos.saturating_sub(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)),
            end_nanos,
            attributes: vec![
                ("messaging.system", text("kafka")),
                ("messaging.operation.name", text("process")),
                ("messaging.operation.type", text("process")),
                ("messaging.destination.name", text(record.topic())),
                ("messaging.destination.partition.id", text(&record.partition().to_string())),
                ("messaging.consumer.group.name", text(group)),
                ("messaging.kafka.offset", Value::Whole(record.offset())),
                ("messaging.kafka.message.tombstone", Value::Flag(record.value().is_none())),
                ("messaging.batch.message_count", Value::Whole(batch.len() as i64)),
                ("koine.vendor", text(vendor)),
                ("koine.event.type", text(event_type)),
                ("koine.outcome", text(outcome)),
            ],
            link,
            error,
        });
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
                let at_ms = batch.timestamp_ms(unit);
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
            let at_ms = batch.timestamp_ms(unit);
            let sighting = |kind: DriftKind, path| Sighting { vendor, event_type, kind: kind.as_str(), path, at_ms };
            seen.extend(drift.iter().map(|drift| sighting(drift.kind, &*drift.path)));
        }
    }
    seen
}

/// Milliseconds since 1970.
#[allow(clippy::disallowed_methods, reason = "latency is told by the clock")]
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as i64)
}

/// How long before now a time is; 0 for one that is yet to come.
fn between(at: i64, now: i64) -> Duration {
    Duration::from_millis(u64::try_from(now.saturating_sub(at)).unwrap_or_default())
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
        assert_eq!(
            place(Code::ALL, Code::RecordRefused).map(|nth| tables.codes[nth]),
            Some(("record.refused", "limit"))
        );
        // The tally finds an event type by looking it up in a sorted stretch of each vendor.
        for vendor in tables.vendors {
            let theirs = || tables.event_types.iter().filter(|(owner, _)| owner == vendor);
            assert!(theirs().is_sorted() && theirs().count() > 0, "{vendor}");
        }
        assert!(tables.event_types.chunk_by(|one, other| one.0 == other.0).count() == tables.vendors.len());
    }
}
