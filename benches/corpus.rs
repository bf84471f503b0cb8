//! What koine takes for a record in memory, in one thread and without Kafka: CPU time over many different webhooks, as
//! `bench/run memory` asks for it beside the peers'. From the raw bytes to framed Avro, every leaf accounted for.
//!
//!     cargo bench --bench corpus -- VENDOR CORPUS RECORDS full|off      a JSON line
//!
//! CORPUS is what bench/corpus.py makes; `full` and `off` are a source's `extensions`.

#[path = "raw/mod.rs"]
mod raw;

use koine::codec;
use koine::translate::{Outcome, SourceSettings, Translator};
use koine::vendors::VENDORS;
use koine::vendors::cursor::Extensions;
use raw::raw;
use std::hint::black_box;
use std::process::ExitCode;
use std::{env, fs};

fn main() -> ExitCode {
    // Cargo puts `--bench` among them.
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [vendor, corpus, records, extensions] = arguments.as_slice() else {
        eprintln!("corpus VENDOR CORPUS RECORDS full|off");
        return ExitCode::from(2);
    };
    let vendor = VENDORS.iter().find(|known| known.name == vendor).expect("a vendor");
    let extensions = if extensions == "off" { Extensions::Off } else { Extensions::Full };
    let settings = SourceSettings { vendor: Some(vendor), extensions, ..SourceSettings::default() };
    let text = fs::read_to_string(corpus).expect("a corpus");
    let lines = text.lines().take(records.parse().expect("a number of records"));
    let bodies: Vec<&[u8]> = lines.map(|line| line.split_once('\t').expect("key and body").1.as_bytes()).collect();

    let mut translator = Translator::new();
    let mut out = Vec::new();
    let mut all = || {
        let (mut events, mut bytes) = (0_usize, 0_usize);
        for body in &bodies {
            translator.translate(black_box(&raw(body)), &settings, &mut |_, outcome| {
                if let Outcome::Event(translated) = outcome {
                    codec::encode(translated.event, 1, &mut out).expect("encoded");
                    events += 1;
                    bytes += black_box(&out).len();
                }
            });
        }
        (events, bytes)
    };
    // Once to see that each becomes an event, and to be warm.
    let (events, bytes) = all();
    assert_eq!(events, bodies.len(), "all become events");
    let begun = cpu_ns();
    all();
    let ns = (cpu_ns() - begun) / bodies.len() as u64;
    println!(r#"{{"ns":{ns},"out_bytes":{}}}"#, bytes / bodies.len());
    ExitCode::SUCCESS
}

/// How long this process, which is one thread, has been on a core.
fn cpu_ns() -> u64 {
    let text = fs::read_to_string("/proc/self/schedstat").expect("Linux with scheduler statistics");
    text.split(' ').next().and_then(|first| first.parse().ok()).expect("a number of nanoseconds")
}
