//! Any manifest that the program reads, and its kind.

use std::fmt;

use indexmap::IndexMap;
use serde::{Deserializer, Serialize};

use super::{
    ClusterWorkflowTemplate, CronWorkflow, ObjectMeta, Workflow, WorkflowEventBinding, WorkflowSpec, WorkflowTemplate,
};

/// The group and version of Argo's kinds.
pub const API_VERSION: &str = "argoproj.io/v1alpha1";

/// The kinds that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Kind {
    /// A workflow to run.
    Workflow,
    /// Templates of a namespace.
    WorkflowTemplate,
    /// Templates of the cluster.
    ClusterWorkflowTemplate,
    /// A workflow by the clock.
    CronWorkflow,
    /// A workflow by events.
    WorkflowEventBinding,
    /// Configuration that local runs take from the files given.
    ConfigMap,
    /// Secrets that local runs take from the files given.
    Secret,
}

impl Kind {
    /// Every kind, Argo's first.
    pub const ALL: [Kind; 7] = [
        Kind::Workflow,
        Kind::WorkflowTemplate,
        Kind::ClusterWorkflowTemplate,
        Kind::CronWorkflow,
        Kind::WorkflowEventBinding,
        Kind::ConfigMap,
        Kind::Secret,
    ];

    /// Returns the kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Returns the name, as manifests write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Workflow => "Workflow",
            Self::WorkflowTemplate => "WorkflowTemplate",
            Self::ClusterWorkflowTemplate => "ClusterWorkflowTemplate",
            Self::CronWorkflow => "CronWorkflow",
            Self::WorkflowEventBinding => "WorkflowEventBinding",
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }

    /// Returns the `apiVersion` that goes with it.
    pub fn api_version(self) -> &'static str {
        match self {
            Self::ConfigMap | Self::Secret => "v1",
            _ => API_VERSION,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One object of a file. It is written as that object, without a mark of its own.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Manifest {
    /// A workflow to run.
    Workflow(Box<Workflow>),
    /// Templates of a namespace.
    WorkflowTemplate(Box<WorkflowTemplate>),
    /// Templates of the cluster.
    ClusterWorkflowTemplate(Box<ClusterWorkflowTemplate>),
    /// A workflow by the clock.
    CronWorkflow(Box<CronWorkflow>),
    /// A workflow by events.
    WorkflowEventBinding(Box<WorkflowEventBinding>),
    /// Configuration.
    ConfigMap(Box<ConfigMap>),
    /// Secrets.
    Secret(Box<Secret>),
}

impl Manifest {
    /// Decodes the object of a kind; the error names the place by its path.
    pub fn decode<'d, D: Deserializer<'d>>(kind: Kind, value: D) -> Result<Self, serde_path_to_error::Error<D::Error>> {
        use serde_path_to_error::deserialize;
        Ok(match kind {
            Kind::Workflow => Self::Workflow(deserialize(value)?),
            Kind::WorkflowTemplate => Self::WorkflowTemplate(deserialize(value)?),
            Kind::ClusterWorkflowTemplate => Self::ClusterWorkflowTemplate(deserialize(value)?),
            Kind::CronWorkflow => Self::CronWorkflow(deserialize(value)?),
            Kind::WorkflowEventBinding => Self::WorkflowEventBinding(deserialize(value)?),
            Kind::ConfigMap => Self::ConfigMap(deserialize(value)?),
            Kind::Secret => Self::Secret(deserialize(value)?),
        })
    }

    /// Returns the kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Workflow(_) => Kind::Workflow,
            Self::WorkflowTemplate(_) => Kind::WorkflowTemplate,
            Self::ClusterWorkflowTemplate(_) => Kind::ClusterWorkflowTemplate,
            Self::CronWorkflow(_) => Kind::CronWorkflow,
            Self::WorkflowEventBinding(_) => Kind::WorkflowEventBinding,
            Self::ConfigMap(_) => Kind::ConfigMap,
            Self::Secret(_) => Kind::Secret,
        }
    }

    /// Returns name, labels and annotations.
    pub fn metadata(&self) -> &ObjectMeta {
        match self {
            Self::Workflow(object) => &object.metadata,
            Self::WorkflowTemplate(object) => &object.metadata,
            Self::ClusterWorkflowTemplate(object) => &object.metadata,
            Self::CronWorkflow(object) => &object.metadata,
            Self::WorkflowEventBinding(object) => &object.metadata,
            Self::ConfigMap(object) => &object.metadata,
            Self::Secret(object) => &object.metadata,
        }
    }

    /// Returns the workflow's spec, of the kinds that have one.
    pub fn workflow_spec(&self) -> Option<&WorkflowSpec> {
        match self {
            Self::Workflow(object) => Some(&object.spec),
            Self::WorkflowTemplate(object) => Some(&object.spec),
            Self::ClusterWorkflowTemplate(object) => Some(&object.spec),
            Self::CronWorkflow(object) => Some(&object.spec.workflow_spec),
            Self::WorkflowEventBinding(_) | Self::ConfigMap(_) | Self::Secret(_) => None,
        }
    }
}

object! {
    /// Kubernetes' ConfigMap.
    pub struct ConfigMap {
        /// `v1`.
        pub api_version: String,
        /// `ConfigMap`.
        pub kind: String,
        /// Name, labels and annotations.
        pub metadata: ObjectMeta,
        /// The texts by key.
        pub data: IndexMap<String, String>,
        /// Bytes by key, in base64.
        pub binary_data: IndexMap<String, String>,
        /// Whether the content may not change.
        pub immutable: Option<bool>,
    }

    /// Kubernetes' Secret.
    pub struct Secret {
        /// `v1`.
        pub api_version: String,
        /// `Secret`.
        pub kind: String,
        /// Name, labels and annotations.
        pub metadata: ObjectMeta,
        /// Bytes by key, in base64.
        pub data: IndexMap<String, String>,
        /// Texts by key; they win over `data`.
        pub string_data: IndexMap<String, String>,
        /// What it is for.
        #[serde(rename = "type")]
        pub type_: Option<String>,
        /// Whether the content may not change.
        pub immutable: Option<bool>,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn decode(kind: Kind, value: Value) -> Manifest {
        Manifest::decode(kind, value).expect("well typed")
    }

    #[test]
    fn what_is_decoded_is_encoded_again() {
        let workflow = json!({
            "apiVersion": API_VERSION, "kind": "Workflow",
            "metadata": {"generateName": "w-", "labels": {"a": "b"}, "finalizers": ["f"]},
            "spec": {
                "entrypoint": "main",
                "arguments": {"parameters": [{"name": "p", "value": "1", "enum": ["1", "2"]}]},
                "podGC": {"strategy": "OnPodSuccess"},
                "templates": [
                    {"name": "main", "steps": [[{"name": "a", "template": "t", "withItems": [1, {"k": [2]}]}], []]},
                    {"name": "t", "script": {"image": "busybox", "source": "true", "env": [{"name": "A"}]},
                     "inputs": {"artifacts": [{"name": "x", "s3": {"bucket": "b", "key": "k", "useSDKCreds": true}}]}},
                    {"name": "u", "sidecars": [{"name": "s", "image": "i", "mirrorVolumeMounts": true}],
                     "plugin": {"hello": {}}, "data": {"source": {"artifactPaths": {"name": "n", "raw": {"data": ""}}},
                     "transformation": [{"expression": "data"}]}},
                ],
            },
        });
        let manifest = decode(Kind::Workflow, workflow.clone());
        assert_eq!(serde_json::to_value(&manifest).expect("plain data"), workflow);
    }

    #[test]
    fn null_is_as_good_as_absent() {
        let nulls = json!({"kind": "CronWorkflow", "metadata": null, "status": null,
            "spec": {"schedules": null, "workflowSpec": {"templates": null, "hooks": null, "entrypoint": null}}});
        let absent = json!({"kind": "CronWorkflow"});
        assert_eq!(decode(Kind::CronWorkflow, nulls), decode(Kind::CronWorkflow, absent));
    }

    #[test]
    fn a_fault_names_its_place() {
        let error = Manifest::decode(Kind::Workflow, json!({"spec": {"templates": [{"name": 5}]}})).expect_err("5");
        assert_eq!(error.path().to_string(), "spec.templates[0].name");
    }
}
