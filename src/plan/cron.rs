//! What a CronWorkflow says beside its workflow.
//!
//! Source: `CronWorkflow` in `validate.go`. Schedules and time zones are read where they are used.

use super::problem::{Place, Problem};
use super::rules;
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
    for (schedule, place) in schedules.chain(cron.spec.schedule.iter().map(|schedule| (schedule, spec.key("schedule"))))
    {
        if !has_form(schedule) {
            let message = format!("`{schedule}` is not a schedule: it has not five fields");
            problems.push(Problem::error(rules::CRON, place, message));
        }
    }
    let policy = cron.spec.concurrency_policy.as_deref().unwrap_or_default();
    if !policy.is_empty() && !POLICIES.contains(&policy) {
        let message = format!("`{policy}` is not a concurrency policy");
        problems.push(Problem::error(rules::CHOICE, spec.key("concurrencyPolicy"), message).suggest(policy, POLICIES));
    }
    if cron.spec.starting_deadline_seconds.is_some_and(|seconds| seconds < 0) {
        let message = "`startingDeadlineSeconds` is less than zero";
        problems.push(Problem::error(rules::CRON, spec.key("startingDeadlineSeconds"), message));
    }
    problems
}

/// Returns whether a schedule has five fields, or is one of cron's words.
fn has_form(schedule: &str) -> bool {
    let schedule = match schedule.strip_prefix("TZ=").or_else(|| schedule.strip_prefix("CRON_TZ=")) {
        Some(zoned) => zoned.split_once(' ').map_or("", |(_, schedule)| schedule),
        None => schedule,
    };
    schedule.starts_with('@') || schedule.split_whitespace().count() == 5
}
