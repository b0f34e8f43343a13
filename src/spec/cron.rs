//! Workflows that are submitted by the clock.

use super::{Json, ObjectMeta, WorkflowSpec};

object! {
    /// A workflow that is submitted by the clock.
    pub struct CronWorkflow {
        /// `argoproj.io/v1alpha1`.
        pub api_version: String,
        /// `CronWorkflow`.
        pub kind: String,
        /// Name, labels and annotations.
        pub metadata: ObjectMeta,
        /// What is submitted, and when.
        pub spec: CronWorkflowSpec,
        /// How it went; Argo writes it.
        pub status: Option<Json>,
    }

    /// What is submitted, and when.
    pub struct CronWorkflowSpec {
        /// The workflow.
        pub workflow_spec: WorkflowSpec,
        /// `Allow`, `Forbid` or `Replace` a run that is still active.
        pub concurrency_policy: Option<String>,
        /// Whether nothing is submitted.
        pub suspend: Option<bool>,
        /// How many seconds late a missed run may start.
        pub starting_deadline_seconds: Option<i64>,
        /// How many succeeded runs are kept.
        pub successful_jobs_history_limit: Option<i32>,
        /// How many failed runs are kept.
        pub failed_jobs_history_limit: Option<i32>,
        /// The time zone of the schedules, by its IANA name.
        pub timezone: Option<String>,
        /// Labels and annotations of the runs.
        pub workflow_metadata: Option<ObjectMeta>,
        /// When to submit no more.
        pub stop_strategy: Option<StopStrategy>,
        /// When to submit, in cron's form.
        pub schedules: Vec<String>,
        /// One schedule, as Argo 3 wrote it.
        #[schemars(extend("deprecated" = true, "x-instead" = "schedules"))]
        pub schedule: Option<String>,
        /// A condition without which nothing is submitted.
        pub when: Option<String>,
    }

    /// When to submit no more.
    pub struct StopStrategy {
        /// An expression over `cronworkflow`.
        pub expression: String,
    }
}
