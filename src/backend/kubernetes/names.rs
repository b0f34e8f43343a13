//! What our objects in a cluster are called, and the labels and annotations that they carry.

/// The run that an object belongs to; on the head Job, its own name.
pub const RUN: &str = "wf.internal/run";

/// What an object is: `run`, `plan`, `log`, `blob`, `node`, `helper`, `lock`, `cache`, `template`, `cron`.
pub const KIND: &str = "wf.internal/kind";

/// The number of the node whose attempt a Job or pod is.
pub const NODE: &str = "wf.internal/node";

/// The template that a pod runs.
pub const TEMPLATE: &str = "wf.internal/template";

/// The full name of the node, an annotation, since it can be long and have any character.
pub const NODE_NAME: &str = "wf.internal/node-name";

/// Argo's label for users' own selectors, with the run's name.
pub const WORKFLOW: &str = "workflows.argoproj.io/workflow";
