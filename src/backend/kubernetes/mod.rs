//! A cluster as the place where pods run: each node's pod is a plain `batch/v1` Job.

mod cluster;
mod patience;
pub mod names;
mod api_error;
mod support;
mod argo;
pub mod helper;
pub mod install;

mod client;
mod listen;
mod chores;
mod watch;
mod outputs;
mod logs;

mod track;
mod pod;
mod job_state;

mod job;
mod pod_spec;
mod containers;
mod files;
mod due;
mod patch;
mod bounds;
mod json;

mod fault;

pub use client::{KubernetesBackend, Options, Owner};
pub use cluster::{Cluster, ConnectError};
pub use api_error::{ApiError, ApiErrorKind};
pub use argo::argo_object;
pub use support::{Unsupported, unsupported};
pub use logs::{LogLines, LogOptions, LoggedPod, logged_pods, logs};
