//! What is said when a run has ended: the result, where the time went, and how to go on.

use std::collections::{BTreeMap, BTreeSet};

use super::look::{self, Look, Mark};
use super::model::{NodeView, RunView};
use super::tree::{self, Columns};
use crate::engine::NodeType;

/// A run with more nodes than this is summed up instead of drawn.
const TREE_NODES_MAX: usize = 60;

/// Failed nodes that are named when the tree is not drawn.
const FAILED_NAMED_MAX: usize = 10;

/// Returns the closing words, each line ended by a newline.
pub fn render(view: &RunView, look: Look) -> String {
    let mut text = result(view, look);
    let drawn = view.nodes.iter().filter(|node| node.kind != NodeType::StepGroup).count();
    if drawn > TREE_NODES_MAX {
        text.push_str(&totals(view, look));
    } else if drawn > 1 {
        text.push('\n');
        text.push_str(&tree::render(view, Columns::Normal, |_| true, look));
    }
    text.push_str(&outputs(view));
    text.push_str(&slowest(view, look));
    text.push_str(&go_on(view));
    text
}

/// Returns the result in one line, and how to go on where it is bad.
pub fn brief(view: &RunView, look: Look) -> String {
    let next = if view.phase.is_bad() { go_on(view) } else { String::new() };
    result(view, look) + &next
}

fn result(view: &RunView, look: Look) -> String {
    let mark = look.mark(Mark::of(view.phase));
    let state = if look.utf8 { format!(" {}", view.status()) } else { String::new() };
    let duration = view.duration().map_or_else(String::new, |span| format!(" in {span}"));
    let reason = look::one_line(&view.message);
    let reason = if reason.is_empty() { reason } else { format!(": {reason}") };
    format!("{mark} {}{state}{duration}{reason}\n", look.bold(&view.name))
}

fn totals(view: &RunView, look: Look) -> String {
    let counted = tree::totals(view).into_iter().map(|(mark, count)| format!("{count} {}", look.mark(mark)));
    let mut text = format!("  {}\n", counted.collect::<Vec<_>>().join("  "));
    let failed: Vec<&NodeView> = failed(view).collect();
    for node in failed.iter().take(FAILED_NAMED_MAX) {
        let reason = look::one_line(&node.reason(view.now));
        text.push_str(&format!("  {} {}  {reason}\n", look.mark(node.mark()), node.label(&view.name)));
    }
    if failed.len() > FAILED_NAMED_MAX {
        text.push_str(&format!("  and {} more failed\n", failed.len() - FAILED_NAMED_MAX));
    }
    text
}

fn failed(view: &RunView) -> impl Iterator<Item = &NodeView> {
    view.nodes.iter().filter(|node| node.kind.is_leaf() && node.phase.is_bad())
}

fn outputs(view: &RunView) -> String {
    let parameters = view.outputs.parameters.iter();
    let mut lines: Vec<String> = parameters
        .map(|parameter| {
            let value = look::one_line(parameter.value.as_deref().unwrap_or("<none>"));
            format!("  {} = {value}", parameter.name)
        })
        .collect();
    lines.extend(view.outputs.artifacts.iter().map(|artifact| format!("  {} (artifact)", artifact.name)));
    if lines.is_empty() { String::new() } else { format!("\nOutputs:\n{}\n", lines.join("\n")) }
}

fn slowest(view: &RunView, look: Look) -> String {
    let path = slowest_path(view);
    if path.len() < 2 {
        return String::new();
    }
    let arrow = if look.utf8 { " → " } else { " -> " };
    let named = path.iter().map(|node| format!("{} {}", node.label(&view.name), node.duration(view.now)));
    let (shown, hidden) = (SLOWEST_NAMED_MAX.min(path.len()), path.len().saturating_sub(SLOWEST_NAMED_MAX));
    let mut words = named.take(shown).collect::<Vec<_>>().join(arrow);
    if hidden > 0 {
        words.push_str(&format!("{arrow}{hidden} more"));
    }
    format!("\nSlowest path: {words}\n")
}

/// Steps of the slowest path that are named.
const SLOWEST_NAMED_MAX: usize = 8;

/// Returns the chain of nodes that the end of the run waited for: from the node that ended last, exit
/// handlers aside, each time the one before it that ended last. Linear in the nodes and their links.
pub fn slowest_path(view: &RunView) -> Vec<&NodeView> {
    let mut before: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (place, node) in view.nodes.iter().enumerate() {
        for &child in &node.children {
            before.entry(child).or_default().push(place);
        }
    }
    let ended = |&place: &usize| (view.nodes[place].finished_at, std::cmp::Reverse(place));
    let did_run = |place: &usize| {
        let node = &view.nodes[*place];
        let is_handler = tree::is_handler(&node.name, &view.name);
        node.kind.is_leaf() && node.kind != NodeType::Skipped && node.finished_at.is_some() && !is_handler
    };
    let mut seen = BTreeSet::new();
    let mut path = Vec::new();
    let mut at = (0..view.nodes.len()).filter(did_run).max_by_key(ended);
    while let Some(place) = at {
        path.push(&view.nodes[place]);
        let earlier = leaves_before(place, &before, view, &mut seen);
        at = earlier.into_iter().filter(did_run).max_by_key(ended);
    }
    path.reverse();
    path
}

/// Returns the nearest nodes that do something before `place`, through those that only hold others.
fn leaves_before(
    place: usize,
    before: &BTreeMap<usize, Vec<usize>>,
    view: &RunView,
    seen: &mut BTreeSet<usize>,
) -> Vec<usize> {
    let mut found = Vec::new();
    let mut open = vec![place];
    while let Some(next) = open.pop() {
        for &earlier in before.get(&next).into_iter().flatten() {
            if !seen.insert(earlier) {
                continue;
            }
            if view.nodes[earlier].kind.is_leaf() { found.push(earlier) } else { open.push(earlier) }
        }
    }
    found
}

/// Returns the commands that go on from here.
fn go_on(view: &RunView) -> String {
    let name = &view.name;
    let mut commands = Vec::new();
    if view.phase.is_bad() {
        if let Some(node) = failed(view).find(|node| node.kind == NodeType::Pod) {
            commands.push(format!("wf logs {name} {}", look::shell_word(&node.label(name))));
        }
        commands.push(format!("wf retry {name}"));
        commands.push(format!("wf resubmit --memoized {name}"));
    } else if view.nodes.len() > 1 {
        commands.push(format!("wf get {name}"));
        commands.push(format!("wf logs {name}"));
    }
    let lines: Vec<String> = commands.into_iter().map(|command| format!("  {command}")).collect();
    if lines.is_empty() { String::new() } else { format!("\nNext:\n{}\n", lines.join("\n")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Phase;
    use crate::view::model::tests::run;

    #[test]
    fn a_failed_run_says_why_and_how_to_go_on() {
        let mut view = run(
            "ci",
            Phase::Failed,
            "ci DAG Failed children=1
             ci.checkout Pod Succeeded boundary=0 children=2,3 tmpl=git for=3
             ci.lint Pod Succeeded boundary=0 tmpl=lint at=3 for=12
             ci.test Pod Failed boundary=0 tmpl=test at=3 for=41 msg=Error_(exit_code_1)",
        );
        view.message = "child 'ci.test' failed".to_owned();
        insta::assert_snapshot!(render(&view, Look::PLAIN), @"
        ✖ ci Failed in 1m23s: child 'ci.test' failed

        STEP           TEMPLATE  PODNAME             DURATION  MESSAGE
         ✖ ci
         ├─✔ checkout  git       ci-git-997678113    3.0s
         ├─✔ lint      lint      ci-lint-3637634700  12s
         └─✖ test      test      ci-test-2768726717  41s       Error (exit code 1)

        Slowest path: checkout 3.0s → test 41s

        Next:
          wf logs ci test
          wf retry ci
          wf resubmit --memoized ci
        ");
    }

    #[test]
    fn the_slowest_path_goes_through_groups() {
        let view = run(
            "wf",
            Phase::Succeeded,
            "wf Steps Succeeded children=1
             wf[0] StepGroup Succeeded children=2,3
             wf[0].a Pod Succeeded children=4 for=5
             wf[0].b Pod Succeeded children=4 for=9
             wf[1] StepGroup Succeeded children=5
             wf[1].c Pod Succeeded at=9 for=1",
        );
        let names: Vec<&str> = slowest_path(&view).iter().map(|node| &*node.display_name).collect();
        assert_eq!(names, ["b", "c"]);
    }

    #[test]
    fn a_big_run_is_summed_up() {
        let nodes: String = (0..200)
            .map(|at| format!("wf.n{at} Pod {}\n", if at % 10 == 3 { "Failed" } else { "Succeeded" }))
            .collect();
        let text = render(&run("wf", Phase::Failed, &nodes), Look::PLAIN);
        assert!(text.contains("180 ✔  20 ✖"), "{text}");
        assert!(text.contains("and 10 more failed"), "{text}");
        assert!(text.lines().count() < 25, "{text}");
    }
}
