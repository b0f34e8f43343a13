//! Waiting in one `poll`: signals as readable bytes, ends of children, timeouts.

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::PollTimeout;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// Where the handler writes to. One per process: signals are the process's.
static WRITER: AtomicI32 = AtomicI32::new(-1);

/// The reading end of this process's signals.
pub(super) struct Wake(UnixStream);

impl Wake {
    /// Sends `signals` here from now on, in place of where they went before. A process that forks
    /// must do so again in the child, which would share its parent's end otherwise.
    pub(super) fn on(signals: &[Signal]) -> std::io::Result<Self> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        WRITER.store(writer.into_raw_fd(), Ordering::SeqCst);
        let action = SigAction::new(SigHandler::Handler(handle), SaFlags::SA_RESTART, SigSet::empty());
        for signal in signals {
            // SAFETY: the handler only loads an atomic and calls `write`, both async-signal-safe.
            unsafe { sigaction(*signal, &action) }?;
        }
        Ok(Self(reader))
    }

    /// Returns what is readable when a signal came.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Takes the signals that came, each as often as it fitted.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let mut taken = [0; 64];
        let count = self.0.read(&mut taken).unwrap_or(0);
        taken[..count].to_vec()
    }
}

extern "C" fn handle(signal: i32) {
    let fd = WRITER.load(Ordering::SeqCst);
    if fd < 0 {
        return;
    }
    let errno = Errno::last_raw();
    // SAFETY: the descriptor was given away by `Wake::on` and is never closed; a full pipe is fine,
    // since what is in it wakes the reader as well.
    let _ = nix::unistd::write(unsafe { BorrowedFd::borrow_raw(fd) }, &[signal as u8]);
    Errno::set_raw(errno);
}

/// Takes the end of one child, if one has ended: its exit code as shells have it.
pub(super) fn ended_child() -> Option<(Pid, i32)> {
    match waitpid(None, Some(WaitPidFlag::WNOHANG)).ok()? {
        WaitStatus::Exited(pid, code) => Some((pid, code)),
        WaitStatus::Signaled(pid, signal, _) => Some((pid, 128 + signal as i32)),
        _ => None,
    }
}

/// Returns a span as `poll` takes it, rounded up so that a timer is due when it ends.
pub(super) fn poll_timeout(span: Duration) -> PollTimeout {
    let millis = span.as_micros().div_ceil(1000).min(i32::MAX as u128);
    PollTimeout::try_from(millis as i32).unwrap_or(PollTimeout::MAX)
}
