//! BSPK clienteling webhooks: `{"event_name": "<entity>.<action>", "object": {…}}`.
//!
//! Four things here surprise people:
//!
//! * `client.*` is the old name of `shopper.*`. A subscriber to both gets every change twice, with the same id and the
//!   same `updated_at`, so the pair falls on one record.
//! * A cart's shopper has no BSPK id, only the merchant's `ref`, which is null until the shopper is linked.
//! * What a deletion carries is not documented: anything from the id alone to the whole object.
//! * A metafield event has no clock, and its owner may be something that the model has no place for.
//!
//! Knows neither Kafka, nor Avro, nor metrics, nor the clock, nor any other vendor.

mod cart;
mod customer;
mod metafield;

use super::cursor::Node;
use super::documents::Documents;
use super::{Envelope, EventType, Ignore, Mapping, OnceIgnored, Route, Unit, Vendor, event_type, present};
use crate::canonical::{Action, Coverage};
use crate::reject::Reject;
use std::borrow::Cow;
use std::sync::LazyLock;

pub static BSPK: Vendor = Vendor {
    name: "bspk",
    recognises,
    open,
    events: EVENTS,
    released: &[],
    documents: &DOCUMENTS,
    drops: &[],
    once_ignored: ONCE_IGNORED,
};

const ONCE_IGNORED: &[OnceIgnored] = &[OnceIgnored {
    rule: "component_pending",
    events: &["metafield.created", "metafield.deleted", "metafield.updated"],
}];

static DOCUMENTS: LazyLock<Documents> = LazyLock::new(|| Documents::of(include_str!("documents.txt")));

const EVENTS: &[EventType] = &[
    EventType { name: "cart.created", route: CART_CREATED },
    EventType { name: "client.created", route: customer(Action::Created) },
    EventType { name: "client.deleted", route: customer(Action::Deleted) },
    EventType { name: "client.updated", route: customer(Action::Updated) },
    EventType { name: "file_import.finished", route: Route::Ignore(Ignore::BackOffice) },
    EventType { name: "metafield.created", route: metafield(Action::Created) },
    EventType { name: "metafield.deleted", route: metafield(Action::Deleted) },
    EventType { name: "metafield.updated", route: metafield(Action::Updated) },
    EventType { name: "shopper.created", route: customer(Action::Created) },
    EventType { name: "shopper.deleted", route: customer(Action::Deleted) },
    EventType { name: "shopper.updated", route: customer(Action::Updated) },
];

const CART_CREATED: Route = Route::Map(Mapping { action: Action::Created, map: cart::map });

const fn customer(action: Action) -> Route {
    Route::Map(Mapping { action, map: customer::map })
}

const fn metafield(action: Action) -> Route {
    Route::MapOrIgnore(action, metafield::map)
}

fn recognises(body: Node<'_>) -> bool {
    body.has("event_name") && body.has("object")
}

/// No event id, no time of the event, no shop: all that an envelope says is the event's name. The mapping starts from
/// the whole body, so that an unknown event is called unknown whatever its `object` looks like.
fn open<'a>(unit: &Unit<'a>) -> Result<Envelope<'a>, Reject> {
    let (event_type, event_type_at) = event_type(unit, "event_name")?;
    Ok(Envelope {
        event_type,
        event_type_at,
        event_id: None,
        occurred_at: None,
        shop: None,
        api_version: None,
        data: unit.body,
    })
}

/// How much of the entity a body says. One that names none of `fields` has nothing but ids and times (`ids_and_times`
/// with their canonical paths): read as the whole entity, it would empty the rest.
fn coverage(
    object: Node<'_>,
    fields: &[&str],
    ids_and_times: &[(&'static str, &'static str)],
    action: Action,
) -> Result<(Coverage, Cow<'static, [&'static str]>), Reject> {
    if object.entries()?.any(|(key, _)| fields.contains(&key)) {
        return Ok((Coverage::Snapshot, Cow::Borrowed(&[])));
    }
    Ok(match action {
        Action::Deleted => (Coverage::KeyOnly, Cow::Borrowed(&[])),
        _ => (Coverage::Patch, present(object, ids_and_times)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vendors::testing::{translate, translate_with};
    use serde_json::json;

    #[test]
    fn events_are_sorted_by_name() {
        assert!(EVENTS.is_sorted_by(|a, b| a.name < b.name));
    }

    #[test]
    fn an_event_type_beside_the_body_may_stand_in_and_not_contradict() {
        let named = json!({"event_name": "shopper.created", "object": {"id": 1}});
        let nameless = json!({"object": {"id": 1}});
        let header = |name| [("koine-event-type", name)];
        assert_eq!(translate_with(&BSPK, &header("shopper.created"), &named)["meta"]["action"], "CREATED");
        assert_eq!(translate_with(&BSPK, &header("shopper.deleted"), &nameless)["meta"]["action"], "DELETED");
        assert_eq!(
            translate_with(&BSPK, &header("shopper.deleted"), &named),
            json!({"refused": "envelope.conflict", "at": "/event_name"})
        );
    }

    #[test]
    fn an_unknown_event_is_unknown_whatever_its_object_is() {
        let refused = json!({"refused": "event.unknown", "at": "/event_name"});
        for object in [json!({"id": 1}), json!([]), json!(null)] {
            assert_eq!(translate(&BSPK, &json!({"event_name": "cart.updated", "object": object})), refused);
        }
    }

    #[test]
    fn an_event_without_its_object_is_refused() {
        for body in [json!({"event_name": "cart.created"}), json!({"event_name": "cart.created", "object": null})] {
            assert_eq!(translate(&BSPK, &body), json!({"refused": "field.missing", "at": "/object"}));
        }
    }
}
