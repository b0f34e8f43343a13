//! What a run is made of, as plain values: phases, kinds of nodes, nodes.
//!
//! Names, types and phases are Argo's (`pkg/apis/workflow/v1alpha1/workflow_types.go`), so that
//! what users already know and script against stays true.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::value::{Inputs, Outputs};
use crate::base::{NodeIx, Timestamp};

/// Where a node, or a run, is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// It waits for a pod, a lock or its turn.
    Pending,
    /// It is at work.
    Running,
    /// It ended well.
    Succeeded,
    /// Its `when` was false, or its loop had no items.
    Skipped,
    /// What it was asked to do ended badly.
    Failed,
    /// What should have carried it out broke.
    Error,
    /// Its `depends` did not hold.
    Omitted,
}

impl Phase {
    /// Returns whether the phase is final: Argo's `NodePhase.Fulfilled` without daemons.
    pub fn is_final(self) -> bool {
        !matches!(self, Phase::Pending | Phase::Running)
    }

    /// Returns whether the phase is `Failed` or `Error`.
    pub fn is_bad(self) -> bool {
        matches!(self, Phase::Failed | Phase::Error)
    }

    /// Returns Argo's word for the phase.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Pending => "Pending",
            Phase::Running => "Running",
            Phase::Succeeded => "Succeeded",
            Phase::Skipped => "Skipped",
            Phase::Failed => "Failed",
            Phase::Error => "Error",
            Phase::Omitted => "Omitted",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NodeType {
    /// A pod of its own: container, script, resource, data, container set.
    Pod,
    /// One container of a container set.
    Container,
    /// A template of steps.
    Steps,
    /// One group of steps that start together.
    StepGroup,
    /// A template of tasks.
    #[serde(rename = "DAG")]
    Dag,
    /// The expansion of a looped task or step.
    TaskGroup,
    /// A node with its attempts.
    Retry,
    /// A node that never ran.
    Skipped,
    /// A pause.
    Suspend,
    /// A request over HTTP.
    #[serde(rename = "HTTP")]
    Http,
    /// A plugin's work.
    Plugin,
}

impl NodeType {
    /// Returns whether somebody outside carries a node of this type out: its start is an action, and
    /// its end an observation.
    pub fn is_work(self) -> bool {
        matches!(self, NodeType::Pod | NodeType::Http | NodeType::Plugin)
    }

    /// Returns Argo's word for the type.
    pub fn as_str(self) -> &'static str {
        match self {
            NodeType::Pod => "Pod",
            NodeType::Container => "Container",
            NodeType::Steps => "Steps",
            NodeType::StepGroup => "StepGroup",
            NodeType::Dag => "DAG",
            NodeType::TaskGroup => "TaskGroup",
            NodeType::Retry => "Retry",
            NodeType::Skipped => "Skipped",
            NodeType::Suspend => "Suspend",
            NodeType::Http => "HTTP",
            NodeType::Plugin => "Plugin",
        }
    }
}

/// One vertex of a run, as the log tells it.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its place in the run.
    pub ix: NodeIx,
    /// The full name, such as `wf[0].build(1:linux)`.
    pub name: Arc<str>,
    /// The name without its boundary's.
    pub display_name: Arc<str>,
    /// What it is.
    pub kind: NodeType,
    /// Where it is in its life.
    pub phase: Phase,
    /// The steps or DAG node that it belongs to.
    pub boundary: Option<NodeIx>,
    /// Its template's name; empty for groups.
    pub template: Arc<str>,
    /// How its caller named the template.
    pub called_by: CalledBy,
    /// Where the template was found, in Argo's form: `local/name`, `namespaced/name`, `cluster/name`.
    pub scope: Arc<str>,
    /// Why it is in its phase, in words.
    pub message: Arc<str>,
    /// When it was made.
    pub started_at: Timestamp,
    /// When it reached a final phase.
    pub finished_at: Option<Timestamp>,
    /// The nodes that come after it, as Argo links them.
    pub children: Vec<NodeIx>,
    /// The values that it was given.
    pub inputs: Option<Arc<Inputs>>,
    /// The values that it made.
    pub outputs: Option<Arc<Outputs>>,
    /// Whether it is a daemon that is up.
    pub daemoned: bool,
    /// The address of its pod while it is a daemon.
    pub pod_ip: Option<Arc<str>>,
    /// The machine that its pod ran on.
    pub host: Option<Arc<str>>,
    /// Whether it is a hook's or an exit handler's node.
    pub hooked: bool,
    /// What it waits for, when it waits.
    pub waiting: Option<Waiting>,
}

/// How a template was named by what calls it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CalledBy {
    /// By its name alone.
    #[default]
    Name,
    /// By a `templateRef` to another object.
    Reference {
        /// The object.
        object: Arc<str>,
        /// Whether it is a ClusterWorkflowTemplate.
        cluster: bool,
    },
    /// It stands in the call itself.
    Inline,
}

/// What keeps a node from starting or ending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "camelCase")]
pub enum Waiting {
    /// Its pod, for the reason that the backend gives (`Unschedulable`, `ImagePullBackOff`, …).
    Pod {
        /// The backend's words.
        reason: Arc<str>,
    },
    /// The next attempt's time.
    Backoff {
        /// When that is.
        until: Timestamp,
    },
    /// A decision of a person, or the end of a pause.
    Approval {
        /// When it goes on by itself.
        until: Option<Timestamp>,
    },
}

impl Node {
    /// Returns whether nothing more is to be waited for: a final phase, or a daemon that is up.
    /// Source: Argo's `NodeStatus.Fulfilled`.
    pub fn is_fulfilled(&self) -> bool {
        self.phase.is_final() || self.daemoned
    }

    /// Returns Argo's `templateName`, which is empty when the template was not called by its name.
    pub fn template_name(&self) -> &str {
        if self.called_by == CalledBy::Name { &self.template } else { "" }
    }

    /// Returns the node's id in Argo's form: the run's name and the FNV-1a hash of the node's name.
    /// Source: `Workflow.NodeID`.
    pub fn id(&self, run: &str) -> String {
        node_id(run, &self.name)
    }
}

/// Returns the id that Argo gives to the node called `name` in `run`.
pub fn node_id(run: &str, name: &str) -> String {
    if name == run { run.to_owned() } else { format!("{run}-{}", fnv1a_32(name)) }
}

/// Returns the 32-bit FNV-1a hash of `text`, which Argo's ids and pod names end with.
pub fn fnv1a_32(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
