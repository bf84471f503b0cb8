//! One canonical record: its head, its entity, and what the model has no field for.

use super::{Cart, Customer, EntityKind, EventMeta, Extensions, Order, Product};
use serde::ser::{Serialize, SerializeStruct, Serializer};

/// What an event is about. Boxed: an order is large, and an event is handed on by value.
#[derive(Debug, Clone, PartialEq)]
pub enum Entity<'a> {
    Customer(Box<Customer<'a>>),
    Cart(Box<Cart<'a>>),
    Order(Box<Order<'a>>),
    Product(Box<Product<'a>>),
}

impl Entity<'_> {
    pub fn kind(&self) -> EntityKind {
        match self {
            Entity::Customer(_) => EntityKind::Customer,
            Entity::Cart(_) => EntityKind::Cart,
            Entity::Order(_) => EntityKind::Order,
            Entity::Product(_) => EntityKind::Product,
        }
    }

    /// None for a component whose webhook does not name its parent.
    pub fn id(&self) -> Option<&str> {
        match self {
            Entity::Customer(customer) => customer.id.as_deref(),
            Entity::Cart(cart) => cart.id.as_deref(),
            Entity::Order(order) => order.id.as_deref(),
            Entity::Product(product) => product.id.as_deref(),
        }
    }
}

/// One canonical record.
#[derive(Debug, Clone, PartialEq)]
pub struct Event<'a> {
    pub meta: EventMeta<'a>,
    pub entity: Entity<'a>,
    pub extensions: Extensions<'a>,
}

/// As `OrderEvent {meta, order, extensions}`, and so for the others: the entity's field has the entity's name.
impl Serialize for Event<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kind = self.entity.kind();
        let mut record = serializer.serialize_struct(kind.record_name(), 3)?;
        record.serialize_field("meta", &self.meta)?;
        match &self.entity {
            Entity::Customer(customer) => record.serialize_field(kind.as_lower(), customer)?,
            Entity::Cart(cart) => record.serialize_field(kind.as_lower(), cart)?,
            Entity::Order(order) => record.serialize_field(kind.as_lower(), order)?,
            Entity::Product(product) => record.serialize_field(kind.as_lower(), product)?,
        }
        record.serialize_field("extensions", &self.extensions)?;
        record.end()
    }
}
