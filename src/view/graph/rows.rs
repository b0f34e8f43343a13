//! A row per node, with lines to what follows, as version control shows its history.

use renderdag::{Ancestor, GraphRowRenderer, Renderer};

use super::{Graph, Kind};
use crate::view::Look;

/// Returns the graph as rows of text, from the first node to the last. To the renderer, which draws
/// histories, what follows a node is its parent.
pub fn render(graph: &Graph, look: Look) -> String {
    let output = GraphRowRenderer::new().output().with_min_row_height(0);
    let rows = match look.utf8 {
        true => draw(graph, look, output.build_box_drawing()),
        false => draw(graph, look, output.build_ascii()),
    };
    let rows = rows.iter().filter(|row| !row.trim().is_empty());
    rows.map(|row| row.trim_end().to_owned() + "\n").collect()
}

fn draw(graph: &Graph, look: Look, mut renderer: impl Renderer<usize, Output = String>) -> Vec<String> {
    let mut followers = vec![Vec::new(); graph.nodes.len()];
    for (from, to) in &graph.edges {
        followers[*from].push(*to);
    }
    let mut rows = Vec::new();
    for (place, node) in graph.nodes.iter().enumerate() {
        let next = followers[place].iter().map(|follower| Ancestor::Parent(*follower)).collect();
        let detail = if node.detail.is_empty() { String::new() } else { look.dim(&format!("  {}", node.detail)) };
        let row = renderer.next_row(place, next, glyph(node.kind, look).to_owned(), format!("{}{detail}", node.name));
        rows.extend(row.lines().map(str::to_owned));
    }
    rows
}

fn glyph(kind: Kind, look: Look) -> &'static str {
    match (kind, look.utf8) {
        (Kind::Leaf, true) => "●",
        (Kind::Group, true) => "○",
        (Kind::Suspend, true) => "◇",
        (Kind::Join, true) => "┼",
        (Kind::Leaf, false) => "o",
        (Kind::Group, false) => "O",
        (Kind::Suspend, false) => "?",
        (Kind::Join, false) => "+",
    }
}
