//! What a node made: of a pod's files, of the calls of a template, and what of it the run is to know.
//! Source: Argo's executor (`SaveParameters`), `getTemplateOutputsFromScope`, `resolveArtifact`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Decider;
use crate::base::NodeIx;
use crate::engine::event::Event;
use crate::engine::model::{NodeType, Phase};
use crate::engine::observation::{FileOutput, PodEnd, SavedArtifact};
use crate::engine::value::{Outputs, Parameter};
use crate::expr::{Scope, TemplateStr, Unresolved, Value, lang};
use crate::spec;

impl Decider<'_> {
    /// Returns how a pod node ends, with what it made. A pod that ended well without an output that
    /// it was to make ends in an error.
    pub(super) fn pod_end(&self, ix: NodeIx, end: PodEnd) -> (Phase, Arc<str>, Outputs) {
        let template = self.resolved_part(ix, &["outputs"]);
        let mut outputs = Outputs {
            result: end.result.as_deref().map(Arc::from),
            exit_code: end.exit_code.filter(|_| has_main(&template)),
            ..Outputs::default()
        };
        let declared = template.outputs.clone().unwrap_or_default();
        let mut faults = Vec::new();
        for parameter in &declared.parameters {
            match file_parameter(parameter, &end.parameters) {
                Ok(Some(value)) => outputs.parameters.push(value),
                Ok(None) => {}
                Err(fault) => faults.push(fault),
            }
        }
        for artifact in &declared.artifacts {
            match saved_artifact(artifact, &end.artifacts) {
                Ok(saved) => outputs.artifacts.extend(saved.map(Arc::new)),
                Err(fault) => faults.push(fault),
            }
        }
        match (end.phase, faults.first()) {
            (Phase::Succeeded, Some(fault)) => (Phase::Error, fault.as_str().into(), outputs),
            (phase, _) => (phase, end.message.as_str().into(), outputs),
        }
    }

    /// Returns the template of a node with at least the texts below `keys` replaced.
    pub(super) fn resolved_part(&self, ix: NodeIx, keys: &[&str]) -> Arc<spec::Template> {
        let slot = self.run.slot(ix);
        let template = slot.template.map(|template| self.plan.template(template));
        template.map(|template| super::render::part(template, &slot.texts, keys)).unwrap_or_default()
    }

    /// Returns the outputs of a steps or DAG node, from those of its calls.
    pub(super) fn call_outputs(&self, of: NodeIx) -> Result<Option<Outputs>, String> {
        let Some(template) = self.run.template_of(of) else { return Ok(None) };
        let Some(declared) = template.spec.outputs.as_ref() else { return Ok(None) };
        if declared.parameters.is_empty() && declared.artifacts.is_empty() {
            return Ok(None);
        }
        self.within(of, None, |scope| {
            let mut outputs = Outputs::default();
            for parameter in &declared.parameters {
                let value = self.call_parameter(parameter, scope)?;
                outputs.parameters.push(Parameter { name: parameter.name.as_str().into(), value: Some(value) });
            }
            for artifact in &declared.artifacts {
                match self.artifact_source(artifact, scope) {
                    Ok(Some(found)) => outputs.artifacts.push(Arc::new(found)),
                    Ok(None) => {}
                    Err(_) if artifact.optional == Some(true) => {}
                    Err(fault) => return Err(format!("unable to resolve outputs from scope: {fault}")),
                }
            }
            Ok(Some(outputs))
        })
    }

    fn call_parameter(&self, parameter: &spec::Parameter, scope: &dyn Scope) -> Result<Arc<str>, String> {
        let Some(from) = &parameter.value_from else {
            return Err("output parameters must have a valueFrom specified".to_owned());
        };
        let default = from.default.as_ref().map(|default| Arc::from(default.0.as_str()));
        let found = match (&from.expression, &from.parameter) {
            (Some(expression), _) => self.evaluate(expression, scope).map(Some),
            (None, Some(reference)) => self.reference(reference, scope),
            (None, None) => Ok(Some(Value::text(""))),
        };
        match (found, default) {
            (Ok(Some(value)), _) if !value.is_nil() => Ok(value.to_text().into()),
            (_, Some(default)) => Ok(default),
            (Err(fault), None) => Err(fault),
            // No template declares a result, so that Argo knows of none.
            (Ok(Some(_)), None) if reads_result(from) => Err(unresolved(from.parameter.as_deref())),
            (Ok(Some(_)), None) => Err(format!(
                "output parameter \"{}\": \"{}\" is an absent optional (skipped/omitted node output with no default)",
                parameter.name,
                from.parameter.as_deref().or(from.expression.as_deref()).unwrap_or_default()
            )),
            (Ok(None), None) => Err(unresolved(from.parameter.as_deref())),
        }
    }

    pub(super) fn evaluate(&self, expression: &str, scope: &dyn Scope) -> Result<Value, String> {
        // A template's own expressions may hold tags, which Argo replaces before it reads them.
        let replaced = match expression.contains("{{") {
            true => std::borrow::Cow::Owned(self.below(expression, scope)?),
            false => expression.into(),
        };
        let ast = lang::parse(&replaced).map_err(|fault| fault.to_string())?;
        lang::eval(&ast, scope, &self.ambient(0)).map_err(|fault| fault.to_string())
    }

    /// Returns what a reference names, with or without its braces: Argo's `ResolveVar`.
    fn reference(&self, text: &str, scope: &dyn Scope) -> Result<Option<Value>, String> {
        let parsed = TemplateStr::parse_lenient(text).map_err(|fault| fault.to_string())?;
        if parsed.is_literal() {
            return Ok(scope.get(text.trim()));
        }
        if let Some(name) = parsed.sole_variable() {
            return Ok(scope.get(name));
        }
        let inner = text.trim().strip_prefix("{{=").and_then(|text| text.strip_suffix("}}"));
        match inner {
            Some(expression) => self.evaluate(expression, scope).map(Some),
            None => {
                let rendered = parsed.render(scope, Unresolved::Refuse, &self.ambient(0));
                rendered.map(|text| Some(Value::text(text))).map_err(|fault| fault.to_string())
            }
        }
    }

    /// Returns the arguments of a call, with each artifact that comes from another in its place.
    pub(super) fn resolve_artifacts(
        &self,
        of: NodeIx,
        task: &spec::DAGTask,
    ) -> Result<Option<Arc<spec::Arguments>>, String> {
        let Some(arguments) = &task.arguments else { return Ok(None) };
        if arguments.artifacts.is_empty() {
            return Ok(Some(Arc::new(arguments.clone())));
        }
        self.within(of, None, |scope| self.place_arguments(arguments, scope)).map(|placed| Some(Arc::new(placed)))
    }

    pub(super) fn place_arguments(
        &self,
        arguments: &spec::Arguments,
        scope: &dyn Scope,
    ) -> Result<spec::Arguments, String> {
        let mut placed = spec::Arguments { parameters: arguments.parameters.clone(), artifacts: Vec::new() };
        for artifact in &arguments.artifacts {
            match self.artifact_source(artifact, scope) {
                Ok(Some(found)) => placed.artifacts.push(found),
                Ok(None) => placed.artifacts.push(artifact.clone()),
                Err(_) if artifact.optional == Some(true) => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(placed)
    }

    /// Returns the artifact that `artifact` says it comes from, under its own name.
    fn artifact_source(&self, artifact: &spec::Artifact, scope: &dyn Scope) -> Result<Option<spec::Artifact>, String> {
        let value = match (&artifact.from_expression, &artifact.from) {
            (Some(expression), _) => Some(self.evaluate(expression, scope)?),
            (None, Some(reference)) => self.reference(reference, scope)?,
            (None, None) => return Ok(None),
        };
        let named = || artifact.from.as_deref().or(artifact.from_expression.as_deref());
        let Some(value @ Value::Map(_)) = value else { return Err(unresolved(named())) };
        let mut found: spec::Artifact = serde_json::from_value(value.to_json())
            .map_err(|_| format!("`{}` is not an artifact", named().unwrap_or_default()))?;
        found.name.clone_from(&artifact.name);
        if let Some(below) = artifact.sub_path.as_deref().filter(|below| !below.is_empty()) {
            let below = self.below(below, scope)?;
            append_to_key(&mut found, &below);
        }
        Ok(Some(found))
    }

    fn below(&self, text: &str, scope: &dyn Scope) -> Result<String, String> {
        let parsed = TemplateStr::parse_lenient(text).map_err(|fault| fault.to_string())?;
        parsed.render(scope, Unresolved::Keep, &self.ambient(0)).map_err(|fault| fault.to_string())
    }

    /// Tells the run those outputs of a node that have a `globalName`.
    pub(super) fn share_outputs(&mut self, ix: NodeIx) {
        let node = self.run.node(ix);
        let Some(outputs) = node.outputs.clone() else { return };
        let grouped = matches!(node.kind, NodeType::Steps | NodeType::Dag);
        let template = if grouped {
            self.run.template_of(ix).map(|t| t.spec.clone())
        } else {
            Some(self.resolved_part(ix, &["outputs"]))
        };
        let Some(declared) = template.and_then(|template| template.outputs.clone()) else { return };
        let global = |name: &Option<String>| -> Option<Arc<str>> {
            let name = name.as_deref().filter(|name| !name.is_empty())?;
            Some(self.within_or_plain(ix, grouped, name).into())
        };
        let mut shared = (Vec::new(), Vec::new());
        for parameter in &declared.parameters {
            let value = outputs.parameter(&parameter.name).cloned();
            if let (Some(name), Some(value)) = (global(&parameter.global_name), value) {
                shared.0.push(Parameter { name, value: Some(value) });
            }
        }
        for artifact in &declared.artifacts {
            if let (Some(name), Some(made)) = (global(&artifact.global_name), outputs.artifact(&artifact.name)) {
                let shown =
                    spec::Artifact { name: name.to_string(), path: None, global_name: None, ..(**made).clone() };
                shared.1.push(Arc::new(shown));
            }
        }
        if !(shared.0.is_empty() && shared.1.is_empty()) {
            self.emit(Event::Global { p: shared.0, a: shared.1 });
        }
    }

    fn within_or_plain(&self, ix: NodeIx, grouped: bool, text: &str) -> String {
        if !grouped || !text.contains("{{") {
            return text.to_owned();
        }
        self.within(ix, None, |scope| self.below(text, scope)).unwrap_or_else(|_| text.to_owned())
    }
}

fn reads_result(from: &spec::ValueFrom) -> bool {
    from.parameter
        .as_deref()
        .is_some_and(|reference| reference.trim_end_matches('}').trim_end().ends_with(".outputs.result"))
}

/// Returns Argo's words for a reference to what is not there, which name it without its braces.
fn unresolved(reference: Option<&str>) -> String {
    let text = reference.unwrap_or_default().trim();
    let name = text.strip_prefix("{{").and_then(|text| text.strip_suffix("}}")).unwrap_or(text);
    format!("Unable to resolve: \"{}\"", name.trim_start_matches('=').trim())
}

/// Returns whether a pod has a container `main`, whose exit code is the node's; a container set may have none.
/// Source: Argo's `getExitCode`.
fn has_main(template: &spec::Template) -> bool {
    let Some(set) = &template.container_set else { return true };
    set.containers.iter().any(|node| node.container.0.get("name").is_some_and(|name| name == "main"))
}

fn file_parameter(
    declared: &spec::Parameter,
    files: &BTreeMap<String, FileOutput>,
) -> Result<Option<Parameter>, String> {
    let from = declared.value_from.as_ref();
    let default = from.and_then(|from| from.default.as_ref()).map(|default| Arc::from(default.0.as_str()));
    let path = from.and_then(|from| from.path.as_deref());
    let value = match (files.get(&declared.name), default) {
        (Some(FileOutput::Found(text)), _) => Some(Arc::from(text.as_str())),
        (Some(FileOutput::Unusable(why)), _) => {
            return Err(format!("failed to save output parameter `{}`: {why}", declared.name));
        }
        (_, Some(default)) => Some(default),
        (_, None) => match path {
            Some(path) => {
                return Err(format!("failed to save output parameter `{}`: there is no file `{path}`", declared.name));
            }
            None => declared.value.as_ref().map(|value| Arc::from(value.0.as_str())),
        },
    };
    Ok(value.map(|value| Parameter { name: declared.name.as_str().into(), value: Some(value) }))
}

fn saved_artifact(
    declared: &spec::Artifact,
    saved: &BTreeMap<String, SavedArtifact>,
) -> Result<Option<spec::Artifact>, String> {
    match saved.get(&declared.name) {
        Some(SavedArtifact::Saved(artifact)) => Ok(Some((**artifact).clone())),
        Some(SavedArtifact::Unusable(why)) => Err(format!("failed to save output artifact `{}`: {why}", declared.name)),
        Some(SavedArtifact::Absent) | None if declared.optional == Some(true) || declared.path.is_none() => Ok(None),
        Some(SavedArtifact::Absent) | None => Err(format!(
            "failed to save output artifact `{}`: there is no file `{}`",
            declared.name,
            declared.path.as_deref().unwrap_or_default()
        )),
    }
}

/// Adds a path below an artifact to the key under which it is stored. Source: Argo's `AppendToKey`.
fn append_to_key(artifact: &mut spec::Artifact, below: &str) {
    let location = &mut artifact.location;
    let keys = [
        location.s3.as_mut().and_then(|store| store.key.as_mut()),
        location.gcs.as_mut().map(|store| &mut store.key),
        location.oss.as_mut().map(|store| &mut store.key),
        location.azure.as_mut().map(|store| &mut store.blob),
    ];
    for key in keys.into_iter().flatten() {
        *key = format!("{}/{}", key.trim_end_matches('/'), below.trim_start_matches('/'));
    }
}
