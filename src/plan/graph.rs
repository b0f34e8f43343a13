//! The graph of a DAG template: who waits for whom, who decides the outcome, and cycles.
//!
//! **Invariant:** this is the only place that knows the graph library; all of it is linear in
//! tasks and dependencies, and none of it recurses.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::model::TaskIx;
use crate::base::limits;
use crate::expr::depends::{Expr, TaskResult};
use crate::spec;

/// Returns the condition with every bare name replaced by the results that it stands for
/// (`expandDependency`); a name that is no task stays bare. Recursion is bounded by the parser.
pub(super) fn expand(expr: Expr, tasks: &[Arc<spec::DAGTask>], by_name: &BTreeMap<Arc<str>, TaskIx>) -> Expr {
    let all = |members: Vec<Expr>| members.into_iter().map(|member| expand(member, tasks, by_name)).collect();
    match expr {
        Expr::Task { name, result: None, span } => match by_name.get(name.as_str()) {
            Some(&task) => expand_bare(&name, &span, &tasks[task]),
            None => Expr::Task { name, result: None, span },
        },
        task @ Expr::Task { .. } => task,
        Expr::And(members) => Expr::And(all(members)),
        Expr::Or(members) => Expr::Or(all(members)),
        Expr::Not(inner) => Expr::Not(Box::new(expand(*inner, tasks, by_name))),
    }
}

fn expand_bare(name: &str, span: &std::ops::Range<usize>, task: &spec::DAGTask) -> Expr {
    let goes_on = |of: fn(&spec::ContinueOn) -> Option<bool>| task.continue_on.as_ref().and_then(of) == Some(true);
    let results = TaskResult::bare(goes_on(|on| on.error), goes_on(|on| on.failed));
    let one = |result| Expr::Task { name: name.to_owned(), result: Some(result), span: span.clone() };
    Expr::Or(results.map(one).collect())
}

/// Returns, for each task, the tasks that have it among their parents.
pub(super) fn dependents(parents: &[Vec<TaskIx>]) -> Vec<Vec<TaskIx>> {
    let mut dependents = vec![Vec::new(); parents.len()];
    for (task, parents) in parents.iter().enumerate() {
        for &parent in parents {
            dependents[parent].push(task);
        }
    }
    dependents
}

/// Returns the tasks that nobody depends on, by name, as Argo orders them (`findLeafTaskNames`).
pub(super) fn leaves(tasks: &[Arc<spec::DAGTask>], dependents: &[Vec<TaskIx>]) -> Vec<TaskIx> {
    let mut leaves: Vec<TaskIx> = (0..tasks.len()).filter(|&task| dependents[task].is_empty()).collect();
    leaves.sort_by(|&a, &b| tasks[a].name.cmp(&tasks[b].name));
    leaves
}

/// Returns one cycle of each knot of tasks that wait for each other: tasks in the order in which
/// each depends on the next, and the last on the first. The shortest through the first task of
/// the knot is taken, since the whole knot is rarely readable.
pub(super) fn cycles(parents: &[Vec<TaskIx>]) -> Vec<Vec<TaskIx>> {
    let mut graph: DiGraph<(), ()> = DiGraph::with_capacity(parents.len(), parents.iter().map(Vec::len).sum());
    for _ in parents {
        graph.add_node(());
    }
    for (task, parents) in parents.iter().enumerate() {
        for &parent in parents {
            graph.add_edge(NodeIndex::new(task), NodeIndex::new(parent), ());
        }
    }
    // Tarjan's algorithm as the library has it recurses, and a chain of 100,000 tasks would end
    // the stack; Kosaraju's does not.
    let mut cycles: Vec<Vec<TaskIx>> = kosaraju_scc(&graph)
        .into_iter()
        .filter_map(|knot| cycle_in(parents, &knot.into_iter().map(NodeIndex::index).collect::<Vec<_>>()))
        .collect();
    cycles.sort();
    cycles
}

/// Returns the names of a circle, the first again at the end, as messages write them.
pub(super) fn circle(way: &[&str]) -> String {
    let shown = &way[..way.len().min(limits::CIRCLE_NAMES_MAX)];
    let rest = way.len() - shown.len();
    let tail = if rest == 0 { String::new() } else { format!(" → {rest} more, back to `{}`", way[0]) };
    format!("`{}`{tail}", shown.join("` → `"))
}

/// Returns the shortest cycle through the first task of a strongly connected knot.
fn cycle_in(parents: &[Vec<TaskIx>], knot: &[TaskIx]) -> Option<Vec<TaskIx>> {
    let start = *knot.iter().min()?;
    let inside: std::collections::BTreeSet<TaskIx> = knot.iter().copied().collect();
    let mut came_from: BTreeMap<TaskIx, TaskIx> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(task) = queue.pop_front() {
        for &parent in parents[task].iter().filter(|parent| inside.contains(parent)) {
            if parent == start {
                return Some(way_back(&came_from, start, task));
            }
            came_from.entry(parent).or_insert_with(|| {
                queue.push_back(parent);
                task
            });
        }
    }
    None
}

fn way_back(came_from: &BTreeMap<TaskIx, TaskIx>, start: TaskIx, last: TaskIx) -> Vec<TaskIx> {
    let mut way = vec![last];
    let mut task = last;
    while task != start {
        task = came_from[&task];
        way.push(task);
    }
    way.reverse();
    way
}

/// How many tasks a question about ancestors looks at by itself before it is put off.
const NEAR_TASKS_MAX: usize = 64;

/// Answers, for each pair of a task and another, whether the other is among those that the task
/// waits for, directly or not.
///
/// Most pairs are near each other, and a short search backwards finds them. The rest are answered
/// together, 64 at a time, by one pass over the graph, so that the cost stays far below tasks
/// times tasks. Argo keeps a set of ancestors per task, which makes 3,000 tasks take a minute.
pub(super) fn waits_for(parents: &[Vec<TaskIx>], pairs: &[(TaskIx, TaskIx)]) -> Vec<bool> {
    let mut answers = vec![false; pairs.len()];
    let mut open: BTreeMap<TaskIx, Vec<usize>> = BTreeMap::new();
    for (index, &(task, other)) in pairs.iter().enumerate() {
        match is_near(parents, task, other) {
            Some(answer) => answers[index] = answer,
            None => open.entry(other).or_default().push(index),
        }
    }
    if open.is_empty() {
        return answers;
    }
    let order = parents_first(parents);
    let others: Vec<TaskIx> = open.keys().copied().collect();
    for chunk in others.chunks(u64::BITS as usize) {
        let masks = descent(parents, &order, chunk);
        for (bit, other) in chunk.iter().enumerate() {
            for &index in &open[other] {
                answers[index] = masks[pairs[index].0] >> bit & 1 == 1;
            }
        }
    }
    answers
}

/// Searches backwards, nearest first; none when that takes too long.
fn is_near(parents: &[Vec<TaskIx>], task: TaskIx, other: TaskIx) -> Option<bool> {
    let mut seen: Vec<TaskIx> = Vec::new();
    let mut queue = VecDeque::from([task]);
    while let Some(task) = queue.pop_front() {
        if parents[task].len() <= NEAR_TASKS_MAX && parents[task].contains(&other) {
            return Some(true);
        }
        if seen.len() + queue.len() + parents[task].len() > NEAR_TASKS_MAX {
            return None;
        }
        for &parent in &parents[task] {
            if !seen.contains(&parent) {
                seen.push(parent);
                queue.push_back(parent);
            }
        }
    }
    Some(false)
}

/// Returns the tasks so that each comes after its parents; those of a cycle are left out.
fn parents_first(parents: &[Vec<TaskIx>]) -> Vec<TaskIx> {
    let dependents = dependents(parents);
    let mut waiting: Vec<usize> = parents.iter().map(Vec::len).collect();
    let mut order: Vec<TaskIx> = (0..parents.len()).filter(|&task| waiting[task] == 0).collect();
    let mut next = 0;
    while let Some(&task) = order.get(next) {
        next += 1;
        for &dependent in &dependents[task] {
            waiting[dependent] -= 1;
            if waiting[dependent] == 0 {
                order.push(dependent);
            }
        }
    }
    order
}

/// Returns, for each task, which of at most 64 others it waits for, one bit each.
fn descent(parents: &[Vec<TaskIx>], order: &[TaskIx], others: &[TaskIx]) -> Vec<u64> {
    let bit_of: BTreeMap<TaskIx, u64> = others.iter().enumerate().map(|(bit, &other)| (other, 1 << bit)).collect();
    let mut masks = vec![0u64; parents.len()];
    // A task's own bit is passed on to its dependents, but is not its own answer.
    let mut passed = vec![0u64; parents.len()];
    for &task in order {
        masks[task] = parents[task].iter().fold(0, |mask, &parent| mask | passed[parent]);
        passed[task] = masks[task] | bit_of.get(&task).copied().unwrap_or(0);
    }
    masks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_is_found_whole_and_once() {
        for (parents, expected) in [
            (vec![vec![], vec![0], vec![1]], vec![]),
            (vec![vec![0]], vec![vec![0]]),
            (vec![vec![2], vec![0], vec![1]], vec![vec![0, 2, 1]]),
            (vec![vec![1], vec![0], vec![3], vec![2, 0]], vec![vec![0, 1], vec![2, 3]]),
        ] {
            assert_eq!(cycles(&parents), expected, "{parents:?}");
        }
    }

    #[test]
    fn a_long_chain_does_not_end_the_stack() {
        let parents: Vec<Vec<TaskIx>> =
            (0..100_000).map(|task: usize| task.checked_sub(1).into_iter().collect()).collect();
        assert_eq!(cycles(&parents), Vec::<Vec<TaskIx>>::new());
    }

    #[test]
    fn ancestors_are_known_near_and_far() {
        let chain: Vec<Vec<TaskIx>> = (0..1000).map(|task: usize| task.checked_sub(1).into_iter().collect()).collect();
        let pairs: Vec<(TaskIx, TaskIx)> =
            vec![(5, 4), (999, 0), (999, 998), (0, 999), (500, 500), (500, 501), (900, 100)];
        assert_eq!(waits_for(&chain, &pairs), [true, true, true, false, false, false, true]);
        let wide: Vec<Vec<TaskIx>> =
            (0..300).map(|task| if task < 100 { vec![] } else { (0..100).collect() }).collect();
        assert_eq!(waits_for(&wide, &[(200, 99), (200, 150), (99, 1)]), [true, false, false]);
    }

    #[test]
    fn bare_names_stand_for_what_argo_makes_of_them() {
        let task = |name: &str, continue_on| {
            Arc::new(spec::DAGTask { name: name.to_owned(), continue_on, ..Default::default() })
        };
        let on_failed = spec::ContinueOn { error: None, failed: Some(true) };
        let tasks = [task("a", None), task("b", Some(on_failed))];
        let by_name = BTreeMap::from([("a".into(), 0), ("b".into(), 1)]);
        let expr = Expr::from_dependencies(["a", "b"]);
        let expanded = expand(expr, &tasks, &by_name);
        let results: Vec<_> =
            expanded.tasks().map(|task| (task.name.to_owned(), task.result.expect("expanded"))).collect();
        use TaskResult::{Daemoned, Failed, Skipped, Succeeded};
        let expected = [
            ("a", Succeeded),
            ("a", Skipped),
            ("a", Daemoned),
            ("b", Succeeded),
            ("b", Skipped),
            ("b", Daemoned),
            ("b", Failed),
        ];
        assert_eq!(results, expected.map(|(name, result)| (name.to_owned(), result)));
    }
}
