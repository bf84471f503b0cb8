//! The canonical model in Rust, field for field and in the order of `avro/`.
//!
//! Structs borrow their text from the webhook. They are plain `Serialize`: a human-readable format (JSON) gets decimals
//! and times as text, a binary one (Avro) gets them as the schema has them. This module knows neither vendors, nor
//! JSON, nor Avro, nor Kafka.

mod attributes;
mod cart;
mod customer;
mod event;
mod extensions;
pub mod forms;
mod meta;
mod money;
mod order;
mod privacy;
mod product;
mod shared;
mod time;

pub use attributes::Attributes;
pub use cart::{Cart, CartKind};
pub use customer::{
    Consent, ConsentPurpose, Customer, CustomerStatus, Gender, PaymentSetup, Preference, SalesAssociate, StoreCredit,
};
pub use event::{Entity, Event};
pub use extensions::{ExtensionEntry, Extensions, ExtensionsBuffer};
pub use meta::{Action, ClockBasis, Component, Coverage, EntityKind, EventId, EventIdBasis, EventMeta, Source};
pub use money::{Decimal, DecimalError};
pub use order::{
    FulfillmentStatus, Order, OrderPaymentStatus, OrderStatus, Payment, PaymentKind, PaymentSession,
    PaymentSessionStatus, PaymentStatus, Refund, Return, ReturnItem, ReturnKind, ReturnStatus, Shipment, ShipmentItem,
    Transaction,
};
pub use privacy::{Personal, PiiClass, Privacy, Treatment};
pub use product::{
    Category, Image, InventoryTracking, Price, PriceKind, Product, ProductOption, ProductStatus, StockLevel,
    StockMovement, Variant,
};
pub use shared::{Account, Address, ChosenOption, CustomerType, DigitalLink, Discount, LineItem, Party, Store, Tax};
pub use time::{Date, Micros};

use std::borrow::Cow;

/// Text of the webhook: borrowed, unless escapes had to be undone or several pieces put together.
pub type Text<'a> = Cow<'a, str>;

/// A closed list of words whose place in the list is its place in the Avro enum. `UNKNOWN` comes first and is what a
/// vendor's word becomes that we do not know.
macro_rules! words {
    ($($(#[$doc:meta])* pub enum $name:ident { $($(#[$symbol_doc:meta])* $symbol:ident = $word:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
        #[cfg_attr(test, derive(serde::Deserialize))]
        pub enum $name { $($(#[$symbol_doc])* #[serde(rename = $word)] $symbol),* }

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

/// How tests fill what cannot be filled by a derive.
#[cfg(test)]
mod testing {
    use super::{EntityKind, EventId};
    use serde::de::{Deserialize, Deserializer};
    use std::borrow::Cow;

    pub fn paths<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'static, [&'static str]>, D::Error> {
        let paths = Vec::<String>::deserialize(deserializer)?;
        Ok(paths.into_iter().map(|path| &*path.leak()).collect::<Vec<_>>().into())
    }

    impl<'de> Deserialize<'de> for EventId {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = String::deserialize(deserializer)?;
            Ok(EventId(uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, text.as_bytes())))
        }
    }

    impl<'de> Deserialize<'de> for EntityKind {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let index = i64::deserialize(deserializer)?;
            Ok(EntityKind::ALL[index.unsigned_abs() as usize % EntityKind::ALL.len()])
        }
    }
}
