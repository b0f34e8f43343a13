//! `wf retry`.

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::going_on::GoingOn;
use crate::cli::complete;
use crate::cli::error::Error;
use crate::cli::parameters::{self, Pair};
use crate::cli::runs;
use crate::cli::session::Session;
use crate::engine::Control;

/// Run again what failed in runs, in the same runs
///
/// What succeeded is kept. Where no other process drives the run, this one does, to its end.
#[derive(Debug, Args)]
pub struct Retry {
    /// The runs; `@latest` is the newest
    #[arg(value_name = "RUN", required = true, add = ArgValueCandidates::new(complete::runs))]
    pub runs: Vec<String>,

    /// Also run again nodes that succeeded, where the selector matches them
    #[arg(long, requires = "node_field_selector")]
    pub restart_successful: bool,

    /// Which nodes that succeeded, such as templateName=build
    #[arg(long, value_name = "SELECTOR", default_value = "")]
    pub node_field_selector: String,

    /// Change an argument of the run
    #[arg(long = "parameter", short = 'p', value_name = "NAME=VALUE")]
    pub parameters: Vec<Pair>,

    /// How to go on.
    #[command(flatten)]
    pub going_on: GoingOn,
}

impl Retry {
    /// Retries the runs.
    pub async fn run(&self, session: &Session) -> Result<(), Error> {
        let parameters = parameters::gather(&[], &self.parameters)?;
        let control = Control::Retry {
            restart_successful: self.restart_successful,
            selector: self.node_field_selector.clone(),
            parameters: parameters.into_iter().map(|(name, value)| (name, value.into())).collect(),
        };
        let mut retried = Vec::new();
        for name in runs::names(session, &self.runs).await? {
            let is_driven = runs::ask(session, &name, &control).await?;
            session.ui.status(&format!("run `{name}` goes on with what failed"));
            retried.push((name, is_driven));
        }
        self.going_on.go_on(session, &retried).await
    }
}
