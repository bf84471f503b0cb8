//! Offsets committed outside of transactions (`delivery: at_least_once`): one commit at a time, and again until it is done.
//!
//! A rebalance that ends while a commit is on its way has it refused, and whoever has read all there is by then makes no
//! later one that could cover it: the group would stand behind what is delivered until something else comes. Knows nothing of
//! batches.

use super::control::Backoff;
use crate::kafka::{Commit, Consumer, NextOffset, Offsets, TopicPartition};
use crate::telemetry::Metrics;
use std::collections::HashMap;
use std::time::{Duration, Instant};

pub struct Commits<'c> {
    consumer: &'c Consumer,
    owed: Owed,
    on_its_way: Option<(Commit<'c>, Offsets)>,
    /// Not before, after one that failed.
    again_at: Option<Instant>,
    backoff: Backoff,
}

impl<'c> Commits<'c> {
    pub fn new(consumer: &'c Consumer) -> Commits<'c> {
        Commits { consumer, owed: Owed::default(), on_its_way: None, again_at: None, backoff: Backoff::new() }
    }

    /// All before these is delivered.
    pub fn owe(&mut self, delivered: Offsets) {
        self.owed.add(delivered);
    }

    /// They are somebody else's now, and so is what they have to commit.
    pub fn forget(&mut self, partitions: &[TopicPartition]) {
        self.owed.forget(partitions);
    }

    pub fn owes_any_of(&self, partitions: &[TopicPartition]) -> bool {
        partitions.iter().any(|one| self.owed.0.contains_key(one))
    }

    pub fn are_done(&self) -> bool {
        self.owed.0.is_empty()
    }

    /// Hears of the commit that is on its way, and sends the next one. Where there is something to wait for, for no longer than this.
    pub fn advance(&mut self, within: Duration, metrics: &Metrics) {
        if let Some((commit, offsets)) = self.on_its_way.take() {
            match commit.done(within) {
                None => {
                    self.on_its_way = Some((commit, offsets));
                    return;
                }
                Some(Ok(())) => {
                    metrics.offset_commit(true);
                    self.backoff.reset();
                    self.owed.pay(&offsets);
                }
                Some(Err(trouble)) => self.failed(&trouble, metrics),
            }
        }
        if self.owed.0.is_empty() {
            return;
        }
        let pause = self.again_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(Instant::now()));
        if !pause.is_zero() {
            return std::thread::sleep(pause.min(within));
        }
        self.again_at = None;
        let offsets = self.owed.offsets();
        match self.consumer.commit(&offsets) {
            Ok(commit) => self.on_its_way = Some((commit, offsets)),
            Err(trouble) => self.failed(&trouble, metrics),
        }
    }

    fn failed(&mut self, trouble: &dyn std::fmt::Display, metrics: &Metrics) {
        metrics.offset_commit(false);
        let pause = self.backoff.pause();
        tracing::warn!(why = %trouble, ?pause, "offsets were not committed; trying again");
        self.again_at = Some(Instant::now() + pause);
    }
}

/// Up to where each partition is delivered, where that is not known to be committed.
#[derive(Default)]
struct Owed(HashMap<TopicPartition, NextOffset>);

impl Owed {
    fn add(&mut self, delivered: Offsets) {
        self.0.extend(delivered);
    }

    fn offsets(&self) -> Offsets {
        self.0.iter().map(|(partition, next)| (partition.clone(), *next)).collect()
    }

    /// These are committed. What has been delivered meanwhile is not.
    fn pay(&mut self, committed: &Offsets) {
        for (partition, next) in committed {
            if self.0.get(partition) == Some(next) {
                self.0.remove(partition);
            }
        }
    }

    fn forget(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.0.remove(partition);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(partition: i32, done: i64) -> (TopicPartition, NextOffset) {
        (TopicPartition::new("t", partition), NextOffset::after(done))
    }

    fn sorted(owed: &Owed) -> Offsets {
        let mut offsets = owed.offsets();
        offsets.sort_unstable();
        offsets
    }

    #[test]
    fn what_was_delivered_while_a_commit_was_on_its_way_is_still_owed() {
        let mut owed = Owed::default();
        owed.add(vec![at(0, 9), at(1, 5)]);
        let on_its_way = owed.offsets();
        owed.add(vec![at(0, 19), at(2, 3)]);
        assert_eq!(sorted(&owed), [at(0, 19), at(1, 5), at(2, 3)], "one offset a partition, the latest");
        owed.pay(&on_its_way);
        assert_eq!(sorted(&owed), [at(0, 19), at(2, 3)]);
    }

    #[test]
    fn what_is_somebody_elses_is_not_owed() {
        let mut owed = Owed::default();
        owed.add(vec![at(0, 9), at(1, 5)]);
        owed.forget(&[at(0, 0).0, at(2, 0).0]);
        assert_eq!(sorted(&owed), [at(1, 5)]);
    }
}
