//! The whole pipeline against librdkafka's embedded broker: everything comes through, and broken brokers, refused
//! records and stops lose nothing.
//!
//! The embedded broker writes no transaction markers, so what was aborted can be read too, and it forgets the offsets of
//! transactions. Here it is shown that nothing is lost; that nothing is doubled is shown on a real Kafka by `tests/e2e`.

mod shared;

use koine::codec::SchemaIds;
use koine::config::{Config, Context, Source};
use koine::http::Health;
use koine::kafka::Connection;
use koine::pipeline::redrive::groups::{Fates, Groups};
use koine::pipeline::redrive::lanes::{self, Fault, Filter};
use koine::pipeline::redrive::{self, Job};
use koine::pipeline::{Exit, Handle, HeaderSets, Limits, Outputs, Plan, Policy, Service, tables};
use koine::telemetry::{BuildInfo, Exposition, Metrics};
use koine::translate::{Header, Outcome, RawRecord, SourceSettings, Translator};
use rdkafka::ClientConfig;
use rdkafka::bindings;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message, OwnedHeaders};
use rdkafka::mocking::{MockCluster, MockCoordinator};
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{Offset, TopicPartitionList};
use shared::BREAKER;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const RAW: &str = "raw.spree";
const DEAD: &str = "dlq.raw.spree";
const CANONICAL: [&str; 4] = ["commerce.customer.v1", "commerce.cart.v1", "commerce.order.v1", "commerce.product.v1"];
const PARTITIONS: i32 = 3;
/// Longer than it takes a producer, and then a consumer, to find out that it has lost its coordinator.
const LONG: Duration = Duration::from_secs(150);

type Cluster = MockCluster<'static, DefaultProducerContext>;

struct Stage {
    cluster: Cluster,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
}

/// A raw record as it was sent, and where it came to lie.
struct Sent {
    partition: i32,
    key: String,
    value: Option<Vec<u8>>,
}

impl Stage {
    fn new() -> Stage {
        Stage::on(MockCluster::new(1).unwrap())
    }

    fn on(cluster: Cluster) -> Stage {
        // KOINE_LOG=debug shows what the pipeline says.
        if let Ok(level) = std::env::var("KOINE_LOG") {
            let _ = koine::telemetry::init(false, &level);
        }
        for topic in [RAW, DEAD].iter().chain(&CANONICAL) {
            cluster.create_topic(topic, PARTITIONS, 1).unwrap();
        }
        let build = BuildInfo { version: "test", build: "test".to_owned(), librdkafka: "test".to_owned() };
        Stage {
            cluster,
            metrics: Arc::new(Metrics::new(tables(), &CANONICAL, &build).unwrap()),
            health: Arc::new(Health::new(Duration::from_secs(300))),
        }
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.cluster.bootstrap_servers());
        config
    }

    fn plan(&self, exactly_once: bool) -> Plan {
        Plan {
            connection: Connection {
                bootstrap_servers: self.cluster.bootstrap_servers(),
                // The embedded broker does not notice that a member leaves.
                properties: vec![("session.timeout.ms".to_owned(), "6000".to_owned())],
                credentials: None,
            },
            group: "koine".to_owned(),
            group_protocol: "classic".to_owned(),
            topics: vec![RAW.to_owned()],
            source_of: Box::new(|topic| (topic == RAW).then_some(0)),
            sources: vec![SourceSettings::default()],
            any_source: SourceSettings::default(),
            outputs: Outputs::new(CANONICAL, "dlq.", false),
            schemas: SchemaIds { customer: 1, cart: 2, order: 3, product: 4 },
            exactly_once,
            workers: 1,
            limits: Limits { records: 50, bytes: 1 << 20, wait: Duration::from_millis(50) },
            transaction_timeout: Duration::from_secs(10),
            drain: Duration::from_secs(8),
            dead_letters: Policy {
                group: "koine".to_owned(),
                drop_headers: vec!["Authorization".to_owned()],
                sets: HeaderSets::default(),
                seal: None,
            },
            accept_loss: false,
            breaker: BREAKER,
            only: None,
            expected_every: Vec::new(),
            stuck_after: Duration::from_secs(120),
            instance: None,
            metrics: Arc::clone(&self.metrics),
            traces: None,
            health: Arc::clone(&self.health),
        }
    }

    fn start(&self, exactly_once: bool) -> Handle {
        start(self.plan(exactly_once))
    }

    /// Sends the fixtures of Spree and some that nobody can read, over and over.
    fn send(&self, count: usize) -> Vec<Sent> {
        let producer: BaseProducer = self.client().set("linger.ms", "5").create().unwrap();
        let bodies = bodies();
        let mut sent = Vec::new();
        for nth in 0..count {
            let value = match nth % 10 {
                7 => Some(b"{\"name\": ".to_vec()),
                8 if nth % 20 == 8 => None,
                8 => Some(Vec::new()),
                _ => Some(bodies[nth % bodies.len()].clone()),
            };
            let one = Sent { partition: nth as i32 % PARTITIONS, key: format!("raw-{nth}"), value };
            self.send_one(&producer, &one);
            sent.push(one);
        }
        producer.flush(LONG).unwrap();
        sent
    }

    fn send_one(&self, producer: &BaseProducer, one: &Sent) {
        let header = |key, value: &'static [u8]| rdkafka::message::Header { key, value: Some(value) };
        let headers = OwnedHeaders::new()
            .insert(header("b", b"1"))
            .insert(header("a", b""))
            .insert(header("b", b"\xff"))
            .insert(rdkafka::message::Header { key: "none", value: None::<&[u8]> })
            .insert(header("authorization", b"Bearer secret"));
        let mut record = BaseRecord::to(RAW).partition(one.partition).key(&one.key).timestamp(1_700_000_000_000);
        record.headers = Some(headers);
        record.payload = one.value.as_deref();
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }

    /// What is committed, over all partitions.
    fn committed(&self) -> i64 {
        let consumer: BaseConsumer = self.client().set("group.id", "koine").create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_range(RAW, 0, PARTITIONS - 1);
        let committed = consumer.committed_offsets(list, LONG).unwrap();
        let offset = |offset| if let Offset::Offset(offset) = offset { offset } else { 0 };
        committed.elements().iter().map(|one| offset(one.offset())).sum()
    }

    fn until_committed(&self, count: usize) {
        let until = Instant::now() + LONG;
        while self.committed() < count as i64 {
            assert!(Instant::now() < until, "{} of {count} committed", self.committed());
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(self.committed(), count as i64, "the next offset is the number of records, and no more");
    }

    /// Waits until so many webhooks have been delivered and counted.
    fn until_done(&self, count: usize) {
        let until = Instant::now() + LONG;
        while self.done() < count as f64 {
            assert!(Instant::now() < until, "{} of {count} done", self.done());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Webhooks that have an outcome.
    fn done(&self) -> f64 {
        let page = self.metrics.render(Exposition::Prometheus);
        // At whatever moment one looks.
        let ledger = page.lines().filter(|line| line.starts_with("koine_ledger_imbalance{"));
        ledger.for_each(|line| assert!(line.ends_with(" 0"), "{line}"));
        let lines = page.lines().filter(|line| line.starts_with("koine_records_outcome_total{"));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    /// Everything that a topic holds.
    fn read(&self, topic: &str) -> Vec<Read> {
        let consumer: BaseConsumer =
            self.client().set("group.id", "reader").set("enable.partition.eof", "true").create().unwrap();
        let mut list = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            list.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&list).unwrap();
        let (mut all, mut ends, mut trouble) = (Vec::new(), 0, Vec::new());
        let until = Instant::now() + LONG;
        while ends < PARTITIONS {
            assert!(Instant::now() < until, "{topic} could not be read to its end: {trouble:?}");
            match consumer.poll(Duration::from_millis(100)) {
                None => {}
                Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => ends += 1,
                // One of the brokers may have left, and while no other is connected all of them are down. The client tries again.
                Some(Err(error)) => trouble.push(error),
                Some(Ok(message)) => all.push(Read::new(&message)),
            }
        }
        all
    }

    fn metric(&self, series: &str) -> f64 {
        let page = self.metrics.render(Exposition::Prometheus);
        let line = page.lines().find(|line| line.starts_with(series)).unwrap_or_else(|| panic!("no {series}\n{page}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }
}

fn start(plan: Plan) -> Handle {
    Service::start(plan).map_err(|exit| format!("{exit:?}")).unwrap()
}

fn stop(handle: Handle) {
    let started = Instant::now();
    handle.stop();
    assert_eq!(handle.wait(), Exit::Stopped);
    assert!(started.elapsed() < Duration::from_secs(10), "a stop took {:?}", started.elapsed());
}

#[derive(Debug, Clone)]
struct Read {
    partition: i32,
    timestamp: Option<i64>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Read {
    fn new(message: &rdkafka::message::BorrowedMessage<'_>) -> Read {
        let headers = message.headers().map(|headers| {
            headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
        });
        Read {
            partition: message.partition(),
            timestamp: message.timestamp().to_millis(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.unwrap_or_default(),
        }
    }

    fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(key, _)| key == name)?;
        found.1.as_ref().map(|value| String::from_utf8_lossy(value).into_owned())
    }
}

fn bodies() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bodies/spree");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn order() -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bodies/spree/order.completed.json")).unwrap()
}

/// What must come out: `ce_id` of every event by canonical topic, and `partition/offset` of every dead letter.
fn expected(sent: &[Sent]) -> (BTreeMap<&'static str, Vec<String>>, Vec<String>, usize) {
    let mut translator = Translator::new();
    let mut offsets = [0; PARTITIONS as usize];
    let (mut events, mut dead, mut ignored) = (BTreeMap::<_, Vec<String>>::new(), Vec::new(), 0);
    for one in sent {
        let offset = &mut offsets[one.partition as usize];
        let headers = [Header { name: "b", value: Some(b"1") }];
        let raw = RawRecord {
            topic: RAW,
            partition: one.partition,
            offset: *offset,
            timestamp_ms: Some(1_700_000_000_000),
            key: Some(one.key.as_bytes()),
            value: one.value.as_deref(),
            headers: &headers,
        };
        translator.translate(&raw, &SourceSettings::default(), &mut |_, outcome| match outcome {
            Outcome::Event(event) => {
                let topic = CANONICAL[event.event.entity.kind() as usize - 1];
                let id = event.headers.iter().find(|(name, _)| *name == "ce_id").unwrap().1;
                events.entry(topic).or_default().push(id.to_owned());
            }
            Outcome::Ignored(_) => ignored += 1,
            Outcome::DeadLetter(_) => dead.push(format!("{}/{offset}", one.partition)),
        });
        *offset += 1;
    }
    events.values_mut().for_each(|ids| ids.sort());
    dead.sort();
    (events, dead, ignored)
}

/// That all of it has come out. `exactly`: and nothing of it twice.
fn check(stage: &Stage, sent: &[Sent], exactly: bool) {
    let (events, dead, ignored) = expected(sent);
    assert!(!events.is_empty() && !dead.is_empty() && ignored > 0, "the samples have one of each kind");
    let tidy = |mut ids: Vec<String>| {
        ids.sort();
        if !exactly {
            ids.dedup();
        }
        ids
    };
    let wanted = |ids: &Vec<String>| tidy(ids.clone());
    for topic in CANONICAL {
        let read = stage.read(topic).iter().map(|one| one.header("ce_id").unwrap()).collect();
        assert_eq!(tidy(read), events.get(topic).map(wanted).unwrap_or_default(), "{topic}");
    }
    let read = stage.read(DEAD);
    let place = |one: &Read| {
        let of = |name| one.header(name).unwrap();
        format!("{}/{}", of("__dlq.errors.partition"), of("__dlq.errors.offset"))
    };
    assert_eq!(tidy(read.iter().map(place).collect()), wanted(&dead), "dead letters");
    for one in &read {
        let nth: usize = String::from_utf8(one.key.clone().unwrap()).unwrap()["raw-".len()..].parse().unwrap();
        assert_eq!(one.value, sent[nth].value, "byte for byte, null and empty among them");
        assert_eq!(one.partition, sent[nth].partition);
        assert_eq!(one.timestamp, Some(1_700_000_000_000));
        let raw: Vec<_> = one.headers.iter().take(4).map(|(name, value)| (name.as_str(), value.as_deref())).collect();
        let want: [(&str, Option<&[u8]>); 4] =
            [("b", Some(b"1")), ("a", Some(b"")), ("b", Some(b"\xff")), ("none", None)];
        assert_eq!(raw, want);
        assert_eq!(one.header("authorization"), None);
    }
    if exactly {
        assert_eq!(stage.done(), sent.len() as f64, "every webhook is counted once");
    }
}

#[test]
fn everything_comes_through() {
    let stage = Stage::new();
    let sent = stage.send(600);
    let handle = stage.start(true);
    stage.until_done(sent.len());
    assert_eq!(stage.health.not_ready(), ["schemas are not pinned"]);
    stop(handle);
    check(&stage, &sent, true);
    let order = stage.read(CANONICAL[2]).into_iter().next().unwrap();
    assert_eq!(order.value.unwrap()[..5], [0, 0, 0, 0, 3], "Confluent's framing");
    assert_eq!(order.timestamp, Some(1_700_000_000_000), "the raw record's time");
    assert!(String::from_utf8(order.key.unwrap()).unwrap().starts_with("spree:"));
}

/// However short a batch is to wait: while one is on its way, what comes meanwhile becomes one, and not as many as could be read
/// in that time.
#[test]
fn what_comes_while_a_transaction_commits_is_one_batch() {
    let stage = Stage::new();
    let sent = stage.send(600);
    stage.cluster.broker_round_trip_time(1, Duration::from_millis(100)).unwrap();
    let limits = Limits { records: 1000, bytes: 64 << 20, wait: Duration::from_millis(1) };
    let handle = start(Plan { limits, ..stage.plan(true) });
    stage.until_done(sent.len());
    stop(handle);
    let transactions = stage.metric("koine_transactions_total{result=\"committed\"}");
    assert!((1.0..=20.0).contains(&transactions), "{transactions} transactions");
}

/// A batch that cannot be delivered stops the reading in the end, however few come meanwhile, and says so.
#[test]
fn a_batch_that_is_long_on_its_way_is_waited_for() {
    let stage = Stage::new();
    let limits = Limits { records: 1000, bytes: 64 << 20, wait: Duration::from_millis(1) };
    let handle = start(Plan { limits, ..stage.plan(true) });
    let mut sent = stage.send(10).len();
    stage.until_done(sent);
    stage.cluster.request_errors(RDKafkaApiKey::EndTxn, &[RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE; 60]);
    let is_held = || {
        let page = stage.metrics.render(Exposition::Prometheus);
        let mut lines = page.lines().filter(|line| line.starts_with("koine_partition_paused{"));
        lines.any(|line| line.contains("backpressure") && line.ends_with(" 1"))
    };
    let until = Instant::now() + LONG;
    while !is_held() {
        assert!(Instant::now() < until, "it reads on and on");
        sent += stage.send(3).len();
        std::thread::sleep(Duration::from_millis(100));
    }
    stage.cluster.clear_request_errors(RDKafkaApiKey::EndTxn);
    stage.until_done(sent);
    stop(handle);
}

/// Two brokers, of which the first coordinates the group, and can leave for good.
struct TwoBrokers {
    stage: Stage,
    /// The wrapper takes no broker away, and tells nobody of its cluster but the client that it belongs to, which lives on.
    owner: &'static BaseProducer,
}

impl TwoBrokers {
    fn new() -> TwoBrokers {
        let owner: BaseProducer = ClientConfig::new().set("test.mock.num.brokers", "2").create().unwrap();
        let owner: &'static BaseProducer = Box::leak(Box::new(owner));
        let brokers = TwoBrokers { stage: Stage::on(owner.client().mock_cluster().unwrap()), owner };
        brokers.coordinator(1);
        brokers
    }

    fn coordinator(&self, broker: i32) {
        self.stage.cluster.coordinator(MockCoordinator::Group("koine".to_owned()), broker).unwrap();
    }

    fn first_leaves(&self) {
        // SAFETY: the client, and so its cluster, is never dropped.
        let gone = unsafe {
            let cluster = bindings::rd_kafka_handle_mock_cluster(self.owner.client().native_ptr());
            bindings::rd_kafka_mock_broker_decommission(cluster, 1)
        };
        assert_eq!(gone, RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR);
        self.coordinator(2);
    }

    /// A partition goes to another member and comes back, so that where it starts is asked again.
    fn partitions_go_and_come(&self) {
        let other = self.stage.start(false);
        let until = Instant::now() + LONG;
        while self.stage.metric("koine_rebalances_total{kind=\"assign\"}") < 2.0 {
            assert!(Instant::now() < until, "the other has no partition");
            std::thread::sleep(Duration::from_millis(50));
        }
        stop(other);
    }
}

/// librdkafka keeps the group's coordinator in mind and does not look again (its issue 5511): where partitions start is told to every
/// client but to this one.
fn outlives_its_coordinator(leave: fn(&TwoBrokers)) -> TwoBrokers {
    let brokers = TwoBrokers::new();
    let handle = brokers.stage.start(false);
    let mut sent = brokers.stage.send(60);
    brokers.stage.until_done(sent.len());
    leave(&brokers);
    brokers.partitions_go_and_come();
    sent.extend(brokers.stage.send(60));
    brokers.stage.until_done(sent.len());
    stop(handle);
    check(&brokers.stage, &sent, false);
    brokers
}

#[test]
fn a_consumer_outlives_its_coordinator() {
    let brokers = outlives_its_coordinator(TwoBrokers::first_leaves);
    assert!(brokers.stage.metric("koine_rebuilds_total{reason=\"coordinator_lost\"}") >= 1.0, "it got on by chance");
}

/// The producer asks it too, for each transaction, and a call of it that is not answered never comes back.
#[test]
fn a_producer_outlives_its_groups_coordinator() {
    let brokers = TwoBrokers::new();
    let name = "koine-one-0".to_owned();
    brokers.stage.cluster.coordinator(MockCoordinator::Transaction(name), 2).unwrap();
    let plan = Plan { instance: Some("one".to_owned()), ..brokers.stage.plan(true) };
    let handle = start(Plan { transaction_timeout: Duration::from_secs(60), ..plan });
    let mut sent = brokers.stage.send(60);
    brokers.stage.until_done(sent.len());
    brokers.first_leaves();
    sent.extend(brokers.stage.send(60));
    brokers.stage.until_done(sent.len());
    stop(handle);
    // The embedded brokers show what was aborted, too.
    check(&brokers.stage, &sent, false);
    let lost = brokers.stage.metric("koine_rebuilds_total{reason=\"coordinator_lost\"}");
    assert!(lost >= 1.0, "it got on by chance");
}

/// The old one is there, and is none any more.
#[test]
fn a_consumer_follows_a_coordinator_that_moves() {
    outlives_its_coordinator(|brokers| brokers.coordinator(2));
}

/// Whether its clients wait for it or have lost it meanwhile.
#[test]
fn a_coordinator_that_comes_back_is_found() {
    let brokers = TwoBrokers::new();
    let handle = brokers.stage.start(false);
    let mut sent = brokers.stage.send(60);
    brokers.stage.until_done(sent.len());
    for topic in [RAW, DEAD].iter().chain(&CANONICAL) {
        (0..PARTITIONS).for_each(|nth| brokers.stage.cluster.partition_leader(topic, nth, Some(2)).unwrap());
    }
    brokers.stage.cluster.broker_down(1).unwrap();
    sent.extend(brokers.stage.send(60));
    std::thread::sleep(Duration::from_secs(8));
    brokers.stage.cluster.broker_up(1).unwrap();
    sent.extend(brokers.stage.send(60));
    brokers.stage.until_done(sent.len());
    stop(handle);
    check(&brokers.stage, &sent, false);
}

/// One pattern, several topics; and one that the pattern matches too, but another source names. Each record is read by the
/// settings of its own source, and a dead letter is the envelope as it came.
#[test]
fn a_pattern_is_many_topics_and_a_name_goes_before_it() {
    let stage = Stage::new();
    let topics = ["raw.gate.a", "raw.gate.b", "raw.gate.plain"];
    for topic in topics {
        stage.cluster.create_topic(topic, PARTITIONS, 1).unwrap();
        stage.cluster.create_topic(&format!("dlq.{topic}"), PARTITIONS, 1).unwrap();
    }
    let yaml =
        "sources: [{topics: ['^raw\\.gate\\.'], payload_pointer: /body}, {topics: [raw.gate.plain], shop: plain}]";
    let context = Context { vendors: &["spree"], librdkafka: "2.12.1", time_zone: |_| false, required: &[] };
    let config = Config::parse(yaml, [], &context).unwrap();
    let settings = |source: &Source| SourceSettings {
        shop: source.shop.clone(),
        payload_pointer: source.payload_pointer.clone(),
        ..SourceSettings::default()
    };
    let plan = Plan {
        topics: config.subscription().into_iter().map(str::to_owned).collect(),
        sources: config.sources.iter().map(settings).collect(),
        source_of: Box::new(move |topic| config.source_of(topic)),
        ..stage.plan(true)
    };
    let order = String::from_utf8(order()).unwrap();
    let quoted = serde_json::Value::from(order.as_str()).to_string();
    let sent = [
        (topics[0], format!(r#"{{"secret":"CANARY","body":{order}}}"#)),
        (topics[1], format!(r#"{{"secret":"CANARY","body":{quoted}}}"#)),
        (topics[1], format!(r#"{{"secret":"CANARY","body":[{order},7,{order}]}}"#)),
        (topics[1], " {\"secret\" : \"CANARY\",\n\"body\":\"{\\\"name\\\"\"} ".to_owned()),
        (topics[0], order.clone()),
        (topics[2], order.clone()),
        (topics[2], format!(r#"{{"body":{order}}}"#)),
    ];
    let producer: BaseProducer = stage.client().create().unwrap();
    for (topic, value) in &sent {
        producer
            .send(BaseRecord::<(), str>::to(topic).partition(1).payload(value))
            .map_err(|(error, _)| error)
            .unwrap();
    }
    producer.flush(LONG).unwrap();
    let handle = start(plan);
    stage.until_done(9);
    stop(handle);
    let mut keys: Vec<String> =
        stage.read(CANONICAL[2]).iter().map(|one| String::from_utf8(one.key.clone().unwrap()).unwrap()).collect();
    keys.sort();
    let at = |shop: &str| format!("spree:{shop}:order:or_m3Rp9wXz");
    assert_eq!(keys, [at("default"), at("default"), at("default"), at("default"), at("plain")]);
    let canonical = stage.read(CANONICAL[2]);
    assert!(canonical.iter().all(|one| !String::from_utf8_lossy(one.value.as_ref().unwrap()).contains("CANARY")));
    let dead = |topic: &str| {
        let read = stage.read(&format!("dlq.{topic}"));
        let told = |one: &Read| {
            let header = |name: &str| one.header(name).unwrap_or_default();
            assert!(!format!("{:?}", one.headers).contains("CANARY"));
            let what =
                [header("koine.error.code"), header("koine.error.pointer"), header("koine.event.index")].join(" ");
            (what, String::from_utf8(one.value.clone().unwrap()).unwrap())
        };
        read.iter().map(told).collect::<Vec<_>>()
    };
    let due = |what: &str, nth: usize| (what.to_owned(), sent[nth].1.clone());
    assert_eq!(dead(topics[0]), [due("envelope.missing /body ", 4)]);
    assert_eq!(dead(topics[1]), [due("envelope.unknown_vendor  1", 2), due("json.syntax /body ", 3)]);
    assert_eq!(dead(topics[2]), [due("envelope.unknown_vendor  ", 6)]);
}

#[test]
fn at_least_once_brings_everything_too() {
    let stage = Stage::new();
    let sent = stage.send(600);
    let handle = stage.start(false);
    stage.until_done(sent.len());
    stop(handle);
    stage.until_committed(sent.len());
    check(&stage, &sent, true);
}

/// A rebalance that ends while a commit is on its way has it refused, and who has read all there is has no other to come.
#[test]
fn a_commit_that_is_refused_is_made_again_though_nothing_more_comes() {
    for (refused, stops_at_once) in [(5, false), (3, true)] {
        let stage = Stage::new();
        let sent = stage.send(200);
        stage
            .cluster
            .request_errors(RDKafkaApiKey::OffsetCommit, &vec![RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS; refused]);
        let handle = stage.start(false);
        stage.until_done(sent.len());
        let handle = if stops_at_once {
            stop(handle);
            None
        } else {
            Some(handle)
        };
        stage.until_committed(sent.len());
        handle.into_iter().for_each(stop);
        check(&stage, &sent, true);
        let commits = |result: &str| stage.metric(&format!("koine_commits_total{{result=\"{result}\"}}"));
        assert_eq!((commits("failed"), commits("ok") >= 1.0), (refused as f64, true));
    }
}

#[test]
fn a_second_start_goes_on_where_the_first_stopped() {
    let stage = Stage::new();
    let mut sent = stage.send(120);
    let handle = stage.start(false);
    stage.until_done(sent.len());
    stop(handle);
    stage.until_committed(120);
    let producer: BaseProducer = stage.client().create().unwrap();
    let more = Sent { partition: 1, key: "raw-120".to_owned(), value: Some(b"[]".to_vec()) };
    stage.send_one(&producer, &more);
    producer.flush(LONG).unwrap();
    sent.push(more);
    let handle = stage.start(false);
    stage.until_done(sent.len());
    stop(handle);
    stage.until_committed(121);
    check(&stage, &sent, true);
}

/// Starts, breaks the requests of one kind in turn, and looks that nothing is lost.
fn survives(exactly_once: bool, key: RDKafkaApiKey, errors: &[RDKafkaRespErr]) -> Stage {
    let stage = Stage::new();
    // First the records, since their own way in would meet the errors too.
    let sent = stage.send(200);
    stage.cluster.request_errors(key, errors);
    let handle = stage.start(exactly_once);
    stage.until_done(sent.len());
    stop(handle);
    check(&stage, &sent, false);
    stage
}

use RDKafkaRespErr::*;

#[test]
fn retriable_errors_of_the_transaction_are_waited_for() {
    survives(
        true,
        RDKafkaApiKey::EndTxn,
        &[RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_COORDINATOR],
    );
    survives(true, RDKafkaApiKey::AddOffsetsToTxn, &[RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS]);
    survives(true, RDKafkaApiKey::InitProducerId, &[RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE]);
}

#[test]
fn a_commit_that_is_never_answered_ends_with_its_producer() {
    let stage = Stage::new();
    let mut plan = stage.plan(true);
    plan.transaction_timeout = Duration::from_secs(1);
    stage.cluster.request_errors(RDKafkaApiKey::EndTxn, &[RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE; 1000]);
    let handle = start(plan);
    let sent = stage.send(200);
    let is_stuck = || stage.metric("koine_rebuilds_total{reason=\"transaction_stuck\"}") > 0.0;
    let until = Instant::now() + LONG;
    while !is_stuck() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(is_stuck(), "it has asked for longer than the transaction can live");
    stage.cluster.clear_request_errors(RDKafkaApiKey::EndTxn);
    stage.until_done(sent.len());
    stop(handle);
    check(&stage, &sent, false);
}

#[test]
fn an_aborted_transaction_is_done_again() {
    let stage = survives(true, RDKafkaApiKey::TxnOffsetCommit, &[RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION]);
    assert!(stage.metric("koine_transactions_total{result=\"aborted\"}") >= 1.0);
    survives(true, RDKafkaApiKey::AddPartitionsToTxn, &[RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED]);
}

#[test]
fn a_fenced_producer_is_made_anew() {
    let stage = survives(true, RDKafkaApiKey::EndTxn, &[RD_KAFKA_RESP_ERR_PRODUCER_FENCED]);
    assert!(stage.metric("koine_rebuilds_total{reason=\"producer_fenced\"}") >= 1.0);
}

#[test]
fn a_fatal_error_of_the_producer_is_survived() {
    let stage = survives(true, RDKafkaApiKey::EndTxn, &[RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED]);
    assert!(stage.metric("koine_rebuilds_total{reason=\"producer_fatal\"}") >= 1.0);
    assert!(stage.metric("koine_producer_fatal_errors_total{code=\"cluster_authorization_failed\"}") >= 1.0);
}

#[test]
fn a_broker_that_refuses_to_store_is_tried_again() {
    let errors = [RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR];
    survives(true, RDKafkaApiKey::Produce, &errors);
    survives(false, RDKafkaApiKey::Produce, &errors);
}

/// The poll loop alone hangs, in the one place that a plan can make it wait; every other thread goes on.
#[test]
fn a_poll_loop_that_hangs_is_dead_until_it_goes_on() {
    let stage = Stage { health: Arc::new(Health::new(Duration::from_secs(1))), ..Stage::new() };
    let is_hanging = Arc::new(AtomicBool::new(false));
    let gate = Arc::clone(&is_hanging);
    let mut plan = stage.plan(true);
    plan.source_of = Box::new(move |topic| {
        while gate.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(5));
        }
        (topic == RAW).then_some(0)
    });
    let handle = start(plan);
    let wait = |what: &dyn Fn() -> bool| {
        let until = Instant::now() + LONG;
        while !what() {
            assert!(Instant::now() < until, "{:?} {:?}", stage.health.dead(), stage.health.not_ready());
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    stage.health.schemas_pinned(true);
    wait(&|| stage.health.not_ready().is_empty());
    is_hanging.store(true, Ordering::Release);
    stage.send(20);
    wait(&|| !stage.health.dead().is_empty());
    assert!(stage.health.dead()[0].starts_with("worker 0 has not polled for"), "{:?}", stage.health.dead());
    assert!(!handle.is_finished());
    is_hanging.store(false, Ordering::Release);
    wait(&|| stage.health.dead().is_empty());
    stage.until_done(20);
    stop(handle);
}

#[test]
fn a_record_that_is_too_large_is_a_dead_letter_and_its_siblings_pass() {
    for exactly_once in [true, false] {
        let stage = Stage::new();
        let order = order();
        let producer: BaseProducer = stage.client().set("linger.ms", "50").create().unwrap();
        for nth in 0..20 {
            let one = Sent { partition: 0, key: format!("raw-{nth}"), value: Some(order.clone()) };
            stage.send_one(&producer, &one);
        }
        producer.flush(LONG).unwrap();
        // The first answer refuses whatever travelled together, the second the first of them that is tried alone.
        let too_large = RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
        stage.cluster.request_errors(RDKafkaApiKey::Produce, &[too_large, too_large]);
        let handle = stage.start(exactly_once);
        stage.until_done(20);
        stop(handle);
        let dead = stage.read(DEAD);
        assert_eq!(dead.len(), 1, "{dead:?}");
        assert_eq!(dead[0].header("koine.error.code").as_deref(), Some("record.too_large"));
        assert_eq!(dead[0].header("koine.error.class").as_deref(), Some("limit"));
        assert_eq!(dead[0].header("koine.event.type").as_deref(), Some("order.completed"));
        assert_eq!(dead[0].value.as_deref(), Some(&*order), "the raw record, byte for byte");
        assert_eq!(
            stage.metric(
                "koine_records_outcome_total{event_type=\"order.completed\",outcome=\"event\",vendor=\"spree\"}"
            ),
            19.0
        );
        assert_eq!(
            stage.metric(
                "koine_dead_letters_total{error_class=\"limit\",error_code=\"record.too_large\",vendor=\"spree\"}"
            ),
            1.0
        );
    }
}

#[test]
fn a_dead_letter_that_is_too_large_leaves_its_value_behind() {
    let stage = Stage::new();
    let mut plan = stage.plan(true);
    // The client's own limit, so that it refuses before anything is sent.
    plan.connection.properties = vec![("message.max.bytes".to_owned(), "20000".to_owned())];
    let handle = start(plan);
    let producer: BaseProducer = stage.client().create().unwrap();
    let large = [b"{".to_vec(), vec![b' '; 50_000]].concat();
    stage.send_one(&producer, &Sent { partition: 2, key: "raw-0".to_owned(), value: Some(large.clone()) });
    stage.send_one(&producer, &Sent { partition: 2, key: "raw-1".to_owned(), value: Some(b"{".to_vec()) });
    producer.flush(LONG).unwrap();
    stage.until_done(2);
    stop(handle);
    let dead = stage.read(DEAD);
    assert_eq!(dead.len(), 2);
    assert_eq!(dead[0].value, None);
    assert_eq!(dead[0].key.as_deref(), Some(&b"raw-0"[..]));
    assert_eq!(dead[0].header("koine.value.bytes"), Some(large.len().to_string()));
    assert_eq!(dead[0].header("koine.value.sha256").map(|hash| hash.len()), Some(64));
    assert_eq!(dead[0].header("koine.error.code").as_deref(), Some("json.syntax"));
    assert_eq!(dead[1].value.as_deref(), Some(&b"{"[..]));
}

#[test]
fn a_full_queue_is_waited_for() {
    let stage = Stage::new();
    let sent = stage.send(600);
    let mut plan = stage.plan(true);
    plan.limits.records = 500;
    plan.connection.properties = vec![("queue.buffering.max.messages".to_owned(), "10".to_owned())];
    let handle = start(plan);
    stage.until_done(sent.len());
    stop(handle);
    check(&stage, &sent, true);
}

#[test]
fn brokers_that_go_away_are_waited_for() {
    let stage = Stage::new();
    let mut sent = stage.send(100);
    let handle = stage.start(true);
    stage.until_done(sent.len());
    sent.extend((100..130).map(|nth| Sent {
        partition: nth % PARTITIONS,
        key: format!("raw-{nth}"),
        value: Some(b"{".to_vec()),
    }));
    let producer: BaseProducer = stage.client().create().unwrap();
    for one in sent.iter().skip(100) {
        stage.send_one(&producer, one);
    }
    producer.flush(LONG).unwrap();
    stage.cluster.broker_down(-1).unwrap();
    std::thread::sleep(Duration::from_secs(3));
    assert!(!handle.is_finished(), "an outage ends nothing");
    assert_eq!(stage.health.dead(), Vec::<String>::new(), "nor is it a reason to be restarted");
    stage.cluster.broker_up(-1).unwrap();
    stage.until_done(sent.len());
    stop(handle);
    check(&stage, &sent, false);
}

#[test]
fn a_partition_without_a_leader_keeps_no_other_waiting() {
    let stage = Stage::new();
    let sent = stage.send(90);
    stage.cluster.partition_leader(RAW, 1, None).unwrap();
    let handle = stage.start(true);
    stage.until_done(60);
    stage.cluster.partition_leader(RAW, 1, Some(1)).unwrap();
    stage.until_done(90);
    stop(handle);
    check(&stage, &sent, true);
}

#[test]
fn a_stop_while_the_brokers_are_away_takes_no_longer_than_the_drain_time() {
    let stage = Stage::new();
    let sent = stage.send(100);
    let handle = stage.start(true);
    stage.until_done(sent.len());
    stage.cluster.broker_down(-1).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let started = Instant::now();
    handle.stop();
    assert_eq!(handle.wait(), Exit::Stopped);
    assert!(started.elapsed() < Duration::from_secs(23), "{:?}", started.elapsed());
}

#[test]
fn two_workers_share_the_partitions() {
    let stage = Stage::new();
    let mut sent = stage.send(300);
    let mut plan = stage.plan(true);
    plan.workers = 2;
    let handle = start(plan);
    stage.until_done(sent.len());
    let more = stage.send(300);
    sent.extend(more.into_iter().enumerate().map(|(nth, one)| Sent { key: format!("raw-{nth}"), ..one }));
    stage.until_done(sent.len());
    stop(handle);
    let (events, dead, _) = expected(&sent);
    let read: usize = CANONICAL.iter().map(|topic| stage.read(topic).len()).sum();
    assert!(read >= events.values().map(Vec::len).sum());
    assert!(stage.read(DEAD).len() >= dead.len());
}

#[test]
fn missing_topics_are_waited_for() {
    let stage = Stage::new();
    let mut plan = stage.plan(true);
    plan.outputs = Outputs::new([CANONICAL[0], CANONICAL[1], CANONICAL[2], "commerce.product.v9"], "dlq.", false);
    let sent = stage.send(30);
    let handle = start(plan);
    std::thread::sleep(Duration::from_secs(1));
    assert!(!handle.is_finished());
    assert!(stage.health.not_ready().contains(&"no worker".to_owned()));
    stage.cluster.create_topic("commerce.product.v9", PARTITIONS, 1).unwrap();
    stage.until_done(sent.len());
    stop(handle);
}

#[test]
fn what_librdkafka_does_not_know_is_said_at_start() {
    let stage = Stage::new();
    let mut plan = stage.plan(true);
    plan.connection.properties = vec![("linger.mss".to_owned(), "5".to_owned())];
    let Err(Exit::Misconfigured(why)) = Service::start(plan) else { panic!("started") };
    assert!(why.contains("linger.mss"), "{why}");
    let mut plan = stage.plan(true);
    plan.group_protocol = "consumer".to_owned();
    assert!(matches!(Service::start(plan), Err(Exit::Misconfigured(_))));
}

const MARKERS: &str = "dlq.raw.spree.redriven";

impl Stage {
    /// Raw records that were all refused, since nothing was admitted that has a body.
    fn refused(bodies: &[Vec<u8>]) -> Stage {
        let stage = Stage::new();
        stage.cluster.create_topic(MARKERS, PARTITIONS, 1).unwrap();
        let producer: BaseProducer = stage.client().create().unwrap();
        for (nth, body) in bodies.iter().enumerate() {
            let one = Sent { partition: 1, key: format!("raw-{nth}"), value: Some(body.clone()) };
            stage.send_one(&producer, &one);
        }
        producer.flush(LONG).unwrap();
        let mut plan = stage.plan(true);
        plan.sources = vec![SourceSettings { max_body: 1, ..SourceSettings::default() }];
        let handle = start(plan);
        stage.until_done(bodies.len());
        stop(handle);
        assert_eq!(stage.read(DEAD).len(), bodies.len());
        stage
    }

    /// Redrives everything with the usual settings.
    fn redrive(&self, properties: &[(&str, &str)], is_dry: bool) -> Fates {
        self.try_redrive(properties, is_dry).unwrap()
    }

    fn try_redrive(&self, properties: &[(&str, &str)], is_dry: bool) -> Result<Fates, Fault> {
        let mut plan = self.plan(true);
        plan.connection.properties = properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let filter = Filter::default();
        let mut lanes = lanes::lanes(&plan.connection, &plan.outputs, |topic| topic == RAW, &[], &filter).unwrap();
        lanes::prepare_markers(&plan.connection, &mut lanes, false).unwrap();
        assert_eq!(lanes.len(), PARTITIONS as usize);
        let job = Job {
            connection: &plan.connection,
            outputs: &plan.outputs,
            policy: &plan.dead_letters,
            settings_of: &|_| SourceSettings::default(),
            schemas: (!is_dry).then_some(plan.schemas),
            filter: &filter,
            headers: None,
            limits: plan.limits,
            key: None,
            rate: None,
            transaction_timeout: plan.transaction_timeout,
        };
        let mut groups = Groups::default();
        redrive::run(&job, &lanes, &mut groups, &mut |_| {}).map(|()| groups.total().1)
    }

    fn sizes(&self) -> [usize; 3] {
        [CANONICAL[2], DEAD, MARKERS].map(|topic| self.read(topic).len())
    }
}

#[test]
fn what_was_refused_comes_through_once_when_its_cause_is_mended() {
    let list = [b"[".to_vec(), order(), b",{},".to_vec(), order(), b"]".to_vec()].concat();
    let stage = Stage::refused(&[order(), b"{\"name\":".to_vec(), list]);
    let due = Fates { events: 1, again: 2, ..Fates::default() };
    assert_eq!(stage.redrive(&[], true), due);
    assert_eq!(stage.sizes(), [0, 3, 0], "a dry run writes nothing");
    assert_eq!(stage.redrive(&[], false), due);
    // Of the list two elements are events, and one is a letter of its own.
    let markers: Vec<(String, String)> = stage
        .read(MARKERS)
        .into_iter()
        .map(|one| {
            (one.key.map(String::from_utf8).unwrap().unwrap(), one.value.map(String::from_utf8).unwrap().unwrap())
        })
        .collect();
    let marker = |place: &str, outcome: &str| (format!("raw.spree/1/{place}/-"), format!("0 {outcome}"));
    assert_eq!(markers, [marker("0", "event"), marker("1", "dead_letter"), marker("2", "dead_letter")]);
    let orders = stage.read(CANONICAL[2]);
    assert_eq!(orders.len(), 3);
    assert!(orders.iter().all(|one| one.timestamp == Some(1_700_000_000_000)));
    let renewed: Vec<Read> = stage.read(DEAD).split_off(3);
    let told = |one: &Read| {
        ["koine.error.code", "koine.event.index", "__dlq.errors.offset", "koine.redrive.count"]
            .map(|name| one.header(name).unwrap_or_default())
            .join(" ")
    };
    assert_eq!(
        renewed.iter().map(told).collect::<Vec<_>>(),
        ["json.syntax  1 1", "envelope.unknown_vendor 1 2 1"],
        "the letter of the list is now one of its element"
    );
    let first = stage.read(DEAD);
    assert_eq!(
        (&renewed[0].value, &renewed[0].key, renewed[0].timestamp),
        (&first[1].value, &first[1].key, first[1].timestamp)
    );
    assert_eq!(renewed[0].headers[..4], first[1].headers[..4], "the raw record's own headers");

    // Once more: what is done is done, and what is refused as before stays as it is.
    let sizes = stage.sizes();
    assert_eq!(stage.redrive(&[], false), Fates { done: 3, unchanged: 2, ..Fates::default() });
    assert_eq!(stage.sizes(), sizes);
}

#[test]
fn a_redriven_record_that_no_topic_takes_is_renewed_and_its_siblings_pass() {
    let order = String::from_utf8(order()).unwrap();
    let padded = order.replacen('{', &format!("{{\"padding\":\"{}\",", "x".repeat(50_000)), 1);
    let stage = Stage::refused(&[order.clone().into_bytes(), padded.into_bytes(), order.clone().into_bytes()]);
    // The client's own limit, so that it refuses before anything is sent.
    let fates = stage.redrive(&[("message.max.bytes", "20000")], false);
    assert_eq!(fates, Fates { events: 2, again: 1, ..Fates::default() });
    let renewed = stage.read(DEAD).pop().unwrap();
    assert_eq!(renewed.header("koine.error.code").as_deref(), Some("record.too_large"));
    assert_eq!(renewed.value, None, "it is too large for the dead-letter topic, too");
    assert_eq!(renewed.header("koine.value.sha256").map(|hash| hash.len()), Some(64));
    assert_eq!(stage.sizes(), [2, 4, 3]);
    let pointer = Fates { done: 3, pointers: 1, ..Fates::default() };
    assert_eq!(stage.redrive(&[], false), pointer, "what is not there cannot be translated");

    // A broker's refusal, of a letter that travels alone.
    let stage = Stage::refused(&[order.into_bytes()]);
    stage.cluster.request_errors(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE]);
    assert_eq!(stage.redrive(&[], false), Fates { again: 1, ..Fates::default() });
    let renewed = stage.read(DEAD).pop().unwrap();
    assert_eq!(renewed.header("koine.error.code").as_deref(), Some("record.too_large"));
    assert!(renewed.value.is_some());
    // Once more: a dry run cannot know, and what is refused as before adds nothing.
    let sizes = stage.sizes();
    assert_eq!(stage.redrive(&[], true), Fates { done: 1, untried: 1, ..Fates::default() });
    stage.cluster.request_errors(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE]);
    assert_eq!(stage.redrive(&[], false), Fates { done: 1, unchanged: 1, ..Fates::default() });
    assert_eq!(stage.sizes(), sizes);
    // The topic takes it now.
    assert_eq!(stage.redrive(&[], false), Fates { done: 1, events: 1, ..Fates::default() });
    assert_eq!(stage.redrive(&[], false), Fates { done: 2, ..Fates::default() });
}

#[test]
fn a_redrive_survives_what_brokers_do_and_ends_where_another_takes_over() {
    for (key, errors) in [
        (RDKafkaApiKey::EndTxn, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS; 3][..]),
        (RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS][..]),
        (RDKafkaApiKey::AddPartitionsToTxn, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED][..]),
    ] {
        let stage = Stage::refused(&[order(), order()]);
        stage.cluster.request_errors(key, errors);
        assert_eq!(stage.redrive(&[], false), Fates { events: 2, ..Fates::default() }, "{key:?}");
    }
    let stage = Stage::refused(&[order(), order()]);
    stage.cluster.request_errors(RDKafkaApiKey::EndTxn, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_PRODUCER_FENCED]);
    let taken_over = Fault::Fenced("another redrive has taken over dlq.raw.spree [1]".to_owned());
    assert_eq!(stage.try_redrive(&[], false), Err(taken_over));
}
