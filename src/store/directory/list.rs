//! Listing: summaries where they can be read, headers where not; never a fold.

use std::io::ErrorKind;
use std::sync::Arc;

use super::super::disk::Disk;
use super::super::frame::{Chain, read_lines};
use super::super::{Header, StoreError, Summary};
use super::held::StoredSummary;
use super::paths::{RunPaths, failed};
use super::root::{DirectoryStore, GONE_PREFIX, NEW_PREFIX};
use crate::base::{RunName, RunUid, Timestamp};

/// The length of a summary: a phase, a message and labels.
const SUMMARY_BYTES_MAX: usize = 1 << 20;

/// The length of a header: the largest manifest as JSON, with the templates that it refers to.
const HEADER_BYTES_MAX: usize = 64 << 20;

/// The phase of a run whose summary is lost; folding its log tells.
const PHASE_UNKNOWN: &str = "Unknown";

impl<D: Disk> DirectoryStore<D> {
    pub(super) fn summaries(&self) -> Result<Vec<Summary>, StoreError> {
        let mut summaries: Vec<_> = self.names()?.iter().filter_map(|run| self.summary_or_header(run)).collect();
        summaries.sort_by(|a, b| b.created_at.cmp(&a.created_at).then_with(|| b.name.cmp(&a.name)));
        Ok(summaries)
    }

    /// Returns the names of all runs; none when the root is not there yet.
    pub(super) fn names(&self) -> Result<Vec<RunName>, StoreError> {
        let names = match self.disk.list(&self.root) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            names => names.map_err(failed("list", &self.root))?,
        };
        Ok(names.into_iter().filter_map(|name| RunName::new(name).ok()).collect())
    }

    pub(super) fn summary(&self, paths: &RunPaths) -> Option<StoredSummary<Summary>> {
        let bytes = self.disk.read(&paths.summary(), 0, SUMMARY_BYTES_MAX).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Returns the summary of a run, made up from its header when it is lost; `None` for a folder
    /// that is no run.
    fn summary_or_header(&self, run: &RunName) -> Option<Summary> {
        let paths = RunPaths::new(self.folder(run));
        if let Some(stored) = self.summary(&paths).filter(|stored| stored.summary.name == *run) {
            return Some(stored.summary);
        }
        let bytes = match self.disk.read(&paths.events(), 0, HEADER_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return None,
            Err(error) => return Some(unknown(run, None, failed("read", &paths.events())(error).to_string())),
        };
        match header(&bytes) {
            Some(header) => Some(unknown(run, Some(header), "the summary is missing".to_owned())),
            None => Some(unknown(run, None, "the summary is missing, and the log is damaged at line 1".to_owned())),
        }
    }

    /// Removes what processes left behind that died while they made or removed a run. Whoever
    /// still works on one holds its lock.
    pub(super) fn sweep(&self) {
        for name in self.disk.list(&self.root).unwrap_or_default() {
            let paths = RunPaths::new(self.root.join(&name));
            let is_ours = name.starts_with(NEW_PREFIX) || name.starts_with(GONE_PREFIX);
            if is_ours && matches!(self.disk.exists(&paths.lock()), Ok(true)) {
                let lock = self.disk.try_lock(&paths.lock());
                if let Ok(Some(_lock)) = lock {
                    // A leftover harms nobody; the next sweep tries again.
                    let _ = self.disk.remove_dir_all(&paths.folder);
                }
            }
        }
    }
}

fn header(bytes: &[u8]) -> Option<Header> {
    let end = bytes.iter().position(|&byte| byte == b'\n')?;
    let lines = read_lines(&bytes[..=end], Chain::default());
    serde_json::from_slice(lines.contents.first()?).ok()
}

fn unknown(run: &RunName, header: Option<Header>, message: String) -> Summary {
    let (uid, created_at) = match header {
        Some(header) => (header.uid, header.created_at),
        None => (RunUid(Arc::from("")), Timestamp::default()),
    };
    Summary {
        name: run.clone(),
        uid,
        created_at,
        started_at: None,
        finished_at: None,
        phase: PHASE_UNKNOWN.to_owned(),
        message,
        progress: String::new(),
        suspended: false,
        priority: 0,
        expires_at: None,
        labels: Default::default(),
    }
}
