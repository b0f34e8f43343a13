//! What an inline template may name of the place that it stands in: the steps before it, the item of
//! the loop, the inputs of the template around it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::expr::{Scope, TemplateStr, Value};

/// Variables with their values, as they were when the call was made: a loop's item, or what a step
/// before it made, cannot be looked up any more when a second attempt begins.
pub type Outer = BTreeMap<Arc<str>, Json>;

/// Returns what `texts` name and `scope` knows.
pub(in crate::engine) fn named<'t>(texts: impl Iterator<Item = &'t TemplateStr>, scope: &dyn Scope) -> Outer {
    let mut outer = Outer::new();
    for variable in texts.flat_map(TemplateStr::variables) {
        if let Some(value) = scope.get(&variable.name) {
            outer.insert(variable.name.as_ref().into(), value.to_json());
            continue;
        }
        // An expression may take a whole, such as all outputs of a step.
        let root = variable.name.split('.').next().unwrap_or_default();
        scope.under(root, &mut |full, value| {
            if is_at_or_below(full, &variable.name) {
                outer.insert(full.into(), value.to_json());
            }
        });
    }
    // The run's own words are known to every template, and some of them change.
    outer.retain(|name, _| !name.starts_with("workflow."));
    outer
}

/// What stands around an inline template; nothing around any other.
pub(in crate::engine) struct Around<'o>(pub Option<&'o Outer>);

impl Around<'_> {
    fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Json)> {
        self.0.into_iter().flatten()
    }
}

impl Scope for Around<'_> {
    fn get(&self, name: &str) -> Option<Value> {
        self.0?.get(name).map(Value::from_json)
    }

    fn under(&self, root: &str, each: &mut dyn FnMut(&str, Value)) {
        for (name, value) in self.iter().filter(|(name, _)| is_at_or_below(name, root)) {
            each(name, Value::from_json(value));
        }
    }

    fn roots(&self, each: &mut dyn FnMut(&str)) {
        for (name, _) in self.iter() {
            each(name.split('.').next().unwrap_or(name));
        }
    }
}

fn is_at_or_below(full: &str, name: &str) -> bool {
    full.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
