//! Which template a call means, as far as its own words say.

use super::problem::Place;
use crate::spec;

/// What a step, a task or a hook calls.
pub(super) enum Callee {
    /// The template that stands in the call.
    Inline,
    /// A template of the same object.
    Named(String),
    /// A template of another object.
    Referred(spec::TemplateRef),
    /// The name, or the reference, has tags, and is known only when it runs.
    Dynamic(Option<spec::TemplateRef>),
    /// The words make no sense.
    Faulty(Fault),
}

/// Why a call's words make no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It names nothing.
    Nothing,
    /// It has both a name and a reference.
    Both,
    /// The reference names no object.
    NoObject,
    /// The reference names no template.
    NoTemplate,
}

impl Callee {
    /// Returns what a step or task calls. Source: `validateTemplateHolder`, `TemplateContext.GetTemplate`.
    pub fn of_task(task: &spec::DAGTask) -> Self {
        match &task.inline {
            Some(_) => Self::Inline,
            None => Self::of(task.template.as_deref(), task.template_ref.as_deref()),
        }
    }

    /// Returns what a hook calls.
    pub fn of_hook(hook: &spec::LifecycleHook) -> Self {
        Self::of(hook.template.as_deref(), hook.template_ref.as_deref())
    }

    fn of(template: Option<&str>, reference: Option<&spec::TemplateRef>) -> Self {
        let template = template.filter(|name| !name.is_empty());
        match (template, reference) {
            (None, None) => Self::Faulty(Fault::Nothing),
            (Some(_), Some(_)) => Self::Faulty(Fault::Both),
            (Some(name), None) if has_tags(name) => Self::Dynamic(None),
            (Some(name), None) => Self::Named(name.to_owned()),
            (None, Some(reference)) => Self::of_reference(reference),
        }
    }

    fn of_reference(reference: &spec::TemplateRef) -> Self {
        let object = reference.name.as_deref().unwrap_or_default();
        let template = reference.template.as_deref().unwrap_or_default();
        if object.is_empty() {
            Self::Faulty(Fault::NoObject)
        } else if template.is_empty() {
            Self::Faulty(Fault::NoTemplate)
        } else if has_tags(object) || has_tags(template) {
            Self::Dynamic(Some(reference.clone()))
        } else {
            Self::Referred(reference.clone())
        }
    }
}

fn has_tags(text: &str) -> bool {
    text.contains("{{")
}

impl Fault {
    /// Returns what is wrong.
    pub fn message(self) -> &'static str {
        match self {
            Self::Nothing => "nothing is called here",
            Self::Both => "`template` and `templateRef` are both given",
            Self::NoObject => "`templateRef` does not name an object",
            Self::NoTemplate => "`templateRef` does not name a template",
        }
    }

    /// Returns how to mend it.
    pub fn help(self) -> &'static str {
        match self {
            Self::Nothing => "add `template`, `templateRef` or `inline`",
            Self::Both => "keep the one that is meant",
            Self::NoObject => "add `name`, the name of a WorkflowTemplate",
            Self::NoTemplate => "add `template`, the name of one of its templates",
        }
    }
}

/// Returns every call of a template, those of inline templates included, each with its place.
/// Recursion is bounded by the depth of the manifest.
pub(super) fn calls(template: &spec::Template, place: &Place) -> Vec<(Callee, Place)> {
    let mut found = Vec::new();
    let groups = template.steps.iter().flatten().enumerate();
    for (group, step, index) in
        groups.flat_map(|(group, steps)| steps.iter().enumerate().map(move |(index, step)| (group, step, index)))
    {
        let place = place.key("steps").index(group).index(index);
        let callee = match &step.inline {
            Some(_) => Callee::Inline,
            None => Callee::of(step.template.as_deref(), step.template_ref.as_deref()),
        };
        of_task(callee, step.inline.as_deref(), step.on_exit.as_deref(), &step.hooks, place, &mut found);
    }
    for (index, task) in template.dag.iter().flat_map(|dag| dag.tasks.iter().enumerate()) {
        let place = place.key("dag").key("tasks").index(index);
        of_task(Callee::of_task(task), task.inline.as_deref(), task.on_exit.as_deref(), &task.hooks, place, &mut found);
    }
    found
}

fn of_task(
    callee: Callee,
    inline: Option<&spec::Template>,
    on_exit: Option<&str>,
    hooks: &spec::LifecycleHooks,
    place: Place,
    found: &mut Vec<(Callee, Place)>,
) {
    found.extend(of_hooks(on_exit, hooks, &place));
    found.extend(inline.into_iter().flat_map(|inline| calls(inline, &place.key("inline"))));
    found.push((callee, place));
}

/// Returns what hooks and an exit handler call.
pub(super) fn of_hooks(on_exit: Option<&str>, hooks: &spec::LifecycleHooks, place: &Place) -> Vec<(Callee, Place)> {
    let hook = |(name, hook): (&String, &spec::LifecycleHook)| (Callee::of_hook(hook), place.key("hooks").key(name));
    let handler =
        on_exit.filter(|name| !name.is_empty()).map(|name| (Callee::of(Some(name), None), place.key("onExit")));
    hooks.iter().map(hook).chain(handler).collect()
}
