//! What can go wrong with Kafka, sorted by what has to be done about it.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use std::fmt;

/// A failure, by its cure. The text is for the log; it holds no payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Call again after a while.
    Retriable(String),
    /// The transaction is void: abort it and do its records again.
    Abort(String),
    /// Another producer took our transactional id, or the broker gave up on the transaction: a new instance is needed,
    /// and nobody knows what became of the commit.
    Fenced(String),
    /// The client is beyond repair: a new instance is needed.
    Fatal(String),
    /// The brokers do not believe who we are, and have said so often enough.
    Denied(String),
    /// One record is refused for what it is. Not the infrastructure's fault.
    Refused(Refusal),
}

/// Why a broker, or the client on its behalf, does not take a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    TooLarge,
    /// An invalid timestamp, or whatever else the topic does not admit.
    Invalid,
}

impl Trouble {
    /// Whether the client instance can go on after an abort or a pause.
    pub fn is_survivable(&self) -> bool {
        matches!(self, Trouble::Retriable(_) | Trouble::Abort(_) | Trouble::Refused(_))
    }

    /// One word, for a metric's label.
    pub fn kind(&self) -> &'static str {
        match self {
            Trouble::Retriable(_) => "retriable",
            Trouble::Abort(_) => "aborted",
            Trouble::Fenced(_) => "fenced",
            Trouble::Fatal(_) => "fatal",
            Trouble::Denied(_) => "denied",
            Trouble::Refused(_) => "refused",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Retriable(why)
            | Trouble::Abort(why)
            | Trouble::Fenced(why)
            | Trouble::Fatal(why)
            | Trouble::Denied(why) => f.write_str(why),
            Trouble::Refused(Refusal::TooLarge) => f.write_str("the record is larger than the topic takes"),
            Trouble::Refused(Refusal::Invalid) => f.write_str("the topic does not take the record"),
        }
    }
}

/// Whether a code speaks of the record itself.
pub fn refusal(code: Code) -> Option<Refusal> {
    match code {
        Code::MessageSizeTooLarge | Code::InvalidMessageSize => Some(Refusal::TooLarge),
        Code::InvalidTimestamp | Code::InvalidRecord => Some(Refusal::Invalid),
        _ => None,
    }
}

/// A delivery report that is not a success.
pub fn of_delivery(error: &KafkaError) -> Trouble {
    let Some(code) = error.rdkafka_error_code() else { return Trouble::Abort(error.to_string()) };
    match (refusal(code), code) {
        (Some(refusal), _) => Trouble::Refused(refusal),
        (None, Code::Fatal) => Trouble::Fatal(error.to_string()),
        (None, _) => Trouble::Abort(error.to_string()),
    }
}

/// A call that queues a record. `None`: the queue is full, which is no trouble at all.
pub fn of_send(error: &KafkaError) -> Option<Trouble> {
    let Some(code) = error.rdkafka_error_code() else { return Some(Trouble::Abort(error.to_string())) };
    match (refusal(code), code) {
        (Some(refusal), _) => Some(Trouble::Refused(refusal)),
        (None, Code::QueueFull) => None,
        (None, Code::Fatal) => Some(Trouble::Fatal(error.to_string())),
        // `State`: the transaction has failed meanwhile. Unknown topic or partition, no leader, no permission: what
        // the topic is like will change, the record will not.
        (None, _) => Some(Trouble::Abort(error.to_string())),
    }
}

/// A call on a transaction.
pub fn of_transaction(error: &KafkaError) -> Trouble {
    let why = error.to_string();
    match error {
        KafkaError::Transaction(inner) => {
            of_flags(inner.code(), inner.is_fatal(), inner.txn_requires_abort(), inner.is_retriable(), why)
        }
        KafkaError::Flush(Code::OperationTimedOut) => Trouble::Retriable(why),
        _ => Trouble::Fatal(why),
    }
}

/// A client that is beyond repair.
pub fn of_fatal(code: Code, why: String) -> Trouble {
    of_flags(code, true, false, false, why)
}

fn of_flags(code: Code, is_fatal: bool, requires_abort: bool, is_retriable: bool, why: String) -> Trouble {
    let is_fencing = matches!(code, Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch);
    match (is_fatal, requires_abort, is_retriable) {
        (true, _, _) if is_fencing => Trouble::Fenced(why),
        (true, _, _) => Trouble::Fatal(why),
        (_, true, _) => Trouble::Abort(why),
        (_, _, true) => Trouble::Retriable(why),
        // Codes without a flag that mean "not now".
        _ if matches!(code, Code::OperationTimedOut | Code::Conflict | Code::InProgress | Code::PreviousInProgress) => {
            Trouble::Retriable(why)
        }
        // A call in a state that it is not made for: our picture of the transaction is wrong, so start anew.
        _ => Trouble::Fatal(why),
    }
}

/// A call on a consumer, or an event that it got.
pub fn of_consumer(error: &KafkaError) -> Trouble {
    match error {
        // A static member whose name another process has taken: being made anew would only take it back.
        _ if error.rdkafka_error_code() == Some(Code::FencedInstanceId) => Trouble::Fenced(error.to_string()),
        KafkaError::MessageConsumptionFatal(_) => Trouble::Fatal(error.to_string()),
        _ if error.rdkafka_error_code() == Some(Code::Fatal) => Trouble::Fatal(error.to_string()),
        _ => Trouble::Retriable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_record_is_to_blame_for_is_told_from_what_it_is_not() {
        let of = |code| of_delivery(&KafkaError::MessageProduction(code));
        assert_eq!(of(Code::MessageSizeTooLarge), Trouble::Refused(Refusal::TooLarge));
        assert_eq!(of(Code::InvalidTimestamp), Trouble::Refused(Refusal::Invalid));
        assert_eq!(of(Code::InvalidRecord), Trouble::Refused(Refusal::Invalid));
        for code in [
            Code::MessageTimedOut,
            Code::BrokerTransportFailure,
            Code::NotLeaderForPartition,
            Code::TopicAuthorizationFailed,
            Code::UnknownTopicOrPartition,
            Code::PurgeQueue,
            Code::PurgeInflight,
            Code::InvalidDifferentRecord,
            Code::PolicyViolation,
        ] {
            assert!(matches!(of(code), Trouble::Abort(_)), "{code:?} is not the record's fault");
        }
    }

    #[test]
    fn a_full_queue_is_no_trouble() {
        assert_eq!(of_send(&KafkaError::MessageProduction(Code::QueueFull)), None);
        let too_large = of_send(&KafkaError::MessageProduction(Code::MessageSizeTooLarge));
        assert_eq!(too_large, Some(Trouble::Refused(Refusal::TooLarge)));
        assert!(matches!(of_send(&KafkaError::MessageProduction(Code::State)), Some(Trouble::Abort(_))));
        assert!(matches!(of_send(&KafkaError::MessageProduction(Code::Fatal)), Some(Trouble::Fatal(_))));
    }

    #[test]
    fn transactions_follow_the_flags_and_fencing_has_its_name() {
        let of = |code, fatal, abort, retry| of_flags(code, fatal, abort, retry, String::new()).kind();
        assert_eq!(of(Code::OperationTimedOut, false, false, true), "retriable");
        assert_eq!(of(Code::OperationTimedOut, false, false, false), "retriable");
        assert_eq!(of(Code::IllegalGeneration, false, true, false), "aborted");
        assert_eq!(of(Code::UnknownMemberId, false, true, true), "aborted");
        assert_eq!(of(Code::Fenced, true, false, false), "fenced");
        assert_eq!(of_fatal(Code::Fenced, String::new()).kind(), "fenced");
        assert_eq!(of(Code::InvalidProducerEpoch, true, false, false), "fenced");
        assert_eq!(of(Code::ClusterAuthorizationFailed, true, false, false), "fatal");
        assert_eq!(of(Code::State, false, false, false), "fatal");
    }

    #[test]
    fn a_transport_failure_of_the_consumer_is_waited_for() {
        let gone = KafkaError::MessageConsumption(Code::AllBrokersDown);
        assert!(matches!(of_consumer(&gone), Trouble::Retriable(_)));
        let expelled = KafkaError::MessageConsumptionFatal(Code::FencedInstanceId);
        assert!(matches!(of_consumer(&expelled), Trouble::Fenced(_)));
        let broken = KafkaError::MessageConsumptionFatal(Code::InvalidRequest);
        assert!(matches!(of_consumer(&broken), Trouble::Fatal(_)));
    }
}
