//! Templates that call other templates: steps, DAGs, and what a call can say.

use std::sync::Arc;

use indexmap::IndexMap;

use super::{Arguments, IntOrString, Item, Template};

/// The hooks of a call or a workflow by name; `exit` is the exit handler.
pub type LifecycleHooks = IndexMap<String, LifecycleHook>;

object! {
    /// One call in a list of steps.
    pub struct WorkflowStep {
        /// The step's name.
        pub name: Option<String>,
        /// The template that is called.
        pub template: Option<String>,
        /// The template itself.
        pub inline: Option<Arc<Template>>,
        /// What it is handed.
        pub arguments: Option<Arguments>,
        /// A template of another object.
        pub template_ref: Option<Box<TemplateRef>>,
        /// Calls once for each of these.
        pub with_items: Vec<Item>,
        /// Calls once for each item of the JSON list that this text becomes.
        pub with_param: Option<String>,
        /// Calls once for each number.
        pub with_sequence: Option<Box<Sequence>>,
        /// A condition without which the call is skipped.
        pub when: Option<String>,
        /// Which bad ends do not stop the steps.
        pub continue_on: Option<ContinueOn>,
        /// A template that is called after the end, as Argo 2 wrote it.
        pub on_exit: Option<String>,
        /// Templates that are called when their conditions come true.
        pub hooks: IndexMap<String, LifecycleHook>,
    }

    /// Calls that depend on each other.
    pub struct DAGTemplate {
        /// The names of the tasks that are wanted, with blanks between; all leaves when absent.
        pub target: Option<String>,
        /// The tasks.
        pub tasks: Vec<Arc<DAGTask>>,
        /// Whether nothing new starts after a failure; true when absent.
        pub fail_fast: Option<bool>,
    }

    /// One call in a DAG.
    pub struct DAGTask {
        /// The task's name.
        pub name: String,
        /// The template that is called.
        pub template: Option<String>,
        /// The template itself.
        pub inline: Option<Arc<Template>>,
        /// What it is handed.
        pub arguments: Option<Arguments>,
        /// A template of another object.
        pub template_ref: Option<Box<TemplateRef>>,
        /// The tasks that must have succeeded before.
        pub dependencies: Vec<String>,
        /// Calls once for each of these.
        pub with_items: Vec<Item>,
        /// Calls once for each item of the JSON list that this text becomes.
        pub with_param: Option<String>,
        /// Calls once for each number.
        pub with_sequence: Option<Box<Sequence>>,
        /// A condition without which the call is skipped.
        pub when: Option<String>,
        /// Which bad ends let the tasks go on that depend on this one.
        pub continue_on: Option<ContinueOn>,
        /// A template that is called after the end, as Argo 2 wrote it.
        pub on_exit: Option<String>,
        /// A condition over the ends of other tasks.
        pub depends: Option<String>,
        /// Templates that are called when their conditions come true.
        pub hooks: IndexMap<String, LifecycleHook>,
    }

    /// A template that is called when a condition comes true.
    pub struct LifecycleHook {
        /// The template that is called.
        pub template: Option<String>,
        /// What it is handed.
        pub arguments: Option<Arguments>,
        /// A template of another object.
        pub template_ref: Option<Box<TemplateRef>>,
        /// The condition; the hook `exit` needs none.
        pub expression: Option<String>,
    }

    /// A template of a `WorkflowTemplate` or `ClusterWorkflowTemplate`.
    pub struct TemplateRef {
        /// The object.
        pub name: Option<String>,
        /// The template in it.
        pub template: Option<String>,
        /// Whether the object is a `ClusterWorkflowTemplate`.
        pub cluster_scope: Option<bool>,
    }

    /// A `WorkflowTemplate` or `ClusterWorkflowTemplate` that is run.
    pub struct WorkflowTemplateRef {
        /// The object.
        pub name: Option<String>,
        /// Whether it is a `ClusterWorkflowTemplate`.
        pub cluster_scope: Option<bool>,
    }

    /// A row of numbers; `count` or `end` is given.
    pub struct Sequence {
        /// How many.
        pub count: Option<IntOrString>,
        /// The first; 0 when absent.
        pub start: Option<IntOrString>,
        /// The last; less than `start` counts down.
        pub end: Option<IntOrString>,
        /// How C's `printf` would write each.
        pub format: Option<String>,
    }

    /// Which bad ends are as good as success.
    pub struct ContinueOn {
        /// An error.
        pub error: Option<bool>,
        /// A failure.
        pub failed: Option<bool>,
    }

    /// Waits.
    pub struct SuspendTemplate {
        /// How long, in seconds or as Go writes durations; until resumed when absent.
        pub duration: Option<String>,
    }
}
