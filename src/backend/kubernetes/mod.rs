//! A cluster as the place where pods run: each node's pod is a plain `batch/v1` Job.

mod cluster;
pub mod names;
mod api_error;

pub use cluster::{Cluster, ConnectError};
pub use api_error::{ApiError, ApiErrorKind};
