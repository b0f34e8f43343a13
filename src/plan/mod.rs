//! A workflow resolved and checked: what runs is what was checked.
//!
//! `resolve` puts together what the files say, `compile` makes a [`Plan`] of it, and the checks
//! say what would go wrong.
//!
//! **Invariant:** plan reads no files and asks no cluster; its library is given.
//! A [`Plan`] is valid by construction, and nothing below re-checks.

mod call;
mod check;
mod checks;
mod collect;
mod compile;
mod convert;
mod cron;
mod diagnose;
mod events;
mod globals;
mod graph;
mod kinds;
mod library;
mod link;
mod merge;
mod model;
mod pod_parts;
mod problem;
mod problems;
mod reach;
mod resolve;
mod results;
pub mod rules;
mod scopes;
mod strings;
mod texts;
mod wire;

pub use crate::source::Segment;
pub use check::{check, is_checkable, lint, lint_all, plan_of};
pub use convert::{Converted, convert};
pub use library::Library;
pub use model::{Body, Dag, Plan, Resolved, Scope, Task, TaskIx, Template, TemplateIx, Text};
pub use pod_parts::PodParts;
pub use problem::{Mend, Place, Problem};
pub use resolve::{Call, from_cron, from_template, resolve};

#[cfg(test)]
mod tests;
