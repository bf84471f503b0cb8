//! `koine events`: canonical records as a consumer reads them, each a line of JSON in the form of `koine translate`.

use super::{Failure, configuration, run as running};
use crate::canonical::EntityKind;
use crate::codec::{schema_id, unframed};
use crate::config::LogFormat;
use crate::kafka::{self, Read, Reader, Record, Stretch};
use crate::registry::Registry;
use crate::schemas::Plain;
use crate::telemetry;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Reads the canonical topics from their beginning to where they end now, in no group and without a trace on the broker.
/// Only what is committed is shown; the records of one partition in their order.
#[derive(clap::Args)]
pub struct Arguments {
    /// The configuration file; without it, defaults and the environment's KOINE__… only
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Only of these entities; may be repeated
    #[arg(long = "entity", value_name = "ENTITY")]
    entities: Vec<Entity>,
    /// Only with this key, such as spree:eu:order:or_m3Rp9wXz
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Indented, for people; else a line for each record
    #[arg(long)]
    pretty: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Entity {
    Customer,
    Cart,
    Order,
    Product,
}

impl Entity {
    fn kind(self) -> EntityKind {
        match self {
            Entity::Customer => EntityKind::Customer,
            Entity::Cart => EntityKind::Cart,
            Entity::Order => EntityKind::Order,
            Entity::Product => EntityKind::Product,
        }
    }
}

/// How long nothing may come while there is something to come.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let config = configuration(arguments.config.as_deref(), &["kafka.bootstrap_servers", "registry.url"])?;
    telemetry::init(config.log.format == LogFormat::Json, "warn").map_err(Failure::Usage)?;
    let is_wanted = |kind: EntityKind| {
        let mut wanted = arguments.entities.iter().map(|entity| entity.kind());
        arguments.entities.is_empty() || wanted.any(|it| it == kind)
    };
    let all = EntityKind::ALL.into_iter().zip(config.topics.canonical());
    let topics: Vec<&str> = all.filter(|(kind, _)| is_wanted(*kind)).map(|(_, topic)| topic).collect();
    let connection = running::connection(&config);
    let bounds = kafka::bounds(&connection, None, |topic| topics.contains(&topic)).map_err(internal)?;
    if let Some(missing) = topics.iter().find(|topic| !bounds.iter().any(|it| it.topic == **topic)) {
        return Err(Failure::Usage(format!("there is no topic {missing}")));
    }
    let mut reader = Reader::idle(&connection).map_err(internal)?;
    let stretch = |it: kafka::Bounds| Stretch { topic: it.topic, partition: it.partition, from: it.low, to: it.high };
    reader.turn_to(bounds.into_iter().map(stretch)).map_err(internal)?;
    let mut schemas = Schemas::new(Registry::new(&config.registry).map_err(Failure::Usage)?)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let limit = arguments.limit.unwrap_or(u64::MAX);
    let (mut read, mut written) = (0, 0);
    let mut last = Instant::now();
    while written < limit && !reader.is_at_end() {
        let record = match reader.poll(Duration::from_millis(100)).map_err(internal)? {
            Read::Record(record) => record,
            Read::Nothing if last.elapsed() > PATIENCE => {
                let waiting = reader.unfinished().join(", ");
                return Err(Failure::Internal(format!("nothing came for {PATIENCE:?}: {waiting}")));
            }
            Read::Nothing => continue,
        };
        last = Instant::now();
        read += 1;
        if arguments.key.as_deref().is_some_and(|key| record.key() != Some(key.as_bytes())) {
            continue;
        }
        let line = shown(&record, &mut schemas)?;
        let done = match arguments.pretty {
            true => writeln!(out, "{line:#}"),
            false => writeln!(out, "{line}"),
        };
        match done {
            // Whoever reads us has enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            done => done.map_err(internal)?,
        }
        written += 1;
    }
    match out.flush() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(internal(error)),
        _ => {}
    }
    eprintln!("{written} shown, of {read} records that were read");
    Ok(())
}

/// A record with its place and key.
fn shown(record: &Record<'_>, schemas: &mut Schemas) -> Result<Value, Failure> {
    let event = schemas.event(record.value()).map_err(|why| match why {
        Failure::Found(why) => {
            Failure::Found(format!("{} [{}] at {}: {why}", record.topic(), record.partition(), record.offset()))
        }
        other => other,
    })?;
    Ok(json!({
        "topic": record.topic(),
        "partition": record.partition(),
        "offset": record.offset(),
        "key": record.key().map(String::from_utf8_lossy),
        "event": event,
    }))
}

/// The schemas that records were written with, each asked for once.
struct Schemas {
    registry: Registry,
    runtime: tokio::runtime::Runtime,
    known: BTreeMap<u32, Plain>,
}

impl Schemas {
    fn new(registry: Registry) -> Result<Schemas, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(internal)?;
        Ok(Schemas { registry, runtime, known: BTreeMap::new() })
    }

    fn event(&mut self, framed: Option<&[u8]>) -> Result<Value, Failure> {
        let framed = framed.unwrap_or_default();
        let (Some(id), Some(datum)) = (schema_id(framed), unframed(framed)) else {
            return Err(Failure::Found("this is no record in Confluent's wire format".to_owned()));
        };
        let plain = match self.known.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let text = self.runtime.block_on(self.registry.schema(id)).map_err(internal)?;
                place.insert(Plain::of(&text).map_err(|why| Failure::Found(format!("schema {id}: {why}")))?)
            }
        };
        plain.read(datum).map_err(Failure::Found)
    }
}

fn internal(error: impl std::fmt::Display) -> Failure {
    Failure::Internal(error.to_string())
}
