//! Calls: built-in functions, functions that are values, methods of times.

use super::{Evaluator, Outcome};
use crate::expr::functions::{Builtin, Function, methods};
use crate::expr::lang::ast::{NodeId, NodeKind};
use crate::expr::value::Value;

impl Evaluator<'_> {
    pub(super) fn builtin(&mut self, id: NodeId, function: Builtin, args: &[NodeId]) -> Outcome {
        match function {
            Builtin::Predicate(predicate) => self.predicate(id, predicate, args),
            Builtin::Function(function) => {
                let args = self.arguments(args)?;
                self.apply(id, function, &args)
            }
        }
    }

    pub(super) fn call(&mut self, id: NodeId, callee: NodeId, args: &[NodeId]) -> Outcome {
        if let NodeKind::Member { object, property, path: None, .. } = self.ast.kind(callee) {
            return self.method(id, callee, *object, *property, args);
        }
        if let NodeKind::Member { object, property, path: Some(path), .. } = self.ast.kind(callee)
            && !path.starts_with("sprig.")
        {
            return self.method(id, callee, *object, *property, args);
        }
        let function = self.eval(callee)?;
        self.call_value(id, function, args)
    }

    fn call_value(&mut self, id: NodeId, function: Value, args: &[NodeId]) -> Outcome {
        let Value::Function(function) = function else {
            return Err(self.stop(id, format!("a {} cannot be called", function.type_name())));
        };
        let args = self.arguments(args)?;
        function.check_count(args.len()).map_err(|message| self.stop(id, message))?;
        self.apply(id, function, &args)
    }

    /// Calls a method of a time or duration, or a function that is a member of a map.
    fn method(&mut self, id: NodeId, callee: NodeId, object: NodeId, property: NodeId, args: &[NodeId]) -> Outcome {
        let receiver = self.eval(object)?;
        let NodeKind::Str(name) = self.ast.kind(property) else {
            let function = self.eval(callee)?;
            return self.call_value(id, function, args);
        };
        if let Value::Time(_) | Value::Duration(_) = receiver {
            let args = self.arguments(args)?;
            return methods::call(&receiver, name, &args).map_err(|message| self.stop(id, message));
        }
        let function = self.eval(callee)?;
        self.call_value(id, function, args)
    }

    fn arguments(&mut self, args: &[NodeId]) -> Result<Vec<Value>, super::Stop> {
        args.iter().map(|arg| self.eval(*arg)).collect()
    }

    fn apply(&mut self, id: NodeId, function: &'static Function, args: &[Value]) -> Outcome {
        function.apply(args, &mut self.tools).map_err(|message| self.stop(id, message))
    }
}
