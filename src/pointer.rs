//! A JSON Pointer (RFC 6901) that somebody wrote down: its steps, or what is wrong with it. Knows nobody.

use std::fmt;

/// A pointer, as it was written and step by step.
#[derive(Clone, PartialEq, Eq)]
pub struct Pointer {
    text: String,
    steps: Vec<String>,
}

impl fmt::Debug for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

impl Pointer {
    /// Reads a pointer; the empty one is the value as a whole. The error says what is wrong, in words.
    pub fn parse(text: &str) -> Result<Pointer, String> {
        let steps = match text.strip_prefix('/') {
            Some(rest) => rest.split('/').map(|step| undo(step).ok_or(step)).collect::<Result<Vec<_>, _>>(),
            None if text.is_empty() => Ok(Vec::new()),
            None => return Err(format!("`{text}` is no JSON Pointer: it has to begin with /, such as /body")),
        };
        match steps {
            Ok(steps) => Ok(Pointer { text: text.to_owned(), steps }),
            Err(step) => Err(format!("`{text}` is no JSON Pointer: in `{step}`, a ~ has to be written as ~0")),
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The keys, and indexes of lists, on the way down.
    pub fn steps(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().map(String::as_str)
    }
}

/// A step without its escapes: `~1` is a slash, `~0` a tilde, and no other tilde may stand there.
fn undo(step: &str) -> Option<String> {
    let mut parts = step.split('~');
    let mut out = parts.next()?.to_owned();
    for part in parts {
        let (char, rest) = match (part.strip_prefix('0'), part.strip_prefix('1')) {
            (Some(rest), _) => ('~', rest),
            (_, Some(rest)) => ('/', rest),
            _ => return None,
        };
        out.push(char);
        out.push_str(rest);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_those_of_the_rfc() {
        for (text, steps) in [
            ("", &[][..]),
            ("/", &[""]),
            ("/body", &["body"]),
            ("/detail/payload", &["detail", "payload"]),
            ("/0/a b", &["0", "a b"]),
            ("/a~1b/m~0n/~01/", &["a/b", "m~n", "~1", ""]),
        ] {
            let pointer = Pointer::parse(text).unwrap();
            assert_eq!(pointer.steps().collect::<Vec<_>>(), steps, "{text}");
            assert_eq!(pointer.as_str(), text);
        }
    }

    #[test]
    fn mistakes_are_explained() {
        let error = |text: &str| Pointer::parse(text).unwrap_err();
        assert_eq!(error("body"), "`body` is no JSON Pointer: it has to begin with /, such as /body");
        assert!(error("#/body").contains("begin with /"));
        assert!(error("$.body").contains("begin with /"));
        assert_eq!(error("/a/b~2"), "`/a/b~2` is no JSON Pointer: in `b~2`, a ~ has to be written as ~0");
        assert!(error("/~").contains("~0"));
    }
}
