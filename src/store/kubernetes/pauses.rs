//! How long a watch waits before it begins anew after an error. Pure, and without chance: one process
//! watches one run, so there is no herd to be scattered, and what fails in a simulation fails again.

use std::time::Duration;

use kube::runtime::utils::Backoff;

/// The first pause and the longest; each is twice the one before.
const PAUSE_MIN: Duration = Duration::from_millis(800);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Pauses that grow until something came.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    taken: u32,
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = PAUSE_MIN.saturating_mul(1 << self.taken.min(16)).min(PAUSE_MAX);
        self.taken += 1;
        Some(pause)
    }
}

impl Backoff for Pauses {
    fn reset(&mut self) {
        self.taken = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_begin_anew() {
        let mut pauses = Pauses::default();
        let millis: Vec<u128> = pauses.by_ref().take(7).map(|pause| pause.as_millis()).collect();
        assert_eq!(millis, [800, 1600, 3200, 6400, 12_800, 25_600, 30_000]);
        pauses.reset();
        assert_eq!(pauses.next(), Some(PAUSE_MIN));
    }
}
