//! `wf suspend`.

use clap::Args;
use clap_complete::ArgValueCandidates;

use crate::cli::complete;
use crate::cli::error::Error;
use crate::cli::runs;
use crate::cli::session::Session;
use crate::engine::Control;

/// Start nothing new in runs until they are resumed
#[derive(Debug, Args)]
pub struct Suspend {
    /// The runs; `@latest` is the newest
    #[arg(value_name = "RUN", required = true, add = ArgValueCandidates::new(complete::runs))]
    pub runs: Vec<String>,
}

impl Suspend {
    /// Suspends the runs.
    pub async fn run(&self, session: &Session) -> Result<(), Error> {
        for name in runs::names(session, &self.runs).await? {
            runs::ask(session, &name, &Control::Suspend).await?;
            session.ui.status(&format!("run `{name}` suspended; steps that run go on. Go on with: wf resume {name}"));
        }
        Ok(())
    }
}
