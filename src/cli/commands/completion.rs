//! `wf completion`.

use clap::{Args, ValueEnum};

use crate::cli::complete;
use crate::cli::error::Error;
use crate::cli::session::Session;

/// Print the script that makes a shell complete commands, flags, runs and nodes
///
/// Add it to the shell's start-up, for example `source <(wf completion bash)`.
#[derive(Debug, Args)]
pub struct Completion {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// A shell that can complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// Bash
    Bash,
    /// Zsh
    Zsh,
    /// Fish
    Fish,
    /// Elvish
    Elvish,
    /// PowerShell
    Powershell,
}

impl Shell {
    /// Returns the name that `clap_complete` knows it by.
    pub fn name(self) -> &'static str {
        match self {
            Shell::Bash => "bash",
            Shell::Zsh => "zsh",
            Shell::Fish => "fish",
            Shell::Elvish => "elvish",
            Shell::Powershell => "powershell",
        }
    }
}

impl Completion {
    /// Prints it.
    pub fn run(&self, session: &Session) -> Result<(), Error> {
        session.ui.data(&complete::script(self.shell))
    }
}
