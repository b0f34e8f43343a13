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

#[test]
fn a_run_outlives_a_minute_without_a_kubelet() {
    runs_through("kubelet-stopped", || {
        control("stop", "kubelet");
        std::thread::sleep(Duration::from_secs(60));
        control("start", "kubelet");
    });
}

/// Runs sixteen pods, with an outage once the first of them run, and takes the run over should the driver
/// have given up.
fn runs_through(test: &str, outage: impl FnOnce()) {
    const PODS: usize = 16;
    let Some(space) = Space::alone(test) else { return };
    let starts = Starts::new(&space);
    let file = space.write("loops.yaml", two_loops(PODS, 4, "2"));
    let driver = space.start(&["submit", "--wait", "--name", test, &file]);
    space.until_run(test, "the first pods", |run| {
        run["status"]["nodes"].as_object()?.values().any(|node| node["phase"] == "Running").then_some(())
    });
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
