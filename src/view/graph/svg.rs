//! A drawing in SVG, which needs no script and follows the reader's choice of light or dark.

use std::fmt::Write;

use super::layout::{LETTERS_MAX, Rect, layout};
use super::{Graph, Kind, Node};
use crate::view::Look;

const STYLE: &str = "\
text{font:13px ui-monospace,monospace;text-anchor:middle;dominant-baseline:middle;fill:#24292f}\
.detail{font-size:11px;fill:#57606a}\
rect,circle{fill:#f6f8fa;stroke:#57606a}.group{fill:#ddf4ff}.suspend{fill:#fff8c5}\
path{fill:none;stroke:#8c959f}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.detail{fill:#8d96a0}\
rect,circle{fill:#161b22;stroke:#8d96a0}.group{fill:#0c2d6b}.suspend{fill:#4b2900}}";

/// Returns the graph as a document of SVG.
pub fn render(graph: &Graph) -> String {
    let places = layout(graph);
    let (width, height) = (places.width.ceil(), places.height.ceil());
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n<style>{STYLE}</style>\n"
    );
    for (from, to) in &graph.edges {
        let _ = writeln!(svg, "{}", edge(places.boxes[*from], places.boxes[*to]));
    }
    for (node, place) in graph.nodes.iter().zip(&places.boxes) {
        let _ = writeln!(svg, "{}", drawn(node, *place));
    }
    svg + "</svg>\n"
}

fn edge(from: Rect, to: Rect) -> String {
    let (start, end) = (from.y + from.height / 2.0, to.y - to.height / 2.0);
    let bend = (start + end) / 2.0;
    format!(
        "<path d=\"M{:.1} {start:.1}C{:.1} {bend:.1} {:.1} {bend:.1} {:.1} {end:.1}\"/>",
        from.x, from.x, to.x, to.x
    )
}

fn drawn(node: &Node, place: Rect) -> String {
    let Rect { x, y, width, height } = place;
    let (left, top) = (x - width / 2.0, y - height / 2.0);
    let (class, round) = match node.kind {
        Kind::Join => return format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>"),
        Kind::Leaf => ("leaf", 4.0),
        Kind::Group => ("group", height / 2.0),
        Kind::Suspend => ("suspend", 4.0),
    };
    let shape = format!(
        "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{round:.1}\"/>"
    );
    let text = |class: &str, y: f64, text: &str| {
        format!("<text{class} x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escaped(&Look::PLAIN.cut(text, LETTERS_MAX)))
    };
    match node.detail.as_str() {
        "" => shape + &text("", y, &node.name),
        detail => shape + &text("", y - 9.0, &node.name) + &text(" class=\"detail\"", y + 9.0, detail),
    }
}

fn escaped(text: &str) -> String {
    let shown: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    shown.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
