//! Go's expr language, version 1.17, as Argo uses it.

use std::ops::Range;

use super::fault::{EvalError, ParseError};
use super::scope::{Ambient, Scope};
use super::value::Value;

/// An expression.
#[derive(Debug, Clone)]
pub struct Ast {
    source: Box<str>,
}

/// A variable that an expression names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The full dotted name.
    pub name: String,
    /// The bytes of the expression that name it.
    pub at: Range<usize>,
    /// Whether `??` or `?.` caters for its absence.
    pub guarded: bool,
}

impl Ast {
    /// Returns the text that was parsed.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns the variables that it names.
    pub fn variables(&self) -> Vec<Named> {
        Vec::new()
    }
}

/// Reads an expression.
pub fn parse(text: &str) -> Result<Ast, ParseError> {
    Ok(Ast { source: text.into() })
}

/// Returns the names that the expression needs and the scope lacks.
pub fn missing(_ast: &Ast, _scope: &dyn Scope) -> std::vec::IntoIter<String> {
    Vec::new().into_iter()
}

/// Evaluates an expression.
pub fn eval(ast: &Ast, _scope: &dyn Scope, _ambient: &Ambient) -> Result<Value, EvalError> {
    Err(EvalError::new("expressions cannot be evaluated yet", 0..ast.source.len()))
}

/// Evaluates an expression that must be true or false: Argo's `EvalBool`.
pub fn eval_bool(text: &str, scope: &dyn Scope, ambient: &Ambient) -> Result<bool, EvalError> {
    let ast = parse(text)?;
    match eval(&ast, scope, ambient)? {
        Value::Bool(truth) => Ok(truth),
        other => Err(EvalError::new(
            format!("the expression is a {}, not true or false", other.type_name()),
            0..text.len(),
        )),
    }
}
