//! What the loop needs of a run. The engine's is the one that ships.

use std::sync::Arc;

use crate::base::{NodeIx, Timestamp};
use crate::engine::{
    Action, Batch, Control, ControlError, Event, Memo, Memory, Observation, Phase, PodRequest, Run, Want,
};
use crate::plan::Plan;
use crate::store::{Stored, Summary};

/// A state machine that a driver can own; see [`Run`] for what each method means.
pub trait Machine {
    /// Folds a batch of the log.
    fn apply(&mut self, batch: &Batch);
    /// Returns what an observation changes, having folded it already.
    fn decide(&mut self, observation: Observation, at: Timestamp) -> Vec<Event>;
    /// Returns whether a control request can be done now.
    fn check_control(&self, control: &Control) -> Result<(), ControlError>;
    /// Returns the actions that were not returned before.
    fn pending(&mut self) -> Vec<Action>;
    /// Returns what it wants of locks that other runs may hold too, as far as that has changed.
    fn wants(&mut self) -> Vec<Want>;
    /// Returns the questions to caches that were not returned before.
    fn recalls(&mut self) -> Vec<Memo>;
    /// Returns what became of the calls that caches were asked for, with the entries to be kept.
    fn memories(&mut self) -> Vec<(Memo, Option<String>)>;
    /// Returns its priority among other runs, and when it was submitted.
    fn rank(&self) -> (i32, Timestamp);
    /// Returns when there is something to decide by time alone.
    fn next_wake(&self) -> Option<Timestamp>;
    /// Returns the pod nodes that were asked for and have not ended.
    fn live_pods(&self) -> Vec<NodeIx>;
    /// Returns whether a start is in vain: its node has ended, or its pod was seen to run, whatever became of the
    /// answer to an attempt.
    fn is_vain(&self, request: &PodRequest) -> bool;
    /// Returns the phase of the run.
    fn phase(&self) -> Phase;
    /// Returns what a listing says of the run.
    fn summary(&self) -> Summary;
}

impl Machine for Run {
    fn apply(&mut self, batch: &Batch) {
        Run::apply(self, batch);
    }

    fn decide(&mut self, observation: Observation, at: Timestamp) -> Vec<Event> {
        Run::decide(self, observation, at)
    }

    fn check_control(&self, control: &Control) -> Result<(), ControlError> {
        Run::check_control(self, control)
    }

    fn pending(&mut self) -> Vec<Action> {
        Run::pending(self)
    }

    fn wants(&mut self) -> Vec<Want> {
        Run::wants(self)
    }

    fn recalls(&mut self) -> Vec<Memo> {
        Run::recalls(self)
    }

    fn memories(&mut self) -> Vec<(Memo, Option<String>)> {
        let memories = Run::memories(self);
        let entry = |memory: Memory| {
            let id = self.node(memory.node).id(self.name().as_str());
            (memory.memo, memory.made.map(|made| made.entry(&id)))
        };
        memories.into_iter().map(entry).collect()
    }

    fn rank(&self) -> (i32, Timestamp) {
        (self.plan().spec().priority.unwrap_or(0), self.created_at())
    }

    fn next_wake(&self) -> Option<Timestamp> {
        Run::next_wake(self)
    }

    fn live_pods(&self) -> Vec<NodeIx> {
        Run::live_pods(self)
    }

    fn is_vain(&self, request: &PodRequest) -> bool {
        let phase = self.node(request.node).phase;
        phase.is_final() || phase == Phase::Running && !request.is_running
    }

    fn phase(&self) -> Phase {
        Run::phase(self)
    }

    fn summary(&self) -> Summary {
        let (finished, known) = self.progress();
        Summary {
            name: self.name().clone(),
            uid: self.uid().clone(),
            created_at: self.created_at(),
            started_at: self.started_at(),
            finished_at: self.finished_at(),
            phase: Run::phase(self).to_string(),
            message: self.message().to_owned(),
            progress: format!("{finished}/{known}"),
            // A run that waits for a person at a node is shown as suspended, as in Argo.
            suspended: self.is_suspended() || self.paused_nodes().next().is_some(),
            priority: self.rank().0,
            expires_at: self.expires_at(),
            labels: self.labels(),
        }
    }
}

/// Returns the run that a log tells of; `plan` is made of the log's header. It asks for what it shares with
/// other runs.
pub fn fold(plan: Arc<Plan>, stored: &Stored) -> Run {
    let header = &stored.header;
    let mut run = Run::new(plan, header.name.clone(), header.uid.clone(), header.created_at);
    for batch in stored.records.iter().flat_map(|record| &record.batches) {
        run.apply(batch);
    }
    run.share_locks();
    run.recall();
    run
}

/// Returns the last time in a log: nothing can happen before it any more.
pub fn last_time(stored: &Stored) -> Timestamp {
    let batches = stored.records.iter().rev().flat_map(|record| record.batches.iter().rev());
    batches.map(|batch| batch.at).next().unwrap_or(stored.header.created_at)
}
