//! Identifiers as types of their own, checked where they are made and nowhere after.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::limits;

/// The name of a run: a DNS-1123 subdomain short enough to be a label value.
///
/// Argo bounds workflow names at 63 characters for the same reason (`workflow/validate`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunName(Arc<str>);

/// The reason a text cannot be a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid name: {reason}")]
pub struct InvalidName {
    /// What was given.
    pub text: String,
    /// The rule that it breaks.
    pub reason: &'static str,
}

impl RunName {
    /// Returns the name, or the rule of DNS-1123 that `text` breaks.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidName> {
        let text = text.into();
        match dns_subdomain_fault(&text) {
            None => Ok(Self(text.into())),
            Some(reason) => Err(InvalidName { text, reason }),
        }
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RunName {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        Self::new(text)
    }
}

impl From<RunName> for String {
    fn from(name: RunName) -> String {
        name.0.to_string()
    }
}

impl fmt::Display for RunName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the rule that `text` breaks as a DNS-1123 subdomain of at most 63 characters.
fn dns_subdomain_fault(text: &str) -> Option<&'static str> {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if text.is_empty() {
        Some("it is empty")
    } else if text.len() > limits::RUN_NAME_BYTES_MAX {
        Some("it is longer than 63 characters")
    } else if !text.chars().all(|c| edge(c) || c == '-' || c == '.') {
        Some("it may hold only lower-case letters, digits, `-` and `.`")
    } else if !text.starts_with(edge) || !text.ends_with(edge) {
        Some("it must start and end with a lower-case letter or a digit")
    } else if text.contains("..") || text.contains(".-") || text.contains("-.") {
        Some("each part between dots must start and end with a letter or a digit")
    } else {
        None
    }
}

/// What tells two runs of the same name apart, for ever.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunUid(pub Arc<str>);

impl fmt::Display for RunUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The place of a node in its run, in the order of the log.
///
/// A place is never given twice: a node that `retry` starts anew takes a new one. So the
/// place of a pod node names one attempt, and is what makes starting it twice harmless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeIx(pub u32);

impl NodeIx {
    /// Returns the place as an index into the run's nodes.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for NodeIx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_names_are_dns_subdomains() {
        for good in ["a", "hello-world-x7k2p", "a.b", "1", &"x".repeat(63)] {
            assert!(RunName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "A", "a_b", "-a", "a-", "a..b", "a.-b", "é", &"x".repeat(64)] {
            assert!(RunName::new(bad).is_err(), "{bad}");
        }
    }
}
