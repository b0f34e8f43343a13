//! `wf stop`.

use clap::Args;
use clap_complete::ArgValueCandidates;

use crate::cli::complete;
use crate::cli::drive::{self, How};
use crate::cli::error::{Error, Kind};
use crate::cli::runs;
use crate::cli::session::Session;
use crate::engine::Control;

/// End runs, and let their exit handlers run
///
/// With a selector, only fail the suspended nodes that match.
#[derive(Debug, Args)]
pub struct Stop {
    /// The runs; `@latest` is the newest
    #[arg(value_name = "RUN", required = true, add = ArgValueCandidates::new(complete::runs))]
    pub runs: Vec<String>,

    /// Words to keep with the run
    #[arg(long, short = 'm', value_name = "TEXT", default_value = "")]
    pub message: String,

    /// Only suspended nodes that match, such as displayName=approve
    #[arg(long, value_name = "SELECTOR", default_value = "")]
    pub node_field_selector: String,

    /// Only say which runs would be stopped
    #[arg(long)]
    pub dry_run: bool,
}

impl Stop {
    /// Stops the runs.
    pub async fn run(&self, session: &Session) -> Result<(), Error> {
        let control = Control::Stop { selector: self.node_field_selector.clone(), message: self.message.clone() };
        end_runs(session, &self.runs, &control, self.dry_run, "stopped").await
    }
}

/// Asks runs to end. Where no other process drives one, this one does, so that it ends now.
pub async fn end_runs(
    session: &Session,
    texts: &[String],
    control: &Control,
    dry_run: bool,
    done: &str,
) -> Result<(), Error> {
    for name in runs::names(session, texts).await? {
        if dry_run {
            session.ui.status(&format!("run `{name}` would be {done}"));
            continue;
        }
        let is_driven = runs::ask(session, &name, control).await?;
        session.ui.status(&format!("run `{name}` {done}"));
        if !is_driven {
            let how = How { leaves_when_suspended: true, is_silent_at_end: true, ..How::default() };
            let ended = drive::attach(session, &name, &how).await;
            // That the run failed is what was asked for.
            ended.or_else(
                |error| if matches!(error.kind, Kind::Failed | Kind::Suspended) { Ok(()) } else { Err(error) },
            )?;
        }
    }
    Ok(())
}
