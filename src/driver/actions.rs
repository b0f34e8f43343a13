//! Carrying out actions: several at a time, in order for each node, again when one fails.

use std::collections::{BTreeSet, VecDeque};

use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;

use super::clock::{Clock, backoff};
use crate::backend::{Backend, BackendError};
use crate::base::{NodeIx, TimeSpan};
use crate::engine::{Action, Phase, PodEnd, PodReport};

/// How many actions are under way at once: enough to hide the latency of a remote backend, few
/// enough not to be refused by it.
const ACTIONS_AT_ONCE_MAX: usize = 32;

/// How often an action is tried before its node ends as `Error`: about 13 seconds in all.
const ACTION_TRIES_MAX: u32 = 8;

/// The actions that a run wants done.
pub(super) struct Actions<'a, B, C> {
    backend: &'a B,
    clock: &'a C,
    queue: VecDeque<Action>,
    /// The nodes of actions under way: a `Stop` must not overtake its `Start`.
    busy: BTreeSet<NodeIx>,
    under_way: FuturesUnordered<LocalBoxFuture<'a, Done>>,
}

/// The end of an action.
struct Done {
    node: NodeIx,
    failure: Option<BackendError>,
}

impl<'a, B: Backend, C: Clock> Actions<'a, B, C> {
    pub(super) fn new(backend: &'a B, clock: &'a C) -> Self {
        let (queue, busy) = (VecDeque::new(), BTreeSet::new());
        Self { backend, clock, queue, busy, under_way: FuturesUnordered::new() }
    }

    /// Takes on actions whose events are durable.
    pub(super) fn add(&mut self, actions: Vec<Action>) {
        self.queue.extend(actions);
        self.begin();
    }

    /// Returns whether nothing is under way or waits to be.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way.is_empty() && self.queue.is_empty()
    }

    /// Waits until an action has failed for good, and returns what its node comes to, or until
    /// all are done; for ever when there are none. Safe to drop while it waits.
    pub(super) async fn settle(&mut self) -> Option<(NodeIx, PodReport)> {
        while let Some(done) = self.under_way.next().await {
            self.busy.remove(&done.node);
            self.begin();
            if let Some(failure) = done.failure {
                return Some((done.node, PodReport::Ended(broken(&failure))));
            }
            if self.is_idle() {
                return None;
            }
        }
        std::future::pending().await
    }

    /// Begins what may begin: the first actions whose nodes are free.
    fn begin(&mut self) {
        let mut at = 0;
        while self.under_way.len() < ACTIONS_AT_ONCE_MAX && at < self.queue.len() {
            if !self.busy.insert(node_of(&self.queue[at])) {
                at += 1;
                continue;
            }
            let action = self.queue.remove(at).expect("`at` is below the length");
            self.under_way.push(Box::pin(carry_out(self.backend, self.clock, action)));
        }
    }
}

fn node_of(action: &Action) -> NodeIx {
    match action {
        Action::Start(request) => request.node,
        Action::Stop { node, .. } => *node,
    }
}

/// Does one action, with patience.
async fn carry_out(backend: &impl Backend, clock: &impl Clock, action: Action) -> Done {
    let node = node_of(&action);
    for failures in 1.. {
        let Err(error) = attempt(backend, &action).await else { break };
        if failures == ACTION_TRIES_MAX {
            // The node ends as an error now. Should an attempt have had an effect in spite of its
            // answer, nothing of it may go on.
            let _ = backend.stop(node, TimeSpan::ZERO).await;
            return Done { node, failure: Some(error) };
        }
        clock.sleep_until(clock.now() + backoff(failures)).await;
    }
    Done { node, failure: None }
}

async fn attempt(backend: &impl Backend, action: &Action) -> Result<(), BackendError> {
    match action {
        Action::Start(request) => backend.start(request).await,
        Action::Stop { node, grace } => backend.stop(*node, *grace).await,
    }
}

/// The end of a pod that the backend could not start, or stop.
fn broken(error: &BackendError) -> PodEnd {
    PodEnd { phase: Phase::Error, exit_code: None, message: error.to_string(), ..PodEnd::exited(0) }
}
