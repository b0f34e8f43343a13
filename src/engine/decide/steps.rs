//! Steps: groups one after the other, the steps of a group together.
//! Source: Argo's `executeSteps`, `executeStepGroup`.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Decider;
use super::call::{Outcome, Todo};
use super::loops::{Expanded, Planned};
use crate::base::NodeIx;
use crate::engine::event::{Caller, Created};
use crate::engine::model::{NodeType, Phase};
use crate::engine::run::{Called, Frame};
use crate::plan::{Body, Task};

impl Decider<'_> {
    pub(super) fn advance_steps(&mut self, ix: NodeIx) {
        let Frame::Steps(groups) = &self.run.slot(ix).frame else { return };
        let (count, last) = (groups.len(), groups.last().copied());
        let Some(last) = last else { return self.next_group(ix, 0, vec![ix]) };
        let node = self.run.node(last);
        match node.phase {
            Phase::Failed | Phase::Error => {
                let message = node.message.clone();
                self.finish(ix, Phase::Failed, message);
                self.stop_daemons(Some(ix));
            }
            Phase::Succeeded if count < self.group_count(ix) => {
                let parents = self.outbound_of_group(last);
                self.next_group(ix, count as u32, parents);
            }
            Phase::Succeeded => self.finish_group_template(ix),
            _ => {}
        }
    }

    fn group_count(&self, ix: NodeIx) -> usize {
        match self.run.template_of(ix).map(|template| &template.body) {
            Some(Body::Steps(groups)) => groups.len(),
            _ => 0,
        }
    }

    fn next_group(&mut self, steps: NodeIx, number: u32, parents: Vec<NodeIx>) {
        if self.group_count(steps) == 0 {
            return self.finish_group_template(steps);
        }
        let name = format!("{}[{number}]", self.run.node(steps).name);
        let caller = Caller::Group(steps, number);
        self.create(Created::bare(name.into(), NodeType::StepGroup, Phase::Running, caller, parents));
    }

    /// Ends a steps or DAG node well, unless its outputs cannot be had.
    pub(super) fn finish_group_template(&mut self, ix: NodeIx) {
        match self.call_outputs(ix) {
            Ok(outputs) => {
                self.finish_with(ix, Phase::Succeeded, "", outputs);
                self.share_outputs(ix);
            }
            Err(words) => self.break_down(ix, words),
        }
        self.stop_daemons(Some(ix));
    }

    /// Ends a steps or DAG node that did well, and whose outputs cannot be had, in the words of its caller.
    /// Source: what Argo's `executeDAGTask` and `executeStepGroup` make of an error of `executeTemplate`.
    fn break_down(&mut self, ix: NodeIx, words: String) {
        let name = self.run.node(ix).name.clone();
        match self.run.slot(ix).caller.clone() {
            Caller::Task(..) => self.finish(ix, Phase::Error, format!("task '{name}' errored: {words}")),
            Caller::Step(group, ..) => {
                self.finish(ix, Phase::Error, words.clone());
                self.finish(group, Phase::Error, child_broken(&name, &words));
            }
            _ => self.finish(ix, Phase::Error, words),
        }
    }

    pub(super) fn advance_group(&mut self, ix: NodeIx) {
        let Frame::Group(frame) = &mut self.run.slot_mut(ix).frame else { return };
        let todo = match frame.todo.take() {
            Some(todo) => Ok(todo),
            None => self.plan_group(ix),
        };
        match todo {
            Ok(todo) => self.start_group(ix, todo),
            Err(words) => self.finish(ix, Phase::Error, words),
        }
    }

    /// Says what a group is to call, and what it is not.
    fn plan_group(&self, ix: NodeIx) -> Result<VecDeque<Todo>, String> {
        let plan = self.plan.clone();
        let of = self.run.node(ix).boundary.expect("a group has its steps node");
        let Caller::Group(_, number) = self.run.slot(ix).caller else { return Ok(VecDeque::new()) };
        let Some(Body::Steps(groups)) = self.run.slot(of).template.map(|t| &plan.template(t).body) else {
            return Ok(VecDeque::new());
        };
        let mut todo = VecDeque::new();
        for (number, step) in groups[number as usize].iter().enumerate() {
            let caller = |item| Caller::Step(ix, number as u32, item);
            let name = self.step_name(of, step)?;
            match self.expand(of, step) {
                Expanded::Broken(words) => return Err(format!("failed to resolve references: {words}")),
                Expanded::Skipped(words) => todo.extend(self.skip(ix, caller(None), &name, words)),
                Expanded::Once(planned) => self.plan_call(ix, of, step, *planned, caller(None), &mut todo)?,
                Expanded::Each(rounds) if rounds.is_empty() => {
                    todo.extend(self.skip(ix, caller(None), &name, "Skipped, empty params".to_owned()));
                }
                Expanded::Each(rounds) => {
                    for planned in rounds {
                        let item = planned.item;
                        self.plan_call(ix, of, step, planned, caller(item), &mut todo)?;
                    }
                }
            }
        }
        Ok(todo)
    }

    fn plan_call(
        &self,
        group: NodeIx,
        of: NodeIx,
        step: &Task,
        planned: Planned,
        caller: Caller,
        todo: &mut VecDeque<Todo>,
    ) -> Result<(), String> {
        let name: Arc<str> = format!("{}.{}", self.run.node(group).name, planned.name).into();
        if self.run.find_ix(&name).is_some() {
            return Ok(());
        }
        if let Some((phase, words)) = planned.skip {
            todo.push_back(Todo::Skip(name, caller, phase, words));
            return Ok(());
        }
        let rendered = planned.what.as_ref().map_err(Clone::clone)?;
        let mut call = self.planned_call(of, step, &planned, rendered, caller, name)?;
        call.parents = vec![group];
        todo.push_back(Todo::Make(Box::new(call)));
        Ok(())
    }

    /// Says that a step is not called, unless its node says so already.
    fn skip(&self, group: NodeIx, caller: Caller, step: &str, words: String) -> Option<Todo> {
        let name: Arc<str> = format!("{}.{step}", self.run.node(group).name).into();
        self.run.find_ix(&name).is_none().then(|| Todo::Skip(name, caller, Phase::Skipped, words))
    }

    /// Makes a node that is not called.
    pub(super) fn never_run(
        &mut self,
        name: Arc<str>,
        caller: Caller,
        parents: Vec<NodeIx>,
        phase: Phase,
        words: &str,
    ) {
        let node = Created::bare(name, NodeType::Skipped, phase, caller, parents);
        self.create(Created { message: words.into(), ..node });
    }

    fn start_group(&mut self, ix: NodeIx, mut todo: VecDeque<Todo>) {
        while let Some(next) = todo.pop_front() {
            let call = match next {
                Todo::Make(call) => call,
                Todo::Skip(name, caller, phase, words) => {
                    self.never_run(name, caller, vec![ix], phase, &words);
                    if phase == Phase::Error {
                        return self.finish(ix, Phase::Error, words);
                    }
                    continue;
                }
            };
            match self.call(&call) {
                Outcome::Made => {}
                Outcome::Blocked => {
                    todo.push_front(Todo::Make(call));
                    break;
                }
                Outcome::Broken(words) => {
                    return self.finish(ix, Phase::Error, child_broken(&call.name, &words));
                }
            }
        }
        let idle = todo.is_empty();
        let Frame::Group(frame) = &mut self.run.slot_mut(ix).frame else { return };
        frame.todo = Some(todo);
        let Frame::Group(frame) = &self.run.slot(ix).frame else { return };
        if frame.open == 0 && (idle || self.is_given_up(ix)) {
            self.finish_group(ix);
        }
    }

    /// Returns whether `failFast` of the template gives the rest up: a child failed and none is at work.
    /// Source: Argo's `checkParallelism`.
    pub(super) fn is_given_up(&self, ix: NodeIx) -> bool {
        let node = self.run.node(ix);
        let of = if node.kind == NodeType::StepGroup { node.boundary } else { Some(ix) };
        let Some(of) = of else { return false };
        let fails_fast = self.run.template_of(of).is_some_and(|template| template.spec.fail_fast == Some(true));
        let slot = self.run.slot(of);
        fails_fast && slot.children_bad > 0 && slot.children_open == 0
    }

    fn finish_group(&mut self, ix: NodeIx) {
        let children = self.step_nodes(ix);
        let bad = children.iter().find(|child| {
            let slot = self.run.slot(**child);
            slot.node.phase.is_bad() && !self.continues_on(&slot.caller, slot.node.phase)
        });
        let fails_fast = self.is_given_up(ix);
        match bad {
            Some(child) if *self.run.node(*child).message == *super::TIMED_OUT => {
                self.finish(ix, Phase::Failed, super::TIMED_OUT);
            }
            Some(child) if !fails_fast || self.has_inside(*child) => {
                let words = format!("child '{}' failed", self.run.node(*child).id(self.run.name.as_str()));
                self.finish(ix, Phase::Failed, words);
            }
            // A failure that its step lets pass is one all the same.
            _ if fails_fast => self.finish(ix, Phase::Failed, super::FAILED_FAST),
            _ => self.finish(ix, Phase::Succeeded, ""),
        }
    }

    /// Returns whether a node's template has steps or tasks: Argo looks at those of it before it looks for failures.
    fn has_inside(&self, ix: NodeIx) -> bool {
        self.run.template_of(ix).is_some_and(|template| matches!(template.body, Body::Steps(_) | Body::Dag(_)))
    }

    /// Returns the nodes of a group's steps, hooks left out.
    pub(super) fn step_nodes(&self, group: NodeIx) -> Vec<NodeIx> {
        let Frame::Group(frame) = &self.run.slot(group).frame else { return Vec::new() };
        let mut nodes = Vec::new();
        for called in &frame.steps {
            match called {
                Called::Not => {}
                Called::One(ix) => nodes.push(*ix),
                Called::Items(items) => nodes.extend(items),
            }
        }
        nodes
    }

    /// Returns whether the call that made a node lets what comes after it go on when it ends so.
    pub(super) fn continues_on(&self, caller: &Caller, phase: Phase) -> bool {
        let task = self.run.task_of(caller);
        let Some(on) = task.and_then(|task| task.spec.continue_on.as_ref()) else { return false };
        match phase {
            Phase::Failed => on.failed == Some(true),
            Phase::Error => on.error == Some(true),
            _ => false,
        }
    }

    fn outbound_of_group(&self, group: NodeIx) -> Vec<NodeIx> {
        let children = self.step_nodes(group);
        if children.is_empty() {
            return vec![group];
        }
        let mut outbound = Vec::new();
        for child in children {
            self.outbound(child, &mut outbound);
        }
        outbound
    }

    /// Collects the nodes that what comes after `ix` is linked below. Source: Argo's `getOutboundNodes`.
    pub(super) fn outbound(&self, ix: NodeIx, into: &mut Vec<NodeIx>) {
        let slot = self.run.slot(ix);
        match &slot.frame {
            Frame::Leaf if self.has_containers(ix) => self.last_containers(ix, into),
            Frame::Leaf | Frame::Group(_) => into.push(ix),
            Frame::Items(frame) if frame.children.is_empty() => into.push(ix),
            Frame::Items(frame) => frame.children.iter().for_each(|child| self.outbound(*child, into)),
            // A result that was taken from a cache has nothing inside.
            _ if slot.memo.as_ref().is_some_and(|memo| memo.hit) => into.push(ix),
            Frame::Retry(_) => into.extend(slot.node.children.last()),
            Frame::Steps(groups) => match groups.last() {
                Some(last) => self.step_nodes(*last).into_iter().for_each(|child| self.outbound(child, into)),
                None => into.push(ix),
            },
            Frame::Dag(frame) => {
                let targets = frame.targets.iter().filter_map(|target| frame.tasks[*target].node);
                targets.for_each(|target| self.outbound(target, into));
            }
        }
    }
}

fn child_broken(child: &str, words: &str) -> String {
    format!("step group deemed errored due to child {child} error: {words}")
}
