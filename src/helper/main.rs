//! The helper: a tiny static program that runs a container's command and reports its outputs. In a container of a set
//! it also waits for the container's turn.
//!
//! `arguments.rs` says how it is called, `wire.rs` what it reports. It runs in any image, as any
//! user, with a read-only root file system, without capabilities and without `/proc`: it needs the
//! termination message that kubelets mount for every container, and nothing else.
//!
//! It is a crate of its own, which `build.rs` builds and the library embeds. What it decides is pure
//! and tested from the library; what it does is tested as a process, in `tests/it/helper.rs`.
//!
//! **Invariant:** unsafe code is in `sys.rs`, `memory.rs`, the words of a process and their start.

#![no_std]
#![no_main]
#![no_builtins]
#![warn(missing_docs, unsafe_op_in_unsafe_fn, unused_qualifications)]

mod wire;
mod arguments;
mod tail;
mod writer;
mod child;
mod relay;
mod turn;
mod report;
mod sys;
mod memory;

use core::ffi::c_char;

use arguments::{Arguments, Mode, Words};
use child::{Child, Start};
use relay::{Life, Output};
use report::write_all;
use sys::{Errno, Fd, SignalSet};
use tail::{READ_BYTES, TAIL_BYTES, Tail};
use turn::Mark;

/// The exit code of a container whose command could not be started, as container runtimes have it.
const EXIT_CODE_NOT_STARTED: i32 = 128;

/// The exit code of a helper that was called wrong, or that the system gives too little.
const EXIT_CODE_UNUSABLE: i32 = 125;

// The kernel leaves the count of arguments and then the arguments themselves on the stack.
#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {begin}",
    begin = sym begin,
);

#[cfg(target_arch = "aarch64")]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "mov x29, #0",
    "mov x30, #0",
    "mov x0, sp",
    "bl {begin}",
    begin = sym begin,
);

/// Begins the program.
///
/// # Safety
/// `stack` must be as the kernel leaves it: the count of arguments, the arguments, a null pointer,
/// the environment, a null pointer.
unsafe extern "C" fn begin(stack: *const usize) -> ! {
    // SAFETY: the kernel put all of it there, and nobody changes it.
    let (words, environment) = unsafe {
        let (count, first) = (*stack, stack.add(1).cast::<*const c_char>());
        let environment = first.add(count + 1);
        let mut variables = 0;
        while !(*environment.add(variables)).is_null() {
            variables += 1;
        }
        (Words::new(first, count), Words::new(environment, variables))
    };
    let Some(arguments) = Arguments::parse(words) else {
        complain("it is called as `helper run|stay [OPTION]… -- COMMAND…`, by wf", None);
        sys::exit(EXIT_CODE_UNUSABLE);
    };
    let code = run(&arguments, environment).unwrap_or_else(|errno| {
        complain("failed to begin", Some(errno));
        EXIT_CODE_UNUSABLE
    });
    sys::exit(code)
}

/// Runs the command when it is its turn, and reports; returns the exit code.
fn run(arguments: &Arguments, environment: Words) -> Result<i32, Errno> {
    open_standard_streams();
    let blocked = sys::block_signals(SignalSet::MAX)?;
    let signals = sys::signal_fd(SignalSet::MAX)?;
    let mark = arguments.mark.map(Mark::new).transpose()?;
    if let Some(code) = turn::wait(arguments.after(), signals)? {
        return Ok(turn::ended(mark, code));
    }
    let captured = if arguments.result { Some(sys::pipe()?) } else { None };
    let stdout = captured.map(|(_, writer)| writer);
    let start = Start { command: arguments.command, environment, stdout, blocked };
    let child = match Child::start(&start) {
        Ok(child) => child,
        Err(errno) => return Ok(turn::ended(mark, not_started(arguments, signals, errno))),
    };
    let output = captured.map(|(reader, _)| capture(reader)).transpose()?;
    let mut life = Life::new(child, signals, output);
    if arguments.mode == Mode::Stay {
        return Ok(life.stay());
    }
    let code = turn::ended(mark, succeed(&mut life, arguments, &start));
    turn::wait_for_ends(arguments.until(), signals);
    if arguments.result || arguments.outputs().next().is_some() {
        tell(report::report(arguments, life.output.as_ref().map(|output| &output.tail)));
    }
    Ok(code)
}

/// Runs the command until it succeeds, as often as it may; returns the last exit code.
fn succeed(life: &mut Life<'_>, arguments: &Arguments, start: &Start) -> i32 {
    let mut code = life.run();
    for _ in 1..arguments.tries {
        if code == 0 || life.is_asked_to_end || relay::pause(life.signals, arguments.pause_ms).is_some() {
            break;
        }
        match Child::start(start) {
            Ok(child) => life.again(child),
            Err(errno) => return not_started(arguments, life.signals, errno),
        }
        code = life.run();
    }
    code
}

/// What is opened later must not take the place of a standard stream that is closed.
fn open_standard_streams() {
    for fd in 0..3 {
        if !sys::is_open(fd) {
            // It takes the lowest place that is free. Where there is no such device, it stays closed.
            let _ = sys::open(c"/dev/null", sys::Open::ReadWrite).and_then(sys::stay_open);
        }
    }
}

/// The end that is written to stays open for further tries.
fn capture(reader: Fd) -> Result<Output<'static>, Errno> {
    sys::never_wait(reader)?;
    let tail = Tail::new(sys::memory(TAIL_BYTES)?);
    Ok(Output::new(reader, sys::memory(READ_BYTES)?, tail))
}

/// Says why there is no command. A sidecar's pod goes on without it, until it is asked to end.
fn not_started(arguments: &Arguments, signals: Fd, errno: Errno) -> i32 {
    let command = arguments.command.get(0).unwrap_or_default();
    complain("failed to start the command", Some(errno));
    tell(report::report_unstarted(arguments, command, errno));
    if arguments.mode == Mode::Stay {
        relay::wait_for_end(signals);
    }
    EXIT_CODE_NOT_STARTED
}

fn tell(reported: Result<(), Errno>) {
    if let Err(errno) = reported {
        complain("failed to report the outputs", Some(errno));
    }
}

/// Writes to standard error, for people who read logs. There is nobody to tell that it failed.
fn complain(what: &str, errno: Option<Errno>) {
    let _ = write_all(2, b"wf: ").and_then(|()| write_all(2, what.as_bytes()));
    if let Some(Errno(number)) = errno {
        let number = u64::from(number.unsigned_abs());
        let _ = write_all(2, b" (os error ");
        let _ = write_all(2, writer::decimal(number, &mut [0; 20]).as_bytes());
        let _ = write_all(2, b")");
    }
    let _ = write_all(2, b"\n");
}

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    complain("the helper is broken", None);
    sys::exit(EXIT_CODE_UNUSABLE)
}
