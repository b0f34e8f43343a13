//! The pure state machine of a run: `decide` turns an observation into events, `apply` folds
//! events into the run, `pending` derives actions from the folded state.
//!
//! **Invariant:** nothing here does anything: no I/O, no clock, no chance. The log is the truth,
//! and [`Run`] is its fold.

pub mod action;
pub mod event;
pub mod model;
pub mod observation;
pub mod run;
mod scope;
pub mod import;
pub mod memo;
mod fold;
mod hosts;
mod lock;
mod decide;
mod pending;
pub mod restart;
pub mod reuse;
pub mod resubmit;
pub mod forecast;
pub mod durations;
pub mod metrics;
pub mod selector;
pub mod value;

#[cfg(test)]
mod tests;

pub use action::{Action, PodRequest};
pub use event::{Batch, Caller, Event};
pub use forecast::{Forecast, Verdict};
pub use import::{ImportError, import};
pub use lock::Want;
pub use memo::{Made, Memo, Memory, Recollection};
pub use model::{CalledBy, Node, NodeType, Phase, Waiting};
pub use observation::{ContainerEnd, Control, FileOutput, Observation, PodEnd, PodReport, SavedArtifact};
pub use pending::STOP_GRACE;
pub use reuse::reuse;
pub use run::{ControlError, Run, Shutdown};
pub use selector::Selector;
pub use value::{Inputs, Outputs, Parameter};
