//! The Job controller: one sync of one Job at a time, news of pods batched for a second, a view of the
//! pods that may be old.
//!
//! Source: `syncJob`, `manageJob` and `trackJobStatusAndRemoveFinalizers` of Kubernetes' Job controller,
//! for Jobs of one pod with `backoffLimit: 0` and `podReplacementPolicy: Failed`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::network::{NAMESPACE, Remote};
use crate::base::TimeSpan;
use crate::sim::apiserver::{Change, Key, is_owned};

/// `SyncJobBatchPeriod`.
const BATCH_MILLIS: u64 = 1_000;

/// How long the controller takes for a Job that is new or has changed.
const SYNC_MILLIS: u64 = 20;

/// The first wait before a pod is made for one that failed; each is twice the one before.
const BACKOFF_MILLIS: u64 = 10_000;

/// The finalizer by which a pod stays until it is counted.
const TRACKING: &str = "batch.kubernetes.io/job-tracking";

/// How often in a thousand a namespace has no room for a pod, in bad weather.
const NO_ROOM_IN_THOUSAND: u64 = 60;
const NO_ROOM_MILLIS: u64 = 5_000;

impl Remote {
    /// Takes note of a change of a Job.
    pub(super) fn heed_job(&self, change: &Change) {
        match change.what {
            "ADDED" => self.sync_later(change.key.clone(), self.below(SYNC_MILLIS)),
            "MODIFIED" => {
                self.sync_later(change.key.clone(), BATCH_MILLIS);
                self.heed_end(change);
            }
            _ => {}
        }
    }

    /// Takes note of a change of a pod of a Job.
    pub(super) fn heed_pod_of_job(&self, change: &Change) {
        let owner = &change.object["metadata"]["ownerReferences"][0];
        if let Some(name) = owner["name"].as_str().filter(|_| owner["kind"] == "Job") {
            self.sync_later(key("jobs", name), BATCH_MILLIS);
        }
    }

    fn sync_later(&self, job: Key, millis: u64) {
        let due = self.now() + TimeSpan(millis);
        let known = self.0.syncs.borrow().get(&job).copied();
        if known.is_some_and(|known| known <= due) {
            return;
        }
        self.0.syncs.borrow_mut().insert(job.clone(), due);
        self.after(millis, move |remote| {
            let is_due = remote.0.syncs.borrow().get(&job) == Some(&due);
            if is_due {
                remote.0.syncs.borrow_mut().remove(&job);
                remote.sync(&job);
            }
        });
    }

    fn sync(&self, job: &Key) {
        let Some(object) = self.0.state.borrow().find(job).cloned() else { return };
        let spec = &object["spec"];
        if !spec["managedBy"].is_null() || spec["parallelism"] == 0 || spec["suspend"] == true {
            return;
        }
        let pods = self.pods_of(&object);
        if has_condition(&object, "Complete") || has_condition(&object, "Failed") {
            pods.iter().filter(|(_, pod)| has_ended(pod)).for_each(|(key, _)| self.let_go(key));
            return;
        }
        let counted: Vec<&(Key, Arc<Value>)> =
            pods.iter().filter(|(_, pod)| has_ended(pod) && is_tracked(pod)).collect();
        let is_ignored = |pod: &Value| pod["status"]["phase"] == "Failed" && has_condition(pod, "DisruptionTarget");
        let failed = counted.iter().any(|(_, pod)| pod["status"]["phase"] == "Failed" && !is_ignored(pod));
        let succeeded = counted.iter().any(|(_, pod)| pod["status"]["phase"] == "Succeeded");
        let disrupted = counted.iter().filter(|(_, pod)| is_ignored(pod)).count();
        if let Some(phase) = failed.then_some("Failed").or(succeeded.then_some("Complete")) {
            self.end_job(job, phase);
            pods.iter().filter(|(_, pod)| !has_ended(pod)).for_each(|(key, _)| self.delete_pod(key));
        }
        counted.iter().for_each(|(key, _)| self.let_go(key));
        if failed || succeeded {
            return;
        }
        let name = &job.2;
        let disruptions = *self
            .0
            .made
            .borrow_mut()
            .entry(format!("disruptions of {name}"))
            .and_modify(|times| *times += disrupted as u32)
            .or_insert(disrupted as u32);
        let alive: Vec<_> = pods.iter().filter(|(_, pod)| !has_ended(pod)).collect();
        match alive.len() {
            0 if disrupted > 0 => {
                self.sync_later(job.clone(), BACKOFF_MILLIS << (disruptions - 1).min(5));
            }
            0 if self.has_no_room(&object) => self.sync_later(job.clone(), self.below(NO_ROOM_MILLIS)),
            0 => self.make_pod(&object),
            1 => self.make_double(&object),
            _ => self.end_surplus(&alive),
        }
    }

    /// Returns the pods of a Job, in the order of their making.
    pub(super) fn pods_of(&self, job: &Value) -> Vec<(Key, Arc<Value>)> {
        let uid = &job["metadata"]["uid"];
        let state = self.0.state.borrow();
        let owned = state.all("pods").filter(|(_, pod)| is_owned(pod, uid));
        let mut pods: Vec<_> = owned.map(|(key, pod)| (key.clone(), pod.clone())).collect();
        let number =
            |pod: &Value| pod["metadata"]["uid"].as_str().and_then(|uid| uid.strip_prefix("uid-")?.parse::<u64>().ok());
        pods.sort_by_key(|(_, pod)| number(pod));
        pods
    }

    fn make_pod(&self, job: &Value) {
        let name = job["metadata"]["name"].as_str().unwrap_or_default();
        let template = &job["spec"]["template"];
        let mut metadata = template["metadata"].clone();
        metadata["name"] = format!("{name}-{:05x}", self.below(1 << 20)).into();
        metadata["finalizers"] = json!([TRACKING]);
        metadata["ownerReferences"] = json!([{
            "apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": job["metadata"]["uid"], "controller": true,
        }]);
        let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"] });
        // A name that is taken by chance is another's; the next sync makes another.
        let _ = self.change(|state| state.create("pods", NAMESPACE, pod));
    }

    /// A controller whose view is old makes the pod again.
    fn make_double(&self, job: &Value) {
        let left = self.0.doubles_left.get();
        if left > 0 && self.below(6) == 0 {
            self.0.doubles_left.set(left - 1);
            self.0.world.count("pod made twice");
            self.make_pod(job);
        }
    }

    /// Has the namespace no room now, it says so in an event.
    fn has_no_room(&self, job: &Value) -> bool {
        if self.0.weather.troubles_in_thousand == 0 || !self.is_stormy() || !self.in_thousand(NO_ROOM_IN_THOUSAND) {
            return false;
        }
        self.0.world.count("pod beyond a quota");
        let name = job["metadata"]["name"].as_str().unwrap_or_default();
        let message = format!(
            "Error creating: pods \"{name}-x\" is forbidden: exceeded quota: two, requested: pods=1, used: pods=2, limited: pods=2"
        );
        let event = json!({
            "apiVersion": "v1", "kind": "Event",
            "metadata": { "name": format!("{name}.{:x}", self.now().0) },
            "involvedObject": { "kind": "Job", "name": name }, "reason": "FailedCreate", "message": message,
        });
        let _ = self.change(|state| state.create("events", NAMESPACE, event));
        true
    }

    fn end_surplus(&self, alive: &[&(Key, Arc<Value>)]) {
        for (key, pod) in alive.iter().skip(1) {
            if pod["metadata"]["deletionTimestamp"].is_null() {
                // It is not to be counted.
                self.let_go(key);
                self.delete_pod(key);
            }
        }
    }

    fn end_job(&self, job: &Key, phase: &str) {
        let time = self.now().rfc3339();
        let words = if phase == "Complete" {
            [("SuccessCriteriaMet", "CompletionsReached"), ("Complete", "CompletionsReached")]
        } else {
            [("FailureTarget", "BackoffLimitExceeded"), ("Failed", "BackoffLimitExceeded")]
        };
        self.change(|state| {
            state.update(job, |job| {
                let condition = |(word, reason): (&str, &str)| {
                    json!({ "type": word, "status": "True", "reason": reason, "lastTransitionTime": time,
                        "message": if phase == "Failed" { "Job has reached the specified backoff limit" } else { "" } })
                };
                job["status"]["startTime"] = time.as_str().into();
                job["status"]["conditions"] = words.map(condition).to_vec().into();
                if phase == "Complete" {
                    job["status"]["completionTime"] = time.as_str().into();
                }
            });
        });
    }

    /// Takes the finalizer off a pod, which goes if it was to go.
    fn let_go(&self, pod: &Key) {
        self.change(|state| {
            state.update(pod, |pod| {
                pod["metadata"].as_object_mut().map(|metadata| metadata.remove("finalizers"));
            });
            if state.find(pod).is_some_and(|pod| !pod["metadata"]["deletionTimestamp"].is_null() && has_ended(pod)) {
                state.remove(pod);
            }
        });
    }

    /// Takes the finalizer off the pods of a Job that is gone.
    pub(super) fn orphan(&self, pod: &Key) {
        self.let_go(pod);
    }
}

/// Returns what an object of the namespace is found by.
pub(super) fn key(plural: &str, name: &str) -> Key {
    (plural.to_owned(), NAMESPACE.to_owned(), name.to_owned())
}

/// Returns whether a pod has ended.
pub(super) fn has_ended(pod: &Value) -> bool {
    ["Succeeded", "Failed"].iter().any(|phase| pod["status"]["phase"] == *phase)
}

/// Returns whether a condition of an object holds.
pub(super) fn has_condition(object: &Value, word: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|condition| condition["type"] == word && condition["status"] == "True")
}

fn is_tracked(pod: &Value) -> bool {
    pod["metadata"]["finalizers"].as_array().is_some_and(|finalizers| finalizers.iter().any(|name| name == TRACKING))
}
