//! Values, names, lists, maps and calls.

use super::Parser;
use crate::expr::fault::ParseError;
use crate::expr::functions::{Builtin, Predicate};
use crate::expr::lang::ast::{NodeId, NodeKind, PointerName, UnaryOp};
use crate::expr::lang::token::TokenKind;

impl Parser<'_> {
    pub(super) fn primary(&mut self) -> Result<NodeId, ParseError> {
        let start = self.peek().at.start;
        let node = match self.sign() {
            "not" | "!" => self.unary(UnaryOp::Not, 50)?,
            "-" => self.unary(UnaryOp::Negate, 90)?,
            "+" => self.unary(UnaryOp::Plus, 90)?,
            "(" => self.group()?,
            "[" => self.list()?,
            "{" => self.map()?,
            "#" | "." if !self.predicates.is_empty() => self.pointer()?,
            "::" => {
                self.at += 1;
                self.call(start)?
            }
            _ => return self.value(),
        };
        self.postfix(node)
    }

    fn unary(&mut self, operator: UnaryOp, binding: u16) -> Result<NodeId, ParseError> {
        let start = self.peek().at.start;
        self.at += 1;
        let operand = self.expression(binding)?;
        self.push(NodeKind::Unary(operator, operand), start..self.end(), &[operand])
    }

    fn group(&mut self) -> Result<NodeId, ParseError> {
        self.at += 1;
        let inner = self.sequence()?;
        self.expect(")")?;
        Ok(inner)
    }

    /// Reads `#`, `#acc`, `#index`, or stands for the item before a `.name`.
    fn pointer(&mut self) -> Result<NodeId, ParseError> {
        let at = self.peek().at.clone();
        let mut name = PointerName::Item;
        if self.take("#") && self.peek().kind == TokenKind::Name && self.peek().at.start == at.end {
            name = self.pointer_name(at.start)?;
            self.at += 1;
        }
        self.push(NodeKind::Pointer(name), at.start..self.end().max(at.start), &[])
    }

    /// Returns what the name behind a `#` at `start` means in the innermost predicate.
    fn pointer_name(&self, start: usize) -> Result<PointerName, ParseError> {
        let place = self.peek().at.clone();
        match (&self.text[place.clone()], self.predicates.last()) {
            ("acc", Some(Predicate::Reduce)) => Ok(PointerName::Acc),
            ("index", Some(Predicate::Reduce | Predicate::Map)) => Ok(PointerName::Index),
            (other, _) => Err(ParseError::new(format!("unknown pointer `#{other}`"), start..place.end)
                .help("there are `#`, `#index` in `map` and `reduce`, and `#acc` in `reduce`")),
        }
    }

    fn value(&mut self) -> Result<NodeId, ParseError> {
        let token = self.peek();
        let kind = match &token.kind {
            TokenKind::Int(number) => NodeKind::Int(*number),
            TokenKind::Float(number) => NodeKind::Float(*number),
            TokenKind::Str(text) => NodeKind::Str(text.clone()),
            TokenKind::Name => return self.named(),
            TokenKind::Sign | TokenKind::End => return Err(self.unexpected()),
        };
        self.at += 1;
        let is_text = matches!(kind, NodeKind::Str(_));
        let node = self.push(kind, token.at.clone(), &[])?;
        // As in Go, nothing can be asked of a bare number: `1.x` is no member.
        if is_text { self.postfix(node) } else { Ok(node) }
    }

    fn named(&mut self) -> Result<NodeId, ParseError> {
        let at = self.peek().at.clone();
        let name = &self.text[at.clone()];
        let constant = match name {
            "true" => Some(NodeKind::Bool(true)),
            "false" => Some(NodeKind::Bool(false)),
            "nil" => Some(NodeKind::Nil),
            _ => None,
        };
        if let Some(kind) = constant {
            self.at += 1;
            return self.push(kind, at, &[]);
        }
        if self.sign_at(self.at + 1) == "(" {
            let call = self.call(at.start)?;
            return self.postfix(call);
        }
        self.at += 1;
        let kind = self.reference(name);
        let node = self.push(kind, at, &[])?;
        self.postfix(node)
    }

    /// Returns what a name means here: the innermost `let` of that name, or a variable.
    fn reference(&self, name: &str) -> NodeKind {
        match self.lets.iter().rposition(|bound| **bound == *name) {
            Some(at) => NodeKind::Local(at as u32),
            None => NodeKind::Name(name.into()),
        }
    }

    /// Reads `name(…)` of which `start` is where it begins.
    fn call(&mut self, start: usize) -> Result<NodeId, ParseError> {
        self.call_with(start, Vec::new())
    }

    /// Reads what stands behind a `|`: a call whose first argument is `first`.
    pub(super) fn pipe(&mut self, first: NodeId) -> Result<NodeId, ParseError> {
        let start = self.start(first);
        let call = self.call_with(start, vec![first])?;
        self.postfix(call)
    }

    fn call_with(&mut self, start: usize, mut args: Vec<NodeId>) -> Result<NodeId, ParseError> {
        let at = self.peek().at.clone();
        let name = self.name()?;
        self.expect("(")?;
        if let Some(function) = Builtin::named(name) {
            match function {
                Builtin::Predicate(predicate) => self.predicate_arguments(predicate, &mut args)?,
                Builtin::Function(_) => self.arguments(&mut args)?,
            }
            let kind = NodeKind::Builtin { function, args: args.clone().into() };
            return self.push(kind, start..self.end(), &args);
        }
        let callee = self.push(self.reference(name), at, &[])?;
        self.arguments(&mut args)?;
        let kind = NodeKind::Call { callee, args: args.clone().into() };
        self.push(kind, start..self.end(), &args)
    }

    /// Reads the arguments behind `(`, to `)`.
    pub(super) fn arguments(&mut self, args: &mut Vec<NodeId>) -> Result<(), ParseError> {
        let before = args.len();
        while !self.take(")") {
            if args.len() > before {
                self.expect(",")?;
                if self.take(")") {
                    break;
                }
            }
            args.push(self.expression(0)?);
        }
        Ok(())
    }

    /// Reads the list, the predicate and what may follow them, behind `(`, to `)`.
    fn predicate_arguments(&mut self, predicate: Predicate, args: &mut Vec<NodeId>) -> Result<(), ParseError> {
        let (least, most) = predicate.arity();
        // The argument before a `|` needs no comma behind it.
        let before = args.len();
        while args.len() < most && self.sign() != ")" {
            if args.len() > before {
                self.expect(",")?;
                if self.sign() == ")" {
                    break;
                }
            }
            let arg = if args.len() == 1 { self.predicate_body(predicate)? } else { self.expression(0)? };
            args.push(arg);
        }
        if args.len() < least {
            return Err(self.unexpected().help(format!("`{}` takes at least {least} arguments", predicate.name())));
        }
        self.take(",");
        self.expect(")")
    }

    /// Reads a predicate, with or without braces.
    fn predicate_body(&mut self, predicate: Predicate) -> Result<NodeId, ParseError> {
        self.predicates.push(predicate);
        let body = if self.take("{") {
            let inner = self.sequence()?;
            self.expect("}")?;
            inner
        } else {
            self.expression(0)?
        };
        self.predicates.pop();
        Ok(body)
    }

    fn list(&mut self) -> Result<NodeId, ParseError> {
        let start = self.peek().at.start;
        self.at += 1;
        let mut items = Vec::new();
        while !self.take("]") {
            if !items.is_empty() {
                self.expect(",")?;
                if self.take("]") {
                    break;
                }
            }
            items.push(self.expression(0)?);
        }
        let kind = NodeKind::List(items.clone().into());
        self.push(kind, start..self.end(), &items)
    }

    fn map(&mut self) -> Result<NodeId, ParseError> {
        let start = self.peek().at.start;
        self.at += 1;
        let mut pairs = Vec::new();
        let mut children = Vec::new();
        while !self.take("}") {
            if !pairs.is_empty() {
                self.expect(",")?;
                if self.take("}") {
                    break;
                }
            }
            let key = self.map_key()?;
            self.expect(":")?;
            let value = self.expression(0)?;
            pairs.push((key, value));
            children.extend([key, value]);
        }
        self.push(NodeKind::Map(pairs.into()), start..self.end(), &children)
    }

    /// Reads a name, a text, a number, or an expression in parentheses.
    fn map_key(&mut self) -> Result<NodeId, ParseError> {
        let token = self.peek();
        let key = match &token.kind {
            TokenKind::Str(text) => text.clone(),
            TokenKind::Name | TokenKind::Int(_) | TokenKind::Float(_) => self.text[token.at.clone()].into(),
            _ if self.sign() == "(" => return self.expression(0),
            _ => {
                return Err(self.unexpected().help("a map's key is a name, a text, a number, or in parentheses"));
            }
        };
        self.at += 1;
        self.push(NodeKind::Str(key), token.at.clone(), &[])
    }
}
