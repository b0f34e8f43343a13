//! What runs of a namespace share: locks whose sizes the cluster says, and what a dead holder leaves.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::PostParams;
use serde_json::{Value, json};
use wf::base::{TimeSpan, Timestamp};

use super::space::{Space, block, sure};

/// Three steps that each take one of two places.
const NARROW: &str = "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: narrow-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps: [[{name: a, template: one, withItems: [1, 2, 3]}]]
  - name: one
    synchronization: {semaphores: [{configMapKeyRef: {name: sizes, key: narrow}}]}
    container: {image: busybox, command: [sleep, '3']}
";

/// Holds a mutex until it is told to go on.
const HOLDER: &str = "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: holder-}
spec:
  entrypoint: main
  synchronization: {mutexes: [{name: only}]}
  templates:
  - {name: main, suspend: {}}
";

/// Needs the same.
const WAITER: &str = "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: waiter-}
spec:
  entrypoint: main
  synchronization: {mutexes: [{name: only}]}
  templates:
  - {name: main, container: {image: busybox, command: ['true']}}
";

/// Returns when the pods of a run ended.
fn ends(space: &Space, run: &str) -> Vec<Timestamp> {
    let object = space.object(run);
    let nodes = object["status"]["nodes"].as_object().into_iter().flatten().map(|(_, node)| node);
    let end = |node: &Value| Timestamp::parse_rfc3339(node["finishedAt"].as_str().unwrap_or_default());
    nodes.filter(|node| node["type"] == "Pod").filter_map(end).collect()
}

#[test]
fn two_runs_share_as_many_places_as_the_config_map_says() {
    let Some(space) = Space::new("semaphore") else { return };
    let sizes = json!({"metadata": {"name": "sizes"}, "data": {"narrow": "2"}});
    let sizes: ConfigMap = sure("sizes", serde_json::from_value(sizes));
    sure("create", block(space.api::<ConfigMap>().create(&PostParams::default(), &sizes)));
    let file = space.write("narrow.yaml", NARROW);
    let runs = ["first", "second"].map(|name| space.start(&["submit", "--wait", "--name", name, &file]));
    space.until_run("second", "the size", |run| {
        run.to_string().contains("sizes/narrow lock. Lock status: 0/2").then_some(())
    });
    for run in runs {
        let outcome = run.end();
        assert_eq!(outcome.code, 0, "{}", outcome.all());
    }
    let mut ends = [ends(&space, "first"), ends(&space, "second")].concat();
    ends.sort();
    assert_eq!(ends.len(), 6);
    // Each takes three seconds, so the third of any three ends that much after the first, in whole seconds.
    let apart = ends.windows(3).map(|three| three[2].since(three[0])).min();
    assert!(apart >= Some(TimeSpan::from_secs(2)), "{ends:?}");
}

#[test]
fn a_mutex_of_a_run_that_is_deleted_is_free() {
    let Some(space) = Space::new("holder") else { return };
    let holder = space.write("holder.yaml", HOLDER);
    let waiter = space.write("waiter.yaml", WAITER);
    let held = space.start(&["submit", "--wait", "--name", "holder", &holder]);
    space.until_run("holder", "it holds", |run| (run["status"]["phase"] == "Running").then_some(()));
    assert!(held.kill(), "it waited");
    let mut waits = space.start(&["submit", "--wait", "--name", "waiter", &waiter]);
    space.until_run("waiter", "it waits", |run| run.to_string().contains("Waiting for").then_some(()));
    assert!(!waits.has_ended(), "a run without a driver keeps its locks: it may go on");
    assert_eq!(space.wf(&["delete", "holder"]).code, 0);
    let outcome = waits.end();
    assert_eq!(outcome.code, 0, "{}", outcome.all());
}
