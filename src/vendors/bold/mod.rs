//! Bold's platform connector: what a shop's platform tells Bold, `{"data": {"<entity>": {…}}}`.
//!
//! Four things here surprise people:
//!
//! * No name of the event is in the body: the key under `data` is the entity, and whether it was saved or deleted is
//!   told by which of its two clocks is there. The shop is only in the path of the URL.
//! * What is left out is not null: "Bold ignores and does not update the fields omitted". So everything that is saved
//!   is a PATCH, and `meta.present` lists what was said.
//! * A list that is there is the whole list; PHP writes an empty map as an empty list.
//! * Bold's other APIs have the same nouns with other shapes (ids as objects, money in cents). They are not this one.
//!
//! Knows neither Kafka, nor Avro, nor metrics, nor the clock, nor any other vendor.

mod category;
mod customer;
mod order;
mod product;
mod shared;

use super::cursor::{Node, Rule, Why};
use super::documents::Documents;
use super::{Envelope, EventType, Mapped, Mapping, OnceIgnored, Route, Unit, Vendor};
use crate::canonical::{Action, Text};
use crate::reject::{Code, Reject};
use std::sync::LazyLock;

pub static BOLD: Vendor = Vendor {
    name: "bold",
    recognises,
    open,
    events: EVENTS,
    released: &[],
    documents: &DOCUMENTS,
    drops: DROPS,
    once_ignored: ONCE_IGNORED,
};

static DOCUMENTS: LazyLock<Documents> = LazyLock::new(|| Documents::of(include_str!("documents.txt")));

const ONCE_IGNORED: &[OnceIgnored] =
    &[OnceIgnored { rule: "component_pending", events: &["category.deleted", "category.saved"] }];

const DROPS: &[Rule] = &[
    // The handle of Bold's checkout API, among an order's `custom_attributes`.
    Rule::new("bold_cashier_public_order_id", Why::Secret),
    // The platform's raw payment data, with whatever nonces it holds.
    Rule::under("payments", "custom_attributes", Why::Secret),
];

/// The names are ours: Bold has none.
const EVENTS: &[EventType] = &[
    EventType { name: "category.deleted", route: deleted(category::category) },
    EventType { name: "category.saved", route: saved(category::category) },
    EventType { name: "customer.deleted", route: deleted(customer::deleted) },
    EventType { name: "customer.saved", route: saved(customer::saved) },
    EventType { name: "order.deleted", route: deleted(order::deleted) },
    EventType { name: "order.saved", route: saved(order::saved) },
    EventType { name: "product.deleted", route: deleted(product::deleted) },
    EventType { name: "product.saved", route: saved(product::saved) },
];

type Map = for<'a> fn(&Envelope<'a>, Action) -> Result<Mapped<'a>, Reject>;

const fn saved(map: Map) -> Route {
    Route::Map(Mapping { action: Action::Saved, map })
}

const fn deleted(map: Map) -> Route {
    Route::Map(Mapping { action: Action::Deleted, map })
}

/// One of the four things that `data` may hold.
struct Family {
    key: &'static str,
    /// As it stands in the path.
    plural: &'static str,
    saved: &'static str,
    deleted: &'static str,
}

const FAMILIES: [Family; 4] = [
    Family { key: "order", plural: "orders", saved: "order.saved", deleted: "order.deleted" },
    Family { key: "product", plural: "products", saved: "product.saved", deleted: "product.deleted" },
    Family { key: "customer", plural: "customers", saved: "customer.saved", deleted: "customer.deleted" },
    Family { key: "category", plural: "categories", saved: "category.saved", deleted: "category.deleted" },
];

fn recognises(body: Node<'_>) -> bool {
    let is_named = ["name", "eventType", "event_name"].into_iter().any(|key| body.has(key));
    !is_named && body.value("data").is_ok_and(|data| FAMILIES.iter().any(|family| data.has(family.key)))
}

fn open<'a>(unit: &Unit<'a>) -> Result<Envelope<'a>, Reject> {
    let data = unit.body.child("data")?;
    if data.is_nowhere() {
        return Err(unit.body.missing("data", Code::EnvelopeMissing));
    }
    let mut found = None;
    for family in &FAMILIES {
        let is_there = !data.value(family.key)?.is_nowhere();
        if is_there && found.replace(family).is_some() {
            return Err(data.refuse(Code::EnvelopeConflict));
        }
    }
    let Some(family) = found else {
        // One that is named and null is the one that is missing.
        let named = FAMILIES.iter().find(|family| data.has(family.key));
        return Err(named.map_or_else(
            || data.refuse(Code::EnvelopeMissing),
            |family| data.missing(family.key, Code::EnvelopeMissing),
        ));
    };
    let entity = data.child(family.key)?;
    // A deletion whose time is null lacks that time.
    let is_deleted = !entity.value("platform_deleted_at")?.is_nowhere()
        || entity.has("platform_deleted_at") && !entity.has("platform_updated_at");
    let (clock, event_type, operation) = match is_deleted {
        true => ("platform_deleted_at", family.deleted, "deleted"),
        false => ("platform_updated_at", family.saved, "saved"),
    };
    if entity.value(clock)?.is_nowhere() {
        return Err(entity.missing(clock, Code::EnvelopeMissing));
    }
    let url = unit.path.map(Url::read).unwrap_or_default();
    let beside = unit.event_type.map(|name| name.rsplit_once(['/', '.']).unwrap_or((name, "")));
    let agrees = |entities: &str, said: &str| {
        let entities = entities.rsplit(['/', '.']).next().unwrap_or_default();
        (entities == family.key || entities == family.plural) && said == operation
    };
    if [url.event, beside].into_iter().flatten().any(|(entities, said)| !agrees(entities, said)) {
        return Err(entity.refuse(Code::EnvelopeConflict));
    }
    Ok(Envelope {
        event_type: Text::Borrowed(event_type),
        event_type_at: entity,
        event_id: None,
        occurred_at: None,
        shop: url.shop.map(Text::Borrowed),
        api_version: None,
        data: entity,
    })
}

/// What the URL that a webhook was sent to says of it.
#[derive(Default)]
struct Url<'a> {
    shop: Option<&'a str>,
    /// Entities and operation, such as `orders` and `saved`.
    event: Option<(&'a str, &'a str)>,
}

impl<'a> Url<'a> {
    /// Reads `/orders/v1/shops/{shop}/platforms/custom/webhooks/orders/saved`, with whatever a gateway put around it.
    /// A gateway's own path (`/webhooks/bold`) says nothing of the event.
    fn read(path: &'a str) -> Url<'a> {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let mut steps = path.split('/').filter(|step| !step.is_empty());
        let mut url = Url::default();
        while let Some(step) = steps.next() {
            match step {
                "shops" => url.shop = steps.next(),
                "webhooks" => {
                    let event = steps.next().zip(steps.next());
                    url.event = event.filter(|(_, operation)| matches!(*operation, "saved" | "deleted"));
                }
                _ => {}
            }
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vendors::testing::{translate, translate_with};
    use serde_json::{Value, json};

    const CLOCK: &str = "2024-01-01T00:00:00Z";

    fn order() -> Value {
        json!({"data": {"order": {"platform_id": "1", "platform_updated_at": CLOCK}}})
    }

    #[test]
    fn events_are_sorted_by_name_and_families_name_them_all() {
        assert!(EVENTS.is_sorted_by(|a, b| a.name < b.name));
        for family in &FAMILIES {
            assert!(BOLD.event(family.saved).is_some() && BOLD.event(family.deleted).is_some(), "{}", family.key);
        }
    }

    #[test]
    fn the_shop_is_in_the_path() {
        let shop =
            |path: &str| translate_with(&BOLD, &[("koine-path", path)], &order())["meta"]["source"]["shop"].clone();
        assert_eq!(shop("/orders/v1/shops/abc123/platforms/custom/webhooks/orders/saved"), "abc123");
        assert_eq!(
            shop("https://x.example/in/orders/v1/shops/webhooks/platforms/custom/webhooks/orders/saved/?a=b"),
            "webhooks"
        );
        assert_eq!(shop("/anything/else"), "default");
        let told = [("koine-path", "/orders/v1/shops/abc123/x"), ("koine-shop", "eu")];
        assert_eq!(translate_with(&BOLD, &told, &order())["meta"]["source"]["shop"], "eu");
    }

    #[test]
    fn a_path_or_event_type_that_disagrees_with_the_body_is_a_conflict() {
        let conflict = json!({"refused": "envelope.conflict", "at": "/data/order"});
        let webhooks = |rest: &str| format!("/orders/v1/shops/s/platforms/custom/webhooks{rest}");
        for rest in ["/orders/deleted", "/products/saved", "/carts/saved"] {
            assert_eq!(translate_with(&BOLD, &[("koine-path", &webhooks(rest))], &order()), conflict, "{rest}");
        }
        for path in [
            "/webhooks/bold",
            "/webhooks/bold/orders/v1",
            "/webhooks/orders",
            "/webhooks",
            "",
            &webhooks("/orders/saved"),
        ] {
            assert_eq!(translate_with(&BOLD, &[("koine-path", path)], &order())["meta"]["action"], "SAVED", "{path}");
        }
        for name in ["order.deleted", "orders/deleted", "customer.saved", "saved", "order"] {
            assert_eq!(translate_with(&BOLD, &[("koine-event-type", name)], &order()), conflict, "{name}");
        }
        for name in ["order.saved", "orders/saved", "orders.saved", &webhooks("/orders/saved")] {
            let out = translate_with(&BOLD, &[("koine-event-type", name)], &order());
            assert_eq!(out["meta"]["source"]["event_type"], "order.saved", "{name}");
        }
    }

    #[test]
    fn the_body_names_one_entity_and_one_operation() {
        let refused = |code: &str, at: &str| json!({"refused": code, "at": at});
        let one = json!({"platform_id": "1", "platform_updated_at": CLOCK});
        for (data, told) in [
            (json!(null), refused("envelope.missing", "/data")),
            (json!({}), refused("envelope.missing", "/data")),
            (json!({"cart": one}), refused("envelope.missing", "/data")),
            (json!({"order": null}), refused("envelope.missing", "/data/order")),
            (json!([]), refused("field.type", "/data")),
            (json!({"order": one, "product": one}), refused("envelope.conflict", "/data")),
            (json!({"order": {"platform_id": "1"}}), refused("envelope.missing", "/data/order/platform_updated_at")),
            (
                json!({"order": {"platform_id": "1", "platform_deleted_at": null}}),
                refused("envelope.missing", "/data/order/platform_deleted_at"),
            ),
            (
                json!({"order": {"platform_id": "1", "platform_updated_at": null, "platform_deleted_at": null}}),
                refused("envelope.missing", "/data/order/platform_updated_at"),
            ),
            (
                json!({"category": {"platform_updated_at": CLOCK}}),
                refused("field.missing", "/data/category/platform_id"),
            ),
        ] {
            assert_eq!(translate(&BOLD, &json!({"data": data})), told, "{data}");
        }
        let both = json!({"platform_id": "1", "platform_updated_at": CLOCK, "platform_deleted_at": CLOCK});
        assert_eq!(translate(&BOLD, &json!({"data": {"order": both, "note": 1}}))["meta"]["action"], "DELETED");
        let undone = json!({"platform_id": "1", "platform_updated_at": CLOCK, "platform_deleted_at": null});
        let out = translate(&BOLD, &json!({"data": {"order": undone}}));
        assert_eq!(out["meta"]["action"], "SAVED");
        assert_eq!(out["meta"]["present"], json!(["updated_at", "deleted_at"]));
    }
}
