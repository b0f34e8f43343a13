//! A workflow resolved and checked: what runs is what was checked.
//!
//! `resolve` puts together what the files say, `compile` makes a [`Plan`] of it, and the checks
//! say what would go wrong.
//!
//! **Invariant:** plan reads no files and asks no cluster; its library is given.
//! A [`Plan`] is valid by construction, and nothing below re-checks.

mod model;
mod problem;
mod compile;
mod call;
mod texts;
mod results;
mod graph;
mod merge;
pub mod rules;

pub use model::{Body, Dag, Plan, Resolved, Scope, Task, TaskIx, Template, TemplateIx, Text};
pub use problem::{Place, Problem};
pub use crate::source::Segment;
