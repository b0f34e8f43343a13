//! What a history is about in either world: a run, who drives it to its end, and who asks it for something.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::check::{Checker, outputs, phases};
use super::executor::Process;
use super::order;
use super::person::{LOOK_AGAIN_AFTER, Person};
use super::seed::{Report, Scenario};
use super::world::{BEGINNING, Pid, World};
use crate::base::{RunName, RunUid, TimeSpan};
use crate::driver::{self, DriveError, End};
use crate::engine::{Batch, Phase, Run};
use crate::store::{FORMAT_VERSION, Header, Store, StoreError, Stored, Tail as _};

/// How long whoever cannot drive waits before the next try.
pub(super) const TRY_AGAIN_AFTER: TimeSpan = TimeSpan(2_000);

/// What all who take part know.
pub(super) struct Play {
    pub(super) world: World,
    pub(super) checker: Checker,
    pub(super) scenario: Scenario,
    pub(super) name: RunName,
    /// How many things people will still ask for: until then a run that has ended may go on.
    pub(super) asks_left: Cell<usize>,
    /// The run as it ended, once it has.
    pub(super) ended: RefCell<Option<Stored>>,
    /// What one who waits took for the end.
    pub(super) waited: RefCell<Option<Waited>>,
}

/// The end of a run, as one who waits sees it.
pub(super) struct Waited {
    uid: RunUid,
    /// How many records had been read.
    records: usize,
    phase: Phase,
}

/// A world with a run in it.
pub(super) trait Stage: Sized + 'static {
    /// Where its logs live.
    type Store: Store;

    /// Returns what is played on it.
    fn play(&self) -> &Play;

    /// Returns the store as the process `pid` sees it.
    fn store(&self, pid: Pid) -> Self::Store;

    /// Drives the run once, as the process `pid`.
    async fn drive(&self, pid: Pid) -> Result<End, DriveError>;

    /// Returns how long whoever could not drive waits.
    fn pause(&self) -> TimeSpan;
}

impl Play {
    pub(super) fn new(world: &World, scenario: &Scenario) -> Self {
        Self {
            world: world.clone(),
            checker: Checker::new(world),
            scenario: scenario.clone(),
            name: RunName::new("simulated").expect("a valid name"),
            asks_left: Cell::new(scenario.asks.len()),
            ended: RefCell::new(None),
            waited: RefCell::new(None),
        }
    }

    /// Returns the header of the run; each that is submitted has another number.
    pub(super) fn header(&self, number: u32) -> Header {
        Header {
            version: FORMAT_VERSION,
            name: self.name.clone(),
            uid: RunUid(format!("00000000-0000-0000-0000-{number:012}").into()),
            created_at: BEGINNING,
            resolved: self.scenario.plan.resolved.clone(),
            files: Vec::new(),
        }
    }

    /// Checks what a driver says that it made durable.
    pub(super) fn appended(&self, pid: Pid, run: &Run, batches: &[Batch]) {
        self.checker.appended(pid, batches);
        self.checker.within_limits(run);
        order::check(&self.world, run, batches);
    }

    pub(super) fn fold(&self, stored: &Stored) -> Run {
        driver::fold(self.scenario.plan.clone(), stored)
    }

    /// Returns what came of the history.
    pub(super) fn report(&self) -> Report {
        let stored = self.ended.borrow().clone();
        let run = stored.as_ref().map(|stored| self.fold(stored));
        self.check_waited();
        Report {
            trace_hash: self.world.trace_hash(),
            trace: self.world.lines(),
            violations: self.world.violations(),
            phase: run.as_ref().map(Run::phase),
            nodes: run.as_ref().map(phases).unwrap_or_default(),
            outputs: run.as_ref().map(outputs).unwrap_or_default(),
            steps: self.world.steps(),
            deaths: self.world.deaths(),
            pods: self.checker.pods(),
            took: self.world.now().since(BEGINNING),
            counts: self.world.counts(),
            writes: 0,
            calls: 0,
            told: 0,
            stored,
        }
    }
}

impl Play {
    /// I14: the exit code of `wf wait` is that of a phase, and it is the run's. People may have made the run go on
    /// since then.
    fn check_waited(&self) {
        let (waited, ended) = (self.waited.borrow(), self.ended.borrow());
        let (Some(waited), Some(ended)) = (&*waited, &*ended) else { return };
        if ended.header.uid != waited.uid || ended.records.len() < waited.records {
            return;
        }
        let then = Stored { records: ended.records[..waited.records].to_vec(), ..ended.clone() };
        let phase = self.fold(&then).phase();
        if phase != waited.phase {
            self.world.violation(format!("one who waited saw {}, and the run was {phase}", waited.phase));
        }
    }
}

/// Returns whether somebody waits for the end in the history of a seed: it takes time.
pub(super) fn has_waiter(seed: u64) -> bool {
    seed.is_multiple_of(4)
}

/// Returns a process that waits for the end as `wf wait` does, without driving.
pub(super) fn waiter<S: Stage>(stage: &Rc<S>) -> Process {
    let stage = stage.clone();
    Process::new(false, move |pid| {
        let stage = stage.clone();
        Box::pin(async move {
            let play = stage.play();
            loop {
                // Who looks after the end sees it at once, or never.
                let is_late = play.ended.borrow().is_some();
                match wait(&*stage, pid).await {
                    Ok(waited) => return drop(play.waited.replace(Some(waited))),
                    Err(error) => play.world.note(|| format!("{pid} waits in vain: {error}")),
                }
                if is_late {
                    return;
                }
                play.world.sleep(LOOK_AGAIN_AFTER).await;
            }
        })
    })
}

async fn wait(stage: &impl Stage, pid: Pid) -> Result<Waited, StoreError> {
    let play = stage.play();
    let (stored, mut tail) = stage.store(pid).follow(&play.name).await?;
    let (mut run, mut records) = (play.fold(&stored), stored.records.len());
    while !run.phase().is_final() {
        let told = tokio::select! {
            biased;
            told = tail.next() => told?,
            () = play.world.sleep(LOOK_AGAIN_AFTER) => match play.ended.borrow().is_some() {
                // Events are lost; `wf wait` finds that nobody drives, and reads anew.
                true => return Err(StoreError::Deleted { run: play.name.clone() }),
                false => continue,
            },
        };
        for record in told {
            record.batches.iter().for_each(|batch| run.apply(batch));
            records += 1;
        }
    }
    Ok(Waited { uid: stored.header.uid, records, phase: run.phase() })
}

/// Returns a process that drives the run to its end, whoever began it.
pub(super) fn driver<S: Stage>(stage: &Rc<S>) -> Process {
    let stage = stage.clone();
    Process::new(true, move |pid| {
        let stage = stage.clone();
        Box::pin(async move { while !try_to_drive(&*stage, pid).await {} })
    })
}

/// Drives once, and returns whether the run has ended.
async fn try_to_drive(stage: &impl Stage, pid: Pid) -> bool {
    let result = stage.drive(pid).await;
    let play = stage.play();
    if play.world.is_dead(pid) {
        std::future::pending::<()>().await;
    }
    match result {
        Ok(End::Finished(phase)) => {
            play.world.note(|| format!("process {pid} saw the end: {phase}"));
            if play.asks_left.get() == 0 {
                return true;
            }
            play.world.sleep(LOOK_AGAIN_AFTER).await;
        }
        Ok(end) => play.world.violation(format!("a drive that nobody stopped ends as {end:?}")),
        // Of a run that is about to go, the header may go first.
        Err(DriveError::Store(StoreError::Damaged { place, reason, .. })) if !place.contains("header") => {
            play.world.violation(format!("the log is damaged at {place}: {reason}"));
            return true;
        }
        // People deleted it after its end.
        Err(DriveError::Store(StoreError::NotFound { .. })) if play.ended.borrow().is_some() => return true,
        Err(error) => play.world.note(|| format!("process {pid} gives up: {error}")),
    }
    play.world.sleep(stage.pause()).await;
    false
}

/// Returns a process that asks for what the scenario says, and does not die.
pub(super) fn person<S: Stage>(stage: &Rc<S>) -> Process {
    let stage = stage.clone();
    Process::new(false, move |pid| {
        let stage = stage.clone();
        Box::pin(async move { Person { play: stage.play(), open: || stage.store(pid) }.live().await })
    })
}
