//! What must hold whatever happens, checked after every append, at every action, and at the end.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::world::World;
use crate::base::NodeIx;
use crate::engine::{Batch, Event, Phase, PodRequest, Run};
use crate::store::Stored;

/// Watches a run from outside: what its log has said, and what was done about it.
#[derive(Clone)]
pub(super) struct Checker {
    world: World,
    state: Rc<RefCell<State>>,
}

#[derive(Default)]
struct State {
    /// The records that were durable when somebody was told so, in order.
    acknowledged: Vec<Vec<Batch>>,
    nodes: Vec<Seen>,
    /// How many pods of a name were made since the last `retry` that forgot it.
    starts: BTreeMap<Arc<str>, u32>,
}

struct Seen {
    name: Arc<str>,
    finished: Option<Phase>,
    by_decree: bool,
}

impl Checker {
    pub(super) fn new(world: &World) -> Self {
        Self { world: world.clone(), state: Rc::default() }
    }

    /// A driver begins with what it read: all that was ever acknowledged must be there.
    pub(super) fn loads(&self, stored: &Stored) {
        let state = &mut *self.state.borrow_mut();
        let kept = stored.records.iter().map(|record| &record.batches);
        if state.acknowledged.len() > stored.records.len() {
            let (had, has) = (state.acknowledged.len(), stored.records.len());
            self.world.violation(format!("{had} records were durable, {has} are left"));
        }
        if let Some(at) = state.acknowledged.iter().zip(kept.clone()).position(|(had, has)| had != has) {
            self.world.violation(format!("record {} is not what was made durable", at + 1));
        }
        let fresh: Vec<_> = kept.skip(state.acknowledged.len()).cloned().collect();
        fresh.into_iter().for_each(|batches| self.take(state, batches));
    }

    /// A driver says that a record is durable.
    pub(super) fn appended(&self, batches: &[Batch]) {
        self.take(&mut self.state.borrow_mut(), batches.to_vec());
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
        match event {
            Event::Created(created) => {
                let finished = created.phase.is_final().then_some(created.phase);
                state.nodes.push(Seen { name: created.name.clone(), finished, by_decree: false });
            }
            Event::Finished { n, p, decree, .. } => match state.nodes.get_mut(n.index()) {
                Some(node) if node.finished.is_none() => {
                    node.finished = Some(*p);
                    node.by_decree = *decree;
                }
                Some(node) => self.world.violation(format!("node {} `{}` ends twice", n, node.name)),
                None => self.world.violation(format!("node {n} ends and was never made")),
            },
            Event::Retried { gone, open, .. } => {
                for node in gone {
                    let name = state.nodes[node.index()].name.clone();
                    state.starts.remove(&name);
                }
                open.iter().for_each(|node| state.nodes[node.index()].finished = None);
            }
            _ => {}
        }
    }

    /// A driver asks the backend for a pod: the log must have asked for it, durably, and not have
    /// seen it end.
    pub(super) fn may_start(&self, request: &PodRequest) {
        match self.state.borrow().nodes.get(request.node.index()) {
            None => self.world.violation(format!("pod {} starts before its record is durable", request.node)),
            Some(node) if node.name != request.node_name => {
                self.world.violation(format!(
                    "pod {} is `{}`, in the log it is `{}`",
                    request.node, request.node_name, node.name
                ));
            }
            Some(node) if node.finished.is_some() => {
                self.world.violation(format!("pod {} of `{}` starts after its end", request.node, node.name));
            }
            Some(_) => {}
        }
    }

    /// A driver asks the backend to stop a pod: the log must have ended it, and by decree.
    pub(super) fn may_stop(&self, node: NodeIx) {
        let state = self.state.borrow();
        if !state.nodes.get(node.index()).is_some_and(|node| node.finished.is_some() && node.by_decree) {
            self.world.violation(format!("pod {node} is stopped, and the log does not say why"));
        }
    }

    /// A pod is really made.
    pub(super) fn starts(&self, name: &Arc<str>) {
        let state = &mut *self.state.borrow_mut();
        let starts = state.starts.entry(name.clone()).or_default();
        *starts += 1;
        if *starts > 1 {
            self.world.violation(format!("`{name}` runs a second time"));
        }
    }

    /// Returns how many pods were made.
    pub(super) fn pods(&self) -> u32 {
        self.state.borrow().starts.values().sum()
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

/// Returns the phases of a run's nodes by name.
pub(super) fn phases(run: &Run) -> BTreeMap<String, Phase> {
    run.nodes().map(|node| (node.name.to_string(), node.phase)).collect()
}
