//! Functions of lists and maps.

use std::cmp::Ordering;
use std::sync::Arc;

use super::{Call, access};
use crate::expr::value::Value;

type Outcome = Result<Value, String>;

/// How deep `flatten` looks.
const NESTING_MAX: usize = 100;

pub(super) fn len(call: &mut Call<'_, '_>) -> Outcome {
    let len = match call.arg(0) {
        Value::Str(text) => text.chars().count(),
        Value::List(items) => items.len(),
        Value::Map(entries) => entries.len(),
        Value::Pairs(entries) => entries.len(),
        _ => return Err(call.wrong(0, "a string, an array or a map")),
    };
    Ok(Value::Int(len as i64))
}

pub(super) fn first(call: &mut Call<'_, '_>) -> Outcome {
    Ok(access::get(call.arg(0), &Value::Int(0)))
}

pub(super) fn last(call: &mut Call<'_, '_>) -> Outcome {
    Ok(access::get(call.arg(0), &Value::Int(-1)))
}

pub(super) fn get(call: &mut Call<'_, '_>) -> Outcome {
    Ok(access::get(call.arg(0), call.arg(1)))
}

pub(super) fn take(call: &mut Call<'_, '_>) -> Outcome {
    let items = call.list(0)?;
    let count = usize::try_from(call.int(1)?).map_err(|_| "`take` takes no negative count".to_owned())?;
    Ok(Value::list(items[..count.min(items.len())].to_vec()))
}

/// Returns the entries of a map of either kind.
fn entries(call: &Call<'_, '_>) -> Result<Vec<(Value, Value)>, String> {
    match call.arg(0) {
        Value::Map(entries) => {
            Ok(entries.iter().map(|(key, value)| (Value::Str(key.clone()), value.clone())).collect())
        }
        Value::Pairs(entries) => Ok(entries.to_vec()),
        _ => Err(call.wrong(0, "a map")),
    }
}

pub(super) fn keys(call: &mut Call<'_, '_>) -> Outcome {
    Ok(Value::list(entries(call)?.into_iter().map(|(key, _)| key).collect()))
}

pub(super) fn values(call: &mut Call<'_, '_>) -> Outcome {
    Ok(Value::list(entries(call)?.into_iter().map(|(_, value)| value).collect()))
}

pub(super) fn to_pairs(call: &mut Call<'_, '_>) -> Outcome {
    Ok(Value::list(entries(call)?.into_iter().map(|(key, value)| Value::list(vec![key, value])).collect()))
}

pub(super) fn from_pairs(call: &mut Call<'_, '_>) -> Outcome {
    let mut pairs: Vec<(Value, Value)> = Vec::new();
    for pair in call.list(0)?.iter() {
        let Value::List(both) = pair else { return Err("`fromPairs` takes pairs".to_owned()) };
        let [key, value] = &both[..] else { return Err("`fromPairs` takes pairs of two".to_owned()) };
        call.tools.compare(key, pairs.len())?;
        match pairs.iter_mut().find(|(known, _)| known.equals(key)) {
            Some(known) => known.1 = value.clone(),
            None => pairs.push((key.clone(), value.clone())),
        }
    }
    Ok(Value::Pairs(Arc::new(pairs)))
}

pub(super) fn reverse(call: &mut Call<'_, '_>) -> Outcome {
    Ok(Value::list(call.list(0)?.iter().rev().cloned().collect()))
}

pub(super) fn uniq(call: &mut Call<'_, '_>) -> Outcome {
    let mut kept: Vec<Value> = Vec::new();
    for item in call.list(0)?.iter() {
        call.tools.compare(item, kept.len())?;
        if !kept.iter().any(|known| known.equals(item)) {
            kept.push(item.clone());
        }
    }
    Ok(Value::list(kept))
}

pub(super) fn concat(call: &mut Call<'_, '_>) -> Outcome {
    let mut all = Vec::new();
    for at in 0..call.args.len() {
        let items = call.list(at)?;
        call.will_make(items.len() * std::mem::size_of::<Value>())?;
        all.extend(items.iter().cloned());
    }
    Ok(Value::list(all))
}

pub(super) fn flatten(call: &mut Call<'_, '_>) -> Outcome {
    let mut flat = Vec::new();
    let items = call.list(0)?;
    flatten_into(call, items, 0, &mut flat)?;
    Ok(Value::list(flat))
}

fn flatten_into(call: &mut Call<'_, '_>, items: &[Value], depth: usize, flat: &mut Vec<Value>) -> Result<(), String> {
    if depth > NESTING_MAX {
        return Err(format!("`flatten` looks no deeper than {NESTING_MAX} lists"));
    }
    call.tools.budget.steps(items.len() as u64 + 1)?;
    for item in items {
        match item {
            Value::List(inner) => flatten_into(call, inner, depth + 1, flat)?,
            other => {
                call.will_make(std::mem::size_of::<Value>())?;
                flat.push(other.clone());
            }
        }
    }
    Ok(())
}

pub(super) fn sort(call: &mut Call<'_, '_>) -> Outcome {
    let mut keyed: Vec<(Value, Value)> = call.list(0)?.iter().map(|item| (item.clone(), Value::Nil)).collect();
    sort_by_key(&mut keyed, call.args.get(1))?;
    Ok(Value::list(keyed.into_iter().map(|(item, _)| item).collect()))
}

/// Sorts by the first of each pair, in the order `asc` (the default) or `desc`. Equals keep
/// their order.
pub fn sort_by_key(keyed: &mut [(Value, Value)], order: Option<&Value>) -> Result<(), String> {
    let descending = match order.map(Value::as_str) {
        None | Some(Some("asc")) => false,
        Some(Some("desc")) => true,
        Some(Some(other)) => return Err(format!("invalid order `{other}`: `asc` or `desc`")),
        Some(None) => return Err("the order must be a string, `asc` or `desc`".to_owned()),
    };
    if let [(first, _), rest @ ..] = &keyed[..] {
        let odd = rest.iter().find(|(key, _)| order_of(first, key).is_none());
        if let Some((key, _)) = odd {
            return Err(format!("cannot sort a {} with a {}", first.type_name(), key.type_name()));
        }
    }
    keyed.sort_by(|(left, _), (right, _)| {
        let order = order_of(left, right).unwrap_or(Ordering::Equal);
        if descending { order.reverse() } else { order }
    });
    Ok(())
}

/// Returns how two values compare, in a total order of each kind; none across kinds.
fn order_of(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) | (Value::Duration(left), Value::Duration(right)) => {
            Some(left.cmp(right))
        }
        (Value::Str(left), Value::Str(right)) => Some(left.cmp(right)),
        (Value::Time(left), Value::Time(right)) => Some(left.timestamp().cmp(&right.timestamp())),
        _ => Some(access::float(left)?.total_cmp(&access::float(right)?)),
    }
}
