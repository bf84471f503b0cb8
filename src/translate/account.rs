//! What a translation tells beside its outcome: in what a webhook is not as its page says, and, to whoever asks, what became
//! of each of its leaves. Knows no vendor's field names.

use crate::canonical::{PiiClass, Privacy, Treatment};
use crate::vendors::cursor::{Doc, Fate, Node, Oddity, Spot, Steps, Watch, Why};
use crate::vendors::documents::Body;

/// In what way a webhook is not as its page says. Nothing in here is a value of the payload.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Drift {
    pub kind: DriftKind,
    /// Where, as an RFC 6901 pointer with `*` for the place in a list; a key that may be a name is its place, `~#3`. Empty
    /// for a new event type.
    pub path: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftKind {
    /// A place that no page knows.
    NewPath,
    /// A place with a JSON type that its page does not have.
    TypeChange,
    /// A word that is not in its list, or a form that cannot be read.
    NewValue,
    /// An event type that no page names.
    NewEventType,
}

impl DriftKind {
    pub const ALL: &[DriftKind] =
        &[DriftKind::NewPath, DriftKind::TypeChange, DriftKind::NewValue, DriftKind::NewEventType];

    pub const fn as_str(self) -> &'static str {
        match self {
            DriftKind::NewPath => "new_path",
            DriftKind::TypeChange => "type_change",
            DriftKind::NewValue => "new_value",
            DriftKind::NewEventType => "new_event_type",
        }
    }
}

impl From<Oddity> for DriftKind {
    fn from(oddity: Oddity) -> DriftKind {
        match oddity {
            Oddity::NewPath => DriftKind::NewPath,
            Oddity::TypeChange => DriftKind::TypeChange,
            Oddity::NewValue => DriftKind::NewValue,
        }
    }
}

/// What became of a leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf<'l> {
    /// Where it is in the webhook: an RFC 6901 pointer.
    pub pointer: &'l str,
    pub fate: LeafFate,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeafFate {
    /// The mapping read it.
    Read,
    /// It is in `extensions` under this key.
    Kept(String),
    Dropped(Why),
}

/// The most drift that is told of one webhook: a body that is nothing like its page need not be told of key by key.
const MOST: usize = 32;

/// Something odd, by its place on the tape, and its spot where that is known.
struct Sighting {
    oddity: Oddity,
    node: u32,
    spot: Option<Spot>,
}

/// What was odd on the way through a webhook.
#[derive(Default)]
pub(super) struct Sightings {
    /// What there is to be told of, and how much was found of it: no more than [`MOST`].
    odd: Vec<Sighting>,
    found: usize,
    told: Vec<Drift>,
    /// How many leaves are in `extensions`.
    pub kept: usize,
}

impl Watch for Sightings {
    #[inline]
    fn leaf(&mut self, _: u32, fate: Fate) {
        self.kept += usize::from(matches!(fate, Fate::Kept(_)));
    }

    fn odd(&mut self, oddity: Oddity, node: u32, spot: Option<Spot>) {
        if self.found == MOST {
            return;
        }
        self.found += 1;
        // An element of a list is odd in the same way as the others.
        let is_same = |other: &Sighting| other.oddity == oddity && other.spot == spot;
        if spot.is_none() || !self.odd.iter().any(is_same) {
            self.odd.push(Sighting { oddity, node, spot });
        }
    }
}

impl Sightings {
    pub fn clear(&mut self) {
        self.odd.clear();
        self.found = 0;
        self.told.clear();
        self.kept = 0;
    }

    /// What there is to tell, by the page of such a body, if there is one. Where what nobody documents may not be published,
    /// not even its name is told, nor is that of what it lies in.
    pub fn told(
        &mut self,
        doc: &Doc<'_>,
        unit: Node<'_>,
        page: Option<Body<'_>>,
        is_documented: bool,
        privacy: &Privacy,
    ) -> &[Drift] {
        if self.odd.is_empty() && is_documented {
            return &[];
        }
        let are_names_open = privacy.of(PiiClass::Undocumented) == Treatment::Pass;
        if !is_documented {
            self.told.push(Drift { kind: DriftKind::NewEventType, path: String::new() });
        }
        for &Sighting { oddity, node, spot } in &self.odd {
            let mut path = doc.pattern(unit, node, spot);
            if let Some(page) = page.filter(|_| !are_names_open) {
                path = page.without_names(&path);
            }
            let drift = Drift { kind: oddity.into(), path };
            // Elements of one list may be of different shapes, and a spot is not always known.
            if !self.told.contains(&drift) {
                self.told.push(drift);
            }
        }
        &self.told
    }
}

/// Writes down what becomes of each leaf.
pub(super) struct Accountant<'s> {
    sightings: &'s mut Sightings,
    fates: Vec<(u32, Fate)>,
}

impl<'s> Accountant<'s> {
    pub fn new(sightings: &'s mut Sightings) -> Accountant<'s> {
        Accountant { sightings, fates: Vec::new() }
    }

    /// Tells of each leaf, in the order in which they were come by.
    pub fn tell(self, doc: &Doc<'_>, unit: Node<'_>, each: &mut dyn FnMut(Leaf<'_>)) {
        for (leaf, fate) in self.fates {
            let pointer = doc.way_to(unit, leaf, Steps::Exact);
            let fate = match fate {
                Fate::Read => LeafFate::Read,
                Fate::Kept(top) => LeafFate::Kept(doc.way_to(unit, top, Steps::Exact)),
                Fate::Dropped(why) => LeafFate::Dropped(why),
            };
            each(Leaf { pointer: &pointer, fate });
        }
    }
}

impl Watch for Accountant<'_> {
    const EACH_LEAF: bool = true;

    fn leaf(&mut self, leaf: u32, fate: Fate) {
        self.sightings.leaf(leaf, fate);
        self.fates.push((leaf, fate));
    }

    fn odd(&mut self, oddity: Oddity, node: u32, spot: Option<Spot>) {
        self.sightings.odd(oddity, node, spot);
    }
}
