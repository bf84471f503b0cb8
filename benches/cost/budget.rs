//! What is written down in benches/budget.json, and whether what was counted is still that. Does not know how it was counted.

use super::{Counted, Row};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// In percent, more and less: what became cheaper is to be written down too, or the next change could spend it unseen.
const SLACK: u64 = 3;

pub fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/budget.json")
}

/// A line a row, so that a change of the budget can be read.
pub fn written(counted: &Counted) -> String {
    let mut text =
        format!("{{\n  \"rustc\": {},\n  \"processor\": {},\n", json!(counted.rustc), json!(counted.processor));
    let bodies: Vec<_> =
        counted.bodies.iter().map(|(vendor, body)| format!("    {}: {}", json!(vendor), json!(body))).collect();
    let _ = write!(text, "  \"bodies\": {{\n{}\n  }},\n  \"one record\": {{\n", bodies.join(",\n"));
    let rows: Vec<_> = counted.rows.iter().map(line).collect();
    let _ = write!(text, "{}\n  }}\n}}\n", rows.join(",\n"));
    text
}

fn line(row: &Row) -> String {
    let parts: Vec<_> = held(row).iter().map(|(name, value, _)| format!("{}: {value}", json!(name))).collect();
    format!("    {}: {{{}}}", json!(row.name), parts.join(", "))
}

/// What of a row is held to the budget, and with what slack in percent.
fn held(row: &Row) -> [(&'static str, u64, u64); 4] {
    [
        ("instructions", row.instructions.own, SLACK),
        ("sha256", row.instructions.sha256, SLACK),
        ("allocations", row.allocations.count, 0),
        ("bytes", row.allocations.bytes, 0),
    ]
}

pub fn read() -> Result<Value, String> {
    let text = fs::read_to_string(path()).map_err(|error| format!("{}: {error}", path().display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path().display()))
}

/// What differs without being koine's doing.
pub fn circumstances(budget: &Value, counted: &Counted) -> Vec<String> {
    let differs = |key: &str, now: &str, what: &str| {
        let then = budget[key].as_str().unwrap_or("nothing");
        (then != now).then(|| format!("the budget was made with {what} {then}, and this is {now}"))
    };
    differs("rustc", &counted.rustc, "the compiler")
        .into_iter()
        .chain(differs("processor", &counted.processor, "a processor that valgrind shows as"))
        .collect()
}

/// Whether these instructions can be compared at all: another architecture has others.
pub fn is_of_this_architecture(budget: &Value) -> bool {
    budget["processor"].as_str().and_then(|processor| processor.split(' ').next()) == Some(env::consts::ARCH)
}

/// In what the counts are not those of the budget.
pub fn differences(budget: &Value, counted: &Counted) -> Vec<String> {
    let mut found = Vec::new();
    for (vendor, body) in &counted.bodies {
        if budget["bodies"][vendor] != **body {
            found.push(format!("{vendor}: the largest body is {body}; the budget is for {}", budget["bodies"][vendor]));
        }
    }
    for row in &counted.rows {
        let budgeted = &budget["one record"][&row.name];
        for (what, now, slack) in held(row) {
            // What has no slack is not a matter of instructions.
            let is_comparable = slack == 0 || is_of_this_architecture(budget);
            match budgeted[what].as_u64() {
                Some(then) if is_comparable && now.abs_diff(then) * 100 > then * slack => {
                    let much = if then > 0 { percent(now, then) } else { String::new() };
                    found.push(format!("{}: {what}: {now}; the budget is {then}{much}", row.name));
                }
                Some(_) => {}
                None => found.push(format!("{}: {what}: {now}; not in the budget", row.name)),
            }
        }
    }
    let rows = budget["one record"].as_object().into_iter().flatten();
    let gone = rows.filter(|(name, _)| !counted.rows.iter().any(|row| row.name == **name));
    found.extend(gone.map(|(name, _)| format!("{name}: in the budget, and not measured")));
    found
}

fn percent(now: u64, then: u64) -> String {
    format!(", this is {:+.1} %", (now as f64 / then as f64 - 1.0) * 100.0)
}
