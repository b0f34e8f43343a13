//! Texts with tags: `{{name}}` and `{{=expression}}`, parsed once and rendered many times.
//!
//! Argo substitutes in the JSON text of a whole template and parses the outcome again
//! (`util/template`). Here one scalar is one text, and what a tag brings in is never read
//! again: a value that contains `{{x}}` stays as it is.

mod parse;
mod render;
mod tags;

pub use render::{RenderError, Unresolved};
pub use tags::{TemplateStr, Variable};
