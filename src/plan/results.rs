//! Finds out whose standard output is asked for, so that nobody else's need be captured.
//!
//! Source: Argo's `hasOutputResultRef`, which searches the JSON of the enclosing template too.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::model::{Body, Task};

/// The steps and tasks whose `outputs.result` a template's texts name.
#[derive(Default)]
pub(super) struct References {
    names: BTreeSet<String>,
    /// A name is put together when it runs, so it may be anybody's.
    anybody: bool,
}

/// `steps.NAME.outputs.result`, `tasks['NAME']?.outputs?.result`, or the outputs as a whole.
static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
    let name = r#"(?:\??\.\s*([A-Za-z0-9_-]+)|\??\.?\[\s*['"]([^'"]+)['"]\s*\])"#;
    let result = r#"(?:\??\.\s*result\b|\??\.?\[\s*['"]result|\s*(?:$|[^.\w\s?\[]))"#;
    Regex::new(&format!(r"\b(?:steps|tasks)\s*{name}\s*\??\.\s*outputs{result}")).expect("the pattern is constant")
});

/// `steps.NAME-{{…}}`.
static NAME_WITH_TAG: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b(?:steps|tasks)\.[A-Za-z0-9_-]*\{\{").expect("the pattern is constant"));

impl References {
    /// Adds what a text names.
    pub fn text(&mut self, text: &str) {
        if !text.contains("outputs") {
            return;
        }
        for found in REFERENCE.captures_iter(text) {
            let name = found.get(1).or_else(|| found.get(2));
            self.names.extend(name.map(|name| name.as_str().to_owned()));
        }
        self.anybody |= NAME_WITH_TAG.is_match(text) || computed(text);
    }

    /// Marks the tasks whose result is asked for.
    pub fn mark(&self, body: &mut Body) {
        let tasks: Vec<&mut Task> = match body {
            Body::Steps(groups) => groups.iter_mut().flatten().collect(),
            Body::Dag(dag) => dag.tasks.iter_mut().collect(),
            _ => return,
        };
        for task in tasks {
            // What the tags in a name come to is not known yet.
            let may_be_named = task.name.contains("{{") && !self.names.is_empty();
            task.captures_result = self.anybody || may_be_named || self.names.contains(&*task.name);
        }
    }
}

/// Returns whether steps or tasks are looked up by a computed name, or taken as a whole.
fn computed(text: &str) -> bool {
    ["steps", "tasks"].into_iter().any(|root| {
        text.match_indices(root).any(|(at, _)| {
            let rest = text[at + root.len()..].trim_start();
            rest.strip_prefix('[').is_some_and(|index| !index.trim_start().starts_with(['\'', '"']))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_found_however_they_are_written() {
        for (text, expected) in [
            ("{{steps.a.outputs.result}}", "a"),
            ("x {{ tasks.a-b.outputs.result }}", "a-b"),
            ("{{=steps['a-b'].outputs.result}}", "a-b"),
            ("steps.a?.outputs?.result == 'x'", "a"),
            ("{{=toJson(steps.a.outputs)}}", "a"),
            ("{{=tasks[\"a\"].outputs['result']}}", "a"),
            ("{{steps.a.outputs.parameters.result}}", ""),
            ("{{steps.a.status}}", ""),
            ("{{=steps[item].outputs.result}}", "*"),
            ("{{steps.{{item}}.outputs.result}}", "*"),
            ("{{steps.a-{{inputs.parameters.b}}.outputs.result}}", "*"),
        ] {
            let mut references = References::default();
            references.text(text);
            let found: Vec<&str> = references.names.iter().map(String::as_str).collect();
            let found = if references.anybody { "*".to_owned() } else { found.join(",") };
            assert_eq!(found, expected, "{text}");
        }
    }
}
