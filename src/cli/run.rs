//! `koine run`: the translator between the brokers and the registry of a configuration, until it is told to stop.

mod certificates;
pub(super) mod pins;
mod reload;
mod traces;

use super::credentials::Live;
use super::{Failure, configuration, only};
use crate::canonical::{Privacy, Treatment};
use crate::codec::SchemaIds;
use crate::config::{self, Config, Delivery, GroupProtocol, LogFormat, Source};
use crate::http::{self, Health, Server};
use crate::kafka::{self, Connection};
use crate::pipeline::{
    BreakerPlan, BreakerRules, Exit, Handle, HeaderSets, Limits, NotReady, Only, Outputs, Plan, Policy, Service, tables,
};
use crate::telemetry::{self, BuildInfo, Metrics};
use crate::translate::{BUILD, Extensions, SourceSettings, time_zone};
use crate::vendors::vendor;
use certificates::Certificates;
use reload::{Next, Reload};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use traces::Exporter;

#[derive(clap::Args)]
pub struct Arguments {
    /// The configuration file; without it, defaults and the environment's KOINE__… only
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Validate, print the effective configuration with its secrets masked, and exit
    #[arg(long)]
    check: bool,
    /// Go on at what exists where a committed offset is gone, rather than stopping the partition
    #[arg(long)]
    accept_loss: bool,
    #[command(flatten)]
    only: only::Arguments,
}

/// What is asked of a translator beside its configuration.
#[derive(Default)]
pub struct Request {
    /// Go on where a committed offset is gone.
    pub accept_loss: bool,
    /// Some event types of a stretch, rather than everything there will ever be.
    pub only: Option<Only>,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut config = configuration(arguments.config.as_deref(), reload::REQUIRED)?;
    if arguments.check {
        check(&config)?;
        for (class, _) in config.privacy.classes.iter().filter(|(_, treatment)| *treatment == Treatment::Hash) {
            eprintln!("koine: privacy.{}: texts are hashed, and what is no text is dropped", class.as_str());
        }
        print!("{}", config.to_yaml());
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Internal(error.to_string()))?;
    let stopped = told_to_stop(&runtime);
    if arguments.only.is_given() {
        return only::run(&config, &arguments.only, arguments.accept_loss, &runtime, &stopped);
    }
    let request = Request { accept_loss: arguments.accept_loss, only: None };
    let mut reload = Reload::new(arguments.config.as_deref(), &runtime);
    let Some(mut running) = start(&config, &runtime, request, stopped.clone())? else { return Ok(()) };
    let mut certificates = Certificates::new(&config);
    let mut next: Option<Next> = None;
    while !running.is_over(&stopped) {
        certificates.look(&running.metrics);
        if reload.is_due() {
            next = match reload.read(&config) {
                Ok(changed) => {
                    for setting in &changed.kept {
                        tracing::warn!(setting, "this setting needs a restart; it stays as it was");
                    }
                    Some(Next::new(changed))
                }
                Err(why) => {
                    tracing::error!(why, "the configuration has a mistake; everything stays as it was");
                    running.metrics.reload(false);
                    None
                }
            };
        }
        if let Some(new) = next.take_if(|new| new.is_due()) {
            match running.is_possible(&new, &stopped) {
                None => break,
                Some(Ok(())) => {
                    config = new.config;
                    certificates.follow(&config, &running.metrics);
                    running = running.with(&config, &new.changed)?;
                }
                Some(Err(not_ready)) => {
                    let (NotReady::Wait(why) | NotReady::Never(why)) = &not_ready;
                    tracing::error!(why, "the configuration cannot take effect; everything stays as it was");
                    // It was read once, however often it is tried.
                    if new.is_first {
                        running.metrics.reload(false);
                    }
                    next = matches!(not_ready, NotReady::Wait(_)).then(|| new.again());
                }
            }
        }
        std::thread::sleep(NAP);
    }
    running.stop()
}

/// How often it is looked whether there is something to do.
const NAP: Duration = Duration::from_millis(20);

/// What can be known to be wrong before anything is started.
fn check(config: &Config) -> Result<(), Failure> {
    connection(config).check().map_err(|error| Failure::Usage(format!("kafka.properties: {error}")))?;
    Live::check(config).map_err(Failure::Usage)?;
    if let Some(traces) = &config.traces {
        traces::check(traces).map_err(Failure::Usage)?;
    }
    if let Some(file) = &config.registry.bundle {
        pins::from_bundle(file, &config.topics.canonical().map(crate::schemas::subject))?;
    }
    Ok(())
}

/// Becomes true when somebody tells koine to stop.
pub fn told_to_stop(runtime: &tokio::runtime::Runtime) -> watch::Receiver<bool> {
    let (stop, stopped) = watch::channel(false);
    runtime.spawn(async move {
        signal().await;
        let _ = stop.send(true);
    });
    stopped
}

/// SIGTERM or SIGINT.
pub async fn signal() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminated) => {
                tokio::select! {
                    _ = interrupted => {}
                    _ = terminated.recv() => {}
                }
            }
            Err(_) => drop(interrupted.await),
        }
    }
    #[cfg(not(unix))]
    drop(interrupted.await);
}

fn metrics(config: &Config, build: &BuildInfo) -> Result<Metrics, telemetry::MetricsError> {
    let metrics = Metrics::new(tables(), &config.topics.canonical(), build)?;
    if config.messaging_metrics { metrics.with_messaging(&config.kafka.group) } else { Ok(metrics) }
}

/// A translator that runs, with its pages.
pub struct Running<'r> {
    handle: Handle,
    server: Server,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    exporter: Option<Exporter>,
    schemas: SchemaIds,
    accept_loss: bool,
    /// Why the registry does not let us go on, once it does not.
    refused: watch::Receiver<Option<String>>,
    runtime: &'r Runtime,
}

/// Starts the pages, waits for the schemas' ids and starts the translator. `None`: told to stop while waiting.
pub fn start<'r>(
    config: &Config,
    runtime: &'r Runtime,
    request: Request,
    stopped: watch::Receiver<bool>,
) -> Result<Option<Running<'r>>, Failure> {
    telemetry::init(config.log.format == LogFormat::Json, &config.log.level).map_err(Failure::Usage)?;
    let build = BuildInfo {
        version: env!("CARGO_PKG_VERSION"),
        build: BUILD.to_owned(),
        librdkafka: kafka::check_version("classic").map_err(Failure::Usage)?,
    };
    let metrics = metrics(config, &build).map_err(|error| Failure::Internal(error.to_string()))?;
    let (metrics, health) = (Arc::new(metrics), Arc::new(Health::new(config.dead_after)));
    let server = http::serve(config.http_listen, Arc::clone(&health), Arc::clone(&metrics), build);
    let server = runtime
        .block_on(server)
        .map_err(|error| Failure::Usage(format!("http.listen: {}: {error}", config.http_listen)))?;
    tracing::info!(address = %server.address(), build = BUILD, "pages are served");
    let Some(pins) = runtime.block_on(pins::pin(config, &metrics, stopped))? else {
        runtime.block_on(server.stop());
        return Ok(None);
    };
    health.schemas_pinned(true);
    let exporter = config.traces.as_ref().map(|traces| Exporter::start(traces, Arc::clone(&metrics), runtime));
    let exporter = exporter.transpose().map_err(Failure::Usage)?;
    let (schemas, accept_loss) = (pins.ids()?, request.accept_loss);
    let mut plan = plan(config, schemas, request, Arc::clone(&metrics), Arc::clone(&health));
    plan.traces = exporter.as_ref().map(Exporter::traces);
    let handle = Service::start(plan).map_err(failure)?;
    let (refuse, refused) = watch::channel(None);
    runtime.spawn(async move {
        let why = pins.watch().await;
        let _ = refuse.send(Some(why));
    });
    Ok(Some(Running { handle, server, health, metrics, exporter, schemas, accept_loss, refused, runtime }))
}

impl Running<'_> {
    /// Whether what is written with another configuration is there, made where it may be made. Workers that have started wait for
    /// it for as long as it takes, and whoever translates now would have stopped for them. `None`: it is over meanwhile.
    fn is_possible(&self, next: &Next, stopped: &watch::Receiver<bool>) -> Option<Result<(), NotReady>> {
        if !next.needs_workers() {
            return Some(Ok(()));
        }
        let config = next.config.clone();
        let prepare = move || {
            let is_raw = |topic: &str| config.source_of(topic).is_some();
            outputs(&config).prepare(&connection(&config), is_raw)
        };
        // On its own, since brokers that do not answer are waited for, and a stop is not to wait with them.
        let asking = match std::thread::Builder::new().name("koine-reload".to_owned()).spawn(prepare) {
            Ok(asking) => asking,
            Err(error) => return Some(Err(NotReady::Wait(format!("no thread to ask for the topics: {error}")))),
        };
        while !asking.is_finished() {
            if self.is_over(stopped) {
                return None;
            }
            std::thread::sleep(NAP);
        }
        let has_panicked = |_| Err(NotReady::Never("asking for the topics has panicked".to_owned()));
        Some(asking.join().unwrap_or_else(has_panicked))
    }

    /// The same with other settings: finishes what is at hand as for a stop, and goes on from there. Pages and schemas stay.
    fn with(self, config: &Config, changed: &[String]) -> Result<Self, Failure> {
        telemetry::set_level(&config.log.level).map_err(Failure::Usage)?;
        if !reload::needs_workers(changed) {
            self.metrics.reload(true);
            tracing::info!(?changed, "the configuration was read again");
            return Ok(self);
        }
        tracing::info!(?changed, "the configuration was read again; the workers start anew");
        self.handle.stop();
        match self.handle.wait() {
            Exit::Stopped => {}
            other => return Err(failure(other)),
        }
        self.health.begin_anew();
        let request = Request { accept_loss: self.accept_loss, only: None };
        let mut plan = plan(config, self.schemas, request, Arc::clone(&self.metrics), Arc::clone(&self.health));
        plan.traces = self.exporter.as_ref().map(Exporter::traces);
        let handle = Service::start(plan).map_err(failure)?;
        // Not before: whoever reads it and then asks whether it is ready asks about the new workers.
        self.metrics.reload(true);
        Ok(Running { handle, ..self })
    }

    /// Whether it has ended, or is to.
    fn is_over(&self, stopped: &watch::Receiver<bool>) -> bool {
        self.is_finished() || self.is_refused() || *stopped.borrow()
    }

    /// Where the pages are.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// To look at when it has stopped.
    pub fn metrics_handle(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    /// Whether it has ended by itself.
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }

    /// Whether the registry has said that what is written is not what its ids stand for.
    pub fn is_refused(&self) -> bool {
        self.refused.borrow().is_some()
    }

    /// Finishes what is at hand, commits, leaves the group, and ends the pages last: a probe can see it drain. What the
    /// registry has refused is not finished but left undone.
    pub fn stop(self) -> Result<(), Failure> {
        let refused = self.refused.borrow().clone();
        self.health.draining();
        match &refused {
            Some(_) => self.handle.abandon(),
            None => self.handle.stop(),
        }
        let exit = self.handle.wait();
        if let Some(exporter) = self.exporter {
            self.runtime.block_on(exporter.finish());
        }
        self.runtime.block_on(self.server.stop());
        match (refused, exit) {
            (Some(why), _) => Err(Failure::Usage(why)),
            (None, Exit::Stopped) => Ok(()),
            (None, other) => Err(failure(other)),
        }
    }
}

fn failure(exit: Exit) -> Failure {
    match exit {
        Exit::Misconfigured(why) => Failure::Usage(why),
        Exit::Broken(why) => Failure::Internal(why),
        Exit::Stopped => Failure::Internal("it has stopped by itself".to_owned()),
    }
}

/// What the configuration means for the translator.
fn plan(config: &Config, schemas: SchemaIds, request: Request, metrics: Arc<Metrics>, health: Arc<Health>) -> Plan {
    let (sources, any_source) = sources(config);
    let for_topics = config.clone();
    let Request { accept_loss, only } = request;
    let group = only.as_ref().map_or(&config.kafka.group, |only| &only.group).clone();
    let topics = match &only {
        Some(only) => only.topics(),
        None => config.subscription().into_iter().map(str::to_owned).collect(),
    };
    Plan {
        connection: connection(config),
        group,
        group_protocol: match config.kafka.group_protocol {
            GroupProtocol::Classic => "classic".to_owned(),
            GroupProtocol::Consumer => "consumer".to_owned(),
        },
        topics,
        source_of: Box::new(move |topic| for_topics.source_of(topic)),
        sources,
        any_source,
        outputs: outputs(config),
        schemas,
        exactly_once: config.delivery == Delivery::ExactlyOnce,
        workers: config.workers.count(),
        limits: Limits { records: config.batch.records, bytes: config.batch.bytes, wait: config.batch.wait },
        transaction_timeout: config.transaction_timeout,
        drain: config.drain,
        dead_letters: dead_letter_policy(config),
        accept_loss,
        expected_every: config.sources.iter().map(|source| source.expect_every).collect(),
        stuck_after: config.kafka.stuck_after,
        breaker: BreakerPlan {
            rules: BreakerRules {
                records: config.breaker.records,
                window: config.breaker.window,
                pause: config.breaker.pause,
                longest_pause: config.breaker.longest_pause,
            },
            // A run that is to end must not stand still.
            pauses: config.breaker.pauses && only.is_none(),
        },
        only,
        instance: config.kafka.instance.clone(),
        metrics,
        traces: None,
        health,
    }
}

/// The settings of each source, and those of a topic that belongs to none.
pub fn sources(config: &Config) -> (Vec<SourceSettings>, SourceSettings) {
    let privacy = Arc::new(privacy(config));
    let sources = config.sources.iter().map(|source| source_settings(source, config, &privacy)).collect();
    (sources, any_source(config, &privacy))
}

/// The topics that are written.
pub fn outputs(config: &Config) -> Outputs {
    Outputs::new(config.topics.canonical(), &config.topics.dead_letter_prefix, config.topics.create)
}

/// What dead letters look like.
pub fn dead_letter_policy(config: &Config) -> Policy {
    Policy {
        // Also of a run with `--only`: it does the group's work, and writes what the group would have.
        group: config.kafka.group.clone(),
        drop_headers: config.dlq.drop_headers.clone(),
        sets: HeaderSets { connect: config.dlq.connect, streams: config.dlq.streams, spring: config.dlq.spring },
        seal: config.dlq.seal.clone(),
    }
}

pub fn connection(config: &Config) -> Connection {
    let live = Live::new(config);
    Connection {
        bootstrap_servers: config.kafka.bootstrap_servers.join(","),
        properties: live.at_start(),
        credentials: Some(Arc::new(live)),
    }
}

/// The settings that hold for the records of a raw topic.
pub fn settings_of(topic: &str, config: &Config) -> SourceSettings {
    let privacy = Arc::new(privacy(config));
    let source = config.source_of(topic).and_then(|nth| config.sources.get(nth));
    source.map_or_else(|| any_source(config, &privacy), |source| source_settings(source, config, &privacy))
}

fn privacy(config: &Config) -> Privacy {
    let key = config.privacy.key.as_ref().map_or("", |key| key.expose());
    let classes = config.privacy.classes.iter();
    classes.fold(Privacy::new(key.as_bytes()), |privacy, &(class, treatment)| privacy.with(class, treatment))
}

/// For a topic that belongs to no source.
fn any_source(config: &Config, privacy: &Arc<Privacy>) -> SourceSettings {
    SourceSettings {
        max_body: config.limits.body_bytes,
        max_depth: config.limits.depth,
        privacy: Arc::clone(privacy),
        ..SourceSettings::default()
    }
}

fn source_settings(source: &Source, config: &Config, privacy: &Arc<Privacy>) -> SourceSettings {
    SourceSettings {
        vendor: source.vendor.as_deref().and_then(vendor),
        shop: source.shop.clone(),
        event_type: source.event_type.clone(),
        payload_pointer: source.payload_pointer.clone(),
        time_zone: source.time_zone.as_deref().and_then(time_zone),
        extensions: match source.extensions {
            config::Extensions::Full => Extensions::Full,
            config::Extensions::Drift => Extensions::Drift,
            config::Extensions::Off => Extensions::Off,
        },
        privacy: Arc::clone(privacy),
        max_body: config.limits.body_bytes,
        max_depth: config.limits.depth,
    }
}

#[cfg(test)]
mod tests {
    use super::super::configuration_of;
    use super::*;
    use crate::translate::{Header, Outcome, RawRecord, Translator};
    use serde_json::{Value, json};

    const ORDER: &str = include_str!("../../tests/fixtures/bodies/spree/order.completed.json");
    const SAVED: &str = include_str!("../../tests/fixtures/bodies/bold/order.saved.json");
    const CART: &str =
        r#"{"event_name":"cart.created","object":{"id":7,"note":"x","updated_at":"2026-01-15T10:00:00"}}"#;

    fn plan_of(yaml: &str) -> Plan {
        let config = configuration_of(yaml).expect("a configuration");
        let schemas = SchemaIds { customer: 1, cart: 2, order: 3, product: 4 };
        let build = BuildInfo { version: "test", build: "test".to_owned(), librdkafka: "test".to_owned() };
        let metrics = Arc::new(metrics(&config, &build).expect("metrics"));
        plan(&config, schemas, Request::default(), metrics, Arc::new(Health::new(config.dead_after)))
    }

    /// What becomes of a record of that topic, as a worker does it: key and number of extensions, or code and pointer.
    fn outcome(plan: &Plan, topic: &str, headers: &[(&str, &str)], value: &str) -> Value {
        let place = (plan.source_of)(topic).expect("a source");
        let headers: Vec<Header<'_>> =
            headers.iter().map(|(name, value)| Header { name, value: Some(value.as_bytes()) }).collect();
        let raw = RawRecord {
            topic,
            partition: 0,
            offset: 0,
            timestamp_ms: None,
            key: None,
            value: Some(value.as_bytes()),
            headers: &headers,
        };
        let mut told = Value::Null;
        Translator::new().translate(&raw, &plan.sources[place], &mut |_, outcome| {
            told = match outcome {
                Outcome::Event(translated) => json!([translated.key, translated.event.extensions.is_empty()]),
                Outcome::Ignored(ignored) => json!(ignored.rule.as_str()),
                Outcome::DeadLetter(letter) => json!([letter.code.as_str(), letter.pointer]),
            };
        });
        told
    }

    /// From the file to the outcome: a record is read by the settings of the one source that its topic belongs to.
    #[test]
    fn every_topic_is_read_by_its_sources_settings() {
        let plan = plan_of(
            r#"
sources:
  - {topics: ['^raw\.gate\.[a-z]+$'], payload_pointer: /body}
  - {topics: [raw.gate.eu, raw.gate.us], vendor: spree, shop: west, payload_pointer: /detail/payload}
  - {topics: ['^raw\.bold\.', raw.more], vendor: bold, shop: 'b:1', extensions: off}
  - {topics: [raw.auto], vendor: auto}
  - {topics: [raw.local], vendor: bspk, time_zone: Europe/Zurich}
  - {topics: [raw.nameless], vendor: spree, event_type: order.completed, shop: nameless}
limits: {depth: 8, body_bytes: 100kB}
"#,
        );
        let at_body = format!(r#"{{"body":{ORDER}}}"#);
        let at_detail = json!({"detail": {"payload": ORDER}}).to_string();
        let nameless = ORDER.replacen("\"name\": \"order.completed\"", "\"x\": 1", 1);
        assert_ne!(nameless, ORDER);
        let told = |topic: &str, value: &str| outcome(&plan, topic, &[], value);
        // One pattern, two topics; a third that it matches too is another source's by name.
        assert_eq!(told("raw.gate.asia", &at_body), json!(["spree:default:order:or_m3Rp9wXz", false]));
        assert_eq!(told("raw.gate.africa", &format!(r#"{{"body":{SAVED}}}"#))[1], json!(false));
        assert_eq!(told("raw.gate.eu", &at_detail), json!(["spree:west:order:or_m3Rp9wXz", false]));
        assert_eq!(told("raw.gate.us", &at_detail), json!(["spree:west:order:or_m3Rp9wXz", false]));
        assert_eq!(told("raw.gate.eu", &at_body), json!(["envelope.missing", "/detail/payload"]));
        assert_eq!(told("raw.gate.asia", &at_detail), json!(["envelope.missing", "/body"]));
        // Name and pattern of one source.
        for topic in ["raw.bold.1", "raw.bold.two", "raw.more"] {
            let key = told(topic, SAVED)[0].as_str().expect("a key").to_owned();
            assert!(key.starts_with("bold:b%3A1:order:"), "{key}");
            assert_eq!(told(topic, SAVED)[1], json!(true), "extensions: off");
            assert_eq!(told(topic, ORDER), json!(["envelope.missing", "/data"]), "a fixed vendor is not guessed");
        }
        assert_eq!(outcome(&plan, "raw.more", &[("koine-shop", "said")], SAVED), told("raw.more", SAVED));
        assert_eq!(outcome(&plan, "raw.more", &[("koine-vendor", "spree")], SAVED), json!(["envelope.conflict", ""]));
        // The vendor is told from header or body, record by record.
        assert_eq!(told("raw.auto", ORDER), json!(["spree:default:order:or_m3Rp9wXz", false]));
        assert!(told("raw.auto", SAVED)[0].as_str().is_some_and(|key| key.starts_with("bold:")));
        assert_eq!(told("raw.auto", "{}"), json!(["envelope.unknown_vendor", ""]));
        assert_eq!(
            outcome(&plan, "raw.auto", &[("koine-vendor", "bold")], ORDER),
            json!(["envelope.missing", "/data"])
        );
        assert_eq!(outcome(&plan, "raw.auto", &[("koine-shop", "said")], ORDER)[0], "spree:said:order:or_m3Rp9wXz");
        assert_eq!(told("raw.auto", CART), json!(["time.invalid", "/object/updated_at"]));
        assert_eq!(told("raw.local", CART), json!(["bspk:default:cart:7", false]));
        assert_eq!(told("raw.nameless", &nameless), json!(["spree:nameless:order:or_m3Rp9wXz", false]));
        assert_eq!(told("raw.auto", &nameless), json!(["envelope.unknown_vendor", ""]));
        let other = ORDER.replacen("order.completed", "order.paid", 1);
        assert_eq!(told("raw.nameless", &other), json!(["envelope.conflict", "/name"]));
        // The limits are everybody's.
        let deep = format!(r#"{{"body":{}{}}}"#, "[".repeat(8), "]".repeat(8));
        assert_eq!(told("raw.gate.asia", &deep), json!(["json.depth", ""]));
        assert_eq!(told("raw.local", &format!("\"{}\"", "x".repeat(100_000))), json!(["body.too_large", ""]));
        assert_eq!((plan.source_of)("raw.gate.2"), None);
        assert_eq!(plan.topics.len(), 8, "all of them are subscribed to: {:?}", plan.topics);
    }
}
