//! What this machine cannot run, as diagnostics at their places.

use crate::backend::local;
use crate::plan::Plan;
use crate::source::{Diagnostic, RuleId, Severity};
use crate::spec::Read;

/// The rule under which it is told.
pub const RULE: RuleId = RuleId("WF090");

/// Its meaning in one line.
pub const MEANING: &str = "the local backend cannot run this";

/// Returns what of the plan the local backend cannot run.
pub fn diagnostics(plan: &Plan, read: &Read) -> Vec<Diagnostic> {
    let span = read.document.span(&crate::source::Path::root().key("spec"));
    let unsupported = local::unsupported(plan).into_iter();
    unsupported.map(|_| Diagnostic::new(RULE, Severity::Error, Some(span), MEANING)).collect()
}
