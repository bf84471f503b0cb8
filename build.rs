//! Gives the build its name: the version, and a digest of everything that decides what a webhook becomes. Two builds of
//! the same name translate alike.

use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// What decides: the mappings, the model, and the function between them.
const SOURCES: [&str; 5] = ["src/vendors", "src/canonical", "src/translate.rs", "src/reject.rs", "avro"];

fn main() {
    let mut files = Vec::new();
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
        collect(Path::new(source), &mut files);
    }
    files.sort();
    let mut digest = Sha256::new();
    for file in files {
        digest.update(file.to_string_lossy().replace('\\', "/"));
        digest.update([0]);
        digest.update(std::fs::read(&file).unwrap_or_default());
        digest.update([0]);
    }
    let digest: String = digest.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    println!("cargo::rustc-env=KOINE_BUILD={}+{digest}", std::env::var("CARGO_PKG_VERSION").unwrap_or_default());
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    match std::fs::read_dir(path) {
        Ok(entries) => entries.flatten().for_each(|entry| collect(&entry.path(), files)),
        Err(_) if path.is_file() => files.push(path.to_owned()),
        Err(_) => {}
    }
}
