//! Counts what is asked of the allocator, and finds out who asks. Does not know what is measured.

use super::stages::Measure;
use super::{Stages, WARM_UP};
use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// The system's allocator, as koine has it, with a count before it. There is one thread.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static COUNT: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);
static IS_WATCHED: AtomicBool = AtomicBool::new(false);
static ASKED: Mutex<Vec<Backtrace>> = Mutex::new(Vec::new());

#[inline(always)]
fn note(bytes: usize) {
    COUNT.fetch_add(1, Relaxed);
    BYTES.fetch_add(bytes as u64, Relaxed);
    if IS_WATCHED.load(Relaxed) {
        write_down();
    }
}

/// What this itself asks for is not watched.
#[cold]
#[inline(never)]
fn write_down() {
    IS_WATCHED.store(false, Relaxed);
    ASKED.lock().expect("one thread").push(Backtrace::force_capture());
    IS_WATCHED.store(true, Relaxed);
}

// SAFETY: all of it is the system's allocator's; nothing is done here to what it is given or gives.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: what the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: what the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    /// What grows counts as one more, of the bytes that it grows by.
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size.saturating_sub(layout.size()));
        // SAFETY: what the caller promises.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: what the caller promises.
        unsafe { System.dealloc(block, layout) }
    }
}

/// How often one record asks for memory, and for how many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allocations {
    pub count: u64,
    pub bytes: u64,
}

fn of(once: &mut impl FnMut()) -> Allocations {
    let before = (COUNT.load(Relaxed), BYTES.load(Relaxed));
    once();
    Allocations { count: COUNT.load(Relaxed) - before.0, bytes: BYTES.load(Relaxed) - before.1 }
}

/// Counts each stage, once the buffers are as large as they get.
#[derive(Default)]
pub struct Counted(pub Stages<Allocations>);

impl Measure for Counted {
    fn stage(&mut self, name: &str, mut once: impl FnMut()) {
        (0..WARM_UP).for_each(|_| once());
        let first = of(&mut once);
        for _ in 0..WARM_UP {
            assert_eq!(of(&mut once), first, "{name}: two records of the same bytes ask for different memory");
        }
        self.0.push((name.to_owned(), first));
    }
}

/// Writes down who asks in one stage.
pub struct Watched<'a> {
    pub stage: &'a str,
    /// How often, by the lines of koine that lead there, the innermost first; nothing while the stage has not come.
    pub found: Option<BTreeMap<String, usize>>,
}

impl Measure for Watched<'_> {
    fn stage(&mut self, name: &str, mut once: impl FnMut()) {
        (0..WARM_UP).for_each(|_| once());
        if name == self.stage {
            IS_WATCHED.store(true, Relaxed);
            once();
            IS_WATCHED.store(false, Relaxed);
            let found = self.found.get_or_insert_default();
            for asked in std::mem::take(&mut *ASKED.lock().expect("one thread")) {
                *found.entry(way(&asked.to_string())).or_default() += 1;
            }
        }
    }
}

/// The four innermost lines of src/ in a backtrace.
fn way(backtrace: &str) -> String {
    // The last is what image/build makes of the first.
    let roots = [env!("CARGO_MANIFEST_DIR"), ".", "/koine"].map(Path::new);
    let places = backtrace.lines().filter_map(|line| line.trim().strip_prefix("at "));
    let ours = places.filter_map(|place| {
        let inside = roots.iter().find_map(|root| Path::new(place).strip_prefix(root).ok())?;
        inside.to_str().filter(|place| place.starts_with("src/"))
    });
    ours.take(4).collect::<Vec<_>>().join(" < ")
}
