//! The command line: one file a command. Messages for people go to standard error, data to standard output.

mod audit;
mod breaker;
mod capsule;
mod credentials;
mod demo;
mod dlq;
mod doctor;
mod events;
mod manual;
mod mapping;
mod only;
mod own_port;
mod run;
mod schemas;
mod translate;

use crate::config::{Config, ConfigErrors, Context};
use crate::kafka::{self, Trouble};
use crate::translate::time_zone;
use crate::vendors::VENDORS;
use clap::{CommandFactory, Parser, Subcommand};
use std::fmt;
use std::path::Path;
use std::process::ExitCode;

/// What the process ends with. 0 done; 1 the work found something wrong; 2 usage or configuration; 70 internal.
#[derive(Debug)]
pub enum Failure {
    /// The work was done, and what it found is not right.
    Found(String),
    /// The caller asked for something that cannot be.
    Usage(String),
    /// What should not have happened, or the world around gave way.
    Internal(String),
}

impl Failure {
    /// What keeps a command from the brokers. That they do not believe who we are is a matter of the configuration.
    fn of_brokers(trouble: Trouble) -> Failure {
        match trouble {
            Trouble::Denied(why) => Failure::Usage(why),
            trouble => Failure::Internal(trouble.to_string()),
        }
    }

    fn code(&self) -> u8 {
        match self {
            Failure::Found(_) => 1,
            Failure::Usage(_) => 2,
            Failure::Internal(_) => 70,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Found(text) | Failure::Usage(text) | Failure::Internal(text) => f.write_str(text),
        }
    }
}

/// Translates raw commerce webhooks in Kafka into one canonical Avro model of customers, carts, orders and products.
#[derive(Parser)]
#[command(name = "koine", version = crate::translate::BUILD)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Translate raw topics into canonical ones, until SIGTERM or SIGINT
    Run(run::Arguments),
    /// The whole thing on one machine with nothing installed
    Demo(demo::Arguments),
    /// The breakers of a translator that runs on this machine: list, resume
    Breaker(breaker::Arguments),
    /// Translate files, with no Kafka: one JSON line per outcome
    Translate(translate::Arguments),
    /// Where each leaf of each vendor's webhooks goes, made from what runs
    Mapping(mapping::Arguments),
    /// Canonical records as JSON, as a consumer reads them
    Events(events::Arguments),
    /// Look into dead letters, group them by cause, redrive them
    Dlq(dlq::Arguments),
    /// The canonical schemas: list, export, check, bundle, register
    Schemas(schemas::Arguments),
    /// Whether the topics add up: what is missing, doubled or wrong
    Audit(audit::Arguments),
    /// What is wrong with brokers, topics, rights, registry and clock, and its cure
    Doctor(doctor::Arguments),
    /// What a shell needs to complete koine's commands
    Completions(manual::Completions),
    /// The manual pages
    Man(manual::Manual),
}

/// The command line as data.
fn command_line() -> clap::Command {
    Arguments::command()
}

/// How findings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Reads the configuration: the file, if one is given, and the environment's `KOINE__…`. `required` are the settings
/// without which the command cannot work.
fn configuration(file: Option<&Path>, required: &[&str]) -> Result<Config, Failure> {
    let variables = std::env::vars().filter(|(name, _)| name.starts_with("KOINE__"));
    with_context(required, |context| Config::load(file, variables, context))
}

/// A configuration made in memory. The environment has no say in it.
fn configuration_of(yaml: &str) -> Result<Config, Failure> {
    with_context(&[], |context| Config::parse(yaml, [], context))
}

fn with_context(
    required: &[&str],
    read: impl FnOnce(&Context<'_>) -> Result<Config, ConfigErrors>,
) -> Result<Config, Failure> {
    let librdkafka = kafka::check_version("classic").map_err(Failure::Usage)?;
    let vendors = VENDORS.map(|vendor| vendor.name);
    let time_zone = |name: &str| time_zone(name).is_some();
    let context = Context { vendors: &vendors, librdkafka: &librdkafka, time_zone, required };
    read(&context).map_err(|errors| Failure::Usage(errors.to_string()))
}

/// Parses the arguments, runs the command, and says what came of it.
pub fn main() -> ExitCode {
    // clap ends with 2 on wrong usage and with 0 on --help, as we would.
    let done = match Arguments::parse().command {
        Command::Run(arguments) => run::run(arguments),
        Command::Demo(arguments) => demo::run(arguments),
        Command::Breaker(arguments) => breaker::run(arguments),
        Command::Translate(arguments) => translate::run(arguments),
        Command::Mapping(arguments) => mapping::run(arguments),
        Command::Events(arguments) => events::run(arguments),
        Command::Dlq(arguments) => dlq::run(arguments),
        Command::Schemas(arguments) => schemas::run(arguments),
        Command::Audit(arguments) => audit::run(arguments),
        Command::Doctor(arguments) => doctor::run(arguments),
        Command::Completions(arguments) => manual::completions(arguments),
        Command::Man(arguments) => manual::manual(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("koine: {failure}");
            ExitCode::from(failure.code())
        }
    }
}
