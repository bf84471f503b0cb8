//! The canonical model in Rust, field for field and in the order of `avro/`.
//!
//! Structs borrow their text from the webhook. They are plain `Serialize`: a human-readable format (JSON) gets decimals
//! and times as text, a binary one (Avro) gets them as the schema has them. This module knows neither vendors, nor
//! JSON, nor Avro, nor Kafka.

mod money;
mod time;

pub use money::{Decimal, DecimalError};
pub use time::{Date, Micros};

use std::borrow::Cow;

/// Text of the webhook: borrowed, unless escapes had to be undone or several pieces put together.
pub type Text<'a> = Cow<'a, str>;

/// A closed list of words whose place in the list is its place in the Avro enum. `UNKNOWN` comes first and is what a
/// vendor's word becomes that we do not know.
macro_rules! words {
    ($($(#[$doc:meta])* pub enum $name:ident { $($symbol:ident = $word:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
        #[cfg_attr(test, derive(serde::Deserialize))]
        pub enum $name { $(#[serde(rename = $word)] $symbol),* }

        impl $name {
            /// Every word, in the order of the schema.
            pub const ALL: &[$name] = &[$($name::$symbol),*];

            /// The symbol as it stands in the schema.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$symbol => $word),* }
            }
        }
    )*};
}
pub(crate) use words;
