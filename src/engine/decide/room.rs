//! Room: `parallelism` of the workflow and of templates, and who goes on when there is some again.
//! Source: Argo's `checkParallelism`.
//!
//! **Invariant:** a place that becomes free wakes one frame that waits for it, not all.

use super::Decider;
use crate::base::NodeIx;
use crate::engine::event::Caller;
use crate::engine::fold::caller_node;
use crate::engine::memo::Memo;
use crate::engine::run::Wake;

/// Why a call is put off.
pub(super) enum Block {
    /// The workflow's `parallelism`.
    Workflow,
    /// The `parallelism` or `failFast` of the template of that node.
    Template(NodeIx),
    /// A cache has not answered yet.
    Answer(Memo),
}

impl Decider<'_> {
    /// Returns what keeps a call from being made now. Under `failFast` nothing comes in after a failure.
    pub(super) fn crowded(&self, caller: &Caller) -> Option<Block> {
        if !self.workflow_has_room() {
            return Some(Block::Workflow);
        }
        let boundary = self.boundary(caller)?;
        let is_open = match caller {
            // What is to be done about a failure is not given up because of it.
            Caller::Hook(..) => self.template_has_place(boundary),
            _ => self.template_has_room(boundary),
        };
        (!is_open).then_some(Block::Template(boundary))
    }

    /// Notes that the frame of a call is to be looked at when what keeps it is gone.
    pub(super) fn starve(&mut self, caller: &Caller, block: Block) {
        let Some(mut frame) = caller_node(caller) else { return };
        if let Caller::Task(dag, task, Some(_)) = caller {
            frame = self.run.task_node(*dag, *task).unwrap_or(*dag);
        }
        self.put_off(frame, block);
    }

    pub(super) fn put_off(&mut self, frame: NodeIx, block: Block) {
        let starved = &mut self.run.starved;
        match block {
            Block::Workflow => starved.of_room.insert(frame),
            Block::Template(boundary) => starved.within.entry(boundary).or_default().insert(frame),
            Block::Answer(memo) => starved.of_answer.entry(memo).or_default().insert(frame),
        };
    }

    /// Wakes one frame for which there is room now; false when there is none.
    pub(super) fn feed(&mut self) -> bool {
        if self.workflow_has_room()
            && let Some(frame) = self.run.starved.of_room.pop_first()
        {
            self.run.wake(Wake::Node(frame));
            return true;
        }
        while let Some(boundary) = self.run.starved.freed.first().copied() {
            let has_room = self.template_has_room(boundary);
            let starved = &mut self.run.starved;
            match starved.within.get_mut(&boundary).filter(|_| has_room).and_then(|frames| frames.pop_first()) {
                Some(frame) => {
                    self.run.wake(Wake::Node(frame));
                    return true;
                }
                None => {
                    starved.freed.remove(&boundary);
                    if starved.within.get(&boundary).is_some_and(|frames| frames.is_empty()) {
                        starved.within.remove(&boundary);
                    }
                }
            }
        }
        false
    }

    /// Wakes all that was put off: for the rare event that changes what everybody waits for.
    pub(super) fn feed_all(&mut self) {
        let starved = std::mem::take(&mut self.run.starved);
        let frames = starved.of_room.into_iter().chain(starved.within.into_values().flatten());
        for frame in frames.chain(starved.of_answer.into_values().flatten()) {
            self.run.wake(Wake::Node(frame));
        }
    }

    pub(super) fn workflow_has_room(&self) -> bool {
        let taken = self.run.live_pods as usize + self.run.let_in.len();
        self.plan.spec().parallelism.is_none_or(|most| (taken as i64) < most)
    }

    fn template_has_room(&self, boundary: NodeIx) -> bool {
        let slot = self.run.slot(boundary);
        let Some(template) = self.run.template_of(boundary) else { return true };
        let failed_fast = template.spec.fail_fast == Some(true) && slot.children_bad > 0;
        !failed_fast && self.template_has_place(boundary)
    }

    fn template_has_place(&self, boundary: NodeIx) -> bool {
        let open = i64::from(self.run.slot(boundary).children_open);
        self.run.template_of(boundary).and_then(|template| template.spec.parallelism).is_none_or(|most| open < most)
    }

    fn boundary(&self, caller: &Caller) -> Option<NodeIx> {
        match caller {
            Caller::Task(dag, ..) => Some(*dag),
            Caller::Step(group, ..) => self.run.node(*group).boundary,
            Caller::Hook(node, _) => self.run.node(*node).boundary,
            // An attempt takes the place that its retry node had.
            _ => None,
        }
    }
}
