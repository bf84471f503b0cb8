//! Redrive: dead letters are translated again, and what became of each is written with a marker in one transaction.
//!
//! ```text
//! take the lane's transactional id (whoever had it is fenced, and its last transaction is over)
//!   → read the lane's markers → read the lane → translate → records, renewed dead letters, markers → commit
//! ```
//!
//! Nothing is done twice, however often it is run and whoever runs it at the same time: a lane (a partition of a
//! dead-letter topic) has one transactional id, whatever the consumer group is called; markers are read only once the id
//! is ours, so nobody can add to them any more; and a marker is committed with what it stands for or not at all. How
//! markers tell a renewed letter from the old one: see `markers`. The marker of a lane lies in the partition with the
//! lane's number, so that another lane's open transaction hides nothing from us.
//!
//! A dead letter that has been renewed, and is refused by the same build for the same cause once more, is left as it is:
//! writing it again would say nothing new, and a redrive that is run twice is to add nothing. Another build, or another
//! cause, renews it. That goes for what a topic refuses as well: it is tried, since the topic's limit may have been raised,
//! and left without a marker where it has not. So is a letter whose count cannot grow (a raw record may bring any count
//! along): renewed with the same count it would pass for done.
//!
//! A dead letter that cannot be translated (its value is not there, or sealed for somebody else) is left as it is and
//! counted apart. A dry run is the very same code without a producer, so it predicts what the live run
//! does; only a broker's own refusal (a canonical record that is too large for its topic) cannot be foreseen. So a letter
//! of such a refusal is said to be one that only a try can tell of.

pub mod groups;
pub mod lanes;
pub mod markers;

use super::batch::{Buffer, UnitKind};
use super::control::Backoff;
use super::dead_letter::{self, Policy, REDRIVE_COUNT};
use super::letter::{Letter, Position};
use super::outputs::Outputs;
use super::service::Limits;
use crate::codec::SchemaIds;
use crate::kafka::{Connection, Outgoing, Producer, ProducerSettings, Record, Refusal, SendError, Trouble};
use crate::reject::Code;
use crate::seal::PrivateKey;
use crate::translate::{BUILD, Header, Outcome, SourceSettings, Translator};
use groups::{Fate, Groups};
use lanes::{Fault, Filter, Lane, PATIENCE};
use markers::{Became, Markers};
use std::borrow::Cow;
use std::ops::Range;
use std::time::{Duration, Instant};

/// How long one call to the broker may take before it is called again.
const CALL: Duration = Duration::from_secs(3);

/// What only brokers find.
const BROKERS: [Code; 2] = [Code::RecordTooLarge, Code::RecordRefused];

/// What a redrive needs to know.
pub struct Job<'j> {
    pub connection: &'j Connection,
    pub outputs: &'j Outputs,
    pub policy: &'j Policy,
    /// Of the source that a raw topic belongs to.
    pub settings_of: &'j dyn Fn(&str) -> SourceSettings,
    /// `None`: a dry run. Nothing is written.
    pub schemas: Option<SchemaIds>,
    pub filter: &'j Filter,
    /// Raw headers that go along beside `koine-…`, which belong to the webhook; `None`: all.
    pub headers: Option<&'j [String]>,
    pub limits: Limits,
    /// Opens what is sealed.
    pub key: Option<&'j PrivateKey>,
    /// Dead letters a second.
    pub rate: Option<u32>,
    pub transaction_timeout: Duration,
}

/// How far a lane has been read.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'l> {
    pub lane: &'l Lane,
    pub offset: i64,
    pub end: i64,
}

/// Redrives lanes, one after the other. What became of their letters is noted in `groups`, also where it ends early.
pub fn run(
    job: &Job<'_>,
    lanes: &[Lane],
    groups: &mut Groups,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), Fault> {
    let mut translator = Translator::new();
    let mut pace = Pace { rate: job.rate, since: Instant::now(), count: 0 };
    for lane in lanes {
        let courier = match job.schemas {
            Some(_) => Some(Courier::open(job, lane)?),
            None => None,
        };
        // Not before the lane is ours: what its last holder has committed is to be seen.
        let markers = lanes::markers(job.connection, lane)?;
        let reader = lanes::open(job.connection, lane, None)?;
        let mut work = Work {
            job,
            lane,
            settings: (job.settings_of)(&lane.raw_topic),
            translator: &mut translator,
            groups: &mut *groups,
            pace: &mut pace,
            courier,
            markers,
            parcel: Parcel::default(),
        };
        let mut read = 0_u64;
        lanes::each(&reader, &mut |record| {
            if read.is_multiple_of(256) {
                progress(Progress { lane, offset: record.offset(), end: reader.end() });
            }
            read += 1;
            work.take(record).map(|()| true)
        })?;
        work.deliver()?;
        progress(Progress { lane, offset: reader.end(), end: reader.end() });
    }
    Ok(())
}

/// The transactional id of a lane. It does not depend on the consumer group: two redrives of one lane must fence each
/// other, whatever their configurations are called.
pub fn transactional_id(lane: &Lane) -> String {
    format!("koine-redrive-{}-{}", lane.topic, lane.partition)
}

/// A lane that is worked on.
struct Work<'w, 'r> {
    job: &'w Job<'w>,
    lane: &'w Lane,
    settings: SourceSettings,
    translator: &'w mut Translator,
    groups: &'w mut Groups,
    pace: &'w mut Pace,
    courier: Option<Courier<'w>>,
    markers: Markers,
    parcel: Parcel<'r>,
}

/// Dead letters, and what became of them, ready to be sent.
#[derive(Default)]
struct Parcel<'r> {
    held: Vec<Held<'r>>,
    units: Vec<Unit>,
    buffer: Buffer,
    bytes: usize,
}

/// A dead letter that is translated.
struct Held<'r> {
    record: Record<'r>,
    position: Position,
    redrive_count: u32,
    group: usize,
    /// Its places in the parcel's units.
    units: Range<usize>,
    /// What there was to write was refused by a topic when the letter was written.
    was_refused: bool,
    /// And it has been again, as it was when the letter was renewed.
    is_unchanged: bool,
}

/// What became of a dead letter, before it is held.
struct Translated {
    position: Position,
    redrive_count: u32,
    group: usize,
    units: Range<usize>,
    was_refused: bool,
}

struct Unit {
    /// For a dead letter that is made of it.
    index: Option<i32>,
    kind: UnitKind,
}

impl<'r> Work<'_, 'r> {
    /// Translates a dead letter, and delivers what has been gathered once it is enough.
    fn take(&mut self, record: Record<'r>) -> Result<(), Fault> {
        let lane = self.lane;
        let Some(held) = lanes::with_letter(&record, lane, |letter| self.translate(letter)) else { return Ok(()) };
        let Translated { position, redrive_count, group, units, was_refused } = held;
        self.parcel.bytes += record.len();
        self.parcel.held.push(Held { record, position, redrive_count, group, units, was_refused, is_unchanged: false });
        let most = self.job.rate.map_or(usize::MAX, |rate| rate as usize).min(self.job.limits.records);
        if self.parcel.held.len() >= most || self.parcel.bytes >= self.job.limits.bytes {
            self.deliver()?;
        }
        Ok(())
    }

    fn translate(&mut self, letter: Option<&Letter<'_>>) -> Option<Translated> {
        let Some(letter) = letter else {
            self.groups.foreign += 1;
            return None;
        };
        if !self.job.filter.takes(letter) {
            return None;
        }
        let (position, count) = (letter.position, letter.redrive_count);
        let group = self.groups.add(letter);
        let fate = match self.markers.is_done(position, count) {
            true => Some(Fate::Done),
            false => letter.is_pointer.then_some(Fate::Pointer),
        };
        if let Some(fate) = fate {
            self.groups.note(group, fate);
            return None;
        }
        let Ok(value) = letter.open(self.job.key) else {
            self.groups.note(group, Fate::Sealed);
            return None;
        };
        let first = self.parcel.units.len();
        self.parcel.translate(letter, value.as_deref(), self.job, &self.settings, self.translator);
        let units = first..self.parcel.units.len();
        if units.is_empty() {
            self.groups.note(group, Fate::Lost);
            return None;
        }
        if self.parcel.says_nothing_new(letter, &units) {
            self.parcel.units.truncate(first);
            self.groups.note(group, Fate::Unchanged);
            return None;
        }
        self.markers.add(position, count);
        let was_refused = BROKERS.iter().any(|code| code.as_str() == letter.code);
        Some(Translated { position, redrive_count: count, group, units, was_refused })
    }

    /// Delivers what has been gathered.
    fn deliver(&mut self) -> Result<(), Fault> {
        let mut parcel = std::mem::take(&mut self.parcel);
        let all = 0..parcel.held.len();
        if let Some(courier) = &mut self.courier {
            courier.deliver(&mut parcel, all, &mut |parcel, done| note(self.groups, parcel, done))?;
        } else {
            predict(self.groups, &parcel);
        }
        self.pace.keep(parcel.held.len());
        parcel.clear();
        self.parcel = parcel;
        Ok(())
    }
}

/// Notes what became of the letters of a parcel.
fn note(groups: &mut Groups, parcel: &Parcel<'_>, done: Range<usize>) {
    for held in parcel.held.get(done).unwrap_or_default() {
        groups.note(held.group, parcel.fate(held));
    }
}

/// The same of a dry run, which cannot ask the topics.
fn predict(groups: &mut Groups, parcel: &Parcel<'_>) {
    for held in &parcel.held {
        let fate = match parcel.fate(held) {
            Fate::Became(Became::Event) if held.was_refused => Fate::Untried,
            fate => fate,
        };
        groups.note(held.group, fate);
    }
}

impl Parcel<'_> {
    fn clear(&mut self) {
        self.held.clear();
        self.units.clear();
        self.buffer.clear();
        self.bytes = 0;
    }

    /// Adds what becomes of a letter: of the one element that it stands for, or of all there is in the record.
    fn translate(
        &mut self,
        letter: &Letter<'_>,
        value: Option<&[u8]>,
        job: &Job<'_>,
        settings: &SourceSettings,
        translator: &mut Translator,
    ) {
        let first = self.units.len();
        let wanted = letter.position.index;
        let schemas = job.schemas.unwrap_or(SchemaIds { customer: 0, cart: 0, order: 0, product: 0 });
        let headers = kept_headers(letter, job.headers);
        let raw = letter.raw(value, &headers);
        let Parcel { units, buffer, .. } = self;
        translator.translate(&raw, settings, &mut |index, outcome| {
            if letter.position.is_meant(index, &outcome) {
                let kind = match outcome {
                    Outcome::Event(translated) => buffer.event(&translated, &schemas),
                    Outcome::Ignored(ignored) => UnitKind::Ignored(ignored),
                    Outcome::DeadLetter(letter) => UnitKind::letter(letter),
                };
                units.push(Unit { index: wanted.or(Some(index)), kind });
            }
        });
        // A record that is one webhook has no indexes; a letter of one element keeps its own.
        let added = self.units.get_mut(first..).unwrap_or_default();
        let is_list = wanted.is_some() || added.len() > 1;
        for unit in added {
            unit.index = unit.index.filter(|_| is_list);
            if let UnitKind::DeadLetter(letter) = &mut unit.kind {
                letter.letter.index = letter.letter.index.or(unit.index);
            }
        }
    }

    /// Whether all that became of a letter is a letter like the one that was renewed before, or one that cannot be told
    /// from it.
    fn says_nothing_new(&self, letter: &Letter<'_>, units: &Range<usize>) -> bool {
        let [Unit { kind: UnitKind::DeadLetter(again), .. }] = self.units.get(units.clone()).unwrap_or_default() else {
            return false;
        };
        let is_as_before = letter.build == BUILD && again.letter.fingerprint == letter.fingerprint;
        letter.redrive_count == u32::MAX || (letter.redrive_count > 0 && is_as_before)
    }

    fn fate(&self, held: &Held<'_>) -> Fate {
        match held.is_unchanged {
            true => Fate::Unchanged,
            false => Fate::Became(self.became(held)),
        }
    }

    fn became(&self, held: &Held<'_>) -> Became {
        let units = || self.units.get(held.units.clone()).unwrap_or_default().iter().map(|unit| &unit.kind);
        if units().any(|kind| matches!(kind, UnitKind::DeadLetter(_))) {
            Became::DeadLetter
        } else if units().any(|kind| matches!(kind, UnitKind::Event(_))) {
            Became::Event
        } else {
            Became::Ignored
        }
    }
}

/// The raw headers that go along.
fn kept_headers<'a>(letter: &Letter<'a>, allowed: Option<&[String]>) -> Vec<Header<'a>> {
    let is_kept = |header: &&Header<'_>| {
        let is_named = |allowed: &[String]| allowed.iter().any(|name| name.eq_ignore_ascii_case(header.name));
        header.name.starts_with("koine-") || allowed.is_none_or(is_named)
    };
    letter.headers.iter().filter(is_kept).copied().collect()
}

/// Delivers the parcels of one lane in transactions. It never decides that a letter is to be skipped.
struct Courier<'j> {
    job: &'j Job<'j>,
    lane: &'j Lane,
    producer: Producer,
    marker_topic: String,
}

/// Why an attempt came to nothing.
enum Step {
    /// A topic does not take this unit, or this unit or another that travelled with it.
    Refused(usize, Refusal),
    Again(Trouble),
    Over(Fault),
}

impl From<Fault> for Step {
    fn from(fault: Fault) -> Step {
        Step::Over(fault)
    }
}

impl<'j> Courier<'j> {
    /// Takes the lane: whoever had it is fenced, and what it left open is ended.
    fn open(job: &'j Job<'j>, lane: &'j Lane) -> Result<Courier<'j>, Fault> {
        let settings = ProducerSettings {
            connection: job.connection.clone(),
            transactional_id: Some(transactional_id(lane)),
            transaction_timeout: job.transaction_timeout,
            batch_bytes: None,
        };
        let producer = Producer::open(&settings).map_err(Fault::broken)?;
        lanes::patiently(|| producer.init_transactions(CALL))?;
        Ok(Courier { job, lane, producer, marker_topic: lane.marker_topic() })
    }

    /// Delivers letters of a parcel, and tells which have arrived for good.
    fn deliver(
        &mut self,
        parcel: &mut Parcel<'_>,
        letters: Range<usize>,
        arrived: &mut dyn FnMut(&Parcel<'_>, Range<usize>),
    ) -> Result<(), Fault> {
        let begun = Instant::now();
        let mut backoff = Backoff::new();
        while !letters.is_empty() {
            match self.attempt(parcel, letters.clone()) {
                Ok(()) => {
                    arrived(parcel, letters);
                    return Ok(());
                }
                // A refused record takes along all that travelled with it: those who travel alone are to blame.
                Err(Step::Refused(..)) if letters.len() > 1 => {
                    let middle = letters.start + letters.len() / 2;
                    self.deliver(parcel, letters.start..middle, arrived)?;
                    return self.deliver(parcel, middle..letters.end, arrived);
                }
                Err(Step::Refused(nth, refusal)) => {
                    self.take_refusal(parcel, nth, refusal)?;
                    if self.leave_unchanged(parcel, letters.start) {
                        arrived(parcel, letters);
                        return Ok(());
                    }
                }
                Err(Step::Over(fault)) => return Err(fault),
                Err(Step::Again(trouble)) if begun.elapsed() < PATIENCE => {
                    tracing::warn!(trouble = trouble.kind(), why = %trouble, "not delivered; trying again");
                    std::thread::sleep(backoff.pause());
                }
                Err(Step::Again(trouble)) => {
                    return Err(Fault::Broken(format!("not delivered within {PATIENCE:?}: {trouble}")));
                }
            }
        }
        Ok(())
    }

    /// A canonical record that no topic takes becomes a dead letter, a dead letter becomes smaller.
    fn take_refusal(&self, parcel: &mut Parcel<'_>, nth: usize, refusal: Refusal) -> Result<(), Fault> {
        let Some(unit) = parcel.units.get_mut(nth) else {
            return Err(Fault::Misconfigured(format!("{} does not take a marker", self.marker_topic)));
        };
        if unit.kind.refuse(unit.index, refusal) {
            return Ok(());
        }
        Err(Fault::Misconfigured(format!("{} takes no record, however small", self.lane.topic)))
    }

    /// Whether a letter that was just refused is refused as before; then there is nothing to write.
    fn leave_unchanged(&self, parcel: &mut Parcel<'_>, nth: usize) -> bool {
        let Some(held) = parcel.held.get(nth) else { return false };
        let is_unchanged = lanes::with_letter(&held.record, self.lane, |letter| {
            letter.is_some_and(|letter| parcel.says_nothing_new(letter, &held.units))
        });
        if let Some(held) = parcel.held.get_mut(nth) {
            held.is_unchanged = is_unchanged;
        }
        is_unchanged
    }

    fn attempt(&self, parcel: &Parcel<'_>, letters: Range<usize>) -> Result<(), Step> {
        match self.producer.begin() {
            Ok(()) => {}
            Err(trouble @ Trouble::Retriable(_)) => return Err(Step::Again(trouble)),
            Err(trouble) => return Err(self.void(trouble)),
        }
        match self.send_all(parcel, letters) {
            Ok(()) => self.commit(),
            Err(step @ Step::Refused(..)) => {
                self.abort()?;
                Err(step)
            }
            Err(Step::Again(trouble)) => Err(self.void(trouble)),
            Err(over) => Err(over),
        }
    }

    fn send_all(&self, parcel: &Parcel<'_>, letters: Range<usize>) -> Result<(), Step> {
        let is_alone = letters.len() == 1;
        for held in parcel.held.get(letters).unwrap_or_default() {
            for nth in held.units.clone() {
                self.send_unit(parcel, held, nth)?;
                // One by one, so that a refusal names the one that it is for.
                if is_alone {
                    self.arrive()?;
                }
            }
            self.send_marker(parcel, held)?;
        }
        self.arrive()
    }

    fn send_unit(&self, parcel: &Parcel<'_>, held: &Held<'_>, nth: usize) -> Result<(), Step> {
        let Some(unit) = parcel.units.get(nth) else { return Ok(()) };
        match &unit.kind {
            UnitKind::Ignored(_) | UnitKind::PassedOver => Ok(()),
            UnitKind::Event(event) => {
                let timestamp_ms =
                    lanes::with_letter(&held.record, self.lane, |letter| letter.and_then(|letter| letter.timestamp_ms));
                let record = Outgoing {
                    topic: self.job.outputs.canonical(event.entity),
                    partition: None,
                    key: Some(parcel.buffer.key(event)),
                    value: Some(parcel.buffer.value(event)),
                    timestamp_ms,
                };
                self.send(&record, || parcel.buffer.headers(event), nth)
            }
            UnitKind::DeadLetter(again) => lanes::with_letter(&held.record, self.lane, |letter| {
                let Some(letter) = letter else { return Ok(()) };
                let count = (held.redrive_count.saturating_add(1)).to_string();
                let mut headers = kept_headers(letter, self.job.headers);
                headers.push(Header { name: REDRIVE_COUNT, value: Some(count.as_bytes()) });
                let sealed = |why| Step::Again(Trouble::Abort(why));
                let opened = letter.open(self.job.key).map_err(sealed)?;
                let raw = letter.raw(opened.as_deref(), &headers);
                let form = again.form;
                let policy = self.policy_of(letter);
                let headers = dead_letter::headers(&raw, &again.letter, &again.failed_at, &policy, form);
                let value = dead_letter::value(&raw, &policy, form).map_err(sealed)?;
                let record = Outgoing {
                    topic: &self.lane.topic,
                    partition: Some(dead_letter::partition(raw.partition, self.lane.partitions)),
                    key: raw.key.filter(|_| form.key),
                    value: value.as_deref(),
                    timestamp_ms: raw.timestamp_ms.filter(|_| form.timestamp),
                };
                self.send(&record, || headers.iter().map(|(name, value)| (&**name, value.as_deref())), nth)
            }),
        }
    }

    /// What the renewed letter looks like. One that was sealed stays so, also where nothing is sealed any more.
    fn policy_of(&self, letter: &Letter<'_>) -> Cow<'_, Policy> {
        match (letter.seal, &self.job.policy.seal, self.job.key) {
            (Some(_), None, Some(key)) => Cow::Owned(Policy { seal: Some(key.public()), ..self.job.policy.clone() }),
            _ => Cow::Borrowed(self.job.policy),
        }
    }

    fn send_marker(&self, parcel: &Parcel<'_>, held: &Held<'_>) -> Result<(), Step> {
        let key = markers::key(&self.lane.raw_topic, held.position);
        let value = markers::value(held.redrive_count, parcel.became(held));
        let record = Outgoing {
            topic: &self.marker_topic,
            partition: Some(self.lane.partition),
            key: Some(key.as_bytes()),
            value: Some(value.as_bytes()),
            timestamp_ms: None,
        };
        self.send(&record, || [("koine.build", Some(BUILD.as_bytes()))].into_iter(), parcel.units.len())
    }

    fn send<'h, H: ExactSizeIterator<Item = (&'h str, Option<&'h [u8]>)>>(
        &self,
        record: &Outgoing<'_>,
        headers: impl Fn() -> H,
        tag: usize,
    ) -> Result<(), Step> {
        loop {
            match self.producer.send(record, headers(), tag) {
                Ok(()) => return Ok(()),
                Err(SendError::QueueFull) => {
                    self.producer.serve(Duration::from_millis(5));
                    self.check()?;
                }
                Err(SendError::Trouble(Trouble::Refused(refusal))) => return Err(Step::Refused(tag, refusal)),
                Err(SendError::Trouble(trouble)) => {
                    // What went before it may be what is really wrong, and only flushing hears of that.
                    let _ = self.producer.flush(CALL);
                    self.check()?;
                    return Err(Step::Again(trouble));
                }
            }
        }
    }

    /// Waits until everything queued has arrived.
    fn arrive(&self) -> Result<(), Step> {
        loop {
            let flushed = self.producer.flush(CALL);
            self.check()?;
            match flushed {
                Ok(()) => return Ok(()),
                // A record that does not arrive in time fails by itself.
                Err(Trouble::Retriable(_)) => {}
                Err(trouble) => return Err(Step::Again(trouble)),
            }
        }
    }

    /// Whether anything has failed so far: a refusal before all else, since it explains the rest.
    fn check(&self) -> Result<(), Step> {
        let mut worst = None;
        for failure in self.producer.take_failures() {
            match failure.trouble {
                Trouble::Refused(refusal) => return Err(Step::Refused(failure.tag, refusal)),
                trouble => worst = Some(trouble),
            }
        }
        worst.map_or(Ok(()), |trouble| Err(Step::Again(trouble)))
    }

    fn commit(&self) -> Result<(), Step> {
        let begun = Instant::now();
        loop {
            match self.producer.commit(CALL) {
                Ok(()) => return Ok(()),
                Err(Trouble::Retriable(why)) if begun.elapsed() < PATIENCE => {
                    tracing::warn!(why, "no answer to a commit yet; asking again");
                }
                Err(trouble @ Trouble::Abort(_)) => return Err(self.void(trouble)),
                Err(trouble) => return Err(Step::Over(self.over(trouble))),
            }
        }
    }

    /// What to do after trouble in a transaction.
    fn void(&self, trouble: Trouble) -> Step {
        if !trouble.is_survivable() {
            return Step::Over(self.over(trouble));
        }
        match self.abort() {
            Ok(()) => Step::Again(trouble),
            Err(fault) => Step::Over(fault),
        }
    }

    fn abort(&self) -> Result<(), Fault> {
        let begun = Instant::now();
        let done = loop {
            match self.producer.abort(CALL) {
                Err(Trouble::Retriable(_)) if begun.elapsed() < PATIENCE => {}
                done => break done.map_err(|trouble| self.over(trouble)),
            }
        };
        // What was heard of records of this transaction is of no interest any more.
        self.producer.take_failures();
        done
    }

    /// Whatever became of the last commit: its markers say so to whoever comes next.
    fn over(&self, trouble: Trouble) -> Fault {
        let Lane { topic, partition, .. } = self.lane;
        match self.producer.fatal().unwrap_or(trouble) {
            Trouble::Fenced(_) => Fault::Fenced(format!("another redrive has taken over {topic} [{partition}]")),
            trouble => Fault::Broken(format!(
                "{topic} [{partition}]: {trouble}. What is done has its marker: run it again for the rest"
            )),
        }
    }
}

/// Keeps to so many letters a second.
struct Pace {
    rate: Option<u32>,
    since: Instant,
    count: usize,
}

impl Pace {
    fn keep(&mut self, more: usize) {
        self.count += more;
        if let Some(rate) = self.rate {
            let due = Duration::from_secs_f64(self.count as f64 / f64::from(rate.max(1)));
            std::thread::sleep(due.saturating_sub(self.since.elapsed()));
        }
    }
}
