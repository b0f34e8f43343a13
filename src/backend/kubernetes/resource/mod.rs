//! Templates that act on an object of the cluster: done by the driver itself, with its own rights, and where
//! it drives the runs of others, only what the accounts of these may do.
//!
//! No pod is started for it, as Argo does; what it comes to is told as if one had run.

mod run;
mod act;
mod flags;
mod outputs;

pub(super) use act::Task;
pub(super) use run::{OwnWork, Work};
