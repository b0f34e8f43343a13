//! `steps.*` and `tasks.*`: what the calls of a template can tell each other.
//! Source: Argo's `buildLocalScope`, `processAggregateNodeOutputs`, `addSkippedNodeOutputsToScope`.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::{artifact, text};
use crate::base::NodeIx;
use crate::engine::event::Caller;
use crate::engine::model::{Node, Phase};
use crate::engine::run::{Called, Frame, Run};
use crate::expr::{Scope, Value};
use crate::plan::{Body, Task};
use crate::spec;

/// The calls of a steps or DAG node, as far as they were made.
pub(in crate::engine) struct Calls<'r> {
    pub run: &'r Run,
    /// The steps or DAG node.
    pub of: NodeIx,
}

impl Scope for Calls<'_> {
    fn get(&self, name: &str) -> Option<Value> {
        let (call, field) = name.strip_prefix(self.root())?.strip_prefix('.')?.split_once('.')?;
        let (called, outputs) = self.find(call)?;
        self.field(&called, outputs, field)
    }

    fn under(&self, root: &str, each: &mut dyn FnMut(&str, Value)) {
        if root != self.root() {
            return;
        }
        for call in self.names() {
            let Some((called, outputs)) = self.find(&call) else { continue };
            for field in self.fields(&called, outputs) {
                if let Some(value) = self.field(&called, outputs, &field) {
                    each(&format!("{root}.{call}.{field}"), value);
                }
            }
        }
    }

    fn roots(&self, each: &mut dyn FnMut(&str)) {
        each(self.root());
    }
}

impl Calls<'_> {
    fn root(&self) -> &'static str {
        match self.run.slot(self.of).frame {
            Frame::Dag(_) => "tasks",
            _ => "steps",
        }
    }

    fn names(&self) -> Vec<Arc<str>> {
        match self.run.template_of(self.of).map(|template| &template.body) {
            Some(Body::Steps(groups)) => self.step_names(groups),
            Some(Body::Dag(dag)) => dag.tasks.iter().map(|task| task.name.clone()).collect(),
            _ => Vec::new(),
        }
    }

    fn step_names(&self, groups: &[Vec<Task>]) -> Vec<Arc<str>> {
        let Frame::Steps(made) = &self.run.slot(self.of).frame else { return Vec::new() };
        let of_group = |(steps, group): (&Vec<Task>, &NodeIx)| match &self.run.slot(*group).frame {
            Frame::Group(frame) => {
                let names = steps.iter().zip(&frame.steps).map(|(step, called)| self.step_name(*group, step, called));
                names.map(Arc::from).collect()
            }
            _ => Vec::new(),
        };
        groups.iter().zip(made).flat_map(of_group).collect()
    }

    /// Returns the name of a step; one with tags is known by the node that was made of it.
    fn step_name<'s>(&'s self, group: NodeIx, step: &'s Task, called: &Called) -> &'s str {
        let made = match called {
            Called::One(ix) => *ix,
            Called::Items(items) => items[0],
            Called::Not => return &step.name,
        };
        if !step.name.contains("{{") {
            return &step.name;
        }
        let slot = self.run.slot(made);
        let name = &slot.node.name[self.run.node(group).name.len() + 1..];
        match slot.caller {
            Caller::Step(_, _, Some(item)) => name.find(&format!("({item}:")).map_or(name, |end| &name[..end]),
            _ => name,
        }
    }

    /// Returns the nodes of a call, and the outputs that its template declares.
    fn find(&self, call: &str) -> Option<(Called, Option<&spec::Outputs>)> {
        match (&self.run.template_of(self.of)?.body, &self.run.slot(self.of).frame) {
            (Body::Steps(groups), Frame::Steps(made)) => groups.iter().zip(made).find_map(|(steps, group)| {
                let Frame::Group(frame) = &self.run.slot(*group).frame else { return None };
                let is_meant = |(step, called): (&Task, &Called)| *self.step_name(*group, step, called) == *call;
                let step = steps.iter().zip(&frame.steps).position(is_meant)?;
                Some((frame.steps[step].clone(), self.declared(steps[step].target)))
            }),
            (Body::Dag(dag), Frame::Dag(frame)) => {
                let task = *dag.by_name.get(call)?;
                let node = frame.tasks[task].node?;
                let called = match &self.run.slot(node).frame {
                    Frame::Items(items) => Called::Items(items.children.clone()),
                    _ => Called::One(node),
                };
                Some((called, self.declared(dag.tasks[task].target)))
            }
            _ => None,
        }
    }

    fn declared(&self, target: Option<crate::plan::TemplateIx>) -> Option<&spec::Outputs> {
        self.run.plan.template(target?).spec.outputs.as_ref()
    }

    fn field(&self, called: &Called, declared: Option<&spec::Outputs>, field: &str) -> Option<Value> {
        match called {
            Called::Not => None,
            Called::One(ix) => self.node_field(self.run.node(*ix), declared, field),
            Called::Items(items) => self.aggregate_field(items, field),
        }
    }

    fn fields(&self, called: &Called, declared: Option<&spec::Outputs>) -> Vec<String> {
        let mut fields: Vec<String> = ["id", "startedAt", "finishedAt", "ip", "status", "hostNodeName", "exitCode"]
            .into_iter()
            .chain(["outputs.result"])
            .map(String::from)
            .collect();
        if matches!(called, Called::Items(_)) {
            fields.push("outputs.parameters".to_owned());
        }
        let parameters = declared.into_iter().flat_map(|outputs| &outputs.parameters);
        fields.extend(parameters.map(|parameter| format!("outputs.parameters.{}", parameter.name)));
        let artifacts = declared.into_iter().flat_map(|outputs| &outputs.artifacts);
        fields.extend(artifacts.map(|artifact| format!("outputs.artifacts.{}", artifact.name)));
        fields
    }

    fn node_field(&self, node: &Node, declared: Option<&spec::Outputs>, field: &str) -> Option<Value> {
        // What comes after a retried node reads its last attempt.
        let shown = match &self.run.slot(node.ix).frame {
            Frame::Retry(attempts) => attempts.last().map_or(node, |last| self.run.node(*last)),
            _ => node,
        };
        match field {
            "status" => Some(text(shown.phase.as_str())),
            "id" => Some(text(shown.id(self.run.name.as_str()))),
            "startedAt" => Some(text(shown.started_at.rfc3339())),
            "finishedAt" => shown.finished_at.map(|at| text(at.rfc3339())),
            "ip" => shown.pod_ip.as_ref().map(text),
            "hostNodeName" => shown.host.as_ref().map(text),
            _ => output_field(shown, field).or_else(|| self.skipped_field(node, declared, field)),
        }
    }

    /// The outputs of a node that never ran are their defaults, or absent.
    fn skipped_field(&self, node: &Node, declared: Option<&spec::Outputs>, field: &str) -> Option<Value> {
        if !matches!(node.phase, Phase::Skipped | Phase::Omitted) || node.outputs.is_some() {
            return None;
        }
        if let Some(name) = field.strip_prefix("outputs.parameters.") {
            let parameter = declared?.parameters.iter().find(|parameter| parameter.name == name)?;
            let default = parameter.value_from.as_ref().and_then(|from| from.default.as_ref());
            return Some(default.map_or(Value::Nil, |default| text(&default.0)));
        }
        if let Some(name) = field.strip_prefix("outputs.artifacts.") {
            // Steps get an empty artifact in its place, DAGs nothing.
            let known = declared?.artifacts.iter().any(|artifact| artifact.name == name);
            return (known && self.root() == "steps").then(|| artifact(&spec::Artifact::default()));
        }
        // The template's outputs never declare a result; the reference alone says that one was meant.
        (field == "outputs.result").then_some(Value::Nil)
    }

    fn aggregate_field(&self, items: &[NodeIx], field: &str) -> Option<Value> {
        let ended = || items.iter().map(|ix| self.run.node(*ix)).filter(|node| node.phase == Phase::Succeeded);
        match field {
            "outputs.result" => Some(text(results(ended()))),
            "outputs.parameters" => Some(text(parameter_maps(ended()))),
            "status" => self.group_node(items).map(|node| text(node.phase.as_str())),
            "id" => self.group_node(items).map(|node| text(node.id(self.run.name.as_str()))),
            "startedAt" => self.group_node(items).map(|node| text(node.started_at.rfc3339())),
            "finishedAt" => self.group_node(items)?.finished_at.map(|at| text(at.rfc3339())),
            _ => parameter_list(ended(), field.strip_prefix("outputs.parameters.")?).map(text),
        }
    }

    /// Returns the node that stands for a loop as a whole: a task's group, or the group of its step.
    fn group_node(&self, items: &[NodeIx]) -> Option<&Node> {
        match &self.run.slot(*items.first()?).caller {
            Caller::Task(dag, task, _) => self.run.task_node(*dag, *task).map(|group| self.run.node(group)),
            Caller::Step(group, ..) => Some(self.run.node(*group)),
            _ => None,
        }
    }
}

/// Returns a field of a node's outputs.
pub(in crate::engine) fn output_field(node: &Node, field: &str) -> Option<Value> {
    let outputs = node.outputs.as_deref()?;
    match field {
        "exitCode" => outputs.exit_code.map(|code| text(code.to_string())),
        "outputs.result" => outputs.result.as_ref().map(text),
        _ => {
            if let Some(name) = field.strip_prefix("outputs.parameters.") {
                return outputs.parameter(name).map(text);
            }
            outputs.artifact(field.strip_prefix("outputs.artifacts.")?).map(|made| artifact(made))
        }
    }
}

/// Returns a JSON list of the results. A result that is no JSON stands in it as a string, where
/// Argo ends the node with an error.
fn results<'n>(nodes: impl Iterator<Item = &'n Node>) -> String {
    let results = nodes.filter_map(|node| node.outputs.as_ref()?.result.as_ref());
    let parse = |result: &Arc<str>| serde_json::from_str(result).unwrap_or_else(|_| Json::from(&**result));
    go_json(&Json::from_iter(results.map(parse)))
}

/// Returns a JSON list of maps from parameter to value.
fn parameter_maps<'n>(nodes: impl Iterator<Item = &'n Node>) -> String {
    let maps = nodes.filter_map(|node| {
        let parameters = &node.outputs.as_ref()?.parameters;
        let entries: std::collections::BTreeMap<_, _> =
            parameters.iter().map(|parameter| (&*parameter.name, parameter.value.as_deref().unwrap_or(""))).collect();
        (!entries.is_empty()).then(|| json!(entries))
    });
    go_json(&Json::from_iter(maps))
}

/// Returns a JSON list of one parameter's values: as lists and maps if all of them are, else as texts.
fn parameter_list<'n>(nodes: impl Iterator<Item = &'n Node>, name: &str) -> Option<String> {
    let values: Vec<&Arc<str>> = nodes.filter_map(|node| node.outputs.as_ref()?.parameter(name)).collect();
    if values.is_empty() {
        return None;
    }
    let parsed: Option<Vec<Json>> = values
        .iter()
        .map(|value| serde_json::from_str(value).ok().filter(|json: &Json| json.is_array() || json.is_object()))
        .collect();
    Some(go_json(&parsed.map_or_else(|| Json::from_iter(values.iter().map(|value| &***value)), Json::from)))
}

/// Returns JSON as Go's `json.Marshal` writes it: keys sorted, `<`, `>` and `&` escaped.
fn go_json(json: &Json) -> String {
    Value::from_json(json).to_json_text().unwrap_or_default()
}
