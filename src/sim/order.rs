//! What must have come before a node is made, read from the plan and from nothing that the engine concludes.

use super::world::World;
use crate::base::NodeIx;
use crate::engine::{Batch, Caller, Event, NodeType, Phase, Run};
use crate::plan::{Body, Template, TemplateIx};

/// Checks the nodes that `batches` make, after which `run` is as it is.
pub(super) fn check(world: &World, run: &Run, batches: &[Batch]) {
    let events = batches.iter().flat_map(|batch| &batch.events);
    let made = events.filter_map(|event| match event {
        Event::Created(created) => Some(&created.caller),
        _ => None,
    });
    let events = batches.iter().flat_map(|batch| &batch.events);
    let ended = events.filter_map(|event| if let Event::Finished { n, .. } = event { Some(*n) } else { None });
    let early = made.filter_map(|caller| fault(run, caller));
    for fault in early.chain(ended.filter_map(|node| open_container(run, node))) {
        world.violation(fault);
    }
}

/// A node ends with its containers; and one of these can only end well after those that it depends on.
fn open_container(run: &Run, pod: NodeIx) -> Option<String> {
    let pod = run.node(pod);
    let (_, template) = template(run, pod.ix)?;
    let set = template.spec.container_set.as_ref().filter(|_| pod.kind == NodeType::Pod)?;
    let node = |container: &str| run.find(&format!("{}.{container}", pod.name));
    set.containers.iter().find_map(|member| {
        let container = node(member.container["name"].as_str()?)?;
        if pod.phase.is_final() && !container.phase.is_final() {
            return Some(format!("`{}` has ended, and its container `{}` has not", pod.name, container.name));
        }
        let is_good = |name: &String| node(name).is_some_and(|before| before.phase == Phase::Succeeded);
        let is_too_good = container.phase == Phase::Succeeded && !member.dependencies.iter().all(is_good);
        is_too_good.then(|| format!("`{}` succeeded, and one that it depends on did not", container.name))
    })
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
