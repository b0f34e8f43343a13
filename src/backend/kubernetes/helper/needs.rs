//! What a node's main container is to report; mostly nothing.

use serde::{Deserialize, Serialize};

use crate::spec;

/// What the helper has to do in a node's main container. It can be kept with the pod, so that a driver
/// that takes over knows what the report is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// To keep the end of standard output.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub result: bool,
    /// To read these files, in this order, which the report keeps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<OutputFile>,
}

/// A file that becomes an output parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputFile {
    /// The parameter's name.
    pub name: String,
    /// Where it is in the main container; absolute.
    pub path: String,
}

impl Needs {
    /// Returns what `template`, with its tags replaced, is to report; `capture_result` is the engine's word.
    pub fn of(template: &spec::Template, capture_result: bool) -> Self {
        let outputs = template.outputs.iter().flat_map(|outputs| &outputs.parameters);
        Self { result: capture_result, parameters: outputs.filter_map(file).collect() }
    }

    /// Returns whether there is nothing to do, so that the pod needs no helper.
    pub fn is_empty(&self) -> bool {
        !self.result && self.parameters.is_empty()
    }
}

fn file(parameter: &spec::Parameter) -> Option<OutputFile> {
    let path = parameter.value_from.as_ref()?.path.as_ref()?;
    // What is relative is so to the root, as in Argo's executor.
    let path = if path.starts_with('/') { path.clone() } else { format!("/{path}") };
    Some(OutputFile { name: parameter.name.clone(), path })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_files_and_results_need_the_helper() {
        let template: spec::Template = serde_json::from_value(json!({
            "container": { "command": ["x"] },
            "outputs": { "parameters": [
                { "name": "a", "valueFrom": { "path": "/tmp/a" } },
                { "name": "b", "valueFrom": { "path": "b" } },
                { "name": "c", "valueFrom": { "expression": "1" } },
            ]},
        }))
        .expect("a template");
        let needs = Needs::of(&template, false);
        let shown: Vec<_> = needs.parameters.iter().map(|file| format!("{}={}", file.name, file.path)).collect();
        assert_eq!(shown, ["a=/tmp/a", "b=/b"]);
        assert!(!needs.is_empty());
        assert!(Needs::of(&spec::Template::default(), false).is_empty());
        assert!(!Needs::of(&spec::Template::default(), true).is_empty());
    }
}
