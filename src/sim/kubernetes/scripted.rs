//! Histories that are told step by step: what a seed found once, without waiting for another to find it.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{Method, Request};
use kube::Client;
use kube::client::Body;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use super::network::{NAMESPACE, Remote};
use super::weather::{Mode, Weather};
use super::{run_cluster_seed, time};
use crate::backend::Backend as _;
use crate::backend::kubernetes::{Cluster, KubernetesBackend, Options, Owner};
use crate::driver::Machine as _;
use crate::engine::{Action, Batch, Event, FileOutput, Phase, PodReport, PodRequest};
use crate::sim::executor::{self, Process};
use crate::sim::play::Play;
use crate::sim::world::{BEGINNING, Deaths, World};
use crate::sim::{Scenario, scenarios};
use crate::store::kubernetes::Identity;
use crate::store::{Header, KubernetesLog, KubernetesStore, Log as _, Store as _, StoreError, Stored};

/// How long the cluster takes to end pods, and to remove what belonged to an object.
const DECAY: Duration = Duration::from_secs(180);

/// A cluster in fair weather, and a run for it.
struct Place {
    remote: Remote,
    play: Play,
    pid: u32,
}

impl Place {
    fn cluster(&self) -> Cluster {
        self.remote.seen_by(self.pid)
    }

    fn store(&self, who: &str) -> KubernetesStore {
        store(self.cluster(), who)
    }

    /// Returns the head Jobs that own the objects of a kind.
    fn owners(&self, plural: &str) -> Vec<String> {
        let state = self.remote.0.state.borrow();
        let owners = state.all(plural).map(|(_, object)| object["metadata"]["ownerReferences"][0]["uid"].to_string());
        owners.collect()
    }
}

fn store(cluster: Cluster, who: &str) -> KubernetesStore {
    KubernetesStore::new(cluster, Identity::new(who.to_owned(), time::wall))
}

/// Plays a script about the first scenario, in which nothing goes wrong but what it does.
fn play<F: Future<Output = ()> + 'static>(script: impl Fn(Place) -> F + 'static) {
    play_in(scenarios().remove(0).1, script);
}

fn play_in<F: Future<Output = ()> + 'static>(scenario: Scenario, script: impl Fn(Place) -> F + 'static) {
    let (script, weather) = (Rc::new(script), Weather::fair(Mode::Plain));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime without input and output can be made").block_on(async {
        time::begin();
        let world = World::in_virtual_time(1, Deaths::At([].into()), false);
        let remote = Remote::new(&world, 1, &weather);
        let player = {
            let (world, remote) = (world.clone(), remote.clone());
            Process::new(false, move |pid| {
                Box::pin(script(Place { remote: remote.clone(), play: Play::new(&world, &scenario), pid }))
            })
        };
        executor::run_in_virtual_time(&world, &mut [remote.server(), player], |_| {}).await;
        assert_eq!(world.violations(), Vec::<String>::new());
        world.end();
    });
}

/// Returns the cluster for one to whom something happens once, when it sends a request that `is_meant`, and before
/// that arrives.
fn before(
    cluster: &Cluster,
    is_meant: impl Fn(&Request<Body>) -> bool + Send + Sync + 'static,
    happens: BoxFuture<'static, ()>,
) -> Cluster {
    let (client, is_meant, happens) = (cluster.client.clone(), Arc::new(is_meant), Arc::new(Mutex::new(Some(happens))));
    let service = tower::service_fn(move |request: Request<Body>| {
        let (client, is_meant, happens) = (client.clone(), is_meant.clone(), happens.clone());
        async move {
            if is_meant(&request)
                && let Some(happens) = happens.lock().await.take()
            {
                happens.await;
            }
            client.send(request).await
        }
    });
    Cluster { client: Client::new(service, NAMESPACE), namespace: NAMESPACE.to_owned() }
}

/// Counts the requests that `is_meant`.
fn counting(
    cluster: &Cluster,
    is_meant: impl Fn(&Request<Body>) -> bool + Send + Sync + 'static,
) -> (Cluster, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let is_meant = move |request: &Request<Body>| {
        counted.fetch_add(usize::from(is_meant(request)), Ordering::Relaxed);
        false
    };
    (before(cluster, is_meant, async {}.boxed()), count)
}

/// Returns what deletes the run of a header, and submits another of its name.
fn deleted_and_submitted(place: &Place, header: Header) -> BoxFuture<'static, ()> {
    let other = place.store("another");
    async move {
        other.delete(&header.name).await.expect("nobody drives it");
        let log = other.create(&header).await.expect("the name is free");
        std::mem::forget(log);
    }
    .boxed()
}

fn is_post(request: &Request<Body>, plural: &str) -> bool {
    request.method() == Method::POST && request.uri().path().ends_with(plural)
}

fn backend(cluster: Cluster, log: &KubernetesLog, header: &Header) -> KubernetesBackend {
    let owner = Owner { run: header.name.clone(), uid: header.uid.clone(), head: log.head().to_owned() };
    KubernetesBackend::new(cluster, owner, Arc::new(header.resolved.clone()), Options::default()).with_clock(time::wall)
}

/// Returns what a run of the first scenario comes to in fair weather.
fn told() -> Stored {
    told_in(&scenarios().remove(0).1)
}

fn told_in(scenario: &Scenario) -> Stored {
    run_cluster_seed(1, scenario, &Weather::fair(Mode::Plain)).stored.expect("in fair weather it ends")
}

/// Returns the first pod that a run asks for.
fn first_start(play: &Play, told: &Stored) -> Box<PodRequest> {
    let begun = |records| Stored { records: told.records[..records].to_vec(), ..told.clone() };
    let asked = (0..told.records.len()).flat_map(|records| play.fold(&begun(records)).pending());
    let start = asked.into_iter().find_map(|action| match action {
        Action::Start(request) => Some(request),
        _ => None,
    });
    start.expect("the run has pods")
}

#[test]
fn a_driver_that_was_replaced_learns_of_it_when_it_has_nothing_to_write() {
    let told = told();
    play(move |place| {
        let told = told.clone();
        async move {
            let mut first = place.store("one").create(&told.header).await.expect("the cluster is empty and works");
            // The same name, so that nobody is asked whether the first lives: it stands still.
            let (mut second, _) = place.store("one").acquire(&told.header.name).await.expect("it can be taken over");
            for record in &told.records {
                second.append(&record.batches, &[]).await.expect("the log is the second's");
            }
            second.summarize(&place.play.fold(&told).summary()).await.expect("the cluster works");
            let asked = timeout(DECAY, first.requests()).await.expect("the first does not wait for ever");
            assert!(matches!(asked, Err(StoreError::DrivenBy { .. })), "{asked:?}");
        }
    });
}

#[test]
fn who_submits_late_leaves_a_later_run_of_the_name_alone() {
    // Before it writes its Lease, and before it writes its header.
    for plural in ["leases", "configmaps"] {
        play(move |place| async move {
            let (early, later) = (place.play.header(1), place.play.header(2));
            let happens = deleted_and_submitted(&place, later.clone());
            let late = store(before(&place.cluster(), move |request| is_post(request, plural), happens), "late");
            assert!(late.create(&early).await.is_err(), "its run was deleted");
            sleep(DECAY).await;
            let stored = place.store("reader").load(&later.name).await.expect("the later run is whole");
            assert_eq!(stored.header.uid, later.uid);
            let head = place.store("reader").head_uid(&later.name).await.expect("the later run is there");
            assert_eq!(place.owners("leases"), [format!("\"{head}\"")], "{plural}");
        });
    }
}

/// A record of several segments, the last of which never arrives.
#[test]
fn a_record_that_was_written_in_part_is_no_part_of_the_log() {
    play(|place| async move {
        let header = place.play.header(1);
        let queued = |message: String| Event::Queued { m: message.into() };
        let record = |events: Vec<Event>| [Batch { at: BEGINNING, events }];
        let short = |message: &str| record(vec![queued(message.to_owned())]);
        let mut log = place.store("driver").create(&header).await.expect("the cluster is empty and works");
        log.append(&short("first"), &[]).await.expect("the log is ours");
        drop(log);
        let is_next = |request: &Request<Body>| is_post(request, "configmaps");
        let stuck = store(before(&place.cluster(), is_next, std::future::pending().boxed()), "driver");
        let (mut log, _) = stuck.acquire(&header.name).await.expect("it can be taken over");
        // Digits of roots: they do not compress to less than a third. In one text, they would be kept beside the log.
        let long = (2_u64..20_000).map(|number| queued(format!("{:.9}", (number as f64).sqrt().fract()))).collect();
        assert!(timeout(DECAY, log.append(&record(long), &[])).await.is_err(), "a segment more is needed");
        drop(log);
        let (mut log, stored) = place.store("driver").acquire(&header.name).await.expect("the log is whole");
        assert_eq!(stored.records.len(), 1);
        log.append(&short("second"), &[]).await.expect("the log is ours");
        let stored = place.store("reader").load(&header.name).await.expect("the log is whole");
        let kept: Vec<_> = stored.records.iter().map(|record| &record.batches[..]).collect();
        assert_eq!(kept, [short("first"), short("second")]);
    });
}

#[test]
fn a_run_that_is_deleted_while_it_is_read_is_not_damaged() {
    play(|place| async move {
        let header = place.play.header(1);
        let log = place.store("driver").create(&header).await.expect("the cluster is empty and works");
        log.release().await;
        let other = place.store("other");
        let name = header.name.clone();
        let happens = async move {
            other.delete(&name).await.expect("nobody drives it");
            sleep(DECAY).await;
        };
        let is_piece = |request: &Request<Body>| request.uri().path().contains("/configmaps");
        let loaded = store(before(&place.cluster(), is_piece, happens.boxed()), "reader").load(&header.name).await;
        assert!(matches!(loaded, Err(StoreError::Deleted { .. })), "{:?}", loaded.err());
    });
}

#[test]
fn a_watch_that_is_opened_goes_on_when_its_waiter_is_called_away() {
    play(|place| async move {
        let header = place.play.header(1);
        let log = place.store("driver").create(&header).await.expect("the cluster is empty and works");
        let is_watch = |request: &Request<Body>| request.uri().query().unwrap_or_default().contains("watch=");
        let (cluster, watches) = counting(&place.cluster(), is_watch);
        let backend = backend(cluster, &log, &header);
        backend.relist(&[]).await.expect("the cluster works");
        for _ in 0..50 {
            let _ = timeout(Duration::from_millis(1), backend.next()).await;
        }
        // Jobs and pods.
        assert_eq!(watches.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn who_takes_over_looks_for_no_pods_of_nodes_that_have_ended() {
    let told = told();
    play(move |place| {
        let told = told.clone();
        async move {
            let log = place.store("driver").create(&told.header).await.expect("the cluster is empty and works");
            let first = backend(place.cluster(), &log, &told.header);
            first.start(&first_start(&place.play, &told)).await.expect("the cluster works");
            sleep(DECAY).await;
            // The pod has gone, and its Job has not.
            let pods: Vec<_> = place.remote.0.state.borrow().all("pods").map(|(key, _)| key.clone()).collect();
            assert_eq!(pods.len(), 1);
            place.remote.change(|state| pods.iter().for_each(|key| state.remove(key)));
            let is_search = |request: &Request<Body>| {
                let query = request.uri().query().unwrap_or_default();
                request.uri().path().ends_with("/pods") && query.contains("wf.internal%2Fnode%3D")
            };
            let (cluster, searches) = counting(&place.cluster(), is_search);
            let second = backend(cluster, &log, &told.header);
            second.relist(&[]).await.expect("the cluster works");
            let _ = timeout(DECAY, second.next()).await;
            assert_eq!(searches.load(Ordering::Relaxed), 0);
        }
    });
}

#[test]
fn who_takes_over_while_the_second_container_of_a_set_runs_sees_how_each_comes_out() {
    let scenario = scenarios().into_iter().find(|(name, _)| *name == "set").expect("there is one").1;
    let told = told_in(&scenario);
    play_in(scenario, move |place| {
        let told = told.clone();
        async move {
            let log = place.store("driver").create(&told.header).await.expect("the cluster is empty and works");
            let start = first_start(&place.play, &told);
            backend(place.cluster(), &log, &told.header).start(&start).await.expect("the cluster works");
            sleep(Duration::from_millis(2_500 + 1_500)).await;
            let states: Vec<String> = {
                let state = place.remote.0.state.borrow();
                let (_, pod) = state.all("pods").next().expect("it was made");
                let of_all = pod["status"]["containerStatuses"].as_array().into_iter().flatten();
                of_all.map(|of_one| format!("{}: {}", of_one["name"], of_one["state"])).collect()
            };
            assert!(states[0].starts_with("\"main\": {\"running\""), "{states:?}");
            assert!(states[1].starts_with("\"first\": {\"terminated\""), "{states:?}");
            let second = backend(place.cluster(), &log, &told.header);
            let listed = second.relist(&[start.node]).await.expect("the cluster works");
            assert!(matches!(&listed[..], [(_, PodReport::Running { ready: false, .. })]), "{listed:?}");
            let end = loop {
                let news = second.next().await.expect("the cluster works");
                if let Some(end) = news.into_iter().find_map(|(_, report)| match report {
                    PodReport::Ended(end) => Some(end),
                    _ => None,
                }) {
                    break end;
                }
            };
            let ends: Vec<String> = end.containers.iter().map(|(name, end)| format!("{name} {}", end.phase)).collect();
            assert_eq!(ends, ["first Succeeded", "late Succeeded", "main Succeeded"]);
            assert_eq!(
                (end.phase, end.parameters["o"].clone()),
                (Phase::Succeeded, FileOutput::Found("made".to_owned()))
            );
        }
    });
}
