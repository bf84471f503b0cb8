//! `koine audit`: do the topics add up? What is wrong, on standard output, with topic, partition and offset.

use super::run::{connection, outputs, sources};
use super::{Failure, Format, configuration};
use crate::audit::{self, At, Finding, OutputReport, Plan, Progress, RawReport, Report, Tally};
use crate::config::{Config, Delivery};
use serde_json::{Value, json};
use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
pub struct Arguments {
    /// The configuration file; without it, defaults and the environment's KOINE__… only
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A table and lines for people, or one JSON document
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let config = configuration(arguments.config.as_deref(), &["kafka.bootstrap_servers"])?;
    let plan = plan(&config);
    let mut line = ProgressLine::new();
    let report = audit::run(&plan, &mut |progress| line.show(progress));
    line.wipe();
    let report = report.map_err(Failure::of_brokers)?;
    match arguments.format {
        Format::Text => print!("{}", text(&report)),
        Format::Json => println!("{}", json_of(&report)),
    }
    match report.wrong() {
        0 => Ok(()),
        1 => Err(Failure::Found("1 thing is wrong".to_owned())),
        wrong => Err(Failure::Found(format!("{wrong} things are wrong"))),
    }
}

/// What the configuration means for an audit: what it means for the translator.
fn plan(config: &Config) -> Plan {
    let for_topics = config.clone();
    Plan {
        connection: connection(config),
        group: config.kafka.group.clone(),
        source_of: Box::new(move |topic| for_topics.source_of(topic)),
        sources: sources(config).0,
        outputs: outputs(config),
        is_at_least_once: config.delivery == Delivery::AtLeastOnce,
        // A dead worker's transaction holds readers back so long.
        patience: config.transaction_timeout + Duration::from_secs(60),
    }
}

/// Where it has come to, on a terminal only.
struct ProgressLine {
    is_terminal: bool,
    last: Option<Instant>,
}

impl ProgressLine {
    fn new() -> ProgressLine {
        ProgressLine { is_terminal: io::stderr().is_terminal(), last: None }
    }

    fn show(&mut self, progress: Progress) {
        let is_soon = self.last.is_some_and(|last| last.elapsed() < Duration::from_millis(200));
        if !self.is_terminal || is_soon {
            return;
        }
        self.last = Some(Instant::now());
        let (doing, done, all) = match progress {
            Progress::Reading(done, all) => ("reading", done, all),
            Progress::LookingAgain(done, all) => ("looking again at what does not add up", done, all),
        };
        eprint!("\r\x1b[K{doing}: {} %", done.saturating_mul(100) / all.max(1));
    }

    fn wipe(&self) {
        if self.last.is_some() {
            eprint!("\r\x1b[K");
        }
    }
}

/// Columns of the raw partitions.
const RAW: [&str; 16] = [
    "raw topic",
    "partition",
    "from",
    "to",
    "records",
    "webhooks",
    "events",
    "ignored",
    "dead letters",
    "missing",
    "doubled",
    "wrong",
    "orphans",
    "another build",
    "gone",
    "not due",
];

/// Columns of the partitions that koine writes to.
const OUTPUT: [&str; 10] =
    ["topic", "partition", "from", "to", "records", "orphans", "unreadable", "raw gone", "not due", "foreign"];

fn text(report: &Report) -> String {
    let mut rows = vec![RAW.map(str::to_owned).to_vec()];
    rows.extend(report.raws.iter().map(raw_row));
    let total = report.total();
    let mut sum = vec!["all".to_owned(), String::new(), String::new(), String::new()];
    sum.extend(numbers(&total).map(|number| number.to_string()));
    sum.push(report.raws.iter().map(|raw| raw.not_due).sum::<i64>().to_string());
    rows.push(sum);
    let mut out = table(&rows);
    out.push('\n');
    let mut rows = vec![OUTPUT.map(str::to_owned).to_vec()];
    rows.extend(report.outputs.iter().map(output_row));
    out.push_str(&table(&rows));
    if !report.findings.is_empty() {
        out.push('\n');
    }
    for finding in &report.findings {
        let _ = writeln!(out, "{}", line(finding));
    }
    if report.unlisted > 0 {
        let _ = writeln!(out, "and {} more", report.unlisted);
    }
    if report.not_judged > 0 {
        let _ = writeln!(out, "{} more are out of their order", report.not_judged);
    }
    let also =
        [(total.healed, "events were dead letters first"), (total.repeated, "are repeated, as at_least_once may")];
    for (count, what) in also.iter().filter(|(count, _)| *count > 0) {
        let _ = writeln!(out, "{count} {what}");
    }
    let verdict = if report.wrong() == 0 { "nothing is wrong" } else { "it does not add up" };
    let Tally { webhooks, missing, doubled, .. } = total;
    let _ = writeln!(out, "\n{webhooks} webhooks, {missing} missing, {doubled} doubled: {verdict}");
    out
}

/// As in the columns from `records` to `gone`.
fn numbers(tally: &Tally) -> [u64; 11] {
    [
        tally.records,
        tally.webhooks,
        tally.outcomes.events,
        tally.outcomes.ignored,
        tally.outcomes.dead_letters,
        tally.missing,
        tally.doubled,
        tally.wrong,
        tally.orphans,
        tally.another_build,
        tally.gone,
    ]
}

fn raw_row(raw: &RawReport) -> Vec<String> {
    let mut row = vec![raw.topic.clone(), raw.partition.to_string(), raw.from.to_string(), raw.to.to_string()];
    row.extend(numbers(&raw.tally).map(|number| number.to_string()));
    row.push(raw.not_due.to_string());
    row
}

fn output_row(output: &OutputReport) -> Vec<String> {
    let mut row =
        vec![output.topic.clone(), output.partition.to_string(), output.from.to_string(), output.to.to_string()];
    let numbers = [output.records, output.orphans, output.unreadable, output.gone_raw, output.not_due, output.foreign];
    row.extend(numbers.map(|number| number.to_string()));
    row
}

/// The first column stands left, numbers right.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |nth: usize| rows.iter().filter_map(|row| row.get(nth)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|nth| width(nth).unwrap_or(0)).collect();
    let mut out = String::new();
    for row in rows {
        for (nth, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = match nth {
                0 => write!(out, "{cell:<width$}"),
                _ => write!(out, "  {cell:>width$}"),
            };
        }
        out.push('\n');
    }
    out
}

/// `missing  raw.spree [3] 4711 #0  due: …  there: …  why`
fn line(finding: &Finding) -> String {
    let mut out = finding.what.as_str().to_owned();
    let _ = match &finding.raw {
        Some((at, index)) => write!(out, "\t{} #{index}", place(at)),
        None => write!(out, "\t-"),
    };
    let due = if finding.due.is_empty() { "-" } else { &finding.due };
    let there: Vec<String> = finding.there.iter().map(place).collect();
    let there = if there.is_empty() { "nothing".to_owned() } else { there.join(", ") };
    let _ = write!(out, "\tdue: {due}\tthere: {there}");
    if !finding.why.is_empty() {
        let _ = write!(out, "\t{}", finding.why);
    }
    out
}

fn place(at: &At) -> String {
    format!("{} [{}] {}", at.topic, at.partition, at.offset)
}

fn json_of(report: &Report) -> Value {
    let at = |at: &At| json!({"topic": at.topic, "partition": at.partition, "offset": at.offset});
    let raws = report.raws.iter().map(|raw| {
        let mut value = json!({
            "topic": raw.topic, "partition": raw.partition, "from": raw.from, "to": raw.to, "not_due": raw.not_due,
        });
        extend(&mut value, tally(&raw.tally));
        value
    });
    let outputs = report.outputs.iter().map(|output| {
        json!({
            "topic": output.topic, "partition": output.partition, "from": output.from, "to": output.to,
            "records": output.records, "orphans": output.orphans, "unreadable": output.unreadable,
            "raw_gone": output.gone_raw, "not_due": output.not_due, "foreign": output.foreign,
        })
    });
    let findings = report.findings.iter().map(|finding| {
        let raw = finding.raw.as_ref().map(|(place, index)| {
            let mut value = at(place);
            extend(&mut value, json!({"index": index}));
            value
        });
        json!({
            "what": finding.what.as_str(), "wrong": finding.what.is_wrong(), "raw": raw, "due": finding.due,
            "there": finding.there.iter().map(at).collect::<Vec<_>>(), "why": finding.why,
        })
    });
    json!({
        "build": crate::translate::BUILD,
        "wrong": report.wrong(),
        "total": tally(&report.total()),
        "raw": raws.collect::<Vec<_>>(),
        "outputs": outputs.collect::<Vec<_>>(),
        "findings": findings.collect::<Vec<_>>(),
        "unlisted": report.unlisted,
        "not_judged": report.not_judged,
    })
}

fn tally(tally: &Tally) -> Value {
    json!({
        "records": tally.records, "webhooks": tally.webhooks, "events": tally.outcomes.events,
        "ignored": tally.outcomes.ignored, "dead_letters": tally.outcomes.dead_letters, "missing": tally.missing,
        "doubled": tally.doubled, "wrong": tally.wrong, "orphans": tally.orphans, "repeated": tally.repeated,
        "another_build": tally.another_build, "healed": tally.healed, "gone": tally.gone, "raw_gone": tally.gone_raw,
    })
}

fn extend(value: &mut Value, more: Value) {
    if let (Value::Object(value), Value::Object(more)) = (value, more) {
        value.extend(more);
    }
}
