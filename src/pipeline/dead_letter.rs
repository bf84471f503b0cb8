//! A refused record as it goes to its dead-letter topic: the bytes as they came, and headers that say what was wrong.
//!
//! Header names are a contract (they are searched, counted and redriven by). They are replaced, never appended: a record
//! that is dead-lettered again has each of them once. No header of ours holds a value of the payload.

use crate::canonical::Micros;
use crate::reject::Code;
use crate::seal::PublicKey;
use crate::translate::{self, DeadLetter, Header, RawRecord};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

/// All headers that we add, names and values together.
pub const BUDGET: usize = 8 * 1024;
/// Texts for people are cut at this, before the budget is looked at.
const DETAIL: usize = 512;
const POINTER: usize = 1024;

/// What a deployment decides about its dead letters.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    pub group: String,
    /// Raw headers that are left out, whatever their case: credentials.
    pub drop_headers: Vec<String>,
    pub sets: HeaderSets,
    /// Values are sealed for the holder of the private key.
    pub seal: Option<PublicKey>,
}

impl Policy {
    /// Whether this value is sealed: null stays null, and empty stays empty.
    fn seals(&self, raw: &RawRecord<'_>, form: Form) -> Option<&PublicKey> {
        self.seal.as_ref().filter(|_| form.value && raw.value.is_some_and(|value| !value.is_empty()))
    }
}

/// Headers of other programs, for the tools that read those.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HeaderSets {
    pub connect: bool,
    pub streams: bool,
    pub spring: bool,
}

/// How much of a raw record its dead letter has. Each refusal of the dead-letter topic takes a part away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    pub value: bool,
    pub headers: bool,
    pub key: bool,
    pub timestamp: bool,
}

impl Form {
    pub const WHOLE: Form = Form { value: true, headers: true, key: true, timestamp: true };

    /// What to try next when the topic found this too large; `None` if nothing is left to take away.
    pub fn smaller(self) -> Option<Form> {
        match self {
            Form { value: true, .. } => Some(Form { value: false, ..self }),
            Form { headers: true, .. } => Some(Form { headers: false, ..self }),
            Form { key: true, .. } => Some(Form { key: false, ..self }),
            _ => None,
        }
    }

    /// What to try next when the topic did not admit this: a time that is out of its bounds is the usual reason.
    pub fn plainer(self) -> Option<Form> {
        match self {
            Form { timestamp: true, .. } => Some(Form { timestamp: false, ..self }),
            _ => self.smaller(),
        }
    }
}

/// A header of a dead letter.
pub type OutHeader<'a> = (Cow<'a, str>, Option<Cow<'a, [u8]>>);

/// Names of ours. One of them on a raw record is from an earlier time and is left out, even where this time there is
/// nothing to say.
pub const OURS: &[&str] = &[
    "__dlq.errors.topic",
    "__dlq.errors.partition",
    "__dlq.errors.offset",
    "__dlq.errors.group",
    "__dlq.errors.message",
    "koine.error.code",
    "koine.error.class",
    "koine.error.pointer",
    "koine.error.detail",
    "koine.error.fingerprint",
    "koine.vendor",
    "koine.event.type",
    "koine.event.index",
    "koine.build",
    "koine.failed.at",
    REDRIVE_COUNT,
    VALUE_SHA256,
    "koine.value.bytes",
    RAW_TIMESTAMP,
    SEAL,
];

/// That the value is sealed: by which scheme, for which key.
pub const SEAL: &str = "koine.seal";

/// What a sealed value is bound to: the raw record's place.
pub fn seal_place(raw: &RawRecord<'_>) -> String {
    format!("{}/{}/{}", raw.topic, raw.partition, raw.offset)
}

/// The value of a dead letter: the raw one, or what it is sealed to. Never the raw one where a seal is due.
pub fn value<'a>(raw: &RawRecord<'a>, policy: &Policy, form: Form) -> Result<Option<Cow<'a, [u8]>>, String> {
    let value = raw.value.filter(|_| form.value);
    match (policy.seals(raw, form), value) {
        (Some(key), Some(value)) => key.seal(value, seal_place(raw).as_bytes()).map(|sealed| Some(Cow::Owned(sealed))),
        (_, value) => Ok(value.map(Cow::Borrowed)),
    }
}

/// Stands on a pointer record, and only there.
pub const VALUE_SHA256: &str = "koine.value.sha256";

/// The raw record's time in milliseconds (nothing, if it had none), where it is not the dead letter's own.
pub const RAW_TIMESTAMP: &str = "koine.raw.timestamp";

/// The headers of other programs, by set; the first of a set tells whether it is ours.
const SETS: [&[&str]; 3] = [
    &[
        "__connect.errors.class.name",
        "__connect.errors.topic",
        "__connect.errors.partition",
        "__connect.errors.offset",
        "__connect.errors.connector.name",
        "__connect.errors.task.id",
        "__connect.errors.stage",
        "__connect.errors.exception.class.name",
        "__connect.errors.exception.message",
    ],
    &[
        "__streams.errors.exception",
        "__streams.errors.message",
        "__streams.errors.topic",
        "__streams.errors.partition",
        "__streams.errors.offset",
    ],
    &[
        "kafka_dlt-exception-fqcn",
        "kafka_dlt-exception-message",
        "kafka_dlt-original-topic",
        "kafka_dlt-original-partition",
        "kafka_dlt-original-offset",
        "kafka_dlt-original-consumer-group",
        "kafka_dlt-original-timestamp",
        "kafka_dlt-original-timestamp-type",
    ],
];

/// Whether a header of a dead letter was added by us. `find` looks at the others: a raw record may have headers of
/// those other programs itself, and ours name koine, or the code, as what failed.
pub fn is_ours<'h, 'a: 'h>(name: &str, find: impl Fn(&str) -> Option<&'h Header<'a>>) -> bool {
    if OURS.contains(&name) {
        return true;
    }
    let Some(sign) = SETS.iter().find(|set| set.contains(&name)).and_then(|set| set.first()) else { return false };
    let Some(sign) = find(sign).and_then(|header| header.value) else { return false };
    sign == CONNECT_CLASS.as_bytes() || find("koine.error.code").is_some_and(|code| code.value == Some(sign))
}

const CONNECT_CLASS: &str = "koine";

/// How often a record has been sent again from its dead-letter topic. It outlives being dead-lettered again.
pub const REDRIVE_COUNT: &str = "koine.redrive.count";

/// The headers of a dead letter: the raw record's, less what is dropped or replaced, then ours.
pub fn headers<'a>(
    raw: &RawRecord<'a>,
    letter: &'a DeadLetter,
    failed_at: &'a str,
    policy: &'a Policy,
    form: Form,
) -> Vec<OutHeader<'a>> {
    let added = added(raw, letter, failed_at, policy, form);
    let mut all = Vec::with_capacity(raw.headers.len() + added.len());
    for header in raw.headers {
        let is_dropped = policy.drop_headers.iter().any(|name| name.eq_ignore_ascii_case(header.name));
        let is_replaced = OURS.contains(&header.name) || added.iter().any(|(name, _)| *name == header.name);
        if form.headers && !is_dropped && !is_replaced {
            all.push((Cow::Borrowed(header.name), header.value.map(Cow::Borrowed)));
        }
    }
    all.extend(added.into_iter().map(|(name, value)| (Cow::Borrowed(name), Some(value))));
    all
}

type Added<'a> = Vec<(&'static str, Cow<'a, [u8]>)>;

/// The headers that we add, within the budget.
fn added<'a>(
    raw: &RawRecord<'a>,
    letter: &'a DeadLetter,
    failed_at: &'a str,
    policy: &'a Policy,
    form: Form,
) -> Added<'a> {
    let mut limits = Limits { detail: DETAIL, pointer: POINTER };
    loop {
        let added = added_within(raw, letter, failed_at, policy, form, limits);
        let size: usize = added.iter().map(|(name, value)| name.len() + value.len()).sum();
        if size <= BUDGET || (limits.detail == 0 && limits.pointer == 0) {
            return added;
        }
        limits = Limits { detail: limits.detail / 2, pointer: limits.pointer / 2 };
    }
}

/// How long the texts may be that can be any length.
#[derive(Clone, Copy)]
struct Limits {
    detail: usize,
    pointer: usize,
}

fn added_within<'a>(
    raw: &RawRecord<'a>,
    letter: &'a DeadLetter,
    failed_at: &'a str,
    policy: &'a Policy,
    form: Form,
    limits: Limits,
) -> Added<'a> {
    let text = |text: &'a str| Cow::Borrowed(text.as_bytes());
    let own = |text: String| Cow::Owned(text.into_bytes());
    let (topic, partition, offset) = (raw.topic, raw.partition.to_string(), raw.offset.to_string());
    let pointer = cut(&letter.pointer, limits.pointer);
    let detail = cut(&letter.detail, limits.detail);
    let group = cut(&policy.group, 255);
    let code = letter.code.as_str();
    let message = match pointer {
        "" => format!("{code}: {detail}"),
        pointer => format!("{code} at {pointer}: {detail}"),
    };
    let message = cut(&message, limits.detail + limits.pointer).to_owned();
    let mut out: Added<'a> = vec![
        ("__dlq.errors.topic", text(topic)),
        ("__dlq.errors.partition", own(partition.clone())),
        ("__dlq.errors.offset", own(offset.clone())),
        ("__dlq.errors.group", text(group)),
        ("__dlq.errors.message", own(message.clone())),
        ("koine.error.code", text(code)),
        ("koine.error.class", text(letter.code.class().as_str())),
        ("koine.error.pointer", text(pointer)),
        ("koine.error.detail", text(detail)),
        ("koine.error.fingerprint", text(&letter.fingerprint)),
    ];
    if let Some(vendor) = letter.vendor {
        out.push(("koine.vendor", text(vendor)));
    }
    if let Some(event_type) = &letter.event_type {
        out.push(("koine.event.type", text(cut(event_type, 128))));
    }
    if let Some(index) = letter.index {
        out.push(("koine.event.index", own(index.to_string())));
    }
    out.push(("koine.build", text(translate::BUILD)));
    out.push(("koine.failed.at", text(failed_at)));
    out.push((REDRIVE_COUNT, own(redrive_count(raw).to_string())));
    if let Some(key) = policy.seals(raw, form) {
        out.push((SEAL, own(key.label())));
    }
    if !form.timestamp || raw.timestamp_ms.is_none() {
        out.push((RAW_TIMESTAMP, own(raw.timestamp_ms.map(|time| time.to_string()).unwrap_or_default())));
    }
    if !form.value {
        let value = raw.value.unwrap_or_default();
        out.push((VALUE_SHA256, own(translate::hex(&Sha256::digest(value)))));
        out.push(("koine.value.bytes", own(value.len().to_string())));
    }
    if policy.sets.connect {
        out.extend([
            ("__connect.errors.topic", text(topic)),
            ("__connect.errors.partition", own(partition.clone())),
            ("__connect.errors.offset", own(offset.clone())),
            ("__connect.errors.connector.name", text(group)),
            ("__connect.errors.task.id", text("0")),
            ("__connect.errors.stage", text("TRANSFORMATION")),
            ("__connect.errors.class.name", text(CONNECT_CLASS)),
            ("__connect.errors.exception.class.name", text(code)),
            ("__connect.errors.exception.message", own(message.clone())),
        ]);
    }
    if policy.sets.streams {
        out.extend([
            ("__streams.errors.exception", text(code)),
            ("__streams.errors.message", own(message.clone())),
            ("__streams.errors.topic", text(topic)),
            ("__streams.errors.partition", own(partition)),
            ("__streams.errors.offset", own(offset)),
        ]);
    }
    if policy.sets.spring {
        out.extend([
            ("kafka_dlt-original-topic", text(topic)),
            ("kafka_dlt-original-partition", Cow::Owned(raw.partition.to_be_bytes().to_vec())),
            ("kafka_dlt-original-offset", Cow::Owned(raw.offset.to_be_bytes().to_vec())),
            ("kafka_dlt-original-consumer-group", text(group)),
            ("kafka_dlt-exception-fqcn", text(code)),
            ("kafka_dlt-exception-message", own(message)),
        ]);
        if let Some(time) = raw.timestamp_ms {
            out.push(("kafka_dlt-original-timestamp", Cow::Owned(time.to_be_bytes().to_vec())));
            out.push(("kafka_dlt-original-timestamp-type", text("CreateTime")));
        }
    }
    out
}

/// The pointer as it stands in the header of a dead letter.
pub fn pointer(letter: &DeadLetter) -> &str {
    cut(&letter.pointer, POINTER)
}

/// Which partition a dead letter goes to: its source's, as Kafka's own dead letters do (KIP-1191).
pub fn partition(source: i32, partitions: i32) -> i32 {
    source.rem_euclid(partitions.max(1))
}

/// Now, as it stands in `koine.failed.at`.
#[allow(clippy::disallowed_methods, reason = "when a record failed is the one thing that only the clock knows")]
pub fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    Micros::from_millis(millis).unwrap_or(Micros(0)).to_string()
}

/// A webhook that was translated, and whose canonical record no topic takes.
pub fn refused(vendor: &'static str, event_type: &'static str, index: Option<i32>, code: Code) -> DeadLetter {
    let cause = [code.as_str(), "", vendor, event_type].join("\n");
    DeadLetter {
        vendor: Some(vendor),
        event_type: Some(event_type.to_owned()),
        code,
        pointer: String::new(),
        detail: code.detail().to_owned(),
        index,
        fingerprint: translate::hex(&Sha256::digest(cause)[..8]),
    }
}

fn redrive_count(raw: &RawRecord<'_>) -> u32 {
    let last = raw.headers.iter().rev().find(|header| header.name == REDRIVE_COUNT).and_then(|header| header.value);
    last.and_then(|value| std::str::from_utf8(value).ok()).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// At most so many bytes of a text, without half a character.
fn cut(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::PrivateKey;

    fn letter() -> DeadLetter {
        DeadLetter {
            vendor: Some("spree"),
            event_type: Some("order.paid".to_owned()),
            code: Code::MoneyInvalid,
            pointer: "/data/total".to_owned(),
            detail: "should be a decimal number".to_owned(),
            index: None,
            fingerprint: "0123456789abcdef".to_owned(),
        }
    }

    fn raw<'a>(headers: &'a [Header<'a>]) -> RawRecord<'a> {
        RawRecord {
            topic: "raw.spree",
            partition: 7,
            offset: 4711,
            timestamp_ms: Some(1_700_000_000_000),
            key: Some(b"k"),
            value: Some(b"{}"),
            headers,
        }
    }

    fn policy() -> Policy {
        Policy {
            group: "koine".to_owned(),
            drop_headers: vec!["authorization".to_owned(), "x-bspk-secret".to_owned()],
            sets: HeaderSets::default(),
            seal: None,
        }
    }

    fn texts(headers: &[OutHeader<'_>]) -> Vec<(String, Option<String>)> {
        let text = |value: &Cow<'_, [u8]>| String::from_utf8_lossy(value).into_owned();
        headers.iter().map(|(name, value)| (name.to_string(), value.as_ref().map(text))).collect()
    }

    #[test]
    fn the_headers_we_add_are_these() {
        let (letter, policy) = (letter(), policy());
        let headers = headers(&raw(&[]), &letter, "2026-11-22T10:00:00Z", &policy, Form::WHOLE);
        let want = [
            ("__dlq.errors.topic", "raw.spree"),
            ("__dlq.errors.partition", "7"),
            ("__dlq.errors.offset", "4711"),
            ("__dlq.errors.group", "koine"),
            ("__dlq.errors.message", "money.invalid at /data/total: should be a decimal number"),
            ("koine.error.code", "money.invalid"),
            ("koine.error.class", "data"),
            ("koine.error.pointer", "/data/total"),
            ("koine.error.detail", "should be a decimal number"),
            ("koine.error.fingerprint", "0123456789abcdef"),
            ("koine.vendor", "spree"),
            ("koine.event.type", "order.paid"),
            ("koine.build", translate::BUILD),
            ("koine.failed.at", "2026-11-22T10:00:00Z"),
            ("koine.redrive.count", "0"),
        ];
        let want: Vec<_> = want.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned()))).collect();
        assert_eq!(texts(&headers), want);
    }

    #[test]
    fn raw_headers_stay_in_order_with_repeats_nulls_and_empty_values() {
        let raw_headers = [
            Header { name: "b", value: Some(b"1") },
            Header { name: "a", value: None },
            Header { name: "b", value: Some(b"") },
            Header { name: "Authorization", value: Some(b"Bearer secret") },
            Header { name: "X-BSPK-Secret", value: Some(b"secret") },
            Header { name: "b", value: Some(b"\xff") },
        ];
        let (letter, policy) = (letter(), policy());
        let all = headers(&raw(&raw_headers), &letter, "now", &policy, Form::WHOLE);
        let kept: Vec<_> = all.iter().take(4).map(|(name, value)| (&**name, value.as_deref())).collect();
        let want: [(&str, Option<&[u8]>); 4] = [("b", Some(b"1")), ("a", None), ("b", Some(b"")), ("b", Some(b"\xff"))];
        assert_eq!(kept, want);
        assert_eq!(all.len(), 4 + 15, "and nothing of what is dropped");
    }

    #[test]
    fn headers_of_an_earlier_time_are_replaced_and_the_redrive_count_stays() {
        let raw_headers = [
            Header { name: "koine.error.code", value: Some(b"json.syntax") },
            Header { name: "koine.event.index", value: Some(b"3") },
            Header { name: "__dlq.errors.offset", value: Some(b"1") },
            Header { name: "__dlq.errors.offset", value: Some(b"2") },
            Header { name: "koine.redrive.count", value: Some(b"2") },
            Header { name: "koine-shop", value: Some(b"eu") },
        ];
        let (letter, policy) = (letter(), policy());
        let headers = texts(&headers(&raw(&raw_headers), &letter, "now", &policy, Form::WHOLE));
        let of = |name: &str| headers.iter().filter(|(n, _)| n == name).map(|(_, v)| v.clone()).collect::<Vec<_>>();
        assert_eq!(of("koine.error.code"), [Some("money.invalid".to_owned())]);
        assert_eq!(of("__dlq.errors.offset"), [Some("4711".to_owned())]);
        assert_eq!(of("koine.redrive.count"), [Some("2".to_owned())]);
        assert_eq!(of("koine-shop"), [Some("eu".to_owned())], "the sender's own header is not one of ours");
        assert!(of("koine.event.index").is_empty(), "this time the record is no list");
    }

    #[test]
    fn what_we_add_stays_below_the_budget_and_whole_characters() {
        let mut letter = letter();
        letter.pointer = "/ü".repeat(5_000);
        letter.detail = "€".repeat(5_000);
        letter.index = Some(i32::MAX);
        letter.event_type = Some("t".repeat(64));
        let mut policy = policy();
        policy.group = "ä".repeat(1_000);
        policy.sets = HeaderSets { connect: true, streams: true, spring: true };
        let topic = "t".repeat(249);
        let raw = RawRecord { topic: &topic, partition: i32::MAX, offset: i64::MAX, ..raw(&[]) };
        let form = Form { value: false, ..Form::WHOLE };
        let added = added(&raw, &letter, "2026-11-22T10:00:00.000000Z", &policy, form);
        let size: usize = added.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(size <= BUDGET, "{size}");
        for (name, value) in &added {
            let is_binary = name.starts_with("kafka_dlt-original-");
            assert!(is_binary || std::str::from_utf8(value).is_ok(), "{name}");
        }
    }

    #[test]
    fn springs_numbers_are_binary() {
        let (letter, mut policy) = (letter(), policy());
        policy.sets.spring = true;
        let all = headers(&raw(&[]), &letter, "now", &policy, Form::WHOLE);
        let of = |name: &str| all.iter().find(|(n, _)| n == name).and_then(|(_, v)| v.as_deref());
        assert_eq!(of("kafka_dlt-original-partition"), Some(&[0, 0, 0, 7][..]));
        assert_eq!(of("kafka_dlt-original-offset"), Some(&4711_i64.to_be_bytes()[..]));
    }

    #[test]
    fn a_pointer_record_says_what_it_stands_for() {
        let (letter, policy) = (letter(), policy());
        let form = Form::WHOLE.smaller().unwrap();
        assert!(!form.value && form.key && form.headers);
        let headers = texts(&headers(&raw(&[]), &letter, "now", &policy, form));
        let of = |name: &str| headers.iter().find(|(n, _)| n == name).and_then(|(_, v)| v.clone()).unwrap();
        assert_eq!(of("koine.value.bytes"), "2");
        assert_eq!(of("koine.value.sha256"), "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    }

    #[test]
    fn a_sealed_value_is_the_raw_one_to_the_key_and_to_nobody_else() {
        let (letter, key) = (letter(), PrivateKey::generate());
        let policy = Policy { seal: Some(key.public()), ..policy() };
        let seal_of = |raw: &RawRecord<'_>, form| {
            let headers = texts(&headers(raw, &letter, "now", &policy, form));
            headers.into_iter().find(|(name, _)| name == SEAL).and_then(|(_, value)| value)
        };
        let raw = RawRecord { value: Some(b"{\"secret\":1}"), ..raw(&[]) };
        let sealed = value(&raw, &policy, Form::WHOLE).unwrap().unwrap();
        let label = seal_of(&raw, Form::WHOLE).unwrap();
        assert_eq!(label, format!("hpke-x25519-sha256-chacha20poly1305;key={}", key.public().fingerprint()));
        assert_eq!(key.open(&label, &sealed, b"raw.spree/7/4711").unwrap(), raw.value.unwrap());
        assert!(key.open(&label, &sealed, b"raw.spree/7/4712").is_err(), "it is bound to its place");
        for (kept, form) in
            [(None, Form::WHOLE), (Some(&b""[..]), Form::WHOLE), (None, Form { value: false, ..Form::WHOLE })]
        {
            let raw = RawRecord { value: if form.value { kept } else { raw.value }, ..raw };
            assert_eq!(value(&raw, &policy, form).unwrap().as_deref(), kept);
            assert_eq!(seal_of(&raw, form), None);
        }
    }

    #[test]
    fn a_form_runs_out() {
        let mut form = Form::WHOLE;
        let mut steps = 0;
        while let Some(next) = form.plainer() {
            (form, steps) = (next, steps + 1);
        }
        assert_eq!(steps, 4);
        assert_eq!(form.smaller(), None);
    }

    #[test]
    fn a_dead_letter_goes_to_its_sources_partition_or_around() {
        assert_eq!(partition(7, 12), 7);
        assert_eq!(partition(7, 4), 3);
        assert_eq!(partition(7, 1), 0);
        assert_eq!(partition(7, 0), 0);
    }

    #[test]
    fn now_is_utc_with_a_date() {
        let now = now();
        assert!(now.ends_with('Z') && now.starts_with("20"), "{now}");
    }
}
