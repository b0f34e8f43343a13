//! The template: a unit that can be called.

use indexmap::IndexMap;
use k8s_openapi::api::core::v1 as core;

use super::{
    ArtifactLocation, ContainerSetTemplate, DAGTemplate, Data, ExecutorConfig, HTTP, Inputs, IntOrString, Json,
    Memoize, Metadata, Metrics, Outputs, ResourceTemplate, RetryStrategy, ScriptTemplate, SuspendTemplate,
    Synchronization, UserContainer, WorkflowStep,
};

object! {
    /// A unit that can be called. Exactly one of the fields `container`, `script`, `steps`, `dag`,
    /// `resource`, `containerSet`, `http`, `suspend`, `data` and `plugin` says what it does.
    pub struct Template {
        /// The name, unique in its object.
        pub name: Option<String>,
        /// What it takes.
        pub inputs: Option<Inputs>,
        /// What it gives.
        pub outputs: Option<Outputs>,
        /// The machines that it may run on.
        pub node_selector: IndexMap<String, String>,
        /// Where it should run.
        #[schemars(with = "Option<core::Affinity>")]
        pub affinity: Option<Json>,
        /// Labels and annotations of its pod.
        pub metadata: Option<Metadata>,
        /// Whether others go on once it is ready, while it runs.
        pub daemon: Option<bool>,
        /// Groups of calls: one group after the other, the calls of a group together.
        pub steps: Option<Vec<Vec<WorkflowStep>>>,
        /// Runs a container.
        #[schemars(with = "Option<core::Container>")]
        pub container: Option<Json>,
        /// Runs several containers in one pod.
        pub container_set: Option<ContainerSetTemplate>,
        /// Runs a program that stands in the manifest.
        pub script: Option<ScriptTemplate>,
        /// Does something to a Kubernetes object.
        pub resource: Option<Box<ResourceTemplate>>,
        /// Calls that depend on each other.
        pub dag: Option<DAGTemplate>,
        /// Waits.
        pub suspend: Option<SuspendTemplate>,
        /// Lists artifacts and transforms the list.
        pub data: Option<Box<Data>>,
        /// Sends a request.
        pub http: Option<Box<HTTP>>,
        /// Calls a plugin: one key, its name, with what it is told.
        #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
        #[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
        pub plugin: Option<Json>,
        /// Volumes of its pod.
        #[schemars(with = "Vec<core::Volume>")]
        pub volumes: Vec<Json>,
        /// Containers that end before the main one starts.
        pub init_containers: Vec<UserContainer>,
        /// Containers that run beside the main one.
        pub sidecars: Vec<UserContainer>,
        /// Where its artifacts and logs are stored.
        pub archive_location: Option<Box<ArtifactLocation>>,
        /// How many seconds it may be active.
        pub active_deadline_seconds: Option<IntOrString>,
        /// When it is tried again.
        pub retry_strategy: Option<RetryStrategy>,
        /// How many of its children may run together.
        pub parallelism: Option<i64>,
        /// Whether a failed child ends it while others run.
        pub fail_fast: Option<bool>,
        /// The taints that its pod bears.
        #[schemars(with = "Vec<core::Toleration>")]
        pub tolerations: Vec<Json>,
        /// Who places its pod.
        pub scheduler_name: Option<String>,
        /// The priority class of its pod.
        pub priority_class_name: Option<String>,
        /// The priority of its pod, as Argo 3 wrote it.
        #[schemars(extend("deprecated" = true, "x-instead" = "priorityClassName"))]
        pub priority: Option<i32>,
        /// The service account of its pod.
        pub service_account_name: Option<String>,
        /// Whether the pod gets the account's token.
        pub automount_service_account_token: Option<bool>,
        /// How Argo's executor runs.
        pub executor: Option<ExecutorConfig>,
        /// Lines for the pod's `/etc/hosts`.
        #[schemars(with = "Vec<core::HostAlias>")]
        pub host_aliases: Vec<Json>,
        /// The pod's security context.
        #[schemars(with = "Option<core::PodSecurityContext>")]
        pub security_context: Option<Json>,
        /// A strategic merge patch of the pod, in YAML or JSON.
        pub pod_spec_patch: Option<String>,
        /// The metrics that it gives out.
        pub metrics: Option<Metrics>,
        /// The locks that it holds while it runs.
        pub synchronization: Option<Synchronization>,
        /// Takes its outputs from a cache.
        pub memoize: Option<Memoize>,
        /// How long it may take, waiting included, as Go writes durations.
        pub timeout: Option<String>,
        /// Annotations of its node.
        pub annotations: IndexMap<String, String>,
        /// How long its pod may be pending, as Go writes durations.
        pub pending_timeout: Option<String>,
        /// The resources of the whole pod.
        #[schemars(with = "Option<core::ResourceRequirements>")]
        pub pod_resources: Option<Json>,
        /// The devices that the pod claims.
        #[schemars(with = "Vec<core::PodResourceClaim>")]
        pub resource_claims: Vec<Json>,
    }
}
