//! The blobs of one run on its disk: written once, durable before the record that names them.

use std::collections::BTreeSet;

use super::super::StoreError;
use super::super::blob::{self, Digest};
use super::super::disk::Disk;
use super::paths::{RunPaths, draft_of, failed};
use crate::base::RunName;

/// A blob's length: what one record may hold, so that a file that grew cannot exhaust memory.
const BLOB_BYTES_MAX: usize = 1 << 30;

/// Writes blobs, and knows which are durable.
#[derive(Debug)]
pub(super) struct BlobWriter {
    paths: RunPaths,
    durable: BTreeSet<Digest>,
    has_folder: bool,
}

impl BlobWriter {
    pub(super) fn new(paths: RunPaths) -> Self {
        Self { paths, durable: BTreeSet::new(), has_folder: false }
    }

    /// Writes those of `texts` that are not there yet; all are durable when it returns `Ok`.
    pub(super) fn keep<D: Disk>(&mut self, disk: &D, texts: &[(Digest, String)]) -> Result<(), StoreError> {
        let mut fresh = Vec::new();
        for (digest, text) in texts {
            if !self.durable.contains(digest) && !fresh.contains(&digest) {
                self.ensure_folder(disk)?;
                self.write(disk, digest, text)?;
                fresh.push(digest);
            }
        }
        if !fresh.is_empty() {
            let folder = self.paths.blobs();
            disk.sync_dir(&folder).map_err(failed("sync the folder", &folder))?;
        }
        self.durable.extend(fresh.into_iter().cloned());
        Ok(())
    }

    /// Writes one, under its name only when it is whole. One that an earlier driver wrote may not
    /// be durable, and is written again.
    fn write<D: Disk>(&self, disk: &D, digest: &Digest, text: &str) -> Result<(), StoreError> {
        let path = self.paths.blob(digest);
        let draft = draft_of(&path);
        disk.write(&draft, text.as_bytes()).map_err(failed("write", &draft))?;
        disk.sync_file(&draft).map_err(failed("sync", &draft))?;
        disk.rename(&draft, &path).map_err(failed("write", &path))
    }

    fn ensure_folder<D: Disk>(&mut self, disk: &D) -> Result<(), StoreError> {
        if self.has_folder {
            return Ok(());
        }
        let folder = self.paths.blobs();
        match disk.create_dir(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            made => made.map_err(failed("create the folder", &folder))?,
        }
        disk.sync_dir(&self.paths.folder).map_err(failed("sync the folder", &self.paths.folder))?;
        self.has_folder = true;
        Ok(())
    }
}

/// Reads the blob that a record names; `place` says where the record stands.
pub(super) fn read<D: Disk>(
    disk: &D,
    run: &RunName,
    paths: &RunPaths,
    place: &str,
    digest: Option<Digest>,
) -> Result<String, StoreError> {
    let damaged = |reason: String| StoreError::Damaged { run: run.clone(), place: place.to_owned(), reason };
    let digest = digest.ok_or_else(|| damaged("it refers to a text without saying which".to_owned()))?;
    let path = paths.blob(&digest);
    let bytes = match disk.read(&path, 0, BLOB_BYTES_MAX) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(damaged(format!("it refers to `{}`, which is missing", path.display())));
        }
        bytes => bytes.map_err(failed("read", &path))?,
    };
    let text = String::from_utf8(bytes).ok().filter(|text| blob::Digest::of(text) == digest);
    text.ok_or_else(|| damaged(format!("it refers to `{}`, which was altered", path.display())))
}
