//! Where things lie in a run's folder.

use std::path::{Path, PathBuf};

use crate::base::NodeIx;

/// The folders and files of the backend below a run's folder.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// The run's folder.
    pub run: PathBuf,
}

impl Layout {
    /// Returns the layout below `run`.
    pub(super) fn new(run: impl Into<PathBuf>) -> Self {
        Self { run: run.into() }
    }

    /// Returns where the pods are.
    pub(super) fn nodes(&self) -> PathBuf {
        self.run.join("nodes")
    }

    /// Returns the folder of one pod.
    pub(super) fn node(&self, node: NodeIx) -> NodeDir {
        NodeDir(self.nodes().join(node.to_string()))
    }

    /// Returns the run's artifact repository.
    pub(super) fn artifacts(&self) -> PathBuf {
        self.run.join("artifacts")
    }

    /// Returns the supervisor's socket.
    pub(super) fn socket(&self) -> PathBuf {
        self.run.join(SOCKET)
    }

    /// Returns the named pipe through which monitors tell the supervisor their news.
    pub(super) fn news(&self) -> PathBuf {
        self.run.join("supervisor.news")
    }

    /// Returns the empty folder on which pods' views are built.
    pub(super) fn stage(&self) -> PathBuf {
        self.run.join("supervisor.stage")
    }

    /// Returns the file that the supervisor holds a lock on while it lives.
    pub(super) fn lock(&self) -> PathBuf {
        self.run.join("supervisor.lock")
    }

    /// Returns the file that has what the supervisor and the monitors complain of.
    pub(super) fn complaints(&self) -> PathBuf {
        self.run.join("supervisor.log")
    }
}

/// The socket's name in the run's folder.
pub(super) const SOCKET: &str = "supervisor.socket";

/// The folder of one pod.
#[derive(Debug, Clone)]
pub(super) struct NodeDir(pub PathBuf);

impl NodeDir {
    /// Returns the file with the end of the pod.
    pub(super) fn exit(&self) -> PathBuf {
        self.0.join("exit.json")
    }

    /// Returns the file that the monitor locks, and lists the processes in that it started; it becomes
    /// the one with the end.
    pub(super) fn monitor(&self) -> PathBuf {
        self.0.join("monitor")
    }

    /// Returns the file that says that a daemon is ready.
    pub(super) fn ready(&self) -> PathBuf {
        self.0.join("ready")
    }

    /// Returns the file that says how many milliseconds a pod to be stopped may take.
    pub(super) fn stop(&self) -> PathBuf {
        self.0.join("stop")
    }

    /// Returns the folder that is removed when the pod has ended: volumes, and where pods have no
    /// view of their own, what else they write.
    pub(super) fn scratch(&self) -> PathBuf {
        self.0.join("scratch")
    }

    /// Returns the log of a container.
    pub(super) fn log(&self, container: &str) -> PathBuf {
        self.0.join(format!("{container}.log"))
    }

    /// Returns the folder's path.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}
