//! What a user has wrong about the cluster: a clear word and the right exit code, soon.

use std::time::{Duration, Instant};

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::rbac::v1::Role;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::config::Kubeconfig;
use serde_json::json;

use super::drivers::{allow, as_account};
use super::space::{Space, block, sure};
use crate::env::Outcome;

/// How long an answer may take when there is no server to give one: the program waits for four seconds, and a
/// machine that runs all these tests at once adds its own.
const SOON: Duration = Duration::from_secs(15);

const HELLO: &str = "
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: hello-}
spec:
  entrypoint: main
  templates:
  - {name: main, container: {image: busybox, command: ['true']}}
";

/// Fails unless the command ended with the code, soon, and said the words on standard error.
fn check(outcome: &Outcome, begin: Instant, code: i32, words: &[&str]) {
    let missing: Vec<_> = words.iter().filter(|word| !outcome.stderr.contains(**word)).collect();
    assert!(outcome.code == code && missing.is_empty(), "expected {code} and {words:?}: {}", outcome.all());
    assert!(begin.elapsed() < SOON, "it took {:?}", begin.elapsed());
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.all());
}

/// Submits and lists with a kubeconfig that differs.
fn check_kubeconfig(space: &Space, change: impl Fn(&mut Kubeconfig), code: i32, words: &[&str]) {
    let kubeconfig = space.configure("changed", change);
    let file = space.write("hello.yaml", HELLO);
    for args in [&["submit", "--wait", &file][..], &["list"], &["get", "hello"]] {
        let mut command = space.command(args);
        command.env("KUBECONFIG", &kubeconfig);
        let begin = Instant::now();
        check(&space.env.finish(command, b""), begin, code, words);
    }
}

fn set_server(kubeconfig: &mut Kubeconfig, server: &str) {
    for cluster in &mut kubeconfig.clusters {
        let cluster = cluster.cluster.get_or_insert_default();
        cluster.server = Some(server.to_owned());
    }
}

#[test]
fn a_kubeconfig_that_is_not_there_is_named() {
    let Some(space) = Space::new("no-kubeconfig") else { return };
    let mut command = space.command(&["list"]);
    command.env("KUBECONFIG", "/nonexistent/kubeconfig");
    let begin = Instant::now();
    check(&space.env.finish(command, b""), begin, 3, &["/nonexistent/kubeconfig"]);
    let broken = space.write("broken", "clusters: [");
    let mut command = space.command(&["list"]);
    command.env("KUBECONFIG", &broken);
    let begin = Instant::now();
    check(&space.env.finish(command, b""), begin, 2, &["configuration", "unclosed"]);
}

#[test]
fn a_wrong_context_is_named() {
    let Some(space) = Space::new("context") else { return };
    let begin = Instant::now();
    check(&space.wf(&["list", "--context", "nowhere"]), begin, 3, &["nowhere"]);
}

#[test]
fn an_unknown_token_is_refused() {
    let Some(space) = Space::new("token") else { return };
    let forget = |kubeconfig: &mut Kubeconfig| {
        for user in &mut kubeconfig.auth_infos {
            let info = user.auth_info.get_or_insert_default();
            *info = kube::config::AuthInfo { token: Some("expired".to_owned().into()), ..Default::default() };
        }
    };
    check_kubeconfig(&space, forget, 4, &["credentials"]);
}

#[test]
fn a_server_that_does_not_answer_is_told_soon() {
    let Some(space) = Space::new("unreachable") else { return };
    // Nobody listens; nobody routes; no such name.
    for server in ["https://127.0.0.1:1", "https://192.0.2.99:443", "https://nowhere.invalid:443"] {
        check_kubeconfig(&space, |kubeconfig| set_server(kubeconfig, server), 5, &["reach"]);
    }
}

#[test]
fn a_namespace_that_is_not_there_is_named() {
    let Some(space) = Space::new("namespace") else { return };
    let file = space.write("hello.yaml", HELLO);
    let begin = Instant::now();
    check(&space.wf(&["submit", "--wait", "-n", "no-such-place", &file]), begin, 3, &["no-such-place"]);
}

#[test]
fn what_is_forbidden_is_named() {
    let Some(space) = Space::new("forbidden") else { return };
    allow(&space);
    let kubeconfig = as_account(&space);
    let file = space.write("hello.yaml", HELLO);
    for (args, words) in [
        (&["submit", "--wait", "-n", "default", &file][..], &["default", "jobs", "create"][..]),
        (&["list", "-n", "default"], &["default", "jobs", "list"]),
    ] {
        let mut command = space.command(args);
        command.env("KUBECONFIG", &kubeconfig);
        let begin = Instant::now();
        check(&space.env.finish(command, b""), begin, 4, words);
    }
}

#[test]
fn a_name_that_is_too_long_is_refused_before_anything_is_made() {
    let Some(space) = Space::new("long-name") else { return };
    let file = space.write("hello.yaml", HELLO);
    let begin = Instant::now();
    let outcome = space.wf(&["submit", "--wait", "--name", &"x".repeat(64), &file]);
    check(&outcome, begin, 1, &["63"]);
    assert!(sure("jobs", block(space.api::<Job>().list(&ListParams::default()))).items.is_empty());
}

#[test]
fn a_job_of_somebody_else_is_left_alone() {
    let Some(space) = Space::new("others") else { return };
    let job = json!({"metadata": {"name": "taken"}, "spec": {"suspend": true, "template": {"spec": {
        "restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]}}}});
    let job: Job = sure("a Job", serde_json::from_value(job));
    let theirs = sure("create it", block(space.api::<Job>().create(&PostParams::default(), &job)));
    let file = space.write("hello.yaml", HELLO);
    let begin = Instant::now();
    check(&space.wf(&["submit", "--wait", "--name", "taken", &file]), begin, 2, &["taken"]);
    for args in [&["get", "taken"][..], &["delete", "taken"], &["stop", "taken"]] {
        let begin = Instant::now();
        check(&space.wf(args), begin, 3, &["taken"]);
    }
    let now = sure("it is there", block(space.api::<Job>().get("taken")));
    let ours = |job: &Job| (job.metadata.uid.clone(), job.metadata.annotations.clone(), job.spec.clone());
    assert_eq!(ours(&now), ours(&theirs));
}

#[test]
fn a_record_of_a_newer_release_is_refused_and_left_alone() {
    let Some(space) = Space::new("newer") else { return };
    let file = space.write("hello.yaml", HELLO);
    let outcome = space.wf(&["submit", "--wait", "--name", "newer", &file]);
    assert_eq!(outcome.code, 0, "{}", outcome.all());
    let maps = space.api::<ConfigMap>();
    let of_run = ListParams::default().labels("wf.internal/run=newer");
    let ours = sure("its objects", block(maps.list(&of_run))).items;
    assert!(!ours.is_empty());
    let later = json!({"metadata": {"annotations": {"wf.internal/format": "9999"}}});
    for map in &ours {
        let name = map.metadata.name.as_deref().expect("objects have names");
        sure("mark it", block(maps.patch(name, &PatchParams::default(), &Patch::Merge(&later))));
    }
    let jobs = space.api::<Job>();
    sure("mark it", block(jobs.patch("newer", &PatchParams::default(), &Patch::Merge(&later))));
    for args in [&["get", "newer"][..], &["watch", "newer"], &["retry", "newer"]] {
        let outcome = space.wf(args);
        assert!(outcome.code != 0 && outcome.stderr.contains("newer"), "{}", outcome.all());
        assert!(!outcome.stderr.contains("panicked"), "{}", outcome.all());
    }
    assert_eq!(sure("its objects", block(maps.list(&of_run))).items.len(), ours.len());
}

#[test]
fn a_run_that_cannot_be_removed_in_time_says_so() {
    let Some(space) = Space::new("ttl-forbidden") else { return };
    allow(&space);
    let roles = space.api::<Role>();
    let mut role = sure("the role", block(roles.get("wf")));
    for rule in role.rules.iter_mut().flatten() {
        rule.resources
            .iter_mut()
            .flatten()
            .for_each(|resource| resource.truncate(resource.find("/status").unwrap_or(99)));
    }
    sure("change it", block(roles.replace("wf", &PostParams::default(), &role)));
    let file = space.write("short.yaml", HELLO.replace("spec:", "spec:\n  ttlStrategy: {secondsAfterCompletion: 1}"));
    let mut command = space.command(&["submit", "--wait", "--name", "short", &file]);
    command.env("KUBECONFIG", as_account(&space));
    check(&space.env.finish(command, b""), Instant::now(), 0, &["`short` stays until it is deleted", "jobs/status"]);
    assert_eq!(space.object("short")["status"]["phase"], "Succeeded");
}
