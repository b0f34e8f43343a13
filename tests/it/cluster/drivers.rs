//! What becomes of a run whose driver is killed, raced, or no longer allowed to do its work.

use std::time::Duration;

use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{DeleteParams, ListParams, PostParams};
use serde_json::json;

use super::space::{Space, block, eventually, named, sure};
use super::starts::Starts;

/// Kills of the first test, and how long a driver lives at most before one.
const KILLS: usize = 20;
const LIFE_MS_MAX: u64 = 2500;

/// Two loops of pods, one after the other, a few of them at a time.
pub fn two_loops(pods: usize, parallelism: usize, seconds: &str) -> String {
    let half = pods / 2;
    format!(
        "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{generateName: loops-}}
spec:
  entrypoint: main
  templates:
  - name: main
    parallelism: {parallelism}
    dag:
      tasks:
      - {{name: first, template: work, withSequence: {{count: '{half}'}}}}
      - {{name: then, template: work, depends: first, withSequence: {{count: '{half}'}}}}
  - name: work
    container: {{image: busybox, command: [sh, -c, 'trap \"exit 143\" TERM; sleep {seconds} & wait']}}
"
    )
}

#[test]
fn a_killed_driver_loses_nothing_and_starts_nothing_twice() {
    const PODS: usize = 16;
    let Some(space) = Space::new("kill") else { return };
    let starts = Starts::new(&space);
    let file = space.write("loops.yaml", two_loops(PODS, 4, "1"));
    let mut chance = 0x5DEE_CE66_D013_05B7_u64;
    let (mut kills, mut runs) = (0, 0);
    while kills < KILLS {
        runs += 1;
        let name = format!("killed-{runs}");
        let mut driver = space.start(&["submit", "--wait", "--name", &name, &file]);
        while !driver.has_ended() {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            std::thread::sleep(Duration::from_millis((chance >> 33) % LIFE_MS_MAX));
            if kills == KILLS {
                break;
            }
            kills += usize::from(driver.kill());
            // Killed before the run was there, it was never submitted.
            let is_there = space.wf(&["get", &name]).code == 0;
            driver = if is_there {
                space.start(&["watch", &name])
            } else {
                space.start(&["submit", "--wait", "--name", &name, &file])
            };
        }
        let outcome = driver.end();
        assert_eq!(outcome.code, 0, "{}", outcome.all());
        space.assert_succeeded(&name, PODS);
    }
    starts.assert_once(runs * PODS);
    println!("cluster kill: {kills} kills in {runs} runs of {PODS} pods, none started twice");
}

#[test]
fn of_two_drivers_one_drives() {
    const PODS: usize = 8;
    let Some(space) = Space::new("race") else { return };
    let starts = Starts::new(&space);
    let file = space.write("loops.yaml", two_loops(PODS, 4, "1"));
    let first = space.start(&["submit", "--wait", "--name", "raced", &file]);
    space.until_run("raced", "the run", |_| Some(()));
    drop(first);
    let drivers: Vec<_> = (0..3).map(|_| space.start(&["watch", "raced"])).collect();
    for driver in drivers {
        let outcome = driver.end();
        // Who does not drive looks on, or says that another does.
        assert!([0, 8].contains(&outcome.code), "{}", outcome.all());
    }
    space.assert_succeeded("raced", PODS);
    starts.assert_once(PODS);
}

#[test]
fn a_driver_that_was_frozen_starts_nothing_late() {
    const PODS: usize = 12;
    let Some(space) = Space::new("frozen") else { return };
    let starts = Starts::new(&space);
    let file = space.write("loops.yaml", two_loops(PODS, 2, "1"));
    let frozen = space.start(&["submit", "--wait", "--name", "frozen", &file]);
    space.until_run("frozen", "the first pods", |run| {
        run["status"]["nodes"].as_object()?.values().any(|node| node["phase"] == "Running").then_some(())
    });
    frozen.signal("STOP");
    let outcome = space.wf(&["watch", "frozen"]);
    assert_eq!(outcome.code, 0, "{}", outcome.all());
    frozen.signal("CONT");
    let outcome = frozen.end();
    assert_eq!(outcome.code, 0, "{}", outcome.all());
    space.assert_succeeded("frozen", PODS);
    starts.assert_once(PODS);
}

#[test]
fn a_run_goes_with_its_record() {
    let Some(space) = Space::new("record") else { return };
    let file = space.write("loops.yaml", two_loops(8, 8, "600"));
    let driver = space.start(&["submit", "--wait", "--name", "doomed", &file]);
    let pods = space.api::<Pod>();
    let of_run = ListParams::default().labels("wf.internal/run=doomed");
    eventually("its pods", || (block(pods.list(&of_run)).ok()?.items.len() == 4).then_some(()));
    sure("delete the record", block(space.api::<Job>().delete("doomed", &DeleteParams::background())));
    let outcome = driver.end();
    assert!(outcome.code != 0 && outcome.stderr.contains("doomed"), "{}", outcome.all());
    eventually("no pods", || block(pods.list(&of_run)).ok()?.items.is_empty().then_some(()));
    assert_eq!(space.wf(&["get", "doomed"]).code, 3);
}

#[test]
fn a_driver_bears_that_its_rights_are_withdrawn_and_given_back() {
    const PODS: usize = 8;
    let Some(space) = Space::new("rights") else { return };
    let starts = Starts::new(&space);
    allow(&space);
    let kubeconfig = as_account(&space);
    let file = space.write("loops.yaml", two_loops(PODS, 2, "2"));
    let with = |args: &[&str]| {
        let mut command = space.command(args);
        command.env("KUBECONFIG", &kubeconfig);
        command
    };
    let mut driver = with(&["submit", "--wait", "--name", "limited", &file]).spawn().expect("wf starts");
    space.until_run("limited", "the first pods", |run| {
        run["status"]["nodes"].as_object()?.values().any(|node| node["phase"] == "Running").then_some(())
    });
    sure("withdraw", block(space.api::<RoleBinding>().delete("wf", &DeleteParams::default())));
    std::thread::sleep(Duration::from_secs(5));
    bind(&space);
    let code = driver.wait().expect("wf ends").code();
    if code != Some(0) {
        // It may also have stopped with a clear word, and another goes on.
        assert_eq!(code, Some(4), "it stopped for want of rights");
        let outcome = space.env.finish(with(&["watch", "limited"]), b"");
        assert_eq!(outcome.code, 0, "{}", outcome.all());
    }
    space.assert_succeeded("limited", PODS);
    starts.assert_once(PODS);
}

/// Gives an account `wf` the rights that a driver needs.
pub fn allow(space: &Space) {
    let account = ServiceAccount { metadata: named("wf"), ..ServiceAccount::default() };
    sure("an account", block(space.api().create(&PostParams::default(), &account)));
    let all = ["get", "list", "watch", "create", "update", "patch", "delete"];
    let role = json!({"metadata": {"name": "wf"}, "rules": [
        {"apiGroups": ["batch"], "resources": ["jobs", "jobs/status"], "verbs": all},
        {"apiGroups": [""], "resources": ["pods", "configmaps", "events"], "verbs": all},
        {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": all},
        {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": all},
    ]});
    let role: Role = sure("a role", serde_json::from_value(role));
    sure("create it", block(space.api().create(&PostParams::default(), &role)));
    bind(space);
}

fn bind(space: &Space) {
    let binding = json!({
        "metadata": {"name": "wf"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "wf"},
        "subjects": [{"kind": "ServiceAccount", "name": "wf", "namespace": space.name}],
    });
    let binding: RoleBinding = sure("a binding", serde_json::from_value(binding));
    sure("create it", block(space.api().create(&PostParams::default(), &binding)));
}

/// Returns a kubeconfig of the account `wf`.
pub fn as_account(space: &Space) -> String {
    let request: TokenRequest =
        sure("a request", serde_json::from_value(json!({"metadata": {}, "spec": {"audiences": []}})));
    let accounts = space.api::<ServiceAccount>();
    let token = sure("a token", block(accounts.create_token_request("wf", &PostParams::default(), &request)));
    let token = token.status.expect("a token was made").token;
    space.configure("account", |kubeconfig| {
        for user in &mut kubeconfig.auth_infos {
            let info = user.auth_info.get_or_insert_default();
            *info = kube::config::AuthInfo { token: Some(token.clone().into()), ..kube::config::AuthInfo::default() };
        }
    })
}
