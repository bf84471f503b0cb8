//! YAML text ↔ a small tree that knows where each value stands. Scalars stay the text they were written as: `1e5` may
//! be a password and `no` a vendor's word. Knows no setting.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};
use std::collections::HashMap;
use std::fmt;

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A line of the file, counted from 1.
    Line(usize),
    /// An environment variable.
    Variable(String),
    /// Nowhere: the default.
    Default,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line(line) => write!(f, "line {line}"),
            Place::Variable(name) => f.write_str(name),
            Place::Default => f.write_str("default"),
        }
    }
}

/// One value and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub place: Place,
    pub content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Null,
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key of a mapping, with its own place: an unknown key is reported where the key stands, not where its value does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    pub place: Place,
    pub value: Node,
}

/// What is wrong with the text as YAML: 1-based line (0: none) and what the parser expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlError {
    pub line: usize,
    pub message: String,
}

/// A configuration is flat and small. Deeper or larger is a mistake, or an alias that grows without bound.
const MAX_DEPTH: usize = 32;
const MAX_NODES: usize = 50_000;

impl Node {
    pub fn text(place: Place, text: impl Into<String>) -> Node {
        Node { place, content: Content::Text(text.into()) }
    }

    pub fn map(place: Place) -> Node {
        Node { place, content: Content::Map(Vec::new()) }
    }

    /// The value of `key`, where this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.content {
            Content::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value),
            _ => None,
        }
    }

    /// What it is, in words for a message.
    pub fn what(&self) -> &'static str {
        match self.content {
            Content::Null => "null",
            Content::Text(_) => "one value",
            Content::List(_) => "a list",
            Content::Map(_) => "a section",
        }
    }

    fn size(&self) -> usize {
        match &self.content {
            Content::Null | Content::Text(_) => 1,
            Content::List(items) => 1 + items.iter().map(Node::size).sum::<usize>(),
            Content::Map(entries) => 1 + entries.iter().map(|entry| entry.value.size()).sum::<usize>(),
        }
    }
}

/// A list or mapping that is still open.
struct Open {
    node: Node,
    anchor: usize,
    /// The key that waits for its value.
    key: Option<(String, Place)>,
}

/// Reads one YAML document. Empty text is an empty mapping. A key that stands twice is an error, since one of the two
/// would be lost.
pub fn parse(text: &str) -> Result<Node, YamlError> {
    let mut parser = Parser::new_from_str(text);
    let (mut stack, mut anchors, mut root): (Vec<Open>, HashMap<usize, Node>, Option<Node>) = Default::default();
    let mut nodes = 0;
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(scan_error)?;
        let line = line_of(&span);
        let fail = |message: &str| Err(YamlError { line, message: message.to_owned() });
        let place = Place::Line(line);
        let (node, anchor) = match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => continue,
            Event::DocumentStart(_) if root.is_some() => return fail("a second document; there may be one"),
            Event::DocumentStart(_) => continue,
            Event::MappingStart(anchor, _) | Event::SequenceStart(anchor, _) if stack.len() >= MAX_DEPTH => {
                let _ = anchor;
                return fail("nested too deeply");
            }
            Event::MappingStart(anchor, _) => {
                stack.push(Open { node: Node::map(place), anchor, key: None });
                continue;
            }
            Event::SequenceStart(anchor, _) => {
                stack.push(Open { node: Node { place, content: Content::List(Vec::new()) }, anchor, key: None });
                continue;
            }
            Event::MappingEnd | Event::SequenceEnd => match stack.pop() {
                Some(open) => (open.node, open.anchor),
                None => return fail("an end without a start"),
            },
            Event::Scalar(text, style, anchor, _) => {
                let null = style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let content = if null { Content::Null } else { Content::Text(text.into_owned()) };
                (Node { place, content }, anchor)
            }
            Event::Alias(anchor) => match anchors.get(&anchor) {
                Some(node) => (Node { place, ..node.clone() }, 0),
                None => return fail("an alias of something that is not yet complete"),
            },
        };
        nodes += node.size();
        if nodes > MAX_NODES {
            return fail("too many values");
        }
        if anchor > 0 {
            anchors.insert(anchor, node.clone());
        }
        match stack.last_mut() {
            None => root = Some(node),
            Some(open) => add(open, node).map_err(|message| YamlError { line, message })?,
        }
    }
    Ok(root.filter(|node| node.content != Content::Null).unwrap_or_else(|| Node::map(Place::Line(1))))
}

fn add(open: &mut Open, node: Node) -> Result<(), String> {
    match &mut open.node.content {
        Content::List(items) => items.push(node),
        Content::Map(entries) => match open.key.take() {
            Some((key, place)) => entries.push(Entry { key, place, value: node }),
            None => {
                let Content::Text(key) = node.content else { return Err("a key has to be a word".to_owned()) };
                if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                    return Err(format!("`{key}` stands twice, first on {}", first.place));
                }
                open.key = Some((key, node.place));
            }
        },
        Content::Null | Content::Text(_) => {}
    }
    Ok(())
}

/// The parser counts lines from 1 for a start, as people do.
fn line_of(span: &Span) -> usize {
    span.start.line()
}

fn scan_error(error: ScanError) -> YamlError {
    YamlError { line: error.marker().line(), message: error.info().to_owned() }
}

/// Writes the tree as block YAML that [`parse`] reads back to the same tree (places aside).
pub fn write(node: &Node) -> String {
    let mut out = String::new();
    write_block(&mut out, node, 0);
    out
}

fn write_block(out: &mut String, node: &Node, indent: usize) {
    match &node.content {
        Content::Map(entries) => {
            for entry in entries {
                out.push_str(&" ".repeat(indent));
                write_entry(out, entry, indent);
            }
        }
        Content::List(items) => {
            for item in items {
                out.push_str(&" ".repeat(indent));
                out.push_str("- ");
                match &item.content {
                    Content::Map(entries) if !entries.is_empty() => {
                        for (place, entry) in entries.iter().enumerate() {
                            if place > 0 {
                                out.push_str(&" ".repeat(indent + 2));
                            }
                            write_entry(out, entry, indent + 2);
                        }
                    }
                    _ => {
                        write_flow(out, item);
                        out.push('\n');
                    }
                }
            }
        }
        Content::Null | Content::Text(_) => {
            write_flow(out, node);
            out.push('\n');
        }
    }
}

fn write_entry(out: &mut String, entry: &Entry, indent: usize) {
    out.push_str(&quoted(&entry.key));
    out.push(':');
    let block = match &entry.value.content {
        Content::Map(entries) => !entries.is_empty(),
        Content::List(items) => items.iter().any(|item| matches!(item.content, Content::Map(_))),
        Content::Null | Content::Text(_) => false,
    };
    if block {
        out.push('\n');
        write_block(out, &entry.value, indent + 2);
    } else {
        out.push(' ');
        write_flow(out, &entry.value);
        out.push('\n');
    }
}

fn write_flow(out: &mut String, node: &Node) {
    match &node.content {
        Content::Null => out.push_str("null"),
        Content::Text(text) => out.push_str(&quoted(text)),
        Content::List(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                out.push_str(if place > 0 { ", " } else { "" });
                write_flow(out, item);
            }
            out.push(']');
        }
        Content::Map(entries) => {
            out.push('{');
            for (place, entry) in entries.iter().enumerate() {
                out.push_str(if place > 0 { ", " } else { "" });
                out.push_str(&quoted(&entry.key));
                out.push_str(": ");
                write_flow(out, &entry.value);
            }
            out.push('}');
        }
    }
}

/// Plain where nothing can be misread, else in double quotes.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'/' | b'-');
    let word = text.bytes().next().is_some_and(|first| plain(first) && first != b'-') && text.bytes().all(plain);
    let null = matches!(text, "null" | "Null" | "NULL" | "~" | "...");
    if word && !null {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control.is_control() => out.push_str(&format!("\\U{:08x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(node: Option<&Node>) -> Place {
        node.unwrap().place.clone()
    }

    #[test]
    fn a_value_knows_its_line_and_keeps_its_text() {
        let node = parse("# note\nkafka:\n  group: 007\n  none: ~\n  quoted: \"null\"\nlist: [a, 1e5]\n").unwrap();
        let kafka = node.get("kafka").unwrap();
        assert_eq!(kafka.get("group"), Some(&Node::text(Place::Line(3), "007")));
        assert_eq!(kafka.get("none").unwrap().content, Content::Null);
        assert_eq!(kafka.get("quoted").unwrap().content, Content::Text("null".to_owned()));
        assert_eq!(line(node.get("list")), Place::Line(6));
        let Content::List(items) = &node.get("list").unwrap().content else { panic!() };
        assert_eq!(items[1].content, Content::Text("1e5".to_owned()));
    }

    #[test]
    fn mistakes_have_a_line() {
        let twice = parse("a: 1\nb: 2\na: 3\n").unwrap_err();
        assert_eq!((twice.line, twice.message.as_str()), (3, "`a` stands twice, first on line 1"));
        assert_eq!(parse("a: 1\n---\nb: 2\n").unwrap_err().message, "a second document; there may be one");
        assert_eq!(parse("a:\n  - b\n c: [\n").unwrap_err().line, 3);
        assert_eq!(parse(&"[".repeat(40)).unwrap_err().message, "nested too deeply");
        assert!(parse(&"[".repeat(100_000)).is_err());
    }

    #[test]
    fn aliases_work_and_cannot_explode() {
        let node = parse("a: &x [1, 2]\nb: *x\n").unwrap();
        assert_eq!(node.get("b").unwrap().content, node.get("a").unwrap().content);
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let before = format!("*a{}, ", level - 1).repeat(9);
            bomb.push_str(&format!("a{level}: &a{level} [{before}]\n"));
        }
        assert_eq!(parse(&bomb).unwrap_err().message, "too many values");
    }

    #[test]
    fn nothing_is_an_empty_section() {
        for empty in ["", "\n", "# only a note\n", "---\n"] {
            assert_eq!(parse(empty).unwrap().content, Content::Map(Vec::new()), "{empty:?}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let text = "a:\n  b: \"x: #y\"\n  c: [\"\", \"-\", \"null\", null, \"{}\", \"\\u0001\\\"\"]\nd:\n  - e: [1]\n    f: {}\n  - g: \"10%\"\nh: []\n";
        let mut first = parse(text).unwrap();
        let written = write(&first);
        let mut second = parse(&written).unwrap();
        forget_places(&mut first);
        forget_places(&mut second);
        assert_eq!(first, second, "{written}");
    }

    fn forget_places(node: &mut Node) {
        node.place = Place::Default;
        match &mut node.content {
            Content::List(items) => items.iter_mut().for_each(forget_places),
            Content::Map(entries) => entries.iter_mut().for_each(|entry| {
                entry.place = Place::Default;
                forget_places(&mut entry.value);
            }),
            _ => {}
        }
    }
}
