//! Topic names and topic patterns as librdkafka understands them: a subscription that begins with `^` is a POSIX extended
//! regular expression that is searched in the name, anything else is a name.

use regex_automata::dfa::{Automaton, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind};
use std::fmt;
use std::sync::Arc;

/// One entry of a subscription.
#[derive(Clone)]
pub struct TopicPattern {
    text: String,
    /// `None`: a name.
    automaton: Option<Arc<dense::DFA<Vec<u32>>>>,
}

impl fmt::Debug for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

/// A pattern that needs a larger automaton than this is not one a person wrote on purpose.
const MAX_AUTOMATON: usize = 8 * 1024 * 1024;

impl TopicPattern {
    /// Reads a name, or a pattern that begins with `^`. The error says what is wrong, in words.
    pub fn parse(text: &str) -> Result<TopicPattern, String> {
        if !text.starts_with('^') {
            return match check_topic(text) {
                Ok(()) => Ok(TopicPattern { text: text.to_owned(), automaton: None }),
                Err(reason) if text.contains(['*', '\\', '[', '(', '+', '|', '$', '?']) => {
                    Err(format!("{reason}; a pattern has to begin with ^"))
                }
                Err(reason) => Err(reason),
            };
        }
        refuse_perl(text)?;
        let automaton = dense::Builder::new()
            .configure(
                dense::Config::new()
                    .match_kind(MatchKind::All)
                    .dfa_size_limit(Some(MAX_AUTOMATON))
                    .determinize_size_limit(Some(MAX_AUTOMATON)),
            )
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .thompson(thompson::Config::new().utf8(false).nfa_size_limit(Some(MAX_AUTOMATON)))
            .build(text)
            .map_err(|error| format!("no regular expression: {error}"))?;
        Ok(TopicPattern { text: text.to_owned(), automaton: Some(Arc::new(automaton)) })
    }

    /// As it was written, which is what goes to `subscribe`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is a pattern rather than a name.
    pub fn is_pattern(&self) -> bool {
        self.automaton.is_some()
    }

    /// Whether a topic of this name is subscribed to.
    pub fn matches(&self, topic: &str) -> bool {
        match &self.automaton {
            None => self.text == topic,
            Some(automaton) => self.walk(automaton, topic) == Walk::Found,
        }
    }

    /// Whether some topic that begins with `prefix` could be subscribed to. A name is no such topic by itself.
    pub fn could_match_after(&self, prefix: &str) -> bool {
        match &self.automaton {
            None => false,
            Some(automaton) => self.walk(automaton, prefix) != Walk::Never,
        }
    }

    fn walk(&self, automaton: &dense::DFA<Vec<u32>>, text: &str) -> Walk {
        let Ok(mut state) = automaton.start_state_forward(&Input::new(text)) else { return Walk::Open };
        for &byte in text.as_bytes() {
            state = automaton.next_state(state, byte);
            if automaton.is_match_state(state) {
                return Walk::Found;
            }
            if automaton.is_dead_state(state) {
                return Walk::Never;
            }
        }
        if automaton.is_match_state(automaton.next_eoi_state(state)) { Walk::Found } else { Walk::Open }
    }
}

#[derive(PartialEq, Eq)]
enum Walk {
    /// A match, whatever comes next.
    Found,
    /// No match yet; more text could bring one.
    Open,
    /// No match, whatever comes next.
    Never,
}

/// What Perl has and POSIX has not would be accepted here and match nothing at the broker's door.
fn refuse_perl(text: &str) -> Result<(), String> {
    let perl = [("(?", "plain brackets"), ("\\d", "[0-9]"), ("\\D", "[^0-9]"), ("*?", "*"), ("+?", "+")];
    match perl.iter().find(|(perl, _)| text.contains(perl)) {
        Some((perl, posix)) => {
            Err(format!("{perl} is not POSIX extended syntax, which librdkafka uses; write {posix}"))
        }
        None => Ok(()),
    }
}

/// Kafka's rule for topic names.
pub fn check_topic(name: &str) -> Result<(), String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if name.is_empty() || name == "." || name == ".." {
        return Err("not a topic name".to_owned());
    }
    if name.len() > 249 {
        return Err("longer than the 249 characters a topic name may have".to_owned());
    }
    match name.bytes().all(legal) {
        true => Ok(()),
        false => Err("not a topic name: letters, digits, `.`, `_` and `-` only".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> TopicPattern {
        TopicPattern::parse(text).unwrap()
    }

    #[test]
    fn a_name_matches_itself_and_a_pattern_is_searched() {
        assert!(pattern("raw.spree").matches("raw.spree"));
        assert!(!pattern("raw.spree").matches("rawxspree"));
        let regex = pattern("^raw\\.spree");
        assert!(regex.matches("raw.spree") && regex.matches("raw.spree.eu") && !regex.matches("dlq.raw.spree"));
        assert!(pattern("^raw\\.(a|b)$").matches("raw.b") && !pattern("^raw\\.(a|b)$").matches("raw.bc"));
        assert!(pattern("^raw|order").matches("commerce.order.v1"), "the ^ binds the first branch only");
    }

    #[test]
    fn what_could_follow_a_prefix_is_known() {
        for (text, could) in [
            ("^raw\\..*", false),
            ("^dlq\\.raw\\.spree", true),
            ("^.*spree$", true),
            ("^[a-c].*", false),
            ("^d[^l]", false),
            ("^d.*", true),
            ("^raw|spree$", true),
            ("dlq.raw", false),
        ] {
            assert_eq!(pattern(text).could_match_after("dlq."), could, "{text}");
        }
    }

    #[test]
    fn mistakes_are_explained() {
        let error = |text: &str| TopicPattern::parse(text).unwrap_err();
        assert!(error("raw\\..*").ends_with("a pattern has to begin with ^"), "{}", error("raw\\..*"));
        assert!(error("raw spree").starts_with("not a topic name"));
        assert!(error("^raw(").starts_with("no regular expression"));
        assert!(error("^raw\\.\\d+").contains("write [0-9]"));
        assert!(error("^(?i)raw").contains("POSIX"));
        assert!(error("^((a{1,1000}){1,1000}){1,1000}").starts_with("no regular expression"));
        assert!(error(&"x".repeat(250)).contains("249"));
        assert!(error("..").starts_with("not a topic name"));
    }
}
