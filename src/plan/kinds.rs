//! What a template is, and which others it leads to.

use super::compile::Draft;
use super::model::{Body, Task, Template, TemplateIx};
use crate::source::Segment;
use crate::spec;

/// Returns whether a template runs a pod. Source: `Template.IsPodType`.
pub(super) fn is_pod(template: &spec::Template) -> bool {
    template.container.is_some()
        || template.container_set.is_some()
        || template.script.is_some()
        || template.resource.is_some()
        || template.data.is_some()
}

/// Returns whether a template does something itself. Source: `Template.IsLeaf`.
pub(super) fn is_leaf(template: &spec::Template) -> bool {
    is_pod(template) || template.http.is_some() || template.plugin.is_some()
}

/// Returns whether a template has a result and an exit code. Source: `Template.HasOutput`.
pub(super) fn has_result(template: &spec::Template) -> bool {
    let has_main =
        |set: &spec::ContainerSetTemplate| set.containers.iter().any(|container| container.container["name"] == "main");
    template.container.is_some()
        || template.script.is_some()
        || template.data.is_some()
        || template.http.is_some()
        || template.plugin.is_some()
        || template.container_set.as_ref().is_some_and(has_main)
}

/// Returns, by template, whether it may run before the run has ended: whether it can be reached
/// from the entrypoint, or from nothing at all where there is no handler for the end.
pub(super) fn runs_before_end(draft: &Draft) -> Vec<bool> {
    let reached = reachable(draft, draft.entrypoint);
    if draft.on_exit.is_none() && draft.hooks.is_empty() {
        return vec![true; draft.templates.len()];
    }
    reached
}

/// Returns, by template, whether it can be reached from some.
pub(super) fn reachable(draft: &Draft, from: impl IntoIterator<Item = TemplateIx>) -> Vec<bool> {
    let mut reached = vec![false; draft.templates.len()];
    let mut queue: Vec<_> = from.into_iter().collect();
    while let Some(ix) = queue.pop() {
        if std::mem::replace(&mut reached[ix.index()], true) {
            continue;
        }
        for task in tasks_of(&draft.templates[ix.index()]) {
            queue.extend(task.target);
            queue.extend(task.hooks.values().copied());
        }
    }
    reached
}

/// Returns the steps or tasks of a template.
pub(super) fn tasks_of(template: &Template) -> Box<dyn Iterator<Item = &Task> + '_> {
    match &template.body {
        Body::Steps(groups) => Box::new(groups.iter().flatten()),
        Body::Dag(dag) => Box::new(dag.tasks.iter()),
        _ => Box::new(std::iter::empty()),
    }
}

/// Returns whether a template stands in a call of another one.
pub(super) fn is_inline(template: &Template) -> bool {
    template.place.path.last().is_some_and(|last| *last == Segment::Key("inline".into()))
}
