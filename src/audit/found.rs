//! What a record of an output topic says of itself: whose outcome it is, and what it is, as prints.

use super::due::{BUILD, of_refusal};
use super::print::{self, Kind, Pairs, Place, Prints};
use super::world::{Output, OutputKind, World};
use crate::codec::{self, Origin};
use crate::kafka::Record;
use crate::pipeline::dead_letter::{REDRIVE_COUNT, SEAL};
use crate::reject::Code;
use crate::translate;

/// A record that says whose outcome it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    pub place: Place,
    pub kind: Kind,
    pub prints: Prints,
    /// Which build wrote it, by its place in a list; ours is the first.
    pub build: u16,
    /// How often a dead letter has been sent again.
    pub redrives: u32,
    /// A dead letter without its value, which was too large.
    pub is_pointer: bool,
    /// A dead letter whose value is sealed: whether it is the raw one, only the holder of the key can tell.
    pub is_sealed: bool,
    /// A dead letter because a topic did not take the record: no translator can foresee that.
    pub is_refused: bool,
}

/// What there is to a record of an output topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    Found(Found),
    /// It says it comes from a topic that is there, and no source of this configuration.
    Foreign,
    /// It says it comes from where there is nothing.
    Nowhere,
    /// It is none of koine's records.
    Unreadable,
}

/// The builds that have written something.
pub struct Builds(Vec<String>);

impl Default for Builds {
    fn default() -> Builds {
        Builds(vec![translate::BUILD.to_owned()])
    }
}

impl Builds {
    /// More than anybody has in one topic; further ones are taken for one.
    const MOST: usize = 1000;

    fn number(&mut self, name: &[u8]) -> u16 {
        let known = self.0.iter().position(|known| known.as_bytes() == name);
        let number = known.unwrap_or_else(|| {
            if self.0.len() < Builds::MOST {
                self.0.push(String::from_utf8_lossy(name).chars().take(100).collect());
            }
            self.0.len() - 1
        });
        number as u16
    }

    pub fn name(&self, number: u16) -> &str {
        self.0.get(usize::from(number)).map_or("", String::as_str)
    }
}

/// Whether the build is today's.
pub fn is_ours(build: u16) -> bool {
    build == 0
}

pub fn read(record: &Record<'_>, output: &Output, world: &World, builds: &mut Builds) -> Reading {
    match output.kind {
        OutputKind::Canonical(entity) => event(record, Kind::Event(entity), world, builds),
        OutputKind::DeadLetters => letter(record, world, builds),
    }
}

fn event(record: &Record<'_>, kind: Kind, world: &World, builds: &mut Builds) -> Reading {
    let Some(value) = record.value() else { return Reading::Unreadable };
    let (Some(datum), Some(origin)) = (codec::unframed(value), codec::origin(value)) else {
        return Reading::Unreadable;
    };
    let mut headers = Pairs::default();
    let mut build = None;
    let mut is_its_id = false;
    record.each_header(|name, value| match name {
        BUILD => build = value,
        _ => {
            is_its_id |= name == "ce_id" && value == Some(origin.event_id.as_bytes());
            headers.add(name, value);
        }
    });
    let Some(build) = build.filter(|_| is_its_id) else { return Reading::Unreadable };
    let Origin { topic, partition, offset, index, .. } = origin;
    let raw = match world.raw(topic, partition) {
        Some(raw) => raw,
        None if world.is_foreign(topic) => return Reading::Foreign,
        None => return Reading::Nowhere,
    };
    Reading::Found(Found {
        place: Place { raw, offset, index },
        kind,
        prints: Prints { key: print::of(record.key()), value: print::of(Some(datum)), rest: headers.print() },
        build: builds.number(build),
        redrives: 0,
        is_pointer: false,
        is_sealed: false,
        is_refused: false,
    })
}

/// The headers of a dead letter that say what it is.
#[derive(Default)]
struct Said<'r> {
    topic: Option<&'r str>,
    partition: Option<&'r str>,
    offset: Option<&'r str>,
    index: Option<&'r str>,
    code: Option<&'r str>,
    pointer: Option<&'r str>,
    build: Option<&'r str>,
    redrives: Option<&'r str>,
    sha256: Option<&'r str>,
    is_sealed: bool,
}

fn letter(record: &Record<'_>, world: &World, builds: &mut Builds) -> Reading {
    let mut said = Said::default();
    record.each_header(|name, value| {
        let value = value.and_then(|value| std::str::from_utf8(value).ok());
        match name {
            SEAL => said.is_sealed = true,
            "__dlq.errors.topic" => said.topic = value,
            "__dlq.errors.partition" => said.partition = value,
            "__dlq.errors.offset" => said.offset = value,
            "koine.event.index" => said.index = value,
            "koine.error.code" => said.code = value,
            "koine.error.pointer" => said.pointer = value,
            "koine.value.sha256" => said.sha256 = value,
            BUILD => said.build = value,
            REDRIVE_COUNT => said.redrives = value,
            _ => {}
        }
    });
    let partition = said.partition.and_then(|text| text.parse().ok());
    let offset = said.offset.and_then(|text| text.parse().ok());
    let (Some(topic), Some(partition), Some(offset), Some(code), Some(build)) =
        (said.topic, partition, offset, said.code, said.build)
    else {
        return Reading::Unreadable;
    };
    let raw = match world.raw(topic, partition) {
        Some(raw) => raw,
        None if world.is_foreign(topic) => return Reading::Foreign,
        None => return Reading::Nowhere,
    };
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<i32>().ok()).unwrap_or(0);
    let sha256 = said.sha256.filter(|_| record.value().is_none()).and_then(|text| print::of_hex(text.as_bytes()));
    let pointer = said.pointer.unwrap_or_default();
    let prints = Prints {
        key: print::of(record.key()),
        value: sha256.unwrap_or_else(|| print::of(record.value())),
        rest: of_refusal(code.as_bytes(), pointer.as_bytes()),
    };
    Reading::Found(Found {
        place: Place { raw, offset, index: number(said.index) },
        kind: Kind::DeadLetter,
        prints,
        build: builds.number(build.as_bytes()),
        redrives: number(said.redrives).unsigned_abs(),
        is_pointer: sha256.is_some(),
        is_sealed: said.is_sealed && record.value().is_some(),
        is_refused: [Code::RecordTooLarge, Code::RecordRefused].iter().any(|refused| refused.as_str() == code),
    })
}
