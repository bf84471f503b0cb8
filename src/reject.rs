//! Why a webhook is refused: the closed list of codes, and where in it the trouble is. Never a value from it.

use crate::canonical::DecimalError;
use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $class:ident;)*) => {
        /// The closed list. Every code is documented with its cause and cure in docs/errors.md.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name),* }

        impl Code {
            pub const ALL: &[Code] = &[$(Code::$name),*];

            /// The name as it stands in the header `koine.error.code`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$name => $code),* }
            }

            pub const fn class(self) -> Class {
                match self { $(Code::$name => Class::$class),* }
            }
        }
    };
}

codes! {
    /// The record has no value, or an empty one.
    BodyEmpty = "body.empty", Data;
    /// The value is larger than `limits.body_bytes`.
    BodyTooLarge = "body.too_large", Limit;
    /// The value is not JSON (RFC 8259).
    JsonSyntax = "json.syntax", Data;
    /// The value is not UTF-8, or has half a surrogate pair; or what should be Base64 is none.
    JsonEncoding = "json.encoding", Data;
    /// The value nests deeper than `limits.depth`.
    JsonDepth = "json.depth", Data;
    /// An object has the same key twice: which one counts is not for us to say.
    JsonDuplicateKey = "json.duplicate_key", Data;
    /// The body has the shape of no vendor we know.
    EnvelopeUnknownVendor = "envelope.unknown_vendor", Contract;
    /// The envelope lacks what says what the webhook is, or the webhook.
    EnvelopeMissing = "envelope.missing", Contract;
    /// A header, or the webhook's path, and the body name different things; or the envelope holds two of one thing.
    EnvelopeConflict = "envelope.conflict", Contract;
    /// No document names this event type.
    EventUnknown = "event.unknown", Contract;
    /// A required field is absent, null or empty.
    FieldMissing = "field.missing", Data;
    /// An object, list or boolean stands where another kind is due, or the reverse.
    FieldType = "field.type", Data;
    /// An amount that is no decimal number.
    MoneyInvalid = "money.invalid", Data;
    /// An amount with more than 9 decimals or 29 integer digits.
    MoneyPrecision = "money.precision", Data;
    /// An amount in another currency than its record's, where the model has no place for a second one.
    MoneyMixedCurrency = "money.mixed_currency", Data;
    /// A time that does not exist, or has no zone.
    TimeInvalid = "time.invalid", Data;
    /// A number that is none, or does not fit.
    NumberRange = "number.range", Data;
    /// The canonical record is larger than the broker takes, or would be far larger than its webhook.
    RecordTooLarge = "record.too_large", Limit;
    /// The broker refused the record for what it is (an invalid timestamp, say).
    RecordRefused = "record.refused", Limit;
}

impl Code {
    /// What is wrong, for people. Never a value from the payload.
    pub const fn detail(self) -> &'static str {
        match self {
            Code::BodyEmpty => "the record has no body",
            Code::BodyTooLarge => "the body is larger than limits.body_bytes",
            Code::JsonSyntax => "the body is not JSON",
            Code::JsonEncoding => {
                "the body is not UTF-8 (or not Base64, where it should be), or an escape stands for half a surrogate pair"
            }
            Code::JsonDepth => "the body nests deeper than limits.depth",
            Code::JsonDuplicateKey => "an object has the same key twice",
            Code::EnvelopeUnknownVendor => {
                "no known vendor sends a body of this shape, or the header koine-vendor names none"
            }
            Code::EnvelopeMissing => "the envelope does not say what the webhook is, or has none",
            Code::EnvelopeConflict => "a header and the body, or a header and the configuration, disagree",
            Code::EventUnknown => "no document names this event type",
            Code::FieldMissing => "a required field is absent, null or empty",
            Code::FieldType => {
                "a value of this JSON type, or a document in a text with a secret in it, cannot stand here"
            }
            Code::MoneyInvalid => "an amount has to be a decimal number",
            Code::MoneyPrecision => "an amount has at most 29 integer digits and 9 decimals",
            Code::MoneyMixedCurrency => "an amount is in another currency than its record",
            Code::TimeInvalid => "a time has to exist and to have the form and zone of its field",
            Code::NumberRange => "a number has to be one, and to fit its field",
            Code::RecordTooLarge => {
                "the canonical record is larger than the broker takes, or far larger than its webhook"
            }
            Code::RecordRefused => "the broker refused the canonical record for what it is",
        }
    }
}

/// What kind of trouble a code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The bytes or values are wrong: the sender's matter.
    Data,
    /// The envelope or the event type is not what was agreed.
    Contract,
    /// Something is larger than a limit.
    Limit,
}

impl Class {
    pub const fn as_str(self) -> &'static str {
        match self {
            Class::Data => "data",
            Class::Contract => "contract",
            Class::Limit => "limit",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal on its way up: a code and a place. Small on purpose, since it is the error half of every `Result` of a
/// mapping; the pointer is built from it once, when a webhook is in fact refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reject {
    pub code: Code,
    pub place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The webhook as a whole.
    Whole,
    /// A byte of the body, counted from 0.
    Offset(u32),
    /// A node of the tape.
    Node(u32),
    /// A key that the object at this node lacks.
    Absent(u32, &'static str),
}

impl Reject {
    #[cold]
    pub fn whole(code: Code) -> Self {
        Reject { code, place: Place::Whole }
    }

    #[cold]
    pub fn at(code: Code, offset: usize) -> Self {
        Reject { code, place: Place::Offset(offset as u32) }
    }
}

impl From<DecimalError> for Code {
    fn from(error: DecimalError) -> Code {
        match error {
            DecimalError::Invalid => Code::MoneyInvalid,
            DecimalError::Precision => Code::MoneyPrecision,
        }
    }
}
