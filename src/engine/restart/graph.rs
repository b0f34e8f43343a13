//! From a run, and what is asked of it, to the graph that a retry decides upon.

use super::{Fate, Vertex, Wish, restart, touched};
use crate::base::{NodeIx, suggest};
use crate::engine::event::Caller;
use crate::engine::fold::caller_node;
use crate::engine::observation::Control;
use crate::engine::run::{Run, Slot};
use crate::engine::selector::Selector;

/// What a retry does to a run; nodes in neither list stay as they are.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Restart {
    /// The nodes of the run, and what becomes of each.
    pub fates: Vec<(NodeIx, Fate)>,
}

impl Restart {
    /// Returns the nodes that are forgotten.
    pub fn gone(&self) -> Vec<NodeIx> {
        self.of(|fate| matches!(fate, Fate::Forget(_)))
    }

    /// Returns the nodes that are at work again.
    pub fn open(&self) -> Vec<NodeIx> {
        self.of(|fate| *fate == Fate::Open)
    }

    fn of(&self, which: impl Fn(&Fate) -> bool) -> Vec<NodeIx> {
        self.fates.iter().filter(|(_, fate)| which(fate)).map(|(ix, _)| *ix).collect()
    }
}

/// Returns what a retry does to a run; any other request does nothing.
pub fn plan(run: &Run, control: &Control) -> Result<Restart, String> {
    let Control::Retry { restart_successful, selector, from, parameters } = control else {
        return Ok(Restart::default());
    };
    let graph = Graph::new(run);
    let selected = Selector::parse(selector)?;
    let places = || graph.places.iter().enumerate();
    let mut wish = Wish::default();
    match (restart_successful, selector.is_empty()) {
        (_, true) => {}
        (true, false) => {
            wish.picked = places().filter(|(_, ix)| selected.matches(run, **ix)).map(|(at, _)| at).collect()
        }
        (false, false) => {
            let within = places().filter(|(_, ix)| selected.matches_within(run, &calls(run, **ix)));
            wish.only = Some(within.map(|(at, _)| at).collect());
            wish.named = selected.names_some();
        }
    }
    if !from.is_empty() {
        wish.picked.push(graph.named(run, from)?);
    }
    let changed = touched::parameters(run, parameters);
    wish.changed = touched::nodes(run, &changed).calls.into_iter().map(|(ix, name)| (graph.at(ix), name)).collect();
    let fates = restart(&graph.vertices, &wish);
    Ok(Restart { fates: graph.places.into_iter().zip(fates).collect() })
}

/// Returns a node and all that called it, up to the run.
fn calls(run: &Run, ix: NodeIx) -> Vec<NodeIx> {
    std::iter::successors(Some(ix), |ix| caller_node(&run.slot(*ix).caller)).collect()
}

/// Returns whether a selector matches a node of the run.
pub(in crate::engine) fn matches_any(run: &Run, selector: &str) -> bool {
    Selector::parse(selector).is_ok_and(|selector| run.nodes().any(|node| selector.matches(run, node.ix)))
}

/// The nodes of a run that no earlier retry forgot.
pub(super) struct Graph {
    pub vertices: Vec<Vertex>,
    /// The places of the vertices in the run.
    pub places: Vec<NodeIx>,
    /// The vertices of the run's nodes.
    ats: Vec<usize>,
}

impl Graph {
    pub(super) fn new(run: &Run) -> Self {
        let mut graph = Self { vertices: Vec::new(), places: Vec::new(), ats: Vec::with_capacity(run.slots.len()) };
        for slot in &run.slots {
            graph.ats.push(graph.places.len());
            if !slot.gone {
                graph.places.push(slot.node.ix);
            }
        }
        let mut vertices: Vec<Vertex> = Vec::with_capacity(graph.places.len());
        for ix in &graph.places {
            let vertex = graph.vertex(run, run.slot(*ix), &vertices);
            vertices.push(vertex);
        }
        graph.vertices = vertices;
        graph
    }

    pub(super) fn at(&self, ix: NodeIx) -> usize {
        self.ats[ix.index()]
    }

    fn vertex(&self, run: &Run, slot: &Slot, before: &[Vertex]) -> Vertex {
        let group = match &slot.caller {
            Caller::Task(dag, task, Some(_)) => run.task_node(*dag, *task),
            _ => None,
        };
        let above = caller_node(&slot.caller);
        let callers = group.into_iter().chain(above).filter(|ix| !run.slot(*ix).gone);
        let children = slot.node.children.iter().filter(|ix| !run.slot(**ix).gone);
        Vertex {
            kind: slot.node.kind,
            phase: slot.node.phase,
            callers: callers.map(|ix| self.at(ix)).collect(),
            children: children.map(|ix| self.at(*ix)).collect(),
            attempt_of: match slot.caller {
                Caller::Attempt(retry, _) => Some(self.at(retry)),
                _ => None,
            },
            hook_of: match slot.caller {
                Caller::Hook(of, _) => Some(self.at(of)),
                _ => None,
            },
            on_exit: match slot.caller {
                Caller::Exit => true,
                _ => above.is_some_and(|above| before.get(self.at(above)).is_some_and(|above| above.on_exit)),
            },
        }
    }

    /// Returns the node that a person names: in full, without the run's name, or as it is displayed.
    fn named(&self, run: &Run, name: &str) -> Result<usize, String> {
        let known: Vec<usize> = (0..self.places.len())
            .filter(|at| {
                let node = run.node(self.places[*at]);
                let rest = node.name.strip_prefix(run.name().as_str()).unwrap_or(&node.name);
                [&*node.name, rest, rest.trim_start_matches('.'), &*node.display_name].contains(&name)
            })
            .collect();
        match known[..] {
            [only] => Ok(only),
            [] => {
                let names = self.places.iter().map(|ix| &*run.node(*ix).display_name);
                let near = suggest::nearest(name, names).map(|near| format!("; did you mean `{near}`?"));
                Err(format!("the run has no node `{name}`{}", near.unwrap_or_default()))
            }
            [first, second, ..] => Err(format!(
                "`{name}` is the name of several nodes; write `{}` or `{}`",
                run.node(self.places[first]).name,
                run.node(self.places[second]).name
            )),
        }
    }
}
