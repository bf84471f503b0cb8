//! What the tests of an audit are made of: a small world, and records in it.

use super::found::Found;
use super::print::{Kind, Place, Prints};
use super::world::World;
use crate::canonical::EntityKind;
use crate::kafka::Bounds;
use crate::pipeline::Outputs;

fn bounds(topic: &str, all: &[(i64, i64)]) -> Vec<Bounds> {
    let one = |(partition, (low, high)): (usize, &(i64, i64))| Bounds {
        topic: topic.to_owned(),
        partition: partition as i32,
        low: *low,
        high: *high,
        committed: Some(*high),
    };
    all.iter().enumerate().map(one).collect()
}

/// A raw topic with these partitions, all done, and an order topic and a dead-letter topic with those.
pub fn world(raws: &[(i64, i64)], orders: &[(i64, i64)]) -> World {
    let names = Outputs::new(["customer", "cart", "order", "product"], "dlq.", false);
    let raws = bounds("raw", raws);
    let mut outputs = bounds("order", orders);
    outputs.extend(bounds("dlq.raw", &[(0, 100)]));
    World::new(&raws.clone(), outputs, raws, ["elsewhere".to_owned()].into(), &names, |_| Some(0))
}

/// An order whose content is its place.
pub fn event(raw: u32, offset: i64, index: i32) -> Found {
    found(raw, offset, index, Kind::Event(EntityKind::Order))
}

pub fn letter(raw: u32, offset: i64, index: i32) -> Found {
    found(raw, offset, index, Kind::DeadLetter)
}

fn found(raw: u32, offset: i64, index: i32, kind: Kind) -> Found {
    let place = Place { raw, offset, index };
    let prints = Prints { key: 1, value: offset as u64 * 1000 + index as u64, rest: 3 };
    Found { place, kind, prints, build: 0, redrives: 0, is_pointer: false, is_sealed: false, is_refused: false }
}
