//! When a partition is to be left alone: most of what comes from it is refused, so something is wrong that no dead letter
//! will mend.
//!
//! Plain arithmetic. The time is handed in, counted from whenever; nobody is asked and nothing is paused here.
//!
//! A bad record is a dead letter of a known event type. One bad event type among good ones is not what this is about, and
//! neither are event types that nobody knows: those are news from the vendor, and not a fault.

use std::collections::VecDeque;
use std::time::Duration;

/// When a breaker opens, and how it closes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// At least so many webhooks are looked at,
    pub records: u64,
    /// and at least for so long.
    pub window: Duration,
    /// How long it stays open before a record is tried; after each time in vain twice as long,
    pub pause: Duration,
    /// but no longer than this.
    pub longest_pause: Duration,
}

/// After the one that is tried, so many more have to be mostly good.
const PROBES: u64 = 10;
/// Into so many parts the window is divided: it is forgotten by parts.
const PARTS: u32 = 30;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Closed,
    /// Some records are tried.
    Probing,
    Open,
}

/// A partition's breaker.
#[derive(Debug)]
pub struct Breaker {
    rules: Rules,
    phase: Phase,
    window: Window,
    /// How long it is, or was last, open.
    pause: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Closed,
    Open { until: Duration },
    Probing { seen: u64, bad: u64 },
}

impl Breaker {
    pub fn new(rules: Rules) -> Breaker {
        Breaker { rules, phase: Phase::Closed, window: Window::default(), pause: Duration::ZERO }
    }

    pub fn state(&self) -> State {
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::Probing { .. } => State::Probing,
        }
    }

    /// A webhook has its outcome. The new state, if it is another one.
    pub fn count(&mut self, now: Duration, is_bad: bool) -> Option<State> {
        match &mut self.phase {
            Phase::Closed => {
                self.window.add(now, is_bad, self.rules.window / PARTS);
                self.window.trim(now, &self.rules);
                self.window.is_mostly_bad(now, &self.rules).then(|| self.open(now, self.rules.pause))
            }
            // What was read before the pause.
            Phase::Open { .. } => None,
            Phase::Probing { seen, bad } => {
                *seen += 1;
                *bad += u64::from(is_bad);
                let (seen, bad) = (*seen, *bad);
                if (seen == 1 && bad == 1) || bad * 2 > PROBES {
                    let pause = (self.pause * 2).min(self.rules.longest_pause.max(self.rules.pause));
                    Some(self.open(now, pause))
                } else {
                    (seen > PROBES).then(|| self.close())
                }
            }
        }
    }

    /// Time has passed. The new state, if it is another one.
    pub fn tick(&mut self, now: Duration) -> Option<State> {
        match self.phase {
            Phase::Open { until } if now >= until => {
                self.phase = Phase::Probing { seen: 0, bad: 0 };
                Some(State::Probing)
            }
            _ => None,
        }
    }

    /// Somebody says that it is well again. The new state, if it is another one.
    pub fn resume(&mut self) -> Option<State> {
        (self.phase != Phase::Closed).then(|| self.close())
    }

    /// How long it stays open this time.
    pub fn pause(&self) -> Duration {
        self.pause
    }

    fn open(&mut self, now: Duration, pause: Duration) -> State {
        self.pause = pause;
        self.phase = Phase::Open { until: now + pause };
        self.window = Window::default();
        State::Open
    }

    fn close(&mut self) -> State {
        self.phase = Phase::Closed;
        State::Closed
    }
}

/// The last webhooks: as few as reach back far enough and are enough.
#[derive(Debug, Default)]
struct Window {
    /// From old to new; none is empty.
    parts: VecDeque<Part>,
    all: u64,
    bad: u64,
}

#[derive(Debug, Clone, Copy)]
struct Part {
    since: Duration,
    all: u64,
    bad: u64,
}

impl Window {
    fn add(&mut self, now: Duration, is_bad: bool, width: Duration) {
        let bad = u64::from(is_bad);
        self.all += 1;
        self.bad += bad;
        match self.parts.back_mut().filter(|part| now.saturating_sub(part.since) < width) {
            Some(part) => {
                part.all += 1;
                part.bad += bad;
            }
            None => self.parts.push_back(Part { since: now, all: 1, bad }),
        }
    }

    /// Forgets the oldest part as long as what is left is enough by itself.
    fn trim(&mut self, now: Duration, rules: &Rules) {
        while let (Some(oldest), Some(next)) = (self.parts.front().copied(), self.parts.get(1)) {
            let is_enough = self.all - oldest.all >= rules.records && now.saturating_sub(next.since) >= rules.window;
            if !is_enough {
                return;
            }
            self.all -= oldest.all;
            self.bad -= oldest.bad;
            self.parts.pop_front();
        }
    }

    fn is_mostly_bad(&self, now: Duration, rules: &Rules) -> bool {
        let is_long = self.parts.front().is_some_and(|part| now.saturating_sub(part.since) >= rules.window);
        is_long && self.all >= rules.records && self.bad * 2 > self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        records: 1000,
        window: Duration::from_secs(30),
        pause: Duration::from_secs(30),
        longest_pause: Duration::from_secs(600),
    };

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Counts webhooks that come so many milliseconds apart, and says at which one (from 1) it opened.
    fn opens_at(apart: u64, outcomes: impl Iterator<Item = bool>) -> Option<u64> {
        let mut breaker = Breaker::new(RULES);
        for (nth, is_bad) in (0..).zip(outcomes) {
            if breaker.count(ms(nth * apart), is_bad) == Some(State::Open) {
                return Some(nth + 1);
            }
        }
        None
    }

    #[test]
    fn all_bad_opens_as_soon_as_there_is_enough_of_it() {
        let all_bad = || std::iter::repeat_n(true, 100_000);
        // A thousand a second: after 30 s.
        assert_eq!(opens_at(1, all_bad()), Some(30_001));
        // Ten a second: with the thousandth.
        assert_eq!(opens_at(100, all_bad()), Some(1000));
        // One an hour: with the thousandth too.
        assert_eq!(opens_at(3_600_000, all_bad()), Some(1000));
        assert_eq!(opens_at(3_600_000, std::iter::repeat_n(true, 999)), None);
        // A burst alone is not enough, be it ever so large.
        assert_eq!(opens_at(0, all_bad()), None);
    }

    #[test]
    fn more_than_half_is_more_than_half() {
        assert_eq!(opens_at(100, (0..1000).map(|nth| nth < 500)), None, "half is not more");
        assert_eq!(opens_at(100, (0..1000).map(|nth| nth < 501)), Some(1000));
        assert_eq!(opens_at(100, (0..100_000).map(|nth| [1, 3].contains(&(nth % 5)))), None);
        assert_eq!(opens_at(100, (0..100_000).map(|nth| [0, 1, 3].contains(&(nth % 5)))), Some(1000));
    }

    #[test]
    fn what_was_good_long_ago_does_not_help() {
        // An hour of good ones, then all bad: 30 s later more than half of the last 30 s and a bit is bad.
        let at = opens_at(1, (0..4_000_000).map(|nth| nth >= 3_600_000)).expect("opens");
        assert!((3_615_000..3_632_000).contains(&at), "{at}");
    }

    #[test]
    fn one_bad_event_type_among_ten_never_opens() {
        assert_eq!(opens_at(1, (0..1_000_000).map(|nth| nth % 10 == 3)), None);
        // Neither in runs, as a shop sends that imports its catalogue: 10,000 of each kind in turn would be 10 s each.
        assert_eq!(opens_at(1, (0..1_000_000).map(|nth| nth / 10_000 % 10 == 3)), None);
    }

    #[test]
    fn one_bad_in_a_thousand_never_opens() {
        assert_eq!(opens_at(1, (0..1_000_000).map(|nth| nth % 1000 == 0)), None);
        assert_eq!(opens_at(0, (0..1_000_000).map(|nth| nth % 1000 == 0)), None);
    }

    #[test]
    fn it_is_tried_with_longer_and_longer_pauses() {
        let mut breaker = Breaker::new(Rules { records: 1, window: Duration::ZERO, ..RULES });
        assert_eq!(breaker.count(ms(0), true), Some(State::Open));
        let (mut now, mut pauses) = (Duration::ZERO, Vec::new());
        for _ in 0..7 {
            pauses.push(breaker.pause().as_secs());
            assert_eq!(breaker.count(now, true), None, "what was read before the pause");
            assert_eq!(breaker.tick(now + breaker.pause() - ms(1)), None);
            now += breaker.pause();
            assert_eq!(breaker.tick(now), Some(State::Probing));
            assert_eq!(breaker.count(now, true), Some(State::Open), "the first one that is tried decides");
        }
        assert_eq!(pauses, [30, 60, 120, 240, 480, 600, 600]);
        // It opens anew after it was closed: the pauses start again.
        assert_eq!(breaker.resume(), Some(State::Closed));
        assert_eq!(breaker.resume(), None);
        assert_eq!(breaker.count(now, true), Some(State::Open));
        assert_eq!(breaker.pause().as_secs(), 30);
    }

    #[test]
    fn a_good_record_and_then_some_more_close_it() {
        let open = || {
            let mut breaker = Breaker::new(Rules { records: 1, window: Duration::ZERO, ..RULES });
            breaker.count(ms(0), true);
            assert_eq!(breaker.tick(ms(30_000)), Some(State::Probing));
            assert_eq!(breaker.count(ms(30_000), false), None);
            breaker
        };
        let mut breaker = open();
        let states: Vec<_> = (0..10).map(|nth| breaker.count(ms(30_000), nth % 2 == 0)).collect();
        assert_eq!(states[..9], [None; 9]);
        assert_eq!(states[9], Some(State::Closed), "half of them bad is not more than half");
        let mut breaker = open();
        let at = (0..10).position(|_| breaker.count(ms(30_000), true) == Some(State::Open));
        assert_eq!(at, Some(5), "the sixth bad one of ten");
    }

    /// The same over everything that ever was, without parts: whether there is a stretch up to now that is long enough,
    /// large enough, and mostly bad.
    fn any_stretch_is_bad(history: &[(Duration, bool)], rules: &Rules) -> bool {
        let Some((now, _)) = history.last() else { return false };
        let (mut all, mut bad) = (0, 0);
        history.iter().rev().any(|(time, is_bad)| {
            all += 1;
            bad += u64::from(*is_bad);
            all >= rules.records && *now - *time >= rules.window && bad * 2 > all
        })
    }

    /// Over random traffic, with rules small enough for all cases to come up: it never opens unless some stretch up to now
    /// is bad by the rules, and it does not stay closed while even the last part of every stretch is.
    #[test]
    fn it_opens_only_for_a_reason_and_for_a_good_one_always() {
        let mut state = 7_u64;
        let mut random = move |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        let (mut opened, mut stayed) = (0, 0);
        for _ in 0..3000 {
            let rules = Rules { records: 1 + random(40), window: ms(random(400)), ..RULES };
            let (gap, share) = (1 + random(60), random(101));
            let mut breaker = Breaker::new(rules);
            let (mut now, mut history, mut bad_run) = (Duration::ZERO, Vec::new(), None::<(Duration, u64)>);
            let mut is_open = false;
            for _ in 0..200 {
                now += ms(random(gap));
                let is_bad = random(100) < share;
                history.push((now, is_bad));
                bad_run = match (is_bad, bad_run) {
                    (false, _) => None,
                    (true, None) => Some((now, 1)),
                    (true, Some((since, count))) => Some((since, count + 1)),
                };
                is_open = breaker.count(now, is_bad) == Some(State::Open);
                assert!(breaker.window.parts.len() as u64 <= rules.records + u64::from(PARTS) + 2);
                if is_open {
                    assert!(any_stretch_is_bad(&history, &rules), "{rules:?} {history:?}");
                    break;
                }
                // Nothing but bad ones for twice as long, and twice as many, as the rules ask for.
                let is_hopeless = bad_run.is_some_and(|(since, count)| {
                    now - since >= rules.window * 2 + ms(60) && count >= rules.records * 2
                });
                assert!(!is_hopeless, "{rules:?} {history:?}");
            }
            if is_open { opened += 1 } else { stayed += 1 }
        }
        assert!(opened > 300 && stayed > 300, "{opened} {stayed}: one side was hardly tried");
    }

    #[test]
    fn times_that_stand_still_or_are_huge_do_no_harm() {
        let mut breaker = Breaker::new(RULES);
        for nth in 0..5000_u64 {
            breaker.count(Duration::from_secs(nth * 86_400 * 365), nth % 3 == 0);
        }
        assert_eq!(breaker.state(), State::Closed);
        assert!(breaker.window.parts.len() <= 1001);
    }
}
