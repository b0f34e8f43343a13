//! Puts together what a run is made of: the workflow, what the call changes, the spec that it
//! refers to, and every object that its templates refer to.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde_json::Value;

use super::call::{Callee, calls, of_hooks};
use super::compile::object_not_found;
use super::diagnose::Documents;
use super::library::Library;
use super::merge;
use super::model::{Resolved, Scope};
use super::problem::{Place, Problem};
use super::rules;
use crate::source::Diagnostic;
use crate::spec::{self, Manifest};

/// What the one who submits says beside the manifest; what is absent stays as the manifest has it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Call {
    /// Values of the workflow's parameters by name.
    pub parameters: IndexMap<String, String>,
    /// The template that comes first.
    pub entrypoint: Option<String>,
    /// The service account of all pods.
    pub service_account: Option<String>,
    /// Which run comes first when not all may run.
    pub priority: Option<i32>,
    /// Labels to add.
    pub labels: IndexMap<String, String>,
    /// Annotations to add.
    pub annotations: IndexMap<String, String>,
    /// The run's name.
    pub name: Option<String>,
    /// The beginning of the run's name, which chance completes.
    pub generate_name: Option<String>,
}

/// Returns the workflow that submitting a template by name means.
/// Source: `NewWorkflowFromWorkflowTemplate`.
pub fn from_template(name: &str, cluster: bool) -> spec::Workflow {
    let label = match cluster {
        true => "workflows.argoproj.io/cluster-workflow-template",
        false => "workflows.argoproj.io/workflow-template",
    };
    let reference = spec::WorkflowTemplateRef { name: Some(name.to_owned()), cluster_scope: cluster.then_some(true) };
    workflow(
        spec::ObjectMeta {
            generate_name: Some(format!("{name}-")),
            labels: IndexMap::from([(label.to_owned(), name.to_owned())]),
            ..Default::default()
        },
        spec::WorkflowSpec { workflow_template_ref: Some(reference), ..Default::default() },
    )
}

/// Returns the workflow that a CronWorkflow submits, without the time that it was due.
/// Source: `ConvertCronWorkflowToWorkflow`.
pub fn from_cron(cron: &spec::CronWorkflow) -> spec::Workflow {
    let name = cron.metadata.name.clone().unwrap_or_default();
    let own = cron.spec.workflow_metadata.clone().unwrap_or_default();
    let mut labels = IndexMap::from([("workflows.argoproj.io/cron-workflow".to_owned(), name.clone())]);
    labels.extend(own.labels);
    let metadata = spec::ObjectMeta {
        generate_name: Some(format!("{name}-")),
        labels,
        annotations: own.annotations,
        ..Default::default()
    };
    workflow(metadata, cron.spec.workflow_spec.clone())
}

fn workflow(metadata: spec::ObjectMeta, spec: spec::WorkflowSpec) -> spec::Workflow {
    spec::Workflow {
        api_version: spec::API_VERSION.to_owned(),
        kind: spec::Kind::Workflow.name().to_owned(),
        metadata,
        spec,
        status: None,
    }
}

/// Returns the workflow that a document means when it is submitted, or none of a kind that
/// cannot be.
pub(super) fn submitted(manifest: &Manifest) -> Option<spec::Workflow> {
    let name = manifest.metadata().name.as_deref().unwrap_or_default();
    match manifest {
        Manifest::Workflow(workflow) => Some((**workflow).clone()),
        Manifest::WorkflowTemplate(_) => Some(from_template(name, false)),
        Manifest::ClusterWorkflowTemplate(_) => Some(from_template(name, true)),
        Manifest::CronWorkflow(cron) => Some(from_cron(cron)),
        Manifest::WorkflowEventBinding(_) | Manifest::ConfigMap(_) | Manifest::Secret(_) => None,
    }
}

/// Puts together what a document runs when it is submitted with `call`; none when it, or what
/// its `workflowTemplateRef` names, cannot be had. A WorkflowTemplate that is submitted must be
/// in the library itself, as all that is referred to.
pub fn resolve(workflow: &spec::Read, library: &Library, call: &Call) -> (Option<Resolved>, Vec<Diagnostic>) {
    let Some(submitted) = submitted(&workflow.manifest) else {
        return (None, vec![not_submittable(workflow)]);
    };
    let (resolved, problems) = resolve_workflow(&submitted, library, call);
    let documents = Documents::new(workflow, library, resolved.as_ref().map(|resolved| &resolved.spec));
    let diagnostics = problems.iter().map(|problem| documents.diagnostic(problem, None)).collect();
    (resolved, diagnostics)
}

pub(super) fn not_submittable(read: &spec::Read) -> Diagnostic {
    let span = read.document.span(&crate::source::Path::root().key("kind"));
    Diagnostic::error(rules::ENTRYPOINT, span, format!("a {} cannot be submitted", read.manifest.kind()))
        .help("give a Workflow, a WorkflowTemplate, a ClusterWorkflowTemplate or a CronWorkflow")
}

/// As [`resolve`], for a workflow without a text.
pub(super) fn resolve_workflow(
    workflow: &spec::Workflow,
    library: &Library,
    call: &Call,
) -> (Option<Resolved>, Vec<Problem>) {
    let mut problems = Vec::new();
    let Some(mut spec) = base_spec(&workflow.spec, library, &mut problems) else {
        return (None, problems);
    };
    let mut metadata = workflow.metadata.clone();
    apply_call(&mut metadata, &mut spec, call);
    let mut resolved = Resolved {
        metadata,
        spec,
        templates: Default::default(),
        cluster_templates: Default::default(),
        config_maps: Default::default(),
    };
    Collector::new(library, &mut resolved, &mut problems).run();
    take_config_maps(&mut resolved, library);
    (Some(resolved), problems)
}

/// Returns the spec with what its `workflowTemplateRef` names merged under it.
fn base_spec(own: &spec::WorkflowSpec, library: &Library, problems: &mut Vec<Problem>) -> Option<spec::WorkflowSpec> {
    let Some(reference) = &own.workflow_template_ref else {
        return Some(own.clone());
    };
    let place = Place::root().key("spec").key("workflowTemplateRef");
    let scope = scope_of(reference);
    let Some(object) = library.object(&scope) else {
        problems.push(missing_object(&scope, library, &place));
        return None;
    };
    if !own.templates.is_empty() {
        problems.push(
            Problem::error(
                rules::TEMPLATES_BESIDE_REF,
                Place::root().key("spec").key("templates"),
                "a workflow with `workflowTemplateRef` cannot have `templates` of its own",
            )
            .also(place, "the templates come from here")
            .help("call templates of another object with `templateRef` instead"),
        );
    }
    Some(merge::join_specs(own, &object.spec))
}

pub(super) fn scope_of(reference: &spec::WorkflowTemplateRef) -> Scope {
    Scope::of(&spec::TemplateRef {
        name: reference.name.clone(),
        template: None,
        cluster_scope: reference.cluster_scope,
    })
}

fn missing_object(scope: &Scope, library: &Library, place: &Place) -> Problem {
    let name = |scope: &Scope| match scope {
        Scope::Local => String::new(),
        Scope::Namespaced(name) | Scope::Cluster(name) => name.to_string(),
    };
    let names: Vec<String> = library.scopes_like(scope).iter().map(name).collect();
    object_not_found(scope, place).help("give its file too").suggest(&name(scope), names.iter().map(String::as_str))
}

/// Lays the call over the manifest. A parameter that is not declared is added, as Argo does.
/// Source: `ApplySubmitOpts`.
fn apply_call(metadata: &mut spec::ObjectMeta, spec: &mut spec::WorkflowSpec, call: &Call) {
    metadata.labels.extend(call.labels.clone());
    metadata.annotations.extend(call.annotations.clone());
    if let Some(name) = &call.generate_name {
        metadata.generate_name = Some(name.clone());
    }
    if let Some(name) = &call.name {
        metadata.name = Some(name.clone());
    }
    let entrypoint = call.entrypoint.clone().filter(|name| !name.is_empty());
    spec.entrypoint = entrypoint.or(spec.entrypoint.take());
    spec.service_account_name = call.service_account.clone().or(spec.service_account_name.take());
    spec.priority = call.priority.or(spec.priority);
    for (name, value) in &call.parameters {
        set_parameter(spec.arguments.get_or_insert_default(), name, value);
    }
}

fn set_parameter(arguments: &mut spec::Arguments, name: &str, value: &str) {
    let value = Some(spec::AnyString::from(value));
    match arguments.parameters.iter_mut().find(|parameter| parameter.name == name) {
        Some(parameter) => {
            parameter.value = value;
            parameter.value_from = None;
        }
        None => arguments.parameters.push(spec::Parameter { name: name.to_owned(), value, ..Default::default() }),
    }
}

/// Follows references from template to template, and takes every object that is met.
struct Collector<'a> {
    library: &'a Library,
    resolved: &'a mut Resolved,
    problems: &'a mut Vec<Problem>,
    seen: BTreeSet<(Scope, String)>,
    /// Templates to look at, each in its scope and at its place in the list of that scope.
    queue: Vec<(Scope, usize)>,
}

impl<'a> Collector<'a> {
    fn new(library: &'a Library, resolved: &'a mut Resolved, problems: &'a mut Vec<Problem>) -> Self {
        Self { library, resolved, problems, seen: BTreeSet::new(), queue: Vec::new() }
    }

    fn run(mut self) {
        let spec = &self.resolved.spec;
        let roots = of_hooks(spec.on_exit.as_deref(), &spec.hooks, &Place::root().key("spec"));
        self.all_of(&Scope::Local);
        self.follow(&Scope::Local, roots);
        while let Some((scope, index)) = self.queue.pop() {
            let found = {
                let Some(template) = self.templates(&scope).get(index) else { continue };
                calls(template, &Place::of(scope.clone()).key("spec").key("templates").index(index))
            };
            self.follow(&scope, found);
        }
    }

    fn follow(&mut self, scope: &Scope, calls: Vec<(Callee, Place)>) {
        for (callee, place) in calls {
            match callee {
                Callee::Named(name) => self.template(scope, &name),
                Callee::Referred(reference) => self.reference(&reference, &place.key("templateRef")),
                Callee::Dynamic(None) => self.all_of(scope),
                Callee::Dynamic(Some(reference)) => self.any_of(&reference, &place.key("templateRef")),
                Callee::Inline | Callee::Faulty(_) => {}
            }
        }
    }

    fn reference(&mut self, reference: &spec::TemplateRef, place: &Place) {
        let scope = Scope::of(reference);
        if self.take(&scope, place) {
            self.template(&scope, reference.template.as_deref().unwrap_or_default());
        }
    }

    /// Takes everything that a reference with tags may turn out to mean.
    fn any_of(&mut self, reference: &spec::TemplateRef, place: &Place) {
        let scope = Scope::of(reference);
        let scopes = match reference.name.as_deref().is_some_and(|name| name.contains("{{")) {
            true => self.library.scopes_like(&scope),
            false => vec![scope],
        };
        for scope in scopes {
            if self.take(&scope, place) {
                self.all_of(&scope);
            }
        }
    }

    /// Copies the object into what is resolved; returns whether it is there.
    fn take(&mut self, scope: &Scope, place: &Place) -> bool {
        let Some(object) = self.library.object(scope) else {
            self.problems.push(missing_object(scope, self.library, place));
            return false;
        };
        let (objects, name) = match scope {
            Scope::Local => return true,
            Scope::Namespaced(name) => (&mut self.resolved.templates, name),
            Scope::Cluster(name) => (&mut self.resolved.cluster_templates, name),
        };
        objects.entry(name.to_string()).or_insert_with(|| object.spec.clone());
        true
    }

    fn all_of(&mut self, scope: &Scope) {
        let names: Vec<String> = self.templates(scope).iter().filter_map(|template| template.name.clone()).collect();
        for name in names {
            self.template(scope, &name);
        }
    }

    fn template(&mut self, scope: &Scope, name: &str) {
        if !self.seen.insert((scope.clone(), name.to_owned())) {
            return;
        }
        let place = self.templates(scope).iter().position(|template| template.name.as_deref() == Some(name));
        self.queue.extend(place.map(|place| (scope.clone(), place)));
    }

    fn templates(&self, scope: &Scope) -> &[spec::Template] {
        match scope {
            Scope::Local => &self.resolved.spec.templates,
            scope => self.library.object(scope).map(|object| object.spec.templates.as_slice()).unwrap_or_default(),
        }
    }
}

/// Copies the ConfigMaps that the specs name, of which the files given have some.
fn take_config_maps(resolved: &mut Resolved, library: &Library) {
    if library.config_map_names().next().is_none() {
        return;
    }
    let mut named = Named::default();
    let specs =
        std::iter::once(&resolved.spec).chain(resolved.templates.values()).chain(resolved.cluster_templates.values());
    for spec in specs {
        named.collect(&serde_json::to_value(spec).expect("manifest types are plain data with text keys"));
    }
    let wanted = library.config_map_names().filter(|name| named.any || named.names.contains(*name));
    resolved.config_maps =
        wanted.filter_map(|name| Some((name.to_owned(), library.config_map(name)?.clone()))).collect();
}

/// The ConfigMaps that a JSON value names.
#[derive(Default)]
struct Named {
    names: BTreeSet<String>,
    /// One is named by a tag, and may be any.
    any: bool,
}

impl Named {
    /// Recursion is bounded by the depth of the manifest.
    fn collect(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.collect(item)),
            Value::Object(fields) => {
                for (key, field) in fields {
                    if matches!(key.as_str(), "configMapKeyRef" | "configMapRef" | "configMap") {
                        self.name(field.get("name").unwrap_or(field));
                    }
                    self.collect(field);
                }
            }
            _ => {}
        }
    }

    fn name(&mut self, name: &Value) {
        if let Some(name) = name.as_str() {
            self.any |= name.contains("{{");
            self.names.insert(name.to_owned());
        }
    }
}
