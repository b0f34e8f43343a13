//! Where nodes stand in a drawing: in layers by the longest way to them, and within a layer near
//! what they are connected with.
//!
//! Source of the method: Sugiyama, Tagawa, Toda 1981; the order by the mean of the neighbours' places.

use unicode_width::UnicodeWidthStr;

use super::{Graph, Kind, Node};

/// Passes over the layers; after a few, hardly anything moves.
const PASSES: usize = 8;

/// The size of a letter, of a line, and of the room around them, in pixels.
const LETTER: f64 = 7.2;
const LINE: f64 = 18.0;
const PAD: f64 = 12.0;
const GAP_ACROSS: f64 = 24.0;
const GAP_DOWN: f64 = 44.0;
const MARGIN: f64 = 16.0;

/// Letters of a line; longer ones are cut.
pub const LETTERS_MAX: usize = 48;

/// A node's place: its middle, and its size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rect {
    /// The middle, from the left.
    pub x: f64,
    /// The middle, from the top.
    pub y: f64,
    /// The width.
    pub width: f64,
    /// The height.
    pub height: f64,
}

/// A drawing's size and the places of its nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// By node.
    pub boxes: Vec<Rect>,
    /// The width of the drawing.
    pub width: f64,
    /// The height of the drawing.
    pub height: f64,
}

/// Returns where the nodes of a graph stand.
pub fn layout(graph: &Graph) -> Layout {
    let layers = ordered(graph, layers(graph));
    let mut boxes: Vec<Rect> = graph.nodes.iter().map(size).collect();
    let across = |layer: &Vec<usize>, boxes: &[Rect]| -> f64 {
        layer.iter().map(|node| boxes[*node].width).sum::<f64>() + GAP_ACROSS * layer.len().saturating_sub(1) as f64
    };
    let widest = layers.iter().map(|layer| across(layer, &boxes)).fold(0.0, f64::max);
    let mut top = MARGIN;
    for layer in &layers {
        let height = layer.iter().map(|node| boxes[*node].height).fold(0.0, f64::max);
        let mut left = MARGIN + (widest - across(layer, &boxes)) / 2.0;
        for node in layer {
            let place = &mut boxes[*node];
            (place.x, place.y) = (left + place.width / 2.0, top + height / 2.0);
            left += place.width + GAP_ACROSS;
        }
        top += height + GAP_DOWN;
    }
    Layout { boxes, width: widest + 2.0 * MARGIN, height: (top - GAP_DOWN + MARGIN).max(2.0 * MARGIN) }
}

fn size(node: &Node) -> Rect {
    if node.kind == Kind::Join {
        return Rect { x: 0.0, y: 0.0, width: 8.0, height: 8.0 };
    }
    let letters = node.name.width().max(node.detail.width()).min(LETTERS_MAX);
    let lines = if node.detail.is_empty() { 1.0 } else { 2.0 };
    Rect { x: 0.0, y: 0.0, width: letters as f64 * LETTER + 2.0 * PAD, height: lines * LINE + PAD }
}

/// Returns the nodes by layer. A node stands behind those that it follows, so one pass is enough.
fn layers(graph: &Graph) -> Vec<Vec<usize>> {
    let mut depth = vec![0usize; graph.nodes.len()];
    let parents = graph.parents();
    for node in 0..graph.nodes.len() {
        depth[node] = parents[node].iter().map(|parent| depth[*parent] + 1).max().unwrap_or(0);
    }
    let mut layers = vec![Vec::new(); depth.iter().max().map_or(0, |deepest| deepest + 1)];
    depth.iter().enumerate().for_each(|(node, depth)| layers[*depth].push(node));
    layers
}

/// Orders each layer by the mean place of what its nodes are connected with, down and up in turn.
fn ordered(graph: &Graph, mut layers: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
    let parents = graph.parents();
    let mut children = vec![Vec::new(); graph.nodes.len()];
    for (from, to) in &graph.edges {
        children[*from].push(*to);
    }
    let mut places = vec![0.0; graph.nodes.len()];
    let note = |layer: &[usize], places: &mut Vec<f64>| {
        let count = layer.len().max(1) as f64;
        layer.iter().enumerate().for_each(|(place, node)| places[*node] = (place as f64 + 0.5) / count);
    };
    layers.iter().for_each(|layer| note(layer, &mut places));
    for pass in 0..PASSES {
        let near = if pass % 2 == 0 { &parents } else { &children };
        let order: Vec<usize> =
            if pass % 2 == 0 { (0..layers.len()).collect() } else { (0..layers.len()).rev().collect() };
        for at in order {
            let mean = |node: &usize| match near[*node].len() {
                0 => places[*node],
                count => near[*node].iter().map(|other| places[*other]).sum::<f64>() / count as f64,
            };
            let mut keyed: Vec<(f64, usize)> = layers[at].iter().map(|node| (mean(node), *node)).collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            layers[at] = keyed.into_iter().map(|(_, node)| node).collect();
            note(&layers[at], &mut places);
        }
    }
    layers
}
