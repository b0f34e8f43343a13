//! Posting Jobs, or letting them wait where the cluster does not take them for now: beyond a quota, or
//! without a permission. Which waits, and when it is tried again, is decided in `room`.

use tokio::time::Instant;

use super::client::KubernetesBackend;
use super::fault::failed;
use super::room::Try;
use super::track::Effect;
use crate::backend::BackendError;
use crate::base::NodeIx;
use crate::engine::{Phase, PodEnd, PodReport, PodRequest};

/// What a node is told that waits behind others.
const BEHIND_OTHERS: &str = "other nodes of the run wait for room in the namespace";

impl KubernetesBackend {
    /// Posts the Job of a node, or lets it wait and says why.
    pub(super) async fn post_or_park(&self, request: &PodRequest) -> Result<(), BackendError> {
        let is_full = self.state().room.is_full();
        let refused = if is_full { Some(BEHIND_OTHERS.to_owned()) } else { self.post(request).await? };
        match refused {
            None => self.note_posted(request.node),
            Some(reason) => {
                let mut state = self.state();
                state.room.park(request, Instant::now());
                state.report(request.node, PodReport::Waiting { reason });
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
        state.await_pod(node, Instant::now());
        state.room.posted(node);
    }

    /// Tries what is next of what waits. Safe to drop: it waits until it is known to have come through.
    pub(super) async fn try_next(&self) -> Result<(), BackendError> {
        let next = self.state().room.next(Instant::now());
        match next {
            Some(Try::Post(request)) => {
                self.hold().await?;
                self.post_again(&request).await
            }
            Some(Try::Nudge(node)) => {
                let job = self.job_name(node);
                let nudged = self.calls().nudge(&job).await;
                nudged.map_err(|error| failed(format!("have the Job `{job}` looked at again"), &error))
            }
            None => Ok(()),
        }
    }

    async fn post_again(&self, request: &PodRequest) -> Result<(), BackendError> {
        let node = request.node;
        match self.post(request).await {
            Ok(None) if self.state().room.holds(node) => self.note_posted(node),
            // It was told to stop meanwhile.
            Ok(None) => self.state().chores.push_back((node, Effect::EndJob)),
            Ok(Some(_)) => {}
            Err(BackendError::Refused { reason }) => {
                let mut state = self.state();
                state.room.forget(node);
                state.report(node, PodReport::Ended(unstarted(Phase::Error, reason)));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Returns the end of a node whose pod never was.
pub(super) fn unstarted(phase: Phase, message: String) -> PodEnd {
    PodEnd { phase, exit_code: None, message, ..PodEnd::exited(0) }
}
