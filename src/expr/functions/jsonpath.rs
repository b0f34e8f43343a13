//! Argo's `jsonpath(json, path)`: a path that can name one place only gives what is there, any
//! other a list.

use jsonpath_rust::JsonPath as _;

use super::Call;
use crate::base::limits;
use crate::expr::json;
use crate::expr::value::Value;

/// Bytes of a path: the library recurses over it.
const PATH_BYTES_MAX: usize = 4096;

/// How deep brackets and parentheses of a path may nest.
const PATH_DEPTH_MAX: usize = 16;

/// How many `..` a path may have: each walks the whole document below every match.
const PATH_DESCENTS_MAX: usize = 2;

pub(super) fn call(call: &mut Call<'_, '_>) -> Result<Value, String> {
    let text = call.text(0)?;
    call.will_make(text.len().saturating_mul(2))?;
    jsonpath(text, call.text(1)?)
}

/// Evaluates a path over a JSON text; its numbers become floats, as in Go.
pub fn jsonpath(text: &str, path: &str) -> Result<Value, String> {
    let shape = Shape::of(path)?;
    let document: serde_json::Value =
        serde_json::from_str(text).map_err(|fault| format!("the text is not JSON: {fault}"))?;
    let found = document.query(path).map_err(|fault| format!("invalid JSONPath `{path}`: {fault}"))?;
    if found.len() > limits::EXPR_STEPS_MAX as usize {
        return Err(format!("JSONPath `{path}` finds more than {} values (EXPR_STEPS_MAX)", limits::EXPR_STEPS_MAX));
    }
    let mut values = found.into_iter().map(|value| json::read(value, json::Numbers::Float));
    if !shape.is_definite {
        return Ok(Value::list(values.collect()));
    }
    values.next().ok_or_else(|| format!("JSONPath `{path}` finds nothing"))
}

/// What can be seen of a path without reading it.
struct Shape {
    /// Whether it names at most one place.
    is_definite: bool,
}

impl Shape {
    /// Looks at the signs of a path outside of quotes, and refuses what could run away.
    fn of(path: &str) -> Result<Self, String> {
        if path.len() > PATH_BYTES_MAX {
            return Err(format!("a JSONPath is longer than {PATH_BYTES_MAX} bytes"));
        }
        let (mut quote, mut depth, mut descents, mut many) = (None, 0usize, 0, false);
        let mut before = ' ';
        for c in path.chars() {
            match (quote, c) {
                (Some(open), c) if c == open && before != '\\' => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"') => quote = Some(c),
                (None, '[' | '(') => depth += 1,
                (None, ']' | ')') => depth = depth.saturating_sub(1),
                (None, '.') if before == '.' => descents += 1,
                (None, '*' | '?' | ':' | ',') => many = true,
                (None, _) => {}
            }
            if depth > PATH_DEPTH_MAX || descents > PATH_DESCENTS_MAX {
                return Err(format!(
                    "JSONPath `{path}` has more than {PATH_DEPTH_MAX} nested brackets, or more than {PATH_DESCENTS_MAX} `..`"
                ));
            }
            before = c;
        }
        Ok(Self { is_definite: !many && descents == 0 })
    }
}
