//! Lays one manifest over another, as Kubernetes' strategic merge does.
//!
//! Source: `k8s.io/apimachinery/pkg/util/strategicpatch` with the merge keys of Argo's and of
//! Kubernetes' types; which objects are merged is Argo's `workflow/util/merge.go`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::spec;

/// Lists that are merged item by item, and the field that tells their items apart; every other
/// list is replaced as a whole. Field names are used for one thing only in these types, so that
/// the name alone decides.
const MERGE_KEYS: [(&str, &str); 14] = [
    ("templates", "name"),
    ("parameters", "name"),
    ("artifacts", "name"),
    ("tasks", "name"),
    ("volumes", "name"),
    ("initContainers", "name"),
    ("sidecars", "name"),
    ("env", "name"),
    ("imagePullSecrets", "name"),
    ("tolerations", "key"),
    ("hostAliases", "ip"),
    ("ports", "containerPort"),
    ("volumeMounts", "mountPath"),
    ("volumeDevices", "devicePath"),
];

/// Returns `over` laid over `under`: what `over` says wins, maps are merged, and so are lists of
/// named items. Recursion is bounded by the depth of the manifests.
pub(super) fn strategic(over: Value, under: Value) -> Value {
    match (over, under) {
        (Value::Object(over), Value::Object(under)) => Value::Object(maps(over, under)),
        (over, _) => over,
    }
}

fn maps(over: Map<String, Value>, mut under: Map<String, Value>) -> Map<String, Value> {
    for (key, value) in over {
        let merged = match (value, under.remove(&key)) {
            (value, None) => value,
            (Value::Array(over), Some(Value::Array(under))) => match merge_key(&key) {
                Some(name) => Value::Array(lists(over, under, name)),
                None => Value::Array(over),
            },
            (value, Some(below)) => strategic(value, below),
        };
        under.insert(key, merged);
    }
    under
}

fn merge_key(field: &str) -> Option<&'static str> {
    MERGE_KEYS.iter().find(|(list, _)| *list == field).map(|(_, key)| *key)
}

/// Merges two lists by the field `key`; the order is Kubernetes' (`mergeSortedSlice`): items only
/// below keep their place before the first common item that follows them there.
fn lists(over: Vec<Value>, under: Vec<Value>, key: &str) -> Vec<Value> {
    let name_of = |item: &Value| item.get(key).map(Value::to_string).unwrap_or_default();
    let mut below: BTreeMap<String, (usize, Value)> =
        under.into_iter().enumerate().map(|(place, item)| (name_of(&item), (place, item))).collect();
    let merged: Vec<(Option<usize>, Value)> = over
        .into_iter()
        .map(|item| match below.remove(&name_of(&item)) {
            Some((place, under)) => (Some(place), strategic(item, under)),
            None => (None, item),
        })
        .collect();
    let mut rest: Vec<(usize, Value)> = below.into_values().collect();
    rest.sort_by_key(|(place, _)| *place);
    interleave(merged, rest)
}

fn interleave(merged: Vec<(Option<usize>, Value)>, rest: Vec<(usize, Value)>) -> Vec<Value> {
    let mut out = Vec::with_capacity(merged.len() + rest.len());
    let mut rest = rest.into_iter().peekable();
    for (place, item) in merged {
        while let Some((_, earlier)) = rest.next_if(|(other, _)| place.is_some_and(|place| *other < place)) {
            out.push(earlier);
        }
        out.push(item);
    }
    out.extend(rest.map(|(_, item)| item));
    out
}

/// Returns the spec of a workflow laid over the spec of the template that its
/// `workflowTemplateRef` names. Source: `JoinWorkflowSpec`.
pub(super) fn join_specs(workflow: &spec::WorkflowSpec, template: &spec::WorkflowSpec) -> spec::WorkflowSpec {
    // Hooks and `labelsFrom` are maps whose entries are taken whole, not merged.
    let mut over = workflow.clone();
    let mut under = template.clone();
    let hooks = over_map(std::mem::take(&mut over.hooks), std::mem::take(&mut under.hooks));
    let labels_from = over_map(take_labels_from(&mut over), take_labels_from(&mut under));
    let mut joined: spec::WorkflowSpec = typed(strategic(json(&over), json(&under)));
    joined.hooks = hooks;
    if !labels_from.is_empty() {
        joined.workflow_metadata.get_or_insert_default().labels_from = labels_from;
    }
    // A template that waits when it is submitted itself does not hold back those who refer to it.
    joined.suspend = workflow.suspend;
    settle_arguments(&mut joined, workflow, template);
    joined
}

/// Lays `over` over `under`, entry by entry.
fn over_map<T>(
    over: indexmap::IndexMap<String, T>,
    mut under: indexmap::IndexMap<String, T>,
) -> indexmap::IndexMap<String, T> {
    under.extend(over);
    under
}

fn take_labels_from(spec: &mut spec::WorkflowSpec) -> indexmap::IndexMap<String, spec::LabelValueFrom> {
    spec.workflow_metadata.as_mut().map(|metadata| std::mem::take(&mut metadata.labels_from)).unwrap_or_default()
}

/// A parameter is taken whole from the one that has a value, so that the `value` of one and the
/// `valueFrom` of the other do not meet; an artifact keeps fields of the same kind of store only.
fn settle_arguments(joined: &mut spec::WorkflowSpec, workflow: &spec::WorkflowSpec, template: &spec::WorkflowSpec) {
    let Some(arguments) = joined.arguments.as_mut() else { return };
    for parameter in &mut arguments.parameters {
        let whole = [workflow, template].into_iter().find_map(|spec| valued_parameter(spec, &parameter.name));
        if let Some(whole) = whole {
            *parameter = whole.clone();
        }
    }
    for artifact in &mut arguments.artifacts {
        let over = [workflow, template].into_iter().find_map(|spec| artifact_named(spec, &artifact.name));
        let under = artifact_named(template, &artifact.name);
        if let (Some(over), Some(under)) = (over, under) {
            *artifact = settle_artifact(over, under);
        }
    }
}

fn valued_parameter<'s>(spec: &'s spec::WorkflowSpec, name: &str) -> Option<&'s spec::Parameter> {
    let parameters = &spec.arguments.as_ref()?.parameters;
    parameters.iter().find(|parameter| {
        parameter.name == name
            && (parameter.value.is_some() || parameter.default.is_some() || parameter.value_from.is_some())
    })
}

fn artifact_named<'s>(spec: &'s spec::WorkflowSpec, name: &str) -> Option<&'s spec::Artifact> {
    spec.arguments.as_ref()?.artifacts.iter().find(|artifact| artifact.name == name)
}

fn settle_artifact(over: &spec::Artifact, under: &spec::Artifact) -> spec::Artifact {
    let (over_location, under_location) = (json(&over.location), json(&under.location));
    let stores = |location: &Value| -> Vec<String> {
        location
            .as_object()
            .map(|fields| fields.keys().filter(|key| *key != "archiveLogs").cloned().collect())
            .unwrap_or_default()
    };
    let mut settled = over.clone();
    if !stores(&over_location).is_empty() && stores(&over_location) == stores(&under_location) {
        settled.location = typed(strategic(over_location, under_location));
    }
    settled
}

/// Returns the template laid over the defaults of its workflow, of which only the body of the
/// template's own type counts. Source: `mergedTemplateDefaultsInto`.
pub(super) fn with_defaults(template: &spec::Template, defaults: &spec::Template) -> spec::Template {
    let own = json(template);
    let mut under = json(defaults);
    if let Some(fields) = under.as_object_mut() {
        fields.retain(|field, _| !BODIES.contains(&field.as_str()) || own.get(field).is_some());
    }
    typed(strategic(own, under))
}

/// The fields of a template that say what it does.
pub(super) const BODIES: [&str; 10] =
    ["container", "containerSet", "script", "steps", "dag", "resource", "suspend", "data", "http", "plugin"];

fn json<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("manifest types are plain data with text keys")
}

fn typed<T: serde::de::DeserializeOwned + Default>(value: Value) -> T {
    // Both sides had the type, and merging keeps each field's type; a field that two people
    // typed differently inside Kubernetes' own parts stays JSON.
    serde_json::from_value(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec_of(value: Value) -> spec::WorkflowSpec {
        serde_json::from_value(value).expect("well typed")
    }

    #[test]
    fn lists_of_named_items_are_merged_in_kubernetes_order() {
        let under = json!({"env": [{"name": "A", "value": "1"}, {"name": "B"}, {"name": "C"}], "args": ["x", "y"]});
        let over = json!({"env": [{"name": "D"}, {"name": "C", "value": "3"}], "args": ["z"]});
        let merged = json!({
            "env": [{"name": "D"}, {"name": "A", "value": "1"}, {"name": "B"}, {"name": "C", "value": "3"}],
            "args": ["z"],
        });
        assert_eq!(strategic(over, under), merged);
    }

    #[test]
    fn the_workflow_wins_over_the_template_it_refers_to() {
        let template = spec_of(json!({
            "entrypoint": "a", "suspend": true, "parallelism": 3,
            "arguments": {"parameters": [{"name": "p", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}, {"name": "q", "value": "2"}]},
            "hooks": {"exit": {"template": "a"}, "x": {"template": "b", "expression": "true"}},
            "templates": [{"name": "a", "suspend": {}}],
        }));
        let workflow = spec_of(json!({
            "entrypoint": "b",
            "arguments": {"parameters": [{"name": "p", "value": "1"}]},
            "hooks": {"x": {"template": "c"}},
        }));
        let joined = serde_json::to_value(join_specs(&workflow, &template)).expect("plain data");
        assert_eq!(joined["entrypoint"], "b");
        assert_eq!(joined["parallelism"], 3);
        assert_eq!(joined["suspend"], Value::Null);
        assert_eq!(
            joined["arguments"]["parameters"],
            json!([{"name": "p", "value": "1"}, {"name": "q", "value": "2"}])
        );
        assert_eq!(joined["hooks"], json!({"exit": {"template": "a"}, "x": {"template": "c"}}));
        assert_eq!(joined["templates"], json!([{"name": "a", "suspend": {}}]));
    }

    #[test]
    fn defaults_of_another_type_do_not_count() {
        let template: spec::Template =
            serde_json::from_value(json!({"name": "t", "container": {"image": "a"}})).expect("well typed");
        let defaults: spec::Template = serde_json::from_value(json!({
            "container": {"image": "b", "command": ["c"]}, "script": {"image": "s", "source": ""}, "retryStrategy": {"limit": 2},
        })).expect("well typed");
        let merged = serde_json::to_value(with_defaults(&template, &defaults)).expect("plain data");
        assert_eq!(
            merged,
            json!({"name": "t", "container": {"image": "a", "command": ["c"]}, "retryStrategy": {"limit": 2}})
        );
    }
}
