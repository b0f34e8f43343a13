//! The facts of a run's log. An event carries what was decided, so that folding it evaluates nothing.
//!
//! The names in the written form are short on purpose: a log has several events for each node.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::memo::Memo;
use super::model::{NodeType, Phase, Waiting};
use super::reuse::Reusable;
use super::run::Shutdown;
use super::scope::outer::Outer;
use super::value::{Inputs, Outputs, Parameter};
use crate::base::{NodeIx, Timestamp};
use crate::plan::Scope;
use crate::spec;

/// What one decision brought, at one instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// When it was decided.
    pub at: Timestamp,
    /// What was decided, in order.
    pub events: Vec<Event>,
}

/// A fact of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "e", rename_all = "camelCase")]
pub enum Event {
    /// The run began.
    Began,
    /// The run waits for its own locks before it begins.
    Queued {
        /// In these words.
        m: Arc<str>,
    },
    /// The run holds its own locks, until it ends.
    Locked {
        /// Their names.
        locks: Vec<Arc<str>>,
    },
    /// What succeeded in another run may be reused in this one.
    Reuses {
        /// The other run.
        from: Arc<str>,
        /// What it made.
        nodes: Vec<Reusable>,
    },
    /// The run was brought from Argo as it stood there; the first event of such a run.
    Imported(Box<Imported>),
    /// A node was made. Its place is the number of nodes made before it.
    Created(Box<Created>),
    /// A node's pod runs, or its state while running changed.
    Runs {
        /// The node.
        n: NodeIx,
        /// Its address, while it is a daemon.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ip: Option<Arc<str>>,
        /// Its machine.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<Arc<str>>,
        /// Whether it is a daemon that is up: what waits for it may go on.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        up: bool,
    },
    /// What a node waits for changed.
    Waits {
        /// The node.
        n: NodeIx,
        /// What for; nothing any more when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on: Option<Waiting>,
    },
    /// A node has the locks that it waited for, and begins.
    Acquired {
        /// The node.
        n: NodeIx,
        /// Whether its result was taken from its cache meanwhile.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        hit: bool,
    },
    /// A suspended node was handed outputs.
    Supplied {
        /// The node.
        n: NodeIx,
        /// All its outputs.
        out: Arc<Outputs>,
    },
    /// A node reached a final phase.
    Finished {
        /// The node.
        n: NodeIx,
        /// The phase.
        p: Phase,
        /// Why.
        #[serde(default, skip_serializing_if = "str::is_empty")]
        m: Arc<str>,
        /// What it made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        out: Option<Arc<Outputs>>,
        /// The machine that its pod ran on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<Arc<str>>,
        /// Whether the node was ended by decree, so that its pod may still run and is to be stopped.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        decree: bool,
    },
    /// A node's hooks are over too: what comes after it may count on it.
    Settled {
        /// The node.
        n: NodeIx,
    },
    /// Outputs with a `globalName` became known to the whole run.
    Global {
        /// Parameters by their global names.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        p: Vec<Parameter>,
        /// Artifacts by their global names.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        a: Vec<Arc<spec::Artifact>>,
    },
    /// Nothing new starts until the run is resumed.
    Suspended,
    /// What was suspended goes on.
    Resumed,
    /// The run is being ended.
    Shutdown {
        /// How.
        how: Shutdown,
        /// In whose words.
        #[serde(default, skip_serializing_if = "str::is_empty")]
        m: Arc<str>,
    },
    /// The run's deadline passed.
    Expired,
    /// A person asked for another try of what failed.
    Retried {
        /// The nodes that are forgotten.
        gone: Vec<NodeIx>,
        /// The nodes that are at work again.
        open: Vec<NodeIx>,
        /// The arguments from now on; absent when they stay.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        args: Option<Vec<Parameter>>,
    },
    /// A node that a retry opened is given other inputs than it had.
    Given {
        /// The node.
        n: NodeIx,
        /// All its inputs.
        i: Arc<Inputs>,
    },
    /// The run ended.
    Ended {
        /// The phase.
        p: Phase,
        /// Why.
        #[serde(default, skip_serializing_if = "str::is_empty")]
        m: Arc<str>,
    },
}

/// A run as Argo left it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Imported {
    /// Its phase.
    pub phase: Phase,
    /// Why it is in its phase.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub message: Arc<str>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Whether nothing new starts until it is resumed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
    /// How it is being ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shutdown: Option<Shutdown>,
    /// What `globalName` made global.
    #[serde(default, skip_serializing_if = "Outputs::is_empty")]
    pub outputs: Outputs,
    /// Its nodes, each after its callers.
    pub nodes: Vec<ImportedNode>,
}

/// A node as Argo left it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImportedNode {
    /// What every node has; here the phase may be any.
    #[serde(flatten)]
    pub created: Created,
    /// When it was made.
    #[serde(rename = "at")]
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(rename = "end", default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// The nodes that come after it.
    #[serde(rename = "to", default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<NodeIx>,
    /// Whether it is a daemon that is up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub daemoned: bool,
    /// The address of its pod.
    #[serde(rename = "ip", default, skip_serializing_if = "Option::is_none")]
    pub pod_ip: Option<Arc<str>>,
    /// The machine that its pod ran on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Arc<str>>,
}

impl Event {
    /// Returns the artifacts that the event brings from another run.
    pub fn artifacts(&self) -> impl Iterator<Item = &Arc<spec::Artifact>> {
        let nodes = match self {
            Event::Reuses { nodes, .. } => &nodes[..],
            _ => &[],
        };
        nodes.iter().flat_map(|node| &node.outputs).flat_map(|outputs| &outputs.artifacts)
    }
}

/// A node as it was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Created {
    /// Its full name.
    #[serde(rename = "n")]
    pub name: Arc<str>,
    /// What it is.
    #[serde(rename = "k")]
    pub kind: NodeType,
    /// The phase that it starts in.
    #[serde(rename = "p")]
    pub phase: Phase,
    /// Who asked for it.
    #[serde(rename = "by")]
    pub caller: Caller,
    /// The nodes that it comes after, in the graph that Argo draws.
    #[serde(rename = "in", default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<NodeIx>,
    /// Why it is in its phase.
    #[serde(rename = "m", default, skip_serializing_if = "str::is_empty")]
    pub message: Arc<str>,
    /// What it was given; an attempt that is given what its retry node was given leaves it out.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Arc<Inputs>>,
    /// The texts of its template that have tags, with the tags replaced, in the plan's order.
    #[serde(rename = "t", default, skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<Arc<str>>,
    /// The template, where the caller's own words do not say it: its name was made of tags.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub called: Option<(Scope, Arc<str>)>,
    /// The numbers of a DAG's targets, where their names were made of tags.
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<Vec<u32>>,
    /// When something is due for it: the end of a pause, or of its patience.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Where its result is kept or was taken from.
    #[serde(rename = "mm", default, skip_serializing_if = "Option::is_none")]
    pub memo: Option<Memo>,
    /// The locks that it holds until it ends.
    #[serde(rename = "l", default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<Arc<str>>,
    /// Whether it waits for them, and begins only when it has them.
    #[serde(rename = "w", default, skip_serializing_if = "std::ops::Not::not")]
    pub waits: bool,
    /// What the texts of its inline template name around it.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub outer: Option<Arc<Outer>>,
    /// What it was born with, as a suspended node that waits for outputs.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Arc<Outputs>>,
}

impl Created {
    /// Returns a node with nothing but what every node has.
    pub(super) fn bare(name: Arc<str>, kind: NodeType, phase: Phase, caller: Caller, parents: Vec<NodeIx>) -> Self {
        Self {
            name,
            kind,
            phase,
            caller,
            parents,
            message: "".into(),
            inputs: None,
            texts: Vec::new(),
            called: None,
            targets: None,
            until: None,
            memo: None,
            locks: Vec::new(),
            waits: false,
            outer: None,
            outputs: None,
        }
    }
}

/// Who asked for a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Caller {
    /// The run: its entrypoint.
    Entry,
    /// The run: its exit handler.
    Exit,
    /// The run: one of its hooks.
    RunHook(Arc<str>),
    /// A steps node: the group of that number.
    Group(NodeIx, u32),
    /// A group: its step of that number, and the item of its loop.
    Step(NodeIx, u32, Option<u32>),
    /// A DAG node: its task of that number, and the item of its loop.
    Task(NodeIx, u32, Option<u32>),
    /// A retry node: the attempt of that number.
    Attempt(NodeIx, u32),
    /// A node: its hook of that name.
    Hook(NodeIx, Arc<str>),
    /// The pod of a container set: its container of that number.
    Container(NodeIx, u32),
}
