//! Where pods may run, and how they find others: tolerations, affinities, selectors, DNS.
//!
//! Source: Kubernetes' `ValidateTolerations`, `validateAffinity`, `validatePodDNSConfig`, `ValidateHostAliases`.

use core::net::IpAddr;

use indexmap::IndexMap;
use serde_json::Value;

use super::containers::{list, text};
use super::metadata::{key_fault, label_fault};
use super::pods::{choice, error};
use super::{Checked, given};
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::spec;

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
const DNS_POLICIES: [&str; 4] = ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"];
const OPERATORS: [&str; 6] = ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"];

/// What a preference may weigh.
const WEIGHTS: std::ops::RangeInclusive<i64> = 1..=100;

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    let spec = &checked.draft.resolved.spec;
    let place = Place::root().key("spec");
    of_pods(&spec.tolerations, spec.affinity.as_ref(), &spec.node_selector, &spec.host_aliases, &place, problems);
    dns(spec, &place, problems);
    for template in &checked.draft.templates {
        let (spec, place) = (&template.spec, &template.place);
        of_pods(&spec.tolerations, spec.affinity.as_ref(), &spec.node_selector, &spec.host_aliases, place, problems);
    }
}

fn of_pods(
    tolerations: &[spec::Json],
    affinity: Option<&spec::Json>,
    selector: &IndexMap<String, String>,
    aliases: &[spec::Json],
    place: &Place,
    problems: &mut Problems,
) {
    for (index, item) in tolerations.iter().enumerate() {
        toleration(&item.0, &place.key("tolerations").index(index), problems);
    }
    if let Some(affinity) = affinity {
        terms(&affinity.0, &place.key("affinity"), problems);
    }
    node_selector(selector, &place.key("nodeSelector"), problems);
    for (index, alias) in aliases.iter().enumerate() {
        let ip = text(&alias.0, "ip");
        if !ip.is_empty() && !ip.contains("{{") && ip.parse::<IpAddr>().is_err() {
            let place = place.key("hostAliases").index(index).key("ip");
            problems.push(error(place, format!("`{ip}` is no address")));
        }
    }
}

fn toleration(toleration: &Value, place: &Place, problems: &mut Problems) {
    let (operator, key, effect) = (text(toleration, "operator"), text(toleration, "key"), text(toleration, "effect"));
    problems.extend(choice(operator, &["Exists", "Equal"], "an operator of tolerations", &place.key("operator")));
    problems.extend(choice(effect, &EFFECTS, "an effect of taints", &place.key("effect")));
    if operator == "Exists" && !text(toleration, "value").is_empty() {
        let message = "a toleration that asks whether a taint exists cannot ask for its value";
        problems.push(error(place.key("value"), message).help("take `value` away, or use the operator `Equal`"));
    }
    if key.is_empty() && !operator.is_empty() && operator != "Exists" {
        let message = "a toleration without a key tolerates everything, and takes only the operator `Exists`";
        problems.push(error(place.key("operator"), message));
    }
    let fault = given(Some(key)).and_then(key_fault);
    problems
        .extend(fault.map(|fault| error(place.key("key"), format!("`{key}` cannot be the key of a taint: {fault}"))));
    if toleration.get("tolerationSeconds").is_some_and(|seconds| !seconds.is_null()) && effect != "NoExecute" {
        let message = "`tolerationSeconds` is about pods that are evicted: only the effect `NoExecute` has it";
        problems.push(error(place.key("tolerationSeconds"), message));
    }
}

/// Every requirement of an affinity, wherever it stands. The recursion is bounded by the depth of the manifest.
fn terms(value: &Value, place: &Place, problems: &mut Problems) {
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| terms(item, &place.index(index), problems));
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                let place = place.key(key);
                if ["matchExpressions", "matchFields"].contains(&key.as_str()) {
                    let requirements = field.as_array().into_iter().flatten().enumerate();
                    requirements.for_each(|(index, item)| problems.extend(requirement(item, &place.index(index))));
                } else if key == "weight" {
                    let weight = field.as_i64().filter(|weight| !WEIGHTS.contains(weight));
                    problems.extend(
                        weight.map(|weight| error(place, format!("the weight `{weight}` is not from 1 to 100"))),
                    );
                } else {
                    terms(field, &place, problems);
                }
            }
        }
        _ => {}
    }
}

fn requirement(requirement: &Value, place: &Place) -> Option<Problem> {
    let operator = text(requirement, "operator");
    let values = list(requirement, "values");
    if let Some(problem) = choice(operator, &OPERATORS, "an operator of selectors", &place.key("operator")) {
        return Some(problem);
    }
    match operator {
        "In" | "NotIn" if values.is_empty() => {
            Some(error(place.clone(), format!("the operator `{operator}` needs values")).help("add `values`"))
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let message = format!("the operator `{operator}` takes no values");
            Some(error(place.key("values"), message).help("take `values` away, or use `In`"))
        }
        "Gt" | "Lt" if values.len() != 1 || values[0].as_str().is_none_or(|value| value.parse::<i64>().is_err()) => {
            Some(error(place.clone(), format!("the operator `{operator}` needs one value, a whole number")))
        }
        _ => None,
    }
}

fn node_selector(selector: &IndexMap<String, String>, place: &Place, problems: &mut Problems) {
    for (key, value) in selector {
        let fault = key_fault(key).map(|fault| format!("`{key}` cannot be the key of a label: {fault}"));
        let fault =
            fault.or_else(|| label_fault(value).map(|fault| format!("`{value}` is no value of a label: {fault}")));
        problems.extend(fault.map(|fault| error(place.key(key), fault)));
    }
}

fn dns(spec: &spec::WorkflowSpec, place: &Place, problems: &mut Problems) {
    let policy = spec.dns_policy.as_deref().unwrap_or_default();
    problems.extend(choice(policy, &DNS_POLICIES, "a DNS policy", &place.key("dnsPolicy")));
    let servers = spec.dns_config.as_ref().map_or(&[][..], |config| list(&config.0, "nameservers"));
    if policy == "None" && servers.is_empty() {
        let problem = error(place.key("dnsPolicy"), "with the DNS policy `None` a pod has no name server");
        problems.push(problem.help("add `dnsConfig.nameservers`"));
    }
    for (index, server) in servers.iter().enumerate() {
        let address = server.as_str().unwrap_or_default();
        if !address.contains("{{") && address.parse::<IpAddr>().is_err() {
            let place = place.down("dnsConfig.nameservers").index(index);
            problems.push(error(place, format!("`{address}` is no address of a name server")));
        }
    }
}
