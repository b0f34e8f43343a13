//! Words of a fixed set, and numbers with a least value, in what a workflow says of its own life: clean-up,
//! artifacts, deadlines.
//!
//! Source: the `kubebuilder:validation:Enum` marks of Argo's types, and the places that read them. Argo's own
//! lint looks at few of them, and what it does not know has no effect when the workflow runs.

use super::fields::duration;
use super::{Checked, given};
use crate::plan::model::Template;
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::plan::rules;
use crate::spec;

const CLAIM_GC: [&str; 2] = ["OnWorkflowCompletion", "OnWorkflowSuccess"];
const ARTIFACT_GC: [&str; 3] = ["OnWorkflowCompletion", "OnWorkflowDeletion", "Never"];
const SHUTDOWN: [&str; 2] = ["Stop", "Terminate"];
const MERGES: [&str; 3] = ["strategic", "merge", "json"];

/// Bits that the mode of an artifact's files may have.
const MODE_MAX: i32 = 0o777;

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    let spec = &checked.draft.resolved.spec;
    of_workflow(spec, &Place::root().key("spec"), problems);
    for template in &checked.draft.templates {
        of_template(template, problems);
    }
}

fn choice(word: Option<&str>, known: &[&str], what: &str, place: Place) -> Option<Problem> {
    let word = given(word).filter(|word| !word.contains("{{") && !known.contains(word))?;
    let problem = Problem::error(rules::CHOICE, place, format!("`{word}` is not {what}"));
    Some(problem.suggest(word, known.iter().copied()))
}

fn of_workflow(spec: &spec::WorkflowSpec, place: &Place, problems: &mut Problems) {
    let claims = spec.volume_claim_gc.as_ref().and_then(|gc| gc.strategy.as_deref());
    problems.extend(choice(claims, &CLAIM_GC, "a time to delete claims", place.down("volumeClaimGC.strategy")));
    let artifacts = spec.artifact_gc.as_ref().and_then(|gc| gc.policy.strategy.as_deref());
    problems.extend(choice(artifacts, &ARTIFACT_GC, "a time to delete artifacts", place.down("artifactGC.strategy")));
    problems.extend(choice(spec.shutdown.as_deref(), &SHUTDOWN, "a way to shut down", place.key("shutdown")));
    let delay = spec.pod_gc.as_ref().and_then(|gc| gc.delete_delay_duration.as_deref());
    problems.extend(duration(delay, &place.down("podGC.deleteDelayDuration")));
    let ttl = spec.ttl_strategy.as_ref();
    let seconds = [
        ("ttlStrategy.secondsAfterCompletion", ttl.and_then(|ttl| ttl.seconds_after_completion)),
        ("ttlStrategy.secondsAfterSuccess", ttl.and_then(|ttl| ttl.seconds_after_success)),
        ("ttlStrategy.secondsAfterFailure", ttl.and_then(|ttl| ttl.seconds_after_failure)),
    ];
    for (field, seconds) in seconds {
        if seconds.is_some_and(|seconds| seconds < 0) {
            let message = format!("`{field}` is less than zero");
            problems.push(Problem::error(rules::DURATION, place.down(field), message));
        }
    }
    if spec.active_deadline_seconds.is_some_and(|seconds| seconds < 0) {
        let place = place.key("activeDeadlineSeconds");
        problems.push(Problem::error(rules::DURATION, place, "`activeDeadlineSeconds` is less than zero"));
    }
    problems.extend(no_places(spec.parallelism, place));
    if let Some(budget) = &spec.pod_disruption_budget {
        let has = |key: &str| budget.get(key).is_some_and(|value| !value.is_null());
        if has("minAvailable") && has("maxUnavailable") {
            let place = place.key("podDisruptionBudget");
            let message = "a disruption budget has both `minAvailable` and `maxUnavailable`";
            let problem = Problem::error(rules::POD, place.key("maxUnavailable"), message);
            problems
                .push(problem.also(place.key("minAvailable"), "the other is here").help("keep the one that is meant"));
        }
    }
}

/// Returns the problem of a bound that lets nothing run.
fn no_places(parallelism: Option<i64>, place: &Place) -> Option<Problem> {
    let places = parallelism.filter(|places| *places < 0)?;
    let message = format!("`parallelism` is `{places}`, and nothing can run");
    Some(Problem::error(rules::CHOICE, place.key("parallelism"), message).help("name how many may run at one time"))
}

fn of_template(template: &Template, problems: &mut Problems) {
    let (spec, place) = (&template.spec, &template.place);
    let merge = spec.resource.as_ref().and_then(|resource| resource.merge_strategy.as_deref());
    problems.extend(choice(merge, &MERGES, "a way to merge", place.down("resource.mergeStrategy")));
    problems.extend(no_places(spec.parallelism, place));
    let inputs = spec.inputs.iter().flat_map(|inputs| &inputs.artifacts).enumerate();
    inputs.for_each(|(index, artifact)| of_artifact(artifact, &place.down("inputs.artifacts").index(index), problems));
    let outputs = spec.outputs.iter().flat_map(|outputs| &outputs.artifacts).enumerate();
    outputs
        .for_each(|(index, artifact)| of_artifact(artifact, &place.down("outputs.artifacts").index(index), problems));
    for (index, header) in spec.http.iter().flat_map(|http| &http.headers).enumerate() {
        let place = place.down("http.headers").index(index);
        if header.value.is_some() && header.value_from.is_some() {
            let message = format!("the header `{}` has both `value` and `valueFrom`", header.name);
            let problem = Problem::error(rules::HTTP, place.key("valueFrom"), message);
            problems.push(problem.also(place.key("value"), "`value` is here").help("keep the one that is meant"));
        }
        if header.name.is_empty() {
            problems.push(Problem::error(rules::HTTP, place, "a header has no name").help("add `name`"));
        }
    }
}

fn of_artifact(artifact: &spec::Artifact, place: &Place, problems: &mut Problems) {
    let gc = artifact.artifact_gc.as_ref().and_then(|gc| gc.strategy.as_deref());
    problems.extend(choice(gc, &ARTIFACT_GC, "a time to delete artifacts", place.down("artifactGC.strategy")));
    if artifact.mode.is_some_and(|mode| !(0..=MODE_MAX).contains(&mode)) {
        let message =
            format!("the mode of the artifact `{}` is no mode of a file: modes go from 0 to 0777", artifact.name);
        problems.push(Problem::error(rules::CHOICE, place.key("mode"), message));
    }
    let Some(archive) = &artifact.archive else { return };
    let given = [("none", archive.none.is_some()), ("tar", archive.tar.is_some()), ("zip", archive.zip.is_some())];
    let mut given = given.into_iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name);
    if let (Some(first), Some(second)) = (given.next(), given.next()) {
        let place = place.key("archive");
        let message = format!("the artifact `{}` is packed as both `{first}` and `{second}`", artifact.name);
        let problem = Problem::error(rules::CHOICE, place.key(second), message);
        problems.push(problem.also(place.key(first), "the other is here").help("keep the one that is meant"));
    }
}
