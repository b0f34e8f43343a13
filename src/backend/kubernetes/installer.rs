//! Puts an [`Installation`] into a namespace, and takes it out again.
//!
//! Objects of the same name that are somebody else's are never touched.

use std::fmt::Debug;

use kube::api::{Api, DeleteParams, Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::api_error::{ApiError, ApiErrorKind};
use super::cluster::Cluster;
use super::install::{Installation, MANAGED_BY, NAME, is_ours};

/// The manager of the fields that are applied.
const FIELD_MANAGER: &str = "wf";

/// Installs, or brings up to date what is installed.
pub async fn install(cluster: &Cluster, objects: &Installation) -> Result<(), ApiError> {
    apply(cluster, &objects.account).await?;
    apply(cluster, &objects.role).await?;
    apply(cluster, &objects.binding).await
}

/// Removes what was installed, and returns the kinds of objects that were there.
pub async fn uninstall(cluster: &Cluster, objects: &Installation) -> Result<Vec<String>, ApiError> {
    let removed = [
        remove(cluster, &objects.binding).await?,
        remove(cluster, &objects.role).await?,
        remove(cluster, &objects.account).await?,
    ];
    Ok(removed.into_iter().flatten().collect())
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

async fn remove<K: Installed>(cluster: &Cluster, _: &K) -> Result<Option<String>, ApiError> {
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
