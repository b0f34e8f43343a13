//! Sprig's functions of maps. They return new maps where sprig changes the one it is given.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ANY_NUMBER, Call, Function, Outcome};
use crate::expr::value::Value;

type Entries = BTreeMap<Arc<str>, Value>;

/// How deep `merge` looks into maps of maps.
const NESTING_MAX: usize = 100;

pub(super) static TABLE: [Function; 17] = [
    Function::new("deepCopy", 1, 1, "any", |call| Ok(call.arg(0).clone())),
    Function::new("dict", 0, ANY_NUMBER, "map", dict),
    Function::new("dig", 3, ANY_NUMBER, "any", dig),
    Function::new("get", 2, 2, "any", get),
    Function::new("hasKey", 2, 2, "bool", |call| Ok(Value::Bool(call.map(0)?.contains_key(call.text(1)?)))),
    Function::new("keys", 0, ANY_NUMBER, "array", keys),
    Function::new("merge", 1, ANY_NUMBER, "map", |call| merge(call, false)),
    Function::new("mergeOverwrite", 1, ANY_NUMBER, "map", |call| merge(call, true)),
    Function::new("mustDeepCopy", 1, 1, "any", |call| Ok(call.arg(0).clone())),
    Function::new("mustMerge", 1, ANY_NUMBER, "map", |call| merge(call, false)),
    Function::new("mustMergeOverwrite", 1, ANY_NUMBER, "map", |call| merge(call, true)),
    Function::new("omit", 1, ANY_NUMBER, "map", |call| picked(call, false)),
    Function::new("pick", 1, ANY_NUMBER, "map", |call| picked(call, true)),
    Function::new("pluck", 1, ANY_NUMBER, "array", pluck),
    Function::new("set", 3, 3, "map", set),
    Function::new("unset", 2, 2, "map", unset),
    Function::new("values", 1, 1, "array", |call| Ok(Value::list(call.map(0)?.values().cloned().collect()))),
];

fn dict(call: &mut Call<'_, '_>) -> Outcome {
    let pairs = call.args.chunks(2).map(|pair| match pair {
        [key, value] => (key.to_string(), value.clone()),
        rest => (rest[0].to_string(), Value::text("")),
    });
    Ok(Value::map(pairs))
}

/// Follows keys through maps of maps; the argument before the map is the default.
fn dig(call: &mut Call<'_, '_>) -> Outcome {
    let last = call.args.len() - 1;
    let mut here = Value::Map(call.map(last)?.clone());
    for at in 0..last - 1 {
        let Value::Map(entries) = &here else {
            return Err(format!("`dig` finds a {} where a map is expected", here.type_name()));
        };
        match entries.get(call.text(at)?) {
            Some(inner) => here = inner.clone(),
            None => return Ok(call.arg(last - 1).clone()),
        }
    }
    Ok(here)
}

fn get(call: &mut Call<'_, '_>) -> Outcome {
    Ok(call.map(0)?.get(call.text(1)?).cloned().unwrap_or_else(|| Value::text("")))
}

fn keys(call: &mut Call<'_, '_>) -> Outcome {
    let mut all = Vec::new();
    for at in 0..call.args.len() {
        all.extend(call.map(at)?.keys().cloned().map(Value::Str));
    }
    Ok(Value::list(all))
}

fn merge(call: &mut Call<'_, '_>, overwrites: bool) -> Outcome {
    let mut merged: Entries = (**call.map(0)?).clone();
    for at in 1..call.args.len() {
        let source = call.map(at)?;
        merge_into(call, &mut merged, source, overwrites, 0)?;
    }
    Ok(Value::Map(Arc::new(merged)))
}

/// Adds what is missing or empty, or overwrites with what is not; maps in maps are merged.
fn merge_into(
    call: &mut Call<'_, '_>,
    target: &mut Entries,
    source: &Entries,
    overwrites: bool,
    depth: usize,
) -> Result<(), String> {
    call.tools.budget.steps(source.len() as u64 + 1)?;
    for (key, value) in source {
        match (target.get_mut(key), value) {
            (Some(Value::Map(inner)), Value::Map(more)) if depth < NESTING_MAX => {
                merge_into(call, Arc::make_mut(inner), more, overwrites, depth + 1)?;
            }
            (Some(known), value) => {
                let replaces =
                    if overwrites { !super::arguments::is_empty(value) } else { super::arguments::is_empty(known) };
                if replaces {
                    *known = value.clone();
                }
            }
            (None, value) => drop(target.insert(key.clone(), value.clone())),
        }
    }
    Ok(())
}

fn picked(call: &mut Call<'_, '_>, keeps: bool) -> Outcome {
    let entries = call.map(0)?;
    let mut named = Vec::with_capacity(call.args.len() - 1);
    for at in 1..call.args.len() {
        named.push(call.text(at)?);
    }
    let kept = entries.iter().filter(|(key, _)| named.contains(&&***key) == keeps);
    Ok(Value::map(kept.map(|(key, value)| (key.clone(), value.clone()))))
}

fn pluck(call: &mut Call<'_, '_>) -> Outcome {
    let key = call.text(0)?;
    let mut found = Vec::new();
    for at in 1..call.args.len() {
        found.extend(call.map(at)?.get(key).cloned());
    }
    Ok(Value::list(found))
}

fn set(call: &mut Call<'_, '_>) -> Outcome {
    let mut entries: Entries = (**call.map(0)?).clone();
    entries.insert(call.text(1)?.into(), call.arg(2).clone());
    Ok(Value::Map(Arc::new(entries)))
}

fn unset(call: &mut Call<'_, '_>) -> Outcome {
    let mut entries: Entries = (**call.map(0)?).clone();
    entries.remove(call.text(1)?);
    Ok(Value::Map(Arc::new(entries)))
}
