//! Metrics that a workflow or a template gives out.

use super::Amount;

object! {
    /// The metrics of a workflow or a template.
    pub struct Metrics {
        /// Metrics in Prometheus' form.
        pub prometheus: Vec<Prometheus>,
    }

    /// One metric; exactly one of `gauge`, `histogram` and `counter` is given.
    pub struct Prometheus {
        /// Its name.
        pub name: String,
        /// Its labels.
        pub labels: Vec<MetricLabel>,
        /// What it means, for people.
        pub help: String,
        /// A condition without which nothing is given out.
        pub when: Option<String>,
        /// A value that goes up and down.
        pub gauge: Option<Gauge>,
        /// A distribution of values.
        pub histogram: Option<Histogram>,
        /// A value that only grows.
        pub counter: Option<Counter>,
    }

    /// A label of a metric.
    pub struct MetricLabel {
        /// Its name.
        pub key: String,
        /// Its value.
        pub value: String,
    }

    /// A value that goes up and down.
    pub struct Gauge {
        /// The value.
        pub value: String,
        /// Whether it changes while the node runs.
        pub realtime: Option<bool>,
        /// `Set`, `Add` or `Sub`.
        pub operation: Option<String>,
    }

    /// A distribution of values.
    pub struct Histogram {
        /// The value to count.
        pub value: String,
        /// The upper bounds of the classes.
        pub buckets: Vec<Amount>,
    }

    /// A value that only grows.
    pub struct Counter {
        /// By how much.
        pub value: String,
    }
}
