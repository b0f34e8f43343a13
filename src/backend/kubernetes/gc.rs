//! What goes when it is no longer needed: pods by `podGC`, claims by `volumeClaimGC`, the Jobs of long runs.
//!
//! A pod or Job goes only after its end is in the log and what it wrote is kept, and never before the delay
//! that Argo gives it. What cannot be kept stays.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use kube::core::Selector;
use tokio::time::Instant;

use super::archive::keep::{Archive, node_of};
use super::archive::leaving::Leave;
use super::client::KubernetesBackend;
use super::events::Told;
use super::fault::failed;
use super::kinds::Pod;
use super::track::{Effect, Track};
use super::{calls::Calls, containers::claim_name, names};
use crate::backend::BackendError;
use crate::base::limits::{LEAVING_TOGETHER_MAX, LIST_PAGE_OBJECTS};
use crate::base::{NodeIx, TimeSpan, Timestamp};
use crate::engine::Phase;
use crate::spec;

/// How long pods stay after their end when the manifest does not say: Argo's `podGCDeleteDelayDuration`.
const DELAY: TimeSpan = TimeSpan::from_secs(5);

/// When the pods of a run go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PodPolicy {
    /// Whether each goes after its own end; else all go after the run's.
    pub is_per_pod: bool,
    /// Whether only after success.
    pub needs_success: bool,
    /// How long they stay.
    pub delay: Duration,
    /// Whether the manifest says so.
    is_delay_given: bool,
    /// The labels of those that are meant.
    selector: String,
}

impl PodPolicy {
    /// Reads `podGC`; none when pods are to stay.
    pub(super) fn of(workflow: &spec::WorkflowSpec) -> Option<Self> {
        let gc = workflow.pod_gc.as_ref()?;
        let (is_per_pod, needs_success) = match gc.strategy.as_deref()? {
            "OnPodCompletion" => (true, false),
            "OnPodSuccess" => (true, true),
            "OnWorkflowCompletion" => (false, false),
            "OnWorkflowSuccess" => (false, true),
            _ => return None,
        };
        let selector = gc.label_selector.as_ref().map(|selector| selector.0.clone()).unwrap_or_default();
        // What cannot be read matches nothing, rather than everything.
        let selector = match selector {
            serde_json::Value::Null => String::new(),
            given => {
                let given: LabelSelector = serde_json::from_value(given).ok()?;
                Selector::try_from(given).ok()?.to_string()
            }
        };
        let delay = gc.delete_delay_duration.as_deref().and_then(|text| TimeSpan::parse(text).ok());
        let is_delay_given = delay.is_some();
        Some(Self { is_per_pod, needs_success, delay: delay.unwrap_or(DELAY).to_std(), is_delay_given, selector })
    }

    /// Returns how long pods still stay after the end of the run. Nobody waits for the delay that is not
    /// given: it is there so that Argo's controller sees the end of a pod, which is in the log by now.
    fn delay_at_end(&self) -> Duration {
        if self.is_delay_given { self.delay } else { Duration::ZERO }
    }

    /// Returns the selector of the pods that are meant, of those that `which` selects.
    fn among(&self, which: String) -> String {
        if self.selector.is_empty() { which } else { format!("{which},{}", self.selector) }
    }
}

/// What is to go, and how.
struct Going {
    calls: Calls,
    archive: Arc<Archive>,
    /// Selects the pods.
    selector: String,
    needs_success: bool,
    /// How long they stay in the cluster's hands.
    delay: Duration,
}

impl Going {
    /// Keeps the logs of the pods that are selected, page by page, and does with each page what `leave`
    /// says. Returns the nodes whose logs could not be kept, and of which nothing went.
    async fn go(&self, leave: Leave) -> Result<BTreeSet<NodeIx>, kube::Error> {
        let mut params = ListParams::default().labels(&self.selector).limit(LIST_PAGE_OBJECTS);
        let mut unread = BTreeSet::new();
        loop {
            let page = self.calls.pods.list(&params).await?;
            let going: Vec<Pod> = page.items.into_iter().filter(|pod| self.goes(pod, leave)).collect();
            let unread_here = self.archive.keep(&going).await?;
            if leave == Leave::Pods {
                self.delete(&going, &unread_here).await?;
            }
            unread.extend(unread_here);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => return Ok(unread),
            }
        }
    }

    fn goes(&self, pod: &Pod, leave: Leave) -> bool {
        match leave {
            Leave::Pods => pod.metadata.deletion_timestamp.is_none() && has_ended(pod, self.needs_success),
            Leave::Logs | Leave::Jobs => true,
        }
    }

    async fn delete(&self, pods: &[Pod], unread: &BTreeSet<NodeIx>) -> Result<(), kube::Error> {
        for pod in pods {
            let is_unread = node_of(pod).is_some_and(|node| unread.contains(&node));
            if is_unread {
                continue;
            }
            if let (Some(name), Some(uid)) = (&pod.metadata.name, &pod.metadata.uid) {
                match expiry(pod, self.delay, (self.calls.now)()) {
                    Some((job, seconds)) => self.calls.expire_job(&job, seconds).await?,
                    None => self.calls.delete_pod(name, uid, None).await?,
                }
            }
        }
        Ok(())
    }
}

/// Returns which Job is to go so many seconds after its own end, for a pod that is to stay for `delay`; the
/// Job has ended after the pod was made. None where there is nothing to wait for.
fn expiry(pod: &Pod, delay: Duration, now: Timestamp) -> Option<(String, i64)> {
    let job = pod.metadata.labels.as_ref()?.get("batch.kubernetes.io/job-name").filter(|_| !delay.is_zero())?;
    let made = pod.metadata.creation_timestamp.as_ref().map_or(0, |time| time.0.as_millisecond());
    let age = now.since(Timestamp(made)).0.div_ceil(1000);
    let seconds = age.saturating_add(delay.as_secs());
    Some((job.clone(), i64::try_from(seconds).unwrap_or(i64::MAX).min(i64::from(i32::MAX))))
}

fn has_ended(pod: &Pod, needs_success: bool) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    phase == Some("Succeeded") || (phase == Some("Failed") && !needs_success)
}

impl KubernetesBackend {
    /// Takes note that the ends of `nodes` are in the log: what they leave behind may go.
    pub(super) fn let_go(&self, nodes: &[NodeIx]) {
        let now = Instant::now();
        let per_pod = self.policy.as_ref().filter(|policy| policy.is_per_pod);
        let mut state = self.state();
        for node in nodes {
            if let Some(policy) = per_pod {
                state.leftovers.add(*node, Leave::Pods, now + policy.delay);
            } else if self.archive.policy.is_at_once(state.tracks.get(node).and_then(Track::archive_logs)) {
                state.leftovers.add(*node, Leave::Logs, now);
            }
            if let Some(track) = state.tracks.get_mut(node) {
                track.recorded();
                state.leftovers.ended(*node, now);
            }
        }
        self.wake.notify_one();
    }

    /// Keeps logs of nodes, and lets go what `leave` says. Returns the nodes whose logs could not be read.
    pub(super) fn leave(&self, leave: Leave, nodes: Vec<NodeIx>) -> BoxFuture<'static, kube::Result<Vec<NodeIx>>> {
        let numbers = nodes.iter().map(NodeIx::to_string).collect::<Vec<_>>().join(",");
        let which = format!("{}={},{} in ({numbers})", names::HEAD, self.owner.head, names::NODE);
        let going = self.going(leave, which, true);
        let jobs: Vec<(NodeIx, String)> = match leave {
            Leave::Jobs => nodes.iter().map(|node| (*node, self.job_name(*node))).collect(),
            Leave::Logs | Leave::Pods => Vec::new(),
        };
        async move {
            let unread = going.go(leave).await?;
            for (node, job) in jobs {
                if !unread.contains(&node) {
                    going.calls.delete_job(&job).await?;
                }
            }
            Ok(unread.into_iter().collect())
        }
        .boxed()
    }

    fn going(&self, leave: Leave, which: String, is_per_pod: bool) -> Going {
        let policy = self.policy.as_ref().filter(|_| leave == Leave::Pods);
        Going {
            calls: self.calls(),
            archive: self.archive.clone(),
            selector: policy.map_or(which.clone(), |policy| policy.among(which)),
            needs_success: is_per_pod && policy.is_some_and(|policy| policy.needs_success),
            delay: Duration::ZERO,
        }
    }

    /// Cleans up after a run that has ended in `phase`, as `podGC` and `volumeClaimGC` say. Its log is
    /// complete by now. What fails here is left for the run's deletion.
    pub(super) async fn clean_up(&self, phase: Phase) -> Result<(), BackendError> {
        self.state().chores.push_back((NodeIx(0), Effect::Tell(Told::end(phase))));
        let late = {
            let mut state = self.state();
            // What goes by number alone may as well stay until the run goes.
            state.chores.retain(|(_, chore)| !matches!(chore, Effect::Leave(Leave::Jobs, _)));
            state.leftovers.take_all(Leave::Logs)
        };
        let groups = late.chunks(LEAVING_TOGETHER_MAX).filter_map(|group| Some((*group.first()?, group.to_vec())));
        let keeps = groups.map(|(first, group)| (first, Effect::Leave(Leave::Logs, group)));
        self.state().chores.extend(keeps.collect::<Vec<_>>());
        self.end_chores().await?;
        let succeeded = phase == Phase::Succeeded;
        let claims = self.clean_claims(succeeded).await;
        if let Some(policy) =
            self.policy.as_ref().filter(|policy| policy.is_per_pod || !policy.needs_success || succeeded)
        {
            let is_per_pod = policy.is_per_pod;
            let which = format!("{}={},{}=node", names::HEAD, self.owner.head, names::KIND);
            let going = self.going(Leave::Pods, which, is_per_pod);
            // A driver that has nothing else to do does not wait: the cluster removes Jobs at their time.
            let unread = Going { delay: policy.delay_at_end(), ..going }.go(Leave::Pods).await;
            unread_stays(unread.map_err(|error| failed("delete the run's pods (`podGC`)", &error))?)?;
        }
        claims
    }

    async fn clean_claims(&self, succeeded: bool) -> Result<(), BackendError> {
        let strategy = self.resolved.spec.volume_claim_gc.as_ref().and_then(|gc| gc.strategy.as_deref());
        match strategy {
            Some("OnWorkflowCompletion") => self.delete_claims().await,
            _ if succeeded => self.delete_claims().await,
            _ => Ok(()),
        }
    }

    /// Does what news have left to do, such as having the last Job say how it ended.
    async fn end_chores(&self) -> Result<(), BackendError> {
        let mut ears = self.ears.lock().await;
        loop {
            self.begin_chores(&ears.chores);
            match ears.chores.next().await {
                Some(done) => self.heed_done(done)?,
                None => return Ok(()),
            }
        }
    }

    /// Source: Argo's `deletePVCs`.
    async fn delete_claims(&self) -> Result<(), BackendError> {
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(self.cluster.client.clone(), &self.cluster.namespace);
        for template in &self.resolved.spec.volume_claim_templates {
            let name = template.0.pointer("/metadata/name").and_then(|name| name.as_str()).unwrap_or_default();
            let name = claim_name(self.owner.run.as_str(), name);
            let deleted = claims.delete(&name, &DeleteParams::background()).await;
            super::calls::ignore_missing(deleted)
                .map_err(|error| failed(format!("delete the volume claim `{name}`"), &error))?;
        }
        Ok(())
    }
}

/// Says that pods stay whose logs cannot be read.
fn unread_stays(unread: BTreeSet<NodeIx>) -> Result<(), BackendError> {
    match unread.len() {
        0 => Ok(()),
        nodes => Err(BackendError::Unavailable {
            backend: "kubernetes",
            action: "delete all of the run's pods (`podGC`)".to_owned(),
            reason: format!("the logs of {nodes} nodes could not be read, so their pods stay"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pods_go_as_the_manifest_says() {
        let policy = |gc: serde_json::Value| {
            let workflow: spec::WorkflowSpec = serde_json::from_value(json!({ "podGC": gc })).expect("a spec");
            PodPolicy::of(&workflow)
        };
        assert_eq!(policy(json!({ "strategy": "Never" })), None);
        assert_eq!(policy(json!({})), None);
        let found = policy(json!({ "strategy": "OnPodSuccess" })).expect("a policy");
        assert_eq!((found.is_per_pod, found.needs_success, found.delay), (true, true, Duration::from_secs(5)));
        let selected = json!({
            "strategy": "OnWorkflowCompletion", "deleteDelayDuration": "30s",
            "labelSelector": { "matchLabels": { "a": "b" } },
        });
        let found = policy(selected).expect("a policy");
        assert_eq!((found.is_per_pod, found.needs_success, found.delay), (false, false, Duration::from_secs(30)));
        assert_eq!(found.among("x=y".to_owned()), "x=y,a=b");
        assert_eq!(found.delay_at_end(), Duration::from_secs(30));
        let found = policy(json!({ "strategy": "OnPodSuccess" })).expect("a policy");
        assert_eq!(found.delay_at_end(), Duration::ZERO);
    }

    #[test]
    fn a_pod_that_is_to_stay_for_a_while_is_left_to_the_cluster() {
        let pod = json!({ "metadata": {
            "labels": { "batch.kubernetes.io/job-name": "a-1" }, "creationTimestamp": "2026-01-01T00:00:00Z",
        }});
        let pod: Pod = serde_json::from_value(pod).expect("a pod");
        let now = Timestamp(1_700_000_000_000);
        assert_eq!(expiry(&pod, Duration::ZERO, now), None);
        let (job, seconds) = expiry(&pod, Duration::from_secs(30), now).expect("it stays");
        assert!(job == "a-1" && seconds >= 30, "{job} {seconds}");
        assert_eq!(expiry(&Pod::default(), Duration::from_secs(30), now), None);
    }
}
