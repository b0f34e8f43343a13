//! Builds the graph of a DAG: conditions, who waits for whom, targets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::compile::{Compiler, unreadable};
use super::graph;
use super::model::{Dag, Scope, Task, TaskIx};
use super::problem::{Place, Problem};
use super::results;
use super::rules;
use super::texts;
use crate::base::limits;
use crate::expr::{TemplateStr, depends};
use crate::source::Segment;
use crate::spec;

impl Compiler<'_> {
    pub(super) fn dag(
        &mut self,
        dag: &spec::DAGTemplate,
        scope: &Scope,
        place: &Place,
        references: &mut results::References,
    ) -> Dag {
        let at = place.key("tasks");
        let tasks = dag.tasks.iter().enumerate();
        let tasks: Vec<Task> =
            tasks.map(|(index, task)| self.task(task.clone(), scope, at.index(index), references)).collect();
        let by_name = by_name(&dag.tasks);
        let depends: Vec<Option<depends::Expr>> =
            dag.tasks.iter().enumerate().map(|(index, task)| self.condition(task, &at.index(index))).collect();
        let parents = self.parents(&dag.tasks, &depends, &by_name, &at);
        self.problems.extend(graph::cycles(&parents).iter().map(|cycle| circle(cycle, &dag.tasks, &at)));
        let depends = depends.into_iter().map(|expr| Some(graph::expand(expr?, &dag.tasks, &by_name))).collect();
        let dependents = graph::dependents(&parents);
        let (targets, target_text) = self.targets(dag, &dependents, &by_name, place);
        Dag { tasks, depends, parents, dependents, targets, target_text, by_name }
    }

    /// Reads what a task waits for; `dependencies` are a condition too.
    fn condition(&mut self, task: &spec::DAGTask, place: &Place) -> Option<depends::Expr> {
        match task.depends.as_deref().filter(|text| !text.is_empty()) {
            None if task.dependencies.is_empty() => None,
            None => Some(depends::Expr::from_dependencies(task.dependencies.iter().map(String::as_str))),
            Some(text) => match depends::parse(text) {
                Ok(expr) => Some(expr),
                Err(fault) => {
                    let mut problem = Problem::error(
                        rules::DEPENDS_SYNTAX,
                        place.key("depends"),
                        format!("`depends` of `{}` cannot be read: {}", task.name, fault.message),
                    )
                    .within(fault.at);
                    problem.help = fault.help;
                    self.problems.push(problem);
                    None
                }
            },
        }
    }

    /// Returns the tasks that each condition names, each once.
    fn parents(
        &mut self,
        tasks: &[Arc<spec::DAGTask>],
        depends: &[Option<depends::Expr>],
        by_name: &BTreeMap<Arc<str>, TaskIx>,
        place: &Place,
    ) -> Vec<Vec<TaskIx>> {
        let mut all = Vec::with_capacity(tasks.len());
        for (index, expr) in depends.iter().enumerate() {
            let mut seen = BTreeSet::new();
            let mut parents = Vec::new();
            for mention in expr.iter().flat_map(depends::Expr::tasks) {
                match by_name.get(mention.name) {
                    Some(&parent) if seen.insert(parent) => parents.push(parent),
                    Some(_) => {}
                    None => self.problems.push_error(rules::DEPENDENCY, || {
                        unknown_dependency(&mention, &tasks[index], tasks, &place.index(index))
                    }),
                }
            }
            all.push(parents);
        }
        all
    }

    fn targets(
        &mut self,
        dag: &spec::DAGTemplate,
        dependents: &[Vec<TaskIx>],
        by_name: &BTreeMap<Arc<str>, TaskIx>,
        place: &Place,
    ) -> (Vec<TaskIx>, Option<TemplateStr>) {
        let leaves = || graph::leaves(&dag.tasks, dependents);
        let Some(target) = dag.target.as_deref().filter(|target| !target.trim().is_empty()) else {
            return (leaves(), None);
        };
        if target.contains("{{") {
            return match TemplateStr::parse(target) {
                Ok(text) => (leaves(), Some(text)),
                Err(fault) => {
                    let bad =
                        texts::BadText { pointer: vec![Segment::Key("target".into())], fault, in_expression: false };
                    self.problems.push(unreadable(bad, place));
                    (leaves(), None)
                }
            };
        }
        let mut targets = Vec::new();
        for name in target.split_whitespace() {
            match by_name.get(name) {
                Some(&task) => targets.push(task),
                None => self.problems.push(
                    Problem::error(rules::TARGET, place.key("target"), format!("there is no task `{name}` to aim at"))
                        .suggest(name, dag.tasks.iter().map(|task| task.name.as_str())),
                ),
            }
        }
        (targets, None)
    }
}

fn by_name(tasks: &[Arc<spec::DAGTask>]) -> BTreeMap<Arc<str>, TaskIx> {
    tasks.iter().enumerate().rev().map(|(index, task)| (Arc::from(task.name.as_str()), index)).collect()
}

fn unknown_dependency(
    mention: &depends::TaskRef<'_>,
    task: &spec::DAGTask,
    tasks: &[Arc<spec::DAGTask>],
    place: &Place,
) -> Problem {
    let message = format!("`{}` depends on `{}`, which is no task of this DAG", task.name, mention.name);
    let names = tasks.iter().map(|task| task.name.as_str()).filter(|name| *name != task.name);
    let listed = task.dependencies.iter().position(|name| name == mention.name);
    let problem = match listed {
        Some(index) if mention.span.is_empty() => {
            Problem::error(rules::DEPENDENCY, place.key("dependencies").index(index), message)
        }
        _ => Problem::error(rules::DEPENDENCY, place.key("depends"), message).within(mention.span.clone()),
    };
    problem.suggest(mention.name, names)
}

fn circle(cycle: &[TaskIx], tasks: &[Arc<spec::DAGTask>], place: &Place) -> Problem {
    let name = |task: TaskIx| tasks[task].name.as_str();
    let edge = |task: TaskIx| {
        let field = if tasks[task].dependencies.is_empty() { "depends" } else { "dependencies" };
        place.index(task).key(field)
    };
    let way: Vec<&str> = cycle.iter().chain(cycle.first()).map(|&task| name(task)).collect();
    let message = format!("tasks wait for each other: {}", graph::circle(&way));
    let mut problem = Problem::error(rules::CYCLE, edge(cycle[0]), message)
        .says(format!("`{}` waits for `{}`", way[0], way[1]))
        .help("take one of the dependencies away");
    for (&task, pair) in cycle.iter().zip(way.windows(2)).skip(1).take(limits::CIRCLE_NAMES_MAX) {
        problem = problem.also(edge(task), format!("`{}` waits for `{}`", pair[0], pair[1]));
    }
    problem
}
