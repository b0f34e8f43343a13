//! What a text with tags consists of, and which variables it names.

use std::borrow::Cow;
use std::ops::Range;

use super::parse;
use crate::expr::fault::ParseError;
use crate::expr::lang;

/// A text with tags.
#[derive(Debug, Clone)]
pub struct TemplateStr {
    pub(super) text: Box<str>,
    pub(super) pieces: Box<[Piece]>,
}

/// A part of the text.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    /// Bytes that stand for themselves.
    Text(Bytes),
    /// `{{name}}`.
    Simple(SimpleTag),
    /// `{{=expression}}`.
    Expression(Box<ExpressionTag>),
}

impl Piece {
    /// Returns the bytes of the text that it is, braces included.
    pub fn span(&self) -> Range<usize> {
        match self {
            Piece::Text(bytes) => bytes.range(),
            Piece::Simple(tag) => {
                let inner = tag.inner.range();
                inner.start - "{{".len()..inner.end + "}}".len()
            }
            Piece::Expression(tag) => tag.span.clone(),
        }
    }
}

/// Some bytes of a text, which is never so long that its places need more: each tag of each task has two.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bytes {
    start: u32,
    end: u32,
}

impl From<Range<usize>> for Bytes {
    fn from(range: Range<usize>) -> Self {
        let place = |at: usize| u32::try_from(at).expect("no text that is read has 4 GiB");
        Self { start: place(range.start), end: place(range.end) }
    }
}

impl Bytes {
    /// Returns the places of the bytes.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// `{{name}}`, whose name may itself hold tags: `{{inputs.parameters.{{item}}}}`.
#[derive(Debug, Clone)]
pub(super) struct SimpleTag {
    /// The bytes between the braces.
    pub inner: Bytes,
    /// The name's parts when it holds tags; empty for a plain name.
    pub nested: Box<[Piece]>,
}

/// `{{=expression}}`.
#[derive(Debug, Clone)]
pub(super) struct ExpressionTag {
    /// The bytes with the braces.
    pub span: Range<usize>,
    /// Where the expression begins in the text.
    pub start: usize,
    /// The expression, or why it is none.
    pub ast: Result<lang::Ast, ParseError>,
}

/// A variable that a text names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable<'t> {
    /// The full dotted name, as far as it is certain before the run.
    pub name: Cow<'t, str>,
    /// The bytes of the text that name it.
    pub at: Range<usize>,
    /// Whether it stands in an expression.
    pub in_expression: bool,
    /// Whether `??` or `?.` caters for its absence.
    pub guarded: bool,
}

impl TemplateStr {
    /// Reads a text; its expressions must be readable too.
    pub fn parse(text: &str) -> Result<TemplateStr, ParseError> {
        let template = Self::parse_lenient(text)?;
        let fault = template.faults().next();
        fault.map_or(Ok(template), Err)
    }

    /// Reads a text of which [`TemplateStr::faults`] may have expressions to complain about.
    ///
    /// Argo leaves such a tag as it is wherever it leaves unresolved ones, so a text of another
    /// template language that happens to use `{{=` runs.
    pub fn parse_lenient(text: &str) -> Result<TemplateStr, ParseError> {
        let pieces = if text.contains("{{") { parse::pieces(text)? } else { Vec::new() };
        Ok(Self { text: text.into(), pieces: pieces.into() })
    }

    /// Returns a text with a word in the place of each tag, those in it included; `word` is told how many bytes
    /// the tag has. A text that cannot be read stays as it is.
    pub fn blot(text: &str, word: impl Fn(usize) -> String) -> String {
        let Ok(read) = Self::parse_lenient(text) else { return text.to_owned() };
        if read.is_literal() {
            return text.to_owned();
        }
        let part = |piece: &Piece| match piece {
            Piece::Text(bytes) => text[bytes.range()].to_owned(),
            tag => word(tag.span().len()),
        };
        read.pieces.iter().map(part).collect()
    }

    /// Returns the text as it was given.
    pub fn source(&self) -> &str {
        &self.text
    }

    /// Returns whether the text has no tags, and so renders to itself.
    pub fn is_literal(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Returns the name, when the text is one simple tag and nothing else.
    pub fn sole_variable(&self) -> Option<&str> {
        match &*self.pieces {
            [Piece::Simple(tag)] if tag.nested.is_empty() => Some(self.text[tag.inner.range()].trim()),
            _ => None,
        }
    }

    /// Returns what is wrong with its expressions, with places in the whole text.
    pub fn faults(&self) -> impl Iterator<Item = ParseError> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Expression(tag) => tag.ast.as_ref().err().map(|fault| fault.clone().shifted(tag.start)),
            _ => None,
        })
    }

    /// Returns its expressions, each with the place in the text where it begins.
    pub fn expressions(&self) -> impl Iterator<Item = (&lang::Ast, usize)> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Expression(tag) => tag.ast.as_ref().ok().map(|ast| (ast, tag.start)),
            _ => None,
        })
    }

    /// Returns the variables that it names, in the order of the text. Of a nested tag only the
    /// inner names are certain, and given.
    pub fn variables(&self) -> impl Iterator<Item = Variable<'_>> {
        let mut found = Vec::new();
        self.pieces.iter().for_each(|piece| self.collect(piece, &mut found));
        found.into_iter()
    }

    fn collect<'t>(&'t self, piece: &'t Piece, found: &mut Vec<Variable<'t>>) {
        match piece {
            Piece::Text(_) => {}
            Piece::Simple(tag) if tag.nested.is_empty() => found.push(self.simple_variable(tag)),
            Piece::Simple(tag) => tag.nested.iter().for_each(|inner| self.collect(inner, found)),
            Piece::Expression(tag) => {
                let Ok(ast) = &tag.ast else { return };
                found.extend(ast.variables().iter().map(|named| Variable {
                    name: Cow::Borrowed(&*named.name),
                    at: named.at.start + tag.start..named.at.end + tag.start,
                    in_expression: true,
                    guarded: named.guarded,
                }));
            }
        }
    }

    fn simple_variable(&self, tag: &SimpleTag) -> Variable<'_> {
        let inner = &self.text[tag.inner.range()];
        let name = inner.trim();
        let start = tag.inner.range().start + (inner.len() - inner.trim_start().len());
        let at = start..start + name.len();
        Variable { name: Cow::Borrowed(name), at, in_expression: false, guarded: false }
    }
}
