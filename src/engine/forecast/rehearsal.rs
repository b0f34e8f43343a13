//! A run played without a backend, to see what it would start.

use std::collections::BTreeMap;

use super::{Forecast, Verdict, by_short_name, called, is_shown, short};
use crate::base::{NodeIx, Timestamp, limits};
use crate::engine::action::{Action, PodRequest};
use crate::engine::model::{Node, NodeType, Phase};
use crate::engine::observation::{Control, FileOutput, Observation, PodEnd, PodReport, SavedArtifact};
use crate::engine::run::Run;

/// Stands for what nobody can know before it is made.
const UNKNOWN: &str = "unknown";

/// Returns what a new run would do. `run` is one to which nothing has happened.
pub fn submission(mut run: Run, at: Timestamp) -> Vec<Forecast> {
    play(&mut run, None, at);
    let shown = run.nodes().filter(|node| is_shown(node));
    shown.map(|node| submitted(&run, node)).collect()
}

fn submitted(run: &Run, node: &Node) -> Forecast {
    match node.kind {
        NodeType::Skipped if run.slot(node.ix).fresh => {
            Forecast::of(node, Verdict::Run, "decided when what comes before it has run", "")
        }
        NodeType::Skipped => Forecast::of(node, Verdict::Skip, &*node.message, ""),
        _ => Forecast::of(node, Verdict::Run, runs_in_turn(run, node), ""),
    }
}

fn runs_in_turn(run: &Run, node: &Node) -> &'static str {
    match &run.slot(node.ix).memo {
        Some(_) => "unless its cache has the result",
        None if node.kind == NodeType::Suspend => "it waits for a person or its time",
        None => "in its turn",
    }
}

/// Returns what a run made of an old one would do: `run` is one to which nothing has happened, or that
/// only was told what it may reuse.
pub fn resubmission(old: &Run, mut run: Run, at: Timestamp) -> Vec<Forecast> {
    play(&mut run, Some(old), at);
    let compared = Compared { old, before: by_short_name(old), run: &run, after: after_what_runs(&run) };
    let shown = run.nodes().filter(|node| is_shown(node));
    let came_to = by_short_name(&run);
    let left = old.nodes().filter(|node| is_shown(node) && !came_to.contains_key(short(old, called(old, node))));
    shown.map(|node| compared.forecast(node)).chain(left.map(|node| compared.left(node))).collect()
}

/// Returns for each node that comes after one that runs, the first such.
fn after_what_runs(run: &Run) -> BTreeMap<NodeIx, NodeIx> {
    let mut after = BTreeMap::new();
    for parent in run.nodes().filter(|parent| run.slot(parent.ix).fresh) {
        for child in &parent.children {
            after.entry(*child).or_insert(parent.ix);
        }
    }
    after
}

/// A new run beside the old one that it is made of.
struct Compared<'r> {
    old: &'r Run,
    before: BTreeMap<&'r str, NodeIx>,
    run: &'r Run,
    after: BTreeMap<NodeIx, NodeIx>,
}

impl Compared<'_> {
    fn forecast(&self, node: &Node) -> Forecast {
        let after = self.after.get(&node.ix).map(|ix| &*self.run.node(*ix).display_name);
        let is_new = self.run.slot(node.ix).fresh;
        if node.kind == NodeType::Skipped && !is_new {
            return Forecast::of(node, Verdict::Skip, &*node.message, "");
        }
        if self.run.reuses.is_some() && node.phase == Phase::Succeeded && !is_new && node.kind == NodeType::Pod {
            return Forecast::of(node, Verdict::Reuse, "it succeeded, and is given the same", "without --memoized");
        }
        let (reason, flag) = self.why(node, after);
        Forecast::of(node, Verdict::Run, reason, flag)
    }

    /// Returns why a node runs, and what to say to have it otherwise.
    fn why(&self, node: &Node, after: Option<&str>) -> (String, &'static str) {
        if self.run.reuses.is_none() {
            return ("nothing is taken over".to_owned(), "--memoized");
        }
        let was = self.before.get(short(self.run, called(self.run, node))).map(|ix| self.old.node(*ix));
        let words = match was {
            _ if after.is_some() => format!("it comes after `{}`, which runs", after.unwrap_or_default()),
            None => "the old run did not come to it".to_owned(),
            Some(was) if was.phase.is_bad() => "it failed".to_owned(),
            Some(was) if was.daemoned => "a daemon is not taken over".to_owned(),
            Some(was) if was.phase != Phase::Succeeded => format!("it was {} before", was.phase),
            Some(_) if !matches!(node.kind, NodeType::Pod | NodeType::Container) => {
                "only what pods made is taken over".to_owned()
            }
            Some(_) => "it is given something else".to_owned(),
        };
        (words, "")
    }

    /// Returns the forecast of a node that the play did not come to, since nobody knows what comes
    /// before it will make.
    fn left(&self, node: &Node) -> Forecast {
        let name = format!("{}{}", self.run.name(), short(self.old, node));
        let reason = "in its turn, as far as what comes before it comes out as it did";
        Forecast { name: name.into(), ..Forecast::of(node, Verdict::Run, reason, "") }
    }
}

/// Plays until nothing happens any more, or the play has become as long as a run may be.
fn play(run: &mut Run, old: Option<&Run>, at: Timestamp) {
    let before = old.map(by_short_name).unwrap_or_default();
    let mut at = at;
    run.decide(Observation::Begin, at);
    for _ in 0..limits::NODES_PER_RUN_MAX {
        let actions = run.pending();
        if actions.is_empty() && !pass_time(run, &mut at) {
            return;
        }
        for action in actions {
            let (node, end) = match action {
                Action::Start(request) => (request.node, end_of(run, old, &before, &request)),
                Action::Stop { node, .. } => (node, PodReport::Ended(PodEnd::exited(0))),
            };
            run.decide(Observation::Pod(node, end), at);
        }
    }
}

/// Lets people decide and time pass; false when there is nothing to wait for.
fn pass_time(run: &mut Run, at: &mut Timestamp) -> bool {
    if run.phase().is_final() {
        return false;
    }
    if run.is_suspended() || run.paused_nodes().next().is_some() {
        let names = run.paused_nodes().flat_map(|node| node.outputs.iter().flat_map(|outputs| &outputs.parameters));
        let parameters: BTreeMap<String, String> =
            names.map(|known| (known.name.to_string(), UNKNOWN.to_owned())).collect();
        if !parameters.is_empty() {
            let set = Control::NodeSet { selector: String::new(), parameters, phase: None, message: String::new() };
            run.decide(Observation::Control(set), *at);
        }
        let resume = Control::Resume { selector: String::new(), message: String::new() };
        return !run.decide(Observation::Control(resume), *at).is_empty();
    }
    let Some(wake) = run.next_wake() else { return false };
    *at = wake.max(*at);
    !run.decide(Observation::Time, *at).is_empty()
}

/// Returns how a pod is told to end: as it did, or well.
fn end_of(run: &Run, old: Option<&Run>, before: &BTreeMap<&str, NodeIx>, request: &PodRequest) -> PodReport {
    if request.template.daemon == Some(true) {
        return PodReport::Running { ready: true, ip: None, host: None };
    }
    let mut end = PodEnd::exited(0);
    let was = before.get(short(run, run.node(request.node))).zip(old).map(|(ix, old)| old.node(*ix));
    let outputs = was.filter(|node| node.phase == Phase::Succeeded).and_then(|node| node.outputs.as_deref());
    let result = outputs.and_then(|outputs| outputs.result.as_deref());
    end.result = request.capture_result.then(|| result.unwrap_or(UNKNOWN).to_owned());
    let declared = request.template.outputs.clone().unwrap_or_default();
    for parameter in declared.parameters {
        let value = outputs.and_then(|outputs| outputs.parameter(&parameter.name)).map(|value| value.to_string());
        end.parameters.insert(parameter.name, FileOutput::Found(value.unwrap_or_else(|| UNKNOWN.to_owned())));
    }
    for artifact in declared.artifacts {
        let name = artifact.name.clone();
        end.artifacts.insert(name, SavedArtifact::Saved(Box::new(artifact)));
    }
    PodReport::Ended(end)
}
