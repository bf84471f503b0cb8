//! Any headers, a line each, and behind an empty line the body.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| koine_fuzz::headers(bytes));
