//! The run as a whole: its entry, its hooks, its exit handler, its end. Source: Argo's `operate`.

use std::sync::Arc;

use super::Decider;
use super::call::{Call, Outcome};
use crate::base::NodeIx;
use crate::engine::event::{Caller, Event};
use crate::engine::model::{NodeType, Phase};
use crate::engine::run::Shutdown;
use crate::plan::TemplateIx;
use crate::spec;

impl Decider<'_> {
    pub(super) fn advance_run(&mut self) {
        if self.run.started_at.is_none() {
            return;
        }
        let name: Arc<str> = self.run.name.as_str().into();
        let Some(root) = self.run.find_ix(&name) else { return self.enter(name) };
        let hooks_over = self.advance_run_hooks(root);
        if !(self.run.slot(root).settled && hooks_over) {
            return;
        }
        if let Some(over) = self.advance_exit(&name)
            && let Some(phase) = over
        {
            self.end(root, phase);
        }
    }

    fn enter(&mut self, name: Arc<str>) {
        let call = self.entry_call(name);
        if let Outcome::Broken(words) = self.call(&call) {
            self.end_with(Phase::Error, &format!("error in entry template execution: {words}"));
        }
    }

    /// Returns the call that makes the first node.
    pub(super) fn entry_call(&self, name: Arc<str>) -> Call {
        self.run_call(name, Caller::Entry, self.plan.entrypoint, Some(self.run_arguments()), Vec::new())
    }

    /// Returns the arguments of the run as a call hands them over.
    fn run_arguments(&self) -> spec::Arguments {
        let parameters = self.run.arguments.iter().map(|argument| spec::Parameter {
            name: argument.name.to_string(),
            value: argument.value.as_deref().map(|value| spec::AnyString(value.to_owned())),
            ..Default::default()
        });
        let artifacts = self.plan.arguments().map(|arguments| arguments.artifacts.clone()).unwrap_or_default();
        spec::Arguments { parameters: parameters.collect(), artifacts }
    }

    fn run_call(
        &self,
        name: Arc<str>,
        caller: Caller,
        template: TemplateIx,
        arguments: Option<spec::Arguments>,
        parents: Vec<NodeIx>,
    ) -> Call {
        Call {
            name,
            caller,
            parents,
            template,
            called: None,
            arguments: arguments.map(Arc::new),
            absent: Vec::new(),
            local: None,
            outer: None,
        }
    }

    /// Starts the run's hooks whose time has come; true when those that started are over.
    fn advance_run_hooks(&mut self, root: NodeIx) -> bool {
        let plan = self.plan.clone();
        let mut over = true;
        for (name, template) in plan.hooks.iter().filter(|(name, _)| &***name != "exit") {
            let node_name: Arc<str> = format!("{}.hooks.{name}", self.run.name).into();
            let Some(hook) = plan.spec().hooks.get(&**name) else { continue };
            match self.run.find_ix(&node_name) {
                Some(ix) => over &= self.run.node(ix).is_fulfilled(),
                None => over &= self.start_run_hook(root, name, hook, *template, node_name),
            }
        }
        over
    }

    /// Starts a hook when its condition holds; true when it does not.
    fn start_run_hook(
        &mut self,
        root: NodeIx,
        name: &Arc<str>,
        hook: &spec::LifecycleHook,
        template: TemplateIx,
        node_name: Arc<str>,
    ) -> bool {
        let expression = hook.expression.as_deref().unwrap_or_default();
        let holds = crate::expr::lang::eval_bool(expression, &self.global(), &self.ambient(0));
        let caller = Caller::RunHook(name.clone());
        match holds {
            Ok(false) => true,
            Ok(true) => {
                let arguments = hook.arguments.as_ref().map(|arguments| self.global_arguments(arguments));
                let call = self.run_call(node_name, caller, template, arguments, vec![root]);
                matches!(self.call(&call), Outcome::Broken(..))
            }
            Err(fault) => {
                self.never_run(node_name, caller, vec![root], Phase::Error, &fault.to_string());
                true
            }
        }
    }

    /// Replaces the run's own words in the arguments of a hook of the run.
    fn global_arguments(&self, arguments: &spec::Arguments) -> spec::Arguments {
        let mut replaced = arguments.clone();
        for parameter in &mut replaced.parameters {
            if let Some(value) = &mut parameter.value
                && let Ok(text) = self.own_text(&value.0)
            {
                value.0 = text.to_string();
            }
        }
        self.place_arguments(&replaced, &self.global()).unwrap_or(replaced)
    }

    /// Starts the exit handler when there is one. `None` while it is at work; then the phase that it
    /// came to, `Succeeded` when there is none.
    fn advance_exit(&mut self, run: &str) -> Option<Option<Phase>> {
        let Some(template) = self.plan.on_exit else { return Some(Some(Phase::Succeeded)) };
        let name: Arc<str> = format!("{run}.onExit").into();
        if let Some(ix) = self.run.find_ix(&name) {
            let node = self.run.node(ix);
            return node.is_fulfilled().then_some(Some(node.phase));
        }
        if self.run.shutdown == Some(Shutdown::Terminate) {
            return Some(Some(Phase::Succeeded));
        }
        let arguments = match self.plan.spec().hooks.get("exit").and_then(|hook| hook.arguments.as_ref()) {
            Some(arguments) => self.global_arguments(arguments),
            None => self.run_arguments(),
        };
        let call = self.run_call(name, Caller::Exit, template, Some(arguments), Vec::new());
        if let Outcome::Broken(words) = self.call(&call) {
            self.end_with(Phase::Error, &format!("error in exit template execution : {words}"));
        }
        None
    }

    fn end(&mut self, root: NodeIx, exit: Phase) {
        let phase = self.run.node(root).phase;
        match phase {
            Phase::Failed | Phase::Error => match self.run.shutdown {
                Some(how) => self.end_with(phase, &format!("Stopped with strategy '{}'", how.as_str())),
                None => {
                    let words = self.words_of(root, "error in entry template execution: ");
                    self.end_with(phase, &words);
                }
            },
            _ if exit.is_bad() => {
                let handler = self.run.find(&format!("{}.onExit", self.run.name)).map(|node| node.ix);
                let words = handler.map(|ix| self.words_of(ix, "error in exit template execution : "));
                self.end_with(exit, &words.unwrap_or_default());
            }
            _ => self.end_with(Phase::Succeeded, ""),
        }
    }

    /// Returns what a run says that ends as this node did. Steps and tasks that did well, of which the outputs
    /// cannot be had, are an error of the run's own there.
    fn words_of(&self, ix: NodeIx, of_run: &str) -> String {
        let node = self.run.node(ix);
        let is_broken = node.phase == Phase::Error && matches!(node.kind, NodeType::Steps | NodeType::Dag);
        if is_broken && !node.message.is_empty() {
            format!("{of_run}{}", node.message)
        } else {
            node.message.to_string()
        }
    }

    /// Ends the run. Daemons are stopped, and so is what an error in its caller has left behind.
    pub(super) fn end_with(&mut self, phase: Phase, message: &str) {
        self.stop_daemons(None);
        let left: Vec<NodeIx> = self.run.live.iter().chain(&self.run.gated).copied().collect();
        for ix in left {
            self.finish(ix, Phase::Failed, "the workflow ended");
        }
        self.emit(Event::Ended { p: phase, m: message.into() });
    }
}
