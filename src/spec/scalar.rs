//! Values whose form is looser than their type: texts given as numbers, numbers given as texts, JSON.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// A text that may be written as any scalar, such as a parameter's value.
///
/// Numbers become what Go's `strconv.FormatFloat(v, 'f', -1, 64)` makes of them: `1.10` is `1.1`,
/// `1e3` is `1000`, and integers beyond 2^53 lose digits. Source: `AnyString.UnmarshalJSON`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct AnyString(pub String);

impl AnyString {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the text of a scalar; none of a list or an object.
    pub fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(Self::default()),
            Value::Bool(value) => Some(Self(value.to_string())),
            Value::Number(number) => number.as_f64().map(|number| Self(number.to_string())),
            Value::String(text) => Some(Self(text.clone())),
            Value::Array(_) | Value::Object(_) => None,
        }
    }
}

impl<'de> Deserialize<'de> for AnyString {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(from)?;
        Self::from_json(&value).ok_or_else(|| D::Error::custom("expected a string, a number or a boolean"))
    }
}

impl From<&str> for AnyString {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for AnyString {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl Deref for AnyString {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AnyString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JsonSchema for AnyString {
    fn schema_name() -> Cow<'static, str> {
        "AnyString".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

/// An integer, or a text that becomes one after substitution, such as a retry limit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum IntOrString {
    /// Written as a number.
    Int(i64),
    /// Written as a text.
    String(String),
}

impl IntOrString {
    /// Returns the text of either form.
    pub fn as_text(&self) -> Cow<'_, str> {
        match self {
            Self::Int(number) => number.to_string().into(),
            Self::String(text) => text.as_str().into(),
        }
    }
}

impl Default for IntOrString {
    fn default() -> Self {
        Self::Int(0)
    }
}

impl JsonSchema for IntOrString {
    fn schema_name() -> Cow<'static, str> {
        "IntOrString".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "x-kubernetes-int-or-string": true, "anyOf": [{ "type": "integer" }, { "type": "string" }] })
    }
}

/// One item of a `withItems` list: any JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Item(pub Value);

/// A bound of a histogram: a JSON number as it was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Amount(pub serde_json::Number);

impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_become_texts_as_in_go() {
        for (json, text) in [
            ("1.10", "1.1"),
            ("1e3", "1000"),
            ("true", "true"),
            ("8", "8"),
            ("-0.5", "-0.5"),
            ("9007199254740993", "9007199254740992"),
            ("12345678901234567890", "12345678901234567000"),
            ("1e23", "100000000000000000000000"),
            ("1e-7", "0.0000001"),
            ("\"1e3\"", "1e3"),
        ] {
            let value: AnyString = serde_json::from_str(json).expect("a scalar");
            assert_eq!(value.as_str(), text, "{json}");
        }
        assert!(serde_json::from_str::<AnyString>("[1]").is_err());
        assert!(serde_json::from_str::<AnyString>("{}").is_err());
    }

    #[test]
    fn both_forms_of_a_number_have_a_text() {
        for json in ["5", "\"5\""] {
            let value: IntOrString = serde_json::from_str(json).expect("an integer or a string");
            assert_eq!(value.as_text(), "5");
            assert_eq!(serde_json::to_string(&value).expect("plain data"), json);
        }
    }
}
