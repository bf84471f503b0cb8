//! `--only`: of all webhooks of a stretch of the raw topics, those of some event types.
//!
//! For what an earlier build ignored. Whatever was not asked for is passed over: it had its outcome when it was read
//! first. What was asked for gets the outcome it would have had with this build, and that may be a dead letter, since an
//! event that was ignored was never looked into. Knows no vendor's fields, and no broker.

use crate::config::settings::nearest;
use crate::kafka::TopicPartition;
use crate::reject::Code;
use crate::translate::Outcome;
use crate::vendors::{Ignore, Route, VENDORS, Vendor};
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashMap};

/// What a run with `--only` is about.
pub struct Only {
    /// Its own, so that it remembers what it has done.
    pub group: String,
    pub selection: Selection,
    /// Where each partition ends for this run. One that is not named is not read at all.
    pub until: HashMap<TopicPartition, i64>,
}

impl Only {
    /// The first offset that is no longer this run's.
    pub fn until(&self, partition: &TopicPartition) -> i64 {
        self.until.get(partition).copied().unwrap_or(0)
    }

    /// Whether a partition of this run that is to be read from `next` on has nothing for it. Where a loss was accepted, the
    /// group has said so of none of what is gone.
    pub fn is_over(&self, partition: &TopicPartition, next: i64) -> bool {
        self.until.get(partition).is_some_and(|until| next >= *until)
    }

    /// The topics that are to be read.
    pub fn topics(&self) -> Vec<String> {
        let topics: BTreeSet<&str> = self.until.keys().map(|partition| &*partition.topic).collect();
        topics.into_iter().map(str::to_owned).collect()
    }
}

/// The group of a run: its words are its name. The same words are the same run, which goes on where it was or is done;
/// other words are another one, which knows nothing of the first.
pub fn group(main: &str, words: &[String], from: &str, until: &str) -> String {
    let words: BTreeSet<&str> = words.iter().map(String::as_str).collect();
    let said = words.into_iter().chain([from, until]).collect::<Vec<_>>().join("\n");
    let digest = Sha256::digest(said);
    let digest: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("{main}-only-{digest}")
}

/// How far a session has read the partitions that it has: whether to their ends.
#[derive(Default)]
pub struct Ends {
    is_done: HashMap<TopicPartition, bool>,
}

impl Ends {
    /// A partition has come, to be read from `next` on. Whether there is nothing to read of it.
    pub fn begin(&mut self, partition: &TopicPartition, next: i64, until: i64) -> bool {
        self.is_done.insert(partition.clone(), next >= until);
        next >= until
    }

    pub fn forget(&mut self, partition: &TopicPartition) {
        self.is_done.remove(partition);
    }

    /// It has been read up to here, by its records or by the client's position, in which markers of transactions count.
    /// Whether that is its end, which is said once.
    pub fn reach(&mut self, partition: &TopicPartition, next: i64, until: i64) -> bool {
        match self.is_done.get_mut(partition) {
            Some(is_done) if !*is_done => {
                *is_done = next >= until;
                *is_done
            }
            _ => false,
        }
    }

    /// Those that are still read.
    pub fn unfinished(&self) -> Vec<TopicPartition> {
        self.is_done.iter().filter(|(_, is_done)| !**is_done).map(|(partition, _)| partition.clone()).collect()
    }
}

/// Event types, each of one vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    types: BTreeSet<(&'static str, &'static str)>,
}

impl Selection {
    /// What these words stand for, each of them being
    /// * a rule by which an earlier build ignored events that this one maps (`component_pending`),
    /// * an event type (`line_item.created`), or
    /// * a family of them (`line_item.*`);
    ///
    /// a type or a family may be one vendor's alone (`spree:customer.*`). A word that stands for nothing that this build
    /// would write is a mistake: whoever says it waits for something that will not come.
    pub fn parse<'w>(words: impl IntoIterator<Item = &'w str>) -> Result<Selection, String> {
        let mut types = BTreeSet::new();
        for word in words {
            let found = of_word(word)?;
            types.extend(found);
        }
        if types.is_empty() {
            return Err("it names no rule and no event type".to_owned());
        }
        Ok(Selection { types })
    }

    /// Whether it was asked for. A dead letter was, if its event type is known and asked for: the earlier build had
    /// passed that event over before it could find anything wrong with it. What cannot even be told what it is (broken
    /// JSON, an unknown event type) was a dead letter then, and is there already.
    pub fn wants(&self, outcome: &Outcome<'_>) -> bool {
        match outcome {
            Outcome::Event(event) => self.types.contains(&(event.vendor, event.event_type)),
            Outcome::Ignored(ignored) => self.types.contains(&(ignored.vendor, ignored.event_type)),
            Outcome::DeadLetter(letter) => {
                let place = letter.vendor.zip(letter.event_type.as_deref());
                letter.code != Code::EventUnknown
                    && place.is_some_and(|(vendor, name)| self.types.iter().any(|one| *one == (vendor, name)))
            }
        }
    }

    /// `vendor:type` each, sorted.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.types.iter().map(|(vendor, name)| format!("{vendor}:{name}"))
    }

    pub fn len(&self) -> usize {
        self.types.len()
    }

    pub fn is_empty(&self) -> bool {
        self.types.is_empty()
    }
}

type Types = Vec<(&'static str, &'static str)>;

fn of_word(word: &str) -> Result<Types, String> {
    let once: Types = VENDORS
        .iter()
        .flat_map(|vendor| vendor.once_ignored.iter().map(move |once| (vendor, once)))
        .filter(|(_, once)| once.rule == word)
        .flat_map(|(vendor, once)| once.events.iter().map(|event| (vendor.name, *event)))
        .collect();
    if !once.is_empty() {
        return Ok(once);
    }
    if Ignore::ALL.iter().any(|rule| rule.as_str() == word) {
        return Err(format!("this build ignores by `{word}` all that earlier ones did: there is nothing to bring in"));
    }
    let (wanted, name) = match word.split_once(':') {
        Some((vendor, name)) => (Some(vendor), name),
        None => (None, word),
    };
    let vendors = VENDORS.iter().filter(|vendor| wanted.is_none_or(|wanted| wanted == vendor.name));
    let family = name.strip_suffix('*').filter(|family| family.ends_with(['.', '_']) && family.len() > 1);
    let is_meant = |event: &str| family.map_or(event == name, |family| event.starts_with(family));
    let (mut written, mut ignored) = (Types::new(), None);
    for vendor in vendors {
        for event in vendor.events.iter().filter(|event| is_meant(event.name)) {
            match event.route {
                Route::Map(_) | Route::MapOrIgnore(..) => written.push((vendor.name, event.name)),
                Route::Ignore(rule) => ignored = Some(rule),
            }
        }
    }
    match ignored {
        _ if !written.is_empty() => Ok(written),
        Some(rule) => {
            Err(format!("`{word}` is ignored by this build too, by the rule {}: {}", rule.as_str(), rule.reason()))
        }
        None => Err(unknown(word, name)),
    }
}

fn unknown(word: &str, name: &str) -> String {
    let rules = VENDORS.iter().flat_map(|vendor| vendor.once_ignored.iter().map(|once| once.rule));
    let events = VENDORS.iter().flat_map(|vendor: &&Vendor| vendor.events.iter().map(|event| event.name));
    let hint = nearest(name, rules.chain(events)).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    format!("`{word}` is no rule of an earlier build, no event type and no family such as `line_item.*`{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::{RawRecord, SourceSettings, Translator};

    fn names(words: &[&str]) -> Vec<String> {
        Selection::parse(words.iter().copied()).expect("a selection").names().collect()
    }

    #[test]
    fn words_are_rules_types_and_families() {
        assert_eq!(names(&["line_item.created"]), ["spree:line_item.created"]);
        assert_eq!(
            names(&["metafield.*"]),
            ["bspk:metafield.created", "bspk:metafield.deleted", "bspk:metafield.updated"]
        );
        assert_eq!(names(&["category.*", "category.saved"]), ["bold:category.deleted", "bold:category.saved"]);
        // A dot ends a family's name: `payment.*` is none of `payment_session.*`.
        assert!(names(&["payment.*"]).iter().all(|name| name.starts_with("spree:payment.")));
        assert_eq!(names(&["SHOPPING_CART_ITEM_*"]).len(), 3);
        // What two vendors call alike is both's, unless one is named.
        let both = names(&["customer.*"]);
        assert!(
            both.iter().any(|name| name.starts_with("bold:")) && both.iter().any(|name| name.starts_with("spree:"))
        );
        assert!(names(&["bold:customer.*"]).iter().all(|name| name.starts_with("bold:customer.")));
        // Of a family that is mapped in part, that part: `customer.password_reset` is never written.
        assert!(!both.iter().any(|name| name.contains("password_reset")));
        let pending = names(&["component_pending"]);
        assert_eq!(pending.len(), 86 + 3 + 2);
        assert!(pending.contains(&"spree:stock_movement.created".to_owned()));
        assert!(!pending.contains(&"spree:order.completed".to_owned()));
    }

    #[test]
    fn a_run_is_named_by_its_words() {
        let name = |words: &[&str], from, until| {
            group("koine", &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>(), from, until)
        };
        let one = name(&["image.*", "component_pending"], "earliest", "committed");
        assert!(one.starts_with("koine-only-") && one.len() == "koine-only-".len() + 12, "{one}");
        assert_eq!(one, name(&["component_pending", "image.*", "image.*"], "earliest", "committed"));
        assert_ne!(one, name(&["component_pending"], "earliest", "committed"));
        assert_ne!(one, name(&["image.*", "component_pending"], "earliest", "end"));
        assert_ne!(one, name(&["image.*", "component_pending"], "2026-01-01T00:00:00Z", "committed"));
    }

    /// Retention deletes whole segments, so what is left may begin right at the end.
    #[test]
    fn a_partition_is_over_at_its_end_and_behind_it() {
        let [named, other] = [0, 1].map(|nth| TopicPartition::new("raw", nth));
        let only = Only {
            group: "koine-only".to_owned(),
            selection: Selection::parse(["line_item.created"]).expect("a selection"),
            until: HashMap::from([(named.clone(), 10)]),
        };
        assert_eq!([9, 10, 11].map(|next| only.is_over(&named, next)), [false, true, true]);
        assert!(!only.is_over(&other, 10), "none of this run's");
    }

    #[test]
    fn the_end_is_reached_once_by_records_or_by_what_is_none() {
        let [a, b, c] = [0, 1, 2].map(|nth| TopicPartition::new("raw", nth));
        let mut ends = Ends::default();
        assert!(ends.begin(&a, 7, 7), "nothing to read");
        assert!(!ends.begin(&b, 0, 10));
        assert!(!ends.reach(&b, 9, 10));
        assert!(ends.reach(&b, 10, 10), "the last offset was a marker");
        assert!(!ends.reach(&b, 10, 10), "said once");
        // It comes again after a failed commit.
        assert!(!ends.begin(&b, 4, 10));
        assert_eq!(ends.unfinished(), std::slice::from_ref(&b));
        assert!(!ends.reach(&b, 9, 10) && ends.reach(&b, 12, 10));
        assert!(!ends.begin(&c, 0, 3));
        assert!(ends.reach(&c, 3, 3));
        assert!(ends.unfinished().is_empty());
        ends.forget(&c);
        assert!(!ends.reach(&c, 3, 3), "it is not ours");
    }

    #[test]
    fn a_word_that_would_bring_in_nothing_is_a_mistake() {
        for (word, why) in [
            ("component_pendin", "did you mean `component_pending`"),
            ("line_item.create", "did you mean `line_item.created`"),
            ("back_office", "ignores by `back_office` all that earlier ones did"),
            ("promotion.created", "by the rule no_canonical_entity"),
            ("import.*", "by the rule back_office"),
            ("customer.password_reset", "by the rule credential"),
            ("bspk:line_item.created", "no event type"),
            ("shopify:order.*", "no event type"),
            ("*", "no event type"),
            (".*", "no event type"),
            ("", "no event type"),
        ] {
            let error = Selection::parse(["line_item.created", word]).expect_err(word);
            assert!(error.contains(why), "{word}: {error}");
        }
        assert!(Selection::parse([]).is_err());
    }

    /// Of every webhook here, whether `--only component_pending` is about it.
    #[test]
    fn what_is_wanted_is_what_the_earlier_build_passed_over() {
        let selection = Selection::parse(["component_pending"]).expect("a selection");
        for (value, is_wanted) in [
            // An event of today; the earlier build ignored it.
            (r#"{"id":"e","name":"line_item.created","created_at":"2026-01-15T10:00:00Z","data":{"id":"li_1"}}"#, true),
            // Ignored by today's build as well, but only after it has looked into the body.
            (
                r#"{"event_name":"metafield.created","object":{"id":1,"owner_type":"Store","owner_id":2,"namespace":"a","key":"b","value":"c"}}"#,
                true,
            ),
            // Malformed, and the earlier build never looked: it is a dead letter now, for the first time.
            (r#"{"id":"e","name":"line_item.created","created_at":"2026-01-15T10:00:00Z","data":{}}"#, true),
            // Everything else had its outcome.
            (r#"{"id":"e","name":"order.completed","created_at":"2026-01-15T10:00:00Z","data":{"id":"or_1"}}"#, false),
            (r#"{"id":"e","name":"order.completed","created_at":"2026-01-15T10:00:00Z","data":{}}"#, false),
            (r#"{"id":"e","name":"promotion.created","created_at":"2026-01-15T10:00:00Z","data":{"id":"p"}}"#, false),
            (r#"{"id":"e","name":"line_item.gone","created_at":"2026-01-15T10:00:00Z","data":{"id":"li_1"}}"#, false),
            // The envelope was looked at then too.
            (r#"{"id":"e","name":"line_item.created","created_at":"yesterday","data":{"id":"li_1"}}"#, false),
            (r#"{"id":"e","name":"line_item.created","created_at":"2026-01-15T10:00:00Z"}"#, false),
            ("{", false),
            ("", false),
            ("{}", false),
        ] {
            let raw = RawRecord {
                topic: "raw",
                partition: 0,
                offset: 0,
                timestamp_ms: None,
                key: None,
                value: Some(value.as_bytes()),
                headers: &[],
            };
            let mut told = Vec::new();
            Translator::new().translate(&raw, &SourceSettings::default(), &mut |_, outcome| {
                told.push((selection.wants(&outcome), format!("{outcome:?}")));
            });
            assert_eq!(told.len(), 1, "{value}");
            assert_eq!(told[0].0, is_wanted, "{value}: {}", told[0].1);
        }
    }
}
