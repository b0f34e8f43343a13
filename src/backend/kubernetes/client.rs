//! The backend: Jobs are posted, and watched until they end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};
use tokio::sync::{Mutex as AsyncMutex, Notify, OnceCell};
use tokio::time::Instant;

use super::archive::keep::Archive;
use super::archive::leaving::{Leave, Leaving};
use super::archive::policy::LogPolicy;
use super::calls::Calls;
use super::containers::claim_name;
use super::fault::{Trouble, failed, trouble};
use super::fence::Fence;
use super::gc::PodPolicy;
use super::job::{self, Around, NewJob};
use super::job_state::is_managed;
use super::kinds::{Job, Pod};
use super::listen::Ears;
use super::outbox::Outbox;
use super::parked::unstarted;
use super::pod::PodFacts;
use super::resource::{OwnWork, Task};
use super::room::Room;
use super::track::{Effect, Track};
use super::{Behalf, Cluster, helper, names, request};
use crate::backend::{Backend, BackendError};
use crate::base::limits::{LOST_SECONDS, PENDING_SECONDS_MAX};
use crate::base::{NodeIx, RunName, RunUid, TimeSpan, Timestamp};
use crate::engine::{Phase, PodReport, PodRequest, STOP_GRACE};
use crate::plan::Resolved;
use crate::spec;

/// How long a Job may be without a pod before it is asked why. A server reads all events of the namespace to
/// answer, which may be many thousands, and most Jobs have their pods by then.
const PODLESS_WAIT: Duration = Duration::from_secs(2);

/// Whom the objects of a run belong to.
#[derive(Debug, Clone)]
pub struct Owner {
    /// The run, which is the head Job's name too.
    pub run: RunName,
    /// What tells it from another run of the name.
    pub uid: RunUid,
    /// The head Job's `metadata.uid`.
    pub head: String,
}

/// How pods are started.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Whether this process makes the pods itself, where the server honours `managedBy`.
    pub managed: bool,
    /// How it acts for those who submitted the run; none when it acts as the user that it is.
    pub behalf: Option<Arc<Behalf>>,
}

/// Runs the pods of one run in a cluster.
pub struct KubernetesBackend {
    pub(super) cluster: Cluster,
    pub(super) owner: Owner,
    pub(super) resolved: Arc<Resolved>,
    /// When pods go.
    pub(super) policy: Option<PodPolicy>,
    /// Where their logs are kept then.
    pub(super) archive: Arc<Archive>,
    options: Options,
    /// What keeps us from acting for a run that another drives.
    fence: Option<Fence>,
    pub(super) pods: Api<Pod>,
    pub(super) jobs: Api<Job>,
    pub(super) ears: AsyncMutex<Ears>,
    state: Mutex<State>,
    /// Whether the helper's ConfigMap is there.
    helper: OnceCell<()>,
    /// Whether the run's volume claims are there.
    claims: OnceCell<()>,
    /// Something waits in [`State::outbox`] or [`State::chores`].
    pub(super) wake: Notify,
    /// The time, from which deadlines of pods are counted.
    pub(super) now: fn() -> Timestamp,
}

/// What is known of the run's nodes, and what is to be done about it.
#[derive(Default)]
pub(super) struct State {
    pub tracks: BTreeMap<NodeIx, Track>,
    /// What is to be reported next.
    pub outbox: Outbox,
    /// The nodes whose pods lack something, and when they had their time; in the order of time.
    pub stuck: VecDeque<(Instant, NodeIx)>,
    /// The nodes whose Jobs wait for the Job controller to make their pods, and when they have waited for long;
    /// in the order of time.
    pub podless: VecDeque<(Instant, NodeIx)>,
    /// The pods that were asked to end, and when their machines count as lost.
    pub leaving: BTreeSet<(Instant, NodeIx, String)>,
    /// How many events were written.
    pub events: u32,
    /// What is to be done next; one or two per node that is alive.
    pub chores: VecDeque<(NodeIx, Effect)>,
    /// The nodes whose Jobs have no pod yet, by the Jobs' names.
    pub by_job: BTreeMap<String, NodeIx>,
    /// What the driver does itself.
    pub own_work: OwnWork,
    /// The nodes that have ended, and what of them is to be kept or to go.
    pub leftovers: Leaving<Instant>,
    /// What the cluster does not take for now.
    pub room: Room,
    /// Whether all that is there was listed once.
    pub is_listed: bool,
}

impl State {
    /// Notes that a node's Job is there, and may have no pod.
    pub(super) fn await_pod(&mut self, node: NodeIx, now: Instant) {
        if self.tracks.get(&node).is_some_and(Track::is_podless) {
            self.podless.push_back((now + PODLESS_WAIT, node));
        }
    }

    /// Returns whether a Job has waited for its pod for so long by `now` that it is asked why.
    pub(super) fn is_kept_waiting(&mut self, now: Instant) -> bool {
        let mut is_kept_waiting = false;
        while let Some((_, node)) = self.podless.front().copied().filter(|(due, _)| *due <= now) {
            self.podless.pop_front();
            is_kept_waiting |= self.tracks.get(&node).is_some_and(Track::is_podless);
        }
        is_kept_waiting
    }

    /// Has the driver told of a node.
    pub(super) fn report(&mut self, node: NodeIx, report: PodReport) {
        let is_awaited = self.tracks.get(&node).is_some_and(Track::is_awaited);
        self.outbox.add(node, report, is_awaited, Instant::now());
    }

    /// Takes on what follows from news of a node.
    pub(super) fn take(&mut self, node: NodeIx, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Expire => {
                    self.stuck.push_back((Instant::now() + Duration::from_secs(PENDING_SECONDS_MAX), node));
                }
                Effect::Report(report) => {
                    if matches!(report, PodReport::Ended(_) | PodReport::Lost { .. }) {
                        self.room.forget(node);
                        self.room.freed(Instant::now());
                    }
                    self.report(node, report);
                }
                Effect::Await { uid, grace } => {
                    let lost = grace.to_std() + Duration::from_secs(LOST_SECONDS);
                    self.leaving.insert((Instant::now() + lost, node, uid));
                }
                chore => self.chores.push_back((node, chore)),
            }
        }
    }
}

impl KubernetesBackend {
    /// Makes the backend of the run that `owner` names. Nothing is asked of the cluster by it.
    pub fn new(cluster: Cluster, owner: Owner, resolved: Arc<Resolved>, options: Options) -> Self {
        let pods = Api::namespaced(cluster.client.clone(), &cluster.namespace);
        let jobs = Api::namespaced(cluster.client.clone(), &cluster.namespace);
        let policy = PodPolicy::of(&resolved.spec);
        let archive = Archive::new(cluster.clone(), owner.clone(), LogPolicy::of(&resolved));
        let events = Api::namespaced(cluster.client.clone(), &cluster.namespace);
        let ears = AsyncMutex::new(Ears::new(&pods, &jobs, events, &owner));
        Self {
            cluster,
            owner,
            resolved,
            policy,
            archive: Arc::new(archive),
            options,
            fence: None,
            pods,
            jobs,
            ears,
            state: Mutex::default(),
            helper: OnceCell::new(),
            claims: OnceCell::new(),
            wake: Notify::new(),
            now,
        }
    }

    /// Sets the clock, which is this machine's otherwise.
    pub fn with_clock(self, now: fn() -> Timestamp) -> Self {
        Self { now, ..self }
    }

    /// Sets what keeps it from acting for a run that another process drives by now.
    pub fn fenced(self, fence: Fence) -> Self {
        Self { fence: Some(fence), ..self }
    }

    /// Returns once it is known that the run was ours to drive a moment ago.
    pub(super) async fn hold(&self) -> Result<(), BackendError> {
        match &self.fence {
            Some(fence) => fence.hold().await,
            None => Ok(()),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the lock")
    }

    /// Returns the name of a node's Job.
    pub(super) fn job_name(&self, node: NodeIx) -> String {
        names::job(&self.owner.run, &self.owner.uid, node)
    }

    fn job(&self, request: &PodRequest) -> Result<NewJob, BackendError> {
        let around = Around { owner: &self.owner, now: (self.now)(), managed: self.options.managed };
        let new =
            job::job(request, &around).map_err(|refusal| BackendError::Refused { reason: refusal.to_string() })?;
        if let Some(behalf) = &self.options.behalf {
            let pod = &new.job["spec"]["template"]["spec"];
            behalf.check_pod(pod).map_err(|reason| BackendError::Refused { reason })?;
        }
        Ok(new)
    }

    /// Posts a node's Job, and what it needs. One that is there already is as good, when it is the run's.
    /// Returns why it cannot be for now, when it can be later.
    pub(super) async fn post(&self, request: &PodRequest) -> Result<Option<String>, BackendError> {
        let NewJob { job, needs_helper } = self.job(request)?;
        self.state().room.attempt(request.node);
        if needs_helper {
            self.helper.get_or_try_init(|| self.post_helper()).await?;
        }
        self.claims.get_or_try_init(|| self.post_claims(&request.workflow)).await?;
        self.post_job(request.node, &job).await
    }

    async fn post_job(&self, node: NodeIx, job: &Value) -> Result<Option<String>, BackendError> {
        let refused = |error: &kube::Error| match trouble(error) {
            Trouble::Blocked(reason) => Ok(Some(reason)),
            _ => Err(failed(format!("start the Job `{}`", self.job_name(node)), error)),
        };
        let posted = match self.calls().post_job(job).await {
            Ok(posted) => posted,
            Err(error) if trouble(&error) == Trouble::Exists => match self.ours(node).await? {
                Some(there) => there,
                None => return Ok(None),
            },
            Err(error) => return refused(&error),
        };
        if !posted.spec.as_ref().is_some_and(is_managed) {
            return Ok(None);
        }
        self.state().tracks.entry(node).or_default().manage();
        let first = self.calls().post_pod(job, posted.metadata.uid.as_deref().unwrap_or_default(), 0).await;
        if let Err(error) = first {
            return refused(&error);
        }
        self.state().tracks.entry(node).or_default().made_pod(0);
        Ok(None)
    }

    /// Posts the ConfigMap with the helper, once a run. One of an earlier run of the name is about
    /// to go with that run.
    async fn post_helper(&self) -> Result<(), BackendError> {
        let name = helper::config_map_name(self.owner.run.as_str());
        let maps: Api<ConfigMap> = Api::namespaced(self.cluster.client.clone(), &self.cluster.namespace);
        let map = helper::config_map(self.metadata(&name, "helper"));
        let action = || format!("post the ConfigMap `{name}` with the helper");
        match maps.create(&PostParams::default(), &map).await {
            Ok(_) => return Ok(()),
            Err(error) if trouble(&error) == Trouble::Exists => {}
            Err(error) => return Err(failed(action(), &error)),
        }
        let there = maps.get_metadata_opt(&name).await.map_err(|error| failed(action(), &error))?;
        match there.as_ref().is_some_and(|map| self.is_ours(&map.metadata)) {
            true => Ok(()),
            false => Err(BackendError::Unavailable {
                backend: "kubernetes",
                action: action(),
                reason: "one of an earlier run is still there".to_owned(),
            }),
        }
    }

    /// Posts the claims of `volumeClaimTemplates`, once a run, as Argo's `createPVCs` names them.
    async fn post_claims(&self, workflow: &spec::WorkflowSpec) -> Result<(), BackendError> {
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(self.cluster.client.clone(), &self.cluster.namespace);
        for template in &workflow.volume_claim_templates {
            let claim: PersistentVolumeClaim = serde_json::from_value(template.0.clone())
                .map_err(|fault| BackendError::Refused { reason: format!("a volume claim cannot be read: {fault}") })?;
            let name = claim_name(self.owner.run.as_str(), claim.metadata.name.as_deref().unwrap_or_default());
            let own = self.metadata(&name, "claim");
            let mut metadata = ObjectMeta { name: own.name, owner_references: own.owner_references, ..claim.metadata };
            metadata.labels.get_or_insert_default().extend(own.labels.unwrap_or_default());
            let claim = PersistentVolumeClaim { metadata, ..claim };
            match claims.create(&PostParams::default(), &claim).await {
                Ok(_) => {}
                Err(error) if trouble(&error) == Trouble::Exists => {}
                Err(error) => return Err(failed(format!("make the volume claim `{name}`"), &error)),
            }
        }
        Ok(())
    }

    /// Returns the metadata of an object of the run that is called `name`.
    fn metadata(&self, name: &str, kind: &str) -> ObjectMeta {
        let labels = [(names::RUN, self.owner.run.as_str()), (names::HEAD, &self.owner.head), (names::KIND, kind)];
        ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(labels.map(|(label, value)| (label.to_owned(), value.to_owned())).into()),
            owner_references: serde_json::from_value(json!([job::owner_reference(&self.owner)])).ok(),
            ..ObjectMeta::default()
        }
    }

    fn is_ours(&self, metadata: &ObjectMeta) -> bool {
        let labels = metadata.labels.as_ref();
        labels.and_then(|labels| labels.get(names::HEAD)).is_some_and(|head| *head == self.owner.head)
    }

    /// Returns the Job that has the name of the node's, which must be the run's; none when it is gone.
    async fn ours(&self, node: NodeIx) -> Result<Option<Job>, BackendError> {
        let name = self.job_name(node);
        let there = self.jobs.get_opt(&name).await;
        let there = there.map_err(|error| failed(format!("look at the Job `{name}`"), &error))?;
        match there.as_ref().is_none_or(|job| self.is_ours(&job.metadata)) {
            true => Ok(there),
            false => Err(BackendError::Refused {
                reason: format!(
                    "the Job `{name}` is there already and is not this run's; delete it, and retry the run"
                ),
            }),
        }
    }

    /// Returns what the driver does itself for a node.
    fn own_work(&self, request: &PodRequest) -> BoxFuture<'static, PodReport> {
        let (cluster, behalf, request) = (self.cluster.clone(), self.options.behalf.clone(), request.clone());
        if request.template.http.is_some() {
            return request::send(cluster, request, behalf).boxed();
        }
        Task { cluster, owner: self.owner.clone(), request, behalf }.run().boxed()
    }

    /// Returns the calls that outlive a borrow of this.
    pub(super) fn calls(&self) -> Calls {
        Calls { cluster: self.cluster.clone(), pods: self.pods.clone(), jobs: self.jobs.clone(), now: self.now }
    }
}

/// Returns whether the driver does itself what a node is for, rather than starting a pod. Another driver does
/// it again.
fn is_own_work(request: &PodRequest) -> bool {
    request.template.resource.is_some() || request.template.http.is_some()
}

/// Returns the time of this machine's clock.
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

impl Backend for KubernetesBackend {
    async fn start(&self, request: &PodRequest) -> Result<(), BackendError> {
        let node = request.node;
        {
            let mut state = self.state();
            let track = state.tracks.get(&node);
            if state.room.holds(node) || track.is_some_and(|track| track.is_known() && !track.lacks_pod()) {
                return Ok(());
            }
            if request.is_running && state.is_listed && !is_own_work(request) {
                // It ran when the log was written, and there is no trace of it.
                state.report(node, PodReport::Lost { message: "its Job was deleted".to_owned() });
                self.wake.notify_one();
                return Ok(());
            }
        }
        self.hold().await?;
        if !is_own_work(request) {
            return self.post_or_park(request).await;
        }
        self.state().own_work.begin(request, self.own_work(request), (self.now)());
        self.wake.notify_one();
        Ok(())
    }

    async fn stop(&self, node: NodeIx, grace: TimeSpan) -> Result<(), BackendError> {
        let pods: Vec<PodFacts> = {
            let mut state = self.state();
            if let Some(may_be_there) = state.room.forget(node) {
                let end = unstarted(Phase::Failed, "stopped before it started".to_owned());
                state.report(node, PodReport::Ended(end));
                state.chores.extend(may_be_there.then_some((node, Effect::EndJob)));
                self.wake.notify_one();
                return Ok(());
            }
            if state.own_work.stop(node) {
                return Ok(());
            }
            let track = state.tracks.entry(node).or_default();
            track.stop();
            track.live_pods().cloned().collect()
        };
        if let Some(fence) = &self.fence {
            fence.outlast().await;
        }
        if grace < STOP_GRACE && !pods.is_empty() {
            // They are about to be deleted; who wants to know why it was ended may read what they wrote.
            let _ = self.leave(Leave::Logs, vec![node]).await;
        }
        let fault = |error: kube::Error| failed(format!("stop the Job `{}`", self.job_name(node)), &error);
        self.calls().stop(&self.job_name(node), &pods, grace).await.map_err(fault)
    }

    async fn next(&self) -> Result<Vec<(NodeIx, PodReport)>, BackendError> {
        let mut ears = self.ears.lock().await;
        loop {
            self.listen_once(&mut ears).await?;
            let reports = self.state().outbox.take_due(Instant::now());
            if !reports.is_empty() {
                self.tell_people(&reports);
                return Ok(reports);
            }
        }
    }

    async fn finish(&self, phase: Phase) -> Result<(), BackendError> {
        self.clean_up(phase).await
    }

    fn recorded(&self, nodes: &[NodeIx]) {
        self.let_go(nodes);
    }

    async fn relist(&self, nodes: &[NodeIx]) -> Result<Vec<(NodeIx, PodReport)>, BackendError> {
        let mut ears = self.ears.lock().await;
        self.list(&mut ears).await?;
        // The log has the ends of all others that were started: a driver takes over.
        let live: BTreeSet<NodeIx> = nodes.iter().copied().collect();
        let ended: Vec<NodeIx> = self.state().tracks.keys().filter(|node| !live.contains(node)).copied().collect();
        self.let_go(&ended);
        let mut state = self.state();
        // Of a node that the log has ended nobody wants to know how its Job ended.
        state.chores.retain(|(node, chore)| *chore != Effect::Search || live.contains(node));
        let (told, others): (Vec<_>, Vec<_>) =
            state.outbox.take().into_iter().partition(|(node, _)| nodes.contains(node));
        others.into_iter().for_each(|(node, report)| state.report(node, report));
        let mut known: BTreeMap<NodeIx, PodReport> = told.into_iter().collect();
        for node in nodes {
            if let Some(report) = state.tracks.get(node).and_then(Track::known) {
                known.entry(*node).or_insert(report);
            }
        }
        Ok(known.into_iter().collect())
    }
}
