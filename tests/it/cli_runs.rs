//! The life of runs on this machine, through the real program.

use std::process::Child;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use serde_json::Value;

use crate::env::TestEnv;

const CHECKS: &str = "\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: checks}
spec:
  entrypoint: main
  arguments: {parameters: [{name: code, value: '0'}]}
  templates:
  - name: main
    steps:
    - - {name: build, template: say}
    - - {name: test, template: test}
  - name: say
    container: {image: busybox, command: [echo, built]}
  - name: test
    container:
      image: busybox
      command: [sh, -c]
      args: ['echo testing; echo bad news >&2; exit {{workflow.parameters.code}}']
";

const APPROVAL: &str = "\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: approval}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: approve, template: approve}
    - - {name: release, template: say, arguments: {parameters: [{name: m, value: '{{steps.approve.outputs.parameters.decision}}'}]}}
  - name: approve
    suspend: {}
    outputs: {parameters: [{name: decision, valueFrom: {supplied: {}}}]}
  - name: say
    inputs: {parameters: [{name: m}]}
    container: {image: busybox, command: [echo, '{{inputs.parameters.m}}']}
";

const SLOW: &str = "\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: slow}
spec:
  entrypoint: main
  templates:
  - name: main
    container: {image: busybox, command: [sh, -c], args: ['echo begun; sleep 2; echo done']}
";

/// Replaces times, which differ from run to run.
fn without_times(text: &str) -> String {
    let durations = regex::Regex::new(r"\b\d+(\.\d)?s\b").expect("a pattern");
    let stamps = regex::Regex::new(r"\+\d\d:\d\d").expect("a pattern");
    let text = stamps.replace_all(text, "+[TIME]");
    durations.replace_all(&text, "[TIME]").into_owned()
}

#[test]
fn a_watched_run_that_succeeds_exits_0() {
    let env = TestEnv::new();
    env.write("checks.yaml", CHECKS);
    let outcome = env.wf(&["submit", "--watch", "checks.yaml"]);
    assert_eq!(outcome.code, 0, "{}", outcome.all());
    assert_snapshot!(env.wf(&["get", "checks", "-o", "short"]).success().lines().count(), @"4");
    assert_snapshot!(env.wf(&["logs", "checks"]).success(), @"
    [build] built
    [test] testing
    [test] bad news
    ");
    assert_snapshot!(env.wf(&["logs", "@latest", "test", "--grep", "news"]).success(), @"bad news");
    assert_snapshot!(env.wf(&["get", "checks", "-o", "jsonpath={.status.phase} {.status.progress}"]).success(), @"Succeeded 2/2");
}

#[test]
fn a_run_that_fails_exits_1_and_shows_why() {
    let env = TestEnv::new();
    env.write("checks.yaml", CHECKS);
    let outcome = env.wf(&["submit", "--watch", "checks.yaml", "-p", "code=3"]);
    assert_eq!(outcome.code, 1, "{}", outcome.all());
    for part in ["✖ test", "│ testing", "│ bad news", "exit code 3", "wf logs checks test", "wf retry checks"] {
        assert!(outcome.stderr.contains(part), "{part} in {}", outcome.all());
    }
    for command in
        [&["submit", "--wait", "checks.yaml", "--name", "b", "-p", "code=1"][..], &["wait", "b"], &["watch", "b"]]
    {
        assert_eq!(env.wf(command).code, 1, "{command:?}");
    }
    let log = env.wf(&["submit", "--log", "--no-prefix", "checks.yaml", "--name", "c", "-p", "code=1"]);
    assert_eq!((log.code, log.stdout.as_str()), (1, "built\ntesting\nbad news\n"), "{}", log.stderr);
}

#[test]
fn the_object_has_argos_shape() {
    let env = TestEnv::new();
    env.write("checks.yaml", CHECKS);
    let object: Value =
        serde_json::from_str(&env.wf(&["submit", "-o", "json", "checks.yaml"]).success()).expect("JSON");
    assert_eq!((&object["kind"], &object["status"]["phase"]), (&"Workflow".into(), &"Succeeded".into()));
    let nodes = object["status"]["nodes"].as_object().expect("nodes");
    let shown: Vec<String> = nodes
        .values()
        .map(|node| format!("{} {} {}", node["name"], node["type"], node["phase"]).replace('"', ""))
        .collect();
    assert_snapshot!(shown.join("\n"), @"
    checks Steps Succeeded
    checks[0] StepGroup Succeeded
    checks[0].build Pod Succeeded
    checks[1] StepGroup Succeeded
    checks[1].test Pod Succeeded
    ");
    let yaml = env.wf(&["get", "checks", "-o", "yaml"]).success();
    assert!(yaml.starts_with("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata:\n"), "{yaml}");
    assert_eq!(env.wf(&["list", "-o", "name"]).success(), "checks\n");
}

#[test]
fn a_failed_run_is_retried_and_resubmitted() {
    let env = TestEnv::new();
    env.write("checks.yaml", CHECKS);
    assert_eq!(env.wf(&["submit", "checks.yaml", "-p", "code=1"]).code, 1);
    let retried = env.wf(&["retry", "checks", "-p", "code=0"]);
    assert_eq!(retried.code, 0, "{}", retried.all());
    let again = env.wf(&["retry", "checks"]);
    assert_eq!(again.code, 2, "{}", again.all());
    let resubmitted = env.wf(&["resubmit", "--memoized", "checks", "--watch"]);
    assert_eq!(resubmitted.code, 0, "{}", resubmitted.all());
    assert!(resubmitted.stderr.contains("reused from checks"), "{}", resubmitted.all());
}

#[test]
fn a_suspended_run_exits_7_and_goes_on_when_resumed() {
    let env = TestEnv::new();
    env.write("approval.yaml", APPROVAL);
    let outcome = env.wf(&["submit", "approval.yaml"]);
    assert_eq!(outcome.code, 7, "{}", outcome.all());
    assert!(outcome.stderr.contains("wf resume approval"), "{}", outcome.all());
    assert!(env.wf(&["get", "approval"]).success().contains("Running (Suspended)"));
    let set =
        env.wf(&["node", "set", "approval", "--node-field-selector", "displayName=approve", "-p", "decision=yes"]);
    assert_eq!(set.code, 0, "{}", set.all());
    let resumed = env.wf(&["resume", "approval"]);
    assert_eq!(resumed.code, 0, "{}", resumed.all());
    assert_eq!(env.wf(&["logs", "approval"]).success(), "yes\n");
    assert_eq!(env.wf(&["resume", "approval"]).code, 2, "an ended run cannot be resumed");
}

#[test]
fn a_run_that_is_stopped_ends_and_is_deleted() {
    let env = TestEnv::new();
    env.write("approval.yaml", APPROVAL);
    assert_eq!(env.wf(&["submit", "approval.yaml"]).code, 7);
    let stopped = env.wf(&["stop", "approval", "-m", "not today"]);
    assert_eq!(stopped.code, 0, "{}", stopped.all());
    let object: Value = serde_json::from_str(&env.wf(&["get", "approval", "-o", "json"]).success()).expect("JSON");
    assert_eq!(
        (&object["status"]["phase"], &object["spec"]["shutdown"]),
        (&"Failed".into(), &"Stop".into()),
        "{object}"
    );
    assert_eq!(env.wf(&["delete", "--all", "--no-input"]).code, 2, "all is asked for");
    assert_eq!(env.wf(&["delete", "--all", "--yes"]).code, 0);
    assert_snapshot!(env.wf(&["list"]).all(), @"
    exit 0
    --- stderr
    no runs found
    ");
}

#[test]
fn time_that_is_over_exits_6_and_the_run_goes_on() {
    let env = TestEnv::new();
    env.write("slow.yaml", SLOW);
    let outcome = env.wf(&["submit", "--timeout", "300ms", "slow.yaml"]);
    assert_eq!(outcome.code, 6, "{}", outcome.all());
    let watched = env.wf(&["watch", "slow"]);
    assert_eq!(watched.code, 0, "{}", watched.all());
    assert_eq!(env.wf(&["logs", "slow"]).success(), "begun\ndone\n");
}

#[test]
fn ctrl_c_detaches_with_130_and_says_how_to_come_back() {
    let env = TestEnv::new();
    env.write("slow.yaml", SLOW);
    let child = env.command(&["submit", "slow.yaml"]).spawn().expect("wf starts");
    wait_until(&env, "Running");
    let output = interrupted(child);
    assert_eq!(output.0, 130, "{}", output.1);
    assert!(output.1.contains("wf watch slow"), "{}", output.1);
    assert_eq!(env.wf(&["wait", "slow"]).code, 0);
}

#[test]
fn a_run_that_another_process_drives_is_followed_and_not_deleted() {
    let env = TestEnv::new();
    env.write("slow.yaml", SLOW);
    let mut driver = env.command(&["submit", "slow.yaml"]).spawn().expect("wf starts");
    wait_until(&env, "Running");
    let delete = env.wf(&["delete", "slow"]);
    assert_eq!(delete.code, 8, "{}", delete.all());
    let followed = env.wf(&["watch", "slow", "--events", "events.ndjson"]);
    assert_eq!(followed.code, 0, "{}", followed.all());
    assert!(driver.wait().expect("wf ends").success());
    let events = std::fs::read_to_string(env.work().join("events.ndjson")).expect("events");
    let kinds: Vec<String> =
        events.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")["type"].to_string()).collect();
    assert_eq!(kinds, ["\"run.started\"", "\"node.started\"", "\"node.finished\"", "\"run.finished\""]);
}

#[test]
fn plain_lines_are_stamped() {
    let env = TestEnv::new();
    env.write("approval.yaml", APPROVAL);
    let outcome = env.wf(&["submit", "--watch", "--no-wait-suspend", "approval.yaml"]);
    assert_snapshot!(without_times(&outcome.stderr), @"
    note: images are not pulled; the programs of this machine stand in for those of `busybox`
    `approval` submitted, runs on this machine (no cluster is configured)
    +[TIME] ǁ approve  waits for a decision
    error: run `approval` is suspended
    hint: wf resume approval
    hint: wf stop approval
    ");
}

/// Waits until the run of the state folder is in the phase, for half a minute at most.
fn wait_until(env: &TestEnv, phase: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !env.wf(&["get", "@latest", "-o", "jsonpath={.status.nodes.*.phase}"]).stdout.contains(phase) {
        assert!(Instant::now() < deadline, "no run is {phase}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Presses Ctrl-C, and returns the exit code and standard error.
fn interrupted(child: Child) -> (i32, String) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("process ids are small"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).expect("the process is ours");
    let output = child.wait_with_output().expect("wf ends");
    (output.status.code().expect("wf exits by itself"), String::from_utf8_lossy(&output.stderr).into_owned())
}
