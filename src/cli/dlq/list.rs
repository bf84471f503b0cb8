//! `koine dlq list`: dead letters grouped by cause.

use super::{Bar, Chosen, Format, Selection, failure, print};
use crate::cli::Failure;
use crate::pipeline::redrive::groups::{Fate, Group, Groups};
use crate::pipeline::redrive::lanes;
use serde_json::json;
use std::io::{self, Write};

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// text: a table; json: a line for each cause
    #[arg(long, default_value = "text")]
    format: Format,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let chosen = arguments.selection.choose(&["kafka.bootstrap_servers"])?;
    let groups = count(&chosen)?;
    let all = groups.largest_first();
    print(|out| match arguments.format {
        Format::Text => table(out, &all, &[("open", |group| group.letters - group.fates.done)]),
        Format::Json => all.iter().try_for_each(|group| {
            let mut line = json_of(group);
            line["open"] = json!(group.letters - group.fates.done);
            line["pointer_records"] = json!(group.fates.pointers);
            writeln!(out, "{line}")
        }),
    })?;
    let (letters, fates) = groups.total();
    eprintln!("{letters} dead letters of {} causes, {} not redriven yet", all.len(), letters - fates.done);
    say_foreign(&groups);
    Ok(())
}

fn count(chosen: &Chosen) -> Result<Groups, Failure> {
    let mut groups = Groups::default();
    let mut bar = Bar::new();
    for lane in &chosen.lanes {
        let markers = lanes::markers(&chosen.connection, lane).map_err(failure)?;
        let reader = lanes::open(&chosen.connection, lane, None).map_err(failure)?;
        let mut read = 0_u64;
        let done = lanes::each(&reader, &mut |record| {
            if read.is_multiple_of(256) {
                bar.draw(lane, record.offset(), reader.end(), "");
            }
            read += 1;
            lanes::with_letter(&record, lane, |letter| match letter {
                None => groups.foreign += 1,
                Some(letter) if chosen.filter.takes(letter) => {
                    let group = groups.add(letter);
                    if markers.is_done(letter.position, letter.redrive_count) {
                        groups.note(group, Fate::Done);
                    } else if letter.is_pointer {
                        groups.note(group, Fate::Pointer);
                    }
                }
                Some(_) => {}
            });
            Ok(true)
        });
        done.map_err(failure)?;
    }
    Ok(groups)
}

pub fn say_foreign(groups: &Groups) {
    if groups.foreign > 0 {
        eprintln!("{} records of these topics are no dead letters of koine's and were passed over", groups.foreign);
    }
}

/// A group as JSON, without what only some commands count.
pub fn json_of(group: &Group) -> serde_json::Value {
    json!({
        "fingerprint": group.fingerprint,
        "code": group.code,
        "vendor": group.vendor,
        "event_type": group.event_type,
        "pointer": group.pointer,
        "letters": group.letters,
        "first": group.first.map(|time| time.to_string()),
        "last": group.last.map(|time| time.to_string()),
    })
}

/// A column of numbers.
pub type Column = (&'static str, fn(&Group) -> u64);

/// A table of groups, with these columns of numbers beside `letters`.
pub fn table(out: &mut dyn Write, groups: &[&Group], columns: &[Column]) -> io::Result<()> {
    write!(out, "{:16} {:>9}", "fingerprint", "letters")?;
    for (name, _) in columns {
        write!(out, " {name:>9}")?;
    }
    writeln!(out, "  {:27} {:27} {:22} {:8} {:24} pointer", "first", "last", "code", "vendor", "event type")?;
    for group in groups {
        let time = |time: Option<crate::canonical::Micros>| time.map(|time| time.to_string()).unwrap_or_default();
        let word = |word: &Option<String>| word.clone().unwrap_or_else(|| "-".to_owned());
        let fingerprint = if group.fingerprint.is_empty() { "(others)" } else { &group.fingerprint };
        write!(out, "{fingerprint:16} {:>9}", group.letters)?;
        for (_, count) in columns {
            write!(out, " {:>9}", count(group))?;
        }
        writeln!(
            out,
            "  {:27} {:27} {:22} {:8} {:24} {}",
            time(group.first),
            time(group.last),
            group.code,
            word(&group.vendor),
            word(&group.event_type),
            group.pointer
        )?;
    }
    Ok(())
}
