//! What is particular to Linux: a view of the file system for each pod, and watching over processes.
//!
//! A view is made of overlays whose lower layer is the host's file system, so that what a pod
//! writes is its own. Root takes one overlay over `/`, and one for each file system mounted below.
//! Anybody else takes a user namespace in which they are themselves; there the kernel refuses an
//! overlay over `/`, so each folder at the top gets one. What refuses is bound as it is. Which way
//! works is tried once per supervisor ([`Ground::survey`]).
//!
//! What is written lies in memory, on a file system that goes with the pod. On disk it was tried
//! first: the making and removing of its folders took longer than all the rest together (on ext4
//! without a journal 10 ms per pod). Only volumes lie on the disk: large data belong there.

use std::collections::VecDeque;
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

use super::fault::{Doing, Fault, complain};
use super::isolation::{Isolation, View};

/// File systems below `/` that a view takes along. Machines with container engines have hundreds,
/// each costing every pod a mount; the others appear as the folders that they are mounted on.
const MOUNTS_MAX: usize = 32;

/// Parts of a view: each costs every pod a mount. What is beyond is bound with what it lies in.
const PARTS_MAX: usize = 128;

/// How much of a survey's answer is read: its parts are a few hundred bytes each.
const SURVEY_BYTES_MAX: u64 = 1 << 20;

/// What every view has from the host as it is.
const BOUND: [&str; 3] = ["/proc", "/sys", "/dev"];

/// Where volumes are in a view, before they are mounted where their containers want them.
pub(super) const VOLUMES: &str = "/argo/volumes";

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
    Overlay,
    /// A new folder, in a user namespace.
    Folder,
    /// The host's root itself: no views here.
    Host,
}

/// A place below the root, and how a view has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    path: PathBuf,
    how: How,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum How {
    Overlay,
    Bind,
    Link(PathBuf),
    Empty,
}

impl Ground {
    /// Tries what works here, in a process of its own, on the empty folder `stage`.
    pub(super) fn survey(stage: &Path) -> Self {
        let ways = if geteuid().is_root() { &[Base::Overlay, Base::Folder][..] } else { &[Base::Folder] };
        let found = ways.iter().find_map(|base| tried(*base, stage));
        found.unwrap_or(Self { base: Base::Host, parts: Vec::new() })
    }

    /// Returns in a word what pods get here.
    pub(super) fn isolation(&self) -> Isolation {
        match self.base {
            Base::Overlay => Isolation::Overlay,
            Base::Folder => Isolation::UserOverlay,
            Base::Host => Isolation::Plain,
        }
    }

    /// Gives this process, which must be single-threaded, a view of its own. Its working directory
    /// is the view's root afterwards.
    pub(super) fn isolate(&self, view: &View<'_>) -> Result<(), Fault> {
        if self.base == Base::Host {
            return Ok(());
        }
        make_base(self.base, view.stage)?;
        view.folders.iter().for_each(|folder| self.open_up(folder, view.stage));
        for (at, part) in self.parts.iter().enumerate() {
            make_part(at, part, self.base, view.stage).doing("take along", &part.path)?;
        }
        finish(view)
    }

    /// Makes a folder that a pod writes to in the upper layer, so that it is the user's own there
    /// though the host's is not. Root needs no such thing.
    fn open_up(&self, folder: &Path, stage: &Path) {
        if self.base != Base::Folder {
            return;
        }
        let folder = resolved(folder);
        // Parts come after those that they lie in.
        let at = self.parts.iter().rposition(|part| folder.starts_with(&part.path));
        let (below, root) = match at.map(|at| (at, &self.parts[at])) {
            None | Some((_, Part { how: How::Empty, .. })) => (Path::new("/"), stage.join("root")),
            Some((at, Part { path, how: How::Overlay })) => (&**path, upper(stage, Some(at))),
            Some((_, Part { how: How::Bind | How::Link(_), .. })) => return,
        };
        // What cannot be made here is found out by the pod that writes to it.
        let _ = fs::create_dir_all(root.join(folder.strip_prefix(below).unwrap_or(&folder)));
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

/// Makes a view in a child process, and returns what the child says of how it was made.
fn tried(base: Base, stage: &Path) -> Option<Ground> {
    let (reader, writer) = pipe().ok()?;
    // SAFETY: the supervisor is single-threaded, so its child may do what it likes.
    match unsafe { fork() }.ok()? {
        ForkResult::Child => {
            let said = found(base, stage).map(|ground| serde_json::to_vec(&ground).expect("plain data"));
            let written = said.and_then(|said| fs::File::from(writer).write_all(&said).doing("tell of", stage));
            if let Err(fault) = &written {
                complain(format_args!("pods cannot have a view of the file system by {base:?}: {fault}"));
            }
            // SAFETY: ends the child at once; nothing of the parent's is run twice.
            unsafe { nix::libc::_exit(i32::from(written.is_err())) }
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
fn found(base: Base, stage: &Path) -> Result<Ground, Fault> {
    let candidates = match base {
        Base::Folder => top_folders()?,
        _ => mounts_below_root()?,
    };
    make_base(base, stage)?;
    let mut parts: Vec<Part> = Vec::new();
    let mut waiting: VecDeque<(PathBuf, bool)> = candidates.into();
    while let Some((path, is_read_only)) = waiting.pop_front() {
        let is_covered = parts.iter().any(|part| part.how == How::Bind && path.starts_with(&part.path));
        if is_covered {
            continue;
        }
        let inner = if base == Base::Folder { entries(&path) } else { Vec::new() };
        let may_split = !inner.is_empty() && parts.len() + waiting.len() + inner.len() < PARTS_MAX;
        let part = found_part(path, is_read_only, may_split, parts.len(), base, stage);
        if part.how == How::Empty && may_split {
            waiting.extend(inner.into_iter().map(|path| (path, false)));
        }
        parts.push(part);
    }
    finish(&View { stage, folders: &[], volumes: &[] })?;
    Ok(Ground { base, parts })
}

/// Finds how a view can have `path`, and leaves it so. An overlay is refused where a file system is
/// mounted below; with `may_split` the folder is empty then, and what is in it gets parts of its own.
fn found_part(path: PathBuf, is_read_only: bool, may_split: bool, at: usize, base: Base, stage: &Path) -> Part {
    let ways = match fs::symlink_metadata(&path) {
        Ok(found) if found.is_symlink() => vec![How::Link(fs::read_link(&path).unwrap_or_default())],
        Ok(found) if found.is_dir() && may_split => vec![How::Overlay, How::Empty],
        Ok(found) if found.is_dir() && !is_read_only => vec![How::Overlay, How::Bind],
        _ => vec![How::Bind],
    };
    let mut part = Part { path, how: How::Empty };
    for how in ways {
        part.how = how;
        if make_part(at, &part, base, stage).is_ok() {
            return part;
        }
    }
    part.how = How::Empty;
    part
}

/// Makes the namespaces, and the root of a view below `stage`.
fn make_base(base: Base, stage: &Path) -> Result<(), Fault> {
    match base {
        Base::Folder => enter_user_namespace().doing("make a user namespace at", stage)?,
        _ => unshare(CloneFlags::CLONE_NEWNS).doing("make a mount namespace at", stage)?,
    }
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).doing("keep mounts from", Path::new("/"))?;
    mount(Some("view"), stage, Some("tmpfs"), MsFlags::empty(), None::<&str>).doing("mount memory at", stage)?;
    let (root, temporary) = (stage.join("root"), stage.join("tmp"));
    for folder in [&root, &temporary, &stage.join("upper"), &stage.join("work")] {
        fs::create_dir(folder).doing("make", folder)?;
    }
    fs::set_permissions(&temporary, fs::Permissions::from_mode(0o1777)).doing("open up", &temporary)?;
    match base {
        Base::Overlay => overlay(Path::new("/"), &root, None, base, stage).doing("lay an overlay over", Path::new("/")),
        _ => bind_all(&root, &root).doing("bind", &root),
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

fn make_part(at: usize, part: &Part, base: Base, stage: &Path) -> io::Result<()> {
    let target = inside(stage, &part.path);
    match &part.how {
        How::Link(to) => symlink(to, &target),
        How::Empty => make_folder(&target),
        How::Overlay => {
            make_folder(&target)?;
            overlay(&part.path, &target, Some(at), base, stage)
        }
        How::Bind if part.path.is_dir() => {
            make_folder(&target)?;
            bind_all(&part.path, &target)
        }
        How::Bind => {
            fs::File::options().create(true).append(true).open(&target)?;
            bind_all(&part.path, &target)
        }
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Makes what is the same in every view, and enters it.
fn finish(view: &View<'_>) -> Result<(), Fault> {
    let stage = view.stage;
    for path in BOUND.map(Path::new) {
        let target = inside(stage, path);
        make_folder(&target).and_then(|()| bind_all(path, &target)).doing("bind", path)?;
    }
    let target = inside(stage, Path::new("/tmp"));
    make_folder(&target).and_then(|()| bind_all(&stage.join("tmp"), &target)).doing("make", Path::new("/tmp"))?;
    for (name, source) in view.volumes {
        let target = inside(stage, Path::new(VOLUMES)).join(name);
        fs::create_dir_all(&target).and_then(|()| bind_all(source, &target)).doing("bind", source)?;
    }
    let root = stage.join("root");
    let entered = chdir(&root).and_then(|()| pivot_root(".", ".")).and_then(|()| umount2(".", MntFlags::MNT_DETACH));
    entered.and_then(|()| chdir("/")).doing("enter", &root)
}

/// Lays an overlay over `lower` at `target`. Its own layers are those of the root, or of the part `at`.
fn overlay(lower: &Path, target: &Path, at: Option<usize>, base: Base, stage: &Path) -> io::Result<()> {
    let (upper, work) = (upper(stage, at), stage.join("work").join(slot(at)));
    make_folder(&upper)?;
    make_folder(&work)?;
    let mut options = Vec::new();
    for (name, path) in [("lowerdir=", lower), (",upperdir=", &upper), (",workdir=", &work)] {
        options.extend(name.bytes());
        options.extend(escaped(path.as_os_str()));
    }
    if base == Base::Folder {
        options.extend(b",userxattr");
    }
    Ok(mount(Some("view"), target, Some("overlay"), MsFlags::empty(), Some(OsStr::from_bytes(&options)))?)
}

/// Returns the upper layer of the root's overlay, or of that of the part `at`.
fn upper(stage: &Path, at: Option<usize>) -> PathBuf {
    stage.join("upper").join(slot(at))
}

fn slot(at: Option<usize>) -> String {
    at.map_or_else(|| "root".to_owned(), |at| at.to_string())
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

/// Returns where `path` is while the view is being made.
fn inside(stage: &Path, path: &Path) -> PathBuf {
    stage.join("root").join(path.strip_prefix("/").unwrap_or(path))
}

fn bind_all(source: &Path, target: &Path) -> io::Result<()> {
    Ok(mount(Some(source), target, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)?)
}

/// Returns what is at the top of the host's file system, but for what every view has anyway.
fn top_folders() -> Result<Vec<(PathBuf, bool)>, Fault> {
    fs::read_dir("/").doing("list", Path::new("/"))?;
    let paths = entries(Path::new("/")).into_iter().filter(|path| !is_given(path));
    Ok(paths.map(|path| (path, false)).collect())
}

/// Returns what is in a folder, in order; nothing when it cannot be read.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths
}

/// Returns whether every view has something else at `path`, or the host's as it is.
fn is_given(path: &Path) -> bool {
    path.starts_with("/tmp") || BOUND.iter().any(|bound| path.starts_with(bound))
}

/// Returns where file systems are mounted below `/`, those nearest to it first, and which are read-only.
fn mounts_below_root() -> Result<Vec<(PathBuf, bool)>, Fault> {
    let table = Path::new("/proc/self/mountinfo");
    let mut mounts = mount_points(&fs::read(table).doing("read", table)?);
    mounts.retain(|(path, _)| path != Path::new("/") && !is_given(path));
    mounts.sort_by_key(|(path, _)| (path.components().count(), path.clone()));
    mounts.dedup_by(|a, b| a.0 == b.0);
    if mounts.len() > MOUNTS_MAX {
        complain(format_args!("{} file systems are mounted; pods see the first {MOUNTS_MAX} of them", mounts.len()));
        mounts.truncate(MOUNTS_MAX);
    }
    Ok(mounts)
}

/// Reads a table in the form of `/proc/self/mountinfo`: mount points, and whether they are read-only.
fn mount_points(table: &[u8]) -> Vec<(PathBuf, bool)> {
    let mount = |line: &[u8]| {
        let mut fields = line.split(|byte| *byte == b' ').skip(4);
        let path = unescaped(fields.next()?);
        let is_read_only = fields.next()?.split(|byte| *byte == b',').any(|option| option == b"ro");
        Some((PathBuf::from(OsStr::from_bytes(&path)), is_read_only))
    };
    table.split(|byte| *byte == b'\n').filter_map(mount).collect()
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

/// Shows `source` at `target`. What is not there is made: folders, unless the other is a file.
pub(super) fn bind(source: &Path, target: &Path, read_only: bool) -> io::Result<()> {
    if !source.exists() {
        fs::create_dir_all(source)?;
    }
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

/// Takes away what [`bind`] showed at `target`.
pub(super) fn unbind(target: &Path) -> io::Result<()> {
    Ok(umount2(target, MntFlags::MNT_DETACH)?)
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

/// Closes what this process got open from the one that started it, but for its standard streams.
/// It must be called before anything is opened.
pub(super) fn close_inherited() {
    // SAFETY: nothing here owns a descriptor yet, by the caller's word. A kernel that has no such
    // call leaves them open, as they were.
    let _ = unsafe { nix::libc::close_range(3, nix::libc::c_uint::MAX, 0) };
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
        let table = b"22 27 0:21 / /proc rw,x - proc proc rw\n27 1 254:0 / /a\\040b\\134 ro - ext4 x rw\n\n";
        assert_eq!(mount_points(table), [(PathBuf::from("/proc"), false), (PathBuf::from("/a b\\"), true)]);
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
