//! The raw record that the benches give to the translator. Does not know what is in it.

use koine::translate::RawRecord;

pub fn raw(value: &[u8]) -> RawRecord<'_> {
    RawRecord {
        topic: "raw.bench",
        partition: 0,
        offset: 1,
        timestamp_ms: Some(1_767_225_600_000),
        key: None,
        value: Some(value),
        headers: &[],
    }
}
