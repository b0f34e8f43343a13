//! `wf` runs Argo Workflows manifests on plain Kubernetes Jobs, or on the machine at hand.
//!
//! The modules stand in the order in which a manifest takes its way through them; each
//! imports only from those above it (`tests/it/tidy.rs` checks).

pub mod base;
pub mod source;
pub mod expr;
pub mod spec;
pub mod plan;
pub mod engine;
pub mod view;
pub mod backend;
pub mod store;
pub mod driver;
#[cfg(feature = "sim")]
pub mod sim;
pub mod cli;
