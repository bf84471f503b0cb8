//! `metafield.*` → an attribute of whatever owns it; and how metafields are read wherever they stand. Knows neither Kafka,
//! nor Avro, nor metrics, nor the clock, nor any other vendor.

use super::super::cursor::Node;
use super::super::{Envelope, Found, Ignore, Mapped, add_attribute, present};
use crate::canonical::{Action, Attributes, Cart, Component, Coverage, Customer, Entity, Order, Product, Text};
use crate::reject::{Code, Reject};

/// The owner's type says what it is about. Only `Shopper` is documented, by way of example.
pub(super) fn map<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Found<'a>, Reject> {
    let field = envelope.data.require_child("object")?;
    let id = field.require_id("id")?;
    let owner = field.id("owner_type")?.ok_or_else(|| field.missing("owner_type", Code::FieldMissing))?;
    let entity = match &*owner {
        // `client` is the old name of `shopper`.
        "Shopper" | "Client" => {
            let (id, external_id, attributes) = owned(field)?;
            Entity::Customer(Box::new(Customer { id, external_id, attributes, ..Customer::default() }))
        }
        "Cart" => {
            let (id, external_id, attributes) = owned(field)?;
            Entity::Cart(Box::new(Cart { id, external_id, attributes, ..Cart::default() }))
        }
        "Order" => {
            let (id, external_id, attributes) = owned(field)?;
            Entity::Order(Box::new(Order { id, external_id, attributes, ..Order::default() }))
        }
        "Product" => {
            let (id, external_id, attributes) = owned(field)?;
            Entity::Product(Box::new(Product { id, external_id, attributes, ..Product::default() }))
        }
        _ => return Ok(Err(Ignore::NoCanonicalEntity)),
    };
    Ok(Ok(Mapped {
        entity,
        action,
        coverage: Coverage::Component,
        present: present(field, &[("owner_ref", "external_id"), ("id", "attributes")]),
        component: Some(Component { kind: Text::Borrowed("metafield"), id: Some(id), name: read_name(field)? }),
        // 2, then 1, then 2 again is three events, and the first and the last have the same bytes.
        clock: None,
        is_identified_by_body: false,
    }))
}

/// The owner's id, the back office's id of it, and what is noted of it.
fn owned(field: Node<'_>) -> Result<(Option<Text<'_>>, Option<Text<'_>>, Attributes<'_>), Reject> {
    let mut attributes = Attributes::default();
    add_to(&mut attributes, field)?;
    Ok((field.id("owner_id")?, field.id("owner_ref")?, attributes))
}

/// The name under which the owner has it among its attributes. Of one that was deleted, or whose value is a secret, it
/// is all that there is.
fn read_name(field: Node<'_>) -> Result<Option<Text<'_>>, Reject> {
    let name = name(field)?;
    if name.is_some() {
        field.text("namespace")?;
        field.text("key")?;
    }
    Ok(name)
}

/// `namespace.key`, or the key alone, without reading them.
fn name(field: Node<'_>) -> Result<Option<Text<'_>>, Reject> {
    let Some(key) = field.look("key")? else { return Ok(None) };
    Ok(Some(match field.look("namespace")? {
        Some(namespace) => Text::Owned(format!("{namespace}.{key}")),
        None => key,
    }))
}

/// `namespace.key` → `value`, or the JSON text of `json_value`. One that makes no attribute (without a key, without a
/// value, of a name that is taken) stays unread, so that its name is kept too.
pub(super) fn add_to<'a>(attributes: &mut Attributes<'a>, field: Node<'a>) -> Result<(), Reject> {
    let (Some(key), Some(name)) = (field.look("key")?, name(field)?) else { return Ok(()) };
    // Here the name that tells of a secret stands in a value, where the rules do not look. All else in it may be the secret.
    if field.is_dropped_as(&key) || field.is_dropped_as(&name) {
        field.entries()?.filter(|(key, _)| !NAMES.contains(key)).for_each(|(_, value)| value.skip());
        return Ok(());
    }
    let (value, json_value) = (field.value("value")?, field.value("json_value")?);
    if add_attribute(attributes, name, if value.is_nowhere() { json_value } else { value })? {
        field.text("namespace")?;
        field.text("key")?;
    }
    Ok(())
}

/// What names a metafield, or its owner.
const NAMES: [&str; 6] = ["id", "namespace", "key", "owner_type", "owner_id", "owner_ref"];

#[cfg(test)]
mod tests {
    use super::super::BSPK;
    use crate::vendors::testing::translate;
    use serde_json::{Value, json};

    fn metafield(action: &str, object: Value) -> Value {
        translate(&BSPK, &json!({"event_name": format!("metafield.{action}"), "object": object}))
    }

    #[test]
    fn the_owner_decides_what_it_is_about() {
        for (owner, entity) in [
            ("Shopper", "customer"),
            ("Client", "customer"),
            ("Cart", "cart"),
            ("Order", "order"),
            ("Product", "product"),
        ] {
            let object =
                json!({"id": 7, "namespace": "a", "key": "b", "value": "c", "owner_type": owner, "owner_id": 9});
            let out = metafield("updated", object);
            assert_eq!(out[entity]["id"], "9", "{owner}");
            assert_eq!(out[entity]["attributes"], json!({"a.b": "c"}), "{owner}");
            assert_eq!(out["meta"]["coverage"], "COMPONENT", "{owner}");
            assert_eq!(out["meta"]["component"], json!({"kind": "metafield", "id": "7"}), "{owner}");
            assert_eq!(out["meta"]["component_name"], "a.b", "{owner}");
            assert_eq!(out["meta"]["present"], json!(["attributes"]), "{owner}");
            assert_eq!(out["extensions"], json!({}), "{owner}");
        }
        for owner in ["SalesAssociate", "shopper", "Store"] {
            // Nothing more is asked of a body that is passed over.
            let object = json!({"id": 7, "key": ["b"], "owner_type": owner, "owner_id": {}});
            assert_eq!(metafield("created", object), json!({"ignored": "no_canonical_entity"}), "{owner}");
        }
    }

    #[test]
    fn a_metafield_has_an_id_and_a_kind_of_owner() {
        let missing = |key: &str| json!({"refused": "field.missing", "at": format!("/object/{key}")});
        assert_eq!(metafield("deleted", json!({"owner_type": "Shopper", "owner_id": 9})), missing("id"));
        for owner in [json!(null), json!("")] {
            assert_eq!(metafield("deleted", json!({"id": 7, "owner_type": owner})), missing("owner_type"));
        }
        assert_eq!(metafield("deleted", json!({"id": 7})), missing("owner_type"));
        let text = json!({"refused": "field.type", "at": "/object/owner_type"});
        assert_eq!(metafield("created", json!({"id": 7, "owner_type": {}})), text);
        // Whose it is, need not be said.
        let out = metafield("deleted", json!({"id": 7, "owner_type": "Shopper"}));
        assert_eq!(out["customer"]["id"], json!(null));
        assert_eq!(out["meta"]["component"]["id"], "7");
        assert_eq!(out["meta"]["action"], "DELETED");
    }

    #[test]
    fn each_metafield_is_an_event_of_its_own() {
        let out =
            metafield("updated", json!({"id": 7, "key": "b", "value": "c", "owner_type": "Shopper", "owner_id": 9}));
        assert_eq!(out["meta"]["event_id_basis"], "POSITION");
        assert_eq!(
            (&out["meta"]["version_basis"], &out["meta"]["occurred_at_basis"]),
            (&json!("BROKER"), &json!("BROKER"))
        );
    }

    #[test]
    fn the_back_offices_id_is_the_customers() {
        let of = |owner: &str, reference: Value| {
            metafield(
                "updated",
                json!({"id": 7, "key": "b", "value": "c", "owner_type": owner, "owner_id": 9, "owner_ref": reference}),
            )
        };
        let linked = of("Shopper", json!("C-1"));
        assert_eq!(linked["customer"]["external_id"], "C-1");
        assert_eq!(linked["meta"]["present"], json!(["external_id", "attributes"]));
        let unlinked = of("Client", json!(null));
        assert_eq!(unlinked["customer"]["external_id"], json!(null));
        assert_eq!(unlinked["meta"]["present"], json!(["external_id", "attributes"]));
        assert_eq!(of("Cart", json!("K-1"))["cart"]["external_id"], "K-1");
        assert_eq!(of("Order", json!("K-1"))["order"]["external_id"], "K-1");
        assert_eq!(of("Product", json!("K-1"))["product"]["external_id"], "K-1");
    }

    #[test]
    fn a_value_is_text_or_json_and_what_is_second_is_kept() {
        let of = |field: Value| {
            let mut object = json!({"id": 7, "owner_type": "Shopper", "owner_id": 9});
            object.as_object_mut().expect("an object").extend(field.as_object().cloned().expect("an object"));
            let out = metafield("created", object);
            let name = out["meta"]["component_name"].clone();
            (name, out["customer"]["attributes"].clone(), out["extensions"].clone())
        };
        for (field, name, attributes, left_over) in [
            (
                json!({"namespace": "a", "key": "b", "value": "", "json_value": null}),
                "a.b",
                json!({"a.b": ""}),
                json!({}),
            ),
            (json!({"key": "b", "json_value": true}), "b", json!({"b": "true"}), json!({})),
            (
                json!({"namespace": "a", "key": "b", "value": "c", "json_value": [1]}),
                "a.b",
                json!({"a.b": "c"}),
                json!({"/object/json_value": "[1]"}),
            ),
            // What has no value has a name still: of what was deleted it is all that there is.
            (json!({"namespace": "a", "key": "b", "value": null}), "a.b", json!({}), json!({})),
            (json!({"namespace": "a", "key": "b", "json_value": {}}), "a.b", json!({}), json!({})),
            (
                json!({"key": "b", "json_value": {"on": 1, "api_key": "SESAME"}}),
                "b",
                json!({"b": "{\"on\":1}"}),
                json!({}),
            ),
            (
                json!({"key": "b_token", "value": "SESAME", "json_value": "SESAME", "shown": "SESAME"}),
                "b_token",
                json!({}),
                json!({}),
            ),
            (json!({"namespace": "api", "key": "key", "value": "SESAME"}), "api.key", json!({}), json!({})),
            (
                json!({"namespace": "gift_card", "key": "code", "value": "SESAME"}),
                "gift_card.code",
                json!({}),
                json!({}),
            ),
            (json!({"key": "b", "value": "{\"a\":{\"password\":\"SESAME\"}}"}), "b", json!({}), json!({})),
            (json!({"key": "passport_number", "value": "SESAME"}), "passport_number", json!({}), json!({})),
        ] {
            assert_eq!(of(field.clone()), (json!(name), attributes, left_over), "{field}");
        }
        // Half a name is none.
        assert_eq!(
            of(json!({"namespace": "a", "value": "c"})),
            (json!(null), json!({}), json!({"/object/namespace": "\"a\"", "/object/value": "\"c\""}))
        );
    }

    #[test]
    fn what_is_read_is_used() {
        let whole = json!({"id": 7, "namespace": "a", "key": "b", "value": "c", "json_value": {"d": 1},
            "owner_type": "Shopper", "owner_id": 9, "owner_ref": "C-1"});
        let before = metafield("updated", whole.clone());
        for (key, other) in [
            ("id", json!(8)),
            ("namespace", json!("x")),
            ("key", json!("x")),
            ("value", json!("x")),
            ("json_value", json!({"d": 2})),
            ("owner_type", json!("Cart")),
            ("owner_id", json!(10)),
            ("owner_ref", json!("C-2")),
        ] {
            let mut changed = whole.clone();
            changed[key] = other;
            assert_ne!(metafield("updated", changed), before, "{key}");
        }
    }
}
