//! The list of metrics: the single source of what is made, of the page `docs/metrics.md`, and of what dashboard and alerts may
//! ask for. Knows names, labels and ladders, not what counts them.

use std::fmt::Write;

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Counter,
    Gauge,
    /// With the upper bounds of its buckets.
    Histogram(&'static [f64]),
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        }
    }
}

/// Seconds of pure work on one record: microseconds, mostly.
const WORK: &[f64] =
    &[0.000_002, 0.000_005, 0.000_01, 0.000_02, 0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.005, 0.05, 0.5];
/// Seconds of a call to a broker or a registry: from below a millisecond to the longest that is waited for.
const CALLS: &[f64] =
    &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// Seconds from a record's time to its commit; a backlog is hours old.
const LATENCY: &[f64] =
    &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0];
const RECORDS: &[f64] = &[1.0, 10.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 4000.0, 10000.0];
/// What OpenTelemetry advises for messaging.
const ADVISED: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

const COUNTER: Kind = Kind::Counter;
const GAUGE: Kind = Kind::Gauge;

macro_rules! metrics {
    ($list:ident: $($id:ident = $name:literal $kind:expr, [$($label:literal),*], $help:literal;)+) => {
        $(pub(super) const $id: Metric = Metric { name: $name, kind: $kind, labels: &[$($label),*], help: $help };)+
        /// All of them, in the order of the page.
        pub const $list: &[Metric] = &[$($id),+];
    };
}

metrics! { METRICS:
    CONSUMED = "koine_records_consumed_total" COUNTER, ["vendor", "topic"],
        "Raw records whose batch is committed. `vendor` is that of the record's first webhook, `unknown` where it could not be told.";
    CONSUMED_BYTES = "koine_consumed_bytes_total" COUNTER, ["topic"], "Bytes of raw values whose batch is committed.";
    PRODUCED_BYTES = "koine_produced_bytes_total" COUNTER, [],
        "Bytes of canonical values and dead letters whose batch is committed.";
    OUTCOMES = "koine_records_outcome_total" COUNTER, ["vendor", "event_type", "outcome"],
        "Webhooks that have their outcome: event, ignored or dead_letter. A raw record is one webhook, or as many as the JSON array it is has elements. `event_type` is a documented name, else `_other`.";
    EVENTS = "koine_events_emitted_total" COUNTER, ["vendor", "entity", "action", "topic"], "Canonical records written.";
    IGNORED = "koine_ignored_total" COUNTER, ["vendor", "rule"],
        "Documented events without a place in the model, by the rule that says so.";
    DEAD_LETTERS = "koine_dead_letters_total" COUNTER, ["vendor", "error_code", "error_class"],
        "Dead letters written. By event type: koine_records_outcome_total; each cause with its place: `koine dlq list`.";
    DEAD_LETTER_FAILURES = "koine_dead_letter_produce_failures_total" COUNTER, ["topic"],
        "Attempts to write a dead letter to this topic that failed. They are made again until one succeeds, and nothing else is committed before.";
    PASSED_OVER = "koine_passed_over_total" COUNTER, [],
        "Webhooks that a run with --only was not asked for. Consumed are events, ignored, dead letters and these.";
    UNMAPPED = "koine_unmapped_leaves_total" COUNTER, ["vendor", "event_type"],
        "Leaves of webhooks that have no canonical field and went to `extensions`.";
    DRIFT = "koine_schema_drift_total" COUNTER, ["vendor", "event_type", "kind"],
        "Ways in which webhooks are not as their vendor's pages say, by webhook: a place that no page knows, another JSON type, an unknown word or form, an event type that no page names. /drift says where.";
    IMBALANCE = "koine_ledger_imbalance" GAUGE, ["topic", "partition"],
        "Webhooks handed out by the consumer, less those that have their outcome, are at hand, or were let go with their partition. Always 0; anything else is a fault of koine.";

    TRANSLATE = "koine_translate_duration_seconds" Kind::Histogram(WORK), ["vendor", "stage"],
        "Work on one raw record: parse (the JSON), map (onto the model), encode (as Avro). No waiting.";
    INGEST = "koine_ingest_latency_seconds" Kind::Histogram(LATENCY), ["vendor"],
        "From the timestamp of a raw record to the commit of what it became.";
    END_TO_END = "koine_end_to_end_latency_seconds" Kind::Histogram(LATENCY), ["vendor"],
        "From the time that the webhook itself says it happened to the commit of its event. Webhooks that say none are not in it.";
    LAST_RECORD = "koine_last_record_processed_timestamp_seconds" GAUGE, ["topic", "partition"],
        "Timestamp of the last raw record whose batch is committed.";
    LAST_EVENT = "koine_last_event_time_seconds" GAUGE, ["vendor", "entity"],
        "When the last event that was written happened, by the webhook itself.";
    BATCH_RECORDS = "koine_batch_records" Kind::Histogram(RECORDS), [], "Raw records in a batch.";

    ASSIGNED = "koine_consumer_assigned_partitions" GAUGE, ["topic"], "Partitions this process reads.";
    LAG = "koine_consumer_lag_records" GAUGE, ["topic", "partition"],
        "Records of the partition that are not committed yet, as far as committed readers may read. Absent while the brokers cannot be asked.";
    LAG_SECONDS = "koine_consumer_lag_seconds" GAUGE, ["topic", "partition"],
        "Age of the last record that was committed, or time since the partition was last known to be read to its end, whichever is shorter; 0 while it is. Made when it is asked for, so that it grows while nothing moves and while the brokers cannot be asked.";
    EXPECTED = "koine_source_expected_interval_seconds" GAUGE, ["topic"],
        "How long the topic's source may be silent (sources[].expect_every).";
    READ_SINCE = "koine_source_read_since_timestamp_seconds" GAUGE, ["topic"],
        "When this process began to read a topic of which something is expected.";
    STUCK = "koine_consumer_stuck_total" COUNTER, ["topic"],
        "Times a consumer gave nothing of a partition in which another reader found a record, and was made anew.";
    REGRESSIONS = "koine_offset_regressions_total" COUNTER, ["topic"],
        "Records that were handed out again, before what this process had read of the partition. They are passed over.";
    REBALANCES = "koine_rebalances_total" COUNTER, ["kind"], "Rebalances seen by this process: assign, revoke, lost.";
    REBALANCE_DURATION = "koine_rebalance_duration_seconds" Kind::Histogram(CALLS), ["kind"],
        "From hearing of a rebalance to having answered it: to read what came, to have delivered what goes.";
    PAUSED = "koine_partition_paused" GAUGE, ["topic", "partition", "reason"],
        "1 while the partition is not read: `breaker`, `backpressure` (what was read cannot be delivered), or `offset` (the brokers do not tell where to start).";
    STOPPED = "koine_partition_stopped" GAUGE, ["topic", "partition"],
        "Records that are gone before they were read, where that stopped the partition (see --accept-loss).";
    BREAKER = "koine_breaker_state" GAUGE, ["topic", "partition"], "The partition's breaker: 0 closed, 1 probing, 2 open.";

    TRANSACTIONS = "koine_transactions_total" COUNTER, ["result"],
        "Transactions by how they ended: committed, aborted, fenced, fatal.";
    TRANSACTION_DURATION = "koine_transaction_duration_seconds" Kind::Histogram(CALLS), ["result"],
        "One transaction, from begin to its end.";
    COMMITS = "koine_commits_total" COUNTER, ["result"], "Commits of offsets outside of transactions (at_least_once).";
    PRODUCER_FATAL = "koine_producer_fatal_errors_total" COUNTER, ["code"],
        "Fatal errors of producers; each has a line in the log. `code` is librdkafka's name of it, `other` where it is a rare one or librdkafka has none.";
    PRODUCER_MESSAGES = "koine_producer_queue_messages" GAUGE, [],
        "Records in the producers' queues, by librdkafka's statistics.";
    PRODUCER_BYTES = "koine_producer_queue_bytes" GAUGE, [], "Bytes in the producers' queues, by librdkafka's statistics.";
    STATISTICS_FAILURES = "koine_librdkafka_stats_parse_failures_total" COUNTER, ["client"],
        "Statistics of librdkafka that could not be read. Nothing but the queue gauges is made of them.";
    REBUILDS = "koine_rebuilds_total" COUNTER, ["reason"], "Times a worker made its consumer and producer anew.";
    BROKERS = "koine_brokers_reachable" GAUGE, ["worker"],
        "1 if a broker answered this worker when it was asked last, 0 if none did. Asked every 15 s, and every 2 s while there is trouble.";
    WORKERS = "koine_workers" GAUGE, [], "Workers of this process.";
    READY = "koine_ready" GAUGE, [],
        "1 while /readyz says yes, 0 while it does not: a process that waits for topics, for the registry, for brokers or for its group lives and translates nothing.";

    REGISTRY_STATE = "koine_schema_registry_state" GAUGE, ["state"],
        "1 for the state of the schema registry: waiting (asking, or asking again), pinned (all ids known and confirmed), bundle (ids from a bundle, not confirmed yet), away (confirmed, and it does not answer now), missing (confirmed, and forgotten by it), refused (a schema is not registered, or an id is another schema's).";
    REGISTRY_REQUESTS = "koine_schema_registry_requests_total" COUNTER, ["operation", "code"],
        "Requests to the schema registry by how they ended: a status, timeout, or unreachable.";
    REGISTRY_DURATION = "koine_schema_registry_request_duration_seconds" Kind::Histogram(CALLS), ["operation"],
        "One request to the schema registry, however it ended.";
    REGISTRY_RETRIES = "koine_schema_registry_retries_total" COUNTER, ["reason"],
        "Requests to the schema registry that have to be made again, by reason.";
    REGISTRY_SUCCESS = "koine_schema_registry_last_success_timestamp_seconds" GAUGE, [],
        "When the registry last confirmed every id in use; 0: not yet.";
    SCHEMAS = "koine_schema_info" GAUGE, ["subject", "version", "schema_id", "fingerprint"],
        "The schema in use for a subject; always 1. `version` is empty where the ids are a bundle's; `fingerprint` is the beginning of the SHA-256 of its text.";

    RELOADS = "koine_config_reloads_total" COUNTER, ["result"],
        "Times the configuration was read again while running, by SIGHUP or since the file has changed: ok (it is in effect), failed (everything stays as it was).";
    RELOAD_SUCCESS = "koine_config_last_reload_success_timestamp_seconds" GAUGE, [],
        "When the configuration in effect was read.";
    RELOAD_SUCCESSFUL = "koine_config_last_reload_successful" GAUGE, [],
        "1 at start and as long as the last configuration that was read is in effect; 0 from one that has a mistake, asks for what only a restart can change, or whose topics are not there, until one takes effect.";
    CERTIFICATES = "koine_certificate_expiry_timestamp_seconds" GAUGE, ["setting"],
        "When the certificates end that a setting names: of our own and its chain the first, of those we trust the last. Looked at every minute; without a series where it cannot be read.";
    SPANS = "koine_trace_spans_total" COUNTER, ["result"],
        "Spans of traces: exported, failed (the collector did not take them), dropped (too many waited).";
    BUILD_INFO = "koine_build_info" GAUGE, ["version", "commit", "librdkafka", "mapping_digest"], "What is running; always 1.";
}

metrics! { MESSAGING:
    MESSAGING_CONSUMED = "messaging_client_consumed_messages_total" COUNTER,
        ["messaging_operation_name", "messaging_system", "messaging_destination_name", "messaging_consumer_group_name", "messaging_destination_partition_id"],
        "Raw records whose batch is committed.";
    MESSAGING_SENT = "messaging_client_sent_messages_total" COUNTER,
        ["messaging_operation_name", "messaging_system", "messaging_destination_name", "error_type"],
        "Canonical records and dead letters whose batch is committed; with an `error_type`, attempts to write one that did not arrive.";
    MESSAGING_OPERATION = "messaging_client_operation_duration_seconds" Kind::Histogram(ADVISED),
        ["messaging_operation_name", "messaging_operation_type", "messaging_system", "messaging_consumer_group_name", "error_type"],
        "Sending a batch, and committing it. `error_type` is what kind of trouble there was: aborted, denied, fatal, fenced, given_up, refused, retriable.";
    MESSAGING_PROCESS = "messaging_process_duration_seconds" Kind::Histogram(ADVISED),
        ["messaging_operation_name", "messaging_system", "messaging_destination_name", "messaging_consumer_group_name", "error_type"],
        "Translation of one raw record. `error_type` is the code of its first webhook's dead letter.";
}

/// The lists as Markdown: the end of `docs/metrics.md`.
pub fn markdown() -> String {
    let mut out = String::from("| metric | type | labels | meaning |\n|---|---|---|---|\n");
    for metric in METRICS.iter().chain(MESSAGING) {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let Metric { name, kind, help, .. } = metric;
        let _ = writeln!(out, "| `{name}` | {} | {} | {help} |", kind.as_str(), labels.join(" "));
    }
    out.push_str("\nThe buckets of the histograms, in seconds or records:\n\n");
    for metric in METRICS.iter().chain(MESSAGING) {
        if let Kind::Histogram(buckets) = metric.kind {
            let buckets: Vec<String> = buckets.iter().map(ToString::to_string).collect();
            let _ = writeln!(out, "* `{}`: {}", metric.name, buckets.join(" "));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules() {
        for metric in METRICS.iter().chain(MESSAGING) {
            let Metric { name, kind, labels, help } = *metric;
            let is_ours = name.starts_with("koine_");
            assert!(is_ours || (name.starts_with("messaging_") && MESSAGING.contains(metric)), "{name}");
            assert_eq!(kind == Kind::Counter, name.ends_with("_total"), "{name}");
            assert!(help.ends_with('.') && !help.contains('|'), "{name}: {help}");
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
            assert!(labels.iter().all(|label| !["le", "job", "instance"].contains(label)), "{name}");
            assert_eq!(METRICS.iter().chain(MESSAGING).filter(|other| other.name == name).count(), 1, "{name}");
            if let Kind::Histogram(buckets) = kind {
                assert!(buckets.is_sorted(), "{name}");
            }
        }
    }
}
