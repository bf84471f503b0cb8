//! What is dropped and why. Data, so that what the docs say and what the code does are the same table. Knows no
//! vendor: the tables are theirs.

use super::hidden::{holds_secret, opens_document};
use super::tape::{is_same, tag};
use std::sync::atomic::{AtomicU32, Ordering};

/// Why something that nobody read is left out of `extensions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// It opens something: a token, a password, a payment's raw data.
    Secret,
    /// It says again, for people, what a mapped field says.
    Derived,
    /// Envelope, empty containers, a null without a canonical field.
    Structural,
    /// Personal data whose class is set to `drop`.
    Privacy,
    /// The source's configuration says so.
    Configured,
}

impl Why {
    pub const ALL: &[Why] = &[Why::Secret, Why::Derived, Why::Structural, Why::Privacy, Why::Configured];

    pub const fn as_str(self) -> &'static str {
        match self {
            Why::Secret => "secret",
            Why::Derived => "derived",
            Why::Structural => "structural",
            Why::Privacy => "privacy",
            Why::Configured => "configured",
        }
    }

    /// Whether what it drops may not be published in any way, not only not here.
    fn closes(self) -> bool {
        matches!(self, Why::Secret | Why::Privacy)
    }
}

/// One rule. It covers the value under the key and whatever lies below it.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// A key, or with a `*` at one end how keys begin or end.
    pub key: &'static str,
    /// If given, the rule holds only in an object that itself stands under this key (or in a list that does).
    pub under: Option<&'static str>,
    pub why: Why,
}

impl Rule {
    pub const fn new(key: &'static str, why: Why) -> Rule {
        Rule { key, under: None, why }
    }

    pub const fn under(under: &'static str, key: &'static str, why: Why) -> Rule {
        Rule { key, under: Some(under), why }
    }

    fn fits(&self, key: &str) -> bool {
        Fit::of(self.key).fits(key)
    }
}

/// What a rule says of keys.
#[derive(Debug, Clone, Copy)]
enum Fit {
    Is(&'static str),
    Begins(&'static str),
    Ends(&'static str),
}

impl Fit {
    fn of(key: &'static str) -> Fit {
        match (key.strip_suffix('*'), key.strip_prefix('*')) {
            (Some(head), _) => Fit::Begins(head),
            (_, Some(tail)) => Fit::Ends(tail),
            _ => Fit::Is(key),
        }
    }

    #[inline]
    fn fits(self, key: &str) -> bool {
        match self {
            Fit::Is(name) => key == name,
            Fit::Begins(head) => key.as_bytes().get(..head.len()).is_some_and(|it| is_same(it, head.as_bytes())),
            Fit::Ends(tail) => {
                let start = key.len().checked_sub(tail.len());
                start.is_some_and(|start| is_same(&key.as_bytes()[start..], tail.as_bytes()))
            }
        }
    }
}

/// The rules of one vendor, ready to be asked.
#[derive(Debug)]
pub struct Rules {
    /// No others have it.
    pub(super) number: u32,
    exact: Vec<(u32, Rule)>,
    patterns: Vec<(Fit, Rule)>,
    /// One bit for each key that a rule names, by its tag: most keys are named by none, and are let go here.
    named: [u64; 4],
}

impl Rules {
    pub fn new(tables: &[&[Rule]]) -> Rules {
        let (patterns, exact): (Vec<Rule>, Vec<Rule>) =
            tables.iter().copied().flatten().partition(|rule| rule.key.starts_with('*') || rule.key.ends_with('*'));
        let exact: Vec<(u32, Rule)> = exact.into_iter().map(|rule| (tag(rule.key.as_bytes()), rule)).collect();
        let patterns = patterns.into_iter().map(|rule| (Fit::of(rule.key), rule)).collect();
        let mut named = [0; 4];
        for (tag, _) in &exact {
            named[(tag >> 6) as usize % 4] |= 1 << (tag % 64);
        }
        static COUNT: AtomicU32 = AtomicU32::new(0);
        Rules { number: COUNT.fetch_add(1, Ordering::Relaxed), exact, patterns, named }
    }

    /// The rule that names this very key, in its place.
    #[inline]
    fn exact(&self, key_tag: u32, key: &str, in_place: impl Fn(&Rule) -> bool) -> Option<&Rule> {
        if self.named[(key_tag >> 6) as usize % 4] >> (key_tag % 64) & 1 == 0 {
            return None;
        }
        let mut named = self.exact.iter().filter(|(tag, rule)| *tag == key_tag && rule.key == key);
        named.find(|(_, rule)| in_place(rule)).map(|(_, rule)| rule)
    }

    /// Every rule, for the docs.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.exact.iter().map(|(_, rule)| rule).chain(self.patterns.iter().map(|(_, rule)| rule))
    }

    /// Whether, and why, what stands at the end of these keys is dropped; list indexes are no keys. For the docs.
    pub fn why<'k>(&self, keys: impl IntoIterator<Item = &'k str>) -> Option<Why> {
        let mut parent = "";
        keys.into_iter().find_map(|key| {
            let why = self.cover(tag(key.as_bytes()), key, parent);
            parent = key;
            why
        })
    }

    /// Whether, and why, the value under `key` is dropped; `parent` is the key under which its object stands.
    #[inline]
    pub(super) fn cover(&self, key_tag: u32, key: &str, parent: &str) -> Option<Why> {
        let in_place = |rule: &Rule| rule.under.is_none_or(|under| under == parent);
        if let Some(rule) = self.exact(key_tag, key, in_place) {
            return Some(rule.why);
        }
        let pattern = self.patterns.iter().find(|(fit, rule)| fit.fits(key) && in_place(rule));
        // A secret is one under whatever name else: what a pattern drops here may stand in a text that is kept.
        match pattern {
            Some((_, rule)) if !self.is_secret(key) => Some(rule.why),
            _ => self.is_secret(key).then_some(Why::Secret),
        }
    }

    /// Whether a name says of itself that it is a secret's, or is itself a document that has one.
    #[inline]
    fn is_secret(&self, key: &str) -> bool {
        is_secret_name(key) || opens_document(key) && holds_secret(key, "", self)
    }

    /// Whether a rule keeps what stands under `key` out of every record, wherever it stands.
    pub(super) fn closes(&self, key_tag: u32, key: &str, parent: &str) -> bool {
        self.cover(key_tag, key, parent).is_some_and(Why::closes)
    }

    /// The same in a place of which is only known what it may lie under.
    pub(super) fn may_close(&self, key: &str, under: &[&str]) -> bool {
        let in_place = |rule: &Rule| rule.under.is_none_or(|it| under.contains(&it));
        let closes = |rule: &Rule| rule.why.closes() && rule.fits(key) && in_place(rule);
        is_secret_name(key) || self.iter().any(closes)
    }
}

/// Whether a key's last word (in snake, kebab or camel case) names a secret, documented or not.
#[inline]
pub fn is_secret_name(key: &str) -> bool {
    let Some(last) = key.as_bytes().last() else { return false };
    // The five words by their last letters; nearly every key is let go here.
    let words: &[&[u8]] = match last | 0x20 {
        b't' => &[b"secret"],
        b'n' => &[b"token", b"authorization"],
        b'd' => &[b"password"],
        b'y' => &[b"key"],
        _ => return last.is_ascii() && !last.is_ascii_alphanumeric() && ends_in_secret_word(key),
    };
    let ends_in = |word: &[u8]| {
        let start = key.len().checked_sub(word.len());
        start.is_some_and(|start| key.as_bytes()[start..].eq_ignore_ascii_case(word))
    };
    words.iter().any(|word| ends_in(word)) && ends_in_secret_word(key)
}

#[cold]
fn ends_in_secret_word(key: &str) -> bool {
    let mut words = Vec::new();
    for part in key.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()) {
        let mut start = 0;
        let letters: Vec<(usize, char)> = part.char_indices().collect();
        for i in 1..letters.len() {
            let (before, here) = (letters[i - 1].1, letters[i].1);
            let next_is_lower = letters.get(i + 1).is_some_and(|(_, next)| next.is_lowercase());
            // fooBar | foo9Bar, and the last capital of HTTPToken begins a word
            if here.is_uppercase() && (!before.is_uppercase() || next_is_lower) {
                words.push(part[start..letters[i].0].to_ascii_lowercase());
                start = letters[i].0;
            }
        }
        words.push(part[start..].to_ascii_lowercase());
    }
    match words.as_slice() {
        [.., last] if matches!(last.as_str(), "secret" | "token" | "password" | "authorization" | "apikey") => true,
        [.., api, key] => api == "api" && key == "key",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_the_last_word_of_its_name() {
        for key in [
            "token",
            "Token",
            "TOKEN",
            "access_token",
            "accessToken",
            "HTTPToken",
            "x-api-key",
            "apiKey",
            "API_KEY",
            "apikey",
            "client_secret",
            "webhookSecret",
            "user.password",
            "Authorization",
            "spree_api_key",
            "oauth2Token",
            "token:",
            "session_token_",
            "password[]",
        ] {
            assert!(is_secret_name(key), "{key}");
        }
        for key in [
            "tokens",
            "token_type",
            "broken",
            "key",
            "api",
            "secretary",
            "password_hint",
            "city",
            "",
            "monkey",
            "currency",
        ] {
            assert!(!is_secret_name(key), "{key}");
        }
    }

    #[test]
    fn a_rule_covers_its_key_in_its_place() {
        let rules = Rules::new(&[
            &[Rule::under("gift_card", "code", Why::Secret), Rule::new("display_*", Why::Derived)],
            &[Rule::new("*_in_cents", Why::Derived), Rule::new("external_data", Why::Secret)],
        ]);
        let cover = |key: &str, parent: &str| rules.cover(tag(key.as_bytes()), key, parent);
        assert_eq!(cover("code", "gift_card"), Some(Why::Secret));
        assert_eq!(cover("code", "promotion"), None);
        assert_eq!(cover("display_total", ""), Some(Why::Derived));
        assert_eq!(cover("display_token", ""), Some(Why::Secret), "whatever a pattern says of its name");
        assert_eq!(cover("amount_in_cents", "price"), Some(Why::Derived));
        assert_eq!(cover("external_data", "x"), Some(Why::Secret));
        assert_eq!(cover("sessionToken", "x"), Some(Why::Secret));
        assert_eq!(cover("total", "x"), None);
        assert_eq!(rules.why(["order", "gift_card", "code"]), Some(Why::Secret));
        assert_eq!(rules.why(["gift_card", "promotion", "code"]), None);
        assert_eq!(rules.why(["data", "external_data", "a", "b"]), Some(Why::Secret), "whatever lies below");
    }
}
