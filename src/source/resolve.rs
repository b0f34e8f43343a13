//! What a scalar means: YAML 1.1 as go-yaml v2 reads it, which is what Argo uses.
//!
//! Source: `resolve` of `go.yaml.in/yaml/v2`, and `convertToJSONableObject` of `sigs.k8s.io/yaml`.

use base64::Engine as _;

use super::tree::Value;

/// The tag of a scalar, by what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    /// Plain text without a tag: its form decides.
    Implicit,
    /// Quoted, or `!!str`, or a tag that means nothing here.
    Str,
    /// `!!binary`.
    Binary,
    /// One of the types that a plain text can have.
    Typed(Type),
}

/// The types that a plain text can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Null,
    Bool,
    Int,
    Float,
    Timestamp,
    Str,
}

impl Tag {
    /// Returns the tag of this name within `tag:yaml.org,2002:`.
    pub(super) fn from_core_name(name: &str) -> Self {
        match name {
            "null" => Self::Typed(Type::Null),
            "bool" => Self::Typed(Type::Bool),
            "int" => Self::Typed(Type::Int),
            "float" => Self::Typed(Type::Float),
            "timestamp" => Self::Typed(Type::Timestamp),
            "binary" => Self::Binary,
            _ => Self::Str,
        }
    }
}

/// Returns the value of a scalar, or what is wrong with it.
pub(super) fn scalar(text: &str, tag: Tag) -> Result<Value, String> {
    match tag {
        Tag::Str => Ok(Value::Str(text.into())),
        Tag::Implicit => finite(plain(text).1, text),
        Tag::Binary => binary(text),
        Tag::Typed(wanted) => match (wanted, plain(text)) {
            (Type::Float, (Type::Int, Value::Int(value))) => Ok(Value::Float(value as f64)),
            (Type::Timestamp, (Type::Str, value)) if text.as_bytes().get(4) == Some(&b'-') => Ok(value),
            (_, (found, value)) if found == wanted => finite(value, text),
            _ => Err(format!("`{text}` is not {}", wanted.name())),
        },
    }
}

/// Returns the text of a key, as JSON has it; none of null.
pub(super) fn key(value: Value) -> Option<Box<str>> {
    match value {
        Value::Str(text) => Some(text),
        Value::Bool(value) => Some(value.to_string().into()),
        Value::Int(value) => Some(value.to_string().into()),
        Value::UInt(value) => Some(value.to_string().into()),
        Value::Float(value) => Some(float_key(value as f32).into()),
        Value::Null | Value::Seq(_) | Value::Map(_) => None,
    }
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Int => "an integer",
            Self::Float => "a number",
            Self::Timestamp => "a date",
            Self::Str => "a string",
        }
    }
}

/// JSON has no infinities and no not-a-number.
fn finite(value: Value, text: &str) -> Result<Value, String> {
    match value {
        Value::Float(number) if !number.is_finite() => Err(format!("`{text}` is a number that JSON cannot hold")),
        value => Ok(value),
    }
}

fn plain(text: &str) -> (Type, Value) {
    word(text).or_else(|| number(text)).unwrap_or_else(|| (Type::Str, Value::Str(text.into())))
}

fn word(text: &str) -> Option<(Type, Value)> {
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            (Type::Bool, Value::Bool(true))
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            (Type::Bool, Value::Bool(false))
        }
        "" | "~" | "null" | "Null" | "NULL" => (Type::Null, Value::Null),
        ".nan" | ".NaN" | ".NAN" => (Type::Float, Value::Float(f64::NAN)),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => (Type::Float, Value::Float(f64::INFINITY)),
        "-.inf" | "-.Inf" | "-.INF" => (Type::Float, Value::Float(f64::NEG_INFINITY)),
        _ => return None,
    })
}

/// Numbers may have underscores, except those that start with the point.
fn number(text: &str) -> Option<(Type, Value)> {
    match text.as_bytes().first()? {
        b'.' => float(text).map(|value| (Type::Float, Value::Float(value))),
        b'0'..=b'9' | b'+' | b'-' => {
            let digits = text.replace('_', "");
            integer(&digits)
                .map(|value| (Type::Int, value))
                .or_else(|| float(&digits).map(|value| (Type::Float, Value::Float(value))))
        }
        _ => None,
    }
}

/// Go's `strconv.ParseInt` and `ParseUint` with base 0: `0x`, `0o`, `0b`, and octal by a leading zero.
fn integer(text: &str) -> Option<Value> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    // Rust's parser would take a second sign.
    if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    match (negative, i64::try_from(magnitude)) {
        (false, Ok(value)) => Some(Value::Int(value)),
        // A sign makes Go's unsigned parser refuse.
        (false, Err(_)) if !text.starts_with('+') => Some(Value::UInt(magnitude)),
        (true, Ok(value)) => Some(Value::Int(-value)),
        (true, Err(_)) if magnitude == i64::MIN.unsigned_abs() => Some(Value::Int(i64::MIN)),
        _ => None,
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?` within the range of a double.
fn float(text: &str) -> Option<f64> {
    let shape = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    text.parse().ok().filter(|value: &f64| shape && value.is_finite())
}

fn binary(text: &str) -> Result<Value, String> {
    let digits: String = text.split_ascii_whitespace().collect();
    match base64::engine::general_purpose::STANDARD.decode(digits) {
        Ok(bytes) => Ok(Value::Str(String::from_utf8_lossy(&bytes).into())),
        Err(_) => Err("`!!binary` is given something that is not base64".to_owned()),
    }
}

/// Go's `strconv.FormatFloat(v, 'g', -1, 32)`.
fn float_key(value: f32) -> String {
    if value == 0.0 || (1e-4..1e6).contains(&value.abs()) {
        return value.to_string();
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What go-yaml makes of these; the common cases are in the conformance table.
    #[test]
    fn scalars_mean_what_they_mean_in_go() {
        for (text, value) in [
            ("-0b1", Value::Int(-1)),
            ("-0x1F", Value::Int(-31)),
            ("-0o10", Value::Int(-8)),
            ("+5", Value::Int(5)),
            ("+.5", Value::Float(0.5)),
            ("1.e3", Value::Float(1000.0)),
            ("0x_1F", Value::Int(31)),
            ("1_", Value::Int(1)),
            ("9223372036854775808", Value::UInt(9223372036854775808)),
            ("-9223372036854775808", Value::Int(i64::MIN)),
            ("-9223372036854775809", Value::Float(-9223372036854775808.0)),
            ("018446744073709551616", Value::Float(18446744073709551616.0)),
            ("1e-400", Value::Float(0.0)),
            ("0_8", Value::Float(8.0)),
            ("12e03", Value::Float(12000.0)),
            ("00", Value::Int(0)),
        ] {
            assert_eq!(scalar(text, Tag::Implicit), Ok(value), "{text}");
        }
        for text in
            ["0b12", "_1", "1e", "e3", "infinity", "NaN", "inf", "0o8", "0b", "0x1p4", "--1", "+-1", ".", "-", "."]
        {
            assert_eq!(scalar(text, Tag::Implicit), Ok(Value::Str(text.into())), "{text}");
        }
    }

    #[test]
    fn tags_decide_before_the_form() {
        let int = Tag::from_core_name("int");
        let float = Tag::from_core_name("float");
        assert_eq!(scalar("5", int), Ok(Value::Int(5)));
        assert_eq!(scalar("5", float), Ok(Value::Float(5.0)));
        assert_eq!(scalar("yes", Tag::Str), Ok(Value::Str("yes".into())));
        assert_eq!(scalar("2001-01-01", Tag::from_core_name("timestamp")), Ok(Value::Str("2001-01-01".into())));
        assert_eq!(scalar("aGVs\n bG8=", Tag::Binary), Ok(Value::Str("hello".into())));
        assert!(scalar("abc", int).is_err());
        assert!(scalar("x", Tag::from_core_name("null")).is_err());
        assert!(scalar("?", Tag::Binary).is_err());
    }

    #[test]
    fn keys_become_texts() {
        for (value, text) in [
            (Value::Float(0.5), "0.5"),
            (Value::Float(1000.0), "1000"),
            (Value::Float(1e6), "1e+06"),
            (Value::Float(1.5e-7), "1.5e-07"),
            (Value::Bool(true), "true"),
        ] {
            assert_eq!(key(value).as_deref(), Some(text));
        }
        assert_eq!(key(Value::Null), None);
    }
}
