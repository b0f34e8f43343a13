//! What people ask of a run. Source: Argo's `SuspendWorkflow`, `ResumeWorkflow`, `StopWorkflow`,
//! `SetWorkflow`, `applyExecutionControl`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Decider;
use crate::base::NodeIx;
use crate::engine::event::Event;
use crate::engine::model::Phase;
use crate::engine::observation::Control;
use crate::engine::run::{ControlError, Run, Shutdown, Slot, Wake};
use crate::engine::selector::Selector;
use crate::engine::value::{Outputs, Parameter};

impl Run {
    /// Returns whether a control request can be done now; `decide` ignores one that cannot.
    pub fn check_control(&self, control: &Control) -> Result<(), ControlError> {
        match control {
            Control::Retry { .. } => super::restart::check(self, control),
            _ if self.phase.is_final() => Err(ControlError::Ended),
            Control::Suspend if self.suspended => Err(ControlError::Refused("the run is suspended already".to_owned())),
            Control::Suspend | Control::Terminate => Ok(()),
            Control::Resume { selector, .. } => self.check_resume(selector),
            Control::Stop { selector, .. } if selector.is_empty() => Ok(()),
            Control::Stop { selector, .. } => self.paused_matching(selector).map(|_| ()),
            Control::NodeSet { selector, parameters, phase, .. } => self.check_set(selector, parameters, *phase),
        }
    }

    fn check_resume(&self, selector: &str) -> Result<(), ControlError> {
        if selector.is_empty() && self.paused.is_empty() {
            return match self.suspended {
                true => Ok(()),
                false => Err(ControlError::Refused("nothing in the run is suspended".to_owned())),
            };
        }
        for ix in self.paused_matching(selector)? {
            resumed_outputs(self, ix).map_err(ControlError::Refused)?;
        }
        Ok(())
    }

    fn check_set(
        &self,
        selector: &str,
        parameters: &BTreeMap<String, String>,
        phase: Option<Phase>,
    ) -> Result<(), ControlError> {
        if phase.is_some_and(|phase| !phase.is_final()) {
            return Err(ControlError::Refused("a node can be set to a final phase only".to_owned()));
        }
        for ix in self.paused_matching(selector)? {
            let node = self.node(ix);
            let waits = node.outputs.iter().flat_map(|outputs| &outputs.parameters);
            let names: Vec<&str> = waits.map(|parameter| &*parameter.name).collect();
            if let Some(stranger) = parameters.keys().find(|name| !names.contains(&name.as_str())) {
                let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                return Err(ControlError::Refused(format!(
                    "node `{}` waits for no output `{stranger}`; it waits for: {known}",
                    node.display_name
                )));
            }
            self.check_choices(ix, parameters)?;
        }
        Ok(())
    }

    /// Refuses a value that is none of those that the node offers: the `enum` of its input of that name, from
    /// which Argo's page lets people choose.
    fn check_choices(&self, ix: NodeIx, parameters: &BTreeMap<String, String>) -> Result<(), ControlError> {
        let inputs = self.template_of(ix).and_then(|template| template.spec.inputs.as_ref());
        for declared in inputs.iter().flat_map(|inputs| &inputs.parameters).filter(|input| !input.enum_.is_empty()) {
            let offered: Vec<&str> = declared.enum_.iter().map(|choice| choice.0.as_str()).collect();
            match parameters.get(&declared.name) {
                Some(value) if !offered.contains(&value.as_str()) => {
                    return Err(ControlError::Refused(format!(
                        "`{value}` is no choice for `{}` of node `{}`: it takes {}",
                        declared.name,
                        self.node(ix).display_name,
                        offered.join(", ")
                    )));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn paused_matching(&self, selector: &str) -> Result<Vec<NodeIx>, ControlError> {
        let parsed = Selector::parse(selector).map_err(ControlError::Refused)?;
        let matching = self.paused.iter().copied().filter(|ix| parsed.matches(self, *ix));
        let matching: Vec<NodeIx> = matching.collect();
        match (matching.is_empty(), selector.is_empty()) {
            (false, _) => Ok(matching),
            (true, true) => Err(ControlError::Refused("no node is suspended".to_owned())),
            (true, false) => Err(ControlError::Refused(format!("no suspended node matches `{selector}`"))),
        }
    }
}

impl Decider<'_> {
    pub(super) fn control(&mut self, control: Control) {
        if self.run.check_control(&control).is_err() {
            return;
        }
        match control {
            Control::Suspend => self.emit(Event::Suspended),
            Control::Resume { selector, message } => self.resume(&selector, &message),
            Control::Stop { selector, message } if selector.is_empty() => self.shut_down(Shutdown::Stop, &message),
            Control::Stop { selector, message } => self.fail_paused(&selector, &message),
            Control::Terminate => self.shut_down(Shutdown::Terminate, ""),
            Control::NodeSet { selector, parameters, phase, message } => {
                self.set_nodes(&selector, &parameters, phase, &message);
            }
            Control::Retry { .. } => self.restart(&control),
        }
    }

    fn resume(&mut self, selector: &str, message: &str) {
        if selector.is_empty() && self.run.suspended {
            self.emit(Event::Resumed);
        }
        for ix in self.run.paused_matching(selector).unwrap_or_default() {
            self.resume_node(ix, message);
        }
    }

    /// Lets a suspended node go on with what it was handed, or with defaults.
    pub(super) fn resume_node(&mut self, ix: NodeIx, message: &str) {
        match resumed_outputs(self.run, ix) {
            Ok(outputs) => {
                self.finish_with(ix, Phase::Succeeded, message, outputs);
                self.share_outputs(ix);
            }
            Err(words) => self.finish(ix, Phase::Error, words),
        }
    }

    fn fail_paused(&mut self, selector: &str, message: &str) {
        for ix in self.run.paused_matching(selector).unwrap_or_default() {
            self.finish(ix, Phase::Failed, message);
        }
    }

    /// A workflow that is submitted with `shutdown` ends as soon as it begins.
    pub(super) fn begin_shut_down(&mut self) {
        match self.plan.spec().shutdown.as_deref() {
            Some("Stop") => self.shut_down(Shutdown::Stop, ""),
            Some("Terminate") => self.shut_down(Shutdown::Terminate, ""),
            _ => {}
        }
    }

    fn shut_down(&mut self, how: Shutdown, message: &str) {
        self.emit(Event::Shutdown { how, m: message.into() });
        if how == Shutdown::Terminate && self.run.started_at.is_none() {
            return self.end_with(Phase::Failed, "Stopped with strategy 'Terminate'");
        }
        self.go_on_shutting_down();
    }

    /// Ends what a shutdown ends, if there is one and something is left.
    pub(super) fn go_on_shutting_down(&mut self) {
        let Some(how) = self.run.shutdown.filter(|_| !self.run.phase.is_final()) else { return };
        let words = format!("workflow shutdown with strategy:  {}", how.as_str());
        self.fail_unfinished(&words, |slot| how == Shutdown::Terminate || !slot.on_exit);
    }

    /// Ends pods and pauses that `which` picks, and looks again at what waits for room or time.
    pub(super) fn fail_unfinished(&mut self, words: &str, which: impl Fn(&Slot) -> bool) {
        let waiting: Vec<NodeIx> = self.run.timers.iter().map(|(_, ix)| *ix).collect();
        let pods: Vec<NodeIx> = self.run.live.iter().copied().filter(|ix| which(self.run.slot(*ix))).collect();
        let paused: Vec<NodeIx> = self.run.paused.iter().copied().filter(|ix| which(self.run.slot(*ix))).collect();
        let gated: Vec<NodeIx> = self.run.gated.iter().copied().filter(|ix| which(self.run.slot(*ix))).collect();
        for ix in pods {
            self.finish(ix, Phase::Failed, words);
        }
        let paused_words = match self.run.shutdown {
            Some(how) => format!("Stopped with strategy '{}'", how.as_str()),
            None => words.to_owned(),
        };
        for ix in paused.into_iter().chain(gated) {
            self.finish(ix, Phase::Failed, paused_words.as_str());
        }
        self.feed_all();
        for ix in waiting {
            self.run.wake(Wake::Node(ix));
        }
    }

    fn set_nodes(
        &mut self,
        selector: &str,
        parameters: &BTreeMap<String, String>,
        phase: Option<Phase>,
        message: &str,
    ) {
        for ix in self.run.paused_matching(selector).unwrap_or_default() {
            let mut outputs = self.run.node(ix).outputs.as_deref().cloned().unwrap_or_default();
            for parameter in &mut outputs.parameters {
                if let Some(value) = parameters.get(&*parameter.name) {
                    parameter.value = Some(value.as_str().into());
                }
            }
            if !parameters.is_empty() {
                self.emit(Event::Supplied { n: ix, out: Arc::new(outputs) });
            }
            if let Some(phase) = phase {
                self.finish(ix, phase, message);
                self.share_outputs(ix);
            }
        }
    }
}

/// Returns the outputs of a suspended node that goes on: supplied, or by default, or refused in words.
/// Source: Argo's `OverrideOutputParametersWithDefault`.
fn resumed_outputs(run: &Run, ix: NodeIx) -> Result<Option<Outputs>, String> {
    let slot = run.slot(ix);
    let Some(outputs) = slot.node.outputs.as_deref() else { return Ok(None) };
    let template = slot.template.map(|template| super::render::template(run.plan.template(template), &slot.texts));
    let template = template.unwrap_or_default();
    let mut resumed = outputs.clone();
    for Parameter { name, value } in resumed.parameters.iter_mut().filter(|parameter| parameter.value.is_none()) {
        let declared = template.outputs.iter().flat_map(|outputs| &outputs.parameters).find(|p| p.name == **name);
        let own = declared.and_then(|parameter| parameter.value_from.as_ref()?.default.as_ref());
        let input = template.inputs.iter().flat_map(|inputs| &inputs.parameters).find(|p| p.name == **name);
        match own.or_else(|| input.and_then(|parameter| parameter.default.as_ref())) {
            Some(default) => *value = Some(default.0.as_str().into()),
            None => {
                return Err(format!(
                    "raw output parameter '{name}' has not been set and does not have a default value"
                ));
            }
        }
    }
    Ok(Some(resumed))
}
