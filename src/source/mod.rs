//! From text to a tree that knows where everything stands, and the form of every complaint.
//!
//! **Invariant:** reading never fails; it returns what could be read and all the diagnostics.

mod allow;
mod complaints;
mod decode;
pub mod diagnostic;
mod document;
mod fields;
mod files;
pub mod fix;
pub mod formats;
mod parts;
mod path;
mod quoting;
pub mod layout;
mod levels;
mod read;
mod resolve;
pub mod render;
pub mod rules;
#[cfg(test)]
mod tests;
pub mod tree;
mod weight;

pub use allow::Allowed;
pub use complaints::Complaints;
pub use diagnostic::{Diagnostic, FileId, Fix, Label, RuleId, Severity, Span};
pub use document::Document;
pub use fields::Fields;
pub use files::{Position, Sources};
pub use levels::{Level, Levels};
pub use path::{Path, Segment};
pub use read::read;
pub use tree::{Entry, Tree, Value};
