//! One seed, one history: a run in a cluster from its creation to its end, and to its deletion.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value;

use super::jobs::has_ended;
use super::network::{self, NAMESPACE, Remote};
use super::time;
use super::weather::{Mode, Weather};
use crate::backend::kubernetes::{KubernetesBackend, Options, Owner};
use crate::backend::{Backend, BackendError};
use crate::base::{NodeIx, TimeSpan};
use crate::driver::{DriveError, Driver, End, RealClock};
use crate::engine::{Action, Phase, PodReport, PodRequest};
use crate::sim::executor::{self, Process};
use crate::sim::play::{self, Play, Stage as _, TRY_AGAIN_AFTER};
use crate::sim::seed::{Report, Scenario, differences};
use crate::sim::world::{Deaths, Pid, World};
use crate::store::kubernetes::Identity;
use crate::store::{Header, KubernetesLog, KubernetesStore, Log, Store, StoreError, Stored};

/// How long a process stands still, and how wrong a clock can be.
const PAUSE_MILLIS_MAX: u64 = 60_000;
const JUMP_MILLIS_MAX: u64 = 3_600_000;

/// How often in a thousand steps a process stands still, or its clock jumps, while they may.
const STRANGE_IN_THOUSAND: u64 = 6;

/// How long it takes until nothing is left of a run that was deleted.
const DECAY: TimeSpan = TimeSpan::from_secs(180);

/// How often a run is tried to be deleted.
const DELETIONS_MAX: u32 = 30;

/// Writes that a run may cost in fair weather: for each pod its Job, the pod in managed mode, the end of
/// the Job, an append and a little; and what a run begins and ends with.
const WRITES_PER_POD_MAX: u64 = 8;
const WRITES_PER_RUN_MAX: u64 = 30;

/// Runs one seed in some weather.
pub fn run_cluster_seed(seed: u64, scenario: &Scenario, weather: &Weather) -> Report {
    let founded = weather.begins_after.map(|records| {
        let fair = Weather::fair(weather.mode);
        let stored = run_cluster_seed(seed, scenario, &fair).stored.expect("in fair weather it ends");
        (stored, records)
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without input and output can be made");
    runtime.block_on(async {
        time::begin();
        let stage = Rc::new(Stage::new(seed, scenario, weather));
        let world = stage.play.world.clone();
        let mut processes = vec![stage.remote.server()];
        if let Some((stored, records)) = founded {
            processes.push(stage.founder(stored, records));
            executor::run_in_virtual_time(&world, &mut processes, |pid| stage.before(pid)).await;
        }
        processes.extend((0..=weather.rivals).map(|_| play::driver(&stage)));
        processes.extend((!scenario.asks.is_empty()).then(|| play::person(&stage)));
        processes.extend(play::has_waiter(seed).then(|| play::waiter(&stage)));
        executor::run_in_virtual_time(&world, &mut processes, |pid| stage.before(pid)).await;
        if world.violations().is_empty() {
            processes.push(stage.heir());
            executor::run_in_virtual_time(&world, &mut processes, |pid| stage.before(pid)).await;
        }
        let report = stage.report();
        world.end();
        report
    })
}

/// Runs one seed in some weather and in fair weather, and returns the first, with what differs as violations.
pub fn check_cluster_seed(seed: u64, scenario: &Scenario, weather: &Weather) -> Report {
    let expected = run_cluster_seed(seed, scenario, &Weather::fair(weather.mode));
    let mut report = run_cluster_seed(seed, scenario, weather);
    report.violations.extend(expected.violations.iter().map(|text| format!("in fair weather: {text}")));
    if !weather.is_hostile() && !is_blind(weather, &report) {
        report.violations.extend(differences(&expected, &report, scenario));
    }
    report
}

/// Returns whether pods were drained that nobody may have seen end: in managed mode nothing else tells of
/// it, and the node is an error, as in Argo.
fn is_blind(weather: &Weather, report: &Report) -> bool {
    let drained = ["pod drained", "machine lost"].iter().any(|kind| report.counts.contains_key(*kind));
    weather.mode == Mode::Managed && drained
}

/// Where a history takes place.
struct Stage {
    play: Play,
    remote: Remote,
    weather: Weather,
    submissions: Cell<u32>,
    pauses_left: Cell<u32>,
    jumps_left: Cell<u32>,
    /// By how many milliseconds the clocks of processes are ahead.
    clocks: RefCell<BTreeMap<Pid, i64>>,
}

impl Stage {
    fn new(seed: u64, scenario: &Scenario, weather: &Weather) -> Self {
        let deaths = match weather.deaths_at.is_empty() {
            false => Deaths::At(weather.deaths_at.clone()),
            true => Deaths::ByChance { in_thousand: weather.deaths_in_thousand, left: weather.deaths_max },
        };
        let world = World::in_virtual_time(seed, deaths, weather.keeps_trace);
        Self {
            play: Play::new(&world, scenario),
            remote: Remote::new(&world, seed, weather),
            weather: weather.clone(),
            submissions: Cell::new(0),
            pauses_left: Cell::new(weather.pauses_max),
            jumps_left: Cell::new(weather.jumps_max),
            clocks: RefCell::default(),
        }
    }

    /// Readies the surroundings of a process that is about to run.
    fn before(&self, pid: Pid) {
        let strikes = |left: &Cell<u32>| {
            let strikes = left.get() > 0 && self.remote.in_thousand(STRANGE_IN_THOUSAND);
            left.set(left.get() - u32::from(strikes));
            strikes
        };
        if strikes(&self.pauses_left) {
            let world = &self.play.world;
            world.count("driver stands still");
            world.pause(pid, world.now() + TimeSpan(self.remote.below(PAUSE_MILLIS_MAX)));
        }
        if strikes(&self.jumps_left) {
            self.play.world.count("clock jumps");
            let error = self.remote.below(2 * JUMP_MILLIS_MAX) as i64 - JUMP_MILLIS_MAX as i64;
            self.clocks.borrow_mut().insert(pid, error);
        }
        time::set_error(self.clocks.borrow().get(&pid).copied().unwrap_or(0));
    }

    /// Returns the backend of the run of which `log` is held.
    fn backend(&self, pid: Pid, log: &KubernetesLog, header: &Header) -> KubernetesBackend {
        let owner = Owner { run: self.play.name.clone(), uid: header.uid.clone(), head: log.head().to_owned() };
        let options = Options { managed: self.weather.mode != Mode::Plain, ..Options::default() };
        let backend =
            KubernetesBackend::new(self.remote.seen_by(pid), owner, Arc::new(header.resolved.clone()), options);
        backend.with_clock(time::wall).fenced(log.fence())
    }

    /// A process that leaves the beginning of a log, and of what it asks for.
    fn founder(self: &Rc<Self>, stored: Stored, records: usize) -> Process {
        let stage = self.clone();
        Process::new(false, move |pid| {
            let (stage, stored) = (stage.clone(), stored.clone());
            Box::pin(async move {
                let mut log = stage.store(pid).create(&stored.header).await.expect("the cluster is empty and works");
                for record in &stored.records[..records] {
                    log.append(&record.batches, &[]).await.expect("the cluster works");
                }
                let backend = stage.backend(pid, &log, &stored.header);
                let begun = Stored { records: stored.records[..records].to_vec(), ..stored };
                for action in stage.play.fold(&begun).pending() {
                    if let Action::Start(request) = action {
                        backend.start(&request).await.expect("the cluster works");
                    }
                }
                log.release().await;
            })
        })
    }

    async fn hold(&self, pid: Pid, store: &KubernetesStore) -> Result<(KubernetesLog, Stored), StoreError> {
        let play = &self.play;
        match store.acquire(&play.name).await {
            Err(StoreError::NotFound { .. }) if play.ended.borrow().is_none() => {
                self.submissions.set(self.submissions.get() + 1);
                let header = play.header(self.submissions.get());
                let log = store.create(&header).await?;
                play.checker.creates(pid, &header.uid);
                Ok((log, Stored { header, records: Vec::new(), torn: None }))
            }
            Err(StoreError::Damaged { place, reason, .. }) if place.contains("header") => {
                // Whoever submitted it died amid it. People would delete it, and submit it again.
                self.delete_torso();
                Err(StoreError::Io {
                    action: format!("read {place}: {reason}"),
                    source: std::io::ErrorKind::NotFound.into(),
                })
            }
            held => {
                let held = held?;
                play.checker.loads(pid, &held.1, true);
                Ok(held)
            }
        }
    }

    /// Deletes the head of a run that was submitted in part, in one stroke: a whole run that has its name by now is
    /// not meant.
    fn delete_torso(&self) {
        let key = |kind: &str, name: String| (kind.to_owned(), NAMESPACE.to_owned(), name);
        let log = key("configmaps", format!("wf.log.{}.0", self.play.name));
        if self.remote.0.state.borrow().find(&log).is_none() {
            // One that is gone needs no deletion.
            let _ = self.remote.change(|state| state.delete(&key("jobs", self.play.name.to_string()), &Value::Null));
        }
    }

    /// A process that deletes the run: nothing may be left of it.
    fn heir(self: &Rc<Self>) -> Process {
        let stage = self.clone();
        Process::new(false, move |pid| {
            let stage = stage.clone();
            Box::pin(async move {
                let Play { world, checker, name, .. } = &stage.play;
                world.sleep(DECAY).await;
                stage.check_nothing_runs();
                let store = stage.store(pid);
                match store.load(name).await {
                    Ok(stored) => checker.loads(pid, &stored, false),
                    Err(error) => world.note(|| format!("the run cannot be read: {error}")),
                }
                for _ in 0..DELETIONS_MAX {
                    if store.delete(name).await.is_ok() {
                        break;
                    }
                    world.sleep(TRY_AGAIN_AFTER).await;
                }
                world.sleep(DECAY).await;
                stage.check_nothing_is_left();
            })
        })
    }

    /// Nothing of a run that has ended runs any more.
    fn check_nothing_runs(&self) {
        let state = self.remote.0.state.borrow();
        let alive = state.all("pods").find(|(_, pod)| !has_ended(pod));
        if let Some((key, _)) = alive.filter(|_| !self.weather.is_hostile()) {
            self.play.world.violation(format!("the pod `{}` runs for ever", key.2));
        }
    }

    /// I10: what a run makes goes with it; what runs share, and events, do not.
    fn check_nothing_is_left(&self) {
        let state = self.remote.0.state.borrow();
        let kinds = ["configmaps", "jobs", "leases", "persistentvolumeclaims", "pods"];
        let left = kinds.iter().flat_map(|plural| state.all(plural)).map(|(key, _)| format!("{}/{}", key.0, key.2));
        let shared =
            |name: &String| name.contains("/wf.lock.") || name.contains("/wf.cache.") || name.contains("cache-");
        let left: Vec<String> = left.filter(|name| !shared(name)).collect();
        if !left.is_empty() {
            self.play.world.violation(format!("deleted in `{NAMESPACE}`, the run leaves {left:?}"));
        }
    }

    fn report(&self) -> Report {
        let play = &self.play;
        if play.ended.borrow().is_none() && play.world.violations().is_empty() {
            play.world.violation("nobody saw the run end".to_owned());
        }
        // What lies in the log is packed, so that requests do not show it.
        let log = play.ended.borrow().as_ref().map(|stored| serde_json::to_vec(&stored.records));
        if log.is_some_and(|log| network::holds_secret(&log.expect("records can be written"))) {
            play.world.violation("a secret is in the log".to_owned());
        }
        let (writes, pods) = (self.remote.writes(), self.remote.jobs_made());
        let is_fair = play.world.counts().is_empty() && self.weather.rivals == 0 && !self.weather.is_slow;
        if is_fair
            && play.scenario.asks.is_empty()
            && writes > WRITES_PER_RUN_MAX + WRITES_PER_POD_MAX * u64::from(pods)
        {
            play.world.violation(format!("{writes} writes for {pods} pods"));
        }
        let (calls, told) = (self.remote.0.calls.get(), self.remote.0.told.get());
        Report { pods, writes, calls, told, ..play.report() }
    }
}

impl play::Stage for Stage {
    type Store = KubernetesStore;

    fn play(&self) -> &Play {
        &self.play
    }

    fn store(&self, pid: Pid) -> KubernetesStore {
        KubernetesStore::new(self.remote.seen_by(pid), Identity::new(format!("process-{pid}"), time::wall))
    }

    async fn drive(&self, pid: Pid) -> Result<End, DriveError> {
        let (store, play) = (self.store(pid), &self.play);
        let (log, stored) = self.hold(pid, &store).await?;
        let backend = Witness { backend: self.backend(pid, &log, &stored.header), stage: self, pid };
        let clock = RealClock::reading(time::wall);
        let run = Driver::resume(play.scenario.plan.clone(), log, &stored, &backend, &clock);
        let driven = run.drive(std::future::pending(), |run, batches| play.appended(pid, run, batches)).await?;
        let stored = store.load(&play.name).await?;
        if play.checker.knows(pid) == stored.records.len() {
            play.checker.folds_to(&driven.run, &play.fold(&stored));
        }
        *play.ended.borrow_mut() = Some(stored);
        Ok(driven.end)
    }

    fn pause(&self) -> TimeSpan {
        TimeSpan(TRY_AGAIN_AFTER.0 + self.remote.below(TRY_AGAIN_AFTER.0 * 3))
    }
}

/// The backend, and who sees what is asked of it.
struct Witness<'a> {
    backend: KubernetesBackend,
    stage: &'a Stage,
    pid: Pid,
}

impl Backend for Witness<'_> {
    async fn start(&self, request: &PodRequest) -> Result<(), BackendError> {
        self.stage.play.checker.may_start(self.pid, request);
        self.backend.start(request).await
    }

    async fn stop(&self, node: NodeIx, grace: TimeSpan) -> Result<(), BackendError> {
        if !self.stage.weather.is_hostile() {
            self.stage.play.checker.may_stop(self.pid, node);
        }
        self.backend.stop(node, grace).await
    }

    async fn next(&self) -> Result<Vec<(NodeIx, PodReport)>, BackendError> {
        self.backend.next().await
    }

    fn recorded(&self, nodes: &[NodeIx]) {
        self.backend.recorded(nodes);
    }

    async fn finish(&self, phase: Phase) -> Result<(), BackendError> {
        self.backend.finish(phase).await
    }

    async fn relist(&self, nodes: &[NodeIx]) -> Result<Vec<(NodeIx, PodReport)>, BackendError> {
        self.backend.relist(nodes).await
    }
}
