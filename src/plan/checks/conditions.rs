//! Conditions of calls: `when` can be read, hooks say when they are called.

use super::Checked;
use crate::expr::{TemplateStr, when};
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::plan::rules;
use crate::spec;

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    let spec = Place::root().key("spec");
    hooks(&checked.draft.resolved.spec.hooks, &spec, problems);
    for (_, calls) in checked.each() {
        for call in calls {
            problems.extend(call.task.spec.when.as_deref().and_then(|text| unreadable(text, &call.place.key("when"))));
            hooks(&call.task.spec.hooks, &call.place, problems);
        }
    }
}

/// Source: `validateHooks`.
fn hooks(hooks: &spec::LifecycleHooks, place: &Place, problems: &mut Problems) {
    for (name, hook) in hooks {
        if name != "exit" && hook.expression.as_deref().unwrap_or_default().is_empty() {
            let message = format!("the hook `{name}` does not say when it is called");
            let place = place.key("hooks").key(name);
            problems.push(
                Problem::error(rules::HOOK, place, message).help("add `expression`; only the hook `exit` needs none"),
            );
        }
    }
}

/// Returns what is wrong with a condition. One that has tags is read with a word in the place of
/// each, which is what most become; as another may make sense, that it makes none is a warning.
fn unreadable(text: &str, place: &Place) -> Option<Problem> {
    if text.trim().is_empty() {
        return None;
    }
    if !text.contains("{{") {
        let fault = when::parse(text).err()?;
        let message = format!("`when` cannot be read: {}", fault.message);
        let mut problem = Problem::error(rules::WHEN_SYNTAX, place.clone(), message).within(fault.at);
        problem.help = fault.help;
        return Some(problem);
    }
    let fault = when::parse(&TemplateStr::blot(text, |_| "x".to_owned())).err()?;
    let message = format!("`when` cannot be read once its tags are replaced: {}", fault.message);
    Some(Problem::warning(rules::WHEN_SYNTAX, place.clone(), message))
}
