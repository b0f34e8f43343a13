//! A cluster as the place where pods run: each node's pod is a plain `batch/v1` Job.

mod cluster;
pub mod names;
pub mod helper;
pub mod install;

pub use cluster::{Cluster, ConnectError};
