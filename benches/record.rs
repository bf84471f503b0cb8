//! What a record costs in time, in one thread and without Kafka: the stages of each vendor's largest body. What does not
//! depend on the machine is counted by `cost`.
//!
//!     cargo bench --bench record                      all of it
//!     cargo bench --bench record -- spree/whole       one line

mod stages;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use koine::vendors::VENDORS;
use stages::{Measure, each_stage, largest};

struct Timed<'c>(BenchmarkGroup<'c, WallTime>);

impl Measure for Timed<'_> {
    fn stage(&mut self, name: &str, mut once: impl FnMut()) {
        self.0.bench_function(name, |bench| bench.iter(&mut once));
    }
}

fn record(criterion: &mut Criterion) {
    for vendor in VENDORS {
        let body = largest(vendor);
        let mut timed = Timed(criterion.benchmark_group(vendor.name));
        timed.0.throughput(Throughput::Bytes(body.bytes.len() as u64));
        let out = each_stage(vendor, &body.bytes, &mut timed);
        timed.0.finish();
        eprintln!("{}: {}: {} bytes in, {out} bytes out", vendor.name, body.file, body.bytes.len());
    }
}

criterion_group!(benches, record);
criterion_main!(benches);
