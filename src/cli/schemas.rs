//! `koine schemas`: the canonical schemas, listed, exported, checked, registered.

mod asyncapi;
mod check;

use super::{Failure, configuration, configuration_of};
use crate::canonical::EntityKind;
use crate::config::Config;
use crate::registry::bundle::Bundle;
use crate::registry::{Registered, Registry, RegistryError, Wanted};
use crate::schemas;
use crate::translate::BUILD;
use std::path::{Path, PathBuf};

/// Every subject's rule: any version can read any other.
pub(super) const LEVEL: &str = "FULL_TRANSITIVE";

/// What a deployment has to say, said as in the documents.
const DEFAULTS: &str = "kafka: {bootstrap_servers: 'kafka:9092'}\nregistry: {url: 'http://registry:8081'}\n";

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
        /// Write asyncapi.yaml too: the topics, and what is in their records, as AsyncAPI 3
        #[arg(long)]
        asyncapi: bool,
        /// The configuration file, for the names of topics and servers; without it, the defaults
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Ask our own rules and the registry whether this build's schemas may be deployed
    Check {
        /// The configuration file; without a registry in it, what was released is all that is asked
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Look this build's schemas up and write them with their ids into one file, for `registry.bundle`
    Bundle {
        /// The configuration file
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Where to
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Register each schema under `<topic>-value`, compatibility FULL_TRANSITIVE
    Register {
        /// The configuration file
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        Command::List => {
            list();
            Ok(())
        }
        Command::Export { out, asyncapi, config } => export(&out, asyncapi, config.as_deref()),
        Command::Check { config } => check::run(config.as_deref()),
        Command::Bundle { config, out } => bundle(config.as_deref(), &out),
        Command::Register { config } => {
            let config = configuration(config.as_deref(), &["registry.url"])?;
            let registry = Registry::new(&config.registry).map_err(Failure::Usage)?;
            let runtime = runtime()?;
            for registered in
                runtime.block_on(register(&registry, &config)).map_err(|error| Failure::Found(error.to_string()))?
            {
                let version = registered.version.map_or_else(|| "?".to_owned(), |version| version.to_string());
                println!("{}\tid {}\tversion {version}", registered.subject, registered.id);
            }
            Ok(())
        }
    }
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::Internal(error.to_string()))
}

fn list() {
    for kind in EntityKind::ALL {
        let topic = kind.topic_name();
        let (subject, record, versions) = (schemas::subject(topic), kind.record_name(), schemas::history(kind).len());
        println!("{topic}\t{subject}\tkoine.commerce.v1.{record}\tversion {versions}");
    }
}

fn export(out: &Path, with_asyncapi: bool, config: Option<&Path>) -> Result<(), Failure> {
    let config = match config {
        Some(file) => configuration(Some(file), &[])?,
        None => configuration_of(DEFAULTS)?,
    };
    let cannot = |path: &Path, error: std::io::Error| Failure::Usage(format!("{}: {error}", path.display()));
    let write = |name: String, text: &str| {
        let path = out.join(name);
        std::fs::write(&path, text).map_err(|error| cannot(&path, error))?;
        println!("{}", path.display());
        Ok(())
    };
    std::fs::create_dir_all(out).map_err(|error| cannot(out, error))?;
    for (kind, topic) in EntityKind::ALL.into_iter().zip(config.topics.canonical()) {
        write(format!("{topic}.avsc"), schemas::pretty(kind))?;
    }
    match with_asyncapi {
        true => write("asyncapi.yaml".to_owned(), &asyncapi::yaml(&asyncapi::document(&config))),
        false => Ok(()),
    }
}

/// Writes what `koine run` would pin. Whole or not at all: a process that starts meanwhile reads the one before.
fn bundle(config: Option<&Path>, out: &Path) -> Result<(), Failure> {
    let config = configuration(config, &["registry.url"])?;
    let registry = Registry::new(&config.registry).map_err(Failure::Usage)?;
    let subjects = config.topics.canonical().map(schemas::subject);
    let wanted = wanted(&subjects);
    let registered = runtime()?.block_on(async {
        let mut registered = Vec::new();
        for &one in &wanted {
            registered.push(registry.lookup(one).await?);
        }
        Ok(registered)
    });
    let registered = registered.map_err(|error: RegistryError| Failure::Found(error.to_string()))?;
    let cannot = |error: std::io::Error| Failure::Usage(format!("{}: {error}", out.display()));
    let mut beside = out.as_os_str().to_owned();
    beside.push(".new");
    std::fs::write(&beside, Bundle::new(&wanted, &registered).to_text(BUILD)).map_err(cannot)?;
    std::fs::rename(&beside, out).map_err(cannot)?;
    for Registered { subject, id, .. } in &registered {
        println!("{subject}\tid {id}");
    }
    Ok(())
}

/// This build's schemas under these subjects, in the order of the entities.
pub fn wanted(subjects: &[String; 4]) -> Vec<Wanted<'_>> {
    let pairs = EntityKind::ALL.into_iter().zip(subjects);
    pairs.map(|(kind, subject)| Wanted { subject, schema: schemas::json(kind) }).collect()
}

/// Registers the schema of every canonical topic of the configuration. Twice is as good as once. The subject's rule is
/// set first, so that nothing can be registered in between that breaks it.
pub async fn register(registry: &Registry, config: &Config) -> Result<Vec<Registered>, RegistryError> {
    let mut done = Vec::new();
    for (kind, topic) in EntityKind::ALL.into_iter().zip(config.topics.canonical()) {
        let subject = schemas::subject(topic);
        registry.set_compatibility(&subject, LEVEL).await?;
        done.push(registry.register(Wanted { subject: &subject, schema: schemas::json(kind) }).await?);
    }
    Ok(done)
}
