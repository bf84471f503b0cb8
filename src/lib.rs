//! koine: commerce webhooks of several vendors in, one canonical Avro model out.

// All that is unsafe stands in one file, each piece with its proof; see there why it cannot be done without.
#![deny(unsafe_code)]

pub mod audit;
pub mod canonical;
pub mod cli;
pub mod codec;
pub mod config;
pub mod doctor;
pub mod http;
pub mod https;
pub mod kafka;
pub mod lineage;
pub mod oauth;
pub mod pipeline;
pub mod pointer;
pub mod registry;
pub mod reject;
pub mod samples;
pub mod schemas;
pub mod seal;
pub mod telemetry;
pub mod translate;
pub mod vendors;

#[cfg(test)]
mod filler;

/// The code of docs/fifth-vendor.md, compiled and run as it stands there.
#[cfg(doctest)]
#[doc = include_str!("../docs/fifth-vendor.md")]
struct FifthVendor;
