//! From text to a tree that knows where everything stands, and the form of every complaint.
//!
//! **Invariant:** reading never fails; it returns what could be read and all the diagnostics.

mod complaints;
pub mod diagnostic;
mod document;
mod files;
mod parts;
mod path;
mod quoting;
mod read;
mod resolve;
pub mod render;
pub mod rules;
#[cfg(test)]
mod tests;
pub mod tree;
mod weight;

pub use complaints::Complaints;
pub use diagnostic::{Diagnostic, FileId, Fix, Label, RuleId, Severity, Span};
pub use document::Document;
pub use files::{Position, Sources};
pub use path::{Path, Segment};
pub use read::read;
pub use tree::{Entry, Tree, Value};
