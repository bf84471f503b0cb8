//! A canonical record as plain JSON, as `koine translate` writes it: no union wrappers, amounts as their shortest exact
//! text, times and days as RFC 3339 has them. Read with the schema that it was written with, by apache-avro and not by our
//! own code. For people who look at what was written; not for the path of a record.

use crate::canonical::{Date, Decimal, Micros};
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use serde_json::{Map, Value};

/// Reads what was written with one schema.
pub struct Plain(apache_avro::Schema);

impl Plain {
    pub fn of(schema: &str) -> Result<Plain, String> {
        apache_avro::Schema::parse_str(schema).map(Plain).map_err(|error| error.to_string())
    }

    /// One datum, without its frame; nothing may stand behind it.
    pub fn read(&self, mut datum: &[u8]) -> Result<Value, String> {
        let reader = GenericDatumReader::builder(&self.0).build().map_err(|error| error.to_string())?;
        let value = reader.read_value(&mut datum).map_err(|error| error.to_string())?;
        match datum {
            [] => plain(value),
            rest => Err(format!("{} bytes stand behind the record", rest.len())),
        }
    }
}

fn plain(value: Avro) -> Result<Value, String> {
    Ok(match value {
        Avro::Null => Value::Null,
        Avro::Boolean(value) => value.into(),
        Avro::Int(value) => value.into(),
        Avro::Long(value) => value.into(),
        Avro::String(text) | Avro::Enum(_, text) => text.into(),
        Avro::Union(_, inner) => plain(*inner)?,
        Avro::Array(items) => Value::Array(items.into_iter().map(plain).collect::<Result<_, _>>()?),
        Avro::Record(fields) => object(fields)?,
        Avro::Map(entries) => {
            let mut entries: Vec<_> = entries.into_iter().collect();
            entries.sort_by(|(one, _), (other, _)| one.cmp(other));
            object(entries)?
        }
        Avro::Date(days) => Date(days).to_string().into(),
        Avro::TimestampMicros(micros) => Micros(micros).to_string().into(),
        Avro::Decimal(amount) => {
            let bytes: Vec<u8> = amount.try_into().map_err(|error: apache_avro::Error| error.to_string())?;
            let units = <[u8; 16]>::try_from(bytes).ok().map(i128::from_be_bytes).and_then(Decimal::from_units);
            units.ok_or("an amount is not 16 bytes of at most 38 digits")?.to_string().into()
        }
        _ => return Err("a value of a type that no canonical schema has".to_owned()),
    })
}

fn object(entries: impl IntoIterator<Item = (String, Avro)>) -> Result<Value, String> {
    let entries = entries.into_iter().map(|(name, value)| Ok((name, plain(value)?)));
    entries.collect::<Result<Map<_, _>, String>>().map(Value::Object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical::{Action, EntityKind};
    use crate::codec::append_datum;
    use crate::filler::{empty, filled};
    use crate::schemas::json;

    /// Filled with each symbol of the longest enum in turn, and empty.
    #[test]
    fn a_record_that_is_read_back_is_what_translate_shows() {
        for kind in EntityKind::ALL {
            let schema = Plain::of(json(kind)).unwrap();
            for event in (0..Action::ALL.len()).map(|symbol| filled(kind, symbol)).chain([empty(kind)]) {
                let mut datum = Vec::new();
                append_datum(&event, &mut datum).unwrap();
                assert_eq!(schema.read(&datum).unwrap(), serde_json::to_value(&event).unwrap());
            }
        }
    }

    #[test]
    fn what_is_no_record_is_refused() {
        let schema = Plain::of(json(EntityKind::Cart)).unwrap();
        let mut datum = Vec::new();
        append_datum(&empty(EntityKind::Cart), &mut datum).unwrap();
        datum.push(0);
        assert_eq!(schema.read(&datum).unwrap_err(), "1 bytes stand behind the record");
        assert!(schema.read(&datum[..datum.len() / 2]).is_err());
        assert!(Plain::of("{}").is_err());
    }
}
