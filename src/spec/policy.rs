//! What is cleaned up after a run, and when.

use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;

use super::Json;

object! {
    /// How long a finished run is kept.
    pub struct TTLStrategy {
        /// Seconds after any end.
        pub seconds_after_completion: Option<i32>,
        /// Seconds after success.
        pub seconds_after_success: Option<i32>,
        /// Seconds after failure.
        pub seconds_after_failure: Option<i32>,
    }

    /// When the pods of a run are deleted.
    pub struct PodGC {
        /// `OnPodCompletion`, `OnPodSuccess`, `OnWorkflowCompletion` or `OnWorkflowSuccess`.
        pub strategy: Option<String>,
        /// Which pods; all when absent.
        #[schemars(with = "Option<meta::LabelSelector>")]
        pub label_selector: Option<Json>,
        /// How long they are kept, in seconds or as Go writes durations.
        pub delete_delay_duration: Option<String>,
    }

    /// When the volume claims of a run are deleted.
    pub struct VolumeClaimGC {
        /// `OnWorkflowCompletion` or `OnWorkflowSuccess`.
        pub strategy: Option<String>,
    }
}
