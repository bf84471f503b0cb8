//! From the tree to values: environment over file over default, each value checked against its row of the table, every
//! mistake kept. Knows no setting by name.

use super::settings::{self, Kind};
use super::yaml::{Content, Entry, Node, Place};
use super::{ConfigError, Secret};
use std::fmt::Write;
use std::path::PathBuf;

/// The prefix of variables, and what stands between levels.
const PREFIX: &str = "KOINE__";
const LEVEL: &str = "__";

/// One step of a path: `sources`, then `[0]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Key(String),
    Index(usize),
}

/// A path as people write it: `sources[0].vendor`.
pub fn show(path: &[Step]) -> String {
    join(path, |index| format!("[{index}]"))
}

/// The path's key in the table: `sources[].vendor`.
pub fn generic(path: &[Step]) -> String {
    join(path, |_| "[]".to_owned())
}

fn join(path: &[Step], element: impl Fn(usize) -> String) -> String {
    let mut out = String::new();
    for step in path {
        match step {
            Step::Key(key) if out.is_empty() => out.push_str(key),
            Step::Key(key) => {
                let _ = write!(out, ".{key}");
            }
            Step::Index(index) => out.push_str(&element(*index)),
        }
    }
    out
}

/// Reads `sources[0].vendor` back into steps.
fn steps(path: &str) -> Vec<Step> {
    let mut out = Vec::new();
    for part in path.split('.') {
        let (key, index) = match part.split_once('[') {
            Some((key, index)) => (key, index.trim_end_matches(']').parse().ok()),
            None => (part, None),
        };
        out.push(Step::Key(key.to_owned()));
        out.extend(index.map(Step::Index));
    }
    out
}

/// The node at a path.
pub fn at<'n>(root: &'n Node, path: &[Step]) -> Option<&'n Node> {
    path.iter().try_fold(root, |node, step| match (step, &node.content) {
        (Step::Key(key), _) => node.get(key),
        (Step::Index(index), Content::List(items)) => items.get(*index),
        _ => None,
    })
}

/// Puts the variables over the tree of the file. Other variables than `KOINE__…` and empty ones are not looked at:
/// compose files pass on empty ones for what nobody set.
pub fn overlay(root: &mut Node, variables: impl IntoIterator<Item = (String, String)>, errors: &mut Vec<ConfigError>) {
    let mut given = Vec::new();
    for (name, value) in variables.into_iter().filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty()) {
        match variable_path(&name) {
            Ok(path) => given.push((path, name, value)),
            Err(message) => errors.push(ConfigError { path: name, place: None, message }),
        }
    }
    // Lists by index have to grow in order.
    given.sort();
    for (path, name, value) in given {
        if let Err(message) = put(root, &path, &Place::Variable(name.clone()), value) {
            errors.push(ConfigError { path: name, place: None, message });
        }
    }
}

/// `KOINE__SOURCES__0__VENDOR` → `sources[0].vendor`.
fn variable_path(name: &str) -> Result<Vec<Step>, String> {
    let parts: Vec<&str> = name.strip_prefix(PREFIX).unwrap_or_default().split(LEVEL).collect();
    let mut path: Vec<Step> = Vec::new();
    for (place, part) in parts.iter().enumerate() {
        let key = generic(&path);
        let kind = if path.is_empty() { Kind::Section } else { settings::find(&key).map_or(Kind::Text, |s| s.kind) };
        let index = part.parse::<usize>();
        match (kind, index) {
            (Kind::Properties, _) => {
                path.push(Step::Key(property(parts.get(place..).unwrap_or_default())));
                return Ok(path);
            }
            (Kind::Sections | Kind::Texts, Ok(index)) if path.last() != Some(&Step::Index(index)) => {
                path.push(Step::Index(index));
                continue;
            }
            _ => {}
        }
        let section = match path.last() {
            Some(Step::Index(_)) => generic(&path),
            _ if matches!(kind, Kind::Section) => key.clone(),
            _ => return Err(format!("`{}` has nothing below it", show(&path))),
        };
        let names = settings::children(&section);
        let word = part.to_ascii_lowercase();
        if !names.contains(&word) {
            return Err(unknown(&word, &names));
        }
        path.push(Step::Key(word));
    }
    Ok(path)
}

/// `SASL_PASSWORD` → `sasl.password`; `SASL_PASSWORD_FILE` → `sasl.password_file`.
fn property(parts: &[&str]) -> String {
    let name = parts.join(".").to_ascii_lowercase().replace('_', ".");
    match name.strip_suffix(".file") {
        Some(stem) if settings::is_secret_property(stem) => format!("{stem}_file"),
        _ => name,
    }
}

fn put(root: &mut Node, path: &[Step], place: &Place, value: String) -> Result<(), String> {
    let kind = settings::find(&generic(path)).map(|setting| setting.kind);
    let value = match kind {
        Some(Kind::Section | Kind::Properties) => return Err("is a section; set what is in it".to_owned()),
        // A list of sections as one variable is written as YAML: `[{topics: [raw.spree], vendor: spree}]`.
        Some(Kind::Sections) => {
            let mut node = super::yaml::parse(&value).map_err(|error| error.message)?;
            stand_at(&mut node, place);
            node
        }
        _ => Node::text(place.clone(), value),
    };
    let (Some(Step::Key(last)), parents) = (path.last(), path.get(..path.len().saturating_sub(1)).unwrap_or_default())
    else {
        *slot(root, path, place)? = value;
        return Ok(());
    };
    // A secret and the file that holds it say the same: the variable's word replaces the file's.
    let twin = match last.strip_suffix("_file") {
        Some(stem) => stem.to_owned(),
        None => format!("{last}_file"),
    };
    let parent = slot(root, parents, place)?;
    if let Content::Map(entries) = &mut parent.content {
        entries.retain(|entry| entry.key != twin || !matches!(entry.place, Place::Line(_)));
    }
    *slot(root, path, place)? = value;
    Ok(())
}

fn stand_at(node: &mut Node, place: &Place) {
    node.place = place.clone();
    match &mut node.content {
        Content::List(items) => items.iter_mut().for_each(|item| stand_at(item, place)),
        Content::Map(entries) => entries.iter_mut().for_each(|entry| {
            entry.place = place.clone();
            stand_at(&mut entry.value, place);
        }),
        Content::Null | Content::Text(_) => {}
    }
}

/// The node at a path, made where it is not there yet.
fn slot<'n>(root: &'n mut Node, path: &[Step], place: &Place) -> Result<&'n mut Node, String> {
    let mut node = root;
    for step in path {
        match step {
            Step::Key(key) => {
                if node.content == Content::Null {
                    node.content = Content::Map(Vec::new());
                }
                let what = node.what();
                let Content::Map(entries) = &mut node.content else {
                    return Err(format!("the file has {what} where a section is due"));
                };
                let found = match entries.iter().position(|entry| entry.key == *key) {
                    Some(found) => found,
                    None => {
                        let value = Node { place: place.clone(), content: Content::Null };
                        entries.push(Entry { key: key.clone(), place: place.clone(), value });
                        entries.len() - 1
                    }
                };
                node = entries.get_mut(found).map(|entry| &mut entry.value).ok_or("lost")?;
            }
            Step::Index(index) => {
                if node.content == Content::Null {
                    node.content = Content::List(Vec::new());
                }
                if let Content::Text(text) = &node.content {
                    node.content =
                        Content::List(split(text).map(|text| Node::text(node.place.clone(), text)).collect());
                }
                let what = node.what();
                let Content::List(items) = &mut node.content else {
                    return Err(format!("the file has {what} where a list is due"));
                };
                if *index == items.len() {
                    items.push(Node { place: place.clone(), content: Content::Null });
                }
                let length = items.len();
                node = items.get_mut(*index).ok_or_else(|| format!("leaves a gap: the list has {length} before it"))?;
            }
        }
    }
    Ok(node)
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// Keys that no row of the table names.
pub fn unknown_keys(root: &Node, errors: &mut Vec<ConfigError>) {
    walk(root, &mut Vec::new(), errors);
}

fn walk(node: &Node, path: &mut Vec<Step>, errors: &mut Vec<ConfigError>) {
    match &node.content {
        Content::Map(entries) => {
            let section = generic(path);
            if settings::find(&section).is_some_and(|setting| !matches!(setting.kind, Kind::Section | Kind::Sections)) {
                return;
            }
            let names = settings::children(&section);
            // A section where none is due is reported by who reads the value.
            for entry in entries.iter().filter(|_| !names.is_empty()) {
                path.push(Step::Key(entry.key.clone()));
                if names.contains(&entry.key) {
                    walk(&entry.value, path, errors);
                } else {
                    let place = Some(entry.place.clone());
                    errors.push(ConfigError { path: show(path), place, message: unknown(&entry.key, &names) });
                }
                path.pop();
            }
        }
        Content::List(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(Step::Index(index));
                walk(item, path, errors);
                path.pop();
            }
        }
        Content::Null | Content::Text(_) => {}
    }
}

/// What to say of an unknown name: the nearest in its section, or the same name in another one, or all there are.
fn unknown(word: &str, names: &[String]) -> String {
    if let Some(near) = settings::nearest(word, names.iter().map(String::as_str)) {
        return format!("unknown; did you mean `{near}`?");
    }
    let elsewhere = settings::SETTINGS.iter().find(|setting| setting.key.rsplit('.').next() == Some(word));
    if let Some(setting) = elsewhere {
        return format!("unknown here; did you mean `{}`?", setting.key);
    }
    format!("unknown; there are {}", names.join(", "))
}

/// Reads values out of the tree, keeps every mistake, and writes down what is in effect.
pub struct Reader<'n> {
    pub root: &'n Node,
    pub errors: Vec<ConfigError>,
    pub effective: Node,
}

impl<'n> Reader<'n> {
    pub fn new(root: &'n Node, errors: Vec<ConfigError>) -> Reader<'n> {
        Reader { root, errors, effective: Node::map(Place::Default) }
    }

    /// Keeps a mistake in the value at `path`.
    pub fn wrong(&mut self, path: &str, message: impl Into<String>) {
        let place = at(self.root, &steps(path)).map(|node| node.place.clone());
        self.errors.push(ConfigError { path: path.to_owned(), place, message: message.into() });
    }

    /// What is given at `path`; `null` is nothing given.
    pub fn given(&self, path: &str) -> Option<&'n Node> {
        at(self.root, &steps(path)).filter(|node| node.content != Content::Null)
    }

    /// Notes what is in effect at `path`.
    pub fn note(&mut self, path: &str, content: Content) {
        self.note_steps(&steps(path), content);
    }

    pub fn note_steps(&mut self, path: &[Step], content: Content) {
        if let Ok(slot) = slot(&mut self.effective, path, &Place::Default) {
            slot.content = content;
        }
    }

    fn kind(path: &str) -> Kind {
        settings::find(&generic(&steps(path))).map_or(Kind::Text, |setting| setting.kind)
    }

    fn default(path: &str) -> Option<Node> {
        let text = settings::find(&generic(&steps(path)))?.default?;
        super::yaml::parse(text).ok().filter(|node| node.content != Content::Null)
    }

    /// The text at `path`, or the default's. What is given and is no text is a mistake, and the default goes on.
    fn raw(&mut self, path: &str) -> Option<String> {
        let mut text = None;
        if let Some(node) = self.given(path) {
            match &node.content {
                Content::Text(given) => text = Some(given.clone()),
                _ => self.wrong(path, format!("is {}, should be {}", node.what(), Self::kind(path).describe())),
            }
        }
        text.or_else(|| match Self::default(path)?.content {
            Content::Text(default) => Some(default),
            _ => None,
        })
    }

    /// An optional text; an empty one is none, and a mistake where the default is not empty.
    pub fn text(&mut self, path: &str) -> Option<String> {
        let text = self.raw(path);
        let filled = |node: Node| node.content != Content::Text(String::new());
        if text.as_deref() == Some("") && Self::default(path).is_some_and(filled) {
            self.wrong(path, "is empty");
        }
        let content = text.clone().map_or(Content::Null, Content::Text);
        self.note(path, content);
        text.filter(|text| !text.is_empty())
    }

    /// A text that one of `check`'s rules may refuse.
    pub fn checked<T>(&mut self, path: &str, check: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let text = self.text(path)?;
        match check(&text) {
            Ok(value) => Some(value),
            Err(message) => {
                self.wrong(path, message);
                None
            }
        }
    }

    /// A file that is there now.
    pub fn file(&mut self, path: &str) -> Option<PathBuf> {
        self.checked(path, |text| match std::fs::metadata(text) {
            Ok(found) if found.is_file() => Ok(PathBuf::from(text)),
            Ok(_) => Err(format!("{text} is no file")),
            Err(error) => Err(format!("cannot read {text}: {error}")),
        })
    }

    pub fn flag(&mut self, path: &str) -> bool {
        self.checked(path, |text| match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("should be true or false".to_owned()),
        })
        .unwrap_or_default()
    }

    /// A whole number, a size in bytes or a time in milliseconds, as its row says; `None` for `auto`.
    pub fn number(&mut self, path: &str) -> Option<u64> {
        let kind = Self::kind(path);
        let wrong = || format!("should be a {}", kind.describe());
        let parsed = self.checked(path, |text| {
            let (value, min, max) = match kind {
                Kind::WholeOrAuto { .. } if text == "auto" => return Ok(None),
                Kind::Whole { min, max } | Kind::WholeOrAuto { min, max } => (text.parse().ok(), min, max),
                Kind::Size { min, max } => (settings::parse_size(text), min, max),
                Kind::Time { min, max } => (settings::parse_time(text), min, max),
                _ => return Err("is no number".to_owned()),
            };
            if matches!(kind, Kind::Time { .. }) && text.parse::<u64>().is_ok() {
                return Err(format!("has no unit: {text}ms or {text}s?"));
            }
            value.filter(|value| (min..=max).contains(value)).map(Some).ok_or_else(wrong)
        });
        parsed.flatten()
    }

    /// A word of the row's list, as its place in that list.
    pub fn word(&mut self, path: &str) -> usize {
        let Kind::Word(words) = Self::kind(path) else { return 0 };
        self.checked(path, |text| {
            words.iter().position(|word| *word == text).ok_or_else(|| not_one_of(text, words.iter().copied()))
        })
        .unwrap_or_default()
    }

    /// A list of texts, each with its path. One text is split at its commas.
    pub fn texts(&mut self, path: &str) -> Vec<(String, String)> {
        let node = self.given(path).cloned().or_else(|| Self::default(path));
        let mut out = Vec::new();
        match node.as_ref().map(|node| &node.content) {
            None | Some(Content::Null) => {}
            Some(Content::Text(text)) => out.extend(split(text).map(|item| (path.to_owned(), item.to_owned()))),
            Some(Content::List(items)) => {
                for (index, item) in items.iter().enumerate() {
                    let path = format!("{path}[{index}]");
                    match &item.content {
                        Content::Text(text) if !text.is_empty() => out.push((path, text.clone())),
                        Content::Text(_) => self.wrong(&path, "is empty"),
                        _ => self.wrong(&path, format!("is {}, should be a text", item.what())),
                    }
                }
            }
            Some(Content::Map(_)) => self.wrong(path, "is a section, should be a list of texts"),
        }
        let items = out.iter().map(|(_, text)| Node::text(Place::Default, text.clone())).collect();
        self.note(path, Content::List(items));
        out
    }

    /// A secret, from here or from the file `<path>_file`.
    pub fn secret(&mut self, path: &str) -> Option<Secret> {
        let by_file = format!("{path}_file");
        match (self.given(path), self.given(&by_file)) {
            (Some(_), Some(_)) => {
                self.wrong(&by_file, format!("and `{path}` are both set"));
                None
            }
            (Some(_), None) => {
                let text = self.raw(path)?;
                self.note(path, Content::Text(Secret::MASK.to_owned()));
                (!text.is_empty()).then(|| Secret::text(text))
            }
            (None, Some(_)) => {
                let file = self.raw(&by_file)?;
                self.note(&by_file, Content::Text(file.clone()));
                match Secret::file(PathBuf::from(file)) {
                    Ok(secret) => Some(secret),
                    Err(message) => {
                        self.wrong(&by_file, message);
                        None
                    }
                }
            }
            (None, None) => {
                self.note(path, Content::Null);
                None
            }
        }
    }
}

/// The message for a word that is not on a closed list.
pub fn not_one_of<'a>(word: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let all: Vec<&str> = known.clone().collect();
    match settings::nearest(word, known) {
        Some(near) => format!("`{word}` is not known; did you mean `{near}`? There are {}", all.join(", ")),
        None => format!("`{word}` is not known; there are {}", all.join(", ")),
    }
}
