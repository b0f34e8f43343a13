//! Retries: numbers and durations that can be read.
//!
//! Source: `validateTemplateHolder` for the policy; the rest Argo finds only when the first
//! attempt has failed (`processNodeRetries`).

use super::Checked;
use super::fields::duration;
use crate::base::TimeSpan;
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::plan::rules;
use crate::spec;

const POLICIES: [&str; 4] = ["Always", "OnError", "OnFailure", "OnTransientError"];

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    let spec = &checked.draft.resolved.spec;
    if let Some(strategy) = &spec.retry_strategy {
        of_strategy(strategy, &Place::root().key("spec").key("retryStrategy"), problems);
    }
    let defaults = spec.template_defaults.as_ref().and_then(|defaults| defaults.retry_strategy.as_ref());
    if let Some(strategy) = defaults {
        of_strategy(strategy, &Place::root().down("spec.templateDefaults.retryStrategy"), problems);
    }
    for template in &checked.draft.templates {
        if let Some(strategy) = template.spec.retry_strategy.as_ref().filter(|strategy| Some(*strategy) != defaults) {
            of_strategy(strategy, &template.place.key("retryStrategy"), problems);
        }
        let set = template.spec.container_set.as_ref();
        if let Some(strategy) = set.and_then(|set| set.retry_strategy.as_ref()) {
            of_set(strategy, &template.place.key("containerSet").key("retryStrategy"), problems);
        }
    }
}

fn of_strategy(strategy: &spec::RetryStrategy, place: &Place, problems: &mut Problems) {
    let policy = strategy.retry_policy.as_deref().unwrap_or_default();
    if !policy.is_empty() && !policy.contains("{{") && !POLICIES.contains(&policy) {
        let message = format!("`{policy}` is not a retry policy");
        problems.push(Problem::error(rules::CHOICE, place.key("retryPolicy"), message).suggest(policy, POLICIES));
    }
    problems.extend(no_number(strategy.limit.as_ref(), "limit", place));
    if strategy.limit.as_ref().is_some_and(|limit| limit.as_text().parse::<i32>().is_ok_and(|limit| limit < 0)) {
        let message = "`limit` is less than zero, so that nothing is tried again";
        problems.push(Problem::warning(rules::RETRY_EFFECT, place.key("limit"), message));
    }
    if let Some(backoff) = &strategy.backoff {
        let place = place.key("backoff");
        problems.extend(no_number(backoff.factor.as_ref(), "factor", &place));
        for (field, text) in
            [("duration", &backoff.duration), ("maxDuration", &backoff.max_duration), ("cap", &backoff.cap)]
        {
            problems.extend(duration(text.as_deref(), &place.key(field)));
        }
        problems.extend(no_effect(strategy, backoff, &place));
        if backoff.duration.as_deref().unwrap_or_default().is_empty() {
            let problem = Problem::error(rules::RETRY, place, "`backoff` does not say how long to wait");
            problems.push(problem.help("add `duration`"));
        }
    }
}

/// The strategy of a set is followed within its pod, and a pod that cannot follow it does not start. Source:
/// `ContainerSetTemplate.GetRetryStrategy`.
fn of_set(strategy: &spec::ContainerSetRetryStrategy, place: &Place, problems: &mut Problems) {
    let retries = strategy.retries.as_ref();
    problems.extend(no_number(retries, "retries", place));
    if retries.is_some_and(|retries| retries.as_text().parse::<i32>().is_ok_and(|retries| retries < 0)) {
        problems.push(Problem::error(rules::RETRY, place.key("retries"), "`retries` is less than zero"));
    }
    let duration = strategy.duration.as_deref().filter(|text| !text.is_empty() && !text.contains("{{"));
    if let Some(text) = duration.filter(|text| TimeSpan::parse_go(text).is_none()) {
        let message = format!("`{text}` is not a duration in Go's form");
        let problem = Problem::error(rules::DURATION, place.key("duration"), message);
        problems.push(problem.help("give each number its unit: `1m30s`"));
    }
}

/// Numbers that can be read and do not do what they say. Source: `processNodeRetries`, which waits only
/// where there is a limit, and gives up where a wait would pass `maxDuration`.
fn no_effect(strategy: &spec::RetryStrategy, backoff: &spec::Backoff, place: &Place) -> Option<Problem> {
    let span = |text: &Option<String>| text.as_deref().and_then(|text| TimeSpan::parse(text).ok());
    let warning = |place: Place, message: &str| Problem::warning(rules::RETRY_EFFECT, place, message);
    if let Some(factor) = backoff.factor.as_ref().and_then(|factor| factor.as_text().parse::<i32>().ok())
        && factor <= 0
    {
        let message = format!("`factor` is {factor}, so that each wait is as long as the first");
        return Some(
            warning(place.key("factor"), &message)
                .help("leave it out, or give the number that each wait is multiplied by"),
        );
    }
    let (duration, most) = (span(&backoff.duration)?, span(&backoff.max_duration));
    if strategy.limit.is_none() && duration > TimeSpan::ZERO {
        let message = "without a `limit`, Argo does not wait between the attempts";
        return Some(warning(place.key("duration"), message).help("add `limit` to `retryStrategy`"));
    }
    if most == Some(TimeSpan::ZERO) {
        let message = "`maxDuration` is zero, so that nothing is ever tried again";
        return Some(warning(place.key("maxDuration"), message));
    }
    if most.is_some_and(|most| most < duration) {
        let message = "`maxDuration` is shorter than the first wait, so that nothing is ever tried again";
        return Some(warning(place.key("maxDuration"), message).also(place.key("duration"), "the first wait"));
    }
    if span(&backoff.cap).is_some_and(|cap| cap < duration) {
        let message = "`cap` is shorter than `duration`, which has no effect then";
        return Some(warning(place.key("cap"), message).also(place.key("duration"), "the first wait"));
    }
    None
}

fn no_number(number: Option<&spec::IntOrString>, field: &str, place: &Place) -> Option<Problem> {
    let text = number?.as_text();
    if text.contains("{{") || text.parse::<i32>().is_ok() {
        return None;
    }
    let message = format!("`{field}` is `{text}`, which is no whole number");
    Some(Problem::error(rules::RETRY, place.key(field), message))
}
