//! What this machine cannot run, as diagnostics at their places.

use crate::backend::local;
use crate::plan::Plan;
use crate::source::{Diagnostic, Path, RuleId, Severity};
use crate::spec::Read;

/// The rule under which it is told.
pub const RULE: RuleId = RuleId("WF090");

/// Its meaning in one line.
pub const MEANING: &str = "the local backend cannot run this";

/// Returns what of the plan the local backend cannot run, at the templates that have it.
pub fn diagnostics(plan: &Plan, read: &Read, is_local: bool) -> Vec<Diagnostic> {
    if !is_local {
        return Vec::new();
    }
    let diagnostic = |unsupported: local::Unsupported| {
        let span = read.document.span(&place(&unsupported.template, read));
        let message = format!("template `{}` cannot run on this machine: {}", unsupported.template, unsupported.what);
        Diagnostic::new(RULE, Severity::Error, Some(span), message).help(unsupported.help)
    };
    local::unsupported(plan).into_iter().map(diagnostic).collect()
}

/// Returns the place of the template of that name; of the spec for one that stands in another file,
/// or within a task.
fn place(template: &str, read: &Read) -> Path {
    let spec = Path::root().key("spec");
    let templates = read.manifest.workflow_spec().map(|spec| spec.templates.as_slice()).unwrap_or_default();
    match templates.iter().position(|known| known.name.as_deref() == Some(template)) {
        Some(at) => spec.key("templates").index(at).key("name"),
        None => spec,
    }
}
