//! koine: commerce webhooks of several vendors in, one canonical Avro model out.

#![forbid(unsafe_code)]

pub mod canonical;
pub mod cli;
pub mod codec;
pub mod reject;
pub mod schemas;
pub mod translate;
pub mod vendors;

#[cfg(test)]
mod filler;
