//! `koine demo`: the whole translator on one machine with nothing installed. A broker and a registry run inside this
//! process; samples of the four vendors are fed as raw records; what comes out is read back by a consumer of its own,
//! decoded by other code than ours, and shown.

mod door;
pub(super) mod samples;
mod view;

use super::run::{self, Running};
use super::{Failure, configuration_of};
use crate::kafka::{Connection, EmbeddedBroker, Read, Reader, Record, Writer};
use crate::registry::Registry;
use crate::registry::decoder::Decoder;
use crate::registry::embedded::Embedded;
use crate::schemas;
use crate::vendors::VENDORS;
use door::{Door, Posted};
use samples::{BROKEN, GOOD, nth};
use std::io::{self, IsTerminal, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use view::{SeenDeadLetter, SeenEvent, View};

#[derive(clap::Args)]
pub struct Arguments {
    /// Translate every sample once, check that nothing was lost, and exit
    #[arg(long)]
    once: bool,
    /// Sample webhooks a second that are fed, without --once; 0: none, only what is posted
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    rate: u32,
    /// Where /metrics, /livez, /readyz and /version are served; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    http: SocketAddr,
    /// Where webhooks can be posted, without --once: the body of POST /spree becomes a record of raw.spree. On this
    /// machine only
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", value_parser = door::loopback)]
    webhooks: SocketAddr,
    /// Write a configuration with which other commands find this broker and registry: koine dlq list --config FILE
    #[arg(long, value_name = "FILE", conflicts_with = "once")]
    write_config: Option<PathBuf>,
}

/// How long the embedded parts may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);
const RAW_PARTITIONS: i32 = 2;
const OTHER_PARTITIONS: i32 = 3;

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Internal(error.to_string()))?;
    let world = World::start(&runtime)?;
    let config = configuration_of(&world.yaml(arguments.http))?;
    runtime.block_on(async {
        let registry = Registry::new(&config.registry).map_err(Failure::Internal)?;
        super::schemas::register(&registry, &config).await.map_err(internal)
    })?;
    // What ends by itself is not waited for when somebody interrupts it.
    let (_never, never) = watch::channel(false);
    let stopped = if arguments.once { never } else { run::told_to_stop(&runtime) };
    let request = run::Request::default();
    let Some(running) = run::start(&config, &runtime, request, stopped.clone())? else { return Ok(()) };
    eprintln!("broker    {}   (kcat -b {} -L)", world.broker.bootstrap_servers(), world.broker.bootstrap_servers());
    eprintln!("registry  {}", world.registry.url());
    eprintln!("metrics   http://{}/metrics", running.address());
    if arguments.once {
        return once(&world, running, &runtime);
    }
    let (door, posted) = runtime
        .block_on(Door::open(arguments.webhooks))
        .map_err(|error| Failure::Usage(format!("--webhooks {}: {error}", arguments.webhooks)))?;
    eprintln!("webhooks  http://{}/<vendor>   (POST)", door.address());
    if let Some(file) = &arguments.write_config {
        let wrong = |error: io::Error| Failure::Usage(format!("{}: {error}", file.display()));
        std::fs::write(file, world.yaml(running.address())).map_err(wrong)?;
    }
    live(&world, running, &runtime, &stopped, arguments.rate, &posted)
}

/// What the demo brings along.
struct World {
    broker: EmbeddedBroker,
    registry: Embedded,
    connection: Connection,
}

impl World {
    fn start(runtime: &tokio::runtime::Runtime) -> Result<World, Failure> {
        let broker = EmbeddedBroker::start().map_err(internal)?;
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let registry = runtime.block_on(Embedded::start(here, schemas::evolves)).map_err(internal)?;
        let others = outputs().into_iter().chain(markers()).collect();
        for (topics, partitions) in [(raw_topics(), RAW_PARTITIONS), (others, OTHER_PARTITIONS)] {
            for topic in topics {
                broker.create_topic(&topic, partitions).map_err(internal)?;
            }
        }
        let connection =
            Connection { bootstrap_servers: broker.bootstrap_servers(), properties: Vec::new(), credentials: None };
        Ok(World { broker, registry, connection })
    }

    /// The configuration of the demo's own koine.
    fn yaml(&self, http: SocketAddr) -> String {
        format!(
            "kafka: {{bootstrap_servers: '{}', group: demo}}\nregistry: {{url: '{}'}}\nhttp: {{listen: '{http}'}}\nlog: {{level: warn}}\n",
            self.broker.bootstrap_servers(),
            self.registry.url(),
        )
    }

    fn feed(&self, writer: &Writer, vendor: &str, name: &str, nth: usize, body: &[u8]) -> Result<(), Failure> {
        writer.write(&format!("raw.{vendor}"), &format!("{name}-{nth}"), Some(body), now()).map_err(internal)
    }
}

fn raw_topics() -> Vec<String> {
    VENDORS.iter().map(|vendor| format!("raw.{}", vendor.name)).collect()
}

fn outputs() -> Vec<String> {
    let canonical = crate::canonical::EntityKind::ALL.iter().map(|kind| kind.topic_name().to_owned());
    canonical.chain(raw_topics().iter().map(|raw| format!("dlq.{raw}"))).collect()
}

/// What `koine dlq redrive` writes beside them. This broker creates no topics for other clients.
fn markers() -> Vec<String> {
    raw_topics().iter().map(|raw| format!("dlq.{raw}.redriven")).collect()
}

/// Everything through, everything read back, and the sum made.
fn once(world: &World, running: Running<'_>, runtime: &tokio::runtime::Runtime) -> Result<(), Failure> {
    let writer = Writer::open(&world.connection).map_err(internal)?;
    let mut fed = 0;
    for (nth, sample) in GOOD.iter().chain(BROKEN).enumerate() {
        world.feed(&writer, sample.vendor, sample.name, nth, sample.body)?;
        fed += 1;
    }
    writer.finish(PATIENCE).map_err(internal)?;
    let begun = Instant::now();
    while running.metrics().units() < fed {
        if begun.elapsed() > PATIENCE {
            let message =
                format!("{} of {fed} webhooks were translated within {PATIENCE:?}", running.metrics().units());
            return Err(Failure::Found(message));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let took = begun.elapsed();
    let ignored = VENDORS.map(|vendor| (vendor.name, running.metrics().records(vendor.name, "ignored")));
    running.stop()?;

    // From here on only what others would see: the topics, read by a consumer of our own.
    let mut view = View::new(VENDORS.map(|vendor| vendor.name), false);
    let mut out = io::stdout().lock();
    let raw = read_all(world, &raw_topics(), |record| {
        let vendor = record.topic().strip_prefix("raw.").unwrap_or_default();
        if let Some(counts) = view.counts(vendor) {
            counts.consumed += 1;
        }
        Ok(())
    })?;
    let decoder = Decoder::new(world.registry.url());
    read_all(world, &outputs(), |record| show(&mut view, record, &decoder, runtime, &mut out))?;
    for (vendor, ignored) in ignored {
        if let Some(counts) = view.counts(vendor) {
            counts.ignored = ignored;
        }
    }
    let summary = view.summary();
    writeln!(out, "\n{summary}\n{raw} webhooks in {took:.2?}, read back from the embedded broker").map_err(internal)?;
    let is_whole = raw == fed && view.all().iter().all(|(_, counts)| counts.is_balanced());
    if is_whole { Ok(()) } else { Err(Failure::Found(format!("the counts do not balance; {fed} webhooks were fed"))) }
}

/// Reads these topics to their end; how many records there were.
fn read_all(
    world: &World,
    topics: &[String],
    mut each: impl FnMut(&Record<'_>) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    let mut reader = Reader::open(&world.connection, &names).map_err(internal)?;
    let begun = Instant::now();
    let mut count = 0;
    while !reader.is_at_end() {
        if begun.elapsed() > PATIENCE {
            return Err(Failure::Found(format!("{topics:?} could not be read to their end within {PATIENCE:?}")));
        }
        if let Read::Record(record) = reader.poll(Duration::from_millis(50)).map_err(internal)? {
            each(&record)?;
            count += 1;
        }
    }
    Ok(count)
}

/// Feeds samples, and what is posted, until it is told to stop, and shows what comes out.
fn live(
    world: &World,
    running: Running<'_>,
    runtime: &tokio::runtime::Runtime,
    stopped: &watch::Receiver<bool>,
    rate: u32,
    posted: &Receiver<Posted>,
) -> Result<(), Failure> {
    let writer = Writer::open(&world.connection).map_err(internal)?;
    let decoder = Decoder::new(world.registry.url());
    let topics = outputs();
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    let mut reader = Reader::open(&world.connection, &names).map_err(internal)?;
    let mut out = io::stdout().lock();
    let mut view = View::new(VENDORS.map(|vendor| vendor.name), out.is_terminal());
    let begun = Instant::now();
    let (mut fed, mut taken) = (0, 0);
    while !running.is_finished() && !*stopped.borrow() {
        let due = (begun.elapsed().as_secs_f64() * f64::from(rate)) as usize;
        while fed < due {
            let sample = nth(fed);
            world.feed(&writer, sample.vendor, sample.name, fed, sample.body)?;
            if let Some(counts) = view.counts(sample.vendor) {
                counts.consumed += 1;
            }
            fed += 1;
        }
        for Posted { vendor, body } in posted.try_iter() {
            world.feed(&writer, vendor, "posted", taken, &body)?;
            if let Some(counts) = view.counts(vendor) {
                counts.consumed += 1;
            }
            taken += 1;
        }
        match reader.poll(Duration::from_millis(20)) {
            Ok(Read::Record(record)) => match show(&mut view, &record, &decoder, runtime, &mut out) {
                Err(Failure::Internal(why)) if why.contains("Broken pipe") => break,
                done => done?,
            },
            Ok(Read::Nothing) => {}
            Err(trouble) => return Err(internal(trouble)),
        }
        for vendor in VENDORS {
            if let Some(counts) = view.counts(vendor.name) {
                counts.ignored = running.metrics().records(vendor.name, "ignored");
            }
        }
        view.draw(&mut out).map_err(internal)?;
    }
    running.stop()
}

/// Counts and shows a record of an output topic.
fn show(
    view: &mut View,
    record: &Record<'_>,
    decoder: &Decoder,
    runtime: &tokio::runtime::Runtime,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let header = |wanted: &str| {
        let mut found = String::new();
        record.each_header(|name, value| {
            if name == wanted {
                found = text(value);
            }
        });
        found
    };
    let shown = if record.topic().starts_with("dlq.") {
        let letter = SeenDeadLetter {
            vendor: header("koine.vendor"),
            event_type: header("koine.event.type"),
            code: header("koine.error.code"),
            pointer: header("koine.error.pointer"),
        };
        view.dead_letter(letter, out)
    } else {
        let event = runtime.block_on(decoder.decode(record.value())).map_err(Failure::Found)?;
        let word = |pointer: &str| event.pointer(pointer).and_then(|word| word.as_str()).unwrap_or_default().to_owned();
        let entity = word("/meta/entity").to_lowercase();
        let kind = header("ce_type");
        view.event(SeenEvent { vendor: word("/meta/source/vendor"), entity, kind, key: text(record.key()) }, out)
    };
    shown.map_err(internal)
}

/// The samples' time in the raw topics is now, as that of webhooks would be.
#[allow(clippy::disallowed_methods, reason = "plays the outside world, which has a clock")]
pub(super) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as i64)
}

fn internal(error: impl std::fmt::Display) -> Failure {
    Failure::Internal(error.to_string())
}
