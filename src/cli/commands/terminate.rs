//! `wf terminate`.

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::stop::end_runs;
use crate::cli::complete;
use crate::cli::error::Error;
use crate::cli::session::Session;
use crate::engine::Control;

/// End runs at once; exit handlers do not run
#[derive(Debug, Args)]
pub struct Terminate {
    /// The runs; `@latest` is the newest
    #[arg(value_name = "RUN", required = true, add = ArgValueCandidates::new(complete::runs))]
    pub runs: Vec<String>,

    /// Only say which runs would be terminated
    #[arg(long)]
    pub dry_run: bool,
}

impl Terminate {
    /// Terminates the runs.
    pub async fn run(&self, session: &Session) -> Result<(), Error> {
        end_runs(session, &self.runs, &Control::Terminate, self.dry_run, "terminated").await
    }
}
