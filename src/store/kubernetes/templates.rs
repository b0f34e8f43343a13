//! Manifests that a namespace keeps for others to refer to: a labelled ConfigMap each, with the
//! text as it was given.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, ListParams, ObjectMeta, PostParams};

use crate::backend::kubernetes::{ApiError, ApiErrorKind, Cluster, names};
use crate::base::{Timestamp, suggest};
use crate::spec::Kind;
use crate::store::StoreError;

/// The key of a manifest's text.
const KEY: &str = "manifest.yaml";

/// Manifests of one page of a list.
const PAGE: u32 = 100;

/// The length of a manifest's text: what a ConfigMap holds.
pub const TEMPLATE_BYTES_MAX: usize = 1 << 20;

/// A manifest that a namespace keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Its text, as it was given.
    pub text: String,
    /// When it was first given.
    pub created_at: Timestamp,
}

/// The manifests of one namespace.
#[derive(Clone)]
pub struct TemplateStore {
    maps: Api<ConfigMap>,
    namespace: String,
}

impl TemplateStore {
    /// Returns the manifests of a namespace of `cluster`.
    pub fn new(cluster: &Cluster, namespace: &str) -> Self {
        Self { maps: Api::namespaced(cluster.client.clone(), namespace), namespace: namespace.to_owned() }
    }

    /// Returns the namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Keeps a manifest. One of that kind and name is replaced when `replaces` says so, and is an
    /// error otherwise.
    pub async fn put(&self, kind: Kind, name: &str, text: &str, replaces: bool) -> Result<(), StoreError> {
        let action = format!("keep the {kind} `{name}` in namespace `{}`", self.namespace);
        let object = object(kind, name, text);
        let created = self.maps.create(&PostParams::default(), &object).await;
        match created.map_err(|error| ApiError::new(&action, &error)) {
            Err(error) if error.kind == ApiErrorKind::Exists && replaces => {
                let own = object_name(kind, name);
                let replaced = self.maps.replace(&own, &PostParams::default(), &object).await;
                replaced.map_err(|error| ApiError::new(&action, &error))?;
            }
            created => drop(created?),
        }
        Ok(())
    }

    /// Returns a manifest, if it is kept.
    pub async fn get(&self, kind: Kind, name: &str) -> Result<Option<Kept>, StoreError> {
        let own = object_name(kind, name);
        let action = format!("read the {kind} `{name}` in namespace `{}`", self.namespace);
        let found = self.maps.get_opt(&own).await.map_err(|error| ApiError::new(&action, &error))?;
        Ok(found.as_ref().and_then(read))
    }

    /// Returns all manifests of a kind, by name.
    pub async fn list(&self, kind: Kind) -> Result<Vec<Kept>, StoreError> {
        let selector = format!("{}={}", names::KIND, label(kind));
        let mut params = ListParams::default().labels(&selector).limit(PAGE);
        let action = format!("list the {kind}s in namespace `{}`", self.namespace);
        let mut kept = Vec::new();
        loop {
            let page = self.maps.list(&params).await.map_err(|error| ApiError::new(&action, &error))?;
            kept.extend(page.items.iter().filter_map(read));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => break,
            }
        }
        kept.sort_by(|a: &Kept, b| a.name.cmp(&b.name));
        Ok(kept)
    }

    /// Removes a manifest.
    pub async fn delete(&self, kind: Kind, name: &str) -> Result<(), StoreError> {
        let action = format!("delete the {kind} `{name}` in namespace `{}`", self.namespace);
        match self.maps.delete(&object_name(kind, name), &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => Err(self.not_found(kind, name).await),
            deleted => Ok(deleted.map(drop).map_err(|error| ApiError::new(&action, &error))?),
        }
    }

    /// Returns the error of a manifest that is not kept.
    pub async fn not_found(&self, kind: Kind, name: &str) -> StoreError {
        let kept = self.list(kind).await.unwrap_or_default();
        let nearest = suggest::nearest(name, kept.iter().map(|kept| kept.name.as_str()));
        StoreError::Cluster(ApiError {
            kind: ApiErrorKind::NotFound,
            message: format!("namespace `{}` holds no {kind} `{name}`", self.namespace),
            hint: nearest.map(|near| format!("did you mean `{near}`?")),
        })
    }
}

/// Returns the value of [`names::KIND`] on manifests of a kind.
fn label(kind: Kind) -> &'static str {
    match kind {
        Kind::CronWorkflow => "cron",
        Kind::ClusterWorkflowTemplate => "cluster-template",
        _ => "template",
    }
}

/// Returns the name of the ConfigMap that holds a manifest.
fn object_name(kind: Kind, name: &str) -> String {
    format!("wf.{}.{name}", label(kind))
}

fn object(kind: Kind, name: &str, text: &str) -> ConfigMap {
    let labels = [(names::KIND.to_owned(), label(kind).to_owned())];
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(object_name(kind, name)),
            labels: Some(labels.into()),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(KEY.to_owned(), text.to_owned())])),
        ..ConfigMap::default()
    }
}

/// Reads a manifest; none when the object is none of ours.
fn read(map: &ConfigMap) -> Option<Kept> {
    let given = map.metadata.labels.as_ref()?.get(names::KIND)?;
    let kinds = [Kind::WorkflowTemplate, Kind::ClusterWorkflowTemplate, Kind::CronWorkflow];
    let kind = kinds.into_iter().find(|kind| label(*kind) == given)?;
    let name = map.metadata.name.as_deref()?.strip_prefix(&object_name(kind, ""))?.to_owned();
    let created = map.metadata.creation_timestamp.as_ref();
    Some(Kept {
        kind,
        name,
        text: map.data.as_ref()?.get(KEY)?.clone(),
        created_at: created.map(|time| Timestamp(time.0.as_millisecond())).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_read_as_it_was_kept() {
        for kind in [Kind::WorkflowTemplate, Kind::ClusterWorkflowTemplate, Kind::CronWorkflow] {
            let kept = read(&object(kind, "build.1", "kind: x\n")).expect("it is one");
            assert_eq!((kept.kind, kept.name.as_str(), kept.text.as_str()), (kind, "build.1", "kind: x\n"));
        }
        assert_eq!(read(&ConfigMap::default()), None);
    }
}
