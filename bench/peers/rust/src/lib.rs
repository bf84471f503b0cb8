//! What the Rust peers of bench/run share: Spree's order, the order that all peers make of it, and three ways from one to the
//! other. They know one event of one vendor and stop at the first record that they cannot read: they are here to be measured.

pub mod canonical;
pub mod hand;
pub mod obvious;
pub mod scalar;
pub mod spree;
pub mod translate;

pub const SCHEMA: &str = include_str!("../../order.avsc");

/// What is wrong with a record.
#[derive(Debug)]
pub struct Bad(pub &'static str);
