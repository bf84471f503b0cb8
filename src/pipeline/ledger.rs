//! The ledger of a session: every webhook that the consumer handed out has its outcome or is at hand. Both sides are counted
//! where they happen, by different code; that they are equal is shown, not assumed.

use crate::kafka::TopicPartition;

#[derive(Debug, Default)]
pub struct Ledger {
    accounts: Vec<Account>,
    /// The account of the last record: records come in runs of a partition.
    last: usize,
}

#[derive(Debug)]
struct Account {
    partition: TopicPartition,
    taken: u64,
    settled: u64,
}

impl Ledger {
    /// So many webhooks were handed out.
    pub fn take(&mut self, topic: &str, partition: i32, webhooks: usize) {
        if !self.accounts.get(self.last).is_some_and(|account| account.partition.is(topic, partition)) {
            let known = self.accounts.iter().position(|account| account.partition.is(topic, partition));
            self.last = known.unwrap_or_else(|| {
                self.accounts.push(Account { partition: TopicPartition::new(topic, partition), taken: 0, settled: 0 });
                self.accounts.len() - 1
            });
        }
        if let Some(account) = self.accounts.get_mut(self.last) {
            account.taken += webhooks as u64;
        }
    }

    /// So many webhooks have their outcome, and it is committed.
    pub fn settle(&mut self, webhooks: &[(TopicPartition, u64)]) {
        for (partition, count) in webhooks {
            if let Some(account) = self.accounts.iter_mut().find(|account| account.partition == *partition) {
                account.settled += count;
            }
        }
    }

    /// The partition has gone, with whatever was at hand of it.
    pub fn forget(&mut self, partition: &TopicPartition) {
        self.accounts.retain(|account| account.partition != *partition);
    }

    /// Everything that was at hand is let go.
    pub fn begin_anew(&mut self) {
        self.accounts.clear();
    }

    /// What each partition is short of, given what is at hand: 0, unless something is wrong with us.
    pub fn balance(&self, at_hand: &[(TopicPartition, u64)]) -> Vec<(&TopicPartition, i64)> {
        let of = |account: &Account| {
            let here = at_hand.iter().filter(|(partition, _)| *partition == account.partition);
            let here: u64 = here.map(|(_, count)| count).sum();
            account.taken as i64 - account.settled as i64 - here as i64
        };
        self.accounts.iter().map(|account| (&account.partition, of(account))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(nth: i32) -> TopicPartition {
        TopicPartition::new("raw.spree", nth)
    }

    fn balance(ledger: &Ledger, at_hand: &[(TopicPartition, u64)]) -> Vec<i64> {
        ledger.balance(at_hand).into_iter().map(|(_, short)| short).collect()
    }

    #[test]
    fn what_was_taken_is_settled_or_at_hand() {
        let mut ledger = Ledger::default();
        for _ in 0..3 {
            ledger.take("raw.spree", 0, 1);
            ledger.take("raw.spree", 1, 5);
        }
        assert_eq!(balance(&ledger, &[(partition(1), 10), (partition(0), 3), (partition(1), 5)]), [0, 0]);
        ledger.settle(&[(partition(0), 2), (partition(1), 15)]);
        assert_eq!(balance(&ledger, &[(partition(0), 1)]), [0, 0]);
        ledger.settle(&[(partition(0), 1)]);
        assert_eq!(balance(&ledger, &[]), [0, 0]);
    }

    #[test]
    fn what_is_missing_or_doubled_shows() {
        let mut ledger = Ledger::default();
        ledger.take("raw.spree", 0, 4);
        ledger.take("raw.spree", 1, 4);
        ledger.settle(&[(partition(0), 3), (partition(1), 5)]);
        assert_eq!(balance(&ledger, &[]), [1, -1]);
    }

    #[test]
    fn a_partition_that_goes_is_nobodys_debt() {
        let mut ledger = Ledger::default();
        ledger.take("raw.spree", 0, 4);
        ledger.forget(&partition(0));
        ledger.settle(&[(partition(0), 4)]);
        assert_eq!(balance(&ledger, &[]), [0i64; 0]);
        ledger.take("raw.spree", 0, 1);
        assert_eq!(balance(&ledger, &[(partition(0), 1)]), [0]);
    }
}
