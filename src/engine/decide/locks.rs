//! Locks of templates: mutexes and semaphores, all of a call's at once, in the order of waiting.
//! Source: Argo's `workflow/sync`, `executeTemplate`.
//!
//! Among the nodes of one run the engine decides alone. What other runs hold is a fact that the driver
//! brings; the run as a whole waits for nothing else.

use std::sync::Arc;

use super::Decider;
use super::call::{Admission, Call};
use super::memo::Remembered;
use super::room::Block;
use crate::base::NodeIx;
use crate::engine::event::Event;
use crate::engine::model::{NodeType, Phase};
use crate::engine::run::Run;
use crate::engine::value::Inputs;
use crate::plan::Template;
use crate::spec;

/// A lock as a call wants it.
struct Lock {
    name: Arc<str>,
    limit: u32,
}

impl Run {
    /// Returns how many places a lock has, by its name; one that cannot be found out has none.
    pub(in crate::engine) fn lock_limit(&self, name: &str) -> u32 {
        let Some((_, rest)) = name.split_once("/ConfigMap/") else { return 1 };
        rest.split_once('/').and_then(|(map, key)| semaphore_limit(self, map, key)).unwrap_or(0)
    }
}

/// Returns how many places the ConfigMap's key says; none where it is not there, or is not a number.
fn semaphore_limit(run: &Run, map: &str, key: &str) -> Option<u32> {
    run.plan.resolved.config_maps.get(map)?.get(key)?.trim().parse().ok()
}

impl Decider<'_> {
    /// Takes the fact that other runs hold a lock so many times, and looks again at who waits for it.
    pub(super) fn held(&mut self, lock: &str, others: u32) {
        self.run.hold_elsewhere(lock, others);
        let queued = self.run.started_at.is_none() && !self.run.message.is_empty();
        if queued && !self.run.phase.is_final() {
            self.begin();
        }
    }

    /// Takes the locks of the run as a whole; false while one is not free.
    pub(super) fn lock_run(&mut self) -> bool {
        let Some(wanted) = self.plan.spec().synchronization.clone() else { return true };
        let locks = match self.wanted(&wanted) {
            Ok(locks) => locks,
            Err(words) => {
                self.end_with(Phase::Failed, &format!("Failed to acquire the synchronization lock. {words}"));
                return false;
            }
        };
        match locks.iter().find_map(|lock| self.busy(lock, None)) {
            Some(words) => {
                self.run.queue_for(locks.into_iter().map(|lock| lock.name).collect());
                if *self.run.message != *words {
                    self.emit(Event::Queued { m: words.into() });
                }
                false
            }
            None => {
                self.emit(Event::Locked { locks: locks.into_iter().map(|lock| lock.name).collect() });
                true
            }
        }
    }

    /// Returns the locks that a call takes, and the words to wait with when one is not free.
    pub(super) fn locks(&self, call: &Call, template: &Template, inputs: &Arc<Inputs>) -> Result<Admission, String> {
        if template.spec.synchronization.is_none() {
            return Ok(Admission::default());
        }
        let locals = self.locals(call, template, Vec::new());
        let (texts, _) = self.template_texts(template, inputs, &locals)?;
        let resolved = super::render::template(template, &texts);
        let locks = self.wanted(&resolved.synchronization.clone().unwrap_or_default())?;
        let waits = locks.iter().find_map(|lock| self.busy(lock, None)).map(Arc::from);
        let locks = locks.into_iter().map(|lock| lock.name).collect();
        Ok(Admission { locks, waits, texts, memo: None })
    }

    /// Lets a node in whose turn has come, when all its locks are free.
    pub(super) fn advance_waiting(&mut self, ix: NodeIx) {
        let wanted = self.resolved_part(ix, &["synchronization"]).synchronization.clone().unwrap_or_default();
        let locks = match self.wanted(&wanted) {
            Ok(locks) => locks,
            Err(words) => return self.finish(ix, Phase::Error, words),
        };
        if locks.iter().any(|lock| self.busy(lock, Some(ix)).is_some()) {
            return;
        }
        let kind = self.run.node(ix).kind;
        if (kind.is_work() || kind == NodeType::Retry) && !self.workflow_has_room() {
            return self.put_off(ix, Block::Workflow);
        }
        match self.remember_for(ix) {
            Remembered::Later(memo) => self.put_off(ix, Block::Answer(memo)),
            Remembered::Unusable(words) => self.finish(ix, Phase::Error, words),
            Remembered::Result(_, outputs) => {
                self.emit(Event::Acquired { n: ix, hit: true });
                self.emit(Event::Finished {
                    n: ix,
                    p: Phase::Succeeded,
                    m: "".into(),
                    out: outputs,
                    host: None,
                    decree: false,
                });
                self.share_outputs(ix);
            }
            Remembered::No | Remembered::Nothing(_) => self.emit(Event::Acquired { n: ix, hit: false }),
        }
    }

    fn remember_for(&mut self, ix: NodeIx) -> Remembered {
        let resolved = self.resolved_part(ix, &["memoize"]);
        self.remember_resolved(&resolved)
    }

    /// Returns the words to wait with when a lock is not free: it has no place left, or another waits longer.
    fn busy(&self, lock: &Lock, ix: Option<NodeIx>) -> Option<String> {
        let first = self.run.locks.get(&lock.name).and_then(|known| known.waiters.first().copied());
        let in_turn = first.is_none() || first == ix;
        let (name, limit) = (&lock.name, lock.limit);
        let free = self.run.places_left(name, limit);
        (free == 0 || !in_turn).then(|| format!("Waiting for {name} lock. Lock status: {free}/{limit}"))
    }

    fn wanted(&self, wanted: &spec::Synchronization) -> Result<Vec<Lock>, String> {
        let mutexes = wanted.mutexes.iter().chain(&wanted.mutex).map(|mutex| Ok(self.mutex(mutex)));
        let semaphores = wanted.semaphores.iter().chain(&wanted.semaphore).map(|semaphore| self.semaphore(semaphore));
        semaphores.chain(mutexes).collect()
    }

    fn mutex(&self, mutex: &spec::Mutex) -> Lock {
        let namespace = self.namespace(mutex.namespace.as_deref());
        Lock { name: format!("{namespace}/Mutex/{}", mutex.name.as_deref().unwrap_or_default()).into(), limit: 1 }
    }

    fn semaphore(&self, semaphore: &spec::SemaphoreRef) -> Result<Lock, String> {
        let Some(reference) = &semaphore.config_map_key_ref else {
            return Err("a semaphore in Argo's database cannot be had here: name a ConfigMap's key".to_owned());
        };
        let map = reference.name.as_deref().unwrap_or_default();
        let namespace = self.namespace(semaphore.namespace.as_deref());
        let name = format!("{namespace}/ConfigMap/{map}/{}", reference.key);
        let limit = semaphore_limit(self.run, map, &reference.key)
            .ok_or_else(|| format!("failed to initialize semaphore {name} with limit"))?;
        Ok(Lock { name: name.into(), limit })
    }

    fn namespace<'n>(&'n self, given: Option<&'n str>) -> &'n str {
        let own = self.plan.resolved.metadata.namespace.as_deref();
        given.filter(|given| !given.is_empty()).or(own).unwrap_or("default")
    }
}
