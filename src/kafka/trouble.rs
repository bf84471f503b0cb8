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
    /// The client does not find a coordinator that others find: a new instance is needed.
    Lost(String),
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

/// The errors that librdkafka's producer does not survive, with its own names for them in lower case. Those that say that somebody
/// else has our transactional id are [`Trouble::Fenced`], and not among them.
const FATAL_CODES: [(Code, &str); 10] = [
    (Code::GaplessGuarantee, "gapless_guarantee"),
    (Code::Inconsistent, "inconsistent"),
    (Code::UnsupportedFeature, "unsupported_feature"),
    (Code::OutOfOrderSequenceNumber, "out_of_order_sequence_number"),
    (Code::UnknownProducerId, "unknown_producer_id"),
    (Code::InvalidProducerIdMapping, "invalid_producer_id_mapping"),
    (Code::InvalidTransactionalState, "invalid_txn_state"),
    (Code::InvalidTransactionTimeout, "invalid_transaction_timeout"),
    (Code::TransactionalIdAuthorizationFailed, "transactional_id_authorization_failed"),
    (Code::ClusterAuthorizationFailed, "cluster_authorization_failed"),
];

/// What librdkafka calls such an error; nothing, where it is a rare one.
pub fn fatal_code(code: Code) -> Option<&'static str> {
    FATAL_CODES.iter().find(|(known, _)| *known == code).map(|(_, name)| *name)
}

/// All names that [`fatal_code`] gives.
pub fn fatal_codes() -> impl Iterator<Item = &'static str> {
    FATAL_CODES.iter().map(|(_, name)| *name)
}

impl Trouble {
    /// Every word of [`Self::kind`].
    pub const KINDS: [&str; 7] = ["retriable", "aborted", "fenced", "fatal", "lost", "denied", "refused"];

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
            Trouble::Lost(_) => "lost",
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
            | Trouble::Lost(why)
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

/// A delivery report that is not a success, of a record for this topic.
pub fn of_delivery(error: &KafkaError, topic: &str) -> Trouble {
    let Some(code) = error.rdkafka_error_code() else { return Trouble::Abort(error.to_string()) };
    match (refusal(code), code) {
        (Some(refusal), _) => Trouble::Refused(refusal),
        (None, Code::Fatal) => Trouble::Fatal(error.to_string()),
        (None, _) => Trouble::Abort(of_topic(error, code, topic)),
    }
}

/// What is wrong with a topic that is written.
fn of_topic(error: &KafkaError, code: Code, topic: &str) -> String {
    match code {
        Code::TopicAuthorizationFailed => denied("WRITE and DESCRIBE", "topic", topic, ""),
        _ => format!("{topic}: {error}"),
    }
}

/// A call that queues a record for this topic. `None`: the queue is full, which is no trouble at all.
pub fn of_send(error: &KafkaError, topic: &str) -> Option<Trouble> {
    let Some(code) = error.rdkafka_error_code() else { return Some(Trouble::Abort(error.to_string())) };
    match (refusal(code), code) {
        (Some(refusal), _) => Some(Trouble::Refused(refusal)),
        (None, Code::QueueFull) => None,
        (None, Code::Fatal) => Some(Trouble::Fatal(error.to_string())),
        // `State`: the transaction has failed meanwhile. Unknown topic or partition, no leader, no permission: what
        // the topic is like will change, the record will not.
        (None, code) => Some(Trouble::Abort(of_topic(error, code, topic))),
    }
}

/// A call on a transaction with this id.
pub fn of_transaction(error: &KafkaError, id: &str) -> Trouble {
    let why = match error.rdkafka_error_code() {
        Some(Code::TransactionalIdAuthorizationFailed) => {
            denied("WRITE and DESCRIBE", "transactional id", id, "best for all that begin with the group's name")
        }
        Some(Code::GroupAuthorizationFailed) => denied("READ", "group", "whose offsets it commits", ""),
        _ => error.to_string(),
    };
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

/// What a broker does not allow, and what to do about it. `said`: what is known beyond it, if anything.
pub fn denied(permissions: &str, kind: &str, name: &str, said: &str) -> String {
    let said = if said.is_empty() || said == name { String::new() } else { format!(" ({said})") };
    format!("not allowed: koine needs {permissions} on the {kind} {name}{said}; waiting until it is granted")
}

/// What librdkafka says where a partition cannot be added to a transaction, with what to do about it.
pub fn not_added(said: &str) -> String {
    let is_denied = said.contains("authorization failed");
    match said.split('"').nth(1) {
        Some(topic) if is_denied => denied("WRITE and DESCRIBE", "topic", topic, ""),
        _ => said.to_owned(),
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
        let of = |code| of_delivery(&KafkaError::MessageProduction(code), "t");
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
    fn a_topic_that_may_not_be_written_is_named() {
        let said = "TxnCoordinator/1: Failed to add partition \"commerce.cart.v1\" [0] to transaction: \
                    Broker: Topic authorization failed";
        let why =
            "not allowed: koine needs WRITE and DESCRIBE on the topic commerce.cart.v1; waiting until it is granted";
        assert_eq!(not_added(said), why);
        let refused = KafkaError::MessageProduction(Code::TopicAuthorizationFailed);
        assert_eq!(of_delivery(&refused, "commerce.cart.v1"), Trouble::Abort(why.to_owned()));
        let gone = "TxnCoordinator/1: Failed to add partition \"t\" [0] to transaction: Broker: Unknown topic";
        assert_eq!(not_added(gone), gone);
    }

    #[test]
    fn a_full_queue_is_no_trouble() {
        assert_eq!(of_send(&KafkaError::MessageProduction(Code::QueueFull), "t"), None);
        let too_large = of_send(&KafkaError::MessageProduction(Code::MessageSizeTooLarge), "t");
        assert_eq!(too_large, Some(Trouble::Refused(Refusal::TooLarge)));
        assert!(matches!(of_send(&KafkaError::MessageProduction(Code::State), "t"), Some(Trouble::Abort(_))));
        assert!(matches!(of_send(&KafkaError::MessageProduction(Code::Fatal), "t"), Some(Trouble::Fatal(_))));
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
    fn every_kind_is_on_the_list() {
        let why = String::new;
        let all = [
            Trouble::Retriable(why()),
            Trouble::Abort(why()),
            Trouble::Fenced(why()),
            Trouble::Fatal(why()),
            Trouble::Lost(why()),
            Trouble::Denied(why()),
            Trouble::Refused(Refusal::Invalid),
        ];
        assert_eq!(all.map(|trouble| trouble.kind()), Trouble::KINDS);
    }

    #[test]
    fn only_what_no_producer_survives_has_a_fatal_name() {
        for (code, name) in FATAL_CODES {
            assert_eq!(of_fatal(code, String::new()).kind(), "fatal", "{code:?}");
            assert_eq!(fatal_code(code), Some(name));
        }
        assert_eq!((fatal_code(Code::Fenced), fatal_code(Code::MessageTimedOut)), (None, None));
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
