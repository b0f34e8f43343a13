//! How long a run has held resources, which Argo calls `resourcesDuration`: an estimate, for people and metrics.
//!
//! Source: Argo's `resource.DurationForPod` and `UpdateResourceDurations`. There the containers of Argo's own
//! are counted too, and each container's own times; here a pod's containers share its time.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::decide::render;
use super::fold::caller_node;
use super::model::{Node, NodeType};
use super::run::Run;
use crate::base::{NodeIx, quantity};
use crate::spec;

/// By resource: for how many seconds one unit was held. The unit is a core, 100 MiB of memory, 10 GiB of
/// storage, and one of all else.
pub type ResourcesDuration = BTreeMap<String, i64>;

/// What a container is taken to hold that does not say it, in the resource's base unit.
const HELD_AT_LEAST: [(&str, f64); 2] = [("cpu", 0.1), ("memory", 100.0 * MIB)];

const MIB: f64 = 1024.0 * 1024.0;

/// What a run and its nodes have held.
pub struct ResourcesDurations {
    /// The run as a whole.
    pub run: ResourcesDuration,
    nodes: Vec<ResourcesDuration>,
}

impl ResourcesDurations {
    /// Returns what the pods of a run held that have ended.
    pub fn of(run: &Run) -> Self {
        let mut all = Self { run: ResourcesDuration::new(), nodes: vec![ResourcesDuration::new(); run.slots.len()] };
        for node in run.nodes().filter(|node| node.kind == NodeType::Pod) {
            let held = held_by(run, node);
            add(&mut all.run, &held);
            let mut within = Some(node.ix);
            while let Some(ix) = within {
                add(&mut all.nodes[ix.index()], &held);
                within = caller_node(&run.slot(ix).caller);
            }
        }
        all
    }

    /// Returns what a node held, with all that is inside it.
    pub fn node(&self, ix: NodeIx) -> &ResourcesDuration {
        &self.nodes[ix.index()]
    }
}

fn add(sum: &mut ResourcesDuration, held: &ResourcesDuration) {
    for (resource, seconds) in held {
        *sum.entry(resource.clone()).or_default() += seconds;
    }
}

fn held_by(run: &Run, node: &Node) -> ResourcesDuration {
    let slot = run.slot(node.ix);
    let mut sum = ResourcesDuration::new();
    let (Some(template), Some(end)) = (slot.template.map(|ix| run.plan.template(ix)), node.finished_at) else {
        return sum;
    };
    let seconds = end.since(slot.runs_since.unwrap_or(node.started_at)).as_secs_f64().floor();
    let keys = ["container", "containerSet", "initContainers", "script", "sidecars"];
    for container in containers(&render::part(template, &slot.texts, &keys)) {
        for (resource, amount) in amounts(container) {
            *sum.entry(resource.to_owned()).or_default() += (amount * seconds / unit(resource)) as i64;
        }
    }
    sum
}

fn containers(template: &spec::Template) -> impl Iterator<Item = &Json> {
    let main = template.container.iter().map(|container| &container.0);
    let script = template.script.iter().map(|script| &script.container.0);
    let set = template.container_set.iter().flat_map(|set| &set.containers).map(|node| &node.container.0);
    let beside = template.init_containers.iter().chain(&template.sidecars).map(|user| &user.container.0);
    main.chain(script).chain(set).chain(beside)
}

/// Returns what a container holds by resource: its requests, else its limits, else what is taken for granted.
fn amounts(container: &Json) -> BTreeMap<&str, f64> {
    let mut amounts = BTreeMap::from(HELD_AT_LEAST);
    for list in ["limits", "requests"] {
        for (resource, value) in container["resources"][list].as_object().into_iter().flatten() {
            let amount = value.as_str().map_or_else(|| value.as_f64(), quantity::amount);
            amounts.extend(amount.map(|amount| (resource.as_str(), amount)));
        }
    }
    amounts
}

/// Source: Argo's `ResourceQuantityDenominator`.
fn unit(resource: &str) -> f64 {
    match resource {
        "memory" => 100.0 * MIB,
        "storage" | "ephemeral-storage" => 10.0 * 1024.0 * MIB,
        _ => 1.0,
    }
}
