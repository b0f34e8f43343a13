//! `wf version`.

use clap::Args;

use crate::cli::error::Error;
use crate::cli::session::Session;

/// Print the version
#[derive(Debug, Args)]
pub struct Version {}

impl Version {
    /// Prints it.
    pub fn run(&self, session: &Session) -> Result<(), Error> {
        session.ui.data(concat!("wf ", env!("CARGO_PKG_VERSION"), "\n"))
    }
}
