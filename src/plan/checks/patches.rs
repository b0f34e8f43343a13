//! Patches of pods: texts that are laid over the pod when it is made.
//!
//! Source: `ApplyPodSpecPatch`, which fails the node where the text is no object, or a field cannot hold its
//! value; a field that pods do not have is dropped.

use super::{Checked, given};
use crate::expr::TemplateStr;
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::plan::rules;
use crate::source::{self, Diagnostic, Sources, Value};
use crate::spec;

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    let spec = &checked.draft.resolved.spec;
    of_patch(spec.pod_spec_patch.as_deref(), || Place::root().down("spec.podSpecPatch"), problems);
    for template in &checked.draft.templates {
        let patch = template.spec.pod_spec_patch.as_deref();
        of_patch(patch, || template.place.key("podSpecPatch"), problems);
    }
}

fn of_patch(patch: Option<&str>, place: impl Fn() -> Place, problems: &mut Problems) {
    let Some(patch) = given(patch) else { return };
    if !patch.contains("{{") {
        if let Some(fault) = unreadable(patch) {
            let message = format!("`podSpecPatch` cannot be laid over a pod: {fault}");
            problems.push(Problem::error(rules::POD, place(), message));
        } else {
            problems.extend(spec::pod_patch_faults(patch).iter().map(|fault| of_field(fault, place())));
        }
        return;
    }
    // A tag may become anything, but the words around it stay, and stay where they are.
    let blotted = TemplateStr::blot(patch, |bytes| "x".repeat(bytes));
    if unreadable(&blotted).is_none() {
        let unknown = |fault: &&Diagnostic| fault.rule == spec::rules::UNKNOWN_FIELD && is_written(fault, patch);
        problems.extend(spec::pod_patch_faults(&blotted).iter().filter(unknown).map(|fault| of_field(fault, place())));
    }
}

/// Returns why a patch is no object.
fn unreadable(patch: &str) -> Option<String> {
    let mut sources = Sources::new();
    let file = sources.add("patch", patch);
    let (documents, diagnostics) = source::read(&sources, file);
    match diagnostics.into_iter().find(Diagnostic::is_error) {
        Some(fault) => Some(fault.message),
        None if documents.first().is_none_or(|document| !matches!(document.root.value, Value::Map(_))) => {
            Some("it is no map".to_owned())
        }
        None => None,
    }
}

/// Returns the problem of a field of a patch.
fn of_field(fault: &Diagnostic, place: Place) -> Problem {
    let is_unknown = fault.rule == spec::rules::UNKNOWN_FIELD;
    let mut problem = match is_unknown {
        true => Problem::warning(rules::POD, place, format!("{}, and what is patched there is lost", fault.message)),
        false => Problem::error(rules::POD, place, fault.message.clone()),
    };
    problem.help = fault.help.clone();
    match fault.span() {
        Some(span) => problem.within(span.start as usize..span.end as usize),
        None => problem,
    }
}

/// Returns whether a fault is about something that stands in the text itself, and in no tag.
fn is_written(fault: &Diagnostic, patch: &str) -> bool {
    let part = fault.span().and_then(|span| patch.get(span.start as usize..span.end as usize));
    part.is_some_and(|part| !part.contains(['{', '}']))
}
