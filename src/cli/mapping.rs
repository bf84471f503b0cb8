//! `koine mapping`: where each leaf of each vendor's webhooks goes, made from what runs; and, with `--drift`, in what the
//! webhooks that a running `koine run` has seen are not as their vendors' pages say.

use super::Failure;
use super::own_port::{Which, parse};
use crate::canonical::Micros;
use crate::lineage;
use crate::vendors::{VENDORS, vendor};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{self, Write};

#[derive(clap::Args)]
pub struct Arguments {
    /// Only this vendor's: bspk, spree, composer, bold
    #[arg(value_name = "VENDOR")]
    vendor: Option<String>,
    /// md: a page for people; json: the same as data
    #[arg(long, default_value = "md")]
    format: Format,
    /// Where webhooks that the `koine run` on this machine has seen are not as their vendor's page says, most often first
    #[arg(long)]
    drift: bool,
    #[command(flatten)]
    which: Which,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    Md,
    Json,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    if arguments.drift {
        return drift(&arguments);
    }
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
    print(&text)
}

fn print(text: &str) -> Result<(), Failure> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads us has enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done.map_err(|error| Failure::Internal(format!("cannot write: {error}"))),
    }
}

/// What the page `/drift` lists, of one vendor or of all.
fn drift(arguments: &Arguments) -> Result<(), Failure> {
    let mut seen: Value = parse(&arguments.which.ask("GET", "/drift")?)?;
    if let (Some(vendor), Some(places)) = (&arguments.vendor, seen["seen"].as_array_mut()) {
        places.retain(|place| place["vendor"] == vendor.as_str());
    }
    if let Format::Json = arguments.format {
        return print(&format!("{seen}\n"));
    }
    let mut text =
        "| vendor | event type | kind | path | webhooks | first | last |\n|---|---|---|---|---|---|---|\n".to_owned();
    for place in seen["seen"].as_array().into_iter().flatten() {
        let word = |name: &str| place[name].as_str().unwrap_or_default().to_owned();
        let time = |name: &str| {
            let time = place[name].as_i64().and_then(Micros::from_millis);
            time.map(|time| time.to_string()).unwrap_or_default()
        };
        let (webhooks, path) = (place["webhooks"].as_u64().unwrap_or_default(), word("path"));
        let path = if path.is_empty() { path } else { format!("`{path}`") };
        let [vendor, event_type, kind] = ["vendor", "event_type", "kind"].map(word);
        let (first, last) = (time("first_ms"), time("last_ms"));
        let _ = writeln!(text, "| {vendor} | {event_type} | {kind} | {path} | {webhooks} | {first} | {last} |");
    }
    print(&text)
}
