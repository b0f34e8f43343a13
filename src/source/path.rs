//! The place of a value in its document: the keys and indexes that lead there.

use std::fmt;
use std::sync::Arc;

/// A place in a document, from the root. Copying it and going one step down cost the same however
/// deep it is, since paths share their beginnings.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Path(Option<Arc<Step>>);

#[derive(PartialEq, Eq, Hash)]
struct Step {
    parent: Path,
    segment: Segment,
}

/// One step down.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Segment {
    /// To the value of a key.
    Key(Arc<str>),
    /// To an item of a list.
    Index(usize),
}

impl Path {
    /// Returns the path of the document itself.
    pub fn root() -> Self {
        Self(None)
    }

    /// Returns the path of the value of a key below this one.
    #[must_use]
    pub fn key(&self, key: impl Into<Arc<str>>) -> Self {
        self.join(Segment::Key(key.into()))
    }

    /// Returns the path of an item below this one.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.join(Segment::Index(index))
    }

    /// Returns the path one step below this one.
    #[must_use]
    pub fn join(&self, segment: Segment) -> Self {
        Self(Some(Arc::new(Step { parent: self.clone(), segment })))
    }

    /// Returns the path one step above; none of the root.
    pub fn parent(&self) -> Option<&Path> {
        self.0.as_deref().map(|step| &step.parent)
    }

    /// Returns the last step; none of the root.
    pub fn last(&self) -> Option<&Segment> {
        self.0.as_deref().map(|step| &step.segment)
    }

    /// Returns the steps from the root.
    pub fn segments(&self) -> Vec<&Segment> {
        let mut segments: Vec<_> =
            std::iter::successors(Some(self), |path| path.parent()).filter_map(Path::last).collect();
        segments.reverse();
        segments
    }
}

impl FromIterator<Segment> for Path {
    fn from_iter<I: IntoIterator<Item = Segment>>(segments: I) -> Self {
        segments.into_iter().fold(Self::root(), |path, segment| path.join(segment))
    }
}

impl fmt::Display for Path {
    /// Writes `spec.templates[3].dag`; a key that is no plain word is quoted in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        for (place, segment) in self.segments().into_iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) if key.is_empty() || !key.chars().all(plain) => write!(f, "[{key:?}]")?,
                Segment::Key(key) if place == 0 => f.write_str(key)?,
                Segment::Key(key) => write!(f, ".{key}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Path({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_written_as_people_say_them() {
        let spec = Path::root().key("spec");
        let depends = spec.key("templates").index(3).key("dag").key("tasks").index(2).key("depends");
        assert_eq!(depends.to_string(), "spec.templates[3].dag.tasks[2].depends");
        assert_eq!(Path::root().key("metadata").key("a.b/c").to_string(), "metadata[\"a.b/c\"]");
        assert_eq!(Path::root().to_string(), "");
        assert_eq!(depends.segments().into_iter().cloned().collect::<Path>(), depends);
        assert_eq!(spec.parent(), Some(&Path::root()));
    }
}
