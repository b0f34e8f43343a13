//! The fields of a map, in the order of the text.

use std::sync::Arc;

use indexmap::IndexMap;

use super::Span;
use super::tree::Entry;

/// With no more fields than these, looking at each of them is the fastest way to find one.
const SEARCHED_MAX: usize = 16;

/// The fields of a map. Nearly all maps of manifests have a few, and large manifests have a hundred thousand
/// such maps: a list takes a quarter of the memory of a table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fields {
    entries: Vec<(Arc<str>, Entry)>,
    /// Where the fields are in the list, by name, once there are many.
    places: Option<Box<IndexMap<Arc<str>, usize>>>,
}

impl Fields {
    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the field of a name.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.place(name).map(|place| &self.entries[place].1)
    }

    /// Returns the field of a name, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Entry> {
        self.place(name).map(|place| &mut self.entries[place].1)
    }

    /// Returns all fields with their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(name, entry)| (&**name, entry))
    }

    /// Returns all fields with their names, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Entry)> {
        self.entries.iter_mut().map(|(name, entry)| (&**name, entry))
    }

    /// Returns all fields.
    pub fn values(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().map(|(_, entry)| entry)
    }

    /// Returns where the first key stands.
    pub fn first_key(&self) -> Option<Span> {
        self.entries.first().map(|(_, entry)| entry.key_span)
    }

    /// Adds a field, whose name no other has.
    pub fn insert(&mut self, name: Arc<str>, entry: Entry) {
        debug_assert!(self.place(&name).is_none(), "the caller looked for `{name}` before");
        if let Some(places) = &mut self.places {
            places.insert(name.clone(), self.entries.len());
        }
        self.entries.push((name, entry));
        self.index();
    }

    /// Gives a field another name, which no other field has; returns it, if there is one.
    pub fn rename(&mut self, name: &str, other: &str) -> Option<&mut Entry> {
        let (place, other) = (self.place(name)?, Arc::<str>::from(other));
        if let Some(places) = &mut self.places {
            places.swap_remove(name);
            places.insert(other.clone(), place);
        }
        let (kept, entry) = &mut self.entries[place];
        *kept = other;
        Some(entry)
    }

    /// Takes away the fields of which `keep` says no.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        let before = self.len();
        self.entries.retain(|(name, _)| keep(name));
        if before != self.len() {
            self.places = None;
            self.index();
        }
    }

    /// Gives back the memory for further fields.
    pub(super) fn close(&mut self) {
        self.entries.shrink_to_fit();
    }

    pub(super) fn slice(&self) -> &[(Arc<str>, Entry)] {
        &self.entries
    }

    /// Makes the table of places, once there are many.
    fn index(&mut self) {
        if self.places.is_none() && self.entries.len() > SEARCHED_MAX {
            self.places = Some(Box::new(self.entries.iter().map(|(name, _)| name.clone()).zip(0..).collect()));
        }
    }

    fn place(&self, name: &str) -> Option<usize> {
        match &self.places {
            Some(places) => places.get(name).copied(),
            None => self.entries.iter().position(|(other, _)| **other == *name),
        }
    }
}

impl IntoIterator for Fields {
    type Item = (Arc<str>, Entry);
    type IntoIter = std::vec::IntoIter<(Arc<str>, Entry)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{FileId, Tree, Value};

    fn entry(number: i64) -> Entry {
        let span = Span { file: FileId(0), start: 0, end: 0 };
        Entry { key_span: span, value: Tree { value: Value::Int(number), span } }
    }

    /// Few fields are found in the list, many in the table.
    #[test]
    fn fields_are_found_by_name_and_keep_their_order() {
        for count in [1, SEARCHED_MAX as i64, SEARCHED_MAX as i64 + 1, 100] {
            let mut fields = Fields::default();
            for number in 0..count {
                fields.insert(format!("f{number}").into(), entry(number));
            }
            assert_eq!(fields.rename("f0", "first"), Some(&mut entry(0)));
            assert_eq!((fields.get("f0"), fields.get("first")), (None, Some(&entry(0))));
            let numbers: Vec<i64> = (1..count).collect();
            assert!(numbers.iter().all(|number| fields.get(&format!("f{number}")) == Some(&entry(*number))));
            let names: Vec<String> = numbers.iter().map(|number| format!("f{number}")).collect();
            assert_eq!(fields.iter().map(|(name, _)| name).skip(1).collect::<Vec<_>>(), names);
            assert_eq!(fields.iter().next().map(|(name, _)| name), Some("first"));
            fields.retain(|name| name != "first");
            assert!(numbers.iter().all(|number| fields.get(&format!("f{number}")) == Some(&entry(*number))));
        }
    }
}
