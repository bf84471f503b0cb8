//! Tests of all metrics together.

use super::catalog::{MESSAGING, METRICS};
use super::*;
use std::collections::BTreeSet;
use std::time::Duration;

const TABLES: Tables = Tables {
    vendors: &["bspk", "spree"],
    entities: &["customer", "order"],
    actions: &["created", "paid", "canceled"],
    rules: &["back_office", "credential"],
    codes: &[("body.empty", "data"), ("record.too_large", "limit")],
    event_types: &[("bspk", "cart.created"), ("spree", "order.paid"), ("spree", "post.created")],
    drift: &["new_path", "new_event_type"],
    fatal_codes: &["gapless_guarantee"],
    troubles: &["aborted", "fatal"],
};
const TOPICS: [&str; 2] = ["commerce.customer.v1", "commerce.order.v1"];
const MS: Duration = Duration::from_millis(1);

fn metrics() -> Metrics {
    let build = BuildInfo { version: "0.1.0", build: "0.1.0+abc".to_owned(), librdkafka: "2.12.1".to_owned() };
    Metrics::new(TABLES, &TOPICS, &build).unwrap()
}

fn has(page: &str, line: &str) {
    assert!(page.lines().any(|found| found == line), "no `{line}` in\n{page}");
}

fn emitted(vendor: usize, event_type: &str, entity: usize, action: usize) -> Emitted<'_> {
    Emitted { vendor, event_type, entity, action, unmapped: 3, happened: Some((1_700_000_000_500, 40 * MS)) }
}

#[test]
fn closed_sets_start_at_zero() {
    let page = metrics().render(Exposition::Prometheus);
    for line in [
        r#"koine_records_outcome_total{event_type="cart.created",outcome="event",vendor="bspk"} 0"#,
        r#"koine_records_outcome_total{event_type="_other",outcome="dead_letter",vendor="spree"} 0"#,
        r#"koine_records_outcome_total{event_type="_other",outcome="dead_letter",vendor="unknown"} 0"#,
        r#"koine_events_emitted_total{action="paid",entity="order",topic="commerce.order.v1",vendor="spree"} 0"#,
        r#"koine_unmapped_leaves_total{event_type="order.paid",vendor="spree"} 0"#,
        r#"koine_ignored_total{rule="credential",vendor="spree"} 0"#,
        r#"koine_dead_letters_total{error_class="limit",error_code="record.too_large",vendor="unknown"} 0"#,
        r#"koine_transactions_total{result="committed"} 0"#,
        r#"koine_transactions_total{result="aborted"} 0"#,
        r#"koine_transactions_total{result="fenced"} 0"#,
        r#"koine_transactions_total{result="fatal"} 0"#,
        r#"koine_transaction_duration_seconds_count{result="aborted"} 0"#,
        r#"koine_rebuilds_total{reason="producer_fenced"} 0"#,
        r#"koine_rebuilds_total{reason="consumer_stuck"} 0"#,
        r#"koine_rebalances_total{kind="lost"} 0"#,
        r#"koine_rebalance_duration_seconds_count{kind="revoke"} 0"#,
        r#"koine_commits_total{result="failed"} 0"#,
        r#"koine_schema_registry_state{state="waiting"} 0"#,
        r#"koine_schema_registry_requests_total{code="504",operation="lookup"} 0"#,
        r#"koine_schema_registry_retries_total{reason="throttled"} 0"#,
        r#"koine_librdkafka_stats_parse_failures_total{client="producer"} 0"#,
        r#"koine_translate_duration_seconds_count{stage="map",vendor="unknown"} 0"#,
        r#"koine_end_to_end_latency_seconds_count{vendor="bspk"} 0"#,
        r#"koine_producer_fatal_errors_total{code="gapless_guarantee"} 0"#,
        r#"koine_producer_fatal_errors_total{code="other"} 0"#,
        "koine_producer_queue_messages 0",
    ] {
        has(&page, line);
    }
    assert!(page.contains(r#"librdkafka="2.12.1",mapping_digest="abc",version="0.1.0"} 1"#), "{page}");
}

#[test]
fn a_tally_lands_in_the_series_it_names() {
    let metrics = metrics();
    let mut tally = Tally::new(&metrics);
    let topic = tally.topic("raw.spree");
    assert_eq!(tally.topic("raw.spree"), topic);
    let spent = Spent {
        begun: None,
        parse: Duration::from_micros(4),
        map: Duration::from_micros(90),
        encode: Duration::from_micros(1),
    };
    for _ in 0..4 {
        tally.consumed(topic, Some(1), 100, Some(90 * MS), spent);
    }
    tally.consumed(topic, None, 100, None, spent);
    tally.event(&emitted(1, "order.paid", 1, 1));
    tally.event(&emitted(1, "order.paid", 1, 1));
    tally.event(&Emitted { happened: None, ..emitted(0, "cart.created", 0, 2) });
    tally.ignored(1, "post.created", 1);
    tally.dead_letter(Some(0), "cart.created", 0);
    tally.dead_letter(Some(1), "order.teleported", 0);
    tally.dead_letter(None, "order.paid", 1);
    tally.produced(70);
    let before = metrics.render(Exposition::Prometheus);
    has(&before, r#"koine_records_outcome_total{event_type="order.paid",outcome="event",vendor="spree"} 0"#);
    tally.add_to(&metrics);
    tally.add_to(&metrics);
    let page = metrics.render(Exposition::Prometheus);
    for line in [
        r#"koine_records_consumed_total{topic="raw.spree",vendor="spree"} 4"#,
        r#"koine_records_consumed_total{topic="raw.spree",vendor="unknown"} 1"#,
        r#"koine_consumed_bytes_total{topic="raw.spree"} 500"#,
        "koine_produced_bytes_total 70",
        r#"koine_records_outcome_total{event_type="order.paid",outcome="event",vendor="spree"} 2"#,
        r#"koine_records_outcome_total{event_type="cart.created",outcome="event",vendor="bspk"} 1"#,
        r#"koine_records_outcome_total{event_type="post.created",outcome="ignored",vendor="spree"} 1"#,
        r#"koine_records_outcome_total{event_type="cart.created",outcome="dead_letter",vendor="bspk"} 1"#,
        r#"koine_records_outcome_total{event_type="_other",outcome="dead_letter",vendor="spree"} 1"#,
        r#"koine_records_outcome_total{event_type="_other",outcome="dead_letter",vendor="unknown"} 1"#,
        r#"koine_events_emitted_total{action="paid",entity="order",topic="commerce.order.v1",vendor="spree"} 2"#,
        r#"koine_events_emitted_total{action="canceled",entity="customer",topic="commerce.customer.v1",vendor="bspk"} 1"#,
        r#"koine_unmapped_leaves_total{event_type="order.paid",vendor="spree"} 6"#,
        r#"koine_ignored_total{rule="credential",vendor="spree"} 1"#,
        r#"koine_dead_letters_total{error_class="data",error_code="body.empty",vendor="bspk"} 1"#,
        r#"koine_dead_letters_total{error_class="limit",error_code="record.too_large",vendor="unknown"} 1"#,
        r#"koine_translate_duration_seconds_bucket{stage="parse",vendor="spree",le="0.000005"} 4"#,
        r#"koine_translate_duration_seconds_bucket{stage="map",vendor="spree",le="0.00005"} 0"#,
        r#"koine_translate_duration_seconds_bucket{stage="map",vendor="spree",le="0.0001"} 4"#,
        r#"koine_translate_duration_seconds_count{stage="encode",vendor="unknown"} 1"#,
        r#"koine_ingest_latency_seconds_bucket{vendor="spree",le="0.1"} 4"#,
        r#"koine_ingest_latency_seconds_count{vendor="unknown"} 0"#,
        r#"koine_end_to_end_latency_seconds_count{vendor="spree"} 2"#,
        r#"koine_last_event_time_seconds{entity="order",vendor="spree"} 1700000000.5"#,
    ] {
        has(&page, line);
    }
    assert_eq!((metrics.records("spree", "event"), metrics.records("spree", "dead_letter")), (2, 1));
    assert_eq!((metrics.outcomes("dead_letter"), metrics.units()), (3, 7));
    assert_eq!(metrics.records("spree", "lost"), 0);
}

#[test]
fn every_place_of_a_tally_has_its_own_series() {
    let metrics = metrics();
    let mut tally = Tally::new(&metrics);
    for vendor in 0..TABLES.vendors.len() {
        for entity in 0..TABLES.entities.len() {
            for action in 0..TABLES.actions.len() {
                tally.event(&emitted(vendor, "", entity, action));
            }
        }
    }
    for (vendor, event_type) in TABLES.event_types {
        let place = TABLES.vendors.iter().position(|name| name == vendor).unwrap();
        tally.ignored(place, event_type, 0);
    }
    tally.add_to(&metrics);
    let page = metrics.render(Exposition::Prometheus);
    let events: Vec<&str> = page.lines().filter(|line| line.starts_with("koine_events_emitted_total{")).collect();
    assert_eq!(events.len(), 12);
    assert!(events.iter().all(|line| line.ends_with(" 1")), "{events:#?}");
    let ignored = page.lines().filter(|line| line.contains(r#"outcome="ignored""#) && line.ends_with(" 1"));
    assert_eq!(ignored.count(), TABLES.event_types.len());
}

#[test]
fn a_partition_that_goes_takes_its_series_along() {
    let metrics = metrics();
    let partition = metrics.partition("raw.bold", 3);
    let page = metrics.render(Exposition::Prometheus);
    has(&page, r#"koine_partition_paused{partition="3",reason="breaker",topic="raw.bold"} 0"#);
    has(&page, r#"koine_partition_paused{partition="3",reason="backpressure",topic="raw.bold"} 0"#);
    has(&page, r#"koine_ledger_imbalance{partition="3",topic="raw.bold"} 0"#);
    has(&page, r#"koine_consumer_stuck_total{topic="raw.bold"} 0"#);
    has(&page, r#"koine_offset_regressions_total{topic="raw.bold"} 0"#);
    partition.lag(0);
    partition.processed(1_700_000_000_500);
    partition.stopped(7);
    partition.imbalance(-2);
    partition.expect_every(Duration::from_secs(3600));
    partition.breaker(BreakerLevel::Open, true);
    partition.held(true);
    let page = metrics.render(Exposition::Prometheus);
    has(&page, r#"koine_consumer_lag_records{partition="3",topic="raw.bold"} 0"#);
    has(&page, r#"koine_consumer_lag_seconds{partition="3",topic="raw.bold"} 0"#);
    has(&page, r#"koine_last_record_processed_timestamp_seconds{partition="3",topic="raw.bold"} 1700000000.5"#);
    has(&page, r#"koine_partition_stopped{partition="3",topic="raw.bold"} 7"#);
    has(&page, r#"koine_ledger_imbalance{partition="3",topic="raw.bold"} -2"#);
    has(&page, r#"koine_consumer_assigned_partitions{topic="raw.bold"} 1"#);
    has(&page, r#"koine_breaker_state{partition="3",topic="raw.bold"} 2"#);
    has(&page, r#"koine_partition_paused{partition="3",reason="breaker",topic="raw.bold"} 1"#);
    has(&page, r#"koine_partition_paused{partition="3",reason="backpressure",topic="raw.bold"} 1"#);
    has(&page, r#"koine_source_expected_interval_seconds{topic="raw.bold"} 3600"#);
    partition.release();
    let page = metrics.render(Exposition::Prometheus);
    assert!(!page.contains(r#"partition="3""#) && !page.contains("koine_source_expected_interval_seconds{"), "{page}");
    has(&page, r#"koine_consumer_assigned_partitions{topic="raw.bold"} 0"#);
}

/// No old number stands where nobody knows the new one, and the lag in seconds grows on.
#[test]
fn a_lag_that_is_not_known_is_not_told() {
    let metrics = metrics();
    let partition = metrics.partition("raw.bold", 0);
    partition.lag(12);
    partition.processed(1_000);
    partition.lag_unknown();
    let page = metrics.render(Exposition::Prometheus);
    assert!(!page.contains("koine_consumer_lag_records{"), "{page}");
    let line = page.lines().find(|line| line.starts_with("koine_consumer_lag_seconds{")).unwrap();
    let seconds: f64 = line.rsplit_once(' ').unwrap().1.parse().unwrap();
    assert!(seconds > 1_000_000_000.0, "{line}");
}

/// librdkafka cuts its statistics off now and then. The lag is not made of them, and what is stays as it was.
#[test]
fn statistics_that_cannot_be_read_are_counted_and_change_nothing() {
    let metrics = metrics();
    metrics.partition("raw.bold", 0).lag(12);
    metrics.producer_statistics(0, br#"{"name":"koine","msg_cnt":7,"msg_size":700,"brokers":{}}"#);
    metrics.producer_statistics(1, br#"{"msg_cnt":1,"msg_size":10}"#);
    for broken in [&b"{\"msg_cnt\":9"[..], b"", b"{}", b"\xff"] {
        metrics.producer_statistics(0, broken);
    }
    let page = metrics.render(Exposition::Prometheus);
    has(&page, r#"koine_librdkafka_stats_parse_failures_total{client="producer"} 4"#);
    has(&page, "koine_producer_queue_messages 8");
    has(&page, "koine_producer_queue_bytes 710");
    has(&page, r#"koine_consumer_lag_records{partition="0",topic="raw.bold"} 12"#);
    metrics.producer_gone(0);
    has(&metrics.render(Exposition::Prometheus), "koine_producer_queue_messages 1");
}

#[test]
fn the_registry_has_one_state() {
    let metrics = metrics();
    metrics.registry_state(RegistryState::Waiting);
    has(&metrics.render(Exposition::Prometheus), "koine_schema_registry_last_success_timestamp_seconds 0");
    metrics.registry_state(RegistryState::Pinned);
    metrics.schema_pinned("commerce.order.v1-value", Some(3), 42, "00ff");
    metrics.registry_request("lookup", "429", 20 * MS);
    metrics.registry_request("lookup", "418", MS);
    metrics.registry_request("dance", "200", MS);
    metrics.registry_retry("throttled");
    let page = metrics.render(Exposition::Prometheus);
    has(&page, r#"koine_schema_registry_requests_total{code="429",operation="lookup"} 1"#);
    has(&page, r#"koine_schema_registry_requests_total{code="other",operation="lookup"} 1"#);
    has(&page, r#"koine_schema_registry_requests_total{code="200",operation="other"} 1"#);
    has(&page, r#"koine_schema_registry_request_duration_seconds_bucket{operation="lookup",le="0.01"} 1"#);
    has(&page, r#"koine_schema_registry_request_duration_seconds_count{operation="lookup"} 2"#);
    has(&page, r#"koine_schema_registry_retries_total{reason="throttled"} 1"#);
    has(&page, r#"koine_schema_registry_state{state="waiting"} 0"#);
    has(&page, r#"koine_schema_registry_state{state="pinned"} 1"#);
    has(
        &page,
        r#"koine_schema_info{fingerprint="00ff",schema_id="42",subject="commerce.order.v1-value",version="3"} 1"#,
    );
    assert!(!page.contains("koine_schema_registry_last_success_timestamp_seconds 0"));
}

#[test]
fn durations_are_seconds() {
    let metrics = metrics();
    metrics.batch(500);
    metrics.transaction(TransactionEnd::Committed, 20 * MS);
    metrics.transaction(TransactionEnd::Fenced, Duration::from_secs(900));
    metrics.rebalance(Rebalance::Revoke, 300 * MS);
    metrics.rebuild(Rebuild::ProducerFenced);
    metrics.offset_commit(true);
    let page = metrics.render(Exposition::Prometheus);
    has(&page, r#"koine_batch_records_bucket{le="500"} 1"#);
    has(&page, r#"koine_transaction_duration_seconds_count{result="committed"} 1"#);
    has(&page, r#"koine_transaction_duration_seconds_bucket{result="committed",le="0.01"} 0"#);
    has(&page, r#"koine_transactions_total{result="fenced"} 1"#);
    has(&page, r#"koine_rebalance_duration_seconds_sum{kind="revoke"} 0.3"#);
    has(&page, r#"koine_rebuilds_total{reason="producer_fenced"} 1"#);
    has(&page, r#"koine_commits_total{result="ok"} 1"#);
}

#[test]
fn the_names_of_opentelemetry_are_there_on_request_only() {
    let metrics = metrics();
    metrics.message_sent("commerce.order.v1");
    assert!(!metrics.has_messaging() && !metrics.render(Exposition::Prometheus).contains("messaging_"));
    let metrics = metrics.with_messaging("koine").unwrap();
    metrics.message_consumed("raw.bold", 2, 8 * MS, None);
    metrics.message_consumed("raw.bold", 2, 8 * MS, Some("body.empty"));
    metrics.message_sent("commerce.order.v1");
    metrics.message_not_sent("commerce.order.v1", "aborted");
    metrics.message_not_sent("commerce.order.v1", "bewitched");
    metrics.messaging_operation(Operation::Commit, None, 20 * MS);
    metrics.messaging_operation(Operation::Send, Some("fatal"), 20 * MS);
    metrics.messaging_operation(Operation::Send, Some("bewitched"), 20 * MS);
    let page = metrics.render(Exposition::Prometheus);
    for line in [
        r#"messaging_client_consumed_messages_total{messaging_consumer_group_name="koine",messaging_destination_name="raw.bold",messaging_destination_partition_id="2",messaging_operation_name="poll",messaging_system="kafka"} 2"#,
        r#"messaging_client_sent_messages_total{error_type="",messaging_destination_name="commerce.order.v1",messaging_operation_name="send",messaging_system="kafka"} 1"#,
        r#"messaging_client_sent_messages_total{error_type="aborted",messaging_destination_name="commerce.order.v1",messaging_operation_name="send",messaging_system="kafka"} 1"#,
        r#"messaging_client_sent_messages_total{error_type="_OTHER",messaging_destination_name="commerce.order.v1",messaging_operation_name="send",messaging_system="kafka"} 1"#,
        r#"messaging_client_operation_duration_seconds_count{error_type="",messaging_consumer_group_name="koine",messaging_operation_name="commit",messaging_operation_type="settle",messaging_system="kafka"} 1"#,
        r#"messaging_client_operation_duration_seconds_count{error_type="aborted",messaging_consumer_group_name="koine",messaging_operation_name="commit",messaging_operation_type="settle",messaging_system="kafka"} 0"#,
        r#"messaging_client_operation_duration_seconds_count{error_type="fatal",messaging_consumer_group_name="koine",messaging_operation_name="send",messaging_operation_type="send",messaging_system="kafka"} 1"#,
        r#"messaging_client_operation_duration_seconds_count{error_type="_OTHER",messaging_consumer_group_name="koine",messaging_operation_name="send",messaging_operation_type="send",messaging_system="kafka"} 1"#,
        r#"messaging_process_duration_seconds_bucket{error_type="",messaging_consumer_group_name="koine",messaging_destination_name="raw.bold",messaging_operation_name="process",messaging_system="kafka",le="0.01"} 1"#,
        r#"messaging_process_duration_seconds_bucket{error_type="body.empty",messaging_consumer_group_name="koine",messaging_destination_name="raw.bold",messaging_operation_name="process",messaging_system="kafka",le="0.01"} 1"#,
    ] {
        has(&page, line);
    }
}

#[test]
fn a_fatal_error_has_librdkafkas_name_or_none() {
    let metrics = metrics();
    for code in [Some("gapless_guarantee"), Some("gapless_guarantee"), Some("bewitched"), None] {
        metrics.producer_fatal(code);
    }
    let page = metrics.render(Exposition::Prometheus);
    has(&page, r#"koine_producer_fatal_errors_total{code="gapless_guarantee"} 2"#);
    has(&page, r#"koine_producer_fatal_errors_total{code="other"} 2"#);
}

/// As long as the file is wrong, whoever looks sees it, and not only when it was read.
#[test]
fn a_reading_that_failed_stands_until_one_does_not() {
    let metrics = metrics();
    let said = |successful: i64, ok: u64, failed: u64| {
        let page = metrics.render(Exposition::Prometheus);
        has(&page, &format!("koine_config_last_reload_successful {successful}"));
        has(&page, &format!(r#"koine_config_reloads_total{{result="ok"}} {ok}"#));
        has(&page, &format!(r#"koine_config_reloads_total{{result="failed"}} {failed}"#));
    };
    said(1, 0, 0);
    metrics.reload(false);
    said(0, 0, 1);
    metrics.reload(false);
    said(0, 0, 2);
    metrics.reload(true);
    said(1, 1, 2);
}

#[test]
fn what_is_not_known_of_a_certificate_has_no_series() {
    let metrics = metrics();
    let page = |end| {
        metrics.certificate_ends("registry.ca_file", end);
        metrics.render(Exposition::Prometheus)
    };
    has(
        &page(Some(1_900_000_007)),
        r#"koine_certificate_expiry_timestamp_seconds{setting="registry.ca_file"} 1900000007"#,
    );
    assert!(!page(None).contains("koine_certificate_expiry_timestamp_seconds{"));
    assert!(!page(None).contains("koine_certificate_expiry_timestamp_seconds{"), "nor is it missed");
}

/// What the catalog lists is what there is, with these labels and no others.
#[test]
fn the_catalog_is_whole() {
    let metrics = metrics().with_messaging("koine").unwrap();
    let partition = metrics.partition("t", 0);
    partition.stopped(1);
    partition.lag(1);
    partition.processed(1);
    partition.expect_every(MS);
    metrics.schema_pinned("s", Some(1), 1, "f");
    metrics.brokers_reachable(0, true);
    metrics.certificate_ends("registry.ca_file", Some(1));
    metrics.dead_letter_failed("dlq.t");
    metrics.message_consumed("t", 0, MS, None);
    metrics.message_sent("t");
    let mut tally = Tally::new(&metrics);
    let topic = tally.topic("t");
    tally.consumed(topic, Some(0), 1, None, Spent::default());
    tally.event(&emitted(0, "cart.created", 0, 0));
    tally.add_to(&metrics);
    let label = |pair: &prometheus::proto::LabelPair| pair.name().to_owned();
    let families = metrics.registry.gather();
    let made: BTreeSet<(String, BTreeSet<String>)> = families
        .iter()
        .map(|family| (family.name().to_owned(), family.get_metric()[0].get_label().iter().map(label).collect()))
        .collect();
    let listed: BTreeSet<(String, BTreeSet<String>)> = METRICS
        .iter()
        .chain(MESSAGING)
        .map(|metric| (metric.name.to_owned(), metric.labels.iter().map(|label| (*label).to_owned()).collect()))
        .collect();
    assert_eq!(made, listed);
    for family in families {
        let listed = METRICS.iter().chain(MESSAGING).find(|metric| metric.name == family.name()).unwrap();
        let is_listed = match family.get_field_type() {
            prometheus::proto::MetricType::COUNTER => listed.kind == Kind::Counter,
            prometheus::proto::MetricType::GAUGE => listed.kind == Kind::Gauge,
            _ => matches!(listed.kind, Kind::Histogram(_)),
        };
        assert!(is_listed, "{}", family.name());
    }
}
