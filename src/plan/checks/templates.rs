//! That a template does exactly one thing, and that calls of it can end.

use super::{Checked, title};
use crate::plan::graph;
use crate::plan::kinds;
use crate::plan::merge::BODIES;
use crate::plan::model::{Body, Template, TemplateIx};
use crate::plan::problem::Problem;
use crate::plan::problems::Problems;
use crate::plan::rules;
use crate::plan::scopes;
use crate::spec;

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    for template in &checked.draft.templates {
        problems.extend(one_type(template));
    }
    endless(checked, problems);
}

/// Source: `validateTemplateType`.
fn one_type(template: &Template) -> Option<Problem> {
    let bodies = bodies(&template.spec);
    match bodies.as_slice() {
        [_] => None,
        [] => {
            let message = format!("{} does not say what it does", title(template));
            let help = format!("add one of `{}`", BODIES.join("`, `"));
            Some(Problem::error(rules::TEMPLATE_TYPE, template.place.clone(), message).help(help))
        }
        [first, second, ..] => {
            let message = format!("{} is both `{first}` and `{second}`", title(template));
            let problem = Problem::error(rules::TEMPLATE_TYPE, template.place.key(second), message);
            Some(problem.also(template.place.key(first), "the other is here").help("make two templates of it"))
        }
    }
}

/// Returns the fields that say what a template does, of those that are given.
fn bodies(spec: &spec::Template) -> Vec<&'static str> {
    let given = [
        spec.container.is_some(),
        spec.container_set.is_some(),
        spec.script.is_some(),
        spec.steps.is_some(),
        spec.dag.is_some(),
        spec.resource.is_some(),
        spec.suspend.is_some(),
        spec.data.is_some(),
        spec.http.is_some(),
        spec.plugin.is_some(),
    ];
    BODIES.into_iter().zip(given).filter_map(|(body, given)| given.then_some(body)).collect()
}

/// Warns of templates that call themselves, perhaps by way of others, with nothing that could
/// hold the call back: they end only where Argo's bound on depth ends them.
fn endless(checked: &Checked<'_>, problems: &mut Problems) {
    let templates = &checked.draft.templates;
    let calls: Vec<Vec<usize>> =
        templates.iter().map(|template| certain_calls(template).map(TemplateIx::index).collect()).collect();
    for cycle in graph::cycles(&calls) {
        let template = &templates[cycle[0]];
        let way: Vec<&str> = cycle.iter().chain(&cycle[..1]).map(|&ix| &*templates[ix].name).collect();
        let message = format!("templates call each other without end: {}", graph::circle(&way));
        problems.push(
            Problem::warning(rules::RECURSION, template.place.clone(), message)
                .help("give one of the calls a `when`, or a loop over a list that becomes empty"),
        );
    }
}

/// Returns the templates that are called whatever happens before.
fn certain_calls(template: &Template) -> impl Iterator<Item = TemplateIx> {
    let is_dag = matches!(template.body, Body::Dag(_));
    let certain = kinds::tasks_of(template).filter(move |task| {
        let spec = &task.spec;
        let conditional = spec.when.is_some() || scopes::Items::of(spec).exist();
        // A condition over other results than success may leave the task out.
        let selective = is_dag && spec.depends.as_deref().is_some_and(|depends| depends.contains('.'));
        !conditional && !selective
    });
    certain.filter_map(|task| task.target)
}
