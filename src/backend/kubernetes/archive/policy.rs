//! Whether logs are kept, and how much of each. Pure.

use crate::backend::kubernetes::names;
use crate::base::limits::{KEPT_LOG_BYTES, KEPT_LOG_BYTES_MAX};
use crate::plan::Resolved;

/// What a run says of its logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPolicy {
    /// Bytes of each container's log, of its end; none are kept when 0.
    pub bytes: usize,
    /// Whether they are kept as soon as a node has ended, though its pod stays.
    pub at_once: bool,
}

impl LogPolicy {
    /// Reads `archiveLogs`, which may say no, and the annotation that says how much.
    pub fn of(resolved: &Resolved) -> Self {
        let given = resolved.metadata.annotations.get(names::LOG_BYTES);
        let bytes = given.and_then(|text| bytes(text)).unwrap_or(KEPT_LOG_BYTES).min(KEPT_LOG_BYTES_MAX);
        match resolved.spec.archive_logs {
            Some(false) => Self { bytes: 0, at_once: false },
            given => Self { bytes, at_once: given == Some(true) && bytes > 0 },
        }
    }
}

/// Reads a number of bytes: `65536`, `64Ki` or `1Mi`.
fn bytes(text: &str) -> Option<usize> {
    let text = text.trim();
    let (digits, unit) = match (text.strip_suffix("Ki"), text.strip_suffix("Mi")) {
        (Some(digits), _) => (digits, 1 << 10),
        (_, Some(digits)) => (digits, 1 << 20),
        _ => (text, 1),
    };
    digits.parse::<usize>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_run_says_what_is_kept_of_its_logs() {
        for (archive_logs, annotation, expected) in [
            (None, None, (KEPT_LOG_BYTES, false)),
            (Some(true), None, (KEPT_LOG_BYTES, true)),
            (Some(false), Some("64Ki"), (0, false)),
            (None, Some("65536"), (65_536, false)),
            (Some(true), Some(" 64Ki"), (65_536, true)),
            (Some(true), Some("0"), (0, false)),
            (None, Some("99Mi"), (KEPT_LOG_BYTES_MAX, false)),
            (None, Some("many"), (KEPT_LOG_BYTES, false)),
            (None, Some("99999999999999999999Mi"), (KEPT_LOG_BYTES, false)),
        ] {
            let annotations = annotation.map(|text| json!({ (names::LOG_BYTES): text })).unwrap_or_default();
            let annotations = if annotations.is_null() { json!({}) } else { annotations };
            let resolved = json!({
                "metadata": { "annotations": annotations },
                "spec": { "entrypoint": "main", "archiveLogs": archive_logs },
            });
            let resolved: Resolved = serde_json::from_value(resolved).expect("a workflow");
            let policy = LogPolicy::of(&resolved);
            assert_eq!((policy.bytes, policy.at_once), expected, "{archive_logs:?} {annotation:?}");
        }
    }
}
