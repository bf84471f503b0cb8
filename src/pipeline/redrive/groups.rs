//! Dead letters by cause: how many of each fingerprint, since when, and what became of them. Bounded, whatever comes.

use super::super::letter::Letter;
use super::markers::Became;
use crate::canonical::Micros;
use std::collections::HashMap;

/// More causes than this are counted together: a sender that makes up a new key for each record makes up a new cause,
/// too.
pub const MOST: usize = 10_000;

/// Dead letters with one cause.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    pub fingerprint: String,
    pub code: String,
    pub vendor: Option<String>,
    pub event_type: Option<String>,
    /// Of the first letter that was seen. The others' differ in their list indexes only.
    pub pointer: String,
    pub letters: u64,
    /// When the first and the last of them were refused.
    pub first: Option<Micros>,
    pub last: Option<Micros>,
    pub fates: Fates,
}

/// What became, or would become, of dead letters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fates {
    /// There is a marker: they have been dealt with.
    pub done: u64,
    /// The value is not there, only its digest.
    pub pointers: u64,
    /// Sealed, and there is no key, or it is another one's.
    pub sealed: u64,
    /// The record no longer holds such an element: the source's settings have changed.
    pub lost: u64,
    pub events: u64,
    pub ignored: u64,
    /// Refused again: the dead letter is renewed.
    pub again: u64,
    /// Renewed before, and nothing has changed since: left as it is.
    pub unchanged: u64,
    /// Of a dry run: an event that no topic took before. Only a try can tell.
    pub untried: u64,
}

/// What becomes of one letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Done,
    Pointer,
    Sealed,
    Lost,
    Unchanged,
    Untried,
    Became(Became),
}

impl Fates {
    pub fn add(&mut self, fate: Fate) {
        let count = match fate {
            Fate::Done => &mut self.done,
            Fate::Pointer => &mut self.pointers,
            Fate::Sealed => &mut self.sealed,
            Fate::Lost => &mut self.lost,
            Fate::Unchanged => &mut self.unchanged,
            Fate::Untried => &mut self.untried,
            Fate::Became(Became::Event) => &mut self.events,
            Fate::Became(Became::Ignored) => &mut self.ignored,
            Fate::Became(Became::DeadLetter) => &mut self.again,
        };
        *count += 1;
    }

    /// The letters that have an outcome under today's build and settings.
    pub fn healed(&self) -> u64 {
        self.events + self.ignored
    }
}

/// All causes.
#[derive(Debug, Default)]
pub struct Groups {
    by_fingerprint: HashMap<String, usize>,
    groups: Vec<Group>,
    /// Of the causes that are too many.
    pub others: Group,
    /// Records of these topics that are no dead letters of koine's.
    pub foreign: u64,
}

impl Groups {
    /// Counts a letter in, and says which group it is of.
    pub fn add(&mut self, letter: &Letter<'_>) -> usize {
        let nth = match self.by_fingerprint.get(letter.fingerprint) {
            Some(nth) => *nth,
            None if self.groups.len() >= MOST => usize::MAX,
            None => {
                let nth = self.groups.len();
                self.by_fingerprint.insert(letter.fingerprint.to_owned(), nth);
                self.groups.push(Group {
                    fingerprint: letter.fingerprint.to_owned(),
                    code: letter.code.to_owned(),
                    vendor: letter.vendor.map(str::to_owned),
                    event_type: letter.event_type.map(str::to_owned),
                    pointer: letter.pointer.to_owned(),
                    ..Group::default()
                });
                nth
            }
        };
        let group = self.groups.get_mut(nth).unwrap_or(&mut self.others);
        group.letters += 1;
        if let Some(time) = letter.failed_at() {
            group.first = Some(group.first.map_or(time, |first| first.min(time)));
            group.last = Some(group.last.map_or(time, |last| last.max(time)));
        }
        nth
    }

    /// Notes what became of a letter of that group.
    pub fn note(&mut self, nth: usize, fate: Fate) {
        self.groups.get_mut(nth).unwrap_or(&mut self.others).fates.add(fate);
    }

    /// The groups, the largest first; what was too much last.
    pub fn largest_first(&self) -> Vec<&Group> {
        let mut all: Vec<&Group> = self.groups.iter().collect();
        all.sort_by(|one, other| other.letters.cmp(&one.letters).then(one.fingerprint.cmp(&other.fingerprint)));
        if self.others.letters > 0 {
            all.push(&self.others);
        }
        all
    }

    /// Over all groups.
    pub fn total(&self) -> (u64, Fates) {
        let mut letters = 0;
        let mut sum = Fates::default();
        for group in self.groups.iter().chain([&self.others]) {
            let Fates { done, pointers, sealed, lost, events, ignored, again, unchanged, untried } = group.fates;
            letters += group.letters;
            sum.done += done;
            sum.pointers += pointers;
            sum.sealed += sealed;
            sum.lost += lost;
            sum.events += events;
            sum.ignored += ignored;
            sum.again += again;
            sum.unchanged += unchanged;
            sum.untried += untried;
        }
        (letters, sum)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::letter::Position;
    use super::*;

    fn letter<'a>(fingerprint: &'a str, failed_at: &'a str) -> Letter<'a> {
        Letter {
            topic: "dlq.raw.spree",
            partition: 0,
            offset: 0,
            raw_topic: "raw.spree",
            position: Position { partition: 0, offset: 0, index: None },
            timestamp_ms: None,
            key: None,
            value: None,
            headers: Vec::new(),
            code: "time.invalid",
            class: "data",
            pointer: "/data/at",
            detail: "",
            fingerprint,
            vendor: Some("spree"),
            event_type: None,
            build: "",
            failed_at,
            redrive_count: 0,
            seal: None,
            is_pointer: false,
        }
    }

    #[test]
    fn a_group_counts_and_knows_since_when() {
        let mut groups = Groups::default();
        for at in ["2026-01-02T00:00:00Z", "2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00Z", "not a time"] {
            let nth = groups.add(&letter("aa", at));
            groups.note(nth, Fate::Became(Became::Event));
        }
        let nth = groups.add(&letter("bb", "2026-01-05T00:00:00Z"));
        groups.note(nth, Fate::Done);
        let all = groups.largest_first();
        let told: Vec<_> = all
            .iter()
            .map(|group| {
                (&*group.fingerprint, group.letters, group.first.unwrap().to_string(), group.last.unwrap().to_string())
            })
            .collect();
        let want = [
            ("aa", 4, "2026-01-01T00:00:00Z".to_owned(), "2026-01-02T00:00:00Z".to_owned()),
            ("bb", 1, "2026-01-05T00:00:00Z".to_owned(), "2026-01-05T00:00:00Z".to_owned()),
        ];
        assert_eq!(told, want);
        assert_eq!(groups.total(), (5, Fates { done: 1, events: 4, ..Fates::default() }));
    }

    #[test]
    fn too_many_causes_are_counted_together() {
        let mut groups = Groups::default();
        for nth in 0..MOST + 5 {
            let fingerprint = format!("{nth:016x}");
            let nth = groups.add(&letter(&fingerprint, ""));
            groups.note(nth, Fate::Became(Became::DeadLetter));
        }
        assert_eq!(groups.largest_first().len(), MOST + 1);
        assert_eq!(groups.others.letters, 5);
        assert_eq!(groups.total().1.again, MOST as u64 + 5);
    }
}
