//! What runs of one namespace share.

use std::time::Duration;

use tokio::time::timeout;

use super::*;
use crate::engine::{Memo, Phase};
use crate::store::{Claim, KubernetesShared, Shared as _};

fn claim(wanted: u32, outlives_driver: bool) -> Claim {
    Claim { lock: "ci/Mutex/m".to_owned(), limit: 1, wanted, priority: 0, since: Timestamp(1), outlives_driver }
}

/// Returns two runs, each driven by a process of its own.
async fn two_runs(server: &ApiServer) -> (KubernetesLog, KubernetesLog) {
    let second = store(server, "second").create(&header("b")).await.expect("it can be created");
    (run(server, "a").await, second)
}

async fn claimed(shared: &KubernetesShared, claim: &Claim) -> u32 {
    shared.claim(claim).await.expect("it can be claimed")
}

fn records(server: &ApiServer) -> Vec<String> {
    server.state().names("configmaps").into_iter().filter(|name| name.starts_with("wf.lock.")).collect()
}

#[tokio::test]
async fn a_lock_is_one_runs_until_that_gives_it_back() {
    let server = ApiServer::new(&[NAMESPACE]);
    let (a, b) = two_runs(&server).await;
    let (one, other) = (a.shared(), b.shared());
    assert_eq!(claimed(&one, &claim(1, false)).await, 1);
    assert_eq!(claimed(&one, &claim(1, false)).await, 1, "it is its own");
    assert_eq!(claimed(&other, &claim(1, false)).await, 0);
    assert!(timeout(Duration::from_millis(100), other.freed("ci/Mutex/m", 0)).await.is_err(), "nothing has changed");
    let back = async {
        tokio::task::yield_now().await;
        claimed(&one, &claim(0, false)).await
    };
    let (freed, _) = tokio::join!(timeout(Duration::from_secs(5), other.freed("ci/Mutex/m", 0)), back);
    freed.expect("it wakes").expect("it can be watched");
    assert_eq!(claimed(&other, &claim(1, false)).await, 1);
    assert_eq!(records(&server).len(), 1);
    claimed(&other, &claim(0, false)).await;
    assert_eq!(records(&server).len(), 0, "a record that nobody is in goes");
}

/// Two that write the same record at the same time are told apart by its version.
#[tokio::test]
async fn who_was_slower_looks_again() {
    let server = ApiServer::new(&[NAMESPACE]);
    let (a, b) = two_runs(&server).await;
    for _ in 0..3 {
        let (shared, others) = (a.shared(), b.shared());
        let places = claim(1, false);
        let (one, other) = tokio::join!(claimed(&shared, &places), claimed(&others, &places));
        assert_eq!(one + other, 1);
        claimed(&a.shared(), &claim(0, false)).await;
        claimed(&b.shared(), &claim(0, false)).await;
    }
}

#[tokio::test]
async fn a_driver_that_died_holds_what_outlives_it_until_its_run_is_over() {
    for outlives in [false, true] {
        for fate in ["driven", "left", "ended", "deleted", "another"] {
            let server = ApiServer::new(&[NAMESPACE]);
            let (mut first, second) = two_runs(&server).await;
            assert_eq!(claimed(&first.shared(), &claim(1, outlives)).await, 1);
            let mut kept = None;
            match fate {
                "driven" => kept = Some(first),
                "left" => first.release().await,
                "ended" => {
                    let events = vec![Event::Ended { p: Phase::Succeeded, m: "".into() }];
                    first.append(&[Batch { at: Timestamp(2), events }], &[]).await.expect("it can be appended to");
                    first.release().await;
                }
                _ => {
                    first.release().await;
                    store(&server, "person").delete(&name("a")).await.expect("nobody drives it");
                }
            }
            if fate == "another" {
                let header = Header { uid: RunUid("another".into()), ..header("a") };
                kept = Some(store(&server, "first").create(&header).await.expect("the name is free"));
            }
            let is_free = fate != "driven" && !(outlives && fate == "left");
            let granted = claimed(&second.shared(), &claim(1, outlives)).await;
            assert_eq!(granted, u32::from(is_free), "{fate}, outlives: {outlives}");
            drop(kept);
        }
    }
}

#[tokio::test]
async fn a_cache_is_argos_own_where_its_key_and_size_can_be() {
    let server = ApiServer::new(&[NAMESPACE]);
    let (a, b) = two_runs(&server).await;
    let memo = |cache: &str, key: &str| Memo { cache: cache.into(), key: key.into(), hit: false };
    for key in ["plain-key", "k/../1"] {
        assert_eq!(a.shared().recall(&memo("c", key)).await.expect("it can be read"), None);
        for entry in ["one", "two"] {
            a.shared().remember(&memo("c", key), entry).await.expect("it can be kept");
        }
        let known = b.shared().recall(&memo("c", key)).await.expect("it can be read");
        assert_eq!(known.as_deref(), Some("two"), "{key}");
        assert_eq!(b.shared().recall(&memo("d", key)).await.expect("it can be read"), None);
    }
    let state = server.state();
    let cache = state.object("configmaps", NAMESPACE, "c").expect("Argo's own");
    assert_eq!(cache["data"], json!({ "plain-key": "two" }));
    assert_eq!(cache["metadata"]["labels"], json!({ "workflows.argoproj.io/configmap-type": "Cache" }));
}

/// The entry of a key for which Argo's own object has no room lies in one of its own.
#[tokio::test]
async fn a_cache_that_is_full_spills_over() {
    let server = ApiServer::new(&[NAMESPACE]);
    let a = run(&server, "a").await;
    let memo = Memo { cache: "c".into(), key: "plain-key".into(), hit: false };
    server.set_faults(|_, about| {
        let refused = Refused { code: 422, reason: "Invalid", message: "too long".to_owned() };
        (about == "configmaps/c").then_some(Fault::Refuse(refused))
    });
    a.shared().remember(&memo, "one").await.expect("it can be kept");
    server.set_faults(|_, _| None);
    assert_eq!(a.shared().recall(&memo).await.expect("it can be read").as_deref(), Some("one"));
    assert!(server.state().object("configmaps", NAMESPACE, "c").is_none());
}
