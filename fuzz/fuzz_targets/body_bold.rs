//! Any bytes as a record of `raw.bold`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| koine_fuzz::body("bold", bytes));
