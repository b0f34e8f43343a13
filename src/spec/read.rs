//! From the documents of a file to typed manifests.

use std::sync::Arc;

use serde_path_to_error::Segment as DecodeSegment;

use super::manifest::API_VERSION;
use super::schema::Schemas;
use super::{Kind, Manifest, check, rules};
use crate::base::limits;
use crate::base::suggest::nearest;
use crate::source::{self, Complaints, Diagnostic, Document, FileId, Path, Segment, Severity, Sources, Tree, Value};

/// Kinds of Argo's group that it uses itself, or that its sister projects have.
const OTHER_ARGO_KINDS: &[&str] = &["WorkflowTaskSet", "WorkflowTaskResult", "WorkflowArtifactGCTask"];

/// A manifest and where it was read from.
#[derive(Debug, Clone)]
pub struct Read {
    /// The text's tree, which gives every value its place.
    pub document: Arc<Document>,
    /// What it says.
    pub manifest: Manifest,
}

/// Reads all manifests of a file. Objects of other kinds are passed over with a note.
///
/// A manifest is returned though it has faults, as far as it could be decoded, so that further
/// checks find more of them; whether it may run is for the diagnostics to say.
pub fn read(sources: &Sources, file: FileId) -> (Vec<Read>, Vec<Diagnostic>) {
    let (documents, diagnostics) = source::read(sources, file);
    let mut complaints = Complaints::from(diagnostics);
    let mut reads = Vec::new();
    for (index, document) in documents.into_iter().flat_map(objects).enumerate() {
        if index == limits::OBJECTS_PER_FILE_MAX {
            let message = format!("the file holds more than {} objects", limits::OBJECTS_PER_FILE_MAX);
            let fault = Diagnostic::error(source::rules::SIZE, first_line(&document.root), message);
            complaints.push(fault.help("what follows is not read: split the file"));
            break;
        }
        reads.extend(read_object(document, sources, &mut complaints));
    }
    (reads, complaints.into_vec())
}

/// Reads all manifests of all files.
pub fn read_all(sources: &Sources) -> (Vec<Read>, Vec<Diagnostic>) {
    let (reads, diagnostics): (Vec<_>, Vec<_>) = sources.ids().map(|file| read(sources, file)).unzip();
    (reads.into_iter().flatten().collect(), diagnostics.into_iter().flatten().collect())
}

/// Returns the items of a list object, or the object itself.
fn objects(mut document: Document) -> Vec<Document> {
    let is_list = document.root.get("kind").and_then(Tree::as_str).is_some_and(|kind| kind.ends_with("List"));
    let Value::Map(map) = &mut document.root.value else { return vec![document] };
    let items = map.get_mut("items").filter(|_| is_list).map(|entry| &mut entry.value.value);
    match items {
        Some(Value::Seq(items)) => {
            let file = document.file;
            std::mem::take(items).into_iter().map(|root| Document { file, root }).collect()
        }
        _ => vec![document],
    }
}

fn read_object(mut document: Document, sources: &Sources, complaints: &mut Complaints) -> Option<Read> {
    let kind = match kind(&document.root) {
        Ok((kind, fault)) => {
            complaints.extend(fault);
            kind
        }
        Err(fault) => {
            complaints.push(*fault);
            return None;
        }
    };
    if let Some(fault) = too_large(kind, &document.root) {
        complaints.push(fault);
        return None;
    }
    check::check(&mut document.root, Schemas::get().root(kind), sources, complaints);
    match Manifest::decode(kind, &document.root) {
        Ok(manifest) => Some(Read { document: Arc::new(document), manifest }),
        Err(error) => {
            let span = document.span(&decode_path(error.path()));
            complaints.push(Diagnostic::error(rules::UNREADABLE, span, error.inner().to_string()));
            None
        }
    }
}

/// Returns what to say of an object with more templates, or tasks, than are read.
fn too_large(kind: Kind, root: &Tree) -> Option<Diagnostic> {
    let spec = Path::root().key("spec");
    let spec = if kind == Kind::CronWorkflow { spec.key("workflowSpec") } else { spec };
    let templates = items(root.at(&spec.key("templates"))?);
    let fault = |at: &Tree, most: usize, what: &str| {
        let message = format!("the {kind} has more than {most} {what}, and is not read");
        Diagnostic::error(source::rules::SIZE, at.span, message)
    };
    if let Some(beyond) = templates.get(limits::TEMPLATES_PER_OBJECT_MAX) {
        let fault = fault(beyond, limits::TEMPLATES_PER_OBJECT_MAX, "templates");
        return Some(fault.help("call one template with many arguments"));
    }
    let beyond = templates.iter().flat_map(calls).nth(limits::TASKS_PER_OBJECT_MAX)?;
    let fault = fault(beyond, limits::TASKS_PER_OBJECT_MAX, "steps and tasks");
    Some(fault.help("let a loop make them: `withItems`, `withParam` or `withSequence`"))
}

/// Returns the steps and tasks of a template.
fn calls(template: &Tree) -> impl Iterator<Item = &Tree> {
    let tasks = template.get("dag").and_then(|dag| dag.get("tasks")).map_or(&[][..], items);
    let groups = template.get("steps").map_or(&[][..], items);
    tasks.iter().chain(groups.iter().flat_map(items))
}

fn items(tree: &Tree) -> &[Tree] {
    match &tree.value {
        Value::Seq(items) => items,
        _ => &[],
    }
}

/// Returns the kind of an object, perhaps with a complaint; or why it is not read.
fn kind(root: &Tree) -> Result<(Kind, Option<Diagnostic>), Box<Diagnostic>> {
    let Some(name) = root.get("kind") else {
        let message = match &root.value {
            Value::Map(_) => "the document has no `kind`, and is not read".to_owned(),
            value => format!("the document is {}, not an object, and is not read", value.kind()),
        };
        return Err(Box::new(Diagnostic::warning(rules::NO_OBJECT, first_line(root), message)));
    };
    let group_version = root.get("apiVersion").and_then(Tree::as_str);
    match name.as_str().and_then(Kind::from_name) {
        Some(kind) => version(root, kind, group_version).map(|fault| (kind, fault)),
        None => Err(Box::new(other_kind(name, group_version))),
    }
}

/// Checks the version of an object of a known kind.
fn version(root: &Tree, kind: Kind, found: Option<&str>) -> Result<Option<Diagnostic>, Box<Diagnostic>> {
    let expected = kind.api_version();
    let Some(found) = found else {
        let message = format!("the {kind} has no `apiVersion`");
        let fault = Diagnostic::warning(rules::API_VERSION, first_line(root), message);
        return Ok(Some(fault.help(format!("add `apiVersion: {expected}`"))));
    };
    if found == expected {
        return Ok(None);
    }
    let span = root.get("apiVersion").map_or(root.span, |version| version.span);
    let other_group = found.split_once('/').is_some_and(|(group, _)| !group.contains("argo"));
    if other_group {
        return Err(Box::new(ignored(span, &format!("{found} {kind}"))));
    }
    let message = format!("a {kind} of `{found}` is not supported");
    let fault = Diagnostic::error(rules::API_VERSION, span, message);
    Ok(Some(fault.help(format!("write `{expected}`")).fix(span, expected)))
}

/// Returns what to say of an object whose kind is not read.
fn other_kind(name: &Tree, group_version: Option<&str>) -> Diagnostic {
    let argo = group_version.is_none_or(|version| version.starts_with("argoproj.io/"));
    let text = name.as_str().unwrap_or_default();
    let argo_kinds = Kind::ALL.into_iter().filter(|kind| kind.api_version() == API_VERSION).map(Kind::name);
    match nearest(text, argo_kinds).filter(|_| argo && !OTHER_ARGO_KINDS.contains(&text)) {
        Some(near) => Diagnostic::error(rules::UNKNOWN_KIND, name.span, format!("Argo has no kind `{text}`"))
            .help(format!("did you mean `{near}`?")),
        None => ignored(name.span, text),
    }
}

fn ignored(span: source::Span, what: &str) -> Diagnostic {
    Diagnostic::new(rules::IGNORED_OBJECT, Severity::Note, Some(span), format!("`{what}` is not read"))
}

/// Returns the beginning of a value: what is missing from an object is missing there.
fn first_line(root: &Tree) -> source::Span {
    match &root.value {
        Value::Map(map) => map.first_key().unwrap_or(root.span),
        _ => root.span,
    }
}

/// Returns the decoder's path as a path of the tree.
fn decode_path(path: &serde_path_to_error::Path) -> Path {
    let segments = path.iter().map_while(|segment| match segment {
        DecodeSegment::Map { key } => Some(Segment::Key(key.as_str().into())),
        DecodeSegment::Seq { index } => Some(Segment::Index(*index)),
        DecodeSegment::Enum { .. } | DecodeSegment::Unknown => None,
    });
    segments.collect()
}
