//! Retries of random DAGs against a simple oracle that knows tasks and phases only: what failed and was
//! not got over runs again, and so does all that depends on it; the rest is as it was.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::again::retry;
use super::*;
use crate::engine::forecast;
use crate::engine::restart::{Fate, Spared, Vertex, Why, Wish, restart};

/// A task: how it depends on each task before it, and whether its pod fails.
#[derive(Debug, Clone)]
struct Task {
    depends: Vec<u8>,
    fails: bool,
}

fn tasks() -> impl Strategy<Value = Vec<Task>> {
    let task = (proptest::collection::vec(0..6u8, 8), proptest::bool::weighted(0.3));
    proptest::collection::vec(task.prop_map(|(depends, fails)| Task { depends, fails }), 1..8)
}

/// How a task may depend on another; 0 and above 3 mean that it does not.
fn term(kind: u8, on: usize) -> Option<String> {
    match kind {
        1 => Some(format!("t{on}")),
        2 => Some(format!("t{on}.Failed")),
        3 => Some(format!("(t{on}.Succeeded || t{on}.Failed || t{on}.Omitted)")),
        _ => None,
    }
}

fn text(tasks: &[Task]) -> String {
    let task = |(at, task): (usize, &Task)| {
        let terms: Vec<String> = (0..at).filter_map(|on| term(task.depends[on % 8], on)).collect();
        let depends = if terms.is_empty() { String::new() } else { format!(", depends: '{}'", terms.join(" && ")) };
        format!("      - {{name: t{at}, template: echo{depends}}}\n")
    };
    let tasks: String = tasks.iter().enumerate().map(task).collect();
    workflow(&format!(
        "  entrypoint: main\n  templates:\n  - name: main\n    dag:\n      failFast: false\n      tasks:\n{tasks}{ECHO}"
    ))
}

/// The tasks after each task, near and far.
fn after(tasks: &[Task]) -> Vec<BTreeSet<usize>> {
    let mut after = vec![BTreeSet::new(); tasks.len()];
    for at in (0..tasks.len()).rev() {
        for later in at + 1..tasks.len() {
            if term(tasks[later].depends[at % 8], at).is_some() {
                let far = after[later].clone();
                after[at].insert(later);
                after[at].extend(far);
            }
        }
    }
    after
}

/// Returns the tasks that a retry makes anew.
fn oracle(tasks: &[Task], phases: &[Phase], picked: Option<usize>) -> BTreeSet<usize> {
    let after = after(tasks);
    let got_over =
        |at: usize| after[at].iter().any(|later| phases[*later] == Phase::Succeeded && Some(*later) != picked);
    let mut again: BTreeSet<usize> =
        (0..tasks.len()).filter(|at| phases[*at] == Phase::Failed && !got_over(*at)).collect();
    again.extend(picked);
    let follow: Vec<usize> = again.iter().flat_map(|at| after[*at].clone()).collect();
    again.into_iter().chain(follow).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_retry_does_what_the_oracle_says(tasks in tasks(), pick in 0..20usize) {
        let mut played = Played::new(&text(&tasks));
        played.play(&|request| {
            let at: usize = request.node_name.trim_start_matches("wf.t").parse().expect("a task");
            PodEnd::exited(i32::from(tasks[at].fails))
        });
        let names: Vec<String> = (0..tasks.len()).map(|at| format!("wf.t{at}")).collect();
        let phases: Vec<Phase> = names.iter().map(|name| played.run.find(name).expect("every task has a node").phase).collect();
        let picked = (pick < tasks.len()).then_some(pick);
        let control = retry("", &picked.map(|at| format!("t{at}")).unwrap_or_default(), &[]);
        prop_assume!(played.run.phase() == Phase::Failed || picked.is_some());

        let again = oracle(&tasks, &phases, picked);
        for planned in forecast::retry(&played.run, &control).expect("it can be retried") {
            let at: usize = planned.display_name.trim_start_matches('t').parse().expect("a task");
            let expected = match phases[at] {
                _ if again.contains(&at) => Verdict::Run,
                Phase::Succeeded => Verdict::Reuse,
                _ => Verdict::Skip,
            };
            prop_assert_eq!(planned.verdict, expected, "t{} of {:?}: {}", at, phases, planned.reason);
        }
        let before = played.run.slots.len();
        played.again(&control, &ok);
        prop_assert!(played.run.phase().is_final());
        let made: BTreeSet<usize> = played.run.slots[before..].iter().map(|slot| slot.node.display_name[1..].parse().expect("a task")).collect();
        prop_assert_eq!(made, again);
        played.check_folds();
    }
}

#[test]
fn each_rule_of_a_retry_decides_as_the_table_says() {
    use NodeType::{Container, Dag, Pod, Retry, StepGroup, Suspend, TaskGroup};
    let vertex = |kind, phase, callers: &[usize], children: &[usize]| Vertex {
        kind,
        phase,
        callers: callers.to_vec(),
        children: children.to_vec(),
        attempt_of: None,
        hook_of: None,
        on_exit: false,
    };
    let (good, bad) = (Phase::Succeeded, Phase::Failed);
    let root = |phase, children: &[usize]| vertex(Dag, phase, &[], children);
    let attempt = |phase, of: usize| Vertex { attempt_of: Some(of), ..vertex(Pod, phase, &[of], &[]) };
    let hook = |phase, of: usize| Vertex { hook_of: Some(of), ..vertex(Pod, phase, &[of], &[]) };
    let pick = |at: usize| Wish { picked: vec![at], ..Wish::default() };
    let changed = |at: usize| Wish { changed: vec![(at, "p".into())], ..Wish::default() };
    let none = Wish::default();
    let forget = Fate::Forget;
    for (what, graph, wish, expected) in [
        (
            "a failure and what follows",
            vec![root(bad, &[1]), vertex(Pod, bad, &[0], &[2]), vertex(Pod, Phase::Omitted, &[0], &[])],
            none.clone(),
            vec![Fate::Open, forget(Why::Failed), forget(Why::After(1))],
        ),
        (
            "a failure got over",
            vec![root(bad, &[1]), vertex(Pod, bad, &[0], &[2]), vertex(Pod, good, &[0], &[])],
            none.clone(),
            vec![Fate::Keep, Fate::KeepFailed(Spared::GotOver), Fate::Keep],
        ),
        (
            "got over only by what is picked",
            vec![root(bad, &[1]), vertex(Pod, bad, &[0], &[2]), vertex(Pod, good, &[0], &[])],
            pick(2),
            vec![Fate::Open, forget(Why::Failed), forget(Why::Picked)],
        ),
        (
            "attempts go together",
            vec![vertex(Retry, bad, &[], &[1, 2]), attempt(bad, 0), attempt(bad, 0)],
            none.clone(),
            vec![Fate::Open, forget(Why::Failed), forget(Why::Failed)],
        ),
        (
            "an attempt that succeeded is picked",
            vec![vertex(Retry, good, &[], &[1, 2]), attempt(bad, 0), attempt(good, 0)],
            pick(2),
            vec![Fate::Open, forget(Why::Failed), forget(Why::Picked)],
        ),
        (
            "an attempt that succeeded keeps those before it",
            vec![vertex(Retry, good, &[], &[1, 2]), attempt(bad, 0), attempt(good, 0)],
            none.clone(),
            vec![Fate::Keep, Fate::KeepFailed(Spared::GotOver), Fate::Keep],
        ),
        (
            "one attempt of several is picked",
            vec![vertex(Retry, bad, &[], &[1, 2]), attempt(bad, 0), attempt(bad, 0)],
            Wish { only: Some([2].into()), ..Wish::default() },
            vec![Fate::Open, forget(Why::Attempt(0)), forget(Why::Failed)],
        ),
        (
            "a hook's success is not its node's",
            vec![root(bad, &[1]), vertex(Pod, bad, &[0], &[2]), hook(good, 1)],
            none.clone(),
            vec![Fate::Open, forget(Why::Failed), forget(Why::After(1))],
        ),
        (
            "hooks of what is open",
            vec![root(bad, &[1]), vertex(TaskGroup, bad, &[0], &[2, 3]), vertex(Pod, bad, &[1, 0], &[]), hook(good, 1)],
            none.clone(),
            vec![Fate::Open, Fate::Open, forget(Why::Failed), forget(Why::Hook(1))],
        ),
        (
            "a pause that failed",
            vec![root(bad, &[1]), vertex(Suspend, bad, &[0], &[])],
            none.clone(),
            vec![Fate::Open, forget(Why::Failed)],
        ),
        (
            "a group that failed by itself",
            vec![root(bad, &[1]), vertex(StepGroup, Phase::Error, &[0], &[2]), vertex(Pod, good, &[1], &[])],
            none.clone(),
            vec![Fate::Open, Fate::Open, Fate::Keep],
        ),
        (
            "a container takes its pod along",
            vec![
                vertex(Pod, good, &[], &[1, 2]),
                vertex(Container, good, &[0], &[]),
                vertex(Container, good, &[0], &[]),
            ],
            pick(1),
            vec![forget(Why::Picked), forget(Why::Together(0)), forget(Why::Together(0))],
        ),
        (
            "a changed call",
            vec![root(good, &[1]), vertex(Pod, good, &[0], &[2]), vertex(Pod, good, &[0], &[])],
            changed(1),
            vec![Fate::Open, forget(Why::Changed("p".into())), forget(Why::After(1))],
        ),
        (
            "a changed loop",
            vec![root(good, &[1]), vertex(TaskGroup, good, &[0], &[2]), vertex(Pod, good, &[1, 0], &[])],
            changed(1),
            vec![Fate::Open, Fate::Open, forget(Why::Changed("p".into()))],
        ),
        (
            "a failure that is not picked",
            vec![root(bad, &[1, 2]), vertex(Pod, bad, &[0], &[]), vertex(Pod, bad, &[0], &[])],
            Wish { only: Some([1].into()), ..Wish::default() },
            vec![Fate::Open, forget(Why::Failed), Fate::KeepFailed(Spared::NotPicked)],
        ),
        (
            "a failure that was got over is named",
            vec![root(good, &[1]), vertex(Pod, bad, &[0], &[2]), vertex(Pod, good, &[0], &[])],
            Wish { only: Some([1].into()), named: true, ..Wish::default() },
            vec![Fate::Open, forget(Why::Failed), forget(Why::After(1))],
        ),
        (
            "the run's exit handler",
            vec![vertex(Pod, bad, &[], &[]), Vertex { on_exit: true, ..vertex(Pod, good, &[], &[]) }],
            none,
            vec![forget(Why::Failed), forget(Why::Exit)],
        ),
    ] {
        assert_eq!(restart(&graph, &wish), expected, "{what}");
    }
}
