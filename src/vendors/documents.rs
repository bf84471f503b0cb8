//! What a vendor's pages document: every place a body may have, the JSON types of what stands there, and whether that is
//! personal. Data, one text a vendor (`documents.txt`), read once; what no page documents is drift, and how personal data
//! in `extensions` is treated goes by it. Knows no vendor, and nothing of what a mapping reads.
//!
//! ```text
//! # a comment
//! = Address                  a shape begins: an object with these keys
//! city     string {contact}
//! tags     [string]          a list
//! owner    string|Customer   either
//! anything map               an object with keys of any name, which nobody documents
//! *        any               keys that are not listed: any JSON
//! code     string -- why no canonical field takes it
//! @ order.created item.*     the body of these event types begins; `*` stands for any rest
//! ```
//!
//! Null may stand everywhere. A class holds for all that lies below, unless something there has its own; what lies in a `map`
//! or in `any` is `undocumented`, unless a class says what it is.

use crate::canonical::PiiClass;
use crate::vendors::cursor::{is_same, tag};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

/// A set of JSON types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Types(u8);

impl Types {
    pub const NOTHING: Types = Types(0);
    pub const TEXT: Types = Types(1);
    pub const NUMBER: Types = Types(2);
    pub const BOOLEAN: Types = Types(4);
    pub const OBJECT: Types = Types(8);
    pub const LIST: Types = Types(16);
    const ANY: Types = Types(31);

    #[inline]
    pub fn holds(self, other: Types) -> bool {
        self.0 & other.0 != 0
    }

    fn and(self, other: Types) -> Types {
        Types(self.0 | other.0)
    }
}

/// A place in a vendor's bodies.
#[derive(Debug, Clone, Default)]
pub struct Place {
    pub types: Types,
    /// The shape of the object that may stand here; none where nobody says what is in it.
    object: Option<usize>,
    /// What the elements of the list are that may stand here.
    items: Option<Box<Place>>,
    pub class: Option<PiiClass>,
    /// Why no canonical field takes it.
    pub why: Option<&'static str>,
}

/// One key of a shape.
#[derive(Debug, Clone)]
struct Key {
    name: &'static str,
    tag: u32,
    place: Place,
}

impl Key {
    #[inline(always)]
    fn is(&self, tag: u32, name: &[u8]) -> bool {
        self.tag == tag && is_same(self.name.as_bytes(), name)
    }
}

/// The places of a table of two to the power of something where one with this tag may be, in the order in which to look.
#[inline(always)]
fn way(table: &[u16], tag: u32) -> impl Iterator<Item = usize> + use<> {
    let len = table.len();
    (0..len).map(move |step| (tag as usize + step) & (len - 1))
}

/// An object.
#[derive(Debug, Default)]
struct Shape {
    /// In the order of the page, which is mostly that of the bodies.
    keys: Vec<Key>,
    /// Where in `keys` each stands, plus one, by its tag: a table that is at least half empty, in which one that finds its place
    /// taken has the next free one.
    by_tag: Vec<u16>,
    /// For keys that are not listed.
    rest: Option<Place>,
}

/// All that one vendor documents.
#[derive(Debug, Default)]
pub struct Documents {
    /// No others that were parsed have it.
    number: u32,
    shapes: Vec<Shape>,
    /// Event type, or the beginning of one, and the top of the body.
    bodies: Vec<(Pattern, Place)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pattern {
    Is(&'static str),
    Begins(&'static str),
}

/// What is wrong with a text, and in which line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    pub line: usize,
    pub why: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

/// Where one is in the documents while going down a body.
#[derive(Debug, Clone, Copy)]
pub enum Here<'d> {
    /// A documented place, of which this is known.
    At(&'d Place, Option<PiiClass>),
    /// Below a place whose content is documented to be anything.
    Open(Option<PiiClass>),
    /// No page knows of it, and that has been said of it or of what it lies in.
    Undocumented,
}

impl Documents {
    /// Reads the text. Nothing at all if it is malformed, which the tests of a vendor do not let pass.
    pub fn of(text: &'static str) -> Documents {
        Documents::parse(text).unwrap_or_default()
    }

    pub fn parse(text: &'static str) -> Result<Documents, Malformed> {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let mut documents = Documents { number: COUNT.fetch_add(1, Ordering::Relaxed), ..Documents::default() };
        let names = shape_names(text)?;
        for (nth, line) in text.lines().enumerate() {
            let at = |why: String| Malformed { line: nth + 1, why };
            documents.take(line.trim_end(), &names).map_err(at)?;
        }
        Ok(documents)
    }

    fn take(&mut self, line: &'static str, names: &HashMap<&'static str, usize>) -> Result<(), String> {
        match line.split_once(' ') {
            _ if line.is_empty() || line.starts_with('#') => {}
            Some(("=", _)) => self.shapes.push(Shape::default()),
            Some(("@", patterns)) => {
                let top = Place { types: Types::OBJECT, object: Some(self.shapes.len()), ..Place::default() };
                self.shapes.push(Shape::default());
                self.bodies.extend(patterns.split_whitespace().map(|pattern| match pattern.strip_suffix('*') {
                    Some(head) => (Pattern::Begins(head), top.clone()),
                    None => (Pattern::Is(pattern), top.clone()),
                }));
            }
            Some((key, rest)) => {
                let shape = self.shapes.last_mut().ok_or("a key before the first shape")?;
                let (what, why) = match rest.split_once(" -- ") {
                    Some((what, why)) => (what, Some(why.trim())),
                    None => (rest, None),
                };
                let mut words = what.split_whitespace();
                let mut place = place(words.next().ok_or("no type")?, names)?;
                place.why = why;
                if let Some(word) = words.next() {
                    let class = word.strip_prefix('{').and_then(|word| word.strip_suffix('}'));
                    let class = class.ok_or_else(|| format!("{word} is no class in braces"))?;
                    place.class = Some(PiiClass::named(class).ok_or_else(|| format!("{class} is no class"))?);
                }
                if let Some(word) = words.next() {
                    return Err(format!("{word} is one word too many"));
                }
                shape.add(key, place)?;
            }
            None => return Err(format!("{line} has no type")),
        }
        Ok(())
    }

    /// The body of webhooks of that event type; exact names go before families.
    pub fn body(&self, event_type: &str) -> Option<Body<'_>> {
        let is = |pattern: &Pattern| match *pattern {
            Pattern::Is(name) => name == event_type,
            Pattern::Begins(_) => false,
        };
        let begins = |pattern: &Pattern| matches!(*pattern, Pattern::Begins(head) if event_type.starts_with(head));
        let exact = self.bodies.iter().position(|(pattern, _)| is(pattern));
        let nth = exact.or_else(|| self.bodies.iter().position(|(pattern, _)| begins(pattern)))?;
        let (_, top) = self.bodies.get(nth)?;
        Some(Body { documents: self, nth: nth as u32, top })
    }

    /// The way from here to what lies in it.
    #[inline]
    pub fn below<'d>(&'d self, here: Here<'d>, is_list: bool) -> Below<'d> {
        let children = match here {
            _ if is_list => Children::Alike(self.item(here)),
            Here::At(Place { object: Some(shape), .. }, class) => match self.shapes.get(*shape) {
                Some(shape) => Children::Keys(shape, class),
                None => Children::Alike(Here::Undocumented),
            },
            Here::At(place, class) if place.types.holds(Types::OBJECT) => Children::Alike(open(class)),
            // An object where no page has one: that was said of the object itself.
            Here::At(..) | Here::Undocumented => Children::Alike(Here::Undocumented),
            Here::Open(class) => Children::Alike(Here::Open(class)),
        };
        Below { children, guess: 0 }
    }

    /// Goes down to a key.
    fn key<'d>(&'d self, here: Here<'d>, key: &str) -> Here<'d> {
        self.below(here, false).next(tag(key.as_bytes()), key.as_bytes())
    }

    /// Goes down to an element.
    #[inline]
    pub fn item<'d>(&'d self, here: Here<'d>) -> Here<'d> {
        match here {
            Here::At(Place { items: Some(items), .. }, class) => Here::At(items, items.class.or(class)),
            Here::At(place, class) if place.types.holds(Types::LIST) => open(class),
            Here::At(..) | Here::Undocumented => Here::Undocumented,
            Here::Open(class) => Here::Open(class),
        }
    }

    /// The keys that are documented of an object here.
    pub fn keys(&self, here: Here<'_>) -> impl Iterator<Item = &'static str> {
        let shape = match here {
            Here::At(Place { object: Some(shape), .. }, _) => self.shapes.get(*shape),
            _ => None,
        };
        shape.into_iter().flat_map(|shape| shape.keys.iter().map(|key| key.name))
    }

    /// What is known of the place to which a pointer's steps lead in a body.
    pub fn find<'d, 's>(&'d self, body: Body<'d>, steps: impl IntoIterator<Item = &'s str>) -> Here<'d> {
        steps.into_iter().fold(body.here(), |here, step| {
            let is_item =
                matches!(here, Here::At(place, _) if place.items.is_some() && !place.types.holds(Types::OBJECT));
            if is_item { self.item(here) } else { self.key(here, step) }
        })
    }

    /// Whether a page has this very key in the object here, be it that it has a word for keys of any name, too.
    fn names(&self, here: Here<'_>, key: &str) -> bool {
        let Here::At(Place { object: Some(shape), .. }, _) = here else { return false };
        self.shapes.get(*shape).is_some_and(|shape| shape.find(tag(key.as_bytes()), key.as_bytes()).is_some())
    }
}

/// Below a place whose content nobody documents: it is of that class, if the place has no other.
fn open<'d>(class: Option<PiiClass>) -> Here<'d> {
    Here::Open(class.or(Some(PiiClass::Undocumented)))
}

/// The way from a place to what lies in it.
pub struct Below<'d> {
    children: Children<'d>,
    /// Where in the shape the next key is looked for first: senders write keys in the order of their page, so it is nearly
    /// always right.
    guess: usize,
}

enum Children<'d> {
    /// Each has its own place, and the class of what they lie in if they have none.
    Keys(&'d Shape, Option<PiiClass>),
    Alike(Here<'d>),
}

impl<'d> Below<'d> {
    /// What is known of the child with this key, or in a list of the next one.
    #[inline(always)]
    pub fn next(&mut self, key_tag: u32, key: &[u8]) -> Here<'d> {
        let (shape, class) = match self.children {
            Children::Keys(shape, class) => (shape, class),
            Children::Alike(here) => return here,
        };
        let found = match shape.keys.get(self.guess) {
            Some(known) if known.is(key_tag, key) => {
                self.guess += 1;
                Some(&known.place)
            }
            _ => self.search(shape, key_tag, key),
        };
        match found.or(shape.rest.as_ref()) {
            Some(place) => Here::At(place, place.class.or(class)),
            None => Here::Undocumented,
        }
    }

    #[inline(never)]
    fn search(&mut self, shape: &'d Shape, key_tag: u32, key: &[u8]) -> Option<&'d Place> {
        let nth = shape.find(key_tag, key)?;
        self.guess = nth + 1;
        shape.keys.get(nth).map(|known| &known.place)
    }
}

/// The body of an event type.
#[derive(Debug, Clone, Copy)]
pub struct Body<'d> {
    pub documents: &'d Documents,
    /// Which of them it is.
    nth: u32,
    top: &'d Place,
}

impl<'d> Body<'d> {
    /// No other body has it.
    #[inline(always)]
    pub fn number(self) -> u64 {
        u64::from(self.documents.number) << 32 | u64::from(self.nth)
    }

    /// The top of the body.
    pub fn here(self) -> Here<'d> {
        Here::At(self.top, None)
    }

    /// A way down the body (RFC 6901, with `*` for the place in a list), with `~` in place of every key that nobody
    /// documents.
    pub fn without_names(self, way: &str) -> String {
        let (mut here, mut out) = (self.here(), String::with_capacity(way.len()));
        for step in way.split('/').skip(1) {
            let below = match step {
                "*" => self.documents.item(here),
                key => self.documents.key(here, key),
            };
            let is_open = step == "*" || self.documents.names(here, step);
            out.push('/');
            out.push_str(if is_open || below.class() != Some(PiiClass::Undocumented) { step } else { "~" });
            here = below;
        }
        out
    }
}

impl Here<'_> {
    /// The class of what stands here. What no page documents has a class of its own.
    #[inline]
    pub fn class(self) -> Option<PiiClass> {
        match self {
            Here::At(_, class) | Here::Open(class) => class,
            Here::Undocumented => Some(PiiClass::Undocumented),
        }
    }

    #[inline]
    pub fn is_undocumented(self) -> bool {
        matches!(self, Here::Undocumented)
    }
}

/// The places of all shapes in the list that parsing makes.
fn shape_names(text: &'static str) -> Result<HashMap<&'static str, usize>, Malformed> {
    let mut names = HashMap::new();
    let sections = text.lines().enumerate().filter(|(_, line)| line.starts_with("= ") || line.starts_with("@ "));
    for (place, (nth, line)) in sections.enumerate() {
        let Some(name) = line.strip_prefix("= ").map(str::trim) else { continue };
        if names.insert(name, place).is_some() || word_type(name).is_some() {
            return Err(Malformed { line: nth + 1, why: format!("{name} is there already") });
        }
    }
    Ok(names)
}

fn word_type(word: &str) -> Option<Types> {
    Some(match word {
        "string" => Types::TEXT,
        "number" => Types::NUMBER,
        "boolean" => Types::BOOLEAN,
        "map" => Types::OBJECT,
        "any" => Types::ANY,
        _ => return None,
    })
}

/// `string|number`, `Address`, `[string|Tag]`.
fn place(types: &'static str, names: &HashMap<&'static str, usize>) -> Result<Place, String> {
    let mut place = Place::default();
    for one in alternatives(types) {
        if let Some(types) = word_type(one) {
            place.types = place.types.and(types);
        } else if let Some(items) = one.strip_prefix('[').and_then(|one| one.strip_suffix(']')) {
            place.types = place.types.and(Types::LIST);
            place.items = Some(Box::new(self::place(items, names)?));
        } else {
            place.types = place.types.and(Types::OBJECT);
            place.object = Some(*names.get(one).ok_or_else(|| format!("{one} is no type and no shape"))?);
        }
    }
    Ok(place)
}

/// Splits at the bars that are not in brackets.
fn alternatives(types: &'static str) -> impl Iterator<Item = &'static str> {
    let mut open = 0_u32;
    types.split(move |char| {
        match char {
            '[' => open += 1,
            ']' => open = open.saturating_sub(1),
            _ => {}
        }
        char == '|' && open == 0
    })
}

impl Shape {
    fn add(&mut self, name: &'static str, place: Place) -> Result<(), String> {
        if name == "*" {
            return match self.rest.replace(place) {
                None => Ok(()),
                Some(_) => Err("* is there already".to_owned()),
            };
        }
        let tag = tag(name.as_bytes());
        if self.find(tag, name.as_bytes()).is_some() {
            return Err(format!("{name} is there already"));
        }
        self.keys.push(Key { name, tag, place });
        let is_roomy = 2 * self.keys.len() <= self.by_tag.len();
        if !is_roomy {
            self.by_tag = vec![0; (4 * self.keys.len()).next_power_of_two()];
        }
        let new = if is_roomy { self.keys.len() - 1 } else { 0 };
        for nth in new..self.keys.len() {
            let mut places = way(&self.by_tag, self.keys[nth].tag);
            let free = places.find(|&place| self.by_tag[place] == 0).ok_or("no room for it")?;
            self.by_tag[free] = u16::try_from(nth + 1).map_err(|_| "too many keys")?;
        }
        Ok(())
    }

    /// Where a key stands.
    #[inline]
    fn find(&self, key_tag: u32, key: &[u8]) -> Option<usize> {
        for place in way(&self.by_tag, key_tag) {
            let nth = usize::from(self.by_tag[place]).checked_sub(1)?;
            if self.keys[nth].is(key_tag, key) {
                return Some(nth);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# Two shapes and a body.
= Address
city     string {contact}
lines    [string|number] -- nobody asks for them

= Anything
*        number|[Address]
known    Address|boolean {payment}
@ a.created b.*
data     Anything
free     map {undocumented}
any      any
";

    fn steps(pointer: &str) -> impl Iterator<Item = &str> {
        pointer.split('/').skip(1)
    }

    fn types(documents: &Documents, pointer: &str) -> Option<(Types, Option<&'static str>)> {
        let body = documents.body("b.any").expect("a body");
        match documents.find(body, steps(pointer)) {
            Here::At(place, class) => Some((place.types, class.map(PiiClass::as_str))),
            _ => None,
        }
    }

    #[test]
    fn a_place_is_found_by_its_way() {
        let page = Documents::parse(PAGE).expect("well formed");
        assert!(page.body("a.created").is_some() && page.body("a.updated").is_none());
        assert_eq!(types(&page, "/data"), Some((Types::OBJECT, None)));
        assert_eq!(types(&page, "/data/known"), Some((Types::OBJECT.and(Types::BOOLEAN), Some("payment"))));
        assert_eq!(types(&page, "/data/known/city"), Some((Types::TEXT, Some("contact"))));
        assert_eq!(types(&page, "/data/known/lines/3"), Some((Types::TEXT.and(Types::NUMBER), Some("payment"))));
        assert_eq!(types(&page, "/data/other"), Some((Types::NUMBER.and(Types::LIST), None)));
        assert_eq!(types(&page, "/data/other/0/city"), Some((Types::TEXT, Some("contact"))));
        let body = page.body("a.created").expect("a body");
        let here = |pointer: &str| page.find(body, steps(pointer));
        assert!(matches!(here("/free/x/y"), Here::Open(Some(PiiClass::Undocumented))));
        assert!(
            matches!(here("/any/0/y"), Here::Open(Some(PiiClass::Undocumented))),
            "whatever that is, no page says it"
        );
        for undocumented in ["/new", "/data/known/new", "/data/known/city/new", "/new/below"] {
            assert!(here(undocumented).is_undocumented(), "{undocumented}");
        }
        assert!(matches!(here("/data/known/lines"), Here::At(Place { why: Some("nobody asks for them"), .. }, _)));
    }

    #[test]
    fn the_keys_of_an_object_are_those_of_its_shape() {
        let page = Documents::parse(PAGE).expect("well formed");
        let body = page.body("a.created").expect("a body");
        let keys = |pointer: &str| page.keys(page.find(body, steps(pointer))).collect::<Vec<_>>();
        assert_eq!(keys("/data/known"), ["city", "lines"]);
        for nothing in ["/free", "/any", "/new", "/data/known/city"] {
            assert_eq!(keys(nothing), [""; 0], "{nothing}");
        }
    }

    #[test]
    fn a_way_without_names_has_the_pages_own_only() {
        let page = Documents::parse(PAGE).expect("well formed");
        let body = page.body("a.created").expect("a body");
        for (way, told) in [
            ("/data/known/city", "/data/known/city"),
            ("/data/known/lines/*", "/data/known/lines/*"),
            ("/new", "/~"),
            ("/data/known/city/new/below", "/data/known/city/~/~"),
            // Keys of any name: such as a page has a class for, and such as it has none for.
            ("/data/other/*/new", "/data/other/*/~"),
            ("/free/ada/born", "/free/~/~"),
            ("/any/ada/*/born", "/any/~/*/~"),
            ("", ""),
        ] {
            assert_eq!(body.without_names(way), told, "{way}");
        }
    }

    #[test]
    fn another_order_of_keys_finds_the_same() {
        let page = Documents::parse(PAGE).expect("well formed");
        let here = page.body("a.created").expect("a body").here();
        let mut below = page.below(here, false);
        for key in ["any", "data", "new", "free", "any", "data"] {
            let found = below.next(tag(key.as_bytes()), key.as_bytes());
            assert_eq!(found.is_undocumented(), key == "new", "{key}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, line) in [
            ("= A\nkey\n", 2),
            ("key string\n", 1),
            ("= A\nkey Nobody\n", 2),
            ("= A\nkey string {none}\n", 2),
            ("= A\nkey string {contact} more\n", 2),
            ("= A\nkey string\nkey string\n", 3),
            ("= A\n= A\n", 2),
            ("= string\n", 1),
        ] {
            assert_eq!(Documents::parse(text).expect_err(text).line, line, "{text}");
        }
    }
}
