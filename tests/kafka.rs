//! The pipeline on a real Kafka, where transactions are transactions: nothing is lost and nothing is doubled while
//! workers come and go, fence each other and meet records that no topic takes; and what is gone stops its partition.
//!
//! `tests/run` starts the broker and runs these; by hand: `KOINE_TEST_BROKERS=host:port cargo test --test kafka`. Every test
//! makes topics of its own.

mod shared;

use koine::codec::SchemaIds;
use koine::http::Health;
use koine::kafka::{
    Connection, Consumer as Ours, ConsumerSettings, NextOffset, Polled, Read, Reader, Stretch, TopicPartition,
};
use koine::pipeline::{Exit, Handle, Limits, Outputs, Plan, Policy, Service, tables};
use koine::telemetry::{BuildInfo, Exposition, Metrics};
use koine::translate::SourceSettings;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ThreadedProducer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use shared::BREAKER;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const PARTITIONS: i32 = 6;
const LONG: Duration = Duration::from_secs(90);
/// Of so many records one cannot be read.
const BROKEN_ONE_IN: usize = 50;

struct World {
    brokers: String,
    /// A name that no other run has: of the group, and in all topics.
    run: String,
    metrics: Arc<Metrics>,
    runtime: tokio::runtime::Runtime,
    body: String,
}

impl World {
    fn new(test: &str) -> World {
        if let Ok(level) = std::env::var("KOINE_LOG") {
            let _ = koine::telemetry::init(false, &level);
        }
        let brokers = std::env::var("KOINE_TEST_BROKERS").expect("KOINE_TEST_BROKERS names the brokers");
        let build = BuildInfo { version: "test", build: "test".to_owned(), librdkafka: "test".to_owned() };
        let body = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bodies/spree/order.completed.json");
        let nanos = std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos();
        let world = World {
            brokers,
            run: format!("{test}-{}-{nanos}", std::process::id()),
            metrics: Arc::new(Metrics::new(tables(), &["customer", "cart", "order", "product"], &build).unwrap()),
            runtime: tokio::runtime::Builder::new_current_thread().build().unwrap(),
            body: fs::read_to_string(body).unwrap(),
        };
        world.create(&world.raw(), PARTITIONS, None);
        world
    }

    fn raw(&self) -> String {
        format!("raw.{}", self.run)
    }

    fn dead(&self) -> String {
        format!("dlq.{}", self.raw())
    }

    fn canonical(&self) -> [String; 4] {
        ["customer", "cart", "order", "product"].map(|kind| format!("{}.{kind}", self.run))
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().unwrap()
    }

    fn create(&self, name: &str, partitions: i32, max_bytes: Option<&str>) {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        if let Some(bytes) = max_bytes {
            topic = topic.set("max.message.bytes", bytes);
        }
        let made = self.runtime.block_on(self.admin().create_topics([&topic], &AdminOptions::new())).unwrap();
        assert!(made.iter().all(Result::is_ok), "{made:?}");
    }

    /// Deletes the records of a partition before an offset.
    fn delete_before(&self, partition: i32, offset: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.raw(), partition, Offset::Offset(offset)).unwrap();
        self.runtime.block_on(self.admin().delete_records(&list, &AdminOptions::new())).unwrap();
    }

    /// Sends orders, each with an id of its own, over all partitions in turn. `grown`: of which ones the canonical record
    /// is large, however well it is compressed.
    fn send(&self, from: usize, count: usize, grown: impl Fn(usize) -> bool) {
        self.send_over(from, count, PARTITIONS, grown);
    }

    fn send_over(&self, from: usize, count: usize, partitions: i32, grown: impl Fn(usize) -> bool) {
        let mut config = self.client();
        let producer: BaseProducer = config.set("enable.idempotence", "true").set("linger.ms", "20").create().unwrap();
        for nth in from..from + count {
            let mut body = match is_broken(nth) {
                true => "{".to_owned(),
                false => self.body.replace("550e8400-e29b-41d4-a716-446655440000", &format!("evt-{nth}")),
            };
            if grown(nth) {
                let field = format!("\"noise\": \"{}\", \"number\"", noise(nth as u64 + 1));
                body = body.replacen("\"number\"", &field, 1);
            }
            let key = format!("raw-{nth}");
            let partition = (nth % partitions as usize) as i32;
            let topic = self.raw();
            let record = BaseRecord::<str, str, ()>::to(&topic).partition(partition).key(&key).payload(&body);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(LONG).unwrap();
    }

    /// A record that cannot be read in every partition, all of one transaction.
    fn transaction(&self, key: &str, commits: bool) {
        let mut config = self.client();
        let producer: ThreadedProducer<_> = config.set("transactional.id", &self.run).create().unwrap();
        producer.init_transactions(LONG).unwrap();
        producer.begin_transaction().unwrap();
        let raw = self.raw();
        for partition in 0..PARTITIONS {
            let record = BaseRecord::<str, str, ()>::to(&raw).partition(partition).key(key).payload("{");
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        match commits {
            true => producer.commit_transaction(LONG).unwrap(),
            // What was only queued would leave no trace.
            false => producer.flush(LONG).and_then(|()| producer.abort_transaction(LONG)).unwrap(),
        }
    }

    fn consumer(&self, properties: Vec<(String, String)>) -> Ours {
        Ours::open(&ConsumerSettings {
            connection: Connection { bootstrap_servers: self.brokers.clone(), properties, credentials: None },
            group: self.run.clone(),
            group_protocol: "classic".to_owned(),
            topics: vec![self.raw()],
            accept_loss: false,
            worker: 0,
        })
        .unwrap()
    }

    fn plan(&self) -> Plan {
        let [customer, cart, order, product] = self.canonical();
        let raw = self.raw();
        Plan {
            connection: Connection {
                bootstrap_servers: self.brokers.clone(),
                properties: Vec::new(),
                credentials: None,
            },
            group: self.run.clone(),
            group_protocol: "classic".to_owned(),
            topics: vec![raw.clone()],
            source_of: Box::new(move |topic| (topic == raw).then_some(0)),
            sources: vec![SourceSettings::default()],
            any_source: SourceSettings::default(),
            outputs: Outputs::new([&customer, &cart, &order, &product], "dlq.", true),
            schemas: SchemaIds { customer: 1, cart: 2, order: 3, product: 4 },
            exactly_once: true,
            workers: 1,
            limits: Limits { records: 500, bytes: 8 << 20, wait: Duration::from_millis(50) },
            transaction_timeout: Duration::from_secs(10),
            drain: Duration::from_secs(8),
            dead_letters: Policy { group: self.run.clone(), ..Policy::default() },
            accept_loss: false,
            breaker: BREAKER,
            only: None,
            expected_every: Vec::new(),
            stuck_after: Duration::from_secs(120),
            instance: None,
            metrics: Arc::clone(&self.metrics),
            traces: None,
            health: Arc::new(Health::new(Duration::from_secs(300))),
        }
    }

    fn start(&self) -> Handle {
        start(self.plan())
    }

    /// A plan that looks every second what topics there are.
    fn attentive(&self) -> Plan {
        let mut plan = self.plan();
        plan.connection.properties = vec![("topic.metadata.refresh.interval.ms".to_owned(), "1000".to_owned())];
        plan
    }

    fn exists(&self, topic: &str) -> bool {
        let metadata = self.admin().inner().fetch_metadata(None, LONG).unwrap();
        metadata.topics().iter().any(|one| one.name() == topic && !one.partitions().is_empty())
    }

    fn delete(&self, topic: &str) {
        let gone = self.runtime.block_on(self.admin().delete_topics(&[topic], &AdminOptions::new())).unwrap();
        assert!(gone.iter().all(Result::is_ok), "{gone:?}");
        while self.exists(topic) {
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The sum of the committed offsets.
    fn committed(&self) -> i64 {
        self.committed_over(PARTITIONS)
    }

    fn committed_over(&self, partitions: i32) -> i64 {
        self.committed_each_of(partitions).map_or(-1, |committed| committed.iter().sum())
    }

    /// The committed offsets; nothing where they are not known for the moment.
    fn committed_each(&self) -> Vec<i64> {
        self.committed_each_of(PARTITIONS).unwrap_or_default()
    }

    fn committed_each_of(&self, partitions: i32) -> Option<Vec<i64>> {
        let mut config = self.client();
        let consumer: BaseConsumer =
            config.set("group.id", &self.run).set("isolation.level", "read_committed").create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&self.raw(), 0, partitions - 1);
        let committed = consumer.committed_offsets(list, Duration::from_secs(10)).ok()?;
        let offset = |offset| if let Offset::Offset(offset) = offset { offset } else { 0 };
        Some(committed.elements().iter().map(|one| offset(one.offset())).collect())
    }

    fn until_committed(&self, count: i64) {
        self.until_committed_over(count, PARTITIONS);
    }

    fn until_committed_over(&self, count: i64, partitions: i32) {
        let until = Instant::now() + LONG;
        loop {
            let committed = self.committed_over(partitions);
            if committed == count {
                return;
            }
            assert!(Instant::now() < until, "{committed} of {count} committed");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// What a committed reader finds: how often each value of a header, or each key, is there.
    fn read(&self, topic: &str, header: Option<&str>) -> BTreeMap<String, usize> {
        let mut found = BTreeMap::new();
        self.each(topic, |message| {
            let value = match header {
                Some(name) => header_of(message, name),
                None => message.key(),
            };
            let text = String::from_utf8(value.unwrap().to_vec()).unwrap();
            *found.entry(text).or_default() += 1;
        });
        found
    }

    /// Of each dead letter the partition that it is from and the one that it is in.
    fn places(&self, topic: &str) -> Vec<(i32, i32)> {
        let mut places = Vec::new();
        self.each(topic, |message| {
            let from = std::str::from_utf8(header_of(message, "__dlq.errors.partition").unwrap()).unwrap();
            places.push((from.parse().unwrap(), message.partition()));
        });
        places
    }

    /// Everything that a committed reader finds.
    fn each(&self, topic: &str, mut seen: impl FnMut(&BorrowedMessage<'_>)) {
        let mut config = self.client();
        config.set("group.id", "reader").set("enable.partition.eof", "true").set("isolation.level", "read_committed");
        let consumer: BaseConsumer = config.create().unwrap();
        let metadata = consumer.fetch_metadata(Some(topic), LONG).unwrap();
        let partitions = metadata.topics()[0].partitions().len() as i32;
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&list).unwrap();
        let mut ends = 0;
        let mut trouble = Vec::new();
        let until = Instant::now() + LONG;
        while ends < partitions {
            assert!(Instant::now() < until, "{topic} could not be read to its end: {trouble:?}");
            match consumer.poll(Duration::from_millis(100)) {
                None => {}
                Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => ends += 1,
                // The client tries again by itself.
                Some(Err(error)) => trouble.push(error),
                Some(Ok(message)) => seen(&message),
            }
        }
    }

    /// That of so many records each has come out once, as an event or as a dead letter.
    fn check(&self, count: usize, is_dead: impl Fn(usize) -> bool) {
        let dead = (0..count).filter(|nth| is_dead(*nth)).count();
        let mut events = BTreeMap::new();
        for topic in self.canonical() {
            events.extend(self.read(&topic, Some("ce_id")));
        }
        let letters = self.read(&self.dead(), None);
        for (what, found, want) in [("events", events, count - dead), ("dead letters", letters, dead)] {
            let doubled = found.values().filter(|times| **times > 1).count();
            assert_eq!((found.len(), doubled), (want, 0), "{what}, and how many of them more than once");
        }
    }

    fn metric(&self, series: &str) -> f64 {
        let page = self.metrics.render(Exposition::Prometheus);
        let line = page.lines().find(|line| line.starts_with(series)).unwrap_or_else(|| panic!("no {series}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }
}

fn header_of<'m>(message: &'m BorrowedMessage<'_>, name: &str) -> Option<&'m [u8]> {
    message.headers()?.iter().find(|one| one.key == name)?.value
}

fn is_broken(nth: usize) -> bool {
    nth % BROKEN_ONE_IN == 7
}

/// Letters without a pattern.
fn noise(mut state: u64) -> String {
    let letter = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'a' + (state % 26) as u8)
    };
    (0..20_000).map(letter).collect()
}

fn start(plan: Plan) -> Handle {
    Service::start(plan).map_err(|exit| format!("{exit:?}")).unwrap()
}

fn stop(handle: Handle) {
    handle.stop();
    assert_eq!(handle.wait(), Exit::Stopped);
}

#[test]
fn workers_that_come_and_go_double_nothing() {
    let world = World::new("rebalance");
    world.send(0, 2000, |_| false);
    let first = world.start();
    let (mut sent, mut others) = (2000, Vec::new());
    for round in 0..6 {
        world.send(sent, 2000, |_| false);
        sent += 2000;
        if round % 2 == 0 {
            others.push(start(Plan { workers: 2, ..world.plan() }));
        } else {
            stop(others.remove(0));
        }
        std::thread::sleep(Duration::from_millis(1500));
    }
    world.until_committed(sent as i64);
    others.into_iter().for_each(stop);
    stop(first);
    world.check(sent, is_broken);
}

#[test]
fn two_processes_with_one_name_fence_each_other_and_double_nothing() {
    let world = World::new("fence");
    world.send(0, 3000, |_| false);
    let named = || start(Plan { instance: Some("one".to_owned()), ..world.plan() });
    let first = named();
    std::thread::sleep(Duration::from_secs(1));
    let second = named();
    world.send(3000, 3000, |_| false);
    std::thread::sleep(Duration::from_secs(5));
    stop(first);
    world.until_committed(6000);
    stop(second);
    assert!(world.metric("koine_rebuilds_total{reason=\"producer_fenced\"}") >= 1.0);
    world.check(6000, is_broken);
}

#[test]
fn records_that_no_topic_takes_are_dead_letters_and_their_siblings_pass() {
    let world = World::new("refused");
    // Neither takes a large record, and the first not even two ordinary ones that travel together.
    world.create(&world.canonical()[2], 3, Some("6000"));
    world.create(&world.dead(), 4, Some("4000"));
    let is_large = |nth| nth % BROKEN_ONE_IN == 13;
    world.send(0, 300, is_large);
    let handle = world.start();
    world.until_committed(300);
    stop(handle);
    world.check(300, |nth| is_broken(nth) || is_large(nth));
    let codes = world.read(&world.dead(), Some("koine.error.code"));
    assert_eq!(codes, BTreeMap::from([("json.syntax".to_owned(), 6), ("record.too_large".to_owned(), 6)]));
}

#[test]
fn what_is_gone_stops_its_partition_until_the_loss_is_accepted() {
    let world = World::new("gone");
    world.send(0, 600, |_| false);
    let handle = world.start();
    world.until_committed(600);
    stop(handle);
    world.send(600, 600, |_| false);
    world.delete_before(0, 150);
    let handle = world.start();
    world.until_committed(1100);
    let stopped = format!("koine_partition_stopped{{partition=\"0\",topic=\"{}\"}}", world.raw());
    assert_eq!(world.metric(&stopped), 50.0, "of the committed 100, and the 150 that is the first there is");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(world.committed(), 1100, "and it stays stopped");
    stop(handle);
    let handle = start(Plan { accept_loss: true, ..world.plan() });
    world.until_committed(1200);
    stop(handle);
}

/// librdkafka fetches nothing more for the time of `fetch.queue.backoff.ms` once it holds so much: a consumer that is
/// assigned, has records before it and gives none.
#[test]
fn a_stuck_consumer_is_noticed_and_made_anew() {
    let world = World::new("stuck");
    let mut plan = world.plan();
    plan.stuck_after = Duration::from_secs(4);
    let property = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    plan.connection.properties = vec![
        property("fetch.queue.backoff.ms", "300000"),
        property("queued.min.messages", "1"),
        property("queued.max.messages.kbytes", "1"),
        property("fetch.message.max.bytes", "400000"),
    ];
    // Many times what a fetch takes. With these settings a consumer gets its first fetch, or none, or on a busy machine
    // some, as librdkafka's threads happen to wake: how often one has to be made is chance, so the rest is read without them.
    world.send_over(0, 3000, 1, |_| false);
    let handle = start(plan);
    let until = Instant::now() + LONG;
    while world.metric("koine_rebuilds_total{reason=\"consumer_stuck\"}") < 2.0 {
        assert!(Instant::now() < until, "nobody noticed");
        std::thread::sleep(Duration::from_millis(100));
    }
    stop(handle);
    assert!(world.metric("koine_consumer_stuck_total") >= 2.0);
    let handle = start(world.plan());
    world.until_committed(3000);
    stop(handle);
    world.check(3000, is_broken);
}

/// Under a backlog librdkafka reads the first partition to its end, then the second: what it has read ahead is soon as much as it
/// may be, and then it forgets whose turn it was (its issue 1854). Here an answer is 20 records of one partition, and a
/// transaction has five: without turns the others had 51 and fewer when the first had all its 600.
#[test]
fn no_partition_is_left_out_while_another_has_a_backlog() {
    const EACH: i64 = 600;
    let world = World::new("turns");
    let mut config = world.client();
    // As they are: packed, one answer would hold them all.
    let producer: BaseProducer = config.set("batch.size", "1000000").set("linger.ms", "20").create().unwrap();
    let topic = world.raw();
    for partition in 0..PARTITIONS {
        for nth in 0..EACH {
            let id = format!("evt-{partition}-{nth}");
            let noise = format!("\"noise\": \"{}\", \"number\"", "n".repeat(50_000));
            let body =
                world.body.replace("550e8400-e29b-41d4-a716-446655440000", &id).replacen("\"number\"", &noise, 1);
            let record = BaseRecord::<str, str, ()>::to(&topic).partition(partition).key(&id).payload(&body);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(LONG).unwrap();
    }
    let mut plan = world.plan();
    plan.limits.records = 5;
    let handle = start(plan);
    let until = Instant::now() + LONG;
    let done = loop {
        let done = world.committed_each();
        if done.contains(&EACH) {
            break done;
        }
        assert!(Instant::now() < until, "{done:?} committed");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(done.iter().all(|&done| done >= EACH / 4), "{done:?} of {EACH} committed, once one had all");
    world.until_committed(EACH * i64::from(PARTITIONS));
    stop(handle);
    let mut events = BTreeMap::new();
    world.canonical().iter().for_each(|topic| events.extend(world.read(topic, Some("ce_id"))));
    assert_eq!(events.len() as i64, EACH * i64::from(PARTITIONS));
    assert!(events.values().all(|&times| times == 1), "none is doubled by a pause");
}

/// The markers of others' transactions lie between the last record and the end for ever.
#[test]
fn a_consumer_that_has_read_everything_is_not_taken_for_stuck() {
    let world = World::new("marked");
    world.transaction("raw-7", true);
    world.transaction("raw-8", false);
    let handle = start(Plan { stuck_after: Duration::from_secs(2), ..world.plan() });
    let until = Instant::now() + LONG;
    while world.committed() < i64::from(PARTITIONS) {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(Duration::from_secs(8));
    assert_eq!(world.metric("koine_consumer_stuck_total"), 0.0);
    stop(handle);
    assert_eq!(world.read(&world.dead(), None), BTreeMap::from([("raw-7".to_owned(), PARTITIONS as usize)]));
}

#[test]
fn partitions_that_are_added_are_read_from_their_first_record_on() {
    let world = World::new("added");
    let handle = start(world.attentive());
    world.send(0, 600, |_| false);
    world.until_committed(600);
    for (topic, partitions) in [(world.raw(), 9), (world.dead(), 9), (world.canonical()[2].clone(), 8)] {
        let more = NewPartitions::new(&topic, partitions);
        let made = world.runtime.block_on(world.admin().create_partitions([&more], &AdminOptions::new())).unwrap();
        assert!(made.iter().all(Result::is_ok), "{made:?}");
    }
    // Before koine knows of them.
    world.send_over(600, 900, 9, |_| false);
    world.until_committed_over(1500, 9);
    stop(handle);
    world.check(1500, is_broken);
    let letters = world.places(&world.dead());
    assert!(letters.iter().all(|(raw, letter)| raw == letter), "as many partitions, so the same ones: {letters:?}");
    assert!(letters.iter().any(|(raw, _)| *raw >= PARTITIONS));
}

#[test]
fn a_raw_topic_that_is_not_there_yet_or_not_any_more_keeps_no_other_waiting() {
    let world = World::new("vanish");
    let other = format!("{}.other", world.raw());
    let plan = || {
        let both = [world.raw(), other.clone()];
        Plan {
            topics: both.to_vec(),
            source_of: Box::new(move |topic| both.iter().position(|one| one == topic).map(|_| 0)),
            ..world.attentive()
        }
    };
    let handle = start(plan());
    world.send(0, 300, |_| false);
    world.until_committed(300);
    world.create(&other, 3, None);
    let send_other = |count: usize| {
        let producer: BaseProducer = world.client().create().unwrap();
        for nth in 0..count {
            let (key, partition) = (format!("raw-{nth}"), (nth % 3) as i32);
            let record = BaseRecord::<str, str, ()>::to(&other).partition(partition).key(&key).payload("{");
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(LONG).unwrap();
    };
    send_other(30);
    let dead = format!("dlq.{other}");
    let until_dead = |count: usize| {
        let until = Instant::now() + LONG;
        while !world.exists(&dead) || world.read(&dead, None).values().sum::<usize>() < count {
            assert!(Instant::now() < until, "{count} dead letters");
            std::thread::sleep(Duration::from_millis(200));
        }
    };
    until_dead(30);
    world.delete(&other);
    world.send(300, 300, |_| false);
    world.until_committed(600);
    world.create(&other, 3, None);
    send_other(15);
    until_dead(45);
    world.send(600, 300, |_| false);
    world.until_committed(900);
    world.delete(&other);
    let stopping = Instant::now();
    stop(handle);
    assert!(stopping.elapsed() < Duration::from_secs(23), "the drain time and what calls may take beyond it");
    world.check(900, is_broken);
    assert!(world.read(&dead, None).values().all(|times| *times <= 2), "each as often as it was sent");
}

#[test]
fn a_canonical_topic_that_is_deleted_and_made_again_is_waited_for() {
    let world = World::new("unmade");
    let [customer, cart, order, product] = world.canonical();
    for topic in [&customer, &cart, &order, &product, &world.dead()] {
        world.create(topic, 3, None);
    }
    let outputs = Outputs::new([&customer, &cart, &order, &product], "dlq.", false);
    let handle = start(Plan { outputs, ..world.attentive() });
    world.send(0, 300, |_| false);
    world.until_committed(300);
    world.delete(&order);
    world.send(300, 300, |_| false);
    std::thread::sleep(Duration::from_secs(3));
    assert!(!handle.is_finished());
    world.create(&order, 3, None);
    world.until_committed(600);
    stop(handle);
    let orders = world.read(&order, Some("ce_id"));
    let due = (300..600).filter(|nth| !is_broken(*nth)).count();
    assert_eq!((orders.len(), orders.values().sum::<usize>()), (due, due), "all that came after the deletion, once");
}

#[test]
fn what_goes_while_it_is_read_stops_its_partition_and_no_other() {
    let world = World::new("going");
    world.send(0, 6000, |_| false);
    let property = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    // So little is read ahead that the deletion comes before the reading.
    let properties = vec![
        property("queued.min.messages", "10"),
        property("queued.max.messages.kbytes", "1"),
        property("fetch.message.max.bytes", "20000"),
    ];
    let consumer = world.consumer(properties);
    let mut read = BTreeMap::<i32, i64>::new();
    let (mut gone, mut is_deleted) = (Vec::new(), false);
    let until = Instant::now() + LONG;
    while read.values().sum::<i64>() < 5000 || gone.is_empty() {
        assert!(Instant::now() < until, "{read:?} {gone:?}");
        match consumer.poll(Duration::from_millis(100)) {
            Polled::Record(record) => {
                let next = read.entry(record.partition()).or_default();
                assert_eq!(record.offset(), *next, "in order, each once");
                *next += 1;
            }
            Polled::Stalled(stalled) => gone.extend(stalled),
            Polled::Again(partition) => panic!("{partition} came again"),
            _ => {}
        }
        if !is_deleted && read.values().sum::<i64>() > 200 {
            is_deleted = true;
            world.delete_before(2, 900);
        }
    }
    let [gone] = &gone[..] else { panic!("{gone:?}") };
    assert_eq!((gone.partition.partition, gone.low, gone.high), (2, 900, 1000));
    assert_eq!(gone.count(), 900 - read.get(&2).copied().unwrap_or(0), "what is gone and was not read");
    assert!(consumer.close(Duration::from_secs(10)));
}

/// A reader that is turned back has read nothing of that stretch, wherever it was before.
#[test]
fn a_reader_that_is_turned_back_begins_where_it_is_told() {
    let world = World::new("turned");
    world.send_over(0, 300, 1, |_| false);
    let connection = world.plan().connection;
    let mut reader = Reader::idle(&connection).unwrap();
    let stretch = |from, to| [Stretch { topic: world.raw(), partition: 0, from, to }];
    for (from, to) in [(0, 300)].into_iter().chain((0..20).map(|nth| (nth * 10, nth * 10 + 5))) {
        reader.turn_to(stretch(from, to)).unwrap();
        let mut read = Vec::new();
        let until = Instant::now() + LONG;
        while !reader.is_at_end() {
            assert!(Instant::now() < until, "{read:?}");
            if let Read::Record(record) = reader.poll(Duration::from_millis(100)).unwrap() {
                read.push(record.offset());
            }
        }
        assert_eq!(read, (from..to).collect::<Vec<_>>());
        // On to its end, so that where it is lies behind all that is wanted next.
        reader.turn_to(stretch(299, 300)).unwrap();
        while !reader.is_at_end() {
            reader.poll(Duration::from_millis(100)).map(drop).unwrap();
        }
    }
}

/// What was read to the end of its stretch is closed, and comes again with the next one: each turn reads all that is in it and
/// nothing else.
#[test]
fn a_reader_that_is_turned_often_is_not_left_standing() {
    let world = World::new("often");
    world.send_over(0, 60 * PARTITIONS as usize, PARTITIONS, |_| false);
    let connection = world.plan().connection;
    let mut reader = Reader::idle(&connection).unwrap();
    for turn in 0..150 {
        let from = turn % 50;
        let stretch = |partition| Stretch { topic: world.raw(), partition, from, to: from + 4 };
        reader.turn_to((0..PARTITIONS).map(stretch)).unwrap();
        let until = Instant::now() + LONG;
        let mut read = 0;
        while !reader.is_at_end() {
            assert!(Instant::now() < until, "turn {turn}: {:?}", reader.unfinished());
            if let Read::Record(_) = reader.poll(Duration::from_millis(20)).unwrap() {
                read += 1;
            }
        }
        assert_eq!(read, 4 * PARTITIONS, "turn {turn}");
    }
}

/// Behind the last record lie markers and what was aborted. Whoever starts there again (the last commit came to nothing)
/// learns from the position alone that there is nothing more, so it must not be the one of before.
#[test]
fn a_partition_that_is_started_again_has_no_position_of_before() {
    let world = World::new("again");
    world.transaction("raw-7", true);
    world.transaction("raw-8", false);
    let consumer = world.consumer(Vec::new());
    let partitions: Vec<TopicPartition> = (0..PARTITIONS).map(|nth| TopicPartition::new(&world.raw(), nth)).collect();
    let read_to_the_end = || {
        let until = Instant::now() + LONG;
        while consumer.positions().iter().filter(|(_, position)| *position == 4).count() < partitions.len() {
            assert!(Instant::now() < until, "{:?}", consumer.positions());
            consumer.poll(Duration::from_millis(100));
        }
    };
    read_to_the_end();
    let done = partitions.iter().map(|one| (one.clone(), NextOffset::after(0))).collect();
    consumer.commit(&done).unwrap().done(LONG).expect("an answer in time").unwrap();
    for _ in 0..20 {
        consumer.restart().unwrap();
        assert_eq!(consumer.positions(), [], "nobody has polled since");
        read_to_the_end();
    }
    assert!(consumer.close(Duration::from_secs(10)));
}
