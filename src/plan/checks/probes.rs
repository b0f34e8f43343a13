//! Probes and handlers of containers: one way to ask each, and numbers that can be.
//!
//! Source: Kubernetes' `validateProbe`, `validateLifecycle`, `validateInitContainers`.

use serde_json::Value;

use super::containers::text;
use super::pods::{choice, error};
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;

const PROBES: [&str; 3] = ["livenessProbe", "readinessProbe", "startupProbe"];
const PROBE_HANDLERS: [&str; 4] = ["exec", "httpGet", "tcpSocket", "grpc"];
const HOOKS: [&str; 2] = ["postStart", "preStop"];
const HOOK_HANDLERS: [&str; 4] = ["exec", "httpGet", "tcpSocket", "sleep"];

/// Seconds and counts of a probe, and the least that each may be; 0 is what is absent.
const NUMBERS: [&str; 5] =
    ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"];

pub(super) fn check(container: &Value, place: &Place, problems: &mut Problems) {
    for key in PROBES {
        let Some(probe) = container.get(key).filter(|probe| probe.is_object()) else { continue };
        let place = place.key(key);
        one_handler(probe, key, &PROBE_HANDLERS, &place, problems);
        numbers(probe, key, &place, problems);
    }
    for key in HOOKS {
        let Some(hook) = container.pointer(&format!("/lifecycle/{key}")).filter(|hook| hook.is_object()) else {
            continue;
        };
        one_handler(hook, key, &HOOK_HANDLERS, &place.key("lifecycle").key(key), problems);
    }
}

/// An init container runs to its end before the others begin: unless it restarts, nobody can ask it anything.
pub(super) fn of_init_container(container: &Value, place: &Place, problems: &mut Problems) {
    if text(container, "restartPolicy") == "Always" {
        return;
    }
    for key in PROBES.into_iter().chain(["lifecycle"]) {
        if container.get(key).is_some_and(|value| !value.is_null()) {
            let problem = error(place.key(key), format!("an init container that ends cannot have `{key}`"));
            problems
                .push(problem.help("take it away, or write `restartPolicy: Always` if it goes on beside the others"));
        }
    }
}

fn one_handler(value: &Value, key: &str, handlers: &[&str], place: &Place, problems: &mut Problems) {
    let given: Vec<&str> =
        handlers.iter().copied().filter(|handler| value.get(*handler).is_some_and(|value| !value.is_null())).collect();
    if given.len() != 1 {
        let count = if given.is_empty() { "none".to_owned() } else { given.len().to_string() };
        let problem = error(place.clone(), format!("`{key}` has {count} of what it can do, not one"));
        problems.push(problem.help(format!("keep one of `{}`", handlers.join("`, `"))));
    }
    if let Some(request) = value.get("httpGet") {
        let place = place.down("httpGet.scheme");
        problems.extend(choice(text(request, "scheme"), &["HTTP", "HTTPS"], "a scheme", &place));
    }
}

fn numbers(probe: &Value, key: &str, place: &Place, problems: &mut Problems) {
    let number = |field: &str| probe.get(field).and_then(Value::as_i64);
    for field in NUMBERS {
        if number(field).is_some_and(|number| number < 0) {
            problems.push(error(place.key(field), format!("`{field}` is less than zero")));
        }
    }
    if key != "readinessProbe" && number("successThreshold").is_some_and(|number| number > 1) {
        let problem = error(place.key("successThreshold"), format!("`successThreshold` of a `{key}` can only be 1"));
        problems.push(problem.help("take it away"));
    }
}

/// Returns the problem of a field that only init containers can have.
pub(super) fn restart_policy(container: &Value, is_init: bool, place: &Place) -> Option<Problem> {
    let policy = text(container, "restartPolicy");
    let place = place.key("restartPolicy");
    if is_init {
        return choice(policy, &["Always"], "a restart policy of init containers", &place);
    }
    let problem = || error(place, "only init containers can have a `restartPolicy`");
    (!policy.is_empty()).then(|| problem().help("take it away; to try a template again, use `retryStrategy`"))
}
