//! `wf retry`.

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::going_on::GoingOn;
use crate::base::RunName;
use crate::cli::complete;
use crate::cli::error::{Error, Kind};
use crate::cli::foretold;
use crate::cli::parameters::{self, Pair};
use crate::cli::runs;
use crate::cli::session::Session;
use crate::engine::{Control, Forecast, forecast};
use crate::view::Format;

/// Run again what failed in runs, in the same runs
///
/// What succeeded is kept, unless it depends on a parameter that is changed. Where no other process drives
/// the run, this one does, to its end.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  wf retry --dry-run @latest\n  wf retry @latest -p size=large\n  wf retry @latest --node-field-selector displayName=test\n  wf retry @latest --from-node build"
)]
pub struct Retry {
    /// The runs; `@latest` is the newest
    #[arg(value_name = "RUN", required = true, add = ArgValueCandidates::new(complete::runs))]
    pub runs: Vec<String>,

    /// Also run again nodes that succeeded, where the selector matches them
    #[arg(long, requires = "node_field_selector")]
    pub restart_successful: bool,

    /// Which of the nodes that failed, such as templateName=build; with --restart-successful, which nodes besides
    #[arg(long, value_name = "SELECTOR", default_value = "", hide_default_value = true)]
    pub node_field_selector: String,

    /// Run this node again, and all that comes after it, whatever became of it
    #[arg(long, value_name = "NODE", default_value = "", hide_default_value = true)]
    pub from_node: String,

    /// Change an argument of the run
    #[arg(long = "parameter", short = 'p', value_name = "NAME=VALUE")]
    pub parameters: Vec<Pair>,

    /// Print what would run, be reused or be skipped, and why
    #[arg(long, conflicts_with_all = ["wait", "watch", "log", "no_wait"])]
    pub dry_run: bool,

    /// How to print --dry-run: name, json, yaml, jsonpath=…, custom-columns=…
    #[arg(long, short = 'o', value_name = "FORMAT", requires = "dry_run", add = ArgValueCandidates::new(complete::formats))]
    pub output: Option<Format>,

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
            from: self.from_node.clone(),
            parameters: parameters.into_iter().map(|(name, value)| (name, value.into())).collect(),
        };
        let names = runs::names(session, &self.runs).await?;
        if self.dry_run {
            let mut forecasts = Vec::new();
            for name in names {
                forecasts.push((name.to_string(), forecast_of(session, &name, &control).await?));
            }
            return foretold::print(session, &forecasts, self.output.as_ref());
        }
        let mut retried = Vec::new();
        for name in names {
            let is_driven = runs::ask(session, &name, &control).await?;
            session.ui.status(&format!("run `{name}` goes on with what failed"));
            retried.push((name, is_driven));
        }
        self.going_on.go_on(session, &retried).await
    }
}

async fn forecast_of(session: &Session, name: &RunName, control: &Control) -> Result<Vec<Forecast>, Error> {
    let loaded = runs::load(session, name).await?;
    forecast::retry(&loaded.run, control)
        .map_err(|fault| Error::new(Kind::Usage, format!("run `{name}`: {fault}")).hint(format!("wf get {name}")))
}
