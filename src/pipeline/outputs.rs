//! The topics koine writes: whether they are there and kept rightly, and how many partitions dead letters have.
//!
//! Asked at start, and again when a dead letter's topic is not known yet. A missing topic is waited for, or made.

use crate::canonical::EntityKind;
use crate::kafka::{Connection, NewOne, Topics, Trouble};
use std::collections::HashMap;
use std::sync::Mutex;

/// Names of what is written, and what is known about it.
pub struct Outputs {
    pub customer: String,
    pub cart: String,
    pub order: String,
    pub product: String,
    pub dead_letter_prefix: String,
    /// Whether missing topics are made.
    pub create: bool,
    /// Partitions of the dead-letter topics, by raw topic.
    known: Mutex<HashMap<String, i32>>,
}

/// Why the outputs are not ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotReady {
    /// Ask again after a while.
    Wait(String),
    /// No waiting will help.
    Never(String),
}

impl Outputs {
    /// The four canonical topics in the order customer, cart, order, product.
    pub fn new(canonical: [&str; 4], dead_letter_prefix: &str, create: bool) -> Outputs {
        let [customer, cart, order, product] = canonical.map(str::to_owned);
        let dead_letter_prefix = dead_letter_prefix.to_owned();
        Outputs { customer, cart, order, product, dead_letter_prefix, create, known: Mutex::default() }
    }

    pub fn canonical(&self, kind: EntityKind) -> &str {
        match kind {
            EntityKind::Customer => &self.customer,
            EntityKind::Cart => &self.cart,
            EntityKind::Order => &self.order,
            EntityKind::Product => &self.product,
        }
    }

    pub fn dead_letter(&self, raw: &str) -> String {
        format!("{}{raw}", self.dead_letter_prefix)
    }

    /// Whether koine writes this topic. What it writes it must never read.
    pub fn is_ours(&self, topic: &str) -> bool {
        let is_dead_letter = !self.dead_letter_prefix.is_empty() && topic.starts_with(&self.dead_letter_prefix);
        is_dead_letter || self.is_canonical(topic)
    }

    pub fn is_dead_letters(&self, topic: &str) -> bool {
        self.is_ours(topic) && !self.is_canonical(topic)
    }

    pub fn is_canonical(&self, topic: &str) -> bool {
        EntityKind::ALL.iter().any(|&kind| self.canonical(kind) == topic)
    }

    /// How many partitions the dead-letter topic of a raw topic has, if that has been asked.
    pub fn dead_letter_partitions(&self, raw: &str) -> Option<i32> {
        self.known.lock().ok()?.get(raw).copied()
    }

    /// Asks again when it is needed: the topic is not as it was.
    pub fn forget(&self, raw: &str) {
        if let Ok(mut known) = self.known.lock() {
            known.remove(raw);
        }
    }

    /// Looks at the topics, and makes what is missing and may be made. `is_raw`: whether koine reads a topic.
    pub fn prepare(&self, connection: &Connection, is_raw: impl Fn(&str) -> bool) -> Result<(), NotReady> {
        let wait = |trouble: Trouble| match trouble {
            Trouble::Denied(why) => NotReady::Never(why),
            other => NotReady::Wait(other.to_string()),
        };
        let topics = Topics::open(connection).map_err(|trouble| NotReady::Never(trouble.to_string()))?;
        let mut there = topics.all().map_err(wait)?;
        let missing = self.missing(&there, &is_raw);
        if !missing.is_empty() {
            if !self.create {
                let names: Vec<&str> = missing.iter().map(|topic| topic.name.as_str()).collect();
                let names = names.join(", ");
                return Err(NotReady::Wait(format!(
                    "missing: {names}; create them, or set topics.create; what koine may not DESCRIBE looks missing too"
                )));
            }
            topics.create(&missing).map_err(wait)?;
            there = topics.all().map_err(wait)?;
            let missing = self.missing(&there, &is_raw);
            if let Some(first) = missing.first() {
                return Err(NotReady::Wait(format!("{} has been created and is not there yet", first.name)));
            }
        }
        let canonical = EntityKind::ALL.iter().map(|&kind| self.canonical(kind)).collect::<Vec<_>>();
        let policies = topics.cleanup_policies(&canonical).map_err(wait)?;
        topics.leave();
        if let Some(compacted) = compacted(&canonical, &policies) {
            return Err(NotReady::Never(format!(
                "{compacted} is compacted: a PATCH or COMPONENT record has its entity's key, so compaction would \
                 delete what later records rest on. Set its cleanup.policy to delete"
            )));
        }
        let mut known = self.known.lock().map_err(|_| NotReady::Never("a worker has panicked".to_owned()))?;
        for topic in there.keys().filter(|topic| is_raw(topic) && !self.is_ours(topic)) {
            if let Some(partitions) = there.get(&self.dead_letter(topic)) {
                known.insert(topic.clone(), *partitions);
            }
        }
        Ok(())
    }

    /// Outputs that are not there. A canonical one gets as many partitions as the raw topic that has most.
    pub fn missing(&self, there: &HashMap<String, i32>, is_raw: impl Fn(&str) -> bool) -> Vec<NewOne> {
        let mut raw: Vec<(&String, i32)> =
            there.iter().filter(|(topic, _)| is_raw(topic) && !self.is_ours(topic)).map(|(t, n)| (t, *n)).collect();
        raw.sort();
        let most = raw.iter().map(|(_, partitions)| *partitions).max().unwrap_or(1);
        let canonical = EntityKind::ALL.iter().map(|&kind| (self.canonical(kind).to_owned(), most));
        let dead_letters = raw.iter().map(|(topic, partitions)| (self.dead_letter(topic), *partitions));
        canonical
            .chain(dead_letters)
            .filter(|(name, _)| !there.contains_key(name))
            .map(|(name, partitions)| NewOne { name, partitions })
            .collect()
    }
}

fn compacted<'t>(topics: &[&'t str], policies: &HashMap<String, String>) -> Option<&'t str> {
    let is_compacted = |topic: &&&str| policies.get(**topic).is_some_and(|policy| policy.contains("compact"));
    topics.iter().find(is_compacted).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs() -> Outputs {
        Outputs::new(
            ["commerce.customer.v1", "commerce.cart.v1", "commerce.order.v1", "commerce.product.v1"],
            "dlq.",
            true,
        )
    }

    #[test]
    fn what_is_missing_gets_its_sources_partitions() {
        let there = [("raw.spree", 12), ("raw.bold", 3), ("commerce.cart.v1", 1), ("dlq.raw.bold", 2), ("other", 99)];
        let there = there.map(|(topic, partitions)| (topic.to_owned(), partitions)).into();
        let missing = outputs().missing(&there, |topic| topic.starts_with("raw.") || topic.starts_with("dlq.raw"));
        let missing: Vec<_> = missing.iter().map(|one| (one.name.as_str(), one.partitions)).collect();
        let want = [
            ("commerce.customer.v1", 12),
            ("commerce.order.v1", 12),
            ("commerce.product.v1", 12),
            ("dlq.raw.spree", 12),
        ];
        assert_eq!(missing, want);
    }

    #[test]
    fn a_compacted_topic_is_found_whatever_else_its_policy_says() {
        let policies = |policy: &str| HashMap::from([("b".to_owned(), policy.to_owned())]);
        assert_eq!(compacted(&["a", "b"], &policies("compact,delete")), Some("b"));
        assert_eq!(compacted(&["a", "b"], &policies("delete")), None);
        assert_eq!(compacted(&["a", "b"], &HashMap::new()), None);
    }

    #[test]
    fn what_koine_writes_is_its_own() {
        let outputs = outputs();
        assert!(outputs.is_ours("commerce.order.v1"));
        assert!(outputs.is_ours("dlq.raw.spree"));
        assert!(!outputs.is_ours("raw.spree"));
    }
}
