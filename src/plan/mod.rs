//! A workflow resolved and checked: what runs is what was checked.
//!
//! `resolve` puts together what the files say, `compile` makes a [`Plan`] of it, and the checks
//! say what would go wrong.
//!
//! **Invariant:** plan reads no files and asks no cluster; its library is given.
//! A [`Plan`] is valid by construction, and nothing below re-checks.

mod model;
mod problem;
mod merge;
mod library;
mod resolve;
mod texts;
mod graph;
mod compile;
mod scopes;
pub mod rules;

pub use library::Library;
pub use model::{Body, Dag, Plan, Resolved, Scope, Segment, Task, TaskIx, Template, TemplateIx, Text};
pub use problem::{Place, Problem};
pub use resolve::{Call, from_cron, from_template, resolve};
