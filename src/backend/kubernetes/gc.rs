//! What goes when it is no longer needed: pods by `podGC`, claims by `volumeClaimGC`.
//!
//! A pod goes only after its end is in the log, and never before the delay that Argo gives it.
//! Its Job stays: it is small, and says that the node was started.

use std::time::Duration;

use futures_util::StreamExt;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use kube::core::Selector;
use tokio::time::Instant;

use super::client::KubernetesBackend;
use super::events::Told;
use super::fault::failed;
use super::kinds::Pod;
use super::track::Effect;
use super::{calls::Calls, containers::claim_name, names};
use crate::backend::BackendError;
use crate::base::{NodeIx, TimeSpan};
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
        Some(Self { is_per_pod, needs_success, delay: delay.unwrap_or(DELAY).to_std(), selector })
    }

    /// Returns the selector of the pods that are meant, of those that `which` selects.
    fn among(&self, which: String) -> String {
        if self.selector.is_empty() { which } else { format!("{which},{}", self.selector) }
    }
}

impl Calls {
    /// Deletes pods with the labels of `selector` that have ended; with `needs_success`, those that ended well.
    pub(super) async fn sweep(&self, selector: &str, needs_success: bool) -> Result<(), kube::Error> {
        for pod in self.pods.list(&ListParams::default().labels(selector)).await?.items {
            let (Some(name), Some(uid)) = (&pod.metadata.name, &pod.metadata.uid) else { continue };
            if pod.metadata.deletion_timestamp.is_none() && has_ended(&pod, needs_success) {
                self.delete_pod(name, uid, None).await?;
            }
        }
        Ok(())
    }
}

fn has_ended(pod: &Pod, needs_success: bool) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    phase == Some("Succeeded") || (phase == Some("Failed") && !needs_success)
}

impl KubernetesBackend {
    /// Takes note that the ends of `nodes` are in the log: their pods may go.
    pub(super) fn let_go(&self, nodes: &[NodeIx]) {
        let Some(policy) = self.policy.as_ref().filter(|policy| policy.is_per_pod) else { return };
        let due = Instant::now() + policy.delay;
        self.state().sweeps.extend(nodes.iter().map(|node| (due, *node)));
        self.wake.notify_one();
    }

    /// Returns what a sweep of one node's pods asks for.
    pub(super) fn sweep_of(&self, node: NodeIx) -> Option<(String, bool)> {
        let policy = self.policy.as_ref()?;
        let which = format!("{}={},{}={node}", names::HEAD, self.owner.head, names::NODE);
        Some((policy.among(which), policy.needs_success))
    }

    /// Cleans up after a run that has ended in `phase`, as `podGC` and `volumeClaimGC` say. Its log is
    /// complete by now. What fails here is left for the run's deletion.
    pub(super) async fn clean_up(&self, phase: Phase) -> Result<(), BackendError> {
        self.state().chores.push_back((NodeIx(0), Effect::Tell(Told::end(phase))));
        self.end_chores().await?;
        let succeeded = phase == Phase::Succeeded;
        if let Some(policy) =
            self.policy.as_ref().filter(|policy| policy.is_per_pod || !policy.needs_success || succeeded)
        {
            let selector = policy.among(format!("{}={}", names::HEAD, self.owner.head));
            let needs_success = policy.is_per_pod && policy.needs_success;
            let swept = self.calls().sweep(&selector, needs_success).await;
            swept.map_err(|error| failed("delete the run's pods (`podGC`)", &error))?;
        }
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
    }
}
