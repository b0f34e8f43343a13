//! Which variables exist where: what a tag or an expression may name.
//!
//! Source: `validate.go` of Argo (`resolveAllVariables`, `addOutputsToScope`), apart from its
//! order: a global output is known everywhere once some template declares it.

use std::collections::{BTreeMap, BTreeSet};

use super::compile::Draft;
use super::globals::Globals;
use super::kinds::{is_leaf, is_pod};
use super::model::{Body, Task, TaskIx, Template};
use crate::base::limits;
use crate::spec;

/// The roots under which a name that does not exist is an error; any other word stays as it is.
/// Source: `GlobalVarValidWorkflowVariablePrefix`.
const ROOTS: [&str; 7] = ["item", "steps", "inputs", "outputs", "pod", "workflow", "tasks"];

/// Returns whether Argo looks at a name at all.
pub(super) fn is_variable(name: &str) -> bool {
    name.split_once('.').is_some_and(|(root, _)| ROOTS.contains(&root))
}

/// Returns whether Argo gives the name a value in some places, though it looks at it in none.
pub(super) fn is_known_word(name: &str) -> bool {
    const WORDS: [&str; 6] = ["item", "retries", "status", "duration", "exitCode", "node.name"];
    const BELOW: [&str; 6] = ["lastRetry.", "resourcesDuration.", "request.", "response.", "cronworkflow.", "outputs."];
    WORDS.contains(&name) || BELOW.iter().any(|root| name.starts_with(root))
}

/// Whether a variable exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// It does.
    Known,
    /// It does not.
    Unknown,
    /// It is of this step or task, and exists only where that has ended before.
    OfTask(TaskIx),
}

/// The items that a call loops over.
pub(super) enum Items<'a> {
    /// It does not loop.
    None,
    /// Items that are known.
    Listed(&'a [spec::Item]),
    /// Items of a list that is made when it runs.
    Any,
    /// Numbers.
    Numbers,
}

impl<'a> Items<'a> {
    /// Returns the items of a step or task.
    pub fn of(task: &'a spec::DAGTask) -> Self {
        if !task.with_items.is_empty() {
            Self::Listed(&task.with_items)
        } else if task.with_param.as_deref().is_some_and(|text| !text.is_empty()) {
            Self::Any
        } else if task.with_sequence.is_some() {
            Self::Numbers
        } else {
            Self::None
        }
    }

    /// Returns whether `item.KEY` exists.
    fn has(&self, key: &str) -> bool {
        match self {
            Self::None | Self::Numbers => false,
            Self::Any => true,
            Self::Listed(items) => items.iter().any(|item| match &item.0 {
                serde_json::Value::Object(fields) => fields.contains_key(key),
                serde_json::Value::Array(items) => {
                    let index = key.strip_prefix('[').and_then(|key| key.strip_suffix(']'));
                    index.and_then(|index| index.parse::<usize>().ok()).is_some_and(|index| index < items.len())
                }
                // A text with tags may become a map.
                serde_json::Value::String(text) => text.contains("{{"),
                _ => false,
            }),
        }
    }

    /// Returns whether there are items at all.
    pub fn exist(&self) -> bool {
        !matches!(self, Self::None)
    }
}

/// The variables of a template's own texts, its steps and tasks included.
pub(super) struct Variables<'a> {
    draft: &'a Draft,
    globals: &'a Globals<'a>,
    template: &'a spec::Template,
    /// `steps`, `tasks`, or none.
    root: Option<&'static str>,
    nodes: BTreeMap<&'a str, (TaskIx, &'a Task)>,
    inputs: InputNames<'a>,
    at_exit: bool,
}

/// The names of a template's inputs.
struct InputNames<'a> {
    parameters: BTreeSet<&'a str>,
    artifacts: BTreeSet<&'a str>,
}

impl<'a> InputNames<'a> {
    fn of(template: &'a spec::Template) -> Self {
        let inputs = template.inputs.iter();
        Self {
            parameters: inputs.clone().flat_map(|inputs| &inputs.parameters).map(|input| &*input.name).collect(),
            artifacts: inputs.flat_map(|inputs| &inputs.artifacts).map(|input| &*input.name).collect(),
        }
    }

    /// Returns whether `inputs.REST` exists; the path of an artifact only where it lies in a container.
    fn has(&self, rest: &str, is_leaf: bool) -> bool {
        // All of them as one text, be there any or not.
        if rest == "parameters" {
            return true;
        }
        if let Some(name) = rest.strip_prefix("parameters.") {
            return self.parameters.contains(name);
        }
        let Some(name) = rest.strip_prefix("artifacts.") else { return false };
        let path_of = name.strip_suffix(".path").filter(|_| is_leaf);
        self.artifacts.contains(name) || path_of.is_some_and(|name| self.artifacts.contains(name))
    }
}

impl<'a> Variables<'a> {
    /// Returns the variables of a template; `at_exit` when it runs only after the run has ended.
    pub fn of(draft: &'a Draft, globals: &'a Globals<'a>, template: &'a Template, at_exit: bool) -> Self {
        let (root, tasks): (_, Vec<&Task>) = match &template.body {
            Body::Steps(groups) => (Some("steps"), groups.iter().flatten().collect()),
            Body::Dag(dag) => (Some("tasks"), dag.tasks.iter().collect()),
            _ => (None, Vec::new()),
        };
        let nodes = tasks.into_iter().enumerate().rev().map(|(ix, task)| (&*task.name, (ix, task))).collect();
        Self { draft, globals, template: &template.spec, root, nodes, inputs: InputNames::of(&template.spec), at_exit }
    }

    /// Looks up a variable of a text of the template itself, or of one of its calls, which has
    /// `items`. Steps and tasks are numbered in the order of the manifest.
    pub fn look_up(&self, name: &str, items: &Items<'_>) -> Look {
        let Some((root, rest)) = name.split_once('.') else { return Look::Known };
        let known = match root {
            "workflow" => self.globals.has(rest, self.at_exit),
            "inputs" => self.inputs.has(rest, is_leaf(self.template)),
            // A metric may name the outputs of its own node.
            "outputs" => true,
            "pod" => rest == "name" && is_pod(self.template),
            "item" => items.has(rest),
            "steps" | "tasks" => return self.node_variable(root, rest),
            _ => true,
        };
        if known { Look::Known } else { Look::Unknown }
    }

    /// Returns whether a variable has a value only in runs of another kind, and stays as it is in this one.
    pub fn is_of_other_runs(&self, name: &str) -> bool {
        name == "workflow.scheduledTime" && !self.globals.is_scheduled
    }

    /// Returns whether a variable is an output of the node itself, which is known when the node has ended: only a
    /// metric may name it. The path where a container puts an output is known before.
    pub fn is_own_output(&self, name: &str) -> bool {
        let Some(rest) = name.strip_prefix("outputs.") else { return false };
        let path_of = |kind: &str| rest.strip_prefix(kind)?.strip_suffix(".path");
        let outputs = || self.template.outputs.iter().filter(|_| is_leaf(self.template));
        let is_parameter = |name: &str| outputs().flat_map(|outputs| &outputs.parameters).any(|of| of.name == name);
        let is_artifact = |name: &str| outputs().flat_map(|outputs| &outputs.artifacts).any(|of| of.name == name);
        !path_of("parameters.").is_some_and(is_parameter) && !path_of("artifacts.").is_some_and(is_artifact)
    }

    fn node_variable(&self, root: &str, rest: &str) -> Look {
        // The node's own name, which Argo fills in for every template.
        if rest.starts_with("name") && self.node(rest).is_none() {
            return Look::Known;
        }
        if self.root != Some(root) {
            return Look::Unknown;
        }
        match self.node(rest) {
            Some((ix, task, field)) if self.has_field(task, field) => Look::OfTask(ix),
            _ => Look::Unknown,
        }
    }

    /// Splits `NAME.FIELD`; the name has no dots, since validation refuses such names.
    fn node<'n>(&self, rest: &'n str) -> Option<(TaskIx, &'a Task, &'n str)> {
        let (name, field) = rest.split_once('.').unwrap_or((rest, ""));
        let (ix, task) = self.nodes.get(name)?;
        Some((*ix, task, field))
    }

    fn has_field(&self, task: &Task, field: &str) -> bool {
        if ["id", "startedAt", "finishedAt", "hostNodeName", "status"].contains(&field) {
            return true;
        }
        // What is called is known only when it runs, and so are its outputs.
        let Some(target) = task.target else { return true };
        let template = &self.draft.templates[target.index()].spec;
        let loops = Items::of(&task.spec).exist();
        let given = self.globals.given(target);
        match field {
            "ip" => template.daemon == Some(true),
            "exitCode" | "outputs.result" => given.has_result || (loops && template.container_set.is_some()),
            "outputs.parameters" => loops,
            _ => {
                let parameter = field.strip_prefix("outputs.parameters.");
                let artifact = field.strip_prefix("outputs.artifacts.");
                parameter.is_some_and(|name| given.parameters.contains(name))
                    || artifact.is_some_and(|name| given.artifacts.contains(name))
            }
        }
    }

    /// Looks up what an expression names: the whole of something, or something inside a value,
    /// is as good as the value.
    pub fn look_up_part(&self, name: &str, items: &Items<'_>) -> Look {
        let exact = self.look_up(name, items);
        if exact != Look::Unknown || self.is_whole(name) {
            return exact;
        }
        let prefixes = name.match_indices('.').map(|(at, _)| &name[..at]).filter(|prefix| prefix.contains('.'));
        let inside = prefixes.map(|prefix| self.look_up(prefix, items)).find(|look| *look != Look::Unknown);
        inside.unwrap_or(Look::Unknown)
    }

    /// Returns whether the name is of a group of variables.
    fn is_whole(&self, name: &str) -> bool {
        let whole = [
            "inputs.parameters",
            "inputs.artifacts",
            "workflow.outputs",
            "workflow.outputs.parameters",
            "workflow.outputs.artifacts",
        ];
        whole.contains(&name)
            || self.root.is_some_and(|root| {
                let rest = name.strip_prefix(root).and_then(|rest| rest.strip_prefix('.'));
                rest.and_then(|rest| self.node(rest)).is_some_and(|(_, _, field)| {
                    ["", "outputs", "outputs.parameters", "outputs.artifacts"].contains(&field)
                })
            })
    }

    /// Returns names that would have been right: those of the step or task that `name` begins with,
    /// or those of others with its field, and all that is not of a step or task.
    pub fn candidates(&self, name: &str, items: &Items<'_>) -> Vec<String> {
        let rest = self.root.and_then(|root| name.strip_prefix(root)).and_then(|rest| rest.strip_prefix('.'));
        let mut names = match rest.and_then(|rest| self.node(rest)) {
            Some((_, task, _)) => self.fields_of(task),
            None => {
                self.nodes_with(rest.and_then(|rest| rest.split_once('.')).map_or("outputs.result", |(_, field)| field))
            }
        };
        names.extend(self.input_names());
        if let Items::Listed([spec::Item(serde_json::Value::Object(fields)), ..]) = items {
            names.extend(fields.keys().map(|key| format!("item.{key}")));
        }
        names.extend(self.globals.names().take(limits::SUGGESTION_NAMES_MAX));
        names
    }

    /// Returns the field of each step or task, as far as they are worth looking at.
    fn nodes_with(&self, field: &str) -> Vec<String> {
        let Some(root) = self.root else { return Vec::new() };
        let nodes = self.nodes.keys().take(limits::SUGGESTION_NAMES_MAX / 2);
        nodes.map(|node| format!("{root}.{node}.{field}")).collect()
    }

    fn input_names(&self) -> Vec<String> {
        let parameters = self.inputs.parameters.iter().map(|name| format!("inputs.parameters.{name}"));
        let artifacts = self.inputs.artifacts.iter().map(|name| format!("inputs.artifacts.{name}"));
        parameters.chain(artifacts).take(limits::SUGGESTION_NAMES_MAX / 2).collect()
    }

    fn fields_of(&self, task: &Task) -> Vec<String> {
        let root = self.root.unwrap_or_default();
        let of = |field: &str| format!("{root}.{}.{field}", task.name);
        let mut fields: Vec<String> = ["status", "id", "startedAt", "finishedAt"].map(of).into();
        let Some(target) = task.target else { return fields };
        let given = self.globals.given(target);
        if given.has_result {
            fields.extend(["outputs.result", "exitCode"].map(of));
        }
        let parameters = given.parameters.iter().map(|name| of(&format!("outputs.parameters.{name}")));
        let artifacts = given.artifacts.iter().map(|name| of(&format!("outputs.artifacts.{name}")));
        fields.extend(parameters.chain(artifacts).take(limits::SUGGESTION_NAMES_MAX / 2));
        fields
    }
}
