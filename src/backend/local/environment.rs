//! The environment of a container, as a kubelet makes it: `envFrom`, then `env` in order, with
//! `$(NAME)` replaced by what stands before.
//!
//! Source: Kubernetes' `makeEnvironmentVariables` and its `expansion` package.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fault::Fault;
use super::files::{Data, LocalFiles};

/// What is known of a pod, for those who ask by `fieldRef`.
#[derive(Debug, Clone, Default)]
pub(super) struct PodFacts {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Its service account.
    pub service_account: String,
    /// The machine.
    pub host: String,
}

/// The declared environment of a container, in order, each name once.
pub(super) type Declared = Vec<(String, String)>;

/// Returns the variables that `container` declares.
pub(super) fn declared(container: &Value, facts: &PodFacts, files: &LocalFiles) -> Result<Declared, Fault> {
    let mut env = Declared::new();
    for source in items(container, "envFrom") {
        for (name, value) in from_object(source, files)? {
            set(&mut env, name, value);
        }
    }
    for entry in items(container, "env") {
        let name = text(entry, "name").unwrap_or_default();
        if let Some(value) = value_of(entry, &env, facts, files)? {
            set(&mut env, name.to_owned(), value);
        }
    }
    Ok(env)
}

/// Replaces each `$(NAME)` by its value; `$$` is a dollar sign, and an unknown name stays as it is.
pub(super) fn expand(text: &str, env: &Declared) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let (piece, after) = reference(&rest[at..], env);
        out.push_str(piece);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Reads one reference at the start of `text`, a dollar sign: what it stands for, and what follows.
fn reference<'a>(text: &'a str, env: &'a Declared) -> (&'a str, &'a str) {
    let after = &text[1..];
    if let Some(rest) = after.strip_prefix('$') {
        return ("$", rest);
    }
    let Some((name, rest)) = after.strip_prefix('(').and_then(|inner| inner.split_once(')')) else {
        return ("$", after);
    };
    let known = env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    (known.unwrap_or(&text[..name.len() + 3]), rest)
}

/// Sets a variable; one that was set before keeps its place.
fn set(env: &mut Declared, name: String, value: String) {
    match env.iter_mut().find(|(known, _)| *known == name) {
        Some(entry) => entry.1 = value,
        None => env.push((name, value)),
    }
}

fn from_object(source: &Value, files: &LocalFiles) -> Result<Vec<(String, String)>, Fault> {
    let (kind, reference, objects) = if source.get("secretRef").is_some() {
        ("Secret", &source["secretRef"], &files.secrets)
    } else {
        ("ConfigMap", &source["configMapRef"], &files.config_maps)
    };
    let Some(data) = object(kind, reference, objects)? else { return Ok(Vec::new()) };
    let prefix = text(source, "prefix").unwrap_or_default();
    Ok(data.iter().map(|(key, value)| (format!("{prefix}{key}"), lossy(value))).collect())
}

fn value_of(entry: &Value, env: &Declared, facts: &PodFacts, files: &LocalFiles) -> Result<Option<String>, Fault> {
    let Some(from) = entry.get("valueFrom").filter(|from| !from.is_null()) else {
        return Ok(Some(expand(&scalar(&entry["value"]), env)));
    };
    if let Some(path) = from.get("fieldRef").and_then(|field| text(field, "fieldPath")) {
        return field(path, facts).map(Some);
    }
    if let Some(reference) = from.get("configMapKeyRef") {
        return key("ConfigMap", reference, &files.config_maps);
    }
    if let Some(reference) = from.get("secretKeyRef") {
        return key("Secret", reference, &files.secrets);
    }
    let name = text(entry, "name").unwrap_or_default();
    Err(Fault::refused(format!("the variable `{name}` comes from what is not known here; give it a `value`")))
}

/// Returns the data of an object that is referred to; nothing when it is absent and may be.
pub(super) fn object<'a>(
    kind: &str,
    reference: &Value,
    objects: &'a BTreeMap<String, Data>,
) -> Result<Option<&'a Data>, Fault> {
    let name = text(reference, "name").or_else(|| text(reference, "secretName")).unwrap_or_default();
    match objects.get(name) {
        Some(data) => Ok(Some(data)),
        None if reference["optional"] == true => Ok(None),
        None => Err(Fault::refused(format!("there is no {kind} `{name}`; give the file that has it too"))),
    }
}

fn key(kind: &str, reference: &Value, objects: &BTreeMap<String, Data>) -> Result<Option<String>, Fault> {
    let Some(data) = object(kind, reference, objects)? else { return Ok(None) };
    let key = text(reference, "key").unwrap_or_default();
    match data.get(key) {
        Some(value) => Ok(Some(lossy(value))),
        None if reference["optional"] == true => Ok(None),
        None => {
            let name = text(reference, "name").unwrap_or_default();
            Err(Fault::refused(format!("the {kind} `{name}` has no key `{key}`")))
        }
    }
}

/// Returns a field of the pod, by its path in Kubernetes' downward API.
pub(super) fn field(path: &str, facts: &PodFacts) -> Result<String, Fault> {
    let known = match path {
        "metadata.name" => facts.name.clone(),
        "metadata.namespace" => facts.namespace.clone(),
        "metadata.uid" => facts.name.clone(),
        "metadata.labels" => listed(&facts.labels),
        "metadata.annotations" => listed(&facts.annotations),
        "spec.nodeName" => facts.host.clone(),
        "spec.serviceAccountName" => facts.service_account.clone(),
        "status.podIP" | "status.podIPs" | "status.hostIP" | "status.hostIPs" => super::POD_IP.to_owned(),
        _ => return subscript(path, facts),
    };
    Ok(known)
}

fn subscript(path: &str, facts: &PodFacts) -> Result<String, Fault> {
    let parts = path.strip_suffix("']").and_then(|path| path.split_once("['"));
    match parts {
        Some(("metadata.labels", key)) => Ok(facts.labels.get(key).cloned().unwrap_or_default()),
        Some(("metadata.annotations", key)) => Ok(facts.annotations.get(key).cloned().unwrap_or_default()),
        _ => Err(Fault::refused(format!("the pod has no field `{path}`"))),
    }
}

/// Writes a map as files of the downward API have it: a line `key="value"` each.
fn listed(map: &BTreeMap<String, String>) -> String {
    map.iter().map(|(key, value)| format!("{key}={value:?}\n")).collect()
}

/// Returns the elements of a list field; none when it is no list.
pub(super) fn items<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}

/// Returns a field that is a text.
pub(super) fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field).and_then(Value::as_str)
}

/// Returns a scalar as text; nothing for null.
pub(super) fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts() -> PodFacts {
        PodFacts {
            name: "pod-1".into(),
            namespace: "argo".into(),
            labels: BTreeMap::from([("app".into(), "x".into())]),
            ..PodFacts::default()
        }
    }

    fn files() -> LocalFiles {
        let data = |key: &str, value: &str| Data::from([(key.to_owned(), value.as_bytes().to_vec())]);
        LocalFiles {
            config_maps: BTreeMap::from([("conf".into(), data("level", "debug"))]),
            secrets: BTreeMap::from([("cred".into(), data("token", "s3cret"))]),
        }
    }

    fn check(container: Value, expected: Result<&[(&str, &str)], &str>) {
        let actual = declared(&container, &facts(), &files()).map_err(|fault| fault.to_string());
        let expected = expected
            .map(|pairs| pairs.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect::<Vec<_>>())
            .map_err(str::to_owned);
        assert_eq!(actual, expected, "{container}");
    }

    #[test]
    fn references_expand_as_in_kubernetes() {
        let env = vec![("A".to_owned(), "1".to_owned()), ("B".to_owned(), "$(A)".to_owned())];
        for (text, expected) in [
            ("$(A)", "1"),
            ("x$(A)y$(A)", "x1y1"),
            ("$$(A)", "$(A)"),
            ("$$$(A)", "$1"),
            ("$(C)", "$(C)"),
            ("$(B)", "$(A)"),
            ("$A", "$A"),
            ("$(A", "$(A"),
            ("$", "$"),
            ("$$", "$"),
            ("$()", "$()"),
            ("é$(A)é", "é1é"),
        ] {
            assert_eq!(expand(text, &env), expected, "{text}");
        }
    }

    #[test]
    fn variables_come_in_order_and_see_those_before() {
        check(
            json!({ "env": [
                { "name": "A", "value": "1" },
                { "name": "B", "value": "$(A)$(C)" },
                { "name": "C", "value": 5 },
                { "name": "A", "value": "2$(A)" },
            ]}),
            Ok(&[("A", "21"), ("B", "1$(C)"), ("C", "5")]),
        );
    }

    #[test]
    fn variables_come_from_objects_and_fields() {
        check(
            json!({ "envFrom": [{ "prefix": "P_", "configMapRef": { "name": "conf" } }] }),
            Ok(&[("P_level", "debug")]),
        );
        check(json!({ "envFrom": [{ "secretRef": { "name": "cred" } }] }), Ok(&[("token", "s3cret")]));
        check(json!({ "envFrom": [{ "secretRef": { "name": "no", "optional": true } }] }), Ok(&[]));
        let from = |source: Value| json!({ "env": [{ "name": "V", "valueFrom": source }] });
        check(from(json!({ "configMapKeyRef": { "name": "conf", "key": "level" } })), Ok(&[("V", "debug")]));
        check(from(json!({ "secretKeyRef": { "name": "cred", "key": "x", "optional": true } })), Ok(&[]));
        check(from(json!({ "fieldRef": { "fieldPath": "metadata.labels['app']" } })), Ok(&[("V", "x")]));
        check(from(json!({ "fieldRef": { "fieldPath": "metadata.namespace" } })), Ok(&[("V", "argo")]));
        check(from(json!({ "secretKeyRef": { "name": "cred", "key": "x" } })), Err("the Secret `cred` has no key `x`"));
        check(
            from(json!({ "configMapKeyRef": { "name": "no", "key": "x" } })),
            Err("there is no ConfigMap `no`; give the file that has it too"),
        );
        check(from(json!({ "fieldRef": { "fieldPath": "spec.x" } })), Err("the pod has no field `spec.x`"));
    }
}
