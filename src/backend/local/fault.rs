//! What goes wrong on this machine.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The system refused.
    #[error("failed to {action}: {source}")]
    Io {
        /// What was being done, as a verb with its object.
        action: String,
        /// What the system said.
        source: io::Error,
    },
    /// What was asked for cannot be had.
    #[error("{0}")]
    Refused(String),
}

impl Fault {
    /// Returns a fault that is no system's doing.
    pub(super) fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }

    /// Returns whether the fault is a file or folder that is not there.
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// Adds to a system's error what was being done.
pub(super) trait Doing<T> {
    /// Names the action on `path`: ``failed to open `/x`: no such file``.
    fn doing(self, verb: &str, path: &Path) -> Result<T, Fault>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, verb: &str, path: &Path) -> Result<T, Fault> {
        self.map_err(|error| Fault::Io { action: format!("{verb} `{}`", path.display()), source: error.into() })
    }
}

/// Writes to the log of the supervisor, which is the standard error of it and of its children.
pub(super) fn complain(of: impl Display) {
    // Nobody is left to be told that the log cannot be written.
    let _ = writeln!(io::stderr(), "{of}");
}
