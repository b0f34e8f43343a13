//! From the engine's run to the view model.

use std::collections::BTreeMap;

use serde_json::Value;

use super::model::{NodeView, RunView};
use crate::base::{NodeIx, Timestamp};
use crate::engine::durations::{ResourcesDuration, ResourcesDurations};
use crate::engine::{Node, Parameter, Run};

impl RunView {
    /// Returns the view of `run` at `now` with what its pods have held of resources, which looks into the
    /// template of each.
    pub fn measured(run: &Run, now: Timestamp) -> Self {
        let held = ResourcesDurations::of(run);
        let mut view = Self::new(run, now);
        view.nodes.iter_mut().for_each(|node| node.held = held.node(node.ix).clone());
        Self { held: held.run, ..view }
    }

    /// Returns the view of `run` at `now`. It walks the whole run: for `get`, not for each change.
    pub fn new(run: &Run, now: Timestamp) -> Self {
        let name = run.name().to_string();
        let places: BTreeMap<NodeIx, usize> = run.nodes().enumerate().map(|(place, node)| (node.ix, place)).collect();
        let place = |ix: &NodeIx| places.get(ix).copied();
        let view = |node: &Node| NodeView { memo: run.memo(node.ix).cloned(), ..NodeView::placed(node, &name, place) };
        let nodes = run.nodes().map(view).collect();
        let resolved = &run.plan().resolved;
        let metadata = serde_json::to_value(&resolved.metadata).unwrap_or_default();
        let spec = serde_json::to_value(&resolved.spec).unwrap_or_default();
        RunView {
            uid: run.uid().to_string(),
            namespace: text(&metadata, "namespace"),
            service_account: text(&spec, "serviceAccountName"),
            phase: run.phase(),
            message: run.message().to_owned(),
            created_at: run.created_at(),
            started_at: run.started_at(),
            finished_at: run.finished_at(),
            now,
            suspended: run.is_suspended(),
            shutdown: run.shutdown(),
            progress: run.progress(),
            arguments: run.arguments().iter().map(argument).collect(),
            outputs: run.outputs().clone(),
            labels: run.labels(),
            held: ResourcesDuration::new(),
            name,
            metadata,
            spec,
            nodes,
        }
    }
}

impl NodeView {
    /// Returns the view of a single node, which knows no other: for following changes.
    pub fn alone(node: &Node, run: &str) -> Self {
        Self::placed(node, run, |_| None)
    }

    fn placed(node: &Node, run: &str, place: impl Fn(&NodeIx) -> Option<usize>) -> Self {
        NodeView {
            ix: node.ix,
            id: node.id(run),
            name: node.name.clone(),
            display_name: node.display_name.clone(),
            kind: node.kind,
            phase: node.phase,
            boundary: node.boundary.as_ref().and_then(&place),
            template: node.template.clone(),
            scope: node.scope.clone(),
            message: node.message.clone(),
            started_at: node.started_at,
            finished_at: node.finished_at,
            children: node.children.iter().filter_map(&place).collect(),
            inputs: node.inputs.clone(),
            outputs: node.outputs.clone(),
            daemoned: node.daemoned,
            pod_ip: node.pod_ip.clone(),
            host: node.host.clone(),
            waiting: node.waiting.clone(),
            memo: None,
            held: ResourcesDuration::new(),
        }
    }
}

fn text(object: &Value, key: &str) -> String {
    object.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn argument(parameter: &Parameter) -> (String, Option<String>) {
    (parameter.name.to_string(), parameter.value.as_deref().map(str::to_owned))
}
