//! A canonical event as Avro, in Confluent's framing.
//!
//! Avro's binary form holds no names: fields stand in the schema's order, and an optional one is preceded by the place
//! of its type in the union. So a serde [`Serializer`](ser::Serializer) that writes down what it is given is enough, as
//! long as the structs of [`crate::canonical`] have the fields of the schema in the schema's order, and every union is
//! `["null", T]`. It trusts them in that; the tests below compare its bytes with those of apache-avro, which trusts
//! nobody and takes seven times as long.
//!
//! This module knows no vendors, no Kafka, and no registry: the schema's id is handed in.

mod container;
mod origin;

pub use container::ContainerFile;
pub use origin::{Origin, origin, schema_id, unframed};

use crate::canonical::{EntityKind, Event};
use serde::ser::{self, Serialize};
use std::fmt;

/// The registry's id of each topic's schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemaIds {
    pub customer: u32,
    pub cart: u32,
    pub order: u32,
    pub product: u32,
}

impl SchemaIds {
    pub fn of(&self, kind: EntityKind) -> u32 {
        match kind {
            EntityKind::Customer => self.customer,
            EntityKind::Cart => self.cart,
            EntityKind::Order => self.order,
            EntityKind::Product => self.product,
        }
    }
}

/// Replaces what is in `out` by the event as Kafka gets it: `0x00`, the schema's id, Avro. After an error there is
/// nothing of use in `out`.
pub fn encode(event: &Event<'_>, schema_id: u32, out: &mut Vec<u8>) -> Result<(), Unsupported> {
    out.clear();
    out.push(0);
    out.extend_from_slice(&schema_id.to_be_bytes());
    append_datum(event, out)
}

/// Appends the event as bare Avro: what stands in an object container file.
pub fn append_datum(event: &Event<'_>, out: &mut Vec<u8>) -> Result<(), Unsupported> {
    event.serialize(Positional(out))
}

/// Something that no canonical record may hold, because there is no Avro for it here. A fault of the model, never of a
/// webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsupported {
    /// A type that the schemas do not use; the serde method that was called.
    Type(&'static str),
    /// A list or map that does not know its length: Avro writes that first.
    UnknownLength,
    /// A value that refused to be written.
    Refused,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unsupported::Type(method) => write!(f, "{method} has no place in a canonical record"),
            Unsupported::UnknownLength => {
                f.write_str("a list or map of unknown length has no place in a canonical record")
            }
            Unsupported::Refused => f.write_str("a value of a canonical record refused to be written"),
        }
    }
}

impl std::error::Error for Unsupported {}

/// serde's own messages may quote a value, so they are not kept.
impl ser::Error for Unsupported {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Unsupported::Refused
    }
}

/// Avro's variable-length zigzag number.
#[inline(always)]
fn long(out: &mut Vec<u8>, value: i64) {
    let mut zigzag = ((value << 1) ^ (value >> 63)) as u64;
    while zigzag >= 0x80 {
        out.push(zigzag as u8 | 0x80);
        zigzag >>= 7;
    }
    out.push(zigzag as u8);
}

struct Positional<'o>(&'o mut Vec<u8>);

type Never = ser::Impossible<(), Unsupported>;

macro_rules! refuse {
    ($($method:ident($($arg:ty),*) -> $ok:ty;)*) => {$(
        fn $method(self, $(_: $arg),*) -> Result<$ok, Unsupported> { Err(Unsupported::Type(stringify!($method))) }
    )*};
}

impl<'o> ser::Serializer for Positional<'o> {
    type Ok = ();
    type Error = Unsupported;
    type SerializeSeq = Block<'o>;
    type SerializeMap = Block<'o>;
    type SerializeStruct = Fields<'o>;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeStructVariant = Never;

    #[inline(always)]
    fn serialize_bool(self, v: bool) -> Result<(), Unsupported> {
        self.0.push(v as u8);
        Ok(())
    }

    #[inline(always)]
    fn serialize_i32(self, v: i32) -> Result<(), Unsupported> {
        self.serialize_i64(v.into())
    }

    #[inline(always)]
    fn serialize_i64(self, v: i64) -> Result<(), Unsupported> {
        long(self.0, v);
        Ok(())
    }

    #[inline(always)]
    fn serialize_str(self, v: &str) -> Result<(), Unsupported> {
        self.serialize_bytes(v.as_bytes())
    }

    #[inline(always)]
    fn serialize_bytes(self, v: &[u8]) -> Result<(), Unsupported> {
        long(self.0, v.len() as i64);
        self.0.extend_from_slice(v);
        Ok(())
    }

    #[inline(always)]
    fn serialize_none(self) -> Result<(), Unsupported> {
        self.0.push(0);
        Ok(())
    }

    #[inline(always)]
    fn serialize_some<T: Serialize + ?Sized>(self, v: &T) -> Result<(), Unsupported> {
        // The second place of the union, as a zigzag number.
        self.0.push(2);
        v.serialize(self)
    }

    #[inline(always)]
    fn serialize_unit_variant(self, _: &'static str, index: u32, _: &'static str) -> Result<(), Unsupported> {
        self.serialize_i64(index.into())
    }

    #[inline(always)]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, v: &T) -> Result<(), Unsupported> {
        v.serialize(self)
    }

    #[inline(always)]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields<'o>, Unsupported> {
        Ok(Fields(self.0))
    }

    #[inline(always)]
    fn serialize_seq(self, len: Option<usize>) -> Result<Block<'o>, Unsupported> {
        match len {
            None => return Err(Unsupported::UnknownLength),
            // Nothing but the end.
            Some(0) => {}
            Some(len) => long(self.0, len as i64),
        }
        Ok(Block(self.0))
    }

    #[inline(always)]
    fn serialize_map(self, len: Option<usize>) -> Result<Block<'o>, Unsupported> {
        self.serialize_seq(len)
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    refuse! {
        serialize_i8(i8) -> ();
        serialize_i16(i16) -> ();
        serialize_u8(u8) -> ();
        serialize_u16(u16) -> ();
        serialize_u32(u32) -> ();
        serialize_u64(u64) -> ();
        serialize_f32(f32) -> ();
        serialize_f64(f64) -> ();
        serialize_char(char) -> ();
        serialize_unit() -> ();
        serialize_unit_struct(&'static str) -> ();
        serialize_tuple(usize) -> Never;
        serialize_tuple_struct(&'static str, usize) -> Never;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Never;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Never;
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Unsupported> {
        Err(Unsupported::Type("serialize_newtype_variant"))
    }
}

/// A record: its fields, and nothing between them.
struct Fields<'o>(&'o mut Vec<u8>);

impl ser::SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = Unsupported;

    #[inline(always)]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, _: &'static str, v: &T) -> Result<(), Unsupported> {
        v.serialize(Positional(self.0))
    }

    #[inline(always)]
    fn end(self) -> Result<(), Unsupported> {
        Ok(())
    }

    /// A field that is skipped would shift all that follow.
    fn skip_field(&mut self, _: &'static str) -> Result<(), Unsupported> {
        Err(Unsupported::Type("skip_field"))
    }
}

/// A list or a map: one block of items, then the end.
struct Block<'o>(&'o mut Vec<u8>);

impl ser::SerializeSeq for Block<'_> {
    type Ok = ();
    type Error = Unsupported;

    #[inline(always)]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), Unsupported> {
        v.serialize(Positional(self.0))
    }

    #[inline(always)]
    fn end(self) -> Result<(), Unsupported> {
        self.0.push(0);
        Ok(())
    }
}

impl ser::SerializeMap for Block<'_> {
    type Ok = ();
    type Error = Unsupported;

    #[inline(always)]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), Unsupported> {
        v.serialize(Positional(self.0))
    }

    #[inline(always)]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), Unsupported> {
        v.serialize(Positional(self.0))
    }

    #[inline(always)]
    fn end(self) -> Result<(), Unsupported> {
        self.0.push(0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical::{Customer, Date, Decimal, Entity, EventMeta, Micros};
    use crate::filler::{empty, filled};
    use crate::schemas;
    use apache_avro::reader::datum::GenericDatumReader;
    use apache_avro::types::Value;
    use apache_avro::writer::datum::GenericDatumWriter;

    fn schema(kind: EntityKind) -> apache_avro::Schema {
        apache_avro::Schema::parse_str(schemas::json(kind)).unwrap()
    }

    /// Filled with each symbol of the longest enum in turn, and empty.
    fn samples(kind: EntityKind) -> Vec<Event<'static>> {
        (0..crate::canonical::Action::ALL.len()).map(|symbol| filled(kind, symbol)).chain([empty(kind)]).collect()
    }

    #[test]
    fn writes_what_apache_avro_writes() {
        for kind in EntityKind::ALL {
            let schema = schema(kind);
            let apache = GenericDatumWriter::builder(&schema).human_readable(false).build().unwrap();
            for event in samples(kind) {
                let mut ours = Vec::new();
                append_datum(&event, &mut ours).unwrap();
                assert!(ours == apache.write_ser_to_vec(&event).unwrap(), "{kind:?}: {event:?}");
            }
        }
    }

    /// Plainly, and resolved to a reader's schema, which takes another way through apache-avro; and every older reader
    /// gets along with it.
    #[test]
    fn apache_avro_reads_the_values_back() {
        for kind in EntityKind::ALL {
            let schema = schema(kind);
            let plain = GenericDatumReader::builder(&schema).build().unwrap();
            let resolving = GenericDatumReader::builder(&schema).reader_schema(&schema).build().unwrap();
            let older = schemas::history(kind).iter().map(|json| apache_avro::Schema::parse_str(json).unwrap());
            let older: Vec<_> = older.collect();
            for event in samples(kind) {
                let mut bytes = Vec::new();
                append_datum(&event, &mut bytes).unwrap();
                let shown = serde_json::to_value(&event).unwrap();
                for reader in [&plain, &resolving] {
                    let mut rest = &*bytes;
                    let value = reader.read_value(&mut rest).unwrap();
                    assert!(rest.is_empty());
                    same("", &value, &shown);
                }
                for older in &older {
                    let reader = GenericDatumReader::builder(&schema).reader_schema(older).build().unwrap();
                    reader.read_value(&mut &*bytes).unwrap();
                }
            }
        }
    }

    fn same(path: &str, avro: &Value, shown: &serde_json::Value) {
        match avro {
            Value::Union(_, inner) => same(path, inner, shown),
            Value::Record(fields) => {
                let shown = shown.as_object().unwrap();
                let names: Vec<_> = fields.iter().map(|(name, _)| name).collect();
                assert_eq!(names, shown.keys().collect::<Vec<_>>(), "{path}");
                fields.iter().for_each(|(name, value)| same(&format!("{path}.{name}"), value, &shown[name]));
            }
            Value::Map(entries) => {
                let shown = shown.as_object().unwrap();
                assert_eq!(entries.len(), shown.len(), "{path}");
                entries.iter().for_each(|(key, value)| same(&format!("{path}.{key}"), value, &shown[key]));
            }
            Value::Array(items) => {
                let shown = shown.as_array().unwrap();
                assert_eq!(items.len(), shown.len(), "{path}");
                items.iter().zip(shown).for_each(|(item, shown)| same(&format!("{path}[]"), item, shown));
            }
            Value::Null => assert!(shown.is_null(), "{path}"),
            Value::Boolean(value) => assert_eq!(shown, value, "{path}"),
            Value::Int(value) => assert_eq!(shown, value, "{path}"),
            Value::Long(value) => assert_eq!(shown, value, "{path}"),
            Value::String(text) | Value::Enum(_, text) => assert_eq!(shown, text, "{path}"),
            Value::Date(days) => assert_eq!(shown, &Date(*days).to_string(), "{path}"),
            Value::TimestampMicros(micros) => assert_eq!(shown, &Micros(*micros).to_string(), "{path}"),
            Value::Decimal(units) => {
                let units = i128::from_be_bytes(<Vec<u8>>::try_from(units).unwrap().try_into().unwrap());
                assert_eq!(shown, &Decimal::from_units(units).unwrap().to_string(), "{path}");
            }
            other => panic!("{path}: {other:?} is in no schema"),
        }
    }

    #[test]
    fn frames_as_confluent_does_and_reuses_the_buffer() {
        let ids = SchemaIds { customer: 1, cart: 2, order: 0x0102_0304, product: 4 };
        let event = filled(EntityKind::Order, 1);
        let (mut framed, mut bare) = (b"what was there".to_vec(), Vec::new());
        encode(&event, ids.of(EntityKind::Order), &mut framed).unwrap();
        append_datum(&event, &mut bare).unwrap();
        assert_eq!(framed[..5], [0, 1, 2, 3, 4]);
        assert_eq!(framed[5..], bare);
    }

    /// The least and the greatest there is; always 16 bytes, which is the number 32 in Avro.
    #[test]
    fn keeps_decimals_and_times_at_their_limits() {
        for (text, last) in [
            ("0", 0),
            ("-0.000000001", 0xff),
            ("99999999999999999999999999999.999999999", 0xff),
            ("-99999999999999999999999999999.999999999", 0x01),
        ] {
            let mut out = Vec::new();
            Decimal::parse(text).unwrap().serialize(Positional(&mut out)).unwrap();
            assert_eq!((out.len(), out[0], out[16]), (17, 32, last), "{text}");
        }
        for (number, bytes) in [
            (0, &[0][..]),
            (-1, &[1]),
            (1, &[2]),
            (63, &[0x7e]),
            (-64, &[0x7f]),
            (64, &[0x80, 1]),
            (i64::MAX, &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
            (i64::MIN, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ] {
            let mut out = Vec::new();
            long(&mut out, number);
            assert_eq!(out, bytes, "{number}");
        }
    }

    /// No wrappers around what is optional, exact decimals, times as text.
    #[test]
    fn shows_plain_json_to_people() {
        let mut meta: EventMeta<'static> = empty(EntityKind::Customer).meta;
        meta.received_at = Micros(1_500_000);
        let customer = Customer {
            id: Some("7".into()),
            birth_date: Date::parse("1980-01-23"),
            store_credit_total: Decimal::parse("25.990").ok(),
            ..Default::default()
        };
        let event = Event { meta, entity: Entity::Customer(Box::new(customer)), extensions: Default::default() };
        let shown = serde_json::to_value(&event).unwrap();
        assert_eq!(shown["meta"]["received_at"], "1970-01-01T00:00:01.5Z");
        assert_eq!(shown["meta"]["entity"], "CUSTOMER");
        assert_eq!(shown["customer"]["birth_date"], "1980-01-23");
        assert_eq!(shown["customer"]["store_credit_total"], "25.99");
        assert_eq!(shown["customer"]["type"], serde_json::Value::Null);
        assert_eq!(shown["customer"]["addresses"], serde_json::json!([]));
        assert_eq!(shown["extensions"], serde_json::json!({}));
    }

    #[test]
    fn refuses_what_the_schemas_have_no_place_for() {
        let mut out = Vec::new();
        assert_eq!(1.5f64.serialize(Positional(&mut out)), Err(Unsupported::Type("serialize_f64")));
        assert_eq!(1u64.serialize(Positional(&mut out)), Err(Unsupported::Type("serialize_u64")));
        let endless = ser::Serializer::collect_seq(Positional(&mut out), (0..).take_while(|n| *n < 3));
        assert_eq!(endless, Err(Unsupported::UnknownLength));
    }
}
