//! A run: the fold of its log.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::action::Action;
use super::event::{Batch, Event};
use super::model::{Node, Phase};
use super::observation::Observation;
use super::value::Outputs;
use crate::base::{NodeIx, RunName, RunUid, Timestamp};
use crate::plan::Plan;

/// How a run is being ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shutdown {
    /// Nothing new but exit handlers.
    Stop,
    /// Nothing new at all.
    Terminate,
}

/// Why a control request cannot be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// The run has ended.
    #[error("the run has ended")]
    Ended,
    /// It makes no sense now; the words say why and what would.
    #[error("{0}")]
    Refused(String),
}

/// One execution of a plan.
pub struct Run {
    plan: Arc<Plan>,
}

impl Run {
    /// Returns a run of `plan` to which nothing has happened yet.
    pub fn new(plan: Arc<Plan>, name: RunName, uid: RunUid, created_at: Timestamp) -> Self { let _ = (name, uid, created_at); Self { plan } }
    /// Folds a batch of the log.
    pub fn apply(&mut self, batch: &Batch) { let _ = batch; }
    /// Returns what `observation` changes, having folded it already; empty when it changes nothing.
    /// The events must be durable before any action that [`Run::pending`] gives is done.
    pub fn decide(&mut self, observation: Observation, at: Timestamp) -> Vec<Event> { let _ = (observation, at); Vec::new() }
    /// Returns whether a control request can be done now; `decide` ignores one that cannot.
    pub fn check_control(&self, control: &super::Control) -> Result<(), ControlError> { let _ = control; Ok(()) }
    /// Returns the actions that the fold has caused and that have not been returned before.
    /// A run that was folded anew from its log returns all that are still to be done.
    pub fn pending(&mut self) -> Vec<Action> { Vec::new() }
    /// Returns the next instant at which [`Observation::Time`] has something to decide.
    pub fn next_wake(&self) -> Option<Timestamp> { None }
    /// Returns the pod nodes that were asked for and have not ended, for a relist.
    pub fn live_pods(&self) -> Vec<NodeIx> { Vec::new() }
    /// Returns the plan.
    pub fn plan(&self) -> &Arc<Plan> { &self.plan }
    /// Returns the run's name.
    pub fn name(&self) -> &RunName { unimplemented!() }
    /// Returns the run's uid.
    pub fn uid(&self) -> &RunUid { unimplemented!() }
    /// Returns the phase of the run.
    pub fn phase(&self) -> Phase { unimplemented!() }
    /// Returns why the run is in its phase.
    pub fn message(&self) -> &str { unimplemented!() }
    /// Returns when the run was submitted.
    pub fn created_at(&self) -> Timestamp { unimplemented!() }
    /// Returns when the run began.
    pub fn started_at(&self) -> Option<Timestamp> { unimplemented!() }
    /// Returns when the run ended.
    pub fn finished_at(&self) -> Option<Timestamp> { unimplemented!() }
    /// Returns whether the run is suspended as a whole.
    pub fn is_suspended(&self) -> bool { unimplemented!() }
    /// Returns how the run is being ended, if it is.
    pub fn shutdown(&self) -> Option<Shutdown> { unimplemented!() }
    /// Returns the outputs of the run: what `globalName` made global.
    pub fn outputs(&self) -> &Outputs { unimplemented!() }
    /// Returns the labels of the run, `labelsFrom` included.
    pub fn labels(&self) -> std::collections::BTreeMap<String, String> { unimplemented!() }
    /// Returns the nodes in the order in which they were made, without removed ones.
    pub fn nodes(&self) -> Box<dyn Iterator<Item = &Node> + '_> { unimplemented!() }
    /// Returns the node at `ix`.
    pub fn node(&self, ix: NodeIx) -> &Node { let _ = ix; unimplemented!() }
    /// Returns the node of that full name.
    pub fn find(&self, name: &str) -> Option<&Node> { let _ = name; unimplemented!() }
    /// Returns how many pods have finished, and how many are known: Argo's progress.
    pub fn progress(&self) -> (u32, u32) { unimplemented!() }
}
