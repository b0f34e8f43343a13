//! `wf controller`.

use std::sync::Arc;

use clap::Args;
use clap_complete::ArgValueCandidates;

use crate::backend::kubernetes::{Behalf, Options};
use crate::base::limits::CONTROLLER_RUNS_MAX;
use crate::cli::complete;
use crate::cli::error::{Error, Kind};
use crate::cli::runs;
use crate::cli::serve::{self, Controller as Serving};
use crate::cli::session::Session;

/// Drive the runs of a namespace, whoever submitted them
///
/// Of several controllers of one namespace one leads, and the others wait. SIGTERM lets all runs go;
/// their steps that run go on. `wf install --controller` has it run in the cluster.
#[derive(Debug, Args)]
pub struct Controller {
    /// Only drive this run, to its end
    #[arg(long, value_name = "RUN", conflicts_with = "runs", add = ArgValueCandidates::new(complete::runs))]
    pub run: Option<String>,

    /// Runs that are driven at one time; the others wait for their turn
    #[arg(long, value_name = "NUMBER", default_value_t = CONTROLLER_RUNS_MAX, value_parser = at_least_one)]
    pub runs: usize,

    /// The only accounts whose pods are started; repeat it for several
    #[arg(long = "account", value_name = "NAME")]
    pub accounts: Vec<String>,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("`{text}` is no number above 0"))
}

impl Controller {
    /// Drives.
    pub async fn run(&self, session: &Session) -> Result<(), Error> {
        let place = session.place().await?;
        let accounts = (!self.accounts.is_empty()).then(|| self.accounts.iter().cloned().collect());
        let options = Options { managed: session.makes_pods(), behalf: Some(Arc::new(Behalf { accounts })) };
        match &self.run {
            Some(run) if place.cluster.is_some() => {
                serve::one(session, &runs::name(session, run).await?, &options).await
            }
            Some(run) => Err(Error::new(Kind::Usage, "a controller is for a cluster").hint(format!("wf watch {run}"))),
            None => Serving::new(session, place, self.runs, options)?.run().await,
        }
    }
}
