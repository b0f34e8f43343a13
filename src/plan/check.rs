//! From a document to a plan and everything that is wrong with it.

use std::collections::BTreeSet;

use super::checks::{self, Purpose};
use super::compile::Draft;
use super::cron;
use super::diagnose::Documents;
use super::library::Library;
use super::model::{Plan, Resolved};
use super::problem::{Place, Problem};
use super::resolve::{self, Call};
use super::rules;
use crate::source::{Diagnostic, Document, RuleId, Sources, Span, Tree, tree};
use crate::spec::{self, Manifest};

/// Returns the plan of a document that is submitted with `call`, unless there are errors, and
/// everything that is wrong.
pub fn check(sources: &Sources, read: &spec::Read, library: &Library, call: &Call) -> (Option<Plan>, Vec<Diagnostic>) {
    let Some(workflow) = resolve::submitted(&read.manifest) else {
        return (None, vec![resolve::not_submittable(read)]);
    };
    let (resolved, problems) = resolve::resolve_workflow(&workflow, library, call);
    let Some(resolved) = resolved else {
        let documents = Documents::new(read, library, None);
        return (None, diagnostics(&documents, sources, problems));
    };
    let (draft, mut problems) = judge(resolved, problems, Purpose::Run);
    problems.extend(empty_enums(&read.document));
    problems.retain(|problem| !is_about_files(problem));
    let has_errors = problems.iter().any(Problem::is_error);
    let documents = Documents::new(read, library, Some(&draft.resolved.spec));
    let diagnostics = diagnostics(&documents, sources, problems);
    let plan = if has_errors { None } else { draft.finish().ok() };
    (plan, diagnostics)
}

/// As [`check`], for what has no text: the plan unless there are errors, and every problem.
pub fn plan_of(resolved: Resolved) -> (Option<Plan>, Vec<Problem>) {
    let (draft, mut problems) = judge(resolved, Vec::new(), Purpose::Run);
    problems.retain(|problem| !is_about_files(problem));
    let has_errors = problems.iter().any(Problem::is_error);
    (if has_errors { None } else { draft.finish().ok() }, problems)
}

/// Returns whether a problem is of the file and not of a run: matters of taste, templates that a call with
/// another entrypoint leaves out, and what only the object's own place in a cluster has to hold.
fn is_about_files(problem: &Problem) -> bool {
    rules::PEDANTIC.contains(&problem.rule) || [rules::TEMPLATE_UNUSED, rules::METADATA].contains(&problem.rule)
}

/// Returns everything that is wrong with a document as a file: a workflow, a CronWorkflow, or
/// templates that others call. Kinds that run nothing have nothing to check here.
pub fn lint(sources: &Sources, read: &spec::Read, library: &Library) -> Vec<Diagnostic> {
    let (workflow, purpose) = match &read.manifest {
        Manifest::Workflow(workflow) => ((**workflow).clone(), Purpose::Lint),
        // Nobody can give a value when the clock submits it.
        Manifest::CronWorkflow(cron) => (resolve::from_cron(cron), Purpose::Run),
        Manifest::WorkflowTemplate(template) => (as_workflow(&template.metadata, &template.spec), Purpose::Library),
        Manifest::ClusterWorkflowTemplate(template) => {
            (as_workflow(&template.metadata, &template.spec), Purpose::Library)
        }
        Manifest::WorkflowEventBinding(_) | Manifest::ConfigMap(_) | Manifest::Secret(_) => return Vec::new(),
    };
    let (resolved, problems) = resolve::resolve_workflow(&workflow, library, &Call::default());
    let (merged, problems) = match resolved {
        Some(resolved) => {
            let (draft, problems) = judge(resolved, problems, purpose);
            (Some(draft.resolved.spec), problems)
        }
        None => (None, problems),
    };
    let mut found = diagnostics(&Documents::verbatim(read, library), sources, empty_enums(&read.document));
    found.extend(diagnostics(&Documents::new(read, library, merged.as_ref()), sources, problems));
    if let Manifest::CronWorkflow(cron) = &read.manifest {
        found.extend(diagnostics(&Documents::verbatim(read, library), sources, cron::check(cron)));
    }
    found
}

/// Returns whether there is something to check among the documents: ConfigMaps and Secrets alone are only
/// there to be referred to.
pub fn is_checkable(reads: &[spec::Read]) -> bool {
    reads.iter().any(|read| !matches!(read.manifest, Manifest::ConfigMap(_) | Manifest::Secret(_)))
}

/// Returns everything that is wrong with documents that are given together: each sees the others,
/// and what several of them find is told once.
pub fn lint_all(sources: &Sources, reads: &[spec::Read]) -> Vec<Diagnostic> {
    let (library, mut found) = Library::new(reads);
    let mut told: BTreeSet<(RuleId, Option<Span>, String)> = BTreeSet::new();
    found.extend(reads.iter().flat_map(|read| lint(sources, read, &library)));
    found.retain(|diagnostic| told.insert((diagnostic.rule, diagnostic.span(), diagnostic.message.clone())));
    found.sort_by_key(|diagnostic| diagnostic.span().map(|span| (span.file, span.start)));
    found
}

/// A template that is judged on its own is a workflow that is never run.
fn as_workflow(metadata: &spec::ObjectMeta, spec: &spec::WorkflowSpec) -> spec::Workflow {
    spec::Workflow { metadata: metadata.clone(), spec: spec.clone(), ..Default::default() }
}

/// Compiles and checks; the problems are in the order of their severity and their finding, and
/// each is told once.
fn judge(resolved: Resolved, found: Vec<Problem>, purpose: Purpose) -> (Draft, Vec<Problem>) {
    let mut draft = Draft::new(resolved);
    let mut problems = found;
    // What is missing was reported when it was looked for, with what there is instead.
    let compiled = std::mem::take(&mut draft.problems).into_iter();
    problems.extend(compiled.filter(|problem| problem.rule != rules::OBJECT_NOT_FOUND));
    problems.extend(checks::run(&draft, purpose));
    (draft, problems)
}

fn diagnostics(documents: &Documents<'_>, sources: &Sources, problems: Vec<Problem>) -> Vec<Diagnostic> {
    let mut diagnostics: Vec<Diagnostic> =
        problems.iter().map(|problem| documents.diagnostic(problem, Some(sources))).collect();
    diagnostics.sort_by_key(|diagnostic| diagnostic.span().map(|span| (span.file, span.start)));
    diagnostics.dedup();
    diagnostics
}

/// Returns the parameters of the workflow whose `enum` allows nothing. Only the text tells such a
/// list from one that is absent.
fn empty_enums(document: &Document) -> Vec<Problem> {
    let place = Place::root().down("spec.arguments.parameters");
    let Some(Tree { value: tree::Value::Seq(parameters), .. }) = document.root.at(&place.path) else {
        return Vec::new();
    };
    let is_empty = |parameter: &Tree| matches!(parameter.get("enum"), Some(Tree { value: tree::Value::Seq(values), .. }) if values.is_empty());
    let empty = parameters.iter().enumerate().filter(|(_, parameter)| is_empty(parameter));
    let problem = |(index, _)| {
        Problem::error(rules::ENUM, place.index(index).key("enum"), "the `enum` allows nothing")
            .help("list the values that are allowed, or take `enum` away")
    };
    empty.map(problem).collect()
}
