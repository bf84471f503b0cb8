//! Which offsets may be committed: in each partition the lowest whose result is not yet acknowledged.

use rdkafka::{Offset, TopicPartitionList};
use std::collections::VecDeque;

#[derive(Default)]
pub struct Offsets {
    /// By partition: the next offset to commit, and of those from there on whether they are acknowledged.
    partitions: Vec<(i64, VecDeque<bool>)>,
}

impl Offsets {
    pub fn sent(&mut self, partition: i32, offset: i64) {
        let (next, acknowledged) = self.partition(partition);
        if acknowledged.is_empty() {
            *next = offset;
        }
        acknowledged.push_back(false);
    }

    /// Raw topics hold no markers of transactions, so offsets have no gaps.
    pub fn acknowledged(&mut self, partition: i32, offset: i64) {
        let (next, acknowledged) = self.partition(partition);
        acknowledged[(offset - *next) as usize] = true;
        while acknowledged.front() == Some(&true) {
            acknowledged.pop_front();
            *next += 1;
        }
    }

    /// Read, in a transaction that acknowledges it as a whole.
    pub fn consumed(&mut self, partition: i32, offset: i64) {
        self.partition(partition).0 = offset + 1;
    }

    pub fn of(&self, topic: &str) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for (partition, (next, _)) in self.partitions.iter().enumerate().filter(|(_, (next, _))| *next > 0) {
            list.add_partition_offset(topic, partition as i32, Offset::Offset(*next)).expect("a valid offset");
        }
        list
    }

    fn partition(&mut self, partition: i32) -> &mut (i64, VecDeque<bool>) {
        let index = partition as usize;
        if self.partitions.len() <= index {
            self.partitions.resize_with(index + 1, Default::default);
        }
        &mut self.partitions[index]
    }
}
