//! Calls to the API server about Jobs and pods, each with what its refusals mean.

use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use serde_json::{Value, json};

use super::fault::{Trouble, trouble};
use super::kinds::{Job, Pod};
use super::pod::{PodFacts, PodState};
use super::{Cluster, job_state, managed, names};
use crate::base::{TimeSpan, Timestamp};
use crate::engine::STOP_GRACE;

/// Calls about Jobs and pods.
#[derive(Clone)]
pub(super) struct Calls {
    pub cluster: Cluster,
    pub pods: Api<Pod>,
    pub jobs: Api<Job>,
    /// The time of this machine.
    pub now: fn() -> Timestamp,
}

impl Calls {
    /// Posts a Job, and returns it as the server took it.
    pub(super) async fn post_job(&self, job: &Value) -> Result<Job, kube::Error> {
        self.cluster.post("apis/batch/v1", "jobs", job).await
    }

    /// Posts the pod of a Job whose pods this process makes: the one after `before` others. One that is
    /// there already is as good: its name and its owner say whose it is.
    pub(super) async fn post_pod(&self, job: &Value, uid: &str, before: u32) -> Result<(), kube::Error> {
        match self.cluster.post::<Pod>("api/v1", "pods", &managed::pod(job, uid, before)).await {
            Err(error) if trouble(&error) == Trouble::Exists => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// Posts the pod after `before` others from what the Job says; none when the Job is gone, or goes, or has
    /// ended. Returns whether there is one.
    pub(super) async fn next_pod(&self, job: &str, before: u32) -> Result<bool, kube::Error> {
        let job: Value = match self.cluster.read("apis/batch/v1", "jobs", job).await {
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(false),
            answer => answer?,
        };
        let metadata = &job["metadata"];
        let goes_on = metadata["deletionTimestamp"].is_null() && !has_ended(&job);
        match metadata["uid"].as_str().filter(|_| goes_on) {
            Some(uid) => self.post_pod(&job, uid, before).await.map(|()| true),
            None => Ok(false),
        }
    }

    /// Has a Job say how its pod ended. What the server finds wrong with it concerns nobody's result.
    pub(super) async fn settle(&self, job: &str, status: &Value) -> Result<(), kube::Error> {
        let patched = self.jobs.patch_status(job, &PatchParams::default(), &Patch::Merge(status)).await;
        match patched {
            Err(error) if matches!(trouble(&error), Trouble::Later(_)) => Err(error),
            _ => Ok(()),
        }
    }

    pub(super) async fn post_event(&self, event: &Value) -> Result<(), kube::Error> {
        self.cluster.post::<Value>("api/v1", "events", event).await.map(drop)
    }

    /// Ends a Job with its pods.
    ///
    /// Pods that run are given a deadline that is over, rather than deleted: they end with SIGTERM and
    /// their own grace, and stay, with their logs. The Job starts no other for a pod that failed.
    pub(super) async fn stop(&self, job: &str, pods: &[PodFacts], grace: TimeSpan) -> Result<(), kube::Error> {
        let all_run = pods.iter().all(|pod| matches!(pod.state, PodState::Running { .. }));
        if !pods.is_empty() && all_run && grace >= STOP_GRACE && self.end_pods(pods).await {
            return Ok(());
        }
        self.delete_job(job).await?;
        for pod in pods {
            self.delete_pod(&pod.name, &pod.uid, Some(grace)).await?;
        }
        Ok(())
    }

    /// Returns whether all pods could be given a deadline that is over; who may not change pods may delete.
    async fn end_pods(&self, pods: &[PodFacts]) -> bool {
        for pod in pods {
            // The server refuses the patch when another pod has the name by now.
            let over = json!({ "metadata": { "uid": pod.uid }, "spec": { "activeDeadlineSeconds": 1 } });
            if self.pods.patch(&pod.name, &PatchParams::default(), &Patch::Merge(over)).await.is_err() {
                return false;
            }
        }
        true
    }

    /// Has the Job controller look at a Job again, rather than when its own wait is over: any change does.
    pub(super) async fn nudge(&self, job: &str) -> Result<(), kube::Error> {
        let mark = json!({ "metadata": { "annotations": { names::NUDGED_AT: (self.now)().0.to_string() } } });
        ignore_missing(self.jobs.patch_metadata(job, &PatchParams::default(), &Patch::Merge(mark)).await)
    }

    /// Declares a pod ended that was asked to end and whose machine does not answer, as the cluster's own
    /// clean-up of pods does when a machine is gone. Returns why not, when that is not allowed.
    ///
    /// A Job controller replaces a pod only once it has ended, and keeps it until then.
    pub(super) async fn abandon(&self, pod: &str, uid: &str, is_managed: bool) -> Result<Option<String>, kube::Error> {
        if !is_managed {
            let status = json!({ "phase": "Failed", "reason": "MachineLost" });
            let over = json!({ "metadata": { "uid": uid }, "status": status });
            match self.pods.patch_status(pod, &PatchParams::default(), &Patch::Merge(over)).await {
                Err(kube::Error::Api(status)) if status.is_forbidden() => return Ok(Some(status.message.clone())),
                patched => ignore_missing(patched)?,
            }
        }
        self.delete_pod(pod, uid, Some(TimeSpan::ZERO)).await.map(|()| None)
    }

    /// Deletes a Job, so that it starts no further pod; its pods go with it.
    pub(super) async fn delete_job(&self, name: &str) -> Result<(), kube::Error> {
        ignore_missing(self.jobs.delete(name, &DeleteParams::background()).await)
    }

    /// Has the cluster remove a Job with its pods so many seconds after its end.
    pub(super) async fn expire_job(&self, name: &str, seconds: i64) -> Result<(), kube::Error> {
        let patch = json!({ "spec": { "ttlSecondsAfterFinished": seconds } });
        ignore_missing(self.jobs.patch_metadata(name, &PatchParams::default(), &Patch::Merge(patch)).await)
    }

    /// Deletes one pod, which has `grace` between SIGTERM and SIGKILL, its own when none is given.
    pub(super) async fn delete_pod(&self, name: &str, uid: &str, grace: Option<TimeSpan>) -> Result<(), kube::Error> {
        let params = DeleteParams {
            grace_period_seconds: grace.map(|grace| u32::try_from(grace.0.div_ceil(1000)).unwrap_or(u32::MAX)),
            preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
            ..DeleteParams::default()
        };
        ignore_missing(self.pods.delete(name, &params).await)
    }
}

fn has_ended(job: &Value) -> bool {
    serde_json::from_value(job.clone()).is_ok_and(|job| job_state::has_ended(&job))
}

/// What is gone already need not be deleted; another object of the name (409) is not meant.
pub(super) fn ignore_missing<T>(deleted: Result<T, kube::Error>) -> Result<(), kube::Error> {
    match deleted {
        Err(kube::Error::Api(status)) if !matches!(status.code, 404 | 409) => Err(kube::Error::Api(status)),
        Err(error) if !matches!(error, kube::Error::Api(_)) => Err(error),
        _ => Ok(()),
    }
}
