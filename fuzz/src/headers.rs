//! Headers: what a raw record's say, and what its dead letter's must be whatever they were.

use crate::record::{Wrapped, judge, raw};
use koine::pipeline::dead_letter::{self, BUDGET, Form, HeaderSets, Policy};
use koine::pipeline::letter::{Letter, Position};
use koine::translate::{DeadLetter, Header, RawRecord, SourceSettings};
use std::collections::BTreeMap;

const DROPPED: [&str; 3] = ["x-bspk-secret", "authorization", "cookie"];

/// Lines `name:value`, one without a colon has no value; behind an empty line the body.
pub fn headers(bytes: &[u8]) {
    let (lines, body) = match bytes.windows(2).position(|two| two == b"\n\n") {
        Some(at) => (&bytes[..at], &bytes[at + 2..]),
        None => (bytes, &b""[..]),
    };
    let headers: Vec<Header<'_>> = lines.split(|byte| *byte == b'\n').filter_map(header).collect();
    let record = raw(body, &headers);
    // Whoever wrote them, they can be looked at.
    let _ = Letter::read(&record).map(|letter| letter.failed_at());
    for letter in judge(&record, &SourceSettings::default(), Wrapped::Maybe) {
        let sets = HeaderSets { connect: true, streams: true, spring: true };
        let policy = Policy { drop_headers: DROPPED.map(String::from).into(), sets, ..Policy::default() };
        let first = dead_letter::headers(&record, &letter, "now", &policy, Form::WHOLE);
        are_sound(&headers, &first);
        // A dead letter that is dead-lettered again has each of ours once, and all others as they were.
        let sent: Vec<Header<'_>> =
            first.iter().map(|(name, value)| Header { name, value: value.as_deref() }).collect();
        let second = dead_letter::headers(&raw(body, &sent), &letter, "now", &policy, Form::WHOLE);
        assert_eq!(first, second, "dead-lettered twice");
        is_read_back(&RawRecord { topic: "dlq.raw.any", partition: 0, offset: 5, headers: &sent, ..record }, &letter);
    }
}

/// A dead letter says where its webhook came from, and that is refused again as it was.
fn is_read_back(dead: &RawRecord<'_>, letter: &DeadLetter) {
    let read = Letter::read(dead).expect("one of ours");
    let position = Position { partition: 3, offset: 11, index: letter.index };
    assert_eq!((read.raw_topic, read.position, read.code), ("raw.any", position, letter.code.as_str()));
    let again = judge(&read.raw(dead.value, &read.headers), &SourceSettings::default(), Wrapped::Maybe);
    assert!(again.contains(letter), "another refusal of the same webhook");
}

/// Kafka's names are texts.
fn header(line: &[u8]) -> Option<Header<'_>> {
    let (name, value) = match line.iter().position(|byte| *byte == b':') {
        Some(colon) => (&line[..colon], Some(&line[colon + 1..])),
        None => (line, None),
    };
    Some(Header { name: std::str::from_utf8(name).ok()?, value })
}

fn are_sound(given: &[Header<'_>], written: &[dead_letter::OutHeader<'_>]) {
    let is_dropped = |name: &str| DROPPED.iter().any(|dropped| dropped.eq_ignore_ascii_case(name));
    assert!(!written.iter().any(|(name, _)| is_dropped(name)), "a credential");
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    written.iter().for_each(|(name, _)| *times.entry(name).or_default() += 1);
    // Ours are the last; theirs come before, in their order.
    let ours = written.iter().position(|(name, _)| name == "__dlq.errors.topic").expect("ours");
    let (theirs, ours) = written.split_at(ours);
    assert!(ours.iter().all(|(name, _)| times[&**name] == 1), "one of ours twice");
    let size: usize = ours.iter().map(|(name, value)| name.len() + value.as_ref().map_or(0, |it| it.len())).sum();
    assert!(size <= BUDGET, "{size} bytes of ours");
    // Of a name that may be ours it is not asked whether somebody else's was kept.
    let is_ours = |name: &str| {
        ["__dlq.errors.", "koine."].iter().any(|prefix| name.starts_with(prefix))
            || ours.iter().any(|(it, _)| it == name)
    };
    let kept = theirs.iter().map(|(name, value)| (&**name, value.as_deref()));
    let unknown = |name: &str| !is_dropped(name) && !is_ours(name);
    let given = given.iter().map(|header| (header.name, header.value)).filter(|(name, _)| unknown(name));
    assert!(kept.filter(|(name, _)| unknown(name)).eq(given), "somebody's header is lost, or out of order");
}
