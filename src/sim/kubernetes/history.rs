//! One seed, one history: a run in a cluster from its creation to its end, and to its deletion.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::jobs::has_ended;
use super::network::{NAMESPACE, Remote};
use super::time;
use super::weather::{Mode, Weather};
use crate::backend::kubernetes::{KubernetesBackend, Options, Owner};
use crate::backend::{Backend, BackendError};
use crate::base::{NodeIx, RunName, RunUid, TimeSpan};
use crate::driver::{self, DriveError, Driver, End, RealClock};
use crate::engine::{Phase, PodReport, PodRequest, Run};
use crate::sim::check::{Checker, outputs, phases};
use crate::sim::executor::{self, Process};
use crate::sim::person::{LOOK_AGAIN_AFTER, Person};
use crate::sim::seed::{Report, Scenario, differences};
use crate::sim::world::{BEGINNING, Deaths, Pid, World};
use crate::store::kubernetes::Identity;
use crate::store::{FORMAT_VERSION, Header, KubernetesLog, KubernetesStore, Log, Store, StoreError, Stored};

/// How long whoever cannot drive waits before the next try.
const TRY_AGAIN_AFTER: TimeSpan = TimeSpan(2_000);

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
        let mut processes = vec![stage.remote.server()];
        if let Some((stored, records)) = founded {
            processes.push(stage.founder(stored, records));
            executor::run_in_virtual_time(&stage.world, &mut processes, |pid| stage.before(pid)).await;
        }
        processes.extend((0..=weather.rivals).map(|_| stage.driver()));
        processes.extend((!scenario.asks.is_empty()).then(|| stage.person()));
        executor::run_in_virtual_time(&stage.world, &mut processes, |pid| stage.before(pid)).await;
        if stage.world.violations().is_empty() {
            processes.push(stage.heir());
            executor::run_in_virtual_time(&stage.world, &mut processes, |pid| stage.before(pid)).await;
        }
        let report = stage.report();
        stage.world.end();
        report
    })
}

/// Runs one seed in the weather that it decides and in fair weather, and returns the first, with what
/// differs as violations.
pub fn check_cluster_seed(seed: u64, scenario: &Scenario) -> Report {
    let weather = Weather::of(seed);
    let expected = run_cluster_seed(seed, scenario, &Weather::fair(weather.mode));
    let mut report = run_cluster_seed(seed, scenario, &weather);
    report.violations.extend(expected.violations.iter().map(|text| format!("in fair weather: {text}")));
    if !weather.is_hostile() && !is_blind(&weather, &report) {
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
    world: World,
    remote: Remote,
    checker: Checker,
    scenario: Scenario,
    weather: Weather,
    name: RunName,
    asks_left: Cell<usize>,
    submissions: Cell<u32>,
    pauses_left: Cell<u32>,
    jumps_left: Cell<u32>,
    /// By how many milliseconds the clocks of processes are ahead.
    clocks: RefCell<BTreeMap<Pid, i64>>,
    ended: RefCell<Option<Stored>>,
}

impl Stage {
    fn new(seed: u64, scenario: &Scenario, weather: &Weather) -> Self {
        let deaths = match weather.deaths_at.is_empty() {
            false => Deaths::At(weather.deaths_at.clone()),
            true => Deaths::ByChance { in_thousand: weather.deaths_in_thousand, left: weather.deaths_max },
        };
        let world = World::in_virtual_time(seed, deaths, weather.keeps_trace);
        Self {
            remote: Remote::new(&world, seed, weather),
            checker: Checker::new(&world),
            scenario: scenario.clone(),
            weather: weather.clone(),
            name: RunName::new("simulated").expect("a valid name"),
            asks_left: Cell::new(scenario.asks.len()),
            submissions: Cell::new(0),
            pauses_left: Cell::new(weather.pauses_max),
            jumps_left: Cell::new(weather.jumps_max),
            clocks: RefCell::default(),
            ended: RefCell::new(None),
            world,
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
            self.world.count("driver stands still");
            self.world.pause(pid, self.world.now() + TimeSpan(self.remote.below(PAUSE_MILLIS_MAX)));
        }
        if strikes(&self.jumps_left) {
            self.world.count("clock jumps");
            let error = self.remote.below(2 * JUMP_MILLIS_MAX) as i64 - JUMP_MILLIS_MAX as i64;
            self.clocks.borrow_mut().insert(pid, error);
        }
        time::set_error(self.clocks.borrow().get(&pid).copied().unwrap_or(0));
    }

    fn store(&self, pid: Pid) -> KubernetesStore {
        KubernetesStore::new(self.remote.seen_by(pid), Identity::new(format!("process-{pid}"), time::wall))
    }

    /// Returns the header of a run that is submitted: each time another run.
    fn header(&self) -> Header {
        self.submissions.set(self.submissions.get() + 1);
        Header {
            version: FORMAT_VERSION,
            name: self.name.clone(),
            uid: RunUid(format!("00000000-0000-0000-0000-{:012}", self.submissions.get()).into()),
            created_at: BEGINNING,
            resolved: self.scenario.plan.resolved.clone(),
            files: Vec::new(),
        }
    }

    fn fold(&self, stored: &Stored) -> Run {
        driver::fold(self.scenario.plan.clone(), stored)
    }

    /// A process that leaves the beginning of a log.
    fn founder(self: &Rc<Self>, stored: Stored, records: usize) -> Process {
        let stage = self.clone();
        Process::new(false, move |pid| {
            let (stage, stored) = (stage.clone(), stored.clone());
            Box::pin(async move {
                let mut log = stage.store(pid).create(&stored.header).await.expect("the cluster is empty and works");
                for record in &stored.records[..records] {
                    log.append(&record.batches, &[]).await.expect("the cluster works");
                }
                log.release().await;
            })
        })
    }

    /// A process that drives the run to its end, whoever began it.
    fn driver(self: &Rc<Self>) -> Process {
        let stage = self.clone();
        Process::new(true, move |pid| {
            let stage = stage.clone();
            Box::pin(async move { while !stage.try_to_drive(pid).await {} })
        })
    }

    /// Drives once, and returns whether the run has ended.
    async fn try_to_drive(&self, pid: Pid) -> bool {
        match self.drive(pid).await {
            Ok(End::Finished(phase)) => {
                self.world.note(|| format!("process {pid} saw the end: {phase}"));
                if self.asks_left.get() == 0 {
                    return true;
                }
                self.world.sleep(LOOK_AGAIN_AFTER).await;
            }
            Ok(end) => self.world.violation(format!("a drive that nobody stopped ends as {end:?}")),
            Err(DriveError::Store(StoreError::Damaged { place, reason, .. })) => {
                self.world.violation(format!("the log is damaged at {place}: {reason}"));
                return true;
            }
            Err(error) => self.world.note(|| format!("process {pid} gives up: {error}")),
        }
        self.world.sleep(TimeSpan(TRY_AGAIN_AFTER.0 + self.remote.below(TRY_AGAIN_AFTER.0 * 3))).await;
        false
    }

    async fn drive(&self, pid: Pid) -> Result<End, DriveError> {
        let store = self.store(pid);
        let (log, stored) = self.hold(pid, &store).await?;
        let owner = Owner { run: self.name.clone(), uid: stored.header.uid.clone(), head: log.head().to_owned() };
        let resolved = Arc::new(stored.header.resolved.clone());
        let options = Options { managed: self.weather.mode != Mode::Plain, ..Options::default() };
        let backend = KubernetesBackend::new(self.remote.seen_by(pid), owner, resolved, options);
        let backend = backend.with_clock(time::wall).fenced(log.fence());
        let backend = Witness { backend, stage: self, pid };
        let clock = RealClock::reading(time::wall);
        let run = Driver::resume(self.scenario.plan.clone(), log, &stored, &backend, &clock);
        let driven = run
            .drive(std::future::pending(), |run, batches| {
                self.checker.appended(pid, batches);
                self.checker.within_limits(run);
            })
            .await?;
        let stored = store.load(&self.name).await?;
        if self.checker.knows(pid) == stored.records.len() {
            self.checker.folds_to(&driven.run, &self.fold(&stored));
        }
        *self.ended.borrow_mut() = Some(stored);
        Ok(driven.end)
    }

    async fn hold(&self, pid: Pid, store: &KubernetesStore) -> Result<(KubernetesLog, Stored), StoreError> {
        match store.acquire(&self.name).await {
            Err(StoreError::NotFound { .. }) if self.ended.borrow().is_none() => {
                let header = self.header();
                let log = store.create(&header).await?;
                self.checker.creates(pid, &header.uid);
                Ok((log, Stored { header, records: Vec::new(), torn: None }))
            }
            Err(StoreError::Damaged { place, reason, .. }) if place.contains("header") => {
                // Whoever submitted it died amid it. People would delete it, and submit it again.
                let _ = store.delete(&self.name).await;
                Err(StoreError::Io {
                    action: format!("read {place}: {reason}"),
                    source: std::io::ErrorKind::NotFound.into(),
                })
            }
            held => {
                let held = held?;
                self.checker.loads(pid, &held.1, true);
                Ok(held)
            }
        }
    }

    /// A process that asks for what the scenario says, and does not die.
    fn person(self: &Rc<Self>) -> Process {
        let stage = self.clone();
        Process::new(false, move |pid| {
            let stage = stage.clone();
            Box::pin(async move {
                let person = Person {
                    world: &stage.world,
                    scenario: &stage.scenario,
                    name: &stage.name,
                    open: || stage.store(pid),
                    asks_left: &stage.asks_left,
                    ended: &stage.ended,
                };
                person.live().await;
            })
        })
    }

    /// A process that deletes the run: nothing may be left of it.
    fn heir(self: &Rc<Self>) -> Process {
        let stage = self.clone();
        Process::new(false, move |pid| {
            let stage = stage.clone();
            Box::pin(async move {
                stage.world.sleep(DECAY).await;
                stage.check_nothing_runs();
                let store = stage.store(pid);
                match store.load(&stage.name).await {
                    Ok(stored) => stage.checker.loads(pid, &stored, false),
                    Err(error) => stage.world.note(|| format!("the run cannot be read: {error}")),
                }
                for _ in 0..DELETIONS_MAX {
                    if !matches!(
                        store.delete(&stage.name).await,
                        Err(StoreError::DrivenBy { .. } | StoreError::Cluster(_))
                    ) {
                        break;
                    }
                    stage.world.sleep(TRY_AGAIN_AFTER).await;
                }
                stage.world.sleep(DECAY).await;
                stage.check_nothing_is_left();
            })
        })
    }

    /// Nothing of a run that has ended runs any more.
    fn check_nothing_runs(&self) {
        let state = self.remote.0.state.borrow();
        let alive = state.all("pods").find(|(_, pod)| !has_ended(pod));
        if let Some((key, _)) = alive.filter(|_| !self.weather.is_hostile()) {
            self.world.violation(format!("the pod `{}` runs for ever", key.2));
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
            self.world.violation(format!("deleted in `{NAMESPACE}`, the run leaves {left:?}"));
        }
    }

    fn report(&self) -> Report {
        let stored = self.ended.borrow().clone();
        let run = stored.as_ref().map(|stored| self.fold(stored));
        if run.is_none() && self.world.violations().is_empty() {
            self.world.violation("nobody saw the run end".to_owned());
        }
        let (writes, pods) = (self.remote.writes(), self.remote.0.made.borrow().len() as u32);
        let counts = self.world.counts();
        let is_fair = counts.is_empty() && self.weather.rivals == 0 && !self.weather.is_slow;
        if is_fair
            && self.scenario.asks.is_empty()
            && writes > WRITES_PER_RUN_MAX + WRITES_PER_POD_MAX * u64::from(pods)
        {
            self.world.violation(format!("{writes} writes for {pods} pods"));
        }
        Report {
            trace_hash: self.world.trace_hash(),
            trace: self.world.lines(),
            violations: self.world.violations(),
            phase: run.as_ref().map(Run::phase),
            nodes: run.as_ref().map(phases).unwrap_or_default(),
            outputs: run.as_ref().map(outputs).unwrap_or_default(),
            steps: self.world.steps(),
            deaths: self.world.deaths(),
            pods,
            took: self.world.now().since(BEGINNING),
            counts,
            writes,
            calls: self.remote.0.calls.get(),
            told: self.remote.0.told.get(),
            stored,
        }
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
        self.stage.checker.may_start(self.pid, request);
        self.backend.start(request).await
    }

    async fn stop(&self, node: NodeIx, grace: TimeSpan) -> Result<(), BackendError> {
        if !self.stage.weather.is_hostile() {
            self.stage.checker.may_stop(self.pid, node);
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
