//! What a node hands out at its end, as its Job and pods say it: a driver that takes over has
//! nothing else to go by.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::helper::{Needs, OutputFile};
use super::{containers, names};
use crate::engine::PodRequest;

/// What a node hands out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Due {
    /// Whether the end of its standard output is its result.
    #[serde(default, skip_serializing_if = "is_false")]
    pub result: bool,
    /// The output parameters that are files, by name, in the order of the template.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,
    /// The containers of a set, in the order of the template: its pod ends with all of them, not with one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
    /// Whether it serves others while it runs.
    #[serde(default, skip_serializing_if = "is_false")]
    pub daemon: bool,
    /// Whether the manifest says how long its pod may be pending, which is the engine's to watch.
    #[serde(default, skip_serializing_if = "is_false")]
    pub has_patience: bool,
    /// Whether its template says that its logs are kept, or are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive_logs: Option<bool>,
}

fn is_false(word: &bool) -> bool {
    !word
}

impl Due {
    /// Returns what the node of `request` hands out.
    pub(super) fn of(request: &PodRequest) -> Self {
        let needs = Needs::of(&request.template, request.capture_result);
        Self {
            result: needs.result,
            parameters: needs.parameters.into_iter().map(|file| file.name).collect(),
            set: containers::of_set(&request.template),
            daemon: request.template.daemon == Some(true),
            has_patience: request.template.pending_timeout.is_some(),
            archive_logs: request.template.archive_location.as_ref().and_then(|location| location.archive_logs),
        }
    }

    /// Returns whether there is anything to read when the pod has ended.
    pub(super) fn has_outputs(&self) -> bool {
        self.result || !self.parameters.is_empty()
    }

    /// Returns the containers whose ends make the pod's.
    pub(super) fn workers(&self) -> Vec<&str> {
        if self.set.is_empty() { vec![containers::MAIN] } else { self.set.iter().map(String::as_str).collect() }
    }

    /// Returns what the helper was told to report; where the files were is forgotten.
    pub(super) fn needs(&self) -> Needs {
        let file = |name: &String| OutputFile { name: name.clone(), path: String::new() };
        Needs { result: self.result, parameters: self.parameters.iter().map(file).collect() }
    }

    /// Returns the text of the annotation.
    pub(super) fn write(&self) -> String {
        serde_json::to_string(self).expect("plain data")
    }

    /// Reads the annotation; what is not there, or is not ours, is nothing.
    pub(super) fn read(annotations: Option<&BTreeMap<String, String>>) -> Self {
        let text = annotations.and_then(|annotations| annotations.get(names::DUE));
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }
}
