//! The turn of a container among those of a set, which begin together and wait for each other.
//!
//! Each has a *mark*, a file in a folder that all of them see. A container holds the lock of its mark for as long
//! as its command is to run, and writes the exit code into it before it lets go. The kernel lets go of the lock of
//! one that is killed: others then find no exit code, and take it as failed.

use core::ffi::CStr;

use crate::child::PATH_BYTES_MAX;
use crate::complain;
use crate::relay::pause;
use crate::report::write_all;
use crate::sys::{self, EAGAIN, ENOENT, Errno, Fd, Lock, Open};
use crate::wire::EXIT_CODE_NOT_WANTED;
use crate::writer::decimal;

/// How often a mark is looked at.
const LOOK_EVERY_MS: usize = 50;

/// What a new mark is called until its lock is held.
const NEW: &[u8] = b".new";

/// This container's mark, with its lock.
pub struct Mark(Fd);

impl Mark {
    /// Makes the mark. Who finds it finds it locked.
    pub fn new(path: &CStr) -> Result<Self, Errno> {
        const ENAMETOOLONG: Errno = Errno(36);
        let mut new = [0; PATH_BYTES_MAX];
        let end = path.count_bytes();
        let room = new.get_mut(..=end + NEW.len()).ok_or(ENAMETOOLONG)?;
        room[..end].copy_from_slice(path.to_bytes());
        room[end..end + NEW.len()].copy_from_slice(NEW);
        let new = CStr::from_bytes_with_nul(room).map_err(|_| ENAMETOOLONG)?;
        let fd = sys::open(new, Open::Create)?;
        sys::lock(fd, Lock::Alone)?;
        sys::rename(new, path)?;
        Ok(Self(fd))
    }
}

/// Lets others see how the command ended; returns its exit code.
pub fn ended(mark: Option<Mark>, code: i32) -> i32 {
    if let Some(Mark(fd)) = mark {
        let number = u64::from(code.unsigned_abs());
        // Those that wait take what cannot be written as a failure.
        let _ = write_all(fd, decimal(number, &mut [0; 20]).as_bytes());
        sys::close(fd);
    }
    code
}

/// Waits until the containers of these marks have succeeded. Returns the exit code when this one is not to run:
/// since one of them failed, or since it was asked to end.
pub fn wait(marks: impl Iterator<Item = &'static CStr>, signals: Fd) -> Result<Option<i32>, Errno> {
    for mark in marks {
        loop {
            match has_succeeded(mark)? {
                Some(true) => break,
                Some(false) => {
                    complain("a container that this one depends on has failed", None);
                    return Ok(Some(EXIT_CODE_NOT_WANTED));
                }
                None => {}
            }
            if let Some(signal) = pause(signals, LOOK_EVERY_MS) {
                return Ok(Some(128 + signal));
            }
        }
    }
    Ok(None)
}

/// Waits until the containers of these marks have ended, however, or this one is asked to.
pub fn wait_for_ends(marks: impl Iterator<Item = &'static CStr>, signals: Fd) {
    for mark in marks {
        while has_succeeded(mark) == Ok(None) {
            if pause(signals, LOOK_EVERY_MS).is_some() {
                return;
            }
        }
    }
}

/// Returns how a container ended; nothing when it has not.
fn has_succeeded(mark: &CStr) -> Result<Option<bool>, Errno> {
    let fd = match sys::open(mark, Open::Read) {
        Ok(fd) => fd,
        Err(ENOENT) => return Ok(None),
        Err(errno) => return Err(errno),
    };
    let mut code = [0; 4];
    let read = sys::lock(fd, Lock::Shared).and_then(|()| sys::read(fd, &mut code));
    sys::close(fd);
    match read {
        Ok(length) => Ok(Some(&code[..length] == b"0")),
        Err(EAGAIN) => Ok(None),
        Err(errno) => Err(errno),
    }
}
