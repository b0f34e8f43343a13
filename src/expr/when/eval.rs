//! What a condition comes to.

use std::ops::Range;

use super::parse::{Expr, NodeKind, parse_as};
use super::token::Names;
use crate::expr::fault::{EvalError, ParseError};
use crate::expr::json;
use crate::expr::value::Value;

/// Why a condition is neither true nor false.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WhenError {
    /// It cannot be read.
    #[error("invalid `when`: {0}")]
    Parse(ParseError),
    /// It asks for the impossible, such as the sum of two truths.
    #[error("cannot evaluate `when`: {0}")]
    Eval(EvalError),
    /// It comes to something else.
    #[error("`when` comes to `{0}`, which is neither true nor false")]
    NotBool(String),
}

/// Evaluates the condition of a step or task whose tags are already substituted; the empty one
/// holds (Argo's `shouldExecute`).
pub fn eval(text: &str) -> Result<bool, WhenError> {
    eval_as(text, Names::Texts)
}

/// Evaluates a condition in which bare words are what `names` says.
pub fn eval_as(text: &str, names: Names) -> Result<bool, WhenError> {
    if text.is_empty() {
        return Ok(true);
    }
    eval_expr(&parse_as(text, names).map_err(WhenError::Parse)?)
}

/// Evaluates a condition that is parsed.
pub fn eval_expr(expr: &Expr) -> Result<bool, WhenError> {
    match expr.value(expr.root).map_err(WhenError::Eval)? {
        Value::Bool(truth) => Ok(truth),
        other => Err(WhenError::NotBool(other.to_string())),
    }
}

impl Expr {
    /// Evaluates a node. A long chain of operators leans to the left, and is unrolled here, so
    /// that recursion is bounded by the depth of parentheses.
    fn value(&self, node: usize) -> Result<Value, EvalError> {
        let mut chain = Vec::new();
        let mut first = node;
        while let NodeKind::Binary(_, left, _) = &self.nodes[first].kind {
            chain.push(first);
            first = *left;
        }
        let mut value = self.operand(first)?;
        for link in chain.into_iter().rev() {
            value = self.link(value, link)?;
        }
        Ok(value)
    }

    fn operand(&self, node: usize) -> Result<Value, EvalError> {
        let at = self.nodes[node].at.clone();
        match &self.nodes[node].kind {
            NodeKind::Number(number) => Ok(Value::Float(*number)),
            NodeKind::Bool(truth) => Ok(Value::Bool(*truth)),
            NodeKind::Text(text) => Ok(Value::text(text)),
            NodeKind::Variable(name) => {
                Err(EvalError::new(format!("unknown variable `{name}`"), at).help("put texts in quotes: `'…'`"))
            }
            NodeKind::Prefix(sign, operand) => prefix(*sign, self.value(*operand)?, at),
            NodeKind::Binary(..) => self.value(node),
        }
    }

    /// Applies the operator at `node` to its left side, which is known.
    fn link(&self, left: Value, node: usize) -> Result<Value, EvalError> {
        let NodeKind::Binary(operator, left_node, right_node) = self.nodes[node].kind else {
            return Ok(left);
        };
        match (operator, &left) {
            ("&&", Value::Bool(false)) | ("||", Value::Bool(true)) => return Ok(left),
            ("?", Value::Bool(false)) => return Ok(Value::Nil),
            (":" | "??", left_value) if !left_value.is_nil() => return Ok(left),
            _ => {}
        }
        let right = self.value(right_node)?;
        let place = |node: usize| self.nodes[node].at.clone();
        apply(operator, left, right, place(left_node), place(right_node))
    }
}

fn prefix(sign: char, operand: Value, at: Range<usize>) -> Result<Value, EvalError> {
    match (sign, &operand) {
        ('-', Value::Float(number)) => Ok(Value::Float(-number)),
        ('~', Value::Float(number)) => Ok(Value::Float(!(*number as i64) as f64)),
        ('!', Value::Bool(truth)) => Ok(Value::Bool(!truth)),
        ('!', _) => Err(wrong(&operand, "!", "true or false", at)),
        _ => Err(wrong(&operand, sign.encode_utf8(&mut [0; 4]), "a number", at)),
    }
}

fn apply(
    operator: &'static str,
    left: Value,
    right: Value,
    left_at: Range<usize>,
    right_at: Range<usize>,
) -> Result<Value, EvalError> {
    let both = left_at.start..right_at.end;
    match operator {
        "==" => Ok(Value::Bool(left == right)),
        "!=" => Ok(Value::Bool(left != right)),
        ":" | "??" => Ok(right),
        "?" => truth(left, operator, left_at).map(|holds| if holds { right } else { Value::Nil }),
        "&&" | "||" => {
            truth(left, operator, left_at)?;
            truth(right, operator, right_at).map(Value::Bool)
        }
        "," => Ok(Value::list(match left {
            Value::List(items) => items.iter().cloned().chain([right]).collect(),
            single => vec![single, right],
        })),
        "in" => member(&left, &right, right_at),
        "=~" | "!~" => matches(operator, left, right, left_at, right_at),
        "<" | "<=" | ">" | ">=" => ordered(operator, &left, &right, both),
        "+" if left.as_str().is_some() || right.as_str().is_some() => Ok(Value::from(format!("{left}{right}"))),
        _ => {
            let left = number(left, operator, left_at)?;
            number(right, operator, right_at).map(|right| Value::Float(arithmetic(operator, left, right)))
        }
    }
}

/// Returns a Go `float64` → `uint64` → shift → `float64`, in which shifting by 64 or more leaves nothing.
fn shifted(left: f64, right: f64, shift: fn(u64, u32) -> Option<u64>) -> f64 {
    u32::try_from(right as u64).ok().and_then(|by| shift(left as u64, by)).unwrap_or(0) as f64
}

fn arithmetic(operator: &str, left: f64, right: f64) -> f64 {
    match operator {
        "+" => left + right,
        "-" => left - right,
        "*" => left * right,
        "/" => left / right,
        "%" => left % right,
        "**" => left.powf(right),
        "&" => (left as i64 & right as i64) as f64,
        "|" => (left as i64 | right as i64) as f64,
        "^" => (left as i64 ^ right as i64) as f64,
        "<<" => shifted(left, right, u64::checked_shl),
        _ => shifted(left, right, u64::checked_shr),
    }
}

fn ordered(operator: &str, left: &Value, right: &Value, at: Range<usize>) -> Result<Value, EvalError> {
    let order = match (left, right) {
        (Value::Float(left), Value::Float(right)) => left.partial_cmp(right),
        (Value::Str(left), Value::Str(right)) => Some(left.cmp(right)),
        _ => {
            let message = format!("cannot compare {} with {} by `{operator}`", shown(left), shown(right));
            return Err(EvalError::new(message, at).help("both must be numbers, or both texts in quotes"));
        }
    };
    Ok(Value::Bool(order.is_some_and(|order| match operator {
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    })))
}

fn member(item: &Value, list: &Value, at: Range<usize>) -> Result<Value, EvalError> {
    match list {
        Value::List(items) => Ok(Value::Bool(items.iter().any(|each| each == item))),
        other => Err(wrong(other, "in", "a list", at).help("a list has at least two members here: `('a', 'b')`")),
    }
}

fn matches(
    operator: &str,
    left: Value,
    right: Value,
    left_at: Range<usize>,
    right_at: Range<usize>,
) -> Result<Value, EvalError> {
    let (Some(text), Some(pattern)) = (left.as_str(), right.as_str()) else {
        let (value, at) = if left.as_str().is_none() { (&left, left_at) } else { (&right, right_at) };
        return Err(wrong(value, operator, "a text", at));
    };
    let regex = crate::expr::functions::regex::compile(pattern).map_err(|message| EvalError::new(message, right_at))?;
    Ok(Value::Bool(regex.is_match(text) == (operator == "=~")))
}

fn truth(value: Value, operator: &str, at: Range<usize>) -> Result<bool, EvalError> {
    match value {
        Value::Bool(truth) => Ok(truth),
        other => Err(wrong(&other, operator, "true or false", at)),
    }
}

fn number(value: Value, operator: &str, at: Range<usize>) -> Result<f64, EvalError> {
    match value {
        Value::Float(number) => Ok(number),
        other => Err(wrong(&other, operator, "a number", at)),
    }
}

fn wrong(value: &Value, operator: &str, wanted: &str, at: Range<usize>) -> EvalError {
    let fault = EvalError::new(format!("{} cannot be used with `{operator}`: it is not {wanted}", shown(value)), at);
    match operator {
        "-" if value.as_str().is_some() => fault.help("put texts with hyphens in quotes: `'…'`"),
        _ => fault,
    }
}

/// Returns a value as a message shows it.
fn shown(value: &Value) -> String {
    match value {
        Value::Str(text) => format!("`'{text}'`"),
        Value::Float(number) => format!("`{}`", json::float_g(*number)),
        other => format!("`{other}`"),
    }
}
