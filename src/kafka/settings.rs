//! What koine asks of librdkafka, and why. What a deployment sets itself comes last and wins; what koine has to own
//! never gets here (the configuration refuses it).

use super::login::{self, Credentials, Login};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use std::sync::Arc;
use std::time::Duration;

/// How to reach the brokers.
#[derive(Clone)]
pub struct Connection {
    /// `host:port`, separated by commas.
    pub bootstrap_servers: String,
    /// librdkafka's own properties: TLS, SASL and whatever else.
    pub properties: Vec<(String, String)>,
    /// What of it changes with time, if anything does.
    pub credentials: Option<Arc<dyn Credentials>>,
}

/// What a worker's consumer needs to know.
#[derive(Clone)]
pub struct ConsumerSettings {
    pub connection: Connection,
    pub group: String,
    /// `classic` or `consumer` (KIP-848).
    pub group_protocol: String,
    /// Names, or patterns that begin with `^`.
    pub topics: Vec<String>,
    /// Goes on at what exists where a committed offset is gone, rather than stopping the partition.
    pub accept_loss: bool,
    /// The worker's place in the process: static members of one group must differ.
    pub worker: usize,
}

/// What a worker's producer needs to know.
#[derive(Clone)]
pub struct ProducerSettings {
    pub connection: Connection,
    /// `None`: at least once, without transactions.
    pub transactional_id: Option<String>,
    pub transaction_timeout: Duration,
    /// The most that is put together into one request for a partition, where less than usual is wanted.
    pub batch_bytes: Option<usize>,
}

impl Connection {
    pub(super) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap_servers);
        config.set("client.id", "koine");
        config.set("socket.keepalive.enable", "true");
        // A client that starts connects to the brokers it is told of, then to those they name, and waits half of this in
        // between. It doubles while a broker is away.
        config.set("reconnect.backoff.ms", "20");
        // Brokers that the controller has lost sight of for a moment name no brokers at all, and a client that hears that lets
        // go of all it knows. It is so long until it begins again from those it was told of; librdkafka's own is five minutes.
        config.set("metadata.recovery.rebootstrap.trigger.ms", "15000");
        // Brokers close idle connections all day; that is no news.
        config.set("log.connection.close", "false");
        // Who asks librdkafka for its debug lines wants to see them.
        let is_debug = self.properties.iter().any(|(name, _)| name == "debug");
        config.set_log_level(if is_debug { RDKafkaLogLevel::Debug } else { RDKafkaLogLevel::Info });
        let is_told = ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| std::env::var_os(name).is_some());
        if !is_told && trusts_the_system(&self.properties) {
            // The OpenSSL that is linked into this program knows no place where a system keeps its certificates.
            config.set("ssl.ca.location", "probe");
        }
        config
    }

    fn passed_through(&self, config: &mut ClientConfig) {
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        // The same ones, as they are now.
        for (name, value) in self.credentials.iter().flat_map(|credentials| credentials.properties()) {
            config.set(name, value);
        }
    }

    pub(super) fn login(&self) -> Login {
        Login::new(self.credentials.as_ref())
    }

    /// Another number when a secret or a certificate is not what it was; clients know only what was there when they were
    /// made.
    pub fn fingerprint(&self) -> u64 {
        self.credentials.as_deref().map_or(0, login::fingerprint)
    }

    /// For questions that neither the consumer nor the producer asks.
    pub(super) fn admin_config(&self) -> ClientConfig {
        let mut config = self.config();
        self.passed_through(&mut config);
        config
    }
}

impl Connection {
    /// Whether librdkafka knows the properties and takes their values, for a consumer and for a producer.
    pub fn check(&self) -> Result<(), String> {
        let consumer = ConsumerSettings {
            connection: self.clone(),
            group: "check".to_owned(),
            group_protocol: "classic".to_owned(),
            topics: Vec::new(),
            accept_loss: false,
            worker: 0,
        };
        let producer = ProducerSettings {
            connection: self.clone(),
            transactional_id: None,
            transaction_timeout: Duration::from_secs(30),
            batch_bytes: None,
        };
        consumer.check().and_then(|()| producer.check())
    }
}

/// Whether nothing is said of whom to trust.
fn trusts_the_system(properties: &[(String, String)]) -> bool {
    !properties.iter().any(|(name, _)| name.starts_with("ssl.ca."))
}

/// What librdkafka says to a configuration, without a client being made.
fn check(config: &ClientConfig) -> Result<(), String> {
    config.create_native_config().map(|_| ()).map_err(|error| error.to_string())
}

/// The most that a broker sends at once, packed: the least that librdkafka takes. A larger batch of records is sent all the same.
const FETCH_BYTES: u64 = 1_000_000;

/// The most of one partition in that. Where one has a backlog and others read what comes as it comes, theirs is behind what was sent
/// of the backlog: with all of an answer for one partition a backlog of 100 KB webhooks, packed fifty times, made others wait a second
/// and more, with a quarter of it a quarter of a second (docs/performance.md).
const PARTITION_FETCH_BYTES: u64 = 262_144;

impl ConsumerSettings {
    /// Whether librdkafka knows all of these properties and takes their values.
    pub fn check(&self) -> Result<(), String> {
        check(&self.config())
    }

    pub(super) fn config(&self) -> ClientConfig {
        let mut config = self.connection.config();
        config.set("group.id", &self.group);
        // Kafka's own default of 1000 ms starves a fast consumer: librdkafka stops fetching a partition for that long
        // once its local queue is full (measured: a fifth of the speed).
        config.set("fetch.queue.backoff.ms", "5");
        // So much is read ahead, for each worker, beside what is in its batches. Twice as much was no faster, nor twice that.
        config.set("queued.max.messages.kbytes", "4096");
        config.set("queued.min.messages", "100000");
        // An answer is unpacked whole, whatever the queue holds. Left alone it has up to 1 MiB of each partition, packed, and
        // as much as the queue's size in all.
        config.set("fetch.max.bytes", FETCH_BYTES.to_string());
        config.set("fetch.message.max.bytes", PARTITION_FETCH_BYTES.to_string());
        // A broker that has less waits so long for more. It is part of the latency when little comes in.
        config.set("fetch.min.bytes", "65536");
        config.set("fetch.wait.max.ms", "50");
        // How soon the partitions of a process that has died go to another. Heartbeats have a thread of their own, and
        // there are no pauses for a garbage collector, so it need not be Kafka's 45 seconds.
        config.set("session.timeout.ms", "15000");
        // How soon a new topic that fits a pattern is seen.
        config.set("topic.metadata.refresh.interval.ms", "60000");
        if self.group_protocol == "consumer" {
            config.set("group.protocol", "consumer");
        } else {
            config.set("partition.assignment.strategy", "cooperative-sticky");
        }
        self.connection.passed_through(&mut config);
        let is_set = |name| self.connection.properties.iter().any(|(set, _)| set == name);
        // Kafka's own name for it: librdkafka takes whichever of the two comes last, and they come in no order.
        if is_set("max.partition.fetch.bytes") && !is_set("fetch.message.max.bytes") {
            config.remove("fetch.message.max.bytes");
        }
        // librdkafka refuses to fetch less than that, which is meant for producers.
        let number = |config: &ClientConfig, name| config.get(name).and_then(|value| value.trim().parse::<u64>().ok());
        let is_larger = |message: &u64| *message > FETCH_BYTES && !is_set("fetch.max.bytes");
        if let Some(message) = number(&config, "message.max.bytes").filter(is_larger) {
            config.set("fetch.max.bytes", message.to_string());
        }
        if let Some(member) = config.get("group.instance.id").map(str::to_owned) {
            config.set("group.instance.id", format!("{member}-{}", self.worker));
        }
        config.set("isolation.level", "read_committed");
        config.set("enable.auto.commit", "false");
        config.set("enable.auto.offset.store", "false");
        // Where to start is decided by us: silently starting elsewhere is how records get lost.
        config.set("auto.offset.reset", "error");
        config
    }
}

impl ProducerSettings {
    /// The most that is put together, usually: what a batch of koine's has for one partition goes in one request or two. With a
    /// quarter of it a transaction of 1,000 of Spree's orders took sixteen instead of four, one after the other, and a third more
    /// time; topics take no more than a little over this unless they are told to.
    pub const BATCH_BYTES: usize = 1_000_000;

    /// Whether librdkafka knows all of these properties and takes their values.
    pub fn check(&self) -> Result<(), String> {
        check(&self.config())
    }

    pub(super) fn config(&self) -> ClientConfig {
        let mut config = self.connection.config();
        config.set("compression.type", "lz4");
        config.set("linger.ms", "5");
        config.set("batch.size", ProducerSettings::BATCH_BYTES.to_string());
        // The topic's own limit is to decide, not the client's: a dead letter is as large as the raw record was.
        config.set("message.max.bytes", "33554432");
        self.connection.passed_through(&mut config);
        if let Some(bytes) = self.batch_bytes {
            config.set("batch.size", bytes.to_string());
        }
        config.set("enable.idempotence", "true");
        config.set("acks", "all");
        // Java's, so that a key goes where any other producer would put it.
        config.set("partitioner", "murmur2_random");
        // Success is the rule and known from the empty queue; a report for each record would cost an allocation each.
        config.set("delivery.report.only.error", "true");
        if let Some(id) = &self.transactional_id {
            config.set("transactional.id", id);
            config.set("transaction.timeout.ms", self.transaction_timeout.as_millis().to_string());
        }
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::consumer::BaseConsumer;

    fn connection(properties: &[(&str, &str)]) -> Connection {
        let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Connection { bootstrap_servers: "localhost:1".to_owned(), properties, credentials: None }
    }

    fn consumer(properties: &[(&str, &str)]) -> ClientConfig {
        let settings = ConsumerSettings {
            connection: connection(properties),
            group: "koine".to_owned(),
            group_protocol: "classic".to_owned(),
            topics: vec!["raw.spree".to_owned()],
            accept_loss: false,
            worker: 2,
        };
        settings.config()
    }

    #[test]
    fn what_exactly_once_rests_on_cannot_be_overridden() {
        let config = consumer(&[("isolation.level", "read_uncommitted"), ("auto.offset.reset", "latest")]);
        assert_eq!(config.get("isolation.level"), Some("read_committed"));
        assert_eq!(config.get("auto.offset.reset"), Some("error"));
        assert_eq!(config.get("enable.auto.commit"), Some("false"));
        let producer = ProducerSettings {
            connection: connection(&[("acks", "1"), ("linger.ms", "50")]),
            transactional_id: Some("koine-0".to_owned()),
            transaction_timeout: Duration::from_secs(30),
            batch_bytes: None,
        };
        let config = producer.config();
        assert_eq!(config.get("acks"), Some("all"));
        assert_eq!(config.get("linger.ms"), Some("50"));
        assert_eq!(config.get("transaction.timeout.ms"), Some("30000"));
        assert_eq!(config.get("partitioner"), Some("murmur2_random"));
    }

    #[test]
    fn the_system_is_trusted_unless_somebody_else_is() {
        let trusts = |properties: &[(&str, &str)]| trusts_the_system(&connection(properties).properties);
        assert!(trusts(&[("security.protocol", "SSL"), ("ssl.certificate.location", "/client.pem")]));
        assert!(!trusts(&[("ssl.ca.location", "/ca.pem")]));
        assert!(!trusts(&[("ssl.ca.pem", "-----BEGIN CERTIFICATE-----")]));
    }

    /// With librdkafka's own five minutes, a cluster that had named no brokers for a moment was not asked again for two.
    #[test]
    fn who_has_been_told_of_no_brokers_soon_begins_again() {
        let trigger = |config: ClientConfig| config.get("metadata.recovery.rebootstrap.trigger.ms").map(str::to_owned);
        let producer = ProducerSettings {
            connection: connection(&[]),
            transactional_id: None,
            transaction_timeout: Duration::from_secs(30),
            batch_bytes: None,
        };
        for config in [consumer(&[]), producer.config(), connection(&[]).admin_config()] {
            assert_eq!(trigger(config).as_deref(), Some("15000"));
        }
        let own = [("metadata.recovery.rebootstrap.trigger.ms", "60000")];
        assert_eq!(trigger(consumer(&own)).as_deref(), Some("60000"));
    }

    /// The memory of a worker goes by it.
    #[test]
    fn what_comes_at_once_is_bounded() {
        let fetched = |properties: &[(&str, &str)]| consumer(properties).get("fetch.max.bytes").map(str::to_owned);
        // librdkafka compares them when a client is made, and not before.
        let is_taken = |properties: &[(&str, &str)]| {
            consumer(properties).create::<BaseConsumer>().map(drop).map_err(|error| error.to_string())
        };
        assert_eq!(fetched(&[]).as_deref(), Some("1000000"));
        assert_eq!(is_taken(&[]), Ok(()));
        let large = [("message.max.bytes", "5000000")];
        assert_eq!(fetched(&large).as_deref(), Some("5000000"));
        assert_eq!(is_taken(&large), Ok(()), "both clients are given it");
        assert_eq!(fetched(&[("message.max.bytes", "1000")]).as_deref(), Some("1000000"));
        let own = [("fetch.max.bytes", "8000000"), ("message.max.bytes", "5000000")];
        assert_eq!(fetched(&own).as_deref(), Some("8000000"));
        assert_eq!(is_taken(&own), Ok(()));
        let too_small = [("fetch.max.bytes", "2000000"), ("message.max.bytes", "5000000")];
        assert!(is_taken(&too_small).is_err_and(|why| why.contains("fetch.max.bytes")), "it is said, and not mended");
    }

    #[test]
    fn what_comes_of_one_partition_at_once_is_bounded_by_either_name() {
        let fetched = |properties: &[(&str, &str)]| {
            let native = consumer(properties).create_native_config().unwrap();
            native.get("fetch.message.max.bytes").unwrap()
        };
        assert_eq!(fetched(&[]), "262144");
        assert_eq!(fetched(&[("fetch.message.max.bytes", "500000")]), "500000");
        // In whatever order a map has them: it is another for each.
        for _ in 0..20 {
            assert_eq!(fetched(&[("max.partition.fetch.bytes", "500000")]), "500000");
        }
    }

    #[test]
    fn static_members_of_one_process_have_names_of_their_own() {
        assert_eq!(consumer(&[("group.instance.id", "pod-7")]).get("group.instance.id"), Some("pod-7-2"));
        assert_eq!(consumer(&[]).get("group.instance.id"), None);
    }
}
