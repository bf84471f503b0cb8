//! Schemas and the ids they have at a registry, in a file: what `koine run` starts from while the registry is away. Knows
//! neither where the file lies nor when it is read.
//!
//! The digest is there for files that were cut, merged or edited. It is no signature: whoever can write the file can write
//! the digest too, and what an id stands for is the registry's to say. It is asked when it is back.

use super::{Registered, Wanted};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const FORMAT: &str = "koine-schema-bundle/1";

/// One schema as it stands in a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    subject: String,
    id: u32,
    schema: String,
}

/// Schemas with their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle(Vec<Entry>);

impl Bundle {
    /// What was wanted, each with what it is registered as, in the same order.
    pub fn new(wanted: &[Wanted<'_>], registered: &[Registered]) -> Bundle {
        let entry = |(wanted, registered): (&Wanted<'_>, &Registered)| Entry {
            subject: wanted.subject.to_owned(),
            id: registered.id,
            schema: wanted.schema.to_owned(),
        };
        Bundle(wanted.iter().zip(registered).map(entry).collect())
    }

    /// The file's text: JSON, a schema a line, so that two bundles can be compared by eye.
    pub fn to_text(&self, build: &str) -> String {
        let line = |entry: &Entry| {
            let line = json!({"subject": entry.subject, "id": entry.id, "schema": entry.schema});
            format!("    {line}")
        };
        let lines: Vec<String> = self.0.iter().map(line).collect();
        let (format, build, digest) = (json!(FORMAT), json!(build), json!(self.digest()));
        format!(
            "{{\n  \"format\": {format},\n  \"build\": {build},\n  \"schemas\": [\n{}\n  ],\n  \"digest\": {digest}\n}}\n",
            lines.join(",\n")
        )
    }

    /// Reads a bundle. The error is half a sentence that says what is wrong with the file.
    pub fn parse(text: &str) -> Result<Bundle, String> {
        let document: Value =
            serde_json::from_str(text).map_err(|error| format!("is no bundle: no JSON at line {}", error.line()))?;
        let found = document.get("format").and_then(Value::as_str);
        if found != Some(FORMAT) {
            return Err(format!("is no bundle of this kind: its format is not {FORMAT}"));
        }
        let entry = |value: &Value| {
            let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
            let id = value.get("id").and_then(Value::as_u64).and_then(|id| u32::try_from(id).ok());
            Some(Entry { subject: text("subject")?, id: id?, schema: text("schema")? })
        };
        let entries = document.get("schemas").and_then(Value::as_array);
        let entries: Option<Vec<Entry>> = entries.and_then(|entries| entries.iter().map(entry).collect());
        let bundle = Bundle(entries.ok_or("is no whole bundle: a schema without subject, id or text")?);
        match document.get("digest").and_then(Value::as_str) {
            Some(digest) if digest == bundle.digest() => Ok(bundle),
            _ => Err("was changed after it was written: its digest is not that of its schemas".to_owned()),
        }
    }

    /// The ids of what is wanted, in that order; or why the bundle is not this build's.
    pub fn ids(&self, wanted: &[Wanted<'_>]) -> Result<Vec<Registered>, String> {
        let id = |wanted: &Wanted<'_>| {
            let subject = wanted.subject;
            let entry = self.0.iter().find(|entry| entry.subject == subject);
            let entry = entry.ok_or_else(|| format!("has nothing for {subject}"))?;
            if entry.schema != wanted.schema {
                return Err(format!("is another build's: its schema of {subject} is not this build's"));
            }
            Ok(Registered { subject: subject.to_owned(), id: entry.id, version: None })
        };
        wanted.iter().map(id).collect()
    }

    /// SHA-256 of what it says, each part with its length before it, so that no two bundles say the same bytes.
    fn digest(&self) -> String {
        let mut sha = Sha256::new();
        for Entry { subject, id, schema } in &self.0 {
            for part in [subject.as_str(), &id.to_string(), schema] {
                sha.update((part.len() as u64).to_be_bytes());
                sha.update(part);
            }
        }
        let digest: String = sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{digest}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Wanted<'static> = Wanted { subject: "a-value", schema: r#"{"type":"string"}"# };
    const B: Wanted<'static> = Wanted { subject: "b-value", schema: r#"{"type":"long"}"# };

    fn text() -> String {
        let id = |wanted: &Wanted<'_>, id| Registered { subject: wanted.subject.to_owned(), id, version: Some(1) };
        Bundle::new(&[A, B], &[id(&A, 7), id(&B, 9)]).to_text("1.2.3+abc")
    }

    #[test]
    fn what_is_written_is_read() {
        let bundle = Bundle::parse(&text()).unwrap();
        let ids: Vec<u32> = bundle.ids(&[B, A]).unwrap().iter().map(|one| one.id).collect();
        assert_eq!(ids, [9, 7]);
        assert!(text().contains("\"build\": \"1.2.3+abc\""), "{}", text());
    }

    #[test]
    fn a_change_anywhere_is_noticed() {
        for (from, to) in [("\"id\":7", "\"id\":8"), ("a-value", "c-value"), ("long", "int"), ("sha256:", "sha256:0")] {
            let changed = text().replacen(from, to, 1);
            assert_ne!(changed, text());
            assert!(Bundle::parse(&changed).unwrap_err().contains("digest"), "{from}");
        }
        let cut = text().lines().filter(|line| !line.contains("b-value")).collect::<Vec<_>>().join("\n");
        assert!(Bundle::parse(&cut).is_err());
        assert!(Bundle::parse("").unwrap_err().contains("no JSON"));
        assert!(Bundle::parse("{}").unwrap_err().contains("format"));
        assert!(Bundle::parse(&text().replacen("bundle/1", "bundle/2", 1)).unwrap_err().contains("format"));
    }

    #[test]
    fn another_builds_bundle_is_refused_and_so_is_one_for_other_topics() {
        let bundle = Bundle::parse(&text()).unwrap();
        let newer = Wanted { schema: r#"{"type":"bytes"}"#, ..A };
        assert!(bundle.ids(&[newer]).unwrap_err().contains("another build's"));
        let other = Wanted { subject: "other-value", ..A };
        assert_eq!(bundle.ids(&[other]).unwrap_err(), "has nothing for other-value");
    }
}
