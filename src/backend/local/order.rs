//! What a monitor is told: one pod as plain data, with nothing left to look up.
//!
//! It travels over the supervisor's socket and is never written to disk, since it may hold secrets.

use serde::{Deserialize, Serialize};

use crate::backend::tries::Tries;
use crate::base::{NodeIx, Timestamp};
use crate::spec;

/// One pod.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Order {
    /// The node.
    pub node: NodeIx,
    /// Containers that end, one after the other, before the main one starts.
    pub init: Vec<Container>,
    /// The container whose end is the pod's.
    pub main: Container,
    /// Containers that run beside it.
    pub sidecars: Vec<Container>,
    /// The containers of a set, which run in the place of the main one.
    pub set: Vec<Member>,
    /// How often each of these is tried.
    pub tries: Tries,
    /// What the containers' mounts refer to.
    pub volumes: Vec<Volume>,
    /// Files that are placed before anything runs.
    pub inputs: Vec<InputArtifact>,
    /// Files that are read at the end.
    pub parameters: Vec<OutputParameter>,
    /// Files that are kept at the end.
    pub artifacts: Vec<OutputArtifact>,
    /// Where the main container's log is kept as an artifact, when it is.
    pub main_log: Option<OutputArtifact>,
    /// Whether the end of the main container's standard output is the result.
    pub capture_result: bool,
    /// Whether readiness is reported.
    pub daemon: bool,
    /// Milliseconds that it may be active, from the start of its containers.
    pub deadline_after_ms: Option<u64>,
    /// When it must be ended at the latest.
    pub deadline: Option<Timestamp>,
}

/// A container of a set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Member {
    /// It.
    pub container: Container,
    /// The names of those that must have succeeded before it starts.
    pub after: Vec<String>,
}

/// One container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Container {
    /// Its name, which is its log's too.
    pub name: String,
    /// The command with its arguments; never empty.
    pub command: Vec<String>,
    /// The program of a script: it is written to a file whose name becomes the last argument.
    pub script: Option<String>,
    /// The whole environment, later entries first in rank.
    pub env: Vec<(String, String)>,
    /// The working directory; the root of the pod's view when absent.
    pub working_dir: Option<String>,
    /// Which volumes it sees, and where.
    pub mounts: Vec<Mount>,
    /// When it counts as ready.
    pub readiness: Option<Probe>,
}

/// A volume, or a part of one, at a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mount {
    /// The volume's name.
    pub volume: String,
    /// The absolute path where it appears.
    pub path: String,
    /// The part that is meant, relative; empty for all of it.
    pub sub_path: String,
    /// Whether it cannot be written to.
    pub read_only: bool,
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Volume {
    /// Its name.
    pub name: String,
    /// What it holds at first; none for an empty folder.
    pub files: Vec<VolumeFile>,
    /// Whether it is kept off the disk: secrets, ConfigMaps, and folders that ask for it.
    pub in_memory: bool,
}

/// A file of a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct VolumeFile {
    /// Where, relative to the volume.
    pub path: String,
    /// What it holds.
    pub data: Vec<u8>,
    /// Its mode.
    pub mode: u32,
}

/// An input artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct InputArtifact {
    /// Its name.
    pub name: String,
    /// The absolute path where it is expected.
    pub path: String,
    /// Where it comes from.
    pub source: Source,
    /// Whether it may be missing.
    pub optional: bool,
    /// Whether an archive is unpacked.
    pub unpack: bool,
    /// The mode that it gets.
    pub mode: Option<u32>,
    /// Whether all that is below gets the mode too.
    pub recurse_mode: bool,
}

/// Where an input artifact comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Source {
    /// The manifest.
    Text(String),
    /// The run's artifact repository, by key.
    Key(String),
}

/// An output parameter that is a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OutputParameter {
    /// Its name.
    pub name: String,
    /// Its absolute path.
    pub path: String,
}

/// An output artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct OutputArtifact {
    /// The artifact as it is reported once it is saved: its location is the key below.
    pub artifact: spec::Artifact,
    /// Its absolute path; not used for a log.
    pub path: String,
    /// Its key in the run's artifact repository.
    pub key: String,
    /// The level of gzip that it is packed with; none when it is kept as it is.
    pub pack: Option<u32>,
}

/// How readiness is tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Probe {
    /// What is tried.
    pub check: Check,
    /// Milliseconds before the first try.
    pub initial_delay_ms: u64,
    /// Milliseconds that a try may take.
    pub timeout_ms: u64,
    /// How many tries in a row must succeed.
    pub successes: u32,
}

/// One way to try readiness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Check {
    /// A request that is answered with a status from 200 to 399.
    Http {
        /// The host; this machine when absent.
        host: String,
        /// The port.
        port: u16,
        /// The path with its query.
        path: String,
    },
    /// A connection.
    Tcp {
        /// The host; this machine when absent.
        host: String,
        /// The port.
        port: u16,
    },
    /// A command that ends with 0.
    Exec(Vec<String>),
}
