//! The objects that a workflow can refer to: those that were given together with it.
//!
//! Objects of one call see each other whatever namespace they name, since nothing runs in a
//! namespace here; Argo's `lint --offline` keeps namespaces apart only because it serves several.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::model::Scope;
use super::rules;
use crate::source::Path;
use crate::source::{Diagnostic, Document};
use crate::spec::{self, Manifest};

/// What can be referred to, by kind and name.
#[derive(Debug, Clone, Default)]
pub struct Library {
    templates: BTreeMap<String, Object>,
    cluster_templates: BTreeMap<String, Object>,
    config_maps: BTreeMap<String, BTreeMap<String, String>>,
    secrets: BTreeMap<String, BTreeSet<String>>,
}

/// An object whose templates can be called.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub spec: spec::WorkflowSpec,
    pub document: Arc<Document>,
}

impl Library {
    /// Returns the library of everything that was read. Of two objects of one kind and name the
    /// first counts, and the second is a diagnostic.
    pub fn new<'a>(reads: impl IntoIterator<Item = &'a spec::Read>) -> (Self, Vec<Diagnostic>) {
        let mut library = Self::default();
        let mut seen: BTreeMap<(spec::Kind, &str), &Document> = BTreeMap::new();
        let mut diagnostics = Vec::new();
        for read in reads {
            let Some(name) = read.manifest.metadata().name.as_deref() else { continue };
            match seen.get(&(read.manifest.kind(), name)) {
                Some(first) if is_shared(read.manifest.kind()) => diagnostics.push(duplicate(read, name, first)),
                _ => {
                    seen.insert((read.manifest.kind(), name), &read.document);
                    library.add(name, read);
                }
            }
        }
        (library, diagnostics)
    }

    /// Returns the names of the keys of a Secret, when it was given.
    pub fn secret_keys(&self, name: &str) -> Option<&BTreeSet<String>> {
        self.secrets.get(name)
    }

    /// Returns whether a Secret was given.
    pub(super) fn has_secrets(&self) -> bool {
        !self.secrets.is_empty()
    }

    /// Returns the data of a ConfigMap, when it was given.
    pub fn config_map(&self, name: &str) -> Option<&BTreeMap<String, String>> {
        self.config_maps.get(name)
    }

    /// Returns the names of the ConfigMaps.
    pub fn config_map_names(&self) -> impl Iterator<Item = &str> {
        self.config_maps.keys().map(String::as_str)
    }

    pub(super) fn object(&self, scope: &Scope) -> Option<&Object> {
        match scope {
            Scope::Local => None,
            Scope::Namespaced(name) => self.templates.get(&**name),
            Scope::Cluster(name) => self.cluster_templates.get(&**name),
        }
    }

    /// Returns the scopes of all objects of the kind that `like` is of.
    pub(super) fn scopes_like(&self, like: &Scope) -> Vec<Scope> {
        match like {
            Scope::Local => Vec::new(),
            Scope::Namespaced(_) => self.templates.keys().map(|name| Scope::Namespaced(name.as_str().into())).collect(),
            Scope::Cluster(_) => {
                self.cluster_templates.keys().map(|name| Scope::Cluster(name.as_str().into())).collect()
            }
        }
    }

    fn add(&mut self, name: &str, read: &spec::Read) {
        let name = name.to_owned();
        let object = |spec: &spec::WorkflowSpec| Object { spec: spec.clone(), document: read.document.clone() };
        match &read.manifest {
            Manifest::WorkflowTemplate(template) => {
                self.templates.insert(name, object(&template.spec));
            }
            Manifest::ClusterWorkflowTemplate(template) => {
                self.cluster_templates.insert(name, object(&template.spec));
            }
            Manifest::ConfigMap(map) => {
                let data = map.data.iter().map(|(key, text)| (key.clone(), text.clone()));
                self.config_maps.insert(name, data.collect());
            }
            Manifest::Secret(secret) => {
                self.secrets.insert(name, secret.data.keys().chain(secret.string_data.keys()).cloned().collect());
            }
            Manifest::Workflow(_) | Manifest::CronWorkflow(_) | Manifest::WorkflowEventBinding(_) => {}
        }
    }
}

/// Returns whether objects of this kind are referred to by name.
fn is_shared(kind: spec::Kind) -> bool {
    use spec::Kind::{ClusterWorkflowTemplate, ConfigMap, Secret, WorkflowTemplate};
    matches!(kind, WorkflowTemplate | ClusterWorkflowTemplate | ConfigMap | Secret)
}

fn duplicate(read: &spec::Read, name: &str, first: &Document) -> Diagnostic {
    let path = Path::root().key("metadata").key("name");
    let message = format!("there are two {}s named `{name}`", read.manifest.kind());
    Diagnostic::error(rules::DUPLICATE_OBJECT, read.document.span(&path), message)
        .also(first.span(&path), "the first is here")
        .help("rename one of them, or give only one of the files")
}
