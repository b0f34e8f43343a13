//! Names to look others up in.

use std::collections::BTreeSet;

/// Up to how many names comparing them one by one is the fastest way.
const FEW: usize = 16;

/// A set of names: few are compared one by one, many are sorted first, so that long lists on both sides
/// never cost their product.
pub(super) enum Names<'a> {
    Few(Vec<&'a str>),
    Many(BTreeSet<&'a str>),
}

impl<'a> Names<'a> {
    /// Returns the set of some names.
    pub fn of(names: impl Iterator<Item = &'a str>) -> Self {
        let names: Vec<&str> = names.collect();
        match names.len() {
            0..=FEW => Self::Few(names),
            _ => Self::Many(names.into_iter().collect()),
        }
    }

    /// Returns whether a name is one of them.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::Few(names) => names.contains(&name),
            Self::Many(names) => names.contains(name),
        }
    }
}
