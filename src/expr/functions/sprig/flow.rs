//! Sprig's defaults, choices and questions about types.

use super::arguments::is_empty;
use super::{ANY_NUMBER, Call, Function, Outcome};
use crate::expr::value::Value;

pub(super) static TABLE: [Function; 13] = [
    Function::new("all", 0, ANY_NUMBER, "bool", |call| Ok(Value::Bool(!call.args.iter().any(is_empty)))),
    Function::new("any", 0, ANY_NUMBER, "bool", |call| Ok(Value::Bool(!call.args.iter().all(is_empty)))),
    Function::new("coalesce", 0, ANY_NUMBER, "any", coalesce),
    Function::new("deepEqual", 2, 2, "bool", |call| Ok(Value::Bool(call.arg(0).is_same(call.arg(1))))),
    Function::new("default", 1, ANY_NUMBER, "any", default),
    Function::new("empty", 1, 1, "bool", |call| Ok(Value::Bool(is_empty(call.arg(0))))),
    Function::new("fail", 1, 1, "string", |call| Err(call.text(0)?.to_owned())),
    Function::new("kindIs", 2, 2, "bool", |call| Ok(Value::Bool(call.text(0)? == kind(call.arg(1))))),
    Function::new("kindOf", 1, 1, "string", |call| Ok(Value::text(kind(call.arg(0))))),
    Function::new("ternary", 3, 3, "any", ternary),
    Function::new("typeIs", 2, 2, "bool", |call| Ok(Value::Bool(call.text(0)? == go_type(call.arg(1))))),
    Function::new("typeIsLike", 2, 2, "bool", type_is_like),
    Function::new("typeOf", 1, 1, "string", |call| Ok(Value::text(go_type(call.arg(0))))),
];

fn coalesce(call: &mut Call<'_, '_>) -> Outcome {
    Ok(call.args.iter().find(|arg| !is_empty(arg)).cloned().unwrap_or_default())
}

fn default(call: &mut Call<'_, '_>) -> Outcome {
    let given = call.args.get(1).filter(|given| !is_empty(given));
    Ok(given.unwrap_or(call.arg(0)).clone())
}

fn ternary(call: &mut Call<'_, '_>) -> Outcome {
    match call.arg(2) {
        Value::Bool(true) => Ok(call.arg(0).clone()),
        Value::Bool(false) => Ok(call.arg(1).clone()),
        _ => Err(call.wrong(2, "true or false")),
    }
}

fn type_is_like(call: &mut Call<'_, '_>) -> Outcome {
    let (wanted, real) = (call.text(0)?, go_type(call.arg(1)));
    Ok(Value::Bool(wanted == real || format!("*{wanted}") == real))
}

/// Returns Go's `reflect.Kind`.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Nil => "invalid",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Float(_) => "float64",
        Value::Str(_) => "string",
        Value::List(_) => "slice",
        Value::Map(_) | Value::Pairs(_) => "map",
        Value::Time(_) => "struct",
        Value::Duration(_) => "int64",
        Value::Zone(_) => "ptr",
        Value::Function(_) => "func",
    }
}

/// Returns Go's `%T`.
fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Nil => "<nil>",
        Value::List(_) => "[]interface {}",
        Value::Map(_) => "map[string]interface {}",
        Value::Pairs(_) => "map[interface {}]interface {}",
        Value::Time(_) => "time.Time",
        Value::Duration(_) => "time.Duration",
        Value::Zone(_) => "*time.Location",
        other => kind(other),
    }
}
