//! From the tokens of `when` to its tree.

use std::ops::Range;

use super::token::{Names, Placed, Token, tokens};
use crate::base::limits;
use crate::expr::fault::ParseError;

/// A condition. Its nodes lie in one vector, so that a long one needs no deep recursion.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    pub(super) nodes: Vec<Node>,
    pub(super) root: usize,
}

/// A node of the tree with its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub kind: NodeKind,
    pub at: Range<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum NodeKind {
    Number(f64),
    Bool(bool),
    Text(String),
    Variable(String),
    Prefix(char, usize),
    Binary(&'static str, usize, usize),
}

/// Reads the condition of a step or task.
pub fn parse(text: &str) -> Result<Expr, ParseError> {
    parse_as(text, Names::Texts)
}

/// Reads a condition in which bare words are what `names` says; its depth and length are bounded.
pub fn parse_as(text: &str, names: Names) -> Result<Expr, ParseError> {
    if text.len() > limits::EXPR_BYTES_MAX {
        let message = format!("the condition is longer than {} bytes (EXPR_BYTES_MAX)", limits::EXPR_BYTES_MAX);
        return Err(ParseError::new(message, 0..text.len()));
    }
    let tokens = tokens(text, names)?;
    let mut parser = Parser { text, tokens: &tokens, at: 0, depth: 0, nodes: Vec::new() };
    let root = parser.binary(0)?;
    match parser.tokens.get(parser.at) {
        None => Ok(Expr { nodes: parser.nodes, root }),
        Some(_) => Err(parser.unexpected()),
    }
}

struct Parser<'t> {
    text: &'t str,
    tokens: &'t [Placed],
    at: usize,
    depth: usize,
    nodes: Vec<Node>,
}

impl Parser<'_> {
    /// Reads operators that bind at least as tightly as `least`; all are left-associative.
    fn binary(&mut self, least: u8) -> Result<usize, ParseError> {
        let mut left = self.value()?;
        while let Some((operator, binding)) = self.tokens.get(self.at).and_then(|next| binary_operator(&next.token)) {
            if binding < least {
                break;
            }
            self.at += 1;
            let right = self.binary(binding + 1)?;
            let at = self.nodes[left].at.start..self.nodes[right].at.end;
            left = self.push(NodeKind::Binary(operator, left, right), at);
        }
        Ok(left)
    }

    fn value(&mut self) -> Result<usize, ParseError> {
        let Some(placed) = self.tokens.get(self.at) else { return Err(self.unexpected()) };
        let at = placed.at.clone();
        let kind = match &placed.token {
            Token::Number(number) | Token::Time(number) => NodeKind::Number(*number),
            Token::Bool(truth) => NodeKind::Bool(*truth),
            Token::Text(text) => NodeKind::Text(text.clone()),
            Token::Variable(name) => NodeKind::Variable(name.clone()),
            Token::Prefix(sign) => return self.prefixed(*sign, at),
            Token::Open => return self.group(),
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(self.push(kind, at))
    }

    fn prefixed(&mut self, sign: char, at: Range<usize>) -> Result<usize, ParseError> {
        self.at += 1;
        let operand = self.value()?;
        let end = self.nodes[operand].at.end;
        Ok(self.push(NodeKind::Prefix(sign, operand), at.start..end))
    }

    fn group(&mut self) -> Result<usize, ParseError> {
        self.depth += 1;
        if self.depth > limits::EXPR_DEPTH_MAX {
            let message = format!("the condition nests deeper than {} (EXPR_DEPTH_MAX)", limits::EXPR_DEPTH_MAX);
            return Err(ParseError::new(message, self.tokens[self.at].at.clone()));
        }
        self.at += 1;
        let inner = self.binary(0)?;
        if self.tokens.get(self.at).is_none_or(|next| next.token != Token::Close) {
            return Err(self.unexpected().help("close the parenthesis"));
        }
        self.at += 1;
        self.depth -= 1;
        Ok(inner)
    }

    fn push(&mut self, kind: NodeKind, at: Range<usize>) -> usize {
        self.nodes.push(Node { kind, at });
        self.nodes.len() - 1
    }

    fn unexpected(&self) -> ParseError {
        match self.tokens.get(self.at) {
            Some(next) => ParseError::new(format!("unexpected `{}`", &self.text[next.at.clone()]), next.at.clone()),
            None => ParseError::new("the condition ends too early", self.text.len()..self.text.len()),
        }
    }
}

/// Returns the operator that a token is, and how tightly it binds.
fn binary_operator(token: &Token) -> Option<(&'static str, u8)> {
    Some(match token {
        Token::Comma => (",", 0),
        Token::Ternary(sign) => (sign, 1),
        Token::Logical("||") => ("||", 2),
        Token::Logical(sign) => (sign, 3),
        Token::Comparator(sign) => (sign, 4),
        Token::Modifier(sign) => (sign, modifier_binding(sign)),
        _ => return None,
    })
}

fn modifier_binding(sign: &str) -> u8 {
    match sign {
        "&" | "|" | "^" => 5,
        "<<" | ">>" => 6,
        "+" | "-" => 7,
        "*" | "/" | "%" => 8,
        _ => 9,
    }
}
