//! `wf delete`.

use clap::Args;
use clap_complete::ArgValueCandidates;

use crate::base::{RunName, TimeSpan};
use crate::cli::complete;
use crate::cli::env;
use crate::cli::error::{Error, Kind};
use crate::cli::prompt;
use crate::cli::runs;
use crate::cli::session::Session;
use crate::store::{Store, Summary};

/// Delete runs with their logs and artifacts
#[derive(Debug, Args)]
pub struct Delete {
    /// The runs; `@latest` is the newest
    #[arg(value_name = "RUN", required_unless_present_any = ["all", "completed", "older", "prefix", "status"], add = ArgValueCandidates::new(complete::runs))]
    pub runs: Vec<String>,

    /// All runs
    #[arg(long)]
    pub all: bool,

    /// All runs that have ended
    #[arg(long)]
    pub completed: bool,

    /// All runs that ended longer ago than this, such as 24h
    #[arg(long, value_name = "DURATION", value_parser = TimeSpan::parse)]
    pub older: Option<TimeSpan>,

    /// All runs whose names begin so
    #[arg(long, value_name = "PREFIX")]
    pub prefix: Option<String>,

    /// All runs in these phases, separated by commas
    #[arg(long, value_name = "PHASE", value_delimiter = ',', add = ArgValueCandidates::new(complete::phases))]
    pub status: Vec<String>,

    /// Only say which runs would be deleted
    #[arg(long)]
    pub dry_run: bool,

    /// Do not ask
    #[arg(long, short = 'y')]
    pub yes: bool,
}

impl Delete {
    /// Deletes the runs.
    pub async fn run(&self, session: &Session) -> Result<(), Error> {
        let mut names = runs::names(session, &self.runs).await?;
        if self.selects() {
            names.extend(self.selected(session).await?);
        }
        names.dedup();
        if self.all && !self.yes && !self.dry_run && !names.is_empty() {
            prompt::confirm(session, &format!("delete all {} runs", names.len()), "--yes")?;
        }
        for name in names {
            if self.dry_run {
                session.ui.status(&format!("run `{name}` would be deleted"));
            } else {
                session.store().await?.delete(&name).await?;
                session.ui.status(&format!("run `{name}` deleted"));
            }
        }
        Ok(())
    }

    fn selects(&self) -> bool {
        self.all || self.completed || self.older.is_some() || self.prefix.is_some() || !self.status.is_empty()
    }

    async fn selected(&self, session: &Session) -> Result<Vec<RunName>, Error> {
        let now = env::now();
        let is_selected = |summary: &Summary| {
            let phase = runs::phase(&summary.phase);
            let ended_since = summary.finished_at.map(|at| now.since(at));
            (!self.completed || phase.is_final())
                && self.older.is_none_or(|older| ended_since.is_some_and(|ended| ended > older))
                && self.prefix.as_ref().is_none_or(|prefix| summary.name.as_str().starts_with(prefix))
                && (self.status.is_empty()
                    || self.status.iter().any(|wanted| wanted.eq_ignore_ascii_case(&summary.phase)))
        };
        let listed = session.store().await?.list().await?;
        let selected: Vec<RunName> =
            listed.iter().filter(|summary| is_selected(summary)).map(|summary| summary.name.clone()).collect();
        if selected.is_empty() && self.runs.is_empty() {
            return Err(Error::new(Kind::NotFound, "no run is selected").hint("wf list"));
        }
        Ok(selected)
    }
}
