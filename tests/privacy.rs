//! Canaries: a text that is unlike any other in every personal, secret and undocumented place of a thousand bodies. Where
//! it may not be published, it is nowhere: not in the record, its key or its headers, and not in what a refusal says.
//!
//! With `KOINE_CANARIES` the bodies are written there too, a JSON line each, for `tests/e2e/test_privacy.py`, which looks for
//! them on a broker, in logs and in metrics.

use koine::canonical::{PiiClass, Privacy, Treatment};
use koine::codec;
use koine::samples::SAMPLES;
use koine::translate::{Leaf, LeafFate, Outcome, RawRecord, SourceSettings, Translator};
use koine::vendors::cursor::is_secret_name;
use koine::vendors::documents::{Here, Types};
use koine::vendors::{VENDORS, Vendor, vendor};
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
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
];

/// And of one vendor's bodies.
const SECRET_OF: &[(&str, &str)] =
    &[("composer", "paymentData"), ("composer", "paymentInstrumentData"), ("bold", "bold_cashier_public_order_id")];

/// And in one place only: the key, and the one that its object stands under.
const SECRET_UNDER: &[(&str, &str)] =
    &[("code", "gift_card"), ("code", "gift_cards"), ("custom_attributes", "payments")];

/// Tagged texts that have to be days.
const DAYS: &[&str] = &["birthday", "CP_DOB"];

struct Canaries {
    vendor: &'static Vendor,
    body: Value,
    secrets: Vec<String>,
    /// Values.
    personal: Vec<String>,
    /// Keys that nobody documents. They stay where values are hashed, as names of fields do.
    names: Vec<String>,
}

/// The keys that a vendor's page tags and that texts stand under.
fn tagged(vendor: &Vendor) -> BTreeSet<String> {
    let path = format!("{}/src/vendors/{}/documents.txt", env!("CARGO_MANIFEST_DIR"), vendor.name);
    let text = fs::read_to_string(path).expect("documents.txt");
    let words = text.lines().map(|line| line.split_whitespace().take(3).collect::<Vec<_>>());
    let tagged = words.filter_map(|words| match *words {
        [key, types, class] if class.starts_with('{') && types != "number" && key != "*" => Some(key.to_owned()),
        _ => None,
    });
    tagged.collect()
}

fn bodies() -> Vec<(&'static Vendor, &'static str, Value)> {
    let mut all = Vec::new();
    for sample in SAMPLES {
        let vendor = vendor(sample.vendor).expect("a vendor");
        let body: Value = serde_json::from_slice(sample.body).expect("JSON");
        let settings = SourceSettings { vendor: Some(vendor), ..SourceSettings::default() };
        let mut event_type = None;
        each_outcome(&body, &settings, |outcome| {
            if let Outcome::Event(translated) = outcome {
                event_type = Some(translated.event_type);
            }
        });
        all.extend(event_type.map(|event_type| (vendor, event_type, body)));
    }
    all
}

thread_local! {
    /// What was translated before never changes an outcome, and to make one takes longer than to translate.
    static TRANSLATOR: RefCell<Translator> = RefCell::default();
}

fn each_outcome(body: &Value, settings: &SourceSettings, mut each: impl FnMut(&Outcome<'_>)) {
    let text = body.to_string();
    TRANSLATOR
        .with_borrow_mut(|translator| translator.translate(&raw(&text), settings, &mut |_, outcome| each(&outcome)));
}

/// Puts canaries into the places of a body.
#[derive(Default)]
struct Keeper {
    nth: usize,
    secrets: Vec<String>,
    personal: Vec<String>,
    names: Vec<String>,
    /// The vendor and each key on the way to a canary.
    places: BTreeSet<(&'static str, String)>,
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
        vendor: &'static Vendor,
        event_type: &str,
        steps: &mut Vec<String>,
        key: &str,
        under: &str,
        value: &mut Value,
    ) {
        let is_under = SECRET_UNDER.contains(&(key, under));
        if SECRET.contains(&key) || SECRET_OF.contains(&(vendor.name, key)) || is_secret_name(key) || is_under {
            self.places.extend(steps.iter().map(|step| (vendor.name, step.clone())));
            // A secret may be anything: also what has something in it.
            *value = match self.nth % 3 {
                0 if key != "code" => json!({"a": [self.secret()], "b": self.secret()}),
                _ => json!(self.secret()),
            };
            return;
        }
        match value {
            Value::Object(map) => {
                complete(vendor, event_type, steps, map);
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
                self.places.extend(steps.iter().map(|step| (vendor.name, step.clone())));
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
                    // Senders put documents into any text.
                    false if self.nth.is_multiple_of(7) => {
                        documents("token", &self.secret())[self.nth / 7 % DOCUMENTS].clone()
                    }
                    false => self.personal(),
                };
            }
            _ => {}
        }
    }
}

/// In how many forms [`documents`] writes one.
const DOCUMENTS: usize = 11;

/// A document in a text, with `value` under `name`: JSON, as deep in texts as it goes, and what only looks like it.
fn documents(name: &str, value: &str) -> [String; DOCUMENTS] {
    let plain = json!({name: value}).to_string();
    let nested = json!({"zz": [json!({"zz": plain}).to_string()]}).to_string();
    [
        plain.clone(),
        format!("\u{feff} {}\n", json!([{"zz": {name: [value]}}])),
        nested.clone(),
        json!(nested).to_string(),
        // Lines of JSON, or each behind a mark; a comma too many; one that was cut off.
        format!("{{\"zz\":1}}\n{plain}\n"),
        format!("\u{1e}{{\"zz\":1}}\n\u{1e}{plain}\n"),
        format!("{{\"{name}\":\"{value}\",}}"),
        format!("{{\"zz\":{},\"zy\":\"", json!(plain)),
        // What Ruby, Python and JavaScript print.
        format!("{{\"zz\"=>1, \"{name}\"=>\"{value}\"}}"),
        format!("{{'zz': 1, '{name}': '{value}'}}"),
        format!("{{ zz: 1, {name}: \"{value}\" }}"),
    ]
}

/// Says something in each place that the page tags and this body says nothing in, and in each map that nobody documents.
fn complete(vendor: &Vendor, event_type: &str, steps: &[String], map: &mut Map<String, Value>) {
    let page = vendor.documents.body(event_type).expect("a page");
    let at = |more: &[&str]| page.documents.find(page, steps.iter().map(String::as_str).chain(more.iter().copied()));
    for key in page.documents.keys(at(&[])).chain(["zz_rest"]) {
        let Here::At(place, _) = at(&[key]) else { continue };
        let says_nothing = map.get(key).is_none_or(|it| it.is_null() || it.as_object().is_some_and(Map::is_empty));
        // The back office's number of a cart or a product is nobody's; the page tags that of a shopper.
        let is_nobodys =
            key == "owner_ref" && map.get("owner_type").is_some_and(|it| it != "Shopper" && it != "Client");
        if place.class.is_none() || !says_nothing || is_nobodys {
            continue;
        }
        let text = if DAYS.contains(&key) { "2001-02-03" } else { "x" };
        let is_text = |here| matches!(here, Here::At(place, _) if place.types.holds(Types::TEXT));
        let value = match place.types {
            types if types.holds(Types::TEXT) => json!(text),
            types if !types.holds(Types::OBJECT) => continue,
            _ if page.documents.keys(at(&[key])).next().is_none() => json!({"zz_free": text}),
            _ => {
                let texts = page.documents.keys(at(&[key])).filter(|inner| is_text(at(&[key, inner])));
                texts.map(|inner| (inner.to_owned(), json!(text))).collect::<Map<_, _>>().into()
            }
        };
        map.insert(key.to_owned(), value);
    }
}

/// The bodies, and every key on the way to a canary.
fn canaries() -> (Vec<Canaries>, BTreeSet<(&'static str, String)>) {
    let bodies = bodies();
    let mut all = Vec::with_capacity(BODIES);
    let mut keeper = Keeper::default();
    while all.len() < BODIES {
        let (vendor, event_type, body) = &bodies[all.len() % bodies.len()];
        let mut body = body.clone();
        keeper.fill(vendor, event_type, &mut Vec::new(), "", "", &mut body);
        let top = body.as_object_mut().expect("an object");
        let entity = match vendor.name {
            "spree" => top.get_mut("data"),
            "bspk" => top.get_mut("object"),
            "composer" => top.get_mut("contextObject").and_then(|context| first_object(context)),
            _ => top.get_mut("data").and_then(|data| first_object(data)),
        };
        let entity = entity.and_then(Value::as_object_mut).expect("an entity");
        undocumented(vendor, entity, &mut keeper);
        let Keeper { secrets, personal, names, .. } = &mut keeper;
        let [secrets, personal, names] = [secrets, personal, names].map(std::mem::take);
        all.push(Canaries { vendor, body, secrets, personal, names });
    }
    (all, keeper.places)
}

fn first_object(value: &mut Value) -> Option<&mut Value> {
    value.as_object_mut()?.values_mut().find(|value| value.is_object())
}

/// A new field, a name of a map that is somebody's, an element of a list, JSON in a text, and JSON in that; and each secret
/// by its name, whether such a body ever has it or not.
fn undocumented(vendor: &'static Vendor, entity: &mut Map<String, Value>, keeper: &mut Keeper) {
    let own = SECRET_OF.iter().filter(|(of, _)| *of == vendor.name).map(|(_, name)| name);
    let known: Map<String, Value> =
        SECRET.iter().chain(own).map(|name| ((*name).to_owned(), json!(keeper.secret()))).collect();
    entity.insert("zz_known".to_owned(), known.into());
    entity.entry("gift_card").or_insert(json!({"code": keeper.secret()}));
    entity.insert("zz_gifts".to_owned(), json!({"gift_cards": [{"code": keeper.secret()}]}));
    keeper.places.insert((vendor.name, "code".to_owned()));
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
    let (canaries, places) = canaries();
    let lacks = |vendor: &Vendor| {
        let has = |key: &String| places.contains(&(vendor.name, key.clone()));
        tagged(vendor).into_iter().filter(|key| !has(key)).collect::<Vec<_>>()
    };
    for vendor in VENDORS {
        assert_eq!(lacks(vendor), [""; 0], "{} has no canary there", vendor.name);
    }
    let (secrets, personal) = canaries.iter().fold((0, 0), |(s, p), it| (s + it.secrets.len(), p + it.personal.len()));
    assert!(secrets > 4 * BODIES && personal > 10 * BODIES, "{secrets} secrets and {personal} others are too few");
    if let Some(file) = std::env::var_os("KOINE_CANARIES") {
        let line = |it: &Canaries| json!({"vendor": it.vendor.name, "body": it.body.to_string(), "secrets": it.secrets, "personal": it.personal, "names": it.names});
        let lines: Vec<String> = canaries.iter().map(|it| line(it).to_string()).collect();
        fs::write(file, lines.join("\n")).expect("written");
    }
    let (pass, hash, gone) = (all_but(Treatment::Pass), all_but(Treatment::Hash), all_but(Treatment::Drop));
    let (mut wrong, mut events, mut due, mut seen) = (Vec::new(), 0, 0, 0);
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
        // That they would be seen: what may pass, and that no rule drops, such as labels for people, does.
        let (out, _) = published(body, vendor, &pass);
        let dropped = dropped(body, vendor, &pass);
        for canary in personal.iter().filter(|canary| !dropped.contains(*canary)) {
            due += 1;
            seen += usize::from(out.contains(canary));
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    assert!(events > 3 * BODIES, "{events} events of {} are too few", 4 * BODIES);
    assert_eq!(seen, due, "where they may pass");
    assert!(due * 10 > personal * 9, "{due} of {personal} that may pass are too few");
}

/// The texts of all leaves of a body that a rule drops, as one.
fn dropped(body: &Value, vendor: &'static Vendor, privacy: &Arc<Privacy>) -> String {
    let mut out = String::new();
    each_leaf(body, vendor, privacy, |leaf| {
        if let (LeafFate::Dropped(_), Some(Value::String(text))) = (&leaf.fate, body.pointer(leaf.pointer)) {
            out.push_str(text);
            out.push('\n');
        }
    });
    out
}

fn each_leaf(body: &Value, vendor: &'static Vendor, privacy: &Arc<Privacy>, mut each: impl FnMut(Leaf<'_>)) {
    let settings = SourceSettings { vendor: Some(vendor), privacy: Arc::clone(privacy), ..SourceSettings::default() };
    let text = body.to_string();
    TRANSLATOR.with_borrow_mut(|translator| translator.account(&raw(&text), &settings, &mut each, &mut |_, _| ()));
}

/// The pointers to all that is no container.
fn leaves(value: &Value, pointer: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, child)| leaves(child, &format!("{pointer}/{}", escaped(key)), out));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(nth, child)| leaves(child, &format!("{pointer}/{nth}"), out));
        }
        _ => out.push(pointer.to_owned()),
    }
}

/// Every place of every kind of body in turn has a document with a secret in a text. No place passes it on, whatever it is
/// read as, nor its hash; and what is refused says nothing of it.
#[test]
fn no_place_passes_on_a_document_with_a_secret() {
    const SECRET: &str = "ZSECRETZ0Q";
    let (pass, hash) = (all_but(Treatment::Pass), all_but(Treatment::Hash));
    let (mut wrong, mut counts, mut seen) = (BTreeSet::new(), BTreeMap::<_, [usize; 2]>::new(), BTreeSet::new());
    for (vendor, event_type, body) in bodies() {
        let mut pointers = Vec::new();
        leaves(&body, "", &mut pointers);
        // What one mapping reads.
        let family = event_type.split_once('.').map_or(event_type, |(family, _)| family);
        pointers.retain(|pointer| seen.insert((vendor.name, family, pointer.clone())));
        for pointer in pointers {
            let nth = seen.len() + pointer.len();
            let with = |text: &str| {
                let mut body = body.clone();
                *body.pointer_mut(&pointer).expect("a place") = json!(text);
                body
            };
            let document = &documents("token", SECRET)[nth % DOCUMENTS];
            let hidden = with(document);
            let hashes = [hash.hash(document, false), hash.hash(document, true)];
            let (passed, hashed) = (published(&hidden, vendor, &pass).0, published(&hidden, vendor, &hash).0);
            if passed.contains(SECRET) || hashes.iter().any(|hash| hashed.contains(hash)) {
                wrong.insert(format!("{} {event_type} {pointer} is published: {document}", vendor.name));
            }
            each_leaf(&hidden, vendor, &pass, |leaf| {
                if leaf.pointer == pointer && !matches!(leaf.fate, LeafFate::Dropped(_)) {
                    wrong.insert(format!("{} {event_type} {pointer} is {:?}: {document}", vendor.name, leaf.fate));
                }
            });
            // Under another name it is a text like any other.
            let open = with(&documents("tokens", SECRET)[nth % DOCUMENTS]);
            let [all, passed_on] = counts.entry(vendor.name).or_default();
            *all += 1;
            *passed_on += usize::from(published(&open, vendor, &pass).0.contains(SECRET));
        }
    }
    let wrong: Vec<_> = wrong.into_iter().collect();
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    for (vendor, [all, passed_on]) in counts {
        assert!(passed_on * 2 > all, "{vendor}: {passed_on} of {all} places that pass a text on are too few");
    }
}

/// What has to be there, or says whose it is, is refused in its place; also where a header could stand in for it.
#[test]
fn what_has_to_be_there_is_no_document_with_a_secret() {
    let document = json!({"a": {"token": "ZSECRETZ0Q"}}).to_string();
    for (name, event_type, pointers) in [
        ("bspk", "shopper.created", &["/event_name", "/object/id"][..]),
        ("spree", "order.completed", &["/name", "/data/id"]),
        ("composer", "ORDER_RELEASED", &["/eventType", "/contextObject/order/store/code"]),
        ("bold", "order.saved", &["/data/order/platform_id"]),
    ] {
        let found = bodies().into_iter().find(|(vendor, of, _)| (vendor.name, *of) == (name, event_type));
        let (vendor, _, sample) = found.expect("a sample");
        for pointer in pointers {
            let mut body = sample.clone();
            *body.pointer_mut(pointer).expect("a place") = json!(document);
            for fixed in [None, Some(event_type.to_owned())] {
                let settings = SourceSettings { vendor: Some(vendor), event_type: fixed, ..SourceSettings::default() };
                let mut refused = None;
                each_outcome(&body, &settings, |outcome| {
                    if let Outcome::DeadLetter(letter) = outcome {
                        refused = Some((letter.code.as_str(), letter.pointer.clone()));
                    }
                });
                assert_eq!(refused, Some(("field.type", (*pointer).to_owned())), "{name} {pointer}");
            }
        }
    }
}

/// A PATCH that said it was null would clear what is known of it.
#[test]
fn what_is_not_given_out_is_not_said_to_be_null() {
    let document = json!({"a": {"token": "ZSECRETZ0Q"}}).to_string();
    for (name, event_type, pointer) in [
        ("spree", "product.created", "/data/description"),
        ("bold", "product.saved", "/data/product/description"),
        ("bold", "customer.saved", "/data/customer/first_name"),
    ] {
        let is_it = |(vendor, of, body): &(&Vendor, &str, Value)| {
            (vendor.name, *of) == (name, event_type) && body.pointer(pointer).is_some()
        };
        let (vendor, _, mut body) = bodies().into_iter().find(is_it).expect("a sample");
        let settings = SourceSettings { vendor: Some(vendor), ..SourceSettings::default() };
        let says = |body: &Value| {
            let mut present = Vec::new();
            each_outcome(body, &settings, |outcome| {
                if let Outcome::Event(translated) = outcome {
                    present.extend(translated.event.meta.present.iter().copied());
                }
            });
            present
        };
        let path = pointer.rsplit('/').next().expect("a key");
        assert!(says(&body).iter().any(|it| it.starts_with(path)), "{name} {path}");
        *body.pointer_mut(pointer).expect("a place") = json!(document);
        let present = says(&body);
        assert!(!present.is_empty() && !present.iter().any(|it| it.starts_with(path)), "{name} {path}: {present:?}");
    }
}

/// Nor does what stands around a webhook: a CloudEvent's id becomes the event's.
#[test]
fn an_envelope_passes_on_no_document_with_a_secret() {
    let found = bodies().into_iter().find(|(vendor, ..)| vendor.name == "bspk");
    let (_, _, body) = found.expect("a sample");
    let out = |id: &str| {
        let event = json!({"specversion": "1.0", "id": id, "source": "s", "type": "t", "data": body});
        let mut out = String::new();
        each_outcome(&event, &SourceSettings::default(), |outcome| {
            let Outcome::Event(translated) = outcome else { panic!("{outcome:?}") };
            out = serde_json::to_string(translated.event).expect("JSON");
        });
        out
    };
    assert!(out("ZSECRETZ0Q").contains("ZSECRETZ0Q"));
    for name in ["token", "external_data"] {
        assert!(!out(&json!({name: "ZSECRETZ0Q"}).to_string()).contains("ZSECRETZ0Q"), "{name}");
    }
}

/// A key may be a document as well as a text may, and keys stand in pointers and are names of attributes.
#[test]
fn no_key_that_is_a_document_passes_on_a_secret() {
    const SECRET: &str = "ZSECRETZ0Q";
    let pass = all_but(Treatment::Pass);
    let (mut wrong, mut passed_on, mut nth) = (BTreeSet::new(), 0, 0);
    for (vendor, event_type, body) in bodies() {
        let mut objects = Vec::new();
        objects_in(&body, "", &mut objects);
        for pointer in objects {
            nth += 1;
            let out = |name| {
                let mut body = body.clone();
                let key = documents(name, SECRET)[nth % DOCUMENTS].clone();
                body.pointer_mut(&pointer).and_then(Value::as_object_mut).expect("an object").insert(key, json!("x"));
                published(&body, vendor, &pass).0
            };
            if out("token").contains(SECRET) {
                wrong.insert(format!(
                    "{} {event_type} {pointer}: {}",
                    vendor.name,
                    documents("token", "")[nth % DOCUMENTS]
                ));
            }
            passed_on += usize::from(out("tokens").contains(SECRET));
        }
    }
    let wrong: Vec<_> = wrong.into_iter().collect();
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    assert!(passed_on * 10 > nth * 8, "{passed_on} of {nth} keys that are passed on are too few");
}

/// The pointers to all objects.
fn objects_in(value: &Value, pointer: &str, out: &mut Vec<String>) {
    let mut below = |step: &str, child| objects_in(child, &format!("{pointer}/{step}"), out);
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, child)| below(&escaped(key), child));
            out.push(pointer.to_owned());
        }
        Value::Array(items) => items.iter().enumerate().for_each(|(nth, child)| below(&nth.to_string(), child)),
        _ => {}
    }
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn raw(text: &str) -> RawRecord<'_> {
    RawRecord {
        topic: "raw",
        partition: 0,
        offset: 0,
        timestamp_ms: Some(0),
        key: None,
        value: Some(text.as_bytes()),
        headers: &[],
    }
}
