//! What manifests refer to and no file gives: in a cluster, its namespace is asked for it. What is
//! found is read as files are, so that it is checked and shown like them.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use serde_json::{Value, json};

use super::error::Error;
use super::place::Place;
use super::planning::Manifests;
use super::session::Session;
use crate::backend::kubernetes::{ApiError, Cluster, argo_object};
use crate::spec::{Kind, Read};
use crate::store::kubernetes::TemplateStore;

/// How often what was found may refer to more. Argo bounds the nesting of templates at 100.
const ROUNDS_MAX: usize = 100;

/// An object that is referred to.
type Reference = (Kind, String);

/// Adds to `manifests` what they refer to, as far as the place of runs has it.
pub async fn complete(session: &Session, manifests: &mut Manifests) -> Result<(), Error> {
    let place = session.place().await?;
    let mut asked = BTreeSet::new();
    for _ in 0..ROUNDS_MAX {
        let given: BTreeSet<Reference> = manifests.reads.iter().filter_map(reference_of).collect();
        let wanted: BTreeSet<Reference> = manifests.reads.iter().flat_map(references).collect();
        let missing: Vec<_> = wanted.into_iter().filter(|it| !given.contains(it) && asked.insert(it.clone())).collect();
        if missing.is_empty() {
            break;
        }
        for (kind, name) in missing {
            add(session, place, manifests, kind, &name).await?;
        }
    }
    Ok(())
}

/// Adds an object of the place of runs to `manifests`, if it is there.
pub async fn add(
    session: &Session,
    place: &Place,
    manifests: &mut Manifests,
    kind: Kind,
    name: &str,
) -> Result<(), Error> {
    let Some(cluster) = &place.cluster else { return Ok(()) };
    let found = match kind {
        Kind::ConfigMap => config_map(cluster, name).await?,
        _ => template(session, cluster, kind, name).await?,
    };
    if let Some((source, text)) = found {
        manifests.add(source, text);
    }
    Ok(())
}

async fn config_map(cluster: &Cluster, name: &str) -> Result<Option<(String, String)>, Error> {
    let maps: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let action = format!("read the ConfigMap `{name}`, which the manifest refers to");
    let found = maps.get_opt(name).await.map_err(|error| ApiError::new(&action, &error))?;
    let object = found.map(|map| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": map.data.unwrap_or_default(),
        })
    });
    Ok(object.map(|object| (format!("configmap/{name} of namespace {}", cluster.namespace), object.to_string())))
}

/// Returns a template that the namespace keeps, ours before Argo's.
async fn template(
    session: &Session,
    cluster: &Cluster,
    kind: Kind,
    name: &str,
) -> Result<Option<(String, String)>, Error> {
    let namespace = session.namespace_of(kind, cluster);
    let source = format!("{}/{name} of namespace {namespace}", kind.name().to_lowercase());
    if let Some(kept) = TemplateStore::new(cluster, &namespace).get(kind, name).await? {
        return Ok(Some((source, kept.text)));
    }
    let found = argo_object(cluster, kind, name).await?;
    Ok(found.map(|object| (format!("{}/{name} of Argo", kind.name().to_lowercase()), object.to_string())))
}

fn reference_of(read: &Read) -> Option<Reference> {
    Some((read.manifest.kind(), read.manifest.metadata().name.clone()?))
}

/// Returns the templates and ConfigMaps that a manifest names. A name that has a tag is known only
/// while the run goes on.
fn references(read: &Read) -> Vec<Reference> {
    let mut found = Vec::new();
    if let Ok(value) = serde_json::to_value(&read.manifest) {
        collect(&value, &mut found);
    }
    found.retain(|(_, name)| !name.is_empty() && !name.contains("{{"));
    found
}

/// Recursion is bounded by the depth of the manifest.
fn collect(value: &Value, found: &mut Vec<Reference>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(fields) => {
            for (key, field) in fields {
                let name = || field["name"].as_str().unwrap_or_default().to_owned();
                match key.as_str() {
                    "templateRef" | "workflowTemplateRef" => {
                        let is_cluster = field["clusterScope"] == true;
                        let kind = if is_cluster { Kind::ClusterWorkflowTemplate } else { Kind::WorkflowTemplate };
                        found.push((kind, name()));
                    }
                    "configMapKeyRef" => found.push((Kind::ConfigMap, name())),
                    // The kubelet reads what containers and volumes refer to.
                    "env" | "envFrom" | "volumes" => {}
                    _ => collect(field, found),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_where_the_engine_needs_them() {
        let value = json!({"spec": {
            "workflowTemplateRef": {"name": "base"},
            "arguments": {"parameters": [{"valueFrom": {"configMapKeyRef": {"name": "params", "key": "a"}}}]},
            "templates": [
                {"steps": [[{"templateRef": {"name": "shared", "template": "x", "clusterScope": true}}]]},
                {"container": {"env": [{"valueFrom": {"configMapKeyRef": {"name": "kubelets", "key": "a"}}}]}},
            ],
        }});
        let mut found = Vec::new();
        collect(&value, &mut found);
        found.sort();
        let expected = [
            (Kind::WorkflowTemplate, "base".to_owned()),
            (Kind::ClusterWorkflowTemplate, "shared".to_owned()),
            (Kind::ConfigMap, "params".to_owned()),
        ];
        assert_eq!(found, expected);
    }
}
