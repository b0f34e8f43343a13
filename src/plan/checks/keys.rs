//! Keys of ConfigMaps and Secrets that are among the files given: what is read of them has to be there.
//!
//! An object that is not given may be in the cluster, and is not looked at. Semaphores are for `locks`.

use serde_json::{Map, Value};

use super::Checked;
use super::containers::{list, text};
use crate::plan::problem::{Place, Problem};
use crate::plan::problems::Problems;
use crate::plan::rules;
use crate::source::{RuleId, Segment};
use crate::spec;

/// Fields below which nothing is looked for: what is free data, and what is looked at elsewhere.
const PASSED_OVER: [&str; 4] = ["inline", "plugin", "synchronization", "withItems"];

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    let resolved = &checked.draft.resolved;
    if resolved.config_maps.is_empty() && !checked.library.has_secrets() {
        return;
    }
    let spec = &resolved.spec;
    let own = spec::WorkflowSpec { templates: Vec::new(), template_defaults: None, ..spec.clone() };
    look(checked, &own, &Place::root().key("spec"), problems);
    for template in &checked.draft.templates {
        look(checked, &*template.spec, &template.place, problems);
    }
}

fn look(checked: &Checked<'_>, part: &impl serde::Serialize, place: &Place, problems: &mut Problems) {
    let value = serde_json::to_value(part).expect("manifest types are plain data with text keys");
    walk(&value, &mut Vec::new(), &mut |way, fields| problems.extend(missing(checked, way, fields, place)));
}

/// Shows each map that a field holds, with the way to it. Recursion is bounded by the depth of the manifest.
fn walk(value: &Value, way: &mut Vec<Segment>, show: &mut dyn FnMut(&[Segment], &Map<String, Value>)) {
    let steps: Vec<(Segment, &Value)> = match value {
        Value::Array(items) => items.iter().enumerate().map(|(index, item)| (Segment::Index(index), item)).collect(),
        Value::Object(fields) => {
            // A parameter with a default does without its source.
            let has_default = |key: &str, field: &Value| key == "valueFrom" && field.get("default").is_some();
            let is_passed_over = |key: &str, field: &Value| PASSED_OVER.contains(&key) || has_default(key, field);
            let fields = fields.iter().filter(|(key, field)| !is_passed_over(key, field));
            fields.map(|(key, field)| (Segment::Key(key.as_str().into()), field)).collect()
        }
        _ => return,
    };
    for (segment, value) in steps {
        let is_field = matches!(segment, Segment::Key(_));
        way.push(segment);
        if let Value::Object(fields) = value
            && is_field
        {
            show(way, fields);
        }
        walk(value, way, show);
        way.pop();
    }
}

/// What an object of the files given holds, by the name of its kind.
struct Object<'a> {
    kind: &'static str,
    name: &'a str,
    keys: Vec<&'a str>,
}

impl<'a> Object<'a> {
    /// Returns the object that the field at the end of a way refers to, if it is given.
    fn of(checked: &'a Checked<'_>, field: &str, fields: &'a Map<String, Value>) -> Option<Self> {
        let name = |key: &str| fields.get(key).and_then(Value::as_str);
        let is_secret = ["secret", "secretKeyRef"].contains(&field) || field.ends_with("Secret");
        if is_secret {
            let name = name("secretName").or(name("name"))?;
            let keys = checked.library.secret_keys(name)?.iter().map(String::as_str).collect();
            return Some(Self { kind: "Secret", name, keys });
        }
        let name = name("name").filter(|_| ["configMap", "configMapKeyRef"].contains(&field))?;
        let keys = checked.draft.resolved.config_maps.get(name)?.keys().map(String::as_str).collect();
        Some(Self { kind: "ConfigMap", name, keys })
    }
}

/// Returns the problems of the keys that a field names and its object does not have.
fn missing(checked: &Checked<'_>, way: &[Segment], fields: &Map<String, Value>, place: &Place) -> Vec<Problem> {
    let Some(Segment::Key(field)) = way.last() else { return Vec::new() };
    let is_optional = fields.get("optional").and_then(Value::as_bool) == Some(true);
    let Some(object) = Object::of(checked, field, fields).filter(|_| !is_optional) else { return Vec::new() };
    let problem = |key: &str, place: Place| {
        let Object { kind, name, keys } = &object;
        let is_known = key.is_empty() || key.contains("{{") || keys.contains(&key);
        let problem = Problem::error(rule(way), place, format!("the {kind} `{name}` has no key `{key}`"));
        (!is_known).then(|| problem.suggest(key, keys.iter().copied()))
    };
    let place = place.below(way);
    let own = fields.get("key").and_then(Value::as_str).and_then(|key| problem(key, place.key("key")));
    // Volumes name several.
    let whole = Value::Object(fields.clone());
    let items = list(&whole, "items").iter().enumerate();
    let items =
        items.filter_map(|(index, item)| problem(text(item, "key"), place.key("items").index(index).key("key")));
    own.into_iter().chain(items).collect()
}

/// Returns the rule for what is missing, by what is there: a parameter, an artifact, a request, or the pod.
fn rule(way: &[Segment]) -> RuleId {
    let has = |key: &str| way.iter().any(|segment| matches!(segment, Segment::Key(found) if **found == *key));
    if has("parameters") {
        rules::ARGUMENT_VALUE
    } else if has("artifacts") || has("archiveLocation") {
        rules::ARTIFACT_SOURCE
    } else if has("http") {
        rules::HTTP
    } else {
        rules::POD
    }
}
