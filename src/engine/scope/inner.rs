//! What a template's own texts may name: its inputs, the paths of its files, and a few words about
//! the node. Source: Argo's `SubstituteParams`.

use std::sync::Arc;

use serde_json::json;

use super::{artifact, text};
use crate::engine::value::Inputs;
use crate::expr::{Scope, Value};
use crate::spec;

/// The inside of one call of a template.
pub(in crate::engine) struct Inner<'c> {
    pub template: &'c spec::Template,
    pub inputs: &'c Inputs,
    /// `node.name`, `pod.name`, `retries` and the like.
    pub locals: &'c [(&'static str, Arc<str>)],
}

impl Scope for Inner<'_> {
    fn get(&self, name: &str) -> Option<Value> {
        if let Some((_, value)) = self.locals.iter().find(|(local, _)| *local == name) {
            return Some(text(value));
        }
        if let Some(rest) = name.strip_prefix("inputs.") {
            return self.input(rest);
        }
        let rest = name.strip_prefix("outputs.")?.strip_suffix(".path")?;
        self.output_path(rest).map(text)
    }

    fn under(&self, root: &str, each: &mut dyn FnMut(&str, Value)) {
        match root {
            "inputs" => self.under_inputs(each),
            _ => {
                for (name, value) in self.locals.iter().filter(|(name, _)| name.split('.').next() == Some(root)) {
                    each(name, text(value));
                }
            }
        }
    }

    fn roots(&self, each: &mut dyn FnMut(&str)) {
        each("inputs");
        for (name, _) in self.locals {
            each(name.split('.').next().unwrap_or(name));
        }
    }
}

impl Inner<'_> {
    fn input(&self, rest: &str) -> Option<Value> {
        if rest == "parameters" {
            return Some(text(self.parameters_json()));
        }
        if let Some(name) = rest.strip_prefix("parameters.") {
            return self.inputs.parameter(name).map(text);
        }
        let name = rest.strip_prefix("artifacts.")?;
        match name.strip_suffix(".path") {
            Some(name) => self.inputs.artifact(name)?.path.as_ref().map(text),
            None => self.inputs.artifact(name).map(|given| artifact(given)),
        }
    }

    fn under_inputs(&self, each: &mut dyn FnMut(&str, Value)) {
        for parameter in &self.inputs.parameters {
            if let Some(value) = &parameter.value {
                each(&format!("inputs.parameters.{}", parameter.name), text(value));
            }
        }
        for given in &self.inputs.artifacts {
            each(&format!("inputs.artifacts.{}", given.name), artifact(given));
        }
    }

    fn parameters_json(&self) -> String {
        let entry = |parameter: &crate::engine::value::Parameter| json!({"name": &*parameter.name, "value": parameter.value.as_deref()});
        serde_json::Value::from_iter(self.inputs.parameters.iter().map(entry)).to_string()
    }

    fn output_path(&self, rest: &str) -> Option<&String> {
        let outputs = self.template.outputs.as_ref()?;
        if let Some(name) = rest.strip_prefix("artifacts.") {
            return outputs.artifacts.iter().find(|artifact| artifact.name == name)?.path.as_ref();
        }
        let name = rest.strip_prefix("parameters.")?;
        let parameter = outputs.parameters.iter().find(|parameter| parameter.name == name)?;
        parameter.value_from.as_ref()?.path.as_ref()
    }
}

/// Several scopes as one: the first that knows a name gives its value.
pub(in crate::engine) struct Chain<'s>(pub &'s [&'s dyn Scope]);

impl Scope for Chain<'_> {
    fn get(&self, name: &str) -> Option<Value> {
        self.0.iter().find_map(|scope| scope.get(name))
    }

    fn under(&self, root: &str, each: &mut dyn FnMut(&str, Value)) {
        for scope in self.0.iter().rev() {
            scope.under(root, each);
        }
    }

    fn roots(&self, each: &mut dyn FnMut(&str)) {
        for scope in self.0 {
            scope.roots(each);
        }
    }
}
