//! Which paths of a canonical record differ from another's. Dotted; a list's index and a map's key are `*`.

use serde_json::Value;
use std::collections::BTreeSet;

/// Adds to `out` every path below `path` at which the two differ. Of two lists of different lengths it is the list's
/// own, since which item is new cannot be told; of something that is on one side only, those of all that it says.
pub fn differences(before: &Value, after: &Value, path: &str, maps: &BTreeSet<String>, out: &mut BTreeSet<String>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let is_map = path.rsplit('.').next().is_some_and(|name| maps.contains(name));
            let added = after.keys().filter(|key| !before.contains_key(*key));
            for key in before.keys().chain(added) {
                let of = |side: &serde_json::Map<String, Value>| side.get(key).cloned().unwrap_or_default();
                match (before.get(key), after.get(key)) {
                    (Some(before), Some(after)) if before == after => {}
                    _ => differences(&of(before), &of(after), &step(path, if is_map { "*" } else { key }), maps, out),
                }
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (before, after) in before.iter().zip(after).filter(|(before, after)| before != after) {
                differences(before, after, &step(path, "*"), maps, out);
            }
        }
        (Value::Null, Value::Object(_)) => differences(&Value::Object(Default::default()), after, path, maps, out),
        (Value::Object(_), Value::Null) => differences(before, &Value::Object(Default::default()), path, maps, out),
        // An empty list in something that is not there is not there either.
        (Value::Null, Value::Array(items)) | (Value::Array(items), Value::Null) if items.is_empty() => {}
        (before, after) if before == after => {}
        _ => drop(out.insert(path.to_owned())),
    }
}

fn step(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_what_differs_and_nothing_else() {
        let maps = BTreeSet::from(["attributes".to_owned()]);
        for (before, after, expected) in [
            (json!({"a": {"b": 1, "c": 2}}), json!({"a": {"b": 1, "c": 3}}), &["a.c"][..]),
            (json!({"a": [{"b": 1}, {"b": 2}]}), json!({"a": [{"b": 1}, {"b": 3}]}), &["a.*.b"]),
            (json!({"a": [1]}), json!({"a": [1, 2]}), &["a"]),
            (json!({"a": null}), json!({"a": {"b": 1, "c": null, "d": [], "e": {"f": 2}}}), &["a.b", "a.e.f"]),
            (json!({"a": {"b": 1}}), json!({"a": null}), &["a.b"]),
            (json!({"attributes": {"x.y": "1"}}), json!({"attributes": {"x.z": "1"}}), &["attributes.*"]),
            (json!({"a": "1"}), json!({"a": "1"}), &[]),
        ] {
            let mut found = BTreeSet::new();
            differences(&before, &after, "", &maps, &mut found);
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{before} {after}");
        }
    }
}
