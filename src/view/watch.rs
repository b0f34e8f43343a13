//! Following a run: which change of a node is worth a line, and the line.
//!
//! The state knows only what goes on now, and counts of the rest, so that a change costs the
//! same in a run of ten nodes and of a hundred thousand.

use std::collections::{BTreeMap, BTreeSet};

use super::look::{self, Look, Mark};
use super::model::{NodeView, label};
use crate::base::{NodeIx, TimeSpan, Timestamp};
use crate::engine::{Batch, Event, NodeType, Phase, Waiting};

/// What is followed of a run.
#[derive(Debug, Clone)]
pub struct Watch {
    run: String,
    began: Timestamp,
    active: BTreeMap<NodeIx, NodeView>,
    ended: BTreeSet<NodeIx>,
    folds: BTreeMap<String, Fold>,
    bad: usize,
}

/// The items of one loop, counted by state.
#[derive(Debug, Clone, Default)]
pub struct Fold {
    items: BTreeMap<String, Mark>,
    counts: BTreeMap<Mark, usize>,
}

/// A change that is worth a line.
#[derive(Debug, Clone)]
pub struct Change {
    /// When it was decided.
    pub at: Timestamp,
    /// What happened.
    pub what: What,
    /// The node's place in the run.
    pub ix: NodeIx,
    /// The node's label; see [`NodeView::label`].
    pub label: String,
    /// The node as it is now.
    pub node: NodeView,
}

/// What happened to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It is at work.
    Started,
    /// It is a daemon, and up.
    Ready,
    /// It waits, for a reason that is new.
    Waits,
    /// It waits for a person, or a pause to end.
    Suspended,
    /// It has ended, or never ran.
    Ended,
}

impl Watch {
    /// Returns the state before anything is seen of `run`, which began at `began`.
    pub fn new(run: impl Into<String>, began: Timestamp) -> Self {
        Self { run: run.into(), began, active: BTreeMap::new(), ended: BTreeSet::new(), folds: BTreeMap::new(), bad: 0 }
    }

    /// Returns the run's name.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Returns when the run began.
    pub fn began(&self) -> Timestamp {
        self.began
    }

    /// Returns the nodes that go on, in the order in which they were made.
    pub fn active(&self) -> impl Iterator<Item = &NodeView> {
        self.active.values()
    }

    /// Returns the loops with their counts, by the label of what is looped.
    pub fn folds(&self) -> &BTreeMap<String, Fold> {
        &self.folds
    }

    /// Returns how many nodes ended badly.
    pub fn bad(&self) -> usize {
        self.bad
    }

    /// Takes in that a node may have changed, and returns the change if it is worth a line.
    pub fn touch(&mut self, ix: NodeIx, node: NodeView, at: Timestamp) -> Option<Change> {
        if !node.kind.is_leaf() || node.phase == Phase::Omitted || self.ended.contains(&ix) {
            return None;
        }
        let label = label(&node.name, &self.run);
        if let Some((base, item)) = split_item(&label) {
            self.folds.entry(base.to_owned()).or_default().set(item, node.mark());
        }
        let what = happening(self.active.get(&ix), &node);
        if node.phase.is_final() {
            self.active.remove(&ix);
            self.ended.insert(ix);
            self.bad += usize::from(node.phase.is_bad());
        } else {
            self.active.insert(ix, node.clone());
        }
        what.map(|what| Change { at, what, ix, label, node })
    }
}

/// Returns what happened between `before` and `now`, if it is worth a line.
fn happening(before: Option<&NodeView>, now: &NodeView) -> Option<What> {
    if now.phase.is_final() {
        return Some(What::Ended);
    }
    let was_at_work = before.is_some_and(|before| before.phase == Phase::Running);
    let told = before.is_some_and(|before| reason_told(before) == reason_told(now));
    if now.daemoned && !before.is_some_and(|before| before.daemoned) {
        Some(What::Ready)
    } else if now.is_suspended() {
        (!was_at_work).then_some(What::Suspended)
    } else if now.phase == Phase::Running {
        (!was_at_work).then_some(What::Started)
    } else {
        (!told && reason_told(now).is_some()).then_some(What::Waits)
    }
}

/// Returns the reason of a waiting node that is worth telling: the backend's.
fn reason_told(node: &NodeView) -> Option<&str> {
    match &node.waiting {
        Some(Waiting::Pod { reason }) if !reason.is_empty() => Some(reason),
        _ => None,
    }
}

impl Fold {
    fn set(&mut self, item: &str, mark: Mark) {
        if let Some(before) = self.items.insert(item.to_owned(), mark)
            && let Some(count) = self.counts.get_mut(&before)
        {
            *count -= 1;
        }
        *self.counts.entry(mark).or_default() += 1;
    }

    /// Returns how many items there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Returns whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns whether every item has ended.
    pub fn is_over(&self) -> bool {
        self.count(Mark::Pending) + self.count(Mark::Running) + self.count(Mark::Suspended) == 0
    }

    /// Returns how many items are in the state.
    pub fn count(&self, mark: Mark) -> usize {
        self.counts.get(&mark).copied().unwrap_or(0)
    }
}

/// Splits the label of a loop's item, or of an attempt at one: `map(3:x)(0)` is `map` and `3:x`.
pub fn split_item(label: &str) -> Option<(&str, &str)> {
    for (open, _) in label.match_indices('(') {
        let item = &label[open + 1..];
        let digits = item.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 && item[digits..].starts_with(':') {
            let close = item.find(')').unwrap_or(item.len());
            return Some((&label[..open], &item[..close]));
        }
    }
    None
}

/// Finds out which nodes events are about. A node is named when it is made by its number only,
/// so the events must be shown from the first of the log on, each once.
#[derive(Debug, Clone, Copy, Default)]
pub struct Touched {
    made: u32,
}

impl Touched {
    /// Returns the nodes that `batches` touch, in the order in which they were made.
    pub fn of(&mut self, batches: &[Batch]) -> BTreeSet<NodeIx> {
        batches.iter().flat_map(|batch| &batch.events).flat_map(|event| self.of_event(event)).collect()
    }

    fn of_event(&mut self, event: &Event) -> Vec<NodeIx> {
        match event {
            Event::Created(_) => {
                self.made += 1;
                vec![NodeIx(self.made - 1)]
            }
            Event::Imported(imported) => {
                let first = self.made;
                self.made += imported.nodes.len() as u32;
                (first..self.made).map(NodeIx).collect()
            }
            Event::Runs { n, .. }
            | Event::Waits { n, .. }
            | Event::Acquired { n, .. }
            | Event::Supplied { n, .. }
            | Event::Finished { n, .. }
            | Event::Settled { n } => vec![*n],
            Event::Retried { open, .. } => open.clone(),
            Event::Began
            | Event::Queued { .. }
            | Event::Locked { .. }
            | Event::Reuses { .. }
            | Event::Global { .. }
            | Event::Given { .. }
            | Event::Suspended
            | Event::Resumed
            | Event::Shutdown { .. }
            | Event::Expired
            | Event::Ended { .. } => Vec::new(),
        }
    }
}

/// Columns of a label in the scrollback; longer ones push their durations to the right.
const LABEL_COLUMNS: usize = 32;

impl Change {
    /// Returns the change as a line with the time since the run began, for output that is no
    /// terminal: `+01:24 ✔ build 12s`.
    pub fn stamped(&self, began: Timestamp, look: Look) -> String {
        format!("{} {}", stamp(self.at.since(began)), self.words(look, 0))
    }

    /// Returns the change as a line of the scrollback above the footer, where only ends stand.
    pub fn scrolled(&self, look: Look) -> Option<String> {
        (self.what == What::Ended).then(|| format!("  {}", self.words(look, LABEL_COLUMNS)))
    }

    fn words(&self, look: Look, columns: usize) -> String {
        let label = look::harmless(&self.label);
        let mut words = format!("{} {label:columns$}", look.mark(self.node.mark()));
        let did_run = self.what == What::Ended && !matches!(self.node.phase, Phase::Skipped | Phase::Omitted);
        if did_run {
            words.push_str(&format!(" {}", self.node.duration(self.at)));
        }
        let reason = look::one_line(&self.node.reason(self.at));
        if !reason.is_empty() && self.what != What::Started {
            words.push_str(&format!("  {}", look.dim(&reason)));
        }
        match self.what {
            What::Ready => words.push_str("  is up"),
            What::Suspended if reason.is_empty() => words.push_str("  waits for a decision"),
            _ => {}
        }
        words.trim_end().to_owned()
    }

    /// Returns whether the node's last log lines belong below the line: a container that ended badly.
    pub fn wants_log_tail(&self) -> bool {
        self.what == What::Ended && self.node.kind == NodeType::Pod && self.node.phase.is_bad()
    }
}

/// Returns the time since the beginning as `+mm:ss`, with hours in front where there are any.
pub fn stamp(span: TimeSpan) -> String {
    let seconds = span.0 / 1000;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    if hours > 0 {
        format!("+{hours}:{minutes:02}:{:02}", seconds % 60)
    } else {
        format!("+{minutes:02}:{:02}", seconds % 60)
    }
}

/// Returns a line that says that the run is still there, for surroundings that end what is silent.
pub fn heartbeat(watch: &Watch, progress: (u32, u32), now: Timestamp, look: Look) -> String {
    let count = |mark: Mark| watch.active().filter(|node| node.mark() == mark).count();
    let mut words = format!("{} {} running", stamp(now.since(watch.began)), count(Mark::Running));
    for (mark, name) in [(Mark::Pending, "waiting"), (Mark::Suspended, "suspended")] {
        if count(mark) > 0 {
            words.push_str(&format!(", {} {name}", count(mark)));
        }
    }
    words.push_str(&format!(", {}/{} done", progress.0, progress.1));
    look.dim(&words)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::view::model::tests::node;

    const BEGAN: Timestamp = Timestamp(1_700_000_000_000);

    /// Returns a watch to which the nodes of `lines` were shown, and the stamped lines it gave.
    pub(crate) fn follow(lines: &str) -> (Watch, Vec<String>) {
        let mut watch = Watch::new("wf", BEGAN);
        let mut told = Vec::new();
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (ix, rest) = line.split_once(' ').expect("a place and a node");
            let ix = NodeIx(ix.parse().expect("a place is a number"));
            let node = node("wf", rest);
            let at = node.finished_at.unwrap_or(node.started_at);
            told.extend(watch.touch(ix, node, at).map(|change| change.stamped(BEGAN, Look::PLAIN)));
        }
        (watch, told)
    }

    #[test]
    fn each_change_is_told_once() {
        let (watch, told) = follow(
            "0 wf Steps Running
             1 wf[0] StepGroup Running
             2 wf[0].build Pod Pending
             2 wf[0].build Pod Running
             2 wf[0].build Pod Running
             2 wf[0].build Pod Succeeded for=84
             2 wf[0].build Pod Succeeded for=84
             3 wf[1].no Skipped Skipped at=85 msg=when_'false'_evaluated_false
             4 wf[1].ask Suspend Running at=86
             5 wf[2].bad Pod Failed at=3700 for=1 msg=Error_(exit_code_1)
             6 wf[2].never Skipped Omitted",
        );
        let expected = [
            "+00:00 ● build",
            "+01:24 ✔ build 1m24s",
            "+01:28 ○ no  when 'false' evaluated false",
            "+01:26 ǁ ask  waits for a decision",
            "+1:01:41 ✖ bad 1.0s  Error (exit code 1)",
        ];
        assert_eq!(told, expected);
        assert_eq!((watch.active().count(), watch.bad()), (1, 1));
    }

    #[test]
    fn loops_are_counted_by_item_whatever_the_attempts() {
        let (watch, _) = follow(
            "1 wf.map(0:a)(0) Pod Failed
             2 wf.map(0:a)(1) Pod Running
             3 wf.map(1:b)(0) Pod Succeeded
             4 wf.plain Pod Running",
        );
        let fold = &watch.folds()["map"];
        assert_eq!(
            (fold.len(), fold.count(Mark::Running), fold.count(Mark::Succeeded), fold.count(Mark::Failed)),
            (2, 1, 1, 0)
        );
        assert_eq!(split_item("a.map(3:x:y)(0)"), Some(("a.map", "3:x:y")));
        assert_eq!(split_item("build(0)"), None);
    }

    #[test]
    fn a_heartbeat_counts() {
        let (watch, _) = follow("1 wf.a Pod Running\n2 wf.b Pod Pending\n3 wf.c Suspend Running");
        let line = heartbeat(&watch, (4, 7), Timestamp(BEGAN.0 + 60_000), Look::PLAIN);
        assert_eq!(line, "+01:00 1 running, 1 waiting, 1 suspended, 4/7 done");
    }
}
