//! Managed mode: pods are made by the driver, and Jobs tell the truth of them.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{EvictParams, ListParams};

use super::drivers::two_loops;
use super::space::{Space, block, eventually, sure};
use super::starts::Starts;

#[test]
fn either_mode_takes_over_from_the_other() {
    const PODS: usize = 12;
    let Some(space) = Space::managed("modes") else { return };
    let starts = Starts::new(&space);
    let file = space.write("loops.yaml", two_loops(PODS, 4, "1"));
    let driver = space.start(&["submit", "--wait", "--name", "modes", &file]);
    until_pods_run(&space, "modes", 1);
    driver.kill();
    let mut plain = space.command(&["watch", "modes"]);
    plain.env_remove("WF_MANAGED");
    let mut plain = plain.spawn().expect("wf starts");
    let second_loop = |pods: Vec<Pod>| pods.len() > PODS / 2;
    eventually("that the other went on", || {
        second_loop(block(space.api().list(&ListParams::default())).ok()?.items).then_some(())
    });
    plain.kill().expect("wf can be killed");
    plain.wait().expect("wf ends");
    let outcome = space.wf(&["watch", "modes"]);
    assert_eq!(outcome.code, 0, "{}", outcome.all());
    space.assert_succeeded("modes", PODS);
    starts.assert_once(PODS);
    eventually("that all Jobs say so", || {
        let jobs = block(space.api::<Job>().list(&ListParams::default())).ok()?.items;
        let is_complete = |job: &Job| {
            let conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
            { conditions }.any(|condition| condition.type_ == "Complete" && condition.status == "True")
        };
        (jobs.len() == PODS + 1 && jobs.iter().all(is_complete)).then_some(())
    });
}

#[test]
fn a_disrupted_pod_is_replaced_by_the_driver() {
    let Some(space) = Space::managed("managed-evicted") else { return };
    let file = space.write("loops.yaml", two_loops(2, 2, "4"));
    let driver = space.start(&["submit", "--wait", "--name", "evicted", &file]);
    let pod = until_pods_run(&space, "evicted", 1).remove(0);
    sure("evict", block(space.api::<Pod>().evict(&pod, &EvictParams::default())));
    let outcome = driver.end();
    assert_eq!(outcome.code, 0, "{}", outcome.all());
    space.assert_succeeded("evicted", 2);
    let pods = sure("pods", block(space.api::<Pod>().list(&ListParams::default()))).items;
    let second = format!("{}-1", pod.trim_end_matches("-0"));
    assert!(pods.iter().any(|pod| pod.name_any() == second), "no pod `{second}`");
}

/// Waits until so many pods of a run are at work, and returns their names.
fn until_pods_run(space: &Space, run: &str, count: usize) -> Vec<String> {
    eventually("pods at work", || {
        let pods =
            block(space.api::<Pod>().list(&ListParams::default().labels(&format!("wf.internal/run={run}")))).ok()?;
        let runs = |pod: &&Pod| pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Running"));
        let names: Vec<String> = pods.items.iter().filter(runs).map(ResourceExt::name_any).collect();
        (names.len() >= count).then_some(names)
    })
}
