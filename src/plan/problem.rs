//! What is wrong with a manifest, before anybody asks where that stands in a file.
//!
//! The rules also judge a manifest that was loaded from a run's log and has no text, so a
//! problem names its place by document and path; `diagnose` turns that into spans.

use std::ops::Range;

use super::model::Scope;
use crate::base::{limits, suggest};
use crate::source::{Path, RuleId, Segment, Severity};

/// A place in one of the documents of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The document, as templates name it.
    pub document: Scope,
    /// The way from the document's root.
    pub path: Path,
}

impl Place {
    /// Returns the root of the workflow's own document.
    pub fn root() -> Self {
        Self::of(Scope::Local)
    }

    /// Returns the root of a document.
    pub fn of(document: Scope) -> Self {
        Self { document, path: Path::root() }
    }

    /// Returns the place of a key below.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.join(Segment::Key(key.into()))
    }

    /// Returns the place of an item below.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.join(Segment::Index(index))
    }

    /// Returns the place at the end of a dotted way of keys, such as `valueFrom.path`.
    #[must_use]
    pub fn down(&self, way: &str) -> Self {
        way.split('.').fold(self.clone(), |place, key| place.key(key))
    }

    /// Returns the place some steps below.
    #[must_use]
    pub fn below(&self, way: &[Segment]) -> Self {
        way.iter().fold(self.clone(), |place, segment| place.join(segment.clone()))
    }

    fn join(&self, segment: Segment) -> Self {
        Self { document: self.document.clone(), path: self.path.join(segment) }
    }
}

/// One problem of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The rule that found it.
    pub rule: RuleId,
    /// How much it weighs.
    pub severity: Severity,
    /// Where it is.
    pub place: Place,
    /// The bytes of the text at the place that it is about, when it is not all of it.
    pub within: Option<Range<usize>>,
    /// What is wrong, in one line.
    pub message: String,
    /// What to say beside the place.
    pub label: String,
    /// How to mend it.
    pub help: Option<String>,
    /// Other places that it is about, and what to say there.
    pub also: Vec<(Place, String)>,
    /// What of the place's text to replace, when that is known.
    pub mend: Option<Mend>,
}

/// A change of the text at the place of a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mend {
    /// What stands there; where it does not, as behind an escape or an alias, nothing is changed.
    pub of: String,
    /// What should stand there.
    pub by: String,
    /// Whether nothing else can have been meant.
    pub is_certain: bool,
}

impl Problem {
    /// Returns an error.
    pub fn error(rule: RuleId, place: Place, message: impl Into<String>) -> Self {
        Self {
            rule,
            severity: Severity::Error,
            place,
            within: None,
            message: message.into(),
            label: String::new(),
            help: None,
            also: Vec::new(),
            mend: None,
        }
    }

    /// Returns a warning.
    pub fn warning(rule: RuleId, place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(rule, place, message) }
    }

    /// Narrows the place to some bytes of its text.
    #[must_use]
    pub fn within(mut self, bytes: Range<usize>) -> Self {
        self.within = Some(bytes);
        self
    }

    /// Adds the words beside the place.
    #[must_use]
    pub fn says(mut self, text: impl Into<String>) -> Self {
        self.label = text.into();
        self
    }

    /// Adds how to mend it.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Adds another place.
    #[must_use]
    pub fn also(mut self, place: Place, text: impl Into<String>) -> Self {
        self.also.push((place, text.into()));
        self
    }

    /// Adds what to write instead of `of`, which is certain.
    #[must_use]
    pub fn mend(mut self, of: &str, by: impl Into<String>) -> Self {
        self.mend = Some(Mend { of: of.to_owned(), by: by.into(), is_certain: true });
        self
    }

    /// Adds what was probably meant instead of `name`, when one of the names is near, and
    /// otherwise what there is. A word that differs in its case only is certain.
    #[must_use]
    pub fn suggest<'a>(self, name: &str, names: impl IntoIterator<Item = &'a str>) -> Self {
        let names: Vec<&str> = names.into_iter().take(limits::SUGGESTION_NAMES_MAX).collect();
        match (suggest::nearest(name, names.iter().copied()), names.len()) {
            (Some(near), _) => {
                let is_certain = names.iter().filter(|other| other.eq_ignore_ascii_case(name)).count() == 1;
                let mend = Mend { of: name.to_owned(), by: near.to_owned(), is_certain };
                Self { mend: Some(mend), ..self }.help(format!("did you mean `{near}`?"))
            }
            (None, 0) => self,
            (None, 1..=8) => self.help(format!("there is `{}`", names.join("`, `"))),
            (None, _) => self,
        }
    }

    /// Returns whether it is an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
