//! Kubernetes' Jobs and CronJobs as workflows.
//!
//! What a workflow has a field for goes there; the rest of the pod becomes a `podSpecPatch`, so that
//! nothing is lost. What has no counterpart at all is told.

use serde_json::{Map, Value, json};

use crate::spec::API_VERSION;

/// Fields of a pod's spec that a workflow's spec has under the same name.
const SHARED: [&str; 15] = [
    "volumes",
    "nodeSelector",
    "affinity",
    "tolerations",
    "serviceAccountName",
    "automountServiceAccountToken",
    "securityContext",
    "hostAliases",
    "imagePullSecrets",
    "schedulerName",
    "dnsPolicy",
    "dnsConfig",
    "hostNetwork",
    "priority",
    "restartPolicy",
];

/// How often a Job tries again when it does not say.
const BACKOFF_LIMIT: u64 = 6;

/// An object in its new form, and what was left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Converted {
    /// The object.
    pub object: Value,
    /// Fields that workflows have no counterpart of.
    pub left_out: Vec<String>,
}

/// Returns the workflow that does what a Job, or the CronWorkflow that does what a CronJob does; none of
/// any other object.
pub fn convert(object: &Value) -> Option<Converted> {
    if !object["apiVersion"].as_str()?.starts_with("batch/") {
        return None;
    }
    let mut left_out = Vec::new();
    let object = match object["kind"].as_str()? {
        "Job" => {
            let spec = workflow_spec(&object["spec"], "spec", &mut left_out);
            json!({"apiVersion": API_VERSION, "kind": "Workflow", "metadata": metadata(&object["metadata"]), "spec": spec})
        }
        "CronJob" => cron(object, &mut left_out),
        _ => return None,
    };
    Some(Converted { object, left_out })
}

/// Returns name, namespace, labels and annotations; what the API server wrote is not taken along.
fn metadata(from: &Value) -> Value {
    taken(from, &["name", "generateName", "namespace", "labels", "annotations"])
}

fn taken(from: &Value, keys: &[&str]) -> Value {
    let taken = keys.iter().filter_map(|key| Some(((*key).to_owned(), from.get(*key)?.clone())));
    Value::Object(taken.collect())
}

fn cron(object: &Value, left_out: &mut Vec<String>) -> Value {
    let from = &object["spec"];
    let kept = [
        "concurrencyPolicy",
        "startingDeadlineSeconds",
        "successfulJobsHistoryLimit",
        "failedJobsHistoryLimit",
        "suspend",
    ];
    let mut spec = taken(from, &kept);
    spec["schedules"] = json!([from["schedule"]]);
    if let Some(zone) = from.get("timeZone") {
        spec["timezone"] = zone.clone();
    }
    let template = &from["jobTemplate"];
    spec["workflowSpec"] = workflow_spec(&template["spec"], "spec.jobTemplate.spec", left_out);
    let labels = taken(&template["metadata"], &["labels", "annotations"]);
    if labels.as_object().is_some_and(|labels| !labels.is_empty()) {
        spec["workflowMetadata"] = labels;
    }
    json!({"apiVersion": API_VERSION, "kind": "CronWorkflow", "metadata": metadata(&object["metadata"]), "spec": spec})
}

/// Returns the spec of a workflow that does what a Job's spec says.
fn workflow_spec(job: &Value, place: &str, left_out: &mut Vec<String>) -> Value {
    let pod = &job["template"]["spec"];
    let mut spec = taken(pod, &SHARED);
    if let Some(fields) = spec.as_object_mut() {
        // The engine tries again, not the kubelet.
        fields.shift_remove("restartPolicy");
        fields.insert("entrypoint".to_owned(), "main".into());
    }
    copy(job, "activeDeadlineSeconds", &mut spec, "activeDeadlineSeconds");
    copy(job, "suspend", &mut spec, "suspend");
    copy(pod, "priorityClassName", &mut spec, "podPriorityClassName");
    if let Some(seconds) = job.get("ttlSecondsAfterFinished") {
        spec["ttlStrategy"] = json!({"secondsAfterCompletion": seconds});
    }
    let labels = taken(&job["template"]["metadata"], &["labels", "annotations"]);
    if labels.as_object().is_some_and(|labels| !labels.is_empty()) {
        spec["podMetadata"] = labels;
    }
    spec["templates"] = templates(job, pod);
    let known = [
        "template",
        "activeDeadlineSeconds",
        "suspend",
        "ttlSecondsAfterFinished",
        "backoffLimit",
        "completions",
        "parallelism",
        "completionMode",
    ];
    let others = job.as_object().into_iter().flatten().map(|(key, _)| key).filter(|key| !known.contains(&key.as_str()));
    left_out.extend(others.map(|key| format!("{place}.{key}")));
    spec
}

fn copy(from: &Value, key: &str, to: &mut Value, new_key: &str) {
    if let Some(value) = from.get(key) {
        to[new_key] = value.clone();
    }
}

/// A Job of several completions is a loop over a step; any other is one template.
fn templates(job: &Value, pod: &Value) -> Value {
    let count = |key: &str| job.get(key).and_then(Value::as_u64);
    let completions = count("completions").unwrap_or(1);
    if completions <= 1 {
        return json!([pod_template("main", job, pod, None)]);
    }
    let is_indexed = job["completionMode"] == "Indexed";
    let mut step = json!({"name": "work", "template": "work", "withSequence": {"count": completions.to_string()}});
    if is_indexed {
        step["arguments"] = json!({"parameters": [{"name": "index", "value": "{{item}}"}]});
    }
    let main = json!({"name": "main", "parallelism": count("parallelism").unwrap_or(1), "steps": [[step]]});
    json!([main, pod_template("work", job, pod, is_indexed.then_some("index"))])
}

/// Returns the template that runs a Job's pod; its index is the input of that name.
fn pod_template(name: &str, job: &Value, pod: &Value, index: Option<&str>) -> Value {
    let mut template = json!({"name": name});
    if let Some(index) = index {
        template["inputs"] = json!({"parameters": [{"name": index}]});
    }
    let mut containers: Vec<Value> = pod["containers"].as_array().cloned().unwrap_or_default();
    if let Some(index) = index {
        let variable = json!({"name": "JOB_COMPLETION_INDEX", "value": format!("{{{{inputs.parameters.{index}}}}}")});
        containers.iter_mut().for_each(|container| push(container, "env", variable.clone()));
    }
    copy(pod, "initContainers", &mut template, "initContainers");
    match containers.len() {
        1 => {
            let mut container = containers.remove(0);
            if let Some(fields) = container.as_object_mut() {
                fields.shift_remove("name");
            }
            template["container"] = container;
        }
        _ => template["containerSet"] = json!({"containers": containers}),
    }
    let limit = job.get("backoffLimit").and_then(Value::as_u64).unwrap_or(BACKOFF_LIMIT);
    if limit > 0 {
        // A Job waits 10 seconds, doubles that, and never more than six minutes.
        let backoff = json!({"duration": "10s", "factor": 2, "cap": "6m"});
        template["retryStrategy"] = json!({"limit": limit, "retryPolicy": "Always", "backoff": backoff});
    }
    if let Some(patch) = patch(pod) {
        template["podSpecPatch"] = patch.into();
    }
    template
}

fn push(object: &mut Value, key: &str, item: Value) {
    let Some(fields) = object.as_object_mut() else { return };
    match fields.entry(key).or_insert_with(|| json!([])) {
        Value::Array(items) => items.push(item),
        other => *other = json!([item]),
    }
}

/// Returns what of the pod has no field of its own in a workflow, as a patch.
fn patch(pod: &Value) -> Option<String> {
    let known = |key: &str| {
        SHARED.contains(&key) || ["containers", "initContainers", "priorityClassName", "serviceAccount"].contains(&key)
    };
    let rest: Map<String, Value> = pod
        .as_object()?
        .iter()
        .filter(|(key, _)| !known(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if rest.is_empty() { None } else { serde_yaml::to_string(&rest).ok() }
}
