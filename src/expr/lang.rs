//! Go's expr language, version 1.17, as Argo uses it: parser, checker, evaluator.
//!
//! A text is parsed once to an [`Ast`], which lint and plan may walk. Evaluation first checks
//! types as Go's compiler would, then computes; both are bounded in depth, steps and memory.

mod ast;
mod budget;
mod check;
mod eval;
mod names;
mod parse;
mod token;

use super::fault::{EvalError, ParseError};
use super::scope::{Ambient, Scope};
use super::value::Value;

pub use ast::{Ast, BinaryOp, Node, NodeId, NodeKind, PointerName, UnaryOp};
pub use budget::Budget;
pub use names::Named;

/// Reads an expression.
pub fn parse(text: &str) -> Result<Ast, ParseError> {
    parse::parse(text)
}

/// Evaluates an expression. The fault of one that Go's compiler would refuse is found even in
/// a branch that is not taken.
pub fn eval(ast: &Ast, scope: &dyn Scope, ambient: &Ambient) -> Result<Value, EvalError> {
    check::check(ast, scope)?;
    eval::Evaluator::new(ast, scope, ambient).run()
}

/// Finds operators whose operands can never fit, when of the variables only this is known: those
/// that `is_text` says so of, by their full name, are texts.
pub fn check_texts(ast: &Ast, is_text: &dyn Fn(&str) -> bool) -> Result<(), EvalError> {
    check::check_texts(ast, is_text)
}

/// Evaluates an expression that must be true or false: Argo's `EvalBool`, for hooks, retries
/// and stop strategies.
pub fn eval_bool(text: &str, scope: &dyn Scope, ambient: &Ambient) -> Result<bool, EvalError> {
    eval_ast_bool(&parse(text)?, scope, ambient)
}

/// Evaluates a parsed expression that must be true or false.
pub fn eval_ast_bool(ast: &Ast, scope: &dyn Scope, ambient: &Ambient) -> Result<bool, EvalError> {
    match eval(ast, scope, ambient)? {
        Value::Bool(truth) => Ok(truth),
        other => Err(EvalError::new(
            format!("the expression comes to a {}, not to true or false", other.type_name()),
            0..ast.source().len(),
        )),
    }
}

/// Returns the names that an expression cannot do without and the scope lacks
/// (Argo's `missingVarsInEnv`): those that `??` or `?.` guards are not among them.
pub fn missing<'a>(ast: &'a Ast, scope: &'a dyn Scope) -> impl Iterator<Item = String> + 'a {
    names::missing(ast, scope)
}
