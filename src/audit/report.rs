//! What an audit has found, for whoever prints it.

use super::ledger::Outcomes;

/// A record's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
}

/// What there is to say of a webhook or a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    /// Nothing is there that it became.
    Missing,
    /// It is there more than once.
    Doubled,
    /// Another key, value or headers than were due, by this very build.
    OtherBytes,
    /// Another outcome than was due, by this very build.
    OtherOutcome,
    /// It stands behind an event from later in its raw partition.
    OutOfOrder,
    /// It comes from no webhook.
    Orphan,
    /// It is none of koine's records.
    Unreadable,
    /// Doubled, where that is what is to be expected (`delivery: at_least_once`).
    Repeated,
    /// Another build made something else of it than this one would.
    AnotherBuild,
}

impl What {
    pub const ALL: &[What] = &[
        What::Missing,
        What::Doubled,
        What::OtherBytes,
        What::OtherOutcome,
        What::OutOfOrder,
        What::Orphan,
        What::Unreadable,
        What::Repeated,
        What::AnotherBuild,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            What::Missing => "missing",
            What::Doubled => "doubled",
            What::OtherBytes => "other_bytes",
            What::OtherOutcome => "other_outcome",
            What::OutOfOrder => "out_of_order",
            What::Orphan => "orphan",
            What::Unreadable => "unreadable",
            What::Repeated => "repeated",
            What::AnotherBuild => "another_build",
        }
    }

    /// Whether it must not be.
    pub const fn is_wrong(self) -> bool {
        !matches!(self, What::Repeated | What::AnotherBuild)
    }
}

/// One thing to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub what: What,
    /// The webhook: its raw record, and its place in that.
    pub raw: Option<(At, i32)>,
    /// What should have become of it.
    pub due: String,
    /// The records it is about.
    pub there: Vec<At>,
    pub why: String,
}

/// Of a raw partition. Webhooks = events + ignored + dead letters + missing + gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub records: u64,
    pub webhooks: u64,
    /// What is there; of what should have been ignored: what is not there.
    pub outcomes: Outcomes,
    pub missing: u64,
    pub doubled: u64,
    /// Of another content, outcome or order than was due.
    pub wrong: u64,
    /// Records that come from here and from no webhook.
    pub orphans: u64,
    pub repeated: u64,
    pub another_build: u64,
    /// Events that were dead letters first. They count as events.
    pub healed: u64,
    /// Not to be judged: retention may have deleted what they became.
    pub gone: u64,
    /// Not to be judged: records whose raw record retention has deleted.
    pub gone_raw: u64,
}

impl Tally {
    pub fn add(&mut self, other: &Tally) {
        let Tally {
            records,
            webhooks,
            outcomes,
            missing,
            doubled,
            wrong,
            orphans,
            repeated,
            another_build,
            healed,
            gone,
            gone_raw,
        } = other;
        self.records += records;
        self.webhooks += webhooks;
        self.outcomes.events += outcomes.events;
        self.outcomes.ignored += outcomes.ignored;
        self.outcomes.dead_letters += outcomes.dead_letters;
        self.missing += missing;
        self.doubled += doubled;
        self.wrong += wrong;
        self.orphans += orphans;
        self.repeated += repeated;
        self.another_build += another_build;
        self.healed += healed;
        self.gone += gone;
        self.gone_raw += gone_raw;
    }

    pub fn is_right(&self) -> bool {
        self.missing + self.doubled + self.wrong + self.orphans == 0
    }
}

/// A raw partition and what was found of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawReport {
    pub topic: String,
    pub partition: i32,
    /// The offsets that were judged: from this to before that.
    pub from: i64,
    pub to: i64,
    /// Offsets that the group has not done yet.
    pub not_due: i64,
    pub tally: Tally,
}

/// A partition that was written to, and what was found in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutputReport {
    pub topic: String,
    pub partition: i32,
    /// Where it begins: what was before is deleted.
    pub from: i64,
    pub to: i64,
    pub records: u64,
    /// Not to be judged: their raw records are not done yet, as far as the group has said.
    pub not_due: u64,
    /// Not to be judged: their raw records are deleted.
    pub gone_raw: u64,
    /// Not to be judged: they are of topics that this configuration does not read.
    pub foreign: u64,
    /// They come from where there is nothing.
    pub orphans: u64,
    pub unreadable: u64,
}

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub raws: Vec<RawReport>,
    pub outputs: Vec<OutputReport>,
    /// The first so many of what is wrong, and of what is only to be told.
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub unlisted: u64,
    /// Records out of their order that there was no room to judge.
    pub not_judged: u64,
    pub took_second_look: bool,
}

impl Report {
    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        self.raws.iter().for_each(|raw| total.add(&raw.tally));
        total
    }

    /// How many things are wrong.
    pub fn wrong(&self) -> u64 {
        let total = self.total();
        let outputs: u64 = self.outputs.iter().map(|output| output.orphans + output.unreadable).sum();
        total.missing + total.doubled + total.wrong + total.orphans + outputs + self.not_judged
    }
}
