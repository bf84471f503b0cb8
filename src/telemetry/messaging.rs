//! The same once more under the names that OpenTelemetry has for messaging, for whoever compares systems by them. They are
//! still in development there, so they are off unless asked for, and no alert of ours is made of them.

use super::catalog;
use super::{Maker, Metrics, Tables, of};
use prometheus::{HistogramVec, IntCounterVec};
use std::time::Duration;

const KAFKA: &str = "kafka";
/// The values that OpenTelemetry has for what went well, and for errors without a name of their own.
const NO_ERROR: &str = "";
const OTHER_ERROR: &str = "_OTHER";

pub(super) struct Messaging {
    group: String,
    consumed: IntCounterVec,
    sent: IntCounterVec,
    operation: HistogramVec,
    process: HistogramVec,
}

/// What a batch goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Send,
    Commit,
}

impl Messaging {
    pub fn new(make: &Maker, tables: &Tables, group: &str) -> Result<Messaging, prometheus::Error> {
        let operation = make.histograms(&catalog::MESSAGING_OPERATION)?;
        for what in [Operation::Send, Operation::Commit] {
            for error in tables.troubles.iter().copied().chain([NO_ERROR, OTHER_ERROR]) {
                operation.with_label_values(&[what.name(), what.kind(), KAFKA, group, error]);
            }
        }
        Ok(Messaging {
            group: group.to_owned(),
            consumed: make.counters(&catalog::MESSAGING_CONSUMED)?,
            sent: make.counters(&catalog::MESSAGING_SENT)?,
            operation,
            process: make.histograms(&catalog::MESSAGING_PROCESS)?,
        })
    }
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Operation::Send => "send",
            Operation::Commit => "commit",
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Operation::Send => "send",
            Operation::Commit => "settle",
        }
    }
}

impl Metrics {
    /// Whether anybody wants these names: what they need is not gathered else.
    pub fn has_messaging(&self) -> bool {
        self.messaging.is_some()
    }

    /// A raw record is committed, after a translation that took so long and gave a dead letter with this code, if any.
    pub fn message_consumed(&self, topic: &str, partition: i32, processing: Duration, error: Option<&'static str>) {
        let Some(messaging) = &self.messaging else { return };
        let labels = ["poll", KAFKA, topic, &messaging.group, &partition.to_string()];
        messaging.consumed.with_label_values(&labels).inc();
        let labels = ["process", KAFKA, topic, &messaging.group, error.unwrap_or(NO_ERROR)];
        messaging.process.with_label_values(&labels).observe(processing.as_secs_f64());
    }

    /// A record was written to this topic, and is committed.
    pub fn message_sent(&self, topic: &str) {
        let Some(messaging) = &self.messaging else { return };
        messaging.sent.with_label_values(&["send", KAFKA, topic, NO_ERROR]).inc();
    }

    /// A record did not arrive in this topic, for trouble of this kind. It is written again.
    pub fn message_not_sent(&self, topic: &str, trouble: &str) {
        let Some(messaging) = &self.messaging else { return };
        let error = of(self.tables.troubles, trouble, OTHER_ERROR);
        messaging.sent.with_label_values(&["send", KAFKA, topic, error]).inc();
    }

    /// A batch was sent or committed, or that failed with trouble of this kind, after so long.
    pub fn messaging_operation(&self, operation: Operation, trouble: Option<&str>, took: Duration) {
        let Some(messaging) = &self.messaging else { return };
        let error = trouble.map_or(NO_ERROR, |trouble| of(self.tables.troubles, trouble, OTHER_ERROR));
        let labels = [operation.name(), operation.kind(), KAFKA, &messaging.group, error];
        messaging.operation.with_label_values(&labels).observe(took.as_secs_f64());
    }
}
