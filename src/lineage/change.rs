//! Other values for a leaf, the likeliest to be as good as the old one first. Knows no vendor and no field names.

use serde_json::Value;

/// What might stand where nothing does: one of these is of the kind that is due there.
pub fn for_nothing() -> Vec<Value> {
    let texts = [TIME, DAY, "EUR", "US", "fr-CA", "7", "x"].into_iter().map(Value::from);
    texts.chain([Value::from(7), Value::from(true)]).collect()
}

const TIME: &str = "2031-01-01T00:00:00Z";
const DAY: &str = "1971-02-03";

/// Other values of the kind of `leaf`, which is neither null nor empty.
pub fn for_value(leaf: &Value) -> Vec<Value> {
    match leaf {
        Value::Bool(it) => vec![Value::from(!it)],
        Value::Number(number) => numbers(&number.to_string()),
        Value::String(text) => texts(text).into_iter().map(Value::from).collect(),
        _ => Vec::new(),
    }
}

/// Whether a text may be one of a closed list of words, so that one other word does not show all that hangs on it.
pub fn is_word(leaf: &Value) -> bool {
    leaf.as_str().is_some_and(|text| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ');
        (1..=40).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(is_plain)
    })
}

/// A long number is a time, and a digit more would carry it out of the years that there are.
fn numbers(text: &str) -> Vec<Value> {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let longer = format!("{sign}1{digits}");
    let near = digits.char_indices().nth(3).and_then(|(at, digit)| {
        let other = if digit == '1' { '2' } else { '1' };
        digit.is_ascii_digit().then(|| format!("{sign}{}{other}{}", &digits[..at], &digits[at + 1..]))
    });
    near.into_iter().chain([longer]).filter_map(|text| serde_json::from_str(&text).ok()).collect()
}

fn texts(text: &str) -> Vec<String> {
    let one_of = |words: [&str; 2]| if text == words[0] { words[1] } else { words[0] }.to_owned();
    let is = |shape: &str| has_shape(text, shape);
    let mut out = Vec::new();
    match text {
        _ if text.get(..11).is_some_and(|start| has_shape(start, "9999-99-99T")) => {
            out.push(one_of([TIME, "2032-01-01T00:00:00Z"]))
        }
        _ if is("9999-99-99") => out.push(one_of([DAY, "1972-02-03"])),
        _ if is("AAA") => out.push(one_of(["EUR", "GBP"])),
        _ if is("AA") => out.push(one_of(["CA", "US"])),
        _ if is("aa") || is("aa-AA") || is("aa_AA") => out.push(one_of(["fr-CA", "de-DE"])),
        _ if text.starts_with(|c: char| c.is_ascii_digit()) => out.push(format!("1{text}")),
        _ if text.starts_with('-') => out.push(format!("-1{}", &text[1..])),
        _ => {}
    }
    out.push(format!("{text}x"));
    out
}

/// Whether a text has that shape: `9` stands for a digit, `A` and `a` for letters, all else for itself.
fn has_shape(text: &str, shape: &str) -> bool {
    text.len() == shape.len()
        && text.chars().zip(shape.chars()).all(|(c, due)| match due {
            '9' => c.is_ascii_digit(),
            'A' => c.is_ascii_uppercase(),
            'a' => c.is_ascii_lowercase(),
            other => c == other,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn another_value_is_of_the_same_kind_and_another() {
        for (leaf, first) in [
            (json!("2024-01-01T00:00:00+01:00"), json!(TIME)),
            (json!(TIME), json!("2032-01-01T00:00:00Z")),
            (json!("1980-01-23"), json!(DAY)),
            (json!("USD"), json!("EUR")),
            (json!("EUR"), json!("GBP")),
            (json!("en-US"), json!("fr-CA")),
            (json!("99.99"), json!("199.99")),
            (json!("-5.0"), json!("-15.0")),
            (json!("paid"), json!("paidx")),
            (json!(1705313400000u64), json!(1701313400000u64)),
            (json!(12), json!(112)),
            (json!(-1), json!(-11)),
            (json!(true), json!(false)),
        ] {
            assert_eq!(for_value(&leaf)[0], first, "{leaf}");
        }
        assert!(is_word(&json!("ready")) && !is_word(&json!("99.99")) && !is_word(&json!("")) && !is_word(&json!(1)));
    }
}
