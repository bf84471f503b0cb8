//! Gives the build its name: the version, and a digest of everything that decides what a webhook becomes. Two builds of
//! the same name translate alike. And puts the vendors' sample bodies into the program, for `koine demo` and `koine mapping`.

use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// What decides: the mappings, the model, and the function between them.
const SOURCES: [&str; 7] =
    ["src/vendors", "src/canonical", "src/translate.rs", "src/translate", "src/pointer.rs", "src/reject.rs", "avro"];

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
    // What else image/profile/rustc-with-profile tells the compiler, of which cargo knows nothing.
    println!("cargo::rerun-if-changed=image/profile/koine.profdata");
    println!("cargo::rerun-if-env-changed=KOINE_PROFILE_INTO");
    samples();
}

/// Where the samples lie, a folder a vendor.
const BODIES: &str = "tests/fixtures/bodies";

/// Writes `samples.rs`: vendor, name and bytes of every body.
fn samples() {
    println!("cargo::rerun-if-changed={BODIES}");
    let mut files = Vec::new();
    collect(Path::new(BODIES), &mut files);
    files.sort();
    let root = std::env::var("CARGO_MANIFEST_DIR").expect("cargo names the package's folder");
    let lines: String = files
        .iter()
        .map(|file| {
            let part = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
            let vendor = part(file.parent().and_then(Path::file_name));
            let name = part(file.file_stem());
            let path = Path::new(&root).join(file);
            format!("    Sample {{ vendor: {vendor:?}, name: {name:?}, body: include_bytes!({path:?}) }},\n")
        })
        .collect();
    let out = PathBuf::from(std::env::var("OUT_DIR").expect("cargo names a folder for the build"));
    std::fs::write(out.join("samples.rs"), format!("&[\n{lines}]\n")).expect("the build's folder can be written");
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    match std::fs::read_dir(path) {
        Ok(entries) => entries.flatten().for_each(|entry| collect(&entry.path(), files)),
        Err(_) if path.is_file() => files.push(path.to_owned()),
        Err(_) => {}
    }
}
