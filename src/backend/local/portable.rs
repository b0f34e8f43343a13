//! What takes the place of `linux.rs` elsewhere: pods see the host's files, and nothing else is lost.
//!
//! What differs: no views ([`Isolation::Plain`]), so that no volumes can be mounted; processes that
//! leave their group and outlive the pod are not found; a monitor that is killed leaves its
//! containers until its end is noticed.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::isolation::{Isolation, View};

/// Where volumes would be in a view.
pub(super) const VOLUMES: &str = "/argo/volumes";

/// How views are made on this machine: not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ground;

impl Ground {
    /// Finds that there are no views here.
    pub(super) fn survey(_stage: &Path) -> Self {
        Self
    }

    /// Returns what pods get here.
    pub(super) fn isolation(&self) -> Isolation {
        Isolation::Plain
    }

    /// Leaves this process where it is.
    pub(super) fn isolate(&self, _view: &View<'_>) -> Result<(), Fault> {
        Ok(())
    }
}

/// Fails: there are no mounts of one's own here.
pub(super) fn own_mounts() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Fails: nothing can be shown elsewhere here.
pub(super) fn bind(_source: &Path, _target: &Path, _read_only: bool) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Fails, as [`bind`] does.
pub(super) fn unbind(_target: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A folder of the host, which stays within reach, since nothing is isolated.
pub(super) struct Reach(PathBuf);

impl Reach {
    /// Takes hold of `folder`.
    pub(super) fn to(folder: &Path) -> Result<Self, Fault> {
        Ok(Self(folder.to_owned()))
    }

    /// Returns a path to it.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

/// Returns a short path to the socket `name` in `folder`; it holds as long as the second value lives.
pub(super) fn socket_path(folder: &Path, name: &str) -> io::Result<(PathBuf, tempfile::TempDir)> {
    let short = tempfile::tempdir()?;
    symlink(folder, short.path().join("run"))?;
    Ok((short.path().join("run").join(name), short))
}

/// Does nothing: the name that a process was started by is all it has.
pub(super) fn name_process(_name: &str) {}

/// Does nothing: programs here open files so that those whom they start do not have them.
pub(super) fn close_inherited() {}

/// Does nothing: orphans go to the first process of all.
pub(super) fn adopt_orphans() {}

/// Does nothing: no process ends with its parent.
pub(super) fn die_with_parent() -> io::Result<()> {
    Ok(())
}

/// Returns none: the system has no list of children.
pub(super) fn children() -> Vec<Pid> {
    Vec::new()
}

/// Returns what tells a process from a later one of the same id: when it was started.
pub(super) fn birth(pid: Pid) -> Option<String> {
    output(Command::new("ps").args(["-o", "lstart=", "-p"]).arg(pid.to_string()))
}

/// Returns a constant: the time of a process's start tells boots apart as well.
pub(super) fn boot() -> String {
    "boot".to_owned()
}

/// Returns the machine's name.
pub(super) fn host_name() -> String {
    output(Command::new("uname").arg("-n")).unwrap_or_default()
}

/// Fails: the ends of processes that are no children are looked for instead.
pub(super) fn watch(_pid: Pid) -> io::Result<std::os::fd::OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!text.is_empty()).then_some(text)
}
