//! Where things lie in the folder of a run.

use std::path::{Path, PathBuf};

use super::super::blob::Digest;
use super::super::{RequestId, StoreError};

/// The folder of one run.
#[derive(Debug, Clone)]
pub(super) struct RunPaths {
    pub(super) folder: PathBuf,
}

impl RunPaths {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(super) fn events(&self) -> PathBuf {
        self.folder.join("events.jsonl")
    }

    pub(super) fn summary(&self) -> PathBuf {
        self.folder.join("summary.json")
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.folder.join("lock")
    }

    pub(super) fn blobs(&self) -> PathBuf {
        self.folder.join("blobs")
    }

    pub(super) fn blob(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(digest.as_str())
    }

    pub(super) fn control(&self) -> PathBuf {
        self.folder.join("control")
    }

    pub(super) fn done(&self) -> PathBuf {
        self.control().join("done")
    }

    pub(super) fn request(&self, id: &RequestId) -> PathBuf {
        self.control().join(format!("{id}.json"))
    }

    pub(super) fn answer(&self, id: &RequestId) -> PathBuf {
        self.done().join(format!("{id}.json"))
    }
}

/// Returns the path under which a file is written before it gets its name.
pub(super) fn draft_of(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.new"))
}

/// Returns the words around an error of the system: what was being done, and where.
pub(super) fn failed(action: &str, path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    let action = format!("{action} `{}`", path.display());
    move |source| StoreError::Io { action, source }
}
