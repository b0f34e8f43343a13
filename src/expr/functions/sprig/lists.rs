//! Sprig's functions of lists.

use super::arguments::{is_empty, texts, whole};
use super::{ANY_NUMBER, Call, Function, Outcome};
use crate::expr::functions::strings::texts as list_of;
use crate::expr::value::Value;

pub(super) static TABLE: [Function; 36] = [
    Function::new("append", 2, 2, "array", push),
    Function::new("chunk", 2, 2, "array", chunk),
    Function::new("compact", 1, 1, "array", compact),
    Function::new("concat", 0, ANY_NUMBER, "array", concat),
    Function::new("first", 1, 1, "any", |call| Ok(call.list(0)?.first().cloned().unwrap_or_default())),
    Function::new("has", 2, 2, "bool", has),
    Function::new("initial", 1, 1, "array", initial),
    Function::new("last", 1, 1, "any", |call| Ok(call.list(0)?.last().cloned().unwrap_or_default())),
    Function::new("list", 0, ANY_NUMBER, "array", |call| Ok(Value::list(call.args.to_vec()))),
    Function::new("mustAppend", 2, 2, "array", push),
    Function::new("mustChunk", 2, 2, "array", chunk),
    Function::new("mustCompact", 1, 1, "array", compact),
    Function::new("mustFirst", 1, 1, "any", |call| Ok(call.list(0)?.first().cloned().unwrap_or_default())),
    Function::new("mustHas", 2, 2, "bool", has),
    Function::new("mustInitial", 1, 1, "array", initial),
    Function::new("mustLast", 1, 1, "any", |call| Ok(call.list(0)?.last().cloned().unwrap_or_default())),
    Function::new("mustPrepend", 2, 2, "array", prepend),
    Function::new("mustPush", 2, 2, "array", push),
    Function::new("mustRest", 1, 1, "array", rest),
    Function::new("mustReverse", 1, 1, "array", reverse),
    Function::new("mustSlice", 1, 3, "array", slice),
    Function::new("mustUniq", 1, 1, "array", uniq),
    Function::new("mustWithout", 1, ANY_NUMBER, "array", without),
    Function::new("prepend", 2, 2, "array", prepend),
    Function::new("push", 2, 2, "array", push),
    Function::new("rest", 1, 1, "array", rest),
    Function::new("reverse", 1, 1, "array", reverse),
    Function::new("seq", 0, 3, "string", seq),
    Function::new("slice", 1, 3, "array", slice),
    Function::new("sortAlpha", 1, 1, "array", sort_alpha),
    Function::new("tuple", 0, ANY_NUMBER, "array", |call| Ok(Value::list(call.args.to_vec()))),
    Function::new("uniq", 1, 1, "array", uniq),
    Function::new("until", 1, 1, "array", until),
    Function::new("untilStep", 3, 3, "array", until_step),
    Function::new("without", 1, ANY_NUMBER, "array", without),
    Function::new("shuffle", 1, 1, "string", shuffle),
];

fn push(call: &mut Call<'_, '_>) -> Outcome {
    Ok(Value::list(call.list(0)?.iter().chain([call.arg(1)]).cloned().collect()))
}

fn prepend(call: &mut Call<'_, '_>) -> Outcome {
    let items = call.list(0)?;
    Ok(Value::list([call.arg(1)].into_iter().chain(items.iter()).cloned().collect()))
}

fn chunk(call: &mut Call<'_, '_>) -> Outcome {
    let size = usize::try_from(call.int(0)?).unwrap_or(0);
    if size == 0 {
        return Err("`chunk` takes a size above zero".to_owned());
    }
    Ok(Value::list(call.list(1)?.chunks(size).map(|part| Value::list(part.to_vec())).collect()))
}

fn compact(call: &mut Call<'_, '_>) -> Outcome {
    Ok(Value::list(call.list(0)?.iter().filter(|item| !is_empty(item)).cloned().collect()))
}

fn concat(call: &mut Call<'_, '_>) -> Outcome {
    if call.args.is_empty() {
        return Ok(Value::Nil);
    }
    let mut all = Vec::new();
    for at in 0..call.args.len() {
        let items = call.list(at)?;
        call.will_make(std::mem::size_of_val(&items[..]))?;
        all.extend(items.iter().cloned());
    }
    Ok(Value::list(all))
}

fn has(call: &mut Call<'_, '_>) -> Outcome {
    if call.arg(1).is_nil() {
        return Ok(Value::Bool(false));
    }
    let items = call.list(1)?;
    call.tools.compare(call.arg(0), items.len())?;
    Ok(Value::Bool(items.iter().any(|item| item.equals(call.arg(0)))))
}

fn initial(call: &mut Call<'_, '_>) -> Outcome {
    let items = call.list(0)?;
    Ok(Value::list(items[..items.len().saturating_sub(1)].to_vec()))
}

fn rest(call: &mut Call<'_, '_>) -> Outcome {
    Ok(Value::list(call.list(0)?.iter().skip(1).cloned().collect()))
}

fn reverse(call: &mut Call<'_, '_>) -> Outcome {
    Ok(Value::list(call.list(0)?.iter().rev().cloned().collect()))
}

fn slice(call: &mut Call<'_, '_>) -> Outcome {
    let items = call.list(0)?;
    let from = call.args.get(1).map_or(0, whole);
    let to = call.args.get(2).map_or(items.len() as i64, whole);
    let range = usize::try_from(from).ok().zip(usize::try_from(to).ok());
    let part = range.and_then(|(from, to)| items.get(from..to));
    part.map(|part| Value::list(part.to_vec()))
        .ok_or_else(|| format!("`slice` from {from} to {to} is outside of a list of {}", items.len()))
}

fn uniq(call: &mut Call<'_, '_>) -> Outcome {
    let mut kept: Vec<Value> = Vec::new();
    for item in call.list(0)?.iter() {
        call.tools.compare(item, kept.len())?;
        if !kept.iter().any(|known| known.equals(item)) {
            kept.push(item.clone());
        }
    }
    Ok(Value::list(kept))
}

fn without(call: &mut Call<'_, '_>) -> Outcome {
    let items = call.list(0)?;
    let omitted = &call.args[1..];
    call.tools.budget.steps((items.len() as u64).saturating_mul(omitted.len() as u64))?;
    let kept = items.iter().filter(|item| !omitted.iter().any(|omit| omit.equals(item)));
    Ok(Value::list(kept.cloned().collect()))
}

fn sort_alpha(call: &mut Call<'_, '_>) -> Outcome {
    let mut sorted = texts(call.arg(0));
    sorted.sort();
    Ok(list_of(sorted))
}

/// Counts from `start` to before `stop`; what would never end is empty.
fn counted(call: &mut Call<'_, '_>, start: i64, stop: i64, step: i64) -> Result<Vec<Value>, String> {
    if step == 0 || (stop < start) != (step < 0) {
        return Ok(Vec::new());
    }
    let distance = (i128::from(stop) - i128::from(start)).unsigned_abs();
    let count = distance.div_ceil(u128::from(step.unsigned_abs()));
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    call.will_make(count.saturating_mul(std::mem::size_of::<Value>()))?;
    Ok((0..count as i64).map(|at| Value::Int(start + at * step)).collect())
}

fn until(call: &mut Call<'_, '_>) -> Outcome {
    let count = call.int(0)?;
    counted(call, 0, count, if count < 0 { -1 } else { 1 }).map(Value::list)
}

fn until_step(call: &mut Call<'_, '_>) -> Outcome {
    let (start, stop, step) = (call.int(0)?, call.int(1)?, call.int(2)?);
    counted(call, start, stop, step).map(Value::list)
}

/// As the shell's `seq`: `seq end`, `seq start end`, `seq start step end`.
fn seq(call: &mut Call<'_, '_>) -> Outcome {
    let (start, step, end) = match call.args.len() {
        0 => return Ok(Value::text("")),
        1 => (1, None, call.int(0)?),
        2 => (call.int(0)?, None, call.int(1)?),
        _ => (call.int(0)?, Some(call.int(1)?), call.int(2)?),
    };
    let toward = if end < start { -1 } else { 1 };
    let numbers = counted(call, start, end.saturating_add(toward), step.unwrap_or(toward))?;
    let numbers: Vec<String> = numbers.iter().map(Value::to_string).collect();
    Ok(Value::from(numbers.join(" ")))
}

fn shuffle(call: &mut Call<'_, '_>) -> Outcome {
    let mut chars: Vec<char> = call.text(0)?.chars().collect();
    for at in (1..chars.len()).rev() {
        chars.swap(at, call.tools.chance.below(at as u64 + 1) as usize);
    }
    Ok(Value::from(chars.into_iter().collect::<String>()))
}
