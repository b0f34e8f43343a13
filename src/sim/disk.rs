//! A disk in memory that dies with its process, loses power, fills up and refuses to sync.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::world::{Pid, World};
use crate::store::disk::{Disk, DiskFile, Watch};

mod tree;

use tree::{Inode, Tree};

/// The simulated disk as one process sees it.
#[derive(Clone)]
pub struct SimDisk {
    world: World,
    pid: Pid,
    shared: Rc<RefCell<Shared>>,
}

struct Shared {
    tree: Tree,
    locks: BTreeMap<Inode, Pid>,
    /// How often something at or in a path changed, and who waits for that.
    changes: BTreeMap<PathBuf, (u64, Vec<Waker>)>,
    /// How many more writes and syncs may fail.
    errors_left: u32,
    /// Whether syncs do nothing, as no disk may: for testing the checks.
    syncs_nothing: bool,
}

/// How often a write or a sync fails while failures are left.
const ERRORS_IN_THOUSAND: u64 = 20;

impl SimDisk {
    pub(super) fn new(world: &World, errors_left: u32, syncs_nothing: bool) -> Self {
        let (tree, locks, changes) = (Tree::new(), BTreeMap::new(), BTreeMap::new());
        let shared = Rc::new(RefCell::new(Shared { tree, locks, changes, errors_left, syncs_nothing }));
        Self { world: world.clone(), pid: 0, shared }
    }

    /// Returns the disk as the process `pid` sees it.
    pub(super) fn seen_by(&self, pid: Pid) -> Self {
        Self { pid, ..self.clone() }
    }

    /// Loses power, and with it what was not synced.
    pub(super) fn lose_power(&self) {
        self.world.draw(|chance| self.shared.borrow_mut().tree.lose_power(chance));
    }

    /// Changes something, with a chance to die before and after.
    fn change<T>(&self, what: &str, path: &Path, make: impl FnOnce(&mut Tree) -> io::Result<T>) -> io::Result<T> {
        self.live()?;
        let made = make(&mut self.shared.borrow_mut().tree);
        self.world.note(|| format!("{what} {} {}", path.display(), made.is_ok()));
        if made.is_ok() {
            self.tell(path);
        }
        self.live()?;
        made
    }

    /// Reads something; a process that dies while it reads changes nothing.
    fn look<T>(&self, look: impl FnOnce(&mut Tree) -> io::Result<T>) -> io::Result<T> {
        if self.world.is_dead(self.pid) {
            return Err(dead());
        }
        look(&mut self.shared.borrow_mut().tree)
    }

    fn live(&self) -> io::Result<()> {
        if self.world.step(self.pid) { Ok(()) } else { Err(dead()) }
    }

    /// Returns whether a write or a sync fails now.
    fn fails(&self) -> bool {
        let shared = &mut *self.shared.borrow_mut();
        let fails = shared.errors_left > 0 && self.world.draw(|chance| chance.in_thousand(ERRORS_IN_THOUSAND));
        shared.errors_left -= u32::from(fails);
        fails
    }

    /// Wakes who watches a path or the folder that it is in.
    fn tell(&self, path: &Path) {
        let mut shared = self.shared.borrow_mut();
        for watched in [Some(path), path.parent()].into_iter().flatten() {
            if let Some((changes, wakers)) = shared.changes.get_mut(watched) {
                *changes += 1;
                wakers.drain(..).for_each(Waker::wake);
            }
        }
    }

    /// Writes all of `bytes`, or as much as there is room for.
    fn extend(&self, path: &Path, inode: Inode, bytes: &[u8]) -> io::Result<()> {
        let fails = self.fails();
        let end =
            if fails { self.world.draw(|chance| chance.below(bytes.len() as u64 + 1)) as usize } else { bytes.len() };
        self.world.note(|| format!("content {:08x}", crc32fast::hash(&bytes[..end])));
        self.change("write", path, |tree| {
            tree.bytes_mut(inode)?.extend_from_slice(&bytes[..end]);
            if fails { Err(io::Error::from(ErrorKind::StorageFull)) } else { Ok(()) }
        })
    }

    fn sync(&self, path: &Path, find: impl FnOnce(&mut Tree) -> io::Result<Inode>) -> io::Result<()> {
        if self.fails() {
            self.world.note(|| format!("sync {} fails", path.display()));
            return Err(io::Error::other("the disk does not answer"));
        }
        let syncs_nothing = self.shared.borrow().syncs_nothing;
        self.change("sync", path, |tree| {
            let inode = find(tree)?;
            if !syncs_nothing {
                tree.sync(inode);
            }
            Ok(())
        })
    }
}

/// What a dead process gets; nobody will read it.
fn dead() -> io::Error {
    io::Error::other("the process is dead")
}

impl Disk for SimDisk {
    type File = SimFile;
    type Lock = SimLock;
    type Watch = SimWatch;

    fn process(&self) -> u32 {
        self.pid
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.change("create", path, |tree| tree.create_dir(path))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let inode = self.change("open", path, |tree| {
            let inode = tree.open(path)?;
            tree.bytes_mut(inode)?.clear();
            Ok(inode)
        })?;
        self.extend(path, inode, bytes)
    }

    fn open_append(&self, path: &Path) -> io::Result<SimFile> {
        let inode = self.change("open", path, |tree| tree.open(path))?;
        Ok(SimFile { disk: self.clone(), path: path.to_owned(), inode })
    }

    fn read(&self, path: &Path, offset: u64, bytes_max: usize) -> io::Result<Vec<u8>> {
        self.look(|tree| {
            let bytes = tree.bytes(tree.find(path)?)?;
            let from = bytes.len().min(offset as usize);
            Ok(bytes[from..bytes.len().min(from.saturating_add(bytes_max))].to_vec())
        })
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.look(|tree| match tree.find(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        })
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.look(|tree| tree.names(path))
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.sync(path, |tree| tree.find(path))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.sync(path, |tree| tree.find(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change("rename", to, |tree| tree.rename(from, to))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.change("remove", path, |tree| tree.remove(path))
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.change("remove", path, |tree| tree.remove(path))
    }

    fn truncate(&self, path: &Path, bytes: u64) -> io::Result<()> {
        self.change("truncate", path, |tree| {
            let inode = tree.find(path)?;
            tree.bytes_mut(inode)?.truncate(bytes as usize);
            Ok(())
        })
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<SimLock>> {
        let inode = self.change("lock", path, |tree| tree.open(path))?;
        let shared = &mut *self.shared.borrow_mut();
        if shared.locks.contains_key(&inode) {
            return Ok(None);
        }
        shared.locks.insert(inode, self.pid);
        *shared.tree.bytes_mut(inode)? = self.pid.to_string().into_bytes();
        Ok(Some(SimLock { shared: self.shared.clone(), inode }))
    }

    fn watch(&self, path: &Path) -> SimWatch {
        let mut shared = self.shared.borrow_mut();
        let seen = shared.changes.entry(path.to_owned()).or_default().0;
        SimWatch { shared: self.shared.clone(), path: path.to_owned(), seen }
    }
}

/// A simulated file that only grows.
pub struct SimFile {
    disk: SimDisk,
    path: PathBuf,
    inode: Inode,
}

impl DiskFile for SimFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.disk.extend(&self.path, self.inode, bytes)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.disk.sync(&self.path, |_| Ok(self.inode))
    }
}

/// A simulated lock, released when dropped, as it is when its process dies.
pub struct SimLock {
    shared: Rc<RefCell<Shared>>,
    inode: Inode,
}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.shared.borrow_mut().locks.remove(&self.inode);
    }
}

/// A simulated watch, which wakes for changes and for nothing else.
pub struct SimWatch {
    shared: Rc<RefCell<Shared>>,
    path: PathBuf,
    seen: u64,
}

impl Watch for SimWatch {
    async fn changed(&mut self) {
        std::future::poll_fn(|context| {
            let mut shared = self.shared.borrow_mut();
            let (changes, wakers) = shared.changes.entry(self.path.clone()).or_default();
            if *changes != self.seen {
                self.seen = *changes;
                return Poll::Ready(());
            }
            if !wakers.iter().any(|waker| waker.will_wake(context.waker())) {
                wakers.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}
