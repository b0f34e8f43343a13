//! The functions that take a predicate: `filter(list, # > 1)` and its kin.

use std::sync::Arc;

use super::{BinaryOp, Evaluator, Frame, Outcome, Stop, operators};
use crate::expr::functions::Predicate;
use crate::expr::lang::ast::NodeId;
use crate::expr::value::Value;

impl Evaluator<'_> {
    pub(super) fn predicate(&mut self, id: NodeId, predicate: Predicate, args: &[NodeId]) -> Outcome {
        let items = match self.eval(args[0])? {
            Value::List(items) => items,
            other => {
                let message = format!("`{}` takes a list, not a {}", predicate.name(), other.type_name());
                return Err(self.stop(args[0], message));
            }
        };
        let bytes = items.len() * std::mem::size_of::<Value>();
        self.tools.budget.bytes(bytes).map_err(|message| self.stop(id, message))?;
        let init =
            if predicate == Predicate::Reduce { args.get(2).map(|init| self.eval(*init)).transpose()? } else { None };
        let depth = self.frames.len();
        self.frames.push(Frame { item: Value::Nil, index: 0, acc: Value::Nil });
        let outcome = self.looped(id, predicate, args, &items, init);
        self.frames.truncate(depth);
        match outcome? {
            made @ (Value::List(_) | Value::Pairs(_)) if predicate.makes() => self.made(id, made),
            other => Ok(other),
        }
    }

    fn looped(
        &mut self,
        id: NodeId,
        predicate: Predicate,
        args: &[NodeId],
        items: &Arc<Vec<Value>>,
        init: Option<Value>,
    ) -> Outcome {
        let body = args.get(1).copied();
        match (predicate, body) {
            (Predicate::Sum, body) => self.sum(id, items, body),
            (Predicate::Count, body) => self.count(items, body, args[0]).map(|count| Value::Int(count as i64)),
            (_, None) => Err(self.stop(id, format!("`{}` takes a predicate", predicate.name()))),
            (Predicate::All, Some(body)) => Ok(Value::Bool(self.position(items, body, false, false)?.is_none())),
            (Predicate::None, Some(body)) => Ok(Value::Bool(self.position(items, body, true, false)?.is_none())),
            (Predicate::Any, Some(body)) => Ok(Value::Bool(self.position(items, body, true, false)?.is_some())),
            (Predicate::One, body) => Ok(Value::Bool(self.count(items, body, args[0])? == 1)),
            (Predicate::Filter, Some(body)) => self.filter(items, body),
            (Predicate::Map, Some(body)) => self.mapped(items, body),
            (Predicate::Find, Some(body)) => self.found(items, body, false),
            (Predicate::FindLast, Some(body)) => self.found(items, body, true),
            (Predicate::FindIndex, Some(body)) => self.place(items, body, false),
            (Predicate::FindLastIndex, Some(body)) => self.place(items, body, true),
            (Predicate::GroupBy, Some(body)) => self.grouped(id, items, body),
            (Predicate::SortBy, Some(body)) => self.sorted(id, items, body, args.get(2).copied()),
            (Predicate::Reduce, Some(body)) => self.reduced(id, items, body, init),
        }
    }

    /// Evaluates the body for one item.
    fn at(&mut self, items: &[Value], index: usize, body: NodeId) -> Outcome {
        if let Some(frame) = self.frames.last_mut() {
            frame.item = items[index].clone();
            frame.index = index;
        }
        self.eval(body)
    }

    fn holds_at(&mut self, items: &[Value], index: usize, body: NodeId) -> Result<bool, Stop> {
        let value = self.at(items, index, body)?;
        self.is_true(body, &value)
    }

    /// Returns the first place, or the last, at which the body comes to `wanted`.
    fn position(&mut self, items: &[Value], body: NodeId, wanted: bool, from_end: bool) -> Result<Option<usize>, Stop> {
        for step in 0..items.len() {
            let index = if from_end { items.len() - 1 - step } else { step };
            if self.holds_at(items, index, body)? == wanted {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    fn found(&mut self, items: &[Value], body: NodeId, from_end: bool) -> Outcome {
        let place = self.position(items, body, true, from_end)?;
        Ok(place.map_or(Value::Nil, |place| items[place].clone()))
    }

    fn place(&mut self, items: &[Value], body: NodeId, from_end: bool) -> Outcome {
        let place = self.position(items, body, true, from_end)?;
        Ok(place.map_or(Value::Nil, |place| Value::Int(place as i64)))
    }

    fn filter(&mut self, items: &[Value], body: NodeId) -> Outcome {
        let mut kept = Vec::new();
        for index in 0..items.len() {
            if self.holds_at(items, index, body)? {
                kept.push(items[index].clone());
            }
        }
        Ok(Value::list(kept))
    }

    fn mapped(&mut self, items: &[Value], body: NodeId) -> Outcome {
        (0..items.len()).map(|index| self.at(items, index, body)).collect::<Result<Vec<_>, _>>().map(Value::list)
    }

    /// Counts the items for which the body holds, or that are true where there is none.
    fn count(&mut self, items: &[Value], body: Option<NodeId>, list: NodeId) -> Result<usize, Stop> {
        let mut count = 0;
        for (index, item) in items.iter().enumerate() {
            let counts = match body {
                Some(body) => self.holds_at(items, index, body)?,
                None => self.is_true(list, item)?,
            };
            count += usize::from(counts);
        }
        Ok(count)
    }

    fn sum(&mut self, id: NodeId, items: &[Value], body: Option<NodeId>) -> Outcome {
        let mut sum = Value::Int(0);
        for (index, item) in items.iter().enumerate() {
            let part = match body {
                Some(body) => self.at(items, index, body)?,
                None => item.clone(),
            };
            sum = operators::binary(BinaryOp::Add, &sum, &part, &mut self.tools)
                .map_err(|message| self.stop(id, message))?;
        }
        Ok(sum)
    }

    fn grouped(&mut self, id: NodeId, items: &[Value], body: NodeId) -> Outcome {
        let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
        for index in 0..items.len() {
            let key = self.at(items, index, body)?;
            if matches!(key, Value::List(_) | Value::Map(_) | Value::Pairs(_) | Value::Function(_)) {
                return Err(self.stop(body, format!("a {} cannot be the key of a group", key.type_name())));
            }
            self.tools.compare(&key, groups.len()).map_err(|message| self.stop(id, message))?;
            match groups.iter_mut().find(|(known, _)| known.equals(&key)) {
                Some((_, members)) => members.push(items[index].clone()),
                None => groups.push((key, vec![items[index].clone()])),
            }
        }
        let pairs = groups.into_iter().map(|(key, members)| (key, Value::list(members))).collect();
        Ok(Value::Pairs(Arc::new(pairs)))
    }

    fn sorted(&mut self, id: NodeId, items: &[Value], body: NodeId, order: Option<NodeId>) -> Outcome {
        let order = order.map(|order| self.eval(order)).transpose()?;
        let mut keyed = Vec::with_capacity(items.len());
        for index in 0..items.len() {
            keyed.push((self.at(items, index, body)?, items[index].clone()));
        }
        crate::expr::functions::lists::sort_by_key(&mut keyed, order.as_ref())
            .map_err(|message| self.stop(id, message))?;
        Ok(Value::list(keyed.into_iter().map(|(_, item)| item).collect()))
    }

    fn reduced(&mut self, id: NodeId, items: &[Value], body: NodeId, init: Option<Value>) -> Outcome {
        let start = usize::from(init.is_none());
        let first = init.or_else(|| items.first().cloned());
        let Some(mut acc) = first else {
            return Err(self.stop(id, "an empty list cannot be reduced without a start value"));
        };
        for index in start..items.len() {
            if let Some(frame) = self.frames.last_mut() {
                frame.acc = acc;
            }
            acc = self.at(items, index, body)?;
        }
        Ok(acc)
    }
}
