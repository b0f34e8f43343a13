//! Splitting a text at its tags, as `fasttemplate` does: a tag runs to the next `}}`.

use std::ops::Range;

use super::tags::{ExpressionTag, Piece, SimpleTag};
use crate::base::limits;
use crate::expr::fault::ParseError;
use crate::expr::lang;

/// Returns the pieces of a text.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, ParseError> {
    let mut found = Vec::new();
    let (mut at, mut tags) = (0, 0);
    while let Some(open) = text[at..].find("{{").map(|offset| at + offset) {
        tags += 1;
        if tags > limits::TAGS_PER_TEXT_MAX {
            let message = format!("the text has more than {} tags (TAGS_PER_TEXT_MAX)", limits::TAGS_PER_TEXT_MAX);
            return Err(ParseError::new(message, open..open + 2));
        }
        if open > at {
            found.push(Piece::Text((at..open).into()));
        }
        let read = match tag(text, open, 1)? {
            Some(tag) => tag,
            // A tag ends within: Argo replaces that one, and writes back what is before it.
            None if text[open..].contains("}}") => Piece::Text((open..open + 2).into()),
            None => return Err(unclosed(text, open)),
        };
        at = read.span().end;
        found.push(read);
    }
    if at < text.len() && !found.is_empty() {
        found.push(Piece::Text((at..text.len()).into()));
    }
    Ok(found)
}

/// Reads the tag whose braces begin at `open`; none when they are not closed.
fn tag(text: &str, open: usize, depth: usize) -> Result<Option<Piece>, ParseError> {
    if depth > limits::EXPR_DEPTH_MAX {
        let message = format!("tags nest deeper than {} (EXPR_DEPTH_MAX)", limits::EXPR_DEPTH_MAX);
        return Err(ParseError::new(message, open..open + 2));
    }
    if text[open + 2..].starts_with('=') { Ok(expression_tag(text, open)) } else { simple_tag(text, open, depth) }
}

fn expression_tag(text: &str, open: usize) -> Option<Piece> {
    let start = open + 3;
    let end = start + text[start..].find("}}")?;
    let ast = lang::parse(&text[start..end]).map_err(|fault| explain_braces(text, end, fault));
    Some(Piece::Expression(Box::new(ExpressionTag { span: open..end + 2, start, ast })))
}

/// Adds to the fault of an expression what is probably meant when it was cut at the `}}` of
/// two closing maps.
fn explain_braces(text: &str, end: usize, fault: ParseError) -> ParseError {
    if text[end + 2..].starts_with('}') {
        fault.help("the tag ends at its first `}}`: write a blank between closing braces")
    } else {
        fault
    }
}

fn simple_tag(text: &str, open: usize, depth: usize) -> Result<Option<Piece>, ParseError> {
    let start = open + 2;
    let mut nested = Vec::new();
    let mut at = start;
    loop {
        let Some(close) = text[at..].find("}}").map(|offset| at + offset) else { return Ok(None) };
        let inner_open = text[at..close].find("{{").map(|offset| at + offset);
        let Some(inner_open) = inner_open else {
            return Ok(Some(Piece::Simple(finish(start..close, at, nested))));
        };
        if inner_open > at {
            nested.push(Piece::Text((at..inner_open).into()));
        }
        let Some(inner) = tag(text, inner_open, depth + 1)? else { return Ok(None) };
        at = inner.span().end;
        nested.push(inner);
    }
}

/// Puts a simple tag together, of which `at` is where its last part of text begins.
fn finish(inner: Range<usize>, at: usize, mut nested: Vec<Piece>) -> SimpleTag {
    if !nested.is_empty() && at < inner.end {
        nested.push(Piece::Text((at..inner.end).into()));
    }
    SimpleTag { inner: inner.into(), nested: nested.into() }
}

fn unclosed(text: &str, open: usize) -> ParseError {
    let line_end = text[open..].find('\n').map_or(text.len(), |offset| open + offset);
    ParseError::new("a tag is opened by `{{`, but not closed by `}}`", open..line_end)
        .help("close it, or write `{{=\"{\"}}{` where two braces are meant as they are")
}
