//! What is known of a node's Job and its pods, and what follows from news of them. Pure.
//!
//! A node has one Job, and the Job one pod at a time; but pods are disrupted and replaced, the Job
//! controller may start one twice, and news of Job and pods come over two watches in any order.
//! The first pod counts until it ends; what it ends with is the node's end, and nothing changes it.

use std::collections::{BTreeMap, BTreeSet};

use super::archive::leaving::Leave;
use super::due::Due;
use super::events::Told;
use super::pod::{PodFacts, PodState};
use crate::base::limits::{DISRUPTIONS_PER_NODE_MAX, PENDING_SECONDS_MAX};
use crate::base::{NodeIx, TimeSpan, Timestamp};
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
    /// The Job is to get its next pod, after so many, from this process.
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
    /// Whether this process makes its pods.
    is_managed: bool,
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

    /// Notes that this process makes the node's pods.
    pub(super) fn manage(&mut self) {
        self.is_managed = true;
    }

    /// Returns whether the node's Job waits for its first pod, from this process: the one that posted
    /// it came no further.
    pub(super) fn lacks_pod(&self) -> bool {
        self.is_managed && !self.is_over && self.counted.is_none() && self.spent.is_empty()
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
        match state {
            PodState::Waiting(None) => Vec::new(),
            PodState::Waiting(Some(reason)) => self.tell(PodReport::Waiting { reason }),
            PodState::Stuck(reason) => self.stuck(reason),
            PodState::Running { ready, ip, host } => self.tell(PodReport::Running { ready, ip, host }),
            PodState::Disrupted(reason) => self.disrupted(uid, &reason),
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
        self.spent.insert(uid);
        self.counted = None;
        if let Some(effects) = self.next_pod() {
            return effects;
        }
        let mut effects = self.tell(PodReport::Waiting { reason: format!("replaced after a disruption: {reason}") });
        effects.extend(self.is_managed.then_some(Effect::NextPod(self.disruptions)));
        effects
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
        let is_open = matches!(self.job, JobState::Unknown | JobState::Active);
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
mod tests {
    use super::*;
    use crate::base::{NodeIx, Timestamp};

    /// Returns a pod in a state that a word names.
    fn pod(name: &str, word: &str) -> PodFacts {
        let end = |phase, code: i32| {
            PodState::Ended(Box::new(PodEnd { phase, ..PodEnd::exited(code) }), Some("words".to_owned()))
        };
        let state = match word {
            "waits" => PodState::Waiting(None),
            "unplaced" => PodState::Waiting(Some("Unschedulable".to_owned())),
            "stuck" => PodState::Stuck("ImagePullBackOff".to_owned()),
            "runs" | "leaves" | "evicted" | "evicted-away" => PodState::Running { ready: true, ip: None, host: None },
            "disrupted" => PodState::Disrupted("drained".to_owned()),
            "deleted" => PodState::Deleted,
            "succeeded" => end(Phase::Succeeded, 0),
            "failed" => end(Phase::Failed, 1),
            other => panic!("no state {other}"),
        };
        PodFacts {
            node: NodeIx(1),
            uid: format!("uid-{name}"),
            name: name.to_owned(),
            created_at: Some(Timestamp(0)),
            disruption: word.starts_with("evicted").then(|| "evicted".to_owned()),
            grace: matches!(word, "evicted" | "leaves").then(|| TimeSpan::from_secs(30)),
            due: Due::default(),
            state,
        }
    }

    fn told(effect: Effect) -> String {
        match effect {
            Effect::Report(PodReport::Waiting { reason }) => format!("waiting ({reason})"),
            Effect::Report(PodReport::Running { .. }) => "running".to_owned(),
            Effect::Report(PodReport::Ended(end)) if end.message.is_empty() => end.phase.to_string(),
            Effect::Report(PodReport::Ended(end)) => format!("{} ({})", end.phase, end.message),
            Effect::Report(PodReport::Lost { message }) => format!("lost ({message})"),
            Effect::Collect { pod, .. } => format!("collect {pod}"),
            Effect::StopPod { pod, .. } => format!("stop {pod}"),
            Effect::Search => "search".to_owned(),
            Effect::EndJob => "end job".to_owned(),
            Effect::Leave(..) => "leave".to_owned(),
            Effect::Expire => "expire".to_owned(),
            Effect::Await { uid, grace } => format!("await {uid} {grace}"),
            Effect::Abandon { pod, .. } => format!("abandon {pod}"),
            Effect::Tell(told) => format!("tell {}", told.reason),
            Effect::NextPod(before) => format!("next pod after {before}"),
            Effect::Settle { phase, .. } => format!("settle {phase}"),
        }
    }

    /// Feeds news, one a line, and compares what follows from each: `pod a runs: running`.
    fn check_due(due: Due, script: &str) {
        check_track(Track { due, ..Track::default() }, script);
    }

    fn check_track(mut track: Track, script: &str) {
        track.posted();
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (news, expected) = line.split_once(':').expect("news: effects");
            let words: Vec<&str> = news.split_whitespace().collect();
            let effects = match words[..] {
                ["pod", name, word] => track.pod(pod(name, word)),
                ["gone", name, word] => track.pod_gone(pod(name, word)),
                ["job", "complete"] => track.job(JobState::Complete),
                ["job", "failed"] => track.job(JobState::Failed("BackoffLimitExceeded".to_owned())),
                ["job", "gone"] => track.job(JobState::Gone),
                ["refused", word] => track.refused(word, word == "quota"),
                ["expired"] => track.expired(),
                ["unheard", name] => track.unheard(&format!("uid-{name}")),
                ["stays", "lost"] => track.stays_lost("you may not"),
                ["none", "found"] => track.searched_in_vain(),
                ["stop"] => {
                    track.stop();
                    Vec::new()
                }
                _ => panic!("no news: {news}"),
            };
            let effects: Vec<String> = effects.into_iter().map(told).collect();
            assert_eq!(effects.join(", "), expected.trim(), "{line} in {script}");
        }
    }

    fn check(script: &str) {
        check_due(Due::default(), script);
    }

    #[test]
    fn news_that_repeat_are_told_once() {
        check(
            "pod a waits:
             pod a unplaced: waiting (Unschedulable)
             pod a unplaced:
             pod a runs: running
             pod a runs:
             pod a succeeded: Succeeded
             pod a succeeded:
             job complete:
             gone a succeeded:
             job gone:",
        );
    }

    #[test]
    fn a_disrupted_pod_is_replaced() {
        check(
            "pod a runs: running
             pod a disrupted: waiting (replaced after a disruption: drained)
             pod a disrupted:
             gone a disrupted:
             pod b runs: running
             pod b failed: Failed (main: Error (exit code 1))",
        );
        check(
            "pod a runs: running
             gone a evicted-away: waiting (replaced after a disruption: evicted)
             pod b succeeded: Succeeded",
        );
    }

    #[test]
    fn a_pod_on_a_lost_machine_is_replaced() {
        check(
            "pod a runs: running
             pod a evicted: await uid-a 30s
             pod a evicted:
             unheard a: abandon a
             pod a disrupted: waiting (replaced after a disruption: drained)
             unheard a:
             pod b runs: running
             pod b succeeded: Succeeded",
        );
        check(
            "pod a runs: running
             pod a leaves: await uid-a 30s
             pod a failed: Failed (main: Error (exit code 1))
             unheard a:",
        );
        check(
            "pod a leaves: running, await uid-a 30s
             unheard a: abandon a
             gone a leaves: Error (pod deleted)
             stays lost:",
        );
        check(
            "pod a evicted: running, await uid-a 30s
             unheard a: abandon a
             stays lost: Error (its machine is lost, and the pod cannot be replaced: you may not), end job
             unheard a:",
        );
    }

    #[test]
    fn what_cannot_start_is_given_up() {
        check(
            "pod a stuck: waiting (ImagePullBackOff), expire
             pod a stuck:
             expired: Error (its pod did not start within 1h00m (`pendingTimeout` when not given): ImagePullBackOff), end job
             expired:",
        );
        check(
            "pod a stuck: waiting (ImagePullBackOff), expire
             pod a runs: running
             expired:",
        );
        check(
            "refused policy: waiting (policy), expire
             refused policy:
             expired: Error (its pod did not start within 1h00m (`pendingTimeout` when not given): policy), end job",
        );
        check("refused quota: waiting (quota)\n expired:");
        check_due(Due { has_patience: true, ..Due::default() }, "pod a stuck: waiting (ImagePullBackOff)");
    }

    #[test]
    fn replacing_has_an_end() {
        let mut track = Track::default();
        let mut last = Vec::new();
        for round in 0..=DISRUPTIONS_PER_NODE_MAX {
            assert!(!track.is_over());
            last = track.pod(pod(&format!("p{round}"), "disrupted"));
        }
        let last: Vec<String> = last.into_iter().map(told).collect();
        let words = "disrupted 21 times, which is the most that a pod is replaced: drained";
        assert_eq!(last, [format!("Error ({words})"), "end job".to_owned()]);
    }

    #[test]
    fn a_daemon_that_is_disrupted_fails() {
        check_due(
            Due { daemon: true, ..Due::default() },
            "pod a runs: running
             pod a disrupted: Failed (the daemon was disrupted: drained), end job",
        );
    }

    #[test]
    fn of_two_pods_the_first_counts() {
        check(
            "pod a runs: running
             pod b runs:
             pod b failed:
             pod a succeeded: Succeeded",
        );
        check(
            "pod a runs: running
             pod b runs:
             pod a succeeded: Succeeded
             pod b runs: stop b
             pod b runs:
             pod c waits: stop c",
        );
        // The Job controller ended the one that counted, not the other.
        check(
            "pod a runs: running
             pod b runs:
             pod a deleted:
             pod b succeeded: Succeeded",
        );
    }

    #[test]
    fn a_deleted_pod_is_an_error_unless_it_was_to_stop() {
        check(
            "pod a runs: running
             gone a runs: Error (pod deleted)
             job failed:",
        );
        check(
            "pod a runs: running
             stop:
             pod a deleted: Failed (stopped)",
        );
        check(
            "pod a runs: running
             stop:
             pod a disrupted: Failed (stopped), end job",
        );
    }

    #[test]
    fn what_the_job_controller_does_is_done_here_in_managed_mode() {
        let managed = || Track { is_managed: true, ..Track::default() };
        assert!(managed().lacks_pod());
        check_track(
            managed(),
            "pod a disrupted: waiting (replaced after a disruption: drained), next pod after 1
             pod b runs: running
             pod b succeeded: settle Succeeded, Succeeded
             job complete:",
        );
        check_track(managed(), "gone a runs: settle Error, Error (pod deleted)");
        check_track(managed(), "job gone: search\n none found: lost (its Job was deleted)");
    }

    #[test]
    fn the_job_speaks_for_a_pod_that_nobody_saw() {
        check("job complete: search\n none found: Succeeded");
        check("job failed: search\n none found: Failed (BackoffLimitExceeded)");
        check("job gone: search\n none found: lost (its Job was deleted)");
        check("job complete: search\n pod a succeeded: Succeeded\n none found:");
        check("stop:\n job gone: search\n none found: Failed (stopped)");
        let due = || Due { result: true, ..Due::default() };
        check_due(
            due(),
            "job complete: search
             none found: lost (the pod ended well and was deleted before its outputs were read)",
        );
        check_due(due(), "pod a succeeded: collect a");
    }
}
