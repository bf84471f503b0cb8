//! The partitions that this process reads: how far behind they are, whether they are read, whether the ledger adds up. Their
//! series end when they go, or two processes would tell of one partition.

use super::catalog;
use super::{Maker, Metrics, now_ms};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec, Opts};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// That a partition is read to its end is believed for so long: a little longer than it is asked about anew.
const BELIEVED_MS: i64 = 40_000;

#[derive(Clone)]
pub(super) struct Partitions {
    assigned: IntGaugeVec,
    lag: IntGaugeVec,
    ages: Ages,
    last_record: GaugeVec,
    imbalance: IntGaugeVec,
    stopped: IntGaugeVec,
    breaker: IntGaugeVec,
    paused: IntGaugeVec,
    expected: GaugeVec,
    read_since: GaugeVec,
    stuck: IntCounterVec,
    regressions: IntCounterVec,
}

impl Partitions {
    pub fn new(make: &Maker) -> Result<Partitions, prometheus::Error> {
        let ages = Ages {
            gauge: GaugeVec::new(
                Opts::new(catalog::LAG_SECONDS.name, catalog::LAG_SECONDS.help),
                catalog::LAG_SECONDS.labels,
            )?,
            known: Arc::default(),
        };
        Ok(Partitions {
            assigned: make.gauges(&catalog::ASSIGNED)?,
            lag: make.gauges(&catalog::LAG)?,
            ages: make.register(ages)?,
            last_record: make.float_gauges(&catalog::LAST_RECORD)?,
            imbalance: make.gauges(&catalog::IMBALANCE)?,
            stopped: make.gauges(&catalog::STOPPED)?,
            breaker: make.gauges(&catalog::BREAKER)?,
            paused: make.gauges(&catalog::PAUSED)?,
            expected: make.float_gauges(&catalog::EXPECTED)?,
            read_since: make.float_gauges(&catalog::READ_SINCE)?,
            stuck: make.counters(&catalog::STUCK)?,
            regressions: make.counters(&catalog::REGRESSIONS)?,
        })
    }
}

impl Metrics {
    /// The gauges of a partition that was just assigned; call [`PartitionGauges::release`] when it goes.
    pub fn partition(&self, topic: &str, partition: i32) -> PartitionGauges {
        let of = self.partitions.clone();
        of.assigned.with_label_values(&[topic]).inc();
        of.stuck.with_label_values(&[topic]);
        of.regressions.with_label_values(&[topic]);
        let gauges = PartitionGauges { of, labels: [topic.to_owned(), partition.to_string()] };
        gauges.breaker(BreakerLevel::Closed, false);
        gauges.held(false);
        gauges.waits(false);
        gauges.stopped(0);
        gauges.imbalance(0);
        gauges.of.ages.update(&gauges.labels, |_| ());
        gauges
    }

    /// A record of the topic was handed out again.
    pub fn offset_regression(&self, topic: &str) {
        self.partitions.regressions.with_label_values(&[topic]).inc();
    }

    pub fn consumer_stuck(&self, topic: &str) {
        self.partitions.stuck.with_label_values(&[topic]).inc();
    }
}

/// The gauges of one assigned partition. Its series are looked up at each call, some times a second: where a partition
/// moves between two workers of this process, the one may let go after the other took it, and a kept series would be
/// one that nobody renders any more.
pub struct PartitionGauges {
    of: Partitions,
    labels: [String; 2],
}

/// What a partition's breaker is like, as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerLevel {
    Closed = 0,
    Probing = 1,
    Open = 2,
}

/// The reasons of `koine_partition_paused`.
const REASONS: [&str; 3] = [BY_BREAKER, BY_BACKPRESSURE, BY_OFFSET];
const BY_BREAKER: &str = "breaker";
const BY_BACKPRESSURE: &str = "backpressure";
const BY_OFFSET: &str = "offset";

impl PartitionGauges {
    /// So many records are not committed yet, by the brokers' word.
    pub fn lag(&self, records: i64) {
        self.of.lag.with_label_values(&self.labels).set(records);
        let now = now_ms();
        self.of.ages.update(&self.labels, |age| age.asked(now, records <= 0));
    }

    /// Nobody can be asked. No number is better than an old one; what is known in seconds goes on.
    pub fn lag_unknown(&self) {
        // A series that was never set is not there to be removed.
        let _ = self.of.lag.remove_label_values(&self.labels);
    }

    /// The timestamp, in milliseconds since 1970, of the last record of a committed batch.
    pub fn processed(&self, timestamp_millis: i64) {
        self.of.last_record.with_label_values(&self.labels).set(timestamp_millis as f64 / 1000.0);
        let now = now_ms();
        self.of.ages.update(&self.labels, |age| age.committed(now, timestamp_millis));
    }

    /// What the ledger is short of: 0, unless something is wrong with us.
    pub fn imbalance(&self, webhooks: i64) {
        self.of.imbalance.with_label_values(&self.labels).set(webhooks);
    }

    /// The partition is stopped: so many records from the committed offset on are gone.
    pub fn stopped(&self, records_gone: i64) {
        self.of.stopped.with_label_values(&self.labels).set(records_gone);
    }

    /// The partition's breaker has turned, and the partition is paused for it or not.
    pub fn breaker(&self, level: BreakerLevel, is_paused: bool) {
        self.of.breaker.with_label_values(&self.labels).set(level as i64);
        self.paused(BY_BREAKER, is_paused);
    }

    /// Reading waits until what was read is delivered, or goes on.
    pub fn held(&self, is_held: bool) {
        self.paused(BY_BACKPRESSURE, is_held);
    }

    /// It is not known yet where to start, or it is.
    pub fn waits(&self, waits: bool) {
        self.paused(BY_OFFSET, waits);
    }

    fn paused(&self, reason: &str, is_paused: bool) {
        let [topic, partition] = &self.labels;
        self.of.paused.with_label_values(&[topic, partition, reason]).set(i64::from(is_paused));
    }

    /// Of the topic's source something is to be heard that often.
    pub fn expect_every(&self, every: Duration) {
        let [topic, _] = &self.labels;
        self.of.expected.with_label_values(&[topic]).set(every.as_secs_f64());
        let since = self.of.read_since.with_label_values(&[topic]);
        if since.get() == 0.0 {
            since.set(now_ms() as f64 / 1000.0);
        }
    }

    /// The partition belongs to another now.
    pub fn release(self) {
        let Partitions {
            assigned,
            lag,
            ages,
            last_record,
            imbalance,
            stopped,
            breaker,
            paused,
            expected,
            read_since,
            ..
        } = &self.of;
        let [topic, partition] = &self.labels;
        // A series that was never set is not there to be removed.
        for gauges in [lag, imbalance, stopped, breaker] {
            let _ = gauges.remove_label_values(&self.labels);
        }
        let _ = last_record.remove_label_values(&self.labels);
        for reason in REASONS {
            let _ = paused.remove_label_values(&[topic.as_str(), partition, reason]);
        }
        ages.forget(&self.labels);
        let left = assigned.with_label_values(&[topic]);
        left.dec();
        if left.get() <= 0 {
            let _ = expected.remove_label_values(&[topic]);
            let _ = read_since.remove_label_values(&[topic]);
        }
    }
}

/// How far behind partitions are in time, made when it is asked for.
#[derive(Clone)]
struct Ages {
    gauge: GaugeVec,
    known: Arc<Mutex<BTreeMap<[String; 2], Age>>>,
}

impl Ages {
    fn update(&self, labels: &[String; 2], change: impl FnOnce(&mut Age)) {
        if let Ok(mut known) = self.known.lock() {
            change(known.entry(labels.clone()).or_insert_with(|| Age::new(now_ms())));
        }
    }

    fn forget(&self, labels: &[String; 2]) {
        if let Ok(mut known) = self.known.lock() {
            known.remove(labels);
        }
    }
}

impl Collector for Ages {
    fn desc(&self) -> Vec<&Desc> {
        self.gauge.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // Held to the end, so that two who ask at once do not wipe away each other's answer.
        let Ok(known) = self.known.lock() else { return Vec::new() };
        let now = now_ms();
        self.gauge.reset();
        for (labels, age) in known.iter() {
            self.gauge.with_label_values(labels).set(age.seconds(now));
        }
        self.gauge.collect()
    }
}

/// What is known of how far behind one partition is. Times in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Age {
    /// When it came to us.
    came: i64,
    /// When it was last found to be read to its end.
    ended: Option<i64>,
    /// Whether that was so when it was last asked.
    is_at_end: bool,
    /// The time of the last record that was committed.
    done: Option<i64>,
}

impl Age {
    fn new(now: i64) -> Age {
        Age { came: now, ended: None, is_at_end: false, done: None }
    }

    fn asked(&mut self, now: i64, is_at_end: bool) {
        self.is_at_end = is_at_end;
        if is_at_end {
            self.ended = Some(now);
        }
    }

    /// A batch is committed whose last record has this time. A clock that goes ahead of ours is not believed.
    fn committed(&mut self, now: i64, timestamp: i64) {
        self.done = Some(timestamp.min(now));
    }

    fn seconds(self, now: i64) -> f64 {
        if self.is_at_end && self.ended.is_some_and(|at| now - at < BELIEVED_MS) {
            return 0.0;
        }
        let known = self.ended.max(self.done).unwrap_or(self.came);
        (now - known).max(0) as f64 / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    #[test]
    fn who_is_at_the_end_is_not_behind_as_long_as_that_is_believed() {
        let mut age = Age::new(0);
        age.asked(10 * MINUTE, true);
        assert_eq!(age.seconds(10 * MINUTE + 30_000), 0.0);
        assert_eq!(age.seconds(20 * MINUTE), 600.0, "nobody has been asked for ten minutes");
    }

    #[test]
    fn who_is_behind_is_so_by_the_last_record_it_committed() {
        let mut age = Age::new(100 * MINUTE);
        age.asked(100 * MINUTE, false);
        assert_eq!(age.seconds(101 * MINUTE), 60.0, "since it came, at least");
        age.committed(101 * MINUTE, 41 * MINUTE);
        assert_eq!(age.seconds(101 * MINUTE), 3600.0);
        age.committed(102 * MINUTE, 100 * MINUTE);
        assert_eq!(age.seconds(102 * MINUTE), 120.0);
    }

    /// A record that comes after three days of silence is not three days late.
    #[test]
    fn silence_is_no_lag() {
        let mut age = Age::new(0);
        age.committed(1, 1);
        let days = 3 * 24 * 60 * MINUTE;
        age.asked(days, true);
        age.asked(days + 15_000, false);
        assert_eq!(age.seconds(days + 15_000), 15.0);
        age.committed(days + 15_100, days + 15_050);
        assert_eq!(age.seconds(days + 16_050), 1.0);
    }

    #[test]
    fn a_clock_ahead_of_ours_is_not_believed() {
        let mut age = Age::new(0);
        age.committed(MINUTE, 100 * MINUTE);
        assert_eq!(age.seconds(2 * MINUTE), 60.0);
    }
}
