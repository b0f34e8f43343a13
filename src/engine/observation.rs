//! What comes in: facts that a backend, a clock or a person brings, perhaps late, twice or never.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::memo::{Memo, Recollection};
use super::model::Phase;
use crate::base::{NodeIx, Timestamp};
use crate::spec;

/// A fact that may change a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
    /// A driver begins with the run, or takes it over: everything unfinished is looked at anew.
    Begin,
    /// A pod was seen.
    Pod(NodeIx, PodReport),
    /// A cache was looked at, as [`Run::recalls`](super::Run::recalls) asked for.
    Recalled {
        /// Where.
        memo: Memo,
        /// What is there.
        found: Recollection,
    },
    /// Other runs hold a lock so many times; until told otherwise, none does.
    Held {
        /// The lock in Argo's form, as `default/Mutex/name`.
        lock: String,
        /// How many of its places.
        others: u32,
    },
    /// Time went on; whatever is due by then is due.
    Time,
    /// A person, or a program for one, asks for something.
    Control(Control),
}

/// What was seen of a pod.
#[derive(Debug, Clone, PartialEq)]
pub enum PodReport {
    /// It does not run yet.
    Waiting {
        /// Why, in the backend's words.
        reason: String,
    },
    /// It runs.
    Running {
        /// Whether its readiness probes hold; a daemon counts as up from then on.
        ready: bool,
        /// Its address.
        ip: Option<String>,
        /// The machine that it runs on.
        host: Option<String>,
    },
    /// It ended.
    Ended(PodEnd),
    /// It was started and is gone, and nobody knows how it ended.
    Lost {
        /// What is known.
        message: String,
    },
}

/// How a pod ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PodEnd {
    /// `Succeeded`, `Failed` (the command's doing) or `Error` (the surroundings').
    pub phase: Phase,
    /// The exit code of the main container, when it got that far.
    pub exit_code: Option<i32>,
    /// Why it did not succeed, such as `Error (exit code 1)`; empty otherwise.
    pub message: String,
    /// The end of standard output, at most [`RESULT_BYTES_MAX`](crate::base::limits::RESULT_BYTES_MAX)
    /// bytes, with one trailing newline less; present when the request asked for it.
    pub result: Option<String>,
    /// The files of the output parameters (those with `valueFrom.path`), by parameter name,
    /// with one trailing newline less.
    pub parameters: BTreeMap<String, FileOutput>,
    /// The output artifacts, by name.
    pub artifacts: BTreeMap<String, SavedArtifact>,
    /// When its containers began to run.
    pub started_at: Option<Timestamp>,
    /// When the last of them ended.
    pub finished_at: Option<Timestamp>,
    /// The machine that it ran on.
    pub host: Option<String>,
    /// How the containers of a container set ended, by name; one that is not in it ended as the pod did.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub containers: BTreeMap<String, ContainerEnd>,
}

/// How one container of a container set ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerEnd {
    /// `Succeeded`, `Failed`, `Error`; `Pending` for one that never ran.
    pub phase: Phase,
    /// Why it did not succeed, such as `a: Error (exit code 1): `; empty otherwise.
    pub message: String,
}

/// An output parameter's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FileOutput {
    /// It was there.
    Found(String),
    /// It was not there; the engine takes the default, if there is one.
    Absent,
    /// It was there and cannot be taken: too large, not UTF-8, a folder.
    Unusable(String),
}

/// An output artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SavedArtifact {
    /// It lies at this place now.
    Saved(Box<spec::Artifact>),
    /// There was no such file; fine for an optional artifact.
    Absent,
    /// It could not be saved.
    Unusable(String),
}

impl PodEnd {
    /// Returns the end of a pod whose main container exited with `code`, without outputs.
    pub fn exited(code: i32) -> Self {
        let (phase, message) = match code {
            0 => (Phase::Succeeded, String::new()),
            _ => (Phase::Failed, format!("main: Error (exit code {code})")),
        };
        Self {
            phase,
            exit_code: Some(code),
            message,
            result: None,
            parameters: BTreeMap::new(),
            artifacts: BTreeMap::new(),
            started_at: None,
            finished_at: None,
            host: None,
            containers: BTreeMap::new(),
        }
    }
}

/// What may be asked of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "camelCase")]
pub enum Control {
    /// Start nothing new.
    Suspend,
    /// Go on; with a selector, only the suspended nodes that it matches.
    Resume {
        /// Which nodes; empty for all.
        #[serde(default)]
        selector: String,
        /// Words to keep with the nodes.
        #[serde(default)]
        message: String,
    },
    /// End it; `exit` handlers run. With a selector, only fail the suspended nodes that it matches.
    Stop {
        /// Which nodes; empty for the whole run.
        #[serde(default)]
        selector: String,
        /// Words to keep with the run.
        #[serde(default)]
        message: String,
    },
    /// End it at once; nothing more runs.
    Terminate,
    /// Supply outputs, a phase or a message to suspended nodes.
    NodeSet {
        /// Which nodes.
        selector: String,
        /// Output parameters by name.
        #[serde(default)]
        parameters: BTreeMap<String, String>,
        /// The phase to end the nodes with.
        #[serde(default)]
        phase: Option<Phase>,
        /// Words to keep with the nodes.
        #[serde(default)]
        message: String,
    },
    /// Run again what failed, in the same run.
    Retry {
        /// Run also those nodes again that the selector matches, whatever became of them.
        #[serde(default)]
        restart_successful: bool,
        /// Which nodes; without `restart_successful`, which of those that failed. Empty for all that failed.
        #[serde(default)]
        selector: String,
        /// A node that is to run again with all that comes after it, whatever became of it.
        #[serde(default)]
        from: String,
        /// Arguments to change, by name.
        #[serde(default)]
        parameters: BTreeMap<String, Arc<str>>,
    },
}
