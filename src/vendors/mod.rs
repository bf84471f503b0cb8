//! The vendors: what each sends, and how it maps onto the canonical model.
//!
//! A vendor is data ([`Vendor`]): how its envelope is read, the list of its documented events and where each goes, and
//! what of its bodies is dropped. Everything else (metadata, keys, what is left over) is done once, in `translate`.
//! Knows neither Kafka, nor Avro, nor metrics, nor the clock; no vendor knows another.

pub mod bold;
pub mod bspk;
pub mod composer;
pub mod cursor;
pub mod documents;
mod elements;
pub mod spree;
#[cfg(test)]
mod testing;

use crate::canonical::{Action, Attributes, Component, Coverage, Entity, Micros, Text};
use crate::reject::{Code, Reject};
use cursor::{Node, Rule, Rules, Why};
use documents::Documents;
use std::borrow::Cow;
use std::sync::LazyLock;

/// Every vendor, in the order in which `vendor: auto` asks them.
pub static VENDORS: [&Vendor; 4] = [&spree::SPREE, &bspk::BSPK, &composer::COMPOSER, &bold::BOLD];

/// The vendor of that name.
pub fn vendor(name: &str) -> Option<&'static Vendor> {
    VENDORS.into_iter().find(|vendor| vendor.name == name)
}

/// One vendor: all that `translate` needs to know of it.
#[derive(Debug)]
pub struct Vendor {
    /// As it stands in topics, keys and labels.
    pub name: &'static str,
    /// Whether a body has this vendor's shape. No other vendor's body may.
    pub recognises: fn(Node<'_>) -> bool,
    /// Reads the envelope.
    pub open: for<'a> fn(&Unit<'a>) -> Result<Envelope<'a>, Reject>,
    /// Every event type that is documented or known to be sent, sorted by name.
    pub events: &'static [EventType],
    /// Those of them that are sent and not documented.
    pub released: &'static [&'static str],
    /// What the pages document of the bodies.
    pub documents: &'static LazyLock<Documents>,
    /// What is dropped of this vendor's bodies, beside [`SECRETS`] and [`PRIVATE`].
    pub drops: &'static [Rule],
    /// What earlier builds ignored and this one does not: what `koine run --only <rule>` brings in.
    pub once_ignored: &'static [OnceIgnored],
}

/// Events that builds before this one ignored by a rule, and this one maps. Once written it stays as it is: a rule's name
/// stands for the same events in every build to come.
#[derive(Debug, Clone, Copy)]
pub struct OnceIgnored {
    pub rule: &'static str,
    /// Sorted by name.
    pub events: &'static [&'static str],
}

impl Vendor {
    pub fn event(&self, name: &str) -> Option<&'static EventType> {
        self.place_of(name).map(|place| &self.events[place])
    }

    /// The place of an event type in the list of them.
    pub fn place_of(&self, name: &str) -> Option<usize> {
        self.events.binary_search_by(|event| event.name.cmp(name)).ok()
    }

    /// The rules of this vendor and of all. Where what governments number people by may be published, nothing is dropped
    /// for being called so.
    pub fn rules(&self, are_government_ids_open: bool) -> Rules {
        let private = if are_government_ids_open { &[] } else { PRIVATE };
        Rules::new(&[SECRETS, private, self.drops])
    }
}

/// One webhook on its way in: its body, and what the raw record says beside it.
#[derive(Clone, Copy)]
pub struct Unit<'a> {
    pub body: Node<'a>,
    /// The header `koine-path`: the path of the URL that the webhook was sent to.
    pub path: Option<&'a str>,
    /// The header `koine-event-type`, or the source's fixed event type.
    pub event_type: Option<&'a str>,
}

/// What an envelope says.
pub struct Envelope<'a> {
    /// In the vendor's words.
    pub event_type: Text<'a>,
    /// The place of the event type in the body, to point at if it is not known.
    pub event_type_at: Node<'a>,
    /// The vendor's own id of the event.
    pub event_id: Option<Text<'a>>,
    /// When the event happened, by the envelope.
    pub occurred_at: Option<Micros>,
    pub shop: Option<Text<'a>>,
    pub api_version: Option<Text<'a>>,
    /// The entity, or whatever else the mapping starts from.
    pub data: Node<'a>,
}

/// A documented event type, and what becomes of it.
#[derive(Debug, Clone, Copy)]
pub struct EventType {
    pub name: &'static str,
    pub route: Route,
}

#[derive(Debug, Clone, Copy)]
pub enum Route {
    Map(Mapping),
    /// Whether there is a place for it, only its body says.
    MapOrIgnore(Action, for<'a> fn(&Envelope<'a>, Action) -> Result<Found<'a>, Reject>),
    Ignore(Ignore),
}

impl Route {
    /// What becomes of a webhook of this type.
    pub fn follow<'a>(&self, envelope: &Envelope<'a>) -> Result<Found<'a>, Reject> {
        match self {
            Route::Map(mapping) => (mapping.map)(envelope, mapping.action).map(Ok),
            Route::MapOrIgnore(action, map) => map(envelope, *action),
            Route::Ignore(rule) => Ok(Err(*rule)),
        }
    }
}

/// An event, or the rule by which there is none.
pub type Found<'a> = Result<Mapped<'a>, Ignore>;

/// A mapping reads the envelope's data and says what the event is. `Action` is what the event's name stands for.
#[derive(Debug, Clone, Copy)]
pub struct Mapping {
    pub action: Action,
    pub map: for<'a> fn(&Envelope<'a>, Action) -> Result<Mapped<'a>, Reject>,
}

/// Why a documented event has no place in the four entities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ignore {
    /// Commerce, but none of the four entities: promotions, gift cards, stock transfers.
    NoCanonicalEntity,
    /// The shop's own work: imports, exports, reports, blog posts, invitations.
    BackOffice,
    /// It carries a live credential and is written nowhere.
    Credential,
}

impl Ignore {
    pub const ALL: &[Ignore] = &[Ignore::NoCanonicalEntity, Ignore::BackOffice, Ignore::Credential];

    pub const fn as_str(self) -> &'static str {
        match self {
            Ignore::NoCanonicalEntity => "no_canonical_entity",
            Ignore::BackOffice => "back_office",
            Ignore::Credential => "credential",
        }
    }

    pub const fn reason(self) -> &'static str {
        match self {
            Ignore::NoCanonicalEntity => "the four canonical entities have no place for it",
            Ignore::BackOffice => "it is about the shop's own work, not about customers, carts, orders or products",
            Ignore::Credential => "it carries a live credential, which is written nowhere",
        }
    }
}

/// What a mapping found.
pub struct Mapped<'a> {
    pub entity: Entity<'a>,
    pub action: Action,
    pub coverage: Coverage,
    /// For PATCH and COMPONENT: the dotted canonical paths that the body says.
    pub present: Cow<'static, [&'static str]>,
    pub component: Option<Component<'a>>,
    /// The entity's own clock: when it was last changed or deleted.
    pub clock: Option<Micros>,
    /// Whether the body carries enough of its own to be told from a later one with the same bytes.
    pub is_identified_by_body: bool,
}

/// What opens something. Never in any topic but the dead letters' own bytes, whoever the vendor is. Beside these, every
/// key whose last word is secret, token, password, authorization or api key ([`cursor::is_secret_name`]).
pub const SECRETS: &[Rule] = &[
    Rule::new("token", Why::Secret),
    Rule::new("external_client_secret", Why::Secret),
    Rule::new("external_data", Why::Secret),
    Rule::new("customer_external_id", Why::Secret),
    Rule::new("gateway_payment_profile_id", Why::Secret),
    Rule::under("gift_card", "code", Why::Secret),
    Rule::under("gift_cards", "code", Why::Secret),
    Rule::new("download_url", Why::Secret),
    Rule::new("reset_token", Why::Secret),
];

/// What governments number people by, under whatever roof it stands. A mapping that reads it leaves it to the class of its
/// field; what nobody read is dropped by its name, unless all of it may pass.
pub const PRIVATE: &[Rule] = &[Rule::new("passport_number", Why::Privacy)];

/// Which of the `(vendor's key, canonical path)` pairs a PATCH body says: the paths of the keys that are there, be they
/// null; not those of texts that are not given out, which would be taken for said to be null. A path is named once, however
/// many keys feed it.
pub fn present(node: Node<'_>, said: &[(&'static str, &'static str)]) -> Cow<'static, [&'static str]> {
    let mut paths = Vec::with_capacity(said.len());
    for &(key, path) in said {
        if node.says(key) && !paths.contains(&path) {
            paths.push(path);
        }
    }
    Cow::Owned(paths)
}

/// Adds an attribute under `name`, unless its name is taken, or a rule drops what has such a name, or the value is a
/// JSON text with a secret in it. The value is text as it stands, or the JSON text of anything else. What is not added
/// stays unread, or is passed over as dropped; says whether it was added.
pub fn add_attribute<'a>(attributes: &mut Attributes<'a>, name: Text<'a>, value: Node<'a>) -> Result<bool, Reject> {
    if value.is_nowhere() || attributes.contains(&name) {
        return Ok(false);
    }
    if value.is_dropped_as(&name) || value.hides_secret(&name) {
        value.skip();
        return Ok(false);
    }
    let text = if value.is_object() || value.is_list() {
        value.read_json(&name).map(Text::Owned)
    } else {
        value.read_leaf_text()?
    };
    Ok(text.is_some_and(|text| attributes.insert(name, text)))
}

/// The envelope's event type where the body says it. The header, or the source's fixed one, stands in where the body is
/// silent, and may not say another.
pub fn event_type<'a>(unit: &Unit<'a>, key: &'static str) -> Result<(Text<'a>, Node<'a>), Reject> {
    let at = unit.body.value(key)?;
    match unit.body.text(key)?.filter(|name| !name.is_empty()) {
        Some(name) if unit.event_type.is_some_and(|other| other != name) => Err(at.refuse(Code::EnvelopeConflict)),
        Some(name) => Ok((name, at)),
        None => match unit.event_type.filter(|_| !at.is_hidden()) {
            Some(name) => Ok((Text::Borrowed(name), unit.body)),
            None => Err(unit.body.missing(key, Code::EnvelopeMissing)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::cursor::{Doc, Keeping, Nobody, Tape};
    use super::*;

    /// The table is history: what it says was so. That today's build does what it promises is what can be tested.
    #[test]
    fn what_was_once_ignored_is_mapped_today() {
        for vendor in VENDORS {
            for once in vendor.once_ignored {
                assert!(once.events.is_sorted_by(|a, b| a < b), "{} {}", vendor.name, once.rule);
                for name in once.events {
                    let route = vendor.event(name).map(|event| event.route);
                    assert!(
                        matches!(route, Some(Route::Map(_) | Route::MapOrIgnore(..))),
                        "{} {name}: {route:?}",
                        vendor.name
                    );
                }
            }
        }
    }

    /// The first release's notes, against the table: whose parts of what were `component_pending`.
    #[test]
    fn component_pending_were_the_parts() {
        let families = |name: &str| {
            let once = vendor(name).and_then(|vendor| vendor.once_ignored.first()).expect(name);
            assert_eq!(once.rule, "component_pending");
            let mut families: Vec<_> = once.events.iter().map(|event| event.split('.').next().unwrap()).collect();
            families.dedup();
            families
        };
        assert_eq!(
            families("spree"),
            "customer_return digital digital_link image line_item media newsletter_subscriber payment payment_session \
             payment_setup_session price refund reimbursement return_authorization return_item shipment stock_item \
             stock_movement store_credit variant wished_item"
                .split_whitespace()
                .collect::<Vec<_>>()
        );
        assert_eq!(families("bspk"), ["metafield"]);
        assert_eq!(families("bold"), ["category"]);
        assert!(composer::COMPOSER.once_ignored.is_empty());
    }

    fn with_root<T>(body: &str, rules: &Rules, f: impl FnOnce(Node<'_>) -> T) -> T {
        let mut tape = Tape::default();
        let text = tape.read(body.as_bytes(), 128).expect("JSON");
        f(Doc::new(&tape, text, rules, None).root())
    }

    #[test]
    fn an_attribute_is_no_way_round_the_rules() {
        const OWN: &[Rule] = &[Rule::new("handle", Why::Secret), Rule::new("passport", Why::Privacy)];
        let body = r#"{"size": "M", "fit": {"slim": true, "token": "SESAME"}, "note": "{plain}", "display_size": "Medium",
            "erp.api_key": "SESAME", "external_data": "SESAME", "handle": "SESAME", "passport": "SESAME",
            "packed": "[{\"login\": {\"password\": \"SESAME\"}}]", "nothing": null,
            "gift_card": {"code": "SESAME", "left": "5"}, "checkout.gift_card": [{"code": "SESAME"}], "gift_card.code": "SESAME",
            "cards": {"gift_card": "{\"code\": \"SESAME\"}"}}"#;
        let rules = Rules::new(&[SECRETS, OWN, &[Rule::new("display_*", Why::Derived)]]);
        with_root(body, &rules, |root| {
            let mut attributes = Attributes::default();
            for (name, value) in root.entries().expect("an object") {
                add_attribute(&mut attributes, Text::Borrowed(name), value).expect("an attribute");
            }
            let kept: Vec<_> = attributes.iter().collect();
            assert_eq!(
                kept,
                [
                    ("size", "M"),
                    ("fit", r#"{"slim":true}"#),
                    ("note", "{plain}"),
                    ("display_size", "Medium"),
                    ("gift_card", r#"{"left":"5"}"#)
                ]
            );
            let mut left_over = crate::canonical::ExtensionsBuffer::default();
            root.leftovers(Keeping::EVERYTHING, &mut String::new(), &mut left_over, &mut Nobody).expect("room");
            assert_eq!(left_over.view().iter().count(), 0);
        });
    }

    /// A text that is malformed would be no documents at all.
    #[test]
    fn the_pages_can_be_read_and_know_every_event_type() {
        for (vendor, text) in [
            (&spree::SPREE, include_str!("spree/documents.txt")),
            (&bspk::BSPK, include_str!("bspk/documents.txt")),
            (&composer::COMPOSER, include_str!("composer/documents.txt")),
            (&bold::BOLD, include_str!("bold/documents.txt")),
        ] {
            if let Err(malformed) = Documents::parse(text) {
                panic!("{}/documents.txt, {malformed}", vendor.name);
            }
            for event in vendor.events {
                let is_mapped = !matches!(event.route, Route::Ignore(_));
                assert!(!is_mapped || vendor.documents.body(event.name).is_some(), "{} {}", vendor.name, event.name);
            }
            for name in vendor.released {
                assert!(vendor.event(name).is_some(), "{name}");
            }
        }
    }

    #[test]
    fn a_header_may_not_say_another_event_type_than_the_body() {
        let (mut tape, rules) = (Tape::default(), Rules::new(&[]));
        for (body, header, expected) in [
            (r#"{"name":"a.b"}"#, None, Ok("a.b")),
            (r#"{"name":"a.b"}"#, Some("a.b"), Ok("a.b")),
            (r#"{"name":"a.b"}"#, Some("a.c"), Err((Code::EnvelopeConflict, "/name"))),
            (r#"{"name":""}"#, Some("a.c"), Ok("a.c")),
            (r#"{"name":null}"#, Some("a.c"), Ok("a.c")),
            (r#"{}"#, Some("a.c"), Ok("a.c")),
            (r#"{}"#, None, Err((Code::EnvelopeMissing, "/name"))),
            (r#"{"name":[]}"#, Some("a.c"), Err((Code::FieldType, "/name"))),
        ] {
            let text = tape.read(body.as_bytes(), 8).expect("JSON");
            let doc = Doc::new(&tape, text, &rules, None);
            let unit = Unit { body: doc.root(), path: None, event_type: header };
            match (event_type(&unit, "name"), expected) {
                (Ok((found, _)), Ok(wanted)) => assert_eq!(found, wanted, "{body}"),
                (Err(reject), Err((code, pointer))) => {
                    assert_eq!((reject.code, &*doc.pointer(doc.root(), &reject)), (code, pointer), "{body}");
                }
                (found, wanted) => panic!("{body}: {wanted:?}, {:?}", found.map(|(name, _)| name)),
            }
        }
    }
}
