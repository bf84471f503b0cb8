//! Whether the topics add up: every raw webhook against the canonical records and dead letters that say they come from
//! it. The translator says what was due; the topics alone say what is there.
//!
//! ```text
//! raw topics ──► translator ──► what was due ─┐
//!                                             ├─► ledger: lots that come to the same are right
//! canonical and dead-letter topics ───────────┘            │
//!                                              the others ─┴─► second look: judge ──► findings
//! ```
//!
//! One pass reads everything once, in any order, and keeps sums. Where nothing is wrong that is all. Where something is,
//! only the stretches of the topics it is in are read again, a bounded number of webhooks at a time. So memory does not
//! grow with the topics, and records may stand in any order: redriven ones do.
//!
//! Nothing is judged that is not due (the group has not committed it) or that retention has deleted on one side.
//!
//! Knows neither JSON, nor vendors' field names, nor rdkafka.

mod due;
mod found;
mod judge;
mod ledger;
mod print;
mod report;
#[cfg(test)]
mod testing;
mod world;

pub use ledger::Outcomes;
pub use report::{At, Finding, OutputReport, RawReport, Report, Tally, What};

use crate::kafka::{self, Connection, Read, Reader, Record, Stretch as Offsets, Trouble};
use crate::pipeline::{Outputs, SourceOf, with_raw};
use crate::translate::SourceSettings;
use due::Oracle;
use found::{Builds, Reading};
use judge::{Judge, Seen, Stretch, Unit};
use ledger::{Ledger, Lot, Standing, Window};
use print::{Kind, Place};
use std::time::{Duration, Instant};
use world::{Output, World};

/// So many webhooks are judged at a time.
const AT_ONCE: usize = 1 << 16;
/// So many findings are kept of what is wrong, and so many of what is only to be told.
const LISTED: usize = 10_000;
/// How often it is said how far the reading has come.
const SAY_EVERY: u64 = 10_000;

/// What is to be audited. Made of the configuration.
pub struct Plan {
    pub connection: Connection,
    pub group: String,
    pub source_of: SourceOf,
    pub sources: Vec<SourceSettings>,
    pub outputs: Outputs,
    pub is_at_least_once: bool,
    /// How long nothing may come while there is something to read: an open transaction holds readers back.
    pub patience: Duration,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Offsets read in the first pass, of so many.
    Reading(u64, u64),
    /// Raw offsets looked at again, of so many.
    LookingAgain(u64, u64),
}

/// Reads everything and says what is wrong. Changes nothing.
pub fn run(plan: &Plan, progress: &mut dyn FnMut(Progress)) -> Result<Report, Trouble> {
    let mut world = survey(plan)?;
    let mut audit = Audit {
        plan,
        reader: Reader::idle(&plan.connection)?,
        oracle: Oracle::default(),
        builds: Builds::default(),
        report: Report::default(),
        listed: [0; 2],
        progress,
    };
    audit.begin(&world);
    let mut ledger = Ledger::new(&world);
    audit.first_pass(&world, &mut ledger)?;
    ledger.close();
    audit.report.not_judged = ledger.late_unlisted;
    // Retention goes on meanwhile.
    let is_ours = |topic: &str| plan.outputs.is_ours(topic) || (plan.source_of)(topic).is_some();
    world.raise(&kafka::bounds(&plan.connection, None, is_ours)?);
    for nth in 0..world.raws.len() {
        audit.second_look(&world, &ledger, nth)?;
    }
    Ok(audit.report)
}

/// What there is. The order of the questions matters, see [`World::new`].
fn survey(plan: &Plan) -> Result<World, Trouble> {
    let is_raw = |topic: &str| (plan.source_of)(topic).is_some() && !plan.outputs.is_ours(topic);
    let topics = kafka::Topics::open(&plan.connection)?;
    // Who is not let in hears why here, and from the other questions only that there is no answer.
    topics.all()?;
    let done = kafka::bounds(&plan.connection, Some(&plan.group), is_raw)?;
    let dead_letters: Vec<String> = done.iter().map(|raw| plan.outputs.dead_letter(&raw.topic)).collect();
    let is_output = |topic: &str| plan.outputs.is_canonical(topic) || dead_letters.iter().any(|name| name == topic);
    let outputs = kafka::bounds(&plan.connection, None, is_output)?;
    let raws = kafka::bounds(&plan.connection, None, is_raw)?;
    let topics = topics.all()?.into_keys().collect();
    Ok(World::new(&done, outputs, raws, topics, &plan.outputs, &plan.source_of))
}

struct Audit<'a> {
    plan: &'a Plan,
    reader: Reader,
    oracle: Oracle,
    builds: Builds,
    report: Report,
    /// How many findings are listed of what is wrong, and of the rest.
    listed: [usize; 2],
    progress: &'a mut dyn FnMut(Progress),
}

impl Audit<'_> {
    fn begin(&mut self, world: &World) {
        let raw = |raw: &world::Raw| RawReport {
            topic: raw.topic.clone(),
            partition: raw.partition,
            from: raw.low,
            to: raw.due,
            not_due: raw.high - raw.due,
            tally: Tally::default(),
        };
        let output = |output: &Output| OutputReport {
            topic: output.topic.clone(),
            partition: output.partition,
            from: output.low,
            to: output.high,
            ..OutputReport::default()
        };
        self.report.raws = world.raws.iter().map(raw).collect();
        self.report.outputs = world.outputs.iter().map(output).collect();
    }

    /// Everything, once.
    fn first_pass(&mut self, world: &World, ledger: &mut Ledger) -> Result<(), Trouble> {
        let offsets = |topic: &str, partition, from, to| Offsets { topic: topic.to_owned(), partition, from, to };
        let raws = world.raws.iter().map(|raw| offsets(&raw.topic, raw.partition, raw.low, raw.due));
        let outputs = world.outputs.iter().map(|out| offsets(&out.topic, out.partition, out.low, out.high));
        let all: Vec<Offsets> = raws.chain(outputs).collect();
        let due: u64 = all.iter().map(|it| it.to.abs_diff(it.from)).sum();
        self.reader.turn_to(all)?;
        let mut read = 0;
        let Audit { plan, reader, oracle, builds, report, listed, progress } = self;
        drain(reader, plan.patience, &mut |record| {
            if read % SAY_EVERY == 0 {
                progress(Progress::Reading(read, due));
            }
            read += 1;
            if let Some(nth) = world.raw(record.topic(), record.partition()) {
                let Some(settings) = settings(plan, world, nth) else { return true };
                ledger.record(nth, record.offset());
                with_raw(record, |raw| {
                    oracle.ask(raw, settings, &mut |due| {
                        let place = Place { raw: nth, offset: raw.offset, index: due.index };
                        ledger.due(place, due.kind, due.prints);
                    });
                });
            } else if let Some(nth) = world.output(record.topic(), record.partition()) {
                let (Some(output), Some(counts)) =
                    (world.outputs.get(nth as usize), report.outputs.get_mut(nth as usize))
                else {
                    return true;
                };
                counts.records += 1;
                let wrong = match found::read(record, output, world, builds) {
                    Reading::Foreign => {
                        counts.foreign += 1;
                        None
                    }
                    Reading::Unreadable => {
                        counts.unreadable += 1;
                        Some((What::Unreadable, "it is none of koine's records"))
                    }
                    Reading::Nowhere => {
                        counts.orphans += 1;
                        Some((What::Orphan, "it says it comes from a partition that is not there"))
                    }
                    Reading::Found(found) => match ledger::standing(&found, world) {
                        Standing::Due => {
                            ledger.found(&found, nth, record.offset());
                            None
                        }
                        Standing::Gone => {
                            counts.gone_raw += 1;
                            None
                        }
                        Standing::Early => {
                            counts.not_due += 1;
                            None
                        }
                        Standing::Nowhere => {
                            counts.orphans += 1;
                            Some((What::Orphan, "it says it comes from a raw record that has never been"))
                        }
                    },
                };
                if let Some((what, why)) = wrong {
                    list(report, listed, finding(what, record, why));
                }
            }
            true
        })
    }

    /// A raw partition, where it does not come to the same.
    fn second_look(&mut self, world: &World, ledger: &Ledger, nth: usize) -> Result<(), Trouble> {
        let mut tally = Tally::default();
        let mut suspect: Option<(i64, i64)> = None;
        let lots: Vec<(&Lot, i64, i64)> = ledger.lots_of(world, nth).collect();
        for (lot, from, to) in &lots {
            if lot.is_right() {
                judge::add_right(&mut tally, lot.outcomes);
                tally.records += lot.records;
                if let Some((from, to)) = suspect.take() {
                    self.look_again(world, ledger, nth, (from, to), &lots, &mut tally)?;
                }
            } else {
                suspect = Some((suspect.map_or(*from, |(from, _)| from), *to));
            }
        }
        if let Some((from, to)) = suspect {
            self.look_again(world, ledger, nth, (from, to), &lots, &mut tally)?;
        }
        if let Some(raw) = self.report.raws.get_mut(nth) {
            raw.tally = tally;
        }
        Ok(())
    }

    fn look_again(
        &mut self,
        world: &World,
        ledger: &Ledger,
        nth: usize,
        (from, to): (i64, i64),
        lots: &[(&Lot, i64, i64)],
        tally: &mut Tally,
    ) -> Result<(), Trouble> {
        self.report.took_second_look = true;
        let mut at = from;
        while at < to {
            (self.progress)(Progress::LookingAgain(at.abs_diff(from), to.abs_diff(from)));
            let (units, end) = self.units(world, nth, (at, to), tally)?;
            let mut stretch = Stretch::new(nth as u32, at, end, units);
            let near = lots.iter().filter(|(_, from, to)| *from < end && at < *to);
            self.gather(world, near.flat_map(|(lot, _, _)| &lot.windows), &mut stretch)?;
            let Audit { plan, builds, report, listed, .. } = self;
            let judge = Judge { world, ledger, builds, is_at_least_once: plan.is_at_least_once };
            judge.judge(stretch, tally, &mut |finding| list(report, listed, finding));
            at = end;
        }
        Ok(())
    }

    /// The webhooks of raw records from an offset on, as many as are judged at a time; and before which offset they end.
    fn units(
        &mut self,
        world: &World,
        nth: usize,
        (from, to): (i64, i64),
        tally: &mut Tally,
    ) -> Result<(Vec<Unit>, i64), Trouble> {
        let Audit { plan, reader, oracle, .. } = self;
        let mut units = Vec::new();
        let mut end = to;
        let number = nth as u32;
        let (Some(raw), Some(settings)) = (world.raws.get(nth), settings(plan, world, number)) else {
            return Ok((units, end));
        };
        reader.turn_to([Offsets { topic: raw.topic.clone(), partition: raw.partition, from, to }])?;
        drain(reader, plan.patience, &mut |record| {
            tally.records += 1;
            with_raw(record, |raw| {
                oracle.ask(raw, settings, &mut |due| {
                    let output = match due.kind {
                        Kind::Event(entity) => world.place_of_event(entity, due.key),
                        Kind::DeadLetter => world.place_of_letter(number),
                        Kind::Ignored => None,
                    };
                    let place = Place { raw: number, offset: raw.offset, index: due.index };
                    let words = due.words().into();
                    units.push(Unit { place, kind: due.kind, prints: due.prints, output, words });
                });
            });
            if units.len() < AT_ONCE {
                return true;
            }
            end = record.offset() + 1;
            false
        })?;
        Ok((units, end))
    }

    /// The records that say they come from a stretch.
    fn gather<'w>(
        &mut self,
        world: &World,
        windows: impl Iterator<Item = &'w Window>,
        stretch: &mut Stretch,
    ) -> Result<(), Trouble> {
        let mut merged: Vec<Window> = Vec::new();
        for window in windows {
            match merged.iter_mut().find(|known| known.output == window.output) {
                Some(known) => {
                    known.first = known.first.min(window.first);
                    known.last = known.last.max(window.last);
                }
                None => merged.push(*window),
            }
        }
        let offsets = merged.iter().filter_map(|window| {
            let output = world.outputs.get(window.output as usize)?;
            let (from, to) = (window.first, window.last + 1);
            Some(Offsets { topic: output.topic.clone(), partition: output.partition, from, to })
        });
        let Audit { plan, reader, builds, .. } = self;
        reader.turn_to(offsets)?;
        drain(reader, plan.patience, &mut |record| {
            let Some(nth) = world.output(record.topic(), record.partition()) else { return true };
            let Some(output) = world.outputs.get(nth as usize) else { return true };
            if let Reading::Found(found) = found::read(record, output, world, builds) {
                stretch.see(Seen { found, output: nth, at: record.offset() });
            }
            true
        })
    }
}

fn settings<'p>(plan: &'p Plan, world: &World, raw: u32) -> Option<&'p SourceSettings> {
    plan.sources.get(world.raws.get(raw as usize)?.source)
}

fn finding(what: What, record: &Record<'_>, why: &'static str) -> Finding {
    let there = vec![At { topic: record.topic().to_owned(), partition: record.partition(), offset: record.offset() }];
    Finding { what, raw: None, due: String::new(), there, why: why.to_owned() }
}

fn list(report: &mut Report, listed: &mut [usize; 2], finding: Finding) {
    let [wrong, told] = listed;
    let count = if finding.what.is_wrong() { wrong } else { told };
    if *count < LISTED {
        *count += 1;
        report.findings.push(finding);
    } else {
        report.unlisted += 1;
    }
}

/// Reads until the end, or until `each` has enough. Trouble with the brokers is waited out.
fn drain(reader: &mut Reader, patience: Duration, each: &mut dyn FnMut(&Record<'_>) -> bool) -> Result<(), Trouble> {
    let mut since = Instant::now();
    loop {
        let why = match reader.poll(Duration::from_millis(20)) {
            Ok(Read::Record(record)) => {
                since = Instant::now();
                if !each(&record) {
                    return Ok(());
                }
                continue;
            }
            Ok(Read::Nothing) => "nothing comes: a transaction is open, or the brokers do not answer".to_owned(),
            Err(trouble @ Trouble::Retriable(_)) => trouble.to_string(),
            Err(trouble) => return Err(trouble),
        };
        if reader.is_at_end() {
            return Ok(());
        }
        if since.elapsed() > patience {
            let unfinished = reader.unfinished().join(", ");
            return Err(Trouble::Retriable(format!("{why}; not read to the end: {unfinished}")));
        }
    }
}
