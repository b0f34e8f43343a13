//! What must have come before a node is made, read from the plan and from nothing that the engine concludes.

use super::world::World;
use crate::base::NodeIx;
use crate::engine::{Batch, Caller, Event, Run};
use crate::plan::{Body, Template, TemplateIx};

/// Checks the nodes that `batches` make, after which `run` is as it is.
pub(super) fn check(world: &World, run: &Run, batches: &[Batch]) {
    let events = batches.iter().flat_map(|batch| &batch.events);
    let made = events.filter_map(|event| match event {
        Event::Created(created) => Some(&created.caller),
        _ => None,
    });
    for fault in made.filter_map(|caller| fault(run, caller)) {
        world.violation(fault);
    }
}

fn fault(run: &Run, caller: &Caller) -> Option<String> {
    match caller {
        Caller::Task(dag, task, _) => too_early(run, *dag, *task),
        Caller::Group(steps, group) if *group > 0 => {
            let before = format!("{}[{}]", run.node(*steps).name, group - 1);
            (!is_over(run, &before)).then(|| format!("the group after `{before}` begins before its end"))
        }
        Caller::Attempt(retry, number) => too_often(run, *retry, *number),
        _ => None,
    }
}

/// I5: a task is decided when all tasks that its `depends` names are.
fn too_early(run: &Run, dag: NodeIx, task: u32) -> Option<String> {
    let (_, template) = template(run, dag)?;
    let Body::Dag(graph) = &template.body else { return None };
    let name = |task: usize| format!("{}.{}", run.node(dag).name, graph.tasks[task].name);
    let mut parents = graph.parents.get(task as usize)?.iter().map(|parent| name(*parent));
    let open = parents.find(|parent| !is_over(run, parent))?;
    Some(format!("`{}` begins before the end of `{open}`", name(task as usize)))
}

/// I7: there are as many attempts as `limit` allows, and one.
fn too_often(run: &Run, retry: NodeIx, number: u32) -> Option<String> {
    let (ix, _) = template(run, retry)?;
    let limit = run.plan().retry_strategy(ix)?.limit.as_ref()?;
    let limit: u32 = serde_json::to_value(limit).ok()?.to_string().trim_matches('"').parse().ok()?;
    (number > limit).then(|| format!("`{}` is tried again {number} times, {limit} are allowed", run.node(retry).name))
}

fn template(run: &Run, node: NodeIx) -> Option<(TemplateIx, &Template)> {
    let name = &run.node(node).template;
    let (ix, template) = run.plan().templates.iter().enumerate().find(|(_, template)| template.name == *name)?;
    Some((TemplateIx(ix as u32), template))
}

/// Returns whether nobody waits for a node any more: it has ended, or is a daemon that is up.
fn is_over(run: &Run, name: &str) -> bool {
    run.find(name).is_some_and(|node| node.phase.is_final() || node.daemoned)
}
