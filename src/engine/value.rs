//! The values that pass between nodes: parameters and artifacts, both the engine's.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::spec;

/// A named text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// The parameter's name.
    #[serde(rename = "n")]
    pub name: Arc<str>,
    /// Its value; absent while it waits to be supplied, or when its producer was skipped.
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Arc<str>>,
}

/// What a node was given.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Inputs {
    /// Its parameters, in the order of the template.
    #[serde(rename = "p", default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
    /// Its artifacts, each with the place where it lies.
    #[serde(rename = "a", default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Arc<spec::Artifact>>,
}

/// What a node made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Outputs {
    /// Its parameters, in the order of the template.
    #[serde(rename = "p", default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
    /// Its artifacts, each with the place where it lies.
    #[serde(rename = "a", default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Arc<spec::Artifact>>,
    /// The end of its standard output, when somebody refers to it.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Arc<str>>,
    /// The exit code of its main container.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
}

impl Inputs {
    /// Returns the value of the parameter called `name`.
    pub fn parameter(&self, name: &str) -> Option<&Arc<str>> {
        find(&self.parameters, name)
    }

    /// Returns the artifact called `name`.
    pub fn artifact(&self, name: &str) -> Option<&Arc<spec::Artifact>> {
        self.artifacts.iter().find(|artifact| artifact.name == name)
    }
}

impl Outputs {
    /// Returns the value of the parameter called `name`.
    pub fn parameter(&self, name: &str) -> Option<&Arc<str>> {
        find(&self.parameters, name)
    }

    /// Returns the artifact called `name`.
    pub fn artifact(&self, name: &str) -> Option<&Arc<spec::Artifact>> {
        self.artifacts.iter().find(|artifact| artifact.name == name)
    }

    /// Returns whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.parameters.is_empty() && self.artifacts.is_empty() && self.result.is_none() && self.exit_code.is_none()
    }
}

fn find<'a>(parameters: &'a [Parameter], name: &str) -> Option<&'a Arc<str>> {
    parameters.iter().find(|parameter| &*parameter.name == name)?.value.as_ref()
}
