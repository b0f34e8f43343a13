//! Puts together what a run is made of: the workflow, what the call changes, the spec that it
//! refers to, and every object that its templates refer to.

use indexmap::IndexMap;

use super::collect;
use super::diagnose::Documents;
use super::library::Library;
use super::merge;
use super::model::{Resolved, Scope};
use super::problem::{Place, Problem};
use super::problems::Problems;
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
    let (resolved, problems) = resolve_workflow(submitted, library, call);
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
    workflow: spec::Workflow,
    library: &Library,
    call: &Call,
) -> (Option<Resolved>, Vec<Problem>) {
    let mut problems = Problems::default();
    let spec::Workflow { mut metadata, spec, .. } = workflow;
    let Some(mut spec) = base_spec(spec, library, &mut problems) else {
        return (None, problems.into_vec());
    };
    apply_call(&mut metadata, &mut spec, call);
    let mut resolved = Resolved {
        metadata,
        spec,
        templates: Default::default(),
        cluster_templates: Default::default(),
        config_maps: Default::default(),
    };
    collect::objects(&mut resolved, library, &mut problems);
    collect::config_maps(&mut resolved, library);
    (Some(resolved), problems.into_vec())
}

/// Returns the spec with what its `workflowTemplateRef` names merged under it.
fn base_spec(own: spec::WorkflowSpec, library: &Library, problems: &mut Problems) -> Option<spec::WorkflowSpec> {
    let Some(reference) = &own.workflow_template_ref else {
        return Some(own);
    };
    let place = Place::root().key("spec").key("workflowTemplateRef");
    let scope = scope_of(reference);
    let Some(object) = library.object(&scope) else {
        problems.push(collect::missing(&scope, library, &place));
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
    Some(merge::join_specs(&own, &object.spec))
}

pub(super) fn scope_of(reference: &spec::WorkflowTemplateRef) -> Scope {
    Scope::of(&spec::TemplateRef {
        name: reference.name.clone(),
        template: None,
        cluster_scope: reference.cluster_scope,
    })
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
