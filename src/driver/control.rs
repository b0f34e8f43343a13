//! Asking a run for something from another process than its driver's.
//!
//! A live driver is asked through the store, and answers. With none, the asker takes the log
//! over, decides what it and others asked for, and lets go: nothing is acted upon until the next
//! driver comes, which derives the actions from the log.

use futures_util::FutureExt;

use super::clock::{Clock, RunClock};
use super::machine::{Machine, last_time};
use super::owner::{Input, Owner};
use crate::base::{RunName, TimeSpan, Timestamp};
use crate::engine::{Batch, Control};
use crate::store::{Answer, Log, Store, StoreError, Stored};

/// How long an asker waits for a live driver's answer.
const ANSWER_WAIT_MAX: TimeSpan = TimeSpan::from_secs(30);

/// What a request came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The answer.
    pub answer: Answer,
    /// Whether a live driver gave it, and so will act upon it.
    pub is_driven: bool,
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum RequestError<E> {
    /// The store refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The driver holds the run and does not answer, or the request was lost.
    #[error(
        "the run, driven by {holder}, did not answer within {waited}; if the request was not lost, it is obeyed later"
    )]
    NoAnswer {
        /// Who drives, as the store says it; `nobody` when the request was lost.
        holder: String,
        /// How long was waited.
        waited: TimeSpan,
    },
    /// The log cannot be folded.
    #[error(transparent)]
    Fold(E),
}

/// Asks `run` for `control`, and waits for the answer. `fold` makes the run of its log when no
/// driver lives.
pub async fn request<S: Store, C: Clock, M: Machine, E>(
    store: &S,
    clock: &C,
    run: &RunName,
    control: &Control,
    fold: impl Fn(&Stored) -> Result<M, E>,
) -> Result<Outcome, RequestError<E>> {
    let id = store.ask(run, control, clock.now()).await?;
    let give_up_at = clock.now() + ANSWER_WAIT_MAX;
    loop {
        let driver = match store.acquire(run).await {
            Ok((log, stored)) => {
                let machine = fold(&stored).map_err(RequestError::Fold)?;
                serve(log, machine, clock, last_time(&stored)).await?;
                None
            }
            Err(StoreError::DrivenBy { holder, .. }) => Some(holder),
            Err(error) => return Err(error.into()),
        };
        tokio::select! {
            biased;
            answer = store.answer(run, &id) => return Ok(Outcome { answer: answer?, is_driven: driver.is_some() }),
            () = clock.sleep_until(clock.now() + store.look_every()) => {}
        }
        if clock.now() >= give_up_at {
            let holder = driver.unwrap_or_else(|| "nobody".to_owned());
            return Err(RequestError::NoAnswer { holder, waited: ANSWER_WAIT_MAX });
        }
    }
}

/// Decides, in the place of a driver, all that was asked for, and answers.
async fn serve<L: Log, M: Machine, C: Clock>(log: L, run: M, clock: &C, since: Timestamp) -> Result<(), StoreError> {
    let mut owner = Owner::new(run, log, RunClock::new(clock, since), |_: &M, _: &[Batch]| {});
    while let Some(asked) = owner.log.requests().now_or_never() {
        owner.commit(asked?.into_iter().map(Input::Asked).collect()).await?;
    }
    // The log is the truth; a listing may lag.
    let _ = owner.close().await;
    Ok(())
}
