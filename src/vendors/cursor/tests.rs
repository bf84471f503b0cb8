//! What the cursor promises: it reads exactly what RFC 8259 says, marks exactly what was read, and lists the rest.

use super::*;
use crate::canonical::{Decimal, ExtensionsBuffer, PiiClass, Privacy, Text, Treatment};
use crate::reject::{Code, Place, Reject};
use crate::vendors::documents::Documents;
use serde_json::{Value, json};

const DEPTH: usize = 128;

fn refused(body: &[u8]) -> Option<Reject> {
    Tape::default().read(body, DEPTH).err()
}

fn code(body: &[u8]) -> Option<Code> {
    refused(body).map(|reject| reject.code)
}

/// Reads `body`, lets `read` read of it, and gives back what is left over.
fn left_over(body: &str, rules: &Rules, read: impl FnOnce(Node<'_>)) -> Vec<(String, String)> {
    let mut tape = Tape::default();
    let text = tape.read(body.as_bytes(), DEPTH).expect("JSON");
    let doc = Doc::new(&tape, text, rules, None);
    read(doc.root());
    let mut out = ExtensionsBuffer::default();
    doc.root().leftovers(Keeping::EVERYTHING, &mut String::new(), &mut out, &mut Nobody).expect("room");
    out.view().iter().map(|(pointer, json)| (pointer.to_owned(), json.to_owned())).collect()
}

fn nothing() -> Rules {
    Rules::new(&[])
}

fn with_root<T>(body: &str, f: impl FnOnce(Node<'_>) -> T) -> T {
    let rules = nothing();
    let mut tape = Tape::default();
    let text = tape.read(body.as_bytes(), DEPTH).expect("JSON");
    f(Doc::new(&tape, text, &rules, None).root())
}

impl Element for String {
    const ROOM: usize = size_of::<String>();
}

impl Element for Node<'_> {
    const ROOM: usize = size_of::<Node<'_>>();
}

#[test]
fn refuses_what_is_not_json_and_says_where() {
    for (body, code, at) in [
        (&b"{"[..], Code::JsonSyntax, 1),
        (b"{\"a\":1,}", Code::JsonSyntax, 7),
        (b"[1,]", Code::JsonSyntax, 3),
        (b"01", Code::JsonSyntax, 1),
        (b"1.", Code::JsonSyntax, 2),
        (b".5", Code::JsonSyntax, 0),
        (b"1e", Code::JsonSyntax, 2),
        (b"+1", Code::JsonSyntax, 0),
        (b"nul", Code::JsonSyntax, 0),
        (b"\"a", Code::JsonSyntax, 2),
        (b"\"\x01\"", Code::JsonSyntax, 1),
        (b"\"\\x\"", Code::JsonSyntax, 2),
        (b"{} x", Code::JsonSyntax, 3),
        (b"\xef\xbb\xbf{}", Code::JsonSyntax, 0),
        (b"\"\xff\"", Code::JsonEncoding, 1),
        (b"\"\\ud800\"", Code::JsonEncoding, 1),
        (b"\"\\udc00\"", Code::JsonEncoding, 1),
        (b"\"\\ud800\\ud800\"", Code::JsonEncoding, 1),
        (b"{\"a\":1,\"a\":2}", Code::JsonDuplicateKey, 7),
        (b"{\"a\":1,\"\\u0061\":2}", Code::JsonDuplicateKey, 7),
    ] {
        assert_eq!(refused(body), Some(Reject { code, place: Place::Offset(at) }), "{}", String::from_utf8_lossy(body));
    }
    assert_eq!(code(b""), Some(Code::BodyEmpty));
    assert_eq!(code(b" "), Some(Code::JsonSyntax));
}

#[test]
fn depth_is_a_limit_and_not_a_crash() {
    let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
    assert_eq!(code(&nested(DEPTH)), None);
    assert_eq!(code(&nested(DEPTH + 1)), Some(Code::JsonDepth));
    assert_eq!(code(&vec![b'['; 100_000]), Some(Code::JsonDepth));
    assert_eq!(code("{\"a\":".repeat(100_000).as_bytes()), Some(Code::JsonDepth));
}

#[test]
fn a_wide_object_is_searched_for_duplicates_too() {
    let keys: Vec<String> = (0..5_000).map(|n| format!("\"k{n}\":0")).collect();
    assert_eq!(code(format!("{{{}}}", keys.join(",")).as_bytes()), None);
    assert_eq!(code(format!("{{{},\"k17\":1}}", keys.join(",")).as_bytes()), Some(Code::JsonDuplicateKey));
}

/// Equal to serde_json's opinion, but for what koine refuses on purpose: duplicate keys and depth.
#[test]
fn agrees_with_serde_json_over_mutations() {
    let seeds: Vec<Vec<u8>> = ["order.completed", "product.created", "customer.created"]
        .map(|name| {
            std::fs::read(format!("{}/tests/fixtures/bodies/spree/{name}.json", env!("CARGO_MANIFEST_DIR")))
                .expect("body")
        })
        .to_vec();
    let mut random = Random(42);
    let (mut accepted, mut different) = (0, Vec::new());
    // One that has read all of them, and knows which key usually comes after which.
    let mut used = Tape::default();
    for round in 0..20_000 {
        let mut body = seeds[round % seeds.len()].clone();
        for _ in 0..=random.below(3) {
            let at = random.below(body.len().max(1));
            if body.is_empty() {
                break;
            }
            match random.below(4) {
                0 => body[at] = b"{}[]\",:\\0123456789.eE-+ntfu /\x00\x80"[random.below(31)],
                1 => drop(body.remove(at)),
                2 => body.truncate(at.max(1)),
                _ => {
                    let to = (at + random.below(40)).min(body.len());
                    let piece = body[at..to].to_vec();
                    body.splice(at..at, piece);
                }
            }
        }
        let mut new = Tape::default();
        let ours = new.read(&body, DEPTH).err();
        assert_eq!(used.read(&body, DEPTH).err(), ours, "{}", String::from_utf8_lossy(&body));
        assert!(ours.is_some() || used.is_like(&new), "{}", String::from_utf8_lossy(&body));
        let theirs: Result<Value, _> = serde_json::from_slice(&body);
        accepted += ours.is_none() as usize;
        let agree = match ours.map(|reject| reject.code) {
            None => theirs.is_ok(),
            Some(Code::JsonDuplicateKey | Code::JsonDepth) => true,
            Some(_) => theirs.is_err(),
        };
        if !agree {
            different.push(String::from_utf8_lossy(&body).into_owned());
        }
    }
    assert!(different.is_empty(), "{} differ, the first: {}", different.len(), different[0]);
    assert!(accepted > 1_000, "too few mutations survive to prove anything: {accepted}");
}

/// Objects whose keys come in any order, in any spelling, twice, or too long to be remembered, one body after the other.
#[test]
fn what_was_read_before_changes_nothing() {
    let names = [
        "id",
        "a",
        "name",
        "created_at",
        "displayed_additional_tax_total",
        &"long".repeat(20),
        "n\\u0061me",
        "\\n",
        "",
    ];
    let values = ["1", "\"a\"", "[]", "{}", "[{\"id\":1},{\"id\":2,\"a\":{\"a\":0}}]", "{\"name\":{\"id\":null}}"];
    let colons = [":", ": ", " :", " :  ", ":\n", ""];
    let mut random = Random(7);
    let mut used = Tape::default();
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let members = (0..random.below(8)).map(|_| {
            let [name, value] = [names[random.below(names.len())], values[random.below(values.len())]];
            // Mostly like last time.
            let colon = colons[random.below(40).saturating_sub(34)];
            format!("\"{name}\"{colon}{value}")
        });
        let body = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
        let mut new = Tape::default();
        let expected = new.read(body.as_bytes(), DEPTH).err();
        assert_eq!(used.read(body.as_bytes(), DEPTH).err(), expected, "{body}");
        match expected {
            Some(_) => refused += 1,
            None => {
                assert!(used.is_like(&new), "{body}");
                accepted += 1;
            }
        }
    }
    assert!(accepted > 5_000 && refused > 5_000, "{accepted} and {refused}");
}

/// What is remembered of shapes (their keys, where a key stands, what the page and the rules say of each) is what would be found
/// without: for bodies of all orders, one after the other, until all was forgotten and learnt again.
#[test]
fn what_is_remembered_of_a_shape_is_what_would_be_found() {
    let page = "= Part\nid number\nname string {free_text}\n* any\n@ e\nid number\na Part\nname [Part|string]\nnote string {contact}\n";
    let page: &'static Documents = Box::leak(Box::new(Documents::parse(page).expect("well formed")));
    let rules = Rules::new(&[&[
        Rule::under("a", "note", Why::Secret),
        Rule::new("display_*", Why::Derived),
        Rule::new("gone", Why::Structural),
    ]]);
    let privacy = Privacy::new(b"").with(PiiClass::Contact, Treatment::Drop);
    let mut random = Random(3);
    let mut used = Tape::default();
    let mut differing = std::collections::HashSet::new();
    for _ in 0..20_000 {
        let body = members(&mut random, 0);
        let mut new = Tape::default();
        let [one, other] = [&mut used, &mut new].map(|tape| found(tape, &body, page, &rules, &privacy));
        assert_eq!(one, other, "{body}");
        differing.insert(one);
    }
    assert!(differing.len() > 5_000, "{}", differing.len());
    assert!(used.shapes.generation() > 3, "never was all forgotten: {}", used.shapes.generation());
}

/// An object of some keys in any order.
fn members(random: &mut Random, depth: usize) -> String {
    let names = ["id", "a", "name", "note", "display_a", "gone", "token", "b/c", "", "extra_key"];
    let mut left: Vec<&str> = names.to_vec();
    let all: Vec<String> = (0..random.below(7))
        .map(|_| {
            let name = left.swap_remove(random.below(left.len()));
            let value = match random.below(if depth < 2 { 9 } else { 6 }) {
                0 => "null".to_owned(),
                1 => "17".to_owned(),
                2 => "true".to_owned(),
                3 => "\"a\\u0041\"".to_owned(),
                4 => "[]".to_owned(),
                5 => "\"plain\"".to_owned(),
                6 => format!("[{},{}]", members(random, depth + 1), members(random, depth + 1)),
                7 => format!("[[{}]]", members(random, depth + 1)),
                _ => members(random, depth + 1),
            };
            format!("\"{name}\":{value}")
        })
        .collect();
    format!("{{{}}}", all.join(","))
}

/// What a mapping and the walk after it make of a body, as text.
fn found(tape: &mut Tape, body: &str, page: &'static Documents, rules: &Rules, privacy: &Privacy) -> String {
    #[derive(Default)]
    struct Told<const EACH: bool>(Vec<String>);
    impl<const EACH: bool> Watch for Told<EACH> {
        const EACH_LEAF: bool = EACH;
        fn leaf(&mut self, leaf: u32, fate: Fate) {
            if EACH || matches!(fate, Fate::Kept(_)) {
                self.0.push(format!("{leaf}:{fate:?}"));
            }
        }
        fn odd(&mut self, oddity: Oddity, node: u32, _: Option<Spot>) {
            self.0.push(format!("{node}:{oddity:?}"));
        }
    }
    let text = tape.read(body.as_bytes(), DEPTH).expect("JSON");
    let doc = Doc::new(tape, text, rules, None);
    let root = doc.root();
    let mut read =
        vec![format!("{:?} {:?}", root.id("id"), root.text(["none", "name"])), format!("{:?}", root.has("note"))];
    if let Ok(a) = root.child("a") {
        read.push(format!("{:?} {:?} {:?}", a.id("id"), a.boolean("name"), a.has("extra_key")));
    }
    let parts = root.list("name", |part| Ok(format!("{:?} {:?}", part.text("b/c"), part.has("id"))));
    read.push(format!("{parts:?}"));
    let keeping = Keeping { body: page.body("e"), extensions: Extensions::Full, privacy: Some(privacy) };
    let (mut out, mut told, mut all) = (ExtensionsBuffer::default(), Told::<false>::default(), Told::<true>::default());
    root.leftovers(keeping, &mut String::new(), &mut out, &mut told).expect("room");
    let kept: Vec<String> = out.view().iter().map(|(pointer, json)| format!("{pointer}={json}")).collect();
    out.clear();
    root.leftovers(keeping, &mut String::new(), &mut out, &mut all).expect("room");
    let again: Vec<String> = out.view().iter().map(|(pointer, json)| format!("{pointer}={json}")).collect();
    assert_eq!(kept, again, "whoever watches changes nothing: {body}");
    let all_told: Vec<&String> = all.0.iter().filter(|line| told.0.contains(line)).collect();
    assert_eq!(all_told.len(), told.0.len(), "who is told of each leaf is told of the others too: {body}");
    format!("{read:?} {kept:?} {:?} {:?}", told.0, all.0)
}

#[test]
fn keys_are_the_same_if_all_their_bytes_are() {
    let key: Vec<u8> = (b'a'..=b'z').collect();
    for n in 0..=key.len() {
        let one = &key[..n];
        let elsewhere = one.to_vec();
        assert!(is_same(one, &elsewhere) && tag(one) == tag(&elsewhere));
        assert!(n == 0 || !is_same(one, &one[1..]) && !is_same(&one[..n - 1], one));
        for at in 0..n {
            let mut other = one.to_vec();
            other[at] = b'#';
            assert!(!is_same(one, &other) && !is_same(&other, one), "{at} of {n}");
        }
    }
}

/// xorshift: mutations have to be the same on every machine.
struct Random(u64);
impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

#[test]
fn reads_text_with_its_escapes_undone() {
    let body = r#"{"a":"\u0041\n\"\\\/\ud83d\ude00é","b":12.50,"c":""}"#;
    with_root(body, |root| {
        assert_eq!(root.text("a").unwrap().as_deref(), Some("A\n\"\\/😀é"));
        assert_eq!(root.text("b").unwrap().as_deref(), Some("12.50"));
        assert_eq!(root.text("c").unwrap().as_deref(), Some(""));
        assert_eq!(root.id("c").unwrap(), None);
        assert_eq!(root.text("d").unwrap(), None);
    });
}

#[test]
fn every_refusal_has_its_place() {
    let body = r#"{"a":{"b":[{"c":"ten"},{"c":true}],"jane@example.com":{"x":"?"}},"n":1.5,"t":12,"e":{}}"#;
    let rules = nothing();
    let mut tape = Tape::default();
    let text = tape.read(body.as_bytes(), DEPTH).unwrap();
    let doc = Doc::new(&tape, text, &rules, None);
    let root = doc.root();
    let pointer = |reject: Reject| (reject.code.as_str(), doc.pointer(root, &reject));
    let b = root.child("a").unwrap().value("b").unwrap();
    let first = b.items().unwrap().next().unwrap();
    let second = b.items().unwrap().nth(1).unwrap();
    assert_eq!(pointer(first.money("c").unwrap_err()), ("money.invalid", "/a/b/0/c".into()));
    assert_eq!(pointer(second.money("c").unwrap_err()), ("field.type", "/a/b/1/c".into()));
    assert_eq!(pointer(first.time("c").unwrap_err()), ("time.invalid", "/a/b/0/c".into()));
    assert_eq!(pointer(root.time("t").unwrap_err()), ("time.invalid", "/t".into()));
    assert_eq!(pointer(root.long("n").unwrap_err()), ("number.range", "/n".into()));
    assert_eq!(pointer(root.boolean("n").unwrap_err()), ("field.type", "/n".into()));
    assert_eq!(pointer(root.list("a", Ok).unwrap_err()), ("field.type", "/a".into()));
    assert_eq!(pointer(root.child("n").err().unwrap()), ("field.type", "/n".into()));
    assert_eq!(pointer(root.require_id("id").unwrap_err()), ("field.missing", "/id".into()));
    // A key that is somebody's address does not leave the house.
    let (_, odd) = root.child("a").unwrap().entries().unwrap().nth(1).unwrap();
    assert_eq!(pointer(odd.long("x").unwrap_err()), ("number.range", "/a/~#1/x".into()));
}

#[test]
fn numbers_are_read_exactly() {
    with_root(r#"{"a":2.0,"b":"3","c":2e3,"d":9223372036854775807,"e":9223372036854775808,"f":"","g":0.1}"#, |root| {
        assert_eq!(root.long("a").unwrap(), Some(2));
        assert_eq!(root.long("b").unwrap(), Some(3));
        assert_eq!(root.long("c").unwrap(), Some(2000));
        assert_eq!(root.long("d").unwrap(), Some(i64::MAX));
        assert_eq!(root.long("e").unwrap_err().code, Code::NumberRange);
        assert_eq!(root.long("f").unwrap(), None);
        assert_eq!(root.money("f").unwrap(), None);
        assert_eq!(root.money("g").unwrap(), Decimal::from_units(100_000_000));
    });
}

#[test]
fn times_have_the_unit_of_their_field() {
    with_root(r#"{"ms":1395431340000,"s":1395431340.123,"fine":1395431340.1234567,"word":"soon"}"#, |root| {
        assert_eq!(root.millis("ms").unwrap().unwrap().to_string(), "2014-03-21T19:49:00Z");
        assert_eq!(root.seconds("s").unwrap().unwrap().to_string(), "2014-03-21T19:49:00.123Z");
        assert_eq!(root.seconds("fine").unwrap().unwrap().to_string(), "2014-03-21T19:49:00.123456Z");
        assert_eq!(root.millis("word").unwrap_err().code, Code::TimeInvalid);
    });
}

#[test]
fn a_zone_is_only_what_the_configuration_names() {
    let body = br#"{"t":"2026-07-01T12:00:00"}"#;
    let rules = nothing();
    let zone = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
    let mut tape = Tape::default();
    let text = tape.read(body, DEPTH).unwrap();
    assert_eq!(Doc::new(&tape, text, &rules, None).root().time("t").unwrap_err().code, Code::TimeInvalid);
    let time = Doc::new(&tape, text, &rules, Some(&zone)).root().time("t").unwrap().unwrap();
    assert_eq!(time.to_string(), "2026-07-01T10:00:00Z");
}

#[test]
fn a_time_that_was_cut_is_kept_with_a_zone_and_without() {
    let body = r#"{"fine":"2026-07-01T12:00:00.1234567","offset":"2026-07-01T12:00:00.123456000000001Z",
        "leap":"2016-12-31T23:59:60Z","early":"1969-12-31T12:00:00.0000001","exact":"2026-07-01T12:00:00.123456"}"#;
    let rules = nothing();
    let zone = jiff::tz::TimeZone::UTC;
    let mut tape = Tape::default();
    let text = tape.read(body.as_bytes(), DEPTH).unwrap();
    let doc = Doc::new(&tape, text, &rules, Some(&zone));
    for (key, time) in [
        ("fine", "2026-07-01T12:00:00.123456Z"),
        ("offset", "2026-07-01T12:00:00.123456Z"),
        ("leap", "2016-12-31T23:59:59Z"),
        ("early", "1969-12-31T12:00:00Z"),
        ("exact", "2026-07-01T12:00:00.123456Z"),
    ] {
        assert_eq!(doc.root().time(key).unwrap().unwrap().to_string(), time, "{key}");
    }
    let mut kept = ExtensionsBuffer::default();
    doc.root().leftovers(Keeping::EVERYTHING, &mut String::new(), &mut kept, &mut Nobody).expect("room");
    let kept: Vec<&str> = kept.view().iter().map(|(pointer, _)| pointer).collect();
    assert_eq!(kept, ["/fine", "/offset", "/leap", "/early"]);
}

#[test]
fn what_nobody_read_is_left_over_by_its_topmost_node() {
    let body = r#"{"id":1,"a":{"read":1,"not":{"x":[1, {"y":"é"}],"n":null}},"list":[{"q":1},{"q":2}],"k/~":true,"empty":{},"none":null}"#;
    let left = left_over(body, &nothing(), |root| {
        root.id("id").unwrap();
        root.child("a").unwrap().long("read").unwrap();
        let items = root.value("list").unwrap();
        items.items().unwrap().next().unwrap().long("q").unwrap();
    });
    let expected = [("/a/not", r#"{"x":[1,{"y":"é"}]}"#), ("/list/1", r#"{"q":2}"#), ("/k~1~0", "true")];
    assert_eq!(left, expected.map(|(p, j)| (p.to_owned(), j.to_owned())));
}

#[test]
fn secrets_are_left_out_at_any_depth() {
    let rules = Rules::new(&[&[Rule::under("gift_card", "code", Why::Secret), Rule::new("display_*", Why::Derived)]]);
    let body = r#"{"id":1,"token":"S1","a":{"keep":1,"client_secret":{"deep":"S2"}},"gift_card":{"code":"S3","n":1},
        "code":"kept","display_total":"D","list":[{"apiKey":"S4"},{"v":1}],"only":{"password":"S5"},
        "text":"{\"session\":{\"access_token\":\"S6\"}}","nested":["[{\"x\":\"{\\\"token\\\":\\\"S7\\\"}\"}]"],"plain":"{not json"}"#;
    let left = left_over(body, &rules, |root| {
        root.id("id").unwrap();
    });
    let expected = [
        ("/a", r#"{"keep":1}"#),
        ("/gift_card", r#"{"n":1}"#),
        ("/code", r#""kept""#),
        ("/list", r#"[null,{"v":1}]"#),
        ("/plain", r#""{not json""#),
    ];
    assert_eq!(left, expected.map(|(p, j)| (p.to_owned(), j.to_owned())));
}

/// JSON in a text is looked through as the body is: under the same rules, in the same places, as deep as it goes.
#[test]
fn a_text_that_is_json_hides_nothing() {
    let rules = Rules::new(&[&[
        Rule::under("gift_card", "code", Why::Secret),
        Rule::new("passport_number", Why::Privacy),
        Rule::new("display_*", Why::Derived),
    ]]);
    let deep = format!("{}{{\"token\":1}}{}", "[".repeat(70), "]".repeat(70));
    for (key, text) in [
        ("x", r#"{"token":1}"#),
        ("x", r#" [{"a":{"apiKey":1}}]"#),
        // A key twice: whoever reads this takes the one or the other.
        ("x", r#"{"a":1,"a":2,"token":3}"#),
        ("x", &deep),
        ("x", r#"{"a":"\ud800","token":1}"#),
        // A document in quotes in quotes.
        ("x", r#""{\"token\":1}""#),
        ("gift_card", r#"{"code":"GC"}"#),
        ("x", r#"{"gift_card":[{"code":"GC"}]}"#),
        ("x", r#"{"passport_number":"P"}"#),
        // A rule drops it for how its name begins; it is a secret for how that ends.
        ("x", r#"{"display_token":1}"#),
        // As some programs begin a text, and with space that JSON does not have.
        ("x", "\u{feff}{\"token\":1}"),
        ("x", "\u{a0}{\"token\":1}\u{b}"),
        // What is not JSON and can be read by others: lines of it, a comma too many, one that was cut off.
        ("x", "{\"a\":1}\n{\"token\":1}"),
        ("x", "\u{1e}[1]\n\u{1e}{\"token\":1}\n"),
        ("x", "\"{}\"\n\"{\\\"token\\\":1}\""),
        ("x", r#"{"token":1,}"#),
        ("x", r#"[{"a":1},{"apiKey" : "S"#),
        ("x", r#"{"a":"{\"b\":\"{\\\"token\\\":1}\"}","c":"#),
        ("x", r#"{"\u0074oken":1,}"#),
        // What it lies under cannot be told, so what it may lie under counts.
        ("x", r#"{"gift_card":{"code":"GC"},}"#),
        ("gift_card", r#"{"code":"GC",}"#),
        ("x", r#"{"passport_number":"P",}"#),
        // What Ruby, Python and JavaScript print.
        ("x", r#"{"a"=>{"token"=>"S"}}"#),
        ("x", r#"{:token=>"S"}"#),
        ("x", "{'a': True, 'token': 'S'}"),
        ("x", "[{a: 1, accessToken: 'S'}]"),
    ] {
        for body in
            [json!({"id": 1, key: text}), json!({"id": 1, key: [text]}), json!({"id": 1, "o": {"n": 1, key: text}})]
        {
            let left = left_over(&body.to_string(), &rules, |root| drop(root.id("id")));
            let left: Vec<&str> = left.iter().map(|(_, json)| &**json).collect();
            assert!(matches!(left[..], [] | [r#"{"n":1}"#]), "{body}: {left:?}");
        }
    }
    for text in [
        r#"{"tokens":1,"code":"C","display_x":1}"#,
        "{token}",
        "[1] token",
        r#""token""#,
        r#"{"a":"token""#,
        // A title, and a sentence.
        r#""The Secret": a novel"#,
        "token: where is it?",
        "{\"a\":1}\n{\"tokens\":\"token\"}",
        "{=: :}",
        r#"{{block code="C" token"#,
        // A place of which is known what it lies under.
        r#"{"gift_cards":{},"code":"C"}"#,
    ] {
        let body = json!({"id": 1, "x": text});
        let left = left_over(&body.to_string(), &rules, |root| drop(root.id("id")));
        assert_eq!(left, [("/x".to_owned(), json!(text).to_string())]);
    }
}

/// A text with a field of its own is looked through as one without is: it reads as nothing, and is dropped by its rule.
#[test]
fn a_text_with_a_secret_in_it_is_not_given_out() {
    let rules = Rules::new(&[&[Rule::under("gift_card", "code", Why::Secret)]]);
    let secret = r#"{"a":{"token":"S"}}"#;
    let body = json!({"text": secret, "id": secret, "word": secret, "form": secret, "look": secret, "leaf": secret,
        "currency": secret, "tags": ["a", secret, "b"], "langs": ["en", secret], "required": secret, "null": null,
        "gift_card": r#"[{"code":"GC"}]"#, "promotion": r#"[{"code":"GC"}]"#, "gifts": {"gift_card": [r#"{"code":"GC"}"#]},
        "open": r#"{"a":1}"#, "repeats": secret, "plain": "a"});
    let (body, mut tape) = (body.to_string(), Tape::default());
    let text = tape.read(body.as_bytes(), DEPTH).expect("JSON");
    let doc = Doc::new(&tape, text, &rules, None);
    let root = doc.root();
    assert_eq!(root.text("text"), Ok(None));
    assert_eq!(root.text(["text", "plain"]), Ok(None), "an alias is chosen by its key");
    assert_eq!(root.id("id"), Ok(None));
    assert_eq!(root.look("look"), Ok(None));
    assert_eq!(root.peek("look"), None);
    assert_eq!(root.value("leaf").unwrap().read_leaf_text(), Ok(None));
    assert_eq!(root.form("form", |text| Some(Text::Owned(text.to_owned()))), Ok(None));
    assert_eq!(root.same_currency("currency", Some("EUR")), Ok(()));
    assert_eq!(root.texts("tags").unwrap(), ["a", "b"]);
    assert_eq!(root.forms("langs", |text| Some(Text::Owned(text.to_owned()))).unwrap(), ["en"]);
    root.repeats("repeats", Some(secret)).unwrap();
    // Something was said, and it is none of the words that are known.
    assert_eq!(root.word("word", |_| Some(1), 0), Ok((Some(0), None)));
    assert_eq!(root.word("null", |_| Some(1), 0), Ok((None, None)));
    // The rules hold for a text in the place where it stands.
    assert_eq!(root.text("gift_card"), Ok(None));
    assert_eq!(root.text("promotion").unwrap().as_deref(), Some(r#"[{"code":"GC"}]"#));
    assert_eq!(root.child("gifts").unwrap().texts("gift_card").unwrap(), [""; 0]);
    assert_eq!(root.text("open").unwrap().as_deref(), Some(r#"{"a":1}"#));
    assert_eq!(root.text("plain").unwrap().as_deref(), Some("a"));
    // What has to be there is refused, and in the place of the text.
    let at = |reject: Reject| (reject.code.as_str(), doc.pointer(root, &reject));
    assert_eq!(at(root.require_id("required").unwrap_err()), ("field.type", "/required".into()));
    assert_eq!(at(root.missing("required", Code::EnvelopeMissing)), ("field.type", "/required".into()));
    assert_eq!(at(root.missing("null", Code::FieldMissing)), ("field.missing", "/null".into()));
    // Nor does a body say of it that it is null.
    assert_eq!(["required", "null", "open", "gone"].map(|key| root.says(key)), [false, true, true, false]);
    // What is to be a number or a time is no text, and is refused as ever.
    assert_eq!(at(root.money("text").unwrap_err()), ("money.invalid", "/text".into()));
    assert_eq!(at(root.long("id").unwrap_err()), ("number.range", "/id".into()));
    assert_eq!(at(root.time("look").unwrap_err()), ("time.invalid", "/look".into()));
}

/// Each leaf of it is told to be dropped by the rule, and nothing of it is kept.
#[test]
fn a_text_that_is_not_given_out_is_dropped_by_its_rule() {
    #[derive(Default)]
    struct Fates(Vec<Fate>);
    impl Watch for Fates {
        const EACH_LEAF: bool = true;

        fn leaf(&mut self, _: u32, fate: Fate) {
            self.0.push(fate);
        }
    }
    let rules = nothing();
    let secret = r#"{"a":{"token":"S"}}"#;
    let body =
        json!({"text": secret, "tags": [secret], "unread": secret, "skipped": secret, "word": secret}).to_string();
    let (mut tape, mut out, mut fates) = (Tape::default(), ExtensionsBuffer::default(), Fates::default());
    let body = tape.read(body.as_bytes(), DEPTH).expect("JSON");
    let doc = Doc::new(&tape, body, &rules, None);
    doc.root().text("text").unwrap();
    doc.root().texts("tags").unwrap();
    doc.root().word("word", |_| Some(1), 0).unwrap();
    doc.root().value("skipped").unwrap().skip();
    doc.root().leftovers(Keeping::EVERYTHING, &mut String::new(), &mut out, &mut fates).expect("room");
    assert_eq!(out.view().iter().count(), 0);
    assert_eq!(fates.0, [Fate::Dropped(Why::Secret); 5]);
}

/// A key that is itself such a document is a secret's too: it would stand in a pointer, or name an attribute.
#[test]
fn a_key_that_is_a_document_hides_nothing() {
    let key = r#"{"token":"S"}"#;
    let body = json!({"id": 1, key: 1, "a": {key: {"b": 2}, "c": {key: 3}, "{}": 4}}).to_string();
    let left = left_over(&body, &nothing(), |root| {
        root.id("id").unwrap();
        assert!(root.is_dropped_as(key));
        assert!(!root.is_dropped_as("{}"));
    });
    assert_eq!(left, [("/a".to_owned(), r#"{"{}":4}"#.to_owned())]);
}

/// Some senders escape every letter that is not ASCII. That makes no document of a text.
#[test]
fn a_text_that_begins_with_an_escape_is_a_text() {
    let privacy = Privacy::new(b"").with(PiiClass::Undocumented, Treatment::Drop);
    let keeping = Keeping { privacy: Some(&privacy), ..Keeping::EVERYTHING };
    let rules = nothing();
    for (text, is_kept) in [
        (r#""\u00c9dition""#, true),
        (r#""\nnew""#, true),
        (r#""\u007b\"a\":1}""#, false),
        (r#""\n[]""#, false),
        (r#""\"{}\"""#, false),
        (r#""{\"a\":1}""#, false),
    ] {
        let body = format!(r#"{{"id":1,"x":{text}}}"#);
        let (mut tape, mut out) = (Tape::default(), ExtensionsBuffer::default());
        let body = tape.read(body.as_bytes(), DEPTH).expect("JSON");
        let doc = Doc::new(&tape, body, &rules, None);
        doc.root().id("id").expect("an id");
        doc.root().leftovers(keeping, &mut String::new(), &mut out, &mut Nobody).expect("room");
        let left: Vec<_> = out.view().iter().collect();
        assert_eq!(left, if is_kept { vec![("/x", text)] } else { vec![] });
    }
}

/// Wherever it lies on the tape, and whichever of its children were read.
#[test]
fn a_wide_object_is_walked_to_its_end() {
    const WIDTH: usize = 150;
    let names: Vec<String> = (0..WIDTH).map(|nth| format!("k{nth}")).collect();
    let page =
        format!("@ e\nlist [number]\n{}", names.iter().map(|name| format!("{name} string\n")).collect::<String>());
    let page: &'static Documents = Box::leak(Box::new(Documents::parse(page.leak()).expect("well formed")));
    let names: Vec<&'static str> = names.into_iter().map(|name| &*name.leak()).collect();
    let keeping = Keeping { body: page.body("e"), extensions: Extensions::Full, privacy: None };
    let (mut tape, rules) = (Tape::default(), nothing());
    for before in 1..70 {
        let list = vec!["0"; before].join(",");
        let members: String = names.iter().map(|name| format!(",\"{name}\":\"x\"")).collect();
        let body = format!("{{\"list\":[{list}]{members}}}");
        for unread in [0, 1, 2, 62, 63, 64, 65, 126, 127, 128, 129, WIDTH - 1, WIDTH] {
            let text = tape.read(body.as_bytes(), DEPTH).expect("JSON");
            let doc = Doc::new(&tape, text, &rules, None);
            doc.root().value("list").expect("a list").skip();
            for name in names.iter().enumerate().filter(|(nth, _)| *nth != unread).map(|(_, name)| *name) {
                doc.root().text(name).expect("a text");
            }
            let mut out = ExtensionsBuffer::default();
            doc.root().leftovers(keeping, &mut String::new(), &mut out, &mut Nobody).expect("room");
            let kept: Vec<String> = out.view().iter().map(|(pointer, _)| pointer.to_owned()).collect();
            let expected: Vec<String> = names.get(unread).map(|name| format!("/{name}")).into_iter().collect();
            assert_eq!(kept, expected, "{before} {unread}");
        }
    }
}

/// What a page says of a place, it says of what it has there. A class that may be published opens no door for another.
#[test]
fn what_no_page_has_goes_by_the_stricter_rule() {
    let page = Documents::parse("@ a\nid number\nnote string {free_text}\n").expect("well formed");
    let page: &'static Documents = Box::leak(Box::new(page));
    let rules = nothing();
    for (note, is_the_pages) in
        [(r#""plain""#, true), (r#""{\"name\":\"Ada\"}""#, false), (r#"{"name":"Ada"}"#, false), (r#"["Ada"]"#, false)]
    {
        let body = format!(r#"{{"id":1,"note":{note}}}"#);
        let left = |free_text, undocumented| {
            let classes = [(PiiClass::FreeText, free_text), (PiiClass::Undocumented, undocumented)];
            let privacy = classes.into_iter().fold(Privacy::new(b""), |all, (class, it)| all.with(class, it));
            let keeping = Keeping { body: page.body("a"), extensions: Extensions::Full, privacy: Some(&privacy) };
            let (mut tape, mut out) = (Tape::default(), ExtensionsBuffer::default());
            let body = tape.read(body.as_bytes(), DEPTH).expect("JSON");
            let doc = Doc::new(&tape, body, &rules, None);
            doc.root().id("id").expect("an id");
            doc.root().leftovers(keeping, &mut String::new(), &mut out, &mut Nobody).expect("room");
            !out.view().is_empty()
        };
        assert!(left(Treatment::Pass, Treatment::Pass), "{note}");
        assert_eq!(left(Treatment::Pass, Treatment::Drop), is_the_pages, "{note}");
        assert!(!left(Treatment::Drop, Treatment::Pass), "{note}");
    }
}

#[test]
fn a_key_with_escapes_is_written_again_as_json() {
    let left = left_over(r#"{"id":1,"a":{"\"\\\u0001\u00e9":1}}"#, &nothing(), |root| drop(root.id("id")));
    assert_eq!(left[0].1, "{\"\\\"\\\\\\u0001é\":1}");
    assert!(serde_json::from_str::<Value>(&left[0].1).is_ok());
}

#[test]
fn what_is_turned_or_cut_is_kept_as_it_was() {
    let body = r#"{"usual":"-5.00","unusual":"5.00","zero":"0.00","fine":"2026-01-15T10:00:00.1234567Z","coarse":"2026-01-15T10:00:00Z","weight":0.30000000000000004,"word":"heavy","country":"Utopia"}"#;
    let left = left_over(body, &nothing(), |root| {
        assert_eq!(root.negative_discount("usual").unwrap().unwrap().to_string(), "5");
        assert_eq!(root.negative_discount("unusual").unwrap().unwrap().to_string(), "5");
        assert_eq!(root.negative_discount("zero").unwrap().unwrap().to_string(), "0");
        assert_eq!(root.time("fine").unwrap().unwrap().to_string(), "2026-01-15T10:00:00.123456Z");
        root.time("coarse").unwrap();
        assert_eq!(root.decimal("weight").unwrap(), None);
        assert_eq!(root.decimal("word").unwrap_err().code, Code::NumberRange);
        root.text("word").unwrap();
        assert_eq!(root.form("country", crate::canonical::forms::country_code).unwrap(), None);
    });
    let expected = [
        ("/unusual", r#""5.00""#),
        ("/fine", r#""2026-01-15T10:00:00.1234567Z""#),
        ("/weight", "0.30000000000000004"),
        ("/country", r#""Utopia""#),
    ];
    assert_eq!(left, expected.map(|(p, j)| (p.to_owned(), j.to_owned())));
}

/// An echo is passed over where it repeats what was read; the rest of it is kept.
#[test]
fn an_echo_is_what_repeats_what_was_read() {
    let body = r#"{
        "a": {"id":"1","price":2.50,"on":true,"unread":"u","sku":{"code":"c"},"tags":["x","y"],"gone":1},
        "b": {"new":0,"id":"1","price":2.5,"on":true,"unread":"u","sku":{"code":"c"},"tags":["x","z","y"],"on2":true}
    }"#;
    let left = left_over(body, &nothing(), |root| {
        let a = root.child("a").unwrap();
        a.text("id").unwrap();
        a.money("price").unwrap();
        a.boolean("on").unwrap();
        a.child("sku").unwrap().text("code").unwrap();
        a.texts("tags").unwrap();
        root.child("b").unwrap().echoes(a);
        root.child("c").unwrap().echoes(a);
        a.echoes(root.child("c").unwrap());
    });
    let left: Vec<(&str, &str)> = left.iter().map(|(at, json)| (&**at, &**json)).collect();
    let kept = [
        ("/a/unread", "\"u\""),
        ("/a/gone", "1"),
        ("/b/new", "0"),
        // The same number, in another text.
        ("/b/price", "2.5"),
        // Nobody read it the first time.
        ("/b/unread", "\"u\""),
        ("/b/tags/1", "\"z\""),
        ("/b/tags/2", "\"y\""),
        ("/b/on2", "true"),
    ];
    assert_eq!(left, kept);
}

/// Two wide objects whose keys stand in opposite order cost no more than their width: what is far is kept, not sought.
#[test]
fn an_echo_is_not_sought_far() {
    let keys =
        |order: &mut dyn Iterator<Item = usize>| order.map(|n| format!("\"k{n}\":{n}")).collect::<Vec<_>>().join(",");
    let (there, back) = (keys(&mut (0..50_000)), keys(&mut (0..50_000).rev()));
    let left = left_over(&format!("{{\"a\":{{{there}}},\"b\":{{{back}}}}}"), &nothing(), |root| {
        let a = root.child("a").unwrap();
        a.entries().unwrap().for_each(|(_, value)| drop(value.read_text().unwrap()));
        root.child("b").unwrap().echoes(a);
    });
    assert!(left.len() > 49_000, "{}", left.len());
}

#[test]
fn an_alias_reads_the_first_that_is_there_and_leaves_the_others() {
    let left = left_over(r#"{"new":"2","old":"1"}"#, &nothing(), |root| {
        assert_eq!(root.text(["old", "new"]).unwrap().as_deref(), Some("1"));
        assert_eq!(root.text(["gone", "new2"]).unwrap(), None);
    });
    assert_eq!(left, [("/new".to_owned(), "\"2\"".to_owned())]);
}

#[test]
fn to_look_at_a_text_is_not_to_read_it() {
    let left = left_over(r#"{"name":"a.b","n":1,"read":"x"}"#, &nothing(), |root| {
        assert_eq!(root.peek("name").as_deref(), Some("a.b"));
        assert_eq!((root.peek("n").as_deref(), root.peek("gone").as_deref()), (Some("1"), None));
        root.text("read").unwrap();
        assert_eq!(root.peek("read").as_deref(), Some("x"));
    });
    assert_eq!(left, [("/name".to_owned(), "\"a.b\"".to_owned()), ("/n".to_owned(), "1".to_owned())]);
}

#[test]
fn a_currency_without_one_to_compare_with_is_kept() {
    let left = left_over(r#"{"a":"USD","b":"usd","c":"EUR"}"#, &nothing(), |root| {
        root.same_currency("a", None).unwrap();
        root.same_currency("b", Some("USD")).unwrap();
        assert_eq!(root.same_currency("c", Some("USD")).unwrap_err().code, Code::MoneyMixedCurrency);
    });
    assert_eq!(left, [("/a".to_owned(), "\"USD\"".to_owned())]);
}

/// The leaves of a body are those that were read plus those that are left over, for many shapes and many choices of
/// what to read: nothing else, nothing twice.
#[test]
fn every_leaf_is_read_or_left_over() {
    let mut random = Random(7);
    for _ in 0..3_000 {
        let mut leaves = Vec::new();
        let body = grow(&mut random, 0, &mut leaves);
        let body = Value::Object([("root".to_owned(), body)].into_iter().collect());
        let chance = random.below(4);
        let mut read = Vec::new();
        let text = body.to_string();
        let left = left_over(&text, &nothing(), |root| read_some(root, "", &mut random, chance, &mut read));
        let mut found = read.clone();
        for (pointer, json) in &left {
            collect(&serde_json::from_str(json).expect("left over is JSON"), pointer, &mut found);
        }
        let mut wanted = Vec::new();
        collect(&body, "", &mut wanted);
        found.sort();
        wanted.sort();
        assert_eq!(found, wanted, "of {text}, read {read:?}, left {left:?}");
    }
}

/// Each node of a webhook is found by its way, and none of another webhook in the same list is.
#[test]
fn a_node_is_found_by_its_way() {
    fn check(doc: &Doc<'_>, unit: Node<'_>, node: Node<'_>, way: &str, seen: &mut Vec<u32>) {
        let index = node.index() as u32;
        assert_eq!(doc.way_to(unit, index, Steps::Exact), way);
        seen.push(index);
        if node.is_object() {
            for (key, child) in node.entries().expect("an object") {
                check(doc, unit, child, &format!("{way}/{key}"), seen);
            }
        } else if node.is_list() {
            for (nth, child) in node.items().expect("a list").enumerate() {
                check(doc, unit, child, &format!("{way}/{nth}"), seen);
            }
        }
    }
    let (mut random, rules) = (Random(11), nothing());
    for _ in 0..300 {
        let body: Value =
            (0..3).map(|_| json!({"a": {}, "b": grow(&mut random, 0, &mut Vec::new()), "c": []})).collect();
        let (body, mut tape) = (body.to_string(), Tape::default());
        let text = tape.read(body.as_bytes(), DEPTH).expect("JSON");
        let doc = Doc::new(&tape, text, &rules, None);
        let units: Vec<_> = (0..3).map(|nth| doc.element(nth).expect("there").0).collect();
        let seen = units.iter().map(|&unit| {
            let mut seen = Vec::new();
            check(&doc, unit, unit, "", &mut seen);
            seen
        });
        let seen: Vec<Vec<u32>> = seen.collect();
        for (nth, unit) in units.iter().enumerate() {
            for other in seen.iter().enumerate().filter(|(of, _)| *of != nth).flat_map(|(_, other)| other) {
                assert_eq!(doc.way_to(*unit, *other, Steps::Exact), "", "of {body}");
            }
        }
    }
}

/// A random value of unique leaves, without nulls and empty containers, which are structure.
fn grow(random: &mut Random, depth: usize, leaves: &mut Vec<usize>) -> Value {
    let pick = if depth > 4 { 0 } else { random.below(3) };
    match pick {
        0 => {
            leaves.push(leaves.len());
            Value::from(leaves.len())
        }
        1 => (0..=random.below(4)).map(|_| grow(random, depth + 1, leaves)).collect(),
        _ => (0..=random.below(70)).map(|n| (format!("k{n}"), grow(random, depth + 4, leaves))).collect(),
    }
}

fn read_some(node: Node<'_>, pointer: &str, random: &mut Random, chance: usize, read: &mut Vec<(String, String)>) {
    if node.is_object() {
        for (key, child) in node.entries().unwrap() {
            read_some(child, &format!("{pointer}/{key}"), random, chance, read);
        }
    } else if node.is_list() {
        for (nth, child) in node.items().unwrap().enumerate() {
            read_some(child, &format!("{pointer}/{nth}"), random, chance, read);
        }
    } else if random.below(4) < chance {
        read.push((pointer.to_owned(), node.read_text().unwrap().unwrap().into_owned()));
    }
}

fn collect(value: &Value, pointer: &str, out: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, child)| collect(child, &format!("{pointer}/{key}"), out)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(nth, child)| collect(child, &format!("{pointer}/{nth}"), out))
        }
        leaf => out.push((pointer.to_owned(), leaf.to_string())),
    }
}
