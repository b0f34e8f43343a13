//! From a text with tags and the variables of a place to the text that stands there.

use std::borrow::Cow;

use super::tags::{ExpressionTag, Piece, SimpleTag, TemplateStr};
use crate::base::limits;
use crate::expr::fault::EvalError;
use crate::expr::lang;
use crate::expr::scope::{Ambient, Scope};
use crate::expr::value::Value;

/// What becomes of a tag that cannot be resolved yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unresolved<'a> {
    /// It is written back as it stands, expressions that fail included. Argo's
    /// `Replace(allowUnresolved)`.
    Keep,
    /// It is an error.
    Refuse,
    /// It is an error when its name begins with one of these segments; others are written
    /// back, and so are artifacts, which may be optional. Argo's `ReplaceStrict`.
    RefuseUnder(&'a [&'a str]),
}

/// Why a text has no rendering here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// A variable is not there, perhaps not yet.
    #[error("failed to resolve {{{{{name}}}}}")]
    Missing {
        /// Its full name.
        name: String,
    },
    /// A variable is there and empty for good: the output of a node that did not run.
    #[error("{{{{{name}}}}} is the output of a node that was skipped or omitted, and has no default")]
    Absent {
        /// Its full name.
        name: String,
    },
    /// An expression fails.
    #[error("failed to evaluate expression: {0}")]
    Eval(EvalError),
    /// The rendered text is too long.
    #[error("the text would grow beyond {max} bytes (EXPR_BYTES_MADE_MAX)", max = limits::EXPR_BYTES_MADE_MAX)]
    TooLong,
}

impl TemplateStr {
    /// Returns the text with its tags replaced.
    pub fn render(
        &self,
        scope: &dyn Scope,
        unresolved: Unresolved<'_>,
        ambient: &Ambient,
    ) -> Result<String, RenderError> {
        if self.is_literal() {
            return Ok(self.source().to_owned());
        }
        let mut out = String::with_capacity(self.text.len());
        let renderer = Renderer { text: &self.text, scope, unresolved, ambient };
        for piece in &self.pieces {
            renderer.piece(piece, &mut out)?;
            if out.len() > limits::EXPR_BYTES_MADE_MAX {
                return Err(RenderError::TooLong);
            }
        }
        Ok(out)
    }

    /// Returns the text as it is when it has no tags, and otherwise what
    /// [`TemplateStr::render`] returns.
    pub fn render_cow(
        &self,
        scope: &dyn Scope,
        unresolved: Unresolved<'_>,
        ambient: &Ambient,
    ) -> Result<Cow<'_, str>, RenderError> {
        if self.is_literal() {
            return Ok(Cow::Borrowed(self.source()));
        }
        self.render(scope, unresolved, ambient).map(Cow::Owned)
    }
}

struct Renderer<'a> {
    text: &'a str,
    scope: &'a dyn Scope,
    unresolved: Unresolved<'a>,
    ambient: &'a Ambient,
}

impl Renderer<'_> {
    fn piece(&self, piece: &Piece, out: &mut String) -> Result<(), RenderError> {
        match piece {
            Piece::Text(bytes) => out.push_str(&self.text[bytes.range()]),
            Piece::Simple(tag) => self.simple(tag, out)?,
            Piece::Expression(tag) => self.expression(tag, out)?,
        }
        Ok(())
    }

    fn simple(&self, tag: &SimpleTag, out: &mut String) -> Result<(), RenderError> {
        let inner = self.name_of(tag)?;
        let name = inner.trim();
        match self.scope.get(name) {
            Some(Value::Nil) => return Err(RenderError::Absent { name: name.to_owned() }),
            Some(Value::Str(text)) => out.push_str(&text),
            Some(other) => out.push_str(&other.to_text()),
            None if self.must_resolve(name) && !self.is_lenient_artifact(name) => {
                return Err(RenderError::Missing { name: name.to_owned() });
            }
            None => {
                out.push_str("{{");
                out.push_str(&inner);
                out.push_str("}}");
            }
        }
        Ok(())
    }

    /// Returns the name between the braces, inner tags resolved.
    fn name_of(&self, tag: &SimpleTag) -> Result<Cow<'_, str>, RenderError> {
        if tag.nested.is_empty() {
            return Ok(Cow::Borrowed(&self.text[tag.inner.range()]));
        }
        let mut name = String::new();
        for piece in &tag.nested {
            self.piece(piece, &mut name)?;
            if name.len() > limits::EXPR_BYTES_MAX {
                return Err(RenderError::TooLong);
            }
        }
        Ok(Cow::Owned(name))
    }

    fn expression(&self, tag: &ExpressionTag, out: &mut String) -> Result<(), RenderError> {
        match self.evaluate(tag)? {
            Some(text) => out.push_str(&text),
            None => out.push_str(&self.text[tag.span.clone()]),
        }
        Ok(())
    }

    /// Returns the text of an expression, or none when its tag is to be kept
    /// (`expressionReplaceStrict`).
    fn evaluate(&self, tag: &ExpressionTag) -> Result<Option<String>, RenderError> {
        let may_keep = matches!(self.unresolved, Unresolved::Keep | Unresolved::RefuseUnder([]));
        let ast = match &tag.ast {
            Ok(ast) => ast,
            Err(_) if may_keep => return Ok(None),
            Err(fault) => return Err(RenderError::Eval(fault.clone().into())),
        };
        let mut missing = lang::missing(ast, self.scope).peekable();
        let any_missing = missing.peek().is_some();
        let mut late = false;
        for name in missing {
            if self.must_resolve(&name) {
                return Err(RenderError::Missing { name });
            }
            late |= is_late(&name);
        }
        if late {
            return Ok(None);
        }
        match self.text_of(ast) {
            Err(_) if may_keep || any_missing => Ok(None),
            outcome => outcome.map(Some).map_err(RenderError::Eval),
        }
    }

    fn text_of(&self, ast: &lang::Ast) -> Result<String, EvalError> {
        let whole = 0..ast.source().len();
        let value = lang::eval(ast, self.scope, self.ambient)?;
        if value.is_nil() {
            return Err(
                EvalError::new("the expression has no value (it is nil)", whole).help("give a default: `… ?? \"\"`")
            );
        }
        value.try_to_text().map_err(|fault| EvalError::new(fault.to_string(), whole))
    }

    /// Returns whether it is an error that a variable of this name is missing.
    fn must_resolve(&self, name: &str) -> bool {
        match self.unresolved {
            Unresolved::Keep => false,
            Unresolved::Refuse => true,
            Unresolved::RefuseUnder(prefixes) => prefixes
                .iter()
                .any(|prefix| name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))),
        }
    }

    /// Returns whether the name is of an artifact that may be optional: those are resolved later.
    fn is_lenient_artifact(&self, name: &str) -> bool {
        self.unresolved != Unresolved::Refuse && name.contains(".outputs.artifacts.")
    }
}

/// Returns whether a variable only comes to be later, so that an expression with it must wait
/// even where it could be evaluated without (Argo's `variablesToCheck`, its issues 5388, 10393
/// and 15008).
fn is_late(name: &str) -> bool {
    const LATE: [&str; 8] = [
        "item",
        "retries",
        "lastRetry.exitCode",
        "lastRetry.status",
        "lastRetry.duration",
        "lastRetry.message",
        "workflow.status",
        "workflow.failures",
    ];
    LATE.contains(&name)
}
