//! What a new node is made of: its words, its frame, and where it stands.

use std::sync::Arc;

use super::caller_node;
use crate::base::{NodeIx, Timestamp};
use crate::engine::event::{Caller, Created};
use crate::engine::model::{CalledBy, Node, NodeType, Phase};
use crate::engine::run::{Called, DagFrame, Frame, GroupFrame, ItemsFrame, Run, Slot};
use crate::engine::value::Inputs;
use crate::plan::{Body, Task, TemplateIx};

impl Run {
    pub(super) fn new_slot(
        &self,
        ix: NodeIx,
        created: &Created,
        template: Option<TemplateIx>,
        boundary: Option<NodeIx>,
        at: Timestamp,
    ) -> Slot {
        let parent = caller_node(&created.caller);
        let on_exit = match &created.caller {
            Caller::Exit => true,
            Caller::Hook(_, name) if &**name == "exit" => true,
            _ => parent.is_some_and(|parent| self.slot(parent).on_exit),
        };
        let deeper =
            u32::from(!matches!(created.caller, Caller::Group(..) | Caller::Attempt(..) | Caller::Container(..)));
        Slot {
            node: self.new_node(ix, created, template, boundary, at),
            caller: created.caller.clone(),
            template,
            texts: created.texts.clone(),
            outer: created.outer.clone(),
            frame: self.new_frame(created.kind, template, &created.caller, created.targets.as_deref()),
            targets: created.targets.clone(),
            settled: false,
            gone: false,
            fresh: self.is_fresh(created),
            awake: false,
            on_exit,
            hooks_open: 0,
            children_open: 0,
            children_bad: 0,
            depth: parent.map_or(0, |parent| self.slot(parent).depth) + deeper,
            until: None,
            runs_since: None,
            memo: created.memo.clone(),
            locks: created.locks.clone(),
        }
    }

    /// Returns whether a new node runs, or comes after one that did.
    fn is_fresh(&self, created: &Created) -> bool {
        let runs = created.kind.is_work() && !created.phase.is_final();
        runs || created.parents.iter().any(|parent| self.slots.get(parent.index()).is_some_and(|slot| slot.fresh))
    }

    fn new_node(
        &self,
        ix: NodeIx,
        created: &Created,
        template: Option<TemplateIx>,
        boundary: Option<NodeIx>,
        at: Timestamp,
    ) -> Node {
        let (template_name, scope) = self.template_words(&created.caller, template);
        Node {
            ix,
            name: created.name.clone(),
            display_name: self.display_name(&created.name, boundary),
            kind: created.kind,
            phase: if created.phase.is_final() { Phase::Pending } else { created.phase },
            boundary,
            template: template_name,
            called_by: self.called_by(&created.caller),
            scope,
            message: created.message.clone(),
            started_at: at,
            finished_at: None,
            children: Vec::new(),
            inputs: self.given(created),
            outputs: created.outputs.clone(),
            daemoned: false,
            pod_ip: None,
            host: None,
            hooked: matches!(created.caller, Caller::Hook(..) | Caller::RunHook(_) | Caller::Exit),
            waiting: None,
        }
    }

    /// An attempt that is given what its retry node was given leaves it out.
    fn given(&self, created: &Created) -> Option<Arc<Inputs>> {
        match (&created.inputs, &created.caller) {
            (None, Caller::Attempt(retry, _)) => self.node(*retry).inputs.clone(),
            (inputs, _) => inputs.clone(),
        }
    }

    pub(super) fn new_frame(
        &self,
        kind: NodeType,
        template: Option<TemplateIx>,
        caller: &Caller,
        targets: Option<&[u32]>,
    ) -> Frame {
        match (kind, template.map(|ix| &self.plan.template(ix).body)) {
            (NodeType::Steps, _) => Frame::Steps(Vec::new()),
            (NodeType::StepGroup, _) => {
                let steps = self.group_steps(caller).map_or(0, <[Task]>::len);
                Frame::Group(GroupFrame { steps: vec![Called::Not; steps], ..GroupFrame::default() })
            }
            (NodeType::TaskGroup, _) => Frame::Items(ItemsFrame::default()),
            (NodeType::Retry, _) => Frame::Retry(Vec::new()),
            (NodeType::Dag, Some(Body::Dag(dag))) => Frame::Dag(Box::new(DagFrame::new(dag, targets))),
            _ => Frame::Leaf,
        }
    }

    /// Returns the template's name and scope in Argo's words; a group has only its steps' scope.
    fn template_words(&self, caller: &Caller, template: Option<TemplateIx>) -> (Arc<str>, Arc<str>) {
        let template = template.map(|ix| self.plan.template(ix));
        let caller = caller_node(caller).and_then(|ix| self.calling_template(ix));
        let scope = match caller.map(|ix| &self.plan.template(ix).scope) {
            None | Some(crate::plan::Scope::Local) => self.home.clone(),
            Some(scope) => crate::engine::scope::words(scope, self.name.as_str()),
        };
        (template.map_or_else(|| "".into(), |template| template.name.clone()), scope)
    }

    /// Returns the template whose body the calls of the node at `ix` stand in.
    fn calling_template(&self, ix: NodeIx) -> Option<TemplateIx> {
        let slot = self.slot(ix);
        match slot.node.kind {
            NodeType::Steps | NodeType::Dag => slot.template,
            _ => slot.node.boundary.and_then(|boundary| self.slot(boundary).template),
        }
    }

    /// Returns the node's name without its boundary's: Argo's `initializeNode`.
    fn display_name(&self, name: &Arc<str>, boundary: Option<NodeIx>) -> Arc<str> {
        let Some(boundary) = boundary else { return name.clone() };
        let rest = name.strip_prefix(&*self.node(boundary).name).unwrap_or(name);
        let step = rest.strip_prefix('.').or_else(|| rest.split_once("].").map(|(_, step)| step));
        step.unwrap_or(rest).into()
    }

    /// Returns the template that a new node is of.
    pub(super) fn called_template(&self, created: &Created) -> Option<TemplateIx> {
        if let Some((scope, name)) = &created.called {
            return self.plan.lookup(scope, name);
        }
        match &created.caller {
            Caller::Entry => Some(self.plan.entrypoint),
            Caller::Exit => self.plan.on_exit,
            Caller::RunHook(name) => self.plan.hooks.get(name).copied(),
            Caller::Group(..) => None,
            Caller::Step(..) | Caller::Task(..) => self.task_of(&created.caller)?.target,
            Caller::Attempt(retry, _) => self.slot(*retry).template,
            Caller::Hook(of, name) => self.task_of(&self.slot(*of).caller)?.hooks.get(name).copied(),
            Caller::Container(pod, _) => self.slot(*pod).template,
        }
    }

    fn called_by(&self, caller: &Caller) -> CalledBy {
        let (inline, reference) = match caller {
            Caller::Attempt(of, _) | Caller::Container(of, _) => return self.node(*of).called_by.clone(),
            Caller::Step(..) | Caller::Task(..) => match self.task_of(caller) {
                Some(task) => (task.spec.inline.is_some(), task.spec.template_ref.as_deref()),
                None => (false, None),
            },
            Caller::Hook(of, name) => {
                let task = self.task_of(&self.slot(*of).caller);
                (false, task.and_then(|task| task.spec.hooks.get(&**name)?.template_ref.as_deref()))
            }
            Caller::RunHook(name) => {
                (false, self.plan.spec().hooks.get(&**name).and_then(|hook| hook.template_ref.as_deref()))
            }
            Caller::Exit => (false, self.plan.spec().hooks.get("exit").and_then(|hook| hook.template_ref.as_deref())),
            Caller::Entry | Caller::Group(..) => (false, None),
        };
        match reference {
            _ if inline => CalledBy::Inline,
            Some(reference) => CalledBy::Reference {
                object: reference.name.as_deref().unwrap_or_default().into(),
                cluster: reference.cluster_scope == Some(true),
            },
            None => CalledBy::Name,
        }
    }

    pub(super) fn boundary_of(&self, caller: &Caller) -> Option<NodeIx> {
        match caller {
            Caller::Entry | Caller::Exit | Caller::RunHook(_) => None,
            Caller::Group(steps, _) => Some(*steps),
            Caller::Task(of, ..) | Caller::Container(of, _) => Some(*of),
            Caller::Step(ix, ..) | Caller::Attempt(ix, _) | Caller::Hook(ix, _) => self.node(*ix).boundary,
        }
    }
}
