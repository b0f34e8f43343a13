//! The loop.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use futures_util::FutureExt;

use super::actions::Actions;
use super::clock::{Clock, RunClock};
use super::machine::{Machine, fold, last_time};
use super::owner::{Input, Owner};
use super::reports::Reports;
use super::sharing::Sharing;
use crate::backend::{Backend, BackendError};
use crate::base::{NodeIx, Timestamp};
use crate::engine::{Batch, Phase, PodReport, Run};
use crate::plan::Plan;
use crate::store::{Log, StoreError, Stored};

/// How often the backend is asked for more before what came is decided: what piled up becomes
/// one record, and a backend that always has more cannot keep the loop from deciding.
const DRAIN_ROUNDS_MAX: usize = 64;

/// Owns a run until it ends, or somebody says stop.
pub struct Driver<'a, B, L, C, M = Run> {
    run: M,
    log: L,
    backend: &'a B,
    clock: &'a C,
    options: Options,
    since: Timestamp,
}

/// How a driver behaves.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether it stays when only a person can make the run go on.
    pub waits_for_people: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { waits_for_people: true }
    }
}

/// What became of a drive.
#[derive(Debug)]
pub struct Driven<M = Run> {
    /// Why it ended.
    pub end: End,
    /// The run as the log has it now.
    pub run: M,
    /// Why the last summary could not be written, so that listings are out of date.
    pub stale_summary: Option<StoreError>,
    /// Why the backend could not clean up after the run.
    pub left_behind: Option<BackendError>,
}

/// Why a drive ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The run did, in this phase, and all that it asked for is done.
    Finished(Phase),
    /// Somebody said stop; pods go on, and the next driver finds out how they end.
    Interrupted,
    /// Only a person can make the run go on, and the driver was told not to wait for one.
    Waiting,
}

/// Why a drive broke off. The log holds all that was acted upon; the next driver goes on.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The log cannot be written, or is not ours any more.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The backend cannot be reached.
    #[error(transparent)]
    Backend(BackendError),
}

impl From<BackendError> for DriveError {
    fn from(error: BackendError) -> Self {
        match error {
            BackendError::Replaced { run } => {
                Self::Store(StoreError::DrivenBy { run, holder: "another process".to_owned() })
            }
            error => Self::Backend(error),
        }
    }
}

impl<'a, B: Backend, L: Log, C: Clock> Driver<'a, B, L, C, Run> {
    /// Returns a driver of the run that `stored` tells of; `plan` is made of its header.
    pub fn resume(plan: Arc<Plan>, log: L, stored: &Stored, backend: &'a B, clock: &'a C) -> Self {
        Self::new(fold(plan, stored), log, backend, clock).since(last_time(stored))
    }
}

impl<'a, B: Backend, L: Log, C: Clock, M: Machine> Driver<'a, B, L, C, M> {
    /// Returns a driver of `run`, which is what `log` tells.
    pub fn new(run: M, log: L, backend: &'a B, clock: &'a C) -> Self {
        Self { run, log, backend, clock, options: Options::default(), since: Timestamp(i64::MIN) }
    }

    /// Sets how it behaves.
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Sets the last time in the log, before which nothing can happen any more.
    pub fn since(mut self, since: Timestamp) -> Self {
        self.since = since;
        self
    }

    /// Drives the run until it ends or `stop` completes. `tell` gets the run and what is new after
    /// each append, before anything is done about it.
    ///
    /// It may be dropped at any await.
    pub async fn drive(
        self,
        stop: impl Future<Output = ()>,
        tell: impl FnMut(&M, &[Batch]),
    ) -> Result<Driven<M>, DriveError> {
        let Self { run, log, backend, clock, options, since } = self;
        let mut owner = Owner::new(run, log, RunClock::new(clock, since), tell);
        let mut actions = Actions::new(backend, clock);
        let mut reports = Reports::new(backend, clock);
        let mut sharing = Sharing::new(owner.log.shared(), clock, owner.run.rank());
        let mut stop = pin!(stop);
        let mut end = None;
        let mut news = begin(&mut owner.run, &mut reports, stop.as_mut()).await?;
        while let Some(inputs) = news.take() {
            let ended = ended(&inputs);
            owner.commit(inputs).await?;
            if !ended.is_empty() {
                backend.recorded(&ended);
            }
            actions.add(owner.run.pending());
            actions.begin(|request| owner.run.is_vain(request));
            sharing.begin(&mut owner.run);
            end = (actions.is_idle() && sharing.is_idle()).then(|| end_of(&owner.run, options)).flatten();
            if end.is_none() {
                news = listen(&mut owner, &mut actions, &mut reports, &mut sharing, stop.as_mut()).await?;
            }
        }
        let (run, summarized) = owner.close().await;
        let end = end.unwrap_or(End::Interrupted);
        let left_behind = match end {
            End::Finished(phase) => backend.finish(phase).await.err(),
            End::Interrupted | End::Waiting => None,
        };
        Ok(Driven { end, run, stale_summary: summarized.err(), left_behind })
    }
}

/// Looks at all that an earlier driver left. `None` when stopped.
async fn begin<B: Backend, C: Clock>(
    run: &mut impl Machine,
    reports: &mut Reports<'_, B, C>,
    stop: impl Future<Output = ()>,
) -> Result<Option<Vec<Input>>, DriveError> {
    let live = run.live_pods();
    let seen = tokio::select! {
        biased;
        () = stop => return Ok(None),
        seen = reports.relist(&live) => seen?,
    };
    let seen = seen.into_iter().map(|(node, report)| Input::Seen(node, report));
    Ok(Some([Input::Begin].into_iter().chain(seen).collect()))
}

/// Waits until something comes in, and takes all that is there. `None` when stopped.
async fn listen<M: Machine, L: Log, B: Backend, C: Clock, T: FnMut(&M, &[Batch])>(
    owner: &mut Owner<'_, M, L, C, T>,
    actions: &mut Actions<'_, B, C>,
    reports: &mut Reports<'_, B, C>,
    sharing: &mut Sharing<'_, L::Shared, C>,
    stop: impl Future<Output = ()>,
) -> Result<Option<Vec<Input>>, DriveError> {
    let wake = owner.wake();
    let mut inputs: Vec<Input> = tokio::select! {
        biased;
        () = stop => return Ok(None),
        failed = actions.settle() => failed?.into_iter().map(seen).collect(),
        asked = owner.log.requests() => asked?.into_iter().map(Input::Asked).collect(),
        told = sharing.settle() => told?.into_iter().map(Input::Told).collect(),
        news = reports.next() => news?.into_iter().map(seen).collect(),
        () = owner.clock.sleep_until(wake) => Vec::new(),
    };
    if !inputs.iter().any(|input| matches!(input, Input::Asked(_))) {
        let asked = owner.log.requests().now_or_never().transpose()?;
        inputs.extend(asked.into_iter().flatten().map(Input::Asked));
    }
    for _ in 0..DRAIN_ROUNDS_MAX {
        let Some(news) = reports.next().now_or_never() else { break };
        inputs.extend(news?.into_iter().map(seen));
    }
    Ok(Some(inputs))
}

/// Returns the nodes whose pods were seen to have ended.
fn ended(inputs: &[Input]) -> Vec<NodeIx> {
    let ended = inputs.iter().filter_map(|input| match input {
        Input::Seen(node, PodReport::Ended(_)) => Some(*node),
        _ => None,
    });
    ended.collect()
}

fn seen((node, report): (NodeIx, PodReport)) -> Input {
    Input::Seen(node, report)
}

/// Returns how a run that has nothing under way has ended, if it has.
fn end_of(run: &impl Machine, options: Options) -> Option<End> {
    if run.phase().is_final() {
        return Some(End::Finished(run.phase()));
    }
    let goes_on = run.next_wake().is_some() || !run.live_pods().is_empty();
    (!options.waits_for_people && !goes_on).then_some(End::Waiting)
}
