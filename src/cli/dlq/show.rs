//! `koine dlq show`: single dead letters, with what their headers say. The value only when it is asked for.

use super::{Bar, Chosen, Format, Key, Selection, failure, print};
use crate::cli::Failure;
use crate::kafka::Record;
use crate::pipeline::letter::Letter;
use crate::pipeline::redrive::lanes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value as Json, json};
use std::borrow::Cow;
use std::io::{self, Write};

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// The place of one dead letter in its dead-letter topic
    #[arg(value_name = "PARTITION:OFFSET")]
    place: Option<String>,
    /// Show the value, too: it holds personal data and secrets as they came
    #[arg(long)]
    value: bool,
    #[command(flatten)]
    key: Key,
    /// At most so many
    #[arg(long, default_value_t = 10, value_name = "N")]
    limit: usize,
    /// text: for people; json: a line for each dead letter, bytes as Base64
    #[arg(long, default_value = "text")]
    format: Format,
}

pub fn run(mut arguments: Arguments) -> Result<(), Failure> {
    let key = arguments.key.read()?;
    let place = place(arguments.place.as_deref(), &mut arguments.selection)?;
    let chosen = arguments.selection.choose(&["kafka.bootstrap_servers"])?;
    let (with_value, format) = (arguments.value, arguments.format);
    let mut shown = 0;
    let mut sealed = None;
    pick(&chosen, place, arguments.limit, &mut |letter, record| {
        let value = match with_value.then(|| letter.open(key.as_ref())) {
            None => Value::Unasked,
            Some(Ok(value)) => Value::Open(value),
            Some(Err(why)) => Value::Sealed(sealed.insert(why).clone()),
        };
        print(|out| match format {
            Format::Text => text(out, letter, record, &value, shown > 0),
            Format::Json => writeln!(out, "{}", json_of(letter, record, &value)),
        })?;
        shown += 1;
        Ok(())
    })?;
    match sealed {
        Some(why) => Err(Failure::Found(format!("a value {why}: --key FILE opens it"))),
        None => Ok(()),
    }
}

/// The value of a dead letter, as far as it is shown.
enum Value<'l> {
    Unasked,
    Open(Option<Cow<'l, [u8]>>),
    /// Why it cannot be.
    Sealed(String),
}

/// Reads `PARTITION:OFFSET`, which also narrows the selection down to the partition.
pub fn place(text: Option<&str>, selection: &mut Selection) -> Result<Option<i64>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let place = text.split_once(':').and_then(|(partition, offset)| {
        Some((partition.parse::<i32>().ok().filter(|n| *n >= 0)?, offset.parse::<i64>().ok().filter(|n| *n >= 0)?))
    });
    let Some((partition, offset)) = place else {
        return Err(Failure::Usage(format!("{text}: PARTITION:OFFSET is due, such as 3:4711")));
    };
    selection.partitions = vec![partition];
    Ok(Some(offset))
}

/// Hands over the dead letters that are meant: the one at a place, or those that the filter takes, up to a number.
/// That there is none at all is told.
pub fn pick(
    chosen: &Chosen,
    place: Option<i64>,
    limit: usize,
    take: &mut dyn FnMut(&Letter<'_>, &Record<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if let (Some(_), [one, .., other]) = (place, chosen.lanes.as_slice()) {
        let topics = format!("{}, {}", one.topic, other.topic);
        return Err(Failure::Usage(format!(
            "a place is one of one topic, and there are {topics} …: --topic says which"
        )));
    }
    let mut bar = Bar::new();
    let mut taken = 0;
    for lane in &chosen.lanes {
        if taken >= limit {
            break;
        }
        let reader = lanes::open(&chosen.connection, lane, place).map_err(failure)?;
        let mut done = Ok(());
        let read = lanes::each(&reader, &mut |record| {
            if place.is_some_and(|place| record.offset() != place) {
                return Ok(false);
            }
            bar.draw(lane, record.offset(), reader.end(), "");
            let is_taken = lanes::with_letter(&record, lane, |letter| {
                let Some(letter) = letter.filter(|letter| chosen.filter.takes(letter)) else { return false };
                bar.clear();
                done = take(letter, &record);
                true
            });
            taken += usize::from(is_taken);
            Ok(done.is_ok() && taken < limit && place.is_none())
        });
        read.map_err(failure)?;
        done?;
    }
    match (taken, place) {
        (0, Some(offset)) => Err(Failure::Found(format!("there is no dead letter of koine's at offset {offset}"))),
        (0, None) => Err(Failure::Found("there is no such dead letter".to_owned())),
        _ => Ok(()),
    }
}

fn text(
    out: &mut dyn Write,
    letter: &Letter<'_>,
    record: &Record<'_>,
    value: &Value<'_>,
    is_next: bool,
) -> io::Result<()> {
    if is_next {
        writeln!(out)?;
    }
    writeln!(out, "{} {}:{}", letter.topic, letter.partition, letter.offset)?;
    let index = letter.position.index.map(|index| format!(", element {index}")).unwrap_or_default();
    writeln!(
        out,
        "  raw record   {} {}:{}{index}",
        letter.raw_topic, letter.position.partition, letter.position.offset
    )?;
    writeln!(out, "  code         {} ({})", letter.code, letter.class)?;
    writeln!(out, "  pointer      {}", letter.pointer)?;
    writeln!(out, "  detail       {}", letter.detail)?;
    writeln!(out, "  fingerprint  {}", letter.fingerprint)?;
    writeln!(out, "  vendor       {}", letter.vendor.unwrap_or("-"))?;
    writeln!(out, "  event type   {}", letter.event_type.unwrap_or("-"))?;
    writeln!(out, "  failed at    {}", letter.failed_at)?;
    writeln!(out, "  build        {}", letter.build)?;
    writeln!(out, "  redriven     {} times in vain", letter.redrive_count)?;
    writeln!(out, "  key          {}", shown(letter.key))?;
    for (name, value) in headers(record) {
        writeln!(out, "  header       {name}: {}", shown(value.as_deref()))?;
    }
    match (value, letter.value) {
        _ if letter.is_pointer => writeln!(out, "  value        not here: it was too large for this topic"),
        (_, None) | (Value::Open(None), _) => writeln!(out, "  value        null"),
        (Value::Unasked, Some(value)) => {
            writeln!(out, "  value        {} bytes (--value shows them)", value.len())
        }
        (Value::Sealed(why), _) => writeln!(out, "  value        {why}"),
        (Value::Open(Some(value)), _) => {
            writeln!(out, "  value        {} bytes:", value.len())?;
            out.write_all(value)?;
            writeln!(out)
        }
    }
}

/// Bytes for people: as text, if they are.
fn shown(bytes: Option<&[u8]>) -> String {
    match bytes.map(std::str::from_utf8) {
        None => "null".to_owned(),
        Some(Ok(text)) => text.escape_debug().to_string(),
        Some(Err(_)) => format!("base64:{}", BASE64.encode(bytes.unwrap_or_default())),
    }
}

/// All headers, as they lie there.
fn headers(record: &Record<'_>) -> Vec<(String, Option<Vec<u8>>)> {
    let mut all = Vec::new();
    record.each_header(|name, value| all.push((name.to_owned(), value.map(<[u8]>::to_vec))));
    all
}

fn json_of(letter: &Letter<'_>, record: &Record<'_>, value: &Value<'_>) -> Json {
    let base64 = |bytes: Option<&[u8]>| bytes.map(|bytes| BASE64.encode(bytes));
    let headers: Vec<Json> = headers(record)
        .iter()
        .map(|(name, value)| match value.as_deref().map(std::str::from_utf8) {
            None => json!({"name": name, "value": null}),
            Some(Ok(text)) => json!({"name": name, "value": text}),
            Some(Err(_)) => json!({"name": name, "base64": base64(value.as_deref())}),
        })
        .collect();
    let mut line = json!({
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "raw": {
            "topic": letter.raw_topic,
            "partition": letter.position.partition,
            "offset": letter.position.offset,
            "index": letter.position.index,
            "timestamp_ms": letter.timestamp_ms,
        },
        "code": letter.code,
        "class": letter.class,
        "pointer": letter.pointer,
        "detail": letter.detail,
        "fingerprint": letter.fingerprint,
        "vendor": letter.vendor,
        "event_type": letter.event_type,
        "failed_at": letter.failed_at,
        "build": letter.build,
        "redrive_count": letter.redrive_count,
        "is_pointer_record": letter.is_pointer,
        "seal": letter.seal,
        "key": base64(letter.key),
        "headers": headers,
    });
    match value {
        Value::Open(value) => line["value"] = json!(base64(value.as_deref())),
        Value::Sealed(why) => line["sealed"] = json!(why),
        Value::Unasked => {}
    }
    line
}
