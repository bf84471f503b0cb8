//! Drift: what no vendor's page documents is told of, by its place, and nothing that a page documents is.

use koine::canonical::{PiiClass, Privacy, Treatment};
use koine::samples::SAMPLES;
use koine::translate::{DriftKind, Extensions, Outcome, RawRecord, SourceSettings, Translator};
use koine::vendors::{VENDORS, Vendor};
use serde_json::{Value, json};
use std::fs;
use std::sync::Arc;

fn of(vendor: &'static Vendor) -> SourceSettings {
    SourceSettings { vendor: Some(vendor), ..SourceSettings::default() }
}

/// Extensions, and drift.
type Told = Option<(Value, Vec<(DriftKind, String)>)>;

/// What one body becomes.
fn told(body: &[u8], settings: &SourceSettings) -> Told {
    told_by(&mut Translator::new(), body, settings)
}

/// The same of a translator that may have translated others before.
fn told_by(translator: &mut Translator, body: &[u8], settings: &SourceSettings) -> Told {
    let raw = RawRecord {
        topic: "raw",
        partition: 0,
        offset: 0,
        timestamp_ms: Some(0),
        key: None,
        value: Some(body),
        headers: &[],
    };
    let mut told = None;
    translator.translate(&raw, settings, &mut |_, outcome| {
        if let Outcome::Event(translated) = outcome {
            let extensions = serde_json::to_value(translated.event.extensions).expect("JSON");
            let drift = translated.drift.iter().map(|drift| (drift.kind, drift.path.clone())).collect();
            told = Some((extensions, drift));
        }
    });
    told
}

fn bodies(vendor: &Vendor) -> impl Iterator<Item = (&'static str, &'static [u8])> {
    SAMPLES.iter().filter(|sample| sample.vendor == vendor.name).map(|sample| (sample.name, sample.body))
}

fn body(vendor: &str, name: &str) -> Value {
    let path = format!("{}/tests/fixtures/bodies/{vendor}/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&fs::read(path).expect("body")).expect("JSON")
}

fn with(body: &Value, pointer: &str, value: Value) -> Vec<u8> {
    let mut body = body.clone();
    let (parent, key) = pointer.rsplit_once('/').expect("a place");
    match body.pointer_mut(parent).expect("a parent") {
        Value::Object(map) => drop(map.insert(key.to_owned(), value)),
        Value::Array(items) => items[key.parse::<usize>().expect("an index")] = value,
        _ => panic!("no container"),
    }
    body.to_string().into_bytes()
}

/// Bodies that were made to hold something new, and what.
const NEW: &[(&str, &[(DriftKind, &str)])] = &[
    ("bspk/cart.created.unknown_type", &[(DriftKind::NewValue, "/object/cart_type")]),
    (
        "bspk/shopper.updated.opt_out",
        &[
            (DriftKind::NewPath, "/object/zodiac_sign"),
            (DriftKind::NewPath, "/object/loyalty_token"),
            (DriftKind::NewValue, "/object/gender"),
        ],
    ),
    ("composer/CUSTOMER_UPDATED.attributes", &[(DriftKind::NewValue, "/contextObject/customer/status")]),
    ("composer/ORDER_RELEASED.physical", &[(DriftKind::NewValue, "/contextObject/order/shipments/*/status")]),
    ("bold/order.saved.magento", &[(DriftKind::NewValue, "/data/order/payments/*/status")]),
];

/// The bodies are the pages' own samples, or made after their tables.
#[test]
fn no_page_drifts_from_itself() {
    let (mut wrong, mut bodies_seen) = (Vec::new(), 0);
    for vendor in VENDORS {
        for (name, body) in bodies(vendor) {
            let Some((_, drift)) = told(body, &of(vendor)) else { continue };
            bodies_seen += 1;
            let name = format!("{}/{name}", vendor.name);
            let event_type = name.split(['/', '.']).skip(1).take(2).collect::<Vec<_>>().join(".");
            let mut due: Vec<_> = match vendor.released.contains(&&*event_type) {
                true => vec![(DriftKind::NewEventType, String::new())],
                false => Vec::new(),
            };
            let new = NEW.iter().filter(|(made, _)| *made == name).flat_map(|(_, new)| *new);
            due.extend(new.map(|(kind, path)| (*kind, (*path).to_owned())));
            if drift != due {
                wrong.push(format!("{name}: {drift:?}"));
            }
        }
    }
    assert!(bodies_seen > 100, "{bodies_seen} bodies are too few");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Ways are remembered by the shapes of what was seen: no webhook is told of by the way of another.
#[test]
fn what_is_told_does_not_depend_on_what_was_told_before() {
    let spree = &koine::vendors::spree::SPREE;
    let order = body("spree", "order.completed");
    let items = |items: Value| with(&order, "/data/items", items);
    let mut mixed = vec![
        with(&order, "/data/gift", json!(1)),
        with(&order, "/data/wrap", json!(1)),
        with(&order, "/data/gift", json!({"wrap": 1})),
        with(&order, "/data/ada@example.com", json!(1)),
        with(&order, "/data/bob@example.com", json!(1)),
        // One shape, odd at different places.
        with(&order, "/data/number", json!(7)),
        with(&order, "/data/email", json!(7)),
        with(&order, "/data/display_total", json!(7)),
        items(json!([{"id": "li_1", "wrap": 1}, {"id": "li_2", "wrap": 2}])),
        items(json!([{"id": "li_1", "wrap": 1}, {"wrap": 2, "id": "li_2"}, {"id": "li_3", "bow": 1, "wrap": 2}])),
        items(json!([{"id": "li_1", "bow": 1}, {"id": "li_2", "wrap": 1}])),
    ];
    // As elements of a list.
    mixed.push([b"[".as_slice(), &mixed[0], b",", &mixed[6], b"]"].concat());
    mixed.extend(bodies(spree).map(|(_, body)| body.to_vec()));
    let closed = Privacy::default().with(PiiClass::Undocumented, Treatment::Drop);
    let ways = [of(spree), SourceSettings { privacy: Arc::new(closed), ..of(spree) }];
    let mut translator = Translator::new();
    for round in 0..3 {
        for (nth, body) in mixed.iter().enumerate() {
            let settings = &ways[(nth + round) % 2];
            assert_eq!(told_by(&mut translator, body, settings), told(body, settings), "round {round}, body {nth}");
        }
    }
}

#[test]
fn what_is_new_is_told_by_its_place() {
    let spree = &koine::vendors::spree::SPREE;
    let order = body("spree", "order.completed");
    let drift = |pointer: &str, value: Value| told(&with(&order, pointer, value), &of(spree)).expect("an event").1;
    let one = |kind, path: &str| vec![(kind, path.to_owned())];
    assert_eq!(drift("/data/gift_wrap", json!(true)), one(DriftKind::NewPath, "/data/gift_wrap"));
    // By its topmost place, once for all elements of a list.
    assert_eq!(drift("/data/gift", json!({"wrap": {"colour": 1}, "card": []})), one(DriftKind::NewPath, "/data/gift"));
    let items = json!([{"id": "li_1", "wrap": 1}, {"id": "li_2", "wrap": 2}]);
    assert_eq!(drift("/data/items", items), one(DriftKind::NewPath, "/data/items/*/wrap"));
    // What may be somebody's name is its place.
    let count = order["data"].as_object().expect("an object").len();
    assert_eq!(drift("/data/ada@example.com", json!(1)), one(DriftKind::NewPath, &format!("/data/~#{count}")));
    // A secret's name is news too, and its value is nowhere.
    assert_eq!(drift("/data/new_token", json!("x")), one(DriftKind::NewPath, "/data/new_token"));
    // What says nothing is no news.
    assert_eq!(drift("/data/gift_wrap", json!(null)), []);
    assert_eq!(drift("/data/gift_wrap", json!({})), []);
    // Another type, read by the mapping or not.
    assert_eq!(drift("/data/number", json!(7)), one(DriftKind::TypeChange, "/data/number"));
    assert_eq!(drift("/data/display_total", json!({"x": 1})), one(DriftKind::TypeChange, "/data/display_total"));
    // A word that is not in the list, and a form that cannot be read.
    assert_eq!(drift("/data/state", json!("teleported")), one(DriftKind::NewValue, "/data/state"));
    assert_eq!(drift("/data/currency", json!("Talers")), one(DriftKind::NewValue, "/data/currency"));
    // A name beside the documented ones.
    assert_eq!(drift("/name", json!("order.approved")), one(DriftKind::NewEventType, ""));
}

#[test]
fn drift_is_told_of_whatever_is_kept() {
    let spree = &koine::vendors::spree::SPREE;
    let changed = with(&body("spree", "order.completed"), "/data/gift_wrap", json!({"colour": "red"}));
    let new = [(DriftKind::NewPath, "/data/gift_wrap".to_owned())];
    let kept = |extensions| told(&changed, &SourceSettings { extensions, ..of(spree) }).expect("an event");
    let (full, drift) = kept(Extensions::Full);
    assert_eq!(drift, new);
    assert_eq!(full["/data/gift_wrap"], "{\"colour\":\"red\"}");
    assert!(
        full.as_object().expect("a map").len() > 1,
        "an order with nothing documented left over tells nothing here"
    );
    let (only_drift, drift) = kept(Extensions::Drift);
    assert_eq!(drift, new);
    assert_eq!(only_drift, json!({"/data/gift_wrap": "{\"colour\":\"red\"}"}));
    let (off, drift) = kept(Extensions::Off);
    assert_eq!((off, &*drift), (json!({}), &new[..]));
}

/// Where nothing undocumented may be published, neither may its name: it can be anybody's.
#[test]
fn a_name_that_may_not_be_published_is_not_told() {
    let spree = &koine::vendors::spree::SPREE;
    let changed = with(&body("spree", "order.completed"), "/data/Ada", json!(1));
    for treatment in [Treatment::Hash, Treatment::Drop] {
        let privacy = Arc::new(Privacy::default().with(PiiClass::Undocumented, treatment));
        let (extensions, drift) = told(&changed, &SourceSettings { privacy, ..of(spree) }).expect("an event");
        assert_eq!(drift, [(DriftKind::NewPath, "/data/~".to_owned())]);
        assert_eq!(extensions.get("/data/Ada"), None);
    }
}

/// Nor may that of what something new lies in: an attribute of the shop's own is called as the shop likes.
#[test]
fn a_name_on_the_way_that_may_not_be_published_is_not_told() {
    let composer = &koine::vendors::composer::COMPOSER;
    let customer = body("composer", "CUSTOMER_UPDATED");
    let attribute = "/contextObject/customer/attributeValues//Ada";
    for (value, kind, open, closed) in [
        (json!({"value": "x", "new": 1}), DriftKind::NewPath, "//Ada/new", "//~/~"),
        (json!({"value": "x", "attribute": 7}), DriftKind::TypeChange, "//Ada/attribute", "//~/attribute"),
        (json!("x"), DriftKind::TypeChange, "//Ada", "//~"),
    ] {
        let changed = with(&customer, attribute, value);
        for (treatment, way) in [(Treatment::Pass, open), (Treatment::Hash, closed), (Treatment::Drop, closed)] {
            let privacy = Arc::new(Privacy::default().with(PiiClass::Undocumented, treatment));
            let (_, drift) = told(&changed, &SourceSettings { privacy, ..of(composer) }).expect("an event");
            assert_eq!(drift, [(kind, format!("/contextObject/customer/attributeValues{way}"))], "{treatment:?}");
        }
    }
}
