//! Fields that only some templates use, and their values.
//!
//! Source: `validateTemplate`, `validateNonLeaf`, `validateLeaf`, `validatePodResources`.

use serde_json::Value;

use super::{Checked, given, title};
use crate::base::TimeSpan;
use crate::plan::kinds::{is_leaf, is_pod};
use crate::plan::model::{Body, Template};
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::plan::rules;
use crate::source::Segment;

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    for template in &checked.draft.templates {
        let mut found = Problems::default();
        deadline(template, &mut found);
        timeouts(template, &mut found);
        found.extend(parallelism(template));
        found.extend(resource_claims(template));
        let found = found.into_vec();
        // Defaults are meant for those templates that use them.
        problems.extend(
            found.into_iter().filter(|problem| problem.rule != rules::FIELD_UNUSED || !is_default(checked, problem)),
        );
        problems.extend(suspension(template));
        memoize(template, problems);
        own_resources(template, problems);
    }
}

/// Returns whether the field that a problem is about is one of `templateDefaults`.
fn is_default(checked: &Checked<'_>, problem: &Problem) -> bool {
    let Some(defaults) = checked.draft.resolved.spec.template_defaults.as_deref() else { return false };
    let is = |key: &str| problem.place.path.last() == Some(&Segment::Key(key.into()));
    (defaults.timeout.is_some() && is("timeout"))
        || (defaults.pending_timeout.is_some() && is("pendingTimeout"))
        || (defaults.active_deadline_seconds.is_some() && is("activeDeadlineSeconds"))
        || (defaults.parallelism.is_some() && is("parallelism"))
        || (!defaults.resource_claims.is_empty() && is("resourceClaims"))
}

/// Returns the problem of a field that the template's type does not use.
fn unused(template: &Template, field: &str, only: &str) -> Problem {
    let message = format!("`{field}` of {} has no effect: only {only} have it", title(template));
    Problem::error(rules::FIELD_UNUSED, template.place.key(field), message).help(format!("take `{field}` away"))
}

fn is_graph(template: &Template) -> bool {
    matches!(template.body, Body::Steps(_) | Body::Dag(_))
}

fn deadline(template: &Template, problems: &mut Problems) {
    let Some(seconds) = &template.spec.active_deadline_seconds else { return };
    if is_graph(template) {
        problems.push(unused(template, "activeDeadlineSeconds", "templates that run something themselves"));
        return;
    }
    let text = seconds.as_text();
    let has_tag = text.starts_with("{{") && text.ends_with("}}");
    if !has_tag && !text.parse::<i64>().is_ok_and(|seconds| seconds >= 0) {
        let message = format!("`activeDeadlineSeconds` is `{text}`, which is no number of seconds");
        problems.push(Problem::error(rules::DURATION, template.place.key("activeDeadlineSeconds"), message));
    }
}

fn timeouts(template: &Template, problems: &mut Problems) {
    let only = "templates that run something themselves";
    for (field, text) in [("timeout", &template.spec.timeout), ("pendingTimeout", &template.spec.pending_timeout)] {
        let Some(text) = given(text.as_deref()) else { continue };
        let place = template.place.key(field);
        if !is_leaf(&template.spec) {
            problems.push(unused(template, field, only));
        } else if field == "timeout" && text.parse::<i64>().is_ok() {
            let problem = Problem::error(rules::DURATION, place, format!("`timeout` is `{text}`, which has no unit"));
            problems.push(problem.help(format!("write `{text}s`")).mend(text, format!("{text}s")));
        } else {
            problems.extend(duration(Some(text), &place));
        }
    }
}

/// Returns what is wrong with a duration, unless it has tags.
pub(super) fn duration(text: Option<&str>, place: &Place) -> Option<Problem> {
    let text = given(text).filter(|text| !text.contains("{{"))?;
    let fault = TimeSpan::parse(text).err()?;
    Some(Problem::error(rules::DURATION, place.clone(), fault.to_string()))
}

fn parallelism(template: &Template) -> Option<Problem> {
    (template.spec.parallelism.is_some() && !is_graph(template))
        .then(|| unused(template, "parallelism", "steps and DAGs"))
}

fn resource_claims(template: &Template) -> Option<Problem> {
    let unused_claims = !template.spec.resource_claims.is_empty() && !is_pod(&template.spec);
    unused_claims.then(|| unused(template, "resourceClaims", "templates that run a pod"))
}

fn suspension(template: &Template) -> Option<Problem> {
    let duration_text = template.spec.suspend.as_ref()?.duration.as_deref();
    duration(duration_text, &template.place.key("suspend").key("duration"))
}

/// Source: `workflow/controller/cache`.
fn memoize(template: &Template, problems: &mut Problems) {
    let Some(memoize) = &template.spec.memoize else { return };
    let place = template.place.key("memoize");
    let key = memoize.key.as_str();
    let word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let is_key = key.starts_with(|c: char| c.is_ascii_alphanumeric()) && key.chars().all(word);
    if !is_key && !key.contains("{{") {
        let message = format!("Argo refuses `{key}` as the key of a cache entry");
        let problem = Problem::warning(rules::MEMOIZE, place.key("key"), message);
        problems.push(problem.help("use letters, digits and `-`, beginning with a letter or a digit"));
    }
    problems.extend(duration(given(Some(&memoize.max_age)), &place.key("maxAge")));
    let cache = memoize.cache.as_ref().and_then(|cache| cache.config_map.as_ref()).and_then(|map| map.name.as_deref());
    if given(cache).is_none() {
        let problem = Problem::warning(rules::MEMOIZE, place, "nothing is remembered: there is no cache");
        problems.push(problem.help("name a ConfigMap: `cache: {configMap: {name: …}}`"));
    }
}

fn own_resources(template: &Template, problems: &mut Problems) {
    let Some(resources) = &template.spec.pod_resources else { return };
    if matches!(template.body, Body::Http | Body::Plugin) {
        problems.push(unused(template, "podResources", "templates that run a pod of their own"));
    } else {
        problems.extend(pod_resources(resources, &template.place.key("podResources")));
    }
}

/// Returns what is wrong with the resources of a whole pod.
pub(super) fn pod_resources(resources: &Value, place: &Place) -> Option<Problem> {
    let has_claims = resources.get("claims").and_then(Value::as_array).is_some_and(|claims| !claims.is_empty());
    if has_claims {
        let message = "the resources of a whole pod cannot have claims";
        return Some(Problem::error(rules::POD_RESOURCES, place.key("claims"), message));
    }
    let allowed = |name: &str| name == "cpu" || name == "memory" || name.starts_with("hugepages-");
    let names = ["limits", "requests"].into_iter().flat_map(|kind| {
        let names = resources.get(kind).and_then(Value::as_object).into_iter().flat_map(|names| names.keys());
        names.map(move |name| (kind, name))
    });
    let (kind, name) = names.into_iter().find(|(_, name)| !allowed(name))?;
    let message = format!("`{name}` is nothing that a whole pod can have");
    let problem = Problem::error(rules::POD_RESOURCES, place.key(kind).key(name), message);
    Some(problem.help("a whole pod can have `cpu`, `memory` and `hugepages-*`"))
}
