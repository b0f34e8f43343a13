//! Listening: the run's Jobs and pods, as the cluster tells of them.

use std::collections::BTreeSet;
use std::future::pending;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;

use super::chores::{Chore, Done};
use super::client::{KubernetesBackend, Owner};
use super::fault::failed;
use super::track::JobState;
use super::watch::{News, Watch};
use super::{job_state, names, pod};
use crate::backend::BackendError;
use crate::base::NodeIx;

/// What is being listened to.
pub(super) struct Ears {
    pods: Watch<Pod>,
    jobs: Watch<Job>,
    /// Calls under way that news have caused.
    pub chores: FuturesUnordered<Chore>,
}

impl Ears {
    pub(super) fn new(pods: &Api<Pod>, jobs: &Api<Job>, owner: &Owner) -> Self {
        let selector = format!("{}={}", names::HEAD, owner.head);
        Self {
            pods: Watch::new(pods.clone(), selector.clone()),
            jobs: Watch::new(jobs.clone(), selector),
            chores: FuturesUnordered::new(),
        }
    }
}

/// What came in.
enum Heard {
    Pod(News<Pod>),
    Job(News<Job>),
    Done(Done),
    Woken,
}

impl KubernetesBackend {
    /// Waits until something comes in, and takes it. Safe to drop while it waits.
    pub(super) async fn listen_once(&self, ears: &mut Ears) -> Result<(), BackendError> {
        if !(ears.pods.is_listed() && ears.jobs.is_listed()) {
            return self.list(ears).await;
        }
        self.begin_chores(&ears.chores);
        if !self.state().reports.is_empty() {
            return Ok(());
        }
        let Ears { pods, jobs, chores } = ears;
        let heard = tokio::select! {
            biased;
            done = async { if chores.is_empty() { pending().await } else { chores.next().await } } => done.map_or(Heard::Woken, Heard::Done),
            news = pods.next() => Heard::Pod(news.map_err(|error| failed("watch the run's pods", &error))?),
            news = jobs.next() => Heard::Job(news.map_err(|error| failed("watch the run's Jobs", &error))?),
            () = self.wake.notified() => Heard::Woken,
        };
        match heard {
            Heard::Pod(news) => self.heed_pod(&news),
            Heard::Job(news) => self.heed_job(&news),
            Heard::Done(done) => return self.heed_done(done),
            Heard::Woken => {}
        }
        Ok(())
    }

    /// Lists Jobs and pods, takes what they say, and notes what is there no more.
    pub(super) async fn list(&self, ears: &mut Ears) -> Result<(), BackendError> {
        // Only what was there before the list was asked for can be missing in it.
        let before: Vec<NodeIx> = {
            let state = self.state();
            let alive = state.tracks.iter().filter(|(_, track)| !track.is_over() && track.is_known());
            alive.map(|(node, _)| *node).collect()
        };
        let jobs = ears.jobs.list().await.map_err(|error| failed("list the run's Jobs", &error))?;
        let mut pods = ears.pods.list().await.map_err(|error| failed("list the run's pods", &error))?;
        pods.sort_by(|a, b| a.metadata.creation_timestamp.cmp(&b.metadata.creation_timestamp));
        jobs.iter().for_each(|job| self.heed_job_is(job));
        pods.iter().for_each(|pod| self.heed_pod_is(pod));
        let has_job: BTreeSet<NodeIx> = jobs.iter().filter_map(job_state::facts).map(|facts| facts.node).collect();
        let pods: BTreeSet<String> = pods.into_iter().filter_map(|pod| pod.metadata.uid).collect();
        self.miss(&before, &has_job, &pods);
        Ok(())
    }

    /// Notes of the nodes `before` which Jobs and pods are there no more.
    fn miss(&self, before: &[NodeIx], has_job: &BTreeSet<NodeIx>, pods: &BTreeSet<String>) {
        let mut state = self.state();
        for node in before {
            let Some(track) = state.tracks.get_mut(node) else { continue };
            let gone: Vec<_> = track.live_pods().filter(|pod| !pods.contains(&pod.uid)).cloned().collect();
            let mut effects: Vec<_> = gone.into_iter().flat_map(|pod| track.pod_gone(pod)).collect();
            if !has_job.contains(node) {
                effects.extend(track.job(JobState::Gone));
            }
            state.take(*node, effects);
        }
    }

    fn heed_pod(&self, news: &News<Pod>) {
        match news {
            News::Is(pod) => self.heed_pod_is(pod),
            News::Gone(pod) => {
                let Some(facts) = pod::facts(pod) else { return };
                let (node, mut state) = (facts.node, self.state());
                let effects = state.tracks.entry(node).or_default().pod_gone(facts);
                state.take(node, effects);
            }
            News::Forgotten => {}
        }
    }

    pub(super) fn heed_pod_is(&self, pod: &Pod) {
        let Some(facts) = pod::facts(pod) else { return };
        let (node, mut state) = (facts.node, self.state());
        let effects = state.tracks.entry(node).or_default().pod(facts);
        state.take(node, effects);
    }

    fn heed_job(&self, news: &News<Job>) {
        match news {
            News::Is(job) => self.heed_job_is(job),
            News::Gone(job) => {
                let Some(facts) = job_state::facts(job) else { return };
                let (node, mut state) = (facts.node, self.state());
                // A Job that has ended may be cleaned up; its end stays what it was.
                let ended = !matches!(facts.state, JobState::Unknown | JobState::Active);
                let last = if ended { facts.state } else { JobState::Gone };
                let effects = state.tracks.entry(node).or_default().job(last);
                state.take(node, effects);
            }
            News::Forgotten => {}
        }
    }

    fn heed_job_is(&self, job: &Job) {
        let Some(facts) = job_state::facts(job) else { return };
        let (node, mut state) = (facts.node, self.state());
        let track = state.tracks.entry(node).or_default();
        track.due(facts.due);
        let effects = track.job(facts.state);
        state.take(node, effects);
    }
}
