//! What is too large for a pod, found before anything is posted.

use serde_json::Value;

use super::fault::Refusal;
use super::json::items;
use crate::base::limits::{ANNOTATIONS_BYTES_MAX, ARGUMENT_BYTES_MAX};

/// Characters of a label's value.
const LABEL_VALUE_BYTES_MAX: usize = 63;

/// Checks a pod template against what Linux and Kubernetes take.
pub(super) fn check(template: &Value) -> Result<(), Refusal> {
    let spec = &template["spec"];
    for container in items(spec, "initContainers").chain(items(spec, "containers")) {
        check_container(container)?;
    }
    check_annotations(&template["metadata"]["annotations"])
}

fn check_container(container: &Value) -> Result<(), Refusal> {
    let name = container["name"].as_str().unwrap_or_default();
    for field in ["command", "args"] {
        for (at, argument) in items(container, field).enumerate() {
            let bytes = argument.as_str().map_or(0, str::len);
            // The kernel counts the zero byte at the end.
            if bytes >= ARGUMENT_BYTES_MAX {
                return Err(argument_too_large(format!("`{field}[{at}]` of the container `{name}`"), bytes));
            }
        }
    }
    for variable in items(container, "env") {
        let key = variable["name"].as_str().unwrap_or_default();
        let bytes = key.len() + 1 + variable["value"].as_str().map_or(0, str::len);
        if bytes >= ARGUMENT_BYTES_MAX {
            return Err(argument_too_large(format!("the variable `{key}` of the container `{name}`"), bytes));
        }
    }
    Ok(())
}

fn argument_too_large(what: String, bytes: usize) -> Refusal {
    Refusal::TooLarge { what, bytes, limit: ARGUMENT_BYTES_MAX - 1, bound: "Linux (`MAX_ARG_STRLEN`)" }
}

fn check_annotations(annotations: &Value) -> Result<(), Refusal> {
    let entries = annotations.as_object().into_iter().flatten();
    let bytes = entries.map(|(key, value)| key.len() + value.as_str().map_or(0, str::len)).sum();
    if bytes > ANNOTATIONS_BYTES_MAX {
        return Err(Refusal::TooLarge {
            what: "the script with the raw artifacts and annotations".to_owned(),
            bytes,
            limit: ANNOTATIONS_BYTES_MAX,
            bound: "Kubernetes (`TotalAnnotationSizeLimitB`)",
        });
    }
    Ok(())
}

/// Returns whether Kubernetes takes `text` as the value of a label.
pub(super) fn is_label_value(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= LABEL_VALUE_BYTES_MAX
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && edge(text.chars().next())
        && edge(text.chars().next_back())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_too_large_is_named_with_the_limit() {
        let long = |bytes: usize| "x".repeat(bytes);
        let container = |container: Value| json!({ "spec": { "containers": [container] } });
        for (template, expected) in [
            (container(json!({ "name": "main", "args": ["a", long(131_071)] })), ""),
            (
                container(json!({ "name": "main", "args": ["a", long(131_072)] })),
                "`args[1]` of the container `main` has 131072 bytes, more than the 131071 that Linux \
                 (`MAX_ARG_STRLEN`) allows; hand it over as a file",
            ),
            (
                container(json!({ "name": "main", "env": [{ "name": "A", "value": long(131_070) }] })),
                "the variable `A` of the container `main` has 131072 bytes, more than the 131071 that Linux \
                 (`MAX_ARG_STRLEN`) allows; hand it over as a file",
            ),
            (
                json!({ "metadata": { "annotations": { "a": long(262_144) } } }),
                "the script with the raw artifacts and annotations has 262145 bytes, more than the 262144 that \
                 Kubernetes (`TotalAnnotationSizeLimitB`) allows; hand it over as a file",
            ),
        ] {
            let found = check(&template).err().map(|refusal| refusal.to_string()).unwrap_or_default();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn labels_are_what_kubernetes_takes() {
        for (text, expected) in [("a", true), ("A.b_c-1", true), ("", false), ("-a", false), ("a b", false)] {
            assert_eq!(is_label_value(text), expected, "{text}");
        }
        assert!(!is_label_value(&"a".repeat(64)));
    }
}
