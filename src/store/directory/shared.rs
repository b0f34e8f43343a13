//! What runs of one folder share: claims to locks and entries of caches, a file each.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::super::blob::Digest;
use super::super::claims::{self, Claim, Claimant, Claims};
use super::super::disk::{Disk, RealDisk, Watch};
use super::super::{Shared, Store, StoreError};
use super::paths::{RunPaths, draft_of, failed};
use super::root::DirectoryStore;
use crate::base::{RunName, RunUid};
use crate::engine::Memo;

/// The length of a lock's record, or of a cache's entry: the outputs of one node, with room to spare.
const SHARED_BYTES_MAX: usize = 16 << 20;

/// What one run shares with the others of its folder.
pub struct DirectoryShared<D: Disk = RealDisk> {
    store: DirectoryStore<D>,
    run: RunName,
    uid: RunUid,
}

impl<D: Disk + 'static> DirectoryShared<D> {
    pub(super) fn new(store: DirectoryStore<D>, run: RunName, uid: RunUid) -> Self {
        Self { store, run, uid }
    }

    fn record(&self, lock: &str) -> PathBuf {
        self.store.root.join(".locks").join(format!("{}.json", Digest::of(lock).as_str()))
    }

    fn entry(&self, memo: &Memo) -> PathBuf {
        let name = format!("{}.json", Digest::of(&memo.key).as_str());
        self.store.root.join(".caches").join(Digest::of(&memo.cache).as_str()).join(name)
    }

    /// Returns the claims in a lock's record. A record that cannot be read is an error, since
    /// somebody may hold what it said.
    fn claims(&self, lock: &str, record: &Path) -> Result<Claims, StoreError> {
        match self.read(record)? {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|fault| failed("read", record)(fault.into())),
            None => Ok(Claims::new(lock)),
        }
    }

    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
        match self.store.disk.read(path, 0, SHARED_BYTES_MAX) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", path)(error)),
        }
    }

    /// Writes a file durably, in one step.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let (disk, draft) = (&self.store.disk, draft_of(path));
        let folder = path.parent().expect("it lies in a folder of ours");
        disk.write(&draft, bytes).map_err(failed("write", &draft))?;
        disk.sync_file(&draft).map_err(failed("sync", &draft))?;
        disk.rename(&draft, path).map_err(failed("write", path))?;
        disk.sync_dir(folder).map_err(failed("sync the folder", folder))
    }

    /// Keeps other processes from a file while it is read and written again.
    fn guard(&self, path: &Path) -> Result<D::Lock, StoreError> {
        self.store.ensure_folder(path.parent().expect("it lies in a folder of ours"))?;
        let guard = path.with_extension("lock");
        let busy = || failed("lock", &guard)(io::Error::new(ErrorKind::WouldBlock, "another process is at it"));
        self.store.disk.try_lock(&guard).map_err(failed("lock", &guard))?.ok_or_else(busy)
    }

    /// Returns whether a run that has places has lost its right to them.
    async fn is_over(&self, claimant: &Claimant) -> bool {
        let paths = RunPaths::new(self.store.folder(&claimant.run));
        let free = match self.store.disk.try_lock(&paths.lock()) {
            Ok(lock) => lock.is_some(),
            Err(error) => return matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
        };
        if !free || !claimant.outlives_driver {
            return free;
        }
        match self.store.load(&claimant.run).await {
            Ok(stored) => stored.header.uid != claimant.uid || claims::has_ended(&stored.records),
            Err(error) => matches!(error, StoreError::NotFound { .. }),
        }
    }
}

impl<D: Disk + 'static> Shared for DirectoryShared<D> {
    async fn claim(&self, claim: &Claim) -> Result<u32, StoreError> {
        let record = self.record(&claim.lock);
        let _guard = self.guard(&record)?;
        let mut claims = self.claims(&claim.lock, &record)?;
        let before = claims.clone();
        let mut granted = claims.claim(&self.run, &self.uid, claim);
        if granted < claim.wanted {
            let holders: Vec<Claimant> = claims.holders(&self.uid).cloned().collect();
            for holder in holders {
                if self.is_over(&holder).await {
                    claims.forget(&holder.uid);
                }
            }
            granted = claims.claim(&self.run, &self.uid, claim);
        }
        if claims.claimants.is_empty() {
            // An empty record says nothing that its absence does not.
            let _ = self.store.disk.remove_file(&record);
        } else if claims != before {
            let json = serde_json::to_vec(&claims).expect("claims are plain strings and numbers");
            self.write(&record, &json)?;
        }
        Ok(granted)
    }

    async fn freed(&self, lock: &str, granted: u32) -> Result<(), StoreError> {
        let record = self.record(lock);
        let mut watch = self.store.disk.watch(&record);
        // The watch begins before the record is read, so that nothing falls in between.
        if self.claims(lock, &record)?.granted(&self.uid) == granted {
            watch.changed().await;
        }
        Ok(())
    }

    async fn recall(&self, memo: &Memo) -> Result<Option<String>, StoreError> {
        let path = self.entry(memo);
        let Some(bytes) = self.read(&path)? else { return Ok(None) };
        let text = String::from_utf8(bytes);
        text.map(Some).map_err(|fault| failed("read", &path)(io::Error::new(ErrorKind::InvalidData, fault)))
    }

    async fn remember(&self, memo: &Memo, entry: &str) -> Result<(), StoreError> {
        let path = self.entry(memo);
        self.store.ensure_folder(path.parent().expect("it lies in a folder of ours"))?;
        self.write(&path, entry.as_bytes())
    }
}
