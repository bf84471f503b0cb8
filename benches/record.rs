//! What a record costs, in one thread and without Kafka: each vendor's largest body, parsed, mapped, searched for what
//! is left over, encoded, and all of it together.
//!
//!     cargo bench --bench record                      all of it
//!     cargo bench --bench record -- spree/whole       one line

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use koine::canonical::{ExtensionsBuffer, Privacy};
use koine::codec;
use koine::translate::{Outcome, RawRecord, SourceSettings, Translator};
use koine::vendors::cursor::{Doc, Extensions, Keeping, Nobody, Tape};
use koine::vendors::{Unit, VENDORS, Vendor};
use std::hint::black_box;
use std::{fs, path::Path};

/// The largest body of a vendor that becomes an event.
fn largest(vendor: &'static Vendor) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bodies").join(vendor.name);
    let bodies =
        fs::read_dir(folder).expect("fixtures").map(|entry| fs::read(entry.expect("entry").path()).expect("body"));
    bodies.filter(|body| is_event(vendor, body)).max_by_key(Vec::len).expect("a body")
}

fn raw(value: &[u8]) -> RawRecord<'_> {
    RawRecord {
        topic: "raw.bench",
        partition: 0,
        offset: 1,
        timestamp_ms: Some(1_767_225_600_000),
        key: None,
        value: Some(value),
        headers: &[],
    }
}

fn is_event(vendor: &'static Vendor, body: &[u8]) -> bool {
    let settings = SourceSettings { vendor: Some(vendor), ..SourceSettings::default() };
    let mut found = false;
    Translator::new().translate(&raw(body), &settings, &mut |_, outcome| found |= matches!(outcome, Outcome::Event(_)));
    found
}

fn record(criterion: &mut Criterion) {
    for vendor in VENDORS {
        let body = largest(vendor);
        let settings = SourceSettings { vendor: Some(vendor), ..SourceSettings::default() };
        let rules = vendor.rules(false);
        let mut group = criterion.benchmark_group(vendor.name);
        group.throughput(Throughput::Bytes(body.len() as u64));

        let mut tape = Tape::default();
        group.bench_function("parse", |bench| {
            bench.iter(|| tape.read(black_box(&body), settings.max_depth).map(str::len).expect("JSON"));
        });

        let text = tape.read(&body, settings.max_depth).expect("JSON");
        let doc = Doc::new(&tape, text, &rules, None);
        let unit = Unit { body: doc.root(), path: None, event_type: None };
        let map = || {
            let envelope = (vendor.open)(&unit).expect("envelope");
            let event = vendor.event(&envelope.event_type).expect("event type");
            black_box(event.route.follow(&envelope).expect("mapped")).ok().and_then(|mapped| mapped.clock)
        };
        group.bench_function("map", |bench| bench.iter(map));

        let (mut pointer, mut extensions) = (String::new(), ExtensionsBuffer::default());
        let privacy = Privacy::default();
        let event_type = (vendor.open)(&unit).expect("envelope").event_type;
        let page = vendor.documents.body(&event_type);
        let keeping = Keeping { body: page, extensions: Extensions::Full, privacy: Some(&privacy) };
        group.bench_function("left over", |bench| {
            bench.iter(|| {
                extensions.clear();
                doc.root().leftovers(keeping, &mut pointer, &mut extensions, &mut Nobody).expect("room");
                black_box(extensions.view().len())
            });
        });

        let mut translator = Translator::new();
        let mut out = Vec::new();
        translator.translate(&raw(&body), &settings, &mut |_, outcome| {
            if let Outcome::Event(translated) = outcome {
                group.bench_function("encode", |bench| {
                    bench.iter(|| codec::encode(black_box(translated.event), 1, &mut out).expect("encoded"));
                });
            }
        });

        group.bench_function("whole", |bench| {
            bench.iter(|| {
                translator.translate(black_box(&raw(&body)), &settings, &mut |_, outcome| {
                    if let Outcome::Event(translated) = outcome {
                        codec::encode(translated.event, 1, &mut out).expect("encoded");
                    }
                });
                black_box(out.len())
            });
        });
        group.finish();
        eprintln!("{}: {} bytes in, {} bytes out", vendor.name, body.len(), out.len());
    }
}

criterion_group!(benches, record);
criterion_main!(benches);
