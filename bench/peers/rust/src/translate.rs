//! From a raw record to what a peer sends: the same bytes, fewer of them, or an order in Avro behind Confluent's header.

use crate::spree::{Envelope, Str};
use crate::{SCHEMA, canonical, hand, obvious};
use apache_avro::Schema;
use apache_avro::writer::datum::GenericDatumWriter;
use serde_avro_fast::ser::SerializerConfig;

#[derive(Clone, Copy, PartialEq)]
pub enum Transform {
    /// Read, and sent nowhere.
    Discard,
    Same,
    /// The first so many bytes: what whoever translates has to send in any case.
    Cut(usize),
    /// `serde_json::Value` to apache-avro's `Value`, as the libraries' first pages show it.
    Obvious,
    /// Borrowed by sonic-rs into typed structs, written by serde_avro_fast.
    Typed,
    /// Borrowed by sonic-rs into typed structs, written by hand.
    Hand,
}

impl Transform {
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "discard" => Some(Self::Discard),
            "same" => Some(Self::Same),
            "obvious" => Some(Self::Obvious),
            "typed" => Some(Self::Typed),
            "hand" => Some(Self::Hand),
            _ => name.strip_prefix("cut-")?.parse().ok().map(Self::Cut),
        }
    }
}

pub struct Translator {
    pub transform: Transform,
    header: [u8; 5],
    out: Vec<u8>,
    /// Both parse the schema once, as anybody would.
    obvious: GenericDatumWriter<'static>,
    typed: SerializerConfig<'static>,
}

impl Translator {
    pub fn new(transform: Transform, schema_id: u32) -> Self {
        let mut header = [0; 5];
        header[1..].copy_from_slice(&schema_id.to_be_bytes());
        // They live as long as the process does.
        let schema: &'static Schema = Box::leak(Box::new(Schema::parse_str(SCHEMA).expect("schema")));
        let typed: &'static serde_avro_fast::Schema = Box::leak(Box::new(SCHEMA.parse().expect("schema")));
        Self {
            transform,
            header,
            out: Vec::with_capacity(8192),
            obvious: GenericDatumWriter::builder(schema).build().expect("writer"),
            typed: SerializerConfig::new(typed),
        }
    }

    pub fn run<'b>(&'b mut self, raw: &'b [u8]) -> &'b [u8] {
        self.out.clear();
        self.out.extend_from_slice(&self.header);
        match self.transform {
            Transform::Discard | Transform::Same => return raw,
            Transform::Cut(length) => return &raw[..length.min(raw.len())],
            Transform::Obvious => {
                let document: serde_json::Value = serde_json::from_slice(raw).expect("JSON");
                let order = obvious::order(&document).expect("an order");
                self.obvious.write_value_ref(&mut self.out, &order).expect("Avro");
            }
            Transform::Typed => {
                let event = parse(raw);
                let order = canonical::order(&event).expect("an order");
                serde_avro_fast::to_datum(&order, &mut self.out, &mut self.typed).expect("Avro");
            }
            Transform::Hand => hand::order(&mut self.out, &parse(raw)).expect("an order"),
        }
        &self.out
    }
}

fn parse(raw: &[u8]) -> Envelope<Str<'_>> {
    sonic_rs::from_slice(raw).expect("JSON")
}
