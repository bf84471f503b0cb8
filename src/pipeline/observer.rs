//! What the pipeline tells about itself. Called once a batch or once an event, never once a record.

use crate::canonical::EntityKind;
use crate::kafka::{Gone, NextOffset, TopicPartition};
use crate::reject::Code;
use crate::vendors::Ignore;
use std::collections::HashMap;
use std::time::Duration;

/// What became of a webhook. Every part is from a closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnitOutcome {
    Event { vendor: &'static str, event_type: &'static str, entity: EntityKind },
    Ignored { vendor: &'static str, event_type: &'static str, rule: Ignore },
    DeadLetter { vendor: Option<&'static str>, event_type: Option<&'static str>, code: Code },
}

/// How many webhooks of a raw topic ended how.
pub type Outcomes = HashMap<UnitOutcome, u64>;

/// A batch that is committed.
#[derive(Debug)]
pub struct Delivered<'a> {
    pub outcomes: &'a HashMap<TopicPartition, Outcomes>,
    pub partitions: &'a [Progress],
    /// From its first record to its commit.
    pub took: Duration,
}

/// How far a partition has come with a batch.
#[derive(Debug, Clone)]
pub struct Progress {
    pub partition: TopicPartition,
    pub records: u64,
    pub next: NextOffset,
    /// Of the last record, in milliseconds since 1970.
    pub timestamp_ms: Option<i64>,
}

/// Somebody who counts and logs. The default does neither.
#[allow(unused_variables)]
pub trait Observer: Send + Sync {
    fn delivered(&self, batch: &Delivered<'_>) {}
    /// `committed`, `aborted`, `fenced`, `fatal`.
    fn transaction(&self, result: &'static str, took: Duration) {}
    /// `assign`, `revoke`, `lost`.
    fn rebalance(&self, kind: &'static str, partitions: &[TopicPartition]) {}
    /// A partition stands still: what the group committed is gone.
    fn stalled(&self, gone: &Gone) {}
    fn offset_regression(&self, partition: &TopicPartition) {}
    /// Records of these partitions still to come.
    fn lag(&self, lag: &[(TopicPartition, i64)]) {}
    /// Nothing is read, since nothing can be delivered.
    fn held(&self, worker: usize, is_held: bool) {}
    /// The consumer or producer had to be made anew.
    fn remade(&self, what: &'static str) {}
    fn dead_letter_failed(&self, topic: &str) {}
}

/// Nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}
