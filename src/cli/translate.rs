//! `koine translate`: files in, one JSON line per outcome out, or an Avro container file per entity. No Kafka.

use super::{Failure, capsule};
use crate::canonical::{EntityKind, Event, Micros};
use crate::codec::ContainerFile;
use crate::pointer::Pointer;
use crate::translate::{Header, Outcome, RawRecord, SourceSettings, Translator};
use crate::vendors::vendor;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// A FILE is JSON Lines if its first line is a whole JSON value, else one document; none or `-` is standard input, JSON
/// Lines. A place in a file stands in for a place in a topic: `meta.source` has the topic `translate`, the file's number
/// as partition and the line's as offset, both from 0.
#[derive(clap::Args)]
pub struct Arguments {
    /// Webhooks; none or `-` for standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Whose webhooks they are: bspk, spree, composer, bold, or auto to tell it from the body's shape
    #[arg(long, default_value = "auto")]
    vendor: String,
    /// The shop, where neither a header nor the body says it
    #[arg(long)]
    shop: Option<String>,
    /// Where in a record's value the webhook lies, if a gateway has put it into an envelope: /body, /detail/payload
    #[arg(long, value_name = "POINTER")]
    payload_pointer: Option<String>,
    /// The time the records would have in a raw topic, RFC 3339
    #[arg(long, default_value = "1970-01-01T00:00:00Z", value_name = "TIME")]
    received_at: String,
    /// A header of every record, such as koine-path=/orders/v1/shops/eu/…; may be repeated
    #[arg(long = "header", value_name = "K=V")]
    headers: Vec<String>,
    /// json: a line per outcome; avro: an object container file per entity, into --out
    #[arg(long, default_value = "json")]
    format: Format,
    /// Where --format avro writes its files
    #[arg(long, value_name = "DIR", required_if_eq("format", "avro"))]
    out: Option<PathBuf>,
    /// Exit with 1 if anything was dead-lettered
    #[arg(long)]
    strict: bool,
    /// Reproduce what `koine dlq export` has written: its record, with its headers and its source's settings
    #[arg(long, value_name = "FILE", conflicts_with_all = ["files", "vendor", "shop", "payload_pointer", "received_at", "headers", "format"])]
    capsule: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Json,
    Avro,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    if let Some(file) = &arguments.capsule {
        return capsule::reproduce(file, arguments.strict);
    }
    let settings = SourceSettings {
        vendor: match arguments.vendor.as_str() {
            "auto" => None,
            name => Some(vendor(name).ok_or_else(|| {
                Failure::Usage(format!("--vendor {name}: there are bspk, spree, composer, bold, and auto"))
            })?),
        },
        shop: arguments.shop.clone().filter(|shop| !shop.is_empty()),
        payload_pointer: match arguments.payload_pointer.as_deref() {
            None | Some("") => None,
            Some(text) => {
                Some(Pointer::parse(text).map_err(|error| Failure::Usage(format!("--payload-pointer: {error}")))?)
            }
        },
        ..SourceSettings::default()
    };
    let received_at = Micros::parse(&arguments.received_at)
        .ok_or_else(|| Failure::Usage("--received-at: an RFC 3339 time with an offset is due".into()))?;
    let mut headers = Vec::new();
    for header in &arguments.headers {
        let Some((name, value)) = header.split_once('=') else {
            return Err(Failure::Usage("--header: K=V is due".into()));
        };
        headers.push(Header { name, value: Some(value.as_bytes()) });
    }
    let mut job = Job {
        translator: Translator::new(),
        settings,
        headers,
        timestamp_ms: received_at.0.0.div_euclid(1_000),
        sink: match &arguments.out {
            Some(directory) if arguments.format == Format::Avro => Sink::Avro(AvroFiles::new(directory)?),
            _ => Sink::Json(BufWriter::new(io::stdout().lock())),
        },
        refused: 0,
    };
    let files = if arguments.files.is_empty() { vec![PathBuf::from("-")] } else { arguments.files };
    for (nth, file) in files.iter().enumerate() {
        match job.file(nth as i32, file) {
            // Whoever reads us has enough.
            Err(Trouble::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(Trouble::Output(error)) => return Err(Failure::Internal(format!("cannot write: {error}"))),
            Err(Trouble::Input(error)) => return Err(Failure::Usage(format!("{}: {error}", file.display()))),
            Ok(()) => {}
        }
    }
    match job.sink {
        Sink::Json(mut out) => out.flush().or_else(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Ok(()),
            _ => Err(Failure::Internal(format!("cannot write: {error}"))),
        })?,
        Sink::Avro(files) => files.finish()?,
    }
    match job.refused {
        refused if arguments.strict && refused > 0 => Err(Failure::Found(format!("{refused} dead-lettered"))),
        _ => Ok(()),
    }
}

enum Trouble {
    Input(io::Error),
    Output(io::Error),
}

struct Job<'a> {
    translator: Translator,
    settings: SourceSettings,
    headers: Vec<Header<'a>>,
    timestamp_ms: i64,
    sink: Sink,
    refused: u64,
}

enum Sink {
    Json(BufWriter<io::StdoutLock<'static>>),
    Avro(AvroFiles),
}

impl Job<'_> {
    fn file(&mut self, nth: i32, path: &Path) -> Result<(), Trouble> {
        if path == Path::new("-") {
            return self.lines(nth, &mut io::stdin().lock());
        }
        let mut reader = BufReader::new(File::open(path).map_err(Trouble::Input)?);
        let mut first = Vec::new();
        reader.read_until(b'\n', &mut first).map_err(Trouble::Input)?;
        if serde_json::from_slice::<serde::de::IgnoredAny>(&first).is_ok() {
            return self.lines(nth, &mut first.chain(reader));
        }
        reader.read_to_end(&mut first).map_err(Trouble::Input)?;
        self.record(nth, 1, &first)
    }

    fn lines(&mut self, nth: i32, reader: &mut impl BufRead) -> Result<(), Trouble> {
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            if reader.read_until(b'\n', &mut line).map_err(Trouble::Input)? == 0 {
                break;
            }
            let end = line.strip_suffix(b"\n").map_or(&line[..], |rest| rest.strip_suffix(b"\r").unwrap_or(rest));
            // An empty line is no webhook: editors leave one at the end.
            if !end.is_empty() {
                self.record(nth, number, end)?;
            }
        }
        Ok(())
    }

    fn record(&mut self, nth: i32, line: i64, value: &[u8]) -> Result<(), Trouble> {
        let raw = RawRecord {
            topic: "translate",
            partition: nth,
            offset: line - 1,
            timestamp_ms: Some(self.timestamp_ms),
            key: None,
            value: Some(value),
            headers: &self.headers,
        };
        let (sink, refused) = (&mut self.sink, &mut self.refused);
        let mut done = Ok(());
        self.translator.translate(&raw, &self.settings, &mut |index, outcome| {
            *refused += matches!(outcome, Outcome::DeadLetter(_)) as u64;
            if done.is_ok() {
                done = match sink {
                    Sink::Json(out) => write_line(out, line, index, &outcome),
                    Sink::Avro(files) => files.take(line, &outcome),
                };
            }
        });
        done.map_err(Trouble::Output)
    }
}

/// One line of output, its fields in the order of the contract.
struct Line<'o> {
    line: i64,
    index: i32,
    outcome: &'o Outcome<'o>,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("line", &self.line)?;
        map.serialize_entry("index", &self.index)?;
        match self.outcome {
            Outcome::Event(translated) => {
                map.serialize_entry("outcome", "event")?;
                map.serialize_entry("topic", translated.event.entity.kind().topic_name())?;
                map.serialize_entry("key", translated.key)?;
                map.serialize_entry("headers", &Headers(translated.headers))?;
                map.serialize_entry("event", translated.event)?;
                if !translated.drift.is_empty() {
                    map.serialize_entry("drift", translated.drift)?;
                }
            }
            Outcome::Ignored(ignored) => {
                map.serialize_entry("outcome", "ignored")?;
                map.serialize_entry("vendor", ignored.vendor)?;
                map.serialize_entry("event_type", ignored.event_type)?;
                map.serialize_entry("rule", ignored.rule.as_str())?;
                map.serialize_entry("reason", ignored.rule.reason())?;
            }
            Outcome::DeadLetter(letter) => {
                map.serialize_entry("outcome", "dead_letter")?;
                map.serialize_entry("vendor", &letter.vendor)?;
                map.serialize_entry("event_type", &letter.event_type)?;
                map.serialize_entry("code", letter.code.as_str())?;
                map.serialize_entry("class", letter.code.class().as_str())?;
                map.serialize_entry("pointer", &letter.pointer)?;
                map.serialize_entry("detail", &letter.detail)?;
            }
        }
        map.end()
    }
}

struct Headers<'o>(&'o [(&'static str, &'o str)]);

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

pub(super) fn write_line(out: &mut impl Write, line: i64, index: i32, outcome: &Outcome<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &Line { line, index, outcome }).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

/// An object container file per entity; made when the first event of its kind comes.
struct AvroFiles {
    directory: PathBuf,
    files: Vec<(EntityKind, ContainerFile<BufWriter<File>>)>,
}

impl AvroFiles {
    fn new(directory: &Path) -> Result<AvroFiles, Failure> {
        std::fs::create_dir_all(directory)
            .map_err(|error| Failure::Usage(format!("{}: {error}", directory.display())))?;
        Ok(AvroFiles { directory: directory.to_owned(), files: Vec::new() })
    }

    /// What is no event goes to standard error, as the line it would have been.
    fn take(&mut self, line: i64, outcome: &Outcome<'_>) -> io::Result<()> {
        match outcome {
            Outcome::Event(translated) => self.append(translated.event),
            other => write_line(&mut io::stderr().lock(), line, 0, other),
        }
    }

    fn append(&mut self, event: &Event<'_>) -> io::Result<()> {
        let kind = event.entity.kind();
        let nth = match self.files.iter().position(|(other, _)| *other == kind) {
            Some(nth) => nth,
            None => {
                let file = File::create(self.directory.join(format!("{}.avro", kind.topic_name())))?;
                self.files.push((kind, ContainerFile::new(kind, BufWriter::new(file))?));
                self.files.len() - 1
            }
        };
        self.files[nth].1.append(event)
    }

    fn finish(self) -> Result<(), Failure> {
        for (kind, file) in self.files {
            let cannot = |error| Failure::Internal(format!("{}.avro: {error}", kind.topic_name()));
            file.finish().map_err(cannot)?;
        }
        Ok(())
    }
}
