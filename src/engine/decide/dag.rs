//! DAGs: each task as soon as its `depends` can be judged. Source: Argo's `executeDAG`,
//! `executeDAGTask`, `evaluateDependsLogic`, `assessDAGPhase`.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::Decider;
use super::call::{Call, Outcome, Todo};
use super::loops::{Expanded, Planned};
use crate::base::NodeIx;
use crate::engine::event::{Caller, Created};
use crate::engine::model::{NodeType, Phase};
use crate::engine::run::Frame;
use crate::engine::scope::inner::{Chain, Inner};
use crate::engine::value::Inputs;
use crate::expr::Unresolved;
use crate::expr::depends::TaskResult;
use crate::plan::{Body, Dag, Plan, Task, TaskIx};
use crate::spec;

impl Decider<'_> {
    pub(super) fn advance_dag(&mut self, ix: NodeIx) {
        let plan = self.plan.clone();
        let Some(dag) = self.dag(&plan, ix) else { return };
        while let Some(task) = self.ready_task(ix) {
            if !self.start_task(ix, dag, task) {
                break;
            }
        }
        if self.is_given_up(ix) {
            return self.finish(ix, Phase::Failed, super::FAILED_FAST);
        }
        let Frame::Dag(frame) = &self.run.slot(ix).frame else { return };
        if frame.open == 0 && frame.ready.is_empty() {
            self.finish_dag(ix, dag);
        }
    }

    /// Returns the targets of a DAG whose `target` has tags; an unknown name is refused in words.
    pub(super) fn targets(&self, dag: &Dag, inputs: &Arc<Inputs>) -> Result<Option<Vec<u32>>, String> {
        let Some(text) = &dag.target_text else { return Ok(None) };
        let blank = spec::Template::default();
        let inner = Inner { template: &blank, inputs, locals: &[] };
        let global = self.global();
        let named = text.render(&Chain(&[&inner, &global]), Unresolved::Refuse, &self.ambient(0));
        let named = named.map_err(|fault| fault.to_string())?;
        let find = |name: &str| match dag.by_name.get(name) {
            Some(task) => Ok(*task as u32),
            None => Err(format!("target `{name}` is not a task of the DAG")),
        };
        named.split_whitespace().map(find).collect::<Result<_, _>>().map(Some)
    }

    fn dag<'p>(&self, plan: &'p Plan, ix: NodeIx) -> Option<&'p Dag> {
        match &plan.template(self.run.slot(ix).template?).body {
            Body::Dag(dag) => Some(dag),
            _ => None,
        }
    }

    /// Returns whether the run is being ended, and this DAG with it: its pods fail as they are made.
    fn is_shut_down(&self, ix: NodeIx) -> bool {
        match self.run.shutdown {
            Some(crate::engine::run::Shutdown::Terminate) => true,
            Some(crate::engine::run::Shutdown::Stop) => !self.run.slot(ix).on_exit,
            None => false,
        }
    }

    fn ready_task(&self, ix: NodeIx) -> Option<TaskIx> {
        match &self.run.slot(ix).frame {
            Frame::Dag(frame) => frame.ready.first().map(|task| *task as usize),
            _ => None,
        }
    }

    /// Makes a task's node; false when there is no room for it.
    fn start_task(&mut self, ix: NodeIx, dag: &Dag, number: TaskIx) -> bool {
        let task = &dag.tasks[number];
        let name: Arc<str> = format!("{}.{}", self.run.node(ix).name, task.name).into();
        let caller = Caller::Task(ix, number as u32, None);
        let parents = self.task_parents(ix, dag, number);
        if !self.depends_holds(ix, dag, number) {
            self.never_run(name, caller, parents, Phase::Omitted, "omitted: depends condition not met");
            return true;
        }
        match self.expand(ix, task) {
            Expanded::Broken(words) => self.never_run(name, caller, parents, Phase::Error, &words),
            Expanded::Skipped(words) => self.never_run(name, caller, parents, Phase::Skipped, &words),
            Expanded::Once(planned) => return self.start_once(ix, task, *planned, caller, parents, name),
            Expanded::Each(rounds) if rounds.is_empty() => {
                self.never_run(name, caller, parents, Phase::Skipped, "Skipped, empty params");
            }
            Expanded::Each(rounds) => self.start_loop(ix, task, number, rounds, parents, name),
        }
        true
    }

    fn start_once(
        &mut self,
        ix: NodeIx,
        task: &Task,
        planned: Planned,
        caller: Caller,
        parents: Vec<NodeIx>,
        name: Arc<str>,
    ) -> bool {
        let rendered = planned.what.as_ref().map_err(Clone::clone);
        let call =
            rendered.and_then(|rendered| self.planned_call(ix, task, &planned, rendered, caller.clone(), name.clone()));
        match call {
            Ok(call) => !matches!(self.call(&Call { parents, ..call }), Outcome::Blocked),
            Err(words) => {
                self.never_run(name, caller, parents, Phase::Error, &words);
                true
            }
        }
    }

    fn start_loop(
        &mut self,
        ix: NodeIx,
        task: &Task,
        number: TaskIx,
        rounds: VecDeque<Planned>,
        parents: Vec<NodeIx>,
        name: Arc<str>,
    ) {
        let caller = Caller::Task(ix, number as u32, None);
        let group = self.create(Created::bare(name, NodeType::TaskGroup, Phase::Running, caller, parents));
        let todo = self.plan_rounds(ix, task, number as u32, group, rounds);
        if let Frame::Items(frame) = &mut self.run.slot_mut(group).frame {
            frame.todo = Some(todo);
        }
    }

    /// Says what a loop is to call, and which rounds it is not.
    fn plan_rounds(
        &self,
        ix: NodeIx,
        task: &Task,
        number: u32,
        group: NodeIx,
        rounds: VecDeque<Planned>,
    ) -> VecDeque<Todo> {
        let mut todo = VecDeque::new();
        for planned in rounds {
            let name: Arc<str> = format!("{}.{}", self.run.node(ix).name, planned.name).into();
            if self.run.find_ix(&name).is_some() {
                continue;
            }
            let caller = Caller::Task(ix, number, planned.item);
            if let Some((phase, words)) = planned.skip {
                todo.push_back(Todo::Skip(name, caller, phase, words));
                continue;
            }
            let rendered = planned.what.as_ref().map_err(Clone::clone);
            let call = rendered
                .and_then(|rendered| self.planned_call(ix, task, &planned, rendered, caller.clone(), name.clone()));
            match call {
                Ok(call) => todo.push_back(Todo::Make(Box::new(Call { parents: vec![group], ..call }))),
                Err(words) => todo.push_back(Todo::Skip(name, caller, Phase::Error, words)),
            }
        }
        todo
    }

    pub(super) fn advance_items(&mut self, ix: NodeIx) {
        let Frame::Items(frame) = &mut self.run.slot_mut(ix).frame else { return };
        let known = frame.todo.take();
        let mut todo = known.unwrap_or_else(|| self.plan_rounds_again(ix));
        let boundary = self.run.node(ix).boundary.expect("a task has its DAG");
        while let Some(next) = todo.pop_front() {
            match next {
                Todo::Skip(name, caller, phase, words) => self.never_run(name, caller, vec![ix], phase, &words),
                Todo::Make(call) => {
                    if matches!(self.call(&call), Outcome::Blocked) {
                        todo.push_front(Todo::Make(call));
                        break;
                    }
                }
            }
        }
        let idle = todo.is_empty();
        let Frame::Items(frame) = &mut self.run.slot_mut(ix).frame else { return };
        frame.todo = Some(todo);
        if idle && frame.open == 0 {
            let children = frame.children.clone();
            let bad = children.iter().rev().map(|child| self.run.node(*child).phase).find(|phase| phase.is_bad());
            self.finish(ix, bad.unwrap_or(Phase::Succeeded), "");
        } else if self.is_given_up(boundary) {
            self.finish(ix, Phase::Failed, "");
        }
    }

    /// After a take-over what was still to be called is said again.
    fn plan_rounds_again(&self, group: NodeIx) -> VecDeque<Todo> {
        let plan = self.plan.clone();
        let Caller::Task(dag_ix, number, _) = self.run.slot(group).caller else { return VecDeque::new() };
        let Some(dag) = self.dag(&plan, dag_ix) else { return VecDeque::new() };
        let task = &dag.tasks[number as usize];
        match self.expand(dag_ix, task) {
            Expanded::Each(rounds) => self.plan_rounds(dag_ix, task, number, group, rounds),
            _ => VecDeque::new(),
        }
    }

    fn task_parents(&self, ix: NodeIx, dag: &Dag, number: TaskIx) -> Vec<NodeIx> {
        let Frame::Dag(frame) = &self.run.slot(ix).frame else { return Vec::new() };
        if dag.parents[number].is_empty() {
            return vec![ix];
        }
        let mut outbound = Vec::new();
        for parent in dag.parents[number].iter().filter_map(|parent| frame.tasks[*parent].node) {
            self.outbound(parent, &mut outbound);
        }
        let mut seen = BTreeSet::new();
        outbound.retain(|node| seen.insert(*node));
        outbound
    }

    fn depends_holds(&self, ix: NodeIx, dag: &Dag, number: TaskIx) -> bool {
        let Some(depends) = &dag.depends[number] else { return true };
        depends.eval(&|name, result| {
            let Some(task) = dag.by_name.get(name).copied() else { return false };
            let Some(node) = self.run.task_node(ix, task as u32) else { return false };
            match result {
                Some(result) => self.task_came_to(node, result),
                None => {
                    let on = dag.tasks[task].spec.continue_on.as_ref();
                    let error = on.is_some_and(|on| on.error == Some(true));
                    let failed = on.is_some_and(|on| on.failed == Some(true));
                    TaskResult::bare(error, failed).any(|result| self.task_came_to(node, result))
                }
            }
        })
    }

    fn task_came_to(&self, ix: NodeIx, result: TaskResult) -> bool {
        let slot = self.run.slot(ix);
        let children = || match &slot.frame {
            Frame::Items(frame) => frame.children.iter().map(|child| self.run.node(*child).phase).collect(),
            _ => Vec::new(),
        };
        match result {
            TaskResult::Succeeded => slot.node.phase == Phase::Succeeded,
            TaskResult::Failed => slot.node.phase == Phase::Failed,
            TaskResult::Errored => slot.node.phase == Phase::Error,
            TaskResult::Skipped => slot.node.phase == Phase::Skipped,
            TaskResult::Omitted => slot.node.phase == Phase::Omitted,
            TaskResult::Daemoned => slot.node.daemoned && slot.node.phase != Phase::Pending,
            TaskResult::AnySucceeded => children().contains(&Phase::Succeeded),
            TaskResult::AllFailed => {
                let phases: Vec<Phase> = children();
                !phases.is_empty() && phases.iter().all(|phase| *phase == Phase::Failed)
            }
        }
    }

    fn finish_dag(&mut self, ix: NodeIx, dag: &Dag) {
        let phase = if self.is_shut_down(ix) { Phase::Failed } else { self.assess(ix, dag) };
        match phase {
            Phase::Succeeded => self.finish_group_template(ix),
            phase => {
                self.finish(ix, phase, "");
                self.stop_daemons(Some(ix));
            }
        }
    }

    /// Returns the phase of a DAG all of whose tasks are over: that of the first bad target, where a
    /// task that never ran passes on how the branches came out that lead to it.
    fn assess(&self, ix: NodeIx, dag: &Dag) -> Phase {
        let mut known: Vec<Option<Phase>> = vec![None; dag.tasks.len()];
        let mut result = Phase::Succeeded;
        let Frame::Dag(frame) = &self.run.slot(ix).frame else { return Phase::Error };
        for target in &frame.targets {
            let phase = self.branch_phase(ix, dag, *target, &mut known);
            let continues = || {
                let caller = Caller::Task(ix, *target as u32, None);
                self.continues_on(&caller, phase)
            };
            if phase.is_bad() && !continues() {
                result = phase;
                let fails_fast = self.run.template_of(ix).and_then(|t| t.spec.dag.as_ref()?.fail_fast);
                if fails_fast != Some(false) {
                    break;
                }
            }
        }
        result
    }

    /// Each task is looked at once; the walk keeps its own stack, since chains are long.
    fn branch_phase(&self, ix: NodeIx, dag: &Dag, target: TaskIx, known: &mut [Option<Phase>]) -> Phase {
        let mut stack = vec![(target, false)];
        while let Some((task, parents_known)) = stack.pop() {
            if known[task].is_some() {
                continue;
            }
            let node = self.run.task_node(ix, task as u32).map(|node| self.run.node(node));
            let own = node
                .map(|node| node.phase)
                .filter(|phase| matches!(phase, Phase::Succeeded | Phase::Failed | Phase::Error));
            if own.is_some() || parents_known {
                let inherited = || dag.parents[task].iter().filter_map(|parent| known[*parent]).find(|p| p.is_bad());
                known[task] = own.or_else(inherited).or(Some(Phase::Succeeded));
            } else {
                stack.push((task, true));
                stack.extend(dag.parents[task].iter().map(|parent| (*parent, false)));
            }
        }
        known[target].unwrap_or(Phase::Succeeded)
    }
}
