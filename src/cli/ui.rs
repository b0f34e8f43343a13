//! The only place of the program that prints. Data goes to standard output, all else to
//! standard error; a reader that has gone away is no error.

use std::io::Write;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

use super::env::Env;
use super::error::{Error, Kind};
use crate::view::Look;

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Only data and errors.
    Quiet,
    /// As usual.
    Normal,
    /// Also what is done, and where.
    Verbose,
}

/// Where output goes, and how it may look there.
#[derive(Debug, Clone)]
pub struct Ui {
    verbosity: Verbosity,
    out: Look,
    err: Look,
    /// Whether a footer may be drawn on standard error.
    pub is_live: bool,
    /// Rows of the terminal.
    pub rows: usize,
}

impl Ui {
    /// Returns the place that the surroundings and the flags allow.
    pub fn new(env: &Env, colour: ColorChoice, utf8: bool, verbosity: Verbosity) -> Self {
        let choose = |auto: ColorChoice| if colour == ColorChoice::Auto { auto } else { colour };
        let look = |choice: ColorChoice| Look {
            utf8: utf8 && env.utf8,
            colour: choice != ColorChoice::Never,
            width: env.columns,
        };
        Self {
            verbosity,
            out: look(choose(AutoStream::choice(&std::io::stdout()))),
            err: look(choose(AutoStream::choice(&std::io::stderr()))),
            is_live: env.stderr_is_terminal && verbosity > Verbosity::Quiet,
            rows: env.rows,
        }
    }

    /// Returns how standard output may look.
    pub fn out(&self) -> Look {
        self.out
    }

    /// Returns how standard error may look.
    pub fn err(&self) -> Look {
        self.err
    }

    /// Writes data, as it is, to standard output.
    pub fn data(&self, text: &str) -> Result<(), Error> {
        self.data_bytes(text.as_bytes())
    }

    /// Writes data that need not be text.
    pub fn data_bytes(&self, bytes: &[u8]) -> Result<(), Error> {
        let mut out = std::io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(Error::told(Kind::ReaderGone)),
            Err(error) => Err(Error::io("write to standard output", &error)),
        }
    }

    /// Says what was done, or what goes on.
    pub fn status(&self, text: &str) {
        if self.verbosity > Verbosity::Quiet {
            self.say(text);
        }
    }

    /// Says what only somebody who looks for a cause wants to know.
    pub fn detail(&self, text: &str) {
        if self.verbosity == Verbosity::Verbose {
            self.say(&self.err.dim(text));
        }
    }

    /// Says what is suspicious.
    pub fn warning(&self, text: &str) {
        let word = self.err.paint(AnsiColor::Yellow.on_default().bold(), "warning");
        self.status(&format!("{word}: {text}"));
    }

    /// Says what can be typed next.
    pub fn hint(&self, text: &str) {
        let word = self.err.paint(AnsiColor::Cyan.on_default(), "hint");
        self.status(&format!("{word}: {text}"));
    }

    /// Says what went wrong, and what to do.
    pub fn error(&self, error: &Error) {
        if !error.message.is_empty() {
            let word = self.err.paint(Style::new().bold().fg_color(Some(AnsiColor::Red.into())), "error");
            self.say(&format!("{word}: {}", error.message));
        }
        error.hints.iter().for_each(|hint| self.hint(hint));
    }

    /// Writes a line to standard error. If nobody reads it, there is nobody to tell.
    fn say(&self, text: &str) {
        let mut err = std::io::stderr().lock();
        let _ = writeln!(err, "{}", text.trim_end_matches('\n'));
    }
}
