//! The checks on whole manifests: annotated YAML, and the tables of what Argo says.

mod annotated;
mod conformance;
mod size;
