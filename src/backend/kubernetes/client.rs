//! The backend: Jobs are posted, and watched until they end.

use std::sync::Arc;

use super::Cluster;
use crate::backend::{Backend, BackendError};
use crate::base::{NodeIx, RunName, RunUid, TimeSpan};
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
    cluster: Cluster,
    owner: Owner,
    resolved: Arc<Resolved>,
    options: Options,
}

impl KubernetesBackend {
    /// Makes the backend of the run that `owner` names. Nothing is asked of the cluster by it.
    pub fn new(cluster: Cluster, owner: Owner, resolved: Arc<Resolved>, options: Options) -> Self {
        Self { cluster, owner, resolved, options }
    }
}

impl Backend for KubernetesBackend {
    async fn start(&self, _request: &PodRequest) -> Result<(), BackendError> {
        Err(self.unfinished("start a pod"))
    }

    async fn stop(&self, _node: NodeIx, _grace: TimeSpan) -> Result<(), BackendError> {
        Ok(())
    }

    async fn next(&self) -> Result<Vec<(NodeIx, PodReport)>, BackendError> {
        std::future::pending().await
    }

    async fn relist(&self, _nodes: &[NodeIx]) -> Result<Vec<(NodeIx, PodReport)>, BackendError> {
        Ok(Vec::new())
    }
}

impl KubernetesBackend {
    fn unfinished(&self, action: &str) -> BackendError {
        let reason = format!(
            "namespace {}, run {}, {} templates, {:?}",
            self.cluster.namespace,
            self.owner.run,
            self.resolved.spec.templates.len(),
            self.options
        );
        BackendError::Unavailable { backend: "kubernetes", action: action.to_owned(), reason }
    }
}
