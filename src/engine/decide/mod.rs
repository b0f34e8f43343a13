//! `decide`: what an observation changes. Each event is folded as soon as it is decided, through the
//! same fold that reads logs, so that the next decision stands on it.
//!
//! **Invariant:** a decision touches the observation's node, its callers up to the run, and what
//! they start; never the whole run. [`Run::agenda`](super::run::Run) says what is to be looked at.

pub(super) mod call;
mod containers;
mod control;
mod dag;
mod end;
mod hooks;
mod locks;
mod loops;
mod memo;
mod outputs;
mod pod;
pub(super) mod render;
mod restart;
mod retry;
mod room;
mod steps;

use std::sync::Arc;

use super::event::{Created, Event};
use super::model::{Phase, Waiting};
use super::observation::Observation;
use super::run::{Frame, Run, Wake};
use super::value::Outputs;
use crate::base::{NodeIx, Timestamp, limits};
use crate::plan::Plan;

impl Run {
    /// Returns what `observation` changes, having folded it already; empty when it changes nothing.
    ///
    /// The events must be durable before any action that [`Run::pending`] gives is done. When
    /// they cannot be made durable, the run must be dropped and loaded again.
    pub fn decide(&mut self, observation: Observation, at: Timestamp) -> Vec<Event> {
        let mut decider = Decider { plan: self.plan.clone(), run: self, at, events: Vec::new() };
        decider.observe(observation);
        decider.drain();
        decider.events
    }
}

/// The words of a node that stayed pending for longer than it may; its group takes them over.
pub(super) const TIMED_OUT: &str = "timeout";

/// What a template says that ends because of its `failFast`.
pub(super) const FAILED_FAST: &str = "template has failed or errored children and failFast enabled";

/// One decision as it is made.
pub(super) struct Decider<'r> {
    pub plan: Arc<Plan>,
    pub run: &'r mut Run,
    pub at: Timestamp,
    pub events: Vec<Event>,
}

impl Decider<'_> {
    fn observe(&mut self, observation: Observation) {
        match observation {
            Observation::Begin => self.begin(),
            Observation::Pod(node, report) => self.pod(node, report),
            Observation::Recalled { memo, found } => self.recalled(memo, found),
            Observation::Held { lock, others } => self.held(&lock, others),
            Observation::Time => self.time(),
            Observation::Control(control) => self.control(control),
        }
    }

    pub(super) fn begin(&mut self) {
        if self.run.started_at.is_none() {
            if !self.lock_run() {
                return;
            }
            self.emit(Event::Began);
            self.begin_shut_down();
        }
        self.go_on_shutting_down();
        self.run.wake(Wake::Run);
    }

    /// Looks at all that the fold has touched, until nothing is left to decide.
    fn drain(&mut self) {
        while !self.run.suspended && !self.run.phase.is_final() {
            let Some(wake) = self.run.agenda.pop_front() else {
                if self.feed() {
                    continue;
                }
                break;
            };
            match wake {
                Wake::Run => self.advance_run(),
                Wake::Node(ix) => {
                    self.run.slot_mut(ix).awake = false;
                    if !self.run.slot(ix).gone {
                        self.advance(ix);
                    }
                }
            }
        }
    }

    fn advance(&mut self, ix: NodeIx) {
        if self.run.gated.contains(&ix) {
            return self.advance_waiting(ix);
        }
        if !self.run.node(ix).phase.is_final() {
            match self.run.slot(ix).frame {
                Frame::Leaf => {}
                Frame::Steps(_) => self.advance_steps(ix),
                Frame::Group(_) => self.advance_group(ix),
                Frame::Dag(_) => self.advance_dag(ix),
                Frame::Items(_) => self.advance_items(ix),
                Frame::Retry(_) => self.advance_retry(ix),
            }
        }
        if !self.run.slot(ix).settled && self.run.has_hooks(ix) {
            self.advance_hooks(ix);
        }
    }

    fn time(&mut self) {
        if self.run.deadline.is_some_and(|deadline| deadline <= self.at) && !self.run.expired {
            self.emit(Event::Expired);
            self.fail_unfinished("Step exceeded its deadline", |slot| !slot.on_exit);
        }
        while let Some((due, ix)) = self.run.timers.first().copied().filter(|(due, _)| *due <= self.at) {
            self.run.timers.remove(&(due, ix));
            self.run.slot_mut(ix).until = None;
            self.due(ix);
        }
    }

    /// Does what was due for a node: the end of a pause, of a backoff, or of its patience.
    fn due(&mut self, ix: NodeIx) {
        let slot = self.run.slot(ix);
        match (&slot.frame, &slot.node.waiting, slot.node.phase) {
            (Frame::Retry(_), ..) => self.run.wake(Wake::Node(ix)),
            (_, Some(Waiting::Approval { .. }), _) => self.resume_node(ix, ""),
            (_, _, Phase::Pending) => self.finish(ix, Phase::Failed, TIMED_OUT),
            _ => {}
        }
    }

    pub(super) fn emit(&mut self, event: Event) {
        self.run.fold(&event, self.at);
        self.events.push(event);
    }

    /// Makes a node and returns its place.
    pub(super) fn create(&mut self, created: Created) -> NodeIx {
        let ix = NodeIx(self.run.slots.len() as u32);
        self.emit(Event::Created(Box::new(created)));
        ix
    }

    /// Ends a node by decree: a pod that runs is stopped.
    pub(super) fn finish(&mut self, ix: NodeIx, phase: Phase, message: impl Into<Arc<str>>) {
        let decree = self.run.live.contains(&ix);
        let m: Arc<str> = message.into();
        self.give_containers_up(ix, phase, &m);
        self.emit(Event::Finished { n: ix, p: phase, m, out: None, host: None, decree });
    }

    pub(super) fn finish_with(&mut self, ix: NodeIx, phase: Phase, message: &str, outputs: Option<Outputs>) {
        let out = outputs.map(Arc::new);
        self.emit(Event::Finished { n: ix, p: phase, m: message.into(), out, host: None, decree: false });
    }

    /// Returns whether the run has no room for another node.
    pub(super) fn is_full(&self) -> bool {
        self.run.slots.len() >= limits::NODES_PER_RUN_MAX
    }
}
