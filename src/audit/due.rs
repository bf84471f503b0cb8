//! What a raw record should have become: the translator's word, as prints. Knows no Kafka.

use super::print::{self, Kind, Pairs, Prints};
use crate::codec;
use crate::pipeline::dead_letter;
use crate::reject::Code;
use crate::translate::{DeadLetter, Outcome, RawRecord, SourceSettings, Translator};

/// The header that says who wrote a record, which is no part of what was due.
pub const BUILD: &str = "koine.build";

/// What one webhook should have become.
pub struct Due<'o> {
    pub index: i32,
    pub kind: Kind,
    pub prints: Prints,
    /// An event's key.
    pub key: &'o str,
    outcome: &'o Outcome<'o>,
}

impl Due<'_> {
    /// For people. No value of the webhook is in it but the ids that key and event have.
    pub fn words(&self) -> String {
        match self.outcome {
            Outcome::Event(event) => format!("event {} {}", event.event.meta.event_id, event.key),
            Outcome::Ignored(ignored) => format!("ignored by the rule {}", ignored.rule.as_str()),
            Outcome::DeadLetter(letter) => format!("dead letter {} at \"{}\"", letter.code.as_str(), letter.pointer),
        }
    }
}

/// The translator with its buffers.
#[derive(Default)]
pub struct Oracle {
    translator: Translator,
    datum: Vec<u8>,
}

impl Oracle {
    /// Says of each webhook in a raw record what it should have become.
    pub fn ask(&mut self, raw: &RawRecord<'_>, settings: &SourceSettings, each: &mut impl FnMut(Due<'_>)) {
        let Oracle { translator, datum } = self;
        translator.translate(raw, settings, &mut |index, outcome| {
            let (kind, prints, key) = match &outcome {
                Outcome::Ignored(_) => (Kind::Ignored, Prints { key: 0, value: 0, rest: 0 }, ""),
                Outcome::DeadLetter(letter) => (Kind::DeadLetter, of_letter(raw, letter), ""),
                Outcome::Event(event) => {
                    datum.clear();
                    if codec::append_datum(event.event, datum).is_err() {
                        // As the pipeline has it.
                        let letter = dead_letter::refused(event.vendor, event.event_type, None, Code::RecordRefused);
                        let prints = of_letter(raw, &letter);
                        let outcome = Outcome::DeadLetter(letter);
                        return each(Due { index, kind: Kind::DeadLetter, prints, key: "", outcome: &outcome });
                    }
                    let mut headers = Pairs::default();
                    for (name, value) in event.headers.iter().filter(|(name, _)| *name != BUILD) {
                        headers.add(name, Some(value.as_bytes()));
                    }
                    let (key, value) = (print::of(Some(event.key.as_bytes())), print::of(Some(datum)));
                    let prints = Prints { key, value, rest: headers.print() };
                    (Kind::Event(event.event.entity.kind()), prints, event.key)
                }
            };
            each(Due { index, kind, prints, key, outcome: &outcome });
        });
    }
}

fn of_letter(raw: &RawRecord<'_>, letter: &DeadLetter) -> Prints {
    let rest = of_refusal(letter.code.as_str().as_bytes(), dead_letter::pointer(letter).as_bytes());
    Prints { key: print::of(raw.key), value: print::of(raw.value), rest }
}

/// Of a code and a pointer.
pub fn of_refusal(code: &[u8], pointer: &[u8]) -> u64 {
    let mut pairs = Pairs::default();
    pairs.add("code", Some(code));
    pairs.add("pointer", Some(pointer));
    pairs.print()
}
