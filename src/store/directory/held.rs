//! A held log: appending to it, and replacing the summary.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::super::disk::{Disk, DiskFile, RealDisk};
use super::super::frame::Chain;
use super::super::{Answer, Log, Request, RequestId, StoreError, Summary, record};
use super::blobs::BlobWriter;
use super::control::Inbox;
use super::paths::{RunPaths, draft_of, failed};
use super::{DirectoryShared, DirectoryStore};
use crate::base::{RunName, RunUid, TimeSpan};
use crate::engine::Batch;

/// How often the summary is replaced: a small file that is never synced.
const SUMMARIZE_EVERY: TimeSpan = TimeSpan(500);

/// The right to write the log of one run in a folder.
pub struct DirectoryLog<D: Disk = RealDisk> {
    disk: D,
    run: RunName,
    uid: RunUid,
    paths: RunPaths,
    file: D::File,
    chain: Chain,
    blobs: BlobWriter,
    inbox: Inbox<D>,
    /// Released last, when all else is closed.
    _lock: D::Lock,
}

/// What `summary.json` holds: a summary, and how far the log had come.
///
/// The log is durable before the summary is written. So a log that is shorter has lost records.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredSummary<S> {
    /// The place of the record after the last.
    pub(super) records: u64,
    #[serde(flatten)]
    pub(super) summary: S,
}

/// What it takes to hold a log.
pub(super) struct Held<D: Disk> {
    pub(super) run: RunName,
    pub(super) uid: RunUid,
    pub(super) paths: RunPaths,
    pub(super) file: D::File,
    pub(super) lock: D::Lock,
    pub(super) chain: Chain,
    pub(super) taken: BTreeSet<RequestId>,
}

impl<D: Disk> DirectoryLog<D> {
    pub(super) fn new(disk: D, held: Held<D>) -> Self {
        Self {
            blobs: BlobWriter::new(held.paths.clone()),
            inbox: Inbox::new(disk.clone(), held.paths.clone(), held.taken),
            disk,
            run: held.run,
            uid: held.uid,
            paths: held.paths,
            file: held.file,
            chain: held.chain,
            _lock: held.lock,
        }
    }

    /// Returns the name of the run.
    pub fn run(&self) -> &RunName {
        &self.run
    }

    /// Returns the folder of the run, in which all but the store's own files is the backend's.
    pub fn folder(&self) -> &std::path::Path {
        &self.paths.folder
    }
}

impl<D: Disk + 'static> Log for DirectoryLog<D> {
    type Shared = DirectoryShared<D>;

    fn shared(&self) -> DirectoryShared<D> {
        let root = self.paths.folder.parent().expect("a run's folder lies in the store's").to_owned();
        DirectoryShared::new(DirectoryStore::on(self.disk.clone(), root), self.run.clone(), self.uid.clone())
    }

    async fn append(&mut self, batches: &[Batch], taken: &[RequestId]) -> Result<(), StoreError> {
        let written = record::write(&self.run, batches, taken)?;
        self.blobs.keep(&self.disk, &written.beside)?;
        let line = self.chain.frame(&written.content);
        let path = self.paths.events();
        self.file.append(&line).map_err(failed("append to", &path))?;
        self.file.sync_data().map_err(failed("sync", &path))?;
        self.inbox.take(taken);
        Ok(())
    }

    async fn summarize(&mut self, summary: &Summary) -> Result<(), StoreError> {
        write_summary(&self.disk, &self.paths, self.chain, summary)
    }

    fn summarize_every(&self) -> TimeSpan {
        SUMMARIZE_EVERY
    }

    async fn requests(&mut self) -> Result<Vec<Request>, StoreError> {
        self.inbox.requests().await
    }

    async fn respond(&mut self, id: &RequestId, answer: &Answer) -> Result<(), StoreError> {
        self.inbox.respond(id, answer)
    }

    async fn release(self) {
        // The operating system's lock goes with the file.
        drop(self);
    }
}

/// Replaces the summary in one step, without making it durable.
pub(super) fn write_summary<D: Disk>(
    disk: &D,
    paths: &RunPaths,
    chain: Chain,
    summary: &Summary,
) -> Result<(), StoreError> {
    let path = paths.summary();
    let draft = draft_of(&path);
    let json = serde_json::to_vec(&StoredSummary { records: chain.seq(), summary })
        .expect("a summary is plain strings and numbers");
    disk.write(&draft, &json).map_err(failed("write", &draft))?;
    disk.rename(&draft, &path).map_err(failed("write", &path))
}
