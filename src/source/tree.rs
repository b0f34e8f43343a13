//! What a text says, with the place of everything.

use serde_json::{Map, Number};

use super::{Fields, Path, Segment, Span};

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    /// The value.
    pub value: Value,
    /// Where it stands. What came by an alias stands where its anchor is.
    pub span: Span,
}

/// A value, resolved as Argo's YAML reader does.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An integer beyond the signed ones.
    UInt(u64),
    /// Any other number; finite.
    Float(f64),
    /// A text.
    Str(Box<str>),
    /// A list.
    Seq(Vec<Tree>),
    /// A map, in the order of the text.
    Map(Box<Fields>),
}

/// The value of a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Tree,
}

impl Tree {
    /// Returns the value of a key, where this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Tree> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// Returns the value of a key and where the key stands.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(map) => map.get(key),
            _ => None,
        }
    }

    /// Returns the value at a path.
    pub fn at(&self, path: &Path) -> Option<&Tree> {
        path.segments().into_iter().try_fold(self, Tree::step)
    }

    /// Returns the value one step down.
    pub fn step(&self, segment: &Segment) -> Option<&Tree> {
        match (segment, &self.value) {
            (Segment::Key(key), _) => self.get(key),
            (Segment::Index(index), Value::Seq(items)) => items.get(*index),
            (Segment::Index(_), _) => None,
        }
    }

    /// Returns the text, where this is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the value as JSON, as Go would write it: a float without a fraction is an integer.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Int(value) => Json::from(*value),
            Value::UInt(value) => Json::from(*value),
            Value::Float(value) => float_to_json(*value),
            Value::Str(text) => Json::String(text.to_string()),
            Value::Seq(items) => Json::Array(items.iter().map(Tree::to_json).collect()),
            Value::Map(map) => Json::Object(
                map.iter().map(|(key, entry)| (key.to_owned(), entry.value.to_json())).collect::<Map<_, _>>(),
            ),
        }
    }
}

impl Value {
    /// Returns what messages call such a value.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::UInt(_) => "an integer",
            Self::Float(value) if value.fract() == 0.0 => "an integer",
            Self::Float(_) => "a number",
            Self::Str(_) => "a string",
            Self::Seq(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

fn float_to_json(value: f64) -> serde_json::Value {
    match whole(value) {
        Some(value) => serde_json::Value::from(value),
        None => Number::from_f64(value).map_or(serde_json::Value::Null, serde_json::Value::Number),
    }
}

/// Returns the integer that a float holds exactly: it becomes one, so that `1e3` decodes into an integer
/// field, as it does in Argo. Negative zero keeps its sign and so stays a float.
pub(super) fn whole(value: f64) -> Option<i64> {
    let is_whole = value.fract() == 0.0 && value.abs() < 9e18 && (value != 0.0 || value.is_sign_positive());
    is_whole.then_some(value as i64)
}
