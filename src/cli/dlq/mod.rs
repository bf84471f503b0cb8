//! `koine dlq`: looks into dead letters, groups them by cause, takes single ones out of Kafka, redrives them.

mod export;
mod keygen;
mod list;
mod redrive;
mod show;

use super::{Failure, configuration, run as running};
use crate::canonical::Micros;
use crate::codec::SchemaIds;
use crate::config::{Config, LogFormat};
use crate::kafka::Connection;
use crate::pipeline::Outputs;
use crate::pipeline::redrive::lanes::{self, Fault, Filter, Lane};
use crate::reject::Code;
use crate::seal::PrivateKey;
use crate::telemetry;
use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Group dead letters by cause: how many, since when, how many of them have not been redriven
    List(list::Arguments),
    /// Show dead letters: where they came from, what was wrong, their headers
    Show(show::Arguments),
    /// Write dead letters as files that `koine translate --capsule` reproduces anywhere
    Export(export::Arguments),
    /// Make a pair of keys for `dlq.seal`
    Keygen(keygen::Arguments),
    /// Translate dead letters again and write what becomes of them, once
    Redrive(redrive::Arguments),
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        Command::List(arguments) => list::run(arguments),
        Command::Show(arguments) => show::run(arguments),
        Command::Export(arguments) => export::run(arguments),
        Command::Keygen(arguments) => keygen::run(arguments),
        Command::Redrive(arguments) => redrive::run(arguments),
    }
}

/// Which dead letters are meant; without any of these, all that the configuration's sources have.
#[derive(clap::Args)]
struct Selection {
    /// The configuration file; without it, defaults and the environment's KOINE__… only
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A raw topic, or its dead-letter topic; may be repeated
    #[arg(long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,
    /// Only with this error code, such as time.invalid; may be repeated, as may those below
    #[arg(long = "code", value_name = "CODE")]
    codes: Vec<String>,
    /// Only of this cause, as `koine dlq list` names it
    #[arg(long = "fingerprint", value_name = "HEX")]
    fingerprints: Vec<String>,
    /// Only of this vendor
    #[arg(long = "vendor", value_name = "VENDOR")]
    vendors: Vec<String>,
    /// Only of this event type
    #[arg(long = "event-type", value_name = "TYPE")]
    event_types: Vec<String>,
    /// Only what was refused at this time or later, RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only what was refused before this time, RFC 3339
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only in this partition of the dead-letter topic
    #[arg(long = "partition", value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    partitions: Vec<i32>,
}

/// What opens sealed dead letters.
#[derive(clap::Args)]
struct Key {
    /// The private key that opens sealed values, as `koine dlq keygen` has written it
    #[arg(long = "key", value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Key {
    fn read(&self) -> Result<Option<PrivateKey>, Failure> {
        let Some(file) = &self.file else { return Ok(None) };
        let wrong = |why: String| Failure::Usage(format!("--key {}: {why}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
        PrivateKey::parse(&text).map(Some).map_err(wrong)
    }
}

/// What a selection means, with the configuration and the topics that there are.
struct Chosen {
    config: Config,
    connection: Connection,
    outputs: Outputs,
    filter: Filter,
    lanes: Vec<Lane>,
}

impl Selection {
    fn choose(self, required: &[&str]) -> Result<Chosen, Failure> {
        let config = configuration(self.config.as_deref(), required)?;
        let codes = Code::ALL.iter().map(|code| code.as_str()).collect::<Vec<_>>();
        if let Some(wrong) = self.codes.iter().find(|code| !codes.contains(&code.as_str())) {
            return Err(Failure::Usage(format!("--code {wrong}: there are {}", codes.join(" "))));
        }
        let filter = Filter {
            codes: self.codes,
            fingerprints: self.fingerprints,
            vendors: self.vendors,
            event_types: self.event_types,
            since: time("--since", self.since.as_deref())?,
            until: time("--until", self.until.as_deref())?,
            partitions: self.partitions,
        };
        telemetry::init(config.log.format == LogFormat::Json, "warn").map_err(Failure::Usage)?;
        let connection = running::connection(&config);
        let outputs = running::outputs(&config);
        let is_raw = |topic: &str| config.source_of(topic).is_some();
        let lanes = lanes::lanes(&connection, &outputs, is_raw, &self.topics, &filter).map_err(failure)?;
        Ok(Chosen { config, connection, outputs, filter, lanes })
    }
}

fn time(argument: &str, text: Option<&str>) -> Result<Option<Micros>, Failure> {
    let Some(text) = text else { return Ok(None) };
    match Micros::parse(text) {
        Some((time, _)) => Ok(Some(time)),
        None => Err(Failure::Usage(format!("{argument}: an RFC 3339 time with an offset is due"))),
    }
}

fn failure(fault: Fault) -> Failure {
    match fault {
        Fault::Misconfigured(why) => Failure::Usage(why),
        Fault::Fenced(why) => Failure::Found(why),
        Fault::Broken(why) => Failure::Internal(why),
    }
}

/// The ids of the canonical schemas, as the registry has them, or `registry.bundle` while that is away.
fn schema_ids(config: &Config) -> Result<SchemaIds, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Internal(error.to_string()))?;
    runtime.block_on(running::pins::ids_now(config))
}

/// How output is written.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Writes a file that only its owner may read. One that is there already is refused, or another takes its place: what it
/// was open to, and where it led, is none of the new one's.
fn write_private(path: &Path, text: &str, is_new: bool) -> io::Result<()> {
    if !is_new {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)?.write_all(text.as_bytes())
}

/// Writes data to standard output. Whoever reads us may have enough.
fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Internal(format!("cannot write: {error}")))
        }
        _ => Ok(()),
    }
}

/// How far the work is, on a terminal only.
struct Bar {
    is_terminal: bool,
    drawn: Option<Instant>,
}

impl Bar {
    fn new() -> Bar {
        Bar { is_terminal: io::stderr().is_terminal(), drawn: None }
    }

    /// `part` of `whole` offsets of this lane; `note` is what there is to say.
    fn draw(&mut self, lane: &Lane, part: i64, whole: i64, note: &str) {
        const WIDTH: usize = 24;
        let is_new = self.drawn.is_none_or(|drawn| drawn.elapsed() > Duration::from_millis(100));
        if !self.is_terminal || !is_new {
            return;
        }
        self.drawn = Some(Instant::now());
        let full = (part.max(0) as usize * WIDTH).checked_div(whole.max(0) as usize).unwrap_or(WIDTH).min(WIDTH);
        let (done, left) = ("=".repeat(full), " ".repeat(WIDTH - full));
        eprint!("\r\x1b[K[{done}{left}] {} [{}] {part}/{whole} {note}", lane.topic, lane.partition);
    }

    fn clear(&self) {
        if self.is_terminal && self.drawn.is_some() {
            eprint!("\r\x1b[K");
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_private_file_is_its_owners_alone_whatever_was_there() {
        let path = std::env::temp_dir().join(format!("koine-private-{}", std::process::id()));
        std::fs::write(&path, "open").expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("open to all");
        assert!(write_private(&path, "new", true).is_err(), "it is there");
        write_private(&path, "private", false).expect("written");
        let mode = std::fs::metadata(&path).expect("there").permissions().mode();
        let text = std::fs::read_to_string(&path).expect("text");
        std::fs::remove_file(&path).expect("removed");
        assert_eq!((mode & 0o777, &*text), (0o600, "private"));
    }
}
