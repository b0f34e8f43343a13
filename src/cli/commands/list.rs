//! `wf list`.

use clap::Args;
use clap_complete::ArgValueCandidates;
use serde_json::Value;

use crate::base::{RunName, TimeSpan, Timestamp};
use crate::cli::complete;
use crate::cli::env;
use crate::cli::error::Error;
use crate::cli::parameters;
use crate::cli::runs;
use crate::cli::session::Session;
use crate::store::{Store, Summary};
use crate::view::{Format, argo, list, output};

/// List runs, newest first
#[derive(Debug, Args)]
#[command(visible_alias = "ls")]
pub struct List {
    /// Only runs in these phases, separated by commas
    #[arg(long, value_name = "PHASE", value_delimiter = ',', add = ArgValueCandidates::new(complete::phases))]
    pub status: Vec<String>,

    /// Only runs that have ended
    #[arg(long, conflicts_with = "running")]
    pub completed: bool,

    /// Only runs that have not ended
    #[arg(long)]
    pub running: bool,

    /// Only runs submitted within this time, such as 10m or 24h
    #[arg(long, value_name = "DURATION", value_parser = TimeSpan::parse)]
    pub since: Option<TimeSpan>,

    /// Only runs that ended longer ago than this
    #[arg(long, value_name = "DURATION", value_parser = TimeSpan::parse)]
    pub older: Option<TimeSpan>,

    /// Only runs whose names begin so
    #[arg(long, value_name = "PREFIX")]
    pub prefix: Option<String>,

    /// Only runs with these labels: name=value,…
    #[arg(long, short = 'l', value_name = "LABELS")]
    pub selector: Vec<String>,

    /// Leave the headers out
    #[arg(long)]
    pub no_headers: bool,

    /// How to print: name, wide, json, yaml, jsonpath=…, custom-columns=…
    #[arg(long, short = 'o', value_name = "FORMAT", add = ArgValueCandidates::new(complete::formats))]
    pub output: Option<Format>,
}

impl List {
    /// Prints the runs.
    pub async fn run(&self, session: &Session) -> Result<(), Error> {
        let now = env::now();
        let chosen = self.choose(session.store().await?.list().await?, now)?;
        let format = self.output.clone().unwrap_or_default();
        if !format.is_human() && format != Format::Name {
            let names: Vec<RunName> = chosen.into_iter().map(|summary| summary.name).collect();
            return print_objects(session, &names, &format).await;
        }
        if format == Format::Name {
            return session.ui.data(&chosen.iter().map(|summary| format!("{}\n", summary.name)).collect::<String>());
        }
        if chosen.is_empty() {
            session.ui.status("no runs found");
            return Ok(());
        }
        let entries: Vec<list::Entry> = chosen.iter().map(runs::entry).collect();
        let table = list::render(&entries, now, format == Format::Wide, session.ui.out());
        let skipped = if self.no_headers { table.find('\n').map_or(0, |end| end + 1) } else { 0 };
        session.ui.data(&table[skipped..])
    }

    fn choose(&self, all: Vec<Summary>, now: Timestamp) -> Result<Vec<Summary>, Error> {
        let labels = parameters::labels(&self.selector)?;
        let is_chosen = |summary: &Summary| {
            let phase = runs::phase(&summary.phase);
            let ended_since = summary.finished_at.map(|at| now.since(at));
            (self.status.is_empty() || self.status.iter().any(|wanted| wanted.eq_ignore_ascii_case(&summary.phase)))
                && (!self.completed || phase.is_final())
                && (!self.running || !phase.is_final())
                && self.since.is_none_or(|since| now.since(summary.created_at) <= since)
                && self.older.is_none_or(|older| ended_since.is_some_and(|ended| ended > older))
                && self.prefix.as_ref().is_none_or(|prefix| summary.name.as_str().starts_with(prefix))
                && labels.iter().all(|(name, value)| summary.labels.get(name) == Some(value))
        };
        Ok(all.into_iter().filter(is_chosen).collect())
    }
}

async fn print_objects(session: &Session, names: &[RunName], format: &Format) -> Result<(), Error> {
    let mut objects: Vec<Value> = Vec::new();
    for name in names {
        objects.push(argo::workflow(&runs::view(session, name).await?));
    }
    session.ui.data(&output::objects(objects, format, session.ui.out()).unwrap_or_default())
}
