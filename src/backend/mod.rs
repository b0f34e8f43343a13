//! Where pods run. A backend does what it is asked, keyed by node, and reports what it sees.
//!
//! **Invariant:** a backend decides nothing about a run: no retry, no order, no outcome.

pub mod http;
pub mod kubernetes;
pub mod local;
pub mod tries;

use std::future::Future;

use crate::base::{NodeIx, RunName, TimeSpan};
use crate::engine::{Phase, PodReport, PodRequest};

/// A place where pods of one run can be started, watched and stopped.
pub trait Backend {
    /// Starts a pod. A request whose node was already started, by whomever, does nothing and is `Ok`.
    ///
    /// A pod that cannot start for a reason of its own (no such command, no such file) is no error:
    /// it is reported as ended.
    fn start(&self, request: &PodRequest) -> impl Future<Output = Result<(), BackendError>>;

    /// Ends a node's pod: SIGTERM to its processes, SIGKILL after `grace`. A pod that has ended, or
    /// was never started, is left as it is. Its end comes as a report.
    fn stop(&self, node: NodeIx, grace: TimeSpan) -> impl Future<Output = Result<(), BackendError>>;

    /// Waits for news of any pod of the run. Reports may repeat. Safe to drop while it waits.
    fn next(&self) -> impl Future<Output = Result<Vec<(NodeIx, PodReport)>, BackendError>>;

    /// Takes note that the ends of `nodes` are durable, so that what they left behind may go. May be
    /// told twice, or never.
    fn recorded(&self, nodes: &[NodeIx]);

    /// Cleans up after a run that has ended in `phase`, and whose log is complete. What fails is told to
    /// the user, and changes nothing.
    fn finish(&self, phase: Phase) -> impl Future<Output = Result<(), BackendError>>;

    /// Reports what is known now of each of `nodes`; one that was never started is not in the answer,
    /// one that was started and has left no trace is [`PodReport::Lost`].
    fn relist(&self, nodes: &[NodeIx]) -> impl Future<Output = Result<Vec<(NodeIx, PodReport)>, BackendError>>;
}

/// Why a backend could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// It cannot be reached, or its machine refuses; the same call may go through later.
    #[error("the {backend} backend failed to {action}: {reason}")]
    Unavailable {
        /// Which backend.
        backend: &'static str,
        /// What it was doing, as a verb with its object.
        action: String,
        /// What it said.
        reason: String,
    },
    /// Another process drives the run by now: nothing may be done for it any more.
    #[error("run `{run}` is driven by another process")]
    Replaced {
        /// The run.
        run: RunName,
    },
    /// What is asked for can never be; the node ends at once, in these words.
    #[error("{reason}")]
    Refused {
        /// Who refuses what, and why.
        reason: String,
    },
}
