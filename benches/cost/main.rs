//! What a record costs, counted and not timed: the instructions and the allocations of each stage of each vendor's largest
//! body, held to benches/budget.json. How fast the machine is, and how busy, does not matter, so that CI can say no.
//!
//!     cargo bench --bench cost                          counts, and fails where it is not what the budget says
//!     BLESS=1 cargo bench --bench cost                  writes down what was counted; the commit says why
//!     cargo bench --bench cost -- where spree map       the lines of src/ that ask for memory, for one record
//!
//! **Instructions** are counted by valgrind's callgrind, in the program's own code: 200 records, after some that warm it up. 3 %
//! more or less than the budget is a failure. Those of SHA-256's rounds stand apart and are held by themselves: valgrind's
//! processor has no instructions for them and takes 3,400 a block of 64 bytes, which most real ones do not, and beside which a
//! change of anything else would not be seen. What the C library executes (memory that is copied, compared, asked for and given
//! back) is shown and not held: it is another with each distribution, and chooses its routines by the processor.
//!
//! **Allocations** are counted exactly, and so are the bytes that are asked for, once the buffers have grown to what the body
//! needs. Where they come from is told by `where`.
//!
//! If it is not the same for each record, after the warm-up, that is a failure of its own.
//!
//! What could make the counts move without a change of koine:
//! * Another compiler: the budget names the one that it was made with, and a failure says when this is another.
//! * Another processor: simdutf8, memchr and sha2 ask for its features. Valgrind answers for it, and shows every processor that has
//!   AVX2 as the same one, without AVX-512 and without SHA instructions, which a real one may have. What it showed is in the
//!   budget too, and a failure says when it is another. Another architecture has other instructions: there they are counted
//!   and not compared.
//! * Where things lie: memchr goes by the addresses of what it searches. Under valgrind they are the same in each run of one
//!   program.
//! * Keys of hash tables, random in each process: a dozen runs differed by 0.06 % in what Spree has left over.
//! * The release build: this is `cargo bench`, whose profile is the release's. The counting of allocations is in it too, a
//!   handful of instructions each.

mod allocations;
mod budget;
mod instructions;
#[path = "../stages/mod.rs"]
mod stages;

use allocations::{Allocations, Watched};
use instructions::{COUNTED, Instructions};
use koine::vendors::VENDORS;
use stages::{each_stage, largest};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::{env, fs};

/// How many records come before what is counted: buffers have grown, guesses are right, features were asked for.
const WARM_UP: usize = 20;

/// What was measured of each stage, in their order.
type Stages<T> = Vec<(String, T)>;

/// All that was counted.
struct Counted {
    rustc: String,
    processor: String,
    /// Each vendor's body.
    bodies: Vec<(&'static str, String)>,
    rows: Vec<Row>,
}

struct Row {
    name: String,
    instructions: Instructions,
    allocations: Allocations,
}

/// The name of a vendor's stage, here and in the bench that takes the time.
fn row(vendor: &str, stage: &str) -> String {
    format!("{vendor}/{stage}")
}

fn main() -> ExitCode {
    // Cargo says --bench.
    let asked: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let done = match asked.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => hold(),
        [COUNTED] => {
            instructions::be_counted();
            Ok(())
        }
        ["where", vendor, stage] => tell_where(vendor, stage),
        _ => Err("asked for nothing, or for: where VENDOR STAGE".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// Counts, and compares or writes down.
fn hold() -> Result<(), String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cost");
    let counted = count(&folder)?;
    show(&counted);
    if env::var_os("BLESS").is_some_and(|value| !value.is_empty()) {
        if budget::read().is_ok_and(|budget| !budget::is_of_this_architecture(&budget)) {
            return Err("the budget is another architecture's: it would be held to this one's instructions".to_owned());
        }
        return fs::write(budget::path(), budget::written(&counted)).map_err(|error| error.to_string());
    }
    let budget = budget::read()?;
    let circumstances = budget::circumstances(&budget, &counted);
    circumstances.iter().for_each(|difference| println!("NOTE: {difference}"));
    if !budget::is_of_this_architecture(&budget) {
        println!("NOTE: there is no budget for this architecture; allocations were compared, instructions were not");
    }
    let differences = budget::differences(&budget, &counted);
    if differences.is_empty() {
        return Ok(());
    }
    let mut why = format!("\nnot what benches/budget.json says:\n  {}\n", differences.join("\n  "));
    if !circumstances.is_empty() {
        why += &format!("it need not be koine's doing:\n  {}\n", circumstances.join("\n  "));
    }
    why += &format!(
        "Instructions by function: callgrind_annotate --auto=no --threshold=100 {}/VENDOR-STAGE.1\n\
         Allocations by line: cargo bench --bench cost -- where VENDOR STAGE\n\
         If it is meant: BLESS=1 cargo bench --bench cost, in a commit that says why.",
        folder.display()
    );
    Err(why)
}

fn count(folder: &Path) -> Result<Counted, String> {
    let rustc = Command::new("rustc").arg("--version").output().map_err(|error| format!("rustc: {error}"))?;
    let instructions::Count { processor, stages } = instructions::count(folder)?;
    let (mut bodies, mut asked) = (Vec::new(), Stages::new());
    for vendor in VENDORS {
        let body = largest(vendor);
        let mut counted = allocations::Counted::default();
        each_stage(vendor, &body.bytes, &mut counted);
        asked.extend(counted.0.into_iter().map(|(stage, allocations)| (row(vendor.name, &stage), allocations)));
        bodies.push((vendor.name, format!("{}, {} bytes", body.file, body.bytes.len())));
    }
    let names = |stages: &mut dyn Iterator<Item = &String>| stages.cloned().collect::<Vec<_>>();
    if names(&mut stages.iter().map(|(name, _)| name)) != names(&mut asked.iter().map(|(name, _)| name)) {
        return Err("the program that was counted has other stages than this one".to_owned());
    }
    let rows = stages.into_iter().zip(asked);
    let rows = rows.map(|((name, instructions), (_, allocations))| Row { name, instructions, allocations });
    Ok(Counted {
        rustc: String::from_utf8_lossy(&rustc.stdout).trim().to_owned(),
        processor,
        bodies,
        rows: rows.collect(),
    })
}

fn show(counted: &Counted) {
    println!("{}; {}", counted.rustc, counted.processor);
    counted.bodies.iter().for_each(|(vendor, body)| println!("{vendor}: {body}"));
    println!(
        "{:<20} {:>12} {:>10} {:>10} {:>12} {:>10}",
        "one record", "instructions", "in SHA-256", "in libc", "allocations", "bytes"
    );
    for Row { name, instructions, allocations } in &counted.rows {
        let Instructions { own, sha256, libc } = instructions;
        let Allocations { count, bytes } = allocations;
        println!("{name:<20} {own:>12} {sha256:>10} {libc:>10} {count:>12} {bytes:>10}");
    }
}

/// Who asks for memory in one stage of one vendor.
fn tell_where(vendor: &str, stage: &str) -> Result<(), String> {
    let vendor = VENDORS.into_iter().find(|it| it.name == vendor).ok_or("no such vendor")?;
    let mut watched = Watched { stage, found: None };
    each_stage(vendor, &largest(vendor).bytes, &mut watched);
    watched.found.ok_or("no such stage")?.iter().for_each(|(way, count)| println!("{count:>4} {way}"));
    Ok(())
}
