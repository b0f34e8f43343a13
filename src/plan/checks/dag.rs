//! Graphs: that they have tasks, and that their two ways to name dependencies are not mixed.
//!
//! Source: `validateDAG`. Unknown dependencies and cycles are found when the graph is built.

use super::{Called, Checked, title};
use crate::expr::depends;
use crate::plan::model::{Body, Dag, Template};
use crate::plan::problem::Problem;
use crate::plan::problems::Problems;
use crate::plan::rules;
use crate::plan::scopes::Items;

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    for (template, calls) in checked.each() {
        if let Body::Dag(dag) = &template.body {
            empty(template, dag, problems);
            mixed(calls, problems);
            about_items(calls, dag, problems);
        }
    }
}

fn empty(template: &Template, dag: &Dag, problems: &mut Problems) {
    if dag.tasks.is_empty() {
        let message = format!("the DAG of {} has no tasks", title(template));
        problems.push(Problem::error(rules::EMPTY, template.place.key("dag"), message));
    }
}

fn mixed(called: &[Called<'_>], problems: &mut Problems) {
    let has_depends = |call: &&Called<'_>| call.task.spec.depends.as_deref().is_some_and(|text| !text.is_empty());
    let with_depends = called.iter().find(has_depends);
    for call in called {
        let task = &call.task.spec;
        let digit = task.name.starts_with(|c: char| c.is_ascii_digit());
        if digit && (with_depends.is_some() || !task.dependencies.is_empty()) {
            let message = format!(
                "the name `{}` begins with a digit, which `depends` and `dependencies` do not allow",
                task.name
            );
            problems.push(
                Problem::error(rules::DEPENDS_DIGIT, call.place.key("name"), message).help("begin it with a letter"),
            );
        }
        let Some(other) = with_depends else { continue };
        if !task.dependencies.is_empty() {
            let message = "`depends` and `dependencies` are both used in one DAG";
            let problem = Problem::error(rules::DEPENDS_MIXED, call.place.key("dependencies"), message);
            let help = format!("write `depends: {}`", task.dependencies.join(" && "));
            problems.push(problem.also(other.place.key("depends"), "`depends` is used here").help(help));
        }
        if task.continue_on.is_some() {
            let message = "`continueOn` has no effect where `depends` is used";
            let problem = Problem::error(rules::DEPENDS_MIXED, call.place.key("continueOn"), message);
            let help = format!("let the next task depend on `{}.Failed` or `{}.Errored` too", task.name, task.name);
            problems.push(problem.also(other.place.key("depends"), "`depends` is used here").help(help));
        }
    }
}

fn about_items(calls: &[Called<'_>], dag: &Dag, problems: &mut Problems) {
    for call in calls {
        for mention in dag.depends[call.ix].iter().flat_map(depends::Expr::tasks) {
            let Some(&other) = dag.by_name.get(mention.name) else { continue };
            let Some(result) = mention.result.filter(|result| result.is_about_items()) else { continue };
            if !Items::of(&dag.tasks[other].spec).exist() {
                let message = format!(
                    "`{}.{}` asks for the items of a loop, but `{}` does not loop",
                    mention.name,
                    result.as_str(),
                    mention.name
                );
                let problem = Problem::error(rules::DEPENDS_ITEMS, call.place.key("depends"), message)
                    .within(mention.span.clone());
                problems.push(problem.help("ask for `Succeeded` or `Failed`"));
            }
        }
    }
}
