//! Following a log that another process writes, without holding it.

use super::super::disk::{Disk, RealDisk, Watch};
use super::super::frame::Chain;
use super::super::{Record, StoreError, Tail};
use super::paths::RunPaths;
use super::read::{Part, Reader};
use crate::base::RunName;

/// A place in a log, from which what is appended is read.
pub struct DirectoryTail<D: Disk = RealDisk> {
    disk: D,
    run: RunName,
    paths: RunPaths,
    chain: Chain,
    offset: u64,
    watch: D::Watch,
}

impl<D: Disk> DirectoryTail<D> {
    pub(super) fn new(disk: D, run: RunName, paths: RunPaths, read: &Part) -> Self {
        let watch = disk.watch(&paths.events());
        Self { disk, run, paths, chain: read.chain, offset: read.offset, watch }
    }

    /// Returns the records that were appended since the last call, without waiting. A record that
    /// is being written, or was torn, is left for later.
    pub fn read(&mut self) -> Result<Vec<Record>, StoreError> {
        let reader = Reader { disk: &self.disk, run: &self.run, paths: &self.paths };
        let part = reader.read_from(self.chain, self.offset)?;
        (self.chain, self.offset) = (part.chain, part.offset);
        Ok(part.records)
    }
}

impl<D: Disk> Tail for DirectoryTail<D> {
    async fn next(&mut self) -> Result<Vec<Record>, StoreError> {
        loop {
            let records = self.read()?;
            if !records.is_empty() {
                return Ok(records);
            }
            self.watch.changed().await;
        }
    }
}
