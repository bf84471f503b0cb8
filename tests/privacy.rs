//! Canaries: a text that is unlike any other in every personal, secret and undocumented place of a thousand bodies. Where
//! it may not be published, it is nowhere: not in the record, its key or its headers, and not in what a refusal says.
//!
//! With `KOINE_CANARIES` the bodies are written there too, a JSON line each, for `tests/e2e/test_privacy.py`, which looks for
//! them on a broker, in logs and in metrics.

use koine::canonical::{PiiClass, Privacy, Treatment};
use koine::codec;
use koine::translate::{Outcome, RawRecord, SourceSettings, Translator};
use koine::vendors::cursor::is_secret_name;
use koine::vendors::documents::Here;
use koine::vendors::{VENDORS, Vendor};
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// How many bodies are made.
const BODIES: usize = 1_000;

/// Names under which something personal stands, whatever a table says of it: so that the table cannot forget one.
const PERSONAL: &[&str] = &[
    "email",
    "firstname",
    "first_name",
    "firstName",
    "lastname",
    "last_name",
    "lastName",
    "alternate_first_name",
    "alternate_last_name",
    "full_name",
    "fullName",
    "mobile_phone",
    "other_phone",
    "phone",
    "phoneNumber",
    "phone_number",
    "fax",
    "faxNumber",
    "address1",
    "address2",
    "address_1",
    "address_2",
    "street1",
    "street2",
    "street_1",
    "street_2",
    "city",
    "zipcode",
    "postal_code",
    "zipOrPostalCode",
    "zip",
    "company",
    "ip_address",
    "browser_ip",
    "nationality",
    "special_instructions",
    "customer_note",
    "username",
];

/// What is secret by the model's own list, written down again.
const SECRET: &[&str] = &[
    "token",
    "external_client_secret",
    "external_data",
    "customer_external_id",
    "gateway_payment_profile_id",
    "download_url",
    "reset_token",
    "paymentData",
    "paymentInstrumentData",
    "bold_cashier_public_order_id",
];

struct Canaries {
    vendor: &'static Vendor,
    body: Value,
    secrets: Vec<String>,
    /// Values.
    personal: Vec<String>,
    /// Keys that nobody documents. They stay where values are hashed, as names of fields do.
    names: Vec<String>,
}

fn bodies() -> Vec<(&'static Vendor, &'static str, Value)> {
    let mut all = Vec::new();
    for vendor in VENDORS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bodies").join(vendor.name);
        let mut paths: Vec<_> =
            fs::read_dir(folder).expect("bodies").map(|entry| entry.expect("entry").path()).collect();
        paths.sort();
        for path in paths {
            let body: Value = serde_json::from_slice(&fs::read(path).expect("body")).expect("JSON");
            let settings = SourceSettings { vendor: Some(vendor), ..SourceSettings::default() };
            let mut event_type = None;
            each_outcome(&body, &settings, |outcome| {
                if let Outcome::Event(translated) = outcome {
                    event_type = Some(translated.event_type);
                }
            });
            all.extend(event_type.map(|event_type| (vendor, event_type, body)));
        }
    }
    all
}

fn each_outcome(body: &Value, settings: &SourceSettings, mut each: impl FnMut(&Outcome<'_>)) {
    let text = body.to_string();
    let raw = RawRecord {
        topic: "raw",
        partition: 0,
        offset: 0,
        timestamp_ms: Some(0),
        key: None,
        value: Some(text.as_bytes()),
        headers: &[],
    };
    Translator::new().translate(&raw, settings, &mut |_, outcome| each(&outcome));
}

/// Puts canaries into the places of a body.
struct Keeper {
    nth: usize,
    secrets: Vec<String>,
    personal: Vec<String>,
    names: Vec<String>,
}

impl Keeper {
    fn secret(&mut self) -> String {
        self.nth += 1;
        self.secrets.push(format!("ZSECRETZ{}Q", self.nth));
        self.secrets[self.secrets.len() - 1].clone()
    }

    fn personal(&mut self) -> String {
        self.nth += 1;
        self.personal.push(format!("ZPERSONZ{}Q", self.nth));
        self.personal[self.personal.len() - 1].clone()
    }

    fn name(&mut self) -> String {
        self.nth += 1;
        self.names.push(format!("ZNAMEZ{}Q", self.nth));
        self.names[self.names.len() - 1].clone()
    }

    /// `steps` lead to `value`; `key` is the last one that is a name.
    fn fill(
        &mut self,
        vendor: &Vendor,
        event_type: &str,
        steps: &mut Vec<String>,
        key: &str,
        under: &str,
        value: &mut Value,
    ) {
        let is_gift_card_code = key == "code" && matches!(under, "gift_card" | "gift_cards");
        if SECRET.contains(&key) || is_secret_name(key) || is_gift_card_code {
            // A secret may be anything: also what has something in it.
            *value = match self.nth % 3 {
                0 if !is_gift_card_code => json!({"a": [self.secret()], "b": self.secret()}),
                _ => json!(self.secret()),
            };
            return;
        }
        match value {
            Value::Object(map) => {
                for (name, child) in map.iter_mut() {
                    steps.push(name.clone());
                    self.fill(vendor, event_type, steps, name, key, child);
                    steps.pop();
                }
            }
            Value::Array(items) => {
                for (nth, child) in items.iter_mut().enumerate() {
                    steps.push(nth.to_string());
                    self.fill(vendor, event_type, steps, key, under, child);
                    steps.pop();
                }
            }
            Value::String(text) => {
                let page = vendor.documents.body(event_type).expect("a page");
                let here = page.documents.find(page, steps.iter().map(String::as_str));
                let class = match here {
                    Here::Undocumented => Some(PiiClass::Undocumented),
                    known => known.class(),
                };
                // A day has to stay a day, and a word a word, or the webhook is refused or told to be odd.
                let is_day = text.len() == 10 && text.as_bytes()[4] == b'-';
                let is_time = text.len() >= 19 && text.ends_with('Z') && text.as_bytes()[10] == b'T';
                if is_time || !(class.is_some() || PERSONAL.contains(&key)) {
                    return;
                }
                *text = match is_day {
                    true => {
                        self.nth += 1;
                        let day =
                            format!("19{:02}-{:02}-{:02}", self.nth % 90 + 10, self.nth % 12 + 1, self.nth % 28 + 1);
                        self.personal.push(day.clone());
                        day
                    }
                    // These two are the name of an attribute.
                    false if vendor.name == "bspk" && matches!(key, "namespace" | "key") => self.name(),
                    // And this of an entry in a map.
                    false if key == "name" && under == "cartTypes" => self.name(),
                    false => self.personal(),
                };
            }
            _ => {}
        }
    }
}

fn canaries() -> Vec<Canaries> {
    let bodies = bodies();
    let mut all = Vec::with_capacity(BODIES);
    let mut keeper = Keeper { nth: 0, secrets: Vec::new(), personal: Vec::new(), names: Vec::new() };
    while all.len() < BODIES {
        let (vendor, event_type, body) = &bodies[all.len() % bodies.len()];
        let mut body = body.clone();
        let top = body.as_object_mut().expect("an object");
        for (name, child) in top.iter_mut() {
            keeper.fill(vendor, event_type, &mut vec![name.clone()], name, "", child);
        }
        let entity = match vendor.name {
            "spree" => top.get_mut("data"),
            "bspk" => top.get_mut("object"),
            "composer" => top.get_mut("contextObject").and_then(|context| first_object(context)),
            _ => top.get_mut("data").and_then(|data| first_object(data)),
        };
        let entity = entity.and_then(Value::as_object_mut).expect("an entity");
        undocumented(entity, &mut keeper);
        let Keeper { secrets, personal, names, .. } = &mut keeper;
        let [secrets, personal, names] = [secrets, personal, names].map(std::mem::take);
        all.push(Canaries { vendor, body, secrets, personal, names });
    }
    all
}

fn first_object(value: &mut Value) -> Option<&mut Value> {
    value.as_object_mut()?.values_mut().find(|value| value.is_object())
}

/// A new field, a name of a map that is somebody's, an element of a list, JSON in a text, and JSON in that.
fn undocumented(entity: &mut Map<String, Value>, keeper: &mut Keeper) {
    entity.insert("zz_new".to_owned(), json!(keeper.personal()));
    entity.insert(keeper.name(), json!(1));
    entity.insert("zz_map".to_owned(), json!({keeper.name(): {keeper.name(): [keeper.personal()]}}));
    entity.insert("zz_list".to_owned(), json!([[keeper.personal()], {"zz": keeper.personal()}]));
    entity
        .insert("zz_secrets".to_owned(), json!({"inner": {"apiKey": keeper.secret(), "x_secret": [keeper.secret()]}}));
    let inner = json!({"a": keeper.personal(), "access_token": keeper.secret()}).to_string();
    entity.insert("zz_text".to_owned(), json!(json!({"b": inner, "password": keeper.secret()}).to_string()));
    entity.insert("zz_open_text".to_owned(), json!(json!({"b": [keeper.personal()]}).to_string()));
}

/// All that leaves the house of one body, as one text; and whether it is an event.
fn published(body: &Value, vendor: &'static Vendor, privacy: &Arc<Privacy>) -> (String, bool) {
    let settings = SourceSettings { vendor: Some(vendor), privacy: Arc::clone(privacy), ..SourceSettings::default() };
    let (mut out, mut is_event) = (String::new(), false);
    each_outcome(body, &settings, |outcome| match outcome {
        Outcome::Event(translated) => {
            is_event = true;
            let mut avro = Vec::new();
            codec::encode(translated.event, 1, &mut avro).expect("encoded");
            let json = serde_json::to_string(translated.event).expect("JSON");
            let _ = write!(out, "{json} {} {:?} {:?}", translated.key, translated.headers, translated.drift);
            out.push_str(&String::from_utf8_lossy(&avro));
        }
        Outcome::DeadLetter(letter) => drop(write!(out, "{letter:?}")),
        Outcome::Ignored(ignored) => drop(write!(out, "{ignored:?}")),
    });
    (out, is_event)
}

fn all_but(treatment: Treatment) -> Arc<Privacy> {
    Arc::new(PiiClass::ALL.into_iter().fold(Privacy::new(b"key"), |privacy, class| privacy.with(class, treatment)))
}

#[test]
fn no_canary_gets_out() {
    let canaries = canaries();
    let (secrets, personal) = canaries.iter().fold((0, 0), |(s, p), it| (s + it.secrets.len(), p + it.personal.len()));
    assert!(secrets > 4 * BODIES && personal > 10 * BODIES, "{secrets} secrets and {personal} others are too few");
    if let Some(file) = std::env::var_os("KOINE_CANARIES") {
        let line = |it: &Canaries| json!({"vendor": it.vendor.name, "body": it.body.to_string(), "secrets": it.secrets, "personal": it.personal, "names": it.names});
        let lines: Vec<String> = canaries.iter().map(|it| line(it).to_string()).collect();
        fs::write(file, lines.join("\n")).expect("written");
    }
    let (pass, hash, gone) = (all_but(Treatment::Pass), all_but(Treatment::Hash), all_but(Treatment::Drop));
    let (mut wrong, mut events, mut seen) = (Vec::new(), 0, 0);
    for Canaries { vendor, body, secrets, personal, names } in &canaries {
        for (privacy, forbidden) in [
            (&Arc::<Privacy>::default(), vec![secrets]),
            (&pass, vec![secrets]),
            (&hash, vec![secrets, personal]),
            (&gone, vec![secrets, personal, names]),
        ] {
            let (out, is_event) = published(body, vendor, privacy);
            events += usize::from(is_event);
            for canary in forbidden.into_iter().flatten().filter(|canary| out.contains(*canary)) {
                let place = body.to_string();
                let at = place.find(canary.as_str()).unwrap_or_default();
                wrong.push(format!("{}: …{}", vendor.name, &place[at.saturating_sub(40)..at + canary.len()]));
            }
        }
        // That they would be seen: what may pass does.
        let (out, _) = published(body, vendor, &pass);
        seen += personal.iter().filter(|canary| out.contains(*canary)).count();
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    assert!(events > 3 * BODIES, "{events} events of {} are too few", 4 * BODIES);
    // The others stand where a rule drops what only repeats, such as labels for people.
    assert!(seen * 20 > personal * 17, "{seen} of {personal} are seen where they may pass");
}
