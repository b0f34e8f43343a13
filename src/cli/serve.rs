//! Driving runs that others submitted, without a view of them: one, or all of a namespace.

use std::cell::RefCell;
use std::future::Future;

use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::watch;

use super::drive;
use super::error::{Error, Kind};
use super::place::{Place, PlaceStore};
use super::runs;
use super::session::Session;
use crate::backend::kubernetes::{Cluster, Options};
use crate::base::{RunName, Timestamp};
use crate::driver::{self, Clock, DriveError, Driver, End, Outcome, Rank, Roster};
use crate::engine::Phase;
use crate::store::kubernetes::{Leadership, RunNews, RunWatch};
use crate::store::{Store, StoreError};

/// How often a driver of one run looks whether the one that was faster still lives.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_secs(5);

/// How long runs may take to be let go by a controller that does not lead any more: the next leader takes
/// over what is not.
const LET_GO: std::time::Duration = std::time::Duration::from_secs(10);

/// What came of driving a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Served {
    /// It has ended.
    Ended(Phase),
    /// Another process drives it.
    Held,
    /// Only a person can make it go on.
    Waits,
    /// Somebody said stop.
    Stopped,
}

/// Drives one run to its end, also when another process does so at first.
pub async fn one(session: &Session, name: &RunName, options: &Options) -> Result<(), Error> {
    let stop = drive::interrupted().shared();
    loop {
        let driver = driver::Options { waits_for_people: true };
        match serve(session, name, options, driver, stop.clone()).await? {
            Served::Ended(phase) => {
                session.ui.status(&format!("run `{name}` has ended: {phase}"));
                return Ok(());
            }
            Served::Held => session.ui.detail(&format!("another process drives `{name}`; this one waits")),
            Served::Waits => {}
            Served::Stopped => return Err(Error::told(Kind::Interrupted)),
        }
        tokio::select! {
            () = stop.clone() => return Err(Error::told(Kind::Interrupted)),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Takes a run over, and drives it until it ends or `stop` completes.
async fn serve(
    session: &Session,
    name: &RunName,
    options: &Options,
    driver: driver::Options,
    stop: impl Future<Output = ()>,
) -> Result<Served, Error> {
    let place = session.place().await?;
    let (log, stored) = match place.store.acquire(name).await {
        Ok(held) => held,
        Err(StoreError::DrivenBy { .. }) => return Ok(Served::Held),
        Err(error) => return Err(error.into()),
    };
    session.ui.detail(&format!("drives `{name}`"));
    let plan = runs::plan_of(&stored.header.resolved)?;
    let backend = place.backend_with(session, &stored.header, &log, options)?;
    let driver = Driver::resume(plan, log, &stored, &backend, &session.clock).options(driver);
    let driven = match driver.drive(stop, |_, _| {}).await {
        Err(DriveError::Store(StoreError::DrivenBy { .. })) => return Ok(Served::Held),
        Err(DriveError::Store(error)) => return Err(error.into()),
        Err(DriveError::Backend(error)) => return Err(error.into()),
        Ok(driven) => driven,
    };
    drive::tell_left(session, name, &driven);
    Ok(match driven.end {
        End::Finished(phase) => Served::Ended(phase),
        End::Interrupted => Served::Stopped,
        End::Waiting => Served::Waits,
    })
}

/// A controller: it drives what the roster says while it leads.
pub struct Controller<'a> {
    session: &'a Session,
    cluster: &'a Cluster,
    leadership: Leadership,
    at_once: usize,
    options: Options,
}

/// Why a controller does not lead any more.
enum Left {
    /// It was told to stop.
    Stopped,
    /// Another may lead.
    Lost(String),
}

impl<'a> Controller<'a> {
    /// Returns the controller of the namespace that the place is; an error where that is no cluster.
    pub fn new(session: &'a Session, place: &'a Place, at_once: usize, options: Options) -> Result<Self, Error> {
        let (PlaceStore::Cluster(store), Some(cluster)) = (&place.store, &place.cluster) else {
            return Err(Error::new(Kind::Usage, format!("a controller is for a cluster: {}", place.words))
                .hint("name one with KUBECONFIG or --context"));
        };
        let leadership = Leadership::new(cluster, store.me().clone());
        Ok(Self { session, cluster, leadership, at_once, options })
    }

    /// Drives runs until SIGTERM or Ctrl-C.
    pub async fn run(&self) -> Result<(), Error> {
        let ui = &self.session.ui;
        let stop = drive::interrupted().shared();
        loop {
            let lease = tokio::select! {
                biased;
                () = stop.clone() => return Ok(()),
                lease = self.leadership.win(|words| ui.status(words)) => lease,
            };
            ui.status(&format!("leads: drives the runs of namespace `{}`", self.cluster.namespace));
            let lost = self.leadership.keep(lease).map(|error| Left::Lost(error.to_string()));
            let left = async {
                tokio::select! {
                    biased;
                    () = stop.clone() => Left::Stopped,
                    lost = lost => lost,
                }
            };
            match self.lead(left).await {
                Left::Stopped => {
                    ui.status("stops: all runs are let go");
                    // One that stays is taken over once it is old.
                    let _ = self.leadership.resign().await;
                    return Ok(());
                }
                Left::Lost(reason) => ui.warning(&format!("leads no more: {reason}")),
            }
        }
    }

    /// Drives runs until `left` completes; all are let go when it returns.
    async fn lead(&self, left: impl Future<Output = Left>) -> Left {
        let (stop, stopped) = watch::channel(false);
        let roster = RefCell::new(Roster::new(self.at_once));
        let mut news = RunWatch::new(self.cluster);
        let mut drives = FuturesUnordered::new();
        let mut left = std::pin::pin!(left);
        let mut refused = String::new();
        loop {
            let now = self.session.clock.now();
            while let Some(run) = roster.borrow_mut().next(now) {
                drives.push(self.drive(run, stopped.clone()));
            }
            let wake = roster.borrow().wake();
            tokio::select! {
                biased;
                why = left.as_mut() => {
                    let _ = stop.send(true);
                    let all = drives.collect::<Vec<_>>();
                    // What is dropped is taken over by the next leader.
                    let _ = tokio::time::timeout(LET_GO, all).await;
                    return why;
                }
                Some((run, outcome)) = drives.next(), if !drives.is_empty() => {
                    roster.borrow_mut().ended(&run, outcome, self.session.clock.now());
                }
                news = news.next(|words| self.tell_once(&mut refused, words)) => heed(&mut roster.borrow_mut(), news),
                () = sleep_until(&self.session.clock, wake) => {}
            }
        }
    }

    /// Drives one run, and says what came of it.
    fn drive(&self, run: RunName, mut stopped: watch::Receiver<bool>) -> LocalBoxFuture<'_, (RunName, Outcome)> {
        async move {
            let stop = async move { drop(stopped.wait_for(|stopped| *stopped).await) };
            // A run that waits for a person must not take the place of one that could go on.
            let driver = driver::Options { waits_for_people: false };
            let served = serve(self.session, &run, &self.options, driver, stop).await;
            let outcome = match served {
                Ok(Served::Ended(phase)) => {
                    self.session.ui.status(&format!("run `{run}` has ended: {phase}"));
                    Outcome::Over
                }
                Ok(Served::Held) => Outcome::Held,
                Ok(Served::Waits) => Outcome::Waits,
                Ok(Served::Stopped) => Outcome::Stopped,
                Err(error) if error.kind == Kind::NotFound => Outcome::Over,
                Err(error) => {
                    self.session.ui.warning(&format!("run `{run}`: {error}"));
                    Outcome::Failed
                }
            };
            (run, outcome)
        }
        .boxed_local()
    }

    /// Says what the cluster refuses, as long as it is the same only once.
    fn tell_once(&self, told: &mut String, words: String) {
        if *told != words {
            self.session.ui.warning(&words);
            *told = words;
        }
    }
}

fn heed(roster: &mut Roster, news: RunNews) {
    match news {
        RunNews::Seen(run, priority, created_at) => roster.seen(run, Rank { priority, created_at }),
        RunNews::Gone(run) => roster.gone(&run),
        RunNews::Freed(run) => roster.freed(&run),
        RunNews::Listed(runs) => roster.listed(&runs),
    }
}

async fn sleep_until(clock: &impl Clock, wake: Option<Timestamp>) {
    match wake {
        Some(wake) => clock.sleep_until(wake).await,
        None => std::future::pending().await,
    }
}
