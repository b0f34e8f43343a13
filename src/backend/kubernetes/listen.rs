//! Listening: the run's Jobs and pods, as the cluster tells of them.

use std::collections::BTreeSet;
use std::future::pending;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use k8s_openapi::api::core::v1::Event;
use kube::Api;
use tokio::time::Instant;

use super::chores::{Chore, Done};
use super::client::{KubernetesBackend, Owner};
use super::fault::{failed, is_quota};
use super::job_state::JobFacts;
use super::kinds::{Job, Pod};
use super::pod::{PodFacts, PodState};
use super::resource::Work;
use super::track::{Effect, JobState};
use super::watch::{News, Watch, Which};
use super::{job_state, names, pod};
use crate::backend::BackendError;
use crate::base::NodeIx;
use crate::base::limits::RELIST_SECONDS;
use crate::engine::PodReport;

/// The events that the Job controller leaves when a pod cannot be made: a quota, an admission rule.
/// A Job says nothing of it.
const REFUSALS: &str = "involvedObject.kind=Job,reason=FailedCreate";

/// How long after a list all is listed again.
const RELIST: Duration = Duration::from_secs(RELIST_SECONDS);

/// What is being listened to.
pub(super) struct Ears {
    pods: Watch<Pod>,
    jobs: Watch<Job>,
    /// Why the Job controller cannot make pods; none where events may not be read.
    refusals: Option<Watch<Event>>,
    /// Whether that is asked: not before a Job has waited for its pod.
    asks_why: bool,
    /// When all is listed again.
    relist_at: Option<Instant>,
    /// Calls under way that news have caused.
    pub chores: FuturesUnordered<Chore>,
    /// What the driver does itself, under way.
    work: FuturesUnordered<Work>,
}

impl Ears {
    pub(super) fn new(pods: &Api<Pod>, jobs: &Api<Job>, events: Api<Event>, owner: &Owner) -> Self {
        let labels = Which::Labels(format!("{}={}", names::HEAD, owner.head));
        Self {
            pods: Watch::new(pods.clone(), labels.clone()),
            jobs: Watch::new(jobs.clone(), labels),
            refusals: Some(Watch::new(events, Which::Fields(REFUSALS.to_owned()))),
            asks_why: false,
            relist_at: None,
            chores: FuturesUnordered::new(),
            work: FuturesUnordered::new(),
        }
    }
}

async fn refusal(refusals: Option<&mut Watch<Event>>) -> Result<News<Event>, kube::Error> {
    match refusals {
        Some(watch) => watch.next().await,
        None => pending().await,
    }
}

/// What came in.
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and it is taken at once")]
enum Heard {
    Pod(News<Pod>),
    Job(News<Job>),
    Worked(NodeIx, PodReport),
    Refusal(Result<News<Event>, kube::Error>),
    Done(Done),
    Due,
    Woken,
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => pending().await,
    }
}

impl KubernetesBackend {
    /// Waits until something comes in, and takes it. Safe to drop while it waits.
    pub(super) async fn listen_once(&self, ears: &mut Ears) -> Result<(), BackendError> {
        let is_due = ears.relist_at.is_some_and(|due| due <= Instant::now());
        if !(ears.pods.is_listed() && ears.jobs.is_listed()) || (is_due && self.expects_news()) {
            return self.list(ears).await;
        }
        if is_due {
            ears.relist_at = Some(Instant::now() + RELIST);
        }
        self.begin_chores(&ears.chores);
        ears.work.extend(std::mem::take(&mut self.state().own_work.new));
        let due = self.due().into_iter().chain(ears.relist_at).min();
        if self.state().outbox.due().is_some_and(|due| due <= Instant::now()) {
            return Ok(());
        }
        ears.asks_why |= self.state().is_kept_waiting(Instant::now());
        let Ears { pods, jobs, refusals, asks_why, chores, work, .. } = ears;
        let heard = tokio::select! {
            biased;
            done = async { if chores.is_empty() { pending().await } else { chores.next().await } } => done.map_or(Heard::Woken, Heard::Done),
            Some((node, report)) = work.next(), if !work.is_empty() => Heard::Worked(node, report),
            news = pods.next() => Heard::Pod(news.map_err(|error| failed("watch the run's pods", &error))?),
            news = jobs.next() => Heard::Job(news.map_err(|error| failed("watch the run's Jobs", &error))?),
            news = refusal(refusals.as_mut().filter(|_| *asks_why)) => Heard::Refusal(news),
            () = self.wake.notified() => Heard::Woken,
            () = sleep_until(due) => Heard::Due,
        };
        match heard {
            Heard::Pod(news) => self.heed_pod(&news),
            Heard::Job(news) => self.heed_job(&news),
            Heard::Done(done) => return self.heed_done(done),
            Heard::Worked(node, report) => self.state().report(node, report),
            Heard::Refusal(Ok(News::Forgotten)) => self.list_refusals(ears).await,
            Heard::Refusal(Ok(News::Is(event))) => self.heed_refusal(&event),
            Heard::Refusal(Ok(News::Gone(_))) => {}
            // They only explain: a run goes on without them.
            Heard::Refusal(Err(_)) => ears.refusals = None,
            Heard::Due => return self.heed_time().await,
            Heard::Woken => {}
        }
        Ok(())
    }

    /// Returns when there is something to do by time alone.
    fn due(&self) -> Option<Instant> {
        let state = self.state();
        let stuck = state.stuck.front().map(|(due, _)| *due);
        let podless = state.podless.front().map(|(due, _)| *due);
        let leaving = state.leaving.first().map(|(due, ..)| *due);
        state
            .room
            .due()
            .into_iter()
            .chain(state.outbox.due())
            .chain(leaving)
            .chain(state.leftovers.due())
            .chain(stuck)
            .chain(podless)
            .min()
    }

    async fn heed_time(&self) -> Result<(), BackendError> {
        let now = Instant::now();
        {
            let mut state = self.state();
            while let Some((leave, nodes)) = state.leftovers.take(now) {
                let first = nodes.first().copied().unwrap_or(NodeIx(0));
                state.chores.push_back((first, Effect::Leave(leave, nodes)));
            }
            while let Some((_, node)) = state.stuck.front().copied().filter(|(due, _)| *due <= now) {
                state.stuck.pop_front();
                let effects = state.tracks.entry(node).or_default().expired();
                state.take(node, effects);
            }
            while let Some((due, node, uid)) = state.leaving.pop_first() {
                if due > now {
                    state.leaving.insert((due, node, uid));
                    break;
                }
                let effects = state.tracks.entry(node).or_default().unheard(&uid);
                state.take(node, effects);
            }
        }
        self.try_next().await
    }

    /// Lists Jobs and pods, takes what they say, and notes what is there no more.
    pub(super) async fn list(&self, ears: &mut Ears) -> Result<(), BackendError> {
        // Only what was there before the list was asked for can be missing in it.
        let before: Vec<(NodeIx, Option<u32>)> = {
            let state = self.state();
            let alive = state.tracks.iter().filter(|(_, track)| !track.is_over() && track.was_seen());
            alive.map(|(node, track)| (*node, track.unseen())).collect()
        };
        let jobs = ears.jobs.list_as(|job| job_state::facts(&job)).await;
        let jobs = jobs.map_err(|error| failed("list the run's Jobs", &error))?;
        let pods = ears.pods.list_as(|pod| pod::facts(&pod)).await;
        let pods = pods.map_err(|error| failed("list the run's pods", &error))?;
        let has_job: BTreeSet<NodeIx> = jobs.iter().map(|job| job.node).collect();
        let uids: BTreeSet<String> = pods.iter().map(|pod| pod.uid.clone()).collect();
        jobs.into_iter().for_each(|job| self.heed_job_is(job));
        self.heed_pods_are(pods);
        self.miss(&before, &has_job, &uids);
        self.state().is_listed = true;
        ears.relist_at = Some(Instant::now() + RELIST);
        Ok(())
    }

    /// Takes what was refused so far; news go on from there.
    async fn list_refusals(&self, ears: &mut Ears) {
        let Some(watch) = &mut ears.refusals else { return };
        match watch.list().await {
            Ok(refusals) => refusals.iter().for_each(|event| self.heed_refusal(event)),
            Err(_) => ears.refusals = None,
        }
    }

    fn heed_refusal(&self, event: &Event) {
        let (Some(job), Some(words)) = (&event.involved_object.name, &event.message) else { return };
        let mut state = self.state();
        let Some(node) = state.by_job.get(job).copied() else { return };
        let track = state.tracks.entry(node).or_default();
        let (is_quota, is_podless) = (is_quota(words), track.is_podless());
        let effects = track.refused(words, is_quota);
        if is_quota && is_podless {
            state.room.refused(node, Instant::now());
        }
        state.take(node, effects);
    }

    /// Returns whether a node was started whose end is not known.
    fn expects_news(&self) -> bool {
        self.state().tracks.values().any(|track| !track.is_over())
    }

    /// Notes of the nodes `before`, each with the pod of which nothing was seen, which Jobs and pods are there
    /// no more.
    fn miss(&self, before: &[(NodeIx, Option<u32>)], has_job: &BTreeSet<NodeIx>, pods: &BTreeSet<String>) {
        let mut state = self.state();
        for (node, unseen) in before {
            let Some(track) = state.tracks.get_mut(node) else { continue };
            let gone: Vec<_> = track.live_pods().filter(|pod| !pods.contains(&pod.uid)).cloned().collect();
            let mut effects: Vec<_> = gone.into_iter().flat_map(|pod| track.pod_missing(pod)).collect();
            if !has_job.contains(node) {
                effects.extend(track.job(JobState::Gone));
            }
            effects.extend(unseen.iter().flat_map(|number| track.pod_unseen(*number)));
            state.take(*node, effects);
        }
    }

    fn heed_pod(&self, news: &News<Pod>) {
        match news {
            News::Is(pod) => pod::facts(pod).into_iter().for_each(|facts| self.heed_pod_is(facts)),
            News::Gone(pod) => {
                let Some(facts) = pod::facts(pod) else { return };
                let (node, mut state) = (facts.node, self.state());
                let effects = state.tracks.entry(node).or_default().pod_gone(facts);
                state.take(node, effects);
            }
            News::Forgotten => {}
        }
    }

    /// Takes what a list says of pods: those that somebody ended count only where no other does.
    pub(super) fn heed_pods_are(&self, mut pods: Vec<PodFacts>) {
        let is_spent = |pod: &PodFacts| matches!(pod.state, PodState::Deleted | PodState::Disrupted(_));
        pods.sort_by_cached_key(|pod| (is_spent(pod), pod.created_at, pod.name.clone()));
        pods.into_iter().for_each(|pod| self.heed_pod_is(pod));
    }

    fn heed_pod_is(&self, facts: PodFacts) {
        let (node, mut state) = (facts.node, self.state());
        state.room.has_pod(node, Instant::now());
        let effects = state.tracks.entry(node).or_default().pod(facts);
        state.take(node, effects);
    }

    fn heed_job(&self, news: &News<Job>) {
        match news {
            News::Is(job) => job_state::facts(job).into_iter().for_each(|facts| self.heed_job_is(facts)),
            News::Gone(job) => {
                let Some(facts) = job_state::facts(job) else { return };
                let (node, mut state) = (facts.node, self.state());
                // A Job that has ended may be cleaned up; its end stays what it was.
                let last = if facts.state.has_ended() { facts.state } else { JobState::Gone };
                let effects = state.tracks.entry(node).or_default().job(last);
                state.take(node, effects);
            }
            News::Forgotten => {}
        }
    }

    fn heed_job_is(&self, facts: JobFacts) {
        let (node, mut state) = (facts.node, self.state());
        let track = state.tracks.entry(node).or_default();
        let is_new = !track.is_known();
        track.due(facts.due);
        if facts.is_managed {
            track.manage();
        }
        let effects = track.job(facts.state);
        let job = self.job_name(node);
        match track.is_over() {
            true => drop(state.by_job.remove(&job)),
            false => drop(state.by_job.insert(job, node)),
        }
        if is_new {
            state.await_pod(node, Instant::now());
        }
        state.take(node, effects);
    }
}
