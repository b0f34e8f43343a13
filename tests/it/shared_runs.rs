//! Two runs at once: what they share is held by one, and computed once.

use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::Value;

use wf::base::{TimeSpan, Timestamp};

use crate::env::TestEnv;

/// How long anything may take that takes a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// Every step waits a moment under the lock.
const LOCKED: &str = "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: locked-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps: [[{name: a, template: one, withItems: [1, 2, 3]}]]
  - name: one
    synchronization: {mutexes: [{name: first}, {name: second}]}
    container: {image: busybox, command: [sleep, '0.6']}
";

/// Holds the lock until it is told to go on.
const HOLDER: &str = "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: holder}
spec:
  entrypoint: main
  synchronization: {mutexes: [{name: first}]}
  templates:
  - name: main
    suspend: {}
";

const MEMOIZED: &str = "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: kept-}
spec:
  entrypoint: main
  templates:
  - name: main
    memoize: {key: 'a key: of any text/', maxAge: 1h, cache: {configMap: {name: my-cache}}}
    script: {image: busybox, command: [sh], source: 'sleep 1; date +%s%N > /tmp/out'}
    outputs: {parameters: [{name: when, valueFrom: {path: /tmp/out}}]}
";

#[test]
fn a_lock_is_held_by_one_run_at_a_time() {
    let env = TestEnv::new();
    env.write("locked.yaml", LOCKED);
    let drivers: Vec<Child> = (0..2).map(|_| spawn(&env, &["submit", "--local", "locked.yaml", "--wait"])).collect();
    drivers.into_iter().for_each(ends_well);
    let mut ends: Vec<Timestamp> = runs(&env).iter().flat_map(|run| pod_ends(&env, run)).collect();
    ends.sort();
    assert_eq!(ends.len(), 6);
    // One after the other the five last take three seconds; side by side, two runs' last two take 1.2.
    assert!(ends[5].since(ends[0]) >= TimeSpan::from_secs(3), "{ends:?}");
}

#[test]
fn a_run_that_is_gone_holds_nothing() {
    let env = TestEnv::new();
    env.write("locked.yaml", LOCKED);
    env.write("holder.yaml", HOLDER);
    let mut holder = spawn(&env, &["submit", "--local", "holder.yaml", "--wait"]);
    until("the holder has begun", || phase(&env, "holder") == "Running");
    holder.kill().expect("it can be killed");
    holder.wait().expect("it ends");
    let mut waiter = spawn(&env, &["submit", "--local", "locked.yaml", "--name", "waiter", "--wait"]);
    until("the waiter waits", || {
        let shown = env.wf(&["get", "waiter", "-o", "json"]);
        shown.stdout.contains("Waiting for default/Mutex/first lock. Lock status: 0/1")
    });
    assert!(waiter.try_wait().expect("it is a child").is_none(), "a run without a driver keeps its locks");
    assert_eq!(env.wf(&["delete", "holder", "--local"]).code, 0);
    ends_well(waiter);
}

#[test]
fn a_result_is_computed_by_one_run_and_taken_by_the_other() {
    let env = TestEnv::new();
    env.write("kept.yaml", MEMOIZED);
    let drivers: Vec<Child> = (0..2).map(|_| spawn(&env, &["submit", "--local", "kept.yaml", "--wait"])).collect();
    drivers.into_iter().for_each(ends_well);
    assert_eq!(env.wf(&["submit", "--local", "kept.yaml", "--wait"]).code, 0);
    let made: Vec<Value> = runs(&env).iter().map(|run| node(&env, run)).collect();
    let when = |node: &Value| node["outputs"]["parameters"][0]["value"].as_str().map(str::to_owned);
    assert_eq!(made.len(), 3);
    assert!(
        when(&made[0]).is_some_and(|first| made.iter().all(|node| when(node).as_ref() == Some(&first))),
        "{made:?}"
    );
    let hits = made.iter().filter(|node| node["memoizationStatus"]["hit"] == true).count();
    assert_eq!(hits, 2, "{made:?}");
}

fn spawn(env: &TestEnv, args: &[&str]) -> Child {
    env.command(args).spawn().expect("wf starts")
}

fn ends_well(child: Child) {
    let output = child.wait_with_output().expect("wf ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn runs(env: &TestEnv) -> Vec<String> {
    let listed = env.wf(&["list", "-o", "name"]);
    listed.stdout.lines().map(|line| line.rsplit('/').next().unwrap_or(line).to_owned()).collect()
}

fn object(env: &TestEnv, run: &str) -> Value {
    serde_json::from_str(&env.wf(&["get", run, "-o", "json"]).stdout).unwrap_or(Value::Null)
}

fn phase(env: &TestEnv, run: &str) -> String {
    object(env, run)["status"]["phase"].as_str().unwrap_or_default().to_owned()
}

fn nodes(env: &TestEnv, run: &str) -> Vec<Value> {
    object(env, run)["status"]["nodes"].as_object().into_iter().flat_map(|nodes| nodes.values().cloned()).collect()
}

fn pod_ends(env: &TestEnv, run: &str) -> Vec<Timestamp> {
    let pods = nodes(env, run).into_iter().filter(|node| node["type"] == "Pod");
    pods.map(|node| Timestamp::parse_rfc3339(node["finishedAt"].as_str().unwrap_or_default()).expect("a time"))
        .collect()
}

fn node(env: &TestEnv, run: &str) -> Value {
    nodes(env, run).into_iter().next().expect("it has a node")
}
