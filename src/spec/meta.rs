//! Names, labels and annotations.

use std::borrow::Cow;

use indexmap::IndexMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::Json;
use super::object::null_as_default;

/// Kubernetes' object metadata; what the program does not read is kept in `rest`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectMeta {
    /// The name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The beginning of a name that is completed by chance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generate_name: Option<String>,
    /// The namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// What selectors see.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "IndexMap::is_empty")]
    pub labels: IndexMap<String, String>,
    /// What selectors do not see.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "IndexMap::is_empty")]
    pub annotations: IndexMap<String, String>,
    /// The identity that a cluster gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// When a cluster created it, in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creation_timestamp: Option<String>,
    /// Who goes and takes this along.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub owner_references: Vec<Json>,
    /// All other fields, as they were written.
    #[serde(flatten)]
    pub rest: IndexMap<String, Json>,
}

impl JsonSchema for ObjectMeta {
    fn schema_name() -> Cow<'static, str> {
        meta::ObjectMeta::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        meta::ObjectMeta::json_schema(generator)
    }
}

object! {
    /// Labels and annotations of a pod.
    pub struct Metadata {
        /// Annotations.
        pub annotations: IndexMap<String, String>,
        /// Labels.
        pub labels: IndexMap<String, String>,
    }

    /// Labels and annotations that a run takes over from its spec.
    pub struct WorkflowMetadata {
        /// Labels.
        pub labels: IndexMap<String, String>,
        /// Annotations.
        pub annotations: IndexMap<String, String>,
        /// Labels whose values are computed when the run starts.
        pub labels_from: IndexMap<String, LabelValueFrom>,
    }

    /// Where a label's value comes from.
    pub struct LabelValueFrom {
        /// An expression over the workflow's variables.
        pub expression: String,
    }
}
