//! Hooks of steps and tasks, exit handlers among them: they start when their condition holds, and
//! what comes after the node waits for them. Source: Argo's `hooks.go`, `exit_handler.go`.

use std::sync::Arc;

use super::Decider;
use super::call::{Call, Outcome};
use super::render::{absent_argument, put};
use crate::base::NodeIx;
use crate::engine::event::{Caller, Event};
use crate::engine::model::{Node, NodeType, Phase};
use crate::engine::run::{Frame, Run, Shutdown};
use crate::engine::scope::calls::output_field;
use crate::engine::scope::inner::Chain;
use crate::engine::value::Outputs;
use crate::expr::{Scope, Unresolved, Value};
use crate::plan::{Segment, Task, TemplateIx};
use crate::spec;

impl Decider<'_> {
    pub(super) fn advance_hooks(&mut self, ix: NodeIx) {
        let plan = self.plan.clone();
        let caller = self.run.slot(ix).caller.clone();
        let Some(task) = task_in(&plan, self.run, &caller) else { return };
        let looped_item = matches!(caller, Caller::Task(_, _, Some(_)));
        // Argo looks at no step again that was not called, nor at any once an error has ended their group.
        let is_skipped = self.run.node(ix).kind == NodeType::Skipped;
        let is_left = matches!(caller, Caller::Step(group, ..)
            if is_skipped || self.run.node(group).phase == Phase::Error);
        for (name, template) in task.hooks.iter().filter(|(name, _)| !is_left && (!looped_item || &***name == "exit")) {
            if !self.advance_hook(ix, task, name, *template) {
                return;
            }
        }
        let slot = self.run.slot(ix);
        if slot.node.is_fulfilled() && slot.hooks_open == 0 {
            self.emit(Event::Settled { n: ix });
        }
    }

    /// Starts a hook when it is time; false when there is no room for it.
    fn advance_hook(&mut self, ix: NodeIx, task: &Task, name: &Arc<str>, template: TemplateIx) -> bool {
        let node = self.run.node(ix);
        let is_exit = &**name == "exit";
        let hook_name: Arc<str> = match is_exit {
            true => format!("{}.onExit", node.name).into(),
            false => format!("{}.hooks.{name}", node.name).into(),
        };
        if self.run.find_ix(&hook_name).is_some() {
            return true;
        }
        if is_exit && !(has_run(node) && self.run.shutdown != Some(Shutdown::Terminate)) {
            return true;
        }
        let caller = Caller::Hook(ix, name.clone());
        match self.hook_call(ix, task, name, template, hook_name.clone()) {
            Ok(Some(call)) => !matches!(self.call(&call), Outcome::Blocked),
            Ok(None) => true,
            Err(words) => {
                self.never_run(hook_name, caller, vec![ix], Phase::Error, &words);
                true
            }
        }
    }

    fn hook_call(
        &self,
        ix: NodeIx,
        task: &Task,
        name: &Arc<str>,
        template: TemplateIx,
        hook_name: Arc<str>,
    ) -> Result<Option<Call>, String> {
        let node = self.run.node(ix);
        let of = node.boundary.expect("only steps and tasks have hooks of their own");
        let own = Own::new(self.run, ix, &self.step_name(of, task)?);
        self.within(of, None, |scope| {
            let scope = Chain(&[&own, scope]);
            let declared = task.spec.hooks.get(&**name);
            if let Some(expression) = declared.and_then(|hook| hook.expression.as_deref()).filter(|e| !e.is_empty()) {
                let holds = crate::expr::lang::eval_bool(expression, &scope, &self.ambient(0));
                if !holds.map_err(|fault| fault.to_string())? {
                    return Ok(None);
                }
            }
            let (arguments, absent) = self.hook_arguments(task, name, &scope)?;
            Ok(Some(Call {
                name: hook_name,
                caller: Caller::Hook(ix, name.clone()),
                parents: vec![ix],
                template,
                called: None,
                arguments: arguments.map(Arc::new),
                absent,
                local: None,
                outer: None,
            }))
        })
    }

    /// Replaces the texts of a hook's arguments, and places its artifacts. Returns also the parameters whose
    /// value is the output of a node that never ran.
    fn hook_arguments(
        &self,
        task: &Task,
        name: &str,
        scope: &dyn Scope,
    ) -> Result<(Option<spec::Arguments>, Vec<Arc<str>>), String> {
        let Some(declared) = task.spec.hooks.get(name).and_then(|hook| hook.arguments.as_ref()) else {
            return Ok((None, Vec::new()));
        };
        let mut absent = Vec::new();
        let mut json = serde_json::to_value(declared).map_err(|fault| fault.to_string())?;
        for (salt, text) in task.texts.iter().enumerate() {
            let [Segment::Key(first), Segment::Key(hook), Segment::Key(third), rest @ ..] = &text.pointer[..] else {
                continue;
            };
            let source = matches!(rest.last(), Some(Segment::Key(key)) if matches!(&**key, "from" | "fromExpression"));
            if (&**first, &**hook, &**third) != ("hooks", name, "arguments") || source {
                continue;
            }
            if let Some(parameter) = absent_argument(declared, rest, &text.text, scope) {
                absent.push(parameter);
                continue;
            }
            let rendered = text.text.render(scope, Unresolved::Keep, &self.ambient(salt as u64));
            put(&mut json, rest, rendered.map_err(|fault| fault.to_string())?.into());
        }
        let arguments: spec::Arguments = serde_json::from_value(json).map_err(|fault| fault.to_string())?;
        let placed = self.place_arguments(&arguments, scope);
        let placed = placed.map_err(|fault| format!("unable to resolve references: {fault}"))?;
        Ok((Some(placed), absent))
    }

    /// Ends the daemons that belong to a template that is over, or to the run: Argo's `killDaemonedChildren`.
    pub(super) fn stop_daemons(&mut self, of: Option<NodeIx>) {
        let daemons: Vec<NodeIx> = self.run.daemons.iter().copied().collect();
        for ix in daemons {
            if of.is_none() || self.run.node(ix).boundary == of {
                self.finish(ix, Phase::Succeeded, "");
            }
        }
    }
}

fn task_in<'p>(plan: &'p crate::plan::Plan, run: &Run, caller: &Caller) -> Option<&'p Task> {
    let (of, pick): (NodeIx, (usize, usize)) = match caller {
        Caller::Task(dag, task, _) => (*dag, (0, *task as usize)),
        Caller::Step(group, step, _) => match run.slot(*group).caller {
            Caller::Group(steps, number) => (steps, (number as usize, *step as usize)),
            _ => return None,
        },
        _ => return None,
    };
    match &plan.template(run.slot(of).template?).body {
        crate::plan::Body::Steps(groups) => groups.get(pick.0)?.get(pick.1),
        crate::plan::Body::Dag(dag) => dag.tasks.get(pick.1),
        _ => None,
    }
}

/// Returns whether the node has run to an end: a skipped one has no exit handler.
fn has_run(node: &Node) -> bool {
    matches!(node.phase, Phase::Succeeded | Phase::Failed | Phase::Error)
}

/// The node that hooks are about, under its step's or task's name: while it runs, and for one round of a loop.
struct Own<'r> {
    node: &'r Node,
    outputs: Option<Arc<Outputs>>,
    prefix: String,
}

impl<'r> Own<'r> {
    fn new(run: &'r Run, ix: NodeIx, task: &str) -> Self {
        let slot = run.slot(ix);
        let shown = match &slot.frame {
            Frame::Retry(attempts) => attempts.last().map_or(&slot.node, |last| run.node(*last)),
            _ => &slot.node,
        };
        let root = if matches!(slot.caller, Caller::Task(..)) { "tasks" } else { "steps" };
        debug_assert_ne!(slot.node.kind, NodeType::StepGroup, "a group has no hooks");
        Self { node: &slot.node, outputs: shown.outputs.clone(), prefix: format!("{root}.{task}.") }
    }
}

impl Scope for Own<'_> {
    fn get(&self, name: &str) -> Option<Value> {
        match name.strip_prefix(&self.prefix)? {
            "status" => Some(Value::text(self.node.phase.as_str())),
            field => {
                let shown = Node { outputs: self.outputs.clone(), ..self.node.clone() };
                output_field(&shown, field)
            }
        }
    }

    fn under(&self, root: &str, each: &mut dyn FnMut(&str, Value)) {
        if self.prefix.starts_with(root) && self.prefix[root.len()..].starts_with('.') {
            each(&format!("{}status", self.prefix), Value::text(self.node.phase.as_str()));
            let outputs = self.outputs.iter().flat_map(|outputs| &outputs.parameters);
            for parameter in outputs {
                let value = Value::text(parameter.value.as_deref().unwrap_or_default());
                each(&format!("{}outputs.parameters.{}", self.prefix, parameter.name), value);
            }
        }
    }
}
