//! What goes with its owner, and what goes when its time is over.

use super::jobs::{has_condition, has_ended, key};
use super::network::Remote;
use crate::sim::apiserver::{Change, Key, is_owned};

/// How long it takes until what an object owned is found to have no owner.
const COLLECT_MILLIS: u64 = 1_500;

impl Remote {
    /// Takes note that an object is gone: what it owned goes.
    pub(super) fn heed_deletion(&self, change: &Change) {
        let uid = change.object["metadata"]["uid"].clone();
        self.after(self.below(COLLECT_MILLIS), move |remote| {
            let state = remote.0.state.borrow();
            let kinds = ["configmaps", "jobs", "leases", "persistentvolumeclaims", "pods"];
            let all = kinds.iter().flat_map(|plural| state.all(plural));
            let owned: Vec<Key> =
                all.filter(|(_, object)| is_owned(object, &uid)).map(|(key, _)| key.clone()).collect();
            drop(state);
            for key in owned {
                match key.0 == "pods" {
                    true => {
                        remote.delete_pod(&key);
                        remote.orphan_when_over(key);
                    }
                    false => remote.change(|state| state.remove(&key)),
                }
            }
        });
    }

    /// Takes note of a new object: one that comes after its owner has gone goes too.
    pub(super) fn heed_orphan(&self, change: &Change) {
        let owner = &change.object["metadata"]["ownerReferences"][0];
        let (Some(name), uid) = (owner["name"].as_str(), owner["uid"].clone()) else { return };
        let (owner, orphan) = (key("jobs", name), change.key.clone());
        self.after(self.below(COLLECT_MILLIS), move |remote| {
            let has_owner = remote.0.state.borrow().find(&owner).is_some_and(|owner| owner["metadata"]["uid"] == uid);
            let is_same = remote.0.state.borrow().find(&orphan).is_some_and(|orphan| is_owned(orphan, &uid));
            if is_same && !has_owner {
                remote.change(|state| state.remove(&orphan));
            }
        });
    }

    /// Nobody counts the pods of a Job that is gone.
    fn orphan_when_over(&self, pod: Key) {
        let found = self.0.state.borrow().find(&pod).cloned();
        match found {
            Some(object) if has_ended(&object) => self.orphan(&pod),
            Some(_) => self.after(1_000, move |remote| remote.orphan_when_over(pod)),
            None => {}
        }
    }

    /// Takes note that a Job has ended, and is to go some time after.
    pub(super) fn heed_end(&self, change: &Change) {
        let job = &change.object;
        let Some(seconds) = job["spec"]["ttlSecondsAfterFinished"].as_u64() else { return };
        if !(has_condition(job, "Complete") || has_condition(job, "Failed")) {
            return;
        }
        let (key, uid) = (change.key.clone(), job["metadata"]["uid"].clone());
        self.after(seconds * 1_000, move |remote| {
            let is_same =
                remote.0.state.borrow().find(&key).is_some_and(|job| {
                    job["metadata"]["uid"] == uid && job["spec"]["ttlSecondsAfterFinished"] == seconds
                });
            if is_same {
                remote.change(|state| state.remove(&key));
            }
        });
    }
}
