//! Puts an [`Installation`] into a namespace, uses it, and takes it out again.
//!
//! Objects of the same name that are somebody else's are never touched.

use std::fmt::Debug;

use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::api_error::{ApiError, ApiErrorKind};
use super::client::Owner;
use super::cluster::Cluster;
use super::drivers::Drivers;
use super::install::{Installation, MANAGED_BY, NAME, is_ours};
use super::kinds::{Deployment, Job};
use super::{job_state, names};

/// The manager of the fields that are applied.
const FIELD_MANAGER: &str = "wf";

/// Installs, or brings up to date what is installed.
pub async fn install(cluster: &Cluster, objects: &Installation) -> Result<(), ApiError> {
    apply(cluster, &objects.account).await?;
    apply(cluster, &objects.role).await?;
    apply(cluster, &objects.binding).await?;
    if let Some(controller) = &objects.controller {
        apply(cluster, controller).await?;
    } else if objects.drivers.is_some() {
        remove::<Deployment>(cluster).await?;
    }
    // Last, since it sends runs there.
    match &objects.drivers {
        Some(drivers) => apply(cluster, drivers).await,
        None => Ok(()),
    }
}

/// Removes what was installed, and returns the kinds of objects that were there.
pub async fn uninstall(cluster: &Cluster) -> Result<Vec<String>, ApiError> {
    let removed = [
        remove::<ConfigMap>(cluster).await?,
        remove::<Deployment>(cluster).await?,
        remove::<RoleBinding>(cluster).await?,
        remove::<Role>(cluster).await?,
        remove::<ServiceAccount>(cluster).await?,
    ];
    Ok(removed.into_iter().flatten().collect())
}

/// Returns who drives the runs of the namespace; nobody where nothing is installed that we may read.
pub async fn installed(cluster: &Cluster) -> Result<Option<Drivers>, ApiError> {
    let found = api::<ConfigMap>(cluster).get_opt(NAME).await;
    match found.map_err(|error| ApiError::new("find out who drives runs here", &error)) {
        Err(error) if error.kind == ApiErrorKind::Forbidden => Ok(None),
        found => Ok(found?.as_ref().and_then(Drivers::read)),
    }
}

/// Has a Job drive a run, unless there is one already that does. `records` is how far the run's log has come.
pub async fn begin_driver(cluster: &Cluster, drivers: &Drivers, owner: &Owner, records: usize) -> Result<(), ApiError> {
    let action = format!("start a driver of run `{}`", owner.run);
    let refused = |error: &kube::Error| ApiError::new(&action, error);
    let jobs = api::<Job>(cluster);
    let labels = format!("{}={},{}={}", names::RUN, owner.run, names::KIND, names::DRIVER_KIND);
    let there = jobs.list(&ListParams::default().labels(&labels)).await.map_err(|error| refused(&error))?;
    if there.items.iter().any(|job| drives(job, owner)) {
        return Ok(());
    }
    match cluster.post::<Job>("apis/batch/v1", "jobs", &drivers.job(owner, records)).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        created => created.map(drop).map_err(|error| refused(&error)),
    }
}

/// Returns whether a driver's Job is this very run's and has not ended.
fn drives(job: &Job, owner: &Owner) -> bool {
    let is_of_run = job.metadata.owner_references.iter().flatten().any(|reference| reference.uid == owner.head);
    is_of_run && job.metadata.deletion_timestamp.is_none() && !job_state::has_ended(job)
}

/// What is installed is of a namespace.
trait Installed:
    Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned
{
}

impl<K> Installed for K where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned
{
}

async fn apply<K: Installed>(cluster: &Cluster, object: &K) -> Result<(), ApiError> {
    let (api, action) = (api::<K>(cluster), action::<K>("install", cluster));
    find(&api, &action).await?;
    let params = PatchParams::apply(FIELD_MANAGER).force();
    api.patch(NAME, &params, &Patch::Apply(object)).await.map_err(|error| ApiError::new(&action, &error))?;
    Ok(())
}

async fn remove<K: Installed>(cluster: &Cluster) -> Result<Option<String>, ApiError> {
    let (api, action) = (api::<K>(cluster), action::<K>("remove", cluster));
    if find(&api, &action).await?.is_none() {
        return Ok(None);
    }
    match api.delete(NAME, &DeleteParams::default()).await.map_err(|error| ApiError::new(&action, &error)) {
        Err(error) if error.kind == ApiErrorKind::NotFound => Ok(None),
        done => done.map(|_| Some(K::kind(&()).into_owned())),
    }
}

/// Returns our object, if it is there; an error when it is not ours.
async fn find<K: Installed>(api: &Api<K>, action: &str) -> Result<Option<K>, ApiError> {
    let found = api.get_opt(NAME).await.map_err(|error| ApiError::new(action, &error))?;
    match found {
        Some(other) if !is_ours(other.meta()) => Err(taken(action, &other)),
        found => Ok(found),
    }
}

fn taken<K: Installed>(action: &str, other: &K) -> ApiError {
    let (kind, name) = (K::kind(&()), other.name_any());
    let (label, value) = MANAGED_BY;
    ApiError {
        kind: ApiErrorKind::Exists,
        message: format!("failed to {action}: there is a {kind} `{name}` already, which wf has not made"),
        hint: Some(format!("use another namespace, or hand it over to wf by the label `{label}={value}`")),
    }
}

fn api<K: Installed>(cluster: &Cluster) -> Api<K> {
    Api::namespaced(cluster.client.clone(), &cluster.namespace)
}

fn action<K: Installed>(verb: &str, cluster: &Cluster) -> String {
    format!("{verb} the {} `{NAME}` in namespace `{}`", K::kind(&()), cluster.namespace)
}
