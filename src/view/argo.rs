//! A run as the Workflow object that Argo would show, so that scripts over `argo get -o json` go on working.

use serde_json::{Map, Value, json};

use super::model::{NodeView, RunView};
use crate::engine::durations::ResourcesDuration;
use crate::engine::{Inputs, NodeType, Outputs, Parameter, Shutdown};
use crate::spec;
use std::sync::Arc;

/// Returns the object.
pub fn workflow(view: &RunView) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": metadata(view),
        "spec": spec_of(view),
        "status": status(view),
    })
}

/// Returns a list of objects, as `kubectl` wraps several.
pub fn list(items: Vec<Value>) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

fn metadata(view: &RunView) -> Value {
    let mut object = object_of(&view.metadata);
    let mut labels: Map<String, Value> = view.labels.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    labels.insert("workflows.argoproj.io/phase".to_owned(), json!(view.phase.as_str()));
    if view.phase.is_final() {
        labels.insert("workflows.argoproj.io/completed".to_owned(), json!("true"));
    }
    object.insert("name".to_owned(), json!(view.name));
    object.insert("uid".to_owned(), json!(view.uid));
    object.insert("creationTimestamp".to_owned(), json!(view.created_at.rfc3339()));
    object.insert("labels".to_owned(), Value::Object(labels));
    Value::Object(object)
}

fn spec_of(view: &RunView) -> Value {
    let mut object = object_of(&view.spec);
    match view.shutdown {
        Some(Shutdown::Stop) => drop(object.insert("shutdown".to_owned(), json!("Stop"))),
        Some(Shutdown::Terminate) => drop(object.insert("shutdown".to_owned(), json!("Terminate"))),
        None => {}
    }
    if view.suspended {
        object.insert("suspend".to_owned(), json!(true));
    }
    Value::Object(object)
}

fn object_of(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn status(view: &RunView) -> Value {
    let mut object = Map::new();
    object.insert("phase".to_owned(), json!(view.phase.as_str()));
    object.insert("startedAt".to_owned(), json!(view.started_at.map(|at| at.rfc3339())));
    object.insert("finishedAt".to_owned(), json!(view.finished_at.map(|at| at.rfc3339())));
    put_text(&mut object, "message", &view.message);
    object.insert("progress".to_owned(), json!(format!("{}/{}", view.progress.0, view.progress.1)));
    object.insert("conditions".to_owned(), conditions(view));
    put(&mut object, "resourcesDuration", held(&view.held));
    let nodes = view.nodes.iter().map(|node| (node.id.clone(), node_status(view, node))).collect();
    object.insert("nodes".to_owned(), Value::Object(nodes));
    put(&mut object, "outputs", outputs(&view.outputs));
    Value::Object(object)
}

fn held(held: &ResourcesDuration) -> Option<Value> {
    (!held.is_empty()).then(|| json!(held))
}

/// Source: Argo's `updateWorkflowPhase` and `PodRunning`.
fn conditions(view: &RunView) -> Value {
    let runs = |node: &NodeView| node.kind == NodeType::Pod && node.phase == crate::engine::Phase::Running;
    let truth = |holds: bool| if holds { "True" } else { "False" };
    let mut conditions = vec![json!({"type": "PodRunning", "status": truth(view.nodes.iter().any(runs))})];
    if view.phase.is_final() {
        conditions.push(json!({"type": "Completed", "status": "True"}));
    }
    Value::Array(conditions)
}

fn node_status(view: &RunView, node: &NodeView) -> Value {
    let mut object = Map::new();
    object.insert("id".to_owned(), json!(node.id));
    object.insert("name".to_owned(), json!(&*node.name));
    object.insert("displayName".to_owned(), json!(&*node.display_name));
    object.insert("type".to_owned(), json!(node.kind.as_str()));
    put_text(&mut object, "templateName", &node.template);
    put_text(&mut object, "templateScope", &node.scope);
    object.insert("phase".to_owned(), json!(node.phase.as_str()));
    if let Some(boundary) = node.boundary {
        object.insert("boundaryID".to_owned(), json!(view.nodes[boundary].id));
    }
    put_text(&mut object, "message", &node.reason(view.now));
    object.insert("startedAt".to_owned(), json!(node.started_at.rfc3339()));
    object.insert("finishedAt".to_owned(), json!(node.finished_at.map(|at| at.rfc3339())));
    if let Some(progress) = progress(node) {
        object.insert("progress".to_owned(), json!(progress));
    }
    put(&mut object, "resourcesDuration", held(&node.held));
    put_text(&mut object, "podIP", node.pod_ip.as_deref().unwrap_or_default());
    if node.daemoned {
        object.insert("daemoned".to_owned(), json!(true));
    }
    if let Some(memo) = &node.memo {
        let status = json!({"hit": memo.hit, "key": &*memo.key, "cacheName": &*memo.cache});
        object.insert("memoizationStatus".to_owned(), status);
    }
    put(&mut object, "inputs", node.inputs.as_deref().and_then(inputs));
    put(&mut object, "outputs", node.outputs.as_deref().and_then(outputs));
    if !node.children.is_empty() {
        let ids: Vec<&str> = node.children.iter().map(|&child| view.nodes[child].id.as_str()).collect();
        object.insert("children".to_owned(), json!(ids));
    }
    put_text(&mut object, "hostNodeName", node.host.as_deref().unwrap_or_default());
    Value::Object(object)
}

/// Returns a pod's own progress; that of what holds pods is in `status.progress`.
fn progress(node: &NodeView) -> Option<&'static str> {
    let is_done = node.phase == crate::engine::Phase::Succeeded;
    (node.kind == NodeType::Pod).then_some(if is_done { "1/1" } else { "0/1" })
}

fn inputs(inputs: &Inputs) -> Option<Value> {
    let mut object = Map::new();
    put_values(&mut object, &inputs.parameters, &inputs.artifacts);
    (!object.is_empty()).then_some(Value::Object(object))
}

fn outputs(outputs: &Outputs) -> Option<Value> {
    let mut object = Map::new();
    put_values(&mut object, &outputs.parameters, &outputs.artifacts);
    if let Some(result) = &outputs.result {
        object.insert("result".to_owned(), json!(&**result));
    }
    if let Some(code) = outputs.exit_code {
        // Argo keeps exit codes as text.
        object.insert("exitCode".to_owned(), json!(code.to_string()));
    }
    (!object.is_empty()).then_some(Value::Object(object))
}

fn put_values(object: &mut Map<String, Value>, parameters: &[Parameter], artifacts: &[Arc<spec::Artifact>]) {
    if !parameters.is_empty() {
        object.insert("parameters".to_owned(), parameters.iter().map(parameter).collect());
    }
    if !artifacts.is_empty() {
        let artifacts = artifacts.iter().map(|artifact| serde_json::to_value(artifact).unwrap_or_default());
        object.insert("artifacts".to_owned(), artifacts.collect());
    }
}

fn parameter(parameter: &Parameter) -> Value {
    match &parameter.value {
        Some(value) => json!({"name": &*parameter.name, "value": &**value}),
        None => json!({"name": &*parameter.name}),
    }
}

fn put(object: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        object.insert(key.to_owned(), value);
    }
}

fn put_text(object: &mut Map<String, Value>, key: &str, text: &str) {
    if !text.is_empty() {
        object.insert(key.to_owned(), json!(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Phase;
    use crate::view::model::tests::run;

    #[test]
    fn the_object_answers_the_usual_jq_scripts() {
        let mut view = run(
            "wf",
            Phase::Failed,
            "wf Steps Failed children=1 tmpl=main
             wf[0] StepGroup Failed boundary=0 children=2
             wf[0].a Pod Failed boundary=0 tmpl=say display=a msg=boom",
        );
        let outputs = Outputs {
            parameters: vec![Parameter { name: "p".into(), value: Some("v".into()) }],
            result: Some("r".into()),
            exit_code: Some(3),
            ..Outputs::default()
        };
        view.nodes[2].outputs = Some(outputs.into());
        let object = workflow(&view);
        let at = |pointer: &str| object.pointer(pointer).cloned().unwrap_or_default();
        let pod = view.nodes[2].id.clone();
        for (pointer, expected) in [
            ("/metadata/name", json!("wf")),
            ("/metadata/generateName", json!("wf-")),
            ("/metadata/labels/workflows.argoproj.io~1phase", json!("Failed")),
            ("/status/phase", json!("Failed")),
            ("/status/progress", json!("1/2")),
            ("/status/startedAt", json!("2023-11-14T22:13:20Z")),
            ("/status/nodes/wf/type", json!("Steps")),
            ("/status/nodes/wf/children/0", json!(view.nodes[1].id)),
            (&format!("/status/nodes/{pod}/boundaryID"), json!("wf")),
            (&format!("/status/nodes/{pod}/message"), json!("boom")),
            (&format!("/status/nodes/{pod}/outputs/exitCode"), json!("3")),
            (&format!("/status/nodes/{pod}/outputs/parameters/0/value"), json!("v")),
            (&format!("/status/nodes/{pod}/outputs/result"), json!("r")),
        ] {
            assert_eq!(at(pointer), expected, "{pointer}");
        }
    }
}
