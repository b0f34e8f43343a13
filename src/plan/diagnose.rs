//! From problems to diagnostics: the place of a problem in the text of its document.
//!
//! The workflow's own places may lie in two documents: its own, and that of the template whose
//! spec it takes over.

use super::library::Library;
use super::model::Scope;
use super::problem::{Mend, Place, Problem};
use super::resolve::scope_of;
use crate::source::{Diagnostic, Document, Fix, Label, Path, Segment, Sources, Span, Tree, tree};
use crate::spec::{self, Manifest};

/// The documents that a plan was made of.
pub(super) struct Documents<'a> {
    /// Where the workflow's own places may lie, the first that has the place counts.
    own: Vec<Own<'a>>,
    library: &'a Library,
    /// The arguments after merging, whose order differs from that of the documents.
    merged: Option<&'a spec::WorkflowSpec>,
}

struct Own<'a> {
    document: &'a Document,
    /// Where the document has the workflow's spec.
    spec: Path,
}

impl<'a> Documents<'a> {
    /// Returns the documents of a workflow that was read, and merged to a spec.
    pub fn new(read: &'a spec::Read, library: &'a Library, merged: Option<&'a spec::WorkflowSpec>) -> Self {
        let spec = Path::root().key("spec");
        let own = match &read.manifest {
            Manifest::CronWorkflow(_) => spec.key("workflowSpec"),
            _ => spec.clone(),
        };
        let mut documents = vec![Own { document: &read.document, spec: own }];
        let reference = read.manifest.workflow_spec().and_then(|spec| spec.workflow_template_ref.as_ref());
        let object = reference.and_then(|reference| library.object(&scope_of(reference)));
        documents.extend(object.map(|object| Own { document: &object.document, spec }));
        Self { own: documents, library, merged }
    }

    /// Returns the documents of problems whose own places are those of the document as it stands.
    pub fn verbatim(read: &'a spec::Read, library: &'a Library) -> Self {
        Self { own: vec![Own { document: &read.document, spec: Path::root().key("spec") }], library, merged: None }
    }

    /// Returns the diagnostic of a problem; parts of texts are only found where the sources are given.
    pub fn diagnostic(&self, problem: &Problem, sources: Option<&Sources>) -> Diagnostic {
        let primary = self.locate(&problem.place).map(|(document, path)| {
            let part = problem.within.clone().zip(sources).filter(|_| document.root.at(&path).is_some());
            match part {
                Some((range, sources)) => document.span_within(sources, &path, range),
                None => telling_span(document, &path),
            }
        });
        let mut diagnostic = Diagnostic::new(problem.rule, problem.severity, primary, problem.message.clone());
        diagnostic = diagnostic.says(problem.label.clone());
        diagnostic.help = problem.help.clone();
        diagnostic.fix = sources.zip(primary).and_then(|(sources, span)| fix(problem.mend.as_ref()?, span, sources));
        diagnostic.labels.extend(problem.also.iter().filter_map(|(place, text)| {
            let (document, path) = self.locate(place)?;
            Some(Label { span: telling_span(document, &path), text: text.clone() })
        }));
        diagnostic
    }

    fn locate(&self, place: &Place) -> Option<(&'a Document, Path)> {
        match &place.document {
            Scope::Local => self.locate_default(&place.path).or_else(|| self.locate_own(&place.path)),
            scope => Some((&self.library.object(scope)?.document, place.path.clone())),
        }
    }

    /// Returns whether a place is one of `templateDefaults`, which are merged into each template.
    pub fn is_of_defaults(&self, place: &Place) -> bool {
        place.document == Scope::Local && self.locate_default(&place.path).is_some()
    }

    /// Returns where the defaults of templates stand that a template has and does not say itself.
    fn locate_default(&self, path: &Path) -> Option<(&'a Document, Path)> {
        let segments = path.segments();
        let [Segment::Key(spec), Segment::Key(templates), Segment::Index(_), rest @ ..] = segments.as_slice() else {
            return None;
        };
        if (&**spec, &**templates) != ("spec", "templates") || rest.is_empty() {
            return None;
        }
        let defaults = Path::root().key("spec").key("templateDefaults");
        let defaults = rest.iter().fold(defaults, |path, segment| path.join((*segment).clone()));
        let is_known = |document: &Document, path: &Path| document.root.at(path).is_some();
        if self.own.iter().any(|own| is_known(own.document, &self.translate(path, own))) {
            return None;
        }
        let found = self.own.iter().map(|own| (own.document, self.translate(&defaults, own)));
        found.into_iter().find(|(document, path)| is_known(document, path))
    }

    /// Returns the document that has the place, or else the one that has most of the way to it.
    fn locate_own(&self, path: &Path) -> Option<(&'a Document, Path)> {
        let found = self.own.iter().map(|own| (own.document, self.translate(path, own)));
        let depth = |(document, path): &(&Document, Path)| known_depth(document, path);
        let mut best: Option<(usize, (&Document, Path))> = None;
        for candidate in found {
            let depth = depth(&candidate);
            if best.as_ref().is_none_or(|(most, _)| depth > *most) {
                best = Some((depth, candidate));
            }
        }
        best.map(|(_, found)| found)
    }

    /// Returns the path as the document has it.
    fn translate(&self, path: &Path, own: &Own<'_>) -> Path {
        let segments = path.segments();
        let is = |index: usize, key: &str| matches!(segments.get(index), Some(Segment::Key(found)) if **found == *key);
        if !is(0, "spec") {
            return path.clone();
        }
        let mut translated = segments[1..].iter().fold(own.spec.clone(), |path, segment| path.join((*segment).clone()));
        if is(1, "arguments")
            && self.merged.is_some()
            && let (Some(Segment::Key(list)), Some(Segment::Index(index))) = (segments.get(2), segments.get(3))
        {
            let place = own.spec.key("arguments").key(list.clone());
            let index =
                self.argument_name(list, *index).and_then(|name| index_named(own.document.root.at(&place)?, name));
            // An index that cannot be leaves the list as the nearest place there is.
            let place = place.index(index.unwrap_or(usize::MAX));
            translated = segments[4..].iter().fold(place, |path, segment| path.join((*segment).clone()));
        }
        translated
    }

    fn argument_name(&self, list: &str, index: usize) -> Option<&'a str> {
        let arguments = self.merged?.arguments.as_ref()?;
        match list {
            "parameters" => arguments.parameters.get(index).map(|parameter| parameter.name.as_str()),
            _ => arguments.artifacts.get(index).map(|artifact| artifact.name.as_str()),
        }
    }
}

/// Returns the change of a mend, where the text is written plainly at the place.
fn fix(mend: &Mend, span: Span, sources: &Sources) -> Option<Fix> {
    let (raw, of) = (sources.slice(span), mend.of.as_str());
    let quoted = |quote: &str| raw.strip_prefix(quote).and_then(|raw| raw.strip_suffix(quote)) == Some(of);
    let inner = match raw {
        _ if raw == of => span,
        _ if quoted("'") || quoted("\"") => Span { start: span.start + 1, end: span.end - 1, ..span },
        _ => return None,
    };
    // What would need quotes or escapes is left to people.
    let is_plain = mend.by.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    is_plain.then(|| Fix { span: inner, replacement: mend.by.clone(), is_certain: mend.is_certain })
}

fn index_named(list: &Tree, name: &str) -> Option<usize> {
    let tree::Value::Seq(items) = &list.value else { return None };
    items.iter().position(|item| item.get("name").and_then(Tree::as_str) == Some(name))
}

/// Returns how many steps of the path the document has.
fn known_depth(document: &Document, path: &Path) -> usize {
    let mut tree = &document.root;
    let mut depth = 0;
    for segment in path.segments() {
        let Some(next) = tree.step(segment) else { break };
        (tree, depth) = (next, depth + 1);
    }
    depth
}

/// Returns a span that says which value is meant without covering all of it: of a map its name,
/// of a list and of a map without name its key.
fn telling_span(document: &Document, path: &Path) -> Span {
    let mut known = path.clone();
    while document.root.at(&known).is_none() {
        let Some(parent) = known.parent() else { break };
        known = parent.clone();
    }
    let Some(tree) = document.root.at(&known) else { return document.span(path) };
    match &tree.value {
        tree::Value::Map(_) => {
            let name = tree.get("name").map(|name| name.span);
            let key = matches!(known.last(), Some(Segment::Key(_))).then(|| document.key_span(&known));
            name.or(key).or_else(|| first_key(tree)).unwrap_or(tree.span)
        }
        tree::Value::Seq(_) if known.last().is_some() => document.key_span(&known),
        _ => tree.span,
    }
}

fn first_key(tree: &Tree) -> Option<Span> {
    match &tree.value {
        tree::Value::Map(fields) => fields.first_key(),
        _ => None,
    }
}
