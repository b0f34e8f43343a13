//! One container as a process group, its output kept as it comes.

#![expect(unsafe_code, reason = "a child is set up before it becomes another program")]

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::fcntl::OFlag;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{AccessFlags, Pid, access};

use super::fault::{Doing, Fault};
use super::logs::{self, Stream, Tail};
use super::order::Container;
use super::platform;
use crate::base::Timestamp;
use crate::base::limits::{DRAIN_BYTES_MAX, RESULT_BYTES_MAX};

/// As much as a pipe of Linux holds.
const READ_BYTES: usize = 64 << 10;

/// What is the same for all containers of a pod.
pub(super) struct Site {
    /// Whether they see a view of their own.
    pub isolated: bool,
    /// The working directory of those that name none.
    pub work: PathBuf,
    /// Their folder for temporary files.
    pub temporary: PathBuf,
    /// Where programs of scripts are written.
    pub script: PathBuf,
    /// Where the pod's volumes are.
    pub volumes: PathBuf,
}

/// A container that was started.
pub(super) struct Process {
    /// The container's name.
    pub name: String,
    /// Its first process, which leads the group.
    pub pid: Pid,
    /// The exit code, once it ended; 128 and the signal's number when a signal ended it.
    pub code: Option<i32>,
    outputs: Vec<Output>,
    log: Log,
    tail: Tail,
}

struct Output {
    stream: Stream,
    reader: File,
}

/// A log that is made when there is something to write: many steps say nothing, and a new file
/// can cost the disk more than all the rest of a step.
struct Log {
    path: PathBuf,
    file: Option<File>,
}

impl Log {
    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        let file = match self.file.take() {
            Some(file) => file,
            None => File::create(&self.path)?,
        };
        self.file.insert(file).write_all(text)
    }
}

impl Process {
    /// Starts `container`. It sees the pod's view, in which the volumes of `main` are mounted, with
    /// its own volumes in their place.
    pub(super) fn start(container: &Container, main: &Container, site: &Site, log: PathBuf) -> Result<Self, Fault> {
        let mut command = command(container, site)?;
        let (out, err) = (stream(Stream::Out)?, stream(Stream::Err)?);
        command.stdin(Stdio::null()).stdout(out.1).stderr(err.1).process_group(0);
        let is_alike = !site.isolated || container.mounts == main.mounts;
        let (hidden, shown) = (binds(main, site), binds(container, site));
        // SAFETY: the process is single-threaded, so its child may allocate and do what it likes.
        unsafe {
            command.pre_exec(move || {
                platform::die_with_parent()?;
                if is_alike { Ok(()) } else { change_mounts(&hidden, &shown) }
            });
        }
        let child = command.spawn().doing("start", Path::new(command.get_program()))?;
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("process ids are positive"));
        let outputs = vec![out.0, err.0];
        Ok(Self {
            name: container.name.clone(),
            pid,
            code: None,
            outputs,
            log: Log { path: log, file: None },
            tail: Tail::default(),
        })
    }

    /// Starts the container again, once it has ended. What it writes follows what it wrote before.
    pub(super) fn again(&mut self, container: &Container, main: &Container, site: &Site) -> Result<(), Fault> {
        let fresh = Self::start(container, main, site, self.log.path.clone())?;
        let Self { log, tail, .. } = std::mem::replace(self, fresh);
        (self.log, self.tail) = (log, tail);
        Ok(())
    }

    /// Sends a signal to all processes of the group.
    pub(super) fn signal(&self, signal: Signal) {
        // A group that is gone needs no signal.
        let _ = killpg(self.pid, signal);
    }

    /// Returns what becomes readable when there is output.
    pub(super) fn readable(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.outputs.iter().map(|output| output.reader.as_fd())
    }

    /// Takes what was written so far, once from each stream.
    pub(super) fn take_output(&mut self, now: Timestamp) -> Result<usize, Fault> {
        let mut taken = 0;
        let mut at = 0;
        while at < self.outputs.len() {
            match self.take_from(at, now)? {
                Some(0) => drop(self.outputs.remove(at)),
                count => {
                    taken += count.unwrap_or(0);
                    at += 1;
                }
            }
        }
        Ok(taken)
    }

    /// Takes what is left after the end. What others still write is not waited for.
    pub(super) fn drain(&mut self, now: Timestamp) -> Result<(), Fault> {
        let mut left = DRAIN_BYTES_MAX;
        while left > 0 {
            match self.take_output(now)? {
                0 => break,
                taken => left = left.saturating_sub(taken),
            }
        }
        self.outputs.clear();
        Ok(())
    }

    /// Returns the end of the standard output.
    pub(super) fn result(&self) -> String {
        self.tail.text(RESULT_BYTES_MAX)
    }

    /// Reads once: the bytes taken, 0 at the end, nothing when there is nothing yet.
    fn take_from(&mut self, at: usize, now: Timestamp) -> Result<Option<usize>, Fault> {
        let mut bytes = [0; READ_BYTES];
        let output = &mut self.outputs[at];
        let count = match output.reader.read(&mut bytes) {
            Ok(count) => count,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                return Ok(None);
            }
            Err(error) => return Err(error).doing("read the output of", Path::new(&self.name)),
        };
        if output.stream == Stream::Out {
            self.tail.push(&bytes[..count], RESULT_BYTES_MAX + 1);
        }
        if count > 0 {
            let mut text = Vec::with_capacity(count + count / 8 + 64);
            logs::format(&bytes[..count], output.stream, now, &mut text);
            self.log.write(&text).doing("write the log of", Path::new(&self.name))?;
        }
        Ok(Some(count))
    }
}

/// Returns a reader that never waits, and the end that a process writes to.
fn stream(stream: Stream) -> Result<(Output, OwnedFd), Fault> {
    let (reader, writer) = io::pipe().doing("make a pipe for", Path::new(stream.as_str()))?;
    let set = nix::fcntl::fcntl(&reader, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK));
    set.doing("prepare the pipe for", Path::new(stream.as_str()))?;
    Ok((Output { stream, reader: OwnedFd::from(reader).into() }, writer.into()))
}

fn command(container: &Container, site: &Site) -> Result<Command, Fault> {
    let mut words = container.command.iter();
    let program = words.next().ok_or_else(|| Fault::refused("there is no command"))?;
    let path = container.env.iter().find(|(name, _)| name == "PATH").map_or("", |(_, value)| value);
    let found = find(program, path).ok_or_else(|| Fault::refused(format!("command `{program}` not found on PATH")))?;
    let mut command = Command::new(found);
    command.arg0(program).args(words).env_clear();
    command.env("TMPDIR", &site.temporary).envs(container.env.iter().map(|(name, value)| (name, value)));
    if let Some(source) = &container.script {
        site.script.parent().map_or(Ok(()), fs::create_dir_all).doing("make", &site.script)?;
        fs::write(&site.script, source).doing("write", &site.script)?;
        // `sh -c` runs the file as a program. Source: Argo's `StageFiles`.
        fs::set_permissions(&site.script, fs::Permissions::from_mode(0o755)).doing("write", &site.script)?;
        command.arg(&site.script);
    }
    let work = container.working_dir.as_ref().map_or_else(|| site.work.clone(), PathBuf::from);
    if site.isolated {
        // As container engines do. What cannot be made is found out by starting there.
        let _ = fs::create_dir_all(&work);
    }
    if !work.is_dir() {
        return Err(Fault::refused(format!("there is no folder `{}` to work in", work.display())));
    }
    command.current_dir(work);
    Ok(command)
}

/// Finds a program as a shell does; `python` may be called `python3`, as it is on most machines.
fn find(program: &str, path: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(program.into());
    }
    let names = [program, if program == "python" { "python3" } else { program }];
    let folders = || path.split(':').filter(|folder| !folder.is_empty());
    let candidates = names.into_iter().flat_map(|name| folders().map(move |folder| Path::new(folder).join(name)));
    candidates.into_iter().find(|file| file.is_file() && access(file, AccessFlags::X_OK).is_ok())
}

/// What is shown where, and whether it cannot be written to there.
type Bind = (PathBuf, PathBuf, bool);

/// Returns what the mounts of `container` come to.
pub(super) fn binds(container: &Container, site: &Site) -> Vec<Bind> {
    let bind = |mount: &super::order::Mount| {
        let source = site.volumes.join(&mount.volume).join(&mount.sub_path);
        (source, PathBuf::from(&mount.path), mount.read_only)
    };
    container.mounts.iter().map(bind).collect()
}

fn change_mounts(hidden: &[Bind], shown: &[Bind]) -> io::Result<()> {
    platform::own_mounts()?;
    // The last one first: a volume may be mounted in another.
    hidden.iter().rev().try_for_each(|(_, target, _)| platform::unbind(target))?;
    shown.iter().try_for_each(|(source, target, read_only)| platform::bind(source, target, *read_only))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_as_by_a_shell() {
        let folder = tempfile::tempdir().expect("a folder");
        let make = |name: &str, mode: u32| {
            let path = folder.path().join(name);
            fs::write(&path, "").expect("a file");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode");
            path
        };
        let (run, python3) = (make("run", 0o755), make("python3", 0o755));
        make("data", 0o644);
        let path = format!("/nowhere::{}", folder.path().display());
        assert_eq!(find("run", &path), Some(run));
        assert_eq!(find("python", &path), Some(python3));
        assert_eq!(find("absent", &path), None);
        assert_eq!(find("/some/where", &path), Some("/some/where".into()));
        assert_eq!(find("run", ""), None);
    }
}
