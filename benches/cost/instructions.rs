//! Counts instructions: has this very program run by valgrind's callgrind, which writes down what was executed from one mark
//! to the next. Does not know what the counts ought to be.

use super::stages::{Measure, each_stage, largest};
use super::{Stages, WARM_UP};
use koine::vendors::VENDORS;
use std::collections::HashMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// What makes of this program the one that is counted.
pub const COUNTED: &str = "be-counted";

/// How many records are counted together, and how often: what was warm the first time is no warmer the second.
const RECORDS: u64 = 100;
const WINDOWS: usize = 2;

/// What one record takes.
#[derive(Debug, Clone, Copy)]
pub struct Instructions {
    /// In the program's own code: koine, the outside crates and Rust's library, but for the next.
    pub own: u64,
    /// In the rounds of SHA-256. Where the processor has instructions for them, which valgrind's has not, they are few.
    pub sha256: u64,
    /// In the C library: memory that is copied, compared, asked for and given back.
    pub libc: u64,
}

pub struct Count {
    /// What the program took the processor for.
    pub processor: String,
    /// Of all vendors, by the names of [`super::row`].
    pub stages: Stages<Instructions>,
}

/// Callgrind begins a new file whenever this is called. Its name is as it stands here, because versions of valgrind differ in
/// how they show names of Rust.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn koine_cost_mark(nth: u64) {
    black_box(nth);
}

struct Marking(Vec<String>);

impl Measure for Marking {
    fn stage(&mut self, name: &str, mut once: impl FnMut()) {
        repeat(WARM_UP as u64, &mut once);
        for window in 0..WINDOWS as u64 {
            koine_cost_mark(window);
            repeat(RECORDS, &mut once);
        }
        koine_cost_mark(WINDOWS as u64);
        self.0.push(name.to_owned());
    }
}

/// Never inlined: the compiler would write each window's loop in its own way.
#[inline(never)]
fn repeat(times: u64, once: &mut dyn FnMut()) {
    (0..times).for_each(|_| once());
}

/// The program that is counted. It prints what it takes the processor for, and each row in the order of the marks.
pub fn be_counted() {
    println!("{}", processor());
    for vendor in VENDORS {
        let mut marking = Marking(Vec::new());
        each_stage(vendor, &largest(vendor).bytes, &mut marking);
        marking.0.iter().for_each(|stage| println!("{}", super::row(vendor.name, stage)));
    }
}

/// What of the processor decides which way code takes that asks for it: simdutf8's, memchr's, sha2's.
fn processor() -> String {
    let mut has = env::consts::ARCH.to_owned();
    #[cfg(target_arch = "x86_64")]
    for (name, is_there) in [
        ("ssse3", is_x86_feature_detected!("ssse3")),
        ("sse4.1", is_x86_feature_detected!("sse4.1")),
        ("sse4.2", is_x86_feature_detected!("sse4.2")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("sha", is_x86_feature_detected!("sha")),
    ] {
        has += &if is_there { format!(" {name}") } else { String::new() };
    }
    has
}

/// Counts all stages of all vendors. What callgrind writes stays in `folder`, two files a row, for callgrind_annotate.
pub fn count(folder: &Path) -> Result<Count, String> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let files = folder.join("out");
    // Without an environment, so that what stands there moves nothing.
    let run = Command::new("valgrind")
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .args(["--tool=callgrind", "--quiet", "--vgdb=no", "--dump-before=koine_cost_mark"])
        .arg(format!("--callgrind-out-file={}", files.display()))
        .arg(&program)
        .arg(COUNTED)
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    if !run.status.success() {
        return Err(format!("valgrind: {}\n{}", run.status, String::from_utf8_lossy(&run.stderr)));
    }
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    let mut lines = said.lines();
    let processor = lines.next().unwrap_or_default().to_owned();
    let mut stages = Stages::new();
    for (nth, row) in lines.enumerate() {
        let mut windows = Vec::new();
        for window in 1..=WINDOWS {
            // The first file of a stage is what came before it.
            let file = folder.join(format!("out.{}", nth * (1 + WINDOWS) + 1 + window));
            windows.push(read(&file, &program)?);
            fs::rename(&file, of_row(folder, row, window)).map_err(|error| format!("{}: {error}", file.display()))?;
        }
        stages.push((row.to_owned(), per_record(row, &windows)?));
    }
    Ok(Count { processor, stages })
}

/// What callgrind wrote of a row.
fn of_row(folder: &Path, row: &str, window: usize) -> PathBuf {
    folder.join(format!("{}.{window}", row.replace(['/', ' '], "-")))
}

fn per_record(row: &str, windows: &[Instructions]) -> Result<Instructions, String> {
    let own = || windows.iter().map(|window| window.own);
    let (least, most) = (own().min().unwrap_or(0), own().max().unwrap_or(0));
    if least == 0 || (most - least) * 1000 > most {
        return Err(format!("{row}: {most} and {least} instructions for {RECORDS} records each: it is not steady"));
    }
    let records = RECORDS * windows.len() as u64;
    let of = |part: fn(&Instructions) -> u64| (windows.iter().map(part).sum::<u64>() + records / 2) / records;
    Ok(Instructions { own: of(|it| it.own), sha256: of(|it| it.sha256), libc: of(|it| it.libc) })
}

/// What one file of callgrind's tells (its manual, "Callgrind Format Specification").
fn read(file: &Path, program: &Path) -> Result<Instructions, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let (mut objects, mut functions) = (Names::default(), Names::default());
    let (mut is_own, mut is_sha256, mut is_callees) = (false, false, false);
    let mut found = Instructions { own: 0, sha256: 0, libc: 0 };
    let mut total = 0;
    for line in text.lines() {
        if let Some(object) = line.strip_prefix("ob=") {
            is_own = Path::new(objects.full(object)) == program;
        } else if let Some(function) = line.strip_prefix("fn=") {
            let function = functions.full(function);
            is_sha256 = function.contains("sha2") && function.contains("compress256");
        } else if let Some(object) = line.strip_prefix("cob=") {
            objects.full(object);
        } else if let Some(function) = line.strip_prefix("cfn=") {
            functions.full(function);
        } else if line.starts_with("calls=") {
            is_callees = true;
        } else if let Some(sum) = line.strip_prefix("summary: ") {
            total = sum.trim().parse().unwrap_or(0);
        } else if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c))
            && !std::mem::take(&mut is_callees)
        {
            let cost: u64 = line.split(' ').nth(1).and_then(|cost| cost.parse().ok()).unwrap_or(0);
            *match (is_own, is_sha256) {
                (true, false) => &mut found.own,
                (true, true) => &mut found.sha256,
                (false, _) => &mut found.libc,
            } += cost;
        }
    }
    match found.own + found.sha256 + found.libc == total {
        true => Ok(found),
        false => Err(format!("{}: {found:?} are not {total} instructions", file.display())),
    }
}

/// The names in a file: `(3) name` the first time, `(3)` from then on.
#[derive(Default)]
struct Names(HashMap<String, String>);

impl Names {
    fn full(&mut self, text: &str) -> &str {
        let (number, name) = text.split_once(' ').unwrap_or((text, ""));
        let known = self.0.entry(number.to_owned()).or_default();
        if !name.is_empty() {
            *known = name.to_owned();
        }
        known
    }
}
