//! The backend: Jobs are posted, and watched until they end.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::core::Request;
use serde_json::{Value, json};
use tokio::sync::{Mutex as AsyncMutex, Notify, OnceCell};

use super::fault::{Trouble, failed, trouble};
use super::job::{self, Around, NewJob};
use super::listen::Ears;
use super::track::{Effect, Track};
use super::{Cluster, helper, names};
use crate::backend::{Backend, BackendError};
use crate::base::{NodeIx, RunName, RunUid, TimeSpan, Timestamp};
use crate::engine::{PodReport, PodRequest};
use crate::plan::Resolved;

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
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Whether this process makes the pods itself, where the server honours `managedBy`.
    pub managed: bool,
}

/// Runs the pods of one run in a cluster.
pub struct KubernetesBackend {
    pub(super) cluster: Cluster,
    pub(super) owner: Owner,
    resolved: Arc<Resolved>,
    options: Options,
    pub(super) pods: Api<Pod>,
    pub(super) jobs: Api<Job>,
    pub(super) ears: AsyncMutex<Ears>,
    state: Mutex<State>,
    /// Whether the helper's ConfigMap is there.
    helper: OnceCell<()>,
    /// Something waits in [`State::reports`] or [`State::chores`].
    pub(super) wake: Notify,
}

/// What is known of the run's nodes, and what is to be done about it.
#[derive(Default)]
pub(super) struct State {
    pub tracks: BTreeMap<NodeIx, Track>,
    /// What is to be reported next; a few per node that is alive.
    pub reports: Vec<(NodeIx, PodReport)>,
    /// What is to be done next; one or two per node that is alive.
    pub chores: VecDeque<(NodeIx, Effect)>,
}

impl State {
    /// Takes on what follows from news of a node.
    pub(super) fn take(&mut self, node: NodeIx, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Report(report) => self.reports.push((node, report)),
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
        let ears = AsyncMutex::new(Ears::new(&pods, &jobs, &owner));
        Self {
            cluster,
            owner,
            resolved,
            options,
            pods,
            jobs,
            ears,
            state: Mutex::default(),
            helper: OnceCell::new(),
            wake: Notify::new(),
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
        let around = Around { owner: &self.owner, now: now(), managed: self.options.managed };
        job::job(request, &around).map_err(|refusal| BackendError::Refused { reason: refusal.to_string() })
    }

    /// Posts a node's Job. One that is there already is as good, when it is the run's.
    async fn post(&self, node: NodeIx, job: &Value) -> Result<(), BackendError> {
        let path = format!("/apis/batch/v1/namespaces/{}/jobs", self.cluster.namespace);
        let body = serde_json::to_vec(job).expect("plain data");
        let request = Request::new(path).create(&PostParams::default(), body).map_err(kube::Error::BuildRequest);
        let posted = match request {
            Ok(request) => self.cluster.client.request::<Job>(request).await,
            Err(error) => Err(error),
        };
        match posted {
            Ok(_) => Ok(()),
            Err(error) if trouble(&error) == Trouble::Exists => self.check_ours(node).await,
            Err(error) => Err(failed(format!("start the Job `{}`", self.job_name(node)), &error)),
        }
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

    async fn check_ours(&self, node: NodeIx) -> Result<(), BackendError> {
        let name = self.job_name(node);
        let there = self.jobs.get_metadata_opt(&name).await;
        let there = there.map_err(|error| failed(format!("look at the Job `{name}`"), &error))?;
        match there.is_none_or(|job| self.is_ours(&job.metadata)) {
            true => Ok(()),
            false => Err(BackendError::Refused {
                reason: format!(
                    "the Job `{name}` is there already and is not this run's; delete it, and retry the run"
                ),
            }),
        }
    }

    /// Returns the calls that outlive a borrow of this.
    pub(super) fn calls(&self) -> Calls {
        Calls { pods: self.pods.clone(), jobs: self.jobs.clone() }
    }
}

/// Calls about Jobs and pods.
#[derive(Clone)]
pub(super) struct Calls {
    pods: Api<Pod>,
    jobs: Api<Job>,
}

impl Calls {
    /// Deletes a Job, so that it starts no further pod; its pods go with it.
    pub(super) async fn delete_job(&self, name: &str) -> Result<(), kube::Error> {
        ignore_missing(self.jobs.delete(name, &DeleteParams::background()).await)
    }

    /// Deletes one pod, which has `grace` between SIGTERM and SIGKILL, its own when none is given.
    pub(super) async fn delete_pod(&self, name: &str, uid: &str, grace: Option<TimeSpan>) -> Result<(), kube::Error> {
        let params = DeleteParams {
            grace_period_seconds: grace.map(|grace| u32::try_from(grace.0.div_ceil(1000)).unwrap_or(u32::MAX)),
            preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
            ..DeleteParams::default()
        };
        ignore_missing(self.pods.delete(name, &params).await)
    }
}

/// What is gone already need not be deleted; another object of the name (409) is not meant.
fn ignore_missing<T>(deleted: Result<T, kube::Error>) -> Result<(), kube::Error> {
    match deleted {
        Err(kube::Error::Api(status)) if !matches!(status.code, 404 | 409) => Err(kube::Error::Api(status)),
        Err(error) if !matches!(error, kube::Error::Api(_)) => Err(error),
        _ => Ok(()),
    }
}

/// Returns the time of this machine's clock, from which deadlines of pods are counted.
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

impl Backend for KubernetesBackend {
    async fn start(&self, request: &PodRequest) -> Result<(), BackendError> {
        let node = request.node;
        if self.state().tracks.get(&node).is_some_and(Track::is_known) {
            return Ok(());
        }
        let new = self.job(request)?;
        if new.needs_helper {
            self.helper.get_or_try_init(|| self.post_helper()).await?;
        }
        self.post(node, &new.job).await?;
        self.state().tracks.entry(node).or_default().posted();
        Ok(())
    }

    async fn stop(&self, node: NodeIx, grace: TimeSpan) -> Result<(), BackendError> {
        let pods: Vec<(String, String)> = {
            let mut state = self.state();
            let track = state.tracks.entry(node).or_default();
            track.stop();
            track.live_pods().map(|pod| (pod.name.clone(), pod.uid.clone())).collect()
        };
        let fault = |error: kube::Error| failed(format!("stop the Job `{}`", self.job_name(node)), &error);
        let calls = self.calls();
        calls.delete_job(&self.job_name(node)).await.map_err(fault)?;
        for (pod, uid) in pods {
            calls.delete_pod(&pod, &uid, Some(grace)).await.map_err(fault)?;
        }
        Ok(())
    }

    async fn next(&self) -> Result<Vec<(NodeIx, PodReport)>, BackendError> {
        let mut ears = self.ears.lock().await;
        loop {
            self.listen_once(&mut ears).await?;
            let reports = std::mem::take(&mut self.state().reports);
            if !reports.is_empty() {
                return Ok(reports);
            }
        }
    }

    async fn relist(&self, nodes: &[NodeIx]) -> Result<Vec<(NodeIx, PodReport)>, BackendError> {
        let mut ears = self.ears.lock().await;
        self.list(&mut ears).await?;
        let mut state = self.state();
        let (told, others) = std::mem::take(&mut state.reports).into_iter().partition(|(node, _)| nodes.contains(node));
        state.reports = others;
        let mut known: BTreeMap<NodeIx, PodReport> = told.into_iter().collect();
        for node in nodes {
            if let Some(report) = state.tracks.get(node).and_then(Track::known) {
                known.entry(*node).or_insert(report);
            }
        }
        Ok(known.into_iter().collect())
    }
}
