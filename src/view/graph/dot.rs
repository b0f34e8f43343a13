//! Graphviz' language.

use std::fmt::Write;

use super::{Graph, Kind};

/// Returns the graph in Graphviz' language.
pub fn render(graph: &Graph) -> String {
    let mut text = "digraph workflow {\n  rankdir=TB;\n  node [fontname=\"sans-serif\"];\n".to_owned();
    for (place, node) in graph.nodes.iter().enumerate() {
        let shape = match node.kind {
            Kind::Leaf => "box",
            Kind::Group => "ellipse",
            Kind::Suspend => "diamond",
            Kind::Join => "point",
        };
        let detail = if node.detail.is_empty() { String::new() } else { format!("\\n{}", escaped(&node.detail)) };
        let _ = writeln!(text, "  n{place} [label=\"{}{detail}\", shape={shape}];", escaped(&node.name));
    }
    for (from, to) in &graph.edges {
        let _ = writeln!(text, "  n{from} -> n{to};");
    }
    text + "}\n"
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
