//! The variables that are known everywhere: `workflow.*`.

use std::collections::BTreeSet;

use super::compile::Draft;
use super::kinds;
use super::model::TemplateIx;
use crate::spec;

/// What is known everywhere: `workflow.*`.
pub(super) struct Globals<'a> {
    parameters: BTreeSet<&'a str>,
    /// Parameters may come from the workflow that uses this template.
    any_parameter: bool,
    labels: BTreeSet<&'a str>,
    annotations: BTreeSet<&'a str>,
    has_priority: bool,
    /// Whether the run is one of a CronWorkflow, or may be.
    pub is_scheduled: bool,
    outputs: GlobalOutputs<'a>,
    artifacts: GlobalOutputs<'a>,
    /// By template: what its calls give out.
    given: Vec<Given<'a>>,
}

/// What a call of a template gives out.
pub(super) struct Given<'a> {
    pub parameters: BTreeSet<&'a str>,
    pub artifacts: BTreeSet<&'a str>,
    /// Whether it has a result and an exit code.
    pub has_result: bool,
}

impl<'a> Given<'a> {
    fn of(template: &'a spec::Template) -> Self {
        let outputs = template.outputs.iter();
        Self {
            parameters: outputs.clone().flat_map(|outputs| &outputs.parameters).map(|output| &*output.name).collect(),
            artifacts: outputs.flat_map(|outputs| &outputs.artifacts).map(|output| &*output.name).collect(),
            has_result: kinds::has_result(template),
        }
    }
}

/// The names that outputs get for the whole run.
#[derive(Default)]
struct GlobalOutputs<'a> {
    names: BTreeSet<&'a str>,
    /// One is named by a tag, and may be any.
    any: bool,
}

impl<'a> GlobalOutputs<'a> {
    fn add(&mut self, name: Option<&'a str>) {
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            self.any |= name.contains("{{");
            self.names.insert(name);
        }
    }

    fn has(&self, name: &str) -> bool {
        self.any || self.names.contains(name)
    }
}

impl<'a> Globals<'a> {
    /// Collects what the workflow and its templates declare. A template that is judged on its own
    /// (`library`) may use parameters that only the workflow has which uses it.
    pub fn of(draft: &'a Draft, library: bool) -> Self {
        let spec = &draft.resolved.spec;
        let metadata = spec.workflow_metadata.as_ref();
        let own = &draft.resolved.metadata;
        let mut globals = Self {
            parameters: parameters(spec.arguments.as_ref()).collect(),
            any_parameter: library,
            labels: own.labels.keys().map(String::as_str).collect(),
            annotations: own.annotations.keys().map(String::as_str).collect(),
            has_priority: spec.priority.is_some(),
            is_scheduled: library || is_scheduled(own),
            outputs: GlobalOutputs::default(),
            artifacts: GlobalOutputs::default(),
            given: draft.templates.iter().map(|template| Given::of(&template.spec)).collect(),
        };
        if let Some(metadata) = metadata {
            globals.labels.extend(metadata.labels.keys().chain(metadata.labels_from.keys()).map(String::as_str));
            globals.annotations.extend(metadata.annotations.keys().map(String::as_str));
        }
        for outputs in draft.templates.iter().filter_map(|template| template.spec.outputs.as_ref()) {
            outputs.parameters.iter().for_each(|output| globals.outputs.add(output.global_name.as_deref()));
            outputs.artifacts.iter().for_each(|output| globals.artifacts.add(output.global_name.as_deref()));
        }
        globals
    }

    /// Returns what calls of a template give out.
    pub fn given(&self, template: TemplateIx) -> &Given<'a> {
        &self.given[template.index()]
    }

    /// Returns whether `workflow.REST` exists; `failures` only where the run may have ended.
    pub fn has(&self, rest: &str, at_exit: bool) -> bool {
        let below = |root: &str| rest.strip_prefix(root).and_then(|rest| rest.strip_prefix('.'));
        // Argo takes whatever begins so, since these are filled in when it runs.
        let late = ["scheduledTime", "duration"];
        // A letter of `strftime`, or one of Argo's own two words.
        let of_creation = |format: &str| format == "RFC3339" || format.chars().count() == 1;
        if rest == "creationTimestamp" || below("creationTimestamp").is_some_and(of_creation) {
            return true;
        }
        let always = [
            "name",
            "namespace",
            "uid",
            "mainEntrypoint",
            "serviceAccountName",
            "status",
            "labels",
            "labels.json",
            "annotations",
            "annotations.json",
        ];
        if always.contains(&rest) || late.iter().any(|word| rest.starts_with(word)) {
            return true;
        }
        match rest {
            "priority" => return self.has_priority,
            "failures" => return at_exit,
            "parameters" | "parameters.json" => return self.any_parameter || !self.parameters.is_empty(),
            _ => {}
        }
        if let Some(name) = below("outputs.parameters") {
            self.outputs.has(name)
        } else if let Some(name) = below("outputs.artifacts") {
            self.artifacts.has(name)
        } else if let Some(name) = below("parameters") {
            self.any_parameter || self.parameters.contains(name)
        } else if let Some(name) = below("labels") {
            self.labels.contains(name)
        } else {
            below("annotations").is_some_and(|name| self.annotations.contains(name))
        }
    }

    pub fn names(&self) -> impl Iterator<Item = String> {
        let words = [
            "name",
            "namespace",
            "uid",
            "mainEntrypoint",
            "serviceAccountName",
            "status",
            "creationTimestamp",
            "duration",
        ];
        let words = words.into_iter().map(|word| format!("workflow.{word}"));
        let named = |kind: &'static str, names: &BTreeSet<&str>| -> Vec<String> {
            names.iter().map(|name| format!("workflow.{kind}.{name}")).collect()
        };
        words
            .chain(named("parameters", &self.parameters))
            .chain(named("labels", &self.labels))
            .chain(named("annotations", &self.annotations))
            .chain(named("outputs.parameters", &self.outputs.names))
            .chain(named("outputs.artifacts", &self.artifacts.names))
    }
}

/// Source: `GetScheduledTime`; a CronWorkflow marks what it submits.
fn is_scheduled(metadata: &spec::ObjectMeta) -> bool {
    metadata.labels.contains_key("workflows.argoproj.io/cron-workflow")
        || metadata.annotations.contains_key("workflows.argoproj.io/scheduled-time")
}

fn parameters(arguments: Option<&spec::Arguments>) -> impl Iterator<Item = &str> {
    arguments.into_iter().flat_map(|arguments| arguments.parameters.iter().map(|parameter| parameter.name.as_str()))
}
