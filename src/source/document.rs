//! One object of a file, and the way from a place in it to a place in the text.

use std::ops::Range;

use super::{FileId, Path, Sources, Span, Tree};

/// One document of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The file.
    pub file: FileId,
    /// What it says.
    pub root: Tree,
}

impl Document {
    /// Returns where the value at `path` stands; of what does not exist, its nearest ancestor.
    pub fn span(&self, path: &Path) -> Span {
        self.nearest(path).0
    }

    /// Returns where the key of the value at `path` stands; of an item of a list and of what does
    /// not exist, as [`span`](Self::span).
    pub fn key_span(&self, path: &Path) -> Span {
        self.nearest(path).1
    }

    /// Returns where a part of the text at `path` stands. `range` counts bytes of the value; where
    /// escapes or folded lines hide the part, the whole value is meant.
    pub fn span_within(&self, sources: &Sources, path: &Path, range: Range<usize>) -> Span {
        let whole = self.span(path);
        let value = self.root.at(path).and_then(Tree::as_str).unwrap_or_default();
        let Some(part) = value.get(range.clone()).filter(|part| !part.is_empty()) else {
            return whole;
        };
        let raw = sources.slice(whole);
        let before = value.match_indices(part).take_while(|(at, _)| *at < range.start).count();
        match raw.match_indices(part).nth(before) {
            None => whole,
            Some((at, _)) => {
                let start = whole.start + at as u32;
                Span { start, end: start + part.len() as u32, ..whole }
            }
        }
    }

    /// Returns the spans of value and key of the last step of `path` that exists.
    fn nearest(&self, path: &Path) -> (Span, Span) {
        let mut tree = &self.root;
        let mut spans = (tree.span, tree.span);
        for segment in path.segments() {
            let Some(next) = tree.step(segment) else { break };
            let key_span = match segment {
                super::Segment::Key(key) => tree.entry(key).map(|entry| entry.key_span),
                super::Segment::Index(_) => None,
            };
            spans = (next.span, key_span.unwrap_or(next.span));
            tree = next;
        }
        spans
    }
}
