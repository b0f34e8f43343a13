//! The diagnostics of one file, of which there is a bound.

use super::{Diagnostic, rules};
use crate::base::limits;

/// Collects the diagnostics of one file. Beyond the bound one last error stands for the others,
/// so that a file is never taken for better than it is.
#[derive(Debug, Default)]
pub struct Complaints(Vec<Diagnostic>);

impl Complaints {
    /// Adds a diagnostic, while there is room.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if self.0.len() == limits::DIAGNOSTICS_PER_FILE_MAX {
            let message = format!("the file has more than {} problems", limits::DIAGNOSTICS_PER_FILE_MAX);
            let last = Diagnostic::new(rules::TOO_MANY, super::Severity::Error, diagnostic.span(), message);
            self.0.push(last.help("mend these first"));
        } else if !self.is_full() {
            self.0.push(diagnostic);
        }
    }

    /// Returns whether no further diagnostic is kept.
    pub fn is_full(&self) -> bool {
        self.0.len() > limits::DIAGNOSTICS_PER_FILE_MAX
    }

    /// Returns the diagnostic that was added last.
    pub fn last(&self) -> Option<&Diagnostic> {
        self.0.last()
    }

    /// Returns all, in the order in which they were added.
    pub fn into_vec(self) -> Vec<Diagnostic> {
        self.0
    }
}

impl Extend<Diagnostic> for Complaints {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, diagnostics: I) {
        diagnostics.into_iter().for_each(|diagnostic| self.push(diagnostic));
    }
}

impl From<Vec<Diagnostic>> for Complaints {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self(diagnostics)
    }
}
