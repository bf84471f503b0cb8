//! What every canonical record says about itself: which event it is, where it came from, and how a consumer applies it.
//! Knows no vendor: everything in here is handed in.

use super::{Micros, Text, words};
use std::borrow::Cow;

/// The four kinds of things the model speaks of. There is no `Unknown`: nothing is ever written that is none of them.
/// (In the schema `UNKNOWN` comes first, as in every enum; so the numbers begin at 1.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntityKind {
    Customer = 1,
    Cart,
    Order,
    Product,
}

impl EntityKind {
    pub const ALL: [EntityKind; 4] = [EntityKind::Customer, EntityKind::Cart, EntityKind::Order, EntityKind::Product];

    /// The symbol as it stands in the schema.
    pub const fn as_str(self) -> &'static str {
        match self {
            EntityKind::Customer => "CUSTOMER",
            EntityKind::Cart => "CART",
            EntityKind::Order => "ORDER",
            EntityKind::Product => "PRODUCT",
        }
    }

    /// As it stands in keys, in `ce_type`, and as the name of the record's field.
    pub const fn as_lower(self) -> &'static str {
        match self {
            EntityKind::Customer => "customer",
            EntityKind::Cart => "cart",
            EntityKind::Order => "order",
            EntityKind::Product => "product",
        }
    }

    /// The name of the record's type, without its namespace.
    pub const fn record_name(self) -> &'static str {
        match self {
            EntityKind::Customer => "CustomerEvent",
            EntityKind::Cart => "CartEvent",
            EntityKind::Order => "OrderEvent",
            EntityKind::Product => "ProductEvent",
        }
    }

    /// The topic's default name.
    pub const fn topic_name(self) -> &'static str {
        match self {
            EntityKind::Customer => "commerce.customer.v1",
            EntityKind::Cart => "commerce.cart.v1",
            EntityKind::Order => "commerce.order.v1",
            EntityKind::Product => "commerce.product.v1",
        }
    }
}

impl serde::Serialize for EntityKind {
    #[inline]
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit_variant("EntityKind", *self as u32, self.as_str())
    }
}

words! {
    /// What happened to the entity; where coverage is COMPONENT, to the component.
    pub enum Action {
        Unknown = "UNKNOWN",
        Created = "CREATED",
        Updated = "UPDATED",
        Saved = "SAVED",
        Deleted = "DELETED",
        Registered = "REGISTERED",
        Authenticated = "AUTHENTICATED",
        Abandoned = "ABANDONED",
        ItemAdded = "ITEM_ADDED",
        ItemUpdated = "ITEM_UPDATED",
        ItemRemoved = "ITEM_REMOVED",
        Completed = "COMPLETED",
        Released = "RELEASED",
        Paid = "PAID",
        Shipped = "SHIPPED",
        Canceled = "CANCELED",
        Resumed = "RESUMED",
        Activated = "ACTIVATED",
        Archived = "ARCHIVED",
        OutOfStock = "OUT_OF_STOCK",
        BackInStock = "BACK_IN_STOCK",
    }

    /// How much of the entity a record says.
    pub enum Coverage {
        Unknown = "UNKNOWN",
        /// The whole entity: what is null is null.
        Snapshot = "SNAPSHOT",
        /// Only what `present` lists is said: absent is not null.
        Patch = "PATCH",
        /// A part of the entity, folded into its list by the component's kind and id.
        Component = "COMPONENT",
        /// A deletion that names just the id.
        KeyOnly = "KEY_ONLY",
    }

    /// Whose clock a time was read from.
    pub enum ClockBasis {
        Unknown = "UNKNOWN",
        /// The event's own time.
        Envelope = "ENVELOPE",
        /// The entity's own last change.
        Entity = "ENTITY",
        /// The raw record's timestamp.
        Broker = "BROKER",
    }

    /// What the event's id was made of.
    pub enum EventIdBasis {
        Unknown = "UNKNOWN",
        /// The vendor's own event id.
        Vendor = "VENDOR",
        /// The webhook's bytes.
        Body = "BODY",
        /// Where the webhook stands in the raw topic.
        Position = "POSITION",
    }
}

/// A UUID, as text: lower case with hyphens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventId(pub uuid::Uuid);

impl std::fmt::Display for EventId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()))
    }
}

impl serde::Serialize for EventId {
    #[inline]
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()))
    }
}

/// The head of every canonical record.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct EventMeta<'a> {
    pub event_id: EventId,
    pub event_id_basis: EventIdBasis,
    pub entity: EntityKind,
    pub action: Action,
    pub coverage: Coverage,
    /// For PATCH and COMPONENT: the dotted canonical paths that are said, down into objects, never into a list.
    #[cfg_attr(test, serde(deserialize_with = "super::testing::paths"))]
    pub present: Cow<'a, [&'static str]>,
    pub component: Option<Component<'a>>,
    pub occurred_at: Micros,
    pub occurred_at_basis: ClockBasis,
    /// Microseconds: of two records of one key the one with the greater version is the newer.
    pub version: i64,
    pub version_basis: ClockBasis,
    /// The raw record's timestamp.
    pub received_at: Micros,
    pub source: Source<'a>,
    /// Of the component: under which the entity knows it, where that is not its id. It stands behind all else, so that
    /// every version's head begins alike.
    pub component_name: Option<Text<'a>>,
}

/// The part of an entity that an event is about.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct Component<'a> {
    /// `payment`, `line_item`, `metafield`, …
    pub kind: Text<'a>,
    pub id: Option<Text<'a>>,
    /// Under which the entity knows it, where that is not the id: written as `component_name`.
    #[serde(skip)]
    pub name: Option<Text<'a>>,
}

/// Where the webhook came from.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct Source<'a> {
    /// `bspk`, `spree`, `composer`, `bold`: text and no enum, so that a fifth vendor changes no schema.
    pub vendor: Text<'a>,
    pub shop: Text<'a>,
    /// The event type in the vendor's words.
    pub event_type: Text<'a>,
    /// The vendor's own id of the event.
    pub event_id: Option<Text<'a>>,
    pub api_version: Option<Text<'a>>,
    /// The raw topic.
    pub topic: Text<'a>,
    pub partition: i32,
    pub offset: i64,
    /// The place in the raw record, if that is a list of webhooks; else 0.
    pub index: i32,
}
