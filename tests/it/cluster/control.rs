//! What people ask of runs that go on, or have ended, with and without a driver.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use serde_json::Value;

use super::space::{Space, block, eventually, sure};
use super::starts::Starts;

/// A step that succeeds, one that ends with the code of a parameter, and an exit handler.
const CODED: &str = "
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: coded-}
spec:
  entrypoint: main
  onExit: bye
  arguments: {parameters: [{name: code, value: '1'}]}
  templates:
  - name: main
    steps: [[{name: first, template: well}], [{name: then, template: coded}]]
  - {name: well, container: {image: busybox, command: ['true']}}
  - {name: bye, container: {image: busybox, command: ['true']}}
  - {name: coded, container: {image: busybox, command: [sh, -c, 'exit {{workflow.parameters.code}}']}}
";

/// A step that works until it is told to stop, another after it, and an exit handler.
const LONG: &str = "
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: long-}
spec:
  entrypoint: main
  onExit: bye
  templates:
  - name: main
    steps: [[{name: first, template: long}], [{name: then, template: well}]]
  - {name: well, container: {image: busybox, command: ['true']}}
  - {name: bye, container: {image: busybox, command: ['true']}}
  - {name: long, container: {image: busybox, command: [sh, -c, 'trap \"exit 143\" TERM; sleep 600 & wait']}}
";

/// A step, then a question to a person, then a step that tells the answer.
const ASKED: &str = "
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: asked-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: first, template: well}
    - - {name: ask, template: ask}
    - - {name: tell, template: tell, arguments: {parameters: [{name: answer, value: '{{steps.ask.outputs.parameters.answer}}'}]}}
  - {name: well, container: {image: busybox, command: ['true']}}
  - name: ask
    suspend: {}
    outputs: {parameters: [{name: answer, valueFrom: {supplied: {}}}]}
  - name: tell
    inputs: {parameters: [{name: answer}]}
    container: {image: busybox, command: [sh, -c, 'test \"{{inputs.parameters.answer}}\" = yes']}
";

#[test]
fn a_retry_runs_what_failed_and_keeps_the_rest() {
    let Some(space) = Space::new("retry") else { return };
    let starts = Starts::new(&space);
    let file = space.write("coded.yaml", CODED);
    check(&space, &["submit", "--wait", "--name", "coded", &file], 1);
    check(&space, &["retry", "--wait", "-p", "code=0", "coded"], 0);
    // The first step, the second twice, and the exit handler of each end.
    space.assert_succeeded("coded", 3);
    starts.assert_once(5);
    let head = sure("its head", block(space.api::<Job>().get("coded")));
    let labels = head.metadata.labels.unwrap_or_default();
    assert_eq!(labels.get("workflows.argoproj.io/phase").map(String::as_str), Some("Succeeded"));
    assert!(space.wf(&["list"]).stdout.contains("Succeeded"), "{}", space.wf(&["list"]).all());
}

#[test]
fn a_resubmission_takes_over_what_succeeded() {
    let Some(space) = Space::new("resubmit") else { return };
    let file = space.write("coded.yaml", CODED);
    check(&space, &["submit", "--wait", "--name", "coded", &file], 1);
    let starts = Starts::new(&space);
    check(&space, &["resubmit", "--wait", "--memoized", "-p", "code=0", "coded"], 0);
    let heads = ListParams::default().labels("wf.internal/kind=run");
    let heads = sure("the runs", block(space.api::<Job>().list_metadata(&heads))).items;
    let again = heads.iter().filter_map(|head| head.metadata.name.clone()).find(|name| name != "coded");
    let again = again.expect("there is a second run");
    let object = space.object(&again);
    assert_eq!(object["status"]["phase"], "Succeeded", "{object:#}");
    let ran = eventually("the second step and the exit handler", || {
        let ran = starts.counts().into_keys().filter(|(run, _)| *run == again).count();
        (ran >= 2).then_some(ran)
    });
    assert_eq!(ran, 2, "the first step was taken over");
}

#[test]
fn a_run_that_is_stopped_says_good_bye() {
    let Some(space) = Space::new("stop") else { return };
    let driver = long(&space, "stopped");
    check(&space, &["stop", "stopped", "-m", "enough"], 0);
    assert_eq!(driver.end().code, 1);
    assert_eq!(phases(&space, "stopped"), "Failed: first Failed, stopped.onExit Succeeded");
    assert_ended(&space, "stopped", "Failed");
}

#[test]
fn a_run_that_is_terminated_ends_at_once() {
    let Some(space) = Space::new("terminate") else { return };
    let driver = long(&space, "terminated");
    check(&space, &["terminate", "terminated"], 0);
    assert_eq!(driver.end().code, 1);
    assert_eq!(phases(&space, "terminated"), "Failed: first Failed");
    assert_ended(&space, "terminated", "Failed");
}

#[test]
fn a_run_without_a_driver_is_stopped_by_who_asks() {
    let Some(space) = Space::new("orphan") else { return };
    long(&space, "orphan").kill();
    check(&space, &["stop", "orphan"], 0);
    let outcome = space.wf(&["watch", "orphan"]);
    assert_eq!(outcome.code, 1, "{}", outcome.all());
    assert_eq!(phases(&space, "orphan"), "Failed: first Failed, orphan.onExit Succeeded");
    assert_ended(&space, "orphan", "Failed");
}

#[test]
fn a_suspended_run_starts_nothing_until_it_is_resumed() {
    let Some(space) = Space::new("suspend") else { return };
    let file = space.write("loops.yaml", super::drivers::two_loops(8, 2, "1"));
    let driver = space.start(&["submit", "--wait", "--name", "paused", &file]);
    space.until_run("paused", "the first pods", |run| {
        run["status"]["nodes"].as_object()?.values().any(|node| node["phase"] == "Running").then_some(())
    });
    check(&space, &["suspend", "paused"], 0);
    let pods = || sure("pods", block(space.api::<Pod>().list(&ListParams::default()))).items;
    let runs = |pod: &Pod| {
        !matches!(pod.status.as_ref().and_then(|status| status.phase.as_deref()), Some("Succeeded" | "Failed"))
    };
    eventually("that its pods have ended", || (!pods().iter().any(runs)).then_some(()));
    let before = pods().len();
    assert!(before < 8, "it was suspended in time");
    assert!(
        space.wf(&["get", "paused"]).stdout.to_lowercase().contains("suspend"),
        "{}",
        space.wf(&["get", "paused"]).all()
    );
    assert_eq!(pods().len(), before, "nothing was started since");
    check(&space, &["resume", "paused"], 0);
    let outcome = driver.end();
    assert_eq!(outcome.code, 0, "{}", outcome.all());
    space.assert_succeeded("paused", 8);
}

#[test]
fn a_person_is_waited_for_and_answers() {
    let Some(space) = Space::new("ask") else { return };
    let file = space.write("asked.yaml", ASKED);
    let driver = space.start(&["submit", "--wait", "--name", "asked", &file]);
    let question = "displayName=ask";
    space.until_run("asked", "the question", |run| {
        let nodes = run["status"]["nodes"].as_object()?;
        nodes.values().any(|node| node["displayName"] == "ask" && node["phase"] == "Running").then_some(())
    });
    check(&space, &["node", "set", "asked", "--node-field-selector", question, "-p", "answer=yes"], 0);
    check(&space, &["resume", "asked", "--node-field-selector", question], 0);
    let outcome = driver.end();
    // It may have left when only a person could make the run go on.
    assert!([0, 7].contains(&outcome.code), "{}", outcome.all());
    check(&space, &["watch", "asked"], 0);
    space.assert_succeeded("asked", 2);
}

fn check(space: &Space, args: &[&str], code: i32) {
    let outcome = space.wf(args);
    assert_eq!(outcome.code, code, "{args:?}: {}", outcome.all());
}

/// Starts the long run, and returns its driver once the first step works.
fn long(space: &Space, name: &str) -> super::space::Started {
    let file = space.write("long.yaml", LONG);
    let driver = space.start(&["submit", "--wait", "--name", name, &file]);
    space.until_run(name, "the first pod", |run| {
        run["status"]["nodes"]
            .as_object()?
            .values()
            .any(|node| node["type"] == "Pod" && node["phase"] == "Running")
            .then_some(())
    });
    driver
}

/// Returns the phase of a run, and those of its pods by the names of their nodes.
fn phases(space: &Space, run: &str) -> String {
    let object = space.object(run);
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let nodes = object["status"]["nodes"].as_object().into_iter().flatten().map(|(_, node)| node);
    let pods = nodes.filter(|node| node["type"] == "Pod");
    let mut pods: Vec<String> =
        pods.map(|node| format!("{} {}", word(&node["displayName"]), word(&node["phase"]))).collect();
    pods.sort();
    format!("{}: {}", word(&object["status"]["phase"]), pods.join(", "))
}

/// Fails unless the head Job says so, and no pod is left that works.
fn assert_ended(space: &Space, run: &str, condition: &str) {
    let head = sure("its head", block(space.api::<Job>().get(run)));
    let conditions = head.status.and_then(|status| status.conditions).unwrap_or_default();
    let found: Vec<_> =
        conditions.iter().filter(|found| found.status == "True").map(|found| found.type_.as_str()).collect();
    assert!(found.contains(&condition), "{found:?}");
    eventually("no pod that works", || {
        let pods = block(space.api::<Pod>().list(&ListParams::default())).ok()?.items;
        let works = |pod: &Pod| {
            matches!(pod.status.as_ref().and_then(|status| status.phase.as_deref()), Some("Running" | "Pending"))
        };
        (!pods.iter().any(works)).then_some(())
    });
}
