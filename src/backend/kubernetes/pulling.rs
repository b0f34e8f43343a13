//! Whether a cluster can pull an image: a pod is made of it, looked at, and deleted again.
//!
//! Its command is one that no image has. So it never runs: a container that could not start has its image.

use std::time::Duration;

use kube::Api;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use super::doctor::Finding;
use super::kinds::Pod;
use super::pod::{self, PodState};
use super::watch::{News, Watch, Which};
use super::{ApiError, Cluster};

/// How long a pull is waited for: large images take minutes, and nobody waits at a terminal for them.
const PULL_WAIT: Duration = Duration::from_secs(60);

/// What a kubelet says of an image that it does not get.
const NO_IMAGE: [&str; 6] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "RegistryUnavailable",
    "ImageInspectError",
];

/// Pulls an image in the namespace of `cluster`.
pub async fn pull(cluster: &Cluster, image: &str) -> Result<Finding, ApiError> {
    let made = cluster.post::<Pod>("api/v1", "pods", &pod_of(image)).await;
    let made = made.map_err(|error| ApiError::new(&format!("make a pod of the image `{image}`"), &error))?;
    let name = made.metadata.name.unwrap_or_default();
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let found = match tokio::time::timeout(PULL_WAIT, watch(&pods, &name, image)).await {
        Ok(found) => found,
        Err(_) => {
            let what = format!("the image `{image}` was not there within {} seconds", PULL_WAIT.as_secs());
            Ok(Finding::lacking(what, "it may be large, or its registry slow: ask again"))
        }
    };
    // One that stays has ended, and says by its name whose it is.
    let _ = pods.delete(&name, &DeleteParams::default().grace_period(0)).await;
    found.map_err(|error| ApiError::new(&format!("look at the pod `{name}`"), &error))
}

/// Returns a pod that the strictest pod security standard has nothing against.
fn pod_of(image: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "generateName": "wf-doctor-" },
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": false,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 65534, "seccompProfile": { "type": "RuntimeDefault" },
            },
            "containers": [{
                "name": "main",
                "image": image,
                "command": ["/wf-doctor-starts-nothing"],
                "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
            }],
        },
    })
}

async fn watch(pods: &Api<Pod>, name: &str, image: &str) -> Result<Finding, kube::Error> {
    let mut watch = Watch::new(pods.clone(), Which::Fields(format!("metadata.name={name}")));
    loop {
        let seen = match watch.is_listed() {
            false => watch.list().await?,
            true => match watch.next().await? {
                News::Is(pod) | News::Gone(pod) => vec![pod],
                News::Forgotten => Vec::new(),
            },
        };
        if let Some(finding) = seen.iter().find_map(|pod| judge(image, &pod::state(pod))) {
            return Ok(finding);
        }
    }
}

/// Returns what a pod says of its image; nothing while it may say more.
fn judge(image: &str, state: &PodState) -> Option<Finding> {
    match state {
        PodState::Waiting(None) => None,
        PodState::Waiting(Some(reason)) => {
            let what = format!("no machine takes a pod to pull the image `{image}` with: {reason}");
            Some(Finding::lacking(what, "make room, or ask again when there is some"))
        }
        PodState::Stuck(reason) if NO_IMAGE.iter().any(|word| reason.starts_with(word)) => {
            let help = "check its name, and give `imagePullSecrets` where its registry wants a login";
            Some(Finding::bad(format!("the image `{image}` cannot be pulled: {reason}"), help))
        }
        _ => Some(Finding::good(format!("the image `{image}` can be pulled"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::kubernetes::Health;

    #[test]
    fn what_keeps_a_pod_from_its_image_is_told_from_the_rest() {
        let judged = |state: PodState| judge("i", &state).map(|finding| finding.health);
        for (state, expected) in [
            (PodState::Waiting(None), None),
            (PodState::Waiting(Some("Unschedulable: no room".to_owned())), Some(Health::Lacking)),
            (PodState::Stuck("ImagePullBackOff: no such image".to_owned()), Some(Health::Bad)),
            (PodState::Stuck("CreateContainerError: no such command".to_owned()), Some(Health::Good)),
            (PodState::Running { ready: true, ip: None, host: None }, Some(Health::Good)),
            (PodState::Deleted, Some(Health::Good)),
        ] {
            assert_eq!(judged(state.clone()), expected, "{state:?}");
        }
    }
}
