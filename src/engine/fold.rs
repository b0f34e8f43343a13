//! `apply`: from a run and an event to the run after it. It folds, and decides nothing.
//!
//! **Invariant:** no expression is evaluated here, and nothing is touched but the event's node, its
//! callers, and the counters of what waits for it.

mod birth;

use std::sync::Arc;

use super::event::{Batch, Caller, Created, Event, Imported, ImportedNode};
use super::memo::Recollection;
use super::model::{NodeType, Phase, Waiting};
use super::run::{Called, DagFrame, Frame, Run, TaskState, Wake};
use super::scope::global;
use super::value::{Outputs, Parameter};
use crate::base::{NodeIx, RunName, RunUid, TimeSpan, Timestamp};
use crate::plan::{Body, Plan, Task};
use crate::spec;

impl Run {
    /// Returns a run of `plan` to which nothing has happened yet.
    pub fn new(plan: Arc<Plan>, name: RunName, uid: RunUid, created_at: Timestamp) -> Self {
        let mut run = Self {
            home: super::scope::words(&crate::plan::Scope::Local, name.as_str()),
            plan,
            name,
            uid,
            created_at,
            arguments: Vec::new(),
            phase: Phase::Pending,
            message: "".into(),
            started_at: None,
            finished_at: None,
            ended_at: None,
            deadline: None,
            expired: false,
            suspended: false,
            shutdown: None,
            shutdown_message: "".into(),
            outputs: Outputs::default(),
            reuses: None,
            slots: Vec::new(),
            by_name: Default::default(),
            live: Default::default(),
            live_pods: 0,
            let_in: Default::default(),
            doomed: Default::default(),
            daemons: Default::default(),
            paused: Default::default(),
            timers: Default::default(),
            agenda: Default::default(),
            starved: Default::default(),
            outbox: Default::default(),
            locks: Default::default(),
            gated: Default::default(),
            shared: Default::default(),
            recalling: false,
            questions: Default::default(),
            answers: Default::default(),
            memories: Default::default(),
            pods_done: 0,
            pods_known: 0,
        };
        run.arguments = global::arguments(&run);
        run
    }

    /// Folds a batch of the log.
    pub fn apply(&mut self, batch: &Batch) {
        for event in &batch.events {
            self.fold(event, batch.at);
        }
    }

    pub(super) fn fold(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::Began => self.begin(at),
            Event::Queued { m } => self.message = m.clone(),
            Event::Locked { locks } => self.lock_run(locks),
            Event::Reuses { from, nodes } => {
                let by_name = nodes.iter().map(|node| (node.name.clone(), node.clone())).collect();
                self.reuses = Some((from.clone(), by_name));
            }
            Event::Imported(imported) => self.imported(imported),
            Event::Created(created) => self.create(created, at),
            Event::Runs { n, ip, host, up } => self.runs(*n, ip, host, *up, at),
            Event::Waits { n, on } => {
                if let Some(Waiting::Backoff { until }) = on {
                    self.set_timer(*n, Some(*until));
                }
                self.slot_mut(*n).node.waiting = on.clone();
            }
            Event::Acquired { n, hit } => self.acquire(*n, *hit),
            Event::Supplied { n, out } => self.slot_mut(*n).node.outputs = Some(out.clone()),
            Event::Finished { n, p, m, out, host, decree } => {
                let node = &mut self.slot_mut(*n).node;
                node.outputs = out.clone().or_else(|| node.outputs.take());
                node.host = host.clone().or_else(|| node.host.take());
                self.finish(*n, *p, m, at);
                if *decree {
                    self.doomed.insert(*n);
                    self.outbox.push_back(*n);
                }
            }
            Event::Settled { n } => self.settle(*n),
            Event::Global { p, a } => self.globalize(p, a),
            Event::Suspended => self.suspended = true,
            Event::Resumed => self.suspended = false,
            Event::Shutdown { how, m } => {
                self.shutdown = Some(*how);
                self.shutdown_message = m.clone();
                self.suspended = false;
                self.wake(Wake::Run);
            }
            Event::Expired => self.expired = true,
            Event::Given { n, i } => self.slot_mut(*n).node.inputs = Some(i.clone()),
            Event::Retried { gone, open, args } => self.retried(gone, open, args.as_deref(), at),
            Event::Ended { p, m } => {
                self.phase = *p;
                self.message = m.clone();
                (self.finished_at, self.ended_at) = (Some(at), Some(at));
                self.timers.clear();
                self.unlock_run();
            }
        }
    }

    fn begin(&mut self, at: Timestamp) {
        self.phase = Phase::Running;
        self.message = "".into();
        self.started_at = Some(at);
        let seconds = self.plan.resolved.spec.active_deadline_seconds;
        self.deadline = seconds.map(|seconds| at + TimeSpan::from_secs(seconds.max(0) as u64));
        // A run can be suspended before it begins.
        self.suspended |= self.plan.resolved.spec.suspend == Some(true);
        self.wake(Wake::Run);
    }

    fn create(&mut self, created: &Created, at: Timestamp) {
        let ix = NodeIx(u32::try_from(self.slots.len()).expect("bounded by NODES_PER_RUN_MAX"));
        let template = self.called_template(created);
        let boundary = self.boundary_of(&created.caller);
        let slot = self.new_slot(ix, created, template, boundary, at);
        self.by_name.insert(slot.node.name.clone(), ix);
        self.slots.push(slot);
        for parent in &created.parents {
            self.link(*parent, ix);
        }
        self.join(ix);
        self.join_locks(ix, created.waits);
        self.set_timer(ix, created.until);
        self.count_new(ix);
        if created.caller == Caller::Entry {
            self.wake(Wake::Run);
        }
        if created.phase.is_final() {
            self.finish(ix, created.phase, &created.message, at);
        } else {
            self.wake(Wake::Node(ix));
        }
    }

    /// Returns the step or task that `caller` names.
    pub(super) fn task_of(&self, caller: &Caller) -> Option<&Task> {
        match caller {
            Caller::Step(group, step, _) => self.group_steps(&self.slot(*group).caller)?.get(*step as usize),
            Caller::Task(dag, task, _) => match &self.template_of(*dag)?.body {
                Body::Dag(dag) => dag.tasks.get(*task as usize),
                _ => None,
            },
            Caller::Attempt(retry, _) => self.task_of(&self.slot(*retry).caller),
            _ => None,
        }
    }

    /// Returns the steps of the group that `caller` asked for.
    pub(super) fn group_steps(&self, caller: &Caller) -> Option<&[Task]> {
        let Caller::Group(steps, number) = caller else { return None };
        match &self.template_of(*steps)?.body {
            Body::Steps(groups) => groups.get(*number as usize).map(Vec::as_slice),
            _ => None,
        }
    }

    pub(super) fn template_of(&self, ix: NodeIx) -> Option<&crate::plan::Template> {
        self.slot(ix).template.map(|template| self.plan.template(template))
    }

    fn link(&mut self, parent: NodeIx, child: NodeIx) {
        self.slot_mut(parent).node.children.push(child);
    }

    /// Tells the caller of a new node of it.
    fn join(&mut self, ix: NodeIx) {
        match self.slot(ix).caller.clone() {
            Caller::Group(steps, _) => {
                if let Frame::Steps(groups) = &mut self.slot_mut(steps).frame {
                    groups.push(ix);
                }
            }
            Caller::Step(group, step, item) => {
                if let Frame::Group(frame) = &mut self.slot_mut(group).frame {
                    frame.open += 1;
                    frame.steps[step as usize].add(ix, item);
                }
            }
            Caller::Task(dag, task, None) => {
                if let Frame::Dag(frame) = &mut self.slot_mut(dag).frame {
                    frame.open += 1;
                    frame.ready.remove(&task);
                    frame.tasks[task as usize].node = Some(ix);
                }
            }
            Caller::Task(dag, task, Some(_)) => {
                if let Some(group) = self.task_node(dag, task)
                    && let Frame::Items(frame) = &mut self.slot_mut(group).frame
                {
                    frame.open += 1;
                    frame.children.push(ix);
                }
            }
            Caller::Attempt(retry, _) => {
                if let Frame::Retry(attempts) = &mut self.slot_mut(retry).frame {
                    attempts.push(ix);
                    self.let_in.remove(&retry);
                }
            }
            Caller::Hook(of, _) => self.slot_mut(of).hooks_open += 1,
            Caller::Entry | Caller::Exit | Caller::RunHook(_) | Caller::Container(..) => {}
        }
    }

    /// Returns the node of a DAG's task.
    pub(super) fn task_node(&self, dag: NodeIx, task: u32) -> Option<NodeIx> {
        match &self.slot(dag).frame {
            Frame::Dag(frame) => frame.tasks.get(task as usize)?.node,
            _ => None,
        }
    }

    fn count_new(&mut self, ix: NodeIx) {
        let node = self.node(ix);
        let (kind, boundary) = (node.kind, node.boundary);
        if kind == NodeType::Pod {
            self.pods_known += 1;
        }
        let is_gated = self.gated.contains(&ix);
        if kind.is_work() && !is_gated {
            self.enlist(ix);
            self.outbox.push_back(ix);
        }
        if !is_gated {
            self.let_in(ix);
        }
        if kind == NodeType::Suspend {
            self.paused.insert(ix);
        }
        if let Some(boundary) = boundary.filter(|_| self.takes_place(ix)) {
            self.slot_mut(boundary).children_open += 1;
        }
    }

    /// Returns whether a new node takes a place of its template's `parallelism`. A retry node takes one
    /// for its first attempt, which is made a moment later.
    fn takes_place(&self, ix: NodeIx) -> bool {
        let slot = self.slot(ix);
        match (slot.node.kind, &slot.caller) {
            (NodeType::Retry, _) => true,
            (_, Caller::Attempt(_, 0)) => false,
            (kind, _) => counts_as_child(kind),
        }
    }

    /// Notes that a retry node has a place for its first attempt.
    pub(super) fn let_in(&mut self, ix: NodeIx) {
        if self.node(ix).kind == NodeType::Retry {
            self.let_in.insert(ix);
        }
    }

    /// Returns whether a node that ends gives a place back: a retry node does so when it has no attempt.
    fn has_place(&self, ix: NodeIx) -> bool {
        let slot = self.slot(ix);
        match &slot.frame {
            Frame::Retry(attempts) => attempts.is_empty(),
            _ => counts_as_child(slot.node.kind),
        }
    }

    fn runs(&mut self, ix: NodeIx, ip: &Option<Arc<str>>, host: &Option<Arc<str>>, up: bool, at: Timestamp) {
        let slot = self.slot_mut(ix);
        slot.runs_since.get_or_insert(at);
        let node = &mut slot.node;
        node.phase = Phase::Running;
        node.waiting = None;
        node.message = "".into();
        node.pod_ip = ip.clone();
        node.host = host.clone().or(node.host.take());
        let is_entry = self.slot(ix).caller == Caller::Entry;
        if is_entry {
            self.wake(Wake::Run);
        }
        let node = &mut self.slot_mut(ix).node;
        if up && !node.daemoned {
            node.daemoned = true;
            if node.kind == NodeType::Pod {
                self.daemons.insert(ix);
            }
            self.fulfilled(ix);
        } else if self.has_hooks(ix) {
            self.wake(Wake::Node(ix));
        }
    }

    fn finish(&mut self, ix: NodeIx, phase: Phase, message: &Arc<str>, at: Timestamp) {
        let was_fulfilled = self.node(ix).is_fulfilled();
        let slot = self.slot_mut(ix);
        slot.node.phase = phase;
        slot.node.message = message.clone();
        slot.node.finished_at.get_or_insert(at);
        slot.node.daemoned = false;
        slot.node.waiting = None;
        let (kind, boundary) = (slot.node.kind, slot.node.boundary);
        self.set_timer(ix, None);
        self.paused.remove(&ix);
        if kind == NodeType::Pod {
            self.pods_done += 1;
            self.daemons.remove(&ix);
        }
        self.discharge(ix);
        self.let_in.remove(&ix);
        self.release_locks(ix);
        if let Some(boundary) = boundary.filter(|_| self.has_place(ix)) {
            let slot = self.slot_mut(boundary);
            slot.children_open = slot.children_open.saturating_sub(1);
            slot.children_bad += u32::from(phase.is_bad() && counts_as_child(kind));
            if self.starved.within.contains_key(&boundary) {
                self.starved.freed.insert(boundary);
            }
        }
        self.memorize(ix);
        if was_fulfilled {
            self.wake_caller(ix);
        } else {
            self.fulfilled(ix);
        }
    }

    /// Keeps the result of a memoized node for other calls of this run, and for the cache. An attempt's
    /// result is its retry node's.
    fn memorize(&mut self, ix: NodeIx) {
        let slot = self.slot(ix);
        let Some(memo) = slot.memo.clone().filter(|_| self.recalling) else { return };
        if slot.node.phase == Phase::Succeeded && !memo.hit {
            let found = Recollection::Result { outputs: slot.node.outputs.clone(), made_at: slot.node.finished_at };
            self.answers.insert(memo, found);
        }
        self.memories.push_back(ix);
    }

    /// What follows when a node needs no waiting for any more, but perhaps its hooks do.
    fn fulfilled(&mut self, ix: NodeIx) {
        if self.has_hooks(ix) {
            self.wake(Wake::Node(ix));
        } else {
            self.settle(ix);
        }
    }

    /// Returns whether the call that made the node declares hooks that it is to have.
    pub(super) fn has_hooks(&self, ix: NodeIx) -> bool {
        let slot = self.slot(ix);
        match &slot.caller {
            Caller::Step(..) => self.task_of(&slot.caller).is_some_and(|task| !task.hooks.is_empty()),
            Caller::Task(_, _, item) => self.task_of(&slot.caller).is_some_and(|task| match item {
                // The other hooks of a looped task are its group's.
                Some(_) => task.hooks.contains_key("exit"),
                None => !task.hooks.is_empty(),
            }),
            _ => false,
        }
    }

    fn settle(&mut self, ix: NodeIx) {
        if std::mem::replace(&mut self.slot_mut(ix).settled, true) {
            return;
        }
        match self.slot(ix).caller.clone() {
            Caller::Step(group, ..) => {
                if let Frame::Group(frame) = &mut self.slot_mut(group).frame {
                    frame.open -= 1;
                }
            }
            Caller::Task(dag, task, None) => self.task_settled(dag, task),
            Caller::Task(dag, task, Some(_)) => {
                if let Some(group) = self.task_node(dag, task)
                    && let Frame::Items(frame) = &mut self.slot_mut(group).frame
                {
                    frame.open -= 1;
                }
            }
            Caller::Hook(of, _) => self.slot_mut(of).hooks_open -= 1,
            // Nobody waits for one container of a pod.
            Caller::Container(..) => return,
            Caller::Group(..) | Caller::Attempt(..) | Caller::Entry | Caller::Exit | Caller::RunHook(_) => {}
        }
        self.wake_caller(ix);
    }

    fn task_settled(&mut self, dag: NodeIx, task: u32) {
        let plan = self.plan.clone();
        let Some(Body::Dag(body)) = self.slot(dag).template.map(|ix| &plan.template(ix).body) else { return };
        let Frame::Dag(frame) = &mut self.slot_mut(dag).frame else { return };
        frame.open -= 1;
        for dependent in &body.dependents[task as usize] {
            let state = &mut frame.tasks[*dependent];
            state.unmet = state.unmet.saturating_sub(1);
            if state.unmet == 0 && state.needed && state.node.is_none() {
                frame.ready.insert(*dependent as u32);
            }
        }
    }

    pub(super) fn wake_caller(&mut self, ix: NodeIx) {
        let wake = match &self.slot(ix).caller {
            Caller::Entry | Caller::Exit | Caller::RunHook(_) => Wake::Run,
            Caller::Task(dag, task, Some(_)) => Wake::Node(self.task_node(*dag, *task).unwrap_or(*dag)),
            caller => Wake::Node(caller_node(caller).expect("only the run's own calls have no node")),
        };
        self.wake(wake);
    }

    pub(super) fn wake(&mut self, wake: Wake) {
        if let Wake::Node(ix) = wake
            && std::mem::replace(&mut self.slot_mut(ix).awake, true)
        {
            return;
        }
        self.agenda.push_back(wake);
    }

    fn set_timer(&mut self, ix: NodeIx, until: Option<Timestamp>) {
        if let Some(old) = std::mem::replace(&mut self.slot_mut(ix).until, until) {
            self.timers.remove(&(old, ix));
        }
        if let Some(until) = until {
            self.timers.insert((until, ix));
        }
    }

    /// Keeps the last writer's value, as Argo's `AddParamToGlobalScope`.
    fn globalize(&mut self, parameters: &[Parameter], artifacts: &[Arc<spec::Artifact>]) {
        for parameter in parameters {
            match self.outputs.parameters.iter_mut().find(|known| known.name == parameter.name) {
                Some(known) => known.value = parameter.value.clone(),
                None => self.outputs.parameters.push(parameter.clone()),
            }
        }
        for artifact in artifacts {
            match self.outputs.artifacts.iter_mut().find(|known| known.name == artifact.name) {
                Some(known) => *known = artifact.clone(),
                None => self.outputs.artifacts.push(artifact.clone()),
            }
        }
    }

    /// Takes a run over from Argo: its nodes as they are, and all counters from them.
    fn imported(&mut self, imported: &Imported) {
        let entry = imported.nodes.first();
        let entry_open = entry.is_some_and(|node| !node.created.phase.is_final());
        // A run whose entry has not ended is at work, whatever its own phase says.
        self.phase = if entry_open { Phase::Running } else { imported.phase };
        self.message = imported.message.clone();
        self.started_at = imported.started_at.or(entry.map(|node| node.started_at));
        self.finished_at = imported.finished_at;
        self.suspended = imported.suspended;
        self.shutdown = imported.shutdown;
        self.outputs = imported.outputs.clone();
        let seconds = self.plan.resolved.spec.active_deadline_seconds;
        let span = |seconds: i64| TimeSpan::from_secs(seconds.max(0) as u64);
        self.deadline = seconds.zip(self.started_at).map(|(seconds, started)| started + span(seconds));
        for node in &imported.nodes {
            self.import_node(node);
        }
        self.recount();
    }

    fn import_node(&mut self, imported: &ImportedNode) {
        let created = &imported.created;
        let ix = NodeIx(u32::try_from(self.slots.len()).expect("bounded by NODES_PER_RUN_MAX"));
        // What the caller says counts: a node's own words may be of another version of its template.
        let by_caller = self.called_template(&Created { called: None, ..created.clone() });
        let template = by_caller.or_else(|| self.called_template(created));
        let boundary = self.boundary_of(&created.caller);
        let mut slot = self.new_slot(ix, created, template, boundary, imported.started_at);
        let node = &mut slot.node;
        node.phase = created.phase;
        node.finished_at = imported.finished_at;
        node.children.clone_from(&imported.children);
        node.daemoned = imported.daemoned;
        node.pod_ip.clone_from(&imported.pod_ip);
        node.host.clone_from(&imported.host);
        self.by_name.insert(node.name.clone(), ix);
        self.slots.push(slot);
        if created.phase.is_final() {
            return;
        }
        match created.kind {
            kind if kind.is_work() => {
                self.enlist(ix);
                if imported.daemoned {
                    self.daemons.insert(ix);
                }
            }
            NodeType::Suspend => {
                self.paused.insert(ix);
                self.slot_mut(ix).node.waiting = Some(Waiting::Approval { until: created.until });
            }
            _ => {}
        }
        self.set_timer(ix, created.until);
    }

    /// Forgets `gone`, opens `open` again, and makes all counters anew from what is left.
    fn retried(&mut self, gone: &[NodeIx], open: &[NodeIx], arguments: Option<&[Parameter]>, at: Timestamp) {
        for ix in gone {
            let slot = self.slot_mut(*ix);
            slot.gone = true;
            let name = slot.node.name.clone();
            self.by_name.swap_remove(&name);
            if let Some((_, reuses)) = &mut self.reuses {
                reuses.remove(&name[self.name.as_str().len()..]);
            }
            self.discharge(*ix);
        }
        for ix in open {
            let node = &mut self.slot_mut(*ix).node;
            node.phase = Phase::Running;
            node.message = "".into();
            node.finished_at = None;
            node.outputs = None;
        }
        if let Some(arguments) = arguments {
            self.arguments = arguments.to_vec();
        }
        self.phase = Phase::Running;
        self.message = "".into();
        (self.finished_at, self.ended_at) = (None, None);
        self.shutdown = None;
        self.suspended = false;
        self.expired = false;
        self.started_at = Some(at);
        let seconds = self.plan.resolved.spec.active_deadline_seconds;
        self.deadline = seconds.map(|seconds| at + TimeSpan::from_secs(seconds.max(0) as u64));
        self.recount();
    }

    /// Makes frames and counters anew: the one walk over a run, for the rare event that undoes others.
    fn recount(&mut self) {
        (self.pods_done, self.pods_known) = (0, 0);
        self.let_in.clear();
        self.agenda.clear();
        self.starved = Default::default();
        let kept: Vec<NodeIx> = self.slots.iter().filter(|slot| !slot.gone).map(|slot| slot.node.ix).collect();
        for ix in &kept {
            let slot = self.slot(*ix);
            let frame = self.new_frame(slot.node.kind, slot.template, &slot.caller, slot.targets.as_deref());
            let slot = self.slot_mut(*ix);
            (slot.frame, slot.settled, slot.awake) = (frame, false, false);
            (slot.hooks_open, slot.children_open, slot.children_bad) = (0, 0, 0);
        }
        for ix in &kept {
            let children = std::mem::take(&mut self.slot_mut(*ix).node.children);
            self.slot_mut(*ix).node.children = children.into_iter().filter(|child| !self.slot(*child).gone).collect();
            self.join(*ix);
        }
        for ix in &kept {
            self.recount_node(*ix);
        }
        self.wake(Wake::Run);
    }

    fn recount_node(&mut self, ix: NodeIx) {
        let node = self.node(ix);
        let (kind, phase, boundary) = (node.kind, node.phase, node.boundary);
        if kind == NodeType::Pod {
            self.pods_known += 1;
            self.pods_done += u32::from(phase.is_final());
        }
        if let Some(boundary) = boundary.filter(|_| self.has_place(ix)) {
            let slot = self.slot_mut(boundary);
            slot.children_open += u32::from(!phase.is_final());
            slot.children_bad += u32::from(phase.is_bad() && counts_as_child(kind));
        }
        if self.node(ix).is_fulfilled() {
            self.fulfilled(ix);
        } else {
            self.wake(Wake::Node(ix));
        }
    }
}

impl Called {
    fn add(&mut self, ix: NodeIx, item: Option<u32>) {
        match (item, &mut *self) {
            (None, _) => *self = Called::One(ix),
            (Some(_), Called::Items(items)) => items.push(ix),
            (Some(_), _) => *self = Called::Items(vec![ix]),
        }
    }
}

impl DagFrame {
    /// Only what a target depends on is called: Argo walks a DAG from its targets.
    fn new(dag: &crate::plan::Dag, targets: Option<&[u32]>) -> Self {
        let mut tasks: Vec<TaskState> = dag
            .parents
            .iter()
            .map(|parents| TaskState { node: None, unmet: parents.len() as u32, needed: false })
            .collect();
        let targets = match targets {
            Some(targets) => targets.iter().map(|target| *target as usize).collect(),
            None => dag.targets.clone(),
        };
        let mut walk = targets.clone();
        while let Some(task) = walk.pop() {
            if !std::mem::replace(&mut tasks[task].needed, true) {
                walk.extend(&dag.parents[task]);
            }
        }
        let ready = (0..tasks.len()).filter(|task| tasks[*task].needed && tasks[*task].unmet == 0);
        let ready = ready.map(|task| task as u32).collect();
        Self { tasks, targets, open: 0, ready }
    }
}

/// Returns the node that a caller is; the run's own calls have none.
pub(super) fn caller_node(caller: &Caller) -> Option<NodeIx> {
    match caller {
        Caller::Entry | Caller::Exit | Caller::RunHook(_) => None,
        Caller::Group(ix, _)
        | Caller::Step(ix, ..)
        | Caller::Task(ix, ..)
        | Caller::Attempt(ix, _)
        | Caller::Container(ix, _)
        | Caller::Hook(ix, _) => Some(*ix),
    }
}

/// Returns whether a node of this kind takes a place of its template's `parallelism`.
/// Source: Argo's `getActiveChildrenCounter`.
fn counts_as_child(kind: NodeType) -> bool {
    matches!(kind, NodeType::Pod | NodeType::Steps | NodeType::Dag)
}
