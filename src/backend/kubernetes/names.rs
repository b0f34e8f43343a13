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

/// The version of the format that an object of a run's record is written in.
pub const FORMAT: &str = "wf.internal/format";

/// What a listing says of a run, as JSON; an annotation of the head Job.
pub const SUMMARY: &str = "wf.internal/summary";

/// Of how many pieces a text consists, an annotation of each of them.
pub const PIECES: &str = "wf.internal/pieces";

/// At which byte of the log a segment begins, an annotation.
pub const FROM: &str = "wf.internal/from";

/// How often a log was taken over before its segment was written, an annotation.
pub const EPOCH: &str = "wf.internal/epoch";

/// What begins the annotation of the head Job that holds a request; its id follows.
pub const REQUEST: &str = "wf.internal/request.";

/// What begins the annotation of the head Job that holds an answer; the request's id follows.
pub const ANSWER: &str = "wf.internal/answer.";

/// By this annotation of the head Job one asks whether the driver lives; it answers by renewing its Lease.
pub const PING: &str = "wf.internal/ping";

/// Who drives the nodes of a managed Job: nobody but us.
pub const DRIVER: &str = "wf.internal/driver";

/// Argo's label of a run, with its phase, for users' own selectors.
pub const PHASE: &str = "workflows.argoproj.io/phase";

/// Argo's label of a run, `true` once it has ended.
pub const COMPLETED: &str = "workflows.argoproj.io/completed";

/// Which process writes a log, an annotation of its segments.
pub const HOLDER: &str = "wf.internal/holder";
