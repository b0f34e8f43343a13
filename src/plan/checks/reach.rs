//! What nothing leads to: templates that are never called, values that are never read.

use std::collections::BTreeSet;

use super::{Checked, Purpose, title};
use crate::plan::kinds;
use crate::plan::model::{Scope, Template};
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::plan::rules;

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    if checked.purpose != Purpose::Library {
        unused_templates(checked, problems);
        unused_arguments(checked, problems);
    }
    for template in &checked.draft.templates {
        unused_inputs(template, problems);
    }
}

/// Templates of the workflow itself that are on no way from its entrypoint, its exit handler or its
/// hooks. Where some call is known only when it runs, any template may be the one.
fn unused_templates(checked: &Checked<'_>, problems: &mut Problems) {
    let draft = checked.draft;
    let Some(entrypoint) = draft.entrypoint.filter(|_| draft.resolved.spec.workflow_template_ref.is_none()) else {
        return;
    };
    let roots = [entrypoint].into_iter().chain(draft.on_exit).chain(draft.hooks.values().copied());
    let reached = kinds::reachable(draft, roots);
    let calls_any = draft.templates.iter().flat_map(kinds::tasks_of).any(|task| task.target.is_none());
    if calls_any {
        return;
    }
    for (template, _) in draft.templates.iter().zip(reached).filter(|(_, reached)| !reached) {
        if template.scope == Scope::Local && !kinds::is_inline(template) {
            let message = format!("nothing calls {}", title(template));
            let problem = Problem::warning(rules::TEMPLATE_UNUSED, template.place.clone(), message);
            problems.push(problem.help("call it, take it away, or move it to a WorkflowTemplate that others use"));
        }
    }
}

/// Inputs that no text of the template names. Any mention counts, so that nothing is told wrongly.
fn unused_inputs(template: &Template, problems: &mut Problems) {
    let Some(inputs) = template.spec.inputs.as_ref().filter(|inputs| !inputs.parameters.is_empty()) else { return };
    // A suspended node shows its inputs, and may give them back as outputs of the same name.
    if template.spec.suspend.is_some() {
        return;
    }
    let text = serde_json::to_string(&*template.spec).unwrap_or_default();
    let Some(mentioned) = mentioned(&text, "inputs.parameters") else { return };
    for (index, input) in inputs.parameters.iter().enumerate() {
        if !mentioned.contains(input.name.as_str()) {
            let place = template.place.down("inputs.parameters").index(index);
            let message = format!("nothing in {} reads the input `{}`", title(template), input.name);
            problems.push(Problem::warning(rules::INPUT_UNUSED, place, message).help("use it, or take it away"));
        }
    }
}

/// Parameters of the workflow that none of its texts names, and that are no input of its entrypoint.
fn unused_arguments(checked: &Checked<'_>, problems: &mut Problems) {
    let draft = checked.draft;
    let Some(arguments) = draft.resolved.spec.arguments.as_ref().filter(|given| !given.parameters.is_empty()) else {
        return;
    };
    let entry = draft.entrypoint.and_then(|entry| draft.templates[entry.index()].spec.inputs.as_ref());
    let taken: BTreeSet<&str> =
        entry.iter().flat_map(|inputs| &inputs.parameters).map(|input| input.name.as_str()).collect();
    let text = serde_json::to_string(&draft.resolved).unwrap_or_default();
    let Some(mentioned) = mentioned(&text, "workflow.parameters").filter(|names| !names.contains("json")) else {
        return;
    };
    for (index, parameter) in arguments.parameters.iter().enumerate() {
        let name = parameter.name.as_str();
        if !taken.contains(name) && !mentioned.contains(name) {
            let place = Place::root().down("spec.arguments.parameters").index(index);
            let message = format!("nothing reads the parameter `{name}` of the workflow");
            problems.push(Problem::warning(rules::INPUT_UNUSED, place, message).help("use it, or take it away"));
        }
    }
}

/// Returns the names that a text mentions as `ROOT.NAME` or `ROOT['NAME']`; none where it mentions the
/// whole of `ROOT`, or a part that is known only when it runs.
fn mentioned<'t>(text: &'t str, root: &str) -> Option<BTreeSet<&'t str>> {
    let name = |(at, _): (usize, &str)| {
        let rest = &text[at + root.len()..];
        let rest = rest.strip_prefix('.').or_else(|| rest.strip_prefix("['")).filter(|rest| !rest.starts_with('{'))?;
        let end = rest.find(|c: char| !(c.is_alphanumeric() || "_-".contains(c))).unwrap_or(rest.len());
        Some(&rest[..end])
    };
    text.match_indices(root).map(name).collect()
}
