//! `koine dlq export`: dead letters as bug capsules, one file each.

use super::{Key, Selection, schema_ids, show, write_private};
use crate::cli::capsule;
use crate::cli::{Failure, run as running};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// The place of one dead letter in its dead-letter topic
    #[arg(value_name = "PARTITION:OFFSET")]
    place: Option<String>,
    /// Where to: a file <dead-letter topic>-<partition>-<offset>.json each
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    key: Key,
    /// At most so many
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: usize,
}

pub fn run(mut arguments: Arguments) -> Result<(), Failure> {
    let key = arguments.key.read()?;
    let place = show::place(arguments.place.as_deref(), &mut arguments.selection)?;
    let chosen = arguments.selection.choose(&["kafka.bootstrap_servers"])?;
    let config = &chosen.config;
    // The ids are for whoever looks into the capsule; it can be reproduced without.
    let schemas = match config.registry.url {
        Some(_) => schema_ids(config).map_err(|failure| eprintln!("koine: without schema ids: {failure}")).ok(),
        None => None,
    };
    let out = &arguments.out;
    std::fs::create_dir_all(out).map_err(|error| Failure::Usage(format!("{}: {error}", out.display())))?;
    let mut without_value = 0;
    let mut sealed = None;
    show::pick(&chosen, place, arguments.limit, &mut |letter, _| {
        if letter.is_pointer {
            without_value += 1;
            return Ok(());
        }
        let value = match letter.open(key.as_ref()) {
            Ok(value) => value,
            Err(why) => {
                sealed.get_or_insert(why);
                return Ok(());
            }
        };
        let path = out.join(format!("{}-{}-{}.json", letter.topic, letter.partition, letter.offset));
        let settings = running::settings_of(letter.raw_topic, config);
        let text = capsule::write(letter, value.as_deref(), &settings, schemas.as_ref());
        // A capsule holds what the dead letter holds: it is its owner's to read, and nobody else's.
        write_private(&path, &text, false)
            .map_err(|error| Failure::Internal(format!("{}: {error}", path.display())))?;
        println!("{}", path.display());
        Ok(())
    })?;
    if without_value > 0 {
        eprintln!("{without_value} have no value, which was too large for the topic, and were passed over");
    }
    match sealed {
        Some(why) => Err(Failure::Found(format!("a value {why}: --key FILE opens it"))),
        None => Ok(()),
    }
}
