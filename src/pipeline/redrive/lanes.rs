//! Where dead letters lie: one lane is one partition of one dead-letter topic, read from its beginning to its end.

use super::super::batch::with_raw;
use super::super::control::Backoff;
use super::super::letter::Letter;
use super::super::outputs::Outputs;
use super::markers::{self, Markers};
use crate::canonical::Micros;
use crate::kafka::{Connection, NewOne, Next, PartitionReader, Record, Topics, Trouble};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How long brokers that give no answer are waited for.
pub const PATIENCE: Duration = Duration::from_secs(120);
const TICK: Duration = Duration::from_millis(200);

/// Why the work cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// What was asked for cannot be.
    Misconfigured(String),
    /// Somebody else has taken over this lane.
    Fenced(String),
    /// The brokers do not answer, or librdkafka has given up.
    Broken(String),
}

impl Fault {
    pub(super) fn broken(trouble: Trouble) -> Fault {
        match trouble {
            Trouble::Denied(why) => Fault::Misconfigured(why),
            trouble => Fault::Broken(trouble.to_string()),
        }
    }
}

/// One partition of one dead-letter topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    pub topic: String,
    pub raw_topic: String,
    pub partition: i32,
    /// How many the topic has.
    pub partitions: i32,
    /// Whether there are markers to read.
    pub has_markers: bool,
}

impl Lane {
    /// The compacted topic that says what of this lane has been redriven.
    pub fn marker_topic(&self) -> String {
        marker_topic(&self.topic)
    }
}

pub fn marker_topic(dead_letter_topic: &str) -> String {
    format!("{dead_letter_topic}{MARKERS}")
}

const MARKERS: &str = ".redriven";

/// Which dead letters are meant. What is empty means all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub codes: Vec<String>,
    pub fingerprints: Vec<String>,
    pub vendors: Vec<String>,
    pub event_types: Vec<String>,
    /// Refused at that time or later.
    pub since: Option<Micros>,
    /// Refused before that time.
    pub until: Option<Micros>,
    /// Of the dead-letter topic.
    pub partitions: Vec<i32>,
}

impl Filter {
    pub fn takes(&self, letter: &Letter<'_>) -> bool {
        fn has(wanted: &[String], it: Option<&str>) -> bool {
            wanted.is_empty() || it.is_some_and(|it| wanted.iter().any(|one| one == it))
        }
        has(&self.codes, Some(letter.code))
            && has(&self.fingerprints, Some(letter.fingerprint))
            && has(&self.vendors, letter.vendor)
            && has(&self.event_types, letter.event_type)
            && self.is_in_time(letter)
    }

    /// A letter that does not say when it was refused is of no time that can be asked for.
    fn is_in_time(&self, letter: &Letter<'_>) -> bool {
        if self.since.is_none() && self.until.is_none() {
            return true;
        }
        letter
            .failed_at()
            .is_some_and(|at| self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until))
    }
}

/// The lanes of the dead-letter topics of these raw topics, or of all that `is_raw` knows.
pub fn lanes(
    connection: &Connection,
    outputs: &Outputs,
    is_raw: impl Fn(&str) -> bool,
    wanted: &[String],
    filter: &Filter,
) -> Result<Vec<Lane>, Fault> {
    let topics = Topics::open(connection).map_err(Fault::broken)?;
    let there = patiently(|| topics.all())?;
    choose(&there, outputs, is_raw, wanted, filter).map_err(Fault::Misconfigured)
}

fn choose(
    there: &HashMap<String, i32>,
    outputs: &Outputs,
    is_raw: impl Fn(&str) -> bool,
    wanted: &[String],
    filter: &Filter,
) -> Result<Vec<Lane>, String> {
    let prefix = &outputs.dead_letter_prefix;
    let raw_of = |topic: &str| topic.strip_prefix(prefix.as_str()).unwrap_or(topic).to_owned();
    let mut raw_topics: Vec<String> = match wanted {
        [] => there.keys().filter_map(|topic| topic.strip_prefix(prefix.as_str())).map(str::to_owned).collect(),
        wanted => wanted.iter().map(|topic| raw_of(topic)).collect(),
    };
    raw_topics.sort();
    raw_topics.dedup();
    let mut lanes = Vec::new();
    for raw_topic in raw_topics {
        let topic = outputs.dead_letter(&raw_topic);
        let is_marker =
            raw_topic.strip_suffix(MARKERS).is_some_and(|raw| there.contains_key(&outputs.dead_letter(raw)));
        if wanted.is_empty() && (is_marker || !is_raw(&raw_topic)) {
            continue;
        }
        if is_marker {
            return Err(format!("{topic} holds the markers of what was redriven, not dead letters"));
        }
        let Some(&partitions) = there.get(&topic) else { return Err(format!("there is no topic {topic}")) };
        if !is_raw(&raw_topic) {
            return Err(format!("{topic}: no source of the configuration reads {raw_topic}"));
        }
        let has_markers = there.contains_key(&marker_topic(&topic));
        for partition in (0..partitions).filter(|n| filter.partitions.is_empty() || filter.partitions.contains(n)) {
            lanes.push(Lane { topic: topic.clone(), raw_topic: raw_topic.clone(), partition, partitions, has_markers });
        }
    }
    Ok(lanes)
}

/// Sees to it that the marker topics of these lanes are there and keep what they are told.
pub fn prepare_markers(connection: &Connection, lanes: &mut [Lane], create: bool) -> Result<(), Fault> {
    let topics = Topics::open(connection).map_err(Fault::broken)?;
    let mut there = patiently(|| topics.all())?;
    let mut wanted: Vec<NewOne> =
        lanes.iter().map(|lane| NewOne { name: lane.marker_topic(), partitions: lane.partitions }).collect();
    wanted.dedup();
    let missing: Vec<NewOne> = wanted.iter().filter(|one| !there.contains_key(&one.name)).cloned().collect();
    if let Some(NewOne { name, partitions }) = missing.first().filter(|_| !create) {
        return Err(Fault::Misconfigured(format!(
            "there is no topic {name}, which says what was redriven: create it (kafka-topics.sh --create --topic {name} \
             --partitions {partitions} --config cleanup.policy=compact), or set topics.create"
        )));
    }
    if !missing.is_empty() {
        patiently(|| topics.create_compacted(&missing))?;
        there = patiently(|| match topics.all()? {
            all if missing.iter().all(|one| all.contains_key(&one.name)) => Ok(all),
            _ => Err(Trouble::Retriable("topics have been created and are not there yet".to_owned())),
        })?;
    }
    let names: Vec<&str> = wanted.iter().map(|one| one.name.as_str()).collect();
    let policies = patiently(|| topics.cleanup_policies(&names))?;
    for NewOne { name, partitions } in &wanted {
        are_kept(name, *partitions, there.get(name).copied(), policies.get(name).map(String::as_str))
            .map_err(Fault::Misconfigured)?;
    }
    lanes.iter_mut().for_each(|lane| lane.has_markers = true);
    Ok(())
}

/// Whether a marker topic keeps its markers, each where it is looked for.
fn are_kept(name: &str, due: i32, partitions: Option<i32>, policy: Option<&str>) -> Result<(), String> {
    // A stand-in for a broker may not tell.
    if let Some(policy) = policy.filter(|policy| *policy != "compact") {
        return Err(format!(
            "{name} has cleanup.policy={policy}: it would forget what was redriven, and the next redrive would do it \
             again. Set it to compact (kafka-configs.sh --alter --entity-type topics --entity-name {name} \
             --add-config cleanup.policy=compact)"
        ));
    }
    match partitions {
        Some(partitions) if partitions < due => Err(format!(
            "{name} has fewer partitions ({partitions}) than its dead-letter topic ({due}); add some \
             (kafka-topics.sh --alter --topic {name} --partitions {due})"
        )),
        _ => Ok(()),
    }
}

/// Reads the markers of a lane.
pub fn markers(connection: &Connection, lane: &Lane) -> Result<Markers, Fault> {
    let mut markers = Markers::default();
    if lane.has_markers {
        let mut take = |record: Record<'_>| {
            if let Some((position, count)) = markers::read(&lane.raw_topic, record.key(), record.value()) {
                markers.add(position, count);
            }
            Ok(true)
        };
        let topic = lane.marker_topic();
        let reader = patiently(|| PartitionReader::open(connection, &topic, lane.partition, None))?;
        each(&reader, &mut take)?;
    }
    Ok(markers)
}

/// Opens a lane, at an offset or its beginning.
pub fn open(connection: &Connection, lane: &Lane, from: Option<i64>) -> Result<PartitionReader, Fault> {
    patiently(|| PartitionReader::open(connection, &lane.topic, lane.partition, from))
}

/// Hands over every record up to the end, until `take` says `false`.
pub fn each<'r>(
    reader: &'r PartitionReader,
    take: &mut dyn FnMut(Record<'r>) -> Result<bool, Fault>,
) -> Result<(), Fault> {
    let mut silent_since = Instant::now();
    let mut trouble = None;
    loop {
        match reader.next(TICK) {
            Ok(Next::End) => return Ok(()),
            Ok(Next::Record(record)) => {
                if !take(record)? {
                    return Ok(());
                }
                // What was taken may have had to be delivered first.
                silent_since = Instant::now();
                continue;
            }
            Ok(Next::Nothing) => {}
            Err(why @ Trouble::Retriable(_)) => trouble = Some(why),
            Err(why) => return Err(Fault::broken(why)),
        }
        if silent_since.elapsed() > PATIENCE {
            let why = trouble.map_or_else(|| "no record comes, and no end".to_owned(), |trouble| trouble.to_string());
            return Err(Fault::Broken(format!("the brokers have not answered for {PATIENCE:?}: {why}")));
        }
    }
}

/// A record of a lane as the dead letter that it is; `None`: it is somebody else's.
pub fn with_letter<T>(record: &Record<'_>, lane: &Lane, see: impl FnOnce(Option<&Letter<'_>>) -> T) -> T {
    with_raw(record, |as_it_lies| {
        let letter = Letter::read(as_it_lies).filter(|letter| letter.raw_topic == lane.raw_topic);
        see(letter.as_ref())
    })
}

/// Asks until there is an answer, or patience ends.
pub(super) fn patiently<T>(mut ask: impl FnMut() -> Result<T, Trouble>) -> Result<T, Fault> {
    let begun = Instant::now();
    let mut backoff = Backoff::new();
    loop {
        match ask() {
            Ok(answer) => return Ok(answer),
            Err(Trouble::Retriable(why)) if begun.elapsed() < PATIENCE => {
                tracing::warn!(why, "asking again");
                std::thread::sleep(backoff.pause());
            }
            Err(trouble) => return Err(Fault::broken(trouble)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs() -> Outputs {
        Outputs::new(["customer", "cart", "order", "product"], "dlq.", false)
    }

    fn there() -> HashMap<String, i32> {
        let topics = [
            ("raw.spree", 2),
            ("dlq.raw.spree", 2),
            ("dlq.raw.spree.redriven", 2),
            ("dlq.raw.bold", 1),
            ("dlq.other", 1),
            ("order", 3),
        ];
        topics.map(|(topic, partitions)| (topic.to_owned(), partitions)).into()
    }

    fn chosen(wanted: &[&str], partitions: &[i32]) -> Result<Vec<String>, String> {
        let wanted: Vec<String> = wanted.iter().map(|topic| (*topic).to_owned()).collect();
        let filter = Filter { partitions: partitions.to_vec(), ..Filter::default() };
        // As a pattern would have it.
        let is_raw = |topic: &str| topic.starts_with("raw.");
        let told = |lane: &Lane| format!("{} {} {}", lane.topic, lane.partition, lane.has_markers);
        choose(&there(), &outputs(), is_raw, &wanted, &filter).map(|lanes| lanes.iter().map(told).collect())
    }

    #[test]
    fn lanes_are_those_of_the_sources() {
        let all = ["dlq.raw.bold 0 false", "dlq.raw.spree 0 true", "dlq.raw.spree 1 true"];
        assert_eq!(chosen(&[], &[]).unwrap(), all);
        assert_eq!(chosen(&[], &[1]).unwrap(), all[2..]);
        assert_eq!(chosen(&["raw.spree"], &[]).unwrap(), all[1..]);
        assert_eq!(chosen(&["dlq.raw.spree", "raw.spree"], &[]).unwrap(), all[1..]);
        assert_eq!(chosen(&["raw.gone"], &[]).unwrap_err(), "there is no topic dlq.raw.gone");
        assert!(chosen(&["dlq.other"], &[]).unwrap_err().contains("no source"));
        assert!(chosen(&["dlq.raw.spree.redriven"], &[]).unwrap_err().contains("markers"));
    }

    #[test]
    fn a_marker_topic_that_forgets_is_refused_with_its_cure() {
        assert_eq!(are_kept("m", 3, Some(3), Some("compact")), Ok(()));
        assert_eq!(are_kept("m", 3, Some(4), None), Ok(()));
        for policy in ["delete", "compact,delete"] {
            let why = are_kept("m", 3, Some(3), Some(policy)).unwrap_err();
            assert!(why.contains("--add-config cleanup.policy=compact"), "{why}");
        }
        let why = are_kept("m", 3, Some(2), Some("compact")).unwrap_err();
        assert!(why.contains("--partitions 3"), "{why}");
    }
}
