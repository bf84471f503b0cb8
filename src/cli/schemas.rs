//! `koine schemas`: the canonical schemas, listed, exported, registered.

use super::Failure;
use crate::canonical::EntityKind;
use crate::schemas;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Name each schema: topic, subject, record, versions released
    List,
    /// Write each schema, self-contained, as <topic>.avsc
    Export {
        /// Where to
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        Command::List => {
            list();
            Ok(())
        }
        Command::Export { out } => export(&out),
    }
}

fn list() {
    for kind in EntityKind::ALL {
        let topic = kind.topic_name();
        let (subject, record, versions) = (schemas::subject(topic), kind.record_name(), schemas::history(kind).len());
        println!("{topic}\t{subject}\tkoine.commerce.v1.{record}\tversion {versions}");
    }
}

fn export(out: &Path) -> Result<(), Failure> {
    let cannot = |path: &Path, error: std::io::Error| Failure::Usage(format!("{}: {error}", path.display()));
    std::fs::create_dir_all(out).map_err(|error| cannot(out, error))?;
    for kind in EntityKind::ALL {
        let path = out.join(format!("{}.avsc", kind.topic_name()));
        std::fs::write(&path, schemas::pretty(kind)).map_err(|error| cannot(&path, error))?;
        println!("{}", path.display());
    }
    Ok(())
}
