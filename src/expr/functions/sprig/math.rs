//! Sprig's functions of numbers: any argument counts as a number, 0 when it is none.

use super::arguments::{float, whole};
use super::{ANY_NUMBER, Call, Function, Outcome};
use crate::expr::value::Value;

pub(super) static TABLE: [Function; 24] = [
    Function::new("add", 0, ANY_NUMBER, "int", |call| folded(call, 0, i64::wrapping_add)),
    Function::new("add1", 1, 1, "int", |call| Ok(Value::Int(whole(call.arg(0)).wrapping_add(1)))),
    Function::new("add1f", 1, 1, "float", |call| Ok(Value::Float(float(call.arg(0)) + 1.0))),
    Function::new("addf", 0, ANY_NUMBER, "float", |call| Ok(exact(call.args.iter().map(float).sum()))),
    Function::new("atoi", 1, 1, "int", |call| Ok(Value::Int(call.text(0)?.parse().unwrap_or(0)))),
    Function::new("biggest", 1, ANY_NUMBER, "int", |call| folded(call, i64::MIN, i64::max)),
    Function::new("ceil", 1, 1, "float", |call| Ok(Value::Float(float(call.arg(0)).ceil()))),
    Function::new("div", 2, 2, "int", |call| divided(call, i64::wrapping_div)),
    Function::new("divf", 1, ANY_NUMBER, "float", |call| folded_f(call, quotient)),
    Function::new("float64", 1, 1, "float", |call| Ok(Value::Float(float(call.arg(0))))),
    Function::new("floor", 1, 1, "float", |call| Ok(Value::Float(float(call.arg(0)).floor()))),
    Function::new("int", 1, 1, "int", |call| Ok(Value::Int(whole(call.arg(0))))),
    Function::new("int64", 1, 1, "int", |call| Ok(Value::Int(whole(call.arg(0))))),
    Function::new("max", 1, ANY_NUMBER, "int", |call| folded(call, i64::MIN, i64::max)),
    Function::new("maxf", 1, ANY_NUMBER, "float", |call| folded_f(call, f64::max)),
    Function::new("min", 1, ANY_NUMBER, "int", |call| folded(call, i64::MAX, i64::min)),
    Function::new("minf", 1, ANY_NUMBER, "float", |call| folded_f(call, f64::min)),
    Function::new("mod", 2, 2, "int", |call| divided(call, i64::wrapping_rem)),
    Function::new("mul", 1, ANY_NUMBER, "int", |call| folded(call, 1, i64::wrapping_mul)),
    Function::new("mulf", 1, ANY_NUMBER, "float", |call| folded_f(call, |left, right| left * right)),
    Function::new("round", 2, 3, "float", round),
    Function::new("sub", 2, 2, "int", |call| Ok(Value::Int(whole(call.arg(0)).wrapping_sub(whole(call.arg(1)))))),
    Function::new("subf", 1, ANY_NUMBER, "float", |call| folded_f(call, |left, right| left - right)),
    Function::new("toDecimal", 1, 1, "int", |call| {
        Ok(Value::Int(i64::from_str_radix(&call.arg(0).to_string(), 8).unwrap_or(0)))
    }),
];

fn folded(call: &mut Call<'_, '_>, start: i64, step: fn(i64, i64) -> i64) -> Outcome {
    Ok(Value::Int(call.args.iter().map(whole).fold(start, step)))
}

fn folded_f(call: &mut Call<'_, '_>, step: fn(f64, f64) -> f64) -> Outcome {
    let numbers = call.args.iter().map(float);
    Ok(exact(numbers.reduce(step).unwrap_or(0.0)))
}

/// Sprig computes with decimals, where 0.1 + 0.2 is 0.3: a result that is short when rounded to
/// 15 digits is meant to be short.
fn exact(number: f64) -> Value {
    let rounded: f64 = format!("{number:.14e}").parse().unwrap_or(number);
    let is_short = format!("{rounded}").len() + 2 < format!("{number}").len();
    Value::Float(if is_short { rounded } else { number })
}

/// Divides to 16 decimal places, as sprig's decimals do.
fn quotient(left: f64, right: f64) -> f64 {
    format!("{:.16}", left / right).parse().unwrap_or(left / right)
}

fn divided(call: &mut Call<'_, '_>, divide: fn(i64, i64) -> i64) -> Outcome {
    match (whole(call.arg(0)), whole(call.arg(1))) {
        (_, 0) => Err("integer divide by zero".to_owned()),
        (left, right) => Ok(Value::Int(divide(left, right))),
    }
}

/// Rounds to decimal places, upwards from a fraction of .5 or of the third argument.
fn round(call: &mut Call<'_, '_>) -> Outcome {
    let power = 10f64.powf(call.int(1)? as f64);
    let limit = call.args.get(2).map_or(0.5, float);
    let digits = power * float(call.arg(0));
    let rounded = if digits.fract() >= limit { digits.ceil() } else { digits.floor() };
    Ok(Value::Float(rounded / power))
}
