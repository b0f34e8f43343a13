//! What kubelets know of their pods, and what befalls their machines.

use std::collections::BTreeMap;

use super::jobs::{has_ended, key};
use super::network::Remote;
use crate::base::Timestamp;
use crate::sim::apiserver::Key;
use crate::sim::program::Fate;
use crate::sim::world::Appointment;

/// The longest time between two blows of fate.
const BLOW_MILLIS_MAX: u64 = 6_000;

/// How long a machine is gone until its pods are evicted, and until they are given up.
const LOST_MILLIS_MAX: u64 = 40_000;

/// What kubelets know.
#[derive(Default)]
pub(super) struct Machines {
    /// The pods that are there, by uid.
    pub(super) pods: BTreeMap<String, Kept>,
    /// The logs of pods that have ended, by name.
    pub(super) logs: BTreeMap<String, String>,
    /// The Jobs of each node's name, in the order of their first pods.
    jobs: BTreeMap<String, Vec<String>>,
}

/// A pod as its kubelet knows it.
pub(super) struct Kept {
    pub(super) key: Key,
    pub(super) fate: Fate,
    pub(super) started_at: Option<Timestamp>,
    pub(super) ending: Option<Appointment>,
    /// The `activeDeadlineSeconds` that are heeded.
    pub(super) deadline: Option<u64>,
    /// Whether its machine does not answer.
    pub(super) is_lost: bool,
    /// Whether it was told to end.
    pub(super) is_going: bool,
}

impl Kept {
    pub(super) fn new(key: Key, fate: Fate) -> Self {
        Self { key, fate, started_at: None, ending: None, deadline: None, is_lost: false, is_going: false }
    }
}

/// How a pod ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// As its program does.
    Own,
    /// By SIGTERM.
    Killed,
    /// By its deadline.
    Deadline,
    /// By its machine, which lacks memory.
    Evicted,
    /// By the kernel, since it takes too much memory.
    OutOfMemory,
    /// Nobody knows: its machine is gone.
    Collected,
}

impl End {
    pub(super) fn exit_code(self, fate: &Fate) -> i32 {
        match self {
            End::Own => fate.end.exit_code.unwrap_or(0),
            End::Killed | End::Deadline => 143,
            End::Evicted | End::OutOfMemory | End::Collected => 137,
        }
    }

    pub(super) fn reason(self, code: i32) -> &'static str {
        match self {
            End::OutOfMemory => "OOMKilled",
            _ if code == 0 => "Completed",
            _ => "Error",
        }
    }

    /// Returns what the pod itself says of it.
    pub(super) fn words(self) -> Option<(&'static str, &'static str)> {
        match self {
            End::Deadline => {
                Some(("DeadlineExceeded", "Pod was active on the node longer than the specified deadline"))
            }
            End::Evicted => Some(("Evicted", "The node was low on resource: memory.")),
            _ => None,
        }
    }
}

impl Machines {
    /// Returns how many Jobs of a node's name there were before `job`.
    pub(super) fn earlier(&mut self, name: &str, job: &str) -> usize {
        let jobs = self.jobs.entry(name.to_owned()).or_default();
        let known = jobs.iter().position(|known| known == job);
        known.unwrap_or_else(|| {
            jobs.push(job.to_owned());
            jobs.len() - 1
        })
    }
}

impl Remote {
    /// Lets befall the cluster what the weather has in store.
    pub(super) fn begin_disturbances(&self) {
        let weather = &self.0.weather;
        let blows: [(u32, fn(&Remote)); 4] = [
            (weather.disruptions_max, Remote::disrupt),
            (weather.hostilities_max, Remote::harm),
            (weather.cuts_max, Remote::cut_history),
            (weather.outages_max, Remote::begin_outage),
        ];
        for (times, blow) in blows {
            self.strike_later(times, blow);
        }
    }

    fn strike_later(&self, times: u32, blow: fn(&Remote)) {
        if times > 0 {
            self.after(self.below(BLOW_MILLIS_MAX), move |remote| {
                blow(remote);
                remote.strike_later(times - 1, blow);
            });
        }
    }

    /// Returns a pod that is alive, by chance.
    fn any_pod(&self) -> Option<(Key, String)> {
        let state = self.0.state.borrow();
        let alive = state.all("pods").filter(|(_, pod)| {
            !has_ended(pod) && pod["metadata"]["deletionTimestamp"].is_null() && !pod["spec"]["nodeName"].is_null()
        });
        let alive: Vec<(Key, String)> = alive
            .map(|(key, pod)| (key.clone(), pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned()))
            .collect();
        drop(state);
        (!alive.is_empty()).then(|| alive[self.below(alive.len() as u64) as usize].clone())
    }

    /// Kubernetes ends a pod for its own reasons.
    fn disrupt(&self) {
        let Some((key, uid)) = self.any_pod() else { return };
        // A daemon fails when it is disrupted, which would be another end of the run.
        if self.0.machines.borrow().pods.get(&uid).is_none_or(|kept| kept.fate.takes.is_none()) {
            return;
        }
        match self.below(3) {
            0 => {
                self.0.world.count("pod drained");
                self.set_condition(&key, "DisruptionTarget", "True", "EvictionByEvictionAPI", "Eviction API: evicting");
                self.delete_pod(&key);
            }
            1 => {
                self.0.world.count("pod evicted");
                self.set_condition(&key, "DisruptionTarget", "True", "TerminationByKubelet", "low on memory");
                self.end_at(&uid, 1, End::Evicted);
            }
            _ => self.lose_machine(key, uid),
        }
    }

    /// A machine goes away; its pod is evicted from afar, and given up when it does not come back.
    fn lose_machine(&self, key: Key, uid: String) {
        self.0.world.count("machine lost");
        {
            let mut machines = self.0.machines.borrow_mut();
            let Some(kept) = machines.pods.get_mut(&uid) else { return };
            kept.is_lost = true;
            kept.ending.take().into_iter().for_each(|ending| self.0.world.cancel(ending));
        }
        self.after(self.below(LOST_MILLIS_MAX), move |remote| {
            remote.set_condition(&key, "DisruptionTarget", "True", "DeletionByTaintManager", "Taint manager: deleting");
            remote.delete_pod(&key);
            remote.after(remote.below(LOST_MILLIS_MAX), move |remote| remote.end(&uid, End::Collected));
        });
    }

    /// People and the kernel end what they should not: the run may end otherwise.
    fn harm(&self) {
        let Some((pod, uid)) = self.any_pod() else { return };
        match self.below(3) {
            0 => {
                self.0.world.count("pod deleted by a person");
                self.delete_pod(&pod);
            }
            1 => {
                self.0.world.count("process killed for its memory");
                self.end_at(&uid, 1, End::OutOfMemory);
            }
            _ => {
                let found = self.0.state.borrow().find(&pod).cloned();
                let job = found.as_ref().and_then(|pod| pod["metadata"]["ownerReferences"][0]["name"].as_str());
                let Some(job) = job.map(|job| key("jobs", job)) else { return };
                self.0.world.count("Job deleted by a person");
                self.change(|state| state.remove(&job));
            }
        }
    }
}
