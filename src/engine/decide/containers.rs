//! The containers of a container set: nodes below their pod's, linked as they depend on each other.
//! Source: Argo's `executeContainerSet`, `assessNodeStatus`.
//!
//! The pod starts and orders its containers itself; here is only told how each one came out.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Decider;
use crate::base::NodeIx;
use crate::engine::event::{Caller, Created, Event};
use crate::engine::model::{NodeType, Phase};
use crate::engine::observation::{ContainerEnd, PodEnd};
use crate::spec;

impl Decider<'_> {
    /// Makes the nodes of a pod's containers, each after those that it depends on.
    pub(super) fn containers(&mut self, pod: NodeIx, set: &spec::ContainerSetTemplate) {
        let mut made: BTreeMap<&str, NodeIx> = BTreeMap::new();
        let mut left: Vec<(u32, &spec::ContainerNode)> = (0..).zip(&set.containers).collect();
        while !left.is_empty() {
            let ready =
                |node: &spec::ContainerNode| node.dependencies.iter().all(|name| made.contains_key(name.as_str()));
            // Of containers that wait for each other, which a plan refuses, the first goes first.
            let next = left.iter().position(|(_, node)| ready(node)).unwrap_or(0);
            let (number, node) = left.remove(next);
            let name = container_name(node);
            let parents = node.dependencies.iter().filter_map(|name| made.get(name.as_str()).copied()).collect();
            made.insert(name, self.container(pod, number, name, parents));
        }
    }

    fn container(&mut self, pod: NodeIx, number: u32, name: &str, parents: Vec<NodeIx>) -> NodeIx {
        let parents = if parents.is_empty() { vec![pod] } else { parents };
        let caller = Caller::Container(pod, number);
        let name = format!("{}.{name}", self.run.node(pod).name).into();
        self.create(Created::bare(name, NodeType::Container, Phase::Pending, caller, parents))
    }

    /// Ends the nodes of a pod's containers as it tells, or as it ended itself.
    pub(super) fn end_containers(&mut self, pod: NodeIx, end: &PodEnd) {
        let nodes: Vec<(NodeIx, Arc<str>)> = self.container_nodes(pod);
        for (ix, name) in nodes {
            let ended = end.containers.get(&*name).cloned().unwrap_or_else(|| unknown_end(end.phase));
            if ended.phase.is_final() {
                self.finish(ix, ended.phase, ended.message);
            }
        }
    }

    /// Ends the nodes of a pod's containers with the pod, which was given up or is gone.
    pub(super) fn give_containers_up(&mut self, pod: NodeIx, phase: Phase, message: &str) {
        for (ix, _) in self.container_nodes(pod) {
            self.finish(ix, phase, message);
        }
    }

    /// Says that the containers of a pod run.
    pub(super) fn run_containers(&mut self, pod: NodeIx) {
        for (n, _) in self.container_nodes(pod) {
            self.emit(Event::Runs { n, ip: None, host: None, up: false });
        }
    }

    pub(super) fn has_containers(&self, ix: NodeIx) -> bool {
        self.run.template_of(ix).is_some_and(|template| template.spec.container_set.is_some())
    }

    /// Collects the containers that no other depends on: what comes after the pod is linked below them.
    pub(super) fn last_containers(&self, pod: NodeIx, into: &mut Vec<NodeIx>) {
        let mut walk = vec![pod];
        let mut last = Vec::new();
        while let Some(ix) = walk.pop() {
            let own = |child: &NodeIx| self.run.node(*child).boundary == Some(pod);
            let after: Vec<NodeIx> = self.run.node(ix).children.iter().copied().filter(own).collect();
            if after.is_empty() && !last.contains(&ix) {
                last.push(ix);
            }
            walk.extend(after.into_iter().rev());
        }
        into.extend(last);
    }

    /// Returns the nodes of a pod's containers that have not ended, with the containers' names.
    fn container_nodes(&self, pod: NodeIx) -> Vec<(NodeIx, Arc<str>)> {
        let set = self.run.template_of(pod).and_then(|template| template.spec.container_set.as_ref());
        let containers = set.map_or(&[][..], |set| &set.containers);
        let nodes = containers.iter().filter_map(|container| {
            let name = container_name(container);
            let ix = self.run.find_ix(&format!("{}.{name}", self.run.node(pod).name))?;
            (!self.run.node(ix).phase.is_final()).then(|| (ix, name.into()))
        });
        nodes.collect()
    }
}

fn container_name(container: &spec::ContainerNode) -> &str {
    container.container.0.get("name").and_then(serde_json::Value::as_str).unwrap_or_default()
}

/// Returns how a container ended of which nothing was told.
fn unknown_end(pod: Phase) -> ContainerEnd {
    let message = if pod == Phase::Succeeded { "" } else { "Pod Failed whilst container running" };
    let phase = if pod == Phase::Succeeded { Phase::Succeeded } else { Phase::Failed };
    ContainerEnd { phase, message: message.to_owned() }
}
