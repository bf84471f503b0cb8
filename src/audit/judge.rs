//! The second look, at what does not come to the same: each webhook of a stretch of raw records against every record that
//! says it comes from it. Knows no Kafka.

use super::found::{Builds, Found, is_ours};
use super::ledger::{Late, Ledger, Outcomes};
use super::print::{Kind, Place, Prints};
use super::report::{At, Finding, Tally, What};
use super::world::World;

/// A webhook, and what it should have become.
pub struct Unit {
    pub place: Place,
    pub kind: Kind,
    pub prints: Prints,
    /// Where that should be.
    pub output: Option<u32>,
    pub words: Box<str>,
}

/// A record, and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub found: Found,
    pub output: u32,
    pub at: i64,
}

/// So many records of one webhook are kept; more are counted.
const OF_ONE: u32 = 8;

/// A stretch of a raw partition, gathered before it is judged.
pub struct Stretch {
    pub raw: u32,
    pub from: i64,
    /// Before this offset.
    pub to: i64,
    /// In their order.
    pub units: Vec<Unit>,
    /// Records of each unit, by its place in `units`.
    seen: Vec<(u32, Seen)>,
    count: Vec<u32>,
    /// Records that come from the stretch, and from no webhook of it.
    strays: Vec<Seen>,
    strays_unlisted: u64,
}

/// So many records without a webhook are kept; more are counted.
const STRAYS: usize = 10_000;

impl Stretch {
    pub fn new(raw: u32, from: i64, to: i64, units: Vec<Unit>) -> Stretch {
        let count = vec![0; units.len()];
        Stretch { raw, from, to, units, seen: Vec::new(), count, strays: Vec::new(), strays_unlisted: 0 }
    }

    /// Takes in a record, if it comes from here.
    pub fn see(&mut self, seen: Seen) {
        let place = seen.found.place;
        if place.raw != self.raw || !(self.from..self.to).contains(&place.offset) {
            return;
        }
        match self.units.binary_search_by_key(&place, |unit| unit.place) {
            Ok(nth) => {
                let count = self.count.get_mut(nth);
                if count.is_some_and(|count| {
                    *count += 1;
                    *count <= OF_ONE
                }) {
                    self.seen.push((nth as u32, seen));
                }
            }
            Err(_) if self.strays.len() < STRAYS => self.strays.push(seen),
            Err(_) => self.strays_unlisted += 1,
        }
    }
}

/// What the judge goes by.
pub struct Judge<'j> {
    pub world: &'j World,
    pub ledger: &'j Ledger,
    pub builds: &'j Builds,
    /// Whether an event may be there more than once.
    pub is_at_least_once: bool,
}

/// What became of a webhook.
enum Verdict {
    /// As it was due, or as an explained other outcome.
    Right(Kind),
    /// A dead letter, and the event that was made of it later.
    Healed,
    Another(Kind, String),
    Wrong(Kind, What, String),
    Missing,
    Gone,
}

impl Judge<'_> {
    /// Judges a stretch; `tell` gets what is to be told.
    pub fn judge(&self, mut stretch: Stretch, tally: &mut Tally, tell: &mut impl FnMut(Finding)) {
        stretch.seen.sort_by_key(|(nth, seen)| (*nth, seen.output, seen.at));
        let mut all = stretch.seen.as_slice();
        let mut hands = Hands::new(&stretch);
        for (nth, unit) in stretch.units.iter().enumerate() {
            let own = all.iter().take_while(|(of, _)| *of as usize == nth).count();
            let (seen, rest) = all.split_at(own);
            all = rest;
            let seen: Vec<Seen> = seen.iter().map(|(_, seen)| *seen).collect();
            hands.pass(&seen);
            let unlisted = stretch.count.get(nth).copied().unwrap_or(0).saturating_sub(OF_ONE);
            self.unit(unit, &seen, unlisted, &hands, tally, tell);
        }
        let low = self.world.raws.get(stretch.raw as usize).map_or(0, |raw| raw.low);
        tally.gone_raw += stretch.strays.iter().filter(|seen| seen.found.place.offset < low).count() as u64;
        for stray in stretch.strays.iter().filter(|seen| seen.found.place.offset >= low) {
            self.stray(stray, tally, tell);
        }
        tally.orphans += stretch.strays_unlisted;
    }

    fn unit(
        &self,
        unit: &Unit,
        seen: &[Seen],
        unlisted: u32,
        hands: &Hands,
        tally: &mut Tally,
        tell: &mut impl FnMut(Finding),
    ) {
        let mut finding = |what, why: String, at: &[Seen]| {
            tell(Finding {
                what,
                raw: Some(self.raw(unit.place)),
                due: unit.words.clone().into(),
                there: at.iter().map(|seen| self.at(seen)).collect(),
                why,
            });
        };
        let doubles = doubles(seen);
        for double in &doubles {
            let first = seen.iter().find(|one| is_twin(one, double)).unwrap_or(double);
            let is_alike = are_alike(&first.found, &double.found);
            let why = if is_alike { "the same again" } else { "of the same build, and different" };
            let what = match is_alike && self.is_at_least_once {
                true => What::Repeated,
                false => What::Doubled,
            };
            finding(what, why.to_owned(), &[*first, *double]);
            match what {
                What::Repeated => tally.repeated += 1,
                _ => tally.doubled += 1,
            }
        }
        // Only what is doubled is there so often.
        match self.is_at_least_once {
            true => tally.repeated += u64::from(unlisted),
            false => tally.doubled += u64::from(unlisted),
        }
        let verdict = self.verdict(unit, seen, hands);
        match &verdict {
            Verdict::Right(_) => {}
            Verdict::Healed => tally.healed += 1,
            Verdict::Another(_, why) => {
                tally.another_build += 1;
                finding(What::AnotherBuild, why.clone(), seen);
            }
            Verdict::Wrong(_, what, why) => {
                tally.wrong += 1;
                finding(*what, why.clone(), seen);
            }
            Verdict::Missing => {
                tally.missing += 1;
                finding(What::Missing, String::new(), &[]);
            }
            Verdict::Gone => tally.gone += 1,
        }
        match verdict {
            Verdict::Right(kind) | Verdict::Another(kind, _) | Verdict::Wrong(kind, ..) => tally.outcomes.add(kind),
            Verdict::Healed => tally.outcomes.add(unit.kind),
            Verdict::Missing | Verdict::Gone => {}
        }
        tally.webhooks += 1;
        if !matches!(verdict, Verdict::Healed) {
            for late in self.late_of(seen, &doubles) {
                tally.wrong += 1;
                let there = seen.iter().find(|seen| (seen.output, seen.at) == (late.output, late.at)).copied();
                let why = format!("it stands behind the event of raw offset {}, at {}", late.after, late.after_at);
                finding(What::OutOfOrder, why, there.as_slice());
            }
        }
    }

    fn verdict(&self, unit: &Unit, seen: &[Seen], hands: &Hands) -> Verdict {
        let events = || seen.iter().filter(|seen| matches!(seen.found.kind, Kind::Event(_)));
        let letters = || seen.iter().filter(|seen| seen.found.kind == Kind::DeadLetter);
        let is_exact = seen.iter().any(|seen| is_it(unit, &seen.found));
        match unit.kind {
            Kind::Event(_) if is_exact && letters().next().is_some() => Verdict::Healed,
            Kind::Event(_) if is_exact => Verdict::Right(unit.kind),
            // One that was sent again and refused again is there more than once, each with a count of its own.
            Kind::DeadLetter if is_exact && events().next().is_none() => Verdict::Right(unit.kind),
            Kind::Event(_) if letters().any(|seen| seen.found.is_refused) => Verdict::Right(Kind::DeadLetter),
            Kind::Ignored if seen.is_empty() => Verdict::Right(unit.kind),
            _ => self.other(unit, seen, hands),
        }
    }

    /// It is not there as it was due.
    fn other(&self, unit: &Unit, seen: &[Seen], hands: &Hands) -> Verdict {
        let Some(last) = seen.last() else {
            return match unit.output {
                Some(output) if self.ledger.may_be_gone(self.world, output, unit.place) => Verdict::Gone,
                _ if hands.are_anothers() => {
                    Verdict::Another(Kind::Ignored, "nothing is there, and another build was at work here".to_owned())
                }
                _ => Verdict::Missing,
            };
        };
        // An event says more of what the build made of it than a dead letter that it may have been before.
        let it = seen.iter().find(|seen| matches!(seen.found.kind, Kind::Event(_))).unwrap_or(last);
        let kind = it.found.kind;
        let difference = difference(unit, &it.found);
        match is_ours(it.found.build) {
            false => Verdict::Another(kind, format!("{difference}, by {}", self.builds.name(it.found.build))),
            true if kind == unit.kind => Verdict::Wrong(kind, What::OtherBytes, difference),
            true => Verdict::Wrong(kind, What::OtherOutcome, difference),
        }
    }

    /// Those of a unit's records that came late, and are neither doubled nor what a later build made of it again.
    fn late_of<'l>(&'l self, seen: &'l [Seen], doubles: &'l [Seen]) -> impl Iterator<Item = &'l Late> {
        let is_again = |one: &Seen| seen.iter().any(|other| other.found.build != one.found.build);
        let first = seen.iter().filter(move |seen| !doubles.contains(seen) && !is_again(seen));
        first.filter_map(|seen| self.ledger.late_at(seen.output, seen.at))
    }

    fn stray(&self, stray: &Seen, tally: &mut Tally, tell: &mut impl FnMut(Finding)) {
        tally.orphans += 1;
        let why = "there is no such webhook".to_owned();
        let raw = Some(self.raw(stray.found.place));
        tell(Finding { what: What::Orphan, raw, due: String::new(), there: vec![self.at(stray)], why });
    }

    fn raw(&self, place: Place) -> (At, i32) {
        let raw = self.world.raws.get(place.raw as usize);
        let (topic, partition) = raw.map_or((String::new(), -1), |raw| (raw.topic.clone(), raw.partition));
        (At { topic, partition, offset: place.offset }, place.index)
    }

    fn at(&self, seen: &Seen) -> At {
        let output = self.world.outputs.get(seen.output as usize);
        let (topic, partition) = output.map_or((String::new(), -1), |it| (it.topic.clone(), it.partition));
        At { topic, partition, offset: seen.at }
    }
}

/// Who was at work where: the builds of the records before a webhook and after it.
struct Hands {
    /// Whether it was ours, for each record in the order of the webhooks.
    are_ours: Vec<bool>,
    /// How many of them are passed.
    passed: usize,
}

impl Hands {
    fn new(stretch: &Stretch) -> Hands {
        Hands { are_ours: stretch.seen.iter().map(|(_, seen)| is_ours(seen.found.build)).collect(), passed: 0 }
    }

    fn pass(&mut self, seen: &[Seen]) {
        self.passed += seen.len();
    }

    /// Whether the records next to a webhook that has none are another build's.
    fn are_anothers(&self) -> bool {
        let before = self.passed.checked_sub(1).and_then(|at| self.are_ours.get(at));
        let next = [before, self.are_ours.get(self.passed)];
        let mut next = next.into_iter().flatten().peekable();
        next.peek().is_some() && next.all(|is_ours| !is_ours)
    }
}

/// Whether a record is what was due.
fn is_it(unit: &Unit, found: &Found) -> bool {
    let Prints { key, value, rest } = unit.prints;
    let is_alike = found.kind == unit.kind && found.prints.rest == rest;
    match found.is_pointer {
        // A record that was too large may have lost its key, too.
        true => {
            is_alike
                && (found.prints.value == value || value == 0)
                && (found.prints.key == key || found.prints.key == 0)
        }
        // What a seal holds is not for an audit to see.
        false => is_alike && (found.is_sealed || found.prints.value == value) && found.prints.key == key,
    }
}

/// Whether two records of a webhook say the same. One value that is sealed twice never looks the same.
fn are_alike(one: &Found, other: &Found) -> bool {
    let are_sealed = one.is_sealed && other.is_sealed;
    let value = if are_sealed { one.prints.value } else { other.prints.value };
    one.prints == Prints { value, ..other.prints }
}

/// In what a record is not what was due.
fn difference(unit: &Unit, found: &Found) -> String {
    match (unit.kind, found.kind) {
        (due, there) if due == there => {
            let parts = [
                ("key", unit.prints.key != found.prints.key),
                ("value", unit.prints.value != found.prints.value && !found.is_sealed),
                (
                    if there == Kind::DeadLetter { "code or pointer" } else { "headers" },
                    unit.prints.rest != found.prints.rest,
                ),
            ];
            let parts: Vec<&str> = parts.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect();
            format!("another {}", parts.join(" and "))
        }
        (_, Kind::Event(entity)) => format!("it is an event of the entity {}", entity.as_lower()),
        _ => "it is a dead letter".to_owned(),
    }
}

/// Records that are there once more: of one build, and as often sent again.
fn doubles(seen: &[Seen]) -> Vec<Seen> {
    let is_double = |nth: usize, one: &Seen| seen.iter().take(nth).any(|before| is_twin(before, one));
    seen.iter().enumerate().filter(|(nth, one)| is_double(*nth, one)).map(|(_, one)| *one).collect()
}

fn is_twin(one: &Seen, other: &Seen) -> bool {
    let of = |seen: &Seen| (matches!(seen.found.kind, Kind::Event(_)), seen.found.build, seen.found.redrives);
    (one.output, one.at) != (other.output, other.at) && of(one) == of(other)
}

/// What a lot that is right adds.
pub fn add_right(tally: &mut Tally, outcomes: Outcomes) {
    tally.webhooks += outcomes.all();
    tally.outcomes.events += outcomes.events;
    tally.outcomes.ignored += outcomes.ignored;
    tally.outcomes.dead_letters += outcomes.dead_letters;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::testing::{event, letter, world};

    fn unit(found: Found) -> Unit {
        Unit { place: found.place, kind: found.kind, prints: found.prints, output: Some(0), words: "due".into() }
    }

    fn ignored(offset: i64) -> Unit {
        Unit { kind: Kind::Ignored, output: None, ..unit(event(0, offset, 0)) }
    }

    const ANOTHER: u16 = 1;

    /// The finding, the webhook's raw offset, and where the records are.
    type Told = (&'static str, i64, Vec<i64>);

    /// Three orders, an ignored webhook, a dead letter: at raw offsets 0 to 4.
    fn units() -> Vec<Unit> {
        vec![unit(event(0, 0, 0)), unit(event(0, 1, 0)), unit(event(0, 2, 0)), ignored(3), unit(letter(0, 4, 0))]
    }

    /// As it should be: order partition 0, and the dead-letter partition, which is output 1.
    fn right() -> Vec<Seen> {
        let seen = |found: Found, output, at| Seen { found, output, at };
        vec![
            seen(event(0, 0, 0), 0, 10),
            seen(event(0, 1, 0), 0, 11),
            seen(event(0, 2, 0), 0, 12),
            seen(letter(0, 4, 0), 1, 0),
        ]
    }

    fn judged_by(is_at_least_once: bool, low: i64, all: &[Seen]) -> (Tally, Vec<Told>) {
        let world = world(&[(0, 5)], &[(low, 100)]);
        let mut ledger = Ledger::new(&world);
        let mut stretch = Stretch::new(0, 0, 5, units());
        for seen in all {
            ledger.found(&seen.found, seen.output, seen.at);
            stretch.see(*seen);
        }
        ledger.close();
        let judge = Judge { world: &world, ledger: &ledger, builds: &Builds::default(), is_at_least_once };
        let (mut tally, mut told) = (Tally::default(), Vec::new());
        judge.judge(stretch, &mut tally, &mut |finding| {
            let raw = finding.raw.map_or(-1, |(at, _)| at.offset);
            told.push((finding.what.as_str(), raw, finding.there.iter().map(|at| at.offset).collect()));
        });
        let Outcomes { events, ignored, dead_letters } = tally.outcomes;
        assert_eq!(tally.webhooks, events + ignored + dead_letters + tally.missing + tally.gone, "{tally:?}");
        (tally, told)
    }

    fn judged(all: &[Seen]) -> (Tally, Vec<Told>) {
        judged_by(false, 0, all)
    }

    fn by_another(mut seen: Seen, value: u64) -> Seen {
        seen.found.build = ANOTHER;
        seen.found.prints.value = value;
        seen
    }

    #[test]
    fn what_is_right_is_counted_and_not_told() {
        let (tally, told) = judged(&right());
        assert_eq!(told, []);
        assert_eq!(tally.outcomes, Outcomes { events: 3, ignored: 1, dead_letters: 1 });
        assert!(tally.is_right());
    }

    #[test]
    fn what_is_not_there_is_missing_unless_it_may_have_been_deleted() {
        let mut all = right();
        all.remove(1);
        let (tally, told) = judged(&all);
        assert_eq!(told, [("missing", 1, vec![])]);
        assert_eq!((tally.missing, tally.outcomes.events), (1, 2));
        // Something was deleted at the beginning of the partition, but what is left there is from before the missing one.
        assert_eq!(judged_by(false, 10, &all).1, [("missing", 1, vec![])]);
        let (tally, told) = judged_by(false, 12, &right()[2..]);
        assert_eq!((told, tally.gone, tally.outcomes.events), (vec![], 2, 1));
        let (_, told) = judged(&right()[..3]);
        assert_eq!(told, [("missing", 4, vec![])], "a dead letter too");
    }

    #[test]
    fn what_is_there_twice_is_doubled_or_repeated() {
        let mut all = right();
        all.push(Seen { at: 13, ..all[1] });
        let (tally, told) = judged(&all);
        assert_eq!(told, [("doubled", 1, vec![11, 13])], "and not out of its order");
        assert_eq!((tally.doubled, tally.wrong, tally.outcomes.events), (1, 0, 3));
        let (tally, told) = judged_by(true, 0, &all);
        assert_eq!(told, [("repeated", 1, vec![11, 13])]);
        assert_eq!((tally.repeated, tally.doubled), (1, 0));
        // Doubles that are not alike are never what at_least_once may do.
        all[4].found.prints.value += 1;
        assert_eq!(judged_by(true, 0, &all).1, [("doubled", 1, vec![11, 13])]);
        let mut all = right();
        all.push(Seen { at: 1, ..all[3] });
        assert_eq!(judged(&all).1, [("doubled", 4, vec![0, 1])]);
    }

    #[test]
    fn more_doubles_than_are_kept_are_counted() {
        let mut all = right();
        all.extend((0..20).map(|nth| Seen { at: 20 + nth, ..right()[1] }));
        let (tally, told) = judged(&all);
        assert_eq!((tally.doubled, told.len()), (20, 7));
    }

    #[test]
    fn exchanged_records_are_out_of_order() {
        let mut all = right();
        (all[0].at, all[1].at) = (11, 10);
        all.swap(0, 1);
        let (tally, told) = judged(&all);
        assert_eq!(told, [("out_of_order", 0, vec![11])]);
        assert_eq!(tally.wrong, 1);
    }

    #[test]
    fn exchanged_contents_are_other_bytes() {
        let mut all = right();
        let (one, two) = (all[0].found.prints.key, all[1].found.prints.value);
        all[0].found.prints.key = one + 1;
        all[1].found.prints.value = two + 1;
        assert_eq!(judged(&all).1, [("other_bytes", 0, vec![10]), ("other_bytes", 1, vec![11])]);
    }

    #[test]
    fn another_outcome_is_wrong_if_this_build_made_it() {
        let mut all = right();
        all.push(Seen { found: event(0, 3, 0), output: 0, at: 13 });
        all[1] = Seen { found: letter(0, 1, 0), output: 1, at: 1 };
        let (tally, told) = judged(&all);
        assert_eq!(told, [("other_outcome", 1, vec![1]), ("other_outcome", 3, vec![13])]);
        assert_eq!(tally.outcomes, Outcomes { events: 3, ignored: 0, dead_letters: 2 });
        // A topic may refuse what the translator would send it.
        all[1].found.is_refused = true;
        assert_eq!(judged(&all).1, [("other_outcome", 3, vec![13])]);
    }

    #[test]
    fn what_another_build_made_is_apart() {
        let mut all = right();
        all[1] = by_another(all[1], 7);
        let (tally, told) = judged(&all);
        assert_eq!(told, [("another_build", 1, vec![11])]);
        assert!(tally.is_right());
        // Of the same content: nothing to tell.
        let mut all = right();
        all[1].found.build = ANOTHER;
        assert_eq!(judged(&all).1, []);
        // It was brought up to date later: both are there.
        let mut all = right();
        all.push(Seen { at: 13, ..all[1] });
        all[1] = by_another(all[1], 7);
        assert_eq!(judged(&all).1, []);
        // Nothing is there where another build was at work: it ignored it, as far as anybody can tell.
        let all = [by_another(right()[0], 0), by_another(right()[2], 2000), right()[3]];
        assert_eq!(judged(&all).1, [("another_build", 1, vec![])]);
        let all = [by_another(right()[0], 0), right()[2], right()[3]];
        assert_eq!(judged(&all).1, [("missing", 1, vec![])]);
    }

    #[test]
    fn a_dead_letter_that_became_an_event_is_healed_and_late_by_right() {
        let mut all = right();
        all[1].at = 13;
        all.swap(1, 2);
        all.push(Seen { found: letter(0, 1, 0), output: 1, at: 1 });
        let (tally, told) = judged(&all);
        assert_eq!(told, []);
        assert_eq!((tally.healed, tally.outcomes.events, tally.outcomes.dead_letters), (1, 3, 1));
    }

    #[test]
    fn a_renewed_dead_letter_is_no_double() {
        let mut all = right();
        let mut again = Seen { at: 1, ..all[3] };
        again.found.redrives = 1;
        all.push(again);
        let (tally, told) = judged(&all);
        assert_eq!((told, tally.outcomes.dead_letters), (vec![], 1));
    }

    #[test]
    fn a_dead_letter_without_its_value_is_known_by_the_values_sum() {
        let mut all = right();
        all[3].found.is_pointer = true;
        all[3].found.prints.key = 0;
        assert_eq!(judged(&all).1, []);
        all[3].found.prints.value += 1;
        assert_eq!(judged(&all).1, [("other_bytes", 4, vec![0])]);
    }

    /// `dlq.seal`: the value is another one each time, and whether it is the raw one only its key can tell.
    #[test]
    fn a_sealed_dead_letter_is_known_by_all_but_its_value() {
        let mut all = right();
        all[3].found.is_sealed = true;
        all[3].found.prints.value += 1;
        assert_eq!(judged(&all).1, []);
        let mut again = Seen { at: 1, ..all[3] };
        again.found.prints.value += 1;
        assert_eq!(judged_by(true, 0, &[&all[..], &[again]].concat()).1, [("repeated", 4, vec![0, 1])]);
        assert_eq!(judged(&[&all[..], &[again]].concat()).1, [("doubled", 4, vec![0, 1])]);
        for change in [|found: &mut Found| found.prints.key += 1, |found: &mut Found| found.prints.rest += 1] {
            let mut all = all.clone();
            change(&mut all[3].found);
            assert_eq!(judged(&all).1, [("other_bytes", 4, vec![0])]);
        }
    }

    #[test]
    fn a_record_of_no_webhook_is_an_orphan() {
        let mut all = right();
        all.push(Seen { found: event(0, 2, 1), output: 0, at: 13 });
        let (tally, told) = judged(&all);
        assert_eq!((told, tally.orphans), (vec![("orphan", 2, vec![13])], 1));
    }
}
