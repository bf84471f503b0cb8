//! `koine mapping`: where each leaf of each vendor's webhooks goes, made from what runs.

use super::Failure;
use crate::lineage;
use crate::vendors::{VENDORS, vendor};
use std::io::{self, Write};

#[derive(clap::Args)]
pub struct Arguments {
    /// Only this vendor's: bspk, spree, composer, bold
    #[arg(value_name = "VENDOR")]
    vendor: Option<String>,
    /// md: a page for people; json: the same as data
    #[arg(long, default_value = "md")]
    format: Format,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    Md,
    Json,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let mappings = match arguments.vendor.as_deref() {
        None => lineage::mappings(),
        Some(name) => vec![lineage::mapping(vendor(name).ok_or_else(|| {
            let names = VENDORS.map(|vendor| vendor.name).join(", ");
            Failure::Usage(format!("{name}: there are {names}"))
        })?)],
    };
    let text = match arguments.format {
        Format::Md => lineage::page(&mappings),
        Format::Json => {
            let json = serde_json::to_string_pretty(&mappings);
            json.map_err(|error| Failure::Internal(error.to_string()))? + "\n"
        }
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads us has enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done.map_err(|error| Failure::Internal(format!("cannot write: {error}"))),
    }
}
