//! From tokens to the tree: operators by precedence, `let`, `if`, and the bounds.

mod postfix;
mod primary;

use std::ops::Range;
use std::sync::Arc;

use super::ast::{Ast, BinaryOp, Node, NodeId, NodeKind, UnaryOp};
use super::token::{Token, TokenKind, tokens};
use crate::base::limits;
use crate::expr::fault::ParseError;
use crate::expr::functions::{self, Builtin, Predicate};

/// Reads an expression.
pub(super) fn parse(text: &str) -> Result<Ast, ParseError> {
    if text.len() > limits::EXPR_BYTES_MAX {
        let message = format!("the expression is longer than {} bytes (EXPR_BYTES_MAX)", limits::EXPR_BYTES_MAX);
        return Err(ParseError::new(message, 0..text.len()));
    }
    let tokens = tokens(text)?;
    let mut parser = Parser { text, tokens: &tokens, at: 0, ..Parser::default() };
    let root = parser.sequence()?;
    match parser.peek().kind {
        TokenKind::End => Ok(Ast::new(text, parser.nodes, root)),
        _ => Err(parser.unexpected()),
    }
}

const END: &Token = &Token { kind: TokenKind::End, at: 0..0 };

#[derive(Default)]
struct Parser<'t> {
    text: &'t str,
    tokens: &'t [Token],
    at: usize,
    nodes: Vec<Node>,
    /// How deep the evaluator must recurse for each node.
    heights: Vec<usize>,
    /// How deep the parser is in itself.
    depth: usize,
    /// The predicates that enclose the place.
    predicates: Vec<Predicate>,
    /// The variables of the `let`s that enclose the place.
    lets: Vec<Arc<str>>,
}

/// Who binds tighter; what is not listed is no binary operator. `|` is handled apart.
fn binary_operator(sign: &str) -> Option<(BinaryOp, u16)> {
    use BinaryOp::*;
    Some(match sign {
        "or" | "||" => (Or, 10),
        "and" | "&&" => (And, 15),
        "==" => (Equal, 20),
        "!=" => (NotEqual, 20),
        "<" => (Less, 20),
        ">" => (More, 20),
        ">=" => (MoreOrEqual, 20),
        "<=" => (LessOrEqual, 20),
        "in" => (In, 20),
        "matches" => (Matches, 20),
        "contains" => (Contains, 20),
        "startsWith" => (StartsWith, 20),
        "endsWith" => (EndsWith, 20),
        ".." => (Range, 25),
        "+" => (Add, 30),
        "-" => (Subtract, 30),
        "*" => (Multiply, 60),
        "/" => (Divide, 60),
        "%" => (Modulo, 60),
        "**" | "^" => (Power, 100),
        "??" => (Coalesce, 500),
        _ => return None,
    })
}

impl<'t> Parser<'t> {
    fn peek(&self) -> &'t Token {
        self.tokens.get(self.at).unwrap_or(END)
    }

    /// Returns the sign at the place, or an empty text.
    fn sign(&self) -> &'t str {
        self.sign_at(self.at)
    }

    fn sign_at(&self, at: usize) -> &'t str {
        let text = self.text;
        match self.tokens.get(at) {
            Some(token) if token.kind == TokenKind::Sign => &text[token.at.clone()],
            _ => "",
        }
    }

    fn take(&mut self, sign: &str) -> bool {
        let taken = self.sign() == sign;
        self.at += usize::from(taken);
        taken
    }

    fn expect(&mut self, sign: &str) -> Result<(), ParseError> {
        if self.take(sign) {
            return Ok(());
        }
        Err(self.unexpected().help(format!("`{sign}` is expected here")))
    }

    fn unexpected(&self) -> ParseError {
        let token = self.peek();
        if token.kind == TokenKind::End {
            return ParseError::new("the expression ends too early", self.text.len()..self.text.len());
        }
        let found = &self.text[token.at.clone()];
        let fault = ParseError::new(format!("unexpected `{found}`"), token.at.clone());
        match found {
            "=" => fault.help("write `==` to compare"),
            "&" | "|" => fault.help(format!("write `{found}{found}`")),
            _ => fault,
        }
    }

    /// Adds a node of which `children` are evaluated one level deeper.
    fn push(&mut self, kind: NodeKind, at: Range<usize>, children: &[NodeId]) -> Result<NodeId, ParseError> {
        let height = children.iter().map(|child| self.heights[child.0 as usize] + 1).max().unwrap_or(0);
        self.push_of_height(kind, at, height)
    }

    fn push_of_height(&mut self, kind: NodeKind, at: Range<usize>, height: usize) -> Result<NodeId, ParseError> {
        if height > limits::EXPR_DEPTH_MAX {
            return Err(too_deep(at));
        }
        if self.nodes.len() >= limits::EXPR_NODES_MAX {
            let message = format!("the expression has more than {} parts (EXPR_NODES_MAX)", limits::EXPR_NODES_MAX);
            return Err(ParseError::new(message, at));
        }
        self.nodes.push(Node { kind, at });
        self.heights.push(height);
        Ok(NodeId(self.nodes.len() as u32 - 1))
    }

    fn kind(&self, id: NodeId) -> &NodeKind {
        &self.nodes[id.0 as usize].kind
    }

    fn start(&self, id: NodeId) -> usize {
        self.nodes[id.0 as usize].at.start
    }

    /// Returns where the last token that was taken ends.
    fn end(&self) -> usize {
        self.at.checked_sub(1).map_or(0, |before| self.tokens[before].at.end)
    }

    /// Reads expressions separated by `;`.
    fn sequence(&mut self) -> Result<NodeId, ParseError> {
        let start = self.peek().at.start;
        let mut parts = vec![self.expression(0)?];
        while self.take(";") {
            if self.peek().kind == TokenKind::End {
                break;
            }
            parts.push(self.expression(0)?);
        }
        if let [single] = parts[..] {
            return Ok(single);
        }
        let end = self.end();
        let children = parts.clone();
        self.push(NodeKind::Sequence(parts.into()), start..end, &children)
    }

    /// Reads an expression of operators that bind at least as tightly as `least`.
    fn expression(&mut self, least: u16) -> Result<NodeId, ParseError> {
        self.depth += 1;
        if self.depth > limits::EXPR_DEPTH_MAX {
            return Err(too_deep(self.peek().at.clone()));
        }
        let read = match (least, self.sign()) {
            (0, "let") => self.declaration(),
            (0, "if") => self.conditional_if(),
            _ => self.operators(least),
        };
        self.depth -= 1;
        read
    }

    fn operators(&mut self, least: u16) -> Result<NodeId, ParseError> {
        let mut left = self.primary()?;
        let mut after_coalesce = false;
        loop {
            if least == 0 && self.take("|") {
                left = self.pipe(left)?;
                after_coalesce = false;
                continue;
            }
            let negated = self.sign() == "not";
            let sign_at = self.at + usize::from(negated);
            let sign = self.sign_at(sign_at);
            if negated && !matches!(sign, "contains" | "matches" | "startsWith" | "endsWith" | "in") {
                self.at = sign_at;
                return Err(self.unexpected());
            }
            let Some((operator, binding)) = binary_operator(sign).filter(|(_, binding)| *binding >= least) else {
                break;
            };
            if after_coalesce && operator != BinaryOp::Coalesce {
                return Err(ParseError::new(format!("`??` and `{sign}` cannot be mixed"), self.peek().at.clone())
                    .help("put one of the two in parentheses"));
            }
            self.at = sign_at + 1;
            left = self.binary(left, operator, binding, negated)?;
            after_coalesce = operator == BinaryOp::Coalesce;
        }
        if least == 0 { self.ternary(left) } else { Ok(left) }
    }

    /// Reads the right side of an operator that is taken already.
    fn binary(&mut self, left: NodeId, operator: BinaryOp, binding: u16, negated: bool) -> Result<NodeId, ParseError> {
        if operator.is_ordering() {
            return self.comparison(left, operator, binding);
        }
        let tighter = if operator == BinaryOp::Power { binding } else { binding + 1 };
        let right = self.expression(tighter)?;
        let node = self.push_binary(operator, left, right)?;
        match negated {
            true => self.push(NodeKind::Unary(UnaryOp::Not, node), self.start(left)..self.end(), &[node]),
            false => Ok(node),
        }
    }

    /// Reads `a < b < c`, which means `a < b && b < c`.
    fn comparison(&mut self, left: NodeId, operator: BinaryOp, binding: u16) -> Result<NodeId, ParseError> {
        let (mut left, mut operator) = (left, operator);
        let mut whole = None;
        loop {
            let right = self.expression(binding + 1)?;
            let pair = self.push_binary(operator, left, right)?;
            whole = Some(match whole {
                None => pair,
                Some(before) => self.push_binary(BinaryOp::And, before, pair)?,
            });
            match binary_operator(self.sign()) {
                Some((next, _)) if next.is_ordering() => operator = next,
                _ => return whole.ok_or_else(|| self.unexpected()),
            }
            self.at += 1;
            left = right;
        }
    }

    /// Adds an operator; the evaluator unrolls the left side, so that only the right one nests.
    fn push_binary(&mut self, operator: BinaryOp, left: NodeId, right: NodeId) -> Result<NodeId, ParseError> {
        let at = self.start(left)..self.end();
        let height = |id: NodeId| self.heights[id.0 as usize];
        let unrolls = matches!(self.kind(left), NodeKind::Binary(..));
        let height = (height(left) + usize::from(!unrolls)).max(height(right) + 1);
        self.push_of_height(NodeKind::Binary(operator, left, right), at, height)
    }

    /// Reads any `? then : other` behind a condition.
    fn ternary(&mut self, cond: NodeId) -> Result<NodeId, ParseError> {
        let mut node = cond;
        while self.take("?") {
            let cond = node;
            let then = if self.sign() == ":" { cond } else { self.expression(0)? };
            self.expect(":")?;
            let other = self.expression(0)?;
            let at = self.start(cond)..self.end();
            node = self.push(NodeKind::Conditional { cond, then, other }, at, &[cond, then, other])?;
        }
        Ok(node)
    }

    fn declaration(&mut self) -> Result<NodeId, ParseError> {
        let start = self.peek().at.start;
        self.at += 1;
        let name_at = self.peek().at.clone();
        let name: Arc<str> = self.name()?.into();
        if self.lets.contains(&name) || Builtin::named(&name).is_some() || functions::is_global(&name) {
            return Err(ParseError::new(format!("cannot redeclare `{name}`"), name_at).help("choose another name"));
        }
        self.expect("=")?;
        let value = self.expression(0)?;
        self.expect(";")?;
        self.lets.push(name.clone());
        let body = self.sequence()?;
        self.lets.pop();
        self.push(NodeKind::Let { name, value, body }, start..self.end(), &[value, body])
    }

    fn name(&mut self) -> Result<&'t str, ParseError> {
        let token = self.peek();
        if token.kind != TokenKind::Name {
            return Err(self.unexpected().help("a name is expected here"));
        }
        self.at += 1;
        let text = self.text;
        Ok(&text[token.at.clone()])
    }

    fn conditional_if(&mut self) -> Result<NodeId, ParseError> {
        let start = self.peek().at.start;
        self.at += 1;
        let cond = self.expression(0)?;
        let then = self.block()?;
        self.expect("else")?;
        let other = if self.sign() == "if" { self.expression(0)? } else { self.block()? };
        self.push(NodeKind::Conditional { cond, then, other }, start..self.end(), &[cond, then, other])
    }

    fn block(&mut self) -> Result<NodeId, ParseError> {
        self.expect("{")?;
        let inner = self.sequence()?;
        self.expect("}")?;
        Ok(inner)
    }
}

fn too_deep(at: Range<usize>) -> ParseError {
    ParseError::new(format!("the expression nests deeper than {} (EXPR_DEPTH_MAX)", limits::EXPR_DEPTH_MAX), at)
        .help("name parts of it by `let x = …;`")
}
