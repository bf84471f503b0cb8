//! What Avro itself says of two schemas: can what was written with the one be read with the other? By apache-avro's
//! check, which is asked for both directions, and of schemas in which no name is left to look up: it takes a type that is
//! written out on one side, and only named on the other, for two types.
//!
//! Knows no registry, and nothing of what Avro leaves open: `rules` holds that.

use apache_avro::Schema;
use apache_avro::schema::{Name, UnionSchema};
use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};
use std::collections::HashMap;

/// May a topic go from one schema to the other, in either direction and without a pause? Both readers must then
/// understand both writers, every value of them.
pub fn evolves(one: &str, other: &str) -> Result<(), String> {
    let parse = |json| Schema::parse_str(json).map_err(|error| error.to_string());
    let (one, other) = (written_out(parse(one)?), written_out(parse(other)?));
    for (writer, reader) in [(&one, &other), (&other, &one)] {
        match SchemaCompatibility::can_read(writer, reader) {
            Ok(Compatibility::Full) => {}
            Ok(Compatibility::Partial) => return Err("some values of one cannot be read with the other".to_owned()),
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}

fn written_out(schema: Schema) -> Schema {
    write_out(schema, &mut HashMap::new())
}

/// Puts what it names in the place of each name. A type that contains itself keeps its name inside.
fn write_out(schema: Schema, known: &mut HashMap<Name, Schema>) -> Schema {
    let written = match schema {
        Schema::Ref { name } => return known.get(&name).cloned().unwrap_or(Schema::Ref { name }),
        Schema::Record(mut record) => {
            for field in &mut record.fields {
                field.schema = write_out(std::mem::replace(&mut field.schema, Schema::Null), known);
            }
            Schema::Record(record)
        }
        Schema::Array(mut array) => {
            *array.items = write_out(std::mem::replace(&mut *array.items, Schema::Null), known);
            Schema::Array(array)
        }
        Schema::Map(mut map) => {
            *map.types = write_out(std::mem::replace(&mut *map.types, Schema::Null), known);
            Schema::Map(map)
        }
        Schema::Union(union) => {
            let branches = union.variants().iter().map(|branch| write_out(branch.clone(), known)).collect();
            UnionSchema::new(branches).map_or(Schema::Union(union), Schema::Union)
        }
        other => other,
    };
    if let Some(name) = written.name() {
        known.insert(name.clone(), written.clone());
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical::EntityKind;
    use crate::schemas::{history, json};

    #[test]
    fn every_version_reads_every_other() {
        for kind in EntityKind::ALL {
            let versions: Vec<_> = history(kind).iter().copied().chain([json(kind)]).collect();
            for (n, one) in versions.iter().enumerate() {
                for other in &versions[n..] {
                    assert_eq!(evolves(one, other), Ok(()), "{kind:?}, version {}", n + 1);
                }
            }
        }
    }

    /// A type is written out where it is first named; that place may move.
    #[test]
    fn evolution_looks_through_names() {
        let part = r#"{"type":"record","name":"Part","fields":[{"name":"n","type":"long"}]}"#;
        let whole = |fields: &str| format!(r#"{{"type":"record","name":"Whole","fields":[{fields}]}}"#);
        let old = whole(&format!(r#"{{"name":"a","type":["null",{part}],"default":null}}"#));
        let moved = |part: &str| {
            let first = format!(r#"{{"name":"b","type":["null",{part}],"default":null}}"#);
            whole(&format!(r#"{first},{{"name":"a","type":["null","Part"],"default":null}}"#))
        };
        assert_eq!(evolves(&old, &moved(part)), Ok(()));
        assert!(evolves(&old, &moved(&part.replace("long", "string"))).is_err());
        let endless = whole(r#"{"name":"a","type":["null","Whole"],"default":null}"#);
        assert_eq!(evolves(&endless, &endless), Ok(()), "a type that names itself");
    }

    /// What may change, and what may not: the rule has teeth.
    #[test]
    fn evolution_allows_what_readers_survive() {
        let today = json(EntityKind::Order);
        let change = |from: &str, to: &str| {
            assert!(today.contains(from), "{from}");
            evolves(today, &today.replacen(from, to, 1))
        };
        let number = r#"{"name":"number","type":["null","string"],"default":null"#;
        let added = format!(r#"{{"name":"added","type":["null","string"],"default":null}},{number}"#);
        assert_eq!(change(number, &added), Ok(()), "an optional field more");
        assert_eq!(change(r#""RESUMED""#, r#""RESUMED","RETURNED""#), Ok(()), "a symbol more");
        assert!(
            change(number, &number.replace("number", "no")).is_ok(),
            "an optional field renamed is one less, one more"
        );
        assert!(change(number, r#"{"name":"number","type":"string""#).is_err(), "a field that must be there");
        assert!(change(number, &number.replace("string", "long")).is_err(), "another type");
        assert!(change(r#""scale":9"#, r#""scale":2"#).is_err(), "other decimals");
        let closed = today.replacen(r#""default":"UNKNOWN""#, r#""aliases":[]"#, 1);
        let more = closed.replacen(r#""VENDOR","BODY""#, r#""VENDOR","NEW","BODY""#, 1);
        assert!(closed != more && evolves(&closed, &more).is_err(), "a symbol more, without a default");
    }
}
