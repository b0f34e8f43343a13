//! `retry`: the same run again from what failed. What it does to which node, `engine::restart` decides;
//! here that becomes events.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Decider;
use super::call::Call;
use super::loops::Planned;
use super::render::Part;
use crate::base::NodeIx;
use crate::engine::event::{Caller, Event};
use crate::engine::model::Phase;
use crate::engine::observation::Control;
use crate::engine::restart::{graph, touched};
use crate::engine::run::{ControlError, Run};
use crate::engine::value::{Inputs, Parameter};

/// Returns whether a run can be retried so: it has ended, and badly, or nodes are picked.
pub(super) fn check(run: &Run, control: &Control) -> Result<(), ControlError> {
    let Control::Retry { restart_successful, selector, from, parameters } = control else { return Ok(()) };
    let picks = (*restart_successful && !selector.is_empty()) || !from.is_empty();
    match run.phase {
        Phase::Failed | Phase::Error => {}
        Phase::Succeeded if picks => {}
        Phase::Succeeded => {
            return Err(ControlError::Refused(
                "the run succeeded: pick what is to run again with `--from-node`, or with `--restart-successful \
                 --node-field-selector`, or start it anew with `wf resubmit`"
                    .to_owned(),
            ));
        }
        _ => {
            let words = "the run is at work; a retry is for one that failed";
            return Err(ControlError::Refused(words.to_owned()));
        }
    }
    check_parameters(run, parameters)?;
    let planned = graph::plan(run, control).map_err(ControlError::Refused)?;
    let matches_nothing = !selector.is_empty() && planned.gone().is_empty();
    if matches_nothing && !graph::matches_any(run, selector) {
        return Err(ControlError::Refused(format!("no node matches `{selector}`")));
    }
    Ok(())
}

fn check_parameters(run: &Run, parameters: &BTreeMap<String, Arc<str>>) -> Result<(), ControlError> {
    let known = || run.arguments.iter().map(|argument| &*argument.name);
    match parameters.keys().find(|name| known().all(|known| known != **name)) {
        None => Ok(()),
        Some(stranger) => {
            let near = crate::base::suggest::nearest(stranger, known()).map(|near| format!("; did you mean `{near}`?"));
            let near = near.unwrap_or_default();
            Err(ControlError::Refused(format!("the workflow has no parameter `{stranger}`{near}")))
        }
    }
}

impl Decider<'_> {
    pub(super) fn restart(&mut self, control: &Control) {
        let Control::Retry { parameters, .. } = control else { return };
        let Ok(planned) = graph::plan(self.run, control) else { return };
        let changed = touched::parameters(self.run, parameters);
        let groups = touched::nodes(self.run, &changed).groups;
        let args = (!changed.is_empty()).then(|| self.changed_arguments(parameters));
        self.emit(Event::Retried { gone: planned.gone(), open: planned.open(), args });
        for ix in groups {
            self.give_again(ix);
        }
    }

    fn changed_arguments(&self, parameters: &BTreeMap<String, Arc<str>>) -> Vec<Parameter> {
        let mut arguments = self.run.arguments.clone();
        for argument in &mut arguments {
            if let Some(value) = parameters.get(&*argument.name) {
                argument.value = Some(value.clone());
            }
        }
        arguments
    }

    /// Gives a node that is at work again the inputs that it would be given now. Callers come first.
    fn give_again(&mut self, ix: NodeIx) {
        let slot = self.run.slot(ix);
        if slot.gone || slot.node.phase.is_final() {
            return;
        }
        match self.inputs_again(ix) {
            Ok(Some(inputs)) if slot.node.inputs.as_deref() != Some(&inputs) => {
                self.emit(Event::Given { n: ix, i: Arc::new(inputs) });
            }
            Ok(_) => {}
            Err(words) => self.finish(ix, Phase::Error, words),
        }
    }

    fn inputs_again(&self, ix: NodeIx) -> Result<Option<Inputs>, String> {
        let slot = self.run.slot(ix);
        if let Caller::Attempt(retry, _) = slot.caller {
            return Ok(self.run.node(retry).inputs.as_deref().cloned());
        }
        match self.call_again(ix)? {
            Some(call) => self.inputs(&call, self.plan.template(call.template)).map(Some),
            None => Ok(None),
        }
    }

    /// Returns the call that made a node, as it would be made now; `None` for what only hooks call.
    fn call_again(&self, ix: NodeIx) -> Result<Option<Call>, String> {
        let slot = self.run.slot(ix);
        let (of, item) = match slot.caller {
            Caller::Entry => return Ok(Some(self.entry_call(slot.node.name.clone()))),
            Caller::Task(dag, _, item) => (Some(dag), item),
            Caller::Step(.., item) => (slot.node.boundary, item),
            _ => (None, None),
        };
        let Some((of, task)) = of.zip(self.run.task_of(&slot.caller)) else { return Ok(None) };
        let items = if item.is_some() { self.items(of, task)? } else { Vec::new() };
        let value = item.and_then(|item| items.get(item as usize));
        let rendered = self.task(of, task, Part::Call, value, item.is_some())?;
        let planned = Planned { name: slot.node.display_name.clone(), item, what: Ok(rendered), skip: None };
        let Ok(rendered) = &planned.what else { return Ok(None) };
        let call = self.planned_call(of, task, &planned, rendered, slot.caller.clone(), slot.node.name.clone())?;
        Ok(Some(call))
    }
}
