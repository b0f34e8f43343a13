//! The helper in a task pod, as the driver sees it: which node needs it, how a container is wrapped,
//! where it comes from, and what it reports.
//!
//! To use it: [`Needs::of`] says what a node's main container is to report, [`Turn::of`] how those of a set
//! wait for each other. When that is nothing, the pod is left alone. Otherwise, with the pod's spec complete
//! (after `podSpecPatch`): [`wrap_worker`] these, [`wrap_sidecar`] each native sidecar, add [`volume`] to the pod
//! and [`ARCHITECTURE`] to its `nodeSelector` unless the user chose one, and see that [`config_map`]
//! exists. When the main container ended, [`read_message`] its termination message; where that says
//! so, feed the lines of its log to a [`Trailer`]; and put the [`Report`] into the node's
//! [`PodEnd`](crate::engine::PodEnd).
//!
//! What is spoken is in `wire.rs` of the helper itself, which is compiled into both.
//!
//! **Invariant:** pure: no client, no clock.

mod needs;
mod turn;
mod wrap;
mod objects;
mod decode;

#[path = "../../../helper/wire.rs"]
pub(crate) mod wire;

// What reads reports is tested against what writes them.
#[cfg(test)]
#[path = "../../../helper/writer.rs"]
mod writer;

pub use decode::{BadReport, Report, Said, Trailer, is_report, not_started, read_message, without_trailer};
pub use needs::{Needs, OutputFile};
pub use objects::{ARCHITECTURE, config_map, config_map_name, is_built_in, volume};
pub use turn::{Turn, turn_volume};
pub use wrap::{Unwrappable, template_fault, wrap_sidecar, wrap_worker};

#[cfg(test)]
mod tests;
