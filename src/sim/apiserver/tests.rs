//! The store of a cluster, on the simulated API server.

use std::collections::BTreeSet;

use serde_json::json;

use super::{ApiServer, Fault, Refused};
use crate::backend::kubernetes::{ApiErrorKind, Cluster, names};
use crate::base::{RunName, RunUid, Timestamp};
use crate::engine::{Batch, Control, Event};
use crate::store::kubernetes::Identity;
use crate::store::{Answer, Header, KubernetesLog, KubernetesStore, Log, Store, StoreError, Stored, Tail};

mod leader;
mod shared;

const NAMESPACE: &str = "ci";

fn name(text: &str) -> RunName {
    RunName::new(text).expect("a valid name")
}

fn header(run: &str) -> Header {
    let value = json!({
        "version": 1, "name": run, "uid": format!("uid-of-{run}"), "createdAt": 1_000,
        "resolved": {
            "metadata": {"labels": {"team": "a"}},
            "spec": {"entrypoint": "main", "templates": [], "ttlStrategy": {"secondsAfterCompletion": 60}},
        },
    });
    serde_json::from_value(value).expect("a header")
}

fn batch(at: i64) -> Vec<Batch> {
    vec![Batch { at: Timestamp(at), events: vec![Event::Began] }]
}

fn times(stored: &Stored) -> Vec<i64> {
    stored.records.iter().flat_map(|record| record.batches.iter().map(|batch| batch.at.0)).collect()
}

/// Returns the store as another process sees it.
fn store(server: &ApiServer, who: &str) -> KubernetesStore {
    let cluster = Cluster { client: server.client(NAMESPACE), namespace: NAMESPACE.to_owned() };
    KubernetesStore::new(cluster, Identity::new(who.to_owned(), || Timestamp(5_000)))
}

async fn run(server: &ApiServer, run: &str) -> KubernetesLog {
    store(server, "first").create(&header(run)).await.expect("it can be created")
}

#[tokio::test]
async fn what_was_appended_is_read_by_anybody() {
    let server = ApiServer::new(&[NAMESPACE]);
    let mut log = run(&server, "a").await;
    for at in 1..=3 {
        log.append(&batch(at), &[]).await.expect("it can be appended to");
    }
    let stored = store(&server, "reader").load(&name("a")).await.expect("it can be read");
    assert_eq!((times(&stored), &*stored.header.uid.0), (vec![1, 2, 3], "uid-of-a"));
    assert_eq!(server.state().names("configmaps"), ["wf.log.a.0", "wf.plan.a.0"]);
}

#[tokio::test]
async fn an_append_is_one_write_and_a_run_begins_with_three() {
    let server = ApiServer::new(&[NAMESPACE]);
    let mut log = run(&server, "a").await;
    let writes = |requests: Vec<String>| -> Vec<String> {
        requests.into_iter().filter(|request| !request.starts_with("GET")).collect()
    };
    let mut begun = writes(server.take_requests());
    begun.sort();
    assert_eq!(begun, ["POST configmaps", "POST jobs", "POST leases"]);
    for at in 1..=3 {
        log.append(&batch(at), &[]).await.expect("it can be appended to");
    }
    let appended = writes(server.take_requests());
    assert_eq!(appended, ["POST configmaps", "PUT configmaps/wf.log.a.0", "PUT configmaps/wf.log.a.0"]);
}

#[tokio::test]
async fn a_long_log_has_small_segments_and_one_open() {
    let server = ApiServer::new(&[NAMESPACE]);
    let mut log = run(&server, "a").await;
    let long: Vec<Batch> =
        (0..20_000).map(|at| Batch { at: Timestamp(at * 7919), events: vec![Event::Began] }).collect();
    log.append(&long, &[]).await.expect("it can be appended to");
    log.append(&batch(5), &[]).await.expect("it can be appended to");
    let names: Vec<String> = server.state().names("configmaps").into_iter().filter(|it| it.contains("log")).collect();
    assert!(names.len() > 2, "{names:?}");
    let is_open =
        |name: &String| server.state().object("configmaps", NAMESPACE, name).is_some_and(|it| it["immutable"] != true);
    assert_eq!(names.iter().filter(|name| is_open(name)).count(), 1);
    let stored = store(&server, "reader").load(&name("a")).await.expect("it can be read");
    assert_eq!(times(&stored).len(), 20_001);
}

#[tokio::test]
async fn a_driver_that_lives_is_not_taken_over() {
    let server = ApiServer::new(&[NAMESPACE]);
    let log = run(&server, "a").await;
    let second = store(&server, "second");
    match second.acquire(&name("a")).await {
        Err(StoreError::DrivenBy { holder, .. }) => assert_eq!(holder, "`first`"),
        other => panic!("{:?}", other.map(|(_, stored)| stored)),
    }
    assert!(second.is_held(&name("a")).await.expect("it can be asked"));
    log.release().await;
    assert!(!second.is_held(&name("a")).await.expect("it can be asked"));
    second.acquire(&name("a")).await.expect("it was let go");
}

#[tokio::test]
async fn who_is_taken_over_can_append_nothing_more() {
    let server = ApiServer::new(&[NAMESPACE]);
    for before in 0..3 {
        let run_name = format!("a{before}");
        let mut first = run(&server, &run_name).await;
        for at in 0..before {
            first.append(&batch(at), &[]).await.expect("it can be appended to");
        }
        // The Lease is gone, as when its holder did not answer in time.
        server.set_faults(|method, about| {
            let is_renewal = method == "PATCH" && about.starts_with("leases/");
            is_renewal.then(|| Fault::Refuse(Refused { code: 500, reason: "InternalError", message: "no".to_owned() }))
        });
        let (mut second, stored) = store(&server, "second").acquire(&name(&run_name)).await.expect("nobody answers");
        assert_eq!(times(&stored).len() as i64, before);
        match first.append(&batch(50), &[]).await {
            Err(StoreError::DrivenBy { holder, .. }) => assert_eq!(holder, "`second`"),
            other => panic!("{other:?}"),
        }
        second.append(&batch(60), &[]).await.expect("it is ours");
        first.release().await;
        assert!(server.state().object("leases", NAMESPACE, &format!("wf.{run_name}")).is_some(), "it is not its own");
        let stored = store(&server, "reader").load(&name(&run_name)).await.expect("it can be read");
        assert_eq!(times(&stored).last(), Some(&60));
        assert!(!times(&stored).contains(&50));
    }
}

#[tokio::test]
async fn answers_that_are_lost_lose_and_double_nothing() {
    let server = ApiServer::new(&[NAMESPACE]);
    let mut log = run(&server, "a").await;
    let mut writes = 0;
    server.set_faults(move |method, about| {
        let is_append = (method == "PUT" || method == "POST") && about.starts_with("configmaps");
        writes += u32::from(is_append);
        let refused = Refused { code: 500, reason: "InternalError", message: "etcd is away".to_owned() };
        match (is_append, writes % 3) {
            (true, 1) => Some(Fault::LoseAnswer),
            (true, 2) => Some(Fault::Refuse(refused)),
            _ => None,
        }
    });
    for at in 1..=6 {
        log.append(&batch(at), &[]).await.expect("it goes through in the end");
    }
    let stored = store(&server, "reader").load(&name("a")).await.expect("it can be read");
    assert_eq!(times(&stored), [1, 2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn requests_reach_the_driver_and_answers_come_back() {
    let server = ApiServer::new(&[NAMESPACE]);
    let mut log = run(&server, "a").await;
    let asker = store(&server, "asker");
    let asked = async {
        let id = asker.ask(&name("a"), &Control::Suspend, Timestamp(7)).await.expect("it can be asked");
        asker.answer(&name("a"), &id).await.expect("an answer")
    };
    let obeyed = async {
        let requests = log.requests().await.expect("a request");
        assert_eq!(requests[0].control, Control::Suspend);
        let id = requests[0].id.clone();
        log.append(&batch(1), std::slice::from_ref(&id)).await.expect("it can be appended to");
        log.respond(&id, &Answer::Accepted).await.expect("it can be answered");
    };
    let (answer, ()) = tokio::join!(asked, obeyed);
    assert_eq!(answer, Answer::Accepted);
    let annotations =
        server.state().object("jobs", NAMESPACE, "a").expect("the head")["metadata"]["annotations"].clone();
    let left: Vec<&String> = annotations.as_object().expect("a map").keys().filter(|key| key.contains("7-")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_request_that_waits_is_there_when_a_driver_comes() {
    let server = ApiServer::new(&[NAMESPACE]);
    run(&server, "a").await.release().await;
    let asker = store(&server, "asker");
    asker.ask(&name("a"), &Control::Terminate, Timestamp(7)).await.expect("it can be asked");
    let (mut log, _) = asker.acquire(&name("a")).await.expect("nobody holds it");
    let requests = futures_util::FutureExt::now_or_never(log.requests()).expect("at once").expect("a request");
    assert_eq!(requests.len(), 1);
    // Whoever obeyed it dies before it answers.
    log.append(&batch(8), &[requests[0].id.clone()]).await.expect("it can be appended to");
    log.release().await;
    let (mut log, _) = asker.acquire(&name("a")).await.expect("nobody holds it");
    assert!(futures_util::FutureExt::now_or_never(log.requests()).is_none(), "it is not obeyed again");
}

/// Returns the epoch of the driver that wrote the first segment of a log.
fn epoch(server: &ApiServer, run: &str) -> u64 {
    let segment =
        server.state().object("configmaps", NAMESPACE, &format!("wf.log.{run}.0")).expect("a segment").clone();
    segment["metadata"]["annotations"][names::EPOCH].as_str().and_then(|text| text.parse().ok()).expect("an epoch")
}

#[tokio::test]
async fn each_driver_has_an_epoch_of_its_own() {
    let server = ApiServer::new(&[NAMESPACE]);
    let mut log = run(&server, "a").await;
    log.append(&batch(1), &[]).await.expect("it can be appended to");
    log.release().await;
    let first = epoch(&server, "a");
    // The same process is another driver the second time.
    let (log, _) = store(&server, "first").acquire(&name("a")).await.expect("nobody holds it");
    log.release().await;
    assert_eq!(epoch(&server, "a"), first + 1);
}

#[tokio::test]
async fn who_follows_sees_each_record_once_also_after_the_watch_was_cut() {
    let server = ApiServer::new(&[NAMESPACE]);
    let mut log = run(&server, "a").await;
    log.append(&batch(1), &[]).await.expect("it can be appended to");
    let (stored, mut tail) = store(&server, "reader").follow(&name("a")).await.expect("it can be followed");
    let mut seen = times(&stored);
    for at in 2..=6 {
        if at == 4 {
            server.state().cut_history();
        }
        log.append(&batch(at), &[]).await.expect("it can be appended to");
        let records = tail.next().await.expect("what was appended");
        seen.extend(records.iter().flat_map(|record| record.batches.iter().map(|batch| batch.at.0)));
    }
    assert_eq!(seen, [1, 2, 3, 4, 5, 6]);
    store(&server, "other").delete(&name("a")).await.expect_err("it is driven");
    log.release().await;
    store(&server, "other").delete(&name("a")).await.expect("it can be deleted");
    assert!(matches!(tail.next().await, Err(StoreError::Deleted { .. })));
    assert!(server.state().names("configmaps").is_empty() && server.state().names("leases").is_empty());
}

#[tokio::test]
async fn a_driver_whose_run_is_deleted_stops() {
    let server = ApiServer::new(&[NAMESPACE]);
    let mut log = run(&server, "a").await;
    log.append(&batch(1), &[]).await.expect("it can be appended to");
    let client: kube::Api<k8s_openapi::api::batch::v1::Job> =
        kube::Api::namespaced(server.client(NAMESPACE), NAMESPACE);
    let waits = async { log.requests().await };
    let deletes = async {
        tokio::task::yield_now().await;
        client.delete("a", &kube::api::DeleteParams::background()).await.expect("it can be deleted by hand");
    };
    let (heard, ()) = tokio::join!(waits, deletes);
    assert!(matches!(heard, Err(StoreError::Deleted { .. })), "{heard:?}");
    assert!(matches!(log.append(&batch(2), &[]).await, Err(StoreError::Deleted { .. })));
}

#[tokio::test]
async fn the_head_shows_how_the_run_stands() {
    let server = ApiServer::new(&[NAMESPACE]);
    let mut log = run(&server, "a").await;
    let mut summary = store(&server, "reader").list().await.expect("a list").remove(0);
    assert_eq!((summary.phase.as_str(), summary.name.as_str()), ("Pending", "a"));
    (summary.phase, summary.started_at) = ("Running".to_owned(), Some(Timestamp(2_000)));
    log.summarize(&summary).await.expect("it can be shown");
    (summary.phase, summary.finished_at) = ("Succeeded".to_owned(), Some(Timestamp(9_500)));
    log.summarize(&summary).await.expect("it can be shown");
    let head = server.state().object("jobs", NAMESPACE, "a").expect("the head").clone();
    assert_eq!(head["status"]["startTime"], "1970-01-01T00:00:02Z");
    assert_eq!(head["status"]["completionTime"], "1970-01-01T00:00:09Z");
    assert_eq!(head["spec"]["ttlSecondsAfterFinished"], 60);
    assert_eq!(head["metadata"]["labels"]["workflows.argoproj.io/phase"], "Succeeded");
    assert_eq!(head["metadata"]["labels"]["team"], "a");
    // A run that goes on after its end keeps the end that its Job shows, and is listed as it is.
    (summary.phase, summary.finished_at) = ("Running".to_owned(), None);
    log.summarize(&summary).await.expect("it can be shown");
    assert_eq!(store(&server, "reader").list().await.expect("a list")[0].phase, "Running");
    let head = server.state().object("jobs", NAMESPACE, "a").expect("the head").clone();
    assert!(head["spec"]["ttlSecondsAfterFinished"].is_null(), "it is not removed while it goes on");
}

#[tokio::test]
async fn who_may_not_write_status_is_listed_all_the_same() {
    let server = ApiServer::new(&[NAMESPACE]);
    server.set_faults(|_, about| {
        let message = "jobs.batch \"a\" is forbidden: User \"bob\" cannot patch resource \"jobs/status\" in API group \"batch\" in the namespace \"ci\"";
        let refused = Refused { code: 403, reason: "Forbidden", message: message.to_owned() };
        about.ends_with("/status").then_some(Fault::Refuse(refused))
    });
    let mut log = run(&server, "a").await;
    let mut summary = store(&server, "reader").list().await.expect("a list").remove(0);
    (summary.phase, summary.started_at) = ("Running".to_owned(), Some(Timestamp(2_000)));
    log.summarize(&summary).await.expect("it can be shown");
    assert_eq!(store(&server, "reader").list().await.expect("a list")[0].phase, "Running");
}

#[tokio::test]
async fn a_name_is_taken_once_and_what_an_earlier_run_left_is_no_harm() {
    let server = ApiServer::new(&[NAMESPACE]);
    run(&server, "a").await.release().await;
    let again = Header { uid: RunUid("another".into()), ..header("a") };
    assert!(matches!(store(&server, "x").create(&again).await, Err(StoreError::Exists { .. })));
    let maps: kube::Api<k8s_openapi::api::core::v1::ConfigMap> =
        kube::Api::namespaced(server.client(NAMESPACE), NAMESPACE);
    let mut left = maps.get("wf.plan.a.0").await.expect("a piece");
    store(&server, "x").delete(&name("a")).await.expect("it can be deleted");
    left.metadata.resource_version = None;
    maps.create(&kube::api::PostParams::default(), &left).await.expect("as if the cluster were slow to remove it");
    run(&server, "a").await;
    store(&server, "reader").load(&name("a")).await.expect("it is the new one");
    let foreign = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "b"}, "spec": {"template": {}}});
    let jobs: kube::Api<k8s_openapi::api::batch::v1::Job> = kube::Api::namespaced(server.client(NAMESPACE), NAMESPACE);
    let foreign = serde_json::from_value(foreign).expect("a Job");
    jobs.create(&kube::api::PostParams::default(), &foreign).await.expect("somebody's Job");
    match store(&server, "x").create(&header("b")).await {
        Err(StoreError::Cluster(error)) => {
            assert_eq!(error.kind, ApiErrorKind::Exists);
            assert!(error.message.contains("not this run's"), "{error}");
        }
        other => panic!("{:?}", other.map(|log| log.run().clone())),
    }
}

#[tokio::test]
async fn what_a_newer_release_wrote_is_refused_by_number() {
    let server = ApiServer::new(&[NAMESPACE]);
    run(&server, "a").await.release().await;
    let jobs: kube::Api<k8s_openapi::api::batch::v1::Job> = kube::Api::namespaced(server.client(NAMESPACE), NAMESPACE);
    let patch = kube::api::Patch::Merge(json!({"metadata": {"annotations": {"wf.internal/format": "9"}}}));
    jobs.patch("a", &kube::api::PatchParams::default(), &patch).await.expect("a patch");
    for result in
        [store(&server, "x").load(&name("a")).await.map(drop), store(&server, "x").acquire(&name("a")).await.map(drop)]
    {
        assert!(matches!(result, Err(StoreError::Newer { found: 9, known: 1, .. })), "{result:?}");
    }
}

#[tokio::test]
async fn refusals_are_told_by_what_is_missing() {
    let server = ApiServer::new(&["other"]);
    match store(&server, "x").create(&header("a")).await {
        Err(StoreError::Cluster(error)) => {
            assert_eq!(error.message, "failed to create run `a`: there is no namespace `ci` in the cluster");
        }
        other => panic!("{:?}", other.map(|log| log.run().clone())),
    }
    let server = ApiServer::new(&[NAMESPACE]);
    server.set_faults(|method, about| {
        let message = "configmaps is forbidden: User \"bob\" cannot create resource \"configmaps\" in API group \"\" in the namespace \"ci\"";
        let refused = Refused { code: 403, reason: "Forbidden", message: message.to_owned() };
        (method == "POST" && about == "configmaps").then_some(Fault::Refuse(refused))
    });
    match store(&server, "x").create(&header("a")).await {
        Err(StoreError::Cluster(error)) => {
            assert_eq!(error.kind, ApiErrorKind::Forbidden);
            assert!(error.message.contains("user `bob` may not create configmaps in namespace `ci`"), "{error}");
        }
        other => panic!("{:?}", other.map(|log| log.run().clone())),
    }
    assert!(server.state().names("jobs").is_empty(), "half a run is no run");
}

#[tokio::test]
async fn lists_come_in_pages() {
    let server = ApiServer::new(&[NAMESPACE]);
    for at in 0..1_201 {
        let job = json!({
            "metadata": {"name": format!("r{at}"), "labels": {"wf.internal/kind": if at % 2 == 0 { "run" } else { "node" }}},
            "spec": {},
        });
        server.state().create("jobs", NAMESPACE, job).expect("a Job");
    }
    let listed = store(&server, "x").list().await.expect("a list");
    let names: BTreeSet<&str> = listed.iter().map(|summary| summary.name.as_str()).collect();
    assert_eq!((listed.len(), names.len()), (601, 601));
    assert_eq!(server.take_requests().len(), 2);
}
