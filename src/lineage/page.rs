//! The mapping as a page for analysts.

use super::{EventSummary, Family, Kept, Mapping, Row, Sometimes};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};

/// The page of these vendors' mappings.
pub fn page(mappings: &[Mapping]) -> String {
    let mut out = String::from(INTRODUCTION);
    for mapping in mappings {
        // A String takes whatever is written to it.
        let _ = vendor(mapping, &mut out);
    }
    out
}

const INTRODUCTION: &str = "\
# The mapping

Made by `koine mapping` from what runs: every leaf of every sample webhook is changed, and what changes in the record is where it went. Do
not edit: `BLESS=1 cargo test --test docs` writes it. The canonical fields are explained in [model.md](model.md).

How to read it:

* Left, a place in the webhook: a JSON Pointer with `*` for the indexes of lists. Right, the canonical paths that change with it, with `*`
  for the indexes of lists and the keys of maps. One leaf may feed several: a word its enum and the `vendor_` field beside it, a time the
  field and `meta.version`.
* *not always*: the path changes in some webhooks and not in others, as what else they say decides; with event types named, in those only.
* *extensions*: the model has no field for it; it is kept in `extensions` under its place. Behind it, why.
* *dropped*: left out of every record, by a rule. `secret`: it opens something. `derived`: it only repeats what a field says (where the two
  differ it is kept in `extensions`). `privacy`: personal data whose class is dropped unless the configuration says otherwise.
* *has to fit*: a webhook in which this alone is changed is refused with that code: it is read, and compared with another leaf or known by name.
* `meta.event_id` is left aside: made of the bytes, it changes with anything. What no sample has is in no table: a key that no document names
  goes to `extensions`.
* No body says the raw record's place and time (`meta.received_at` and, of `meta.source`, topic, partition, offset, index), and few say the
  shop: it is the source's in the configuration, else the header `koine-shop`, else the body's or, for Bold, that of the URL in `koine-path`.

Of each event type: *in fields* is the share of the documented places in its sample webhooks that are in canonical fields (what is null,
empty or dropped by a rule aside); *extensions* the median share of `extensions` in the bytes of the Avro record. An event type without figures is
sent beside the documented ones and has no sample of its own; its family's stand in.
";

fn vendor(mapping: &Mapping, out: &mut String) -> fmt::Result {
    write!(
        out,
        "\n## {}\n\n| event type | is | coverage | component | in fields | extensions |\n|---|---|---|---|---|---|\n",
        mapping.vendor
    )?;
    for event in &mapping.events {
        event_line(event, out)?;
    }
    for family in &mapping.families {
        table(family, out)?;
    }
    if mapping.ignored.is_empty() {
        return Ok(());
    }
    write!(out, "\n### {}: ignored\n\n| event types | rule | why |\n|---|---|---|\n", mapping.vendor)?;
    let mut rules: BTreeMap<(&str, &str, bool), Vec<&str>> = BTreeMap::new();
    for ignored in &mapping.ignored {
        rules.entry((ignored.rule, ignored.reason, ignored.sometimes)).or_default().push(ignored.event_type);
    }
    for ((rule, reason, sometimes), names) in rules {
        let not_always = if sometimes { " (not always: what it is about decides)" } else { "" };
        writeln!(out, "| {} | `{rule}` | {reason}{not_always} |", codes(names))?;
    }
    Ok(())
}

fn event_line(event: &EventSummary, out: &mut String) -> fmt::Result {
    let all = |words: &BTreeSet<&'static str>| words.iter().copied().collect::<Vec<_>>().join(", ");
    let components = codes(event.component.iter().map(String::as_str));
    let (entity, action, coverage) = (all(&event.entity), all(&event.action), all(&event.coverage));
    write!(out, "| `{}` | {entity} {action} | {coverage} | {components} | ", event.event_type)?;
    match &event.shares {
        Some(shares) => {
            let per_cent = PerMille(shares.fields_per_mille());
            writeln!(
                out,
                "{per_cent} ({} of {}) | {} |",
                shares.in_fields,
                shares.leaves,
                PerMille(shares.extensions_per_mille)
            )
        }
        None => writeln!(out, "| |"),
    }
}

/// A share in per cent.
struct PerMille(usize);

impl fmt::Display for PerMille {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} %", self.0 / 10, self.0 % 10)
    }
}

fn table(family: &Family, out: &mut String) -> fmt::Result {
    let names: Vec<String> =
        family.names.iter().filter(|name| !name.is_empty()).map(|name| format!("{name}.*")).collect();
    let heading = if names.is_empty() { String::new() } else { format!("{} → ", names.join(", ")) };
    write!(out, "\n### {heading}{}\n\n", family.entity)?;
    writeln!(out, "Of {}.\n", codes(family.event_types.iter().copied()))?;
    out.push_str("| in the webhook | in the record |\n|---|---|\n");
    for row in &family.rows {
        writeln!(out, "| `{}` | {} |", row.from.replace('|', "\\|"), ways(row).join("; "))?;
    }
    Ok(())
}

fn ways(row: &Row) -> Vec<String> {
    let mut ways = Vec::new();
    if !row.to.is_empty() {
        ways.push(codes(row.to.iter().map(String::as_str)));
    }
    for Sometimes { path, event_types } in &row.sometimes {
        ways.push(match event_types.is_empty() {
            true => format!("`{path}` (not always)"),
            false => format!("`{path}` (only {})", codes(event_types.iter().copied())),
        });
    }
    if let Some(rule) = row.dropped {
        ways.push(format!("*dropped*: `{rule}`"));
    }
    if let Some(code) = row.refused {
        ways.push(format!("*has to fit*: `{code}`"));
    }
    // Last, for a reason is a sentence and may hold whatever else separates.
    if let Some(kept) = row.extensions {
        let not_always = if kept == Kept::Sometimes { " (not always)" } else { "" };
        let why = row.why.map(|why| format!(": {}", why.replace('|', "\\|"))).unwrap_or_default();
        ways.push(format!("*extensions*{not_always}{why}"));
    }
    ways
}

fn codes<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" ")
}
