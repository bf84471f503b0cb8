//! `koine run --only`: brings in what an earlier build ignored, once: a stretch of the raw topics, read by a group of its
//! own up to an end that stands fixed from its first start on.

use super::Failure;
use super::run::{self, Request};
use crate::canonical::Micros;
use crate::config::Config;
use crate::kafka::{self, At, Connection, Places, Positions, Read, Reader, TopicPartition, Topics, Trouble};
use crate::pipeline::{Only, Selection, only, with_raw};
use crate::translate::{Outcome, Translator};
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::watch;

// `koine run` has a struct of this name, and both would be groups of it.
#[derive(clap::Args)]
#[group(skip)]
pub struct Arguments {
    /// Write only what was ignored by RULE (component_pending), or is of TYPE (line_item.created, line_item.*), then
    /// exit. Rules and types may be repeated, or stand with commas between
    #[arg(long, value_name = "RULE|TYPE", value_delimiter = ',', requires = "from")]
    only: Vec<String>,
    /// With --only: where to start, `earliest` or a time (RFC 3339) of raw records
    #[arg(long, value_name = "WHERE", requires = "only", value_parser = from)]
    from: Option<Bound>,
    /// With --only: where to end: `committed` (what the translator's group has done; the default), `end` (of the topics, now),
    /// or a time (RFC 3339)
    #[arg(long, value_name = "WHERE", requires = "only", value_parser = until)]
    until: Option<Bound>,
    /// With --only: count what there is to bring in, and write nothing
    #[arg(long, requires = "only")]
    dry_run: bool,
}

/// Where a stretch begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    Earliest,
    Committed,
    End,
    Time(Micros),
}

fn from(text: &str) -> Result<Bound, String> {
    match text {
        "earliest" => Ok(Bound::Earliest),
        _ => time(text).ok_or_else(|| "neither `earliest` nor a time such as 2026-01-15T00:00:00Z".to_owned()),
    }
}

fn until(text: &str) -> Result<Bound, String> {
    match text {
        "committed" => Ok(Bound::Committed),
        "end" => Ok(Bound::End),
        _ => time(text).ok_or_else(|| "not `committed`, `end` or a time such as 2026-01-15T00:00:00Z".to_owned()),
    }
}

fn time(text: &str) -> Option<Bound> {
    Micros::parse(text).map(|(time, _)| Bound::Time(time))
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Bound::Earliest => f.write_str("earliest"),
            Bound::Committed => f.write_str("committed"),
            Bound::End => f.write_str("end"),
            Bound::Time(time) => write!(f, "{time}"),
        }
    }
}

impl Arguments {
    pub fn is_given(&self) -> bool {
        !self.only.is_empty()
    }
}

/// How often the group's offsets are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long to wait before brokers are asked again.
const PAUSE: Duration = Duration::from_secs(2);

pub fn run(
    config: &Config,
    arguments: &Arguments,
    accept_loss: bool,
    runtime: &Runtime,
    stopped: &watch::Receiver<bool>,
) -> Result<(), Failure> {
    let selection = Selection::parse(arguments.only.iter().map(String::as_str))
        .map_err(|why| Failure::Usage(format!("--only: {why}")))?;
    let from = arguments.from.unwrap_or(Bound::Earliest);
    let end = arguments.until.unwrap_or(Bound::Committed);
    let group = only::group(&config.kafka.group, &arguments.only, &from.to_string(), &end.to_string());
    let job =
        Job { config, connection: run::connection(config), group, from, end, is_end_said: arguments.until.is_some() };
    let Some(stretch) = job.patiently(stopped, || job.stretch(!arguments.dry_run))? else { return Err(unfinished()) };
    eprintln!(
        "{} event types, group {}, {} offsets of {} partitions to read",
        selection.len(),
        job.group,
        stretch.left(),
        stretch.until.len()
    );
    if stretch.left() == 0 {
        eprintln!(
            "nothing to do: what these words ask for has been brought in, or there is nothing between --from and --until"
        );
        return Ok(());
    }
    if arguments.dry_run {
        return job.count(&stretch, &selection, stopped);
    }
    let only = Only { group: job.group.clone(), selection, until: stretch.until.clone() };
    let request = Request { accept_loss, only: Some(only) };
    let Some(running) = run::start(config, runtime, request, stopped.clone())? else { return Err(unfinished()) };
    let own = Positions::open(&job.connection, &job.group).map_err(Failure::of_brokers)?;
    let mut looked = Instant::now();
    let mut is_done = false;
    while !is_done && !running.is_finished() && !running.is_refused() && !*stopped.borrow() {
        std::thread::sleep(Duration::from_millis(20));
        if looked.elapsed() > LOOK_EVERY {
            // Brokers that do not answer are the translator's to tell of.
            is_done = stretch.is_done(&own).unwrap_or(false);
            looked = Instant::now();
        }
    }
    let metrics = running.metrics_handle();
    running.stop()?;
    if !is_done && !stretch.is_done(&own).unwrap_or(false) {
        return Err(unfinished());
    }
    let count = |outcome| metrics.outcomes(outcome);
    eprintln!(
        "done: {} events and {} dead letters written, {} ignored, {} passed over",
        count("event"),
        count("dead_letter"),
        count("ignored"),
        metrics.passed_over()
    );
    Ok(())
}

fn unfinished() -> Failure {
    Failure::Found("stopped before its end; the same command goes on where it was".to_owned())
}

/// One run, known by its words.
struct Job<'c> {
    config: &'c Config,
    connection: Connection,
    group: String,
    from: Bound,
    end: Bound,
    is_end_said: bool,
}

/// What is still to be read, of every partition that the run has anything to do with.
struct Stretch {
    next: Places,
    until: Places,
}

impl Stretch {
    fn left(&self) -> i64 {
        self.spans().map(|(_, next, until)| until - next).sum()
    }

    /// Whether the group has come to all ends.
    fn is_done(&self, group: &Positions) -> Result<bool, Trouble> {
        let partitions: Vec<TopicPartition> = self.until.keys().cloned().collect();
        let committed = group.committed(&partitions)?;
        Ok(self.until.iter().all(|(partition, until)| committed.get(partition).is_some_and(|next| next >= until)))
    }

    fn spans(&self) -> impl Iterator<Item = (&TopicPartition, i64, i64)> {
        let span = |(partition, until): (_, &i64)| Some((partition, *self.next.get(partition)?, *until));
        self.until.iter().filter_map(span).filter(|(_, next, until)| next < until)
    }
}

/// Why there is no stretch.
enum Obstacle {
    Trouble(Trouble),
    Usage(String),
}

impl From<Trouble> for Obstacle {
    fn from(trouble: Trouble) -> Self {
        Obstacle::Trouble(trouble)
    }
}

impl Job<'_> {
    /// The group whose offsets are the ends. They have to be remembered: what the translator has done since the first start
    /// is none of this run's, however often the run is started again.
    fn end_group(&self) -> String {
        format!("{}-until", self.group)
    }

    /// Asks until there is an answer. `None`: told to stop meanwhile.
    fn patiently<T>(
        &self,
        stopped: &watch::Receiver<bool>,
        ask: impl Fn() -> Result<T, Obstacle>,
    ) -> Result<Option<T>, Failure> {
        loop {
            match ask() {
                Ok(answer) => return Ok(Some(answer)),
                Err(Obstacle::Usage(why)) => return Err(Failure::Usage(why)),
                Err(Obstacle::Trouble(Trouble::Retriable(why))) => {
                    eprintln!("waiting for the brokers: {why}");
                    let until = Instant::now() + PAUSE;
                    while Instant::now() < until {
                        if *stopped.borrow() {
                            return Ok(None);
                        }
                        std::thread::sleep(Duration::from_millis(20));
                    }
                }
                Err(Obstacle::Trouble(trouble)) => return Err(Failure::of_brokers(trouble)),
            }
        }
    }

    /// What is to be read; on the first start it is made up, and remembered if it is to be done.
    fn stretch(&self, remember: bool) -> Result<Stretch, Obstacle> {
        // Asked first: who is not let in hears why here, and from the other questions only that there is no answer.
        let mut partitions = Topics::open(&self.connection)?.partitions()?;
        partitions.retain(|one| self.config.source_of(&one.topic).is_some());
        let own = Positions::open(&self.connection, &self.group)?;
        let ends = Positions::open(&self.connection, &self.end_group())?;
        let mut next = own.committed(&partitions)?;
        let mut until = ends.committed(&partitions)?;
        if until.is_empty() && !next.is_empty() {
            return Err(Obstacle::Usage(format!(
                "the group {} has offsets, but where it was to end is no longer known (offsets.retention.minutes). Choose \
                 another --from, and --until a time at which it was at work",
                self.group
            )));
        }
        if until.is_empty() {
            until = self.ends(&own, &partitions)?;
        }
        let missing: Vec<TopicPartition> = until.keys().filter(|one| !next.contains_key(one)).cloned().collect();
        let mut begun = match self.from {
            Bound::Time(time) => own.at(At::Time(millis(time)), &missing)?,
            _ => own.at(At::Beginning, &missing)?,
        };
        for (partition, begin) in &mut begun {
            *begin = (*begin).min(until.get(partition).copied().unwrap_or(*begin));
        }
        if remember {
            // The ends first: with beginnings alone another start would not know where to end. Each start says them anew,
            // so that they are not forgotten before the beginnings are.
            ends.commit(&until)?;
            own.commit(&begun)?;
        }
        next.extend(begun);
        Ok(Stretch { next, until })
    }

    /// Where the run is to end.
    fn ends(&self, own: &Positions, partitions: &[TopicPartition]) -> Result<Places, Obstacle> {
        match self.end {
            Bound::End => return Ok(own.at(At::End, partitions)?),
            Bound::Time(time) => return Ok(own.at(At::Time(millis(time)), partitions)?),
            Bound::Committed | Bound::Earliest => {}
        }
        let main = &self.config.kafka.group;
        let members = own.members(main)?;
        if members > 0 && !self.is_end_said {
            return Err(Obstacle::Usage(format!(
                "the group {main} has {members} members: where the earlier build ended and this one began cannot be told from \
                 its offsets. Stop the translator until this command says what it reads, or say --until"
            )));
        }
        let committed = Positions::open(&self.connection, main)?.committed(partitions)?;
        if committed.is_empty() {
            return Err(Obstacle::Usage(format!(
                "the group {main} has committed nothing, so there is nothing that an earlier build has ignored; or say --until"
            )));
        }
        Ok(committed)
    }

    /// Prints what there is to bring in, one JSON line for each event type and outcome.
    fn count(&self, stretch: &Stretch, selection: &Selection, stopped: &watch::Receiver<bool>) -> Result<(), Failure> {
        let spans = stretch.spans().map(|(TopicPartition { topic, partition }, from, to)| kafka::Stretch {
            topic: topic.to_string(),
            partition: *partition,
            from,
            to,
        });
        let mut reader = Reader::idle(&self.connection).map_err(Failure::of_brokers)?;
        reader.turn_to(spans).map_err(Failure::of_brokers)?;
        let until: HashMap<&TopicPartition, i64> = stretch.spans().map(|(one, _, until)| (one, until)).collect();
        let (sources, any_source) = run::sources(self.config);
        let mut translator = Translator::new();
        let mut counts: BTreeMap<(&str, String, &str), u64> = BTreeMap::new();
        let mut passed_over = 0_u64;
        while !*stopped.borrow() {
            let record = match reader.poll(Duration::from_millis(100)) {
                Ok(Read::Record(record)) => record,
                Ok(Read::Nothing) => {
                    if reader.is_at_end() {
                        return report(&counts, passed_over);
                    }
                    continue;
                }
                Err(trouble) => {
                    eprintln!("waiting for the brokers: {trouble}");
                    continue;
                }
            };
            let partition = TopicPartition::new(record.topic(), record.partition());
            if until.get(&partition).is_none_or(|until| record.offset() >= *until) {
                continue;
            }
            let source = self.config.source_of(record.topic()).and_then(|nth| sources.get(nth)).unwrap_or(&any_source);
            with_raw(&record, |raw| {
                translator.translate(raw, source, &mut |_, outcome| {
                    if !selection.wants(&outcome) {
                        passed_over += 1;
                        return;
                    }
                    let (vendor, event_type, what) = match outcome {
                        Outcome::Event(event) => (event.vendor, event.event_type.to_owned(), "event"),
                        Outcome::Ignored(ignored) => (ignored.vendor, ignored.event_type.to_owned(), "ignored"),
                        Outcome::DeadLetter(letter) => {
                            (letter.vendor.unwrap_or_default(), letter.event_type.unwrap_or_default(), "dead_letter")
                        }
                    };
                    *counts.entry((vendor, event_type, what)).or_default() += 1;
                });
            });
        }
        Err(unfinished())
    }
}

fn report(counts: &BTreeMap<(&str, String, &str), u64>, passed_over: u64) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    for ((vendor, event_type, outcome), count) in counts {
        let line = serde_json::json!({"vendor": vendor, "event_type": event_type, "outcome": outcome, "count": count});
        writeln!(out, "{line}").map_err(|error| Failure::Internal(error.to_string()))?;
    }
    eprintln!("nothing was written; {passed_over} webhooks would be passed over");
    Ok(())
}

fn millis(time: Micros) -> i64 {
    // Up: a record of a fraction of a millisecond before the time is before it. Brokers know no time before 1970, and take
    // numbers below 0 for something else.
    (time.0.div_euclid(1_000) + i64::from(time.0.rem_euclid(1_000) > 0)).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_words_or_times() {
        let micros = Micros::parse("2026-01-15T10:00:00.0005Z").expect("a time").0;
        assert_eq!(from("earliest"), Ok(Bound::Earliest));
        assert_eq!(from("2026-01-15T11:00:00.0005+01:00"), Ok(Bound::Time(micros)));
        assert_eq!(millis(micros), 1_768_471_200_001);
        assert_eq!(millis(Micros::parse("1969-12-31T23:59:59.999Z").expect("a time").0), 0);
        assert_eq!(until("committed"), Ok(Bound::Committed));
        assert_eq!(until("end"), Ok(Bound::End));
        assert!(from("committed").is_err() && until("earliest").is_err() && until("2026-01-15T10:00:00").is_err());
        // The run's name goes by the moment and not by how it is written.
        let said = |text| until(text).map(|bound| bound.to_string());
        assert_eq!(said("2026-01-15T11:00:00+01:00"), said("2026-01-15T10:00:00Z"));
    }

    #[test]
    fn what_is_left_is_counted_where_there_is_something() {
        let [a, b, c] = [0, 1, 2].map(|nth| TopicPartition::new("raw", nth));
        let stretch = Stretch {
            next: Places::from([(a.clone(), 3), (b.clone(), 9), (c.clone(), 12)]),
            until: Places::from([(a.clone(), 10), (b, 9), (c, 10)]),
        };
        assert_eq!(stretch.left(), 7);
        assert_eq!(stretch.spans().collect::<Vec<_>>(), [(&a, 3, 10)]);
    }
}
