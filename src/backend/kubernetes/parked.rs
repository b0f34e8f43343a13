//! Jobs that the cluster does not take for now: beyond a quota, or without a permission.
//!
//! They wait in the order in which they were asked for. One is tried again when another node has
//! ended, since that may have made room, and after a while; when it goes through, so may the next.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::client::KubernetesBackend;
use crate::backend::BackendError;
use crate::base::NodeIx;
use crate::engine::{Phase, PodEnd, PodReport};

/// The least and the most time between two tries.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(16);

/// Jobs that wait to be posted.
#[derive(Default)]
pub(super) struct Parked {
    jobs: VecDeque<(NodeIx, Value)>,
    due: Option<Instant>,
    pause: Duration,
}

impl Parked {
    /// Lets a Job wait.
    pub(super) fn add(&mut self, node: NodeIx, job: Value) {
        if self.jobs.is_empty() {
            self.pause = PAUSE_MIN;
            self.due = Some(Instant::now() + PAUSE_MIN);
        }
        self.jobs.push_back((node, job));
    }

    /// Returns whether the node's Job waits.
    pub(super) fn has(&self, node: NodeIx) -> bool {
        self.jobs.iter().any(|(parked, _)| *parked == node)
    }

    /// Forgets a node's Job. Returns whether it waited.
    pub(super) fn remove(&mut self, node: NodeIx) -> bool {
        let before = self.jobs.len();
        self.jobs.retain(|(parked, _)| *parked != node);
        self.jobs.len() < before
    }

    /// Notes that there may be room.
    pub(super) fn hurry(&mut self) {
        self.pause = PAUSE_MIN;
        let soon = Instant::now() + PAUSE_MIN;
        self.due = self.due.map(|due| due.min(soon));
    }

    /// Returns when the first is to be tried.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due.filter(|_| !self.jobs.is_empty())
    }

    fn first(&self) -> Option<(NodeIx, Value)> {
        self.jobs.front().cloned()
    }

    fn went_through(&mut self) {
        self.pause = PAUSE_MIN;
        self.due = Some(Instant::now());
    }

    fn refused(&mut self) {
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        self.due = Some(Instant::now() + self.pause);
    }
}

impl KubernetesBackend {
    /// Posts a Job, or lets it wait and says why.
    pub(super) async fn post_or_park(&self, node: NodeIx, job: Value) -> Result<(), BackendError> {
        match self.post(node, &job).await? {
            None => self.note_posted(node),
            Some(reason) => {
                let mut state = self.state();
                state.parked.add(node, job);
                state.reports.push((node, PodReport::Waiting { reason }));
                drop(state);
                self.wake.notify_one();
            }
        }
        Ok(())
    }

    fn note_posted(&self, node: NodeIx) {
        let mut state = self.state();
        state.tracks.entry(node).or_default().posted();
        state.by_job.insert(self.job_name(node), node);
    }

    /// Tries the first Job that waits. Safe to drop: it waits until it is known to be posted.
    pub(super) async fn retry_parked(&self) -> Result<(), BackendError> {
        let Some((node, job)) = self.state().parked.first() else { return Ok(()) };
        let posted = self.post(node, &job).await;
        let mut state = self.state();
        match posted {
            Ok(None) => {
                state.parked.remove(node);
                state.parked.went_through();
                drop(state);
                self.note_posted(node);
            }
            Ok(Some(_)) => state.parked.refused(),
            Err(BackendError::Refused { reason }) => {
                state.parked.remove(node);
                state.reports.push((node, PodReport::Ended(unstarted(Phase::Error, reason))));
            }
            Err(error) => {
                state.parked.refused();
                return Err(error);
            }
        }
        Ok(())
    }
}

/// Returns the end of a node whose pod never was.
pub(super) fn unstarted(phase: Phase, message: String) -> PodEnd {
    PodEnd { phase, exit_code: None, message, ..PodEnd::exited(0) }
}
