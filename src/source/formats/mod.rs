//! Diagnostics for machines: one format, one file, each a text made of the same report.
//!
//! **Invariant:** nothing here prints, or decides which diagnostics there are.

mod github;
mod gitlab;
mod json;
mod junit;
mod report;
mod sarif;
#[cfg(test)]
mod tests;

pub use github::{annotations, step_summary};
pub use gitlab::gitlab;
pub use json::json;
pub use junit::junit;
pub use report::{Report, RuleText};
pub use sarif::sarif;
