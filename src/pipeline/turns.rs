//! Turns, where some partitions would be left out. librdkafka asks a broker for its partitions one after the other and remembers
//! where it was, but forgets it whenever so much lies ready that it stops asking (its issue 1854). Under a backlog that is after
//! nearly every answer, and an answer may have room for one partition only: the first was read to its end, then the second.
//!
//! So who was read waits, as soon as others were not and could have been, until each of those was; then all are read again.
//! Where every partition gets on, as mostly, nobody waits for anybody. Plain bookkeeping: no broker is asked here.

use crate::kafka::{Lag, TopicPartition};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// How many batches a turn has, or how long it is where so many wait that all of them would take longer than [`ROUND`]. It is not
/// shorter than this, for each makes librdkafka throw away what it has read ahead of those who are to wait: some ms.
const BATCHES: u32 = 8;
const LEAST: Duration = Duration::from_millis(50);
const ROUND: Duration = Duration::from_secs(20);
/// For how long nobody waits for a partition that has given nothing: what it has cannot be read, such as records of a transaction
/// that is still open.
const REST: Duration = Duration::from_secs(60);
/// Who had less than such a part of what another had has had no turn. Offsets are no measure of work, so it is not much.
const SHARE: i64 = 8;
/// How often in a row nothing may come, of those who are waited for.
const DRY: u32 = 4;

#[derive(Debug, Default)]
pub struct Turns {
    /// Where everybody was when the turn began.
    begun: Option<(Instant, HashMap<TopicPartition, Lag>)>,
    looked_at: Option<Instant>,
    /// Who waits.
    aside: HashSet<TopicPartition>,
    /// How many are waited for.
    left_out: usize,
    /// Who has given nothing, and until when nobody waits for it.
    barren: HashMap<TopicPartition, Instant>,
    /// How many batches there were in this turn.
    batches: u32,
    /// How often nothing came, in a row.
    dry: u32,
    is_void: bool,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing.
    GoOn,
    /// These are to wait as well.
    Aside(Vec<TopicPartition>),
    /// Everybody is to be read again.
    All,
}

impl Turns {
    /// Whether it is time to look.
    pub fn is_due(&self, now: Instant) -> bool {
        let Some((begun, _)) = &self.begun else { return true };
        if !self.aside.is_empty() && (self.dry >= DRY || self.is_void) {
            return true;
        }
        let since = |then: Instant| now.saturating_duration_since(then);
        self.looked_at.is_none_or(|looked| since(looked) >= LEAST)
            && (self.batches >= BATCHES || since(*begun) >= ROUND / self.left_out.max(1) as u32)
    }

    /// A batch has been read.
    pub fn batch_is_read(&mut self) {
        self.batches += 1;
        self.dry = 0;
    }

    /// There was nothing to read for a while.
    pub fn nothing_came(&mut self) {
        self.dry += 1;
    }

    /// What was is no more: others may be ours, or are to be read, or nothing was read on purpose.
    pub fn forget(&mut self) {
        self.is_void = true;
    }

    /// Takes note of where the partitions are now that are to be read, those with them that wait.
    pub fn look(&mut self, now: Instant, partitions: Vec<Lag>) -> Next {
        self.looked_at = Some(now);
        let (begun, before) = match &self.begun {
            Some((begun, before)) if !self.is_void => (*begun, before),
            _ => return self.begin(now, partitions),
        };
        // Who came in between has not had a whole turn yet.
        let turns: Vec<(&Lag, &Lag)> = partitions
            .iter()
            .filter(|lag| !self.aside.contains(&lag.partition))
            .filter_map(|lag| Some((lag, before.get(&lag.partition)?)))
            .collect();
        let most = turns.iter().map(|(lag, mark)| lag.next - mark.next).max().unwrap_or_default();
        self.barren.retain(|_, until| now < *until);
        let (mut had_theirs, mut left_out) = (Vec::new(), Vec::new());
        for (lag, mark) in turns {
            let (read, behind) = (lag.next - mark.next, lag.end - lag.next);
            // Whoever reads what comes as it comes is not left out for having little, nor has anybody to wait for having had it.
            if behind <= read {
                continue;
            }
            if mark.end > mark.next && read * SHARE <= most {
                left_out.push(lag.partition.clone());
            } else if read > 0 {
                had_theirs.push(lag.partition.clone());
            }
        }
        left_out.retain(|one| !self.barren.contains_key(one));
        if left_out.is_empty() {
            return self.begin(now, partitions);
        }
        if most <= 0 {
            // They have their turn until something of them comes, or it has turned out that nothing does.
            let is_over = self.dry >= DRY || now.saturating_duration_since(begun) >= ROUND;
            if self.aside.is_empty() || !is_over {
                return Next::GoOn;
            }
            self.barren.extend(left_out.into_iter().map(|one| (one, now + REST)));
            return self.begin(now, partitions);
        }
        self.note(now, partitions);
        self.left_out = left_out.len();
        if had_theirs.is_empty() {
            return Next::GoOn;
        }
        self.aside.extend(had_theirs.iter().cloned());
        Next::Aside(had_theirs)
    }

    /// A new round.
    fn begin(&mut self, now: Instant, partitions: Vec<Lag>) -> Next {
        self.note(now, partitions);
        self.left_out = 0;
        match std::mem::take(&mut self.aside).is_empty() {
            true => Next::GoOn,
            false => Next::All,
        }
    }

    fn note(&mut self, now: Instant, partitions: Vec<Lag>) {
        (self.batches, self.dry, self.is_void) = (0, 0, false);
        self.begun = Some((now, partitions.into_iter().map(|lag| (lag.partition.clone(), lag)).collect()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: i64 = 1000;
    const TURN: Duration = Duration::from_millis(500);

    /// Four partitions, and who waits.
    struct Stage {
        turns: Turns,
        now: Instant,
        next: [i64; 4],
        end: [i64; 4],
        aside: Vec<usize>,
    }

    impl Stage {
        fn new(end: [i64; 4]) -> Stage {
            let mut stage =
                Stage { turns: Turns::default(), now: Instant::now(), next: [0; 4], end, aside: Vec::new() };
            assert_eq!(stage.look(&[]), Next::GoOn);
            stage
        }

        /// A turn passes in which these are read.
        fn look(&mut self, read: &[usize]) -> Next {
            self.look_at(&read.iter().map(|&nth| (nth, 1)).collect::<Vec<_>>())
        }

        /// The same, with how much of them is read.
        fn look_at(&mut self, read: &[(usize, i64)]) -> Next {
            self.now += TURN;
            (0..BATCHES).for_each(|_| self.turns.batch_is_read());
            assert!(read.iter().all(|(nth, _)| !self.aside.contains(nth)));
            read.iter().for_each(|&(nth, count)| self.next[nth] += count);
            assert!(self.turns.is_due(self.now));
            let next = self.turns.look(self.now, self.standing());
            match &next {
                Next::GoOn => {}
                Next::Aside(partitions) => {
                    self.aside.extend(partitions.iter().map(|one| one.partition as usize));
                }
                Next::All => self.aside.clear(),
            }
            next
        }

        fn standing(&self) -> Vec<Lag> {
            let lag = |nth: usize| Lag { partition: partition(nth), next: self.next[nth], end: self.end[nth] };
            (0..4).map(lag).collect()
        }
    }

    fn partition(nth: usize) -> TopicPartition {
        TopicPartition::new("raw.spree", nth as i32)
    }

    fn aside(partitions: &[usize]) -> Next {
        Next::Aside(partitions.iter().copied().map(partition).collect())
    }

    #[test]
    fn where_all_get_on_or_have_nothing_nobody_waits() {
        let mut stage = Stage::new([END, END, END, 0]);
        for _ in 0..10 {
            assert_eq!(stage.look(&[0, 1, 2]), Next::GoOn);
        }
        assert_eq!(stage.look(&[]), Next::GoOn, "nor where none does");
    }

    /// As librdkafka does it: the first of those that may be read is read, and no other.
    #[test]
    fn each_has_its_turn_where_only_the_first_would_be_read() {
        let mut stage = Stage::new([END; 4]);
        for _ in 0..40 {
            let first = (0..4).find(|nth| !stage.aside.contains(nth)).expect("one may be read");
            stage.look(&[first]);
        }
        assert_eq!(stage.next, [10; 4]);
    }

    #[test]
    fn who_has_had_little_and_has_much_before_it_has_had_no_turn() {
        let mut stage = Stage::new([END; 4]);
        assert_eq!(stage.look_at(&[(0, 96), (1, 12), (2, 13), (3, 96)]), aside(&[0, 2, 3]));
        assert_eq!(stage.look_at(&[(1, 100)]), Next::All);
    }

    /// Its records are few, and wait for nobody.
    #[test]
    fn who_reads_what_comes_as_it_comes_neither_waits_nor_is_waited_for() {
        let mut stage = Stage::new([END, END, 3, 0]);
        assert_eq!(stage.look_at(&[(0, 100), (2, 3)]), aside(&[0]), "the second is waited for, and the third goes on");
        stage.end[2] = 6;
        assert_eq!(stage.look_at(&[(1, 100), (2, 2)]), Next::All);
        assert_eq!(stage.look_at(&[(0, 100), (1, 100), (2, 1)]), Next::GoOn);
    }

    #[test]
    fn who_comes_in_between_is_not_waited_for_before_it_has_had_a_turn() {
        let mut stage = Stage::new([END, 0, 0, 0]);
        assert_eq!(stage.look(&[0]), Next::GoOn);
        stage.end[2] = 1;
        assert_eq!(stage.look(&[0]), Next::GoOn, "a record has come just now");
        assert_eq!(stage.look(&[0]), aside(&[0]));
        assert_eq!(stage.look(&[2]), Next::All);
    }

    #[test]
    fn a_round_ends_once_those_who_are_waited_for_give_nothing() {
        let mut stage = Stage::new([END, END, 0, 0]);
        assert_eq!(stage.look(&[0]), aside(&[0]));
        assert_eq!(stage.look(&[]), Next::GoOn, "an answer may take its time");
        (1..DRY).for_each(|_| stage.turns.nothing_came());
        stage.turns.batch_is_read();
        stage.turns.nothing_came();
        assert!(!stage.turns.is_due(stage.now), "not in a row");
        (1..DRY).for_each(|_| stage.turns.nothing_came());
        assert!(stage.turns.is_due(stage.now), "and at once");
        assert_eq!(stage.turns.look(stage.now, stage.standing()), Next::All);
        stage.aside.clear();
        stage.end[2] = END;
        assert_eq!(stage.look(&[0]), Next::GoOn, "for a while nobody waits for it");
        assert_eq!(stage.look(&[0]), aside(&[0]), "but for another");
        assert_eq!(stage.look(&[2]), Next::All);
        stage.end[2] = 0;
        stage.now += REST;
        assert_eq!(stage.look(&[0]), aside(&[0]));
    }

    /// Whatever keeps them from being read, and others coming meanwhile.
    #[test]
    fn nobody_waits_for_ever() {
        let mut stage = Stage::new([END, END, 0, 0]);
        assert_eq!(stage.look(&[0]), aside(&[0]));
        for _ in 1..ROUND.as_millis() / TURN.as_millis() {
            assert_eq!(stage.look(&[]), Next::GoOn);
        }
        assert_eq!(stage.look(&[]), Next::All);
    }

    #[test]
    fn with_other_partitions_a_round_begins_anew() {
        let mut stage = Stage::new([END; 4]);
        assert_eq!(stage.look(&[0]), aside(&[0]));
        stage.turns.forget();
        assert!(stage.turns.is_due(stage.now));
        assert_eq!(stage.look(&[1]), Next::All);
        assert_eq!(stage.look(&[1]), aside(&[1]));
    }

    /// So that the last of many does not wait for minutes.
    #[test]
    fn the_more_wait_the_shorter_a_turn_is() {
        let mut turns = Turns::default();
        let now = Instant::now();
        let lags = |read: i64| {
            let lag = |nth: i64| Lag { partition: partition(nth as usize), next: i64::from(nth < read), end: END };
            (0..1000).map(lag).collect::<Vec<_>>()
        };
        turns.look(now, lags(0));
        assert!(!turns.is_due(now + TURN), "there was no batch");
        (0..BATCHES).for_each(|_| turns.batch_is_read());
        assert!(!turns.is_due(now + LEAST / 2));
        assert!(turns.is_due(now + TURN));
        assert!(matches!(turns.look(now + TURN, lags(1)), Next::Aside(_)));
        assert!(turns.is_due(now + TURN + LEAST), "without a batch");
        assert!(!turns.is_due(now + TURN + LEAST / 2));
    }
}
