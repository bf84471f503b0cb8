//! Each finding that the brokers' answers can give, from a deployment that has none.

use super::*;

fn settings(pairs: &[(&str, &str)]) -> Settings {
    let all = [
        ("cleanup.policy", "delete"),
        ("max.message.bytes", "1048588"),
        ("retention.ms", "604800000"),
        ("retention.bytes", "-1"),
        ("min.insync.replicas", "2"),
        ("message.timestamp.type", "CreateTime"),
        ("message.timestamp.before.max.ms", "9223372036854775807"),
    ];
    all.iter().chain(pairs).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn topic() -> Topic {
    Topic { partitions: 4, replicas: 3, in_sync: 3, settings: Some(settings(&[])) }
}

fn intent() -> Intent {
    Intent {
        brokers: "k:9092".to_owned(),
        config: "koine.yaml".to_owned(),
        user: "me".to_owned(),
        group: "koine".to_owned(),
        wanted: vec![Wanted { text: "raw".to_owned(), is_pattern: false }],
        canonical: vec!["order".to_owned()],
        create: false,
        workers: 2,
        transaction_timeout: Some(Duration::from_secs(30)),
    }
}

/// Nothing is wrong here.
fn facts() -> Facts {
    let all = HashMap::from(["raw", "order", "dlq.raw", TRANSACTION_STATE].map(|name| (name.to_owned(), topic())));
    let broker = [
        ("transaction.max.timeout.ms", "900000"),
        ("offsets.retention.minutes", "10080"),
        ("transaction.state.log.min.isr", "2"),
    ];
    let rights = Rights::Known([Right::Read, Right::Write, Right::Describe, Right::DescribeConfigs].into());
    Facts {
        cluster: Cluster { brokers: 3, settings: Some(settings(&broker)), topics: all },
        raws: vec![("raw".to_owned(), "dlq.raw".to_owned())],
        unmatched: vec![],
        rights: HashMap::from(["raw", "order", "dlq.raw"].map(|name| (name.to_owned(), rights.clone()))),
        group: Some(rights),
        bounds: vec![bounds(5, Some(7))],
        transactions: Some(Ok(())),
    }
}

fn bounds(low: i64, committed: Option<i64>) -> Bounds {
    Bounds { topic: "raw".to_owned(), partition: 0, low, high: 10, committed }
}

/// Finding and place, after that change.
fn found(change: impl FnOnce(&mut Intent, &mut Facts)) -> Vec<(&'static str, String)> {
    let (mut intent, mut facts) = (intent(), facts());
    change(&mut intent, &mut facts);
    let all = brokers(&intent, &facts);
    for Finding { cure, what, .. } in &all {
        assert!(!cure.contains(['{', '}']), "{cure}");
        assert!(!what.is_empty());
    }
    all.into_iter().map(|finding| (finding.check.as_str(), finding.place)).collect()
}

fn set(facts: &mut Facts, topic: &str, name: &str, value: &str) {
    let settings = facts.cluster.topics.get_mut(topic).and_then(|topic| topic.settings.as_mut()).expect("settings");
    settings.insert(name.to_owned(), value.to_owned());
}

fn one(check: &'static str, place: &str) -> Vec<(&'static str, String)> {
    vec![(check, place.to_owned())]
}

#[test]
fn a_healthy_deployment_has_no_finding() {
    assert_eq!(found(|_, _| {}), []);
}

#[test]
fn settings_of_topics() {
    let with = |topic: &str, name: &str, value: &str| found(|_, facts| set(facts, topic, name, value));
    assert_eq!(with("order", "cleanup.policy", "compact,delete"), one("topic.compacted", "order"));
    assert_eq!(with("dlq.raw", "cleanup.policy", "compact"), one("topic.compacted", "dlq.raw"));
    assert_eq!(with("raw", "cleanup.policy", "compact"), one("source.compacted", "raw"));
    assert_eq!(with("dlq.raw", "retention.ms", "604799999"), one("topic.dead_letter_retention", "dlq.raw"));
    assert_eq!(with("dlq.raw", "retention.ms", "-1"), []);
    assert_eq!(with("dlq.raw", "retention.bytes", "1000"), one("topic.dead_letter_retention", "dlq.raw"));
    assert_eq!(with("raw", "retention.bytes", "1000"), []);
    assert_eq!(with("dlq.raw", "max.message.bytes", "1000"), one("topic.dead_letter_max_bytes", "dlq.raw"));
    assert_eq!(with("order", "max.message.bytes", "1000"), one("topic.canonical_max_bytes", "order"));
    assert_eq!(with("order", "min.insync.replicas", "4"), one("topic.min_insync_above_replicas", "order"));
    assert_eq!(with("order", "min.insync.replicas", "1"), one("topic.min_insync_one", "order"));
    assert_eq!(with("order", "message.timestamp.type", "LogAppendTime"), one("topic.timestamps", "order"));
    assert_eq!(with("dlq.raw", "message.timestamp.before.max.ms", "1000"), one("topic.timestamps", "dlq.raw"));
}

#[test]
fn topics_and_their_replicas() {
    let with = |change: fn(&mut Facts)| found(|_, facts| change(facts));
    let gone = |facts: &mut Facts| drop(facts.cluster.topics.remove("order"));
    assert_eq!(with(gone), one("topic.missing", "order"));
    assert_eq!(
        found(|intent, facts| {
            gone(facts);
            intent.create = true;
        }),
        []
    );
    assert_eq!(with(|facts| drop(facts.cluster.topics.remove("dlq.raw"))), one("topic.missing", "dlq.raw"));
    let of =
        |facts: &mut Facts, change: fn(&mut Topic)| change(facts.cluster.topics.get_mut("order").expect("a topic"));
    assert_eq!(found(|_, facts| of(facts, |topic| topic.in_sync = 1)), one("topic.not_in_sync", "order"));
    assert_eq!(found(|_, facts| of(facts, |topic| topic.settings = None)), one("topic.settings_unknown", "order"));
    let alone = |facts: &mut Facts| {
        set(facts, "order", "min.insync.replicas", "1");
        let order = facts.cluster.topics.get_mut("order").expect("a topic");
        (order.replicas, order.in_sync) = (1, 1);
    };
    assert_eq!(found(|_, facts| alone(facts)), one("topic.one_replica", "order"));
    assert_eq!(found(|intent, _| intent.workers = 5), one("workers.idle", "workers"));
}

#[test]
fn sources_that_match_nothing() {
    assert_eq!(found(|_, facts| facts.unmatched = vec!["raw.two".to_owned()]), one("source.missing", "raw.two"));
    let pattern = |intent: &mut Intent, facts: &mut Facts| {
        intent.wanted.push(Wanted { text: "^raw.two$".to_owned(), is_pattern: true });
        facts.unmatched = vec!["^raw.two$".to_owned()];
    };
    assert_eq!(found(pattern), one("source.empty", "^raw.two$"));
    let hidden = |_: &mut Intent, facts: &mut Facts| {
        facts.unmatched = vec!["raw.two".to_owned()];
        facts.rights.insert("raw.two".to_owned(), Rights::None);
    };
    assert_eq!(found(hidden), one("acl.read", "raw.two"), "it may well be there");
}

#[test]
fn rights() {
    let only = |rights: &[Right]| Rights::Known(rights.iter().copied().collect());
    let with = |topic: &str, rights: Rights| found(|_, facts| drop(facts.rights.insert(topic.to_owned(), rights)));
    assert_eq!(with("raw", only(&[Right::Describe])), one("acl.read", "raw"));
    assert_eq!(with("order", only(&[Right::Read])), one("acl.write", "order"));
    assert_eq!(with("dlq.raw", only(&[Right::Describe])), one("acl.write", "dlq.raw"));
    assert_eq!(found(|_, facts| facts.group = Some(only(&[Right::Describe]))), one("acl.group", "koine"));
    assert_eq!(found(|_, facts| facts.group = Some(Rights::None)), one("acl.group", "koine"));
    assert_eq!(with("raw", Rights::Unknown("so".to_owned())), one("brokers.rights_unknown", "kafka.bootstrap_servers"));
    // One that we may not see is not one that is not there.
    let hidden = |_: &mut Intent, facts: &mut Facts| {
        facts.cluster.topics.remove("order");
        facts.rights.insert("order".to_owned(), Rights::None);
    };
    assert_eq!(found(hidden), one("acl.write", "order"));
}

#[test]
fn transactions() {
    let tried = |why: NoTransactions| found(|_, facts| facts.transactions = Some(Err(why)));
    assert_eq!(tried(NoTransactions::Denied), one("acl.transactional_id", "koine-…"));
    assert_eq!(tried(NoTransactions::TimeoutTooLong), one("transaction.timeout", "transaction.timeout"));
    assert_eq!(
        tried(NoTransactions::Other("not now".to_owned())),
        one("transaction.unavailable", "kafka.bootstrap_servers")
    );
    let long = |intent: &mut Intent, _: &mut Facts| intent.transaction_timeout = Some(Duration::from_secs(901));
    assert_eq!(found(long), one("transaction.timeout", "transaction.timeout"));
    assert_eq!(
        found(|intent, facts| {
            long(intent, facts);
            intent.transaction_timeout = None;
        }),
        [],
        "at_least_once has none"
    );
    let down = |_: &mut Intent, facts: &mut Facts| {
        facts.cluster.topics.insert(TRANSACTION_STATE.to_owned(), Topic { in_sync: 1, ..topic() });
    };
    assert_eq!(found(down), one("transaction.state_topic", TRANSACTION_STATE));
    assert_eq!(
        found(|_, facts| facts.cluster.settings = None),
        one("brokers.settings_unknown", "kafka.bootstrap_servers")
    );
}

#[test]
fn the_group() {
    assert_eq!(found(|_, facts| facts.bounds = vec![bounds(8, Some(7))]), one("group.offset_gone", "raw [0]"));
    assert_eq!(found(|_, facts| facts.bounds = vec![bounds(8, None), bounds(7, Some(7))]), []);
    let long = |value: &'static str| {
        found(move |_, facts| {
            set(facts, "raw", "retention.ms", value);
            set(facts, "dlq.raw", "retention.ms", value);
        })
    };
    assert_eq!(long("604860000"), one("group.offsets_retention", "raw"));
    assert_eq!(long("-1"), one("group.offsets_retention", "raw"));
}

#[test]
fn clocks() {
    let told = |ahead| clock(&intent(), ahead).map(|finding| (finding.check, finding.what));
    assert_eq!(told(5), None);
    assert_eq!(told(-5), None);
    assert_eq!(told(6), Some((Check::Clock, "the registry is 6 s ahead of this machine".to_owned())));
    assert_eq!(told(-3600), Some((Check::Clock, "the registry is 3600 s behind this machine".to_owned())));
}

#[test]
fn every_check_has_a_name_of_its_own_a_reason_and_a_cure() {
    let names: std::collections::HashSet<&str> = Check::ALL.iter().map(|check| check.as_str()).collect();
    assert_eq!(names.len(), Check::ALL.len());
    for check in Check::ALL {
        assert!(check.why().ends_with('.') && !check.cure().is_empty(), "{}", check.as_str());
    }
}
