//! `resubmit --memoized`: a new run that takes over what an old one made.
//!
//! A pod that succeeded is not run again while it would be given the same: same name, same inputs,
//! same texts. What follows from a changed argument, or comes after a node that runs again, runs again.
//! Reused nodes stay `Succeeded`, so that conditions on them hold; in Argo they turn `Skipped`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::event::{Caller, Event};
use super::model::{NodeType, Phase};
use super::run::Run;
use super::value::{Inputs, Outputs};
use crate::plan::{Template, Text};

/// A node of an old run that a new one may reuse.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reusable {
    /// The node's name without the run's.
    #[serde(rename = "n")]
    pub name: Arc<str>,
    /// What it was given, as a digest.
    #[serde(rename = "d")]
    pub digest: Arc<str>,
    /// What it made.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Arc<Outputs>>,
}

/// Returns the first event of a run that reuses what succeeded in `old`.
pub fn reuse(old: &Run) -> Event {
    let exit = format!("{}.onExit", old.name);
    let pods = old.slots.iter().filter(|slot| {
        let attempt = matches!(slot.caller, Caller::Attempt(..));
        // The exit handler says how a run ended: each run has its own.
        let of_exit = slot.on_exit && slot.node.name.starts_with(&exit);
        !slot.gone && !attempt && !of_exit && slot.node.phase == Phase::Succeeded
    });
    let reusable = pods.filter_map(|slot| {
        let template = old.plan.template(slot.template?);
        let is_pod = matches!(template.body, crate::plan::Body::Pod);
        let is_node = matches!(slot.node.kind, NodeType::Pod | NodeType::Retry);
        let daemon = template.spec.daemon == Some(true);
        (is_pod && is_node && !daemon).then(|| {
            let inputs = slot.node.inputs.clone().unwrap_or_default();
            let texts = old.last_texts(slot);
            Reusable {
                name: slot.node.name[old.name.as_str().len()..].into(),
                digest: digest(template, &inputs, texts),
                outputs: slot.node.outputs.clone(),
            }
        })
    });
    Event::Reuses { from: old.name.as_str().into(), nodes: reusable.collect() }
}

/// Returns what a call of `template` is given, as a digest: its inputs, and those of its texts that
/// say the same in every run that is given the same.
pub(super) fn digest(template: &Template, inputs: &Inputs, texts: &[Arc<str>]) -> Arc<str> {
    let lasting = super::decide::render::own_texts(template).zip(texts).filter(|(place, _)| is_lasting(place));
    let lasting: Vec<&str> = lasting.map(|(_, text)| &**text).collect();
    let given = serde_json::to_vec(&(template.name.as_ref(), inputs, lasting)).unwrap_or_default();
    let digest = Sha256::digest(&given);
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect::<String>().into()
}

/// Returns whether a text depends on nothing but inputs and arguments: no name of the run, no clock.
fn is_lasting(place: &Text) -> bool {
    place
        .text
        .variables()
        .all(|variable| variable.name.starts_with("inputs.") || variable.name.starts_with("workflow.parameters"))
}
