//! koine: commerce webhooks of several vendors in, one canonical Avro model out.

pub mod canonical;
pub mod codec;
pub mod kafka;
pub mod pipeline;
pub mod reject;
pub mod schemas;
pub mod translate;
pub mod vendors;

#[cfg(test)]
mod filler;
