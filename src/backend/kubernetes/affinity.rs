//! Keeping a pod off machines: what `retryStrategy.affinity` adds to its affinity. Pure.
//! Source: Argo's `AddHostnamesToAffinity`.

use std::sync::Arc;

use serde_json::{Map, Value, json};

/// The label that a machine's name is in.
const HOST: &str = "kubernetes.io/hostname";

/// Adds to a pod's spec that it must not run on `hosts`. Terms that the user gave are alternatives: as in
/// Argo, it goes to the one that names machines to keep off already, or that asks for nothing yet, else to
/// the first.
pub(super) fn avoid(spec: &mut Value, hosts: &[Arc<str>]) {
    if hosts.is_empty() {
        return;
    }
    let names: Vec<Value> = hosts.iter().map(|host| Value::from(&**host)).collect();
    let required = ["affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"];
    let required = required.into_iter().fold(spec, |inside, field| field_of(inside, field, || json!({})));
    let terms = field_of(required, "nodeSelectorTerms", || json!([]));
    let Some(terms) = terms.as_array_mut() else { return };
    if terms.is_empty() {
        terms.push(json!({}));
    }
    let at = terms.iter().position(|term| expressions(term).is_none_or(|all| all.iter().any(avoids))).unwrap_or(0);
    let term = field_of(&mut terms[at], "matchExpressions", || json!([]));
    let Some(all) = term.as_array_mut() else { return };
    match all.iter_mut().find(|expression| avoids(expression)) {
        Some(expression) => add(field_of(expression, "values", || json!([])), names),
        None => all.push(json!({ "key": HOST, "operator": "NotIn", "values": names })),
    }
}

/// Returns a field of an object, made when there is none. What is no object the server will refuse.
fn field_of<'a>(object: &'a mut Value, field: &str, new: impl FnOnce() -> Value) -> &'a mut Value {
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    let value = &mut object[field];
    if value.is_null() {
        *value = new();
    }
    value
}

/// Returns what a term asks of a machine's labels; nothing when it asks for none.
fn expressions(term: &Value) -> Option<&Vec<Value>> {
    term["matchExpressions"].as_array().filter(|all| !all.is_empty())
}

fn avoids(expression: &Value) -> bool {
    expression["key"] == HOST && expression["operator"] == "NotIn"
}

fn add(list: &mut Value, names: Vec<Value>) {
    let Some(list) = list.as_array_mut() else { return };
    for name in names {
        if !list.contains(&name) {
            list.push(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_added_to_what_the_user_asks_for() {
        let not_in = |hosts: &[&str]| json!({ "key": HOST, "operator": "NotIn", "values": hosts });
        let ssd = || json!({ "key": "disk", "operator": "In", "values": ["ssd"] });
        let terms = |terms: Value| {
            let required = json!({ "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": terms } });
            json!({ "affinity": { "nodeAffinity": required } })
        };
        let term = |all: &[Value]| json!({ "matchExpressions": all });
        for (given, expected) in [
            (json!({}), terms(json!([term(&[not_in(&["a", "b"])])]))),
            (terms(json!([])), terms(json!([term(&[not_in(&["a", "b"])])]))),
            (terms(json!([term(&[ssd()])])), terms(json!([term(&[ssd(), not_in(&["a", "b"])])]))),
            (
                terms(json!([term(&[ssd()]), term(&[not_in(&["b", "c"])])])),
                terms(json!([term(&[ssd()]), term(&[not_in(&["b", "c", "a"])])])),
            ),
            (
                terms(json!([term(&[ssd()]), { "matchFields": [] }])),
                terms(json!([term(&[ssd()]), { "matchFields": [], "matchExpressions": [not_in(&["a", "b"])] }])),
            ),
        ] {
            let mut spec = given.clone();
            avoid(&mut spec, &["a".into(), "b".into()]);
            assert_eq!(spec, expected, "{given}");
        }
        let mut spec = json!({ "affinity": { "podAffinity": {} } });
        avoid(&mut spec, &[]);
        assert_eq!(spec, json!({ "affinity": { "podAffinity": {} } }));
        avoid(&mut spec, &["a".into()]);
        assert_eq!(spec["affinity"]["podAffinity"], json!({}));
    }
}
