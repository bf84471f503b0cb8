//! Money is exact: random decimal texts, as JSON strings and as JSON numbers, go through a webhook into an Avro record
//! and come out as they were. What was written is also left for Java and Python to read (`KOINE_MONEY_VECTORS`).

use apache_avro::types::Value;
use koine::canonical::EntityKind;
use koine::codec;
use koine::schemas;
use koine::translate::{Outcome, RawRecord, SourceSettings, Translator};
use std::fmt::Write;

/// xorshift: the same amounts on every machine.
struct Random(u64);
impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn digits(&mut self, n: u64) -> String {
        (0..n).map(|_| char::from(b'0' + self.below(10) as u8)).collect()
    }
}

/// A decimal text that JSON takes for a number and that can be kept exactly, and what it is: digits and how many of
/// them are decimals, worked out apart from any parser.
struct Amount {
    text: String,
    negative: bool,
    digits: String,
    decimals: i64,
}

fn amount(random: &mut Random) -> Amount {
    let mut whole = {
        let length = 1 + random.below(29);
        random.digits(length)
    };
    if whole.starts_with('0') && whole.len() > 1 {
        whole.replace_range(..1, "7");
    }
    let decimals = random.below(10);
    let fraction = random.digits(decimals);
    let negative = random.below(3) == 0;
    let mut text = format!("{}{whole}", if negative { "-" } else { "" });
    let digits = format!("{whole}{fraction}");
    if decimals > 0 {
        let _ = write!(text, ".{fraction}");
    }
    let mut decimals = decimals as i64;
    // An exponent that takes decimals away, so that it stays within what can be kept.
    if decimals > 0 && whole.len() < 20 && random.below(4) == 0 {
        let exponent = 1 + random.below(decimals as u64) as i64;
        let _ = write!(text, "{}{exponent}", ["e", "E", "e+"][random.below(3) as usize]);
        decimals -= exponent;
    } else if random.below(5) == 0 && decimals > 0 {
        text.push_str("000");
    }
    Amount { text, negative, digits, decimals }
}

/// The amount in billionths, as a decimal text without a sign.
fn billionths(amount: &Amount) -> String {
    let zeros = "0".repeat((9 - amount.decimals) as usize);
    let units = format!("{}{zeros}", amount.digits);
    let units = units.trim_start_matches('0');
    if units.is_empty() { "0".to_owned() } else { units.to_owned() }
}

fn field<'v>(record: &'v Value, name: &str) -> &'v Value {
    let Value::Record(fields) = record else { panic!("no record: {record:?}") };
    match &fields.iter().find(|(field, _)| field == name).expect("field").1 {
        Value::Union(_, inner) => inner,
        other => other,
    }
}

#[test]
fn every_amount_comes_out_as_it_went_in() {
    let schema = apache_avro::Schema::parse_str(schemas::json(EntityKind::Order)).expect("schema");
    let reader = apache_avro::reader::datum::GenericDatumReader::builder(&schema).build().expect("reader");
    let mut random = Random(20_260_101);
    let mut translator = Translator::new();
    let settings = SourceSettings::default();
    let mut vectors = String::new();
    for round in 0..5_000 {
        let amount = amount(&mut random);
        let literal = if round % 2 == 0 { format!("\"{}\"", amount.text) } else { amount.text.clone() };
        let body = format!(
            r#"{{"id":"e{round}","name":"order.completed","created_at":"2026-01-15T10:00:00Z","data":{{"id":"or_1","completed_at":"2026-01-15T10:00:00Z","total":{literal},"items":[{{"id":"li_1","price":{literal}}}]}},"metadata":{{"spree_version":"5.4.0"}}}}"#
        );
        let raw = RawRecord {
            topic: "raw.spree",
            partition: 0,
            offset: round,
            timestamp_ms: None,
            key: None,
            value: Some(body.as_bytes()),
            headers: &[],
        };
        let mut bytes = Vec::new();
        translator.translate(&raw, &settings, &mut |_, outcome| match outcome {
            Outcome::Event(translated) => codec::encode(translated.event, 7, &mut bytes).expect("encoded"),
            other => panic!("{}: {other:?}", amount.text),
        });
        let record = reader.read_value(&mut &bytes[5..]).expect("a datum");
        let order = field(&record, "order");
        let Value::Array(items) = field(order, "line_items") else { panic!("no lines") };
        for value in [field(order, "total"), field(&items[0], "unit_price")] {
            let Value::Decimal(decimal) = value else { panic!("no decimal: {value:?}") };
            let unscaled: Vec<u8> = decimal.clone().try_into().expect("bytes");
            let units = i128::from_be_bytes(unscaled.clone().try_into().expect("16 bytes"));
            assert_eq!(units.unsigned_abs().to_string(), billionths(&amount), "{}", amount.text);
            assert_eq!(units < 0, amount.negative && units != 0, "{}", amount.text);
            let hex: String = unscaled.iter().map(|byte| format!("{byte:02x}")).collect();
            let _ = writeln!(vectors, "{}\t{hex}", amount.text);
        }
    }
    if let Some(path) = std::env::var_os("KOINE_MONEY_VECTORS") {
        std::fs::write(path, vectors).expect("vectors");
    }
}
