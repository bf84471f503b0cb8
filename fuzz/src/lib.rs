//! What must hold of whatever koine reads, for the targets in `fuzz_targets`: a panic here is a finding.
//!
//! Of a record: each webhook in it has exactly one outcome; the same bytes have the same; an event can be read again by
//! Avro's own reader, and every leaf of its webhook is accounted for; a refusal points at a place that is there. Knows
//! koine from the outside only, as the tests do.

mod config;
mod headers;
mod record;

pub use config::config;
pub use headers::headers;
pub use record::{body, envelope};
