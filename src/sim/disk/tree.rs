//! Files and folders with what is in the page cache, and what would survive a loss of power.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Component, Path};

use crate::sim::chance::Chance;

/// A file or folder, whatever its name.
pub(super) type Inode = usize;

/// What a disk writes as a whole.
const SECTOR_BYTES: usize = 512;

/// All files and folders of a disk.
pub(super) struct Tree {
    inodes: Vec<Kind>,
}

enum Kind {
    File { live: Vec<u8>, durable: Vec<u8> },
    Folder(Folder),
}

/// The names in a folder. A change of names is one operation, and operations become durable in
/// their order: all of them when the folder is synced, some of them by themselves.
#[derive(Default)]
struct Folder {
    live: BTreeMap<String, Inode>,
    durable: BTreeMap<String, Inode>,
    changes: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Link(String, Inode),
    Unlink(String),
    Rename(String, String),
}

impl Change {
    fn make(self, names: &mut BTreeMap<String, Inode>) {
        match self {
            Change::Link(name, inode) => drop(names.insert(name, inode)),
            Change::Unlink(name) => drop(names.remove(&name)),
            Change::Rename(from, to) => {
                if let Some(inode) = names.remove(&from) {
                    names.insert(to, inode);
                }
            }
        }
    }
}

impl Folder {
    fn change(&mut self, change: Change) {
        change.clone().make(&mut self.live);
        self.changes.push(change);
    }
}

const ROOT: Inode = 0;

fn error<T>(kind: ErrorKind) -> io::Result<T> {
    Err(io::Error::from(kind))
}

impl Tree {
    pub(super) fn new() -> Self {
        Self { inodes: vec![Kind::Folder(Folder::default())] }
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<Inode> {
        let mut at = ROOT;
        for part in path.components() {
            if let Component::Normal(name) = part {
                let found = self.folder(at)?.live.get(&*name.to_string_lossy()).copied();
                at = found.ok_or_else(|| io::Error::from(ErrorKind::NotFound))?;
            }
        }
        Ok(at)
    }

    fn folder(&self, at: Inode) -> io::Result<&Folder> {
        match &self.inodes[at] {
            Kind::Folder(folder) => Ok(folder),
            Kind::File { .. } => error(ErrorKind::NotADirectory),
        }
    }

    fn folder_mut(&mut self, at: Inode) -> io::Result<&mut Folder> {
        match &mut self.inodes[at] {
            Kind::Folder(folder) => Ok(folder),
            Kind::File { .. } => error(ErrorKind::NotADirectory),
        }
    }

    /// Returns the folder and the name that a path ends with.
    fn place<'p>(&self, path: &'p Path) -> io::Result<(Inode, std::borrow::Cow<'p, str>)> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return error(ErrorKind::InvalidInput);
        };
        Ok((self.find(parent)?, name.to_string_lossy()))
    }

    fn add(&mut self, path: &Path, kind: Kind) -> io::Result<Inode> {
        let (parent, name) = self.place(path)?;
        let inode = self.inodes.len();
        self.folder_mut(parent)?.change(Change::Link(name.into_owned(), inode));
        self.inodes.push(kind);
        Ok(inode)
    }

    pub(super) fn create_dir(&mut self, path: &Path) -> io::Result<()> {
        match self.find(path) {
            Ok(_) => error(ErrorKind::AlreadyExists),
            Err(_) => self.add(path, Kind::Folder(Folder::default())).map(drop),
        }
    }

    /// Returns the file at `path`, made when there is none.
    pub(super) fn open(&mut self, path: &Path) -> io::Result<Inode> {
        match self.find(path) {
            Ok(inode) if matches!(self.inodes[inode], Kind::File { .. }) => Ok(inode),
            Ok(_) => error(ErrorKind::IsADirectory),
            Err(missing) if missing.kind() == ErrorKind::NotFound => {
                self.add(path, Kind::File { live: Vec::new(), durable: Vec::new() })
            }
            Err(other) => Err(other),
        }
    }

    pub(super) fn bytes(&self, inode: Inode) -> io::Result<&[u8]> {
        match &self.inodes[inode] {
            Kind::File { live, .. } => Ok(live),
            Kind::Folder(_) => error(ErrorKind::IsADirectory),
        }
    }

    pub(super) fn bytes_mut(&mut self, inode: Inode) -> io::Result<&mut Vec<u8>> {
        match &mut self.inodes[inode] {
            Kind::File { live, .. } => Ok(live),
            Kind::Folder(_) => error(ErrorKind::IsADirectory),
        }
    }

    pub(super) fn names(&self, path: &Path) -> io::Result<Vec<String>> {
        Ok(self.folder(self.find(path)?)?.live.keys().cloned().collect())
    }

    pub(super) fn sync(&mut self, inode: Inode) {
        match &mut self.inodes[inode] {
            Kind::File { live, durable } => durable.clone_from(live),
            Kind::Folder(folder) => {
                folder.durable.clone_from(&folder.live);
                folder.changes.clear();
            }
        }
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (old, new) = (self.place(from)?, self.place(to)?);
        assert_eq!(old.0, new.0, "the store renames within a folder; more would need a model of its own");
        let moved = self.find(from)?;
        if let Ok(there) = self.find(to) {
            let holds_something = self.folder(there).is_ok_and(|folder| !folder.live.is_empty());
            match (&self.inodes[moved], &self.inodes[there]) {
                (_, Kind::Folder(_)) if holds_something => return error(ErrorKind::DirectoryNotEmpty),
                (Kind::Folder(_), Kind::File { .. }) => return error(ErrorKind::NotADirectory),
                _ => {}
            }
        }
        self.folder_mut(old.0)?.change(Change::Rename(old.1.into_owned(), new.1.into_owned()));
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.find(path)?;
        let (parent, name) = self.place(path)?;
        self.folder_mut(parent)?.change(Change::Unlink(name.into_owned()));
        Ok(())
    }

    /// Loses power: what was not synced is there, is not there, or is torn, as chance has it.
    pub(super) fn lose_power(&mut self, chance: &mut Chance) {
        for inode in &mut self.inodes {
            match inode {
                Kind::File { live, durable } if live != durable => {
                    *durable = survivor(live, durable, chance);
                    live.clone_from(durable);
                }
                Kind::File { .. } => {}
                Kind::Folder(folder) => {
                    let kept = chance.below(folder.changes.len() as u64 + 1) as usize;
                    let changes = std::mem::take(&mut folder.changes);
                    changes.into_iter().take(kept).for_each(|change| change.make(&mut folder.durable));
                    folder.live.clone_from(&folder.durable);
                }
            }
        }
    }
}

/// What is left of a file that was not synced: all of it, what was synced, or the part that they
/// share with the beginning of the rest, in which sectors may never have been written.
fn survivor(live: &[u8], durable: &[u8], chance: &mut Chance) -> Vec<u8> {
    // A file that was cut keeps what it was cut to; one that was written anew shares nothing.
    let is_grown_or_cut = live.starts_with(durable) || durable.starts_with(live);
    let common = if is_grown_or_cut { live.len().min(durable.len()) } else { 0 };
    match chance.below(4) {
        0 => durable.to_vec(),
        1 => live.to_vec(),
        fate => {
            let end = common + chance.below((live.len() - common) as u64 + 1) as usize;
            let mut bytes = live[..end].to_vec();
            if fate == 3 {
                lose_sectors(&mut bytes, common, chance);
            }
            bytes
        }
    }
}

fn lose_sectors(bytes: &mut [u8], from: usize, chance: &mut Chance) {
    let mut at = from;
    while at < bytes.len() {
        let end = ((at / SECTOR_BYTES + 1) * SECTOR_BYTES).min(bytes.len());
        if chance.below(2) == 0 {
            bytes[at..end].fill(0);
        }
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(tree: &mut Tree, path: &str, bytes: &[u8]) -> Inode {
        let inode = tree.open(Path::new(path)).expect("it can be opened");
        tree.bytes_mut(inode).expect("it is a file").extend_from_slice(bytes);
        inode
    }

    #[test]
    fn what_was_synced_survives_and_the_rest_may_not() {
        let (mut lost, mut kept, mut torn) = (0, 0, 0);
        for seed in 0..200 {
            let mut tree = Tree::new();
            let inode = write(&mut tree, "/log", b"durable,");
            tree.sync(inode);
            tree.sync(ROOT);
            write(&mut tree, "/log", b"not yet");
            write(&mut tree, "/other", b"");
            tree.lose_power(&mut Chance::new(seed));
            let bytes =
                tree.bytes(tree.find(Path::new("/log")).expect("its name was synced")).expect("a file").to_vec();
            assert!(bytes.starts_with(b"durable,"), "seed {seed}");
            match &bytes[8..] {
                b"" => lost += 1,
                b"not yet" => kept += 1,
                _ => torn += 1,
            }
        }
        assert!(lost > 20 && kept > 20 && torn > 20, "{lost} {kept} {torn}");
    }

    #[test]
    fn names_become_durable_in_order() {
        for seed in 0..50 {
            let mut tree = Tree::new();
            write(&mut tree, "/draft", b"");
            tree.rename(Path::new("/draft"), Path::new("/name")).expect("a rename");
            write(&mut tree, "/later", b"");
            tree.lose_power(&mut Chance::new(seed));
            let names = tree.names(Path::new("/")).expect("a folder");
            assert!(["", "draft", "name", "later,name"].contains(&names.join(",").as_str()), "{names:?}");
        }
    }
}
