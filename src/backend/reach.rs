//! Which templates a run can come to: what no run comes to may be whatever it is.

use std::collections::BTreeSet;

use crate::plan::{Body, Plan, Task, TemplateIx};

/// Returns the templates that a run can come to, in the plan's order; all when a name is known only
/// while it runs.
pub(super) fn reachable(plan: &Plan) -> BTreeSet<TemplateIx> {
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<TemplateIx> = [plan.entrypoint].into_iter().chain(plan.on_exit).collect();
    waiting.extend(plan.hooks.values());
    while let Some(ix) = waiting.pop() {
        if !reached.insert(ix) {
            continue;
        }
        for task in tasks(&plan.template(ix).body) {
            match task.target {
                Some(target) => waiting.push(target),
                None => waiting.extend(plan.by_name.values()),
            }
            waiting.extend(task.hooks.values());
        }
    }
    reached
}

fn tasks(body: &Body) -> Vec<&Task> {
    match body {
        Body::Steps(groups) => groups.iter().flatten().collect(),
        Body::Dag(dag) => dag.tasks.iter().collect(),
        Body::Pod | Body::Suspend | Body::Http | Body::Plugin => Vec::new(),
    }
}
