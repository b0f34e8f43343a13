//! The facts of a run's log. An event carries what was decided, so that folding it evaluates nothing.

use serde::{Deserialize, Serialize};

use crate::base::Timestamp;

/// What one decision brought, at one instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// When it was decided.
    pub at: Timestamp,
    /// What was decided, in order.
    pub events: Vec<Event>,
}

/// A fact of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "e", rename_all = "camelCase")]
pub enum Event {
    /// The run began.
    Began,
}
