//! Small manifests, each with a mark at the place that is wrong.
