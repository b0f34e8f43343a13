//! Runs while parts of the cluster are down.

use std::time::Duration;

use super::drivers::two_loops;
use super::space::{Space, control};
use super::starts::Starts;

#[test]
fn a_run_outlives_restarts_of_the_api_server() {
    runs_through("apiserver-restarted", || {
        control("restart", "apiserver");
        std::thread::sleep(Duration::from_secs(2));
        control("stop", "apiserver");
        std::thread::sleep(Duration::from_secs(3));
        control("start", "apiserver");
    });
}

#[test]
fn a_run_outlives_a_restart_of_etcd() {
    runs_through("etcd-restarted", || {
        control("stop", "etcd");
        std::thread::sleep(Duration::from_secs(3));
        control("start", "etcd");
    });
}

/// A pod that is asked to leave its machine as soon as that is silent, and may then run on the one that only says
/// that pods ran.
const MOVABLE: &str = "
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: movable-}
spec:
  entrypoint: work
  affinity:
    nodeAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:
      - {weight: 100, preference: {matchExpressions: [{key: wf.test/node, operator: DoesNotExist}]}}
  tolerations:
  - {key: wf.test/fake, operator: Exists}
  - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 0}
  podSpecPatch: 'terminationGracePeriodSeconds: 1'
  templates:
  - name: work
    retryStrategy: {limit: '2', retryPolicy: Always}
    container: {image: busybox, command: [sleep, '3600']}
";

/// The kubelet is silent for longer than a minute: until the cluster and the driver have given up on the pods that
/// may move. Those that may not go on when it is back.
#[test]
fn a_silent_kubelet_costs_no_retry() {
    let Some(movable) = Space::alone("kubelet-moved") else { return };
    let file = movable.write("movable.yaml", MOVABLE);
    let plain = movable.start(&["submit", "--wait", "--name", "plain", &file]);
    let managed = movable.start(&["submit", "--managed", "--wait", "--name", "managed", &file]);
    for run in ["plain", "managed"] {
        until_a_pod_runs(&movable, run);
    }
    through("kubelet-stopped", &movable.beside("kubelet-stopped"), || {
        control("stop", "kubelet");
        let ends = [("plain", plain.end()), ("managed", managed.end())];
        control("start", "kubelet");
        for (run, outcome) in ends {
            assert_eq!(outcome.code, 0, "{}", outcome.all());
            movable.assert_succeeded(run, 1);
        }
    });
}

fn until_a_pod_runs(space: &Space, run: &str) {
    space.until_run(run, "the first pods", |run| {
        let mut nodes = run["status"]["nodes"].as_object()?.values();
        nodes.any(|node| node["type"] == "Pod" && node["phase"] == "Running").then_some(())
    });
}

/// Runs sixteen pods, with an outage once the first of them run, and takes the run over should the driver
/// have given up.
fn runs_through(test: &str, outage: impl FnOnce()) {
    let Some(space) = Space::alone(test) else { return };
    through(test, &space, outage);
}

fn through(test: &str, space: &Space, outage: impl FnOnce()) {
    const PODS: usize = 16;
    let starts = Starts::new(space);
    let file = space.write("loops.yaml", two_loops(PODS, 4, "2"));
    let driver = space.start(&["submit", "--wait", "--name", test, &file]);
    until_a_pod_runs(space, test);
    outage();
    let outcome = driver.end();
    if outcome.code != 0 {
        assert_eq!(outcome.code, 5, "{}", outcome.all());
        println!("cluster {test}: the driver gave up, another goes on");
        let outcome = space.wf(&["watch", test]);
        assert_eq!(outcome.code, 0, "{}", outcome.all());
    }
    space.assert_succeeded(test, PODS);
    starts.assert_once(PODS);
}
