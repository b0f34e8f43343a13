//! What a plan will do, as a graph: a node for each step or task, with what it calls below it.
//!
//! The renderers stand in files of their own; all take the same [`Graph`].

pub mod dot;
pub mod layout;
pub mod mermaid;
pub mod rows;
pub mod svg;

use crate::base::limits;
use crate::plan::{Body, Dag, Plan, Task, TemplateIx};

/// Edges between two groups that are drawn one by one; more go through a node of their own.
const DIRECT_EDGES_MAX: usize = 64;

/// A graph without cycles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    /// The nodes; each stands behind those that it follows.
    pub nodes: Vec<Node>,
    /// From a node to one that follows it, by their places in `nodes`.
    pub edges: Vec<(usize, usize)>,
    /// Whether something was left out for the bound on nodes.
    pub is_cut: bool,
}

/// A step, a task, or where several ways meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it is called, with the names of its callers before it; empty where ways meet.
    pub name: String,
    /// What it calls, and how.
    pub detail: String,
    /// What it does.
    pub kind: Kind,
}

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It runs something.
    Leaf,
    /// It calls others.
    Group,
    /// It waits.
    Suspend,
    /// Ways meet here.
    Join,
}

impl Graph {
    /// Returns the graph of a plan from its entrypoint on, and of its exit handler. What is called is shown
    /// in place of the call when `expand` says so, recursion apart.
    pub fn of(plan: &Plan, expand: bool) -> Self {
        let mut builder = Builder { plan, expand, graph: Graph::default(), way: Vec::new() };
        let entry = builder.root(plan.entrypoint, "");
        let ends = builder.inside(plan.entrypoint, "", vec![entry]);
        if let Some(on_exit) = plan.on_exit {
            let exit = builder.root(on_exit, "onExit: ");
            builder.connect(&ends, &[exit]);
            builder.inside(on_exit, "onExit.", vec![exit]);
        }
        builder.graph
    }

    /// Returns, by node, the nodes that it follows.
    pub fn parents(&self) -> Vec<Vec<usize>> {
        let mut parents = vec![Vec::new(); self.nodes.len()];
        for (from, to) in &self.edges {
            parents[*to].push(*from);
        }
        parents
    }
}

struct Builder<'p> {
    plan: &'p Plan,
    expand: bool,
    graph: Graph,
    /// The templates that are being shown, the outermost first.
    way: Vec<TemplateIx>,
}

impl Builder<'_> {
    fn root(&mut self, template: TemplateIx, title: &str) -> usize {
        let kind = self.kind(Some(template));
        self.push(Node { name: format!("{title}{}", self.plan.template(template).name), detail: String::new(), kind })
    }

    fn push(&mut self, node: Node) -> usize {
        self.graph.nodes.push(node);
        self.graph.nodes.len() - 1
    }

    fn is_full(&mut self) -> bool {
        self.graph.is_cut |= self.graph.nodes.len() >= limits::GRAPH_NODES_MAX;
        self.graph.is_cut
    }

    fn kind(&self, target: Option<TemplateIx>) -> Kind {
        match target.map(|target| &self.plan.template(target).body) {
            Some(Body::Steps(_) | Body::Dag(_)) => Kind::Group,
            Some(Body::Suspend) => Kind::Suspend,
            _ => Kind::Leaf,
        }
    }

    /// Shows what a template does behind `before`; returns the nodes that end it. The depth is that of
    /// templates that call each other, each once.
    fn inside(&mut self, template: TemplateIx, prefix: &str, before: Vec<usize>) -> Vec<usize> {
        if self.way.contains(&template) || self.way.len() >= limits::TEMPLATE_DEPTH_MAX as usize || self.is_full() {
            return before;
        }
        self.way.push(template);
        let plan = self.plan;
        let ends = match &plan.template(template).body {
            Body::Steps(groups) => self.steps(groups, prefix, before),
            Body::Dag(dag) => self.dag(dag, prefix, before),
            _ => before,
        };
        self.way.pop();
        ends
    }

    fn steps(&mut self, groups: &[Vec<Task>], prefix: &str, mut before: Vec<usize>) -> Vec<usize> {
        for group in groups.iter().filter(|group| !group.is_empty()) {
            if before.len() * group.len() > DIRECT_EDGES_MAX {
                let join = self.push(Node { name: String::new(), detail: String::new(), kind: Kind::Join });
                self.connect(&before, &[join]);
                before = vec![join];
            }
            let mut after = Vec::new();
            for task in group {
                after.extend(self.task(task, prefix, &before));
            }
            before = after;
        }
        before
    }

    fn dag(&mut self, dag: &Dag, prefix: &str, before: Vec<usize>) -> Vec<usize> {
        let mut ends: Vec<Vec<usize>> = vec![Vec::new(); dag.tasks.len()];
        let mut waits: Vec<usize> = dag.parents.iter().map(Vec::len).collect();
        let mut ready: std::collections::VecDeque<usize> = (0..waits.len()).filter(|ix| waits[*ix] == 0).collect();
        while let Some(ix) = ready.pop_front() {
            let mut parents: Vec<usize> = dag.parents[ix].iter().flat_map(|parent| ends[*parent].clone()).collect();
            parents.sort_unstable();
            parents.dedup();
            ends[ix] = self.task(&dag.tasks[ix], prefix, if parents.is_empty() { &before } else { &parents });
            for next in &dag.dependents[ix] {
                waits[*next] -= 1;
                if waits[*next] == 0 {
                    ready.push_back(*next);
                }
            }
        }
        let last = (0..dag.tasks.len()).filter(|ix| dag.dependents[*ix].is_empty());
        last.flat_map(|ix| std::mem::take(&mut ends[ix])).collect()
    }

    fn task(&mut self, task: &Task, prefix: &str, before: &[usize]) -> Vec<usize> {
        if self.is_full() {
            return before.to_vec();
        }
        let name = format!("{prefix}{}", task.name);
        let node = Node { detail: detail(task), kind: self.kind(task.target), name: name.clone() };
        let node = self.push(node);
        self.connect(before, &[node]);
        match task.target.filter(|_| self.expand) {
            Some(target) => self.inside(target, &format!("{name}."), vec![node]),
            None => vec![node],
        }
    }

    fn connect(&mut self, from: &[usize], to: &[usize]) {
        let pairs = from.iter().flat_map(|from| to.iter().map(move |to| (*from, *to)));
        self.graph.edges.extend(pairs);
    }
}

/// Returns what a call calls, and what it hangs on.
fn detail(task: &Task) -> String {
    let spec = &task.spec;
    let mut parts = Vec::new();
    if let Some(reference) = &spec.template_ref {
        let (name, template) = (reference.name.as_deref(), reference.template.as_deref());
        parts.push(format!("{}/{}", name.unwrap_or_default(), template.unwrap_or_default()));
    } else if let Some(name) = spec.template.as_deref().filter(|name| **name != *task.name) {
        parts.push(name.to_owned());
    }
    if !spec.with_items.is_empty() {
        parts.push(format!("for {} items", spec.with_items.len()));
    } else if spec.with_param.as_deref().is_some_and(|text| !text.is_empty()) || spec.with_sequence.is_some() {
        parts.push("for each item".to_owned());
    }
    if let Some(when) = spec.when.as_deref().filter(|when| !when.trim().is_empty()) {
        parts.push(format!("when {}", when.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    parts.join(", ")
}
