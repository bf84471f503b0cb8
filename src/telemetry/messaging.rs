//! The same once more under the names that OpenTelemetry has for messaging, for whoever compares systems by them. They are
//! still in development there, so they are off unless asked for, and no alert of ours is made of them.

use super::catalog;
use super::{Maker, Metrics};
use prometheus::{HistogramVec, IntCounterVec};
use std::time::Duration;

const KAFKA: &str = "kafka";

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
    pub fn new(make: &Maker, group: &str) -> Result<Messaging, prometheus::Error> {
        let operation = make.histograms(&catalog::MESSAGING_OPERATION)?;
        for what in [Operation::Send, Operation::Commit] {
            for error in ["", "_OTHER"] {
                operation.with_label_values(&[what.name(), what.kind(), KAFKA, error]);
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

    /// A raw record is committed, after a translation that took so long.
    pub fn message_consumed(&self, topic: &str, partition: i32, processing: Duration) {
        let Some(messaging) = &self.messaging else { return };
        let labels = ["poll", KAFKA, topic, &messaging.group, &partition.to_string()];
        messaging.consumed.with_label_values(&labels).inc();
        messaging.process.with_label_values(&["process", KAFKA, topic]).observe(processing.as_secs_f64());
    }

    /// A record was written to this topic, and is committed.
    pub fn message_sent(&self, topic: &str) {
        let Some(messaging) = &self.messaging else { return };
        messaging.sent.with_label_values(&["send", KAFKA, topic]).inc();
    }

    /// A batch was sent or committed, or that failed, after so long.
    pub fn messaging_operation(&self, operation: Operation, is_ok: bool, took: Duration) {
        let Some(messaging) = &self.messaging else { return };
        // The value that OpenTelemetry has for errors without a name of their own.
        let error = if is_ok { "" } else { "_OTHER" };
        let labels = [operation.name(), operation.kind(), KAFKA, error];
        messaging.operation.with_label_values(&labels).observe(took.as_secs_f64());
    }
}
