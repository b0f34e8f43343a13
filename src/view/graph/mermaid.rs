//! Mermaid, which GitHub, GitLab and many editors draw.

use std::fmt::Write;

use super::{Graph, Kind, Node};

/// Returns the graph as a flowchart of mermaid.
pub fn render(graph: &Graph) -> String {
    let mut text = "flowchart TD\n".to_owned();
    for (place, node) in graph.nodes.iter().enumerate() {
        let label = label(node);
        let _ = match node.kind {
            Kind::Leaf => writeln!(text, "  n{place}[\"{label}\"]"),
            Kind::Group => writeln!(text, "  n{place}([\"{label}\"])"),
            Kind::Suspend => writeln!(text, "  n{place}{{{{\"{label}\"}}}}"),
            Kind::Join => writeln!(text, "  n{place}((\" \"))"),
        };
    }
    for (from, to) in &graph.edges {
        let _ = writeln!(text, "  n{from} --> n{to}");
    }
    text
}

fn label(node: &Node) -> String {
    let detail = if node.detail.is_empty() { String::new() } else { format!("<br><i>{}</i>", escaped(&node.detail)) };
    format!("{}{detail}", escaped(&node.name))
}

/// Entities stand for what mermaid would read itself.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;").replace('#', "&num;")
}
