//! What a submission, a retry or a resubmission would do, node by node, with the reason and with what
//! a person can say to have it otherwise.
//!
//! A retry is read off its plan. The others are played: the engine decides as it would, and each pod
//! that it starts is told to end as it did in the old run. What such a pod would make anew is not known,
//! and what comes after it is only said to run.

mod rehearsal;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::event::Caller;
use super::model::{Node, NodeType, Phase};
use super::observation::Control;
use super::restart::graph::{self, Restart};
use super::restart::{Fate, Spared, Why};
use super::run::{ControlError, Run};
use crate::base::NodeIx;

pub use rehearsal::{resubmission, submission};

/// What would become of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It runs.
    Run,
    /// What it made before is used.
    Reuse,
    /// It does not run.
    Skip,
}

impl Verdict {
    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Run => "RUN",
            Verdict::Reuse => "REUSE",
            Verdict::Skip => "SKIP",
        }
    }
}

/// What would become of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// Its full name.
    pub name: Arc<str>,
    /// Its name as it is displayed.
    pub display_name: Arc<str>,
    /// Its template; empty where nothing is called.
    pub template: Arc<str>,
    /// What would become of it.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// What to say to have it otherwise; empty where nothing can.
    pub flag: String,
}

impl Forecast {
    fn of(node: &Node, verdict: Verdict, reason: impl Into<String>, flag: impl Into<String>) -> Self {
        Self {
            name: node.name.clone(),
            display_name: node.display_name.clone(),
            template: node.template.clone(),
            verdict,
            reason: reason.into(),
            flag: flag.into(),
        }
    }
}

/// Returns what a retry would do to the nodes that do something: groups follow from them.
pub fn retry(run: &Run, control: &Control) -> Result<Vec<Forecast>, ControlError> {
    run.check_control(control)?;
    let restart = graph::plan(run, control).map_err(ControlError::Refused)?;
    let shown = restart.fates.iter().filter(|(ix, _)| is_shown(run.node(*ix)));
    Ok(shown.map(|(ix, fate)| of_fate(run, &restart, run.node(*ix), fate)).collect())
}

fn is_shown(node: &Node) -> bool {
    use NodeType::{Dag, Retry, StepGroup, Steps, TaskGroup};
    !matches!(node.kind, Dag | Steps | StepGroup | TaskGroup | Retry)
}

fn of_fate(run: &Run, restart: &Restart, node: &Node, fate: &Fate) -> Forecast {
    let called = &called(run, node).name;
    let from = || format!("--from-node {called}");
    let name = |at: &usize| run.node(restart.fates[*at].0).display_name.clone();
    let runs = |reason: String, flag: String| Forecast::of(node, Verdict::Run, reason, flag);
    match fate {
        Fate::Keep | Fate::Open => match node.phase {
            Phase::Skipped | Phase::Omitted => Forecast::of(node, Verdict::Skip, &*node.message, from()),
            _ => Forecast::of(node, Verdict::Reuse, "it succeeded", from()),
        },
        Fate::KeepFailed(Spared::GotOver) => {
            Forecast::of(node, Verdict::Skip, "it failed, and what comes after it succeeded", from())
        }
        Fate::KeepFailed(Spared::NotPicked) => {
            Forecast::of(node, Verdict::Skip, "it failed, and the selector does not match it", from())
        }
        Fate::Forget(Why::Failed) => runs(
            if node.phase == Phase::Error { "it ended in an error" } else { "it failed" }.to_owned(),
            format!("--node-field-selector name!={called}"),
        ),
        Fate::Forget(Why::Picked) => runs("it was picked".to_owned(), String::new()),
        Fate::Forget(Why::Changed(parameter)) => {
            runs(format!("parameter `{parameter}` changed, on which it depends"), format!("without -p {parameter}"))
        }
        Fate::Forget(Why::After(at)) => runs(format!("it comes after `{}`", name(at)), String::new()),
        Fate::Forget(Why::Attempt(at)) => runs(format!("`{}` begins its attempts anew", name(at)), String::new()),
        Fate::Forget(Why::Together(at)) => runs(format!("it is one pod with `{}`", name(at)), String::new()),
        Fate::Forget(Why::Hook(at)) => {
            runs(format!("it is a hook of `{}`, which is at work again", name(at)), String::new())
        }
        Fate::Forget(Why::Exit) => runs("the exit handler runs at each end".to_owned(), String::new()),
    }
}

/// The nodes of an old run by their names without the run's.
fn by_short_name(run: &Run) -> BTreeMap<&str, NodeIx> {
    run.nodes().map(|node| (short(run, node), node.ix)).collect()
}

/// Returns the node of an attempt's call; any other node itself.
fn called<'r>(run: &'r Run, node: &'r Node) -> &'r Node {
    match run.slot(node.ix).caller {
        Caller::Attempt(retry, _) => run.node(retry),
        _ => node,
    }
}

fn short<'n>(run: &Run, node: &'n Node) -> &'n str {
    node.name.strip_prefix(run.name().as_str()).unwrap_or(&node.name)
}
