//! What a sender who means harm can do: bodies that are wide, deep, or small and the mother of something huge. No test
//! looks at a clock: what costs the square of these bodies takes minutes, and what swells them takes gigabytes.

use koine::codec;
use koine::translate::{Outcome, RawRecord, SourceSettings, Translator};

/// What became of each webhook of a body: `event`, a rule or a code; and how many bytes the records have.
fn outcomes(body: &str) -> (Vec<&'static str>, usize) {
    let raw = RawRecord {
        topic: "raw.any",
        partition: 0,
        offset: 0,
        timestamp_ms: Some(0),
        key: None,
        value: Some(body.as_bytes()),
        headers: &[],
    };
    let (mut told, mut written, mut buffer) = (Vec::new(), 0, Vec::new());
    Translator::new().translate(&raw, &SourceSettings::default(), &mut |_, outcome| {
        told.push(match outcome {
            Outcome::Event(translated) => {
                codec::encode(translated.event, 1, &mut buffer).expect("encoded");
                written += buffer.len();
                "event"
            }
            Outcome::Ignored(ignored) => ignored.rule.as_str(),
            Outcome::DeadLetter(letter) => letter.code.as_str(),
        });
    });
    (told, written)
}

/// `head`, then as many numbered parts as fit into `size` bytes, with commas between them, then `tail`.
fn filled(size: usize, head: &str, part: impl Fn(usize) -> String, tail: &str) -> String {
    let mut body = head.to_owned();
    for nth in 0.. {
        let part = part(nth);
        if body.len() + part.len() + 1 > size {
            break;
        }
        if nth > 0 {
            body.push(',');
        }
        body.push_str(&part);
    }
    body + tail
}

const BSPK: &str = r#"{"event_name":"shopper.updated","object":{"id":1,"#;
const SPREE: &str = r#"{"id":"e","name":"order.paid","created_at":"2026-01-15T10:00:00Z","data":{"id":"or_1","#;
const PROFILE: &str = r#"{"eventType":"CUSTOMER_UPDATED","contextObject":{"customer":{"guid":"g","attributeValues":{"#;
const ORDER: &str = r#"{"eventType":"ORDER_RELEASED","contextObject":{"order":{"orderNumber":"1","#;
const PRODUCT: &str = r#"{"data":{"product":{"platform_id":"1","platform_updated_at":"2024-01-01T00:00:00Z","#;
const SAVED: &str = r#"{"data":{"order":{"platform_id":"1","platform_updated_at":"2024-01-01T00:00:00Z","#;

/// A text said once that every element of a list repeats, a key that stands in every pointer, and the least that makes
/// a line: what comes out would be hundreds or thousands of times as large as what came in.
#[test]
fn a_body_that_would_swell_is_refused() {
    let long = "x".repeat(100_000);
    let size = 200_000;
    for (name, body) in [
        (
            "an id that every line below it names",
            filled(
                size,
                &format!(r#"{ORDER}"lineItems":[{{"guid":"{long}","children":["#),
                |_| r#"{"guid":1}"#.into(),
                "]}]}}}",
            ),
        ),
        (
            "the same with an escape in it",
            filled(
                size,
                &format!(r#"{ORDER}"lineItems":[{{"guid":"\n{long}","children":["#),
                |_| r#"{"guid":1}"#.into(),
                "]}]}}}",
            ),
        ),
        (
            "an option's name that every choice names",
            filled(
                size,
                &format!(r#"{PRODUCT}"options":[{{"platform_id":1,"name":"{long}"}}],"variants":[{{"option_values":["#),
                |_| r#"{"platform_option_id":1}"#.into(),
                "]}]}}}",
            ),
        ),
        (
            "a locale in every pointer",
            filled(size, &format!(r#"{PROFILE}"{long}":{{"#), |n| format!(r#""k{n}":{{"value":1,"a":1}}"#), "}}}}}"),
        ),
        (
            "an attribute's name in every pointer",
            filled(
                size,
                &format!(r#"{SAVED}"custom_attributes":{{"{long}":{{"value":1,"#),
                |n| format!(r#""a{n}":1"#),
                "}}}}}",
            ),
        ),
        ("lines with nothing in them", filled(size, &format!(r#"{SPREE}"items":["#), |_| "{}".into(), "]}}")),
        ("bundles with nothing in them", filled(size, &format!(r#"{ORDER}"lineItems":["#), |_| "{}".into(), "]}}}")),
    ] {
        assert_eq!(outcomes(&body).0, ["record.too_large"], "{name}");
    }
}

/// The same bodies in small, and large ones of what vendors do send.
#[test]
fn a_body_that_is_only_large_is_no_trouble() {
    let long = "x".repeat(1_000);
    for body in [
        filled(
            4_000,
            &format!(r#"{ORDER}"lineItems":[{{"guid":"{long}","children":["#),
            |_| r#"{"guid":1}"#.into(),
            "]}]}}}",
        ),
        filled(4_000, &format!(r#"{PROFILE}"{long}":{{"#), |n| format!(r#""k{n}":{{"value":1,"a":1}}"#), "}}}}}"),
        filled(20_000, &format!(r#"{SPREE}"items":["#), |_| "{}".into(), "]}}"),
        filled(
            2_000_000,
            &format!(r#"{SPREE}"items":["#),
            |n| format!(r#"{{"id":"li_{n}","quantity":1,"price":"9.90"}}"#),
            "]}}",
        ),
    ] {
        assert_eq!(outcomes(&body).0, ["event"]);
    }
}

/// Wide in every place where one thing is looked up among many: keys of a free map, metafields, a product's options by
/// its variants, an order's lines by its shipments, a key that a wide order lacks by every payment, texts that may hide
/// JSON.
#[test]
fn a_wide_body_costs_its_size_and_not_the_square() {
    let size = 1_000_000;
    let half = |head: &str, part: fn(usize) -> String, tail: &str| filled(size / 2, head, part, tail);
    for body in [
        filled(
            size,
            &format!(r#"{PROFILE}"":{{"#),
            |n| format!(r#""k{n:06}":{{"value":1,"stringValue":"1"}}"#),
            "}}}}}",
        ),
        filled(size, PROFILE, |n| format!(r#""l{n}":{{"k{n}":{{"value":1}}}}"#), "}}}}"),
        filled(size, &format!(r#"{BSPK}"metafields":["#), |n| format!(r#"{{"key":"k{n}","value":"1"}}"#), "]}}"),
        filled(size, BSPK, |n| format!(r#""\u006b{n}":1"#), "}}"),
        filled(size, &format!(r#"{BSPK}"x":["#), |_| r#""{""#.into(), "]}}"),
        half(&format!(r#"{PRODUCT}"options":["#), |n| format!(r#"{{"platform_id":"a{n:06}","name":"n"}}"#), "],")
            + &half(
                r#""variants":[{"option_values":["#,
                |n| format!(r#"{{"platform_option_id":"b{n:06}"}}"#),
                "]}]}}}",
            ),
        half(&format!(r#"{ORDER}"lineItems":["#), |n| format!(r#"{{"guid":"g{n}","quantity":1}}"#), "],")
            + &half(r#""shipments":[{"lineItems":["#, |n| format!(r#"{{"guid":"g{n}","quantity":1}}"#), "]}]}}}"),
        half(ORDER, |n| format!(r#""k{n}":1"#), ",")
            + &half(r#""payments":["#, |_| r#"{"paymentInstrument":{"billingAddress":{"a":1}}}"#.into(), "]}}}"),
    ] {
        assert_eq!(outcomes(&body).0, ["event"], "{}", &body[..200]);
    }
    let list = filled(size, "[", |n| if n % 2 == 0 { format!(r#"{BSPK}"x":1}}}}"#) } else { "{}".into() }, "]");
    let (told, _) = outcomes(&list);
    assert!(told.chunks(2).all(|pair| pair[0] == "event" && pair.get(1) != Some(&"event")), "{}", told.len());
}

/// What one element of a list does takes nothing from the others.
#[test]
fn a_webhook_that_would_swell_leaves_its_neighbours_alone() {
    let swelling = filled(200_000, &format!(r#"{SPREE}"items":["#), |_| "{}".into(), "]}}");
    let honest = format!(r#"{SPREE}"items":[{{"id":1}}]}}}}"#);
    let list = format!("[{honest},{swelling},{honest}]");
    assert_eq!(outcomes(&list).0, ["event", "record.too_large", "event"]);
}

/// How long a list may be is said to the outside, so it goes by no type's layout: it stays where it is when records get smaller.
#[test]
fn a_list_of_nothing_may_be_so_long_and_no_longer() {
    let bspk = r#"{"event_name":"cart.created","object":{"id":7,"#;
    let shopper = r#"{"event_name":"shopper.updated","object":{"id":1,"#;
    for (list, head, tail, longest) in [
        ("addresses", format!(r#"{shopper}"addresses":["#), "]}}", 56_693),
        ("line items", format!(r#"{bspk}"line_items":["#), "]}}", 15_654),
        ("line items", format!(r#"{SPREE}"items":["#), "]}}", 15_656),
        ("line items", format!(r#"{ORDER}"lineItems":["#), "]}}}", 15_655),
        ("line items", format!(r#"{SAVED}"line_items":["#), "]}}}", 15_656),
        ("shipments", format!(r#"{SPREE}"shipments":["#), "]}}", 17_482),
        ("payments", format!(r#"{SPREE}"payments":["#), "]}}", 32_780),
        ("taxes", format!(r#"{SAVED}"shipping_taxes":["#), "]}}}", 524_491),
        ("variants", format!(r#"{PRODUCT}"variants":["#), "]}}}", 36_171),
    ] {
        let of = |elements: usize| outcomes(&format!("{head}{}{{}}{tail}", "{},".repeat(elements - 1))).0;
        assert_eq!(of(longest), ["event"], "{longest} {list}: {head}");
        assert_eq!(of(longest + 1), ["record.too_large"], "{} {list}: {head}", longest + 1);
    }
}
