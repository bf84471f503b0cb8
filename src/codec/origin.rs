//! Reads back where a canonical record came from: the head of its Avro, as every schema ever released has it, and nothing
//! after that. For whoever compares what was written with what was due; consumers decode by the schema.

/// What a record says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin<'a> {
    pub event_id: &'a str,
    /// The raw topic.
    pub topic: &'a str,
    pub partition: i32,
    pub offset: i64,
    pub index: i32,
}

/// Of a framed record. `None`: this is no canonical record.
pub fn origin(framed: &[u8]) -> Option<Origin<'_>> {
    let datum = unframed(framed)?;
    let mut avro = Avro(datum);
    let event_id = avro.text()?;
    // event_id_basis, entity, action, coverage
    for _ in 0..4 {
        avro.long()?;
    }
    avro.skip_texts()?;
    if avro.is_there()? {
        avro.text()?;
        avro.optional_text()?;
    }
    // occurred_at, its basis, version, its basis, received_at
    for _ in 0..5 {
        avro.long()?;
    }
    // vendor, shop, event_type
    for _ in 0..3 {
        avro.text()?;
    }
    // event_id, api_version
    for _ in 0..2 {
        avro.optional_text()?;
    }
    Some(Origin {
        event_id,
        topic: avro.text()?,
        partition: i32::try_from(avro.long()?).ok()?,
        offset: avro.long()?,
        index: i32::try_from(avro.long()?).ok()?,
    })
}

/// The Avro of a framed record.
pub fn unframed(framed: &[u8]) -> Option<&[u8]> {
    match framed {
        [0, _, _, _, _, datum @ ..] => Some(datum),
        _ => None,
    }
}

/// The id of the schema that a framed record was written with.
pub fn schema_id(framed: &[u8]) -> Option<u32> {
    match *framed {
        [0, a, b, c, d, ..] => Some(u32::from_be_bytes([a, b, c, d])),
        _ => None,
    }
}

/// What is left to read.
struct Avro<'a>(&'a [u8]);

impl<'a> Avro<'a> {
    fn long(&mut self) -> Option<i64> {
        let mut zigzag = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            zigzag |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64));
            }
        }
        None
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.long()?).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    /// The place in a union with null.
    fn is_there(&mut self) -> Option<bool> {
        match self.long()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn optional_text(&mut self) -> Option<Option<&'a str>> {
        match self.is_there()? {
            true => self.text().map(Some),
            false => Some(None),
        }
    }

    /// A list of texts, in blocks. A block with a negative count says how many bytes it has.
    fn skip_texts(&mut self) -> Option<()> {
        loop {
            match self.long()? {
                0 => return Some(()),
                count @ 1.. => {
                    for _ in 0..count {
                        self.text()?;
                    }
                }
                _ => {
                    self.text_bytes()?;
                }
            }
        }
    }

    fn text_bytes(&mut self) -> Option<()> {
        let length = usize::try_from(self.long()?).ok()?;
        let (_, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical::EntityKind;
    use crate::codec::encode;
    use crate::filler::{empty, filled};

    #[test]
    fn what_was_written_is_read_back() {
        for kind in EntityKind::ALL {
            for event in (0..3).map(|symbol| filled(kind, symbol)).chain([empty(kind)]) {
                let mut framed = Vec::new();
                encode(&event, 4711, &mut framed).unwrap();
                let source = &event.meta.source;
                let want =
                    (event.meta.event_id.to_string(), (&*source.topic, source.partition, source.offset, source.index));
                let found = origin(&framed).unwrap();
                assert_eq!(found.event_id, want.0);
                assert_eq!((found.topic, found.partition, found.offset, found.index), want.1);
                for end in 0..40.min(framed.len()) {
                    assert_eq!(origin(&framed[..end]), None, "cut at {end}");
                }
            }
        }
    }

    #[test]
    fn lists_may_be_in_blocks_of_a_known_size() {
        // Two blocks: one text in three bytes, then one text; then the end.
        let mut avro = Avro(&[1, 4, 2, b'a', 2, 2, b'b', 0, 6]);
        assert_eq!(avro.skip_texts(), Some(()));
        assert_eq!(avro.long(), Some(3));
    }

    #[test]
    fn what_is_no_record_is_none() {
        for bytes in
            [&b""[..], b"{}", &[0, 0, 0, 0], &[0, 0, 0, 0, 1], &[0, 0, 0, 0, 1, 255, 255, 255], &[1; 200], &[0; 200]]
        {
            let found = origin(bytes);
            assert!(found.is_none_or(|origin| origin.topic.is_empty()), "{bytes:?}");
        }
    }

    /// Every version ever released begins alike: a field that is added to the head must be added to the reader.
    #[test]
    fn every_released_schema_begins_with_this_head() {
        use serde_json::Value;
        /// Names and types of a record's fields, records within it included, in the order they are written.
        fn fields(record: &Value, out: &mut Vec<String>) {
            for field in record["fields"].as_array().unwrap() {
                let kinds = match &field["type"] {
                    Value::Array(union) => union.clone(),
                    one => vec![one.clone()],
                };
                let name = |kind: &Value| match &kind["type"] {
                    Value::Null => kind.as_str().unwrap().to_owned(),
                    name => name.as_str().unwrap().to_owned(),
                };
                let names: Vec<String> = kinds.iter().map(name).collect();
                out.push(format!("{}: {}", field["name"].as_str().unwrap(), names.join("|")));
                kinds.iter().filter(|kind| kind["type"] == "record").for_each(|record| fields(record, out));
            }
        }
        let head = [
            "event_id: string",
            "event_id_basis: enum",
            "entity: enum",
            "action: enum",
            "coverage: enum",
            "present: array",
            "component: null|record",
            "kind: string",
            "id: null|string",
            "occurred_at: long",
            "occurred_at_basis: enum",
            "version: long",
            "version_basis: koine.commerce.v1.ClockBasis",
            "received_at: long",
            "source: record",
            "vendor: string",
            "shop: string",
            "event_type: string",
            "event_id: null|string",
            "api_version: null|string",
            "topic: string",
            "partition: int",
            "offset: long",
            "index: int",
        ];
        for kind in EntityKind::ALL {
            for schema in crate::schemas::history(kind).iter().chain([&crate::schemas::json(kind)]) {
                let schema: Value = serde_json::from_str(schema).unwrap();
                let meta = &schema["fields"][0];
                assert_eq!(meta["name"], "meta");
                let mut found = Vec::new();
                fields(&meta["type"], &mut found);
                let found: Vec<String> =
                    found.iter().map(|field| field.replace(": ClockBasis", ": koine.commerce.v1.ClockBasis")).collect();
                assert_eq!(found.get(..head.len()).unwrap_or_default(), head, "{kind:?}");
            }
        }
    }
}
