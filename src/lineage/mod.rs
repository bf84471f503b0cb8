//! Where each leaf of a webhook goes, told by what runs: every leaf of every sample is changed, and what changes in the
//! record is where it went. There is no second table that could say something else.
//!
//! Pure, as the translator is: the same program gives the same mapping. Knows the translator, the list of vendors, what
//! their pages document, and the schemas' names; no field of a vendor's, no Kafka, no files.

mod change;
mod diff;
mod page;
mod trace;

use crate::samples::SAMPLES;
use crate::vendors::documents::Here;
use crate::vendors::{Route, VENDORS, Vendor};
pub use page::page;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
pub use trace::{Effect, Event, Found, Trace, Tracer};

/// All that is known of one vendor's webhooks.
#[derive(Debug, Serialize)]
pub struct Mapping {
    pub vendor: &'static str,
    pub events: Vec<EventSummary>,
    pub families: Vec<Family>,
    pub ignored: Vec<Ignored>,
}

/// What becomes of one event type.
#[derive(Debug, Serialize)]
pub struct EventSummary {
    pub event_type: &'static str,
    /// More than one where only the body says it.
    pub entity: BTreeSet<&'static str>,
    pub action: BTreeSet<&'static str>,
    pub coverage: BTreeSet<&'static str>,
    pub component: BTreeSet<String>,
    /// Only where there is a sample of this very type.
    pub shares: Option<Shares>,
}

/// How much of an event type has a field, and how heavy the rest is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shares {
    /// Documented places of leaves in the samples that are neither null, nor empty, nor dropped by a rule.
    pub leaves: usize,
    /// Those of them that are in canonical fields.
    pub in_fields: usize,
    /// The median over the samples: bytes of `extensions` in a thousand of the Avro record's.
    pub extensions_per_mille: usize,
}

impl Shares {
    /// In a thousand leaves, rounded down; all, where there is none.
    pub fn fields_per_mille(&self) -> usize {
        (self.in_fields * 1_000).checked_div(self.leaves).unwrap_or(1_000)
    }
}

/// Event types whose webhooks go the same ways.
#[derive(Debug, Serialize)]
pub struct Family {
    /// The first word of their names; none where a vendor's names have no such.
    pub names: Vec<&'static str>,
    pub entity: &'static str,
    pub event_types: BTreeSet<&'static str>,
    pub rows: Vec<Row>,
}

/// Where the leaves at one place go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// JSON Pointer, with `*` for the indexes of lists.
    pub from: String,
    /// Canonical paths, dotted, with `*` for the indexes of lists and the keys of maps.
    pub to: Vec<String>,
    /// Paths that change in some webhooks and not in others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sometimes: Vec<Sometimes>,
    /// Whether it is kept in `extensions`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extensions: Option<Kept>,
    /// Why it is kept in `extensions` and has no field, if there is a reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<&'static str>,
    /// The rule by which it is dropped. A row with this and a field is dropped in some webhooks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropped: Option<&'static str>,
    /// The code with which a webhook is refused in which this alone is changed: it has to fit another leaf, or is known by
    /// name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    Always,
    /// In some webhooks.
    Sometimes,
}

/// A path, and the event types in which it changes; none if their names do not tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sometimes {
    pub path: String,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub event_types: BTreeSet<&'static str>,
}

/// Event types, or some webhooks of one, that become no event.
#[derive(Debug, Serialize)]
pub struct Ignored {
    pub event_type: &'static str,
    pub rule: &'static str,
    pub reason: &'static str,
    /// Whether only some are; what is in them says which.
    pub sometimes: bool,
}

/// What the vendor's page says of a place.
struct Page {
    is_documented: bool,
    /// Why it has no canonical field.
    why: Option<&'static str>,
}

impl Page {
    fn of(vendor: &Vendor, event_type: &str, from: &str) -> Page {
        let mut page = Page { is_documented: false, why: None };
        let Some(body) = vendor.documents.body(event_type) else { return page };
        let steps: Vec<String> =
            from.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
        // A reason holds for all that lies below, unless something there has its own.
        for length in 1..=steps.len() {
            let here = body.documents.find(body, steps.iter().take(length).map(String::as_str));
            page.is_documented = matches!(here, Here::At(..));
            page.why = match here {
                Here::At(place, _) => place.why.or(page.why),
                Here::Open(_) => page.why.or(Some("no page says what is in it")),
                Here::Undocumented => Some("no page documents it"),
            };
        }
        page
    }
}

/// The mapping of every vendor.
pub fn mappings() -> Vec<Mapping> {
    VENDORS.map(mapping).into()
}

/// The mapping of one vendor.
pub fn mapping(vendor: &'static Vendor) -> Mapping {
    let mut tracer = Tracer::new(vendor);
    let samples: Vec<_> = SAMPLES.iter().filter(|sample| sample.vendor == vendor.name).collect();
    let traces: Vec<Trace> = samples.iter().filter_map(|sample| tracer.trace(sample.body)).collect();
    let mut drafts: BTreeMap<(&'static str, &'static str), Draft> = BTreeMap::new();
    for trace in &traces {
        if let Found::Event(event) = &trace.found {
            drafts.entry((first_word(event.event_type), event.entity)).or_default().add(event.event_type, trace);
        }
    }
    Mapping {
        vendor: vendor.name,
        events: vendor.events.iter().filter_map(|event| summary(vendor, event.name, &traces, &mut tracer)).collect(),
        families: families(vendor, drafts),
        ignored: ignored(vendor, &traces),
    }
}

/// `order` of `order.paid`; nothing of a name without a dot.
fn first_word(event_type: &'static str) -> &'static str {
    event_type.split_once('.').map_or("", |(word, _)| word)
}

/// What the samples of that type become; where there is none, what a sample of its family under its name does.
fn summary(vendor: &Vendor, name: &'static str, traces: &[Trace], tracer: &mut Tracer) -> Option<EventSummary> {
    let of = |found: &Found| found.event().is_some_and(|event| event.event_type == name);
    let own: Vec<&Trace> = traces.iter().filter(|trace| of(&trace.found)).collect();
    let shares = (!own.is_empty()).then(|| shares(vendor, name, &own));
    let mut events: Vec<Event> = own.iter().filter_map(|trace| trace.found.event().cloned()).collect();
    if events.is_empty() {
        let family = |found: &Found| found.event().is_some_and(|it| first_word(it.event_type) == first_word(name));
        let kin = traces.iter().filter(|trace| family(&trace.found)).max_by_key(|trace| trace.leaves.len())?;
        events.extend(tracer.under_another_name(kin, name));
    }
    if events.is_empty() {
        return None;
    }
    Some(EventSummary {
        event_type: name,
        entity: events.iter().map(|event| event.entity).collect(),
        action: events.iter().map(|event| event.action).collect(),
        coverage: events.iter().map(|event| event.coverage).collect(),
        component: events.iter().filter_map(|event| event.component.clone()).collect(),
        shares,
    })
}

fn shares(vendor: &Vendor, event_type: &str, traces: &[&Trace]) -> Shares {
    // A place counts once, however many leaves stand there, and as in a field if one of them is.
    let mut places: BTreeMap<&str, bool> = BTreeMap::new();
    for (from, effect) in traces.iter().flat_map(|trace| &trace.leaves).filter(|(_, effect)| effect.counts()) {
        *places.entry(from).or_default() |= effect.is_in_field();
    }
    places.retain(|from, _| Page::of(vendor, event_type, from).is_documented);
    let mut sizes: Vec<usize> = traces.iter().map(|trace| trace.extensions_per_mille).collect();
    sizes.sort_unstable();
    Shares {
        leaves: places.len(),
        in_fields: places.values().filter(|is_in_field| **is_in_field).count(),
        extensions_per_mille: sizes.get(sizes.len() / 2).copied().unwrap_or_default(),
    }
}

/// What is found of a family, trace by trace.
#[derive(Default)]
struct Draft {
    event_types: BTreeSet<&'static str>,
    places: BTreeMap<String, Place>,
}

/// The effects of the leaves at one place, each with the event type it was seen in.
#[derive(Default)]
struct Place(Vec<(&'static str, Effect)>);

impl Draft {
    fn add(&mut self, event_type: &'static str, trace: &Trace) {
        self.event_types.insert(event_type);
        for (from, effect) in &trace.leaves {
            self.places.entry(from.clone()).or_default().0.push((event_type, effect.clone()));
        }
    }
}

impl Place {
    fn row(mut self, vendor: &Vendor, from: String) -> Row {
        // What stood there tells more than what might have.
        if self.0.iter().any(|(_, effect)| effect.is_said) {
            self.0.retain(|(_, effect)| effect.is_said);
        }
        // What was refused says only that something has to agree.
        let refused = self.0.iter().find_map(|(_, effect)| effect.refused);
        let is_told = |effect: &Effect| !effect.fields.is_empty() || effect.refused.is_none();
        let told: Vec<_> = self.0.iter().filter(|(_, effect)| is_told(effect)).collect();
        let paths: BTreeSet<&String> = told.iter().flat_map(|(_, effect)| &effect.fields).collect();
        let (mut to, mut sometimes) = (Vec::new(), Vec::new());
        for path in paths {
            let (with, without): (Vec<_>, Vec<_>) = told.iter().partition(|(_, effect)| effect.fields.contains(path));
            let types = |of: &[&&(&'static str, Effect)]| of.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>();
            let (with, others) = (types(&with), types(&without));
            if others.is_empty() {
                to.push(path.clone());
            } else {
                let event_types = if with.is_disjoint(&others) { with } else { BTreeSet::new() };
                sometimes.push(Sometimes { path: path.clone(), event_types });
            }
        }
        let kept = told.iter().filter(|(_, effect)| effect.extensions).count();
        let extensions = match kept {
            0 => None,
            _ if kept == told.len() => Some(Kept::Always),
            _ => Some(Kept::Sometimes),
        };
        let dropped = told.iter().find_map(|(_, effect)| effect.dropped).map(|why| why.as_str());
        let event_type = self.0.first().map_or("", |(event_type, _)| event_type);
        let why = extensions.and_then(|_| Page::of(vendor, event_type, &from).why);
        Row { from, to, sometimes, extensions, why, dropped, refused }
    }
}

/// Families with the same rows are one: whoever reads them has nothing to tell them apart by.
fn families(vendor: &Vendor, drafts: BTreeMap<(&'static str, &'static str), Draft>) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    for ((name, entity), draft) in drafts {
        let rows: Vec<Row> = draft.places.into_iter().map(|(from, place)| place.row(vendor, from)).collect();
        match families.iter_mut().find(|family| family.entity == entity && family.rows == rows) {
            Some(family) => {
                family.names.push(name);
                family.event_types.extend(draft.event_types);
            }
            None => families.push(Family { names: vec![name], entity, event_types: draft.event_types, rows }),
        }
    }
    families
}

fn ignored(vendor: &Vendor, traces: &[Trace]) -> Vec<Ignored> {
    let mut out = BTreeMap::new();
    for event in vendor.events {
        if let Route::Ignore(rule) = event.route {
            out.insert((event.name, rule.as_str()), (rule, false));
        }
    }
    for trace in traces {
        if let Found::Ignored(event_type, rule) = trace.found {
            out.entry((event_type, rule.as_str())).or_insert((rule, true));
        }
    }
    out.into_iter()
        .map(|((event_type, name), (rule, sometimes))| Ignored {
            event_type,
            rule: name,
            reason: rule.reason(),
            sometimes,
        })
        .collect()
}
