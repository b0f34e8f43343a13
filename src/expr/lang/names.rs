//! Which variables an expression names, and whether it can do without them.

use std::ops::Range;

use super::ast::{Ast, BinaryOp, NodeId, NodeKind};
use crate::expr::functions;
use crate::expr::scope::Scope;

/// A variable that an expression names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The full dotted name.
    pub name: String,
    /// How much of the name must exist although the rest is guarded: its first `required`
    /// bytes. The whole length where nothing is guarded.
    pub required: usize,
    /// The bytes of the expression that name it.
    pub at: Range<usize>,
    /// Whether `??` or `?.` caters for its absence.
    pub guarded: bool,
}

/// Returns the names that the expression needs and the scope lacks.
pub(super) fn missing<'a>(ast: &'a Ast, scope: &'a dyn Scope) -> impl Iterator<Item = String> + 'a {
    ast.named.iter().filter_map(move |named| {
        let needed = &named.name[..named.required];
        (!is_there(scope, needed)).then(|| named.name.clone())
    })
}

/// Returns whether a variable of this name can be had, be it a part of another's value.
fn is_there(scope: &dyn Scope, name: &str) -> bool {
    if scope.get(name).is_some() || scope.has_below(name) || functions::is_global(name) {
        return true;
    }
    let mut end = name.len();
    while let Some(dot) = name[..end].rfind('.') {
        if let Some(value) = scope.get(&name[..dot]).filter(|_| !scope.has_below(&name[..dot])) {
            return functions::access::reaches(&value, name[dot + 1..].split('.'));
        }
        end = dot;
    }
    false
}

/// Returns every name in the order of the text.
pub(super) fn named(ast: &Ast) -> Vec<Named> {
    let mut finder = Finder { ast, found: Vec::new() };
    finder.visit(ast.root, Guard::None);
    finder.found.sort_by_key(|named| named.at.start);
    finder.found.dedup();
    finder.found
}

/// What caters for the absence of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guard {
    /// Nothing.
    None,
    /// `?.` behind it: the last part of the name may be missing.
    Last,
    /// `??` around it: all but the first part may be missing.
    Members,
}

struct Finder<'a> {
    ast: &'a Ast,
    found: Vec<Named>,
}

impl Finder<'_> {
    /// Visits a node; the left sides of operators, which may be a long chain, in a loop.
    fn visit(&mut self, id: NodeId, guard: Guard) {
        let mut id = id;
        let mut guard = guard;
        while let NodeKind::Binary(operator, left, right) = self.ast.kind(id) {
            self.visit(*right, guard);
            id = *left;
            if *operator == BinaryOp::Coalesce {
                guard = Guard::Members;
            }
        }
        self.visit_other(id, guard);
    }

    fn visit_other(&mut self, id: NodeId, guard: Guard) {
        match self.ast.kind(id) {
            NodeKind::Name(name) => self.push(name, id, Guard::None),
            NodeKind::Member { path: Some(path), .. } => self.push(path, id, guard),
            NodeKind::Member { object, property, optional, .. } => {
                let inner = if guard == Guard::None && *optional { Guard::Last } else { guard };
                self.visit(*object, inner);
                self.visit(*property, guard);
            }
            other => self.visit_children(other, guard),
        }
    }

    fn visit_children(&mut self, kind: &NodeKind, guard: Guard) {
        match kind {
            NodeKind::Unary(_, inner) | NodeKind::Chain(inner) => self.visit(*inner, guard),
            NodeKind::Slice { object, from, to } => {
                self.visit(*object, guard);
                from.iter().chain(to).for_each(|place| self.visit(*place, guard));
            }
            NodeKind::Call { callee, args } => {
                self.visit(*callee, guard);
                args.iter().for_each(|arg| self.visit(*arg, guard));
            }
            NodeKind::Builtin { args, .. } => args.iter().for_each(|arg| self.visit(*arg, guard)),
            NodeKind::List(items) | NodeKind::Sequence(items) => {
                items.iter().for_each(|item| self.visit(*item, guard));
            }
            NodeKind::Map(pairs) => pairs.iter().for_each(|(key, value)| {
                self.visit(*key, guard);
                self.visit(*value, guard);
            }),
            NodeKind::Conditional { cond, then, other } => {
                [cond, then, other].into_iter().for_each(|part| self.visit(*part, guard));
            }
            NodeKind::Let { value, body, .. } => {
                self.visit(*value, guard);
                self.visit(*body, guard);
            }
            _ => {}
        }
    }

    fn push(&mut self, name: &str, id: NodeId, guard: Guard) {
        let required = match guard {
            Guard::None => name.len(),
            Guard::Last => name.rfind('.').unwrap_or(name.len()),
            Guard::Members => name.find('.').unwrap_or(name.len()),
        };
        if name == "$env" || functions::is_global(name) {
            return;
        }
        self.found.push(Named {
            name: name.to_owned(),
            required,
            at: self.ast.node(id).at.clone(),
            guarded: guard != Guard::None,
        });
    }
}
