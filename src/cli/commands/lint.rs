//! `wf lint`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::error::{Error, Kind};
use crate::cli::planning::{self, Manifests};
use crate::cli::session::Session;
use crate::source::{Diagnostic, Sources, render};

/// Check manifests, and show every problem where it stands
///
/// Templates, ConfigMaps and Secrets that the manifests refer to are looked for in the files
/// given. Exits 1 when there is an error.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  wf lint workflow.yaml\n  wf lint manifests/\n  wf lint -o short . | head")]
pub struct Lint {
    /// Files or folders; `-` is standard input
    #[arg(value_name = "FILE", required = true, value_hint = clap::ValueHint::AnyPath)]
    pub files: Vec<PathBuf>,

    /// How to print problems
    #[arg(long, short = 'o', value_name = "FORMAT", default_value = "human")]
    pub output: Output,

    /// Exit 1 also for what is less than an error
    #[arg(long, value_name = "WHAT")]
    pub deny: Option<Deny>,
}

/// How problems are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// With the lines they are about
    Human,
    /// One line each, as compilers print them
    Short,
    /// A JSON list
    Json,
}

/// What is not accepted besides errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Deny {
    /// Warnings
    Warnings,
}

impl Lint {
    /// Checks the files.
    pub fn run(&self, session: &Session) -> Result<(), Error> {
        let manifests = Manifests::read(&self.files)?;
        let diagnostics = planning::lint(&manifests);
        session.ui.data(&self.render(&diagnostics, &manifests.input.sources, session))?;
        let count = manifests.reads.len();
        if count == 0 && diagnostics.is_empty() {
            return Err(Error::new(Kind::NotFound, "found no manifest in the files")
                .hint("a manifest has a `kind` such as Workflow"));
        }
        let plural = if count == 1 { "" } else { "s" };
        session.ui.status(&format!("{} in {count} manifest{plural}", planning::summary(&diagnostics)));
        if diagnostics.iter().any(|diagnostic| self.is_denied(diagnostic)) {
            Err(Error::told(Kind::Failed))
        } else {
            Ok(())
        }
    }

    fn is_denied(&self, diagnostic: &Diagnostic) -> bool {
        let is_warning = diagnostic.severity == crate::source::Severity::Warning;
        diagnostic.is_error() || is_warning && self.deny == Some(Deny::Warnings)
    }

    fn render(&self, diagnostics: &[Diagnostic], sources: &Sources, session: &Session) -> String {
        let look = session.ui.out();
        let style = render::Style { colour: look.colour, width: look.width };
        match self.output {
            Output::Human => {
                diagnostics.iter().map(|diagnostic| render::full(diagnostic, sources, style) + "\n\n").collect()
            }
            Output::Short => diagnostics.iter().map(|diagnostic| render::short(diagnostic, sources) + "\n").collect(),
            Output::Json => json(diagnostics, sources),
        }
    }
}

/// Returns the problems as a JSON list with places that people can count.
fn json(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let place = |span: crate::source::Span| {
        let (start, end) = (sources.position(span.file, span.start), sources.position(span.file, span.end));
        serde_json::json!({
            "file": sources.name(span.file),
            "line": start.line, "column": start.column, "endLine": end.line, "endColumn": end.column,
        })
    };
    let problem = |diagnostic: &Diagnostic| {
        serde_json::json!({
            "rule": diagnostic.rule.0,
            "severity": render::severity(diagnostic.severity),
            "message": diagnostic.message,
            "labels": diagnostic.labels.iter().map(|label| serde_json::json!({"at": place(label.span), "text": label.text})).collect::<Vec<_>>(),
            "help": diagnostic.help,
            "fix": diagnostic.fix.as_ref().map(|fix| serde_json::json!({"at": place(fix.span), "replacement": fix.replacement})),
        })
    };
    format!("{:#}\n", serde_json::Value::Array(diagnostics.iter().map(problem).collect()))
}
