//! From text to a tree that knows where everything stands, and the form of every complaint.
//!
//! **Invariant:** reading never fails; it returns what could be read and all the diagnostics.

pub mod diagnostic;

pub use diagnostic::{Diagnostic, FileId, Fix, Label, RuleId, Severity, Span};
