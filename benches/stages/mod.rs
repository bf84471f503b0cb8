//! What the benches measure: each vendor's largest body, parsed, mapped, searched for what is left over, encoded, and all of
//! it together, each as something that can be done over and over. Does not know how it is measured.

#[path = "../raw/mod.rs"]
mod raw;

use koine::canonical::{ExtensionsBuffer, Privacy};
use koine::codec;
use koine::translate::{Outcome, SourceSettings, Translator};
use koine::vendors::cursor::{Doc, Extensions, Keeping, Nobody, Tape};
use koine::vendors::{Unit, Vendor};
use raw::raw;
use std::hint::black_box;
use std::{fs, path::Path};

/// Somebody who measures.
pub trait Measure {
    /// `once` is the stage, of one record.
    fn stage(&mut self, name: &str, once: impl FnMut());
}

/// A body among the fixtures.
pub struct Body {
    pub file: String,
    pub bytes: Vec<u8>,
}

/// The largest body of a vendor that becomes an event; of two, the one whose name comes last.
pub fn largest(vendor: &'static Vendor) -> Body {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bodies").join(vendor.name);
    let files = fs::read_dir(folder).expect("fixtures").map(|entry| entry.expect("entry"));
    let bodies = files.map(|file| Body {
        file: file.file_name().to_string_lossy().into_owned(),
        bytes: as_sent(&fs::read(file.path()).expect("body")),
    });
    let events = bodies.filter(|body| is_event(vendor, &body.bytes));
    events.max_by(|a, b| (a.bytes.len(), &a.file).cmp(&(b.bytes.len(), &b.file))).expect("a body")
}

/// Without the white space that the fixtures have for people. Programs send none.
fn as_sent(body: &[u8]) -> Vec<u8> {
    serde_json::from_slice::<serde_json::Value>(body).expect("JSON").to_string().into_bytes()
}

fn settings(vendor: &'static Vendor) -> SourceSettings {
    SourceSettings { vendor: Some(vendor), ..SourceSettings::default() }
}

fn is_event(vendor: &'static Vendor, body: &[u8]) -> bool {
    let mut found = false;
    let mut each = |_, outcome: Outcome<'_>| found |= matches!(outcome, Outcome::Event(_));
    Translator::new().translate(&raw(body), &settings(vendor), &mut each);
    found
}

/// Has every stage of this body's way measured, and says how many bytes came out.
pub fn each_stage(vendor: &'static Vendor, body: &[u8], measure: &mut impl Measure) -> usize {
    let settings = settings(vendor);
    let rules = vendor.rules(false);

    let mut tape = Tape::default();
    measure.stage("parse", || {
        black_box(tape.read(black_box(body), settings.max_depth).map(str::len).expect("JSON"));
    });

    let text = tape.read(body, settings.max_depth).expect("JSON");
    let doc = Doc::new(&tape, text, &rules, None);
    let unit = Unit { body: doc.root(), path: None, event_type: None };
    let map = || {
        // What may be made of one record is bounded; each time is a new record.
        doc.allow(text);
        let envelope = (vendor.open)(&unit).expect("envelope");
        let event = vendor.event(&envelope.event_type).expect("event type");
        let mapped = black_box(event.route.follow(&envelope).expect("mapped"));
        assert!(mapped.is_ok(), "an ignored event costs nothing");
    };
    measure.stage("map", map);

    // Left over is what the mapping did not read, whether or not it was measured.
    map();
    let (mut pointer, mut extensions) = (String::new(), ExtensionsBuffer::default());
    let privacy = Privacy::default();
    let event_type = (vendor.open)(&unit).expect("envelope").event_type;
    let page = vendor.documents.body(&event_type);
    let keeping = Keeping { body: page, extensions: Extensions::Full, privacy: Some(&privacy) };
    measure.stage("left over", || {
        doc.allow(text);
        extensions.clear();
        doc.root().leftovers(keeping, &mut pointer, &mut extensions, &mut Nobody).expect("room");
        black_box(extensions.view().len());
    });

    let mut translator = Translator::new();
    let mut out = Vec::new();
    translator.translate(&raw(body), &settings, &mut |_, outcome| {
        if let Outcome::Event(translated) = outcome {
            measure.stage("encode", || {
                codec::encode(black_box(translated.event), 1, &mut out).expect("encoded");
                black_box(&out);
            });
        }
    });

    measure.stage("whole", || {
        translator.translate(black_box(&raw(body)), &settings, &mut |_, outcome| {
            if let Outcome::Event(translated) = outcome {
                codec::encode(translated.event, 1, &mut out).expect("encoded");
            }
        });
        black_box(&out);
    });
    out.len()
}
