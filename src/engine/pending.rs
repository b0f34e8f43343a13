//! `pending`: from the folded state to the actions that are to be done.

use std::sync::Arc;

use super::action::{Action, PodRequest};
use super::decide::render;
use super::model::Phase;
use super::run::Run;
use super::scope::global::{Global, ambient, pod_name};
use super::scope::inner::{Chain, Inner};
use super::value::Inputs;
use crate::base::{NodeIx, TimeSpan};
use crate::plan::Template;
use crate::spec;

/// How long processes have between SIGTERM and SIGKILL: Kubernetes' default grace.
pub const STOP_GRACE: TimeSpan = TimeSpan::from_secs(30);

impl Run {
    /// Returns the actions that the fold has caused and that have not been returned before.
    /// A run that was folded anew from its log returns all that are still to be done.
    pub fn pending(&mut self) -> Vec<Action> {
        let touched: Vec<NodeIx> = std::mem::take(&mut self.outbox).into();
        touched.into_iter().filter_map(|ix| self.action(ix)).collect()
    }

    fn action(&self, ix: NodeIx) -> Option<Action> {
        let slot = self.slot(ix);
        if self.doomed.contains(&ix) {
            return Some(Action::Stop { node: ix, grace: STOP_GRACE });
        }
        if slot.gone || slot.node.phase.is_final() {
            return None;
        }
        self.request(ix).map(|request| Action::Start(Box::new(request)))
    }

    fn request(&self, ix: NodeIx) -> Option<PodRequest> {
        let slot = self.slot(ix);
        let plan: &Template = self.template_of(ix)?;
        let template = render::template(plan, &slot.texts);
        let inputs = slot.node.inputs.clone().unwrap_or_default();
        let captures = self.task_of(&slot.caller).is_some_and(|task| task.captures_result);
        Some(PodRequest {
            node: ix,
            node_name: slot.node.name.clone(),
            pod_name: pod_name(self.name.as_str(), &slot.node.name, &slot.node.template),
            deadline_after: deadline_after(&template),
            deadline: self.deadline.filter(|_| !slot.on_exit),
            is_running: slot.node.phase == Phase::Running,
            capture_result: captures,
            avoided_hosts: self.avoided_hosts(ix),
            workflow: self.pod_parts(ix, plan, &inputs),
            inputs,
            template,
        })
    }

    /// Returns what the workflow says of all its pods, for the pod of a node: tags may name the run's
    /// words and, as in Argo's `processPodSpecPatch`, the node's inputs.
    fn pod_parts(&self, ix: NodeIx, template: &Template, inputs: &Inputs) -> Arc<spec::WorkflowSpec> {
        let parts = &self.plan.pod_parts;
        if parts.texts.is_empty() {
            return parts.spec.clone();
        }
        let node = self.node(ix);
        let pod: Arc<str> = pod_name(self.name.as_str(), &node.name, &node.template).into();
        let locals = [("pod.name", pod), ("node.name", node.name.clone())];
        let inner = Inner { template: &template.spec, inputs, locals: &locals };
        let global = Global { run: self, at: self.created_at };
        let ambient = ambient(self, self.created_at, u64::from(ix.0));
        render::pod_parts(parts, &Chain(&[&inner, &global]), &ambient)
    }

    /// Returns the name and template of the object that a node's template comes from, if not its workflow.
    pub(super) fn template_reference(&self, ix: NodeIx) -> Option<(String, String)> {
        let template = self.template_of(ix)?;
        match &template.scope {
            crate::plan::Scope::Local => None,
            crate::plan::Scope::Namespaced(name) | crate::plan::Scope::Cluster(name) => {
                Some((name.to_string(), template.name.to_string()))
            }
        }
    }
}

/// Returns how long a pod may run: the lesser of `activeDeadlineSeconds` and `timeout`.
fn deadline_after(template: &spec::Template) -> Option<TimeSpan> {
    let seconds = template.active_deadline_seconds.as_ref().and_then(|seconds| seconds.as_text().trim().parse().ok());
    let timeout = template.timeout.as_deref().and_then(|text| TimeSpan::parse(text).ok());
    seconds.map(TimeSpan::from_secs).into_iter().chain(timeout).min()
}
