//! When a failed node is tried again.

use super::IntOrString;

object! {
    /// How often, when and where a failed node is tried again.
    pub struct RetryStrategy {
        /// How many tries follow the first; without end when absent.
        pub limit: Option<IntOrString>,
        /// `OnFailure`, `OnError`, `OnTransientError` or `Always`.
        pub retry_policy: Option<String>,
        /// How long to wait before the next try.
        pub backoff: Option<Backoff>,
        /// Where the next try may run.
        pub affinity: Option<RetryAffinity>,
        /// An expression over `lastRetry` that must hold for another try.
        pub expression: Option<String>,
    }

    /// How long to wait between tries.
    pub struct Backoff {
        /// The first wait, in seconds or as Go writes durations.
        pub duration: Option<String>,
        /// What each wait is multiplied by to give the next.
        pub factor: Option<IntOrString>,
        /// How long all tries together may take.
        pub max_duration: Option<String>,
        /// The longest single wait.
        pub cap: Option<String>,
    }

    /// Where the next try may run.
    pub struct RetryAffinity {
        /// Not on the machine of the last one.
        pub node_anti_affinity: Option<RetryNodeAntiAffinity>,
    }

    /// Keeps the next try off the machine of the last one.
    pub struct RetryNodeAntiAffinity {}
}
