//! Variables: from flat dotted names to nested maps, only as far as an expression asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Evaluator, Outcome, Stop};
use crate::expr::functions::{self, access};
use crate::expr::lang::ast::{NodeId, NodeKind};
use crate::expr::scope::Scope;
use crate::expr::value::Value;

impl Evaluator<'_> {
    /// Returns the value of a name that no `let` made.
    pub(super) fn variable(&mut self, id: NodeId, name: &str) -> Outcome {
        if let Some(function) = functions::global(name) {
            return Ok(function);
        }
        if name == "$env" {
            return Ok(self.everything());
        }
        if let Some(value) = self.nested.get(name) {
            return Ok(value.clone());
        }
        let below = self.scope.has_below(name);
        match self.scope.get(name) {
            Some(value) if !below => Ok(value),
            None if !below => Err(self.stop(id, format!("unknown name `{name}`"))),
            _ => {
                let value = nest(self.scope, name);
                self.nested.insert(name.into(), value.clone());
                Ok(value)
            }
        }
    }

    pub(super) fn member(
        &mut self,
        id: NodeId,
        object: NodeId,
        property: NodeId,
        optional: bool,
        path: Option<&str>,
    ) -> Outcome {
        if let Some(path) = path
            && let Some(value) = self.by_path(id, object, path)?
        {
            return Ok(value);
        }
        let object = self.eval(object)?;
        if optional && object.is_nil() {
            return Err(Stop::Nil);
        }
        let key = self.eval(property)?;
        access::fetch(&object, &key).map_err(|message| self.stop(property, message))
    }

    /// Returns the variable of a full name, without a detour over nested maps where there is
    /// exactly that one.
    fn by_path(&mut self, id: NodeId, object: NodeId, path: &str) -> Result<Option<Value>, Stop> {
        if let Some(name) = path.strip_prefix("sprig.")
            && let Some(function) = functions::sprig(name)
        {
            return Ok(Some(Value::Function(function)));
        }
        if matches!(self.ast.kind(object), NodeKind::Name(first) if **first == *"$env") {
            return self.variable(id, path).map(Some);
        }
        Ok(self.scope.get(path).filter(|_| !self.scope.has_below(path)))
    }

    /// Returns all variables as one map: `$env`.
    fn everything(&mut self) -> Value {
        let mut roots = BTreeMap::new();
        self.scope.roots(&mut |root| {
            roots.entry(Arc::<str>::from(root)).or_insert(Value::Nil);
        });
        for (root, value) in &mut roots {
            *value = match self.scope.get(root) {
                Some(single) if !self.scope.has_below(root) => single,
                _ => nest(self.scope, root),
            };
        }
        Value::Map(Arc::new(roots))
    }
}

/// Returns the variables under a root as nested maps. Where both `a.b` and `a.b.c` are
/// variables, the longer one counts (Argo's `expand.Expand`).
fn nest(scope: &dyn Scope, root: &str) -> Value {
    let mut tree = Tree::default();
    scope.under(root, &mut |name, value| {
        if let Some(rest) = name.strip_prefix(root).and_then(|rest| rest.strip_prefix('.')) {
            tree.insert(rest, value);
        }
    });
    tree.into_value()
}

/// A map in the making.
#[derive(Default)]
struct Tree {
    leaf: Value,
    branches: BTreeMap<Arc<str>, Tree>,
}

impl Tree {
    fn insert(&mut self, path: &str, value: Value) {
        let mut tree = self;
        for segment in path.split('.') {
            tree = tree.branches.entry(segment.into()).or_default();
        }
        tree.leaf = value;
    }

    /// Returns the value; names have few segments, which bounds the recursion.
    fn into_value(self) -> Value {
        if self.branches.is_empty() {
            return self.leaf;
        }
        Value::map(self.branches.into_iter().map(|(name, tree)| (name, tree.into_value())))
    }
}
