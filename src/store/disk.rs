//! What a directory store needs of a disk: a few calls, each of which can fail or be the last.
//!
//! [`RealDisk`] makes them of the operating system; the simulated world has a disk that forgets
//! what was not synced, tears writes and fills up.
//!
//! The calls block. A driver has nothing else to do while it waits for its log to be durable,
//! since it may act only then, and a hop to another thread would cost more than the call.

use std::future::Future;
use std::io;
use std::path::Path;

mod real;

pub use real::RealDisk;

/// A disk, or something that behaves like one.
pub trait Disk: Clone {
    /// A file that only grows.
    type File: DiskFile;
    /// The right of one process to something; released when dropped, and when the process dies.
    type Lock;
    /// Wakes when something below a path may have changed.
    type Watch: Watch;

    /// Returns who this is, for other processes' messages and names: the process id.
    fn process(&self) -> u32;

    /// Makes a folder whose parent exists. An existing one is an error of kind `AlreadyExists`.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Makes a file with `bytes`, or replaces the content of an existing one. Not durable.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Opens a file to append to it, making it when it is not there.
    fn open_append(&self, path: &Path) -> io::Result<Self::File>;

    /// Returns at most `bytes_max` bytes of a file from `offset` on.
    fn read(&self, path: &Path, offset: u64, bytes_max: usize) -> io::Result<Vec<u8>>;

    /// Returns whether there is something at `path`.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// Returns the names in a folder, sorted.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;

    /// Makes what a file holds durable; its name is the folder's.
    fn sync_file(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Gives `from` the name `to` in one step, replacing a file; not a folder that holds something.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes a folder with all that is in it.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Cuts a file to `bytes`.
    fn truncate(&self, path: &Path, bytes: u64) -> io::Result<()>;

    /// Takes the lock that a file stands for, making the file when it is not there; `None` while
    /// another holds it. The file then says who holds it.
    fn try_lock(&self, path: &Path) -> io::Result<Option<Self::Lock>>;

    /// Begins to watch a file or a folder.
    fn watch(&self, path: &Path) -> Self::Watch;
}

/// A file that only grows.
pub trait DiskFile {
    /// Adds `bytes` at the end. Not durable; after an error some of them may be there.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes all that was added durable.
    fn sync_data(&mut self) -> io::Result<()>;
}

/// Wakes when something may have changed.
pub trait Watch {
    /// Waits until something may have changed since the last time. It may wake for nothing, so
    /// that a change which the system did not tell of is found too. Safe to drop while it waits.
    fn changed(&mut self) -> impl Future<Output = ()>;
}
