//! `koine doctor`: what is wrong with brokers, topics, rights, registry and clock, each finding with its cure, on standard
//! output. Asks, and changes nothing.

use super::run::{connection, outputs};
use super::schemas::{LEVEL, runtime};
use super::{Failure, Format, configuration};
use crate::canonical::{EntityKind, Micros};
use crate::config::{Config, Delivery};
use crate::doctor::{self, Check, Facts, Finding, Intent, Severity, TRANSACTION_STATE, Wanted};
use crate::kafka::{self, NewOne, ProducerSettings, Topic, Topics, Trouble};
use crate::registry::{ErrorKind, Registry, RegistryError, Wanted as Schema};
use crate::schemas;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(clap::Args)]
pub struct Arguments {
    /// The configuration file; without it, defaults and the environment's KOINE__… only
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Lines for people, or one JSON document
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// What was found, and what was seen to be right.
#[derive(Default)]
struct Visit {
    findings: Vec<Finding>,
    /// Place and what is there.
    good: Vec<(String, String)>,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let config = configuration(arguments.config.as_deref(), &["kafka.bootstrap_servers", "registry.url"])?;
    connection(&config).check().map_err(|error| Failure::Usage(format!("kafka.properties: {error}")))?;
    let registry = Registry::new(&config.registry).map_err(Failure::Usage)?;
    let runtime = runtime()?;
    let file = arguments.config.map_or_else(|| "FILE".to_owned(), |file| file.display().to_string());
    let intent = intent(&config, file);
    let mut visit = Visit::default();
    visit.brokers(&config, &intent);
    runtime.block_on(visit.registry(&config, &intent, &registry));
    // What must not be first; each kind in the order in which it was looked for.
    visit.findings.sort_by_key(|finding| finding.check.severity());
    match arguments.format {
        Format::Text => print!("{}", text(&visit)),
        Format::Json => println!("{}", json_of(&visit)),
    }
    match visit.findings.iter().filter(|finding| finding.check.severity() == Severity::Wrong).count() {
        0 => Ok(()),
        1 => Err(Failure::Found("1 thing is wrong".to_owned())),
        wrong => Err(Failure::Found(format!("{wrong} things are wrong"))),
    }
}

fn intent(config: &Config, file: String) -> Intent {
    let user = config.kafka.properties.iter().find(|(name, _)| name == "sasl.username");
    let entries = config.sources.iter().flat_map(|source| &source.topics);
    Intent {
        brokers: config.kafka.bootstrap_servers.join(","),
        config: file,
        user: user.map_or_else(|| "USER".to_owned(), |(_, name)| name.expose().to_owned()),
        group: config.kafka.group.clone(),
        wanted: entries
            .map(|entry| Wanted { text: entry.as_str().to_owned(), is_pattern: entry.is_pattern() })
            .collect(),
        canonical: config.topics.canonical().map(str::to_owned).to_vec(),
        create: config.topics.create,
        workers: config.workers.count(),
        transaction_timeout: (config.delivery == Delivery::ExactlyOnce).then_some(config.transaction_timeout),
    }
}

impl Visit {
    fn brokers(&mut self, config: &Config, intent: &Intent) {
        match ask(config, intent) {
            Ok(facts) => {
                self.good.push(("brokers".to_owned(), format!("{} answer for the cluster", facts.cluster.brokers)));
                for (raw, _) in &facts.raws {
                    let partitions = facts.cluster.topics.get(raw).map_or(0, |topic| topic.partitions);
                    self.good.push((raw.clone(), format!("{partitions} partitions to read")));
                }
                if intent.create {
                    let partitions = |topic: &Topic| i32::try_from(topic.partitions).unwrap_or(i32::MAX);
                    let there = facts.cluster.topics.iter().map(|(name, topic)| (name.clone(), partitions(topic)));
                    let there = there.collect();
                    let is_raw = |topic: &str| facts.raws.iter().any(|(raw, _)| raw == topic);
                    for NewOne { name, partitions } in outputs(config).missing(&there, is_raw) {
                        let what =
                            format!("not there; koine run makes it, with {partitions} partitions (topics.create)");
                        self.good.push((name, what));
                    }
                }
                self.findings.extend(doctor::brokers(intent, &facts));
            }
            Err(trouble) => {
                let place = "kafka.bootstrap_servers";
                self.findings.push(doctor::finding(intent, Check::Unreachable, place, trouble.to_string()));
            }
        }
    }

    async fn registry(&mut self, config: &Config, intent: &Intent, registry: &Registry) {
        if let Err(error) = registry.subjects().await {
            self.trouble(intent, &error);
            return;
        }
        let clock = registry.date().and_then(|date| Micros::parse_http(&date)).map(|time| time.0 / 1_000_000 - now());
        if let Some(ahead) = clock {
            self.good.push(("clock".to_owned(), format!("the registry's is {ahead} s ahead")));
            self.findings.extend(doctor::clock(intent, ahead));
        }
        for (kind, topic) in EntityKind::ALL.into_iter().zip(config.topics.canonical()) {
            let subject = schemas::subject(topic);
            // After trouble no more is asked: it would be the same again, after as long a wait.
            if let Err(error) = self.subject(intent, registry, &subject, schemas::json(kind)).await {
                self.trouble(intent, &error);
                return;
            }
        }
    }

    /// The error is one that passes.
    async fn subject(
        &mut self,
        intent: &Intent,
        registry: &Registry,
        subject: &str,
        schema: &'static str,
    ) -> Result<(), RegistryError> {
        let mut add = |check, what: String| self.findings.push(doctor::finding(intent, check, subject, what));
        let found = match registry.lookup(Schema { subject, schema }).await {
            Ok(found) => found,
            Err(error) if error.kind.is_transient() => return Err(error),
            Err(error) => {
                add(Check::NotRegistered, error.detail);
                return Ok(());
            }
        };
        if !registry.finds_by_content(Schema { subject, schema }).await? {
            add(Check::NoLookup, format!("id {}, found by reading every version", found.id));
        }
        let same = |text: &str| match (serde_json::from_str::<Value>(text), serde_json::from_str::<Value>(schema)) {
            (Ok(one), Ok(other)) => one == other,
            _ => false,
        };
        match registry.schema(found.id).await {
            Ok(text) if same(&text) => {}
            Ok(_) => add(Check::RegistryId, format!("id {} is another schema's", found.id)),
            Err(error) if error.kind.is_transient() => return Err(error),
            Err(error) => add(Check::RegistryId, format!("id {}: {}", found.id, error.detail)),
        }
        let level = match registry.compatibility(subject).await? {
            Some(own) => own,
            None => registry.default_compatibility().await?,
        };
        if level != LEVEL {
            add(Check::RegistryLevel, format!("its compatibility is {level}"));
        }
        self.good.push((subject.to_owned(), format!("id {}, {level}", found.id)));
        Ok(())
    }

    fn trouble(&mut self, intent: &Intent, error: &RegistryError) {
        let check = match error.kind {
            ErrorKind::Denied => Check::RegistryDenied,
            _ => Check::RegistryUnreachable,
        };
        self.findings.push(doctor::finding(
            intent,
            check,
            "registry.url",
            format!("{}: {}", error.doing, error.detail),
        ));
    }
}

/// Asks the brokers. The error is that they do not answer.
fn ask(config: &Config, intent: &Intent) -> Result<Facts, Trouble> {
    let (connection, names) = (connection(config), outputs(config));
    let topics = Topics::open(&connection)?;
    let all = topics.all()?;
    let is_raw = |topic: &str| config.source_of(topic).is_some() && !names.is_ours(topic);
    let mut raws: Vec<(String, String)> =
        all.keys().filter(|topic| is_raw(topic)).map(|topic| (topic.clone(), names.dead_letter(topic))).collect();
    raws.sort();
    let entries = config.sources.iter().flat_map(|source| &source.topics);
    let unmatched = entries.filter(|entry| !all.keys().any(|topic| is_raw(topic) && entry.matches(topic)));
    let unmatched: Vec<String> = unmatched.map(|entry| entry.as_str().to_owned()).collect();
    let outputs = || intent.canonical.iter().chain(raws.iter().map(|(_, dead_letters)| dead_letters));
    let cluster = topics
        .cluster(|topic| topic == TRANSACTION_STATE || is_raw(topic) || outputs().any(|output| output == topic))?;
    let is_pattern = |name: &String| intent.wanted.iter().any(|wanted| wanted.is_pattern && wanted.text == *name);
    let named = unmatched.iter().filter(|name| !is_pattern(name));
    let asked: Vec<String> = outputs().chain(raws.iter().map(|(raw, _)| raw)).chain(named).cloned().collect();
    let rights = topics.topic_rights(&asked).unwrap_or_default();
    let group = topics.group_rights(&config.kafka.group);
    // What we have no right to know, `group` has said already.
    let bounds = kafka::bounds(&connection, Some(&config.kafka.group), is_raw).unwrap_or_default();
    let transactions = intent.transaction_timeout.map(|transaction_timeout| {
        kafka::try_transactions(&ProducerSettings {
            connection: connection.clone(),
            // No worker's, but of their prefix.
            transactional_id: Some(format!("{}-doctor", config.kafka.group)),
            transaction_timeout,
            batch_bytes: None,
        })
    });
    Ok(Facts { cluster, raws, unmatched, rights, group: Some(group), bounds, transactions })
}

/// Seconds since 1970.
#[allow(clippy::disallowed_methods, reason = "it is the clock that is compared")]
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as i64)
}

fn text(visit: &Visit) -> String {
    let mut out = String::new();
    for (place, what) in &visit.good {
        out.push_str(&format!("ok\t-\t{place}\t{what}\n"));
    }
    for Finding { check, place, what, cure } in &visit.findings {
        let (severity, word, why) = (check.severity().as_str(), check.as_str(), check.why());
        out.push_str(&format!("{severity}\t{word}\t{place}\t{what}\t{why}\tcure: {cure}\n"));
    }
    out
}

fn json_of(visit: &Visit) -> Value {
    let findings = visit.findings.iter().map(|Finding { check, place, what, cure }| {
        json!({
            "finding": check.as_str(), "severity": check.severity().as_str(), "place": place, "what": what,
            "why": check.why(), "cure": cure,
        })
    });
    let good = visit.good.iter().map(|(place, what)| json!({"place": place, "what": what}));
    json!({"findings": findings.collect::<Vec<_>>(), "good": good.collect::<Vec<_>>()})
}
