//! Our own rules for the next version of a canonical schema. Avro asks whether the bytes can be read; a reader also has to
//! understand what they mean, and to find what it found before. So this forbids what Avro's compatibility forbids, in both
//! directions, and beyond that what it does not look at: logical types, decimals, docs, tags, and whatever a default would
//! paper over.
//!
//! Knows no registry, and not which versions there are: two schemas in, findings out.

use super::resolution::evolves;
use super::shape::{Field, Is, Logical, Named, Shape, Type};
use serde_json::Value;
use std::collections::BTreeSet;

macro_rules! rules {
    ($($name:ident = $word:literal, $why:literal;)*) => {
        /// The closed list. avro/README.md documents every one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Rule { $($name),* }

        impl Rule {
            pub const ALL: &[Rule] = &[$(Rule::$name),*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Rule::$name => $word),* }
            }

            /// Why it is a rule.
            pub const fn why(self) -> &'static str {
                match self { $(Rule::$name => $why),* }
            }
        }
    };
}

rules! {
    NotAvro = "not_avro", "nobody can read with it";
    NameChanged = "name_changed", "readers tell types apart by their names, and classes are generated from them";
    FieldRemoved = "field_removed", "who reads the field fails, or gets its default for ever and is not told";
    TypeChanged = "type_changed", "one of the two cannot read, or misreads, what was written with the other";
    NullabilityChanged = "nullability_changed", "one of the two cannot read what was written with the other";
    NullNotFirst = "null_not_first", "a default belongs to the first type of a union, and what was not said is null";
    DefaultMissing = "default_missing", "a record of a version that lacks the field could not be read";
    DefaultNotEmpty = "default_not_empty", "what no webhook said would be read as said";
    LogicalTypeChanged = "logical_type_changed", "the same bytes would mean something else, and Avro does not compare it";
    DecimalChanged = "decimal_changed", "the same bytes would be another amount, and Avro does not compare it";
    DocMissing = "doc_missing", "the docs are what analysts read";
    PiiChanged = "pii_changed", "what protects personal data goes by the tag";
    SymbolRemoved = "symbol_removed", "records that have it would be read as the default, and who waits for it waits for ever";
    EnumDefaultMissing = "enum_default_missing", "a reader fails on a symbol that came in after its version";
    EnumDefaultChanged = "enum_default_changed", "a symbol that a reader does not know would be taken for another one";
    AvroIncompatible = "avro_incompatible", "one of the two cannot read what was written with the other";
}

/// What must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub rule: Rule,
    /// Dotted, `[]` for the items of a list, `{}` for the values of a map: `order.line_items[].unit_price`. A type has the
    /// first place that it is used at, the event's record its name, a text that is no schema none.
    pub path: String,
    /// What happened there.
    pub what: String,
}

/// What stands in the way of `newer` coming after `older`; nothing where it may.
pub fn findings(older: &str, newer: &str) -> Vec<Finding> {
    let (old, new) = match (Shape::parse(older), Shape::parse(newer)) {
        (Ok(old), Ok(new)) => (old, new),
        (old, new) => {
            let not_avro = |which: &str, parsed: Result<Shape, String>| {
                let what =
                    format!("the {which} of the two is no Avro schema that stands by itself ({})", parsed.err()?);
                Some(Finding { rule: Rule::NotAvro, path: String::new(), what })
            };
            return [not_avro("older", old), not_avro("newer", new)].into_iter().flatten().collect();
        }
    };
    let mut comparison =
        Comparison { older: &old, newer: &new, seen: BTreeSet::new(), moved: BTreeSet::new(), findings: Vec::new() };
    comparison.types(&old.root, &new.root, "");
    let mut findings = comparison.findings;
    // Should there be anything that Avro sees and the rules do not.
    if let (true, Err(reason)) = (findings.is_empty(), evolves(older, newer)) {
        findings.push(Finding { rule: Rule::AvroIncompatible, path: String::new(), what: reason });
    }
    let root = match &new.root {
        Type::Named(full) => new.names.get(full).map(|named| named.name.as_str()),
        _ => None,
    };
    for finding in findings.iter_mut().filter(|finding| finding.path.is_empty()) {
        finding.path = root.unwrap_or_default().to_owned();
    }
    findings
}

struct Comparison<'s> {
    older: &'s Shape,
    newer: &'s Shape,
    /// Full names that have been compared, or looked at: a type is told once, at its first place.
    seen: BTreeSet<(&'s str, &'s str)>,
    /// Namespaces that became others: a schema's own is told once, not with every type in it.
    moved: BTreeSet<(&'s str, &'s str)>,
    findings: Vec<Finding>,
}

impl<'s> Comparison<'s> {
    fn tell(&mut self, rule: Rule, path: &str, what: impl Into<String>) {
        self.findings.push(Finding { rule, path: path.to_owned(), what: what.into() });
    }

    fn types(&mut self, old: &'s Type, new: &'s Type, path: &str) {
        let ((old_null, old), (new_null, new)) = (old.branches(), new.branches());
        match (old_null, new_null) {
            (None, Some(_)) => self.tell(Rule::NullabilityChanged, path, "it can be null, and could not"),
            (Some(_), None) => self.tell(Rule::NullabilityChanged, path, "it cannot be null, and could"),
            _ => {}
        }
        if new_null > Some(0) && (old_null == Some(0) || old_null.is_none()) {
            self.null_not_first(path);
        }
        if let ([old], [new]) = (&old[..], &new[..]) {
            return self.plain(old, new, path);
        }
        for &was in &old {
            match new.iter().find(|is| is.key() == was.key()) {
                Some(is) => self.plain(was, is, path),
                None => {
                    let what = format!("it can be {} no longer", self.older.describe(was));
                    self.tell(Rule::TypeChanged, path, what);
                }
            }
        }
        for is in new.iter().filter(|is| !old.iter().any(|was| was.key() == is.key())) {
            let what = format!("it can be {}, and could not", self.newer.describe(is));
            self.tell(Rule::TypeChanged, path, what);
        }
    }

    fn plain(&mut self, old: &'s Type, new: &'s Type, path: &str) {
        match (old, new) {
            (Type::Plain(was, old), Type::Plain(is, new)) if was == is => self.logical(was, old, new, path),
            (Type::Array(old), Type::Array(new)) => self.types(old, new, &format!("{path}[]")),
            (Type::Map(old), Type::Map(new)) => self.types(old, new, &format!("{path}{{}}")),
            (Type::Named(old), Type::Named(new)) => self.named(old, new, path),
            _ => self.another(old, new, path),
        }
    }

    fn another(&mut self, old: &Type, new: &Type, path: &str) {
        let what = became(&self.older.describe(old), &self.newer.describe(new));
        self.tell(Rule::TypeChanged, path, what);
    }

    fn logical(&mut self, of: &str, old: &Option<Logical>, new: &Option<Logical>, path: &str) {
        if old != new {
            let rule = match (old, new) {
                (Some(Logical::Decimal { .. }), Some(Logical::Decimal { .. })) => Rule::DecimalChanged,
                _ => Rule::LogicalTypeChanged,
            };
            let describe = |logical: &Option<Logical>| {
                logical.as_ref().map_or_else(|| format!("plain {of}"), |logical| logical.describe(of))
            };
            self.tell(rule, path, became(&describe(old), &describe(new)));
        }
    }

    fn named(&mut self, old_name: &'s str, new_name: &'s str, path: &str) {
        let (older, newer) = (self.older, self.newer);
        let (Some(old), Some(new)) = (older.names.get(old_name), newer.names.get(new_name)) else { return };
        if !self.seen.insert((old_name, new_name)) {
            return;
        }
        if old.name != new.name {
            // Another type, or this one under another name: that comes first.
            return self.tell(Rule::NameChanged, path, became(&old.name, &new.name));
        }
        if old.namespace != new.namespace && self.moved.insert((&old.namespace, &new.namespace)) {
            self.tell(Rule::NameChanged, path, became(old_name, new_name));
        }
        if old.doc && !new.doc {
            self.tell(Rule::DocMissing, path, format!("{} has lost its doc", new.name));
        }
        match (&old.is, &new.is) {
            (Is::Record(old), Is::Record(new)) => self.fields(old, new, path),
            (Is::Enum { symbols: old, default: was }, Is::Enum { symbols: new, default: is }) => {
                self.symbols(old, new, path);
                self.enum_default(was.as_deref(), is.as_deref(), old, new, path);
            }
            (Is::Fixed(was, old), Is::Fixed(is, new)) if was == is => self.logical("fixed", old, new, path),
            _ => {
                let types = [old_name, new_name].map(|name| Type::Named(name.to_owned()));
                let [old, new] = &types;
                self.another(old, new, path);
            }
        }
    }

    fn fields(&mut self, old: &'s [Field], new: &'s [Field], path: &str) {
        for was in old {
            let path = below(path, &was.name);
            match new.iter().find(|is| is.name == was.name) {
                Some(is) => self.field(was, is, &path),
                None => self.tell(Rule::FieldRemoved, &path, "the field is gone, or has another name"),
            }
        }
        for is in new.iter().filter(|is| !old.iter().any(|was| was.name == is.name)) {
            let path = below(path, &is.name);
            if is.default.is_none() {
                self.tell(Rule::DefaultMissing, &path, "the field came in, without a default");
            }
            self.new_field(is, &path);
        }
    }

    fn field(&mut self, old: &'s Field, new: &'s Field, path: &str) {
        self.types(&old.of, &new.of, path);
        match (&old.default, &new.default) {
            (Some(_), None) => self.tell(Rule::DefaultMissing, path, "the field has lost its default"),
            (was, Some(is)) if was.as_ref() != Some(is) => self.default(is, &new.of, path),
            _ => {}
        }
        if old.doc && !new.doc {
            self.tell(Rule::DocMissing, path, "the field has lost its doc");
        }
        match (&old.pii, &new.pii) {
            (Some(was), None) => self.tell(Rule::PiiChanged, path, format!("the tag {was} is gone")),
            (Some(was), Some(is)) if was != is => {
                self.tell(Rule::PiiChanged, path, format!("the tag {}", became(was, is)));
            }
            _ => {}
        }
    }

    /// A field that the older version does not have.
    fn new_field(&mut self, field: &'s Field, path: &str) {
        if !field.doc {
            self.tell(Rule::DocMissing, path, "the field came in, without a doc");
        }
        if let Some(default) = &field.default {
            self.default(default, &field.of, path);
        }
        self.new_type(&field.of, path);
    }

    /// A type where none was. What the older version has too is compared where that has it.
    fn new_type(&mut self, of: &'s Type, path: &str) {
        let (null, others) = of.branches();
        if null > Some(0) {
            self.null_not_first(path);
        }
        for each in others {
            match each {
                Type::Array(items) => self.new_type(items, &format!("{path}[]")),
                Type::Map(values) => self.new_type(values, &format!("{path}{{}}")),
                Type::Named(name) if !self.older.names.contains_key(name) && self.seen.insert(("", name)) => {
                    if let Some(named) = self.newer.names.get(name) {
                        self.new_named(named, path);
                    }
                }
                _ => {}
            }
        }
    }

    fn new_named(&mut self, named: &'s Named, path: &str) {
        if !named.doc {
            self.tell(Rule::DocMissing, path, format!("{} came in, without a doc", named.name));
        }
        match &named.is {
            Is::Record(fields) => {
                for field in fields {
                    let path = below(path, &field.name);
                    if field.default.is_none() && field.of.branches().0.is_some() {
                        self.tell(Rule::DefaultMissing, &path, "it can be null, and null is not its default");
                    }
                    self.new_field(field, &path);
                }
            }
            Is::Enum { default: None, .. } => {
                self.tell(Rule::EnumDefaultMissing, path, format!("{} came in, without a default", named.name));
            }
            Is::Enum { .. } | Is::Fixed(..) => {}
        }
    }

    fn symbols(&mut self, old: &[String], new: &[String], path: &str) {
        for gone in old.iter().filter(|symbol| !new.contains(symbol)) {
            self.tell(Rule::SymbolRemoved, path, format!("{gone} is gone, or has another name"));
        }
    }

    fn enum_default(&mut self, was: Option<&str>, is: Option<&str>, old: &[String], new: &[String], path: &str) {
        match (was, is) {
            (Some(was), None) => self.tell(Rule::EnumDefaultMissing, path, format!("the default {was} is gone")),
            (Some(was), Some(is)) if was != is => {
                self.tell(Rule::EnumDefaultChanged, path, format!("the default {}", became(was, is)));
            }
            (None, _) => {
                for more in new.iter().filter(|symbol| !old.contains(symbol)) {
                    let what = format!("{more} came in, and the older version has no default for it");
                    self.tell(Rule::EnumDefaultMissing, path, what);
                }
            }
            _ => {}
        }
    }

    fn default(&mut self, default: &Value, of: &Type, path: &str) {
        let empty = match (of, default) {
            (Type::Array(_), Value::Array(items)) => items.is_empty(),
            (Type::Map(_), Value::Object(entries)) => entries.is_empty(),
            (Type::Union(_), Value::Null) => of.branches().0.is_some(),
            _ => false,
        };
        if !empty {
            self.tell(Rule::DefaultNotEmpty, path, format!("its default is {default}"));
        }
    }

    fn null_not_first(&mut self, path: &str) {
        self.tell(Rule::NullNotFirst, path, "null is not the first type of its union");
    }
}

fn became(old: &str, new: &str) -> String {
    format!("{old} became {new}")
}

fn below(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}
