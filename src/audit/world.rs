//! The partitions an audit is about, as they were when it began, each with a number.

use crate::canonical::EntityKind;
use crate::kafka::{self, Bounds};
use crate::pipeline::{Outputs, dead_letter};
use std::collections::{HashMap, HashSet};

/// A raw partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    pub topic: String,
    pub partition: i32,
    /// The first record that is still there.
    pub low: i64,
    /// What is from here on is not done yet.
    pub due: i64,
    /// Where the next record will stand.
    pub high: i64,
    /// Which of the sources it belongs to.
    pub source: usize,
}

/// A partition that koine writes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub topic: String,
    pub partition: i32,
    pub low: i64,
    pub high: i64,
    pub kind: OutputKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputKind {
    Canonical(EntityKind),
    DeadLetters,
}

/// All of them.
#[derive(Debug, Default)]
pub struct World {
    pub raws: Vec<Raw>,
    pub outputs: Vec<Output>,
    raw_numbers: Numbers,
    output_numbers: Numbers,
    /// Every topic there is.
    topics: HashSet<String>,
    /// The names of the canonical topics, and of the dead-letter topics by raw topic.
    canonical: HashMap<EntityKind, String>,
    dead_letters: HashMap<String, String>,
}

type Numbers = HashMap<String, HashMap<i32, u32>>;

impl World {
    /// `outputs` were asked for after the group had said what is done, and `raws` after those: what was done is in the
    /// outputs, and what an output came from is in the raws.
    pub fn new(
        done: &[Bounds],
        outputs: Vec<Bounds>,
        raws: Vec<Bounds>,
        topics: HashSet<String>,
        names: &Outputs,
        source_of: impl Fn(&str) -> Option<usize>,
    ) -> World {
        let mut world = World { topics, ..World::default() };
        for entity in EntityKind::ALL {
            world.canonical.insert(entity, names.canonical(entity).to_owned());
        }
        let committed: HashMap<(&str, i32), Option<i64>> =
            done.iter().map(|it| ((it.topic.as_str(), it.partition), it.committed)).collect();
        for Bounds { topic, partition, low, high, .. } in raws {
            let Some(source) = source_of(&topic) else { continue };
            let committed = committed.get(&(topic.as_str(), partition)).copied().flatten();
            let due = committed.unwrap_or(low).clamp(low, high);
            number(&mut world.raw_numbers, &topic, partition, world.raws.len());
            world.dead_letters.entry(topic.clone()).or_insert_with(|| names.dead_letter(&topic));
            world.raws.push(Raw { topic, partition, low, due, high, source });
        }
        for Bounds { topic, partition, low, high, .. } in outputs {
            let entity = EntityKind::ALL.into_iter().find(|entity| names.canonical(*entity) == topic);
            let kind = entity.map_or(OutputKind::DeadLetters, OutputKind::Canonical);
            number(&mut world.output_numbers, &topic, partition, world.outputs.len());
            world.outputs.push(Output { topic, partition, low, high, kind });
        }
        world
    }

    pub fn raw(&self, topic: &str, partition: i32) -> Option<u32> {
        self.raw_numbers.get(topic)?.get(&partition).copied()
    }

    pub fn output(&self, topic: &str, partition: i32) -> Option<u32> {
        self.output_numbers.get(topic)?.get(&partition).copied()
    }

    /// A topic that is there, and none of ours: another deployment's.
    pub fn is_foreign(&self, topic: &str) -> bool {
        self.topics.contains(topic) && !self.raw_numbers.contains_key(topic)
    }

    /// The partition where the event of a key should be.
    pub fn place_of_event(&self, entity: EntityKind, key: &str) -> Option<u32> {
        let topic = self.canonical.get(&entity)?;
        let partitions = self.output_numbers.get(topic)?.len() as i32;
        self.output(topic, kafka::partition_of(key.as_bytes(), partitions))
    }

    /// The partition where a dead letter of a raw partition should be.
    pub fn place_of_letter(&self, raw: u32) -> Option<u32> {
        let raw = self.raws.get(raw as usize)?;
        let topic = self.dead_letters.get(&raw.topic)?;
        let partitions = self.output_numbers.get(topic)?.len() as i32;
        self.output(topic, dead_letter::partition(raw.partition, partitions))
    }

    /// What has been deleted meanwhile is gone too.
    pub fn raise(&mut self, now: &[Bounds]) {
        for Bounds { topic, partition, low, .. } in now {
            if let Some(raw) = self.raw(topic, *partition).and_then(|raw| self.raws.get_mut(raw as usize)) {
                raw.low = raw.low.max(*low);
            }
            let output = self.output(topic, *partition);
            if let Some(output) = output.and_then(|output| self.outputs.get_mut(output as usize)) {
                output.low = output.low.max(*low);
            }
        }
    }
}

fn number(numbers: &mut Numbers, topic: &str, partition: i32, number: usize) {
    numbers.entry(topic.to_owned()).or_default().insert(partition, number as u32);
}
