//! What must hold whatever happens, checked after every append, at every action, and at the end.

use std::cell::{RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use super::generate::{RUNNING_HOOK, SEMAPHORE_PLACES};
use super::world::{Pid, World};
use crate::base::{NodeIx, RunUid};
use crate::engine::{Batch, Event, Node, NodeType, Phase, PodRequest, Run};
use crate::store::Stored;

/// Watches a run from outside: what its log has said, and what was done about it.
#[derive(Clone)]
pub(super) struct Checker {
    world: World,
    /// What is known of each run of the name, by its uid: people may delete one, and submit it again.
    runs: Rc<RefCell<BTreeMap<String, State>>>,
    /// The run that each process knows.
    run_of: Rc<RefCell<BTreeMap<Pid, String>>>,
    /// How many pods of a name were made since the last `retry` that forgot it.
    starts: Rc<RefCell<BTreeMap<Arc<str>, u32>>>,
}

#[derive(Default)]
struct State {
    /// The records that were durable when somebody was told so, in order.
    acknowledged: Vec<Vec<Batch>>,
    /// How many of them each process knows.
    known: BTreeMap<Pid, usize>,
    nodes: Vec<Seen>,
    /// The nodes that hold each lock.
    holders: BTreeMap<Arc<str>, BTreeSet<usize>>,
    is_suspended: bool,
}

struct Seen {
    name: Arc<str>,
    /// The record that made it.
    made_by: usize,
    /// The record that ended it.
    ended_by: Option<usize>,
    by_decree: bool,
    locks: Vec<Arc<str>>,
}

impl Checker {
    pub(super) fn new(world: &World) -> Self {
        Self { world: world.clone(), runs: Rc::default(), run_of: Rc::default(), starts: Rc::default() }
    }

    /// Returns what is known of the run that a process knows.
    fn state(&self, pid: Pid) -> RefMut<'_, State> {
        let uid = self.run_of.borrow().get(&pid).cloned().unwrap_or_default();
        RefMut::map(self.runs.borrow_mut(), |runs| runs.entry(uid).or_default())
    }

    /// A driver begins with what it read: all that was ever acknowledged must be there, unless others may
    /// have gone on since it read.
    pub(super) fn loads(&self, pid: Pid, stored: &Stored, may_be_old: bool) {
        self.run_of.borrow_mut().insert(pid, stored.header.uid.to_string());
        let state = &mut *self.state(pid);
        let kept = stored.records.iter().map(|record| &record.batches);
        if state.acknowledged.len() > stored.records.len() && !may_be_old {
            let (had, has) = (state.acknowledged.len(), stored.records.len());
            self.world.violation(format!("{had} records were durable, {has} are left"));
        }
        if let Some(at) = state.acknowledged.iter().zip(kept.clone()).position(|(had, has)| had != has) {
            self.world.violation(format!("record {} is not what was made durable", at + 1));
        }
        let fresh: Vec<_> = kept.skip(state.acknowledged.len()).cloned().collect();
        fresh.into_iter().for_each(|batches| self.take(state, batches));
        state.known.insert(pid, stored.records.len());
    }

    /// A driver begins with a run that it has made itself.
    pub(super) fn creates(&self, pid: Pid, uid: &RunUid) {
        self.run_of.borrow_mut().insert(pid, uid.to_string());
        self.state(pid).known.insert(pid, 0);
    }

    /// A driver says that a record is durable. One that took over may know it already.
    pub(super) fn appended(&self, pid: Pid, batches: &[Batch]) {
        let state = &mut *self.state(pid);
        let at = state.known.get(&pid).copied().unwrap_or_default();
        match state.acknowledged.get(at) {
            Some(known) if known != batches => {
                self.world.violation(format!("record {} is durable twice, and not the same", at + 1));
            }
            Some(_) => {}
            None => self.take(state, batches.to_vec()),
        }
        state.known.insert(pid, at + 1);
    }

    /// Returns how many records a process knows.
    pub(super) fn knows(&self, pid: Pid) -> usize {
        self.state(pid).known.get(&pid).copied().unwrap_or_default()
    }

    fn take(&self, state: &mut State, batches: Vec<Batch>) {
        let last = state.acknowledged.iter().rev().flatten().next_back().map(|batch| batch.at);
        if batches.first().is_some_and(|batch| Some(batch.at) < last) {
            self.world.violation("time goes back in the log".to_owned());
        }
        for event in batches.iter().flat_map(|batch| &batch.events) {
            self.event(state, event);
        }
        self.world.detail(|| format!("record {}", serde_json::to_string(&batches).unwrap_or_default()));
        state.acknowledged.push(batches);
    }

    fn event(&self, state: &mut State, event: &Event) {
        let record = state.acknowledged.len();
        match event {
            Event::Created(created) => {
                let ended_by = created.phase.is_final().then_some(record);
                let (name, locks) = (created.name.clone(), created.locks.clone());
                if state.is_suspended {
                    self.world.violation(format!("`{name}` is made while the run is suspended"));
                }
                state.nodes.push(Seen { name, made_by: record, ended_by, by_decree: false, locks });
                if ended_by.is_none() && !created.waits {
                    self.holds(state, state.nodes.len() - 1);
                }
            }
            Event::Acquired { n, .. } => self.holds(state, n.index()),
            Event::Suspended => state.is_suspended = true,
            Event::Resumed | Event::Shutdown { .. } => state.is_suspended = false,
            Event::Finished { n, decree, .. } => {
                state.holders.values_mut().for_each(|nodes| nodes.retain(|node| *node != n.index()));
                self.ends(state, *n, *decree, record);
            }
            Event::Retried { gone, open, .. } => {
                state.is_suspended = false;
                for node in gone {
                    let name = state.nodes[node.index()].name.clone();
                    self.starts.borrow_mut().remove(&name);
                }
                open.iter().for_each(|node| state.nodes[node.index()].ended_by = None);
            }
            _ => {}
        }
    }

    fn ends(&self, state: &mut State, n: NodeIx, by_decree: bool, record: usize) {
        match state.nodes.get_mut(n.index()) {
            Some(node) if node.ended_by.is_none() => {
                node.ended_by = Some(record);
                node.by_decree = by_decree;
            }
            Some(node) => self.world.violation(format!("node {} `{}` ends twice", n, node.name)),
            None => self.world.violation(format!("node {n} ends and was never made")),
        }
    }

    /// I6: one holds a mutex at a time, and as many a semaphore as it has places.
    fn holds(&self, state: &mut State, node: usize) {
        for lock in state.nodes[node].locks.clone() {
            let holders = state.holders.entry(lock.clone()).or_default();
            holders.insert(node);
            let places = if lock.contains("/Mutex/") { 1 } else { SEMAPHORE_PLACES };
            if holders.len() > places {
                self.world.violation(format!("{} nodes hold `{lock}`", holders.len()));
            }
        }
    }

    /// I6: no more runs at a time than `parallelism` says, of the run and of each template.
    pub(super) fn within_limits(&self, run: &Run) {
        let spec = &run.plan().resolved.spec;
        let is_over = |count: usize, most: Option<i64>| most.is_some_and(|most| count as i64 > most.max(1));
        // Those that were ended by decree are on their way out.
        let pods = run.live_pods().into_iter().filter(|ix| !run.node(*ix).phase.is_final()).count();
        if is_over(pods, spec.parallelism) {
            self.world.violation(format!("{pods} pods are under way"));
        }
        let limited = spec.templates.iter().filter(|template| template.parallelism.is_some());
        for template in limited {
            let name = template.name.as_deref().unwrap_or_default();
            for caller in run.nodes().filter(|node| &*node.template == name && !node.phase.is_final()) {
                let is_child = |kind| matches!(kind, NodeType::Pod | NodeType::Steps | NodeType::Dag);
                // As in Argo, a further attempt does not wait for a place; nor do hooks, however often they try.
                let at_work = |node: &&Node| {
                    let is_open = is_child(node.kind) && !node.phase.is_final();
                    node.boundary == Some(caller.ix)
                        && is_open
                        && (!node.name.ends_with(')') || node.name.ends_with("(0)"))
                        && ![".onExit", ".hooks."].iter().any(|hook| node.name[caller.name.len()..].contains(hook))
                };
                let children = run.nodes().filter(at_work).count();
                if is_over(children, template.parallelism) {
                    self.world.violation(format!("{children} children of `{}` are under way", caller.name));
                }
            }
        }
    }

    /// A driver asks the backend for a pod: the log that it knows must have asked for it, and not have
    /// seen it end.
    pub(super) fn may_start(&self, pid: Pid, request: &PodRequest) {
        let (known, state) = (self.knows(pid), self.state(pid));
        match state.nodes.get(request.node.index()).filter(|node| node.made_by < known) {
            None => self.world.violation(format!("pod {} starts before its record is durable", request.node)),
            Some(node) if node.name != request.node_name => {
                self.world.violation(format!(
                    "pod {} is `{}`, in the log it is `{}`",
                    request.node, request.node_name, node.name
                ));
            }
            Some(node) if node.ended_by.is_some_and(|record| record < known) => {
                self.world.violation(format!("pod {} of `{}` starts after its end", request.node, node.name));
            }
            Some(_) => {}
        }
    }

    /// A driver asks the backend to stop a pod: the log that it knows must have ended it, and by decree.
    pub(super) fn may_stop(&self, pid: Pid, node: NodeIx) {
        let (known, state) = (self.knows(pid), self.state(pid));
        let may = |node: &Seen| node.by_decree && node.ended_by.is_some_and(|record| record < known);
        if !state.nodes.get(node.index()).is_some_and(may) {
            self.world.violation(format!("pod {node} is stopped, and the log does not say why"));
        }
    }

    /// A pod is really made.
    pub(super) fn starts(&self, name: &Arc<str>) {
        let mut starts = self.starts.borrow_mut();
        let starts = starts.entry(name.clone()).or_default();
        *starts += 1;
        if *starts > 1 {
            self.world.violation(format!("`{name}` runs a second time"));
        }
    }

    /// Returns how many pods were made.
    pub(super) fn pods(&self) -> u32 {
        self.starts.borrow().values().sum()
    }

    /// A drive has ended: what the driver held must be what its log folds to.
    pub(super) fn folds_to(&self, held: &Run, folded: &Run) {
        let (held, folded) = (picture(held), picture(folded));
        if held != folded {
            let first = held.iter().zip(&folded).find(|(held, folded)| held != folded);
            self.world.violation(format!("the log folds to another run than was driven: {first:?}"));
        }
    }
}

/// Returns all of a run that can be seen, as lines.
pub(super) fn picture(run: &Run) -> Vec<String> {
    let head =
        format!("{} {} {:?} {:?} {:?}", run.phase(), run.message(), run.started_at(), run.finished_at(), run.outputs());
    [head].into_iter().chain(run.nodes().map(|node| format!("{node:?}"))).collect()
}

/// Returns the nodes that a run has whatever is faster: a hook that waits for a node to run comes only where
/// somebody sees it run.
fn sure_nodes(run: &Run) -> impl Iterator<Item = &Node> {
    run.nodes().filter(|node| !node.name.contains(RUNNING_HOOK))
}

/// Returns the phases of a run's nodes by name.
pub(super) fn phases(run: &Run) -> BTreeMap<String, Phase> {
    sure_nodes(run).map(|node| (node.name.to_string(), node.phase)).collect()
}

/// Returns what a run's nodes handed out, by name.
pub(super) fn outputs(run: &Run) -> BTreeMap<String, String> {
    // An exit code is not always known: of a pod that nobody saw end, its Job says only whether it went well.
    let made = sure_nodes(run).filter_map(|node| {
        let outputs = node.outputs.as_ref()?;
        let is_empty = outputs.parameters.is_empty() && outputs.artifacts.is_empty() && outputs.result.is_none();
        if is_empty {
            return None;
        }
        let shown = format!("{:?} {:?} {:?}", outputs.parameters, outputs.artifacts, outputs.result);
        Some((node.name.to_string(), shown))
    });
    made.collect()
}
