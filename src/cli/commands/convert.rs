//! `wf convert`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::error::{Error, Kind};
use crate::cli::session::Session;
use crate::cli::{input, planning};
use crate::plan;
use crate::source::fix::{self, Choice};
use crate::source::{self, Diagnostic, Sources};
use crate::spec;

/// Write manifests anew in the form of Argo 4, and Jobs and CronJobs as workflows
///
/// Fields that Argo 4 has no more get their new form, comments and layout stay. A Job becomes a
/// Workflow, a CronJob a CronWorkflow. The files stay as they are; the result goes to standard
/// output.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wf convert old.yaml > new.yaml
  kubectl get cronjob backup -o yaml | wf convert -")]
pub struct Convert {
    /// Files or folders; `-` is standard input
    #[arg(value_name = "FILE", required = true, value_hint = clap::ValueHint::AnyPath)]
    pub files: Vec<PathBuf>,
}

impl Convert {
    /// Prints every document of the files in its new form.
    pub fn run(&self, session: &Session) -> Result<(), Error> {
        let input = input::read(&self.files)?;
        let mut documents = Vec::new();
        for file in input.sources.ids() {
            let name = input.sources.name(file);
            for text in parts(input.sources.text(file)) {
                documents.push(converted(name, text, session)?);
            }
        }
        session.ui.data(&documents.join("---\n"))
    }
}

/// Returns the texts between the lines `---`, those that say nothing left out.
fn parts(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in text.split_inclusive('\n') {
        if line.trim_end() == "---" {
            parts.push(&text[start..at]);
            start = at + line.len();
        }
        at += line.len();
    }
    parts.push(&text[start..]);
    parts.retain(|part| part.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')));
    parts
}

fn converted(name: &str, text: &str, session: &Session) -> Result<String, Error> {
    let mut sources = Sources::new();
    let file = sources.add(name, text);
    let (documents, diagnostics) = source::read(&sources, file);
    if diagnostics.iter().any(Diagnostic::is_error) {
        planning::tell(&diagnostics, &sources, &session.ui);
        return Err(Error::new(Kind::Failed, format!("`{name}` cannot be read")));
    }
    let object = documents.first().and_then(|document| plan::convert(&document.root.to_json()));
    if let Some(object) = object {
        for field in &object.left_out {
            session.ui.warning(&format!("`{field}` of `{name}` has no counterpart in a workflow, and is left out"));
        }
        return serde_yaml::to_string(&object.object).map_err(|fault| Error::new(Kind::Bug, fault.to_string()));
    }
    let (_, mut found) = spec::read(&sources, file);
    found.retain(|diagnostic| diagnostic.rule == spec::rules::DEPRECATED_FIELD);
    for diagnostic in found.iter().filter(|diagnostic| diagnostic.fix.is_none()) {
        planning::tell(std::slice::from_ref(diagnostic), &sources, &session.ui);
    }
    let (mut mended, _) = fix::apply(text, file, &found, Choice::Certain);
    if !mended.ends_with('\n') {
        mended.push('\n');
    }
    Ok(mended)
}
