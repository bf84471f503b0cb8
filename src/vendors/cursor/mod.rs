//! The cursor that forgets nothing: a parsed body, read through [`Node`]s that know their place and mark what they
//! read. What nobody read is listed by [`Doc::leftovers`], so that no field of a webhook can disappear in silence.
//! Knows no vendor's field names.

mod hidden;
mod leftovers;
mod node;
mod place;
mod plans;
mod rules;
mod shapes;
mod tape;
#[cfg(test)]
mod tests;
mod tokenize;

pub use leftovers::{Extensions, Fate, Keeping, Nobody, Oddity, Spot, Watch};
pub use node::{Doc, Element, Keys, Node, Steps};
pub use place::{text_at, unquoted};
pub use rules::{Rule, Rules, Why, is_secret_name};
pub use tape::{Tape, is_same, tag};
