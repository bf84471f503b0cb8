//! Any text as a configuration file, and behind a line `--env--` variables, a line each.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| koine_fuzz::config(bytes));
