//! The wall clock of a simulated machine, for those who ask for it by a plain function.

use std::cell::Cell;

use tokio::time::Instant;

use crate::base::{TimeSpan, Timestamp};
use crate::sim::world::BEGINNING;

thread_local! {
    /// When this thread's world began, and how wrong the clock of the process is that runs.
    static CLOCK: Cell<(Option<Instant>, i64)> = const { Cell::new((None, 0)) };
}

/// Begins the time of a world in this thread.
pub(super) fn begin() {
    CLOCK.set((Some(Instant::now()), 0));
}

/// Sets by how many milliseconds the clock of whoever runs next is ahead.
pub(super) fn set_error(millis: i64) {
    CLOCK.set((CLOCK.get().0, millis));
}

/// Returns the time that the process sees.
pub(super) fn wall() -> Timestamp {
    let (origin, error) = CLOCK.get();
    let passed = origin.map_or(0, |origin| origin.elapsed().as_millis() as u64);
    Timestamp((BEGINNING + TimeSpan(passed)).0 + error)
}
