//! Managed mode: this process, not the Job controller, makes the pods of a Job and says how it ended.
//! Pure.
//!
//! The controller's own client lets it start nine pods a second. A pod made here has a name that
//! follows from the Job and the number of pods before it, so that a second one is refused by the
//! server. Only a Job whose server kept `managedBy` is treated so.

use serde_json::{Value, json};

use crate::base::Timestamp;
use crate::engine::Phase;

/// Returns the pod of a Job: the one after `before` others. `uid` is the Job's.
pub(super) fn pod(job: &Value, uid: &str, before: u32) -> Value {
    let name = job["metadata"]["name"].as_str().unwrap_or_default();
    let template = &job["spec"]["template"];
    let mut metadata = template["metadata"].clone();
    metadata["name"] = format!("{name}-{before}").into();
    // What the Job controller would set: the Job's selector, and with it `kubectl logs job/NAME`, finds its pods.
    metadata["labels"]["batch.kubernetes.io/controller-uid"] = uid.into();
    metadata["labels"]["batch.kubernetes.io/job-name"] = name.into();
    metadata["ownerReferences"] = json!([{
        "apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": uid, "controller": true,
    }]);
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"] })
}

/// Returns the number that [`pod`] gave to a pod of that name: how many the Job had before.
pub(super) fn number(pod: &str) -> Option<u32> {
    pod.rsplit_once('-')?.1.parse().ok()
}

/// Returns the status of a Job that has ended at `at`: what `kubectl get jobs` shows and
/// `kubectl wait` waits for. Each end has two conditions, of which the first announces the second.
pub(super) fn status(phase: Phase, message: &str, started_at: Option<Timestamp>, at: Timestamp) -> Value {
    let words = match phase {
        Phase::Succeeded => ["SuccessCriteriaMet", "Complete"],
        _ => ["FailureTarget", "Failed"],
    };
    let reason = if phase == Phase::Succeeded { "CompletionsReached" } else { "PodFailed" };
    let time = at.rfc3339();
    let condition = |word: &str| {
        json!({
            "type": word, "status": "True", "reason": reason, "message": message,
            "lastProbeTime": time, "lastTransitionTime": time,
        })
    };
    let mut status = json!({
        "startTime": started_at.unwrap_or(at).min(at).rfc3339(),
        "conditions": words.map(condition),
        "active": 0, "ready": 0, "terminating": 0,
    });
    match phase {
        Phase::Succeeded => {
            status["succeeded"] = 1.into();
            status["completionTime"] = time.into();
        }
        _ => status["failed"] = 1.into(),
    }
    json!({ "status": status })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_managed_pod_is_its_jobs() {
        let job = json!({
            "metadata": { "name": "hello-abc" },
            "spec": { "template": { "metadata": { "labels": { "a": "b" } }, "spec": { "containers": [] } } },
        });
        let pod = pod(&job, "u1", 2);
        assert_eq!(pod["metadata"]["name"], "hello-abc-2");
        assert_eq!(number("hello-abc-2"), Some(2));
        assert_eq!(pod["metadata"]["labels"]["a"], "b");
        assert_eq!(pod["metadata"]["labels"]["batch.kubernetes.io/controller-uid"], "u1");
        assert_eq!(pod["metadata"]["ownerReferences"][0]["uid"], "u1");
        assert_eq!(pod["spec"], json!({ "containers": [] }));
    }

    #[test]
    fn an_end_has_its_conditions() {
        let shown = |phase| {
            let status = status(phase, "m", Some(Timestamp(1000)), Timestamp(2000));
            let words = status["status"]["conditions"].as_array().expect("a list").iter();
            let words: Vec<_> = words.map(|condition| condition["type"].as_str().expect("a text").to_owned()).collect();
            (words.join(" "), status["status"]["completionTime"].as_str().map(str::to_owned))
        };
        assert_eq!(
            shown(Phase::Succeeded),
            ("SuccessCriteriaMet Complete".to_owned(), Some("1970-01-01T00:00:02Z".to_owned()))
        );
        assert_eq!(shown(Phase::Error), ("FailureTarget Failed".to_owned(), None));
    }
}
