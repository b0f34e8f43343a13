//! What a copy of a tree costs, for which the bounds on aliases pay.

use super::tree::{Tree, Value};

/// What a copy costs.
#[derive(Default)]
pub(super) struct Weight {
    /// Values, this one included.
    pub(super) nodes: usize,
    /// Memory, about.
    pub(super) bytes: usize,
    /// Lists and maps within each other.
    pub(super) depth: usize,
}

impl Weight {
    /// Returns what a copy of a tree costs. The tree is at most as deep as the bound, and so is the recursion.
    pub(super) fn of(tree: &Tree) -> Self {
        let mut weight = match &tree.value {
            Value::Seq(items) => items.iter().map(Self::of).fold(Self::default(), Self::beside),
            Value::Map(map) => map
                .iter()
                .map(|(key, entry)| Self { bytes: key.len(), ..Self::default() }.beside(Self::of(&entry.value)))
                .fold(Self::default(), Self::beside),
            Value::Str(text) => Self { bytes: text.len(), ..Self::default() },
            _ => Self::default(),
        };
        weight.nodes += 1;
        weight.bytes += size_of::<Tree>();
        weight.depth += usize::from(matches!(tree.value, Value::Seq(_) | Value::Map(_)));
        weight
    }

    fn beside(self, other: Self) -> Self {
        Self { nodes: self.nodes + other.nodes, bytes: self.bytes + other.bytes, depth: self.depth.max(other.depth) }
    }
}
