//! The functions of expressions: what Go's expr has built in, what Argo adds to it, and the
//! pure ones of sprig.
//!
//! **Invariant:** a function gets its arguments, a budget, and time and chance as values; it
//! asks the outside for nothing.

pub mod access;
pub mod builtins;
pub mod call;
pub mod chance;
pub mod convert;
pub mod dates;
pub mod durations;
pub mod jq;
pub mod jsonpath;
pub mod lists;
pub mod math;
pub mod methods;
pub mod regex;
pub mod sprig;
pub mod strings;

use super::value::Value;

pub use builtins::{Builtin, Predicate};
pub use call::{Call, Function, Tools};
pub use jq::{jq, jq_fault};
pub use jsonpath::jsonpath;

/// The names that Argo adds to every scope (`util/expr/env`). They win over variables.
pub const GLOBALS: [&str; 5] = ["asInt", "asFloat", "jsonpath", "toJson", "sprig"];

/// Returns whether a full name is one of Argo's own, or a function under `sprig`.
pub fn is_global(name: &str) -> bool {
    GLOBALS.contains(&name) || name.starts_with("sprig.")
}

/// Returns what one of Argo's own names stands for.
pub fn global(name: &str) -> Option<Value> {
    match name {
        "sprig" => Some(sprig::as_map()),
        _ => builtins::ARGO.iter().find(|function| function.name == name).map(Value::Function),
    }
}

/// Returns a function of sprig.
pub fn sprig(name: &str) -> Option<&'static Function> {
    sprig::find(name)
}

/// Returns the names of all functions that need no `sprig.` before them.
pub fn names() -> impl Iterator<Item = &'static str> {
    GLOBALS.into_iter().chain(Builtin::names())
}

/// Returns the names of sprig's functions, unsupported ones included.
pub fn sprig_names() -> impl Iterator<Item = &'static str> {
    sprig::names()
}
