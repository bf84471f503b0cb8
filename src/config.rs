//! What can be set, once: a YAML file, over it environment variables, under it defaults, all from one table
//! ([`settings::SETTINGS`]). Every mistake is reported at once, with its path and line. Knows neither vendors (their
//! names are passed in), nor rdkafka, nor what the settings are used for; never shows a secret.

mod pattern;
mod read;
pub mod settings;
mod yaml;

pub use pattern::TopicPattern;
pub use yaml::Place;

use crate::canonical::{PiiClass, Treatment};
use crate::pointer::Pointer;
use crate::seal::PublicKey;
use read::{Reader, Step, not_one_of};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use yaml::{Content, Node};

/// Everything the process can be told.
#[derive(Debug, Clone)]
pub struct Config {
    pub kafka: Kafka,
    pub registry: RegistrySettings,
    /// Never empty. Which one a topic belongs to: [`Config::source_of`].
    pub sources: Vec<Source>,
    pub topics: Topics,
    pub delivery: Delivery,
    pub workers: Workers,
    pub batch: Batch,
    pub breaker: Breaker,
    pub limits: Limits,
    pub dlq: DeadLetters,
    pub privacy: Privacy,
    /// Address of the metrics and probes; port 0 takes a free one.
    pub http_listen: SocketAddr,
    /// How old the heartbeat of a poll loop may be.
    pub dead_after: Duration,
    /// Whether metrics also have the names that OpenTelemetry has for messaging.
    pub messaging_metrics: bool,
    /// Where spans of records go, if anywhere.
    pub traces: Option<TraceSettings>,
    pub log: Log,
    /// Time to finish the batch at hand after a signal.
    pub drain: Duration,
    /// `transaction.timeout.ms`.
    pub transaction_timeout: Duration,
    effective: Node,
}

/// The brokers.
#[derive(Debug, Clone)]
pub struct Kafka {
    /// `host:port` each; empty where the command needs no broker and none is set.
    pub bootstrap_servers: Vec<String>,
    pub group: String,
    /// A name that no other process of the group has while this one lives.
    pub instance: Option<String>,
    pub group_protocol: GroupProtocol,
    /// How long a partition with records to come may stand still before it is looked into.
    pub stuck_after: Duration,
    /// Tokens for SASL/OAUTHBEARER.
    pub oauth: Option<OauthSettings>,
    /// librdkafka's properties in the order they were given; none that koine owns. Values may be secrets.
    pub properties: Vec<(String, Secret)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupProtocol {
    Classic,
    /// KIP-848.
    Consumer,
}

/// How to reach the schema registry.
#[derive(Debug, Clone)]
pub struct RegistrySettings {
    /// `http://…` or `https://…`; `None` where the command needs no registry and none is set.
    pub url: Option<String>,
    pub auth: RegistryAuth,
    pub tls: TlsFiles,
    /// Limit of one request.
    pub timeout: Duration,
    /// Between two attempts.
    pub longest_pause: Duration,
    /// Schemas and their ids, for when it is away.
    pub bundle: Option<PathBuf>,
    /// How often the ids in use are compared with the registry's.
    pub check_every: Duration,
}

/// PEM files of one connection over TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificates to trust besides the system's.
    pub ca: Option<PathBuf>,
    /// This client's own certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

#[derive(Debug, Clone)]
pub enum RegistryAuth {
    None,
    Basic { username: String, password: Secret },
    Bearer(Secret),
    Oauth(OauthSettings),
}

/// Where tokens come from: OIDC client credentials.
#[derive(Debug, Clone)]
pub struct OauthSettings {
    /// The section, for messages: `kafka.oauth`.
    pub section: &'static str,
    pub token_url: String,
    pub client_id: String,
    pub client_secret: Secret,
    pub scope: Option<String>,
    /// PEM certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
}

/// Raw topics and what is known about them beforehand.
#[derive(Debug, Clone)]
pub struct Source {
    pub topics: Vec<TopicPattern>,
    /// `None`: told from header or body, record by record.
    pub vendor: Option<String>,
    pub shop: Option<String>,
    pub event_type: Option<String>,
    /// Where in the value the webhook lies, if it is in a gateway's envelope.
    pub payload_pointer: Option<Pointer>,
    /// An IANA time zone that exists.
    pub time_zone: Option<String>,
    pub extensions: Extensions,
    /// How long it may be silent, if that is known.
    pub expect_every: Option<Duration>,
}

/// What becomes of fields that have no canonical place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extensions {
    Full,
    /// Only what no page documents.
    Drift,
    Off,
}

/// The topics koine writes, prefix included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    pub customer: String,
    pub cart: String,
    pub order: String,
    pub product: String,
    pub dead_letter_prefix: String,
    pub create: bool,
}

impl Topics {
    /// The four canonical names, in the order customer, cart, order, product.
    pub fn canonical(&self) -> [&str; 4] {
        [&self.customer, &self.cart, &self.order, &self.product]
    }

    /// The dead-letter topic of a raw topic.
    pub fn dead_letter(&self, raw: &str) -> String {
        format!("{}{raw}", self.dead_letter_prefix)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    ExactlyOnce,
    AtLeastOnce,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workers {
    /// One for each core.
    Auto,
    Fixed(usize),
}

impl Workers {
    /// How many that are on this machine; at least 1.
    pub fn count(self) -> usize {
        match self {
            Workers::Fixed(count) => count.max(1),
            Workers::Auto => std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// When a batch is full: whichever comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    pub records: usize,
    /// Of raw values.
    pub bytes: usize,
    /// Since the batch's first record.
    pub wait: Duration,
}

/// When a partition is left alone because most of what comes from it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// Whether it is not read then; else it is only said.
    pub pauses: bool,
    pub records: u64,
    pub window: Duration,
    pub pause: Duration,
    pub longest_pause: Duration,
}

/// What is too much for one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub body_bytes: usize,
    pub depth: usize,
}

/// What dead letters look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetters {
    /// Raw headers left out, as written in the configuration.
    pub drop_headers: Vec<String>,
    /// Also those of Kafka Connect.
    pub connect: bool,
    /// Also those of Kafka Streams.
    pub streams: bool,
    /// Also those of Spring Kafka.
    pub spring: bool,
    /// Whoever has the private key to this one may read the values.
    pub seal: Option<PublicKey>,
}

/// What is done with personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privacy {
    pub classes: Vec<(PiiClass, Treatment)>,
    /// Of the hashes. There is one where a class is hashed.
    pub key: Option<Secret>,
}

/// Spans of records, for a collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceSettings {
    /// `http://…` or `https://…`, with its path.
    pub endpoint: String,
    /// One in so many records has a span.
    pub one_in: u64,
    pub tls: TlsFiles,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    pub format: LogFormat,
    /// A level or directives; readable by [`crate::telemetry::init`].
    pub level: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// A text nobody sees: `Debug` and [`Config::to_yaml`] show `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    text: String,
    file: Option<PathBuf>,
}

impl Secret {
    const MASK: &str = "***";

    pub fn text(text: impl Into<String>) -> Secret {
        Secret { text: text.into(), file: None }
    }

    /// The content of a file, without the line break at its end. The error is a sentence without the content.
    fn file(path: PathBuf) -> Result<Secret, String> {
        let text =
            std::fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let text = text.trim_end_matches(['\r', '\n']).to_owned();
        if text.is_empty() {
            return Err(format!("{} is empty", path.display()));
        }
        Ok(Secret { text, file: Some(path) })
    }

    /// The secret as it was at start.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The secret as it is now: one from a file is read again, since tokens are rotated there; while the file cannot be
    /// read, the last one known.
    pub fn current(&self) -> Cow<'_, str> {
        match self.file.clone().map(Secret::file) {
            Some(Ok(secret)) => Cow::Owned(secret.text),
            _ => Cow::Borrowed(&self.text),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Secret::MASK)
    }
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The setting, `sources[0].vendor`; or the variable; empty for the file as a whole.
    pub path: String,
    pub place: Option<Place>,
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.place, self.path.as_str()) {
            (None | Some(Place::Default), "") => f.write_str(&self.message),
            (Some(place), "") => write!(f, "{place}: {}", self.message),
            (None | Some(Place::Default), path) => write!(f, "{path}: {}", self.message),
            (Some(place), path) => write!(f, "{path} ({place}): {}", self.message),
        }
    }
}

/// Every mistake there is, one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if place > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// What the configuration is checked against and cannot know by itself.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The vendors' names; each gets a default source.
    pub vendors: &'a [&'a str],
    /// The librdkafka at hand, such as `2.12.1`.
    pub librdkafka: &'a str,
    /// Whether an IANA time zone exists.
    pub time_zone: fn(&str) -> bool,
    /// Settings without which this command cannot work, such as `kafka.bootstrap_servers`, `registry.url`.
    pub required: &'a [&'a str],
}

impl Config {
    /// Reads the file (none: defaults and variables only) and the variables `KOINE__…`. All mistakes at once.
    pub fn load(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
        context: &Context<'_>,
    ) -> Result<Config, ConfigErrors> {
        let text = match file.map(|file| (file, std::fs::read_to_string(file))) {
            None => String::new(),
            Some((_, Ok(text))) => text,
            Some((file, Err(error))) => {
                let message = format!("cannot read {}: {error}", file.display());
                return Err(ConfigErrors(vec![ConfigError { path: String::new(), place: None, message }]));
            }
        };
        Config::parse(&text, variables, context)
    }

    /// [`Config::load`] for text that is already there.
    pub fn parse(
        text: &str,
        variables: impl IntoIterator<Item = (String, String)>,
        context: &Context<'_>,
    ) -> Result<Config, ConfigErrors> {
        let mut errors = Vec::new();
        let mut root = yaml::parse(text).unwrap_or_else(|error| {
            let place = (error.line > 0).then_some(Place::Line(error.line));
            errors.push(ConfigError { path: String::new(), place, message: format!("no YAML: {}", error.message) });
            Node::map(Place::Default)
        });
        if !matches!(root.content, Content::Map(_)) {
            let message = format!("is {}, should be a section: `kafka:`, `registry:` …", root.what());
            errors.push(ConfigError { path: "the file".to_owned(), place: None, message });
            root = Node::map(Place::Default);
        }
        // With an unreadable file, whatever is missing is not missing but unread.
        if !errors.is_empty() {
            return Err(ConfigErrors(errors));
        }
        read::overlay(&mut root, variables, &mut errors);
        default_sources(&mut root, context.vendors);
        read::unknown_keys(&root, &mut errors);
        let mut read = Reader::new(&root, errors);
        let config = read_all(&mut read, context);
        let (mut errors, effective) = (read.errors, read.effective);
        let line = |error: &ConfigError| match error.place {
            Some(Place::Line(line)) => line,
            _ => usize::MAX,
        };
        errors.sort_by_key(line);
        errors.dedup();
        match (config, errors.is_empty()) {
            (Some(config), true) => Ok(Config { effective, ..config }),
            _ => Err(ConfigErrors(errors)),
        }
    }

    /// What is in effect, every setting with its value, as YAML; secrets are `***`.
    pub fn to_yaml(&self) -> String {
        yaml::write(&self.effective)
    }

    /// The settings that have another value in `other`, in the order of their names. Secrets look alike.
    pub fn differences(&self, other: &Config) -> Vec<String> {
        let [ours, theirs] = [self, other].map(|config| {
            let mut values = BTreeMap::new();
            leaves(&config.effective, String::new(), &mut values);
            values
        });
        let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        names.into_iter().filter(|name| ours.get(*name) != theirs.get(*name)).cloned().collect()
    }

    /// The same, with all that is fixed for a process's life as it is in `before`.
    pub fn with_fixed_of(self, before: &Config) -> Config {
        Config {
            registry: before.registry.clone(),
            topics: before.topics.clone(),
            http_listen: before.http_listen,
            dead_after: before.dead_after,
            messaging_metrics: before.messaging_metrics,
            traces: before.traces.clone(),
            log: Log { format: before.log.format, level: self.log.level },
            ..self
        }
    }

    /// The source a topic belongs to: the one that names it, else the first with a pattern that matches.
    pub fn source_of(&self, topic: &str) -> Option<usize> {
        let named = |source: &Source| source.topics.iter().any(|entry| !entry.is_pattern() && entry.matches(topic));
        let matched = |source: &Source| source.topics.iter().any(|entry| entry.matches(topic));
        self.sources.iter().position(named).or_else(|| self.sources.iter().position(matched))
    }

    /// Every name and pattern of every source, for `subscribe`.
    pub fn subscription(&self) -> Vec<&str> {
        self.sources.iter().flat_map(|source| source.topics.iter().map(TopicPattern::as_str)).collect()
    }
}

/// Every value by its setting's name; elements of lists by their number.
fn leaves(node: &Node, path: String, out: &mut BTreeMap<String, String>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match &node.content {
        Content::Map(entries) => entries.iter().for_each(|entry| leaves(&entry.value, below(&entry.key), out)),
        Content::List(items) => {
            items.iter().enumerate().for_each(|(nth, item)| leaves(item, format!("{path}[{nth}]"), out));
        }
        Content::Text(text) => drop(out.insert(path, text.clone())),
        Content::Null => {}
    }
}

/// Reads every setting in the order of the table. `None` only where there are errors.
fn read_all(read: &mut Reader<'_>, context: &Context<'_>) -> Option<Config> {
    for section in settings::SETTINGS.iter().filter(|setting| setting.kind == settings::Kind::Section) {
        if let Some(node) = read.given(section.key).filter(|node| !matches!(node.content, Content::Map(_))) {
            read.wrong(section.key, format!("is {}, should be a section", node.what()));
        }
    }
    let kafka = kafka(read, context);
    let registry = registry(read);
    let sources = sources(read, context);
    let topics = topics(read);
    check_loops(read, &sources, &topics);
    let delivery = [Delivery::ExactlyOnce, Delivery::AtLeastOnce].get(read.word("delivery")).copied()?;
    let workers = match read.number("workers") {
        Some(count) => Workers::Fixed(usize::try_from(count).ok()?),
        None => Workers::Auto,
    };
    let batch = Batch {
        records: whole(read, "batch.records"),
        bytes: whole(read, "batch.bytes"),
        wait: Duration::from_millis(read.number("batch.wait").unwrap_or_default()),
    };
    let breaker = breaker(read);
    let limits = Limits { body_bytes: whole(read, "limits.body_bytes"), depth: whole(read, "limits.depth") };
    let dlq = dead_letters(read);
    let privacy = privacy(read);
    let http_listen = read.checked("http.listen", |text| {
        text.parse::<SocketAddr>().map_err(|_| "should be an address and a port, such as 0.0.0.0:9464".to_owned())
    });
    let dead_after = Duration::from_millis(read.number("http.dead_after").unwrap_or_default());
    let messaging_metrics = read.flag("metrics.messaging_names");
    let traces = traces(read);
    let format = [LogFormat::Text, LogFormat::Json].get(read.word("log.format")).copied()?;
    let level = read.checked("log.level", |text| crate::telemetry::check_level(text).map(|()| text.to_owned()));
    let drain = Duration::from_millis(read.number("shutdown.drain").unwrap_or_default());
    let transaction_timeout = Duration::from_millis(read.number("transaction.timeout").unwrap_or_default());
    if delivery == Delivery::ExactlyOnce && batch.wait * 2 > transaction_timeout {
        read.wrong(
            "batch.wait",
            "should be well below transaction.timeout, or transactions end before their batch does",
        );
    }
    for &path in context.required {
        let missing = read.given(path).is_none_or(|node| node.content == Content::Text(String::new()));
        if missing && !read.errors.iter().any(|error| error.path == path) {
            read.wrong(path, format!("is not set (in the file, or as {})", settings::variable(path)));
        }
    }
    Some(Config {
        kafka,
        registry,
        sources,
        topics,
        delivery,
        workers,
        batch,
        breaker,
        limits,
        dlq,
        privacy,
        http_listen: http_listen?,
        dead_after,
        messaging_metrics,
        traces,
        log: Log { format, level: level? },
        drain,
        transaction_timeout,
        effective: Node::map(Place::Default),
    })
}

fn traces(read: &mut Reader<'_>) -> Option<TraceSettings> {
    let endpoint = read.checked("traces.endpoint", |text| match text.split_once("://") {
        Some(("http" | "https", rest)) if !rest.is_empty() => Ok(text.to_owned()),
        _ => Err("should be http://… or https://…, such as http://collector:4318/v1/traces".to_owned()),
    });
    let one_in = read.number("traces.one_in").unwrap_or(1);
    let tls = TlsFiles { ca: read.file("traces.ca_file"), identity: None };
    endpoint.map(|endpoint| TraceSettings { endpoint, one_in, tls })
}

fn whole(read: &mut Reader<'_>, path: &str) -> usize {
    read.number(path).and_then(|number| usize::try_from(number).ok()).unwrap_or(usize::MAX)
}

fn kafka(read: &mut Reader<'_>, context: &Context<'_>) -> Kafka {
    let mut bootstrap_servers = Vec::new();
    for (path, server) in read.texts("kafka.bootstrap_servers") {
        let port = server.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port.parse::<u16>());
        match port {
            Some(Ok(_)) => bootstrap_servers.push(server),
            _ => read.wrong(&path, format!("`{server}` should be host:port")),
        }
    }
    let group = read.text("kafka.group").unwrap_or_default();
    let instance = read.text("kafka.instance");
    let group_protocol = match read.word("kafka.group_protocol") {
        1 => GroupProtocol::Consumer,
        _ => GroupProtocol::Classic,
    };
    if group_protocol == GroupProtocol::Consumer && version(context.librdkafka) < Some([2, 15, 0]) {
        let reason = "`consumer` needs librdkafka 2.15.0 or newer: before, a member over max.poll.interval.ms is expelled for good (librdkafka 5541)";
        read.wrong("kafka.group_protocol", format!("{reason}; this is {}", context.librdkafka));
    }
    let oauth = oauth(read, "kafka.oauth");
    let properties = properties(read);
    if oauth.is_some() {
        check_oauth_properties(read, &properties);
    }
    let stuck_after = Duration::from_millis(read.number("kafka.stuck_after").unwrap_or_default());
    Kafka { bootstrap_servers, group, instance, group_protocol, stuck_after, oauth, properties }
}

/// Tokens are for OAUTHBEARER and nothing else.
fn check_oauth_properties(read: &mut Reader<'_>, properties: &[(String, Secret)]) {
    for (name, value) in properties {
        let wanted: &[&str] = match name.as_str() {
            "sasl.mechanism" | "sasl.mechanisms" => &["OAUTHBEARER"],
            "security.protocol" => &["SASL_SSL", "SASL_PLAINTEXT"],
            "sasl.username" | "sasl.password" => &[],
            _ => continue,
        };
        if !wanted.iter().any(|word| value.expose().eq_ignore_ascii_case(word)) {
            let instead = if wanted.is_empty() {
                "is of no use".to_owned()
            } else {
                format!("should be {}", wanted.join(" or "))
            };
            let path = format!("kafka.properties.{name}");
            read.errors.push(ConfigError { path, place: None, message: format!("{instead} where kafka.oauth is set") });
        }
    }
}

/// A section of client credentials; `None` where nothing of it is set, or something is wrong.
fn oauth(read: &mut Reader<'_>, section: &'static str) -> Option<OauthSettings> {
    let path = |name: &str| format!("{section}.{name}");
    let token_url = read.checked(&path("token_url"), address);
    let client_id = read.text(&path("client_id"));
    let client_secret = read.secret(&path("client_secret"));
    let scope = read.text(&path("scope"));
    let ca_file = read.file(&path("ca_file"));
    let is_given = |read: &Reader<'_>, name: &str| read.given(&path(name)).is_some();
    let names = ["token_url", "client_id", "client_secret", "client_secret_file", "scope", "ca_file"];
    if !names.iter().any(|name| is_given(read, name)) {
        return None;
    }
    for name in ["token_url", "client_id", "client_secret"] {
        if !is_given(read, name) && !is_given(read, &format!("{name}_file")) {
            read.wrong(section, format!("has no {name}: `token_url`, `client_id` and `client_secret` belong together"));
        }
    }
    Some(OauthSettings {
        section,
        token_url: token_url?,
        client_id: client_id?,
        client_secret: client_secret?,
        scope,
        ca_file,
    })
}

/// An address with no user in it: it is shown wherever the configuration is.
fn address(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let host = rest.map(|rest| rest.split('/').next().unwrap_or_default());
    match host {
        None | Some("") => Err("should begin with http:// or https:// and name a host".to_owned()),
        Some(host) if host.contains('@') => {
            Err("names a user, which would be shown wherever the address is".to_owned())
        }
        Some(_) => Ok(text.trim_end_matches('/').to_owned()),
    }
}

fn dead_letters(read: &mut Reader<'_>) -> DeadLetters {
    const SETS: [&str; 3] = ["connect", "streams", "spring"];
    let drop_headers = read.texts("dlq.drop_headers").into_iter().map(|(_, header)| header).collect();
    let sets = read.texts("dlq.headers");
    for (path, set) in sets.iter().filter(|(_, set)| !SETS.contains(&set.as_str())) {
        read.wrong(path, not_one_of(set, SETS.into_iter()));
    }
    let has = |name: &str| sets.iter().any(|(_, set)| set == name);
    let (connect, streams, spring) = (has("connect"), has("streams"), has("spring"));
    DeadLetters { drop_headers, connect, streams, spring, seal: seal(read) }
}

fn seal(read: &mut Reader<'_>) -> Option<PublicKey> {
    let text = read.checked("dlq.seal.public_key", PublicKey::parse);
    let file = read.checked("dlq.seal.public_key_file", |path| {
        let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?;
        PublicKey::parse(&text).map_err(|error| format!("{path} {error}"))
    });
    if text.is_some() && file.is_some() {
        read.wrong("dlq.seal.public_key_file", "and dlq.seal.public_key are both set");
    }
    text.or(file)
}

fn privacy(read: &mut Reader<'_>) -> Privacy {
    let treatments = [Treatment::Pass, Treatment::Hash, Treatment::Drop];
    let mut classes = Vec::new();
    for class in PiiClass::ALL {
        let treatment = treatments.get(read.word(&format!("privacy.{}", class.as_str())));
        classes.extend(treatment.map(|treatment| (class, *treatment)));
    }
    let key = read.secret("privacy.key");
    let is_given = key.is_some() || ["privacy.key", "privacy.key_file"].iter().any(|path| read.given(path).is_some());
    for (class, _) in classes.iter().filter(|(_, treatment)| *treatment == Treatment::Hash && !is_given) {
        let why = "is hash, and there is no privacy.key or privacy.key_file: without a key anybody could try texts out";
        read.wrong(&format!("privacy.{}", class.as_str()), why);
    }
    Privacy { classes, key }
}

/// `2.12.1` or `v2.15.0-RC1` as numbers; `None` where it cannot be read, which counts as too old.
fn version(text: &str) -> Option<[u32; 3]> {
    let text = text.trim_start_matches('v');
    let mut parts = text.split(['.', '-', '+']).map(|part| part.parse::<u32>().ok());
    Some([parts.next()??, parts.next()??, parts.next()??])
}

fn properties(read: &mut Reader<'_>) -> Vec<(String, Secret)> {
    const PATH: &str = "kafka.properties";
    let mut out: Vec<(String, Secret)> = Vec::new();
    read.note(PATH, Content::Map(Vec::new()));
    let Some(node) = read.given(PATH) else { return out };
    let Content::Map(entries) = &node.content else {
        read.wrong(PATH, format!("is {}, should be a map of texts", node.what()));
        return out;
    };
    for entry in entries {
        let key = entry.key.as_str();
        let mut wrong = |message: String| {
            let place = Some(entry.place.clone());
            read.errors.push(ConfigError { path: format!("{PATH}.{key}"), place, message });
        };
        let text = match &entry.value.content {
            Content::Text(text) => text.clone(),
            Content::Null => continue,
            _ => {
                wrong(format!("is {}, should be a text", entry.value.what()));
                continue;
            }
        };
        let by_file = key.strip_suffix("_file").filter(|stem| settings::is_secret_property(stem));
        let name = by_file.unwrap_or(key);
        if let Some((_, reason)) = settings::OWNED.iter().find(|(owned, _)| *owned == name) {
            wrong(format!("belongs to koine: {reason}"));
            continue;
        }
        if name.ends_with("_cb") {
            wrong("belongs to koine: it is a pointer inside the program".to_owned());
            continue;
        }
        if out.iter().any(|(other, _)| other == name) {
            wrong("is set twice, as text and as file".to_owned());
            continue;
        }
        let shown = if by_file.is_none() && settings::is_secret_property(name) { Secret::MASK } else { text.as_str() };
        let shown = Content::Text(shown.to_owned());
        let secret = match by_file {
            None => Ok(Secret::text(text.clone())),
            Some(_) => Secret::file(PathBuf::from(&text)),
        };
        match secret {
            Ok(secret) => out.push((name.to_owned(), secret)),
            Err(message) => wrong(message),
        }
        let path = ["kafka", "properties", key].map(|step| Step::Key(step.to_owned()));
        read.note_steps(&path, shown);
    }
    out
}

fn registry(read: &mut Reader<'_>) -> RegistrySettings {
    let url = read.checked("registry.url", |text| {
        address(text).map_err(|message| match message.starts_with("names a user") {
            true => format!("{message}: put user and password into registry.username and registry.password"),
            false => message,
        })
    });
    let username = read.text("registry.username");
    let password = read.secret("registry.password");
    let token = read.secret("registry.bearer_token");
    let oauth = oauth(read, "registry.oauth");
    if oauth.is_some() && (username.is_some() || token.is_some()) {
        read.wrong("registry.oauth", "and another way to authenticate are both set: one is due");
    }
    let auth = match (username, password, token) {
        (None, None, None) => RegistryAuth::None,
        (None, None, Some(token)) => RegistryAuth::Bearer(token),
        (Some(username), Some(password), None) => RegistryAuth::Basic { username, password },
        (Some(_), None, None) => {
            // A password file that cannot be read has been reported already.
            if read.given("registry.password_file").is_none() && read.given("registry.password").is_none() {
                read.wrong("registry.username", "has no registry.password or registry.password_file beside it");
            }
            RegistryAuth::None
        }
        (None, Some(_), None) => {
            read.wrong("registry.password", "has no registry.username beside it");
            RegistryAuth::None
        }
        (_, _, Some(_)) => {
            read.wrong("registry.bearer_token", "and registry.username are both set: one way to authenticate is due");
            RegistryAuth::None
        }
    };
    let auth = oauth.map_or(auth, RegistryAuth::Oauth);
    let tls = tls(read);
    let timeout = Duration::from_millis(read.number("registry.timeout").unwrap_or_default());
    let longest_pause = Duration::from_millis(read.number("registry.longest_pause").unwrap_or_default());
    let bundle = read.file("registry.bundle");
    let check_every = Duration::from_millis(read.number("registry.check_every").unwrap_or_default());
    RegistrySettings { url, auth, tls, timeout, longest_pause, bundle, check_every }
}

fn tls(read: &mut Reader<'_>) -> TlsFiles {
    let ca = read.file("registry.ca_file");
    let (cert, key) = (read.file("registry.cert_file"), read.file("registry.key_file"));
    for (here, other) in [("registry.cert_file", "registry.key_file"), ("registry.key_file", "registry.cert_file")] {
        if read.given(here).is_some() && read.given(other).is_none() {
            read.wrong(here, format!("has no {other} beside it"));
        }
    }
    TlsFiles { ca, identity: cert.zip(key) }
}

/// Where nobody said what to read: `raw.<vendor>`, with the common prefix, for each vendor.
fn default_sources(root: &mut Node, vendors: &[&str]) {
    let given = root.get("sources").is_some_and(|node| node.content != Content::Null);
    let Content::Map(entries) = &mut root.content else { return };
    if given {
        return;
    }
    let prefix = entries.iter().find(|entry| entry.key == "topics").and_then(|entry| entry.value.get("prefix"));
    let prefix = match prefix.map(|node| &node.content) {
        Some(Content::Text(prefix)) => prefix.clone(),
        _ => String::new(),
    };
    let place = || Place::Default;
    let text = |key: &str, text: String| yaml::Entry {
        key: key.to_owned(),
        place: Place::Default,
        value: Node::text(Place::Default, text),
    };
    let source = |vendor: &&str| {
        let settings = vec![text("topics", format!("{prefix}raw.{vendor}")), text("vendor", (*vendor).to_owned())];
        Node { place: place(), content: Content::Map(settings) }
    };
    let value = Node { place: place(), content: Content::List(vendors.iter().map(source).collect()) };
    entries.retain(|entry| entry.key != "sources");
    entries.push(yaml::Entry { key: "sources".to_owned(), place: place(), value });
}

fn sources(read: &mut Reader<'_>, context: &Context<'_>) -> Vec<Source> {
    let mut out = Vec::new();
    let items = match read.given("sources").map(|node| (&node.content, node.what())) {
        None => 0,
        Some((Content::List(items), _)) if items.is_empty() => {
            read.wrong("sources", "is empty: nothing would be read");
            return out;
        }
        Some((Content::List(items), _)) => items.len(),
        Some((_, what)) => {
            read.wrong("sources", format!("is {what}, should be a list: `- topics: […]`"));
            return out;
        }
    };
    for index in 0..items {
        out.extend(source(read, context, &format!("sources[{index}]")));
    }
    out
}

fn source(read: &mut Reader<'_>, context: &Context<'_>, path: &str) -> Option<Source> {
    if let Some(node) = read.given(path).filter(|node| !matches!(node.content, Content::Map(_))) {
        read.wrong(path, format!("is {}, should be a section: `topics: […]`", node.what()));
        return None;
    }
    let mut topics = Vec::new();
    let texts = read.texts(&format!("{path}.topics"));
    if texts.is_empty() {
        read.wrong(path, "names no topics");
    }
    for (place, text) in texts {
        match TopicPattern::parse(&text) {
            Ok(pattern) => topics.push(pattern),
            Err(message) => read.wrong(&place, format!("`{text}`: {message}")),
        }
    }
    let vendor = read.checked(&format!("{path}.vendor"), |text| match text {
        "auto" => Ok(None),
        _ if context.vendors.contains(&text) => Ok(Some(text.to_owned())),
        _ => Err(not_one_of(text, std::iter::once("auto").chain(context.vendors.iter().copied()))),
    });
    let shop = read.text(&format!("{path}.shop"));
    let event_type = read.text(&format!("{path}.event_type"));
    let payload_pointer = read.checked(&format!("{path}.payload_pointer"), Pointer::parse);
    let time_zone = read.checked(&format!("{path}.time_zone"), |text| match (context.time_zone)(text) {
        true => Ok(text.to_owned()),
        false => Err(format!("`{text}` is no IANA time zone, such as Europe/Zurich")),
    });
    let extensions = [Extensions::Full, Extensions::Drift, Extensions::Off];
    let extensions = extensions.get(read.word(&format!("{path}.extensions"))).copied()?;
    let expect_every = read.number(&format!("{path}.expect_every")).map(Duration::from_millis);
    let vendor = vendor.flatten();
    Some(Source { topics, vendor, shop, event_type, payload_pointer, time_zone, extensions, expect_every })
}

fn topics(read: &mut Reader<'_>) -> Topics {
    let prefix = read.text("topics.prefix").unwrap_or_default();
    let mut names: Vec<String> = Vec::new();
    for path in ["topics.customer", "topics.cart", "topics.order", "topics.product"] {
        let Some(name) = read.text(path) else { continue };
        let name = format!("{prefix}{name}");
        match pattern::check_topic(&name) {
            Ok(()) if names.contains(&name) => read.wrong(path, format!("`{name}` is another entity's topic already")),
            Ok(()) => {}
            Err(message) => read.wrong(path, format!("`{name}`: {message}")),
        }
        names.push(name);
    }
    let dead_letter_prefix = read.checked("topics.dead_letter_prefix", |text| {
        pattern::check_topic(text).map(|()| text.to_owned()).map_err(|message| format!("`{text}`: {message}"))
    });
    let create = read.flag("topics.create");
    let mut names = names.into_iter();
    let mut next = || names.next().unwrap_or_default();
    Topics {
        customer: next(),
        cart: next(),
        order: next(),
        product: next(),
        dead_letter_prefix: dead_letter_prefix.unwrap_or_default(),
        create,
    }
}

fn breaker(read: &mut Reader<'_>) -> Breaker {
    let time = |read: &mut Reader<'_>, key| Duration::from_millis(read.number(key).unwrap_or_default());
    let breaker = Breaker {
        pauses: read.word("breaker") == 0,
        records: read.number("breaker_limits.records").unwrap_or_default(),
        window: time(read, "breaker_limits.window"),
        pause: time(read, "breaker_limits.pause"),
        longest_pause: time(read, "breaker_limits.longest_pause"),
    };
    if breaker.longest_pause < breaker.pause {
        read.wrong("breaker_limits.longest_pause", "is shorter than breaker_limits.pause");
    }
    breaker
}

/// A subscription that matches one of our own outputs would feed on itself.
fn check_loops(read: &mut Reader<'_>, sources: &[Source], topics: &Topics) {
    let all = || sources.iter().flat_map(|source| &source.topics);
    let mut seen: Vec<&str> = Vec::new();
    let mut wrong: Vec<(String, String)> = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        for (place, entry) in source.topics.iter().enumerate() {
            let text = entry.as_str();
            let path = || match read.given(&format!("sources[{index}].topics[{place}]")) {
                Some(_) => format!("sources[{index}].topics[{place}]"),
                None => format!("sources[{index}].topics"),
            };
            if seen.contains(&text) {
                wrong.push((path(), format!("`{text}` stands in the sources twice")));
            }
            seen.push(text);
            let canonical = topics.canonical().into_iter().find(|topic| entry.matches(topic));
            if let Some(topic) = canonical {
                wrong.push((
                    path(),
                    format!("`{text}` matches `{topic}`, which koine writes: it would read its own output"),
                ));
            }
            if topics.dead_letter_prefix.is_empty() {
                continue;
            }
            let own = text.strip_prefix(topics.dead_letter_prefix.as_str());
            let dead_letters = match own {
                Some(raw) if !entry.is_pattern() => all().any(|other| other.matches(raw)),
                _ => entry.could_match_after(&topics.dead_letter_prefix),
            };
            if dead_letters {
                let prefix = &topics.dead_letter_prefix;
                wrong.push((path(), format!("`{text}` can match dead-letter topics (`{prefix}…`), which koine writes: it would read its own output")));
            }
        }
    }
    for (path, message) in wrong {
        read.wrong(&path, message);
    }
}

#[cfg(test)]
mod tests;
