//! The variables that a text may name, and what time and chance bring to it.

use std::collections::BTreeMap;

use super::value::Value;
use crate::base::Timestamp;

/// Variables by their flat dotted names, as in Argo's replace map; looked up lazily.
pub trait Scope {
    /// Returns the variable of this full name, such as `inputs.parameters.x`.
    ///
    /// `Some(Value::Nil)` is Argo's absent optional: the output of a node that was skipped.
    fn get(&self, name: &str) -> Option<Value>;

    /// Calls `each` with every variable whose first segment is `root`, by its full name.
    fn under(&self, root: &str, each: &mut dyn FnMut(&str, Value));

    /// Returns whether some variable's name goes on below `name`, as `a.b` does below `a`.
    fn has_below(&self, name: &str) -> bool {
        let root = name.split('.').next().unwrap_or(name);
        let mut found = false;
        self.under(root, &mut |full, _| found |= is_below(full, name));
        found
    }

    /// Calls `each` with the first segment of every name, repeats allowed; for suggestions
    /// and for `$env`. A scope may know none.
    fn roots(&self, _each: &mut dyn FnMut(&str)) {}
}

/// Returns whether `full` is `name`, a dot, and more.
fn is_below(full: &str, name: &str) -> bool {
    full.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
}

impl Scope for BTreeMap<String, Value> {
    fn get(&self, name: &str) -> Option<Value> {
        BTreeMap::get(self, name).cloned()
    }

    fn under(&self, root: &str, each: &mut dyn FnMut(&str, Value)) {
        for (name, value) in self.range(root.to_owned()..).take_while(|(name, _)| name.starts_with(root)) {
            if name == root || is_below(name, root) {
                each(name, value.clone());
            }
        }
    }

    fn has_below(&self, name: &str) -> bool {
        let first = format!("{name}.");
        self.range(first.clone()..).next().is_some_and(|(full, _)| full.starts_with(&first))
    }

    fn roots(&self, each: &mut dyn FnMut(&str)) {
        for name in self.keys() {
            each(name.split('.').next().unwrap_or(name));
        }
    }
}

/// What chance and time give to an evaluation. The caller decides them, and keeps them where
/// the evaluation must be repeatable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ambient {
    /// What `now()` is.
    pub now: Timestamp,
    /// From what random values are made.
    pub seed: u64,
}
