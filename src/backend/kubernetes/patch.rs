//! `podSpecPatch`: a strategic merge patch of a pod's spec. Pure.
//!
//! Lists that Kubernetes merges by a key (containers by name, mounts by path) are merged so, others
//! are replaced; `null` removes a field, `$patch: delete` an item, `$patch: replace` does not merge.
//! Source: `k8s.io/apimachinery/pkg/util/strategicpatch` and the `patchMergeKey` tags of `core/v1`.

use serde_json::{Map, Value};

use super::fault::Refusal;
use crate::base::limits::YAML_DEPTH_MAX;

/// The lists of a pod's spec that are merged, with the field that tells their items apart. The
/// names mean one thing wherever they stand, so that a place need not be looked at; `ports` of a
/// Service, which are merged by another key, cannot be in a pod.
const MERGED_LISTS: [(&str, &str); 13] = [
    ("containers", "name"),
    ("env", "name"),
    ("ephemeralContainers", "name"),
    ("hostAliases", "ip"),
    ("imagePullSecrets", "name"),
    ("initContainers", "name"),
    ("ports", "containerPort"),
    ("resourceClaims", "name"),
    ("schedulingGates", "name"),
    ("topologySpreadConstraints", "topologyKey"),
    ("volumeDevices", "devicePath"),
    ("volumeMounts", "mountPath"),
    ("volumes", "name"),
];

/// Lays `patch`, in YAML or JSON, over a pod's spec. A patch without content changes nothing.
pub(super) fn apply(spec: &mut Value, patch: &str) -> Result<(), Refusal> {
    let refused = |reason: String| Refusal::Patch { reason };
    let patch: Value = serde_yaml::from_str(patch).map_err(|fault| refused(fault.to_string()))?;
    match patch {
        Value::Null => Ok(()),
        Value::Object(patch) if depth(&Value::Object(patch.clone())) <= YAML_DEPTH_MAX => {
            merge(spec, patch);
            Ok(())
        }
        Value::Object(_) => Err(refused(format!("it nests deeper than {YAML_DEPTH_MAX}"))),
        _ => Err(refused("it is not an object with fields of a pod's spec".to_owned())),
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Recursion is bounded by the depth of the patch.
fn merge(into: &mut Value, mut patch: Map<String, Value>) {
    let directive = patch.remove("$patch");
    if directive.as_ref().is_some_and(|word| word == "replace") {
        *into = without_directives(Value::Object(patch));
        return;
    }
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    let fields = into.as_object_mut().expect("made an object above");
    for (name, value) in patch {
        if name.starts_with('$') {
            continue;
        }
        match value {
            Value::Null => {
                fields.shift_remove(&name);
            }
            Value::Object(below) => merge(fields.entry(name).or_insert(Value::Null), below),
            Value::Array(items) => merge_field(fields, name, items),
            plain => {
                fields.insert(name, plain);
            }
        }
    }
}

fn merge_field(fields: &mut Map<String, Value>, name: String, patch: Vec<Value>) {
    let key = MERGED_LISTS.iter().find(|(list, _)| *list == name).map(|(_, key)| *key);
    let replaces = |item: &Value| item.get("$patch").is_some_and(|word| word == "replace");
    match (key, fields.get_mut(&name).and_then(Value::as_array_mut)) {
        (Some(key), Some(items)) if !patch.iter().any(replaces) => merge_items(items, key, patch),
        _ => {
            let items =
                patch.into_iter().filter(|item| !(replaces(item) && item.as_object().is_some_and(|o| o.len() == 1)));
            fields.insert(name, items.map(without_directives).collect());
        }
    }
}

fn merge_items(items: &mut Vec<Value>, key: &str, patch: Vec<Value>) {
    for change in patch {
        let place = items.iter().position(|item| item.get(key).is_some() && item.get(key) == change.get(key));
        let deletes = change.get("$patch").is_some_and(|word| word == "delete");
        match (place, change) {
            (Some(at), _) if deletes => {
                items.remove(at);
            }
            (None, _) if deletes => {}
            (Some(at), Value::Object(change)) => merge(&mut items[at], change),
            (_, change) => items.push(without_directives(change)),
        }
    }
}

/// Recursion is bounded by the depth of the patch.
fn without_directives(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(name, value)| !name.starts_with('$') && !value.is_null());
            kept.map(|(name, value)| (name, without_directives(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(without_directives).collect(),
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(patch: &str, expected: Value) {
        let mut spec = json!({
            "containers": [
                { "name": "main", "image": "a", "env": [{ "name": "A", "value": "1" }], "args": ["x", "y"] },
            ],
            "nodeSelector": { "disk": "ssd" },
            "tolerations": [{ "key": "a" }],
        });
        apply(&mut spec, patch).expect("a patch");
        assert_eq!(spec, expected, "{patch}");
    }

    #[test]
    fn a_patch_is_merged_as_kubernetes_does() {
        let base = |main: Value| json!({ "containers": [main], "nodeSelector": { "disk": "ssd" }, "tolerations": [{ "key": "a" }] });
        let main = json!({ "name": "main", "image": "a", "env": [{ "name": "A", "value": "1" }], "args": ["x", "y"] });
        check("", base(main.clone()));
        check("{}", base(main.clone()));
        check(
            r#"{"containers":[{"name":"main","resources":{"limits":{"memory":"1Gi"}}}]}"#,
            base(json!({
                "name": "main", "image": "a", "env": [{ "name": "A", "value": "1" }], "args": ["x", "y"],
                "resources": { "limits": { "memory": "1Gi" } },
            })),
        );
        check(
            "containers:\n- name: main\n  image: null\n  args: [z]\n  env:\n  - {name: B, value: '2'}\n  - {name: A, $patch: delete}\n",
            base(json!({ "name": "main", "env": [{ "name": "B", "value": "2" }], "args": ["z"] })),
        );
        check(
            "containers:\n- {name: extra, image: b}\n",
            json!({
                "containers": [main.clone(), { "name": "extra", "image": "b" }],
                "nodeSelector": { "disk": "ssd" },
                "tolerations": [{ "key": "a" }],
            }),
        );
        check(
            "nodeSelector: {$patch: replace, zone: b}\ntolerations: [{key: b}]\nterminationGracePeriodSeconds: 5\n",
            json!({
                "containers": [main],
                "nodeSelector": { "zone": "b" },
                "tolerations": [{ "key": "b" }],
                "terminationGracePeriodSeconds": 5,
            }),
        );
    }

    #[test]
    fn what_is_no_patch_is_refused() {
        for (patch, expected) in [
            ("- a", "the `podSpecPatch` cannot be applied: it is not an object with fields of a pod's spec"),
            ("a: [", "the `podSpecPatch` cannot be applied: "),
        ] {
            let fault = apply(&mut json!({}), patch).expect_err("it is no patch").to_string();
            assert!(fault.starts_with(expected), "{fault}");
        }
    }
}
