//! `koine schemas check`: may this build's schemas be deployed over everything that was released and registered? Our own
//! rules are asked about every version, then the registry is, by its own rule. Nothing is changed.
//!
//! Trouble with the registry is told as such: an answer that is missing is never a verdict.

use super::super::{Failure, configuration};
use super::LEVEL;
use crate::canonical::EntityKind;
use crate::registry::{Registry, RegistryError, Verdict, Wanted};
use crate::schemas::rules::{Finding, findings};
use crate::schemas::{history, json, subject};
use serde_json::Value;
use std::fmt;
use std::path::Path;

pub fn run(file: Option<&Path>) -> Result<(), Failure> {
    let config = configuration(file, &[])?;
    let registry = match config.registry.url {
        Some(_) => Some(Registry::new(&config.registry).map_err(Failure::Usage)?),
        None => {
            eprintln!("koine: registry.url is not set: this build is checked against what was released only");
            None
        }
    };
    let runtime = super::runtime()?;
    let mut trouble = None;
    let mut found = 0;
    for (kind, topic) in EntityKind::ALL.into_iter().zip(config.topics.canonical()) {
        let subject = subject(topic);
        // After the first trouble no more is asked: it would be the same again, after as long a wait.
        let asked = match (&registry, &trouble) {
            (None, _) => Asked::Nobody,
            (Some(_), Some(_)) => Asked::InVain,
            (Some(registry), None) => {
                match runtime.block_on(ask(registry, Wanted { subject: &subject, schema: json(kind) })) {
                    Ok(answer) => Asked::Registry(answer),
                    Err(error) => {
                        trouble = Some(error);
                        Asked::InVain
                    }
                }
            }
        };
        let report = report(kind, &asked);
        for line in &report {
            println!("{subject}\t{line}");
        }
        found += report.iter().filter(|line| matches!(line, Line::Wrong { .. })).count();
    }
    let in_vain = trouble.map(|error| format!("the registry could not be asked: {error}"));
    match (found, in_vain) {
        (0, None) => Ok(()),
        (0, Some(why)) => Err(Failure::Internal(format!("{why}. Whether these schemas may be deployed is not known"))),
        (_, in_vain) => {
            let and = in_vain.map(|why| format!(". Besides, {why}")).unwrap_or_default();
            let findings = if found == 1 { "1 finding" } else { &format!("{found} findings") };
            Err(Failure::Found(format!("{findings}: this build's schemas must not be deployed{and}")))
        }
    }
}

/// Whom a subject was asked of, besides what was released.
enum Asked {
    /// No registry is configured.
    Nobody,
    Registry(Answer),
    /// The registry gave no answer.
    InVain,
}

/// What a registry says of a subject.
struct Answer {
    /// Number and text of each version, the oldest first.
    versions: Vec<(u32, String)>,
    level: Level,
    /// Its word on this build's schema. The error is a definite one too.
    verdict: Result<Verdict, RegistryError>,
}

/// A subject's compatibility.
enum Level {
    /// Nothing is registered, and nothing set: `koine schemas register` sets it first.
    Unset,
    Own(String),
    Default(String),
}

async fn ask(registry: &Registry, wanted: Wanted<'_>) -> Result<Answer, RegistryError> {
    let mut versions = Vec::new();
    for number in registry.versions(wanted.subject).await? {
        // One that is gone was deleted meanwhile.
        if let Some(version) = registry.version(wanted.subject, number).await? {
            versions.push((number, version.schema));
        }
    }
    let level = match registry.compatibility(wanted.subject).await? {
        Some(own) => Level::Own(own),
        None if versions.is_empty() => Level::Unset,
        None => Level::Default(registry.default_compatibility().await?),
    };
    let verdict = match registry.check(wanted).await {
        Err(error) if error.kind.is_transient() => return Err(error),
        verdict => verdict,
    };
    Ok(Answer { versions, level, verdict })
}

/// A line of the report, without its subject.
enum Line {
    Good(String),
    Unknown(String),
    Wrong { version: String, path: String, word: &'static str, why: String },
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Line::Good(why) => write!(f, "ok\t{why}"),
            Line::Unknown(why) => write!(f, "not known\t{why}"),
            Line::Wrong { version, path, word, why } => write!(f, "{version}\t{path}\t{word}\t{why}"),
        }
    }
}

fn report(kind: EntityKind, asked: &Asked) -> Vec<Line> {
    let registered: &[(u32, String)] = match asked {
        Asked::Registry(answer) => &answer.versions,
        Asked::Nobody | Asked::InVain => &[],
    };
    let known = Known::all(history(kind), registered, json(kind));
    let mut lines = Vec::new();
    for version in &known {
        let (older, newer) = if version.is_later { (json(kind), version.text) } else { (version.text, json(kind)) };
        lines.extend(findings(older, newer).into_iter().map(|Finding { rule, path, what }| Line::Wrong {
            version: version.to_string(),
            path: if path.is_empty() { "-".to_owned() } else { path },
            word: rule.as_str(),
            why: format!("{what}: {}", rule.why()),
        }));
    }
    if let Asked::Registry(answer) = asked {
        lines.extend(answer.findings());
    }
    if lines.is_empty() {
        let versions: Vec<_> = known.iter().map(Known::to_string).collect();
        let versions = versions.join("; ");
        lines.push(match asked {
            Asked::Nobody => Line::Good(format!("follows {versions}; no registry was asked")),
            Asked::InVain => Line::Unknown(format!("follows {versions}; the registry has not answered")),
            Asked::Registry(answer) => Line::Good(format!("follows {versions}; {}", answer.summary())),
        });
    }
    lines
}

/// A schema that was released or registered, and where it stands.
struct Known<'a> {
    text: &'a str,
    places: Vec<String>,
    /// Came after this build's: this build is a step back.
    is_later: bool,
}

impl<'a> Known<'a> {
    /// Each schema once, whatever its spelling.
    fn all(released: &[&'a str], registered: &'a [(u32, String)], ours: &str) -> Vec<Known<'a>> {
        let ours_at = registered.iter().position(|(_, text)| same(text, ours));
        let is_later = |at: usize| ours_at.is_some_and(|ours| at > ours);
        let released = (1..).zip(released).map(|(number, text)| (*text, format!("released {number}"), false));
        let registered = registered.iter().enumerate();
        let registered = registered.map(|(at, (number, text))| (&**text, format!("registered {number}"), is_later(at)));
        let mut all: Vec<Known<'a>> = Vec::new();
        for (text, place, is_later) in released.chain(registered) {
            match all.iter_mut().find(|known| same(known.text, text)) {
                Some(known) => known.places.push(place),
                None => all.push(Known { text, places: vec![place], is_later }),
            }
        }
        all
    }
}

fn same(one: &str, other: &str) -> bool {
    let parse = |text| serde_json::from_str::<Value>(text);
    one == other || matches!((parse(one), parse(other)), (Ok(one), Ok(other)) if one == other)
}

impl fmt::Display for Known<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.places.join(" = "))?;
        if self.is_later { f.write_str(" (later than this build's)") } else { Ok(()) }
    }
}

impl Answer {
    fn findings(&self) -> Vec<Line> {
        let wrong = |word, why| Line::Wrong { version: "registry".to_owned(), path: "-".to_owned(), word, why };
        let mut lines = Vec::new();
        let level = match &self.level {
            Level::Own(level) if level != LEVEL => Some(format!("its compatibility is {level}")),
            Level::Default(level) if level != LEVEL => {
                Some(format!("it has no compatibility of its own, and the registry's default is {level}"))
            }
            _ => None,
        };
        lines.extend(level.map(|level| {
            wrong(
                "registry_level",
                format!("{level}, not {LEVEL}: it would take what breaks readers; `koine schemas register` sets it"),
            )
        }));
        match &self.verdict {
            Ok(Verdict { compatible: true, .. }) => {}
            Ok(Verdict { messages, .. }) => {
                let reasons: Vec<String> = messages.iter().map(|message| one_line(message)).collect();
                let reasons = if reasons.is_empty() { "it gives no reason".to_owned() } else { reasons.join("; ") };
                lines.push(wrong("registry_refuses", format!("the registry says incompatible: {reasons}")));
            }
            Err(error) => lines.push(wrong("registry_refuses", one_line(&error.to_string()))),
        }
        lines
    }

    fn summary(&self) -> String {
        match &self.level {
            Level::Unset => "nothing is registered yet".to_owned(),
            Level::Own(level) => format!("the registry agrees, {level}"),
            Level::Default(level) => format!("the registry agrees, {level} by default"),
        }
    }
}

/// A registry's reason can be pages.
fn one_line(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(500) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}
