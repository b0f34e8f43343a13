//! `wf resume`.

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::going_on::GoingOn;
use crate::cli::complete;
use crate::cli::error::Error;
use crate::cli::runs;
use crate::cli::session::Session;
use crate::engine::Control;

/// Make suspended runs, or suspended nodes of them, go on
///
/// Where no other process drives the run, this one does, to its end.
#[derive(Debug, Args)]
pub struct Resume {
    /// The runs; `@latest` is the newest
    #[arg(value_name = "RUN", required = true, add = ArgValueCandidates::new(complete::runs))]
    pub runs: Vec<String>,

    /// Only suspended nodes that match, such as displayName=approve
    #[arg(long, value_name = "SELECTOR", default_value = "")]
    pub node_field_selector: String,

    /// Words to keep with the nodes
    #[arg(long, short = 'm', value_name = "TEXT", default_value = "")]
    pub message: String,

    /// How to go on.
    #[command(flatten)]
    pub going_on: GoingOn,
}

impl Resume {
    /// Resumes the runs.
    pub async fn run(&self, session: &Session) -> Result<(), Error> {
        let control = Control::Resume { selector: self.node_field_selector.clone(), message: self.message.clone() };
        let mut resumed = Vec::new();
        for name in runs::names(session, &self.runs).await? {
            let is_driven = runs::ask(session, &name, &control).await?;
            session.ui.status(&format!("run `{name}` resumed"));
            resumed.push((name, is_driven));
        }
        self.going_on.go_on(session, &resumed).await
    }
}
