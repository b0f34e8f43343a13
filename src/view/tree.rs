//! The nodes of a run as the tree that `argo get` prints.
//!
//! A node hangs under the group or the retry that lists it, otherwise under its boundary. Groups
//! have no line of their own, a retry with one attempt is that attempt, omitted nodes and the
//! groups of loops are left out, and the exit handler stands last, after an empty line.

use std::collections::BTreeMap;

use super::look::Look;
use super::model::{NodeView, RunView};
use super::table::{self, Row};
use crate::base::limits;
use crate::engine::{NodeType, Phase};

/// Which columns to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columns {
    /// STEP TEMPLATE PODNAME DURATION MESSAGE.
    Normal,
    /// The same, with ARTIFACTS and NODENAME.
    Wide,
    /// As `Normal`, with NODENAME.
    Short,
}

/// Returns the tree of the nodes for which `keep` holds; the others only lose their line.
pub fn render(view: &RunView, columns: Columns, keep: impl Fn(&NodeView) -> bool, look: Look) -> String {
    let lines = lines(view, look.utf8);
    let rows: Vec<Row> = lines
        .iter()
        .filter(|line| line.node.is_none_or(|place| keep(&view.nodes[place])))
        .map(|line| row(view, line, columns, look))
        .collect();
    if rows.is_empty() { String::new() } else { table::render(headers(columns), &rows, 2, look) }
}

fn headers(columns: Columns) -> &'static [&'static str] {
    match columns {
        Columns::Normal => &["STEP", "TEMPLATE", "PODNAME", "DURATION", "MESSAGE"],
        Columns::Wide => &["STEP", "TEMPLATE", "PODNAME", "DURATION", "MESSAGE", "ARTIFACTS", "NODENAME"],
        Columns::Short => &["STEP", "TEMPLATE", "PODNAME", "DURATION", "MESSAGE", "NODENAME"],
    }
}

fn row(view: &RunView, line: &Line, columns: Columns, look: Look) -> Row {
    let Some(place) = line.node else { return Row::plain([""]) };
    let node = &view.nodes[place];
    let mark = look.mark_text(node.mark());
    let is_pod = node.kind == NodeType::Pod;
    let duration = if node.kind.is_leaf() && node.kind != NodeType::Skipped {
        node.duration(view.now).to_string()
    } else {
        String::new()
    };
    let mut cells = vec![
        format!("{}{mark} {}", line.prefix, node.display_name),
        node.template.to_string(),
        if is_pod { view.pod_name(node) } else { String::new() },
        duration,
        super::look::one_line(&node.reason(view.now)),
    ];
    if columns == Columns::Wide {
        cells.push(artifacts(node));
    }
    if columns != Columns::Normal {
        cells.push(node.host.as_deref().unwrap_or_default().to_owned());
    }
    Row { cells, painted: Some((mark.to_owned(), node.mark().style())) }
}

fn artifacts(node: &NodeView) -> String {
    let outputs = node.outputs.as_deref().map(|outputs| outputs.artifacts.as_slice()).unwrap_or_default();
    outputs.iter().map(|artifact| artifact.name.as_str()).collect::<Vec<_>>().join(",")
}

/// A line of the tree; without a node it is the empty one before the exit handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What leads to the node: blanks and rules.
    pub prefix: String,
    /// The node's place in the view.
    pub node: Option<usize>,
}

/// Returns the lines of the tree from top to bottom.
pub fn lines(view: &RunView, utf8: bool) -> Vec<Line> {
    let forest = Forest::new(view);
    let mut drawing = Drawing { forest: &forest, rules: if utf8 { &UTF8 } else { &ASCII }, lines: Vec::new() };
    for (at, &root) in forest.roots.iter().enumerate() {
        if at > 0 {
            drawing.lines.push(Line { prefix: String::new(), node: None });
        }
        drawing.node(root, " ", " ", 0);
    }
    drawing.lines
}

/// The strokes of the tree.
struct Rules {
    tee: &'static str,
    last: &'static str,
    down: &'static str,
    single: &'static str,
    first: &'static str,
}

const UTF8: Rules = Rules { tee: "├─", last: "└─", down: "│ ", single: "──", first: "┬─" };
const ASCII: Rules = Rules { tee: "|-", last: "`-", down: "| ", single: "--", first: "+-" };

/// Trees deeper than templates may nest, with a group, a retry and a loop at each level, are cut.
const DEPTH_MAX: u32 = limits::TEMPLATE_DEPTH_MAX * 4;

struct Drawing<'a> {
    forest: &'a Forest<'a>,
    rules: &'static Rules,
    lines: Vec<Line>,
}

impl Drawing<'_> {
    /// Draws a node whose own line begins with `head`, and what hangs under it with `below`.
    fn node(&mut self, node: usize, head: &str, below: &str, depth: u32) {
        if depth > DEPTH_MAX {
            return;
        }
        match self.forest.shape(node) {
            Shape::Line => {
                self.lines.push(Line { prefix: head.to_owned(), node: Some(node) });
                self.children(self.forest.children_of(node), below, depth);
            }
            Shape::Group => self.group(node, head, below, depth),
            Shape::Transparent => {
                for &child in self.forest.children_of(node) {
                    self.node(child, head, below, depth + 1);
                }
            }
        }
    }

    fn children(&mut self, children: &[usize], below: &str, depth: u32) {
        for (at, &child) in children.iter().enumerate() {
            let is_last = at + 1 == children.len();
            let (stroke, under) = if is_last { (self.rules.last, "  ") } else { (self.rules.tee, self.rules.down) };
            self.node(child, &format!("{below}{stroke}"), &format!("{below}{under}"), depth + 1);
        }
    }

    /// Draws the members of a group, whose stem goes on from the group's own stroke.
    fn group(&mut self, group: usize, head: &str, below: &str, depth: u32) {
        let members = self.forest.children_of(group);
        for (at, &member) in members.iter().enumerate() {
            let is_last = at + 1 == members.len();
            let stem = if at == 0 { head } else { below };
            let stroke = match (at, is_last) {
                (0, true) => self.rules.single,
                (0, false) => self.rules.first,
                (_, true) => self.rules.last,
                (_, false) => self.rules.tee,
            };
            let under = if is_last { "  " } else { self.rules.down };
            self.node(member, &format!("{stem}{stroke}"), &format!("{below}{under}"), depth + 1);
        }
    }
}

/// How a node appears.
enum Shape {
    /// A line of its own.
    Line,
    /// No line; its members share its stem.
    Group,
    /// No line; its only child stands in its place.
    Transparent,
}

/// Which node hangs under which.
struct Forest<'a> {
    view: &'a RunView,
    children: Vec<Vec<usize>>,
    roots: Vec<usize>,
}

impl<'a> Forest<'a> {
    fn new(view: &'a RunView) -> Self {
        let parents = parents(view);
        let mut children = vec![Vec::new(); view.nodes.len()];
        let mut roots = Vec::new();
        for (place, parent) in parents.into_iter().enumerate() {
            match parent {
                _ if !is_drawn(&view.nodes[place]) => {}
                Some(parent) => children[parent].push(place),
                None => roots.push(place),
            }
        }
        for siblings in &mut children {
            siblings.sort_by_cached_key(|&place| sibling_order(&view.nodes[place], place));
        }
        roots.sort_by_key(|&place| (is_handler(&view.nodes[place].name, &view.name), place));
        let mut forest = Self { view, children, roots };
        forest.drop_empty_groups();
        forest
    }

    fn children_of(&self, node: usize) -> &[usize] {
        &self.children[node]
    }

    fn shape(&self, node: usize) -> Shape {
        match self.view.nodes[node].kind {
            NodeType::StepGroup => Shape::Group,
            NodeType::Retry if self.children[node].len() == 1 => Shape::Transparent,
            _ => Shape::Line,
        }
    }

    /// A group without members would leave its neighbours with a stroke that leads nowhere.
    fn drop_empty_groups(&mut self) {
        let is_empty: Vec<bool> = (0..self.children.len())
            .map(|node| self.view.nodes[node].kind == NodeType::StepGroup && self.children[node].is_empty())
            .collect();
        for siblings in &mut self.children {
            siblings.retain(|&child| !is_empty[child]);
        }
    }
}

/// Returns by node the one that it hangs under.
fn parents(view: &RunView) -> Vec<Option<usize>> {
    let mut parents: Vec<Option<usize>> = view.nodes.iter().map(|node| node.boundary).collect();
    for (place, node) in view.nodes.iter().enumerate() {
        if !matches!(node.kind, NodeType::StepGroup | NodeType::Retry) {
            continue;
        }
        for &child in &node.children {
            // A retry also lists what comes after it; only attempts are its own.
            let is_attempt = view.nodes[child].name.strip_prefix(&*node.name).is_some_and(|rest| rest.starts_with('('));
            let is_member = node.kind == NodeType::StepGroup && view.nodes[child].kind != NodeType::StepGroup;
            if child != place && (is_attempt || is_member) {
                parents[child] = Some(place);
            }
        }
    }
    parents
}

fn is_drawn(node: &NodeView) -> bool {
    node.kind != NodeType::TaskGroup && node.phase != Phase::Omitted
}

/// Returns whether the node is the run's own exit handler or hook.
pub fn is_handler(name: &str, run: &str) -> bool {
    name.strip_prefix(run).is_some_and(|rest| rest == ".onExit" || rest.starts_with(".hooks."))
}

/// Siblings stand in the order in which they began, then of their place in the loop.
fn sibling_order(node: &NodeView, place: usize) -> (i64, u64, usize) {
    (node.started_at.0, loop_index(&node.name).unwrap_or(0), place)
}

/// Returns the number in a name that ends with `(3:item)` or `(3)`.
pub fn loop_index(name: &str) -> Option<u64> {
    let open = name.rfind('(')?;
    let digits: String = name[open + 1..].chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// Returns how many nodes of each kind of mark there are among those that do something.
pub fn totals(view: &RunView) -> BTreeMap<super::look::Mark, usize> {
    let mut totals = BTreeMap::new();
    for node in view.nodes.iter().filter(|node| node.kind.is_leaf() && node.phase != Phase::Omitted) {
        *totals.entry(node.mark()).or_default() += 1;
    }
    totals
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::model::tests::run;

    fn check(name: &str, nodes: &str, expected: &str) {
        let view = run(name, Phase::Running, nodes);
        let drawn: Vec<String> = lines(&view, true)
            .iter()
            .map(|line| match line.node {
                Some(place) => {
                    let node = &view.nodes[place];
                    format!("{}{} {}", line.prefix, Look::PLAIN.mark(node.mark()), node.display_name)
                }
                None => String::new(),
            })
            .collect();
        let expected: Vec<&str> = expected.lines().map(|line| line.trim_start_matches("            ")).collect();
        assert_eq!(drawn, expected);
    }

    #[test]
    fn steps_hang_on_the_stems_of_their_groups() {
        check(
            "wf",
            "wf Steps Running children=1
             wf[0] StepGroup Succeeded boundary=0 children=2
             wf[0].a Pod Succeeded boundary=0 children=3 display=a
             wf[1] StepGroup Running boundary=0 children=4,5,6 at=1
             wf[1].b Pod Failed boundary=0 display=b at=1
             wf[1].c Pod Running boundary=0 display=c at=1
             wf[1].d Pod Pending boundary=0 display=d at=1",
            " ● wf
             ├───✔ a
             └─┬─✖ b
               ├─● c
               └─◷ d",
        );
    }

    #[test]
    fn a_retry_is_seen_from_its_second_attempt_on() {
        check(
            "wf",
            "wf DAG Running children=1,3
             wf.once Retry Succeeded boundary=0 children=2
             wf.once(0) Pod Succeeded boundary=0
             wf.twice Retry Running boundary=0 children=4,5,6
             wf.twice(0) Pod Failed boundary=0
             wf.twice(1) Pod Running boundary=0 at=1
             wf.after Pod Pending boundary=0 at=2",
            " ● wf
             ├─✔ once(0)
             ├─● twice
             │ ├─✖ twice(0)
             │ └─● twice(1)
             └─◷ after",
        );
    }

    #[test]
    fn loops_are_ordered_by_number_and_omitted_nodes_left_out() {
        check(
            "wf",
            "wf DAG Running
             wf.map TaskGroup Running boundary=0 children=2,3,4
             wf.map(10:x) Pod Running boundary=0
             wf.map(2:y) Pod Running boundary=0
             wf.map(0:z) Pod Running boundary=0
             wf.never Skipped Omitted boundary=0",
            " ● wf
             ├─● map(0:z)
             ├─● map(2:y)
             └─● map(10:x)",
        );
    }

    #[test]
    fn the_exit_handler_stands_last() {
        check(
            "wf",
            "wf.onExit Pod Running display=wf.onExit
             wf Pod Succeeded",
            " ✔ wf

             ● wf.onExit",
        );
    }

    #[test]
    fn a_cycle_of_children_ends() {
        let view =
            run("wf", Phase::Running, "wf Steps Running children=1\n wf[0] StepGroup Running boundary=0 children=1,0");
        assert!(lines(&view, true).len() < 3);
    }

    #[test]
    fn words_and_ascii_strokes_stand_for_symbols() {
        let view = run(
            "wf",
            Phase::Failed,
            "wf Steps Failed children=1 tmpl=main
             wf[0] StepGroup Failed boundary=0 children=2,3
             wf[0].a Pod Failed boundary=0 tmpl=say display=a msg=Error_(exit_code_1)
             wf[0].b Skipped Skipped boundary=0 display=b msg=when_'false'_evaluated_false",
        );
        let text = render(&view, Columns::Normal, |_| true, Look { utf8: false, ..Look::PLAIN });
        insta::assert_snapshot!(text, @"
        STEP            TEMPLATE  PODNAME            DURATION  MESSAGE
         Failed wf      main
         `-+-Failed a   say       wf-say-3986212215  3.0s      Error (exit code 1)
           `-Skipped b                                         when 'false' evaluated false
        ");
        let wide = render(&view, Columns::Wide, |node| node.phase == Phase::Failed, Look::PLAIN);
        insta::assert_snapshot!(wide, @"
        STEP      TEMPLATE  PODNAME            DURATION  MESSAGE              ARTIFACTS  NODENAME
         ✖ wf     main
         └─┬─✖ a  say       wf-say-3986212215  3.0s      Error (exit code 1)
        ");
    }
}
