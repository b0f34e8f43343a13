//! The head Job of a run: how it is made, how it tells what goes on, and how it is read.
//!
//! It has no pod of its own: `parallelism` is 0, which every release of the Job controller obeys,
//! and where the server knows `managedBy`, the controller leaves its status to us. So it need not
//! be suspended, and `kubectl get jobs` shows `Running` on old and new servers alike.
//!
//! **Invariant:** pure. What is read here comes from a cluster, and may be anything.

use std::collections::BTreeMap;

use kube::api::ObjectMeta;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::backend::kubernetes::names;
use crate::base::{RunName, Timestamp};
use crate::engine::Phase;
use crate::spec::TTLStrategy;
use crate::store::{FORMAT_VERSION, Header, Summary, record};

/// The value of [`names::KIND`] on a head Job.
pub(super) const KIND: &str = "run";

/// Characters of a message in a summary: annotations hold 256 KiB in all, and lists show one line.
const MESSAGE_CHARS_MAX: usize = 1024;

/// Bytes of one label or annotation of the manifest that the head carries: it must leave room
/// for the summary and requests.
const ANNOTATION_BYTES_MAX: usize = 16 << 10;

/// Labels that would make a queue take the head for a pod that waits for its turn.
const QUEUES: &str = "kueue.x-k8s.io/";

/// What the annotation [`names::SUMMARY`] holds.
///
/// The log is durable before the summary is written. So a log that is shorter has lost records.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredSummary {
    /// The place of the record after the last.
    pub(super) records: u64,
    /// What a listing says.
    #[serde(flatten)]
    pub(super) summary: Summary,
}

/// Returns the head Job of a run.
pub(super) fn job(header: &Header) -> Value {
    let summary = record::pending_summary(header);
    let mut annotations = own(header.resolved.metadata.annotations.iter());
    annotations.insert(names::FORMAT.to_owned(), FORMAT_VERSION.to_string().into());
    annotations.insert(names::SUMMARY.to_owned(), summary_text(1, &summary).into());
    let mut labels = own(header.resolved.metadata.labels.iter());
    labels.extend(phase_labels(&summary));
    labels.insert(names::KIND.to_owned(), KIND.into());
    labels.insert(names::RUN.to_owned(), header.name.as_str().into());
    labels.insert(names::WORKFLOW.to_owned(), header.name.as_str().into());
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": header.name, "labels": labels, "annotations": annotations},
        "spec": {
            "managedBy": names::DRIVER,
            "parallelism": 0,
            "completions": 1,
            "backoffLimit": 0,
            "template": {"spec": no_pod()},
        },
    })
}

/// A pod that never runs, and that the strictest pod security standard has nothing against.
fn no_pod() -> Value {
    json!({
        "restartPolicy": "Never",
        "automountServiceAccountToken": false,
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{
            "name": "none",
            "image": "wf.internal/none",
            "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
        }],
    })
}

/// Returns what the user wrote, without what is ours to say.
fn own<'a>(given: impl Iterator<Item = (&'a String, &'a String)>) -> Map<String, Value> {
    let is_theirs = |key: &str| !key.starts_with("wf.internal/") && !key.starts_with(QUEUES);
    let kept = given.filter(|(key, value)| is_theirs(key) && value.len() <= ANNOTATION_BYTES_MAX);
    kept.map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect()
}

fn phase_labels(summary: &Summary) -> [(String, Value); 2] {
    let is_final = phase(summary).is_final();
    [
        (names::PHASE.to_owned(), summary.phase.as_str().into()),
        (names::COMPLETED.to_owned(), is_final.to_string().into()),
    ]
}

fn summary_text(records: u64, summary: &Summary) -> String {
    let mut summary = summary.clone();
    if let Some((end, _)) = summary.message.char_indices().nth(MESSAGE_CHARS_MAX) {
        summary.message.truncate(end);
        summary.message.push('…');
    }
    let stored = StoredSummary { records, summary };
    serde_json::to_string(&stored).expect("a summary is plain strings and numbers")
}

/// Returns whether the run of `summary` has ended.
pub(super) fn has_ended(summary: &Summary) -> bool {
    phase(summary).is_final()
}

fn phase(summary: &Summary) -> Phase {
    serde_json::from_value(summary.phase.as_str().into()).unwrap_or(Phase::Pending)
}

/// What a patch of a head must know of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// Whether the server kept `managedBy`, and with it checks each change of the status.
    pub(super) is_managed: bool,
    /// Whether its status says when the run began.
    pub(super) has_begun: bool,
    /// Whether its status says that the run has ended. A server never takes that back, so that
    /// the Job of a run that was retried shows its first end.
    pub(super) has_ended: bool,
    /// When its status says that it ended.
    pub(super) ended_at: Option<Timestamp>,
    /// After how many seconds from its end the cluster removes it.
    pub(super) seconds_to_live: Option<i32>,
}

/// Returns the metadata that shows `summary`; `records` is how far the log has come.
pub(super) fn metadata_patch(records: u64, summary: &Summary) -> Value {
    let labels: Map<String, Value> = phase_labels(summary).into_iter().collect();
    json!({"labels": labels, "annotations": {names::SUMMARY: summary_text(records, summary)}})
}

/// Returns the status that shows `summary`, if it is to change.
pub(super) fn status_patch(summary: &Summary, standing: Standing) -> Option<Value> {
    let phase = phase(summary);
    if standing.has_ended || (standing.has_begun && !phase.is_final()) {
        return None;
    }
    let began = summary.started_at.unwrap_or(summary.created_at);
    let mut status = json!({"startTime": time(began)});
    if let Some(ended) = summary.finished_at.filter(|_| phase.is_final()) {
        let ended = ended.max(began);
        let is_success = !matches!(phase, Phase::Failed | Phase::Error);
        let counted = if is_success { "succeeded" } else { "failed" };
        status[counted] = 1.into();
        status["conditions"] = conditions(summary, is_success, ended, standing.is_managed);
        if is_success {
            status["completionTime"] = time(ended).into();
        }
    } else if summary.started_at.is_none() {
        return None;
    }
    Some(status)
}

/// Returns the conditions of a Job that has ended. A server that knows `managedBy` wants the
/// reason for the end as a condition of its own; an older one may refuse that one.
/// Source: Kubernetes' `validateJobStatus`.
fn conditions(summary: &Summary, is_success: bool, at: Timestamp, is_managed: bool) -> Value {
    let (cause, end, reason) = match is_success {
        true => ("SuccessCriteriaMet", "Complete", "RunSucceeded"),
        false => ("FailureTarget", "Failed", "RunFailed"),
    };
    let message: String = summary.message.chars().take(MESSAGE_CHARS_MAX).collect();
    let condition = |kind: &str| {
        json!({
            "type": kind, "status": "True", "reason": reason, "message": message,
            "lastTransitionTime": time(at), "lastProbeTime": time(at),
        })
    };
    let kinds: &[&str] = if is_managed { &[cause, end] } else { &[end] };
    kinds.iter().map(|kind| condition(kind)).collect()
}

/// Returns a time as Kubernetes' `Time`, which has whole seconds.
fn time(at: Timestamp) -> String {
    Timestamp(at.0.div_euclid(1000) * 1000).rfc3339()
}

/// Returns after how many seconds the cluster removes a run that ended in the phase of `summary`. It counts
/// from the end that the Job shows, which for a run that was retried is its first one, at `shown`.
/// Source: Argo's `TTLStrategy`, whose first match counts.
pub(super) fn seconds_to_live(ttl: Option<&TTLStrategy>, summary: &Summary, shown: Option<Timestamp>) -> Option<i32> {
    let ttl = ttl?;
    let phase = phase(summary);
    let own = match phase {
        Phase::Failed => ttl.seconds_after_failure,
        Phase::Succeeded => ttl.seconds_after_success,
        _ if phase.is_final() => None,
        _ => return None,
    };
    let between = shown.zip(summary.finished_at).map_or(0, |(shown, ended)| ended.since(shown).0.div_ceil(1000));
    let between = i32::try_from(between).unwrap_or(i32::MAX);
    own.or(ttl.seconds_after_completion).map(|seconds| seconds.max(0).saturating_add(between))
}

/// What the metadata of a head say.
#[derive(Debug, Clone)]
pub(super) struct Head {
    /// The Job's own uid.
    pub(super) uid: String,
    /// What a listing says; made up when the annotation is lost.
    pub(super) stored: Option<StoredSummary>,
    /// The version of the format.
    pub(super) format: Option<u32>,
    /// Whether it is being removed.
    pub(super) is_leaving: bool,
}

impl Head {
    /// Reads the metadata of a Job; none when it is no head of ours.
    pub(super) fn read(metadata: &ObjectMeta) -> Option<Self> {
        let labels = metadata.labels.as_ref()?;
        if labels.get(names::KIND).map(String::as_str) != Some(KIND) {
            return None;
        }
        let no_annotations = BTreeMap::new();
        let annotations = metadata.annotations.as_ref().unwrap_or(&no_annotations);
        let stored = annotations.get(names::SUMMARY).and_then(|text| serde_json::from_str(text).ok());
        Some(Self {
            uid: metadata.uid.clone()?,
            stored,
            format: annotations.get(names::FORMAT).and_then(|text| text.parse().ok()),
            is_leaving: metadata.deletion_timestamp.is_some(),
        })
    }

    /// Returns what a listing says of the run of that name and age.
    pub(super) fn summary(self, run: RunName, created_at: Timestamp) -> Summary {
        match self.stored {
            Some(stored) if stored.summary.name == run => stored.summary,
            _ => Summary {
                name: run,
                uid: crate::base::RunUid("".into()),
                created_at,
                started_at: None,
                finished_at: None,
                phase: "Unknown".to_owned(),
                message: "the summary is missing".to_owned(),
                progress: String::new(),
                suspended: false,
                priority: 0,
                expires_at: None,
                labels: BTreeMap::new(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(metadata: Value) -> Header {
        let value = json!({
            "version": 1, "name": "a", "uid": "u", "createdAt": 1_500,
            "resolved": {"metadata": metadata, "spec": {"entrypoint": "main", "templates": []}},
        });
        serde_json::from_value(value).expect("a header")
    }

    fn summary(phase: &str, started_at: Option<i64>, finished_at: Option<i64>) -> Summary {
        Summary {
            phase: phase.to_owned(),
            message: "why".to_owned(),
            started_at: started_at.map(Timestamp),
            finished_at: finished_at.map(Timestamp),
            ..record::pending_summary(&header(json!({})))
        }
    }

    #[test]
    fn the_head_carries_what_is_the_users_and_has_no_pod() {
        let given = json!({
            "labels": {"team": "a", "kueue.x-k8s.io/queue-name": "q", "wf.internal/kind": "node"},
            "annotations": {"why": "x", "long": "x".repeat(ANNOTATION_BYTES_MAX + 1)},
        });
        let job = job(&header(given));
        assert_eq!((&job["spec"]["parallelism"], &job["spec"]["managedBy"]), (&json!(0), &json!("wf.internal/driver")));
        let labels = json!({
            "team": "a", "wf.internal/kind": "run", "wf.internal/run": "a",
            "workflows.argoproj.io/workflow": "a", "workflows.argoproj.io/phase": "Pending",
            "workflows.argoproj.io/completed": "false",
        });
        assert_eq!(job["metadata"]["labels"], labels);
        let annotations: Vec<&String> = job["metadata"]["annotations"].as_object().expect("a map").keys().collect();
        assert_eq!(annotations, ["why", "wf.internal/format", "wf.internal/summary"]);
        serde_json::from_value::<k8s_openapi::api::batch::v1::Job>(job).expect("it is a Job");
    }

    #[test]
    fn the_status_tells_the_truth_once() {
        let managed = Standing { is_managed: true, ..Standing::default() };
        let begun = Standing { has_begun: true, ..managed };
        let ended = Standing { has_ended: true, ..begun };
        let shown = |summary: &Summary, standing| {
            let Some(status) = status_patch(summary, standing) else { return "nothing".to_owned() };
            let conditions = status["conditions"].as_array().into_iter().flatten();
            let kinds: Vec<&str> = conditions.filter_map(|condition| condition["type"].as_str()).collect();
            format!("{} {} {}", status["startTime"], status["completionTime"], kinds.join("+"))
        };
        let (running, failed) = (summary("Running", Some(2_700), None), summary("Failed", Some(2_700), Some(9_100)));
        let succeeded = summary("Succeeded", Some(2_700), Some(9_100));
        let start = "\"1970-01-01T00:00:02Z\"";
        for (summary, standing, expected) in [
            (&summary("Pending", None, None), managed, "nothing".to_owned()),
            (&running, managed, format!("{start} null ")),
            (&running, begun, "nothing".to_owned()),
            (&succeeded, begun, format!("{start} \"1970-01-01T00:00:09Z\" SuccessCriteriaMet+Complete")),
            (&failed, begun, format!("{start} null FailureTarget+Failed")),
            (
                &summary("Error", None, Some(9_100)),
                managed,
                "\"1970-01-01T00:00:01Z\" null FailureTarget+Failed".to_owned(),
            ),
            (&failed, Standing::default(), format!("{start} null Failed")),
            (&succeeded, ended, "nothing".to_owned()),
        ] {
            assert_eq!(shown(summary, standing), expected, "{} {standing:?}", summary.phase);
        }
    }

    #[test]
    fn the_time_to_live_is_that_of_the_end() {
        let ttl = |completion: Option<i32>, success: Option<i32>, failure: Option<i32>| TTLStrategy {
            seconds_after_completion: completion,
            seconds_after_success: success,
            seconds_after_failure: failure,
        };
        for (ttl, phase, expected) in [
            (ttl(Some(1), Some(2), Some(3)), "Succeeded", Some(2)),
            (ttl(Some(1), Some(2), Some(3)), "Failed", Some(3)),
            (ttl(Some(1), Some(2), None), "Failed", Some(1)),
            (ttl(None, Some(2), None), "Failed", None),
            (ttl(Some(1), None, None), "Running", None),
            (ttl(Some(-5), None, Some(3)), "Error", Some(0)),
        ] {
            assert_eq!(seconds_to_live(Some(&ttl), &summary(phase, None, None), None), expected, "{phase}");
        }
        // A run that was retried lives as long after its second end.
        let again = summary("Succeeded", Some(1_000), Some(61_500));
        let seconds = seconds_to_live(Some(&ttl(Some(5), None, None)), &again, Some(Timestamp(1_000)));
        assert_eq!(seconds, Some(5 + 61));
    }

    #[test]
    fn a_summary_is_read_as_it_was_written_and_a_long_message_is_cut() {
        let mut long = summary("Running", Some(1), None);
        long.message = "é".repeat(MESSAGE_CHARS_MAX + 1);
        let patch = metadata_patch(7, &long);
        let text = patch["annotations"][names::SUMMARY].as_str().expect("a text").to_owned();
        let metadata = ObjectMeta {
            uid: Some("u".to_owned()),
            labels: Some([(names::KIND.to_owned(), KIND.to_owned())].into()),
            annotations: Some([(names::SUMMARY.to_owned(), text), (names::FORMAT.to_owned(), "2".to_owned())].into()),
            ..ObjectMeta::default()
        };
        let head = Head::read(&metadata).expect("it is one");
        assert_eq!((head.format, head.stored.as_ref().map(|stored| stored.records)), (Some(2), Some(7)));
        let read = head.summary(long.name.clone(), Timestamp(0));
        assert_eq!(read.message.chars().count(), MESSAGE_CHARS_MAX + 1);
        assert!(Head::read(&ObjectMeta::default()).is_none());
        let lost = ObjectMeta { annotations: None, ..metadata };
        let lost = Head::read(&lost).expect("it is one").summary(long.name.clone(), Timestamp(9));
        assert_eq!((lost.phase.as_str(), lost.created_at), ("Unknown", Timestamp(9)));
    }
}
