//! Whether logs are kept, and how much of each. Pure.

use crate::backend::kubernetes::names;
use crate::base::limits::{KEPT_LOG_BYTES, KEPT_LOG_BYTES_MAX};
use crate::plan::Resolved;

/// What a run says of its logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPolicy {
    /// Bytes of each container's log, of its end; none are kept when 0.
    pub bytes: usize,
    /// Its `archiveLogs`.
    given: Option<bool>,
}

impl LogPolicy {
    /// Reads `archiveLogs`, which may say no, and the annotation that says how much.
    pub fn of(resolved: &Resolved) -> Self {
        let given = resolved.metadata.annotations.get(names::LOG_BYTES);
        let bytes = given.and_then(|text| bytes(text)).unwrap_or(KEPT_LOG_BYTES).min(KEPT_LOG_BYTES_MAX);
        Self { bytes, given: resolved.spec.archive_logs }
    }

    /// Returns whether logs are kept before their pod goes; `template` is what its template says, which counts
    /// for more. Source: Argo's `IsArchiveLogs`.
    pub fn keeps(self, template: Option<bool>) -> bool {
        self.bytes > 0 && template.or(self.given) != Some(false)
    }

    /// Returns whether logs are kept as soon as their node has ended, though its pod stays.
    pub fn is_at_once(self, template: Option<bool>) -> bool {
        self.bytes > 0 && template.or(self.given) == Some(true)
    }
}

/// Returns what is done instead of what a run says of its logs, where that cannot be done.
pub fn note(resolved: &Resolved) -> Option<String> {
    let (annotation, most) = (names::LOG_BYTES, KEPT_LOG_BYTES_MAX >> 10);
    let given = resolved.metadata.annotations.get(annotation)?;
    match bytes(given) {
        Some(bytes) if bytes <= KEPT_LOG_BYTES_MAX => None,
        Some(_) => Some(format!("`{annotation}: {given}` is more than the {most} KiB that are kept of each log")),
        None => Some(format!(
            "`{annotation}: {given}` is no number of bytes, such as 65536, 64Ki or 1Mi; {} KiB are kept of each log",
            KEPT_LOG_BYTES >> 10
        )),
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
        for (annotation, bytes, is_noted) in [
            (None, KEPT_LOG_BYTES, false),
            (Some("64Ki"), 65_536, false),
            (Some("65536"), 65_536, false),
            (Some(" 64Ki"), 65_536, false),
            (Some("0"), 0, false),
            (Some("99Mi"), KEPT_LOG_BYTES_MAX, true),
            (Some("many"), KEPT_LOG_BYTES, true),
            (Some("99999999999999999999Mi"), KEPT_LOG_BYTES, true),
        ] {
            let resolved = workflow(None, annotation);
            assert_eq!(LogPolicy::of(&resolved).bytes, bytes, "{annotation:?}");
            assert_eq!(note(&resolved).is_some(), is_noted, "{annotation:?}");
        }
        let note = note(&workflow(None, Some("64k"))).expect("it is no number");
        assert!(note.starts_with("`wf.internal/log-bytes: 64k` is no number of bytes"), "{note}");
    }

    #[test]
    fn what_a_template_says_counts_for_more() {
        let (yes, no) = (Some(true), Some(false));
        for (run, template, keeps, is_at_once) in [
            (None, None, true, false),
            (yes, None, true, true),
            (no, None, false, false),
            (None, yes, true, true),
            (None, no, false, false),
            (no, yes, true, true),
            (yes, no, false, false),
        ] {
            let policy = LogPolicy::of(&workflow(run, None));
            assert_eq!(
                (policy.keeps(template), policy.is_at_once(template)),
                (keeps, is_at_once),
                "{run:?} {template:?}"
            );
        }
        let nothing = LogPolicy::of(&workflow(yes, Some("0")));
        assert!(!nothing.keeps(yes) && !nothing.is_at_once(yes));
    }

    fn workflow(archive_logs: Option<bool>, log_bytes: Option<&str>) -> Resolved {
        let annotations = match log_bytes {
            Some(text) => json!({ (names::LOG_BYTES): text }),
            None => json!({}),
        };
        let resolved = json!({
            "metadata": { "annotations": annotations },
            "spec": { "entrypoint": "main", "archiveLogs": archive_logs },
        });
        serde_json::from_value(resolved).expect("a workflow")
    }
}
