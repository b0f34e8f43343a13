//! Calls that follow from news: pods that are looked for or ended, outputs that are read.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use kube::api::ListParams;
use tokio::time::Instant;

use super::archive::leaving::Leave;
use super::client::KubernetesBackend;
use super::events::Told;
use super::fault::failed;
use super::kinds::Pod;
use super::track::Effect;
use super::{managed, names, outputs, pod};
use crate::backend::BackendError;
use crate::base::NodeIx;
use crate::base::limits::EVENTS_PER_DRIVER_MAX;
use crate::engine::PodReport;

/// A call under way.
pub(super) type Chore = BoxFuture<'static, Done>;

/// Calls under way at one time: as many as the driver has of its own.
const CHORES_AT_ONCE_MAX: usize = 32;

/// What became of a call.
pub(super) struct Done {
    node: NodeIx,
    chore: Effect,
    result: Result<Answer, kube::Error>,
}

/// What a call came to.
enum Answer {
    Nothing,
    Report(PodReport),
    Pods(Vec<Pod>),
    /// The pod of that number is there.
    Made(u32),
    /// These must stay, since their logs could not be read.
    Unread(Leave, Vec<NodeIx>),
    /// A pod whose machine is lost cannot be declared ended, in these words.
    Unheard(String),
}

impl KubernetesBackend {
    /// Begins what waits to be done, as far as there is room.
    pub(super) fn begin_chores(&self, under_way: &FuturesUnordered<Chore>) {
        while under_way.len() < CHORES_AT_ONCE_MAX {
            let Some((node, chore)) = self.state().chores.pop_front() else { return };
            let result = self.perform(node, chore.clone());
            under_way.push(result.map(move |result| Done { node, chore, result }).boxed());
        }
    }

    fn perform(&self, node: NodeIx, chore: Effect) -> BoxFuture<'static, Result<Answer, kube::Error>> {
        match chore {
            Effect::Report(report) => async move { Ok(Answer::Report(report)) }.boxed(),
            Effect::Collect { pod, due, end, words } => {
                let reading = outputs::collect(self.pods.clone(), pod, due, *end, words);
                async move { reading.await.map(Answer::Report) }.boxed()
            }
            Effect::StopPod { pod, uid } => {
                let calls = self.calls();
                async move { calls.delete_pod(&pod, &uid, None).await.map(|()| Answer::Nothing) }.boxed()
            }
            Effect::Search => self.search(node),
            Effect::NextPod(before) => {
                let (calls, job) = (self.calls(), self.job_name(node));
                async move {
                    let is_made = calls.next_pod(&job, before).await?;
                    Ok(if is_made { Answer::Made(before) } else { Answer::Nothing })
                }
                .boxed()
            }
            Effect::Settle { phase, message, started_at } => {
                let (calls, job) = (self.calls(), self.job_name(node));
                let status = managed::status(phase, &message, started_at, (self.now)());
                async move { calls.settle(&job, &status).await.map(|()| Answer::Nothing) }.boxed()
            }
            Effect::Leave(leave, nodes) => {
                let leaving = self.leave(leave, nodes);
                async move { Ok(Answer::Unread(leave, leaving.await?)) }.boxed()
            }
            Effect::Tell(told) => self.tell(&told),
            Effect::Expire | Effect::Await { .. } => async { Ok(Answer::Nothing) }.boxed(),
            Effect::Abandon { pod, uid, is_managed } => {
                let calls = self.calls();
                async move {
                    let refused = calls.abandon(&pod, &uid, is_managed).await?;
                    Ok(refused.map_or(Answer::Nothing, Answer::Unheard))
                }
                .boxed()
            }
            Effect::EndJob => {
                let (calls, job) = (self.calls(), self.job_name(node));
                async move { calls.delete_job(&job).await.map(|()| Answer::Nothing) }.boxed()
            }
        }
    }

    /// Looks for the pods of a node.
    fn search(&self, node: NodeIx) -> BoxFuture<'static, Result<Answer, kube::Error>> {
        let pods = self.pods.clone();
        let selector = format!("{}={},{}={node}", names::HEAD, self.owner.head, names::NODE);
        async move {
            let found = pods.list(&ListParams::default().labels(&selector)).await?;
            Ok(Answer::Pods(found.items))
        }
        .boxed()
    }

    /// Lets people know of what is reported: waits and bad ends.
    pub(super) fn tell_people(&self, reports: &[(NodeIx, PodReport)]) {
        let mut state = self.state();
        for (node, report) in reports {
            let told = Told::of(report, &self.job_name(*node)).filter(|_| state.events < EVENTS_PER_DRIVER_MAX);
            if let Some(told) = told {
                state.events += 1;
                state.chores.push_back((*node, Effect::Tell(told)));
            }
        }
    }

    /// Writes an event; what comes of it concerns nobody.
    fn tell(&self, told: &Told) -> BoxFuture<'static, Result<Answer, kube::Error>> {
        let number = self.state().events;
        let event = told.event(&self.owner, &self.cluster.namespace, (self.now)(), number);
        let calls = self.calls();
        async move {
            let _ = calls.post_event(&event).await;
            Ok(Answer::Nothing)
        }
        .boxed()
    }

    /// Takes what became of a call; one that failed is made again, and the error is the caller's.
    pub(super) fn heed_done(&self, done: Done) -> Result<(), BackendError> {
        let Done { node, chore, result } = done;
        match result {
            Ok(Answer::Nothing) => {}
            Ok(Answer::Unread(leave, nodes)) => self.state().leftovers.again(&nodes, leave, Instant::now()),
            Ok(Answer::Report(report)) => self.state().take(node, vec![Effect::Report(report)]),
            Ok(Answer::Unheard(words)) => {
                let mut state = self.state();
                let effects = state.tracks.entry(node).or_default().stays_lost(&words);
                state.take(node, effects);
            }
            Ok(Answer::Pods(pods)) => {
                self.heed_pods_are(pods.iter().filter_map(pod::facts).collect());
                let mut state = self.state();
                let effects = state.tracks.entry(node).or_default().searched_in_vain();
                state.take(node, effects);
            }
            Ok(Answer::Made(number)) => self.state().tracks.entry(node).or_default().made_pod(number),
            Err(error) => {
                let error = failed(format!("look after the Job `{}`", self.job_name(node)), &error);
                self.state().chores.push_back((node, chore));
                return Err(error);
            }
        }
        Ok(())
    }
}
