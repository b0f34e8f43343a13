//! Events on the head Job: what `kubectl describe job RUN` tells of a run. Pure.
//!
//! They are for people; a run neither needs nor reads them, and who may not write them goes without.

use serde_json::{Value, json};

use super::client::Owner;
use crate::base::Timestamp;
use crate::engine::{Phase, PodReport};

/// Characters of a message that the API server takes.
const MESSAGE_CHARS_MAX: usize = 1000;

/// Something to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    /// In one word, as `kubectl` shows it.
    pub reason: &'static str,
    /// In a sentence.
    pub message: String,
}

impl Told {
    /// Returns what there is to tell of a node's report, of which `job` is the Job: waits and bad ends.
    pub(super) fn of(report: &PodReport, job: &str) -> Option<Self> {
        let (reason, words) = match report {
            PodReport::Waiting { reason } => ("NodeWaiting", reason),
            PodReport::Ended(end) if end.phase.is_bad() => ("NodeFailed", &end.message),
            PodReport::Lost { message } => ("NodeLost", message),
            PodReport::Running { .. } | PodReport::Ended(_) => return None,
        };
        Some(Self { reason, message: format!("{job}: {words}") })
    }

    /// Returns what there is to tell of the run's end.
    pub(super) fn end(phase: Phase) -> Self {
        let reason = if phase == Phase::Succeeded { "RunSucceeded" } else { "RunFailed" };
        Self { reason, message: format!("the run has ended: {phase}") }
    }

    /// Returns the event; `number` tells it from the others of this driver.
    pub(super) fn event(&self, owner: &Owner, namespace: &str, at: Timestamp, number: u32) -> Value {
        let message: String = self.message.chars().take(MESSAGE_CHARS_MAX).collect();
        let time = at.rfc3339();
        json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": { "name": format!("{}.{:x}.{number}", owner.run, at.0) },
            "involvedObject": {
                "apiVersion": "batch/v1", "kind": "Job",
                "name": owner.run.as_str(), "namespace": namespace, "uid": owner.head,
            },
            "type": if self.reason == "RunSucceeded" { "Normal" } else { "Warning" },
            "reason": self.reason,
            "message": message,
            "source": { "component": "wf" },
            "reportingComponent": "wf",
            "firstTimestamp": time,
            "lastTimestamp": time,
            "count": 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::PodEnd;

    #[test]
    fn waits_and_bad_ends_are_told() {
        let told = |report: PodReport| {
            Told::of(&report, "hello-1").map(|told| format!("{} {}", told.reason, told.message)).unwrap_or_default()
        };
        assert_eq!(told(PodReport::Waiting { reason: "no room".into() }), "NodeWaiting hello-1: no room");
        assert_eq!(told(PodReport::Ended(PodEnd::exited(0))), "");
        assert_eq!(told(PodReport::Ended(PodEnd::exited(2))), "NodeFailed hello-1: main: Error (exit code 2)");
        assert_eq!(told(PodReport::Lost { message: "gone".into() }), "NodeLost hello-1: gone");
    }
}
