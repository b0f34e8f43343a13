//! What the operators do, as Go's `vm/runtime` does it.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::expr::functions::{Tools, access, dates};
use crate::expr::lang::ast::{BinaryOp, UnaryOp};
use crate::expr::value::Value;

/// Memory that a value takes in a list.
const VALUE_BYTES: usize = std::mem::size_of::<Value>();

pub(super) fn unary(operator: UnaryOp, value: Value) -> Result<Value, String> {
    match (operator, value) {
        (UnaryOp::Not, Value::Bool(truth)) => Ok(Value::Bool(!truth)),
        (UnaryOp::Negate, Value::Int(number)) => Ok(Value::Int(number.wrapping_neg())),
        (UnaryOp::Negate, Value::Float(number)) => Ok(Value::Float(-number)),
        (UnaryOp::Plus, value @ (Value::Int(_) | Value::Float(_))) => Ok(value),
        (operator, value) => Err(format!("`{}` cannot be used with `{}`", operator.sign(), value.type_name())),
    }
}

/// Applies any operator but the lazy ones.
pub(super) fn binary(operator: BinaryOp, left: &Value, right: &Value, tools: &mut Tools<'_>) -> Result<Value, String> {
    use BinaryOp::*;
    match operator {
        Equal | NotEqual => {
            tools.compare(left, 1)?;
            Ok(Value::Bool(left.equals(right) == (operator == Equal)))
        }
        Less => ordered(operator, left, right, Ordering::is_lt),
        LessOrEqual => ordered(operator, left, right, Ordering::is_le),
        More => ordered(operator, left, right, Ordering::is_gt),
        MoreOrEqual => ordered(operator, left, right, Ordering::is_ge),
        In => contained(left, right, tools),
        Matches => texts(operator, left, right, |text, pattern| Ok(tools.regex(pattern)?.is_match(text))),
        Contains => texts(operator, left, right, |text, part| Ok(text.contains(part))),
        StartsWith => texts(operator, left, right, |text, part| Ok(text.starts_with(part))),
        EndsWith => texts(operator, left, right, |text, part| Ok(text.ends_with(part))),
        Range => range(left, right, tools),
        Add => add(left, right, tools),
        Subtract => subtract(left, right),
        Multiply => multiply(left, right),
        Divide => floats(operator, left, right).map(|(left, right)| Value::Float(left / right)),
        Power => floats(operator, left, right).map(|(left, right)| Value::Float(left.powf(right))),
        Modulo => modulo(left, right),
        And | Or | Coalesce => Err(mismatch(operator, left, right)),
    }
}

fn mismatch(operator: BinaryOp, left: &Value, right: &Value) -> String {
    format!("`{}` cannot be used with `{}` and `{}`", operator.sign(), left.type_name(), right.type_name())
}

/// Returns both operands as floats.
fn floats(operator: BinaryOp, left: &Value, right: &Value) -> Result<(f64, f64), String> {
    match (access::float(left), access::float(right)) {
        (Some(left), Some(right)) => Ok((left, right)),
        _ => Err(mismatch(operator, left, right)),
    }
}

/// Returns how two values compare; none for those that do not, and for `NaN`.
pub(in crate::expr) fn compare(left: &Value, right: &Value) -> Result<Option<Ordering>, ()> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) | (Value::Duration(left), Value::Duration(right)) => {
            Ok(Some(left.cmp(right)))
        }
        (Value::Str(left), Value::Str(right)) => Ok(Some(left.cmp(right))),
        (Value::Time(left), Value::Time(right)) => Ok(Some(left.timestamp().cmp(&right.timestamp()))),
        _ => match (access::float(left), access::float(right)) {
            (Some(left), Some(right)) => Ok(left.partial_cmp(&right)),
            _ => Err(()),
        },
    }
}

fn ordered(operator: BinaryOp, left: &Value, right: &Value, holds: fn(Ordering) -> bool) -> Result<Value, String> {
    let order = compare(left, right).map_err(|()| mismatch(operator, left, right))?;
    Ok(Value::Bool(order.is_some_and(holds)))
}

fn contained(item: &Value, within: &Value, tools: &mut Tools<'_>) -> Result<Value, String> {
    match within {
        Value::Nil => Ok(Value::Bool(false)),
        Value::List(items) => {
            tools.compare(item, items.len())?;
            Ok(Value::Bool(items.iter().any(|each| each.equals(item))))
        }
        Value::Map(entries) => match item {
            Value::Str(key) => Ok(Value::Bool(entries.contains_key(key))),
            _ => Err(mismatch(BinaryOp::In, item, within)),
        },
        Value::Pairs(entries) => Ok(Value::Bool(entries.iter().any(|(key, _)| key.equals(item)))),
        _ => Err(mismatch(BinaryOp::In, item, within)),
    }
}

/// Applies a test to two texts; where one is nil, it fails.
fn texts(
    operator: BinaryOp,
    left: &Value,
    right: &Value,
    test: impl FnOnce(&str, &str) -> Result<bool, String>,
) -> Result<Value, String> {
    match (left, right) {
        (Value::Nil, _) | (_, Value::Nil) => Ok(Value::Bool(false)),
        (Value::Str(text), Value::Str(other)) => test(text, other).map(Value::Bool),
        _ => Err(mismatch(operator, left, right)),
    }
}

fn range(left: &Value, right: &Value, tools: &mut Tools<'_>) -> Result<Value, String> {
    let (Some(first), Some(last)) = (access::whole(left), access::whole(right)) else {
        return Err(mismatch(BinaryOp::Range, left, right));
    };
    let count = usize::try_from(i128::from(last) - i128::from(first) + 1).unwrap_or(0);
    tools.budget.bytes(count.saturating_mul(VALUE_BYTES))?;
    Ok(Value::list((first..=last).take(count).map(Value::Int).collect()))
}

fn add(left: &Value, right: &Value, tools: &mut Tools<'_>) -> Result<Value, String> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Ok(Value::Int(left.wrapping_add(*right))),
        (Value::Str(left), Value::Str(right)) => {
            tools.budget.bytes(left.len() + right.len())?;
            Ok(Value::Str(Arc::from(format!("{left}{right}"))))
        }
        (Value::Time(time), Value::Duration(nanos)) | (Value::Duration(nanos), Value::Time(time)) => {
            dates::plus(time, *nanos)
        }
        (Value::Duration(left), Value::Duration(right)) => Ok(Value::Duration(left.wrapping_add(*right))),
        _ => floats(BinaryOp::Add, left, right).map(|(left, right)| Value::Float(left + right)),
    }
}

fn subtract(left: &Value, right: &Value) -> Result<Value, String> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Ok(Value::Int(left.wrapping_sub(*right))),
        (Value::Time(left), Value::Time(right)) => Ok(Value::Duration(dates::between(right, left))),
        (Value::Time(time), Value::Duration(nanos)) => dates::plus(time, nanos.wrapping_neg()),
        (Value::Duration(left), Value::Duration(right)) => Ok(Value::Duration(left.wrapping_sub(*right))),
        _ => floats(BinaryOp::Subtract, left, right).map(|(left, right)| Value::Float(left - right)),
    }
}

fn multiply(left: &Value, right: &Value) -> Result<Value, String> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Ok(Value::Int(left.wrapping_mul(*right))),
        (Value::Duration(left), Value::Int(right) | Value::Duration(right))
        | (Value::Int(left), Value::Duration(right)) => Ok(Value::Duration(left.wrapping_mul(*right))),
        (Value::Duration(nanos), Value::Float(factor)) | (Value::Float(factor), Value::Duration(nanos)) => {
            Ok(Value::Float(*nanos as f64 * factor))
        }
        _ => floats(BinaryOp::Multiply, left, right).map(|(left, right)| Value::Float(left * right)),
    }
}

fn modulo(left: &Value, right: &Value) -> Result<Value, String> {
    match (left, right) {
        (Value::Int(_), Value::Int(0)) => Err("integer divide by zero".to_owned()),
        (Value::Int(left), Value::Int(right)) => Ok(Value::Int(left.wrapping_rem(*right))),
        _ => Err(mismatch(BinaryOp::Modulo, left, right)),
    }
}
