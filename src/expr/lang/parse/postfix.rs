//! What may stand behind a value: `.name`, `[key]`, `[from:to]`, `?.`, and calls of methods.

use std::sync::Arc;

use super::Parser;
use crate::expr::fault::ParseError;
use crate::expr::lang::ast::{NodeId, NodeKind};
use crate::expr::lang::token::{TokenKind, is_name};

impl Parser<'_> {
    pub(super) fn postfix(&mut self, node: NodeId) -> Result<NodeId, ParseError> {
        let mut node = node;
        loop {
            node = match self.sign() {
                "." => {
                    self.at += 1;
                    self.member(node, false)?
                }
                "?." => {
                    self.at += 1;
                    match self.sign() {
                        "[" => self.index(node, true)?,
                        _ => self.member(node, true)?,
                    }
                }
                "[" => self.index(node, false)?,
                _ => return Ok(node),
            };
        }
    }

    /// Reads the name behind a dot, and a call behind that.
    fn member(&mut self, object: NodeId, optional: bool) -> Result<NodeId, ParseError> {
        let token = self.peek();
        let name = &self.text[token.at.clone()];
        let is_word = token.kind == TokenKind::Name || (token.kind == TokenKind::Sign && name.chars().all(is_name));
        if !is_word {
            return Err(self.unexpected().help("a name is expected behind the dot"));
        }
        self.at += 1;
        // The chain that an earlier `?.` began goes on.
        let (object, in_chain) = match *self.kind(object) {
            NodeKind::Chain(inner) => (inner, true),
            _ => (object, false),
        };
        let property = self.push(NodeKind::Str(name.into()), token.at.clone(), &[])?;
        let mut node = self.push_member(object, property, optional)?;
        if self.take("(") {
            let mut args = Vec::new();
            self.arguments(&mut args)?;
            let children = [&args[..], &[node]].concat();
            let kind = NodeKind::Call { callee: node, args: args.into() };
            node = self.push(kind, self.start(object)..self.end(), &children)?;
        }
        self.chained(node, in_chain || optional)
    }

    /// Reads `[key]` or `[from:to]`.
    fn index(&mut self, object: NodeId, optional: bool) -> Result<NodeId, ParseError> {
        self.at += 1;
        if self.take(":") {
            return self.slice(object, None);
        }
        let key = self.expression(0)?;
        if self.take(":") {
            return self.slice(object, Some(key));
        }
        self.expect("]")?;
        let node = self.push_member(object, key, optional)?;
        self.chained(node, optional)
    }

    /// Reads the end of a slice, behind its colon.
    fn slice(&mut self, object: NodeId, from: Option<NodeId>) -> Result<NodeId, ParseError> {
        let to = if self.sign() == "]" { None } else { Some(self.expression(0)?) };
        self.expect("]")?;
        let children: Vec<NodeId> = [Some(object), from, to].into_iter().flatten().collect();
        self.push(NodeKind::Slice { object, from, to }, self.start(object)..self.end(), &children)
    }

    fn push_member(&mut self, object: NodeId, property: NodeId, optional: bool) -> Result<NodeId, ParseError> {
        let path = if optional { None } else { self.path(object, property) };
        let kind = NodeKind::Member { object, property, optional, path };
        self.push(kind, self.start(object)..self.end(), &[object, property])
    }

    /// Returns the full name of a member, where every part of it is fixed.
    fn path(&self, object: NodeId, property: NodeId) -> Option<Arc<str>> {
        let NodeKind::Str(last) = self.kind(property) else { return None };
        match self.kind(object) {
            NodeKind::Name(first) if **first == *"$env" => Some(last.clone()),
            NodeKind::Name(first) => Some(format!("{first}.{last}").into()),
            NodeKind::Member { path: Some(path), .. } => Some(format!("{path}.{last}").into()),
            _ => None,
        }
    }

    fn chained(&mut self, node: NodeId, is_chain: bool) -> Result<NodeId, ParseError> {
        if !is_chain {
            return Ok(node);
        }
        let at = self.nodes[node.0 as usize].at.clone();
        self.push(NodeKind::Chain(node), at, &[node])
    }
}
