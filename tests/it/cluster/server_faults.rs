//! Runs before an API server that refuses, forgets and breaks off.

use std::time::Duration;

use super::drivers::two_loops;
use super::proxy::{Asked, Fate, Proxy};
use super::space::Space;
use super::starts::Starts;

#[test]
fn refused_requests_are_made_again() {
    runs_before("refusing", |asked| match asked.number % 6 {
        1 => Fate::Refuse(429),
        3 => Fate::Refuse(500),
        5 if asked.number % 4 == 1 => Fate::Refuse(503),
        _ => Fate::Pass,
    });
}

#[test]
fn what_was_done_without_an_answer_is_not_done_twice() {
    runs_before(
        "silent",
        |asked| {
            if asked.method != "GET" && asked.number % 5 == 2 { Fate::CutAfter } else { Fate::Pass }
        },
    );
}

#[test]
fn watches_that_end_or_expire_are_begun_anew() {
    runs_before("expiring", |asked| match asked.number % 3 {
        _ if !asked.is_watch() => Fate::Pass,
        0 => Fate::Expire,
        _ => Fate::PassFor(Duration::from_millis(1500)),
    });
}

/// Runs eight pods behind a proxy, and takes the run over as often as the driver gives up, to a bound.
fn runs_before(test: &str, decide: impl Fn(&Asked<'_>) -> Fate + Send + Sync + 'static) {
    const PODS: usize = 8;
    const TRIES: usize = 5;
    let Some(space) = Space::new(test) else { return };
    let starts = Starts::new(&space);
    let proxy = Proxy::new(&space, decide);
    let url = proxy.url.clone();
    let kubeconfig = space.configure("through-proxy", |kubeconfig| {
        for cluster in &mut kubeconfig.clusters {
            let cluster = cluster.cluster.get_or_insert_default();
            cluster.server = Some(url.clone());
            cluster.certificate_authority = None;
        }
    });
    let with = |args: &[&str]| {
        let mut command = space.command(args);
        command.env("KUBECONFIG", &kubeconfig);
        space.env.finish(command, b"")
    };
    let file = space.write("loops.yaml", two_loops(PODS, 4, "1"));
    let mut outcome = with(&["submit", "--wait", "--name", test, &file]);
    let mut tries = 1;
    while outcome.code != 0 && tries < TRIES {
        tries += 1;
        let is_there = space.wf(&["get", test]).code == 0;
        outcome = if is_there { with(&["watch", test]) } else { with(&["submit", "--wait", "--name", test, &file]) };
    }
    assert_eq!(outcome.code, 0, "after {tries} tries: {}", outcome.all());
    space.assert_succeeded(test, PODS);
    starts.assert_once(PODS);
    assert!(proxy.faults() > 0, "nothing was faulty");
    println!("cluster {test}: {} faults, {tries} drivers", proxy.faults());
}
