//! A cluster as the place where pods run: each node's pod is a plain `batch/v1` Job.

mod cluster;
pub mod names;
mod client;

pub use client::{KubernetesBackend, Options, Owner};
pub use cluster::{Cluster, ConnectError};
