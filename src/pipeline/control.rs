//! What the threads of a process tell each other: to stop, to give up. And how long to wait before
//! trying again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// No step of a process that runs is longer.
const LONGEST_STEP: Duration = Duration::from_secs(1);

/// Shared by all threads of a service.
#[derive(Debug)]
pub struct Control {
    /// How long this process has lived, in milliseconds. One that was frozen has not lived meanwhile, nor have its calls
    /// taken that long.
    lived: AtomicU64,
    /// Finish what is at hand, then leave.
    is_stopping: AtomicBool,
    /// The time to finish is over: leave what is at hand undone.
    is_given_up: AtomicBool,
}

/// What is watched of one worker.
#[derive(Debug, Default)]
pub struct Pulse {
    /// Since when one call to the broker has been going on, in milliseconds of [`Control::lived`]; 0: none is.
    call: AtomicU64,
    /// The call that is going on has been too long already, while the brokers answered.
    is_suspect: AtomicBool,
    /// Partitions that must go are waited for: the batch on its way is to be given up.
    is_recalled: AtomicBool,
}

impl Pulse {
    pub fn recall(&self, is_recalled: bool) {
        self.is_recalled.store(is_recalled, Ordering::Release);
    }

    pub fn is_recalled(&self) -> bool {
        self.is_recalled.load(Ordering::Acquire)
    }
}

impl Control {
    pub fn new() -> Control {
        Control {
            // So that no time is 0, which stands for none.
            lived: AtomicU64::new(1),
            is_stopping: AtomicBool::new(false),
            is_given_up: AtomicBool::new(false),
        }
    }

    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
    }

    pub fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }

    pub fn give_up(&self) {
        self.is_given_up.store(true, Ordering::Release);
    }

    pub fn is_given_up(&self) -> bool {
        self.is_given_up.load(Ordering::Acquire)
    }

    /// So much time has gone by since this was last called. The supervisor comes by many times a second, and where it
    /// has not the process stood still.
    pub fn live(&self, time: Duration) {
        let time = u64::try_from(time.min(LONGEST_STEP).as_millis()).unwrap_or_default();
        self.lived.fetch_add(time, Ordering::AcqRel);
    }

    fn now(&self) -> u64 {
        self.lived.load(Ordering::Acquire)
    }

    /// Watches over one call to the broker: it is bounded by a timeout of its own, and if it does not keep to that
    /// (librdkafka 4420) the process has to end.
    pub fn watched<T>(&self, pulse: &Pulse, call: impl FnOnce() -> T) -> T {
        pulse.is_suspect.store(false, Ordering::Release);
        pulse.call.store(self.now(), Ordering::Release);
        let result = call();
        pulse.call.store(0, Ordering::Release);
        result
    }

    /// How long the call that is going on has taken so far.
    pub fn in_call(&self, pulse: &Pulse) -> Duration {
        match pulse.call.load(Ordering::Acquire) {
            0 => Duration::ZERO,
            since => Duration::from_millis(self.now().saturating_sub(since)),
        }
    }

    /// Counts the call that is going on anew: that it has not come back so far is not its fault.
    pub fn forgive(&self, pulse: &Pulse) {
        pulse.is_suspect.store(false, Ordering::Release);
        self.count_anew(pulse);
    }

    /// Counts the call that is going on anew, and remembers that it has been too long. Whether it was suspected before.
    pub fn suspect(&self, pulse: &Pulse) -> bool {
        let was_suspect = pulse.is_suspect.swap(true, Ordering::AcqRel);
        self.count_anew(pulse);
        was_suspect
    }

    fn count_anew(&self, pulse: &Pulse) {
        let _ = pulse.call.fetch_update(Ordering::AcqRel, Ordering::Acquire, |since| (since > 0).then(|| self.now()));
    }

    /// Sleeps, unless `is_over`. Whether the whole time was slept.
    pub fn sleep(&self, time: Duration, is_over: impl Fn() -> bool) -> bool {
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            if is_over() {
                return false;
            }
            std::thread::sleep(left.min(Duration::from_millis(20)));
        }
    }
}

/// Longer and longer pauses, up to a limit: a broker that is down is neither hammered nor forgotten.
#[derive(Debug, Clone)]
pub struct Backoff {
    next: Duration,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(100);
    const LIMIT: Duration = Duration::from_secs(10);

    pub const fn new() -> Backoff {
        Backoff { next: Backoff::FIRST }
    }

    pub fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (self.next * 2).min(Backoff::LIMIT);
        pause
    }

    pub fn reset(&mut self) {
        self.next = Backoff::FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_start_again() {
        let mut backoff = Backoff::new();
        let pauses: Vec<u128> = (0..9).map(|_| backoff.pause().as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        backoff.reset();
        assert_eq!(backoff.pause().as_millis(), 100);
    }

    #[test]
    fn a_call_that_goes_on_is_seen_and_one_that_ended_is_not() {
        let (control, pulse) = (Control::new(), Pulse::default());
        assert_eq!(control.in_call(&pulse), Duration::ZERO);
        control.watched(&pulse, || {
            control.live(Duration::from_millis(20));
            control.live(Duration::from_millis(25));
            assert_eq!(control.in_call(&pulse), Duration::from_millis(45));
            assert!(!control.suspect(&pulse));
            assert_eq!(control.in_call(&pulse), Duration::ZERO);
            assert!(control.suspect(&pulse), "it was, and is the same call");
            control.forgive(&pulse);
            assert!(!control.suspect(&pulse), "it was forgiven");
        });
        control.watched(&pulse, || assert!(!control.suspect(&pulse), "it is another call"));
        control.live(Duration::from_millis(20));
        control.forgive(&pulse);
        assert_eq!(control.in_call(&pulse), Duration::ZERO, "and forgiving makes none");
    }

    #[test]
    fn a_process_that_was_frozen_has_not_waited_for_its_call() {
        let (control, pulse) = (Control::new(), Pulse::default());
        control.watched(&pulse, || {
            control.live(Duration::from_secs(3600));
            assert_eq!(control.in_call(&pulse), Duration::from_secs(1));
            (0..50).for_each(|_| control.live(Duration::from_millis(100)));
            assert_eq!(control.in_call(&pulse), Duration::from_secs(6));
            control.forgive(&pulse);
            assert_eq!(control.in_call(&pulse), Duration::ZERO);
        });
    }

    #[test]
    fn a_sleep_ends_when_there_is_nothing_to_wait_for() {
        let control = Control::new();
        assert!(control.sleep(Duration::from_millis(1), || false));
        assert!(!control.sleep(Duration::from_secs(60), || true));
    }
}
