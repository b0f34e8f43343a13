//! The little languages of a manifest: `{{tag}}`, `{{=expr}}`, `when`, `depends`, and the
//! conditions of resource templates.
//!
//! Each has its own parser with byte spans and refuses what nests too deep or runs too long.
//!
//! **Invariant:** nothing here reads a clock, a file, the environment or a source of chance;
//! what an evaluation needs of those comes in [`Ambient`].

pub mod fault;
pub mod value;
pub mod json;
pub mod scope;
pub mod template;
pub mod lang;
pub mod when;
pub mod depends;
pub mod conditions;
pub mod functions;

pub use fault::{EvalError, ParseError};
pub use functions::{jq, jq_fault, jsonpath};
pub use scope::{Ambient, Scope};
pub use template::{RenderError, TemplateStr, Unresolved, Variable};
pub use value::Value;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;
