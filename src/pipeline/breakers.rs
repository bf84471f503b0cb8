//! The breakers of the partitions that a session has: feeds them, and says what is to be paused. What they are like is
//! shown on the process's [`Board`], where people can also say that a partition is well again.
//!
//! Only what translation found counts, so trouble with brokers or the registry never opens one. A breaker goes with its
//! partition: who gets the partition next begins to learn anew, from the record at which this one stopped.

use super::batch::UnitKind;
use super::breaker::{Breaker, Rules, State};
use crate::http::{Board, BreakerState};
use crate::kafka::TopicPartition;
use crate::reject::Code;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Of so many bad webhooks the causes are remembered, to name the leading one.
const CAUSES: usize = 256;

pub struct Breakers {
    rules: Rules,
    started: Instant,
    slots: Vec<Slot>,
    /// The slot of the last record: records come in runs of a partition.
    last: usize,
}

struct Slot {
    partition: TopicPartition,
    breaker: Breaker,
    causes: VecDeque<(String, Code)>,
}

/// A breaker has turned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    pub partition: TopicPartition,
    pub state: State,
    /// For an open one: until it is tried.
    pub pause: Duration,
    /// The fingerprint and code of the most frequent dead letter of late.
    pub cause: Option<(String, Code)>,
}

impl Breakers {
    pub fn new(rules: Rules) -> Breakers {
        Breakers { rules, started: Instant::now(), slots: Vec::new(), last: 0 }
    }

    /// A partition has come. Where it only came again, its breaker is as it was; its state.
    pub fn begin(&mut self, partition: &TopicPartition) -> State {
        if let Some(slot) = self.slots.iter().find(|slot| slot.partition == *partition) {
            return slot.breaker.state();
        }
        let slot = Slot { partition: partition.clone(), breaker: Breaker::new(self.rules), causes: VecDeque::new() };
        self.slots.push(slot);
        State::Closed
    }

    pub fn forget(&mut self, partition: &TopicPartition) {
        self.slots.retain(|slot| slot.partition != *partition);
    }

    /// The webhooks of one record have their outcomes.
    pub fn count<'u>(
        &mut self,
        topic: &str,
        partition: i32,
        outcomes: impl Iterator<Item = &'u UnitKind>,
    ) -> Option<Turn> {
        let is_last = self.slots.get(self.last).is_some_and(|slot| slot.partition.is(topic, partition));
        if !is_last {
            self.last = self.slots.iter().position(|slot| slot.partition.is(topic, partition))?;
        }
        let now = self.started.elapsed();
        let slot = self.slots.get_mut(self.last)?;
        let mut turned = false;
        for outcome in outcomes {
            let cause = cause(outcome);
            turned |= slot.breaker.count(now, cause.is_some()).is_some();
            if let Some((fingerprint, code)) = cause {
                if slot.causes.len() >= CAUSES {
                    slot.causes.pop_front();
                }
                slot.causes.push_back((fingerprint.to_owned(), code));
            }
        }
        turned.then(|| slot.turn())
    }

    /// Time has passed, and people may have said something.
    pub fn tick(&mut self, board: &Board) -> Vec<Turn> {
        let now = self.started.elapsed();
        let mut turns = Vec::new();
        for slot in &mut self.slots {
            let is_open = slot.breaker.state() != State::Closed;
            let is_well = is_open && board.is_resumed(&slot.partition.topic, slot.partition.partition);
            let turned = if is_well { slot.breaker.resume() } else { slot.breaker.tick(now) };
            turns.extend(turned.map(|_| slot.turn()));
        }
        turns
    }
}

impl Slot {
    fn turn(&self) -> Turn {
        Turn {
            partition: self.partition.clone(),
            state: self.breaker.state(),
            pause: self.breaker.pause(),
            cause: self.leading(),
        }
    }

    fn leading(&self) -> Option<(String, Code)> {
        let mut counts: HashMap<&str, (usize, Code)> = HashMap::new();
        for (fingerprint, code) in &self.causes {
            counts.entry(fingerprint).or_insert((0, *code)).0 += 1;
        }
        let most = counts.into_iter().max_by_key(|(fingerprint, (count, _))| (*count, *fingerprint));
        most.map(|(fingerprint, (_, code))| (fingerprint.to_owned(), code))
    }
}

/// Why a webhook counts as bad: it is refused, and a document names its event type. What cannot be told what it is, does not:
/// it may be anything, and a new event type is the vendor's good right.
fn cause(kind: &UnitKind) -> Option<(&str, Code)> {
    match kind {
        UnitKind::DeadLetter(letter) => {
            let letter = &letter.letter;
            let is_known = letter.event_type.is_some() && letter.code != Code::EventUnknown;
            is_known.then_some((letter.fingerprint.as_str(), letter.code))
        }
        UnitKind::Event(_) | UnitKind::Ignored(_) | UnitKind::PassedOver => None,
    }
}

impl From<State> for BreakerState {
    fn from(state: State) -> BreakerState {
        match state {
            State::Closed => BreakerState::Closed,
            State::Probing => BreakerState::Probing,
            State::Open => BreakerState::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::batch::Letter;
    use super::super::dead_letter::Form;
    use super::*;
    use crate::http::BreakerView;
    use crate::translate::{DeadLetter, Ignored};
    use crate::vendors::Ignore;

    /// Opens with the fourth of four, and is tried at once.
    const RULES: Rules =
        Rules { records: 4, window: Duration::ZERO, pause: Duration::ZERO, longest_pause: Duration::ZERO };

    fn letter(event_type: Option<&str>, code: Code, fingerprint: &str) -> UnitKind {
        let letter = DeadLetter {
            vendor: Some("spree"),
            event_type: event_type.map(str::to_owned),
            code,
            pointer: String::new(),
            detail: String::new(),
            index: None,
            fingerprint: fingerprint.to_owned(),
        };
        UnitKind::DeadLetter(Box::new(Letter { letter, failed_at: String::new(), form: Form::WHOLE }))
    }

    fn counted(outcomes: &[UnitKind]) -> Option<Turn> {
        let mut breakers = Breakers::new(RULES);
        breakers.begin(&TopicPartition::new("raw", 0));
        breakers.count("raw", 0, outcomes.iter())
    }

    #[test]
    fn only_what_is_wrong_with_known_event_types_counts() {
        let bad = || letter(Some("order.paid"), Code::MoneyInvalid, "a");
        let other = || letter(Some("order.paid"), Code::FieldMissing, "b");
        let turn = counted(&[bad(), other(), bad(), bad()]).expect("opens");
        assert_eq!((turn.state, turn.cause), (State::Open, Some(("a".to_owned(), Code::MoneyInvalid))));
        for good in [
            || letter(Some("order.teleported"), Code::EventUnknown, "c"),
            || letter(None, Code::JsonSyntax, "d"),
            || letter(None, Code::EnvelopeUnknownVendor, "e"),
            || UnitKind::PassedOver,
            || UnitKind::Ignored(Ignored { vendor: "spree", event_type: "import.created", rule: Ignore::BackOffice }),
        ] {
            assert_eq!(counted(&[good(), good(), good(), good()]), None, "{:?}", good());
            assert_eq!(counted(&[bad(), bad(), good(), good()]), None, "half of them, with {:?}", good());
            assert!(counted(&[bad(), bad(), bad(), good()]).is_some(), "more than half of all, with {:?}", good());
        }
    }

    #[test]
    fn partitions_have_breakers_of_their_own_that_go_with_them() {
        let bad: Vec<UnitKind> = (0..4).map(|_| letter(Some("order.paid"), Code::MoneyInvalid, "a")).collect();
        let [first, second] = [0, 1].map(|nth| TopicPartition::new("raw", nth));
        let (mut breakers, board) =
            (Breakers::new(Rules { pause: Duration::from_secs(60), ..RULES }), Board::default());
        breakers.begin(&first);
        breakers.begin(&second);
        assert_eq!(breakers.count("raw", 1, bad.iter()).map(|turn| turn.partition), Some(second.clone()));
        assert_eq!(breakers.count("raw", 0, bad[..3].iter()), None);
        assert_eq!(breakers.count("other", 0, bad.iter()), None, "not ours");
        // It came again, as after a commit of which nobody knows what became.
        assert_eq!((breakers.begin(&second), breakers.begin(&first)), (State::Open, State::Closed));
        // Somebody says that all is well; only the one that is open turns.
        board.show(BreakerView {
            topic: "raw".to_owned(),
            partition: 1,
            state: State::Open.into(),
            paused: true,
            code: None,
            fingerprint: None,
        });
        assert_eq!(breakers.tick(&board), []);
        assert_eq!(board.resume(None, None), 1);
        let turns = breakers.tick(&board);
        assert_eq!(
            turns.iter().map(|turn| (&turn.partition, turn.state)).collect::<Vec<_>>(),
            [(&second, State::Closed)]
        );
        breakers.count("raw", 1, bad.iter());
        breakers.forget(&second);
        assert_eq!(breakers.begin(&second), State::Closed, "it begins to learn anew");
    }
}
