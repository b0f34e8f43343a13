//! The workflow, and the objects that share its spec.

use std::sync::Arc;

use indexmap::IndexMap;
use k8s_openapi::api::{core::v1 as core, policy::v1 as policy};

use super::{
    Arguments, ArtifactRepositoryRef, ExecutorConfig, ExecutorPlugin, Json, LifecycleHook, Metadata, Metrics,
    ObjectMeta, PodGC, RetryStrategy, Synchronization, TTLStrategy, Template, VolumeClaimGC, WorkflowLevelArtifactGC,
    WorkflowMetadata, WorkflowTemplateRef,
};

object! {
    /// A workflow to run, or one that ran in Argo.
    pub struct Workflow {
        /// `argoproj.io/v1alpha1`.
        pub api_version: String,
        /// `Workflow`.
        pub kind: String,
        /// Name, labels and annotations.
        pub metadata: ObjectMeta,
        /// What it does.
        pub spec: WorkflowSpec,
        /// How it went; Argo writes it.
        pub status: Option<Json>,
    }

    /// Templates of a namespace that others can call, or that can be submitted.
    pub struct WorkflowTemplate {
        /// `argoproj.io/v1alpha1`.
        pub api_version: String,
        /// `WorkflowTemplate`.
        pub kind: String,
        /// Name, labels and annotations.
        pub metadata: ObjectMeta,
        /// What it does.
        pub spec: WorkflowSpec,
    }

    /// Templates that every namespace can call.
    pub struct ClusterWorkflowTemplate {
        /// `argoproj.io/v1alpha1`.
        pub api_version: String,
        /// `ClusterWorkflowTemplate`.
        pub kind: String,
        /// Name, labels and annotations.
        pub metadata: ObjectMeta,
        /// What it does.
        pub spec: WorkflowSpec,
    }

    /// What a workflow does.
    pub struct WorkflowSpec {
        /// The templates.
        pub templates: Vec<Arc<Template>>,
        /// The template that is called first.
        pub entrypoint: Option<String>,
        /// What it is handed; its parameters are `workflow.parameters`.
        pub arguments: Option<Arguments>,
        /// The service account of all pods.
        pub service_account_name: Option<String>,
        /// Whether pods get the account's token.
        pub automount_service_account_token: Option<bool>,
        /// How Argo's executor runs.
        pub executor: Option<ExecutorConfig>,
        /// Volumes of every pod.
        #[schemars(with = "Vec<core::Volume>")]
        pub volumes: Vec<Json>,
        /// Claims that are made for the run.
        #[schemars(with = "Vec<core::PersistentVolumeClaim>")]
        pub volume_claim_templates: Vec<Json>,
        /// How many pods may run together.
        pub parallelism: Option<i64>,
        /// The artifact repository.
        pub artifact_repository_ref: Option<ArtifactRepositoryRef>,
        /// Whether nothing new starts.
        pub suspend: Option<bool>,
        /// The machines that pods may run on.
        pub node_selector: IndexMap<String, String>,
        /// Where pods should run.
        #[schemars(with = "Option<core::Affinity>")]
        pub affinity: Option<Json>,
        /// The taints that pods bear.
        #[schemars(with = "Vec<core::Toleration>")]
        pub tolerations: Vec<Json>,
        /// Secrets for pulling images.
        #[schemars(with = "Vec<core::LocalObjectReference>")]
        pub image_pull_secrets: Vec<Json>,
        /// Whether pods use the network of their machine.
        pub host_network: Option<bool>,
        /// How pods resolve names.
        pub dns_policy: Option<String>,
        /// Details of how pods resolve names.
        #[schemars(with = "Option<core::PodDNSConfig>")]
        pub dns_config: Option<Json>,
        /// A template that is called at the end, however it went.
        pub on_exit: Option<String>,
        /// How long the finished run is kept.
        pub ttl_strategy: Option<TTLStrategy>,
        /// How many seconds the run may take.
        pub active_deadline_seconds: Option<i64>,
        /// Which run comes first when not all may run; more is sooner.
        pub priority: Option<i32>,
        /// Who places the pods.
        pub scheduler_name: Option<String>,
        /// When pods are deleted.
        #[serde(rename = "podGC")]
        pub pod_gc: Option<PodGC>,
        /// The priority class of pods.
        pub pod_priority_class_name: Option<String>,
        /// The priority of pods, as Argo 3 wrote it.
        #[schemars(extend("deprecated" = true, "x-instead" = "podPriorityClassName"))]
        pub pod_priority: Option<i32>,
        /// Lines for the pods' `/etc/hosts`.
        #[schemars(with = "Vec<core::HostAlias>")]
        pub host_aliases: Vec<Json>,
        /// The pods' security context.
        #[schemars(with = "Option<core::PodSecurityContext>")]
        pub security_context: Option<Json>,
        /// A strategic merge patch of every pod, in YAML or JSON.
        pub pod_spec_patch: Option<String>,
        /// How many pods may be evicted together.
        #[schemars(with = "Option<policy::PodDisruptionBudgetSpec>")]
        pub pod_disruption_budget: Option<Json>,
        /// The metrics that it gives out.
        pub metrics: Option<Metrics>,
        /// `Stop` or `Terminate`, while it is being shut down.
        pub shutdown: Option<String>,
        /// The object whose spec is run, with this one laid over it.
        pub workflow_template_ref: Option<WorkflowTemplateRef>,
        /// The locks that the run holds.
        pub synchronization: Option<Synchronization>,
        /// When claims are deleted.
        #[serde(rename = "volumeClaimGC")]
        pub volume_claim_gc: Option<VolumeClaimGC>,
        /// When failed nodes are tried again, unless their template says otherwise.
        pub retry_strategy: Option<RetryStrategy>,
        /// Labels and annotations of every pod.
        pub pod_metadata: Option<Metadata>,
        /// What every template has unless it says otherwise.
        pub template_defaults: Option<Box<Template>>,
        /// Whether the logs of the containers are stored.
        pub archive_logs: Option<bool>,
        /// Templates that are called when their conditions come true.
        pub hooks: IndexMap<String, LifecycleHook>,
        /// Labels and annotations of the run.
        pub workflow_metadata: Option<WorkflowMetadata>,
        /// When artifacts are removed.
        #[serde(rename = "artifactGC")]
        pub artifact_gc: Option<WorkflowLevelArtifactGC>,
        /// Plugins that run beside the agent.
        pub executor_plugins: Vec<ExecutorPlugin>,
        /// The resources of whole pods.
        #[schemars(with = "Option<core::ResourceRequirements>")]
        pub pod_resources: Option<Json>,
        /// The devices that pods claim.
        #[schemars(with = "Vec<core::PodResourceClaim>")]
        pub resource_claims: Vec<Json>,
    }
}
