//! The manifest types: what Argo Workflows 3.x and 4.x accept, every kind and every field.
//!
//! A type here is what the user wrote, not what it means: nothing is defaulted, merged or
//! resolved. Parts that belong to Kubernetes stay JSON ([`Json`]), so that they reach the
//! cluster as they were written, while their JSON schema still knows each of their fields.
//!
//! **Invariant:** decoding what was encoded gives the same value, and nothing here panics on input.

#[macro_use]
mod object;

mod artifact;
mod artifact_store;
mod check;
mod cron;
mod event;
mod http;
mod json;
mod manifest;
mod meta;
mod metrics;
mod parameter;
mod pod;
mod pod_patch;
mod policy;
mod publish;
mod read;
mod retry;
pub mod rules;
mod scalar;
mod schema;
mod steps;
mod suggest;
mod synchronization;
mod template;
#[cfg(test)]
mod tests;
mod workflow;

pub use artifact::{
    ArchiveStrategy, Arguments, Artifact, ArtifactGC, ArtifactLocation, ArtifactPaths, ArtifactRepositoryRef, Data,
    DataSource, Inputs, NoneStrategy, Outputs, TarStrategy, TransformationStep, WorkflowLevelArtifactGC, ZipStrategy,
};
pub use artifact_store::{
    ArtifactoryArtifact, ArtifactoryAuth, AzureArtifact, AzureBlobContainer, BasicAuth, ClientCertAuth,
    CreateS3BucketOptions, GCSArtifact, GCSBucket, GitArtifact, HDFSArtifact, HDFSConfig, HDFSKrbConfig, HTTPArtifact,
    HTTPAuth, Header, OAuth2Auth, OAuth2EndpointParam, OSSArtifact, OSSBucket, OSSLifecycleRule, PluginArtifact,
    RawArtifact, S3Artifact, S3Bucket, S3EncryptionOptions,
};
pub use cron::{CronWorkflow, CronWorkflowSpec, StopStrategy};
pub use event::{Event, Submit, WorkflowEventBinding, WorkflowEventBindingSpec};
pub use http::{HTTP, HTTPBodySource, HTTPHeader, HTTPHeaderSource};
pub use json::Json;
pub use manifest::{API_VERSION, ConfigMap, Kind, Manifest, Secret};
pub use meta::{LabelValueFrom, Metadata, ObjectMeta, WorkflowMetadata};
pub use metrics::{Counter, Gauge, Histogram, MetricLabel, Metrics, Prometheus};
pub use parameter::{ConfigMapKeySelector, Parameter, SecretKeySelector, SuppliedValueFrom, ValueFrom};
pub use pod::{
    ContainerNode, ContainerSetRetryStrategy, ContainerSetTemplate, ExecutorConfig, ExecutorPlugin,
    ExecutorPluginSidecar, ExecutorPluginSpec, ManifestFrom, ResourceTemplate, ScriptTemplate, UserContainer,
};
pub use pod_patch::pod_patch_faults;
pub use policy::{PodGC, TTLStrategy, VolumeClaimGC};
pub use publish::json_schema;
pub use read::{Read, read, read_all};
pub use retry::{Backoff, RetryAffinity, RetryNodeAntiAffinity, RetryStrategy};
pub use scalar::{Amount, AnyString, IntOrString, Item};
pub use steps::{
    ContinueOn, DAGTask, DAGTemplate, LifecycleHook, LifecycleHooks, Sequence, SuspendTemplate, TemplateRef,
    WorkflowStep, WorkflowTemplateRef,
};
pub use synchronization::{
    Cache, LocalObjectReference, Memoize, Mutex, SemaphoreRef, SyncDatabaseRef, Synchronization,
};
pub use template::Template;
pub use workflow::{ClusterWorkflowTemplate, Workflow, WorkflowSpec, WorkflowTemplate};
