//! The pure function in the middle: a raw record in, one [`Outcome`] out for each webhook in it.
//!
//! No clock, no randomness, no I/O. The same bytes with the same settings give the same outcome, on any machine, any
//! day. Knows no vendor's field names and no Kafka.

mod account;
mod payload;

pub use account::{Drift, DriftKind, Leaf, LeafFate};

use crate::canonical::{
    ClockBasis, Coverage, EntityKind, Event, EventId, EventIdBasis, EventMeta, ExtensionsBuffer, Micros, Personal,
    PiiClass, Privacy, Source, Text, Treatment,
};
use crate::pointer::Pointer;
use crate::reject::{Code, Place, Reject};
pub use crate::vendors::cursor::Extensions;
use crate::vendors::cursor::{Doc, Keeping, Node, Rules, Tape};
use crate::vendors::documents::Body;
use crate::vendors::{Ignore, Mapped, SECRETS, Unit, VENDORS, Vendor};
use account::{Accountant, Sightings};
use payload::{CloudEventId, Envelope, Payload, Trouble};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::sync::Arc;

/// Version and mapping digest: two builds of the same name translate alike.
pub const BUILD: &str = env!("KOINE_BUILD");

/// The namespace of every `meta.event_id`: the UUIDv5 of `koine.commerce.v1` in the DNS namespace, so that anybody can
/// compute an id again.
pub const EVENT_ID_NAMESPACE: uuid::Uuid = uuid::uuid!("755300eb-c838-5bd5-a7b3-e94f1c3e65d3");

/// A record of a raw topic, borrowed from wherever it lies.
#[derive(Debug, Clone, Copy)]
pub struct RawRecord<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub offset: i64,
    /// Milliseconds since 1970, if the record has a time.
    pub timestamp_ms: Option<i64>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: &'a [Header<'a>],
}

/// A header of a raw record. A name may stand there more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    pub name: &'a str,
    pub value: Option<&'a [u8]>,
}

impl<'a> RawRecord<'a> {
    /// The last header of that name, if it is text.
    fn header(&self, name: &str) -> Option<&'a str> {
        let last = self.headers.iter().rev().find(|header| header.name == name)?;
        std::str::from_utf8(last.value?).ok().filter(|text| !text.is_empty())
    }
}

/// What the configuration says of a source, and the limits that hold for all.
#[derive(Debug, Clone)]
pub struct SourceSettings {
    /// The vendor; `None` tells it from the body's shape.
    pub vendor: Option<&'static Vendor>,
    pub shop: Option<String>,
    pub event_type: Option<String>,
    /// Where in the value the webhook lies, if a gateway has put it into an envelope of its own.
    pub payload_pointer: Option<Pointer>,
    /// The zone of times that name none; without it they are `time.invalid`.
    pub time_zone: Option<jiff::tz::TimeZone>,
    /// Whether what has no canonical field is kept in `extensions`.
    pub extensions: Extensions,
    /// What is done with personal data.
    pub privacy: Arc<Privacy>,
    /// Bytes; a larger body is `body.too_large`.
    pub max_body: usize,
    /// Levels; a deeper body is `json.depth`.
    pub max_depth: usize,
}

/// The time zone of that IANA name. The database is part of the program: a zone means the same on every machine.
pub fn time_zone(name: &str) -> Option<jiff::tz::TimeZone> {
    jiff::tz::TimeZone::get(name).ok()
}

impl Default for SourceSettings {
    fn default() -> Self {
        SourceSettings {
            vendor: None,
            shop: None,
            event_type: None,
            payload_pointer: None,
            time_zone: None,
            extensions: Extensions::Full,
            privacy: Arc::default(),
            max_body: 8 * 1024 * 1024,
            max_depth: 128,
        }
    }
}

/// What became of one webhook.
#[derive(Debug)]
pub enum Outcome<'o> {
    Event(Translated<'o>),
    Ignored(Ignored),
    DeadLetter(DeadLetter),
}

/// One canonical record, its key and its headers.
#[derive(Debug, Clone, Copy)]
pub struct Translated<'o> {
    pub vendor: &'static str,
    /// The documented name of the event.
    pub event_type: &'static str,
    pub event: &'o Event<'o>,
    /// `vendor:shop:entity:id`.
    pub key: &'o str,
    pub headers: &'o [(&'static str, &'o str)],
    /// In what the webhook is not as its page says.
    pub drift: &'o [Drift],
    /// How many of its leaves are in `extensions`.
    pub unmapped: usize,
}

/// A documented event that has no place in the four entities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ignored {
    pub vendor: &'static str,
    pub event_type: &'static str,
    pub rule: Ignore,
}

/// A webhook that is refused. Nothing in here is a value of the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    pub vendor: Option<&'static str>,
    /// As it may stand in a header or label.
    pub event_type: Option<String>,
    pub code: Code,
    /// RFC 6901, into the webhook; empty for the webhook as a whole. Where the trouble is with the envelope around it, into
    /// the record, which `detail` says.
    pub pointer: String,
    /// What is wrong, for people.
    pub detail: String,
    /// The place in the raw record, if that (or what its envelope holds) is a list of webhooks.
    pub index: Option<i32>,
    /// The same for refusals that one mended cause would heal: of the code, the pointer without its list indexes,
    /// vendor and event type.
    pub fingerprint: String,
}

/// The function, with the buffers it uses again from record to record. One a thread; what was translated before never
/// changes an outcome.
pub struct Translator {
    tape: Tape,
    /// For what an envelope holds.
    inner: Tape,
    extensions: ExtensionsBuffer,
    pointer: String,
    key: String,
    headers: String,
    /// Of [`VENDORS`], in their order.
    pages: [Pages; VENDORS.len()],
    /// While it is not known whose a body is.
    anybodys: Rules,
    sightings: Sightings,
}

/// What is known of one vendor's bodies beforehand.
struct Pages {
    /// Where the ids that governments give are published, and where not.
    open: Rules,
    closed: Rules,
    /// What is documented of each event type's body, in the order of the vendor's list.
    bodies: Vec<Option<Body<'static>>>,
    /// Whether each is documented at all.
    documented: Vec<bool>,
}

impl Pages {
    fn of(vendor: &'static Vendor) -> Pages {
        let names = || vendor.events.iter().map(|event| event.name);
        Pages {
            open: vendor.rules(true),
            closed: vendor.rules(false),
            bodies: names().map(|name| vendor.documents.body(name)).collect(),
            documented: names().map(|name| !vendor.released.contains(&name)).collect(),
        }
    }

    fn rules(&self, privacy: &Privacy) -> &Rules {
        if privacy.of(PiiClass::GovernmentId) == Treatment::Pass { &self.open } else { &self.closed }
    }
}

impl Default for Translator {
    fn default() -> Self {
        Translator {
            tape: Tape::default(),
            inner: Tape::default(),
            extensions: ExtensionsBuffer::default(),
            pointer: String::new(),
            key: String::new(),
            headers: String::new(),
            pages: VENDORS.map(Pages::of),
            anybodys: Rules::new(&[SECRETS]),
            sightings: Sightings::default(),
        }
    }
}

/// Why a webhook has no event: it is refused, or rightly passed over.
enum Stop {
    Refused(Reject),
    Ignored(Ignored),
}

impl From<Reject> for Stop {
    fn from(reject: Reject) -> Self {
        Stop::Refused(reject)
    }
}

/// What is known of a webhook that is about to be refused.
#[derive(Default)]
struct Known<'a> {
    vendor: Option<&'static str>,
    event_type: Option<Text<'a>>,
    /// Whether a document names the event type.
    is_documented: bool,
}

impl Translator {
    pub fn new() -> Translator {
        Translator::default()
    }

    /// Translates a raw record: `each` is called once for every webhook in it, in their order, with its place. How many it
    /// holds.
    pub fn translate(
        &mut self,
        raw: &RawRecord<'_>,
        settings: &SourceSettings,
        each: &mut impl FnMut(i32, Outcome<'_>),
    ) -> usize {
        self.translate_and_account(raw, settings, &mut || (), None, each)
    }

    /// The same, and says when the record is parsed, to whoever has a clock.
    pub fn translate_timed(
        &mut self,
        raw: &RawRecord<'_>,
        settings: &SourceSettings,
        parsed: &mut dyn FnMut(),
        each: &mut impl FnMut(i32, Outcome<'_>),
    ) -> usize {
        self.translate_and_account(raw, settings, parsed, None, each)
    }

    /// The same, and tells beforehand what becomes of every leaf of a webhook that has an event. It costs several times as
    /// much: for tests, and for the docs.
    pub fn account(
        &mut self,
        raw: &RawRecord<'_>,
        settings: &SourceSettings,
        leaf: &mut dyn FnMut(Leaf<'_>),
        each: &mut impl FnMut(i32, Outcome<'_>),
    ) -> usize {
        self.translate_and_account(raw, settings, &mut || (), Some(leaf), each)
    }

    fn translate_and_account(
        &mut self,
        raw: &RawRecord<'_>,
        settings: &SourceSettings,
        parsed: &mut dyn FnMut(),
        mut leaf: Option<&mut dyn FnMut(Leaf<'_>)>,
        each: &mut impl FnMut(i32, Outcome<'_>),
    ) -> usize {
        let Translator { tape, inner, extensions, pointer, key, headers, pages, anybodys, sightings } = self;
        let mut tools = Tools {
            extensions,
            pointer,
            key,
            headers,
            pages,
            anybodys,
            sightings,
            leaf: leaf.as_mut().map(|leaf| &mut **leaf as _),
        };
        let bytes = raw.value.unwrap_or_default();
        let body = match bytes.len() > settings.max_body {
            true => Err(Reject::whole(Code::BodyTooLarge)),
            false => tape.read(bytes, settings.max_depth),
        };
        parsed();
        let job = |element, text| Job { raw, settings, element, text, cloud_event: None };
        let body = match body {
            Ok(body) => body,
            Err(reject) => return job(None, "").refuse(&reject, bytes, each),
        };
        let doc = Doc::new(tape, body, tools.anybodys, settings.time_zone.as_ref());
        let is_cloud_events = match Envelope::of(raw, settings) {
            Envelope::Unsaid => false,
            Envelope::CloudEvents => true,
            Envelope::At(pointer) => {
                return job(None, body).unwrap(payload::at_pointer(body, pointer), inner, &mut tools, each);
            }
        };
        let mut take = |job: Job<'_>| match is_cloud_events {
            true => job.unwrap(job.cloud_event(unit(&doc, job.element)), inner, &mut tools, each),
            false => job.run(doc, job.element, Some(&mut *inner), &mut tools, each),
        };
        match doc.list_len() {
            None => take(job(None, body)),
            Some(0) => job(None, body).refuse(&Reject::whole(Code::EnvelopeMissing), bytes, each),
            Some(count) => {
                (0..count).map(|nth| take(job(Some(nth), doc.element(nth).map_or("", |(_, text)| text)))).sum()
            }
        }
    }
}

/// What a translator has for every webhook alike.
struct Tools<'t> {
    extensions: &'t mut ExtensionsBuffer,
    pointer: &'t mut String,
    key: &'t mut String,
    headers: &'t mut String,
    pages: &'t [Pages; VENDORS.len()],
    anybodys: &'t Rules,
    sightings: &'t mut Sightings,
    /// Who wants to know what becomes of each leaf.
    leaf: Option<&'t mut dyn FnMut(Leaf<'_>)>,
}

/// One webhook of a record, or what it is wrapped in.
struct Job<'r> {
    raw: &'r RawRecord<'r>,
    settings: &'r SourceSettings,
    /// Its place, if the record is a list.
    element: Option<usize>,
    /// Its bytes.
    text: &'r str,
    /// The CloudEvent that holds this webhook and no other.
    cloud_event: Option<&'r CloudEventId<'r>>,
}

impl Job<'_> {
    /// Translates the webhook in `doc`: its root, or one element of it. With an `inner` tape it may still be wrapped. How many
    /// there were.
    fn run(
        &self,
        doc: Doc<'_>,
        element: Option<usize>,
        inner: Option<&mut Tape>,
        tools: &mut Tools<'_>,
        each: &mut impl FnMut(i32, Outcome<'_>),
    ) -> usize {
        let body = unit(&doc, element);
        let place = match (self.vendor(body), inner) {
            (Ok(Some(place)), _) => place,
            (Ok(None), Some(inner)) if payload::is_cloud_event(body) => {
                return self.unwrap(self.cloud_event(body), inner, tools, each);
            }
            (Ok(None), _) => {
                return self.refuse(&Reject::whole(Code::EnvelopeUnknownVendor), self.text.as_bytes(), each);
            }
            (Err(reject), _) => return self.refuse(&reject, self.text.as_bytes(), each),
        };
        let vendor = VENDORS[place];
        let doc = doc.with_rules(tools.pages[place].rules(&self.settings.privacy));
        doc.allow(self.text);
        let body = unit(&doc, element);
        let mut hand_on = |outcome: Outcome<'_>| each(self.index().unwrap_or(0), outcome);
        let mut known = Known { vendor: Some(vendor.name), ..Known::default() };
        match self.event(place, &doc, body, &mut known, tools, &mut hand_on) {
            Ok(()) => {}
            Err(Stop::Ignored(ignored)) => hand_on(Outcome::Ignored(ignored)),
            Err(Stop::Refused(reject)) => {
                let pointer = doc.pointer(body, &reject);
                let refused = dead_letter(&known, &reject, pointer, self.index(), self.text.as_bytes());
                hand_on(Outcome::DeadLetter(refused));
            }
        }
        1
    }

    /// What stands where a webhook is due, as a CloudEvent.
    fn cloud_event(&self, event: Node<'_>) -> Result<Payload<'_>, Trouble> {
        let at = self.element.map(|nth| format!("/{nth}")).unwrap_or_default();
        payload::of_cloud_event(event, self.text, &at)
    }

    /// Translates what an envelope holds: a webhook, or a list of them. Lists are not nested: an envelope that is itself
    /// an element of a list holds one webhook.
    fn unwrap(
        &self,
        found: Result<Payload<'_>, Trouble>,
        inner: &mut Tape,
        tools: &mut Tools<'_>,
        each: &mut impl FnMut(i32, Outcome<'_>),
    ) -> usize {
        let Payload { bytes, at, event_id } = match found {
            Ok(payload) => payload,
            Err(Trouble { code, at }) => return self.refuse_envelope(&Reject::whole(code), &at, &[], each),
        };
        let text = match inner.read(&bytes, self.settings.max_depth) {
            Ok(text) => text,
            Err(reject) => return self.refuse_envelope(&reject, &at, &bytes, each),
        };
        let doc = Doc::new(inner, text, tools.anybodys, self.settings.time_zone.as_ref());
        match doc.list_len() {
            None if doc.root().is_object() => {
                let job = Job { text, cloud_event: event_id.as_ref(), ..*self };
                job.run(doc, None, None, tools, each)
            }
            Some(0) => self.refuse_envelope(&Reject::whole(Code::EnvelopeMissing), &at, &bytes, each),
            Some(count) if self.element.is_none() => {
                for nth in 0..count {
                    let text = doc.element(nth).map_or("", |(_, text)| text);
                    Job { element: Some(nth), text, ..*self }.run(doc, Some(nth), None, tools, each);
                }
                count
            }
            _ => self.refuse_envelope(&Reject::whole(Code::FieldType), &at, &bytes, each),
        }
    }

    fn index(&self) -> Option<i32> {
        self.element.map(|nth| nth as i32)
    }

    /// Refuses a webhook of which no more is known than its source says; `text` is what an offset counts in.
    #[cold]
    fn refuse(&self, reject: &Reject, text: &[u8], each: &mut impl FnMut(i32, Outcome<'_>)) -> usize {
        let refused = dead_letter(&self.known(), reject, String::new(), self.index(), text);
        each(self.index().unwrap_or(0), Outcome::DeadLetter(refused));
        1
    }

    /// Refuses what is wrong with an envelope, or cannot be read out of it. `at` is a place in the record.
    #[cold]
    fn refuse_envelope(
        &self,
        reject: &Reject,
        at: &str,
        text: &[u8],
        each: &mut impl FnMut(i32, Outcome<'_>),
    ) -> usize {
        let mut refused = dead_letter(&self.known(), reject, at.to_owned(), self.index(), text);
        refused.detail.push_str("; the pointer is into the record, not into a webhook");
        each(self.index().unwrap_or(0), Outcome::DeadLetter(refused));
        1
    }

    fn known(&self) -> Known<'static> {
        Known { vendor: self.settings.vendor.map(|vendor| vendor.name), ..Known::default() }
    }

    /// Whose webhook it is, as a place in [`VENDORS`]: by the configuration, else by the header, else by its shape, which
    /// may be nobody's.
    fn vendor(&self, body: Node<'_>) -> Result<Option<usize>, Reject> {
        let place = |wanted: &str| VENDORS.iter().position(|vendor| vendor.name == wanted);
        let fixed = self.settings.vendor.and_then(|vendor| place(vendor.name));
        let named = match self.raw.header("koine-vendor") {
            Some(name) => Some(place(name).ok_or(Reject::whole(Code::EnvelopeUnknownVendor))?),
            None => None,
        };
        match (fixed, named) {
            (Some(fixed), Some(named)) if fixed != named => Err(Reject::whole(Code::EnvelopeConflict)),
            (Some(nth), _) | (None, Some(nth)) => Ok(Some(nth)),
            (None, None) if body.is_object() => Ok(VENDORS.iter().position(|vendor| (vendor.recognises)(body))),
            (None, None) => Ok(None),
        }
    }

    /// Hands on the event, or says why there is none.
    fn event<'a>(
        &self,
        place: usize,
        doc: &'a Doc<'a>,
        body: Node<'a>,
        known: &mut Known<'a>,
        tools: &mut Tools<'_>,
        hand_on: &mut dyn FnMut(Outcome<'_>),
    ) -> Result<(), Stop>
    where
        Self: 'a,
    {
        if !body.is_object() {
            return Err(body.refuse(Code::FieldType).into());
        }
        let (vendor, pages) = (VENDORS[place], &tools.pages[place]);
        let unit = Unit {
            body,
            path: self.raw.header("koine-path"),
            event_type: self.settings.event_type.as_deref().or_else(|| self.raw.header("koine-event-type")),
        };
        let envelope = (vendor.open)(&unit)?;
        known.event_type = Some(envelope.event_type.clone());
        let Some(nth) = vendor.place_of(&envelope.event_type) else {
            return Err(envelope.event_type_at.refuse(Code::EventUnknown).into());
        };
        let event_type = &vendor.events[nth];
        known.is_documented = true;
        let mut mapped = match event_type.route.follow(&envelope)? {
            Ok(mapped) => mapped,
            Err(rule) => {
                return Err(Stop::Ignored(Ignored { vendor: vendor.name, event_type: event_type.name, rule }));
            }
        };
        tools.extensions.clear();
        tools.sightings.clear();
        let privacy = &*self.settings.privacy;
        let keeping = Keeping { body: pages.bodies[nth], extensions: self.settings.extensions, privacy: Some(privacy) };
        match &mut tools.leaf {
            None => body.leftovers(keeping, tools.pointer, tools.extensions, tools.sightings)?,
            Some(each) => {
                let mut accountant = Accountant::new(tools.sightings);
                body.leftovers(keeping, tools.pointer, tools.extensions, &mut accountant)?;
                accountant.tell(doc, body, *each);
            }
        }
        let unmapped = tools.sightings.kept;
        let drift = tools.sightings.told(doc, body, pages.bodies[nth], pages.documented[nth], privacy);
        mapped.entity.protect(privacy);
        mapped.component.protect(privacy);
        let shop = self.settings.shop.as_deref().or_else(|| self.raw.header("koine-shop")).map(Text::Borrowed);
        let shop = shop.or(envelope.shop).unwrap_or(Text::Borrowed("default"));
        // The record's header names one event, so it is none of those in a list.
        let header = || self.raw.header("koine-event-id").filter(|_| self.element.is_none());
        let event_id = envelope.event_id.or_else(|| header().map(Text::Borrowed));
        let cloud_event = self.cloud_event.filter(|_| event_id.is_none());
        let event_id = event_id.or(cloud_event.map(|event| Text::Borrowed(&*event.id)));
        let received_at = self.raw.timestamp_ms.and_then(Micros::from_millis).unwrap_or(Micros(0));
        let (occurred_at, occurred_at_basis) = match (envelope.occurred_at, mapped.clock) {
            (Some(time), _) => (time, ClockBasis::Envelope),
            (None, Some(time)) => (time, ClockBasis::Entity),
            (None, None) => (received_at, ClockBasis::Broker),
        };
        let (version, version_basis) = match (mapped.clock, envelope.occurred_at) {
            (Some(time), _) => (time, ClockBasis::Entity),
            (None, Some(time)) => (time, ClockBasis::Envelope),
            (None, None) => (received_at, ClockBasis::Broker),
        };
        let source = cloud_event.map(|event| &*event.source);
        let (event_id_uuid, event_id_basis) = self.event_id(vendor.name, &shop, event_id.as_deref(), source, &mapped);
        let Mapped { entity, action, coverage, present, mut component, .. } = mapped;
        let component_name = component.as_mut().and_then(|component| component.name.take());
        let kind = entity.kind();
        let event = Event {
            meta: EventMeta {
                event_id: event_id_uuid,
                event_id_basis,
                entity: kind,
                action,
                coverage,
                present,
                component,
                occurred_at,
                occurred_at_basis,
                version: version.0,
                version_basis,
                received_at,
                source: Source {
                    vendor: Text::Borrowed(vendor.name),
                    shop,
                    event_type: envelope.event_type,
                    event_id,
                    api_version: envelope.api_version,
                    topic: Text::Borrowed(self.raw.topic),
                    partition: self.raw.partition,
                    offset: self.raw.offset,
                    index: self.element.map_or(0, |nth| nth as i32),
                },
                component_name,
            },
            entity,
            extensions: tools.extensions.view(),
        };
        write_key(tools.key, &event, kind);
        with_headers(tools.headers, &event, self.raw, |headers| {
            let translated = Translated {
                vendor: vendor.name,
                event_type: event_type.name,
                event: &event,
                key: tools.key,
                headers,
                drift,
                unmapped,
            };
            hand_on(Outcome::Event(translated));
        });
        Ok(())
    }

    /// The same event has the same id, whoever translates it and whenever. An `id` that is the CloudEvent's is one only
    /// within its `source`: the sources of two topics may number their events alike.
    fn event_id(
        &self,
        vendor: &str,
        shop: &str,
        id: Option<&str>,
        source: Option<&str>,
        mapped: &Mapped<'_>,
    ) -> (EventId, EventIdBasis) {
        let (basis, own) = match id {
            Some(id) => (EventIdBasis::Vendor, Text::Borrowed(id)),
            None if mapped.is_identified_by_body && mapped.clock.is_some() => {
                (EventIdBasis::Body, Text::Owned(hex(&Sha256::digest(self.text.as_bytes()))))
            }
            None => {
                let RawRecord { topic, partition, offset, .. } = self.raw;
                let nth = self.element.unwrap_or(0);
                (EventIdBasis::Position, Text::Owned(format!("{topic}\n{partition}\n{offset}\n{nth}")))
            }
        };
        let name = [vendor, shop, basis.as_str(), &own].into_iter().chain(source.filter(|_| id.is_some()));
        (EventId(named(name)), basis)
    }
}

/// The UUIDv5 of a name in koine's namespace: its parts, each on a line of its own.
fn named<'n>(parts: impl Iterator<Item = &'n str>) -> uuid::Uuid {
    let mut name = Sha1::new_with_prefix(EVENT_ID_NAMESPACE);
    for (nth, part) in parts.enumerate() {
        if nth > 0 {
            name.update("\n");
        }
        name.update(part);
    }
    let [bytes @ .., _, _, _, _] = <[u8; 20]>::from(name.finalize());
    uuid::Builder::from_sha1_bytes(bytes).into_uuid()
}

/// The webhook: the whole body, or one element of it.
fn unit<'a>(doc: &'a Doc<'a>, element: Option<usize>) -> Node<'a> {
    element.and_then(|nth| doc.element(nth)).map_or_else(|| doc.root(), |(node, _)| node)
}

/// `vendor:shop:entity:id`; a component that names no parent has its own kind and id in their place.
fn write_key(key: &mut String, event: &Event<'_>, kind: EntityKind) {
    key.clear();
    key.push_str(&event.meta.source.vendor);
    key.push(':');
    push_encoded(key, &event.meta.source.shop);
    key.push(':');
    match (event.entity.id(), &event.meta.component) {
        (None, Some(component)) if event.meta.coverage == Coverage::Component => {
            key.push_str(&component.kind);
            key.push(':');
            key.push_str(component.id.as_deref().unwrap_or_default());
        }
        (id, _) => {
            key.push_str(kind.as_lower());
            key.push(':');
            key.push_str(id.unwrap_or_default());
        }
    }
}

/// A shop with its `:` and `%` percent-encoded, so that a key can be split from the left.
fn push_encoded(out: &mut String, shop: &str) {
    for char in shop.chars() {
        match char {
            ':' => out.push_str("%3A"),
            '%' => out.push_str("%25"),
            other => out.push(other),
        }
    }
}

/// The most headers a canonical record has.
const MAX_HEADERS: usize = 10;

/// Writes the headers of a canonical record (the CloudEvents Kafka binding's, ours, and the producer's trace) and lends
/// them to `f`.
fn with_headers(arena: &mut String, event: &Event<'_>, raw: &RawRecord<'_>, f: impl FnOnce(&[(&'static str, &str)])) {
    arena.clear();
    let mut ends: [(&'static str, usize); MAX_HEADERS] = [("", 0); MAX_HEADERS];
    let mut count = 0;
    let mut end_of = |name: &'static str, arena: &String| {
        ends[count] = (name, arena.len());
        count += 1;
    };
    let meta = &event.meta;
    let _ = write!(arena, "{}", meta.event_id);
    end_of("ce_id", arena);
    arena.push_str("/koine/");
    arena.push_str(&meta.source.vendor);
    arena.push('/');
    push_uri_segment(arena, &meta.source.shop);
    end_of("ce_source", arena);
    arena.push_str("1.0");
    end_of("ce_specversion", arena);
    arena.push_str("koine.");
    arena.push_str(meta.entity.as_lower());
    arena.push('.');
    arena.extend(meta.action.as_str().chars().map(|c| c.to_ascii_lowercase()));
    end_of("ce_type", arena);
    if let Some(id) = event.entity.id() {
        arena.push_str(id);
        end_of("ce_subject", arena);
    }
    let _ = write!(arena, "{}", meta.occurred_at);
    end_of("ce_time", arena);
    arena.push_str("application/avro");
    end_of("content-type", arena);
    arena.push_str(BUILD);
    end_of("koine.build", arena);
    for name in ["traceparent", "tracestate"] {
        if let Some(value) = raw.header(name) {
            arena.push_str(value);
            end_of(name, arena);
        }
    }
    let mut headers: [(&'static str, &str); MAX_HEADERS] = [("", ""); MAX_HEADERS];
    let mut start = 0;
    for (header, (name, end)) in headers.iter_mut().zip(&ends[..count]) {
        *header = (name, &arena[start..*end]);
        start = *end;
    }
    f(&headers[..count]);
}

/// A shop as one segment of a URI's path.
fn push_uri_segment(out: &mut String, shop: &str) {
    for byte in shop.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(byte as char);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

fn dead_letter(known: &Known<'_>, reject: &Reject, pointer: String, index: Option<i32>, text: &[u8]) -> DeadLetter {
    let event_type = known.event_type.as_deref().map(|name| {
        let is_plain = (1..=64).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-'));
        if known.is_documented || is_plain { name.to_owned() } else { "_other".to_owned() }
    });
    let mut detail = reject.code.detail().to_owned();
    if let Place::Offset(offset) = reject.place {
        let (line, column) = line_and_column(text, offset as usize);
        let _ = write!(detail, " (at byte {offset}, line {line}, column {column})");
    }
    let steps = pointer.split('/').map(|step| if is_index(step) { "*" } else { step });
    let cause = [
        reject.code.as_str(),
        &steps.collect::<Vec<_>>().join("/"),
        known.vendor.unwrap_or_default(),
        event_type.as_deref().unwrap_or_default(),
    ];
    let fingerprint = hex(&Sha256::digest(cause.join("\n"))[..8]);
    DeadLetter { vendor: known.vendor, event_type, code: reject.code, pointer, detail, index, fingerprint }
}

fn is_index(step: &str) -> bool {
    !step.is_empty() && step.bytes().all(|b| b.is_ascii_digit())
}

/// Both from 1, columns in bytes.
fn line_and_column(text: &[u8], offset: usize) -> (usize, usize) {
    let before = &text[..offset.min(text.len())];
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
    (1 + memchr::memchr_iter(b'\n', before).count(), 1 + before.len() - line_start)
}

/// Lower case. By a table, since it is done for every webhook that is known by its digest.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}
