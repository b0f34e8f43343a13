//! A run: the fold of its log, with the counters that make each event cheap.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::event::Caller;
use super::memo::{Made, Memo, Memory, Recollection};
use super::model::{Node, NodeType, Phase};
use super::reuse::Reusable;
use super::scope::outer::Outer;
use super::value::{Outputs, Parameter};
use crate::base::{NodeIx, RunName, RunUid, TimeSpan, Timestamp};
use crate::plan::{Plan, TemplateIx};

/// How a run is being ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shutdown {
    /// Nothing new but exit handlers.
    Stop,
    /// Nothing new at all.
    Terminate,
}

impl Shutdown {
    /// Returns Argo's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Shutdown::Stop => "Stop",
            Shutdown::Terminate => "Terminate",
        }
    }
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
    pub(super) plan: Arc<Plan>,
    pub(super) name: RunName,
    pub(super) uid: RunUid,
    pub(super) created_at: Timestamp,
    pub(super) arguments: Vec<Parameter>,
    pub(super) phase: Phase,
    pub(super) message: Arc<str>,
    pub(super) started_at: Option<Timestamp>,
    pub(super) finished_at: Option<Timestamp>,
    /// When it ended here; a run that Argo ended has none.
    pub(super) ended_at: Option<Timestamp>,
    pub(super) deadline: Option<Timestamp>,
    pub(super) expired: bool,
    pub(super) suspended: bool,
    pub(super) shutdown: Option<Shutdown>,
    pub(super) shutdown_message: Arc<str>,
    pub(super) outputs: Outputs,
    /// What may be reused, and the run that made it.
    pub(super) reuses: Option<Reuses>,
    pub(super) slots: Vec<Slot>,
    /// Names of nodes are long and begin alike: comparing them, as a tree would, is what a node costs most.
    pub(super) by_name: IndexMap<Arc<str>, NodeIx>,
    /// Where templates of the workflow itself are found, in Argo's words.
    pub(super) home: Arc<str>,
    /// Pods, requests and plugin calls that were asked for and have not ended.
    pub(super) live: BTreeSet<NodeIx>,
    /// How many of them are pods: what the workflow's `parallelism` counts.
    pub(super) live_pods: u32,
    /// Retry nodes that are about to make their first attempt: each has the place that it was let in for.
    pub(super) let_in: BTreeSet<NodeIx>,
    /// Pods that were finished by decree and may still run: they are to be stopped.
    pub(super) doomed: BTreeSet<NodeIx>,
    /// Pods that are daemons and up.
    pub(super) daemons: BTreeSet<NodeIx>,
    /// Suspended nodes.
    pub(super) paused: BTreeSet<NodeIx>,
    /// Instants at which a node has something due.
    pub(super) timers: BTreeSet<(Timestamp, NodeIx)>,
    /// What the fold has touched and no decision has looked at since.
    pub(super) agenda: VecDeque<Wake>,
    /// Frames that have something to start and were put off.
    pub(super) starved: Starved,
    /// Pods whose start or stop the fold has caused and nobody has fetched since.
    pub(super) outbox: VecDeque<NodeIx>,
    /// The locks that nodes of this run hold or wait for, by name.
    pub(super) locks: BTreeMap<Arc<str>, LockState>,
    /// Nodes that wait for locks, and have not begun.
    pub(super) gated: BTreeSet<NodeIx>,
    /// What is known of the locks that other runs may hold too.
    pub(super) shared: SharedLocks,
    /// Whether somebody answers questions to caches; without, nothing is taken from them or kept.
    pub(super) recalling: bool,
    /// Questions to caches that nobody has fetched since.
    pub(super) questions: BTreeSet<Memo>,
    /// Answers of caches that no call has used yet, and what this run made itself.
    pub(super) answers: BTreeMap<Memo, Recollection>,
    /// Results to be kept that nobody has fetched since.
    pub(super) memories: VecDeque<NodeIx>,
    pub(super) pods_done: u32,
    pub(super) pods_known: u32,
}

/// What may be reused: the run that made it, and its nodes by name.
pub(super) type Reuses = (Arc<str>, BTreeMap<Arc<str>, Reusable>);

/// Frames that were put off, by what they wait for: so that what comes wakes only whom it can serve.
#[derive(Default)]
pub(super) struct Starved {
    /// For the workflow's `parallelism`.
    pub of_room: BTreeSet<NodeIx>,
    /// For a template's `parallelism`, by its node.
    pub within: BTreeMap<NodeIx, BTreeSet<NodeIx>>,
    /// Those of the nodes in `within` in which a place has become free.
    pub freed: BTreeSet<NodeIx>,
    /// For the answer of a cache; a call of the run itself has no frame.
    pub of_answer: BTreeMap<Memo, BTreeSet<NodeIx>>,
}

/// Something to look at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wake {
    /// The run as a whole: its entry, hooks and exit handler.
    Run,
    /// A node.
    Node(NodeIx),
}

/// A node with what the engine keeps beside it.
pub(super) struct Slot {
    pub node: Node,
    pub caller: Caller,
    pub template: Option<TemplateIx>,
    pub texts: Vec<Arc<str>>,
    /// What the texts of its inline template name around it.
    pub outer: Option<Arc<Outer>>,
    /// A DAG's targets, where they were made of tags.
    pub targets: Option<Vec<u32>>,
    pub frame: Frame,
    /// Whether it is fulfilled and its hooks are over.
    pub settled: bool,
    /// Whether a `retry` has forgotten it.
    pub gone: bool,
    /// Whether it ran, or comes after what ran, in this run: nothing after it is reused.
    pub fresh: bool,
    /// Whether it is in the agenda.
    pub awake: bool,
    /// Whether it belongs to an exit handler, which `Stop` lets run.
    pub on_exit: bool,
    /// Its hooks' nodes that have not settled.
    pub hooks_open: u32,
    /// Its children by boundary that are not fulfilled: what `parallelism` of its template counts.
    pub children_open: u32,
    /// Its children by boundary that failed.
    pub children_bad: u32,
    /// How many templates called each other down to it.
    pub depth: u32,
    pub until: Option<Timestamp>,
    /// When its pod was first seen to run.
    pub runs_since: Option<Timestamp>,
    pub memo: Option<Memo>,
    /// The locks that it holds or waits for.
    pub locks: Vec<Arc<str>>,
}

/// Who holds a lock, and who waits for it.
#[derive(Default)]
pub(super) struct LockState {
    pub holders: BTreeSet<NodeIx>,
    pub waiters: BTreeSet<NodeIx>,
    /// Whether the run as a whole holds it.
    pub by_run: bool,
    /// How many places other runs hold, as far as it is known.
    pub others: Option<u32>,
}

/// What a run knows of the locks that other runs may hold too. None of it is in the log: the record of
/// such a lock is elsewhere, and is asked again by the next driver.
#[derive(Default)]
pub(super) struct SharedLocks {
    /// Whether places are to be asked for; without, no other run holds any.
    pub asked_for: bool,
    /// The locks of which the run may want more or fewer places than it did.
    pub news: BTreeSet<Arc<str>>,
    /// How many places were wanted when that was last said.
    pub wanted: BTreeMap<Arc<str>, u32>,
    /// The locks that the run as a whole waits for.
    pub queued_for: BTreeSet<Arc<str>>,
}

/// What a node that calls others knows of them.
pub(super) enum Frame {
    /// It calls nobody.
    Leaf,
    /// The groups so far.
    Steps(Vec<NodeIx>),
    /// A group's steps.
    Group(GroupFrame),
    /// A DAG's tasks.
    Dag(Box<DagFrame>),
    /// A looped task's items.
    Items(ItemsFrame),
    /// A node's attempts.
    Retry(Vec<NodeIx>),
}

/// The nodes of one step or task.
#[derive(Debug, Clone, Default)]
pub(super) enum Called {
    /// None yet.
    #[default]
    Not,
    /// One.
    One(NodeIx),
    /// One for each item of its loop.
    Items(Vec<NodeIx>),
}

#[derive(Default)]
pub(super) struct GroupFrame {
    pub steps: Vec<Called>,
    /// Nodes that were made and have not settled.
    pub open: u32,
    /// What is still to be called; not known until the group is looked at.
    pub todo: Option<VecDeque<super::decide::call::Todo>>,
}

#[derive(Default)]
pub(super) struct ItemsFrame {
    pub children: Vec<NodeIx>,
    pub open: u32,
    pub todo: Option<VecDeque<super::decide::call::Todo>>,
}

pub(super) struct DagFrame {
    pub tasks: Vec<TaskState>,
    /// The tasks that decide the outcome.
    pub targets: Vec<usize>,
    /// Tasks that were made and have not settled.
    pub open: u32,
    /// Tasks whose dependencies have all settled and that were not made.
    pub ready: BTreeSet<u32>,
}

#[derive(Clone, Default)]
pub(super) struct TaskState {
    pub node: Option<NodeIx>,
    /// Dependencies that have not settled.
    pub unmet: u32,
    /// Whether a target depends on it, or it is one.
    pub needed: bool,
}

impl Run {
    /// Returns the plan.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Returns the run's name.
    pub fn name(&self) -> &RunName {
        &self.name
    }

    /// Returns the run's uid.
    pub fn uid(&self) -> &RunUid {
        &self.uid
    }

    /// Returns the phase of the run.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Returns why the run is in its phase.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns when the run was submitted.
    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// Returns when the run began.
    pub fn started_at(&self) -> Option<Timestamp> {
        self.started_at
    }

    /// Returns when the run ended.
    pub fn finished_at(&self) -> Option<Timestamp> {
        self.finished_at
    }

    /// Returns when the run may be removed, as its `ttlStrategy` says. A run that Argo ended was brought
    /// here to be kept. Source: Argo's `ttl`, whose first match counts.
    pub fn expires_at(&self) -> Option<Timestamp> {
        let ttl = self.plan.spec().ttl_strategy.as_ref()?;
        let own = match self.phase {
            Phase::Failed => ttl.seconds_after_failure,
            Phase::Succeeded => ttl.seconds_after_success,
            _ => None,
        };
        let seconds = own.or(ttl.seconds_after_completion)?;
        Some(self.ended_at? + TimeSpan::from_secs(u64::try_from(seconds).unwrap_or(0)))
    }

    /// Returns whether the run is suspended as a whole.
    pub fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// Returns how the run is being ended, if it is.
    pub fn shutdown(&self) -> Option<Shutdown> {
        self.shutdown
    }

    /// Returns the outputs of the run: what `globalName` made global.
    pub fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// Returns the arguments of the run with their values.
    pub fn arguments(&self) -> &[Parameter] {
        &self.arguments
    }

    /// Returns the labels of the run.
    pub fn labels(&self) -> BTreeMap<String, String> {
        super::scope::global::labels(self)
    }

    /// Returns the nodes in the order in which they were made, without those that a retry forgot.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> + '_ {
        self.slots.iter().filter(|slot| !slot.gone).map(|slot| &slot.node)
    }

    /// Returns the node at `ix`.
    ///
    /// # Panics
    /// When the run never had such a node: places come from the run itself.
    pub fn node(&self, ix: NodeIx) -> &Node {
        &self.slot(ix).node
    }

    /// Returns the node of that full name.
    pub fn find(&self, name: &str) -> Option<&Node> {
        self.by_name.get(name).map(|ix| self.node(*ix))
    }

    /// Returns how many pods have finished, and how many are known: Argo's progress.
    pub fn progress(&self) -> (u32, u32) {
        (self.pods_done, self.pods_known)
    }

    /// Returns the nodes that were asked for and have not ended, for a relist: pods, requests, plugin calls.
    pub fn live_pods(&self) -> Vec<NodeIx> {
        self.live.iter().chain(&self.doomed).copied().collect()
    }

    /// Returns the locks that the run or its nodes hold or wait for: the name, how many hold it, how many wait.
    pub fn locks(&self) -> impl Iterator<Item = (&str, usize, usize)> + '_ {
        let state = self.locks.iter();
        state.map(|(name, state)| (&**name, state.holders.len() + usize::from(state.by_run), state.waiters.len()))
    }

    /// Says that questions to caches are answered from now on. Without it memoized templates run as if
    /// their caches were empty, and nothing is kept.
    pub fn recall(&mut self) {
        self.recalling = true;
    }

    /// Returns the questions to caches that decisions wait for, each once. Answers are
    /// [`Observation::Recalled`](super::Observation::Recalled); asking and answering twice is harmless.
    pub fn recalls(&mut self) -> Vec<Memo> {
        std::mem::take(&mut self.questions).into_iter().collect()
    }

    /// Returns what became of the calls whose results were not in their caches, as far as it was not
    /// returned before.
    pub fn memories(&mut self) -> Vec<Memory> {
        let ended = std::mem::take(&mut self.memories);
        ended.into_iter().filter_map(|ix| self.memory(ix)).collect()
    }

    fn memory(&self, ix: NodeIx) -> Option<Memory> {
        let Slot { node, memo, .. } = self.slot(ix);
        let is_new = node.phase == Phase::Succeeded && memo.as_ref().is_some_and(|memo| !memo.hit);
        let at = node.finished_at.filter(|_| is_new);
        let made = at.map(|at| Made { outputs: node.outputs.clone(), at });
        Some(Memory { memo: memo.clone()?, node: ix, made })
    }

    /// Returns where a node's result is kept, or was taken from.
    pub fn memo(&self, ix: NodeIx) -> Option<&Memo> {
        self.slot(ix).memo.as_ref()
    }

    /// Returns the suspended nodes.
    pub fn paused_nodes(&self) -> impl Iterator<Item = &Node> + '_ {
        self.paused.iter().map(|ix| self.node(*ix))
    }

    /// Returns the next instant at which [`Observation::Time`](super::Observation::Time) has
    /// something to decide.
    pub fn next_wake(&self) -> Option<Timestamp> {
        if self.phase.is_final() {
            return None;
        }
        let deadline = self.deadline.filter(|_| !self.expired);
        let timer = self.timers.first().map(|(at, _)| *at);
        deadline.into_iter().chain(timer).min()
    }

    pub(super) fn slot(&self, ix: NodeIx) -> &Slot {
        &self.slots[ix.index()]
    }

    pub(super) fn slot_mut(&mut self, ix: NodeIx) -> &mut Slot {
        &mut self.slots[ix.index()]
    }

    /// Returns the texts of a node; those of one that has attempts are the last attempt's.
    pub(super) fn last_texts<'r>(&'r self, slot: &'r Slot) -> &'r [Arc<str>] {
        match &slot.frame {
            Frame::Retry(attempts) => attempts.last().map_or(&[], |last| &self.slot(*last).texts),
            _ => &slot.texts,
        }
    }

    /// Notes that somebody is to carry the node out.
    pub(super) fn enlist(&mut self, ix: NodeIx) {
        if self.live.insert(ix) && self.node(ix).kind == NodeType::Pod {
            self.live_pods += 1;
        }
    }

    /// Notes that nobody carries the node out any more.
    pub(super) fn discharge(&mut self, ix: NodeIx) {
        if self.live.remove(&ix) && self.node(ix).kind == NodeType::Pod {
            self.live_pods -= 1;
        }
    }

    pub(super) fn find_ix(&self, name: &str) -> Option<NodeIx> {
        self.by_name.get(name).copied()
    }
}
