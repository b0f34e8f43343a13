//! A cluster as the place where pods run: each node's pod is a plain `batch/v1` Job.

mod cluster;
pub mod names;
pub mod helper;

mod client;
mod listen;
mod chores;
mod watch;
mod calls;
mod parked;
mod gc;
mod outputs;
mod logs;

mod track;
mod pod;
mod job_state;

mod job;
mod managed;
mod pod_spec;
mod containers;
mod files;
mod due;
mod patch;
mod bounds;
mod json;

mod support;

mod resource;

mod fault;

pub use client::{KubernetesBackend, Options, Owner};
pub use cluster::{Cluster, ConnectError};
pub use logs::{LogLines, LogOptions, LoggedPod, logged_pods, logs};
pub use support::{Unsupported, unsupported};
