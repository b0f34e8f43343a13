//! Patches of pods: texts that are laid over the pod when it is made.
//!
//! Source: `ApplyPodSpecPatch`, which fails the node where the text is no object.

use super::{Checked, given};
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::plan::rules;
use crate::source::{self, Diagnostic, Sources, Value};

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    let spec = &checked.draft.resolved.spec;
    problems.extend(unreadable(spec.pod_spec_patch.as_deref(), || Place::root().down("spec.podSpecPatch")));
    for template in &checked.draft.templates {
        let patch = template.spec.pod_spec_patch.as_deref();
        problems.extend(unreadable(patch, || template.place.key("podSpecPatch")));
    }
}

/// Returns the problem of a patch that is no object. What has tags may become one.
fn unreadable(patch: Option<&str>, place: impl FnOnce() -> Place) -> Option<Problem> {
    let patch = given(patch).filter(|patch| !patch.contains("{{"))?;
    let mut sources = Sources::new();
    let file = sources.add("patch", patch);
    let (documents, diagnostics) = source::read(&sources, file);
    let fault = match diagnostics.into_iter().find(Diagnostic::is_error) {
        Some(fault) => fault.message,
        None if documents.first().is_none_or(|document| !matches!(document.root.value, Value::Map(_))) => {
            "it is no map".to_owned()
        }
        None => return None,
    };
    Some(Problem::error(rules::POD, place(), format!("`podSpecPatch` cannot be laid over a pod: {fault}")))
}
