//! `wf logs`.

use clap::Args;
use clap_complete::ArgValueCandidates;
use regex::Regex;

use crate::backend::kubernetes::Cluster;
use crate::base::{RunName, TimeSpan, Timestamp};
use crate::cli::complete;
use crate::cli::drive::{self, How};
use crate::cli::env;
use crate::cli::error::{Error, Kind};
use crate::cli::logs::{self, Choice, Line, Log};
use crate::cli::pod_logs;
use crate::cli::report::Show;
use crate::cli::runs::{self, Loaded};
use crate::cli::session::Session;
use crate::engine::NodeType;
use crate::view::RunView;

/// Print what the steps of a run wrote
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  wf logs @latest\n  wf logs ci-x7k2p unit-tests --tail 20\n  wf logs @latest -f --grep ERROR"
)]
pub struct Logs {
    /// The run; `@latest` is the newest
    #[arg(value_name = "RUN", add = ArgValueCandidates::new(complete::runs))]
    pub run: String,

    /// Only this node: its name, id, pod or template
    #[arg(value_name = "NODE", add = ArgValueCandidates::new(complete::nodes))]
    pub node: Option<String>,

    /// Go on until the run has ended
    #[arg(long, short = 'f')]
    pub follow: bool,

    /// Only this container
    #[arg(long, short = 'c', value_name = "NAME")]
    pub container: Option<String>,

    /// Only the last lines of each container
    #[arg(long, value_name = "LINES")]
    pub tail: Option<usize>,

    /// Only lines of the last while, such as 10m
    #[arg(long, value_name = "DURATION", value_parser = TimeSpan::parse)]
    pub since: Option<TimeSpan>,

    /// Only lines since a time in RFC 3339
    #[arg(long, value_name = "TIME", value_parser = parse_time, conflicts_with = "since")]
    pub since_time: Option<Timestamp>,

    /// Only lines that match a regular expression
    #[arg(long, value_name = "REGEX")]
    pub grep: Option<Regex>,

    /// Begin each line with its time
    #[arg(long)]
    pub timestamps: bool,

    /// Do not begin lines with the node's name
    #[arg(long)]
    pub no_prefix: bool,
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text).ok_or_else(|| format!("`{text}` is no time: write 2026-01-31T13:00:00Z"))
}

impl Logs {
    /// Prints the logs.
    pub async fn run(&self, session: &Session) -> Result<(), Error> {
        let name = runs::name(session, &self.run).await?;
        let Loaded { run, .. } = runs::load(session, &name).await?;
        let view = RunView::new(&run, env::now());
        if self.follow && !run.phase().is_final() {
            return self.follow(session, &name, &view).await;
        }
        let chosen = self.choose(&view)?;
        let choice = self.choice(chosen.len() > 1);
        let place = session.place().await?;
        if let Some(cluster) = &place.cluster {
            return self.print_pods(session, cluster, &name, &view, &chosen, &choice).await;
        }
        let Some(folder) = place.folder(&name) else { return Ok(()) };
        for place in chosen {
            let node = &view.nodes[place];
            let files = logs::files(&folder, node.ix, self.container.as_deref());
            for file in files {
                let lines = Log::new(file).read_all();
                self.print(session, &node.label(&view.name), &lines, &choice)?;
            }
        }
        Ok(())
    }

    /// Prints what pods wrote: what they say now, or what was kept when they went.
    async fn print_pods(
        &self,
        session: &Session,
        cluster: &Cluster,
        name: &RunName,
        view: &RunView,
        chosen: &[usize],
        choice: &Choice,
    ) -> Result<(), Error> {
        let pods = pod_logs::pods(cluster, name).await?;
        let nodes = || chosen.iter().map(|place| &view.nodes[*place]).filter(|node| node.kind == NodeType::Pod);
        let container = self.container.as_deref();
        let gone = nodes().map(|node| node.ix).filter(|node| !pods.contains_key(node)).collect();
        let mut kept = pod_logs::kept(cluster, name, &gone, container).await?;
        for node in nodes() {
            let label = node.label(&view.name);
            let kept = kept.remove(&node.ix).unwrap_or_default();
            if kept.is_empty() && !pods.contains_key(&node.ix) {
                session.ui.status(&format!("`{label}` has no pod any more, and its log was not kept"));
            }
            for log in kept {
                if let Some(words) = &log.words {
                    session.ui.status(&format!("the log of `{label}` {words}"));
                }
                self.print(session, &label, &log.lines, choice)?;
            }
            for pod in pods.get(&node.ix).into_iter().flatten() {
                let lines = pod_logs::read(cluster, pod, container, self.tail).await?;
                self.print(session, &label, &lines, choice)?;
            }
        }
        Ok(())
    }

    /// Prints the lines that are wanted.
    fn print(&self, session: &Session, label: &str, lines: &[Line], choice: &Choice) -> Result<(), Error> {
        let shown: Vec<Vec<u8>> = lines.iter().filter_map(|line| choice.show(label, line, session.ui.out())).collect();
        let skipped = self.tail.map_or(0, |tail| shown.len().saturating_sub(tail));
        session.ui.data_bytes(&shown[skipped..].concat())
    }

    /// Returns the places of the nodes whose logs are wanted, in the order in which they began.
    fn choose(&self, view: &RunView) -> Result<Vec<usize>, Error> {
        let wrote = |place: &usize| matches!(view.nodes[*place].kind, NodeType::Pod | NodeType::Container);
        let Some(wanted) = &self.node else { return Ok((0..view.nodes.len()).filter(wrote).collect()) };
        let found = view.find(wanted).ok_or_else(|| runs::no_such_node(view, wanted))?;
        let within = view.within(found);
        let chosen: Vec<usize> = within.into_iter().filter(wrote).collect();
        if chosen.is_empty() {
            return Err(Error::new(
                Kind::NotFound,
                format!("node `{wanted}` started no container: {}", found.reason(view.now)),
            ));
        }
        Ok(chosen)
    }

    fn choice(&self, has_several: bool) -> Choice {
        let ago = self.since.map(|since| env::now() - since);
        Choice {
            grep: self.grep.clone(),
            since: ago.or(self.since_time),
            timestamps: self.timestamps,
            prefix: has_several && !self.no_prefix,
        }
    }

    async fn follow(&self, session: &Session, name: &crate::base::RunName, view: &RunView) -> Result<(), Error> {
        let choice = self.choice(self.node.is_none());
        // A node that is not there yet is waited for, by its label.
        let label_of = |node: &String| view.find(node).map_or_else(|| node.clone(), |found| found.label(&view.name));
        let only = self.node.as_ref().map(label_of);
        let how = How { show: Show::Logs(choice), container: self.container.clone(), only, ..How::default() };
        drive::attach(session, name, &how).await
    }
}
