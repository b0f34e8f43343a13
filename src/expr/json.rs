//! JSON as Go reads and writes it: sorted keys, numbers without needless fractions, and the
//! characters `<`, `>`, `&` escaped.

use std::fmt::Write as _;

use super::value::{NotJson, Value};

/// How numbers of a document become values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// Without fraction: `Int`, otherwise `Float`.
    ByForm,
    /// All `Float`, as Go's `json.Unmarshal` has it.
    Float,
}

/// Returns the value of a document.
pub fn read(document: &serde_json::Value, numbers: Numbers) -> Value {
    use serde_json::Value as Json;
    match document {
        Json::Null => Value::Nil,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => match number.as_i64() {
            Some(whole) if numbers == Numbers::ByForm => Value::Int(whole),
            _ => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::text(text),
        Json::Array(items) => Value::list(items.iter().map(|item| read(item, numbers)).collect()),
        Json::Object(entries) => Value::map(entries.iter().map(|(name, value)| (name.as_str(), read(value, numbers)))),
    }
}

/// Returns the document of a value; what JSON cannot express is `null`.
pub fn document(value: &Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        Value::Nil | Value::Function(_) | Value::Zone(_) => Json::Null,
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Int(number) | Value::Duration(number) => Json::from(*number),
        Value::Float(number) if number.fract() == 0.0 && number.abs() < 9e15 => Json::from(*number as i64),
        Value::Float(number) => Json::from(*number),
        Value::Str(text) => Json::String(text.to_string()),
        Value::List(items) => Json::Array(items.iter().map(document).collect()),
        Value::Map(entries) => {
            Json::Object(entries.iter().map(|(name, value)| (name.to_string(), document(value))).collect())
        }
        Value::Pairs(entries) => {
            Json::Object(entries.iter().map(|(key, value)| (key.to_string(), document(value))).collect())
        }
        Value::Time(time) => Json::String(rfc3339_nano(time)),
    }
}

/// Returns the compact text of a value.
pub fn write(value: &Value) -> Result<String, NotJson> {
    let mut out = String::new();
    write_into(&mut out, value)?;
    Ok(out)
}

/// Returns the text of a value over several lines, with `indent` for each level.
pub fn write_indented(value: &Value, indent: &str) -> Result<String, NotJson> {
    let mut out = String::new();
    write_lines(&mut out, value, indent, "\n")?;
    Ok(out)
}

fn write_into(out: &mut String, value: &Value) -> Result<(), NotJson> {
    match value {
        Value::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                write_into(out, item)?;
            }
            out.push(']');
            Ok(())
        }
        Value::Map(entries) => {
            out.push('{');
            for (at, (name, value)) in entries.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                quote_into(out, name);
                out.push(':');
                write_into(out, value)?;
            }
            out.push('}');
            Ok(())
        }
        scalar => write_scalar(out, scalar),
    }
}

fn write_lines(out: &mut String, value: &Value, indent: &str, line: &str) -> Result<(), NotJson> {
    let inner = format!("{line}{indent}");
    match value {
        Value::List(items) if !items.is_empty() => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                out.push_str(&inner);
                write_lines(out, item, indent, &inner)?;
            }
            out.push_str(line);
            out.push(']');
            Ok(())
        }
        Value::Map(entries) if !entries.is_empty() => {
            out.push('{');
            for (at, (name, value)) in entries.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                out.push_str(&inner);
                quote_into(out, name);
                out.push_str(": ");
                write_lines(out, value, indent, &inner)?;
            }
            out.push_str(line);
            out.push('}');
            Ok(())
        }
        small => write_into(out, small),
    }
}

fn write_scalar(out: &mut String, value: &Value) -> Result<(), NotJson> {
    match value {
        Value::Nil => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Int(number) | Value::Duration(number) => {
            let _ = write!(out, "{number}");
        }
        Value::Float(number) if number.is_finite() => out.push_str(&float(*number)),
        Value::Float(_) => return Err(NotJson("number that is not finite")),
        Value::Str(text) => quote_into(out, text),
        Value::Time(time) => quote_into(out, &rfc3339_nano(time)),
        Value::Pairs(_) => return Err(NotJson("map whose keys are not only texts")),
        Value::Function(_) => return Err(NotJson("function")),
        Value::Zone(_) => return Err(NotJson("time zone")),
        Value::List(_) | Value::Map(_) => return write_into(out, value),
    }
    Ok(())
}

/// Writes a text in quotes, escaped as `json.Marshal` does.
fn quote_into(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            plain => out.push(plain),
        }
    }
    out.push('"');
}

/// Returns a finite float as Go's JSON writes it: plain digits, or an exponent for what is
/// below 1e-6 or from 1e21 on.
pub fn float(number: f64) -> String {
    let size = number.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        // Rust and Go agree on the shortest digits; Go signs a positive exponent.
        let text = format!("{number:e}");
        match text.split_once('e') {
            Some((digits, exponent)) if !exponent.starts_with('-') => format!("{digits}e+{exponent}"),
            _ => text,
        }
    } else {
        format!("{number}")
    }
}

/// Returns a float as Go's `%v` writes it: the shortest digits, with an exponent of at least two
/// digits below 1e-4 and from 1e6 on.
pub fn float_g(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let power: i32 = exponent.parse().unwrap_or(0);
    if (-4..FLOAT_G_POWER_MAX).contains(&power) {
        return format!("{number}");
    }
    let sign = if power < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", power.abs())
}

/// The power of ten from which `%v` writes an exponent: the shortest form counts as six digits.
const FLOAT_G_POWER_MAX: i32 = 6;

/// Returns an instant as Go's `time.RFC3339Nano`: fractions without trailing zeros, `Z` for UTC.
pub fn rfc3339_nano(time: &jiff::Zoned) -> String {
    let seconds = time.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let nanos = time.subsec_nanosecond();
    let fraction = match nanos {
        0 => String::new(),
        _ => format!(".{nanos:09}").trim_end_matches('0').to_owned(),
    };
    let offset = time.offset().seconds();
    let zone = match offset {
        0 => "Z".to_owned(),
        _ => {
            let sign = if offset < 0 { '-' } else { '+' };
            format!("{sign}{:02}:{:02}", offset.abs() / 3600, offset.abs() / 60 % 60)
        }
    };
    format!("{seconds}{fraction}{zone}")
}

/// Returns a quotient rounded down, within 64 bits.
pub fn floor_div(amount: i128, unit: i128) -> i64 {
    amount.div_euclid(unit).clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

/// Returns the compact text of a value without the escapes that are only there for HTML.
pub fn write_raw(value: &Value) -> Result<String, NotJson> {
    let text = write(value)?;
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escape = rest.get(at..at + 6).unwrap_or_default();
        let (plain, len) = match escape {
            "\\u003c" => ("<", 6),
            "\\u003e" => (">", 6),
            "\\u0026" => ("&", 6),
            // Every other escape is kept with the letter behind its backslash.
            _ => (&rest[at..at + 2], 2),
        };
        out.push_str(plain);
        rest = &rest[at + len..];
    }
    out.push_str(rest);
    Ok(out)
}
