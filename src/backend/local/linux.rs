//! What is particular to Linux: a view of the file system for each pod, and watching over processes.
//!
//! A view is made of overlays whose lower layer is the host's file system, so that what a pod
//! writes is its own. Root takes one overlay over `/`, and one for each file system mounted below.
//! Anybody else takes a user namespace in which they are themselves; there the kernel refuses an
//! overlay over `/`, so each folder at the top gets one. What refuses is bound as it is. Which way
//! works is tried once per supervisor ([`Ground::survey`]).

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, chdir, fork, getegid, geteuid, pipe, pivot_root};
use serde::{Deserialize, Serialize};

use super::fault::{Doing, Fault};
use super::isolation::{Isolation, View};

/// File systems below `/` that a view takes along. Machines with container engines have hundreds,
/// each costing every pod a mount; the others appear as the folders that they are mounted on.
const MOUNTS_MAX: usize = 32;

/// How much of a survey's answer is read: its parts are a few hundred bytes each.
const SURVEY_BYTES_MAX: u64 = 1 << 20;

/// What every view has from the host as it is.
const BOUND: [&str; 3] = ["/proc", "/sys", "/dev"];

/// How views are made on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ground {
    base: Base,
    parts: Vec<Part>,
}

/// What the root of a view is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Base {
    /// An overlay over the host's root.
    Overlay(Layer),
    /// A new folder, in a user namespace.
    Folder,
    /// The host's root itself: no views here.
    Host,
}

/// Where the upper layer of an overlay lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Layer {
    /// In the pod's scratch folder.
    Disk,
    /// On a file system in memory: the scratch folder cannot be an upper layer.
    Memory,
}

/// A place below the root, and how a view has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    path: PathBuf,
    how: How,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum How {
    Overlay(Layer),
    Bind,
    Link(PathBuf),
    Empty,
}

impl Ground {
    /// Tries in `scratch` what works here, in a process of its own.
    pub(super) fn survey(scratch: &Path) -> Self {
        let ways = if geteuid().is_root() { &[Base::Overlay(Layer::Disk), Base::Folder][..] } else { &[Base::Folder] };
        let found = ways.iter().find_map(|base| Self::tried(*base, scratch));
        found.unwrap_or(Self { base: Base::Host, parts: Vec::new() })
    }

    /// Returns in a word what pods get here.
    pub(super) fn isolation(&self) -> Isolation {
        match self.base {
            Base::Overlay(_) => Isolation::Overlay,
            Base::Folder => Isolation::UserOverlay,
            Base::Host => Isolation::Plain,
        }
    }

    /// Gives this process, which must be single-threaded, a view of its own. Its working directory
    /// is the view's root afterwards.
    pub(super) fn isolate(&self, view: &View<'_>) -> Result<(), Fault> {
        match self.base {
            Base::Host => return Ok(()),
            Base::Overlay(_) => unshare(CloneFlags::CLONE_NEWNS).doing("leave the namespace of", view.scratch)?,
            Base::Folder => enter_user_namespace().doing("make a user namespace for", view.scratch)?,
        }
        self.build(view)?;
        enter(view.scratch)
    }

    fn tried(base: Base, scratch: &Path) -> Option<Self> {
        let (reader, writer) = pipe().ok()?;
        // SAFETY: the supervisor is single-threaded, so the child may do what it likes.
        match unsafe { fork() }.ok()? {
            ForkResult::Child => {
                drop(reader);
                let said = Self::found(base, scratch).map(|ground| serde_json::to_vec(&ground).expect("plain data"));
                let code = match said {
                    Ok(said) => i32::from(fs::File::from(writer).write_all(&said).is_err()),
                    Err(fault) => {
                        eprintln!("no view of the file system by {base:?}: {fault}");
                        1
                    }
                };
                // SAFETY: ends the child at once; nothing of the parent's is run twice.
                unsafe { nix::libc::_exit(code) }
            }
            ForkResult::Parent { child } => {
                drop(writer);
                let mut said = Vec::new();
                let read = fs::File::from(reader).take(SURVEY_BYTES_MAX).read_to_end(&mut said);
                let _ = waitpid(child, None);
                read.ok().and_then(|_| serde_json::from_slice(&said).ok())
            }
        }
    }

    /// Makes a view in this process, by trying, and returns how it was made.
    fn found(base: Base, scratch: &Path) -> Result<Self, Fault> {
        let view = View { scratch, folders: &[] };
        match base {
            Base::Overlay(_) => unshare(CloneFlags::CLONE_NEWNS).doing("leave the namespace of", scratch)?,
            _ => enter_user_namespace().doing("make a user namespace for", scratch)?,
        }
        let candidates = match base {
            Base::Folder => top_folders()?,
            _ => mounts_below_root()?,
        };
        let base = found_base(base, scratch)?;
        let mut parts: Vec<Part> = Vec::new();
        for path in candidates {
            let covered = parts.iter().any(|part| part.how == How::Bind && path.starts_with(&part.path));
            if !covered {
                let how = found_part(&path, parts.len() + 1, base, scratch);
                parts.push(Part { path, how });
            }
        }
        let ground = Self { base, parts };
        ground.finish(&view)?;
        enter(scratch)?;
        Ok(ground)
    }

    fn build(&self, view: &View<'_>) -> Result<(), Fault> {
        make_base(self.base, view.scratch)?;
        for folder in view.folders {
            self.open_up(folder, view.scratch);
        }
        for (at, part) in self.parts.iter().enumerate() {
            make_part(&part.path, at + 1, &part.how, self.base, view.scratch).doing("take along", &part.path)?;
        }
        self.finish(view)
    }

    /// Makes the parts that are the same everywhere.
    fn finish(&self, view: &View<'_>) -> Result<(), Fault> {
        for path in BOUND {
            let target = inside(view.scratch, Path::new(path));
            let _ = fs::create_dir(&target);
            bind_all(Path::new(path), &target).doing("bind", Path::new(path))?;
        }
        for (name, path) in [("tmp", "/tmp"), ("volumes", "/argo/volumes")] {
            let (source, target) = (view.scratch.join(name), inside(view.scratch, Path::new(path)));
            fs::create_dir_all(&target).doing("make", &target)?;
            bind_all(&source, &target).doing("bind", &source)?;
        }
        Ok(())
    }

    /// Makes a folder that a pod writes to in the upper layer, so that it is the user's own there
    /// though the host's is not. Root needs no such thing.
    fn open_up(&self, folder: &Path, scratch: &Path) {
        if self.base != Base::Folder {
            return;
        }
        let folder = resolved(folder);
        let slot = self.parts.iter().position(|part| folder.starts_with(&part.path));
        let (below, root) = match slot.map(|slot| (slot, &self.parts[slot])) {
            None => (Path::new("/"), scratch.join("root")),
            Some((slot, Part { path, how: How::Overlay(layer) })) => (&**path, upper(&layer_folder(scratch, *layer), slot + 1)),
            Some(_) => return,
        };
        let relative = folder.strip_prefix(below).unwrap_or(&folder);
        // What cannot be made here is found out by the pod that writes to it.
        let _ = fs::create_dir_all(root.join(relative));
    }
}

/// Resolves the links of the part of `path` that exists.
fn resolved(path: &Path) -> PathBuf {
    let existing = path.ancestors().find_map(|part| Some((part, fs::canonicalize(part).ok()?)));
    match existing {
        Some((part, real)) => real.join(path.strip_prefix(part).unwrap_or(Path::new(""))),
        None => path.to_owned(),
    }
}

/// Enters a user namespace in which this user is itself, with every right over what it owns.
fn enter_user_namespace() -> io::Result<()> {
    let (uid, gid) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))
}

fn found_base(base: Base, scratch: &Path) -> Result<Base, Fault> {
    match base {
        Base::Overlay(_) => {
            if make_base(Base::Overlay(Layer::Disk), scratch).is_ok() {
                return Ok(base);
            }
            make_base(Base::Overlay(Layer::Memory), scratch)?;
            Ok(Base::Overlay(Layer::Memory))
        }
        other => make_base(other, scratch).map(|()| other),
    }
}

fn make_base(base: Base, scratch: &Path) -> Result<(), Fault> {
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).doing("detach mounts below", Path::new("/"))?;
    for folder in ["upper", "work", "root", "tmp", "volumes"] {
        make_folder(&scratch.join(folder))?;
    }
    let sticky = fs::Permissions::from_mode(0o1777);
    fs::set_permissions(scratch.join("tmp"), sticky).doing("open up", &scratch.join("tmp"))?;
    let root = scratch.join("root");
    match base {
        Base::Overlay(layer) => overlay(Path::new("/"), &root, 0, layer, base, scratch).doing("lay an overlay over", Path::new("/")),
        Base::Folder => bind_all(&root, &root).doing("bind", &root),
        Base::Host => Ok(()),
    }
}

fn make_folder(path: &Path) -> Result<(), Fault> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error).doing("make", path),
        _ => Ok(()),
    }
}

/// Finds how a view can have `path`, and leaves it so.
fn found_part(path: &Path, slot: usize, base: Base, scratch: &Path) -> How {
    let ways = match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => vec![How::Link(fs::read_link(path).unwrap_or_default())],
        Ok(found) if found.is_dir() => vec![How::Overlay(Layer::Disk), How::Overlay(Layer::Memory), How::Bind, How::Empty],
        Ok(_) => vec![How::Bind],
        Err(_) => Vec::new(),
    };
    let works = |how: &How| make_part(path, slot, how, base, scratch).is_ok();
    ways.into_iter().find(works).unwrap_or(How::Empty)
}

fn make_part(path: &Path, slot: usize, how: &How, base: Base, scratch: &Path) -> io::Result<()> {
    let target = inside(scratch, path);
    match how {
        How::Link(to) => return fs::read_link(&target).map(drop).or_else(|_| symlink(to, &target)),
        _ if path.is_dir() => fs::create_dir(&target).or_else(ignore_existing)?,
        _ if target.exists() => {}
        _ => drop(fs::File::create(&target)?),
    }
    match how {
        How::Overlay(layer) => overlay(path, &target, slot, *layer, base, scratch),
        How::Bind => bind_all(path, &target),
        How::Link(_) | How::Empty => Ok(()),
    }
}

fn ignore_existing(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) }
}

/// Lays an overlay over `lower` at `target`; `slot` tells it from the view's others.
///
/// Its layers are named relative to the working directory, so that their path needs no escaping.
fn overlay(lower: &Path, target: &Path, slot: usize, layer: Layer, base: Base, scratch: &Path) -> io::Result<()> {
    let folder = layer_folder(scratch, layer);
    if layer == Layer::Memory && !folder.exists() {
        fs::create_dir(&folder)?;
        mount(Some("scratch"), &folder, Some("tmpfs"), MsFlags::empty(), None::<&str>)?;
    }
    fs::create_dir_all(upper(&folder, slot))?;
    fs::create_dir_all(folder.join(format!("work/{slot}")))?;
    chdir(&folder)?;
    let mut options = [b"lowerdir=".to_vec(), escaped(lower.as_os_str())].concat();
    options.extend(format!(",upperdir=upper/{slot},workdir=work/{slot}").bytes());
    if base == Base::Folder {
        options.extend(b",userxattr");
    }
    let mounted = |extra: &[u8]| {
        let options = [&options, extra].concat();
        mount(Some("view"), target, Some("overlay"), MsFlags::empty(), Some(OsStr::from_bytes(&options)))
    };
    // Without `volatile` the end of a pod would wait until the disk has all that it wrote.
    Ok(mounted(b",volatile").or_else(|_| mounted(b""))?)
}

/// Returns the upper layer of the overlay `slot`.
fn upper(folder: &Path, slot: usize) -> PathBuf {
    folder.join(format!("upper/{slot}"))
}

/// Escapes what means something in the options of an overlay.
fn escaped(path: &OsStr) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    for byte in path.as_bytes() {
        if matches!(byte, b'\\' | b',' | b':') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out
}

fn layer_folder(scratch: &Path, layer: Layer) -> PathBuf {
    match layer {
        Layer::Disk => scratch.to_owned(),
        Layer::Memory => scratch.join("memory"),
    }
}

/// Returns where `path` is while the view is being made.
fn inside(scratch: &Path, path: &Path) -> PathBuf {
    scratch.join("root").join(path.strip_prefix("/").unwrap_or(path))
}

fn bind_all(source: &Path, target: &Path) -> io::Result<()> {
    Ok(mount(Some(source), target, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)?)
}

/// Makes the view's root the root, and lets go of the host's.
fn enter(scratch: &Path) -> Result<(), Fault> {
    let root = scratch.join("root");
    let entered = chdir(&root).and_then(|()| pivot_root(".", ".")).and_then(|()| umount2(".", MntFlags::MNT_DETACH));
    entered.and_then(|()| chdir("/")).doing("enter", &root)
}

fn top_folders() -> Result<Vec<PathBuf>, Fault> {
    let entries = fs::read_dir("/").doing("list", Path::new("/"))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| !is_bound(path) && path != Path::new("/tmp"));
    paths.sort();
    Ok(paths)
}

fn is_bound(path: &Path) -> bool {
    BOUND.iter().any(|bound| path.starts_with(bound))
}

/// Returns where file systems are mounted below `/`, those nearest to it first.
fn mounts_below_root() -> Result<Vec<PathBuf>, Fault> {
    let table = Path::new("/proc/self/mountinfo");
    let mut paths = mount_points(&fs::read(table).doing("read", table)?);
    paths.retain(|path| path != Path::new("/") && !is_bound(path) && !path.starts_with("/tmp"));
    paths.sort_by_key(|path| (path.components().count(), path.clone()));
    paths.dedup();
    if paths.len() > MOUNTS_MAX {
        eprintln!("{} file systems are mounted; pods see the first {MOUNTS_MAX} of them", paths.len());
        paths.truncate(MOUNTS_MAX);
    }
    Ok(paths)
}

/// Reads the mount points of a table in the form of `/proc/self/mountinfo`.
fn mount_points(table: &[u8]) -> Vec<PathBuf> {
    let point = |line: &[u8]| line.split(|byte| *byte == b' ').nth(4).map(unescaped);
    table.split(|byte| *byte == b'\n').filter_map(point).map(|path| PathBuf::from(OsStr::from_bytes(&path))).collect()
}

/// Undoes the octal escapes of the kernel's tables.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let octal = text.get(at + 1..at + 4).filter(|_| text[at] == b'\\');
        let code = octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        out.push(code.unwrap_or(text[at]));
        at += if code.is_some() { 4 } else { 1 };
    }
    out
}

/// Gives this process mounts of its own, so that what it binds is seen by nobody else.
pub(super) fn own_mounts() -> io::Result<()> {
    Ok(unshare(CloneFlags::CLONE_NEWNS)?)
}

/// Shows `source` at `target`, which is made when it is not there.
pub(super) fn bind(source: &Path, target: &Path, read_only: bool) -> io::Result<()> {
    if source.is_dir() {
        fs::create_dir_all(target)?;
    } else if !target.exists() {
        target.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::File::create(target)?;
    }
    bind_all(source, target)?;
    if read_only {
        let again = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(None::<&str>, target, None::<&str>, again, None::<&str>)?;
    }
    Ok(())
}

/// Puts a file system in memory at `folder`.
pub(super) fn in_memory(folder: &Path) -> io::Result<()> {
    Ok(mount(Some("memory"), folder, Some("tmpfs"), MsFlags::empty(), None::<&str>)?)
}

/// A folder of the host that stays within reach after [`Ground::isolate`].
pub(super) struct Reach {
    path: PathBuf,
    _open: OwnedFd,
}

impl Reach {
    /// Takes hold of `folder`.
    pub(super) fn to(folder: &Path) -> Result<Self, Fault> {
        let open = fs::File::open(folder).doing("open", folder)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", open.as_fd().as_raw_fd()));
        Ok(Self { path, _open: open.into() })
    }

    /// Returns a path to it that holds before and after, in this process.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Returns a path by which the socket `name` in `folder` is reached though the folder's own path
/// be longer than an address may be; it holds as long as the second value lives.
pub(super) fn socket_path(folder: &Path, name: &str) -> io::Result<(PathBuf, OwnedFd)> {
    let open = fs::File::open(folder)?;
    let path = format!("/proc/self/fd/{}/{name}", open.as_fd().as_raw_fd());
    Ok((path.into(), open.into()))
}

/// Gives this process the name that process lists show.
pub(super) fn name_process(name: &str) {
    if let Ok(name) = std::ffi::CString::new(name) {
        // A process that keeps its old name is no worse for it.
        let _ = prctl::set_name(&name);
    }
}

/// Makes this process the parent of its descendants whose parents end.
pub(super) fn adopt_orphans() {
    let _ = prctl::set_child_subreaper(true);
}

/// Has the kernel kill this process when its parent ends.
pub(super) fn die_with_parent() -> io::Result<()> {
    Ok(prctl::set_pdeathsig(Signal::SIGKILL)?)
}

/// Returns this process's children, adopted ones included.
pub(super) fn children() -> Vec<Pid> {
    let text = fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).map(Pid::from_raw).collect()
}

/// Returns what tells a process from a later one of the same id; nothing when there is none.
pub(super) fn birth(pid: Pid) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything; field 22, the start, is the 20th after it.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19).map(str::to_owned)
}

/// Returns what tells this boot of the machine from others.
pub(super) fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// Returns the machine's name.
pub(super) fn host_name() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// Returns what becomes readable when the process ends, which need not be a child.
pub(super) fn watch(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: takes two integers and returns a new descriptor or -1.
    let fd = unsafe { nix::libc::syscall(nix::libc::SYS_pidfd_open, pid.as_raw(), 0) };
    let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: the kernel just made it, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_tables_are_read() {
        let table = b"22 27 0:21 / /proc rw - proc proc rw\n27 1 254:0 / /a\\040b\\134 rw - ext4 x rw\n\n";
        assert_eq!(mount_points(table), [PathBuf::from("/proc"), PathBuf::from("/a b\\")]);
    }

    #[test]
    fn options_of_overlays_are_escaped() {
        assert_eq!(escaped(OsStr::new("/a:b,c\\d")), b"/a\\:b\\,c\\\\d");
    }

    #[test]
    fn a_process_has_a_birth_and_is_watched() {
        assert!(birth(Pid::this()).is_some());
        assert_eq!(birth(Pid::from_raw(i32::MAX)), None);
        assert!(watch(Pid::this()).is_ok());
        assert!(watch(Pid::from_raw(i32::MAX)).is_err());
    }
}
