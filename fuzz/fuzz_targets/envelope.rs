//! Any bytes as a record in an envelope; the first byte chooses which.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| koine_fuzz::envelope(bytes));
