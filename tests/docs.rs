//! What the docs say is what the program does.

use koine::audit::What;
use koine::config::settings;
use koine::doctor;
use koine::reject::Code;
use koine::schemas;
use koine::schemas::rules::Rule;
use koine::telemetry::catalog::{self, Kind, Metric};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect(name)
}

/// The rows of the tables that begin with a word of the program's.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let lines = text.lines().filter(|line| line.starts_with("| `"));
    lines.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

#[test]
fn every_rule_for_schemas_is_documented_with_its_reason() {
    let text = read("avro/README.md");
    let (_, table) = text.split_once("| finding |").expect("the table of findings");
    let rows = rows(table);
    let documented: Vec<&str> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    let real: Vec<&str> = Rule::ALL.iter().map(|rule| rule.as_str()).collect();
    assert_eq!(documented, real);
    for row in rows {
        assert!(row.len() == 3 && row.iter().all(|cell| !cell.is_empty()), "{row:?}");
    }
}

#[test]
fn every_error_code_is_documented_with_its_class() {
    let text = read("docs/errors.md");
    let rows = rows(&text);
    let documented: Vec<(&str, &str)> = rows.iter().map(|row| (row[0].trim_matches(['`', ' ']), row[1])).collect();
    let real: Vec<(&str, &str)> = Code::ALL.iter().map(|code| (code.as_str(), code.class().as_str())).collect();
    assert_eq!(documented, real);
    assert!(
        rows.iter().all(|row| row.len() == 4 && row.iter().all(|cell| !cell.is_empty())),
        "a cause and a cure each"
    );
}

/// The introduction is written by hand; from the table's first line on, the page is the program's.
#[test]
fn every_setting_is_documented_as_the_table_has_it() {
    ends_with_table("docs/configuration.md", "setting", &settings::markdown());
}

#[test]
fn every_finding_of_the_doctor_is_documented_as_the_table_has_it() {
    ends_with_table("docs/doctor.md", "finding", &doctor::markdown());
}

#[test]
fn every_metric_is_documented_as_the_list_has_it() {
    ends_with_table("docs/metrics.md", "metric", &catalog::markdown());
}

/// The words of a text that are names of metrics, those that a histogram is made of among them.
fn metrics_in(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_lowercase() || c == '_';
    text.split(|c: char| !is_part(c)).filter(|word| word.starts_with("koine_") && !word.ends_with('_')).collect()
}

fn is_exposed(name: &str) -> bool {
    let of = |metric: &Metric| match metric.kind {
        Kind::Histogram(_) => ["_bucket", "_sum", "_count"].map(|part| format!("{}{part}", metric.name)).to_vec(),
        Kind::Counter | Kind::Gauge => vec![metric.name.to_owned()],
    };
    catalog::METRICS.iter().flat_map(of).any(|exposed| exposed == name)
}

/// What pages, alerts and the dashboard name is what there is. That the labels are right, too, is for a running koine to show:
/// tests/e2e/test_telemetry.py.
#[test]
fn no_metric_is_named_that_does_not_exist() {
    let mut files: Vec<String> = [
        "helm/koine/alerts/koine.rules.yaml",
        "helm/koine/alerts/alerts_test.yaml",
        "helm/koine/dashboards/koine.json",
    ]
    .map(str::to_owned)
    .to_vec();
    for folder in ["docs", "docs/runbooks"] {
        for page in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).expect(folder) {
            let name = page.expect("a page").file_name().into_string().expect("a name");
            files.extend(name.ends_with(".md").then(|| format!("{folder}/{name}")));
        }
    }
    for file in files {
        let text = read(&file);
        let is_listed = |name: &str| catalog::METRICS.iter().any(|metric| metric.name == name);
        let wrong: Vec<&str> =
            metrics_in(&text).into_iter().filter(|name| !is_exposed(name) && !is_listed(name)).collect();
        assert!(wrong.is_empty(), "{file}: {wrong:?}");
    }
}

/// Every alert says how urgent it is and has its page, which says what it means, what to look at and what to do; and there is
/// no page without an alert.
#[test]
fn every_alert_has_its_runbook() {
    let rules = read("helm/koine/alerts/koine.rules.yaml");
    let tests = read("helm/koine/alerts/alerts_test.yaml");
    let mut names = BTreeSet::new();
    for rule in rules.split("- alert: ").skip(1) {
        let name = rule.lines().next().expect("a name");
        assert!(rule.contains("labels: {severity: page}") || rule.contains("labels: {severity: ticket}"), "{name}");
        assert!(
            rule.contains("summary: ") && rule.contains(&format!("runbook_url: docs/runbooks/{name}.md")),
            "{name}"
        );
        let runbook = read(&format!("docs/runbooks/{name}.md"));
        for part in [&format!("# {name}\n"), "\n## What it means\n", "\n## What to look at\n", "\n## What to do\n"] {
            assert!(runbook.contains(part), "{name}: {part}");
        }
        let cases = || tests.split("  - name: ").filter(|case| case.contains(&format!("alertname: {name}\n")));
        assert!(cases().any(|case| case.contains("exp_alerts: []")), "{name} has no case in which it stays silent");
        assert!(cases().any(|case| case.contains("- exp_labels:")), "{name} has no case in which it fires");
        names.insert(format!("{name}.md"));
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/runbooks");
    let pages = fs::read_dir(folder).expect("runbooks").map(|page| page.expect("a page").file_name().into_string());
    let pages: BTreeSet<String> = pages.map(|name| name.expect("a name")).filter(|name| name != "README.md").collect();
    assert_eq!(pages, names);
}

/// Whatever a runbook tells people to type exists, with these flags.
#[test]
fn every_command_of_a_runbook_exists() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/runbooks");
    let mut seen = 0;
    for page in fs::read_dir(folder).expect("runbooks") {
        let path = page.expect("a page").path();
        let text = fs::read_to_string(&path).expect("a page");
        for command in text.split('`').skip(1).step_by(2) {
            let Some((_, command)) =
                format!(" {command}").split_once(" koine ").map(|(a, b)| (a.to_owned(), b.to_owned()))
            else {
                continue;
            };
            let is_word = |word: &&str| !word.starts_with('-') && word.chars().all(|c| c.is_ascii_lowercase());
            let words: Vec<&str> = command.split(' ').collect();
            let depth = if ["dlq", "breaker", "schemas"].contains(&words[0]) { 2 } else { 1 };
            let mut arguments: Vec<&str> = words.iter().copied().take_while(is_word).take(depth).collect();
            arguments.push("--help");
            let help = koine(&arguments);
            for flag in words.iter().filter(|word| word.starts_with("--")) {
                assert!(help.contains(flag), "{}: `koine {command}`: no {flag}", path.display());
            }
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen} commands were found");
}

/// Holds that a page is people's words and then what the program makes.
fn ends_with_table(name: &str, first: &str, table: &str) {
    let page = read(name);
    let introduction = page.split(&format!("\n| {first} |")).next().unwrap_or_default().trim_end();
    is_todays(name, &format!("{introduction}\n\n{table}"));
}

#[test]
fn the_mapping_is_what_runs() {
    is_todays("docs/mapping.md", &koine(&["mapping"]));
}

#[test]
fn the_dictionary_is_what_the_schemas_say() {
    is_todays("docs/model.md", &schemas::dictionary());
}

#[test]
fn the_topics_are_described_as_they_are() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("asyncapi");
    koine(&["schemas", "export", "--asyncapi", "--out", &folder.to_string_lossy()]);
    let due = fs::read_to_string(folder.join("asyncapi.yaml")).expect("asyncapi.yaml");
    is_todays("docs/asyncapi.yaml", &due);
}

/// A page for each command, and none for a command that is gone.
#[test]
fn the_manual_pages_are_what_the_command_line_says() {
    let due = Path::new(env!("CARGO_TARGET_TMPDIR")).join("man");
    if due.exists() {
        fs::remove_dir_all(&due).expect("the last run's are gone");
    }
    koine(&["man", "--out", &due.to_string_lossy()]);
    let pages = |folder: &Path| {
        let entries = fs::read_dir(folder).expect("the pages");
        let names = entries.map(|entry| entry.expect("a page").file_name().into_string().expect("UTF-8"));
        names.collect::<BTreeSet<_>>()
    };
    let names = pages(&due);
    assert!(names.contains("koine.1") && names.contains("koine-dlq-redrive.1"), "{names:?}");
    for name in &names {
        is_todays(&format!("docs/man/{name}"), &fs::read_to_string(due.join(name)).expect("a page"));
    }
    assert_eq!(pages(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/man")), names);
    assert_eq!(koine(&["man"]), read("docs/man/koine.1"));
}

/// What a command prints.
fn koine(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_koine")).args(arguments).env_clear().output().expect("koine runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Holds that a page is what the program makes; with BLESS, writes it.
fn is_todays(name: &str, due: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, due).expect(name);
    } else {
        assert!(read(name) == due, "{name} is not today's; renew it: BLESS=1 cargo test --test docs");
    }
}

#[test]
fn every_finding_of_an_audit_is_documented() {
    let text = read("docs/audit.md");
    let documented: Vec<&str> = rows(&text).iter().map(|row| row[0].trim_matches(['`', ' '])).collect();
    let real: Vec<&str> = What::ALL.iter().map(|what| what.as_str()).collect();
    assert_eq!(documented, real);
    for (word, is_wrong) in What::ALL.iter().map(|what| (what.as_str(), what.is_wrong())) {
        let row = text.lines().find(|line| line.starts_with(&format!("| `{word}`"))).expect(word);
        assert_eq!(row.contains("Not wrong"), !is_wrong, "{word}");
    }
}
