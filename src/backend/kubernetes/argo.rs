//! Argo's own objects, where its kinds exist in a cluster: read, and never written.

use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};

use super::{ApiError, Cluster};
use crate::spec::Kind;

/// Returns an object of Argo's as a manifest; none when the cluster has no such object, or no such
/// kind, or keeps it from us.
pub async fn argo_object(cluster: &Cluster, kind: Kind, name: &str) -> Result<Option<Value>, ApiError> {
    let (group, version) = kind.api_version().split_once('/').unwrap_or(("", kind.api_version()));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind.name()));
    let client = cluster.client.clone();
    let api: Api<DynamicObject> = match kind {
        Kind::ClusterWorkflowTemplate => Api::all_with(client, &resource),
        _ => Api::namespaced_with(client, &cluster.namespace, &resource),
    };
    match api.get_opt(name).await {
        Ok(object) => Ok(object.map(|object| manifest(kind, name, &object))),
        // A cluster without Argo answers that there is no such path, and some let nobody look.
        Err(kube::Error::Api(status)) if status.is_forbidden() || status.code == 404 => Ok(None),
        Err(error) => Err(ApiError::new(&format!("read the {kind} `{name}`"), &error)),
    }
}

/// Returns what the one who wrote an object wrote, without what the cluster added.
fn manifest(kind: Kind, name: &str, object: &DynamicObject) -> Value {
    json!({
        "apiVersion": kind.api_version(),
        "kind": kind.name(),
        "metadata": {
            "name": name,
            "labels": object.metadata.labels,
            "annotations": object.metadata.annotations,
        },
        "spec": object.data.get("spec"),
    })
}
