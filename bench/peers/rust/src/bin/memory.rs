//! Translation alone, in one thread and without Kafka: CPU time a record of three ways to translate the same orders.
//!
//!     memory CORPUS RECORDS ROUNDS      a JSON line for each way and round
//!
//! All must give the same bytes, or nothing is measured.

use peers::translate::{Transform, Translator};
use std::hint::black_box;

const WAYS: [(&str, Transform); 3] = [
    ("serde_json::Value, apache-avro Value", Transform::Obvious),
    ("sonic-rs typed, serde_avro_fast", Transform::Typed),
    ("sonic-rs typed, Avro by hand", Transform::Hand),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [corpus, records, rounds] = arguments.as_slice() else { panic!("memory CORPUS RECORDS ROUNDS") };
    let text = std::fs::read_to_string(corpus).expect("corpus");
    let lines = text.lines().take(records.parse().expect("a number of records"));
    let bodies: Vec<&[u8]> = lines.map(|line| line.split_once('\t').expect("key and body").1.as_bytes()).collect();

    let mut translators = WAYS.map(|(_, transform)| Translator::new(transform, 1));
    let [first, others @ ..] = &mut translators;
    for body in &bodies {
        let expected = first.run(body);
        assert!(others.iter_mut().all(|other| other.run(body) == expected), "they differ");
    }
    for round in 0..rounds.parse().expect("a number of rounds") {
        for ((name, _), translator) in WAYS.iter().zip(&mut translators) {
            let begun = cpu_seconds();
            for body in &bodies {
                black_box(translator.run(body));
            }
            let ns = (cpu_seconds() - begun) * 1e9 / bodies.len() as f64;
            println!(r#"{{"name":"{name}","round":{round},"ns":{ns:.0}}}"#);
        }
    }
}

fn cpu_seconds() -> f64 {
    // SAFETY: getrusage fills the struct that it is given; all zeros is a valid one.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert!(libc::getrusage(libc::RUSAGE_SELF, &mut usage) == 0);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}
