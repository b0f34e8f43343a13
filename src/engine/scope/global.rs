//! `workflow.*`: what every text of a run may name. Source: Argo's `setGlobalParameters`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use serde_json::json;

use super::{artifact, text};
use crate::base::Timestamp;
use crate::engine::model::{Phase, fnv1a_32};
use crate::engine::run::Run;
use crate::engine::value::Parameter;
use crate::expr::{Ambient, Scope, TemplateStr, Unresolved, Value, lang};
use crate::spec;

/// The conversions of C's `strftime` that Argo offers as `workflow.creationTimestamp.<letter>`.
const STRFTIME_LETTERS: &str = "aAbBcCdeDFHIjlmMnpQrRstTuvVwWxXyYzZ";

/// The variables of the run as a whole.
pub(in crate::engine) struct Global<'r> {
    pub run: &'r Run,
    /// The instant at which it is asked: `workflow.duration` counts up to it.
    pub at: Timestamp,
}

impl Scope for Global<'_> {
    fn get(&self, name: &str) -> Option<Value> {
        let name = name.strip_prefix("workflow.")?;
        let (first, rest) = name.split_once('.').map_or((name, None), |(first, rest)| (first, Some(rest)));
        match (first, rest) {
            ("parameters", Some("json") | None) => Some(text(self.parameters_json())),
            ("parameters", Some(name)) => self.parameter(name).map(text),
            ("outputs", Some(rest)) => self.output(rest),
            ("labels", Some("json") | None) => Some(text(json!(labels(self.run)).to_string())),
            ("labels", Some(name)) => labels(self.run).get(name).map(text),
            ("annotations", Some("json") | None) => Some(text(json!(annotations(self.run)).to_string())),
            ("annotations", Some(name)) => annotations(self.run).get(name).map(text),
            ("creationTimestamp", letter) => self.creation(letter).map(text),
            (name, None) => self.simple(name).map(text),
            _ => None,
        }
    }

    fn under(&self, root: &str, each: &mut dyn FnMut(&str, Value)) {
        if root != "workflow" {
            return;
        }
        const SIMPLE: [&str; 9] = [
            "name",
            "namespace",
            "uid",
            "mainEntrypoint",
            "serviceAccountName",
            "priority",
            "status",
            "duration",
            "failures",
        ];
        for name in SIMPLE.iter().chain(&["creationTimestamp", "scheduledTime"]) {
            if let Some(value) = self.get(&format!("workflow.{name}")) {
                each(&format!("workflow.{name}"), value);
            }
        }
        for letter in STRFTIME_LETTERS.chars().map(String::from).chain(["s".into(), "RFC3339".into()]) {
            if let Some(value) = self.creation(Some(&letter)) {
                each(&format!("workflow.creationTimestamp.{letter}"), text(value));
            }
        }
        self.under_maps(each);
    }

    fn roots(&self, each: &mut dyn FnMut(&str)) {
        each("workflow");
    }
}

impl Global<'_> {
    fn under_maps(&self, each: &mut dyn FnMut(&str, Value)) {
        for parameter in &self.run.arguments {
            if let Some(value) = &parameter.value {
                each(&format!("workflow.parameters.{}", parameter.name), text(value));
            }
        }
        for (name, value) in labels(self.run) {
            each(&format!("workflow.labels.{name}"), text(value));
        }
        for (name, value) in annotations(self.run) {
            each(&format!("workflow.annotations.{name}"), text(value));
        }
        for parameter in &self.run.outputs.parameters {
            if let Some(value) = &parameter.value {
                each(&format!("workflow.outputs.parameters.{}", parameter.name), text(value));
            }
        }
        for made in &self.run.outputs.artifacts {
            each(&format!("workflow.outputs.artifacts.{}", made.name), artifact(made));
        }
    }

    fn simple(&self, name: &str) -> Option<String> {
        let spec = &self.run.plan.resolved.spec;
        let metadata = &self.run.plan.resolved.metadata;
        match name {
            "name" => Some(self.run.name.to_string()),
            "namespace" => Some(metadata.namespace.clone().unwrap_or_else(|| "default".to_owned())),
            "uid" => Some(self.run.uid.to_string()),
            "mainEntrypoint" => spec.entrypoint.clone(),
            "serviceAccountName" => Some(spec.service_account_name.clone().unwrap_or_default()),
            "priority" => spec.priority.map(|priority| priority.to_string()),
            "scheduledTime" => metadata.annotations.get("workflows.argoproj.io/scheduled-time").cloned(),
            "status" => Some(self.status().to_owned()),
            "duration" => Some(format!("{:.6}", self.duration_secs())),
            "failures" => Some(go_quote(&self.failures())),
            _ => None,
        }
    }

    fn parameter(&self, name: &str) -> Option<&Arc<str>> {
        self.run.arguments.iter().find(|parameter| &*parameter.name == name)?.value.as_ref()
    }

    fn parameters_json(&self) -> String {
        let entry = |parameter: &Parameter| json!({"name": &*parameter.name, "value": parameter.value.as_deref()});
        serde_json::Value::from_iter(self.run.arguments.iter().map(entry)).to_string()
    }

    fn output(&self, rest: &str) -> Option<Value> {
        if let Some(name) = rest.strip_prefix("parameters.") {
            return self.run.outputs.parameter(name).map(text);
        }
        self.run.outputs.artifact(rest.strip_prefix("artifacts.")?).map(|made| artifact(made))
    }

    fn creation(&self, letter: Option<&str>) -> Option<String> {
        let instant = self.run.created_at;
        match letter {
            None | Some("RFC3339") => Some(instant.rfc3339()),
            Some("s") => Some(instant.0.div_euclid(1000).to_string()),
            Some(letter) if letter.len() == 1 && STRFTIME_LETTERS.contains(letter) => {
                let zoned = instant.to_jiff().to_zoned(jiff::tz::TimeZone::UTC);
                jiff::fmt::strtime::format(format!("%{letter}"), &zoned).ok()
            }
            Some(_) => None,
        }
    }

    /// The entry's phase is the run's, for hooks and exit handlers.
    fn status(&self) -> &'static str {
        match self.run.find(self.run.name.as_str()).map(|node| node.phase) {
            Some(Phase::Skipped | Phase::Omitted) => Phase::Succeeded.as_str(),
            Some(phase) => phase.as_str(),
            None => self.run.phase.as_str(),
        }
    }

    fn duration_secs(&self) -> f64 {
        let started = self.run.started_at.unwrap_or(self.at);
        self.run.finished_at.unwrap_or(self.at).since(started).as_secs_f64()
    }

    /// Returns the failed nodes as Argo's `failedNodeStatus` list; `null` when there is none.
    fn failures(&self) -> String {
        let failed = self.run.nodes().filter(|node| node.phase.is_bad()).map(|node| {
            json!({
                "displayName": &*node.display_name,
                "message": &*node.message,
                "templateName": &*node.template,
                "phase": node.phase.as_str(),
                "podName": pod_name(self.run.name.as_str(), &node.name, &node.template),
                "finishedAt": node.finished_at.map(Timestamp::rfc3339),
            })
        });
        match serde_json::Value::from_iter(failed) {
            serde_json::Value::Array(list) if list.is_empty() => "null".to_owned(),
            list => list.to_string(),
        }
    }
}

/// How much of a pod's name tells the run and the template: 253 characters less what its number may take.
const POD_PREFIX_CHARS_MAX: usize = 242;

/// Returns the name that Argo gives to a node's pod. Source: `GeneratePodName`, version 2.
pub(in crate::engine) fn pod_name(run: &str, node: &str, template: &str) -> String {
    if run == node {
        return run.to_owned();
    }
    let mut name = format!("{run}-{template}");
    if let Some((end, _)) = name.char_indices().nth(POD_PREFIX_CHARS_MAX) {
        name.truncate(end);
    }
    let _ = write!(name, "-{}", fnv1a_32(node));
    name
}

/// Returns the text as Go's `strconv.Quote` writes it: consumers decode `workflow.failures` twice.
fn go_quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Returns the labels of the run: those of the manifest, of `workflowMetadata`, and of `labelsFrom`.
pub(in crate::engine) fn labels(run: &Run) -> BTreeMap<String, String> {
    let resolved = &run.plan.resolved;
    let mut labels: BTreeMap<_, _> = resolved.metadata.labels.clone().into_iter().collect();
    let Some(metadata) = &resolved.spec.workflow_metadata else { return labels };
    labels.extend(metadata.labels.clone());
    for (name, from) in &metadata.labels_from {
        if let Some(value) = label_from(run, &from.expression) {
            labels.insert(name.clone(), value);
        }
    }
    labels
}

/// `labelsFrom` sees the run's own words, but no labels, which would be made of themselves.
fn label_from(run: &Run, expression: &str) -> Option<String> {
    let scope = OwnWords { run };
    let value = lang::eval(&lang::parse(expression).ok()?, &scope, &ambient(run, run.created_at, 0)).ok()?;
    Some(value.to_text())
}

fn annotations(run: &Run) -> BTreeMap<String, String> {
    let resolved = &run.plan.resolved;
    let mut annotations: BTreeMap<_, _> = resolved.metadata.annotations.clone().into_iter().collect();
    if let Some(metadata) = &resolved.spec.workflow_metadata {
        annotations.extend(metadata.annotations.clone());
    }
    annotations
}

/// Returns the run's arguments with their values: given, from a ConfigMap, or by default, with
/// the run's own words replaced in them.
pub(in crate::engine) fn arguments(run: &Run) -> Vec<Parameter> {
    let given = run.plan.arguments().map_or(&[][..], |arguments| &arguments.parameters);
    let value = |parameter: &spec::Parameter| -> Option<Arc<str>> {
        let raw = match (&parameter.value, &parameter.value_from) {
            (Some(value), _) => value.0.clone(),
            (None, Some(from)) => from_config_map(run, from, &OwnWords { run })?,
            (None, None) => parameter.default.as_ref()?.0.clone(),
        };
        Some(own_words(run, &raw).into())
    };
    given.iter().map(|parameter| Parameter { name: parameter.name.as_str().into(), value: value(parameter) }).collect()
}

/// Returns the value of a `configMapKeyRef`, whose name and key may have tags, or its default.
pub(in crate::engine) fn from_config_map(run: &Run, from: &spec::ValueFrom, scope: &dyn Scope) -> Option<String> {
    let default = || from.default.as_ref().map(|default| default.0.clone());
    let Some(reference) = &from.config_map_key_ref else { return default() };
    let ambient = ambient(run, run.created_at, 0);
    let render = |text: &str| TemplateStr::parse(text).ok()?.render(scope, Unresolved::Keep, &ambient).ok();
    let map = run.plan.resolved.config_maps.get(&render(reference.name.as_deref()?)?);
    map.and_then(|map| map.get(&render(&reference.key)?).cloned()).or_else(default)
}

fn own_words(run: &Run, raw: &str) -> String {
    let rendered = TemplateStr::parse(raw).ok().filter(|parsed| !parsed.is_literal());
    let rendered = rendered
        .and_then(|parsed| parsed.render(&OwnWords { run }, Unresolved::Keep, &ambient(run, run.created_at, 0)).ok());
    rendered.unwrap_or_else(|| raw.to_owned())
}

/// The global variables less those that are made of them.
struct OwnWords<'r> {
    run: &'r Run,
}

impl Scope for OwnWords<'_> {
    fn get(&self, name: &str) -> Option<Value> {
        let global = Global { run: self.run, at: self.run.created_at };
        if name.starts_with("workflow.labels") { None } else { global.get(name) }
    }

    fn under(&self, root: &str, each: &mut dyn FnMut(&str, Value)) {
        if root != "workflow" {
            return;
        }
        for name in ["name", "namespace", "uid", "mainEntrypoint", "serviceAccountName", "priority"] {
            if let Some(value) = self.get(&format!("workflow.{name}")) {
                each(&format!("workflow.{name}"), value);
            }
        }
        for parameter in &self.run.arguments {
            if let Some(value) = &parameter.value {
                each(&format!("workflow.parameters.{}", parameter.name), text(value));
            }
        }
    }
}

/// Returns what time and chance are at an instant of the run: the same whenever it is asked again.
pub(in crate::engine) fn ambient(run: &Run, at: Timestamp, salt: u64) -> Ambient {
    let mixed = u64::from(fnv1a_32(&run.uid.0)) << 32 ^ (at.0 as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ salt;
    Ambient { now: at, seed: mixed }
}
