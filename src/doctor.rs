//! What is wrong with a deployment before it goes wrong: what the brokers and the registry say of themselves, against what
//! koine needs. Each finding says what, where, why it matters and how it is cured.
//!
//! Judges facts that were asked for elsewhere; asks nothing itself. Knows neither rdkafka nor JSON.

use crate::kafka::{Bounds, Cluster, NoTransactions, Right, Rights, Settings, Topic};
use std::collections::HashMap;
use std::time::Duration;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// koine will not work, or not as it promises.
    Wrong,
    /// It works; something is likely to hurt later.
    Warning,
}

impl Severity {
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Wrong => "wrong",
            Severity::Warning => "warning",
        }
    }
}

macro_rules! checks {
    ($($name:ident = $word:literal, $severity:ident, $why:literal, $cure:literal;)*) => {
        /// What is looked for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Check { $($name),* }

        impl Check {
            pub const ALL: &[Check] = &[$(Check::$name),*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Check::$name => $word),* }
            }

            pub const fn severity(self) -> Severity {
                match self { $(Check::$name => Severity::$severity),* }
            }

            /// What it means, and what comes of it.
            pub const fn why(self) -> &'static str {
                match self { $(Check::$name => $why),* }
            }

            /// What to do, `{…}` standing for what is only known then.
            pub const fn cure(self) -> &'static str {
                match self { $(Check::$name => $cure),* }
            }
        }
    };
}

checks! {
    Unreachable = "brokers.unreachable", Wrong,
        "No broker has answered.",
        "Check `kafka.bootstrap_servers`, the network, and TLS and SASL in `kafka.properties`.";
    NoRights = "brokers.rights_unknown", Warning,
        "The brokers do not say what koine may do, so nobody has checked it.",
        "Brokers before Kafka 2.3 cannot say; try `koine run`.";
    BrokerSettings = "brokers.settings_unknown", Warning,
        "The settings of the brokers may not be read, so `transaction.max.timeout.ms` was not compared.",
        "kafka-acls.sh --bootstrap-server {brokers} --add --allow-principal User:{user} --operation DescribeConfigs --cluster";
    SourceMissing = "source.missing", Warning,
        "A source names a topic that is not there. koine goes on without it and looks for it again.",
        "kafka-topics.sh --bootstrap-server {brokers} --create --topic {topic}";
    SourceEmpty = "source.empty", Warning,
        "There is no topic that a source's pattern matches.",
        "Check `sources[].topics`; patterns are anchored.";
    SourceCompacted = "source.compacted", Wrong,
        "The raw topic is compacted: webhooks with the same key vanish, perhaps before they are read.",
        "kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics --entity-name {topic} --add-config cleanup.policy=delete";
    TopicMissing = "topic.missing", Wrong,
        "koine waits at start until every topic it writes is there.",
        "kafka-topics.sh --bootstrap-server {brokers} --create --topic {topic} --partitions {partitions} --config cleanup.policy=delete, or set `topics.create`";
    TopicCompacted = "topic.compacted", Wrong,
        "A PATCH or COMPONENT record has its entity's key, and dead letters have the raw key: compaction deletes what later records rest on.",
        "kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics --entity-name {topic} --add-config cleanup.policy=delete";
    TopicSettings = "topic.settings_unknown", Warning,
        "The settings of the topic may not be read, so nobody has checked them.",
        "kafka-acls.sh --bootstrap-server {brokers} --add --allow-principal User:{user} --operation DescribeConfigs --topic {topic}";
    DeadLetterRetention = "topic.dead_letter_retention", Wrong,
        "Dead letters are deleted sooner than the raw records they are of: what is not mended in time is lost, although its neighbours could still be read again.",
        "kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics --entity-name {topic} --add-config {setting}={value}";
    DeadLetterBytes = "topic.dead_letter_max_bytes", Wrong,
        "The dead-letter topic takes smaller records than the raw topic: a large dead letter loses its value and becomes a pointer record.",
        "kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics --entity-name {topic} --add-config max.message.bytes={value}";
    CanonicalBytes = "topic.canonical_max_bytes", Warning,
        "The canonical topic takes smaller records than a raw topic: a large webhook becomes the dead letter `record.too_large`.",
        "kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics --entity-name {topic} --add-config max.message.bytes={value}";
    MinInSync = "topic.min_insync_above_replicas", Wrong,
        "`min.insync.replicas` is greater than the number of replicas: older brokers then take nothing with acks=all, newer ones ask for less than it says.",
        "kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics --entity-name {topic} --add-config min.insync.replicas={value}";
    NotInSync = "topic.not_in_sync", Wrong,
        "Fewer replicas are in sync than `min.insync.replicas`: writing waits until they are.",
        "Look at the brokers: one is down, or does not keep up.";
    OneReplica = "topic.one_replica", Warning,
        "A record is on one broker only. If that is lost, so is the record.",
        "Create the topic with three replicas and min.insync.replicas=2.";
    OneInSync = "topic.min_insync_one", Warning,
        "A record is acknowledged as soon as one broker has it, although there are more replicas.",
        "kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics --entity-name {topic} --add-config min.insync.replicas=2";
    Timestamps = "topic.timestamps", Warning,
        "The topic does not take every timestamp, or replaces it: a record carries its raw record's, and one that is refused for it becomes the dead letter `record.refused`.",
        "kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics --entity-name {topic} --add-config {setting}={value}";
    MayNotRead = "acl.read", Wrong,
        "koine may not read a raw topic.",
        "kafka-acls.sh --bootstrap-server {brokers} --add --allow-principal User:{user} --operation Read --topic {topic}";
    MayNotWrite = "acl.write", Wrong,
        "koine may not write to a topic: nothing at all is committed while one of its topics is closed to it.",
        "kafka-acls.sh --bootstrap-server {brokers} --add --allow-principal User:{user} --operation Write --topic {topic}";
    MayNotJoin = "acl.group", Wrong,
        "koine may not use its consumer group.",
        "kafka-acls.sh --bootstrap-server {brokers} --add --allow-principal User:{user} --operation Read --group {group}";
    MayNotTransact = "acl.transactional_id", Wrong,
        "koine may not use its transactional ids, which begin with the group's name.",
        "kafka-acls.sh --bootstrap-server {brokers} --add --allow-principal User:{user} --operation Write --transactional-id {group}- --resource-pattern-type prefixed";
    TransactionTimeout = "transaction.timeout", Wrong,
        "`transaction.timeout` is longer than the brokers allow: no producer can begin.",
        "Set `transaction.timeout` to {value} or less, or raise `transaction.max.timeout.ms` of the brokers.";
    TransactionTopic = "transaction.state_topic", Wrong,
        "Kafka's own topic of transactions has fewer replicas in sync than it needs: no transaction can be committed.",
        "Look at the brokers and at `transaction.state.log.min.isr`.";
    Transactions = "transaction.unavailable", Wrong,
        "A transactional producer cannot begin.",
        "Look at what the broker says; without transactions there is only `delivery: at_least_once`.";
    OffsetGone = "group.offset_gone", Wrong,
        "What the group had committed last is deleted, and records after it: the partition stands still.",
        "Raise the raw topic's retention; `koine run --accept-loss` goes on without them.";
    OffsetsRetention = "group.offsets_retention", Warning,
        "The brokers forget the group's offsets sooner than the raw records: after a stop as long as that, everything is read and written again.",
        "Raise `offsets.retention.minutes` of the brokers to {value} or more.";
    IdleWorkers = "workers.idle", Warning,
        "There are more workers than raw partitions: the others have nothing to do.",
        "Set `workers` to {value}, or give the raw topics more partitions.";
    RegistryUnreachable = "registry.unreachable", Wrong,
        "The registry has not answered as one.",
        "Check `registry.url`, `registry.ca_file` and the network.";
    RegistryDenied = "registry.denied", Wrong,
        "The registry does not let koine in.",
        "Check `registry.username` and `registry.password`, or `registry.bearer_token`, and what they may read.";
    NotRegistered = "registry.not_registered", Wrong,
        "This build's schema is not registered: `koine run` never registers, and will not start.",
        "koine schemas register --config {config}";
    NoLookup = "registry.no_lookup", Warning,
        "The registry does not find the schema by its content, only version by version: it has it in another spelling.",
        "Nothing has to be done; the start takes a few requests more.";
    RegistryLevel = "registry.level", Wrong,
        "The subject's compatibility is not FULL_TRANSITIVE: the registry would take what breaks readers.",
        "koine schemas register --config {config}";
    RegistryId = "registry.id", Wrong,
        "Under the schema's id the registry has another schema: whoever reads the records would read nonsense.",
        "Restore the registry's own topic or database; never reuse ids.";
    Clock = "clock.skew", Warning,
        "This machine's clock and the registry's differ: tokens and certificates may seem expired, and `koine.failed.at` is wrong.",
        "Run NTP on both.";
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub check: Check,
    /// The topic, subject or setting.
    pub place: String,
    /// What was found.
    pub what: String,
    pub cure: String,
}

/// What koine is going to do, and how it is called in commands.
pub struct Intent {
    pub brokers: String,
    /// The configuration file.
    pub config: String,
    /// The SASL user, if there is one.
    pub user: String,
    pub group: String,
    /// Names of the sources' topics, and patterns.
    pub wanted: Vec<Wanted>,
    pub canonical: Vec<String>,
    pub create: bool,
    pub workers: usize,
    /// `None`: no transactions.
    pub transaction_timeout: Option<Duration>,
}

/// An entry of a source.
pub struct Wanted {
    pub text: String,
    pub is_pattern: bool,
}

/// What the brokers say.
#[derive(Default)]
pub struct Facts {
    pub cluster: Cluster,
    /// The raw topics that are there, each with its dead-letter topic.
    pub raws: Vec<(String, String)>,
    /// Entries of sources that match nothing.
    pub unmatched: Vec<String>,
    pub rights: HashMap<String, Rights>,
    pub group: Option<Rights>,
    pub bounds: Vec<Bounds>,
    /// `None`: not tried.
    pub transactions: Option<Result<(), NoTransactions>>,
}

/// Kafka's topic of transactions.
pub const TRANSACTION_STATE: &str = "__transaction_state";
/// Clocks that differ by less are no news: a registry tells its time in whole seconds.
const SKEW: u64 = 5;

/// Judges what the brokers say.
pub fn brokers(intent: &Intent, facts: &Facts) -> Vec<Finding> {
    let mut out = Findings { intent, all: Vec::new() };
    out.rights(facts);
    out.sources(facts);
    out.outputs(facts);
    out.transactions(facts);
    out.group(facts);
    out.all
}

/// Judges how far the registry's clock is before ours, in seconds.
pub fn clock(intent: &Intent, ahead: i64) -> Option<Finding> {
    let mut out = Findings { intent, all: Vec::new() };
    if ahead.unsigned_abs() > SKEW {
        let word = if ahead > 0 { "ahead of" } else { "behind" };
        let what = format!("the registry is {} s {word} this machine", ahead.unsigned_abs());
        out.add(Check::Clock, "registry.url", what, &[]);
    }
    out.all.pop()
}

/// A finding about something that was asked elsewhere.
pub fn finding(intent: &Intent, check: Check, place: &str, what: String) -> Finding {
    Finding { check, place: place.to_owned(), what, cure: cure(intent, check, place, &[]) }
}

/// The cure with what is known filled in.
fn cure(intent: &Intent, check: Check, place: &str, values: &[(&str, &str)]) -> String {
    let known = [
        ("brokers", intent.brokers.as_str()),
        ("config", &intent.config),
        ("user", &intent.user),
        ("group", &intent.group),
        ("topic", place),
    ];
    known
        .iter()
        .chain(values)
        .fold(check.cure().to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

struct Findings<'i> {
    intent: &'i Intent,
    all: Vec<Finding>,
}

impl Findings<'_> {
    fn add(&mut self, check: Check, place: &str, what: String, values: &[(&str, &str)]) {
        let cure = cure(self.intent, check, place, values);
        self.all.push(Finding { check, place: place.to_owned(), what, cure });
    }

    fn rights(&mut self, facts: &Facts) {
        let may = |topic: &str, right| !facts.rights.get(topic).is_some_and(|rights| rights.lack(right));
        let no = |right: Right| format!("no right to {}", right.as_str());
        for (raw, _) in facts.raws.iter().filter(|(raw, _)| !may(raw, Right::Read)) {
            self.add(Check::MayNotRead, raw, no(Right::Read), &[]);
        }
        // Of a topic that is named, and that we may not even see.
        let hidden = facts.unmatched.iter().filter(|name| facts.rights.get(*name) == Some(&Rights::None));
        for name in hidden {
            self.add(Check::MayNotRead, name, no(Right::Describe), &[]);
        }
        for output in self.outputs_of(facts).iter().filter(|output| !may(output, Right::Write)) {
            self.add(Check::MayNotWrite, output, no(Right::Write), &[]);
        }
        if facts.group.as_ref().is_some_and(|rights| rights.lack(Right::Read)) {
            let group = self.intent.group.clone();
            self.add(Check::MayNotJoin, &group, no(Right::Read), &[]);
        }
        let unknown = facts.rights.iter().find_map(|(name, rights)| match rights {
            Rights::Unknown(why) => Some((name.as_str(), why)),
            _ => None,
        });
        let unknown = unknown.or(match &facts.group {
            Some(Rights::Unknown(why)) => Some((self.intent.group.as_str(), why)),
            _ => None,
        });
        if let Some((name, why)) = unknown {
            self.add(Check::NoRights, "kafka.bootstrap_servers", format!("{name}: {why}"), &[]);
        }
    }

    /// Every topic that koine writes.
    fn outputs_of(&self, facts: &Facts) -> Vec<String> {
        let dead_letters = facts.raws.iter().map(|(_, dead_letters)| dead_letters.clone());
        self.intent.canonical.iter().cloned().chain(dead_letters).collect()
    }

    fn sources(&mut self, facts: &Facts) {
        for name in &facts.unmatched {
            let is_pattern = self.intent.wanted.iter().any(|wanted| wanted.is_pattern && wanted.text == *name);
            match (is_pattern, facts.rights.get(name)) {
                (true, _) => self.add(Check::SourceEmpty, name, "no topic matches".to_owned(), &[]),
                (false, Some(Rights::None)) => {}
                (false, _) => self.add(Check::SourceMissing, name, "there is no such topic".to_owned(), &[]),
            }
        }
        for (raw, _) in &facts.raws {
            let settings = facts.cluster.topics.get(raw).and_then(|topic| topic.settings.as_ref());
            if let Some(policy) = settings.and_then(|it| it.get("cleanup.policy")).filter(|it| it.contains("compact")) {
                self.add(Check::SourceCompacted, raw, format!("cleanup.policy={policy}"), &[]);
            }
            self.known(raw, facts);
        }
        let partitions: usize =
            facts.raws.iter().filter_map(|(raw, _)| facts.cluster.topics.get(raw)).map(|topic| topic.partitions).sum();
        let workers = self.intent.workers;
        if workers > partitions && partitions > 0 {
            let what = format!("{workers} workers, {partitions} raw partitions");
            self.add(Check::IdleWorkers, "workers", what, &[("value", &partitions.to_string())]);
        }
    }

    /// Whether the settings of a topic could be read.
    fn known(&mut self, name: &str, facts: &Facts) {
        if facts.cluster.topics.get(name).is_some_and(|topic| topic.settings.is_none()) {
            self.add(Check::TopicSettings, name, "no right to DescribeConfigs".to_owned(), &[]);
        }
    }

    fn outputs(&mut self, facts: &Facts) {
        let raw_topics = || facts.raws.iter().filter_map(|(raw, _)| facts.cluster.topics.get(raw));
        let most = raw_topics().map(|topic| topic.partitions).max().unwrap_or(1);
        let largest = raw_topics().filter_map(|topic| number(topic.settings.as_ref()?, "max.message.bytes")).max();
        for name in self.intent.canonical.clone() {
            let Some(topic) = self.there(&name, most, facts) else { continue };
            self.output(&name, topic);
            let bytes = topic.settings.as_ref().and_then(|settings| number(settings, "max.message.bytes"));
            if let (Some(bytes), Some(largest)) = (bytes, largest)
                && bytes < largest
            {
                let what = format!("max.message.bytes={bytes}, a raw topic takes {largest}");
                self.add(Check::CanonicalBytes, &name, what, &[("value", &largest.to_string())]);
            }
        }
        for (raw, name) in &facts.raws {
            let Some(raw_topic) = facts.cluster.topics.get(raw) else { continue };
            let Some(topic) = self.there(name, raw_topic.partitions, facts) else { continue };
            self.output(name, topic);
            if let (Some(settings), Some(of_raw)) = (&topic.settings, &raw_topic.settings) {
                self.dead_letters(name, settings, raw, of_raw);
            }
        }
    }

    /// The topic, or a finding.
    fn there<'f>(&mut self, name: &str, partitions: usize, facts: &'f Facts) -> Option<&'f Topic> {
        let topic = facts.cluster.topics.get(name);
        let is_hidden = facts.rights.get(name) == Some(&Rights::None);
        if topic.is_none() && !is_hidden && !self.intent.create {
            let what = "there is no such topic".to_owned();
            self.add(Check::TopicMissing, name, what, &[("partitions", &partitions.to_string())]);
        }
        topic
    }

    fn output(&mut self, name: &str, topic: &Topic) {
        let Some(settings) = &topic.settings else {
            self.add(Check::TopicSettings, name, "no right to DescribeConfigs".to_owned(), &[]);
            return;
        };
        let text = |setting: &str| settings.get(setting).map(String::as_str);
        if let Some(policy) = text("cleanup.policy").filter(|policy| policy.contains("compact")) {
            self.add(Check::TopicCompacted, name, format!("cleanup.policy={policy}"), &[]);
        }
        let Topic { replicas, in_sync, .. } = topic;
        let least = number(settings, "min.insync.replicas").unwrap_or(1);
        let what = format!("min.insync.replicas={least}, {replicas} replicas, {in_sync} in sync");
        match (usize::try_from(least).unwrap_or(1), *replicas, *in_sync) {
            (least, replicas, _) if least > replicas => {
                // One broker may be away, as long as there are more than two.
                let value = replicas.saturating_sub(1).max(1).to_string();
                self.add(Check::MinInSync, name, what, &[("value", &value)]);
            }
            (least, _, in_sync) if least > in_sync => self.add(Check::NotInSync, name, what, &[]),
            (_, 1, _) => self.add(Check::OneReplica, name, what, &[]),
            (1, _, _) => self.add(Check::OneInSync, name, what, &[]),
            _ => {}
        }
        if text("message.timestamp.type") == Some("LogAppendTime") {
            let what = "message.timestamp.type=LogAppendTime".to_owned();
            let cure = [("setting", "message.timestamp.type"), ("value", "CreateTime")];
            self.add(Check::Timestamps, name, what, &cure);
        }
        let before = "message.timestamp.before.max.ms";
        if let Some(most) = number(settings, before).filter(|most| *most < i64::MAX) {
            let cure = [("setting", before), ("value", "9223372036854775807")];
            self.add(Check::Timestamps, name, format!("{before}={most}"), &cure);
        }
    }

    fn dead_letters(&mut self, name: &str, settings: &Settings, raw: &str, of_raw: &Settings) {
        for setting in ["retention.ms", "retention.bytes"] {
            let (Some(own), Some(of_raw)) = (number(settings, setting), number(of_raw, setting)) else { continue };
            // Negative is without end.
            let is_shorter = own >= 0 && (of_raw < 0 || own < of_raw);
            if is_shorter {
                let what = format!("{setting}={own}, {raw} has {of_raw}");
                let cure = [("setting", setting), ("value", &*of_raw.to_string())];
                self.add(Check::DeadLetterRetention, name, what, &cure);
            }
        }
        let bytes = "max.message.bytes";
        if let (Some(own), Some(of_raw)) = (number(settings, bytes), number(of_raw, bytes))
            && own < of_raw
        {
            // Room for the headers, which are at most 8 KiB.
            let value = of_raw.saturating_add(16 * 1024).to_string();
            self.add(Check::DeadLetterBytes, name, format!("{bytes}={own}, {raw} has {of_raw}"), &[("value", &value)]);
        }
    }

    fn transactions(&mut self, facts: &Facts) {
        let settings = facts.cluster.settings.as_ref();
        if settings.is_none() {
            let what = "no right to DescribeConfigs".to_owned();
            self.add(Check::BrokerSettings, "kafka.bootstrap_servers", what, &[]);
        }
        let Some(timeout) = self.intent.transaction_timeout else { return };
        let longest = settings.and_then(|settings| number(settings, "transaction.max.timeout.ms"));
        let is_too_long = longest.is_some_and(|longest| timeout.as_millis() as i64 > longest);
        if is_too_long || facts.transactions == Some(Err(NoTransactions::TimeoutTooLong)) {
            let longest = longest.map_or_else(|| "what the brokers allow".to_owned(), |longest| format!("{longest}ms"));
            let what = format!("transaction.timeout is {} ms, the longest is {longest}", timeout.as_millis());
            self.add(Check::TransactionTimeout, "transaction.timeout", what, &[("value", &longest)]);
        }
        if let (Some(state), Some(settings)) = (facts.cluster.topics.get(TRANSACTION_STATE), settings) {
            let least = number(settings, "transaction.state.log.min.isr").unwrap_or(1);
            if (state.in_sync as i64) < least {
                let what = format!("{} replicas in sync, transaction.state.log.min.isr={least}", state.in_sync);
                self.add(Check::TransactionTopic, TRANSACTION_STATE, what, &[]);
            }
        }
        match &facts.transactions {
            Some(Err(NoTransactions::Denied)) => {
                let place = format!("{}-…", self.intent.group);
                self.add(Check::MayNotTransact, &place, "no right to Write".to_owned(), &[]);
            }
            Some(Err(NoTransactions::Other(why))) => {
                self.add(Check::Transactions, "kafka.bootstrap_servers", why.clone(), &[]);
            }
            _ => {}
        }
    }

    fn group(&mut self, facts: &Facts) {
        for Bounds { topic, partition, low, committed, .. } in &facts.bounds {
            if let Some(committed) = committed.filter(|committed| committed < low) {
                let what = format!("committed {committed}, the first record is {low}: {} are gone", low - committed);
                self.add(Check::OffsetGone, &format!("{topic} [{partition}]"), what, &[]);
            }
        }
        let Some(kept) = facts.cluster.settings.as_ref().and_then(|it| number(it, "offsets.retention.minutes")) else {
            return;
        };
        for (raw, _) in &facts.raws {
            let settings = facts.cluster.topics.get(raw).and_then(|topic| topic.settings.as_ref());
            let Some(of_raw) = settings.and_then(|settings| number(settings, "retention.ms")) else { continue };
            if of_raw < 0 || of_raw / 60_000 > kept {
                let what = format!("offsets.retention.minutes={kept}, {raw} has retention.ms={of_raw}");
                let value = if of_raw < 0 { i64::from(i32::MAX) } else { of_raw / 60_000 };
                self.add(Check::OffsetsRetention, raw, what, &[("value", &value.to_string())]);
            }
        }
    }
}

fn number(settings: &Settings, name: &str) -> Option<i64> {
    settings.get(name)?.parse().ok()
}

/// The table of all checks, for the docs.
pub fn markdown() -> String {
    let mut out = String::from("| finding | severity | what it means | cure |\n|---|---|---|---|\n");
    for check in Check::ALL {
        let cure = match check.cure() {
            command if command.starts_with("kafka-") || command.starts_with("koine ") => format!("`{command}`"),
            text => text.to_owned(),
        };
        out.push_str(&format!("| `{}` | {} | {} | {cure} |\n", check.as_str(), check.severity().as_str(), check.why()));
    }
    out
}

#[cfg(test)]
mod tests;
