//! The locks of a run as the fold keeps them: who holds which, and who waits.

use std::sync::Arc;

use super::model::Phase;
use super::run::{LockState, Run, Wake};
use crate::base::NodeIx;

impl Run {
    /// Notes that a new node holds its locks, or waits for them.
    pub(super) fn join_locks(&mut self, ix: NodeIx, waits: bool) {
        for name in self.slot(ix).locks.clone() {
            let lock = self.locks.entry(name).or_default();
            if waits {
                lock.waiters.insert(ix)
            } else {
                lock.holders.insert(ix)
            };
        }
        if waits {
            self.gated.insert(ix);
        }
    }

    /// Notes that the run as a whole holds locks.
    pub(super) fn lock_run(&mut self, locks: &[Arc<str>]) {
        for name in locks {
            self.locks.entry(name.clone()).or_default().by_run = true;
        }
    }

    /// Gives back what the run as a whole holds.
    pub(super) fn unlock_run(&mut self) {
        self.locks.values_mut().for_each(|lock| lock.by_run = false);
        self.locks.retain(|_, lock| !lock.is_idle());
    }

    /// Lets a node in that waited.
    pub(super) fn acquire(&mut self, ix: NodeIx, hit: bool) {
        self.gated.remove(&ix);
        for name in self.slot(ix).locks.clone() {
            let lock = self.locks.entry(name).or_default();
            lock.waiters.remove(&ix);
            lock.holders.insert(ix);
        }
        wake_first(self, ix);
        let slot = self.slot_mut(ix);
        slot.node.message = "".into();
        if let Some(memo) = &mut slot.memo {
            memo.hit = hit;
        }
        if slot.node.kind.is_work() && !hit {
            self.enlist(ix);
            self.outbox.push_back(ix);
        }
        debug_assert_eq!(self.node(ix).phase, Phase::Pending, "nobody begins before it has its locks");
        self.wake(Wake::Node(ix));
    }

    /// Gives back what a node that has ended held.
    pub(super) fn release_locks(&mut self, ix: NodeIx) {
        if self.slot(ix).locks.is_empty() {
            return;
        }
        self.gated.remove(&ix);
        for name in self.slot(ix).locks.clone() {
            if let Some(lock) = self.locks.get_mut(&name) {
                lock.holders.remove(&ix);
                lock.waiters.remove(&ix);
                if lock.is_idle() {
                    self.locks.remove(&name);
                }
            }
        }
        wake_first(self, ix);
    }

    /// Notes how many places of a lock other runs hold.
    pub(super) fn hold_elsewhere(&mut self, name: &str, others: u32) {
        let name: Arc<str> = name.into();
        let lock = self.locks.entry(name.clone()).or_default();
        lock.others = others;
        if let Some(first) = lock.waiters.first().copied() {
            self.wake(Wake::Node(first));
        } else if lock.is_idle() {
            self.locks.remove(&name);
        }
    }
}

impl LockState {
    fn is_idle(&self) -> bool {
        self.holders.is_empty() && self.waiters.is_empty() && !self.by_run && self.others == 0
    }
}

/// Has the first of those looked at that wait for a lock of `ix`.
fn wake_first(run: &mut Run, ix: NodeIx) {
    for name in run.slot(ix).locks.clone() {
        if let Some(first) = run.locks.get(&name).and_then(|lock| lock.waiters.first().copied()) {
            run.wake(Wake::Node(first));
        }
    }
}
