//! Driving a run to its end, or following whoever drives it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::error::{Error, Kind};
use super::handover;
use super::place::{PlaceBackend, PlaceLog};
use super::report::{Reporter, Show, end_of};
use super::runs::{self, Loaded};
use super::session::Session;
use crate::backend::local::{self, Isolation};
use crate::base::{RunName, TimeSpan};
use crate::driver::{DriveError, Driven, Driver, End, Machine, Options};
use crate::engine::{Phase, Run};
use crate::store::{Log, Store, StoreError, Stored, Tail};
use crate::view::RunView;

/// How long a driver in the cluster may be away, or take to come, before a process that looks on drives.
const DRIVER_WAIT: Duration = Duration::from_secs(60);

/// How a run is accompanied.
#[derive(Debug, Clone, Default)]
pub struct How {
    /// How much is told.
    pub show: Show,
    /// Only logs of this container.
    pub container: Option<String>,
    /// Only logs of the node with this label, its attempts and what it holds.
    pub only: Option<String>,
    /// Where NDJSON goes.
    pub events: Option<PathBuf>,
    /// How long at most.
    pub timeout: Option<TimeSpan>,
    /// Whether to end when only a person can make the run go on.
    pub leaves_when_suspended: bool,
    /// Whether the run's end needs no words.
    pub is_silent_at_end: bool,
    /// Whether other runs are told of at the same time.
    pub is_one_of_many: bool,
}

/// How accompanying a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Run(Phase),
    Interrupted,
    TimedOut,
    Suspended,
}

/// Accompanies a run to its end: drives it where nobody does, and follows the log otherwise.
/// Returns the error that a run which failed is for a command.
pub async fn attach(session: &Session, name: &RunName, how: &How) -> Result<(), Error> {
    let Loaded { stored, run } = runs::load(session, name).await?;
    let reporter = reporter(session, how, &run).await?;
    reporter.borrow_mut().catch_up(&run, &all_batches(&stored));
    if run.phase().is_final() {
        mend_listing(session, &run).await;
        return conclude(session, &reporter, how, &run, Ended::Run(run.phase())).await;
    }
    let stop = stop(how.timeout);
    let mut stop = std::pin::pin!(stop);
    let seen = stored.records.len();
    if handover::ensure(session, &stored).await? {
        let mut seen = seen;
        let patience = DRIVER_WAIT;
        match follow(session, name, how, &reporter, &mut seen, patience, stop.as_mut()).await? {
            Some((run, ended)) => return conclude(session, &reporter, how, &run, ended).await,
            None => tell_absent(session, name),
        }
        return go_on(session, name, how, &reporter, seen, stop).await;
    }
    go_on(session, name, how, &reporter, seen, stop).await
}

fn tell_absent(session: &Session, name: &RunName) {
    let waited = DRIVER_WAIT.as_secs();
    session.ui.warning(&format!("no driver of `{name}` was there for {waited} seconds; this process drives it"));
    session.ui.hint("`wf doctor` and `kubectl get pods -l wf.internal/kind=driver` show why");
}

/// Shows in listings that a run has ended whose driver died before it could.
async fn mend_listing(session: &Session, run: &Run) {
    let Ok(store) = session.store().await else { return };
    let listed = store.list().await.unwrap_or_default().into_iter().find(|summary| summary.name == *run.name());
    if listed.is_none_or(|listed| runs::phase(&listed.phase).is_final()) {
        return;
    }
    // Listings may lag; who cannot mend them still sees the end.
    if let Ok((mut log, _)) = store.acquire(run.name()).await {
        let _ = log.summarize(&run.summary()).await;
        log.release().await;
    }
}

/// Drives a run that was just created to its end, or follows it where another process takes over.
pub async fn drive_new(session: &Session, log: PlaceLog, stored: Stored, how: &How) -> Result<(), Error> {
    let run = runs::fold(&stored)?;
    let name = &stored.header.name;
    let reporter = reporter(session, how, &run).await?;
    let stop = stop(how.timeout);
    let mut stop = std::pin::pin!(stop);
    let mut seen = stored.records.len();
    match drive(session, log, &stored, how, &reporter, &mut seen, stop.as_mut()).await? {
        Some((run, ended)) => conclude(session, &reporter, how, &run, ended).await,
        None => go_on(session, name, how, &reporter, seen, stop).await,
    }
}

/// Drives the run, or follows who drives it, to its end; `seen` records were told of.
async fn go_on(
    session: &Session,
    name: &RunName,
    how: &How,
    reporter: &RefCell<Reporter<'_>>,
    mut seen: usize,
    mut stop: std::pin::Pin<&mut impl Future<Output = Ended>>,
) -> Result<(), Error> {
    loop {
        let ended = match session.store().await?.acquire(name).await {
            Ok((log, stored)) => {
                tell_missed(reporter, &stored, seen)?;
                seen = stored.records.len();
                drive(session, log, &stored, how, reporter, &mut seen, stop.as_mut()).await?
            }
            Err(StoreError::DrivenBy { .. }) => {
                follow(session, name, how, reporter, &mut seen, Duration::ZERO, stop.as_mut()).await?
            }
            Err(error) => return Err(error.into()),
        };
        if let Some((run, ended)) = ended {
            return conclude(session, reporter, how, &run, ended).await;
        }
    }
}

/// Says once, as soon as it is known, that steps share the machine's files where they write to
/// absolute paths.
fn warn_of_collisions(session: &Session, backend: &PlaceBackend, paths: &mut Option<BTreeSet<String>>) {
    let PlaceBackend::Local(backend) = backend else { return };
    if backend.isolation().is_none() {
        return;
    }
    let paths = paths.take().unwrap_or_default();
    if backend.isolation() == Some(Isolation::Plain) && !paths.is_empty() {
        let paths = paths.into_iter().collect::<Vec<_>>().join(", ");
        session.ui.warning(&format!("steps have no files of their own on this machine and share these: {paths}"));
    }
}

async fn reporter<'a>(session: &'a Session, how: &How, run: &Run) -> Result<RefCell<Reporter<'a>>, Error> {
    Reporter::new(session, how, run, session.place().await?).map(RefCell::new)
}

fn all_batches(stored: &Stored) -> Vec<crate::engine::Batch> {
    stored.records.iter().flat_map(|record| record.batches.iter().cloned()).collect()
}

/// Tells what was appended between loading a run and taking it over.
fn tell_missed(reporter: &RefCell<Reporter<'_>>, stored: &Stored, seen: usize) -> Result<(), Error> {
    let missed: Vec<_> = stored.records.iter().skip(seen).flat_map(|record| record.batches.iter().cloned()).collect();
    if !missed.is_empty() {
        reporter.borrow_mut().tell(&runs::fold(stored)?, &missed);
    }
    Ok(())
}

/// Drives a run; none when another process took it over meanwhile.
async fn drive(
    session: &Session,
    log: PlaceLog,
    stored: &Stored,
    how: &How,
    reporter: &RefCell<Reporter<'_>>,
    seen: &mut usize,
    stop: impl Future<Output = Ended>,
) -> Result<Option<(Run, Ended)>, Error> {
    let name = &stored.header.name;
    let plan = runs::plan_of(&stored.header.resolved)?;
    let backend = session.place().await?.backend(session, &stored.header, &log)?;
    let options = Options { waits_for_people: !how.leaves_when_suspended };
    let driver = Driver::resume(plan.clone(), log, stored, &backend, &session.clock).options(options);
    let why_stopped = RefCell::new(Ended::Interrupted);
    let stop = async { *why_stopped.borrow_mut() = stop.await };
    let mut collisions = Some(local::shared_paths(&plan));
    let driving = driver.drive(stop, |run, batches| {
        warn_of_collisions(session, &backend, &mut collisions);
        reporter.borrow_mut().tell(run, batches);
        *seen += 1;
    });
    let driven = match beside_ticks(reporter, driving).await? {
        Err(DriveError::Store(StoreError::DrivenBy { .. })) => return Ok(None),
        driven => driven.map_err(|error| broke_off(error, name))?,
    };
    tell_left(session, name, &driven);
    let ended = match driven.end {
        End::Finished(phase) => Ended::Run(phase),
        End::Interrupted => *why_stopped.borrow(),
        End::Waiting => Ended::Suspended,
    };
    Ok(Some((driven.run, ended)))
}

/// Waits for `work` while the view is kept fresh; ends early when nobody reads any more.
async fn beside_ticks<T>(reporter: &RefCell<Reporter<'_>>, work: impl Future<Output = T>) -> Result<T, Error> {
    let mut work = std::pin::pin!(work);
    let mut ticks = tokio::time::interval(reporter.borrow().tick_every().to_std());
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            biased;
            done = work.as_mut() => return Ok(done),
            _ = ticks.tick() => reporter.borrow_mut().tick(super::env::now()),
        }
        if let Some(error) = reporter.borrow_mut().failure() {
            return Err(error);
        }
    }
}

/// Follows the log of a run that another process drives; none when that process is gone for longer than
/// `patience`.
async fn follow(
    session: &Session,
    name: &RunName,
    how: &How,
    reporter: &RefCell<Reporter<'_>>,
    seen: &mut usize,
    patience: Duration,
    stop: impl Future<Output = Ended>,
) -> Result<Option<(Run, Ended)>, Error> {
    let (stored, mut tail) = session.store().await?.follow(name).await?;
    let mut run = runs::fold(&stored)?;
    tell_missed(reporter, &stored, *seen)?;
    *seen = stored.records.len();
    let watched = Watched { session, name, how, reporter, patience };
    let following = watched.read_to_end(seen, &mut run, &mut tail);
    let ended = tokio::select! {
        biased;
        why = stop => Some(why),
        ended = beside_ticks(reporter, following) => ended??,
    };
    Ok(ended.map(|ended| (run, ended)))
}

/// A run that another process drives.
struct Watched<'a, 'b> {
    session: &'a Session,
    name: &'a RunName,
    how: &'a How,
    reporter: &'a RefCell<Reporter<'b>>,
    /// How long its driver may be away.
    patience: Duration,
}

impl Watched<'_, '_> {
    /// Reads what is appended, until the run has ended; none when its driver is gone.
    async fn read_to_end(&self, seen: &mut usize, run: &mut Run, tail: &mut impl Tail) -> Result<Option<Ended>, Error> {
        let store = self.session.store().await?;
        let mut absent_since = None;
        loop {
            if run.phase().is_final() {
                return Ok(Some(Ended::Run(run.phase())));
            }
            if self.how.leaves_when_suspended && RunView::new(run, super::env::now()).is_waiting_for_a_person() {
                return Ok(Some(Ended::Suspended));
            }
            match tokio::time::timeout(store.look_every().to_std(), tail.next()).await {
                Ok(records) => {
                    for record in records? {
                        record.batches.iter().for_each(|batch| run.apply(batch));
                        self.reporter.borrow_mut().tell(run, &record.batches);
                        *seen += 1;
                    }
                    absent_since = None;
                }
                Err(_) if store.is_held(self.name).await? => absent_since = None,
                Err(_) if absent_since.get_or_insert_with(Instant::now).elapsed() >= self.patience => return Ok(None),
                Err(_) => {}
            }
        }
    }
}

/// Completes at Ctrl-C or at SIGTERM.
pub async fn interrupted() {
    stop(None).await;
}

/// Says what a drive left undone.
pub fn tell_left(session: &Session, name: &RunName, driven: &Driven) {
    match &driven.stale_summary {
        Some(stays @ StoreError::Stays { .. }) => session.ui.warning(&stays.to_string()),
        Some(stale) => session.ui.warning(&format!("`wf list` may be out of date for `{name}`: {stale}")),
        None => {}
    }
    if let Some(left) = &driven.left_behind {
        session.ui.warning(&format!("something of `{name}` is left until it is deleted: {left}"));
    }
}

/// Completes at Ctrl-C, at SIGTERM, or when the time is over.
async fn stop(timeout: Option<TimeSpan>) -> Ended {
    let over = async {
        match timeout {
            Some(timeout) => tokio::time::sleep(timeout.to_std()).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        // Without the signal there is nothing to wait for.
        Ok(()) = tokio::signal::ctrl_c() => Ended::Interrupted,
        () = terminated() => Ended::Interrupted,
        () = over => Ended::TimedOut,
    }
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => drop(terminate.recv().await),
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}

fn broke_off(error: DriveError, name: &RunName) -> Error {
    let error = match error {
        DriveError::Store(error @ StoreError::Deleted { .. }) => return error.into(),
        DriveError::Store(error) => Error::from(error),
        DriveError::Backend(error) => Error::from(error),
    };
    error.hint(format!("what was done is in the log; go on with: wf watch {name}"))
}

/// Says how it ended, and returns the end of the command.
async fn conclude(
    session: &Session,
    reporter: &RefCell<Reporter<'_>>,
    how: &How,
    run: &Run,
    ended: Ended,
) -> Result<(), Error> {
    let followed = reporter.borrow_mut().take_pod_logs();
    if let Some(mut followed) = followed {
        if matches!(ended, Ended::Run(_)) {
            followed.finish().await;
        }
        reporter.borrow_mut().give_pod_logs(followed);
    }
    let is_elsewhere = ended == Ended::Interrupted && handover::is_elsewhere(session).await;
    let mut reporter = reporter.borrow_mut();
    let name = run.name();
    match ended {
        Ended::Run(phase) => {
            if !how.is_silent_at_end {
                reporter.end(&RunView::new(run, super::env::now()));
            }
            end_of(phase)
        }
        Ended::Suspended => {
            reporter.close();
            Err(Error::new(Kind::Suspended, format!("run `{name}` is suspended"))
                .hint(format!("wf resume {name}"))
                .hint(format!("wf stop {name}")))
        }
        Ended::TimedOut => {
            reporter.close();
            Err(Error::new(Kind::TimedOut, format!("run `{name}` has not ended in time; its steps go on"))
                .hint(format!("wf watch {name}"))
                .hint(format!("wf stop {name}")))
        }
        Ended::Interrupted => {
            reporter.close();
            session.ui.status(&match is_elsewhere {
                true => format!("detached from `{name}`, which is driven in the cluster; watch it with: wf watch {name}"),
                false => format!(
                    "detached from `{name}`: steps that run go on, new ones start when you come back with: wf watch {name}"
                ),
            });
            Err(Error::told(Kind::Interrupted))
        }
    }
}
