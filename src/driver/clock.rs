//! The time, which only the loop asks for.

use std::cell::Cell;
use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::base::{TimeSpan, Timestamp};

/// The longest sleep before the clock is read again: a machine that slept, or whose clock was
/// set, makes a timer late by no more than this.
const SLEEP_MAX: Duration = Duration::from_secs(5);

/// A clock that never goes back.
pub trait Clock {
    /// Returns the time.
    fn now(&self) -> Timestamp;

    /// Waits until `at`. Safe to drop while it waits.
    fn sleep_until(&self, at: Timestamp) -> impl Future<Output = ()>;
}

/// The clock of this machine, for a tokio runtime with time enabled.
///
/// It follows the wall clock when that runs ahead, as after the machine slept, and goes on at its
/// own pace when that is set back: a run's times never decrease, and its timers never stop.
#[derive(Debug)]
pub struct RealClock {
    wall: fn() -> Timestamp,
    anchor: Cell<(Timestamp, Instant)>,
}

impl RealClock {
    /// Returns a clock that begins with the wall clock's time.
    pub fn new() -> Self {
        Self::reading(wall_time)
    }

    /// Returns a clock that follows another wall clock, which may jump.
    pub fn reading(wall: fn() -> Timestamp) -> Self {
        Self { wall, anchor: Cell::new((wall(), Instant::now())) }
    }
}

impl Default for RealClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        let (since, instant) = self.anchor.get();
        let steady = since + TimeSpan(instant.elapsed().as_millis() as u64);
        let wall = (self.wall)();
        if wall > steady {
            self.anchor.set((wall, Instant::now()));
        }
        steady.max(wall)
    }

    async fn sleep_until(&self, at: Timestamp) {
        loop {
            let left = at.since(self.now()).to_std();
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(SLEEP_MAX)).await;
        }
    }
}

fn wall_time() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}

/// The time of one run: a clock that goes on from the last time in its log, even when this
/// machine's clock was set back since.
pub(super) struct RunClock<'a, C> {
    clock: &'a C,
    ahead: TimeSpan,
}

impl<'a, C: Clock> RunClock<'a, C> {
    /// Returns the clock of a run whose log ends at `since`.
    pub(super) fn new(clock: &'a C, since: Timestamp) -> Self {
        Self { clock, ahead: since.since(clock.now()) }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now() + self.ahead
    }

    /// Waits until `at`, or for ever when there is nothing to wait for.
    pub(super) async fn sleep_until(&self, at: Option<Timestamp>) {
        sleep_until(self.clock, at.map(|at| at - self.ahead)).await;
    }
}

/// Waits until `at`, or for ever when there is nothing to wait for.
pub(super) async fn sleep_until(clock: &impl Clock, at: Option<Timestamp>) {
    match at {
        Some(at) => clock.sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Returns how long to wait after so many failures in a row: a tenth of a second, doubled each
/// time, at most ten seconds.
pub(super) fn backoff(failures: u32) -> TimeSpan {
    let doublings = failures.saturating_sub(1).min(16);
    TimeSpan((100u64 << doublings).min(10_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Stopped(Timestamp);

    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            self.0
        }
        async fn sleep_until(&self, _: Timestamp) {}
    }

    #[test]
    fn a_run_goes_on_from_its_log_when_the_clock_was_set_back() {
        for (now, since, expected) in [(100, 40, 100), (40, 100, 100), (7, 7, 7)] {
            assert_eq!(RunClock::new(&Stopped(Timestamp(now)), Timestamp(since)).now(), Timestamp(expected));
        }
    }

    #[test]
    fn the_real_clock_never_goes_back() {
        let clock = RealClock::new();
        let ahead = clock.now() + TimeSpan::from_secs(3600);
        clock.anchor.set((ahead, Instant::now()));
        assert!(clock.now() >= ahead);
    }

    #[test]
    fn waiting_doubles_up_to_ten_seconds() {
        let spans: Vec<u64> = [1, 2, 3, 7, 8, 4_000_000].map(|failures| backoff(failures).0).into();
        assert_eq!(spans, [100, 200, 400, 6_400, 10_000, 10_000]);
    }
}
