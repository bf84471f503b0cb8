//! `category.saved`, `category.deleted` → a part of a [`Product`]: Bold tells of categories by themselves, and which
//! products are in one, only the products say. Knows neither Kafka, nor Avro, nor metrics, nor the clock, nor any other
//! vendor.

use super::super::{Envelope, Mapped};
use super::product;
use crate::canonical::{Action, Component, Coverage, Entity, Product, Text};
use crate::reject::Reject;
use std::borrow::Cow;

pub(super) fn category<'a>(envelope: &Envelope<'a>, action: Action) -> Result<Mapped<'a>, Reject> {
    let body = envelope.data;
    let id = body.require_id("platform_id")?;
    let clock = match action {
        Action::Deleted => body.time("platform_deleted_at")?,
        _ => body.time("platform_updated_at")?,
    };
    let product = Product { categories: vec![product::category(body)?], ..Product::default() };
    Ok(Mapped {
        entity: Entity::Product(Box::new(product)),
        action,
        coverage: Coverage::Component,
        present: Cow::Borrowed(&["categories"]),
        component: Some(Component { kind: Text::Borrowed("category"), id: Some(id), name: None }),
        clock,
        is_identified_by_body: true,
    })
}

#[cfg(test)]
mod tests {
    use super::super::BOLD;
    use crate::vendors::testing::translate;
    use serde_json::{Value, json};

    fn category(body: Value) -> Value {
        translate(&BOLD, &json!({"data": {"category": body}}))
    }

    #[test]
    fn a_category_is_of_no_product() {
        let out =
            category(json!({"platform_id": 7, "platform_updated_at": "2024-01-01T02:00:00+02:00", "name": "Mugs",
            "image_url": "", "platform_created_at": "2023-01-01T00:00:00Z", "parent": "6"}));
        assert_eq!(out["product"]["id"], json!(null));
        assert_eq!(
            out["product"]["categories"],
            json!([{"id": "7", "name": "Mugs", "image_url": null,
            "created_at": "2023-01-01T00:00:00Z", "updated_at": "2024-01-01T00:00:00Z", "deleted_at": null}])
        );
        assert_eq!(out["meta"]["component"], json!({"kind": "category", "id": "7"}));
        assert_eq!(out["meta"]["present"], json!(["categories"]));
        assert_eq!(out["meta"]["event_id_basis"], "BODY");
        assert_eq!(out["extensions"], json!({"/data/category/parent": "\"6\""}));
    }

    #[test]
    fn a_deletion_counts_from_its_own_time() {
        let out = category(json!({"platform_id": "7", "platform_updated_at": "2023-01-01T00:00:00Z",
            "platform_deleted_at": "2024-01-01T00:00:00Z"}));
        assert_eq!(out["meta"]["action"], "DELETED");
        assert_eq!(out["meta"]["coverage"], "COMPONENT");
        assert_eq!(out["meta"]["occurred_at"], "2024-01-01T00:00:00Z");
        let category = &out["product"]["categories"][0];
        assert_eq!(category["deleted_at"], "2024-01-01T00:00:00Z");
        assert_eq!(category["updated_at"], "2023-01-01T00:00:00Z");
        assert_eq!(out["extensions"], json!({}));
    }

    #[test]
    fn a_category_has_an_id_and_a_clock() {
        let missing = |key: &str| json!({"refused": "field.missing", "at": format!("/data/category/{key}")});
        for id in [json!(null), json!("")] {
            let body = json!({"platform_id": id, "platform_updated_at": "2024-01-01T00:00:00Z"});
            assert_eq!(category(body), missing("platform_id"));
        }
        assert_eq!(category(json!({"platform_updated_at": "2024-01-01T00:00:00Z"})), missing("platform_id"));
        let clock = json!({"refused": "time.invalid", "at": "/data/category/platform_updated_at"});
        assert_eq!(category(json!({"platform_id": "7", "platform_updated_at": "yesterday"})), clock);
    }
}
