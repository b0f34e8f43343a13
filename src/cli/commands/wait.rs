//! `wf wait`.

use clap::Args;
use clap_complete::ArgValueCandidates;

use crate::base::TimeSpan;
use crate::cli::complete;
use crate::cli::drive::{self, How};
use crate::cli::error::{Error, Kind};
use crate::cli::runs;
use crate::cli::session::Session;

/// Wait until runs have ended, and go on with them where nobody else does
///
/// Exits 1 when one of them failed.
#[derive(Debug, Args)]
pub struct Wait {
    /// The runs; `@latest` is the newest
    #[arg(value_name = "RUN", required = true, add = ArgValueCandidates::new(complete::runs))]
    pub runs: Vec<String>,

    /// A run that does not exist is no error
    #[arg(long)]
    pub ignore_not_found: bool,

    /// Exit 6 when a run has not ended in time
    #[arg(long, value_name = "DURATION", value_parser = TimeSpan::parse)]
    pub timeout: Option<TimeSpan>,

    /// Exit 7 when only a person can make a run go on
    #[arg(long)]
    pub no_wait_suspend: bool,
}

impl Wait {
    /// Waits for the runs, all at once.
    pub async fn run(&self, session: &Session) -> Result<(), Error> {
        let waits = self.runs.iter().map(|run| self.wait(session, run));
        let ends = futures_util::future::join_all(waits).await;
        ends.into_iter().find(Result::is_err).unwrap_or(Ok(()))
    }

    async fn wait(&self, session: &Session, run: &str) -> Result<(), Error> {
        let how = How { timeout: self.timeout, leaves_when_suspended: self.no_wait_suspend, ..How::default() };
        let waited = match runs::name(session, run).await {
            Ok(name) => drive::attach(session, &name, &how).await,
            Err(error) => Err(error),
        };
        match waited {
            Err(error) if error.kind == Kind::NotFound && self.ignore_not_found => Ok(()),
            waited => waited,
        }
    }
}
