//! `wf watch`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::ArgValueCandidates;

use crate::base::TimeSpan;
use crate::cli::complete;
use crate::cli::drive::{self, How};
use crate::cli::error::Error;
use crate::cli::report::Show;
use crate::cli::runs;
use crate::cli::session::Session;

/// Watch a run to its end, and go on with it where nobody else does
///
/// Exits with the run's result. Ctrl-C only detaches.
#[derive(Debug, Args)]
pub struct Watch {
    /// The run; `@latest` is the newest
    #[arg(value_name = "RUN", default_value = runs::LATEST, add = ArgValueCandidates::new(complete::runs))]
    pub run: String,

    /// Write changes as NDJSON to this file; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,

    /// Exit 6 when the run has not ended in time
    #[arg(long, value_name = "DURATION", value_parser = TimeSpan::parse)]
    pub timeout: Option<TimeSpan>,

    /// Exit 7 when only a person can make the run go on
    #[arg(long)]
    pub no_wait_suspend: bool,
}

impl Watch {
    /// Watches the run.
    pub async fn run(&self, session: &Session) -> Result<(), Error> {
        let name = runs::name(session, &self.run).await?;
        let how = How {
            show: Show::Watch,
            events: self.events.clone(),
            timeout: self.timeout,
            leaves_when_suspended: self.no_wait_suspend,
            ..How::default()
        };
        drive::attach(session, &name, &how).await
    }
}
