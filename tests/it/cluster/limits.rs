//! Runs that are larger than what they may have at once.

use std::time::Instant;

use k8s_openapi::api::core::v1::{Node, Pod, ResourceQuota};
use kube::Api;
use kube::api::{ListParams, PostParams};
use serde_json::json;

use super::drivers::two_loops;
use super::space::{Space, block, sure};

#[test]
fn a_quota_of_two_pods_only_slows_a_run() {
    const PODS: usize = 8;
    let Some(space) = Space::new("quota") else { return };
    let quota = json!({"metadata": {"name": "two"}, "spec": {"hard": {"pods": "2"}}});
    let quota: ResourceQuota = sure("a quota", serde_json::from_value(quota));
    sure("create it", block(space.api().create(&PostParams::default(), &quota)));
    let file = space.write("loops.yaml", two_loops(PODS, PODS, "0"));
    let begin = Instant::now();
    let outcome = space.wf(&["submit", "--wait", "--name", "many", &file]);
    assert_eq!(outcome.code, 0, "{}", outcome.all());
    space.assert_succeeded("many", PODS);
    println!("cluster quota: {PODS} pods, two at a time, in {:.0} s", begin.elapsed().as_secs_f64());
}

#[test]
fn two_thousand_nodes_at_once() {
    const PODS: usize = 2000;
    let Some(space) = Space::new("wide") else { return };
    let nodes: Api<Node> = Api::all(space.client.clone());
    if sure("nodes", block(nodes.list(&ListParams::default().labels("wf.test/node=fake")))).items.is_empty() {
        println!("cluster wide: skipped, the cluster has no node that only says that its pods ran");
        return;
    }
    let file = space.write("wide.yaml", wide(PODS));
    let begin = Instant::now();
    let outcome = space.wf(&["submit", "--wait", "--name", "wide", &file]);
    let seconds = begin.elapsed().as_secs_f64();
    assert_eq!(outcome.code, 0, "{}", outcome.all());
    space.assert_succeeded("wide", PODS);
    let left = sure("pods", block(space.api::<Pod>().list_metadata(&ListParams::default()))).items.len();
    println!("cluster wide: {PODS} pods in {seconds:.0} s, {left} of them still there");
}

/// One loop of pods on the node that runs nothing.
fn wide(pods: usize) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{generateName: wide-}}
spec:
  entrypoint: main
  nodeSelector: {{wf.test/node: fake}}
  tolerations: [{{key: wf.test/fake, operator: Exists}}]
  templates:
  - name: main
    steps: [[{{name: each, template: work, withSequence: {{count: '{pods}'}}}}]]
  - name: work
    container: {{image: busybox, command: ['true']}}
"
    )
}
