//! One seed, one history: a run from its creation to its end in a world with faults.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use super::breaks::each;
use super::chance::Chance;
use super::cluster::{Cluster, Manners};
use super::disk::SimDisk;
use super::executor::{self, Process};
use super::play::{self, Play, Stage as _, TRY_AGAIN_AFTER};
use super::world::{Deaths, Pid, World};
use crate::base::TimeSpan;
use crate::driver::{DriveError, Driver, End};
use crate::engine::{Control, Phase};
use crate::plan::Plan;
use crate::store::{DirectoryStore, Log, Store, StoreError, Stored};

/// What happens in a world, apart from faults.
#[derive(Clone)]
pub struct Scenario {
    /// The workflow that runs.
    pub plan: Arc<Plan>,
    /// What people ask of the run, and how long after its beginning, or the answer before.
    pub asks: Vec<(TimeSpan, Control)>,
    /// Whether the outcome does not depend on what is faster.
    pub is_timeless: bool,
}

impl Scenario {
    /// Returns the scenario in which `plan` runs and nobody asks for anything.
    pub fn new(plan: Arc<Plan>) -> Self {
        Self { plan, asks: Vec::new(), is_timeless: true }
    }
}

/// What goes wrong.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Faults {
    /// The steps at which the driver dies: before and after each change of the disk, before and
    /// after each call of the backend, and at each await.
    pub deaths_at: BTreeSet<u64>,
    /// How often in a thousand steps a driver dies, while it may.
    pub deaths_in_thousand: u64,
    /// How many times a driver dies by chance, at most.
    pub deaths_max: u32,
    /// Whether its machine may lose power when a driver dies.
    pub loses_power: bool,
    /// How many writes and syncs fail, at most.
    pub disk_errors_max: u32,
    /// Whether reports come late, twice and out of order.
    pub is_late: bool,
    /// How often in a thousand the backend refuses a call.
    pub refusals_in_thousand: u64,
    /// Whether a second driver tries to take the run over all the time.
    pub has_rival: bool,
    /// Whether the log of the fault-free history is there already, cut after so many records,
    /// and nothing else of it.
    pub begins_after: Option<usize>,
    /// Whether syncs do nothing, as no disk may: for testing the checks.
    pub syncs_nothing: bool,
    /// Whether the cluster makes a pod again when it is asked again, as none may: for testing the checks.
    pub forgets_pods: bool,
    /// Whether the report keeps the trace, line by line.
    pub keeps_trace: bool,
}

impl Faults {
    /// Returns no faults.
    pub fn none() -> Self {
        Self::default()
    }

    /// Returns a mix of faults of all kinds that the seed decides.
    pub fn of(seed: u64) -> Self {
        let mut chance = Chance::named(seed, "faults");
        Self {
            deaths_in_thousand: [0, 2, 10, 40][chance.below(4) as usize],
            deaths_max: 1 + chance.below(5) as u32,
            loses_power: chance.below(2) == 0,
            disk_errors_max: chance.below(4) as u32,
            is_late: chance.below(4) != 0,
            refusals_in_thousand: [0, 50, 300][chance.below(3) as usize],
            has_rival: chance.below(3) == 0,
            ..Self::default()
        }
    }

    /// Returns the same with one fault left out, or rarer.
    pub(super) fn easier(&self) -> Vec<Self> {
        each(
            self,
            &[
                |faults| faults.has_rival = false,
                |faults| faults.deaths_max = 0,
                |faults| faults.deaths_max /= 2,
                |faults| faults.loses_power = false,
                |faults| faults.disk_errors_max = 0,
                |faults| faults.disk_errors_max /= 2,
                |faults| faults.refusals_in_thousand = 0,
                |faults| faults.is_late = false,
            ],
        )
    }

    /// Returns the death of the driver at one step, and nothing else.
    pub fn death_at(step: u64) -> Self {
        Self { deaths_at: [step].into(), ..Self::default() }
    }
}

/// What came of a seed.
#[derive(Debug, Clone)]
pub struct Report {
    /// The checksum of all that happened.
    pub trace_hash: u32,
    /// All that happened, when it was asked for.
    pub trace: Vec<String>,
    /// The invariants that did not hold.
    pub violations: Vec<String>,
    /// The phase in which the run ended, if it did.
    pub phase: Option<Phase>,
    /// The phases of its nodes.
    pub nodes: BTreeMap<String, Phase>,
    /// What its nodes handed out.
    pub outputs: BTreeMap<String, String>,
    /// How many steps it took.
    pub steps: u64,
    /// How many drivers died.
    pub deaths: u32,
    /// How many pods were made.
    pub pods: u32,
    /// How long it took in the world's time.
    pub took: TimeSpan,
    /// How often each kind of fault happened.
    pub counts: BTreeMap<String, u64>,
    /// How many writes the API server did for drivers and people.
    pub writes: u64,
    /// How many requests it got.
    pub calls: u64,
    /// How many things its watches told.
    pub told: u64,
    /// The log as it is at the end.
    pub stored: Option<Stored>,
}

/// Runs one seed.
pub fn run_seed(seed: u64, scenario: &Scenario, faults: &Faults) -> Report {
    let stage = Rc::new(Stage::new(seed, scenario, faults));
    let world = stage.play.world.clone();
    if let Some(records) = faults.begins_after {
        executor::run(&world, &mut [stage.founder(seed, records)], || {});
    }
    let mut processes = vec![play::driver(&stage)];
    processes.extend(faults.has_rival.then(|| play::driver(&stage)));
    processes.extend((!scenario.asks.is_empty()).then(|| play::person(&stage)));
    processes.extend(play::has_waiter(seed).then(|| play::waiter(&stage)));
    executor::run(&world, &mut processes, || {
        if faults.loses_power && world.draw(|chance| chance.below(2)) == 0 {
            world.note(|| "power is lost".to_owned());
            stage.disk.lose_power();
        }
    });
    while world.go_on() {}
    stage.cluster.check_all_ended();
    let report = stage.play.report();
    world.end();
    report
}

/// Runs one seed with faults and without any, and returns the first, with what differs as violations.
pub fn check_seed(seed: u64, scenario: &Scenario, faults: &Faults) -> Report {
    let expected = run_seed(seed, scenario, &Faults::none());
    let mut report = run_seed(seed, scenario, faults);
    report.violations.extend(expected.violations.iter().map(|text| format!("without faults: {text}")));
    report.violations.extend(differences(&expected, &report, scenario));
    report
}

/// Returns how the outcome of a run differs from the one that was expected.
pub(super) fn differences(expected: &Report, found: &Report, scenario: &Scenario) -> Vec<String> {
    if !scenario.is_timeless {
        return Vec::new();
    }
    let mut texts = Vec::new();
    if expected.phase != found.phase {
        texts.push(format!("the run ends {:?} instead of {:?}", found.phase, expected.phase));
    }
    if expected.nodes != found.nodes {
        let differs = expected.nodes.iter().find(|(name, phase)| found.nodes.get(*name) != Some(phase));
        let extra = found.nodes.iter().find(|(name, _)| !expected.nodes.contains_key(*name));
        texts.push(format!("nodes differ: expected {differs:?}, extra {extra:?}"));
    } else if expected.outputs != found.outputs {
        let differs = expected.outputs.iter().find(|(name, outputs)| found.outputs.get(*name) != Some(outputs));
        texts.push(format!("outputs differ: expected {differs:?}"));
    }
    texts
}

/// Where a history takes place.
struct Stage {
    play: Play,
    disk: SimDisk,
    cluster: Cluster,
}

impl Stage {
    fn new(seed: u64, scenario: &Scenario, faults: &Faults) -> Self {
        let deaths = match faults.deaths_at.is_empty() {
            false => Deaths::At(faults.deaths_at.clone()),
            true => Deaths::ByChance { in_thousand: faults.deaths_in_thousand, left: faults.deaths_max },
        };
        let world = World::new(seed, deaths, faults.keeps_trace);
        let play = Play::new(&world, scenario);
        let refusals = faults.refusals_in_thousand;
        let manners = Manners { is_late: faults.is_late, refusals, forgets_pods: faults.forgets_pods };
        Self {
            disk: SimDisk::new(&world, faults.disk_errors_max, faults.syncs_nothing),
            cluster: Cluster::new(&world, seed, manners, &play.checker),
            play,
        }
    }

    /// A process that leaves the beginning of a log.
    fn founder(self: &Rc<Self>, seed: u64, records: usize) -> Process {
        let stored = run_seed(seed, &self.play.scenario, &Faults::none()).stored.expect("without faults it ends");
        let stage = self.clone();
        Process::new(false, move |pid| {
            let (stage, stored) = (stage.clone(), stored.clone());
            Box::pin(async move {
                let mut log = stage.store(pid).create(&stored.header).await.expect("the disk is empty and works");
                for record in &stored.records[..records] {
                    // What was asked for in that history may be asked for again in this one.
                    log.append(&record.batches, &[]).await.expect("the disk works");
                }
            })
        })
    }
}

impl play::Stage for Stage {
    type Store = DirectoryStore<SimDisk>;

    fn play(&self) -> &Play {
        &self.play
    }

    fn store(&self, pid: Pid) -> DirectoryStore<SimDisk> {
        DirectoryStore::on(self.disk.seen_by(pid), "/state/wf/runs")
    }

    async fn drive(&self, pid: Pid) -> Result<End, DriveError> {
        let (store, play) = (self.store(pid), &self.play);
        let (log, stored) = match store.acquire(&play.name).await {
            // Driven as it was made: what taking it over does first is not done.
            Err(StoreError::NotFound { .. }) => {
                let header = play.header(0);
                (store.create(&header).await?, Stored { header, records: Vec::new(), torn: None })
            }
            held => held?,
        };
        play.checker.loads(pid, &stored, false);
        let backend = self.cluster.seen_by(pid);
        let run = Driver::resume(play.scenario.plan.clone(), log, &stored, &backend, &play.world);
        let driven = run.drive(std::future::pending(), |run, batches| play.appended(pid, run, batches)).await?;
        let stored = store.load(&play.name).await?;
        play.checker.folds_to(&driven.run, &play.fold(&stored));
        *play.ended.borrow_mut() = Some(stored);
        Ok(driven.end)
    }

    fn pause(&self) -> TimeSpan {
        TRY_AGAIN_AFTER
    }
}
