//! Output parameters of a resource template: parts of the object. Pure. Source: `SaveResourceParameters`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::base::limits;
use crate::engine::FileOutput;
use crate::expr;
use crate::expr::conditions::{find, text_of};
use crate::spec;

/// Returns the output parameters that `object` gives.
pub(super) fn parameters(template: &spec::Template, object: &Value) -> BTreeMap<String, FileOutput> {
    let declared = template.outputs.iter().flat_map(|outputs| &outputs.parameters);
    let given = declared.filter_map(|parameter| {
        let from = parameter.value_from.as_ref()?;
        let value = match (&from.json_path, &from.jq_filter) {
            (Some(path), _) => template_text(path, object),
            (None, Some(filter)) => jq(filter, object).map(|text| text.trim().to_owned()),
            (None, None) => return None,
        };
        Some((parameter.name.clone(), value.map_or_else(FileOutput::Unusable, FileOutput::Found)))
    });
    given.collect()
}

/// Evaluates a filter where there is stack enough.
fn jq(filter: &str, object: &Value) -> Result<String, String> {
    std::thread::scope(|scope| {
        let stack = std::thread::Builder::new().stack_size(limits::JQ_STACK_BYTES);
        let thread = stack.spawn_scoped(scope, || expr::jq(filter, &object.to_string()));
        let thread = thread.map_err(|fault| format!("jq filter `{filter}` cannot be run: {fault}"))?;
        thread.join().map_err(|_| format!("jq filter `{filter}` cannot be run: jaq panics"))?
    })
}

/// Evaluates a `jsonpath` template of `kubectl`: text with paths in braces. A path that finds nothing is
/// no text.
fn template_text(template: &str, object: &Value) -> Result<String, String> {
    let (mut text, mut rest) = (String::new(), template);
    while let Some((before, after)) = rest.split_once('{') {
        let (path, behind) =
            after.split_once('}').ok_or_else(|| format!("`{template}` has a brace without its end"))?;
        text.push_str(before);
        text.push_str(&path_text(path.trim(), object)?);
        rest = behind;
    }
    Ok(text + rest)
}

fn path_text(path: &str, object: &Value) -> Result<String, String> {
    let path = path.strip_prefix('$').unwrap_or(path);
    let keys = path.strip_prefix('.').unwrap_or(path);
    if !keys.contains(['[', '*', '\\', '@', '?']) && !keys.contains("..") {
        return Ok(find(object, keys).map(text_of).unwrap_or_default());
    }
    let path = if path.starts_with(['.', '[']) { format!("${path}") } else { format!("$.{path}") };
    let found = expr::jsonpath(&object.to_string(), &path)?;
    Ok(found.to_text())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn outputs_are_parts_of_the_object() {
        let template: spec::Template = serde_json::from_value(json!({ "outputs": { "parameters": [
            { "name": "name", "valueFrom": { "jsonPath": "{.metadata.name}" } },
            { "name": "both", "valueFrom": { "jsonPath": "{.metadata.name}/{.status.n}" } },
            { "name": "none", "valueFrom": { "jsonPath": "{.status.missing}" } },
            { "name": "first", "valueFrom": { "jsonPath": "{.items[0].a}" } },
            { "name": "jq", "valueFrom": { "jqFilter": ".status.n + 1" } },
            { "name": "bad", "valueFrom": { "jsonPath": "{.metadata" } },
            { "name": "other", "value": "x" },
        ]}}))
        .expect("a template");
        let object = json!({ "metadata": { "name": "x" }, "status": { "n": 3 }, "items": [{ "a": "y" }] });
        let found = parameters(&template, &object);
        let shown: Vec<String> = found
            .into_iter()
            .map(|(name, value)| match value {
                FileOutput::Found(text) => format!("{name}={text}"),
                other => format!("{name} {other:?}"),
            })
            .collect();
        let bad = "bad Unusable(\"`{.metadata` has a brace without its end\")";
        assert_eq!(shown, [bad, "both=x/3", "first=y", "jq=4", "name=x", "none="]);
    }
}
