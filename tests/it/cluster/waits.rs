//! Why a pod waits: a person reads it from the run, and a pod that never can start does not keep it for ever.

use k8s_openapi::api::core::v1::{Namespace, ResourceQuota};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;

use super::space::{Space, block, eventually, sure};

/// Runs one node whose template is given, until `wf get` and the watch say why it waits; then ends it.
fn check(space: &Space, name: &str, template: &str, words: &[&str]) {
    let file = space.write(&format!("{name}.yaml"), one(template));
    let driver = space.start(&["submit", "--watch", "--name", name, &file]);
    let found = |text: &str| words.iter().all(|word| text.contains(word));
    eventually(&format!("why `{name}` waits"), || found(&space.wf(&["get", name]).stdout).then_some(()));
    assert!(found(&space.wf(&["get", name, "-o", "json"]).stdout), "{}", space.wf(&["get", name, "-o", "json"]).all());
    assert_eq!(space.wf(&["terminate", name]).code, 0);
    let outcome = driver.end();
    assert!(outcome.code == 1 && found(&outcome.all()), "the watch does not say {words:?}: {}", outcome.all());
}

fn one(template: &str) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{generateName: one-}}
spec:
  entrypoint: main
  templates:
  - {{name: main, {template}}}
"
    )
}

#[test]
fn why_a_pod_waits_is_told() {
    let Some(space) = Space::new("waits") else { return };
    check(
        &space,
        "nowhere",
        "nodeSelector: {no: such-node}, container: {image: busybox, command: ['true']}",
        &["Unschedulable", "node"],
    );
    check(&space, "no-image", "container: {image: 'no/such:image', command: ['true']}", &["no/such:image"]);
    check(
        &space,
        "no-secret",
        "container: {image: busybox, command: ['true'], envFrom: [{secretRef: {name: no-such-secret}}]}",
        &["CreateContainerConfigError", "no-such-secret"],
    );
}

#[test]
fn a_quota_that_is_used_up_is_told() {
    for space in [Space::new("used-up"), Space::managed("used-up-managed")] {
        let Some(space) = space else { return };
        let quota = json!({"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}});
        let quota: ResourceQuota = sure("a quota", serde_json::from_value(quota));
        sure("create it", block(space.api().create(&PostParams::default(), &quota)));
        check(&space, "used-up", "container: {image: busybox, command: ['true']}", &["exceeded quota", "none"]);
    }
}

#[test]
fn a_pod_that_the_security_policy_forbids_is_told() {
    let Some(space) = Space::new("policy") else { return };
    let label = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    let namespaces: Api<Namespace> = Api::all(space.client.clone());
    sure("a policy", block(namespaces.patch(&space.name, &PatchParams::default(), &Patch::Merge(&label))));
    check(
        &space,
        "forbidden",
        "container: {image: busybox, command: ['true']}",
        &["PodSecurity", "restricted", "runAsNonRoot"],
    );
}

#[test]
fn a_pod_that_never_starts_fails_by_its_time() {
    let Some(space) = Space::new("pending") else { return };
    let file =
        space.write("one.yaml", one("pendingTimeout: 3s, container: {image: 'no/such:image', command: ['true']}"));
    let outcome = space.wf(&["submit", "--wait", "--name", "pending", &file]);
    assert_eq!(outcome.code, 1, "{}", outcome.all());
    let object = space.object("pending");
    let message =
        object["status"]["nodes"].as_object().and_then(|nodes| nodes.values().next()).map(|node| &node["message"]);
    assert!(message.is_some_and(|message| message == "timeout"), "{object:#}");
}

#[test]
fn the_doctor_tells_what_is_missing() {
    let Some(space) = Space::new("doctor") else { return };
    let outcome = space.wf(&["doctor", "--image", "busybox"]);
    assert_eq!(outcome.code, 0, "{}", outcome.all());
    for word in ["create, get, list, watch, patch, delete jobs.batch", "asks for nothing", "`busybox` can be pulled"] {
        assert!(outcome.stdout.contains(word), "{word}: {}", outcome.all());
    }
    let outcome = space.wf(&["doctor", "--image", "no/such:image"]);
    assert!(outcome.code == 4 && outcome.stdout.contains("`no/such:image` cannot be pulled"), "{}", outcome.all());
    let quota = json!({"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}});
    let quota: ResourceQuota = sure("a quota", serde_json::from_value(quota));
    sure("create it", block(space.api().create(&PostParams::default(), &quota)));
    eventually("that the quota is used up", || space.wf(&["doctor"]).stdout.contains("0 of 0 pods").then_some(()));
    let configured = space.configure("nobody", |kubeconfig| {
        for user in &mut kubeconfig.auth_infos {
            let info = user.auth_info.get_or_insert_default();
            info.impersonate = Some("nobody".to_owned());
        }
    });
    let mut command = space.command(&["doctor"]);
    command.env("KUBECONFIG", configured);
    let outcome = space.env.finish(command, b"");
    assert!(outcome.code == 4 && outcome.stdout.contains("you may not create"), "{}", outcome.all());
}
