//! Drivers that live in the cluster: a Job for each run, a controller, and that any takes over from any.
//!
//! They need an image of this program, which `WF_TEST_IMAGE` names: `tests/cluster/image` makes one.

use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::ResourceExt;
use kube::api::{DeleteParams, EvictParams, ListParams, PostParams};
use serde_json::json;

use super::drivers::two_loops;
use super::space::{Space, Started, block, eventually, sure};
use super::starts::Starts;

/// The image of the program under test.
const IMAGE: &str = "WF_TEST_IMAGE";

/// Returns the image; `None`, with a line that says so, without one.
fn image(test: &str) -> Option<String> {
    let image = std::env::var(IMAGE).ok();
    if image.is_none() {
        println!("cluster {test}: skipped, {IMAGE} is not set: `tests/cluster/run` sets it");
    }
    image
}

/// A namespace, and the image for it.
fn prepare(test: &str) -> Option<(Space, String)> {
    let image = image(test)?;
    Some((Space::new(test)?, image))
}

fn good(space: &Space, arguments: &[&str]) -> String {
    let outcome = space.wf(arguments);
    assert_eq!(outcome.code, 0, "{arguments:?}: {}", outcome.all());
    outcome.all()
}

fn of_drivers(run: &str) -> ListParams {
    ListParams::default().labels(&format!("wf.internal/kind=driver,wf.internal/run={run}"))
}

/// Returns the names of the pods that drive a run and run.
fn driver_pods(space: &Space, run: &str) -> Vec<String> {
    let pods = sure("list pods", block(space.api::<Pod>().list(&of_drivers(run))));
    let runs = |pod: &&Pod| {
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        phase == Some("Running") && pod.metadata.deletion_timestamp.is_none()
    };
    pods.iter().filter(runs).map(ResourceExt::name_any).collect()
}

/// Returns who drives a run, as its Lease says.
fn holder(space: &Space, run: &str) -> Option<String> {
    let lease = block(space.api::<Lease>().get_opt(&format!("wf.{run}"))).ok()??;
    lease.spec?.holder_identity
}

#[test]
fn a_job_in_the_cluster_drives_a_run_and_makes_its_pods() {
    const PODS: usize = 6;
    let Some((space, image)) = prepare("detached") else { return };
    let starts = Starts::new(&space);
    good(&space, &["install", "--image", &image]);
    let file = space.write("loops.yaml", two_loops(PODS, 3, "1"));
    let begun = Instant::now();
    let said = good(&space, &["submit", "--name", "left", &file]);
    assert!(said.contains("wf watch left"), "{said}");
    println!("cluster detached: submit returned after {} ms", begun.elapsed().as_millis());
    good(&space, &["wait", "left"]);
    space.assert_succeeded("left", PODS);
    starts.assert_once(PODS);
    let jobs =
        sure("list Jobs", block(space.api::<Job>().list(&ListParams::default().labels("wf.internal/kind=node"))));
    let managed = |job: &Job| job.spec.as_ref().is_some_and(|spec| spec.managed_by.is_some());
    assert!(jobs.iter().all(managed), "a driver in the cluster makes the pods itself");
    // A command that is told to stay has the result of the run.
    let failing = space.write("bad.yaml", two_loops(2, 2, "0 & exit 3 #"));
    assert_eq!(space.wf(&["submit", "--wait", "--name", "bad", &failing]).code, 1);
    // The driver of a run goes with it.
    good(&space, &["delete", "left"]);
    eventually("no driver", || {
        block(space.api::<Job>().list(&of_drivers("left"))).ok()?.items.is_empty().then_some(())
    });
    good(&space, &["uninstall"]);
    assert!(sure("look", block(space.api::<ConfigMap>().get_opt("wf"))).is_none());
    assert!(sure("look", block(space.api::<Role>().get_opt("wf"))).is_none());
}

#[test]
fn a_driver_in_the_cluster_that_is_evicted_or_deleted_is_replaced() {
    const PODS: usize = 12;
    let Some((space, image)) = prepare("replaced") else { return };
    let starts = Starts::new(&space);
    good(&space, &["install", "--image", &image]);
    let file = space.write("loops.yaml", two_loops(PODS, 2, "2"));
    good(&space, &["submit", "--name", "moved", &file]);
    let pods = space.api::<Pod>();
    let first = eventually("a driver", || driver_pods(&space, "moved").pop());
    eventually("it drives", || holder(&space, "moved").filter(|holder| holder.contains(&first)));
    sure("evict it", block(pods.evict(&first, &EvictParams::default())));
    let second = eventually("another", || driver_pods(&space, "moved").into_iter().find(|pod| *pod != first));
    eventually("it drives", || holder(&space, "moved").filter(|holder| holder.contains(&second)));
    // As when its node loses power.
    sure("delete it", block(pods.delete(&second, &DeleteParams::default().grace_period(0))));
    good(&space, &["wait", "moved"]);
    space.assert_succeeded("moved", PODS);
    starts.assert_once(PODS);
}

/// Who drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Here,
    Job,
    Controller,
}

impl Who {
    fn is(self, holder: &str, run: &str) -> bool {
        let pod = holder.split_once('@').map_or(holder, |(_, pod)| pod);
        match self {
            // The Job's pod is called after the run, the Deployment's after what was installed.
            Who::Job => pod.starts_with(&format!("{run}-")),
            Who::Controller => pod.starts_with("wf-"),
            Who::Here => !Who::Job.is(holder, run) && !Who::Controller.is(holder, run),
        }
    }
}

/// Takes all drivers away, as a crash would, and waits until none is left.
fn no_drivers(space: &Space, run: &str) {
    good(space, &["uninstall"]);
    let jobs = space.api::<Job>();
    sure("delete", block(jobs.delete_collection(&DeleteParams::foreground(), &of_drivers(run))));
    let pods = space.api::<Pod>();
    for of in [of_drivers(run), ListParams::default().labels("app.kubernetes.io/name=wf-controller")] {
        let at_once = DeleteParams::default().grace_period(0);
        sure("delete", block(pods.delete_collection(&at_once, &of)));
        eventually("no pods", || block(pods.list(&of)).ok()?.items.is_empty().then_some(()));
    }
}

#[test]
fn every_kind_of_driver_takes_over_from_every_other() {
    use Who::{Controller, Here, Job};
    const PODS: usize = 60;
    let Some((space, image)) = prepare("hops") else { return };
    let starts = Starts::new(&space);
    let file = space.write("loops.yaml", two_loops(PODS, 2, "2"));
    let mut here: Option<Started> = Some(space.start(&["submit", "--wait", "--name", "hops", &file]));
    space.until_run("hops", "the run", |_| Some(()));
    // Each ordered pair once.
    for who in [Job, Controller, Job, Here, Controller, Here] {
        match here.take() {
            Some(process) => assert!(process.kill(), "it was still driving"),
            None => no_drivers(&space, "hops"),
        }
        match who {
            Here => here = Some(space.start(&["watch", "hops"])),
            Job => {
                good(&space, &["install", "--image", &image]);
                // Whoever looks has it driven.
                let jobs = || block(space.api::<JobObject>().list(&of_drivers("hops"))).ok();
                let looked = space.start(&["watch", "hops"]);
                eventually("a driver's Job", || (!jobs()?.items.is_empty()).then_some(()));
                drop(looked);
            }
            Controller => drop(good(&space, &["install", "--image", &image, "--controller"])),
        }
        let begun = Instant::now();
        let holder = eventually("another driver", || holder(&space, "hops").filter(|now| who.is(now, "hops")));
        println!("cluster hops: {who:?} drives after {} ms as {holder}", begun.elapsed().as_millis());
        std::thread::sleep(Duration::from_secs(3));
    }
    assert_eq!(here.map(|process| process.end().code), Some(0));
    space.assert_succeeded("hops", PODS);
    starts.assert_once(PODS);
}

/// The kind, beside the word for who drives.
type JobObject = k8s_openapi::api::batch::v1::Job;

#[test]
fn of_two_controllers_one_leads_and_the_other_goes_on_when_it_dies() {
    const PODS: usize = 4;
    let Some(space) = Space::new("leads") else { return };
    // The image is never there: the controllers of this test live here.
    good(&space, &["install", "--image", "wf.invalid/none", "--controller"]);
    let starts = Starts::new(&space);
    let file = space.write("loops.yaml", two_loops(PODS, 2, "4"));
    let first = space.start(&["controller", "--runs", "2"]);
    let leader = || block(space.api::<Lease>().get_opt("wf-controller")).ok()??.spec?.holder_identity;
    let led = eventually("a leader", leader);
    let second = space.start(&["controller", "--runs", "2"]);
    for name in ["a", "b", "c"] {
        good(&space, &["submit", "--name", name, &file]);
    }
    eventually("the first two runs", || holder(&space, "a").and(holder(&space, "b")));
    assert_eq!(holder(&space, "c"), None, "two runs at one time, the oldest first");
    assert!(first.kill(), "it was still driving");
    eventually("another leader", || leader().filter(|now| *now != led));
    for name in ["a", "b", "c"] {
        space.until_run(name, "its end", |run| (run["status"]["phase"] == "Succeeded").then_some(()));
        space.assert_succeeded(name, PODS);
    }
    starts.assert_once(3 * PODS);
    let outcome = second.terminate();
    assert_eq!(outcome.code, 0, "{}", outcome.all());
    eventually("nobody leads", || leader().filter(String::is_empty));
}

#[test]
fn a_controller_drives_what_waits_for_a_person_without_losing_a_place() {
    let Some(space) = Space::new("waits") else { return };
    good(&space, &["install", "--image", "wf.invalid/none", "--controller"]);
    let file = space.write(
        "approval.yaml",
        "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: approval-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps: [[{name: approve, template: approve}], [{name: work, template: work}]]
  - {name: approve, suspend: {}}
  - {name: work, container: {image: busybox, command: ['true']}}
",
    );
    let _controller = space.start(&["controller", "--runs", "1"]);
    let waits = |run: &serde_json::Value| {
        let nodes = run["status"]["nodes"].as_object()?;
        nodes.values().any(|node| node["type"] == "Suspend" && node["phase"] == "Running").then_some(())
    };
    for name in ["one", "two"] {
        good(&space, &["submit", "--name", name, &file]);
        space.until_run(name, "the pause", waits);
    }
    good(&space, &["resume", "one"]);
    space.until_run("one", "its end", |run| (run["status"]["phase"] == "Succeeded").then_some(()));
    good(&space, &["stop", "two"]);
    space.until_run("two", "its end", |run| (run["status"]["phase"] == "Failed").then_some(()));
}

#[test]
fn a_driver_in_the_cluster_does_for_a_run_only_what_its_account_may() {
    let Some((space, image)) = prepare("behalf") else { return };
    good(&space, &["install", "--image", &image]);
    let file = space.write(
        "resource.yaml",
        "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: resource-}
spec:
  entrypoint: main
  templates:
  - name: main
    resource:
      action: create
      manifest: |
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: made}
        data: {a: b}
",
    );
    assert_eq!(space.wf(&["submit", "--wait", "--name", "refused", &file]).code, 1);
    let refused = space.object("refused").to_string();
    assert!(refused.contains("the account `default` of the run may not create configmaps"), "{refused}");
    assert!(sure("look", block(space.api::<ConfigMap>().get_opt("made"))).is_none());
    let role = json!({"metadata": {"name": "maker"}, "rules": [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "get"]},
    ]});
    let role: Role = sure("a role", serde_json::from_value(role));
    sure("create it", block(space.api().create(&PostParams::default(), &role)));
    let binding = json!({
        "metadata": {"name": "maker"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "maker"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": space.name}],
    });
    let binding: RoleBinding = sure("a binding", serde_json::from_value(binding));
    sure("create it", block(space.api().create(&PostParams::default(), &binding)));
    good(&space, &["submit", "--wait", "--name", "allowed", &file]);
    assert!(sure("look", block(space.api::<ConfigMap>().get_opt("made"))).is_some());
}

#[test]
fn what_is_installed_is_taken_back() {
    let Some(space) = Space::new("install") else { return };
    good(&space, &["install"]);
    assert!(sure("look", block(space.api::<ConfigMap>().get_opt("wf"))).is_none(), "nobody drives yet");
    good(&space, &["install", "--image", "wf.invalid/none", "--controller", "--runs", "7", "--account", "builder"]);
    let deployment = sure("the controller", block(space.api::<Deployment>().get("wf")));
    let pod = deployment.spec.and_then(|spec| spec.template.spec).expect("a pod");
    let arguments = pod.containers[0].args.clone().unwrap_or_default();
    assert_eq!(arguments, ["controller", "--runs=7", "--account=builder"]);
    good(&space, &["install", "--image", "wf.invalid/none"]);
    assert!(sure("look", block(space.api::<Deployment>().get_opt("wf"))).is_none(), "a Job for each run instead");
    let said = good(&space, &["uninstall"]);
    for kind in ["ConfigMap", "RoleBinding", "Role", "ServiceAccount"] {
        assert!(said.contains(&format!("{kind} removed")), "{said}");
    }
    assert!(good(&space, &["uninstall"]).contains("nothing is installed"));
}
