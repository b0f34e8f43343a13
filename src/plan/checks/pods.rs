//! Containers that decode, and that the API server refuses all the same.
//!
//! Source: Kubernetes' `pkg/apis/core/validation`: `validateContainers` and below. Argo passes them on, and
//! the node fails when its pod is created. What has tags is left alone.

use std::collections::BTreeMap;

use serde_json::Value;

use super::containers::{containers, list, text};
use super::{Checked, probes, title, volumes};
use crate::base::quantity::amount;
use crate::plan::model::Template;
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::plan::rules;
use crate::source::Segment;

const PULL_POLICIES: [&str; 3] = ["Always", "IfNotPresent", "Never"];
const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];
const MESSAGE_POLICIES: [&str; 2] = ["File", "FallbackToLogsOnError"];
const SECCOMP_PROFILES: [&str; 3] = ["RuntimeDefault", "Unconfined", "Localhost"];
const VALUE_SOURCES: [&str; 5] = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"];

/// What of a pod a variable may hold, beside its labels and annotations.
const FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// Bytes of a port's name.
const PORT_NAME_BYTES_MAX: usize = 15;

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    for template in &checked.draft.templates {
        for (container, place) in containers(template) {
            of_container(container, &place, problems);
        }
        names_once(template, problems);
    }
}

/// Returns a problem of a part of a pod.
pub(super) fn error(place: Place, message: impl Into<String>) -> Problem {
    Problem::error(rules::POD, place, message)
}

/// Returns the problem of a word that is none of those that are known.
pub(super) fn choice(word: &str, known: &[&str], what: &str, place: &Place) -> Option<Problem> {
    let is_fine = word.is_empty() || word.contains("{{") || known.contains(&word);
    (!is_fine).then(|| error(place.clone(), format!("`{word}` is not {what}")).suggest(word, known.iter().copied()))
}

fn of_container(container: &Value, place: &Place, problems: &mut Problems) {
    let policy = text(container, "imagePullPolicy");
    problems.extend(choice(policy, &PULL_POLICIES, "a pull policy", &place.key("imagePullPolicy")));
    let policy = text(container, "terminationMessagePolicy");
    let what = "a policy of termination messages";
    problems.extend(choice(policy, &MESSAGE_POLICIES, what, &place.key("terminationMessagePolicy")));
    problems.extend(volumes::bad_name(text(container, "name"), "a container", place));
    let is_init = place.path.segments().contains(&&Segment::Key("initContainers".into()));
    problems.extend(probes::restart_policy(container, is_init, place));
    if is_init {
        probes::of_init_container(container, place, problems);
    }
    ports(container, place, problems);
    volumes::mounts(container, place, problems);
    environment(container, place, problems);
    probes::check(container, place, problems);
    privileges(container, place, problems);
    requests(container, place, problems);
}

fn ports(container: &Value, place: &Place, problems: &mut Problems) {
    let mut seen: BTreeMap<&str, Place> = BTreeMap::new();
    for (index, port) in list(container, "ports").iter().enumerate() {
        let place = place.key("ports").index(index);
        problems.extend(choice(text(port, "protocol"), &PROTOCOLS, "a protocol of ports", &place.key("protocol")));
        for key in ["containerPort", "hostPort"] {
            let Some(number) = port.get(key).and_then(Value::as_i64) else { continue };
            if !(1..=65535).contains(&number) {
                problems.push(error(place.key(key), format!("`{number}` is no port: ports go from 1 to 65535")));
            }
        }
        let name = text(port, "name");
        if name.is_empty() || name.contains("{{") {
            continue;
        }
        if !is_port_name(name) {
            let message = format!("`{name}` cannot be the name of a port: small letters, digits and `-`, at most 15");
            problems.push(error(place.key("name"), message));
        }
        if let Some(first) = seen.get(name) {
            let problem = error(place.key("name"), format!("two ports of one container are named `{name}`"));
            problems.push(problem.also(first.clone(), "the first is here"));
        }
        seen.entry(name).or_insert(place.key("name"));
    }
}

/// Source: `IsValidPortName`.
fn is_port_name(name: &str) -> bool {
    let is_known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.len() <= PORT_NAME_BYTES_MAX
        && name.chars().all(is_known)
        && name.contains(|c: char| c.is_ascii_lowercase())
        && !name.contains("--")
        && !name.starts_with('-')
        && !name.ends_with('-')
}

fn environment(container: &Value, place: &Place, problems: &mut Problems) {
    for (index, variable) in list(container, "env").iter().enumerate() {
        let place = place.key("env").index(index);
        let name = text(variable, "name");
        if name.contains('=') && !name.contains("{{") {
            problems
                .push(error(place.key("name"), format!("`{name}` cannot be the name of a variable: it contains `=`")));
        }
        let Some(from) = variable.get("valueFrom").filter(|from| !from.is_null()) else { continue };
        if !text(variable, "value").is_empty() {
            let message = format!("the variable `{name}` has both `value` and `valueFrom`");
            let problem = error(place.key("valueFrom"), message);
            problems.push(problem.also(place.key("value"), "`value` is here").help("keep the one that is meant"));
        }
        problems.extend(value_source(from, name, &place.key("valueFrom")));
    }
    for (index, source) in list(container, "envFrom").iter().enumerate() {
        let place = place.key("envFrom").index(index);
        problems.extend(one_of(source, &["configMapRef", "secretRef"], "`envFrom`", &place));
    }
}

fn value_source(from: &Value, name: &str, place: &Place) -> Option<Problem> {
    let what = format!("`valueFrom` of the variable `{name}`");
    one_of(from, &VALUE_SOURCES, &what, place).or_else(|| {
        let path = from.pointer("/fieldRef/fieldPath").and_then(Value::as_str)?;
        let is_entry = ["metadata.labels['", "metadata.annotations['"].iter().any(|start| path.starts_with(start));
        let place = place.down("fieldRef.fieldPath");
        choice(path, &FIELDS, "a field that a variable can hold", &place).filter(|_| !is_entry)
    })
}

/// Returns the problem of a value that has none of some fields, or two.
fn one_of(value: &Value, fields: &[&str], what: &str, place: &Place) -> Option<Problem> {
    let mut given = fields.iter().filter(|field| value.get(**field).is_some_and(|value| !value.is_null()));
    match (given.next(), given.next()) {
        (Some(_), None) => None,
        (None, _) => {
            let problem = error(place.clone(), format!("{what} names no source"));
            Some(problem.help(format!("add one of `{}`", fields.join("`, `"))))
        }
        (Some(first), Some(second)) => {
            let problem = error(place.key(second), format!("{what} has both `{first}` and `{second}`"));
            Some(problem.also(place.key(first), "the other is here").help("keep the one that is meant"))
        }
    }
}

fn privileges(container: &Value, place: &Place, problems: &mut Problems) {
    let Some(context) = container.get("securityContext") else { return };
    let place = place.key("securityContext");
    let is = |key: &str, value: bool| context.get(key).and_then(Value::as_bool) == Some(value);
    let id = |key: &str| context.get(key).and_then(Value::as_i64);
    if is("privileged", true) && is("allowPrivilegeEscalation", false) {
        let problem = error(
            place.key("allowPrivilegeEscalation"),
            "a privileged container cannot be kept from gaining privileges",
        );
        problems.push(problem.help("take one of the two away"));
    }
    if is("runAsNonRoot", true) && id("runAsUser") == Some(0) {
        let problem = error(place.key("runAsUser"), "the container may not run as root, and is to run as root");
        problems.push(problem.also(place.key("runAsNonRoot"), "forbidden here").help("name another user"));
    }
    for key in ["runAsUser", "runAsGroup"] {
        if id(key).is_some_and(|id| id < 0) {
            problems.push(error(place.key(key), format!("`{key}` is less than zero")));
        }
    }
    let profile = context.pointer("/seccompProfile/type").and_then(Value::as_str).unwrap_or_default();
    problems.extend(choice(profile, &SECCOMP_PROFILES, "a seccomp profile", &place.down("seccompProfile.type")));
}

/// What is asked for is something that containers can have, and lies within the limit. Both as decoded:
/// quantities are texts or numbers.
fn requests(container: &Value, place: &Place, problems: &mut Problems) {
    let Some(resources) = container.get("resources") else { return };
    let amounts = |kind: &str| resources.get(kind).and_then(Value::as_object);
    for kind in ["limits", "requests"] {
        for (name, amount) in amounts(kind).into_iter().flatten() {
            let place = place.key("resources").key(kind).key(name);
            if !is_resource(name) {
                let problem = error(place, format!("containers have no resource `{name}`"));
                problems.push(problem.suggest(name, RESOURCES));
            } else if quantity(amount).is_some_and(|amount| amount < 0.0) {
                problems.push(error(place, format!("`{name}` is less than nothing")));
            }
        }
    }
    let (Some(requests), Some(limits)) = (amounts("requests"), amounts("limits")) else { return };
    for (name, request) in requests {
        let limit = limits.get(name).and_then(quantity);
        if quantity(request).zip(limit).is_some_and(|(request, limit)| request > limit) {
            let place = place.key("resources");
            let message = format!("the container asks for more `{name}` than its limit allows");
            let problem = Problem::error(rules::REQUESTS, place.key("requests").key(name), message);
            let problem = problem.also(place.key("limits").key(name), "the limit is here");
            problems.push(problem.help("raise the limit, or ask for less"));
        }
    }
}

const RESOURCES: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// Source: `validateContainerResourceName`: a name without a domain is one of Kubernetes' own.
fn is_resource(name: &str) -> bool {
    name.contains(['/', '{']) || name.starts_with("hugepages-") || RESOURCES.contains(&name)
}

/// Returns the amount of a quantity; none of one with tags.
fn quantity(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => amount(text),
        _ => None,
    }
}

/// The containers of a pod have names of their own; the main one is `main`.
fn names_once(template: &Template, problems: &mut Problems) {
    let spec = &template.spec;
    let mut seen: BTreeMap<&str, Place> = BTreeMap::new();
    let beside = [("initContainers", &spec.init_containers), ("sidecars", &spec.sidecars)];
    for (key, containers) in beside {
        for (index, container) in containers.iter().enumerate() {
            let name = text(&container.container, "name");
            let place = template.place.key(key).index(index).key("name");
            if name.is_empty() || name.contains("{{") {
                continue;
            }
            if name == "main" && (spec.container.is_some() || spec.script.is_some()) {
                let message =
                    format!("the container `main` of {} is its own: another cannot have the name", title(template));
                problems.push(error(place.clone(), message).help("choose another name"));
            } else if let Some(first) = seen.get(name) {
                let problem = error(place.clone(), format!("two containers of {} are named `{name}`", title(template)));
                problems.push(problem.also(first.clone(), "the first is here"));
            }
            seen.entry(name).or_insert(place);
        }
    }
}
