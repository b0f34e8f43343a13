//! What the helper is asked to do, from its arguments.
//!
//! ```text
//! helper run [--result] [--output PATH]… [--room BYTES] [--message PATH]
//!            [--mark PATH] [--after PATH]… [--until PATH]… [--tries COUNT] [--pause MILLISECONDS]
//!            -- COMMAND [ARGUMENT]…
//! helper stay [--message PATH] -- COMMAND [ARGUMENT]…
//! ```
//!
//! What a container of a set is told of the others, `--mark`, `--after` and `--until`, is in `turn.rs`.

use core::ffi::{CStr, c_char};

/// Where a container's last words go when nobody says; a kubelet's default.
const MESSAGE_PATH: &CStr = c"/dev/termination-log";

/// What fits into a termination message when nobody says: a pod's 12,288 bytes among twelve containers.
const ROOM: usize = 1024;

/// What to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Run the command, report, and end with it.
    Run,
    /// Run the command, and stay when it ended until asked to end.
    Stay,
}

/// The helper's arguments, understood.
#[derive(Clone, Copy)]
pub struct Arguments {
    /// What to do.
    pub mode: Mode,
    /// Whether the end of standard output is reported.
    pub result: bool,
    /// Where the report goes.
    pub message: &'static CStr,
    /// Bytes that a report may have there.
    pub room: usize,
    /// Where others see how the command came out.
    pub mark: Option<&'static CStr>,
    /// How often the command is run at most, until it succeeds.
    pub tries: usize,
    /// Milliseconds between two tries.
    pub pause_ms: usize,
    /// What stands before `--`.
    options: Words,
    /// The command with its arguments.
    pub command: Words,
}

impl Arguments {
    /// Understands arguments; nothing when they are none.
    pub fn parse(words: Words) -> Option<Self> {
        let end = words.iter().position(|word| word == c"--")?;
        let (options, command) = (words.part(1, end), words.part(end + 1, words.count));
        let mode = match words.get(1)?.to_bytes() {
            b"run" => Mode::Run,
            b"stay" => Mode::Stay,
            _ => return None,
        };
        let (message, room, mark) = (MESSAGE_PATH, ROOM, None);
        let mut parsed = Self { mode, result: false, message, room, mark, tries: 1, pause_ms: 0, options, command };
        let mut at = 1;
        while let Some(option) = options.get(at) {
            at += 1;
            if option == c"--result" {
                parsed.result = true;
                continue;
            }
            let value = options.get(at)?;
            at += 1;
            match option.to_bytes() {
                b"--output" | b"--after" | b"--until" => {}
                b"--message" => parsed.message = value,
                b"--mark" => parsed.mark = Some(value),
                b"--room" => parsed.room = number(value)?,
                b"--tries" => parsed.tries = number(value)?,
                b"--pause" => parsed.pause_ms = number(value)?,
                _ => return None,
            }
        }
        Some(parsed)
    }

    /// Returns the files that are reported.
    pub fn outputs(&self) -> impl Iterator<Item = &'static CStr> {
        self.all(c"--output")
    }

    /// Returns the marks of the containers that must have succeeded before the command is run.
    pub fn after(&self) -> impl Iterator<Item = &'static CStr> {
        self.all(c"--after")
    }

    /// Returns the marks of the containers that must have ended, however, before outputs are read.
    pub fn until(&self) -> impl Iterator<Item = &'static CStr> {
        self.all(c"--until")
    }

    fn all(&self, name: &'static CStr) -> impl Iterator<Item = &'static CStr> {
        let mut at = 1;
        let options = self.options;
        core::iter::from_fn(move || {
            while let Some(option) = options.get(at) {
                at += if option == c"--result" { 1 } else { 2 };
                if option == name {
                    return options.get(at - 1);
                }
            }
            None
        })
    }
}

fn number(text: &CStr) -> Option<usize> {
    text.to_str().ok()?.parse().ok()
}

/// Some of the words that this process was started with.
#[derive(Clone, Copy)]
pub struct Words {
    first: *const *const c_char,
    count: usize,
}

impl Words {
    /// Takes the words of a process.
    ///
    /// # Safety
    /// `first` must be an array of so many C strings, and a null pointer behind them, that nobody
    /// changes as long as the process lives.
    pub unsafe fn new(first: *const *const c_char, count: usize) -> Self {
        Self { first, count }
    }

    /// Returns the word at a place.
    pub fn get(self, at: usize) -> Option<&'static CStr> {
        // SAFETY: there are so many C strings, as `new` was told.
        (at < self.count).then(|| unsafe { CStr::from_ptr(*self.first.add(at)) })
    }

    /// Returns the words, one by one.
    pub fn iter(self) -> impl Iterator<Item = &'static CStr> {
        (0..self.count).filter_map(move |at| self.get(at))
    }

    /// Returns the array; a null pointer stands behind the last word of the process, not of a part.
    pub fn as_ptr(self) -> *const *const c_char {
        self.first
    }

    fn part(self, from: usize, to: usize) -> Self {
        let from = from.min(self.count);
        // SAFETY: the part begins within the array, or at its end.
        Self { first: unsafe { self.first.add(from) }, count: to.min(self.count) - from }
    }
}
