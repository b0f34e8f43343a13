//! What kubelets know of their pods, and what befalls their machines.

use std::collections::BTreeMap;

use super::jobs::{has_ended, key};
use super::network::Remote;
use crate::base::{TimeSpan, Timestamp};
use crate::sim::apiserver::Key;
use crate::sim::course::{ASKED, Ending, KILLED, Member, course};
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
    pub(super) members: Vec<Member>,
    /// When its containers begin, since it began itself.
    pub(super) begins: Vec<TimeSpan>,
    /// The container that begins late since its image is not there.
    pub(super) lacks_image: Option<usize>,
    /// The container that the kernel kills, and when.
    pub(super) killed: Option<(usize, TimeSpan)>,
    pub(super) started_at: Option<Timestamp>,
    pub(super) ending: Option<Appointment>,
    /// The `activeDeadlineSeconds` that are heeded.
    pub(super) deadline: Option<u64>,
    /// Whether its machine does not answer.
    pub(super) is_lost: bool,
    /// Whether it was told to end.
    pub(super) is_going: bool,
    /// Whether it is about to end otherwise than by its own containers.
    pub(super) is_ending: bool,
}

/// What comes next of a pod's containers.
pub(super) enum Next {
    /// All of them have ended.
    End,
    /// After a while one of them begins or ends, and that may be the last.
    Change {
        /// How long it takes.
        wait: TimeSpan,
        /// Whether the pod ends then.
        is_last: bool,
    },
    /// They go on until they are asked to end.
    Nothing,
}

impl Kept {
    pub(super) fn new(key: Key, members: Vec<Member>) -> Self {
        Self {
            key,
            begins: vec![TimeSpan::ZERO; members.len()],
            members,
            lacks_image: None,
            killed: None,
            started_at: None,
            ending: None,
            deadline: None,
            is_lost: false,
            is_going: false,
            is_ending: false,
        }
    }

    /// Returns what comes of its containers when nobody stops it.
    pub(super) fn course(&self) -> Vec<Ending> {
        course(&self.members, &self.begins, self.killed)
    }

    /// Returns whether it runs until it is asked to end.
    fn is_endless(&self) -> bool {
        self.members.iter().any(|member| member.fate.takes.is_none())
    }

    /// Returns what comes next of its containers when it is that old.
    pub(super) fn next(&self, age: TimeSpan) -> Next {
        let ends: Vec<Option<TimeSpan>> = self.course().iter().map(|ending| ending.ends).collect();
        let begins = self.begins.iter().map(|begins| Some(*begins));
        let left: Vec<Option<TimeSpan>> =
            begins.chain(ends.iter().copied()).filter(|change| change.is_none_or(|change| change > age)).collect();
        match left.iter().flatten().min() {
            Some(next) => Next::Change {
                wait: TimeSpan(next.0 - age.0),
                is_last: left.iter().all(|change| change.as_ref() == Some(next)),
            },
            None if left.is_empty() => Next::End,
            None => Next::Nothing,
        }
    }

    /// Returns how long it has been running by `now`.
    pub(super) fn age(&self, now: Timestamp) -> Option<TimeSpan> {
        self.started_at.map(|started_at| now.since(started_at))
    }
}

/// How a pod ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// As its containers do.
    Own,
    /// By SIGTERM.
    Killed,
    /// By its deadline.
    Deadline,
    /// By its machine, which lacks memory.
    Evicted,
    /// Nobody knows: its machine is gone.
    Collected,
}

impl End {
    /// Returns the exit code of the containers that it cuts short.
    pub(super) fn exit_code(self) -> Option<i32> {
        match self {
            End::Own => None,
            End::Killed | End::Deadline => Some(ASKED),
            End::Evicted | End::Collected => Some(KILLED),
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
        if self.0.machines.borrow().pods.get(&uid).is_none_or(Kept::is_endless) {
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
            1 => self.kill_a_process(&uid),
            _ => {
                let found = self.0.state.borrow().find(&pod).cloned();
                let job = found.as_ref().and_then(|pod| pod["metadata"]["ownerReferences"][0]["name"].as_str());
                let Some(job) = job.map(|job| key("jobs", job)) else { return };
                self.0.world.count("Job deleted by a person");
                self.change(|state| state.remove(&job));
            }
        }
    }

    /// The kernel kills one process of a pod, since it takes too much memory.
    fn kill_a_process(&self, uid: &str) {
        let now = self.now();
        {
            let mut machines = self.0.machines.borrow_mut();
            let Some(kept) = machines.pods.get_mut(uid).filter(|kept| !kept.is_lost && !kept.is_ending) else { return };
            let Some(at) = kept.age(now).filter(|_| kept.killed.is_none()) else { return };
            let course = kept.course();
            let runs = |who: &usize| kept.begins[*who] <= at && !course[*who].is_over(at);
            let alive: Vec<usize> = (0..course.len()).filter(runs).collect();
            if alive.is_empty() {
                return;
            }
            kept.killed = Some((alive[self.below(alive.len() as u64) as usize], at));
        }
        self.0.world.count("process killed for its memory");
        self.go_on(uid);
    }
}
