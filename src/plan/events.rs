//! What a WorkflowEventBinding says: which events it takes, and what it submits.
//!
//! Argo's lint looks at none, and its server logs what it cannot read when an event comes.

use super::collect;
use super::library::Library;
use super::problem::{Place, Problem};
use super::resolve::scope_of;
use super::rules;
use crate::expr::lang;
use crate::spec;

/// Returns what is wrong with a binding. Places are those of its document.
pub(super) fn check(binding: &spec::WorkflowEventBinding, library: &Library) -> Vec<Problem> {
    let mut problems = Vec::new();
    let place = Place::root().key("spec");
    let selector = binding.spec.event.selector.as_str();
    match selector.trim() {
        "" => {
            let problem = Problem::error(rules::EXPRESSION, place.clone(), "the binding takes no event");
            problems.push(problem.help("add `event.selector`, such as `discriminator == 'build'`"));
        }
        _ => problems.extend(unreadable(selector, place.down("event.selector"))),
    }
    let Some(submit) = &binding.spec.submit else { return problems };
    let place = place.key("submit");
    let reference = &submit.workflow_template_ref;
    if reference.name.as_deref().unwrap_or_default().is_empty() {
        let problem = Problem::error(rules::CALL, place.clone(), "the binding does not say which template it submits");
        problems.push(problem.help("add `workflowTemplateRef.name`"));
    } else if library.object(&scope_of(reference)).is_none() {
        problems.push(collect::missing(&scope_of(reference), library, &place.key("workflowTemplateRef")));
    }
    let parameters = submit.arguments.iter().flat_map(|arguments| &arguments.parameters).enumerate();
    problems.extend(parameters.filter_map(|(index, parameter)| {
        let event = parameter.value_from.as_ref()?.event.as_deref().filter(|event| !event.is_empty())?;
        unreadable(event, place.down("arguments.parameters").index(index).down("valueFrom.event"))
    }));
    problems
}

fn unreadable(text: &str, place: Place) -> Option<Problem> {
    let fault = lang::parse(text).err()?;
    let message = format!("the expression cannot be read: {}", fault.message);
    let mut problem = Problem::error(rules::EXPRESSION, place, message).within(fault.at);
    problem.help = fault.help;
    Some(problem)
}
