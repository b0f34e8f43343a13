//! Which of several controllers leads.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::*;
use crate::store::kubernetes::Leadership;

/// A clock that never stands: a word that changes nothing would be no word.
fn later() -> Timestamp {
    static CLOCK: AtomicI64 = AtomicI64::new(5_000);
    Timestamp(CLOCK.fetch_add(1, Ordering::Relaxed))
}

fn candidate(server: &ApiServer, who: &str) -> Leadership {
    let cluster = Cluster { client: server.client(NAMESPACE), namespace: NAMESPACE.to_owned() };
    Leadership::new(&cluster, Identity::new(who.to_owned(), later))
}

fn lease(server: &ApiServer) -> serde_json::Value {
    server.state().object("leases", NAMESPACE, "wf-controller").expect("there is one").clone()
}

#[tokio::test(start_paused = true)]
async fn one_leads_and_another_when_it_resigns() {
    let server = ApiServer::new(&[NAMESPACE]);
    let (first, second) = (candidate(&server, "first"), candidate(&server, "second"));
    let held = first.win(|words| panic!("{words}")).await;
    let spec = lease(&server)["spec"].clone();
    assert_eq!((&spec["holderIdentity"], &spec["leaseDurationSeconds"]), (&json!("first"), &json!(15)));
    assert_eq!(lease(&server)["metadata"]["labels"]["app.kubernetes.io/managed-by"], "wf");
    // While it lives, the other waits, and says so once.
    let mut told = Vec::new();
    let waits = timeout(Duration::from_secs(60), second.win(|words| told.push(words.to_owned())));
    tokio::select! {
        won = waits => assert!(won.is_err(), "two lead"),
        lost = first.keep(held) => panic!("{lost}"),
    }
    assert_eq!(told, ["`first` leads; this one waits"]);
    // Who does not lead has nothing to let go of.
    second.resign().await.expect("the cluster works");
    assert_eq!(lease(&server)["spec"]["holderIdentity"], "first");
    first.resign().await.expect("the cluster works");
    let begun = Instant::now();
    second.win(|words| panic!("{words}")).await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(lease(&server)["spec"]["leaseTransitions"], 3, "to the first, to nobody, to the second");
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_died_is_followed_when_its_lease_has_run_out() {
    let server = ApiServer::new(&[NAMESPACE]);
    let (first, second) = (candidate(&server, "first"), candidate(&server, "second"));
    let held = first.win(|words| panic!("{words}")).await;
    let begun = Instant::now();
    second.win(|_| {}).await;
    assert!((15..20).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    // The one that was only slow learns of it at its next word.
    let lost = first.keep(held).await;
    assert_eq!(lost.kind, ApiErrorKind::Conflict);
    assert_eq!(lease(&server)["spec"]["holderIdentity"], "second");
}

/// A leader that cannot be heard stops before others take it for dead.
#[tokio::test(start_paused = true)]
async fn a_leader_whose_word_does_not_come_through_gives_up_in_time() {
    let server = ApiServer::new(&[NAMESPACE]);
    let first = candidate(&server, "first");
    let held = first.win(|words| panic!("{words}")).await;
    let mut words = 0;
    // Its first two words are lost; then one comes through, and then none.
    server.set_faults(move |method, _| {
        words += u32::from(method == "PUT");
        let refused = Refused { code: 500, reason: "InternalError", message: "etcd is away".to_owned() };
        (method == "PUT" && words != 3).then_some(Fault::Refuse(refused))
    });
    let begun = Instant::now();
    let lost = first.keep(held).await;
    assert!(lost.to_string().contains("etcd is away"), "{lost}");
    assert!((20..30).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}
