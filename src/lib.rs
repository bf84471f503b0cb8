//! koine: commerce webhooks of several vendors in, one canonical Avro model out.

pub mod canonical;
pub mod cli;
pub mod codec;
pub mod reject;
pub mod schemas;
pub mod translate;
pub mod vendors;

#[cfg(test)]
mod filler;
