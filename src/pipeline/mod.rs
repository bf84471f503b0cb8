//! From raw topics to canonical ones: read, translate, deliver, commit. What cannot be read goes to the dead letters.
//!
//! ```text
//! worker thread                                     courier thread
//! consumer → translator → Batch  ── hand over ──►  begin → records, dead letters → offsets → commit
//!    ▲                             ◄── Delivered ──  (again and again, until it is done or void)
//! ```
//!
//! While a batch is on its way the next one is read. A batch keeps its raw records until it is committed, so whatever
//! fails is done again from memory; only where nobody knows what became of a commit are the offsets asked for again.
//! A failure of the infrastructure never changes an outcome: it is waited for.
//!
//! Knows neither JSON, nor vendors' field names, nor rdkafka. The clock is read here and nowhere below.

mod batch;
mod breaker;
mod breakers;
mod commits;
mod control;
mod counts;
mod courier;
pub mod dead_letter;
mod ledger;
pub mod letter;
pub mod only;
mod outputs;
mod progress;
pub mod redrive;
mod service;
mod turns;
mod worker;

pub use batch::with_raw;
pub use breaker::Rules as BreakerRules;
pub use counts::tables;
pub use dead_letter::{HeaderSets, Policy};
pub use only::{Only, Selection};
pub use outputs::{NotReady, Outputs};
pub use service::{BreakerPlan, Exit, Handle, Limits, Plan, Service, SourceOf, Stop};
