//! koine: commerce webhooks of several vendors in, one canonical Avro model out.

pub mod canonical;
pub mod config;
pub mod http;
pub mod registry;
pub mod telemetry;
