//! Which template a call means, as far as its own words say.

use crate::spec;

/// What a step, a task or a hook calls.
pub(super) enum Callee {
    /// The template that stands in the call.
    Inline,
    /// A template of the same object.
    Named(String),
    /// A template of another object.
    Referred(spec::TemplateRef),
    /// The name has tags, and is known only when it runs.
    Dynamic,
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
            None => Self::of(task.template.as_deref(), task.template_ref.as_ref()),
        }
    }

    /// Returns what a hook calls.
    pub fn of_hook(hook: &spec::LifecycleHook) -> Self {
        Self::of(hook.template.as_deref(), hook.template_ref.as_ref())
    }

    fn of(template: Option<&str>, reference: Option<&spec::TemplateRef>) -> Self {
        let template = template.filter(|name| !name.is_empty());
        match (template, reference) {
            (None, None) => Self::Faulty(Fault::Nothing),
            (Some(_), Some(_)) => Self::Faulty(Fault::Both),
            (Some(name), None) if has_tags(name) => Self::Dynamic,
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
            Self::Dynamic
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
