//! The disk of this machine. What is particular to a platform is here.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use notify::Watcher;
use tokio::sync::Notify;

use super::{Disk, DiskFile, Watch};

/// How often a watch wakes when the system tells of no change: some file systems never tell
/// (NFS, some containers' mounts), and the number of watches of a user is limited.
const WATCH_FALLBACK: Duration = Duration::from_millis(500);

/// How often a lock is tried: whoever only asks who holds it has it for a moment, and must not
/// be taken for a driver.
const LOCK_TRIES_MAX: u32 = 3;
const LOCK_TRY_EVERY: Duration = Duration::from_millis(10);

/// The file system of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

/// A lock on a file of this machine.
#[derive(Debug)]
pub struct RealLock {
    file: File,
}

/// A watch on a path of this machine.
pub struct RealWatch {
    woken: Arc<Notify>,
    /// Ends the watch when dropped; absent when the system has none left.
    _watcher: Option<notify::RecommendedWatcher>,
}

impl Disk for RealDisk {
    type File = File;
    type Lock = RealLock;
    type Watch = RealWatch;

    fn process(&self) -> u32 {
        std::process::id()
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir(path)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        std::fs::write(path, bytes)
    }

    fn open_append(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().append(true).create(true).open(path)
    }

    fn read(&self, path: &Path, offset: u64, bytes_max: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        if offset > 0 {
            file.seek(SeekFrom::Start(offset))?;
        }
        let expected = usize::try_from(length.saturating_sub(offset)).unwrap_or(bytes_max).min(bytes_max);
        let mut bytes = Vec::with_capacity(expected);
        file.take(bytes_max as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let names = std::fs::read_dir(path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        let mut names = names.collect::<io::Result<Vec<_>>>()?;
        names.sort_unstable();
        Ok(names)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir_all(path)
    }

    fn truncate(&self, path: &Path, bytes: u64) -> io::Result<()> {
        OpenOptions::new().write(true).open(path)?.set_len(bytes)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<RealLock>> {
        for attempt in 0..LOCK_TRIES_MAX {
            if attempt > 0 {
                std::thread::sleep(LOCK_TRY_EVERY);
            }
            if let Some(lock) = lock_once(path, self.process())? {
                return Ok(Some(lock));
            }
        }
        Ok(None)
    }

    fn watch(&self, path: &Path) -> RealWatch {
        let woken = Arc::new(Notify::new());
        RealWatch { _watcher: begin_watch(path, woken.clone()), woken }
    }
}

/// Takes the lock at `path` if it is free, and writes `process` into it.
fn lock_once(path: &Path, process: u32) -> io::Result<Option<RealLock>> {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Ok(None),
        Err(std::fs::TryLockError::Error(error)) => return Err(error),
    }
    if !is_still_at(&file, path)? {
        return Err(io::Error::new(io::ErrorKind::NotFound, "it was removed meanwhile"));
    }
    file.set_len(0)?;
    write!(file, "{process}")?;
    Ok(Some(RealLock { file }))
}

/// Returns whether `path` still leads to `file`: a folder may have been removed, and another made
/// in its place, between opening the file and locking it.
fn is_still_at(file: &File, path: &Path) -> io::Result<bool> {
    let same = |there: std::fs::Metadata| -> io::Result<bool> {
        let here = file.metadata()?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            Ok((here.dev(), here.ino()) == (there.dev(), there.ino()))
        }
        #[cfg(not(unix))]
        Ok(here.created()? == there.created()?)
    };
    match std::fs::metadata(path) {
        Ok(there) => same(there),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

impl Drop for RealLock {
    fn drop(&mut self) {
        // Only words for messages; the lock itself ends with the file.
        let _ = self.file.set_len(0);
    }
}

impl DiskFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        File::sync_data(self)
    }
}

/// Begins to watch `path`; `None` when the system refuses, and only the fallback is left.
fn begin_watch(path: &Path, woken: Arc<Notify>) -> Option<notify::RecommendedWatcher> {
    let tell = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            woken.notify_one();
        }
    };
    let mut watcher = notify::recommended_watcher(tell).ok()?;
    watcher.watch(path, notify::RecursiveMode::NonRecursive).ok()?;
    Some(watcher)
}

impl Watch for RealWatch {
    async fn changed(&mut self) {
        tokio::select! {
            biased;
            () = self.woken.notified() => {}
            () = tokio::time::sleep(WATCH_FALLBACK) => {}
        }
    }
}
