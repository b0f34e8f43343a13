//! What people and programs see of a run: a plain view model, and renderers from it to text.
//!
//! **Invariant:** nothing here prints, reads a clock or asks for the terminal. Every renderer is
//! a function from the model and a [`Look`] to text, so that each is tested as text.

pub mod look;
pub mod model;
pub mod facts;
pub mod argo;
pub mod table;
pub mod tree;
pub mod header;
pub mod list;
pub mod forecast;
pub mod metrics;
pub mod query;
pub mod output;
pub mod watch;
pub mod footer;
pub mod events;
pub mod ending;
pub mod graph;

pub use look::Look;
pub use model::{NodeView, RunView};
pub use output::Format;
