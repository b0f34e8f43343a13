//! The variables that a text of a run may name, looked up in the run itself when asked for.
//!
//! Nothing is copied into maps: a reference costs what it refers to, however many nodes there are.

pub(super) mod calls;
pub(super) mod global;
pub(super) mod inner;
pub(super) mod item;
pub(super) mod outer;

use std::sync::Arc;

use crate::expr::Value;
use crate::plan::Scope;

/// Returns where a template was called from, in Argo's words: its kind of scope and its name.
pub(super) fn words(scope: &Scope, run: &str) -> Arc<str> {
    match scope {
        Scope::Local => format!("local/{run}").into(),
        Scope::Namespaced(name) => format!("namespaced/{name}").into(),
        Scope::Cluster(name) => format!("cluster/{name}").into(),
    }
}

/// Returns a text as a value.
pub(super) fn text(text: impl AsRef<str>) -> Value {
    Value::text(text)
}

/// Returns an artifact as expressions see it.
pub(super) fn artifact(artifact: &crate::spec::Artifact) -> Value {
    Value::from_json(&serde_json::to_value(artifact).unwrap_or_default())
}
