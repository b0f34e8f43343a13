//! What goes out: what the engine wants done, named so that doing it twice is harmless.

use std::sync::Arc;

use super::value::Inputs;
use crate::base::{NodeIx, TimeSpan, Timestamp};
use crate::spec;

/// Something to be done after the events that caused it are durable.
#[derive(Debug, Clone)]
pub enum Action {
    /// Start a node's pod, or send its request when its template is `http`, or call its plugin. Its key is the node: a backend that has seen the key does nothing.
    Start(Box<PodRequest>),
    /// End a node's pod: its processes get SIGTERM, and after the grace SIGKILL.
    Stop {
        /// The node.
        node: NodeIx,
        /// How long they may take.
        grace: TimeSpan,
    },
}

/// All that a backend needs to start a pod.
#[derive(Debug, Clone)]
pub struct PodRequest {
    /// The node; the key of the action.
    pub node: NodeIx,
    /// The node's full name.
    pub node_name: Arc<str>,
    /// The pod's name, as Argo makes it (`POD_NAMES=v2`).
    pub pod_name: String,
    /// The template with every tag replaced, defaults merged in.
    pub template: Arc<spec::Template>,
    /// What the workflow says of all its pods, with every tag replaced.
    pub workflow: Arc<spec::WorkflowSpec>,
    /// The parameters and artifacts that it was given; artifacts have their places.
    pub inputs: Arc<Inputs>,
    /// Whether somebody refers to the result, so that standard output must be captured.
    pub capture_result: bool,
    /// Whether it was seen at work: it was started before, and must not be again.
    pub is_running: bool,
    /// When it must be ended, counted from the start of its containers.
    pub deadline_after: Option<TimeSpan>,
    /// When it must be ended at the latest, whatever it does.
    pub deadline: Option<Timestamp>,
    /// The machines that it must not run on, since attempts before it failed there.
    pub avoided_hosts: Vec<Arc<str>>,
}
