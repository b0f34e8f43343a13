//! The loop that owns a run: observe, decide, append, apply, act.
//!
//! **Invariants.** Nothing is done before the decision to do it is durable. One task owns the
//! run; there is no second writer, no spawned task and no chance in it, so that the same inputs
//! in the same order make the same log. It may be dropped at any await: the next driver goes on
//! from the log. What an input means is the engine's to say, never decided here.

mod actions;
pub mod clock;
pub mod control;
mod drive;
mod machine;
mod owner;
mod reports;
pub mod roster;
mod sharing;

pub use clock::{Clock, RealClock};
pub use drive::{DriveError, Driven, Driver, End, Options};
pub use machine::{Machine, fold, last_time};
pub use roster::{Outcome, Rank, Roster};

#[cfg(test)]
mod tests;
