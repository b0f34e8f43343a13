//! What a retry does to the nodes of a run: forget them, open them again, keep them. A pure function
//! of the graph that nodes make. Source: Argo's `FormulateRetryWorkflow`.
//!
//! What failed is forgotten with all that came after it; what called it is at work again; the rest
//! stays. A failure that was got over, so that something after it succeeded, stays too.

pub mod graph;
pub(super) mod touched;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::model::{NodeType, Phase};

/// A node as a retry sees it. Callers stand before what they call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vertex {
    /// What it is.
    pub kind: NodeType,
    /// Where it is in its life.
    pub phase: Phase,
    /// The nodes that wait for it: they are at work again when it is.
    pub callers: Vec<usize>,
    /// The nodes that come after it.
    pub children: Vec<usize>,
    /// The retry node whose attempt it is.
    pub attempt_of: Option<usize>,
    /// The node whose hook it is.
    pub hook_of: Option<usize>,
    /// Whether it belongs to the run's exit handler, which each retry runs anew.
    pub on_exit: bool,
}

impl Vertex {
    /// Returns whether it runs others, and nothing itself.
    pub fn is_group(&self) -> bool {
        use NodeType::{Dag, Retry, StepGroup, Steps, TaskGroup};
        matches!(self.kind, Dag | Retry | StepGroup | Steps | TaskGroup)
    }
}

/// What a retry is asked for. Nodes are named by their place in the graph.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// Nodes that are to run again, whatever became of them.
    pub picked: Vec<usize>,
    /// The nodes that are to run again if they failed; all that failed when absent.
    pub only: Option<BTreeSet<usize>>,
    /// Whether those are named one by one, so that also a failure that was got over runs again.
    pub named: bool,
    /// Nodes that would be given something else now, and the parameter that is why.
    pub changed: Vec<(usize, Arc<str>)>,
}

/// What a retry does to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It stays as it is.
    Keep,
    /// It failed and stays as it is.
    KeepFailed(Spared),
    /// It is at work again, and what is in it that succeeded stays.
    Open,
    /// It is forgotten, and made anew when its turn comes.
    Forget(Why),
}

/// Why a node that failed does not run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spared {
    /// Something after it succeeded.
    GotOver,
    /// It was not picked.
    NotPicked,
}

/// Why a node runs again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It failed.
    Failed,
    /// It was picked.
    Picked,
    /// It would be given something else: this parameter of the workflow changed.
    Changed(Arc<str>),
    /// It comes after this node, which runs again.
    After(usize),
    /// The node whose attempt it was makes its attempts anew.
    Attempt(usize),
    /// It is a container of this pod, which runs again as a whole.
    Together(usize),
    /// It is a hook of this node, which is at work again.
    Hook(usize),
    /// It belongs to the run's exit handler.
    Exit,
}

/// Returns what becomes of each node.
pub fn restart(graph: &[Vertex], wish: &Wish) -> Vec<Fate> {
    let mut restart = Restart { graph, fates: vec![Fate::Keep; graph.len()] };
    restart.exits();
    restart.seeds(wish);
    restart.attempts();
    restart.open_callers();
    restart.hooks();
    restart.fates
}

struct Restart<'g> {
    graph: &'g [Vertex],
    fates: Vec<Fate>,
}

impl Restart<'_> {
    fn is_forgotten(&self, at: usize) -> bool {
        matches!(self.fates[at], Fate::Forget(_))
    }

    fn exits(&mut self) {
        for (at, _) in self.graph.iter().enumerate().filter(|(_, vertex)| vertex.on_exit) {
            self.fates[at] = Fate::Forget(Why::Exit);
        }
    }

    /// Forgets what is asked for and what failed, each with all that comes after it. What stands
    /// higher goes first: what comes after it is not looked at for itself.
    fn seeds(&mut self, wish: &Wish) {
        let mut picked = vec![false; self.graph.len()];
        wish.picked.iter().for_each(|at| picked[*at] = true);
        for at in self.places(&wish.picked) {
            self.forget(at, Why::Picked);
        }
        for (at, parameter) in &wish.changed {
            self.change(*at, parameter);
        }
        let got_over = got_over(self.graph, &picked);
        for (at, vertex) in self.graph.iter().enumerate() {
            if self.is_forgotten(at) || !vertex.phase.is_bad() || vertex.is_group() {
                continue;
            }
            let is_wanted = wish.only.as_ref().is_none_or(|only| only.contains(&at));
            let is_named = wish.named && is_wanted;
            if got_over[vertex.attempt_of.unwrap_or(at)] && !is_named {
                self.fates[at] = Fate::KeepFailed(Spared::GotOver);
            } else if !is_wanted {
                self.fates[at] = Fate::KeepFailed(Spared::NotPicked);
            } else {
                self.forget(at, Why::Failed);
            }
        }
    }

    /// A loop that goes over something else stays, and forgets its rounds.
    fn change(&mut self, at: usize, parameter: &Arc<str>) {
        let graph = self.graph;
        if graph[at].kind != NodeType::TaskGroup {
            return self.forget(at, Why::Changed(parameter.clone()));
        }
        if !self.is_forgotten(at) {
            self.fates[at] = Fate::Open;
            graph[at].children.iter().for_each(|round| self.forget(*round, Why::Changed(parameter.clone())));
        }
    }

    /// Returns the picked nodes, and for a container its pod: the pod's containers run together.
    fn places(&self, picked: &[usize]) -> Vec<usize> {
        let pod = |at: &usize| match self.graph[*at].kind {
            NodeType::Container => self.graph[*at].callers.first().copied().unwrap_or(*at),
            _ => *at,
        };
        picked.iter().map(pod).collect()
    }

    fn forget(&mut self, at: usize, why: Why) {
        if self.is_forgotten(at) {
            return;
        }
        let together = self.graph[at].kind == NodeType::Pod;
        self.fates[at] = Fate::Forget(why);
        let mut walk: Vec<usize> = self.graph[at].children.clone();
        while let Some(next) = walk.pop() {
            if !self.is_forgotten(next) {
                let inner = together && self.graph[next].kind == NodeType::Container;
                self.fates[next] = Fate::Forget(if inner { Why::Together(at) } else { Why::After(at) });
                walk.extend(&self.graph[next].children);
            }
        }
        if self.graph[at].kind == NodeType::Container
            && let Some(pod) = self.graph[at].callers.first()
        {
            self.forget(*pod, Why::Together(at));
        }
    }

    /// A node that lost an attempt makes its attempts anew.
    fn attempts(&mut self) {
        let lost = |at: &usize| self.is_forgotten(*at) && self.graph[*at].attempt_of.is_some();
        let lost: Vec<usize> = (0..self.graph.len()).filter(lost).collect();
        let mut renewed = vec![false; self.graph.len()];
        lost.iter().filter_map(|at| self.graph[*at].attempt_of).for_each(|retry| renewed[retry] = true);
        for at in 0..self.graph.len() {
            if let Some(retry) = self.graph[at].attempt_of.filter(|retry| renewed[*retry]) {
                self.forget(at, Why::Attempt(retry));
            }
        }
    }

    /// Opens what called something that is forgotten, and what failed by itself: no failure of
    /// another is behind it, so that only looking again can mend it.
    fn open_callers(&mut self) {
        let mut opens = vec![false; self.graph.len()];
        let mut blamed = vec![false; self.graph.len()];
        for at in (0..self.graph.len()).rev() {
            let vertex = &self.graph[at];
            let by_itself = vertex.is_group() && vertex.phase.is_bad() && !blamed[at];
            if vertex.phase.is_bad() || blamed[at] {
                vertex.callers.iter().for_each(|caller| blamed[*caller] = true);
            }
            // A hook's end does not decide how its node ended, but the node waits for it.
            opens[at] |= self.fates[at] == Fate::Open;
            if self.is_forgotten(at) || opens[at] || by_itself {
                vertex.callers.iter().for_each(|caller| opens[*caller] = true);
            }
            if (opens[at] || by_itself) && vertex.is_group() && !self.is_forgotten(at) {
                self.fates[at] = Fate::Open;
            }
        }
    }

    /// Hooks of what is at work again are run again when their time comes.
    fn hooks(&mut self) {
        for at in 0..self.graph.len() {
            if let Some(of) = self.graph[at].hook_of.filter(|of| self.fates[*of] == Fate::Open) {
                self.forget(at, Why::Hook(of));
            }
        }
    }
}

/// Returns for each node whether something after it succeeded that is not to run again. A hook's
/// success says nothing of its node.
fn got_over(graph: &[Vertex], picked: &[bool]) -> Vec<bool> {
    let mut known: Vec<Option<bool>> = vec![None; graph.len()];
    for start in 0..graph.len() {
        let mut stack = vec![(start, false)];
        while let Some((at, after_children)) = stack.pop() {
            if known[at].is_some() {
                continue;
            }
            let after = || graph[at].children.iter().copied().filter(|child| graph[*child].hook_of.is_none());
            if after_children {
                let good = |child: usize| graph[child].phase == Phase::Succeeded && !picked[child];
                known[at] = Some(after().any(|child| good(child) || known[child] == Some(true)));
            } else {
                stack.push((at, true));
                stack.extend(after().filter(|child| known[*child].is_none()).map(|child| (child, false)));
            }
        }
    }
    known.into_iter().map(Option::unwrap_or_default).collect()
}
