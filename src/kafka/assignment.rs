//! Where a newly assigned partition starts, and what has been read of those we have.
//!
//! Plain bookkeeping: no broker is asked here.

use super::TopicPartition;
use std::collections::HashMap;

/// Why a partition stands still: the committed offset no longer exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    pub partition: TopicPartition,
    pub committed: i64,
    /// The earliest and the next offset there is.
    pub low: i64,
    pub high: i64,
    pub side: Side,
}

/// On which side of what exists the committed offset lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Records were deleted before they were read.
    Below,
    /// The log ends before the committed offset: it was cut, or the topic was made anew.
    Above,
}

impl Gone {
    /// How many records lie between the committed offset and what exists.
    pub fn count(&self) -> i64 {
        match self.side {
            Side::Below => self.low - self.committed,
            Side::Above => self.committed - self.high,
        }
    }
}

/// Where to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    At(i64),
    Gone(Side),
}

/// A new group starts at the earliest record; an old one where it was, if that place still exists.
pub fn start(committed: Option<i64>, low: i64, high: i64) -> Start {
    match committed {
        None => Start::At(low),
        Some(committed) if committed < low => Start::Gone(Side::Below),
        Some(committed) if committed > high => Start::Gone(Side::Above),
        Some(committed) => Start::At(committed),
    }
}

/// What we know of a partition that is ours.
#[derive(Debug)]
struct Slot {
    partition: TopicPartition,
    /// The lowest offset not yet seen in this assignment.
    next: i64,
    is_stalled: bool,
    /// Ours, and not to be read for now. Its place is kept.
    is_paused: bool,
    /// The same, until others have been read as well.
    is_aside: bool,
}

/// The partitions that are ours.
#[derive(Debug, Default)]
pub struct Assigned {
    slots: Vec<Slot>,
    by_name: HashMap<TopicPartition, usize>,
    /// The slot of the last record: records come in runs of a partition.
    last: usize,
}

/// What the guard says to a record.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen<'a> {
    /// It is new.
    New(&'a TopicPartition),
    /// It, or a later one, has been handed out in this assignment already.
    Again(&'a TopicPartition),
    /// Its partition is not ours.
    Foreign,
}

impl Assigned {
    pub fn add(&mut self, partition: TopicPartition, next: i64, is_stalled: bool) {
        match self.by_name.get(&partition).and_then(|&nth| self.slots.get_mut(nth)) {
            Some(slot) => {
                (slot.next, slot.is_stalled) = (next, is_stalled);
                (slot.is_paused, slot.is_aside) = (false, false);
            }
            None => {
                self.by_name.insert(partition.clone(), self.slots.len());
                self.slots.push(Slot { partition, next, is_stalled, is_paused: false, is_aside: false });
            }
        }
    }

    pub fn remove(&mut self, partition: &TopicPartition) -> bool {
        let Some(nth) = self.by_name.remove(partition) else { return false };
        self.slots.swap_remove(nth);
        if let Some(moved) = self.slots.get(nth) {
            self.by_name.insert(moved.partition.clone(), nth);
        }
        true
    }

    pub fn all(&self) -> impl Iterator<Item = &TopicPartition> {
        self.slots.iter().map(|slot| &slot.partition)
    }

    /// Partitions that are read, with the offset that is due next.
    pub fn flowing(&self) -> impl Iterator<Item = (&TopicPartition, i64)> {
        self.slots.iter().filter(|slot| !slot.is_stalled).map(|slot| (&slot.partition, slot.next))
    }

    /// Says whether a partition is to be read. `false`: it is not ours, or it stands still anyway.
    pub fn pause(&mut self, partition: &TopicPartition, is_paused: bool) -> bool {
        let slot = self.by_name.get(partition).and_then(|&nth| self.slots.get_mut(nth));
        match slot.filter(|slot| !slot.is_stalled) {
            Some(slot) => {
                slot.is_paused = is_paused;
                true
            }
            None => false,
        }
    }

    /// Lets a partition wait. `false`: it is not ours, or not read anyway.
    pub fn set_aside(&mut self, partition: &TopicPartition) -> bool {
        let slot = self.by_name.get(partition).and_then(|&nth| self.slots.get_mut(nth));
        match slot.filter(|slot| !slot.is_stalled && !slot.is_paused && !slot.is_aside) {
            Some(slot) => {
                slot.is_aside = true;
                true
            }
            None => false,
        }
    }

    /// None waits any more.
    pub fn recall(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.is_aside = false);
    }

    /// Partitions that would be read, and wait.
    pub fn aside(&self) -> impl Iterator<Item = &TopicPartition> {
        self.slots.iter().filter(|slot| slot.is_aside && !slot.is_paused).map(|slot| &slot.partition)
    }

    /// Partitions that are read: neither paused nor waiting.
    pub fn reading(&self) -> impl Iterator<Item = &TopicPartition> {
        let is_read = |slot: &&Slot| !slot.is_stalled && !slot.is_paused && !slot.is_aside;
        self.slots.iter().filter(is_read).map(|slot| &slot.partition)
    }

    pub fn paused(&self) -> impl Iterator<Item = &TopicPartition> {
        self.slots.iter().filter(|slot| slot.is_paused).map(|slot| &slot.partition)
    }

    /// The offset that is due next; none where the partition stands still.
    pub fn next(&self, partition: &TopicPartition) -> Option<i64> {
        let slot = self.by_name.get(partition).and_then(|&nth| self.slots.get(nth));
        slot.filter(|slot| !slot.is_stalled).map(|slot| slot.next)
    }

    pub fn stalled(&self) -> impl Iterator<Item = &TopicPartition> {
        self.slots.iter().filter(|slot| slot.is_stalled).map(|slot| &slot.partition)
    }

    /// Lets a record pass once: after a pause, a seek or a rebalance librdkafka has handed out records again
    /// (its issue 4637), and twice translated is twice delivered.
    pub fn see(&mut self, topic: &str, partition: i32, offset: i64) -> Seen<'_> {
        let is_last = self.slots.get(self.last).is_some_and(|slot| slot.partition.is(topic, partition));
        if !is_last {
            let Some(nth) = self.slots.iter().position(|slot| slot.partition.is(topic, partition)) else {
                return Seen::Foreign;
            };
            self.last = nth;
        }
        let Some(slot) = self.slots.get_mut(self.last) else { return Seen::Foreign };
        if offset < slot.next {
            return Seen::Again(&slot.partition);
        }
        slot.next = offset + 1;
        Seen::New(&slot.partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_group_starts_at_the_earliest_record_and_an_old_one_where_it_was() {
        assert_eq!(start(None, 17, 90), Start::At(17));
        assert_eq!(start(Some(40), 17, 90), Start::At(40));
        assert_eq!(start(Some(17), 17, 90), Start::At(17));
        assert_eq!(start(Some(90), 17, 90), Start::At(90));
    }

    #[test]
    fn a_committed_offset_that_is_gone_is_told_with_its_count() {
        assert_eq!(start(Some(16), 17, 90), Start::Gone(Side::Below));
        assert_eq!(start(Some(91), 17, 90), Start::Gone(Side::Above));
        let partition = TopicPartition::new("raw.spree", 0);
        let gone = |committed, side| Gone { partition: partition.clone(), committed, low: 17, high: 90, side };
        assert_eq!(gone(10, Side::Below).count(), 7);
        assert_eq!(gone(100, Side::Above).count(), 10);
    }

    #[test]
    fn a_record_passes_once_per_assignment() {
        let mut assigned = Assigned::default();
        assigned.add(TopicPartition::new("raw.spree", 0), 5, false);
        assigned.add(TopicPartition::new("raw.spree", 1), 0, false);
        assert!(matches!(assigned.see("raw.spree", 0, 5), Seen::New(_)));
        assert!(matches!(assigned.see("raw.spree", 0, 9), Seen::New(_)), "gaps are Kafka's own");
        assert!(matches!(assigned.see("raw.spree", 1, 3), Seen::New(_)));
        assert!(matches!(assigned.see("raw.spree", 0, 9), Seen::Again(_)));
        assert!(matches!(assigned.see("raw.spree", 0, 6), Seen::Again(_)));
        assert_eq!(assigned.see("raw.bold", 0, 0), Seen::Foreign);
        assigned.add(TopicPartition::new("raw.spree", 0), 5, false);
        assert!(matches!(assigned.see("raw.spree", 0, 6), Seen::New(_)), "a new assignment reads again");
    }

    #[test]
    fn a_pause_keeps_the_place_and_ends_with_the_assignment() {
        let mut assigned = Assigned::default();
        let [first, second, third] = [0, 1, 2].map(|nth| TopicPartition::new("raw.spree", nth));
        assigned.add(first.clone(), 5, false);
        assigned.add(second.clone(), 5, true);
        assert!(matches!(assigned.see("raw.spree", 0, 5), Seen::New(_)));
        assert!(assigned.pause(&first, true));
        assert!(!assigned.pause(&second, true) && !assigned.pause(&third, true), "it stands still; it is not ours");
        assert_eq!((assigned.reading().count(), assigned.paused().collect::<Vec<_>>()), (0, vec![&first]));
        assert_eq!(
            assigned.flowing().collect::<Vec<_>>(),
            [(&first, 6)],
            "it has lag, and a place to start again from"
        );
        assert!(assigned.pause(&first, false));
        assert_eq!(assigned.reading().collect::<Vec<_>>(), [&first]);
        assigned.pause(&first, true);
        assigned.add(first.clone(), 6, false);
        assert_eq!((assigned.reading().count(), assigned.next(&first), assigned.next(&second)), (1, Some(6), None));
    }

    #[test]
    fn who_is_aside_is_not_read_until_all_are_recalled_or_it_is_assigned_anew() {
        let mut assigned = Assigned::default();
        let [first, second, third] = [0, 1, 2].map(|nth| TopicPartition::new("raw.spree", nth));
        assigned.add(first.clone(), 5, false);
        assigned.add(second.clone(), 5, false);
        assigned.add(third.clone(), 5, true);
        assert!(assigned.set_aside(&first));
        assert!(!assigned.set_aside(&first) && !assigned.set_aside(&third), "it is aside; it stands still");
        assert_eq!(assigned.reading().collect::<Vec<_>>(), [&second]);
        assert_eq!(assigned.flowing().count(), 2, "it has lag");
        assigned.pause(&first, true);
        assert_eq!(assigned.aside().count(), 0, "what is paused is not read when all are recalled");
        assigned.recall();
        assert_eq!(assigned.reading().collect::<Vec<_>>(), [&second]);
        assert!(!assigned.set_aside(&first), "it is paused");
        assigned.pause(&first, false);
        assert!(assigned.set_aside(&first));
        assigned.add(first.clone(), 6, false);
        assert_eq!((assigned.aside().count(), assigned.reading().count()), (0, 2));
    }

    #[test]
    fn partitions_that_go_leave_the_others_as_they_are() {
        let mut assigned = Assigned::default();
        for partition in 0..4 {
            assigned.add(TopicPartition::new("raw.spree", partition), 0, partition == 3);
        }
        assert!(matches!(assigned.see("raw.spree", 3, 7), Seen::New(_)));
        assert!(assigned.remove(&TopicPartition::new("raw.spree", 0)));
        assert!(!assigned.remove(&TopicPartition::new("raw.spree", 0)));
        assert_eq!(assigned.see("raw.spree", 0, 1), Seen::Foreign);
        assert!(matches!(assigned.see("raw.spree", 3, 7), Seen::Again(_)));
        assert_eq!(assigned.flowing().count(), 2);
        assert_eq!(assigned.stalled().count(), 1);
    }
}
