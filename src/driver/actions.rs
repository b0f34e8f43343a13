//! Carrying out actions: several at a time, in order for each node, again when one fails.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};

use super::clock::{Clock, backoff, sleep_until};
use crate::backend::{Backend, BackendError};
use crate::base::{NodeIx, TimeSpan, Timestamp};
use crate::engine::{Action, Phase, PodEnd, PodReport, PodRequest};

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
    /// The nodes of actions under way or to be tried again: a `Stop` must not overtake its `Start`.
    busy: BTreeSet<NodeIx>,
    under_way: FuturesUnordered<LocalBoxFuture<'a, Attempt>>,
    /// What failed and is tried again, by when.
    later: BTreeMap<(Timestamp, NodeIx), (Action, u32)>,
}

/// An action that was tried.
struct Attempt {
    action: Action,
    /// How often it failed before.
    failures: u32,
    result: Result<(), BackendError>,
}

impl<'a, B: Backend, C: Clock> Actions<'a, B, C> {
    pub(super) fn new(backend: &'a B, clock: &'a C) -> Self {
        let (queue, busy, later) = (VecDeque::new(), BTreeSet::new(), BTreeMap::new());
        Self { backend, clock, queue, busy, under_way: FuturesUnordered::new(), later }
    }

    /// Takes on actions whose events are durable.
    pub(super) fn add(&mut self, actions: Vec<Action>) {
        self.queue.extend(actions);
    }

    /// Returns whether nothing is under way or waits to be.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way.is_empty() && self.queue.is_empty() && self.later.is_empty()
    }

    /// Begins what may begin: what failed and is due, then the first actions whose nodes are free.
    /// A start that `is_vain` meanwhile is forgotten.
    pub(super) fn begin(&mut self, is_vain: impl Fn(&PodRequest) -> bool) {
        let is_vain = |action: &Action| matches!(action, Action::Start(request) if is_vain(request));
        while let Some(entry) = self.later.first_entry().filter(|entry| entry.key().0 <= self.clock.now()) {
            let (action, failures) = entry.remove();
            if is_vain(&action) {
                self.busy.remove(&node_of(&action));
            } else {
                self.attempt(action, failures);
            }
        }
        let mut at = 0;
        while self.under_way.len() < ACTIONS_AT_ONCE_MAX && at < self.queue.len() {
            if self.busy.contains(&node_of(&self.queue[at])) {
                at += 1;
                continue;
            }
            let action = self.queue.remove(at).expect("`at` is below the length");
            if !is_vain(&action) {
                self.busy.insert(node_of(&action));
                self.attempt(action, 0);
            }
        }
    }

    /// Waits until actions are done, or one is due to be tried again; for ever when there is none.
    /// Returns what the nodes come to whose actions failed for good. Safe to drop while it waits.
    pub(super) async fn settle(&mut self) -> Result<Vec<(NodeIx, PodReport)>, BackendError> {
        let due = self.later.first_key_value().map(|((at, _), _)| *at);
        let mut attempts = Vec::new();
        tokio::select! {
            biased;
            Some(attempt) = self.under_way.next(), if !self.under_way.is_empty() => attempts.push(attempt),
            () = sleep_until(self.clock, due) => {}
        }
        while let Some(Some(attempt)) = self.under_way.next().now_or_never() {
            attempts.push(attempt);
        }
        attempts.into_iter().filter_map(|attempt| self.heed(attempt).transpose()).collect()
    }

    fn attempt(&self, action: Action, failures: u32) {
        let backend = self.backend;
        self.under_way.push(Box::pin(async move {
            let result = match &action {
                Action::Start(request) => backend.start(request).await,
                Action::Stop { node, grace } => backend.stop(*node, *grace).await,
            };
            if result.as_ref().is_err_and(|error| is_final(error, failures + 1)) {
                // The node ends as an error now. Should an attempt have had an effect in spite of
                // its answer, nothing of it may go on.
                let _ = backend.stop(node_of(&action), TimeSpan::ZERO).await;
            }
            Attempt { action, failures, result }
        }));
    }

    fn heed(&mut self, attempt: Attempt) -> Result<Option<(NodeIx, PodReport)>, BackendError> {
        let Attempt { action, failures, result } = attempt;
        let node = node_of(&action);
        let failures = failures + 1;
        match result {
            Err(error @ BackendError::Replaced { .. }) => Err(error),
            Err(error) if !is_final(&error, failures) => {
                let due = self.clock.now() + backoff(failures);
                self.later.insert((due, node), (action, failures));
                Ok(None)
            }
            done => {
                self.busy.remove(&node);
                Ok(done.err().map(|error| (node, PodReport::Ended(broken(&error)))))
            }
        }
    }
}

/// Returns whether an action that failed so often is not tried again.
fn is_final(error: &BackendError, failures: u32) -> bool {
    match error {
        BackendError::Unavailable { .. } => failures >= ACTION_TRIES_MAX,
        BackendError::Refused { .. } => true,
        // Whoever drives it now sees to the action; here it is not even undone.
        BackendError::Replaced { .. } => false,
    }
}

fn node_of(action: &Action) -> NodeIx {
    match action {
        Action::Start(request) => request.node,
        Action::Stop { node, .. } => *node,
    }
}

/// The end of a pod that the backend could not start, or stop.
fn broken(error: &BackendError) -> PodEnd {
    PodEnd { phase: Phase::Error, exit_code: None, message: error.to_string(), ..PodEnd::exited(0) }
}
