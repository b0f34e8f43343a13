//! What is known of a node's Job and its pods, and what follows from news of them. Pure.
//!
//! A node has one Job, and the Job one pod at a time; but pods are disrupted and replaced, the Job
//! controller may start one twice, and news of Job and pods come over two watches in any order.
//! The first pod counts until it ends; what it ends with is the node's end, and nothing changes it.

use std::collections::{BTreeMap, BTreeSet};

use super::archive::leaving::Leave;
use super::due::Due;
use super::events::Told;
use super::managed;
use super::pod::{PodFacts, PodState};
use crate::base::limits::{DISRUPTIONS_PER_NODE_MAX, PENDING_SECONDS_MAX};
use crate::base::{NodeIx, TimeSpan, Timestamp};
use crate::engine::{Phase, PodEnd, PodReport};

/// What is said of a node whose pod somebody deleted. Source: Argo's `podReconciliation`.
const POD_DELETED: &str = "pod deleted";

/// What follows from news.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Effect {
    /// The engine is to know.
    Report(PodReport),
    /// The pod has ended, and what it hands out is to be read before that is told.
    Collect {
        /// The pod.
        pod: String,
        /// What it is to hand out.
        due: Due,
        /// Its end, without outputs.
        end: Box<PodEnd>,
        /// The last words of its main container.
        words: Option<String>,
    },
    /// A pod that does not count is to end.
    StopPod {
        /// The pod.
        pod: String,
        /// Which one of that name.
        uid: String,
    },
    /// The Job has ended, and no pod of it is known: they are to be looked for.
    Search,
    /// The Job is to start no further pod.
    EndJob,
    /// Nodes that have ended leave something that is to be kept, or to go.
    Leave(Leave, Vec<NodeIx>),
    /// The pod does not start; it is to be looked at when its time is over.
    Expire,
    /// The pod was asked to end; should nothing be heard of it beyond its grace, its machine is lost.
    Await {
        /// Which pod.
        uid: String,
        /// How long it has.
        grace: TimeSpan,
    },
    /// The pod's machine is lost, and it is to count as ended.
    Abandon {
        /// The pod.
        pod: String,
        /// Which one of that name.
        uid: String,
        /// Whether nobody but this process keeps it.
        is_managed: bool,
    },
    /// People are to know.
    Tell(Told),
    /// The Job is to get its next pod, of this number, from this process.
    NextPod(u32),
    /// The Job is to say how its pod ended; nobody else does.
    Settle {
        /// How.
        phase: Phase,
        /// Why.
        message: String,
        /// When its containers began to run.
        started_at: Option<Timestamp>,
    },
}

/// What a Job says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum JobState {
    /// Nothing yet.
    #[default]
    Unknown,
    /// It was posted, and has not ended.
    Active,
    /// It ended well.
    Complete,
    /// It ended badly, in these words.
    Failed(String),
    /// It was deleted.
    Gone,
}

impl JobState {
    /// Returns whether no further pod comes of it.
    pub(super) fn has_ended(&self) -> bool {
        !matches!(self, JobState::Unknown | JobState::Active)
    }
}

/// A node's Job and pods.
#[derive(Debug, Default)]
pub(super) struct Track {
    due: Due,
    job: JobState,
    /// The pod that counts.
    counted: Option<PodFacts>,
    /// Other pods that are alive, by uid.
    others: BTreeMap<String, PodFacts>,
    /// Whether its pod was deleted, and the Job is to say what becomes of the node: the controller ends one of
    /// two pods that are alive together as it likes, and makes another for one that was drained.
    is_deleted: bool,
    /// Pods that count no more, by uid: they were disrupted, or told to stop.
    spent: BTreeSet<String>,
    disruptions: u32,
    /// Whether this process makes its pods.
    is_managed: bool,
    /// The number of the pod that this process made, and of which nothing was seen yet.
    unseen: Option<u32>,
    is_stopped: bool,
    /// Whether its pod lacked something once.
    is_stuck: bool,
    /// Whether it has no pod, since a policy forbids it.
    is_refused: bool,
    /// The pod that was asked to end, and whose end is awaited.
    leaving: Option<String>,
    is_over: bool,
    told: Option<PodReport>,
}

impl Track {
    /// Notes what the node is to hand out, which its objects say.
    pub(super) fn due(&mut self, due: Due) {
        self.due = due;
    }

    /// Returns what its template says of keeping its logs.
    pub(super) fn archive_logs(&self) -> Option<bool> {
        self.due.archive_logs
    }

    /// Notes that this process makes the node's pods.
    pub(super) fn manage(&mut self) {
        self.is_managed = true;
    }

    /// Returns whether the node's Job waits for its first pod, from this process: the one that posted
    /// it came no further.
    pub(super) fn lacks_pod(&self) -> bool {
        self.is_managed && !self.is_over && self.counted.is_none() && self.spent.is_empty()
    }

    /// Notes that this process made the pod of that number.
    pub(super) fn made_pod(&mut self, number: u32) {
        if self.counted.is_none() {
            self.unseen = Some(number);
        }
    }

    /// Returns the number of the pod that was made, and of which nothing was seen yet.
    pub(super) fn unseen(&self) -> Option<u32> {
        self.unseen.filter(|_| !self.is_over)
    }

    /// Takes the news that the pod of that number came and went before anything was seen of it.
    pub(super) fn pod_unseen(&mut self, number: u32) -> Vec<Effect> {
        match self.unseen() == Some(number) {
            true => self.replace(number + 1, "it went before anything was seen of it"),
            false => Vec::new(),
        }
    }

    /// Notes that the node's Job was posted.
    pub(super) fn posted(&mut self) {
        if self.job == JobState::Unknown {
            self.job = JobState::Active;
        }
    }

    /// Returns whether something follows from its running: others start, or its time to start is over in vain.
    pub(super) fn is_awaited(&self) -> bool {
        self.due.daemon || self.due.has_patience
    }

    /// Returns whether its Job was posted, and got no pod from the Job controller yet.
    pub(super) fn is_podless(&self) -> bool {
        !self.is_managed && !self.is_over && self.counted.is_none()
    }

    /// Returns whether the node's end is known.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Returns whether anything is known of the node.
    pub(super) fn is_known(&self) -> bool {
        self.job != JobState::Unknown || self.counted.is_some()
    }

    /// Returns whether anything of the node was ever seen: a pod that was spent is known no more.
    pub(super) fn was_seen(&self) -> bool {
        self.is_known() || !self.spent.is_empty()
    }

    /// Returns the pods that are alive as far as is known: the one that counts first.
    pub(super) fn live_pods(&self) -> impl Iterator<Item = &PodFacts> {
        let counted = self.counted.iter().filter(|_| !self.is_over);
        counted.chain(self.others.values().filter(|pod| !matches!(pod.state, PodState::Ended(..))))
    }

    /// Notes that the node's end is in the log: what only tells how it came about is forgotten, since a run may
    /// have very many nodes.
    pub(super) fn recorded(&mut self) {
        if !self.is_over {
            return;
        }
        self.told = None;
        if let Some(pod) = &mut self.counted {
            // Which pod counted tells a second one from it.
            let (name, state) = (String::new(), PodState::Waiting(None));
            *pod = PodFacts { name, state, uid: std::mem::take(&mut pod.uid), due: Due::default(), ..pod.clone() };
        }
    }

    /// Notes that the node was asked to end: pods that go are not missed.
    pub(super) fn stop(&mut self) {
        self.is_stopped = true;
    }

    /// Takes news of a pod.
    pub(super) fn pod(&mut self, pod: PodFacts) -> Vec<Effect> {
        if self.spent.contains(&pod.uid) {
            return Vec::new();
        }
        if self.due == Due::default() {
            // News of a pod may come before those of its Job, which say the same.
            self.due = pod.due.clone();
        }
        match &self.counted {
            Some(counted) if counted.uid == pod.uid && self.is_over => Vec::new(),
            Some(counted) if counted.uid != pod.uid => self.does_not_count(pod),
            None if self.is_over => self.does_not_count(pod),
            _ => self.counts(pod),
        }
    }

    fn counts(&mut self, pod: PodFacts) -> Vec<Effect> {
        let awaited = self.leaves(&pod);
        let mut effects = self.counts_in_its_state(pod);
        effects.extend(awaited);
        effects
    }

    /// Returns what is due when a pod that has not ended was asked to.
    fn leaves(&mut self, pod: &PodFacts) -> Option<Effect> {
        let grace = pod.grace.filter(|_| pod.is_alive() && self.leaving.as_ref() != Some(&pod.uid))?;
        self.leaving = Some(pod.uid.clone());
        Some(Effect::Await { uid: pod.uid.clone(), grace })
    }

    fn counts_in_its_state(&mut self, pod: PodFacts) -> Vec<Effect> {
        let (name, uid, state) = (pod.name.clone(), pod.uid.clone(), pod.state.clone());
        self.counted = Some(pod);
        self.unseen = None;
        self.is_deleted = false;
        match state {
            PodState::Waiting(None) => Vec::new(),
            PodState::Waiting(Some(reason)) => self.tell(PodReport::Waiting { reason }),
            PodState::Stuck(reason) => self.stuck(reason),
            PodState::Running { ready, ip, host } => self.tell(PodReport::Running { ready, ip, host }),
            PodState::Disrupted(reason) => self.disrupted(&name, uid, &reason),
            PodState::Deleted => self.deleted(uid),
            PodState::Ended(end, words) => {
                let mut effects = self.over(end.phase, &end.message, end.started_at);
                effects.push(match self.due.has_outputs() {
                    true => Effect::Collect { pod: name, due: self.due.clone(), end, words },
                    false => Effect::Report(PodReport::Ended(*end)),
                });
                effects
            }
        }
    }

    /// The server goes on trying what its containers lack, and would for ever.
    fn stuck(&mut self, reason: String) -> Vec<Effect> {
        let is_first = !std::mem::replace(&mut self.is_stuck, true);
        let mut effects = self.tell(PodReport::Waiting { reason });
        effects.extend((is_first && !self.due.has_patience).then_some(Effect::Expire));
        effects
    }

    /// Takes the news that a pod had its time to start: one that still lacks something never will.
    pub(super) fn expired(&mut self) -> Vec<Effect> {
        let reason = match (&self.counted, &self.told) {
            _ if self.is_over => return Vec::new(),
            (Some(PodFacts { state: PodState::Stuck(reason), .. }), _) => reason,
            (None, Some(PodReport::Waiting { reason })) if self.is_refused => reason,
            _ => return Vec::new(),
        };
        let limit = TimeSpan::from_secs(PENDING_SECONDS_MAX);
        let words = format!("its pod did not start within {limit} (`pendingTimeout` when not given): {reason}");
        self.gives_up(Phase::Error, words)
    }

    /// Takes the news that a pod had its time to end, and more: it is alive only if its machine is lost.
    pub(super) fn unheard(&mut self, uid: &str) -> Vec<Effect> {
        let lost = self.counted.as_ref().filter(|pod| pod.uid == uid && !self.is_over);
        let abandon = |pod: &PodFacts| Effect::Abandon {
            pod: pod.name.clone(),
            uid: pod.uid.clone(),
            is_managed: self.is_managed,
        };
        lost.map(abandon).into_iter().collect()
    }

    /// Takes the news that a pod whose machine is lost cannot be declared ended: its Job would wait for ever.
    pub(super) fn stays_lost(&mut self, words: &str) -> Vec<Effect> {
        if self.is_over {
            return Vec::new();
        }
        self.gives_up(Phase::Error, format!("its machine is lost, and the pod cannot be replaced: {words}"))
    }

    /// The Job controller ends the surplus of pods that are alive together itself; after the end of
    /// the one that counts it is ours to do.
    fn does_not_count(&mut self, pod: PodFacts) -> Vec<Effect> {
        if !pod.is_alive() {
            // Should the one that counts be deleted, as the Job controller does once another has ended well,
            // this end is the node's.
            match pod.state {
                PodState::Ended(..) if !self.is_over => drop(self.others.insert(pod.uid.clone(), pod)),
                _ => {
                    self.others.remove(&pod.uid);
                    self.spent.insert(pod.uid);
                }
            }
            return Vec::new();
        }
        if !self.is_over {
            self.others.insert(pod.uid.clone(), pod);
            return Vec::new();
        }
        self.spent.insert(pod.uid.clone());
        vec![Effect::StopPod { pod: pod.name, uid: pod.uid }]
    }

    fn disrupted(&mut self, pod: &str, uid: String, reason: &str) -> Vec<Effect> {
        self.spent.insert(uid);
        self.counted = None;
        // Other drivers may have made pods before: what their names say counts.
        self.replace(managed::number(pod).map_or(self.disruptions + 1, |number| number + 1), reason)
    }

    /// Has another pod take the place of one that was disrupted; `next` is its number where this process makes it.
    fn replace(&mut self, next: u32, reason: &str) -> Vec<Effect> {
        self.unseen = None;
        self.disruptions += 1;
        if self.is_stopped {
            return self.gives_up(Phase::Failed, "stopped".to_owned());
        }
        if self.due.daemon {
            return self.gives_up(Phase::Failed, format!("the daemon was disrupted: {reason}"));
        }
        if self.disruptions > DISRUPTIONS_PER_NODE_MAX {
            let words =
                format!("disrupted {} times, which is the most that a pod is replaced: {reason}", self.disruptions);
            return self.gives_up(Phase::Error, words);
        }
        if let Some(effects) = self.next_pod() {
            return effects;
        }
        if self.job.has_ended() {
            // Nobody replaces it any more.
            return vec![Effect::Search];
        }
        let mut effects = self.tell(PodReport::Waiting { reason: format!("replaced after a disruption: {reason}") });
        effects.extend(self.is_managed.then_some(Effect::NextPod(next)));
        effects
    }

    fn deleted(&mut self, uid: String) -> Vec<Effect> {
        self.spent.insert(uid);
        self.counted = None;
        if let Some(effects) = self.next_pod() {
            return effects;
        }
        if self.is_stopped {
            return self.ends(Phase::Failed, "stopped".to_owned());
        }
        if self.is_managed {
            return self.ends(Phase::Error, POD_DELETED.to_owned());
        }
        self.is_deleted = true;
        self.leaves_it_to_the_job()
    }

    /// Lets the first of the other pods count.
    fn next_pod(&mut self) -> Option<Vec<Effect>> {
        let first = self.others.values().min_by_key(|pod| (pod.created_at, &pod.uid))?.uid.clone();
        let pod = self.others.remove(&first)?;
        Some(self.counts(pod))
    }

    /// Takes the news that a pod is no more, with the last that was seen of it.
    pub(super) fn pod_gone(&mut self, last: PodFacts) -> Vec<Effect> {
        let (name, uid) = (last.name.clone(), last.uid.clone());
        let was_disrupted = last.disruption.clone();
        let mut effects = self.pod(last);
        self.others.remove(&uid);
        let is_missed = !self.is_over && self.counted.as_ref().is_some_and(|counted| counted.uid == uid);
        if is_missed {
            // Whether a deletion or a disruption took it while it was at work, its end will not be seen.
            effects = match was_disrupted {
                Some(reason) => self.disrupted(&name, uid, &reason),
                None => self.deleted(uid),
            };
        }
        effects
    }

    /// Takes the news that a pod is not in a list: how it ended is not known, and a Job whose pods others
    /// make tells.
    pub(super) fn pod_missing(&mut self, last: PodFacts) -> Vec<Effect> {
        let counts = !self.is_over && self.counted.as_ref().is_some_and(|counted| counted.uid == last.uid);
        if self.is_managed || self.is_stopped || !counts || self.job == JobState::Gone {
            return self.pod_gone(last);
        }
        self.spent.insert(last.uid);
        self.counted = None;
        self.next_pod().unwrap_or_else(|| self.leaves_it_to_the_job())
    }

    /// Waits for the Job's word, or its next pod.
    fn leaves_it_to_the_job(&mut self) -> Vec<Effect> {
        match self.job.has_ended() {
            true => vec![Effect::Search],
            false => self.tell(PodReport::Waiting { reason: "its pod is gone, and its Job goes on".to_owned() }),
        }
    }

    /// Takes news of the Job.
    pub(super) fn job(&mut self, state: JobState) -> Vec<Effect> {
        if self.job == state {
            return Vec::new();
        }
        let before = std::mem::replace(&mut self.job, state);
        // A request to make it that was under way when it was deleted, or asked to end, came after all.
        let is_unwanted = self.is_over && before == JobState::Gone || self.is_stopped && self.counted.is_none();
        if self.job == JobState::Active && is_unwanted {
            return vec![Effect::EndJob];
        }
        // As long as a pod is known, its own end is on its way, and says more.
        match self.job.has_ended() && !self.is_over && self.counted.is_none() {
            true => vec![Effect::Search],
            false => Vec::new(),
        }
    }

    /// Takes the news that the Job controller may not make a pod for the Job; it goes on trying. A
    /// quota may have room again, what a policy forbids stays forbidden.
    pub(super) fn refused(&mut self, words: &str, is_quota: bool) -> Vec<Effect> {
        if self.is_over || self.counted.is_some() {
            return Vec::new();
        }
        let reason = words.strip_prefix("Error creating: ").unwrap_or(words).to_owned();
        self.is_refused = !is_quota;
        if is_quota { self.tell(PodReport::Waiting { reason }) } else { self.stuck(reason) }
    }

    /// Takes the answer to [`Effect::Search`] when there is no pod that counts: what the Job says is all that is known.
    pub(super) fn searched_in_vain(&mut self) -> Vec<Effect> {
        if self.is_over || self.counted.is_some() {
            return Vec::new();
        }
        match self.job.clone() {
            JobState::Unknown | JobState::Active => Vec::new(),
            _ if self.is_stopped => self.ends(Phase::Failed, "stopped".to_owned()),
            JobState::Complete if self.due.has_outputs() => {
                self.is_lost("the pod ended well and was deleted before its outputs were read")
            }
            JobState::Complete => self.ends(Phase::Succeeded, String::new()),
            JobState::Failed(_) if self.is_deleted => self.ends(Phase::Error, POD_DELETED.to_owned()),
            JobState::Failed(words) => self.ends(Phase::Failed, words),
            JobState::Gone => self.is_lost("its Job was deleted"),
        }
    }

    /// Returns what is known of the node; nothing when nothing is.
    pub(super) fn known(&self) -> Option<PodReport> {
        let known = self.told.clone();
        known.or_else(|| self.is_known().then(|| PodReport::Waiting { reason: "its pod is to start".to_owned() }))
    }

    fn is_lost(&mut self, message: &str) -> Vec<Effect> {
        let mut effects = self.over(Phase::Error, message, None);
        effects.push(Effect::Report(PodReport::Lost { message: message.to_owned() }));
        effects
    }

    /// Ends the node while its Job could still go on.
    fn gives_up(&mut self, phase: Phase, message: String) -> Vec<Effect> {
        let mut effects = self.ends(phase, message);
        effects.push(Effect::EndJob);
        effects
    }

    fn ends(&mut self, phase: Phase, message: String) -> Vec<Effect> {
        let mut effects = self.over(phase, &message, None);
        let end = PodEnd { phase, exit_code: None, message, ..PodEnd::exited(0) };
        effects.push(Effect::Report(PodReport::Ended(end)));
        effects
    }

    /// Notes that the node's end is known; the Job that nobody else looks after is to say so.
    fn over(&mut self, phase: Phase, message: &str, started_at: Option<Timestamp>) -> Vec<Effect> {
        self.is_over = true;
        let is_open = !self.job.has_ended();
        let settle = Effect::Settle { phase, message: message.to_owned(), started_at };
        (self.is_managed && is_open).then_some(settle).into_iter().collect()
    }

    fn tell(&mut self, report: PodReport) -> Vec<Effect> {
        if self.told.as_ref() == Some(&report) {
            return Vec::new();
        }
        self.told = Some(report.clone());
        vec![Effect::Report(report)]
    }
}

#[cfg(test)]
mod tests;
