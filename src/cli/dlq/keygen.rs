//! `koine dlq keygen`: a pair of keys for sealed dead letters.

use super::write_private;
use crate::cli::Failure;
use crate::seal::PrivateKey;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    /// Where the private key goes; a file that is there already is never written over
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// The private key goes into the file, the public one to standard output.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let key = PrivateKey::generate();
    write_private(&arguments.out, &format!("{}\n", key.expose()), true)
        .map_err(|error| Failure::Usage(format!("{}: {error}", arguments.out.display())))?;
    println!("{}", key.public());
    eprintln!("set it as dlq.seal.public_key; {} opens what it seals, and nothing else does", arguments.out.display());
    Ok(())
}
