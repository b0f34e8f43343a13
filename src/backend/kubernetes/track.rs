//! What is known of a node's Job and its pods, and what follows from news of them. Pure.
//!
//! A node has one Job, and the Job one pod at a time; but pods are disrupted and replaced, the Job
//! controller may start one twice, and news of Job and pods come over two watches in any order.
//! The first pod counts until it ends; what it ends with is the node's end, and nothing changes it.

use std::collections::{BTreeMap, BTreeSet};

use super::due::Due;
use super::pod::{PodFacts, PodState};
use crate::base::limits::DISRUPTIONS_PER_NODE_MAX;
use crate::engine::{Phase, PodEnd, PodReport};

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

/// A node's Job and pods.
#[derive(Debug, Default)]
pub(super) struct Track {
    due: Due,
    job: JobState,
    /// The pod that counts.
    counted: Option<PodFacts>,
    /// Other pods that are alive, by uid.
    others: BTreeMap<String, PodFacts>,
    /// Pods that count no more, by uid: they were disrupted, or told to stop.
    spent: BTreeSet<String>,
    disruptions: u32,
    is_stopped: bool,
    is_over: bool,
    told: Option<PodReport>,
}

impl Track {
    /// Notes what the node is to hand out, which its objects say.
    pub(super) fn due(&mut self, due: Due) {
        self.due = due;
    }

    /// Notes that the node's Job was posted.
    pub(super) fn posted(&mut self) {
        if self.job == JobState::Unknown {
            self.job = JobState::Active;
        }
    }

    /// Returns whether the node's end is known.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Returns whether anything is known of the node.
    pub(super) fn is_known(&self) -> bool {
        self.job != JobState::Unknown || self.counted.is_some()
    }

    /// Returns the pods that are alive as far as is known: the one that counts first.
    pub(super) fn live_pods(&self) -> impl Iterator<Item = &PodFacts> {
        let counted = self.counted.iter().filter(|_| !self.is_over);
        counted.chain(self.others.values())
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
        match &self.counted {
            Some(counted) if counted.uid == pod.uid && self.is_over => Vec::new(),
            Some(counted) if counted.uid != pod.uid => self.does_not_count(pod),
            None if self.is_over => self.does_not_count(pod),
            _ => self.counts(pod),
        }
    }

    fn counts(&mut self, pod: PodFacts) -> Vec<Effect> {
        let (name, uid, state) = (pod.name.clone(), pod.uid.clone(), pod.state.clone());
        self.counted = Some(pod);
        match state {
            PodState::Waiting(None) => Vec::new(),
            PodState::Waiting(Some(reason)) => self.tell(PodReport::Waiting { reason }),
            PodState::Running { ready, ip, host } => self.tell(PodReport::Running { ready, ip, host }),
            PodState::Disrupted(reason) => self.disrupted(uid, &reason),
            PodState::Deleted => self.deleted(uid),
            PodState::Ended(end, words) => {
                self.is_over = true;
                match self.due.has_outputs() {
                    true => vec![Effect::Collect { pod: name, due: self.due.clone(), end, words }],
                    false => vec![Effect::Report(PodReport::Ended(*end))],
                }
            }
        }
    }

    /// The Job controller ends the surplus of pods that are alive together itself; after the end of
    /// the one that counts it is ours to do.
    fn does_not_count(&mut self, pod: PodFacts) -> Vec<Effect> {
        if !matches!(pod.state, PodState::Waiting(_) | PodState::Running { .. }) {
            self.others.remove(&pod.uid);
            return Vec::new();
        }
        if !self.is_over {
            self.others.insert(pod.uid.clone(), pod);
            return Vec::new();
        }
        self.spent.insert(pod.uid.clone());
        vec![Effect::StopPod { pod: pod.name, uid: pod.uid }]
    }

    fn disrupted(&mut self, uid: String, reason: &str) -> Vec<Effect> {
        self.disruptions += 1;
        if self.is_stopped {
            return self.ends(Phase::Failed, "stopped".to_owned());
        }
        if self.due.daemon {
            return self.gives_up(Phase::Failed, format!("the daemon was disrupted: {reason}"));
        }
        if self.disruptions > DISRUPTIONS_PER_NODE_MAX {
            let words =
                format!("disrupted {} times, which is the most that a pod is replaced: {reason}", self.disruptions);
            return self.gives_up(Phase::Error, words);
        }
        self.spent.insert(uid);
        self.counted = None;
        self.next_pod().unwrap_or_else(|| {
            self.tell(PodReport::Waiting { reason: format!("replaced after a disruption: {reason}") })
        })
    }

    fn deleted(&mut self, uid: String) -> Vec<Effect> {
        self.spent.insert(uid);
        self.counted = None;
        if let Some(effects) = self.next_pod() {
            return effects;
        }
        match self.is_stopped {
            true => self.ends(Phase::Failed, "stopped".to_owned()),
            false => self.ends(Phase::Error, "pod deleted".to_owned()),
        }
    }

    /// Lets the first of the other pods count.
    fn next_pod(&mut self) -> Option<Vec<Effect>> {
        let first = self.others.values().min_by_key(|pod| (pod.created_at, &pod.uid))?.uid.clone();
        let pod = self.others.remove(&first)?;
        Some(self.counts(pod))
    }

    /// Takes the news that a pod is no more, with the last that was seen of it.
    pub(super) fn pod_gone(&mut self, last: PodFacts) -> Vec<Effect> {
        let uid = last.uid.clone();
        let was_disrupted = last.disruption.clone();
        let mut effects = self.pod(last);
        self.others.remove(&uid);
        let is_missed = !self.is_over && self.counted.as_ref().is_some_and(|counted| counted.uid == uid);
        if is_missed {
            // Whether a deletion or a disruption took it while it was at work, its end will not be seen.
            effects = match was_disrupted {
                Some(reason) => self.disrupted(uid, &reason),
                None => self.deleted(uid),
            };
        }
        effects
    }

    /// Takes news of the Job.
    pub(super) fn job(&mut self, state: JobState) -> Vec<Effect> {
        if self.job == state {
            return Vec::new();
        }
        self.job = state;
        let has_ended = !matches!(self.job, JobState::Unknown | JobState::Active);
        // As long as a pod is known, its own end is on its way, and says more.
        match has_ended && !self.is_over && self.counted.is_none() {
            true => vec![Effect::Search],
            false => Vec::new(),
        }
    }

    /// Takes the answer to [`Effect::Search`] when there is no pod: what the Job says is all that is known.
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
        self.is_over = true;
        vec![Effect::Report(PodReport::Lost { message: message.to_owned() })]
    }

    /// Ends the node while its Job could still go on.
    fn gives_up(&mut self, phase: Phase, message: String) -> Vec<Effect> {
        let mut effects = self.ends(phase, message);
        effects.push(Effect::EndJob);
        effects
    }

    fn ends(&mut self, phase: Phase, message: String) -> Vec<Effect> {
        self.is_over = true;
        let end = PodEnd { phase, exit_code: None, message, ..PodEnd::exited(0) };
        vec![Effect::Report(PodReport::Ended(end))]
    }

    fn tell(&mut self, report: PodReport) -> Vec<Effect> {
        if self.told.as_ref() == Some(&report) {
            return Vec::new();
        }
        self.told = Some(report.clone());
        vec![Effect::Report(report)]
    }
}
