//! `wf get`.

use clap::Args;
use clap_complete::ArgValueCandidates;

use crate::cli::complete;
use crate::cli::error::Error;
use crate::cli::runs;
use crate::cli::session::Session;
use crate::engine::metrics;
use crate::view::{self, Format, NodeView, RunView, argo, header, output, tree};

/// Show a run and its nodes
///
/// `-o json` and `-o yaml` print the object that Argo would show.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  wf get @latest\n  wf get @latest -o jsonpath='{.status.phase}'\n  wf get ci-x7k2p --status Failed"
)]
pub struct Get {
    /// The runs; `@latest` is the newest
    #[arg(value_name = "RUN", required = true, add = ArgValueCandidates::new(complete::runs))]
    pub runs: Vec<String>,

    /// Only nodes in these phases, separated by commas
    #[arg(long, value_name = "PHASE", value_delimiter = ',', add = ArgValueCandidates::new(complete::phases))]
    pub status: Vec<String>,

    /// Print the metrics that the templates declare, as Prometheus reads them
    #[arg(long, conflicts_with_all = ["status", "output"])]
    pub metrics: bool,

    /// How to print: name, wide, short, json, yaml, jsonpath=…, custom-columns=…
    #[arg(long, short = 'o', value_name = "FORMAT", add = ArgValueCandidates::new(complete::formats))]
    pub output: Option<Format>,
}

impl Get {
    /// Prints the runs.
    pub async fn run(&self, session: &Session) -> Result<(), Error> {
        if self.metrics {
            return self.print_metrics(session).await;
        }
        let format = self.output.clone().unwrap_or_default();
        let mut views = Vec::new();
        for name in runs::names(session, &self.runs).await? {
            views.push(runs::view(session, &name).await?);
        }
        if let [view] = views.as_slice() {
            return session.ui.data(&self.one(view, &format, session));
        }
        let look = session.ui.out();
        let objects = || views.iter().map(argo::workflow).collect();
        let text = match format.is_human() {
            true => views.iter().map(|view| self.human(view, &format, session)).collect::<Vec<_>>().join("\n"),
            false => output::objects(objects(), &format, look).unwrap_or_default(),
        };
        session.ui.data(&text)
    }

    async fn print_metrics(&self, session: &Session) -> Result<(), Error> {
        for name in runs::names(session, &self.runs).await? {
            let found = metrics::of(&runs::load(session, &name).await?.run);
            session.ui.data(&view::metrics::render(&found))?;
            found.faults.iter().for_each(|fault| session.ui.warning(&format!("run `{name}`: {fault}")));
        }
        Ok(())
    }

    fn one(&self, view: &RunView, format: &Format, session: &Session) -> String {
        if format.is_human() {
            return self.human(view, format, session);
        }
        output::object(&argo::workflow(view), format, session.ui.out()).unwrap_or_default()
    }

    fn human(&self, view: &RunView, format: &Format, session: &Session) -> String {
        let look = session.ui.out();
        let keep = |node: &NodeView| {
            self.status.is_empty() || self.status.iter().any(|wanted| wanted.eq_ignore_ascii_case(node.phase.as_str()))
        };
        let columns = match format {
            Format::Wide => tree::Columns::Wide,
            Format::Short => tree::Columns::Short,
            _ => tree::Columns::Normal,
        };
        let tree = tree::render(view, columns, keep, look);
        match format {
            Format::Short => tree,
            _ if tree.is_empty() => header::render(view, look),
            _ => format!("{}\n{tree}", header::render(view, look)),
        }
    }
}
