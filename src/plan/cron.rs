//! What a CronWorkflow says beside its workflow.
//!
//! Source: `CronWorkflow` in `validate.go`; conditions are read as `workflow/cron/operator.go` does.

use std::ops::Range;

use super::problem::{Place, Problem};
use super::rules;
use crate::base::cron::{Schedule, zone};
use crate::expr::{TemplateStr, lang, when};
use crate::spec;

/// A CronWorkflow's runs are named after it and the time: 52 characters leave room for it in 63.
const NAME_BYTES_MAX: usize = 52;

const POLICIES: [&str; 3] = ["Allow", "Forbid", "Replace"];

/// Returns what is wrong with the schedule, the policy and the name. Places are those of the
/// document, not of the workflow in it.
pub(super) fn check(cron: &spec::CronWorkflow) -> Vec<Problem> {
    let mut problems = Vec::new();
    let spec = Place::root().key("spec");
    let name = cron.metadata.name.as_deref().unwrap_or_default();
    if name.len() > NAME_BYTES_MAX {
        let message =
            format!("the name has {} characters; at most {NAME_BYTES_MAX} leave room for the time", name.len());
        problems
            .push(Problem::error(rules::NAME_FORM, Place::root().down("metadata.name"), message).help("shorten it"));
    }
    if cron.spec.schedules.is_empty() && cron.spec.schedule.as_deref().unwrap_or_default().is_empty() {
        let problem = Problem::error(rules::CRON, spec.clone(), "the CronWorkflow has no schedule");
        problems.push(problem.help("add `schedules`, such as `[\"0 3 * * *\"]`"));
    }
    let schedules = cron.spec.schedules.iter().enumerate();
    let schedules = schedules.map(|(index, schedule)| (schedule, spec.key("schedules").index(index)));
    for (text, place) in schedules.chain(cron.spec.schedule.iter().map(|schedule| (schedule, spec.key("schedule")))) {
        problems.extend(schedule(text, &place));
    }
    problems.extend(cron.spec.timezone.as_deref().and_then(|zone| no_zone(zone, &spec.key("timezone"))));
    problems.extend(conditions(&cron.spec, &spec));
    let policy = cron.spec.concurrency_policy.as_deref().unwrap_or_default();
    if !policy.is_empty() && !POLICIES.contains(&policy) {
        let message = format!("`{policy}` is not a concurrency policy");
        problems.push(Problem::error(rules::CHOICE, spec.key("concurrencyPolicy"), message).suggest(policy, POLICIES));
    }
    problems.extend(negative(&cron.spec, &spec));
    problems
}

fn schedule(text: &str, place: &Place) -> Option<Problem> {
    let fault = match Schedule::parse(text) {
        Err(fault) => fault,
        Ok(schedule) if !schedule.comes() => {
            let message = format!("the schedule `{text}` never comes: no such month has such a day");
            return Some(Problem::warning(rules::CRON, place.clone(), message));
        }
        Ok(_) => return zone(text).and_then(|zone| no_zone(zone, place)),
    };
    let message = format!("`{text}` is not a schedule: {}", fault.message);
    let problem = Problem::error(rules::CRON, place.clone(), message);
    Some(Problem { help: fault.help, ..problem })
}

fn no_zone(name: &str, place: &Place) -> Option<Problem> {
    // Go takes no name for UTC.
    if name.is_empty() || jiff::tz::TimeZone::get(name).is_ok() {
        return None;
    }
    let problem = Problem::error(rules::CRON, place.clone(), format!("there is no time zone `{name}`"));
    Some(problem.help("use a name of the IANA database, such as `Europe/Berlin`"))
}

/// The conditions under which a run is submitted, or none is any more.
fn conditions(cron: &spec::CronWorkflowSpec, spec: &Place) -> Vec<Problem> {
    let mut problems = Vec::new();
    let text = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty() && !text.contains("{{"));
    if let Some(text) = text(&cron.when)
        && let Err(fault) = when::parse_as(&text, when::Names::Variables)
    {
        let message = format!("`when` cannot be read: {}", fault.message);
        problems.push(Problem::error(rules::WHEN_SYNTAX, spec.key("when"), message).within(fault.at));
    }
    if let Some(strategy) = &cron.stop_strategy {
        let place = spec.down("stopStrategy.expression");
        match lang::parse(&strategy.expression) {
            Err(fault) => {
                let message = format!("the expression cannot be read: {}", fault.message);
                problems.push(Problem::error(rules::EXPRESSION, place, message).within(fault.at));
            }
            Ok(expression) => {
                let named = expression.variables().iter().filter(|named| !named.guarded);
                problems.extend(named.filter_map(|named| unknown(&named.name, named.at.clone(), &place)));
            }
        }
    }
    let place = spec.key("when");
    match cron.when.as_deref().map(TemplateStr::parse_lenient) {
        Some(Ok(when)) => {
            problems.extend(when.variables().filter_map(|found| unknown(&found.name, found.at.clone(), &place)));
        }
        Some(Err(fault)) => problems.push(Problem::error(rules::TAG_SYNTAX, place, fault.message).within(fault.at)),
        None => {}
    }
    problems
}

/// What the conditions of a CronWorkflow know. Source: `getVariables` in `workflow/cron/operator.go`.
const VARIABLES: [&str; 9] = [
    "cronworkflow.name",
    "cronworkflow.namespace",
    "cronworkflow.labels",
    "cronworkflow.labels.json",
    "cronworkflow.annotations",
    "cronworkflow.annotations.json",
    "cronworkflow.lastScheduledTime",
    "cronworkflow.failed",
    "cronworkflow.succeeded",
];

fn unknown(name: &str, at: Range<usize>, place: &Place) -> Option<Problem> {
    let is_entry = ["cronworkflow.labels.", "cronworkflow.annotations."].iter().any(|root| name.starts_with(root));
    // Older releases know the two counts by their bare names.
    let is_known = VARIABLES.contains(&name) || is_entry || ["cronworkflow", "failed", "succeeded"].contains(&name);
    let message = || format!("there is no `{name}` in the conditions of a CronWorkflow");
    let problem = || Problem::error(rules::VARIABLE, place.clone(), message()).within(at);
    (!is_known).then(|| problem().suggest(name, VARIABLES))
}

fn negative(cron: &spec::CronWorkflowSpec, spec: &Place) -> Vec<Problem> {
    let numbers = [
        ("startingDeadlineSeconds", cron.starting_deadline_seconds),
        ("successfulJobsHistoryLimit", cron.successful_jobs_history_limit.map(i64::from)),
        ("failedJobsHistoryLimit", cron.failed_jobs_history_limit.map(i64::from)),
    ];
    let negative = numbers.into_iter().filter(|(_, number)| number.is_some_and(|number| number < 0));
    negative
        .map(|(field, _)| Problem::error(rules::CRON, spec.key(field), format!("`{field}` is less than zero")))
        .collect()
}
