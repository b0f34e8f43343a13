//! The plan and its parts: plain values that the engine runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::pod_parts::PodParts;
use super::problem::Place;
use crate::expr::{TemplateStr, depends};
use crate::source::Segment;
use crate::spec;

/// Where a template is looked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    /// In the workflow itself (after merging what `workflowTemplateRef` names).
    Local,
    /// In the WorkflowTemplate of that name.
    Namespaced(Arc<str>),
    /// In the ClusterWorkflowTemplate of that name.
    Cluster(Arc<str>),
}

/// The manifest with everything that it refers to: what the head of a log holds.
///
/// A plan is made of it again whenever the run is loaded, without any other file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resolved {
    /// The workflow's metadata; its name is not the run's, which may be generated.
    pub metadata: spec::ObjectMeta,
    /// The workflow's spec: what `workflowTemplateRef` names merged under it, arguments of the call over it.
    pub spec: spec::WorkflowSpec,
    /// The WorkflowTemplates that it refers to, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub templates: BTreeMap<String, spec::WorkflowSpec>,
    /// The ClusterWorkflowTemplates that it refers to, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cluster_templates: BTreeMap<String, spec::WorkflowSpec>,
    /// The ConfigMaps that it refers to, as far as they were given: data by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config_maps: BTreeMap<String, BTreeMap<String, String>>,
}

/// A template's place in its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TemplateIx(pub u32);

/// A task's place in its DAG, or a step's in its group.
pub type TaskIx = usize;

/// A workflow that can run.
pub struct Plan {
    /// What it was made of.
    pub resolved: Resolved,
    /// Every template that can be reached or named, in the order in which it was found.
    pub templates: Vec<Template>,
    /// Where to find a template by the scope in which it is called and its name.
    pub by_name: BTreeMap<(Scope, Arc<str>), TemplateIx>,
    /// The template that a run begins with.
    pub entrypoint: TemplateIx,
    /// The template that a run ends with: `onExit`, or the hook `exit`.
    pub on_exit: Option<TemplateIx>,
    /// The templates of the run's other hooks, by hook name.
    pub hooks: BTreeMap<Arc<str>, TemplateIx>,
    /// What it says of all its pods.
    pub pod_parts: PodParts,
}

impl Plan {
    /// Returns the workflow's spec.
    pub fn spec(&self) -> &spec::WorkflowSpec {
        &self.resolved.spec
    }

    /// Returns how the template at `ix` is tried again: its own word, else the workflow's.
    pub fn retry_strategy(&self, ix: TemplateIx) -> Option<&spec::RetryStrategy> {
        self.template(ix).spec.retry_strategy.as_ref().or(self.spec().retry_strategy.as_ref())
    }

    /// Returns the template at `ix`.
    pub fn template(&self, ix: TemplateIx) -> &Template {
        &self.templates[ix.index()]
    }

    /// Returns the template that `name` means in `scope`.
    pub fn lookup(&self, scope: &Scope, name: &str) -> Option<TemplateIx> {
        self.by_name.get(&(scope.clone(), Arc::from(name))).copied()
    }

    /// Returns the template that a task calls when its name or reference, which had tags, has
    /// become `name` or `reference`.
    pub fn lookup_call(
        &self,
        scope: &Scope,
        name: Option<&str>,
        reference: Option<&spec::TemplateRef>,
    ) -> Option<TemplateIx> {
        match reference {
            Some(reference) => self.lookup(&Scope::of(reference), reference.template.as_deref()?),
            None => self.lookup(scope, name?),
        }
    }

    /// Returns the arguments of the workflow, those of the call included.
    pub fn arguments(&self) -> Option<&spec::Arguments> {
        self.resolved.spec.arguments.as_ref()
    }
}

impl TemplateIx {
    /// Returns the place as an index into the plan's templates.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl Scope {
    /// Returns the scope that a reference points into.
    pub fn of(reference: &spec::TemplateRef) -> Self {
        let name: Arc<str> = reference.name.as_deref().unwrap_or_default().into();
        match reference.cluster_scope {
            Some(true) => Self::Cluster(name),
            _ => Self::Namespaced(name),
        }
    }
}

/// A template, compiled.
pub struct Template {
    /// Its name; an inline template has its task's.
    pub name: Arc<str>,
    /// The scope in which names in its body are looked up.
    pub scope: Scope,
    /// The template as declared, `templateDefaults` merged in.
    pub spec: Arc<spec::Template>,
    /// Where in the spec, as a JSON value, there are tags to replace when it is called.
    pub texts: Vec<Text>,
    /// Its graph.
    pub body: Body,
    /// Where it is declared.
    pub place: Place,
}

/// A text with tags, and its place in a JSON value.
pub struct Text {
    /// The place, as keys and indices from the root of the value.
    pub pointer: Vec<Segment>,
    /// The text, parsed.
    pub text: TemplateStr,
}

/// What a template does.
pub enum Body {
    /// Runs a pod: `container`, `script`, `containerSet`, `data`, `resource`.
    Pod,
    /// Runs groups of steps, one after the other.
    Steps(Vec<Vec<Task>>),
    /// Runs tasks as their dependencies allow.
    Dag(Dag),
    /// Waits.
    Suspend,
    /// Sends a request.
    Http,
    /// Leaves it to a plugin.
    Plugin,
}

/// The graph of a DAG template.
pub struct Dag {
    /// Its tasks, in the order of the manifest.
    pub tasks: Vec<Task>,
    /// By task: what must hold before it starts. Bare names and `dependencies` are expanded as Argo does.
    pub depends: Vec<Option<depends::Expr>>,
    /// By task: the tasks that `depends` names.
    pub parents: Vec<Vec<TaskIx>>,
    /// By task: the tasks whose `depends` names it.
    pub dependents: Vec<Vec<TaskIx>>,
    /// The tasks that decide the outcome: `target`, or all that nobody depends on, by name.
    pub targets: Vec<TaskIx>,
    /// The `target` when it has tags; it decides then, and `targets` says nothing.
    pub target_text: Option<TemplateStr>,
    /// By name.
    pub by_name: BTreeMap<Arc<str>, TaskIx>,
}

/// A step or a task.
pub struct Task {
    /// Its name.
    pub name: Arc<str>,
    /// It as declared; steps and tasks have one form here.
    pub spec: Arc<spec::DAGTask>,
    /// Where in the spec, as a JSON value, there are tags.
    pub texts: Vec<Text>,
    /// What it calls; absent when the name has tags and is known only when it runs.
    pub target: Option<TemplateIx>,
    /// The template of its `onExit` or `exit` hook and of its other hooks, by hook name; absent
    /// when the name has tags.
    pub hooks: BTreeMap<Arc<str>, TemplateIx>,
    /// Whether something in the enclosing template refers to its `outputs.result`, so that
    /// standard output must be captured. Source: Argo's `hasOutputResultRef`.
    pub captures_result: bool,
}
