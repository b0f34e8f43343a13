//! From a document to a plan and everything that is wrong with it.

use std::collections::{BTreeMap, BTreeSet};

use super::checks::{self, Purpose};
use super::compile::Draft;
use super::cron;
use super::diagnose::Documents;
use super::events;
use super::library::Library;
use super::model::{Plan, Resolved};
use super::problem::{Place, Problem};
use super::problems::Problems;
use super::resolve::{self, Call};
use super::rules;
use crate::base::limits;
use crate::source::{self, Diagnostic, Document, FileId, RuleId, Severity, Sources, Span, Tree, tree};
use crate::spec::{self, Manifest};

/// Returns the plan of a document that is submitted with `call`, unless there are errors, and
/// everything that is wrong.
pub fn check(sources: &Sources, read: &spec::Read, library: &Library, call: &Call) -> (Option<Plan>, Vec<Diagnostic>) {
    let Some(workflow) = resolve::submitted(&read.manifest) else {
        return (None, vec![resolve::not_submittable(read)]);
    };
    let (resolved, problems) = resolve::resolve_workflow(workflow, library, call);
    let Some(resolved) = resolved else {
        let documents = Documents::new(read, library, None);
        return (None, diagnostics(&documents, sources, problems));
    };
    let (draft, mut problems) = judge(resolved, problems, Purpose::Run, library);
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
    let (draft, mut problems) = judge(resolved, Vec::new(), Purpose::Run, &Library::default());
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
        Manifest::WorkflowEventBinding(binding) => {
            return diagnostics(&Documents::verbatim(read, library), sources, events::check(binding, library));
        }
        Manifest::ConfigMap(_) | Manifest::Secret(_) => return Vec::new(),
    };
    let (resolved, problems) = resolve::resolve_workflow(workflow, library, &Call::default());
    let (merged, problems) = match resolved {
        Some(resolved) => {
            let (draft, problems) = judge(resolved, problems, purpose, library);
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
pub fn is_checkable<'a>(reads: impl IntoIterator<Item = &'a spec::Read>) -> bool {
    reads.into_iter().any(|read| !matches!(read.manifest, Manifest::ConfigMap(_) | Manifest::Secret(_)))
}

/// Returns everything that is wrong with documents that are given together: each sees the others,
/// and what several of them find is told once.
pub fn lint_all(sources: &Sources, reads: &[spec::Read]) -> Vec<Diagnostic> {
    let (library, mut found) = Library::new(reads);
    let mut told: BTreeSet<(RuleId, Option<Span>, String)> = BTreeSet::new();
    let mut bound = PerFile::default();
    for read in reads {
        // Of a file with so many errors nobody reads what else there is.
        if bound.has_room(read.document.file, Severity::Error) {
            found.extend(lint(sources, read, &library).into_iter().filter_map(|diagnostic| bound.keep(diagnostic)));
        }
    }
    found.retain(|diagnostic| told.insert((diagnostic.rule, diagnostic.span(), diagnostic.message.clone())));
    found.sort_by_key(|diagnostic| diagnostic.span().map(|span| (span.file, span.start)));
    found
}

/// Counts the diagnostics of each file by their severity.
#[derive(Default)]
struct PerFile(BTreeMap<(FileId, Severity), usize>);

impl PerFile {
    fn has_room(&self, file: FileId, severity: Severity) -> bool {
        self.0.get(&(file, severity)).is_none_or(|count| *count <= limits::DIAGNOSTICS_PER_FILE_MAX)
    }

    /// Returns the diagnostic while there is room for it; the last one stands for all that follow.
    fn keep(&mut self, diagnostic: Diagnostic) -> Option<Diagnostic> {
        let Some(span) = diagnostic.span() else { return Some(diagnostic) };
        let count = self.0.entry((span.file, diagnostic.severity)).or_default();
        *count += 1;
        match (*count).cmp(&(limits::DIAGNOSTICS_PER_FILE_MAX + 1)) {
            std::cmp::Ordering::Less => Some(diagnostic),
            std::cmp::Ordering::Equal => {
                let message = format!("the file has more than {} problems", limits::DIAGNOSTICS_PER_FILE_MAX);
                let last = Diagnostic::new(source::rules::TOO_MANY, diagnostic.severity, Some(span), message);
                Some(last.help("mend these first"))
            }
            std::cmp::Ordering::Greater => None,
        }
    }
}

/// A template that is judged on its own is a workflow that is never run.
fn as_workflow(metadata: &spec::ObjectMeta, spec: &spec::WorkflowSpec) -> spec::Workflow {
    spec::Workflow { metadata: metadata.clone(), spec: spec.clone(), ..Default::default() }
}

/// Compiles and checks; the problems are in the order of their severity and their finding, and
/// each is told once.
fn judge(resolved: Resolved, found: Vec<Problem>, purpose: Purpose, library: &Library) -> (Draft, Vec<Problem>) {
    let mut draft = Draft::new(resolved);
    let mut problems = Problems::from(found);
    // What is missing was reported when it was looked for, with what there is instead.
    let compiled = std::mem::take(&mut draft.problems).into_vec().into_iter();
    problems.extend(compiled.filter(|problem| problem.rule != rules::OBJECT_NOT_FOUND));
    checks::run(&draft, purpose, library, &mut problems);
    (draft, problems.into_vec())
}

fn diagnostics(documents: &Documents<'_>, sources: &Sources, problems: Vec<Problem>) -> Vec<Diagnostic> {
    let mut told = BTreeSet::new();
    let diagnostic = |problem: &Problem| {
        let diagnostic = documents.diagnostic(problem, Some(sources));
        // What `templateDefaults` say wrongly is wrong in each template, and is told once.
        let is_new = !documents.is_of_defaults(&problem.place) || told.insert((diagnostic.rule, diagnostic.span()));
        is_new.then_some(diagnostic)
    };
    let mut diagnostics: Vec<Diagnostic> = problems.iter().filter_map(diagnostic).collect();
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
