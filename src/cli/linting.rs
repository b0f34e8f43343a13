//! Checks manifests as files: what is wrong with those that were given, by the project's settings.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::error::{Error, Kind};
use super::input::{self, Input};
use super::planning::Manifests;
use super::project::Project;
use super::session::Session;
use super::{referred, rulebook};
use crate::plan;
use crate::source::{Allowed, Diagnostic, FileId, Sources};
use crate::spec;

/// Texts to be checked, and those that are only looked things up in.
pub struct Texts {
    /// All of them, those to be checked first.
    pub input: Input,
    /// How many are to be checked.
    checked: usize,
}

/// What checking found.
pub struct Linted {
    /// What is wrong, in the order of the files.
    pub diagnostics: Vec<Diagnostic>,
    /// How many manifests were checked.
    pub manifests: usize,
    /// Whether one of them has something to check.
    pub is_something: bool,
}

fn file_of(diagnostic: &Diagnostic) -> Option<FileId> {
    diagnostic.span().map(|span| span.file)
}

impl Texts {
    /// Reads the files to be checked and those of the library; a file that is both is checked.
    pub fn read(files: &[PathBuf], library: &[PathBuf]) -> Result<Self, Error> {
        let mut input = input::read(files)?;
        let checked = input.sources.ids().count();
        if !library.is_empty() {
            let lent = input::read(library)?;
            for (id, path) in lent.sources.ids().zip(&lent.files) {
                if !input.files.contains(path) {
                    input.sources.add(lent.sources.name(id), lent.sources.text(id));
                }
            }
        }
        Ok(Self { input, checked })
    }

    /// Adds what the texts refer to and do not give, as far as the cluster has it.
    pub async fn complete(&mut self, session: &Session) -> Result<(), Error> {
        if session.is_local() {
            let error = Error::new(Kind::Usage, "`--cluster` asks for templates of a cluster, and none is configured");
            return Err(error.hint("name one with KUBECONFIG or --context, or give the templates with --library"));
        }
        let mut manifests = Manifests::of(std::mem::take(&mut self.input));
        let completed = referred::complete(session, &mut manifests).await;
        self.input = manifests.input;
        completed
    }

    /// Returns the ids of the texts that are to be checked.
    pub fn checked(&self) -> impl Iterator<Item = FileId> + use<> {
        self.input.sources.ids().take(self.checked)
    }

    /// Replaces texts by others.
    pub fn replace(&mut self, texts: &BTreeMap<FileId, String>) {
        let mut sources = Sources::new();
        for id in self.input.sources.ids() {
            let text = texts.get(&id).map_or(self.input.sources.text(id), String::as_str);
            sources.add(self.input.sources.name(id), text);
        }
        self.input.sources = sources;
    }

    /// Checks the texts.
    pub fn lint(&self, project: &Project) -> Linted {
        let sources = &self.input.sources;
        let (reads, mut found) = spec::read_all(sources);
        // Who calls whom is only known where every call can be read.
        let misread: BTreeSet<FileId> = found.iter().filter(|fault| fault.is_error()).filter_map(file_of).collect();
        let is_known = |found: &Diagnostic| !file_of(found).is_some_and(|file| misread.contains(&file));
        let judged = plan::lint_all(sources, &reads).into_iter();
        found.extend(judged.filter(|found| found.rule != plan::rules::TEMPLATE_UNUSED || is_known(found)));
        let (allowed, faults) = Allowed::read(sources, &rulebook::ids());
        found.extend(faults);
        let missing = plan::rules::OBJECT_NOT_FOUND;
        let kept = found.into_iter().filter(|diagnostic| {
            self.is_told(diagnostic)
                && !(project.ignore_missing && diagnostic.rule == missing)
                && !allowed.covers(diagnostic, sources)
        });
        let mut diagnostics: Vec<Diagnostic> = kept.filter_map(|diagnostic| project.levels.judge(diagnostic)).collect();
        diagnostics.sort_by(|a, b| (a.span(), a.rule, &a.message).cmp(&(b.span(), b.rule, &b.message)));
        diagnostics.dedup();
        let checked = || reads.iter().filter(|read| self.is_checked(read.document.file));
        Linted { diagnostics, manifests: checked().count(), is_something: plan::is_checkable(checked()) }
    }

    fn is_told(&self, diagnostic: &Diagnostic) -> bool {
        diagnostic.span().is_none_or(|span| self.is_checked(span.file))
    }

    fn is_checked(&self, file: FileId) -> bool {
        (file.0 as usize) < self.checked
    }
}
