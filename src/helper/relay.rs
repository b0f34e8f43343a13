//! The life of the command: its output goes through, signals reach it, its end is seen.
//!
//! One `poll` waits for all. Signals are blocked and read from a descriptor, so no handler ever runs;
//! this matters for the first process of a container too, which gets no signal that it does not take.

use crate::child::Child;
use crate::sys::{self, Errno, Fd, POLLIN, POLLOUT, Poll};
use crate::tail::Tail;
use crate::wire::DRAIN_BYTES_MAX;

/// What a pipe that can be written to takes without waiting.
const WRITE_BYTES: usize = 4096;

/// How long is waited at once with no command.
const PAUSE_MS_MAX: usize = 1000;

/// The command's standard output, on its way through.
pub struct Output<'a> {
    reader: Option<Fd>,
    buffer: &'a mut [u8],
    begin: usize,
    end: usize,
    /// The end of what went through.
    pub tail: Tail<'a>,
}

impl<'a> Output<'a> {
    /// Begins to take what comes out of `reader`, which never waits.
    pub fn new(reader: Fd, buffer: &'a mut [u8], tail: Tail<'a>) -> Self {
        Self { reader: Some(reader), buffer, begin: 0, end: 0, tail }
    }

    /// Returns what to wait for next.
    fn poll(&self) -> Option<Poll> {
        let reader = self.reader?;
        Some(if self.begin == self.end { Poll::new(reader, POLLIN) } else { Poll::new(1, POLLOUT) })
    }

    /// Does what can be done without waiting. When nobody reads our standard output, the command is
    /// to learn it as it would without us.
    fn go_on(&mut self) {
        let done = if self.begin == self.end { self.take() } else { self.give() };
        match done {
            Ok(0) => self.close(),
            Ok(_) | Err(sys::EAGAIN | sys::EINTR) => {}
            Err(_) => self.close(),
        }
    }

    fn take(&mut self) -> Result<usize, Errno> {
        let Some(reader) = self.reader else { return Ok(0) };
        let count = sys::read(reader, self.buffer)?;
        self.tail.push(&self.buffer[..count]);
        (self.begin, self.end) = (0, count);
        Ok(count)
    }

    fn give(&mut self) -> Result<usize, Errno> {
        let end = self.end.min(self.begin + WRITE_BYTES);
        let count = sys::write(1, &self.buffer[self.begin..end])?;
        self.begin += count;
        Ok(count)
    }

    fn close(&mut self) {
        if let Some(reader) = self.reader.take() {
            sys::close(reader);
        }
        (self.begin, self.end) = (0, 0);
    }

    /// Takes what is left after the command's end. What others still write is not waited for.
    fn drain(&mut self) {
        let mut left = DRAIN_BYTES_MAX;
        while self.reader.is_some() && left > 0 {
            while self.begin < self.end {
                let _ = self.poll().map(|poll| sys::poll(&mut [poll]));
                self.go_on();
            }
            match self.take() {
                Ok(count) if count > 0 => left = left.saturating_sub(count),
                Err(sys::EINTR) => {}
                _ => return,
            }
        }
    }
}

/// A command that lives.
pub struct Life<'a> {
    /// The command.
    pub child: Child,
    /// Where our signals are read.
    pub signals: Fd,
    /// Its standard output, when it goes through us.
    pub output: Option<Output<'a>>,
    /// Its exit code, once it ended.
    code: Option<i32>,
    /// Whether we were asked to end.
    pub is_asked_to_end: bool,
}

impl<'a> Life<'a> {
    /// Begins with a command that was just started.
    pub fn new(child: Child, signals: Fd, output: Option<Output<'a>>) -> Self {
        Self { child, signals, output, code: None, is_asked_to_end: false }
    }

    /// Goes on with another command, whose output follows that of the one before.
    pub fn again(&mut self, child: Child) {
        (self.child, self.code) = (child, None);
    }

    /// Waits for the command's end, and returns its exit code. Nothing of its group is left then.
    pub fn run(&mut self) -> i32 {
        loop {
            if let Some(code) = self.code {
                self.child.kill_group();
                if let Some(output) = &mut self.output {
                    output.drain();
                }
                return code;
            }
            self.turn();
        }
    }

    /// Waits for the command's end and for being asked to end; returns the command's exit code. What
    /// it left running may go on until then.
    pub fn stay(&mut self) -> i32 {
        loop {
            match self.code {
                Some(code) if self.is_asked_to_end => return code,
                _ => self.turn(),
            }
        }
    }

    fn turn(&mut self) {
        let signals = Poll::new(self.signals, POLLIN);
        let mut polls = [signals, Poll::new(-1, 0)];
        if let Some(poll) = self.output.as_ref().and_then(Output::poll) {
            polls[1] = poll;
        }
        if sys::poll(&mut polls).is_err() {
            return;
        }
        if let Some(output) = self.output.as_mut().filter(|_| polls[1].is_ready()) {
            output.go_on();
        }
        if polls[0].is_ready() {
            self.take_signal();
        }
    }

    fn take_signal(&mut self) {
        match sys::read_signal(self.signals) {
            Ok(sys::SIGCHLD) => self.reap(),
            // Our own doing: writing where nobody reads, or to a terminal.
            Ok(sys::SIGPIPE | sys::SIGTTIN | sys::SIGTTOU) | Err(_) => {}
            Ok(signal) => {
                self.is_asked_to_end |= asks_to_end(signal);
                self.child.signal(signal);
            }
        }
    }

    /// Takes the ends of all that ended: orphans of a container become its first process's children.
    fn reap(&mut self) {
        while let Some((pid, code)) = sys::ended_child() {
            if pid == self.child.pid {
                self.code = Some(code);
            }
        }
    }
}

/// Waits to be asked to end, with no command.
pub fn wait_for_end(signals: Fd) {
    while pause(signals, PAUSE_MS_MAX).is_none() {}
}

/// Lets so many milliseconds pass, with no command. Returns the signal that cut it short by asking us to end.
pub fn pause(signals: Fd, ms: usize) -> Option<i32> {
    let mut left = ms;
    while left > 0 {
        // A signal that asks for nothing ends a part of the time, which is not measured.
        let part = left.min(PAUSE_MS_MAX);
        let _ = sys::poll_for(&mut [Poll::new(signals, POLLIN)], part);
        if let Some(signal) = sys::read_signal(signals).ok().filter(|signal| asks_to_end(*signal)) {
            return Some(signal);
        }
        while sys::ended_child().is_some() {}
        left -= part;
    }
    None
}

fn asks_to_end(signal: i32) -> bool {
    const SIGHUP: i32 = 1;
    const SIGINT: i32 = 2;
    const SIGQUIT: i32 = 3;
    matches!(signal, SIGHUP | SIGINT | SIGQUIT | sys::SIGTERM)
}
