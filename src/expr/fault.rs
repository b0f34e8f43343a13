//! What can be wrong with a text of the little languages, and where in it.

use std::ops::Range;

/// A text that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// What is wrong, as a lower-case fragment.
    pub message: String,
    /// The bytes of the text that it is about.
    pub at: Range<usize>,
    /// How to mend it, where that is known.
    pub help: Option<String>,
}

impl ParseError {
    /// Returns a fault at a place of the text.
    pub fn new(message: impl Into<String>, at: Range<usize>) -> Self {
        Self { message: message.into(), at, help: None }
    }

    /// Adds how to mend it.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Returns the same fault in a text of which this one begins at `offset`.
    #[must_use]
    pub fn shifted(mut self, offset: usize) -> Self {
        self.at = self.at.start + offset..self.at.end + offset;
        self
    }
}

/// An expression that can be read, but has no value here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EvalError {
    /// What is wrong, as a lower-case fragment.
    pub message: String,
    /// The bytes of the expression that it is about.
    pub at: Range<usize>,
    /// How to mend it, where that is known.
    pub help: Option<String>,
}

impl EvalError {
    /// Returns a fault at a place of the expression.
    pub fn new(message: impl Into<String>, at: Range<usize>) -> Self {
        Self { message: message.into(), at, help: None }
    }

    /// Adds how to mend it.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }
}

impl From<ParseError> for EvalError {
    fn from(fault: ParseError) -> Self {
        Self { message: fault.message, at: fault.at, help: fault.help }
    }
}
