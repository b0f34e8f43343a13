//! `-o`: which form the answer takes.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use super::look::Look;
use super::query::{ColumnsSpec, QueryError, Template};

/// The form of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Human,
    /// For people, with more columns.
    Wide,
    /// For people, with fewer lines.
    Short,
    /// Names, one a line.
    Name,
    /// JSON in Argo's shape.
    Json,
    /// YAML in Argo's shape.
    Yaml,
    /// A template of kubectl's kind.
    JsonPath(Template),
    /// Columns by path.
    Columns(ColumnsSpec),
}

/// The words that `-o` takes, for completion and errors.
pub const FORMATS: &[&str] = &["json", "yaml", "name", "wide", "short", "jsonpath=", "custom-columns="];

/// A form that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// No such form.
    #[error("`{0}` is no output format: use {list}", list = FORMATS.join(", "))]
    Unknown(String),
    /// The template after `=` cannot be read.
    #[error(transparent)]
    Query(#[from] QueryError),
}

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        if let Some(template) = text.strip_prefix("jsonpath=") {
            return Ok(Format::JsonPath(Template::parse(template)?));
        }
        if let Some(columns) = text.strip_prefix("custom-columns=") {
            return Ok(Format::Columns(ColumnsSpec::parse(columns)?));
        }
        match text {
            "wide" => Ok(Format::Wide),
            "short" => Ok(Format::Short),
            "name" => Ok(Format::Name),
            "json" => Ok(Format::Json),
            "yaml" => Ok(Format::Yaml),
            other => Err(FormatError::Unknown(other.to_owned())),
        }
    }
}

impl Format {
    /// Returns whether the answer is for people.
    pub fn is_human(&self) -> bool {
        matches!(self, Format::Human | Format::Wide | Format::Short)
    }
}

/// Returns one object in the form; `None` where the form is for people and the caller draws it.
pub fn object(value: &Value, format: &Format, look: Look) -> Option<String> {
    match format {
        Format::Columns(columns) => Some(columns.render(&[value], look)),
        other => document(value, other),
    }
}

/// Returns several objects in the form, wrapped as kubectl wraps a list; `None` as in [`object`].
pub fn objects(values: Vec<Value>, format: &Format, look: Look) -> Option<String> {
    match format {
        Format::Columns(columns) => Some(columns.render(&values.iter().collect::<Vec<_>>(), look)),
        Format::Name => Some(values.iter().map(|value| name_of(value) + "\n").collect()),
        other => document(&super::argo::list(values), other),
    }
}

fn document(value: &Value, format: &Format) -> Option<String> {
    match format {
        Format::Human | Format::Wide | Format::Short | Format::Columns(_) => None,
        Format::Name => Some(name_of(value) + "\n"),
        Format::Json => Some(format!("{value:#}\n")),
        Format::Yaml => Some(yaml(value)),
        Format::JsonPath(template) => Some(template.render(value)),
    }
}

/// Returns `value` as YAML.
pub fn yaml(value: &Value) -> String {
    serde_yaml::to_string(value).expect("a JSON value has a YAML form")
}

fn name_of(value: &Value) -> String {
    value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned()
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Human => "",
            Format::Wide => "wide",
            Format::Short => "short",
            Format::Name => "name",
            Format::Json => "json",
            Format::Yaml => "yaml",
            Format::JsonPath(_) => "jsonpath=",
            Format::Columns(_) => "custom-columns=",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_take_each_form() {
        let items = vec![json!({"metadata": {"name": "a"}}), json!({"metadata": {"name": "b"}})];
        let form = |text: &str| {
            let format: Format = text.parse().expect("a format");
            objects(items.clone(), &format, Look::PLAIN)
        };
        assert_eq!(form("name").as_deref(), Some("a\nb\n"));
        assert_eq!(form("jsonpath={.items[*].metadata.name}").as_deref(), Some("a b"));
        assert_eq!(form("custom-columns=N:.metadata.name").as_deref(), Some("N\na\nb\n"));
        assert_eq!(form("wide"), None);
        assert!(form("yaml").is_some_and(|text| text.starts_with("apiVersion: v1\nkind: List\nitems:\n- metadata:\n")));
        assert!("table".parse::<Format>().is_err());
    }
}
