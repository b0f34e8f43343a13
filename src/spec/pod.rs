//! Templates that run containers, and what stands beside them in a pod.

use k8s_openapi::api::core::v1 as core;

use super::{Artifact, IntOrString, Json, ObjectMeta};

object! {
    /// A container whose program stands in the manifest.
    pub struct ScriptTemplate {
        /// The container; in the manifest its fields stand beside the others.
        #[serde(flatten)]
        #[schemars(with = "core::Container")]
        pub container: Json,
        /// The program; `command` is given the file that holds it.
        pub source: String,
    }

    /// An init container or a sidecar.
    pub struct UserContainer {
        /// The container; in the manifest its fields stand beside the others.
        #[serde(flatten)]
        #[schemars(with = "core::Container")]
        pub container: Json,
        /// Whether it sees the volumes and artifacts of the main container.
        pub mirror_volume_mounts: Option<bool>,
    }

    /// Several containers in one pod.
    pub struct ContainerSetTemplate {
        /// The containers.
        pub containers: Vec<ContainerNode>,
        /// What every container mounts.
        #[schemars(with = "Vec<core::VolumeMount>")]
        pub volume_mounts: Vec<Json>,
        /// How often a failed container is tried again.
        pub retry_strategy: Option<ContainerSetRetryStrategy>,
    }

    /// A container of a set.
    pub struct ContainerNode {
        /// The container; in the manifest its fields stand beside the others.
        #[serde(flatten)]
        #[schemars(with = "core::Container")]
        pub container: Json,
        /// The containers that must have succeeded before.
        pub dependencies: Vec<String>,
    }

    /// How often a container of a set is tried again.
    pub struct ContainerSetRetryStrategy {
        /// How long to wait in between, as Go writes durations.
        pub duration: Option<String>,
        /// How often each container is tried at most, the first time included.
        pub retries: Option<IntOrString>,
    }

    /// Does something to a Kubernetes object.
    pub struct ResourceTemplate {
        /// `get`, `create`, `apply`, `delete`, `replace` or `patch`.
        pub action: String,
        /// `strategic`, `merge` or `json`, for `patch`.
        pub merge_strategy: Option<String>,
        /// The object, in YAML.
        pub manifest: Option<String>,
        /// The object from elsewhere.
        pub manifest_from: Option<ManifestFrom>,
        /// Whether the object goes when the run goes.
        pub set_owner_reference: Option<bool>,
        /// A label selector over the object's fields that means success.
        pub success_condition: Option<String>,
        /// A label selector over the object's fields that means failure.
        pub failure_condition: Option<String>,
        /// Further arguments for `kubectl`.
        pub flags: Vec<String>,
    }

    /// Where an object comes from.
    pub struct ManifestFrom {
        /// An artifact that holds it.
        pub artifact: Option<Artifact>,
    }

    /// How Argo's executor runs.
    pub struct ExecutorConfig {
        /// Its service account.
        pub service_account_name: Option<String>,
    }

    /// A plugin that runs beside the agent.
    pub struct ExecutorPlugin {
        /// The plugin's name.
        pub metadata: ObjectMeta,
        /// What it is.
        pub spec: ExecutorPluginSpec,
    }

    /// What a plugin is.
    pub struct ExecutorPluginSpec {
        /// A sidecar of the agent.
        pub sidecar: ExecutorPluginSidecar,
    }

    /// The sidecar of a plugin.
    pub struct ExecutorPluginSidecar {
        /// Whether it gets the agent's token.
        pub automount_service_account_token: Option<bool>,
        /// The container.
        #[schemars(with = "core::Container")]
        pub container: Json,
    }
}
