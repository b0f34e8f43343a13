//! How far pods here are kept apart, and what a pod's view of the file system is made of.

use std::fmt;
use std::path::{Path, PathBuf};

/// What pods get on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Their own view of all files.
    Overlay,
    /// Their own view of all files that this user may read.
    UserOverlay,
    /// The host's files: pods that write to the same absolute path see each other.
    Plain,
}

impl Isolation {
    /// Every kind.
    const ALL: [Self; 3] = [Self::Overlay, Self::UserOverlay, Self::Plain];

    /// Returns the kind in a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Overlay => "overlay",
            Self::UserOverlay => "user-overlay",
            Self::Plain => "plain",
        }
    }

    /// Returns the kind that `word` stands for.
    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a pod's view of the file system is made of.
pub(super) struct View<'a> {
    /// An existing empty folder to build it on. Views do not see each other there.
    pub stage: &'a Path,
    /// Folders that the pod writes to by its manifest's word.
    pub folders: &'a [PathBuf],
    /// Folders of the host that become volumes, by the volume's name.
    pub volumes: &'a [(String, PathBuf)],
}
