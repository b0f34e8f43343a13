//! Kinds that hold pods, as far as they are read; what is written is JSON, so that nothing of the user's is lost.
//!
//! k8s-openapi has types for all of them, but reading all their fields, in each of the ways in which the client
//! reads, is a third of the time that a build takes.

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Makes a type one that the client can ask for.
macro_rules! resource {
    ($type:ident, $kind:literal, $version:literal, $group:literal, $api:literal, $path:literal) => {
        impl k8s_openapi::Resource for $type {
            const API_VERSION: &'static str = $api;
            const GROUP: &'static str = $group;
            const KIND: &'static str = $kind;
            const VERSION: &'static str = $version;
            const URL_PATH_SEGMENT: &'static str = $path;
            type Scope = NamespaceResourceScope;
        }

        impl k8s_openapi::Metadata for $type {
            type Ty = ObjectMeta;

            fn metadata(&self) -> &ObjectMeta {
                &self.metadata
            }

            fn metadata_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }
    };
}

resource!(Pod, "Pod", "v1", "", "v1", "pods");
resource!(Job, "Job", "v1", "batch", "batch/v1", "jobs");
resource!(Deployment, "Deployment", "v1", "apps", "apps/v1", "deployments");

impl kube::api::Log for Pod {}

/// A pod.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Pod {
    /// Its name, labels, owner.
    pub metadata: ObjectMeta,
    /// What it is to run.
    pub spec: Option<PodSpec>,
    /// What became of it.
    pub status: Option<PodStatus>,
}

/// What a pod is to run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    /// The node that it was bound to.
    pub node_name: Option<String>,
    /// The containers that run first, or beside the others.
    pub init_containers: Option<Vec<Container>>,
    /// The containers.
    pub containers: Vec<Container>,
}

/// A container that is to run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// `Always` for one that runs beside the others.
    pub restart_policy: Option<String>,
}

/// What became of a pod.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    pub phase: Option<String>,
    /// A sentence about the phase.
    pub message: Option<String>,
    /// A word about the phase, such as `Evicted`.
    pub reason: Option<String>,
    /// Its address.
    #[serde(rename = "podIP")]
    pub pod_ip: Option<String>,
    /// When a kubelet took note of it.
    pub start_time: Option<Time>,
    /// What holds of it.
    pub conditions: Option<Vec<Condition>>,
    /// What became of the init containers.
    pub init_container_statuses: Option<Vec<ContainerStatus>>,
    /// What became of the containers.
    pub container_statuses: Option<Vec<ContainerStatus>>,
}

/// What holds, or does not, of a pod or a Job.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// What.
    #[serde(rename = "type")]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Why, in a word.
    pub reason: Option<String>,
    /// Why, in a sentence.
    pub message: Option<String>,
    /// Since when.
    pub last_transition_time: Option<Time>,
}

/// What became of a container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStatus {
    /// Its name.
    pub name: String,
    /// Whether its probes hold.
    pub ready: bool,
    /// What it does now.
    pub state: Option<ContainerState>,
    /// How often it was started again.
    pub restart_count: i32,
}

/// What a container does: at most one of these is there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerState {
    /// It has not started.
    pub waiting: Option<ContainerStateWaiting>,
    /// It runs.
    pub running: Option<ContainerStateRunning>,
    /// It has ended.
    pub terminated: Option<ContainerStateTerminated>,
}

/// Why a container has not started.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStateWaiting {
    /// A word, such as `ImagePullBackOff`.
    pub reason: Option<String>,
    /// A sentence.
    pub message: Option<String>,
}

/// Since when a container runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStateRunning {
    /// When it started.
    pub started_at: Option<Time>,
}

/// How a container ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStateTerminated {
    /// The code that it exited with.
    pub exit_code: i32,
    /// A word, such as `OOMKilled`.
    pub reason: Option<String>,
    /// Its termination message.
    pub message: Option<String>,
    /// When it started.
    pub started_at: Option<Time>,
    /// When it ended.
    pub finished_at: Option<Time>,
}

/// A Job.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Job {
    /// Its name, labels, owner.
    pub metadata: ObjectMeta,
    /// What it is to run.
    pub spec: Option<JobSpec>,
    /// What became of it.
    pub status: Option<JobStatus>,
}

/// What a Job is to run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobSpec {
    /// Who makes its pods, if not the Job controller.
    pub managed_by: Option<String>,
    /// How long it stays once it has ended.
    pub ttl_seconds_after_finished: Option<i32>,
}

/// What became of a Job.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobStatus {
    /// What holds of it.
    pub conditions: Option<Vec<Condition>>,
    /// When it was first looked at.
    pub start_time: Option<Time>,
}

/// A Deployment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Deployment {
    /// `apps/v1`.
    pub api_version: String,
    /// `Deployment`.
    pub kind: String,
    /// Its name, labels, owner.
    pub metadata: ObjectMeta,
    /// What it is to run.
    pub spec: Value,
}
