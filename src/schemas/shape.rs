//! A schema as the rules compare it: names followed and in full, and the attributes at hand that Avro's own libraries leave
//! out of a comparison. Knows no rule.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A schema that stands by itself.
pub struct Shape {
    pub root: Type,
    /// Every record, enum and fixed by its full name.
    pub names: BTreeMap<String, Named>,
}

pub enum Type {
    /// `string`, `bytes`, `long`, …
    Plain(String, Option<Logical>),
    Array(Box<Type>),
    Map(Box<Type>),
    Union(Vec<Type>),
    /// The full name of one in [`Shape::names`].
    Named(String),
}

/// A type with a name.
pub struct Named {
    /// Without its namespace.
    pub name: String,
    pub namespace: String,
    pub doc: bool,
    pub is: Is,
}

pub enum Is {
    Record(Vec<Field>),
    Enum { symbols: Vec<String>, default: Option<String> },
    Fixed(u64, Option<Logical>),
}

pub struct Field {
    pub name: String,
    /// Whether it is explained; a blank doc explains nothing.
    pub doc: bool,
    /// The class of its personal data: `koine.pii`.
    pub pii: Option<String>,
    pub default: Option<Value>,
    pub of: Type,
}

/// What the bytes mean, where that is more than their type.
#[derive(PartialEq, Eq)]
pub enum Logical {
    Decimal { precision: u64, scale: u64 },
    Other(String),
}

const PLAIN: [&str; 8] = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"];

impl Shape {
    /// The error says why this is no Avro schema that stands by itself.
    pub fn parse(text: &str) -> Result<Shape, String> {
        // What may stand where is apache-avro's to know.
        apache_avro::Schema::parse_str(text).map_err(|error| error.to_string())?;
        let schema: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut names = BTreeMap::new();
        let root = read(&schema, "", &mut names)?;
        Ok(Shape { root, names })
    }

    /// A type in a few words.
    pub fn describe(&self, of: &Type) -> String {
        match of {
            Type::Plain(name, logical) => logical.as_ref().map_or_else(|| name.clone(), |l| l.describe(name)),
            Type::Array(_) => "a list".to_owned(),
            Type::Map(_) => "a map".to_owned(),
            Type::Union(branches) => {
                let branches: Vec<_> = branches.iter().map(|branch| self.describe(branch)).collect();
                format!("a union of {}", branches.join(", "))
            }
            Type::Named(full) => match self.names.get(full).map(|named| (&named.name, &named.is)) {
                Some((name, Is::Record(_))) => format!("the record {name}"),
                Some((name, Is::Enum { .. })) => format!("the enum {name}"),
                Some((name, Is::Fixed(size, _))) => format!("the fixed {name} of {size} bytes"),
                None => full.clone(),
            },
        }
    }
}

impl Type {
    /// Where null stands, if it may be null, and what else it may be.
    pub fn branches(&self) -> (Option<usize>, Vec<&Type>) {
        let is_null = |of: &Type| matches!(of, Type::Plain(name, _) if name == "null");
        match self {
            Type::Union(branches) => {
                (branches.iter().position(is_null), branches.iter().filter(|branch| !is_null(branch)).collect())
            }
            other => (None, vec![other]),
        }
    }

    /// What tells the types of a union apart.
    pub fn key(&self) -> &str {
        match self {
            Type::Plain(name, _) | Type::Named(name) => name,
            Type::Array(_) => "array",
            Type::Map(_) => "map",
            Type::Union(_) => "union",
        }
    }
}

impl Logical {
    pub fn describe(&self, of: &str) -> String {
        match self {
            Logical::Decimal { precision, scale } => format!("decimal({precision},{scale})"),
            Logical::Other(name) => format!("{of} ({name})"),
        }
    }
}

/// For what apache-avro should have refused.
const UNREADABLE: &str = "a type in it is none";

fn read(schema: &Value, namespace: &str, names: &mut BTreeMap<String, Named>) -> Result<Type, String> {
    Ok(match schema {
        Value::String(name) if PLAIN.contains(&name.as_str()) => Type::Plain(name.clone(), None),
        Value::String(name) => Type::Named(full(name, namespace)),
        Value::Array(branches) => {
            Type::Union(branches.iter().map(|branch| read(branch, namespace, names)).collect::<Result<_, _>>()?)
        }
        Value::Object(object) => {
            let part = |key: &str| object.get(key).ok_or(UNREADABLE);
            match part("type")? {
                Value::String(of) => match of.as_str() {
                    "array" => Type::Array(Box::new(read(part("items")?, namespace, names)?)),
                    "map" => Type::Map(Box::new(read(part("values")?, namespace, names)?)),
                    "record" | "error" | "enum" | "fixed" => named(of, object, namespace, names)?,
                    of if PLAIN.contains(&of) => Type::Plain(of.to_owned(), logical(object)),
                    of => Type::Named(full(of, namespace)),
                },
                inner => read(inner, namespace, names)?,
            }
        }
        _ => return Err(UNREADABLE.to_owned()),
    })
}

fn named(
    of: &str,
    object: &Map<String, Value>,
    around: &str,
    names: &mut BTreeMap<String, Named>,
) -> Result<Type, String> {
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    let list = |key: &str| object.get(key).and_then(Value::as_array).ok_or(UNREADABLE);
    let name = text("name").ok_or(UNREADABLE)?;
    let (namespace, name) = name.rsplit_once('.').unwrap_or((text("namespace").unwrap_or(around), name));
    let is = match of {
        "enum" => Is::Enum {
            symbols: list("symbols")?.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            default: text("default").map(str::to_owned),
        },
        "fixed" => Is::Fixed(object.get("size").and_then(Value::as_u64).ok_or(UNREADABLE)?, logical(object)),
        _ => Is::Record(list("fields")?.iter().map(|each| field(each, namespace, names)).collect::<Result<_, _>>()?),
    };
    let full = full(name, namespace);
    let (name, namespace) = (name.to_owned(), namespace.to_owned());
    // apache-avro takes the later one; Java takes neither.
    match names.insert(full.clone(), Named { name, namespace, doc: explained(object), is }) {
        None => Ok(Type::Named(full)),
        Some(_) => Err(format!("{full} is defined twice")),
    }
}

fn field(field: &Value, namespace: &str, names: &mut BTreeMap<String, Named>) -> Result<Field, String> {
    let field = field.as_object().ok_or(UNREADABLE)?;
    Ok(Field {
        name: field.get("name").and_then(Value::as_str).ok_or(UNREADABLE)?.to_owned(),
        doc: explained(field),
        pii: field.get("koine.pii").map(|class| class.as_str().map_or_else(|| class.to_string(), str::to_owned)),
        default: field.get("default").cloned(),
        // A logical type beside `name`, rather than within the type, is none.
        of: read(field.get("type").ok_or(UNREADABLE)?, namespace, names)?,
    })
}

fn explained(object: &Map<String, Value>) -> bool {
    object.get("doc").and_then(Value::as_str).is_some_and(|doc| !doc.trim().is_empty())
}

fn logical(object: &Map<String, Value>) -> Option<Logical> {
    let number = |key: &str| object.get(key).and_then(Value::as_u64).unwrap_or_default();
    object.get("logicalType").and_then(Value::as_str).map(|name| match name {
        "decimal" => Logical::Decimal { precision: number("precision"), scale: number("scale") },
        other => Logical::Other(other.to_owned()),
    })
}

fn full(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() { name.to_owned() } else { format!("{namespace}.{name}") }
}
