//! Members, elements and slices of values, as Go's `runtime.Fetch` and `runtime.Slice`.

use crate::expr::value::Value;

/// Returns a number as a float.
pub fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    }
}

/// Returns a number without its fraction.
pub fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        Value::Float(number) => Some(*number as i64),
        _ => None,
    }
}

/// Returns `object[key]`; nil where a map lacks the key.
pub fn fetch(object: &Value, key: &Value) -> Result<Value, String> {
    match (object, key) {
        (Value::Map(entries), Value::Str(name)) => Ok(entries.get(name).cloned().unwrap_or_default()),
        (Value::Pairs(entries), key) => {
            Ok(entries.iter().find(|(known, _)| known.equals(key)).map_or(Value::Nil, |(_, value)| value.clone()))
        }
        (Value::List(items), Value::Int(_) | Value::Float(_)) => {
            let place = place(key, items.len())?;
            Ok(items[place].clone())
        }
        (Value::Str(text), Value::Int(_) | Value::Float(_)) => {
            let place = place(key, text.len())?;
            Ok(Value::Int(i64::from(text.as_bytes()[place])))
        }
        (Value::Nil, key) => Err(format!("cannot fetch `{key}` from nil")),
        (object, key) => Err(format!("cannot fetch `{key}` from a {}", object.type_name())),
    }
}

/// Returns `object[key]`, nil where there is none.
pub fn get(object: &Value, key: &Value) -> Value {
    fetch(object, key).unwrap_or_default()
}

/// Returns the place that an index means in something of a length; negative ones count from
/// the end.
fn place(index: &Value, len: usize) -> Result<usize, String> {
    let index = whole(index).unwrap_or(i64::MAX);
    let from_start = if index < 0 { index.saturating_add_unsigned(len as u64) } else { index };
    match usize::try_from(from_start) {
        Ok(place) if place < len => Ok(place),
        _ => Err(format!("index out of range: {from_start} (array length is {len})")),
    }
}

/// Returns `object[from:to]`; places beyond the ends are moved to them.
pub fn slice(object: &Value, from: Option<&Value>, to: Option<&Value>) -> Result<Value, String> {
    let len = match object {
        Value::List(items) => items.len(),
        Value::Str(text) => text.len(),
        other => return Err(format!("a {} cannot be sliced", other.type_name())),
    };
    let end = bound(to, len, len)?;
    let start = bound(from, 0, len)?.min(end);
    Ok(match object {
        Value::List(items) => Value::list(items[start..end].to_vec()),
        Value::Str(text) => Value::from(String::from_utf8_lossy(&text.as_bytes()[start..end]).into_owned()),
        _ => Value::Nil,
    })
}

fn bound(index: Option<&Value>, default: usize, len: usize) -> Result<usize, String> {
    let Some(index) = index else { return Ok(default) };
    let number = whole(index).ok_or_else(|| format!("a slice's bound must be an int, not a {}", index.type_name()))?;
    let from_start = if number < 0 { number.saturating_add_unsigned(len as u64) } else { number };
    Ok(usize::try_from(from_start).unwrap_or(0).min(len))
}

/// Returns whether a chain of names leads to a member that is there, be it nil
/// (Argo's `hasVarInEnv`).
pub fn reaches<'n>(value: &Value, names: impl Iterator<Item = &'n str>) -> bool {
    let mut value = value.clone();
    for name in names {
        let inner = match &value {
            Value::Map(entries) => entries.get(name).cloned(),
            _ => None,
        };
        match inner {
            Some(inner) => value = inner,
            None => return false,
        }
    }
    true
}
