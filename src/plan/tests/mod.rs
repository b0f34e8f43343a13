//! The checks on whole manifests: annotated YAML, and the tables of what Argo says.

mod annotated;
mod careful;
mod compiling;
mod conformance;
mod resolving;
mod robustness;
mod size;
mod variables;
