//! What becomes of a node whose pod or Job somebody takes away.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{DeleteParams, EvictParams, ListParams};
use serde_json::Value;

use super::space::{Space, block, eventually, sure};

/// One node that may be tried three times and marks a file of its own; it takes long enough to be disturbed.
const TRIED: &str = r#"
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: tried-}
spec:
  entrypoint: work
  templates:
  - name: work
    retryStrategy: {limit: '2', retryPolicy: Always}
    container: {image: busybox, command: [sh, -c, 'trap "exit 143" TERM; sleep 4 & wait']}
"#;

#[test]
fn an_evicted_pod_costs_no_retry() {
    let Some(space) = Space::new("evicted") else { return };
    let object = disturbed(&space, |pod| {
        sure("evict", block(space.api::<Pod>().evict(&pod.name_any(), &EvictParams::default())));
    });
    assert_eq!(attempts(&object), ["Succeeded"], "{object:#}");
}

#[test]
fn a_pod_deleted_by_hand_is_an_attempt_that_failed() {
    let Some(space) = Space::new("pod-deleted") else { return };
    let object = disturbed(&space, |pod| {
        sure("delete", block(space.api::<Pod>().delete(&pod.name_any(), &DeleteParams::default())));
    });
    let attempts = attempts(&object);
    assert!(attempts.len() <= 2 && attempts.last().is_some_and(|phase| phase == "Succeeded"), "{attempts:?}");
}

#[test]
fn a_job_deleted_by_hand_is_an_attempt_that_failed() {
    let Some(space) = Space::new("job-deleted") else { return };
    let object = disturbed(&space, |pod| {
        let job = &pod.owner_references()[0].name;
        sure("delete", block(space.api::<Job>().delete(job, &DeleteParams::background())));
    });
    let attempts = attempts(&object);
    assert_eq!(attempts.len(), 2, "{attempts:?}");
    assert_eq!(attempts[1], "Succeeded", "{attempts:?}");
}

/// Runs the node, disturbs its pod while it runs, and returns the run that must have succeeded.
fn disturbed(space: &Space, disturb: impl FnOnce(&Pod)) -> Value {
    let file = space.write("tried.yaml", TRIED);
    let driver = space.start(&["submit", "--wait", "--name", "tried", &file]);
    let running = eventually("a running pod", || {
        let pods = block(space.api::<Pod>().list(&ListParams::default().labels("wf.internal/run=tried"))).ok()?;
        pods.items
            .into_iter()
            .find(|pod| pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Running")))
    });
    disturb(&running);
    let outcome = driver.end();
    assert_eq!(outcome.code, 0, "{}", outcome.all());
    let object = space.object("tried");
    assert_eq!(object["status"]["phase"], "Succeeded", "{object:#}");
    object
}

/// Returns the phases of the attempts, in their order.
fn attempts(object: &Value) -> Vec<String> {
    let nodes = object["status"]["nodes"].as_object().into_iter().flatten();
    let mut attempts: Vec<(&str, &str)> = nodes
        .filter(|(_, node)| node["type"] == "Pod")
        .map(|(_, node)| (node["name"].as_str().unwrap_or_default(), node["phase"].as_str().unwrap_or_default()))
        .collect();
    attempts.sort_unstable();
    attempts.into_iter().map(|(_, phase)| phase.to_owned()).collect()
}
