//! Canonical events for tests with nothing left out: a serde `Deserializer` that fills every field there is. A field
//! that a struct, the schema or the encoder forgets cannot hide behind a null then.

use crate::canonical::{Entity, EntityKind, Event, EventMeta, ExtensionsBuffer};
use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};
use std::collections::BTreeMap;

/// What it came by: the structs with their fields, and the enums with their words.
#[derive(Default)]
pub struct Filler {
    pub records: BTreeMap<&'static str, &'static [&'static str]>,
    pub enums: BTreeMap<&'static str, &'static [&'static str]>,
    /// Which word every enum gets: this place in its list, from the beginning again where the list is shorter.
    symbol: usize,
    /// How many values were made; so none is like another.
    made: i64,
}

impl Filler {
    pub fn new(symbol: usize) -> Filler {
        Filler { symbol, ..Filler::default() }
    }

    pub fn fill<T: de::DeserializeOwned>(&mut self) -> T {
        T::deserialize(self).unwrap()
    }

    pub fn event(&mut self, kind: EntityKind) -> Event<'static> {
        let entity = match kind {
            EntityKind::Customer => Entity::Customer(self.fill()),
            EntityKind::Cart => Entity::Cart(self.fill()),
            EntityKind::Order => Entity::Order(self.fill()),
            EntityKind::Product => Entity::Product(self.fill()),
        };
        let extensions: &'static mut ExtensionsBuffer = Box::leak(Box::default());
        extensions.push(|out| out.push_str("/data/a~1b"), |out| out.push_str("{\"é\":1}"));
        extensions.push(|out| out.push_str("/data/c"), |out| out.push_str("null"));
        Event { meta: EventMeta { entity: kind, ..self.fill() }, entity, extensions: extensions.view() }
    }

    /// Numbers of either sign and of any length.
    fn next(&mut self) -> i64 {
        self.made += 1;
        let number = if self.made % 3 == 0 { self.made } else { self.made * 1_234_567_891 };
        if self.made % 2 == 0 { -number } else { number }
    }
}

/// Every field filled, every list with two elements.
pub fn filled(kind: EntityKind, symbol: usize) -> Event<'static> {
    Filler::new(symbol).event(kind)
}

/// Nothing but what has to be there.
pub fn empty(kind: EntityKind) -> Event<'static> {
    let Event { mut meta, .. } = filled(kind, 0);
    meta.present = Default::default();
    meta.component = None;
    meta.source.event_id = None;
    meta.source.api_version = None;
    let entity = match kind {
        EntityKind::Customer => Entity::Customer(Box::default()),
        EntityKind::Cart => Entity::Cart(Box::default()),
        EntityKind::Order => Entity::Order(Box::default()),
        EntityKind::Product => Entity::Product(Box::default()),
    };
    Event { meta, entity, extensions: Default::default() }
}

type Error = de::value::Error;

impl<'de> Deserializer<'de> for &mut Filler {
    type Error = Error;

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(self.next() > 0)
    }
    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        // As days since 1970 still a date that every reader has.
        visitor.visit_i32((self.next() % 100_000) as i32)
    }
    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_i64(self.next())
    }
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(format!("标记 {}", self.next()))
    }
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Items(self, 2))
    }
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Items(self, 2))
    }
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.records.insert(name, fields);
        visitor.visit_seq(Items(self, fields.len()))
    }
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.enums.insert(name, words);
        visitor.visit_enum(words[self.symbol % words.len()].into_deserializer())
    }
    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(de::Error::custom("the model has a type that the filler cannot fill"))
    }
    serde::forward_to_deserialize_any! {
        i8 i16 u8 u16 u32 u64 f32 f64 char str bytes byte_buf unit unit_struct newtype_struct tuple tuple_struct
        identifier ignored_any
    }
}

/// So many more elements, entries or fields.
struct Items<'f>(&'f mut Filler, usize);

impl<'de> de::SeqAccess<'de> for Items<'_> {
    type Error = Error;
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if self.1 == 0 {
            return Ok(None);
        }
        self.1 -= 1;
        seed.deserialize(&mut *self.0).map(Some)
    }
}

impl<'de> de::MapAccess<'de> for Items<'_> {
    type Error = Error;
    fn next_key_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        de::SeqAccess::next_element_seed(self, seed)
    }
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(&mut *self.0)
    }
}
