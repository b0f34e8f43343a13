//! Retries: numbers and durations that can be read.
//!
//! Source: `validateTemplateHolder` for the policy; the rest Argo finds only when the first
//! attempt has failed (`processNodeRetries`).

use super::Checked;
use super::fields::duration;
use crate::plan::problem::{Place, Problem};
use crate::plan::rules;
use crate::spec;

const POLICIES: [&str; 4] = ["Always", "OnError", "OnFailure", "OnTransientError"];

pub(super) fn check(checked: &Checked<'_>, problems: &mut Vec<Problem>) {
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
    }
}

fn of_strategy(strategy: &spec::RetryStrategy, place: &Place, problems: &mut Vec<Problem>) {
    let policy = strategy.retry_policy.as_deref().unwrap_or_default();
    if !policy.is_empty() && !policy.contains("{{") && !POLICIES.contains(&policy) {
        let message = format!("`{policy}` is not a retry policy");
        problems.push(Problem::error(rules::CHOICE, place.key("retryPolicy"), message).suggest(policy, POLICIES));
    }
    problems.extend(no_number(strategy.limit.as_ref(), "limit", place));
    if let Some(backoff) = &strategy.backoff {
        let place = place.key("backoff");
        problems.extend(no_number(backoff.factor.as_ref(), "factor", &place));
        for (field, text) in
            [("duration", &backoff.duration), ("maxDuration", &backoff.max_duration), ("cap", &backoff.cap)]
        {
            problems.extend(duration(text.as_deref(), &place.key(field)));
        }
        if backoff.duration.as_deref().unwrap_or_default().is_empty() {
            let problem = Problem::error(rules::RETRY, place, "`backoff` does not say how long to wait");
            problems.push(problem.help("add `duration`"));
        }
    }
}

fn no_number(number: Option<&spec::IntOrString>, field: &str, place: &Place) -> Option<Problem> {
    let text = number?.as_text();
    if text.contains("{{") || text.parse::<i32>().is_ok() {
        return None;
    }
    let message = format!("`{field}` is `{text}`, which is no whole number");
    Some(Problem::error(rules::RETRY, place.key(field), message))
}
