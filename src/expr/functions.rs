//! The functions of expressions.

pub mod dates;
pub mod durations;
pub mod regex;

use super::fault::EvalError;
use super::value::Value;

/// A function.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
}

/// Evaluates a JSONPath over a JSON text.
pub fn jsonpath(_json: &str, _path: &str) -> Result<Value, EvalError> {
    Err(EvalError::new("JSONPath cannot be evaluated yet", 0..0))
}

/// Runs a jq filter over a JSON text.
pub fn jq(_filter: &str, _input: &str) -> Result<String, EvalError> {
    Err(EvalError::new("jq cannot be evaluated yet", 0..0))
}
