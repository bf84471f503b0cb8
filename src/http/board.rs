//! Where it stands which partitions have an open breaker, and where people say that one is well again. A few lines of
//! state between the workers and the pages; it knows neither what a breaker is for nor who counts.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BreakerState {
    Closed,
    /// Some records are tried.
    Probing,
    Open,
}

/// A breaker that is not closed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct BreakerView {
    pub topic: String,
    pub partition: i32,
    pub state: BreakerState,
    /// Whether the partition is not read, or only talked about.
    pub paused: bool,
    /// The code and the fingerprint of what was refused most.
    pub code: Option<&'static str>,
    pub fingerprint: Option<String>,
}

#[derive(Debug, Default)]
pub struct Board {
    entries: Mutex<Vec<Entry>>,
    /// How many of the entries are resumed and not yet seen to be.
    resumed: AtomicUsize,
}

#[derive(Debug)]
struct Entry {
    view: BreakerView,
    is_resumed: bool,
}

impl Board {
    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        // Each change is a single one: an entry comes, goes, or is marked.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A breaker has turned.
    pub fn show(&self, view: BreakerView) {
        let mut entries = self.entries();
        entries.retain(|entry| !entry.is(&view.topic, view.partition));
        if view.state != BreakerState::Closed {
            entries.push(Entry { view, is_resumed: false });
        }
        self.recount(&entries);
    }

    /// A partition has gone, and its breaker with it.
    pub fn forget(&self, topic: &str, partition: i32) {
        let mut entries = self.entries();
        entries.retain(|entry| !entry.is(topic, partition));
        self.recount(&entries);
    }

    /// Those that are not closed, by their names.
    pub fn list(&self) -> Vec<BreakerView> {
        let mut views: Vec<BreakerView> = self.entries().iter().map(|entry| entry.view.clone()).collect();
        views.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        views
    }

    /// Says that what these breakers are open for is mended: all of them, those of a topic, or one. How many there are.
    pub fn resume(&self, topic: Option<&str>, partition: Option<i32>) -> usize {
        let mut entries = self.entries();
        let mut count = 0;
        for entry in entries.iter_mut() {
            let is_meant = topic.is_none_or(|topic| entry.view.topic == topic)
                && partition.is_none_or(|partition| entry.view.partition == partition);
            entry.is_resumed |= is_meant;
            count += usize::from(is_meant);
        }
        self.recount(&entries);
        count
    }

    /// Whether somebody has said so of this one. Asked often, so it costs nothing as long as nobody has said anything.
    pub fn is_resumed(&self, topic: &str, partition: i32) -> bool {
        self.resumed.load(Ordering::Acquire) > 0
            && self.entries().iter().any(|entry| entry.is_resumed && entry.is(topic, partition))
    }

    fn recount(&self, entries: &[Entry]) {
        self.resumed.store(entries.iter().filter(|entry| entry.is_resumed).count(), Ordering::Release);
    }
}

impl Entry {
    fn is(&self, topic: &str, partition: i32) -> bool {
        self.view.partition == partition && self.view.topic == topic
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_is_shown_until_it_closes_or_goes() {
        let board = Board::default();
        let view = |topic: &str, partition, state| BreakerView {
            topic: topic.to_owned(),
            partition,
            state,
            paused: true,
            code: Some("money.invalid"),
            fingerprint: Some("0123456789abcdef".to_owned()),
        };
        for (topic, partition) in [("b", 0), ("a", 1), ("a", 0)] {
            board.show(view(topic, partition, BreakerState::Open));
        }
        let names = || board.list().into_iter().map(|view| (view.topic, view.partition)).collect::<Vec<_>>();
        assert_eq!(names(), [("a".to_owned(), 0), ("a".to_owned(), 1), ("b".to_owned(), 0)]);
        assert_eq!(board.resume(Some("c"), None), 0);
        assert_eq!(board.resume(Some("a"), Some(1)), 1);
        assert!(board.is_resumed("a", 1) && !board.is_resumed("a", 0));
        // Whoever has it closes it, and what was said is done with.
        board.show(view("a", 1, BreakerState::Closed));
        board.show(view("a", 1, BreakerState::Open));
        assert!(!board.is_resumed("a", 1));
        assert_eq!((board.resume(None, None), board.resume(Some("a"), None)), (3, 2));
        board.forget("a", 0);
        board.forget("b", 0);
        assert_eq!(names(), [("a".to_owned(), 1)]);
    }
}
