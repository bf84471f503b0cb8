//! A record as the consumer lends it: the bytes lie in librdkafka's buffer until the record is dropped.

use super::native;
use rdkafka::message::{BorrowedMessage, Message};

/// A raw record. It may be held while others are read, but not longer than its consumer lives.
pub struct Record<'c> {
    message: BorrowedMessage<'c>,
}

impl<'c> Record<'c> {
    pub(super) fn new(message: BorrowedMessage<'c>) -> Record<'c> {
        Record { message }
    }

    pub fn topic(&self) -> &str {
        self.message.topic()
    }

    pub fn partition(&self) -> i32 {
        self.message.partition()
    }

    pub fn offset(&self) -> i64 {
        self.message.offset()
    }

    pub fn key(&self) -> Option<&[u8]> {
        self.message.key()
    }

    pub fn value(&self) -> Option<&[u8]> {
        self.message.payload()
    }

    /// Milliseconds since 1970, if the record has a time.
    pub fn timestamp_ms(&self) -> Option<i64> {
        self.message.timestamp().to_millis()
    }

    /// Bytes of key and value.
    pub fn len(&self) -> usize {
        self.message.key_len() + self.message.payload_len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls `each` with every header, in order, repeats included.
    pub fn each_header<'r>(&'r self, each: impl FnMut(&'r str, Option<&'r [u8]>)) {
        native::each_header(&self.message, each);
    }
}
