//! The plain view model of a run: what every renderer reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::look::Mark;
use crate::base::{NodeIx, TimeSpan, Timestamp};
use crate::engine::durations::ResourcesDuration;
use crate::engine::{Inputs, Memo, NodeType, Outputs, Phase, Shutdown, Waiting, model};

/// A run at one instant.
#[derive(Debug, Clone)]
pub struct RunView {
    /// Its name.
    pub name: String,
    /// What tells it apart from others of that name.
    pub uid: String,
    /// The namespace of the manifest; empty when it names none.
    pub namespace: String,
    /// The service account of the manifest; empty when it names none.
    pub service_account: String,
    /// Where it is in its life.
    pub phase: Phase,
    /// Why.
    pub message: String,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The instant of this view: what goes on has lasted until then.
    pub now: Timestamp,
    /// Whether the run as a whole is suspended.
    pub suspended: bool,
    /// How it is being ended before its time.
    pub shutdown: Option<Shutdown>,
    /// Ended pods, and known ones.
    pub progress: (u32, u32),
    /// The arguments that it runs with, by name, in the manifest's order.
    pub arguments: Vec<(String, Option<String>)>,
    /// What it gave.
    pub outputs: Outputs,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What its pods have held of resources, where that was measured.
    pub held: ResourcesDuration,
    /// The manifest's metadata, as JSON.
    pub metadata: Value,
    /// The manifest's spec, as JSON.
    pub spec: Value,
    /// Its nodes, in the order in which they were made.
    pub nodes: Vec<NodeView>,
}

/// A node at one instant. Places (`boundary`, `children`) are indices of [`RunView::nodes`].
#[derive(Debug, Clone)]
pub struct NodeView {
    /// Its place in the log, which names its pod's folder.
    pub ix: NodeIx,
    /// Argo's id.
    pub id: String,
    /// The full name.
    pub name: Arc<str>,
    /// The name without its boundary's.
    pub display_name: Arc<str>,
    /// What it is.
    pub kind: NodeType,
    /// Where it is in its life.
    pub phase: Phase,
    /// The steps or DAG node that it belongs to.
    pub boundary: Option<usize>,
    /// Its template's name; empty for groups.
    pub template: Arc<str>,
    /// Where the template was found, in Argo's form.
    pub scope: Arc<str>,
    /// Why it is in its phase.
    pub message: Arc<str>,
    /// When it was made.
    pub started_at: Timestamp,
    /// When it reached a final phase.
    pub finished_at: Option<Timestamp>,
    /// The nodes that come after it.
    pub children: Vec<usize>,
    /// What it was given.
    pub inputs: Option<Arc<Inputs>>,
    /// What it made.
    pub outputs: Option<Arc<Outputs>>,
    /// Whether it is a daemon that is up.
    pub daemoned: bool,
    /// Its pod's address while it is a daemon.
    pub pod_ip: Option<Arc<str>>,
    /// The machine that its pod ran on.
    pub host: Option<Arc<str>>,
    /// What it waits for.
    pub waiting: Option<Waiting>,
    /// Where its result is kept, or was taken from.
    pub memo: Option<Memo>,
    /// What it has held of resources, with all that is inside it, where that was measured.
    pub held: ResourcesDuration,
}

impl RunView {
    /// Returns how long the run has lasted.
    pub fn duration(&self) -> Option<TimeSpan> {
        let started = self.started_at?;
        Some(self.finished_at.unwrap_or(self.now).since(started))
    }

    /// Returns the phase in Argo's words, with what it hides: `Running (Suspended)`, `Failed (Terminated)`.
    /// Source: Argo's `printer.WorkflowStatus`.
    pub fn status(&self) -> String {
        let aside = match (self.phase, self.shutdown) {
            (Phase::Running | Phase::Pending, _) if self.suspended || self.nodes.iter().any(NodeView::is_suspended) => {
                "Suspended"
            }
            (Phase::Failed, Some(Shutdown::Terminate)) => "Terminated",
            (Phase::Failed, Some(Shutdown::Stop)) => "Stopped",
            _ => return self.phase.to_string(),
        };
        format!("{} ({aside})", self.phase)
    }

    /// Returns whether the run, or one of its nodes, waits for a person and nothing else goes on.
    pub fn is_waiting_for_a_person(&self) -> bool {
        let at_work = |node: &&NodeView| node.kind.is_leaf() && !node.phase.is_final() && !node.daemoned;
        let mut leaves = self.nodes.iter().filter(at_work).peekable();
        !self.phase.is_final() && (self.suspended || leaves.peek().is_some() && leaves.all(NodeView::is_suspended))
    }

    /// Returns the last of the nodes that `text` names: by id, full name, label, display name,
    /// pod name or template. The last, since that is the latest attempt.
    pub fn find(&self, text: &str) -> Option<&NodeView> {
        let exact = |node: &&NodeView| {
            node.id == text || &*node.name == text || node.label(&self.name) == text || self.pod_name(node) == text
        };
        let loose = |node: &&NodeView| &*node.display_name == text || &*node.template == text;
        self.nodes.iter().rev().find(exact).or_else(|| self.nodes.iter().rev().find(loose))
    }

    /// Returns the places of the node and of all nodes that it holds, in the order of the run.
    pub fn within(&self, node: &NodeView) -> Vec<usize> {
        let mut is_within = vec![false; self.nodes.len()];
        for place in 0..self.nodes.len() {
            let at = &self.nodes[place];
            let is_attempt = at.name.strip_prefix(&*node.name).is_some_and(|rest| rest.starts_with('('));
            // A boundary is made before what it holds.
            is_within[place] =
                at.ix == node.ix || is_attempt || at.boundary.is_some_and(|boundary| is_within[boundary]);
        }
        (0..self.nodes.len()).filter(|&place| is_within[place]).collect()
    }

    /// Returns the name of the node's pod, as Argo makes it (`POD_NAMES=v2`); empty for other nodes.
    /// Source: `workflow/util/pod_name.go`.
    pub fn pod_name(&self, node: &NodeView) -> String {
        match node.kind {
            NodeType::Pod if *node.name == *self.name => self.name.clone(),
            NodeType::Pod => {
                let prefix: String =
                    format!("{}-{}", self.name, node.template).chars().take(POD_PREFIX_CHARS).collect();
                format!("{prefix}-{}", model::fnv1a_32(&node.name))
            }
            _ => String::new(),
        }
    }
}

/// Kubernetes names hold 253 characters; Argo leaves room for the hash.
const POD_PREFIX_CHARS: usize = 242;

impl NodeView {
    /// Returns the state as one symbol.
    pub fn mark(&self) -> Mark {
        if self.is_suspended() { Mark::Suspended } else { Mark::of(self.phase) }
    }

    /// Returns whether it is a pause that waits now.
    pub fn is_suspended(&self) -> bool {
        self.kind == NodeType::Suspend && self.phase == Phase::Running
    }

    /// Returns how long it has lasted at `now`.
    pub fn duration(&self, now: Timestamp) -> TimeSpan {
        self.finished_at.unwrap_or(now).since(self.started_at)
    }

    /// Returns what to say of the node: its message, or what it waits for.
    pub fn reason(&self, now: Timestamp) -> String {
        match &self.waiting {
            Some(Waiting::Pod { reason }) => reason.to_string(),
            Some(Waiting::Backoff { until }) => format!("retries in {}", until.since(now)),
            Some(Waiting::Approval { until: Some(until) }) => format!("goes on in {}", until.since(now)),
            Some(Waiting::Approval { until: None }) | None => match &self.memo {
                Some(memo) if memo.hit && self.message.is_empty() => {
                    format!("taken from cache {} with key {}", memo.cache, memo.key)
                }
                _ => self.message.to_string(),
            },
        }
    }

    /// Returns the name that people know the node by: the way from the run to it, without the
    /// numbers of step groups: `build.compile(1:linux)`.
    pub fn label(&self, run: &str) -> String {
        label(&self.name, run)
    }
}

/// Returns the label of the node called `name`; see [`NodeView::label`].
pub fn label(name: &str, run: &str) -> String {
    let Some(way) = name.strip_prefix(run) else { return name.to_owned() };
    let without_groups = without_group_numbers(way);
    match without_groups.strip_prefix('.') {
        Some(label) if !label.is_empty() => label.to_owned(),
        _ => format!("{run}{without_groups}"),
    }
}

/// Removes `[0]` outside of parentheses, where it ends a part of a node's way: `a[0].b` is `a.b`.
fn without_group_numbers(way: &str) -> String {
    let mut kept = String::with_capacity(way.len());
    let mut rest = way;
    let mut depth = 0usize;
    while let Some(c) = rest.chars().next() {
        depth = match c {
            '(' => depth + 1,
            ')' => depth.saturating_sub(1),
            _ => depth,
        };
        let group = if depth == 0 { group_number_bytes(rest) } else { 0 };
        if group == 0 {
            kept.push(c);
        }
        rest = &rest[group.max(c.len_utf8())..];
    }
    kept
}

/// Returns the length of `[12]` when `text` begins with it and a part of the way ends there; 0 otherwise.
fn group_number_bytes(text: &str) -> usize {
    let Some(number) = text.strip_prefix('[') else { return 0 };
    let digits = number.bytes().take_while(u8::is_ascii_digit).count();
    let after = &number[digits..];
    let ends = after == "]" || after.starts_with("].");
    if digits > 0 && ends { digits + 2 } else { 0 }
}

impl NodeType {
    /// Returns whether nodes of the type do or await something themselves, rather than hold others.
    pub fn is_leaf(self) -> bool {
        use NodeType::{Container, Dag, Http, Plugin, Pod, Retry, Skipped, StepGroup, Steps, Suspend, TaskGroup};
        match self {
            Pod | Container | Skipped | Suspend | Http | Plugin => true,
            Steps | StepGroup | Dag | TaskGroup | Retry => false,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Returns a run made of lines `name kind phase [boundary=i] [children=i,j] [tmpl=t] [for=secs] [msg=…]`.
    /// Every node starts at second 0 of the run unless `at=` says otherwise.
    pub(crate) fn run(name: &str, phase: Phase, lines: &str) -> RunView {
        RunView {
            name: name.to_owned(),
            uid: "uid-1".to_owned(),
            namespace: String::new(),
            service_account: String::new(),
            phase,
            message: String::new(),
            created_at: Timestamp(1_700_000_000_000),
            started_at: Some(Timestamp(1_700_000_000_000)),
            finished_at: phase.is_final().then_some(Timestamp(1_700_000_083_000)),
            now: Timestamp(1_700_000_084_000),
            suspended: false,
            shutdown: None,
            progress: (1, 2),
            arguments: vec![("message".to_owned(), Some("hello".to_owned()))],
            outputs: Outputs::default(),
            labels: BTreeMap::new(),
            held: ResourcesDuration::new(),
            metadata: serde_json::json!({"generateName": "wf-"}),
            spec: serde_json::json!({"entrypoint": "main"}),
            nodes: nodes(name, lines),
        }
    }

    fn nodes(run: &str, lines: &str) -> Vec<NodeView> {
        let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.zip(0..).map(|(line, ix)| NodeView { ix: NodeIx(ix), ..node(run, line) }).collect()
    }

    pub(crate) fn node(run: &str, line: &str) -> NodeView {
        let mut words = line.split_whitespace();
        let mut word = || words.next().expect("a test's node has three words");
        let (name, kind, phase) = (word(), word(), word());
        let kind = serde_json::from_value(kind.into()).expect("a test's node type is one");
        let phase: Phase = serde_json::from_value(phase.into()).expect("a test's phase is one");
        let option = |key: &str| words.clone().find_map(|word| word.strip_prefix(key));
        let number = |key: &str| option(key).map(|text| text.parse::<usize>().expect("a test's number is one"));
        let started_at = Timestamp(1_700_000_000_000 + 1000 * number("at=").unwrap_or(0) as i64);
        let lasted = TimeSpan::from_secs(number("for=").unwrap_or(3) as u64);
        let last = name.rsplit('.').next().unwrap_or(name);
        NodeView {
            ix: NodeIx(0),
            id: model::node_id(run, name),
            name: name.into(),
            display_name: option("display=").unwrap_or(last).into(),
            kind,
            phase,
            boundary: number("boundary="),
            template: option("tmpl=").unwrap_or_default().into(),
            scope: "local/x".into(),
            message: option("msg=").unwrap_or_default().replace('_', " ").into(),
            started_at,
            finished_at: phase.is_final().then(|| started_at + lasted),
            children: option("children=").map(places).unwrap_or_default(),
            inputs: None,
            outputs: None,
            daemoned: false,
            pod_ip: None,
            host: None,
            waiting: None,
            memo: None,
            held: ResourcesDuration::new(),
        }
    }

    fn places(text: &str) -> Vec<usize> {
        text.split(',').map(|place| place.parse().expect("a test's place is a number")).collect()
    }

    #[test]
    fn labels_are_the_way_without_group_numbers() {
        for (name, expected) in [
            ("wf", "wf"),
            ("wf(0)", "wf(0)"),
            ("wf[0].build", "build"),
            ("wf.a[1].b(0:[1].x)", "a.b(0:[1].x)"),
            ("wf[0].build(1:linux)(2)", "build(1:linux)(2)"),
            ("wf[2]", "wf"),
            ("other", "other"),
        ] {
            assert_eq!(label(name, "wf"), expected, "{name}");
        }
    }

    #[test]
    fn status_says_what_the_phase_hides() {
        let mut view = run("wf", Phase::Running, "wf Steps Running\n wf[0].ok Suspend Running boundary=0");
        assert_eq!(view.status(), "Running (Suspended)");
        assert!(view.is_waiting_for_a_person());
        view.nodes.push(node("wf", "wf[0].b Pod Running boundary=0"));
        assert!(!view.is_waiting_for_a_person());
        view.phase = Phase::Failed;
        view.shutdown = Some(Shutdown::Terminate);
        assert_eq!(view.status(), "Failed (Terminated)");
    }

    #[test]
    fn nodes_are_found_by_every_name_and_the_latest_wins() {
        let view = run(
            "wf",
            Phase::Failed,
            "wf DAG Failed
             wf.build Retry Failed boundary=0 children=2,3 tmpl=make
             wf.build(0) Pod Failed boundary=0 tmpl=make
             wf.build(1) Pod Failed boundary=0 tmpl=make",
        );
        let found = |text: &str| view.find(text).map(|node| node.name.to_string());
        assert_eq!(found("build(0)").as_deref(), Some("wf.build(0)"));
        assert_eq!(found("make").as_deref(), Some("wf.build(1)"));
        assert_eq!(found(&view.pod_name(&view.nodes[2])).as_deref(), Some("wf.build(0)"));
        assert_eq!(found("nothing"), None);
        assert_eq!(view.within(&view.nodes[1]), [1, 2, 3]);
        assert_eq!(view.within(&view.nodes[0]), [0, 1, 2, 3]);
    }
}
