//! A cluster as the place where pods run: each node's pod is a plain `batch/v1` Job.
//!
//! | part | files |
//! | --- | --- |
//! | from a request to a Job, pure | `job`, `pod_spec`, `containers`, `files`, `patch`, `affinity`, `bounds`, `due`, `helper`, `managed` |
//! | from a pod to a report, pure | `kinds`, `pod`, `job_state`, `track`, `outputs` |
//! | what waits for a quota, and what to be reported, pure | `room`, `outbox` |
//! | a resource template and a request, done by the driver | `resource`, `request` |
//! | asking and listening | `client`, `calls`, `watch`, `listen`, `parked`, `patience`, `fence`, `chores`, `gc`, `logs` |
//! | what pods wrote, kept when they go | `archive` |
//! | the way to the cluster, and what it says when it refuses | `cluster`, `api_error`, `fault` |
//! | what cannot run, what a driver in the cluster needs and is, what it may do for others, what is missing | `support`, `install`, `drivers`, `installer`, `behalf`, `doctor`, `pulling` |

pub mod drivers;
pub mod helper;
pub mod install;
pub mod installer;
pub mod names;

mod affinity;
mod api_error;
mod archive;
mod argo;
mod behalf;
mod bounds;
mod calls;
mod chores;
mod client;
mod cluster;
mod containers;
mod doctor;
mod due;
mod events;
mod fault;
mod fence;
mod files;
mod gc;
mod job;
mod job_state;
mod json;
mod kinds;
mod listen;
mod logs;
mod managed;
mod outbox;
mod outputs;
mod parked;
mod patch;
mod patience;
mod pod;
mod pod_spec;
mod pulling;
mod request;
mod resource;
mod room;
mod support;
mod track;
mod watch;

pub use api_error::{ApiError, ApiErrorKind};
pub use archive::{Kept, archived_logs};
pub use argo::argo_object;
pub use behalf::Behalf;
pub use client::{KubernetesBackend, Options, Owner};
pub use cluster::{Cluster, ConnectError};
pub use doctor::{Finding, Health, examine};
pub use fence::Fence;
pub use kinds::{Job, Pod};
pub use logs::{LogLines, LogOptions, LoggedPod, logged_pods, logs};
pub use patience::Patience;
pub use pulling::pull;
pub use support::{Unsupported, notes, unsupported};
