//! How sprig takes arguments loosely: numbers out of anything, texts out of anything, and
//! what counts as empty.

use crate::expr::functions::access;
use crate::expr::value::Value;

/// Returns a whole number out of anything, 0 where there is none (`cast.ToInt64`).
pub(super) fn whole(value: &Value) -> i64 {
    match value {
        Value::Bool(truth) => i64::from(*truth),
        Value::Duration(nanos) => *nanos,
        Value::Str(text) => whole_of_text(text),
        other => access::whole(other).unwrap_or(0),
    }
}

/// Reads Go's notation of integers: a prefix names the base, a leading zero is octal.
fn whole_of_text(text: &str) -> i64 {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let parsed = match digits.get(..2) {
        Some("0x" | "0X") => i64::from_str_radix(&digits[2..], 16),
        Some("0o" | "0O") => i64::from_str_radix(&digits[2..], 8),
        Some("0b" | "0B") => i64::from_str_radix(&digits[2..], 2),
        Some(_) if digits.starts_with('0') && !digits.contains('.') => i64::from_str_radix(digits, 8),
        _ => without_fraction(digits).parse(),
    };
    parsed.map_or(0, |number: i64| number.wrapping_mul(sign))
}

/// Drops a fraction of zeros: `1.00` counts as 1.
fn without_fraction(digits: &str) -> &str {
    match digits.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|b| b == b'0') => whole,
        _ => digits,
    }
}

/// Returns a float out of anything, 0 where there is none (`cast.ToFloat64`).
pub(super) fn float(value: &Value) -> f64 {
    match value {
        Value::Bool(truth) => f64::from(u8::from(*truth)),
        Value::Str(text) => text.parse().unwrap_or(0.0),
        Value::Duration(nanos) => *nanos as f64,
        other => access::float(other).unwrap_or(0.0),
    }
}

/// Returns whether a value is the zero of its type (sprig's `empty`).
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Nil => true,
        Value::Bool(truth) => !truth,
        Value::Int(number) | Value::Duration(number) => *number == 0,
        Value::Float(number) => *number == 0.0,
        Value::Str(text) => text.is_empty(),
        Value::List(items) => items.is_empty(),
        Value::Map(entries) => entries.is_empty(),
        Value::Pairs(entries) => entries.is_empty(),
        Value::Time(_) | Value::Zone(_) | Value::Function(_) => false,
    }
}

/// Returns the texts of a list without its nils; of anything else, its own text (`strslice`).
pub(super) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::List(items) => items.iter().filter(|item| !item.is_nil()).map(Value::to_string).collect(),
        Value::Nil => Vec::new(),
        other => vec![other.to_string()],
    }
}
