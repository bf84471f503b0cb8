//! `koine dlq redrive`: dead letters are translated again, and what becomes of each is written, once.

use super::{Bar, Format, Key, Selection, failure, list, print, schema_ids};
use crate::cli::{Failure, run as running};
use crate::pipeline::Limits;
use crate::pipeline::redrive::groups::{Group, Groups};
use crate::pipeline::redrive::{self, Job, lanes};
use serde_json::json;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// Write nothing; say what would become of each cause
    #[arg(long)]
    dry_run: bool,
    /// At most so many dead letters a second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Raw headers that go along, separated by commas; the others are dropped, but for koine-…, which belong to the
    /// webhook. Without it, all go along
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    headers: Option<Vec<String>>,
    #[command(flatten)]
    key: Key,
    /// text: a table; json: a line for each cause
    #[arg(long, default_value = "text")]
    format: Format,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { selection, dry_run, rate, headers, key, format } = arguments;
    let key = key.read()?;
    let required: &[&str] = match dry_run {
        true => &["kafka.bootstrap_servers"],
        false => &["kafka.bootstrap_servers", "registry.url"],
    };
    let mut chosen = selection.choose(required)?;
    let config = &chosen.config;
    let schemas = match dry_run {
        true => None,
        false => {
            lanes::prepare_markers(&chosen.connection, &mut chosen.lanes, config.topics.create).map_err(failure)?;
            Some(schema_ids(config)?)
        }
    };
    let policy = running::dead_letter_policy(config);
    let job = Job {
        connection: &chosen.connection,
        outputs: &chosen.outputs,
        policy: &policy,
        settings_of: &|topic| running::settings_of(topic, config),
        schemas,
        filter: &chosen.filter,
        headers: headers.as_deref(),
        limits: Limits { records: config.batch.records, bytes: config.batch.bytes, wait: config.batch.wait },
        key: key.as_ref(),
        rate,
        transaction_timeout: config.transaction_timeout,
    };
    let mut groups = Groups::default();
    let mut bar = Bar::new();
    let done = redrive::run(&job, &chosen.lanes, &mut groups, &mut |at| bar.draw(at.lane, at.offset, at.end, ""));
    bar.clear();
    report(&groups, format, dry_run)?;
    done.map_err(failure)
}

fn report(groups: &Groups, format: Format, is_dry: bool) -> Result<(), Failure> {
    let all = groups.largest_first();
    print(|out| match format {
        Format::Text => {
            let columns: [list::Column; 9] = [
                ("event", |group| group.fates.events),
                ("ignored", |group| group.fates.ignored),
                ("again", |group| group.fates.again),
                ("as before", |group| group.fates.unchanged),
                ("to try", |group| group.fates.untried),
                ("done", |group| group.fates.done),
                ("no value", |group| group.fates.pointers),
                ("sealed", |group| group.fates.sealed),
                ("lost", |group| group.fates.lost),
            ];
            list::table(out, &all, &columns)
        }
        Format::Json => all.iter().try_for_each(|group| writeln!(out, "{}", json_of(group))),
    })?;
    let (letters, fates) = groups.total();
    let healed = fates.healed();
    let (heal, again, ending) = match is_dry {
        true => ("would heal", "would be refused again", "; nothing was written"),
        false => ("healed", "were refused again", ""),
    };
    eprintln!(
        "{letters} dead letters: {healed} {heal}, {} {again}, {} were redriven before{ending}",
        fates.again, fates.done
    );
    for (count, why) in [
        (fates.untried, "become events that their topic did not take; only a live run can tell whether it does now"),
        (fates.unchanged, "are refused as they were when they were last redriven, and stay as they are"),
        (fates.pointers, "have no value: it was too large for the topic. Fetch the raw records while they are there"),
        (fates.sealed, "are sealed: --key FILE opens them"),
        (fates.lost, "name an element that their record no longer has under this configuration"),
    ] {
        if count > 0 {
            eprintln!("{count} {why}");
        }
    }
    list::say_foreign(groups);
    Ok(())
}

fn json_of(group: &Group) -> serde_json::Value {
    let mut line = list::json_of(group);
    let fates = group.fates;
    line["event"] = json!(fates.events);
    line["ignored"] = json!(fates.ignored);
    line["again"] = json!(fates.again);
    line["unchanged"] = json!(fates.unchanged);
    line["to_try"] = json!(fates.untried);
    line["done"] = json!(fates.done);
    line["pointer_records"] = json!(fates.pointers);
    line["sealed"] = json!(fates.sealed);
    line["lost"] = json!(fates.lost);
    line
}
