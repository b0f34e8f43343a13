//! The few calls of Linux that the helper makes, without a C library: numbers, structures, and a
//! safe function for each. What can go wrong is the kernel's number for it, as [`Errno`].
//!
//! The helper is static and has no C library, so that it runs in an image that holds nothing else,
//! and is built wherever Rust and a linker are.

use core::arch::asm;
use core::ffi::{CStr, c_char};

/// A file descriptor.
pub type Fd = i32;

/// A process id.
pub type Pid = i32;

/// The kernel's number for what went wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

/// No such file.
pub const ENOENT: Errno = Errno(2);
/// A signal came in between.
pub const EINTR: Errno = Errno(4);
/// A socket, or a device that is not there, cannot be opened.
pub const ENXIO: Errno = Errno(6);
/// Nothing yet.
pub const EAGAIN: Errno = Errno(11);
/// There is no room.
pub const ENOBUFS: Errno = Errno(105);

/// A child has ended.
pub const SIGCHLD: i32 = 17;
/// What was written to is read by nobody.
pub const SIGPIPE: i32 = 13;
/// The end, at once.
pub const SIGKILL: i32 = 9;
/// The end, asked for.
pub const SIGTERM: i32 = 15;
/// A terminal is used from the background.
pub const SIGTTIN: i32 = 21;
/// See [`SIGTTIN`].
pub const SIGTTOU: i32 = 22;

/// Something can be read.
pub const POLLIN: i16 = 1;
/// Something can be written.
pub const POLLOUT: i16 = 4;

const AT_FDCWD: usize = -100_isize as usize;
const O_WRONLY: usize = 0o1;
const O_RDWR: usize = 0o2;
const O_CREAT: usize = 0o100;
const O_NOCTTY: usize = 0o400;
const O_TRUNC: usize = 0o1000;
const O_NONBLOCK: usize = 0o4000;
const O_CLOEXEC: usize = 0o2_000_000;

#[cfg(target_arch = "x86_64")]
mod number {
    pub const READ: usize = 0;
    pub const WRITE: usize = 1;
    pub const CLOSE: usize = 3;
    pub const FSTAT: usize = 5;
    pub const MMAP: usize = 9;
    pub const RT_SIGPROCMASK: usize = 14;
    pub const IOCTL: usize = 16;
    pub const CLONE: usize = 56;
    pub const EXECVE: usize = 59;
    pub const WAIT4: usize = 61;
    pub const KILL: usize = 62;
    pub const FCNTL: usize = 72;
    pub const FLOCK: usize = 73;
    pub const SETPGID: usize = 109;
    pub const EXIT_GROUP: usize = 231;
    pub const OPENAT: usize = 257;
    pub const RENAMEAT: usize = 264;
    pub const PPOLL: usize = 271;
    pub const SIGNALFD4: usize = 289;
    pub const DUP3: usize = 292;
    pub const PIPE2: usize = 293;
}

#[cfg(target_arch = "aarch64")]
mod number {
    pub const DUP3: usize = 24;
    pub const FCNTL: usize = 25;
    pub const IOCTL: usize = 29;
    pub const FLOCK: usize = 32;
    pub const RENAMEAT: usize = 38;
    pub const OPENAT: usize = 56;
    pub const CLOSE: usize = 57;
    pub const PIPE2: usize = 59;
    pub const READ: usize = 63;
    pub const WRITE: usize = 64;
    pub const PPOLL: usize = 73;
    pub const SIGNALFD4: usize = 74;
    pub const FSTAT: usize = 80;
    pub const EXIT_GROUP: usize = 94;
    pub const KILL: usize = 129;
    pub const RT_SIGPROCMASK: usize = 135;
    pub const SETPGID: usize = 154;
    pub const CLONE: usize = 220;
    pub const EXECVE: usize = 221;
    pub const MMAP: usize = 222;
    pub const WAIT4: usize = 260;
}

/// Does a system call.
///
/// # Safety
/// The arguments must be what the call of that number wants; pointers must be valid for as long as
/// the kernel uses them, which for all calls here is until the return.
#[cfg(target_arch = "x86_64")]
unsafe fn call(number: usize, arguments: [usize; 6]) -> Result<usize, Errno> {
    let [a, b, c, d, e, f] = arguments;
    let returned: usize;
    // SAFETY: the caller answers for the arguments; the kernel changes no register but these.
    unsafe {
        asm!("syscall", inlateout("rax") number => returned, in("rdi") a, in("rsi") b, in("rdx") c,
            in("r10") d, in("r8") e, in("r9") f, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    result(returned)
}

/// Does a system call.
///
/// # Safety
/// The arguments must be what the call of that number wants; pointers must be valid for as long as
/// the kernel uses them, which for all calls here is until the return.
#[cfg(target_arch = "aarch64")]
unsafe fn call(number: usize, arguments: [usize; 6]) -> Result<usize, Errno> {
    let [a, b, c, d, e, f] = arguments;
    let returned: usize;
    // SAFETY: the caller answers for the arguments; the kernel changes no register but the first.
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") a => returned, in("x1") b, in("x2") c,
            in("x3") d, in("x4") e, in("x5") f, options(nostack));
    }
    result(returned)
}

fn result(returned: usize) -> Result<usize, Errno> {
    let returned = returned as isize;
    if (-4095..0).contains(&returned) { Err(Errno(-returned as i32)) } else { Ok(returned as usize) }
}

/// Reads what is there.
pub fn read(fd: Fd, into: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: the kernel writes to the slice alone.
    unsafe { call(number::READ, [fd as usize, into.as_mut_ptr() as usize, into.len(), 0, 0, 0]) }
}

/// Writes, perhaps less than all.
pub fn write(fd: Fd, bytes: &[u8]) -> Result<usize, Errno> {
    // SAFETY: the kernel reads the slice alone.
    unsafe { call(number::WRITE, [fd as usize, bytes.as_ptr() as usize, bytes.len(), 0, 0, 0]) }
}

/// Closes a descriptor, which nobody uses any more.
pub fn close(fd: Fd) {
    // SAFETY: no memory is involved. There is nothing to be done about an error.
    let _ = unsafe { call(number::CLOSE, [fd as usize, 0, 0, 0, 0, 0]) };
}

/// How a file is opened.
#[derive(Clone, Copy)]
pub enum Open {
    /// For reading. Never waits, as for who writes to a pipe.
    Read,
    /// For reading and writing; it is there already.
    ReadWrite,
    /// For writing from the begin; it is there already.
    Overwrite,
    /// For writing from the begin, for all to read.
    Create,
}

/// Opens a file, which programs that are started do not see.
pub fn open(path: &CStr, how: Open) -> Result<Fd, Errno> {
    let flags = match how {
        Open::Read => O_NONBLOCK,
        Open::ReadWrite => O_RDWR,
        Open::Overwrite => O_WRONLY | O_TRUNC,
        Open::Create => O_WRONLY | O_TRUNC | O_CREAT,
    };
    let flags = flags | O_NOCTTY | O_CLOEXEC;
    // SAFETY: the path ends with a zero, and the kernel only reads it.
    unsafe { call(number::OPENAT, [AT_FDCWD, path.as_ptr() as usize, flags, 0o644, 0, 0]) }.map(|fd| fd as Fd)
}

/// Gives a file another name.
pub fn rename(from: &CStr, to: &CStr) -> Result<(), Errno> {
    let (from, to) = (from.as_ptr() as usize, to.as_ptr() as usize);
    // SAFETY: both paths end with a zero, and the kernel only reads them.
    unsafe { call(number::RENAMEAT, [AT_FDCWD, from, AT_FDCWD, to, 0, 0]) }.map(drop)
}

/// Who else may hold the lock of a file.
#[derive(Clone, Copy)]
pub enum Lock {
    /// Others of this kind.
    Shared = 1,
    /// Nobody.
    Alone = 2,
}

/// Takes the lock of an open file, or says [`EAGAIN`]. It is held until the file is closed, as the kernel does
/// with those of a process that is killed.
pub fn lock(fd: Fd, lock: Lock) -> Result<(), Errno> {
    const LOCK_NB: usize = 4;
    // SAFETY: no memory is involved.
    unsafe { call(number::FLOCK, [fd as usize, lock as usize | LOCK_NB, 0, 0, 0, 0]) }.map(drop)
}

/// Returns the size of an open file; nothing when it is no regular one.
pub fn regular_size(fd: Fd) -> Result<Option<u64>, Errno> {
    const MODE_AT: usize = if cfg!(target_arch = "x86_64") { 24 } else { 16 };
    const SIZE_AT: usize = 48;
    // `struct stat` has 144 bytes on one machine and 128 on the other.
    let mut stat = [0_u64; 18];
    // SAFETY: the kernel writes a `struct stat`, for which there is room.
    unsafe { call(number::FSTAT, [fd as usize, stat.as_mut_ptr() as usize, 0, 0, 0, 0]) }?;
    let mode = stat[MODE_AT / 8] as u32;
    Ok((mode & 0o170_000 == 0o100_000).then_some(stat[SIZE_AT / 8]))
}

/// Makes a pipe, reader and writer, which programs that are started do not see.
pub fn pipe() -> Result<(Fd, Fd), Errno> {
    let mut fds = [0; 2];
    // SAFETY: the kernel writes two descriptors, for which there is room.
    unsafe { call(number::PIPE2, [fds.as_mut_ptr() as usize, O_CLOEXEC, 0, 0, 0, 0]) }?;
    Ok((fds[0], fds[1]))
}

/// Has reads from a pipe never wait.
pub fn never_wait(fd: Fd) -> Result<(), Errno> {
    const F_SETFL: usize = 4;
    // SAFETY: no memory is involved.
    unsafe { call(number::FCNTL, [fd as usize, F_SETFL, O_NONBLOCK, 0, 0, 0]) }.map(drop)
}

/// Returns whether a descriptor is one.
pub fn is_open(fd: Fd) -> bool {
    const F_GETFD: usize = 1;
    // SAFETY: no memory is involved.
    unsafe { call(number::FCNTL, [fd as usize, F_GETFD, 0, 0, 0, 0]) }.is_ok()
}

/// Has programs that are started see a descriptor.
pub fn stay_open(fd: Fd) -> Result<(), Errno> {
    const F_SETFD: usize = 2;
    // SAFETY: no memory is involved.
    unsafe { call(number::FCNTL, [fd as usize, F_SETFD, 0, 0, 0, 0]) }.map(drop)
}

/// Returns whether a descriptor is a terminal.
pub fn is_terminal(fd: Fd) -> bool {
    const TCGETS: usize = 0x5401;
    let mut settings = [0_u64; 8];
    // SAFETY: the kernel writes a `struct termios` of 36 bytes, for which there is room.
    unsafe { call(number::IOCTL, [fd as usize, TCGETS, settings.as_mut_ptr() as usize, 0, 0, 0]) }.is_ok()
}

/// Makes `to` the same as `from`; programs that are started see it.
pub fn duplicate(from: Fd, to: Fd) -> Result<(), Errno> {
    // SAFETY: no memory is involved.
    unsafe { call(number::DUP3, [from as usize, to as usize, 0, 0, 0, 0]) }.map(drop)
}

/// What is waited for, and what came: `struct pollfd`.
#[repr(C)]
pub struct Poll {
    fd: Fd,
    events: i16,
    came: i16,
}

impl Poll {
    /// Waits for `events` of `fd`.
    pub fn new(fd: Fd, events: i16) -> Self {
        Self { fd, events, came: 0 }
    }

    /// Returns whether something came, an error or an end included.
    pub fn is_ready(&self) -> bool {
        self.came != 0
    }
}

/// Waits for any of `polls`.
pub fn poll(polls: &mut [Poll]) -> Result<(), Errno> {
    // SAFETY: the kernel reads and writes the slice; no time and no signal mask are given.
    unsafe { call(number::PPOLL, [polls.as_mut_ptr() as usize, polls.len(), 0, 0, 0, 0]) }.map(drop)
}

/// Waits for any of `polls`, at most for so many milliseconds.
pub fn poll_for(polls: &mut [Poll], ms: usize) -> Result<(), Errno> {
    // `struct timespec`: seconds and nanoseconds.
    let time = [ms / 1000, ms % 1000 * 1_000_000];
    // SAFETY: the kernel reads and writes the slice, and reads the time; no signal mask is given.
    unsafe { call(number::PPOLL, [polls.as_mut_ptr() as usize, polls.len(), (&raw const time) as usize, 0, 0, 0]) }
        .map(drop)
}

/// A set of signals, a bit each.
pub type SignalSet = u64;

/// Sets the signals that wait until they are read, and returns those that waited before.
pub fn block_signals(blocked: SignalSet) -> Result<SignalSet, Errno> {
    const SIG_SETMASK: usize = 2;
    let mut before: SignalSet = 0;
    let (new, old) = (&raw const blocked as usize, &raw mut before as usize);
    // SAFETY: the kernel reads the one set and writes the other, of eight bytes each.
    unsafe { call(number::RT_SIGPROCMASK, [SIG_SETMASK, new, old, size_of::<SignalSet>(), 0, 0]) }?;
    Ok(before)
}

/// Returns a descriptor from which blocked signals are read, by [`read_signal`].
pub fn signal_fd(signals: SignalSet) -> Result<Fd, Errno> {
    let (none, set) = (-1_isize as usize, &raw const signals as usize);
    let flags = O_CLOEXEC | O_NONBLOCK;
    // SAFETY: the kernel reads a set of eight bytes.
    unsafe { call(number::SIGNALFD4, [none, set, size_of::<SignalSet>(), flags, 0, 0]) }.map(|fd| fd as Fd)
}

/// Reads one signal.
pub fn read_signal(fd: Fd) -> Result<i32, Errno> {
    // `struct signalfd_siginfo`, which begins with the number.
    let mut information = [0_u8; 128];
    read(fd, &mut information)?;
    let [a, b, c, d, ..] = information;
    Ok(i32::from_ne_bytes([a, b, c, d]))
}

/// Sends a signal to a process, or with `-pid` to a group.
pub fn kill(pid: Pid, signal: i32) -> Result<(), Errno> {
    // SAFETY: no memory is involved.
    unsafe { call(number::KILL, [pid as usize, signal as usize, 0, 0, 0, 0]) }.map(drop)
}

/// Makes the calling process the leader of a group of its own.
pub fn lead_group() -> Result<(), Errno> {
    // SAFETY: no memory is involved.
    unsafe { call(number::SETPGID, [0; 6]) }.map(drop)
}

/// Makes a copy of this process: nothing in the copy, its id here.
pub fn fork() -> Result<Option<Pid>, Errno> {
    // SAFETY: memory is copied, not shared, there is one thread, and no stack is given: a plain fork.
    let pid = unsafe { call(number::CLONE, [SIGCHLD as usize, 0, 0, 0, 0, 0]) }?;
    Ok((pid != 0).then_some(pid as Pid))
}

/// Takes the end of a child, if one has ended: its exit code as shells have it.
pub fn ended_child() -> Option<(Pid, i32)> {
    const WNOHANG: usize = 1;
    let mut status = 0_i32;
    let (any, status_at) = (-1_isize as usize, &raw mut status as usize);
    // SAFETY: the kernel writes a number, for which there is room.
    let pid = unsafe { call(number::WAIT4, [any, status_at, WNOHANG, 0, 0, 0]) }.ok().filter(|pid| *pid != 0)?;
    let signal = status & 0x7f;
    let code = if signal == 0 { (status >> 8) & 0xff } else { 128 + signal };
    Some((pid as Pid, code))
}

/// Becomes another program; returns only why not.
///
/// # Safety
/// `arguments` and `environment` must be arrays of C strings that end with a null pointer.
pub unsafe fn execute(path: &CStr, arguments: *const *const c_char, environment: *const *const c_char) -> Errno {
    let given = [path.as_ptr() as usize, arguments as usize, environment as usize, 0, 0, 0];
    // SAFETY: the path ends with a zero, the caller answers for the arrays, and the kernel only reads.
    unsafe { call(number::EXECVE, given) }.err().unwrap_or(ENOENT)
}

/// Ends this process.
pub fn exit(code: i32) -> ! {
    loop {
        // SAFETY: no memory is involved, and the call does not return.
        let _ = unsafe { call(number::EXIT_GROUP, [code as usize, 0, 0, 0, 0, 0]) };
    }
}

/// Returns so many bytes of zeros. They take memory only where they are written to.
pub fn memory<'a>(bytes: usize) -> Result<&'a mut [u8], Errno> {
    const READ_WRITE: usize = 3;
    const PRIVATE_ANONYMOUS: usize = 0x22;
    let no_file = -1_isize as usize;
    // SAFETY: new memory is asked for, wherever the kernel has it.
    let begin = unsafe { call(number::MMAP, [0, bytes, READ_WRITE, PRIVATE_ANONYMOUS, no_file, 0]) }?;
    // SAFETY: the memory is ours alone, readable, writable, zeroed, and never given back: it lives for as long
    // as anyone likes.
    Ok(unsafe { core::slice::from_raw_parts_mut(begin as *mut u8, bytes) })
}
