//! The values of expressions: what JSON has, and the times and functions that Go's expr adds.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::functions::Function;
use super::json;

/// A value. Cloning one is cheap: whatever is big is shared.
#[derive(Debug, Clone, Default)]
pub enum Value {
    /// Go's `nil`, JSON's `null`: an absent value.
    #[default]
    Nil,
    /// `true` or `false`.
    Bool(bool),
    /// Go's `int`: 64 bits, wrapping.
    Int(i64),
    /// Go's `float64`.
    Float(f64),
    /// A text.
    Str(Arc<str>),
    /// A list.
    List(Arc<Vec<Value>>),
    /// A map whose keys are texts.
    Map(Arc<BTreeMap<Arc<str>, Value>>),
    /// A map whose keys may be any value, in the order of making: what `groupBy` and
    /// `fromPairs` return. It cannot be written as JSON.
    Pairs(Arc<Vec<(Value, Value)>>),
    /// Go's `time.Time`.
    Time(Arc<jiff::Zoned>),
    /// Go's `time.Duration`: nanoseconds.
    Duration(i64),
    /// Go's `*time.Location`.
    Zone(jiff::tz::TimeZone),
    /// A function, such as `sprig.upper`.
    Function(&'static Function),
}

/// A value that JSON cannot express.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a {0} cannot be written as JSON")]
pub struct NotJson(pub &'static str);

impl Value {
    /// Returns the value of a text.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::Str(Arc::from(text.as_ref()))
    }

    /// Returns a list of values.
    pub fn list(items: Vec<Value>) -> Self {
        Self::List(Arc::new(items))
    }

    /// Returns a map of names to values.
    pub fn map<K: Into<Arc<str>>>(entries: impl IntoIterator<Item = (K, Value)>) -> Self {
        Self::Map(Arc::new(entries.into_iter().map(|(name, value)| (name.into(), value)).collect()))
    }

    /// Returns the value of a JSON document; numbers without fraction that fit are `Int`.
    pub fn from_json(document: &serde_json::Value) -> Self {
        json::read(document, json::Numbers::ByForm)
    }

    /// Returns the value as a JSON document; integral floats become integers, as Go prints them.
    ///
    /// What JSON cannot express (functions, infinities) becomes `null`; callers to whom that
    /// matters ask [`Value::to_json_text`].
    pub fn to_json(&self) -> serde_json::Value {
        json::document(self)
    }

    /// Returns compact JSON with sorted keys, byte by byte what Go's `json.Marshal` makes.
    pub fn to_json_text(&self) -> Result<String, NotJson> {
        json::write(self)
    }

    /// Returns what Argo puts in the place of an expression tag: a text as it is, anything
    /// else as compact JSON (`expressionReplaceCore`).
    pub fn to_text(&self) -> String {
        self.try_to_text().unwrap_or_else(|_| self.to_string())
    }

    /// Returns what [`Value::to_text`] does, or the reason why Argo refuses the value.
    pub fn try_to_text(&self) -> Result<String, NotJson> {
        match self {
            Self::Str(text) => Ok(text.to_string()),
            Self::Time(time) => Ok(json::rfc3339_nano(time)),
            other => other.to_json_text(),
        }
    }

    /// Returns the name that expr's `type()` gives.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "string",
            Self::List(_) => "array",
            Self::Map(_) | Self::Pairs(_) => "map",
            Self::Time(_) => "time.Time",
            Self::Duration(_) => "time.Duration",
            Self::Zone(_) => "time.Location",
            Self::Function(_) => "func",
        }
    }

    /// Returns whether this is the absent value.
    pub fn is_nil(&self) -> bool {
        matches!(self, Self::Nil)
    }

    /// Returns the text of a `Str`.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// Returns whether the two are equal in type and value, as Go's `reflect.DeepEqual` has it.
    pub fn is_same(&self, other: &Value) -> bool {
        match (self, other) {
            (Self::List(a), Self::List(b)) => a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.is_same(b)),
            _ => self.type_name() == other.type_name() && self.equals(other),
        }
    }

    /// Returns whether the two are equal as Go's expr has it: numbers by value across `int`
    /// and `float`, lists and maps by their contents, nothing else across types.
    pub fn equals(&self, other: &Value) -> bool {
        use Value::*;
        match (self, other) {
            (Nil, Nil) => true,
            (Bool(a), Bool(b)) => a == b,
            (Int(a), Int(b)) | (Duration(a), Duration(b)) => a == b,
            (Float(a), Float(b)) => a == b,
            (Int(a), Float(b)) | (Float(b), Int(a)) => *a as f64 == *b,
            (Str(a), Str(b)) => a == b,
            (Time(a), Time(b)) => a.timestamp() == b.timestamp(),
            (List(a), List(b)) => a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.equals(b)),
            (Map(a), Map(b)) => {
                a.len() == b.len() && a.iter().zip(b.iter()).all(|((ka, a), (kb, b))| ka == kb && a.is_same(b))
            }
            (Function(a), Function(b)) => std::ptr::eq(*a, *b),
            _ => false,
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        self.equals(other)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Str(text.into())
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Self::list(items)
    }
}

impl fmt::Display for Value {
    /// Writes the value as Go's `%v` does: `[1 2]`, `map[a:1]`, `<nil>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("<nil>"),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Float(number) => f.write_str(&json::float_g(*number)),
            Self::Str(text) => f.write_str(text),
            Self::List(items) => {
                f.write_str("[")?;
                write_separated(f, items.iter(), |f, item| write!(f, "{item}"))?;
                f.write_str("]")
            }
            Self::Map(entries) => {
                f.write_str("map[")?;
                write_separated(f, entries.iter(), |f, (key, value)| write!(f, "{key}:{value}"))?;
                f.write_str("]")
            }
            Self::Pairs(entries) => {
                f.write_str("map[")?;
                write_separated(f, entries.iter(), |f, (key, value)| write!(f, "{key}:{value}"))?;
                f.write_str("]")
            }
            Self::Time(time) => f.write_str(&super::functions::dates::go_string(time)),
            Self::Duration(nanos) => f.write_str(&super::functions::durations::go_string(*nanos)),
            Self::Zone(zone) => f.write_str(zone.iana_name().unwrap_or("UTC")),
            Self::Function(function) => write!(f, "func {}", function.name),
        }
    }
}

/// Writes `items` with single blanks between them.
fn write_separated<T>(
    f: &mut fmt::Formatter<'_>,
    items: impl Iterator<Item = T>,
    write: impl Fn(&mut fmt::Formatter<'_>, T) -> fmt::Result,
) -> fmt::Result {
    for (at, item) in items.enumerate() {
        if at > 0 {
            f.write_str(" ")?;
        }
        write(f, item)?;
    }
    Ok(())
}
