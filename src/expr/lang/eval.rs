//! From a tree and a scope to a value.

mod calls;
mod operators;
mod predicates;
mod variables;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ast::{Ast, BinaryOp, NodeId, NodeKind, PointerName, UnaryOp};
use crate::expr::fault::EvalError;
use crate::expr::functions::{Tools, access};
use crate::expr::scope::{Ambient, Scope};
use crate::expr::value::Value;

/// Evaluates one expression once.
pub(super) struct Evaluator<'a> {
    ast: &'a Ast,
    scope: &'a dyn Scope,
    tools: Tools<'a>,
    /// The values of the `let`s that enclose the place.
    locals: Vec<Value>,
    /// The predicates that enclose the place.
    frames: Vec<Frame>,
    /// Variables that were nested from their flat names.
    nested: BTreeMap<Arc<str>, Value>,
}

/// What `#` means in a predicate.
struct Frame {
    item: Value,
    index: usize,
    acc: Value,
}

/// Why there is no value.
enum Stop {
    /// A `?.` found nil: the chain around it is nil.
    Nil,
    /// A fault.
    Fault(Box<EvalError>),
}

type Outcome = Result<Value, Stop>;

impl<'a> Evaluator<'a> {
    pub(super) fn new(ast: &'a Ast, scope: &'a dyn Scope, ambient: &'a Ambient) -> Self {
        Self { ast, scope, tools: Tools::new(ambient), locals: Vec::new(), frames: Vec::new(), nested: BTreeMap::new() }
    }

    pub(super) fn run(mut self) -> Result<Value, EvalError> {
        match self.eval(self.ast.root) {
            Ok(value) => Ok(value),
            Err(Stop::Nil) => Ok(Value::Nil),
            Err(Stop::Fault(fault)) => Err(*fault),
        }
    }

    /// Evaluates a node. The parser bounds how deep this recurses.
    fn eval(&mut self, id: NodeId) -> Outcome {
        let ast = self.ast;
        self.tools.budget.step().map_err(|message| self.stop(id, message))?;
        match ast.kind(id) {
            NodeKind::Nil => Ok(Value::Nil),
            NodeKind::Bool(truth) => Ok(Value::Bool(*truth)),
            NodeKind::Int(number) => Ok(Value::Int(*number)),
            NodeKind::Float(number) => Ok(Value::Float(*number)),
            NodeKind::Str(text) => Ok(Value::Str(text.clone())),
            NodeKind::Name(name) => self.variable(id, name),
            NodeKind::Local(at) => Ok(self.locals.get(*at as usize).cloned().unwrap_or_default()),
            NodeKind::Pointer(name) => Ok(self.pointer(*name)),
            NodeKind::Unary(operator, operand) => self.unary(id, *operator, *operand),
            NodeKind::Binary(..) => self.binary(id),
            NodeKind::Member { object, property, optional, path } => {
                self.member(id, *object, *property, *optional, path.as_deref())
            }
            NodeKind::Chain(inner) => self.chain(*inner),
            NodeKind::Slice { object, from, to } => self.slice(id, *object, *from, *to),
            NodeKind::Call { callee, args } => self.call(id, *callee, args),
            NodeKind::Builtin { function, args } => self.builtin(id, *function, args),
            NodeKind::List(items) => self.list(id, items),
            NodeKind::Map(pairs) => self.map(id, pairs),
            NodeKind::Conditional { cond, then, other } => match self.truth(*cond)? {
                true => self.eval(*then),
                false => self.eval(*other),
            },
            NodeKind::Let { value, body, .. } => self.declaration(*value, *body),
            NodeKind::Sequence(parts) => self.sequence(parts),
        }
    }

    fn stop(&self, id: NodeId, message: impl Into<String>) -> Stop {
        Stop::Fault(Box::new(EvalError::new(message, self.ast.node(id).at.clone())))
    }

    fn pointer(&self, name: PointerName) -> Value {
        let Some(frame) = self.frames.last() else { return Value::Nil };
        match name {
            PointerName::Item => frame.item.clone(),
            PointerName::Index => Value::Int(frame.index as i64),
            PointerName::Acc => frame.acc.clone(),
        }
    }

    fn unary(&mut self, id: NodeId, operator: UnaryOp, operand: NodeId) -> Outcome {
        let value = self.eval(operand)?;
        operators::unary(operator, value).map_err(|message| self.stop(id, message))
    }

    /// Evaluates an operator; what leans to the left, in a loop.
    fn binary(&mut self, id: NodeId) -> Outcome {
        let mut links = Vec::new();
        let mut first = id;
        while let NodeKind::Binary(operator, left, right) = *self.ast.kind(first) {
            links.push((first, operator, left, right));
            first = left;
        }
        let mut value = self.eval(first)?;
        while let Some((node, operator, left, right)) = links.pop() {
            self.tools.budget.step().map_err(|message| self.stop(node, message))?;
            value = self.link(node, operator, value, left, right)?;
        }
        Ok(value)
    }

    /// Applies an operator whose left side is known.
    fn link(&mut self, id: NodeId, operator: BinaryOp, left: Value, left_id: NodeId, right: NodeId) -> Outcome {
        match operator {
            BinaryOp::And | BinaryOp::Or => {
                let truth = self.is_true(left_id, &left)?;
                if truth == (operator == BinaryOp::Or) {
                    return Ok(left);
                }
                self.truth(right).map(Value::Bool)
            }
            BinaryOp::Coalesce if left.is_nil() => self.eval(right),
            BinaryOp::Coalesce => Ok(left),
            _ => {
                let right = self.eval(right)?;
                operators::binary(operator, &left, &right, &mut self.tools).map_err(|message| self.stop(id, message))
            }
        }
    }

    fn truth(&mut self, id: NodeId) -> Result<bool, Stop> {
        let value = self.eval(id)?;
        self.is_true(id, &value)
    }

    fn is_true(&self, id: NodeId, value: &Value) -> Result<bool, Stop> {
        match value {
            Value::Bool(truth) => Ok(*truth),
            other => Err(self.stop(id, format!("true or false is expected here, not a {}", other.type_name()))),
        }
    }

    fn chain(&mut self, inner: NodeId) -> Outcome {
        match self.eval(inner) {
            Err(Stop::Nil) => Ok(Value::Nil),
            outcome => outcome,
        }
    }

    fn slice(&mut self, id: NodeId, object: NodeId, from: Option<NodeId>, to: Option<NodeId>) -> Outcome {
        let object = self.eval(object)?;
        let from = from.map(|from| self.eval(from)).transpose()?;
        let to = to.map(|to| self.eval(to)).transpose()?;
        let sliced = access::slice(&object, from.as_ref(), to.as_ref());
        self.made(id, sliced.map_err(|message| self.stop(id, message))?)
    }

    fn list(&mut self, id: NodeId, items: &[NodeId]) -> Outcome {
        let items = items.iter().map(|item| self.eval(*item)).collect::<Result<Vec<_>, _>>()?;
        self.made(id, Value::list(items))
    }

    fn map(&mut self, id: NodeId, pairs: &[(NodeId, NodeId)]) -> Outcome {
        let mut entries = BTreeMap::new();
        for (key_id, value_id) in pairs {
            let Value::Str(key) = self.eval(*key_id)? else {
                return Err(self.stop(*key_id, "a map's key must be a text"));
            };
            let value = self.eval(*value_id)?;
            // Of two values for one key, Go keeps the first.
            entries.entry(key).or_insert(value);
        }
        self.made(id, Value::Map(Arc::new(entries)))
    }

    /// Pays for a value that was made.
    fn made(&mut self, id: NodeId, value: Value) -> Outcome {
        self.tools.charge(&value).map_err(|message| self.stop(id, message))?;
        Ok(value)
    }

    fn declaration(&mut self, value: NodeId, body: NodeId) -> Outcome {
        let value = self.eval(value)?;
        self.locals.push(value);
        let outcome = self.eval(body);
        self.locals.pop();
        outcome
    }

    fn sequence(&mut self, parts: &[NodeId]) -> Outcome {
        let mut value = Value::Nil;
        for part in parts {
            value = self.eval(*part)?;
        }
        Ok(value)
    }
}
