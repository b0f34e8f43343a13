//! What a run shares with others: its claims to locks, and its questions to caches.
//!
//! The engine says what it wants and is told what it got. **Invariant:** a place is taken before the
//! event that uses it, and given back after the event that ends its use is durable.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::Notify;

use super::clock::{Clock, backoff};
use super::machine::Machine;
use crate::base::Timestamp;
use crate::engine::{Memo, Observation, Recollection, Want};
use crate::store::{Claim, Shared, StoreError};

/// How often in a row a store may fail to answer before the driver gives up: about a minute.
const FAILURES_MAX: u32 = 12;

/// The claims and questions of one run.
pub(super) struct Sharing<'a, S, C> {
    shared: Rc<S>,
    clock: &'a C,
    rank: (i32, Timestamp),
    claims: BTreeMap<Arc<str>, Keeping>,
    /// The keys that are asked for or computed here, by the lock that keeps other runs from them.
    memos: BTreeMap<Arc<str>, Memo>,
    /// Those of them whose caches have not answered yet.
    asked: BTreeSet<Arc<str>>,
    /// Entries that are on their way to their caches.
    entries: BTreeSet<Arc<str>>,
    under_way: FuturesUnordered<LocalBoxFuture<'a, Done>>,
    failures: u32,
}

/// A lock of which the run wants something.
struct Keeping {
    want: Want,
    state: State,
    /// Ends the wait for more, since something else is wanted now.
    changed: Rc<Notify>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// A call is under way, and its answer is awaited.
    Asking,
    /// All that is wanted is there.
    Content,
    /// More may come.
    Waiting,
}

/// A call that is over.
enum Done {
    Claimed(Want, Result<u32, StoreError>),
    /// More may be had, or something else is wanted.
    Freed(Arc<str>, Result<(), StoreError>),
    Recalled(Arc<str>, Result<Option<String>, StoreError>),
    Remembered(Memo, String, Result<(), StoreError>),
}

impl<'a, S: Shared + 'a, C: Clock> Sharing<'a, S, C> {
    pub(super) fn new(shared: S, clock: &'a C, rank: (i32, Timestamp)) -> Self {
        Self {
            shared: Rc::new(shared),
            clock,
            rank,
            claims: BTreeMap::new(),
            memos: BTreeMap::new(),
            asked: BTreeSet::new(),
            entries: BTreeSet::new(),
            under_way: FuturesUnordered::new(),
            failures: 0,
        }
    }

    /// Returns whether nothing is under way or waited for.
    pub(super) fn is_idle(&self) -> bool {
        self.entries.is_empty() && self.claims.values().all(|keeping| keeping.state == State::Content)
    }

    /// Takes on what the run wants now; what it did before is durable.
    pub(super) fn begin(&mut self, run: &mut impl Machine) {
        for want in run.wants() {
            self.want(want);
        }
        // What ended first: the next call of the same may be asked for in the same decision.
        for (memo, entry) in run.memories() {
            match entry {
                Some(entry) => self.remember(memo, entry),
                None => self.let_go(&lock_of(&memo)),
            }
        }
        for memo in run.recalls() {
            self.ask(memo);
        }
        if run.phase().is_final() {
            self.asked.clear();
            // Answers that came too late to be used.
            let kept: Vec<Arc<str>> = self.memos.keys().filter(|lock| !self.entries.contains(*lock)).cloned().collect();
            kept.iter().for_each(|lock| self.let_go(lock));
        }
    }

    /// Waits for answers, and returns what the engine is to be told. Safe to drop while it waits.
    pub(super) async fn settle(&mut self) -> Result<Vec<Observation>, StoreError> {
        let Some(done) = self.under_way.next().await else { return std::future::pending().await };
        let mut told = Vec::new();
        self.heed(done, &mut told)?;
        while let Some(Some(done)) = self.under_way.next().now_or_never() {
            self.heed(done, &mut told)?;
        }
        Ok(told)
    }

    fn want(&mut self, want: Want) {
        let lock = want.lock.clone();
        let asked = want.clone();
        let new = || Keeping { want: asked, state: State::Content, changed: Rc::new(Notify::new()) };
        let keeping = self.claims.entry(lock.clone()).or_insert_with(new);
        keeping.want = want;
        match keeping.state {
            // Its answer will be seen to be out of date.
            State::Asking => {}
            State::Waiting => keeping.changed.notify_one(),
            State::Content => self.claim(&lock),
        }
    }

    /// Asks a cache, once no other run computes the same.
    fn ask(&mut self, memo: Memo) {
        let lock = lock_of(&memo);
        self.asked.insert(lock.clone());
        let is_wanted = self.claims.get(&lock).is_some_and(|keeping| keeping.want.places > 0);
        match self.claims.get(&lock) {
            Some(keeping) if is_wanted && keeping.state == State::Content => self.recall(&lock, memo),
            _ => drop(self.memos.insert(lock.clone(), memo)),
        }
        if !is_wanted {
            self.want(Want { lock, places: 1, limit: 1 });
        }
    }

    /// Lets others compute the same, unless a further call of this run waits for the cache's answer.
    fn let_go(&mut self, lock: &Arc<str>) {
        if self.asked.contains(lock) {
            return;
        }
        self.memos.remove(lock);
        if self.claims.contains_key(lock) {
            self.want(Want { lock: lock.clone(), places: 0, limit: 1 });
        }
    }

    fn claim(&mut self, lock: &Arc<str>) {
        let Some(keeping) = self.claims.get_mut(lock) else { return };
        keeping.state = State::Asking;
        let (want, (priority, since)) = (keeping.want.clone(), self.rank);
        let claim = Claim {
            lock: want.lock.to_string(),
            limit: want.limit,
            wanted: want.places,
            priority,
            since,
            outlives_driver: !self.memos.contains_key(lock),
        };
        let shared = self.shared.clone();
        self.later(async move { Done::Claimed(want, shared.claim(&claim).await) });
    }

    fn recall(&mut self, lock: &Arc<str>, memo: Memo) {
        let (shared, lock) = (self.shared.clone(), lock.clone());
        self.memos.insert(lock.clone(), memo.clone());
        self.later(async move { Done::Recalled(lock, shared.recall(&memo).await) });
    }

    fn remember(&mut self, memo: Memo, entry: String) {
        self.entries.insert(lock_of(&memo));
        let shared = self.shared.clone();
        self.later(async move {
            let kept = shared.remember(&memo, &entry).await;
            Done::Remembered(memo, entry, kept)
        });
    }

    /// Begins a call, after a pause when calls have failed.
    fn later(&mut self, call: impl Future<Output = Done> + 'a) {
        let clock = self.clock;
        let due = (self.failures > 0).then(|| clock.now() + backoff(self.failures));
        self.under_way.push(Box::pin(async move {
            if let Some(due) = due {
                clock.sleep_until(due).await;
            }
            call.await
        }));
    }

    fn heed(&mut self, done: Done, told: &mut Vec<Observation>) -> Result<(), StoreError> {
        match done {
            Done::Claimed(want, answer) => match self.count(answer)? {
                Some(granted) => self.claimed(&want, granted, told),
                None => self.claim(&want.lock),
            },
            Done::Freed(lock, answer) => {
                self.count(answer)?;
                self.claim(&lock);
            }
            Done::Recalled(lock, answer) => {
                let Some(memo) = self.memos.get(&lock).cloned() else { return Ok(()) };
                match self.count(answer)? {
                    Some(entry) => {
                        self.asked.remove(&lock);
                        told.push(Observation::Recalled { memo, found: found(entry.as_deref()) });
                    }
                    None => self.recall(&lock, memo),
                }
            }
            Done::Remembered(memo, entry, answer) => match self.count(answer)? {
                Some(()) => {
                    self.entries.remove(&lock_of(&memo));
                    self.let_go(&lock_of(&memo));
                }
                None => self.remember(memo, entry),
            },
        }
        Ok(())
    }

    /// Counts failures; one too many is the answer, an earlier one is none.
    fn count<T>(&mut self, answer: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
        match answer {
            Ok(answer) => {
                self.failures = 0;
                Ok(Some(answer))
            }
            Err(error) if self.failures + 1 >= FAILURES_MAX => Err(error),
            Err(_) => {
                self.failures += 1;
                Ok(None)
            }
        }
    }

    fn claimed(&mut self, asked: &Want, granted: u32, told: &mut Vec<Observation>) {
        let lock = asked.lock.clone();
        let Some(keeping) = self.claims.get_mut(&lock) else { return };
        if keeping.want != *asked {
            return self.claim(&lock);
        }
        if asked.places == 0 {
            self.claims.remove(&lock);
            return;
        }
        let content = granted >= asked.places;
        keeping.state = if content { State::Content } else { State::Waiting };
        let changed = keeping.changed.clone();
        match self.memos.get(&lock).cloned() {
            Some(memo) if content => self.recall(&lock, memo),
            Some(_) => {}
            None => {
                let others = asked.limit.saturating_sub(granted);
                told.push(Observation::Held { lock: lock.to_string(), others });
            }
        }
        if !content {
            self.wait(lock, granted, changed);
        }
    }

    fn wait(&mut self, lock: Arc<str>, granted: u32, changed: Rc<Notify>) {
        let shared = self.shared.clone();
        self.later(async move {
            let freed = tokio::select! {
                biased;
                () = changed.notified() => Ok(()),
                freed = shared.freed(&lock, granted) => freed,
            };
            Done::Freed(lock, freed)
        });
    }
}

/// Returns the lock that keeps two runs from computing the same. No lock of a manifest has such a name.
fn lock_of(memo: &Memo) -> Arc<str> {
    format!("memo/{}/{}", memo.cache, memo.key).into()
}

fn found(entry: Option<&str>) -> Recollection {
    entry.map_or(Recollection::Nothing, Recollection::read)
}
