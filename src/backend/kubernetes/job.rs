//! From a request of the engine to the Job that is posted for it. Pure.
//!
//! It is JSON from beginning to end: what users write of containers, volumes and the like goes
//! through as it is, and no field that this release does not know is lost.

use serde_json::{Map, Value, json};

use super::client::Owner;
use super::due::Due;
use super::fault::Refusal;
use super::{bounds, names, pod_spec};
use crate::base::Timestamp;
use crate::engine::PodRequest;

/// Who finishes the Jobs of managed mode: not the Job controller.
pub(super) const MANAGED_BY: &str = "wf.internal/driver";

/// What a Job is made in the midst of.
pub(super) struct Around<'a> {
    /// Whose it is.
    pub owner: &'a Owner,
    /// The time, from which the run's deadline is counted.
    pub now: Timestamp,
    /// Whether this process makes the pod.
    pub managed: bool,
}

/// A Job to be posted, and what it needs to be there before.
pub(super) struct NewJob {
    /// The Job.
    pub job: Value,
    /// Whether the ConfigMap with the helper must be there.
    pub needs_helper: bool,
}

/// Returns the Job for `request`, or why there cannot be one.
///
/// The Job runs one pod, replaces it when it was disrupted (drained, preempted, evicted), and
/// never tries again what failed: that is the engine's.
pub(super) fn job(request: &PodRequest, around: &Around<'_>) -> Result<NewJob, Refusal> {
    let pod = pod_spec::pod_template(request, around)?;
    bounds::check(&pod.template)?;
    let mut spec = json!({
        "backoffLimit": 0,
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": { "rules": [
            { "action": "Ignore", "onPodConditions": [{ "type": "DisruptionTarget", "status": "True" }] },
        ]},
        "template": pod.template,
    });
    if around.managed {
        spec["managedBy"] = MANAGED_BY.into();
    }
    let owner = around.owner;
    let job = json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": names::job(&owner.run, &owner.uid, request.node),
            "labels": labels(request, owner),
            "annotations": { names::NODE_NAME: &*request.node_name, names::DUE: Due::of(request).write() },
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": spec,
    });
    Ok(NewJob { job, needs_helper: pod.needs_helper })
}

/// Returns the labels by which a Job and its pods are found.
pub(super) fn labels(request: &PodRequest, owner: &Owner) -> Map<String, Value> {
    let mut labels = Map::new();
    labels.insert(names::RUN.to_owned(), owner.run.as_str().into());
    labels.insert(names::HEAD.to_owned(), owner.head.as_str().into());
    labels.insert(names::KIND.to_owned(), "node".into());
    labels.insert(names::NODE.to_owned(), request.node.to_string().into());
    labels.insert(names::WORKFLOW.to_owned(), owner.run.as_str().into());
    if let Some(template) = request.template.name.as_deref().filter(|name| bounds::is_label_value(name)) {
        labels.insert(names::TEMPLATE.to_owned(), template.into());
    }
    labels
}

/// Returns the reference to the head, with which the Job goes.
pub(super) fn owner_reference(owner: &Owner) -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": owner.run.as_str(),
        "uid": owner.head,
        "controller": true,
    })
}
