//! Whether a consumer gets on: plain bookkeeping of where its partitions are, and of how long it has heard of no broker. Who
//! may be stuck is told from here; whether it is, only the brokers know.

use crate::kafka::{Lag, TopicPartition};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Where the partitions are, and for how long they have been there.
#[derive(Debug)]
pub struct Progress {
    patience: Duration,
    looked_at: Option<Instant>,
    marks: HashMap<TopicPartition, Mark>,
}

#[derive(Debug)]
struct Mark {
    next: i64,
    /// For so long it has had records before it and has not moved.
    still: Duration,
    /// Up to this end there was nothing to read: markers of transactions have offsets and are no records.
    is_empty_to: i64,
}

impl Progress {
    pub fn new(patience: Duration) -> Progress {
        Progress { patience, looked_at: None, marks: HashMap::new() }
    }

    /// Takes note of where the partitions are now. Gives those that have had records before them for too long and have
    /// not moved.
    pub fn look(&mut self, now: Instant, partitions: &[Lag]) -> Vec<Lag> {
        // Whoever was frozen for an hour has looked away, and nothing can have moved meanwhile.
        let since = self.looked_at.replace(now).map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        let since = since.min(self.patience / 2);
        self.marks.retain(|partition, _| partitions.iter().any(|lag| lag.partition == *partition));
        let mut suspects = Vec::new();
        for lag in partitions {
            let Some(mark) = self.marks.get_mut(&lag.partition) else {
                let mark = Mark { next: lag.next, still: Duration::ZERO, is_empty_to: lag.next };
                self.marks.insert(lag.partition.clone(), mark);
                continue;
            };
            if mark.next != lag.next || lag.end <= mark.is_empty_to.max(lag.next) {
                (mark.next, mark.still) = (lag.next, Duration::ZERO);
                continue;
            }
            mark.still += since;
            if mark.still >= self.patience {
                suspects.push(lag.clone());
            }
        }
        suspects
    }

    /// There was nothing to read before this end.
    pub fn is_empty_to(&mut self, lag: &Lag) {
        if let Some(mark) = self.marks.get_mut(&lag.partition) {
            mark.is_empty_to = lag.end;
        }
    }

    /// Starts anew: for a while nothing was read on purpose.
    pub fn forget(&mut self) {
        self.marks.clear();
    }
}

/// For how long a consumer has heard of no broker.
#[derive(Debug)]
pub struct Silence {
    patience: Duration,
    since: Option<Instant>,
}

impl Silence {
    pub fn new(patience: Duration) -> Silence {
        Silence { patience, since: None }
    }

    pub fn is_over(&mut self) {
        self.since = None;
    }

    /// It lasts. Whether for so long that somebody else should ask; after that it is counted anew.
    pub fn is_long(&mut self, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        let is_long = now.saturating_duration_since(since) >= self.patience;
        if is_long {
            self.since = Some(now);
        }
        is_long
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn at(partition: i32, next: i64, end: i64) -> Lag {
        Lag { partition: TopicPartition::new("raw.spree", partition), next, end }
    }

    /// Looks every 20 seconds, and gives what the last look suspects.
    struct Watch {
        progress: Progress,
        now: Instant,
    }

    impl Watch {
        fn new() -> Watch {
            Watch { progress: Progress::new(PATIENCE), now: Instant::now() }
        }

        fn look(&mut self, times: u32, partitions: &[Lag]) -> Vec<Lag> {
            let mut suspects = Vec::new();
            for _ in 0..times {
                self.now += Duration::from_secs(20);
                suspects = self.progress.look(self.now, partitions);
            }
            suspects
        }
    }

    #[test]
    fn who_has_records_and_does_not_move_is_suspected() {
        let mut watch = Watch::new();
        assert_eq!(watch.look(1, &[at(0, 5, 9), at(1, 5, 9), at(2, 9, 9)]), []);
        assert_eq!(watch.look(2, &[at(0, 5, 9), at(1, 6, 9), at(2, 9, 9)]), []);
        assert_eq!(watch.look(1, &[at(0, 5, 12), at(1, 6, 9), at(2, 9, 9)]), [at(0, 5, 12)]);
        assert_eq!(watch.look(1, &[at(0, 6, 12), at(1, 6, 9), at(2, 9, 9)]), [at(1, 6, 9)]);
    }

    #[test]
    fn who_has_read_everything_may_wait_for_ever_and_then_has_all_the_time() {
        let mut watch = Watch::new();
        assert_eq!(watch.look(100, &[at(0, 9, 9)]), []);
        assert_eq!(watch.look(2, &[at(0, 9, 10)]), []);
        assert_eq!(watch.look(1, &[at(0, 9, 10)]), [at(0, 9, 10)]);
    }

    #[test]
    fn markers_alone_are_nothing_to_read_and_what_comes_after_them_is() {
        let mut watch = Watch::new();
        assert_eq!(watch.look(4, &[at(0, 9, 10)]), [at(0, 9, 10)]);
        watch.progress.is_empty_to(&at(0, 9, 10));
        assert_eq!(watch.look(50, &[at(0, 9, 10)]), []);
        assert_eq!(watch.look(2, &[at(0, 9, 11)]), []);
        assert_eq!(watch.look(1, &[at(0, 9, 11)]), [at(0, 9, 11)]);
    }

    #[test]
    fn a_pause_on_purpose_and_a_new_assignment_start_anew() {
        let mut watch = Watch::new();
        watch.look(3, &[at(0, 5, 9), at(1, 5, 9)]);
        watch.progress.forget();
        assert_eq!(watch.look(3, &[at(0, 5, 9), at(1, 5, 9)]), []);
        assert_eq!(watch.look(1, &[at(1, 5, 9)]), [at(1, 5, 9)]);
        assert_eq!(watch.look(3, &[at(0, 5, 9)]), [], "0 was away");
    }

    #[test]
    fn a_frozen_process_is_not_a_stuck_consumer() {
        let mut watch = Watch::new();
        watch.look(2, &[at(0, 5, 9)]);
        watch.now += Duration::from_secs(3600);
        assert_eq!(watch.look(1, &[at(0, 5, 9)]), []);
        assert_eq!(watch.look(1, &[at(0, 6, 9)]), []);
    }

    #[test]
    fn a_silence_is_long_once_it_has_lasted_and_no_two_are_added_up() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut silence = Silence::new(PATIENCE);
        assert!(!silence.is_long(at(0)));
        assert!(!silence.is_long(at(59)));
        silence.is_over();
        assert!(!silence.is_long(at(61)), "it has begun anew");
        assert!(!silence.is_long(at(120)));
        assert!(silence.is_long(at(121)));
        assert!(!silence.is_long(at(123)), "not everybody is asked all the time");
        assert!(silence.is_long(at(181)));
    }
}
