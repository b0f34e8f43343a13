//! The words that every other module uses: identifiers, times, limits, suggestions.
//!
//! **Invariant:** nothing here reads a clock, a file or the environment.

pub mod cron;
pub mod ids;
pub mod limits;
pub mod quantity;
pub mod suggest;
pub mod time;

pub use ids::{InvalidName, NodeIx, RunName, RunUid};
pub use time::{Span as TimeSpan, Timestamp};
