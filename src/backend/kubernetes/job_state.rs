//! What a Job says of itself: the second witness of a node's end. Pure.

use super::due::Due;
use super::job::MANAGED_BY;
use super::kinds::{Job, JobSpec};
use super::names;
use super::track::JobState;
use crate::base::NodeIx;

/// What is known of one Job.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct JobFacts {
    /// The node whose Job it is.
    pub node: NodeIx,
    /// What it says.
    pub state: JobState,
    /// What its pod is to hand out.
    pub due: Due,
    /// Whether a driver makes its pods.
    pub is_managed: bool,
}

/// Returns what `job` says; nothing of a Job that is no node's.
pub(super) fn facts(job: &Job) -> Option<JobFacts> {
    let node = job.metadata.labels.as_ref()?.get(names::NODE)?.parse().ok().map(NodeIx)?;
    let is_managed = job.spec.as_ref().is_some_and(is_managed);
    Some(JobFacts { node, state: state(job), due: Due::read(job.metadata.annotations.as_ref()), is_managed })
}

/// Returns whether the server kept our word that a driver makes the pods.
pub(super) fn is_managed(spec: &JobSpec) -> bool {
    spec.managed_by.as_deref() == Some(MANAGED_BY)
}

/// Returns whether a Job has ended, however.
pub(super) fn has_ended(job: &Job) -> bool {
    state(job).has_ended()
}

fn state(job: &Job) -> JobState {
    let conditions = || job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let holds = |word: &str| conditions().find(|condition| condition.type_ == word && condition.status == "True");
    if holds("Complete").is_some() {
        return JobState::Complete;
    }
    match holds("Failed") {
        Some(failed) => {
            let reason = failed.reason.as_deref().unwrap_or("Failed");
            JobState::Failed(match failed.message.as_deref().filter(|message| !message.is_empty()) {
                Some(message) => format!("{reason}: {message}"),
                None => reason.to_owned(),
            })
        }
        None => JobState::Active,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_end_of_a_job_is_its_condition() {
        let job = |conditions: Value| -> Job {
            let metadata = json!({ "labels": { "wf.internal/node": "3" }, "annotations": { "wf.internal/due": "{\"result\":true}" } });
            serde_json::from_value(json!({ "metadata": metadata, "status": { "conditions": conditions } }))
                .expect("a Job")
        };
        let condition = |word: &str| json!({ "type": word, "status": "True", "reason": "R", "message": "m" });
        for (conditions, expected) in [
            (json!([]), JobState::Active),
            (json!([condition("SuccessCriteriaMet")]), JobState::Active),
            (json!([condition("FailureTarget"), condition("Failed")]), JobState::Failed("R: m".to_owned())),
            (json!([condition("SuccessCriteriaMet"), condition("Complete")]), JobState::Complete),
        ] {
            let facts = facts(&job(conditions.clone())).expect("a node's Job");
            assert_eq!(facts.state, expected, "{conditions}");
            assert_eq!((facts.node, facts.due.result), (NodeIx(3), true));
        }
    }
}
