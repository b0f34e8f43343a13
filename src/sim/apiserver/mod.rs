//! An API server in memory, behind a `kube::Client`: the part of Kubernetes that stores of runs
//! rest on, as a small faithful model.
//!
//! What is modelled: names taken once, versions that every change raises and no idle write does,
//! conflicts, immutable ConfigMaps, status apart from the rest, ends of Jobs that are never taken
//! back, merge patches, preconditions, objects that go with their owners, label and field
//! selectors, pages, metadata alone, watches with a history that can be cut.
//!
//! **Invariant:** every decision is made in `state`, without a client; `serve` only speaks HTTP.

mod merge;
mod select;
mod serve;
mod state;

pub(in crate::sim) use serve::{Answer, Asked, body, to_response};
pub use serve::{ApiServer, Fault};
pub(in crate::sim) use state::{Change, Key, is_owned};
pub use state::{Refused, State};

#[cfg(test)]
mod tests;
