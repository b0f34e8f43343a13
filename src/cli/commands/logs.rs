//! `wf logs`.

use std::collections::BTreeSet;

use clap::Args;
use clap_complete::ArgValueCandidates;
use regex::Regex;

use crate::backend::kubernetes::{Cluster, LoggedPod};
use crate::base::{NodeIx, RunName, TimeSpan, Timestamp};
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
use crate::view::{NodeView, RunView};

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

    /// Only this container; unless given, the main one, or all of a container set
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
        let choice = self.choice(chosen.labels());
        let place = session.place().await?;
        if let Some(cluster) = &place.cluster {
            return self.print_pods(session, cluster, &name, &chosen, &choice).await;
        }
        let Some(folder) = place.folder(&name) else { return Ok(()) };
        for node in &chosen.pods {
            for file in logs::files(&folder, node.ix, chosen.container.as_deref()) {
                let container = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
                let label = chosen.label(node, container);
                self.print(session, &label, &Log::new(file).read_all(), &choice)?;
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
        chosen: &Chosen<'_>,
        choice: &Choice,
    ) -> Result<(), Error> {
        let pods = pod_logs::pods(cluster, name).await?;
        let container = chosen.container.as_deref();
        let gone: BTreeSet<NodeIx> =
            chosen.pods.iter().map(|node| node.ix).filter(|node| !pods.contains_key(node)).collect();
        let mut kept = pod_logs::kept(cluster, name, &gone, container).await?;
        let is_meant = |pod: &LoggedPod| !pod_logs::meant(pod, container).is_empty();
        let mut there = chosen.pods.iter().filter_map(|node| pods.get(&node.ix)).flatten();
        if let Some(container) = container.filter(|_| gone.is_empty() && !there.any(is_meant)) {
            return Err(Error::new(Kind::NotFound, format!("there is no container `{container}`")));
        }
        for node in &chosen.pods {
            let kept = kept.remove(&node.ix).unwrap_or_default();
            if kept.is_empty() && !pods.contains_key(&node.ix) {
                let label = node.label(&chosen.view.name);
                session.ui.status(&format!("`{label}` has no pod any more, and its log was not kept"));
            }
            for log in kept {
                let label = chosen.label(node, &log.container);
                if let Some(words) = &log.words {
                    session.ui.status(&format!("the log of `{label}` {words}"));
                }
                self.print(session, &label, &log.lines, choice)?;
            }
            for pod in pods.get(&node.ix).into_iter().flatten() {
                for container in pod_logs::meant(pod, container) {
                    let lines = pod_logs::read(cluster, pod, &container, self.tail).await?;
                    self.print(session, &chosen.label(node, &container), &lines, choice)?;
                }
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

    /// Returns the nodes whose logs are wanted, in the order in which they began.
    fn choose<'v>(&self, view: &'v RunView) -> Result<Chosen<'v>, Error> {
        let is_pod = |node: &&NodeView| node.kind == NodeType::Pod;
        let Some(wanted) = &self.node else {
            return Ok(Chosen::new(view, view.nodes.iter().filter(is_pod).collect(), self.container.clone()));
        };
        let found = view.find(wanted).ok_or_else(|| runs::no_such_node(view, wanted))?;
        let (found, container) = self.pod_of(view, found);
        let pods: Vec<&NodeView> =
            view.within(found).into_iter().map(|place| &view.nodes[place]).filter(is_pod).collect();
        if pods.is_empty() {
            return Err(Error::new(
                Kind::NotFound,
                format!("node `{wanted}` started no container: {}", found.reason(view.now)),
            ));
        }
        Ok(Chosen::new(view, pods, container))
    }

    /// Returns the node that has the logs of `node`, and the container: one of a set is a node, too.
    fn pod_of<'v>(&self, view: &'v RunView, node: &'v NodeView) -> (&'v NodeView, Option<String>) {
        match node.boundary.filter(|_| node.kind == NodeType::Container) {
            Some(pod) => (&view.nodes[pod], Some(node.display_name.to_string())),
            None => (node, self.container.clone()),
        }
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
        let found = self.node.as_ref().and_then(|node| view.find(node)).map(|found| self.pod_of(view, found));
        let (only, container) = match found {
            Some((pod, container)) => (Some(pod.label(&view.name)), container),
            None => (self.node.clone(), self.container.clone()),
        };
        let how = How { show: Show::Logs(choice), container, only, ..How::default() };
        drive::attach(session, name, &how).await
    }
}

/// Whose logs are wanted.
struct Chosen<'v> {
    view: &'v RunView,
    pods: Vec<&'v NodeView>,
    container: Option<String>,
    /// The nodes whose pods run container sets.
    sets: BTreeSet<NodeIx>,
}

impl<'v> Chosen<'v> {
    fn new(view: &'v RunView, pods: Vec<&'v NodeView>, container: Option<String>) -> Self {
        let of_sets = view.nodes.iter().filter(|node| node.kind == NodeType::Container);
        let sets = of_sets.filter_map(|node| Some(view.nodes[node.boundary?].ix)).collect();
        Self { view, pods, container, sets }
    }

    /// Returns the label of what a container of a node's pod wrote: its own, when it is one of a set.
    fn label(&self, pod: &NodeView, container: &str) -> String {
        let run = &self.view.name;
        let label = pod.label(run);
        if self.sets.contains(&pod.ix) { logs::label_in_set(&label, run, container) } else { label }
    }

    /// Returns whether lines must say whose they are.
    fn labels(&self) -> bool {
        self.pods.len() > 1 || self.container.is_none() && self.pods.iter().any(|pod| self.sets.contains(&pod.ix))
    }
}
