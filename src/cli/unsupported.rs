//! What the place of a run cannot run, as diagnostics at their places.

use std::sync::Arc;

use crate::backend::{kubernetes, local};
use crate::plan::Plan;
use crate::source::{Diagnostic, Path, RuleId, Severity};
use crate::spec::Read;

/// The rules under which it is told, with their meanings in one line.
pub const RULES: [(RuleId, &str); 2] =
    [(HERE, "the local backend cannot run this"), (IN_A_CLUSTER, "this release cannot run this in a cluster")];

const HERE: RuleId = RuleId("WF090");
const IN_A_CLUSTER: RuleId = RuleId("WF091");

/// Returns what of the plan its place cannot run, at the templates that have it.
pub fn diagnostics(plan: &Plan, read: &Read, is_local: bool) -> Vec<Diagnostic> {
    let diagnostic = |rule, template: &Arc<str>, where_: &str, what: &str, help: &'static str| {
        let span = read.document.span(&place(template, read));
        let message = format!("template `{template}` cannot run {where_}: {what}");
        Diagnostic::new(rule, Severity::Error, Some(span), message).help(help)
    };
    if is_local {
        let found = local::unsupported(plan);
        return found.iter().map(|it| diagnostic(HERE, &it.template, "on this machine", &it.what, it.help)).collect();
    }
    let found = kubernetes::unsupported(plan);
    found.iter().map(|it| diagnostic(IN_A_CLUSTER, &it.template, "in a cluster", &it.what, it.help)).collect()
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
