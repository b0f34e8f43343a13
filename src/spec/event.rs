//! Workflows that are submitted by events.

use super::{Arguments, ObjectMeta, WorkflowTemplateRef};

object! {
    /// Submits a workflow when an event arrives.
    pub struct WorkflowEventBinding {
        /// `argoproj.io/v1alpha1`.
        pub api_version: String,
        /// `WorkflowEventBinding`.
        pub kind: String,
        /// Name, labels and annotations.
        pub metadata: ObjectMeta,
        /// Which event, and what is submitted.
        pub spec: WorkflowEventBindingSpec,
    }

    /// Which event, and what is submitted.
    pub struct WorkflowEventBindingSpec {
        /// The event.
        pub event: Event,
        /// What is submitted.
        pub submit: Option<Submit>,
    }

    /// Which events are meant.
    pub struct Event {
        /// An expression over `payload`, `metadata`, `namespace` and `discriminator`.
        pub selector: String,
    }

    /// What is submitted.
    pub struct Submit {
        /// The template.
        pub workflow_template_ref: WorkflowTemplateRef,
        /// Name, labels and annotations of the run; values may be expressions.
        pub metadata: Option<ObjectMeta>,
        /// What it is handed.
        pub arguments: Option<Arguments>,
    }
}
