//! A workflow resolved and checked: what runs is what was checked.
//!
//! `resolve` puts together what the files say, `compile` makes a [`Plan`] of it, and the checks
//! say what would go wrong.
//!
//! **Invariant:** plan reads no files and asks no cluster; its library is given.
//! A [`Plan`] is valid by construction, and nothing below re-checks.

mod model;
mod problem;
mod library;
mod resolve;
mod merge;
mod compile;
mod call;
mod texts;
mod results;
mod graph;
mod scopes;
mod checks;
mod cron;
mod check;
mod diagnose;
pub mod rules;

pub use crate::source::Segment;
pub use check::{check, lint, plan_of};
pub use library::Library;
pub use model::{Body, Dag, Plan, Resolved, Scope, Task, TaskIx, Template, TemplateIx, Text};
pub use problem::{Place, Problem};
pub use resolve::{Call, from_cron, from_template, resolve};

#[cfg(test)]
mod tests;
