//! The locks of a run as the fold keeps them: who holds which, who waits, and how many places of each the
//! run wants from those who keep them for all runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::model::Phase;
use super::run::{LockState, Run, Wake};
use crate::base::NodeIx;

/// How many places of a lock a run wants: those that it holds, and those that it could take now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// The lock in Argo's form, as `default/Mutex/name`.
    pub lock: Arc<str>,
    /// How many; none gives all back.
    pub places: u32,
    /// How many there are.
    pub limit: u32,
}

impl Run {
    /// Says that places of locks are to be asked for from now on: the run takes no more of one than
    /// [`Observation::Held`](super::Observation::Held) leaves it. Without it no other run is thought to hold any.
    pub fn share_locks(&mut self) {
        self.shared.asked_for = true;
        self.shared.news = self.locks.keys().cloned().collect();
    }

    /// Returns the wants that have changed since this was last called. What is wanted less counts as
    /// given back at once, so the answer to an earlier call must not be believed any more.
    pub fn wants(&mut self) -> Vec<Want> {
        let news = std::mem::take(&mut self.shared.news);
        if !self.shared.asked_for {
            return Vec::new();
        }
        news.into_iter().filter_map(|lock| self.want(lock)).collect()
    }

    fn want(&mut self, lock: Arc<str>) -> Option<Want> {
        let limit = self.lock_limit(&lock);
        let places = self.wanted_places(&lock, limit);
        let before = self.shared.wanted.get(&lock).copied().unwrap_or(0);
        if places == before {
            return None;
        }
        if places == 0 {
            self.shared.wanted.remove(&lock);
        } else {
            self.shared.wanted.insert(lock.clone(), places);
        }
        if let Some(state) = self.locks.get_mut(&lock) {
            // Nothing is known of a lock of which nothing is wanted.
            let least = limit.saturating_sub(places);
            state.others = state.others.filter(|_| places > 0).map(|others| others.max(least));
            if places == 0 && state.is_idle() {
                self.locks.remove(&lock);
            }
        }
        Some(Want { lock, places, limit })
    }

    /// Who waits for several locks asks for them in the order of their names: two runs that want the same
    /// two cannot hold one each and wait for the other.
    fn wanted_places(&self, lock: &Arc<str>, limit: u32) -> u32 {
        let state = self.locks.get(lock);
        let used = state.map_or(0, LockState::used);
        let waiters = state.into_iter().flat_map(|state| &state.waiters);
        let next = waiters.filter(|ix| self.reaches(self.slot(**ix).locks.iter(), lock));
        let room = limit.saturating_sub(used) as usize;
        let queued = self.shared.queued_for.contains(lock) && self.reaches(self.shared.queued_for.iter(), lock);
        used + (next.take(room).count() + usize::from(queued)).min(room) as u32
    }

    /// Returns whether all of `locks` that stand before `lock` are free for one who waits.
    fn reaches<'l>(&self, mut locks: impl Iterator<Item = &'l Arc<str>>, lock: &Arc<str>) -> bool {
        locks.all(|other| other >= lock || self.places_left(other, self.lock_limit(other)) > 0)
    }

    /// Returns how many places of a lock the run could take now.
    pub(super) fn places_left(&self, lock: &str, limit: u32) -> u32 {
        let state = self.locks.get(lock);
        let unknown = if self.shared.asked_for { limit } else { 0 };
        let others = state.and_then(|state| state.others).unwrap_or(unknown);
        limit.saturating_sub(others).saturating_sub(state.map_or(0, LockState::used))
    }

    /// Notes which locks the run as a whole waits for.
    pub(super) fn queue_for(&mut self, locks: BTreeSet<Arc<str>>) {
        self.shared.news.extend(locks.iter().chain(&self.shared.queued_for).cloned());
        self.shared.queued_for = locks;
    }

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
        self.shared.news.extend(self.slots[ix.index()].locks.iter().cloned());
        if waits {
            self.gated.insert(ix);
        }
    }

    /// Notes that the run as a whole holds locks.
    pub(super) fn lock_run(&mut self, locks: &[Arc<str>]) {
        for name in locks {
            self.locks.entry(name.clone()).or_default().by_run = true;
        }
        self.queue_for(BTreeSet::new());
    }

    /// Gives back what the run as a whole holds.
    pub(super) fn unlock_run(&mut self) {
        let held: Vec<Arc<str>> =
            self.locks.iter().filter(|(_, lock)| lock.by_run).map(|(name, _)| name.clone()).collect();
        for name in held {
            self.locks.entry(name.clone()).or_default().by_run = false;
            self.left(name);
        }
        self.queue_for(BTreeSet::new());
    }

    /// Notes that a lock has one holder or waiter less.
    fn left(&mut self, name: Arc<str>) {
        if !self.shared.asked_for && self.locks.get(&name).is_some_and(LockState::is_idle) {
            self.locks.remove(&name);
        }
        self.shared.news.insert(name);
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
        let kind = slot.node.kind;
        if kind.is_work() && !hit {
            self.enlist(ix);
            self.outbox.push_back(ix);
        }
        self.let_in(ix);
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
                self.left(name);
            }
        }
        wake_first(self, ix);
    }

    /// Notes how many places of a lock other runs hold.
    pub(super) fn hold_elsewhere(&mut self, name: &str, others: u32) {
        let name: Arc<str> = name.into();
        let wanted = self.shared.wanted.get(&name).copied().unwrap_or(0);
        let least = if self.shared.asked_for { self.lock_limit(&name).saturating_sub(wanted) } else { 0 };
        let lock = self.locks.entry(name.clone()).or_default();
        lock.others = Some(others.max(least));
        if let Some(first) = lock.waiters.first().copied() {
            self.look_at_waiter(first);
        } else {
            let queued = self.shared.queued_for.clone();
            self.shared.news.extend(queued);
            self.left(name);
        }
    }

    fn look_at_waiter(&mut self, ix: NodeIx) {
        self.shared.news.extend(self.slots[ix.index()].locks.iter().cloned());
        self.wake(Wake::Node(ix));
    }
}

impl LockState {
    fn is_idle(&self) -> bool {
        self.used() == 0 && self.waiters.is_empty() && self.others.unwrap_or(0) == 0
    }

    /// Returns how many places the run has.
    fn used(&self) -> u32 {
        self.holders.len() as u32 + u32::from(self.by_run)
    }
}

/// Has the first of those looked at that wait for a lock of `ix`.
fn wake_first(run: &mut Run, ix: NodeIx) {
    for name in run.slot(ix).locks.clone() {
        if let Some(first) = run.locks.get(&name).and_then(|lock| lock.waiters.first().copied()) {
            run.look_at_waiter(first);
        }
    }
}
