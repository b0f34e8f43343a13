//! Runs that are larger than what they may have at once.

use std::time::Instant;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Node, Pod, ResourceQuota};
use kube::Api;
use kube::api::{ListParams, PostParams};
use serde_json::json;

use super::drivers::two_loops;
use super::space::{Space, block, sure};

#[test]
fn a_quota_of_two_pods_only_slows_a_run() {
    const PODS: usize = 50;
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
    if !has_instant_node(&space) {
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

#[test]
fn two_hundred_runs_at_once() {
    const RUNS: usize = 200;
    let Some(space) = Space::new("many") else { return };
    if !has_instant_node(&space) {
        println!("cluster many: skipped, the cluster has no node that only says that its pods ran");
        return;
    }
    let file = space.write("many.yaml", vec![wide(1); RUNS].join("---\n"));
    let begin = Instant::now();
    let outcome = space.wf(&["submit", "--wait", &file]);
    let seconds = begin.elapsed().as_secs_f64();
    assert_eq!(outcome.code, 0, "{}", outcome.all());
    let heads = ListParams::default().labels("wf.internal/kind=run,workflows.argoproj.io/phase=Succeeded");
    assert_eq!(sure("runs", block(space.api::<Job>().list_metadata(&heads))).items.len(), RUNS);
    println!("cluster many: {RUNS} runs in {seconds:.0} s");
}

#[test]
fn an_attempt_keeps_off_the_machine_of_the_last() {
    let Some(space) = Space::new("machines") else { return };
    if !has_instant_node(&space) {
        println!("cluster machines: skipped, the cluster has one node");
        return;
    }
    let file = space.write("choosy.yaml", CHOOSY);
    let outcome = space.wf(&["submit", "--wait", "--name", "choosy", &file]);
    assert_eq!(outcome.code, 0, "{}", outcome.all());
    let object = space.object("choosy");
    let nodes = object["status"]["nodes"].as_object().into_iter().flatten().map(|(_, node)| node);
    let pods = nodes.filter(|node| node["type"] == "Pod");
    let mut ends: Vec<_> = pods.map(|node| format!("{} on {}", node["phase"], node["hostNodeName"])).collect();
    ends.sort_unstable();
    assert_eq!(ends, [r#""Failed" on "node1""#, r#""Succeeded" on "fake""#]);
}

/// A pod that goes to the real node first, where it fails.
const CHOOSY: &str = "
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: choosy-}
spec:
  entrypoint: work
  affinity:
    nodeAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:
      - {weight: 100, preference: {matchExpressions: [{key: wf.test/node, operator: DoesNotExist}]}}
  tolerations: [{key: wf.test/fake, operator: Exists}]
  templates:
  - name: work
    retryStrategy: {limit: '1', affinity: {nodeAntiAffinity: {}}}
    container: {image: busybox, command: ['false']}
";

fn has_instant_node(space: &Space) -> bool {
    let nodes: Api<Node> = Api::all(space.client.clone());
    !sure("nodes", block(nodes.list(&ListParams::default().labels("wf.test/node=fake")))).items.is_empty()
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
