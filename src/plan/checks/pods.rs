//! Parts of pods that decode, and that the API server refuses all the same.
//!
//! Source: Kubernetes' `pkg/apis/core/validation`. Argo passes them on, and the node fails when its
//! pod is created. What has tags is left alone.

use std::collections::BTreeMap;

use serde_json::Value;

use super::containers::{containers, list, text};
use super::metadata::is_label;
use super::{Checked, title};
use crate::plan::model::Template;
use crate::plan::problem::{Place, Problem};
use crate::plan::rules;
use crate::spec;

const PULL_POLICIES: [&str; 3] = ["Always", "IfNotPresent", "Never"];
const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];
const HANDLERS: [&str; 4] = ["exec", "httpGet", "tcpSocket", "grpc"];

/// Bytes of a container's or a volume's name.
const NAME_BYTES_MAX: usize = 63;

pub(super) fn check(checked: &Checked<'_>, problems: &mut Vec<Problem>) {
    let spec = &checked.draft.resolved.spec;
    let place = Place::root().key("spec");
    volumes(&spec.volumes, &place.key("volumes"), problems);
    tolerations(&spec.tolerations, &place.key("tolerations"), problems);
    claims(&spec.volume_claim_templates, &place.key("volumeClaimTemplates"), problems);
    for template in &checked.draft.templates {
        volumes(&template.spec.volumes, &template.place.key("volumes"), problems);
        tolerations(&template.spec.tolerations, &template.place.key("tolerations"), problems);
        for (container, place) in containers(template) {
            of_container(container, &place, problems);
        }
        names_once(template, problems);
    }
}

fn error(place: Place, message: impl Into<String>) -> Problem {
    Problem::error(rules::POD, place, message)
}

fn of_container(container: &Value, place: &Place, problems: &mut Vec<Problem>) {
    let policy = text(container, "imagePullPolicy");
    problems.extend(choice(policy, &PULL_POLICIES, "a pull policy", &place.key("imagePullPolicy")));
    let name = text(container, "name");
    if !name.is_empty() && !name.contains("{{") && (!is_label(name) || name.len() > NAME_BYTES_MAX) {
        let message = format!("`{name}` cannot be the name of a container: small letters, digits and `-`, at most 63");
        problems.push(error(place.key("name"), message));
    }
    ports(container, place, problems);
    mounts(container, place, problems);
    environment(container, place, problems);
    probes(container, place, problems);
    problems.extend(privileges(container, place));
    requests(container, place, problems);
}

fn choice(word: &str, known: &[&str], what: &str, place: &Place) -> Option<Problem> {
    let is_fine = word.is_empty() || word.contains("{{") || known.contains(&word);
    (!is_fine).then(|| error(place.clone(), format!("`{word}` is not {what}")).suggest(word, known.iter().copied()))
}

fn ports(container: &Value, place: &Place, problems: &mut Vec<Problem>) {
    for (index, port) in list(container, "ports").iter().enumerate() {
        let place = place.key("ports").index(index);
        problems.extend(choice(text(port, "protocol"), &PROTOCOLS, "a protocol of ports", &place.key("protocol")));
        for key in ["containerPort", "hostPort"] {
            let Some(number) = port.get(key).and_then(Value::as_i64) else { continue };
            if !(1..=65535).contains(&number) {
                problems.push(error(place.key(key), format!("`{number}` is no port: ports go from 1 to 65535")));
            }
        }
    }
}

fn mounts(container: &Value, place: &Place, problems: &mut Vec<Problem>) {
    for (index, mount) in list(container, "volumeMounts").iter().enumerate() {
        let place = place.key("volumeMounts").index(index);
        let path = text(mount, "mountPath");
        if path.is_empty() {
            problems.push(error(place, "a volume is mounted nowhere").help("add `mountPath`"));
        } else if path.contains(':') && !path.contains("{{") {
            problems.push(error(place.key("mountPath"), format!("the path `{path}` contains `:`")));
        } else if text(mount, "subPath").split('/').any(|part| part == "..") {
            problems.push(error(place.key("subPath"), "`subPath` leads out of the volume by `..`"));
        }
    }
}

fn environment(container: &Value, place: &Place, problems: &mut Vec<Problem>) {
    for (index, variable) in list(container, "env").iter().enumerate() {
        let place = place.key("env").index(index);
        let name = text(variable, "name");
        if name.contains('=') && !name.contains("{{") {
            problems
                .push(error(place.key("name"), format!("`{name}` cannot be the name of a variable: it contains `=`")));
        }
        let has_value = !text(variable, "value").is_empty();
        if has_value && variable.get("valueFrom").is_some_and(|from| !from.is_null()) {
            let message = format!("the variable `{name}` has both `value` and `valueFrom`");
            let problem = error(place.key("valueFrom"), message);
            problems.push(problem.also(place.key("value"), "`value` is here").help("keep the one that is meant"));
        }
    }
}

fn probes(container: &Value, place: &Place, problems: &mut Vec<Problem>) {
    for key in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(probe) = container.get(key).and_then(Value::as_object) else { continue };
        let count =
            HANDLERS.iter().filter(|handler| probe.get(**handler).is_some_and(|value| !value.is_null())).count();
        if count != 1 {
            let message = format!(
                "`{key}` has {} of what it can do, not one",
                if count == 0 { "none".to_owned() } else { count.to_string() }
            );
            problems.push(error(place.key(key), message).help("keep one of `exec`, `httpGet`, `tcpSocket`, `grpc`"));
        }
    }
}

fn privileges(container: &Value, place: &Place) -> Option<Problem> {
    let context = container.get("securityContext")?;
    let is = |key: &str, value: bool| context.get(key).and_then(Value::as_bool) == Some(value);
    (is("privileged", true) && is("allowPrivilegeEscalation", false)).then(|| {
        let place = place.down("securityContext.allowPrivilegeEscalation");
        error(place, "a privileged container cannot be kept from gaining privileges").help("take one of the two away")
    })
}

/// What is asked for has to lie within the limit. Both as decoded: quantities are texts or numbers.
fn requests(container: &Value, place: &Place, problems: &mut Vec<Problem>) {
    let Some(resources) = container.get("resources") else { return };
    let amounts = |kind: &str| resources.get(kind).and_then(Value::as_object);
    for kind in ["limits", "requests"] {
        for (name, amount) in amounts(kind).into_iter().flatten() {
            if quantity(amount).is_some_and(|amount| amount < 0.0) {
                let place = place.key("resources").key(kind).key(name);
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
            problems.push(
                problem
                    .also(place.key("limits").key(name), "the limit is here")
                    .help("raise the limit, or ask for less"),
            );
        }
    }
}

/// Returns the amount of a quantity; none of one with tags.
fn quantity(value: &Value) -> Option<f64> {
    let text = match value {
        Value::Number(number) => return number.as_f64(),
        Value::String(text) => text.as_str(),
        _ => return None,
    };
    let end = text.find(|c: char| !(c.is_ascii_digit() || "+-.".contains(c))).unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    let factor = match &text[end..] {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024f64,
        "Mi" => 1024f64.powi(2),
        "Gi" => 1024f64.powi(3),
        "Ti" => 1024f64.powi(4),
        "Pi" => 1024f64.powi(5),
        "Ei" => 1024f64.powi(6),
        _ => return text.parse().ok(),
    };
    Some(number * factor)
}

/// Volumes have a name each, and one source.
fn volumes(volumes: &[spec::Json], place: &Place, problems: &mut Vec<Problem>) {
    let mut seen: BTreeMap<&str, Place> = BTreeMap::new();
    for (index, volume) in volumes.iter().enumerate() {
        let place = place.index(index);
        let name = text(&volume.0, "name");
        if name.is_empty() {
            problems.push(error(place, "a volume has no name").help("add `name`"));
            continue;
        }
        if !name.contains("{{") && (!is_label(name) || name.len() > NAME_BYTES_MAX) {
            let message = format!("`{name}` cannot be the name of a volume: small letters, digits and `-`, at most 63");
            problems.push(error(place.key("name"), message));
        }
        let fields = volume.0.as_object().into_iter().flatten();
        let sources: Vec<&String> =
            fields.filter(|(key, value)| *key != "name" && !value.is_null()).map(|(key, _)| key).collect();
        if let [first, second, ..] = sources[..] {
            let problem = error(place.key(second), format!("the volume `{name}` is both `{first}` and `{second}`"));
            problems.push(problem.also(place.key(first), "the other is here").help("make two volumes of it"));
        }
        if let Some(first) = seen.get(name) {
            let problem = error(place.key("name"), format!("two volumes are named `{name}`"));
            problems.push(problem.also(first.clone(), "the first is here").help("rename one of them"));
        }
        seen.entry(name).or_insert(place.key("name"));
    }
}

fn claims(claims: &[spec::Json], place: &Place, problems: &mut Vec<Problem>) {
    for (index, claim) in claims.iter().enumerate() {
        let place = place.index(index);
        let name = claim.0.get("metadata").map_or("", |metadata| text(metadata, "name"));
        let spec = claim.0.get("spec").unwrap_or(&Value::Null);
        if name.is_empty() {
            problems.push(error(place.clone(), "a volume claim has no name").help("add `metadata.name`"));
        }
        if list(spec, "accessModes").is_empty() {
            let message = format!("the volume claim `{name}` does not say how it is accessed");
            problems.push(error(place.key("spec"), message).help("add `accessModes`, such as `[ReadWriteOnce]`"));
        }
        if spec.pointer("/resources/requests/storage").is_none() {
            let message = format!("the volume claim `{name}` does not say how much it needs");
            problems.push(error(place.key("spec"), message).help("add `resources.requests.storage`"));
        }
    }
}

fn tolerations(tolerations: &[spec::Json], place: &Place, problems: &mut Vec<Problem>) {
    for (index, toleration) in tolerations.iter().enumerate() {
        let place = place.index(index);
        let operator = text(&toleration.0, "operator");
        problems.extend(choice(operator, &["Exists", "Equal"], "an operator of tolerations", &place.key("operator")));
        if operator == "Exists" && !text(&toleration.0, "value").is_empty() {
            let message = "a toleration that asks whether a taint exists cannot ask for its value";
            problems.push(error(place.key("value"), message).help("take `value` away, or use the operator `Equal`"));
        }
        if text(&toleration.0, "key").is_empty() && !operator.is_empty() && operator != "Exists" {
            let message = "a toleration without a key tolerates everything, and takes only the operator `Exists`";
            problems.push(error(place.key("operator"), message));
        }
    }
}

/// The containers of a pod have names of their own; the main one is `main`.
fn names_once(template: &Template, problems: &mut Vec<Problem>) {
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
