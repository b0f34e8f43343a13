//! From manifests to plans, with every diagnostic told.

use std::path::PathBuf;

use super::error::{Error, Kind};
use super::input::{self, Input};
use super::session::Session;
use super::ui::Ui;
use crate::plan::{self, Call, Library, Plan};
use crate::source::{Diagnostic, Severity, Sources, render};
use crate::spec::{self, Manifest, Read};

/// The manifests of a command.
pub struct Manifests {
    /// The texts, and the files they came from.
    pub input: Input,
    /// The objects.
    pub reads: Vec<Read>,
    /// What can be referred to.
    pub library: Library,
    /// What is wrong so far.
    pub diagnostics: Vec<Diagnostic>,
}

impl Manifests {
    /// Reads all manifests that `paths` name.
    pub fn read(paths: &[PathBuf]) -> Result<Self, Error> {
        Ok(Self::of(input::read(paths)?))
    }

    /// Returns no manifests, to which some may be added.
    pub fn none() -> Self {
        Self::of(Input::default())
    }

    /// Reads all manifests of some texts.
    pub fn of(input: Input) -> Self {
        let (reads, mut diagnostics) = spec::read_all(&input.sources);
        let (library, more) = Library::new(&reads);
        diagnostics.extend(more);
        Self { input, reads, library, diagnostics }
    }

    /// Adds manifests that are in no file, by the name that messages call their text.
    pub fn add(&mut self, name: String, text: String) {
        let mut input = std::mem::take(&mut self.input);
        input.sources.add(name, text);
        *self = Self::of(input);
    }

    /// Returns whether an object of that kind and name is among them.
    pub fn has(&self, kind: spec::Kind, name: &str) -> bool {
        let mut of_kind = self.reads.iter().filter(|read| read.manifest.kind() == kind);
        of_kind.any(|read| read.manifest.metadata().name.as_deref() == Some(name))
    }

    /// Returns the objects that run when they are submitted as they are.
    pub fn workflows(&self) -> impl Iterator<Item = &Read> {
        self.reads.iter().filter(|read| matches!(read.manifest, Manifest::Workflow(_)))
    }
}

/// Returns the plan of one object, or why there is none, with all diagnostics told. What its
/// place cannot run is an error like any other, before anything is started.
pub fn plan(session: &Session, manifests: &Manifests, read: &Read, call: &Call) -> Result<Plan, Error> {
    let sources = &manifests.input.sources;
    let (made, found) = plan::check(sources, read, &manifests.library, call);
    let mut diagnostics = manifests.diagnostics.clone();
    diagnostics.extend(found);
    if let Some(plan) = &made {
        diagnostics.extend(super::unsupported::diagnostics(plan, read, session.is_local()));
    }
    let diagnostics = sorted(diagnostics);
    tell(&diagnostics, sources, &session.ui);
    match made {
        Some(plan) if !diagnostics.iter().any(Diagnostic::is_error) => Ok(plan),
        _ => Err(refused(&diagnostics)),
    }
}

/// Returns all that is wrong with manifests, in the order of their texts.
pub fn lint(manifests: &Manifests) -> Vec<Diagnostic> {
    let mut diagnostics = manifests.diagnostics.clone();
    diagnostics.extend(plan::lint_all(&manifests.input.sources, &manifests.reads));
    sorted(diagnostics)
}

/// Returns the error of a command that starts nothing because of diagnostics that were told.
pub fn refused(diagnostics: &[Diagnostic]) -> Error {
    Error::new(Kind::Failed, format!("nothing was started: {}", summary(diagnostics)))
}

fn sorted(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostics.sort_by(|a, b| (a.span(), a.rule, &a.message).cmp(&(b.span(), b.rule, &b.message)));
    diagnostics.dedup();
    diagnostics
}

/// Tells diagnostics on standard error.
pub fn tell(diagnostics: &[Diagnostic], sources: &Sources, ui: &Ui) {
    let style = render::Style { colour: ui.err().colour, width: ui.err().width };
    for diagnostic in diagnostics {
        ui.status(&(render::full(diagnostic, sources, style) + "\n"));
    }
}

/// Returns how many there are of each weight: `2 errors, 1 warning`.
pub fn summary(diagnostics: &[Diagnostic]) -> String {
    let counted = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")]
        .into_iter()
        .filter_map(|(severity, word)| {
            let count = diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
            (count > 0).then(|| format!("{count} {word}{}", if count == 1 { "" } else { "s" }))
        });
    let counted: Vec<String> = counted.collect();
    if counted.is_empty() { "no problems".to_owned() } else { counted.join(", ") }
}
