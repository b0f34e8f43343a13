//! Functions of numbers.

use super::{Call, access};
use crate::expr::value::Value;

type Outcome = Result<Value, String>;

/// How deep lists of numbers may nest: `max([[1], [2]])` looks into them.
const NESTING_MAX: usize = 100;

pub(super) fn abs(call: &mut Call<'_, '_>) -> Outcome {
    match call.arg(0) {
        Value::Int(number) => Ok(Value::Int(number.wrapping_abs())),
        Value::Float(number) => Ok(Value::Float(number.abs())),
        _ => Err(call.wrong(0, "a number")),
    }
}

fn float_arg(call: &Call<'_, '_>) -> Result<f64, String> {
    access::float(call.arg(0)).ok_or_else(|| call.wrong(0, "a number"))
}

pub(super) fn ceil(call: &mut Call<'_, '_>) -> Outcome {
    float_arg(call).map(|number| Value::Float(number.ceil()))
}

pub(super) fn floor(call: &mut Call<'_, '_>) -> Outcome {
    float_arg(call).map(|number| Value::Float(number.floor()))
}

pub(super) fn round(call: &mut Call<'_, '_>) -> Outcome {
    float_arg(call).map(|number| Value::Float(number.round()))
}

pub(super) fn int(call: &mut Call<'_, '_>) -> Outcome {
    match call.arg(0) {
        Value::Int(number) | Value::Duration(number) => Ok(Value::Int(*number)),
        Value::Float(number) => Ok(Value::Int(*number as i64)),
        // Go's `Atoi` takes a sign and digits, as Rust does.
        Value::Str(text) => text.parse().map(Value::Int).map_err(|_| format!("`{text}` is not a whole number")),
        _ => Err(call.wrong(0, "a number or a string of one")),
    }
}

pub(super) fn to_float(call: &mut Call<'_, '_>) -> Outcome {
    match call.arg(0) {
        Value::Int(number) => Ok(Value::Float(*number as f64)),
        Value::Float(number) => Ok(Value::Float(*number)),
        Value::Str(text) => text.parse().map(Value::Float).map_err(|_| format!("`{text}` is not a number")),
        _ => Err(call.wrong(0, "a number or a string of one")),
    }
}

/// Returns the numbers among the arguments and in their lists.
fn numbers(call: &mut Call<'_, '_>) -> Result<Vec<Value>, String> {
    let mut found = Vec::new();
    let args = call.args;
    for arg in args {
        collect(call, arg, 0, &mut found)?;
    }
    Ok(found)
}

fn collect(call: &mut Call<'_, '_>, value: &Value, depth: usize, found: &mut Vec<Value>) -> Result<(), String> {
    call.tools.budget.step()?;
    match value {
        Value::Int(_) | Value::Float(_) => found.push(value.clone()),
        Value::List(items) if depth < NESTING_MAX => {
            for item in items.iter() {
                collect(call, item, depth + 1, found)?;
            }
        }
        other => {
            return Err(format!("`{}` takes numbers and lists of them, not a {}", call.name, other.type_name()));
        }
    }
    Ok(())
}

/// Returns the number that `better` prefers to all others; nil of none.
fn best(call: &mut Call<'_, '_>, better: fn(f64, f64) -> bool) -> Outcome {
    let mut best: Option<Value> = None;
    for number in numbers(call)? {
        let wins = |known: &Value| better(access::float(&number).unwrap_or(0.0), access::float(known).unwrap_or(0.0));
        if best.as_ref().is_none_or(wins) {
            best = Some(number);
        }
    }
    Ok(best.unwrap_or_default())
}

pub(super) fn max(call: &mut Call<'_, '_>) -> Outcome {
    best(call, |number, known| number > known)
}

pub(super) fn min(call: &mut Call<'_, '_>) -> Outcome {
    best(call, |number, known| number < known)
}

fn floats(call: &mut Call<'_, '_>) -> Result<Vec<f64>, String> {
    Ok(numbers(call)?.iter().filter_map(access::float).collect())
}

pub(super) fn mean(call: &mut Call<'_, '_>) -> Outcome {
    let numbers = floats(call)?;
    let sum: f64 = numbers.iter().sum();
    Ok(Value::Float(if numbers.is_empty() { 0.0 } else { sum / numbers.len() as f64 }))
}

pub(super) fn median(call: &mut Call<'_, '_>) -> Outcome {
    let mut numbers = floats(call)?;
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    Ok(Value::Float(match numbers.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => numbers[middle],
        _ => (numbers[middle - 1] + numbers[middle]) / 2.0,
    }))
}

/// Returns two arguments that must be ints, not floats.
fn ints(call: &Call<'_, '_>) -> Result<(i64, i64), String> {
    match (call.arg(0), call.arg(1)) {
        (Value::Int(left), Value::Int(right)) => Ok((*left, *right)),
        (Value::Int(_), _) => Err(call.wrong(1, "an int")),
        _ => Err(call.wrong(0, "an int")),
    }
}

pub(super) fn bit_and(call: &mut Call<'_, '_>) -> Outcome {
    ints(call).map(|(left, right)| Value::Int(left & right))
}

pub(super) fn bit_or(call: &mut Call<'_, '_>) -> Outcome {
    ints(call).map(|(left, right)| Value::Int(left | right))
}

pub(super) fn bit_xor(call: &mut Call<'_, '_>) -> Outcome {
    ints(call).map(|(left, right)| Value::Int(left ^ right))
}

pub(super) fn bit_nand(call: &mut Call<'_, '_>) -> Outcome {
    ints(call).map(|(left, right)| Value::Int(left & !right))
}

pub(super) fn bit_not(call: &mut Call<'_, '_>) -> Outcome {
    match call.arg(0) {
        Value::Int(number) => Ok(Value::Int(!number)),
        _ => Err(call.wrong(0, "an int")),
    }
}

/// Returns the bits and by how many they are shifted; 64 or more leave nothing.
fn shift(call: &Call<'_, '_>) -> Result<(i64, u32), String> {
    let (bits, by) = ints(call)?;
    let by = u64::try_from(by).map_err(|_| format!("`{}` takes no negative count", call.name))?;
    Ok((bits, u32::try_from(by).unwrap_or(u32::MAX)))
}

pub(super) fn shift_left(call: &mut Call<'_, '_>) -> Outcome {
    shift(call).map(|(bits, by)| Value::Int(bits.checked_shl(by).unwrap_or(0)))
}

pub(super) fn shift_right(call: &mut Call<'_, '_>) -> Outcome {
    shift(call).map(|(bits, by)| Value::Int(bits >> by.min(63)))
}

pub(super) fn shift_right_unsigned(call: &mut Call<'_, '_>) -> Outcome {
    shift(call).map(|(bits, by)| Value::Int((bits as u64).checked_shr(by).unwrap_or(0) as i64))
}
