//! Who may know whom. The table of the design, held: a file that names what its place must never know fails here, and so
//! does an outside crate that turns up away from its home.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A place, and what must not be named there. A place is a file below `src`, or a folder and the file of its name.
const MUST_NOT_KNOW: &[(&str, &[&str])] = &[
    (
        "canonical",
        &[
            "crate::vendors",
            "crate::codec",
            "crate::schemas",
            "crate::kafka",
            "crate::translate",
            "serde_json",
            "apache_avro",
            "rdkafka",
        ],
    ),
    (
        "vendors",
        &[
            "crate::kafka",
            "crate::codec",
            "crate::schemas",
            "crate::telemetry",
            "crate::pipeline",
            "crate::translate",
            "tokio",
            "apache_avro",
            "rdkafka",
            "prometheus",
            "SystemTime",
            "Instant",
            "Utc::now",
            "Timestamp::now",
        ],
    ),
    (
        "vendors/bspk",
        &["super::spree", "vendors::spree", "super::composer", "vendors::composer", "super::bold", "vendors::bold"],
    ),
    (
        "vendors/spree",
        &["super::bspk", "vendors::bspk", "super::composer", "vendors::composer", "super::bold", "vendors::bold"],
    ),
    (
        "vendors/composer",
        &["super::bspk", "vendors::bspk", "super::spree", "vendors::spree", "super::bold", "vendors::bold"],
    ),
    (
        "vendors/bold",
        &["super::bspk", "vendors::bspk", "super::spree", "vendors::spree", "super::composer", "vendors::composer"],
    ),
    (
        "vendors/cursor",
        &["vendors::spree", "vendors::bspk", "vendors::composer", "vendors::bold", "super::super::", "Envelope"],
    ),
    (
        "translate",
        &[
            "crate::kafka",
            "crate::codec",
            "crate::registry",
            "crate::telemetry",
            "crate::config",
            "vendors::spree",
            "vendors::bspk",
            "vendors::composer",
            "vendors::bold",
            "serde_json",
            "apache_avro",
            "rdkafka",
            "tokio",
            "SystemTime",
            "Instant",
            "Timestamp::now",
        ],
    ),
    ("pointer.rs", &["crate", "serde_json"]),
    ("reject.rs", &["crate::vendors", "crate::kafka", "crate::codec", "serde_json"]),
    (
        "lineage",
        &[
            "crate::cli",
            "crate::config",
            "crate::kafka",
            "crate::pipeline",
            "crate::registry",
            "crate::telemetry",
            "vendors::spree",
            "vendors::bspk",
            "vendors::composer",
            "vendors::bold",
            "apache_avro",
            "rdkafka",
            "tokio",
            "std::fs",
            "SystemTime",
            "Instant",
            "Timestamp::now",
        ],
    ),
    ("samples.rs", &["crate", "serde_json"]),
    ("codec", &["crate::vendors", "crate::kafka", "crate::registry", "crate::translate", "rdkafka"]),
    ("schemas", &["crate::vendors", "crate::kafka", "crate::registry", "crate::translate", "rdkafka"]),
    ("https.rs", &["crate::registry", "crate::kafka", "crate::oauth"]),
    ("oauth.rs", &["crate::registry", "crate::kafka", "rdkafka"]),
    ("seal.rs", &["crate", "rdkafka", "serde_json"]),
    ("registry", &["crate::vendors", "crate::kafka", "crate::translate", "rdkafka"]),
    (
        "pipeline",
        &[
            "serde_json",
            "rdkafka",
            "vendors::spree",
            "vendors::bspk",
            "vendors::composer",
            "vendors::bold",
            "vendors::cursor",
        ],
    ),
    (
        "audit",
        &[
            "serde_json",
            "rdkafka",
            "crate::cli",
            "crate::config",
            "crate::registry",
            "vendors::spree",
            "vendors::bspk",
            "vendors::composer",
            "vendors::bold",
            "vendors::cursor",
        ],
    ),
    ("doctor", &["serde_json", "rdkafka", "crate::cli", "crate::config", "crate::registry", "crate::vendors"]),
    ("kafka", &["serde_json", "apache_avro", "crate::vendors", "crate::codec", "crate::canonical"]),
    ("telemetry", &["RawRecord", "crate::kafka", "rdkafka"]),
    ("config", &["crate::vendors", "crate::kafka", "rdkafka"]),
];

/// Where an outside crate is at home. `serde`'s derives are everywhere; what is not listed may be used nowhere.
const HOMES: &[(&str, &[&str])] = &[
    ("apache_avro", &["schemas.rs", "schemas", "codec.rs", "codec"]),
    ("axum", &["http.rs", "registry", "registry.rs", "cli/demo.rs", "cli/demo"]),
    ("base64", &["translate", "seal.rs", "cli/capsule.rs", "cli/dlq"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli/manual.rs"]),
    ("clap_mangen", &["cli/manual.rs"]),
    ("hmac", &["canonical/privacy.rs"]),
    ("hpke", &["seal.rs"]),
    ("jiff", &["canonical/time.rs", "vendors/cursor", "translate.rs", "config.rs", "config"]),
    ("memchr", &["translate.rs", "vendors/cursor"]),
    ("openssl", &["cli/run/certificates.rs"]),
    ("prometheus", &["telemetry.rs", "telemetry"]),
    ("rdkafka", &["kafka", "cli/demo.rs", "cli/demo"]),
    ("regex_automata", &["config.rs", "config"]),
    ("reqwest", &["https.rs", "oauth.rs", "registry.rs", "registry"]),
    ("schema_registry_converter", &["registry.rs", "registry", "cli/demo.rs", "cli/demo"]),
    (
        "serde_json",
        &[
            "schemas.rs",
            "schemas",
            "registry.rs",
            "registry",
            "oauth.rs",
            "config.rs",
            "config",
            "http.rs",
            "cli",
            "lineage",
            "telemetry.rs",
            "telemetry",
        ],
    ),
    ("sha1", &["translate.rs"]),
    (
        "sha2",
        &["translate.rs", "codec", "pipeline", "audit", "registry.rs", "registry", "canonical/privacy.rs", "seal.rs"],
    ),
    ("simdutf8", &["vendors/cursor"]),
    ("strsim", &["config.rs", "config"]),
    ("saphyr_parser", &["config.rs", "config"]),
    ("tokio", &["http.rs", "oauth.rs", "registry.rs", "registry", "service.rs", "cli"]),
    ("tracing_subscriber", &["telemetry.rs", "telemetry"]),
    ("uuid", &["canonical/meta.rs", "translate.rs"]),
    ("wide", &["vendors/cursor"]),
];

/// On the way of an amount, from the body to the record, nothing is ever a binary float.
const MONEY_PATH: &[&str] = &["canonical", "vendors", "translate.rs", "translate", "codec.rs", "codec"];

fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, out: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("folder") {
            let path = entry.expect("entry").path();
            if path.is_dir() { walk(&path, out) } else { out.push(path) }
        }
    }
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&src, &mut files);
    files.sort();
    let name = |file: &PathBuf| file.strip_prefix(&src).expect("below src").to_string_lossy().replace('\\', "/");
    files.iter().map(|file| (name(file), fs::read_to_string(file).expect("source"))).collect()
}

fn is_in(file: &str, place: &str) -> bool {
    file == place || file.strip_prefix(place).is_some_and(|rest| rest.starts_with('/'))
}

/// The lines that are the program's: no comments, no tests.
fn code(file: &str, text: &str) -> Vec<(usize, String)> {
    if file.ends_with("tests.rs") || file.ends_with("testing.rs") || file == "filler.rs" {
        return Vec::new();
    }
    let before_tests = text.find("\n#[cfg(test)]\nmod ").map_or(text, |at| &text[..at]);
    let without_comment = |line: &str| line.split("//").next().unwrap_or_default().to_owned();
    before_tests.lines().enumerate().map(|(nth, line)| (nth + 1, without_comment(line))).collect()
}

/// Whether a line names something as a whole word.
fn names(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

#[test]
fn no_place_knows_what_it_must_not() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let is_of = |place: &str| is_in(&file, place) || file.strip_suffix(".rs") == Some(place);
        for (place, forbidden) in MUST_NOT_KNOW.iter().filter(|(place, _)| is_of(place)) {
            for (number, line) in code(&file, &text) {
                for word in forbidden.iter().filter(|word| names(&line, word)) {
                    wrong.push(format!("src/{file}:{number}: {place} must not know {word}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_outside_crate_has_its_home() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).expect("manifest");
    let dependencies =
        manifest.split("[dependencies]").nth(1).and_then(|rest| rest.split("\n[").next()).expect("dependencies");
    let declared: BTreeSet<String> = dependencies
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name.trim().replace('-', "_"))
        .collect();
    let homeless: Vec<&String> = declared
        .iter()
        .filter(|name| !["serde", "tracing"].contains(&name.as_str()) && !HOMES.iter().any(|(home, _)| home == name))
        .collect();
    assert!(homeless.is_empty(), "no home is named for {homeless:?}");
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for (file, text) in sources() {
        for (number, line) in code(&file, &text) {
            for (name, homes) in
                HOMES.iter().filter(|(name, _)| line.contains(&format!("{name}::")) && names(&line, name))
            {
                used.insert(*name);
                if !homes.iter().any(|home| is_in(&file, home)) {
                    wrong.push(format!("src/{file}:{number}: {name} is at home in {}", homes.join(", ")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let unused: Vec<_> = HOMES.iter().filter(|(name, _)| declared.contains(*name) && !used.contains(name)).collect();
    assert!(unused.is_empty(), "declared, and used nowhere: {unused:?}");
}

#[test]
fn no_binary_float_is_on_the_way_of_money() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (file, text) in sources() {
        if MONEY_PATH.iter().any(|place| is_in(&file, place)) {
            seen += 1;
            for (number, line) in code(&file, &text) {
                // The encoder names f32 and f64 to refuse them.
                let refuses = line.contains("serialize_f32(f32)") || line.contains("serialize_f64(f64)");
                if (names(&line, "f32") || names(&line, "f64")) && !refuses {
                    wrong.push(format!("src/{file}:{number}: {}", line.trim()));
                }
            }
        }
    }
    assert!(seen > 10, "the money path was not found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Unsafe code has one file, and each piece of it a proof.
#[test]
fn unsafe_code_has_one_home_and_a_proof() {
    let mut found = 0;
    for (file, text) in sources() {
        let lines: Vec<&str> = text.lines().collect();
        for (nth, line) in lines
            .iter()
            .enumerate()
            .filter(|(_, line)| line.split("//").next().is_some_and(|code| names(code, "unsafe")))
        {
            assert_eq!(file, "kafka/native.rs", "src/{file}:{}: {line}", nth + 1);
            let above = lines[..nth].iter().rev().take_while(|line| !line.trim().is_empty() && !line.contains('}'));
            assert!(above.clone().any(|line| line.contains("// SAFETY:")), "src/{file}:{}: no proof", nth + 1);
            found += 1;
        }
    }
    assert!(found > 0, "the home of unsafe code was not found");
}

#[test]
fn every_file_says_first_what_it_is() {
    for (file, text) in sources() {
        let comment = if file.ends_with(".rs") { "//! " } else { "# " };
        assert!(text.starts_with(comment), "src/{file} begins without saying what it is");
    }
}

/// Where other people's data passes, nothing may panic.
#[test]
fn nothing_panics_on_data() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        if [
            "vendors",
            "pipeline",
            "audit",
            "audit.rs",
            "kafka",
            "translate.rs",
            "translate",
            "pointer.rs",
            "codec.rs",
            "codec",
            "canonical",
        ]
        .iter()
        .any(|place| is_in(&file, place))
        {
            for (number, line) in code(&file, &text) {
                if [".unwrap()", ".expect(", "panic!(", "unreachable!(", "todo!(", "unimplemented!("]
                    .iter()
                    .any(|word| line.contains(word))
                {
                    wrong.push(format!("src/{file}:{number}: {}", line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
