//! The text of one value of a body, for what is to be read by itself, such as a webhook in an envelope. Found by looking
//! through the body, so that a tape need not keep where its containers end. Knows no vendor.

use super::tokenize::unescape;
use std::borrow::Cow;

/// The text of the value to which `steps` lead (RFC 6901) from the top of `json`, if they lead anywhere. `json` must have
/// been on a tape before: what is not JSON has no places.
pub fn text_at<'b, 's>(json: &'b str, steps: impl IntoIterator<Item = &'s str>) -> Option<&'b str> {
    steps.into_iter().try_fold(json.trim_matches([' ', '\n', '\r', '\t']), |value, step| {
        let mut children = Children { text: value, at: 0, is_object: value.starts_with('{') };
        match value.as_bytes().first()? {
            b'{' => children.find(|(key, _)| key_is(key, step)).map(|(_, child)| child),
            b'[' => children.nth(index(step)?).map(|(_, child)| child),
            _ => None,
        }
    })
}

/// What the text of a string says, without quotes and escapes; nothing if it is another kind of value.
pub fn unquoted(json: &str) -> Option<Cow<'_, str>> {
    let inside = json.strip_prefix('"')?.strip_suffix('"')?;
    Some(if inside.contains('\\') { Cow::Owned(unescape(inside)) } else { Cow::Borrowed(inside) })
}

fn key_is(key: &str, step: &str) -> bool {
    if key.contains('\\') { unescape(key) == step } else { key == step }
}

/// A step as the index of a list: digits, and no zero before others.
fn index(step: &str) -> Option<usize> {
    let is_plain = step.bytes().all(|byte| byte.is_ascii_digit()) && (step == "0" || !step.starts_with('0'));
    is_plain.then(|| step.parse().ok()).flatten()
}

/// The keys, as they stand between their quotes, and the values of a container; of a list, the values.
struct Children<'b> {
    text: &'b str,
    /// Where the opening bracket, a comma or the closing bracket stands.
    at: usize,
    is_object: bool,
}

impl<'b> Iterator for Children<'b> {
    type Item = (&'b str, &'b str);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        let start = over_space(bytes, self.at + 1);
        // Empty, or at its end.
        if matches!(bytes.get(start)?, b']' | b'}') {
            return None;
        }
        let (key, start) = match self.is_object {
            true => {
                let end = end_of(bytes, start);
                let colon = over_space(bytes, end);
                (self.text.get(start + 1..end - 1)?, over_space(bytes, colon + 1))
            }
            false => ("", start),
        };
        let end = end_of(bytes, start);
        self.at = over_space(bytes, end);
        Some((key, self.text.get(start..end)?))
    }
}

fn over_space(bytes: &[u8], from: usize) -> usize {
    let space = bytes.get(from..).unwrap_or_default();
    from + space.iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t')).count()
}

/// Where the value ends that begins at `start`.
fn end_of(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut open) = (start, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = end_of_string(bytes, at),
            b'{' | b'[' => {
                open += 1;
                at += 1;
                continue;
            }
            b'}' | b']' => {
                open = open.saturating_sub(1);
                at += 1;
            }
            // A number or a word, or what stands between values.
            _ => {
                let is_over = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t');
                let rest = bytes.get(at + 1..).unwrap_or_default();
                at += if open > 0 { 1 } else { 1 + rest.iter().take_while(|byte| !is_over(byte)).count() };
            }
        }
        if open == 0 {
            return at;
        }
    }
    at
}

/// Behind the closing quote of the string that opens at `start`.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
        match bytes.get(at + found) {
            Some(b'\\') => at += found + 2,
            _ => return at + found + 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at<'b>(json: &'b str, pointer: &str) -> Option<&'b str> {
        text_at(json, pointer.split('/').skip(1))
    }

    #[test]
    fn a_value_is_found_with_the_text_it_has() {
        let body = r#" { "a" : {"b": [ 1, {"c" : "x}]\"," , "d":[]} ,-2.5e3] ,"":{ }}, "t":true ,"\u0061\/b": null, "s":"q\\"} "#;
        for (pointer, text) in [
            ("", Some(body.trim())),
            ("/a/b/0", Some("1")),
            ("/a/b/1", Some(r#"{"c" : "x}]\"," , "d":[]}"#)),
            ("/a/b/1/c", Some(r#""x}]\",""#)),
            ("/a/b/1/d", Some("[]")),
            ("/a/b/2", Some("-2.5e3")),
            ("/a/", Some("{ }")),
            ("/t", Some("true")),
            ("/s", Some(r#""q\\""#)),
            ("/a/b/3", None),
            ("/a/b/-", None),
            ("/a/b/01", None),
            ("/a/b/+1", None),
            ("/a/b/", None),
            ("/a/b/99999999999999999999999", None),
            ("/a/b/1/d/0", None),
            ("/a//x", None),
            ("/a/b/1/c/0", None),
            ("/t/x", None),
            ("/A", None),
            ("/b", None),
        ] {
            assert_eq!(at(body, pointer), text, "{pointer}");
        }
        assert_eq!(text_at(body, ["a/b"]), Some("null"), "a key's escapes are undone");
        assert_eq!(at("[[0,1],2]", "/0/1"), Some("1"));
        assert_eq!(at("7", "/0"), None);
        assert_eq!(at("[]", "/0"), None);
        assert_eq!(at("{}", "/"), None);
    }

    /// Every value of every shape is found where a parser finds it.
    #[test]
    fn it_agrees_with_a_parser() {
        fn check(body: &str, value: &serde_json::Value, steps: &mut Vec<String>) {
            let text = text_at(body, steps.iter().map(String::as_str)).expect("there");
            assert_eq!(&serde_json::from_str::<serde_json::Value>(text).expect("JSON"), value, "{steps:?}");
            if let Some(string) = value.as_str() {
                assert_eq!(unquoted(text).as_deref(), Some(string));
            }
            let children: Vec<(String, &serde_json::Value)> = match value {
                serde_json::Value::Object(map) => map.iter().map(|(key, child)| (key.clone(), child)).collect(),
                serde_json::Value::Array(list) => {
                    list.iter().enumerate().map(|(nth, child)| (nth.to_string(), child)).collect()
                }
                _ => Vec::new(),
            };
            for (step, child) in children {
                steps.push(step);
                check(body, child, steps);
                steps.pop();
            }
        }
        let value = serde_json::json!({
            "": {"": [[], {}, [[[{"\\\"": "\\"}]]]]}, "\u{1}": "\"\\\n\u{0}", "é": "🦀", "{": "]", "[": ["}", "\\\\\"", -0.5, 1e9]
        });
        for body in [value.to_string(), serde_json::to_string_pretty(&value).expect("JSON")] {
            check(&body, &value, &mut Vec::new());
        }
    }

    /// Whatever it is given, it returns: a slip in what calls it must not stop the translator.
    #[test]
    fn what_is_not_json_is_survived() {
        for body in
            ["", "{", "[", "{\"", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":\"", "[\"\\", "}", "]]", "{]", "[1", "\"\\"]
        {
            for steps in [&["a"][..], &["0"], &["", ""], &["a", "b"]] {
                let _ = text_at(body, steps.iter().copied());
            }
            let _ = unquoted(body);
        }
    }
}
