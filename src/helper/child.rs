//! The command as a process: found, started, signalled.

use core::ffi::CStr;

use crate::arguments::Words;
use crate::sys::{self, ENOENT, Errno, Fd, Pid, SignalSet};

/// Bytes of a path, as Linux has it.
pub const PATH_BYTES_MAX: usize = 4096;

/// What a command is started with.
pub struct Start {
    /// The command with its arguments, to the end of the process's own.
    pub command: Words,
    /// The environment.
    pub environment: Words,
    /// What becomes its standard output, in place of ours.
    pub stdout: Option<Fd>,
    /// The signals that are blocked for it.
    pub blocked: SignalSet,
}

/// A command that was started.
pub struct Child {
    /// Its first process.
    pub pid: Pid,
    leads_group: bool,
}

impl Child {
    /// Starts a command; returns why it cannot be.
    ///
    /// It leads a group of its own, so that signals reach all of it, except at a terminal, which
    /// would stop a group in its background.
    pub fn start(start: &Start) -> Result<Self, Errno> {
        let leads_group = !sys::is_terminal(0);
        let (reader, writer) = sys::pipe()?;
        let Some(pid) = sys::fork()? else {
            let errno = become_command(start, leads_group);
            // Nobody is left to be told that this cannot be written.
            let _ = sys::write(writer, &errno.0.to_ne_bytes());
            sys::exit(127);
        };
        sys::close(writer);
        let failed = read_errno(reader);
        sys::close(reader);
        failed.map_or(Ok(Self { pid, leads_group }), Err)
    }

    /// Sends a signal to the command.
    pub fn signal(&self, signal: i32) {
        let reached = self.leads_group && sys::kill(-self.pid, signal).is_ok();
        if !reached {
            // One that has ended needs no signal.
            let _ = sys::kill(self.pid, signal);
        }
    }

    /// Ends what the command has left behind in its group.
    pub fn kill_group(&self) {
        if self.leads_group {
            // A group that is gone needs no signal.
            let _ = sys::kill(-self.pid, sys::SIGKILL);
        }
    }
}

/// Waits until the child is another program, which closes the pipe, or has said why not.
fn read_errno(reader: Fd) -> Option<Errno> {
    let mut errno = [0; 4];
    loop {
        match sys::read(reader, &mut errno) {
            Ok(0) => return None,
            Ok(_) => return Some(Errno(i32::from_ne_bytes(errno))),
            Err(sys::EINTR) => {}
            Err(errno) => return Some(errno),
        }
    }
}

/// Makes this process, a new one, the command; returns why it cannot be.
fn become_command(start: &Start, leads_group: bool) -> Errno {
    let prepared = (|| {
        if leads_group {
            sys::lead_group()?;
        }
        if let Some(stdout) = start.stdout {
            sys::duplicate(stdout, 1)?;
        }
        sys::block_signals(start.blocked)
    })();
    if let Err(errno) = prepared {
        return errno;
    }
    let Some(program) = start.command.get(0) else { return ENOENT };
    if program.to_bytes().contains(&b'/') {
        return execute(program, start);
    }
    execute_on_path(program.to_bytes(), start)
}

/// Tries the folders of `PATH` as a shell does; what is no program there is passed over.
fn execute_on_path(program: &[u8], start: &Start) -> Errno {
    let mut environment = start.environment.iter().map(CStr::to_bytes);
    let folders = environment.find_map(|variable| variable.strip_prefix(b"PATH=")).unwrap_or_default();
    let is_folder = |folder: &&[u8]| !folder.is_empty();
    for folder in folders.split(|byte| *byte == b':').filter(is_folder) {
        let mut path = [0; PATH_BYTES_MAX];
        let Some(path) = join(folder, program, &mut path) else { continue };
        let errno = execute(path, start);
        if !is_no_program(errno) {
            return errno;
        }
    }
    ENOENT
}

fn is_no_program(errno: Errno) -> bool {
    const EACCES: Errno = Errno(13);
    const ENOTDIR: Errno = Errno(20);
    matches!(errno, ENOENT | EACCES | ENOTDIR)
}

fn join<'a>(folder: &[u8], name: &[u8], path: &'a mut [u8; PATH_BYTES_MAX]) -> Option<&'a CStr> {
    let end = folder.len() + 1 + name.len();
    path.get_mut(..folder.len())?.copy_from_slice(folder);
    *path.get_mut(folder.len())? = b'/';
    path.get_mut(folder.len() + 1..end)?.copy_from_slice(name);
    CStr::from_bytes_with_nul(path.get(..=end)?).ok()
}

fn execute(path: &CStr, start: &Start) -> Errno {
    // SAFETY: both are the ends of this process's own arrays, which end with a null pointer.
    unsafe { sys::execute(path, start.command.as_ptr(), start.environment.as_ptr()) }
}
