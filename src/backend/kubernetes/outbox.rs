//! What is reported next: soon where something may follow from it, a moment later where nothing does. Pure.
//!
//! Each time the driver is told of something, it writes to its log, and a write costs the cluster some
//! milliseconds. That a pod waits or runs is for people, and may go with what comes next.

use std::time::Duration;

use tokio::time::Instant;

use crate::base::NodeIx;
use crate::engine::PodReport;

/// How long a report may wait for another that something follows from.
const LINGER: Duration = Duration::from_millis(500);

/// Reports that the driver has not been told of; a few per node that is alive.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    reports: Vec<(NodeIx, PodReport)>,
    due: Option<Instant>,
}

impl Outbox {
    /// Adds a report; `is_awaited` says that other nodes may start when the node runs.
    pub(super) fn add(&mut self, node: NodeIx, report: PodReport, is_awaited: bool, now: Instant) {
        let may_wait = match report {
            PodReport::Waiting { .. } => true,
            PodReport::Running { .. } => !is_awaited,
            PodReport::Ended(_) | PodReport::Lost { .. } => false,
        };
        let due = if may_wait { now + LINGER } else { now };
        self.due = Some(self.due.map_or(due, |other| other.min(due)));
        self.reports.push((node, report));
    }

    /// Returns when the driver is to be told.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Returns what the driver is to be told now: all or nothing.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<(NodeIx, PodReport)> {
        match self.due.is_some_and(|due| due <= now) {
            true => self.take(),
            false => Vec::new(),
        }
    }

    /// Returns all that there is.
    pub(super) fn take(&mut self) -> Vec<(NodeIx, PodReport)> {
        self.due = None;
        std::mem::take(&mut self.reports)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::PodEnd;

    #[test]
    fn what_nothing_follows_from_goes_with_what_comes_next() {
        let waits = || PodReport::Waiting { reason: "x".to_owned() };
        let runs = || PodReport::Running { ready: true, ip: None, host: None };
        let ends = || PodReport::Ended(PodEnd::exited(0));
        let lost = || PodReport::Lost { message: "x".to_owned() };
        let begin = Instant::now();
        for (reports, is_awaited, expected) in [
            (vec![waits(), runs()], false, 500),
            (vec![waits(), runs()], true, 20),
            (vec![runs(), ends(), waits()], false, 20),
            (vec![lost()], false, 0),
        ] {
            let (mut outbox, count) = (Outbox::default(), reports.len());
            for (at, report) in reports.into_iter().enumerate() {
                outbox.add(NodeIx(1), report, is_awaited, begin + Duration::from_millis(at as u64 * 20));
            }
            let due = begin + Duration::from_millis(expected);
            assert_eq!(outbox.due(), Some(due));
            assert!(outbox.take_due(due - Duration::from_millis(1)).is_empty());
            assert_eq!(outbox.take_due(due).len(), count);
            assert!(outbox.due().is_none() && outbox.take_due(due).is_empty());
        }
    }
}
